/* SPDX-License-Identifier: MIT */
/* Deliveries and a clock that jumps. */
#include "base/instant.h"
#include "base/log.h"
#include "base/mem.h"
#include "flow/dispatch_private.h"
#include "io/clock.h"

/*
 * When a delivery is due stands in the store by our clock. Where that is set
 * back, by years where it was wrong by years, what waits would wait for years;
 * so each time, and at every start, what is due later than any wait can end is
 * due now.
 */

/* The longest that an answer may ask a delivery to wait, and some room. */
#define ASKED_MOST_MS (INSTANT_DAY_MS + INSTANT_HOUR_MS)

static int64_t
wait_most_ms(const struct outlet_settings *settings)
{
    int64_t most_ms = retry_wait_most(&settings->retry) + INSTANT_HOUR_MS;
    return most_ms > ASKED_MOST_MS ? most_ms : ASKED_MOST_MS;
}

static void
recalled(struct store_call *call)
{
    struct dispatch *dispatch = call->arg;
    dispatch->clock.recalling = false;
    /* It may have been set back once more meanwhile. */
    dispatch->clock.wanted |= call->status != STATUS_OK;
    for (size_t i = 0; i < dispatch->settings.outlet_count; i++) {
        struct outlet *outlet = &dispatch->outlets[i];
        if (call->status == STATUS_OK && dispatch->clock.recalls[i].count > 0) {
            LOG(LOG_WARN,
                "deliveries waited for a time that our clock had been ahead of",
                log_slice("handler", outlet->settings->name),
                log_i64("count", (int64_t)dispatch->clock.recalls[i].count));
            outlet->backlog = true;
            outlet->again.backlog = true;
            dispatch_claim(outlet);
        }
    }
    dispatch_check_stopped(dispatch);
}

static void
recall(struct dispatch *dispatch, int64_t now_ms)
{
    for (size_t i = 0; i < dispatch->settings.outlet_count; i++) {
        const struct outlet_settings *settings = dispatch->outlets[i].settings;
        dispatch->clock.recalls[i] = (struct store_recall){
            .handler = settings->number,
            .now_ms = now_ms,
            .latest_ms = instant_add(now_ms, wait_most_ms(settings)),
        };
    }
    dispatch->clock.call = (struct store_call){
        .kind = STORE_CALL_UNIT,
        .done = recalled,
        .arg = dispatch,
        .unit = { .recalls = dispatch->clock.recalls,
                  .recall_count = dispatch->settings.outlet_count },
    };
    dispatch->clock.recalling =
        store_worker_submit(dispatch->worker, &dispatch->clock.call) ==
        STATUS_OK;
}

void
dispatch_note_clock(struct dispatch *dispatch)
{
    int64_t now_ms = clock_unix_ms();
    if (jumps_note(&dispatch->jumps, now_ms, clock_monotonic_ms())) {
        LOG(LOG_WARN,
            "the clock was set back: what waits longer than it can "
            "is due now",
            log_figure("now_ms", now_ms));
        dispatch->clock.wanted = true;
    }
    if (dispatch->clock.wanted && !dispatch->clock.recalling &&
        !dispatch->stopping && !dispatch->settings.owe_only &&
        dispatch->settings.outlet_count > 0) {
        dispatch->clock.wanted = false;
        recall(dispatch, now_ms);
    }
}
