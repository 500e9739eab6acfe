/* SPDX-License-Identifier: MIT */
/*
 * poll_ask: one request of a walk out, and what its answer is worth: a page, a
 * failure, or a request to wait.
 */
#include "base/instant.h"
#include "io/clock.h"
#include "io/loop.h"
#include "model/request.h"
#include "source/source_poll_private.h"
#include "wire/json.h"

/* The store probes for room as often. */
#define STORE_LOOK_MS INSTANT_SECOND_MS

enum status
poll_ask_start(struct source_poll *poll, const struct rendered_request *request,
               http_reply_fn *done, struct error *err)
{
    const struct poll_spec *spec = &poll->settings.connector->poll;
    /* Only the list itself holds what it is asked. */
    const bool is_gate = poll->phase == PHASE_GATE;
    const int64_t wait_ms = poll->phase == PHASE_ASKING ? spec->wait_ms : 0;
    const bool is_held = is_gate || wait_ms > 0;
    const int64_t timeout_ms =
        is_gate ? spec->gate.timeout_ms : spec->timeout_ms + wait_ms;
    struct http_call_spec call = access_spec(poll->settings.connector, request);
    call.timeout_ms = timeout_ms;
    call.stall_timeout_ms = timeout_ms;
    call.is_held = is_held;
    call.public_only = poll->phase == PHASE_FILE && poll->page.file_is_foreign;
    const struct access_need need = { poll->settings.connector,
                                      request->oauth };
    return access_start(poll->access, &need, &call, done, poll, &poll->call,
                        err);
}

bool
poll_ask_may(struct source_poll *poll)
{
    struct poll_host *host = poll->settings.account->host;
    int64_t now_ms = loop_now_ms(poll->loop);
    if (poll->paused && list_empty(&poll->turn)) {
        return false; /* source_poll_pause wakes it */
    }
    if (list_empty(&poll->turn)) {
        int64_t yield_ms =
            poll->settings.is_backfill ? poll_backfill_wait_ms(poll) : 0;
        if (yield_ms > 0) {
            loop_timer_arm(poll->timer, yield_ms);
            return false;
        }
        list_append(&host->waiting, &poll->turn);
    }
    if (host->waiting.next != &poll->turn) {
        return false; /* whoever stands before it wakes it */
    }
    int64_t wait_ms = poll_host_take(host, now_ms);
    if (wait_ms > 0) {
        loop_timer_arm(poll->timer, wait_ms);
        return false;
    }
    poll_ask_leave(poll);
    return true;
}

void
poll_ask_leave(struct source_poll *poll)
{
    struct poll_host *host = poll->settings.account->host;
    bool is_next = host->waiting.next == &poll->turn;
    list_remove(&poll->turn);
    if (is_next && !list_empty(&host->waiting)) {
        struct source_poll *next =
            list_entry(host->waiting.next, struct source_poll, turn);
        loop_timer_arm(next->timer, 0);
    }
}

/* What the store cannot take is not asked for: a full disk is no failure of the
 * provider's, and its list need not be read to find out that there is room. A
 * command does not wait. */
bool
poll_ask_may_store(struct source_poll *poll)
{
    if (poll->settings.once || poll->sink->is_writable(poll->sink->self)) {
        return true;
    }
    poll->looks = false;
    poll->fires_ms = loop_now_ms(poll->loop) + STORE_LOOK_MS;
    loop_timer_arm(poll->timer, STORE_LOOK_MS);
    return false;
}

/* Learns what every answer tells: the provider's clock, its limits. */
void
poll_ask_note(struct source_poll *poll, const struct http_reply *reply)
{
    struct poll_account *account = poll->settings.account;
    PRE(reply != NULL); /* STATUS_OK brings one */
    struct slice date;
    int64_t date_ms;
    if (http_field_find(reply->fields, "Date", &date) &&
        timefmt_read_http(date, &date_ms) == STATUS_OK) {
        account->date_ms = date_ms;
        account->date_at_ms = loop_now_ms(poll->loop);
        account->date_ours_ms = clock_unix_ms();
    }
}

/* The body of an answer, where it is JSON. */
static struct slice
json_body(const struct http_reply *reply)
{
    bool is_json =
        json_check(reply->body, JSON_DEPTH_DEFAULT, NULL) == STATUS_OK;
    return is_json ? reply->body : (struct slice){ NULL, 0 };
}

/* Notes how long an answer asks to wait; true when it is nothing but that. */
bool
poll_ask_limits(struct source_poll *poll, const struct http_reply *reply,
                struct quota_advice *ret_advice)
{
    struct quota_advice advice = { 0 };
    struct slice body =
        reply->status >= 400 ? json_body(reply) : (struct slice){ NULL, 0 };
    *ret_advice = advice;
    if (quota_advise(poll->settings.connector, reply->status, reply->fields,
                     body, clock_unix_ms(), &advice) != STATUS_OK) {
        return false;
    }
    *ret_advice = advice;
    /* A failure that says nothing of it has taken nothing back. */
    if (poll->phase == PHASE_ASKING &&
        (reply->status < 400 || advice.poll_interval_ms > 0)) {
        poll->asked_min_ms = advice.poll_interval_ms; /* between two lists */
    }
    poll_host_learn(poll->settings.account->host, &advice,
                    loop_now_ms(poll->loop));
    if (advice.limited) {
        source_poll_tell_asked(
            poll, &(struct poll_asked){ .status = reply->status,
                                        .wait_ms = advice.wait_ms });
    }
    return advice.limited;
}

/* No redirect is followed: our credential would go where it leads. Whoever
 * configured the list has to know where it is now. */
static void
explain_redirect(struct source_poll *poll, const struct http_reply *reply)
{
    const bool for_good = reply->status == 301 || reply->status == 308;
    struct slice location;
    if (reply->status >= 300 && reply->status <= 399 &&
        http_field_find(reply->fields, "Location", &location)) {
        (void)error_set(&poll->step.why, STATUS_PROTOCOL,
                        "HTTP %u: the list %s '%.*s', and redirects are not "
                        "followed%s",
                        reply->status, for_good ? "has moved to" : "is at",
                        SLICE_ARG(location),
                        for_good ? "; give its new address in the configuration"
                                 : "");
    }
}

/* Acts on what the walk decided for an answer that brought no page. */
static void
take_failure(struct source_poll *poll, const struct http_reply *reply)
{
    struct slice body = json_body(reply);
    const struct walk_now now = source_poll_now(poll);
    enum status status =
        walk_failed(&poll->plan, &poll->next, &now, reply->status, body,
                    &poll->next_arena, &poll->step);
    if (status != STATUS_OK) {
        source_poll_fail(poll, status, NULL);
        return;
    }
    explain_redirect(poll, reply);
    source_poll_tell_asked(
        poll, &(struct poll_asked){ .status = reply->status,
                                    .why = slice_of(poll->step.why.text) });
    if (poll->step.state_changed || poll->step.has_gap) {
        source_poll_submit_state(poll);
    } else if (poll->step.next == WALK_ASK) {
        poll_ask(poll);
    } else {
        source_poll_fail(poll, STATUS_PROTOCOL, &poll->step.why);
    }
}

/* A failure that passes by itself, as the provider says, is none of the walk's:
 * nothing in what was asked is wrong. */
static void
take_passing(struct source_poll *poll, const struct http_reply *reply)
{
    struct error err;
    (void)error_set(&err, STATUS_UNAVAILABLE,
                    "HTTP %u; the provider says that asking again helps",
                    reply->status);
    source_poll_tell_asked(poll,
                           &(struct poll_asked){ .status = reply->status,
                                                 .why = slice_of(err.text) });
    source_poll_fail(poll, STATUS_UNAVAILABLE, &err);
}

/* An answer that is no page is a failure of that page, as a bad status is. */
static void
take_garbage(struct source_poll *poll, const struct http_reply *reply,
             enum status status, const struct error *err)
{
    const struct walk_now now = source_poll_now(poll);
    source_poll_tell_asked(
        poll, &(struct poll_asked){ .status = reply->status,
                                    .why = slice_of(error_text(err, status)) });
    if (status == STATUS_NOMEM ||
        walk_failed(&poll->plan, &poll->next, &now, reply->status,
                    json_body(reply), &poll->next_arena,
                    &poll->step) != STATUS_OK) {
        source_poll_fail(poll, status, err);
        return;
    }
    if (!poll->step.has_gap) {
        poll->step.why = *err;
    }
    if (poll->step.state_changed || poll->step.has_gap) {
        source_poll_submit_state(poll);
    } else {
        source_poll_fail(poll, status, err);
    }
}

void
poll_ask_decide(struct source_poll *poll)
{
    enum status status = walk_page(&poll->plan, &poll->next, &poll->page.answer,
                                   &poll->next_arena, &poll->step);
    if (status != STATUS_OK) {
        source_poll_fail(poll, status, &poll->step.why);
        return;
    }
    poll_page_choose(poll);
    poll->run.rows += poll->page.page.row_count;
    if (poll->settings.connector->poll.follow.on &&
        poll->page.page.row_count > 0) {
        poll_detail_begin(poll);
    } else {
        source_poll_submit_rows(poll);
    }
}

static void
decide_knowing(struct source_poll *poll)
{
    poll->page.answer.known = poll->known;
    poll_ask_decide(poll);
}

void
poll_ask_rows(struct source_poll *poll)
{
    if (poll->page.page.row_count > 0 &&
        walk_wants_known(&poll->plan, &poll->next)) {
        poll_page_choose(poll);
        poll_look(poll, decide_knowing);
    } else {
        poll_ask_decide(poll);
    }
}

static void
take_page(struct source_poll *poll, const struct http_reply *reply)
{
    const bool is_indirect =
        poll->settings.connector->poll.indirect.url != NULL;
    const bool is_empty =
        reply->status == 304 || (is_indirect && reply->status == 204);
    struct error err = { 0 };
    enum status status =
        is_empty ? poll_page_empty(poll) : poll_page_open(poll, reply, &err);
    if (status == STATUS_OK && !is_empty) {
        poll->feed_min_ms = quota_feed_interval_ms(poll->settings.connector,
                                                   poll->page.page.body);
    }
    if (poll->feed_min_ms > poll->asked_min_ms) {
        poll->asked_min_ms = poll->feed_min_ms; /* also while it is a 304 */
    }
    if (status == STATUS_OK) {
        status = poll_page_note(poll, reply);
    }
    if (status != STATUS_OK) {
        take_garbage(poll, reply, status, &err);
    } else if (is_indirect && reply->status != 304) {
        poll_indirect_ask(poll);
    } else {
        poll_ask_rows(poll);
    }
}

static void
answer_came(void *arg, enum status status, const struct http_reply *reply,
            const struct error *err)
{
    struct source_poll *poll = arg;
    poll->call = NULL;
    poll->duration_ms = reply == NULL ? 0 : reply->duration_ms;
    poll->status = reply == NULL ? 0 : reply->status;
    if (status != STATUS_OK) {
        source_poll_tell_asked(
            poll,
            &(struct poll_asked){ .why = slice_of(error_text(err, status)) });
        source_poll_fail(poll, status, err);
        return;
    }
    struct quota_advice advice;
    poll_ask_note(poll, reply);
    bool limited = poll_ask_limits(poll, reply, &advice);
    poll->patient = advice.retry == RETRY_LATER;
    if (advice.gone) {
        source_poll_end_gone(poll, reply->status);
    } else if (limited) {
        source_poll_end_limited(poll);
    } else if (advice.retry == RETRY_SOON) {
        take_passing(poll, reply);
    } else if ((reply->status >= 200 && reply->status <= 299) ||
               reply->status == 304) {
        take_page(poll, reply);
    } else {
        take_failure(poll, reply);
    }
}

/* Sends the request that follows from the next state. */
void
poll_ask(struct source_poll *poll)
{
    struct error err = { 0 };
    struct rendered_request request;
    if (poll->stopped != NULL) {
        source_poll_stopped(poll);
        return;
    }
    poll->phase = PHASE_WAITING;
    if (!poll_ask_may_store(poll) || !poll_ask_may(poll)) {
        return;
    }
    poll->phase = PHASE_ASKING;
    arena_fini(&poll->request_arena);
    enum status status = request_render(poll->settings.connector, &poll->next,
                                        &poll->request_arena, &request, &err);
    if (status == STATUS_OK) {
        poll->method = request.method;
        poll->url = request.url;
        status = poll_ask_start(poll, &request, answer_came, &err);
    }
    if (status != STATUS_OK) {
        source_poll_fail(poll, status, &err);
    }
}
