/* SPDX-License-Identifier: MIT */
/* Templates: every one that the connectors write, what comes of them, and what
 * is refused when it is compiled. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "wire/digest.h"
#include "wire/template.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const request_kinds[] = {
    "body",   "url",   "method",    "secret",     "form",
    "header", "query", "json",      "item",       "sig",
    "var",    "now",   "first_key", "public_url", NULL,
};

static const char *const poll_kinds[] = {
    "var",       "secret",  "cursor",   "page",      "until",
    "start",     "now",     "hook_url", "generated", "generated_whsec",
    "uuid",      "header",  "json",     "item",      "request.url",
    "gap.start", "gap.end", "feed.hub", "feed.self", NULL,
};

/* In a row `id` and `body` are members; nothing else is a bare word. */
static const char *const row_kinds[] = { "var", "item", "request.url", "now",
                                         NULL };

/* Values by "kind:name" or "kind". */
struct value {
    const char *place;
    const char *text;
};

struct values {
    const struct value *at;
    size_t count;
    size_t calls;
};

static enum status
look_up(void *arg, const struct template_ref *ref, struct arena *arena,
        struct slice *ret_value)
{
    struct values *values = arg;
    char place[200];
    (void)arena;
    values->calls++;
    int len = snprintf(place, sizeof(place), "%.*s%s%.*s", SLICE_ARG(ref->kind),
                       ref->name.len > 0 ? ":" : "", SLICE_ARG(ref->name));
    assert_true(len > 0 && (size_t)len < sizeof(place));
    assert_int_equal(ref->path != NULL,
                     ref->name.len > 0 &&
                         (slice_equal_text(ref->kind, "json") ||
                          slice_equal_text(ref->kind, "item")));
    for (size_t i = 0; i < values->count; i++) {
        if (strcmp(values->at[i].place, place) == 0) {
            *ret_value = slice_of(values->at[i].text);
            return STATUS_OK;
        }
    }
    return STATUS_NOT_FOUND;
}

struct compile_row {
    const char *text;
    enum template_bare bare;
    const char *const *kinds;
};

#define S TEMPLATE_BARE_SOURCE
#define L TEMPLATE_BARE_LITERAL
#define P TEMPLATE_BARE_PATH
#define Q request_kinds
#define W poll_kinds
#define R row_kinds

static const struct compile_row compile_rows[] = {
    /* signed bytes and signatures */
    { "{body}", L, Q },
    { "{sig:t}.{body}", L, Q },
    { "{sig:ts}:{body}", L, Q },
    { "{header:webhook-id}.{header:webhook-timestamp}.{body}", L, Q },
    { "v0:{header:X-Slack-Request-Timestamp}:{body}", L, Q },
    { "{url|noport}", L, Q },
    { "{url|withport}", L, Q },
    { "{url|noport}{form|sorted}", L, Q },
    { "{url|withport}{form|sorted}", L, Q },
    { "{url|noport|escape:%27}{form|sorted}", L, Q },
    { "{query:bodySHA256}", L, Q },
    { "{body|sha256|hex}", L, Q },
    { "{url}{body}", L, Q },
    { "{header:PAYPAL-TRANSMISSION-ID}|{header:PAYPAL-TRANSMISSION-TIME}|"
      "{secret}|{body|crc32}",
      L, Q },
    { "{header:PAYPAL-AUTH-ALGO}", L, Q },
    { "SHA256withRSA", L, Q },
    { "{secret}{body}", L, Q },
    { "{secret}{method}{url}{body}", L, Q },
    { "{method}{url|unescape:%3A%2F%3F%40%21%24%27%28%29%2A%2C%3B}{body}"
      "{header:X-HubSpot-Request-Timestamp}",
      L, Q },
    { "{json:signature.timestamp}{json:signature.token}", L, Q },
    { "{item:pspReference?}:{item:originalReference?}:"
      "{item:merchantAccountCode?}:{item:merchantReference?}:"
      "{item:amount.value?}:{item:amount.currency?}:{item:eventCode?}:"
      "{item:success?}",
      L, Q },
    { "[[Message\n{json:Message}\n]][[MessageId\n{json:MessageId}\n]]"
      "[[Subject\n{json:Subject}\n]][[SubscribeURL\n{json:SubscribeURL}\n]]"
      "[[Timestamp\n{json:Timestamp}\n]][[Token\n{json:Token}\n]]"
      "[[TopicArn\n{json:TopicArn}\n]][[Type\n{json:Type}\n]]",
      L, Q },
    { "{json:payload.plainToken|hmac:sha256|hex}", L, Q },
    { "{json:challenge}", L, Q },
    { "{json:SigningCertURL}", L, Q },
    { "[accepted]", L, Q },
    { "<Response/>", L, Q },
    { "header:X-Hub-Signature-256", S, Q },
    { "json:signature.signature", S, Q },
    { "item:additionalData.hmacSignature", S, Q },
    { "sig:t", S, Q },
    /* events of a request */
    { "header:svix-id ?? header:webhook-id", S, Q },
    { "header:webhook-id ?? header:Idempotency-Key ?? "
      "header:X-Gitlab-Event-UUID",
      S, Q },
    { "{header:X-GitHub-Event}[[.{json:action}]]", L, Q },
    { "{json:type}.{json:action}", L, Q },
    { "form:MessageStatus ?? form:SmsStatus", L, Q },
    { "{form:MessageSid}:{form:MessageStatus}", S, Q },
    { "json:Subject?", L, Q },
    { "json:message.date?", S, Q },
    { "json:event-data.id", S, Q },
    { "json:id ?? sha256(body)", S, Q },
    { "sha256(body)", S, Q },
    { "first_key(json, except=[update_id])", L, Q },
    { "{item:pspReference}:{item:eventCode}:{item:success}", S, Q },
    { "order:{json:id}:{json:updated_at|time}", S, Q },
    { "now", S, Q },
    { "order.updated", L, Q },
    { "orders/updated", L, Q },
    { "pullrequest:updated", L, Q },
    { "jira:issue_updated", L, Q },
    { "MESSAGE", L, Q },
    /* requests of a poll */
    { "{var:base}/v1/orders", L, W },
    { "https://api.stripe.com/v1/events", L, W },
    { "https://api.stripe.com/v1/webhook_endpoints/{item:id}", L, W },
    { "https://{var:shop}/admin/api/{var:version}/orders.json", L, W },
    { "{cursor}", L, W },
    { "{page}", L, W },
    { "updated_at asc", L, W },
    { "created_at:>={cursor}", L, W },
    { "updated >= \"{cursor}\" ORDER BY updated ASC", L, W },
    { "last_event_time BETWEEN TIMESTAMP \"{cursor}\" AND TIMESTAMP "
      "\"{until}\"",
      L, W },
    { "{now|unix_s}", L, W },
    { "{now|date}", L, W },
    { "{start|unix_s}", L, W },
    { "{cursor|unix_ms}", L, W },
    { "{gap.start}", L, W },
    { "{hook_url}", L, W },
    { "{generated_whsec}", L, W },
    { "{uuid}", L, W },
    { "{feed.hub}", L, W },
    { "Bot {secret:token}", L, W },
    { "https://api.telegram.org/bot{secret:token}/getUpdates", L, W },
    { "{var:email}/token", L, W },
    { "{secret:api_key}", L, W },
    { "", L, W },
    { "header:Retry-After", S, W },
    { "json:parameters.retry_after", S, W },
    { "json:error['.tag']", S, W },
    /* rows */
    { "id", P, R },
    { "{id}", P, R },
    { "{id}:{updated_at}", P, R },
    { "order:{id}:{updated_at|time}", P, R },
    { "{var:channel}:{ts}", P, R },
    { "{id}:{properties.lastmodifieddate}", P, R },
    { "issue:{id}:{fields.updated}", P, R },
    { "{id}:{changes[0].rev}", P, R },
    { "{path_lower}:{rev?}", P, R },
    { "{['.tag']}", P, R },
    { "{type?}", P, R },
    { "{event}[[.{action}]]", P, R },
    { "payment.{status}", P, R },
    { "{request.url}/{id}", P, R },
    { "request_headers['Idempotency-Key'] ?? "
      "request_headers['X-Gitlab-Event-UUID']",
      P, R },
    { "guid ?? id ?? link ?? sha256(item)", P, R },
    { "updated ?? pubDate", P, R },
    { "now", P, R },
    { "links[rel=next].href", P, R },
    { "{['odd}name|?']}", P, R },
};

static void
every_template_of_the_connectors_compiles(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(compile_rows); i++) {
        const struct compile_row *row = &compile_rows[i];
        struct arena arena = { 0 };
        struct error err = { "" };
        const struct template *t = NULL;
        enum status status = template_compile(slice_of(row->text), row->bare,
                                              row->kinds, &arena, &t, &err);
        if (status != STATUS_OK) {
            fail_msg("%s: %s", row->text, err.text);
        }
        assert_true(slice_equal_text(template_source(t), row->text));
        arena_fini(&arena);
    }
}

static void
what_could_never_be_filled_is_refused(void **state)
{
    (void)state;
    static const struct {
        struct compile_row row;
        const char *words;
    } rows[] = {
        { { "", S, Q }, "column 1: nothing" },
        { { "{}", L, Q }, "column 2: nothing" },
        { { "{body", L, Q }, "column 1: no closing brace" },
        { { "a}b", L, Q }, "column 2: no opening brace" },
        { { "ab{bdy}", L, Q }, "column 4: unknown source \"bdy\"" },
        { { "{hdr:X}", L, Q }, "column 2: unknown source \"hdr\"" },
        { { "{hdr:X}", P, R }, "column 2: unknown source \"hdr\"" },
        { { "order.updated", S, Q },
          "column 1: unknown source \"order.updated\"; there are " },
        { { "json:a ?? nope", S, Q }, "column 11: unknown source \"nope\"" },
        { { "{header}", L, Q }, "column 2: a name is missing" },
        { { "{header:}", L, Q }, "column 2: a name is missing" },
        { { "{sig}", L, Q }, "column 2: a name is missing" },
        { { "{body|md5}", L, Q }, "column 7: unknown filter \"md5\"" },
        { { "{body|}", L, Q }, "column 7: unknown filter \"\"" },
        { { "{body|hex:x}", L, Q }, "takes no argument" },
        { { "{body|object:x}", L, Q }, "takes no argument" },
        { { "{body|other_key}", L, Q }, "names to pass over" },
        { { "{body|hmac}", L, Q }, "wants sha1" },
        { { "{body|hmac:md5}", L, Q }, "wants sha1" },
        { { "{body|escape}", L, Q }, "wants escapes" },
        { { "{body|escape:x}", L, Q }, "wants escapes" },
        { { "{body|escape:%2}", L, Q }, "wants escapes" },
        { { "{body|escape:%27x}", L, Q }, "wants escapes" },
        { { "{body|hex|hex|hex|hex|hex|hex|hex|hex|hex}", L, Q },
          "too many filters" },
        { { "[[a{body}", L, Q }, "no closing ]]" },
        { { "[[a]]", L, Q }, "nothing to fill" },
        { { "[[a{body}[[b]]", L, Q }, "a group inside a group" },
        { { "{json:a[}", L, Q }, "" },
        { { "a[", P, R }, "column 1" },
        { { "{cursor}", L, Q }, "unknown source \"cursor\"" },
        { { "{a}{a}{a}{a}{a}{a}{a}{a}{a}{a}{a}{a}{a}{a}{a}{a}{a}"
            "{a}{a}{a}{a}{a}{a}{a}{a}{a}{a}{a}{a}{a}{a}{a}{a}",
            P, R },
          "too many places" },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct compile_row *row = &rows[i].row;
        struct arena arena = { 0 };
        struct error err = { "" };
        const struct template *t = NULL;
        enum status status = template_compile(slice_of(row->text), row->bare,
                                              row->kinds, &arena, &t, &err);
        if (status != STATUS_INVALID || t != NULL ||
            strstr(err.text, rows[i].words) == NULL) {
            fail_msg("%s: %s (%s)", row->text, status_text(status), err.text);
        }
        arena_fini(&arena);
    }
}

static const struct value values_given[] = {
    { "body", "the body" },
    { "secret", "hush" },
    { "secret:token", "tok" },
    { "method", "POST" },
    { "url", "https://user@h.example:8443/a'b?c=d:9" },
    { "header:X-Id", "17" },
    { "header:X-Empty", "" },
    { "json:id", "evt_1" },
    { "json:at", "2026-11-21T23:22:01+01:00" },
    { "json:Message", "hello" },
    { "json:Type", "Notification" },
    { "item:id", "12345678901234567" },
    { "item:at", "2026-11-21T22:22:01.000Z" },
    { "item:['.tag']", "file" },
    { "item", "{\"a\":1}" },
    { "form", "b=2&a=%41+x&b=1&b=2&c" },
    { "query:form", "e%C3%A9==&%00=%22" },
    { "query:empty", "" },
    { "json:update", "{\"update_id\":1,\"me\\\"ssage\":{},\"late\":2}" },
    { "item:update", "{\"update_\\u0069d\":1,\"me\\\"ssage\":{}}" },
    { "query:odd", "%3a%2F%2f%zz%" },
    { "start", "1700000000123" },
    { "cursor", "soon" },
    { "request.url", "https://h/x" },
};

struct eval_row {
    struct compile_row row;
    const char *expected; /* NULL: absent */
    size_t choice;
};

static const struct eval_row eval_rows[] = {
    { { "{body}", L, Q }, "the body", 0 },
    { { "body", S, Q }, "the body", 0 },
    { { "body", L, Q }, "body", 0 },
    { { "", L, Q }, "", 0 },
    { { "v0:{header:X-Id}:{body}", L, Q }, "v0:17:the body", 0 },
    { { "bot{secret:token}/{secret}", L, Q }, "bottok/hush", 0 },
    { { "{header:X-None}", L, Q }, NULL, 0 },
    { { "a{header:X-None}b", L, Q }, NULL, 0 },
    { { "a{header:X-None?}b", L, Q }, "ab", 0 },
    { { "header:X-None?", S, Q }, "", 0 },
    { { "{header:X-None?|sha256|hex}", L, Q }, "", 0 },
    { { "a{header:X-Empty}b", L, Q }, "ab", 0 },
    { { "{{{body}}}", L, Q }, "{the body}", 0 },
    { { "{{body}}", L, Q }, "{body}", 0 },
    { { "[[Message\n{json:Message}\n]][[Subject\n{json:Subject}\n]]"
        "[[Type\n{json:Type}\n]]",
        L, Q },
      "Message\nhello\nType\nNotification\n",
      0 },
    { { "a[[.{json:id}.{json:none}.]]b", L, Q }, "ab", 0 },
    { { "a[[.{json:none}.{json:id}.]]b", L, Q }, "ab", 0 },
    { { "a[[.{json:none?}]]b", L, Q }, "a.b", 0 },
    { { "[[{json:none}]][[{json:id}]]", L, Q }, "evt_1", 0 },
    { { "[[{json:none}]]", L, Q }, "", 0 },
    { { "header:X-None ?? header:X-Id ?? body", S, Q }, "17", 1 },
    { { "{header:X-None}a ?? b{header:X-Id}", L, Q }, "b17", 1 },
    { { "header:X-None ?? literal", L, Q }, "literal", 1 },
    { { "header:X-None ?? json:none", L, Q }, NULL, 0 },
    { { "header:X-Empty ?? header:X-Id", S, Q }, "17", 1 },
    { { "header:X-None ?? header:X-Empty ?? header:X-Id", S, Q }, "17", 2 },
    { { "header:X-Empty ?? header:X-None", S, Q }, "", 0 },
    { { "header:X-None ?? header:X-Empty", S, Q }, "", 1 },
    { { "json:none ?? sha256(body)", S, Q },
      "fa8242e99f48966ca514092b4233b446851f42b57ad5031bf133e1dd76787f3e",
      1 },
    { { "sha256(item)", P, R },
      "015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862",
      0 },
    { { "{body|sha256|hex}", L, Q },
      "fa8242e99f48966ca514092b4233b446851f42b57ad5031bf133e1dd76787f3e",
      0 },
    { { "{body|sha1|base64}", L, Q }, "OadhSBelQZmKgz9//aQh2o+slAw=", 0 },
    { { "{json:Message|hmac:sha256|hex}", L, Q },
      "9307b3b915efb5171ff14d8cb55fbcc798c6c0ef1456d66ded1a6aa723a58b7b",
      0 },
    { { "{body|crc32}", L, Q }, "2524260290", 0 },
    { { "{method|lower}", L, Q }, "post", 0 },
    { { "{body|urlencode}", L, Q }, "the%20body", 0 },
    { { "{url|noport}", L, Q }, "https://user@h.example/a'b?c=d:9", 0 },
    { { "{url|withport}", L, Q }, "https://user@h.example:8443/a'b?c=d:9", 0 },
    { { "{request.url|withport}", P, R }, "https://h:443/x", 0 },
    { { "{request.url|noport}", P, R }, "https://h/x", 0 },
    { { "{url|noport|escape:%27}", L, Q },
      "https://user@h.example/a%27b?c=d:9",
      0 },
    { { "{query:odd|unescape:%3A%2F}", L, Q }, "://%zz%", 0 },
    { { "{query:odd|unescape:%2F}", L, Q }, "%3a//%zz%", 0 },
    { { "{start|unix_s|number}", L, W }, "1700000000", 0 },
    { { "{form|sorted}", L, Q }, "aA xb1b2c", 0 },
    { { "{form|object}", L, Q },
      "{\"a\":\"A x\",\"b\":[\"2\",\"1\",\"2\"],\"c\":\"\"}",
      0 },
    { { "{query:form|object}", L, Q },
      "{\"\\u0000\":\"\\\"\",\"e\xc3\xa9\":\"=\"}",
      0 },
    { { "{query:empty|object}", L, Q }, "{}", 0 },
    { { "{json:update|object}", L, Q }, NULL, 0 },
    { { "{json:update|other_key:update_id}", S, Q }, "me\"ssage", 0 },
    { { "{json:update|other_key:update_id,me\"ssage}", S, Q }, "late", 0 },
    { { "{json:update|other_key:late,update_id,me\"ssage}", S, Q }, NULL, 0 },
    { { "{update|other_key:update_id}", P, R }, "me\"ssage", 0 },
    { { "{json:at|time}", L, Q }, "2026-11-21T22:22:01.000Z", 0 },
    { { "{at|time}", P, R }, "2026-11-21T22:22:01.000Z", 0 },
    { { "{start|unix_s}", L, W }, "1700000000", 0 },
    { { "{start|unix_ms}", L, W }, "1700000000123", 0 },
    { { "{start|iso8601_s}", L, W }, "2023-11-14T22:13:20Z", 0 },
    { { "{start|date}", L, W }, "2023-11-14", 0 },
    { { "order:{id}", P, R }, "order:12345678901234567", 0 },
    { { "id", P, R }, "12345678901234567", 0 },
    { { "{['.tag']}", P, R }, "file", 0 },
    { { "order.updated", L, R }, "order.updated", 0 },
    { { "f(body)", L, Q }, "f(body)", 0 },
};

static void
templates_say_what_their_places_hold(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(eval_rows); i++) {
        const struct eval_row *row = &eval_rows[i];
        struct values values = { values_given, COUNT(values_given), 0 };
        struct template_scope scope = { look_up, &values, SLICE("key") };
        struct arena arena = { 0 };
        const struct template *t = NULL;
        struct error err = { "" };
        if (template_compile(slice_of(row->row.text), row->row.bare,
                             row->row.kinds, &arena, &t, &err) != STATUS_OK) {
            fail_msg("%s: %s", row->row.text, err.text);
        }
        struct slice text = { NULL, 0 };
        size_t choice = SIZE_MAX;
        enum status status = template_eval(t, &scope, &arena, &text, &choice);
        if (status != (row->expected == NULL ? STATUS_NOT_FOUND : STATUS_OK) ||
            (row->expected != NULL && (!slice_equal_text(text, row->expected) ||
                                       choice != row->choice))) {
            fail_msg("%s: %s \"%.*s\" %zu", row->row.text, status_text(status),
                     SLICE_ARG(text), choice);
        }
        arena_fini(&arena);
    }
}

static void
a_time_that_is_none_is_an_error_not_absent(void **state)
{
    (void)state;
    struct values values = { values_given, COUNT(values_given), 0 };
    struct template_scope scope = { look_up, &values, { "", 0 } };
    struct arena arena = { 0 };
    const struct template *t = NULL;
    struct slice text;
    assert_int_equal(template_compile(slice_of("{cursor|time} ?? x"), L, W,
                                      &arena, &t, NULL),
                     STATUS_OK);
    assert_int_equal(template_eval(t, &scope, &arena, &text, NULL),
                     STATUS_INVALID);
    assert_int_equal(template_compile(slice_of("{cursor|hmac:sha1}"), L, W,
                                      &arena, &t, NULL),
                     STATUS_OK);
    assert_int_equal(template_eval(t, &scope, &arena, &text, NULL),
                     STATUS_INVALID); /* an empty key */
    arena_fini(&arena);
}

/* What a filter cannot read exactly is an error, never another text. */
static void
what_a_filter_cannot_read_is_an_error(void **state)
{
    (void)state;
    static const struct value given[] = {
        { "form", "a=%C3&%A9=1" }, /* whole side by side, broken apart */
        { "body", "{\"a\":1" },
        { "json:list", "[1]" },
    };
    static const char *const texts[] = { "{form|object}", "{body|other_key:b}",
                                         "{json:list|other_key:b}" };
    struct values values = { given, COUNT(given), 0 };
    struct template_scope scope = { look_up, &values, { "", 0 } };
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct arena arena = { 0 };
        const struct template *t = NULL;
        struct slice text;
        assert_int_equal(
            template_compile(slice_of(texts[i]), L, Q, &arena, &t, NULL),
            STATUS_OK);
        assert_int_equal(template_eval(t, &scope, &arena, &text, NULL),
                         STATUS_INVALID);
        arena_fini(&arena);
    }
}

static void
a_body_is_signed_without_being_copied(void **state)
{
    (void)state;
    struct values values = { values_given, COUNT(values_given), 0 };
    struct template_scope scope = { look_up, &values, { "", 0 } };
    struct arena arena = { 0 };
    const struct template *t = NULL;
    struct slice parts[TEMPLATE_PARTS_MAX];
    size_t count = 0;
    assert_int_equal(template_compile(slice_of("{header:X-Id}.{body}"), L, Q,
                                      &arena, &t, NULL),
                     STATUS_OK);
    size_t used = arena.used_bytes;
    assert_int_equal(template_parts(t, &scope, &arena, parts, &count),
                     STATUS_OK);
    assert_int_equal(count, 3);
    assert_ptr_equal(parts[2].ptr, values_given[0].text);
    assert_int_equal(arena.used_bytes, used);
    arena_fini(&arena);
}

static void
places_and_literals_can_be_asked_for(void **state)
{
    (void)state;
    struct arena arena = { 0 };
    const struct template *t = NULL;
    struct slice text;
    assert_int_equal(
        template_compile(slice_of("json:a ?? {header:B}{body} ?? sha256(body)"),
                         S, Q, &arena, &t, NULL),
        STATUS_OK);
    assert_true(
        slice_equal_text(template_ref_at(t, SIZE_MAX, 0)->kind, "json"));
    assert_true(slice_equal_text(template_ref_at(t, SIZE_MAX, 1)->name, "B"));
    assert_true(
        slice_equal_text(template_ref_at(t, SIZE_MAX, 3)->kind, "body"));
    assert_null(template_ref_at(t, SIZE_MAX, 4));
    assert_true(slice_equal_text(template_ref_at(t, 1, 1)->kind, "body"));
    assert_null(template_ref_at(t, 1, 2));
    assert_null(template_ref_at(t, 3, 0));
    assert_false(template_is_literal(t, &text));
    assert_int_equal(
        template_compile(slice_of("a{{b}}"), L, Q, &arena, &t, NULL),
        STATUS_OK);
    assert_true(template_is_literal(t, &text));
    assert_true(slice_equal_text(text, "a{b}"));
    assert_int_equal(template_compile(slice_of(""), L, Q, &arena, &t, NULL),
                     STATUS_OK);
    assert_true(template_is_literal(t, &text));
    assert_int_equal(text.len, 0);
    arena_fini(&arena);
}

static void
running_out_of_memory_is_never_absence(void **state)
{
    (void)state;
    static const char text[] =
        "{json:none} ?? a{{[[{json:at|time}]]{form|sorted}{url|noport|escape:"
        "%27}{query:odd|unescape:%2F} ?? sha256(body)";
    enum status status = STATUS_NOMEM;
    long n = 0;
    for (; status == STATUS_NOMEM && n < 200; n++) {
        struct values values = { values_given, COUNT(values_given), 0 };
        struct template_scope scope = { look_up, &values, { "", 0 } };
        /* Room is used up, so that every piece asks for a block. */
        struct arena arena = { 0 };
        const struct template *t = NULL;
        struct slice made;
        (void)mem_fail_after(n, 0);
        status = template_compile(slice_of(text), L, Q, &arena, &t, NULL);
        if (status == STATUS_OK) {
            status = template_eval(t, &scope, &arena, &made, NULL);
        }
        (void)mem_fail_after(-1, 0);
        arena_fini(&arena);
    }
    assert_int_equal(status, STATUS_OK);
    assert_true(n > 5);
}

static int
set_up(void **state)
{
    (void)state;
    return digest_init(NULL) == STATUS_OK ? 0 : -1;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_template_of_the_connectors_compiles),
        cmocka_unit_test(what_could_never_be_filled_is_refused),
        cmocka_unit_test(templates_say_what_their_places_hold),
        cmocka_unit_test(a_time_that_is_none_is_an_error_not_absent),
        cmocka_unit_test(what_a_filter_cannot_read_is_an_error),
        cmocka_unit_test(a_body_is_signed_without_being_copied),
        cmocka_unit_test(places_and_literals_can_be_asked_for),
        cmocka_unit_test(running_out_of_memory_is_never_absence),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
