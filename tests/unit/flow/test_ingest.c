/* SPDX-License-Identifier: MIT */
#include "flowing.h"

#define EVENT "{\"id\":\"e1\",\"type\":\"order.paid\",\"at\":\"2026-09-20\"}"

static void
send(const char *token, const char *body)
{
    struct arrival *arrival;
    assert_int_equal(arrival_create(&flow.bound.connector, ARRIVAL_REQUEST,
                                    CHANNEL_WEBHOOK, clock_unix_ms(), &arrival),
                     STATUS_OK);
    struct http_field *fields =
        arena_array(&arrival->arena, 1, sizeof(*fields));
    assert_non_null(fields);
    fields[0] = (struct http_field){ SLICE("X-Token"), slice_of(token) };
    arrival->request = (struct inbound){ .method = SLICE("POST"),
                                         .path_query = SLICE("/hooks/shop"),
                                         .fields = { fields, 1 } };
    assert_int_equal(
        arena_copy(&arrival->arena, slice_of(body), &arrival->request.body),
        STATUS_OK);
    flow_submit(arrival);
    flow_run(flow_all_judged);
}

static struct telemetry_connector
counts(void)
{
    return telemetry_of_connector(&flow.telemetry, &flow.bound.connector);
}

static void
assert_counted(const struct metric *metric, double wanted)
{
    assert_true(metric_value(metric) == wanted);
}

static void
a_request_is_stored_once_and_seen_afterwards(void **state)
{
    (void)state;
    flow_open(1);
    send("s3cret", EVENT);
    assert_int_equal(flow.last.kind, VERDICT_STORED);
    assert_int_equal(flow.last.fresh, 1);
    assert_int_equal(flow.last.answer->status, 202);
    send("s3cret", EVENT);
    assert_int_equal(flow.last.kind, VERDICT_SEEN);
    assert_int_equal(flow.last.known, 1);
    assert_int_equal(flow.last.answer->status, 202);
    assert_counted(counts().events[CHANNEL_WEBHOOK], 1);
    assert_counted(counts().duplicates[CHANNEL_WEBHOOK], 1);
    size_t types;
    const struct duplicates_type *again =
        duplicates_types(counts().by_type, &types);
    assert_int_equal(types, 1);
    assert_true(slice_equal_text(again->type, "order.paid"));
    assert_int_equal(again->by[CHANNEL_WEBHOOK], 1);
    assert_int_equal(flow.handlers[0].started, 1);
    flow_close();
}

static void
both_channels_bring_one_event(void **state)
{
    (void)state;
    flow_open(1);
    send("s3cret", EVENT);
    flow_submit(flow_page("e1 e2", CHANNEL_POLL, NULL));
    flow_run(flow_all_judged);
    assert_int_equal(flow.last.kind, VERDICT_STORED);
    assert_int_equal(flow.last.fresh, 1);
    assert_int_equal(flow.last.known, 1);
    assert_counted(counts().events[CHANNEL_POLL], 1);
    assert_counted(counts().duplicates[CHANNEL_POLL], 1);
    flow_close();
}

static void
what_is_not_stored_leaves_nothing(void **state)
{
    (void)state;
    flow_open(1);
    send("wrong", EVENT);
    assert_int_equal(flow.last.kind, VERDICT_FORGED);
    assert_true(flow.why[0] != '\0');
    send("s3cret", "{}");
    assert_int_equal(flow.last.kind, VERDICT_INVALID);
    assert_int_equal(flow.handlers[0].started, 0);
    send("s3cret", EVENT);
    assert_int_equal(flow.last.kind, VERDICT_STORED);
    flow_close();
}

static void
an_event_that_no_handler_wants_is_stored_all_the_same(void **state)
{
    (void)state;
    flow_open(0);
    send("s3cret", EVENT);
    assert_int_equal(flow.last.kind, VERDICT_STORED);
    send("s3cret", EVENT);
    assert_int_equal(flow.last.kind, VERDICT_SEEN);
    flow_close();
}

static void
a_full_queue_is_busy_and_says_so_at_the_head(void **state)
{
    (void)state;
    flow_open(0);
    struct buf ids = { 0 };
    for (int i = 0; i < 1000; i++) {
        buf_format(&ids, i == 0 ? "e%d" : " e%d", i);
    }
    const struct source_sink *sink = ingest_sink(flow.ingest);
    assert_true(sink->has_room(sink->self));
    flow_bring(buf_slice(&ids).ptr);
    buf_fini(&ids);
    assert_false(sink->has_room(sink->self));
    flow_bring("late");
    assert_int_equal(ingest_open(flow.ingest), 2);
    flow_run(flow_all_judged);
    assert_int_equal(flow.kinds[VERDICT_BUSY], 1);
    assert_int_equal(flow.kinds[VERDICT_STORED], 1);
    assert_int_equal(ingest_open(flow.ingest), 0);
    assert_true(sink->has_room(sink->self));
    flow_bring_all("late");
    assert_int_equal(flow.kinds[VERDICT_STORED], 2);
    flow_close();
}

/* ---- walks ---- */

static enum status loaded_status;
static char loaded_text[128];
static bool is_loaded;

static void
note_state(void *arg, enum status status, struct slice text,
           const struct error *err)
{
    (void)arg;
    (void)err;
    assert_false(flow.submitting);
    loaded_status = status;
    (void)snprintf(loaded_text, sizeof(loaded_text), "%.*s", SLICE_ARG(text));
    is_loaded = true;
}

static bool
has_loaded(void)
{
    return is_loaded;
}

static void
load_state(unsigned tier)
{
    const struct source_sink *sink = ingest_sink(flow.ingest);
    is_loaded = false;
    flow.submitting = true;
    sink->load(sink->self, &flow.bound.connector, tier, note_state, NULL);
    flow.submitting = false;
    flow_run(has_loaded);
}

static void
a_walks_state_is_durable_with_its_page(void **state)
{
    (void)state;
    flow_open(0);
    load_state(0);
    assert_int_equal(loaded_status, STATUS_NOT_FOUND);
    struct arrival *arrival = flow_page("a", CHANNEL_POLL, NULL);
    arrival->has_walk = true;
    arrival->walk_state = slice_of("{\"v\":1}");
    flow_submit(arrival);
    flow_run(flow_all_judged);
    load_state(0);
    assert_int_equal(loaded_status, STATUS_OK);
    assert_string_equal(loaded_text, "{\"v\":1}");
    load_state(1);
    assert_int_equal(loaded_status, STATUS_NOT_FOUND);
    /* A page of known rows, or of none, still moves the walk. */
    arrival = flow_page("a", CHANNEL_POLL, NULL);
    arrival->sighting_count = 0;
    arrival->has_walk = true;
    arrival->walk_state = slice_of("{\"v\":2}");
    flow_submit(arrival);
    flow_run(flow_all_judged);
    assert_int_equal(flow.last.kind, VERDICT_STORED);
    flow_close_store();
    flow_open_store();
    load_state(0);
    assert_string_equal(loaded_text, "{\"v\":2}");
    flow_close();
}

static void
gaps_and_broken_bounds_are_counted(void **state)
{
    (void)state;
    flow_open(0);
    struct arrival *arrival = flow_page("a b c", CHANNEL_POLL, NULL);
    arrival->complete_until_ms = 1000;
    arrival->sightings[0].time_ms = 999;  /* below */
    arrival->sightings[1].time_ms = 1000; /* not below */
    arrival->sightings[2].time_ms = 0;    /* not known */
    arrival->has_gap = true;
    arrival->gap = (struct walk_gap){ GAP_RETENTION, 1, 2 };
    flow_submit(arrival);
    flow_run(flow_all_judged);
    assert_counted(counts().bound_broken, 1);
    assert_counted(counts().gaps, 1);
    assert_int_equal(flow.last.broken_ms, 999);
    /* Shown before by the same channel: that is no news. */
    arrival = flow_page("a", CHANNEL_POLL, NULL);
    arrival->complete_until_ms = 1000;
    arrival->sightings[0].time_ms = 999;
    flow_submit(arrival);
    flow_run(flow_all_judged);
    assert_counted(counts().bound_broken, 1);
    assert_int_equal(flow.last.broken_ms, 0);
    flow_close();
}

struct onlooker {
    size_t stored;
    size_t fresh;
};

static void
look_on(void *arg, const struct arrival *arrival)
{
    struct onlooker *onlooker = arg;
    onlooker->stored++;
    for (size_t i = 0; i < arrival->sighting_count; i++) {
        onlooker->fresh += arrival->sightings[i].fresh;
        assert_true(arrival->sightings[i].number > 0);
    }
}

static void
whoever_looks_on_is_told_of_what_is_stored(void **state)
{
    (void)state;
    struct onlooker onlooker = { 0, 0 };
    flow_prepare(0);
    flow.watch = (struct watch){ .arg = &onlooker, .stored = look_on };
    flow_open_store();
    flow_bring("a b");
    assert_int_equal(onlooker.stored, 0); /* not before it is durable */
    flow_run(flow_all_judged);
    flow_bring_all("b c");
    assert_int_equal(onlooker.stored, 2);
    assert_int_equal(onlooker.fresh, 3);
    send("wrong", "{\"id\":\"e8\",\"type\":\"order.paid\"}");
    assert_int_equal(onlooker.stored, 2);
    flow_close();
}

static void
it_tells_what_webhooks_bring_and_what_walks_had_brought_before(void **state)
{
    (void)state;
    flow_open(0);
    struct arrival *arrival = flow_page("e1 e2 e3", CHANNEL_POLL, NULL);
    arrival->sightings[1].time_ms = 7000;
    arrival->sightings[2].time_ms = 5000;
    flow_submit(arrival);
    flow_run(flow_all_judged);
    assert_int_equal(flow.last.oldest_ms, 5000);
    assert_int_equal(flow.hooks, 0);
    send("s3cret", EVENT); /* e1 */
    assert_int_equal(flow.hooks, 1);
    assert_int_equal(flow.hooked_fresh, 0);
    assert_int_equal(flow.hooked_caught_up, 1);
    send("s3cret", EVENT);
    assert_int_equal(flow.hooks, 2);
    assert_int_equal(flow.hooked_caught_up, 1);
    send("s3cret", "{\"id\":\"e9\",\"type\":\"order.paid\"}");
    assert_int_equal(flow.hooked_fresh, 1);
    send("wrong", "{\"id\":\"e8\",\"type\":\"order.paid\"}");
    assert_int_equal(flow.hooks, 3);
    /* What is known is not new, however old it is. */
    arrival = flow_page("e2", CHANNEL_POLL, NULL);
    arrival->sightings[0].time_ms = 5;
    flow_submit(arrival);
    flow_run(flow_all_judged);
    assert_int_equal(flow.last.oldest_ms, 0);
    flow_close();
}

static void
a_verdict_says_how_late_the_list_was(void **state)
{
    (void)state;
    flow_open(0);
    struct arrival *arrival = flow_page("a b c d", CHANNEL_POLL, NULL);
    arrival->past.own_ms = 100000;
    arrival->sightings[0].time_ms = 100001; /* the first walk that could */
    arrival->sightings[1].time_ms = 98000;
    arrival->sightings[2].time_ms = 40000;
    arrival->sightings[3].time_ms = 0; /* nobody knows */
    flow_submit(arrival);
    flow_run(flow_all_judged);
    assert_int_equal(flow.last.lag.max_ms, 60000);
    assert_int_equal(flow.last.lag.counts[0], 1);
    assert_int_equal(flow.last.lag.counts[2], 1);
    assert_int_equal(flow.last.lag.counts[7], 1);
    /* Seen again it says nothing. */
    arrival = flow_page("c", CHANNEL_POLL, NULL);
    arrival->past.own_ms = 900000;
    arrival->sightings[0].time_ms = 40000;
    flow_submit(arrival);
    flow_run(flow_all_judged);
    assert_int_equal(flow.last.lag.max_ms, 0);
    assert_int_equal(flow.last.lag.counts[0], 0);
    flow_close();
}

static bool known_answer[3];
static enum status known_status;

static void
note_known(void *arg, enum status status, const bool *known)
{
    (void)arg;
    known_status = status;
    if (known != NULL) {
        memcpy(known_answer, known, sizeof(known_answer));
    }
    is_loaded = true;
}

static void
known_rows_are_told_before_their_details_are_asked(void **state)
{
    (void)state;
    flow_open(0);
    flow_bring_all("a c");
    struct arrival *rows = flow_page("a b c", CHANNEL_POLL, NULL);
    const struct source_sink *sink = ingest_sink(flow.ingest);
    is_loaded = false;
    sink->known(sink->self, rows->sightings, 3, note_known, NULL);
    assert_false(is_loaded);
    flow_run(has_loaded);
    assert_int_equal(known_status, STATUS_OK);
    assert_true(known_answer[0] && !known_answer[1] && known_answer[2]);
    arrival_destroy(rows);
    flow_close();
}

static void
a_dry_run_tells_what_is_new_and_stores_nothing(void **state)
{
    (void)state;
    flow_open(1);
    flow_bring_all("a");
    flow_close_store();
    flow.dry_run = true;
    flow.owe_only = true;
    flow_open_store();
    for (int i = 0; i < 2; i++) {
        struct arrival *arrival = flow_page("a b c", CHANNEL_POLL, NULL);
        arrival->has_walk = true;
        arrival->walk_state = slice_of("{}");
        flow_submit(arrival);
        flow_run(flow_all_judged);
        assert_int_equal(flow.last.kind, VERDICT_STORED);
        assert_int_equal(flow.last.fresh, 2);
        assert_int_equal(flow.last.known, 1);
    }
    load_state(0);
    assert_int_equal(loaded_status, STATUS_NOT_FOUND);
    flow_close();
}

/* ---- failures ---- */

static void
a_worker_without_any_room_is_busy(void **state)
{
    (void)state;
    flow_open(1);
    flow_stop(0);
    struct arrival *arrival = flow_page("a", CHANNEL_WEBHOOK, NULL);
    struct ingest *ingest;
    struct store_worker_settings settings = { .group_units = 1 };
    struct store_worker *full; /* its queue has no room at all */
    struct store *store;
    char url[160];
    (void)snprintf(url, sizeof(url), "sqlite:%s/other.db", flow.folder);
    const struct store_settings store_settings = { .page_size = 4096 };
    assert_int_equal(store_open(url, &store_settings, &store, NULL), STATUS_OK);
    assert_int_equal(
        store_worker_create(flow.loop, store, &settings, &full, NULL),
        STATUS_OK);
    const struct ingest_settings of = { .connectors = &flow.bound.connector,
                                        .connector_count = 1,
                                        .telemetry = &flow.telemetry,
                                        .dispatch = flow.dispatch };
    assert_int_equal(ingest_create(flow.loop, full, &of, &ingest), STATUS_OK);
    const struct source_sink *sink = ingest_sink(ingest);
    assert_false(sink->has_room(sink->self));
    flow.wanted++;
    sink->submit(sink->self, arrival, flow_verdict, NULL);
    flow_run(flow_all_judged);
    assert_int_equal(flow.last.kind, VERDICT_BUSY);
    store_worker_destroy(full);
    ingest_destroy(ingest);
    static const char *const files[] = { "other.db", "other.db.lock" };
    for (size_t i = 0; i < 2; i++) {
        (void)snprintf(url, sizeof(url), "%s/%s", flow.folder, files[i]);
        (void)unlink(url);
    }
    flow_close();
}

static void
without_memory_the_sender_is_asked_to_come_again(void **state)
{
    (void)state;
    flow_open(1);
    size_t busy = 0;
    for (long n = 0; flow.kinds[VERDICT_STORED] == 0; n++) {
        struct arrival *arrival = flow_page("a", CHANNEL_WEBHOOK, NULL);
        const struct source_sink *sink = ingest_sink(flow.ingest);
        flow.wanted++;
        /* Only for want of memory may the verdict come at once. */
        mem_fail_after(n, 0);
        sink->submit(sink->self, arrival, flow_verdict, NULL);
        mem_fail_after(-1, 0);
        flow_run(flow_all_judged);
        busy++;
        assert_int_equal(flow.kinds[VERDICT_BUSY] + flow.kinds[VERDICT_STORED],
                         busy);
    }
    assert_true(busy > 1);
    assert_int_equal(ingest_open(flow.ingest), 0);
    flow_bring_all("b"); /* no slot was lost */
    flow_sleep(20);
    assert_int_equal(flow.handlers[0].started, 2);
    flow_close();
}

static void
questions_without_memory_are_answered_too(void **state)
{
    (void)state;
    flow_open(0);
    const struct source_sink *sink = ingest_sink(flow.ingest);
    struct arrival *rows = flow_page("a b c", CHANNEL_POLL, NULL);
    mem_fail_after(0, 0);
    sink->load(sink->self, &flow.bound.connector, 0, note_state, NULL);
    mem_fail_after(-1, 0);
    assert_int_equal(loaded_status, STATUS_NOMEM);
    mem_fail_after(0, 0);
    sink->known(sink->self, rows->sightings, 3, note_known, NULL);
    mem_fail_after(-1, 0);
    assert_int_equal(known_status, STATUS_NOMEM);
    arrival_destroy(rows);
    flow_close();
}

static void
creating_one_survives_every_failed_allocation(void **state)
{
    (void)state;
    flow_open(0);
    enum status status = STATUS_NOMEM;
    const struct ingest_settings of = { .connectors = &flow.bound.connector,
                                        .connector_count = 1,
                                        .telemetry = &flow.telemetry,
                                        .dispatch = flow.dispatch };
    for (long n = 0; status != STATUS_OK; n++) {
        struct ingest *ingest;
        mem_fail_after(n, 0);
        status = ingest_create(flow.loop, flow.worker, &of, &ingest);
        mem_fail_after(-1, 0);
        if (status == STATUS_OK) {
            ingest_destroy(ingest);
        }
    }
    ingest_destroy(NULL);
    flow_close();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_stored_once_and_seen_afterwards),
        cmocka_unit_test(both_channels_bring_one_event),
        cmocka_unit_test(what_is_not_stored_leaves_nothing),
        cmocka_unit_test(an_event_that_no_handler_wants_is_stored_all_the_same),
        cmocka_unit_test(a_full_queue_is_busy_and_says_so_at_the_head),
        cmocka_unit_test(a_walks_state_is_durable_with_its_page),
        cmocka_unit_test(a_verdict_says_how_late_the_list_was),
        cmocka_unit_test(gaps_and_broken_bounds_are_counted),
        cmocka_unit_test(
            it_tells_what_webhooks_bring_and_what_walks_had_brought_before),
        cmocka_unit_test(known_rows_are_told_before_their_details_are_asked),
        cmocka_unit_test(a_dry_run_tells_what_is_new_and_stores_nothing),
        cmocka_unit_test(whoever_looks_on_is_told_of_what_is_stored),
        cmocka_unit_test(a_worker_without_any_room_is_busy),
        cmocka_unit_test(without_memory_the_sender_is_asked_to_come_again),
        cmocka_unit_test(questions_without_memory_are_answered_too),
        cmocka_unit_test(creating_one_survives_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
