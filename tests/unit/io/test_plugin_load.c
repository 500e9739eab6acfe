/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/plugin_load.h"

static char folder[64];
static const struct longstop_plugin *plugin;
static struct error err;

static void
path_of(const char *kind, char into[128])
{
    (void)snprintf(into, 128, "%s/%s.so", folder, kind);
}

static int
set_up(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof(folder), "/tmp/longstop-plugins-XXXXXX");
    assert_non_null(mkdtemp(folder));
    assert_int_equal(setenv("LONGSTOP_PLUGINS", folder, 1), 0);
    plugin = NULL;
    err = (struct error){ "" };
    return 0;
}

static int
tear_down(void **state)
{
    static const char *const kinds[] = { "nats", "redis", "nats-store" };
    char path[128];
    (void)state;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        path_of(kinds[i], path);
        (void)unlink(path);
    }
    assert_int_equal(rmdir(folder), 0);
    return 0;
}

static void
put(const char *kind, const char *target)
{
    char path[128];
    path_of(kind, path);
    assert_int_equal(symlink(target, path), 0);
}

static void
a_plugin_is_found_loaded_and_found_again(void **state)
{
    (void)state;
    const struct longstop_plugin *again = NULL;
    put("nats", SAMPLES "/plugin_abi_1.so");
    assert_int_equal(plugin_load("nats", &plugin, &err), STATUS_OK);
    assert_string_equal(plugin->describe(), "sample");
    assert_int_equal(plugin_load("nats", &again, &err), STATUS_OK);
    assert_ptr_equal(plugin, again);
}

static void
a_databases_plugin_is_another_object(void **state)
{
    (void)state;
    const struct longstop_database *database = NULL;
    put("nats", SAMPLES "/plugin_abi_1.so");
    assert_int_equal(plugin_load_database("nats", &database, &err),
                     STATUS_NOT_FOUND);
    assert_non_null(strstr(err.text, "nats-store.so is not there"));
    put("nats-store", SAMPLES "/plugin_abi_1.so");
    assert_int_equal(plugin_load_database("nats", &database, &err), STATUS_OK);
    assert_string_equal(database->describe(), "sample");
}

static void
one_of_another_abi_is_refused_for_a_database_too(void **state)
{
    (void)state;
    const struct longstop_database *database = NULL;
    put("nats-store", SAMPLES "/plugin_abi_99.so");
    assert_int_equal(plugin_load_database("nats", &database, &err),
                     STATUS_INVALID);
    assert_non_null(strstr(err.text, "ABI 99"));
    assert_null(database);
}

static void
one_that_is_not_there_says_what_it_is_built_with(void **state)
{
    (void)state;
    assert_int_equal(plugin_load("no-such", &plugin, &err), STATUS_NOT_FOUND);
    assert_non_null(strstr(err.text, "no-such.so is not there"));
    assert_non_null(strstr(err.text, "$LONGSTOP_PLUGINS"));
}

static void
what_cannot_be_loaded_says_what_the_linker_says(void **state)
{
    (void)state;
    char path[128];
    path_of("redis", path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    (void)fputs("no object", file);
    (void)fclose(file);
    assert_int_equal(plugin_load("redis", &plugin, &err), STATUS_UNAVAILABLE);
    assert_non_null(strstr(err.text, path));
    assert_non_null(strstr(err.text, "libhiredis-dev"));
}

static void
one_of_another_abi_is_refused(void **state)
{
    (void)state;
    put("nats", SAMPLES "/plugin_abi_99.so");
    assert_int_equal(plugin_load("nats", &plugin, &err), STATUS_INVALID);
    assert_non_null(strstr(err.text, "ABI 99"));
    assert_null(plugin);
}

static void
one_of_another_kind_is_refused(void **state)
{
    (void)state;
    put("redis", SAMPLES "/plugin_abi_1.so");
    assert_int_equal(plugin_load("redis", &plugin, &err), STATUS_INVALID);
    assert_non_null(strstr(err.text, "plugin of 'nats'"));
}

static void
a_library_that_is_no_plugin_is_refused(void **state)
{
    (void)state;
    put("redis", ZLIB);
    assert_int_equal(plugin_load("redis", &plugin, &err), STATUS_INVALID);
    assert_non_null(strstr(err.text, "is no plugin of longstop"));
}

static void
memory_that_runs_out_is_told(void **state)
{
    (void)state;
    put("nats", SAMPLES "/plugin_abi_1.so");
    (void)mem_fail_after(0, 1);
    enum status status = plugin_load("nats", &plugin, &err);
    (void)mem_fail_after(-1, 0);
    assert_int_equal(status, STATUS_NOMEM);
}

#define LOAD_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        LOAD_TEST(a_plugin_is_found_loaded_and_found_again),
        LOAD_TEST(a_databases_plugin_is_another_object),
        LOAD_TEST(one_of_another_abi_is_refused_for_a_database_too),
        LOAD_TEST(one_that_is_not_there_says_what_it_is_built_with),
        LOAD_TEST(what_cannot_be_loaded_says_what_the_linker_says),
        LOAD_TEST(one_of_another_abi_is_refused),
        LOAD_TEST(one_of_another_kind_is_refused),
        LOAD_TEST(a_library_that_is_no_plugin_is_refused),
        LOAD_TEST(memory_that_runs_out_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
