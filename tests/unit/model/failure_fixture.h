/* SPDX-License-Identifier: MIT */
/*
 * failure_fixture: a provider with a list and webhooks, small enough to hold in
 * one's head, and in front of it all that decides: requests are rendered, pages
 * read, rows and requests made sightings, and judged against a ledger.
 */
#ifndef TESTS_UNIT_MODEL_FAILURE_FIXTURE_H
#define TESTS_UNIT_MODEL_FAILURE_FIXTURE_H

#include "harness/bound.h"

#include <string.h>
#include <time.h>

#include "base/instant.h"
#include "model/extract.h"
#include "model/identity.h"
#include "model/request.h"
#include "model/walk.h"
#include "model/walk_change.h"
#include "wire/digest.h"
#include "wire/json.h"
#include "wire/url.h"

/* 2023-11-14 22:13:20 GMT */
#define NOW    INT64_C(1700000000000)
#define SECOND INSTANT_SECOND_MS
#define MINUTE INSTANT_MINUTE_MS
#define HOUR   INSTANT_HOUR_MS
#define DAY    INSTANT_DAY_MS

#define LEDGER_ROOM 64
#define FACTS_MAX   16
#define ASKED_MAX   60 /* requests of one walk: none may go on for ever */
#define PUBLIC_URL  "https://hooks.example.com"
/* A list of events and webhooks that carry the same ids. */
#define BY_TIME  "{kind: time, from: at, format: unix_s, inclusive: true}"
#define BY_TOKEN "{kind: token, from: next}"
#define PROVIDER(order, cursor, pages)                                         \
    "params: {base: {}, webhook_secret: {secret: true}}\n"                     \
    "verify: {type: hmac, alg: sha256, signed: '{body}',\n"                    \
    "  signature: {from: 'header:X-Signature', encoding: hex}}\n"              \
    "event: {id: 'json:id', type: 'json:type', time: {from: 'json:at',"        \
    " unit: s}}\n"                                                             \
    "poll:\n"                                                                  \
    "  request: {url: '{var:base}/events', query: {since: '{cursor}',"         \
    " page: '{page}'}}\n"                                                      \
    "  items: 'rows[*]'\n"                                                     \
    "  overlap: 1m\n"                                                          \
    "  record: {id: id, type: event, time: {from: at, unit: s}}\n"             \
    "  order: " order "\n"                                                     \
    "  cursor: " cursor "\n"                                                   \
    "  pages: " pages "\n"                                                     \
    "match: {mode: event}\n"
#define WITH "with: {base: 'http://127.0.0.1:9', webhook_secret: s}\n"

/* ---- the ledger, as a store keeps it ---- */

struct ledger_row {
    struct ledger_key key;
    struct key_seen seen;
};

struct ledger {
    struct ledger_row rows[LEDGER_ROOM];
    size_t count;
    uint64_t events;
};

static inline struct ledger_row *
ledger_find(struct ledger *ledger, const struct sighting_key *key)
{
    for (int i = -(int)key->probes_back; i <= (int)key->probes_ahead; i++) {
        const struct ledger_key at = identity_shift(&key->key, i);
        for (size_t n = 0; n < ledger->count; n++) {
            if (memcmp(&ledger->rows[n].key, &at, sizeof at) == 0) {
                return &ledger->rows[n];
            }
        }
    }
    return NULL;
}

/* Shows a sighting to the ledger: its `fresh`, `number` and `seen_by_via` are
 * what a store would answer. */
static inline void
ledger_show(struct ledger *ledger, struct sighting *sighting)
{
    struct ledger_row *rows[SIGHTING_KEYS_MAX] = { NULL };
    struct key_seen seen[SIGHTING_KEYS_MAX] = { { 0 } };
    for (size_t i = 0; i < sighting->key_count; i++) {
        rows[i] = ledger_find(ledger, &sighting->keys[i]);
        if (rows[i] != NULL) {
            seen[i] = rows[i]->seen;
        }
    }
    const struct identity_verdict verdict = identity_judge(sighting, seen);
    const unsigned via = 1U << (unsigned)sighting->via;
    sighting->fresh = !verdict.known;
    sighting->seen_by_via = verdict.seen_by_via;
    sighting->number = verdict.known ? verdict.event : ++ledger->events;
    for (size_t i = 0; i < sighting->key_count; i++) {
        if ((verdict.insert & 1U << i) != 0) {
            assert_true(ledger->count < LEDGER_ROOM);
            ledger->rows[ledger->count++] =
                (struct ledger_row){ sighting->keys[i].key,
                                     { true, sighting->number, via,
                                       channel_is_walk(sighting->via) } };
        } else if ((verdict.mark & 1U << i) != 0) {
            rows[i]->seen.channels |= via;
        }
    }
}

/* ---- the provider ---- */

struct fact {
    const char *id;
    int64_t at_ms;
    bool hidden;  /* the list does not show it */
    size_t shown; /* how often a walk was shown it */
    size_t times; /* events that were made of it */
};

struct site {
    struct bound bound;
    const struct connector *connector;
    struct arena arena;
    struct walk_plan plan;
    struct walk_state state;
    struct walk_step step;
    int64_t now_ms;  /* the provider's clock */
    int64_t skew_ms; /* of ours against it */
    bool knows_date;
    /* The list, in its own order; stamps in whole seconds. */
    struct fact *facts;
    size_t fact_count;
    size_t page_size;
    bool by_id;         /* `since` is an id, and shows those above it */
    const char *answer; /* given as it is, in place of the list */
    struct buf url;     /* of the last request */
    struct buf body;
    struct ledger ledger;
    size_t seeded; /* rows that a store takes for the events of their stamp */
};

/* Binds `file` (a text of YAML) with `entry` over it. */
static inline void
site_open(struct site *site, const char *file, const char *entry)
{
    bound_fini(&site->bound);
    bound_texts(&site->bound, file, entry, PUBLIC_URL);
    bound_must(&site->bound);
    site->connector = &site->bound.connector;
    site->plan =
        (struct walk_plan){ .connector = site->connector,
                            .overlap_ms = site->connector->poll.overlap_ms,
                            .resumable = true };
}

/* Binds a connector that is shipped. */
static inline void
site_ship(struct site *site, const char *name, const char *entry)
{
    struct arena arena = { 0 };
    char path[512];
    size_t len = 0;
    (void)snprintf(path, sizeof path, "%s/%s.yaml", TEST_CONNECTORS_DIR, name);
    site_open(site, bound_read(path, &arena, &len), entry);
    arena_fini(&arena);
}

static inline int
site_set_up(void **state)
{
    static struct site site;
    memset(&site, 0, sizeof site);
    site.now_ms = NOW;
    site.page_size = 100;
    *state = &site;
    return 0;
}

static inline int
site_once(void **state)
{
    (void)state;
    return digest_init(NULL) == STATUS_OK ? 0 : -1;
}

static inline int
site_tear_down(void **state)
{
    struct site *site = *state;
    bound_fini(&site->bound);
    arena_fini(&site->arena);
    buf_fini(&site->url);
    buf_fini(&site->body);
    return 0;
}

#define SITE_FACTS(site, list)                                                 \
    ((site)->facts = (list), (site)->fact_count = sizeof(list) / sizeof *(list))

/* As if a walk had ended at `hw_ms`. */
static inline void
site_watermark(struct site *site, int64_t hw_ms)
{
    site->state.has_start = true;
    site->state.start_ms = NOW - 365 * DAY;
    site->state.hw_ms = hw_ms;
    site->knows_date = true;
}

static inline struct walk_now
site_clocks(const struct site *site)
{
    return (struct walk_now){ site->now_ms + site->skew_ms,
                              site->knows_date ? site->now_ms : 0 };
}

/* The number that stands in the query of the last request, or `otherwise`. */
static inline int64_t
site_asked(struct site *site, const char *name, int64_t otherwise)
{
    struct slice url = buf_slice(&site->url);
    struct slice value;
    int64_t number = otherwise;
    const size_t mark = slice_find(url, '?');
    if (mark != SIZE_MAX &&
        url_query_value(slice_from(url, mark + 1), slice_of(name), &site->arena,
                        &value) == STATUS_OK) {
        assert_int_equal(slice_to_i64(value, &number), STATUS_OK);
    }
    return number;
}

static inline bool
site_shows(struct site *site, const struct fact *fact, int64_t since)
{
    int64_t id;
    if (fact->hidden) {
        return false;
    }
    if (!site->by_id) {
        return fact->at_ms / SECOND >= since &&
               fact->at_ms / SECOND <= site_asked(site, "until", INT64_MAX);
    }
    assert_int_equal(slice_to_i64(slice_of(fact->id), &id), STATUS_OK);
    return id > since;
}

/* Writes the page that was asked for: rows from `since` on, from the position
 * `page` on, with the next position where there is one. */
static inline void
site_list(struct site *site)
{
    const int64_t since = site_asked(site, "since", 0);
    const int64_t first = site_asked(site, "page", 0);
    int64_t at = 0;
    bool more = false;
    buf_text(&site->body, "{\"rows\":[");
    for (size_t i = 0; i < site->fact_count; i++) {
        struct fact *fact = &site->facts[i];
        if (!site_shows(site, fact, since) || at++ < first) {
            continue;
        }
        more = at - first > (int64_t)site->page_size;
        if (more) {
            break;
        }
        fact->shown++;
        buf_format(&site->body, "%s{\"id\":\"%s\",\"at\":%lld}",
                   at - first > 1 ? "," : "", fact->id,
                   (long long)(fact->at_ms / SECOND));
    }
    buf_format(&site->body, "],\"more\":%s", more ? "true" : "false");
    if (more) {
        buf_format(&site->body, ",\"next\":\"%lld\"",
                   (long long)(first + (int64_t)site->page_size));
    }
    buf_text(&site->body, "}");
}

static inline void
site_request(struct site *site)
{
    struct rendered_request request;
    struct error err = { "" };
    if (request_render(site->connector, &site->state, &site->arena, &request,
                       &err) != STATUS_OK) {
        fail_msg("no request: %s", err.text);
    }
    buf_clear(&site->url);
    buf_append(&site->url, request.url);
    buf_clear(&site->body);
    if (site->answer != NULL) {
        buf_text(&site->body, site->answer);
    } else {
        site_list(site);
    }
}

static inline void
site_take_row(struct site *site, struct slice row)
{
    const struct row_view view = {
        row, row, CHANNEL_POLL, site->now_ms + site->skew_ms, { NULL, 0 }
    };
    struct sighting sighting;
    struct error err = { "" };
    if (walk_below(&site->plan, &site->state, row, &site->arena)) {
        return;
    }
    if (extract_row(site->connector, &view, &site->arena, &sighting, &err) !=
        STATUS_OK) {
        fail_msg("%.*s: %s", SLICE_ARG(row), err.text);
    }
    if (walk_change_seeds(&site->plan, &site->state, sighting.time_ms)) {
        site->seeded++;
        return;
    }
    ledger_show(&site->ledger, &sighting);
    for (size_t i = 0; i < site->fact_count && sighting.fresh; i++) {
        site->facts[i].times +=
            slice_equal_text(sighting.id, site->facts[i].id);
    }
}

/* Asks once and takes what the provider shows; a body that is no page is told
 * to the walk as a failure. */
static inline enum walk_next
site_ask(struct site *site)
{
    struct page page;
    struct error err = { "" };
    char date[64];
    const time_t seconds = (time_t)(site->now_ms / SECOND);
    struct tm tm;
    assert_non_null(gmtime_r(&seconds, &tm));
    (void)strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &tm);
    struct http_field field = { slice_of("Date"), slice_of(date) };
    struct walk_answer answer = { .status = 200,
                                  .fields = { &field, 1 },
                                  .page = &page,
                                  .our_ms = site->now_ms + site->skew_ms };
    site_request(site);
    site->knows_date = true;
    answer.url = buf_slice(&site->url);
    const enum status status =
        extract_page(site->connector, buf_slice(&site->body), answer.fields,
                     &site->arena, &page, &err);
    if (status != STATUS_OK) {
        const struct walk_now now = site_clocks(site);
        assert_int_equal(status, STATUS_PROTOCOL);
        assert_int_equal(walk_failed(&site->plan, &site->state, &now, 0,
                                     (struct slice){ NULL, 0 }, &site->arena,
                                     &site->step),
                         STATUS_OK);
        return site->step.next;
    }
    assert_int_equal(walk_page(&site->plan, &site->state, &answer, &site->arena,
                               &site->step),
                     STATUS_OK);
    for (size_t i = 0; i < page.row_count; i++) {
        site_take_row(site, page.rows[i]);
    }
    return site->step.next;
}

/* The provider answers with an error and `body`, JSON or empty. */
static inline void
site_refuse(struct site *site, unsigned status, const char *body)
{
    const struct walk_now now = site_clocks(site);
    site_request(site);
    assert_int_equal(walk_failed(&site->plan, &site->state, &now, status,
                                 slice_of(body), &site->arena, &site->step),
                     STATUS_OK);
}

static inline void
site_begin(struct site *site)
{
    const struct walk_now now = site_clocks(site);
    assert_int_equal(
        walk_begin(&site->plan, &site->state, &now, &site->arena, &site->step),
        STATUS_OK);
    assert_int_equal(site->step.next, WALK_ASK);
}

/* One walk, from its begin or from where it stands to its end. */
static inline enum walk_next
site_walk(struct site *site)
{
    site_begin(site);
    for (size_t i = 0; i < ASKED_MAX; i++) {
        if (site_ask(site) != WALK_ASK) {
            return site->step.next;
        }
    }
    fail_msg("the walk goes on for ever: %.*s",
             SLICE_ARG(buf_slice(&site->url)));
    return WALK_FAILED;
}

/* The process dies: what was durable is all that is left. */
static inline void
site_crash(struct site *site)
{
    struct buf durable = { 0 };
    struct slice text;
    struct error err = { "" };
    walk_encode(&site->state, &durable);
    assert_int_equal(buf_status(&durable), STATUS_OK);
    assert_int_equal(arena_copy(&site->arena, buf_slice(&durable), &text),
                     STATUS_OK);
    buf_fini(&durable);
    memset(&site->state, 0, sizeof site->state);
    if (walk_decode(text, &site->arena, &site->state, &err) != STATUS_OK) {
        fail_msg("%.*s: %s", SLICE_ARG(text), err.text);
    }
    site->plan.resumable = false;
    site->knows_date = false;
}

/* ---- what comes in by itself ---- */

#define HOOK_FIELDS 8

/* Makes sightings of a webhook with `fields`, "name: value" one a line. */
static inline struct extracted
site_read_hook(struct site *site, const char *fields, const char *body)
{
    struct http_field *all =
        arena_array(&site->arena, HOOK_FIELDS, sizeof(*all));
    struct slice rest = slice_of(fields);
    struct slice line;
    size_t count = 0;
    assert_non_null(all);
    while (count < HOOK_FIELDS && slice_split(&rest, '\n', &line)) {
        const size_t colon = slice_find(line, ':');
        if (colon != SIZE_MAX) {
            all[count].name = slice_first(line, colon);
            all[count++].value = slice_trim(slice_from(line, colon + 1));
        }
    }
    const struct inbound request = {
        .method = SLICE("POST"),
        .fields = { all, count },
        .body = slice_of(body),
        .body_is_json = json_check(slice_of(body), 64, NULL) == STATUS_OK,
    };
    struct extracted extracted;
    struct error err = { "" };
    if (extract_request(site->connector, &request, site->connector->verify,
                        site->now_ms + site->skew_ms, &site->arena, &extracted,
                        &err) != STATUS_OK) {
        fail_msg("%s: %s", body, err.text);
    }
    return extracted;
}

/* A webhook of one event comes in. */
static inline struct sighting
site_hook(struct site *site, const char *fields, const char *body)
{
    const struct extracted extracted = site_read_hook(site, fields, body);
    assert_int_equal(extracted.count, 1);
    ledger_show(&site->ledger, &extracted.at[0]);
    return extracted.at[0];
}

/* A walk is shown one row. */
static inline struct sighting
site_row(struct site *site, const char *row)
{
    const struct row_view view = { slice_of(row),
                                   slice_of(row),
                                   CHANNEL_POLL,
                                   site->now_ms + site->skew_ms,
                                   { NULL, 0 } };
    struct sighting sighting;
    struct error err = { "" };
    if (extract_row(site->connector, &view, &site->arena, &sighting, &err) !=
        STATUS_OK) {
        fail_msg("%s: %s", row, err.text);
    }
    ledger_show(&site->ledger, &sighting);
    return sighting;
}

/* Every fact has become exactly one event. */
static inline void
site_each_once(const struct site *site)
{
    for (size_t i = 0; i < site->fact_count; i++) {
        if (site->facts[i].times != 1) {
            fail_msg("%s has become %zu events", site->facts[i].id,
                     site->facts[i].times);
        }
    }
}

#define FAILURE_TEST(name)                                                     \
    cmocka_unit_test_setup_teardown(name, site_set_up, site_tear_down)

#endif
