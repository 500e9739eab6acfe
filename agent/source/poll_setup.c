/* SPDX-License-Identifier: MIT */
/*
 * poll_setup: the requests that have a provider keep a list at all, sent before
 * the first walk of a list that was never read. That walk's first state is what
 * makes them durable: until it is stored a crash sends them again.
 */
#include "io/clock.h"
#include "model/request.h"
#include "source/source_poll_private.h"

static void
answer_came(void *arg, enum status status, const struct http_reply *reply,
            const struct error *err)
{
    struct source_poll *poll = arg;
    struct error words = { 0 };
    struct quota_advice advice;
    poll->call = NULL;
    if (status != STATUS_OK) {
        source_poll_fail(poll, status, err);
        return;
    }
    poll_ask_note(poll, reply);
    if (poll_ask_limits(poll, reply, &advice)) {
        source_poll_end_limited(poll);
    } else if (reply->status < 200 || reply->status > 299) {
        (void)error_set(&words, STATUS_PROTOCOL,
                        "setup, request %zu: HTTP %u; the list is not read "
                        "before it succeeds",
                        poll->set_up + 1, reply->status);
        source_poll_fail(poll, STATUS_PROTOCOL, &words);
    } else {
        poll->set_up++;
        source_poll_wait_ms(poll, 0);
    }
}

void
poll_setup_ask(struct source_poll *poll)
{
    const struct connector *connector = poll->settings.connector;
    const struct request_spec *all = connector->poll.setup.at;
    struct rendered_request request;
    struct error err = { 0 };
    poll->phase = PHASE_SETUP;
    if (!poll_ask_may(poll)) {
        return;
    }
    arena_fini(&poll->request_arena);
    enum status status =
        request_beside(connector, &all[poll->set_up], &connector->poll.auth,
                       &poll->state, &poll->request_arena, &request, &err);
    if (status == STATUS_OK) {
        poll->method = request.method;
        poll->url = request.url;
        status = poll_ask_start(poll, &request, answer_came, &err);
    }
    if (status != STATUS_OK) {
        source_poll_fail(poll, status, &err);
    }
}

bool
poll_setup_holds(struct source_poll *poll)
{
    const struct source_poll_settings *settings = &poll->settings;
    if (poll->set_up >= settings->connector->poll.setup.count ||
        settings->tier > 0 || settings->is_backfill ||
        poll->sink->is_rehearsal || poll->state.has_start) {
        return false;
    }
    poll_due_begun(poll);
    poll_setup_ask(poll);
    return true;
}
