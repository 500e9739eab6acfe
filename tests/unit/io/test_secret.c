/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/secret.h"

static char folder[] = "/tmp/longstop-secret-XXXXXX";
static char path[PATH_MAX];

static int
make_folder(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    (void)snprintf(path, sizeof(path), "%s/token", folder);
    return 0;
}

static int
drop_folder(void **state)
{
    (void)state;
    (void)unlink(path);
    return rmdir(folder);
}

static void
put(const char *text, mode_t mode)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static struct config_secret
from_file(void)
{
    return (struct config_secret){ .from = SECRET_FILE,
                                   .text = slice_of(path) };
}

static struct config_secret
credential(const char *name)
{
    return (struct config_secret){ .from = SECRET_CREDENTIAL,
                                   .text = slice_of(name) };
}

static void
an_inline_secret_is_its_text(void **state)
{
    (void)state;
    struct config_secret secret = { .from = SECRET_INLINE,
                                    .text = SLICE("s3cret\n") };
    struct buf buf = { 0 };
    bool loose = true;
    buf_text(&buf, "before:");
    assert_int_equal(secret_read(&secret, &buf, &loose, NULL), STATUS_OK);
    assert_string_equal(buf.ptr, "before:s3cret\n");
    assert_false(loose);
    buf_fini(&buf);
}

static void
one_trailing_newline_of_a_file_is_cut(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        const char *secret;
    } cases[] = {
        { "abc", "abc" },       { "abc\n", "abc" },   { "abc\r\n", "abc" },
        { "abc\n\n", "abc\n" }, { " a b ", " a b " },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct config_secret secret = from_file();
        struct buf buf = { 0 };
        bool loose;
        put(cases[i].file, 0600);
        assert_int_equal(secret_read(&secret, &buf, &loose, NULL), STATUS_OK);
        assert_string_equal(buf.ptr, cases[i].secret);
        assert_false(loose);
        buf_fini(&buf);
    }
}

static void
an_empty_secret_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = { "", "\n", "\r\n", " \n\n" };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct config_secret secret = from_file();
        struct buf buf = { 0 };
        struct error err;
        bool loose;
        buf_text(&buf, "kept");
        put(texts[i], 0600);
        assert_int_equal(secret_read(&secret, &buf, &loose, &err),
                         STATUS_INVALID);
        assert_non_null(strstr(err.text, path));
        assert_int_equal(buf.len, 4);
        buf_fini(&buf);
    }
    struct config_secret secret = { .from = SECRET_INLINE };
    struct buf buf = { 0 };
    bool loose;
    assert_int_equal(secret_read(&secret, &buf, &loose, NULL), STATUS_INVALID);
    secret.from = SECRET_NONE;
    assert_int_equal(secret_read(&secret, &buf, &loose, NULL), STATUS_INVALID);
    buf_fini(&buf);
}

static void
a_file_others_can_read_is_told(void **state)
{
    (void)state;
    static const struct {
        mode_t mode;
        bool loose;
    } cases[] = {
        { 0600, false },
        { 0400, false },
        { 0640, true },
        { 0604, true },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct config_secret secret = from_file();
        struct buf buf = { 0 };
        bool loose;
        put("x", cases[i].mode);
        assert_int_equal(secret_read(&secret, &buf, &loose, NULL), STATUS_OK);
        assert_int_equal(loose, cases[i].loose);
        buf_fini(&buf);
    }
}

static void
a_credential_is_found_in_its_folder(void **state)
{
    (void)state;
    struct config_secret secret = credential("token");
    struct buf buf = { 0 };
    bool loose;
    struct error err;
    put("abc\n", 0640);
    assert_int_equal(setenv("CREDENTIALS_DIRECTORY", folder, 1), 0);
    assert_int_equal(secret_read(&secret, &buf, &loose, &err), STATUS_OK);
    assert_string_equal(buf.ptr, "abc");
    assert_false(loose);
    buf_clear(&buf);
    secret = credential("other");
    assert_int_equal(secret_read(&secret, &buf, &loose, &err),
                     STATUS_NOT_FOUND);
    static const char *const bad[] = { "", "../token", "a/b", "." };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        secret = credential(bad[i]);
        assert_int_equal(secret_read(&secret, &buf, &loose, &err),
                         STATUS_INVALID);
    }
    assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
    secret = credential("token");
    assert_int_equal(secret_read(&secret, &buf, &loose, &err),
                     STATUS_NOT_FOUND);
    assert_non_null(strstr(err.text, "LoadCredential=token:"));
    buf_fini(&buf);
}

static void
memory_may_run_out_anywhere(void **state)
{
    (void)state;
    put("abc\n", 0600);
    enum status status = STATUS_NOMEM;
    long n = 0;
    for (; status != STATUS_OK && n < 20; n++) {
        struct config_secret secret = from_file();
        struct buf buf = { 0 };
        bool loose;
        (void)mem_fail_after(n, 0);
        status = secret_read(&secret, &buf, &loose, NULL);
        (void)mem_fail_after(-1, 0);
        assert_true(status == STATUS_OK || status == STATUS_NOMEM);
        buf_fini(&buf);
    }
    assert_int_equal(status, STATUS_OK);
    assert_int_equal(n, 3);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_inline_secret_is_its_text),
        cmocka_unit_test(one_trailing_newline_of_a_file_is_cut),
        cmocka_unit_test(an_empty_secret_is_refused),
        cmocka_unit_test(a_file_others_can_read_is_told),
        cmocka_unit_test(a_credential_is_found_in_its_folder),
        cmocka_unit_test(memory_may_run_out_anywhere),
    };
    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
