/* SPDX-License-Identifier: MIT */
#include "app/admin.h"

#include <inttypes.h>
#include <string.h>

#include "app/poll_report.h"
#include "base/list.h"
#include "base/mem.h"
#include "io/clock.h"
#include "io/http_server.h"
#include "io/loop.h"
#include "wire/encode.h"

/*
 * The happy path of a question: `route` finds who answers it; most answers are
 * there at once. /metrics asks the store's thread for its figures first, a walk
 * is answered when it has ended.
 */

struct admin {
    struct loop *loop;
    struct admin_settings_of_agent settings;
    struct http_server *server;
    struct list waiting; /* for walks */
    struct list scraping;
    bool is_unix;
};

/* Somebody who waits for a walk. */
struct waiter {
    struct list link;
    struct admin *admin;
    struct http_exchange *exchange;
    const struct connector *connector;
    bool dry;
    struct poll_report report;
};

/* A scrape that waits for the store's figures. */
struct scrape {
    struct list link;
    struct admin *admin; /* NULL: the admin is gone */
    struct http_exchange *exchange;
    struct store_call call;
    struct store_figure figures[];
};

static const struct slice json_type = SLICE("application/json");
static const struct slice text_type = SLICE("text/plain; charset=utf-8");

static void
answer_text(struct http_exchange *exchange, unsigned status, const char *text)
{
    struct http_answer answer = { .status = status,
                                  .content_type = text_type,
                                  .body = slice_of(text) };
    http_exchange_answer(exchange, &answer);
}

/* RFC 9457; `title` is ours. */
static void
answer_problem(struct http_exchange *exchange, unsigned status,
               const char *title)
{
    struct buf body = { 0 };
    buf_format(&body, "{\"status\":%u,\"title\":", status);
    buf_json(&body, slice_of(title));
    buf_text(&body, "}\n");
    struct http_answer answer = { .status = status,
                                  .content_type =
                                      slice_of("application/problem+json"),
                                  .body = buf_slice(&body) };
    http_exchange_answer(exchange, &answer);
    buf_fini(&body);
}

/* ---- health ---- */

static void
answer_livez(struct admin *admin, struct http_exchange *exchange)
{
    (void)admin;
    answer_text(exchange, 200, "ok\n");
}

/* Ready means that events can be taken: whether the providers can be reached is
 * not asked, or an outage of theirs would take our listener out of rotation. */
static void
answer_readyz(struct admin *admin, struct http_exchange *exchange)
{
    struct store_worker_figures figures;
    store_worker_figures(admin->settings.worker, &figures);
    if (figures.health == STATUS_OK) {
        answer_text(exchange, 200, "ok\n");
        return;
    }
    struct buf text = { 0 };
    buf_format(&text, "the store cannot be written: %s\n",
               status_text(figures.health));
    answer_text(exchange, 503,
                buf_status(&text) == STATUS_OK ? buf_slice(&text).ptr
                                               : "not ready\n");
    buf_fini(&text);
}

/* ---- metrics ---- */

static void
figures_came(struct store_call *call)
{
    struct scrape *scrape = call->arg;
    struct admin *admin = scrape->admin;
    if (admin == NULL) {
        mem_free(scrape);
        return;
    }
    list_remove(&scrape->link);
    if (call->status == STATUS_OK) {
        dispatch_gauge(admin->settings.dispatch, scrape->figures,
                       call->figures.count, clock_unix_ms());
    }
    struct buf text = { 0 };
    metric_render(admin->settings.telemetry->registry, &text);
    struct http_answer answer = {
        .status = buf_status(&text) == STATUS_OK ? 200 : 503,
        .content_type = slice_of("text/plain; version=0.0.4; charset=utf-8"),
        .body = buf_slice(&text),
    };
    http_exchange_answer(scrape->exchange, &answer);
    buf_fini(&text);
    mem_free(scrape);
}

static void
answer_metrics(struct admin *admin, struct http_exchange *exchange)
{
    size_t count = admin->settings.outlet_count;
    struct scrape *scrape =
        mem_zero(sizeof(*scrape) + count * sizeof(scrape->figures[0]));
    if (scrape == NULL) {
        answer_problem(exchange, 503, "out of memory");
        return;
    }
    for (size_t i = 0; i < count; i++) {
        scrape->figures[i].handler = admin->settings.outlets[i].number;
    }
    scrape->admin = admin;
    scrape->exchange = exchange;
    scrape->call = (struct store_call){ .kind = STORE_CALL_FIGURES,
                                        .done = figures_came,
                                        .arg = scrape,
                                        .figures = { scrape->figures, count } };
    if (store_worker_submit(admin->settings.worker, &scrape->call) !=
        STATUS_OK) {
        mem_free(scrape);
        answer_problem(exchange, 503, "the store has failed");
        return;
    }
    list_append(&admin->scraping, &scrape->link);
}

/* ---- walks ---- */

static const struct slice api_connectors = SLICE("/api/v1/connectors/");
static const struct slice poll_suffix = SLICE("/poll");

static const struct admin_poll *
find_poll(const struct admin *admin, struct slice path)
{
    if (!slice_starts(path, api_connectors) || !slice_ends(path, poll_suffix) ||
        path.len < api_connectors.len + poll_suffix.len) {
        return NULL;
    }
    struct slice name = slice_from(path, api_connectors.len);
    name.len -= poll_suffix.len;
    for (size_t i = 0; i < admin->settings.poll_count; i++) {
        const struct admin_poll *poll = &admin->settings.polls[i];
        if (slice_equal(poll->connector->name, name)) {
            return poll;
        }
    }
    return NULL;
}

static void
ask_for_walk(struct admin *admin, struct http_exchange *exchange,
             const struct admin_poll *poll, bool dry)
{
    struct waiter *waiter = mem_zero(sizeof(*waiter));
    if (waiter == NULL) {
        answer_problem(exchange, 503, "out of memory");
        return;
    }
    waiter->admin = admin;
    waiter->exchange = exchange;
    waiter->connector = poll->connector;
    waiter->dry = dry;
    list_append(&admin->waiting, &waiter->link);
    if (!dry) {
        source_poll_poke(poll->poll);
    } else if (!admin->settings.rehearse(admin->settings.rehearse_arg,
                                         poll->connector)) {
        list_remove(&waiter->link);
        mem_free(waiter);
        answer_problem(exchange, 503, "out of memory");
    }
}

void
admin_poll_asked(struct admin *admin, const struct poll_asked *asked, bool dry)
{
    list_for_each(at, &admin->waiting) {
        struct waiter *waiter = list_entry(at, struct waiter, link);
        if (waiter->connector == asked->connector && waiter->dry == dry) {
            poll_report_asked(&waiter->report, asked);
        }
    }
}

void
admin_poll_ended(struct admin *admin, const struct poll_ended *ended, bool dry)
{
    list_for_each_safe(at, &admin->waiting) {
        struct waiter *waiter = list_entry(at, struct waiter, link);
        if (waiter->connector != ended->connector || waiter->dry != dry) {
            continue;
        }
        struct buf body = { 0 };
        poll_report_json(&waiter->report, ended, &body);
        struct http_answer answer = { .status = buf_status(&body) == STATUS_OK
                                                    ? 200
                                                    : 503,
                                      .content_type = json_type,
                                      .body = buf_slice(&body) };
        http_exchange_answer(waiter->exchange, &answer);
        buf_fini(&body);
        poll_report_fini(&waiter->report);
        list_remove(&waiter->link);
        mem_free(waiter);
    }
}

/* ---- routing ---- */

struct admin_route {
    const char *path;
    void (*answer)(struct admin *admin, struct http_exchange *exchange);
};

static const struct admin_route routes[] = {
    { "/livez", answer_livez },
    { "/readyz", answer_readyz },
    { "/metrics", answer_metrics },
};

static bool
is_get(const struct http_request *request)
{
    return slice_equal_text(request->method, "GET") ||
           slice_equal_text(request->method, "HEAD");
}

static void
answer_request(void *arg, struct http_exchange *exchange)
{
    struct admin *admin = arg;
    const struct http_request *request = http_exchange_request(exchange);
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        if (!slice_equal_text(request->path, routes[i].path)) {
            continue;
        }
        if (is_get(request)) {
            routes[i].answer(admin, exchange);
        } else {
            answer_problem(exchange, 405, "only GET is answered here");
        }
        return;
    }
    const struct admin_poll *poll = find_poll(admin, request->path);
    if (poll == NULL) {
        answer_problem(exchange, 404, "there is nothing at this path");
    } else if (!slice_equal_text(request->method, "POST")) {
        answer_problem(exchange, 405, "a walk is asked for with POST");
    } else {
        ask_for_walk(admin, exchange, poll,
                     slice_equal_text(request->query, "dry_run=1"));
    }
}

/* Whether Host names this machine's loopback, with or without a port. */
static bool
host_is_local(const struct http_request *request)
{
    static const char *const names[] = { "localhost", "127.0.0.1", "[::1]" };
    struct slice host;
    if (!http_field_find(request->fields, "Host", &host)) {
        return false;
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct slice name = slice_of(names[i]);
        if (slice_equal_nocase(slice_first(host, name.len), name) &&
            (host.len == name.len || host.ptr[name.len] == ':')) {
            return true;
        }
    }
    return false;
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

static unsigned
check_head(void *arg, const struct http_request *request, struct slice peer,
           size_t *body_limit, struct http_answer *refusal)
{
    const struct admin *admin = arg;
    (void)peer;
    (void)refusal;
    *body_limit = 65536;
    if (!admin->is_unix && !host_is_local(request)) {
        return 403;
    }
    /* Asking whether it lives needs no token: a supervisor has none. */
    bool open = slice_equal_text(request->path, "/livez") ||
                slice_equal_text(request->path, "/readyz");
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
    list_init(&admin->waiting);
    list_init(&admin->scraping);
    struct http_server_handler handler = { .arg = admin,
                                           .head = check_head,
                                           .request = answer_request };
    enum status status =
        http_server_create(loop, settings->address.ptr, 0660, &limits, &handler,
                           &admin->server, err);
    if (status != STATUS_OK) {
        mem_free(admin);
        return error_wrap(err, status, "admin.address");
    }
    *ret = admin;
    return STATUS_OK;
}

void
admin_destroy(struct admin *admin)
{
    if (admin == NULL) {
        return;
    }
    for (struct list *link; (link = list_take(&admin->waiting)) != NULL;) {
        struct waiter *waiter = list_entry(link, struct waiter, link);
        answer_problem(waiter->exchange, 503, "the agent is stopping");
        poll_report_fini(&waiter->report);
        mem_free(waiter);
    }
    for (struct list *link; (link = list_take(&admin->scraping)) != NULL;) {
        struct scrape *scrape = list_entry(link, struct scrape, link);
        answer_problem(scrape->exchange, 503, "the agent is stopping");
        scrape->admin = NULL;
    }
    http_server_destroy(admin->server);
    mem_free(admin);
}
