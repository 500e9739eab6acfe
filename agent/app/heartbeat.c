/* SPDX-License-Identifier: MIT */
/* heartbeat: asks the store, and once it has answered, tells. */
#include "app/heartbeat.h"

#include <stdlib.h>

#include "app/outlets.h"
#include "app/walks.h"
#include "base/instant.h"
#include "base/mem.h"
#include "io/loop.h"
#include "io/notify.h"
#include "store/store_worker.h"

#define STATUS_MS (5 * INSTANT_SECOND_MS)

struct heartbeat {
    struct heartbeat_settings settings;
    struct loop_timer *timer;
    int64_t watchdog_ms; /* 0: none is set */
};

/* One question to the store. */
struct beat {
    struct heartbeat *heartbeat;
    struct store_call call;
    struct store_figure figures[];
};

static void
append_count(struct buf *into, int64_t count, const char *one, const char *many)
{
    buf_i64(into, count);
    buf_text(into, count == 1 ? one : many);
}

/* ", 1 failing (shop)"; nothing when there is none. */
static void
append_some(struct buf *into, size_t count, const char *word, struct slice name)
{
    if (count > 0) {
        buf_format(into, ", %zu %s (%.*s%s)", count, word, SLICE_ARG(name),
                   count > 1 ? ", ..." : "");
    }
}

void
heartbeat_words(const struct heartbeat_figures *figures, struct buf *into)
{
    append_count(into, (int64_t)figures->connectors, " connector",
                 " connectors");
    append_some(into, figures->failing, "failing", figures->failing_name);
    buf_text(into, "; ");
    append_count(into, (int64_t)figures->handlers, " handler", " handlers");
    append_some(into, figures->resting, "left alone", figures->resting_name);
    buf_text(into, "; ");
    append_count(into, figures->waiting, " delivery waiting",
                 " deliveries waiting");
    if (figures->dead > 0) {
        buf_text(into, ", ");
        append_count(into, figures->dead, " dead letter", " dead letters");
    }
    if (figures->store != STATUS_OK) {
        buf_format(into, "; store: %s", status_text(figures->store));
    }
}

static bool
is_failing(const struct walks *walks, const struct connector *connector)
{
    struct walks_tier tier;
    for (unsigned i = 0; walks_tier(walks, connector, i, &tier); i++) {
        if (tier.failures > 0) {
            return true;
        }
    }
    return false;
}

static void
look_at_connectors(const struct heartbeat_settings *settings,
                   struct heartbeat_figures *figures)
{
    const struct configuration *configuration = settings->configuration;
    figures->connectors = configuration->connector_count;
    for (size_t i = 0; i < configuration->connector_count; i++) {
        const struct connector *connector = &configuration->connectors[i];
        if (is_failing(settings->walks, connector) && figures->failing++ == 0) {
            figures->failing_name = connector->name;
        }
    }
}

static void
look_at_handlers(const struct heartbeat_settings *settings,
                 const struct store_figure *counted, size_t count,
                 struct heartbeat_figures *figures)
{
    figures->handlers = settings->outlets->count;
    for (size_t i = 0; i < settings->outlets->count; i++) {
        const struct outlet_settings *outlet = &settings->outlets->at[i];
        struct brake_figures brake;
        if (dispatch_figures(settings->dispatch, outlet->number, &brake) &&
            brake.state == BREAKER_OPEN && figures->resting++ == 0) {
            figures->resting_name = outlet->name;
        }
    }
    for (size_t i = 0; i < count; i++) {
        figures->waiting += counted[i].pending;
        figures->dead += counted[i].dead;
    }
}

/* How often to tell: a beat for the watchdog is due at half its time. */
static int64_t
pause_ms(const struct heartbeat *heartbeat)
{
    return heartbeat->watchdog_ms > 0 && heartbeat->watchdog_ms < STATUS_MS
               ? heartbeat->watchdog_ms
               : STATUS_MS;
}

static void
tell(struct heartbeat *heartbeat, const struct store_call *call)
{
    const struct heartbeat_settings *settings = &heartbeat->settings;
    struct heartbeat_figures figures = { 0 };
    struct store_worker_figures store;
    struct buf text = { 0 };
    store_worker_figures(settings->worker, &store);
    figures.store = store.health;
    look_at_connectors(settings, &figures);
    look_at_handlers(settings, call->figures.at, call->figures.count, &figures);
    buf_text(&text,
             heartbeat->watchdog_ms > 0 ? "WATCHDOG=1\nSTATUS=" : "STATUS=");
    heartbeat_words(&figures, &text);
    if (buf_status(&text) == STATUS_OK) {
        notify_send(text.ptr);
    } else if (heartbeat->watchdog_ms > 0) {
        notify_send("WATCHDOG=1");
    }
    buf_fini(&text);
}

static void
answered(struct store_call *call)
{
    struct beat *beat = call->arg;
    struct heartbeat *heartbeat = beat->heartbeat;
    if (status_disposition(call->status) != DISPOSITION_FATAL) {
        tell(heartbeat, call);
    }
    loop_timer_arm(heartbeat->timer, pause_ms(heartbeat));
    mem_free(beat);
}

static void
ask(void *arg)
{
    struct heartbeat *heartbeat = arg;
    const struct outlets *outlets = heartbeat->settings.outlets;
    struct beat *beat =
        mem_zero(sizeof(*beat) + outlets->count * sizeof(beat->figures[0]));
    if (beat != NULL) {
        beat->heartbeat = heartbeat;
        beat->call = (struct store_call){ .kind = STORE_CALL_FIGURES,
                                          .done = answered,
                                          .arg = beat };
        beat->call.figures.at = beat->figures;
        beat->call.figures.count = outlets->count;
        for (size_t i = 0; i < outlets->count; i++) {
            beat->figures[i].handler = outlets->at[i].number;
        }
        if (store_worker_submit(heartbeat->settings.worker, &beat->call) ==
            STATUS_OK) {
            return;
        }
        mem_free(beat);
    }
    loop_timer_arm(heartbeat->timer, pause_ms(heartbeat));
}

enum status
heartbeat_create(const struct heartbeat_settings *settings,
                 struct heartbeat **ret)
{
    *ret = NULL;
    if (getenv("NOTIFY_SOCKET") == NULL) {
        return STATUS_OK;
    }
    struct heartbeat *heartbeat = mem_zero(sizeof(*heartbeat));
    if (heartbeat == NULL) {
        return STATUS_NOMEM;
    }
    heartbeat->settings = *settings;
    heartbeat->watchdog_ms = notify_watchdog_ms();
    enum status status =
        loop_timer_create(settings->loop, ask, heartbeat, &heartbeat->timer);
    if (status != STATUS_OK) {
        mem_free(heartbeat);
        return status;
    }
    *ret = heartbeat;
    return STATUS_OK;
}

void
heartbeat_change(struct heartbeat *heartbeat,
                 const struct heartbeat_settings *settings)
{
    if (heartbeat != NULL) {
        heartbeat->settings = *settings;
    }
}

void
heartbeat_start(struct heartbeat *heartbeat)
{
    if (heartbeat != NULL) {
        loop_timer_arm(heartbeat->timer, 0);
    }
}

void
heartbeat_destroy(struct heartbeat *heartbeat)
{
    if (heartbeat != NULL) {
        loop_timer_destroy(heartbeat->timer);
        mem_free(heartbeat);
    }
}
