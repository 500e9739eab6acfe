/* SPDX-License-Identifier: MIT */
/*
 * The whole flow under a seeded storm: duplicates, two channels, handlers that
 * fail, kill and hang, slots, lanes, batches, and restarts, over a real store.
 * What must hold in the end: no event twice in the store, every event done once
 * or dead at each handler, nothing pending, and each lane in order.
 */
#include "flowing.h"

#include "base/prng.h"

enum {
    SIM_EVENTS = 120,
    SIM_ROUNDS = 40,
    SIM_SEEDS = 6,
    SIM_LANES = 4,
    SIM_BATCH = 5
};

struct sim_attempt {
    struct sim_attempt *next;
    struct sim_handler *handler;
    unsigned events[SIM_BATCH];
    size_t count;
    handler_result_fn *done;
    void *arg;
    enum disposition disposition;
};

struct sim_handler {
    struct handler base;
    struct sim_attempt *hanging;
    size_t open;
    unsigned done[SIM_EVENTS];
    bool lane_open[SIM_LANES];
    unsigned lane_last[SIM_LANES]; /* the last one done, + 1 */
    bool ordered;
};

static struct sim {
    struct prng prng;
    struct sim_handler handlers[FLOW_HANDLERS];
    unsigned brought; /* ids so far */
    size_t fresh;
    size_t known;
    bool calm;
} sim;

static unsigned
lane_of(unsigned event)
{
    return event % SIM_LANES;
}

static void
sim_report(void *arg)
{
    struct sim_attempt *attempt = arg;
    struct sim_handler *handler = attempt->handler;
    const struct handler_result result = { .disposition = attempt->disposition,
                                           .detail = SLICE("as the sim says") };
    handler->open--;
    for (size_t i = 0; i < attempt->count; i++) {
        unsigned event = attempt->events[i];
        if (handler->ordered) {
            handler->lane_open[lane_of(event)] = false;
        }
        if (attempt->disposition == DISPOSITION_DONE) {
            handler->done[event]++;
        }
    }
    attempt->done(attempt->arg, &result);
    free(attempt);
}

static void
sim_end(struct sim_attempt *attempt, enum disposition disposition)
{
    attempt->disposition = disposition;
    assert_int_equal(loop_defer(flow.loop, sim_report, attempt), STATUS_OK);
}

static void
sim_enter_lane(struct sim_handler *handler, unsigned event)
{
    unsigned lane = lane_of(event);
    assert_false(handler->lane_open[lane]); /* one at a time */
    handler->lane_open[lane] = true;
    /* Nothing of the lane that came later was ever tried before. */
    assert_true(event + 1 >= handler->lane_last[lane]);
    handler->lane_last[lane] = event + 1;
}

/* Reads which events an attempt has. */
static void
sim_read(const struct delivery *delivery, struct sim_attempt *into)
{
    static const struct slice mark = SLICE("\"1.0\",\"id\":\"e");
    struct slice rest = delivery->envelope;
    for (size_t at; (at = slice_find_slice(rest, mark)) != SIZE_MAX;) {
        uint64_t event;
        rest = slice_from(rest, at + mark.len);
        struct slice id = slice_first(rest, slice_find(rest, '"'));
        assert_int_equal(slice_to_u64(id, &event), STATUS_OK);
        assert_true(event < SIM_EVENTS && into->count < SIM_BATCH);
        into->events[into->count++] = (unsigned)event;
    }
    if (into->count != delivery->count) {
        fail_msg("%.*s", SLICE_ARG(delivery->envelope));
    }
}

static enum status
sim_start(struct handler *base, const struct delivery *delivery,
          handler_result_fn *done, void *arg, struct error *err)
{
    struct sim_handler *handler = (struct sim_handler *)(void *)base;
    struct sim_attempt read = { .handler = handler, .done = done, .arg = arg };
    sim_read(delivery, &read);
    for (size_t i = 0; i < read.count; i++) {
        assert_int_equal(handler->done[read.events[i]], 0); /* done is done */
    }
    uint64_t draw = sim.calm ? 0 : prng_below(&sim.prng, 100);
    if (draw >= 95) {
        return error_set(err, STATUS_UNAVAILABLE, "it cannot be started");
    }
    for (size_t i = 0; handler->ordered && i < read.count; i++) {
        sim_enter_lane(handler, read.events[i]);
    }
    struct sim_attempt *attempt = calloc(1, sizeof(*attempt));
    assert_non_null(attempt);
    *attempt = read;
    handler->open++;
    if (draw < 55) {
        sim_end(attempt, DISPOSITION_DONE);
    } else if (draw < 75) {
        sim_end(attempt, DISPOSITION_LATER);
    } else if (draw < 80) {
        sim_end(attempt, DISPOSITION_NEVER);
    } else {
        attempt->next = handler->hanging;
        handler->hanging = attempt;
    }
    return STATUS_OK;
}

static void
sim_let_go(struct sim_handler *handler, bool cancelled)
{
    struct sim_attempt *attempt = handler->hanging;
    handler->hanging = NULL;
    while (attempt != NULL) {
        struct sim_attempt *next = attempt->next;
        bool good = !cancelled && prng_below(&sim.prng, 2) == 0;
        sim_end(attempt, good ? DISPOSITION_DONE : DISPOSITION_LATER);
        attempt = next;
    }
}

static void
sim_cancel(struct handler *base)
{
    sim_let_go((struct sim_handler *)(void *)base, true);
}

static const struct handler_ops sim_ops = { .start = sim_start,
                                            .cancel = sim_cancel,
                                            .destroy = fake_destroy };

/* ---- the storm ---- */

static void
sim_verdict(void *arg, const struct verdict *verdict)
{
    (void)arg;
    assert_true(verdict->kind == VERDICT_STORED ||
                verdict->kind == VERDICT_SEEN);
    flow.verdicts++;
    sim.fresh += verdict->fresh;
    sim.known += verdict->known;
}

/* One arrival: new events, old ones again, by either channel. */
static void
sim_bring(void)
{
    struct buf ids = { 0 };
    size_t count = 1 + (size_t)prng_below(&sim.prng, 6);
    for (size_t i = 0; i < count; i++) {
        bool again = sim.brought > 0 && prng_below(&sim.prng, 3) == 0;
        if (!again && sim.brought == SIM_EVENTS) {
            continue;
        }
        unsigned id = again ? (unsigned)prng_below(&sim.prng, sim.brought)
                            : sim.brought++;
        buf_format(&ids, ids.len == 0 ? "e%u" : " e%u", id);
    }
    if (ids.len > 0) {
        bool by_hook = prng_below(&sim.prng, 2) == 0;
        struct arrival *arrival =
            flow_page(buf_slice(&ids).ptr,
                      by_hook ? CHANNEL_WEBHOOK : CHANNEL_POLL, NULL);
        for (size_t i = 0; i < arrival->sighting_count; i++) {
            struct sighting *sighting = &arrival->sightings[i];
            struct buf body = { 0 };
            uint64_t id = 0;
            assert_int_equal(slice_to_u64(slice_from(sighting->id, 1), &id),
                             STATUS_OK);
            buf_format(&body, "{\"customer\":\"c%u\"}", lane_of((unsigned)id));
            assert_int_equal(
                arena_copy(&arrival->arena, buf_slice(&body), &sighting->body),
                STATUS_OK);
            buf_fini(&body);
        }
        const struct source_sink *sink = ingest_sink(flow.ingest);
        flow.wanted++;
        sink->submit(sink->self, arrival, sim_verdict, NULL);
    }
    buf_fini(&ids);
}

static void
sim_restart(void)
{
    dispatch_stop(flow.dispatch, (int64_t)prng_below(&sim.prng, 5),
                  flow_says_stopped, NULL);
    flow_run(flow_is_stopped);
    flow_run(flow_all_judged);
    /* What was stored after the stop is being given back. */
    (void)flow_ask_store(0);
    store_worker_destroy(flow.worker);
    ingest_destroy(flow.ingest);
    dispatch_destroy(flow.dispatch);
    pauses_destroy(flow.pauses);
    telemetry_fini(&flow.telemetry);
    flow_open_store();
    dispatch_start(flow.dispatch);
}

static void
sim_round(void)
{
    size_t arrivals = (size_t)prng_below(&sim.prng, 4);
    for (size_t i = 0; i < arrivals; i++) {
        sim_bring();
    }
    flow_sleep((int64_t)prng_below(&sim.prng, 4));
    for (size_t i = 0; i < FLOW_HANDLERS; i++) {
        if (prng_below(&sim.prng, 3) == 0) {
            sim_let_go(&sim.handlers[i], false);
        }
    }
    if (prng_below(&sim.prng, 10) == 0) {
        sim_restart();
    }
}

static void
sim_open(uint64_t seed)
{
    memset(&sim, 0, sizeof(sim));
    sim.prng.state = seed;
    flow_prepare(FLOW_HANDLERS);
    for (size_t i = 0; i < FLOW_HANDLERS; i++) {
        struct outlet_settings *outlet = &flow.outlets[i];
        sim.handlers[i].base.ops = &sim_ops;
        outlet->handler = &sim.handlers[i].base;
        outlet->concurrency = 1 + (int64_t)prng_below(&sim.prng, 6);
        outlet->retry.attempts = 2 + (int64_t)prng_below(&sim.prng, 4);
        outlet->retry.first_ms = 1;
        outlet->retry.cap_ms = 8;
    }
    static const struct gather_policy batch = { .max = SIM_BATCH,
                                                .wait_ms = 1,
                                                .bytes = 1 << 20 };
    flow.outlets[1].batch = &batch;
    flow.outlets[2].batch = seed % 2 == 0 ? &batch : NULL;
    struct outlet_settings *lanes = &flow.outlets[2];
    sim.handlers[2].ordered = true;
    lanes->route.order_by = slice_of("/data/customer");
    assert_int_equal(json_path_compile(slice_of("data.customer"),
                                       &flow.bound.arena,
                                       &lanes->route.order_path, NULL),
                     STATUS_OK);
    flow_open_store();
    dispatch_start(flow.dispatch);
}

/* Waits until nothing is owed any more; returns how many are dead. */
static size_t
sim_drain(size_t handler, uint64_t seed)
{
    for (int i = 0; i < 2000; i++) {
        for (size_t j = 0; j < FLOW_HANDLERS; j++) {
            sim_let_go(&sim.handlers[j], false);
        }
        const struct store_figure *figure = flow_ask_store(handler);
        if (figure->pending == 0) {
            return (size_t)figure->dead;
        }
        flow_sleep(2);
    }
    fail_msg("seed %llu: handler %zu still owes %lld", (unsigned long long)seed,
             handler, (long long)flow.figure.pending);
    return 0;
}

static void
sim_run(uint64_t seed)
{
    sim_open(seed);
    for (int i = 0; i < SIM_ROUNDS; i++) {
        sim_round();
    }
    sim.calm = true;
    flow_run(flow_all_judged);
    assert_int_equal(sim.fresh, sim.brought);
    for (size_t i = 0; i < FLOW_HANDLERS; i++) {
        size_t dead = sim_drain(i, seed);
        size_t done = 0;
        for (unsigned j = 0; j < sim.brought; j++) {
            assert_true(sim.handlers[i].done[j] <= 1);
            done += sim.handlers[i].done[j];
        }
        if (done + dead != sim.brought) {
            fail_msg("seed %llu: handler %zu: %zu done, %zu dead of %u",
                     (unsigned long long)seed, i, done, dead, sim.brought);
        }
        assert_int_equal(sim.handlers[i].open, 0);
    }
    flow_close();
}

static void
a_storm_loses_nothing_doubles_nothing_and_leaves_nothing(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SIM_SEEDS; seed++) {
        sim_run(seed);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            a_storm_loses_nothing_doubles_nothing_and_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
