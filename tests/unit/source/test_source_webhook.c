/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "io/http_client.h"
#include "io/loop.h"
#include "model/address.h"
#include "source/source_webhook.h"
#include "wire/gzip.h"

/* A sink that says what the test says, and keeps what it was given. */
struct sink {
    struct source_sink contract;
    bool full;
    bool holds; /* gives no verdict before it is told to */
    struct verdict verdict;
    size_t submitted;
    char body[4096];
    size_t body_len;
    char coded[4096];
    size_t coded_len;
    char target[256];
    char method[16];
    verdict_fn *done;
    void *done_arg;
    struct arrival *arrival; /* lives until the verdict is given */
};

struct site {
    struct loop *loop;
    struct loop_timer *guard;
    struct connector connectors[3];
    struct cidr allowed;
    struct cidr trusted;
    struct metric_registry *registry;
    struct metric_family *requests;
    struct source_webhook_settings settings;
    struct source_webhook *webhook;
    struct http_server *server;
    struct http_client *client;
    struct sink sink;
    size_t signals;
    /* The refusals that were told of. */
    size_t refusals;
    enum refusal_cause cause;
    unsigned refused_status;
    int64_t refused_bytes;
    char refused_why[128];
    char refused_target[64];
    /* The last answer. */
    enum status status;
    unsigned http_status;
    char retry_after[32];
    char allow[64];
    char content_type[64];
    char sniffing[16];
    char body[256];
    bool answered;
};

static struct site site;

static const char *const outcomes[] = {
    "accepted",  "duplicate",    "bad_signature", "stale", "refused",
    "too_large", "rate_limited", "malformed",     "busy"
};

static double
counted(const char *outcome)
{
    struct metric *metric;
    const struct slice labels[] = { SLICE("shop"), slice_of(outcome) };
    assert_int_equal(metric_series(site.requests, labels, &metric), STATUS_OK);
    return metric_value(metric);
}

/* ---- the sink ---- */

static void
give_verdict(void *arg)
{
    struct sink *sink = arg;
    sink->done(sink->done_arg, &sink->verdict);
    arrival_destroy(sink->arrival);
    sink->arrival = NULL;
}

static size_t
keep(char *into, size_t room, struct slice bytes)
{
    assert_true(bytes.len < room);
    memcpy(into, bytes.len == 0 ? "" : bytes.ptr, bytes.len);
    into[bytes.len] = '\0';
    return bytes.len;
}

static void
sink_submit(void *self, struct arrival *arrival, verdict_fn *done, void *arg)
{
    struct sink *sink = self;
    const struct inbound *request = &arrival->request;
    assert_int_equal(arrival->kind, ARRIVAL_REQUEST);
    assert_int_equal(arrival->via, CHANNEL_WEBHOOK);
    sink->submitted++;
    sink->body_len = keep(sink->body, sizeof(sink->body), request->body);
    sink->coded_len =
        keep(sink->coded, sizeof(sink->coded), arrival->coded_body);
    (void)keep(sink->target, sizeof(sink->target), request->path_query);
    (void)keep(sink->method, sizeof(sink->method), request->method);
    sink->done = done;
    sink->done_arg = arg;
    sink->arrival = arrival;
    if (sink->holds) {
        loop_stop(site.loop);
    } else {
        assert_int_equal(loop_defer(site.loop, give_verdict, sink), STATUS_OK);
    }
}

static bool
sink_has_room(void *self)
{
    const struct sink *sink = self;
    return !sink->full;
}

/* ---- the site ---- */

static void
late(void *arg)
{
    (void)arg;
    fail_msg("no answer within 10 s");
}

static void
signalled(void *arg, const struct connector *connector)
{
    (void)arg;
    assert_ptr_equal(connector, &site.connectors[0]);
    site.signals++;
}

static void
refused(void *arg, const struct refusal *refusal)
{
    (void)arg;
    assert_non_null(refusal->connector);
    site.refusals++;
    site.cause = refusal->cause;
    site.refused_status = refusal->status;
    site.refused_bytes = refusal->bytes;
    (void)snprintf(site.refused_why, sizeof(site.refused_why), "%.*s",
                   SLICE_ARG(refusal->why));
    (void)snprintf(site.refused_target, sizeof(site.refused_target), "%.*s",
                   SLICE_ARG(refusal->target));
}

static void
site_prepare(void)
{
    static const struct metric_spec spec = {
        .name = "requests",
        .help = "h",
        .kind = METRIC_COUNTER,
        .labels = { "connector", "outcome" },
    };
    memset(&site, 0, sizeof(site));
    assert_int_equal(loop_create(&site.loop), STATUS_OK);
    assert_int_equal(loop_timer_create(site.loop, late, NULL, &site.guard),
                     STATUS_OK);
    assert_int_equal(metric_registry_create(&site.registry), STATUS_OK);
    assert_int_equal(metric_family_add(site.registry, &spec, &site.requests),
                     STATUS_OK);
    site.connectors[0] = (struct connector){
        .name = SLICE("shop"),
        .has_webhook = true,
        .ack = { .status = 202 },
        .reject = { .status = 401 },
    };
    site.connectors[1] =
        (struct connector){ .name = SLICE("quiet"), .has_poll = true };
    site.connectors[2] = (struct connector){ .name = SLICE("other"),
                                             .has_webhook = true,
                                             .ack = { .status = 200 } };
    site.sink.contract = (struct source_sink){ .self = &site.sink,
                                               .submit = sink_submit,
                                               .has_room = sink_has_room };
    site.sink.verdict = (struct verdict){ .kind = VERDICT_STORED,
                                          .answer = &site.connectors[0].ack };
    site.settings = (struct source_webhook_settings){
        .refused = refused,
        .connectors = site.connectors,
        .connector_count = 3,
        .max_body = 1000,
        .gzip_ratio = 100,
        .retry_after_s = 5,
        .requests = site.requests,
        .signal = signalled,
    };
}

static void
site_start(void)
{
    static const struct http_server_limits limits = {
        .request = { .head_bytes = 16384,
                     .field_count = 100,
                     .body_bytes = 4096 },
        .connections = 100,
        .connections_per_address = 100,
        .head_timeout_ms = 10000,
        .body_timeout_ms = 10000,
        .idle_timeout_ms = 10000,
        .write_timeout_ms = 10000,
    };
    static const struct http_client_settings client = { .connections = 4,
                                                        .connections_per_host =
                                                            4 };
    struct error err = { "" };
    assert_int_equal(source_webhook_create(site.loop, &site.settings,
                                           &site.sink.contract, &site.webhook),
                     STATUS_OK);
    const struct http_server_handler handler =
        source_webhook_handler(site.webhook);
    if (http_server_create(site.loop, "127.0.0.1:0", 0600, &limits, &handler,
                           &site.server, &err) != STATUS_OK) {
        fail_msg("%s", err.text);
    }
    assert_int_equal(http_client_create(site.loop, &client, &site.client, &err),
                     STATUS_OK);
}

static void
site_open(void)
{
    site_prepare();
    site_start();
}

static void
site_close(void)
{
    http_client_destroy(site.client);
    http_server_destroy(site.server);
    source_webhook_destroy(site.webhook);
    metric_registry_destroy(site.registry);
    loop_timer_destroy(site.guard);
    loop_destroy(site.loop);
}

static void
find(const struct http_reply *reply, const char *name, char *into, size_t room)
{
    struct slice value = { NULL, 0 };
    (void)http_field_find(reply->fields, name, &value);
    (void)snprintf(into, room, "%.*s", SLICE_ARG(value));
}

static void
came(void *arg, enum status status, const struct http_reply *reply,
     const struct error *err)
{
    (void)arg;
    (void)err;
    site.answered = true;
    site.status = status;
    site.http_status = 0;
    if (status == STATUS_OK) {
        site.http_status = reply->status;
        find(reply, "Retry-After", site.retry_after, sizeof(site.retry_after));
        find(reply, "Allow", site.allow, sizeof(site.allow));
        find(reply, "Content-Type", site.content_type,
             sizeof(site.content_type));
        find(reply, "X-Content-Type-Options", site.sniffing,
             sizeof(site.sniffing));
        (void)snprintf(site.body, sizeof(site.body), "%.*s",
                       SLICE_ARG(reply->body));
    }
    loop_stop(site.loop);
}

struct sending {
    const char *method;
    const char *path;
    const char *name; /* one more field, or NULL */
    const char *value;
    struct slice body;
};

static void
start(const struct sending *sending)
{
    char url[256];
    const struct http_field field = {
        slice_of(sending->name == NULL ? "X-None" : sending->name),
        slice_of(sending->value == NULL ? "1" : sending->value)
    };
    struct http_call *call;
    struct error err = { "" };
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u%s",
                   http_server_port(site.server), sending->path);
    const struct http_call_spec spec = {
        .method = slice_of(sending->method),
        .url = slice_of(url),
        .fields = { &field, 1 },
        .body = sending->body,
        .has_body = sending->body.len > 0,
        .body_limit = 4096,
        .timeout_ms = 9000,
    };
    site.answered = false;
    if (http_client_start(site.client, &spec, came, NULL, &call, &err) !=
        STATUS_OK) {
        fail_msg("%s", err.text);
    }
    loop_timer_arm(site.guard, 10000);
    loop_run(site.loop);
    loop_timer_disarm(site.guard);
}

static unsigned
answer_to(const char *method, const char *path, const char *name,
          const char *value, const char *body)
{
    start(&(struct sending){ method, path, name, value, slice_of(body) });
    assert_true(site.answered);
    assert_int_equal(site.status, STATUS_OK);
    return site.http_status;
}

static unsigned
post(const char *body)
{
    return answer_to("POST", "/hooks/shop", NULL, NULL, body);
}

static void
allow_only(const char *range, const char *trusted)
{
    site_prepare();
    assert_int_equal(address_parse_cidr(slice_of(range), &site.allowed),
                     STATUS_OK);
    site.connectors[0].webhook.allow_from = &site.allowed;
    site.connectors[0].webhook.allow_count = 1;
    if (trusted != NULL) {
        assert_int_equal(address_parse_cidr(slice_of(trusted), &site.trusted),
                         STATUS_OK);
        site.settings.trusted_proxies = &site.trusted;
        site.settings.trusted_count = 1;
    }
    site_start();
}

/* ---- what the head decides ---- */

struct routing {
    const char *method;
    const char *path;
    unsigned status;
    size_t submitted;
};

static const struct routing routings[] = {
    { "POST", "/hooks/shop", 202, 1 },
    { "PUT", "/hooks/shop", 202, 1 },
    { "GET", "/hooks/shop", 202, 1 },
    { "GET", "/hooks/shop?challenge=1", 202, 1 },
    { "HEAD", "/hooks/shop", 200, 0 },
    { "OPTIONS", "/hooks/shop", 204, 0 },
    { "DELETE", "/hooks/shop", 405, 0 },
    { "PATCH", "/hooks/shop", 405, 0 },
    { "POST", "/hooks/other", 202, 1 },
    { "POST", "/hooks/quiet", 404, 0 }, /* no secret, no route */
    { "POST", "/hooks/none", 404, 0 },
    { "POST", "/hooks/", 404, 0 },
    { "POST", "/hooks/shop/", 404, 0 },
    { "POST", "/hooks/shop/x", 404, 0 },
    { "POST", "/", 404, 0 },
    { "GET", "/metrics", 404, 0 },
};

static void
only_the_routes_of_connectors_with_a_secret_answer(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(routings) / sizeof(routings[0]); i++) {
        const struct routing *row = &routings[i];
        site_open();
        unsigned status = answer_to(row->method, row->path, NULL, NULL, "");
        if (status != row->status || site.sink.submitted != row->submitted) {
            fail_msg("%s %s: %u, %zu submitted", row->method, row->path, status,
                     site.sink.submitted);
        }
        bool tells = status == 405 || status == 204;
        assert_string_equal(site.allow,
                            tells ? "POST, PUT, GET, HEAD, OPTIONS" : "");
        site_close();
    }
}

static void
the_request_reaches_the_sink_as_it_came(void **state)
{
    (void)state;
    site_open();
    assert_int_equal(
        answer_to("POST", "/hooks/shop?a=%20b", NULL, NULL, "{ \"x\": 1 }"),
        202);
    assert_string_equal(site.sink.body, "{ \"x\": 1 }");
    assert_string_equal(site.sink.target, "/hooks/shop?a=%20b");
    assert_string_equal(site.sink.method, "POST");
    assert_int_equal(site.sink.coded_len, 0);
    site_close();
}

static void
who_is_not_on_the_list_is_refused(void **state)
{
    (void)state;
    allow_only("192.0.2.0/24", NULL);
    assert_int_equal(post("{}"), 403);
    assert_true(counted("refused") == 1);
    /* What the sender claims of itself is not believed. */
    assert_int_equal(
        answer_to("POST", "/hooks/shop", "X-Forwarded-For", "192.0.2.7", "{}"),
        403);
    assert_int_equal(site.sink.submitted, 0);
    site_close();
    allow_only("127.0.0.0/8", NULL);
    assert_int_equal(post("{}"), 202);
    site_close();
}

static void
a_trusted_proxy_says_who_sent_it(void **state)
{
    (void)state;
    static const struct {
        const char *forwarded;
        unsigned status;
    } rows[] = {
        { "192.0.2.7", 202 },
        { "10.9.8.7, 192.0.2.7", 202 },
        { "192.0.2.7, 127.0.0.1", 202 },
        { "192.0.2.7, 10.9.8.7", 403 },
        { "nonsense", 403 },
    };
    allow_only("192.0.2.0/24", "127.0.0.0/8");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(answer_to("POST", "/hooks/shop", "X-Forwarded-For",
                                   rows[i].forwarded, "{}"),
                         rows[i].status);
    }
    assert_int_equal(post("{}"), 403); /* the proxy itself */
    site_close();
}

static void
over_the_rate_it_says_when_to_come_again(void **state)
{
    (void)state;
    site_prepare();
    site.connectors[0].webhook.rate = 2;
    site.connectors[0].webhook.rate_per_ms = 60000;
    site_start();
    assert_int_equal(post("{}"), 202);
    assert_int_equal(post("{}"), 202);
    assert_int_equal(post("{}"), 429);
    assert_string_equal(site.retry_after, "30");
    assert_true(counted("rate_limited") == 1);
    assert_int_equal(answer_to("POST", "/hooks/other", NULL, NULL, "{}"), 202);
    site_close();
}

static void
an_address_over_its_rate_takes_nothing_of_the_others(void **state)
{
    (void)state;
    static const struct cidr proxies[] = {
        { { [10] = 0xff, [11] = 0xff, [12] = 127 }, 104 }
    };
    static const struct {
        const char *sender;
        unsigned status;
    } rows[] = { { "192.0.2.1", 202 }, { "192.0.2.1", 202 },
                 { "192.0.2.1", 429 }, { "192.0.2.1", 429 },
                 { "192.0.2.2", 202 }, { "192.0.2.3, 192.0.2.1", 429 },
                 { "192.0.2.2", 202 } };
    site_prepare();
    site.settings.trusted_proxies = proxies;
    site.settings.trusted_count = 1;
    site.settings.address_rate = 2;
    site.settings.address_rate_per_ms = 600000;
    site.connectors[0].webhook.rate = 4;
    site.connectors[0].webhook.rate_per_ms = 600000;
    site_start();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(answer_to("POST", "/hooks/shop", "X-Forwarded-For",
                                   rows[i].sender, "{}"),
                         rows[i].status);
    }
    assert_true(counted("rate_limited") == 3);
    site_close();
}

static void
without_room_it_is_busy_before_the_body(void **state)
{
    (void)state;
    site_open();
    site.sink.full = true;
    assert_int_equal(post("{}"), 503);
    assert_string_equal(site.retry_after, "5");
    assert_true(counted("busy") == 1);
    assert_int_equal(site.sink.submitted, 0);
    site_close();
}

static void
a_body_over_its_limit_is_refused_by_its_length(void **state)
{
    (void)state;
    char body[1101];
    memset(body, 'x', sizeof(body));
    body[1100] = '\0';
    site_open();
    assert_int_equal(post(body), 413);
    assert_true(counted("too_large") == 1);
    body[1000] = '\0';
    assert_int_equal(post(body), 202);
    site_close();
    /* A connector's own limit counts, in both directions. */
    for (int64_t limit = 999; limit <= 1000; limit++) {
        site_prepare();
        site.settings.max_body = 10;
        site.connectors[0].webhook.max_body = limit;
        site_start();
        assert_int_equal(post(body), limit == 999 ? 413 : 202);
        site_close();
    }
}

/* ---- codings ---- */

static void
send_packed(const char *coding, struct slice bytes)
{
    start(&(struct sending){ "POST", "/hooks/shop", "Content-Encoding", coding,
                             bytes });
}

static void
a_compressed_body_is_inflated_and_both_forms_are_kept(void **state)
{
    (void)state;
    struct buf packed = { 0 };
    assert_int_equal(gzip_deflate(slice_of("{\"x\":1}"), &packed), STATUS_OK);
    site_open();
    send_packed("gzip", buf_slice(&packed));
    assert_int_equal(site.http_status, 202);
    assert_string_equal(site.sink.body, "{\"x\":1}");
    assert_int_equal(site.sink.coded_len, packed.len);
    assert_memory_equal(site.sink.coded, packed.ptr, packed.len);
    send_packed("GZip", buf_slice(&packed));
    assert_int_equal(site.http_status, 202);
    send_packed("identity", slice_of("{}"));
    assert_int_equal(site.http_status, 202);
    assert_int_equal(site.sink.coded_len, 0);
    site_close();
    buf_fini(&packed);
}

static void
a_coding_that_is_wrong_unknown_or_a_bomb_is_refused(void **state)
{
    (void)state;
    struct buf packed = { 0 };
    char many[2000];
    memset(many, 'a', sizeof(many));
    site_open();
    send_packed("br", slice_of("x"));
    assert_int_equal(site.http_status, 415);
    assert_true(counted("malformed") == 1);
    send_packed("gzip", slice_of("not packed"));
    assert_int_equal(site.http_status, 400);
    assert_true(counted("malformed") == 2);
    assert_int_equal(
        gzip_deflate((struct slice){ many, sizeof(many) }, &packed), STATUS_OK);
    send_packed("gzip", buf_slice(&packed));
    assert_int_equal(site.http_status, 413);
    assert_true(counted("too_large") == 1);
    assert_int_equal(site.sink.submitted, 0);
    site_close();
    buf_fini(&packed);
}

/* ---- refusals ---- */

static void
a_request_refused_by_its_head_is_told_of(void **state)
{
    (void)state;
    site_open();
    send_packed("br", slice_of("x"));
    assert_int_equal(site.refusals, 1);
    assert_int_equal(site.cause, REFUSAL_MALFORMED);
    assert_int_equal(site.refused_status, 415);
    assert_int_equal(site.refused_bytes, 1);
    assert_string_equal(site.refused_target, "/hooks/shop");
    site_close();
    allow_only("192.0.2.0/24", NULL);
    assert_int_equal(post("{}"), 403);
    assert_int_equal(site.refusals, 1);
    assert_int_equal(site.cause, REFUSAL_REFUSED);
    assert_int_equal(site.refused_bytes, 2);
    site_close();
}

static void
a_request_refused_for_its_bytes_is_told_of(void **state)
{
    (void)state;
    static const struct {
        enum verdict_kind kind;
        enum refusal_cause cause;
        unsigned status;
    } rows[] = {
        { VERDICT_FORGED, REFUSAL_BAD_SIGNATURE, 401 },
        { VERDICT_STALE, REFUSAL_STALE, 401 },
        { VERDICT_INVALID, REFUSAL_MALFORMED, 400 },
    };
    site_open();
    send_packed("gzip", slice_of("not packed"));
    assert_int_equal(site.refusals, 1);
    assert_int_equal(site.cause, REFUSAL_MALFORMED);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        site.sink.verdict =
            (struct verdict){ .kind = rows[i].kind, .why = SLICE("the words") };
        (void)answer_to("POST", "/hooks/shop?a=1", NULL, NULL, "12345");
        assert_int_equal(site.refusals, 2 + i);
        assert_int_equal(site.cause, rows[i].cause);
        assert_int_equal(site.refused_status, rows[i].status);
        assert_int_equal(site.refused_bytes, 5);
        assert_string_equal(site.refused_why, "the words");
        assert_string_equal(site.refused_target, "/hooks/shop?a=1");
    }
    site_close();
}

/* Nobody can fill anything with paths that are not there, and what may come
 * again is not over yet. */
static void
what_has_no_route_or_may_come_again_is_no_refusal(void **state)
{
    (void)state;
    site_open();
    (void)answer_to("POST", "/hooks/none", NULL, NULL, "{}");
    (void)answer_to("DELETE", "/hooks/shop", NULL, NULL, "");
    site.sink.full = true;
    assert_int_equal(post("{}"), 503);
    site.sink.full = false;
    site.sink.verdict = (struct verdict){ .kind = VERDICT_BUSY };
    assert_int_equal(post("{}"), 503);
    site.sink.verdict = (struct verdict){ .kind = VERDICT_STORED,
                                          .answer = &site.connectors[0].ack };
    assert_int_equal(post("{}"), 202);
    assert_int_equal(site.refusals, 0);
    site_close();
}

/* ---- verdicts ---- */

struct answering {
    enum verdict_kind kind;
    unsigned status;
    const char *outcome;
    const char *retry_after;
};

static const struct answering answerings[] = {
    { VERDICT_STORED, 202, "accepted", "" },
    { VERDICT_SEEN, 202, "duplicate", "" },
    { VERDICT_ANSWER, 202, "accepted", "" },
    { VERDICT_FORGED, 401, "bad_signature", "" },
    { VERDICT_STALE, 401, "stale", "" },
    { VERDICT_INVALID, 400, "malformed", "" },
    { VERDICT_BUSY, 503, "busy", "5" },
    { VERDICT_FAILED, 503, "busy", "5" },
};

static void
each_verdict_has_its_status_and_is_counted_once(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(answerings) / sizeof(answerings[0]); i++) {
        const struct answering *row = &answerings[i];
        site_open();
        site.sink.verdict.kind = row->kind;
        site.sink.verdict.why = slice_of("the reason nobody outside is told");
        assert_int_equal(post("{}"), row->status);
        assert_string_equal(site.retry_after, row->retry_after);
        for (size_t j = 0; j < sizeof(outcomes) / sizeof(outcomes[0]); j++) {
            bool is = strcmp(outcomes[j], row->outcome) == 0;
            assert_true(counted(outcomes[j]) == (is ? 1 : 0));
        }
        if (row->status >= 400) {
            assert_null(strstr(site.body, "reason"));
        }
        assert_int_equal(source_webhook_open(site.webhook), 0);
        site_close();
    }
}

static size_t told;

static void
count_line(void *arg, enum log_level level, struct slice line)
{
    (void)arg;
    (void)level;
    told += slice_find_slice(line, slice_of("webhook refused")) != SIZE_MAX;
}

/* Whoever sends without the secret may not fill our disk. */
static void
a_flood_of_forgeries_is_counted_but_not_told_line_by_line(void **state)
{
    (void)state;
    site_open();
    site.sink.verdict.kind = VERDICT_FORGED;
    told = 0;
    log_set_sink(count_line, NULL, LOG_INFO);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(post("{}"), 401);
    }
    log_set_sink(NULL, NULL, LOG_INFO);
    assert_true(counted("bad_signature") == 100);
    assert_in_range(told, 10, 90);
    site_close();
}

static void
an_answer_is_what_the_connector_says(void **state)
{
    (void)state;
    static const struct answer_spec spec = { .status = 200, .json_body = true };
    static const struct answer_spec typed = { .status = 201,
                                              .type = SLICE("text/xml") };
    site_open();
    site.sink.verdict = (struct verdict){ .kind = VERDICT_ANSWER,
                                          .answer = &spec,
                                          .body = SLICE("{\"c\":1}") };
    assert_int_equal(post("{}"), 200);
    assert_string_equal(site.body, "{\"c\":1}");
    assert_string_equal(site.content_type, "application/json");
    assert_string_equal(site.sniffing, "nosniff");
    site.sink.verdict.answer = &typed;
    assert_int_equal(post("{}"), 201);
    assert_string_equal(site.content_type, "text/xml");
    site_close();
}

static void
a_signal_asks_for_a_walk_once_it_is_answered(void **state)
{
    (void)state;
    site_open();
    assert_int_equal(post("{}"), 202);
    assert_int_equal(site.signals, 0);
    site.sink.verdict.signal = true;
    assert_int_equal(post("{}"), 202);
    assert_int_equal(site.signals, 1);
    site_close();
}

static void
a_verdict_for_a_connection_that_is_gone_is_no_harm(void **state)
{
    (void)state;
    site_open();
    site.sink.holds = true;
    start(
        &(struct sending){ "POST", "/hooks/shop", NULL, NULL, slice_of("{}") });
    assert_false(site.answered);
    assert_int_equal(source_webhook_open(site.webhook), 1);
    http_client_destroy(site.client);
    site.client = NULL;
    http_server_destroy(site.server);
    site.server = NULL;
    give_verdict(&site.sink);
    assert_int_equal(source_webhook_open(site.webhook), 0);
    assert_true(counted("accepted") == 1);
    site_close();
}

static void
creating_one_survives_every_failed_allocation(void **state)
{
    (void)state;
    site_prepare();
    enum status status = STATUS_NOMEM;
    for (long n = 0; status != STATUS_OK; n++) {
        mem_fail_after(n, 0);
        status = source_webhook_create(site.loop, &site.settings,
                                       &site.sink.contract, &site.webhook);
        mem_fail_after(-1, 0);
    }
    source_webhook_destroy(NULL);
    site_close();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_routes_of_connectors_with_a_secret_answer),
        cmocka_unit_test(the_request_reaches_the_sink_as_it_came),
        cmocka_unit_test(who_is_not_on_the_list_is_refused),
        cmocka_unit_test(a_trusted_proxy_says_who_sent_it),
        cmocka_unit_test(over_the_rate_it_says_when_to_come_again),
        cmocka_unit_test(an_address_over_its_rate_takes_nothing_of_the_others),
        cmocka_unit_test(without_room_it_is_busy_before_the_body),
        cmocka_unit_test(a_body_over_its_limit_is_refused_by_its_length),
        cmocka_unit_test(a_compressed_body_is_inflated_and_both_forms_are_kept),
        cmocka_unit_test(a_coding_that_is_wrong_unknown_or_a_bomb_is_refused),
        cmocka_unit_test(each_verdict_has_its_status_and_is_counted_once),
        cmocka_unit_test(
            a_flood_of_forgeries_is_counted_but_not_told_line_by_line),
        cmocka_unit_test(a_request_refused_by_its_head_is_told_of),
        cmocka_unit_test(a_request_refused_for_its_bytes_is_told_of),
        cmocka_unit_test(what_has_no_route_or_may_come_again_is_no_refusal),
        cmocka_unit_test(an_answer_is_what_the_connector_says),
        cmocka_unit_test(a_signal_asks_for_a_walk_once_it_is_answered),
        cmocka_unit_test(a_verdict_for_a_connection_that_is_gone_is_no_harm),
        cmocka_unit_test(creating_one_survives_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
