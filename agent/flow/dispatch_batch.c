/* SPDX-License-Identifier: MIT */
/* Outlets whose deliveries go to their handler together. */
#include "flow/dispatch_private.h"
#include "io/clock.h"

/*
 * Deliveries are claimed for free slots as others are, `batch.max` for each
 * slot, and wait in gather until enough are there. A batch takes its slot when
 * it begins, so no more begin at a time than there are slots, whatever the size
 * of each.
 */

static const struct handler_result untried = { .disposition =
                                                   DISPOSITION_LATER };

int64_t
dispatch_batch_room(const struct outlet *outlet)
{
    const struct outlet_settings *settings = outlet->settings;
    const int64_t slots =
        settings->concurrency - outlet->batches - dispatch_elder_slots(outlet);
    const bool long_ones =
        (int64_t)gather_bytes(outlet->gather) >= slots * settings->batch->bytes;
    const int64_t first = outlet->busy - outlet->again.busy;
    return long_ones ? 0 : slots * settings->batch->max - first;
}

static int64_t
lesser(int64_t left, int64_t right)
{
    return left < right ? left : right;
}

/* Half of the slots. Whole batches, whatever waits for others of its own. */
int64_t
dispatch_again_room(const struct outlet *outlet)
{
    const struct outlet_settings *settings = outlet->settings;
    const int64_t share = (settings->concurrency + 1) / 2;
    const int64_t slots = settings->concurrency - dispatch_elder_slots(outlet);
    if (outlet->gather == NULL) {
        return lesser(share - outlet->again.busy, slots - outlet->busy);
    }
    return lesser(share - outlet->again.batches, slots - outlet->batches) *
               settings->batch->max -
           outlet->again.busy;
}

/* To the brake a batch is one attempt: that of its first. */
static void
end_batch(struct attempt *first, const struct handler_result *result)
{
    struct outlet *outlet = first->outlet;
    struct dispatch *dispatch = outlet->dispatch;
    outlet->batches--;
    outlet->again.batches -= first->again;
    dispatch->running -= first->batch->count;
    brake_end(outlet->brake, first->is_probe, first->event->number,
              dispatch->stopping ? NULL : result);
    dispatch_note_result(outlet, result);
    settle_result(dispatch->settle, first, &outlet->rules, result,
                  dispatch->stopping);
    dispatch_slot_freed(outlet);
}

static void
batch_reported(void *arg, const struct handler_result *result)
{
    struct attempt *first = arg;
    struct outlet *outlet = first->outlet;
    end_batch(first, result);
    dispatch_batch_start(outlet);
}

/* The members leave the slots that they were claimed for, for one. */
static void
start_batch(struct outlet *outlet, struct batch *batch)
{
    struct handler *handler = outlet->settings->handler;
    struct error err = { 0 };
    outlet->batches++;
    outlet->again.batches += batch->at[0]->again;
    for (size_t i = 0; i < batch->count; i++) {
        dispatch_free_slot(outlet, batch->at[i]->again);
        batch->at[i]->started_ms = clock_unix_ms();
    }
    enum status status = handler->ops->start(
        handler, &batch->delivery, batch_reported, batch->at[0], &err);
    if (status != STATUS_OK) {
        const struct handler_result result = {
            .disposition = DISPOSITION_LATER,
            .detail = slice_of(error_text(&err, status)),
        };
        end_batch(batch->at[0], &result);
    }
}

/* Starts the next batch, or gives back those whose lease is too short for it:
 * with less, the next attempt could begin beside this one. False: none can be
 * made. */
static bool
start_next(struct outlet *outlet)
{
    struct list late = LIST_INIT(late);
    struct batch *batch = NULL;
    bool is_probe;
    if (!brake_begin(outlet->brake, &is_probe)) {
        outlet->backlog = true;
        dispatch_batch_give_back(outlet);
        return false;
    }
    enum status status = gather_take(
        outlet->gather, clock_steady_ms() + outlet->settings->run_ms, &late,
        &batch);
    if (batch != NULL) {
        batch->at[0]->is_probe = is_probe;
        start_batch(outlet, batch);
    } else {
        brake_end(outlet->brake, is_probe, 0, NULL);
    }
    for (struct list *link; (link = list_take(&late)) != NULL;) {
        dispatch_end_attempt(list_entry(link, struct attempt, link), &untried,
                             true);
    }
    return status == STATUS_OK;
}

void
dispatch_batch_start(void *arg)
{
    struct outlet *outlet = arg;
    while (dispatch_may_go_on(outlet) &&
           outlet->batches + dispatch_elder_slots(outlet) <
               outlet->settings->concurrency &&
           gather_is_due(outlet->gather) && start_next(outlet)) {
    }
}

void
dispatch_batch_add(struct outlet *outlet, struct attempt *attempt)
{
    gather_add(outlet->gather, attempt);
    dispatch_batch_start(outlet);
}

void
dispatch_batch_give_back(struct outlet *outlet)
{
    struct attempt *attempt;
    while (outlet->gather != NULL &&
           (attempt = gather_drop(outlet->gather)) != NULL) {
        dispatch_end_attempt(attempt, &untried, true);
    }
}
