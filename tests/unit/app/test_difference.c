/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "app/difference.h"
#include "base/mem.h"
#include "wire/digest.h"

enum { MOST = 8 };

/* A list of names, each with the digest of what stands behind it: "a=1 b=2". */
static size_t
list(const char *text, struct fingerprint *into)
{
    struct slice rest = slice_of(text);
    struct slice word;
    size_t count = 0;
    while (rest.len > 0 && slice_split(&rest, ' ', &word)) {
        size_t at = slice_find(word, '=');
        struct buf gathered = { 0 };
        fingerprint_text(slice_from(word, at + 1), &gathered);
        assert_true(count < MOST);
        assert_int_equal(
            fingerprint_take(&gathered, slice_first(word, at), &into[count++]),
            STATUS_OK);
    }
    return count;
}

static void
the_difference_of_two_lists_is_told_by_names(void **state)
{
    (void)state;
    static const struct {
        const char *before, *after, *words;
    } rows[] = {
        { "", "", "" },
        { "a=1 b=2", "a=1 b=2", "" },
        { "a=1 b=2", "b=2 a=1", "" },
        { "", "a=1", "connector a added" },
        { "a=1", "", "connector a removed" },
        { "a=1", "a=2", "connector a changed" },
        { "a=1", "b=1", "connector b added; connector a removed" },
        { "a=1 b=2 c=3", "c=4 d=5 a=1",
          "connector d added; connector c changed; connector b removed" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct fingerprint before[MOST], after[MOST];
        struct arena arena = { 0 };
        struct buf words = { 0 };
        struct difference difference = { .sections = { NULL, 0 } };
        size_t before_count = list(rows[i].before, before);
        size_t after_count = list(rows[i].after, after);
        assert_int_equal(difference_of(before, before_count, after, after_count,
                                       &arena, &difference.connectors),
                         STATUS_OK);
        difference_words(&difference, &words);
        assert_true(slice_equal_text(buf_slice(&words), rows[i].words));
        buf_fini(&words);
        arena_fini(&arena);
    }
}

static void
it_survives_every_failed_allocation(void **state)
{
    (void)state;
    struct fingerprint before[MOST], after[MOST];
    size_t before_count = list("a=1 b=2", before);
    size_t after_count = list("b=3 c=4", after);
    enum status status = STATUS_NOMEM;
    for (long n = 0; status != STATUS_OK && n < 20; n++) {
        struct arena arena = { 0 };
        struct difference_part part;
        mem_fail_after(n, 0);
        status = difference_of(before, before_count, after, after_count, &arena,
                               &part);
        mem_fail_after(-1, 0);
        assert_true(status == STATUS_OK || status == STATUS_NOMEM);
        arena_fini(&arena);
    }
    assert_int_equal(status, STATUS_OK);
}

/* What is bound to one name must not pass for what is bound to another. */
static void
a_fingerprint_tells_texts_and_trees_apart(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "a: {b: c}", "a: {b: 'c'}", "a: {b: d}", "a: {bc: ''}",   "a: [b, c]",
        "a: [bc]",   "a: b",        "a:",        "a: {b: {c: }}",
    };
    enum { COUNT = sizeof(texts) / sizeof(texts[0]) };
    struct fingerprint prints[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        const struct config_source source = { .name = SLICE("t"),
                                              .text = slice_of(texts[i]) };
        struct arena arena = { 0 };
        struct config_report report = { 0 };
        struct config_node *root = NULL;
        struct buf gathered = { 0 };
        assert_int_equal(
            config_yaml_parse(&source, NULL, NULL, &arena, &report, &root),
            STATUS_OK);
        fingerprint_node(root, &gathered);
        assert_int_equal(fingerprint_take(&gathered, slice_of("x"), &prints[i]),
                         STATUS_OK);
        assert_null(gathered.ptr);
        for (size_t j = 0; j < i; j++) {
            if (memcmp(prints[i].sum, prints[j].sum, 32) == 0) {
                fail_msg("'%s' and '%s' are the same", texts[i], texts[j]);
            }
        }
        config_report_fini(&report);
        arena_fini(&arena);
    }
}

static int
enter(void **state)
{
    (void)state;
    return digest_init(NULL) != STATUS_OK;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_difference_of_two_lists_is_told_by_names),
        cmocka_unit_test(it_survives_every_failed_allocation),
        cmocka_unit_test(a_fingerprint_tells_texts_and_trees_apart),
    };
    return cmocka_run_group_tests(tests, enter, NULL);
}
