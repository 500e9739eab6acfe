/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/redact.h"
#include "base/mem.h"
#include "wire/digest.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char text[] =
    "store: sqlite:x.db # hush-comment\n"
    "listen: {address: '127.0.0.1:8080'}\n"
    "admin: {address: 'unix:a.sock', token: hush-admin}\n"
    "connectors:\n"
    "  shop:\n"
    "    use: petstore\n"
    "    with: {webhook_secret: [hush-one, hush-two], api_key: 'hush key',\n"
    "           base: 'http://127.0.0.1:9'}\n"
    "    poll: {every: 1m, sweeps: [{every: 1h, overlap: 1d}]}\n"
    "handlers:\n"
    "  run: {exec: [cat, hush-argument], env: {A: hush-variable},\n"
    "        concurrency: 3}\n"
    "  to: {http: {url: 'https://h.example/hush-path', headers: {X: hush-head},"
    "\n              secret: hush-signature}}\n";

static const char expected[] = "\"store\": \"sqlite:x.db\"\n"
                               "\"listen\": \n"
                               "  \"address\": \"127.0.0.1:8080\"\n"
                               "\"admin\": \n"
                               "  \"address\": \"unix:a.sock\"\n"
                               "  \"token\": \"***\"\n"
                               "\"connectors\": \n"
                               "  \"shop\": \n"
                               "    \"use\": \"petstore\"\n"
                               "    \"with\": \n"
                               "      \"webhook_secret\": \n"
                               "        - \"***\"\n"
                               "        - \"***\"\n"
                               "      \"api_key\": \"***\"\n"
                               "      \"base\": \"http://127.0.0.1:9\"\n"
                               "    \"poll\": \n"
                               "      \"every\": \"1m\"\n"
                               "      \"sweeps\": \n"
                               "        - \n"
                               "          \"every\": \"1h\"\n"
                               "          \"overlap\": \"1d\"\n"
                               "\"handlers\": \n"
                               "  \"run\": \n"
                               "    \"exec\": \n"
                               "      - \"***\"\n"
                               "      - \"***\"\n"
                               "    \"env\": \n"
                               "      \"A\": \"***\"\n"
                               "    \"concurrency\": \"3\"\n"
                               "  \"to\": \n"
                               "    \"http\": \n"
                               "      \"url\": \"***\"\n"
                               "      \"headers\": \n"
                               "        \"X\": \"***\"\n"
                               "      \"secret\": \"***\"\n";

static char folder[] = "/tmp/longstop-redact-XXXXXX";
static struct configuration configuration;

static int
enter(void **state)
{
    (void)state;
    if (digest_init(NULL) != STATUS_OK || mkdtemp(folder) == NULL ||
        chdir(folder) != 0 ||
        setenv("LONGSTOP_CONNECTORS", TEST_CONNECTORS_DIR, 1) != 0) {
        return 1;
    }
    FILE *file = fopen("a.yaml", "w");
    if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0) {
        return 1;
    }
    struct error err = { 0 };
    return configuration_load("a.yaml", &configuration, &err) != STATUS_OK;
}

static int
leave(void **state)
{
    (void)state;
    configuration_fini(&configuration);
    return unlink("a.yaml") != 0 || chdir("/") != 0 || rmdir(folder) != 0;
}

static void
of_a_configuration_only_what_is_harmless_is_shown(void **state)
{
    struct buf shown = { 0 };
    (void)state;
    redact_configuration(&configuration, &shown);
    assert_string_equal(shown.ptr, expected);
    buf_fini(&shown);
}

static void
every_secret_is_taken_out_of_a_text(void **state)
{
    static const struct {
        const char *given, *shown;
    } rows[] = {
        { "", NULL },
        { "nothing", "nothing" },
        { "hush-admin hush-one,hush-two", "*** ***,***" },
        { "a=hush-variable&b=hush-signature", "a=***&b=***" },
        { "x hush key y hush%20key z", "x *** y *** z" },
        { "hush-on", "hush-on" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf shown = { 0 };
        assert_int_equal(
            redact_text(&configuration, slice_of(rows[i].given), &shown),
            STATUS_OK);
        assert_true(slice_equal_text(
            buf_slice(&shown), rows[i].shown == NULL ? "" : rows[i].shown));
        buf_fini(&shown);
    }
}

/* What was not searched is not shown. */
static void
without_memory_nothing_is_shown(void **state)
{
    enum status status = STATUS_NOMEM;
    (void)state;
    for (long n = 0; status != STATUS_OK; n++) {
        struct buf shown = { 0 };
        assert_true(n < 1000);
        (void)mem_fail_after(n, 1);
        status = redact_text(&configuration, slice_of("hush-admin"), &shown);
        (void)mem_fail_after(-1, 0);
        assert_true(status == STATUS_OK || status == STATUS_NOMEM);
        assert_null(shown.ptr == NULL ? NULL : strstr(shown.ptr, "hush"));
        buf_fini(&shown);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_a_configuration_only_what_is_harmless_is_shown),
        cmocka_unit_test(every_secret_is_taken_out_of_a_text),
        cmocka_unit_test(without_memory_nothing_is_shown),
    };
    return cmocka_run_group_tests(tests, enter, leave);
}
