/* SPDX-License-Identifier: MIT */
#include "sim/attempts.h"

#include <inttypes.h>
#include <string.h>

#include "base/instant.h"
#include "sim/facts.h"
#include "sim/process.h"
#include "sim/vtime.h"
#include "sim/world.h"

#define S INSTANT_SECOND_MS

static struct {
    int64_t leases_moved_ms;
    unsigned lease_moves;
    int64_t lane_busy[PLAN_HANDLERS_MAX]
                     [PLAN_OBJECTS_MAX]; /* fact + 1 that runs */
} attempts;

static bool runs[FACTS_MAX][PLAN_HANDLERS_MAX]; /* the latest attempt */
static int64_t last_start_ms[FACTS_MAX][PLAN_HANDLERS_MAX];

void
attempts_begin(void)
{
    memset(&attempts, 0, sizeof(attempts));
    memset(runs, 0, world.fact_count * sizeof(runs[0]));
    attempts.leases_moved_ms = -1;
}

void
attempts_leases_moved(void)
{
    attempts.leases_moved_ms = vtime_now_ms();
    attempts.lease_moves++;
}

unsigned
attempts_lease_moves(void)
{
    return attempts.lease_moves;
}

static void
note_attempt(struct fact *fact, size_t handler, unsigned attempt)
{
    const struct plan_handler *plan = &world.plan.handlers[handler];
    size_t number = facts_number(fact);
    unsigned most =
        (unsigned)plan->attempts + process_life() + attempts.lease_moves;
    if (fact->number == 0) {
        world_fail("fact %zu is handed over and not durable", number);
    }
    if (attempt > most) {
        world_fail("fact %zu: attempt %u at handler %zu, of %" PRId64, number,
                   attempt, handler, plan->attempts);
    }
    fact->attempt[handler] = attempt;
    fact->started[handler]++;
}

void
attempts_refused(struct fact *fact, size_t handler, unsigned attempt)
{
    note_attempt(fact, handler, attempt);
    /* Whatever still runs has been overtaken. */
    runs[facts_number(fact)][handler] = false;
    attempts.lane_busy[handler][fact->object] = 0;
}

void
attempts_started(struct fact *fact, size_t handler, unsigned attempt)
{
    size_t number = facts_number(fact);
    int64_t *busy = &attempts.lane_busy[handler][fact->object];
    note_attempt(fact, handler, attempt);
    TRACE("handler %zu is given fact %zu, attempt %u", handler, number,
          attempt);
    /* A lease is counted from when the store was asked for it, before what may
     * be fetched. */
    int64_t asked_ms = last_start_ms[number][handler] -
                       2 * (world.plan.gather_ms + world.plan.commit_ms) -
                       31 * S;
    if (runs[number][handler] && attempts.leases_moved_ms < asked_ms) {
        world_fail("fact %zu: attempt %u at handler %zu while the one before "
                   "runs",
                   number, attempt, handler);
    }
    if (world.plan.handlers[handler].lanes) {
        if (*busy != 0 && *busy != (int64_t)number + 1) {
            world_fail("facts %" PRId64 " and %zu of one lane at handler %zu "
                       "at once",
                       *busy - 1, number, handler);
        }
        *busy = (int64_t)number + 1;
    }
    runs[number][handler] = true;
    last_start_ms[number][handler] = vtime_now_ms();
}

/* One that was overtaken says nothing of its lane. */
void
attempts_reported(struct fact *fact, size_t handler, unsigned attempt,
                  bool done)
{
    size_t number = facts_number(fact);
    if (attempt == fact->attempt[handler]) {
        runs[number][handler] = false;
        attempts.lane_busy[handler][fact->object] = 0;
    }
    fact->done[handler] = fact->done[handler] || done;
    TRACE("handler %zu: fact %zu %s", handler, number, done ? "done" : "not");
}
