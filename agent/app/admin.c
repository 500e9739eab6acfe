/* SPDX-License-Identifier: MIT */
#include "app/admin_private.h"

#include "app/dashboard.h"
#include "app/generation.h"
#include "io/loop.h"
#include "model/address.h"
#include "wire/encode.h"

/*
 * The happy path of a question: the head is looked at (who asks, from where),
 * the router finds the route, the route answers, at once or when a store or a
 * walk has.
 */

static const struct admin_table *const tables[] = {
    &admin_health_table,    &admin_poll_table,      &admin_backfill_table,
    &admin_status_table,    &admin_keys_table,      &admin_gaps_table,
    &admin_events_table,    &admin_refusals_table,  &admin_stream_table,
    &admin_dead_table,      &admin_errands_table,   &admin_pause_table,
    &admin_moving_table,    &admin_receivers_table, &admin_walks_table,
    &admin_dashboard_table, &admin_reload_table,
};

const struct connector *
admin_connector(const struct admin *admin, struct slice name)
{
    for (size_t i = 0; i < admin->settings.connector_count; i++) {
        const struct connector *connector = &admin->settings.connectors[i];
        if (slice_equal(connector->name, name)) {
            return connector;
        }
    }
    return NULL;
}

bool
admin_has_handler(const struct admin *admin, struct slice name)
{
    const struct outlet_settings *outlet = NULL;
    for (size_t i = 0;
         (outlet = dispatch_outlet(admin->settings.dispatch, i)) != NULL &&
         (outlet->number == 0 || !slice_equal(outlet->name, name));
         i++) {
    }
    return outlet != NULL;
}

void
admin_wait_begin(struct admin_wait *wait, const struct admin_ask *ask)
{
    wait->admin = ask->admin;
    wait->exchange = ask->exchange;
    wait->generation = ask->admin->settings.generation;
    if (wait->generation != NULL) {
        generation_hold(wait->generation);
    }
    list_append(&ask->admin->waits, &wait->link);
}

static void
release(struct admin_wait *wait)
{
    if (wait->generation != NULL) {
        generation_release(wait->generation);
        wait->generation = NULL;
    }
}

void
admin_wait_end(struct admin_wait *wait)
{
    if (wait->admin != NULL) {
        list_remove(&wait->link);
        release(wait);
    }
}

/* ---- routing ---- */

static enum status
decode_segment(struct admin_ask *ask, struct slice segment)
{
    struct buf plain = { 0 };
    decode_percent(segment, false, &plain);
    enum status status = buf_status(&plain);
    if (status == STATUS_OK) {
        status = arena_copy(ask->arena, buf_slice(&plain), &ask->segment);
    }
    buf_fini(&plain);
    return status;
}

static void
answer_route(struct admin *admin, struct http_exchange *exchange,
             const struct admin_match *match)
{
    struct arena arena = { 0 };
    struct admin_ask ask = { .admin = admin,
                             .exchange = exchange,
                             .request = http_exchange_request(exchange),
                             .arena = &arena };
    if (decode_segment(&ask, match->segment) == STATUS_OK) {
        match->route->answer(&ask);
    } else {
        admin_answer_status(exchange, STATUS_NOMEM, NULL);
    }
    arena_fini(&arena);
}

static void
answer_request(void *arg, struct http_exchange *exchange)
{
    struct admin *admin = arg;
    const struct http_request *request = http_exchange_request(exchange);
    struct admin_match match;
    admin_router_find(tables, sizeof(tables) / sizeof(tables[0]),
                      request->method, request->path, &match);
    if (match.route != NULL) {
        answer_route(admin, exchange, &match);
    } else if (match.allow[0] == '\0') {
        admin_answer_problem(exchange, 404, "there is nothing at this path");
    } else {
        struct http_field allow = { SLICE("Allow"), slice_of(match.allow) };
        admin_answer_fields(exchange, 405, "this path is not for this method",
                            (struct http_fields){ &allow, 1 });
    }
}

/* Whether Host names this machine's loopback. */
static bool
host_is_local(const struct http_request *request)
{
    struct slice host;
    return http_field_find(request->fields, "Host", &host) &&
           address_host_is_local(host);
}

static bool
is_authorized(const struct admin *admin, const struct http_request *request)
{
    static const struct slice bearer = SLICE("Bearer ");
    struct slice field;
    if (admin->settings.token.len == 0) {
        return true;
    }
    return http_field_find(request->fields, "Authorization", &field) &&
           slice_starts(field, bearer) &&
           encode_same_secret(slice_from(field, bearer.len),
                              admin->settings.token);
}

/* Browsers say from which page a request comes. The dashboard's own are of the
 * same origin; whatever is not might be a page that makes its visitor's browser
 * ask. A program sends neither field. */
static bool
is_from_elsewhere(const struct http_request *request)
{
    struct slice site, origin, host;
    if (http_field_find(request->fields, "Sec-Fetch-Site", &site) &&
        !slice_equal_text(site, "same-origin") &&
        !slice_equal_text(site, "none")) {
        return true;
    }
    if (!http_field_find(request->fields, "Origin", &origin)) {
        return false;
    }
    size_t scheme = slice_find_slice(origin, slice_of("://"));
    return scheme == SIZE_MAX ||
           !http_field_find(request->fields, "Host", &host) ||
           !slice_equal_nocase(slice_from(origin, scheme + 3), host);
}

static unsigned
check_head(void *arg, const struct http_request *request, struct slice peer,
           size_t *body_limit, struct http_answer *refusal)
{
    const struct admin *admin = arg;
    (void)peer;
    (void)refusal;
    *body_limit = slice_equal_text(request->path, "/api/v1/import")
                      ? ADMIN_IMPORT_BYTES
                      : 65536;
    bool asks = slice_equal_text(request->method, "GET") ||
                slice_equal_text(request->method, "HEAD");
    /* A stream is a place among few, which a foreign page may not take. */
    bool holds = slice_equal_text(request->path, "/api/v1/stream");
    bool is_open = !admin->is_unix && admin->settings.tls == NULL;
    if ((is_open && !host_is_local(request)) ||
        ((!asks || holds) && is_from_elsewhere(request))) {
        return 403;
    }
    /* Asking whether it lives needs no token: a supervisor has none. Nor does
     * the page, which asks for one. */
    bool open = slice_equal_text(request->path, "/livez") ||
                slice_equal_text(request->path, "/readyz") ||
                dashboard_owns(request->path);
    return open || is_authorized(admin, request) ? 0 : 401;
}

static const struct http_server_limits limits = {
    .request = { .head_bytes = 16384, .field_count = 100, .body_bytes = 65536 },
    .connections = 256,
    .connections_per_address = 256,
    .head_timeout_ms = 10000,
    .body_timeout_ms = 10000,
    .idle_timeout_ms = 75000,
    .write_timeout_ms = 30000,
};

enum status
admin_create(struct loop *loop, const struct admin_settings_of_agent *settings,
             struct admin **ret, struct error *err)
{
    struct admin *admin = mem_zero(sizeof(*admin));
    if (admin == NULL) {
        return STATUS_NOMEM;
    }
    admin->loop = loop;
    admin->settings = *settings;
    admin->is_unix = slice_starts(settings->address, slice_of("unix:"));
    list_init(&admin->waits);
    list_init(&admin->walkers);
    if (admin_stream_init(admin) != STATUS_OK) {
        mem_free(admin);
        return STATUS_NOMEM;
    }
    struct http_server_handler handler = { .arg = admin,
                                           .head = check_head,
                                           .request = answer_request };
    enum status status =
        http_server_create(loop, settings->address.ptr, 0660, &limits, &handler,
                           &admin->server, err);
    if (status != STATUS_OK) {
        admin_stream_fini(admin);
        mem_free(admin);
        return error_wrap(err, status, "admin.address");
    }
    http_server_speak_tls(admin->server, settings->tls);
    *ret = admin;
    return STATUS_OK;
}

void
admin_change(struct admin *admin,
             const struct admin_settings_of_agent *settings)
{
    admin->settings = *settings;
    admin_poll_change(admin);
}

void
admin_destroy(struct admin *admin)
{
    if (admin == NULL) {
        return;
    }
    for (struct list *link; (link = list_take(&admin->waits)) != NULL;) {
        struct admin_wait *wait = list_entry(link, struct admin_wait, link);
        admin_answer_problem(wait->exchange, 503, "the agent is stopping");
        wait->admin = NULL;
        release(wait);
        if (wait->dropped != NULL) {
            wait->dropped(wait);
        }
    }
    http_server_destroy(admin->server);
    admin_stream_fini(admin);
    mem_free(admin);
}
