/* SPDX-License-Identifier: MIT */
#include "flow/receivers.h"

#include <string.h>

#include "base/instant.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "flow/receivers_private.h"
#include "handler/handler_http.h"
#include "io/clock.h"

/*
 * The happy path: a change is encoded and goes to the store; when it is durable
 * it is taken over, and who asked is told. Adding goes on: the new one is given
 * to dispatch, then sent a test event. Removing does too: dispatch lets go of
 * it, then the store forgets what it was owed, a slice at a call.
 *
 * What attempts tell holds in memory at once. That it is disabled becomes
 * durable as soon as the store can; since when it fails, once it has for a
 * while, so that a receiver that fails now and then costs no writes.
 *
 * What can go wrong: the store has no room (who asked is told; what attempts
 * told is stored with the next that they tell); the process ends while one is
 * being forgotten (it is known as removed, and the next start goes on).
 */

#define SERIES         "(receivers)"
#define LEASE_SLACK_MS (60 * INSTANT_SECOND_MS)
#define FORGET_ROWS    1000
#define SAVE_AFTER_MS  INSTANT_MINUTE_MS

/* ---- places ---- */

static struct receivers_place *
place_of(struct list *link)
{
    return list_entry(link, struct receivers_place, link);
}

struct receivers_place *
receivers_place_of(const struct receivers *receivers, struct slice id)
{
    list_for_each(link, &receivers->places) {
        struct receivers_place *place = place_of(link);
        if (!place->is_removed && slice_equal(place->receiver.id, id)) {
            return place;
        }
    }
    return NULL;
}

void
receivers_destroy_place(struct receivers_place *place)
{
    if (place->handler != NULL) {
        place->handler->ops->destroy(place->handler);
    }
    buf_fini(&place->state);
    arena_fini(&place->arena);
    arena_fini(&place->secrets);
    mem_free(place);
}

/* Copies the text of secrets into an arena that is their own: it goes with
 * them. */
enum status
receivers_take_secrets(struct receivers_place *place,
                       const struct receiver *from)
{
    struct arena arena = { 0 };
    struct receiver_secret taken[RECEIVER_SECRETS] = { 0 };
    enum status status = STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < from->secret_count; i++) {
        taken[i].until_ms = from->secrets[i].until_ms;
        status = arena_copy(&arena, from->secrets[i].text, &taken[i].text);
    }
    if (status != STATUS_OK) {
        arena_fini(&arena);
        return status;
    }
    arena_fini(&place->secrets);
    place->secrets = arena;
    place->receiver.secret_count = from->secret_count;
    memcpy(place->receiver.secrets, taken,
           from->secret_count * sizeof(taken[0]));
    return STATUS_OK;
}

enum status
receivers_sign_with(struct receivers_place *place,
                    const struct receiver *receiver, struct error *err)
{
    struct handler_http_secret secrets[RECEIVER_SECRETS];
    for (size_t i = 0; i < receiver->secret_count; i++) {
        secrets[i] =
            (struct handler_http_secret){ receiver->secrets[i].text,
                                          receiver->secrets[i].until_ms };
    }
    return handler_http_sign_with(place->handler, secrets,
                                  receiver->secret_count, err);
}

static enum status
make_handler(struct receivers_place *place, struct error *err)
{
    const struct receivers *receivers = place->receivers;
    const struct receiver_rules *rules = receivers->settings.rules;
    const struct handler_http_settings http = { .url = place->receiver.url };
    const struct handler_http_limits limits = {
        .timeout_ms = rules->timeout_ms,
        .connections = rules->concurrency,
        .user_agent = receivers->settings.user_agent,
        .is_receiver = true,
        .allowed = rules->allowed,
        .allowed_count = rules->allowed_count,
    };
    enum status status =
        handler_http_create(receivers->loop, &http, (struct slice)SLICE(""),
                            &limits, &place->handler, err);
    return status == STATUS_OK
               ? receivers_sign_with(place, &place->receiver, err)
               : status;
}

/* Makes a place of what its state says; it is not in the list yet. */
enum status
receivers_make_place(struct receivers *receivers, struct slice state,
                     struct receivers_place **ret, struct error *err)
{
    struct receivers_place *place = mem_zero(sizeof(*place));
    if (place == NULL) {
        return STATUS_NOMEM;
    }
    place->receivers = receivers;
    struct receiver from;
    enum status status = receiver_decode(state, &place->arena, &from);
    if (status == STATUS_CORRUPT) {
        status = error_set(err, STATUS_CONFIG,
                           "a receiver in the store cannot be read");
    }
    if (status == STATUS_OK) {
        place->receiver = from;
        status = receivers_take_secrets(place, &from);
    }
    if (status == STATUS_OK) {
        place->stored_failing_ms = from.failing_ms;
        place->pause = (struct pause){ .kind = STORE_HANDLER,
                                       .name = from.id,
                                       .is_paused = from.disabled_ms != 0,
                                       .since_ms = from.disabled_ms };
        status = make_handler(place, err);
    }
    if (status != STATUS_OK) {
        receivers_destroy_place(place);
        return status;
    }
    *ret = place;
    return STATUS_OK;
}

/* ---- dispatch ---- */

void
receivers_count_disabled(const struct receivers *receivers)
{
    int64_t count = 0;
    list_for_each(link, &receivers->places) {
        count += place_of(link)->receiver.disabled_ms != 0;
    }
    metric_set(receivers->disabled, (double)count);
}

/* outlet_settings' `told`. */
static void
told(void *arg, const struct handler_result *result)
{
    struct receivers_place *place = arg;
    const struct receiver_rules *rules = place->receivers->settings.rules;
    struct receiver *receiver = &place->receiver;
    int64_t now_ms = clock_unix_ms();
    enum receiver_word word = result->disposition == DISPOSITION_DONE
                                  ? RECEIVER_TOOK_IT
                              : result->pause ? RECEIVER_GONE
                                              : RECEIVER_FAILED;
    if (receiver_note(receiver, rules, word, now_ms)) {
        place->pause.is_paused = true;
        place->pause.since_ms = now_ms;
        place->is_dirty = true;
        receivers_count_disabled(place->receivers);
        LOG(LOG_ERROR,
            "a receiver is disabled, until 'longstop receivers enable'",
            log_slice("receiver", receiver->id),
            log_slice("why", receiver->why), log_slice("last", result->detail));
    } else if (receiver->failing_ms == 0) {
        place->is_dirty |= place->stored_failing_ms != 0;
    } else if (receiver->disabled_ms == 0 &&
               now_ms - receiver->failing_ms >= SAVE_AFTER_MS) {
        place->is_dirty |= place->stored_failing_ms != receiver->failing_ms;
    }
    if (place->is_dirty) {
        receivers_save(place);
    }
}

enum status
receivers_give(struct receivers_place *place)
{
    const struct receivers *receivers = place->receivers;
    const struct receiver_rules *rules = receivers->settings.rules;
    const struct receiver *receiver = &place->receiver;
    int64_t attempt_ms = rules->timeout_ms + 5 * INSTANT_SECOND_MS;
    const struct outlet_settings outlet = {
        .name = receiver->id,
        .number = place->number,
        .route = { .from = receiver->connectors.at,
                   .from_count = receiver->connectors.count,
                   .types = receiver->events.at,
                   .type_count = receiver->events.count },
        .retry = retry_standard(),
        .concurrency = rules->concurrency,
        .lease_ms = attempt_ms + LEASE_SLACK_MS,
        .attempt_ms = attempt_ms,
        .run_ms = attempt_ms,
        .format = FORMAT_CLOUDEVENTS,
        .handler = place->handler,
        .series = SLICE(SERIES),
        .pause = &place->pause,
        .told = told,
        .told_arg = place,
    };
    return dispatch_add(receivers->dispatch, &outlet);
}

/* ---- the end of one ---- */

static void
forgotten(struct store_call *call)
{
    struct receivers_place *place = call->arg;
    place->is_open = false;
    if (call->status == STATUS_OK && call->receiver.more) {
        receivers_forget(place);
        return;
    }
    /* What is left after a failure, the next start drops. */
    if (place->testing == 0) {
        list_remove(&place->link);
        receivers_destroy_place(place);
    }
}

void
receivers_forget(struct receivers_place *place)
{
    place->call = (struct store_call){
        .kind = STORE_CALL_RECEIVER,
        .done = forgotten,
        .arg = place,
        .receiver = { .act = STORE_RECEIVER_FORGET,
                      .number = place->number,
                      .limit = FORGET_ROWS },
    };
    place->is_open = store_worker_submit(place->receivers->worker,
                                         &place->call) == STATUS_OK;
}

/* ---- to the store ---- */

/* Fills the call in and hands it over. */
enum status
receivers_submit(struct receivers_place *place, enum store_receiver_act act,
                 const struct receiver *state,
                 void (*done)(struct store_call *call))
{
    buf_clear(&place->state);
    if (state != NULL) {
        receiver_encode(state, clock_unix_ms(), &place->state);
    }
    if (buf_status(&place->state) != STATUS_OK) {
        return STATUS_NOMEM;
    }
    place->call = (struct store_call){
        .kind = STORE_CALL_RECEIVER,
        .done = done,
        .arg = place,
        .receiver = { .act = act,
                      .number = place->number,
                      .name = place->receiver.id,
                      .state = buf_slice(&place->state) },
    };
    enum status status =
        store_worker_submit(place->receivers->worker, &place->call);
    place->is_open = status == STATUS_OK;
    return status;
}

static void
saved(struct store_call *call)
{
    struct receivers_place *place = call->arg;
    place->is_open = false;
    if (call->status == STATUS_OK) {
        place->stored_failing_ms = place->saving_failing_ms;
        if (place->is_dirty) {
            receivers_save(place);
        }
    } else {
        place->is_dirty = true; /* with the next that an attempt tells */
        LOG(LOG_WARN, "how a receiver does could not be stored",
            log_slice("receiver", place->receiver.id),
            log_text("why", error_text(&call->err, call->status)));
    }
}

void
receivers_save(struct receivers_place *place)
{
    if (place->is_open || place->is_removed) {
        return; /* it is dirty: the next that is told stores it */
    }
    place->saving_failing_ms = place->receiver.failing_ms;
    place->is_dirty = receivers_submit(place, STORE_RECEIVER_PUT,
                                       &place->receiver, saved) != STATUS_OK;
}

/* ---- lifecycle ---- */

enum status
receivers_create(struct loop *loop, const struct receivers_settings *settings,
                 struct receivers **ret)
{
    struct receivers *receivers = mem_zero(sizeof(*receivers));
    if (receivers == NULL) {
        return STATUS_NOMEM;
    }
    receivers->loop = loop;
    receivers->settings = *settings;
    list_init(&receivers->places);
    receivers->disabled = telemetry_paused(settings->telemetry, true,
                                           (struct slice)SLICE(SERIES));
    *ret = receivers;
    return STATUS_OK;
}

static enum status
load_one(struct receivers *receivers, const struct store_receiver_row *row,
         struct error *err)
{
    struct receivers_place *place;
    enum status status;
    if (row->is_removed) {
        place = mem_zero(sizeof(*place));
        status = place == NULL ? STATUS_NOMEM : STATUS_OK;
    } else {
        status = receivers_make_place(receivers, buf_slice(&row->state), &place,
                                      err);
    }
    if (status != STATUS_OK) {
        return status;
    }
    place->receivers = receivers;
    place->is_removed = row->is_removed;
    place->number = row->number;
    place->pause.number = row->number;
    list_append(&receivers->places, &place->link);
    receivers->count += !row->is_removed;
    return STATUS_OK;
}

enum status
receivers_load(struct receivers *receivers, struct store *store,
               struct error *err)
{
    struct store_receiver_row row = { 0 };
    enum status status = STATUS_OK;
    do {
        row.after = row.number;
        status = store->ops->receiver_next(store, &row, err);
        if (status == STATUS_OK && row.number != 0) {
            status = load_one(receivers, &row, err);
        }
    } while (status == STATUS_OK && row.number != 0);
    buf_fini(&row.state);
    receivers_count_disabled(receivers);
    return status;
}

void
receivers_begin(struct receivers *receivers, struct store_worker *worker,
                struct dispatch *dispatch)
{
    receivers->worker = worker;
    receivers->dispatch = dispatch;
    list_for_each_safe(link, &receivers->places) {
        struct receivers_place *place = place_of(link);
        if (place->is_removed) {
            receivers_forget(place);
            continue;
        }
        if (receivers_give(place) != STATUS_OK) {
            LOG(LOG_ERROR,
                "a receiver is sent nothing: there are more of them than "
                "outbound.receivers allows",
                log_slice("receiver", place->receiver.id));
        }
    }
}

size_t
receivers_testing(const struct receivers *receivers)
{
    size_t count = 0;
    if (receivers != NULL) {
        list_for_each(link, &receivers->places) {
            count += place_of(link)->testing;
        }
    }
    return count;
}

void
receivers_destroy(struct receivers *receivers)
{
    if (receivers == NULL) {
        return;
    }
    for (struct list *link; (link = list_take(&receivers->places)) != NULL;) {
        receivers_destroy_place(place_of(link));
    }
    mem_free(receivers);
}

const struct receiver *
receivers_at(const struct receivers *receivers, size_t index)
{
    list_for_each(link, &receivers->places) {
        const struct receivers_place *place = place_of(link);
        bool shown = !place->is_removed && place->number != 0;
        if (shown && index == 0) {
            return &place->receiver;
        }
        index -= shown;
    }
    return NULL;
}

const struct receiver *
receivers_find(const struct receivers *receivers, struct slice id,
               uint32_t *ret_number)
{
    const struct receivers_place *place = receivers_place_of(receivers, id);
    if (place == NULL || place->number == 0) {
        return NULL;
    }
    if (ret_number != NULL) {
        *ret_number = place->number;
    }
    return &place->receiver;
}
