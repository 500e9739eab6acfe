/* SPDX-License-Identifier: MIT */
#include "app/walks_private.h"

#include "base/instant.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/clock.h"
#include "model/cadence.h"
#include "model/connector.h"
#include "model/host.h"
#include "model/walk_backfill.h"

/* The longest wait between two attempts at one page of a span. */
#define BACKFILL_RETRY_MS (5 * INSTANT_MINUTE_MS)

/* ---- what a walk tells ---- */

static void
walk_asked(void *arg, const struct poll_asked *asked)
{
    const struct walker *walker = arg;
    const struct poll_observer *observer = &walker->walks->settings.observer;
    LOG(LOG_DEBUG, "list asked", log_slice("connector", asked->connector->name),
        log_slice("url", asked->url), log_i64("status", asked->status),
        log_i64("rows", (int64_t)asked->rows),
        log_i64("new", (int64_t)asked->fresh),
        log_figure("duration_ms", asked->duration_ms));
    if (asked->tier == 0) {
        observer->asked(observer->arg, asked);
    }
}

static int64_t
longer_of(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* What stands in a walk's way is worth a warning at least. */
static void
log_trouble(const struct poll_ended *ended)
{
    struct slice name = ended->connector->name;
    int64_t wait_ms = ended->next_ms - clock_unix_ms();
    if (ended->outcome == POLL_FAILED) {
        LOG(LOG_WARN, "walk failed, the watermark stays",
            log_slice("connector", name), log_slice("why", ended->why),
            log_figure("failures", ended->failures),
            log_figure("next_in_ms", wait_ms));
    } else if (ended->outcome == POLL_LIMITED) {
        LOG(LOG_WARN, "the provider asked to wait",
            log_slice("connector", name), log_figure("next_in_ms", wait_ms));
    } else if (ended->outcome == POLL_GONE) {
        LOG(LOG_ERROR, "polling stops", log_slice("connector", name),
            log_slice("why", ended->why));
    }
}

static void
log_walk(const struct poll_ended *ended)
{
    if (ended->outcome != POLL_OK) {
        log_trouble(ended);
    } else if (ended->fresh > 0) {
        LOG(LOG_INFO, "walk brought new events",
            log_slice("connector", ended->connector->name),
            log_i64("new", (int64_t)ended->fresh),
            log_i64("known", (int64_t)ended->known));
    }
}

/* Keeps how a walk went for those who ask. */
static void
keep_last(struct walker *walker, const struct poll_ended *ended)
{
    (void)error_set(&walker->last_why, STATUS_OK, "%.*s",
                    SLICE_ARG(ended->why));
    walker->last = *ended;
    walker->last.why = slice_of(walker->last_why.text);
    walker->last_ms = clock_unix_ms();
    walker->has_walked = true;
    walk_log_add(&walker->log, ended, walker->last_ms);
}

/* What the connector's tiers measure, together. */
static struct poll_figures
figures_of(const struct walker *first)
{
    const struct walker *end = first->walks->walkers + first->walks->count;
    struct poll_figures all = source_poll_figures(first->poll);
    for (const struct walker *at = first + 1;
         at < end && at->connector == first->connector; at++) {
        struct poll_figures of = source_poll_figures(at->poll);
        all.overlap_ms = longer_of(all.overlap_ms, of.overlap_ms);
        all.covered_ms = longer_of(all.covered_ms, of.covered_ms);
        all.lag_max_ms = longer_of(all.lag_max_ms, of.lag_max_ms);
        all.lag_p99_ms = longer_of(all.lag_p99_ms, of.lag_p99_ms);
    }
    return all;
}

/* Says once that the overlap has become too short, and once that it no longer
 * is. */
static void
watch_overlap(struct walker *first, const struct poll_figures *figures)
{
    bool is_short = lag_is_short(figures->lag_max_ms, figures->covered_ms);
    metric_set(first->counts.overlap_short, is_short);
    if (is_short == first->is_short) {
        return;
    }
    first->is_short = is_short;
    LOG(is_short ? LOG_WARN : LOG_INFO,
        is_short ? "the list shows events nearly as late as the overlap "
                   "covers, or later: raise poll.overlap"
                 : "the overlap covers the list's lag again",
        log_slice("connector", first->connector->name),
        log_figure("lag_ms", figures->lag_max_ms),
        log_figure("covered_ms", figures->covered_ms));
}

static void
watch_figures(struct walker *first)
{
    struct poll_figures figures = figures_of(first);
    metric_set(first->counts.poll_interval, (double)figures.interval_ms / 1000);
    watch_overlap(first, &figures);
}

static void
walk_ended(void *arg, const struct poll_ended *ended)
{
    struct walker *walker = arg;
    const struct poll_observer *observer = &walker->walks->settings.observer;
    metric_add(walker->counts.poll_runs[ended->outcome], 1);
    watch_figures(walker->first);
    log_walk(ended);
    if (ended->seeded > 0) {
        LOG(LOG_WARN,
            "keys are made by other words now: rows were taken for the events "
            "of their stamp and not handed over again",
            log_slice("connector", ended->connector->name),
            log_i64("rows", (int64_t)ended->seeded));
    }
    keep_last(walker, ended);
    if (ended->tier == 0) {
        observer->ended(observer->arg, ended);
    }
}

static void
log_backfill(struct slice name, const struct walk_backfill *span)
{
    enum log_level level =
        span->phase == BACKFILL_FAILED ? LOG_ERROR : LOG_INFO;
    LOG(level, "backfill is over", log_slice("connector", name),
        log_text("state", walk_backfill_phase_name(span->phase)),
        log_slice("why", span->why), log_i64("rows", span->rows),
        log_i64("new", span->fresh), log_i64("known", span->known));
}

/* A part of a span's walk; what it says goes to who asked, and its end to the
 * log. */
static void
backfill_ended(void *arg, const struct poll_ended *ended)
{
    struct walker *walker = arg;
    struct slice name = ended->connector->name;
    const struct walk_state *state = source_poll_backfill(walker->poll);
    walk_log_add(&walker->log, ended, clock_unix_ms());
    if (state != NULL && state->backfill.phase != BACKFILL_RUNNING) {
        log_backfill(name, &state->backfill);
    } else if (ended->outcome == POLL_FAILED) {
        LOG(LOG_WARN, "backfill failed on a page and tries again",
            log_slice("connector", name), log_slice("why", ended->why),
            log_figure("failures", ended->failures),
            log_figure("next_in_ms", ended->next_ms - clock_unix_ms()));
    }
}

/* ---- building ---- */

/* The interval and overlap of the tier: `poll:` itself, or one of its sweeps.
 */
static struct source_poll_settings
poll_settings(struct walker *walker)
{
    const struct walks_settings *settings = &walker->walks->settings;
    const struct poll_spec *spec = &walker->connector->poll;
    const struct sweep_spec *sweeps = spec->sweeps.at;
    struct source_poll_settings poll = {
        .connector = walker->connector,
        .tier = walker->tier,
        .tiers = 1 + (unsigned)spec->sweeps.count,
        .overlap_ms = spec->overlap_ms,
        .overlap_most_ms = spec->overlap_most_ms,
        .cadence = { .every_ms = spec->every_ms,
                     .cron = spec->cron_plan,
                     .interval_min_ms = spec->interval_min_ms },
        .account = &walker->first->account,
        .observer = { walker, walk_asked, walk_ended },
        .seed = settings->seed + walker->connector->id,
        .once = settings->once,
    };
    if (walker->tier == 0 && spec->pace == PACE_ADAPTIVE) {
        poll.pace = pace_plan_of(walker->connector);
        poll.cadence.every_ms = poll.pace.slowest_ms;
    }
    if (walker->tier == WALK_TIER_BACKFILL) {
        poll.is_backfill = true;
        poll.overlap_ms = 0;
        poll.cadence = (struct cadence){ .every_ms = BACKFILL_RETRY_MS };
        poll.observer.ended = backfill_ended;
    } else if (walker->tier > 0) {
        poll.overlap_ms = sweeps[walker->tier - 1].overlap_ms;
        poll.overlap_most_ms = sweeps[walker->tier - 1].overlap_most_ms;
        poll.cadence.every_ms = sweeps[walker->tier - 1].every_ms;
        poll.cadence.cron = NULL;
    }
    return poll;
}

static enum status
add_walker(struct walks *walks, const struct connector *connector,
           unsigned tier, struct walker *first, struct poll_host *host)
{
    struct walker *walker = &walks->walkers[walks->count];
    const struct walks_settings *settings = &walks->settings;
    walker->walks = walks;
    walker->connector = connector;
    walker->is_held = true;
    walker->tier = tier;
    walker->first = first;
    walker->account.host = host;
    walker->counts = telemetry_of_connector(settings->telemetry, connector);
    struct source_poll_settings poll = poll_settings(walker);
    enum status status = source_poll_create(
        settings->loop, settings->access, &poll, settings->sink, &walker->poll);
    if (status != STATUS_OK) {
        return status;
    }
    walks->polls[walks->count++] = walker->poll;
    return STATUS_OK;
}

static enum status
add_tiers(struct walks *walks, const struct connector *connector,
          struct poll_host *host)
{
    bool once = walks->settings.once;
    size_t tiers = once ? 1 : 1 + connector->poll.sweeps.count;
    struct walker *first = &walks->walkers[walks->count];
    enum status status = STATUS_OK;
    for (unsigned tier = 0; tier < tiers && status == STATUS_OK; tier++) {
        status = add_walker(walks, connector, tier, first, host);
    }
    return status != STATUS_OK || once
               ? status
               : add_walker(walks, connector, WALK_TIER_BACKFILL, first, host);
}

static size_t
count_tiers(const struct walks_settings *settings)
{
    size_t count = 0;
    for (size_t i = 0; i < settings->connector_count; i++) {
        count += 2 + settings->connectors[i].poll.sweeps.count;
    }
    return count;
}

/* Adds all that is to be polled; `groups` as host_group tells them. */
static enum status
add_connectors(struct walks *walks, const size_t *groups)
{
    const struct walks_settings *settings = &walks->settings;
    const size_t count = settings->connector_count;
    enum status status = STATUS_OK;
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        const struct connector *connector = &settings->connectors[i];
        bool wanted = settings->only == NULL || settings->only == connector;
        if (groups[i] == i) {
            poll_host_init(&walks->hosts[i],
                           host_budget(settings->connectors, count, groups, i));
        }
        if (connector->has_poll && wanted) {
            status = add_tiers(walks, connector, &walks->hosts[groups[i]]);
        }
    }
    return status;
}

static enum status
build(struct walks *walks)
{
    const struct walks_settings *settings = &walks->settings;
    const size_t count = settings->connector_count;
    size_t *groups = mem_array(count + 1, sizeof(*groups));
    walks->hosts = mem_array(count + 1, sizeof(*walks->hosts));
    enum status status = groups == NULL || walks->hosts == NULL
                             ? STATUS_NOMEM
                             : host_group(settings->connectors, count, groups);
    if (status == STATUS_OK) {
        status = add_connectors(walks, groups);
    }
    mem_free(groups);
    return status;
}

enum status
walks_create(const struct walks_settings *settings, struct walks **ret)
{
    struct walks *walks = mem_zero(sizeof(*walks));
    size_t count = count_tiers(settings);
    if (walks == NULL) {
        return STATUS_NOMEM;
    }
    walks->settings = *settings;
    walks->walkers = mem_array(count, sizeof(*walks->walkers));
    walks->polls = mem_array(count, sizeof(struct source_poll *));
    enum status status = walks->walkers == NULL || walks->polls == NULL
                             ? STATUS_NOMEM
                             : build(walks);
    if (status != STATUS_OK) {
        walks_destroy(walks);
        return status;
    }
    *ret = walks;
    return STATUS_OK;
}

void
walks_destroy(struct walks *walks)
{
    if (walks == NULL) {
        return;
    }
    for (size_t i = 0; walks->walkers != NULL && i < walks->count; i++) {
        source_poll_destroy(walks->walkers[i].poll);
        walk_log_fini(&walks->walkers[i].log);
        source_poll_destroy(walks->walkers[i].trial);
    }
    mem_free(walks->walkers);
    mem_free(walks->hosts);
    mem_free(walks->polls);
    mem_free(walks);
}

/* ---- life ---- */

static struct walker *
walker_of(struct walks *walks, const struct connector *connector)
{
    for (size_t i = 0; i < walks->count; i++) {
        if (walks->walkers[i].connector == connector) {
            return &walks->walkers[i];
        }
    }
    return NULL;
}

void
walks_start(struct walks *walks)
{
    for (size_t i = 0; i < walks->count; i++) {
        walks_start_one(&walks->walkers[i]);
    }
}

static const struct walker *
find_walker(const struct walks *walks, const struct connector *connector,
            unsigned tier)
{
    for (size_t i = 0; i < walks->count; i++) {
        const struct walker *walker = &walks->walkers[i];
        if (walker->connector == connector && walker->tier == tier) {
            return walker;
        }
    }
    return NULL;
}

struct source_poll *
walks_backfill(const struct walks *walks, const struct connector *connector)
{
    const struct walker *walker =
        find_walker(walks, connector, WALK_TIER_BACKFILL);
    return walker == NULL ? NULL : walker->poll;
}

void
walks_poke(struct walks *walks, const struct connector *connector)
{
    struct walker *walker = walker_of(walks, connector);
    if (walker != NULL) {
        source_poll_poke(walker->poll);
    }
}

void
walks_signal(struct walks *walks, const struct connector *connector)
{
    struct walker *walker = walker_of(walks, connector);
    if (walker != NULL) {
        source_poll_signal(walker->poll);
    }
}

void
walks_hooked(struct walks *walks, const struct connector *connector,
             size_t fresh, size_t caught_up)
{
    struct walker *walker = walker_of(walks, connector);
    if (walker != NULL) {
        source_poll_hooked(walker->poll, fresh, caught_up);
    }
}

void
walks_pause(struct walks *walks, const struct connector *connector,
            bool is_paused)
{
    for (size_t i = 0; i < walks->count; i++) {
        if (walks->walkers[i].connector == connector) {
            source_poll_pause(walks->walkers[i].poll, is_paused);
        }
    }
}

/* The walks of a connector stand in a row. */
void
walks_hold(struct walks *walks, const struct leases *leases)
{
    const struct connector *connector = NULL;
    bool is_held = true;
    uint64_t fence = 0;
    for (size_t i = 0; i < walks->count; i++) {
        struct walker *walker = &walks->walkers[i];
        if (walker->connector != connector) {
            connector = walker->connector;
            is_held = leases_held(leases, connector->id, &fence);
        }
        walker->is_held = is_held;
        if (walker->tier == 0 && walker->lease_held == NULL) {
            walker->lease_held =
                telemetry_lease(walks->settings.telemetry, connector);
        }
        metric_set(walker->lease_held, is_held);
        source_poll_hold(walker->poll, is_held, fence);
    }
}

struct poll_host *
walks_host(void *arg, const struct connector *connector)
{
    struct walks *walks = arg;
    struct walker *walker = walker_of(walks, connector);
    return walker == NULL ? NULL : walker->account.host;
}

const struct walk_log *
walks_log(const struct walks *walks, const struct connector *connector,
          size_t index, unsigned *ret_tier)
{
    for (size_t i = 0; i < walks->count; i++) {
        const struct walker *walker = &walks->walkers[i];
        if (walker->connector == connector && index-- == 0) {
            *ret_tier = walker->tier;
            return &walker->log;
        }
    }
    return NULL;
}

bool
walks_figures(const struct walks *walks, const struct connector *connector,
              struct poll_figures *ret_figures)
{
    for (size_t i = 0; i < walks->count; i++) {
        if (walks->walkers[i].connector == connector) {
            *ret_figures = figures_of(&walks->walkers[i]);
            return true;
        }
    }
    return false;
}

void
walks_trial_stopped(void *arg)
{
    struct walker *walker = arg;
    struct walks *walks = walker->walks;
    walker->trial_runs = false;
    if (walks->stopped != NULL) {
        walks->stopped(walks->stopped_arg);
    }
}

static void
trial_asked(void *arg, const struct poll_asked *asked)
{
    const struct walker *walker = arg;
    const struct poll_observer *observer =
        &walker->walks->settings.trial_observer;
    observer->asked(observer->arg, asked);
}

static void
trial_ended(void *arg, const struct poll_ended *ended)
{
    struct walker *walker = arg;
    const struct poll_observer *observer =
        &walker->walks->settings.trial_observer;
    observer->ended(observer->arg, ended);
    source_poll_stop(walker->trial, walks_trial_stopped, walker);
}

bool
walks_try(struct walks *walks, const struct connector *connector)
{
    struct walker *walker = walker_of(walks, connector);
    if (walker == NULL || walks->stopped != NULL ||
        walks->settings.trial_sink == NULL) {
        return false;
    }
    if (walker->trial_runs) {
        return true;
    }
    source_poll_destroy(walker->trial);
    walker->trial = NULL;
    struct source_poll_settings poll = poll_settings(walker);
    poll.observer = (struct poll_observer){ walker, trial_asked, trial_ended };
    poll.once = true;
    if (source_poll_create(walks->settings.loop, walks->settings.access, &poll,
                           walks->settings.trial_sink,
                           &walker->trial) != STATUS_OK) {
        return false;
    }
    walker->trial_runs = true;
    source_poll_start(walker->trial);
    return true;
}

size_t
walks_stop(struct walks *walks, void (*stopped)(void *arg), void *arg)
{
    size_t calls = 0;
    walks->stopped = stopped;
    walks->stopped_arg = arg;
    for (size_t i = 0; i < walks->count; i++) {
        struct walker *walker = &walks->walkers[i];
        walker->has_stopped = true;
        source_poll_stop(walker->poll, stopped, arg);
        calls++;
        if (walker->trial_runs) {
            source_poll_stop(walker->trial, walks_trial_stopped, walker);
            calls++;
        }
    }
    return calls;
}

bool
walks_tier(const struct walks *walks, const struct connector *connector,
           unsigned tier, struct walks_tier *ret_tier)
{
    const struct poll_spec *spec = &connector->poll;
    const struct sweep_spec *sweeps = spec->sweeps.at;
    const struct walker *walker = find_walker(walks, connector, tier);
    if (walker == NULL || tier == WALK_TIER_BACKFILL) {
        return false;
    }
    struct poll_figures figures = source_poll_figures(walker->poll);
    *ret_tier = (struct walks_tier){
        .overlap_ms =
            tier == 0 ? spec->overlap_ms : sweeps[tier - 1].overlap_ms,
        .every_ms = tier == 0 ? spec->every_ms : sweeps[tier - 1].every_ms,
        .cron = tier == 0 ? spec->cron : (struct slice){ NULL, 0 },
        .interval_ms = figures.interval_ms,
        .adaptive = tier == 0 && spec->pace == PACE_ADAPTIVE,
        .hurried = figures.hurried,
        .complete_until_ms = source_poll_complete_until(walker->poll),
        .failures = source_poll_failures(walker->poll),
        .has_walked = walker->has_walked,
        .outcome = walker->last.outcome,
        .ended_ms = walker->last_ms,
        .next_ms = walker->last.next_ms,
        .rows = walker->last.rows,
        .fresh = walker->last.fresh,
        .known = walker->last.known,
        .why = walker->last.why,
    };
    return true;
}

int64_t
walks_complete_until(const struct walks *walks,
                     const struct connector *connector)
{
    const struct walker *walker = find_walker(walks, connector, 0);
    return walker == NULL ? 0 : walker->account.complete_until_ms;
}

void
walks_gauge(const struct walks *walks)
{
    for (size_t i = 0; i < walks->count; i++) {
        const struct walker *walker = &walks->walkers[i];
        if (walker->tier == 0) {
            telemetry_complete_until(
                walks->settings.telemetry, walker->connector,
                walker->is_held ? walker->account.complete_until_ms
                                : 0); /* another agent tells */
        }
    }
}

bool
walks_behind(const struct walks *walks, const struct connector *connector,
             int64_t *ret_from_ms, int64_t *ret_until_ms)
{
    int64_t from_ms = INT64_MIN;
    int64_t until_ms = INT64_MAX;
    for (size_t i = 0; i < walks->count; i++) {
        const struct walker *walker = &walks->walkers[i];
        if (walker->connector == connector &&
            walker->tier != WALK_TIER_BACKFILL) {
            int64_t first_ms = source_poll_first(walker->poll);
            int64_t lowest_ms = source_poll_lowest(walker->poll);
            from_ms = first_ms > from_ms ? first_ms : from_ms;
            until_ms = lowest_ms < until_ms ? lowest_ms : until_ms;
        }
    }
    *ret_from_ms = from_ms < 0 ? 0 : from_ms;
    *ret_until_ms = until_ms;
    return from_ms < until_ms && until_ms != INT64_MAX;
}

struct source_poll *const *
walks_polls(const struct walks *walks)
{
    return walks->polls;
}

size_t
walks_count(const struct walks *walks)
{
    return walks->count;
}
