/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/bytes.h"
#include "store/store_migrate.h"

/* A store that notes what it is asked and fails where it is told. */
struct script {
    struct buf said;
    const char *fail_on;
};

static enum status
script_exec(void *arg, const char *sql, struct error *err)
{
    struct script *script = arg;
    buf_text(&script->said, sql);
    buf_byte(&script->said, ';');
    if (script->fail_on != NULL && strcmp(script->fail_on, sql) == 0) {
        return error_set(err, STATUS_FULL, "no room");
    }
    return STATUS_OK;
}

static enum status
script_version(void *arg, int version, struct error *err)
{
    (void)err;
    struct script *script = arg;
    buf_format(&script->said, "v%d;", version);
    return STATUS_OK;
}

static const struct store_migration three[] = { { 1, "one" },
                                                { 2, "two" },
                                                { 3, "three" } };

static void
what_is_missing_is_applied_in_one_transaction(void **state)
{
    (void)state;
    static const struct {
        int have;
        const char *fail_on;
        enum status status;
        const char *said;
    } rows[] = {
        { 0, NULL, STATUS_OK, "BEGIN IMMEDIATE;one;two;three;v3;COMMIT;" },
        { 2, NULL, STATUS_OK, "BEGIN IMMEDIATE;three;v3;COMMIT;" },
        { 3, NULL, STATUS_OK, "" },
        { 4, NULL, STATUS_CONFIG, "" },
        { 0, "BEGIN IMMEDIATE", STATUS_FULL, "BEGIN IMMEDIATE;" },
        { 0, "two", STATUS_FULL, "BEGIN IMMEDIATE;one;two;ROLLBACK;" },
        { 2, "COMMIT", STATUS_FULL,
          "BEGIN IMMEDIATE;three;v3;COMMIT;ROLLBACK;" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct script script = { .fail_on = rows[i].fail_on };
        const struct store_migrate_target target = {
            .arg = &script, .exec = script_exec, .set_version = script_version
        };
        struct error err = { 0 };
        assert_int_equal(
            store_migrate_run(&target, rows[i].have, three, 3, &err),
            rows[i].status);
        assert_int_equal(err.text[0] != '\0', rows[i].status != STATUS_OK);
        assert_true(slice_equal_text(buf_slice(&script.said), rows[i].said));
        buf_fini(&script.said);
    }
}

static void
a_failed_migration_is_named(void **state)
{
    (void)state;
    struct script script = { .fail_on = "two" };
    const struct store_migrate_target target = {
        .arg = &script, .exec = script_exec, .set_version = script_version
    };
    struct error err = { 0 };
    assert_int_equal(store_migrate_run(&target, 0, three, 3, &err),
                     STATUS_FULL);
    assert_string_equal(err.text, "migration 2: no room");
    buf_fini(&script.said);
}

static void
within_a_transaction_of_the_callers_none_is_begun(void **state)
{
    (void)state;
    struct script script = { 0 };
    const struct store_migrate_target target = {
        .arg = &script,
        .exec = script_exec,
        .set_version = script_version,
        .is_open = true,
    };
    struct error err = { 0 };
    assert_int_equal(store_migrate_run(&target, 1, three, 3, &err), STATUS_OK);
    assert_true(slice_equal_text(buf_slice(&script.said), "two;three;v3;"));
    buf_fini(&script.said);
}

static void
the_embedded_ones_are_numbered_without_a_hole(void **state)
{
    (void)state;
    const struct {
        const struct store_migration *at;
        size_t count;
    } kinds[] = {
        { store_migrate_sqlite, store_migrate_sqlite_count },
        { store_migrate_postgresql, store_migrate_postgresql_count },
    };
    for (size_t kind = 0; kind < 2; kind++) {
        assert_true(kinds[kind].count > 0);
        for (size_t i = 0; i < kinds[kind].count; i++) {
            assert_int_equal(kinds[kind].at[i].version, i + 1);
            assert_non_null(strstr(kinds[kind].at[i].sql, "SPDX"));
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_missing_is_applied_in_one_transaction),
        cmocka_unit_test(a_failed_migration_is_named),
        cmocka_unit_test(within_a_transaction_of_the_callers_none_is_begun),
        cmocka_unit_test(the_embedded_ones_are_numbered_without_a_hole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
