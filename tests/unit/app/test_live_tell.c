/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "app/live_tell.h"
#include "base/mem.h"
#include "flow/attempt.h"
#include "io/loop.h"
#include "source/source.h"
#include "wire/json.h"

static struct loop *loop;
static struct live *live;
static struct live_reader reader;
static struct connector connector = { .name = SLICE("sh\"op") };

static void
ignore_wake(void *arg)
{
    (void)arg;
}

static int
set_up(void **state)
{
    (void)state;
    assert_int_equal(loop_create(&loop), STATUS_OK);
    assert_int_equal(live_create(loop, 1000, LIVE_LINGER_MS, &live), STATUS_OK);
    reader = (struct live_reader){ .topics = ~0U, .wake = ignore_wake };
    live_join(live, &reader, 0);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    live_leave(live, &reader);
    live_destroy(live);
    loop_destroy(loop);
    return 0;
}

/* The next entry: of this topic, an object on one line, with this in it. */
static void
assert_told(enum live_topic topic, const char *const *parts)
{
    bool lost;
    const struct live_entry *entry = live_next(live, &reader, &lost);
    assert_non_null(entry);
    assert_false(lost);
    assert_int_equal(entry->topic, topic);
    assert_int_equal(json_check(entry->data, 8, NULL), STATUS_OK);
    assert_int_equal(slice_find(entry->data, '\n'), SIZE_MAX);
    for (size_t i = 0; parts[i] != NULL; i++) {
        if (slice_find_slice(entry->data, slice_of(parts[i])) == SIZE_MAX) {
            fail_msg("%s is not in %.*s", parts[i], SLICE_ARG(entry->data));
        }
    }
}

static void
assert_nothing_told(void)
{
    bool lost;
    assert_null(live_next(live, &reader, &lost));
}

static void
what_is_fresh_in_an_arrival_is_told_and_its_gap(void **state)
{
    (void)state;
    struct sighting sightings[] = {
        { .via = CHANNEL_POLL,
          .id = SLICE("a\nb"),
          .type = SLICE("\x1b[31m"),
          .fresh = true,
          .number = 9007199254740993,
          .body = SLICE("12345") },
        { .id = SLICE("known") },
    };
    const struct arrival arrival = { .connector = &connector,
                                     .received_ms = 1790000000000,
                                     .sightings = sightings,
                                     .sighting_count = 2,
                                     .has_gap = true,
                                     .gap = { GAP_TIE, 5000, 6000 } };
    const struct watch watch = live_watch(live);
    watch.stored(watch.arg, &arrival);
    static const char *const event[] = { "\"number\":\"9007199254740993\"",
                                         "\"id\":\"a\\nb\"",
                                         "\"connector\":\"sh\\\"op\"",
                                         "\"via\":\"poll\"",
                                         "\"type\":\"\\u001b[31m\"",
                                         "\"body_bytes\":5",
                                         "\"time\":null",
                                         NULL };
    static const char *const gap[] = { "\"kind\":\"tie\"",
                                       "\"from\":\"1970-01-01T00:00:05", NULL };
    assert_told(LIVE_EVENTS, event);
    assert_told(LIVE_GAPS, gap);
    assert_nothing_told();
}

static void
a_delivery_is_told_with_how_it_ended(void **state)
{
    (void)state;
    static const struct {
        enum outcome_kind kind;
        int64_t due_ms;
        const char *parts[4];
    } rows[] = {
        { OUTCOME_DONE,
          0,
          { "\"outcome\":\"done\"", "\"due\":null", "\"replay\":true" } },
        { OUTCOME_LATER,
          7000,
          { "\"outcome\":\"retry\"", "\"due\":\"1970-01-01T00:00:07",
            "\"reason\":null" } },
        { OUTCOME_DEAD,
          0,
          { "\"outcome\":\"dead\"", "\"reason\":\"too often\"" } },
        { OUTCOME_RELEASE, 0, { "\"outcome\":\"released\"" } },
    };
    struct event event = { .number = 7,
                           .id = SLICE("evt_1"),
                           .type = SLICE("order.paid") };
    const struct watch watch = live_watch(live);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct attempt attempt = {
            .event = &event,
            .delivery = { .attempt = 3,
                          .is_replay = true,
                          .connector = SLICE("shop") },
            .outcome = { .kind = rows[i].kind,
                         .reason = "too often",
                         .detail = SLICE("exit 1"),
                         .duration_ms = 12 },
        };
        watch.settled(watch.arg, slice_of("log"), &attempt, rows[i].due_ms);
        assert_told(LIVE_DELIVERIES, rows[i].parts);
    }
    assert_nothing_told();
}

static void
walks_refusals_and_figures_are_told(void **state)
{
    (void)state;
    static struct slice secret = SLICE("s3cret");
    static struct connector_param param = { .secret = true,
                                            .values = &secret,
                                            .count = 1 };
    struct connector with_secret = connector;
    with_secret.params = &param;
    with_secret.param_count = 1;
    const struct poll_ended ended = { .connector = &connector,
                                      .outcome = POLL_FAILED,
                                      .why = SLICE("HTTP 500"),
                                      .fresh = 3 };
    const struct refusal refusal = { .connector = &with_secret,
                                     .cause = REFUSAL_STALE,
                                     .why = SLICE("not s3cret"),
                                     .status = 401 };
    const struct live_figures figures = { .running = 4 };
    static const char *const walk[] = { "\"outcome\":\"failed\"",
                                        "\"error\":\"HTTP 500\"", "\"new\":3",
                                        NULL };
    static const char *const refused[] = { "\"cause\":\"stale\"",
                                           "\"why\":\"not ***\"", NULL };
    static const char *const stats[] = { "\"running_attempts\":4",
                                         "\"store\":\"ok\"", NULL };
    live_tell_walk(live, &ended);
    live_tell_refusal(live, &refusal);
    live_tell_stats(live, &figures);
    assert_told(LIVE_WALKS, walk);
    assert_told(LIVE_REFUSALS, refused);
    assert_told(LIVE_STATS, stats);
    /* An agent of one walk has none. */
    live_tell_walk(NULL, &ended);
    live_tell_refusal(NULL, &refusal);
    live_tell_stats(NULL, &figures);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_fresh_in_an_arrival_is_told_and_its_gap),
        TEST(a_delivery_is_told_with_how_it_ended),
        TEST(walks_refusals_and_figures_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
