/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/options.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define WORDS_MAX    8

/* What a stream said while it was caught in a file. */
struct caught {
    FILE *stream;
    FILE *file;
    int kept;
    char text[2048];
};

static void
catch_stream(struct caught *caught, FILE *stream)
{
    caught->stream = stream;
    caught->file = tmpfile();
    assert_non_null(caught->file);
    assert_int_equal(fflush(stream), 0);
    caught->kept = dup(fileno(stream));
    assert_true(dup2(fileno(caught->file), fileno(stream)) >= 0);
}

static void
release_stream(struct caught *caught)
{
    assert_int_equal(fflush(caught->stream), 0);
    assert_true(dup2(caught->kept, fileno(caught->stream)) >= 0);
    assert_int_equal(close(caught->kept), 0);
    rewind(caught->file);
    size_t len = fread(caught->text, 1, sizeof(caught->text) - 1, caught->file);
    caught->text[len] = '\0';
    assert_int_equal(fclose(caught->file), 0);
}

struct parsed {
    const char *config;
    bool json;
    char **operands;
    struct caught out;
    struct caught err;
};

/* Parses "verify …" as a command with two options, two operands, and so many
 * more. */
static enum options_verdict
parse_more(const char *const *words, size_t more, struct parsed *ret)
{
    static char room[WORDS_MAX][64];
    static char *argv[WORDS_MAX + 1];
    int argc = 1;
    memset(ret, 0, sizeof(*ret));
    argv[0] = strcpy(room[0], "verify");
    for (; words[argc - 1] != NULL; argc++) {
        argv[argc] = strcpy(room[argc], words[argc - 1]);
    }
    argv[argc] = NULL;
    const struct option_spec options[] = {
        { "config", 'c', "FILE", "the configuration", &ret->config, NULL },
        { "json", 0, NULL, "as JSON", NULL, &ret->json },
    };
    const struct command_spec spec = { .name = "verify",
                                       .operands = "CONNECTOR REQUEST",
                                       .operand_count = 2,
                                       .operand_more = more,
                                       .summary = "Judges.",
                                       .examples = "  longstop verify a b\n",
                                       .options = options,
                                       .option_count = COUNT(options) };
    catch_stream(&ret->out, stdout);
    catch_stream(&ret->err, stderr);
    enum options_verdict verdict =
        options_parse(&spec, argc, argv, &ret->operands);
    release_stream(&ret->err);
    release_stream(&ret->out);
    return verdict;
}

static enum options_verdict
parse(const char *const *words, struct parsed *ret)
{
    return parse_more(words, 0, ret);
}

static void
options_stand_anywhere_among_operands(void **state)
{
    (void)state;
    static const char *const rows[][WORDS_MAX] = {
        { "-c", "f", "--json", "a", "b" },
        { "a", "--json", "b", "-cf" },
        { "a", "b", "--json", "--config", "f" },
        { "--config=f", "a", "--json", "b" },
        { "--js", "--conf", "f", "a", "b" },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct parsed parsed;
        assert_int_equal(parse(rows[i], &parsed), OPTIONS_OK);
        assert_string_equal(parsed.config, "f");
        assert_true(parsed.json);
        assert_string_equal(parsed.operands[0], "a");
        assert_string_equal(parsed.operands[1], "b");
        assert_string_equal(parsed.err.text, "");
    }
}

static void
what_begins_with_a_dash_can_be_an_operand(void **state)
{
    (void)state;
    static const char *const rows[][WORDS_MAX] = {
        { "a", "-" },
        { "--", "a", "--json" },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct parsed parsed;
        assert_int_equal(parse(rows[i], &parsed), OPTIONS_OK);
        assert_string_equal(parsed.operands[0], "a");
        assert_int_equal(parsed.operands[1][0], '-');
        assert_false(parsed.json);
    }
}

static void
a_wrong_word_is_named_with_a_way_out(void **state)
{
    (void)state;
    static const struct {
        const char *words[WORDS_MAX];
        const char *said;
    } rows[] = {
        { { NULL }, "verify: CONNECTOR is missing" },
        { { "a" }, "verify: REQUEST is missing" },
        { { "a", "b", "c", "d" }, "verify: 'c' is a word too many\n" },
        { { "a", "b", "c.yaml" },
          "verify: 'c.yaml' is a word too many; a configuration is named "
          "with -c\n" },
        { { "a", "b", "--jsno" }, "unknown option --jsno" },
        { { "a", "b", "--jsno" }, "did you mean --json?" },
        { { "a", "b", "-x" }, "unknown option -x" },
        { { "a", "b", "-c" }, "-c needs a value" },
        { { "a", "b", "--config" }, "--config needs a value" },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct parsed parsed;
        assert_int_equal(parse(rows[i].words, &parsed), OPTIONS_WRONG);
        if (strstr(parsed.err.text, rows[i].said) == NULL) {
            fail_msg("%s", parsed.err.text);
        }
        assert_non_null(strstr(parsed.err.text, "usage: longstop verify "
                                                "[OPTIONS] CONNECTOR REQUEST"));
        assert_string_equal(parsed.out.text, "");
    }
}

static void
operands_may_be_more_where_the_command_says_so(void **state)
{
    (void)state;
    static const struct {
        const char *words[WORDS_MAX];
        enum options_verdict verdict;
        size_t count;
    } rows[] = {
        { { "a" }, OPTIONS_WRONG, 0 },
        { { "a", "b" }, OPTIONS_OK, 2 },
        { { "a", "--json", "b", "c" }, OPTIONS_OK, 3 },
        { { "a", "b", "c", "d" }, OPTIONS_WRONG, 0 },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct parsed parsed;
        assert_int_equal(parse_more(rows[i].words, 1, &parsed),
                         rows[i].verdict);
        if (rows[i].verdict == OPTIONS_OK) {
            assert_non_null(parsed.operands[rows[i].count - 1]);
            assert_null(parsed.operands[rows[i].count]);
        }
    }
}

static void
help_says_all_there_is_on_stdout(void **state)
{
    (void)state;
    static const char *const rows[][WORDS_MAX] = { { "--help" },
                                                   { "-h" },
                                                   { "a", "-h" } };
    static const char *const said[] = {
        "Judges.",
        "usage: longstop verify [OPTIONS] CONNECTOR REQUEST",
        "  longstop verify a b\n",
        "  -c, --config FILE            the configuration\n",
        "      --json                   as JSON\n",
        "  -h, --help ",
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct parsed parsed;
        assert_int_equal(parse(rows[i], &parsed), OPTIONS_HELP);
        for (size_t j = 0; j < COUNT(said); j++) {
            assert_non_null(strstr(parsed.out.text, said[j]));
        }
        assert_string_equal(parsed.err.text, "");
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_stand_anywhere_among_operands),
        cmocka_unit_test(what_begins_with_a_dash_can_be_an_operand),
        cmocka_unit_test(a_wrong_word_is_named_with_a_way_out),
        cmocka_unit_test(operands_may_be_more_where_the_command_says_so),
        cmocka_unit_test(help_says_all_there_is_on_stdout),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
