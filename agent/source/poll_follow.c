/* SPDX-License-Identifier: MIT */
/*
 * poll_follow: one poll in the place of another, while the process goes on: the
 * first one finishes what it has asked, the second one begins where it was.
 */
#include "io/loop.h"
#include "source/source_poll_private.h"

/* Nothing is with the sink any more. */
void
source_poll_tell_stopped(struct source_poll *poll)
{
    poll->phase = PHASE_STOPPED;
    void (*stopped)(void *) = poll->stopped;
    poll->stopped = NULL;
    stopped(poll->stopped_arg);
}

void
source_poll_stopped(struct source_poll *poll)
{
    poll->phase = PHASE_STOPPED;
    loop_timer_arm(poll->timer, 0);
}

bool
poll_follow_rests(const struct source_poll *poll)
{
    return poll->phase == PHASE_IDLE && poll->loaded &&
           loop_timer_armed(poll->timer);
}

/* What a span asks it asks again, and so what a list would hold. */
static bool
waits_for_an_answer(const struct source_poll *poll)
{
    bool asks = poll->phase == PHASE_ASKING || poll->phase == PHASE_FILE ||
                poll->phase == PHASE_DETAIL || poll->phase == PHASE_LOOKING;
    return asks && !poll->settings.is_backfill &&
           poll->settings.connector->poll.wait_ms == 0;
}

void
source_poll_finish(struct source_poll *poll, void (*stopped)(void *arg),
                   void *arg)
{
    if (!waits_for_an_answer(poll)) {
        source_poll_stop(poll, stopped, arg);
        return;
    }
    poll->stopped = stopped;
    poll->stopped_arg = arg;
    poll->finishing = true;
}

void
source_poll_hurry(struct source_poll *poll)
{
    if (poll->finishing && poll->stopped != NULL) {
        source_poll_stop(poll, poll->stopped, poll->stopped_arg);
    }
}

/* What all walks of the connector share is taken from the one that stopped. */
static void
follow_account(struct poll_account *account, const struct poll_account *before)
{
    struct poll_host *host = account->host;
    if (before->date_at_ms > account->date_at_ms) {
        account->date_ms = before->date_ms;
        account->date_at_ms = before->date_at_ms;
        account->date_ours_ms = before->date_ours_ms;
    }
    if (before->host->not_before_ms > host->not_before_ms) {
        host->not_before_ms = before->host->not_before_ms;
        host->limited = before->host->limited;
    }
}

void
source_poll_follow(struct source_poll *poll, const struct source_poll *before)
{
    follow_account(poll->settings.account, before->settings.account);
    poll->cancelled = before->cancelled;
    poll->follows = before->rests && before->started_ms != 0;
    if (poll->follows) {
        poll->started_ms = before->started_ms;
        poll->began_ms = before->began_ms;
        poll->failures = before->failures;
        poll->patient = before->patient;
        poll->poked |= before->poked;
        poll->at_once |= before->at_once;
        poll->asked_min_ms = before->asked_min_ms;
        poll->feed_min_ms = before->feed_min_ms;
    }
}
