/* SPDX-License-Identifier: MIT */
#include "harness/bound.h"

#include "base/mem.h"
#include "flow/envelope.h"
#include "wire/digest.h"
#include "wire/json.h"

static struct bound bound;

static int
open_petstore(void **state)
{
    (void)state;
    char path[512];
    assert_int_equal(digest_init(NULL), STATUS_OK);
    (void)snprintf(path, sizeof(path), "%s/petstore.yaml", TEST_CONNECTORS_DIR);
    bound_file(&bound, path,
               "use: petstore\n"
               "with: {base: 'http://127.0.0.1:9', api_key: k,"
               " webhook_secret: s}\n",
               "https://hooks.example.com");
    bound_must(&bound);
    return 0;
}

static int
close_petstore(void **state)
{
    (void)state;
    bound_fini(&bound);
    return 0;
}

static struct event
order_paid(const char *body)
{
    return (struct event){ .number = 3,
                           .via = CHANNEL_WEBHOOK,
                           .time_ms = INT64_C(1790000000000),
                           .recorded_ms = INT64_C(1790000001500),
                           .id = SLICE("evt_1"),
                           .type = SLICE("order.paid"),
                           .headers = SLICE(""),
                           .content_type = SLICE("application/json"),
                           .body = slice_of(body) };
}

static void
write_line(const struct event *event, char *into, size_t room)
{
    struct buf text = { 0 };
    envelope_write(&bound.connector, event, false, &text);
    assert_int_equal(buf_status(&text), STATUS_OK);
    (void)snprintf(into, room, "%.*s", SLICE_ARG(buf_slice(&text)));
    buf_fini(&text);
}

static void
assert_has(const char *line, const char *part)
{
    if (strstr(line, part) == NULL) {
        fail_msg("'%s' is not in %s", part, line);
    }
}

static void
an_envelope_says_all_the_design_promises(void **state)
{
    (void)state;
    char line[1024];
    const struct event event =
        order_paid("{\"event\":\"order.paid\",\"data\":{\"id\": 7,\n"
                   " \"total\": 1.50}}");
    write_line(&event, line, sizeof(line));
    assert_has(line, "\"specversion\":\"1.0\"");
    assert_has(line, "\"id\":\"evt_1\"");
    assert_has(line, "\"source\":\"longstop/shop\"");
    assert_has(line, "\"type\":\"order.paid\"");
    assert_has(line, "\"time\":\"2026-09-21T");
    assert_has(line, "\"via\":\"webhook\"");
    assert_has(line, "\"recordedtime\":\"2026-09-21T");
    /* Each token as received; one event is one line. */
    assert_has(line, "\"total\":1.50");
    assert_null(strchr(line, '\n'));
    assert_null(strstr(line, "traceparent"));
    assert_int_equal(json_check(slice_of(line), 16, NULL), STATUS_OK);
}

static void
data_has_one_shape_whichever_channel_brought_it(void **state)
{
    (void)state;
    char hook[1024];
    char row[1024];
    struct event event = order_paid("{\"data\":{\"order\":{\"id\":7}}}");
    write_line(&event, hook, sizeof(hook));
    event = order_paid("{\"id\":7}");
    event.via = CHANNEL_POLL;
    write_line(&event, row, sizeof(row));
    assert_has(hook, "\"data\":{\"id\":7}");
    assert_has(row, "\"data\":{\"id\":7}");
}

static void
bytes_that_are_not_json_go_as_base64(void **state)
{
    (void)state;
    char line[1024];
    struct event event = order_paid("plain text");
    event.content_type = slice_of("text/plain");
    write_line(&event, line, sizeof(line));
    assert_has(line, "\"data_base64\":\"cGxhaW4gdGV4dA==\"");
    assert_has(line, "\"datacontenttype\":\"text/plain\"");
    assert_null(strstr(line, "\"data\":"));
}

static void
a_traceparent_that_came_in_is_handed_on(void **state)
{
    (void)state;
    char line[1024];
    struct event event = order_paid("{}");
    event.headers = slice_of(
        "Traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        "\n");
    write_line(&event, line, sizeof(line));
    assert_has(line, "\"traceparent\":\"00-0af7651916cd43dd8448eb211c80319c-"
                     "b7ad6b7169203331-01\"");
}

static void
a_traceparent_that_is_none_is_left_out(void **state)
{
    static const char *const fields[] = {
        "traceparent: junk\n",
        "traceparent: \n",
        "traceparent: "
        "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\n",
        "traceparent: "
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0\n",
        "traceparent: "
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x\n",
        "traceparent: "
        "00-00000000000000000000000000000000-b7ad6b7169203331-01\n",
        "traceparent: "
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01\n",
        "traceparent: "
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\n",
        "traceparent: "
        "00_0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331_01\n",
    };
    (void)state;
    char line[1024];
    struct event event = order_paid("{}");
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        event.headers = slice_of(fields[i]);
        write_line(&event, line, sizeof(line));
        assert_null(strstr(line, "traceparent"));
    }
    event.headers = slice_of(
        "traceparent: "
        "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more\n");
    write_line(&event, line, sizeof(line));
    assert_has(line, "-01-more\"");
}

static void
a_preview_is_the_event_the_sighting_becomes(void **state)
{
    (void)state;
    const struct sighting sighting = { .via = CHANNEL_POLL,
                                       .id = SLICE("a"),
                                       .type = SLICE("t"),
                                       .time_ms = 5,
                                       .received_ms = 6,
                                       .headers = SLICE("h: 1\n"),
                                       .content_type = SLICE("c"),
                                       .body = SLICE("{}") };
    const struct event event = envelope_preview(&bound.connector, &sighting);
    assert_int_equal(event.via, CHANNEL_POLL);
    assert_int_equal(event.time_ms, 5);
    assert_int_equal(event.recorded_ms, 6);
    assert_true(slice_equal_text(event.id, "a"));
    assert_true(slice_equal_text(event.type, "t"));
    assert_true(slice_equal_text(event.headers, "h: 1\n"));
    assert_true(slice_equal_text(event.content_type, "c"));
    assert_true(slice_equal_text(event.body, "{}"));
}

static void
an_envelope_without_memory_says_so(void **state)
{
    (void)state;
    const struct event event = order_paid("{\"data\":{\"id\":7}}");
    enum status status = STATUS_NOMEM;
    for (long n = 0; status != STATUS_OK; n++) {
        struct buf text = { 0 };
        mem_fail_after(n, 0);
        envelope_write(&bound.connector, &event, false, &text);
        mem_fail_after(-1, 0);
        status = buf_status(&text);
        assert_true(status == STATUS_OK || status == STATUS_NOMEM);
        if (status == STATUS_OK) {
            assert_has(text.ptr, "\"data\":{\"id\":7}");
        }
        buf_fini(&text);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_envelope_says_all_the_design_promises),
        cmocka_unit_test(data_has_one_shape_whichever_channel_brought_it),
        cmocka_unit_test(bytes_that_are_not_json_go_as_base64),
        cmocka_unit_test(a_traceparent_that_came_in_is_handed_on),
        cmocka_unit_test(a_traceparent_that_is_none_is_left_out),
        cmocka_unit_test(a_preview_is_the_event_the_sighting_becomes),
        cmocka_unit_test(an_envelope_without_memory_says_so),
    };
    return cmocka_run_group_tests(tests, open_petstore, close_petstore);
}
