/* SPDX-License-Identifier: MIT */
/* GNU: P_PIDFD, so that a number used again is never waited for. */
#define _GNU_SOURCE
#include "io/process.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/clock.h"
#include "io/loop.h"
#include "io/offload.h"
#include "io/process_private.h"

/*
 * The happy path: process_start copies the spec and hands it to the thread,
 * which makes the pipes, fills stdin and spawns. Back on the loop three
 * descriptors are watched: what is left of stdin, the output, and the pidfd,
 * which becomes readable when the child has ended.
 *
 *      QUEUED ──spawned──► RUNNING ──timeout, cancel──► ASKED (SIGTERM)
 *        │                    │                           │  └─ SIGKILL after
 *        └─ revoked, failed ──┴──────── ended ────────────┴──► done, freed
 *
 * Waits: QUEUED for the thread; RUNNING for the pidfd and the timeout; ASKED
 * for the pidfd and, once, for kill_after. After SIGKILL only the kernel can
 * keep us waiting.
 */

enum {
    READ_BYTES = 16 * 1024,
    READS_A_TURN = 4, /* a child that only writes does not hold the loop */
    READS_AT_END = 64
};

static void
spawn_batch(void *arg, struct list *batch)
{
    (void)arg;
    list_for_each(link, batch) {
        process_spawn(list_entry(link, struct process, call));
    }
}

static void
free_process(struct process *process)
{
    loop_io_destroy(process->exit_io);
    loop_io_destroy(process->in_io);
    loop_io_destroy(process->out_io);
    loop_timer_destroy(process->timer);
    process_close(&process->pidfd);
    process_close(&process->in_fd);
    process_close(&process->out_fd);
    process_close(&process->talk_fd);
    buf_fini(&process->tail);
    arena_fini(&process->arena);
    mem_free(process);
}

static struct slice
kept(const struct process *process)
{
    struct slice output = buf_slice(&process->tail);
    return output.len <= process->output_limit
               ? output
               : slice_from(output, output.len - process->output_limit);
}

static void
finish(struct process *process, struct process_end end)
{
    end.output = kept(process);
    end.duration_ms = loop_now_ms(process->spawner->loop) - process->started_ms;
    list_remove(&process->link);
    process->done(process->arg, &end);
    free_process(process);
}

/* Keeps the last bytes; memory that runs out costs output, nothing else. */
static void
keep_tail(struct process *process, struct slice bytes)
{
    size_t limit = process->output_limit;
    if (bytes.len > limit) {
        bytes = slice_from(bytes, bytes.len - limit);
    }
    buf_append(&process->tail, bytes);
    if (process->tail.len > 2 * limit) {
        buf_consume(&process->tail, process->tail.len - limit);
    }
}

/* Reads what is there, at most `reads` times; false at the end of it all. */
static bool
read_output(struct process *process, int reads)
{
    char bytes[READ_BYTES];
    while (reads > 0) {
        ssize_t got = read(process->out_fd, bytes, sizeof(bytes));
        if (got == 0) {
            return false;
        }
        if (got > 0) {
            keep_tail(process, (struct slice){ bytes, (size_t)got });
            reads--;
        } else if (errno != EINTR) {
            return errno == EAGAIN;
        }
    }
    return true;
}

static void
output_ready(void *arg, int ready)
{
    struct process *process = arg;
    (void)ready;
    if (!read_output(process, READS_A_TURN)) {
        loop_io_want(process->out_io, 0);
    }
}

static void
input_ready(void *arg, int ready)
{
    struct process *process = arg;
    (void)ready;
    /* Not watched any more before write_input may close it. */
    loop_io_want(process->in_io, 0);
    if (!process_write_input(process)) {
        loop_io_want(process->in_io, LOOP_WRITE);
    }
}

/*
 * The child is a zombie until the last line: its number, and so its group's,
 * cannot belong to anybody else while the group is killed. Only what is in the
 * pipe now is read: a grandchild may hold it open for ever.
 */
static void
child_ended(void *arg, int ready)
{
    struct process *process = arg;
    (void)ready;
    siginfo_t info = { 0 };
    if (waitid(P_PIDFD, (id_t)process->pidfd, &info,
               WEXITED | WNOHANG | WNOWAIT) != 0) {
        if (errno != EINTR) {
            finish(process, (struct process_end){
                                .status = STATUS_UNKNOWN,
                                .exit_code = -1,
                                .reason = "its exit code went to another "
                                          "waiter",
                            });
        }
        return;
    }
    if (info.si_pid == 0) {
        return;
    }
    (void)kill(-process->pid, SIGKILL);
    (void)waitid(P_PIDFD, (id_t)process->pidfd, &info, WEXITED | WNOHANG);
    (void)read_output(process, READS_AT_END);

    bool exited = info.si_code == CLD_EXITED;
    finish(process, (struct process_end){
                        .status = process->is_late       ? STATUS_TIMEOUT
                                  : process->is_canceled ? STATUS_CANCELED
                                                         : STATUS_OK,
                        .exit_code = exited ? info.si_status : -1,
                        .signal = exited ? 0 : info.si_status,
                        .reason = "",
                    });
}

static void
ask_to_end(struct process *process)
{
    process->is_asked = true;
    (void)kill(-process->pid, SIGTERM);
    loop_timer_arm(process->timer, process->kill_after_ms);
}

static void
timer_fired(void *arg)
{
    struct process *process = arg;
    if (process->is_revoked) {
        finish(process, (struct process_end){ .status = STATUS_CANCELED,
                                              .exit_code = -1,
                                              .reason = "" });
        return;
    }
    if (process->is_asked) {
        (void)kill(-process->pid, SIGKILL);
        return;
    }
    process->is_late = true;
    ask_to_end(process);
}

static enum status
watch(struct process *process)
{
    struct loop *loop = process->spawner->loop;
    enum status status = loop_io_create(loop, process->pidfd, child_ended,
                                        process, &process->exit_io);
    if (status == STATUS_OK) {
        status = loop_io_create(loop, process->out_fd, output_ready, process,
                                &process->out_io);
    }
    if (status == STATUS_OK && process->in_fd >= 0 && process->opened == NULL) {
        status = loop_io_create(loop, process->in_fd, input_ready, process,
                                &process->in_io);
    }
    return status;
}

/* The last thing done to a child that has just begun: the callee may cancel. */
static void
hand_over(struct process *process)
{
    int in_fd = process->in_fd;
    int talk_fd = process->talk_fd;
    process->in_fd = -1;
    process->talk_fd = -1;
    process->opened(process->arg, in_fd, talk_fd);
}

static void
spawned(void *arg, struct list *call)
{
    struct process *process = list_entry(call, struct process, call);
    (void)arg;
    process->is_queued = false;
    if (process->failed != 0) {
        finish(process, (struct process_end){ .status = STATUS_UNAVAILABLE,
                                              .exit_code = -1,
                                              .reason = process->reason.text });
        return;
    }
    enum status status = watch(process);
    if (status != STATUS_OK) {
        process_abandon(process);
        finish(process, (struct process_end){ .status = status,
                                              .exit_code = -1,
                                              .reason = status_text(status) });
        return;
    }
    loop_io_want(process->exit_io, LOOP_READ);
    loop_io_want(process->out_io, LOOP_READ);
    if (process->in_io != NULL) {
        loop_io_want(process->in_io, LOOP_WRITE);
    }
    if (process->is_canceled) {
        ask_to_end(process);
        return;
    }
    if (process->timeout_ms > 0) {
        loop_timer_arm(process->timer, process->timeout_ms);
    }
    if (process->opened != NULL) {
        hand_over(process);
    }
}

/* Whoever started us may have left SIGCHLD ignored, which is inherited and
 * would have the kernel throw exit codes away. */
static void
keep_exit_codes(void)
{
    struct sigaction action;
    if (sigaction(SIGCHLD, NULL, &action) == 0 &&
        action.sa_handler == SIG_IGN) {
        (void)signal(SIGCHLD, SIG_DFL);
    }
}

enum status
process_spawner_create(struct loop *loop, struct process_spawner **ret,
                       struct error *err)
{
    struct process_spawner *spawner = mem_zero(sizeof(*spawner));
    if (spawner == NULL) {
        return error_set(err, STATUS_NOMEM, "spawner: out of memory");
    }
    spawner->loop = loop;
    list_init(&spawner->alive);
    keep_exit_codes();
    /* One at a time: a child that runs is watched at once. */
    const struct offload_spec spec = {
        .name = "spawner",
        .batch_most = 1,
        .work = spawn_batch,
        .done = spawned,
        .arg = spawner,
    };
    enum status status = offload_create(loop, &spec, &spawner->thread, err);
    if (status != STATUS_OK) {
        mem_free(spawner);
        return status;
    }
    *ret = spawner;
    return STATUS_OK;
}

void
process_spawner_destroy(struct process_spawner *spawner)
{
    if (spawner == NULL) {
        return;
    }
    PRE(list_empty(&spawner->alive));
    offload_destroy(spawner->thread);
    mem_free(spawner);
}

/* Waits, at most so long, for a child to end by itself. */
static void
await_end(const struct process *process, int64_t until_ms)
{
    struct pollfd polled = { .fd = process->pidfd, .events = POLLIN };
    int64_t left_ms;
    int ready = 0;
    do {
        left_ms = until_ms - clock_monotonic_ms();
        ready = poll(&polled, 1, left_ms > 0 ? (int)left_ms : 0);
    } while (ready < 0 && errno == EINTR && left_ms > 0);
}

void
process_spawner_kill(struct process_spawner *spawner, int64_t wait_ms)
{
    if (spawner == NULL) {
        return;
    }
    /* Behind this, each child that was begun is known here. */
    offload_destroy(spawner->thread);
    spawner->thread = NULL;
    list_for_each(link, &spawner->alive) {
        struct process *process = list_entry(link, struct process, link);
        if (process->pid > 0) {
            (void)kill(-process->pid, SIGTERM);
        }
    }
    int64_t until_ms = clock_monotonic_ms() + wait_ms;
    list_for_each(link, &spawner->alive) {
        struct process *process = list_entry(link, struct process, link);
        if (process->pid > 0) {
            await_end(process, until_ms);
            process_abandon(process);
        }
    }
}

static char **
copy_texts(struct arena *arena, const char *const *texts)
{
    size_t count = 0;
    while (texts[count] != NULL) {
        count++;
    }
    char **copy = arena_array(arena, count + 1, sizeof(*copy));
    if (copy == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        copy[i] = arena_text(arena, slice_of(texts[i]));
        if (copy[i] == NULL) {
            return NULL;
        }
    }
    return copy;
}

static bool
copy_spec(struct process *process, const struct process_spec *spec)
{
    process->argv = copy_texts(&process->arena, spec->argv);
    process->env = copy_texts(&process->arena, spec->env);
    if (spec->directory != NULL) {
        process->directory =
            arena_text(&process->arena, slice_of(spec->directory));
    }
    process->account = spec->account;
    process->input = spec->input;
    process->timeout_ms = spec->timeout_ms;
    process->kill_after_ms = spec->kill_after_ms;
    process->output_limit = spec->output_limit;
    return process->argv != NULL && process->env != NULL &&
           (spec->directory == NULL || process->directory != NULL);
}

enum status
process_start(struct process_spawner *spawner, const struct process_spec *spec,
              process_end_fn *done, void *arg, struct process **ret)
{
    PRE(spec->argv[0] != NULL);
    struct process *process = mem_zero(sizeof(*process));
    if (process == NULL) {
        return STATUS_NOMEM;
    }
    process->spawner = spawner;
    process->done = done;
    process->opened = spec->opened;
    process->arg = arg;
    process->pidfd = -1;
    process->in_fd = -1;
    process->out_fd = -1;
    process->talk_fd = -1;
    process->started_ms = loop_now_ms(spawner->loop);
    if (!copy_spec(process, spec) ||
        loop_timer_create(spawner->loop, timer_fired, process,
                          &process->timer) != STATUS_OK) {
        free_process(process);
        return STATUS_NOMEM;
    }
    process->is_queued = true;
    list_append(&spawner->alive, &process->link);
    offload_put(spawner->thread, &process->call);
    *ret = process;
    return STATUS_OK;
}

void
process_cancel(struct process *process)
{
    if (process->is_canceled || process->is_asked) {
        return;
    }
    process->is_canceled = true;
    if (!process->is_queued) {
        ask_to_end(process);
        return;
    }
    if (offload_revoke(process->spawner->thread, &process->call)) {
        process->is_queued = false;
        process->is_revoked = true;
        loop_timer_arm(process->timer, 0);
    }
}

struct slice
process_output(struct process *process)
{
    (void)read_output(process, READS_A_TURN);
    return kept(process);
}

void
process_forget_output(struct process *process)
{
    (void)read_output(process, READS_A_TURN);
    buf_clear(&process->tail);
}
