/* SPDX-License-Identifier: MIT */
#include "source/source_webhook.h"

#include <stdio.h>
#include <string.h>

#include "base/instant.h"
#include "base/log.h"
#include "io/clock.h"
#include "io/loop.h"
#include "model/quota.h"
#include "model/refusal.h"
#include "model/verify.h"
#include "source/webhook_door.h"
#include "source/webhook_pending.h"

/*
 * The happy path of a webhook is:
 *
 * - The server has read the head: `look_at_head` finds the route and refuses
 *   what can be refused by the head alone.
 * - The server has read the body: `take_request` moves the request into an
 *   arrival, undoes its content coding and submits it to the sink.
 * - The sink has verified it, and its events are durable: `answer` says 2xx.
 *
 * What can go wrong: the connection ends while the sink works (the answer goes
 * nowhere, the event is stored all the same and the sender's retry is a
 * duplicate); the sink is full (503 with Retry-After); the body is not what its
 * coding says (400).
 */

/* Lines a second about refused webhooks of a connector; all are counted. */
#define REFUSALS_TOLD 10

/* The outcomes of longstop_webhook_requests_total. */
enum outcome {
    OUTCOME_ACCEPTED,
    OUTCOME_DUPLICATE,
    OUTCOME_BAD_SIGNATURE,
    OUTCOME_STALE,
    OUTCOME_REFUSED,
    OUTCOME_TOO_LARGE,
    OUTCOME_RATE_LIMITED,
    OUTCOME_MALFORMED,
    OUTCOME_BUSY,
    OUTCOME_COUNT
};

static const char *const outcome_names[OUTCOME_COUNT] = {
    [OUTCOME_ACCEPTED] = "accepted",
    [OUTCOME_DUPLICATE] = "duplicate",
    [OUTCOME_BAD_SIGNATURE] = "bad_signature",
    [OUTCOME_STALE] = "stale",
    [OUTCOME_REFUSED] = "refused",
    [OUTCOME_TOO_LARGE] = "too_large",
    [OUTCOME_RATE_LIMITED] = "rate_limited",
    [OUTCOME_MALFORMED] = "malformed",
    [OUTCOME_BUSY] = "busy",
};

struct route {
    const struct connector *connector;
    struct quota rate;
    struct quota tells; /* lines about refusals */
    int64_t untold;     /* refusals since the last line */
    struct metric *counts[OUTCOME_COUNT];
};

struct source_webhook {
    struct loop *loop;
    struct source_webhook_settings settings;
    const struct source_sink *sink;
    struct route *routes; /* one per connector with a webhook */
    size_t route_count;
    struct webhook_door door;
    size_t open;
    char retry_after[24]; /* text of the field of a 503 */
    struct http_field busy_fields[1];
};

/* Why a request is refused by its head. */
struct head_refusal {
    unsigned status;
    enum outcome outcome;
    const char *words;
};

/* A request that is with the sink. */
struct pending {
    struct source_webhook *webhook;
    struct route *route;
    struct http_exchange *exchange;
    const struct arrival *arrival; /* the sink's */
};

static const struct slice prefix = SLICE("/hooks/");

/* No secret, no route; but while a registration is under way the provider may
 * come with its secret. */
static bool
is_open(const struct source_webhook *webhook, const struct connector *connector)
{
    return connector->has_webhook ||
           webhook_pending_is_open(webhook->settings.secrets, connector,
                                   clock_unix_ms());
}

static struct route *
route_of(struct source_webhook *webhook, struct slice path)
{
    if (!slice_starts(path, prefix)) {
        return NULL;
    }
    struct slice name = slice_from(path, prefix.len);
    for (size_t i = 0; i < webhook->route_count; i++) {
        struct route *route = &webhook->routes[i];
        if (slice_equal(route->connector->name, name)) {
            return is_open(webhook, route->connector) ? route : NULL;
        }
    }
    return NULL;
}

static void
count(const struct route *route, enum outcome outcome)
{
    metric_add(route->counts[outcome], 1);
}

/* What kind of refusal an outcome is; 0: none, for the sender comes again. */
static const enum refusal_cause causes[OUTCOME_COUNT] = {
    [OUTCOME_BAD_SIGNATURE] = REFUSAL_BAD_SIGNATURE,
    [OUTCOME_STALE] = REFUSAL_STALE,
    [OUTCOME_REFUSED] = REFUSAL_REFUSED,
    [OUTCOME_TOO_LARGE] = REFUSAL_TOO_LARGE,
    [OUTCOME_RATE_LIMITED] = REFUSAL_RATE_LIMITED,
    [OUTCOME_MALFORMED] = REFUSAL_MALFORMED,
};

/* Tells of a refusal; the caller has filled in what it knows of the request. */
static void
tell(const struct source_webhook *webhook, const struct route *route,
     enum outcome outcome, struct refusal *refusal)
{
    refusal->connector = route->connector;
    refusal->cause = causes[outcome];
    if (refusal->cause != 0 && webhook->settings.refused != NULL) {
        webhook->settings.refused(webhook->settings.refused_arg, refusal);
    }
}

/* Refuses by the head: counts, tells, and returns the status. */
static unsigned
refuse_head(const struct source_webhook *webhook, const struct route *route,
            const struct http_request *request, struct slice peer,
            const struct head_refusal *why)
{
    struct refusal refusal = { .status = why->status,
                               .why = slice_of(why->words),
                               .peer = peer,
                               .method = request->method,
                               .target = request->target,
                               .fields = request->fields,
                               .bytes = request->has_length
                                            ? (int64_t)request->length
                                            : 0 };
    count(route, why->outcome);
    tell(webhook, route, why->outcome, &refusal);
    return why->status;
}

static bool
method_is(const struct http_request *request, const char *method)
{
    return slice_equal_text(request->method, method);
}

/* POST and PUT carry events, GET may carry a challenge, HEAD and OPTIONS ask
 * whether somebody is there. */
static bool
method_known(const struct http_request *request)
{
    static const char *const methods[] = { "POST", "PUT", "GET", "HEAD",
                                           "OPTIONS" };
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (method_is(request, methods[i])) {
            return true;
        }
    }
    return false;
}

static const struct http_field allow_fields[] = {
    { SLICE("Allow"), SLICE("POST, PUT, GET, HEAD, OPTIONS") },
};

/* A field's texts must outlive the call, so they live with the webhook. */
static void
ask_to_wait(struct source_webhook *webhook, int64_t seconds,
            struct http_answer *refusal)
{
    int wrote = snprintf(webhook->retry_after, sizeof(webhook->retry_after),
                         "%lld", (long long)seconds);
    webhook->busy_fields[0] =
        (struct http_field){ SLICE("Retry-After"),
                             { webhook->retry_after, (size_t)wrote } };
    refusal->fields = (struct http_fields){ webhook->busy_fields, 1 };
}

static bool
coding_known(const struct http_request *request)
{
    struct slice coding;
    if (!http_field_find(request->fields, "Content-Encoding", &coding)) {
        return true;
    }
    return slice_equal_nocase(coding, slice_of("identity")) ||
           slice_equal_nocase(coding, slice_of("gzip")) ||
           slice_equal_nocase(coding, slice_of("x-gzip")) ||
           slice_equal_nocase(coding, slice_of("deflate"));
}

static bool
may_carry_event(const struct http_request *request)
{
    return method_is(request, "POST") || method_is(request, "PUT");
}

static size_t
body_limit_of(const struct source_webhook *webhook, const struct route *route)
{
    return route->connector->webhook.max_body > 0
               ? (size_t)route->connector->webhook.max_body
               : webhook->settings.max_body;
}

/* What the head says of size and coding; NULL to go on. */
static const struct head_refusal *
look_at_size(const struct http_request *request, size_t body_limit,
             struct http_answer *refusal)
{
    static const struct head_refusal
        no_length = { 411, OUTCOME_MALFORMED,
                      "a request with an event says how long its body is" },
        too_large = { 413, OUTCOME_TOO_LARGE,
                      "the body is longer than max_body" },
        no_coding = { 415, OUTCOME_MALFORMED,
                      "its Content-Encoding is none that is known" };
    /* an event has a body: whoever gives no length forgot it, and what follows
     * the head would be read as a request of its own */
    if (may_carry_event(request) && !request->has_length && !request->chunked) {
        refusal->close = true;
        return &no_length;
    }
    if (request->has_length && request->length > body_limit) {
        return &too_large;
    }
    return coding_known(request) ? NULL : &no_coding;
}

/* Why a request to a route is refused by its head; NULL to go on. */
static const struct head_refusal *
judge_head(struct source_webhook *webhook, struct route *route,
           const struct http_request *request, struct slice peer,
           struct http_answer *refusal)
{
    static const struct head_refusal
        elsewhere = { 403, OUTCOME_REFUSED,
                      "its sender's address is not in webhook.allow_from" },
        often = { 429, OUTCOME_RATE_LIMITED,
                  "more requests than webhook.rate or "
                  "listen.rate_per_address lets in" },
        busy = { 503, OUTCOME_BUSY, "" };
    struct slice sender = webhook_door_sender(&webhook->door, request, peer);
    if (!webhook_door_admits(route->connector, sender)) {
        return &elsewhere;
    }
    int64_t wait_ms = webhook_door_take(&webhook->door, &route->rate, sender,
                                        loop_now_ms(webhook->loop));
    if (wait_ms > 0) {
        ask_to_wait(webhook, (wait_ms + 999) / 1000, refusal);
        return &often;
    }
    if (!webhook->sink->has_room(webhook->sink->self)) {
        ask_to_wait(webhook, webhook->settings.retry_after_s, refusal);
        return &busy;
    }
    return look_at_size(request, body_limit_of(webhook, route), refusal);
}

/* http_server's `head`. */
static unsigned
look_at_head(void *arg, const struct http_request *request, struct slice peer,
             size_t *body_limit, struct http_answer *refusal)
{
    struct source_webhook *webhook = arg;
    struct route *route = route_of(webhook, request->path);
    if (route == NULL) {
        return 404;
    }
    if (!method_known(request)) {
        refusal->fields = (struct http_fields){ allow_fields, 1 };
        return 405;
    }
    *body_limit = body_limit_of(webhook, route);
    const struct head_refusal *why =
        judge_head(webhook, route, request, peer, refusal);
    return why == NULL ? 0 : refuse_head(webhook, route, request, peer, why);
}

static void
answer_plain(struct http_exchange *exchange, unsigned status)
{
    struct http_answer answer = { .status = status };
    http_exchange_answer(exchange, &answer);
}

/* Which status and outcome a verdict is worth. */
struct verdict_row {
    unsigned status; /* 0: as the connector's ack or reject says */
    enum outcome outcome;
};

static const struct verdict_row verdict_rows[] = {
    [VERDICT_STORED] = { 0, OUTCOME_ACCEPTED },
    [VERDICT_SEEN] = { 0, OUTCOME_DUPLICATE },
    [VERDICT_ANSWER] = { 0, OUTCOME_ACCEPTED },
    [VERDICT_FORGED] = { 401, OUTCOME_BAD_SIGNATURE },
    [VERDICT_STALE] = { 401, OUTCOME_STALE },
    [VERDICT_INVALID] = { 400, OUTCOME_MALFORMED },
    [VERDICT_BUSY] = { 503, OUTCOME_BUSY },
    [VERDICT_FENCED] = { 503, OUTCOME_BUSY },
    [VERDICT_FAILED] = { 503, OUTCOME_BUSY },
};

/* Anybody may send what is refused: the first lines of a second say what is
 * wrong, and a log that fills the disk would only help whoever sends. */
static void
log_refusal(const struct source_webhook *webhook, struct route *route,
            const struct verdict *verdict, struct slice peer)
{
    if (quota_take(&route->tells, loop_now_ms(webhook->loop)) > 0) {
        route->untold++;
        return;
    }
    LOG(LOG_WARN, "webhook refused",
        log_slice("connector", route->connector->name),
        log_text("outcome", outcome_names[verdict_rows[verdict->kind].outcome]),
        log_slice("why", verdict->why), log_slice("peer", peer),
        log_figure("untold", route->untold));
    route->untold = 0;
}

static void
tell_verdict(const struct pending *pending, enum outcome outcome,
             unsigned status, struct slice why)
{
    const struct inbound *request = &pending->arrival->request;
    const struct slice coded = pending->arrival->coded_body;
    struct refusal refusal = {
        .status = status,
        .why = why,
        .peer = http_exchange_peer(pending->exchange),
        .method = request->method,
        .target = request->path_query,
        .fields = request->fields,
        .bytes = (int64_t)(coded.len > 0 ? coded.len : request->body.len),
    };
    tell(pending->webhook, pending->route, outcome, &refusal);
}

static void
answer_with_spec(struct http_exchange *exchange, const struct answer_spec *spec,
                 struct slice body, struct http_fields fields)
{
    struct http_answer answer = {
        .status = spec->status,
        .content_type = spec->type,
        .body = body,
        .fields = fields,
    };
    if (answer.content_type.len == 0 && body.len > 0) {
        answer.content_type =
            slice_of(spec->json_body ? "application/json" : "text/plain");
    }
    http_exchange_answer(exchange, &answer);
}

static void
answer_busy(struct source_webhook *webhook, struct http_exchange *exchange)
{
    struct http_answer answer = { .status = 503 };
    ask_to_wait(webhook, webhook->settings.retry_after_s, &answer);
    http_exchange_answer(exchange, &answer);
}

/* The sink's verdict. */
static void
answer(void *arg, const struct verdict *verdict)
{
    struct pending *pending = arg;
    struct source_webhook *webhook = pending->webhook;
    struct route *route = pending->route;
    const struct verdict_row *row = &verdict_rows[verdict->kind];
    const struct connector *connector = route->connector;
    count(route, row->outcome);
    if (row->status != 0 && row->status != 503) {
        log_refusal(webhook, route, verdict,
                    http_exchange_peer(pending->exchange));
        tell_verdict(pending, row->outcome, row->status, verdict->why);
    }
    if (row->status == 503) {
        answer_busy(webhook, pending->exchange);
    } else if (row->status == 401) {
        const struct answer_spec *reject = &connector->reject;
        const struct http_fields fields = { reject->fields,
                                            reject->field_count };
        answer_with_spec(pending->exchange, reject, (struct slice){ NULL, 0 },
                         fields);
    } else if (row->status != 0) {
        answer_plain(pending->exchange, row->status);
    } else {
        answer_with_spec(pending->exchange, verdict->answer, verdict->body,
                         verdict->fields);
    }
    if (verdict->signal && webhook->settings.signal != NULL) {
        webhook->settings.signal(webhook->settings.signal_arg, connector);
    }
    webhook->open--;
    mem_free(pending);
}

/* What was taken over before a failure is in `*ret_arrival` all the same. */
static enum status
arrival_from_exchange(const struct source_webhook *webhook,
                      const struct route *route, struct http_exchange *exchange,
                      struct arrival **ret_arrival)
{
    struct http_request request;
    enum status status =
        arrival_create(route->connector, ARRIVAL_REQUEST, CHANNEL_WEBHOOK,
                       clock_unix_ms(), ret_arrival);
    if (status == STATUS_OK) {
        status = http_exchange_take(exchange, &(*ret_arrival)->arena, &request);
    }
    if (status != STATUS_OK) {
        return status;
    }
    (*ret_arrival)->request = (struct inbound){ .method = request.method,
                                                .path_query = request.target,
                                                .query = request.query,
                                                .fields = request.fields,
                                                .body = request.body };
    return arrival_inflate(*ret_arrival, body_limit_of(webhook, route),
                           webhook->settings.gzip_ratio);
}

/* Answers what could not become an arrival. */
static void
refuse(const struct pending *pending, enum status status)
{
    struct http_exchange *exchange = pending->exchange;
    if (status == STATUS_TOO_LARGE) {
        count(pending->route, OUTCOME_TOO_LARGE);
        tell_verdict(pending, OUTCOME_TOO_LARGE, 413,
                     slice_of("the body, its coding undone, is longer than "
                              "max_body, or than max_gzip_ratio lets it be"));
        answer_plain(exchange, 413);
    } else if (status == STATUS_INVALID) {
        count(pending->route, OUTCOME_MALFORMED);
        tell_verdict(pending, OUTCOME_MALFORMED, 400,
                     slice_of("the body is not what its Content-Encoding "
                              "says"));
        answer_plain(exchange, 400);
    } else {
        count(pending->route, OUTCOME_BUSY);
        answer_busy(pending->webhook, exchange);
    }
}

/* Answers what belongs to a registration; true when it has. */
static bool
answer_pending(struct source_webhook *webhook, struct route *route,
               struct http_exchange *exchange, struct arrival *arrival)
{
    const struct connector *connector = route->connector;
    const struct handshake *shake = NULL;
    struct http_fields fields = { NULL, 0 };
    struct slice body = { NULL, 0 };
    if (!connector_awaits_handshake(connector)) {
        return false;
    }
    enum webhook_pending_verdict verdict = webhook_pending_judge(
        webhook->settings.secrets, connector, &arrival->request,
        arrival->received_ms, &arrival->arena, &shake);
    if (verdict == PENDING_ANSWER &&
        (verify_answer(connector, &shake->respond, &arrival->request,
                       &arrival->arena, &body) != STATUS_OK ||
         verify_answer_fields(connector, &shake->respond, &arrival->request,
                              &arrival->arena, &fields) != STATUS_OK)) {
        verdict = PENDING_FAILED;
    }
    if (verdict == PENDING_OTHER && connector->has_webhook) {
        return false;
    }
    if (verdict == PENDING_ANSWER) {
        count(route, OUTCOME_ACCEPTED);
        answer_with_spec(exchange, &shake->respond, body, fields);
    } else if (verdict == PENDING_REFUSED) {
        count(route, OUTCOME_REFUSED);
        answer_plain(exchange, 404);
    } else {
        /* events may follow their secret at once: they come again */
        count(route, OUTCOME_BUSY);
        answer_busy(webhook, exchange);
    }
    return true;
}

/* A request that may carry an event, to the sink. */
static void
take_event(struct source_webhook *webhook, struct route *route,
           struct http_exchange *exchange)
{
    struct arrival *arrival = NULL;
    struct pending *pending = mem_alloc(sizeof(*pending));
    if (pending == NULL) {
        count(route, OUTCOME_BUSY);
        answer_busy(webhook, exchange);
        return;
    }
    enum status status =
        arrival_from_exchange(webhook, route, exchange, &arrival);
    *pending = (struct pending){ webhook, route, exchange, arrival };
    if (status != STATUS_OK) {
        refuse(pending, status);
    } else if (!answer_pending(webhook, route, exchange, arrival)) {
        webhook->open++;
        webhook->sink->submit(webhook->sink->self, arrival, answer, pending);
        return;
    }
    arrival_destroy(arrival);
    mem_free(pending);
}

/* http_server's `request`. */
static void
take_request(void *arg, struct http_exchange *exchange)
{
    struct source_webhook *webhook = arg;
    const struct http_request *request = http_exchange_request(exchange);
    struct route *route = route_of(webhook, request->path);
    if (route == NULL) {
        answer_plain(exchange, 404);
        return;
    }
    if (method_is(request, "HEAD")) {
        answer_plain(exchange, 200);
        return;
    }
    if (method_is(request, "OPTIONS") &&
        !verify_greets(route->connector, request->method)) {
        struct http_answer answer = { .status = 204,
                                      .fields = { allow_fields, 1 } };
        http_exchange_answer(exchange, &answer);
        return;
    }
    take_event(webhook, route, exchange);
}

/* http_server's `refused`: requests it refused by itself. */
static void
count_refused(void *arg, struct slice path, unsigned status, const char *reason)
{
    struct source_webhook *webhook = arg;
    struct route *route = route_of(webhook, path);
    LOG(LOG_DEBUG, "request refused", log_i64("status", status),
        log_text("why", reason), log_slice("path", path));
    if (route != NULL) {
        enum outcome outcome =
            status == 413 ? OUTCOME_TOO_LARGE : OUTCOME_MALFORMED;
        struct refusal refusal = { .status = status, .why = slice_of(reason) };
        count(route, outcome);
        tell(webhook, route, outcome, &refusal);
    }
}

static enum status
open_route(const struct source_webhook *webhook,
           const struct connector *connector, struct route *route)
{
    route->connector = connector;
    route->rate = (struct quota){ .count = connector->webhook.rate,
                                  .per_ms = connector->webhook.rate_per_ms };
    route->tells =
        (struct quota){ .count = REFUSALS_TOLD, .per_ms = INSTANT_SECOND_MS };
    if (webhook->settings.requests == NULL) {
        return STATUS_OK;
    }
    for (size_t i = 0; i < OUTCOME_COUNT; i++) {
        struct slice labels[] = { connector->name, slice_of(outcome_names[i]) };
        enum status status = metric_series(webhook->settings.requests, labels,
                                           &route->counts[i]);
        if (status != STATUS_OK) {
            return status;
        }
    }
    return STATUS_OK;
}

enum status
source_webhook_create(struct loop *loop,
                      const struct source_webhook_settings *settings,
                      const struct source_sink *sink,
                      struct source_webhook **ret)
{
    enum status status = STATUS_NOMEM;
    struct source_webhook *webhook = mem_zero(sizeof(*webhook));
    if (webhook == NULL) {
        return status;
    }
    webhook->loop = loop;
    webhook->settings = *settings;
    webhook->sink = sink;
    webhook->door.trusted = settings->trusted_proxies;
    webhook->door.trusted_count = settings->trusted_count;
    webhook->routes =
        mem_array(settings->connector_count, sizeof(*webhook->routes));
    if (webhook->routes == NULL) {
        goto destroy;
    }
    for (size_t i = 0; i < settings->connector_count; i++) {
        const struct connector *connector = &settings->connectors[i];
        if (!connector->has_webhook &&
            (settings->secrets == NULL || !connector->registration.declared ||
             !connector_awaits_handshake(connector))) {
            continue;
        }
        status = open_route(webhook, &settings->connectors[i],
                            &webhook->routes[webhook->route_count++]);
        if (status != STATUS_OK) {
            goto destroy;
        }
    }
    status = webhook_door_limit(&webhook->door, settings->address_rate,
                                settings->address_rate_per_ms);
    if (status != STATUS_OK) {
        goto destroy;
    }
    *ret = webhook;
    return STATUS_OK;

destroy:
    source_webhook_destroy(webhook);
    return status;
}

void
source_webhook_destroy(struct source_webhook *webhook)
{
    if (webhook != NULL) {
        webhook_door_close(&webhook->door);
        mem_free(webhook->routes);
        mem_free(webhook);
    }
}

struct http_server_handler
source_webhook_handler(struct source_webhook *webhook)
{
    return (struct http_server_handler){ .arg = webhook,
                                         .head = look_at_head,
                                         .request = take_request,
                                         .refused = count_refused };
}

size_t
source_webhook_open(const struct source_webhook *webhook)
{
    return webhook->open;
}
