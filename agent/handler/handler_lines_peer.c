/* SPDX-License-Identifier: MIT */
/* One peer of handler_lines: its opening, its lines, its end. */
#include "handler/handler_lines_private.h"

#include <stdio.h>

#include "base/mem.h"
#include "io/line_stream.h"
#include "io/loop.h"
#include "wire/worker_line.h"

enum {
    LINE_BYTES = 64 * 1024, /* of an answer */
    WAIT_FIRST_MS = 100,
    WAIT_CAP_MS = 10 * 1000,
    DOUBLINGS_MOST = 7,
    LEAVE_MS = 3 * 1000 /* for a peer that has been told there is no more */
};

/* ---- a peer's end ---- */

static void
drop_stream(struct lines_peer *peer)
{
    line_stream_destroy(peer->stream);
    peer->stream = NULL;
    if (peer->is_dirty) {
        peer->is_dirty = false;
        peer->pool->dirty--;
    }
}

void
lines_end(struct lines_peer *peer, const char *why)
{
    if (peer->why[0] == '\0') {
        (void)snprintf(peer->why, sizeof(peer->why), "%s", why);
    }
    drop_stream(peer);
    peer->state = PEER_ENDING;
    loop_timer_arm(peer->timer, 0);
}

/* It has answered all: it sees the end of its input, and ends by itself. */
static void
let_go(struct lines_peer *peer)
{
    peer->state = PEER_ENDING;
    line_stream_finish(peer->stream);
    loop_timer_arm(peer->timer, LEAVE_MS);
}

void
lines_leave(struct lines_peer *peer)
{
    if (peer->state == PEER_OPEN) {
        peer->is_leaving = true;
        if (peer->load == 0) {
            let_go(peer);
        }
    }
}

void
lines_peer_timer(void *arg)
{
    struct lines_peer *peer = arg;
    struct pool *pool = peer->pool;
    if (peer->state == PEER_ENDING) {
        drop_stream(peer);
        pool->settings.way->end(pool->settings.arg, peer, peer->data);
    } else {
        lines_pump(pool);
    }
}

static bool
is_any_there(const struct pool *pool)
{
    for (size_t i = 0; i < pool->settings.peers; i++) {
        enum peer_state state = pool->peers[i].state;
        if (state == PEER_OPEN || state == PEER_OPENING) {
            return true;
        }
    }
    return false;
}

/* Without an answer there is a wait before the next: what is broken does not
 * run in circles. */
static void
note_failure(struct lines_peer *peer)
{
    int64_t wait_ms = WAIT_FIRST_MS;
    for (unsigned i = 0; i < peer->failures && wait_ms < WAIT_CAP_MS; i++) {
        wait_ms *= 2;
    }
    wait_ms = wait_ms > WAIT_CAP_MS ? WAIT_CAP_MS : wait_ms;
    peer->failures += peer->failures < DOUBLINGS_MOST ? 1 : 0;
    peer->not_before_ms = loop_now_ms(peer->pool->loop) + wait_ms;
    loop_timer_arm(peer->timer, wait_ms);
}

void
lines_closed(struct lines_peer *peer, const char *words, struct slice output)
{
    struct pool *pool = peer->pool;
    struct list *link;
    peer->state = PEER_ENDING; /* its last answers make no room for others */
    if (peer->stream != NULL) {
        line_stream_drain(peer->stream);
    }
    bool was_idle = peer->load == 0;
    (void)snprintf(pool->last, sizeof(pool->last), "%s",
                   peer->why[0] != '\0' ? peer->why : words);
    drop_stream(peer);
    loop_timer_disarm(peer->timer);
    peer->state = PEER_CLOSED;
    peer->data = NULL;
    peer->load = 0;
    if (!peer->has_answered && !peer->is_leaving) {
        note_failure(peer);
    }
    char why[DETAIL_BYTES];
    (void)snprintf(why, sizeof(why), "%s", pool->last);
    struct list given; /* from here on the peer may be given others */
    list_init(&given);
    list_join(&given, &peer->given);
    while ((link = list_take(&given)) != NULL) {
        lines_report_failed(pool, list_entry(link, struct attempt, link), why,
                            output);
    }
    if (was_idle && !peer->has_answered && !peer->is_leaving &&
        !is_any_there(pool)) {
        lines_fail_waiting(pool, why);
    }
    lines_pump(pool);
    lines_check_closed(pool);
}

/* ---- what comes from a peer ---- */

struct attempt *
lines_find_given(const struct lines_peer *peer, struct slice id)
{
    list_for_each(link, &peer->given) {
        struct attempt *attempt = list_entry(link, struct attempt, link);
        if (slice_equal(attempt->delivery->event->id, id)) {
            return attempt;
        }
    }
    return NULL;
}

static void
take_answer(struct lines_peer *peer, struct attempt *attempt,
            const struct worker_answer *answer)
{
    const struct lines_way *way = peer->pool->settings.way;
    struct handler_result result = {
        .disposition = answer->is_ok      ? DISPOSITION_DONE
                       : answer->is_final ? DISPOSITION_NEVER
                                          : DISPOSITION_LATER,
        .detail = answer->is_ok ? slice_of("ok")
                  : answer->error.len > 0
                      ? slice_first(answer->error, DETAIL_BYTES)
                      : slice_of("answered that it failed"),
    };
    if (way->output != NULL) {
        result.output = way->output(peer->data);
    }
    peer->load--;
    peer->has_answered = true;
    peer->failures = 0;
    lines_report(peer->pool, attempt, &result);
}

static bool
line_came(void *arg, struct slice line)
{
    struct lines_peer *peer = arg;
    struct pool *pool = peer->pool;
    struct arena arena = { 0 };
    struct worker_answer answer;
    struct error err = { "" };
    if (slice_trim(line).len == 0) {
        return true;
    }
    enum status status = worker_line_read(line, &arena, &answer, &err);
    struct attempt *attempt =
        status == STATUS_OK ? lines_find_given(peer, answer.id) : NULL;
    if (status == STATUS_OK && attempt == NULL) {
        (void)error_set(&err, STATUS_PROTOCOL,
                        "an answer came for '%.*s', which was not asked",
                        SLICE_ARG(slice_first(answer.id, 64)));
    }
    if (attempt == NULL) {
        (void)error_wrap(&err, STATUS_PROTOCOL, "%s was ended",
                         pool->settings.way->noun);
        lines_end(peer, err.text);
    } else {
        take_answer(peer, attempt, &answer);
        if (peer->is_leaving && peer->load == 0 && peer->state == PEER_OPEN) {
            let_go(peer);
        }
        lines_pump(pool);
    }
    arena_fini(&arena);
    return peer->stream != NULL;
}

static void
lines_ended(void *arg, enum status status)
{
    struct lines_peer *peer = arg;
    const struct lines_way *way = peer->pool->settings.way;
    char why[DETAIL_BYTES];
    if (status == STATUS_OK || status == STATUS_UNAVAILABLE) {
        drop_stream(peer);
        peer->state = PEER_ENDING;
        loop_timer_arm(peer->timer, way->grace_ms);
        return;
    }
    (void)snprintf(why, sizeof(why), "%s was ended: %s", way->noun,
                   status == STATUS_TOO_LARGE
                       ? "its answer is longer than 64 KiB"
                       : status_text(status));
    lines_end(peer, why);
}

/* ---- what goes to a peer ---- */

void
lines_opened(struct lines_peer *peer, int in_fd, int out_fd)
{
    struct pool *pool = peer->pool;
    const struct line_stream_spec spec = {
        .in_fd = in_fd,
        .out_fd = out_fd,
        .line_limit = LINE_BYTES,
        .line = line_came,
        .ended = lines_ended,
        .arg = peer,
    };
    enum status status = line_stream_create(pool->loop, &spec, &peer->stream);
    if (status != STATUS_OK) {
        lines_end(peer, status_text(status));
    } else if (peer->state == PEER_OPENING) {
        peer->state = PEER_OPEN;
        lines_pump(pool);
        if (pool->closed != NULL) {
            lines_leave(peer); /* with what waited for it */
        }
    }
}

bool
lines_give(struct lines_peer *peer, struct attempt *attempt)
{
    struct pool *pool = peer->pool;
    const struct delivery *delivery = attempt->delivery;
    const struct lines_way *way = pool->settings.way;
    struct buf *room = line_stream_room(peer->stream);
    if (buf_reserve(room, delivery->envelope.len + delivery->key.len +
                              WORKER_LINE_MORE_BYTES) == NULL) {
        room->failure = STATUS_OK;
        return false;
    }
    worker_line_write(delivery->envelope, delivery->attempt, delivery->key,
                      room);
    if (peer->load == 0 && way->forget != NULL) {
        way->forget(peer->data);
    }
    list_remove(&attempt->link);
    list_append(&peer->given, &attempt->link);
    pool->waiting_count--;
    peer->load++;
    if (!peer->is_dirty) {
        peer->is_dirty = true;
        pool->dirty++;
    }
    return true;
}

void
lines_open(struct lines_peer *peer)
{
    const struct handler_lines_settings *settings = &peer->pool->settings;
    struct error err = { "" };
    peer->state = PEER_OPENING;
    peer->has_answered = false;
    peer->is_leaving = false;
    peer->why[0] = '\0';
    enum status status =
        settings->way->open(settings->arg, peer, &peer->data, &err);
    if (status != STATUS_OK) {
        lines_end(peer, error_text(&err, status));
    }
}
