/* SPDX-License-Identifier: MIT */
/* GNU: getgrouplist. */
#define _GNU_SOURCE
#include "io/account.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { ENTRY_BYTES = 64 * 1024, GROUPS_MOST = 1024, NAME_BYTES = 256 };

/* A name of digits alone is a number, as for chown. */
static bool
read_number(const char *name, uid_t *ret)
{
    char *end = NULL;
    errno = 0;
    unsigned long number = strtoul(name, &end, 10);
    *ret = (uid_t)number;
    return name[0] >= '0' && name[0] <= '9' && *end == '\0' && errno == 0 &&
           number < UINT32_MAX;
}

static enum status
find_groups(const struct passwd *entry, struct arena *arena,
            struct account *ret)
{
    int count = GROUPS_MOST;
    gid_t *groups = arena_array(arena, GROUPS_MOST, sizeof(*groups));
    if (groups == NULL) {
        return STATUS_NOMEM;
    }
    if (getgrouplist(entry->pw_name, entry->pw_gid, groups, &count) < 0) {
        return STATUS_INVALID;
    }
    *ret = (struct account){ .uid = entry->pw_uid,
                             .gid = entry->pw_gid,
                             .groups = groups,
                             .group_count = (size_t)count };
    return STATUS_OK;
}

enum status
account_find(struct slice name, struct arena *arena, struct account *ret,
             struct error *err)
{
    char text[NAME_BYTES];
    struct passwd entry;
    struct passwd *found = NULL;
    uid_t uid = 0;
    if (name.len == 0 || name.len >= sizeof(text)) {
        return error_set(err, STATUS_NOT_FOUND, "'%.*s' is no account's name",
                         SLICE_ARG(name));
    }
    memcpy(text, name.ptr, name.len);
    text[name.len] = '\0';
    char *bytes = mem_alloc(ENTRY_BYTES);
    if (bytes == NULL) {
        return error_set(err, STATUS_NOMEM, "out of memory");
    }
    int failed = read_number(text, &uid)
                     ? getpwuid_r(uid, &entry, bytes, ENTRY_BYTES, &found)
                     : getpwnam_r(text, &entry, bytes, ENTRY_BYTES, &found);
    enum status status =
        found == NULL ? STATUS_NOT_FOUND : find_groups(found, arena, ret);
    mem_free(bytes);
    if (status == STATUS_NOT_FOUND) {
        return error_set(err, status,
                         "there is no account '%s' on this machine%s%s; "
                         "'getent passwd' lists them",
                         text, failed == 0 ? "" : ": ",
                         failed == 0 ? "" : strerror(failed));
    }
    return status == STATUS_OK
               ? STATUS_OK
               : error_set(err, status, "account '%s': %s", text,
                           status == STATUS_NOMEM
                               ? "out of memory"
                               : "it is in more groups than 1024");
}

/* capget(2); the C library has no wrapper, and libcap is another library. */
static bool
has_capabilities(unsigned wanted)
{
    struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };
    return syscall(SYS_capget, &head, data) == 0 &&
           (data[0].effective & wanted) == wanted;
}

/* Its groups are ours as well then: whoever started us has seen to that. */
static bool
is_ours(const struct account *account)
{
    return account->uid != 0 && account->uid == getuid() &&
           account->uid == geteuid() && account->gid == getegid();
}

bool
account_may_become(const struct account *account)
{
    return is_ours(account) ||
           has_capabilities(1U << CAP_SETUID | 1U << CAP_SETGID);
}

/* The C library's setuid would have every thread of the parent do the same
 * where memory is shared; these are the kernel's own. */
int
account_become(const struct account *account)
{
    const gid_t gid = account->gid;
    const uid_t uid = account->uid;
    if (is_ours(account)) {
        return 0;
    }
    return syscall(SYS_setgroups, account->group_count, account->groups) != 0 ||
                   syscall(SYS_setresgid, gid, gid, gid) != 0 ||
                   syscall(SYS_setresuid, uid, uid, uid) != 0
               ? errno
               : 0;
}
