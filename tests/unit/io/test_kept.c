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
#include "io/fs.h"
#include "io/kept.h"

static char folder[] = "/tmp/longstop-kept-XXXXXX";
static char directory[PATH_MAX];
static char path[PATH_MAX];
static const struct slice shop = SLICE("shop");
static const struct slice secret = SLICE("webhook_secret");

static int
make_folder(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    (void)snprintf(directory, sizeof(directory), "%s/secrets", folder);
    (void)snprintf(path, sizeof(path), "%s/secrets/shop.webhook_secret",
                   folder);
    return 0;
}

static int
drop_folder(void **state)
{
    (void)state;
    (void)unlink(path);
    (void)rmdir(directory);
    return rmdir(folder);
}

static void
keep(const char *text)
{
    struct error err = { 0 };
    assert_int_equal(kept_write(directory, shop, secret, slice_of(text), &err),
                     STATUS_OK);
}

/* Expects that nothing is read, with `words` in the message. */
static void
expect_refused(enum status want, const char *words)
{
    struct buf buf = { 0 };
    struct error err = { 0 };
    buf_text(&buf, "before");
    assert_int_equal(kept_read(directory, shop, secret, &buf, &err), want);
    assert_non_null(strstr(err.text, words));
    assert_string_equal(buf.ptr, "before");
    buf_fini(&buf);
}

static void
what_is_kept_is_read_again_as_it_was(void **state)
{
    (void)state;
    struct buf buf = { 0 };
    keep("first");
    keep("second\nfirst");
    assert_int_equal(kept_read(directory, shop, secret, &buf, NULL), STATUS_OK);
    assert_string_equal(buf.ptr, "second\nfirst");
    buf_fini(&buf);
}

static void
only_its_owner_reaches_it(void **state)
{
    (void)state;
    struct stat info;
    keep("s3cret");
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_int_equal(stat(directory, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0700);
}

static void
what_others_can_reach_is_no_secret(void **state)
{
    (void)state;
    keep("s3cret");
    assert_int_equal(chmod(path, 0640), 0);
    expect_refused(STATUS_DENIED, "chmod 600");
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(chmod(directory, 0711), 0);
    expect_refused(STATUS_DENIED, "chmod 700");
    assert_int_equal(kept_write(directory, shop, secret, slice_of("new"), NULL),
                     STATUS_DENIED);
    assert_int_equal(chmod(directory, 0700), 0);
}

static void
a_link_to_elsewhere_is_not_followed(void **state)
{
    (void)state;
    assert_int_equal(kept_remove(directory, shop, secret, NULL), STATUS_OK);
    assert_int_equal(symlink("/proc/self/status", path), 0);
    expect_refused(STATUS_DENIED, "symbolic link");
    keep("s3cret");
    struct stat info;
    assert_int_equal(lstat(path, &info), 0);
    assert_true(S_ISREG(info.st_mode));
}

static void
what_is_removed_is_not_there(void **state)
{
    (void)state;
    keep("s3cret");
    assert_int_equal(kept_remove(directory, shop, secret, NULL), STATUS_OK);
    expect_refused(STATUS_NOT_FOUND, path);
    assert_int_equal(kept_remove(directory, shop, secret, NULL), STATUS_OK);
}

static void
a_name_never_leads_out_of_the_directory(void **state)
{
    (void)state;
    static const struct {
        const char *connector;
        const char *name;
    } cases[] = {
        { "..", "x" },     { "../shop", "x" }, { ".shop", "x" },
        { "", "x" },       { "shop", "" },     { "shop", "a/b" },
        { "shop", "a.b" }, { "shop", "." },    { "a/b", "x" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct slice connector = slice_of(cases[i].connector);
        struct slice name = slice_of(cases[i].name);
        struct buf buf = { 0 };
        assert_int_equal(
            kept_write(directory, connector, name, slice_of("x"), NULL),
            STATUS_INVALID);
        assert_int_equal(kept_read(directory, connector, name, &buf, NULL),
                         STATUS_INVALID);
        assert_int_equal(kept_remove(directory, connector, name, NULL),
                         STATUS_INVALID);
        buf_fini(&buf);
    }
}

static void
a_text_that_cannot_be_a_secret_is_refused(void **state)
{
    (void)state;
    static char much[KEPT_BYTES_MAX + 1];
    keep("stays");
    assert_int_equal(kept_write(directory, shop, secret, slice_of(""), NULL),
                     STATUS_INVALID);
    assert_int_equal(kept_write(directory, shop, secret,
                                (struct slice){ much, sizeof(much) }, NULL),
                     STATUS_TOO_LARGE);
    assert_int_equal(truncate(path, 0), 0);
    expect_refused(STATUS_INVALID, "is empty");
}

static void
memory_may_run_out_anywhere(void **state)
{
    (void)state;
    keep("old");
    enum status status = STATUS_NOMEM;
    long n = 0;
    for (; status != STATUS_OK && n < 20; n++) {
        struct buf buf = { 0 };
        (void)mem_fail_after(n, 0);
        status = kept_write(directory, shop, secret, slice_of("new"), NULL);
        if (status == STATUS_OK) {
            status = kept_read(directory, shop, secret, &buf, NULL);
        }
        (void)mem_fail_after(-1, 0);
        assert_true(status == STATUS_OK || status == STATUS_NOMEM);
        buf_fini(&buf);
    }
    assert_true(n > 2 && n < 20);
}

static void
what_root_keeps_belongs_to_the_agents_user(void **state)
{
    struct stat info;
    struct fs_lock *lock;
    (void)state;
    if (geteuid() != 0) {
        skip();
    }
    assert_int_equal(chown(folder, 64999, 64998), 0);
    keep("a secret");
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_uid, 64999);
    assert_int_equal(info.st_gid, 64998);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_int_equal(stat(directory, &info), 0);
    assert_int_equal(info.st_uid, 64999);
    assert_int_equal(kept_lock(directory, shop, &lock, NULL), STATUS_OK);
    (void)snprintf(path, sizeof(path), "%s/secrets/shop.lock", folder);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_uid, 64999);
    fs_lock_release(lock, true);
    (void)unlink(path);
    (void)snprintf(path, sizeof(path), "%s/secrets/shop.webhook_secret",
                   folder);
    assert_int_equal(chown(directory, 0, 0), 0);
    assert_int_equal(chown(folder, 0, 0), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_root_keeps_belongs_to_the_agents_user),
        cmocka_unit_test(what_is_kept_is_read_again_as_it_was),
        cmocka_unit_test(only_its_owner_reaches_it),
        cmocka_unit_test(what_others_can_reach_is_no_secret),
        cmocka_unit_test(a_link_to_elsewhere_is_not_followed),
        cmocka_unit_test(what_is_removed_is_not_there),
        cmocka_unit_test(a_name_never_leads_out_of_the_directory),
        cmocka_unit_test(a_text_that_cannot_be_a_secret_is_refused),
        cmocka_unit_test(memory_may_run_out_anywhere),
    };
    return cmocka_run_group_tests_name("io/kept", tests, make_folder,
                                       drop_folder);
}
