/* SPDX-License-Identifier: MIT */
/* dispatch_figures: how the outlets stand, for metrics and for people. */
#include "flow/dispatch_private.h"

static void
set_gauges(struct outlet *outlet, const struct store_figure *figure,
           int64_t now_ms)
{
    int64_t age_ms = figure->oldest_ms == 0 ? 0 : now_ms - figure->oldest_ms;
    metric_set(outlet->counts.pending, (double)figure->pending);
    metric_set(outlet->counts.oldest_pending,
               age_ms < 0 ? 0 : (double)age_ms / 1000);
}

void
dispatch_gauge(struct dispatch *dispatch, const struct store_figure *figures,
               size_t count, int64_t now_ms)
{
    for (size_t i = 0; i < dispatch->settings.outlet_count; i++) {
        struct outlet *outlet = &dispatch->outlets[i];
        for (size_t j = 0; j < count; j++) {
            if (figures[j].handler == outlet->settings->number) {
                set_gauges(outlet, &figures[j], now_ms);
            }
        }
    }
}

bool
dispatch_figures(const struct dispatch *dispatch, uint32_t handler,
                 struct brake_figures *ret_figures)
{
    for (size_t i = 0; i < dispatch->settings.outlet_count; i++) {
        if (dispatch->outlets[i].settings->number == handler &&
            !dispatch->outlets[i].retired) {
            *ret_figures = brake_figures(dispatch->outlets[i].brake);
            return true;
        }
    }
    return false;
}
