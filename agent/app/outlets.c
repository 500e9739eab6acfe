/* SPDX-License-Identifier: MIT */
#include "app/outlets.h"

#include "app/paths.h"
#include "base/instant.h"
#include "handler/handler_broker.h"
#include "handler/handler_file.h"
#include "handler/handler_unix.h"
#include "handler/handler_worker.h"
#include "io/account.h"
#include "io/plugin_load.h"
#include "model/fetch.h"

/* A lease must outlive any attempt: the deadline, the time to kill, and the
 * time an outcome may wait for the disk; dispatch adds what is fetched first.
 */
#define LEASE_SLACK_MS (60 * INSTANT_SECOND_MS)
#define KILL_AFTER_MS  (5 * INSTANT_SECOND_MS)
#define OUTPUT_LIMIT   4096

struct making {
    const struct outlets_parts *parts; /* NULL: no handler is made */
    struct arena *arena;
};

/* argv[0] with a slash is relative to the file that names it. */
static enum status
resolve_argv(const struct making *making, const struct config_texts *exec,
             struct slice **ret_argv)
{
    struct slice *argv = arena_array(making->arena, exec->count, sizeof(*argv));
    if (argv == NULL) {
        return STATUS_NOMEM;
    }
    for (size_t i = 0; i < exec->count; i++) {
        argv[i] = exec->at[i];
    }
    *ret_argv = argv;
    const struct config_source *source = exec->marks[0].source;
    if (source == NULL || slice_find(argv[0], '/') == SIZE_MAX) {
        return STATUS_OK;
    }
    enum status status =
        paths_join(source->directory, argv[0], making->arena, &argv[0]);
    /* Without a slash it would be looked up in PATH. */
    if (status == STATUS_OK && slice_find(argv[0], '/') == SIZE_MAX) {
        struct buf path = { 0 };
        buf_text(&path, "./");
        buf_append(&path, argv[0]);
        status = buf_status(&path);
        if (status == STATUS_OK) {
            status = arena_copy(making->arena, buf_slice(&path), &argv[0]);
        }
        buf_fini(&path);
    }
    return status;
}

static enum status
list_env(const struct making *making, const struct config_node *env,
         struct slice **ret_env, size_t *ret_count)
{
    size_t count = 0;
    for (const struct config_node *at = env == NULL ? NULL : env->children;
         at != NULL; at = at->next) {
        count++;
    }
    struct slice *list = arena_array(making->arena, count, sizeof(*list));
    if (list == NULL) {
        return STATUS_NOMEM;
    }
    enum status status = STATUS_OK;
    size_t next = 0;
    for (const struct config_node *at = env == NULL ? NULL : env->children;
         at != NULL && status == STATUS_OK; at = at->next) {
        struct buf pair = { 0 };
        buf_format(&pair, "%.*s=%.*s", SLICE_ARG(at->key), SLICE_ARG(at->text));
        status = buf_status(&pair);
        if (status == STATUS_OK) {
            status = arena_copy(making->arena, buf_slice(&pair), &list[next++]);
        }
        buf_fini(&pair);
    }
    *ret_env = list;
    *ret_count = count;
    return status;
}

/* As many as it takes for `concurrency` lines at a time. */
static size_t
peers_of(const struct handler_settings *settings)
{
    return (size_t)((settings->concurrency + settings->ahead - 1) /
                    settings->ahead);
}

static enum status
make_exec(const struct making *making, const struct handler_settings *settings,
          struct slice name, struct handler **ret, struct error *err)
{
    struct slice *argv, *env;
    size_t env_count;
    enum status status = resolve_argv(making, &settings->exec, &argv);
    if (status == STATUS_OK) {
        status = list_env(making, settings->env, &env, &env_count);
    }
    struct account *account = NULL;
    if (status == STATUS_OK && settings->user.len > 0) {
        account = arena_alloc(making->arena, sizeof(*account));
        status = account == NULL ? STATUS_NOMEM
                                 : account_find(settings->user, making->arena,
                                                account, err);
    }
    if (status != STATUS_OK) {
        return status;
    }
    struct handler_exec_settings exec = {
        .name = name,
        .argv = argv,
        .argc = settings->exec.count,
        .env = env,
        .env_count = env_count,
        .account = account,
        .timeout_ms = settings->timeout_ms,
        .kill_after_ms = KILL_AFTER_MS,
        .output_limit = OUTPUT_LIMIT,
    };
    return settings->is_worker
               ? handler_worker_create(
                     making->parts->loop, making->parts->spawner, &exec,
                     peers_of(settings), (size_t)settings->ahead, ret, err)
               : handler_exec_create(making->parts->spawner, &exec, ret, err);
}

static enum status
make_http(const struct making *making, const struct handler_settings *settings,
          struct slice name, struct handler **ret, struct error *err)
{
    (void)name;
    const struct handler_http_limits limits = {
        .timeout_ms = settings->timeout_ms,
        .connections = settings->concurrency,
        .user_agent = making->parts->user_agent,
    };
    return handler_http_create(making->parts->loop, settings->http,
                               settings->http_secret, &limits, ret, err);
}

static enum status
make_file(const struct making *making, const struct handler_settings *settings,
          struct slice name, struct handler **ret, struct error *err)
{
    (void)name;
    return handler_file_create(making->parts->loop, settings->file.ptr, ret,
                               err);
}

static enum status
make_broker(const struct making *making,
            const struct handler_settings *settings, struct slice name,
            struct handler **ret, struct error *err)
{
    const enum broker_kind kind =
        (enum broker_kind)(settings->kind - HANDLER_BROKERS);
    const struct longstop_plugin *plugin = NULL;
    (void)name;
    enum status status = plugin_load(broker_tables[kind].name, &plugin, err);
    return status != STATUS_OK
               ? status
               : handler_broker_create(making->parts->loop, plugin, kind,
                                       settings->broker, settings->timeout_ms,
                                       ret, err);
}

static enum status
make_unix(const struct making *making, const struct handler_settings *settings,
          struct slice name, struct handler **ret, struct error *err)
{
    (void)name;
    return handler_unix_create(making->parts->loop, settings->unix_path,
                               settings->timeout_ms, peers_of(settings),
                               (size_t)settings->ahead, ret, err);
}

typedef enum status make_fn(const struct making *making,
                            const struct handler_settings *settings,
                            struct slice name, struct handler **ret,
                            struct error *err);

static make_fn *const makers[] = {
    [HANDLER_EXEC] = make_exec,
    [HANDLER_HTTP] = make_http,
    [HANDLER_FILE] = make_file,
    [HANDLER_UNIX] = make_unix,
};

static enum status
make_outlet(const struct making *making,
            const struct handler_settings *settings, struct slice name,
            uint32_t number, struct outlet_settings *outlet, struct error *err)
{
    const int64_t run_ms = settings->timeout_ms + KILL_AFTER_MS;
    *outlet = (struct outlet_settings){
        .name = name,
        .number = number,
        .route = settings->route,
        .retry = settings->retry,
        .brake = settings->brake,
        .concurrency = settings->concurrency,
        .batch = settings->batch,
        .run_ms = run_ms,
        .attempt_ms = run_ms,
        .format = (enum delivery_format)settings->format,
    };
    if (settings->batch != NULL) {
        /* For others, and then for a slot. */
        outlet->attempt_ms += settings->batch->wait_ms + run_ms;
    }
    outlet->lease_ms = outlet->attempt_ms + LEASE_SLACK_MS;
    enum status status = STATUS_OK;
    if (making->parts != NULL) {
        make_fn *make = settings->kind < HANDLER_BROKERS
                            ? makers[settings->kind]
                            : make_broker;
        status = make(making, settings, name, &outlet->handler, err);
    }
    return status == STATUS_OK
               ? STATUS_OK
               : error_wrap(err, status, "handler '%.*s'", SLICE_ARG(name));
}

int64_t
outlets_fetch_ms(const struct configuration *configuration)
{
    int64_t most_ms = 0;
    for (size_t i = 0; i < configuration->connector_count; i++) {
        int64_t ms = fetch_timeout_ms(&configuration->connectors[i]);
        most_ms = ms > most_ms ? ms : most_ms;
    }
    return most_ms;
}

enum status
outlets_create(const struct outlets_parts *parts, const struct naming *naming,
               const bool *kept, struct outlets *ret, struct error *err)
{
    const struct config_list *list = &naming->configuration->settings.handlers;
    const struct handler_settings *all = list->at;
    *ret = (struct outlets){ 0 };
    const struct making making = { parts, &ret->arena };
    ret->at = arena_array(&ret->arena, list->count, sizeof(*ret->at));
    if (ret->at == NULL) {
        return STATUS_NOMEM;
    }
    for (size_t i = 0; i < list->count; i++) {
        ret->count++;
        enum status status =
            kept != NULL && kept[i]
                ? STATUS_OK
                : make_outlet(&making, &all[i], list->names[i],
                              naming_handler(naming, i), &ret->at[i], err);
        if (status != STATUS_OK) {
            outlets_fini(ret);
            return status;
        }
    }
    return STATUS_OK;
}

void
outlets_fini(struct outlets *outlets)
{
    for (size_t i = 0; i < outlets->count; i++) {
        struct handler *handler = outlets->at[i].handler;
        if (handler != NULL) {
            handler->ops->destroy(handler);
        }
    }
    arena_fini(&outlets->arena);
    *outlets = (struct outlets){ 0 };
}
