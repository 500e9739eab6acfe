/* SPDX-License-Identifier: MIT */
/*
 * admin_backfill: asking for a past span of a connector's list, looking how far
 * it has been read, cancelling it.
 */
#include "app/admin_private.h"

#include <inttypes.h>

#include "app/walks.h"
#include "base/instant.h"
#include "model/walk_backfill.h"
#include "wire/json.h"

#define BODY_DEPTH 4

/* ---- progress ---- */

static void
put_time(struct buf *into, const char *name, int64_t at_ms)
{
    char text[INSTANT_TEXT_BYTES];
    if (at_ms > 0) {
        buf_format(into, ",\"%s\":\"%s\"", name, instant_text(at_ms, text));
    } else {
        buf_format(into, ",\"%s\":null", name);
    }
}

static void
put_progress(const struct connector *connector, const struct walk_state *state,
             struct buf *into)
{
    const struct walk_backfill *span = &state->backfill;
    int permille = walk_backfill_permille(connector, state);
    buf_text(into, "{\"connector\":");
    buf_json(into, connector->name);
    buf_format(into, ",\"state\":\"%s\"",
               walk_backfill_phase_name(span->phase));
    put_time(into, "since", span->since_ms);
    put_time(into, "from", state->start_ms);
    put_time(into, "until", span->until_ms);
    put_time(into, "at", span->at_ms);
    buf_format(into,
               ",\"percent\":%d.%d,\"pages\":%" PRId64 ",\"rows\":%" PRId64
               ",\"new\":%" PRId64 ",\"known\":%" PRId64 ",\"rate\":\"%" PRId64
               "/%" PRId64 "ms\"",
               permille / 10, permille % 10, span->pages, span->rows,
               span->fresh, span->known, span->rate, span->rate_per_ms);
    put_time(into, "started", span->began_ms);
    put_time(into, "ended", span->ended_ms);
    buf_text(into, ",\"why\":");
    if (span->why.len > 0) {
        buf_json(into, span->why);
    } else {
        buf_text(into, "null");
    }
    buf_text(into, "}\n");
}

static void
answer_progress(struct admin_ask *ask, const struct connector *connector,
                const struct source_poll *poll, unsigned status)
{
    const struct walk_state *state = source_poll_backfill(poll);
    struct buf body = { 0 };
    if (state == NULL) {
        admin_answer_problem(ask->exchange, 503,
                             "the agent is still reading its store: ask again");
        return;
    }
    if (state->backfill.phase == BACKFILL_NONE) {
        admin_answer_problem(ask->exchange, 404,
                             "no backfill of this connector was asked for");
        return;
    }
    put_progress(connector, state, &body);
    if (buf_status(&body) != STATUS_OK) {
        admin_answer_status(ask->exchange, buf_status(&body), NULL);
    } else {
        struct http_answer answer = { .status = status,
                                      .content_type =
                                          slice_of("application/json"),
                                      .body = buf_slice(&body) };
        http_exchange_answer(ask->exchange, &answer);
    }
    buf_fini(&body);
}

/* ---- what is asked ---- */

/* Finds what the path names; false when that was answered already. */
static bool
find(struct admin_ask *ask, const struct connector **ret_connector,
     struct source_poll **ret_poll)
{
    struct admin *admin = ask->admin;
    *ret_connector = admin_connector(admin, ask->segment);
    *ret_poll = *ret_connector == NULL
                    ? NULL
                    : walks_backfill(admin->settings.walks, *ret_connector);
    if (*ret_poll == NULL) {
        admin_answer_problem(
            ask->exchange, 404,
            "no connector of this name polls; 'longstop check' "
            "says what each does");
    }
    return *ret_poll != NULL;
}

static enum status
read_again(struct slice value, bool *ret_again, struct error *err)
{
    enum json_type type = json_type(value);
    *ret_again = type == JSON_TRUE;
    return type == JSON_TRUE || type == JSON_FALSE
               ? STATUS_OK
               : error_set(err, STATUS_INVALID, "'again' is true or false");
}

static enum status
read_member(struct slice name, struct slice value, struct arena *arena,
            struct walk_backfill_wish *wish, struct error *err)
{
    const struct {
        const char *name;
        struct slice *place;
    } texts[] = { { "since", &wish->since },
                  { "until", &wish->until },
                  { "rate", &wish->rate } };
    value = slice_trim(value);
    if (json_means(name, slice_of("again"))) {
        return read_again(value, &wish->again, err);
    }
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (!json_means(name, slice_of(texts[i].name))) {
            continue;
        }
        if (json_type(value) != JSON_STRING) {
            return error_set(err, STATUS_INVALID, "'%s' is a text",
                             texts[i].name);
        }
        return json_text(value, arena, texts[i].place);
    }
    return error_set(err, STATUS_INVALID,
                     "%.*s is not known here: since, until, again, rate",
                     SLICE_ARG(slice_first(name, 64)));
}

static enum status
read_wish(const struct admin_ask *ask, struct walk_backfill_wish *ret_wish,
          struct error *err)
{
    struct slice body = ask->request->body;
    struct slice name, value;
    *ret_wish = (struct walk_backfill_wish){ 0 };
    if (json_check(body, BODY_DEPTH, NULL) != STATUS_OK ||
        json_type(body) != JSON_OBJECT) {
        return error_set(err, STATUS_INVALID,
                         "the body must be a JSON object such as "
                         "{\"since\":\"90d\"}");
    }
    enum status status = STATUS_OK;
    size_t at = 0;
    while (status == STATUS_OK && json_next_member(body, &at, &name, &value)) {
        status = read_member(name, value, ask->arena, ret_wish, err);
    }
    return status;
}

/* ---- routes ---- */

static void
answer_begin(struct admin_ask *ask)
{
    const struct connector *connector;
    struct source_poll *poll;
    struct walk_backfill_wish wish;
    struct error err = { "" };
    if (!find(ask, &connector, &poll)) {
        return;
    }
    enum status status = read_wish(ask, &wish, &err);
    if (status == STATUS_OK) {
        status = source_poll_backfill_begin(poll, &wish, &err);
    }
    switch ((int)status) {
    case STATUS_OK: answer_progress(ask, connector, poll, 202); break;
    case STATUS_DENIED:
        admin_answer_problem(ask->exchange, 422, error_text(&err, status));
        break;
    case STATUS_BUSY:
        admin_answer_problem(ask->exchange, 409, error_text(&err, status));
        break;
    default: admin_answer_status(ask->exchange, status, &err); break;
    }
}

static void
answer_look(struct admin_ask *ask)
{
    const struct connector *connector;
    struct source_poll *poll;
    if (find(ask, &connector, &poll)) {
        answer_progress(ask, connector, poll, 200);
    }
}

static void
answer_cancel(struct admin_ask *ask)
{
    const struct connector *connector;
    struct source_poll *poll;
    if (!find(ask, &connector, &poll)) {
        return;
    }
    if (!source_poll_backfill_cancel(poll)) {
        admin_answer_problem(ask->exchange, 409,
                             "no backfill of this connector is running");
        return;
    }
    answer_progress(ask, connector, poll, 202);
}

static const struct admin_route routes[] = {
    { "POST", "/api/v1/connectors/{}/backfill", answer_begin },
    { "GET", "/api/v1/connectors/{}/backfill", answer_look },
    { "DELETE", "/api/v1/connectors/{}/backfill", answer_cancel },
};

const struct admin_table admin_backfill_table = {
    routes, sizeof(routes) / sizeof(routes[0])
};
