/* SPDX-License-Identifier: MIT */
/* brake: asks breaker and rate, and wakes its outlet when they let it go on. */
#include "flow/brake.h"

#include "base/instant.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/clock.h"

/*
 * The happy path: there is room, an attempt begins, ends well, and nothing is
 * to be said.
 *
 * What can go wrong: the breaker opens, or an answer asks to wait. Then `room`
 * is 0 and the timer is armed for whoever asked; while the probe runs nobody is
 * woken but by its end, which brings the outlet to ask again.
 */

/* What a rate lets through at once after a rest: what comes in so long. */
#define BURST_MS 100

struct brake {
    struct brake_settings settings;
    struct loop_timer *timer;
    struct prng prng;
    struct breaker breaker;
    struct quota rate;
    int64_t hold_until_ms; /* asked by an answer */
    size_t running;
    struct pulse pulse;
};

enum status
brake_create(struct loop *loop, const struct brake_settings *settings,
             struct brake **ret)
{
    const struct brake_rules *rules = settings->rules;
    struct brake *brake = mem_zero(sizeof(*brake));
    if (brake == NULL) {
        return STATUS_NOMEM;
    }
    brake->settings = *settings;
    brake->prng.state = settings->seed;
    brake->rate =
        (struct quota){ .count = rules->rate, .per_ms = rules->rate_per_ms };
    if (rules->rate > 0) {
        int64_t burst = rules->rate * BURST_MS / rules->rate_per_ms;
        brake->rate.burst = burst > 1 ? burst : 1;
    }
    enum status status =
        loop_timer_create(loop, settings->wake, settings->arg, &brake->timer);
    if (status != STATUS_OK) {
        mem_free(brake);
        return status;
    }
    metric_set(settings->counts->breaker_state, BREAKER_CLOSED);
    *ret = brake;
    return STATUS_OK;
}

void
brake_destroy(struct brake *brake)
{
    if (brake != NULL) {
        loop_timer_destroy(brake->timer);
        mem_free(brake);
    }
}

static int64_t
later_of(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Without the rate: how long nothing may start. */
static int64_t
held_ms(const struct brake *brake, int64_t now_ms)
{
    bool is_open = breaker_state(&brake->breaker, now_ms) == BREAKER_OPEN;
    int64_t open_ms = is_open ? brake->breaker.until_ms - now_ms : 0;
    return later_of(open_ms, brake->hold_until_ms - now_ms);
}

int64_t
brake_room(struct brake *brake, int64_t most)
{
    int64_t now_ms = clock_monotonic_ms();
    int64_t wait_ms =
        later_of(held_ms(brake, now_ms), quota_wait(&brake->rate, now_ms));
    if (wait_ms > 0) {
        loop_timer_arm(brake->timer, wait_ms);
        return 0;
    }
    int64_t of_rate = quota_room(&brake->rate, now_ms);
    int64_t of_breaker = breaker_room(&brake->breaker, now_ms);
    int64_t room = of_rate < of_breaker ? of_rate : of_breaker;
    return room < most ? room : most;
}

bool
brake_takes_hot(const struct brake *brake)
{
    int64_t now_ms = clock_monotonic_ms();
    return brake->breaker.opened == 0 && held_ms(brake, now_ms) <= 0 &&
           quota_wait(&brake->rate, now_ms) == 0;
}

void
brake_take(struct brake *brake, int64_t count)
{
    quota_spend(&brake->rate, count, clock_monotonic_ms());
}

void
brake_give(struct brake *brake, int64_t count)
{
    quota_give(&brake->rate, count);
}

bool
brake_begin(struct brake *brake, bool *ret_is_probe)
{
    int64_t now_ms = clock_monotonic_ms();
    *ret_is_probe = false;
    if (held_ms(brake, now_ms) > 0 ||
        breaker_room(&brake->breaker, now_ms) == 0) {
        return false;
    }
    brake->running++;
    *ret_is_probe = breaker_begin(&brake->breaker, now_ms);
    if (*ret_is_probe) {
        metric_set(brake->settings.counts->breaker_state, BREAKER_HALF_OPEN);
    }
    return true;
}

static enum breaker_word
word_of(const struct handler_result *result)
{
    if (result == NULL || result->pause) {
        return BREAKER_NOTHING;
    }
    return result->disposition != DISPOSITION_LATER ? BREAKER_WELL
           : result->not_before_ms > 0              ? BREAKER_NOTHING
                                                    : BREAKER_UNWELL;
}

/* It asked to be left alone for a while: said once, however many of its
 * answers say so. */
static void
hold(struct brake *brake, int64_t asked_ms, int64_t now_ms)
{
    int64_t most_ms = brake->settings.rules->breaker.hold_ms;
    int64_t wait_ms = asked_ms < most_ms ? asked_ms : most_ms;
    if (wait_ms <= 0) {
        return;
    }
    if (brake->hold_until_ms <= now_ms) {
        LOG(LOG_WARN, "the handler asked to wait: all its deliveries do",
            log_slice("handler", brake->settings.handler),
            log_figure("wait_ms", wait_ms));
    }
    brake->hold_until_ms = later_of(brake->hold_until_ms, now_ms + wait_ms);
}

static void
tell_change(const struct brake *brake, int64_t now_ms)
{
    enum breaker_state state = breaker_state(&brake->breaker, now_ms);
    metric_set(brake->settings.counts->breaker_state, state);
    if (state == BREAKER_CLOSED) {
        LOG(LOG_INFO, "the breaker is closed: the handler works again",
            log_slice("handler", brake->settings.handler));
    } else if (brake->breaker.opened == 1) {
        LOG(LOG_WARN, "the breaker is open: one event after the other failed",
            log_slice("handler", brake->settings.handler),
            log_figure("failures", brake->breaker.failures),
            log_figure("wait_ms", brake->breaker.until_ms - now_ms));
    } else {
        LOG(LOG_INFO, "the breaker stays open: the handler still fails",
            log_slice("handler", brake->settings.handler),
            log_figure("wait_ms", brake->breaker.until_ms - now_ms));
    }
}

void
brake_end(struct brake *brake, bool is_probe, uint64_t event,
          const struct handler_result *result)
{
    int64_t now_ms = clock_monotonic_ms();
    brake->running--;
    if (result != NULL) {
        pulse_add(&brake->pulse, result->duration_ms, now_ms);
    }
    if (result != NULL && result->not_before_ms > 0) {
        hold(brake, result->not_before_ms - clock_unix_ms(), now_ms);
    }
    if (breaker_end(&brake->breaker, &brake->settings.rules->breaker, is_probe,
                    event, word_of(result), now_ms, &brake->prng)) {
        tell_change(brake, now_ms);
    }
}

struct brake_figures
brake_figures(struct brake *brake)
{
    int64_t now_ms = clock_monotonic_ms();
    int64_t wait_ms =
        later_of(held_ms(brake, now_ms), quota_wait(&brake->rate, now_ms));
    return (struct brake_figures){
        .state = breaker_state(&brake->breaker, now_ms),
        .wait_ms = later_of(wait_ms, 0),
        .running = brake->running,
        .pulse = pulse_figures(&brake->pulse, now_ms),
    };
}
