/* SPDX-License-Identifier: MIT */
/*
 * process: child processes with bytes on stdin, their output kept, a deadline
 * and an orderly end.
 *
 * A small thread of its own calls posix_spawn, which holds its caller 0.5 to
 * 1.4 ms. A child gets descriptors 0, 1 and 2 only, a process group of its
 * own, default signals, an environment that holds just what the spec says.
 * Timeout: SIGTERM to the group, after `kill_after_ms` SIGKILL. When the child
 * itself has ended, nobody waits for grandchildren that hold its output open.
 *
 * A child may also be talked to: its stdin and stdout are then the caller's. It
 * may run as another account; then a fork of ours becomes that first.
 */
#ifndef IO_PROCESS_H
#define IO_PROCESS_H

#include "base/bytes.h"
#include "base/status.h"

#include <stdint.h>

struct account;
struct loop;
struct process_spawner;
struct process;

NODISCARD
enum status process_spawner_create(struct loop *loop,
                                   struct process_spawner **ret,
                                   struct error *err);
/*
 * Ends them all without the loop, which does not run any more: SIGTERM to each
 * group, and SIGKILL to what is left of it after `wait_ms` in all. No `done`
 * comes; nothing may be done with the spawner or its processes but to end the
 * program. NULL is allowed.
 */
void process_spawner_kill(struct process_spawner *spawner, int64_t wait_ms);
/* Every process must have ended. NULL is allowed. */
void process_spawner_destroy(struct process_spawner *spawner);

/* The child runs: `in_fd` writes to its stdin, `out_fd` reads its stdout. Both
 * are non-blocking and from here on the callee's, who closes them. */
typedef void process_open_fn(void *arg, int in_fd, int out_fd);

struct process_spec {
    const char *const *argv; /* NULL-terminated; argv[0] is looked up in PATH
                                only if it holds no '/' */
    const char *const *env;  /* NULL-terminated, "NAME=value" */
    const char *directory;   /* NULL: ours */
    const struct account *account; /* NULL: ours; outlives the child */
    struct slice input;            /* borrowed until the callback */
    int64_t timeout_ms;            /* 0: no limit */
    int64_t kill_after_ms;         /* 5 s */
    size_t output_limit;     /* the last so many bytes of stdout and stderr,
                                together: 4 KiB */
    process_open_fn *opened; /* or NULL; comes once before `done`, with the
                                same `arg`, unless the child never runs or is
                                cancelled first. There is no `input` then, and
                                the output is stderr alone */
};

struct process_end {
    enum status status; /* STATUS_OK: it ran to an end of its own;
                           STATUS_TIMEOUT; STATUS_CANCELED; else it could not
                           be started, words in `reason` */
    int exit_code;      /* -1 when a signal ended it */
    int signal;         /* 0 when it exited */
    struct slice output;
    int64_t duration_ms;
    const char *reason;
};

typedef void process_end_fn(void *arg, const struct process_end *end);

/* Starts a child. All of `spec` but `input` is copied. `done` comes exactly
 * once, later; the process is gone when it comes. */
NODISCARD
enum status process_start(struct process_spawner *spawner,
                          const struct process_spec *spec, process_end_fn *done,
                          void *arg, struct process **ret);

/* Asks it to end now: SIGTERM, then SIGKILL; `done` comes with
 * STATUS_CANCELED. */
void process_cancel(struct process *process);

/* The last bytes of output so far, up to what can be read now; borrowed until
 * the loop goes on. Not before `opened`. */
struct slice process_output(struct process *process);

/* Forgets the output so far. */
void process_forget_output(struct process *process);

#endif
