/* SPDX-License-Identifier: MIT */
/*
 * connector: one provider account as configured: how it signs, where its ids
 * are, how its list is read. Values only; bound once from YAML, never changed.
 *
 * The tables in connector.c are the reference of the vocabulary;
 * connectors/README.md tells it in prose.
 */
#ifndef MODEL_CONNECTOR_H
#define MODEL_CONNECTOR_H

#include "base/bytes.h"
#include "base/mem.h"
#include "config/config_bind.h"
#include "config/config_key.h"
#include "model/address.h"
#include "model/connector_request.h"
#include "wire/digest.h"
#include "wire/http_field.h"
#include "wire/timefmt.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fetch_spec;
struct json_path;
struct jwt_alg;
struct pattern;
struct stream_spec;
struct template;
struct zone;

/* A parameter: `{var:NAME}` or `{secret:NAME}`. */
struct connector_param {
    struct slice name;
    bool secret;
    bool given;                /* by the configuration, or a default */
    bool asked;                /* requests of the list name it */
    bool registers;            /* requests of `register` name it */
    bool kept;                 /* not given: kept beside the store */
    struct slice *values;      /* more than one only for webhook_secret */
    struct config_mark *marks; /* of the values */
    size_t count;
    struct config_mark mark;
};

/* A condition on a request: `when`, `fail_when`. Exactly one test is set. */
struct condition {
    const struct template *x;
    enum { CONDITION_PRESENT, CONDITION_EQUALS, CONDITION_REGEX } test;
    bool present;
    struct slice equals;
    struct pattern *regex;
};

struct conditions {
    struct condition *at;
    size_t count;
};

enum verify_type {
    VERIFY_HMAC,
    VERIFY_HASH,
    VERIFY_TOKEN,
    VERIFY_BASIC,
    VERIFY_ED25519,
    VERIFY_ECDSA,
    VERIFY_RSA,
    VERIFY_JWT,
    VERIFY_NONE /* of streams only: whoever opened it vouches */
};

enum encoding { ENCODING_UTF8, ENCODING_HEX, ENCODING_BASE64 };

/* A secret, prepared for one alternative. */
struct verify_key {
    struct slice text;  /* as configured, for {secret}; empty where the key is
                           fetched and no secret is given */
    struct slice bytes; /* decoded; a public key as SubjectPublicKeyInfo */
    struct digest_key *hmac; /* VERIFY_HMAC only */
};

/* A claim of a token that must be what the template says. */
struct claim_spec {
    struct slice name;
    const struct template *wanted;
};

/* One alternative of `verify`; the first whose `when` holds decides alone. */
struct verify_rule {
    enum verify_type type;
    enum digest_alg alg;
    struct conditions when;
    enum encoding key_encoding;
    struct slice key_strip;      /* "whsec_" */
    const struct template *from; /* where the signature or token stands */
    char split;                  /* 0: one signature */
    char kv;                     /* 0: no names */
    bool trim;                   /* blanks around elements do not count */
    struct slice name;           /* the element that counts: "v1" */
    enum encoding signature_encoding;
    bool compare_bytes;               /* else the encoded texts are compared */
    const struct template *timestamp; /* NULL: none */
    enum timefmt timestamp_unit;
    int64_t tolerance_ms;
    const struct template **signed_texts; /* any may match */
    size_t signed_count;
    const struct json_path *each; /* verify every element of a batch */
    const struct template *(*asserts)[2];
    size_t assert_count;
    struct slice *require_headers;
    size_t require_count;
    /* Where the public key is fetched from, unless it is a secret. */
    const struct template *cert_url; /* RSA, ECDSA: in the request */
    struct pattern *cert_allow;      /* which URLs may be */
    struct fetch_spec *jwk;          /* JWT: asked for the token's `kid` */
    const struct jwt_alg **jwt_algs; /* JWT: the ones that are believed */
    size_t jwt_alg_count;
    int64_t max_age_ms; /* JWT: of `iat`; 0: any */
    struct claim_spec *claims;
    size_t claim_count;
    /* Prepared from the secrets: one key for each that fits. */
    struct verify_key *keys;
    size_t key_count;
};

/* A stretch of a JSON answer: text as it stands, then a place (or none) that
 * goes in as a string. */
struct answer_piece {
    struct slice literal;
    const struct template *place;
};

/* An answer of ours: ack, reject, respond. */
struct answer_spec {
    unsigned status;
    struct slice type;
    const struct template *body; /* NULL: empty */
    bool json_body;              /* `json:` was given, see pieces */
    struct answer_piece *pieces;
    size_t piece_count;
    struct http_field *fields;
    const struct template **field_values;
    size_t field_count;
};

/* A URL in a request that is to be fetched before we answer. */
struct confirm_spec {
    const struct template *url; /* NULL: none */
    struct pattern *allow;
};

struct handshake {
    struct conditions when;
    bool verify;
    struct confirm_spec confirm;
    bool pending; /* answered only while `subscribe` is at it */
    bool leaving; /* the same while `subscribe --remove` is */
    const struct template *(*asserts)[2]; /* pairs that must be equal then */
    size_t assert_count;
    const struct template *store_secret; /* the secret that it brings; NULL */
    struct answer_spec respond;
};

/* A request for one event: for its object, or for its webhook once more. */
struct fetch_spec {
    struct request_spec request;  /* url NULL: none */
    bool is_link;                 /* the URL itself comes with the event */
    struct auth_spec *auth;       /* NULL: as the list's */
    const struct json_path *body; /* of the answer, that is the event's body */
    unsigned expect;              /* the status that means yes; 0: any 2xx */
    enum { GONE_LATER, GONE_DEAD } gone; /* what follows 404 and 410 */
};

/* `thin`: what comes only names what happened, and the object is fetched.
 * `signal`: nothing is stored, a walk is asked for. */
enum event_mode { EVENT_FULL, EVENT_THIN, EVENT_SIGNAL };

/* How a request holds its events: as the connector says, or as CloudEvents in
 * whichever mode they come. */
enum event_format { EVENT_FORMAT_OWN, EVENT_FORMAT_CLOUDEVENTS };

/* What a webhook request says about its events. */
struct event_spec {
    enum event_format format;
    const struct json_path *split; /* NULL: one event a request */
    bool split_feed;               /* the elements are entries of RSS or Atom */
    int64_t max_batch;             /* of its events; 0: no limit */
    const struct template *body;   /* what is kept of each; NULL: all */
    const struct template *id;
    int64_t max_id; /* bytes of an id or a type; 0: no limit */
    const struct template *type;
    const struct template *time; /* NULL: none */
    enum timefmt time_unit;
    const struct template
        *key_time; /* see identity.h; NULL: bucket of receipt */
    enum timefmt key_time_unit;
    const struct template *stamp; /* what makes equal bodies one webhook where
                                     the id is not signed; NULL: nothing */
    const struct template *replay_key; /* what is signed once in its place */
    const struct json_path *data; /* what handlers get as `data`; NULL: all */
    enum event_mode mode;
    struct fetch_spec fetch; /* of EVENT_THIN */
};

enum list_order { ORDER_NONE, ORDER_ASC, ORDER_DESC };

enum cursor_kind {
    CURSOR_TIME,
    CURSOR_ID,
    CURSOR_TOKEN,
    CURSOR_SEEN, /* nothing is sent: the ledger says what is new */
    CURSOR_NONE
};

/* first(p), last(p), max(p), max(p)+1, or plain p (of the answer, for token) */
enum pick { PICK_MAX, PICK_FIRST, PICK_LAST, PICK_MAX_PLUS_1 };

/* An answer that says that the cursor is worth nothing any more. */
struct expired_spec {
    unsigned status;        /* 0: any */
    struct conditions when; /* besides; all must hold */
};

struct cursor_spec {
    enum cursor_kind kind;
    enum pick pick;
    const struct json_path *from; /* in a row; in the answer for TOKEN */
    enum timefmt parse;           /* how rows write it */
    enum timefmt format;          /* how it is sent */
    bool inclusive; /* false: the largest minus granularity is sent */
    int64_t granularity_ms;
    int64_t overlap_ms; /* what `poll.overlap` is where it is not given */
    int64_t settle_ms;
    int64_t window_ms; /* ask for so much at a time; 0: for all of it */
    int64_t full;      /* so many rows, and an answer may hide more */
    bool acks;    /* sending it makes the provider forget what lies before */
    int64_t keep; /* SEEN: ids kept at least; the ledger keeps more */
    bool send;    /* false: the server has no filter, we stop ourselves */
    const struct template *tz;    /* whose clocks the list goes by; NULL: UTC */
    const struct zone *zone;      /* that, once it is known */
    bool numeric;                 /* ids compare by length, then text */
    const struct template *start; /* value before anything was seen */
    struct expired_spec *expired; /* any of them */
    size_t expired_count;
};

enum page_kind {
    PAGE_NONE,
    PAGE_LINK,
    PAGE_URL,
    PAGE_TOKEN,
    PAGE_LAST_ID,
    PAGE_CURSOR,
    PAGE_NUMBER,
    PAGE_OFFSET
};

struct page_spec {
    enum page_kind kind;
    const struct template *from;  /* URL, TOKEN: where in the answer */
    const struct json_path *last; /* LAST_ID, or TOKEN's last(p): in a row */
    struct slice base;            /* URL: what relative ones resolve against */
    const struct json_path *more; /* false, 0, null, absent: the last page */
    const struct json_path *done; /* true: the last page */
    bool stop_empty;              /* URL: an empty page ends the walk */
    int64_t size;                 /* fewer rows end the walk; 0: not known */
    int64_t start;                /* NUMBER: the first page, OFFSET: 0 */
    const struct template *total; /* NUMBER: how many pages */
    bool restart;      /* ascending list paged by position: rows may move */
    bool until_cursor; /* newest first: stop once a page lies below a */
};

struct limit_spec {
    int64_t budget;        /* requests … */
    int64_t budget_per_ms; /* … in so long; 0: no budget */
    const struct template *remaining;
    const struct template *reset;
    enum { RESET_EPOCH_S, RESET_EPOCH_MS, RESET_DELTA_S } reset_unit;
    const struct template *used_of; /* "32/40" */
    const struct template **retry_after;
    size_t retry_after_count;
    int64_t *statuses; /* besides 429 and 503 */
    size_t status_count;
    int64_t floor_ms;          /* the least wait after being limited */
    struct slice retry_header; /* "true", "false": is asking again any use? */
    int64_t *gone;             /* statuses of a list that is no more */
    size_t gone_count;
};

/* A field, or one directive of it, that says how long an answer stays right. */
struct interval_source {
    struct slice field;
    struct slice directive; /* "max-age"; empty: the whole field */
    bool of_feed;           /* `field` is a member of the feed instead: "ttl" */
};

enum { CONDITIONAL_ETAG = 1, CONDITIONAL_LAST_MODIFIED = 2 };

/* What a row of the list says about its event. */
struct record_spec {
    const struct template *id;
    const struct template *type;
    const struct template *time;
    enum timefmt time_unit;
    const struct template *key_time;
    enum timefmt key_time_unit;
    const struct json_path *body; /* part of the row that is the event's body */
    const struct json_path *data;
    const struct json_path *headers; /* the webhook's fields, in the row */
    struct fetch_spec fetch;         /* of a row; none: event.fetch */
    struct slice *stands_for;        /* globs of webhook types a row may be */
    size_t stands_for_count;
    struct slice *unlisted; /* globs of webhook types that no row is */
    size_t unlisted_count;
};

/* A detail request for each row that is not known yet. */
struct follow_spec {
    bool on;
    const struct template *url;
    const struct json_path *body;    /* in the answer */
    const struct json_path *headers; /* the webhook's fields, in the answer */
};

/* A request that the provider holds until the list has something to show. */
struct gate_spec {
    struct request_spec request; /* url NULL: there is none */
    enum { GATE_AUTH_SAME, GATE_AUTH_NONE } auth;
    struct conditions go_when;
    const struct template *backoff; /* seconds */
    int64_t timeout_ms;
};

/* An answer that only says where its rows are. */
struct indirect_spec {
    const struct template *url; /* in the answer; NULL: rows are in it */
    struct pattern *allow;      /* hosts besides the list's own; NULL: none */
    enum { INDIRECT_AUTH_NONE, INDIRECT_AUTH_SAME } auth;
};

enum poll_pace { PACE_FIXED, PACE_ADAPTIVE };

/* A slower walk over the same list, with an overlap and a watermark of its own:
 * what becomes visible late costs a deep reading only now and then. */
struct sweep_spec {
    int64_t every_ms;
    int64_t overlap_ms;
    int64_t overlap_most_ms; /* as in poll_spec */
};

/* What `overlap: auto` is until its bounds are known. */
#define OVERLAP_AUTO INT64_C(-1)

struct poll_spec {
    bool declared; /* the connector says how */
    enum poll_pace pace;
    int64_t every_ms;
    int64_t fastest_ms; /* these three for PACE_ADAPTIVE, see pace.h */
    int64_t slowest_ms;
    int64_t cost_s;
    struct slice cron;     /* empty: `every` */
    const void *cron_plan; /* compiled, see cadence.h */
    int64_t overlap_ms;
    int64_t overlap_most_ms;   /* the deepest it may become; 0: it stays */
    int64_t overlap_max_ms;    /* the key that bounds that */
    struct config_list sweeps; /* of struct sweep_spec: tiers 1, 2, … */
    int64_t settle_ms;
    int64_t retention_ms; /* 0: not known */
    /* `start`: where the very first walk begins. */
    enum poll_start { START_NOW, START_AT, START_AGO } start_kind;
    int64_t start_ms; /* a point, or an age */
    int64_t interval_min_ms;
    struct slice interval_header; /* X-Poll-Interval */
    struct interval_source *interval_from;
    size_t interval_from_count;
    struct config_list setup; /* of struct request_spec: before the first walk
                                 of all */
    struct request_spec request;
    struct request_spec first; /* url NULL: none */
    const struct template *first_cursor;
    enum pick first_pick; /* of the rows of that answer */
    struct slice first_else;
    struct request_spec resync; /* in its place once a cursor was refused */
    const struct template *resync_cursor;
    enum pick resync_pick;
    struct auth_spec auth;
    struct conditions fail_when;
    const struct json_path *items;
    bool items_in_feed;  /* rows are the entries of RSS or Atom, see feed.h */
    bool items_optional; /* an answer without the place has no rows */
    enum list_order order;
    bool reverse;
    struct cursor_spec cursor;
    struct page_spec pages;
    unsigned conditional; /* which validators are sent back */
    struct limit_spec limit;
    struct record_spec record;
    struct follow_spec follow;
    struct indirect_spec indirect;
    struct gate_spec gate;
    bool exclusive;     /* no list while the provider sends webhooks */
    int64_t wait_ms;    /* how long the list itself holds a request that it has
                           nothing for; 0: it answers at once */
    int64_t timeout_ms; /* of one request */
    int64_t max_body;   /* of one answer, decoded */
    int64_t max_pages;  /* of one walk; 0: none */
    int64_t backfill_rate;        /* requests of a backfill … */
    int64_t backfill_rate_per_ms; /* … in so long */
};

/*
 * How an event comes whole that only a walk has shown. RECOVER_NONE says that
 * the provider offers nothing for it: as RECOVER_SELF, the row is delivered.
 */
enum recover_mode {
    RECOVER_SELF,      /* the row is what there is */
    RECOVER_FETCH,     /* its object is fetched before the first attempt */
    RECOVER_REDELIVER, /* the provider is asked to send the webhook again */
    RECOVER_NONE
};

/* A value that tells a row that failed, or does not. */
struct failed_where {
    const struct json_path *path;
    struct slice text;
    bool negated;
};

/* Where the provider lists what it could not deliver. */
struct failed_spec {
    bool declared;
    struct request_spec request;   /* url NULL: the list's */
    const struct json_path *items; /* NULL: the list's */
    const struct template *id;     /* NULL: record.id */
    const struct json_path *next;  /* the next page; NULL: the field Link */
    struct failed_where *where;    /* all of them */
    size_t where_count;
};

struct recover_spec {
    enum recover_mode mode;
    struct fetch_spec redeliver;
    struct failed_spec list_failed; /* asked when people say so */
};

/* A value that a hook in a provider's list must have. */
struct register_test {
    const struct json_path *path;
    const struct template *value;
};

/* Which hooks there are already, and which of them is ours. */
struct register_list {
    struct request_spec request; /* url NULL: the provider shows none */
    const struct json_path *items;
    const struct json_path *next; /* the next page; NULL: the field Link */
    const struct json_path *id;
    const struct json_path *events; /* what it is registered for */
    struct register_test *find;     /* all of them: it is ours */
    size_t find_count;
    struct register_test *want; /* all of them: it is as it should be */
    size_t want_count;
};

struct register_request {
    struct request_spec request; /* url NULL: there is none */
    const struct json_path *id;  /* of `create`: in the answer */
    unsigned expect;             /* 0: any 2xx */
};

/* Where the secret of a hook comes from. */
struct register_secret {
    enum register_secret_by {
        SECRET_BY_PEOPLE, /* one for all hooks, and no request shows it */
        SECRET_OURS,      /* we make it up and send it as {generated} */
        SECRET_ANSWERED,  /* the answer to `create` has it, and no other */
        SECRET_ASKED      /* a request of its own brings it */
    } by;
    int generate;                 /* enum register_alphabet */
    const struct json_path *from; /* in the answer */
    struct request_spec request;  /* of SECRET_ASKED */
    struct slice words;           /* of SECRET_BY_PEOPLE: where it is found */
};

enum register_alphabet { ALPHABET_TEXT, ALPHABET_HEX, ALPHABET_WHSEC };

/* How a provider is told of us, and of us no longer. */
struct register_spec {
    bool declared;               /* there is something to send */
    struct config_texts by_hand; /* what people have to do where not */
    struct config_texts events;  /* what we want to hear of */
    bool all_events;        /* `events: []`: of all, unless some are said */
    bool per_event;         /* a hook for each of them */
    struct auth_spec *auth; /* NULL: as the list's */
    struct conditions fail_when;
    struct register_list list;
    struct slice id_as; /* the parameter that the hook's id is; or empty */
    struct register_request create;
    struct register_request update;
    struct register_request remove;
    struct register_request renew;
    int64_t renew_every_ms; /* 0: it lasts */
    struct register_secret secret;
    struct config_texts ports; /* the only ones it delivers to */
    bool https;                /* it delivers to nothing else */
    int64_t check_every_ms;    /* 0: never */
    int64_t pending_ms; /* so long it may take from the request to the last of
                           its handshakes */
};

enum match_mode { MATCH_NONE, MATCH_EVENT, MATCH_STATE };

struct match_spec {
    enum match_mode mode;
    const struct template *webhook; /* state: the key, from the request */
    const struct template *poll;    /* and from the row */
    /* The version stamp inside both keys, when both can name it. */
    const struct template *webhook_time;
    const struct template *poll_time;
    enum timefmt time_unit;
    int64_t grace_ms;
};

struct webhook_spec {
    struct cidr *allow_from;
    size_t allow_count;   /* 0: from anywhere */
    int64_t rate;         /* requests … */
    int64_t rate_per_ms;  /* … in so long; 0: no limit */
    int64_t max_body;     /* 0: the listener's */
    int64_t silent_after; /* see silence.h */
};

struct connector {
    struct slice name; /* as the configuration calls it */
    struct config_mark mark;
    struct slice use; /* the file it is made from */
    struct slice title;
    struct config_texts unconfirmed; /* facts its file takes for granted */
    uint32_t id;  /* the store's number; 0 until the store is open */
    bool rekeyed; /* the store has events with keys by other words */
    struct connector_param *params;
    size_t param_count;
    struct slice public_url; /* with the path, how senders address it; empty
                                until known */
    bool has_webhook;        /* the channels its parameters allow */
    bool has_poll;
    bool has_stream;
    struct verify_rule *verify;
    size_t verify_count;
    struct handshake *handshakes;
    size_t handshake_count;
    struct answer_spec ack;
    struct answer_spec reject;
    enum { DATA_SAME, DATA_DIFFERS } data; /* of the two channels */
    struct event_spec event;
    struct poll_spec poll;
    const struct stream_spec *stream; /* NULL: it has none */
    struct match_spec match;
    struct recover_spec recover;
    struct register_spec registration;
    struct webhook_spec webhook;
    int64_t grace_ms;
    int64_t keep_ids_ms;
};

/* What the connector needs from outside this floor while it is bound. */
struct connector_env {
    /* Reads a secret into the arena; reports a failure at its mark. */
    bool (*read_secret)(void *arg, const struct config_secret *secret,
                        struct config_report *report, struct arena *arena,
                        struct slice *ret_text);
    /* Returns what is kept of the connector's parameter `name` beside the
     * store, one secret a line, in the arena; false when nothing is. May be
     * NULL. */
    bool (*read_kept)(void *arg, struct slice connector, struct slice name,
                      struct config_report *report, struct arena *arena,
                      struct slice *ret_text);
    bool registers; /* it is about to get its secret: no channel is no mistake
                       yet */
    void *arg;
    struct slice public_url; /* listen.public_url, or empty */
    /* Reads the zoneinfo file of a zone into the arena; STATUS_NOT_FOUND where
     * there is none. May be NULL. */
    enum status (*read_zone)(void *arg, struct slice name, struct arena *arena,
                             struct slice *ret_bytes, struct error *err);
    /* Loads the file of another connector, for `extends: NAME` and `verify:
     * {use: NAME}`; reports a failure at `mark`. May be NULL. */
    bool (*load_file)(void *arg, struct slice name, struct config_mark mark,
                      struct config_report *report, struct arena *arena,
                      const struct config_node **ret_root);
};

/* The keys of a connector, file and configuration alike. */
extern const struct config_table connector_table;

/* The words of `group`, in the order in which people are shown them; the first
 * is the default. Ends with NULL. */
extern const char *const connector_groups[];

/*
 * Makes a connector from its file's tree `file` (may be NULL) and those it
 * extends, with the configuration's `entry` laid over it (`use` and `with`
 * aside). Every mistake
 * is reported: unknown sources, an `id` that can never be filled, key_time in
 * one channel only, a state key without a version, missing parameters, no
 * channel at all, keep_ids shorter than retention or overlap, an unanchored
 * allow pattern, an empty secret. Returns STATUS_NOMEM only.
 */
NODISCARD
enum status connector_bind(struct config_binding *binding, struct slice name,
                           struct config_mark mark,
                           const struct config_node *file,
                           const struct config_node *entry,
                           const struct connector_env *env,
                           struct connector *ret_connector);

/* Whether requests of the provider come in, by its own or over a relay. */
bool connector_has_hooks(const struct connector *connector);

/* How late the list may show an event and it is found all the same: the deepest
 * overlap of all tiers. */
int64_t connector_overlap_ms(const struct connector *connector);

/* The same where each overlap that follows the lag is the deepest it may be. */
int64_t connector_overlap_most_ms(const struct connector *connector);

/* Whether the request has the place `kind` in its URL, query or body. */
bool connector_request_names(const struct request_spec *request,
                             const char *kind);

/* Whether the public key of the alternative is fetched, so that it needs no
 * secret. */
bool connector_key_is_fetched(const struct verify_rule *rule);

/* Returns a parameter, or NULL. */
const struct connector_param *
connector_param_find(const struct connector *connector, struct slice name);

/* Whether `text` meets the glob: '*' is any run of bytes, nothing else is
 * special. */
bool glob_match(struct slice glob, struct slice text);

/* Whether the list never shows what a webhook of this type says, such as a
 * deletion. For a glob: whether that holds for all types it stands for. */
bool connector_is_unlisted(const struct connector *connector,
                           struct slice type);

/* Whether any text meets both globs. */
bool glob_meet(struct slice a, struct slice b);

/* Whether it can be given its secret, or asked whether it meant it, while a
 * registration is under way. */
bool connector_awaits_handshake(const struct connector *connector);

/* Whether the provider may ask whether it meant to leave. */
bool connector_is_asked_to_leave(const struct connector *connector);

/* Frees what the arena does not hold: compiled patterns, prepared keys. */
void connector_fini(struct connector *connector);

#endif
