/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "wire/cloudevents.h"
#include "wire/cloudevents_read.h"
#include "wire/json.h"

static const struct cloudevent full = {
    .id = SLICE("order:17:2026\n"),
    .source = SLICE("longstop/shop"),
    .type = SLICE("order.\"paid\""),
    .time_ms = INT64_C(1795303321007),
    .recorded_ms = INT64_C(1795303322000),
    .via = SLICE("poll"),
    .traceparent = SLICE("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331"
                         "-01"),
    .content_type = SLICE("application/vnd.shop+json"),
    .data = SLICE("{ \"id\" : 12345678901234567890,\n \"s\": \"\\u0041  b\" }"),
    .is_json = true,
};

static void
assert_written(const struct cloudevent *event, const char *expected)
{
    struct buf buf = { 0 };
    cloudevent_write(event, &buf);
    assert_int_equal(buf_status(&buf), STATUS_OK);
    assert_string_equal(buf.ptr, expected);
    assert_int_equal(json_check(buf_slice(&buf), JSON_DEPTH_DEFAULT, NULL),
                     STATUS_OK);
    assert_int_equal(slice_find(buf_slice(&buf), '\n'), SIZE_MAX);
    buf_fini(&buf);
}

static void
json_goes_in_token_by_token_on_one_line(void **state)
{
    (void)state;
    assert_written(
        &full, "{\"specversion\":\"1.0\",\"id\":\"order:17:2026\\n\","
               "\"source\":\"longstop/shop\",\"type\":\"order.\\\"paid\\\"\","
               "\"time\":\"2026-11-21T23:22:01.007Z\","
               "\"datacontenttype\":\"application/json\",\"via\":\"poll\","
               "\"recordedtime\":\"2026-11-21T23:22:02.000Z\","
               "\"traceparent\":\"00-0af7651916cd43dd8448eb211c80319c-"
               "b7ad6b7169203331-01\","
               "\"data\":{\"id\":12345678901234567890,\"s\":\"\\u0041  b\"}}");
}

static void
what_is_not_known_is_left_out(void **state)
{
    struct cloudevent event = full;
    (void)state;
    event.time_ms = 0;
    event.traceparent = slice_of("");
    event.content_type = slice_of("");
    event.data = slice_of("null");
    assert_written(&event,
                   "{\"specversion\":\"1.0\",\"id\":\"order:17:2026\\n\","
                   "\"source\":\"longstop/shop\","
                   "\"type\":\"order.\\\"paid\\\"\","
                   "\"datacontenttype\":\"application/json\",\"via\":\"poll\","
                   "\"recordedtime\":\"2026-11-21T23:22:02.000Z\","
                   "\"data\":null}");
}

static void
other_bytes_go_in_as_base64_under_their_type(void **state)
{
    struct cloudevent event = full;
    (void)state;
    event.is_json = false;
    event.id = slice_of("e1");
    event.time_ms = 0;
    event.traceparent = slice_of("");
    event.content_type = slice_of("application/x-www-form-urlencoded");
    event.data = (struct slice)SLICE("a=\0\xff");
    assert_written(&event,
                   "{\"specversion\":\"1.0\",\"id\":\"e1\","
                   "\"source\":\"longstop/shop\","
                   "\"type\":\"order.\\\"paid\\\"\",\"datacontenttype\":"
                   "\"application/x-www-form-urlencoded\",\"via\":\"poll\","
                   "\"recordedtime\":\"2026-11-21T23:22:02.000Z\","
                   "\"data_base64\":\"YT0A/w==\"}");
}

static void
bytes_without_a_type_are_an_octet_stream(void **state)
{
    struct cloudevent event = { .id = SLICE("1"),
                                .source = SLICE("longstop/x"),
                                .type = SLICE("t") };
    (void)state;
    assert_written(&event, "{\"specversion\":\"1.0\",\"id\":\"1\","
                           "\"source\":\"longstop/x\",\"type\":\"t\","
                           "\"datacontenttype\":\"application/octet-stream\","
                           "\"data_base64\":\"\"}");
}

static void
running_out_of_memory_is_remembered_by_the_buf(void **state)
{
    enum status status = STATUS_NOMEM;
    (void)state;
    for (long n = 0; status != STATUS_OK; n++) {
        struct buf buf = { 0 };
        assert_true(n < 20);
        (void)mem_fail_after(n, 0);
        cloudevent_write(&full, &buf);
        (void)mem_fail_after(-1, 0);
        status = buf_status(&buf);
        assert_true(status == STATUS_OK || status == STATUS_NOMEM);
        buf_fini(&buf);
    }
}

static void
assert_field(struct http_fields fields, const char *name, const char *value)
{
    struct slice found = { NULL, 0 };
    assert_int_equal(http_field_find(fields, name, &found), value != NULL);
    if (value != NULL && !slice_equal_text(found, value)) {
        fail_msg("%s: %.*s", name, SLICE_ARG(found));
    }
}

static void
the_binary_mode_has_attributes_in_fields(void **state)
{
    (void)state;
    struct arena arena = { 0 };
    struct http_fields fields;
    assert_int_equal(cloudevent_fields(&full, &arena, &fields), STATUS_OK);
    assert_field(fields, "ce-specversion", "1.0");
    assert_field(fields, "ce-id", "order:17:2026%0A");
    assert_field(fields, "ce-source", "longstop/shop");
    assert_field(fields, "ce-type", "order.%22paid%22");
    assert_field(fields, "ce-time", "2026-11-21T23:22:01.007Z");
    assert_field(fields, "ce-recordedtime", "2026-11-21T23:22:02.000Z");
    assert_field(fields, "ce-via", "poll");
    assert_field(fields, "ce-traceparent",
                 "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    assert_field(fields, "ce-replay", NULL);
    assert_field(fields, "ce-datacontenttype", NULL);
    assert_true(
        slice_equal_text(cloudevent_content_type(&full), "application/json"));
    arena_fini(&arena);
}

/* HTTP binding §3.1.3.2: those and no others. */
static void
what_a_field_may_not_hold_is_percent_encoded(void **state)
{
    (void)state;
    struct arena arena = { 0 };
    struct http_fields fields;
    struct cloudevent event = { .id = SLICE("a \"%\x7f\xc3\xa9\x01z"),
                                .source = SLICE("!#$&'()*+,-./09:;<=>?@AZ["
                                                "\\]^_`az{|}~"),
                                .is_replay = true };
    assert_int_equal(cloudevent_fields(&event, &arena, &fields), STATUS_OK);
    assert_field(fields, "ce-id", "a%20%22%25%7F%C3%A9%01z");
    assert_field(fields, "ce-source",
                 "!#$&'()*+,-./09:;<=>?@AZ["
                 "\\]^_`az{|}~");
    assert_field(fields, "ce-replay", "true");
    assert_field(fields, "ce-time", NULL);
    arena_fini(&arena);
}

static void
what_is_written_in_fields_is_read_as_the_same_event(void **state)
{
    (void)state;
    struct arena arena = { 0 };
    struct http_fields fields;
    struct http_field all[CLOUDEVENT_FIELDS + 1];
    struct buf line = { 0 };
    struct slice value = { NULL, 0 };
    assert_int_equal(cloudevent_fields(&full, &arena, &fields), STATUS_OK);
    for (size_t i = 0; i < fields.count; i++) {
        all[i] = fields.at[i];
    }
    all[fields.count] =
        (struct http_field){ SLICE("Content-Type"), SLICE("application/json") };
    fields = (struct http_fields){ all, fields.count + 1 };
    assert_int_equal(cloudevents_from_fields(fields, full.data, &line, NULL),
                     STATUS_OK);
    assert_true(json_member(buf_slice(&line), slice_of("type"), &value));
    assert_true(json_means(value, full.type));
    assert_true(json_member(buf_slice(&line), slice_of("id"), &value));
    assert_true(json_means(value, full.id));
    buf_fini(&line);
    arena_fini(&arena);
}

static void
fields_for_which_there_is_no_memory_are_told(void **state)
{
    (void)state;
    enum status status = STATUS_NOMEM;
    for (long after = 0; status != STATUS_OK && after < 50; after++) {
        struct arena arena = { 0 };
        struct http_fields fields;
        (void)mem_fail_after(after, 1);
        status = cloudevent_fields(&full, &arena, &fields);
        (void)mem_fail_after(-1, 0);
        assert_true(status == STATUS_OK || status == STATUS_NOMEM);
        arena_fini(&arena);
    }
    assert_int_equal(status, STATUS_OK);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_goes_in_token_by_token_on_one_line),
        cmocka_unit_test(what_is_not_known_is_left_out),
        cmocka_unit_test(other_bytes_go_in_as_base64_under_their_type),
        cmocka_unit_test(bytes_without_a_type_are_an_octet_stream),
        cmocka_unit_test(running_out_of_memory_is_remembered_by_the_buf),
        cmocka_unit_test(the_binary_mode_has_attributes_in_fields),
        cmocka_unit_test(what_a_field_may_not_hold_is_percent_encoded),
        cmocka_unit_test(what_is_written_in_fields_is_read_as_the_same_event),
        cmocka_unit_test(fields_for_which_there_is_no_memory_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
