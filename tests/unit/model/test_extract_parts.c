/* SPDX-License-Identifier: MIT */
/* Which events a request holds and what of each is kept: batches, forms, bodies
 * inside of bodies, and requests that nobody should be able to bend. */
#include "harness/bound.h"

#include <stdlib.h>

#include "model/extract.h"
#include "model/extract_cover.h"
#include "wire/digest.h"
#include "wire/json.h"

#define NOW_MS       INT64_C(1790000000000)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Signed as a whole by HMAC: `EVENT` is the connector's section. */
#define SIGNED(EVENT)                                                          \
    "verify: {type: hmac, signature: {from: 'header:X-Sig'}, signed: "         \
    "'{body}'}\n"                                                              \
    "event: " EVENT "\n"
#define ENTRY "with: {webhook_secret: s}"

static void
open_texts(struct bound *bound, const char *file)
{
    bound_texts(bound, file, ENTRY, "https://hooks.example.com");
    bound_must(bound);
}

/* A request of `body` with one field "name: value". */
struct hook {
    struct http_field field;
    struct inbound request;
};

static void
make_hook(struct hook *hook, const char *name, const char *value,
          struct slice body)
{
    *hook = (struct hook){ .field = { slice_of(name), slice_of(value) } };
    hook->request = (struct inbound){
        .method = SLICE("POST"),
        .fields = { &hook->field, 1 },
        .body = body,
        .body_is_json = json_check(body, JSON_DEPTH_DEFAULT, NULL) == STATUS_OK,
    };
}

static enum status
take(const struct bound *bound, const struct hook *hook, struct arena *arena,
     struct extracted *ret, struct error *err)
{
    return extract_request(&bound->connector, &hook->request,
                           bound->connector.verify, NOW_MS, arena, ret, err);
}

/* What a connector makes of one request. */
struct shape {
    const char *file;
    const char *content_type;
    const char *body;
    const char *id;
    const char *type;
    const char *kept;
    const char *kept_type;
};

#define SNS                                                                    \
    "verify: {type: hmac, signature: {from: 'header:X-Sig'}, signed: "         \
    "'{json:Message}{json:MessageId}'}\n"                                      \
    "event: {id: 'json:MessageId', type: 'json:Subject?', body: "              \
    "'json:Message'}\n"
#define FORM_JSON "application/x-www-form-urlencoded"
#define GITHUB                                                                 \
    SIGNED("{id: 'header:Content-Type', type: 'issues[[.{item:action}]]', "    \
           "body: 'form:payload ?? body'}")

static const struct shape shapes[] = {
    /* a text that is JSON, and one that is none */
    { SNS, "text/plain",
      "{\"MessageId\":\"m1\",\"Message\":\" {\\\"a\\\": [1.50]}\\n\"}", "m1",
      "unknown", "{\"a\": [1.50]}", "application/json" },
    { SNS, "text/plain", "{\"MessageId\":\"m1\",\"Message\":\"caf\\u00e9 \"}",
      "m1", "unknown", "caf\xc3\xa9 ", "text/plain" },
    { SNS, "text/plain", "{\"MessageId\":\"m2\",\"Message\":\"\"}", "m2",
      "unknown", "", "text/plain" },
    /* a form as an object, a form with JSON in a field, and JSON itself */
    { SIGNED("{id: 'form:Sid', type: 'form:Status', body: form}"), FORM_JSON,
      "Status=sent&Sid=S1&To=%2B41+1&To=2", "S1", "sent",
      "{\"Sid\":\"S1\",\"Status\":\"sent\",\"To\":[\"+41 1\",\"2\"]}",
      "application/json" },
    { GITHUB, FORM_JSON, "payload=%7B%22action%22%3A%22opened%22%7D", FORM_JSON,
      "issues.opened", "{\"action\":\"opened\"}", "application/json" },
    { GITHUB, "application/json", "{\"action\":\"closed\"}", "application/json",
      "issues.closed", "{\"action\":\"closed\"}", "application/json" },
    /* the other member, whatever it is called */
    { SIGNED("{id: 'json:update_id', type: "
             "'{json:$|other_key:update_id}'}"),
      "application/json", "{\"update_id\":9007199254740993,\"edited\":{}}",
      "9007199254740993", "edited",
      "{\"update_id\":9007199254740993,\"edited\":{}}", "application/json" },
    /* a part of an element */
    { SIGNED("{split: '$[*]', id: 'item:id', body: 'item:of'}"), "a/b",
      "[{\"id\":1,\"of\":{\"id\":1}}]", "1", "unknown", "{\"id\":1}",
      "application/json" },
};

static void
what_is_kept_of_a_request_is_what_its_connector_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(shapes); i++) {
        const struct shape *shape = &shapes[i];
        struct bound bound;
        struct arena arena = { 0 };
        struct hook hook;
        struct extracted events;
        struct error err = { "" };
        open_texts(&bound, shape->file);
        make_hook(&hook, "Content-Type", shape->content_type,
                  slice_of(shape->body));
        if (take(&bound, &hook, &arena, &events, &err) != STATUS_OK) {
            fail_msg("%s: %s", shape->body, err.text);
        }
        assert_int_equal(events.count, 1);
        const struct sighting *one = &events.at[0];
        if (!slice_equal_text(one->id, shape->id) ||
            !slice_equal_text(one->type, shape->type) ||
            !slice_equal_text(one->body, shape->kept) ||
            !slice_equal_text(one->content_type, shape->kept_type)) {
            fail_msg("%s: %.*s, %.*s, %.*s, %.*s", shape->body,
                     SLICE_ARG(one->id), SLICE_ARG(one->type),
                     SLICE_ARG(one->body), SLICE_ARG(one->content_type));
        }
        arena_fini(&arena);
        bound_fini(&bound);
    }
}

/* A request that is refused, and a word of why. */
struct refused {
    const char *file;
    const char *body;
    const char *word;
};

#define BATCH                                                                  \
    SIGNED("{split: 'events[*]', max_batch: 2, id: 'item:id', body: "          \
           "'item:of ?? item:also'}")
#define BY_ID   SIGNED("{id: 'json:id', type: 'json:type', max_id: 64B}")
#define SIXTEEN "0123456789abcdef"

static const struct refused refused[] = {
    { BATCH,
      "{\"events\":[{\"id\":1,\"of\":1},{\"id\":2,\"of\":1},{\"id\":3}]}",
      "3 events at 'events[*]', and event.max_batch allows 2" },
    { BATCH, "{\"events\":[{\"id\":1}]}",
      "no body at 'item:of ?? item:also' (event.body)" },
    { BATCH, "{\"events\":[{\"of\":1}]}", "nothing at 'item:id'" },
    { BATCH, "{\"events\":{}}", "no events at 'events[*]'" },
    { BATCH, "events=1", "no events at 'events[*]'" },
    { SIGNED("{split: 'a[*].b', id: 'item:id'}"),
      "{\"a\":[{\"b\":{\"id\":1}},{}]}", "an element has nothing at 'a[*].b'" },
    { SIGNED("{split: 'a[*].b[*]', id: 'item:id'}"),
      "{\"a\":[{\"b\":[{\"id\":1}]},{\"b\":{}}]}", "an element has nothing" },
    { SNS, "{\"MessageId\":\"m\"}", "no body at 'json:Message'" },
    { SIGNED("{id: 'form:a', body: form}"), "a=1&b=%ff", "no body at" },
    { SIGNED("{id: 'body', body: form}"), "{\"a\":1}", "no body at" },
    /* nothing is guessed where a body is broken */
    { BY_ID, "{\"id\":1,}", "the body is not JSON: " },
    { BY_ID, "\xef\xbb\xbf{\"id\":1}", "the body is not JSON: " },
    { BY_ID, "{\"id\":\"\xff\"}", "the body is not JSON: " },
    { BY_ID, "{\"id\":\"\\ud800\"}", "the body is not JSON: " },
    { BY_ID, "{\"id\":\"\\udc00\\ud800\"}", "the body is not JSON: " },
    { BY_ID, "{\"id\":01}", "the body is not JSON: " },
    { BY_ID, "{\"id\":1}{\"id\":2}", "the body is not JSON: " },
    { BY_ID, "{\"id\":NaN}", "the body is not JSON: " },
    { BY_ID, "{\"ID\":1}", "nothing at 'json:id'" },
    { BY_ID, "[{\"id\":1}]", "nothing at 'json:id'" },
    /* what would be cut or changed in an environment or a field */
    { BY_ID, "{\"id\":\"a\\u0000b\"}", "the id at 'json:id' has a NUL" },
    { BY_ID, "{\"id\":1,\"type\":\"\\u0000\"}",
      "the type at 'json:type' has a NUL" },
    { BY_ID, "{\"id\":\"" SIXTEEN SIXTEEN SIXTEEN SIXTEEN "0\"}",
      "has 65 bytes, and event.max_id allows 64" },
    { BY_ID, "{\"id\":1,\"type\":\"" SIXTEEN SIXTEEN SIXTEEN SIXTEEN "0\"}",
      "the type at 'json:type' has 65 bytes" },
    { SIGNED("{id: 'form:id'}"), "id=%FF%FE", "the id at 'form:id' is not" },
};

static void
what_cannot_be_taken_exactly_is_refused_with_words(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(refused); i++) {
        struct bound bound;
        struct arena arena = { 0 };
        struct hook hook;
        struct extracted events;
        struct error err = { "" };
        open_texts(&bound, refused[i].file);
        make_hook(&hook, "X-Sig", "0", slice_of(refused[i].body));
        const enum status status = take(&bound, &hook, &arena, &events, &err);
        if (status != STATUS_INVALID ||
            strstr(err.text, refused[i].word) == NULL || events.count != 0) {
            fail_msg("%s: %s, \"%s\"", refused[i].body, status_text(status),
                     err.text);
        }
        arena_fini(&arena);
        bound_fini(&bound);
    }
}

/* A body and the one id that may come of it. */
struct exact {
    const char *body;
    const char *id;
};

static const struct exact exact[] = {
    { "{\"id\":18446744073709551617}", "18446744073709551617" },
    { "{\"id\":1.0}", "1.0" },
    { "{\"id\":1e400}", "1e400" },
    { "{\"id\":-0}", "-0" },
    { "{\"id\":true}", "true" },
    { "{\"id\":\" a\\tb\\n\"}", " a\tb\n" },
    { "{\"\\u0069\\u0064\":\"\\u0061\\/\"}", "a/" }, /* an escaped name */
    { "{\"id\":\"\\ud83d\\ude00\"}", "\xf0\x9f\x98\x80" },
    { "{\"id\":\"a\",\"id\":\"b\"}", "a" }, /* the first counts, everywhere */
    { "{\"id\":\"a\",\"i\\u0064\":\"b\"}", "a" },
    { "{\"id\":[1, 2]}", "[1, 2]" },
    { "{\"id\":\"" SIXTEEN SIXTEEN SIXTEEN SIXTEEN "\"}",
      SIXTEEN SIXTEEN SIXTEEN SIXTEEN },
};

static void
an_id_is_what_was_sent_to_the_byte(void **state)
{
    (void)state;
    struct bound bound;
    open_texts(&bound, BY_ID);
    for (size_t i = 0; i < COUNT(exact); i++) {
        struct arena arena = { 0 };
        struct hook hook;
        struct extracted events;
        struct error err = { "" };
        make_hook(&hook, "X-Sig", "0", slice_of(exact[i].body));
        if (take(&bound, &hook, &arena, &events, &err) != STATUS_OK ||
            !slice_equal_text(events.at[0].id, exact[i].id)) {
            fail_msg("%s: \"%s\"", exact[i].body, err.text);
        }
        arena_fini(&arena);
    }
    bound_fini(&bound);
}

static void
a_bomb_is_refused_before_it_costs_anything(void **state)
{
    (void)state;
    struct bound bound;
    const size_t size = 1 << 20;
    char *body = malloc(size);
    assert_non_null(body);
    open_texts(&bound, SIGNED("{split: '$[*]', id: 'item'}"));
    memset(body, '[', size); /* deep */
    struct hook hook;
    struct arena arena = { 0 };
    struct extracted events;
    struct error err = { "" };
    make_hook(&hook, "X-Sig", "0", (struct slice){ body, size });
    assert_int_equal(take(&bound, &hook, &arena, &events, &err),
                     STATUS_INVALID);
    arena_fini(&arena);
    for (size_t i = 0; i + 1 < size; i += 2) { /* wide */
        memcpy(body + i, i == 0 ? "[1" : ",1", 2);
    }
    body[size - 1] = ']';
    body[size - 2] = ' ';
    body[size - 3] = '1';
    make_hook(&hook, "X-Sig", "0", (struct slice){ body, size });
    assert_true(hook.request.body_is_json);
    assert_int_equal(take(&bound, &hook, &arena, &events, &err),
                     STATUS_INVALID);
    assert_non_null(strstr(err.text, "event.max_batch allows 10000"));
    arena_fini(&arena);
    memset(body, '9', size); /* long */
    memcpy(body, "[{\"id\":", 7);
    memcpy(body + size - 2, "}]", 2);
    bound_fini(&bound);
    open_texts(&bound, SIGNED("{split: '$[*]', id: 'item:id'}"));
    make_hook(&hook, "X-Sig", "0", (struct slice){ body, size });
    assert_true(hook.request.body_is_json);
    assert_int_equal(take(&bound, &hook, &arena, &events, &err),
                     STATUS_INVALID);
    assert_non_null(strstr(err.text, "event.max_id allows 8192"));
    arena_fini(&arena);
    bound_fini(&bound);
    free(body);
}

/* ---- what is signed once is believed once ---- */

#define MAILGUN                                                                \
    "verify: {type: hmac, signature: {from: 'json:signature.signature'}, "     \
    "signed: '{json:signature.timestamp}{json:signature.token}'}\n"            \
    "event: {id: 'json:event-data.id', replay_key: 'json:signature.token'}\n"

static const struct sighting_key *
key_of(const struct sighting *sighting, enum key_role role)
{
    for (size_t i = 0; i < sighting->key_count; i++) {
        if (sighting->keys[i].role == role) {
            return &sighting->keys[i];
        }
    }
    return NULL;
}

static struct sighting
take_one(const struct bound *bound, const char *body, struct arena *arena)
{
    struct hook hook;
    struct extracted events;
    struct error err = { "" };
    make_hook(&hook, "X-Sig", "0", slice_of(body));
    if (take(bound, &hook, arena, &events, &err) != STATUS_OK) {
        fail_msg("%s: %s", body, err.text);
    }
    assert_int_equal(events.count, 1);
    return events.at[0];
}

static void
a_token_makes_two_bodies_one_request(void **state)
{
    (void)state;
    struct bound bound;
    struct arena arena = { 0 };
    open_texts(&bound, MAILGUN);
#define SENT(token, id)                                                        \
    "{\"signature\":{\"token\":\"" token "\"},\"event-data\":{\"id\":\"" id    \
    "\"}}"
    const struct sighting first = take_one(&bound, SENT("t", "a"), &arena);
    const struct sighting forged = take_one(&bound, SENT("t", "b"), &arena);
    const struct sighting other = take_one(&bound, SENT("u", "a"), &arena);
    assert_memory_equal(&key_of(&first, KEY_BODY)->key,
                        &key_of(&forged, KEY_BODY)->key, LEDGER_KEY_BYTES);
    assert_memory_not_equal(&key_of(&first, KEY_BODY)->key,
                            &key_of(&other, KEY_BODY)->key, LEDGER_KEY_BYTES);
    assert_memory_not_equal(&key_of(&first, KEY_ID)->key,
                            &key_of(&forged, KEY_ID)->key, LEDGER_KEY_BYTES);
    struct hook hook;
    struct extracted events;
    struct error err = { "" };
    make_hook(&hook, "X-Sig", "0", slice_of("{\"event-data\":{\"id\":\"a\"}}"));
    assert_int_equal(take(&bound, &hook, &arena, &events, &err),
                     STATUS_INVALID);
    assert_string_equal(err.text, "there is nothing at 'json:signature.token'");
    arena_fini(&arena);
    bound_fini(&bound);
}

/* An id inside of a body that `event.body` names is signed when all of what
 * that names is, and then needs no second key. */
static void
what_item_looks_into_is_signed_as_its_body_is(void **state)
{
    (void)state;
#define INNER(SIGNED_TEXT)                                                     \
    "verify: {type: hmac, signature: {from: 'header:X-Sig'}, signed: "         \
    "'" SIGNED_TEXT "'}\n"                                                     \
    "event: {id: 'item:id', stamp: 'item:at', body: 'json:Message'}\n"
    static const char body[] =
        "{\"Message\":\"{\\\"id\\\":1,\\\"at\\\":2}\",\"n\":1}";
    static const struct {
        const char *file;
        bool is_signed;
    } rows[] = { { INNER("{body}"), true },
                 { INNER("{json:Message}"), true },
                 { INNER("{json:n}"), false } };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct bound bound;
        struct arena arena = { 0 };
        open_texts(&bound, rows[i].file);
        const struct sighting one = take_one(&bound, body, &arena);
        assert_true(slice_equal_text(one.id, "1"));
        /* with nothing of the body signed its bytes say nothing either */
        assert_null(key_of(&one, KEY_BODY));
        assert_int_equal(extract_cover_template(
                             bound.connector.verify, bound.connector.event.body,
                             bound.connector.event.id, SIZE_MAX),
                         rows[i].is_signed);
        arena_fini(&arena);
        bound_fini(&bound);
    }
}

/* The bytes that identify are those that were signed, not those that are kept.
 */
static void
equal_bodies_are_one_however_little_is_kept(void **state)
{
    (void)state;
    struct bound bound;
    struct arena arena = { 0 };
    open_texts(&bound, SIGNED("{id: 'header:X-Sig', stamp: 'json:at', body: "
                              "'json:of'}"));
    const struct sighting a = take_one(&bound, "{\"at\":1,\"of\":{}}", &arena);
    const struct sighting b = take_one(&bound, "{\"at\":2,\"of\":{}}", &arena);
    const struct sighting c = take_one(&bound, "{\"at\":1,\"of\":{}}", &arena);
    assert_true(slice_equal(a.body, b.body));
    assert_memory_not_equal(&key_of(&a, KEY_BODY)->key,
                            &key_of(&b, KEY_BODY)->key, LEDGER_KEY_BYTES);
    assert_memory_equal(&key_of(&a, KEY_BODY)->key, &key_of(&c, KEY_BODY)->key,
                        LEDGER_KEY_BYTES);
    arena_fini(&arena);
    bound_fini(&bound);
}

static void
running_out_of_memory_is_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(shapes); i++) {
        struct bound bound;
        struct hook hook;
        open_texts(&bound, shapes[i].file);
        make_hook(&hook, "Content-Type", shapes[i].content_type,
                  slice_of(shapes[i].body));
        enum status status = STATUS_NOMEM;
        for (long n = 0; status == STATUS_NOMEM; n++) {
            struct arena arena = { 0 };
            struct extracted events;
            assert_true(n < 1000);
            (void)mem_fail_after(n, 0);
            status = take(&bound, &hook, &arena, &events, NULL);
            (void)mem_fail_after(-1, 0);
            arena_fini(&arena);
        }
        assert_int_equal(status, STATUS_OK);
        bound_fini(&bound);
    }
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
        cmocka_unit_test(what_is_kept_of_a_request_is_what_its_connector_says),
        cmocka_unit_test(what_cannot_be_taken_exactly_is_refused_with_words),
        cmocka_unit_test(an_id_is_what_was_sent_to_the_byte),
        cmocka_unit_test(a_bomb_is_refused_before_it_costs_anything),
        cmocka_unit_test(a_token_makes_two_bodies_one_request),
        cmocka_unit_test(what_item_looks_into_is_signed_as_its_body_is),
        cmocka_unit_test(equal_bodies_are_one_however_little_is_kept),
        cmocka_unit_test(running_out_of_memory_is_told),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
