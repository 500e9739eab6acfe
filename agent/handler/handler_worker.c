/* SPDX-License-Identifier: MIT */
#include "handler/handler_worker.h"

#include "base/instant.h"
#include "base/mem.h"
#include "handler/handler_lines.h"
#include "handler/handler_program.h"
#include "io/process.h"

/* Between the end of a child's stdout and SIGTERM: it is most often the first
 * that is seen of its end. */
#define GRACE_MS     INSTANT_SECOND_MS
#define DETAIL_BYTES 512

struct worker {
    struct process_spawner *spawner;
    struct arena arena;
    struct handler_program program;
    int64_t kill_after_ms;
    size_t output_limit;
};

struct child {
    struct lines_peer *peer;
    struct process *process; /* NULL: it has ended, and this was its output */
    struct slice output;
};

static void
opened(void *arg, int in_fd, int out_fd)
{
    struct child *child = arg;
    lines_opened(child->peer, in_fd, out_fd);
}

/* What its deliveries are told, where nothing else is known: we end none by
 * ourselves for another reason than that it does not answer any more. */
static void
tell_end(const struct process_end *end, struct error *words)
{
    char how[DETAIL_BYTES];
    struct slice text = handler_program_end(end, how, sizeof(how));
    if (end->status == STATUS_CANCELED) {
        (void)error_set(words, end->status,
                        "the worker was ended: it closed its stdout");
    } else if (end->status != STATUS_OK) {
        (void)error_set(words, end->status, "%.*s", SLICE_ARG(text));
    } else {
        (void)error_set(words, end->status,
                        "the worker ended before it answered: %.*s",
                        SLICE_ARG(text));
    }
}

static void
ended(void *arg, const struct process_end *end)
{
    struct child *child = arg;
    struct error words = { "" };
    tell_end(end, &words);
    child->process = NULL;
    child->output = end->output;
    lines_closed(child->peer, words.text, end->output);
    mem_free(child);
}

static enum status
open_child(void *arg, struct lines_peer *peer, void **data, struct error *err)
{
    struct worker *worker = arg;
    struct child *child = mem_zero(sizeof(*child));
    if (child == NULL) {
        return error_set(err, STATUS_NOMEM, "%s: out of memory",
                         worker->program.argv[0]);
    }
    child->peer = peer;
    const struct process_spec spec = {
        .argv = worker->program.argv,
        .env = worker->program.env,
        .account = worker->program.account,
        .kill_after_ms = worker->kill_after_ms,
        .output_limit = worker->output_limit,
        .opened = opened,
    };
    enum status status =
        process_start(worker->spawner, &spec, ended, child, &child->process);
    if (status != STATUS_OK) {
        mem_free(child);
        return error_set(err, status, "%s: %s", worker->program.argv[0],
                         status_text(status));
    }
    *data = child;
    return STATUS_OK;
}

static void
end_child(void *arg, struct lines_peer *peer, void *data)
{
    struct child *child = data;
    (void)arg;
    if (child == NULL) {
        lines_closed(peer, "", slice_of("")); /* it could not be begun */
    } else {
        process_cancel(child->process);
    }
}

static struct slice
output_of(void *data)
{
    struct child *child = data;
    return child->process == NULL ? child->output
                                  : process_output(child->process);
}

static void
forget(void *data)
{
    struct child *child = data;
    process_forget_output(child->process);
}

static void
destroy(void *arg)
{
    struct worker *worker = arg;
    arena_fini(&worker->arena);
    mem_free(worker);
}

static const struct lines_way way = {
    .noun = "the worker",
    .grace_ms = GRACE_MS,
    .open = open_child,
    .end = end_child,
    .output = output_of,
    .forget = forget,
    .destroy = destroy,
};

/* Adds what a worker can know before any delivery: whose it is. */
static bool
copy_program(struct worker *worker,
             const struct handler_exec_settings *settings)
{
    struct handler_program *program = &worker->program;
    if (!handler_program_copy(&worker->arena, settings, program)) {
        return false;
    }
    const char **env =
        arena_array(&worker->arena, program->env_count + 2, sizeof(*env));
    const char *name = handler_program_variable(
        &worker->arena, "LONGSTOP_HANDLER", settings->name);
    if (env == NULL || name == NULL) {
        return false;
    }
    for (size_t i = 0; i < program->env_count; i++) {
        env[i] = program->env[i];
    }
    env[program->env_count++] = name;
    program->env = env;
    return true;
}

enum status
handler_worker_create(struct loop *loop, struct process_spawner *spawner,
                      const struct handler_exec_settings *settings,
                      size_t children, size_t ahead, struct handler **ret,
                      struct error *err)
{
    enum status status = handler_program_check(settings, err);
    if (status != STATUS_OK) {
        return status;
    }
    struct worker *worker = mem_zero(sizeof(*worker));
    if (worker == NULL) {
        return error_set(err, STATUS_NOMEM, "out of memory");
    }
    worker->spawner = spawner;
    worker->kill_after_ms = settings->kill_after_ms;
    worker->output_limit = settings->output_limit;
    const struct handler_lines_settings lines = {
        .way = &way,
        .arg = worker,
        .timeout_ms = settings->timeout_ms,
        .peers = children,
        .ahead = ahead,
    };
    status = copy_program(worker, settings)
                 ? handler_lines_create(loop, &lines, ret)
                 : STATUS_NOMEM;
    if (status != STATUS_OK) {
        destroy(worker);
        return error_set(err, status, "%s", status_text(status));
    }
    return STATUS_OK;
}
