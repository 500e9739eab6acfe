/* SPDX-License-Identifier: MIT */
#include "handler/handler_http.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/instant.h"
#include "base/list.h"
#include "base/mem.h"
#include "io/clock.h"
#include "io/http_client.h"
#include "io/loop.h"
#include "model/conceal.h"
#include "wire/cloudevents.h"
#include "wire/digest.h"
#include "wire/encode.h"
#include "wire/url.h"

/*
 * The request follows Standard Webhooks 1.0: webhook-id is the idempotency key
 * and the same for every attempt, webhook-timestamp is the attempt's time, and
 * the signature covers "id.timestamp.body".
 */

#define BODY_BYTES   ((size_t)64 * 1024)
#define OUTPUT_BYTES ((size_t)4096)
#define WAIT_CAP_MS  INSTANT_DAY_MS
#define CONNECT_MS   ((int64_t)10000)
#define OWN_FIELDS   11
#define DETAIL_BYTES 576
#define NUMBER_BYTES 24
#define SHOWN_BYTES  200

/* What of a URL may be a secret: so many parts, of so many bytes at least. */
#define URL_SECRETS       16
#define QUERY_BYTES_MIN   8
#define SEGMENT_BYTES_MIN 16

struct signer {
    struct digest_key *key; /* NULL: none */
    int64_t until_ms;
};

struct http {
    struct handler base;
    struct loop *loop;
    struct http_client *client;
    struct arena arena; /* the copies of the settings */
    struct slice url;
    struct http_field *fields; /* configured ones, room for our own behind */
    size_t field_count;
    struct slice *secrets; /* among their values */
    size_t secret_count;
    int64_t *dead_on;
    size_t dead_on_count;
    struct signer signers[HANDLER_HTTP_SECRETS];
    bool is_receiver;
    int64_t timeout_ms;
    const char *unix_socket; /* NULL: by the URL's host and port */
    struct list running;
    struct list stopped;     /* canceled, to be told */
    struct loop_timer *tell; /* them, on the next turn */
};

struct attempt {
    struct list link;
    struct http *http;
    struct http_call *call;
    handler_result_fn *done;
    void *arg;
    int64_t started_ms;
};

/* From an answer to a result */

static bool
is_dead_on(const struct http *http, unsigned status)
{
    for (size_t i = 0; i < http->dead_on_count; i++) {
        if (http->dead_on[i] == (int64_t)status) {
            return true;
        }
    }
    return false;
}

/* The one place where an HTTP status becomes a disposition. */
static void
judge(const struct http *http, const struct http_reply *reply,
      struct handler_result *result)
{
    struct slice value;
    int64_t now_ms = clock_unix_ms();
    int64_t wait_ms = 0;
    unsigned status = reply->status;
    result->disposition = DISPOSITION_LATER;
    if (status >= 200 && status < 300) {
        result->disposition = DISPOSITION_DONE;
    } else if (is_dead_on(http, status)) {
        result->disposition = DISPOSITION_NEVER;
    } else if (status == 410) {
        result->pause = true;
    } else if ((status == 429 || status == 503) &&
               http_field_find(reply->fields, "retry-after", &value) &&
               http_field_retry_after(value, now_ms, WAIT_CAP_MS, &wait_ms) ==
                   STATUS_OK) {
        result->not_before_ms = instant_add(now_ms, wait_ms);
    }
}

/* "http 301: …": a redirect is a failure, and people wonder why. Where it leads
 * is told without what may be secret in it. */
static void
describe(const struct http_reply *reply, char *into, size_t size)
{
    struct slice location;
    if (reply->status < 300 || reply->status >= 400 ||
        !http_field_find(reply->fields, "location", &location)) {
        (void)snprintf(into, size, "http %u", reply->status);
        return;
    }
    size_t query = slice_find(location, '?');
    location = slice_first(location, query < SHOWN_BYTES ? query : SHOWN_BYTES);
    (void)snprintf(into, size,
                   "http %u: redirects are not followed, and this one leads to "
                   "%.*s: put the right URL into the configuration",
                   reply->status, SLICE_ARG(location));
}

static void
finish(struct attempt *attempt, struct handler_result *result)
{
    list_remove(&attempt->link);
    attempt->done(attempt->arg, result);
    mem_free(attempt);
}

/* The end of the answer, without what we sent it of our secrets: a server may
 * say what it was asked. */
static struct slice
output_of(const struct http *http, struct slice body, struct buf *concealed)
{
    if (http->secret_count > 0) {
        conceal_each(http->secrets, http->secret_count, body, concealed);
        body = buf_status(concealed) == STATUS_OK ? buf_slice(concealed)
                                                  : slice_of("");
    }
    return body.len > OUTPUT_BYTES ? slice_from(body, body.len - OUTPUT_BYTES)
                                   : body;
}

static void
answered(void *arg, enum status status, const struct http_reply *reply,
         const struct error *err)
{
    struct attempt *attempt = arg;
    struct handler_result result = { .disposition = DISPOSITION_LATER };
    struct buf concealed = { 0 };
    char detail[DETAIL_BYTES];
    char span[INSTANT_TEXT_BYTES];
    result.duration_ms = loop_now_ms(attempt->http->loop) - attempt->started_ms;
    if (reply != NULL) {
        judge(attempt->http, reply, &result);
        describe(reply, detail, sizeof(detail));
        result.duration_ms = reply->duration_ms;
        result.output = output_of(attempt->http, reply->body, &concealed);
    } else if (status == STATUS_TIMEOUT &&
               result.duration_ms >= attempt->http->timeout_ms) {
        (void)snprintf(detail, sizeof(detail), "timed out after %s",
                       instant_span_text(attempt->http->timeout_ms, span));
    } else {
        (void)snprintf(detail, sizeof(detail), "%s", error_text(err, status));
    }
    result.detail = slice_of(detail);
    finish(attempt, &result);
    buf_fini(&concealed);
}

static void
tell_stopped(void *arg)
{
    struct http *http = arg;
    struct list *link = NULL;
    while ((link = list_take(&http->stopped)) != NULL) {
        struct attempt *attempt = list_entry(link, struct attempt, link);
        struct handler_result result = {
            .disposition = DISPOSITION_LATER,
            .detail = slice_of("stopped with the agent"),
            .duration_ms = loop_now_ms(http->loop) - attempt->started_ms,
        };
        finish(attempt, &result);
    }
}

/* An attempt */

/* What is written into the fields of one request. */
struct marks {
    char timestamp[NUMBER_BYTES];
    struct buf signature; /* of Standard Webhooks; empty: not signed */
    struct buf plain;     /* hex, of the body alone */
};

static void
marks_fini(struct marks *marks)
{
    buf_fini(&marks->signature);
    buf_fini(&marks->plain);
}

static enum status
sign_one(struct digest_key *key, const struct delivery *delivery,
         struct marks *marks)
{
    const struct slice parts[] = { delivery->key, slice_of("."),
                                   slice_of(marks->timestamp), slice_of("."),
                                   delivery->envelope };
    struct digest digest;
    enum status status =
        digest_key_sign(key, parts, sizeof(parts) / sizeof(parts[0]), &digest);
    if (status == STATUS_OK) {
        buf_text(&marks->signature, marks->signature.len > 0 ? " v1," : "v1,");
        encode_base64(digest_slice(&digest), &marks->signature);
        status = digest_key_sign(key, &delivery->envelope, 1, &digest);
    }
    if (status == STATUS_OK) {
        buf_text(&marks->plain, marks->plain.len > 0 ? " " : "");
        encode_hex(digest_slice(&digest), &marks->plain);
        status = buf_status(&marks->plain);
    }
    return status == STATUS_OK ? buf_status(&marks->signature) : status;
}

/* With every secret whose time is not over. */
static enum status
sign(const struct http *http, const struct delivery *delivery,
     struct marks *marks)
{
    int64_t now_ms = clock_unix_ms();
    enum status status = STATUS_OK;
    (void)snprintf(marks->timestamp, sizeof(marks->timestamp), "%lld",
                   (long long)(now_ms / 1000));
    for (size_t i = 0; status == STATUS_OK && i < HANDLER_HTTP_SECRETS; i++) {
        const struct signer *signer = &http->signers[i];
        if (signer->key != NULL &&
            (signer->until_ms == 0 || now_ms < signer->until_ms)) {
            status = sign_one(signer->key, delivery, marks);
        }
    }
    return status;
}

/* The configured fields, ours, and those of the delivery, in the one array that
 * has room for all. */
static struct http_fields
join_fields(const struct http *http, const struct http_field *own,
            size_t own_count, struct http_fields more)
{
    size_t count = http->field_count;
    memcpy(http->fields + count, own, own_count * sizeof(*own));
    count += own_count;
    for (size_t i = 0; i < more.count; i++) {
        http->fields[count++] = more.at[i];
    }
    return (struct http_fields){ http->fields, count };
}

/* Writes the fields that are ours into room for OWN_FIELDS; returns how many.
 * They borrow from the delivery and the marks. */
static size_t
own_fields(const struct http *http, const struct delivery *delivery,
           const struct marks *marks, struct http_field *own)
{
    const struct slice timestamp = slice_of(marks->timestamp);
    const struct slice signature = buf_slice(&marks->signature);
    const bool plain = !http->is_receiver;
    const struct slice trace = event_traceparent(delivery->event);
    const struct {
        struct http_field field;
        bool left_out;
    } rows[OWN_FIELDS] = {
        { { SLICE("Content-Type"), delivery->content_type }, false },
        { { SLICE("Idempotency-Key"), delivery->key }, false },
        { { SLICE("webhook-id"), delivery->key }, false },
        { { SLICE("webhook-timestamp"), timestamp }, false },
        { { SLICE("webhook-signature"), signature }, signature.len == 0 },
        { { SLICE("X-Webhook-Event"), delivery->event->type }, plain },
        { { SLICE("X-Webhook-Delivery"), delivery->key }, plain },
        { { SLICE("X-Webhook-Timestamp"), timestamp }, plain },
        { { SLICE("X-Webhook-Signature"), buf_slice(&marks->plain) },
          plain || signature.len == 0 },
        { { SLICE("Longstop-Replay"), SLICE("1") }, !delivery->is_replay },
        /* As it came: we tell nobody of a span of ours, so none may stand
         * between (Trace Context §2.4). */
        { { SLICE("traceparent"), trace },
          delivery->is_batch || trace.len == 0 },
    };
    size_t count = 0;
    for (size_t i = 0; i < OWN_FIELDS; i++) {
        if (!rows[i].left_out) {
            own[count++] = rows[i].field;
        }
    }
    return count;
}

/* http_client_start copies all but the envelope, which the caller keeps until
 * the result. */
static enum status
post(struct attempt *attempt, const struct delivery *delivery,
     struct error *err)
{
    struct http *http = attempt->http;
    struct marks marks = { .signature = { 0 } };
    struct http_field own[OWN_FIELDS];
    enum status status = sign(http, delivery, &marks);
    if (status != STATUS_OK) {
        marks_fini(&marks);
        return error_set(err, status, "cannot sign: %s", status_text(status));
    }
    size_t own_count = own_fields(http, delivery, &marks, own);
    const struct http_call_spec spec = {
        .method = SLICE("POST"),
        .url = http->url,
        .fields = join_fields(http, own, own_count, delivery->fields),
        .body = delivery->envelope,
        .has_body = true,
        .unix_socket = http->unix_socket,
        .connect_timeout_ms =
            http->timeout_ms < CONNECT_MS ? http->timeout_ms : CONNECT_MS,
        .timeout_ms = http->timeout_ms,
        .stall_timeout_ms = http->timeout_ms,
        .body_limit = BODY_BYTES,
        .body_may_be_cut = true,
    };
    status = http_client_start(http->client, &spec, answered, attempt,
                               &attempt->call, err);
    marks_fini(&marks);
    return status;
}

static enum status
start(struct handler *handler, const struct delivery *delivery,
      handler_result_fn *done, void *arg, struct error *err)
{
    struct http *http = (struct http *)(void *)handler;
    struct attempt *attempt = mem_zero(sizeof(*attempt));
    if (attempt == NULL) {
        return error_set(err, STATUS_NOMEM, "http: out of memory");
    }
    attempt->http = http;
    attempt->done = done;
    attempt->arg = arg;
    attempt->started_ms = loop_now_ms(http->loop);
    enum status status = post(attempt, delivery, err);
    if (status != STATUS_OK) {
        mem_free(attempt);
        return status;
    }
    list_append(&http->running, &attempt->link);
    return STATUS_OK;
}

static void
cancel(struct handler *handler)
{
    struct http *http = (struct http *)(void *)handler;
    list_for_each(link, &http->running) {
        struct attempt *attempt = list_entry(link, struct attempt, link);
        http_client_cancel(attempt->call);
        attempt->call = NULL;
    }
    list_join(&http->stopped, &http->running);
    if (!list_empty(&http->stopped)) {
        loop_timer_arm(http->tell, 0);
    }
}

/* The handler */

static void
destroy(struct handler *handler)
{
    struct http *http = (struct http *)(void *)handler;
    PRE(list_empty(&http->running) && list_empty(&http->stopped));
    http_client_destroy(http->client);
    loop_timer_destroy(http->tell);
    for (size_t i = 0; i < HANDLER_HTTP_SECRETS; i++) {
        digest_key_destroy(http->signers[i].key);
    }
    arena_fini(&http->arena);
    mem_free(http);
}

static const struct handler_ops ops = {
    .start = start,
    .cancel = cancel,
    .destroy = destroy,
};

/* The value of a field, and what follows its scheme ("Bearer …"), unless the
 * field is one that never is a secret. */
static void
add_secret(struct http *http, const struct http_field *field)
{
    static const char *const plain[] = { "accept", "content-type",
                                         "user-agent" };
    for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
        if (slice_equal_nocase(field->name, slice_of(plain[i]))) {
            return;
        }
    }
    size_t space = slice_find(field->value, ' ');
    http->secrets[http->secret_count++] = field->value;
    if (space < field->value.len) {
        http->secrets[http->secret_count++] =
            slice_from(field->value, space + 1);
    }
}

/* Adds the parts of `text` between `mark`s that are so long. */
static void
add_parts(struct http *http, struct slice text, char mark, size_t least,
          size_t room)
{
    while (text.len > 0 && http->secret_count < room) {
        size_t end = slice_find(text, mark);
        struct slice part = slice_first(text, end);
        if (mark == '&') {
            size_t equals = slice_find(part, '=');
            part = slice_from(part, equals < part.len ? equals + 1 : 0);
        }
        if (part.len >= least) {
            http->secrets[http->secret_count++] = part;
        }
        text = slice_from(text, end < text.len ? end + 1 : text.len);
    }
}

/* Some addresses are a secret: "https://hooks.example/services/T0/B0/…". */
static void
add_url_secrets(struct http *http)
{
    size_t room = http->secret_count + URL_SECRETS;
    struct url url;
    if (url_parse(http->url, &url, NULL) == STATUS_OK) {
        add_parts(http, url.query, '&', QUERY_BYTES_MIN, room);
        add_parts(http, url.path, '/', SEGMENT_BYTES_MIN, room);
    }
}

static enum status
copy_fields(struct http *http, const struct config_node *headers)
{
    const struct config_node *at = headers != NULL ? headers->children : NULL;
    size_t count = 0;
    for (const struct config_node *one = at; one != NULL; one = one->next) {
        count++;
    }
    http->fields =
        arena_array(&http->arena, count + OWN_FIELDS + CLOUDEVENT_FIELDS,
                    sizeof(*http->fields));
    http->secrets = arena_array(&http->arena, 2 * count + URL_SECRETS,
                                sizeof(*http->secrets));
    if (http->fields == NULL || http->secrets == NULL) {
        return STATUS_NOMEM;
    }
    for (; at != NULL; at = at->next) {
        struct http_field *field = &http->fields[http->field_count++];
        if (arena_copy(&http->arena, at->key, &field->name) != STATUS_OK ||
            arena_copy(&http->arena, at->text, &field->value) != STATUS_OK) {
            return STATUS_NOMEM;
        }
        add_secret(http, field);
    }
    add_url_secrets(http);
    return STATUS_OK;
}

static enum status
copy_settings(struct http *http, const struct handler_http_settings *settings)
{
    enum status status = arena_copy(&http->arena, settings->url, &http->url);
    if (status == STATUS_OK) {
        status = copy_fields(http, settings->headers);
    }
    if (status == STATUS_OK && settings->unix_socket.len > 0) {
        http->unix_socket = arena_text(&http->arena, settings->unix_socket);
        status = http->unix_socket == NULL ? STATUS_NOMEM : STATUS_OK;
    }
    if (status == STATUS_OK && settings->dead_on_count > 0) {
        size_t count = settings->dead_on_count;
        http->dead_on =
            arena_array(&http->arena, count, sizeof(*http->dead_on));
        if (http->dead_on == NULL) {
            return STATUS_NOMEM;
        }
        memcpy(http->dead_on, settings->dead_on,
               count * sizeof(*http->dead_on));
        http->dead_on_count = count;
    }
    return status;
}

/* whsec_ and base64 (Standard Webhooks), or the bytes as they are. */
static enum status
make_key(struct slice secret, struct digest_key **ret, struct error *err)
{
    static const struct slice prefix = SLICE("whsec_");
    struct buf key = { 0 };
    enum status status;
    if (slice_starts(secret, prefix)) {
        status = decode_base64(slice_from(secret, prefix.len), &key);
        if (status == STATUS_INVALID || (status == STATUS_OK && key.len == 0)) {
            buf_fini(&key);
            return error_set(err, STATUS_CONFIG,
                             "the secret begins with whsec_, but what follows "
                             "is not base64");
        }
    } else {
        buf_append(&key, secret);
        status = buf_status(&key);
    }
    if (status == STATUS_OK) {
        status = digest_key_create(DIGEST_SHA256, buf_slice(&key), ret);
    }
    if (key.ptr != NULL) {
        mem_wipe(key.ptr, key.len);
    }
    buf_fini(&key);
    return status == STATUS_OK
               ? STATUS_OK
               : error_set(err, status, "the secret: %s", status_text(status));
}

enum status
handler_http_check_secret(struct slice secret, struct error *err)
{
    struct digest_key *key = NULL;
    enum status status = make_key(secret, &key, err);
    digest_key_destroy(key);
    return status;
}

enum status
handler_http_sign_with(struct handler *handler,
                       const struct handler_http_secret *secrets, size_t count,
                       struct error *err)
{
    struct http *http = (struct http *)(void *)handler;
    struct signer signers[HANDLER_HTTP_SECRETS] = { { NULL, 0 } };
    enum status status = STATUS_OK;
    PRE(count <= HANDLER_HTTP_SECRETS);
    for (size_t i = 0; status == STATUS_OK && i < count; i++) {
        signers[i].until_ms = secrets[i].until_ms;
        status = make_key(secrets[i].text, &signers[i].key, err);
    }
    /* The old ones go, or, after a failure, the new ones. */
    for (size_t i = 0; i < HANDLER_HTTP_SECRETS; i++) {
        struct signer *signer =
            status == STATUS_OK ? &http->signers[i] : &signers[i];
        digest_key_destroy(signer->key);
        if (status == STATUS_OK) {
            *signer = signers[i];
        }
    }
    return status;
}

/* The text, or NULL where the key is not given. */
static const char *
text_of(struct slice text)
{
    return text.len > 0 ? text.ptr : NULL;
}

/* Told at once: curl would say it at the first delivery, and each time. */
static enum status
check_file(struct slice path, struct error *err)
{
    return path.len == 0 || access(path.ptr, R_OK) == 0
               ? STATUS_OK
               : error_set(err, STATUS_CONFIG, "%s: %s", path.ptr,
                           strerror(errno));
}

/* A client for this handler alone: its connections are what `concurrency` asks
 * for, and who hangs keeps none from others. */
static enum status
create_client(struct http *http, const struct handler_http_settings *settings,
              const struct handler_http_limits *limits, struct error *err)
{
    const struct http_client_settings client = {
        .connections = limits->connections,
        .connections_per_host = limits->connections,
        .ca_file = text_of(settings->ca_file),
        .user_agent = limits->user_agent,
        .proxy = text_of(settings->proxy),
        .certificate_file = text_of(settings->certificate_file),
        .key_file = text_of(settings->key_file),
        .version = (enum http_version)settings->version,
        .public_only = limits->is_receiver,
        .allowed = limits->allowed,
        .allowed_count = limits->allowed_count,
    };
    enum status status = check_file(settings->ca_file, err);
    if (status == STATUS_OK) {
        status = check_file(settings->certificate_file, err);
    }
    if (status == STATUS_OK) {
        status = check_file(settings->key_file, err);
    }
    return status == STATUS_OK
               ? http_client_create(http->loop, &client, &http->client, err)
               : status;
}

enum status
handler_http_create(struct loop *loop,
                    const struct handler_http_settings *settings,
                    struct slice secret,
                    const struct handler_http_limits *limits,
                    struct handler **ret, struct error *err)
{
    struct http *http = mem_zero(sizeof(*http));
    if (http == NULL) {
        return error_set(err, STATUS_NOMEM, "http: out of memory");
    }
    http->base.ops = &ops;
    http->loop = loop;
    http->timeout_ms = limits->timeout_ms;
    http->is_receiver = limits->is_receiver;
    list_init(&http->running);
    list_init(&http->stopped);
    enum status status = copy_settings(http, settings);
    if (status == STATUS_OK) {
        status = loop_timer_create(loop, tell_stopped, http, &http->tell);
    }
    if (status != STATUS_OK) {
        (void)error_set(err, status, "http: %s", status_text(status));
    } else if (secret.len > 0) {
        status = make_key(secret, &http->signers[0].key, err);
    }
    if (status == STATUS_OK) {
        status = create_client(http, settings, limits, err);
    }
    if (status != STATUS_OK) {
        destroy(&http->base);
        return status;
    }
    *ret = &http->base;
    return STATUS_OK;
}
