/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "app/dashboard.h"
#include "wire/gzip.h"

static void
unpack(const struct dashboard_file *file, struct buf *into)
{
    struct slice packed = { (const char *)file->packed, file->packed_bytes };
    assert_int_equal(gzip_inflate(packed, (size_t)1 << 20, 1000, into),
                     STATUS_OK);
}

static void
every_file_unpacks_and_has_a_type(void **state)
{
    (void)state;
    size_t packed_bytes = 0;
    assert_true(dashboard_file_count > 2);
    for (size_t i = 0; i < dashboard_file_count; i++) {
        struct buf plain = { 0 };
        struct slice name = slice_of(dashboard_files[i].name);
        assert_ptr_equal(dashboard_find(name), &dashboard_files[i]);
        assert_string_not_equal(dashboard_media_type(name),
                                "application/octet-stream");
        unpack(&dashboard_files[i], &plain);
        assert_true(plain.len > 100);
        packed_bytes += dashboard_files[i].packed_bytes;
        buf_fini(&plain);
    }
    assert_true(packed_bytes < (size_t)100 * 1024);
    assert_null(dashboard_find(slice_of("nothing.js")));
}

static void
the_page_names_the_build(void **state)
{
    (void)state;
    struct buf plain = { 0 };
    char path[64] = "/assets/";
    assert_int_equal(strlen(dashboard_build), 16);
    (void)strcat(path, dashboard_build);
    (void)strcat(path, "/app.js");
    unpack(dashboard_find(slice_of("index.html")), &plain);
    assert_true(slice_find_slice(buf_slice(&plain), slice_of(path)) !=
                SIZE_MAX);
    assert_true(slice_find(buf_slice(&plain), '@') == SIZE_MAX);
    buf_fini(&plain);
}

static void
a_packed_file_has_no_name_and_no_time(void **state)
{
    (void)state;
    for (size_t i = 0; i < dashboard_file_count; i++) {
        /* RFC 1952, 2.3.1: FLG and MTIME */
        for (size_t at = 3; at < 8; at++) {
            assert_int_equal(dashboard_files[i].packed[at], 0);
        }
    }
}

static void
what_is_the_dashboards_is_told_by_its_path(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        bool owned;
    } rows[] = {
        { "/", true },
        { "/assets/b/app.js", true },
        { "/assets", false },
        { "/api/v1/status", false },
        { "/metrics", false },
        { "//", false },
        { "/index.html", false },
        { "", false },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(dashboard_owns(slice_of(rows[i].path)), rows[i].owned);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_file_unpacks_and_has_a_type),
        cmocka_unit_test(the_page_names_the_build),
        cmocka_unit_test(a_packed_file_has_no_name_and_no_time),
        cmocka_unit_test(what_is_the_dashboards_is_told_by_its_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
