/* SPDX-License-Identifier: MIT */
/*
 * admin_events: events, the newest first, and one of them with all that is
 * known of it.
 */
#include "app/admin_private.h"

#include "wire/encode.h"
#include "wire/json.h"

static void
add_event(struct json_tree *tree, struct json_node *into,
          const struct view_event *event)
{
    admin_add_id(tree, into, "number", event->number);
    json_add_text(tree, into, "connector", event->connector);
    json_add_text(tree, into, "id", event->id);
    json_add_text(tree, into, "type", event->type);
    json_add_text(tree, into, "via", slice_of(channel_name(event->via)));
    json_add_time(tree, into, "time", event->time_ms);
    json_add_time(tree, into, "recorded", event->recorded_ms);
    json_add_i64(tree, into, "body_bytes", (int64_t)event->body_bytes);
}

/* ---- the list ---- */

static void
add_fate(struct json_tree *tree, struct json_node *item,
         const struct view_event *event)
{
    json_add_time(tree, item, "other", event->other_ms);
    json_add_i64(tree, item, "owed", event->owed);
    json_add_i64(tree, item, "dead", event->dead);
}

static bool
events_came(struct admin_look *look)
{
    struct view_events *events = &look->call.events;
    for (size_t i = 0; i < events->count; i++) {
        struct json_node *item = json_add_object(look->tree, look->items, NULL);
        add_event(look->tree, item, &events->at[i]);
        if (events->with_fate) {
            add_fate(look->tree, item, &events->at[i]);
        }
    }
    look->count += events->count;
    if (events->more && look->count < look->limit &&
        look->slices < ADMIN_SLICES) {
        events->before = events->next;
        events->limit = look->limit - look->count;
        admin_look_again(look);
        return false;
    }
    admin_look_cursor(look, events->more, events->next);
    return true;
}

static bool
read_via(const struct admin_ask *ask, int *ret_via)
{
    struct slice name;
    if (!admin_query(ask, "via", &name)) {
        return true;
    }
    for (int via = 0; via < CHANNEL_COUNT; via++) {
        if (slice_equal_text(name, channel_name((enum channel)via))) {
            *ret_via = via;
            return true;
        }
    }
    admin_answer_problem(ask->exchange, 400,
                         "via: webhook, poll, stream or backfill is wanted");
    return false;
}

static void
answer_events(struct admin_ask *ask)
{
    struct view_events events = { .via = -1,
                                  .look = ADMIN_SLICE,
                                  .with_fate = admin_query_flag(ask, "fate") };
    if (!read_via(ask, &events.via) ||
        !admin_query_connector(ask, &events.connector) ||
        !admin_query_time(ask, "since", &events.since_ms) ||
        !admin_query_time(ask, "until", &events.until_ms) ||
        !admin_query_id(ask, "cursor", &events.before) ||
        !admin_query_limit(ask, &events.limit)) {
        return;
    }
    struct admin_look *look = admin_look_create(ask, VIEW_EVENTS, events_came);
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
    look->limit = events.limit;
    look->items =
        json_add_array(look->tree, json_tree_root(look->tree), "items");
    look->call.events = events;
    admin_look_begin(look, ask);
}

/* ---- one event ---- */

/* What an event lacked when it came, null where that was nothing. */
static void
add_fill(struct json_tree *tree, struct json_node *root,
         const struct view_fill *fill)
{
    static const char *const needs[] = {
        [NEEDS_NOTHING] = "", [NEEDS_FETCH] = "fetch", [NEEDS_HOOK] = "webhook"
    };
    static const char *const by[] = { [FILLED_NOT] = "",
                                      [FILLED_BY_FETCH] = "fetch",
                                      [FILLED_BY_HOOK] = "webhook" };
    if (!fill->any) {
        json_add_null(tree, root, "fill");
        return;
    }
    struct json_node *item = json_add_object(tree, root, "fill");
    admin_add_words(tree, item, "needs", slice_of(needs[fill->needs]));
    json_add_time(tree, item, "asked", fill->asked_ms);
    admin_add_words(tree, item, "by", slice_of(by[fill->filled]));
    json_add_time(tree, item, "filled", fill->filled_ms);
}

/* Both channels, each with the time it saw the event. */
static void
add_seen(struct json_tree *tree, struct json_node *root,
         const struct view_detail *detail)
{
    struct json_node *seen = json_add_array(tree, root, "seen");
    struct json_node *item = json_add_object(tree, seen, NULL);
    json_add_text(tree, item, "via", slice_of(channel_name(detail->event.via)));
    json_add_time(tree, item, "at", detail->event.recorded_ms);
    for (size_t i = 0; i < detail->sighting_count; i++) {
        item = json_add_object(tree, seen, NULL);
        json_add_text(tree, item, "via",
                      slice_of(channel_name(detail->sightings[i].via)));
        json_add_time(tree, item, "at", detail->sightings[i].at_ms);
    }
}

static void
add_deliveries(struct json_tree *tree, struct json_node *root,
               const struct view_detail *detail)
{
    static const char *const states[] = { [VIEW_WAITING] = "waiting",
                                          [VIEW_RUNNING] = "running",
                                          [VIEW_DEAD] = "dead" };
    static const char *const again[] = { [AGAIN_NOT] = "",
                                         [AGAIN_RETRY] = "retry",
                                         [AGAIN_REPLAY] = "replay",
                                         [AGAIN_DROP] = "" };
    struct json_node *array = json_add_array(tree, root, "deliveries");
    for (size_t i = 0; i < detail->delivery_count; i++) {
        const struct view_delivery *delivery = &detail->deliveries[i];
        struct json_node *item = json_add_object(tree, array, NULL);
        bool dead = delivery->state == VIEW_DEAD;
        json_add_text(tree, item, "handler", delivery->handler);
        json_add_text(tree, item, "state", slice_of(states[delivery->state]));
        json_add_i64(tree, item, "attempt", delivery->attempt);
        json_add_time(tree, item, "due", dead ? 0 : delivery->at_ms);
        json_add_time(tree, item, "dead", dead ? delivery->at_ms : 0);
        json_add_bool(tree, item, "behind_another", delivery->parked);
        admin_add_words(tree, item, "again", slice_of(again[delivery->again]));
        admin_add_words(tree, item, "reason", delivery->reason);
        admin_add_words(tree, item, "answer", delivery->answer);
    }
}

static void
add_attempts(struct json_tree *tree, struct json_node *root,
             const struct view_detail *detail)
{
    static const char *const outcomes[] = {
        [VIEW_DONE] = "done", [VIEW_RETRY] = "retry", [VIEW_GIVEN_UP] = "dead"
    };
    struct json_node *array = json_add_array(tree, root, "attempts");
    for (size_t i = 0; i < detail->attempt_count; i++) {
        const struct view_attempt *attempt = &detail->attempts[i];
        struct json_node *item = json_add_object(tree, array, NULL);
        json_add_text(tree, item, "handler", attempt->handler);
        json_add_i64(tree, item, "attempt", attempt->attempt);
        json_add_time(tree, item, "started", attempt->started_ms);
        json_add_i64(tree, item, "duration_ms", attempt->duration_ms);
        json_add_text(tree, item, "outcome",
                      slice_of(outcomes[attempt->outcome]));
        json_add_time(tree, item, "next", attempt->due_ms);
        json_add_text(tree, item, "detail", attempt->detail);
        json_add_text(tree, item, "output", attempt->output);
    }
}

/* As the envelope has it: `data`, or base64 where it is not JSON. */
static void
add_body(struct json_tree *tree, struct json_node *root,
         const struct view_event *event)
{
    struct buf text = { 0 };
    json_add_text(tree, root, "headers", event->headers);
    if (json_check(event->body, JSON_DEPTH_DEFAULT, NULL) == STATUS_OK) {
        json_add_raw(tree, root, "data", event->body);
        return;
    }
    encode_base64(event->body, &text);
    json_add_text(tree, root, "data_base64", buf_slice(&text));
    buf_fini(&text);
}

static bool
detail_came(struct admin_look *look)
{
    const struct view_detail *detail = &look->call.detail;
    struct json_node *root = json_tree_root(look->tree);
    add_event(look->tree, root, &detail->event);
    admin_add_words(look->tree, root, "content_type",
                    detail->event.content_type);
    add_fill(look->tree, root, &detail->fill);
    add_seen(look->tree, root, detail);
    add_deliveries(look->tree, root, detail);
    add_attempts(look->tree, root, detail);
    if (detail->with_body) {
        add_body(look->tree, root, &detail->event);
    }
    return true;
}

/* The search for an event by its id; then it is one by its number. */
static bool
search_came(struct admin_look *look)
{
    struct view_events *events = &look->call.events;
    bool with_body = look->with_body;
    if (events->count > 0) {
        uint64_t number = events->at[0].number;
        look->call.kind = VIEW_DETAIL;
        look->call.detail =
            (struct view_detail){ .number = number, .with_body = with_body };
        look->came = detail_came;
        admin_look_again(look);
        return false;
    }
    if (events->more) {
        events->before = events->next;
        admin_look_again(look);
        return false;
    }
    look->call.status =
        error_set(&look->call.err, STATUS_NOT_FOUND, "there is no such event");
    return true;
}

/* `connector/id`. */
static bool
begin_search(struct admin_look *look, const struct admin_ask *ask)
{
    size_t slash = slice_find(ask->segment, '/');
    const struct connector *connector =
        slash == SIZE_MAX
            ? NULL
            : admin_connector(ask->admin, slice_first(ask->segment, slash));
    if (connector == NULL || slash + 1 == ask->segment.len) {
        return false;
    }
    struct view_events events = {
        .connector = connector->id, .via = -1, .limit = 1, .look = ADMIN_SLICE
    };
    if (admin_look_keep(look, slice_from(ask->segment, slash + 1),
                        &events.id) != STATUS_OK) {
        return false;
    }
    look->call.kind = VIEW_EVENTS;
    look->came = search_came;
    look->call.events = events;
    return true;
}

static void
answer_event(struct admin_ask *ask)
{
    struct admin_look *look = admin_look_create(ask, VIEW_DETAIL, detail_came);
    uint64_t number;
    if (look == NULL) {
        return;
    }
    look->with_body = admin_query_flag(ask, "body");
    if (slice_to_u64(ask->segment, &number) == STATUS_OK &&
        number <= INT64_MAX) {
        look->call.detail =
            (struct view_detail){ .number = number,
                                  .with_body = look->with_body };
    } else if (!begin_search(look, ask)) {
        admin_look_destroy(look);
        admin_answer_problem(ask->exchange, 404,
                             "an event is named by its number, such as "
                             "1870235467890982912, or as CONNECTOR/ID, such "
                             "as shop/evt_1, where the connector is "
                             "configured; 'longstop events' lists both");
        return;
    }
    admin_look_begin(look, ask);
}

static const struct admin_route routes[] = {
    { "GET", "/api/v1/events", answer_events },
    { "GET", "/api/v1/events/{}", answer_event },
};

const struct admin_table admin_events_table = { routes, sizeof(routes) /
                                                            sizeof(routes[0]) };
