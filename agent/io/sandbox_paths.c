/* SPDX-License-Identifier: MIT */
/*
 * sandbox_paths: the part of the sandbox that says where is written: Landlock
 * (landlock(7)). What is not handled here, reading first of all, stays as it
 * was.
 */
/* GNU: O_PATH, syscall. */
#define _GNU_SOURCE
#include "io/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/landlock.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Those that came later than the headers we may be built with. */
#define ACCESS_REFER    (1ULL << 13) /* ABI 2 */
#define ACCESS_TRUNCATE (1ULL << 14) /* ABI 3 */

#define ACCESS_FILE (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_EXECUTE)
#define ACCESS_DIRECTORY                                                       \
    (LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |          \
     LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR |              \
     LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |              \
     LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |            \
     LANDLOCK_ACCESS_FS_MAKE_SYM)
/* Granted where something may be written: no device is made anywhere. */
#define GRANTED_DIRECTORY                                                      \
    (ACCESS_DIRECTORY & ~(unsigned long long)(LANDLOCK_ACCESS_FS_MAKE_CHAR |   \
                                              LANDLOCK_ACCESS_FS_MAKE_BLOCK))

static unsigned long long
handled_by(unsigned abi)
{
    return ACCESS_FILE | ACCESS_DIRECTORY | (abi >= 2 ? ACCESS_REFER : 0) |
           (abi >= 3 ? ACCESS_TRUNCATE : 0);
}

/* Opens the directory, or the nearest above it that is there. */
static int
open_nearest(struct slice path)
{
    char text[PATH_MAX];
    if (path.len == 0 || path.len >= sizeof(text)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(text, path.ptr, path.len);
    text[path.len] = '\0';
    int fd = open(text, O_PATH | O_DIRECTORY | O_CLOEXEC);
    while (fd < 0 && errno == ENOENT && text[1] != '\0') {
        char *slash = strrchr(text, '/');
        if (slash == NULL) {
            return open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
        }
        slash[slash == text ? 1 : 0] = '\0';
        fd = open(text, O_PATH | O_DIRECTORY | O_CLOEXEC);
    }
    return fd;
}

/* Takes the descriptor. */
static int
allow(int ruleset, int fd, unsigned long long access)
{
    const struct landlock_path_beneath_attr beneath = {
        .allowed_access = access,
        .parent_fd = fd,
    };
    if (fd < 0) {
        return errno;
    }
    int failed = syscall(SYS_landlock_add_rule, ruleset,
                         LANDLOCK_RULE_PATH_BENEATH, &beneath, 0U) == 0
                     ? 0
                     : errno;
    (void)close(fd);
    return failed;
}

static int
allow_all(int ruleset, unsigned long long handled, const struct slice *writable,
          size_t count)
{
    const unsigned long long file =
        (LANDLOCK_ACCESS_FS_WRITE_FILE | ACCESS_TRUNCATE) & handled;
    int failed = allow(ruleset, open("/dev/null", O_PATH | O_CLOEXEC), file);
    failed = failed == ENOENT ? 0 : failed; /* it is not everywhere */
    for (size_t i = 0; i < count && failed == 0; i++) {
        failed = allow(ruleset, open_nearest(writable[i]),
                       (file | GRANTED_DIRECTORY | ACCESS_REFER) & handled);
    }
    return failed;
}

int
sandbox_limit_writing(const struct slice *writable, size_t count,
                      unsigned *ret_abi)
{
    *ret_abi = 0;
#ifdef LONGSTOP_COVERAGE
    return EOPNOTSUPP; /* the counts are written where it was built */
#endif
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0UL,
                       LANDLOCK_CREATE_RULESET_VERSION);
    if (abi < 1) {
        return errno;
    }
    const struct landlock_ruleset_attr attr = {
        .handled_access_fs = handled_by((unsigned)abi),
    };
    int ruleset =
        (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0U);
    if (ruleset < 0) {
        return errno;
    }
    int failed = allow_all(ruleset, attr.handled_access_fs, writable, count);
    if (failed == 0 && syscall(SYS_landlock_restrict_self, ruleset, 0U) != 0) {
        failed = errno;
    }
    (void)close(ruleset);
    *ret_abi = failed == 0 ? (unsigned)abi : 0;
    return failed;
}
