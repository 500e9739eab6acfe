/* SPDX-License-Identifier: MIT */
#include "stream_site.h"

static const char *const three[] = { HEAD E1 E2 E3, HEAD, NULL };
static const char *const silent[] = { HEAD, NULL };

static bool
all_is_durable(void)
{
    return strstr(site.stored, "\"id\":\"3\"") != NULL &&
           site.stream->flight.count == 0 && !site.stream->flight.is_writing;
}

/* ---- where to begin ---- */

static void
the_first_time_it_asks_without_an_id(void **state)
{
    (void)state;
    site_open(three, "");
    site.answers = true;
    start();
    await(all_is_durable);
    assert_asked_from("");
    assert_submitted(0, "one", "1");
    site_close();
}

static void
what_is_stored_of_this_relay_is_gone_on_from(void **state)
{
    (void)state;
    site_open(three, "");
    site.answers = true;
    start();
    await(all_is_durable);
    source_stream_destroy(site.stream);
    make_stream();
    start();
    await_state("connected");
    assert_asked_from("3");
    site_close();
}

static void
what_cannot_be_used_is_as_nothing(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{\"v\":1,\"at\":7,\"id\":\"9\"}", /* of another relay */
        "{\"v\":1,\"at\":7,\"id\":9}",
        "[]",
        "no JSON",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        site_open(silent, "");
        (void)snprintf(site.stored, sizeof(site.stored), "%s", texts[i]);
        start();
        await_state("connected");
        assert_asked_from("");
        site_close();
    }
}

static void
a_state_that_cannot_be_read_is_read_again(void **state)
{
    (void)state;
    site_open(silent, "");
    site.load_status = STATUS_IO;
    site.hurries = true;
    start();
    await_state("connected");
    assert_int_equal(site.loads, 2);
    site_close();
}

/* ---- heads that are no stream ---- */

struct no_stream {
    const char *head;
    const char *state;
    const char *why;
    int64_t least_ms; /* till it asks again */
};

#define REPLY(status) "HTTP/1.1 " status "\r\nContent-Length: 0\r\n"

static const struct no_stream no_streams[] = {
    { REPLY("204 No Content") "\r\n", "over", "HTTP 204", 0 },
    { REPLY("401 No") "\r\n", "waiting", "HTTP 401", 150000 },
    { REPLY("404 No") "\r\n", "waiting", "HTTP 404", 150000 },
    { REPLY("503 No") "Retry-After: 77\r\n\r\n", "waiting", "HTTP 503", 76000 },
    { REPLY("200 OK") "Content-Type: text/html\r\n\r\n", "waiting", "HTTP 200",
      1000 },
    { REPLY("302 Found") "Location: /x\r\n\r\n", "waiting", "HTTP 302", 1000 },
};

static void
a_head_that_is_no_stream_says_why_and_when_again(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(no_streams) / sizeof(no_streams[0]); i++) {
        const struct no_stream *row = &no_streams[i];
        const char *const script[] = { row->head, NULL };
        struct stream_figures figures;
        site_open(script, "");
        const int64_t from_ms = clock_unix_ms();
        start();
        await_state(row->state);
        source_stream_figures(site.stream, &figures);
        if (slice_find_slice(figures.why, slice_of(row->why)) != 0 ||
            (row->least_ms > 0 && figures.next_ms < from_ms + row->least_ms)) {
            fail_msg("%s: '%.*s', again in %lld ms", row->why,
                     SLICE_ARG(figures.why),
                     (long long)(figures.next_ms - from_ms));
        }
        assert_int_equal(figures.connected_ms, 0);
        assert_int_equal(site.submissions, 0);
        site_close();
    }
}

static void
after_204_nobody_asks_again(void **state)
{
    (void)state;
    static const char *const script[] = { REPLY("204 No Content") "\r\n",
                                          NULL };
    site_open(script, "");
    start();
    await_state("over");
    assert_false(loop_timer_armed(site.stream->timer));
    source_stream_stop(site.stream, says_stopped, NULL);
    assert_false(site.stopped); /* never before it has returned */
    await(is_stopped);
    assert_int_equal(atomic_load(&site.relay.requests), 1);
    site_close();
}

static void
a_relay_that_is_not_there_is_asked_again(void **state)
{
    (void)state;
    site_open(silent, "");
    loopback_stop(&site.relay);
    start();
    await_state("waiting");
    assert_true(site.stream->pause.failures == 1);
    assert_true(site.stream->why.text[0] != '\0');
    loop_timer_arm(site.stream->timer, 0);
    await_state("connecting");
    await_state("waiting");
    assert_true(site.stream->pause.failures == 2);
    assert_true(loopback_start(&site.relay, NULL, relay_serve, NULL));
    site_close();
}

/* ---- connections that end ---- */

static void
a_connection_that_ends_is_opened_from_the_last_durable_id(void **state)
{
    (void)state;
    site_open(three, "");
    site.answers = true;
    start();
    await(all_is_durable);
    relay_cuts();
    await_state("waiting");
    assert_string_equal(site.stream->why.text, "the relay closed the stream");
    site.hurries = true;
    await_state("connected");
    assert_asked_from("3");
    assert_int_equal(site.stream->reconnects, 1);
    site_close();
}

static bool
wait_is_over(void)
{
    return !loop_timer_armed(site.stream->timer);
}

static void
it_is_not_opened_again_while_events_are_on_their_way(void **state)
{
    (void)state;
    site_open(three, "");
    site.hurries = true;
    start();
    await_submissions(3);
    relay_cuts();
    await_state("waiting");
    await(wait_is_over);
    assert_true(is_in_state());
    answer(1, VERDICT_STORED);
    answer(2, VERDICT_STORED);
    assert_int_equal(atomic_load(&site.relay.requests), 1);
    answer(0, VERDICT_STORED);
    await_state("connected");
    assert_asked_from("3");
    site_close();
}

static void
silence_ends_a_connection(void **state)
{
    (void)state;
    site_open(silent, ", liveness: 1s");
    start();
    await_state("connected");
    await_state("waiting");
    assert_true(site.stream->why.text[0] != '\0');
    site_close();
}

static void
the_relays_retry_is_kept(void **state)
{
    (void)state;
    static const char *const script[] = { HEAD "retry: 90000\n\n" E1, NULL };
    struct stream_figures figures;
    site_open(script, "");
    site.answers = true;
    start();
    await_submissions(1);
    const int64_t from_ms = clock_unix_ms();
    relay_cuts();
    await_state("waiting");
    source_stream_figures(site.stream, &figures);
    assert_true(figures.next_ms >= from_ms + 90000);
    site_close();
}

/* ---- ends ---- */

static void
it_stops_once_nothing_is_on_its_way(void **state)
{
    (void)state;
    site_open(three, "");
    start();
    await_submissions(3);
    source_stream_stop(site.stream, says_stopped, NULL);
    answer(0, VERDICT_STORED);
    answer(2, VERDICT_STORED);
    assert_false(site.stopped);
    answer(1, VERDICT_STORED);
    assert_false(site.stopped); /* the id of the last is on its way */
    assert_submitted(3, "", "3");
    answer(3, VERDICT_STORED);
    assert_true(site.stopped);
    site_close();
}

static void
it_stops_while_its_state_is_read(void **state)
{
    (void)state;
    site_open(silent, "");
    site.holds_load = true;
    start();
    source_stream_stop(site.stream, says_stopped, NULL);
    await(is_stopped);
    give_state(NULL);
    assert_null(site.stream->call);
    site_close();
}

static void
it_stops_while_it_waits(void **state)
{
    (void)state;
    static const char *const script[] = { REPLY("503 No") "\r\n", NULL };
    site_open(script, "");
    start();
    await_state("waiting");
    source_stream_stop(site.stream, says_stopped, NULL);
    await(is_stopped);
    assert_false(loop_timer_armed(site.stream->timer));
    site_close();
}

/* With the sink gone no verdict comes any more. */
static void
it_is_destroyed_in_the_middle(void **state)
{
    (void)state;
    for (size_t answered = 0; answered < 3; answered++) {
        site_open(three, "");
        start();
        await_submissions(3);
        for (size_t i = 0; i < answered; i++) {
            answer(i, i == 0 ? VERDICT_STORED : VERDICT_BUSY);
        }
        site_close();
    }
    site_open(silent, "");
    start();
    site_close();
    source_stream_destroy(NULL);
}

/* ---- memory ---- */

static void
a_stream_survives_every_failed_allocation(void **state)
{
    (void)state;
    static const char *const kept[] = { HEAD E1 E2 E3, NULL };
    long asked = 1;
    for (long n = 0; n < asked; n++) {
        site_open(kept, "");
        site.answers = true;
        site.hurries = true;
        (void)mem_fail_after(n, 0);
        start();
        await(all_is_durable);
        asked = mem_fail_after(-1, 0);
        assert_int_equal(site.stream->flight.bytes, 0);
        assert_int_equal(counted(STREAM_MALFORMED), 0);
        assert_int_equal(counted(STREAM_GIVEN_UP), 0);
        site_close();
    }
    assert_true(asked > 20);
}

static void
creating_one_survives_every_failed_allocation(void **state)
{
    (void)state;
    site_open(silent, "");
    source_stream_destroy(site.stream);
    enum status status = STATUS_NOMEM;
    for (long n = 0; status != STATUS_OK; n++) {
        (void)mem_fail_after(n, 0);
        status = source_stream_create(site.loop, site.client, &site.settings,
                                      &site.sink, &site.stream);
        (void)mem_fail_after(-1, 0);
        assert_true(status == STATUS_OK || status == STATUS_NOMEM);
    }
    site_close();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_time_it_asks_without_an_id),
        cmocka_unit_test(what_is_stored_of_this_relay_is_gone_on_from),
        cmocka_unit_test(what_cannot_be_used_is_as_nothing),
        cmocka_unit_test(a_state_that_cannot_be_read_is_read_again),
        cmocka_unit_test(a_head_that_is_no_stream_says_why_and_when_again),
        cmocka_unit_test(after_204_nobody_asks_again),
        cmocka_unit_test(a_relay_that_is_not_there_is_asked_again),
        cmocka_unit_test(
            a_connection_that_ends_is_opened_from_the_last_durable_id),
        cmocka_unit_test(it_is_not_opened_again_while_events_are_on_their_way),
        cmocka_unit_test(silence_ends_a_connection),
        cmocka_unit_test(the_relays_retry_is_kept),
        cmocka_unit_test(it_stops_once_nothing_is_on_its_way),
        cmocka_unit_test(it_stops_while_its_state_is_read),
        cmocka_unit_test(it_stops_while_it_waits),
        cmocka_unit_test(it_is_destroyed_in_the_middle),
        cmocka_unit_test(a_stream_survives_every_failed_allocation),
        cmocka_unit_test(creating_one_survives_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
