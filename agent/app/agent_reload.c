/* SPDX-License-Identifier: MIT */
/* agent_reload: another configuration in the place of the one that runs. */
#include "app/agent_private.h"

#include "app/admin.h"
#include "app/heartbeat.h"
#include "base/instant.h"
#include "base/log.h"
#include "flow/dispatch.h"
#include "flow/errands.h"
#include "flow/pauses.h"
#include "io/clock.h"
#include "io/http_server.h"
#include "io/loop.h"
#include "io/notify.h"
#include "source/source_webhook.h"

/*
 * The happy path: `begin` reads and checks the files; the store's thread
 * numbers the names; a generation is made beside the one that runs, and
 * handlers that are new or changed are prepared in dispatch; the store's thread
 * notes what holds from here on; `take_up` puts it into its place in one turn
 * of the loop.
 *
 * What can go wrong, up to there: anything. What was made is destroyed, and the
 * one that runs has noticed nothing. Behind there nothing is allocated.
 *
 * The generation before is handed over: its walks and streams end where they
 * are durable and their heirs go on there, its requests are answered, and its
 * attempts run to their own end. Until the first two are done no other run
 * begins. It is destroyed when nobody needs it: `uses` counts itself while it
 * runs or is handed over, its epoch, each handler that it has made, and each
 * question to the admin listener that may point into it. While handlers of it
 * are all that is needed, it is stripped of the rest.
 */

#define PATIENCE_MS (30 * INSTANT_SECOND_MS)
#define LOOK_MS     50
#define ROUNDS      2 /* an answer may lead to one more call */

/* ---- telling ---- */

static void
answer(struct agent *agent, const struct reload_outcome *outcome)
{
    struct agent_reload *reload = &agent->reload;
    for (struct list *at; (at = list_take(&reload->answered)) != NULL;) {
        struct reload_wait *wait = list_entry(at, struct reload_wait, link);
        list_init(&wait->link);
        wait->done(wait, outcome);
    }
}

static void
log_finding(const struct config_finding *finding)
{
    const struct config_mark *mark = &finding->mark;
    struct buf text = { 0 };
    if (mark->source != NULL) {
        buf_format(&text, "%.*s:%u:%u: ", SLICE_ARG(mark->source->name),
                   mark->line, mark->column);
    }
    buf_append(&text, finding->message);
    if (finding->severity == CONFIG_ERROR) {
        LOG(LOG_ERROR, "a mistake in the configuration",
            log_slice("why", buf_slice(&text)));
    } else {
        LOG(LOG_WARN, "the configuration can be better",
            log_slice("why", buf_slice(&text)));
    }
    buf_fini(&text);
}

static void
log_findings(const struct config_report *report)
{
    for (const struct config_finding *at = report->first; at != NULL;
         at = at->next) {
        if (at->severity != CONFIG_NOTE) {
            log_finding(at);
        }
    }
}

static void
begin_again(struct agent *agent)
{
    struct agent_reload *reload = &agent->reload;
    if (reload->wanted && !reload->runs && reload->before == NULL &&
        reload->stopped == NULL) {
        loop_timer_arm(reload->begin, 0);
    }
}

/* The run is over, one way or the other. */
static void
end_run(struct agent *agent, const struct reload_outcome *outcome)
{
    struct agent_reload *reload = &agent->reload;
    const bool good = outcome->status == STATUS_OK;
    telemetry_loaded(&agent->telemetry, good, agent->loaded_ms);
    reload->runs = false;
    if (!agent->stopping) {
        notify_send("READY=1");
    }
    answer(agent, outcome);
    begin_again(agent);
}

/* What was made for a configuration that is not taken up. */
static void
drop_next(struct agent_reload *reload)
{
    doors_close(&reload->doors);
    naming_fini(&reload->naming);
    if (reload->next != NULL) {
        generation_halt(reload->next);
        generation_destroy_sources(reload->next);
        generation_destroy(reload->next);
        reload->next = NULL;
    }
}

/* Nothing has changed. */
static void
fail(struct agent *agent, enum status status, const struct error *err)
{
    struct agent_reload *reload = &agent->reload;
    const struct generation *next = reload->next;
    const struct reload_outcome outcome = {
        .status = status,
        .err = err,
        .report = next == NULL ? NULL : &next->own.report,
        .loaded_ms = agent->loaded_ms,
    };
    LOG(LOG_ERROR, "the configuration was not taken up, the one before goes on",
        log_text("why", error_text(err, status)));
    if (outcome.report != NULL) {
        log_findings(outcome.report);
    }
    end_run(agent, &outcome);
    dispatch_let_go(agent->dispatch);
    drop_next(reload);
}

/* ---- what is needed no more ---- */

void
agent_generation_unused(void *arg)
{
    struct agent *agent = arg;
    loop_timer_arm(agent->reload.reap, 0);
}

static void
let_handler_go(struct generation_made *made)
{
    struct handler *handler = made->settings->handler;
    made->settings->handler = NULL;
    if (handler != NULL) {
        handler->ops->destroy(handler);
    }
    generation_release_made(made->generation);
}

/* handler's `closed`. */
static void
handler_closed(void *arg)
{
    struct generation_made *made = arg;
    struct agent *agent = made->generation->frame->arg;
    agent->reload.closing--;
    list_append(&agent->reload.going, &made->link);
    loop_timer_arm(agent->reload.reap, 0);
    if (agent->reload.stopped != NULL) {
        agent->reload.stopped(agent);
    }
}

static void
close_handlers(struct agent *agent)
{
    struct agent_reload *reload = &agent->reload;
    struct list going = LIST_INIT(going);
    list_join(&going, &reload->going);
    for (struct list *at; (at = list_take(&going)) != NULL;) {
        struct generation_made *made =
            list_entry(at, struct generation_made, link);
        struct handler *handler = made->settings->handler;
        list_init(&made->link);
        if (!made->is_closed && handler != NULL &&
            handler->ops->close != NULL &&
            handler->ops->close(handler, handler_closed, made)) {
            made->is_closed = true;
            reload->closing++;
        } else {
            let_handler_go(made);
        }
    }
}

/* loop_timer's: apart from all that may have told of it. */
static void
reap(void *arg)
{
    struct agent *agent = arg;
    close_handlers(agent);
    list_for_each_safe(at, &agent->generations) {
        struct generation *generation = list_entry(at, struct generation, link);
        if (generation->uses == 0) {
            generation_destroy_sources(generation);
            generation_destroy(generation);
        } else {
            generation_strip(generation);
        }
    }
}

/* A handler that is no more shall alarm nobody. */
static void
clear_handler(const struct agent *agent, struct slice name)
{
    const struct outlets *listed = &agent->generation->listed;
    bool found = false;
    for (size_t i = 0; i < listed->count; i++) {
        found = found || slice_equal(listed->at[i].name, name);
    }
    if (!found) {
        telemetry_handler_gone(&agent->telemetry, name);
    }
}

/* dispatch_retire's `gone`. */
static void
handler_gone(void *arg)
{
    struct generation_made *made = arg;
    struct agent *agent = made->generation->frame->arg;
    clear_handler(agent, made->settings->name);
    list_append(&agent->reload.going, &made->link);
    loop_timer_arm(agent->reload.reap, 0);
}

/* dispatch_enter's `left`. */
static void
epoch_left(void *arg)
{
    generation_release(arg);
}

/* ---- handing over ---- */

/* Connectors that are no more shall alarm nobody. Again at the end: what was
 * under way may have counted meanwhile. */
static void
clear_connectors(const struct agent *agent, const struct generation *before)
{
    const struct difference *difference = &agent->reload.difference;
    const struct difference_names *connectors = &difference->connectors.removed;
    for (size_t i = 0; i < connectors->count; i++) {
        const struct connector *connector =
            configuration_connector(before->configuration, connectors->at[i]);
        telemetry_connector_gone(&agent->telemetry, connector);
        if (agent->leases != NULL) {
            metric_set(telemetry_lease(&agent->telemetry, connector), 0);
        }
    }
}

/* What the generation before has asked of the store is answered. */
static void
round_over(struct store_call *call)
{
    struct agent *agent = call->arg;
    struct agent_reload *reload = &agent->reload;
    reload->rounds++;
    loop_timer_arm(reload->look, 0);
}

static void
look(void *arg)
{
    struct agent *agent = arg;
    struct agent_reload *reload = &agent->reload;
    struct generation *before = reload->before;
    if (reload->stopped != NULL) {
        return; /* all of it goes */
    }
    if (reload->handing > 0 || !generation_is_still(before)) {
        loop_timer_arm(reload->look, LOOK_MS);
        return;
    }
    if (reload->rounds < ROUNDS) {
        generation_end_refusals(before);
        reload->call = (struct store_call){ .kind = STORE_CALL_RUN,
                                            .done = round_over,
                                            .arg = agent };
        if (store_worker_submit(agent->worker, &reload->call) != STATUS_OK) {
            loop_timer_disarm(reload->look); /* it has failed: all of it ends */
        }
        return;
    }
    loop_timer_disarm(reload->patience);
    clear_connectors(agent, before);
    reload->before = NULL;
    generation_release(before);
    begin_again(agent);
}

static void
handed(void *arg)
{
    struct agent *agent = arg;
    struct agent_reload *reload = &agent->reload;
    reload->handing--;
    if (reload->handing == 0) {
        loop_timer_arm(reload->look, 0);
    }
    if (reload->stopped != NULL) {
        reload->stopped(agent);
    }
}

static void
lose_patience(void *arg)
{
    struct agent *agent = arg;
    if (agent->reload.before != NULL) {
        generation_hurry(agent->reload.before);
    }
}

static void
hand_over(struct agent *agent, struct generation *before)
{
    struct agent_reload *reload = &agent->reload;
    reload->before = before;
    reload->rounds = 0;
    reload->handing =
        generation_hand_over(before, agent->generation, handed, agent);
    loop_timer_arm(reload->patience, PATIENCE_MS);
    loop_timer_arm(reload->look, 0);
}

/* ---- taking up ---- */

/* Handlers that are no more, or are others now, go; those that are new come. */
static void
change_handlers(struct agent *agent, struct generation *before)
{
    const struct generation *now = agent->generation;
    for (size_t i = 0; i < before->listed.count; i++) {
        struct generation_made *made = before->makers[i];
        if (!generation_has(now, made)) {
            clear_handler(agent, made->settings->name);
            dispatch_retire(agent->dispatch, before->listed.at[i].number,
                            handler_gone, made);
        }
    }
    dispatch_let_come(agent->dispatch);
    generation_hold(before);
    dispatch_enter(agent->dispatch, &agent->generation->epoch, epoch_left,
                   before);
    dispatch_reopen(agent->dispatch);
}

/* What stays turns to the new generation. */
static void
change_frame(struct agent *agent)
{
    const struct configuration *now = agent->configuration;
    struct generation *generation = agent->generation;
    const struct errands_settings errands = {
        .dispatch = agent->dispatch,
        .reader = agent->reader,
        .connectors = now->connectors,
        .connector_count = now->connector_count,
        .open_most = now->settings.limits.errand_open,
    };
    const struct heartbeat_settings heartbeat = agent_heartbeat(agent);
    const struct admin_settings_of_agent admin = agent_admin_settings(agent);
    errands_change(agent->errands, &errands);
    heartbeat_change(agent->heartbeat, &heartbeat);
    doors_take(&agent->doors, &agent->reload.doors, clock_unix_ms());
    doors_show(&agent->doors, &agent->telemetry);
    if (agent->server != NULL) {
        const struct http_server_handler handler =
            source_webhook_handler(generation->webhook);
        http_server_serve(agent->server, &now->settings.listen->limits,
                          &handler);
    }
    admin_change(agent->admin, &admin);
    if (agent->settings.reloaded != NULL) {
        agent->settings.reloaded(agent->settings.arg, now);
    }
}

static void
log_taken_up(const struct difference *difference)
{
    struct buf words = { 0 };
    difference_words(difference, &words);
    LOG(LOG_INFO, "the configuration was read again",
        log_slice("changed",
                  words.len == 0 ? slice_of("nothing") : buf_slice(&words)));
    buf_fini(&words);
}

static void
take_up(struct agent *agent)
{
    struct agent_reload *reload = &agent->reload;
    struct generation *before = agent->generation;
    struct generation *now = reload->next;
    reload->next = NULL;
    naming_fini(&reload->naming);
    generation_hold(now);
    list_append(&agent->generations, &now->link);
    agent->generation = now;
    agent->configuration = now->configuration;
    agent->loaded_ms = reload->read_ms;
    change_handlers(agent, before);
    change_frame(agent);
    generation_start_service(now);
    agent_pause_walks(agent);
    agent_name_leases(agent);
    agent_hold(agent);
    clear_connectors(agent, before);
    hand_over(agent, before);
    log_findings(&now->own.report);
    log_taken_up(&reload->difference);
    const struct reload_outcome outcome = {
        .status = STATUS_OK,
        .report = &now->own.report,
        .difference = &reload->difference,
        .loaded_ms = agent->loaded_ms,
    };
    end_run(agent, &outcome);
}

/* ---- making ---- */

static enum status
settle_names(struct store *store, void *arg, struct error *err)
{
    return naming_settle(store, arg, err);
}

static enum status
read_names(struct store *store, void *arg, struct error *err)
{
    return naming_read(store, arg, err);
}

/* The agent has begun to end, or the store's thread could not do it. */
static bool
is_given_up(struct agent *agent, const struct store_call *call)
{
    struct error err = { 0 };
    if (agent->stopping) {
        (void)error_set(&err, STATUS_CANCELED, "the agent is stopping");
        fail(agent, STATUS_CANCELED, &err);
    } else if (call->status != STATUS_OK) {
        err = call->err;
        fail(agent, call->status, &err);
    }
    return agent->stopping || call->status != STATUS_OK;
}

static void
names_settled(struct store_call *call)
{
    struct agent *agent = call->arg;
    if (!is_given_up(agent, call)) {
        take_up(agent);
    }
}

static enum status
ask_store(struct agent *agent,
          enum status (*fn)(struct store *store, void *arg, struct error *err),
          void (*done)(struct store_call *call))
{
    struct agent_reload *reload = &agent->reload;
    reload->call = (struct store_call){
        .kind = STORE_CALL_RUN,
        .done = done,
        .arg = agent,
        .run = { .fn = fn, .arg = &reload->naming },
    };
    return store_worker_submit(agent->worker, &reload->call);
}

static enum status
prepare_handlers(struct agent *agent, struct error *err)
{
    const struct generation *next = agent->reload.next;
    enum status status = STATUS_OK;
    PRE(next != NULL);
    for (size_t i = 0; i < next->listed.count && status == STATUS_OK; i++) {
        if (generation_has_made(next, i)) {
            status = dispatch_prepare(agent->dispatch, &next->listed.at[i]);
        }
    }
    return status == STATUS_BUSY
               ? error_set(err, status,
                           "attempts of too many handlers that were changed "
                           "still run: try again when they have ended")
               : status;
}

static enum status
make(struct agent *agent, struct error *err)
{
    struct agent_reload *reload = &agent->reload;
    const struct outlets_parts parts = agent_parts(agent);
    enum status status = generation_make_outlets(
        reload->next, agent->generation, &parts, &reload->naming, err);
    if (status == STATUS_OK) {
        status = pauses_grow(agent->pauses, reload->naming.count);
    }
    if (status == STATUS_OK) {
        status = agent_put_pauses(agent, &reload->naming);
    }
    if (status == STATUS_OK) {
        status = prepare_handlers(agent, err);
    }
    if (status == STATUS_OK) {
        status = generation_build(reload->next, 0);
    }
    if (status == STATUS_OK) {
        status = doors_open(&reload->next->own.settings, &reload->doors, err);
    }
    return status;
}

static void
names_read(struct store_call *call)
{
    struct agent *agent = call->arg;
    struct error err = { 0 };
    if (is_given_up(agent, call)) {
        return;
    }
    enum status status = make(agent, &err);
    if (status == STATUS_OK) {
        status = ask_store(agent, settle_names, names_settled);
    }
    if (status != STATUS_OK) {
        fail(agent, status, &err);
    }
}

static enum status
read_files(struct agent *agent, struct error *err)
{
    struct agent_reload *reload = &agent->reload;
    reload->read_ms = clock_unix_ms();
    reload->next = generation_create(&agent->frame, NULL);
    if (reload->next == NULL) {
        return STATUS_NOMEM;
    }
    struct configuration *next = &reload->next->own;
    enum status status =
        configuration_load(agent->configuration->path.ptr, next, err);
    if (status == STATUS_OK) {
        difference_check(agent->configuration, next, &next->report);
        confine_check(&agent->confined, next, &next->report);
        status = config_report_status(&next->report);
        if (status != STATUS_OK) {
            (void)error_set(err, status, "the configuration was refused");
        }
    }
    if (status == STATUS_OK) {
        status = difference_find(agent->configuration, next, &next->arena,
                                 &reload->difference);
    }
    if (status == STATUS_OK) {
        status = naming_create(next, &reload->naming);
    }
    return status;
}

/* loop_timer's. */
static void
begin(void *arg)
{
    struct agent *agent = arg;
    struct agent_reload *reload = &agent->reload;
    struct error err = { 0 };
    if (agent->stopping) {
        return;
    }
    reload->wanted = false;
    reload->runs = true;
    list_join(&reload->answered, &reload->asked);
    notify_reloading();
    enum status status = read_files(agent, &err);
    if (status == STATUS_OK) {
        status = ask_store(agent, read_names, names_read);
    }
    if (status != STATUS_OK) {
        fail(agent, status, &err);
    }
}

void
agent_reload(void *arg, struct reload_wait *wait)
{
    struct agent *agent = arg;
    struct agent_reload *reload = &agent->reload;
    reload->wanted = true;
    if (wait != NULL) {
        list_append(&reload->asked, &wait->link);
    }
    begin_again(agent);
}

/* ---- lifecycle ---- */

void
agent_reload_init(struct agent *agent)
{
    list_init(&agent->generations);
    list_init(&agent->reload.asked);
    list_init(&agent->reload.answered);
    list_init(&agent->reload.going);
}

enum status
agent_reload_open(struct agent *agent)
{
    struct agent_reload *reload = &agent->reload;
    const struct {
        loop_fn *fn;
        struct loop_timer **at;
    } timers[] = { { begin, &reload->begin },
                   { reap, &reload->reap },
                   { look, &reload->look },
                   { lose_patience, &reload->patience } };
    enum status status = STATUS_OK;
    for (size_t i = 0;
         i < sizeof(timers) / sizeof(timers[0]) && status == STATUS_OK; i++) {
        status =
            loop_timer_create(agent->loop, timers[i].fn, agent, timers[i].at);
    }
    return status;
}

size_t
agent_reload_stop(struct agent *agent, void (*stopped)(void *arg))
{
    struct agent_reload *reload = &agent->reload;
    reload->stopped = stopped;
    loop_timer_disarm(reload->begin);
    loop_timer_disarm(reload->look);
    if (reload->before != NULL) {
        generation_hurry(reload->before);
    }
    return reload->handing + reload->closing;
}

size_t
agent_reload_closing(const struct agent *agent)
{
    return agent->reload.closing;
}

void
agent_reload_fini(struct agent *agent)
{
    struct agent_reload *reload = &agent->reload;
    drop_next(reload);
    loop_timer_destroy(reload->begin);
    loop_timer_destroy(reload->reap);
    loop_timer_destroy(reload->look);
    loop_timer_destroy(reload->patience);
}
