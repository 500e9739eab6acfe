/* SPDX-License-Identifier: MIT */
/*
 * account: an account of this machine, with the groups it is in, and whether
 * this process may start programs that run as it.
 */
#ifndef IO_ACCOUNT_H
#define IO_ACCOUNT_H

#include "base/bytes.h"
#include "base/mem.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct account {
    uid_t uid;
    gid_t gid;           /* the group it logs in with */
    const gid_t *groups; /* all it is in, that one among them */
    size_t group_count;
};

/* Looks it up by its name or number; the groups live in `arena`. A number must
 * be an account's, too: the groups are its. Blocks. STATUS_NOT_FOUND, or
 * STATUS_INVALID for a system's answer that cannot be used, with words. */
NODISCARD
enum status account_find(struct slice name, struct arena *arena,
                         struct account *ret, struct error *err);

/* Whether a child of ours may become it: it is who we are already, or we may
 * set users and groups (CAP_SETUID, CAP_SETGID). */
bool account_may_become(const struct account *account);

/* Makes the calling process, which has one thread, run as `account` for good;
 * only calls that are safe behind a fork (signal-safety(7)). Returns an errno,
 * 0 for none. */
int account_become(const struct account *account);

#endif
