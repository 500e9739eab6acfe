/* SPDX-License-Identifier: MIT */
#include "sim/hooks.h"

#include <stdlib.h>

#include "base/instant.h"
#include "sim/facts.h"
#include "sim/oracle.h"
#include "sim/process.h"
#include "sim/vtime.h"
#include "sim/world.h"
#include "source/source.h"
#include "wire/digest.h"
#include "wire/encode.h"

#define S INSTANT_SECOND_MS
#define M INSTANT_MINUTE_MS
#define H INSTANT_HOUR_MS

struct hook {
    struct alarm alarm;
    struct fact *fact;
    unsigned tries;
    unsigned life; /* the process it was given to */
    bool given;    /* an answer is waited for */
};

static struct hook *hooks;
static size_t hook_count;
static size_t open_count;

/* ---- one request ---- */

static void
write_body(const struct fact *fact, struct buf *body)
{
    size_t number = facts_number(fact);
    const char *letter = world.plan.state ? "h" : "e";
    buf_format(body, "{\"n\":%zu,\"id\":\"%s%zu\",\"type\":\"order.paid\"",
               number, letter, number);
    buf_text(body, ",\"at\":");
    facts_write_stamp(fact, body);
    buf_format(body, ",\"object\":\"o%zu\",\"customer\":\"c%zu\"}",
               fact->object, fact->object);
}

static struct slice
sign(struct slice body, struct arena *arena)
{
    struct digest digest;
    struct buf text = { 0 };
    struct slice kept;
    PRE(digest_hmac(DIGEST_SHA256, slice_of("s3cret"), &body, 1, &digest) ==
        STATUS_OK);
    encode_hex((struct slice){ (const char *)digest.bytes, digest.len }, &text);
    PRE(arena_copy(arena, buf_slice(&text), &kept) == STATUS_OK);
    buf_fini(&text);
    return kept;
}

static struct arrival *
make_arrival(const struct fact *fact)
{
    struct arrival *arrival;
    struct buf text = { 0 };
    struct slice body;
    PRE(arrival_create(process_connector(), ARRIVAL_REQUEST, CHANNEL_WEBHOOK,
                       vtime_ours_ms(), &arrival) == STATUS_OK);
    struct http_field *fields =
        arena_array(&arrival->arena, 2, sizeof(*fields));
    write_body(fact, &text);
    PRE(fields != NULL &&
        arena_copy(&arrival->arena, buf_slice(&text), &body) == STATUS_OK);
    buf_fini(&text);
    fields[0] =
        (struct http_field){ SLICE("Content-Type"), SLICE("application/json") };
    fields[1] =
        (struct http_field){ SLICE("X-Sign"), sign(body, &arrival->arena) };
    arrival->request = (struct inbound){ .method = SLICE("POST"),
                                         .path_query = SLICE("/hooks/shop"),
                                         .fields = { fields, 2 },
                                         .body = body };
    return arrival;
}

/* ---- sending ---- */

static void
close_hook(struct hook *hook)
{
    PRE(open_count > 0);
    open_count--;
    hook->alarm.fn = NULL;
}

/* Nobody took it: three more times, then the provider gives up. */
static void
try_later(struct hook *hook)
{
    static const int64_t waits[] = { 1 * M, 10 * M, 1 * H };
    if (hook->tries >= sizeof(waits) / sizeof(waits[0])) {
        close_hook(hook);
        return;
    }
    vtime_alarm(&hook->alarm, vtime_now_ms() + waits[hook->tries++]);
}

static void
answered(void *arg, const struct verdict *verdict)
{
    struct hook *hook = arg;
    hook->given = false;
    bool taken =
        verdict->kind == VERDICT_STORED || verdict->kind == VERDICT_SEEN;
    if (hook->life != process_life() || process_is_dying()) {
        try_later(hook); /* the connection broke */
    } else if (taken) {
        hook->fact->acked = true;
        oracle_acked(hook->fact);
        close_hook(hook);
    } else if (verdict->kind == VERDICT_BUSY ||
               verdict->kind == VERDICT_FAILED) {
        try_later(hook);
    } else {
        world_fail("a genuine webhook was refused: %.*s",
                   SLICE_ARG(verdict->why));
    }
}

static void
send_hook(void *arg)
{
    struct hook *hook = arg;
    if (world.down[INCIDENT_HOOKS] > 0) {
        close_hook(hook);
        return;
    }
    const struct source_sink *sink = process_sink();
    if (sink == NULL || world.down[INCIDENT_SLEEP] > 0 ||
        !sink->has_room(sink->self)) {
        try_later(hook);
        return;
    }
    hook->given = true;
    hook->life = process_life();
    TRACE("webhook of fact %zu", facts_number(hook->fact));
    sink->submit(sink->self, make_arrival(hook->fact), answered, hook);
}

/* ---- planning ---- */

static void
add_hook(struct prng *prng, struct fact *fact)
{
    const struct plan *plan = &world.plan;
    struct hook *hook = &hooks[hook_count++];
    int64_t wait_ms = plan_between(prng, 0, plan->hook_delay_ms);
    if (plan_chance(prng, plan->hook_late)) {
        wait_ms = plan->grace_ms + plan_between(prng, 1 * S, 3 * H);
    }
    hook->fact = fact;
    hook->alarm = (struct alarm){ .fn = send_hook, .arg = hook };
    open_count++;
    vtime_alarm(&hook->alarm, fact->at_ms - plan->epoch_ms + wait_ms);
}

void
hooks_make(void)
{
    const struct plan *plan = &world.plan;
    struct prng prng = { plan->seed ^ UINT64_C(0x400c5) };
    hooks = calloc(2 * world.fact_count + 1, sizeof(*hooks));
    PRE(hooks != NULL);
    hook_count = 0;
    open_count = 0;
    if (!plan->hooked) {
        return;
    }
    for (size_t i = facts_from(plan->epoch_ms); i < world.fact_count; i++) {
        if (plan_chance(&prng, plan->hook_lost)) {
            continue;
        }
        add_hook(&prng, &world.facts[i]);
        if (plan_chance(&prng, plan->hook_twice)) {
            add_hook(&prng, &world.facts[i]);
        }
    }
}

void
hooks_free(void)
{
    for (size_t i = 0; i < hook_count; i++) {
        vtime_alarm_off(&hooks[i].alarm);
    }
    free(hooks);
    hooks = NULL;
    hook_count = 0;
}

bool
hooks_open(void)
{
    return open_count > 0;
}
