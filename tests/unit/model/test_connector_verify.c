/* SPDX-License-Identifier: MIT */
/* Alternatives whose key is public: their keys, and what they need. */
#include "harness/bound.h"

#include "wire/digest.h"

#define ALLOW "allow: '^https://keys\\.example\\.com/'"
#define RSA                                                                    \
    "type: rsa, signature: {from: 'header:S', encoding: base64}, signed: "     \
    "'{body}{var:account}'"
#define HOOK "event: {id: 'json:id'}\n"

struct row {
    const char *verify;
    const char *with;
    const char *says; /* NULL: bound */
};

static void
hold(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct bound bound;
        char file[2048];
        char entry[512];
        (void)snprintf(file, sizeof(file), "verify: {%s}\n" HOOK,
                       rows[i].verify);
        (void)snprintf(entry, sizeof(entry), "with: {%s}", rows[i].with);
        bound_texts(&bound, file, entry, "");
        const char *words = bound.words.ptr == NULL ? "" : bound.words.ptr;
        if (rows[i].says == NULL
                ? bound.status != STATUS_OK || !bound.connector.has_webhook
                : strstr(words, rows[i].says) == NULL) {
            fail_msg("%s with %s: %s", rows[i].verify, rows[i].with, words);
        }
        bound_fini(&bound);
    }
}

static void
a_key_that_is_fetched_says_from_where(void **state)
{
    (void)state;
    static const struct row rows[] = {
        { RSA ", key: {cert_url: 'header:C', " ALLOW "}", "account: a", NULL },
        { RSA ", key: {cert_url: 'header:C'}", "account: a", "go together" },
        { RSA ", key: {" ALLOW "}", "account: a, webhook_secret: s",
          "go together" },
        { RSA ", key: {cert_url: 'header:C', allow: '^https://x/'}",
          "account: a", NULL },
        { RSA ", key: {cert_url: 'header:C', allow: '^https://x.y/'}",
          "account: a", "write the host out" },
        { "type: hmac, signature: {from: 'header:S'}, signed: '{body}', key: "
          "{cert_url: 'header:C', " ALLOW "}",
          "", "is for 'type: rsa'" },
        { "type: hmac, signature: {from: 'header:S'}, signed: '{body}', key: "
          "{jwk: {url: 'https://x.y/'}}",
          "webhook_secret: s", "'jwk' is for" },
        { "type: jwt, from: 'header:T', alg: [ES256], key: {jwk: {body: k}}",
          "", "needs a 'url'" },
        { "type: jwt, from: 'header:T', alg: [ES256], key: {jwk: {url: "
          "'https://x.y/{kid}'}}",
          "", NULL },
    };
    hold(rows, sizeof(rows) / sizeof(rows[0]));
}

static void
a_token_says_what_signs_it(void **state)
{
    (void)state;
    static const struct row rows[] = {
        { "type: jwt, from: 'header:T', alg: [HS256]", "webhook_secret: s",
          NULL },
        { "type: jwt, token: 'header:T', alg: HS256", "webhook_secret: s",
          NULL },
        { "type: jwt, from: 'header:T'", "webhook_secret: s",
          "'alg' is missing" },
        { "type: jwt, from: 'header:T', alg: sha256", "webhook_secret: s",
          "'alg' is missing" },
        { "type: jwt, from: 'header:T', alg: [none]", "webhook_secret: s",
          "or for jwt a list of" },
        { "type: jwt, from: 'header:T', alg: [HS256, ES256]",
          "webhook_secret: s", "not both" },
        { "type: jwt, from: 'header:T', alg: [HS256], key: {jwk: {url: "
          "'https://x.y/'}}",
          "", "no shared secret is fetched" },
        { "type: jwt, alg: [HS256]", "webhook_secret: s", "'from' is missing" },
        { "type: jwt, from: 'header:T', alg: [HS256], signed: '{body}'",
          "webhook_secret: s", "has its own text" },
        { "type: jwt, from: 'header:T', alg: [HS256], claims: [a]",
          "webhook_secret: s", "list of pairs" },
        { "type: hmac, signature: {from: 'header:S'}, signed: '{body}', alg: "
          "[HS256]",
          "webhook_secret: s", "are for 'type: jwt'" },
        { "type: hmac, signature: {from: 'header:S'}, signed: '{body}', "
          "max_age: 5m",
          "webhook_secret: s", "are for 'type: jwt'" },
        { "type: hmac, signature: {from: 'header:S'}, signed: "
          "'{sig:t}.{body}'",
          "webhook_secret: s", "'sig:' needs 'split', 'kv' and 'name'" },
        { "type: hmac, signature: {from: 'header:S'}, signed: '{body}', "
          "timestamp: {from: 'sig:t'}",
          "webhook_secret: s", "'sig:' needs 'split', 'kv' and 'name'" },
        { "type: hmac, signature: {from: 'header:S', split: ',', kv: '=', "
          "name: v1}, signed: '{sig:t}.{body}'",
          "webhook_secret: s", NULL },
        { "type: hmac, signature: {from: 'header:S'}, signed: '{body}', alg: "
          "md5",
          "webhook_secret: s", "must be sha1" },
    };
    hold(rows, sizeof(rows) / sizeof(rows[0]));
}

static void
a_public_key_of_the_wrong_kind_is_refused_at_the_start(void **state)
{
    (void)state;
    static const struct {
        const char *verify, *file;
        bool fits;
    } rows[] = {
        { RSA, "rsa.pub.pem", true },
        { RSA, "cert.pem", true },
        { RSA, "ec.pub.pem", false },
        { RSA, "README.md", false },
        { "type: ecdsa, signature: {from: 'header:S', encoding: base64}, "
          "signed: '{body}'",
          "ec.pub.pem", true },
        { "type: ecdsa, signature: {from: 'header:S', encoding: base64}, "
          "signed: '{body}'",
          "rsa.pub.pem", false },
        { "type: jwt, from: 'header:T', alg: [ES256]", "ec.pub.pem", true },
        { "type: jwt, from: 'header:T', alg: [ES256]", "ec384.pub.pem", false },
        { "type: jwt, from: 'header:T', alg: [ES256]", "rsa.pub.pem", false },
        { "type: jwt, from: 'header:T', alg: [ES256, RS256]", "rsa.pub.pem",
          true },
        { "type: jwt, from: 'header:T', alg: [ES256]", "edcert.pem", false },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct bound bound;
        struct arena arena = { 0 };
        struct buf entry = { 0 };
        char file[512];
        char path[512];
        size_t len = 0;
        (void)snprintf(path, sizeof(path), TEST_DATA_DIR "/keys/%s",
                       rows[i].file);
        (void)snprintf(file, sizeof(file),
                       "params: {account: {}}\nverify: {%s}\n" HOOK,
                       rows[i].verify);
        const char *key = bound_read(path, &arena, &len);
        buf_text(&entry, "with: {account: a, webhook_secret: ");
        buf_json(&entry, (struct slice){ key, len });
        buf_text(&entry, "}");
        bound_texts(&bound, file, entry.ptr, "");
        if ((bound.status == STATUS_OK) != rows[i].fits) {
            fail_msg("%s with %s: %s", rows[i].verify, rows[i].file,
                     bound.words.ptr == NULL ? "bound" : bound.words.ptr);
        }
        bound_fini(&bound);
        buf_fini(&entry);
        arena_fini(&arena);
    }
}

static void
webhooks_without_a_secret_follow_from_the_other_parameters(void **state)
{
    (void)state;
    static const char signs_account[] =
        "verify: {" RSA ", key: {cert_url: 'header:C', " ALLOW "}}\n"
        "handshake: {when: {x: 'json:confirm', present: true}, request: {url: "
        "'json:confirm', " ALLOW "}}\n" HOOK
        "poll: {request: {url: 'https://x.y/'}, auth: {type: bearer}, items: "
        "'$[*]', record: {id: id}}\n";
    static const char asks_key[] =
        "verify: {type: jwt, from: 'header:T', alg: [ES256], key: {jwk: {url: "
        "'https://x.y/', json: {id: '{var:client}', key: '{kid}'}}}}\n" HOOK;
    static const struct {
        const char *file, *entry;
        const char *says; /* NULL: bound */
        bool webhook, poll;
    } rows[] = {
        { signs_account, "with: {account: a}", NULL, true, false },
        { signs_account, "with: {account: a, api_key: k}", NULL, true, true },
        { signs_account, "with: {api_key: k}", NULL, false, true },
        { signs_account, "with: {account: a, link_base: 'http://127.0.0.1:9'}",
          NULL, true, false },
        { signs_account, "with: {account: a, link_base: 'http://x/y'}",
          "'link_base' is scheme, host and port", true, false },
        { signs_account, "with: {account: a, webhook_secret: s}",
          "unknown key 'webhook_secret'", true, false },
        { signs_account, "with: {}",
          "give 'account' to listen, or 'api_key' to poll", false, false },
        { asks_key, "with: {client: c}", NULL, true, false },
        { asks_key, "with: {}", "give 'client' to listen", false, false },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct bound bound;
        bound_texts(&bound, rows[i].file, rows[i].entry, "");
        const char *words = bound.words.ptr == NULL ? "" : bound.words.ptr;
        const bool right =
            rows[i].says != NULL
                ? strstr(words, rows[i].says) != NULL
                : bound.status == STATUS_OK &&
                      bound.connector.has_webhook == rows[i].webhook &&
                      bound.connector.has_poll == rows[i].poll;
        if (!right) {
            fail_msg("%s: webhook %d poll %d %s", rows[i].entry,
                     bound.connector.has_webhook, bound.connector.has_poll,
                     words);
        }
        bound_fini(&bound);
    }
}

static void
a_handshake_that_fetches_must_be_genuine_and_bounded(void **state)
{
    (void)state;
    static const struct {
        const char *handshake, *says;
    } rows[] = {
        { "request: {url: 'json:u'}", "needs 'url' and 'allow'" },
        { "request: {" ALLOW "}", "needs 'url' and 'allow'" },
        { "verify: false, request: {url: 'json:u', " ALLOW "}",
          "must be verified" },
        { "request: {url: 'json:u', method: POST, " ALLOW "}", "must be GET" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct bound bound;
        char file[1024];
        (void)snprintf(
            file, sizeof(file),
            "verify: {type: token, from: 'header:T'}\n"
            "handshake: {when: {x: 'json:u', present: true}, %s}\n" HOOK,
            rows[i].handshake);
        bound_texts(&bound, file, "with: {webhook_secret: s}", "");
        assert_int_equal(bound.status, STATUS_CONFIG);
        if (strstr(bound.words.ptr, rows[i].says) == NULL) {
            fail_msg("%s: %s", rows[i].handshake, bound.words.ptr);
        }
        bound_fini(&bound);
    }
}

static void
a_certificate_alone_is_warned_of(void **state)
{
    (void)state;
    static const struct {
        const char *more;
        bool warned;
    } rows[] = { { "", true },
                 { ", assert: [['{json:to}', fixed]]", true },
                 { ", assert: [['{json:to}', '{var:account}']]", false } };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct bound bound;
        char file[1024];
        (void)snprintf(file, sizeof(file),
                       "params: {account: {}}\n"
                       "verify: {type: rsa, signature: {from: 'header:S'}, "
                       "signed: '{body}', key: {cert_url: 'header:C', " ALLOW
                       "}%s}\n" HOOK,
                       rows[i].more);
        bound_texts(&bound, file, "with: {account: a}", "");
        bound_must(&bound);
        assert_int_equal(bound.report.warnings, rows[i].warned);
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
        cmocka_unit_test(a_key_that_is_fetched_says_from_where),
        cmocka_unit_test(a_token_says_what_signs_it),
        cmocka_unit_test(
            a_public_key_of_the_wrong_kind_is_refused_at_the_start),
        cmocka_unit_test(
            webhooks_without_a_secret_follow_from_the_other_parameters),
        cmocka_unit_test(a_handshake_that_fetches_must_be_genuine_and_bounded),
        cmocka_unit_test(a_certificate_alone_is_warned_of),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
