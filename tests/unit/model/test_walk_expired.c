/* SPDX-License-Identifier: MIT */
#include "walk_fixture.h"

#include "model/request.h"
#include "model/walk_expired.h"

/* A cursor that the answers 409 with "reset", and 404, bring to its end. */
static void
use_token(struct fixture *f, enum cursor_kind kind)
{
    static struct condition reset;
    static struct expired_spec expired[2];
    reset = (struct condition){ .x = list_template("{json:error['.tag']}",
                                                   &f->arena),
                                .test = CONDITION_EQUALS,
                                .equals = SLICE("reset") };
    expired[0] = (struct expired_spec){ 409, { &reset, 1 } };
    expired[1] = (struct expired_spec){ 404, { NULL, 0 } };
    f->poll->cursor.kind = kind;
    f->poll->cursor.from =
        list_path(kind == CURSOR_ID ? "id" : "next", &f->arena);
    f->poll->cursor.expired = expired;
    f->poll->cursor.expired_count = 2;
    f->poll->pages.kind = PAGE_CURSOR;
    f->poll->pages.more = list_path("more", &f->arena);
    set_hw(f, NOW - HOUR);
    f->state.token = slice_of("old");
    f->state.has_token = true;
}

static void
refused(struct fixture *f, unsigned status, const char *body)
{
    assert_int_equal(walk_failed(&f->plan, &f->state, &f->now, status,
                                 slice_of(body), &f->arena, &f->step),
                     STATUS_OK);
    assert_int_equal(f->step.next, WALK_FAILED);
}

static void
only_the_answers_that_are_named_end_a_cursor(void **state)
{
    static const struct {
        unsigned status;
        const char *body;
        bool expired;
    } rows[] = {
        { 404, "{}", true },
        { 404, "", true },
        { 409, "{\"error\":{\".tag\":\"reset\"}}", true },
        { 409, "{\"error\":{\".tag\":\"other\"}}", false },
        { 409, "", false },
        { 500, "{\"error\":{\".tag\":\"reset\"}}", false },
    };
    struct fixture *f = *state;
    use_token(f, CURSOR_TOKEN);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bool expired = !rows[i].expired;
        assert_int_equal(walk_expired_says(&f->connector, rows[i].status,
                                           slice_of(rows[i].body), &expired),
                         STATUS_OK);
        assert_int_equal(expired, rows[i].expired);
    }
    /* Of any status, as of an API that answers 200 to everything. */
    f->poll->cursor.expired[0].status = 0;
    bool expired;
    assert_int_equal(
        walk_expired_says(&f->connector, 200,
                          slice_of("{\"error\":{\".tag\":\"reset\"}}"),
                          &expired),
        STATUS_OK);
    assert_true(expired);
}

static void
an_expired_cursor_is_one_gap_however_often_it_is_refused(void **state)
{
    struct fixture *f = *state;
    use_token(f, CURSOR_TOKEN);
    begin(f);
    assert_cursor(f, "old");
    refused(f, 404, "{}");
    assert_gap(f, GAP_CURSOR, NOW - HOUR - MINUTE, NOW);
    assert_int_equal(f->state.hw_ms, NOW - HOUR);
    begin(f);
    assert_cursor(f, NULL);
    refused(f, 404, "{}");
    assert_false(f->step.has_gap);
    begin(f);
    page(f, "{\"rows\":[],\"next\":\"new\",\"more\":false}", WALK_WHOLE);
    assert_false(f->state.anew);
    begin(f);
    assert_cursor(f, "new");
    refused(f, 404, "{}");
    assert_true(f->step.has_gap);
}

static void
a_list_is_read_from_its_beginning_where_that_can_be_said(void **state)
{
    static const struct {
        enum cursor_kind kind;
        const char *start, *or_else, *first, *sent;
        bool asks_first;
        int64_t retention_ms, unknown_ms; /* the gap ends so long before now */
    } rows[] = {
        { CURSOR_TOKEN, NULL, NULL, NULL, NULL, false, 0, 0 },
        { CURSOR_TOKEN, "0", NULL, NULL, "0", false, 0, 0 },
        { CURSOR_TOKEN, NULL, NULL, "https://api.test/latest", NULL, true,
          2 * MINUTE, 0 },
        { CURSOR_TOKEN, NULL, NULL, "https://api.test/since/{start}", NULL,
          true, 0, HOUR + MINUTE },
        { CURSOR_TOKEN, "0", NULL, NULL, "0", false, 2 * MINUTE, 2 * MINUTE },
        { CURSOR_TOKEN, "0", NULL, NULL, "0", false, DAY, HOUR + MINUTE },
        { CURSOR_ID, NULL, NULL, "https://api.test/newest", NULL, false, 0, 0 },
        { CURSOR_ID, NULL, "1", "https://api.test/newest", "1", false, 0, 0 },
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        memset(&f->state, 0, sizeof f->state);
        memset(&f->poll->first, 0, sizeof f->poll->first);
        use_token(f, rows[i].kind);
        f->poll->retention_ms = rows[i].retention_ms;
        f->poll->cursor.start = rows[i].start == NULL
                                    ? NULL
                                    : list_template(rows[i].start, &f->arena);
        f->poll->first_else =
            rows[i].or_else == NULL ? slice_of("") : slice_of(rows[i].or_else);
        if (rows[i].first != NULL) {
            f->poll->first.url = list_template(rows[i].first, &f->arena);
        }
        /* Retention was judged before. */
        f->now.provider_ms = 0;
        begin(f);
        f->state.now_ms = NOW;
        refused(f, 404, "{}");
        bool skips = rows[i].asks_first && rows[i].unknown_ms == 0;
        assert_int_equal(f->step.has_gap, !skips);
        if (!skips) {
            assert_gap(f, GAP_CURSOR, NOW - HOUR - MINUTE,
                       NOW - rows[i].unknown_ms);
        }
        begin(f);
        assert_int_equal(f->state.first, rows[i].asks_first);
        assert_cursor(f, rows[i].sent);
    }
}

static void
what_first_skips_is_a_gap_up_to_its_answer(void **state)
{
    struct fixture *f = *state;
    use_token(f, CURSOR_TOKEN);
    f->poll->first.url = list_template("https://api.test/latest", &f->arena);
    begin(f);
    refused(f, 404, "{}");
    assert_false(f->step.has_gap);
    f->now.our_ms += 5 * MINUTE;
    f->date = "Tue, 14 Nov 2023 22:18:20 GMT";
    begin(f);
    page(f, "{\"rows\":[],\"next\":\"new\",\"more\":true}", WALK_ASK);
    assert_gap(f, GAP_CURSOR, NOW - HOUR - MINUTE, NOW + 5 * MINUTE + SECOND);
    page(f, "{\"rows\":[],\"next\":\"end\",\"more\":false}", WALK_WHOLE);
    assert_false(f->step.has_gap);
}

/* The Date of that answer tells as well that the list has forgotten. */
static void
what_first_skips_takes_in_what_retention_has_dropped(void **state)
{
    struct fixture *f = *state;
    use_token(f, CURSOR_TOKEN);
    f->poll->first.url = list_template("https://api.test/latest", &f->arena);
    f->poll->retention_ms = 30 * MINUTE;
    f->now.provider_ms = 0;
    begin(f);
    refused(f, 404, "{}");
    begin(f);
    assert_false(f->step.has_gap);
    page(f, "{\"rows\":[],\"next\":\"new\",\"more\":true}", WALK_ASK);
    assert_gap(f, GAP_CURSOR, NOW - HOUR - MINUTE, NOW + SECOND);
}

static void
the_gap_ends_by_the_providers_clock(void **state)
{
    struct fixture *f = *state;
    use_token(f, CURSOR_TOKEN);
    /* Our clock is fast, and nothing else was known when the walk began. */
    f->now = (struct walk_now){ NOW + 5 * HOUR, 0 };
    begin(f);
    f->now.provider_ms = NOW;
    refused(f, 404, "{}");
    assert_gap(f, GAP_CURSOR, NOW - HOUR - MINUTE, NOW);
}

static void
a_resync_brings_rows_and_the_new_cursor(void **state)
{
    struct fixture *f = *state;
    struct rendered_request request;
    struct error err;
    static const char *const kinds[] = { "new", "9" };
    for (int i = 0; i < 2; i++) {
        memset(&f->state, 0, sizeof f->state);
        use_token(f, i == 0 ? CURSOR_TOKEN : CURSOR_ID);
        f->poll->first.url =
            list_template("https://api.test/latest", &f->arena);
        f->poll->resync.url = list_template("https://api.test/all", &f->arena);
        f->poll->resync_cursor = list_template("{json:at}", &f->arena);
        begin(f);
        refused(f, 404, "{}");
        begin(f);
        assert_int_equal(
            request_render(&f->connector, &f->state, &f->arena, &request, &err),
            STATUS_OK);
        assert_true(slice_equal_text(request.url, "https://api.test/all"));
        char body[128];
        (void)snprintf(body, sizeof body,
                       "{\"rows\":[{\"id\":3}],\"at\":\"%s\",\"more\":true}",
                       kinds[i]);
        page(f, body, WALK_ASK);
        assert_cursor(f, kinds[i]);
        assert_false(
            walk_below(&f->plan, &f->state, slice_of("{\"id\":3}"), &f->arena));
        assert_int_equal(
            request_render(&f->connector, &f->state, &f->arena, &request, &err),
            STATUS_OK);
        assert_true(
            slice_equal_text(request.url, "https://api.test/v1/events"));
    }
}

static void
a_time_that_is_refused_is_not_sent_until_a_walk_is_whole(void **state)
{
    struct fixture *f = *state;
    use_token(f, CURSOR_TIME);
    f->poll->cursor.from = list_path("at", &f->arena);
    f->poll->pages.kind = PAGE_NONE;
    f->poll->pages.more = NULL;
    f->state.has_token = false;
    begin(f);
    assert_true(f->state.has_cursor);
    refused(f, 404, "{}");
    assert_gap(f, GAP_CURSOR, NOW - HOUR - MINUTE, NOW);
    begin(f);
    assert_cursor(f, NULL);
    page(f, "{\"rows\":[{\"at\":1699999999}]}", WALK_WHOLE);
    begin(f);
    assert_true(f->state.has_cursor);
}

static void
an_id_list_that_is_empty_then_is_read_from_its_beginning_again(void **state)
{
    struct fixture *f = *state;
    use_token(f, CURSOR_ID);
    f->poll->first.url = list_template("https://api.test/newest", &f->arena);
    begin(f);
    refused(f, 404, "{}");
    begin(f);
    page(f, "{\"rows\":[],\"more\":false}", WALK_WHOLE);
    begin(f);
    /* The newest row would be shown, and skipped. */
    assert_false(f->state.first);
    page(f, "{\"rows\":[{\"id\":8}],\"more\":false}", WALK_WHOLE);
    assert_true(slice_equal_text(f->state.token, "8"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(only_the_answers_that_are_named_end_a_cursor),
        TEST(an_expired_cursor_is_one_gap_however_often_it_is_refused),
        TEST(a_list_is_read_from_its_beginning_where_that_can_be_said),
        TEST(what_first_skips_is_a_gap_up_to_its_answer),
        TEST(what_first_skips_takes_in_what_retention_has_dropped),
        TEST(the_gap_ends_by_the_providers_clock),
        TEST(a_resync_brings_rows_and_the_new_cursor),
        TEST(a_time_that_is_refused_is_not_sent_until_a_walk_is_whole),
        TEST(an_id_list_that_is_empty_then_is_read_from_its_beginning_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
