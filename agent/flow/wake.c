/* SPDX-License-Identifier: MIT */
#include "flow/wake.h"

#include "base/instant.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/prng.h"
#include "io/loop.h"
#include "io/offload.h"

#define BUSY_MS INSTANT_SECOND_MS
#define IDLE_MS (5 * INSTANT_SECOND_MS)
/* Between two tells, at least. */
#define TELL_MS 100
/* Those who are told look within this time, each at its own. */
#define SPREAD_MS 50
/* For what one waits to be told, and how long after a failure not. */
#define WAIT_MS  (30 * INSTANT_SECOND_MS)
#define AGAIN_MS INSTANT_SECOND_MS

/* What the thread does: waits until it is told, or tells. One at a time. */
struct hint {
    struct list link;
    bool tells;
    bool was_told;
    enum status status;
    struct error err;
};

struct wake {
    struct loop *loop;
    struct store_wake *store;
    struct wake_settings settings;
    struct prng prng;
    struct offload *thread;
    struct hint call;
    bool is_out;   /* the call is with the thread */
    bool is_deaf;  /* nobody can be heard, ever */
    bool has_news; /* for the others */
    bool is_hurried;
    int64_t told_ms;          /* loop's: when the others were told last */
    struct loop_timer *floor; /* the next look */
    struct loop_timer *turn;  /* the next call */
};

/* Up to a fifth more or less, so that no two agents stay in step. */
static int64_t
spread(struct wake *wake, int64_t ms)
{
    return ms - ms / 5 +
           (int64_t)prng_below(&wake->prng, (uint64_t)(2 * (ms / 5) + 1));
}

static void
look(void *arg)
{
    struct wake *wake = arg;
    const bool is_busy = wake->settings.look(wake->settings.arg);
    loop_timer_arm(wake->floor, spread(wake, is_busy ? wake->settings.busy_ms
                                                     : wake->settings.idle_ms));
}

/* ---- the thread ---- */

static void
work(void *arg, struct list *batch)
{
    struct wake *wake = arg;
    struct hint *call = &wake->call;
    (void)batch; /* it is the one call */
    call->was_told = false;
    call->status = call->tells
                       ? wake->store->ops->tell(wake->store, &call->err)
                       : wake->store->ops->wait(wake->store, WAIT_MS,
                                                &call->was_told, &call->err);
}

/* Gives the thread what is next: to tell, where there is news, else to wait. */
static void
next_call(void *arg)
{
    struct wake *wake = arg;
    if (wake->is_out || (wake->is_deaf && !wake->has_news)) {
        return;
    }
    wake->call.tells = wake->has_news;
    if (wake->has_news) {
        wake->has_news = false;
        wake->is_hurried = false;
        wake->told_ms = loop_now_ms(wake->loop);
    }
    wake->is_out = true;
    offload_put(wake->thread, &wake->call.link);
}

static int64_t
until_tell(const struct wake *wake)
{
    const int64_t left_ms = wake->told_ms + TELL_MS - loop_now_ms(wake->loop);
    return left_ms > 0 ? left_ms : 0;
}

static void
note_deaf(struct wake *wake)
{
    wake->is_deaf = true;
    LOG(LOG_INFO,
        "other agents cannot be heard; what they make due is looked "
        "for every few seconds",
        log_text("why", error_text(&wake->call.err, wake->call.status)));
}

static void
done(void *arg, struct list *link)
{
    struct wake *wake = arg;
    const struct hint *call = &wake->call;
    (void)link;
    wake->is_out = false;
    if (call->was_told) {
        const int64_t in_ms = (int64_t)prng_below(&wake->prng, SPREAD_MS + 1);
        loop_timer_arm(wake->floor, in_ms);
    }
    if (!call->tells && call->status == STATUS_DENIED) {
        note_deaf(wake);
    }
    if (call->status != STATUS_OK && call->status != STATUS_DENIED) {
        /* The store's worker says what is wrong; here nothing is lost. */
        loop_timer_arm(wake->turn, spread(wake, AGAIN_MS));
    } else if (wake->has_news) {
        loop_timer_arm(wake->turn, until_tell(wake));
    } else {
        next_call(wake);
    }
}

void
wake_tell(struct wake *wake)
{
    if (wake == NULL || wake->has_news) {
        return;
    }
    wake->has_news = true;
    if (wake->is_out) {
        /* Its end comes to `done`, which goes on with the news. */
        if (!wake->call.tells && !wake->is_hurried) {
            wake->is_hurried = true;
            wake->store->ops->hurry(wake->store);
        }
    } else if (!loop_timer_armed(wake->turn)) {
        loop_timer_arm(wake->turn, until_tell(wake));
    }
}

/* ---- lifecycle ---- */

enum status
wake_create(struct loop *loop, struct store_wake *store,
            const struct wake_settings *settings, struct wake **ret,
            struct error *err)
{
    struct wake *wake = mem_zero(sizeof(*wake));
    if (wake == NULL) {
        store->ops->close(store);
        return error_set(err, STATUS_NOMEM, "out of memory");
    }
    wake->loop = loop;
    wake->store = store;
    wake->settings = *settings;
    wake->settings.busy_ms =
        settings->busy_ms > 0 ? settings->busy_ms : BUSY_MS;
    wake->settings.idle_ms =
        settings->idle_ms > 0 ? settings->idle_ms : IDLE_MS;
    wake->prng.state = settings->seed;
    wake->told_ms = loop_now_ms(loop) - TELL_MS;
    const struct offload_spec spec = {
        .name = "wake", .work = work, .done = done, .arg = wake
    };
    enum status status = loop_timer_create(loop, look, wake, &wake->floor);
    if (status == STATUS_OK) {
        status = loop_timer_create(loop, next_call, wake, &wake->turn);
    }
    if (status == STATUS_OK) {
        status = offload_create(loop, &spec, &wake->thread, err);
    }
    if (status != STATUS_OK) {
        wake_destroy(wake);
        return status;
    }
    *ret = wake;
    return STATUS_OK;
}

void
wake_start(struct wake *wake)
{
    if (wake == NULL) {
        return;
    }
    loop_timer_arm(wake->floor, spread(wake, wake->settings.busy_ms));
    next_call(wake);
}

void
wake_destroy(struct wake *wake)
{
    if (wake == NULL) {
        return;
    }
    if (wake->thread != NULL) {
        (void)offload_revoke(wake->thread, &wake->call.link);
        wake->store->ops->hurry(wake->store);
    }
    offload_destroy(wake->thread);
    loop_timer_destroy(wake->floor);
    loop_timer_destroy(wake->turn);
    wake->store->ops->close(wake->store);
    mem_free(wake);
}
