/* SPDX-License-Identifier: MIT */
#include "sim/provider.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/instant.h"
#include "base/mem.h"
#include "sim/facts.h"
#include "sim/fetches.h"
#include "sim/oracle.h"
#include "sim/vtime.h"
#include "sim/world.h"
#include "wire/timefmt.h"
#include "wire/url.h"

#define S INSTANT_SECOND_MS

/* The rows that one request asks for, in the list's order. */
struct listing {
    size_t *at; /* numbers of facts */
    size_t count;
    size_t begin; /* of the page */
    size_t end;
    size_t log; /* the place in the log of the first row */
};

static size_t listed[FACTS_MAX];

void
provider_answer_fini(struct provider_answer *answer)
{
    buf_fini(&answer->body);
    buf_fini(&answer->date);
    buf_fini(&answer->link);
    buf_fini(&answer->retry_after);
}

static bool
is_listed(const struct fact *fact, int64_t now_ms)
{
    int64_t retention = world.plan.retention_ms;
    return fact->shown_ms <= now_ms && now_ms < fact->gone_ms &&
           (retention == 0 || fact->at_ms + retention > now_ms) &&
           !facts_is_pushed_out(fact, now_ms);
}

static enum timefmt
format_of(enum plan_unit unit)
{
    static const enum timefmt formats[] = { [PLAN_S] = TIMEFMT_UNIX_S,
                                            [PLAN_MS] = TIMEFMT_UNIX_MS,
                                            [PLAN_ISO] = TIMEFMT_ISO8601 };
    return formats[unit];
}

static uint64_t
shuffle_of(size_t number)
{
    struct prng prng = { number };
    return prng_next(&prng);
}

static int
by_shuffle(const void *a, const void *b)
{
    uint64_t x = shuffle_of(*(const size_t *)a);
    uint64_t y = shuffle_of(*(const size_t *)b);
    return x < y ? -1 : x > y;
}

/* All rows from `since` on and before `until`, as the list orders them. */
static struct listing
list_since(int64_t since_ms, int64_t until_ms)
{
    const struct plan *plan = &world.plan;
    struct listing list = { .at = listed };
    int64_t now_ms = vtime_truth_ms();
    /* Stamps may be cut to their second. */
    for (size_t i = facts_from(since_ms);
         i < world.fact_count && world.facts[i].at_ms <= now_ms; i++) {
        const struct fact *fact = &world.facts[i];
        int64_t stamp = facts_stamp_ms(fact);
        bool in = plan->inclusive ? stamp >= since_ms : stamp > since_ms;
        if (in && stamp < until_ms && is_listed(fact, now_ms)) {
            list.at[list.count++] = i;
        }
    }
    if (plan->order == PLAN_SHUFFLED) {
        qsort(list.at, list.count, sizeof(*list.at), by_shuffle);
    }
    for (size_t i = 0; plan->order == PLAN_DESC && i + i + 1 < list.count;
         i++) {
        size_t swap = list.at[i];
        list.at[i] = list.at[list.count - 1 - i];
        list.at[list.count - 1 - i] = swap;
    }
    return list;
}

/* The rows behind fact `number`, or behind place `number` of the log. */
static struct listing
list_behind(size_t number, bool has_number)
{
    struct listing list = { .at = listed };
    int64_t now_ms = vtime_truth_ms();
    bool is_log = world.plan.cursor == PLAN_LOG;
    size_t from = has_number ? number + !is_log : 0;
    for (size_t i = from; i < world.fact_count; i++) {
        size_t at = is_log ? world.log[i] : i;
        if (world.facts[at].shown_ms <= now_ms) {
            list.at[list.count++] = at;
        } else if (is_log || world.facts[at].at_ms > now_ms) {
            break;
        }
    }
    list.log = from;
    list.end =
        list.count > world.plan.page_size ? world.plan.page_size : list.count;
    return list;
}

/* Where the list ends now, for those who begin there. */
static struct listing
list_newest(void)
{
    struct listing list = list_behind(0, false);
    list.begin = list.count;
    list.end = list.count;
    if (world.plan.cursor == PLAN_ID && list.count > 0) {
        list.begin--;
        world.first_newest = list.at[list.begin];
    }
    world.newest_ms = vtime_truth_ms();
    if (oracle_walks(0) == 0) {
        world.first_ms = vtime_truth_ms(); /* later ones follow a gap */
    }
    return list;
}

/* Where the rows behind fact `number` begin, whether it is still there or
 * not. */
static size_t
behind_row(const struct listing *list, size_t number)
{
    size_t i = 0;
    while (i < list->count &&
           (world.plan.order == PLAN_DESC ? list->at[i] >= number
                                          : list->at[i] <= number)) {
        i++;
    }
    return i;
}

/* Cuts the page that `page` names out of the listing. */
static void
cut_page(struct listing *list, struct slice page)
{
    const struct plan *plan = &world.plan;
    uint64_t at = 0;
    if (page.len > 0) {
        bool has_letter = page.ptr[0] == 'r' || page.ptr[0] == 'p';
        PRE(slice_to_u64(slice_from(page, has_letter), &at) == STATUS_OK);
    }
    size_t begin = (size_t)at;
    if (plan->pages == PLAN_NUMBER) {
        begin = at == 0 ? 0 : (begin - 1) * plan->page_size;
    } else if (plan->pages == PLAN_LAST_ID ||
               (page.len > 0 && page.ptr[0] == 'r')) {
        begin = page.len == 0 ? 0 : behind_row(list, begin);
    }
    list->begin = begin < list->count ? begin : list->count;
    list->end = list->count;
    if ((plan->pages != PLAN_ONE_PAGE || plan->window_ms > 0) &&
        list->count - list->begin > plan->page_size) {
        list->end = list->begin + plan->page_size;
    }
}

/* What a row and an object say, and the brace behind it. */
static void
write_members(const struct fact *fact, struct buf *body)
{
    size_t number = facts_number(fact);
    bool state = world.plan.state;
    buf_format(body, "\"n\":%zu,\"id\":\"%s%zu\"", number, state ? "o" : "e",
               state ? fact->object : number);
    buf_text(body, ",\"type\":\"order.paid\",\"at\":");
    facts_write_stamp(fact, body);
    buf_format(body, ",\"customer\":\"c%zu\"}", fact->object);
}

static void
write_row(const struct fact *fact, struct buf *body)
{
    buf_byte(body, '{');
    write_members(fact, body);
}

static void
write_token(const struct listing *list, struct buf *into)
{
    if (world.plan.keyed) {
        buf_format(into, "r%zu", list->at[list->end - 1]);
    } else {
        buf_format(into, "p%zu", list->end);
    }
}

/* The URL of the request with another page. */
static void
write_next_url(struct slice since, const struct listing *list, struct buf *into)
{
    struct buf token = { 0 };
    buf_text(into, "http://127.0.0.1:9/list");
    if (since.len > 0) {
        url_add_query(into, slice_of("since"), since);
    }
    write_token(list, &token);
    url_add_query(into, slice_of("page"), buf_slice(&token));
    buf_fini(&token);
}

static void
write_page(const struct listing *list, struct slice since,
           struct provider_answer *answer)
{
    enum plan_pages pages = world.plan.pages;
    bool more = list->end < list->count;
    struct buf *body = &answer->body;
    buf_text(body, "{\"rows\":[");
    for (size_t i = list->begin; i < list->end; i++) {
        if (i > list->begin) {
            buf_byte(body, ',');
        }
        write_row(&world.facts[list->at[i]], body);
    }
    buf_format(body, "],\"more\":%s", more ? "true" : "false");
    if (world.plan.cursor == PLAN_LOG) {
        buf_format(body, ",\"log\":\"%u-%zu\"", world.forgotten,
                   list->log + list->end);
    }
    if (more && (pages == PLAN_TOKEN || pages == PLAN_URL)) {
        buf_text(body, ",\"next\":\"");
        if (pages == PLAN_TOKEN) {
            write_token(list, body);
        } else {
            write_next_url(since, list, body);
        }
        buf_byte(body, '"');
    }
    buf_byte(body, '}');
    if (more && pages == PLAN_LINK) {
        buf_byte(&answer->link, '<');
        write_next_url(since, list, &answer->link);
        buf_text(&answer->link, ">; rel=\"next\"");
    }
}

/* Says the provider's time; a cut second, as HTTP has it. */
static void
write_date(struct provider_answer *answer)
{
    if (!world.plan.dated) {
        return;
    }
    timefmt_write(TIMEFMT_RFC2822, vtime_truth_ms() + answer->held_ms,
                  &answer->date);
    buf_truncate(&answer->date, answer->date.len - 5);
    buf_text(&answer->date, "GMT");
}

/* What is no list, in the ways in which answers are none. */
static void
write_garbage(struct provider_answer *answer)
{
    static const char *const texts[] = {
        "<html>Bad gateway</html>",  "",
        "{\"error\":\"try again\"}", "{\"rows\":[{\"n\":1,\"id\":",
        "{\"rows\":null}",           "null",
    };
    answer->status = 200;
    buf_text(
        &answer->body,
        texts[prng_below(&world.faults, sizeof(texts) / sizeof(texts[0]))]);
}

/* Draws what goes wrong with this request; false when nothing does. */
static bool
misbehave(bool has_page, struct provider_answer *answer)
{
    static const unsigned statuses[] = { 500, 502, 504 };
    const struct plan_faults *faults = &world.plan.faults;
    struct prng *prng = &world.faults;
    if (world.down[INCIDENT_PROVIDER] > 0) {
        answer->silent = plan_chance(prng, 500);
        answer->status = 500;
    } else if (world.calm) {
        return false;
    } else if (plan_chance(prng, faults->silence)) {
        answer->silent = true;
    } else if (plan_chance(prng, faults->error)) {
        answer->status = statuses[prng_below(prng, 3)];
    } else if (plan_chance(prng, faults->limited)) {
        answer->status = 429;
        int64_t wait_s = plan_between(prng, 1, faults->retry_after_ms / S);
        buf_i64(&answer->retry_after, wait_s);
        world_trouble(wait_s * S);
    } else if (has_page && plan_chance(prng, faults->refused)) {
        answer->status = 400;
    } else if (plan_chance(prng, faults->garbage)) {
        write_garbage(answer);
    } else {
        return false;
    }
    return true;
}

/* A place in the log has in front how often cursors had been forgotten when it
 * was given out; the beginning has nothing. Takes that off. */
static bool
is_forgotten(struct slice *since)
{
    uint64_t given = world.forgotten;
    size_t mark = slice_find(*since, '-');
    if (world.plan.cursor == PLAN_LOG && mark != SIZE_MAX) {
        PRE(slice_to_u64(slice_first(*since, mark), &given) == STATUS_OK);
        *since = slice_from(*since, mark + 1);
    }
    return given < world.forgotten;
}

/* Reads a time of the request; `none` where it has none. */
static int64_t
time_of(struct slice text, int64_t none)
{
    int64_t at_ms = none;
    PRE(text.len == 0 ||
        timefmt_read(format_of(world.plan.format), text, &at_ms) == STATUS_OK);
    return at_ms;
}

/* What the request asks for. */
static struct listing
list_for(struct slice since, struct slice until, struct slice page)
{
    if (world.plan.cursor != PLAN_TIME) {
        uint64_t number = 0;
        PRE(since.len == 0 || slice_to_u64(since, &number) == STATUS_OK);
        return list_behind((size_t)number, since.len > 0);
    }
    struct listing list =
        list_since(time_of(since, 0), time_of(until, INT64_MAX));
    cut_page(&list, page);
    return list;
}

/* When the list first shows something behind `since`, from now on; what it
 * shows already counts. INT64_MAX: never. */
static int64_t
shows_at(struct slice since)
{
    const struct plan *plan = &world.plan;
    int64_t now_ms = vtime_truth_ms();
    int64_t at_ms = INT64_MAX;
    uint64_t number = 0;
    bool timed = plan->cursor == PLAN_TIME;
    int64_t since_ms = timed ? time_of(since, 0) : 0;
    PRE(timed || since.len == 0 || slice_to_u64(since, &number) == STATUS_OK);
    size_t from = timed ? facts_from(since_ms)
                        : (size_t)number + (plan->cursor == PLAN_ID);
    for (size_t i = from; i < world.fact_count; i++) {
        const struct fact *fact =
            &world.facts[plan->cursor == PLAN_LOG ? world.log[i] : i];
        int64_t shown_ms =
            fact->shown_ms > fact->at_ms ? fact->shown_ms : fact->at_ms;
        shown_ms = shown_ms > now_ms ? shown_ms : now_ms;
        if (fact->gone_ms > shown_ms && shown_ms < at_ms) {
            at_ms = shown_ms;
        }
    }
    return at_ms;
}

/* Holds the request until there is something, or for as long as it does that.
 */
static void
answer_gate(struct slice since, struct provider_answer *answer)
{
    const struct plan *plan = &world.plan;
    int64_t wait_ms = shows_at(since) - vtime_truth_ms();
    bool goes = wait_ms <= plan->holds_ms;
    bool lies = !world.calm && plan_chance(&world.faults, plan->gate_lies);
    answer->held_ms = goes ? wait_ms : plan->holds_ms;
    if (lies) {
        goes = plan_chance(&world.faults, 500);
        answer->held_ms = 0;
    }
    answer->status = 200;
    buf_format(&answer->body, "{\"go\":%s,\"backoff\":%d}",
               goes ? "true" : "false",
               plan_chance(&world.faults, 300) ? 5 : 0);
}

/* The object that one event names. */
static void
answer_one(struct slice number, struct provider_answer *answer)
{
    uint64_t at = 0;
    PRE(slice_to_u64(number, &at) == STATUS_OK && at < world.fact_count);
    struct fact *fact = &world.facts[at];
    bool fails = misbehave(false, answer);
    if (!fails) {
        answer->status = 200;
        buf_text(&answer->body, "{\"whole\":{\"fetched\":true,");
        write_members(fact, &answer->body);
        buf_byte(&answer->body, '}');
    }
    TRACE("fact %zu is fetched: %s%u", facts_number(fact),
          answer->silent ? "silent " : "", answer->status);
    fetches_asked(fact, !fails);
}

static struct slice
value_of(struct slice query, const char *name, struct arena *arena)
{
    struct slice value;
    enum status status = url_query_value(query, slice_of(name), arena, &value);
    return status == STATUS_OK ? value : (struct slice){ NULL, 0 };
}

void
provider_ask(struct slice url, struct provider_answer *ret_answer)
{
    struct arena arena = { 0 };
    struct slice since = { NULL, 0 };
    struct slice until = { NULL, 0 };
    struct slice page = { NULL, 0 };
    size_t mark = slice_find(url, '?');
    static const struct slice one = SLICE("/one/");
    bool is_gate = slice_find_slice(url, slice_of("/gate?")) != SIZE_MAX;
    size_t named = slice_find_slice(url, one);
    memset(ret_answer, 0, sizeof(*ret_answer));
    if (named != SIZE_MAX) {
        answer_one(slice_from(url, named + one.len), ret_answer);
        write_date(ret_answer);
        return;
    }
    if (mark != SIZE_MAX) {
        struct slice query = slice_from(url, mark + 1);
        since = value_of(query, "since", &arena);
        until = value_of(query, "until", &arena);
        page = value_of(query, "page", &arena);
    }
    if (misbehave(page.len > 0, ret_answer)) {
        if (!is_gate || ret_answer->status == 429) {
            world_trouble(0); /* a gate that fails holds nothing up */
        }
    } else if (is_forgotten(&since)) {
        ret_answer->status = 409;
        buf_text(&ret_answer->body, "{\"error\":\"forgotten\"}");
        world_trouble(0);
    } else if (is_gate) {
        answer_gate(since, ret_answer);
    } else {
        bool newest = slice_find_slice(url, slice_of("newest=")) != SIZE_MAX;
        struct listing list =
            newest ? list_newest() : list_for(since, until, page);
        ret_answer->status = 200;
        world.top_ms = list.begin == 0 ? vtime_truth_ms() : world.top_ms;
        write_page(&list, since, ret_answer);
    }
    write_date(ret_answer);
    TRACE("%s asked: since=%.*s page=%.*s: %s%u, %zu bytes",
          is_gate ? "gate" : "list", SLICE_ARG(since), SLICE_ARG(page),
          ret_answer->silent ? "silent " : "", ret_answer->status,
          ret_answer->body.len);
    arena_fini(&arena);
}

void
provider_purge(void)
{
    int64_t now_ms = vtime_truth_ms();
    for (size_t i = 0; i < world.fact_count; i++) {
        struct fact *fact = &world.facts[i];
        if (fact->number != 0 && fact->walked && fact->gone_ms > now_ms &&
            plan_chance(&world.faults, 500)) {
            fact->gone_ms = now_ms;
        }
    }
}
