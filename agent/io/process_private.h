/* SPDX-License-Identifier: MIT */
/*
 * process_private: what process (on the loop) and process_spawn (on the
 * spawner's thread) share.
 */
#ifndef IO_PROCESS_PRIVATE_H
#define IO_PROCESS_PRIVATE_H

#include "base/list.h"
#include "base/mem.h"
#include "io/process.h"

#include <stdbool.h>
#include <sys/types.h>

struct process_spawner {
    struct loop *loop;
    struct offload *thread;
    struct list alive;
};

struct process {
    struct list call; /* while it is with the thread */
    struct list link; /* of those that are alive */
    struct process_spawner *spawner;
    struct arena arena; /* the copies of the spec */
    char **argv;
    char **env;
    char *directory;
    const struct account *account;
    struct slice input; /* what is not written yet */
    int64_t timeout_ms;
    int64_t kill_after_ms;
    size_t output_limit;
    process_end_fn *done;
    process_open_fn *opened;
    void *arg;

    /* Of the thread until it gives the process back. */
    int failed; /* errno of what could not be done */
    struct error reason;
    pid_t pid;
    int pidfd;
    int in_fd;
    int out_fd;
    int talk_fd; /* its stdout, when that is not ours to keep */

    struct loop_timer *timer;
    struct loop_io *exit_io;
    struct loop_io *in_io;
    struct loop_io *out_io;
    struct buf tail;
    int64_t started_ms;
    bool is_queued;
    bool is_revoked;
    bool is_asked; /* SIGTERM was sent */
    bool is_late;
    bool is_canceled;
};

/* Closes a descriptor that is open and marks it closed. */
void process_close(int *fd);

/*
 * Writes as much of stdin as the pipe takes and closes it behind the last byte
 * or when nobody reads any more. Returns false when the rest must wait.
 */
bool process_write_input(struct process *process);

/* Spawns, or sets `failed` and `reason`. On the thread. */
void process_spawn(struct process *process);

/*
 * As posix_spawn, but that the child becomes `process->account` first, which
 * posix_spawn cannot say: a fork. `ends` are its 0, 1 and 2. Returns an errno.
 */
int process_fork(struct process *process, const char *path, const int ends[3]);

/* Kills and reaps a child that nobody could watch. */
void process_abandon(struct process *process);

#endif
