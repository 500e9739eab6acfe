/* SPDX-License-Identifier: MIT */
#include "sim/plan.h"

#include <string.h>

#include "base/instant.h"

#define S INSTANT_SECOND_MS
#define M INSTANT_MINUTE_MS
#define H INSTANT_HOUR_MS
#define D INSTANT_DAY_MS

/* Provider's times begin here or up to two buckets of receipt later. */
#define EPOCH INT64_C(1700000000000)

static const char *const incident_names[] = {
    [INCIDENT_CRASH] = "crash",
    [INCIDENT_KILL] = "kill",
    [INCIDENT_STOP] = "stop",
    [INCIDENT_SLEEP] = "sleep",
    [INCIDENT_CLOCK] = "clock set",
    [INCIDENT_PROVIDER] = "provider down",
    [INCIDENT_HOOKS] = "hooks lost",
    [INCIDENT_STALL] = "store stalls",
    [INCIDENT_FULL] = "store full",
    [INCIDENT_HANDLERS] = "handlers fail",
    [INCIDENT_PURGE] = "kill and purge",
    [INCIDENT_FORGET] = "cursors forgotten",
    [INCIDENT_BACKFILL] = "backfill asked for",
    [INCIDENT_CANCEL] = "backfill cancelled",
};

const char *
plan_incident_name(enum incident_kind kind)
{
    return incident_names[kind];
}

static int64_t
pick(struct prng *prng, const int64_t *from, size_t count)
{
    return from[prng_below(prng, count)];
}

#define PICK(prng, ...)                                                        \
    pick(prng, (const int64_t[]){ __VA_ARGS__ },                               \
         sizeof((const int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t))

int64_t
plan_bound_ms(const struct plan *plan)
{
    int64_t overlap = plan->overlap_ms;
    for (size_t i = 0; i < plan->sweep_count; i++) {
        if (plan->sweeps[i].overlap_ms > overlap) {
            overlap = plan->sweeps[i].overlap_ms;
        }
    }
    return overlap + plan->settle_ms;
}

/* ---- the list ---- */

/* What can be told from a list whose pages are counted is only whole where no
 * row before the page goes away. */
static void
draw_pages(struct plan *plan, struct prng *prng)
{
    plan->page_size = (size_t)plan_between(prng, 2, 12);
    if (plan->cursor != PLAN_TIME) {
        plan->order = PLAN_ASC;
        plan->pages = PLAN_BY_CURSOR;
        return;
    }
    plan->pages = (enum plan_pages)prng_below(prng, 8);
    plan->keyed = plan_chance(prng, 500);
    if (plan->pages == PLAN_BY_CURSOR) {
        plan->order = PLAN_ASC;
    } else if (plan->pages == PLAN_ONE_PAGE) {
        plan->order = (enum plan_order)prng_below(prng, 3);
    } else {
        plan->order = plan_chance(prng, 500) ? PLAN_ASC : PLAN_DESC;
    }
    if (plan->pages == PLAN_LAST_ID) {
        plan->keyed = true;
    }
    if (plan->pages == PLAN_NUMBER || plan->pages == PLAN_OFFSET) {
        plan->keyed = false;
    }
    plan->restart =
        !plan->keyed && plan->order == PLAN_ASC &&
        plan->pages != PLAN_ONE_PAGE && plan->pages != PLAN_BY_CURSOR &&
        (plan->state || plan->retention_ms > 0 || plan_chance(prng, 300));
}

static void
draw_list(struct plan *plan, struct prng *prng)
{
    uint64_t cursor = prng_below(prng, 8);
    plan->cursor = cursor == 0 ? PLAN_ID : cursor == 1 ? PLAN_LOG : PLAN_TIME;
    bool timed = plan->cursor == PLAN_TIME;
    plan->state = timed && plan_chance(prng, 350);
    if (timed && plan_chance(prng, 350)) {
        plan->retention_ms = PICK(prng, 12 * H, D, 2 * D);
    }
    draw_pages(plan, prng);
    plan->stamp = (enum plan_unit)prng_below(prng, 3);
    plan->format = plan_chance(prng, 500) ? plan->stamp
                                          : (enum plan_unit)prng_below(prng, 3);
    plan->sends = plan->order != PLAN_DESC || plan_chance(prng, 800);
    plan->inclusive = plan_chance(prng, 500);
    plan->dated = plan->retention_ms > 0 || plan_chance(prng, 800);
    plan->key_time = !plan->state && plan_chance(prng, 500);
}

/* ---- the connector ---- */

/* What is hidden for `delay_ms` at most is found by the overlap of the first
 * tier, by settle, by both, or by a sweep. */
static void
draw_bound(struct plan *plan, struct prng *prng)
{
    int64_t delay = plan->delay_ms;
    int64_t some = plan_between(prng, 0, 1) * plan_between(prng, 0, 60 * S);
    switch (prng_below(prng, plan->cursor == PLAN_LOG ? 3 : 4)) {
    case 0: plan->overlap_ms = delay + some; break;
    case 1:
        plan->settle_ms = delay;
        plan->overlap_ms = some;
        break;
    case 2:
        plan->settle_ms = delay / 3 / S * S;
        plan->overlap_ms = delay - plan->settle_ms + some;
        break;
    default:
        plan->overlap_ms = delay / 10 / S * S;
        plan->sweep_count = 1;
        plan->sweeps[0].overlap_ms = delay + 1 * S + some;
        plan->sweeps[0].every_ms = plan->every_ms * plan_between(prng, 2, 8);
        break;
    }
    if (plan->sweep_count > 0 && plan_chance(prng, 300)) {
        plan->sweep_count = 2;
        plan->sweeps[1].overlap_ms = plan->sweeps[0].overlap_ms * 2;
        plan->sweeps[1].every_ms = plan->sweeps[0].every_ms * 3;
    }
}

static void
draw_connector(struct plan *plan, struct prng *prng)
{
    bool is_long = plan->length_ms > 4 * D;
    plan->every_ms =
        is_long ? 30 * M : PICK(prng, 5 * M, 15 * M, 30 * M, 30 * M);
    plan->delay_ms = PICK(prng, 0, 0, 20 * S, 2 * M, 10 * M, 45 * M);
    if (plan->state && plan->restart) {
        /* What one walk has missed none after it reads again. */
        plan->delay_ms = PICK(prng, 0, 20 * S);
    }
    draw_bound(plan, prng);
    plan->hooked = plan_chance(prng, 750);
    plan->grace_ms = PICK(prng, 1 * M, 5 * M, 30 * M);
    plan->start_age_ms = plan_chance(prng, 250) ? PICK(prng, 1 * H, 6 * H) : 0;
    int64_t keep = is_long ? 1 * D : 4 * D;
    keep = keep > plan->retention_ms ? keep : plan->retention_ms;
    plan->keep_ids_ms = keep;
}

/* ---- what happens ---- */

static void
draw_facts(struct plan *plan, struct prng *prng)
{
    bool is_long = plan->length_ms > 4 * D;
    plan->gap_ms = is_long ? PICK(prng, 60 * M, 120 * M)
                           : PICK(prng, 4 * M, 8 * M, 15 * M, 30 * M);
    if (plan->state && plan->restart) {
        /* Rows move while they are read. */
        plan->gap_ms = PICK(prng, 30 * S, 1 * M);
        plan->length_ms = plan->length_ms < 9 * H ? plan->length_ms : 9 * H;
        plan->page_size = (size_t)plan_between(prng, 2, 4);
    }
    plan->burst = plan->state ? 0 : (unsigned)PICK(prng, 0, 30, 100);
    plan->burst_most = plan->pages == PLAN_BY_CURSOR ? plan->page_size - 1
                                                     : 3 * plan->page_size;
    plan->beyond = plan_chance(prng, 200) ? 10 : 0;
    plan->objects = (size_t)plan_between(prng, 3, plan->state ? 60 : 20);
    plan->hook_lost = (unsigned)PICK(prng, 0, 50, 500, 900);
    plan->hook_late = (unsigned)PICK(prng, 0, 20, 100);
    plan->hook_twice = (unsigned)PICK(prng, 0, 50, 200);
    plan->hook_delay_ms = PICK(prng, 1 * S, 10 * S, 3 * M);
}

static void
draw_faults(struct plan *plan, struct prng *prng)
{
    static const struct plan_faults rows[] = {
        { 0 },
        { .error = 20,
          .garbage = 10,
          .silence = 10,
          .limited = 10,
          .refused = 10,
          .retry_after_ms = 30 * S },
        { .error = 80,
          .garbage = 50,
          .silence = 30,
          .limited = 60,
          .refused = 40,
          .retry_after_ms = 10 * M },
        { .limited = 250, .retry_after_ms = 15 * M },
    };
    plan->faults = rows[prng_below(prng, sizeof(rows) / sizeof(rows[0]))];
    plan->latency_ms = PICK(prng, 200, 2 * S, 8 * S);
    plan->commit_ms = PICK(prng, 0, 2, 20, 500);
    plan->gather_ms = PICK(prng, 0, 0, 50, 5 * S);
    plan->skew_ms = plan->dated ? PICK(prng, 0, 0, -3 * H, 26 * H, 2 * M) : 0;
    /* A key by receipt has the time of our clock, and the watermark waits for
     * it: one that is off by more than retention makes gaps of what was read.
     */
    if (plan->dated && plan->key_time && plan->retention_ms == 0 &&
        plan_chance(prng, 200)) {
        plan->skew_ms = -200 * D;
    }
}

static void
draw_handlers(struct plan *plan, struct prng *prng)
{
    plan->handler_count = (size_t)plan_between(prng, 1, PLAN_HANDLERS_MAX);
    for (size_t i = 0; i < plan->handler_count; i++) {
        plan->handlers[i] = (struct plan_handler){
            .lanes = plan_chance(prng, 500),
            .concurrency = plan_between(prng, 1, 5),
            .attempts = plan_between(prng, 2, 6),
            .fails = (unsigned)PICK(prng, 0, 50, 300),
            .hangs = (unsigned)PICK(prng, 0, 30, 100),
            .dies = (unsigned)PICK(prng, 0, 0, 30),
            .takes_ms = PICK(prng, 0, 100, 20 * S),
        };
    }
}

static int64_t
draw_span(const struct plan *plan, struct prng *prng, enum incident_kind kind)
{
    int64_t longest = plan->length_ms / 8;
    int64_t minutes = plan_between(prng, 1 * S, 20 * M);
    int64_t hours = plan_between(prng, 20 * M, 4 * H);
    int64_t span = plan_chance(prng, 600) ? minutes : hours;
    if (kind == INCIDENT_CLOCK) {
        if (plan->cursor != PLAN_TIME && !plan->dated) {
            return 0; /* nothing else to tell the time by */
        }
        span = PICK(prng, -4 * H, -10 * M, 7 * M, 5 * H, 26 * H);
        return plan->dated ? span : span / 10;
    }
    if (kind == INCIDENT_STALL) {
        return plan_between(prng, 1 * S, 10 * M);
    }
    if (kind == INCIDENT_FULL) {
        return plan_between(prng, 1 * S, 30 * M);
    }
    if (plan_chance(prng, 60) && plan->retention_ms > 0) {
        return plan->retention_ms + plan_between(prng, -2 * H, 6 * H);
    }
    return span < longest || longest < M ? span : longest;
}

static void
add_incident(struct plan *plan, struct prng *prng, enum incident_kind kind,
             int64_t at_ms)
{
    plan->incidents[plan->incident_count++] = (struct incident){
        .kind = kind,
        .at_ms = at_ms,
        .span_ms = draw_span(plan, prng, kind),
        .step = (long)prng_below(prng, 120),
    };
}

static enum incident_kind
draw_kind(const struct plan *plan, struct prng *prng)
{
    static const enum incident_kind kinds[] = {
        INCIDENT_CRASH, INCIDENT_CRASH, INCIDENT_CRASH,    INCIDENT_CLOCK,
        INCIDENT_KILL,  INCIDENT_PURGE, INCIDENT_STOP,     INCIDENT_SLEEP,
        INCIDENT_CLOCK, INCIDENT_HOOKS, INCIDENT_PROVIDER, INCIDENT_STALL,
        INCIDENT_FULL,  INCIDENT_FULL,  INCIDENT_HANDLERS, INCIDENT_PURGE
    };
    enum incident_kind kind =
        kinds[prng_below(prng, sizeof(kinds) / sizeof(kinds[0]))];
    bool counted = plan->pages == PLAN_NUMBER || plan->pages == PLAN_OFFSET;
    if (kind == INCIDENT_PURGE && !counted && !plan->keyed) {
        return INCIDENT_KILL; /* a position in a token is trusted */
    }
    return kind;
}

static void
draw_incidents(struct plan *plan, struct prng *prng)
{
    int64_t at = plan_between(prng, 1 * S, 2 * H);
    int64_t apart =
        plan->length_ms > 4 * D ? 12 * H : PICK(prng, 1 * H, 3 * H, 8 * H);
    while (at < plan->length_ms && plan->incident_count < 40) {
        add_incident(plan, prng, draw_kind(plan, prng), at);
        at += plan_between(prng, 1 * S, 2 * apart);
    }
    if (plan->length_ms > 4 * D && plan->retention_ms == 0) {
        /* So long that keys grow older than they are kept. */
        at = plan_between(prng, 1 * D, 2 * D);
        plan->incidents[plan->incident_count++] =
            (struct incident){ plan_chance(prng, 500) ? INCIDENT_STOP
                                                      : INCIDENT_PROVIDER,
                               at, plan_between(prng, 10 * D, 20 * D), 0 };
        plan->length_ms = at + 24 * D;
    }
}

/* From a stream of its own: all else stays as it is drawn without. */
static void
draw_pace(struct plan *plan)
{
    struct prng prng = { plan->seed ^ UINT64_C(0x9ace) };
    if (plan_chance(&prng, 150)) {
        plan->fastest_ms = plan->every_ms / PICK(&prng, 2, 5, 15);
    }
}

/* Without a Date the list's latest stamp alone tells what is forgotten, and our
 * clock is all that is beside it. */
static void
draw_undated(struct plan *plan)
{
    struct prng prng = { plan->seed ^ UINT64_C(0xda7e) };
    if (plan->cursor != PLAN_TIME || plan->retention_ms == 0 ||
        !plan_chance(&prng, 300)) {
        return;
    }
    plan->dated = false;
    plan->skew_ms = 0;
    bool may_outlast = plan_chance(&prng, 500);
    for (size_t i = 0; i < plan->incident_count; i++) {
        struct incident *incident = &plan->incidents[i];
        if (incident->kind == INCIDENT_CLOCK) {
            incident->span_ms /= 10;
        } else if (may_outlast && (incident->kind == INCIDENT_STOP ||
                                   incident->kind == INCIDENT_SLEEP)) {
            incident->span_ms =
                plan->retention_ms + plan_between(&prng, -1 * H, 6 * H);
            may_outlast = false;
        }
    }
}

static void
insert_incident(struct plan *plan, struct incident incident)
{
    size_t at = plan->incident_count;
    if (at == PLAN_INCIDENTS_MAX) {
        return;
    }
    for (; at > 0 && plan->incidents[at - 1].at_ms > incident.at_ms; at--) {
        plan->incidents[at] = plan->incidents[at - 1];
    }
    plan->incidents[at] = incident;
    plan->incident_count++;
}

/* A log whose cursors are good until the provider thinks otherwise. */
static void
draw_forgetting(struct plan *plan)
{
    struct prng prng = { plan->seed ^ UINT64_C(0xf0693) };
    if (plan->cursor != PLAN_LOG || !plan_chance(&prng, 400)) {
        return;
    }
    plan->resyncs = plan_chance(&prng, 500);
    /* All of the list is read again, and ids that are not kept come twice. */
    int64_t whole_ms = plan->length_ms + plan->start_age_ms + 1 * D;
    plan->keep_ids_ms =
        whole_ms > plan->keep_ids_ms ? whole_ms : plan->keep_ids_ms;
    for (int64_t n = plan_between(&prng, 1, 4); n > 0; n--) {
        insert_incident(
            plan, (struct incident){
                      .kind = INCIDENT_FORGET,
                      .at_ms = plan_between(&prng, 0, plan->length_ms - 1),
                  });
    }
}

/* A list of one page that shows a part of what is asked for. Without a Date a
 * clock of ours that is slow would not ask for what is new. */
static void
draw_window(struct plan *plan)
{
    struct prng prng = { plan->seed ^ UINT64_C(0x3177d0) };
    if (plan->cursor == PLAN_TIME && plan->pages == PLAN_ONE_PAGE &&
        plan->sends && plan->dated && plan_chance(&prng, 500)) {
        plan->window_ms = PICK(&prng, 10 * M, 2 * H, 1 * D);
        plan->page_size = (size_t)plan_between(&prng, 4, 30);
    }
}

/* A feed or a log of its latest rows, newest first. The ids of old rows that go
 * from the midst of it would be no longer met, so that none go. */
static void
draw_seen(struct plan *plan)
{
    struct prng prng = { plan->seed ^ UINT64_C(0x5ee9) };
    if (plan->cursor != PLAN_TIME || plan->state || plan->window_ms > 0 ||
        !plan_chance(&prng, 250)) {
        return;
    }
    plan->seen = true;
    plan->order = PLAN_DESC;
    plan->sends = false;
    plan->restart = false;
    if (plan->pages == PLAN_BY_CURSOR) {
        plan->pages = PLAN_TOKEN;
    }
    if (plan->sweep_count > 0) { /* every walk reads as far as a sweep */
        plan->overlap_ms = plan->sweeps[0].overlap_ms;
        plan->sweep_count = 0;
    }
    plan->until_seen = plan->pages != PLAN_ONE_PAGE && plan_chance(&prng, 500);
    if (plan_chance(&prng, 750)) { /* what some walks bring, in some time */
        int64_t walks = plan_between(&prng, 1, 6);
        plan->shows = (size_t)(4 + walks * plan->every_ms / plan->gap_ms);
    }
    for (size_t i = 0; i < plan->incident_count; i++) {
        if (plan->incidents[i].kind == INCIDENT_PURGE) {
            plan->incidents[i].kind = INCIDENT_KILL;
        }
    }
}

static void
draw_thin(struct plan *plan)
{
    struct prng prng = { plan->seed ^ UINT64_C(0x7419) };
    if (plan_chance(&prng, 200)) {
        plan->thin_hooks = plan_chance(&prng, 600);
        plan->thin_rows = plan_chance(&prng, 600);
    }
}

/* A gate may give up before the provider does, which then is no failure. */
static void
draw_gate(struct plan *plan)
{
    struct prng prng = { plan->seed ^ UINT64_C(0x6a7e) };
    if (plan->seen || !plan->sends || !plan_chance(&prng, 200)) {
        return;
    }
    plan->gated = true;
    plan->holds_ms = PICK(&prng, 5 * S, 30 * S, 2 * M, 10 * M);
    plan->patience_ms = PICK(&prng, 20 * S, 90 * S, 5 * M);
    plan->gate_lies = (unsigned)PICK(&prng, 0, 0, 100, 1000);
}

/* Past spans of lists that are asked from a time, some of them from before
 * there was anything. */
static void
draw_backfills(struct plan *plan)
{
    struct prng prng = { plan->seed ^ UINT64_C(0xbacf111) };
    if (plan->cursor != PLAN_TIME || plan->seen || !plan_chance(&prng, 200)) {
        return;
    }
    plan->backfills = true;
    for (int64_t n = plan_between(&prng, 1, 5); n > 0; n--) {
        struct incident incident = {
            .kind =
                plan_chance(&prng, 850) ? INCIDENT_BACKFILL : INCIDENT_CANCEL,
            .at_ms = plan_between(&prng, 1 * M, plan->length_ms - 1),
            .span_ms = plan_between(&prng, 10 * M, 2 * D),
            .step = plan_chance(&prng, 500) ? 1000
                                            : (long)plan_between(&prng, 1, 999),
        };
        insert_incident(plan, incident);
    }
}

/* Attempts that nothing ends in time: the one behind them runs beside. */
static void
draw_overruns(struct plan *plan)
{
    struct prng prng = { plan->seed ^ UINT64_C(0x07e44) };
    if (plan_chance(&prng, 60)) {
        for (size_t i = 0; i < plan->handler_count; i++) {
            plan->handlers[i].overruns = 100;
        }
    }
}

void
plan_draw(uint64_t seed, struct plan *plan)
{
    struct prng prng = { seed * UINT64_C(0x9e3779b97f4a7c15) + 1 };
    memset(plan, 0, sizeof(*plan));
    plan->seed = seed;
    plan->epoch_ms = EPOCH + plan_between(&prng, 0, 16 * D);
    uint64_t length = prng_below(&prng, 100);
    plan->length_ms = length < 70   ? plan_between(&prng, 6 * H, 1 * D)
                      : length < 95 ? plan_between(&prng, 1 * D, 3 * D)
                                    : 5 * D;
    draw_list(plan, &prng);
    draw_connector(plan, &prng);
    draw_facts(plan, &prng);
    draw_faults(plan, &prng);
    draw_handlers(plan, &prng);
    draw_incidents(plan, &prng);
    draw_pace(plan);
    draw_undated(plan);
    draw_forgetting(plan);
    draw_window(plan);
    draw_seen(plan);
    draw_thin(plan);
    draw_backfills(plan);
    draw_gate(plan);
    draw_overruns(plan);
}
