/* SPDX-License-Identifier: MIT */
/* CloudEvents as they come: the modes, the examples of the specification, and
 * what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/mem.h"
#include "wire/cloudevents_read.h"
#include "wire/json.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void
the_content_type_tells_the_mode(void **state)
{
    (void)state;
    static const struct {
        const char *type;
        enum cloudevents_mode mode;
    } rows[] = {
        { "", CLOUDEVENTS_BINARY },
        { "application/json", CLOUDEVENTS_BINARY },
        { "application/cloudevents+json", CLOUDEVENTS_STRUCTURED },
        { "Application/CloudEvents+JSON; charset=utf-8",
          CLOUDEVENTS_STRUCTURED },
        { "application/cloudevents-batch+json; charset=UTF-8",
          CLOUDEVENTS_BATCH },
        { "application/cloudevents+avro", CLOUDEVENTS_UNKNOWN },
        { "application/cloudevents", CLOUDEVENTS_UNKNOWN },
        { "application/cloudevent", CLOUDEVENTS_BINARY },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(cloudevents_mode_of(slice_of(rows[i].type)),
                         rows[i].mode);
    }
}

#define BASE                                                                   \
    "\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\""

/* An event in JSON, and a word of why it is refused; NULL: it is not. */
struct checked {
    const char *event;
    const char *word;
};

static const struct checked checked[] = {
    { "{" BASE "}", NULL },
    { "{" BASE ",\"data\":null,\"subject\":null,\"x_y\":7}", NULL },
    { "{" BASE ",\"data_base64\":\"AQID\"}", NULL },
    { "{" BASE ",\"time\":\"2018-04-05T17:31:00Z\",\"data\":\"<x/>\"}", NULL },
    { "[]", "a JSON object" },
    { "{\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\"}",
      "'specversion' is missing" },
    { "{\"specversion\":\"1.0\",\"source\":\"/s\",\"type\":\"t\"}",
      "'id' is missing" },
    { "{\"specversion\":\"1.0\",\"id\":\"1\",\"type\":\"t\"}",
      "'source' is missing" },
    { "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\"}",
      "'type' is missing" },
    { "{\"specversion\":\"1.0\",\"id\":null,\"source\":\"/s\",\"type\":\"t\"}",
      "'id' is missing" },
    { "{\"specversion\":\"1.0\",\"id\":1,\"source\":\"/s\",\"type\":\"t\"}",
      "'id' is not a text" },
    { "{\"specversion\":\"1.0\",\"id\":\"\",\"source\":\"/s\",\"type\":\"t\"}",
      "'id' is empty" },
    { "{\"specversion\":\"0.3\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\"}",
      "'specversion' is not 1.0" },
    { "{" BASE ",\"id\":\"2\"}", "'id' comes twice" },
    { "{" BASE ",\"i\\u0064\":\"2\"}", "'id' comes twice" },
    { "{" BASE ",\"subject\":\"a\\u0000\"}",
      "'subject' has a control character" },
    { "{" BASE ",\"subject\":\"\\u0085\"}",
      "'subject' has a control character" },
    { "{" BASE ",\"data\":null,\"data_base64\":\"\"}",
      "both 'data' and 'data_base64'" },
    { "{" BASE ",\"data_base64\":\"AQI\"}", "is not base64" },
    { "{" BASE ",\"data_base64\":7}", "is not base64" },
    { "{" BASE ",\"datacontenttype\":7}", "'datacontenttype' is not a text" },
};

static void
an_event_needs_its_attributes_and_each_once(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(checked); i++) {
        struct error err = { "" };
        const enum status status =
            cloudevents_check(slice_of(checked[i].event), &err);
        if (status != (checked[i].word == NULL ? STATUS_OK : STATUS_INVALID) ||
            (checked[i].word != NULL &&
             strstr(err.text, checked[i].word) == NULL)) {
            fail_msg("%s: %s", checked[i].event, err.text);
        }
    }
}

/* Fields in binary mode, and the event in JSON or a word of why not. */
struct binary {
    struct http_field fields[6];
    const char *body;
    const char *event;
    const char *word;
};

#define F(name, value)                                                         \
    {                                                                          \
        SLICE(name), SLICE(value)                                              \
    }

static const struct binary binaries[] = {
    { { F("CE-SpecVersion", "1.0"), F("ce-id", "1"), F("Host", "h") },
      "",
      "{\"specversion\":\"1.0\",\"id\":\"1\"}",
      NULL },
    { { F("ce-id", "1"), F("Content-Type", "application/json") },
      " {\"a\": 1.50} ",
      "{\"id\":\"1\",\"datacontenttype\":\"application/json\",\"data\":"
      "{\"a\": 1.50}}",
      NULL },
    { { F("ce-id", "1") }, "[1]", "{\"id\":\"1\",\"data\":[1]}", NULL },
    { { F("ce-id", "1"), F("content-type", "text/plain") },
      "[1]",
      "{\"id\":\"1\",\"datacontenttype\":\"text/plain\",\"data_base64\":"
      "\"WzFd\"}",
      NULL },
    { { F("ce-id", "1"), F("content-type", "application/json") },
      "{broken",
      "{\"id\":\"1\",\"datacontenttype\":\"application/json\","
      "\"data_base64\":\"e2Jyb2tlbg==\"}",
      NULL },
    /* HTTP binding §3.1.3.2: the text of its example, "Euro € 😀" */
    { { F("ce-subject", "Euro%20%E2%82%AC%20%F0%9F%98%80") },
      "",
      "{\"subject\":\"Euro \xe2\x82\xac \xf0\x9f\x98\x80\"}",
      NULL },
    { { F("ce-subject", "Euro%20%e2%82%ac%20%f0%9f%98%80") },
      "",
      "{\"subject\":\"Euro \xe2\x82\xac \xf0\x9f\x98\x80\"}",
      NULL },
    { { F("ce-subject", "Euro \xe2\x82\xac") },
      "",
      "{\"subject\":\"Euro \xe2\x82\xac\"}",
      NULL },
    { { F("ce-subject", "\"a \\\"b\\\" %22c%22\"") },
      "",
      "{\"subject\":\"a \\\"b\\\" \\\"c\\\"\"}",
      NULL },
    { { F("ce-subject", "100%25%32%30") },
      "",
      "{\"subject\":\"100%20\"}", /* decoded once */
      NULL },
    { { F("ce-subject", "a+b") }, "", "{\"subject\":\"a+b\"}", NULL },
    { { F("ce-subject", "%C0%A0") }, "", NULL, "'ce-subject' is not percent" },
    { { F("ce-subject", "%ED%A0%80") }, "", NULL, "'ce-subject' is not" },
    { { F("ce-subject", "%E2%82") }, "", NULL, "'ce-subject' is not" },
    { { F("ce-subject", "\xff") }, "", NULL, "'ce-subject' is not" },
    { { F("ce-subject", "50%") }, "", NULL, "'ce-subject' is not" },
    { { F("ce-subject", "%zz") }, "", NULL, "'ce-subject' is not" },
    { { F("ce-subject", "\"open") }, "", NULL, "'ce-subject' is not" },
    { { F("ce-subject", "\"a\" b") }, "", NULL, "'ce-subject' is not" },
    { { F("ce-datacontenttype", "text/plain") },
      "",
      NULL,
      "'ce-datacontenttype' is no attribute" },
    { { F("ce-data", "1") }, "", NULL, "'ce-data' is no attribute" },
    { { F("ce-data_base64", "AQ==") }, "", NULL, "is no attribute" },
    { { F("ce-", "x") }, "", NULL, "'ce-' is no attribute" },
    { { F("Host", "h") }, "{}", NULL, "'specversion' is missing" },
};

static struct http_fields
fields_of(const struct binary *row)
{
    size_t count = 0;
    while (count < COUNT(row->fields) && row->fields[count].name.len > 0) {
        count++;
    }
    return (struct http_fields){ row->fields, count };
}

static void
fields_and_body_become_one_event(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(binaries); i++) {
        const struct binary *row = &binaries[i];
        struct buf event = { 0 };
        struct error err = { "" };
        const enum status status = cloudevents_from_fields(
            fields_of(row), slice_of(row->body), &event, &err);
        if (row->event != NULL
                ? status != STATUS_OK ||
                      !slice_equal_text(buf_slice(&event), row->event)
                : status != STATUS_INVALID ||
                      strstr(err.text, row->word) == NULL) {
            fail_msg("%zu: \"%.*s\" %s", i, SLICE_ARG(buf_slice(&event)),
                     err.text);
        }
        buf_fini(&event);
    }
}

/* An event and the data that handlers get of it. */
struct data_row {
    const char *event;
    const char *bytes;
    const char *type;
    bool is_json;
};

static const struct data_row data_rows[] = {
    { "{" BASE "}", "null", "", true },
    { "{" BASE ",\"data\": {\"a\":1}}", "{\"a\":1}", "", true },
    { "{" BASE ",\"data\":\"text\"}", "\"text\"", "", true },
    { "{" BASE ",\"datacontenttype\":\"application\\/json\",\"data\":\"t\"}",
      "\"t\"", "application/json", true },
    { "{" BASE ",\"datacontenttype\":\"text/xml\",\"data\":\"<a \\\"/>\"}",
      "<a \"/>", "text/xml", false },
    { "{" BASE ",\"datacontenttype\":\"text/xml\",\"data_base64\":"
      "\"PGEgIi8+\"}",
      "<a \"/>", "text/xml", false },
    { "{" BASE ",\"datacontenttype\":\"text/plain\",\"data_base64\":\"WzFd\"}",
      "[1]", "text/plain", false },
    { "{" BASE ",\"data_base64\":\"WzFd\"}", "[1]", "", true },
    { "{" BASE ",\"data_base64\":\"AA==\"}", "\0", "", false },
    { "{" BASE ",\"datacontenttype\":\"text/plain\",\"data\":{\"a\":1}}",
      "{\"a\":1}", "text/plain", true },
};

static void
data_is_the_same_in_whichever_mode_it_came(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(data_rows); i++) {
        const struct data_row *row = &data_rows[i];
        struct arena arena = { 0 };
        struct cloudevents_data data;
        assert_int_equal(
            cloudevents_data_of(slice_of(row->event), &arena, &data),
            STATUS_OK);
        const size_t len = row->bytes[0] == '\0' ? 1 : strlen(row->bytes);
        if (!slice_equal(data.bytes, (struct slice){ row->bytes, len }) ||
            !slice_equal_text(data.content_type, row->type) ||
            data.is_json != row->is_json) {
            fail_msg("%s: \"%.*s\" %.*s %d", row->event, SLICE_ARG(data.bytes),
                     SLICE_ARG(data.content_type), data.is_json);
        }
        arena_fini(&arena);
    }
}

static void
running_out_of_memory_is_told(void **state)
{
    (void)state;
    enum status status = STATUS_NOMEM;
    for (long n = 0; status == STATUS_NOMEM; n++) {
        struct arena arena = { 0 };
        struct buf event = { 0 };
        struct cloudevents_data data;
        assert_true(n < 200);
        (void)mem_fail_after(n, 0);
        status = cloudevents_from_fields(fields_of(&binaries[8]), slice_of("{"),
                                         &event, NULL);
        if (status == STATUS_OK) {
            status = cloudevents_check(slice_of(checked[2].event), NULL);
        }
        if (status == STATUS_OK) {
            status = cloudevents_data_of(slice_of(data_rows[5].event), &arena,
                                         &data);
        }
        (void)mem_fail_after(-1, 0);
        buf_fini(&event);
        arena_fini(&arena);
    }
    assert_int_equal(status, STATUS_OK);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_content_type_tells_the_mode),
        cmocka_unit_test(an_event_needs_its_attributes_and_each_once),
        cmocka_unit_test(fields_and_body_become_one_event),
        cmocka_unit_test(data_is_the_same_in_whichever_mode_it_came),
        cmocka_unit_test(running_out_of_memory_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
