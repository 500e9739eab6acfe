/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/fs.h"
#include "io/zoneinfo.h"
#include "wire/zone.h"

static void
what_cannot_be_a_zone_is_not_there(void **state)
{
    (void)state;
    static const char *const names[] = {
        "",
        "/etc/passwd",
        "../../../etc/passwd",
        "Europe/Berlin.tab",
        "Mars/Base",
        "a b",
        ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct buf bytes = { 0 };
        struct error err = { "" };
        assert_int_equal(zoneinfo_read(slice_of(names[i]), &bytes, &err),
                         STATUS_NOT_FOUND);
        assert_int_equal(bytes.len, 0);
        buf_fini(&bytes);
    }
}

/* The system's files, where it has them. */
static void
a_file_of_the_system_is_a_zone(void **state)
{
    (void)state;
    static const char *const names[] = { "UTC", "Europe/Berlin",
                                         "America/Argentina/Buenos_Aires",
                                         "Etc/GMT+5" };
    if (!fs_exists("/usr/share/zoneinfo/Etc/GMT+5")) {
        skip();
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct arena arena = { 0 };
        struct buf bytes = { 0 };
        struct error err = { "" };
        const struct zone *zone;
        assert_int_equal(zoneinfo_read(slice_of(names[i]), &bytes, &err),
                         STATUS_OK);
        assert_int_equal(zone_read(buf_slice(&bytes), &arena, &zone, &err),
                         STATUS_OK);
        /* 2026-07-01 and 2050-07-01, noon */
        static const int64_t offsets_s[] = { 0, 7200, -10800, -18000 };
        assert_int_equal(zone_offset_ms(zone, INT64_C(1782907200000)),
                         offsets_s[i] * 1000);
        assert_int_equal(zone_offset_ms(zone, INT64_C(2540376000000)),
                         offsets_s[i] * 1000);
        buf_fini(&bytes);
        arena_fini(&arena);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_cannot_be_a_zone_is_not_there),
        cmocka_unit_test(a_file_of_the_system_is_a_zone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
