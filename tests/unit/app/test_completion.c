/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "app/command_table.h"
#include "app/completion.h"
#include "base/mem.h"

static const char *const shells[] = { "bash", "zsh", "fish" };

struct count {
    size_t specs, named;
};

static void
count_spec(void *arg, const struct command_spec *spec)
{
    struct count *count = arg;
    count->named +=
        strcmp(spec->name, command_table[count->specs].name) == 0 ? 1 : 0;
    count->specs++;
}

static void
every_command_shows_its_own_table_once(void **state)
{
    (void)state;
    struct count count = { 0 };
    command_table_show(count_spec, &count);
    assert_int_equal(count.specs, command_count);
    assert_int_equal(count.named, command_count);
}

static void
a_command_parses_again_once_all_are_shown(void **state)
{
    (void)state;
    struct count count = { 0 };
    command_table_show(count_spec, &count);
    char name[] = "x", word[] = "surplus";
    char *argv[] = { name, word, NULL };
    const struct command_spec spec = { .name = "x", .operands = "" };
    char **operands;
    assert_int_equal(options_parse(&spec, 2, argv, &operands), OPTIONS_WRONG);
    assert_int_equal(count.specs, command_count);
}

static void
a_shell_that_is_not_known_gets_nothing(void **state)
{
    (void)state;
    struct buf into = { 0 };
    assert_false(completion_write("tcsh", &into));
    assert_int_equal(into.len, 0);
    buf_fini(&into);
}

static void
a_quote_in_a_sentence_ends_no_string(void **state)
{
    (void)state;
    static const struct {
        const char *shell, *line;
    } rows[] = {
        { "zsh", "poll:'one walk of a connector'\\''s list, now'\n" },
        { "zsh", "'[the name is a handler'\\''s]'" },
        { "fish", "-a poll -d 'one walk of a connector\\'s list, now'\n" },
        { "fish", "-l config -s c -r -F -d 'the configuration'\n" },
        { "bash", "operands='config connector event '\n" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf into = { 0 };
        assert_true(completion_write(rows[i].shell, &into));
        assert_int_equal(buf_status(&into), STATUS_OK);
        buf_byte(&into, '\0');
        assert_non_null(strstr(into.ptr, rows[i].line));
        buf_fini(&into);
    }
}

static void
running_out_of_memory_is_remembered_by_the_buffer(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(shells) / sizeof(shells[0]); i++) {
        enum status status = STATUS_NOMEM;
        for (long n = 0; n < 1000 && status != STATUS_OK; n++) {
            struct buf into = { 0 };
            (void)mem_fail_after(n, 0);
            assert_true(completion_write(shells[i], &into));
            (void)mem_fail_after(-1, 0);
            status = buf_status(&into);
            assert_true(n > 2 || status == STATUS_NOMEM);
            buf_fini(&into);
        }
        assert_int_equal(status, STATUS_OK);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_command_shows_its_own_table_once),
        cmocka_unit_test(a_command_parses_again_once_all_are_shown),
        cmocka_unit_test(a_shell_that_is_not_known_gets_nothing),
        cmocka_unit_test(a_quote_in_a_sentence_ends_no_string),
        cmocka_unit_test(running_out_of_memory_is_remembered_by_the_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
