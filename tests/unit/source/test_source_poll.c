/* SPDX-License-Identifier: MIT */
#include "harness/bound.h"

#include <stdlib.h>

#include "base/instant.h"
#include "io/clock.h"
#include "io/http_client.h"
#include "io/http_server.h"
#include "io/loop.h"
#include "source/source_poll.h"
#include "wire/digest.h"

enum { SCRIPT_MAX = 16, SUBMITTED_MAX = 32 };

/* What the provider answers to its n-th request. */
struct answer {
    unsigned status; /* 0: none, until the test says so */
    const char *name;
    const char *value; /* one more field */
    const char *body;
};

/* What the sink was given. */
struct submitted {
    char ids[128]; /* "a b c" */
    char bodies[512];
    char state[1024];
    bool has_walk;
    bool has_gap;
    int64_t hw_ms;
};

struct site {
    struct loop *loop;
    struct loop_timer *guard;
    struct loop_turn *turn;
    bool (*until)(void);
    struct bound bound;
    char base[64];
    /* The provider. */
    struct http_server *server;
    const struct answer *script;
    size_t requests;
    char targets[SCRIPT_MAX][256];
    char authorization[64];
    struct http_exchange *held;
    /* The sink. */
    struct source_sink sink;
    struct submitted submitted[SUBMITTED_MAX];
    size_t submissions;
    enum verdict_kind verdicts[SUBMITTED_MAX]; /* 0 is STORED */
    bool holds_load;
    bool holds_known;
    bool holds_verdict;
    char stored[1024]; /* the durable state */
    const char *known; /* ids the ledger knows, "a c" */
    bool answers_known[8];
    struct arrival *arrival;
    verdict_fn *verdict;
    void (*loaded)(void *arg, enum status status, struct slice state,
                   const struct error *err);
    enum status load_status; /* what loading says, if not OK */
    void (*looked_up)(void *arg, enum status status, const bool *known);
    void *arg;
    size_t loads;
    size_t look_ups;
    /* The source. */
    struct http_client *client;
    struct poll_account account;
    struct source_poll_settings settings;
    struct source_poll *poll;
    size_t ends;
    size_t outcomes[POLL_OUTCOME_COUNT];
    struct poll_ended ended;
    char why[512];
    size_t asks;
    struct poll_asked asked;
    char asked_url[256];
    bool stopped;
    size_t wanted;
};

static struct site site;

/* ---- the loop ---- */

static void
late(void *arg)
{
    (void)arg;
    fail_msg("what was waited for has not come: %zu requests, %zu ends, '%s'",
             site.requests, site.ends, site.why);
}

static void
look(void *arg)
{
    (void)arg;
    if (site.until != NULL && site.until()) {
        site.until = NULL;
        loop_stop(site.loop);
    }
}

static void
run(bool (*until)(void))
{
    site.until = until;
    loop_timer_arm(site.guard, 20000);
    loop_run(site.loop);
    loop_timer_disarm(site.guard);
}

static void
wake(void *arg)
{
    loop_stop(arg);
}

static void
rest(int64_t ms)
{
    struct loop_timer *timer;
    assert_int_equal(loop_timer_create(site.loop, wake, site.loop, &timer),
                     STATUS_OK);
    loop_timer_arm(timer, ms);
    loop_run(site.loop);
    loop_timer_destroy(timer);
}

static bool
has_ended(void)
{
    return site.ends >= site.wanted;
}

static void
await_ends(size_t count)
{
    site.wanted = count;
    run(has_ended);
}

static bool
has_requests(void)
{
    return site.requests >= site.wanted;
}

static void
await_requests(size_t count)
{
    site.wanted = count;
    run(has_requests);
}

static bool
is_held(void)
{
    return site.held != NULL;
}

static bool
is_stopped(void)
{
    return site.stopped;
}

/* ---- the provider ---- */

static unsigned
provider_head(void *arg, const struct http_request *request, struct slice peer,
              size_t *body_limit, struct http_answer *refusal)
{
    (void)arg;
    (void)request;
    (void)peer;
    (void)body_limit;
    (void)refusal;
    return 0;
}

static void
provider_answer(struct http_exchange *exchange, const struct answer *answer)
{
    const struct http_field fields[] = {
        { slice_of(answer->name == NULL ? "X-None" : answer->name),
          slice_of(answer->value == NULL ? "1" : answer->value) },
        { SLICE("X-Reset"), SLICE("1") },
    };
    const struct http_answer reply = { .status = answer->status,
                                       .content_type =
                                           slice_of("application/json"),
                                       .body = slice_of(answer->body),
                                       .fields = { fields, 2 } };
    http_exchange_answer(exchange, &reply);
}

static void
provider_request(void *arg, struct http_exchange *exchange)
{
    (void)arg;
    const struct http_request *request = http_exchange_request(exchange);
    const struct answer *answer = site.script;
    struct slice field = { NULL, 0 };
    size_t at = site.requests < SCRIPT_MAX ? site.requests : SCRIPT_MAX - 1;
    for (size_t i = 0; i < site.requests && answer[1].body != NULL; i++) {
        answer++; /* the last one stays */
    }
    (void)snprintf(site.targets[at], sizeof(site.targets[at]), "%.*s",
                   SLICE_ARG(request->target));
    (void)http_field_find(request->fields, "Authorization", &field);
    (void)snprintf(site.authorization, sizeof(site.authorization), "%.*s",
                   SLICE_ARG(field));
    site.requests++;
    if (answer->status == 0) {
        site.held = exchange;
    } else {
        provider_answer(exchange, answer);
    }
}

/* ---- the sink ---- */

static void
give_verdict(void *arg)
{
    (void)arg;
    const struct verdict verdict = {
        .kind = site.verdicts[site.submissions - 1],
        .fresh = site.arrival->sighting_count,
        .why = SLICE("the sink's words"),
    };
    if (verdict.kind == VERDICT_STORED && site.arrival->has_walk) {
        (void)snprintf(site.stored, sizeof(site.stored), "%.*s",
                       SLICE_ARG(site.arrival->walk_state));
    }
    struct arrival *arrival = site.arrival;
    void *poll = site.arg;
    site.arrival = NULL;
    site.arg = NULL;
    site.verdict(poll, &verdict);
    arrival_destroy(arrival);
}

static void
sink_submit(void *self, struct arrival *arrival, verdict_fn *done, void *arg)
{
    (void)self;
    assert_int_equal(arrival->kind, ARRIVAL_PAGE);
    assert_null(site.arrival);
    assert_true(site.submissions < SUBMITTED_MAX);
    struct submitted *kept = &site.submitted[site.submissions++];
    size_t used = 0;
    size_t bodies = 0;
    for (size_t i = 0; i < arrival->sighting_count; i++) {
        const struct sighting *sighting = &arrival->sightings[i];
        used += (size_t)snprintf(kept->ids + used, sizeof(kept->ids) - used,
                                 "%s%.*s", i == 0 ? "" : " ",
                                 SLICE_ARG(sighting->id));
        bodies += (size_t)snprintf(kept->bodies + bodies,
                                   sizeof(kept->bodies) - bodies, "%.*s\n",
                                   SLICE_ARG(sighting->body));
    }
    (void)snprintf(kept->state, sizeof(kept->state), "%.*s",
                   SLICE_ARG(arrival->walk_state));
    kept->has_walk = arrival->has_walk;
    kept->has_gap = arrival->has_gap;
    kept->hw_ms = arrival->hw_ms;
    site.arrival = arrival;
    site.verdict = done;
    site.arg = arg;
    if (!site.holds_verdict) {
        while (loop_defer(site.loop, give_verdict, NULL) != STATUS_OK) {
        }
    }
}

static bool
sink_has_room(void *self)
{
    (void)self;
    return true;
}

static bool
sink_is_writable(void *self)
{
    (void)self;
    return true;
}

static void
give_state(void *arg)
{
    (void)arg;
    void *poll = site.arg;
    site.arg = NULL;
    enum status status = site.load_status != STATUS_OK ? site.load_status
                         : site.stored[0] == '\0'      ? STATUS_NOT_FOUND
                                                       : STATUS_OK;
    site.load_status = STATUS_OK;
    site.loaded(poll, status, slice_of(site.stored), NULL);
}

static void
sink_load(void *self, const struct connector *connector, unsigned tier,
          void (*done)(void *arg, enum status status, struct slice state,
                       const struct error *err),
          void *arg)
{
    (void)self;
    (void)connector;
    assert_int_equal(tier, 0);
    site.loads++;
    site.loaded = done;
    site.arg = arg;
    if (!site.holds_load) {
        while (loop_defer(site.loop, give_state, NULL) != STATUS_OK) {
        }
    }
}

static void
give_known(void *arg)
{
    (void)arg;
    void *poll = site.arg;
    site.arg = NULL;
    site.looked_up(poll, STATUS_OK, site.answers_known);
}

static void
sink_known(void *self, const struct sighting *sightings, size_t count,
           void (*done)(void *arg, enum status status, const bool *known),
           void *arg)
{
    (void)self;
    assert_true(count <= 8);
    for (size_t i = 0; i < count; i++) {
        site.answers_known[i] =
            site.known != NULL && sightings[i].id.len > 0 &&
            slice_find_slice(slice_of(site.known), sightings[i].id) != SIZE_MAX;
    }
    site.look_ups++;
    site.looked_up = done;
    site.arg = arg;
    if (!site.holds_known) {
        while (loop_defer(site.loop, give_known, NULL) != STATUS_OK) {
        }
    }
}

/* ---- the source ---- */

static void
note_asked(void *arg, const struct poll_asked *asked)
{
    (void)arg;
    site.asks++;
    site.asked = *asked;
    assert_true(asked->url.len < sizeof(site.asked_url));
    memcpy(site.asked_url, asked->url.ptr, asked->url.len);
    site.asked_url[asked->url.len] = '\0';
    assert_true(slice_equal_text(asked->method, "GET"));
}

static void
note_ended(void *arg, const struct poll_ended *ended)
{
    (void)arg;
    site.ends++;
    site.outcomes[ended->outcome]++;
    site.ended = *ended;
    (void)snprintf(site.why, sizeof(site.why), "%.*s", SLICE_ARG(ended->why));
}

static void
says_stopped(void *arg)
{
    (void)arg;
    site.stopped = true;
}

static void
make_poll(void)
{
    assert_int_equal(source_poll_create(site.loop, site.client, &site.settings,
                                        &site.sink, &site.poll),
                     STATUS_OK);
    site.stopped = false;
}

#define PARAMS                                                                 \
    "params:\n"                                                                \
    "  base: {}\n"                                                             \
    "  api_key: {secret: true}\n"

/* A list in ascending order, in pages with a token. */
static const char pages[] = PARAMS
    "poll:\n"
    "  request: {url: '{var:base}/v1/list',\n"
    "            query: {since: '{cursor}', page: '{page}'}}\n"
    "  auth: {type: bearer}\n"
    "  items: '$.rows[*]'\n"
    "  order: asc\n"
    "  start: 2026-09-01T00:00:00Z\n"
    "  cursor: {kind: time, from: at, format: iso8601, inclusive: true}\n"
    "  pages: {kind: token, from: 'json:next'}\n"
    "  limit: {remaining: 'header:X-Left',\n"
    "          reset: {from: 'header:X-Reset', unit: delta_s}}\n"
    "  record: {id: '{id}', type: t, time: at}\n"
    "match: {mode: event, same_id: true}\n";

/* One page, newest first, with a detail for each row, and no filter. */
static const char details[] =
    PARAMS "poll:\n"
           "  request: {url: '{var:base}/v1/list'}\n"
           "  auth: {type: bearer}\n"
           "  items: '$.rows[*]'\n"
           "  order: desc\n"
           "  start: 2026-09-01T00:00:00Z\n"
           "  cursor: {kind: time, from: at, format: iso8601, send: false}\n"
           "  pages: {kind: none}\n"
           "  follow: {url: '{request.url}/{id}', body: payload}\n"
           "  record: {id: '{id}', type: t, time: at}\n"
           "match: {mode: event, same_id: true}\n";

static void
site_open(const char *connector, const struct answer *script)
{
    static const struct http_server_limits limits = {
        .request = { .head_bytes = 16384,
                     .field_count = 100,
                     .body_bytes = 4096 },
        .connections = 100,
        .connections_per_address = 100,
        .head_timeout_ms = 10000,
        .body_timeout_ms = 10000,
        .idle_timeout_ms = 10000,
        .write_timeout_ms = 10000,
    };
    static const struct http_client_settings client = { .connections = 4,
                                                        .connections_per_host =
                                                            4 };
    static const struct http_server_handler handler = { .head = provider_head,
                                                        .request =
                                                            provider_request };
    char entry[256];
    struct error err = { "" };
    memset(&site, 0, sizeof(site));
    site.script = script;
    assert_int_equal(digest_init(NULL), STATUS_OK);
    assert_int_equal(loop_create(&site.loop), STATUS_OK);
    assert_int_equal(loop_timer_create(site.loop, late, NULL, &site.guard),
                     STATUS_OK);
    assert_int_equal(loop_turn_create(site.loop, look, NULL, &site.turn),
                     STATUS_OK);
    if (http_server_create(site.loop, "127.0.0.1:0", 0600, &limits, &handler,
                           &site.server, &err) != STATUS_OK) {
        fail_msg("%s", err.text);
    }
    (void)snprintf(site.base, sizeof(site.base), "http://127.0.0.1:%u",
                   http_server_port(site.server));
    (void)snprintf(entry, sizeof(entry),
                   "use: shop\nwith: {base: '%s', api_key: k3y}\n", site.base);
    bound_texts(&site.bound, connector, entry, NULL);
    bound_must(&site.bound);
    assert_int_equal(http_client_create(site.loop, &client, &site.client, &err),
                     STATUS_OK);
    site.sink = (struct source_sink){ .submit = sink_submit,
                                      .has_room = sink_has_room,
                                      .is_writable = sink_is_writable,
                                      .load = sink_load,
                                      .known = sink_known };
    site.settings = (struct source_poll_settings){
        .connector = &site.bound.connector,
        .overlap_ms = 120000,
        .cadence = { .every_ms = INSTANT_HOUR_MS },
        .account = &site.account,
        .observer = { NULL, note_asked, note_ended },
        .seed = 7,
    };
    make_poll();
}

static void
site_close(void)
{
    source_poll_destroy(site.poll);
    arrival_destroy(site.arrival);
    http_client_destroy(site.client);
    http_server_destroy(site.server);
    if (site.held != NULL) {
        provider_answer(site.held, &(struct answer){ .status = 200 });
    }
    loop_turn_destroy(site.turn);
    loop_timer_destroy(site.guard);
    loop_destroy(site.loop);
    bound_fini(&site.bound);
}

static void
start(void)
{
    source_poll_start(site.poll);
}

static void
assert_submitted(size_t at, const char *ids)
{
    assert_true(at < site.submissions);
    assert_string_equal(site.submitted[at].ids, ids);
    assert_true(site.submitted[at].has_walk);
}

/* The first submission with rows. */
static const struct submitted *
first_rows(void)
{
    for (size_t i = 0; i < site.submissions; i++) {
        if (site.submitted[i].ids[0] != '\0') {
            return &site.submitted[i];
        }
    }
    fail_msg("no row was submitted");
    return &site.submitted[0];
}

#define ROW(id, at) "{\"id\":\"" id "\",\"at\":\"2026-09-" at "T00:00:00Z\"}"
#define PAGE_1                                                                 \
    "{\"rows\":[" ROW("a", "02") "," ROW("b", "03") "],\"next\":\"p2\"}"
#define PAGE_2 "{\"rows\":[" ROW("c", "04") "]}"

static const struct answer two_pages[] = {
    { 200, NULL, NULL, PAGE_1 },
    { 200, NULL, NULL, PAGE_2 },
    { 200, NULL, NULL, "{\"rows\":[]}" },
    { 0, NULL, NULL, NULL },
};

/* ---- the happy path ---- */

static void
a_walk_asks_page_after_page_and_each_is_stored(void **state)
{
    (void)state;
    site_open(pages, two_pages);
    assert_true(source_poll_lowest(site.poll) == INT64_MIN);
    start();
    await_ends(1);
    assert_int_equal(site.ended.outcome, POLL_OK);
    assert_int_equal(site.ended.rows, 3);
    assert_int_equal(site.ended.fresh, 3);
    assert_int_equal(site.ended.pages, 2);
    assert_int_equal(site.requests, 2);
    assert_string_equal(site.authorization, "Bearer k3y");
    assert_non_null(strstr(site.targets[0], "since=2026-0"));
    assert_null(strstr(site.targets[0], "page="));
    assert_non_null(strstr(site.targets[1], "page=p2"));
    assert_string_equal(first_rows()->ids, "a b");
    assert_submitted(site.submissions - 1, "c");
    assert_true(source_poll_complete_until(site.poll) > 0);
    assert_true(source_poll_lowest(site.poll) > INT64_MIN);
    assert_int_equal(source_poll_failures(site.poll), 0);
    site_close();
}

static void
the_observer_is_told_of_each_request(void **state)
{
    (void)state;
    site_open(pages, two_pages);
    start();
    await_ends(1);
    assert_int_equal(site.asks, 2);
    assert_int_equal(site.asked.status, 200);
    assert_int_equal(site.asked.rows, 1);
    assert_int_equal(site.asked.fresh, 1);
    assert_non_null(strstr(site.asked_url, "/v1/list?"));
    assert_true(site.ended.next_ms > clock_unix_ms());
    site_close();
}

static void
the_watermark_moves_behind_the_last_page_only(void **state)
{
    (void)state;
    site_open(pages, two_pages);
    start();
    await_ends(1);
    size_t last = site.submissions - 1;
    for (size_t i = 0; i < last; i++) {
        assert_int_equal(site.submitted[i].hw_ms, 0);
    }
    assert_true(site.submitted[last].hw_ms > 0);
    site_close();
}

static void
walks_come_one_after_another(void **state)
{
    (void)state;
    site_open(pages, two_pages);
    source_poll_destroy(site.poll);
    site.settings.cadence.every_ms = 30;
    make_poll();
    start();
    await_ends(3);
    assert_int_equal(site.outcomes[POLL_OK], 3);
    assert_int_equal(site.requests, 4);
    site_close();
}

static void
without_a_filter_what_lies_below_is_left_out_and_the_order_turned(void **state)
{
    (void)state;
    static const struct answer script[] = {
        { 200, NULL, NULL,
          "{\"rows\":[" ROW("d", "05") "," ROW(
              "c", "04") ","
                         "{\"id\":\"old\",\"at\":\"2026-08-30T00:00:00Z\"}]}" },
        { 200, NULL, NULL, "{\"payload\":{\"x\":1}}" },
        { 0, NULL, NULL, NULL },
    };
    site_open(details, script);
    start();
    await_ends(1);
    assert_int_equal(site.ended.outcome, POLL_OK);
    assert_string_equal(first_rows()->ids, "c d");
    site_close();
}

/* ---- failures ---- */

struct failing {
    const char *name;
    struct answer answer;
    const char *why;
};

static const struct failing failings[] = {
    { "HTML with 200", { 200, NULL, NULL, "<html>welcome</html>" }, NULL },
    { "an error in JSON", { 200, NULL, NULL, "{\"error\":\"no\"}" }, NULL },
    { "half an answer", { 200, NULL, NULL, "{\"rows\":[" }, NULL },
    { "a server error", { 500, NULL, NULL, "{}" }, "HTTP 500" },
    { "not found", { 404, NULL, NULL, "" }, "HTTP 404" },
    { "not allowed", { 401, NULL, NULL, "" }, "HTTP 401" },
    { "a redirect", { 302, "Location", "/elsewhere", "" }, "HTTP 302" },
    { "a row without an id",
      { 200, NULL, NULL, "{\"rows\":[{\"at\":\"2026-09-02T00:00:00Z\"}]}" },
      "row 1" },
    { "unchanged, unasked", { 304, NULL, NULL, "" }, NULL },
};

static void
a_failed_walk_says_why_and_is_begun_again(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(failings) / sizeof(failings[0]); i++) {
        const struct failing *row = &failings[i];
        struct answer script[] = { row->answer, two_pages[1], two_pages[3] };
        site_open(pages, script);
        start();
        await_ends(1);
        if (site.ended.outcome != POLL_FAILED || site.ended.failures != 1 ||
            site.why[0] == '\0' ||
            (row->why != NULL && strstr(site.why, row->why) == NULL)) {
            fail_msg("%s: outcome %d, '%s'", row->name, (int)site.ended.outcome,
                     site.why);
        }
        assert_int_equal(source_poll_complete_until(site.poll), 0);
        /* Not after the hour of its interval: 1 s, with jitter. */
        await_ends(2);
        assert_int_equal(site.ended.outcome, POLL_OK);
        assert_int_equal(source_poll_failures(site.poll), 0);
        assert_string_equal(first_rows()->ids, "c");
        site_close();
    }
}

static void
a_provider_that_is_not_there_is_a_failure(void **state)
{
    (void)state;
    site_open(pages, two_pages);
    http_server_destroy(site.server);
    site.server = NULL;
    start();
    await_ends(2);
    assert_int_equal(site.outcomes[POLL_FAILED], 2);
    assert_int_equal(site.ended.failures, 2);
    assert_int_equal(site.asked.status, 0);
    site_close();
}

static void
a_page_the_store_did_not_take_is_asked_again(void **state)
{
    (void)state;
    static const struct answer script[] = {
        { 200, NULL, NULL, PAGE_2 },
        { 0, NULL, NULL, NULL },
    };
    site_open(pages, script);
    site.verdicts[0] = VERDICT_STORED; /* the start of the walk */
    site.verdicts[1] = VERDICT_BUSY;
    start();
    await_ends(1);
    assert_int_equal(site.ended.outcome, POLL_FAILED);
    assert_non_null(strstr(site.why, "the sink's words"));
    await_ends(2);
    assert_int_equal(site.ended.outcome, POLL_OK);
    assert_int_equal(site.requests, 2);
    assert_string_equal(site.targets[0], site.targets[1]);
    assert_submitted(site.submissions - 1, "c");
    site_close();
}

static void
a_state_that_cannot_be_read_is_read_again(void **state)
{
    (void)state;
    site_open(pages, two_pages);
    site.load_status = STATUS_IO;
    start();
    await_ends(1);
    assert_int_equal(site.ended.outcome, POLL_FAILED);
    assert_int_equal(site.requests, 0);
    assert_true(source_poll_lowest(site.poll) == INT64_MIN);
    await_ends(2);
    assert_int_equal(site.ended.outcome, POLL_OK);
    assert_int_equal(site.loads, 2);
    site_close();
}

/* Webhooks that signal, faster than the wait after a failure. */
static void
pokes_do_not_put_off_the_walk_after_a_failure(void **state)
{
    (void)state;
    static const struct answer script[] = {
        { 500, NULL, NULL, "{}" },
        { 200, NULL, NULL, PAGE_2 },
        { 0, NULL, NULL, NULL },
    };
    site_open(pages, script);
    start();
    await_ends(1);
    int64_t until_ms = clock_monotonic_ms() + 5000;
    while (site.ends < 2 && clock_monotonic_ms() < until_ms) {
        source_poll_poke(site.poll);
        rest(20);
    }
    assert_int_equal(site.outcomes[POLL_OK] > 0, 1);
    site_close();
}

/* ---- limits ---- */

static void
a_limit_pauses_the_walk_which_then_goes_on(void **state)
{
    (void)state;
    static const struct answer script[] = {
        { 200, NULL, NULL, PAGE_1 },
        { 429, "Retry-After", "1", "{}" },
        { 200, NULL, NULL, PAGE_2 },
        { 0, NULL, NULL, NULL },
    };
    site_open(pages, script);
    start();
    await_ends(1);
    assert_int_equal(site.ended.outcome, POLL_LIMITED);
    assert_int_equal(site.asked.status, 429);
    assert_int_equal(site.asked.wait_ms, 1000);
    int64_t limited_ms = clock_monotonic_ms();
    await_ends(2);
    assert_true(clock_monotonic_ms() - limited_ms >= 990);
    assert_int_equal(site.ended.outcome, POLL_OK);
    /* The page that was refused, not the walk from its beginning. */
    assert_string_equal(site.targets[1], site.targets[2]);
    assert_int_equal(site.ended.rows, 3);
    site_close();
}

static void
a_limit_without_a_wait_is_not_asked_again_at_once(void **state)
{
    (void)state;
    static const struct answer script[] = {
        { 503, NULL, NULL, "" },
        { 200, NULL, NULL, PAGE_2 },
        { 0, NULL, NULL, NULL },
    };
    site_open(pages, script);
    start();
    await_ends(1);
    assert_int_equal(site.ended.outcome, POLL_LIMITED);
    rest(300);
    assert_int_equal(site.requests, 1);
    site_close();
}

static void
the_budget_spaces_the_pages(void **state)
{
    (void)state;
    site_open(pages, two_pages);
    site.account.budget = (struct quota){ .count = 1, .per_ms = 300 };
    int64_t begun_ms = clock_monotonic_ms();
    start();
    await_ends(1);
    assert_int_equal(site.ended.outcome, POLL_OK);
    assert_true(clock_monotonic_ms() - begun_ms >= 290);
    site_close();
}

static void
a_good_answer_that_says_nothing_remains_is_obeyed(void **state)
{
    (void)state;
    static const struct answer script[] = {
        { 200, "X-Left", "0", PAGE_1 },
        { 200, NULL, NULL, PAGE_2 },
        { 0, NULL, NULL, NULL },
    };
    site_open(pages, script);
    int64_t begun_ms = clock_monotonic_ms();
    start();
    await_ends(1);
    assert_int_equal(site.ended.outcome, POLL_OK);
    assert_true(clock_monotonic_ms() - begun_ms >= 990);
    site_close();
}

/* ---- follow ---- */

static const struct answer followed[] = {
    { 200, NULL, NULL,
      "{\"rows\":[" ROW("d", "05") "," ROW("c", "04") "," ROW("b", "03") "]}" },
    { 200, NULL, NULL, "{\"payload\":{\"of\":\"d\"}}" },
    { 200, NULL, NULL, "{\"payload\":{\"of\":\"b\"}}" },
    { 0, NULL, NULL, NULL },
};

static void
rows_that_are_not_known_get_their_details(void **state)
{
    (void)state;
    site_open(details, followed);
    site.known = "c";
    start();
    await_ends(1);
    assert_int_equal(site.ended.outcome, POLL_OK);
    assert_int_equal(site.requests, 3);
    assert_string_equal(site.targets[1], "/v1/list/d");
    assert_string_equal(site.targets[2], "/v1/list/b");
    assert_string_equal(first_rows()->ids, "b c d");
    assert_string_equal(first_rows()->bodies,
                        "{\"of\":\"b\"}\n" ROW("c", "04") "\n{\"of\":\"d\"}\n");
    /* The observer hears of the page, and its URL is still there. */
    assert_true(slice_ends(slice_of(site.asked_url), slice_of("/v1/list")));
    assert_int_equal(site.asked.rows, 3);
    site_close();
}

static void
rows_that_are_all_known_need_no_details(void **state)
{
    (void)state;
    site_open(details, followed);
    site.known = "b c d";
    start();
    await_ends(1);
    assert_int_equal(site.ended.outcome, POLL_OK);
    assert_int_equal(site.requests, 1);
    assert_string_equal(first_rows()->ids, "b c d");
    site_close();
}

static void
a_limit_costs_no_detail_that_came_before_it(void **state)
{
    (void)state;
    static const struct answer script[] = {
        { 200, NULL, NULL,
          "{\"rows\":[" ROW("d", "05") "," ROW("b", "03") "]}" },
        { 200, NULL, NULL, "{\"payload\":{\"of\":\"d\"}}" },
        { 429, "Retry-After", "1", "{}" },
        { 200, NULL, NULL, "{\"payload\":{\"of\":\"b\"}}" },
        { 0, NULL, NULL, NULL },
    };
    site_open(details, script);
    start();
    await_ends(1);
    assert_int_equal(site.ended.outcome, POLL_OK);
    assert_int_equal(site.requests, 4);
    assert_string_equal(site.targets[2], "/v1/list/b");
    assert_string_equal(site.targets[3], "/v1/list/b");
    assert_string_equal(first_rows()->bodies,
                        "{\"of\":\"b\"}\n{\"of\":\"d\"}\n");
    site_close();
}

static void
a_command_does_not_wait_for_a_detail(void **state)
{
    (void)state;
    static const struct answer script[] = {
        { 200, NULL, NULL, "{\"rows\":[" ROW("d", "05") "]}" },
        { 429, "Retry-After", "1", "{}" },
        { 0, NULL, NULL, NULL },
    };
    site_open(details, script);
    source_poll_destroy(site.poll);
    site.settings.once = true;
    make_poll();
    start();
    await_ends(1);
    assert_int_equal(site.ended.outcome, POLL_LIMITED);
    site_close();
}

static void
a_detail_that_fails_fails_the_walk(void **state)
{
    (void)state;
    static const struct answer bad[] = {
        { 500, NULL, NULL, "{}" },
        { 200, NULL, NULL, "garbage" },
        { 200, NULL, NULL, "{\"other\":1}" },
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct answer script[] = { followed[0], bad[i], two_pages[3] };
        site_open(details, script);
        start();
        await_ends(1);
        assert_int_equal(site.ended.outcome, POLL_FAILED);
        assert_non_null(strstr(site.why, "detail"));
        assert_int_equal(source_poll_complete_until(site.poll), 0);
        site_close();
    }
}

/* ---- poke ---- */

static void
pokes_before_a_walk_are_one_walk(void **state)
{
    (void)state;
    site_open(pages, two_pages);
    start();
    await_ends(1);
    source_poll_poke(site.poll);
    source_poll_poke(site.poll);
    source_poll_poke(site.poll);
    await_ends(2);
    rest(50);
    assert_int_equal(site.ends, 2);
    assert_int_equal(site.requests, 3);
    site_close();
}

static void
pokes_during_a_walk_are_one_more_behind_it(void **state)
{
    (void)state;
    static const struct answer script[] = {
        { 0, NULL, NULL, "" },
        { 200, NULL, NULL, PAGE_2 },
        { 0, NULL, NULL, NULL },
    };
    site_open(pages, script);
    start();
    run(is_held);
    source_poll_poke(site.poll);
    source_poll_poke(site.poll);
    struct http_exchange *held = site.held;
    site.held = NULL;
    provider_answer(held, &script[1]);
    await_ends(2);
    rest(50);
    assert_int_equal(site.ends, 2);
    assert_int_equal(site.outcomes[POLL_OK], 2);
    site_close();
}

static void
a_command_walks_once(void **state)
{
    (void)state;
    site_open(pages, two_pages);
    source_poll_destroy(site.poll);
    site.settings.once = true;
    site.settings.cadence.every_ms = 1;
    make_poll();
    start();
    await_ends(1);
    rest(50);
    assert_int_equal(site.ends, 1);
    source_poll_poke(site.poll);
    await_ends(2);
    site_close();
}

/* ---- stop ---- */

static void
stop(void)
{
    source_poll_stop(site.poll, says_stopped, NULL);
    assert_false(site.stopped); /* never before it returned */
}

static void
assert_at_rest(void)
{
    size_t requests = site.requests;
    size_t submissions = site.submissions;
    source_poll_poke(site.poll);
    rest(30);
    assert_int_equal(site.requests, requests);
    assert_int_equal(site.submissions, submissions);
    site_close();
}

static void
it_stops_before_it_has_begun(void **state)
{
    (void)state;
    site_open(pages, two_pages);
    stop();
    run(is_stopped);
    assert_at_rest();
}

static void
it_stops_while_its_state_is_read(void **state)
{
    (void)state;
    site_open(pages, two_pages);
    site.holds_load = true;
    start();
    stop();
    rest(20);
    assert_false(site.stopped); /* the sink still has it */
    give_state(NULL);
    run(is_stopped);
    assert_int_equal(site.requests, 0);
    assert_at_rest();
}

static void
it_stops_between_walks(void **state)
{
    (void)state;
    site_open(pages, two_pages);
    start();
    await_ends(1);
    stop();
    run(is_stopped);
    assert_at_rest();
}

static void
it_stops_while_it_waits_for_its_budget(void **state)
{
    (void)state;
    site_open(pages, two_pages);
    site.account.budget = (struct quota){ .count = 1, .per_ms = 60000 };
    start();
    await_requests(1);
    rest(50);
    stop();
    run(is_stopped);
    assert_at_rest();
}

static void
it_stops_while_the_provider_thinks(void **state)
{
    (void)state;
    static const struct answer script[] = { { 0, NULL, NULL, "" },
                                            { 0, NULL, NULL, NULL } };
    site_open(pages, script);
    start();
    run(is_held);
    stop();
    run(is_stopped);
    assert_at_rest();
}

static void
it_stops_while_rows_are_looked_up(void **state)
{
    (void)state;
    site_open(details, followed);
    site.holds_known = true;
    start();
    await_requests(1);
    while (site.look_ups == 0) {
        rest(5);
    }
    stop();
    rest(20);
    assert_false(site.stopped);
    give_known(NULL);
    run(is_stopped);
    assert_int_equal(site.requests, 1);
    assert_at_rest();
}

static void
it_stops_while_a_detail_is_asked(void **state)
{
    (void)state;
    struct answer script[] = { followed[0],
                               { 0, NULL, NULL, "" },
                               { 0, NULL, NULL, NULL } };
    site_open(details, script);
    start();
    run(is_held);
    await_requests(2);
    stop();
    run(is_stopped);
    assert_at_rest();
}

static void
it_stops_once_the_page_is_stored(void **state)
{
    (void)state;
    site_open(pages, two_pages);
    start();
    await_requests(1);
    site.holds_verdict = true;
    while (site.arrival == NULL || first_rows()->ids[0] == '\0') {
        rest(5);
    }
    stop();
    rest(20);
    assert_false(site.stopped);
    give_verdict(NULL);
    run(is_stopped);
    assert_int_equal(site.requests, 1);
    assert_at_rest();
}

/* ---- a crash ---- */

static void
after_a_crash_it_goes_on_where_the_stored_state_says(void **state)
{
    (void)state;
    static const struct answer script[] = {
        { 200, NULL, NULL, PAGE_1 },
        { 0, NULL, NULL, "" },
        { 200, NULL, NULL, PAGE_2 },
        { 0, NULL, NULL, NULL },
    };
    site_open(pages, script);
    start();
    await_requests(2);
    source_poll_destroy(site.poll);
    make_poll();
    start();
    await_ends(1);
    assert_int_equal(site.ended.outcome, POLL_OK);
    assert_string_equal(site.targets[1], site.targets[2]);
    assert_non_null(strstr(site.targets[2], "page=p2"));
    assert_submitted(site.submissions - 1, "c");
    site_close();
}

static void
a_page_that_was_not_stored_is_asked_again_after_a_crash(void **state)
{
    (void)state;
    static const struct answer script[] = {
        { 200, NULL, NULL, PAGE_2 },
        { 0, NULL, NULL, NULL },
    };
    site_open(pages, script);
    start();
    await_requests(1);
    site.holds_verdict = true;
    while (site.arrival == NULL || site.submissions < 2) {
        rest(5);
    }
    /* The process ends here: nobody says whether it was stored. */
    source_poll_destroy(site.poll);
    arrival_destroy(site.arrival);
    site.arrival = NULL;
    site.holds_verdict = false;
    make_poll();
    start();
    await_ends(1);
    assert_string_equal(site.targets[0], site.targets[1]);
    assert_submitted(site.submissions - 1, "c");
    site_close();
}

static void
a_walk_survives_every_failed_allocation(void **state)
{
    (void)state;
    enum poll_outcome outcome = POLL_FAILED;
    for (long n = 0; outcome != POLL_OK; n++) {
        site_open(n % 2 == 0 ? pages : details,
                  n % 2 == 0 ? two_pages : followed);
        mem_fail_after(n / 2, 0);
        start();
        site.wanted = 1;
        if (!has_ended()) {
            run(has_ended);
        }
        long asked = mem_fail_after(-1, 0);
        outcome = site.ended.outcome;
        if (outcome == POLL_OK && asked > n / 2) {
            outcome = POLL_FAILED; /* it did without */
        }
        site_close();
    }
}

static void
creating_one_survives_every_failed_allocation(void **state)
{
    (void)state;
    site_open(pages, two_pages);
    source_poll_destroy(site.poll);
    source_poll_destroy(NULL);
    enum status status = STATUS_NOMEM;
    for (long n = 0; status != STATUS_OK; n++) {
        mem_fail_after(n, 0);
        status = source_poll_create(site.loop, site.client, &site.settings,
                                    &site.sink, &site.poll);
        mem_fail_after(-1, 0);
    }
    site_close();
}

static void
the_names_of_the_outcomes_are_fixed(void **state)
{
    (void)state;
    assert_string_equal(poll_outcome_name(POLL_OK), "ok");
    assert_string_equal(poll_outcome_name(POLL_FAILED), "failed");
    assert_string_equal(poll_outcome_name(POLL_LIMITED), "limited");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_walk_asks_page_after_page_and_each_is_stored),
        cmocka_unit_test(the_observer_is_told_of_each_request),
        cmocka_unit_test(the_watermark_moves_behind_the_last_page_only),
        cmocka_unit_test(walks_come_one_after_another),
        cmocka_unit_test(
            without_a_filter_what_lies_below_is_left_out_and_the_order_turned),
        cmocka_unit_test(a_failed_walk_says_why_and_is_begun_again),
        cmocka_unit_test(a_provider_that_is_not_there_is_a_failure),
        cmocka_unit_test(a_page_the_store_did_not_take_is_asked_again),
        cmocka_unit_test(a_state_that_cannot_be_read_is_read_again),
        cmocka_unit_test(pokes_do_not_put_off_the_walk_after_a_failure),
        cmocka_unit_test(a_limit_pauses_the_walk_which_then_goes_on),
        cmocka_unit_test(a_limit_without_a_wait_is_not_asked_again_at_once),
        cmocka_unit_test(the_budget_spaces_the_pages),
        cmocka_unit_test(a_good_answer_that_says_nothing_remains_is_obeyed),
        cmocka_unit_test(rows_that_are_not_known_get_their_details),
        cmocka_unit_test(rows_that_are_all_known_need_no_details),
        cmocka_unit_test(a_limit_costs_no_detail_that_came_before_it),
        cmocka_unit_test(a_command_does_not_wait_for_a_detail),
        cmocka_unit_test(a_detail_that_fails_fails_the_walk),
        cmocka_unit_test(pokes_before_a_walk_are_one_walk),
        cmocka_unit_test(pokes_during_a_walk_are_one_more_behind_it),
        cmocka_unit_test(a_command_walks_once),
        cmocka_unit_test(it_stops_before_it_has_begun),
        cmocka_unit_test(it_stops_while_its_state_is_read),
        cmocka_unit_test(it_stops_between_walks),
        cmocka_unit_test(it_stops_while_it_waits_for_its_budget),
        cmocka_unit_test(it_stops_while_the_provider_thinks),
        cmocka_unit_test(it_stops_while_rows_are_looked_up),
        cmocka_unit_test(it_stops_while_a_detail_is_asked),
        cmocka_unit_test(it_stops_once_the_page_is_stored),
        cmocka_unit_test(after_a_crash_it_goes_on_where_the_stored_state_says),
        cmocka_unit_test(
            a_page_that_was_not_stored_is_asked_again_after_a_crash),
        cmocka_unit_test(a_walk_survives_every_failed_allocation),
        cmocka_unit_test(creating_one_survives_every_failed_allocation),
        cmocka_unit_test(the_names_of_the_outcomes_are_fixed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
