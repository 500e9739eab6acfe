/* SPDX-License-Identifier: MIT */
#include "flow/dispatch.h"

#include "base/instant.h"
#include "base/log.h"
#include "base/mem.h"
#include "flow/attempt.h"
#include "flow/dispatch_private.h"
#include "flow/fill.h"
#include "flow/settle.h"
#include "io/clock.h"
#include "io/loop.h"
#include "model/fetch.h"

/*
 * The happy path of a hot event: dispatch_route holds a slot, the transaction
 * becomes durable, dispatch_stored starts the handler from memory, settle
 * stores the outcome, the slot is free again.
 *
 * The happy path of any other: it is stored with due = now; `claim` asks the
 * store for as many as there are free slots; what comes back is started.
 *
 * An event that lacks something is made whole before its handler starts: fill
 * does that, once for all its deliveries.
 *
 * What can go wrong: an event cannot be made for want of memory (its lease ends
 * by itself and it is claimed then); a claim fails (asked again after a
 * second); a handler never reports (its own deadline ends it; the lease is
 * longer than that).
 *
 * `backlog` means that the store may hold something due. While it does, nothing
 * is born hot, so that the new does not overtake the old.
 */

#define CLAIM_MOST     64
#define AGAIN_PAST     16 /* claims */
#define RETRY_CLAIM_MS INSTANT_SECOND_MS

static int64_t
free_slots(const struct outlet *outlet)
{
    return outlet->gather != NULL
               ? dispatch_batch_room(outlet)
               : outlet->settings->concurrency - outlet->busy -
                     dispatch_elder_slots(outlet);
}

static bool
is_paused(const struct outlet *outlet)
{
    return outlet->pause != NULL && outlet->pause->is_paused;
}

bool
dispatch_may_start(const struct outlet *outlet)
{
    return dispatch_may_go_on(outlet) && !outlet->dispatch->settings.owe_only &&
           free_slots(outlet) > 0 && settle_takes(outlet->dispatch->settle);
}

void
dispatch_check_stopped(struct dispatch *dispatch)
{
    dispatch_check_retired(dispatch);
    if (dispatch->stopped == NULL || dispatch->grace_ms >= 0 ||
        dispatch->running > 0 || dispatch->closing > 0 ||
        dispatch->clock.recalling || settle_open(dispatch->settle) > 0) {
        return;
    }
    for (size_t i = 0; i < dispatch->settings.outlet_count; i++) {
        if (dispatch->outlets[i].claim_open) {
            return;
        }
    }
    void (*stopped)(void *) = dispatch->stopped;
    dispatch->stopped = NULL;
    loop_timer_disarm(dispatch->grace);
    stopped(dispatch->stopped_arg);
}

void
dispatch_wake_at(struct outlet *outlet, int64_t due_ms)
{
    outlet = dispatch_heir(outlet);
    if (due_ms == 0 || outlet->dispatch->stopping ||
        (outlet->due_ms != 0 && outlet->due_ms <= due_ms)) {
        return;
    }
    int64_t delay_ms = due_ms - clock_unix_ms();
    outlet->due_ms = due_ms;
    loop_timer_arm(outlet->timer, delay_ms < 1 ? 1 : delay_ms);
}

static void
due(void *arg)
{
    struct outlet *outlet = arg;
    outlet->due_ms = 0;
    outlet->backlog = true;
    outlet->again.backlog = true;
    dispatch_claim(outlet);
}

/* ---- attempts ---- */

/* An attempt is over: its slot was freed when its handler reported. */
static void
attempt_over(void *arg, struct attempt *attempt, int64_t due_ms)
{
    struct dispatch *dispatch = arg;
    struct outlet *outlet = attempt->outlet;
    if (attempt->outcome.kind == OUTCOME_DONE ||
        attempt->outcome.kind == OUTCOME_DEAD) {
        metric_add(outlet->counts.pending, -1);
    }
    if (dispatch->settings.watch.settled != NULL) {
        dispatch->settings.watch.settled(dispatch->settings.watch.arg,
                                         outlet->settings->name, attempt,
                                         due_ms);
    }
    struct dispatch_epoch *epoch = attempt->epoch;
    attempt_destroy(attempt);
    outlet->alive--;
    outlet = dispatch_heir(outlet);
    dispatch_wake_at(outlet, due_ms);
    if (outlet->has_lanes) {
        outlet->backlog = true; /* its lane may go on */
        outlet->again.backlog = true;
    }
    dispatch_epoch_end(epoch);
    dispatch_claim_all(dispatch); /* too much unsettled holds all of them */
    dispatch_check_stopped(dispatch);
}

void
dispatch_free_slot(struct outlet *outlet, bool again)
{
    outlet->busy--;
    outlet->again.busy -= again;
}

void
dispatch_end_attempt(struct attempt *attempt,
                     const struct handler_result *result, bool release)
{
    struct outlet *outlet = attempt->outlet;
    struct dispatch *dispatch = outlet->dispatch;
    if (attempt->braked) {
        bool asked = attempt->asked && !release && !dispatch->stopping;
        brake_end(outlet->brake, attempt->is_probe, attempt->event->number,
                  asked ? result : NULL);
    }
    dispatch->running--;
    dispatch_free_slot(outlet, attempt->again);
    settle_result(dispatch->settle, attempt, &outlet->rules, result,
                  release || dispatch->stopping);
    dispatch_slot_freed(outlet);
}

void
dispatch_note_result(struct outlet *outlet, const struct handler_result *result)
{
    const struct outlet_settings *settings = outlet->settings;
    dispatch_note_clock(outlet->dispatch);
    if (settings->told != NULL && !outlet->dispatch->stopping) {
        settings->told(settings->told_arg, result);
    }
    if (result->pause && outlet->pause != NULL && settings->pause == NULL) {
        pauses_take(outlet->dispatch->settings.pauses, outlet->pause,
                    slice_of("it answered that it is gone (410)"));
    }
}

static void
handler_reported(void *arg, const struct handler_result *result)
{
    struct attempt *attempt = arg;
    dispatch_note_result(attempt->outlet, result);
    dispatch_end_attempt(attempt, result, false);
}

bool
dispatch_may_go_on(const struct outlet *outlet)
{
    return !is_paused(outlet) && !outlet->retired &&
           !outlet->dispatch->stopping;
}

/* Starts the handler; gives back what was asked for while it could start, and
 * may start no more. */
static void
start_handler(struct attempt *attempt, const struct connector *connector)
{
    static const struct handler_result untried = { .disposition =
                                                       DISPOSITION_LATER };
    struct handler *handler = attempt->outlet->settings->handler;
    struct error err = { 0 };
    bool goes = dispatch_may_go_on(attempt->outlet);
    if (goes && attempt->outlet->gather == NULL) {
        attempt->braked =
            brake_begin(attempt->outlet->brake, &attempt->is_probe);
        goes = attempt->braked;
    }
    if (!goes) {
        struct outlet *heir = dispatch_heir(attempt->outlet);
        heir->backlog = true;
        heir->again.backlog = true;
        dispatch_end_attempt(attempt, &untried, true);
        return;
    }
    enum status status =
        connector == NULL
            ? error_set(&err, STATUS_NOT_FOUND,
                        "its connector is not in the configuration any more")
            : attempt_render(attempt, connector,
                             attempt->outlet->settings->format);
    if (status == STATUS_OK && attempt->outlet->gather != NULL) {
        dispatch_batch_add(attempt->outlet, attempt);
        return;
    }
    if (status == STATUS_OK) {
        attempt->asked = true;
        status = handler->ops->start(handler, &attempt->delivery,
                                     handler_reported, attempt, &err);
    }
    if (status != STATUS_OK) {
        struct handler_result result = {
            .disposition = DISPOSITION_LATER,
            .detail = slice_of(error_text(&err, status)),
        };
        handler_reported(attempt, &result);
    }
}

/* The event is whole, or this attempt has failed. */
static void
filled(void *arg, const struct fill_result *result)
{
    struct attempt *attempt = arg;
    if (result->disposition == DISPOSITION_DONE) {
        attempt_take_whole(attempt, result->event);
        start_handler(attempt, dispatch_connector(attempt->epoch,
                                                  attempt->event->connector));
        return;
    }
    attempt->outcome.waits = result->waits;
    attempt->outcome.asked_ms = result->asked_ms;
    const struct handler_result failed = {
        .disposition = result->disposition,
        .not_before_ms = result->not_before_ms,
        .reason = result->reason,
        .detail = result->detail,
        .duration_ms = result->duration_ms,
    };
    dispatch_end_attempt(attempt, &failed, result->untried);
}

void
dispatch_start_attempt(struct outlet *outlet, const struct store_claim *claim,
                       int64_t lease_until_ms)
{
    struct dispatch *dispatch = outlet->dispatch;
    struct event *event = claim->event;
    bool again = claim->again != AGAIN_NOT;
    struct attempt *attempt;
    struct dispatch_epoch *epoch = dispatch->epoch;
    int64_t needs_ms = outlet->settings->attempt_ms + epoch->fetch_ms;
    int64_t left_ms = lease_until_ms - clock_steady_ms();
    if (needs_ms > left_ms) {
        event_unref(event);
        dispatch_free_slot(outlet, again);
        dispatch_wake_at(outlet, clock_unix_ms() + left_ms);
        return;
    }
    if (attempt_create(outlet, claim, &attempt) != STATUS_OK) {
        dispatch_free_slot(outlet, again); /* the lease ends by itself */
        dispatch_wake_at(outlet, clock_unix_ms() + dispatch_lease_ms(outlet));
        return;
    }
    attempt->epoch = epoch;
    epoch->alive++;
    attempt->outcome.handler = outlet->settings->number;
    attempt->lease_until_ms = lease_until_ms;
    dispatch->running++;
    outlet->alive++;
    const struct connector *connector =
        dispatch_connector(epoch, event->connector);
    if (connector != NULL) {
        attempt->delivery.connector = connector->name;
    }
    bool lacks = epoch->fills != NULL && connector != NULL &&
                 fetch_spec_of(connector, event) != NULL;
    if (lacks && dispatch_may_go_on(outlet)) {
        attempt->wait.done = filled;
        attempt->wait.arg = attempt;
        fills_bring(epoch->fills, connector, event, &attempt->wait);
    } else {
        start_handler(attempt, connector);
    }
}

/* ---- claims ---- */

/* By value: an attempt that fails at once frees its slot, and the next claim is
 * written over this one's call. */
static void
take_claims(struct outlet *outlet, struct store_claims claims,
            int64_t lease_until_ms)
{
    int64_t spare = outlet->claiming - (int64_t)claims.count;
    outlet->busy -= spare;
    brake_give(outlet->brake, spare);
    outlet->again.busy -= claims.again ? spare : 0;
    if (spare > 0) {
        *(claims.again ? &outlet->again.backlog : &outlet->backlog) = false;
        dispatch_wake_at(outlet, claims.next_due_ms);
    }
    outlet->claiming = 0;
    for (size_t i = 0; i < claims.count; i++) {
        outlet->has_lanes = outlet->has_lanes || claims.at[i].has_lane;
        dispatch_start_attempt(outlet, &claims.at[i], lease_until_ms);
    }
    mem_free(claims.at);
}

static void
claimed(struct store_call *call)
{
    struct outlet *outlet = call->arg;
    outlet->claim_open = false;
    if (call->status == STATUS_OK) {
        take_claims(outlet, call->claim.claims, call->claim.lease_until_ms);
        dispatch_claim(outlet);
    } else {
        outlet->busy -= outlet->claiming;
        brake_give(outlet->brake, outlet->claiming);
        outlet->again.busy -= call->claim.claims.again ? outlet->claiming : 0;
        outlet->claiming = 0;
        dispatch_wake_at(outlet, clock_unix_ms() + RETRY_CLAIM_MS);
    }
    dispatch_check_stopped(outlet->dispatch);
}

/* Which of what is owed is claimed next, and how many of it at most: what comes
 * for the first time, and what comes again with half of the slots when none of
 * that is due; now and then before it, so that it comes at all. */
static int64_t
claim_next(struct outlet *outlet, bool *ret_again)
{
    int64_t most = free_slots(outlet);
    int64_t again_most =
        outlet->again.backlog ? dispatch_again_room(outlet) : 0;
    int64_t attempt = outlet->gather == NULL ? 1 : outlet->settings->batch->max;
    bool turn = !outlet->backlog || outlet->again.past >= AGAIN_PAST;
    *ret_again = again_most > 0 && turn;
    if (*ret_again) {
        outlet->again.past = 0;
        most = outlet->backlog && attempt < again_most ? attempt : again_most;
    } else if (!outlet->backlog) {
        return 0;
    }
    outlet->again.past += again_most > 0 && !*ret_again;
    return most > CLAIM_MOST ? CLAIM_MOST : most;
}

/* Asks the store for as many as there are free slots, if it may hold any. */
void
dispatch_claim(struct outlet *outlet)
{
    if (outlet->claim_open || !dispatch_may_start(outlet)) {
        return;
    }
    bool again;
    int64_t limit = claim_next(outlet, &again);
    if (limit <= 0) {
        return;
    }
    dispatch_note_clock(outlet->dispatch);
    int64_t now_ms = clock_unix_ms();
    limit = brake_room(outlet->brake, limit);
    if (limit == 0) {
        return; /* the brake wakes the outlet */
    }
    outlet->call = (struct store_call){
        .kind = STORE_CALL_CLAIM,
        .done = claimed,
        .arg = outlet,
        .claim = { .handler = outlet->settings->number,
                   .now_ms = now_ms,
                   .lease_until_ms =
                       clock_steady_ms() + dispatch_lease_ms(outlet),
                   .limit = (size_t)limit,
                   .claims = { .again = again,
                               .leases_ms = clock_steady_ms() } },
    };
    if (store_worker_submit(outlet->dispatch->worker, &outlet->call) !=
        STATUS_OK) {
        return; /* the store has failed for good */
    }
    outlet->claim_open = true;
    outlet->claiming = limit;
    outlet->busy += limit;
    brake_take(outlet->brake, limit);
    outlet->again.busy += again ? limit : 0;
}

void
dispatch_claim_all(struct dispatch *dispatch)
{
    for (size_t i = 0; i < dispatch->settings.outlet_count; i++) {
        dispatch_claim(&dispatch->outlets[i]);
    }
}

/* The brake's `wake`. */
static void
let_go(void *arg)
{
    dispatch_claim(arg);
}

/* ---- lifecycle ---- */

enum status
dispatch_open_outlet(struct dispatch *dispatch, struct outlet *outlet,
                     const struct outlet_settings *settings)
{
    outlet->dispatch = dispatch;
    outlet->settings = settings;
    outlet->has_lanes = outlet->settings->route.order_by.len > 0;
    outlet->pause = settings->pause != NULL
                        ? settings->pause
                        : pauses_find(dispatch->settings.pauses, STORE_HANDLER,
                                      settings->number);
    outlet->counts = telemetry_of_handler(
        dispatch->settings.telemetry,
        settings->series.len > 0 ? settings->series : settings->name);
    if (settings->series.len > 0) { /* no gauge can stand for several */
        outlet->counts.pending = NULL;
        outlet->counts.oldest_pending = NULL;
        outlet->counts.breaker_state = NULL;
    }
    outlet->rules =
        (struct settle_rules){ &outlet->settings->retry, outlet->settings->name,
                               &outlet->counts, &dispatch->jumps };
    const struct brake_settings brake = {
        .rules = &outlet->settings->brake,
        .handler = outlet->settings->name,
        .counts = &outlet->counts,
        .seed =
            dispatch->settings.seed + (uint64_t)(outlet - dispatch->outlets),
        .wake = let_go,
        .arg = outlet,
    };
    enum status status = brake_create(dispatch->loop, &brake, &outlet->brake);
    if (status == STATUS_OK) {
        status = loop_timer_create(dispatch->loop, due, outlet, &outlet->timer);
    }
    return status == STATUS_OK && outlet->settings->batch != NULL
               ? gather_create(dispatch->loop, outlet->settings->batch,
                               &outlet->settings->retry, dispatch_batch_start,
                               outlet, &outlet->gather)
               : status;
}

void
dispatch_close_outlet(struct outlet *outlet)
{
    loop_timer_destroy(outlet->timer);
    brake_destroy(outlet->brake);
    gather_destroy(outlet->gather);
    *outlet = (struct outlet){ 0 };
}

static void
cancel_all(const struct dispatch *dispatch)
{
    for (size_t i = 0; i < dispatch->settings.outlet_count; i++) {
        struct handler *handler = dispatch->outlets[i].settings->handler;
        if (handler != NULL) {
            handler->ops->cancel(handler);
        }
    }
    list_for_each(at, &dispatch->epochs) {
        struct fills *fills =
            list_entry(at, struct dispatch_epoch, link)->fills;
        if (fills != NULL) {
            fills_cancel(fills);
        }
    }
}

/* The one timer of the end: first for a turn later, so that `stopped` never
 * comes before dispatch_stop has returned, then for the grace. */
static void
grace_over(void *arg)
{
    struct dispatch *dispatch = arg;
    if (dispatch->grace_ms >= 0) {
        loop_timer_arm(dispatch->grace, dispatch->grace_ms);
        dispatch->grace_ms = -1;
        dispatch_check_stopped(dispatch);
    } else {
        cancel_all(dispatch);
    }
}

enum status
dispatch_create(struct loop *loop, struct store_worker *worker,
                const struct dispatch_settings *settings, struct dispatch **ret)
{
    enum status status = STATUS_NOMEM;
    struct dispatch *dispatch = mem_zero(sizeof(*dispatch));
    if (dispatch == NULL) {
        return status;
    }
    dispatch->loop = loop;
    dispatch->worker = worker;
    dispatch->settings = *settings;
    dispatch_epochs_init(dispatch);
    dispatch->room = settings->outlet_count + settings->spare;
    dispatch->outlets = mem_array(dispatch->room, sizeof(*dispatch->outlets));
    dispatch->clock.recalls =
        mem_array(dispatch->room, sizeof(*dispatch->clock.recalls));
    if (dispatch->outlets == NULL || dispatch->clock.recalls == NULL) {
        goto destroy;
    }
    status = settle_create(loop, worker, settings->seed, attempt_over, dispatch,
                           &dispatch->settle);
    if (status == STATUS_OK) {
        status =
            loop_timer_create(loop, grace_over, dispatch, &dispatch->grace);
    }
    for (size_t i = 0; i < settings->outlet_count && status == STATUS_OK; i++) {
        status = dispatch_open_outlet(dispatch, &dispatch->outlets[i],
                                      &settings->outlets[i]);
    }
    if (status != STATUS_OK) {
        goto destroy;
    }
    *ret = dispatch;
    return STATUS_OK;

destroy:
    dispatch_destroy(dispatch);
    return status;
}

void
dispatch_start(struct dispatch *dispatch)
{
    if (!dispatch->clock.started) {
        dispatch->clock.started = true;
        dispatch->clock.wanted = true;
        dispatch_note_clock(dispatch);
    }
    dispatch_look(dispatch);
}

void
dispatch_look(struct dispatch *dispatch)
{
    for (size_t i = 0; i < dispatch->settings.outlet_count; i++) {
        dispatch->outlets[i].backlog = true;
        dispatch->outlets[i].again.backlog = true;
        dispatch_claim(&dispatch->outlets[i]);
    }
}

void
dispatch_on_waiting(struct dispatch *dispatch, void (*fn)(void *arg), void *arg)
{
    dispatch->waiting = fn;
    dispatch->waiting_arg = arg;
}

void
dispatch_again(struct dispatch *dispatch)
{
    for (size_t i = 0; i < dispatch->settings.outlet_count; i++) {
        struct outlet *outlet = &dispatch->outlets[i];
        outlet->again.backlog = true;
        if (outlet->has_lanes) {
            outlet->backlog = true; /* a lane that was held may go on */
        }
        dispatch_claim(outlet);
    }
}

static void
handler_closed(void *arg)
{
    struct dispatch *dispatch = arg;
    dispatch->closing--;
    dispatch_check_stopped(dispatch);
}

static void
close_handlers(struct dispatch *dispatch)
{
    if (dispatch->closed) {
        return; /* it is told to stop twice when it is destroyed */
    }
    dispatch->closed = true;
    for (size_t i = 0; i < dispatch->settings.outlet_count; i++) {
        struct handler *handler = dispatch->outlets[i].settings->handler;
        if (handler != NULL && handler->ops->close != NULL &&
            handler->ops->close(handler, handler_closed, dispatch)) {
            dispatch->closing++;
        }
    }
}

void
dispatch_stop(struct dispatch *dispatch, int64_t grace_ms,
              void (*stopped)(void *arg), void *arg)
{
    dispatch->stopping = true;
    dispatch->stopped = stopped;
    dispatch->stopped_arg = arg;
    for (size_t i = 0; i < dispatch->settings.outlet_count; i++) {
        loop_timer_disarm(dispatch->outlets[i].timer);
        dispatch_batch_give_back(&dispatch->outlets[i]);
    }
    dispatch->grace_ms = grace_ms;
    loop_timer_arm(dispatch->grace, 0);
    close_handlers(dispatch);
}

size_t
dispatch_running(const struct dispatch *dispatch)
{
    return dispatch->running + dispatch->closing;
}

void
dispatch_cancel(struct dispatch *dispatch)
{
    cancel_all(dispatch);
}

void
dispatch_destroy(struct dispatch *dispatch)
{
    if (dispatch == NULL) {
        return;
    }
    for (size_t i = 0;
         dispatch->outlets != NULL && i < dispatch->settings.outlet_count;
         i++) {
        dispatch_close_outlet(&dispatch->outlets[i]);
    }
    loop_timer_destroy(dispatch->grace);
    settle_destroy(dispatch->settle);
    mem_free(dispatch->outlets);
    mem_free(dispatch->clock.recalls);
    mem_free(dispatch);
}

void
dispatch_pause_changed(struct dispatch *dispatch, uint32_t handler)
{
    for (size_t i = 0; i < dispatch->settings.outlet_count; i++) {
        struct outlet *outlet = &dispatch->outlets[i];
        if (outlet->settings->number != handler) {
            continue;
        }
        if (is_paused(outlet)) {
            dispatch_batch_give_back(outlet);
        } else {
            outlet->backlog = true;
            outlet->again.backlog = true;
            dispatch_claim(outlet);
        }
    }
}

void
dispatch_reopen(struct dispatch *dispatch)
{
    for (size_t i = 0; i < dispatch->settings.outlet_count; i++) {
        struct handler *handler = dispatch->outlets[i].settings->handler;
        if (handler != NULL && handler->ops->reopen != NULL) {
            handler->ops->reopen(handler);
        }
    }
}
