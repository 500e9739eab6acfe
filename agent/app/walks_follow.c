/* SPDX-License-Identifier: MIT */
/* walks_follow: the walks of one configuration in the place of another's. */
#include "app/walks_private.h"

#include "model/connector.h"

void
walks_start_one(struct walker *walker)
{
    if (!walker->has_stopped) {
        source_poll_start(walker->poll);
    }
}

static struct walker *
heir_of(struct walks *heirs, const struct walker *walker)
{
    for (size_t i = 0; i < heirs->count; i++) {
        struct walker *heir = &heirs->walkers[i];
        if (heir->connector->id == walker->connector->id &&
            heir->tier == walker->tier) {
            return heir;
        }
    }
    return NULL;
}

/* What is told of its last walk, until the first one of its own has ended. */
static void
tell_as(struct walker *heir, const struct walker *walker)
{
    heir->has_walked = walker->has_walked;
    heir->last = walker->last;
    heir->last.connector = heir->connector;
    heir->last_ms = walker->last_ms;
    heir->last_why = walker->last_why;
    heir->last.why = slice_of(heir->last_why.text);
    heir->is_short = walker->is_short;
}

/* The past walks are its own now; one that ended since then is added. */
static void
give_past(struct walker *heir, struct walker *walker)
{
    if (heir->last_ms < walker->last_ms) {
        walk_log_add(&heir->log, &walker->last, walker->last_ms);
        tell_as(heir, walker);
    }
}

static void
has_ended(void *arg)
{
    struct walker *walker = arg;
    struct walker *heir = walker->heir;
    struct walks *walks = walker->walks;
    walker->heir = NULL;
    if (heir != NULL) {
        source_poll_follow(heir->poll, walker->poll);
        give_past(heir, walker);
        walks_start_one(heir);
    }
    walks->stopped(walks->stopped_arg);
}

size_t
walks_hand_over(struct walks *walks, struct walks *heirs,
                void (*ended)(void *arg), void *arg)
{
    size_t calls = walks->count;
    walks->stopped = ended;
    walks->stopped_arg = arg;
    for (size_t i = 0; i < heirs->count; i++) {
        heirs->walkers[i].waits = false;
    }
    for (size_t i = 0; i < walks->count; i++) {
        struct walker *walker = &walks->walkers[i];
        walker->has_stopped = true;
        walker->heir = heir_of(heirs, walker);
        if (walker->heir != NULL) {
            walker->heir->waits = true;
            tell_as(walker->heir, walker);
            walker->heir->log = walker->log;
            walker->log = (struct walk_log){ NULL, 0, 0, 0 };
        }
        source_poll_finish(walker->poll, has_ended, walker);
        if (walker->trial_runs) {
            source_poll_stop(walker->trial, walks_trial_stopped, walker);
            calls++;
        }
    }
    for (size_t i = 0; i < heirs->count; i++) {
        if (!heirs->walkers[i].waits) {
            walks_start_one(&heirs->walkers[i]);
        }
    }
    return calls;
}

void
walks_hurry(struct walks *walks)
{
    for (size_t i = 0; i < walks->count; i++) {
        source_poll_hurry(walks->walkers[i].poll);
    }
}
