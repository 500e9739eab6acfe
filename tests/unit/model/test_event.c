/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/mem.h"
#include "model/event.h"

static const struct event sample = {
    .number = 7,
    .connector = 3,
    .via = CHANNEL_POLL,
    .time_ms = 1,
    .recorded_ms = 2,
    .id = SLICE("evt_1"),
    .type = SLICE("order.created"),
    .headers = SLICE("X-One: 1\nTraceparent:  00-ab-cd-01\nEmpty:\n"),
    .content_type = SLICE("application/json"),
    .body = SLICE("{\"a\":\"\0\"}"),
};

static void
an_event_holds_copies_of_all_it_says(void **state)
{
    (void)state;
    char id[] = "evt_1";
    struct event from = sample;
    from.id = (struct slice){ id, 5 };
    struct event *event = NULL;
    assert_int_equal(event_create(&from, &event), STATUS_OK);
    memset(id, 'x', sizeof(id));
    assert_int_equal(event->refs, 1);
    assert_int_equal(event->number, 7);
    assert_int_equal(event->via, CHANNEL_POLL);
    assert_true(slice_equal_text(event->id, "evt_1"));
    assert_true(slice_equal(event->type, sample.type));
    assert_true(slice_equal(event->content_type, sample.content_type));
    assert_true(slice_equal(event->body, sample.body));
    event_unref(event);
}

static void
an_event_lives_until_its_last_reference_goes(void **state)
{
    (void)state;
    struct event *event = NULL;
    assert_int_equal(event_create(&sample, &event), STATUS_OK);
    struct event *again = event_ref(event);
    event_unref(event);
    assert_true(slice_equal_text(again->id, "evt_1"));
    event_unref(again);
    event_unref(NULL);
}

static void
a_kept_field_is_found_in_any_case(void **state)
{
    (void)state;
    assert_true(
        slice_equal_text(event_header(&sample, "traceparent"), "00-ab-cd-01"));
    assert_true(slice_equal_text(event_header(&sample, "x-ONE"), "1"));
    assert_int_equal(event_header(&sample, "empty").len, 0);
    assert_int_equal(event_header(&sample, "missing").len, 0);
    assert_int_equal(event_header(&sample, "trace").len, 0);
}

static void
an_empty_event_is_an_event(void **state)
{
    (void)state;
    const struct event nothing = { .number = 1 };
    struct event *event = NULL;
    assert_int_equal(event_create(&nothing, &event), STATUS_OK);
    assert_int_equal(event->body.len, 0);
    assert_int_equal(event_header(event, "a").len, 0);
    event_unref(event);
}

static void
running_out_of_memory_is_told(void **state)
{
    (void)state;
    struct event *event = NULL;
    (void)mem_fail_after(0, 0);
    assert_int_equal(event_create(&sample, &event), STATUS_NOMEM);
    (void)mem_fail_after(-1, 0);
    assert_null(event);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_holds_copies_of_all_it_says),
        cmocka_unit_test(an_event_lives_until_its_last_reference_goes),
        cmocka_unit_test(a_kept_field_is_found_in_any_case),
        cmocka_unit_test(an_empty_event_is_an_event),
        cmocka_unit_test(running_out_of_memory_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
