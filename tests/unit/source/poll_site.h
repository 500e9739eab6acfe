/* SPDX-License-Identifier: MIT */
/*
 * poll_site: a walk's whole surroundings in one process: a provider that
 * answers as scripted, a sink that says what the test wants, and the loop.
 */
#ifndef TESTS_UNIT_SOURCE_POLL_SITE_H
#define TESTS_UNIT_SOURCE_POLL_SITE_H

#include "harness/bound.h"

#include <stdlib.h>

#include "base/instant.h"
#include "io/clock.h"
#include "io/http_client.h"
#include "io/http_server.h"
#include "io/loop.h"
#include "source/access.h"
#include "source/source_poll.h"
#include "wire/digest.h"

enum { TIERS_MAX = 4 };
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
    int64_t complete_until_ms;
    int64_t last_walk_ms; /* of its tier, for how late rows are listed */
    uint64_t fence;
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
    int64_t broken_ms;
    struct lag_tally lag; /* what verdicts say of the list */
    int64_t oldest_ms;    /* what verdicts say of what is new */
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
    int64_t floor_ms;                   /* of the ledger */
    const char *tier_states[TIERS_MAX]; /* where the test has several tiers */
    size_t loads;
    size_t look_ups;
    /* The source. */
    struct http_client *client;
    struct access *access;
    const char *secrets; /* the directory, or NULL */
    struct poll_host host;
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

static struct site site; /* of the one test that runs */

/* ---- the loop ---- */

static inline void
late(void *arg)
{
    (void)arg;
    fail_msg("what was waited for has not come: %zu requests, %zu ends, '%s'",
             site.requests, site.ends, site.why);
}

static inline void
look(void *arg)
{
    (void)arg;
    if (site.until != NULL && site.until()) {
        site.until = NULL;
        loop_stop(site.loop);
    }
}

static inline void
run(bool (*until)(void))
{
    site.until = until;
    loop_timer_arm(site.guard, 20000);
    loop_run(site.loop);
    loop_timer_disarm(site.guard);
}

static inline void
wake(void *arg)
{
    loop_stop(arg);
}

static inline void
rest(int64_t ms)
{
    struct loop_timer *timer;
    assert_int_equal(loop_timer_create(site.loop, wake, site.loop, &timer),
                     STATUS_OK);
    loop_timer_arm(timer, ms);
    loop_run(site.loop);
    loop_timer_destroy(timer);
}

static inline bool
has_ended(void)
{
    return site.ends >= site.wanted;
}

static inline void
await_ends(size_t count)
{
    site.wanted = count;
    run(has_ended);
}

static inline bool
has_requests(void)
{
    return site.requests >= site.wanted;
}

static inline void
await_requests(size_t count)
{
    site.wanted = count;
    run(has_requests);
}

static inline bool
is_held(void)
{
    return site.held != NULL;
}

static inline bool
is_stopped(void)
{
    return site.stopped;
}

/* ---- the provider ---- */

static inline unsigned
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

static inline void
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

static inline void
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
        if (site.held != NULL) {
            provider_answer(site.held, &(struct answer){ .status = 200 });
        }
        site.held = exchange;
    } else {
        provider_answer(exchange, answer);
    }
}

/* ---- the sink ---- */

static inline void
give_verdict(void *arg)
{
    (void)arg;
    const struct verdict verdict = {
        .kind = site.verdicts[site.submissions - 1],
        .fresh = site.arrival->sighting_count,
        .oldest_ms = site.oldest_ms,
        .lag = site.lag,
        .broken_ms = site.arrival->sighting_count > 0 ? site.broken_ms : 0,
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

static inline void
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
    kept->fence = arrival->fence;
    kept->complete_until_ms = arrival->complete_until_ms;
    kept->last_walk_ms = arrival->past.own_ms;
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

static inline bool
sink_has_room(void *self)
{
    (void)self;
    return true;
}

static inline int64_t
sink_floor_ms(void *self)
{
    (void)self;
    return site.floor_ms;
}

static inline bool
sink_is_writable(void *self)
{
    (void)self;
    return true;
}

static inline void
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

static inline void
sink_load(void *self, const struct connector *connector, unsigned tier,
          void (*done)(void *arg, enum status status, struct slice state,
                       const struct error *err),
          void *arg)
{
    (void)self;
    (void)connector;
    assert_true(tier == site.settings.tier || tier < site.settings.tiers);
    if (site.tier_states[tier % TIERS_MAX] != NULL) {
        (void)snprintf(site.stored, sizeof(site.stored), "%s",
                       site.tier_states[tier % TIERS_MAX]);
    } else if (site.settings.tiers > 0) {
        site.stored[0] = '\0';
    }
    site.loads++;
    site.loaded = done;
    site.arg = arg;
    if (!site.holds_load) {
        while (loop_defer(site.loop, give_state, NULL) != STATUS_OK) {
        }
    }
}

static inline void
give_known(void *arg)
{
    (void)arg;
    void *poll = site.arg;
    site.arg = NULL;
    site.looked_up(poll, STATUS_OK, site.answers_known);
}

static inline void
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

static inline void
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

static inline void
note_ended(void *arg, const struct poll_ended *ended)
{
    (void)arg;
    site.ends++;
    site.outcomes[ended->outcome]++;
    site.ended = *ended;
    (void)snprintf(site.why, sizeof(site.why), "%.*s", SLICE_ARG(ended->why));
}

static inline void
says_stopped(void *arg)
{
    (void)arg;
    site.stopped = true;
}

static inline void
make_poll(void)
{
    assert_int_equal(source_poll_create(site.loop, site.access, &site.settings,
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

/* The same list in numbered pages. */
static const char numbered[] = PARAMS
    "poll:\n"
    "  request: {url: '{var:base}/v1/list',\n"
    "            query: {since: '{cursor}', page: '{page}'}}\n"
    "  auth: {type: bearer}\n"
    "  items: '$.rows[*]'\n"
    "  order: asc\n"
    "  start: 2026-09-01T00:00:00Z\n"
    "  cursor: {kind: time, from: at, format: iso8601, inclusive: true}\n"
    "  pages: {kind: number, start: 1}\n"
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
           "  fail_when: {x: 'json:ok', equals: 'false'}\n"
           "  follow: {url: '{request.url}/{id}', body: payload}\n"
           "  record: {id: '{id}', type: t, time: at}\n"
           "match: {mode: event, same_id: true}\n";

static inline void
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
    poll_host_init(&site.host, (struct quota){ 0 });
    site.account.host = &site.host;
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
    assert_int_equal(
        access_create(site.loop, site.client, site.secrets, &site.access),
        STATUS_OK);
    site.sink = (struct source_sink){ .submit = sink_submit,
                                      .has_room = sink_has_room,
                                      .is_writable = sink_is_writable,
                                      .floor_ms = sink_floor_ms,
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

static inline void
site_close(void)
{
    source_poll_destroy(site.poll);
    arrival_destroy(site.arrival);
    access_destroy(site.access);
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

static inline void
start(void)
{
    source_poll_start(site.poll);
}

static inline void
assert_submitted(size_t at, const char *ids)
{
    assert_true(at < site.submissions);
    assert_string_equal(site.submitted[at].ids, ids);
    assert_true(site.submitted[at].has_walk);
}

/* The first submission with rows. */
static inline const struct submitted *
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

#endif
