/* SPDX-License-Identifier: MIT */
#include "model/fetch.h"

#include "model/fail_when.h"
#include "wire/json.h"

static bool
is_given(const struct fetch_spec *spec)
{
    return spec->request.url != NULL;
}

void
fetch_mark(const struct connector *connector, struct sighting *sighting)
{
    const enum recover_mode recover = connector->recover.mode;
    if (channel_is_hook(sighting->via)) {
        sighting->may_fill = recover == RECOVER_REDELIVER;
        sighting->needs =
            connector->event.mode == EVENT_THIN ? NEEDS_FETCH : NEEDS_NOTHING;
    } else if (channel_is_walk(sighting->via)) {
        sighting->needs = recover == RECOVER_FETCH       ? NEEDS_FETCH
                          : recover == RECOVER_REDELIVER ? NEEDS_HOOK
                                                         : NEEDS_NOTHING;
    }
}

const struct fetch_spec *
fetch_spec_of(const struct connector *connector, const struct event *event)
{
    const struct fetch_spec *spec = NULL;
    if (event->needs == NEEDS_HOOK) {
        spec = &connector->recover.redeliver;
    } else if (event->needs == NEEDS_FETCH) {
        const struct fetch_spec *of_row = &connector->poll.record.fetch;
        const bool is_row =
            channel_is_walk(event->via) && event->filled != FILLED_BY_HOOK;
        spec = is_row && is_given(of_row) ? of_row : &connector->event.fetch;
    }
    return spec != NULL && is_given(spec) ? spec : NULL;
}

const struct auth_spec *
fetch_auth(const struct connector *connector, const struct fetch_spec *spec)
{
    return spec->auth != NULL ? spec->auth : &connector->poll.auth;
}

static enum status
check_status(const struct fetch_spec *spec, unsigned status, struct error *err)
{
    const bool is_good = spec->expect != 0 ? status == spec->expect
                                           : status >= 200 && status <= 299;
    if (is_good) {
        return STATUS_OK;
    }
    return error_set(err,
                     status == 404 || status == 410 ? STATUS_NOT_FOUND
                                                    : STATUS_PROTOCOL,
                     "HTTP %u", status);
}

/* What makes a page of the list an error makes any answer of its API one. */
static enum status
check_words(const struct connector *connector,
            const struct fetch_answer *answer, struct error *err)
{
    struct arena scratch = { 0 };
    enum status status =
        fail_when_says(connector, answer->body, answer->fields, &scratch, err);
    arena_fini(&scratch);
    return status;
}

enum status
fetch_accepted(const struct connector *connector, const struct fetch_spec *spec,
               const struct fetch_answer *answer, struct error *err)
{
    enum status status = check_status(spec, answer->status, err);
    if (status != STATUS_OK ||
        json_check(answer->body, JSON_DEPTH_DEFAULT, NULL) != STATUS_OK) {
        return status;
    }
    return check_words(connector, answer, err);
}

enum status
fetch_read(const struct connector *connector, const struct fetch_spec *spec,
           const struct fetch_answer *answer, struct slice *ret_body,
           struct error *err)
{
    struct slice body = answer->body;
    enum status status = check_status(spec, answer->status, err);
    if (status != STATUS_OK) {
        return status;
    }
    if (json_check(body, JSON_DEPTH_DEFAULT, err) != STATUS_OK) {
        return error_wrap(err, STATUS_PROTOCOL, "the answer is not JSON");
    }
    status = check_words(connector, answer, err);
    if (status != STATUS_OK) {
        return status;
    }
    if (spec->body != NULL && !json_path_first(spec->body, body, &body)) {
        return error_set(err, STATUS_PROTOCOL, "there is nothing at '%.*s'",
                         SLICE_ARG(json_path_source(spec->body)));
    }
    *ret_body = slice_trim(body);
    return STATUS_OK;
}

int64_t
fetch_timeout_ms(const struct connector *connector)
{
    const bool asks = connector->event.mode == EVENT_THIN ||
                      connector->recover.mode == RECOVER_FETCH ||
                      connector->recover.mode == RECOVER_REDELIVER;
    return asks ? connector->poll.timeout_ms : 0;
}
