/* SPDX-License-Identifier: MIT */
#include "stream_site.h"

static const char *const three[] = { HEAD E1 E2 E3, HEAD, NULL };
static const char *const silent[] = { HEAD, NULL };

static void
open_with(const char *const *script, const char *more, size_t events)
{
    site_open(script, more);
    start();
    await_submissions(events);
}

static void
assert_id(const char *id)
{
    struct stream_figures figures;
    source_stream_figures(site.stream, &figures);
    assert_true(slice_equal_text(figures.id, id));
}

static bool
nothing_flies(void)
{
    return site.stream->flight.count == 0;
}

static bool
has_rest(void)
{
    return site.stream->rest.len > 0;
}

/* ---- how many ---- */

static void
so_many_events_fly_and_the_rest_waits_for_room(void **state)
{
    (void)state;
    static const size_t most = 64;
    char text[4096];
    size_t len = 0;
    for (int i = 1; i <= 100; i++) {
        len += (size_t)snprintf(text + len, sizeof(text) - len,
                                "id: %d\ndata: e%d\n\n", i, i);
    }
    open_with(silent, "", 0);
    relay_says(text);
    await_submissions(most);
    assert_int_equal(site.stream->flight.count, most);
    answer(0, VERDICT_STORED);
    await_submissions(most + 1);
    assert_submitted(most, "e65", "");
    /* one that is over behind another makes no room: order is kept */
    answer(5, VERDICT_STORED);
    assert_int_equal(site.submissions, most + 1);
    site.answers = true;
    answer_all(NULL);
    await(nothing_flies);
    for (size_t i = 0, next = 1; i < site.submissions; i++) {
        if (site.submitted[i].kind == ARRIVAL_REQUEST) {
            (void)snprintf(text, sizeof(text), "e%zu", next++);
            assert_string_equal(site.submitted[i].body, text);
        }
    }
    assert_id("100");
    site_close();
}

static void
so_many_bytes_fly(void **state)
{
    (void)state;
    static const size_t data = (size_t)600 * 1024;
    static const size_t events = 5;
    char *text = malloc(sizeof(HEAD) + events * (data + 8));
    assert_non_null(text);
    char *at = text + sprintf(text, "%s", HEAD);
    for (size_t i = 0; i < events; i++) {
        memcpy(at, "data: ", 6);
        memset(at + 6, 'x', data);
        memcpy(at + 6 + data, "\n\n", 3);
        at += 6 + data + 2;
    }
    const char *const script[] = { text, NULL };
    open_with(script, ", max_event: 1MiB", 4); /* 2400 KiB: over 2 MiB */
    await(has_rest);
    assert_int_equal(site.submissions, 4);
    answer(0, VERDICT_STORED);
    await_submissions(5);
    site_close();
    free(text);
}

static void
without_room_nothing_is_read(void **state)
{
    (void)state;
    bool *const walls[] = { &site.is_full, &site.is_frozen };
    for (size_t i = 0; i < 2; i++) {
        site_open(three, "");
        *walls[i] = true;
        start();
        await_state("connected");
        await(has_rest);
        assert_int_equal(site.submissions, 0);
        *walls[i] = false;
        site.hurries = true;
        await_submissions(3);
        site_close();
    }
}

/* ---- the id ---- */

static void
the_id_follows_behind_what_is_over(void **state)
{
    (void)state;
    open_with(three, "", 3);
    assert_submitted(0, "one", "1");
    assert_submitted(1, "two", "");
    assert_submitted(2, "three", "");
    answer(2, VERDICT_STORED);
    answer(1, VERDICT_SEEN);
    assert_id("");
    assert_int_equal(site.submissions, 3);
    answer(0, VERDICT_STORED);
    assert_id("3");
    assert_submitted(3, "", "3"); /* alone: nothing is left to take it along */
    answer(3, VERDICT_STORED);
    assert_int_equal(site.stream->flight.stored, 3);
    assert_int_equal(counted(STREAM_ACCEPTED), 2);
    assert_int_equal(counted(STREAM_DUPLICATE), 1);
    site_close();
}

static void
the_next_event_takes_along_the_id_of_what_is_over(void **state)
{
    (void)state;
    open_with(three, "", 3);
    answer(1, VERDICT_STORED);
    answer(0, VERDICT_STORED);
    assert_id("2");
    relay_says("id: 4\ndata: four\n\n");
    await_submissions(4);
    assert_submitted(3, "four", "2");
    answer(3, VERDICT_STORED);
    answer(2, VERDICT_STORED);
    assert_submitted(4, "", "4");
    site_close();
}

static void
an_id_that_was_not_stored_is_written_behind(void **state)
{
    (void)state;
    open_with(three, "", 3);
    answer(1, VERDICT_STORED);
    answer(2, VERDICT_STORED);
    answer(0, VERDICT_FORGED); /* it carried an id, and nothing was stored */
    assert_int_equal(counted(STREAM_BAD_SIGNATURE), 1);
    assert_submitted(3, "", "3");
    answer(3, VERDICT_BUSY);
    assert_int_equal(site.submissions, 4); /* not at once */
    assert_int_equal(site.stream->flight.stored, 0);
    try_again();
    await_submissions(5);
    assert_submitted(4, "", "3");
    answer(4, VERDICT_STORED);
    assert_int_equal(site.stream->flight.stored, 3);
    site_close();
}

static void
an_event_that_is_not_asked_for_moves_the_id_alone(void **state)
{
    (void)state;
    static const char *const script[] = { HEAD
                                          "event: ping\nid: 7\ndata: x\n\n",
                                          NULL };
    open_with(script, ", events: [message]", 1);
    assert_submitted(0, "", "7");
    site_close();
}

static void
an_id_alone_says_nothing_of_the_one_behind_it(void **state)
{
    (void)state;
    static const char *const script[] = { HEAD
                                          "event: ping\nid: 7\ndata: x\n\n",
                                          NULL };
    open_with(script, ", events: [message]", 1);
    relay_says("id: 8\ndata: eight\n\n");
    await_submissions(2);
    assert_submitted(1, "eight", "8");
    answer(0, VERDICT_STORED);
    assert_int_equal(site.stream->flight.stored, 1);
    answer(1, VERDICT_FAILED);
    try_again();
    await_submissions(3);
    assert_submitted(2, "eight", "8");
    site_close();
}

/* ---- verdicts ---- */

static void
what_the_sink_cannot_take_is_tried_again_and_holds_up_the_id(void **state)
{
    (void)state;
    static const enum verdict_kind kinds[] = { VERDICT_BUSY, VERDICT_FAILED };
    for (size_t i = 0; i < 2; i++) {
        open_with(three, "", 3);
        answer(0, kinds[i]);
        answer(1, VERDICT_STORED);
        answer(2, VERDICT_STORED);
        assert_id("");
        assert_false(stream_flight_has_room(site.stream));
        try_again();
        await_submissions(4);
        assert_submitted(3, "one", "1");
        answer(3, VERDICT_STORED);
        assert_id("3");
        assert_int_equal(counted(STREAM_ACCEPTED), 3);
        site_close();
    }
}

static void
what_cannot_be_judged_is_given_up_after_its_tries(void **state)
{
    (void)state;
    static const size_t most = 60;
    open_with(three, "", 3);
    answer(1, VERDICT_STORED);
    answer(2, VERDICT_STORED);
    answer(0, VERDICT_BUSY);
    for (size_t tries = 1; tries < most; tries++) {
        try_again();
        await_submissions(3 + tries);
        assert_int_equal(counted(STREAM_GIVEN_UP), 0);
        answer(2 + tries, VERDICT_BUSY);
    }
    assert_int_equal(counted(STREAM_GIVEN_UP), 1);
    assert_int_equal(site.stream->refused, 1);
    assert_int_equal(site.refusals, 0); /* it might have been genuine */
    assert_id("3");
    site_close();
}

static void
want_of_room_is_no_try(void **state)
{
    (void)state;
    open_with(three, "", 3);
    answer(1, VERDICT_STORED);
    answer(2, VERDICT_STORED);
    answer(0, VERDICT_BUSY);
    for (size_t tries = 1; tries < 130; tries++) {
        site.is_full = tries % 2 == 0;
        site.is_frozen = tries % 2 == 1;
        try_again();
        await_submissions(3 + tries);
        answer(2 + tries, VERDICT_BUSY);
    }
    assert_int_equal(counted(STREAM_GIVEN_UP), 0);
    assert_int_equal(site.stream->flight.count, 3);
    site_close();
}

struct outcome_of {
    enum verdict_kind kind;
    enum stream_outcome outcome;
    unsigned refused;
    enum refusal_cause cause;
};

static const struct outcome_of outcomes[] = {
    { VERDICT_STORED, STREAM_ACCEPTED, 0, 0 },
    { VERDICT_SEEN, STREAM_DUPLICATE, 0, 0 },
    { VERDICT_ANSWER, STREAM_ACCEPTED, 0, 0 },
    { VERDICT_FORGED, STREAM_BAD_SIGNATURE, 1, REFUSAL_BAD_SIGNATURE },
    { VERDICT_STALE, STREAM_STALE, 1, REFUSAL_STALE },
    { VERDICT_INVALID, STREAM_MALFORMED, 1, REFUSAL_MALFORMED },
};

static void
each_verdict_is_counted_as_what_it_is(void **state)
{
    (void)state;
    static const char *const script[] = { HEAD E1, HEAD, NULL };
    for (size_t i = 0; i < sizeof(outcomes) / sizeof(outcomes[0]); i++) {
        open_with(script, "", 1);
        answer(0, outcomes[i].kind);
        assert_int_equal(counted(outcomes[i].outcome), 1);
        assert_int_equal(site.stream->refused, outcomes[i].refused);
        assert_int_equal(site.refusals, outcomes[i].refused);
        assert_int_equal(site.cause, outcomes[i].cause);
        assert_int_equal(site.refused_bytes > 0, outcomes[i].refused);
        assert_id("1");
        site_close();
    }
}

static void
an_event_may_ask_for_a_walk(void **state)
{
    (void)state;
    open_with(three, "", 3);
    site.signal = true;
    answer(0, VERDICT_STORED);
    assert_int_equal(site.signals, 1);
    site_close();
}

/* ---- the request ---- */

static void
a_request_may_be_as_late_as_the_connector_says(void **state)
{
    (void)state;
    open_with(three, ", late: 3h", 3);
    assert_int_equal(site.submitted[0].late_ms, 3 * 3600 * 1000);
    site_close();
}

static void
what_is_too_large_or_no_request_is_passed_over(void **state)
{
    (void)state;
    static const char *const script[] = {
        HEAD "id: 1\ndata: {\"h\":{\"Content-Encoding\":\"gzip\"},"
             "\"b\":\"H4sIAAAA\"}\n\n" /* half a gzip */
             "id: 2\ndata: {}\n\n"
             "id: 3\ndata: {\"b\":\"b25l\"}\n\n",
        NULL
    };
    char large[1100];
    (void)snprintf(large, sizeof(large), "id: 4\ndata: %01080d\n\n", 0);
    open_with(script,
              ", max_event: 1KiB, request_from: "
              "{headers: '$.h', body: '{json:b|unbase64}'}",
              1);
    assert_submitted(0, "one", "");
    assert_int_equal(counted(STREAM_MALFORMED), 2);
    answer(0, VERDICT_STORED);
    assert_submitted(1, "", "3");
    answer(1, VERDICT_STORED);
    relay_says(large);
    await_submissions(3);
    assert_submitted(2, "", "4");
    assert_int_equal(counted(STREAM_TOO_LARGE), 1);
    assert_int_equal(site.stream->refused, 3);
    assert_int_equal(site.refusals, 3);
    assert_int_equal(site.cause, REFUSAL_TOO_LARGE);
    site_close();
}

static void
the_names_of_the_outcomes_are_fixed(void **state)
{
    (void)state;
    static const char *const names[STREAM_OUTCOME_COUNT] = {
        "accepted",  "duplicate", "bad_signature", "stale",
        "malformed", "too_large", "given_up",
    };
    for (enum stream_outcome i = 0; i < STREAM_OUTCOME_COUNT; i++) {
        assert_string_equal(stream_outcome_name(i), names[i]);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(so_many_events_fly_and_the_rest_waits_for_room),
        cmocka_unit_test(so_many_bytes_fly),
        cmocka_unit_test(without_room_nothing_is_read),
        cmocka_unit_test(the_id_follows_behind_what_is_over),
        cmocka_unit_test(the_next_event_takes_along_the_id_of_what_is_over),
        cmocka_unit_test(an_id_that_was_not_stored_is_written_behind),
        cmocka_unit_test(an_event_that_is_not_asked_for_moves_the_id_alone),
        cmocka_unit_test(an_id_alone_says_nothing_of_the_one_behind_it),
        cmocka_unit_test(
            what_the_sink_cannot_take_is_tried_again_and_holds_up_the_id),
        cmocka_unit_test(what_cannot_be_judged_is_given_up_after_its_tries),
        cmocka_unit_test(want_of_room_is_no_try),
        cmocka_unit_test(each_verdict_is_counted_as_what_it_is),
        cmocka_unit_test(an_event_may_ask_for_a_walk),
        cmocka_unit_test(a_request_may_be_as_late_as_the_connector_says),
        cmocka_unit_test(what_is_too_large_or_no_request_is_passed_over),
        cmocka_unit_test(the_names_of_the_outcomes_are_fixed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
