/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "handler/handler.h"

static void
keys_keep_what_is_plain_and_encode_the_rest(void **state)
{
    (void)state;
    static const struct {
        struct slice connector;
        struct slice id;
        const char *key;
    } rows[] = {
        { SLICE("shop"), SLICE("evt_1"), "shop/evt_1" },
        { SLICE("a-b_C9"), SLICE("order:17:2026-11-21T23:22:01Z"),
          "a-b_C9/order:17:2026-11-21T23:22:01Z" },
        { SLICE("shop"), SLICE("a.b~c d"), "shop/a%2Eb%7Ec%20d" },
        { SLICE("shop"), SLICE("100%"), "shop/100%25" },
        { SLICE("shop"), SLICE("x\r\ny\0z"), "shop/x%0D%0Ay%00z" },
        { SLICE("shop"), SLICE("gr\xc3\xbc\xc3\x9f"), "shop/gr%C3%BC%C3%9F" },
        { SLICE("shop"), SLICE(""), "shop/" },
        { SLICE("shop"), SLICE("gid://shopify/Order/1"),
          "shop/gid://shopify/Order/1" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf key = { 0 };
        handler_key(rows[i].connector, rows[i].id, &key);
        assert_int_equal(buf_status(&key), STATUS_OK);
        assert_string_equal(key.ptr, rows[i].key);
        buf_fini(&key);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_keep_what_is_plain_and_encode_the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
