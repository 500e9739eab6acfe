/* SPDX-License-Identifier: MIT */
#include "handler/handler_exec.h"

#include <stdio.h>
#include <string.h>

#include "base/instant.h"
#include "base/list.h"
#include "base/mem.h"
#include "io/process.h"

/* sysexits.h, EX_DATAERR: the event itself is wrong, so trying again is not
 * going to help. */
enum { EXIT_DEAD = 65, DETAIL_BYTES = 640 };

struct exec {
    struct handler base;
    struct process_spawner *spawner;
    struct arena arena; /* the copies of the settings */
    struct slice name;
    const char **argv;
    const char **env; /* what every attempt has, then NULL */
    size_t env_count;
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

static const char standard_path[] =
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

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
    } else if (end->status != STATUS_OK) {
        len = snprintf(into, DETAIL_BYTES, "%s", end->reason);
    } else if (end->signal != 0) {
        len = snprintf(into, DETAIL_BYTES, "killed by signal %d", end->signal);
    } else {
        len = snprintf(into, DETAIL_BYTES, "exit %d", end->exit_code);
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

/* A line break in a value could pass for a variable of its own in what `env`
 * prints, and NUL cannot be in one at all: control bytes are escaped. */
static char *
variable(struct arena *arena, const char *name, struct slice value)
{
    struct buf text = { 0 };
    buf_text(&text, name);
    buf_byte(&text, '=');
    for (size_t i = 0; i < value.len; i++) {
        unsigned char byte = (unsigned char)value.ptr[i];
        if (byte < ' ' || byte == 0x7f) {
            buf_format(&text, "%%%02X", byte);
        } else {
            buf_byte(&text, value.ptr[i]);
        }
    }
    char *copy = buf_status(&text) == STATUS_OK
                     ? arena_text(arena, buf_slice(&text))
                     : NULL;
    buf_fini(&text);
    return copy;
}

/* Returns the environment of one attempt, or NULL. */
static const char **
environment(const struct exec *exec, const struct delivery *delivery,
            struct arena *arena)
{
    char number[16];
    (void)snprintf(number, sizeof(number), "%u", delivery->attempt);
    const struct {
        const char *name;
        struct slice value;
    } own[] = {
        { "LONGSTOP_EVENT_ID", delivery->event->id },
        { "LONGSTOP_EVENT_TYPE", delivery->event->type },
        { "LONGSTOP_CONNECTOR", delivery->connector },
        { "LONGSTOP_VIA", slice_of(channel_name(delivery->event->via)) },
        { "LONGSTOP_ATTEMPT", slice_of(number) },
        { "LONGSTOP_HANDLER", exec->name },
        { "LONGSTOP_IDEMPOTENCY_KEY", delivery->key },
        { "LONGSTOP_REPLAY", slice_of("1") }, /* last: only there in a replay */
    };
    size_t own_count = sizeof(own) / sizeof(own[0]) - !delivery->is_replay;
    const char **env =
        arena_array(arena, exec->env_count + own_count + 1, sizeof(*env));
    if (env == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < exec->env_count; i++) {
        env[i] = exec->env[i];
    }
    for (size_t i = 0; i < own_count; i++) {
        const char *text = variable(arena, own[i].name, own[i].value);
        if (text == NULL) {
            return NULL;
        }
        env[exec->env_count + i] = text;
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
        .argv = exec->argv,
        .env = env,
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
    return status == STATUS_OK ? STATUS_OK
                               : error_set(err, status, "%s: %s", exec->argv[0],
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

/* Returns copies of `texts` behind `first`, if that is not NULL. */
static const char **
copy_texts(struct arena *arena, const char *first, const struct slice *texts,
           size_t count)
{
    size_t start_at = first != NULL ? 1 : 0;
    const char **copy = arena_array(arena, start_at + count + 1, sizeof(*copy));
    if (copy == NULL) {
        return NULL;
    }
    copy[0] = first;
    for (size_t i = 0; i < count; i++) {
        copy[start_at + i] = arena_text(arena, texts[i]);
        if (copy[start_at + i] == NULL) {
            return NULL;
        }
    }
    return copy;
}

/* A PATH of the configuration replaces ours: two of them would leave it to the
 * program which one counts. */
static bool
has_path(const struct handler_exec_settings *settings)
{
    static const struct slice prefix = SLICE("PATH=");
    for (size_t i = 0; i < settings->env_count; i++) {
        if (slice_starts(settings->env[i], prefix)) {
            return true;
        }
    }
    return false;
}

static bool
copy_settings(struct exec *exec, const struct handler_exec_settings *settings)
{
    const char *path = has_path(settings) ? NULL : standard_path;
    exec->argv = copy_texts(&exec->arena, NULL, settings->argv, settings->argc);
    exec->env =
        copy_texts(&exec->arena, path, settings->env, settings->env_count);
    exec->env_count = settings->env_count + (path != NULL ? 1 : 0);
    exec->timeout_ms = settings->timeout_ms;
    exec->kill_after_ms = settings->kill_after_ms;
    exec->output_limit = settings->output_limit;
    return exec->argv != NULL && exec->env != NULL &&
           arena_copy(&exec->arena, settings->name, &exec->name) == STATUS_OK;
}

enum status
handler_exec_create(struct process_spawner *spawner,
                    const struct handler_exec_settings *settings,
                    struct handler **ret, struct error *err)
{
    if (settings->argc == 0 || settings->argv[0].len == 0) {
        return error_set(err, STATUS_CONFIG,
                         "handler %.*s: exec names no program",
                         SLICE_ARG(settings->name));
    }
    struct exec *exec = mem_zero(sizeof(*exec));
    if (exec == NULL) {
        return error_set(err, STATUS_NOMEM, "handler %.*s: out of memory",
                         SLICE_ARG(settings->name));
    }
    exec->base.ops = &ops;
    exec->spawner = spawner;
    list_init(&exec->running);
    if (!copy_settings(exec, settings)) {
        destroy(&exec->base);
        return error_set(err, STATUS_NOMEM, "handler %.*s: out of memory",
                         SLICE_ARG(settings->name));
    }
    *ret = &exec->base;
    return STATUS_OK;
}
