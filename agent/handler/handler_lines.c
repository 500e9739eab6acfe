/* SPDX-License-Identifier: MIT */
#include "handler/handler_lines_private.h"

#include <stdio.h>
#include <string.h>

#include "base/instant.h"
#include "base/mem.h"
#include "io/line_stream.h"
#include "io/loop.h"

/*
 * The happy path: start puts an attempt behind those that wait; pump gives it
 * to the open peer that has the least to do; at the turn's end its line goes
 * out; its answer comes, and the attempt is over.
 *
 *      CLOSED ──needed──► OPENING ──lines_opened──► OPEN
 *        ▲                   │ canceled              │ end of lines, a bad
 *        │                   ▼                       │ answer, late, canceled,
 *        └──lines_closed── ENDING ◄──────────────────┘ or nothing left to do
 *
 * A peer's timer is what bounds its state: in ENDING it calls the way's `end`,
 * in CLOSED it ends the wait before the next try. Attempts are all given the
 * same time, so the one timer of the pool looks at the oldest.
 *
 * Results are given out of callbacks of the loop only, never within `start`.
 */

/* ---- results ---- */

void
lines_report(struct pool *pool, struct attempt *attempt,
             struct handler_result *result)
{
    list_remove(&attempt->all);
    list_remove(&attempt->link);
    result->duration_ms = loop_now_ms(pool->loop) - attempt->started_ms;
    attempt->done(attempt->arg, result);
    mem_free(attempt);
}

void
lines_report_failed(struct pool *pool, struct attempt *attempt,
                    const char *words, struct slice output)
{
    char detail[DETAIL_BYTES];
    char span[INSTANT_TEXT_BYTES];
    if (attempt->is_late) {
        (void)snprintf(detail, sizeof(detail), "timed out after %s",
                       instant_span_text(pool->settings.timeout_ms, span));
    } else {
        (void)snprintf(detail, sizeof(detail), "%s", words);
    }
    struct handler_result result = { .disposition = DISPOSITION_LATER,
                                     .detail = slice_of(detail),
                                     .output = output };
    lines_report(pool, attempt, &result);
}

void
lines_fail_waiting(struct pool *pool, const char *words)
{
    struct list failed;
    struct list *link;
    list_init(&failed);
    list_join(&failed, &pool->waiting);
    pool->waiting_count = 0;
    while ((link = list_take(&failed)) != NULL) {
        lines_report_failed(pool, list_entry(link, struct attempt, link), words,
                            slice_of(""));
    }
}

static bool
is_all_closed(const struct pool *pool)
{
    for (size_t i = 0; i < pool->settings.peers; i++) {
        if (pool->peers[i].state != PEER_CLOSED) {
            return false;
        }
    }
    return list_empty(&pool->all);
}

void
lines_check_closed(struct pool *pool)
{
    if (pool->closed == NULL || !is_all_closed(pool)) {
        return;
    }
    void (*closed)(void *) = pool->closed;
    pool->closed = NULL;
    closed(pool->closed_arg);
}

static void
flush(void *arg)
{
    struct pool *pool = arg;
    for (size_t i = 0; pool->dirty > 0 && i < pool->settings.peers; i++) {
        struct lines_peer *peer = &pool->peers[i];
        if (peer->is_dirty) {
            peer->is_dirty = false;
            pool->dirty--;
            line_stream_flush(peer->stream);
        }
    }
}

/* Returns the open peer that has the least to do and may be given this. */
static struct lines_peer *
choose(const struct pool *pool, struct slice id)
{
    struct lines_peer *best = NULL;
    for (size_t i = 0; i < pool->settings.peers; i++) {
        struct lines_peer *peer = &pool->peers[i];
        if (peer->state == PEER_OPEN && !peer->is_leaving &&
            peer->load < pool->settings.ahead &&
            (best == NULL || peer->load < best->load) &&
            lines_find_given(peer, id) == NULL) {
            best = peer;
            if (best->load == 0) {
                return best;
            }
        }
    }
    return best;
}

/* Opens one more, unless those on their way have room for all that wait. */
static void
open_another(struct pool *pool)
{
    size_t room = 0;
    struct lines_peer *next = NULL;
    for (size_t i = 0; i < pool->settings.peers; i++) {
        struct lines_peer *peer = &pool->peers[i];
        room += peer->state == PEER_OPENING ? pool->settings.ahead : 0;
        if (peer->state == PEER_CLOSED && next == NULL &&
            loop_now_ms(pool->loop) >= peer->not_before_ms) {
            next = peer;
        }
    }
    if (next == NULL || room >= pool->waiting_count || pool->is_canceled) {
        return;
    }
    lines_open(next);
}

void
lines_pump(struct pool *pool)
{
    while (!list_empty(&pool->waiting)) {
        struct attempt *attempt =
            list_entry(pool->waiting.next, struct attempt, link);
        struct lines_peer *peer = choose(pool, attempt->delivery->event->id);
        if (peer == NULL || peer->load > 0) {
            size_t before = pool->waiting_count;
            open_another(pool);
            if (pool->waiting_count != before) {
                continue; /* it opened at once, and was given some */
            }
        }
        if (peer == NULL || !lines_give(peer, attempt)) {
            return;
        }
    }
}

/* ---- time ---- */

/* Arms for the oldest that is not late yet. */
static void
watch_time(struct pool *pool)
{
    int64_t now_ms = loop_now_ms(pool->loop);
    list_for_each(link, &pool->all) {
        struct attempt *attempt = list_entry(link, struct attempt, all);
        int64_t left_ms =
            attempt->started_ms + pool->settings.timeout_ms - now_ms;
        if (!attempt->is_late) {
            loop_timer_arm(pool->deadline, left_ms < 0 ? 0 : left_ms);
            return;
        }
    }
}

static void
tell_late(struct pool *pool, struct attempt *attempt)
{
    struct error words = { "" };
    char span[INSTANT_TEXT_BYTES];
    (void)error_set(&words, STATUS_TIMEOUT,
                    "timed out after %s, waiting for %s%s%s",
                    instant_span_text(pool->settings.timeout_ms, span),
                    pool->settings.way->noun,
                    pool->last[0] == '\0' ? "" : "; of the last: ", pool->last);
    pool->waiting_count--;
    lines_report_failed(pool, attempt, words.text, slice_of(""));
}

static struct lines_peer *
peer_of(const struct pool *pool, const struct attempt *attempt)
{
    for (size_t i = 0; i < pool->settings.peers; i++) {
        list_for_each(link, &pool->peers[i].given) {
            if (link == &attempt->link) {
                return &pool->peers[i];
            }
        }
    }
    return NULL;
}

/* One that is with a peer is told when the peer has ended: until then it may
 * still be at it. */
static void
end_late(struct pool *pool, struct attempt *attempt)
{
    char why[DETAIL_BYTES];
    struct lines_peer *peer = peer_of(pool, attempt);
    if (peer == NULL) {
        tell_late(pool, attempt);
        return;
    }
    attempt->is_late = true;
    (void)snprintf(why, sizeof(why),
                   "%s was ended: a delivery it was given before timed out",
                   pool->settings.way->noun);
    if (peer->state == PEER_OPEN) {
        lines_end(peer, why);
    }
}

static void
deadline_passed(void *arg)
{
    struct pool *pool = arg;
    int64_t now_ms = loop_now_ms(pool->loop);
    if (pool->is_canceled) {
        pool->is_canceled = false;
        lines_fail_waiting(pool, "stopped with the agent");
    }
    list_for_each_safe(link, &pool->all) {
        struct attempt *attempt = list_entry(link, struct attempt, all);
        if (now_ms - attempt->started_ms < pool->settings.timeout_ms) {
            break;
        }
        if (!attempt->is_late) {
            end_late(pool, attempt);
        }
    }
    watch_time(pool);
    lines_check_closed(pool);
}

/* ---- the handler ---- */

static enum status
start(struct handler *handler, const struct delivery *delivery,
      handler_result_fn *done, void *arg, struct error *err)
{
    struct pool *pool = (struct pool *)(void *)handler;
    if (slice_find(delivery->envelope, '\n') != SIZE_MAX ||
        !slice_ends(delivery->envelope, slice_of("}"))) {
        return error_set(err, STATUS_INVALID,
                         "these bytes are not one JSON object on one line; use "
                         "format: cloudevents");
    }
    struct attempt *attempt = mem_zero(sizeof(*attempt));
    if (attempt == NULL) {
        return error_set(err, STATUS_NOMEM, "out of memory");
    }
    attempt->delivery = delivery;
    attempt->done = done;
    attempt->arg = arg;
    attempt->started_ms = loop_now_ms(pool->loop);
    list_append(&pool->all, &attempt->all);
    list_append(&pool->waiting, &attempt->link);
    pool->waiting_count++;
    if (!loop_timer_armed(pool->deadline)) {
        loop_timer_arm(pool->deadline, pool->settings.timeout_ms);
    }
    lines_pump(pool);
    return STATUS_OK;
}

static void
cancel(struct handler *handler)
{
    struct pool *pool = (struct pool *)(void *)handler;
    pool->is_canceled = true;
    loop_timer_arm(pool->deadline, 0);
    for (size_t i = 0; i < pool->settings.peers; i++) {
        if (pool->peers[i].state != PEER_CLOSED) {
            lines_end(&pool->peers[i], "stopped with the agent");
        }
    }
}

static void
reopen(struct handler *handler)
{
    struct pool *pool = (struct pool *)(void *)handler;
    for (size_t i = 0; i < pool->settings.peers; i++) {
        lines_leave(&pool->peers[i]);
    }
}

static bool
close_when_done(struct handler *handler, void (*closed)(void *arg), void *arg)
{
    struct pool *pool = (struct pool *)(void *)handler;
    if (is_all_closed(pool)) {
        return false;
    }
    pool->closed = closed;
    pool->closed_arg = arg;
    reopen(handler);
    return true;
}

static void
destroy(struct handler *handler)
{
    struct pool *pool = (struct pool *)(void *)handler;
    PRE(list_empty(&pool->all));
    for (size_t i = 0; pool->peers != NULL && i < pool->settings.peers; i++) {
        PRE(pool->peers[i].state == PEER_CLOSED);
        loop_timer_destroy(pool->peers[i].timer);
    }
    loop_timer_destroy(pool->deadline);
    loop_turn_destroy(pool->turn);
    if (pool->settings.arg != NULL) {
        pool->settings.way->destroy(pool->settings.arg);
    }
    mem_free(pool->peers);
    mem_free(pool);
}

static const struct handler_ops ops = {
    .start = start,
    .cancel = cancel,
    .reopen = reopen,
    .close = close_when_done,
    .destroy = destroy,
};

static enum status
open_peers(struct pool *pool)
{
    pool->peers = mem_array(pool->settings.peers, sizeof(*pool->peers));
    enum status status = pool->peers == NULL ? STATUS_NOMEM : STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < pool->settings.peers; i++) {
        struct lines_peer *peer = &pool->peers[i];
        peer->pool = pool;
        list_init(&peer->given);
        status =
            loop_timer_create(pool->loop, lines_peer_timer, peer, &peer->timer);
    }
    return status;
}

enum status
handler_lines_create(struct loop *loop,
                     const struct handler_lines_settings *settings,
                     struct handler **ret)
{
    struct pool *pool = mem_zero(sizeof(*pool));
    if (pool == NULL) {
        return STATUS_NOMEM;
    }
    pool->base.ops = &ops;
    pool->loop = loop;
    pool->settings = *settings;
    pool->settings.arg = NULL; /* the caller's until all is well */
    list_init(&pool->all);
    list_init(&pool->waiting);
    enum status status = open_peers(pool);
    if (status == STATUS_OK) {
        status =
            loop_timer_create(loop, deadline_passed, pool, &pool->deadline);
    }
    if (status == STATUS_OK) {
        status = loop_turn_create(loop, flush, pool, &pool->turn);
    }
    if (status != STATUS_OK) {
        destroy(&pool->base);
        return status;
    }
    pool->settings.arg = settings->arg;
    *ret = &pool->base;
    return STATUS_OK;
}
