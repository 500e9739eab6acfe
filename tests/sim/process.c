/* SPDX-License-Identifier: MIT */
#include "sim/process.h"

#include <stdio.h>
#include <string.h>

#include "base/instant.h"
#include "config/config_yaml.h"
#include "flow/accounting.h"
#include "flow/dispatch.h"
#include "flow/fill.h"
#include "flow/ingest.h"
#include "flow/retention.h"
#include "flow/telemetry.h"
#include "io/http_client.h"
#include "io/loop.h"
#include "model/walk_backfill.h"
#include "sim/books.h"
#include "sim/file.h"
#include "sim/handlers.h"
#include "sim/listed.h"
#include "sim/loop.h"
#include "sim/vtime.h"
#include "sim/worker.h"
#include "sim/world.h"
#include "source/access.h"
#include "store/store_worker.h"
#include "wire/json.h"

#define S INSTANT_SECOND_MS
#define M INSTANT_MINUTE_MS
#define H INSTANT_HOUR_MS
#define D INSTANT_DAY_MS

enum { POLLS_MAX = 1 + PLAN_SWEEPS_MAX + 1 };

/* What stays when a process ends. */
static struct {
    struct arena arena;
    struct config_report report;
    struct connector connector;
    struct outlet_settings outlets[PLAN_HANDLERS_MAX];
    unsigned life;
} bound;

static struct {
    bool up;
    bool dying;
    struct loop *loop;
    struct telemetry telemetry;
    struct http_client *client;
    struct access *access;
    struct store_worker *worker;
    struct fills *fills;
    struct dispatch *dispatch;
    struct ingest *ingest;
    struct source_poll *polls[POLLS_MAX];
    size_t tier_count;
    size_t poll_count; /* and the one that reads past spans */
    struct poll_host host;
    struct poll_account account;
    struct retention *retention;
    struct accounting *accounting;
    size_t ending;
} process;

/* ---- the connector ---- */

static struct config_node *
read_tree(const struct buf *text)
{
    struct config_source *source =
        arena_array(&bound.arena, 1, sizeof(*source));
    struct config_node *root = NULL;
    struct slice kept;
    PRE(source != NULL &&
        arena_copy(&bound.arena, buf_slice(text), &kept) == STATUS_OK);
    *source = (struct config_source){ .name = slice_of("sim.yaml"),
                                      .directory = slice_of("."),
                                      .text = kept };
    PRE(config_yaml_parse(source, NULL, NULL, &bound.arena, &bound.report,
                          &root) != STATUS_NOMEM);
    return root;
}

static void
bind_outlets(void)
{
    static const char *const names[] = { "h0", "h1" };
    for (size_t i = 0; i < world.plan.handler_count; i++) {
        const struct plan_handler *plan = &world.plan.handlers[i];
        struct outlet_settings *outlet = &bound.outlets[i];
        *outlet = (struct outlet_settings){
            .name = slice_of(names[i]),
            .retry = { .attempts = plan->attempts,
                       .first_ms = 5 * S,
                       .cap_ms = 5 * M },
            .concurrency = plan->concurrency,
            .lease_ms = HANDLERS_LEASE_MS,
            .handler = handlers_at(i),
        };
        if (plan->lanes) {
            outlet->route.order_by = slice_of("/data/customer");
            PRE(json_path_compile(slice_of("data.customer"), &bound.arena,
                                  &outlet->route.order_path,
                                  NULL) == STATUS_OK);
        }
    }
}

void
process_bind(void)
{
    struct buf file = { 0 };
    struct buf entry = { 0 };
    memset(&bound, 0, sizeof(bound));
    plan_connector(&world.plan, &file, &entry);
    struct config_node *file_tree = read_tree(&file);
    struct config_node *entry_tree = read_tree(&entry);
    struct config_binding binding = { .arena = &bound.arena,
                                      .report = &bound.report };
    const struct connector_env env = { .public_url = slice_of(
                                           "https://hooks.example.com") };
    enum status status =
        connector_bind(&binding, slice_of("shop"), (struct config_mark){ 0 },
                       file_tree, entry_tree, &env, &bound.connector);
    if (status != STATUS_OK ||
        config_report_status(&bound.report) != STATUS_OK) {
        struct buf words = { 0 };
        config_report_text(&bound.report, false, &words);
        (void)fprintf(stderr, "seed %llu: %s\n%s\n%s\n",
                      (unsigned long long)world.plan.seed,
                      words.ptr == NULL ? "" : words.ptr, file.ptr, entry.ptr);
        PRE(!"the plan's connector binds");
    }
    bind_outlets();
    buf_fini(&file);
    buf_fini(&entry);
}

void
process_unbind(void)
{
    connector_fini(&bound.connector);
    config_report_fini(&bound.report);
    arena_fini(&bound.arena);
}

/* ---- the beginning ---- */

static enum status
open_store(const char *folder)
{
    const struct store_settings settings = { .page_size = 4096 };
    const struct store_worker_settings worker = { .queue_events = 400,
                                                  .queue_bytes = 1 << 20,
                                                  .group_units = 64 };
    char url[256];
    struct error err = { "" };
    struct store *store;
    (void)snprintf(url, sizeof(url), "sqlite:%s/store.db", folder);
    enum status status = store_open(url, &settings, &store, &err);
    if (status != STATUS_OK) {
        TRACE("the store does not open: %s", err.text);
        return status;
    }
    status = store->ops->name(store, STORE_CONNECTOR, bound.connector.name,
                              &bound.connector.id, &err);
    for (size_t i = 0; i < world.plan.handler_count && status == STATUS_OK;
         i++) {
        status = store->ops->name(store, STORE_HANDLER, bound.outlets[i].name,
                                  &bound.outlets[i].number, &err);
    }
    if (status != STATUS_OK) {
        store->ops->close(store);
        return status;
    }
    PRE(store_worker_create(process.loop, store, &worker, &process.worker,
                            &err) == STATUS_OK);
    return STATUS_OK;
}

/* As app/agent.c passes it on. */
static void
webhook_stored(void *arg, const struct connector *connector, size_t fresh,
               size_t caught_up)
{
    (void)arg;
    if (process.up && !process.dying) {
        source_poll_hooked(process.polls[0], fresh, caught_up);
        accounting_hooked(process.accounting, connector, fresh + caught_up);
    }
}

static struct poll_host *
host_of(void *arg, const struct connector *connector)
{
    (void)arg;
    (void)connector;
    return &process.host;
}

static void
build_flow(int64_t floor_ms)
{
    PRE(fills_create(process.loop, process.access, &bound.connector, 1,
                     &process.fills) == STATUS_OK);
    fills_share(process.fills, host_of, NULL);
    const struct dispatch_settings dispatch = {
        .outlets = bound.outlets,
        .outlet_count = world.plan.handler_count,
        .connectors = &bound.connector,
        .connector_count = 1,
        .telemetry = &process.telemetry,
        .fills = process.fills,
        .seed = world.plan.seed + bound.life,
    };
    PRE(dispatch_create(process.loop, process.worker, &dispatch,
                        &process.dispatch) == STATUS_OK);
    const struct ingest_settings ingest = { .connectors = &bound.connector,
                                            .connector_count = 1,
                                            .telemetry = &process.telemetry,
                                            .dispatch = process.dispatch,
                                            .hooked = webhook_stored };
    PRE(ingest_create(process.loop, process.worker, &ingest, &process.ingest) ==
        STATUS_OK);
    ingest_set_floor(process.ingest, floor_ms);
}

static void
walk_ended(void *arg, const struct poll_ended *ended)
{
    static const char *const words[] = { "whole", "failed", "limited",
                                         "given up" };
    (void)arg;
    if (ended->outcome != POLL_OK) {
        world_trouble(0);
    }
    TRACE("walk %u %s: %lld pages, %zu new%s%.*s", ended->tier,
          words[ended->outcome], (long long)ended->pages, ended->fresh,
          ended->why.len > 0 ? ": " : "", SLICE_ARG(ended->why));
}

/* As app/walks.c builds them. */
static struct source_poll_settings
tier_settings(unsigned tier)
{
    const struct poll_spec *spec = &bound.connector.poll;
    const struct sweep_spec *sweeps = spec->sweeps.at;
    struct source_poll_settings settings = {
        .connector = &bound.connector,
        .tier = tier,
        .tiers = 1 + (unsigned)spec->sweeps.count,
        .overlap_most_ms = tier == 0 ? spec->overlap_most_ms
                                     : sweeps[tier - 1].overlap_most_ms,
        .overlap_ms =
            tier == 0 ? spec->overlap_ms : sweeps[tier - 1].overlap_ms,
        .cadence = { .every_ms = tier == 0 ? spec->every_ms
                                           : sweeps[tier - 1].every_ms },
        .account = &process.account,
        .observer = { NULL, NULL, walk_ended },
        .seed = world.plan.seed + bound.life + tier,
    };
    if (tier == 0 && spec->pace == PACE_ADAPTIVE) {
        settings.pace = pace_plan_of(&bound.connector);
        settings.cadence.every_ms = settings.pace.slowest_ms;
    }
    return settings;
}

static struct source_poll_settings
backfill_settings(void)
{
    return (struct source_poll_settings){
        .connector = &bound.connector,
        .tier = WALK_TIER_BACKFILL,
        .tiers = 1 + (unsigned)bound.connector.poll.sweeps.count,
        .cadence = { .every_ms = 5 * M },
        .account = &process.account,
        .observer = { NULL, NULL, walk_ended },
        .seed = world.plan.seed + bound.life + WALK_TIER_BACKFILL,
        .is_backfill = true,
    };
}

static void
add_poll(struct source_poll_settings settings)
{
    PRE(source_poll_create(process.loop, process.access, &settings,
                           ingest_sink(process.ingest),
                           &process.polls[process.poll_count]) == STATUS_OK);
    process.poll_count++;
}

static void
build_polls(void)
{
    const struct poll_spec *spec = &bound.connector.poll;
    process.tier_count = 1 + spec->sweeps.count;
    poll_host_init(&process.host,
                   (struct quota){ .count = spec->limit.budget,
                                   .per_ms = spec->limit.budget_per_ms });
    process.account = (struct poll_account){ .host = &process.host };
    for (unsigned tier = 0; tier < process.tier_count; tier++) {
        add_poll(tier_settings(tier));
    }
    if (world.plan.backfills) {
        add_poll(backfill_settings());
    }
}

/* As walks_behind. */
static bool
behind(void *arg, const struct connector *connector, int64_t *ret_from_ms,
       int64_t *ret_until_ms)
{
    (void)arg;
    (void)connector;
    int64_t from_ms = 0;
    int64_t until_ms = INT64_MAX;
    for (size_t i = 0; i < process.tier_count; i++) {
        int64_t first_ms = source_poll_first(process.polls[i]);
        int64_t lowest_ms = source_poll_lowest(process.polls[i]);
        from_ms = first_ms > from_ms ? first_ms : from_ms;
        until_ms = lowest_ms < until_ms ? lowest_ms : until_ms;
    }
    *ret_from_ms = from_ms;
    *ret_until_ms = until_ms;
    return from_ms < until_ms && until_ms != INT64_MAX;
}

static void
build_keepers(void)
{
    bool is_long = world.plan.length_ms > 4 * D;
    const struct retention_settings retention = {
        .keep_ids_ms = bound.connector.keep_ids_ms,
        .keep_events_ms = 1000 * D,
        .keep_attempts_ms = 1 * D,
        .polls = process.polls,
        .poll_count = process.poll_count,
        .ingest = process.ingest,
        .round_ms = is_long ? 2 * H : 20 * M,
    };
    const struct accounting_settings accounting = {
        .connectors = &bound.connector,
        .connector_count = 1,
        .telemetry = &process.telemetry,
        .behind = behind,
        .period_ms = is_long ? 1 * H : 5 * M,
    };
    PRE(retention_create(process.loop, process.worker, &retention,
                         &process.retention) == STATUS_OK);
    PRE(accounting_create(process.loop, process.worker, &accounting,
                          &process.accounting) == STATUS_OK);
}

bool
process_start(const char *folder)
{
    PRE(!process.up);
    memset(&process, 0, sizeof(process));
    bound.life++;
    PRE(loop_create(&process.loop) == STATUS_OK);
    if (open_store(folder) != STATUS_OK) {
        loop_destroy(process.loop);
        return false;
    }
    file_reload(folder);
    books_life();
    listed_life();
    PRE(telemetry_init(&process.telemetry, "sim") == STATUS_OK);
    PRE(http_client_create(process.loop, NULL, &process.client, NULL) ==
        STATUS_OK);
    PRE(access_create(process.loop, process.client, NULL, &process.access) ==
        STATUS_OK);
    build_flow(worker_floor_ms(process.worker));
    build_polls();
    build_keepers();
    process.up = true;
    dispatch_start(process.dispatch);
    retention_start(process.retention);
    accounting_start(process.accounting);
    for (size_t i = 0; i < process.poll_count; i++) {
        source_poll_start(process.polls[i]);
    }
    process_end_turn();
    return true;
}

/* ---- the end ---- */

static void
stopped(void *arg)
{
    (void)arg;
    process.ending--;
}

static void
ignore(void *arg)
{
    (void)arg;
}

static void
begin_end(void (*told)(void *arg), int64_t grace_ms)
{
    retention_stop(process.retention);
    accounting_stop(process.accounting);
    for (size_t i = 0; i < process.poll_count; i++) {
        source_poll_stop(process.polls[i], told, NULL);
    }
    dispatch_stop(process.dispatch, grace_ms, told, NULL);
}

static void
destroy(void)
{
    store_worker_destroy(process.worker);
    retention_destroy(process.retention);
    accounting_destroy(process.accounting);
    for (size_t i = 0; i < process.poll_count; i++) {
        source_poll_destroy(process.polls[i]);
    }
    ingest_destroy(process.ingest);
    dispatch_destroy(process.dispatch);
    fills_destroy(process.fills);
    access_destroy(process.access);
    http_client_destroy(process.client);
    telemetry_fini(&process.telemetry);
    loop_destroy(process.loop);
    memset(&process, 0, sizeof(process));
}

/* What the store's answers and the handlers' reports still set off has no
 * effect: the store is closed to them. */
void
process_abandon(void)
{
    process.dying = true;
    begin_end(ignore, 0);
    worker_abandon(process.worker);
    fills_cancel(process.fills);
    handlers_cut();
    loop_end_turn(process.loop);
    destroy();
}

void
process_stop(void)
{
    process.ending = process.poll_count + 1;
    begin_end(stopped, 3 * S);
    int64_t end_ms = vtime_now_ms() + 10 * S;
    while (process.ending > 0 && !process.dying && vtime_step(end_ms)) {
        loop_end_turn(process.loop);
    }
    bool whole = process.ending == 0 && !process.dying;
    if (!whole) {
        process_abandon();
        return;
    }
    handlers_cut();
    process.dying = true; /* what is answered now is too late */
    loop_end_turn(process.loop);
    destroy();
}

void
process_dies(void)
{
    process.dying = true;
}

bool
process_is_dying(void)
{
    return process.dying;
}

bool
process_is_up(void)
{
    return process.up;
}

bool
process_asks(void)
{
    return worker_is_busy(process.worker);
}

void
process_end_turn(void)
{
    if (process.up && !process.dying) {
        loop_end_turn(process.loop);
    }
}

unsigned
process_life(void)
{
    return bound.life;
}

const struct connector *
process_connector(void)
{
    return &bound.connector;
}

const struct source_sink *
process_sink(void)
{
    return process.up && !process.dying && process.ending == 0
               ? ingest_sink(process.ingest)
               : NULL;
}

struct telemetry_connector
process_counts(void)
{
    PRE(process.up);
    return telemetry_of_connector(&process.telemetry, &bound.connector);
}

void
process_metrics(struct buf *into)
{
    PRE(process.up);
    metric_render(process.telemetry.registry, METRIC_PROMETHEUS, into);
}

void
process_poke(void)
{
    for (size_t i = 0; process.up && i < process.tier_count; i++) {
        source_poll_poke(process.polls[i]);
    }
}

bool
process_has_walked(void)
{
    return process.up && source_poll_complete_until(process.polls[0]) > 0;
}

/* The poll of past spans, once it knows what the store says of them. */
static struct source_poll *
backfill_poll(void)
{
    bool has = process.up && process.poll_count > process.tier_count;
    return has ? process.polls[process.tier_count] : NULL;
}

static struct slice
write_ago(int64_t ago_ms, struct buf *text)
{
    buf_format(text, "%llds", (long long)(ago_ms / S));
    return buf_slice(text);
}

void
process_backfill(int64_t since_ago_ms, int64_t until_ago_ms)
{
    struct source_poll *poll = backfill_poll();
    struct buf since = { 0 };
    struct buf until = { 0 };
    struct walk_backfill_wish wish = { 0 };
    struct error err = { "" };
    if (poll == NULL) {
        return;
    }
    wish.since = write_ago(since_ago_ms, &since);
    if (until_ago_ms > 0) {
        wish.until = write_ago(until_ago_ms, &until);
    }
    enum status status = source_poll_backfill_begin(poll, &wish, &err);
    TRACE("backfill: %s", status == STATUS_OK ? "it begins" : err.text);
    buf_fini(&since);
    buf_fini(&until);
}

void
process_backfill_cancel(void)
{
    struct source_poll *poll = backfill_poll();
    if (poll != NULL && source_poll_backfill_cancel(poll)) {
        TRACE("the backfill is to end");
    }
}

bool
process_backfills(void)
{
    struct source_poll *poll = backfill_poll();
    if (poll == NULL) {
        return world.plan.backfills && !process.up;
    }
    const struct walk_state *state = source_poll_backfill(poll);
    return state == NULL || state->backfill.phase == BACKFILL_RUNNING;
}
