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

#include "base/mem.h"
#include "io/fs.h"
#include "store/store.h"
#include "store/store_backup.h"

static char folder[] = "/tmp/longstop-backup-XXXXXX";
static char url[80];
static char path[64];
static char copy[48];

static void
wipe(void)
{
    char command[128];
    (void)snprintf(command, sizeof(command), "rm -rf %s/*", folder);
    assert_int_equal(system(command), 0);
}

/* A store with so many names in it. */
static void
make_store(int names)
{
    struct store *store;
    struct error err = { 0 };
    assert_int_equal(store_open(url, NULL, &store, &err), STATUS_OK);
    for (int i = 0; i < names; i++) {
        char name[16];
        uint32_t number;
        (void)snprintf(name, sizeof(name), "name-%d", i);
        assert_int_equal(store->ops->name(store, STORE_HANDLER, slice_of(name),
                                          &number, &err),
                         STATUS_OK);
    }
    store->ops->close(store);
}

/* What the next new name gets as its number: one more than there are. */
static uint32_t
next_number(void)
{
    struct store *store;
    uint32_t number = 0;
    assert_int_equal(store_open(url, NULL, &store, NULL), STATUS_OK);
    assert_int_equal(store->ops->name(store, STORE_CONNECTOR, slice_of("next"),
                                      &number, NULL),
                     STATUS_OK);
    store->ops->close(store);
    return number;
}

static void
a_copy_is_taken_beside_the_writer_and_brings_its_state_back(void **state)
{
    (void)state;
    struct store_backup what = { 0 };
    struct error err = { 0 };
    struct store *store;
    struct stat info;
    char kept[STORE_BACKUP_KEPT_BYTES];
    wipe();
    make_store(3);
    assert_int_equal(store_open(url, NULL, &store, &err), STATUS_OK);
    assert_int_equal(store_backup_take(url, copy, &what, &err), STATUS_OK);
    assert_true(what.bytes > 0 && what.taken_ms > 0 && what.events == 0);
    assert_int_equal(stat(copy, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_int_equal(store_backup_take(url, copy, &what, &err), STATUS_EXISTS);
    assert_int_equal(store_backup_restore(url, copy, kept, &what, &err),
                     STATUS_FENCED);
    store->ops->close(store);
    make_store(7);
    assert_int_equal(store_backup_restore(url, copy, kept, &what, &err),
                     STATUS_OK);
    assert_int_equal(next_number(), 4);
    assert_int_equal(store_backup_check(NULL, kept, &what, &err), STATUS_OK);
    assert_int_equal(what.taken_ms, 0);
    assert_int_equal(rename(kept, path), 0);
    assert_int_equal(next_number(), 8);
}

static void
a_restore_where_no_store_was_keeps_nothing(void **state)
{
    (void)state;
    struct store_backup what = { 0 };
    char kept[STORE_BACKUP_KEPT_BYTES];
    wipe();
    make_store(2);
    assert_int_equal(store_backup_take(url, copy, &what, NULL), STATUS_OK);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(store_backup_restore(url, copy, kept, &what, NULL),
                     STATUS_OK);
    assert_string_equal(kept, "");
    assert_int_equal(next_number(), 3);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(store_backup_check(url, NULL, &what, NULL),
                     STATUS_NOT_FOUND);
}

static void
each_allocation_that_fails_leaves_no_part_of_a_copy(void **state)
{
    (void)state;
    struct store_backup what = { 0 };
    char kept[STORE_BACKUP_KEPT_BYTES];
    char part[80];
    (void)snprintf(part, sizeof(part), "%s.part", copy);
    wipe();
    make_store(1);
    enum status status = STATUS_NOMEM;
    for (long n = 0; status != STATUS_OK; n++) {
        assert_true(n < 100);
        (void)mem_fail_after(n, 0);
        status = store_backup_take(url, copy, &what, NULL);
        (void)mem_fail_after(-1, 0);
        assert_true(status == STATUS_OK || status == STATUS_NOMEM);
        assert_int_equal(fs_exists(copy), status == STATUS_OK);
        assert_false(fs_exists(part));
    }
    status = STATUS_NOMEM;
    for (long n = 0; status != STATUS_OK; n++) {
        assert_true(n < 100);
        (void)mem_fail_after(n, 0);
        status = store_backup_restore(url, copy, kept, &what, NULL);
        (void)mem_fail_after(-1, 0);
        assert_true(status == STATUS_OK || status == STATUS_NOMEM);
        assert_true(fs_exists(path));
    }
    assert_int_equal(next_number(), 2);
}

int
main(void)
{
    if (mkdtemp(folder) == NULL) {
        perror(folder);
        return 1;
    }
    (void)snprintf(path, sizeof(path), "%s/db", folder);
    (void)snprintf(url, sizeof(url), "sqlite:%s", path);
    (void)snprintf(copy, sizeof(copy), "%s/copy", folder);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            a_copy_is_taken_beside_the_writer_and_brings_its_state_back),
        cmocka_unit_test(a_restore_where_no_store_was_keeps_nothing),
        cmocka_unit_test(each_allocation_that_fails_leaves_no_part_of_a_copy),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    wipe();
    (void)rmdir(folder);
    return failed;
}
