/* SPDX-License-Identifier: MIT */
/*
 * admin_moving: events as lines for another store, and such lines taken into
 * this one.
 *
 * What is imported goes through the ledger like anything that comes in, so what
 * is known is known; it is owed to nobody: a replay hands it over.
 */
#include "app/admin_private.h"

#include "base/log.h"
#include "model/transfer.h"
#include "wire/json.h"

#define BODY_DEPTH 6

/* ---- export ---- */

static enum status
add_line(struct admin_look *look, const struct view_event *event)
{
    struct buf text = { 0 };
    const struct transfer line = {
        .connector = event->connector,
        .via = event->via,
        .time_ms = event->time_ms,
        .recorded_ms = event->recorded_ms,
        .id = event->id,
        .type = event->type,
        .content_type = event->content_type,
        .headers = event->headers,
        .body = event->body,
    };
    transfer_write(&line, &text);
    enum status status = buf_status(&text);
    if (status == STATUS_OK) {
        json_add_raw(look->tree, look->items, NULL, buf_slice(&text));
    }
    buf_fini(&text);
    return status;
}

static bool
lines_came(struct admin_look *look)
{
    struct view_events *events = &look->call.events;
    for (size_t i = 0; i < events->count; i++) {
        look->call.status = add_line(look, &events->at[i]);
        if (look->call.status != STATUS_OK) {
            return true;
        }
    }
    if (events->more && events->count == 0 && look->slices < ADMIN_SLICES) {
        events->before = events->next;
        admin_look_again(look);
        return false;
    }
    admin_look_cursor(look, events->more, events->next);
    return true;
}

static void
answer_export(struct admin_ask *ask)
{
    struct view_events events = {
        .via = -1, .look = ADMIN_SLICE, .oldest_first = true, .with_body = true
    };
    if (!admin_query_connector(ask, &events.connector) ||
        !admin_query_time(ask, "since", &events.since_ms) ||
        !admin_query_time(ask, "until", &events.until_ms) ||
        !admin_query_id(ask, "cursor", &events.before) ||
        !admin_query_limit(ask, &events.limit)) {
        return;
    }
    struct admin_look *look = admin_look_create(ask, VIEW_EVENTS, lines_came);
    if (look == NULL) {
        return;
    }
    struct slice type;
    if (admin_query(ask, "type", &type) &&
        admin_look_keep(look, type, &events.type) != STATUS_OK) {
        admin_look_destroy(look);
        admin_answer_status(ask->exchange, STATUS_NOMEM, NULL);
        return;
    }
    look->items =
        json_add_array(look->tree, json_tree_root(look->tree), "items");
    look->call.events = events;
    admin_look_begin(look, ask);
}

/* ---- import ---- */

struct import {
    struct admin_wait wait;
    struct arena arena;
    struct sighting *sightings; /* by connector */
    const struct connector **of;
    size_t count;
    struct store_call *calls; /* one a connector */
    size_t open;
    enum status status;
    struct error err;
    int64_t fresh, known;
};

static void
free_import(struct import *import)
{
    arena_fini(&import->arena);
    mem_free(import);
}

static void
answer_import_end(struct import *import)
{
    if (import->wait.admin != NULL) {
        struct http_exchange *exchange = import->wait.exchange;
        struct json_tree *tree = NULL;
        admin_wait_end(&import->wait);
        if (import->status != STATUS_OK) {
            admin_answer_status(exchange, import->status, &import->err);
        } else {
            if (json_tree_create(&tree) == STATUS_OK) {
                json_add_i64(tree, json_tree_root(tree), "new", import->fresh);
                json_add_i64(tree, json_tree_root(tree), "known",
                             import->known);
            }
            admin_answer_tree(exchange, tree);
        }
    }
    if (import->fresh > 0) {
        LOG(LOG_INFO, "events imported", log_i64("new", import->fresh),
            log_i64("known", import->known));
    }
    free_import(import);
}

static void
stored(struct store_call *call)
{
    struct import *import = call->arg;
    const struct store_unit *unit = &call->unit;
    for (size_t i = 0; call->status == STATUS_OK && i < unit->sighting_count;
         i++) {
        import->fresh += unit->sightings[i].fresh;
        import->known += !unit->sightings[i].fresh;
    }
    if (call->status != STATUS_OK) {
        import->status = call->status;
        import->err = call->err;
    }
    if (--import->open == 0) {
        answer_import_end(import);
    }
}

static enum status
read_event(struct import *import, const struct admin *admin, struct slice text,
           struct error *err)
{
    struct transfer line;
    enum status status = transfer_read(text, &import->arena, &line, err);
    if (status != STATUS_OK) {
        return status;
    }
    const struct connector *connector = admin_connector(admin, line.connector);
    if (connector == NULL) {
        return error_set(err, STATUS_INVALID,
                         "no connector '%.*s' is configured here",
                         SLICE_ARG(slice_first(line.connector, 64)));
    }
    import->of[import->count] = connector;
    return transfer_sight(connector, &line, &import->arena,
                          &import->sightings[import->count++], err);
}

static size_t
count_elements(struct slice array)
{
    struct slice element;
    size_t count = 0;
    size_t at = 0;
    while (json_next_element(array, &at, &element)) {
        count++;
    }
    return count;
}

static enum status
read_events(struct import *import, const struct admin_ask *ask,
            struct error *err)
{
    struct slice body, events, event;
    size_t at = 0;
    enum status status = arena_copy(&import->arena, ask->request->body, &body);
    if (status != STATUS_OK) {
        return status;
    }
    if (json_check(body, BODY_DEPTH, NULL) != STATUS_OK ||
        json_type(body) != JSON_OBJECT ||
        !json_member(body, slice_of("events"), &events) ||
        json_type(events) != JSON_ARRAY) {
        return error_set(err, STATUS_INVALID,
                         "the body must be a JSON object {\"events\":[...]} of "
                         "lines that were exported");
    }
    size_t count = count_elements(events);
    import->sightings =
        arena_array(&import->arena, count, sizeof(*import->sightings));
    import->of = arena_array(&import->arena, count, sizeof(*import->of));
    import->calls =
        arena_array(&import->arena, ask->admin->settings.connector_count,
                    sizeof(*import->calls));
    if (import->sightings == NULL || import->of == NULL ||
        import->calls == NULL) {
        return STATUS_NOMEM;
    }
    while (status == STATUS_OK && json_next_element(events, &at, &event)) {
        status = read_event(import, ask->admin, event, err);
    }
    return status == STATUS_OK || status == STATUS_NOMEM
               ? status
               : error_wrap(err, status, "event %zu", import->count + 1);
}

/* The events of one connector, in their order. */
static enum status
submit(struct import *import, const struct connector *connector,
       struct store_call *call)
{
    struct sighting *own =
        arena_array(&import->arena, import->count, sizeof(*own));
    size_t count = 0;
    if (own == NULL) {
        return STATUS_NOMEM;
    }
    for (size_t i = 0; i < import->count; i++) {
        if (import->of[i] == connector) {
            own[count++] = import->sightings[i];
        }
    }
    if (count == 0) {
        return STATUS_OK;
    }
    *call = (struct store_call){ .kind = STORE_CALL_UNIT,
                                 .done = stored,
                                 .arg = import,
                                 .unit = { .connector = connector->id,
                                           .sightings = own,
                                           .sighting_count = count,
                                           .grace_ms = connector->grace_ms } };
    enum status status =
        store_worker_submit(import->wait.admin->settings.worker, call);
    import->open += status == STATUS_OK;
    return status;
}

static void
answer_import(struct admin_ask *ask)
{
    struct error err = { "" };
    const struct admin_settings_of_agent *settings = &ask->admin->settings;
    struct import *import = mem_zero(sizeof(*import));
    enum status status = STATUS_NOMEM;
    if (import != NULL) {
        status = read_events(import, ask, &err);
    }
    if (status != STATUS_OK) {
        if (import != NULL) {
            free_import(import);
        }
        admin_answer_status(ask->exchange, status, &err);
        return;
    }
    admin_wait_begin(&import->wait, ask);
    import->open = 1; /* for ourselves */
    for (size_t i = 0; i < settings->connector_count; i++) {
        status = submit(import, &settings->connectors[i], &import->calls[i]);
        if (status != STATUS_OK) {
            import->status = status;
            break;
        }
    }
    if (--import->open == 0) {
        answer_import_end(import);
    }
}

static const struct admin_route routes[] = {
    { "GET", "/api/v1/export", answer_export },
    { "POST", "/api/v1/import", answer_import },
};

const struct admin_table admin_moving_table = { routes, sizeof(routes) /
                                                            sizeof(routes[0]) };
