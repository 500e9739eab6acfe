/* SPDX-License-Identifier: MIT */
/*
 * admin_errands: has dead letters tried again or dropped, and old events
 * replayed; how far that is; ends it.
 *
 * What meets the filter is counted first, so that who asks knows what it comes
 * to, and so that nothing younger is taken.
 */
#include "app/admin_private.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/instant.h"
#include "base/log.h"
#include "io/clock.h"
#include "model/errand.h"
#include "wire/json.h"
#include "wire/timefmt.h"

#define BODY_DEPTH 4

/* ---- one errand, told ---- */

static void
add_errand(struct json_tree *tree, struct json_node *item,
           const struct view_errand *stored, const struct errand *errand)
{
    char rate[48] = "";
    const struct errand_filter *filter = &errand->filter;
    if (errand->rate > 0) {
        (void)snprintf(rate, sizeof(rate), "%" PRId64 "/%" PRId64 "ms",
                       errand->rate, errand->rate_per_ms);
    }
    admin_add_id(tree, item, "errand", stored->number);
    json_add_text(tree, item, "kind", slice_of(errand_kind_name(errand->kind)));
    json_add_text(tree, item, "state",
                  slice_of(stored->is_running ? "running"
                           : errand->is_over  ? "done"
                                              : "cancelled"));
    if (filter->event != 0) {
        admin_add_id(tree, item, "event", filter->event);
    } else {
        json_add_null(tree, item, "event");
    }
    admin_add_words(tree, item, "connector", filter->connector);
    admin_add_words(tree, item, "handler", filter->handler);
    admin_add_words(tree, item, "type", filter->type);
    admin_add_words(tree, item, "reason", filter->reason);
    json_add_time(tree, item, "since", filter->since_ms);
    json_add_time(tree, item, "until", filter->until_ms);
    admin_add_words(tree, item, "rate", slice_of(rate));
    json_add_i64(tree, item, "matches", errand->total);
    json_add_i64(tree, item, "done", stored->done);
    json_add_i64(tree, item, "skipped", stored->skipped);
    json_add_i64(tree, item, "open", stored->open);
    json_add_i64(tree, item, "percent", errand_permille(errand) / 10);
    json_add_time(tree, item, "began", errand->began_ms);
    json_add_time(tree, item, "ended", errand->ended_ms);
}

static enum status
add_stored(struct admin_look *look, struct json_node *item,
           const struct view_errand *stored)
{
    struct errand errand;
    enum status status =
        errand_decode(stored->state, &look->call.arena, &errand);
    if (status == STATUS_OK) {
        add_errand(look->tree, item, stored, &errand);
    } else {
        look->call.status = error_set(&look->call.err, status,
                                      "the stored errand cannot be read");
    }
    return status;
}

/* ---- the list, and one ---- */

static bool
errands_came(struct admin_look *look)
{
    const struct view_errands *errands = &look->call.errands;
    uint64_t next = 0;
    for (size_t i = 0; i < errands->count; i++) {
        next = errands->at[i].number;
        if (add_stored(look, json_add_object(look->tree, look->items, NULL),
                       &errands->at[i]) != STATUS_OK) {
            return true;
        }
    }
    admin_look_cursor(look, errands->more, next);
    return true;
}

static void
answer_errands(struct admin_ask *ask)
{
    struct view_errands errands = { 0 };
    if (!admin_query_id(ask, "cursor", &errands.before) ||
        !admin_query_limit(ask, &errands.limit)) {
        return;
    }
    struct admin_look *look =
        admin_look_create(ask, VIEW_ERRANDS, errands_came);
    if (look == NULL) {
        return;
    }
    look->items =
        json_add_array(look->tree, json_tree_root(look->tree), "items");
    look->call.errands = errands;
    admin_look_begin(look, ask);
}

static bool
errand_came(struct admin_look *look)
{
    const struct view_errands *errands = &look->call.errands;
    if (errands->count == 0 || errands->at[0].number != errands->before - 1) {
        look->call.status = error_set(&look->call.err, STATUS_NOT_FOUND,
                                      "there is no errand of this number");
        return true;
    }
    (void)add_stored(look, json_tree_root(look->tree), &errands->at[0]);
    return true;
}

/* Reads the number in the path; false when that was answered. */
static bool
read_number(const struct admin_ask *ask, uint64_t *ret)
{
    if (slice_to_u64(ask->segment, ret) == STATUS_OK && *ret > 0 &&
        *ret < INT64_MAX) {
        return true;
    }
    admin_answer_problem(ask->exchange, 404,
                         "there is no errand of this number");
    return false;
}

static void
answer_errand(struct admin_ask *ask)
{
    uint64_t number;
    if (!read_number(ask, &number)) {
        return;
    }
    struct admin_look *look = admin_look_create(ask, VIEW_ERRANDS, errand_came);
    if (look == NULL) {
        return;
    }
    look->call.errands =
        (struct view_errands){ .before = number + 1, .limit = 1 };
    admin_look_begin(look, ask);
}

/* ---- beginning one ---- */

struct wish {
    struct admin_wait wait;
    struct arena arena; /* of the filter's texts */
    struct errand errand;
    struct slice since, until, event, rate, kind;
    bool all;
    bool preview;
    struct view_call view; /* counts */
    struct store_call call;
    struct buf state;
};

static void
free_wish(struct wish *wish)
{
    arena_fini(&wish->arena);
    arena_fini(&wish->view.arena);
    buf_fini(&wish->state);
    mem_free(wish);
}

static void
answer_tree(struct wish *wish, unsigned status, struct json_tree *tree)
{
    struct buf body = { 0 };
    struct http_exchange *exchange = wish->wait.exchange;
    if (tree == NULL || json_tree_print(tree, false, &body) != STATUS_OK) {
        admin_answer_status(exchange, STATUS_NOMEM, NULL);
    } else {
        buf_byte(&body, '\n');
        struct http_answer answer = { .status = status,
                                      .content_type = SLICE("application/json"),
                                      .body = buf_slice(&body) };
        http_exchange_answer(exchange, &answer);
    }
    json_tree_destroy(tree);
    buf_fini(&body);
}

static void
begun(struct store_call *call)
{
    struct wish *wish = call->arg;
    const struct errand *errand = &wish->errand;
    if (call->status == STATUS_OK) {
        LOG(LOG_INFO, "errand begun",
            log_i64("errand", (int64_t)call->again.errand),
            log_text("kind", errand_kind_name(errand->kind)),
            log_i64("matches", errand->total),
            log_i64("event", (int64_t)errand->filter.event),
            log_slice("connector", errand->filter.connector),
            log_slice("handler", errand->filter.handler),
            log_slice("type", errand->filter.type),
            log_slice("reason", errand->filter.reason));
    }
    if (wish->wait.admin == NULL) {
        free_wish(wish);
        return;
    }
    struct admin *admin = wish->wait.admin;
    admin_wait_end(&wish->wait);
    if (call->status == STATUS_OK) {
        const struct view_errand stored = { .number = call->again.errand,
                                            .is_running = true };
        struct json_tree *tree = NULL;
        if (json_tree_create(&tree) == STATUS_OK) {
            add_errand(tree, json_tree_root(tree), &stored, errand);
        }
        errands_look(admin->settings.errands);
        leases_poke(admin->settings.leases, LEASE_OF_ALL);
        answer_tree(wish, 202, tree);
    } else {
        admin_answer_status(wish->wait.exchange, call->status, &call->err);
    }
    free_wish(wish);
}

static void
begin(struct wish *wish)
{
    wish->errand.began_ms = clock_unix_ms();
    errand_encode(&wish->errand, &wish->state);
    enum status status = buf_status(&wish->state);
    wish->call =
        (struct store_call){ .kind = STORE_CALL_AGAIN,
                             .done = begun,
                             .arg = wish,
                             .again = { .kind = wish->errand.kind,
                                        .state = buf_slice(&wish->state) } };
    if (status == STATUS_OK) {
        status =
            store_worker_submit(wish->wait.admin->settings.worker, &wish->call);
    }
    if (status != STATUS_OK) {
        admin_wait_end(&wish->wait);
        admin_answer_status(wish->wait.exchange, status, NULL);
        free_wish(wish);
    }
}

/* All that meets it has been counted. */
static void
all_counted(struct wish *wish)
{
    const struct errand *errand = &wish->errand;
    bool none = errand->total == 0;
    if (!wish->preview && !none) {
        begin(wish);
        return;
    }
    admin_wait_end(&wish->wait);
    if (wish->preview) {
        struct json_tree *tree = NULL;
        if (json_tree_create(&tree) == STATUS_OK) {
            json_add_i64(tree, json_tree_root(tree), "matches", errand->total);
        }
        answer_tree(wish, 200, tree);
    } else {
        admin_answer_problem(wish->wait.exchange, 404,
                             errand->kind == AGAIN_REPLAY
                                 ? "no event that is kept meets this"
                                 : "no dead letter meets this");
    }
    free_wish(wish);
}

static void
take_count(struct errand *errand, size_t count, uint64_t lowest,
           uint64_t highest)
{
    errand->total += (int64_t)count;
    errand->last = highest > errand->last ? highest : errand->last;
    if (lowest != 0 && (errand->first == 0 || lowest < errand->first)) {
        errand->first = lowest;
    }
}

static void
counted(struct view_call *call)
{
    struct wish *wish = call->arg;
    struct errand *errand = &wish->errand;
    bool events = call->kind == VIEW_EVENTS;
    if (wish->wait.admin == NULL) {
        free_wish(wish);
        return;
    }
    if (call->status != STATUS_OK) {
        admin_wait_end(&wish->wait);
        admin_answer_status(wish->wait.exchange, call->status, &call->err);
        free_wish(wish);
        return;
    }
    bool more = events ? call->events.more : call->dead.more;
    if (!events) {
        take_count(errand, call->dead.count, call->dead.lowest,
                   call->dead.highest);
        call->dead.from = call->dead.next;
    } else if (errand->filter.event == 0 ||
               call->events.highest == errand->filter.event) {
        take_count(errand, call->events.count, call->events.lowest,
                   call->events.highest);
        call->events.before = call->events.next;
    }
    if (more && errand->filter.event == 0) {
        store_reader_submit(wish->wait.admin->settings.reader, call);
    } else {
        all_counted(wish);
    }
}

static void
count(struct wish *wish, const struct connector *connector)
{
    const struct errand_filter *filter = &wish->errand.filter;
    bool one = filter->event != 0;
    wish->view = (struct view_call){ .kind = VIEW_LETTERS,
                                     .done = counted,
                                     .arg = wish };
    if (wish->errand.kind == AGAIN_REPLAY) {
        wish->view.kind = VIEW_EVENTS;
        wish->view.events = (struct view_events){
            .connector = connector == NULL ? 0 : connector->id,
            .type = filter->type,
            .via = -1,
            .since_ms = filter->since_ms,
            .until_ms = filter->until_ms,
            .oldest_first = one,
            .before = one ? filter->event - 1 : 0,
            .counts_only = true,
            .look = one ? 1 : ADMIN_SLICE,
        };
    } else {
        wish->view.dead = (struct view_dead){ .filter = *filter,
                                              .counts_only = true,
                                              .look = ADMIN_SLICE };
    }
    store_reader_submit(wish->wait.admin->settings.reader, &wish->view);
}

/* ---- what is asked ---- */

static enum status
read_flag(struct slice value, bool *ret, const char *name, struct error *err)
{
    enum json_type type = json_type(value);
    *ret = type == JSON_TRUE;
    return type == JSON_TRUE || type == JSON_FALSE
               ? STATUS_OK
               : error_set(err, STATUS_INVALID, "'%s' is true or false", name);
}

static enum status
read_member(struct slice name, struct slice value, struct wish *wish,
            struct error *err)
{
    struct errand_filter *filter = &wish->errand.filter;
    const struct {
        const char *name;
        struct slice *place;
    } texts[] = {
        { "kind", &wish->kind },
        { "event", &wish->event },
        { "connector", &filter->connector },
        { "handler", &filter->handler },
        { "type", &filter->type },
        { "reason", &filter->reason },
        { "since", &wish->since },
        { "until", &wish->until },
        { "rate", &wish->rate },
    };
    value = slice_trim(value);
    if (json_means(name, slice_of("all"))) {
        return read_flag(value, &wish->all, "all", err);
    }
    if (json_means(name, slice_of("preview"))) {
        return read_flag(value, &wish->preview, "preview", err);
    }
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (!json_means(name, slice_of(texts[i].name))) {
            continue;
        }
        return json_type(value) == JSON_STRING
                   ? json_text(value, &wish->arena, texts[i].place)
                   : error_set(err, STATUS_INVALID, "'%s' is a text",
                               texts[i].name);
    }
    return error_set(err, STATUS_INVALID,
                     "%.*s is not known here: kind, event, connector, handler, "
                     "type, reason, since, until, rate, all, preview",
                     SLICE_ARG(slice_first(name, 64)));
}

static enum status
read_kind(struct wish *wish, struct error *err)
{
    for (int kind = AGAIN_RETRY; kind <= AGAIN_DROP; kind++) {
        if (slice_equal_text(wish->kind, errand_kind_name((enum again)kind))) {
            wish->errand.kind = (enum again)kind;
            return STATUS_OK;
        }
    }
    return error_set(err, STATUS_INVALID,
                     "'kind' is wanted: retry, replay or drop");
}

static enum status
read_values(struct wish *wish, struct error *err)
{
    struct errand *errand = &wish->errand;
    const struct {
        struct slice text;
        int64_t *place;
        const char *name;
    } times[] = { { wish->since, &errand->filter.since_ms, "since" },
                  { wish->until, &errand->filter.until_ms, "until" } };
    for (size_t i = 0; i < 2; i++) {
        if (times[i].text.len > 0 &&
            timefmt_read(TIMEFMT_AUTO, times[i].text, times[i].place) !=
                STATUS_OK) {
            return error_set(err, STATUS_INVALID,
                             "'%s' is a time as 2026-11-21T23:22:01Z",
                             times[i].name);
        }
    }
    if (wish->rate.len > 0 &&
        instant_parse_rate(wish->rate, &errand->rate, &errand->rate_per_ms) !=
            STATUS_OK) {
        return error_set(err, STATUS_INVALID, "'rate' is as 100/s");
    }
    if (wish->event.len > 0 &&
        (slice_to_u64(wish->event, &errand->filter.event) != STATUS_OK ||
         errand->filter.event == 0 || errand->filter.event > INT64_MAX)) {
        return error_set(err, STATUS_INVALID, "'event' is an event's number");
    }
    return STATUS_OK;
}

static enum status
read_wish(const struct admin_ask *ask, struct wish *wish, struct error *err)
{
    struct slice body = ask->request->body;
    struct slice name, value;
    size_t at = 0;
    enum status status;
    if (json_check(body, BODY_DEPTH, NULL) != STATUS_OK ||
        json_type(body) != JSON_OBJECT) {
        return error_set(err, STATUS_INVALID,
                         "the body must be a JSON object such as "
                         "{\"kind\":\"retry\",\"handler\":\"mail\"}");
    }
    /* It outlives the request. */
    status = arena_copy(&wish->arena, body, &body);
    while (status == STATUS_OK && json_next_member(body, &at, &name, &value)) {
        status = read_member(name, value, wish, err);
    }
    if (status == STATUS_OK) {
        status = read_kind(wish, err);
    }
    return status == STATUS_OK ? read_values(wish, err) : status;
}

/* What cannot be meant. A letter of a handler that is gone can be dropped. */
static enum status
check_wish(const struct admin *admin, const struct wish *wish,
           const struct connector *connector, struct error *err)
{
    const struct errand_filter *filter = &wish->errand.filter;
    bool filters = filter->event != 0 || filter->connector.len > 0 ||
                   filter->handler.len > 0 || filter->type.len > 0 ||
                   filter->reason.len > 0 || filter->since_ms != 0 ||
                   filter->until_ms != 0;
    bool replay = wish->errand.kind == AGAIN_REPLAY;
    if (!filters && !wish->all) {
        return error_set(err, STATUS_INVALID,
                         "say which by a filter, or 'all'");
    }
    if (replay && filter->reason.len > 0) {
        return error_set(err, STATUS_INVALID,
                         "'reason' is of dead letters, not of events");
    }
    if (replay && filter->connector.len > 0 && connector == NULL) {
        return error_set(err, STATUS_INVALID,
                         "'connector' is the name of a configured connector");
    }
    if (wish->errand.kind != AGAIN_DROP && filter->handler.len > 0 &&
        !admin_has_handler(admin, filter->handler)) {
        return error_set(err, STATUS_INVALID,
                         "'handler' is the name of a configured handler");
    }
    return STATUS_OK;
}

static void
answer_begin(struct admin_ask *ask)
{
    struct error err = { "" };
    struct wish *wish = mem_zero(sizeof(*wish));
    const struct connector *connector = NULL;
    enum status status = STATUS_NOMEM;
    if (wish != NULL) {
        status = read_wish(ask, wish, &err);
    }
    if (status == STATUS_OK) {
        connector = admin_connector(ask->admin, wish->errand.filter.connector);
        status = check_wish(ask->admin, wish, connector, &err);
    }
    if (status != STATUS_OK) {
        if (wish != NULL) {
            free_wish(wish);
        }
        admin_answer_status(ask->exchange, status, &err);
        return;
    }
    admin_wait_begin(&wish->wait, ask);
    count(wish, connector);
}

/* ---- ending one ---- */

static void
cancelled(struct store_call *call)
{
    struct wish *wish = call->arg;
    if (wish->wait.admin != NULL) {
        struct json_tree *tree = NULL;
        admin_wait_end(&wish->wait);
        if (call->status == STATUS_OK) {
            if (json_tree_create(&tree) == STATUS_OK) {
                admin_add_id(tree, json_tree_root(tree), "cancelled",
                             call->again.errand);
            }
            answer_tree(wish, 200, tree);
        } else if (call->status == STATUS_NOT_FOUND) {
            admin_answer_problem(wish->wait.exchange, 404,
                                 "no errand of this number is running");
        } else {
            admin_answer_status(wish->wait.exchange, call->status, &call->err);
        }
    }
    free_wish(wish);
}

static void
answer_cancel(struct admin_ask *ask)
{
    uint64_t number;
    if (!read_number(ask, &number)) {
        return;
    }
    struct wish *wish = mem_zero(sizeof(*wish));
    if (wish == NULL) {
        admin_answer_status(ask->exchange, STATUS_NOMEM, NULL);
        return;
    }
    wish->call = (struct store_call){
        .kind = STORE_CALL_AGAIN,
        .done = cancelled,
        .arg = wish,
        .again = { .errand = number, .is_over = true },
    };
    enum status status =
        store_worker_submit(ask->admin->settings.worker, &wish->call);
    if (status != STATUS_OK) {
        free_wish(wish);
        admin_answer_status(ask->exchange, status, NULL);
        return;
    }
    admin_wait_begin(&wish->wait, ask);
}

static const struct admin_route routes[] = {
    { "GET", "/api/v1/errands", answer_errands },
    { "POST", "/api/v1/errands", answer_begin },
    { "GET", "/api/v1/errands/{}", answer_errand },
    { "DELETE", "/api/v1/errands/{}", answer_cancel },
};

const struct admin_table admin_errands_table = {
    routes, sizeof(routes) / sizeof(routes[0])
};
