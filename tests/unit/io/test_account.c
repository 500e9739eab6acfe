/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/account.h"

static enum status
find(const char *name, struct account *ret, struct error *err)
{
    struct arena arena = { 0 };
    enum status status = account_find(slice_of(name), &arena, ret, err);
    ret->groups = NULL; /* gone with the arena */
    arena_fini(&arena);
    return status;
}

static void
an_account_is_found_by_name_and_by_number(void **state)
{
    (void)state;
    static const char *const names[] = { "root", "0" };
    for (size_t i = 0; i < 2; i++) {
        struct account account;
        struct error err = { "" };
        assert_int_equal(find(names[i], &account, &err), STATUS_OK);
        assert_int_equal(account.uid, 0);
        assert_int_equal(account.gid, 0);
        assert_true(account.group_count >= 1);
    }
}

static void
what_is_no_account_is_named(void **state)
{
    (void)state;
    char long_name[400];
    memset(long_name, 'a', sizeof(long_name));
    long_name[sizeof(long_name) - 1] = '\0';
    const char *const names[] = {
        "no-such-account", "4000000001", "0x0", "-1", "0 ", "", long_name
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct account account;
        struct error err = { "" };
        assert_int_equal(find(names[i], &account, &err), STATUS_NOT_FOUND);
        assert_non_null(strstr(err.text, "account"));
    }
}

static void
memory_that_runs_out_is_told(void **state)
{
    (void)state;
    enum status status = STATUS_NOMEM;
    for (long n = 0; n < 10 && status == STATUS_NOMEM; n++) {
        struct account account;
        struct error err = { "" };
        (void)mem_fail_after(n, 0);
        status = find("root", &account, &err);
        (void)mem_fail_after(-1, 0);
        assert_true(status == STATUS_OK || strstr(err.text, "memory") != NULL);
    }
    assert_int_equal(status, STATUS_OK);
}

/* In a child, which is another's from there on: 0 when all held. */
static int
become(const char *name)
{
    struct arena arena = { 0 };
    struct account account;
    struct error err;
    gid_t groups[64];
    if (account_find(slice_of(name), &arena, &account, &err) != STATUS_OK ||
        !account_may_become(&account) || account_become(&account) != 0) {
        return 1;
    }
    const gid_t gid = account.gid;
    const uid_t uid = account.uid;
    arena_fini(&arena);
    if (getuid() != uid || geteuid() != uid || getgid() != gid ||
        getgroups(64, groups) != 1 || groups[0] != gid) {
        return 2;
    }
    /* and there is no way back, nor on */
    return setuid(0) == 0 || setgid(0) == 0 ? 3 : 0;
}

static int
become_nobody_but_oneself(void)
{
    struct arena arena = { 0 };
    struct account nobody;
    struct account root;
    struct error err;
    bool held =
        account_find(slice_of("nobody"), &arena, &nobody, &err) == STATUS_OK &&
        account_find(slice_of("root"), &arena, &root, &err) == STATUS_OK &&
        account_become(&nobody) == 0 && account_may_become(&nobody) &&
        account_become(&nobody) == 0 && !account_may_become(&root) &&
        account_become(&root) != 0;
    arena_fini(&arena);
    return held ? 0 : 4;
}

static int
code_of(int (*run)(void))
{
    int how = 0;
    pid_t pid = fork();
    if (pid == 0) {
        _exit(run());
    }
    assert_int_equal(waitpid(pid, &how, 0), pid);
    return WIFEXITED(how) ? WEXITSTATUS(how) : -1;
}

static int
become_daemon(void)
{
    return become("daemon");
}

static void
a_process_becomes_another_for_good_with_its_groups_alone(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        skip();
    }
    assert_int_equal(code_of(become_daemon), 0);
    assert_int_equal(code_of(become_nobody_but_oneself), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_account_is_found_by_name_and_by_number),
        cmocka_unit_test(what_is_no_account_is_named),
        cmocka_unit_test(memory_that_runs_out_is_told),
        cmocka_unit_test(
            a_process_becomes_another_for_good_with_its_groups_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
