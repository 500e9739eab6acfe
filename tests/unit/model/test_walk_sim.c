/* SPDX-License-Identifier: MIT */
/*
 * Simulated days of a hostile provider against the walk: events that show late,
 * bursts inside one second, pages that fail, a process that dies between any
 * two pages, clocks that are hours apart, rows that move while they are listed.
 * Nothing may be lost while overlap + settle reach as far as the provider's
 * delay; and with a rule switched off something must be, or the test is blind.
 */
#include "list_fixture.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/instant.h"
#include "base/prng.h"
#include "model/walk.h"

#define S INSTANT_SECOND_MS
#define M INSTANT_MINUTE_MS
#define H INSTANT_HOUR_MS

#define EPOCH      INT64_C(1700000000000)
#define ROWS_MAX   60000
#define PAGE_SIZE  50
#define WALKS_DONE 40 /* walks after the last event */

enum sabotage {
    SABOTAGE_NONE,
    SABOTAGE_HW_PER_PAGE,  /* the watermark follows the first page */
    SABOTAGE_OUR_CLOCK,    /* s is taken from our clock */
    SABOTAGE_CLOCK_BEHIND, /* s is taken when the walk ends */
    SABOTAGE_RESUME        /* numbered pages go on after a crash */
};

struct scenario {
    const char *name;
    enum cursor_kind cursor;
    enum page_kind pages;
    enum list_order order;
    bool inclusive;
    enum timefmt format;
    int64_t overlap_ms, settle_ms;
    int64_t delay_ms; /* the longest a row hides */
    int64_t skew_ms;  /* our clock against the provider's */
    int64_t step_ms;  /* our clock is set by so much in the middle */
    bool dateless;
    bool local; /* send: false */
    bool moving;
    bool bulk; /* … many at once, which fills a minute, and then some again */
    bool restart;
    bool outage; /* some hours without an answer, from the first request on */
    enum sabotage sabotage;
    bool loses;
};

struct row {
    int64_t at_ms;    /* stamp */
    int64_t shown_ms; /* from when the list shows it */
    int64_t gone_ms;  /* from when it does not: a newer version took over */
    bool read;
};

struct world {
    const struct scenario *scenario;
    struct row *rows; /* by stamp */
    size_t *by_shown;
    size_t count;
    struct connector connector;
    struct walk_plan plan;
    struct walk_state state;
    struct arena setup, states[2];
    int now_arena;
    struct buf durable;
    struct prng prng;
    int64_t now_ms; /* the provider's clock is the truth */
    int64_t ends_ms;
    int64_t offset_ms; /* our clock's */
    bool knows_date;
    int64_t start_ms; /* from where nothing may be missing */
    int64_t complete_ms;
    size_t complete_at; /* rows below it were checked */
    size_t asked, walks, crashes, failed, broken, gaps, below;
};

static bool
chance(struct world *w, unsigned in_thousand)
{
    return prng_below(&w->prng, 1000) < in_thousand;
}

/* ---- the provider ---- */

static int64_t
draw_delay(struct world *w)
{
    int64_t longest = w->scenario->delay_ms;
    uint64_t kind = prng_below(&w->prng, 1000);
    if (longest == 0) {
        return 0;
    }
    int64_t most = kind < 950 ? S : kind < 990 ? 30 * S : longest;
    most = most < longest ? most : longest;
    return (int64_t)prng_below(&w->prng, (uint64_t)most + 1);
}

static void
add_row(struct world *w, int64_t at_ms)
{
    if (w->count < ROWS_MAX) {
        w->rows[w->count++] = (struct row){ .at_ms = at_ms,
                                            .shown_ms = at_ms + draw_delay(w),
                                            .gone_ms = INT64_MAX };
    }
}

/* One event in 20 s on average, and bursts that share a second. */
static void
make_events(struct world *w)
{
    /* A page that is all one second cannot be passed by a time alone. */
    uint64_t burst = w->scenario->pages == PAGE_CURSOR ? 40 : 160;
    for (int64_t at = EPOCH - H; at < w->ends_ms;) {
        at += 1 + (int64_t)prng_below(&w->prng, 40 * S);
        size_t count = chance(w, 8) ? 1 + prng_below(&w->prng, burst) : 1;
        for (size_t i = 0; i < count; i++) {
            add_row(w, at);
        }
    }
}

/* Objects that are listed with their last change: each change ends the row of
 * the one before. */
static void
make_objects(struct world *w)
{
    enum { OBJECTS = 1500 };
    static size_t last[OBJECTS];
    int64_t at = EPOCH - 30 * M;
    for (size_t i = 0; i < OBJECTS; i++) {
        last[i] = w->count;
        at += (int64_t)prng_below(&w->prng, S);
        add_row(w, at);
    }
    for (at = EPOCH; at < w->ends_ms;
         at += (int64_t)prng_below(&w->prng, at < EPOCH + H ? S : 30 * S)) {
        size_t object = prng_below(&w->prng, OBJECTS);
        w->rows[last[object]].gone_ms = at;
        last[object] = w->count;
        add_row(w, at);
    }
}

static void
make_bulks(struct world *w)
{
    enum { OBJECTS = 200, CHANGES = 150 };
    size_t last[OBJECTS];
    for (int64_t from = EPOCH; from < w->ends_ms; from += 20 * M) {
        int64_t at = from;
        for (size_t i = 0; i < OBJECTS; i++) {
            last[i] = w->count;
            at += (int64_t)prng_below(&w->prng, S / 2);
            add_row(w, at);
        }
        for (size_t i = 0; i < CHANGES; i++) {
            size_t object = prng_below(&w->prng, OBJECTS);
            at += (int64_t)prng_below(&w->prng, 4 * S);
            w->rows[last[object]].gone_ms = at;
            last[object] = w->count;
            add_row(w, at);
        }
    }
}

static const struct row *sorting;

static int
by_shown(const void *a, const void *b)
{
    const struct row *x = &sorting[*(const size_t *)a];
    const struct row *y = &sorting[*(const size_t *)b];
    if (x->shown_ms != y->shown_ms) {
        return x->shown_ms < y->shown_ms ? -1 : 1;
    }
    return x < y ? -1 : x > y;
}

struct listing {
    size_t *at; /* numbers of rows */
    size_t count;
};

static bool
listed(const struct world *w, size_t i)
{
    return w->rows[i].shown_ms <= w->now_ms && w->now_ms < w->rows[i].gone_ms;
}

/* Returns the number of the first row that the request asks for. */
static size_t
first_wanted(const struct world *w)
{
    const struct walk_state *state = &w->state;
    int64_t bound;
    uint64_t id;
    if (!state->has_cursor || state->first) {
        return 0;
    }
    if (w->scenario->cursor == CURSOR_ID) {
        assert_int_equal(slice_to_u64(state->cursor, &id), STATUS_OK);
        return id < 1000 ? 0 : (size_t)id - 1000 + 1;
    }
    assert_int_equal(timefmt_read(w->scenario->format, state->cursor, &bound),
                     STATUS_OK);
    /* The list compares whole seconds. */
    bound += w->scenario->inclusive ? 0 : S;
    size_t low = 0;
    for (size_t high = w->count; low < high;) {
        size_t middle = low + (high - low) / 2;
        int64_t at_ms = w->rows[middle].at_ms;
        if (at_ms - at_ms % S < bound) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static size_t
shown_count(const struct world *w)
{
    size_t low = 0;
    for (size_t high = w->count; low < high;) {
        size_t middle = low + (high - low) / 2;
        if (w->rows[w->by_shown[middle]].shown_ms <= w->now_ms) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static uint64_t
shuffle_of(size_t i)
{
    struct prng prng = { i };
    return prng_next(&prng);
}

static int
by_shuffle(const void *a, const void *b)
{
    uint64_t x = shuffle_of(*(const size_t *)a);
    uint64_t y = shuffle_of(*(const size_t *)b);
    return x < y ? -1 : x > y;
}

/* All that the list would show for the request, in its order. */
static struct listing
list_all(struct world *w, struct arena *arena)
{
    if (w->scenario->cursor == CURSOR_TOKEN) {
        return (struct listing){ w->by_shown, shown_count(w) };
    }
    size_t begin = first_wanted(w);
    struct listing list = {
        arena_array(arena, w->count + 1 - begin, sizeof(size_t)), 0
    };
    assert_non_null(list.at);
    for (size_t i = begin; i < w->count && w->rows[i].at_ms <= w->now_ms; i++) {
        if (listed(w, i)) {
            list.at[list.count++] = i;
        }
    }
    if (w->scenario->order == ORDER_NONE) {
        qsort(list.at, list.count, sizeof *list.at, by_shuffle);
    }
    for (size_t i = 0;
         w->scenario->order == ORDER_DESC && i + i + 1 < list.count; i++) {
        size_t swap = list.at[i];
        list.at[i] = list.at[list.count - 1 - i];
        list.at[list.count - 1 - i] = swap;
    }
    return list;
}

/* Where the page that is asked for begins in the listing. */
static size_t
page_begin(const struct world *w, const struct listing *list)
{
    const struct walk_state *state = &w->state;
    uint64_t at = 0;
    if (w->scenario->cursor == CURSOR_TOKEN) {
        if (state->has_cursor) {
            assert_int_equal(slice_to_u64(state->cursor, &at), STATUS_OK);
        }
        return at < list->count ? (size_t)at : list->count;
    }
    if (!state->has_page) {
        return 0;
    }
    struct slice page = state->page;
    size_t equals = slice_find(page, '=');
    page = equals == SIZE_MAX ? page : slice_from(page, equals + 1);
    assert_int_equal(slice_to_u64(page, &at), STATUS_OK);
    if (w->scenario->pages == PAGE_LAST_ID) {
        for (size_t i = 0; i < list->count; i++) {
            if (list->at[i] + 1000 == at) {
                return i + 1;
            }
        }
        return list->count;
    }
    if (w->scenario->pages == PAGE_NUMBER) {
        at = (at - 1) * PAGE_SIZE;
    }
    return at < list->count ? (size_t)at : list->count;
}

struct reply {
    struct page page;
    size_t *numbers;
    struct http_field fields[3];
    struct http_fields all;
};

static struct slice
kept(struct arena *arena, struct buf *buf)
{
    struct slice text;
    assert_int_equal(buf_status(buf), STATUS_OK);
    assert_int_equal(arena_copy(arena, buf_slice(buf), &text), STATUS_OK);
    buf_fini(buf);
    return text;
}

static void
add_date(struct world *w, struct reply *reply, struct arena *arena)
{
    struct buf date = { 0 };
    if (w->scenario->dateless) {
        return;
    }
    timefmt_write(TIMEFMT_RFC2822, w->now_ms, &date);
    buf_truncate(&date, date.len - 5);
    buf_text(&date, "GMT");
    reply->fields[reply->all.count++] =
        (struct http_field){ SLICE("Date"), kept(arena, &date) };
}

static void
answer(struct world *w, struct arena *arena, struct reply *reply)
{
    struct buf text = { 0 };
    struct listing list = list_all(w, arena);
    size_t begin = page_begin(w, &list);
    size_t size = w->scenario->pages == PAGE_NONE ? ROWS_MAX : PAGE_SIZE;
    if (w->state.first) {
        /* The newest one, or where the log is. */
        begin = list.count > 0 && w->scenario->cursor == CURSOR_ID
                    ? list.count - 1
                    : list.count;
    }
    size_t end = list.count - begin < size ? list.count : begin + size;
    memset(reply, 0, sizeof *reply);
    reply->all.at = reply->fields;
    add_date(w, reply, arena);
    reply->page.row_count = end - begin;
    reply->page.rows =
        arena_array(arena, end - begin + 1, sizeof *reply->page.rows);
    assert_non_null(reply->page.rows);
    reply->numbers = list.at + begin;
    for (size_t i = begin; i < end; i++) {
        buf_format(&text, "{\"id\":%zu,\"at\":%" PRId64 "}", list.at[i] + 1000,
                   w->rows[list.at[i]].at_ms / S);
        reply->page.rows[i - begin] = kept(arena, &text);
    }
    bool more = end < list.count;
    buf_format(&text, "{\"more\":%s,\"log\":\"%zu\"", more ? "true" : "false",
               end);
    if (more) {
        buf_format(&text, ",\"next\":\"%s%zu\"",
                   w->scenario->pages == PAGE_URL ? "/v1?at=" : "", end);
    }
    buf_byte(&text, '}');
    reply->page.body = kept(arena, &text);
    if (more && w->scenario->pages == PAGE_LINK) {
        buf_format(&text, "<https://api.test/v1?at=%zu>; rel=\"next\"", end);
        reply->fields[reply->all.count++] =
            (struct http_field){ SLICE("Link"), kept(arena, &text) };
    }
}

/* ---- the agent ---- */

static void
save(struct world *w)
{
    buf_clear(&w->durable);
    walk_encode(&w->state, &w->durable);
    assert_int_equal(buf_status(&w->durable), STATUS_OK);
}

static void
load(struct world *w)
{
    struct error err = { { 0 } };
    w->now_arena = !w->now_arena;
    arena_fini(&w->states[w->now_arena]);
    memset(&w->state, 0, sizeof w->state);
    if (w->durable.len > 0 &&
        walk_decode(buf_slice(&w->durable), &w->states[w->now_arena], &w->state,
                    &err) != STATUS_OK) {
        fail_msg("%s: %s", err.text, w->durable.ptr);
    }
}

static void
crash(struct world *w)
{
    w->crashes++;
    w->plan.resumable = w->scenario->sabotage == SABOTAGE_RESUME;
    w->knows_date = false;
    load(w);
    w->now_ms += 5 * S;
}

static void
take_rows(struct world *w, const struct reply *reply, struct arena *arena)
{
    for (size_t i = 0; i < reply->page.row_count; i++) {
        if (!walk_below(&w->plan, &w->state, reply->page.rows[i], arena)) {
            struct row *row = &w->rows[reply->numbers[i]];
            w->below += row->at_ms < w->start_ms - 10 * M;
            row->read = true;
        }
    }
}

static void
sabotage(struct world *w, const struct walk_step *step)
{
    struct walk_state *state = &w->state;
    if (w->scenario->sabotage == SABOTAGE_HW_PER_PAGE &&
        state->s_ms > state->hw_ms) {
        state->hw_ms = state->s_ms;
    }
    if (w->scenario->sabotage == SABOTAGE_OUR_CLOCK &&
        step->next == WALK_WHOLE) {
        state->hw_ms = w->now_ms + w->offset_ms;
    }
    if (w->scenario->sabotage == SABOTAGE_CLOCK_BEHIND &&
        step->next == WALK_WHOLE) {
        state->hw_ms = w->now_ms;
    }
}

/* complete-until is a promise: everything below it was read. */
static void
check_complete(struct world *w)
{
    int64_t until = walk_complete_until(&w->plan, &w->state);
    if (w->scenario->loses || until <= w->complete_ms) {
        return;
    }
    assert_true(until <= w->now_ms);
    w->complete_ms = until;
    for (;
         w->complete_at < w->count && w->rows[w->complete_at].at_ms < until - S;
         w->complete_at++) {
        const struct row *row = &w->rows[w->complete_at];
        w->broken += row->at_ms >= w->start_ms && !row->read &&
                     row->gone_ms == INT64_MAX;
    }
}

/* One request and its answer; false when the walk is over for now. */
static bool
turn(struct world *w)
{
    struct arena arena = { 0 };
    struct walk_step step;
    struct reply reply;
    int64_t sent_ms = w->now_ms;
    bool first = w->state.first;
    w->asked++;
    w->now_ms += 50 + (int64_t)prng_below(&w->prng, 3 * S);
    bool silent = w->scenario->outage && w->now_ms < EPOCH + 2 * H;
    if (silent || chance(w, 20)) {
        unsigned status = silent ? 0 : chance(w, 200) ? 400 : 500;
        const struct walk_now now = { w->now_ms + w->offset_ms,
                                      w->knows_date ? w->now_ms : 0 };
        w->failed++;
        assert_int_equal(walk_failed(&w->plan, &w->state, &now, status,
                                     (struct slice){ NULL, 0 },
                                     &w->states[w->now_arena], &step),
                         STATUS_OK);
        w->gaps += step.has_gap;
        save(w);
        return step.next == WALK_ASK;
    }
    answer(w, &arena, &reply);
    struct walk_answer came = { .url = SLICE("https://api.test/v1"),
                                .status = 200,
                                .fields = reply.all,
                                .page = &reply.page,
                                .duration_ms = w->now_ms - sent_ms,
                                .our_ms = w->now_ms + w->offset_ms };
    w->knows_date = !w->scenario->dateless;
    assert_int_equal(
        walk_page(&w->plan, &w->state, &came, &w->states[w->now_arena], &step),
        STATUS_OK);
    w->gaps += step.has_gap;
    sabotage(w, &step);
    if (chance(w, 10)) {
        crash(w); /* before the commit: neither rows nor state */
        arena_fini(&arena);
        return false;
    }
    if (first && w->start_ms < w->now_ms &&
        w->scenario->cursor != CURSOR_TIME) {
        w->start_ms = w->now_ms; /* such a cursor begins with its answer */
    }
    take_rows(w, &reply, &arena);
    save(w);
    arena_fini(&arena);
    if (chance(w, 10)) {
        crash(w);
        return false;
    }
    if (step.next == WALK_WHOLE) {
        w->walks++;
        check_complete(w);
    }
    return step.next == WALK_ASK;
}

static void
walk_once(struct world *w)
{
    struct walk_step step;
    int64_t hw = w->state.hw_ms;
    struct walk_now now = { .our_ms = w->now_ms + w->offset_ms,
                            .provider_ms = w->knows_date ? w->now_ms : 0 };
    load(w);
    assert_int_equal(
        walk_begin(&w->plan, &w->state, &now, &w->states[w->now_arena], &step),
        STATUS_OK);
    w->plan.resumable = true;
    w->gaps += step.has_gap;
    if (step.state_changed) {
        save(w);
    }
    for (int pages = 0; turn(w); pages++) {
        assert_true(pages < 5000);
    }
    assert_true(w->state.hw_ms >= hw);
}

static void
set_up(struct world *w, const struct scenario *scenario, uint64_t seed,
       int64_t days_ms)
{
    memset(w, 0, sizeof *w);
    w->scenario = scenario;
    w->prng.state = seed;
    w->now_ms = EPOCH;
    w->ends_ms = EPOCH + days_ms;
    w->offset_ms = scenario->skew_ms;
    w->rows = mem_array(ROWS_MAX, sizeof *w->rows);
    w->by_shown = mem_array(ROWS_MAX, sizeof *w->by_shown);
    assert_non_null(w->rows);
    assert_non_null(w->by_shown);
    if (scenario->bulk) {
        make_bulks(w);
    } else if (scenario->moving) {
        make_objects(w);
    } else {
        make_events(w);
    }
    for (size_t i = 0; i < w->count; i++) {
        w->by_shown[i] = i;
    }
    sorting = w->rows;
    qsort(w->by_shown, w->count, sizeof *w->by_shown, by_shown);
    list_connector(&w->connector, &w->setup);
    struct poll_spec *poll = &w->connector.poll;
    poll->order = scenario->order;
    poll->settle_ms = scenario->settle_ms;
    poll->start_kind = scenario->moving ? START_AT : START_NOW;
    poll->start_ms = EPOCH - H;
    w->start_ms = scenario->moving ? EPOCH - H : EPOCH;
    poll->cursor.kind = scenario->cursor;
    poll->cursor.inclusive = scenario->inclusive;
    poll->cursor.format = scenario->format;
    poll->cursor.numeric = true;
    poll->cursor.send = !scenario->local;
    poll->pages.kind = scenario->pages;
    poll->pages.restart = scenario->restart;
    poll->pages.until_cursor = scenario->local;
    poll->pages.start = scenario->pages == PAGE_NUMBER;
    poll->pages.from = list_template("json:next", &w->setup);
    poll->pages.last =
        scenario->pages == PAGE_LAST_ID ? list_path("id", &w->setup) : NULL;
    if (scenario->pages != PAGE_NONE && scenario->pages != PAGE_LINK) {
        poll->pages.more = list_path("more", &w->setup);
    }
    if (scenario->cursor != CURSOR_TIME) {
        bool id = scenario->cursor == CURSOR_ID;
        poll->cursor.from = list_path(id ? "id" : "log", &w->setup);
        poll->first.url = list_template("https://api.test/v1", &w->setup);
        poll->first_cursor =
            list_template(id ? "item:id" : "json:log", &w->setup);
        poll->first_else = slice_of("0");
    }
    w->plan = (struct walk_plan){ .connector = &w->connector,
                                  .overlap_ms = scenario->overlap_ms };
}

static void
tear_down(struct world *w)
{
    buf_fini(&w->durable);
    arena_fini(&w->setup);
    arena_fini(&w->states[0]);
    arena_fini(&w->states[1]);
    mem_free(w->rows);
    mem_free(w->by_shown);
}

struct result {
    size_t events, lost, asked, walks, crashes, failed, broken, gaps, below;
};

static void
run(const struct scenario *scenario, uint64_t seed, struct result *sum)
{
    static struct world world;
    struct world *w = &world;
    set_up(w, scenario, seed, scenario->moving ? 3 * H : 14 * H);
    while (w->now_ms < w->ends_ms) {
        walk_once(w);
        if (w->now_ms > EPOCH + 9 * H) {
            w->offset_ms = scenario->skew_ms + scenario->step_ms;
        }
        /* Now and then the agent sleeps. */
        w->now_ms += chance(w, 3) ? 3 * H : 4 * M;
    }
    for (int i = 0; i < WALKS_DONE; i++) {
        w->now_ms += 4 * M;
        walk_once(w);
    }
    for (size_t i = 0; i < w->count; i++) {
        const struct row *row = &w->rows[i];
        bool counts = row->at_ms >= w->start_ms && row->gone_ms == INT64_MAX;
        sum->events += counts;
        sum->lost += counts && !row->read;
    }
    sum->asked += w->asked;
    sum->walks += w->walks;
    sum->crashes += w->crashes;
    sum->failed += w->failed;
    sum->broken += w->broken;
    sum->gaps += w->gaps;
    sum->below += w->below;
    tear_down(w);
}

#define TIME  .cursor = CURSOR_TIME
#define SECS  .format = TIMEFMT_UNIX_S
#define LATE  .delay_ms = 15 * M
#define COVER .overlap_ms = 14 * M, .settle_ms = 1 * M

static const struct scenario scenarios[] = {
    { "time, one page", TIME, PAGE_NONE, ORDER_ASC, true, SECS, COVER, LATE },
    { "time, link, desc", TIME, PAGE_LINK, ORDER_DESC, true, SECS, COVER, LATE,
      .skew_ms = 5 * H },
    { "time, link, asc", TIME, PAGE_LINK, ORDER_ASC, true, SECS, COVER, LATE,
      .skew_ms = -7 * H },
    { "time, link, no order", TIME, PAGE_LINK, ORDER_NONE, true, SECS, COVER,
      LATE, .step_ms = 4 * H },
    { "time, url, desc, exclusive", TIME, PAGE_URL, ORDER_DESC, false, SECS,
      COVER, LATE },
    { "time, token, desc, iso8601", TIME, PAGE_TOKEN, ORDER_DESC, true,
      .format = TIMEFMT_ISO8601_S, COVER, LATE, .step_ms = -4 * H },
    { "time, last id, desc", TIME, PAGE_LAST_ID, ORDER_DESC, true, SECS, COVER,
      LATE },
    { "time, number, desc", TIME, PAGE_NUMBER, ORDER_DESC, true, SECS, COVER,
      LATE, .skew_ms = 26 * H },
    { "time, number, asc, exclusive", TIME, PAGE_NUMBER, ORDER_ASC, false, SECS,
      COVER, LATE },
    { "time, offset, asc, minutes", TIME, PAGE_OFFSET, ORDER_ASC, true,
      .format = TIMEFMT_MINUTE, COVER, LATE },
    { "time, cursor, asc", TIME, PAGE_CURSOR, ORDER_ASC, true, SECS, COVER,
      LATE },
    { "time, cursor, asc, exclusive", TIME, PAGE_CURSOR, ORDER_ASC, false, SECS,
      COVER, LATE, .skew_ms = -3 * H },
    { "time, local filter, link, desc", TIME, PAGE_LINK, ORDER_DESC, true, SECS,
      COVER, LATE, .local = true, .skew_ms = 3 * H },
    { "time, no Date, link, desc", TIME, PAGE_LINK, ORDER_DESC, true, SECS,
      COVER, LATE, .dateless = true },
    { "time, two hours of silence first", TIME, PAGE_LINK, ORDER_DESC, true,
      SECS, COVER, LATE, .outage = true, .skew_ms = 8 * H },
    { "settle alone", TIME, PAGE_LINK, ORDER_DESC, true, SECS,
      .settle_ms = 15 * M, LATE },
    { "id, cursor, asc", CURSOR_ID, PAGE_CURSOR, ORDER_ASC, true, SECS,
      .overlap_ms = 15 * M, LATE, .skew_ms = 5 * H },
    { "id, cursor, asc, no Date", CURSOR_ID, PAGE_CURSOR, ORDER_ASC, true, SECS,
      .overlap_ms = 15 * M, LATE, .dateless = true },
    { "token log", CURSOR_TOKEN, PAGE_CURSOR, ORDER_ASC, true, SECS,
      .overlap_ms = 15 * M, LATE },
    { "objects that move, restart", TIME, PAGE_LINK, ORDER_ASC, true, SECS,
      .overlap_ms = 1 * M, .moving = true, .restart = true },
    { "objects that move, numbered, exclusive", TIME, PAGE_NUMBER, ORDER_ASC,
      false, SECS, .overlap_ms = 1 * M, .moving = true, .restart = true },
    /* Each rule switched off. */
    { "- no overlap", TIME, PAGE_LINK, ORDER_DESC, true, SECS, LATE,
      .loses = true },
    { "- half the overlap", TIME, PAGE_LINK, ORDER_DESC, true, SECS,
      .overlap_ms = 4 * M, LATE, .loses = true },
    { "- hw moves with each page", TIME, PAGE_NUMBER, ORDER_DESC, true, SECS,
      .overlap_ms = 5 * S, .delay_ms = 0, .sabotage = SABOTAGE_HW_PER_PAGE,
      .loses = true },
    { "- hw by our clock", TIME, PAGE_LINK, ORDER_DESC, true, SECS, COVER, LATE,
      .skew_ms = 1 * H, .sabotage = SABOTAGE_OUR_CLOCK, .loses = true },
    { "- hw by the clock at the end", TIME, PAGE_LINK, ORDER_DESC, true, SECS,
      .overlap_ms = 1, .delay_ms = 1, .sabotage = SABOTAGE_CLOCK_BEHIND,
      .loses = true },
    { "- id without overlap", CURSOR_ID, PAGE_CURSOR, ORDER_ASC, true, SECS,
      LATE, .loses = true },
    { "- objects that move, no restart", TIME, PAGE_LINK, ORDER_ASC, true, SECS,
      .overlap_ms = 1 * M, .moving = true, .loses = true },
    /* A minute fills pages, and nothing but the page leads on in it. */
    { "objects that move, by the minute", TIME, PAGE_LINK, ORDER_ASC, true,
      .format = TIMEFMT_MINUTE, .overlap_ms = 1 * M, .moving = true,
      .bulk = true, .restart = true },
    { "objects that move, numbered, by the minute", TIME, PAGE_NUMBER,
      ORDER_ASC, true, .format = TIMEFMT_MINUTE, .overlap_ms = 1 * M,
      .moving = true, .bulk = true, .restart = true },
};

static void
nothing_is_lost_unless_a_rule_is_switched_off(void **state)
{
    (void)state;
    size_t wrong = 0;
    printf("%-40s %8s %6s %7s %7s %7s %6s\n", "", "events", "lost", "asked",
           "walks", "crashes", "failed");
    for (size_t i = 0; i < sizeof scenarios / sizeof scenarios[0]; i++) {
        const struct scenario *scenario = &scenarios[i];
        struct result sum = { 0 };
        for (uint64_t seed = 1; seed <= 2; seed++) {
            run(scenario, seed * 7919 + i, &sum);
        }
        bool right = scenario->loses
                         ? sum.lost > 0
                         : sum.lost == 0 && sum.broken == 0 && sum.gaps == 0 &&
                               (sum.below == 0 || scenario->dateless);
        printf("%-40s %8zu %6zu %7zu %7zu %7zu %6zu%s\n", scenario->name,
               sum.events, sum.lost, sum.asked, sum.walks, sum.crashes,
               sum.failed, right ? "" : "  <-- wrong");
        if (!right) {
            printf("    broken %zu gaps %zu below %zu\n", sum.broken, sum.gaps,
                   sum.below);
        }
        wrong += !right;
    }
    assert_int_equal(wrong, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_lost_unless_a_rule_is_switched_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
