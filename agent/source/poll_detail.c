/* SPDX-License-Identifier: MIT */
/*
 * poll_detail: the detail request of each row that is not known yet (follow),
 * one behind the other.
 */
#include "model/fail_when.h"
#include "model/request.h"
#include "source/source_poll_private.h"
#include "wire/json.h"

#define DETAILS_PER_PAGE 1000

/* Keeps the part of a detail's answer that is the row's body. */
static enum status
take_detail(struct source_poll *poll, const struct http_reply *reply,
            struct error *err)
{
    struct poll_page *page = &poll->page;
    struct slice body;
    if (reply->status < 200 || reply->status > 299) {
        return error_set(err, STATUS_PROTOCOL, "detail: HTTP %u",
                         reply->status);
    }
    if (arena_copy(&page->arrival->arena, reply->body, &body) != STATUS_OK) {
        return STATUS_NOMEM;
    }
    enum status status = json_check(body, JSON_DEPTH_DEFAULT, err);
    if (status != STATUS_OK) {
        return error_wrap(err, STATUS_PROTOCOL, "detail");
    }
    const struct connector *connector = poll->settings.connector;
    status = fail_when_says(connector, body, reply->fields,
                            &page->arrival->arena, err);
    if (status != STATUS_OK) {
        return error_wrap(err, status, "detail");
    }
    const struct follow_spec *follow = &connector->poll.follow;
    const struct json_path *path = follow->body;
    if (follow->headers != NULL) {
        (void)json_path_first(follow->headers, body, &page->headers[page->at]);
    }
    if (path != NULL && !json_path_first(path, body, &body)) {
        return error_set(err, STATUS_PROTOCOL, "detail: nothing at '%.*s'",
                         SLICE_ARG(json_path_source(path)));
    }
    page->bodies[page->at] = body;
    return STATUS_OK;
}

/* A detail that is refused for the limit is asked again, behind those that have
 * come: were the page dropped, a page with more new rows than the limit allows
 * would never be whole. A command does not wait. */
static bool
waits_for_detail(struct source_poll *poll, const struct http_reply *reply)
{
    struct quota_advice advice;
    if (!poll_ask_limits(poll, reply, &advice)) {
        return false;
    }
    if (poll->settings.once) {
        source_poll_end_limited(poll);
    } else {
        poll->page.details--;
        poll_detail_next(poll);
    }
    return true;
}

static void
detail_came(void *arg, enum status status, const struct http_reply *reply,
            const struct error *err)
{
    struct source_poll *poll = arg;
    struct error words = { 0 };
    poll->call = NULL;
    if (status != STATUS_OK) {
        source_poll_fail(poll, status, err);
        return;
    }
    poll_ask_note(poll, reply);
    if (waits_for_detail(poll, reply)) {
        return;
    }
    status = take_detail(poll, reply, &words);
    if (status != STATUS_OK) {
        source_poll_fail(poll, status, &words);
        return;
    }
    poll->page.at++;
    poll_detail_next(poll);
}

/* Asks for the detail of the next row that is new, or submits the page. */
void
poll_detail_next(struct source_poll *poll)
{
    struct poll_page *page = &poll->page;
    struct error err = { 0 };
    while (page->at < page->page.row_count &&
           (!page->wanted[page->at] || poll->known[page->at])) {
        page->at++;
    }
    if (page->at == page->page.row_count) {
        source_poll_submit_rows(poll);
        return;
    }
    poll->phase = PHASE_DETAIL;
    if (!poll_ask_may(poll)) {
        return;
    }
    if (page->details++ >= DETAILS_PER_PAGE) {
        (void)error_set(&err, STATUS_TOO_LARGE,
                        "more than %d details asked for one page",
                        DETAILS_PER_PAGE);
        source_poll_fail(poll, STATUS_TOO_LARGE, &err);
        return;
    }
    struct rendered_request request;
    arena_fini(&poll->detail_arena);
    enum status status = request_follow(poll->settings.connector, page->url,
                                        page->page.rows[page->at],
                                        &poll->detail_arena, &request, &err);
    if (status == STATUS_OK) {
        status = poll_ask_start(poll, &request, detail_came, &err);
    }
    if (status != STATUS_OK) {
        source_poll_fail(poll, status, &err);
    }
}

/* Asks from the first row on. */
static void
begin(struct source_poll *poll)
{
    poll->page.at = 0;
    poll_detail_next(poll);
}

/* A row that is known needs no detail: look before asking. */
void
poll_detail_begin(struct source_poll *poll)
{
    poll_look(poll, begin);
}
