/* SPDX-License-Identifier: MIT */
/*
 * poll_load: what a walk begins with: the stored state of its tier, fitted to
 * the connector as it is now, and what other tiers' states say of it.
 */
#include "base/instant.h"
#include "base/log.h"
#include "io/clock.h"
#include "model/walk_change.h"
#include "source/source_poll_private.h"

static void ask_tier(struct source_poll *poll, unsigned tier);

static bool
is_own(const struct source_poll *poll)
{
    return poll->asked_tier == poll->settings.tier;
}

/* A tier that is new, or that reads deeper than it did, begins at the lowest
 * watermark there is: what a tier that it takes the place of would have read
 * next, it reads. */
static bool
needs_others(const struct source_poll *poll)
{
    const struct walk_state *own = &poll->state;
    bool is_deeper =
        own->overlap_ms > 0 && poll->settings.overlap_ms > own->overlap_ms;
    return !own->has_start ? poll->settings.tier > 0 : is_deeper;
}

/* Takes a stored state: its own, or part of what it begins with. */
static enum status
take_state(struct source_poll *poll, struct slice text, struct error *err)
{
    struct arena arena = { 0 };
    struct walk_state state;
    enum status status = walk_decode(text, &arena, &state, err);
    if (status != STATUS_OK) {
        arena_fini(&arena);
        return status;
    }
    if (poll->asked_tier == 0) {
        poll->stored_tiers = state.tiers;
    }
    if (is_own(poll)) {
        arena_fini(&poll->state_arena); /* of an attempt that failed */
        poll->state = state;
        poll->state_arena = arena;
        return STATUS_OK;
    }
    status = walk_seed(&poll->seed, &state, &poll->seed_arena);
    arena_fini(&arena);
    return status;
}

/* What was no tier when the first one walked last has a watermark from before
 * that: others have read behind it since, and the ledger forgotten. */
static void
drop_stale(struct source_poll *poll)
{
    if (poll->stored_tiers > 0 && poll->settings.tier >= poll->stored_tiers) {
        arena_fini(&poll->state_arena);
        poll->state = (struct walk_state){ 0 };
    }
}

/* Which tier to ask next: its own first, then the first one, then the others
 * while they matter. False when all is known. */
static bool
next_tier(struct source_poll *poll, unsigned *ret_tier)
{
    unsigned own = poll->settings.tier;
    if (poll->settings.is_backfill) {
        return false;
    }
    if (is_own(poll) && !poll->asked_others) {
        poll->asked_others = true;
        *ret_tier = own == 0 ? 1 : 0;
        return own > 0 || (poll->stored_tiers > 1 && needs_others(poll));
    }
    if (poll->asked_tier == 0) {
        drop_stale(poll);
    }
    unsigned count = poll->stored_tiers > own ? poll->stored_tiers : own;
    unsigned next = poll->asked_tier + 1;
    next += next == own;
    *ret_tier = next;
    return needs_others(poll) && next < count;
}

/* Joins its own state and the lowest of the others. */
static enum status
settle(struct source_poll *poll)
{
    if (!needs_others(poll) || !poll->seed.has_start) {
        return STATUS_OK;
    }
    if (poll->state.has_start) {
        poll->state.open = false; /* its lower bound was another */
    }
    return walk_seed(&poll->state, &poll->seed, &poll->state_arena);
}

/* What was taken from others is in its own state, or to be asked for again. */
static void
forget_seed(struct source_poll *poll)
{
    poll->seed = (struct walk_state){ 0 };
    arena_fini(&poll->seed_arena);
}

/* Fits the state to a connector that was edited, and says so. */
static void
fit(struct source_poll *poll)
{
    struct walk_now now = source_poll_now(poll);
    const char *words = walk_change_words(&poll->plan, &poll->state);
    if (poll->settings.tier == 0 &&
        walk_change_start(&poll->plan, &poll->state)) {
        char began[INSTANT_TEXT_BYTES];
        LOG(LOG_WARN,
            "'start' was changed and has no effect any more: 'longstop "
            "backfill' reads what lies before",
            log_slice("connector", poll->settings.connector->name),
            log_text("began", instant_text(poll->state.start_ms, began)));
    }
    walk_change_fit(&poll->plan, &poll->state, &now, &poll->fitted);
    if (words != NULL) {
        LOG(LOG_WARN, "the connector was changed; the watermark stays",
            log_slice("connector", poll->settings.connector->name),
            log_i64("tier", poll->settings.tier), log_text("changed", words));
    }
}

static void
state_loaded(void *arg, enum status status, struct slice text,
             const struct error *err)
{
    struct source_poll *poll = arg;
    struct error words = { 0 };
    unsigned tier;
    if (poll->stopped != NULL) {
        source_poll_tell_stopped(poll);
        return;
    }
    if (poll_hold_lost(poll, false)) {
        return;
    }
    if (status == STATUS_OK) {
        status = take_state(poll, text, &words);
        err = &words;
    } else if (status == STATUS_NOT_FOUND) {
        status = STATUS_OK;
    }
    if (status == STATUS_OK && next_tier(poll, &tier)) {
        ask_tier(poll, tier);
        return;
    }
    if (status == STATUS_OK) {
        status = settle(poll);
    }
    forget_seed(poll);
    if (status != STATUS_OK) {
        source_poll_fail(poll, status, err);
    } else {
        fit(poll);
        source_poll_loaded(poll);
    }
}

static void
ask_tier(struct source_poll *poll, unsigned tier)
{
    poll->asked_tier = tier;
    poll->sink->load(poll->sink->self, poll->settings.connector, tier,
                     state_loaded, poll);
}

void
poll_load(struct source_poll *poll)
{
    poll->phase = PHASE_LOADING;
    poll->state = (struct walk_state){ 0 };
    forget_seed(poll);
    poll->stored_tiers = 0;
    poll->asked_others = false;
    ask_tier(poll, poll->settings.tier);
}
