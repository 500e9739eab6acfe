/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "plugin/kit.h"

static bool stopping;

static bool
should_stop(void *arg)
{
    (void)arg;
    return stopping;
}

static const struct longstop_host host = { NULL, should_stop };

static void
settings_are_copied_and_found(void **state)
{
    (void)state;
    char value[] = "17";
    const struct longstop_setting given[] = { { "maxlen", value },
                                              { "mode", "fast" } };
    struct kit_settings settings;
    assert_true(kit_settings_copy(&settings, given, 2));
    value[0] = 'x';
    assert_string_equal(kit_text(&settings, "maxlen"), "17");
    assert_int_equal(kit_number(&settings, "maxlen"), 17);
    assert_int_equal(kit_number(&settings, "other"), 0);
    assert_null(kit_text(&settings, "other"));
    assert_true(kit_is(&settings, "mode", "fast"));
    assert_false(kit_is(&settings, "mode", "slow"));
    assert_false(kit_is(&settings, "other", "slow"));
    kit_settings_free(&settings);
    kit_settings_free(&settings);
}

static void
words_are_one_line_and_fit(void **state)
{
    (void)state;
    char words[LONGSTOP_WORDS_BYTES];
    char endless[1000];
    kit_say(words, "no %s\r\n", "room\nhere");
    assert_string_equal(words, "no room here");
    memset(endless, 'x', sizeof(endless));
    kit_say(words, "%.*s", (int)sizeof(endless), endless);
    assert_int_equal(strlen(words), LONGSTOP_WORDS_BYTES - 1);
}

static void
only_entries_without_an_outcome_are_told(void **state)
{
    (void)state;
    struct longstop_entry entries[3] = {
        { .outcome = LONGSTOP_DONE },
        { .words = "refused" },
        { .outcome = LONGSTOP_LATER },
    };
    kit_say_all(entries, 3, "lost %d", 1);
    assert_string_equal(entries[0].words, "");
    assert_string_equal(entries[1].words, "refused");
    assert_string_equal(entries[2].words, "lost 1");
}

static void
a_wait_comes_in_slices_and_ends(void **state)
{
    (void)state;
    struct kit_deadline deadline = kit_deadline_in(&host, 60000);
    stopping = false;
    assert_int_equal(kit_slice(&deadline), KIT_SLICE_MS);
    assert_true(kit_left_ms(&deadline) > 30000);
    stopping = true;
    assert_int_equal(kit_slice(&deadline), 0);
    stopping = false;
    deadline = kit_deadline_in(&host, 0);
    assert_int_equal(kit_slice(&deadline), 0);
    assert_int_equal(kit_left_ms(&deadline), 1);
}

static void
bytes_are_copied_with_an_end(void **state)
{
    (void)state;
    char *copy = kit_copy((struct longstop_bytes){ "abcdef", 3 });
    assert_string_equal(copy, "abc");
    free(copy);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_are_copied_and_found),
        cmocka_unit_test(words_are_one_line_and_fit),
        cmocka_unit_test(only_entries_without_an_outcome_are_told),
        cmocka_unit_test(a_wait_comes_in_slices_and_ends),
        cmocka_unit_test(bytes_are_copied_with_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
