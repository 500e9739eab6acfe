/* SPDX-License-Identifier: MIT */
/* generation: what one configuration is made into, part by part. */
#include "app/generation.h"

#include "app/fetch_key.h"
#include "app/live_tell.h"
#include "app/streams.h"
#include "app/walks.h"
#include "flow/accounting.h"
#include "flow/fill.h"
#include "flow/ingest.h"
#include "flow/refusals.h"
#include "flow/registrar.h"
#include "flow/retention.h"
#include "io/clock.h"
#include "source/access.h"
#include "source/source_webhook.h"
#include "wire/digest.h"

#define RETRY_AFTER_S 5

/* ---- what parts tell each other ---- */

/* A webhook that only says that something changed. */
static void
webhook_signalled(void *arg, const struct connector *connector)
{
    const struct generation *generation = arg;
    walks_signal(generation->walks, connector);
}

/* `refused` of source_webhook and source_stream. */
static void
webhook_refused(void *arg, const struct refusal *refusal)
{
    const struct generation *generation = arg;
    if (refusals_note(generation->refusals, refusal)) {
        live_tell_refusal(generation->frame->live, refusal);
    }
}

/* ingest's `hooked`. */
static void
webhook_stored(void *arg, const struct connector *connector, size_t fresh,
               size_t caught_up)
{
    const struct generation *generation = arg;
    walks_hooked(generation->walks, connector, fresh, caught_up);
    accounting_hooked(generation->accounting, connector, fresh + caught_up);
}

/* accounting's `behind`. */
static bool
behind_walks(void *arg, const struct connector *connector, int64_t *ret_from_ms,
             int64_t *ret_until_ms)
{
    const struct generation *generation = arg;
    return walks_behind(generation->walks, connector, ret_from_ms,
                        ret_until_ms);
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

/* What asks others: for what events lack, and for keys. */
static enum status
build_askers(struct generation *generation)
{
    const struct generation_frame *frame = generation->frame;
    const struct configuration *configuration = generation->configuration;
    enum status status =
        access_create(frame->loop, frame->client,
                      configuration->places.secrets.ptr, &generation->access);
    if (status == STATUS_OK) {
        status = fills_create(
            frame->loop, generation->access, configuration->connectors,
            configuration->connector_count, &generation->fills);
    }
    if (status == STATUS_OK) {
        status = fetch_key_links(frame->loop, frame->client, configuration,
                                 &generation->links);
    }
    generation->epoch = (struct dispatch_epoch){
        .connectors = configuration->connectors,
        .connector_count = configuration->connector_count,
        .fills = generation->fills,
        .fetch_ms = outlets_fetch_ms(configuration),
    };
    return status;
}

static enum status
build_ingest(struct generation *generation, int64_t floor_ms)
{
    const struct generation_frame *frame = generation->frame;
    const struct configuration *configuration = generation->configuration;
    struct ingest_settings ingest = {
        .links = generation->links,
        .connectors = configuration->connectors,
        .connector_count = configuration->connector_count,
        .telemetry = frame->telemetry,
        .dispatch = frame->dispatch,
        .hooked = webhook_stored,
        .hooked_arg = generation,
        .watch = live_watch(frame->live),
        .dry_run = frame->dry,
    };
    enum status status =
        ingest_create(frame->loop, frame->worker, &ingest, &generation->ingest);
    if (status == STATUS_OK && frame->runs) {
        ingest.dry_run = true;
        status = ingest_create(frame->loop, frame->worker, &ingest,
                               &generation->rehearsal);
    }
    if (status == STATUS_OK) {
        ingest_set_floor(generation->ingest, floor_ms);
        ingest_set_floor(generation->rehearsal, floor_ms);
    }
    return status;
}

static enum status
build_walks(struct generation *generation)
{
    const struct generation_frame *frame = generation->frame;
    const struct configuration *configuration = generation->configuration;
    struct walks_settings settings = {
        .loop = frame->loop,
        .access = generation->access,
        .connectors = configuration->connectors,
        .connector_count = configuration->connector_count,
        .only = frame->only,
        .once = !frame->runs,
        .sink = ingest_sink(generation->ingest),
        .trial_sink = generation->rehearsal == NULL
                          ? NULL
                          : ingest_sink(generation->rehearsal),
        .telemetry = frame->telemetry,
        .observer = frame->walks,
        .trial_observer = frame->trials,
        .seed = random_seed(),
    };
    enum status status = walks_create(&settings, &generation->walks);
    fills_share(generation->fills, walks_host, generation->walks);
    return status;
}

static enum status
build_streams(struct generation *generation)
{
    const struct generation_frame *frame = generation->frame;
    const struct streams_settings settings = {
        .loop = frame->loop,
        .client = frame->client,
        .connectors = generation->configuration->connectors,
        .connector_count = generation->configuration->connector_count,
        .sink = ingest_sink(generation->ingest),
        .telemetry = frame->telemetry,
        .signal = webhook_signalled,
        .signal_arg = generation,
        .refused = webhook_refused,
        .refused_arg = generation,
        .seed = random_seed(),
    };
    return streams_create(&settings, &generation->streams);
}

static enum status
build_retention(struct generation *generation)
{
    const struct generation_frame *frame = generation->frame;
    const struct configuration *configuration = generation->configuration;
    const struct keep_settings *keep = &configuration->settings.keep;
    struct retention_settings settings = {
        .keep_ids_ms = retention_keep_ids(configuration->connectors,
                                          configuration->connector_count),
        .keep_events_ms =
            retention_keep_events(keep->events_ms, configuration->connectors,
                                  configuration->connector_count),
        .keep_attempts_ms = keep->attempts_ms,
        .keep_dead_ms = keep->dead_ms,
        .polls = walks_polls(generation->walks),
        .poll_count = walks_count(generation->walks),
        .ingest = generation->ingest,
        .dispatch = frame->dispatch,
    };
    return retention_create(frame->loop, frame->worker, &settings,
                            &generation->retention);
}

static enum status
build_accounting(struct generation *generation)
{
    const struct generation_frame *frame = generation->frame;
    const struct configuration *configuration = generation->configuration;
    const struct accounting_settings settings = {
        .connectors = configuration->connectors,
        .connector_count = configuration->connector_count,
        .telemetry = frame->telemetry,
        .behind = behind_walks,
        .behind_arg = generation,
    };
    return accounting_create(frame->loop, frame->worker, &settings,
                             &generation->accounting);
}

static enum status
build_registrar(struct generation *generation)
{
    const struct generation_frame *frame = generation->frame;
    const struct configuration *configuration = generation->configuration;
    const struct registrar_settings settings = {
        .loop = frame->loop,
        .access = generation->access,
        .connectors = configuration->connectors,
        .connector_count = configuration->connector_count,
        .secrets = configuration->places.secrets.ptr,
        .telemetry = frame->telemetry,
    };
    return registrar_create(&settings, &generation->registrar);
}

static enum status
build_refusals(struct generation *generation)
{
    const struct generation_frame *frame = generation->frame;
    const struct configuration *configuration = generation->configuration;
    const struct refusals_settings settings = {
        .connectors = configuration->connectors,
        .connector_count = configuration->connector_count,
        .keep = (size_t)configuration->settings.keep.refusals,
    };
    return refusals_create(frame->loop, frame->worker, &settings,
                           &generation->refusals);
}

static enum status
build_webhook(struct generation *generation)
{
    const struct generation_frame *frame = generation->frame;
    const struct configuration *configuration = generation->configuration;
    const struct listen_settings *listen = configuration->settings.listen;
    if (listen == NULL) {
        return STATUS_OK;
    }
    const struct source_webhook_settings settings = {
        .connectors = configuration->connectors,
        .connector_count = configuration->connector_count,
        .trusted_proxies = listen->trusted,
        .trusted_count = listen->trusted_count,
        .address_rate = listen->address_rate,
        .address_rate_per_ms = listen->address_rate_per_ms,
        .max_body = (size_t)listen->max_body,
        .gzip_ratio = (unsigned)listen->gzip_ratio,
        .retry_after_s = RETRY_AFTER_S,
        .requests = frame->telemetry->webhook_requests,
        .secrets = configuration->places.secrets.ptr,
        .signal = webhook_signalled,
        .signal_arg = generation,
        .refused = webhook_refused,
        .refused_arg = generation,
    };
    return source_webhook_create(frame->loop, &settings,
                                 ingest_sink(generation->ingest),
                                 &generation->webhook);
}

typedef enum status build_fn(struct generation *generation);

enum status
generation_build(struct generation *generation,
                 const struct generation_frame *frame,
                 const struct configuration *configuration, int64_t floor_ms)
{
    static build_fn *const service[] = { build_retention, build_accounting,
                                         build_registrar, build_refusals,
                                         build_streams,   build_webhook };
    generation->frame = frame;
    generation->configuration = configuration;
    enum status status = build_askers(generation);
    status = status != STATUS_OK ? status : build_ingest(generation, floor_ms);
    status = status != STATUS_OK ? status : build_walks(generation);
    for (size_t i = 0; status == STATUS_OK && frame->runs &&
                       i < sizeof(service) / sizeof(service[0]);
         i++) {
        status = service[i](generation);
    }
    return status;
}

/* ---- life ---- */

void
generation_start_service(struct generation *generation)
{
    retention_start(generation->retention);
    accounting_start(generation->accounting);
    refusals_start(generation->refusals);
}

void
generation_start_sources(struct generation *generation)
{
    walks_start(generation->walks);
    streams_start(generation->streams);
}

static void
stop_service(struct generation *generation)
{
    retention_stop(generation->retention);
    accounting_stop(generation->accounting);
    links_stop(generation->links);
}

size_t
generation_stop(struct generation *generation, void (*stopped)(void *arg),
                void *arg)
{
    stop_service(generation);
    registrar_destroy(generation->registrar);
    generation->registrar = NULL;
    return walks_stop(generation->walks, stopped, arg) +
           streams_stop(generation->streams, stopped, arg);
}

static void
ignore_stopped(void *arg)
{
    (void)arg;
}

void
generation_halt(struct generation *generation)
{
    stop_service(generation);
    if (generation->walks != NULL) {
        (void)walks_stop(generation->walks, ignore_stopped, NULL);
    }
    (void)streams_stop(generation->streams, ignore_stopped, NULL);
}

void
generation_destroy_sources(struct generation *generation)
{
    source_webhook_destroy(generation->webhook);
    retention_destroy(generation->retention);
    accounting_destroy(generation->accounting);
    registrar_destroy(generation->registrar);
    refusals_destroy(generation->refusals);
    walks_destroy(generation->walks);
    streams_destroy(generation->streams);
    ingest_destroy(generation->ingest);
    ingest_destroy(generation->rehearsal);
}

void
generation_destroy(struct generation *generation)
{
    outlets_fini(&generation->outlets);
    fills_destroy(generation->fills);
    access_destroy(generation->access);
    links_destroy(generation->links);
}
