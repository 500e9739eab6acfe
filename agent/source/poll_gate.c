/* SPDX-License-Identifier: MIT */
/*
 * poll_gate: the request that a provider holds until its list has something to
 * show. It takes the place of waiting for the next walk, which comes by the
 * clock at the latest, and where the gate fails.
 */
#include "base/instant.h"
#include "io/clock.h"
#include "io/loop.h"
#include "model/gate.h"
#include "model/walk_cursor.h"
#include "source/source_poll_private.h"

/* A gate that says no at once is not asked more often. */
#define STAY_LEAST_MS INSTANT_SECOND_MS

/* Walks by the clock next, whatever the gate would say. */
static void
give_up(struct source_poll *poll)
{
    poll->gate_open = true;
    source_poll_wait(poll);
}

static void
answer_came(void *arg, enum status status, const struct http_reply *reply,
            const struct error *err)
{
    struct source_poll *poll = arg;
    enum gate_verdict verdict = GATE_BROKEN;
    int64_t wait_ms = 0;
    struct quota_advice advice;
    (void)err;
    poll->call = NULL;
    poll->phase = PHASE_IDLE;
    if (status == STATUS_OK) {
        poll_ask_note(poll, reply);
        if (!poll_ask_limits(poll, reply, &advice)) {
            status = gate_read(poll->settings.connector, reply->status,
                               reply->fields, reply->body, &verdict, &wait_ms);
        }
    }
    arena_fini(&poll->request_arena);
    if (status != STATUS_OK || verdict == GATE_BROKEN) {
        give_up(poll);
        return;
    }
    poll->gate_open = verdict == GATE_GO;
    poll->called = poll->gate_open ? walk_cursor_hash(poll->state.token) : 0;
    if (verdict == GATE_STAY && wait_ms < STAY_LEAST_MS) {
        wait_ms = STAY_LEAST_MS;
    }
    source_poll_wait_ms(poll, wait_ms);
}

void
poll_gate_ask(struct source_poll *poll)
{
    struct rendered_request request;
    struct error err = { 0 };
    poll->phase = PHASE_GATE;
    if (!poll_ask_may(poll)) {
        return;
    }
    arena_fini(&poll->request_arena);
    enum status status = gate_request(poll->settings.connector, &poll->next,
                                      &poll->request_arena, &request, &err);
    if (status == STATUS_OK) {
        poll->method = request.method;
        poll->url = request.url;
        status = poll_ask_start(poll, &request, answer_came, &err);
    }
    if (status != STATUS_OK) {
        poll->phase = PHASE_IDLE;
        give_up(poll);
    }
}

/* One that always says no must not keep a list from being read, nor what is
 * complete from moving on: what is due by the clock is not asked about. */
bool
poll_gate_holds(struct source_poll *poll)
{
    const struct source_poll_settings *settings = &poll->settings;
    struct walk_now now = source_poll_now(poll);
    struct walk_step step;
    if (settings->connector->poll.gate.request.url == NULL ||
        settings->tier > 0 || settings->once || settings->is_backfill ||
        poll->gate_open || poll->poked || poll->failures > 0 ||
        poll->state.open || poll_due_by_the_clock(poll)) {
        return false;
    }
    /* What the walk would send is what the gate is asked about. Without that,
     * as with a list that was never read, walks come by the clock. */
    poll->next = poll->state;
    arena_fini(&poll->next_arena);
    if (walk_begin(&poll->plan, &poll->next, &now, &poll->next_arena, &step) !=
            STATUS_OK ||
        step.state_changed || step.has_gap || !poll->next.has_cursor ||
        poll->state.hw_ms == 0) {
        give_up(poll);
        return true;
    }
    poll_gate_ask(poll);
    return true;
}

/* A token that has moved leads past what the gate spoke of. */
void
poll_gate_walked(struct source_poll *poll)
{
    bool moved = poll->called != walk_cursor_hash(poll->state.token);
    if (poll->run.fresh > 0 || (poll->called != 0 && moved)) {
        poll->vain = 0;
    } else if (poll->called != 0) {
        poll->vain++;
    }
    poll->called = 0;
}

bool
poll_gate_follows(const struct source_poll *poll, int64_t *ret_apart_ms)
{
    *ret_apart_ms = 0;
    return poll->settings.connector->poll.gate.request.url != NULL &&
           poll->settings.tier == 0 && !poll->gate_open &&
           poll->run.outcome == POLL_OK &&
           gate_may_call(poll->vain, ret_apart_ms);
}

void
poll_gate_leave(struct source_poll *poll)
{
    if (poll->phase == PHASE_GATE) {
        access_cancel(poll->call);
        poll->call = NULL;
        poll_ask_leave(poll);
        poll->phase = PHASE_IDLE;
    }
}
