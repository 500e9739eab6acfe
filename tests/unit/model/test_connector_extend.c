/* SPDX-License-Identifier: MIT */
#include "harness/bound.h"

#include "model/connector_extend.h"
#include "wire/digest.h"

/* The files that there are, by name. */
struct shelf {
    struct bound bound;       /* its arena and report */
    const char *const *files; /* name, text, …, NULL */
    unsigned loads;
};

static bool
take(void *arg, struct slice name, struct config_mark mark,
     struct config_report *report, struct arena *arena,
     const struct config_node **ret_root)
{
    struct shelf *shelf = arg;
    struct config_node *root = NULL;
    (void)mark;
    (void)report;
    (void)arena;
    shelf->loads++;
    for (size_t i = 0; shelf->files[i] != NULL; i += 2) {
        if (slice_equal_text(name, shelf->files[i]) &&
            bound_tree(&shelf->bound, shelf->files[i],
                       slice_of(shelf->files[i + 1]), &root) == STATUS_OK) {
            *ret_root = root;
            return true;
        }
    }
    return false;
}

static enum status
extend(struct shelf *shelf, const char *const *files,
       const struct config_node **ret_file)
{
    struct config_node *file = NULL;
    *shelf = (struct shelf){ .files = files };
    const struct connector_env env = { .load_file = take, .arg = shelf };
    enum status status =
        bound_tree(&shelf->bound, files[0], slice_of(files[1]), &file);
    if (status == STATUS_OK) {
        status = connector_extend(file, &env, &shelf->bound.report,
                                  &shelf->bound.arena, ret_file);
    }
    return status;
}

/* A value deep in the tree, "a.b"; "-" where there is none. */
static const char *
at(struct shelf *shelf, const struct config_node *file, const char *path)
{
    struct slice rest = slice_of(path);
    while (file != NULL && rest.len > 0) {
        const size_t dot = slice_find(rest, '.');
        const struct slice name =
            slice_first(rest, dot == SIZE_MAX ? rest.len : dot);
        rest = slice_from(rest, dot == SIZE_MAX ? rest.len : dot + 1);
        file = config_node_child(file, arena_text(&shelf->bound.arena, name));
    }
    if (file == NULL) {
        return "-";
    }
    return file->kind == CONFIG_SCALAR
               ? arena_text(&shelf->bound.arena, file->text)
               : "+";
}

#define ROOT "{title: Root, poll: {items: a, cursor: {kind: time, from: at}}}"

static void
a_file_is_laid_over_what_it_extends(void **state)
{
    (void)state;
    static const struct {
        const char *files[9];
        const char *path;
        const char *value;
    } rows[] = {
        { { "me", "{title: Me}", NULL }, "title", "Me" },
        { { "me", "{extends: root}", "root", ROOT, NULL }, "title", "Root" },
        { { "me", "{extends: root, title: Me}", "root", ROOT, NULL },
          "title",
          "Me" },
        { { "me", "{extends: root, poll: {items: b}}", "root", ROOT, NULL },
          "poll.cursor.from",
          "at" },
        { { "me", "{extends: root, poll: {cursor: {from: b}}}", "root", ROOT,
            NULL },
          "poll.cursor.from",
          "b" },
        { { "me", "{extends: root, poll: {cursor: [b]}}", "root", ROOT, NULL },
          "poll.cursor.kind",
          "-" },
        { { "me", "{extends: root, poll: null}", "root", ROOT, NULL },
          "poll",
          "-" },
        { { "me", "{extends: root, poll: {cursor: ~}}", "root", ROOT, NULL },
          "poll.cursor",
          "-" },
        { { "me", "{extends: root, poll: {cursor: ~}}", "root", ROOT, NULL },
          "poll.items",
          "a" },
        /* Left empty: nothing is taken away, and the binding refuses it. */
        { { "me", "{extends: root, poll: }", "root", ROOT, NULL }, "poll", "" },
        { { "me", "{extends: mid}", "mid", "{extends: root, poll: {items: m}}",
            "root", ROOT, NULL },
          "poll.items",
          "m" },
        { { "me", "{extends: mid, title: ~}", "mid", "{extends: root}", "root",
            ROOT, NULL },
          "title",
          "-" },
        { { "me", "{extends: mid}", "mid", "{extends: root}", "root", ROOT,
            NULL },
          "extends",
          "-" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct shelf shelf;
        const struct config_node *file = NULL;
        const enum status status = extend(&shelf, rows[i].files, &file);
        if (status != STATUS_OK ||
            strcmp(at(&shelf, file, rows[i].path), rows[i].value) != 0) {
            fail_msg("%s: %s is '%s', not '%s'", rows[i].files[1], rows[i].path,
                     at(&shelf, file, rows[i].path), rows[i].value);
        }
        bound_fini(&shelf.bound);
    }
}

static void
what_cannot_be_extended_is_refused_at_its_place(void **state)
{
    (void)state;
    static const struct {
        const char *files[9];
        const char *says;
    } rows[] = {
        { { "me", "title: x\nextends: gone", NULL },
          "me:2:10: error: 'gone' cannot be extended" },
        { { "me", "extends: [a]", NULL },
          "me:1:1: error: 'extends' is the name of a connector" },
        { { "me", "extends:", NULL },
          "me:1:1: error: 'extends' is the name of a connector" },
        { { "me", "extends: me", NULL },
          "me:1:10: error: this file extends itself" },
        { { "me", "extends: b", "b", "title: b\nextends: me", NULL },
          "b:2:10: error: 'me' extends this file in turn" },
        { { "me", "extends: b", "b", "[]", NULL },
          "me:1:10: error: 'b' cannot be extended" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct shelf shelf;
        const struct config_node *file = NULL;
        const enum status status = extend(&shelf, rows[i].files, &file);
        config_report_text(&shelf.bound.report, false, &shelf.bound.words);
        if (status != STATUS_CONFIG || file != NULL ||
            strstr(shelf.bound.words.ptr, rows[i].says) == NULL) {
            fail_msg("%s: %s", rows[i].says, shelf.bound.words.ptr);
        }
        bound_fini(&shelf.bound);
    }
}

static void
a_chain_of_files_has_an_end(void **state)
{
    (void)state;
    struct shelf shelf;
    const struct config_node *file = NULL;
    static const char *const files[] = { "0", "extends: 1", "1", "extends: 2",
                                         "2", "extends: 3", "3", "extends: 4",
                                         "4", "extends: 5", "5", "extends: 6",
                                         "6", "extends: 7", "7", "extends: 8",
                                         "8", "title: x",   NULL };
    assert_int_equal(extend(&shelf, files, &file), STATUS_CONFIG);
    config_report_text(&shelf.bound.report, false, &shelf.bound.words);
    assert_non_null(strstr(shelf.bound.words.ptr, "7:1:10: error: too many"));
    assert_int_equal(shelf.loads, CONNECTOR_EXTEND_MAX);
    bound_fini(&shelf.bound);

    assert_int_equal(extend(&shelf, files + 2, &file), STATUS_OK);
    assert_string_equal(at(&shelf, file, "title"), "x");
    bound_fini(&shelf.bound);
}

/* A mistake is told where it stands, in whichever file that is. */
static void
a_mistake_keeps_its_place(void **state)
{
    (void)state;
    struct bound bound;
    bound_texts(&bound,
                "extends: petstore\npoll:\n  cursor: {from: at, knd: id}\n",
                "with: {webhook_secret: s}", "");
    assert_int_equal(bound.status, STATUS_CONFIG);
    assert_non_null(
        strstr(bound.words.ptr, "file.yaml:3:22: error: unknown key 'knd'"));
    bound_fini(&bound);
    bound_texts(&bound, "{extends: petstore, with: {webhook_secret: s}}",
                "with: {webhook_secret: s}", "");
    assert_non_null(strstr(bound.words.ptr, "'with' belongs into the "));
    bound_fini(&bound);
    bound_texts(&bound, "{}", "{extends: petstore, with: {webhook_secret: s}}",
                "");
    assert_non_null(strstr(bound.words.ptr,
                           "longstop.yaml:1:2: error: 'extends' belongs into "
                           "a connector's file"));
    bound_fini(&bound);
}

static void
a_file_that_extends_another_is_bound_and_lends_its_verification(void **state)
{
    (void)state;
    struct bound bound;
    bound_texts(&bound, "{extends: petstore, title: Mine}",
                "with: {webhook_secret: s, api_key: k, base: 'http://x'}", "");
    bound_must(&bound);
    assert_true(bound.connector.has_webhook && bound.connector.has_poll);
    assert_true(slice_equal_text(bound.connector.title, "Mine"));
    bound_fini(&bound);
    bound_texts(&bound, "{extends: petstore, poll: null, match: null}",
                "{with: {webhook_secret: s}, verify: {use: gitlab_token}}", "");
    bound_must(&bound);
    assert_true(bound.connector.has_webhook);
    assert_false(bound.connector.poll.declared);
    assert_int_equal(bound.connector.verify_count, 1);
    assert_int_equal(bound.connector.verify[0].type, VERIFY_TOKEN);
    bound_fini(&bound);
}

static void
a_file_that_extends_what_is_not_there_says_nothing_else(void **state)
{
    (void)state;
    struct bound bound;
    bound_texts(&bound, "extends: [x]", "with: {api_key: s}", "");
    assert_int_equal(bound.status, STATUS_CONFIG);
    assert_int_equal(bound.report.errors, 1);
    bound_fini(&bound);
}

static void
running_out_of_memory_is_told(void **state)
{
    (void)state;
    static const char *const files[] = { "me", "{extends: root, poll: {a: b}}",
                                         "root", ROOT, NULL };
    for (long n = 0;; n++) {
        struct shelf shelf;
        const struct config_node *file = NULL;
        (void)mem_fail_after(n, 0);
        const enum status status = extend(&shelf, files, &file);
        (void)mem_fail_after(-1, 0);
        const bool lost = shelf.bound.report.failed_memory;
        bound_fini(&shelf.bound);
        if (status == STATUS_OK && !lost) {
            assert_true(n > 2);
            return;
        }
        assert_true(status == STATUS_NOMEM || status == STATUS_CONFIG || lost);
        assert_true(n < 1000);
    }
}

static int
set_up(void **state)
{
    (void)state;
    return digest_init(NULL) == STATUS_OK ? 0 : -1;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_laid_over_what_it_extends),
        cmocka_unit_test(what_cannot_be_extended_is_refused_at_its_place),
        cmocka_unit_test(a_chain_of_files_has_an_end),
        cmocka_unit_test(a_mistake_keeps_its_place),
        cmocka_unit_test(
            a_file_that_extends_another_is_bound_and_lends_its_verification),
        cmocka_unit_test(
            a_file_that_extends_what_is_not_there_says_nothing_else),
        cmocka_unit_test(running_out_of_memory_is_told),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
