/* SPDX-License-Identifier: MIT */
/*
 * The ways in which events get lost, one test each: those of webhooks, of what
 * the two channels say of one fact, and of handing it on. agent/README.md has
 * the table, test_failure_modes.c those of reading lists.
 */
#include "failure_fixture.h"

#include "model/cadence.h"
#include "model/quota.h"
#include "model/retry.h"
#include "model/route.h"

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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FAILURE_TEST(
            f10_what_comes_out_of_order_is_kept_and_holds_nothing_else_up),
        FAILURE_TEST(f11_a_delivery_has_many_ids_and_the_channels_meet_at_one),
        FAILURE_TEST(
            f12_versions_that_a_list_skips_are_not_taken_from_webhooks),
        FAILURE_TEST(
            f13_no_row_is_taken_for_a_deletion_that_the_list_cannot_show),
    };
    return cmocka_run_group_tests(tests, site_once, NULL);
}
