/* SPDX-License-Identifier: MIT */
#include "app/agent_private.h"

#include <stdio.h>
#include <string.h>

#include "app/admin.h"
#include "app/heartbeat.h"
#include "app/live_tell.h"
#include "app/naming.h"
#include "app/outlets.h"
#include "base/instant.h"
#include "base/log.h"
#include "flow/dispatch.h"
#include "flow/errands.h"
#include "flow/leases.h"
#include "flow/pauses.h"
#include "flow/receivers.h"
#include "flow/refusals.h"
#include "flow/wake.h"
#include "io/clock.h"
#include "io/http_client.h"
#include "io/log_sink.h"
#include "io/loop.h"
#include "io/notify.h"
#include "io/process.h"
#include "source/source_webhook.h"
#include "store/store_reader.h"
#include "store/store_worker.h"
#include "wire/digest.h"

/*
 * The frame, which stays, from top to bottom: the loop; the outside (HTTP
 * client, child processes); the store and its thread; dispatch; the listeners.
 * Between them stands the generation, made of the configuration: the sources
 * and what they need. Destroying goes the other way.
 */

/* After the first error of the disk nothing may be acknowledged any more. What
 * runs is asked to end at once: its outcome has no place to go. */
static void
store_failed(void *arg, enum status status, const char *words)
{
    struct agent *agent = arg;
    LOG(LOG_ERROR, "the store has failed; nothing is acknowledged any more",
        log_text("status", status_text(status)), log_text("why", words));
    agent->exit_code = EXIT_STORE;
    agent_begin_end(agent);
    if (agent->dispatch != NULL) {
        dispatch_cancel(agent->dispatch);
    }
}

static void
store_waits(void *arg, bool waits, const char *words)
{
    (void)arg;
    if (waits) {
        LOG(LOG_ERROR, "the store cannot be written: walks and senders wait",
            log_text("why", words));
    } else {
        LOG(LOG_INFO, "the store can be written again",
            log_text("why", "a probe was stored"));
    }
}

/* ---- walks ---- */

static void
walk_asked(void *arg, const struct poll_asked *asked)
{
    struct agent *agent = arg;
    admin_poll_asked(agent->admin, asked, false);
    if (agent->settings.observer.asked != NULL) {
        agent->settings.observer.asked(agent->settings.observer.arg, asked);
    }
}

static void
walk_ended(void *arg, const struct poll_ended *ended)
{
    static const enum exit_code codes[] = { [POLL_OK] = EXIT_OK,
                                            [POLL_FAILED] = EXIT_FAILED,
                                            [POLL_LIMITED] = EXIT_LATER,
                                            [POLL_GONE] = EXIT_FAILED,
                                            [POLL_YIELDED] = EXIT_LATER };
    struct agent *agent = arg;
    admin_poll_ended(agent->admin, ended, false);
    live_tell_walk(agent->live, ended);
    if (agent->settings.observer.ended != NULL) {
        agent->settings.observer.ended(agent->settings.observer.arg, ended);
    }
    if (agent->settings.mode != AGENT_RUN && agent->exit_code != EXIT_STORE) {
        agent->exit_code = codes[ended->outcome];
        agent_begin_end(agent);
    }
}

static void
trial_asked(void *arg, const struct poll_asked *asked)
{
    const struct agent *agent = arg;
    admin_poll_asked(agent->admin, asked, true);
}

static void
trial_ended(void *arg, const struct poll_ended *ended)
{
    const struct agent *agent = arg;
    admin_poll_ended(agent->admin, ended, true);
}

/* ---- building ---- */

static uint64_t
random_seed(void)
{
    uint64_t seed;
    return digest_random(&seed, sizeof(seed)) == STATUS_OK
               ? seed
               : (uint64_t)clock_monotonic_us();
}

struct outlets_parts
agent_parts(const struct agent *agent)
{
    return (struct outlets_parts){ agent->loop, agent->user_agent,
                                   agent->spawner };
}

/* Introduces all names of the configuration to the store, and makes the
 * handlers. */
static enum status
name_all(struct agent *agent, struct store *store, struct error *err)
{
    const struct outlets_parts parts = agent_parts(agent);
    const bool runs = agent->settings.mode == AGENT_RUN;
    struct naming naming = { 0 };
    enum status status = naming_create(agent->settings.configuration, &naming);
    if (status == STATUS_OK) {
        status = naming_read(store, &naming, err);
    }
    if (status == STATUS_OK) {
        status = naming_settle(store, &naming, err);
    }
    if (status == STATUS_OK) {
        status = generation_make_outlets(agent->generation, NULL,
                                         runs ? &parts : NULL, &naming, err);
    }
    if (status == STATUS_OK) {
        status = pauses_create(naming.count, &agent->telemetry, &agent->pauses);
    }
    if (status == STATUS_OK) {
        status = agent_put_pauses(agent, &naming);
    }
    naming_fini(&naming);
    return status;
}

static enum status
build_store(struct agent *agent, struct error *err)
{
    const struct configuration *configuration = agent->configuration;
    const struct store_settings store_settings = {
        .page_size = 4096,
        .attempts_each = configuration->settings.keep.attempts_each,
        .version = agent->settings.version,
    };
    const struct store_worker_settings worker_settings = {
        .queue_events = configuration->settings.limits.queue_events,
        .queue_bytes = configuration->settings.limits.queue_bytes,
        .group_units = configuration->settings.limits.group_units,
    };
    struct store *store;
    enum status status = store_open(configuration->places.store_url.ptr,
                                    &store_settings, &store, err);
    if (status == STATUS_NOT_FOUND) {
        return error_wrap(err, STATUS_IO, "store"); /* its folder */
    }
    if (status != STATUS_OK) {
        return status;
    }
    agent->is_shared = store->ops->beat != NULL;
    status = name_all(agent, store, err);
    int64_t floor_ms = store->ops->ledger_floor_ms(store);
    if (status == STATUS_OK) {
        status = agent_build_receivers(agent, store, err);
    }
    if (status == STATUS_OK) {
        status = store_worker_create(agent->loop, store, &worker_settings,
                                     &agent->worker, err);
    }
    if (status != STATUS_OK) {
        store->ops->close(store);
        return status;
    }
    pauses_begin(agent->pauses, agent->worker, agent_pause_changed, agent);
    store_worker_on_failure(agent->worker, store_failed, agent);
    store_worker_on_wait(agent->worker, store_waits, agent);
    agent->floor_ms = floor_ms;
    return STATUS_OK;
}

static enum status
build_reader(struct agent *agent, struct error *err)
{
    struct store_view *view;
    enum status status =
        store_view_open(agent->configuration->places.store_url.ptr, &view, err);
    return status != STATUS_OK
               ? status
               : store_reader_create(agent->loop, view, &agent->reader, err);
}

static void
commit_took(void *arg, double seconds, size_t units)
{
    struct agent *agent = arg;
    (void)units;
    metric_observe(agent->telemetry.commit_seconds, seconds);
}

static enum status
build_dispatch(struct agent *agent)
{
    const struct dispatch_settings settings = {
        .outlets = agent->generation->listed.at,
        .outlet_count = agent->generation->listed.count,
        .spare = (size_t)agent->rules.most + SPARE_HANDLERS,
        .telemetry = &agent->telemetry,
        .watch = live_watch(agent->live),
        .pauses = agent->pauses,
        .owe_only = agent->settings.mode != AGENT_RUN,
        .seed = random_seed(),
    };
    return dispatch_create(agent->loop, agent->worker, &settings,
                           &agent->dispatch);
}

/* Nothing has begun in the epoch of the settings. */
static void
ignore_left(void *arg)
{
    (void)arg;
}

static enum status
build_generation(struct agent *agent)
{
    const bool runs = agent->settings.mode == AGENT_RUN;
    agent->frame = (struct generation_frame){
        .loop = agent->loop,
        .worker = agent->worker,
        .client = agent->client,
        .telemetry = &agent->telemetry,
        .dispatch = agent->dispatch,
        .leases = agent->leases,
        .live = agent->live,
        .runs = runs,
        .dry = agent->settings.mode == AGENT_POLL_DRY,
        .only = agent->settings.only,
        .walks = { agent, walk_asked, walk_ended },
        .trials = { agent, trial_asked, trial_ended },
        .unused = agent_generation_unused,
        .arg = agent,
    };
    enum status status = generation_build(agent->generation, agent->floor_ms);
    if (status == STATUS_OK) {
        dispatch_enter(agent->dispatch, &agent->generation->epoch, ignore_left,
                       NULL);
        store_worker_on_commit(agent->worker, commit_took, agent);
    }
    return status;
}

static enum status
build_errands(struct agent *agent)
{
    const struct configuration *configuration = agent->configuration;
    const struct errands_settings settings = {
        .dispatch = agent->dispatch,
        .reader = agent->reader,
        .connectors = configuration->connectors,
        .connector_count = configuration->connector_count,
        .open_most = configuration->settings.limits.errand_open,
    };
    return errands_create(agent->loop, agent->worker, &settings,
                          &agent->errands);
}

static enum status
build_listener(struct agent *agent, struct error *err)
{
    const struct configuration *configuration = agent->configuration;
    const struct listen_settings *listen = configuration->settings.listen;
    if (listen == NULL) {
        return STATUS_OK;
    }
    struct http_server_handler handler =
        source_webhook_handler(agent->generation->webhook);
    enum status status = http_server_create(
        agent->loop, configuration->places.listen_address.ptr, 0660,
        &listen->limits, &handler, &agent->server, err);
    if (status != STATUS_OK) {
        return error_wrap(err, status, "listen.address");
    }
    http_server_speak_tls(agent->server, agent->doors.listen);
    return STATUS_OK;
}

struct admin_settings_of_agent
agent_admin_settings(struct agent *agent)
{
    return (struct admin_settings_of_agent){
        .generation = agent->generation,
        .reload = agent_reload,
        .reload_arg = agent,
        .address = agent->configuration->places.admin_address,
        .token = agent->configuration->admin_token,
        .tls = agent->doors.admin,
        .worker = agent->worker,
        .reader = agent->reader,
        .telemetry = &agent->telemetry,
        .dispatch = agent->dispatch,
        .errands = agent->errands,
        .leases = agent->leases,
        .pauses = agent->pauses,
        .receivers = agent->receivers,
        .outlets = agent->generation->listed.at,
        .outlet_count = agent->generation->listed.count,
        .connectors = agent->configuration->connectors,
        .connector_count = agent->configuration->connector_count,
        .walks = agent->generation->walks,
        .streams = agent->generation->streams,
        .live = agent->live,
        .live_streams = (size_t)agent->configuration->settings.admin.streams,
        .is_listening = agent->configuration->settings.listen != NULL,
        .sandbox = agent->confined.text,
        .version = agent->settings.version,
        .started_ms = agent->started_ms,
        .loaded_ms = agent->loaded_ms,
    };
}

static enum status
build_admin(struct agent *agent, struct error *err)
{
    const struct admin_settings_of_agent settings = agent_admin_settings(agent);
    return admin_create(agent->loop, &settings, &agent->admin, err);
}

static enum status
build_outside(struct agent *agent, struct error *err)
{
    const struct outbound_settings *outbound =
        &agent->configuration->settings.outbound;
    (void)snprintf(agent->user_agent, sizeof(agent->user_agent), "longstop/%s",
                   agent->settings.version);
    const struct http_client_settings http = {
        .connections = 64,
        .connections_per_host = 8,
        .user_agent = agent->user_agent,
        .allowed = outbound->rules.allowed,
        .allowed_count = outbound->rules.allowed_count,
    };
    enum status status =
        http_client_create(agent->loop, &http, &agent->client, err);
    return status == STATUS_OK && agent->settings.mode == AGENT_RUN
               ? agent_build_hands(agent, err)
               : status;
}

struct heartbeat_settings
agent_heartbeat(struct agent *agent)
{
    return (struct heartbeat_settings){
        .loop = agent->loop,
        .worker = agent->worker,
        .configuration = agent->configuration,
        .outlets = &agent->generation->listed,
        .dispatch = agent->dispatch,
        .walks = agent->generation->walks,
    };
}

static enum status
build_heartbeat(struct agent *agent)
{
    const struct heartbeat_settings settings = agent_heartbeat(agent);
    return heartbeat_create(&settings, &agent->heartbeat);
}

/* What only an agent has that stays. */
static enum status
build_service(struct agent *agent, struct error *err)
{
    enum status status = build_reader(agent, err);
    status = status != STATUS_OK ? status : build_errands(agent);
    status = status != STATUS_OK ? status
                                 : doors_open(&agent->configuration->settings,
                                              &agent->doors, err);
    doors_show(&agent->doors, &agent->telemetry);
    status = status != STATUS_OK ? status : build_admin(agent, err);
    status = status != STATUS_OK ? status : build_heartbeat(agent);
    return status != STATUS_OK ? status : build_listener(agent, err);
}

static enum status
build(struct agent *agent, struct error *err)
{
    enum status status = loop_create(&agent->loop);
    status = status != STATUS_OK ? status : agent_build_signals(agent);
    status = status != STATUS_OK
                 ? status
                 : telemetry_init(&agent->telemetry, agent->settings.version);
    if (status == STATUS_OK) {
        telemetry_loaded(&agent->telemetry, true, agent->loaded_ms);
        status = agent_reload_open(agent);
    }
    status = status != STATUS_OK ? status : build_outside(agent, err);
    status = status != STATUS_OK ? status : build_store(agent, err);
    if (status == STATUS_OK && agent->settings.mode == AGENT_RUN) {
        status = live_create(agent->loop, clock_unix_ms(), LIVE_LINGER_MS,
                             &agent->live);
    }
    status = status != STATUS_OK ? status : build_dispatch(agent);
    if (status == STATUS_OK && agent->settings.mode == AGENT_RUN) {
        status = agent_build_wake(agent, random_seed(), err);
    }
    status = status != STATUS_OK ? status : agent_build_leases(agent);
    status = status != STATUS_OK ? status : build_generation(agent);
    return status == STATUS_OK && agent->settings.mode == AGENT_RUN
               ? build_service(agent, err)
               : status;
}

enum status
agent_create(const struct agent_settings *settings, struct agent **ret,
             struct error *err)
{
    struct agent *agent = mem_zero(sizeof(*agent));
    if (agent == NULL) {
        return STATUS_NOMEM;
    }
    agent->settings = *settings;
    agent->configuration = settings->configuration;
    agent->started_ms = clock_unix_ms();
    agent->loaded_ms = agent->started_ms;
    agent_reload_init(agent);
    agent->generation =
        generation_create(&agent->frame, settings->configuration);
    enum status status = STATUS_NOMEM;
    if (agent->generation != NULL) {
        generation_hold(agent->generation);
        list_append(&agent->generations, &agent->generation->link);
        status = build(agent, err);
    }
    if (status != STATUS_OK) {
        agent_destroy(agent);
        return status;
    }
    *ret = agent;
    return STATUS_OK;
}

/* ---- life ---- */

static void
say_ready(const struct agent *agent)
{
    const struct configuration *configuration = agent->configuration;
    if (agent->settings.mode != AGENT_RUN) {
        return;
    }
    LOG(LOG_INFO, "longstop is running",
        log_text("version", agent->settings.version),
        log_slice("listen", configuration->settings.listen == NULL
                                ? slice_of("none: outbound only")
                                : configuration->places.listen_address),
        log_slice("admin", configuration->places.admin_address),
        log_slice("store", configuration->places.store_shown),
        log_i64("connectors", (int64_t)configuration->connector_count),
        log_i64("handlers", (int64_t)agent->generation->listed.count));
    notify_send("READY=1");
}

enum exit_code
agent_run(struct agent *agent)
{
    /* Before dispatch looks for what waits beyond any wait: theirs too. */
    if (agent->settings.mode != AGENT_POLL_DRY) {
        receivers_begin(agent->receivers, agent->worker, agent->dispatch);
    }
    if (agent->settings.mode == AGENT_RUN) {
        agent_pause_walks(agent);
        agent_start_leases(agent);
        dispatch_start(agent->dispatch);
        wake_start(agent->wake);
        generation_start_service(agent->generation);
        errands_look(agent->errands);
    }
    generation_start_sources(agent->generation);
    say_ready(agent);
    heartbeat_start(agent->heartbeat);
    loop_run(agent->loop);
    return agent->exit_code;
}

void
agent_destroy(struct agent *agent)
{
    if (agent == NULL) {
        return;
    }
    agent_halt(agent);
    http_server_destroy(agent->server);
    admin_destroy(agent->admin);
    agent->admin = NULL;
    doors_close(&agent->doors);
    store_reader_destroy(agent->reader);
    list_for_each(at, &agent->generations) {
        generation_end_refusals(list_entry(at, struct generation, link));
    }
    wake_destroy(agent->wake);
    agent->wake = NULL;
    /* The store's thread ends first: what it still answers finds its asker. */
    store_worker_destroy(agent->worker);
    leases_destroy(agent->leases);
    agent->leases = NULL;
    heartbeat_destroy(agent->heartbeat);
    errands_destroy(agent->errands);
    list_for_each(at, &agent->generations) {
        generation_destroy_sources(list_entry(at, struct generation, link));
    }
    log_sink_unfold(agent->log);
    if (agent_still_runs(agent)) {
        return;
    }
    receivers_destroy(agent->receivers);
    dispatch_destroy(agent->dispatch);
    pauses_destroy(agent->pauses);
    agent_reload_fini(agent);
    list_for_each_safe(at, &agent->generations) {
        generation_destroy(list_entry(at, struct generation, link));
    }
    arena_fini(&agent->arena);
    arena_fini(&agent->confined.arena);
    process_spawner_destroy(agent->spawner);
    http_client_destroy(agent->client);
    telemetry_fini(&agent->telemetry);
    for (size_t i = 0; i < 3; i++) {
        loop_signal_destroy(agent->signals[i]);
    }
    loop_timer_destroy(agent->end_timer);
    live_destroy(agent->live);
    loop_destroy(agent->loop);
    mem_free(agent);
}
