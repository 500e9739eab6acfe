/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/prng.h"
#include "wire/json.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static const struct slice accepted[] = {
    SLICE("null"),
    SLICE("true"),
    SLICE("false"),
    SLICE("0"),
    SLICE("-0"),
    SLICE("-0.0e-0"),
    SLICE(" \t\r\n1 \t\r\n"),
    SLICE("1e5"),
    SLICE("1E+5"),
    SLICE("1.25e-5"),
    SLICE("123456789012345678901234567890"),
    SLICE("0.1e999999"),
    SLICE("\"\""),
    SLICE("\"a\""),
    SLICE("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""),
    SLICE("\"\\u0000\""),
    SLICE("\"\\u00e9\\uD83D\\uDE00\""),
    SLICE("\"\\ud83d\\ude00\\uFFFF\""),
    SLICE("\"\x7f\""),
    SLICE("\"\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\""),
    SLICE("\"\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\""),
    SLICE("[]"),
    SLICE("[ ]"),
    SLICE("{}"),
    SLICE("{ }"),
    SLICE("[1,\"2\",[3],{\"4\":5}]"),
    SLICE("[[],{},[[]]]"),
    SLICE("{\"\":0}"),
    SLICE("{\"a\":1,\"a\":2}"),
    SLICE("{\"a\" : { \"b\" : [ null , true ] } , \"c\" : -1 }"),
    SLICE("[\n                         1\n                   ]"),
    SLICE("\"a long string without anything in it at all, really\""),
};

static const struct slice refused[] = {
    SLICE(""),
    SLICE(" "),
    SLICE("nul"),
    SLICE("nulll"),
    SLICE("True"),
    SLICE("NaN"),
    SLICE("Infinity"),
    SLICE("-"),
    SLICE("-a"),
    SLICE("+1"),
    SLICE("01"),
    SLICE("-01"),
    SLICE("00"),
    SLICE("1."),
    SLICE(".5"),
    SLICE("1.e5"),
    SLICE("1e"),
    SLICE("1e+"),
    SLICE("1e5.5"),
    SLICE("0x10"),
    SLICE("1_000"),
    SLICE("\""),
    SLICE("\"a"),
    SLICE("\"\\"),
    SLICE("\"\\\""),
    SLICE("\"\\x41\""),
    SLICE("\"\\U0041\""),
    SLICE("\"\\\0\""),
    SLICE("\"\\u12\""),
    SLICE("\"\\u12"),
    SLICE("\"\\u12g4\""),
    SLICE("\"\\u-123\""),
    SLICE("\"\\ud800\""),
    SLICE("\"\\udc00\""),
    SLICE("\"\\udbff\\u0041\""),
    SLICE("\"\\ud83d\\ud83d\""),
    SLICE("\"\\ud83d\\"),
    SLICE("\"\\ud83dx\\ude00\""),
    SLICE("\"\\ude00\\ud83d\""),
    SLICE("\"\0\""),
    SLICE("\"\n\""),
    SLICE("\"\t\""),
    SLICE("\"\x1f\""),
    SLICE("\"12345678\x01\""),
    SLICE("\"\x80\""),
    SLICE("\"\xc0\xaf\""),
    SLICE("\"\xc1\xbf\""),
    SLICE("\"\xe0\x80\x80\""),
    SLICE("\"\xe0\x9f\xbf\""),
    SLICE("\"\xed\xa0\x80\""),
    SLICE("\"\xf0\x8f\xbf\xbf\""),
    SLICE("\"\xf4\x90\x80\x80\""),
    SLICE("\"\xf5\x80\x80\x80\""),
    SLICE("\"\xff\""),
    SLICE("\"\xc3\""),
    SLICE("\"\xe2\x82\""),
    SLICE("\"\xe2\x82"),
    SLICE("'a'"),
    SLICE("["),
    SLICE("]"),
    SLICE("[1"),
    SLICE("[1,"),
    SLICE("[1,]"),
    SLICE("[,1]"),
    SLICE("[,]"),
    SLICE("[1,,2]"),
    SLICE("[1 2]"),
    SLICE("[1}"),
    SLICE("[\"a\":1]"),
    SLICE("[1]]"),
    SLICE("{"),
    SLICE("}"),
    SLICE("{]"),
    SLICE("{\"a\""),
    SLICE("{\"a\":"),
    SLICE("{\"a\":}"),
    SLICE("{\"a\":1"),
    SLICE("{\"a\":1,"),
    SLICE("{\"a\":1,}"),
    SLICE("{,\"a\":1}"),
    SLICE("{\"a\":1,,\"b\":2}"),
    SLICE("{\"a\" 1}"),
    SLICE("{\"a\",1}"),
    SLICE("{\"a\":1 \"b\":2}"),
    SLICE("{\"a\":1]"),
    SLICE("{a:1}"),
    SLICE("{1:1}"),
    SLICE("{\"a\":1:2}"),
    SLICE("{} x"),
    SLICE("{}{}"),
    SLICE("1 2"),
    SLICE("\"a\"\"b\""),
    SLICE("1\0"),
    SLICE("\0"),
    SLICE("[1]\0"),
    SLICE("\xef\xbb\xbf{}"),
    SLICE("\v1"),
    SLICE("\f1"),
    SLICE("\xc2\xa0"
          "1"),
    SLICE("// x\n1"),
    SLICE("/* x */1"),
    SLICE("[1]#"),
};

/* In a block of its own exact size, so that the sanitizer sees a read past the
 * end. */
static enum status
check_exactly(struct slice text, struct error *err)
{
    char *copy = malloc(text.len == 0 ? 1 : text.len);
    assert_non_null(copy);
    memcpy(copy, text.ptr, text.len);
    enum status status =
        json_check((struct slice){ copy, text.len }, JSON_DEPTH_DEFAULT, err);
    free(copy);
    return status;
}

static void
what_rfc_8259_allows_is_accepted(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(accepted); i++) {
        struct error err = { "" };
        if (check_exactly(accepted[i], &err) != STATUS_OK) {
            fail_msg("%.*s: %s", SLICE_ARG(accepted[i]), err.text);
        }
    }
}

static void
everything_else_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(refused); i++) {
        struct error err = { "" };
        if (check_exactly(refused[i], &err) != STATUS_INVALID) {
            fail_msg("row %zu accepted: %.*s", i, SLICE_ARG(refused[i]));
        }
        assert_non_null(strstr(err.text, "at byte "));
    }
}

/* The wide steps of the scanner must not depend on where a byte lies. */
static void
a_bad_byte_is_seen_at_every_place_of_a_string(void **state)
{
    static const char bad[] = { '\x01', '\x80', '\x1f', '\xff', '\0' };
    char text[40];
    (void)state;
    for (size_t len = 3; len < sizeof(text); len++) {
        for (size_t at = 1; at + 1 < len; at++) {
            memset(text, '~', len);
            text[0] = text[len - 1] = '"';
            assert_int_equal(check_exactly((struct slice){ text, len }, NULL),
                             STATUS_OK);
            for (size_t i = 0; i < sizeof(bad); i++) {
                text[at] = bad[i];
                struct error err;
                char place[24];
                assert_int_equal(
                    check_exactly((struct slice){ text, len }, &err),
                    STATUS_INVALID);
                (void)snprintf(place, sizeof(place), "at byte %zu", at + 1);
                assert_string_equal(strstr(err.text, "at byte"), place);
            }
        }
    }
}

static void
depth_is_limited_and_costs_no_stack(void **state)
{
    char text[4200];
    (void)state;
    for (unsigned depth = 1; depth <= 1024; depth *= 2) {
        for (unsigned i = 0; i < depth; i++) {
            text[i] = '[';
            text[2 * depth - 1 - i] = ']';
        }
        struct slice nested = { text, 2 * (size_t)depth };
        assert_int_equal(json_check(nested, depth, NULL), STATUS_OK);
        assert_int_equal(json_check(nested, depth - 1, NULL), STATUS_INVALID);
    }
    memset(text, '[', sizeof(text));
    assert_int_equal(
        json_check((struct slice){ text, sizeof(text) }, UINT32_MAX, NULL),
        STATUS_INVALID);
}

static void
brackets_are_matched_by_kind_at_every_depth(void **state)
{
    char text[512];
    (void)state;
    for (size_t depth = 1; depth <= 130; depth++) {
        size_t len = 0;
        for (size_t i = 0; i < depth; i++) {
            len += (size_t)snprintf(text + len, sizeof(text) - len, "%s",
                                    i % 3 == 0 ? "[" : "{\"\":");
            if (len > 300) {
                break;
            }
        }
        if (len > 300) {
            break;
        }
        text[len++] = '0';
        for (size_t i = depth; i > 0; i--) {
            text[len++] = (i - 1) % 3 == 0 ? ']' : '}';
        }
        assert_int_equal(json_check((struct slice){ text, len }, 200, NULL),
                         STATUS_OK);
        text[len - 1] = text[len - 1] == ']' ? '}' : ']';
        assert_int_equal(json_check((struct slice){ text, len }, 200, NULL),
                         STATUS_INVALID);
    }
}

static void
types_are_told_from_the_first_byte(void **state)
{
    static const struct {
        struct slice text;
        enum json_type type;
    } rows[] = {
        { SLICE("null"), JSON_NULL },   { SLICE("false"), JSON_FALSE },
        { SLICE(" true"), JSON_TRUE },  { SLICE("\n-1"), JSON_NUMBER },
        { SLICE("0"), JSON_NUMBER },    { SLICE("\t\"x\""), JSON_STRING },
        { SLICE("  [1]"), JSON_ARRAY }, { SLICE("{}"), JSON_OBJECT },
        { SLICE(""), JSON_NULL },       { SLICE(" "), JSON_NULL },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(json_type(rows[i].text), rows[i].type);
    }
}

static void
an_array_is_walked_in_order(void **state)
{
    struct slice array =
        SLICE(" [ 1 ,\"a,]\\\"\\\\\" ,[ [2], {} ],{\"b\" : [3] } ] ");
    static const char *const expected[] = { "1", "\"a,]\\\"\\\\\"",
                                            "[ [2], {} ]", "{\"b\" : [3] }" };
    size_t at = 0;
    struct slice value;
    (void)state;
    for (size_t i = 0; i < COUNT(expected); i++) {
        assert_true(json_next_element(array, &at, &value));
        assert_true(slice_equal_text(value, expected[i]));
    }
    assert_false(json_next_element(array, &at, &value));
    assert_false(json_next_element(array, &at, &value));
}

static void
what_is_empty_or_of_another_kind_has_no_elements(void **state)
{
    static const struct slice rows[] = {
        SLICE(""),    SLICE("[]"), SLICE("[ ]"),     SLICE("{}"),
        SLICE("{ }"), SLICE("1"),  SLICE("\"[1]\""), SLICE("null"),
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        size_t at = 0;
        struct slice name;
        struct slice value;
        assert_false(json_next_element(rows[i], &at, &value));
        at = 0;
        assert_false(json_next_member(rows[i], &at, &name, &value));
    }
}

static void
members_come_in_order_with_their_quoted_names(void **state)
{
    struct slice object = SLICE("{ \"a\" : 1 ,\"b}\":\"x\", \"\\u0063\":[ ]}");
    static const char *const expected[][2] = { { "\"a\"", "1" },
                                               { "\"b}\"", "\"x\"" },
                                               { "\"\\u0063\"", "[ ]" } };
    size_t at = 0;
    struct slice name;
    struct slice value;
    (void)state;
    for (size_t i = 0; i < COUNT(expected); i++) {
        assert_true(json_next_member(object, &at, &name, &value));
        assert_true(slice_equal_text(name, expected[i][0]));
        assert_true(slice_equal_text(value, expected[i][1]));
    }
    assert_false(json_next_member(object, &at, &name, &value));
}

static void
a_member_is_found_by_its_decoded_name_and_the_first_counts(void **state)
{
    struct slice object =
        SLICE("{\"ab\":0,\"a\":1,\"a\":2,\"\\u0061b\\n\":3,\"\":4,"
              "\"\\ud83d\\ude00\":5,\"a\\\\nb\":6,\"a\\nb\":7}");
    static const struct {
        struct slice name;
        const char *value;
    } rows[] = {
        { SLICE("a"), "1" },
        { SLICE("ab"), "0" },
        { SLICE("ab\n"), "3" },
        { SLICE(""), "4" },
        { SLICE("\xf0\x9f\x98\x80"), "5" },
        { SLICE("a\\nb"), "6" },
        { SLICE("a\nb"), "7" },
    };
    struct slice value;
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_true(json_member(object, rows[i].name, &value));
        assert_true(slice_equal_text(value, rows[i].value));
    }
    assert_false(json_member(object, slice_of("abc"), &value));
    assert_false(json_member(object, slice_of("A"), &value));
    assert_false(json_member(slice_of("[\"a\"]"), slice_of("a"), &value));
}

static const struct {
    struct slice value;
    struct slice text;
} texts[] = {
    { SLICE("\"\""), SLICE("") },
    { SLICE(" \"abc\" "), SLICE("abc") },
    { SLICE("12345678901234567890"), SLICE("12345678901234567890") },
    { SLICE(" 1.50 "), SLICE("1.50") },
    { SLICE("true"), SLICE("true") },
    { SLICE("null"), SLICE("null") },
    { SLICE("{\"a\": 1}"), SLICE("{\"a\": 1}") },
    { SLICE("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""), SLICE("\"\\/\b\f\n\r\t") },
    { SLICE("\"\\u0041\\u00e9\\u20AC\""), SLICE("A\xc3\xa9\xe2\x82\xac") },
    { SLICE("\"x\\ud83d\\ude00y\""), SLICE("x\xf0\x9f\x98\x80y") },
    { SLICE("\"a\\u0000b\""), SLICE("a\0b") },
};

static void
text_is_decoded_or_stands_as_received(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct arena arena = { 0 };
        struct slice text;
        assert_int_equal(json_text(texts[i].value, &arena, &text), STATUS_OK);
        assert_true(slice_equal(text, texts[i].text));
        assert_true(json_means(texts[i].value, text));
        assert_false(json_means(texts[i].value, slice_of("zz")));
        bool escaped = slice_find(texts[i].value, '\\') != SIZE_MAX;
        assert_int_equal(arena.used_bytes != 0, escaped);
        arena_fini(&arena);
    }
}

static void
a_longer_text_is_not_what_a_value_means(void **state)
{
    (void)state;
    assert_false(json_means(slice_of("\"ab\""), slice_of("abc")));
    assert_false(json_means(slice_of("\"a\\nb\""), slice_of("a\n")));
    assert_false(json_means(slice_of("\"a\\n\""), slice_of("a\nb")));
    assert_false(json_means(slice_of("12"), slice_of("1")));
    assert_false(json_means(slice_of("\"\\u0041\""), slice_of("B")));
}

static void
decoding_without_memory_is_told(void **state)
{
    struct arena arena = { 0 };
    struct slice text;
    (void)state;
    (void)mem_fail_after(0, 0);
    assert_int_equal(json_text(slice_of("\"\\n\""), &arena, &text),
                     STATUS_NOMEM);
    (void)mem_fail_after(-1, 0);
    assert_int_equal(json_text(slice_of("\"\\n\""), &arena, &text), STATUS_OK);
    arena_fini(&arena);
}

static void
compacting_takes_blanks_between_tokens_only(void **state)
{
    static const struct {
        struct slice value;
        const char *expected;
    } rows[] = {
        { SLICE(" 1.0e+1 "), "1.0e+1" },
        { SLICE("{ \"a b\" : [ 1 , 2.50 ,\n\t\"x \\\" y\" ] ,\r\n\"c\":{ } }"),
          "{\"a b\":[1,2.50,\"x \\\" y\"],\"c\":{}}" },
        { SLICE("\"\\u0041\\/\""), "\"\\u0041\\/\"" },
        { SLICE("[12345678901234567890,1E400,-0]"),
          "[12345678901234567890,1E400,-0]" },
        { SLICE(""), "" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf buf = { 0 };
        json_compact(rows[i].value, &buf);
        assert_int_equal(buf_status(&buf), STATUS_OK);
        assert_true(slice_equal_text(buf_slice(&buf), rows[i].expected));
        buf_fini(&buf);
    }
}

/* A random document, together with what stands at "id" in each of its rows. */
struct sample {
    char text[2048];
    size_t len;
    uint64_t ids[8];
    size_t rows;
};

static void
sample_add(struct sample *sample, const char *text)
{
    size_t len = strlen(text);
    memcpy(sample->text + sample->len, text, len);
    sample->len += len;
}

static void
sample_make(struct sample *sample, struct prng *prng)
{
    static const char *const fillers[] = {
        "\"a\":[1,2,{\"b\":null}],",           "\"n\": -1.5e3 ,",
        "\"s\":\"x\\u00e9\\n\\\"}]\",",        "\"e\":{},\n\t",
        "\"u\":\"\xc3\xa9\xf0\x9f\x98\x80\",", "\"t\":true,\"f\":false,",
    };
    memset(sample, 0, sizeof(*sample));
    sample->rows = prng_next(prng) % COUNT(sample->ids);
    sample_add(sample, "{\"rows\":[");
    for (size_t i = 0; i < sample->rows; i++) {
        char id[48];
        sample_add(sample, i == 0 ? "{" : ",{");
        for (uint64_t n = prng_next(prng) % 4; n > 0; n--) {
            sample_add(sample, fillers[prng_next(prng) % COUNT(fillers)]);
        }
        sample->ids[i] = prng_next(prng);
        (void)snprintf(id, sizeof(id), "\"id\":%llu}",
                       (unsigned long long)sample->ids[i]);
        sample_add(sample, id);
    }
    sample_add(sample, "]}");
}

static void
a_random_document_gives_back_its_ids_exactly(void **state)
{
    struct prng prng = { 1 };
    (void)state;
    for (int round = 0; round < 2000; round++) {
        struct sample sample;
        struct slice rows;
        struct slice row;
        size_t at = 0;
        size_t count = 0;
        sample_make(&sample, &prng);
        struct slice text = { sample.text, sample.len };
        assert_int_equal(json_check(text, 8, NULL), STATUS_OK);
        assert_true(json_member(text, slice_of("rows"), &rows));
        while (json_next_element(rows, &at, &row)) {
            struct slice id;
            uint64_t number;
            assert_true(json_member(row, slice_of("id"), &id));
            assert_int_equal(slice_to_u64(id, &number), STATUS_OK);
            assert_true(number == sample.ids[count]);
            count++;
        }
        assert_int_equal(count, sample.rows);
    }
}

static void
assert_same_scalar(struct slice value, const cJSON *oracle)
{
    struct arena arena = { 0 };
    struct slice text;
    char number[512];
    assert_int_equal(json_text(value, &arena, &text), STATUS_OK);
    if (cJSON_IsString(oracle)) {
        /* cJSON's strings end at \u0000. */
        assert_int_equal(json_type(value), JSON_STRING);
        assert_true(strlen(oracle->valuestring) <= text.len);
        assert_memory_equal(oracle->valuestring, text.ptr,
                            strlen(oracle->valuestring));
    } else if (cJSON_IsNumber(oracle) && text.len < sizeof(number)) {
        assert_int_equal(json_type(value), JSON_NUMBER);
        memcpy(number, text.ptr, text.len);
        number[text.len] = '\0';
        double ours = strtod(number, NULL);
        assert_memory_equal(&ours, &oracle->valuedouble, sizeof(ours));
    } else if (cJSON_IsBool(oracle)) {
        assert_int_equal(json_type(value),
                         cJSON_IsTrue(oracle) ? JSON_TRUE : JSON_FALSE);
    } else {
        assert_int_equal(json_type(value), JSON_NULL);
    }
    arena_fini(&arena);
}

/* One level; the caller walks on (a queue instead of recursion). */
struct pair {
    struct slice value;
    const cJSON *oracle;
};

static size_t
push_children(struct pair *queue, size_t count, struct pair parent)
{
    size_t at = 0;
    struct slice name;
    struct slice value;
    bool object = cJSON_IsObject(parent.oracle);
    assert_int_equal(json_type(parent.value),
                     object ? JSON_OBJECT : JSON_ARRAY);
    const cJSON *child;
    cJSON_ArrayForEach(child, parent.oracle)
    {
        assert_true(object ? json_next_member(parent.value, &at, &name, &value)
                           : json_next_element(parent.value, &at, &value));
        assert_true(count < 1024);
        queue[count++] = (struct pair){ value, child };
    }
    assert_false(object ? json_next_member(parent.value, &at, &name, &value)
                        : json_next_element(parent.value, &at, &value));
    return count;
}

static void
assert_same(struct slice value, const cJSON *oracle)
{
    static struct pair queue[1024];
    size_t count = 1;
    queue[0] = (struct pair){ value, oracle };
    for (size_t i = 0; i < count; i++) {
        if (cJSON_IsObject(queue[i].oracle) || cJSON_IsArray(queue[i].oracle)) {
            count = push_children(queue, count, queue[i]);
        } else {
            assert_same_scalar(queue[i].value, queue[i].oracle);
        }
    }
}

static void
mutate(struct sample *sample, struct prng *prng)
{
    static const char bytes[] = "{}[]\",:\\u0e-.1 \n\xc3\x80n";
    for (uint64_t n = prng_next(prng) % 3 + 1; n > 0 && sample->len > 1; n--) {
        size_t at = (size_t)(prng_next(prng) % sample->len);
        uint64_t how = prng_next(prng) % 3;
        if (how == 0) {
            sample->text[at] = bytes[prng_next(prng) % (sizeof(bytes) - 1)];
        } else if (how == 1) {
            memmove(sample->text + at, sample->text + at + 1,
                    sample->len - at - 1);
            sample->len--;
        } else {
            size_t other = (size_t)(prng_next(prng) % sample->len);
            sample->text[at] = sample->text[other];
        }
    }
}

/* What we accept cJSON accepts too, and reads the same way. */
static void
mutated_documents_are_read_as_cjson_reads_them(void **state)
{
    struct prng prng = { 2 };
    size_t both = 0;
    (void)state;
    for (int round = 0; round < 6000; round++) {
        struct sample sample;
        sample_make(&sample, &prng);
        mutate(&sample, &prng);
        struct slice text = { sample.text, sample.len };
        if (check_exactly(text, NULL) != STATUS_OK) {
            continue;
        }
        cJSON *tree = cJSON_ParseWithLength(text.ptr, text.len);
        assert_non_null(tree);
        assert_same(text, tree);
        cJSON_Delete(tree);
        both++;
    }
    assert_true(both > 600);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_rfc_8259_allows_is_accepted),
        cmocka_unit_test(everything_else_is_refused),
        cmocka_unit_test(a_bad_byte_is_seen_at_every_place_of_a_string),
        cmocka_unit_test(depth_is_limited_and_costs_no_stack),
        cmocka_unit_test(brackets_are_matched_by_kind_at_every_depth),
        cmocka_unit_test(types_are_told_from_the_first_byte),
        cmocka_unit_test(an_array_is_walked_in_order),
        cmocka_unit_test(what_is_empty_or_of_another_kind_has_no_elements),
        cmocka_unit_test(members_come_in_order_with_their_quoted_names),
        cmocka_unit_test(
            a_member_is_found_by_its_decoded_name_and_the_first_counts),
        cmocka_unit_test(text_is_decoded_or_stands_as_received),
        cmocka_unit_test(a_longer_text_is_not_what_a_value_means),
        cmocka_unit_test(decoding_without_memory_is_told),
        cmocka_unit_test(compacting_takes_blanks_between_tokens_only),
        cmocka_unit_test(a_random_document_gives_back_its_ids_exactly),
        cmocka_unit_test(mutated_documents_are_read_as_cjson_reads_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
