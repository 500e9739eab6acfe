/* SPDX-License-Identifier: MIT */
#include "handler/handler_exec.h"

#include <stdio.h>
#include <string.h>

#include "base/instant.h"
#include "base/list.h"
#include "base/mem.h"
#include "handler/handler_program.h"
#include "io/process.h"

/* sysexits.h, EX_DATAERR: the event itself is wrong, so trying again is not
 * going to help. */
enum { EXIT_DEAD = 65, DETAIL_BYTES = 640 };

struct exec {
    struct handler base;
    struct process_spawner *spawner;
    struct arena arena; /* the copies of the settings */
    struct slice name;
    struct handler_program program;
    int64_t timeout_ms;
    int64_t kill_after_ms;
    size_t output_limit;
    struct list running;
};

struct attempt {
    struct list link;
    struct exec *exec;
    struct process *process;
    handler_result_fn *done;
    void *arg;
};

/* How an end reads in the attempt's log. */
static struct slice
detail_of(const struct exec *exec, const struct process_end *end,
          char into[DETAIL_BYTES])
{
    char span[INSTANT_TEXT_BYTES];
    int len;
    if (end->status == STATUS_TIMEOUT) {
        len = snprintf(into, DETAIL_BYTES, "timed out after %s",
                       instant_span_text(exec->timeout_ms, span));
    } else if (end->status == STATUS_CANCELED) {
        len = snprintf(into, DETAIL_BYTES, "stopped with the agent");
    } else {
        return handler_program_end(end, into, DETAIL_BYTES);
    }
    return (struct slice){ into, len < 0               ? 0
                                 : len >= DETAIL_BYTES ? DETAIL_BYTES - 1
                                                       : (size_t)len };
}

static enum disposition
disposition_of(const struct process_end *end)
{
    if (end->status != STATUS_OK || end->signal != 0) {
        return DISPOSITION_LATER;
    }
    return end->exit_code == 0           ? DISPOSITION_DONE
           : end->exit_code == EXIT_DEAD ? DISPOSITION_NEVER
                                         : DISPOSITION_LATER;
}

static void
ended(void *arg, const struct process_end *end)
{
    struct attempt *attempt = arg;
    char detail[DETAIL_BYTES];
    const struct handler_result result = {
        .disposition = disposition_of(end),
        .detail = detail_of(attempt->exec, end, detail),
        .output = end->output,
        .duration_ms = end->duration_ms,
    };
    list_remove(&attempt->link);
    attempt->done(attempt->arg, &result);
    mem_free(attempt);
}

/* Returns the environment of one attempt, or NULL. */
static const char **
environment(const struct exec *exec, const struct delivery *delivery,
            struct arena *arena)
{
    char number[16];
    char count[24];
    const bool many = delivery->is_batch;
    const struct slice trace = event_traceparent(delivery->event);
    (void)snprintf(number, sizeof(number), "%u", delivery->attempt);
    (void)snprintf(count, sizeof(count), "%zu", delivery->count);
    const struct {
        const char *name;
        struct slice value;
        bool left_out;
    } own[] = {
        { "LONGSTOP_EVENT_ID", delivery->event->id, many },
        { "LONGSTOP_EVENT_TYPE", delivery->event->type, many },
        { "LONGSTOP_CONNECTOR", delivery->connector, many },
        { "LONGSTOP_VIA", slice_of(channel_name(delivery->event->via)), many },
        { "LONGSTOP_ATTEMPT", slice_of(number), many },
        { "LONGSTOP_BATCH", slice_of(count), !many },
        { "LONGSTOP_HANDLER", exec->name, false },
        { "LONGSTOP_IDEMPOTENCY_KEY", delivery->key, false },
        { "LONGSTOP_REPLAY", slice_of("1"), !delivery->is_replay },
        /* what the libraries of tracing look for */
        { "TRACEPARENT", trace, many || trace.len == 0 },
    };
    size_t own_count = sizeof(own) / sizeof(own[0]);
    const char **env = arena_array(
        arena, exec->program.env_count + own_count + 1, sizeof(*env));
    if (env == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < exec->program.env_count; i++) {
        env[i] = exec->program.env[i];
    }
    size_t next = exec->program.env_count;
    for (size_t i = 0; i < own_count; i++) {
        if (own[i].left_out) {
            continue;
        }
        const char *text =
            handler_program_variable(arena, own[i].name, own[i].value);
        if (text == NULL) {
            return NULL;
        }
        env[next++] = text;
    }
    return env;
}

static enum status
start(struct handler *handler, const struct delivery *delivery,
      handler_result_fn *done, void *arg, struct error *err)
{
    struct exec *exec = (struct exec *)(void *)handler;
    struct arena arena = { 0 };
    enum status status = STATUS_NOMEM;
    const char **env = environment(exec, delivery, &arena);
    struct attempt *attempt = mem_zero(sizeof(*attempt));
    if (env == NULL || attempt == NULL) {
        goto free_arena;
    }
    attempt->exec = exec;
    attempt->done = done;
    attempt->arg = arg;
    const struct process_spec spec = {
        .argv = exec->program.argv,
        .env = env,
        .account = exec->program.account,
        .input = delivery->envelope,
        .timeout_ms = exec->timeout_ms,
        .kill_after_ms = exec->kill_after_ms,
        .output_limit = exec->output_limit,
    };
    status =
        process_start(exec->spawner, &spec, ended, attempt, &attempt->process);
    if (status == STATUS_OK) {
        list_append(&exec->running, &attempt->link);
        attempt = NULL;
    }

free_arena:
    mem_free(attempt);
    arena_fini(&arena);
    return status == STATUS_OK
               ? STATUS_OK
               : error_set(err, status, "%s: %s", exec->program.argv[0],
                           status_text(status));
}

static void
cancel(struct handler *handler)
{
    struct exec *exec = (struct exec *)(void *)handler;
    list_for_each(link, &exec->running) {
        process_cancel(list_entry(link, struct attempt, link)->process);
    }
}

static void
destroy(struct handler *handler)
{
    struct exec *exec = (struct exec *)(void *)handler;
    PRE(list_empty(&exec->running));
    arena_fini(&exec->arena);
    mem_free(exec);
}

static const struct handler_ops ops = {
    .start = start,
    .cancel = cancel,
    .destroy = destroy,
};

enum status
handler_exec_create(struct process_spawner *spawner,
                    const struct handler_exec_settings *settings,
                    struct handler **ret, struct error *err)
{
    enum status status = handler_program_check(settings, err);
    if (status != STATUS_OK) {
        return status;
    }
    struct exec *exec = mem_zero(sizeof(*exec));
    if (exec == NULL) {
        return error_set(err, STATUS_NOMEM, "handler %.*s: out of memory",
                         SLICE_ARG(settings->name));
    }
    exec->base.ops = &ops;
    exec->spawner = spawner;
    list_init(&exec->running);
    exec->timeout_ms = settings->timeout_ms;
    exec->kill_after_ms = settings->kill_after_ms;
    exec->output_limit = settings->output_limit;
    if (!handler_program_copy(&exec->arena, settings, &exec->program) ||
        arena_copy(&exec->arena, settings->name, &exec->name) != STATUS_OK) {
        destroy(&exec->base);
        return error_set(err, STATUS_NOMEM, "handler %.*s: out of memory",
                         SLICE_ARG(settings->name));
    }
    *ret = &exec->base;
    return STATUS_OK;
}
