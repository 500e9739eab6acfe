/* SPDX-License-Identifier: MIT */
#include "model/fetch.h"

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
    if (sighting->via == CHANNEL_WEBHOOK) {
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

enum status
fetch_accepted(const struct fetch_spec *spec, unsigned status,
               struct error *err)
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

enum status
fetch_read(const struct fetch_spec *spec, unsigned http_status,
           struct slice body, struct slice *ret_body, struct error *err)
{
    enum status status = fetch_accepted(spec, http_status, err);
    if (status != STATUS_OK) {
        return status;
    }
    if (json_check(body, JSON_DEPTH_DEFAULT, err) != STATUS_OK) {
        return error_wrap(err, STATUS_PROTOCOL, "the answer is not JSON");
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
