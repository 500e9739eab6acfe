/* SPDX-License-Identifier: MIT */
/* dispatch_change: a configuration that changes under attempts that go on. */
#include "flow/dispatch_private.h"

/*
 * An attempt keeps the epoch that it began in, which is left when the last of
 * them is over. A handler that changes is an outlet that is retired and another
 * of the same number that comes: what the first one learns that concerns what
 * is still owed, it leaves to its heir.
 */

/* ---- epochs ---- */

static void
enter(struct dispatch *dispatch, struct dispatch_epoch *epoch)
{
    dispatch->epoch = epoch;
    list_append(&dispatch->epochs, &epoch->link);
}

void
dispatch_epochs_init(struct dispatch *dispatch)
{
    const struct dispatch_settings *settings = &dispatch->settings;
    list_init(&dispatch->epochs);
    dispatch->first = (struct dispatch_epoch){
        .connectors = settings->connectors,
        .connector_count = settings->connector_count,
        .fills = settings->fills,
    };
    enter(dispatch, &dispatch->first);
}

static void
leave_if_over(struct dispatch_epoch *epoch)
{
    if (epoch->alive == 0 && epoch->left != NULL) {
        list_remove(&epoch->link);
        epoch->left(epoch->arg);
    }
}

void
dispatch_enter(struct dispatch *dispatch, struct dispatch_epoch *epoch,
               void (*left)(void *arg), void *arg)
{
    struct dispatch_epoch *before = dispatch->epoch;
    enter(dispatch, epoch);
    before->left = left;
    before->arg = arg;
    leave_if_over(before);
}

void
dispatch_epoch_end(struct dispatch_epoch *epoch)
{
    epoch->alive--;
    leave_if_over(epoch);
}

const struct connector *
dispatch_connector(const struct dispatch_epoch *epoch, uint32_t number)
{
    for (size_t i = 0; i < epoch->connector_count; i++) {
        if (epoch->connectors[i].id == number) {
            return &epoch->connectors[i];
        }
    }
    return NULL;
}

int64_t
dispatch_lease_ms(const struct outlet *outlet)
{
    return outlet->settings->lease_ms + outlet->dispatch->epoch->fetch_ms;
}

/* ---- heirs ---- */

struct outlet *
dispatch_outlet_of(struct dispatch *dispatch, uint32_t number)
{
    for (size_t i = 0; i < dispatch->settings.outlet_count; i++) {
        struct outlet *outlet = &dispatch->outlets[i];
        if (!outlet->retired && outlet->settings->number == number) {
            return outlet;
        }
    }
    return NULL;
}

struct outlet *
dispatch_heir(struct outlet *outlet)
{
    struct outlet *heir =
        outlet->retired
            ? dispatch_outlet_of(outlet->dispatch, outlet->settings->number)
            : outlet;
    return heir == NULL ? outlet : heir;
}

/* What a retired outlet has with its handler; a batch takes one slot. */
static int64_t
slots_of(const struct outlet *outlet)
{
    return outlet->gather != NULL ? outlet->batches : outlet->busy;
}

int64_t
dispatch_elder_slots(const struct outlet *outlet)
{
    const struct dispatch *dispatch = outlet->dispatch;
    int64_t slots = 0;
    for (size_t i = 0;
         dispatch->retiring > 0 && i < dispatch->settings.outlet_count; i++) {
        const struct outlet *elder = &dispatch->outlets[i];
        if (elder != outlet && elder->retired && elder->gone != NULL &&
            elder->settings->number == outlet->settings->number) {
            slots += slots_of(elder);
        }
    }
    return slots;
}

void
dispatch_slot_freed(struct outlet *outlet)
{
    struct outlet *heir = dispatch_heir(outlet);
    if (heir != outlet && heir->gather != NULL) {
        dispatch_batch_start(heir);
    }
    dispatch_claim(heir);
}
