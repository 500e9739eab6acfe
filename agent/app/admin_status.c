/* SPDX-License-Identifier: MIT */
/*
 * admin_status: how it all stands: the connectors with their channels, tiers
 * and counts, the handlers with what they are owed, and open gaps.
 */
#include "app/admin_private.h"

#include "flow/leases.h"
#include "flow/pauses.h"
#include "io/clock.h"
#include "model/connector_stream.h"

/*
 * The happy path: what is owed is asked of the store's thread, totals and gaps
 * of its reader; all else is at hand when both have come.
 */

/* ---- a connector ---- */

/* What its parts are made from. */
struct portrait {
    const struct admin_settings_of_agent *settings;
    const struct connector *connector;
    struct telemetry_connector counts;
    struct view_total total;
    struct json_tree *tree;
    struct json_node *node;
};

static void
add_pause(struct portrait *of)
{
    admin_add_pause(
        of->tree, of->node,
        pauses_find(of->settings->pauses, STORE_CONNECTOR, of->connector->id));
}

/* Where agents share the store: which of them walks it; null: none does. */
static void
add_walker(struct portrait *of)
{
    if (of->settings->leases == NULL) {
        return;
    }
    if (of->total.holder == 0) {
        json_add_null(of->tree, of->node, "agent");
    } else {
        json_add_i64(of->tree, of->node, "agent", (int64_t)of->total.holder);
    }
}

static void
add_channels(struct portrait *of)
{
    const struct connector *connector = of->connector;
    struct json_node *channels = json_add_array(of->tree, of->node, "channels");
    if (connector_has_route(connector, of->settings->is_listening)) {
        json_add_text(of->tree, channels, NULL, slice_of("webhook"));
    }
    if (connector->has_poll) {
        json_add_text(of->tree, channels, NULL, slice_of("poll"));
    }
    if (connector->has_stream) {
        json_add_text(of->tree, channels, NULL, slice_of("stream"));
    }
}

static void
add_stream(struct portrait *of)
{
    struct stream_figures figures;
    if (!streams_figures(of->settings->streams, of->connector, &figures)) {
        return;
    }
    struct json_node *node = json_add_object(of->tree, of->node, "stream");
    json_add_text(of->tree, node, "state", slice_of(figures.state));
    json_add_time(of->tree, node, "connected", figures.connected_ms);
    json_add_time(of->tree, node, "last_byte", figures.byte_ms);
    json_add_time(of->tree, node, "next", figures.next_ms);
    json_add_i64(of->tree, node, "reconnects", (int64_t)figures.reconnects);
    json_add_i64(of->tree, node, "refused", (int64_t)figures.refused);
    admin_add_words(of->tree, node, "last_id", figures.id);
    admin_add_words(of->tree, node, "error", figures.why);
}

static void
add_last_walk(struct portrait *of, struct json_node *item,
              const struct walks_tier *tier)
{
    if (!tier->has_walked) {
        json_add_null(of->tree, item, "last_walk");
        return;
    }
    struct json_node *walk = json_add_object(of->tree, item, "last_walk");
    json_add_time(of->tree, walk, "ended", tier->ended_ms);
    json_add_text(of->tree, walk, "outcome",
                  slice_of(poll_outcome_name(tier->outcome)));
    json_add_i64(of->tree, walk, "rows", (int64_t)tier->rows);
    json_add_i64(of->tree, walk, "new", (int64_t)tier->fresh);
    json_add_i64(of->tree, walk, "known", (int64_t)tier->known);
    admin_add_words(of->tree, walk, "error", tier->why);
}

static void
add_tier(struct portrait *of, struct json_node *tiers, unsigned number,
         const struct walks_tier *tier)
{
    struct json_node *item = json_add_object(of->tree, tiers, NULL);
    json_add_i64(of->tree, item, "tier", number);
    if (tier->cron.len > 0) {
        json_add_null(of->tree, item, "every_ms");
        json_add_null(of->tree, item, "interval_ms");
    } else {
        json_add_i64(of->tree, item, "every_ms", tier->every_ms);
        json_add_i64(of->tree, item, "interval_ms", tier->interval_ms);
    }
    admin_add_words(of->tree, item, "cron", tier->cron);
    json_add_bool(of->tree, item, "adaptive", tier->adaptive);
    json_add_bool(of->tree, item, "hurried", tier->hurried);
    json_add_i64(of->tree, item, "overlap_ms", tier->overlap_ms);
    json_add_time(of->tree, item, "complete_until", tier->complete_until_ms);
    add_last_walk(of, item, tier);
    json_add_i64(of->tree, item, "failures", tier->failures);
    json_add_time(of->tree, item, "next_walk", tier->next_ms);
}

static void
add_tiers(struct portrait *of)
{
    const struct walks *walks = of->settings->walks;
    json_add_time(of->tree, of->node, "complete_until",
                  walks_complete_until(walks, of->connector));
    struct json_node *tiers = json_add_array(of->tree, of->node, "tiers");
    struct walks_tier tier;
    for (unsigned i = 0; walks_tier(walks, of->connector, i, &tier); i++) {
        add_tier(of, tiers, i, &tier);
    }
}

static void
add_lag(struct portrait *of)
{
    struct poll_figures figures;
    if (!walks_figures(of->settings->walks, of->connector, &figures)) {
        json_add_null(of->tree, of->node, "lag");
        return;
    }
    struct json_node *lag = json_add_object(of->tree, of->node, "lag");
    json_add_i64(of->tree, lag, "longest_ms", figures.lag_max_ms);
    json_add_i64(of->tree, lag, "p99_ms", figures.lag_p99_ms);
    json_add_i64(of->tree, lag, "covered_ms", figures.covered_ms);
}

static void
add_by_channel(struct portrait *of, const char *name,
               struct metric *const *metrics)
{
    struct json_node *node = json_add_object(of->tree, of->node, name);
    for (enum channel via = 0; via < CHANNEL_COUNT; via++) {
        if (metrics[via] != NULL) {
            json_add_i64(of->tree, node, channel_name(via),
                         (int64_t)metric_value(metrics[via]));
        }
    }
}

/* Since this process began. */
static void
add_counts(struct portrait *of)
{
    if (of->counts.webhook_silent != NULL) {
        json_add_bool(of->tree, of->node, "webhook_silent",
                      metric_value(of->counts.webhook_silent) > 0);
    }
    add_by_channel(of, "events", of->counts.events);
    add_by_channel(of, "duplicates", of->counts.duplicates);
    if (of->counts.webhook_only == NULL) {
        json_add_null(of->tree, of->node, "webhook_only");
    } else {
        json_add_i64(of->tree, of->node, "webhook_only",
                     (int64_t)metric_value(of->counts.webhook_only));
    }
}

/* Since the store was made. */
static void
add_totals(struct portrait *of)
{
    json_add_i64(of->tree, of->node, "recovered", of->total.recovered);
    json_add_i64(of->tree, of->node, "late", of->total.late);
    json_add_i64(of->tree, of->node, "confirmed", of->total.confirmed);
    json_add_i64(of->tree, of->node, "met", of->total.met);
    json_add_i64(of->tree, of->node, "open_gaps", of->total.open_gaps);
}

/* What a connector's object is made of, in this order. */
static void (*const parts[])(struct portrait *of) = {
    add_pause, add_walker, add_channels, add_stream,
    add_tiers, add_lag,    add_counts,   add_totals,
};

static void
add_connector(const struct admin_settings_of_agent *settings,
              const struct connector *connector,
              const struct view_totals *totals, struct json_tree *tree,
              struct json_node *node)
{
    struct portrait of = {
        .settings = settings,
        .connector = connector,
        .counts = telemetry_of_connector(settings->telemetry, connector),
        .tree = tree,
        .node = node,
    };
    for (size_t i = 0; i < totals->count; i++) {
        if (totals->at[i].connector == connector->id) {
            of.total = totals->at[i];
        }
    }
    json_add_text(tree, node, "name", connector->name);
    admin_add_words(tree, node, "use", connector->use);
    json_add_i64(tree, node, "grace_ms", connector->grace_ms);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        parts[i](&of);
    }
}

static void
add_connectors(struct admin_look *look, const char *name)
{
    const struct admin_settings_of_agent *settings =
        &look->wait.admin->settings;
    struct json_node *array =
        json_add_array(look->tree, json_tree_root(look->tree), name);
    for (size_t i = 0; i < settings->connector_count; i++) {
        add_connector(settings, &settings->connectors[i], &look->call.totals,
                      look->tree, json_add_object(look->tree, array, NULL));
    }
}

/* ---- connectors ---- */

static bool
connectors_came(struct admin_look *look)
{
    add_connectors(look, "items");
    admin_look_cursor(look, false, 0);
    return true;
}

static void
answer_connectors(struct admin_ask *ask)
{
    struct admin_look *look =
        admin_look_create(ask, VIEW_TOTALS, connectors_came);
    if (look != NULL) {
        admin_look_begin(look, ask);
    }
}

static bool
connector_came(struct admin_look *look)
{
    add_connector(&look->wait.admin->settings, look->connector,
                  &look->call.totals, look->tree, json_tree_root(look->tree));
    return true;
}

static void
answer_connector(struct admin_ask *ask)
{
    const struct connector *connector =
        admin_connector(ask->admin, ask->segment);
    if (connector == NULL) {
        admin_answer_problem(ask->exchange, 404,
                             "no connector of this name is configured");
        return;
    }
    struct admin_look *look =
        admin_look_create(ask, VIEW_TOTALS, connector_came);
    if (look != NULL) {
        look->connector = connector;
        admin_look_begin(look, ask);
    }
}

/* ---- all of it ---- */

/* Waits for what is owed, then becomes a look for the totals. */
struct overview {
    struct admin_look *look;
    struct store_call call;
    size_t count;
    struct store_figure figures[]; /* handlers, and receivers behind them */
};

/* The next receiver at `*at` or behind it; NULL: there is none any more. */
static const struct outlet_settings *
next_receiver(const struct dispatch *dispatch, size_t *at)
{
    const struct outlet_settings *outlet = NULL;
    while ((outlet = dispatch_outlet(dispatch, (*at)++)) != NULL &&
           (outlet->number == 0 || outlet->series.len == 0)) {
    }
    return outlet;
}

/* When the next delivery is tried, as far as that is known: not before the
 * handler may be given one. */
static int64_t
next_try_ms(const struct store_figure *figure, const struct pause *pause,
            const struct brake_figures *brake, int64_t now_ms)
{
    int64_t free_ms = now_ms + brake->wait_ms;
    if (figure->next_due_ms == 0 || (pause != NULL && pause->is_paused)) {
        return 0;
    }
    return figure->next_due_ms > free_ms ? figure->next_due_ms : free_ms;
}

static void
add_duration(struct json_tree *tree, struct json_node *into, const char *name,
             int64_t ms)
{
    if (ms < 0) {
        json_add_null(tree, into, name);
    } else {
        json_add_i64(tree, into, name, ms);
    }
}

static void
add_doing(struct admin_look *look, struct json_node *item,
          const struct outlet_settings *outlet,
          const struct store_figure *figure)
{
    const struct admin_settings_of_agent *settings =
        &look->wait.admin->settings;
    struct json_tree *tree = look->tree;
    struct brake_figures brake = { .pulse = { 0, -1, -1 } };
    const struct pause *pause =
        pauses_find(settings->pauses, STORE_HANDLER, outlet->number);
    (void)dispatch_figures(settings->dispatch, outlet->number, &brake);
    json_add_i64(tree, item, "running", (int64_t)brake.running);
    json_add_i64(tree, item, "per_minute", brake.pulse.per_minute);
    add_duration(tree, item, "p50_ms", brake.pulse.p50_ms);
    add_duration(tree, item, "p99_ms", brake.pulse.p99_ms);
    json_add_text(tree, item, "breaker",
                  slice_of(breaker_state_name(brake.state)));
    json_add_time(tree, item, "next_try",
                  next_try_ms(figure, pause, &brake, clock_unix_ms()));
    admin_add_pause(tree, item, pause);
}

static void
add_handler(struct admin_look *look, struct json_node *handlers,
            const struct outlet_settings *outlet,
            const struct store_figure *figure)
{
    struct json_tree *tree = look->tree;
    struct json_node *item = json_add_object(tree, handlers, NULL);
    json_add_text(tree, item, "name", outlet->name);
    json_add_i64(tree, item, "pending", figure->pending);
    json_add_time(tree, item, "oldest", figure->oldest_ms);
    json_add_time(tree, item, "next_due", figure->next_due_ms);
    json_add_i64(tree, item, "dead", figure->dead);
    add_doing(look, item, outlet, figure);
}

/* One that has come or gone since is not there. */
static void
add_receivers(struct admin_look *look, const struct overview *overview,
              size_t handlers)
{
    struct json_node *list =
        json_add_array(look->tree, json_tree_root(look->tree), "receivers");
    const struct outlet_settings *outlet = NULL;
    for (size_t at = 0;
         (outlet = next_receiver(look->wait.admin->settings.dispatch, &at)) !=
         NULL;) {
        for (size_t i = handlers; i < overview->count; i++) {
            if (overview->figures[i].handler == outlet->number) {
                add_handler(look, list, outlet, &overview->figures[i]);
            }
        }
    }
}

static int64_t
open_gaps(const struct view_totals *totals)
{
    int64_t open = 0;
    for (size_t i = 0; i < totals->count; i++) {
        open += totals->at[i].open_gaps;
    }
    return open;
}

static bool
totals_came(struct admin_look *look)
{
    add_connectors(look, "connectors");
    json_add_i64(look->tree, json_tree_root(look->tree), "open_gaps",
                 open_gaps(&look->call.totals));
    return true;
}

/* Those that share the store, as the last answer to this one's sign of life
 * said. */
static void
add_agents(struct admin_look *look, struct json_node *root)
{
    const struct leases *leases = look->wait.admin->settings.leases;
    const struct store_beat *answer = leases_answer(leases);
    if (leases == NULL) {
        return;
    }
    struct json_node *list = json_add_array(look->tree, root, "agents");
    for (size_t i = 0; answer != NULL && i < answer->agent_count; i++) {
        const struct store_agent *agent = &answer->agents[i];
        struct json_node *item = json_add_object(look->tree, list, NULL);
        json_add_i64(look->tree, item, "agent", (int64_t)agent->epoch);
        admin_add_words(look->tree, item, "host", slice_of(agent->host));
        admin_add_words(look->tree, item, "version", slice_of(agent->version));
        json_add_time(look->tree, item, "started", agent->started_ms);
        json_add_time(look->tree, item, "last_beat", agent->beat_ms);
        json_add_bool(look->tree, item, "walks", agent->shares);
        json_add_bool(look->tree, item, "self", agent->is_self);
    }
}

static void
add_agent(struct admin_look *look)
{
    const struct admin_settings_of_agent *settings =
        &look->wait.admin->settings;
    struct json_node *root = json_tree_root(look->tree);
    struct store_worker_figures figures;
    store_worker_figures(settings->worker, &figures);
    json_add_text(look->tree, root, "version", slice_of(settings->version));
    json_add_time(look->tree, root, "now", clock_unix_ms());
    json_add_time(look->tree, root, "started", settings->started_ms);
    json_add_time(look->tree, root, "loaded", settings->loaded_ms);
    json_add_text(look->tree, root, "store",
                  slice_of(status_text(figures.health)));
    json_add_text(look->tree, root, "sandbox", slice_of(settings->sandbox));
    add_agents(look, root);
}

/* The configuration may have been read again since it was asked. */
static const struct store_figure *
figure_of(const struct overview *overview, uint32_t handler)
{
    static const struct store_figure none = { 0 };
    for (size_t i = 0; i < overview->call.figures.count; i++) {
        if (overview->figures[i].handler == handler) {
            return &overview->figures[i];
        }
    }
    return &none;
}

static void
figures_came(struct store_call *call)
{
    struct overview *overview = call->arg;
    struct admin_look *look = overview->look;
    struct admin *admin = look->wait.admin;
    if (admin == NULL) {
        admin_look_destroy(look);
        mem_free(overview);
        return;
    }
    if (call->status != STATUS_OK) {
        admin_wait_end(&look->wait);
        admin_answer_status(look->wait.exchange, call->status, &call->err);
        admin_look_destroy(look);
    } else {
        add_agent(look);
        struct json_node *handlers =
            json_add_array(look->tree, json_tree_root(look->tree), "handlers");
        for (size_t i = 0; i < admin->settings.outlet_count; i++) {
            const struct outlet_settings *outlet = &admin->settings.outlets[i];
            add_handler(look, handlers, outlet,
                        figure_of(overview, outlet->number));
        }
        add_receivers(look, overview, admin->settings.outlet_count);
        admin_look_again(look);
    }
    mem_free(overview);
}

static void
answer_status(struct admin_ask *ask)
{
    const struct admin_settings_of_agent *settings = &ask->admin->settings;
    const size_t most =
        settings->outlet_count + dispatch_outlets_most(settings->dispatch);
    const struct outlet_settings *outlet = NULL;
    struct overview *overview =
        mem_zero(sizeof(*overview) + most * sizeof(overview->figures[0]));
    if (overview == NULL) {
        admin_answer_status(ask->exchange, STATUS_NOMEM, NULL);
        return;
    }
    overview->look = admin_look_create(ask, VIEW_TOTALS, totals_came);
    if (overview->look == NULL) {
        mem_free(overview);
        return;
    }
    while (overview->count < settings->outlet_count) {
        const size_t i = overview->count++;
        overview->figures[i].handler = settings->outlets[i].number;
    }
    for (size_t at = 0;
         (outlet = next_receiver(settings->dispatch, &at)) != NULL;) {
        overview->figures[overview->count++].handler = outlet->number;
    }
    overview->call = (struct store_call){ .kind = STORE_CALL_FIGURES,
                                          .done = figures_came,
                                          .arg = overview,
                                          .figures = { overview->figures,
                                                       overview->count } };
    enum status status = store_worker_submit(settings->worker, &overview->call);
    if (status != STATUS_OK) {
        admin_look_destroy(overview->look);
        mem_free(overview);
        admin_answer_status(ask->exchange, status, NULL);
        return;
    }
    admin_look_prepare(overview->look, ask);
}

static const struct admin_route routes[] = {
    { "GET", "/api/v1/status", answer_status },
    { "GET", "/api/v1/connectors", answer_connectors },
    { "GET", "/api/v1/connectors/{}", answer_connector },
};

const struct admin_table admin_status_table = { routes, sizeof(routes) /
                                                            sizeof(routes[0]) };
