/* SPDX-License-Identifier: MIT */
#include "harness/bound.h"

#include "base/instant.h"
#include "wire/digest.h"
#include "wire/json.h"
#include "wire/template.h"

/* ---- channels and parameters ---- */

#define VERIFY                                                                 \
    "verify: {type: hmac, signature: {from: 'header:X-Sig'},"                  \
    " signed: '{body}'}\n"
/* Signs one place of the body, and the elements of an array. */
#define SIGNS                                                                  \
    "verify: {type: hmac, signature: {from: 'header:X-S'}, signed: "           \
    "'{json:token}'}\n"
#define EACH                                                                   \
    "verify: {type: hmac, each: 'a[*]', signature: {from: 'item:s'}, signed: " \
    "'{item:id}'}\n"
#define EVENT "event: {id: 'json:id'}\n"
#define POLL                                                                   \
    "poll: {request: {url: '{var:base}/x/{var:tenant}'}, auth: {type: "        \
    "bearer}, items: '$[*]', record: {id: id}}\n"
#define BOTH                                                                   \
    "params: {tenant: {}, base: {default: 'https://x.test'}}\n" VERIFY EVENT   \
        POLL

struct channel_row {
    const char *entry;
    bool webhook;
    bool poll;
    const char *says; /* NULL: bound */
};

static const struct channel_row channel_rows[] = {
    { "with: {webhook_secret: s}", true, false, NULL },
    { "with: {webhook_secret: s, base: 'http://127.0.0.1:9'}", true, false,
      NULL },
    { "with: {tenant: t, api_key: k}", false, true, NULL },
    { "with: {tenant: t, api_key: k, webhook_secret: s}", true, true, NULL },
    { "with: {tenant: t, webhook_secret: s}", true, true,
      "'api_key' is missing in 'with'" },
    { "with: {api_key: k, webhook_secret: s}", true, true,
      "'tenant' is missing in 'with'" },
    { "{with: {webhook_secret: s}, poll: {every: 5m}}", true, true,
      "'api_key' is missing in 'with'" },
    { "with: {}", false, false,
      "can neither listen nor poll: give 'webhook_secret' to listen, or "
      "'tenant' and 'api_key' to poll" },
    { "{}", false, false, "can neither listen nor poll" },
    { "with: {webhook_secret: ''}", false, false, "'webhook_secret' is empty" },
    { "with: {webhook_secret: [s, '']}", true, false, "is empty" },
    { "with: {webhook_secret: []}", false, false, "" },
    { "with: {tenant: '', api_key: k}", false, true, "'tenant' is empty" },
    { "with: {tenat: t, api_key: k}", false, true,
      "unknown key 'tenat' in the parameters; did you mean 'tenant'?" },
    { "with: {webhook_secrets: s}", false, false,
      "did you mean 'webhook_secret'?" },
    { "with: {tenant: t, api_key: [k, l]}", false, true, "api_key" },
    { "with: {tenant: t, api_key: k, base: 'ftp://x'}", false, true, "'base'" },
    { "with: {tenant: t, api_key: k, base: 'http://x/v1'}", false, true,
      "scheme, host and port" },
    { "with: {tenant: t, api_key: k, base: 'http://x:1/'}", false, true, NULL },
};

static void
channels_follow_from_the_parameters_that_are_given(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(channel_rows) / sizeof(channel_rows[0]);
         i++) {
        const struct channel_row *row = &channel_rows[i];
        struct bound bound;
        bound_texts(&bound, BOTH, row->entry, "");
        const char *words = bound.words.ptr == NULL ? "" : bound.words.ptr;
        const bool right =
            row->says == NULL
                ? bound.status == STATUS_OK &&
                      bound.connector.has_webhook == row->webhook &&
                      bound.connector.has_poll == row->poll
                : bound.status == STATUS_CONFIG &&
                      strstr(words, row->says) != NULL;
        if (!right) {
            fail_msg("%s: webhook %d poll %d\n%s", row->entry,
                     bound.connector.has_webhook, bound.connector.has_poll,
                     words);
        }
        bound_fini(&bound);
    }
}

static void
a_list_without_parameters_is_read_when_asked_for(void **state)
{
    (void)state;
    static const char file[] =
        "poll: {request: {url: '{var:base}/x'}, items: '$[*]', record: {id: "
        "id}}\nparams: {base: {default: 'https://x.test'}}\n" VERIFY EVENT;
    static const struct {
        const char *entry;
        bool poll;
    } rows[] = {
        { "with: {webhook_secret: s}", false },
        { "{with: {webhook_secret: s}, poll: {every: 10s}}", true },
        { "with: {webhook_secret: s, base: 'http://127.0.0.1:9'}", true },
        { "with: {base: 'http://127.0.0.1:9'}", true },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct bound bound;
        bound_texts(&bound, file, rows[i].entry, "");
        bound_must(&bound);
        assert_int_equal(bound.connector.has_poll, rows[i].poll);
        const struct connector_param *base =
            connector_param_find(&bound.connector, slice_of("base"));
        assert_non_null(base);
        assert_true(base->given && base->count == 1);
        bound_fini(&bound);
    }
}

struct vault {
    unsigned read;
    bool broken;
};

static bool
read_secret(void *arg, const struct config_secret *secret,
            struct config_report *report, struct arena *arena,
            struct slice *ret_text)
{
    struct vault *vault = arg;
    vault->read++;
    if (vault->broken) {
        config_report_add(report, CONFIG_ERROR, secret->mark, "unreadable");
        return false;
    }
    assert_true(secret->from == SECRET_FILE ||
                secret->from == SECRET_CREDENTIAL);
    return arena_copy(arena, secret->text, ret_text) == STATUS_OK;
}

static void
secrets_come_from_files_and_credentials_too(void **state)
{
    (void)state;
    static const char *const entries[] = {
        "with: {webhook_secret_file: a.secret, tenant: t, "
        "api_key: 'credential:key'}",
        "with: {webhook_secret: ['credential:a', b], tenant: t, "
        "api_key_file: key}",
    };
    for (size_t i = 0; i < 4; i++) {
        struct bound bound;
        struct config_node *trees[2];
        struct vault vault = { 0, i >= 2 };
        const struct connector_env env = { .read_secret = read_secret,
                                           .arg = &vault };
        memset(&bound, 0, sizeof(bound));
        assert_int_equal(bound_tree(&bound, "f", slice_of(BOTH), &trees[0]),
                         STATUS_OK);
        assert_int_equal(
            bound_tree(&bound, "e", slice_of(entries[i % 2]), &trees[1]),
            STATUS_OK);
        struct config_binding binding = { .arena = &bound.arena,
                                          .report = &bound.report };
        assert_int_equal(connector_bind(&binding, slice_of("shop"),
                                        (struct config_mark){ 0 }, trees[0],
                                        trees[1], &env, &bound.connector),
                         STATUS_OK);
        assert_int_equal(vault.read, 2);
        /* One mistake for each secret: not another that it is missing. */
        assert_int_equal(bound.report.errors, vault.broken ? 2 : 0);
        assert_true(
            bound.connector.has_poll &&
            (i == 3 || i == 1 || vault.broken || bound.connector.has_webhook));
        bound_fini(&bound);
    }
}

/* ---- rules that span keys, and values ---- */

#define STATE_HEAD                                                             \
    VERIFY "event: {id: 'json:id'}\n"                                          \
           "poll: {request: {url: '{var:base}/x'}, items: '$[*]'}\n"
#define ROWS(record_)                                                          \
    VERIFY "poll: {request: {url: '{var:base}/x'}, items: '$[*]', record: "    \
           "{" record_ "}}\n"
#define WITH_BOTH "with: {webhook_secret: s, base: 'http://127.0.0.1:9'}\n"
#define TIMED     "cursor: {kind: time, from: at}, "
#define POLLED(rest_)                                                          \
    "poll: {request: {url: '{var:base}/x'}, items: '$[*]', record: {id: "      \
    "id}, " rest_ "}\n"

#define THIN(url_)                                                             \
    VERIFY "event: {id: 'json:id', mode: thin, fetch: {url: " url_ "}}\n"
#define RECOVERS VERIFY EVENT POLLED("")
#define AGAIN    "recover: {redeliver: {method: POST, url: '{request.url}/{id}', "

struct rule_row {
    const char *file;
    const char *entry;
    const char *says; /* NULL: bound */
};

static const struct rule_row rule_rows[] = {
    /* what a webhook must say */
    { VERIFY, "with: {webhook_secret: s}", "'event' needs an 'id'" },
    { VERIFY "event: {mode: signal}\n", "with: {webhook_secret: s}", NULL },
    { VERIFY "event: {mode: thin, id: 'json:id'}\n",
      "with: {webhook_secret: s}", "'thin' needs 'fetch'" },
    { VERIFY "event: {mode: thick, id: 'json:id'}\n",
      "with: {webhook_secret: s}", "full, thin, signal" },
    /* what is asked for one event */
    { THIN("'https://x.example/{json:id}'"), "with: {webhook_secret: s}",
      NULL },
    { THIN("'{var:base}/{id}', auth: {type: bearer}"),
      "with: {webhook_secret: s, base: 'http://127.0.0.1:9'}",
      "cannot fetch: 'api_key' is missing" },
    { THIN("'{var:base}/{id}', auth: {type: bearer}"),
      "with: {webhook_secret: s, base: 'http://127.0.0.1:9', api_key: k}",
      NULL },
    { THIN("'{var:base}/{id}', auth: {type: header}"),
      "with: {webhook_secret: s, base: 'http://127.0.0.1:9', api_key: k}",
      "'auth' needs a 'name'" },
    { THIN("'json:self'"), "with: {webhook_secret: s}",
      "needs the parameter 'base'" },
    { THIN("'json:self'"),
      "with: {webhook_secret: s, base: 'http://127.0.0.1:9'}", NULL },
    { THIN("'{cursor}'"), "with: {webhook_secret: s}", NULL },
    { THIN("'{query:id}'"), "with: {webhook_secret: s}", "unknown source" },
    { THIN("'https://x.example/{json:id}', gone: away"),
      "with: {webhook_secret: s}", "later, dead" },
    /* what brings an event whole that only the list has shown */
    { RECOVERS "recover: fetch\n", WITH_BOTH, "'fetch' needs a request" },
    { RECOVERS "recover: redeliver\n", WITH_BOTH,
      "'redeliver' needs a request" },
    { RECOVERS "recover: again\n", WITH_BOTH, "self, fetch, redeliver, none" },
    { RECOVERS "recover: none\n", WITH_BOTH, NULL },
    { RECOVERS "recover: {list_failed: {query: {status: failed}}, redeliver: "
               "none}\n",
      WITH_BOTH, NULL },
    { RECOVERS AGAIN "expect: 202}}\n", WITH_BOTH, NULL },
    { RECOVERS AGAIN "expect: 202}}\n", WITH_BOTH "recover: redeliver", NULL },
    { RECOVERS AGAIN "expect: 202}}\n",
      "recover: redeliver\nwith: {base: 'http://127.0.0.1:9'}",
      "needs a way in" },
    { RECOVERS AGAIN "body: a}}\n", WITH_BOTH, "takes no 'body'" },
    { RECOVERS AGAIN "expects: 202}}\n", WITH_BOTH, "unknown key 'expects'" },
    { VERIFY "event: {id: 'jsn:id'}\n", "with: {webhook_secret: s}",
      "unknown source" },
    { VERIFY "event: {id: 'json:id', type: 'jsn:type'}\n",
      "with: {webhook_secret: s}", "unknown source" },
    { VERIFY "event: {id: 'json:id', type: order.made}\n",
      "with: {webhook_secret: s}", NULL },
    { VERIFY "event: {id: 'json:id', stamp: 'header:X-Time'}\n",
      "with: {webhook_secret: s}", "must be inside the body" },
    { VERIFY "event: {id: 'json:id', stamp: 'json:at ?? header:X-Time'}\n",
      "with: {webhook_secret: s}", "must be inside the body" },
    { VERIFY "event: {id: 'json:id', stamp: '{json:at}{now}'}\n",
      "with: {webhook_secret: s}", "must be inside the body" },
    { VERIFY "event: {id: 'json:id', stamp: '{header:X-Topic}{json:at}'}\n",
      "with: {webhook_secret: s}", NULL },
    { VERIFY "event: {id: 'cursor'}\n", "with: {webhook_secret: s}",
      "unknown source" },
    { SIGNS "event: {id: 'json:id', replay_key: 'json:token'}\n",
      "with: {webhook_secret: s}", NULL },
    { SIGNS "event: {id: 'json:id', replay_key: 'json:token', stamp: "
            "'json:at'}\n",
      "with: {webhook_secret: s}", "not both" },
    { "verify: {type: token, from: 'header:X'}\nevent: {id: 'item:id', split: "
      "'$[*]', replay_key: 'header:Y'}\n",
      "with: {webhook_secret: s}", "a place of the element (item:)" },
    { EACH "event: {id: 'item:id', split: '$.a[*]'}\n",
      "with: {webhook_secret: s}", NULL },
    { EACH "event: {id: 'item:id', split: 'b[*]'}\n",
      "with: {webhook_secret: s}", "must be the same array" },
    { EACH "event: {id: 'json:id'}\n", "with: {webhook_secret: s}",
      "must be the same array" },
    { VERIFY "event: {id: 'json:id', body: 'jsn:a'}\n",
      "with: {webhook_secret: s}", "unknown source" },
    { VERIFY "event: {id: 'json:id', max_batch: 0}\n",
      "with: {webhook_secret: s}", "max_batch" },
    { VERIFY EVENT "event2: {}\n", "with: {webhook_secret: s}",
      "did you mean 'event'?" },
    /* verification */
    { "verify: {type: dsa}\n" EVENT, "with: {webhook_secret: s}",
      "'dsa' is not one of" },
    { "verify: {type: hmac, signed: '{body}'}\n" EVENT,
      "with: {webhook_secret: s}", "'signature.from' is missing" },
    { "verify: {type: hmac, signature: {from: 'header:X'}}\n" EVENT,
      "with: {webhook_secret: s}", "'signed' is missing" },
    { "verify: {type: token}\n" EVENT, "with: {webhook_secret: s}",
      "'from' is missing" },
    { "verify: {type: basic}\n" EVENT, "with: {webhook_secret: 'u:p'}", NULL },
    { "verify: {type: basic}\n" EVENT, "with: {webhook_secret: s}",
      "it must be user:password" },
    { "verify: {type: basic}\n" EVENT, "with: {webhook_secret: ':'}",
      "it must be user:password" },
    { "verify: {type: basic}\n" EVENT, "with: {webhook_secret: 'u:'}", NULL },
    { "verify: {type: hmac, signature: {from: 'header:X', kv: '='}, signed: "
      "'{body}'}\n" EVENT,
      "with: {webhook_secret: s}", "'kv' and 'name' go together" },
    { "verify: {type: hmac, key: {encoding: hex}, signature: {from: "
      "'header:X'}, signed: '{body}'}\n" EVENT,
      "with: {webhook_secret: xyz}", "it must be hex digits" },
    { "verify: {type: hmac, key: {encoding: base64, strip_prefix: whsec_}, "
      "signature: {from: 'header:X'}, signed: '{body}'}\n" EVENT,
      "with: {webhook_secret: whsec_}", "it must be base64" },
    { "verify: {type: ed25519, key: {encoding: hex}, signature: {from: "
      "'header:X'}, signed: '{body}'}\n" EVENT,
      "with: {webhook_secret: abcd}", "64 hex digits" },
    { "verify: {type: hmac, signature: {from: 'header:X', split: ', '}, "
      "signed: '{body}'}\n" EVENT,
      "with: {webhook_secret: s}", "must be one character" },
    { "verify: {type: hmac, signature: {from: 'header:X'}, signed: "
      "'{url}{body}'}\n" EVENT,
      "with: {webhook_secret: s}", "the signature covers the URL" },
    { "verify: {when: {x: 'json:a'}, type: token, from: 'header:X'}\n" EVENT,
      "with: {webhook_secret: s}", "one of 'equals', 'present', 'regex'" },
    { "verify: {when: {x: 'json:a', regex: '('}, type: token, from: "
      "'header:X'}\n" EVENT,
      "with: {webhook_secret: s}", "'regex'" },
    { "verify: {use: petstore}\n" EVENT, "with: {webhook_secret: s}", NULL },
    { "verify: {use: petstore, type: hmac}\n" EVENT,
      "with: {webhook_secret: s}", "'use' stands alone" },
    { VERIFY EVENT, "{with: {webhook_secret: s}, verify: {use: slack}}", NULL },
    { VERIFY EVENT "ack: {status: 301}\n", "with: {webhook_secret: s}",
      "an 'ack' is a 2xx" },
    { VERIFY EVENT "reject: {status: 410}\n", "with: {webhook_secret: s}",
      "never 410" },
    { VERIFY EVENT "reject: {status: 200}\n", "with: {webhook_secret: s}",
      "a 'reject' is a 4xx" },
    { VERIFY EVENT "handshake: {respond: {status: 200}}\n",
      "with: {webhook_secret: s}", "needs 'when'" },
    { VERIFY EVENT "handshake: {when: {x: method, equals: GET}, store_secret: "
                   "a}\n",
      "with: {webhook_secret: s}", "'store_secret': column 1: unknown source" },
    /* keys: both channels or none */
    { ROWS("id: id, key_time: at") "event: {id: 'json:id'}\n"
                                   "match: {mode: event}\n",
      WITH_BOTH, "'key_time' in one channel only" },
    { ROWS("id: id") "event: {id: 'json:id', key_time: 'json:at'}\n"
                     "match: {mode: event, same_id: true}\n",
      WITH_BOTH, "'key_time' in one channel only" },
    { ROWS("id: id, key_time: {from: at, unit: s}") "event: {id: 'json:id', "
                                                    "key_time: {from: "
                                                    "'json:at', unit: s}}\n"
                                                    "match: {mode: event, "
                                                    "same_id: true}\n",
      WITH_BOTH, NULL },
    { ROWS("id: id") EVENT "match: {mode: event, same_id: false}\n", WITH_BOTH,
      "must be true" },
    { ROWS("id: id") EVENT "match: {mode: signal}\n", WITH_BOTH,
      "'signal' is not one of" },
    { ROWS("id: id") EVENT "match: {mode: event, poll: '{id}'}\n", WITH_BOTH,
      "belong to 'mode: state'" },
    { ROWS("type: a") EVENT "match: {mode: event}\n", WITH_BOTH,
      "'record' needs an 'id'" },
    /* state keys have a version */
    { STATE_HEAD "match: {mode: state, webhook: '{json:id}:{json:v}', poll: "
                 "'{id}:{v}'}\n",
      WITH_BOTH, NULL },
    { STATE_HEAD "match: {mode: state, webhook: '{json:id}', poll: "
                 "'{id}:{v}'}\n",
      WITH_BOTH, "a state key needs the object and its version" },
    { STATE_HEAD "match: {mode: state, webhook: '{json:id}:{json:v}', poll: "
                 "'x:{id}'}\n",
      WITH_BOTH, "a state key needs the object and its version" },
    { STATE_HEAD "match: {mode: state, webhook: '{json:id}:{json:id}', poll: "
                 "'{id}:{v}'}\n",
      WITH_BOTH, "a state key needs the object and its version" },
    { STATE_HEAD "match: {mode: state, webhook: '{json:id}:{json:v} ?? "
                 "{json:id}', poll: '{id}:{v}'}\n",
      WITH_BOTH, "a state key needs the object and its version" },
    { STATE_HEAD "match: {mode: state, webhook: '{json:id}:{json:v}'}\n",
      WITH_BOTH, "needs both 'webhook' and 'poll'" },
    { STATE_HEAD "match: {mode: state, webhook: '{json:id}:{json:v}', poll: "
                 "'{id}:{v}', poll_time: v}\n",
      WITH_BOTH, "go together" },
    /* walks */
    { POLLED("retention: 40d"), "with: {base: 'http://127.0.0.1:9'}",
      "'keep_ids' (35d) is shorter than the provider's retention (40d)" },
    { POLLED("retention: 40d"),
      "{with: {base: 'http://127.0.0.1:9'}, keep_ids: 40d}", NULL },
    { POLLED("cursor: {kind: time, from: at, overlap: 36d}"),
      "with: {base: 'http://127.0.0.1:9'}", "shorter than the overlap" },
    { POLLED(TIMED "sweeps: [{every: 1h, overlap: 1d}]"),
      "with: {base: 'http://127.0.0.1:9'}", NULL },
    { POLLED(TIMED "sweeps: [{every: 1h, overlap: 36d}]"),
      "with: {base: 'http://127.0.0.1:9'}", "shorter than the overlap" },
    { POLLED(TIMED "sweeps: {every: 1h, overlap: 1s}"),
      "with: {base: 'http://127.0.0.1:9'}",
      "a sweep's overlap must be deeper than poll.overlap" },
    { POLLED("cursor: {kind: token, from: next}, "
             "sweeps: {every: 1h, overlap: 1d}"),
      "with: {base: 'http://127.0.0.1:9'}", "has no overlap" },
    { POLLED("cursor: {kind: time}"), "with: {base: 'http://127.0.0.1:9'}",
      "'cursor' needs 'from'" },
    { POLLED("cursor: {kind: heard, from: id}"),
      "with: {base: 'http://127.0.0.1:9'}", "'heard' is not one of" },
    { POLLED("pages: {kind: token}"), "with: {base: 'http://127.0.0.1:9'}",
      "'pages' needs 'from'" },
    { POLLED("pages: {kind: url}"), "with: {base: 'http://127.0.0.1:9'}",
      "needs 'from'" },
    { POLLED("pages: {kind: link, until_cursor: true}"),
      "with: {base: 'http://127.0.0.1:9'}", "'order: desc'" },
    { POLLED("auth: {type: header}"),
      "with: {base: 'http://127.0.0.1:9', api_key: k}",
      "'auth' needs a 'name'" },
    { POLLED("auth: {type: kerberos}"), "with: {base: 'http://127.0.0.1:9'}",
      "'kerberos' is not one of" },
    { POLLED("cursor: {kind: time, from: at, format: minute, tz: Nowhere}"),
      "with: {base: 'http://127.0.0.1:9'}", "'Nowhere' is no time zone" },
    { POLLED("cursor: {kind: time, from: at, format: minute, tz: UTC0}"),
      "with: {base: 'http://127.0.0.1:9'}", NULL },
    { POLLED("cursor: {kind: time, from: at, tz: UTC0}"),
      "with: {base: 'http://127.0.0.1:9'}", "format has no zone" },
    { "poll: {request: {url: '{var:base}/x?to={now}'}, items: '$[*]', record: "
      "{id: id}, cursor: {kind: time, from: at, format: date, tz: UTC0}}",
      "with: {base: 'http://127.0.0.1:9'}", "'tz' does not go with {now}" },
    { POLLED("interval: {from: [feed:sy:ttl]}"),
      "with: {base: 'http://127.0.0.1:9'}", "feed:sy:updatePeriod" },
    { POLLED("limit: {budget: '25'}"), "with: {base: 'http://127.0.0.1:9'}",
      "must be like \"25/1s\"" },
    { POLLED("conditional: [etag, always]"),
      "with: {base: 'http://127.0.0.1:9'}", "must be etag" },
    { POLLED("conditional: [etag, last_modified], limit: {gone: [410], "
             "retry_header: {header: X-Should-Retry}}, interval: {from: "
             "[Cache-Control.max-age, X-Interval]}"),
      "with: {base: 'http://127.0.0.1:9'}", NULL },
    { POLLED("interval: {from: 'feed:age'}"),
      "with: {base: 'http://127.0.0.1:9'}", "must be a field, FIELD" },
    { POLLED("limit: {gone: [gone]}"), "with: {base: 'http://127.0.0.1:9'}",
      "must be an HTTP status" },
    { POLLED("limit: {retry_header: {field: X}}"),
      "with: {base: 'http://127.0.0.1:9'}", "has one key, 'header'" },
    { POLLED("limit: {retry_header: 'X:'}"),
      "with: {base: 'http://127.0.0.1:9'}", "is no name of a field" },
    { POLLED("cursor: {kind: token, from: next, expired: [{status: 404}, "
             "{status: 409, x: 'json:error', regex: '^reset'}]}, resync: {}"),
      "with: {base: 'http://127.0.0.1:9'}", NULL },
    { POLLED("cursor: {kind: token, from: next, expired: [{}]}"),
      "with: {base: 'http://127.0.0.1:9'}", "needs 'status', or 'x'" },
    { POLLED("cursor: {kind: token, from: next, expired: [{status: 404, x: "
             "'json:error'}]}"),
      "with: {base: 'http://127.0.0.1:9'}", "a condition needs 'x'" },
    { POLLED("cursor: {kind: token, from: next, expired: [404]}"),
      "with: {base: 'http://127.0.0.1:9'}", "must be a mapping" },
    { "poll: {request: {url: '{var:base}/x?a={cursor}&b={until}'}, items: "
      "'$[*]', record: {id: id}, cursor: {kind: time, from: at, window: 1h, "
      "full: 100}}\n",
      "with: {base: 'http://127.0.0.1:9'}", NULL },
    { POLLED("cursor: {kind: time, from: at, window: 1h}"),
      "with: {base: 'http://127.0.0.1:9'}", "'window' and 'full' go together" },
    { POLLED("cursor: {kind: time, from: at, window: 1h, full: 9}"),
      "with: {base: 'http://127.0.0.1:9'}", "from {cursor} to {until}" },
    { POLLED("cursor: {kind: id, from: id, window: 1h, full: 9}"),
      "with: {base: 'http://127.0.0.1:9'}", "is for a time cursor" },
    { POLLED("cursor: {kind: time, from: at, window: 1h, full: 9}, pages: "
             "{size: 9}"),
      "with: {base: 'http://127.0.0.1:9'}", "goes on by its windows" },
    { POLLED("cursor: {kind: seen, keep: 5000}"),
      "with: {base: 'http://127.0.0.1:9'}", NULL },
    { POLLED("cursor: {kind: seen, keep: 0}"),
      "with: {base: 'http://127.0.0.1:9'}", "'keep'" },
    { POLLED("cursor: {kind: id, from: id, keep: 9}"),
      "with: {base: 'http://127.0.0.1:9'}", "belongs to 'kind: seen'" },
    { POLLED("cursor: {kind: seen}, order: desc, pages: {kind: link, "
             "until_cursor: true}"),
      "with: {base: 'http://127.0.0.1:9'}", "needs 'record.time'" },
    { POLLED("cursor: {kind: id, from: id, acks: true}, wait: 50s"),
      "with: {base: 'http://127.0.0.1:9'}", NULL },
    { POLLED("cursor: {kind: id, from: id, acks: true, overlap: 1m}"),
      "with: {base: 'http://127.0.0.1:9'}", "nothing can be read twice" },
    { VERIFY EVENT POLLED("exclusive_with_webhook: true"),
      "with: {base: 'http://127.0.0.1:9'}", NULL },
    { VERIFY EVENT POLLED("exclusive_with_webhook: true"),
      "with: {base: 'http://127.0.0.1:9', webhook_secret: s}",
      "leave out 'webhook_secret' to poll" },
    { POLLED("start: yesterday"), "with: {base: 'http://127.0.0.1:9'}",
      "an age such as 7d" },
    { POLLED("cron: '61 * * * *'"), "with: {base: 'http://127.0.0.1:9'}",
      "'cron'" },
    { POLLED(TIMED "overlap: auto, sweeps: {every: 1h, overlap: 2h}"),
      "with: {base: 'http://127.0.0.1:9'}", NULL },
    { POLLED(TIMED "overlap: auto, sweeps: {every: 1h, overlap: 1h}"),
      "with: {base: 'http://127.0.0.1:9'}",
      "deeper than poll.overlap may become (overlap_max)" },
    { POLLED(TIMED "sweeps: {every: 1h, overlap: auto}"),
      "with: {base: 'http://127.0.0.1:9'}", NULL },
    { POLLED(TIMED "overlap: auto, sweeps: {every: 1h, overlap: auto}"),
      "with: {base: 'http://127.0.0.1:9'}", "deeper than poll.overlap" },
    { POLLED(TIMED "sweeps: {every: 1h}"), "with: {base: 'http://127.0.0.1:9'}",
      "needs an 'overlap'" },
    { POLLED(TIMED "sweeps: {every: 1h, overlap: 500ms}"),
      "with: {base: 'http://127.0.0.1:9'}", "from 1s to 365d" },
    { POLLED(TIMED "sweeps: {every: 1h, overlap: 366d}"),
      "with: {base: 'http://127.0.0.1:9'}", "from 1s to 365d" },
    { POLLED(TIMED "overlap: automatic"), "with: {base: 'http://127.0.0.1:9'}",
      "'automatic' is not a duration" },
    { POLLED("overlap: auto, cursor: {kind: token, from: next}"),
      "with: {base: 'http://127.0.0.1:9'}", "cursor has no overlap" },
    { POLLED(TIMED "overlap: auto, overlap_max: 36d"),
      "with: {base: 'http://127.0.0.1:9'}", "shorter than the overlap" },
    { POLLED("pace: adaptive, fastest: 5s, slowest: 15m, cost: 60"),
      "with: {base: 'http://127.0.0.1:9'}", NULL },
    { POLLED("pace: adaptive, every: 5s"), "with: {base: 'http://127.0.0.1:9'}",
      NULL },
    { POLLED("pace: adaptive, cron: '@hourly'"),
      "with: {base: 'http://127.0.0.1:9'}", "give 'cron' or 'pace: adaptive'" },
    { POLLED("pace: adaptive, fastest: 2m"),
      "with: {base: 'http://127.0.0.1:9'}", "longer than 'slowest'" },
    { POLLED("pace: slow"), "with: {base: 'http://127.0.0.1:9'}",
      "'slow' is not one of" },
    { POLLED("gate: {url: '{var:base}/g', auth: none, json: {c: '{cursor}'}, "
             "go_when: {x: 'json:changes', equals: true}, backoff: "
             "'json:backoff', client_timeout: 150s}"),
      "with: {base: 'http://127.0.0.1:9'}", NULL },
    { POLLED("gate: {url: '{var:base}/g'}"),
      "with: {base: 'http://127.0.0.1:9'}", "'gate' needs 'go_when'" },
    { POLLED("indirect: {url: url, auth: same, allow: "
             "'^[a-z]+\\.files\\.test$'}"),
      "with: {base: 'http://127.0.0.1:9'}", NULL },
    { POLLED("setup: [{method: PUT, url: '{var:base}/events/enable'}]"),
      "with: {base: 'http://127.0.0.1:9'}", NULL },
    { POLLED("setup: {method: PUT}"), "with: {base: 'http://127.0.0.1:9'}",
      "needs a 'url'" },
    { POLLED("indirect: {auth: none}"), "with: {base: 'http://127.0.0.1:9'}",
      "'indirect' needs 'url'" },
    { POLLED("indirect: {url: url, allow: 'files.test'}"),
      "with: {base: 'http://127.0.0.1:9'}", "must begin with '^'" },
    { POLLED("indirect: {url: url, allow: '^(files.test$'}"),
      "with: {base: 'http://127.0.0.1:9'}", "'allow'" },
    { POLLED("interval: {min: 0}"),
      "{with: {base: 'http://127.0.0.1:9'}, poll: {every: 5m, cron: '@daily'}}",
      "" },
    { POLLED(""),
      "{with: {base: 'http://127.0.0.1:9'}, poll: {every: 5m, "
      "cron: '@daily'}}",
      "give 'every' or 'cron'" },
    { VERIFY EVENT, "{with: {webhook_secret: s}, poll: {every: 5m}}",
      "there is no list to poll" },
    { "poll: none\n" VERIFY EVENT "match: none\n", "with: {webhook_secret: s}",
      NULL },
    { "poll: {request: {url: '{var:base}/x', json: {a: 1}, form: {a: b}}, "
      "items: '$[*]', record: {id: id}}\n",
      "with: {base: 'http://127.0.0.1:9'}", "is a second body" },
    { "poll: {request: {url: '{secret}/x'}, items: '$[*]', record: {id: id}}\n",
      "with: {base: 'http://127.0.0.1:9'}", "needs a name" },
    { "poll: {request: {url: '{var:base}/x'}, record: {id: id}}\n",
      "with: {base: 'http://127.0.0.1:9'}", "'poll' needs 'items'" },
    /* who may send */
    { VERIFY EVENT,
      "{with: {webhook_secret: s}, webhook: {allow_from: [192.0.2.1/24]}}",
      "is no network" },
    { VERIFY EVENT,
      "{with: {webhook_secret: s}, webhook: {allow_from: [192.0.2.0/24, "
      "'2001:db8::/32'], rate: 100/s, max_body: 2MiB}}",
      NULL },
    { VERIFY EVENT, "{with: {webhook_secret: s}, webhook: {rate: fast}}",
      "must be like \"100/s\"" },
    { VERIFY EVENT, "{with: {webhook_secret: s}, webhook: off}",
      "must be a mapping" },
    { VERIFY EVENT "with: {webhook_secret: s}\n", "{}",
      "belongs into the configuration" },
    { VERIFY EVENT "repair: none\n", "with: {webhook_secret: s}",
      "unknown key 'repair'" },
};

/* A word in the configuration keeps the requests of the file. */
static void
one_word_says_how_rows_become_whole(void **state)
{
    (void)state;
    static const char file[] = RECOVERS AGAIN "expect: 202}}\n";
    static const struct {
        const char *entry;
        enum recover_mode mode;
        bool has_request;
    } rows[] = {
        { WITH_BOTH, RECOVER_SELF, true },
        { WITH_BOTH "recover: redeliver", RECOVER_REDELIVER, true },
        { WITH_BOTH "recover: none", RECOVER_NONE, true },
        { WITH_BOTH "recover: {mode: redeliver}", RECOVER_REDELIVER, true },
        { WITH_BOTH "recover: {redeliver: none}", RECOVER_SELF, false },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct bound bound;
        bound_texts(&bound, file, rows[i].entry, "");
        bound_must(&bound);
        const struct recover_spec *recover = &bound.connector.recover;
        assert_int_equal(recover->mode, rows[i].mode);
        assert_int_equal(recover->redeliver.request.url != NULL,
                         rows[i].has_request);
        bound_fini(&bound);
    }
}

static void
rules_are_held_and_mistakes_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rule_rows) / sizeof(rule_rows[0]); i++) {
        const struct rule_row *row = &rule_rows[i];
        struct bound bound;
        bound_texts(&bound, row->file, row->entry, "");
        const char *words = bound.words.ptr == NULL ? "" : bound.words.ptr;
        if (row->says == NULL ? bound.status != STATUS_OK
                              : bound.status != STATUS_CONFIG ||
                                    strstr(words, row->says) == NULL) {
            fail_msg("%s%s\nwanted: %s\n%s", row->file, row->entry,
                     row->says == NULL ? "no mistake" : row->says, words);
        }
        bound_fini(&bound);
    }
}

static void
a_mistake_names_the_place_of_its_key(void **state)
{
    (void)state;
    struct bound bound;
    bound_texts(&bound, VERIFY EVENT,
                "with:\n  webhook_secret: s\npoll:\n  every: 5m\nkeep_ids: 1\n"
                "webhok: {}\n",
                "");
    assert_int_equal(bound.status, STATUS_CONFIG);
    assert_non_null(strstr(bound.words.ptr, "longstop.yaml:3:1: error: there "
                                            "is no list to poll"));
    assert_non_null(strstr(bound.words.ptr, "longstop.yaml:5:11: error:"));
    assert_non_null(strstr(bound.words.ptr,
                           "longstop.yaml:6:1: error: unknown key 'webhok'"));
    bound_fini(&bound);
}

static void
what_is_not_written_has_its_default(void **state)
{
    (void)state;
    struct bound bound;
    bound_texts(&bound, POLLED("cursor: {kind: id, from: 'max(id)+1'}"),
                "with: {base: 'http://127.0.0.1:9'}", "");
    bound_must(&bound);
    const struct connector *c = &bound.connector;
    assert_int_equal(c->poll.every_ms, 60000);
    assert_int_equal(c->poll.overlap_ms, 5 * INSTANT_MINUTE_MS);
    assert_int_equal(c->poll.cursor.pick, PICK_MAX_PLUS_1);
    assert_true(c->poll.cursor.send);
    assert_int_equal(c->poll.start_kind, START_NOW);
    assert_int_equal(c->keep_ids_ms, 35 * INSTANT_DAY_MS);
    assert_int_equal(c->grace_ms, 5 * INSTANT_MINUTE_MS);
    assert_int_equal(c->ack.status, 202);
    assert_int_equal(c->reject.status, 401);
    assert_int_equal(c->poll.max_body, 16 << 20);
    bound_fini(&bound);

    bound_texts(&bound,
                POLLED("cursor: {kind: time, from: at, overlap: 7m, format: "
                       "unix_s}, pages: {kind: number}, limit: {budget: "
                       "50/1m, statuses: [403], reset: {from: 'header:R', "
                       "unit: delta_s}}"),
                "{with: {base: 'http://127.0.0.1:9/'}, poll: {every: 90s, "
                "start: 7d}, grace: 1m}",
                "");
    bound_must(&bound);
    assert_int_equal(c->poll.every_ms, 90000);
    assert_int_equal(c->poll.overlap_ms, 7 * INSTANT_MINUTE_MS);
    assert_int_equal(c->poll.cursor.granularity_ms, 1000);
    assert_int_equal(c->poll.pages.start, 1);
    assert_int_equal(c->poll.limit.budget, 50);
    assert_int_equal(c->poll.limit.budget_per_ms, 60000);
    assert_int_equal(c->poll.limit.reset_unit, RESET_DELTA_S);
    assert_int_equal(c->poll.limit.statuses[0], 403);
    assert_int_equal(c->poll.start_kind, START_AGO);
    assert_int_equal(c->poll.start_ms, 7 * INSTANT_DAY_MS);
    assert_int_equal(c->grace_ms, INSTANT_MINUTE_MS);
    assert_true(
        slice_equal_text(connector_param_find(c, slice_of("base"))->values[0],
                         "http://127.0.0.1:9"));
    bound_fini(&bound);
}

static void
a_first_request_may_stand_inside_the_lists_own(void **state)
{
    static const struct {
        const char *more;
        const char *url;
        size_t queries;
    } rows[] = {
        { "first_url: '{var:base}/first'", "{var:base}/first", 0 },
        { "first_query: {start: '{start}'}", "{var:base}/x", 1 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct bound bound;
        char text[512];
        (void)snprintf(text, sizeof(text),
                       "poll: {request: {url: '{var:base}/x', headers: {A: b}, "
                       "%s}, items: '$[*]', record: {id: id}, cursor: {kind: "
                       "token, from: next}}\n",
                       rows[i].more);
        bound_texts(&bound, text, "with: {base: 'http://127.0.0.1:9'}", NULL);
        bound_must(&bound);
        const struct request_spec *first = &bound.connector.poll.first;
        assert_true(slice_equal_text(template_source(first->url), rows[i].url));
        assert_int_equal(first->query_count, rows[i].queries);
        assert_int_equal(first->header_count, 1);
        bound_fini(&bound);
    }
}

static void
the_entry_is_laid_over_the_file(void **state)
{
    (void)state;
    struct bound bound;
    bound_texts(&bound,
                POLLED("cursor: {kind: time, from: at, overlap: 7m}, order: "
                       "asc"),
                "{with: {base: 'http://127.0.0.1:9'}, poll: {overlap: 3m, "
                "items: 'rows[*]', cursor: {from: changed}}}",
                "https://hooks.example.com/");
    bound_must(&bound);
    const struct poll_spec *poll = &bound.connector.poll;
    assert_int_equal(poll->overlap_ms, 3 * INSTANT_MINUTE_MS);
    assert_int_equal(poll->order, ORDER_ASC);
    assert_int_equal(poll->cursor.kind, CURSOR_TIME);
    assert_true(slice_equal_text(json_path_source(poll->items), "rows[*]"));
    assert_true(
        slice_equal_text(json_path_source(poll->cursor.from), "changed"));
    assert_true(slice_equal_text(bound.connector.public_url,
                                 "https://hooks.example.com/hooks/shop"));
    bound_fini(&bound);
}

static void
running_out_of_memory_is_told(void **state)
{
    (void)state;
    static const char file[] =
        "params: {tenant: {default: t}}\n"
        "verify:\n"
        "  - when: {x: 'header:X', regex: '^a'}\n"
        "    type: hmac\n"
        "    signature: {from: 'header:X'}\n"
        "    signed: ['{body}', '{url}']\n"
        "    assert: [['{query:a}', '{body|sha256|hex}']]\n"
        "handshake: {when: {x: method, equals: GET}, respond: {headers: {A: "
        "b}, json: {a: ['{query:c}', 1]}}}\n"
        "event: {id: 'json:id'}\n"
        "poll: {request: {url: '{var:base}/{var:tenant}', query: {a: b}, "
        "graphql: {query: 'q{a}', variables: {v: '{cursor}'}}}, items: "
        "'$[*]', record: {id: id, type: a/b, stands_for: [a, b], unlisted: "
        "[b]}, fail_when: "
        "{x: 'json:e', regex: 'b$'}, cron: '@daily', limit: {statuses: "
        "[1, 403]}}\n";
    static const char entry[] =
        "{with: {base: 'http://127.0.0.1:9', webhook_secret: [a, b]}, webhook: "
        "{allow_from: 192.0.2.0/24}}";
    bool whole = false;
    for (long n = 0; !whole && n < 5000; n++) {
        struct bound bound;
        (void)mem_fail_after(n, 0);
        bound_texts(&bound, file, entry, "https://h");
        (void)mem_fail_after(-1, 0);
        whole = bound.status != STATUS_NOMEM;
        if (whole) {
            assert_int_equal(bound.status, STATUS_CONFIG);
            assert_int_equal(bound.report.errors, 1); /* the status 1 */
        }
        bound_fini(&bound);
    }
    assert_true(whole);
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
        cmocka_unit_test(channels_follow_from_the_parameters_that_are_given),
        cmocka_unit_test(a_list_without_parameters_is_read_when_asked_for),
        cmocka_unit_test(secrets_come_from_files_and_credentials_too),
        cmocka_unit_test(one_word_says_how_rows_become_whole),
        cmocka_unit_test(rules_are_held_and_mistakes_told),
        cmocka_unit_test(a_mistake_names_the_place_of_its_key),
        cmocka_unit_test(what_is_not_written_has_its_default),
        cmocka_unit_test(a_first_request_may_stand_inside_the_lists_own),
        cmocka_unit_test(the_entry_is_laid_over_the_file),
        cmocka_unit_test(running_out_of_memory_is_told),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
