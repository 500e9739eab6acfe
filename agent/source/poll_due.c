/* SPDX-License-Identifier: MIT */
/*
 * poll_due: when the next walk of a tier is due: by its cadence, by what an
 * answer or a webhook asked, or at once where the provider itself waits. How
 * often the provider wants to be asked holds for all of them.
 */
#include "base/instant.h"
#include "io/clock.h"
#include "io/loop.h"
#include "source/source_poll_private.h"

/* Webhooks that ask for walks get one a second at most. */
#define SIGNAL_GAP_MS INSTANT_SECOND_MS

/* Whether the list holds requests, and has: the next one is to be there when
 * something comes. An answer that came at once with nothing new shows a list
 * that does not wait as it should. */
static bool
has_waited(const struct source_poll *poll)
{
    const struct poll_spec *spec = &poll->settings.connector->poll;
    int64_t wait_ms = spec->wait_ms;
    return wait_ms > 0 && poll->run.outcome == POLL_OK &&
           (poll->run.fresh > 0 || poll->duration_ms >= wait_ms / 2);
}

void
poll_due_begun(struct source_poll *poll)
{
    poll->started_ms = clock_unix_ms();
    poll->began_ms = loop_now_ms(poll->loop);
}

/* By the cadence alone. */
static struct cadence_input
plain_input(const struct source_poll *poll)
{
    return (struct cadence_input){
        .started_ms = poll->started_ms,
        .passed_ms = loop_now_ms(poll->loop) - poll->began_ms,
        .now_ms = clock_unix_ms(),
        .asked_min_ms = poll->asked_min_ms,
    };
}

bool
poll_due_by_the_clock(struct source_poll *poll)
{
    const struct cadence_input input = plain_input(poll);
    return cadence_next(&poll->settings.cadence, &input, &poll->prng) <=
           input.now_ms;
}

int64_t
poll_due_ms(struct source_poll *poll)
{
    struct cadence_input input = plain_input(poll);
    int64_t wait_ms =
        poll->settings.account->host->not_before_ms - loop_now_ms(poll->loop);
    int64_t apart_ms;
    /* A gate is asked at once, and holds. */
    bool waited = poll_gate_follows(poll, &apart_ms) || has_waited(poll);
    bool is_signal = poll->poked && !poll->at_once;
    input.failures = poll->patient ? 0 : poll->failures;
    input.not_before_ms = wait_ms > 0 ? input.now_ms + wait_ms : 0;
    input.wanted = poll->poked || waited;
    input.apart_ms = is_signal && !waited ? SIGNAL_GAP_MS : apart_ms;
    return cadence_next(&poll->settings.cadence, &input, &poll->prng);
}

void
source_poll_pause(struct source_poll *poll, bool is_paused)
{
    bool was_paused = poll->paused;
    poll->paused = is_paused;
    if (is_paused || !was_paused || poll->stopped != NULL) {
        return;
    }
    if (poll->phase != PHASE_IDLE || !poll->loaded) {
        loop_timer_arm(poll->timer, 0); /* a request that was held */
    } else if (!loop_timer_armed(poll->timer)) {
        source_poll_wait(poll);
    }
}
