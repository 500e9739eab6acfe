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

#include "app/configuration.h"
#include "base/mem.h"
#include "wire/digest.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define LISTEN "listen: {address: 127.0.0.1:8080}\n"
#define SHOP   "connectors: {shop: {use: petstore, with: {webhook_secret: s}}}\n"
#define THIN                                                                   \
    "connectors: {shop: {use: petstore, with: {webhook_secret: s, base: "      \
    "'http://h'}, event: {mode: thin, fetch: {url: '{var:base}/{id}', auth: "  \
    "{type: none}}}}}\n"
#define POLLED   "{base: http://127.0.0.1:1, api_key: k}"
#define HANDLERS "handlers: {log: {file: events.jsonl}}\n"

static char folder[] = "/tmp/longstop-configuration-XXXXXX";

static void
write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0600), 0);
}

static int
enter(void **state)
{
    (void)state;
    static const char *const variables[] = { "STATE_DIRECTORY",
                                             "RUNTIME_DIRECTORY",
                                             "CREDENTIALS_DIRECTORY" };
    for (size_t i = 0; i < COUNT(variables); i++) {
        (void)unsetenv(variables[i]);
    }
    return digest_init(NULL) != STATUS_OK || mkdtemp(folder) == NULL ||
           chdir(folder) != 0 || mkdir("conf.d", 0700) != 0 ||
           mkdir("sub", 0700) != 0 ||
           setenv("LONGSTOP_CONNECTORS", TEST_CONNECTORS_DIR, 1) != 0;
}

static int
leave(void **state)
{
    (void)state;
    static const char *const files[] = { "a.yaml",        "conf.d/a.yaml",
                                         "conf.d/b.yaml", "sub/a.yaml",
                                         "empty",         "given",
                                         "sub/given" };
    for (size_t i = 0; i < COUNT(files); i++) {
        (void)unlink(files[i]);
    }
    (void)rmdir("conf.d");
    (void)rmdir("sub");
    return chdir("/") != 0 || rmdir(folder) != 0;
}

/* Loads `text` as a.yaml; appends what is said of it. */
static enum status
load(const char *text, struct configuration *ret, struct buf *ret_words)
{
    write_file("a.yaml", text);
    enum status status = configuration_load("a.yaml", ret, NULL);
    buf_clear(ret_words);
    config_report_text(&ret->report, false, ret_words);
    assert_int_equal(buf_status(ret_words), STATUS_OK);
    return status;
}

struct row {
    const char *text;
    const char *words; /* that must be said */
};

static void
check_rows(const struct row *rows, size_t count, enum status wanted)
{
    struct buf words = { 0 };
    for (size_t i = 0; i < count; i++) {
        struct configuration configuration;
        enum status status = load(rows[i].text, &configuration, &words);
        if (status != wanted || strstr(words.ptr, rows[i].words) == NULL) {
            fail_msg("%s%s", rows[i].text, words.ptr);
        }
        configuration_fini(&configuration);
    }
    buf_fini(&words);
}

static void
what_cannot_be_is_refused_at_its_place(void **state)
{
    (void)state;
    static const struct row rows[] = {
        { "", "a.yaml:1:1: error: key 'connectors' is missing" },
        { "connectors: {}\n", "no connector is configured" },
        { "store: plain.db\n" SHOP,
          "a.yaml:1:8: error: store: \"plain.db\" is no kind of store" },
        { "store: 'sqlite:'\n" SHOP, "a.yaml:1:8: error: store: the path" },
        { "listen: {address: nonsense}\n" SHOP, "a.yaml:1:19: error: cannot" },
        { "listen: {address: '127.0.0.1:99999'}\n" SHOP, "want host:port" },
        { "listen: {address: 'unix:'}\n" SHOP, "the path must have" },
        { "listen: {address: 'fd:'}\n" SHOP, "fd: needs a name" },
        { "listen: {address: 'a.example:80'}\n" SHOP, "the host must be" },
        { "listen: {address: '*:80', public_url: h.example}\n" SHOP,
          "a.yaml:1:39: error: public_url: the URL does not begin" },
        { "listen: {address: '*:80', public_url: 'http://h?q'}\n" SHOP,
          "a query cannot stand here" },
        { "admin: {address: '0.0.0.0:8687'}\n" SHOP,
          "1:18: error: beyond loopback the admin listener needs 'token' and "
          "'tls'" },
        { "admin: {address: '0.0.0.0:8687', token: t}\n" SHOP,
          "beyond loopback the admin listener needs" },
        { "listen: {address: '*:80', tls: {certificate: no.pem, key: "
          "k}}\n" SHOP,
          "1:32: error: listen.tls: cannot read no.pem" },
        { "listen: {address: '*:80', tls: {certificate: a.pem}}\n" SHOP,
          "'key'" },
        { "admin: {address: '127.0.0.1.example:80'}\n" SHOP,
          "a.yaml:1:18: error: cannot listen" },
        { "admin: {token_file: nowhere}\n" SHOP, "1:21: error: cannot read" },
        { SHOP "handlers: {h: {http: {url: 'http://h', secret_file: no}}}\n",
          "a.yaml:2:53: error: cannot read no: " },
        { SHOP "handlers: {a: {file: x}, b: {file: sub/.././x}}\n",
          "a.yaml:2:26: error: handlers 'a' and 'b' write the same file" },
        { SHOP "handlers: {a: {file: x, from: [shop, shp]}}\n",
          "a.yaml:2:38: error: handler 'a' takes from 'shp', which is no "
          "connector; did you mean 'shop'?" },
        { "connectors: {\"a b\": {use: petstore}}\n",
          "a.yaml:1:14: error: 'a b' cannot be a name" },
        { "connectors: {a: {use: petstore, public_url: h}}\n",
          "a.yaml:1:45: error: public_url: the URL" },
        { "connectors: {shop: {use: nobody}}\n",
          "a.yaml:1:26: error: connector 'nobody' is not known" },
        { "connectors: {shop: {use: petstor}}\n",
          "; did you mean 'petstore'?" },
        { "connectors: {shop: {use: ./no.yaml}}\n", "is not there" },
        { SHOP "handlers: {h: {file: x, batch: {max: 2}}}\n",
          "a.yaml:2:25: error: batch is for exec and http handlers" },
        { SHOP "handlers: {h: {exec: [cat], batch: {}, format: raw}}\n",
          "a batch is a JSON array of envelopes" },
        { SHOP "handlers: {h: {exec: [cat], batch: {}, retry: {attempts: 1}}}"
               "\n",
          "the last attempt at an event is made alone" },
        { SHOP "handlers: {h: {exec: [cat], on_dead: block}}\n",
          "a.yaml:2:38: error: on_dead: block needs order_by" },
        { SHOP "handlers:\n  h:\n",
          "a.yaml:3:3: error: handler 'h' needs exactly one of" },
        { "connectors: {shop: {use: petstore, with: {base: FILL_IN, "
          "api_key: k}}}\n",
          "a.yaml:1:49: error: 'base' is still to be filled in" },
        { "connectors: {shop: {use: petstore, with: {webhook_secret: s}, "
          "verify: {use: nobody}}}\n",
          "a.yaml:1:77: error: connector 'nobody' is not known" },
    };
    check_rows(rows, COUNT(rows), STATUS_CONFIG);
}

static void
what_will_not_work_is_warned_of(void **state)
{
    (void)state;
    static const struct row rows[] = {
        { SHOP HANDLERS, "a.yaml:1:14: warning: connector 'shop' has a "
                         "webhook secret, but there is no 'listen' section: no "
                         "webhook can arrive; add 'listen: {address: " },
        { "connectors: {shop: {use: petstore, with: " POLLED
          ", webhook: {rate: 1/s}}}\n",
          "warning: connector 'shop' has no webhook secret" },
        { LISTEN SHOP "handlers: {e: {exec: [./no.sh, x]}}\n",
          "a.yaml:3:23: warning: ./no.sh is not there" },
        { LISTEN SHOP "handlers: {e: {exec: [./a.yaml]}}\n",
          "a.yaml:3:23: warning: ./a.yaml cannot be run by anybody" },
        { LISTEN SHOP, "warning: there is no handler: events are stored, and "
                       "go nowhere; add one, such as 'handlers: {log: {" },
        { LISTEN SHOP "handlers: {e: {file: no/where.jsonl}}\n",
          "a.yaml:3:12: warning: the folder of no/where.jsonl" },
        { LISTEN SHOP "handlers: {e: {exec: [cat]}}\n", "0 warnings" },
        { LISTEN THIN "handlers: {e: {exec: [cat], order_by: /data/id}}\n",
          "a.yaml:3:12: warning: handler 'e': 'where' and 'order_by' see the "
          "/data of 'shop' as it comes" },
        { LISTEN THIN "handlers: {e: {exec: [cat], order_by: /type}}\n",
          "0 warnings" },
    };
    check_rows(rows, COUNT(rows), STATUS_OK);
}

static void
each_mistake_is_told_once(void **state)
{
    (void)state;
    static const char *const texts[] = {
        LISTEN "connectors: {shop: {use: petstore, with: {base: http://h, "
               "api_key: '${LONGSTOP_TEST_UNSET}'}}}\n",
        LISTEN "connectors: {shop: {use: petstore, with: {base: http://h, "
               "api_key: ''}}}\n",
        LISTEN "connectors: {shop: {use: petstore, with: {base: http://h, "
               "api_key_file: nowhere}}}\n",
        LISTEN "connectors: {shop: {use: petstore, with: {base: "
               "'${LONGSTOP_TEST_UNSET}', api_key: k}}}\n",
        LISTEN "connectors: {shop: {use: petstore, with: {base: h, api_key: "
               "k}}}\n",
        LISTEN "connectors: {shop: {use: petstore, with: " POLLED
               ", poll: {every: '${LONGSTOP_TEST_UNSET:?say how often}'}}}\n",
        "",
    };
    struct buf words = { 0 };
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct configuration configuration;
        (void)load(texts[i], &configuration, &words);
        if (configuration.report.errors != 1) {
            fail_msg("%s%s", texts[i], words.ptr);
        }
        configuration_fini(&configuration);
    }
    buf_fini(&words);
}

static void
no_secret_is_shown(void **state)
{
    (void)state;
    static const char *const texts[] = {
        LISTEN "connectors: {shop: {use: petstore, with: {webhook_secret: "
               "hunter2}, graec: 5m}}\n",
        LISTEN "connectors: {shop: {use: petstore, with: {webhok_sekret: "
               "hunter2}}}\n",
        LISTEN "connectors: {shop: {use: petstore, with: {webhook_secret: "
               "hunter2\n",
        "store: postgresql://u:hunter2@h/d\nstroe: x\n" SHOP,
        LISTEN SHOP "handlers: {h: {http: {url: 'http://h', secret: hunter2, "
                    "secert: x}}}\n",
        "admin: {token: hunter2, tokn: hunter2}\n" SHOP,
    };
    struct buf words = { 0 };
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct configuration configuration;
        assert_int_equal(load(texts[i], &configuration, &words), STATUS_CONFIG);
        if (strstr(words.ptr, "hunter2") != NULL) {
            fail_msg("%s", words.ptr);
        }
        configuration_fini(&configuration);
    }
    buf_fini(&words);
}

static void
places_are_relative_to_the_file_or_given_by_systemd(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *state;
        const char *runtime;
        const char *store;
        const char *admin;
    } rows[] = {
        { "", "", "", "sqlite:longstop.db", "unix:./admin.sock" },
        { "", "/s", "", "sqlite:/s/longstop.db", "unix:/s/admin.sock" },
        { "", "/s:/t", "/r:/u", "sqlite:/s/longstop.db", "unix:/r/admin.sock" },
        { "store: sqlite:x.db\n", "/s", "", "sqlite:sub/x.db",
          "unix:sub/admin.sock" },
        { "store: sqlite:/d/x.db\n", "", "", "sqlite:/d/x.db",
          "unix:/d/admin.sock" },
        { "admin: {address: 'unix:a.sock'}\n", "", "/r", "sqlite:longstop.db",
          "unix:sub/a.sock" },
        { "admin: {address: 'localhost:1'}\n", "", "/r", "sqlite:longstop.db",
          "localhost:1" },
        { "store: postgresql://u@h/d\n", "", "", "postgresql://u@h/d",
          "unix:sub/admin.sock" },
        { "store: postgres://u@h/d\n", "/s", "", "postgres://u@h/d",
          "unix:/s/admin.sock" },
    };
    struct buf text = { 0 };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct configuration configuration;
        (void)setenv("STATE_DIRECTORY", rows[i].state, 1);
        (void)setenv("RUNTIME_DIRECTORY", rows[i].runtime, 1);
        buf_clear(&text);
        buf_format(&text,
                   "%slisten: {address: 'unix:h.sock', public_url: "
                   "'https://h/p/'}\n" SHOP,
                   rows[i].text);
        write_file("sub/a.yaml", text.ptr);
        assert_int_equal(configuration_load("sub/a.yaml", &configuration, NULL),
                         STATUS_OK);
        assert_string_equal(configuration.places.store_url.ptr, rows[i].store);
        if (strcmp(rows[i].admin, "unix:./admin.sock") == 0) {
            assert_string_equal(configuration.places.admin_address.ptr,
                                "unix:admin.sock");
        } else {
            assert_string_equal(configuration.places.admin_address.ptr,
                                rows[i].admin);
        }
        assert_string_equal(configuration.places.listen_address.ptr,
                            "unix:sub/h.sock");
        assert_true(
            slice_equal_text(configuration.places.public_url, "https://h/p"));
        configuration_fini(&configuration);
    }
    (void)unsetenv("STATE_DIRECTORY");
    (void)unsetenv("RUNTIME_DIRECTORY");
    buf_fini(&text);
}

static void
a_store_is_shown_without_a_password(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        const char *shown;
    } rows[] = {
        { "sqlite:/d/x.db", "sqlite:/d/x.db" },
        { "postgresql://h/d", "postgresql://h/d" },
        { "postgresql:///d", "postgresql:///d" },
        { "postgresql://me@h:5432/d", "postgresql://me@h:5432/d" },
        { "postgresql://me:s3cret@h/d", "postgresql://me:***@h/d" },
        { "postgresql://me:@h/d", "postgresql://me:***@h/d" },
        { "postgresql://me@h/d?password=s3cret", "postgresql://me@h/d" },
        { "postgres://me:s3@cret@h/d", "postgres://me:***@h/d" },
    };
    struct buf text = { 0 };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct configuration configuration;
        buf_clear(&text);
        buf_format(&text, "store: '%s'\n" LISTEN SHOP, rows[i].url);
        write_file("a.yaml", text.ptr);
        assert_int_equal(configuration_load("a.yaml", &configuration, NULL),
                         STATUS_OK);
        assert_true(
            slice_equal_text(configuration.places.store_shown, rows[i].shown));
        configuration_fini(&configuration);
    }
    buf_fini(&text);
}

static void
secrets_come_from_files_beside_the_one_that_names_them(void **state)
{
    (void)state;
    struct configuration configuration;
    write_file("given", "outside\n");
    write_file("sub/given", "inside\n");
    write_file("empty", "");
    write_file("sub/a.yaml",
               LISTEN "connectors: {shop: {use: petstore, with: "
                      "{webhook_secret_file: [given, ../given]}}}\n"
                      "handlers: {h: {http: {url: 'http://h', secret_file: "
                      "given}}}\n");
    assert_int_equal(configuration_load("sub/a.yaml", &configuration, NULL),
                     STATUS_OK);
    const struct connector_param *secret = connector_param_find(
        configuration_connector(&configuration, slice_of("shop")),
        slice_of("webhook_secret"));
    assert_int_equal(secret->count, 2);
    assert_string_equal(secret->values[0].ptr, "inside");
    assert_string_equal(secret->values[1].ptr, "outside");
    const struct handler_settings *handler = configuration.settings.handlers.at;
    assert_string_equal(handler->http_secret.ptr, "inside");
    configuration_fini(&configuration);
    static const struct row rows[] = {
        { LISTEN "connectors: {shop: {use: petstore, with: "
                 "{webhook_secret_file: empty}}}\n",
          "a.yaml:2:64: error: the secret in empty is empty" },
        { LISTEN "connectors: {shop: {use: petstore, with: {webhook_secret: "
                 "'credential:c'}}}\n",
          "LoadCredential=c:/etc/credstore/c" },
    };
    check_rows(rows, COUNT(rows), STATUS_CONFIG);
}

static void
who_only_asks_needs_no_secret_and_no_connector_file(void **state)
{
    (void)state;
    struct configuration configuration;
    write_file("tok", "let me in");
    assert_int_equal(chmod("tok", 0600), 0);
    write_file("sub/a.yaml",
               LISTEN "admin: {token_file: ../tok}\n"
                      "connectors: {shop: {use: petstore, with: "
                      "{webhook_secret: 'credential:c'}}, "
                      "till: {use: nowhere.yaml, with: {a: FILL_IN}}}\n"
                      "handlers: {h: {http: {url: 'http://h', secret_file: "
                      "gone}}}\n");
    assert_int_equal(configuration_load("sub/a.yaml", &configuration, NULL),
                     STATUS_CONFIG);
    configuration_fini(&configuration);
    assert_int_equal(
        configuration_load_to_ask("sub/a.yaml", &configuration, NULL),
        STATUS_OK);
    assert_int_equal(configuration.report.warnings, 0);
    assert_string_equal(configuration.admin_token.ptr, "let me in");
    assert_string_equal(configuration.places.admin_address.ptr,
                        "unix:admin.sock");
    assert_int_equal(configuration.connector_count, 2);
    assert_non_null(configuration_connector(&configuration, slice_of("till")));
    assert_null(configuration_connector(&configuration, slice_of("tilt")));
    configuration_fini(&configuration);
}

static void
conf_d_is_laid_beside_and_both_places_of_a_double_are_named(void **state)
{
    (void)state;
    struct configuration configuration;
    struct buf words = { 0 };
    write_file("conf.d/a.yaml", "connectors: {two: {use: petstore, with: "
                                "{webhook_secret: s}}}\n" HANDLERS);
    assert_int_equal(load(LISTEN SHOP, &configuration, &words), STATUS_OK);
    assert_int_equal(configuration.connector_count, 2);
    assert_int_equal(configuration.settings.handlers.count, 1);
    configuration_fini(&configuration);
    write_file("conf.d/b.yaml", "connectors: {shop: {use: petstore}}\n" LISTEN);
    assert_int_equal(load(LISTEN SHOP, &configuration, &words), STATUS_CONFIG);
    assert_non_null(strstr(words.ptr, "conf.d/b.yaml:1:14: error: entry "
                                      "'shop' is configured twice"));
    assert_non_null(strstr(words.ptr, "a.yaml:2:14: note: the first time"));
    assert_non_null(strstr(words.ptr, "conf.d/b.yaml:2:1: error: key 'listen' "
                                      "is configured twice"));
    configuration_fini(&configuration);
    assert_int_equal(unlink("conf.d/a.yaml"), 0);
    assert_int_equal(unlink("conf.d/b.yaml"), 0);
    buf_fini(&words);
}

static void
another_connectors_verification_can_be_used(void **state)
{
    (void)state;
    struct configuration configuration;
    struct buf words = { 0 };
    assert_int_equal(load(LISTEN "connectors: {shop: {use: petstore, with: "
                                 "{webhook_secret: s}, verify: {use: "
                                 "stripe}}}\n",
                          &configuration, &words),
                     STATUS_OK);
    assert_int_equal(configuration.file_count, 3);
    configuration_fini(&configuration);
    buf_fini(&words);
}

static void
running_out_of_memory_is_an_error_anywhere(void **state)
{
    (void)state;
    struct configuration configuration;
    enum status status = STATUS_NOMEM;
    write_file("a.yaml", "store: sqlite:x.db\n" LISTEN SHOP HANDLERS);
    for (long n = 0; status != STATUS_OK; n++) {
        assert_true(n < 100000);
        (void)mem_fail_after(n, 0);
        status = configuration_load("a.yaml", &configuration, NULL);
        (void)mem_fail_after(-1, 0);
        configuration_fini(&configuration);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_cannot_be_is_refused_at_its_place),
        cmocka_unit_test(what_will_not_work_is_warned_of),
        cmocka_unit_test(each_mistake_is_told_once),
        cmocka_unit_test(no_secret_is_shown),
        cmocka_unit_test(places_are_relative_to_the_file_or_given_by_systemd),
        cmocka_unit_test(a_store_is_shown_without_a_password),
        cmocka_unit_test(
            secrets_come_from_files_beside_the_one_that_names_them),
        cmocka_unit_test(who_only_asks_needs_no_secret_and_no_connector_file),
        cmocka_unit_test(
            conf_d_is_laid_beside_and_both_places_of_a_double_are_named),
        cmocka_unit_test(another_connectors_verification_can_be_used),
        cmocka_unit_test(running_out_of_memory_is_an_error_anywhere),
    };
    return cmocka_run_group_tests(tests, enter, leave);
}
