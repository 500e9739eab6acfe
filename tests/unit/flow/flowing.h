/* SPDX-License-Identifier: MIT */
/*
 * flowing: what the tests of the flow share: a loop with a guard, a store in a
 * folder of its own with its worker, a connector, and handlers that do what the
 * test says.
 */
#ifndef UNIT_FLOW_FLOWING_H
#define UNIT_FLOW_FLOWING_H

#include "harness/bound.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/instant.h"
#include "base/mem.h"
#include "flow/dispatch.h"
#include "flow/ingest.h"
#include "flow/telemetry.h"
#include "io/clock.h"
#include "io/fs.h"
#include "io/loop.h"
#include "model/identity.h"
#include "store/store_worker.h"
#include "wire/digest.h"
#include "wire/json.h"

enum { FLOW_HANDLERS = 3, FLOW_SEEN = 512, FLOW_GUARD_MS = 30000 };

/* What a handler does with the next attempts. */
enum behaviour {
    SUCCEEDS,
    FAILS,
    KILLS,   /* dead at once */
    HANGS,   /* until it is cancelled, or told */
    REFUSES, /* start itself fails */
    PAUSES   /* fails, and asks to be paused */
};

struct fake_handler;

struct running {
    struct running *next;
    struct fake_handler *handler;
    handler_result_fn *done;
    void *arg;
    struct handler_result result;
};

struct fake_handler {
    struct handler base;
    enum behaviour behaviour;
    struct running *hanging;
    size_t open;
    size_t most_open;
    size_t started;
    size_t cancels;
    size_t reopens;
    bool keeps; /* something between attempts, until it is let go */
    void (*closed)(void *arg);
    void *closed_arg;
    char order[FLOW_SEEN][24]; /* ids, as started */
    unsigned attempts[FLOW_SEEN];
    size_t counts[FLOW_SEEN]; /* of events */
    /* What it answers, where that depends on the delivery. */
    enum disposition (*judge)(const struct delivery *delivery);
    char last_envelope[2048];
    char last_key[128];
    char last_type[64];
};

struct flowing {
    struct loop *loop;
    struct loop_timer *guard;
    struct loop_turn *turn;
    bool (*until)(void);
    char folder[64];
    char url[128];
    struct bound bound;
    struct store_worker *worker;
    struct telemetry telemetry;
    struct fake_handler handlers[FLOW_HANDLERS];
    struct outlet_settings outlets[FLOW_HANDLERS];
    size_t outlet_count;
    size_t guests; /* of them, the last: dispatch is given them later */
    bool owe_only;
    bool dead_hold; /* dead letters hold their lanes */
    bool dry_run;
    struct watch watch;
    struct pauses *pauses;
    struct dispatch *dispatch;
    struct ingest *ingest;
    /* Of the verdicts so far. */
    size_t verdicts;
    size_t wanted;
    size_t kinds[VERDICT_FAILED + 1];
    struct verdict last;
    char why[512];
    bool submitting;
    bool stopped;
    /* Webhook requests that ingest has told of. */
    size_t hooks;
    size_t hooked_fresh;
    size_t hooked_caught_up;
    /* Of the store, as last asked. */
    struct store_figure figure;
    bool figured;
};

static struct flowing flow;

/* ---- the loop ---- */

static inline void
flow_late(void *arg)
{
    (void)arg;
    fail_msg("what was waited for has not come");
}

static inline void
flow_look(void *arg)
{
    (void)arg;
    if (flow.until != NULL && flow.until()) {
        flow.until = NULL;
        loop_stop(flow.loop);
    }
}

/* Runs the loop until the condition holds. */
static inline void
flow_run(bool (*until)(void))
{
    flow.until = until;
    loop_timer_arm(flow.guard, FLOW_GUARD_MS);
    loop_run(flow.loop);
    loop_timer_disarm(flow.guard);
}

static inline void
flow_wake(void *arg)
{
    loop_stop(arg);
}

static inline void
flow_sleep(int64_t ms)
{
    struct loop_timer *timer;
    assert_int_equal(loop_timer_create(flow.loop, flow_wake, flow.loop, &timer),
                     STATUS_OK);
    loop_timer_arm(timer, ms);
    loop_run(flow.loop);
    loop_timer_destroy(timer);
}

/* ---- handlers ---- */

static inline void
fake_report(void *arg)
{
    struct running *running = arg;
    running->handler->open--;
    running->done(running->arg, &running->result);
    free(running);
}

static inline void
fake_end(struct running *running, enum disposition disposition,
         const char *words)
{
    running->result.disposition = disposition;
    running->result.detail = slice_of(words);
    running->result.duration_ms = 1;
    assert_int_equal(loop_defer(flow.loop, fake_report, running), STATUS_OK);
}

static inline void
fake_note(struct fake_handler *fake, const struct delivery *delivery)
{
    size_t at = fake->started++;
    assert_true(at < FLOW_SEEN);
    (void)snprintf(fake->order[at], sizeof(fake->order[at]), "%.*s",
                   SLICE_ARG(delivery->event->id));
    fake->attempts[at] = delivery->attempt;
    fake->counts[at] = delivery->count;
    (void)snprintf(fake->last_envelope, sizeof(fake->last_envelope), "%.*s",
                   SLICE_ARG(delivery->envelope));
    (void)snprintf(fake->last_key, sizeof(fake->last_key), "%.*s",
                   SLICE_ARG(delivery->key));
    (void)snprintf(fake->last_type, sizeof(fake->last_type), "%.*s",
                   SLICE_ARG(delivery->content_type));
}

static inline enum status
fake_start(struct handler *handler, const struct delivery *delivery,
           handler_result_fn *done, void *arg, struct error *err)
{
    struct fake_handler *fake = (struct fake_handler *)(void *)handler;
    fake_note(fake, delivery);
    if (fake->behaviour == REFUSES) {
        return error_set(err, STATUS_UNAVAILABLE, "it cannot be started");
    }
    struct running *running = calloc(1, sizeof(*running));
    assert_non_null(running);
    *running = (struct running){ .handler = fake, .done = done, .arg = arg };
    fake->open++;
    fake->most_open =
        fake->open > fake->most_open ? fake->open : fake->most_open;
    if (fake->judge != NULL) {
        fake_end(running, fake->judge(delivery), "judged");
        return STATUS_OK;
    }
    switch (fake->behaviour) {
    case SUCCEEDS: fake_end(running, DISPOSITION_DONE, ""); break;
    case KILLS: fake_end(running, DISPOSITION_NEVER, "exit 65"); break;
    case PAUSES:
        running->result.pause = true;
        fake_end(running, DISPOSITION_LATER, "http 410");
        break;
    case HANGS:
        running->next = fake->hanging;
        fake->hanging = running;
        break;
    case FAILS:
    case REFUSES: fake_end(running, DISPOSITION_LATER, "exit 1"); break;
    }
    return STATUS_OK;
}

/* Ends all that hang. */
static inline void
fake_let_go(struct fake_handler *fake, enum disposition disposition)
{
    struct running *running = fake->hanging;
    fake->hanging = NULL;
    while (running != NULL) {
        struct running *next = running->next;
        fake_end(running, disposition, "let go");
        running = next;
    }
}

static inline void
fake_cancel(struct handler *handler)
{
    struct fake_handler *fake = (struct fake_handler *)(void *)handler;
    fake->cancels++;
    fake_let_go(fake, DISPOSITION_LATER);
}

static inline void
fake_reopen(struct handler *handler)
{
    ((struct fake_handler *)(void *)handler)->reopens++;
}

static inline bool
fake_close(struct handler *handler, void (*closed)(void *arg), void *arg)
{
    struct fake_handler *fake = (struct fake_handler *)(void *)handler;
    fake->closed = closed;
    fake->closed_arg = arg;
    return fake->keeps;
}

static inline void
fake_destroy(struct handler *handler)
{
    (void)handler;
}

static const struct handler_ops fake_ops = { .start = fake_start,
                                             .cancel = fake_cancel,
                                             .reopen = fake_reopen,
                                             .close = fake_close,
                                             .destroy = fake_destroy };

/* ---- opening and closing ---- */

/* Any secret will do: the flow's tests make their sightings themselves, and
 * intake's send the token. */
static const char flow_connector[] =
    "params:\n"
    "  base: {}\n"
    "  api_key: {secret: true}\n"
    "  webhook_secret: {secret: true}\n"
    "verify: {type: token, signature: {from: 'header:X-Token'}}\n"
    "event: {id: 'json:id', type: 'json:type', time: 'json:at'}\n"
    "poll:\n"
    "  request: {url: '{var:base}/v1/list', query: {since: '{cursor}'}}\n"
    "  auth: {type: bearer}\n"
    "  items: '$.rows[*]'\n"
    "  cursor: {kind: time, from: at, format: iso8601}\n"
    "  pages: {kind: none}\n"
    "  record: {id: '{id}', type: '{type}', time: at}\n"
    "match: {mode: event, same_id: true}\n";

static inline void
flow_folder(void)
{
    (void)snprintf(flow.folder, sizeof(flow.folder),
                   "/tmp/longstop-flow-XXXXXX");
    assert_non_null(mkdtemp(flow.folder));
    (void)snprintf(flow.url, sizeof(flow.url), "sqlite:%s/store.db",
                   flow.folder);
}

/* A loop, a bound connector and `count` handlers that succeed, one at a time.
 * The store is not open yet: the test may change the outlets first. */
static inline void
flow_prepare(size_t count)
{
    static const char *const names[] = { "one", "two", "three" };
    memset(&flow, 0, sizeof(flow));
    assert_int_equal(digest_init(NULL), STATUS_OK);
    assert_int_equal(loop_create(&flow.loop), STATUS_OK);
    assert_int_equal(loop_timer_create(flow.loop, flow_late, NULL, &flow.guard),
                     STATUS_OK);
    assert_int_equal(loop_turn_create(flow.loop, flow_look, NULL, &flow.turn),
                     STATUS_OK);
    flow_folder();
    bound_texts(&flow.bound, flow_connector,
                "use: shop\n"
                "with: {base: 'http://127.0.0.1:9', api_key: k,"
                " webhook_secret: s3cret}\n",
                "https://hooks.example.com");
    bound_must(&flow.bound);
    flow.outlet_count = count;
    for (size_t i = 0; i < count; i++) {
        flow.handlers[i].base.ops = &fake_ops;
        flow.outlets[i] = (struct outlet_settings){
            .name = slice_of(names[i]),
            .retry = { .attempts = 3, .first_ms = 20, .cap_ms = 40 },
            .concurrency = 1,
            .lease_ms = 60000,
            .handler = &flow.handlers[i].base,
        };
    }
}

/* Opens the store and all that stands on it; also after flow_close_store. */
/* ingest's `hooked`. */
static inline void
flow_hooked(void *arg, const struct connector *connector, size_t fresh,
            size_t caught_up)
{
    (void)arg;
    assert_ptr_equal(connector, &flow.bound.connector);
    flow.hooks++;
    flow.hooked_fresh += fresh;
    flow.hooked_caught_up += caught_up;
}

/* pauses' `changed`. */
static inline void
flow_pause_changed(void *arg, const struct pause *pause)
{
    (void)arg;
    dispatch_pause_changed(flow.dispatch, pause->number);
}

static inline void
flow_open_pauses(struct store *store)
{
    struct error err = { "" };
    assert_int_equal(
        pauses_create(flow.outlet_count, &flow.telemetry, &flow.pauses),
        STATUS_OK);
    for (size_t i = 0; i < flow.outlet_count; i++) {
        struct store_pause stored = { .kind = STORE_HANDLER,
                                      .number = flow.outlets[i].number };
        struct buf reason = { 0 };
        stored.is_paused =
            store->ops->paused(store, stored.kind, stored.number,
                               &stored.since_ms, &reason, &err) == STATUS_OK;
        stored.reason = buf_slice(&reason);
        assert_int_equal(pauses_put(flow.pauses, &stored, flow.outlets[i].name),
                         STATUS_OK);
        buf_fini(&reason);
    }
}

static inline void
flow_open_store(void)
{
    const struct store_settings store_settings = { .page_size = 4096 };
    const struct store_worker_settings worker_settings = {
        .queue_events = 1000, .queue_bytes = 1 << 20, .group_units = 64
    };
    struct store *store;
    struct error err = { "" };
    if (store_open(flow.url, &store_settings, &store, &err) != STATUS_OK) {
        fail_msg("%s", err.text);
    }
    assert_int_equal(store->ops->name(store, STORE_CONNECTOR,
                                      flow.bound.connector.name,
                                      &flow.bound.connector.id, &err),
                     STATUS_OK);
    for (size_t i = 0; i < flow.outlet_count; i++) {
        assert_int_equal(store->ops->name(store, STORE_HANDLER,
                                          flow.outlets[i].name,
                                          &flow.outlets[i].number, &err),
                         STATUS_OK);
        assert_int_equal(store->ops->lanes(store, flow.outlets[i].number,
                                           flow.dead_hold, &err),
                         STATUS_OK);
    }
    assert_int_equal(telemetry_init(&flow.telemetry, "1"), STATUS_OK);
    flow_open_pauses(store);
    assert_int_equal(store_worker_create(flow.loop, store, &worker_settings,
                                         &flow.worker, &err),
                     STATUS_OK);
    pauses_begin(flow.pauses, flow.worker, flow_pause_changed, NULL);
    const struct dispatch_settings dispatch = {
        .outlets = flow.outlets,
        .outlet_count = flow.outlet_count - flow.guests,
        .spare = flow.guests,
        .connectors = &flow.bound.connector,
        .connector_count = 1,
        .telemetry = &flow.telemetry,
        .watch = flow.watch,
        .pauses = flow.pauses,
        .owe_only = flow.owe_only,
        .seed = 7,
    };
    assert_int_equal(
        dispatch_create(flow.loop, flow.worker, &dispatch, &flow.dispatch),
        STATUS_OK);
    const struct ingest_settings ingest = { .connectors = &flow.bound.connector,
                                            .connector_count = 1,
                                            .telemetry = &flow.telemetry,
                                            .dispatch = flow.dispatch,
                                            .hooked = flow_hooked,
                                            .watch = flow.watch,
                                            .dry_run = flow.dry_run };
    assert_int_equal(
        ingest_create(flow.loop, flow.worker, &ingest, &flow.ingest),
        STATUS_OK);
    flow.stopped = false;
}

static inline void
flow_open(size_t count)
{
    flow_prepare(count);
    flow_open_store();
}

static inline void
flow_says_stopped(void *arg)
{
    (void)arg;
    flow.stopped = true;
}

static inline bool
flow_is_stopped(void)
{
    return flow.stopped;
}

static inline void
flow_stop(int64_t grace_ms)
{
    dispatch_stop(flow.dispatch, grace_ms, flow_says_stopped, NULL);
    assert_false(flow.stopped);
    flow_run(flow_is_stopped);
}

/* As a process that ends: what runs is cut off. */
static inline void
flow_close_store(void)
{
    dispatch_stop(flow.dispatch, 0, flow_says_stopped, NULL);
    for (size_t i = 0; i < flow.outlet_count; i++) {
        fake_let_go(&flow.handlers[i], DISPOSITION_LATER);
    }
    flow_run(flow_is_stopped);
    store_worker_destroy(flow.worker);
    ingest_destroy(flow.ingest);
    dispatch_destroy(flow.dispatch);
    pauses_destroy(flow.pauses);
    telemetry_fini(&flow.telemetry);
}

/* Behind flow_close_store. */
static inline void
flow_close_loop(void)
{
    static const char *const files[] = { "store.db", "store.db-wal",
                                         "store.db-shm", "store.db.lock",
                                         "store.db-lock" };
    loop_timer_destroy(flow.guard);
    loop_turn_destroy(flow.turn);
    loop_destroy(flow.loop);
    bound_fini(&flow.bound);
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        char path[128];
        (void)snprintf(path, sizeof(path), "%s/%s", flow.folder, files[i]);
        (void)unlink(path);
    }
    assert_int_equal(rmdir(flow.folder), 0);
}

static inline void
flow_close(void)
{
    flow_close_store();
    flow_close_loop();
}

/* ---- arrivals ---- */

static inline void
flow_verdict(void *arg, const struct verdict *verdict)
{
    (void)arg;
    assert_false(flow.submitting);
    flow.verdicts++;
    flow.kinds[verdict->kind]++;
    flow.last = *verdict;
    (void)snprintf(flow.why, sizeof(flow.why), "%.*s", SLICE_ARG(verdict->why));
}

static inline bool
flow_all_judged(void)
{
    return flow.verdicts >= flow.wanted;
}

static inline void
flow_submit(struct arrival *arrival)
{
    const struct source_sink *sink = ingest_sink(flow.ingest);
    flow.wanted++;
    flow.submitting = true;
    sink->submit(sink->self, arrival, flow_verdict, NULL);
    flow.submitting = false;
}

/* A page of a list with one row an id ("a b c"); `lane` becomes its customer.
 */
static inline struct arrival *
flow_page(const char *ids, enum channel via, const char *lane)
{
    struct arrival *arrival;
    struct slice rest = slice_of(ids);
    struct slice id;
    assert_int_equal(arrival_create(&flow.bound.connector, ARRIVAL_PAGE, via,
                                    clock_unix_ms(), &arrival),
                     STATUS_OK);
    arrival->sightings =
        arena_array(&arrival->arena, strlen(ids) + 1, sizeof(struct sighting));
    assert_non_null(arrival->sightings);
    while (slice_split(&rest, ' ', &id)) {
        struct sighting *sighting =
            &arrival->sightings[arrival->sighting_count++];
        struct buf body = { 0 };
        buf_format(&body, "{\"id\":\"%.*s\",\"customer\":\"%s\"}",
                   SLICE_ARG(id), lane == NULL ? "" : lane);
        assert_int_equal(
            arena_copy(&arrival->arena, buf_slice(&body), &sighting->body),
            STATUS_OK);
        assert_int_equal(arena_copy(&arrival->arena, id, &sighting->id),
                         STATUS_OK);
        buf_fini(&body);
        sighting->via = via;
        sighting->type = slice_of("order.paid");
        sighting->received_ms = arrival->received_ms;
        sighting->content_type = slice_of("application/json");
        assert_int_equal(identity_add(&flow.bound.connector, sighting, KEY_ID,
                                      sighting->id, -1),
                         STATUS_OK);
    }
    return arrival;
}

static inline void
flow_bring(const char *ids)
{
    flow_submit(flow_page(ids, CHANNEL_WEBHOOK, NULL));
}

static inline void
flow_bring_all(const char *ids)
{
    flow_bring(ids);
    flow_run(flow_all_judged);
}

/* ---- the store ---- */

static inline void
flow_figures_came(struct store_call *call)
{
    assert_int_equal(call->status, STATUS_OK);
    flow.figured = true;
}

static inline bool
flow_has_figures(void)
{
    return flow.figured;
}

/* What the store still owes a handler. */
static inline const struct store_figure *
flow_ask_store(size_t handler)
{
    struct store_call call = { .kind = STORE_CALL_FIGURES,
                               .done = flow_figures_came,
                               .figures = { &flow.figure, 1 } };
    flow.figure =
        (struct store_figure){ .handler = flow.outlets[handler].number };
    flow.figured = false;
    assert_int_equal(store_worker_submit(flow.worker, &call), STATUS_OK);
    flow_run(flow_has_figures);
    return &flow.figure;
}

#endif
