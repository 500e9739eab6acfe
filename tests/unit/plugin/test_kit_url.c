/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "plugin/kit_url.h"

static void
urls_are_taken_apart(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *scheme, *user, *password, *host;
        int port;
        const char *rest;
    } table[] = {
        { "redis://h", "redis", "", "", "h", 0, "" },
        { "redis://h:6380/2", "redis", "", "", "h", 6380, "2" },
        { "redis://:pw@h/", "redis", "", "pw", "h", 0, "" },
        { "mqtts://u@h:1", "mqtts", "u", "", "h", 1, "" },
        { "amqp://u:p%40%2f@h/%2f", "amqp", "u", "p@/", "h", 0, "%2f" },
        { "redis://a:b:c@h", "redis", "a", "b:c", "h", 0, "" },
        { "redis://[::1]:7/0", "redis", "", "", "::1", 7, "0" },
        { "redis://[::1]", "redis", "", "", "::1", 0, "" },
        { "unix:/run/x.sock", "unix", "", "", "", 0, "/run/x.sock" },
        { "unix:///run/x.sock", "unix", "", "", "", 0, "/run/x.sock" },
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct kit_url url;
        assert_true(kit_url_parse(&url, table[i].text));
        assert_string_equal(url.scheme, table[i].scheme);
        assert_string_equal(url.user, table[i].user);
        assert_string_equal(url.password, table[i].password);
        assert_string_equal(url.host, table[i].host);
        assert_int_equal(url.port, table[i].port);
        assert_string_equal(url.rest, table[i].rest);
        kit_url_free(&url);
    }
}

static void
what_is_no_url_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "h",
        "://h",
        "redis:",
        "redis:/h",
        "redis://",
        "redis://:1",
        "redis://h:",
        "redis://h:0",
        "redis://h:x",
        "redis://h:99999",
        "redis://h:1x",
        "redis://[::1",
        "redis://[]",
        "redis://[::1]x",
        "redis://%zz@h",
        "redis://%@h",
        "redis://%00@h",
        "unix:",
        "unix://",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct kit_url url;
        assert_false(kit_url_parse(&url, texts[i]));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_are_taken_apart),
        cmocka_unit_test(what_is_no_url_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
