/* SPDX-License-Identifier: MIT */
/*
 * The ways in which events get lost, one test each: those of webhooks, of what
 * the two channels say of one fact, and of handing it on. agent/README.md has
 * the table, test_failure_modes.c those of reading lists.
 */
#include "failure_fixture.h"

#include "model/cadence.h"
#include "model/fetch.h"
#include "model/quota.h"
#include "model/retry.h"
#include "model/route.h"
#include "model/silence.h"
#include "model/standing.h"

#define EVENTS PROVIDER("asc", BY_TIME, BY_TOKEN)
#define WITH_SHOP                                                              \
    "with: {shop: example.myshopify.com, api_key: k, webhook_secret: s}\n"
#define WITH_REPO                                                              \
    "with: {repo: a/b, hook_id: '1', api_key: k, webhook_secret: s}\n"

/* ---- the handlers that an event is owed to ---- */

static enum status
no_envelope(void *arg, struct slice *ret_envelope)
{
    (void)arg;
    *ret_envelope = slice_of("{}");
    return STATUS_OK;
}

static bool
wants(const struct site *site, const char *glob,
      const struct sighting *sighting)
{
    struct slice types[] = { slice_of(glob) };
    const struct route_spec spec = { .types = types, .type_count = 1 };
    struct route_input input = { .connector = site->connector,
                                 .sighting = sighting,
                                 .make_envelope = no_envelope };
    bool wanted, has_lane;
    int64_t lane;
    assert_int_equal(route_wants(&spec, &input, &wanted, &has_lane, &lane),
                     STATUS_OK);
    return wanted;
}

/* The lane of an event in a handler with `order_by: /data/order`. */
static int64_t
lane_of(struct site *site, const struct sighting *sighting)
{
    struct buf text = { 0 };
    struct slice envelope;
    struct route_spec spec = { .order_path = NULL };
    struct error err = { "" };
    bool wanted, has_lane;
    int64_t lane;
    buf_format(&text, "{\"data\":%.*s}", SLICE_ARG(sighting->body));
    assert_int_equal(arena_copy(&site->arena, buf_slice(&text), &envelope),
                     STATUS_OK);
    buf_fini(&text);
    assert_int_equal(json_pointer_compile(slice_of("/data/order"), &site->arena,
                                          &spec.order_path, &err),
                     STATUS_OK);
    struct route_input input = { .connector = site->connector,
                                 .sighting = sighting,
                                 .envelope = envelope,
                                 .make_envelope = no_envelope };
    assert_int_equal(route_wants(&spec, &input, &wanted, &has_lane, &lane),
                     STATUS_OK);
    assert_true(wanted && has_lane);
    return lane;
}

/* ---- the modes ---- */

static void
f09_a_webhook_that_says_little_brings_all_that_there_is(void **state)
{
    static const char *const thin = "{\"id\":\"a/1\",\"at\":1700000000}";
    struct site *site = *state;
    struct rendered_request request;
    struct slice body;
    struct error err = { "" };
    /* Stored as it came, and owed; what it lacks is asked for at this
     * provider, and the answer is what handlers get. */
    site_open(site, EVENTS,
              WITH "event: {mode: thin, fetch: {url: '{var:base}/o/{id}'}}\n");
    const struct sighting hook = site_hook(site, "", thin);
    assert_true(hook.fresh);
    const struct event event = { .via = CHANNEL_WEBHOOK,
                                 .needs = hook.needs,
                                 .id = hook.id,
                                 .body = hook.body };
    const struct fetch_spec *spec = fetch_spec_of(site->connector, &event);
    assert_non_null(spec);
    assert_int_equal(request_for_event(site->connector, spec, &event,
                                       &site->arena, &request, &err),
                     STATUS_OK);
    assert_true(slice_equal_text(request.url, "http://127.0.0.1:9/o/a%2F1"));
    assert_int_equal(fetch_read(site->connector, spec,
                                &(struct fetch_answer){
                                    .status = 503, .body = slice_of("{}") },
                                &body, &err),
                     STATUS_PROTOCOL);
    assert_int_equal(
        fetch_read(site->connector, spec,
                   &(struct fetch_answer){ .status = 200,
                                           .body = slice_of("{\"all\":1}") },
                   &body, &err),
        STATUS_OK);
    /* A list that shows it as well is its second sighting. */
    assert_false(site_row(site, thin).fresh);
    /* A request that only says that there is something stores nothing: the
     * walk that it asks for brings it. */
    site_open(site, EVENTS, WITH "event: {mode: signal}\n");
    assert_int_equal(site_read_hook(site, "", "").count, 0);
    assert_true(site_row(site, "{\"id\":\"b\",\"at\":1700000000}").fresh);
}

static void
f10_what_comes_out_of_order_is_kept_and_holds_nothing_else_up(void **state)
{
    struct site *site = *state;
    site_open(site, EVENTS, WITH);
    const struct sighting third =
        site_hook(site, "", "{\"id\":\"e3\",\"order\":17,\"at\":1700000003}");
    const struct sighting first =
        site_hook(site, "", "{\"id\":\"e1\",\"order\":17,\"at\":1700000001}");
    const struct sighting other =
        site_hook(site, "", "{\"id\":\"e9\",\"order\":18,\"at\":1700000002}");
    /* None is thrown away for being old, and each says how old it is. */
    assert_int_equal(site->ledger.events, 3);
    assert_true(first.time_ms < other.time_ms && other.time_ms < third.time_ms);
    /* One at a time where the order counts, and only there. */
    assert_int_equal(lane_of(site, &first), lane_of(site, &third));
    assert_true(lane_of(site, &first) != lane_of(site, &other));
}

static void
f11_a_delivery_has_many_ids_and_the_channels_meet_at_one(void **state)
{
    struct site *site = *state;
    site_ship(site, "github", WITH_REPO);
    const struct sighting hook = site_hook(
        site, "X-GitHub-Delivery: 0b9f\nX-GitHub-Event: push\n", "{\"ref\":1}");
    /* The log numbers every attempt anew; the guid stays. */
    const struct sighting row =
        site_row(site, "{\"id\":12345678,\"guid\":\"0b9f\",\"event\":\"push\","
                       "\"delivered_at\":\"2023-11-14T22:13:20Z\"}");
    const struct sighting again =
        site_row(site, "{\"id\":12345999,\"guid\":\"0b9f\",\"event\":\"push\","
                       "\"delivered_at\":\"2023-11-14T22:43:20Z\"}");
    assert_true(hook.fresh);
    assert_false(row.fresh || again.fresh);
    assert_int_equal(row.number, hook.number);
    assert_int_equal(again.number, hook.number);
    assert_true(site_row(site, "{\"id\":12345678,\"guid\":\"77aa\"}").fresh);
}

static void
f12_versions_that_a_list_skips_are_not_taken_from_webhooks(void **state)
{
    static const char *const v1 =
        "{\"id\":17,\"updated_at\":\"2023-11-14T22:13:20Z\"}";
    static const char *const v2 =
        "{\"id\":17,\"updated_at\":\"2023-11-14T22:13:40Z\"}";
    static const char *const v3 =
        "{\"id\":17,\"updated_at\":\"2023-11-14T22:14:00Z\"}";
    static const char *const versionless[] = {
        WITH "match: {mode: state, webhook: 'o:{json:id}', poll: 'o:{id}:{v}'}",
        WITH "match: {mode: state, webhook: 'o:{json:id}:{json:v}', poll: "
             "'o:{id}'}",
    };
    struct site *site = *state;
    site_ship(site, "shopify", WITH_SHOP);
    const struct sighting created = site_hook(
        site, "X-Shopify-Event-Id: a\nX-Shopify-Topic: orders/create\n", v1);
    /* Walks see the versions at which they come by. */
    const struct sighting last = site_row(site, v3);
    assert_true(created.fresh && last.fresh);
    assert_false(site_row(site, v3).fresh);
    const struct sighting between = site_hook(
        site, "X-Shopify-Event-Id: b\nX-Shopify-Topic: orders/paid\n", v2);
    assert_true(between.fresh);
    const struct sighting updated = site_hook(
        site, "X-Shopify-Event-Id: c\nX-Shopify-Topic: orders/updated\n", v3);
    assert_false(updated.fresh);
    assert_int_equal(updated.number, last.number);
    /* A key without a version would make all of them one event. */
    for (size_t i = 0; i < sizeof versionless / sizeof versionless[0]; i++) {
        struct bound bound;
        bound_texts(&bound, EVENTS, versionless[i], PUBLIC_URL);
        assert_int_equal(bound.status, STATUS_CONFIG);
        bound_fini(&bound);
    }
}

static void
f13_no_row_is_taken_for_a_deletion_that_the_list_cannot_show(void **state)
{
    static const char *const order =
        "{\"id\":\"17\",\"updated_at\":\"2023-11-14T22:13:20Z\"}";
    static const char *const deleted =
        "{\"id\":\"e1\",\"event\":\"order.deleted\",\"data\":{\"id\":\"17\","
        "\"updated_at\":\"2023-11-14T22:13:20Z\"}}";
    struct site *site = *state;
    site_ship(site, "petstore",
              "with: {base: 'http://127.0.0.1:9', api_key: k,"
              " webhook_secret: s}\n");
    const struct sighting row = site_row(site, order);
    assert_true(wants(site, "order.created", &row));
    assert_true(wants(site, "order.*", &row));
    assert_false(wants(site, "order.deleted", &row));
    /* The deletion speaks of the version that the row has shown, and is a fact
     * of its own; and a row that comes after it is one too. */
    assert_true(site_hook(site, "", deleted).fresh);
    assert_false(site_row(site, order).fresh);
    /* A list that keeps deleted objects shows deletions like any change. */
    site_open(site, EVENTS,
              WITH "poll: {record: {id: '{id}:{rev}', type: '{kind}', "
                   "stands_for: ['*']}}\n"
                   "match: {mode: state, webhook: '{json:id}:{json:rev}', "
                   "poll: '{id}:{rev}'}\n");
    const struct sighting gone =
        site_row(site, "{\"id\":\"d\",\"rev\":\"2-b\",\"kind\":\"deleted\"}");
    assert_true(gone.fresh && wants(site, "deleted", &gone));
    assert_false(site_hook(site, "",
                           "{\"id\":\"d\",\"rev\":\"2-b\","
                           "\"type\":\"deleted\"}")
                     .fresh);
}

static void
f14_a_delivery_that_fails_is_owed_until_it_is_done_or_dead(void **state)
{
    static const struct retry_policy policy = {
        .attempts = 5, .first_ms = SECOND, .cap_ms = MINUTE, .give_up_ms = DAY
    };
    static const enum status failures[] = { STATUS_UNAVAILABLE, STATUS_TIMEOUT,
                                            STATUS_UNKNOWN, STATUS_PROTOCOL };
    struct site *site = *state;
    struct prng prng = { .state = 7 };
    int64_t now_ms = NOW;
    site_open(site, EVENTS, WITH);
    /* The provider had its 2xx, so it never sends again of its own accord. */
    assert_true(site_hook(site, "", "{\"id\":\"a\"}").fresh);
    for (unsigned attempt = 1; attempt < policy.attempts; attempt++) {
        const enum disposition outcome = status_disposition(
            failures[attempt % (sizeof failures / sizeof failures[0])]);
        assert_int_equal(outcome, DISPOSITION_LATER);
        const struct retry_plan plan =
            retry_next(&policy, attempt, outcome, NOW, now_ms, 0, &prng);
        assert_false(plan.dead);
        assert_true(plan.due_ms > now_ms &&
                    plan.due_ms <= now_ms + policy.cap_ms);
        now_ms = plan.due_ms;
        /* The ledger holds back a second event, never a second attempt. */
        assert_false(site_row(site, "{\"id\":\"a\"}").fresh);
    }
    const struct retry_plan last =
        retry_next(&policy, 5, DISPOSITION_LATER, NOW, now_ms, 0, &prng);
    assert_true(last.dead);
    assert_non_null(last.reason);
}

static void
f15_what_no_delivery_log_has_is_found_in_the_list_of_objects(void **state)
{
    static const char *const order =
        "{\"id\":17,\"updated_at\":\"2023-11-14T22:13:20Z\"}";
    struct site *site = *state;
    site_ship(site, "shopify", WITH_SHOP);
    /* No webhook was ever made of it. The object is there, in a list that is
     * made of the objects and not of what was sent about them. */
    const struct sighting row = site_row(site, order);
    assert_true(row.fresh);
    assert_true(wants(site, "orders/create", &row));
    assert_true(wants(site, "orders/paid", &row));
    assert_false(wants(site, "customers/create", &row));
    /* Should the provider find it after all, it is that event. */
    const struct sighting hook = site_hook(
        site, "X-Shopify-Event-Id: a\nX-Shopify-Topic: orders/create\n", order);
    assert_false(hook.fresh);
    assert_int_equal(hook.number, row.number);
}

static void
f16_webhooks_that_stop_while_events_go_on_are_noticed(void **state)
{
    struct site *site = *state;
    struct silence silence;
    site_open(site, EVENTS, WITH "grace: 5m\n");
    const struct silence_plan plan = {
        .after = site->connector->webhook.silent_after,
        .grace_ms = site->connector->grace_ms,
    };
    silence_begin(&silence, 0);
    for (int64_t at = 0; at < DAY; at += MINUTE) {
        /* One in twenty is lost, as it always was. */
        const bool lost = at / MINUTE % 20 == 0;
        assert_false(lost && silence_missed(&silence, &plan, 1, at));
        assert_false(!lost && silence_hooked(&silence, 1, at));
    }
    /* The provider switches the subscription off. */
    int64_t noticed_ms = DAY;
    while (!silence_missed(&silence, &plan, 1, noticed_ms)) {
        noticed_ms += MINUTE;
        assert_true(noticed_ms <= DAY + 10 * MINUTE);
    }
    assert_false(silence_missed(&silence, &plan, 1, noticed_ms + MINUTE));
    assert_true(silence_hooked(&silence, 1, noticed_ms + HOUR));
}

static void
f17_a_retry_with_an_old_payload_never_looks_newer_than_it_is(void **state)
{
    static const char *const fields = "X-Shopify-Event-Id: a\n"
                                      "X-Shopify-Topic: orders/updated\n"
                                      "X-Shopify-Triggered-At: "
                                      "2023-11-14T22:13:20Z\n";
    static const char *const v1 =
        "{\"id\":17,\"updated_at\":\"2023-11-14T22:13:20Z\"}";
    static const char *const v2 =
        "{\"id\":17,\"updated_at\":\"2023-11-14T23:00:00Z\"}";
    struct site *site = *state;
    site_ship(site, "shopify", WITH_SHOP);
    site->now_ms += HOUR;
    const struct sighting newer = site_row(site, v2);
    /* The first attempts failed; the fourth comes hours later as it was. */
    site->now_ms += 3 * HOUR;
    const struct sighting retry = site_hook(site, fields, v1);
    assert_true(retry.fresh);
    assert_int_equal(retry.time_ms, NOW);
    assert_true(retry.time_ms < newer.time_ms);
    assert_true(retry.number != newer.number);
    /* Nor is the version it speaks of the one that was there. */
    assert_false(site_row(site, v2).fresh);
    assert_false(site_row(site, v1).fresh);
    site->now_ms += 20 * DAY;
    assert_int_equal(site_hook(site, fields, v1).number, retry.number);
    assert_int_equal(site->ledger.events, 2);
}

static void
f18_both_channels_at_once_make_one_event_and_one_confirmation(void **state)
{
    struct site *site = *state;
    site_open(site, EVENTS, WITH);
    for (int first = 0; first < 2; first++) {
        static const char *const bodies[] = { "{\"id\":\"a\"}",
                                              "{\"id\":\"b\"}" };
        const char *body = bodies[first];
        struct sighting seen[3];
        for (int i = 0; i < 3; i++) {
            seen[i] = (i + first) % 2 == 0 ? site_hook(site, "", body)
                                           : site_row(site, body);
        }
        assert_true(seen[0].fresh);
        assert_false(seen[1].fresh || seen[2].fresh);
        assert_int_equal(seen[1].number, seen[0].number);
        assert_int_equal(seen[2].number, seen[0].number);
        /* The second is the other channel's word, the third a repetition. */
        assert_false(seen[1].seen_by_via);
        assert_true(seen[2].seen_by_via);
    }
}

static void
f19_a_webhook_that_is_only_behind_is_not_counted_missed(void **state)
{
    struct site *site = *state;
    site_open(site, EVENTS, WITH "grace: 15m\n");
    /* Handlers have it at once; only the count waits. */
    const int64_t accepted_ms = site->now_ms;
    const int64_t grace_ms = site->connector->grace_ms;
    assert_true(site_row(site, "{\"id\":\"a\"}").fresh);
    struct standing_view view = { .via = CHANNEL_WEBHOOK,
                                  .by_walk = true,
                                  .accepted_ms = accepted_ms,
                                  .grace_ms = grace_ms };
    /* The provider's first attempts fail. */
    static const struct {
        int64_t after_ms;
        enum standing standing;
    } attempts[] = { { MINUTE, STANDING_CONFIRMED },
                     { 14 * MINUTE, STANDING_CONFIRMED },
                     { HOUR, STANDING_LATE },
                     { 3 * DAY, STANDING_LATE } };
    for (size_t i = 0; i < sizeof attempts / sizeof attempts[0]; i++) {
        view.now_ms = accepted_ms + attempts[i].after_ms;
        view.count = standing_over_ms(view.now_ms, grace_ms) < accepted_ms
                         ? COUNT_WAITS
                         : COUNT_RECOVERED;
        assert_int_equal(standing_judge(&view), attempts[i].standing);
    }
    /* However late, it is that event and no other. */
    site->now_ms += 3 * DAY;
    assert_false(site_hook(site, "", "{\"id\":\"a\"}").fresh);
}

static void
f24_a_provider_that_asks_to_wait_is_not_asked_before(void **state)
{
    struct site *site = *state;
    struct http_field after = { SLICE("Retry-After"), SLICE("300") };
    struct http_field interval = { SLICE("X-Poll-Interval"), SLICE("120") };
    struct quota_advice advice;
    struct prng prng = { .state = 7 };
    struct cadence cadence = { .every_ms = MINUTE };
    struct cadence_input input = { .started_ms = NOW - SECOND, .now_ms = NOW };
    site_ship(site, "github", WITH_REPO);
    assert_int_equal(quota_advise(site->connector, 429,
                                  (struct http_fields){ &after, 1 },
                                  (struct slice){ NULL, 0 }, NOW, &advice),
                     STATUS_OK);
    assert_true(advice.limited);
    assert_int_equal(advice.wait_ms, 5 * MINUTE);
    input.not_before_ms = NOW + advice.wait_ms;
    /* However often it has failed, and however short its interval. */
    for (input.failures = 0; input.failures < 10; input.failures++) {
        assert_true(cadence_next(&cadence, &input, &prng) >= NOW + 5 * MINUTE);
    }
    assert_int_equal(quota_advise(site->connector, 200,
                                  (struct http_fields){ &interval, 1 },
                                  (struct slice){ NULL, 0 }, NOW, &advice),
                     STATUS_OK);
    input = (struct cadence_input){ .started_ms = NOW,
                                    .now_ms = NOW + SECOND,
                                    .asked_min_ms = advice.poll_interval_ms };
    assert_true(cadence_next(&cadence, &input, &prng) >= NOW + 2 * MINUTE);
    /* And of its own accord no more often than the budget says. */
    struct quota budget = { .count = 2, .per_ms = MINUTE };
    assert_int_equal(quota_take(&budget, NOW), 0);
    assert_int_equal(quota_take(&budget, NOW), 0);
    assert_int_equal(quota_take(&budget, NOW), 30 * SECOND);
}

static void
f28_fields_that_a_webhook_leaves_out_hide_no_change(void **state)
{
    static const char *const topic =
        "X-Shopify-Topic: orders/updated\nX-Shopify-Event-Id: ";
    static const char *const filtered = "{\"id\":17,\"status\":\"open\"}";
    char fields[2][120];
    struct site *site = *state;
    site_ship(site, "shopify", WITH_SHOP);
    (void)snprintf(fields[0], sizeof fields[0], "%sa\n", topic);
    (void)snprintf(fields[1], sizeof fields[1], "%sb\n", topic);
    /* Two changes of what the subscription leaves out look the same, and are
     * two facts; neither says which version it is about. */
    const struct sighting first = site_hook(site, fields[0], filtered);
    const struct sighting second = site_hook(site, fields[1], filtered);
    assert_true(first.fresh && second.fresh);
    assert_false(site_hook(site, fields[1], filtered).fresh);
    /* A change for which nothing was sent: the walk has every version. */
    assert_true(site_row(site, "{\"id\":17,\"status\":\"open\",\"note\":\"x\","
                               "\"updated_at\":\"2023-11-14T22:13:20Z\"}")
                    .fresh);
    assert_true(site_row(site, "{\"id\":17,\"status\":\"open\",\"note\":\"y\","
                               "\"updated_at\":\"2023-11-14T22:13:21Z\"}")
                    .fresh);
}

static void
f30_a_batch_that_comes_again_is_known_and_answered_again(void **state)
{
    static const char *const batch =
        "{\"events\":[{\"id\":\"a\"},{\"id\":\"b\"},{\"id\":\"c\"}]}";
    struct site *site = *state;
    site_open(site, EVENTS,
              WITH "event: {split: 'events[*]', id: 'item:id'}\n");
    for (int time = 0; time < 2; time++) {
        /* The provider sends nothing behind a batch that was not answered: an
         * answer that got lost must not hold it for ever. */
        const struct extracted all = site_read_hook(site, "", batch);
        assert_int_equal(all.count, 3);
        for (size_t i = 0; i < all.count; i++) {
            ledger_show(&site->ledger, &all.at[i]);
            assert_int_equal(all.at[i].fresh, time == 0);
            assert_int_equal(all.at[i].number, i + 1);
        }
    }
    assert_int_equal(site->connector->ack.status / 100, 2);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FAILURE_TEST(f09_a_webhook_that_says_little_brings_all_that_there_is),
        FAILURE_TEST(
            f10_what_comes_out_of_order_is_kept_and_holds_nothing_else_up),
        FAILURE_TEST(f11_a_delivery_has_many_ids_and_the_channels_meet_at_one),
        FAILURE_TEST(
            f12_versions_that_a_list_skips_are_not_taken_from_webhooks),
        FAILURE_TEST(
            f13_no_row_is_taken_for_a_deletion_that_the_list_cannot_show),
        FAILURE_TEST(
            f14_a_delivery_that_fails_is_owed_until_it_is_done_or_dead),
        FAILURE_TEST(
            f15_what_no_delivery_log_has_is_found_in_the_list_of_objects),
        FAILURE_TEST(f16_webhooks_that_stop_while_events_go_on_are_noticed),
        FAILURE_TEST(
            f17_a_retry_with_an_old_payload_never_looks_newer_than_it_is),
        FAILURE_TEST(
            f18_both_channels_at_once_make_one_event_and_one_confirmation),
        FAILURE_TEST(f19_a_webhook_that_is_only_behind_is_not_counted_missed),
        FAILURE_TEST(f24_a_provider_that_asks_to_wait_is_not_asked_before),
        FAILURE_TEST(f28_fields_that_a_webhook_leaves_out_hide_no_change),
        FAILURE_TEST(f30_a_batch_that_comes_again_is_known_and_answered_again),
    };
    return cmocka_run_group_tests(tests, site_once, NULL);
}
