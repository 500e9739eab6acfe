/* SPDX-License-Identifier: MIT */
/* receivers_change: what is asked for: adding, removing, rotating, enabling. */
#include "flow/receivers_private.h"

#include "base/instant.h"
#include "base/log.h"
#include "base/mem.h"
#include "handler/handler_http.h"
#include "io/clock.h"
#include "wire/digest.h"
#include "wire/encode.h"

#define ID_BYTES 12

static void
answer(struct receivers_place *place, const struct receivers_answer *answer)
{
    receivers_done_fn *done = place->done;
    place->done = NULL;
    if (done != NULL) {
        done(place->done_arg, answer);
    }
}

static void
answer_status(struct receivers_place *place, enum status status,
              const struct error *err)
{
    answer(place, &(struct receivers_answer){
                      .status = status,
                      .err = err,
                      .id = place->receiver.id,
                      .receiver = status == STATUS_OK && !place->is_removed
                                      ? &place->receiver
                                      : NULL });
}

/* Finds one that may be changed now. */
static enum status
find_idle(const struct receivers *receivers, struct slice id,
          struct receivers_place **ret)
{
    *ret = receivers_place_of(receivers, id);
    if (*ret == NULL) {
        return STATUS_NOT_FOUND;
    }
    return (*ret)->is_open || (*ret)->done != NULL ? STATUS_BUSY : STATUS_OK;
}

static void
expect(struct receivers_place *place, receivers_done_fn *done, void *arg)
{
    place->done = done;
    place->done_arg = arg;
}

/* ---- adding ---- */

static void
taken_back(struct store_call *call)
{
    struct receivers_place *place = call->arg;
    place->is_open = false;
    receivers_forget(place);
}

/* Who asked was told that it failed: what is stored of it goes, or the next
 * start would know it. */
static void
drop_added(struct receivers_place *place)
{
    place->is_removed = true;
    if (place->number == 0 || receivers_submit(place, STORE_RECEIVER_REMOVE,
                                               NULL, taken_back) != STATUS_OK) {
        list_remove(&place->link);
        receivers_destroy_place(place);
    }
}

static void
added(struct store_call *call)
{
    struct receivers_place *place = call->arg;
    struct receivers *receivers = place->receivers;
    enum status status = call->status;
    place->is_open = false;
    if (status == STATUS_OK) {
        place->number = call->receiver.number;
        place->pause.number = place->number;
        status = receivers_give(place);
    }
    if (status != STATUS_OK) {
        receivers->count--;
        answer_status(place, status, &call->err);
        drop_added(place);
        return;
    }
    LOG(LOG_INFO, "a receiver is registered",
        log_slice("receiver", place->receiver.id));
    if (receivers_send_test(place) != STATUS_OK) {
        answer_status(place, STATUS_OK, NULL);
    }
}

static enum status
make_id(struct arena *arena, struct slice *ret_id)
{
    unsigned char bytes[ID_BYTES];
    struct buf text = { 0 };
    enum status status = digest_random(bytes, sizeof(bytes));
    if (status == STATUS_OK) {
        buf_text(&text, "rcv_");
        encode_hex((struct slice){ (const char *)bytes, sizeof(bytes) }, &text);
        status = buf_status(&text);
    }
    if (status == STATUS_OK) {
        status = arena_copy(arena, buf_slice(&text), ret_id);
    }
    buf_fini(&text);
    return status;
}

/* Makes the place of what is wanted. */
static enum status
make_wanted(struct receivers *receivers, const struct receiver *wanted,
            struct receivers_place **ret, struct error *err)
{
    struct arena arena = { 0 };
    struct buf state = { 0 };
    struct receiver receiver = *wanted;
    enum status status = make_id(&arena, &receiver.id);
    if (status == STATUS_OK && receiver.secret_count == 0) {
        receiver.secret_count = 1;
        status = receiver_make_secret(&arena, &receiver.secrets[0].text);
    }
    if (status == STATUS_OK) {
        receiver.created_ms = clock_unix_ms();
        receiver_encode(&receiver, receiver.created_ms, &state);
        status = buf_status(&state);
    }
    if (status == STATUS_OK) {
        status = receivers_make_place(receivers, buf_slice(&state), ret, err);
    }
    /* What a secret cannot be, a configuration could not say either. */
    status = status == STATUS_CONFIG ? STATUS_INVALID : status;
    buf_fini(&state);
    arena_fini(&arena);
    return status;
}

enum status
receivers_add(struct receivers *receivers, const struct receiver *wanted,
              receivers_done_fn *done, void *arg, struct error *err)
{
    const struct receiver_rules *rules = receivers->settings.rules;
    struct receivers_place *place;
    enum status status = receiver_check_url(wanted->url, rules, err);
    if (status == STATUS_OK && (int64_t)receivers->count >= rules->most) {
        status = error_set(err, STATUS_BUSY,
                           "there are %lld receivers already: see "
                           "outbound.receivers",
                           (long long)rules->most);
    }
    if (status == STATUS_OK) {
        status = make_wanted(receivers, wanted, &place, err);
    }
    if (status != STATUS_OK) {
        return status;
    }
    status =
        receivers_submit(place, STORE_RECEIVER_ADD, &place->receiver, added);
    if (status != STATUS_OK) {
        receivers_destroy_place(place);
        return status;
    }
    expect(place, done, arg);
    list_append(&receivers->places, &place->link);
    receivers->count++;
    return STATUS_OK;
}

/* ---- removing ---- */

/* dispatch_retire's `gone`. */
static void
gone(void *arg)
{
    receivers_forget(arg);
}

static void
removed(struct store_call *call)
{
    struct receivers_place *place = call->arg;
    struct receivers *receivers = place->receivers;
    place->is_open = false;
    if (call->status != STATUS_OK) {
        answer_status(place, call->status, &call->err);
        return;
    }
    place->is_removed = true;
    place->receiver.disabled_ms = 0;
    receivers->count--;
    receivers_count_disabled(receivers);
    LOG(LOG_INFO, "a receiver is removed, with all that it was owed",
        log_slice("receiver", place->receiver.id));
    answer_status(place, STATUS_OK, NULL);
    dispatch_retire(receivers->dispatch, place->number, gone, place);
}

enum status
receivers_remove(struct receivers *receivers, struct slice id,
                 receivers_done_fn *done, void *arg)
{
    struct receivers_place *place;
    enum status status = find_idle(receivers, id, &place);
    if (status == STATUS_OK) {
        status = receivers_submit(place, STORE_RECEIVER_REMOVE, NULL, removed);
    }
    if (status == STATUS_OK) {
        expect(place, done, arg);
    }
    return status;
}

/* ---- rotating and enabling ---- */

/* The state that was sent to the store holds now. */
static void
changed(struct store_call *call)
{
    struct receivers_place *place = call->arg;
    struct arena arena = { 0 };
    struct receiver now;
    enum status status = call->status;
    place->is_open = false;
    if (status == STATUS_OK) {
        status = receiver_decode(buf_slice(&place->state), &arena, &now);
    }
    if (status == STATUS_OK) {
        status = receivers_sign_with(place, &now, &call->err);
    }
    if (status == STATUS_OK) {
        status = receivers_take_secrets(place, &now);
    }
    if (status == STATUS_OK && place->is_enabling) {
        receiver_enable(&place->receiver);
        place->stored_failing_ms = 0;
        place->pause.is_paused = false;
        receivers_count_disabled(place->receivers);
        dispatch_pause_changed(place->receivers->dispatch, place->number);
    }
    place->is_enabling = false;
    arena_fini(&arena);
    answer_status(place, status, &call->err);
    if (place->is_dirty) {
        receivers_save(place);
    }
}

enum status
receivers_rotate(struct receivers *receivers, struct slice id,
                 struct slice secret, int64_t overlap_ms,
                 receivers_done_fn *done, void *arg, struct error *err)
{
    struct receivers_place *place;
    struct arena arena = { 0 };
    enum status status = find_idle(receivers, id, &place);
    if (status == STATUS_OK && secret.len == 0) {
        status = receiver_make_secret(&arena, &secret);
    }
    if (status == STATUS_OK) {
        struct receiver next = place->receiver;
        next.secrets[1] = next.secrets[0];
        next.secrets[1].until_ms = instant_add(clock_unix_ms(), overlap_ms);
        next.secrets[0] = (struct receiver_secret){ .text = secret };
        next.secret_count = overlap_ms > 0 ? 2 : 1;
        status = handler_http_check_secret(secret, err);
        status = status == STATUS_CONFIG ? STATUS_INVALID : status;
        if (status == STATUS_OK) {
            status =
                receivers_submit(place, STORE_RECEIVER_PUT, &next, changed);
        }
    }
    if (status == STATUS_OK) {
        expect(place, done, arg);
    }
    arena_fini(&arena);
    return status;
}

enum status
receivers_enable(struct receivers *receivers, struct slice id,
                 receivers_done_fn *done, void *arg)
{
    struct receivers_place *place;
    enum status status = find_idle(receivers, id, &place);
    if (status == STATUS_OK) {
        struct receiver next = place->receiver;
        receiver_enable(&next);
        status = receivers_submit(place, STORE_RECEIVER_PUT, &next, changed);
        place->is_enabling = status == STATUS_OK;
    }
    if (status == STATUS_OK) {
        expect(place, done, arg);
    }
    return status;
}

enum status
receivers_test(struct receivers *receivers, struct slice id,
               receivers_done_fn *done, void *arg)
{
    struct receivers_place *place;
    enum status status = find_idle(receivers, id, &place);
    if (status == STATUS_OK) {
        status = receivers_send_test(place);
    }
    if (status == STATUS_OK) {
        expect(place, done, arg);
    }
    return status;
}

void
receivers_tested(struct receivers_place *place,
                 const struct handler_result *result)
{
    bool passed = result->disposition == DISPOSITION_DONE;
    answer(place, &(struct receivers_answer){
                      .status = STATUS_OK,
                      .id = place->receiver.id,
                      .receiver = place->is_removed ? NULL : &place->receiver,
                      .was_tested = true,
                      .test_passed = passed,
                      .test_detail =
                          passed ? (struct slice)SLICE("") : result->detail });
}
