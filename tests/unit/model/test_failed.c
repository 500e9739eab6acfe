/* SPDX-License-Identifier: MIT */
#include "harness/bound.h"

#include "base/mem.h"
#include "model/failed.h"
#include "wire/digest.h"

#define LIST                                                                   \
    "params: {base: {default: 'https://api.test'}}\n"                          \
    "verify: {type: token, from: 'header:X-T'}\nevent: {id: 'json:id'}\n"      \
    "poll: {request: {url: '{var:base}/log', query: {since: '{cursor}', "      \
    "size: "                                                                   \
    "'100'}, headers: {X-A: b}}, auth: {type: query, name: key}, items: "      \
    "'rows[*]', record: {id: guid}}\n"

static const char with[] = "with: {api_key: k, webhook_secret: s}";

static void
bind(struct bound *bound, const char *recover)
{
    char file[2048];
    (void)snprintf(file, sizeof(file), LIST "%s\n", recover);
    bound_texts(bound, file, with, "https://h.test");
    if (bound->status != STATUS_OK) {
        fail_msg("%s", bound->words.ptr);
    }
}

/* The same of a list with pages; `rest` goes on in `poll`. */
static void
bind_paged(struct bound *bound, const char *rest)
{
    char file[2048];
    (void)snprintf(
        file, sizeof(file),
        "params: {base: {default: 'https://api.test'}}\n"
        "verify: {type: token, from: 'header:X-T'}\nevent: {id: 'json:id'}\n"
        "poll:\n  request: {url: '{var:base}/log', query: {since: '1', "
        "until: '{cursor}', after: '{page}'}}\n"
        "  auth: {type: query, name: key}\n  items: 'rows[*]'\n"
        "  record: {id: guid}\n%s\n",
        rest);
    bound_texts(bound, file, with, "https://h.test");
    if (bound->status != STATUS_OK) {
        fail_msg("%s", bound->words.ptr);
    }
}

static enum status
read_page(const struct connector *connector, struct http_fields fields,
          const char *body, struct arena *arena, struct failed_page *page)
{
    const struct failed_answer answer = { fields, slice_of(body),
                                          SLICE("https://api.test/log") };
    return failed_read(connector, &answer, arena, page, NULL);
}

static void
it_is_the_list_or_a_url_of_its_own(void **state)
{
    (void)state;
    static const struct {
        const char *recover;
        const char *url;
    } rows[] = {
        { "recover: {list_failed: {where: {status_ne: OK}}}",
          "https://api.test/log?size=100&key=k" },
        { "recover: {list_failed: {query: {ok: 'false'}}}",
          "https://api.test/log?size=100&ok=false&key=k" },
        { "recover: {list_failed: {url: '{var:base}/bad', query: {s: 2}}}",
          "https://api.test/bad?s=2&key=k" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct bound bound;
        struct arena arena = { 0 };
        struct rendered_request request;
        struct slice field;
        bind(&bound, rows[i].recover);
        assert_true(failed_is_listed(&bound.connector));
        assert_false(failed_is_sent_again(&bound.connector));
        assert_int_equal(
            failed_list(&bound.connector, slice_of(""), &arena, &request, NULL),
            STATUS_OK);
        assert_string_equal(request.url.ptr, rows[i].url);
        assert_true(http_field_find(request.fields, "X-A", &field));
        arena_fini(&arena);
        bound_fini(&bound);
    }
}

static void
rows_that_failed_are_told_from_the_others(void **state)
{
    (void)state;
    static const char body[] =
        "{\"rows\":[{\"guid\":\"a\",\"s\":\"OK\"},{\"guid\":\"b\",\"s\":"
        "\"no\"},{\"guid\":\"c\"},{\"s\":500}]}";
    static const struct {
        const char *where;
        const char *ids; /* of those that meet it */
    } cases[] = {
        { "where: {s_ne: OK}", "b,c,," },
        { "where: {s: 'no'}", "b," },
        { "where: {s: 500}", "," },
        { "id: s", "OK,no,,500," },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char recover[256];
        struct bound bound;
        struct arena arena = { 0 };
        struct failed_page page;
        struct buf ids = { 0 };
        (void)snprintf(recover, sizeof(recover), "recover: {list_failed: {%s}}",
                       cases[i].where);
        bind(&bound, recover);
        assert_int_equal(read_page(&bound.connector,
                                   (struct http_fields){ NULL, 0 }, body,
                                   &arena, &page),
                         STATUS_OK);
        for (size_t r = 0; r < page.count; r++) {
            buf_append(&ids, page.rows[r].id);
            buf_byte(&ids, ',');
        }
        assert_string_equal(ids.ptr, cases[i].ids);
        assert_int_equal(page.next.len, 0);
        buf_fini(&ids);
        arena_fini(&arena);
        bound_fini(&bound);
    }
}

static void
a_page_that_leads_elsewhere_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *link;
        const char *next; /* NULL: refused */
    } cases[] = {
        { "</log?p=2>; rel=\"next\"", "https://api.test/log?p=2" },
        { "</log?p=2>; rel=\"last\"", "" },
        { "<https://evil.test/log>; rel=\"next\"", NULL },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct http_field field = { SLICE("Link"), slice_of(cases[i].link) };
        struct bound bound;
        struct arena arena = { 0 };
        struct failed_page page;
        bind(&bound, "recover: {list_failed: {}}");
        enum status status =
            read_page(&bound.connector, (struct http_fields){ &field, 1 },
                      "{\"rows\":[{}]}", &arena, &page);
        assert_int_equal(status,
                         cases[i].next == NULL ? STATUS_DENIED : STATUS_OK);
        if (cases[i].next != NULL) {
            assert_true(slice_equal_text(page.next, cases[i].next));
        }
        arena_fini(&arena);
        bound_fini(&bound);
    }
}

static void
what_is_no_list_is_an_error(void **state)
{
    (void)state;
    static const char *const bodies[] = { "", "no", "{}", "[]" };
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        struct bound bound;
        struct arena arena = { 0 };
        struct failed_page page;
        bind(&bound, "recover: {list_failed: {}}");
        assert_int_equal(read_page(&bound.connector,
                                   (struct http_fields){ NULL, 0 }, bodies[i],
                                   &arena, &page),
                         STATUS_PROTOCOL);
        arena_fini(&arena);
        bound_fini(&bound);
    }
}

static void
each_row_is_asked_for_by_its_own_values(void **state)
{
    (void)state;
    struct bound bound;
    struct arena arena = { 0 };
    struct rendered_request request;
    const struct failed_row row = { SLICE("g"), SLICE("{\"id\":\"7/8\"}") };
    bind(&bound, "recover: {list_failed: {}, redeliver: {method: POST, url: "
                 "'{request.url}/{id}/again'}}");
    assert_true(failed_is_sent_again(&bound.connector));
    assert_int_equal(
        failed_again(&bound.connector, &row, &arena, &request, NULL),
        STATUS_OK);
    assert_string_equal(request.url.ptr,
                        "https://api.test/log/7%2F8/again?key=k");
    arena_fini(&arena);
    bound_fini(&bound);
}

static void
the_next_page_may_stand_in_the_body(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        const char *next; /* NULL: refused */
    } cases[] = {
        { "{\"rows\":[{}],\"links\":{\"next\":\"/log?p=2\"}}",
          "https://api.test/log?p=2" },
        { "{\"rows\":[{}],\"links\":{\"next\":null}}", "" },
        { "{\"rows\":[{}]}", "" },
        /* Behind the last page some still name one. */
        { "{\"rows\":[],\"links\":{\"next\":\"/log?p=3\"}}", "" },
        { "{\"rows\":[{}],\"links\":{\"next\":\"https://evil.test/\"}}", NULL },
    };
    struct http_field field = { SLICE("Link"), SLICE("</no>; rel=\"next\"") };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct bound bound;
        struct arena arena = { 0 };
        struct failed_page page;
        bind(&bound, "recover: {list_failed: {next: links.next}}");
        enum status status =
            read_page(&bound.connector, (struct http_fields){ &field, 1 },
                      cases[i].body, &arena, &page);
        assert_int_equal(status,
                         cases[i].next == NULL ? STATUS_DENIED : STATUS_OK);
        if (cases[i].next != NULL) {
            assert_true(slice_equal_text(page.next, cases[i].next));
        }
        arena_fini(&arena);
        bound_fini(&bound);
    }
}

static void
the_pages_of_the_list_itself_are_those_of_poll(void **state)
{
    (void)state;
    static const struct {
        const char *pages;
        const char *body;
        const char *next; /* NULL: there is none */
        const char *url;
    } cases[] = {
        { "{kind: token, from: last(guid), more: more}",
          "{\"rows\":[{\"guid\":\"a\"},{\"guid\":\"b&c\"}],\"more\":true}",
          "b&c", "https://api.test/log?since=1&after=b%26c&bad=1&key=k" },
        { "{kind: token, from: last(guid), more: more}",
          "{\"rows\":[{\"guid\":\"a\"}],\"more\":false}", NULL, NULL },
        { "{kind: token, from: next}",
          "{\"rows\":[{\"guid\":\"a\"}],\"next\":\"t1\"}", "t1",
          "https://api.test/log?since=1&after=t1&bad=1&key=k" },
        { "{kind: token, from: next}", "{\"rows\":[],\"next\":\"t1\"}", NULL,
          NULL },
        { "{kind: last_id, from: guid}", "{\"rows\":[{\"guid\":\"z\"}]}", "z",
          "https://api.test/log?since=1&after=z&bad=1&key=k" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct bound bound;
        struct arena arena = { 0 };
        struct failed_page page;
        struct rendered_request request;
        char recover[512];
        (void)snprintf(recover, sizeof(recover),
                       "  pages: %s\n  cursor: {kind: time, from: at}\n"
                       "recover: {list_failed: {query: {bad: '1'}}}",
                       cases[i].pages);
        bind_paged(&bound, recover);
        assert_int_equal(read_page(&bound.connector, (struct http_fields){ 0 },
                                   cases[i].body, &arena, &page),
                         STATUS_OK);
        assert_true(slice_equal_text(
            page.next, cases[i].next == NULL ? "" : cases[i].next));
        if (cases[i].next != NULL) {
            assert_int_equal(failed_list(&bound.connector, page.next, &arena,
                                         &request, NULL),
                             STATUS_OK);
            assert_string_equal(request.url.ptr, cases[i].url);
        }
        arena_fini(&arena);
        bound_fini(&bound);
    }
}

static void
all_of_a_span_is_asked_for_where_the_request_names_one(void **state)
{
    (void)state;
    static const struct request_span span = { 1700000000500, 1700003600999 };
    struct bound bound;
    struct arena arena = { 0 };
    struct rendered_request request;
    bind(&bound, "recover: {redeliver: {method: POST, url: '{var:base}/again', "
                 "json: {since: '{gap.start}', until: '{gap.end}', id: "
                 "'{id}'}}}");
    assert_false(failed_is_listed(&bound.connector));
    assert_true(failed_is_asked_by_time(&bound.connector));
    assert_int_equal(
        failed_since(&bound.connector, &span, &arena, &request, NULL),
        STATUS_OK);
    assert_string_equal(request.url.ptr, "https://api.test/again?key=k");
    assert_string_equal(request.body.ptr,
                        "{\"since\":\"2023-11-14T22:13:19Z\",\"until\":"
                        "\"2023-11-14T23:13:22Z\"}");
    arena_fini(&arena);
    bound_fini(&bound);
    bind(&bound,
         "recover: {redeliver: {method: POST, url: '{var:base}/{id}'}}");
    assert_false(failed_is_asked_by_time(&bound.connector));
    /* What it needs of an event is not there. */
    assert_int_equal(
        failed_since(&bound.connector, &span, &arena, &request, NULL),
        STATUS_NOT_FOUND);
    arena_fini(&arena);
    bound_fini(&bound);
    bind(&bound, "recover: {list_failed: {}}");
    assert_false(failed_is_asked_by_time(&bound.connector));
    bound_fini(&bound);
}

static int
set_up(void **state)
{
    (void)state;
    return digest_init(NULL) == STATUS_OK ? 0 : -1;
}

static void
an_allocation_that_fails_is_told_and_is_no_list(void **state)
{
    (void)state;
    static const char body[] =
        "{\"rows\":[{\"guid\":\"a\",\"s\":1},{\"guid\":\"b\",\"s\":2}]}";
    struct bound bound;
    enum status status = STATUS_NOMEM;
    long n = 0;
    bind(&bound, "recover: {list_failed: {where: {s_ne: '1'}}}");
    for (; status != STATUS_OK && n < 100; n++) {
        struct arena arena = { 0 };
        struct rendered_request request;
        struct failed_page page = { 0 };
        (void)mem_fail_after(n, 0);
        status =
            failed_list(&bound.connector, slice_of(""), &arena, &request, NULL);
        if (status == STATUS_OK) {
            status = read_page(&bound.connector, (struct http_fields){ 0 },
                               body, &arena, &page);
        }
        (void)mem_fail_after(-1, 0);
        assert_true(status == STATUS_OK || status == STATUS_NOMEM);
        assert_int_equal(page.count, status == STATUS_OK ? 1 : 0);
        arena_fini(&arena);
    }
    assert_int_equal(status, STATUS_OK);
    assert_true(n > 1);
    bound_fini(&bound);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_the_list_or_a_url_of_its_own),
        cmocka_unit_test(rows_that_failed_are_told_from_the_others),
        cmocka_unit_test(a_page_that_leads_elsewhere_is_refused),
        cmocka_unit_test(what_is_no_list_is_an_error),
        cmocka_unit_test(each_row_is_asked_for_by_its_own_values),
        cmocka_unit_test(the_next_page_may_stand_in_the_body),
        cmocka_unit_test(the_pages_of_the_list_itself_are_those_of_poll),
        cmocka_unit_test(
            all_of_a_span_is_asked_for_where_the_request_names_one),
        cmocka_unit_test(an_allocation_that_fails_is_told_and_is_no_list),
    };
    return cmocka_run_group_tests_name("model/failed", tests, set_up, NULL);
}
