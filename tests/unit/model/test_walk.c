/* SPDX-License-Identifier: MIT */
#include "walk_fixture.h"

#include "model/request.h"
#include "model/walk_cursor.h"

/* ---- what is sent ---- */

static void
the_cursor_is_sent_so_that_its_boundary_is_shown(void **state)
{
    static const struct {
        bool inclusive;
        enum timefmt format;
        int64_t granularity_ms;
        const char *sent;
    } rows[] = {
        { true, TIMEFMT_UNIX_S, 0, "1699999999" },
        { true, TIMEFMT_UNIX_MS, 0, "1699999999700" },
        { true, TIMEFMT_ISO8601, 0, "2023-11-14T22:13:19.700Z" },
        { true, TIMEFMT_ISO8601_S, 0, "2023-11-14T22:13:19Z" },
        { true, TIMEFMT_ISO8601_NAIVE, 0, "2023-11-14T22:13:19" },
        { true, TIMEFMT_DATE, 0, "2023-11-14" },
        { true, TIMEFMT_MINUTE, 0, "2023-11-14 22:13" },
        { true, TIMEFMT_UNIX_S, MINUTE, "1699999980" },
        { false, TIMEFMT_UNIX_S, 0, "1699999998" },
        { false, TIMEFMT_UNIX_S, SECOND, "1699999998" },
        { false, TIMEFMT_UNIX_MS, 1, "1699999999699" },
        { false, TIMEFMT_UNIX_S, DAY, "1699833600" },
        { false, TIMEFMT_DATE, DAY, "2023-11-13" },
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        memset(&f->state, 0, sizeof f->state);
        set_hw(f, NOW + MINUTE - 300);
        f->poll->cursor.inclusive = rows[i].inclusive;
        f->poll->cursor.format = rows[i].format;
        f->poll->cursor.granularity_ms = rows[i].granularity_ms;
        begin(f);
        assert_int_equal(f->state.a_ms, NOW - 300);
        assert_cursor(f, rows[i].sent);
        assert_true(walk_lowest(&f->plan, &f->state) <= NOW - 300);
    }
    f->poll->cursor.send = false;
    begin(f);
    assert_cursor(f, NULL);
}

static void
a_304_counts_only_for_the_page_that_was_all(void **state)
{
    struct fixture *f = *state;
    struct rendered_request request;
    struct slice etag;
    struct error err;
    f->poll->conditional = true;
    f->poll->cursor.send = false;
    set_hw(f, NOW - HOUR);
    f->url = "https://api.test/v1/events";
    begin(f);
    assert_int_equal(take(f, 304, NULL), STATUS_OK);
    assert_int_equal(f->step.next, WALK_FAILED);
    assert_int_equal(f->state.hw_ms, NOW - HOUR);
    f->etag = "\"v1\"";
    begin(f);
    page(f, "{\"rows\":[{\"at\":1}]}", WALK_WHOLE);
    f->state.hw_ms = NOW - HOUR;
    begin(f);
    assert_int_equal(
        request_render(&f->connector, &f->state, &f->arena, &request, &err),
        STATUS_OK);
    assert_true(http_field_find(request.fields, "If-None-Match", &etag));
    assert_true(slice_equal_text(etag, "\"v1\""));
    f->etag = NULL;
    assert_int_equal(take(f, 304, NULL), STATUS_OK);
    assert_int_equal(f->step.next, WALK_WHOLE);
    assert_int_equal(f->state.hw_ms, NOW - 1500);
    assert_true(slice_equal_text(f->state.etag, "\"v1\""));
    /* The etag is another URL's and was not sent: nor is this an answer. */
    begin(f);
    f->url = "https://api.test/v1/others";
    assert_int_equal(take(f, 304, NULL), STATUS_OK);
    assert_int_equal(f->step.next, WALK_FAILED);
    f->url = "https://api.test/v1/events";
    /* Two pages: no etag is kept, so a 304 is no answer. */
    f->poll->pages.kind = PAGE_LINK;
    f->etag = "\"v2\"";
    f->link = "</v1/events?page=2>; rel=\"next\"";
    begin(f);
    page(f, "{\"rows\":[{\"at\":2}]}", WALK_ASK);
    f->link = NULL;
    page(f, "{\"rows\":[{\"at\":1}]}", WALK_WHOLE);
    assert_int_equal(f->state.etag.len, 0);
    /* An etag of another URL is not sent. */
    f->state.etag = slice_of("\"v1\"");
    f->state.etag_url = walk_cursor_hash(slice_of("https://api.test/other"));
    begin(f);
    assert_int_equal(
        request_render(&f->connector, &f->state, &f->arena, &request, &err),
        STATUS_OK);
    assert_false(http_field_find(request.fields, "If-None-Match", &etag));
}

/* A walk that is one page, with these validators; then the fields that the
 * next request sends. */
static void
assert_validators(struct fixture *f, const char *etag, const char *modified)
{
    struct rendered_request request;
    struct slice sent;
    struct error err;
    begin(f);
    page(f, "{\"rows\":[{\"at\":1}]}", WALK_WHOLE);
    begin(f);
    assert_int_equal(
        request_render(&f->connector, &f->state, &f->arena, &request, &err),
        STATUS_OK);
    assert_int_equal(http_field_find(request.fields, "If-None-Match", &sent),
                     etag != NULL);
    assert_true(etag == NULL || slice_equal_text(sent, etag));
    assert_int_equal(
        http_field_find(request.fields, "If-Modified-Since", &sent),
        modified != NULL);
    assert_true(modified == NULL || slice_equal_text(sent, modified));
}

static void
validators_are_sent_back_when_nothing_can_hide_behind_them(void **state)
{
    static const char before[] = "Tue, 14 Nov 2023 22:13:19 GMT";
    struct fixture *f = *state;
    f->url = "https://api.test/v1/events";
    f->poll->cursor.send = false;
    f->etag = "\"v1\"";
    f->modified = before;
    assert_validators(f, NULL, NULL);
    f->poll->conditional = CONDITIONAL_LAST_MODIFIED;
    assert_validators(f, NULL, before);
    assert_int_equal(take(f, 304, NULL), STATUS_OK);
    assert_int_equal(f->step.next, WALK_WHOLE);
    f->poll->conditional |= CONDITIONAL_ETAG;
    assert_validators(f, "\"v1\"", before);
    /* A row may still come in the second that was named. */
    f->modified = DATE;
    assert_validators(f, "\"v1\"", NULL);
    f->modified = before;
    f->date = NULL;
    assert_validators(f, "\"v1\"", NULL);
    f->date = DATE;
    f->etag = NULL;
    f->modified = "yesterday";
    assert_validators(f, NULL, NULL);
    assert_int_equal(take(f, 304, NULL), STATUS_OK);
    assert_int_equal(f->step.next, WALK_FAILED);
}

/* ---- pages ---- */

static void
each_page_kind_finds_its_next_page_and_its_end(void **state)
{
    static const struct {
        enum page_kind kind;
        int64_t size;
        bool more, stop_empty;
        const char *link, *body;
        const char *page; /* NULL: the walk is whole */
    } rows[] = {
        { PAGE_NONE, 0, false, false, NULL, "{\"rows\":[{\"at\":1}]}", NULL },
        { PAGE_LINK, 0, false, false, "<https://api.test/2>; rel=\"next\"",
          "{\"rows\":[]}", "https://api.test/2" },
        { PAGE_LINK, 0, false, false, "<?p=2>; rel=next", "{\"rows\":[]}",
          "https://api.test/v1/events?p=2" },
        { PAGE_LINK, 0, false, false, "<https://api.test/1>; rel=\"prev\"",
          "{\"rows\":[]}", NULL },
        { PAGE_URL, 0, false, false, NULL, "{\"rows\":[],\"next\":\"/v2?a\"}",
          "https://api.test/v2?a" },
        { PAGE_URL, 0, false, true, NULL, "{\"rows\":[],\"next\":\"/v2?a\"}",
          NULL },
        { PAGE_URL, 0, false, false, NULL, "{\"rows\":[],\"next\":null}",
          NULL },
        { PAGE_URL, 0, false, false, NULL, "{\"rows\":[],\"next\":\"\"}",
          NULL },
        { PAGE_TOKEN, 0, false, false, NULL,
          "{\"rows\":[],\"next\":\"t2\",\"more\":false}", "t2" },
        { PAGE_TOKEN, 0, true, false, NULL,
          "{\"rows\":[],\"next\":\"t2\",\"more\":false}", NULL },
        { PAGE_TOKEN, 0, true, false, NULL,
          "{\"rows\":[],\"next\":\"t2\",\"more\":0}", NULL },
        { PAGE_TOKEN, 0, true, false, NULL,
          "{\"rows\":[],\"next\":\"t2\",\"more\":\"yes\"}", "t2" },
        { PAGE_TOKEN, 2, false, false, NULL,
          "{\"rows\":[{\"at\":1}],\"next\":\"t2\"}", NULL },
        { PAGE_TOKEN, 1, false, false, NULL,
          "{\"rows\":[{\"at\":1}],\"next\":9007199254740993}",
          "9007199254740993" },
        { PAGE_LAST_ID, 0, false, false, NULL,
          "{\"rows\":[{\"id\":7},{\"id\":8}]}", "8" },
        { PAGE_LAST_ID, 0, false, false, NULL, "{\"rows\":[]}", NULL },
        { PAGE_NUMBER, 2, false, false, NULL,
          "{\"rows\":[{\"at\":1},{\"at\":2}]}", "2" },
        { PAGE_NUMBER, 2, false, false, NULL, "{\"rows\":[{\"at\":1}]}", NULL },
        { PAGE_NUMBER, 0, false, false, NULL, "{\"rows\":[]}", NULL },
        { PAGE_NUMBER, 0, false, false, NULL,
          "{\"rows\":[{\"at\":1}],\"total\":1}", NULL },
        { PAGE_NUMBER, 0, false, false, NULL,
          "{\"rows\":[{\"at\":1}],\"total\":2}", "2" },
        { PAGE_OFFSET, 2, false, false, NULL,
          "{\"rows\":[{\"at\":1},{\"at\":2}]}", "2" },
        { PAGE_OFFSET, 0, false, false, NULL, "{\"rows\":[]}", NULL },
    };
    struct fixture *f = *state;
    f->poll->order = ORDER_DESC;
    f->poll->pages.start = 1;
    f->poll->pages.from = list_template("json:next", &f->arena);
    f->poll->pages.total = list_template("json:total", &f->arena);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        memset(&f->state, 0, sizeof f->state);
        set_hw(f, NOW - HOUR);
        struct page_spec *pages = &f->poll->pages;
        pages->kind = rows[i].kind;
        pages->size = rows[i].size;
        pages->stop_empty = rows[i].stop_empty;
        pages->more = rows[i].more ? list_path("more", &f->arena) : NULL;
        pages->last =
            rows[i].kind == PAGE_LAST_ID ? list_path("id", &f->arena) : NULL;
        f->link = rows[i].link;
        begin(f);
        page(f, rows[i].body, rows[i].page == NULL ? WALK_WHOLE : WALK_ASK);
        assert_page(f, rows[i].page);
        /* Newest first: nothing moves before the end. */
        assert_int_equal(f->state.hw_ms,
                         rows[i].page == NULL ? NOW - 1500 : NOW - HOUR);
    }
}

static void
a_list_that_leads_nowhere_fails_and_keeps_hw(void **state)
{
    static const struct {
        enum page_kind kind;
        const char *link, *first, *second;
    } rows[] = {
        { PAGE_LINK, "<https://evil.test/2>; rel=\"next\"", "{\"rows\":[]}",
          NULL },
        { PAGE_LINK, "<http://api.test/2>; rel=\"next\"", "{\"rows\":[]}",
          NULL },
        { PAGE_LINK, "<https://api.test/v1/events?since=1>; rel=\"next\"",
          "{\"rows\":[]}", NULL },
        { PAGE_LINK, "<https://api.test/2>; rel=\"next\"", "{\"rows\":[]}",
          "{\"rows\":[]}" },
        { PAGE_URL, NULL, "{\"rows\":[],\"next\":\"//evil.test/\"}", NULL },
        { PAGE_TOKEN, NULL, "{\"rows\":[{\"at\":9}],\"next\":\"t\"}",
          "{\"rows\":[{\"at\":8}],\"next\":\"t\"}" },
        { PAGE_NUMBER, NULL, "{\"rows\":[{\"at\":9}]}",
          "{\"rows\":[{\"at\":9}]}" },
        { PAGE_OFFSET, NULL, "{\"rows\":[{\"at\":9}]}",
          "{\"rows\":[{\"at\":9}]}" },
    };
    struct fixture *f = *state;
    f->poll->order = ORDER_DESC;
    f->poll->pages.from = list_template("json:next", &f->arena);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        memset(&f->state, 0, sizeof f->state);
        set_hw(f, NOW - HOUR);
        f->poll->pages.kind = rows[i].kind;
        f->link = rows[i].link;
        begin(f);
        page(f, rows[i].first, rows[i].second == NULL ? WALK_FAILED : WALK_ASK);
        if (rows[i].second != NULL) {
            page(f, rows[i].second, WALK_FAILED);
        }
        assert_true(f->step.why.text[0] != '\0');
        assert_int_equal(f->state.hw_ms, NOW - HOUR);
        assert_false(f->state.open);
    }
}

/* A walk that kept it could never be asked for again. */
static void
what_no_request_can_carry_is_not_kept(void **state)
{
    static const struct {
        enum cursor_kind cursor;
        enum page_kind page;
        const char *body; /* with the text in it */
    } rows[] = {
        { CURSOR_TIME, PAGE_TOKEN, "{\"rows\":[{\"at\":9}],\"next\":\"%s\"}" },
        { CURSOR_TIME, PAGE_URL, "{\"rows\":[{\"at\":9}],\"next\":\"/%s\"}" },
        { CURSOR_TOKEN, PAGE_CURSOR, "{\"rows\":[],\"next\":\"%s\"}" },
        { CURSOR_ID, PAGE_CURSOR, "{\"rows\":[{\"next\":\"%s\"}]}" },
    };
    struct fixture *f = *state;
    struct buf text = { 0 };
    for (size_t i = 0; i <= (size_t)64 * 1024; i++) {
        buf_byte(&text, 'x');
    }
    f->poll->pages.from = list_template("json:next", &f->arena);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf body = { 0 };
        struct slice rest = slice_of(rows[i].body);
        struct slice before;
        assert_true(slice_split(&rest, '%', &before));
        buf_append(&body, before);
        buf_append(&body, buf_slice(&text));
        buf_append(&body, slice_from(rest, 1));
        memset(&f->state, 0, sizeof f->state);
        set_hw(f, NOW - HOUR);
        f->poll->cursor.kind = rows[i].cursor;
        f->poll->cursor.from =
            list_path(rows[i].cursor == CURSOR_TIME ? "at" : "next", &f->arena);
        f->poll->pages.kind = rows[i].page;
        begin(f);
        page(f, buf_slice(&body).ptr, WALK_FAILED);
        assert_true(f->step.why.text[0] != '\0');
        assert_false(f->state.open || f->state.has_page);
        assert_int_equal(f->state.hw_ms, NOW - HOUR);
        assert_int_equal(f->state.token.len, 0);
        buf_fini(&body);
    }
    buf_fini(&text);
}

static void
an_ascending_list_restarts_when_what_is_sent_has_moved(void **state)
{
    struct fixture *f = *state;
    f->poll->pages.kind = PAGE_NUMBER;
    f->poll->pages.start = 1;
    f->poll->pages.size = 2;
    f->poll->pages.restart = true;
    set_hw(f, INT64_C(160000));
    begin(f);
    assert_cursor(f, "100");
    page(f, "{\"rows\":[{\"at\":100},{\"at\":105.9}]}", WALK_ASK);
    assert_cursor(f, "105");
    assert_page(f, NULL);
    page(f, "{\"rows\":[{\"at\":105.2},{\"at\":105.95}]}", WALK_ASK);
    assert_cursor(f, "105");
    assert_page(f, "2");
    page(f, "{\"rows\":[{\"at\":105.96},{\"at\":106}]}", WALK_ASK);
    assert_cursor(f, "105"); /* rows may have moved between its pages */
    assert_page(f, NULL);
    page(f, "{\"rows\":[{\"at\":105.2},{\"at\":105.95}]}", WALK_ASK);
    page(f, "{\"rows\":[{\"at\":105.96},{\"at\":106}]}", WALK_ASK);
    assert_cursor(f, "106");
    assert_page(f, NULL);
    page(f, "{\"rows\":[{\"at\":106}]}", WALK_WHOLE);
}

static void
a_newest_first_list_ends_where_a_whole_page_is_old(void **state)
{
    struct fixture *f = *state;
    f->poll->order = ORDER_DESC;
    f->poll->cursor.send = false;
    f->poll->pages.kind = PAGE_LINK;
    f->poll->pages.until_cursor = true;
    set_hw(f, NOW);
    f->link = "<https://api.test/2>; rel=\"next\"";
    begin(f);
    /* a is NOW - 60 s = 1699999940 */
    page(f, "{\"rows\":[{\"at\":1699999941},{\"at\":1699999939}]}", WALK_ASK);
    assert_true(walk_below(&f->plan, &f->state, slice_of("{\"at\":1699999939}"),
                           &f->arena));
    assert_false(walk_below(&f->plan, &f->state,
                            slice_of("{\"at\":1699999940}"), &f->arena));
    f->link = "<https://api.test/3>; rel=\"next\"";
    page(f, "{\"rows\":[]}", WALK_ASK);
    f->link = "<https://api.test/4>; rel=\"next\"";
    page(f, "{\"rows\":[{\"at\":1699999939},{\"at\":1699999000}]}", WALK_WHOLE);
}

static void
a_full_second_fails_twice_and_is_a_gap_the_third_time(void **state)
{
    struct fixture *f = *state;
    const char *full = "{\"rows\":[{\"at\":100},{\"at\":100}]}";
    f->poll->pages.kind = PAGE_CURSOR;
    f->poll->pages.size = 2;
    set_hw(f, INT64_C(160000));
    for (int i = 0; i < 2; i++) {
        begin(f);
        assert_cursor(f, "100");
        page(f, full, WALK_FAILED);
        assert_int_equal(f->step.is_elsewhere, i == 0);
        assert_false(f->step.has_gap);
        assert_non_null(strstr(f->step.why.text, "page size"));
    }
    begin(f);
    page(f, full, WALK_ASK);
    assert_gap(f, GAP_TIE, 100000, 101000);
    assert_cursor(f, "101");
    assert_false(f->step.is_elsewhere);
    /* The next one is no failure of this one's. */
    page(f, "{\"rows\":[{\"at\":101},{\"at\":101}]}", WALK_FAILED);
    assert_true(f->step.is_elsewhere);
    assert_int_equal(f->state.ties, 1);
    begin(f);
    page(f, "{\"rows\":[{\"at\":101}]}", WALK_WHOLE);
    assert_false(f->step.is_elsewhere);
    assert_int_equal(f->state.ties, 0);
}

static void
a_list_without_pages_that_is_full_says_what_it_hid(void **state)
{
    struct fixture *f = *state;
    f->poll->order = ORDER_DESC;
    f->poll->pages.kind = PAGE_NONE;
    f->poll->pages.size = 2;
    set_hw(f, NOW - HOUR);
    begin(f);
    page(f, "{\"rows\":[{\"at\":1699999990},{\"at\":1699999980}]}", WALK_WHOLE);
    assert_gap(f, GAP_COUNT, NOW - HOUR - MINUTE, NOW - 20 * SECOND);
    begin(f);
    page(f, "{\"rows\":[{\"at\":1699999990},{\"at\":1699999980}]}", WALK_WHOLE);
    assert_false(f->step.has_gap);
}

static void
too_many_pages_fail_the_walk_and_the_next_goes_on(void **state)
{
    struct fixture *f = *state;
    f->poll->order = ORDER_DESC;
    f->poll->pages.kind = PAGE_TOKEN;
    f->poll->pages.from = list_template("json:next", &f->arena);
    f->poll->max_pages = 2;
    set_hw(f, NOW - HOUR);
    begin(f);
    page(f, "{\"rows\":[{\"at\":9}],\"next\":\"2\"}", WALK_ASK);
    page(f, "{\"rows\":[{\"at\":8}],\"next\":\"3\"}", WALK_FAILED);
    assert_non_null(strstr(f->step.why.text, "max_pages"));
    begin(f);
    assert_page(f, "3");
    page(f, "{\"rows\":[{\"at\":7}],\"next\":\"4\"}", WALK_ASK);
    page(f, "{\"rows\":[{\"at\":6}]}", WALK_WHOLE);
}

/* ---- failures and crashes ---- */

static void
a_refused_page_token_begins_the_walk_anew(void **state)
{
    struct fixture *f = *state;
    f->poll->pages.kind = PAGE_TOKEN;
    f->poll->pages.from = list_template("json:next", &f->arena);
    set_hw(f, INT64_C(160000));
    begin(f);
    page(f, "{\"rows\":[{\"at\":120}],\"next\":\"2\"}", WALK_ASK);
    failed(f, 400, WALK_ASK);
    assert_page(f, NULL);
    assert_cursor(f, "120"); /* what is below is stored */
    f->poll->order = ORDER_DESC;
    for (int i = 0; i < 3; i++) {
        page(f, "{\"rows\":[{\"at\":130}],\"next\":\"2\"}", WALK_ASK);
        failed(f, 410, i < 2 ? WALK_ASK : WALK_FAILED);
        assert_cursor(f, "120");
    }
    assert_false(f->state.open);
    assert_int_equal(f->state.hw_ms, 160000);
}

static void
other_failures_keep_the_walk_but_not_for_ever(void **state)
{
    static const unsigned statuses[] = { 500, 401, 429, 502 };
    struct fixture *f = *state;
    f->poll->order = ORDER_DESC;
    f->poll->pages.kind = PAGE_TOKEN;
    f->poll->pages.from = list_template("json:next", &f->arena);
    set_hw(f, NOW - HOUR);
    begin(f);
    page(f, "{\"rows\":[{\"at\":120}],\"next\":\"2\"}", WALK_ASK);
    for (size_t i = 0; i < 4; i++) {
        failed(f, statuses[i], WALK_FAILED);
        failed(f, 0, WALK_FAILED);
        begin(f);
        assert_page(f, "2");
    }
    failed(f, 500, WALK_FAILED);
    begin(f);
    assert_page(f, NULL); /* a page that is broken for good hides the rest */
    assert_int_equal(f->state.hw_ms, NOW - HOUR);
}

static void
numbered_pages_are_not_resumed_after_a_crash(void **state)
{
    static const struct {
        enum page_kind kind;
        const char *link, *page;
    } rows[] = { { PAGE_NUMBER, NULL, NULL },
                 { PAGE_OFFSET, NULL, NULL },
                 { PAGE_TOKEN, NULL, "t2" },
                 { PAGE_URL, NULL, "https://api.test/v1/t2" },
                 { PAGE_LINK, "</2>; rel=next", "https://api.test/2" } };
    struct fixture *f = *state;
    f->poll->order = ORDER_DESC;
    f->poll->pages.from = list_template("json:next", &f->arena);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf text = { 0 };
        memset(&f->state, 0, sizeof f->state);
        set_hw(f, NOW - HOUR);
        f->poll->pages.kind = rows[i].kind;
        f->link = rows[i].link;
        f->plan.resumable = true;
        begin(f);
        page(f, "{\"rows\":[{\"at\":1}],\"next\":\"t2\"}", WALK_ASK);
        assert_true(f->state.has_page);
        walk_encode(&f->state, &text);
        assert_int_equal(
            walk_decode(buf_slice(&text), &f->arena, &f->state, NULL),
            STATUS_OK);
        buf_fini(&text);
        f->plan.resumable = false;
        begin(f);
        assert_page(f, rows[i].page);
        assert_int_equal(f->state.pages, rows[i].page == NULL ? 0 : 1);
        assert_int_equal(f->state.has_s, rows[i].page != NULL);
    }
}

/* ---- ids and tokens ---- */

static void
use_ids(struct fixture *f, enum pick pick)
{
    f->poll->cursor.kind = CURSOR_ID;
    f->poll->cursor.pick = pick;
    f->poll->cursor.numeric = true;
    f->poll->cursor.from = list_path("id", &f->arena);
    f->poll->pages.kind = PAGE_CURSOR;
    f->poll->pages.size = 2;
    f->plan.overlap_ms = 0;
}

static void
an_id_cursor_takes_what_its_pick_says(void **state)
{
    static const struct {
        enum pick pick;
        const char *rows, *cursor;
    } rows[] = {
        { PICK_MAX, "{\"rows\":[{\"id\":9},{\"id\":10}]}", "10" },
        { PICK_MAX, "{\"rows\":[{\"id\":9007199254740993},{\"id\":\"5\"}]}",
          "9007199254740993" },
        { PICK_FIRST, "{\"rows\":[{\"id\":\"b\"},{\"id\":\"a\"}]}", "b" },
        { PICK_LAST, "{\"rows\":[{\"id\":\"b\"},{\"id\":\"a\"}]}", "a" },
        { PICK_MAX_PLUS_1, "{\"rows\":[{\"id\":7},{\"id\":9}]}", "10" },
        { PICK_MAX_PLUS_1, "{\"rows\":[{\"id\":1299},{\"id\":9}]}", "1300" },
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        memset(&f->state, 0, sizeof f->state);
        set_hw(f, NOW - HOUR);
        use_ids(f, rows[i].pick);
        begin(f);
        assert_cursor(f, NULL);
        page(f, rows[i].rows, WALK_ASK);
        assert_cursor(f, rows[i].cursor);
        assert_false(f->state.has_token); /* not before the walk is whole */
        page(f, "{\"rows\":[]}", WALK_WHOLE);
        assert_true(f->state.has_token);
        begin(f);
        assert_cursor(f, rows[i].cursor);
    }
}

static void
the_first_request_sets_the_cursor_and_delivers_nothing(void **state)
{
    struct fixture *f = *state;
    use_ids(f, PICK_MAX);
    f->poll->first.url = list_template("https://api.test/last", &f->arena);
    f->poll->first_cursor = list_template("item:id", &f->arena);
    f->poll->first_else = slice_of("0");
    begin(f);
    assert_true(f->state.first);
    page(f, "{\"rows\":[{\"id\":41}]}", WALK_ASK);
    assert_true(
        walk_below(&f->plan, &f->state, slice_of("{\"id\":41}"), &f->arena));
    assert_false(f->state.first);
    assert_cursor(f, "41");
    page(f, "{\"rows\":[{\"id\":42}]}", WALK_WHOLE);
    assert_false(
        walk_below(&f->plan, &f->state, slice_of("{\"id\":42}"), &f->arena));
    static const struct {
        enum pick pick;
        const char *cursor;
    } rows[] = { { PICK_FIRST, "7" }, { PICK_LAST, "9" }, { PICK_MAX, "10" } };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        memset(&f->state, 0, sizeof f->state);
        f->poll->first_pick = rows[i].pick;
        begin(f);
        page(f, "{\"rows\":[{\"id\":7},{\"id\":10},{\"id\":9}]}", WALK_ASK);
        assert_cursor(f, rows[i].cursor);
    }
    memset(&f->state, 0, sizeof f->state);
    begin(f);
    page(f, "{\"rows\":[]}", WALK_ASK);
    assert_cursor(f, "0"); /* before everything */
    f->poll->first_else = slice_of("");
    memset(&f->state, 0, sizeof f->state);
    begin(f);
    page(f, "{\"rows\":[]}", WALK_ASK);
    assert_cursor(f, NULL);
    page(f, "{\"rows\":[]}", WALK_WHOLE);
    begin(f);
    assert_false(f->state.first); /* it is not asked again */
}

static void
a_list_begun_at_its_newest_id_says_what_it_passes_over(void **state)
{
    static const struct {
        int64_t late_ms; /* the answer comes so long after the beginning */
        enum poll_start kind;
        int64_t start_ms;
        unsigned tiers; /* 0: a deeper one */
        const char *body;
        int64_t gap_ms; /* from so long ago; 0: none */
    } rows[] = {
#define NEWEST "{\"rows\":[{\"id\":41}]}"
        { 5 * MINUTE - SECOND, START_NOW, 0, 1, NEWEST, 0 },
        { 5 * MINUTE, START_NOW, 0, 1, NEWEST, 5 * MINUTE },
        { 5 * MINUTE, START_NOW, 0, 1, "{\"rows\":[]}", 0 },
        { HOUR, START_NOW, 0, 0, NEWEST, HOUR },
        { 0, START_AGO, 7 * DAY, 1, NEWEST, 7 * DAY },
        { 0, START_AGO, 7 * DAY, 0, NEWEST, 0 },
        { HOUR, START_AGO, 7 * DAY, 0, NEWEST, HOUR },
        { 0, START_AT, NOW - DAY, 1, NEWEST, DAY },
        { HOUR, START_AT, NOW - DAY, 0, NEWEST, 0 },
#undef NEWEST
    };
    struct fixture *f = *state;
    use_ids(f, PICK_MAX);
    f->poll->first.url = list_template("https://api.test/last", &f->arena);
    f->poll->first_cursor = list_template("item:id", &f->arena);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        memset(&f->state, 0, sizeof f->state);
        f->poll->start_kind = rows[i].kind;
        f->poll->start_ms = rows[i].start_ms;
        f->plan.tiers = rows[i].tiers;
        f->now =
            (struct walk_now){ NOW - rows[i].late_ms, NOW - rows[i].late_ms };
        begin(f);
        f->now = (struct walk_now){ NOW, NOW };
        page(f, rows[i].body, WALK_ASK);
        if (rows[i].gap_ms == 0) {
            assert_false(f->step.has_gap);
        } else {
            assert_gap(f, GAP_CURSOR, NOW - rows[i].gap_ms, NOW + SECOND);
        }
        page(f, "{\"rows\":[{\"id\":42}]}", WALK_WHOLE);
        assert_false(f->step.has_gap);
    }
}

static void
walk_ids_for_hours(void **state, int64_t overlap_ms, int64_t settle_ms)
{
    struct fixture *f = *state;
    char body[64];
    char want[16];
    use_ids(f, PICK_MAX);
    f->poll->pages.size = 50;
    f->plan.overlap_ms = overlap_ms;
    f->poll->settle_ms = settle_ms;
    f->date = NULL;
    for (int minute = 0; minute < 300; minute++) {
        f->now = (struct walk_now){ NOW + minute * MINUTE, 0 };
        begin(f);
        /* One id a minute; the last walk began one minute ago. No id is old
         * enough at first: what lies below the oldest may still appear. */
        int id = minute - 12;
        (void)snprintf(want, sizeof want, "%d", 1000 + id);
        assert_cursor(f, id < 0 ? NULL : want);
        (void)snprintf(body, sizeof body, "{\"rows\":[{\"id\":%d}]}",
                       1000 + minute);
        page(f, body, WALK_WHOLE);
        assert_true(f->state.id_count <= WALK_IDS_MAX);
    }
    assert_int_equal(f->state.id_count, 12);
}

static void
an_id_walk_begins_behind_the_id_of_overlap_ago(void **state)
{
    walk_ids_for_hours(state, 10 * MINUTE, 0);
}

static void
an_id_walk_begins_behind_the_id_of_settle_ago(void **state)
{
    walk_ids_for_hours(state, 0, 10 * MINUTE);
}

static void
an_id_walk_begins_behind_overlap_and_settle(void **state)
{
    walk_ids_for_hours(state, 4 * MINUTE, 6 * MINUTE);
}

static void
an_opaque_cursor_is_kept_with_its_page(void **state)
{
    struct fixture *f = *state;
    f->poll->cursor.kind = CURSOR_TOKEN;
    f->poll->cursor.from = list_path("next", &f->arena);
    f->poll->pages.kind = PAGE_CURSOR;
    f->poll->pages.more = list_path("more", &f->arena);
    begin(f);
    assert_cursor(f, NULL);
    page(f, "{\"rows\":[{\"at\":1}],\"next\":\"c1\",\"more\":true}", WALK_ASK);
    assert_true(slice_equal_text(f->state.token, "c1"));
    page(f, "{\"rows\":[],\"next\":\"c2\",\"more\":true}", WALK_ASK);
    page(f, "{\"rows\":[],\"next\":\"c2\",\"more\":true}", WALK_FAILED);
    assert_int_equal(f->state.hw_ms, 0);
    begin(f);
    assert_cursor(f, "c2");
    page(f, "{\"rows\":[],\"next\":\"c3\",\"more\":false}", WALK_WHOLE);
    begin(f);
    assert_cursor(f, "c3");
    page(f, "{\"rows\":[],\"more\":false}", WALK_WHOLE);
    begin(f);
    assert_cursor(f, "c3"); /* an answer without one changes nothing */
}

static void
a_refused_cursor_is_a_gap_and_a_new_start(void **state)
{
    static const struct {
        unsigned status;
        int times;
    } rows[] = { { 410, 1 }, { 404, 3 }, { 400, 3 } };
    struct fixture *f = *state;
    f->poll->cursor.kind = CURSOR_TOKEN;
    f->poll->pages.kind = PAGE_CURSOR;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        memset(&f->state, 0, sizeof f->state);
        set_hw(f, NOW - HOUR);
        f->state.token = slice_of("old");
        f->state.has_token = true;
        for (int n = 1; n <= rows[i].times; n++) {
            begin(f);
            assert_cursor(f, "old");
            failed(f, rows[i].status, WALK_FAILED);
            assert_true(f->step.state_changed);
            assert_int_equal(f->step.has_gap, n == rows[i].times);
        }
        assert_gap(f, GAP_CURSOR, NOW - HOUR - MINUTE, NOW);
        assert_int_equal(f->state.hw_ms, NOW - HOUR);
        begin(f);
        assert_cursor(f, NULL);
    }
}

/* ---- the stored text ---- */

static void
a_state_is_read_back_as_it_was_written(void **state)
{
    struct fixture *f = *state;
    struct buf one = { 0 };
    struct buf two = { 0 };
    struct walk_state back;
    use_ids(f, PICK_MAX);
    f->plan.overlap_ms = HOUR;
    f->etag = "W/\"\xc3\xa9\"";
    f->poll->conditional = true;
    begin(f);
    page(f, "{\"rows\":[{\"id\":\"a\\\"b\\n\"}]}", WALK_WHOLE);
    f->now.our_ms += HOUR;
    begin(f);
    page(f, "{\"rows\":[{\"id\":\"zzzzzzzzz\"},{\"id\":1}]}", WALK_ASK);
    f->state.page_hash = UINT64_MAX;
    f->state.largest_ms = INT64_MAX;
    f->state.failures = 4;
    walk_encode(&f->state, &one);
    assert_int_equal(json_check(buf_slice(&one), 8, NULL), STATUS_OK);
    assert_int_equal(walk_decode(buf_slice(&one), &f->arena, &back, NULL),
                     STATUS_OK);
    walk_encode(&back, &two);
    assert_true(slice_equal(buf_slice(&one), buf_slice(&two)));
    assert_int_equal(back.id_count, 1);
    assert_true(slice_equal_text(back.token, "a\"b"));
    buf_fini(&one);
    buf_fini(&two);
}

static void
a_text_that_is_no_state_is_damaged(void **state)
{
    static const struct {
        const char *text;
        enum status status;
    } rows[] = {
        { "", STATUS_CORRUPT },
        { "{}", STATUS_CORRUPT },
        { "[]", STATUS_CORRUPT },
        { "{\"v\":1", STATUS_CORRUPT },
        { "{\"v\":1}", STATUS_OK },
        { "{\"v\":2,\"new\":[1,{}],\"hw\":5}", STATUS_OK },
        { "{\"v\":1,\"hw\":1.5}", STATUS_CORRUPT },
        { "{\"v\":1,\"hw\":99999999999999999999}", STATUS_CORRUPT },
        { "{\"v\":1,\"open\":1}", STATUS_CORRUPT },
        { "{\"v\":1,\"token\":7}", STATUS_CORRUPT },
        { "{\"v\":1,\"ties\":-1}", STATUS_CORRUPT },
        { "{\"v\":1,\"ids\":[[1]]}", STATUS_CORRUPT },
        { "{\"v\":1,\"ids\":[[\"x\",\"y\"]]}", STATUS_CORRUPT },
        { "{\"v\":1,\"ids\":{}}", STATUS_CORRUPT },
        { "{ \"v\" : 1 , \"ids\" : [ [ 1 , \"a\" ] ] }", STATUS_OK },
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct walk_state back;
        struct error err = { { 0 } };
        enum status status =
            walk_decode(slice_of(rows[i].text), &f->arena, &back, &err);
        if (status != rows[i].status) {
            fail_msg("%s: %s", rows[i].text, status_text(status));
        }
        assert_int_equal(err.text[0] == '\0', status == STATUS_OK);
    }
}

static void
what_was_measured_is_read_back_or_measured_anew(void **state)
{
    static const struct {
        const char *lag;
        int64_t turned_ms;
        int64_t max_ms;
    } rows[] = {
        { "[5,[7000,1,0,2],[9000,0,0,0,0,1]]", 5, 9000 },
        { "[5,[0],[0]]", 5, 0 },
        { "[5,[7000,1,0,2]]", 0, 0 },
        { "[5,[7000,-1],[0]]", 0, 0 },
        { "[5,[7000,4294967296],[0]]", 0, 0 },
        { "[5,[],[0]]", 0, 0 },
        { "[5,[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1],[0]]", 0, 0 },
        { "{\"now\":1}", 0, 0 },
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct walk_state back;
        struct buf text = { 0 };
        struct buf again = { 0 };
        buf_format(&text, "{\"v\":1,\"hw\":4,\"lag\":%s}", rows[i].lag);
        assert_int_equal(walk_decode(buf_slice(&text), &f->arena, &back, NULL),
                         STATUS_OK);
        assert_int_equal(back.hw_ms, 4);
        assert_int_equal(back.lag.turned_ms, rows[i].turned_ms);
        assert_int_equal(lag_max_ms(&back.lag), rows[i].max_ms);
        walk_encode(&back, &again);
        assert_int_equal(slice_equal(buf_slice(&again), buf_slice(&text)),
                         rows[i].turned_ms != 0);
        buf_fini(&text);
        buf_fini(&again);
    }
}

static void
the_ledger_keeps_what_a_walk_can_still_read(void **state)
{
    struct fixture *f = *state;
    f->connector.has_poll = false;
    assert_int_equal(walk_lowest(&f->plan, &f->state), INT64_MAX);
    f->connector.has_poll = true;
    assert_int_equal(walk_lowest(&f->plan, &f->state), INT64_MIN);
    set_hw(f, NOW);
    assert_int_equal(walk_lowest(&f->plan, &f->state), NOW - MINUTE);
    f->state.open = true;
    f->state.a_ms = NOW - HOUR;
    assert_int_equal(walk_lowest(&f->plan, &f->state), NOW - HOUR);
    f->state.open = false;
    use_ids(f, PICK_MAX);
    f->state.ids[0] = (struct walk_mark){ NOW - DAY, SLICE("1") };
    f->state.id_count = 1;
    assert_int_equal(walk_lowest(&f->plan, &f->state), NOW - DAY);
    f->poll->cursor.kind = CURSOR_NONE;
    assert_int_equal(walk_lowest(&f->plan, &f->state), NOW - 365 * DAY);
    assert_int_equal(walk_complete_until(&f->plan, &(struct walk_state){ 0 }),
                     0);
    assert_string_equal(gap_kind_name(GAP_TIE), "tie");
}

static void
a_walk_without_memory_is_a_status(void **state)
{
    struct fixture *f = *state;
    struct walk_state kept;
    const char *const bodies[] = {
        "{\"rows\":[{\"id\":\"\\u0061\",\"at\":\"\\u0031\"}],\"next\":\"n\"}",
        "{\"rows\":[{\"id\":\"b\"}]}",
    };
    use_ids(f, PICK_LAST);
    f->poll->pages.kind = PAGE_URL;
    f->poll->pages.size = 0;
    f->poll->pages.from = list_template("json:next", &f->arena);
    f->poll->conditional = true;
    f->etag = "\"x\"";
    set_hw(f, NOW - HOUR);
    f->state.token = slice_of("0");
    f->state.has_token = true;
    kept = f->state;
    enum status status = STATUS_NOMEM;
    long n = 0;
    for (; n < 200 && status != STATUS_OK; n++) {
        f->state = kept;
        struct arena arena = { 0 };
        (void)mem_fail_after(n, 0);
        struct arena setup = f->arena;
        f->arena = arena;
        status = walk_begin(&f->plan, &f->state, &f->now, &f->arena, &f->step);
        for (size_t i = 0; i < 2 && status == STATUS_OK; i++) {
            status = take(f, 200, bodies[i]);
        }
        (void)mem_fail_after(-1, 0);
        arena_fini(&f->arena);
        f->arena = setup;
        assert_true(status == STATUS_OK || status == STATUS_NOMEM);
    }
    assert_true(n > 2 && status == STATUS_OK);
}

static void
seed(struct walk_state *into, const struct walk_state *from, struct fixture *f)
{
    assert_int_equal(walk_seed(into, from, &f->arena), STATUS_OK);
}

static void
a_tier_that_is_new_begins_at_the_lowest_watermark(void **state)
{
    struct fixture *f = *state;
    const struct walk_state fast = {
        .has_start = true, .start_ms = 1000, .hw_ms = 9000, .largest_ms = 8000
    };
    const struct walk_state slow = { .has_start = true,
                                     .start_ms = 2000,
                                     .hw_ms = 5000 };
    const struct walk_state young = { .has_start = true, .start_ms = 3000 };
    const struct walk_state none = { 0 };
    struct walk_state seeded = { 0 };
    seed(&seeded, &none, f);
    assert_false(seeded.has_start);
    seed(&seeded, &fast, f);
    assert_int_equal(seeded.hw_ms, 9000);
    seed(&seeded, &slow, f);
    seed(&seeded, &none, f);
    assert_int_equal(seeded.start_ms, 1000);
    assert_int_equal(seeded.hw_ms, 5000);
    assert_int_equal(seeded.largest_ms, 8000);
    assert_false(seeded.open);
    /* one that has not finished a walk has not come past its start */
    seed(&seeded, &young, f);
    assert_int_equal(seeded.hw_ms, 0);
}

static void
a_tier_that_is_new_begins_at_the_oldest_id(void **state)
{
    static const struct walk_state fast = {
        .has_start = true,
        .has_token = true,
        .token = SLICE("9"),
        .ids = { { 5000, SLICE("7") }, { 8000, SLICE("9") } },
        .id_count = 2,
        .cursor_hash = 3,
    };
    static const struct walk_state slow = {
        .has_start = true,
        .has_token = true,
        .token = SLICE("6"),
        .ids = { { 1000, SLICE("2") } },
        .id_count = 1,
        .cursor_hash = 3,
    };
    static const struct walk_state unread = { .has_start = true };
    static const struct walk_state lost = { .has_start = true, .anew = true };
    struct fixture *f = *state;
    struct walk_state seeded = { 0 };
    seed(&seeded, &unread, f);
    assert_false(seeded.has_token);
    seed(&seeded, &fast, f);
    seed(&seeded, &unread, f);
    assert_int_equal(seeded.id_count, 2);
    assert_int_equal(seeded.cursor_hash, 3);
    seed(&seeded, &slow, f);
    seed(&seeded, &fast, f);
    assert_true(slice_equal_text(seeded.token, "6"));
    assert_int_equal(seeded.id_count, 1);
    assert_true(slice_equal_text(seeded.ids[0].id, "2"));
    assert_true(seeded.ids[0].id.ptr != slow.ids[0].id.ptr);
    /* Another cursor's ids are no bound of this one's. */
    struct walk_state other = fast;
    other.cursor_hash = 4;
    seed(&other, &slow, f);
    assert_true(slice_equal_text(other.token, "9"));
    /* One that has lost its cursor reads from the beginning. */
    seed(&seeded, &lost, f);
    assert_true(seeded.anew);
    assert_false(seeded.has_token);
    seed(&seeded, &fast, f);
    assert_false(seeded.has_token);
}

static void
the_lag_of_the_list_is_told_by_walks_that_missed(void **state)
{
    (void)state;
    static const struct {
        struct walk_past past;
        int64_t time_ms;
        int64_t lag_ms;
    } rows[] = {
        { { 0, 0, 0, 0, 0 }, 5000, -1 },      /* no walk has ended */
        { { 4000, 0, 0, 0, 0 }, 5000, 0 },    /* this walk is the first one */
        { { 5000, 0, 0, 0, 0 }, 5000, 0 },    /* it began at the stamp */
        { { 9000, 0, 0, 0, 0 }, 5000, 4000 }, /* it should have been there */
        { { 4000, 9000, 60000, 0, 0 },
          5000,
          4000 }, /* the fast tier missed it */
        { { 4000, 9000, 1000, 0, 0 }, 5000, 1000 }, /* and covered it so long */
        { { 7000, 4000, 60000, 0, 0 }, 5000, 2000 },
        { { 4000, 0, 60000, 0, 0 }, 5000, 0 },
        /* and it has not, where it began to read behind the stamp */
        { { 4000, 9000, 60000, 5001, 0 }, 5000, 0 },
        { { 4500, 9000, 60000, 5000, 0 }, 5000, 4000 },
        { { 7000, 9000, 60000, 5001, 0 }, 5000, 2000 },
        /* older than what is read: the page's lower rows */
        { { 9000, 0, 0, 0, 5001 }, 5000, -1 },
        { { 9000, 0, 0, 0, 5000 }, 5000, 4000 },
        { { INT64_MAX, INT64_MAX, INT64_MAX, 0, 0 }, INT64_MAX - 1, 1 },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(walk_lag_ms(&rows[i].past, rows[i].time_ms),
                         rows[i].lag_ms);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_cursor_is_sent_so_that_its_boundary_is_shown),
        TEST(validators_are_sent_back_when_nothing_can_hide_behind_them),
        TEST(a_304_counts_only_for_the_page_that_was_all),
        TEST(each_page_kind_finds_its_next_page_and_its_end),
        TEST(a_list_that_leads_nowhere_fails_and_keeps_hw),
        TEST(what_no_request_can_carry_is_not_kept),
        TEST(an_ascending_list_restarts_when_what_is_sent_has_moved),
        TEST(a_newest_first_list_ends_where_a_whole_page_is_old),
        TEST(a_full_second_fails_twice_and_is_a_gap_the_third_time),
        TEST(a_list_without_pages_that_is_full_says_what_it_hid),
        TEST(too_many_pages_fail_the_walk_and_the_next_goes_on),
        TEST(a_refused_page_token_begins_the_walk_anew),
        TEST(other_failures_keep_the_walk_but_not_for_ever),
        TEST(numbered_pages_are_not_resumed_after_a_crash),
        TEST(an_id_cursor_takes_what_its_pick_says),
        TEST(the_first_request_sets_the_cursor_and_delivers_nothing),
        TEST(a_list_begun_at_its_newest_id_says_what_it_passes_over),
        TEST(an_id_walk_begins_behind_the_id_of_overlap_ago),
        TEST(an_id_walk_begins_behind_the_id_of_settle_ago),
        TEST(an_id_walk_begins_behind_overlap_and_settle),
        TEST(an_opaque_cursor_is_kept_with_its_page),
        TEST(a_refused_cursor_is_a_gap_and_a_new_start),
        TEST(a_state_is_read_back_as_it_was_written),
        TEST(what_was_measured_is_read_back_or_measured_anew),
        TEST(a_text_that_is_no_state_is_damaged),
        TEST(the_ledger_keeps_what_a_walk_can_still_read),
        TEST(a_walk_without_memory_is_a_status),
        TEST(a_tier_that_is_new_begins_at_the_lowest_watermark),
        TEST(a_tier_that_is_new_begins_at_the_oldest_id),
        TEST(the_lag_of_the_list_is_told_by_walks_that_missed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
