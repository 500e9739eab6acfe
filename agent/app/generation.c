/* SPDX-License-Identifier: MIT */
/* generation: what one configuration is made into, part by part. */
#include "app/generation.h"

#include "app/difference.h"
#include "app/fetch_key.h"
#include "app/live_tell.h"
#include "app/streams.h"
#include "app/walks.h"
#include "base/mem.h"
#include "flow/accounting.h"
#include "flow/fill.h"
#include "flow/ingest.h"
#include "flow/leases.h"
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
    leases_poke(generation->frame->leases, connector->id);
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

/* retention's `others`: nothing is known while nothing was heard of them. */
static int64_t
others_lowest(void *arg)
{
    const struct generation *generation = arg;
    const struct store_beat *answer = leases_answer(generation->frame->leases);
    return answer == NULL ? INT64_MIN : answer->everybodys_lowest_ms;
}

/* ---- what it has ---- */

struct generation *
generation_create(const struct generation_frame *frame,
                  struct configuration *configuration)
{
    struct generation *generation = mem_zero(sizeof(*generation));
    if (generation != NULL) {
        list_init(&generation->link);
        generation->frame = frame;
        generation->configuration =
            configuration == NULL ? &generation->own : configuration;
    }
    return generation;
}

void
generation_hold(struct generation *generation)
{
    generation->uses++;
}

void
generation_release(struct generation *generation)
{
    generation->uses--;
    if (generation->uses == generation->makes) {
        generation->frame->unused(generation->frame->arg);
    }
}

void
generation_release_made(struct generation *generation)
{
    generation->makes--;
    generation_release(generation);
}

bool
generation_has_made(const struct generation *generation, size_t index)
{
    return generation->makers[index]->generation == generation;
}

bool
generation_has(const struct generation *generation,
               const struct generation_made *made)
{
    for (size_t i = 0; i < generation->listed.count; i++) {
        if (generation->makers[i] == made) {
            return true;
        }
    }
    return false;
}

/* Where each handler is in `before`, and whether it is kept at all. */
static void
find_kept(const struct generation *generation, const struct generation *before,
          bool *kept)
{
    for (size_t i = 0; i < generation->listed.count; i++) {
        size_t at;
        kept[i] = before != NULL &&
                  difference_same_handler(before->configuration,
                                          generation->configuration, i, &at);
        generation->makers[i] =
            kept[i] ? before->makers[at] : &generation->made[i];
    }
}

enum status
generation_make_outlets(struct generation *generation,
                        const struct generation *before,
                        const struct outlets_parts *parts,
                        const struct naming *naming, struct error *err)
{
    struct arena *arena = &generation->arena;
    size_t count = generation->configuration->settings.handlers.count;
    bool *kept = arena_array(arena, count + 1, sizeof(*kept));
    generation->listed.at =
        arena_array(arena, count + 1, sizeof(*generation->listed.at));
    generation->made = arena_array(arena, count + 1, sizeof(*generation->made));
    generation->makers =
        arena_array(arena, count + 1, sizeof(struct generation_made *));
    if (kept == NULL || generation->listed.at == NULL ||
        generation->made == NULL || generation->makers == NULL) {
        return STATUS_NOMEM;
    }
    generation->listed.count = count;
    find_kept(generation, before, kept);
    enum status status =
        outlets_create(parts, naming, kept, &generation->outlets, err);
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        struct generation_made *made = &generation->made[i];
        list_init(&made->link);
        made->generation = generation;
        made->settings = &generation->outlets.at[i];
        generation->listed.at[i] = *generation->makers[i]->settings;
        if (!kept[i]) {
            generation->makes++;
            generation_hold(generation);
        }
    }
    return status;
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
        .others = frame->leases == NULL ? NULL : others_lowest,
        .others_arg = generation,
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
generation_build(struct generation *generation, int64_t floor_ms)
{
    static build_fn *const service[] = { build_retention, build_accounting,
                                         build_registrar, build_refusals,
                                         build_streams,   build_webhook };
    const struct generation_frame *frame = generation->frame;
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

/* ---- handing over ---- */

size_t
generation_hand_over(struct generation *generation, struct generation *heir,
                     void (*ended)(void *arg), void *arg)
{
    const struct source_sink *sink = ingest_sink(generation->ingest);
    int64_t floor_ms = sink->floor_ms(sink->self);
    ingest_set_floor(heir->ingest, floor_ms);
    ingest_set_floor(heir->rehearsal, floor_ms);
    /* Keys that requests wait for are still brought. */
    retention_stop(generation->retention);
    accounting_stop(generation->accounting);
    registrar_stop(generation->registrar);
    return walks_hand_over(generation->walks, heir->walks, ended, arg) +
           streams_hand_over(generation->streams, heir->streams, ended, arg);
}

bool
generation_is_still(const struct generation *generation)
{
    bool has_requests = generation->webhook != NULL &&
                        source_webhook_open(generation->webhook) > 0;
    return !has_requests && ingest_open(generation->ingest) == 0 &&
           ingest_open(generation->rehearsal) == 0 &&
           !registrar_is_busy(generation->registrar);
}

void
generation_end_refusals(struct generation *generation)
{
    refusals_end(generation->refusals);
}

void
generation_hurry(struct generation *generation)
{
    walks_hurry(generation->walks);
}

/* ---- the end ---- */

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
    generation->webhook = NULL;
    generation->retention = NULL;
    generation->accounting = NULL;
    generation->registrar = NULL;
    generation->refusals = NULL;
    generation->walks = NULL;
    generation->streams = NULL;
    generation->ingest = NULL;
    generation->rehearsal = NULL;
}

static void
destroy_askers(struct generation *generation)
{
    fills_destroy(generation->fills);
    access_destroy(generation->access);
    links_destroy(generation->links);
    generation->fills = NULL;
    generation->access = NULL;
    generation->links = NULL;
}

void
generation_strip(struct generation *generation)
{
    if (generation->is_bare || generation->uses != generation->makes) {
        return;
    }
    generation->is_bare = true;
    generation_destroy_sources(generation);
    destroy_askers(generation);
    configuration_forget_connectors(generation->configuration);
}

void
generation_destroy(struct generation *generation)
{
    outlets_fini(&generation->outlets);
    destroy_askers(generation);
    arena_fini(&generation->arena);
    if (generation->frame->runs) {
        configuration_fini(generation->configuration);
    }
    list_remove(&generation->link);
    mem_free(generation);
}
