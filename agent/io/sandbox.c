/* SPDX-License-Identifier: MIT */
#include "io/sandbox.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>

static void
note(struct sandbox *sandbox, const char *what, int failed)
{
    const bool lacks = failed == ENOSYS || failed == EOPNOTSUPP;
    sandbox->fails = sandbox->fails || !lacks;
    if (sandbox->why.text[0] == '\0') {
        (void)error_set(&sandbox->why, STATUS_UNAVAILABLE, "%s: %s", what,
                        lacks ? "not in this kernel, or switched off"
                              : strerror(failed));
    }
}

/* Without the first, the kernel has nobody set up the other two. Landlock comes
 * before the filter, which could deny a call that it takes. */
void
sandbox_enter(const struct slice *writable, size_t count, struct sandbox *ret)
{
    *ret = (struct sandbox){ 0 };
    if (prctl(PR_SET_NO_NEW_PRIVS, 1UL, 0UL, 0UL, 0UL) != 0) {
        note(ret, "no-new-privs", errno);
        return;
    }
    ret->no_new_privs = true;
    int failed = sandbox_limit_writing(writable, count, &ret->landlock_abi);
    if (failed != 0) {
        note(ret, "landlock", failed);
    }
    failed = sandbox_filter_calls();
    if (failed != 0) {
        note(ret, "seccomp", failed);
    }
    ret->has_filter = failed == 0;
}

bool
sandbox_is_whole(const struct sandbox *sandbox)
{
    return sandbox->no_new_privs && sandbox->has_filter &&
           sandbox->landlock_abi > 0;
}

void
sandbox_text(const struct sandbox *sandbox, struct buf *into)
{
    const struct {
        const char *name;
        bool is_on;
    } parts[] = {
        { "no-new-privs", sandbox->no_new_privs },
        { "seccomp", sandbox->has_filter },
        { "landlock", sandbox->landlock_abi > 0 },
    };
    const char *before = "";
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (parts[i].is_on) {
            buf_format(into, "%s%s", before, parts[i].name);
            before = ", ";
        }
    }
    if (before[0] == '\0') {
        buf_text(into, "none");
    }
}
