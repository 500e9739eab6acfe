/* SPDX-License-Identifier: MIT */
#include "list_fixture.h"

#include <string.h>

#include "model/request.h"

struct fixture {
    struct arena arena;
    struct connector connector;
    struct walk_state state;
    struct rendered_request request;
    struct error err;
};

static int
set_up(void **state)
{
    static struct fixture fixture;
    memset(&fixture, 0, sizeof fixture);
    list_connector(&fixture.connector, &fixture.arena);
    fixture.state.has_start = true;
    *state = &fixture;
    return 0;
}

static int
tear_down(void **state)
{
    struct fixture *f = *state;
    arena_fini(&f->arena);
    return 0;
}

static enum status
render(struct fixture *f)
{
    return request_render(&f->connector, &f->state, &f->arena, &f->request,
                          &f->err);
}

static void
assert_text(struct slice got, const char *want)
{
    if (!slice_equal_text(got, want)) {
        fail_msg("got '%.*s', want '%s'", SLICE_ARG(got), want);
    }
}

static void
assert_field(const struct fixture *f, const char *name, const char *want)
{
    struct slice value;
    bool found = http_field_find(f->request.fields, name, &value);
    assert_int_equal(found, want != NULL);
    if (want != NULL) {
        assert_text(value, want);
    }
}

static void
set_query(struct fixture *f, const char *const *pairs)
{
    f->connector.poll.request.query =
        list_pairs(pairs, &f->arena, &f->connector.poll.request.query_count);
}

static void
set_param(struct fixture *f, const char *name, const char *value)
{
    struct connector_param *params =
        arena_array(&f->arena, f->connector.param_count + 1, sizeof *params);
    struct slice *text = arena_array(&f->arena, 1, sizeof *text);
    assert_non_null(params);
    assert_non_null(text);
    for (size_t i = 0; i < f->connector.param_count; i++) {
        params[i] = f->connector.params[i];
    }
    *text = slice_of(value);
    params[f->connector.param_count] = (struct connector_param){
        .name = slice_of(name), .given = true, .values = text, .count = 1
    };
    f->connector.params = params;
    f->connector.param_count++;
}

static void
a_query_is_encoded_and_absent_places_are_left_out(void **state)
{
    struct fixture *f = *state;
    static const char *const pairs[] = {
        "limit",  "100", "created[gte]",      "{cursor}", "starting_after",
        "{page}", "q",   "a&b=c d+e\xc3\xa9", NULL
    };
    set_query(f, pairs);
    f->state.has_cursor = true;
    f->state.cursor = slice_of("2026-11-21T23:22:01+00:00");
    assert_int_equal(render(f), STATUS_OK);
    assert_text(f->request.method, "GET");
    assert_text(f->request.url,
                "https://api.test/v1/events?limit=100&created%5Bgte%5D=2026-"
                "11-21T23%3A22%3A01%2B00%3A00&q=a%26b%3Dc%20d%2Be%C3%A9");
    assert_false(f->request.has_body);
    assert_field(f, "accept", "application/json");
    f->state.has_page = true;
    f->state.page = slice_of("evt_1");
    f->state.has_cursor = false;
    assert_int_equal(render(f), STATUS_OK);
    assert_text(f->request.url,
                "https://api.test/v1/events?limit=100&starting_after=evt_1&q="
                "a%26b%3Dc%20d%2Be%C3%A9");
}

static void
a_feed_is_asked_for_as_one(void **state)
{
    struct fixture *f = *state;
    f->connector.poll.items_in_feed = true;
    assert_int_equal(render(f), STATUS_OK);
    assert_field(f, "accept",
                 "application/atom+xml, application/rss+xml, "
                 "application/xml;q=0.9, */*;q=0.5");
}

static void
numbered_pages_send_the_first_number_too(void **state)
{
    struct fixture *f = *state;
    static const char *const pairs[] = { "page", "{page}", NULL };
    set_query(f, pairs);
    f->connector.poll.pages.kind = PAGE_NUMBER;
    f->connector.poll.pages.start = 1;
    assert_int_equal(render(f), STATUS_OK);
    assert_text(f->request.url, "https://api.test/v1/events?page=1");
    f->state.has_page = true;
    f->state.page = slice_of("2");
    assert_int_equal(render(f), STATUS_OK);
    assert_text(f->request.url, "https://api.test/v1/events?page=2");
}

static void
now_is_the_walks_and_in_the_format_of_the_cursor(void **state)
{
    struct fixture *f = *state;
    static const char *const pairs[] = { "to",   "{now}",   "day", "{now|date}",
                                         "from", "{start}", NULL };
    static const struct {
        enum timefmt format;
        const char *url;
    } rows[] = {
        { TIMEFMT_UNIX_S, "to=1700000000&day=2023-11-14&from=1600000000" },
        { TIMEFMT_UNIX_MS,
          "to=1700000000123&day=2023-11-14&from=1600000000000" },
        { TIMEFMT_DATE, "to=2023-11-14&day=2023-11-14&from=2020-09-13" },
        { TIMEFMT_MINUTE, "to=2023-11-14%2022%3A13&day=2023-11-14&from=2020-"
                          "09-13%2012%3A26" },
        { TIMEFMT_ISO8601_NAIVE, "to=2023-11-14T22%3A13%3A20&day=2023-11-14&"
                                 "from=2020-09-13T12%3A26%3A40" },
    };
    set_query(f, pairs);
    assert_true(request_is_bounded(&f->connector));
    f->state.now_ms = INT64_C(1700000000123);
    f->state.start_ms = INT64_C(1600000000000);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        f->connector.poll.cursor.format = rows[i].format;
        assert_int_equal(render(f), STATUS_OK);
        assert_text(slice_from(f->request.url, 27), rows[i].url);
    }
}

static struct body_node *
node(struct fixture *f, enum config_node_kind kind, const char *key,
     const char *text, struct body_node *children)
{
    struct body_node *made = arena_array(&f->arena, 1, sizeof *made);
    assert_non_null(made);
    made->kind = kind;
    made->key = slice_of(key);
    made->text = text == NULL ? NULL : list_template(text, &f->arena);
    made->children = children;
    return made;
}

static struct body_node *
chain(struct body_node *first, struct body_node *next)
{
    first->next = next;
    return first;
}

static void
a_json_body_leaves_absent_members_out(void **state)
{
    struct fixture *f = *state;
    struct request_spec *spec = &f->connector.poll.request;
    struct body_node *limit = node(f, CONFIG_SCALAR, "limit", "100", NULL);
    limit->bare = true;
    struct body_node *times =
        chain(node(f, CONFIG_SCALAR, "start_at", "{cursor}", NULL),
              node(f, CONFIG_SCALAR, "end_at", "{until}", NULL));
    struct body_node *list =
        chain(node(f, CONFIG_SCALAR, "", "a\"b", NULL),
              chain(node(f, CONFIG_SCALAR, "", "{page}", NULL),
                    node(f, CONFIG_SCALAR, "", "2", NULL)));
    spec->method = slice_of("POST");
    spec->body_kind = BODY_JSON;
    spec->body = node(
        f, CONFIG_MAPPING, "", NULL,
        chain(
            node(f, CONFIG_SCALAR, "cursor", "{page}", NULL),
            chain(limit,
                  chain(node(f, CONFIG_MAPPING, "created", NULL, times),
                        chain(node(f, CONFIG_SEQUENCE, "list", NULL, list),
                              node(f, CONFIG_MAPPING, "none", NULL, NULL))))));
    f->state.has_cursor = true;
    f->state.cursor = slice_of("17");
    f->state.now_ms = 99000;
    assert_int_equal(render(f), STATUS_OK);
    assert_text(f->request.body,
                "{\"limit\":100,\"created\":{\"start_at\":\"17\",\"end_at\":"
                "\"99\"},\"list\":[\"a\\\"b\",\"2\"],\"none\":{}}");
    assert_field(f, "Content-Type", "application/json");
    assert_text(f->request.method, "POST");
    assert_true(request_is_bounded(&f->connector));
    times->next = NULL;
    assert_false(request_is_bounded(&f->connector));
}

static void
a_body_that_is_nested_without_end_is_refused(void **state)
{
    struct fixture *f = *state;
    struct body_node *inner = node(f, CONFIG_SCALAR, "", "x", NULL);
    for (int i = 0; i < 40; i++) {
        inner = node(f, CONFIG_SEQUENCE, "", NULL, inner);
    }
    f->connector.poll.request.body_kind = BODY_JSON;
    f->connector.poll.request.body = inner;
    assert_int_equal(render(f), STATUS_INVALID);
    assert_non_null(strstr(f->err.text, "deeply"));
}

static void
a_form_body_is_encoded(void **state)
{
    struct fixture *f = *state;
    struct request_spec *spec = &f->connector.poll.request;
    static const char *const pairs[] = { "a b", "1&2", "none", "{page}",
                                         "c",   "d",   NULL };
    spec->body_kind = BODY_FORM;
    spec->form = list_pairs(pairs, &f->arena, &spec->form_count);
    assert_int_equal(render(f), STATUS_OK);
    assert_text(f->request.body, "a%20b=1%262&c=d");
    assert_field(f, "Content-Type", "application/x-www-form-urlencoded");
}

static void
credentials_go_where_the_connector_says(void **state)
{
    struct fixture *f = *state;
    struct auth_spec *auth = &f->connector.poll.auth;
    set_param(f, "api_key", "k/1");
    auth->value = list_template("{secret:api_key}", &f->arena);
    auth->type = AUTH_BEARER;
    assert_int_equal(render(f), STATUS_OK);
    assert_field(f, "Authorization", "Bearer k/1");
    auth->type = AUTH_HEADER;
    auth->name = slice_of("X-Token");
    assert_int_equal(render(f), STATUS_OK);
    assert_field(f, "X-Token", "k/1");
    assert_field(f, "Authorization", NULL);
    auth->type = AUTH_QUERY;
    auth->name = slice_of("key");
    assert_int_equal(render(f), STATUS_OK);
    assert_text(f->request.url, "https://api.test/v1/events?key=k%2F1");
    auth->type = AUTH_BASIC;
    auth->user = auth->value;
    assert_int_equal(render(f), STATUS_OK);
    assert_text(f->request.user, "k/1");
    assert_int_equal(f->request.password.len, 0);
    auth->type = AUTH_BEARER;
    auth->value = list_template("{secret:other}", &f->arena);
    assert_int_equal(render(f), STATUS_NOT_FOUND);
    assert_non_null(strstr(f->err.text, "secret:other"));
}

static void
a_header_that_would_break_out_is_refused(void **state)
{
    static const char *const values[] = { "a\r\nX: y", "a\nb", "a\rb" };
    struct fixture *f = *state;
    static const char *const pairs[] = { "X-Shop", "{var:shop}", "X-None",
                                         "{page}", NULL };
    struct request_spec *spec = &f->connector.poll.request;
    spec->headers = list_pairs(pairs, &f->arena, &spec->header_count);
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        f->connector.param_count = 0;
        set_param(f, "shop", values[i]);
        assert_int_equal(render(f), STATUS_INVALID);
        assert_null(strchr(f->err.text, '\n'));
    }
    f->connector.param_count = 0;
    set_param(f, "shop", "nul");
    f->connector.params[0].values[0] = (struct slice){ "a\0b", 3 };
    assert_int_equal(render(f), STATUS_INVALID);
    f->connector.param_count = 0;
    set_param(f, "shop", "tame");
    assert_int_equal(render(f), STATUS_OK);
    assert_field(f, "X-Shop", "tame");
    assert_field(f, "X-None", NULL);
}

static void
a_given_base_takes_every_request(void **state)
{
    static const struct {
        const char *base, *url;
    } rows[] = {
        { "http://127.0.0.1:9090", "http://127.0.0.1:9090/v1/events" },
        { "http://127.0.0.1:9090/", "http://127.0.0.1:9090/v1/events" },
        { "https://[::1]:8443", "https://[::1]:8443/v1/events" },
        { "https://api.test", "https://api.test/v1/events" },
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        f->connector.param_count = 0;
        set_param(f, "base", rows[i].base);
        assert_int_equal(render(f), STATUS_OK);
        assert_text(f->request.url, rows[i].url);
    }
}

static void
a_link_is_followed_verbatim_within_its_origin(void **state)
{
    static const struct {
        const char *link;
        enum status status;
    } rows[] = {
        { "https://api.test/v1/other?cursor=a%2Fb&x", STATUS_OK },
        { "https://API.test:443/v1", STATUS_OK },
        { "http://api.test/v1/events", STATUS_DENIED },
        { "https://api.test:8443/v1/events", STATUS_DENIED },
        { "https://api.test.evil/v1/events", STATUS_DENIED },
        { "https://169.254.169.254/latest", STATUS_DENIED },
        { "file:///etc/passwd", STATUS_INVALID },
    };
    struct fixture *f = *state;
    static const char *const pairs[] = { "limit", "100", NULL };
    set_query(f, pairs);
    f->connector.poll.pages.kind = PAGE_LINK;
    f->state.has_page = true;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        f->state.page = slice_of(rows[i].link);
        assert_int_equal(render(f), rows[i].status);
        if (rows[i].status == STATUS_OK) {
            assert_text(f->request.url, rows[i].link);
        }
    }
    f->connector.poll.auth.type = AUTH_QUERY;
    f->connector.poll.auth.name = slice_of("key");
    f->connector.poll.auth.value = list_template("k", &f->arena);
    f->state.page = slice_of("https://api.test/v1?p=2");
    assert_int_equal(render(f), STATUS_OK);
    assert_text(f->request.url, "https://api.test/v1?p=2&key=k");
    f->state.page = slice_of("https://api.test/v1?key=old");
    assert_int_equal(render(f), STATUS_OK);
    assert_text(f->request.url, "https://api.test/v1?key=old");
}

static void
the_first_request_is_its_own(void **state)
{
    struct fixture *f = *state;
    static const char *const pairs[] = { "limit", "1", NULL };
    struct request_spec *first = &f->connector.poll.first;
    first->url = list_template("https://api.test/v1/latest", &f->arena);
    first->query = list_pairs(pairs, &f->arena, &first->query_count);
    f->state.first = true;
    assert_int_equal(render(f), STATUS_OK);
    assert_text(f->request.method, "GET");
    assert_text(f->request.url, "https://api.test/v1/latest?limit=1");
}

static void
a_url_that_cannot_be_filled_is_named(void **state)
{
    struct fixture *f = *state;
    f->connector.poll.request.url =
        list_template("https://api.test/{var:repo}/hooks", &f->arena);
    assert_int_equal(render(f), STATUS_NOT_FOUND);
    assert_non_null(strstr(f->err.text, "var:repo"));
    set_param(f, "repo", "a b");
    assert_int_equal(render(f), STATUS_INVALID);
    f->connector.param_count = 0;
    set_param(f, "repo", "octo/hello");
    assert_int_equal(render(f), STATUS_OK);
    assert_text(f->request.url, "https://api.test/octo/hello/hooks");
}

static void
a_detail_is_asked_beside_its_list(void **state)
{
    struct fixture *f = *state;
    struct follow_spec *follow = &f->connector.poll.follow;
    struct slice row = slice_of("{\"id\":9007199254740993,\"u\":\"https://"
                                "evil.test/x\"}");
    struct slice url = slice_of("http://127.0.0.1:80/hooks/1?per_page=100");
    static const char *const headers[] = { "X-V", "1", NULL };
    struct request_spec *spec = &f->connector.poll.request;
    spec->headers = list_pairs(headers, &f->arena, &spec->header_count);
    follow->url = list_template("{request.url}/{item:id}", &f->arena);
    assert_int_equal(request_follow(&f->connector, url, row, &f->arena,
                                    &f->request, &f->err),
                     STATUS_OK);
    assert_text(f->request.url, "http://127.0.0.1:80/hooks/1/9007199254740993");
    assert_field(f, "X-V", "1");
    follow->url = list_template("{item:u}", &f->arena);
    assert_int_equal(request_follow(&f->connector, url, row, &f->arena,
                                    &f->request, &f->err),
                     STATUS_DENIED);
    follow->url = list_template("{request.url}/{item:none}", &f->arena);
    assert_int_equal(request_follow(&f->connector, url, row, &f->arena,
                                    &f->request, &f->err),
                     STATUS_NOT_FOUND);
    follow->url = list_template("https://api.test/d/{item:id}", &f->arena);
    set_param(f, "base", "http://127.0.0.1");
    assert_int_equal(request_follow(&f->connector, url, row, &f->arena,
                                    &f->request, &f->err),
                     STATUS_OK);
    assert_text(f->request.url, "http://127.0.0.1/d/9007199254740993");
}

static void
a_request_without_memory_is_a_status(void **state)
{
    struct fixture *f = *state;
    static const char *const pairs[] = { "since", "{cursor}", "to", "{now}",
                                         NULL };
    set_query(f, pairs);
    set_param(f, "base", "http://127.0.0.1:9090");
    f->connector.poll.auth.type = AUTH_BEARER;
    f->connector.poll.auth.value = list_template("k", &f->arena);
    f->connector.poll.request.body_kind = BODY_JSON;
    f->connector.poll.request.body =
        node(f, CONFIG_MAPPING, "", NULL,
             node(f, CONFIG_SCALAR, "a", "{cursor}-{now}", NULL));
    f->state.has_cursor = true;
    f->state.cursor = slice_of("1");
    enum status status = STATUS_NOMEM;
    long n = 0;
    for (; n < 200 && status != STATUS_OK; n++) {
        struct arena arena = { 0 };
        (void)mem_fail_after(n, 0);
        status =
            request_render(&f->connector, &f->state, &arena, &f->request, NULL);
        (void)mem_fail_after(-1, 0);
        assert_true(status == STATUS_OK || status == STATUS_NOMEM);
        arena_fini(&arena);
    }
    assert_true(n > 3 && status == STATUS_OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_query_is_encoded_and_absent_places_are_left_out),
        TEST(a_feed_is_asked_for_as_one),
        TEST(numbered_pages_send_the_first_number_too),
        TEST(now_is_the_walks_and_in_the_format_of_the_cursor),
        TEST(a_json_body_leaves_absent_members_out),
        TEST(a_body_that_is_nested_without_end_is_refused),
        TEST(a_form_body_is_encoded),
        TEST(credentials_go_where_the_connector_says),
        TEST(a_header_that_would_break_out_is_refused),
        TEST(a_given_base_takes_every_request),
        TEST(a_link_is_followed_verbatim_within_its_origin),
        TEST(the_first_request_is_its_own),
        TEST(a_url_that_cannot_be_filled_is_named),
        TEST(a_detail_is_asked_beside_its_list),
        TEST(a_request_without_memory_is_a_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
