/* SPDX-License-Identifier: MIT */
/*
 * poll_backfill: a past span of the list, read when asked: its begin, its pace
 * below the live walks', its end.
 */
#include "base/instant.h"
#include "io/clock.h"
#include "io/http_client.h"
#include "io/loop.h"
#include "model/walk_backfill.h"
#include "source/source_poll_private.h"

/* Attempts in a row that bring no page, with growing waits in between, before
 * the person who asked is told that it does not work: some minutes. */
#define FAILURES_MAX 8

static bool
is_running(const struct source_poll *poll)
{
    return poll->state.backfill.phase == BACKFILL_RUNNING;
}

static void
set_pace(struct source_poll *poll, const struct walk_backfill *span)
{
    poll->spacing =
        (struct quota){ .count = span->rate, .per_ms = span->rate_per_ms };
}

static enum status
begin(struct source_poll *poll, const struct walk_backfill *span,
      const struct walk_now *now, struct error *err)
{
    arena_fini(&poll->next_arena);
    enum status status = walk_backfill_begin(
        &poll->plan, span, now, &poll->next_arena, &poll->next, &poll->step);
    if (status != STATUS_OK) {
        poll->next = poll->state;
        return error_set(err, status, "%s", status_text(status));
    }
    poll->plan.resumable = true;
    poll->failures = 0;
    poll->cancelled = false;
    poll->run = (struct poll_ended){ 0 };
    set_pace(poll, span);
    source_poll_submit_state(poll);
    return STATUS_OK;
}

enum status
source_poll_backfill_begin(struct source_poll *poll,
                           const struct walk_backfill_wish *wish,
                           struct error *err)
{
    struct walk_now now = source_poll_now(poll);
    struct walk_backfill backfill;
    PRE(poll->settings.is_backfill);
    if (!poll->is_held) {
        return error_set(err, STATUS_UNAVAILABLE,
                         "another agent walks this connector: ask that one; "
                         "'longstop status' says which it is");
    }
    if (!poll->loaded || poll->stopped != NULL) {
        return error_set(err, STATUS_UNAVAILABLE,
                         "the agent is still reading its store, or is "
                         "stopping: ask again");
    }
    if (is_running(poll) || poll->phase != PHASE_IDLE) {
        return error_set(err, STATUS_BUSY, "a backfill is running already");
    }
    enum status status = walk_backfill_read(
        poll->settings.connector, wish, &now,
        poll->sink->floor_ms(poll->sink->self), &backfill, err);
    return status == STATUS_OK ? begin(poll, &backfill, &now, err) : status;
}

/* Stores that the span is over. */
static void
store_end(struct source_poll *poll, enum walk_backfill_phase phase,
          struct slice why)
{
    arena_fini(&poll->next_arena);
    poll->next = poll->state;
    poll->ending = true;
    poll->step = (struct walk_step){ .next = WALK_FAILED };
    (void)error_set(&poll->step.why, STATUS_CANCELED, "%.*s", SLICE_ARG(why));
    enum status status =
        walk_backfill_end(&poll->next, phase, clock_unix_ms(),
                          slice_of(poll->step.why.text), &poll->next_arena);
    if (status != STATUS_OK) {
        source_poll_fail(poll, status, NULL);
        return;
    }
    source_poll_submit_state(poll);
}

bool
source_poll_backfill_cancel(struct source_poll *poll)
{
    if (!poll->loaded || poll->stopped != NULL ||
        source_poll_backfill(poll)->backfill.phase != BACKFILL_RUNNING) {
        return false;
    }
    poll->cancelled = true;
    if (poll->phase != PHASE_STORING && poll->phase != PHASE_LOOKING) {
        access_cancel(poll->call);
        poll->call = NULL;
        loop_timer_disarm(poll->timer);
        poll_ask_leave(poll);
        poll_page_drop(poll);
        (void)poll_backfill_cancelled(poll);
    }
    return true;
}

bool
poll_backfill_cancelled(struct source_poll *poll)
{
    if (!poll->cancelled || poll->ending || !is_running(poll)) {
        return false;
    }
    poll_page_drop(poll);
    store_end(poll, BACKFILL_CANCELLED, slice_of("cancelled"));
    return true;
}

bool
poll_backfill_gives_up(struct source_poll *poll, bool for_good,
                       const struct error *why)
{
    if (!poll->loaded || poll->ending || !is_running(poll) ||
        poll->phase == PHASE_STORING ||
        (!for_good && poll->failures + 1 < FAILURES_MAX)) {
        return false;
    }
    struct error words = *why; /* which may live in the step */
    store_end(poll, BACKFILL_FAILED, slice_of(words.text));
    return true;
}

bool
poll_backfill_goes_on(struct source_poll *poll)
{
    if (is_running(poll) && poll->spacing.count == 0) {
        set_pace(poll, &poll->state.backfill); /* that of the last process */
    }
    return !poll->loaded || is_running(poll);
}

/* The rows are durable; their counts are with the next page. What is stored
 * without an answer is no progress. */
void
poll_backfill_count(struct source_poll *poll, const struct verdict *verdict)
{
    poll->state.backfill.fresh += (int64_t)verdict->fresh;
    poll->state.backfill.known += (int64_t)verdict->known;
    poll->next = poll->state;
    if (poll->status != 0) {
        poll->failures = 0;
    }
}

int64_t
poll_backfill_wait_ms(struct source_poll *poll)
{
    int64_t yield_ms = walk_backfill_yield_ms(
        poll->settings.account->host->walking > 0, poll->yielded_ms);
    poll->yielded_ms += yield_ms;
    if (yield_ms > 0) {
        return yield_ms;
    }
    int64_t wait_ms = quota_take(&poll->spacing, loop_now_ms(poll->loop));
    poll->yielded_ms = wait_ms > 0 ? poll->yielded_ms : 0;
    return wait_ms;
}

const struct walk_state *
source_poll_backfill(const struct source_poll *poll)
{
    bool begins = poll->phase == PHASE_STORING &&
                  poll->next.backfill.began_ms != poll->state.backfill.began_ms;
    if (!poll->loaded) {
        return NULL;
    }
    return begins ? &poll->next : &poll->state;
}
