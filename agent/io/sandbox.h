/* SPDX-License-Identifier: MIT */
/*
 * sandbox: takes from a thread, and from those it starts, what the program has
 * no use for, as far as this kernel can: no privileges by exec (prctl(2),
 * PR_SET_NO_NEW_PRIVS), no system calls that only help an intruder
 * (seccomp(2)), no program, no writing but below named paths (landlock(7)).
 *
 * Threads that were there before are not held, and neither are the programs
 * they start. Nothing here can be undone.
 */
#ifndef IO_SANDBOX_H
#define IO_SANDBOX_H

#include "base/bytes.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

struct sandbox {
    bool no_new_privs;
    bool has_filter;       /* of system calls */
    unsigned landlock_abi; /* 0: none */
    struct error why;      /* empty, or what could not be had */
    bool fails;            /* some of that is in this kernel */
};

/*
 * Enters it: what exists is written to and files are made only in `writable`,
 * directories with all below them; of one that is not there yet, the nearest
 * above it that is. Says in `ret` what took effect.
 */
void sandbox_enter(const struct slice *writable, size_t count,
                   struct sandbox *ret);

/* Whether all three took effect. */
bool sandbox_is_whole(const struct sandbox *sandbox);

/* In a few words: "no-new-privs, seccomp, landlock", or "none". */
void sandbox_text(const struct sandbox *sandbox, struct buf *into);

/* Parts of the above. Each returns 0 or an errno. */
int sandbox_filter_calls(void);
int sandbox_limit_writing(const struct slice *writable, size_t count,
                          unsigned *ret_abi);

#endif
