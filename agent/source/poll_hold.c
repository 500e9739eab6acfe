/* SPDX-License-Identifier: MIT */
/*
 * poll_hold: whether this agent is the one that walks, where several share a
 * store: what is dropped when it is not any more, and what is read when it is.
 */
#include "io/loop.h"
#include "source/source_poll_private.h"

static bool
is_with_sink(const struct source_poll *poll)
{
    return poll->phase == PHASE_LOADING || poll->phase == PHASE_LOOKING ||
           poll->phase == PHASE_STORING;
}

/* No failure: the other agent goes on with it. */
static void
tell_end(struct source_poll *poll)
{
    struct poll_ended ended = poll->run;
    poll->run = (struct poll_ended){ 0 };
    if (ended.started_ms == 0 || poll->settings.observer.ended == NULL) {
        return;
    }
    ended.connector = poll->settings.connector;
    ended.tier = poll->settings.tier;
    ended.outcome = POLL_YIELDED;
    ended.why = slice_of("another agent walks this connector");
    ended.failures = poll->failures;
    ended.complete_until_ms = poll->settings.account->complete_until_ms;
    poll->settings.observer.ended(poll->settings.observer.arg, &ended);
}

/* Forgets what it was about to do; its state is another agent's to move. */
static void
drop(struct source_poll *poll)
{
    poll_page_drop(poll);
    buf_fini(&poll->state_text);
    poll->next = (struct walk_state){ 0 };
    arena_fini(&poll->next_arena);
    poll->fitted = (struct walk_step){ 0 };
    poll->plan.resumable = false;
    poll->is_lost = false;
    poll->loaded = false;
    poll->cancelled = false;
    poll->ending = false;
    poll->unsaved = false;
    poll->follows = false;
    poll->gate_open = false;
    poll->phase = PHASE_IDLE;
}

static void
let_go(struct source_poll *poll)
{
    source_poll_count_walking(poll, false);
    loop_timer_disarm(poll->timer);
    poll_ask_leave(poll);
    access_cancel(poll->call);
    poll->call = NULL;
    poll->is_lost = is_with_sink(poll);
    if (!poll->is_lost) {
        drop(poll);
    }
    tell_end(poll);
}

void
poll_hold_load(struct source_poll *poll)
{
    if (poll->is_held) {
        poll_load(poll);
    } else {
        poll->phase = PHASE_IDLE;
    }
}

void
source_poll_hold(struct source_poll *poll, bool is_held, uint64_t fence)
{
    bool changes = poll->is_held != is_held || poll->fence != fence;
    poll->is_held = is_held;
    poll->fence = fence;
    if (!changes || !poll->has_started || poll->stopped != NULL ||
        poll->phase == PHASE_STOPPED) {
        return;
    }
    let_go(poll);
    if (!poll->is_lost) {
        poll_hold_load(poll);
    }
}

bool
poll_hold_lost(struct source_poll *poll, bool is_fenced)
{
    if (poll->stopped != NULL || (!poll->is_lost && !is_fenced)) {
        return false;
    }
    bool was_told = poll->is_lost;
    poll->is_held = poll->is_held && was_told;
    drop(poll);
    source_poll_count_walking(poll, false);
    tell_end(poll);
    poll_hold_load(poll);
    return true;
}

int64_t
source_poll_lowest(const struct source_poll *poll)
{
    if (!poll->is_held) {
        return INT64_MAX;
    }
    return poll->loaded ? walk_lowest(&poll->plan, &poll->state) : INT64_MIN;
}

int64_t
source_poll_first(const struct source_poll *poll)
{
    const struct walk_state *state = &poll->state;
    bool known =
        poll->is_held && poll->loaded && state->has_start && !state->start_ours;
    return known ? state->start_ms : INT64_MAX;
}
