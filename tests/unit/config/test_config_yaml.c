/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "config/config_report.h"
#include "config/config_yaml.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct fixture {
    struct arena arena;
    struct config_report report;
    struct config_source source;
    struct config_node *root;
    struct buf text;
};

static const char *
environment(void *arg, const char *name)
{
    (void)arg;
    static const char *const pairs[][2] = {
        { "PORT", "8080" },           { "EMPTY", "" },   { "TWO", "a\nb" },
        { "NOTE", "a # b: ${PORT}" }, { "BAD", "\xff" }, { "NULLISH", "null" },
    };
    for (size_t i = 0; i < COUNT(pairs); i++) {
        if (strcmp(name, pairs[i][0]) == 0) {
            return pairs[i][1];
        }
    }
    return NULL;
}

static enum status
read_slice(struct fixture *fixture, struct slice text)
{
    *fixture = (struct fixture){ .source = { .name = slice_of("a.yaml"),
                                             .text = text } };
    return config_yaml_parse(&fixture->source, environment, NULL,
                             &fixture->arena, &fixture->report, &fixture->root);
}

static void
read_text(struct fixture *fixture, const char *text)
{
    assert_int_equal(read_slice(fixture, slice_of(text)), STATUS_OK);
}

static void
fini(struct fixture *fixture)
{
    arena_fini(&fixture->arena);
    config_report_fini(&fixture->report);
    buf_fini(&fixture->text);
}

/* Returns the first line of the report. */
static const char *
first_line(struct fixture *fixture)
{
    config_report_text(&fixture->report, false, &fixture->text);
    assert_non_null(fixture->text.ptr);
    char *end = strchr(fixture->text.ptr, '\n');
    if (end != NULL) {
        *end = '\0';
    }
    return fixture->text.ptr;
}

static void
nodes_remember_where_they_stand(void **state)
{
    (void)state;
    struct fixture fixture;
    read_text(&fixture, "# first\nshop:\n  every: \"30s\"\n"
                        "  list: [a, {b: 1}]\n  none:\n");
    assert_int_equal(fixture.report.errors, 0);
    const struct config_node *shop = config_node_child(fixture.root, "shop");
    assert_int_equal(shop->kind, CONFIG_MAPPING);
    assert_int_equal(shop->key_mark.line, 2);
    assert_int_equal(shop->key_mark.column, 1);
    assert_int_equal(shop->key_mark.width, 4);
    const struct config_node *every = config_node_child(shop, "every");
    assert_string_equal(every->text.ptr, "30s");
    assert_true(every->quoted);
    assert_int_equal(every->mark.line, 3);
    assert_int_equal(every->mark.column, 10);
    assert_int_equal(every->mark.width, 5);
    assert_ptr_equal(every->mark.source, &fixture.source);
    const struct config_node *list = config_node_child(shop, "list");
    assert_int_equal(list->kind, CONFIG_SEQUENCE);
    assert_string_equal(list->children->text.ptr, "a");
    assert_false(list->children->quoted);
    assert_string_equal(config_node_child(list->children->next, "b")->text.ptr,
                        "1");
    assert_null(list->children->next->next);
    assert_true(config_node_child(shop, "none")->is_null);
    assert_null(config_node_child(shop, "nothing"));
    assert_null(config_node_child(NULL, "nothing"));
    fini(&fixture);
}

static void
an_empty_file_is_an_empty_mapping(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",     "\n", "# only\n",     "---\n",     "~",
        "null", "{}", "\xef\xbb\xbf", "---\n...\n"
    };
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct fixture fixture;
        read_text(&fixture, texts[i]);
        assert_int_equal(fixture.report.errors, 0);
        assert_int_equal(fixture.root->kind, CONFIG_MAPPING);
        assert_int_equal(fixture.root->mark.line, 1);
        assert_null(fixture.root->children);
        fini(&fixture);
    }
}

static void
scalars_are_read_and_expanded(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *value;
        bool quoted;
        bool is_null;
    } cases[] = {
        { "a: b", "b", false, false },
        { "a: \"b\"", "b", true, false },
        { "a: 'b'", "b", true, false },
        { "a: |\n  b\n  c\n", "b\nc\n", true, false },
        { "a:", "", false, true },
        { "a: ~", "~", false, true },
        { "a: null", "null", false, true },
        { "a: ''", "", true, false },
        { "a: 'null'", "null", true, false },
        { "a: Null", "Null", false, false },
        { "a: NO", "NO", false, false },
        { "a: 0644", "0644", false, false },
        { "a: ${PORT}", "8080", false, false },
        { "a: \"${PORT}\"", "8080", false, false },
        { "a: 127.0.0.1:${PORT}", "127.0.0.1:8080", false, false },
        { "a: ${PORT}${PORT}", "80808080", false, false },
        { "a: ${NONE:-x y}", "x y", false, false },
        { "a: ${EMPTY:-x}", "x", false, false },
        { "a: ${PORT:-x}", "8080", false, false },
        { "a: ${NONE:-}", "", false, false },
        { "a: ${EMPTY}", "", false, false },
        { "a: ${PORT:?say it}", "8080", false, false },
        { "a: ${NULLISH}", "null", false, false },
        { "a: ${NOTE}", "a # b: ${PORT}", false, false },
        { "a: '$$'", "$", true, false },
        { "a: $${PORT}", "${PORT}", false, false },
        { "a: $$$$", "$$", false, false },
        { "a: $.orders[*]", "$.orders[*]", false, false },
        { "a: x$", "x$", false, false },
        { "a: $PORT", "$PORT", false, false },
        { "\xef\xbb\xbf"
          "a: b",
          "b", false, false },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fixture fixture;
        read_text(&fixture, cases[i].text);
        const struct config_node *node = config_node_child(fixture.root, "a");
        if (node == NULL || fixture.report.errors != 0 ||
            strcmp(node->text.ptr, cases[i].value) != 0 ||
            node->quoted != cases[i].quoted ||
            node->is_null != cases[i].is_null) {
            fail_msg("%s", cases[i].text);
        }
        assert_int_equal(node->key_mark.column, 1);
        fini(&fixture);
    }
}

static void
nothing_is_expanded_without_an_environment_or_in_keys(void **state)
{
    (void)state;
    struct fixture fixture = { .source = { .name = slice_of("a.yaml"),
                                           .text = slice_of("a: $${PORT}") } };
    assert_int_equal(config_yaml_parse(&fixture.source, NULL, NULL,
                                       &fixture.arena, &fixture.report,
                                       &fixture.root),
                     STATUS_OK);
    assert_string_equal(fixture.root->children->text.ptr, "$${PORT}");
    fini(&fixture);
    read_text(&fixture, "\"${PORT}\": a");
    assert_string_equal(fixture.root->children->key.ptr, "${PORT}");
    fini(&fixture);
}

static void
mistakes_are_reported_at_their_place(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *line;
    } cases[] = {
        { "a: 1\nb: 2\na: 3\n", "a.yaml:3:1: error: key 'a' is given twice" },
        { "s: {x: 1, x: 2}", "a.yaml:1:11: error: key 'x' is given twice" },
        { "a: &x 1", "a.yaml:1:4: error: anchors ('&x') are not supported; "
                     "write the value where it is needed" },
        { "a: *x", "a.yaml:1:4: error: aliases ('*x') are not supported; quote "
                   "the value if it is text" },
        { "a: !!int 1", "a.yaml:1:4: error: tags ('tag:yaml.org,2002:int') are "
                        "not supported; leave it out" },
        { "a: ! x",
          "a.yaml:1:4: error: tags ('!') are not supported; leave it out" },
        { "a: &x {}", "a.yaml:1:4: error: anchors ('&x') are not supported; "
                      "write the value where it is needed" },
        { "a: !t []", "a.yaml:1:4: error: tags ('!t') are not supported; leave "
                      "it out" },
        { "&k a: 1", "a.yaml:1:1: error: anchors ('&k') are not supported; "
                     "write the value where it is needed" },
        { "a:\n  <<: {b: 1}",
          "a.yaml:2:3: error: merge keys ('<<') are not supported" },
        { "On: 1", "a.yaml:1:1: error: the key 'On' is a truth value to other "
                   "readers of YAML: put it in quotes" },
        { "a: 1\n---\nb: 2\n", "a.yaml:2:1: error: a second document begins "
                               "here; a file holds one" },
        { "[a]: 1", "a.yaml:1:1: error: a key must be text; quote what begins "
                    "with {, [ or *" },
        { "{a: {b: 1}: 2}",
          "a.yaml:1:11: error: not valid YAML: a ',' or '}' is missing (inside "
          "{} quote values like \"${NAME}\")" },
        { "? {a: 1}\n: 2", "a.yaml:1:3: error: a key must be text; quote what "
                           "begins with {, [ or *" },
        { "*x : 1", "a.yaml:1:1: error: a key must be text; quote what begins "
                    "with {, [ or *" },
        { "{: 1}", "a.yaml:1:2: error: not valid YAML: a value or a key is "
                   "missing here" },
        { "\"\": 1", "a.yaml:1:1: error: a key is missing before the ':'" },
        { "a: \"x\\0y\"",
          "a.yaml:1:4: error: a value may not hold a NUL byte" },
        { "\"x\\0y\": 1", "a.yaml:1:1: error: a key may not hold a NUL byte" },
        { "a: 1\n b: 2\n",
          "a.yaml:2:3: error: not valid YAML: a ':' is not allowed here: quote "
          "the text, or look at the indentation" },
        { "a:\n\tb: 1\n",
          "a.yaml:2:1: error: not valid YAML: a value cannot begin with this "
          "character: quote it, and indent with spaces, not tabs" },
        { "a: @x", "a.yaml:1:4: error: not valid YAML: a value cannot begin "
                   "with this character: quote it, and indent with spaces, not "
                   "tabs" },
        { "a: 1\nb: {c: 1\nd: 2\n",
          "a.yaml:2:4: error: not valid YAML: a ',' or '}' is missing (inside "
          "{} quote values like \"${NAME}\")" },
        { "a: {b: ${PORT}}",
          "a.yaml:1:9: error: not valid YAML: a ',' or '}' is missing (inside "
          "{} quote values like \"${NAME}\")" },
        { "a: [b\nc: 1\n",
          "a.yaml:1:4: error: not valid YAML: a ',' or ']' is missing (inside "
          "[] quote values like \"${NAME}\")" },
        { "a: \"b\nc: 1\n",
          "a.yaml:1:4: error: not valid YAML: the closing quote is missing" },
        { "a: 1\nword\nb: 2\n",
          "a.yaml:3:1: error: not valid YAML: a ':' is missing after the key" },
        { "a:\n  b: 1\n c: 2\n",
          "a.yaml:3:2: error: not valid YAML: this does not fit the "
          "indentation above it" },
        { "a: - b",
          "a.yaml:1:4: error: not valid YAML: a '- ' is not allowed here: a "
          "list begins on a line of its own" },
        { "a: b\nc: \xff\n",
          "a.yaml:2:4: error: not valid YAML: invalid leading UTF-8 octet" },
        { "\xef\xbb\xbf"
          "c: \xff\n",
          "a.yaml:1:4: error: not valid YAML: invalid leading UTF-8 octet" },
        { "caf\xc3\xa9: *x", "a.yaml:1:7: error: aliases ('*x') are not "
                             "supported; quote the value if it is text" },
        { "a: b\nc: \x01\n",
          "a.yaml:2:4: error: not valid YAML: control characters are not "
          "allowed" },
        { "a: ${NONE}",
          "a.yaml:1:4: error: environment variable 'NONE' is not set; a "
          "default is written ${NONE:-default}" },
        { "a:\n  - x\n  - \"${NONE}\"",
          "a.yaml:3:5: error: environment variable 'NONE' is not set; a "
          "default is written ${NONE:-default}" },
        { "a: ${NONE:?say who}",
          "a.yaml:1:4: error: environment variable 'NONE': say who" },
        { "a: ${EMPTY:?}", "a.yaml:1:4: error: environment variable 'EMPTY': "
                           "it is not set or empty" },
        { "a: ${TWO}",
          "a.yaml:1:4: error: environment variable 'TWO' holds a line break" },
        { "a: ${BAD}",
          "a.yaml:1:4: error: environment variable 'BAD' is not UTF-8" },
        { "a: ${PORT",
          "a.yaml:1:4: error: '${' needs a name and a '}', as in ${NAME} or "
          "${NAME:-default}; write $${ for the characters" },
        { "a: ${}",
          "a.yaml:1:4: error: '${' needs a name and a '}', as in ${NAME} or "
          "${NAME:-default}; write $${ for the characters" },
        { "a: ${1X}",
          "a.yaml:1:4: error: '${' needs a name and a '}', as in ${NAME} or "
          "${NAME:-default}; write $${ for the characters" },
        { "a: ${PORT-x}",
          "a.yaml:1:4: error: '${' needs a name and a '}', as in ${NAME} or "
          "${NAME:-default}; write $${ for the characters" },
    };
    size_t wrong = 0;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fixture fixture;
        read_text(&fixture, cases[i].text);
        if (strcmp(first_line(&fixture), cases[i].line) != 0) {
            print_error("%s\nwanted %s\ngot    %s\n", cases[i].text,
                        cases[i].line, fixture.text.ptr);
            wrong++;
        }
        assert_int_equal(config_report_status(&fixture.report), STATUS_CONFIG);
        fini(&fixture);
    }
    assert_int_equal(wrong, 0);
}

static void
all_mistakes_of_a_file_are_reported(void **state)
{
    (void)state;
    struct fixture fixture;
    read_text(&fixture, "a: ${NONE} ${NADA}\nb: &x 1\nc: *x\nb: {d: !t 1}\n");
    assert_int_equal(fixture.report.errors, 6);
    /* What is wrong is dropped, the rest can still be bound. */
    assert_string_equal(config_node_child(fixture.root, "a")->text.ptr, "");
    assert_string_equal(config_node_child(fixture.root, "b")->text.ptr, "1");
    assert_null(fixture.root->children->next->next->next);
    fini(&fixture);
}

static void
a_repeated_key_names_both_places(void **state)
{
    (void)state;
    struct fixture fixture;
    read_text(&fixture, "a: 1\nb: 2\na: 3\n");
    config_report_text(&fixture.report, false, &fixture.text);
    assert_string_equal(fixture.text.ptr,
                        "a.yaml:3:1: error: key 'a' is given twice\n"
                        "    3 | a: 3\n"
                        "      | ^\n"
                        "a.yaml:1:1: note: 'a' was first given here\n"
                        "    1 | a: 1\n"
                        "      | ^\n"
                        "1 error, 0 warnings\n");
    fini(&fixture);
}

/* libyaml alone takes half a minute for these (its stack of simple keys is
 * walked for every token), and 0.2.5 has no limit of its own. */
static void
depth_and_size_are_limited(void **state)
{
    (void)state;
    static char text[256 * 1024 + 2];
    static const char *const parts[] = { "[", "{a: ", "- ", "? ", "[{a: " };
    for (size_t i = 0; i < COUNT(parts); i++) {
        struct fixture fixture;
        size_t len = strlen(parts[i]);
        for (size_t at = 0; at < sizeof(text) - 2; at++) {
            text[at] = parts[i][at % len];
        }
        assert_int_equal(
            read_slice(&fixture, (struct slice){ text, sizeof(text) - 2 }),
            STATUS_OK);
        assert_int_equal(fixture.report.errors, 1);
        assert_null(fixture.root);
        fini(&fixture);
    }
    for (unsigned depth = 31; depth <= 33; depth++) {
        struct fixture fixture;
        memcpy(text, "a: ", 3);
        memset(text + 3, '[', depth);
        memset(text + 3 + depth, ']', depth);
        text[3 + depth + depth] = '\0';
        read_text(&fixture, text);
        assert_int_equal(fixture.report.errors, depth > 31);
        if (depth > 31) {
            assert_string_equal(first_line(&fixture),
                                "a.yaml:1:35: error: nested deeper than 32 "
                                "levels");
        }
        fini(&fixture);
    }
    memset(text, '#', sizeof(text));
    struct fixture fixture;
    assert_int_equal(
        read_slice(&fixture, (struct slice){ text, sizeof(text) - 1 }),
        STATUS_OK);
    assert_string_equal(first_line(&fixture), "a.yaml:1:1: error: the file is "
                                              "larger than 256 KiB");
    fini(&fixture);
    assert_int_equal(
        read_slice(&fixture, (struct slice){ text, sizeof(text) - 2 }),
        STATUS_OK);
    assert_int_equal(fixture.report.errors, 0);
    fini(&fixture);
}

static void
many_keys_do_not_cost_their_square(void **state)
{
    (void)state;
    struct buf text = { 0 };
    for (int i = 0; i < 30000; i++) {
        buf_format(&text, "%d:\n", i);
    }
    buf_text(&text, "777: again\n");
    struct fixture fixture;
    assert_int_equal(read_slice(&fixture, buf_slice(&text)), STATUS_OK);
    assert_int_equal(fixture.report.errors, 1);
    assert_string_equal(first_line(&fixture),
                        "a.yaml:30001:1: error: key '777' is given twice");
    fini(&fixture);
    buf_fini(&text);
}

static void
render(const struct config_node *node, struct buf *into)
{
    const struct config_node *stack[16] = { node };
    size_t depth = 1;
    while (depth > 0) {
        const struct config_node *at = stack[depth - 1];
        if (at == NULL) {
            depth--;
            buf_byte(into, ')');
            continue;
        }
        stack[depth - 1] = at->next;
        buf_append(into, at->key);
        if (at->kind == CONFIG_SCALAR) {
            buf_format(into, "=%.*s ", SLICE_ARG(at->text));
            continue;
        }
        buf_byte(into, at->kind == CONFIG_MAPPING ? '(' : '[');
        assert_true(depth < COUNT(stack));
        stack[depth++] = at->children;
    }
}

static void
one_tree_is_laid_over_another(void **state)
{
    (void)state;
    static const struct {
        const char *under;
        const char *over;
        const char *merged;
    } cases[] = {
        { "{a: 1, b: 2}", "{b: 3, c: 4}", "(a=1 b=3 c=4 ))" },
        { "{a: {b: {c: 1, d: 2}}}", "{a: {b: {d: 3}, e: 4}}",
          "(a(b(c=1 d=3 )e=4 )))" },
        { "{a: {b: 1}}", "{a: 2}", "(a=2 ))" },
        { "{a: 2}", "{a: {b: 1}}", "(a(b=1 )))" },
        { "{a: [1, 2]}", "{a: [3]}", "(a[=3 )))" },
        { "{}", "{a: 1}", "(a=1 ))" },
        { "{a: 1}", "{}", "(a=1 ))" },
        { "{a: {b: 1, c: 2}}", "{a: {b: null}}", "(a(c=2 )))" },
        { "{a: {b: 1}, c: 2}", "{a: ~}", "(c=2 ))" },
        { "{a: {b: 1}}", "{a: }", "(a= ))" },
        { "{a: 1}", "{b: null}", "(a=1 b=null ))" },
        { "{a: 1}", "{a: 'null'}", "(a=null ))" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fixture under;
        struct fixture over;
        struct config_node *merged;
        struct buf text = { 0 };
        struct buf before = { 0 };
        read_text(&under, cases[i].under);
        read_text(&over, cases[i].over);
        render(under.root, &before);
        assert_int_equal(
            config_node_merge(under.root, over.root, &over.arena, &merged),
            STATUS_OK);
        render(merged, &text);
        assert_string_equal(text.ptr, cases[i].merged);
        buf_clear(&text);
        render(under.root, &text);
        assert_string_equal(text.ptr, before.ptr);
        buf_fini(&text);
        buf_fini(&before);
        fini(&under);
        fini(&over);
    }
    struct fixture only;
    struct config_node *merged;
    read_text(&only, "a: 1");
    assert_int_equal(config_node_merge(NULL, NULL, &only.arena, &merged),
                     STATUS_OK);
    assert_null(merged);
    assert_int_equal(config_node_merge(only.root, NULL, &only.arena, &merged),
                     STATUS_OK);
    assert_non_null(config_node_child(merged, "a"));
    assert_int_equal(config_node_merge(NULL, only.root, &only.arena, &merged),
                     STATUS_OK);
    assert_non_null(config_node_child(merged, "a"));
    fini(&only);
}

static void
running_out_of_memory_is_an_error_anywhere(void **state)
{
    (void)state;
    static const char text[] = "a: {b: '${PORT}', c: [1, 2, {d: ~}]}\n"
                               "e: ${NONE}\nf: |\n  text\na: 1\ng: *x\n";
    for (long n = 0;; n++) {
        struct fixture fixture;
        struct config_node *merged = NULL;
        (void)mem_fail_after(n, 0);
        enum status status = read_slice(&fixture, slice_of(text));
        if (status == STATUS_OK) {
            status = config_node_merge(fixture.root, fixture.root,
                                       &fixture.arena, &merged);
        }
        (void)mem_fail_after(-1, 0);
        bool lost = fixture.report.failed_memory;
        assert_true(status == STATUS_OK || status == STATUS_NOMEM);
        if (status == STATUS_OK && !lost) {
            assert_int_equal(fixture.report.errors, 3);
            assert_true(n > 2);
            fini(&fixture);
            return;
        }
        fini(&fixture);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_remember_where_they_stand),
        cmocka_unit_test(an_empty_file_is_an_empty_mapping),
        cmocka_unit_test(scalars_are_read_and_expanded),
        cmocka_unit_test(nothing_is_expanded_without_an_environment_or_in_keys),
        cmocka_unit_test(mistakes_are_reported_at_their_place),
        cmocka_unit_test(all_mistakes_of_a_file_are_reported),
        cmocka_unit_test(a_repeated_key_names_both_places),
        cmocka_unit_test(depth_and_size_are_limited),
        cmocka_unit_test(many_keys_do_not_cost_their_square),
        cmocka_unit_test(one_tree_is_laid_over_another),
        cmocka_unit_test(running_out_of_memory_is_an_error_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
