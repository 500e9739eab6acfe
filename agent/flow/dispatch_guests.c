/* SPDX-License-Identifier: MIT */
/* dispatch_guests: outlets that come and go while the program runs. */
#include "flow/dispatch_private.h"

#include "io/loop.h"

/*
 * An outlet never moves: attempts, timers and calls point to it. One that is
 * gone leaves a place behind, with its settings still in it so that all who
 * walk over the outlets may read them, and the next that comes takes it.
 */

static bool
is_free(const struct outlet *outlet)
{
    return outlet->retired && outlet->gone == NULL && !outlet->prepared;
}

/* Returns a place where one went, or one that was never taken; NULL: none. */
static struct outlet *
find_place(struct dispatch *dispatch)
{
    size_t count = dispatch->settings.outlet_count;
    for (size_t i = 0; i < count; i++) {
        if (is_free(&dispatch->outlets[i])) {
            return &dispatch->outlets[i];
        }
    }
    return count < dispatch->room ? &dispatch->outlets[count] : NULL;
}

/* Opens one in an empty place. */
static enum status
open_one(struct dispatch *dispatch, const struct outlet_settings *settings,
         struct outlet **ret)
{
    struct outlet *outlet = find_place(dispatch);
    if (outlet == NULL) {
        return STATUS_BUSY;
    }
    size_t index = (size_t)(outlet - dispatch->outlets);
    dispatch_close_outlet(outlet);
    outlet->own = *settings;
    enum status status = dispatch_open_outlet(dispatch, outlet, &outlet->own);
    if (index == dispatch->settings.outlet_count) {
        dispatch->settings.outlet_count++;
    }
    if (status != STATUS_OK) {
        outlet->retired = true;
        outlet->own = (struct outlet_settings){ 0 };
        return status;
    }
    *ret = outlet;
    return STATUS_OK;
}

static void
begin(struct outlet *outlet)
{
    outlet->backlog = true;
    outlet->again.backlog = true;
    dispatch_claim(outlet);
}

enum status
dispatch_add(struct dispatch *dispatch, const struct outlet_settings *settings)
{
    struct outlet *outlet;
    enum status status = open_one(dispatch, settings, &outlet);
    if (status == STATUS_OK) {
        begin(outlet);
    }
    return status;
}

enum status
dispatch_prepare(struct dispatch *dispatch,
                 const struct outlet_settings *settings)
{
    struct outlet *outlet;
    enum status status = open_one(dispatch, settings, &outlet);
    if (status == STATUS_OK) {
        outlet->retired = true;
        outlet->prepared = true;
    }
    return status;
}

void
dispatch_let_come(struct dispatch *dispatch)
{
    for (size_t i = 0; i < dispatch->settings.outlet_count; i++) {
        struct outlet *outlet = &dispatch->outlets[i];
        if (outlet->prepared) {
            outlet->prepared = false;
            outlet->retired = false;
            begin(outlet);
        }
    }
}

void
dispatch_let_go(struct dispatch *dispatch)
{
    for (size_t i = 0; i < dispatch->settings.outlet_count; i++) {
        struct outlet *outlet = &dispatch->outlets[i];
        if (outlet->prepared) {
            outlet->prepared = false;
            outlet->pause = NULL;
            outlet->own = (struct outlet_settings){ 0 };
        }
    }
}

/* Nothing runs, is held, asked for, or on its way to the disk. */
static bool
is_still(const struct outlet *outlet)
{
    return outlet->busy == 0 && outlet->batches == 0 && outlet->alive == 0 &&
           !outlet->claim_open;
}

void
dispatch_check_retired(struct dispatch *dispatch)
{
    for (size_t i = 0;
         dispatch->retiring > 0 && i < dispatch->settings.outlet_count; i++) {
        struct outlet *outlet = &dispatch->outlets[i];
        void (*gone)(void *) = outlet->gone;
        if (gone == NULL || dispatch->stopping || !is_still(outlet)) {
            continue;
        }
        void *arg = outlet->gone_arg;
        dispatch->retiring--;
        loop_timer_disarm(outlet->timer);
        outlet->gone = NULL;
        outlet->pause = NULL;
        outlet->own = (struct outlet_settings){ 0 };
        outlet->settings = &outlet->own;
        gone(arg);
    }
}

void
dispatch_retire(struct dispatch *dispatch, uint32_t handler,
                void (*gone)(void *arg), void *arg)
{
    bool is_here = false;
    for (size_t i = 0; i < dispatch->settings.outlet_count; i++) {
        struct outlet *outlet = &dispatch->outlets[i];
        if (outlet->settings->number != handler || outlet->prepared) {
            continue;
        }
        is_here = true;
        if (!outlet->retired) {
            outlet->retired = true;
            outlet->gone = gone;
            outlet->gone_arg = arg;
            dispatch->retiring++;
            dispatch_batch_give_back(outlet);
        }
    }
    if (!is_here && !dispatch->stopping) {
        gone(arg); /* there was no place for it */
        return;
    }
    dispatch_check_retired(dispatch);
}

const struct outlet_settings *
dispatch_outlet(const struct dispatch *dispatch, size_t index)
{
    static const struct outlet_settings nobody = { .number = 0 };
    if (index >= dispatch->settings.outlet_count) {
        return NULL;
    }
    const struct outlet *outlet = &dispatch->outlets[index];
    return outlet->retired ? &nobody : outlet->settings;
}

size_t
dispatch_outlets_most(const struct dispatch *dispatch)
{
    return dispatch->room;
}
