/* SPDX-License-Identifier: MIT */
#include "harness/bound.h"
#include "harness/loopback.h"

#include "base/instant.h"
#include "flow/fill.h"
#include "io/clock.h"
#include "io/http_client.h"
#include "io/loop.h"
#include "source/access.h"
#include "wire/digest.h"

enum { WAITS = 3, GUARD_MS = 20000 };

static const char file[] =
    "params: {base: {}, webhook_secret: {secret: true}}\n"
    "verify: {type: token, from: 'header:X-Token'}\n"
    "event: {id: 'json:id', mode: thin, fetch: {url: '{var:base}/o/{id}'}}\n"
    "poll: {request: {url: '{var:base}/list'}, items: '$[*]', record: {id: "
    "id}}\n"
    "recover: {mode: redeliver, redeliver: {method: POST, url: "
    "'{request.url}/{id}/again'}}\n"
    "grace: 1m\n";

/* What a delivery was told. */
struct told {
    struct fill_wait wait;
    size_t times;
    struct fill_result last;
    struct event *event;
    char detail[256];
};

static struct {
    struct loopback server;
    const char *_Atomic answer; /* NULL: none comes */
    struct loop *loop;
    struct loop_timer *guard;
    struct loop_turn *turn;
    struct http_client *client;
    struct access *access;
    struct bound bound;
    struct fills *fills;
    struct poll_host host;
    bool shares; /* the host is the walks' */
    struct told told[WAITS];
    size_t wanted;
} site;

#define ANSWER(head_, body_)                                                   \
    "HTTP/1.1 " head_ "\r\nConnection: close\r\n\r\n" body_

static void
serve(struct loopback *server, int fd)
{
    if (loopback_read(server, fd)) {
        const char *answer = site.answer;
        if (answer != NULL) {
            (void)loopback_say(fd, answer);
        } else {
            char byte;
            /* Until it is hung up. */
            while (read(fd, &byte, 1) > 0) {
            }
        }
    }
}

static void
late(void *arg)
{
    (void)arg;
    fail_msg("what was waited for has not come");
}

static size_t
count_told(void)
{
    size_t count = 0;
    for (size_t i = 0; i < WAITS; i++) {
        count += site.told[i].times;
    }
    return count;
}

static void
look(void *arg)
{
    (void)arg;
    if (count_told() >= site.wanted) {
        loop_stop(site.loop);
    }
}

static void
run_until_told(size_t count)
{
    site.wanted = count;
    loop_timer_arm(site.guard, GUARD_MS);
    loop_run(site.loop);
    loop_timer_disarm(site.guard);
}

static struct poll_host *
host_of(void *arg, const struct connector *connector)
{
    (void)arg;
    (void)connector;
    return site.shares ? &site.host : NULL;
}

static void
take(void *arg, const struct fill_result *result)
{
    struct told *told = arg;
    told->times++;
    told->last = *result;
    (void)snprintf(told->detail, sizeof(told->detail), "%.*s",
                   SLICE_ARG(result->detail));
    if (result->event != NULL) {
        told->event = event_ref(result->event);
    }
}

static void
open_with(const char *more)
{
    char entry[512];
    (void)snprintf(entry, sizeof(entry),
                   "with: {base: 'http://127.0.0.1:%u', webhook_secret: s}\n%s",
                   (unsigned)site.server.port, more);
    bound_texts(&site.bound, file, entry, "");
    bound_must(&site.bound);
    assert_int_equal(fills_create(site.loop, site.access, &site.bound.connector,
                                  1, &site.fills),
                     STATUS_OK);
    fills_share(site.fills, host_of, NULL);
}

static int
set_up(void **state)
{
    (void)state;
    const struct http_client_settings client = { .connections = 8,
                                                 .connections_per_host = 8,
                                                 .user_agent = "test" };
    struct error err = { 0 };
    memset(&site, 0, sizeof(site));
    assert_true(loopback_start(&site.server, NULL, serve, NULL));
    assert_int_equal(loop_create(&site.loop), STATUS_OK);
    assert_int_equal(loop_timer_create(site.loop, late, NULL, &site.guard),
                     STATUS_OK);
    assert_int_equal(loop_turn_create(site.loop, look, NULL, &site.turn),
                     STATUS_OK);
    assert_int_equal(http_client_create(site.loop, &client, &site.client, &err),
                     STATUS_OK);
    assert_int_equal(access_create(site.loop, site.client, NULL, &site.access),
                     STATUS_OK);
    return 0;
}

static void
forget(struct told *told)
{
    fill_leave(&told->wait);
    event_unref(told->event);
    *told = (struct told){ 0 };
}

static void
close_fills(void)
{
    for (size_t i = 0; i < WAITS; i++) {
        forget(&site.told[i]);
    }
    fills_destroy(site.fills);
    site.fills = NULL;
    bound_fini(&site.bound);
}

static int
tear_down(void **state)
{
    (void)state;
    access_destroy(site.access);
    http_client_destroy(site.client);
    loop_turn_destroy(site.turn);
    loop_timer_destroy(site.guard);
    loop_destroy(site.loop);
    loopback_stop(&site.server);
    return 0;
}

/* Asks for an event of this number in the name of delivery `i`. */
static void
bring(size_t i, uint64_t number, enum event_needs needs, int64_t asked_ms)
{
    const struct event from = { .number = number,
                                .via = needs == NEEDS_HOOK ? CHANNEL_POLL
                                                           : CHANNEL_WEBHOOK,
                                .needs = needs,
                                .asked_ms = asked_ms,
                                .id = SLICE("e"),
                                .body = SLICE("{\"id\":\"a\"}") };
    struct event *event;
    assert_int_equal(event_create(&from, &event), STATUS_OK);
    site.told[i].wait.done = take;
    site.told[i].wait.arg = &site.told[i];
    fills_bring(site.fills, &site.bound.connector, event, &site.told[i].wait);
    event_unref(event);
}

static void
one_request_serves_all_deliveries_of_an_event(void **state)
{
    (void)state;
    site.answer = ANSWER("200 OK", "{\"whole\":1}");
    open_with("");
    bring(0, 7, NEEDS_FETCH, 0);
    bring(1, 7, NEEDS_FETCH, 0);
    assert_int_equal(count_told(), 0);
    run_until_told(2);
    /* It stays for who comes while another is not over. */
    forget(&site.told[0]);
    bring(2, 7, NEEDS_FETCH, 0);
    assert_int_equal(site.told[2].times, 1);
    for (size_t i = 1; i < WAITS; i++) {
        const struct told *told = &site.told[i];
        assert_int_equal(told->last.disposition, DISPOSITION_DONE);
        assert_int_equal(told->event->needs, NEEDS_NOTHING);
        assert_int_equal(told->event->filled, FILLED_BY_FETCH);
        assert_true(slice_equal_text(told->event->body, "{\"whole\":1}"));
        assert_true(slice_equal_text(told->event->id, "e"));
    }
    assert_int_equal(site.server.requests, 1);
    /* When the last is over it is gone, and asked for anew. */
    forget(&site.told[1]);
    forget(&site.told[2]);
    bring(0, 7, NEEDS_FETCH, 0);
    run_until_told(1);
    assert_int_equal(site.server.requests, 2);
    close_fills();
}

static void
a_failure_is_told_to_all_and_asked_anew(void **state)
{
    (void)state;
    site.answer = ANSWER("500 Oops", "");
    open_with("");
    bring(0, 7, NEEDS_FETCH, 0);
    bring(1, 7, NEEDS_FETCH, 0);
    run_until_told(2);
    assert_string_equal(site.told[0].detail, "fetch: HTTP 500");
    assert_string_equal(site.told[1].detail, "fetch: HTTP 500");
    assert_int_equal(site.told[0].last.disposition, DISPOSITION_LATER);
    assert_false(site.told[0].last.untried);
    site.answer = ANSWER("200 OK", "{}");
    bring(2, 7, NEEDS_FETCH, 0);
    run_until_told(3);
    assert_int_equal(site.told[2].last.disposition, DISPOSITION_DONE);
    assert_int_equal(site.server.requests, 2);
    close_fills();
}

static void
answers_are_worth_what_they_say(void **state)
{
    (void)state;
    static const struct {
        const char *more;
        enum event_needs needs;
        const char *answer;
        enum disposition disposition;
        bool waits;
        bool later;         /* not before some time */
        const char *reason; /* words of a dead letter */
        const char *detail;
    } rows[] = {
        { "", NEEDS_FETCH, ANSWER("404 No", "{}"), DISPOSITION_LATER, false,
          false, NULL, "fetch: HTTP 404" },
        { "event: {fetch: {gone: dead}}", NEEDS_FETCH, ANSWER("410 No", "{}"),
          DISPOSITION_NEVER, false, false, "gone from the provider",
          "fetch: HTTP 410" },
        { "", NEEDS_FETCH, ANSWER("429 Wait\r\nRetry-After: 30", "{}"),
          DISPOSITION_LATER, false, true, NULL, "asked to wait" },
        { "", NEEDS_FETCH, ANSWER("200 OK", "<html>"), DISPOSITION_LATER, false,
          false, NULL, "fetch: the answer is not JSON" },
        { "poll: {max_body: 1KiB}", NEEDS_FETCH,
          ANSWER("200 OK\r\nContent-Length: 4096", ""), DISPOSITION_LATER,
          false, false, NULL, "fetch: " },
        { "event: {fetch: {url: '{var:base}/{nowhere}'}}", NEEDS_FETCH,
          ANSWER("200 OK", "{}"), DISPOSITION_LATER, false, false, NULL,
          "the URL cannot be filled" },
        { "", NEEDS_HOOK, ANSWER("202 OK", ""), DISPOSITION_LATER, true, true,
          "has not come", "was asked for again" },
        { "", NEEDS_HOOK, ANSWER("500 Oops", ""), DISPOSITION_LATER, false,
          false, NULL, "redeliver: HTTP 500" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int64_t now_ms = clock_unix_ms();
        site.answer = rows[i].answer;
        open_with(rows[i].more);
        bring(0, 7, rows[i].needs, 0);
        run_until_told(1);
        const struct fill_result *last = &site.told[0].last;
        const char *reason = last->reason == NULL ? "" : last->reason;
        if (last->disposition != rows[i].disposition ||
            last->waits != rows[i].waits ||
            (last->asked_ms != 0) != rows[i].waits ||
            (last->not_before_ms > now_ms + 20000) != rows[i].later ||
            (last->reason == NULL) != (rows[i].reason == NULL) ||
            (rows[i].reason && strstr(reason, rows[i].reason) == NULL) ||
            strstr(site.told[0].detail, rows[i].detail) == NULL) {
            fail_msg("%zu: %d %s (%s)", i, (int)last->disposition,
                     site.told[0].detail, reason);
        }
        close_fills();
    }
}

static void
who_is_to_be_left_alone_is_not_asked(void **state)
{
    (void)state;
    site.answer = ANSWER("429 Wait\r\nRetry-After: 30", "{}");
    site.shares = true;
    poll_host_init(&site.host, (struct quota){ 0 });
    open_with("");
    bring(0, 7, NEEDS_FETCH, 0);
    run_until_told(1);
    /* The walks of the connector wait as well. */
    assert_true(site.host.not_before_ms > loop_now_ms(site.loop) + 20000);
    bring(1, 8, NEEDS_FETCH, 0);
    assert_int_equal(site.told[1].times, 1);
    assert_int_equal(site.told[1].last.disposition, DISPOSITION_LATER);
    assert_true(site.told[1].last.untried);
    assert_true(site.told[1].last.not_before_ms > clock_unix_ms() + 20000);
    assert_int_equal(site.server.requests, 1);
    close_fills();
}

static void
a_webhook_is_not_asked_for_again_within_grace(void **state)
{
    (void)state;
    site.answer = ANSWER("202 OK", "");
    open_with("");
    int64_t asked_ms = clock_unix_ms() - 10000;
    bring(0, 7, NEEDS_HOOK, asked_ms);
    assert_int_equal(site.told[0].times, 1);
    assert_true(site.told[0].last.untried && site.told[0].last.waits);
    assert_int_equal(site.told[0].last.not_before_ms, asked_ms + 60000);
    forget(&site.told[0]);
    bring(0, 7, NEEDS_HOOK, asked_ms - 60000);
    run_until_told(1);
    /* It has not come: now that is a failure. */
    assert_false(site.told[0].last.untried);
    assert_int_equal(site.server.requests, 1);
    bring(1, 8, NEEDS_HOOK, 0);
    run_until_told(2);
    assert_true(site.told[1].last.untried && site.told[1].last.waits);
    /* A thin one that has come is fetched, whenever it was asked for. */
    site.answer = ANSWER("200 OK", "{}");
    bring(2, 9, NEEDS_FETCH, asked_ms);
    run_until_told(3);
    assert_int_equal(site.told[2].last.disposition, DISPOSITION_DONE);
    close_fills();
}

static void
what_is_cancelled_was_not_tried(void **state)
{
    (void)state;
    site.answer = NULL;
    open_with("");
    bring(0, 7, NEEDS_FETCH, 0);
    fills_cancel(site.fills);
    assert_int_equal(count_told(), 0);
    run_until_told(1);
    assert_int_equal(site.told[0].last.disposition, DISPOSITION_LATER);
    assert_true(site.told[0].last.untried);
    /* Cut off: nobody is told. */
    bring(1, 8, NEEDS_FETCH, 0);
    close_fills();
}

static void
without_memory_a_delivery_is_told_once_all_the_same(void **state)
{
    (void)state;
    bool is_whole = false;
    site.answer = ANSWER("200 OK", "{\"whole\":1}");
    open_with("");
    for (long n = 0; !is_whole; n++) {
        const struct event from = { .number = 7,
                                    .needs = NEEDS_FETCH,
                                    .body = SLICE("{\"id\":\"a\"}") };
        struct event *event;
        assert_int_equal(event_create(&from, &event), STATUS_OK);
        site.told[0].wait.done = take;
        site.told[0].wait.arg = &site.told[0];
        mem_fail_after(n, 0);
        fills_bring(site.fills, &site.bound.connector, event,
                    &site.told[0].wait);
        if (site.told[0].times == 0) {
            run_until_told(1);
        }
        mem_fail_after(-1, 0);
        event_unref(event);
        assert_int_equal(site.told[0].times, 1);
        is_whole = site.told[0].last.disposition == DISPOSITION_DONE;
        assert_true(is_whole || site.told[0].detail[0] != '\0');
        forget(&site.told[0]);
        assert_true(n < 500);
    }
    close_fills();
}

int
main(void)
{
#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        ROW(one_request_serves_all_deliveries_of_an_event),
        ROW(a_failure_is_told_to_all_and_asked_anew),
        ROW(answers_are_worth_what_they_say),
        ROW(who_is_to_be_left_alone_is_not_asked),
        ROW(a_webhook_is_not_asked_for_again_within_grace),
        ROW(what_is_cancelled_was_not_tried),
        ROW(without_memory_a_delivery_is_told_once_all_the_same),
    };
    if (digest_init(NULL) != STATUS_OK) {
        return 1;
    }
    return cmocka_run_group_tests_name("fill", tests, NULL, NULL);
}
