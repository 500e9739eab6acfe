/* SPDX-License-Identifier: MIT */
#include "sim/handlers.h"

#include <stdlib.h>

#include "base/list.h"
#include "handler/handler.h"
#include "sim/attempts.h"
#include "sim/facts.h"
#include "sim/fetches.h"
#include "sim/vtime.h"
#include "sim/world.h"

struct attempted {
    struct list link;
    struct fake *fake;
    struct fact *fact;
    unsigned attempt;
    struct alarm alarm;
    handler_result_fn *done;
    void *arg;
    enum disposition disposition;
    int64_t began_ms;
};

struct fake {
    struct handler base;
    size_t index;
    struct list running;
};

static struct fake fakes[PLAN_HANDLERS_MAX];

static void
report(void *arg)
{
    struct attempted *attempted = arg;
    const struct handler_result result = {
        .disposition = attempted->disposition,
        .detail = SLICE("as planned"),
        .duration_ms = vtime_now_ms() - attempted->began_ms,
    };
    list_remove(&attempted->link);
    vtime_alarm_off(&attempted->alarm);
    attempts_reported(attempted->fact, attempted->fake->index,
                      attempted->attempt,
                      attempted->disposition == DISPOSITION_DONE);
    attempted->done(attempted->arg, &result);
    free(attempted);
}

/* Draws how the attempt ends, and returns when. */
static int64_t
draw_end(const struct plan_handler *plan, struct attempted *attempted)
{
    struct prng *prng = &world.handlers;
    int64_t takes_ms = plan_between(prng, 0, plan->takes_ms);
    attempted->disposition = DISPOSITION_DONE;
    if (world.calm) {
        return takes_ms;
    }
    if (plan->overruns > 0 && plan_chance(prng, plan->overruns)) {
        attempted->disposition = DISPOSITION_LATER;
        attempts_leases_moved();
        return HANDLERS_LEASE_MS + plan_between(prng, 0, HANDLERS_TIMEOUT_MS);
    }
    /* What hung once is likely to hang again. */
    if (plan_chance(prng, plan->hangs * (attempted->attempt > 1 ? 5 : 1))) {
        attempted->disposition =
            plan_chance(prng, 500) ? DISPOSITION_DONE : DISPOSITION_LATER;
        world_attempt_hangs();
        return HANDLERS_TIMEOUT_MS;
    }
    if (world.down[INCIDENT_HANDLERS] > 0 || plan_chance(prng, plan->fails)) {
        attempted->disposition = DISPOSITION_LATER;
    } else if (plan_chance(prng, plan->dies)) {
        attempted->disposition = DISPOSITION_NEVER;
    }
    return takes_ms;
}

static enum status
start(struct handler *handler, const struct delivery *delivery,
      handler_result_fn *done, void *arg, struct error *err)
{
    struct fake *fake = (struct fake *)(void *)handler;
    const struct plan_handler *plan = &world.plan.handlers[fake->index];
    struct fact *fact = facts_of_body(delivery->event->body);
    if (!world.calm && plan_chance(&world.handlers, plan->fails / 10)) {
        attempts_refused(fact, fake->index, delivery->attempt);
        return error_set(err, STATUS_UNAVAILABLE, "it cannot be started");
    }
    struct attempted *attempted = calloc(1, sizeof(*attempted));
    PRE(attempted != NULL);
    attempted->fake = fake;
    attempted->fact = fact;
    attempted->attempt = delivery->attempt;
    attempted->done = done;
    attempted->arg = arg;
    attempted->began_ms = vtime_now_ms();
    attempted->alarm =
        (struct alarm){ .fn = report, .arg = attempted, .ours = true };
    list_append(&fake->running, &attempted->link);
    fetches_handed(fact, delivery);
    attempts_started(fact, fake->index, delivery->attempt);
    vtime_alarm(&attempted->alarm, vtime_now_ms() + draw_end(plan, attempted));
    return STATUS_OK;
}

static void
cancel(struct handler *handler)
{
    struct fake *fake = (struct fake *)(void *)handler;
    list_for_each(link, &fake->running) {
        struct attempted *attempted = list_entry(link, struct attempted, link);
        attempted->disposition = DISPOSITION_LATER;
        vtime_alarm(&attempted->alarm, vtime_now_ms());
    }
}

static void
destroy(struct handler *handler)
{
    (void)handler;
}

static const struct handler_ops ops = { .start = start,
                                        .cancel = cancel,
                                        .destroy = destroy };

void
handlers_begin(void)
{
    for (size_t i = 0; i < PLAN_HANDLERS_MAX; i++) {
        fakes[i].base.ops = &ops;
        fakes[i].index = i;
        list_init(&fakes[i].running);
    }
}

struct handler *
handlers_at(size_t index)
{
    return &fakes[index].base;
}

void
handlers_cut(void)
{
    for (size_t i = 0; i < PLAN_HANDLERS_MAX; i++) {
        while (!list_empty(&fakes[i].running)) {
            struct attempted *attempted =
                list_entry(fakes[i].running.next, struct attempted, link);
            attempted->disposition = DISPOSITION_LATER;
            report(attempted);
        }
    }
}
