/* SPDX-License-Identifier: MIT */
#include "harness/bound.h"

#include "model/extract.h"
#include "model/identity.h"
#include "wire/digest.h"
#include "wire/json.h"

#define NOW_MS INT64_C(1790000000000)
#define DAY_MS INT64_C(86400000)
#define WITH_ALL                                                               \
    "with: {base: 'http://127.0.0.1:9', api_key: k, webhook_secret: s}\n"

static void
open_file(struct bound *bound, const char *name, const char *entry)
{
    char path[512];
    (void)snprintf(path, sizeof(path), "%s/%s.yaml", TEST_CONNECTORS_DIR, name);
    bound_file(bound, path, entry, "https://hooks.example.com");
    bound_must(bound);
}

/* A request of `body` with fields "name: value" one a line. */
struct hook {
    struct http_field fields[8];
    struct inbound request;
};

static void
make_hook(struct hook *hook, const char *fields, const char *body)
{
    struct slice rest = slice_of(fields);
    struct slice line;
    size_t count = 0;
    memset(hook, 0, sizeof(*hook));
    while (slice_split(&rest, '\n', &line)) {
        const size_t colon = slice_find(line, ':');
        if (colon != SIZE_MAX) {
            hook->fields[count].name = slice_first(line, colon);
            hook->fields[count++].value =
                slice_trim(slice_from(line, colon + 1));
        }
    }
    hook->request = (struct inbound){
        .method = SLICE("POST"),
        .fields = { hook->fields, count },
        .body = slice_of(body),
        .body_is_json = json_check(slice_of(body), 64, NULL) == STATUS_OK,
    };
}

static struct sighting
read_hook(const struct bound *bound, const char *fields, const char *body,
          int64_t now_ms, struct arena *arena)
{
    struct hook *hook = arena_array(arena, 1, sizeof(*hook));
    struct extracted extracted;
    struct error err = { "" };
    assert_non_null(hook);
    make_hook(hook, fields, body);
    const enum status status = extract_request(
        &bound->connector, &hook->request, bound->connector.verify, now_ms,
        arena, &extracted, &err);
    if (status != STATUS_OK) {
        fail_msg("%s: %s", body, err.text);
    }
    assert_int_equal(extracted.count, 1);
    return extracted.at[0];
}

static struct sighting
read_row(const struct bound *bound, const char *row, int64_t now_ms,
         struct arena *arena)
{
    const struct row_view view = {
        slice_of(row), slice_of(row), CHANNEL_POLL, now_ms, { NULL, 0 }
    };
    struct sighting sighting;
    struct error err = { "" };
    const enum status status =
        extract_row(&bound->connector, &view, arena, &sighting, &err);
    if (status != STATUS_OK) {
        fail_msg("%s: %s", row, err.text);
    }
    return sighting;
}

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

/* Whether a look-up of `later`'s key finds what `first` left in the ledger. */
static bool
meet(const struct sighting *first, const struct sighting *later,
     enum key_role role)
{
    const struct sighting_key *stored = key_of(first, role);
    const struct sighting_key *probe = key_of(later, role);
    if (stored == NULL || probe == NULL) {
        return false;
    }
    for (int i = -(int)probe->probes_back; i <= (int)probe->probes_ahead; i++) {
        const struct ledger_key at = identity_shift(&probe->key, i);
        if (memcmp(at.bytes, stored->key.bytes, LEDGER_KEY_BYTES) == 0) {
            return true;
        }
    }
    return false;
}

/* ---- match: event ---- */

static void
with_key_time_both_channels_have_one_key_at_any_clock(void **state)
{
    (void)state;
    struct bound bound;
    struct arena arena = { 0 };
    open_file(&bound, "stripe", WITH_ALL);
    const struct sighting hook =
        read_hook(&bound, "",
                  "{\"id\":\"evt_1\",\"type\":\"a.b\",\"created\":1789990000}",
                  NOW_MS, &arena);
    const struct sighting row = read_row(
        &bound, "{\"created\":1789990000,\"id\":\"evt_1\",\"type\":\"a.b\"}",
        NOW_MS + 20 * DAY_MS, &arena);
    assert_int_equal(hook.key_count, 1);
    assert_int_equal(row.key_count, 1);
    assert_memory_equal(hook.keys[0].key.bytes, row.keys[0].key.bytes,
                        LEDGER_KEY_BYTES);
    assert_int_equal(row.keys[0].probes_back, 0);
    assert_true(slice_equal_text(row.id, "evt_1"));
    assert_true(slice_equal_text(row.type, "a.b"));
    assert_int_equal(row.time_ms, INT64_C(1789990000000));
    arena_fini(&arena);
    bound_fini(&bound);
}

static void
without_key_time_what_the_channels_say_of_time_does_not_matter(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "{\"id\":7,\"updated_at\":\"2026-09-20T00:00:01Z\"}", /* a second off */
        "{\"id\":7,\"updated_at\":\"2026-09-21T00:00:00Z\"}", /* a day */
        "{\"id\":7}",                                         /* none */
        "{\"id\":7,\"updated_at\":\"soon\"}",
    };
    struct bound bound;
    struct arena arena = { 0 };
    open_file(&bound, "generic_json",
              "with: {url: 'http://127.0.0.1:9/', webhook_secret: s}");
    const struct sighting hook = read_hook(
        &bound, "", "{\"id\":\"7\",\"created_at\":\"2026-09-20T00:00:00Z\"}",
        NOW_MS, &arena);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (int64_t age = -7; age <= 35; age++) {
            const struct sighting row =
                read_row(&bound, rows[i], NOW_MS + age * DAY_MS, &arena);
            assert_true(meet(&hook, &row, KEY_ID));
        }
    }
    arena_fini(&arena);
    bound_fini(&bound);
}

static void
an_event_without_its_key_time_is_kept_by_receipt(void **state)
{
    (void)state;
    struct bound bound;
    struct arena arena = { 0 };
    open_file(&bound, "stripe", WITH_ALL);
    const struct sighting hook =
        read_hook(&bound, "", "{\"id\":\"evt_1\"}", NOW_MS, &arena);
    assert_int_equal(hook.keys[0].probes_ahead, 1);
    assert_int_equal(hook.time_ms, 0);
    assert_true(slice_equal_text(hook.type, "unknown"));
    arena_fini(&arena);
    bound_fini(&bound);
}

/* Under other words it may be known by its bytes, where these hold its id. */
static void
a_webhook_is_led_to_its_bytes_only_where_they_hold_its_id(void **state)
{
    (void)state;
    static const char stamped[] =
        "{\"id\":\"a\",\"timestamp\":\"2026-09-20T10:00:05Z\"}";
    static const char unstamped[] = "{\"id\":\"a\"}";
    static const struct {
        bool rekeyed;
        const char *headers;
        const char *body;
        bool seed;
    } rows[] = {
        { true, "", stamped, true },
        { true, "", unstamped, false },
        { true, "X-Webhook-Delivery: d1\n",
          "{\"timestamp\":"
          "\"2026-09-20T10:00:05Z\"}",
          false },
        { false, "", stamped, false },
    };
    struct bound bound;
    struct arena arena = { 0 };
    open_file(&bound, "petstore", WITH_ALL);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bound.connector.rekeyed = rows[i].rekeyed;
        const struct sighting hook =
            read_hook(&bound, rows[i].headers, rows[i].body, NOW_MS, &arena);
        assert_int_equal(hook.seed, rows[i].seed);
    }
    arena_fini(&arena);
    bound_fini(&bound);
}

/* ---- match: state ---- */

static void
a_row_and_a_webhook_of_one_version_meet(void **state)
{
    (void)state;
    static const char *const same[] = {
        "{\"id\":17,\"updated_at\":\"2026-09-20T10:00:00Z\"}",
        "{\"id\":17,\"updated_at\":\"2026-09-20T10:00:00.000Z\"}",
        "{\"id\":17,\"updated_at\":\"2026-09-20T12:00:00+02:00\"}",
        "{\"updated_at\":\"2026-09-20T05:00:00-05:00\",\"id\":\"17\"}",
    };
    static const char *const other[] = {
        "{\"id\":18,\"updated_at\":\"2026-09-20T10:00:00Z\"}",
        "{\"id\":17,\"updated_at\":\"2026-09-20T10:00:01Z\"}",
    };
    struct bound bound;
    struct arena arena = { 0 };
    open_file(&bound, "petstore", WITH_ALL);
    const struct sighting hook = read_hook(
        &bound, "X-Webhook-Delivery: d1\n",
        "{\"event\":\"order.created\",\"timestamp\":\"2026-09-20T10:00:05Z\","
        "\"data\":{\"order\":{\"id\":17,"
        "\"updated_at\":\"2026-09-20T10:00:00Z\"}}}",
        NOW_MS, &arena);
    assert_true(hook.covered_by_row);
    assert_true(slice_equal_text(hook.id, "d1"));
    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
        const struct sighting row =
            read_row(&bound, same[i], NOW_MS + 30 * DAY_MS, &arena);
        assert_int_equal(row.key_count, 1);
        assert_int_equal(row.keys[0].role, KEY_STATE);
        assert_int_equal(row.keys[0].probes_back, 0);
        assert_true(meet(&hook, &row, KEY_STATE));
    }
    for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++) {
        const struct sighting row = read_row(&bound, other[i], NOW_MS, &arena);
        assert_false(meet(&hook, &row, KEY_STATE));
    }
    arena_fini(&arena);
    bound_fini(&bound);
}

/* A body, what its sighting is called, and which keys it has. */
struct pet_hook {
    const char *fields;
    const char *body;
    const char *id;
    const char *type;
    bool has_state;
    bool has_body;
    bool covered;
};

#define PET_HEADERS                                                            \
    "X-Webhook-Delivery: d1\nX-Webhook-Event: order.paid\n"                    \
    "X-Webhook-Timestamp: 1790000000\n"

static const struct pet_hook pet_hooks[] = {
    /* the tutorials' two bodies */
    { PET_HEADERS,
      "{\"event\":\"order.created\",\"timestamp\":\"2026-09-20T10:00:05Z\","
      "\"data\":{\"id\":17,\"updated_at\":\"2026-09-20T10:00:00Z\"}}",
      "d1", "order.created", true, true, true },
    { PET_HEADERS,
      "{\"id\":\"evt_9\",\"event\":\"order.created\",\"data\":{\"order\":"
      "{\"id\":17,\"updated_at\":\"2026-09-20T10:00:00Z\"}},"
      "\"timestamp\":\"2026-09-20T10:00:05Z\"}",
      "evt_9", "order.created", true, false, true },
    /* an order without a version: only its id */
    { PET_HEADERS, "{\"id\":\"evt_9\",\"data\":{\"id\":17}}", "evt_9",
      "order.paid", false, false, true },
    { PET_HEADERS,
      "{\"id\":\"evt_9\",\"data\":{\"id\":17,\"updated_at\":\"soon\"}}",
      "evt_9", "order.paid", false, false, true },
    /* an id in a header and nothing unique inside: two facts stay two */
    { PET_HEADERS, "{\"data\":{}}", "d1", "order.paid", false, false, true },
    { PET_HEADERS, "{\"id\":null,\"timestamp\":null,\"data\":{}}", "d1",
      "order.paid", false, false, true },
    /* no id anywhere: the same bytes are the same webhook */
    { "X-Webhook-Event: order.paid\n", "{}",
      "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
      "order.paid", false, false, true },
    /* a pet is not the order of the same number */
    { PET_HEADERS,
      "{\"id\":\"evt_9\",\"event\":\"pet.sold\",\"data\":{\"id\":17,"
      "\"updated_at\":\"2026-09-20T10:00:00Z\"}}",
      "evt_9", "pet.sold", false, false, false },
};

static void
the_pet_store_is_read_as_its_tutorials_have_it(void **state)
{
    (void)state;
    struct bound bound;
    struct arena arena = { 0 };
    open_file(&bound, "petstore", WITH_ALL);
    for (size_t i = 0; i < sizeof(pet_hooks) / sizeof(pet_hooks[0]); i++) {
        const struct pet_hook *row = &pet_hooks[i];
        const struct sighting hook =
            read_hook(&bound, row->fields, row->body, NOW_MS, &arena);
        if (!slice_equal_text(hook.id, row->id) ||
            !slice_equal_text(hook.type, row->type) ||
            (key_of(&hook, KEY_STATE) != NULL) != row->has_state ||
            (key_of(&hook, KEY_BODY) != NULL) != row->has_body ||
            key_of(&hook, KEY_ID) == NULL ||
            hook.covered_by_row != row->covered) {
            fail_msg("%s: id %.*s type %.*s keys %zu", row->body,
                     SLICE_ARG(hook.id), SLICE_ARG(hook.type), hook.key_count);
        }
        assert_true(hook.time_ms > 0 || i >= 2);
    }
    arena_fini(&arena);
    bound_fini(&bound);
}

static void
handlers_get_one_shape_from_both_channels(void **state)
{
    (void)state;
    static const struct {
        enum channel via;
        enum event_filled filled;
        const char *body;
        const char *data; /* NULL: it is no JSON */
    } rows[] = {
        { CHANNEL_WEBHOOK, FILLED_NOT,
          "{\"event\":\"a\",\"data\":{\"order\":{\"id\":1}}}", "{\"id\":1}" },
        { CHANNEL_WEBHOOK, FILLED_NOT, "{\"event\":\"a\",\"data\":{\"id\":1}}",
          "{\"id\":1}" },
        { CHANNEL_POLL, FILLED_NOT, "{\"id\":1}", "{\"id\":1}" },
        { CHANNEL_WEBHOOK, FILLED_NOT, " [1] ", "[1]" },
        { CHANNEL_WEBHOOK, FILLED_NOT, "a=b", NULL },
        /* The bytes of a webhook, wherever the event came from at first. */
        { CHANNEL_POLL, FILLED_BY_HOOK, "{\"data\":{\"id\":1}}", "{\"id\":1}" },
        /* What was fetched was chosen by fetch.body. */
        { CHANNEL_WEBHOOK, FILLED_BY_FETCH, "{\"data\":{\"id\":1}}",
          "{\"data\":{\"id\":1}}" },
    };
    struct bound bound;
    struct arena arena = { 0 };
    open_file(&bound, "petstore", WITH_ALL);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct event event = { .via = rows[i].via,
                                     .filled = rows[i].filled,
                                     .body = slice_of(rows[i].body) };
        struct extracted_data data;
        assert_int_equal(extract_data(&bound.connector, &event, &arena, &data),
                         STATUS_OK);
        assert_int_equal(data.is_json, rows[i].data != NULL);
        assert_true(slice_equal_text(data.bytes, data.is_json ? rows[i].data
                                                              : rows[i].body));
    }
    bound_fini(&bound);
}

/* ---- signed or not ---- */

static void
bytes_identify_only_with_a_stamp_and_an_unsigned_id(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        const char *with;
        const char *fields;
        const char *body;
        bool has_body_key;
    } rows[] = {
        { "github", "{webhook_secret: s}", "X-GitHub-Delivery: g1\n",
          "{\"issue\":{\"updated_at\":\"2026-09-20T10:00:00Z\"}}", true },
        { "github", "{webhook_secret: s}", "X-GitHub-Delivery: g1\n",
          "{\"zen\":\"Keep it logically awesome.\"}", false },
        { "shopify", "{webhook_secret: s}",
          "X-Shopify-Event-Id: e\nX-Shopify-Topic: orders/paid\n",
          "{\"id\":1,\"updated_at\":\"2026-09-20T10:00:00Z\"}", true },
        { "stripe", "{webhook_secret: s}", "", "{\"id\":\"evt_1\"}", false },
        { "standard_webhooks",
          "{webhook_secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw}",
          "webhook-id: m1\n", "{\"timestamp\":\"2026-09-20T10:00:00Z\"}",
          false },
        { "slack", "{webhook_secret: s}", "", "{\"event_id\":\"Ev1\"}", false },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct bound bound;
        struct arena arena = { 0 };
        char entry[256];
        (void)snprintf(entry, sizeof(entry), "with: %s", rows[i].with);
        open_file(&bound, rows[i].file, entry);
        const struct sighting hook =
            read_hook(&bound, rows[i].fields, rows[i].body, NOW_MS, &arena);
        if ((key_of(&hook, KEY_BODY) != NULL) != rows[i].has_body_key) {
            fail_msg("%s %s", rows[i].file, rows[i].body);
        }
        arena_fini(&arena);
        bound_fini(&bound);
    }
}

static void
equal_bytes_about_two_topics_are_two_webhooks(void **state)
{
    (void)state;
    static const char body[] = "{\"id\":1,\"updated_at\":"
                               "\"2026-09-20T10:00:00Z\"}";
    static const char *const fields[] = {
        "X-Shopify-Event-Id: e1\nX-Shopify-Topic: orders/create\n",
        "X-Shopify-Event-Id: e2\nX-Shopify-Topic: orders/create\n",
        "X-Shopify-Event-Id: e3\nX-Shopify-Topic: orders/paid\n",
    };
    struct sighting hooks[3];
    struct bound bound;
    struct arena arena = { 0 };
    open_file(&bound, "shopify", "with: {webhook_secret: s}");
    for (size_t i = 0; i < 3; i++) {
        hooks[i] = read_hook(&bound, fields[i], body, NOW_MS, &arena);
        assert_non_null(key_of(&hooks[i], KEY_BODY));
    }
    assert_memory_equal(&key_of(&hooks[0], KEY_BODY)->key,
                        &key_of(&hooks[1], KEY_BODY)->key, LEDGER_KEY_BYTES);
    assert_memory_not_equal(&key_of(&hooks[0], KEY_BODY)->key,
                            &key_of(&hooks[2], KEY_BODY)->key,
                            LEDGER_KEY_BYTES);
    arena_fini(&arena);
    bound_fini(&bound);
}

#define STAMPED "event: {id: 'header:X-Id ?? json:id', stamp: 'json:stamp'}\n"

static void
what_a_signature_covers_follows_from_its_text(void **state)
{
    (void)state;
    static const struct {
        const char *verify;
        const char *id;
        bool is_signed; /* a signed id needs no key of the bytes */
    } rows[] = {
        { "type: hmac, signed: '{body}'", "header:X-Id", false },
        { "type: hmac, signed: '{body}'", "json:id", true },
        { "type: hmac, signed: '{body}'", "item:id", true },
        { "type: hmac, signed: '{body}'", "'{json:id}:{header:X-Id}'", false },
        { "type: hmac, signed: '{body}'", "query:id", false },
        { "type: hmac, signed: '{url}{body}'", "query:id", true },
        { "type: hmac, signed: '{header:x-id}.{body}'", "header:X-Id", true },
        { "type: hmac, signed: '{header:x-other}.{body}'", "header:X-Id",
          false },
        { "type: hmac, signed: ['{header:X-Id}{body}', '{body}']",
          "header:X-Id", false },
        { "type: hmac, signed: ['{header:X-Id}{body}', '{body}{header:X-Id}']",
          "header:X-Id", true },
        { "type: hash, signed: '{secret}{body}'", "json:id", true },
        { "type: token", "header:X-Id", true },
        { "type: basic", "header:X-Id", true },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct bound bound;
        struct arena arena = { 0 };
        char file[512];
        const bool shared = strstr(rows[i].verify, "signed") == NULL;
        (void)snprintf(file, sizeof(file),
                       "verify: {%s, %s}\n"
                       "event: {id: %s, stamp: 'json:stamp'}\n",
                       rows[i].verify,
                       shared ? "from: 'header:X-Token'"
                              : "signature: {from: 'header:X-Sig'}",
                       rows[i].id);
        bound_texts(&bound, file, "with: {webhook_secret: 'u:p'}",
                    "https://hooks.example.com");
        bound_must(&bound);
        struct hook hook;
        struct extracted extracted;
        make_hook(&hook, "X-Id: h\nX-Token: t\n", "{\"id\":1,\"stamp\":2}");
        hook.request.query = slice_of("id=3");
        assert_int_equal(extract_request(&bound.connector, &hook.request,
                                         bound.connector.verify, NOW_MS, &arena,
                                         &extracted, NULL),
                         STATUS_OK);
        if ((key_of(extracted.at, KEY_BODY) == NULL) != rows[i].is_signed) {
            fail_msg("%s, id %s", rows[i].verify, rows[i].id);
        }
        arena_fini(&arena);
        bound_fini(&bound);
    }
}

static void
where_the_body_is_not_signed_its_bytes_say_nothing(void **state)
{
    (void)state;
    struct bound bound;
    struct arena arena = { 0 };
    bound_texts(&bound,
                "verify: {type: hmac, signature: {from: 'json:sig'},"
                " signed: '{json:token}'}\n" STAMPED,
                "with: {webhook_secret: s}", "");
    bound_must(&bound);
    const struct sighting hook = read_hook(
        &bound, "X-Id: h\n", "{\"id\":1,\"stamp\":2}", NOW_MS, &arena);
    assert_int_equal(hook.key_count, 1);
    arena_fini(&arena);
    bound_fini(&bound);
}

static void
a_signed_digest_of_the_body_covers_the_body(void **state)
{
    (void)state;
    struct bound bound;
    struct arena arena = { 0 };
    bound_texts(&bound,
                "verify: {type: hmac, signature: {from: 'header:X-Sig'},"
                " signed: '{url}', assert: [['{query:sha}',"
                " '{body|sha256|hex}']]}\n"
                "event: {id: 'json:id', stamp: 'json:stamp'}\n",
                "with: {webhook_secret: s}", "https://hooks.example.com");
    bound_must(&bound);
    const struct sighting hook =
        read_hook(&bound, "", "{\"id\":1,\"stamp\":2}", NOW_MS, &arena);
    assert_null(key_of(&hook, KEY_BODY));
    arena_fini(&arena);
    bound_fini(&bound);
}

/* ---- requests ---- */

static const char batch[] = "verify: {type: token, from: 'header:X-Token'}\n"
                            "event: {split: 'events[*]', id: 'item:id', type:"
                            " 'item:kind', time: {from: 'item:at', unit: s}}\n";

static void
a_batch_is_split_into_its_events(void **state)
{
    (void)state;
    struct bound bound;
    struct arena arena = { 0 };
    struct hook hook;
    struct extracted extracted;
    bound_texts(&bound, batch, "with: {webhook_secret: s}", "");
    bound_must(&bound);
    make_hook(&hook, "",
              "{\"events\":[{\"id\":1,\"kind\":\"a\",\"at\":5}, "
              "{\"id\":2,\"kind\":\"b\"}]}");
    assert_int_equal(extract_request(&bound.connector, &hook.request,
                                     bound.connector.verify, NOW_MS, &arena,
                                     &extracted, NULL),
                     STATUS_OK);
    assert_int_equal(extracted.count, 2);
    assert_true(slice_equal_text(extracted.at[0].body,
                                 "{\"id\":1,\"kind\":\"a\",\"at\":5}"));
    assert_int_equal(extracted.at[0].time_ms, 5000);
    assert_true(slice_equal_text(extracted.at[1].type, "b"));
    make_hook(&hook, "", "{\"events\":[]}");
    assert_int_equal(extract_request(&bound.connector, &hook.request,
                                     bound.connector.verify, NOW_MS, &arena,
                                     &extracted, NULL),
                     STATUS_OK);
    assert_int_equal(extracted.count, 0);
    arena_fini(&arena);
    bound_fini(&bound);
}

static const char pushed[] = "verify: {type: token, from: 'header:X-Token'}\n"
                             "event: {split: feed, id: 'item:id', type: "
                             "'item:categories[0]', time: 'item:updated'}\n";

static void
a_feed_that_is_pushed_is_split_into_its_entries(void **state)
{
    (void)state;
    struct bound bound;
    struct arena arena = { 0 };
    struct hook hook;
    struct extracted extracted;
    struct error err = { "" };
    bound_texts(&bound, pushed, "with: {webhook_secret: s}", "");
    bound_must(&bound);
    make_hook(&hook, "Content-Type: application/rss+xml\n",
              "<rss><channel><item><guid>g</guid><category>c</category>"
              "<pubDate>Tue, 14 Nov 2023 22:13:20 GMT</pubDate></item>"
              "<item><guid>h</guid></item></channel></rss>");
    assert_int_equal(extract_request(&bound.connector, &hook.request,
                                     bound.connector.verify, NOW_MS, &arena,
                                     &extracted, &err),
                     STATUS_OK);
    assert_int_equal(extracted.count, 2);
    assert_true(slice_equal_text(extracted.at[0].id, "g"));
    assert_true(slice_equal_text(extracted.at[0].type, "c"));
    assert_int_equal(extracted.at[0].time_ms, INT64_C(1700000000000));
    assert_true(
        slice_equal_text(extracted.at[1].content_type, "application/json"));
    assert_true(slice_starts(extracted.at[1].body, slice_of("{\"id\":\"h\"")));
    make_hook(&hook, "", "{\"items\":[]}");
    assert_int_equal(extract_request(&bound.connector, &hook.request,
                                     bound.connector.verify, NOW_MS, &arena,
                                     &extracted, &err),
                     STATUS_INVALID);
    assert_non_null(strstr(err.text, "line 1, column 1"));
    arena_fini(&arena);
    bound_fini(&bound);
}

static void
a_request_without_its_id_is_refused_with_words(void **state)
{
    (void)state;
    static const char *const bodies[] = { "{}", "{\"id\":\"\"}",
                                          "{\"id\":null}", "not json" };
    struct bound bound;
    struct arena arena = { 0 };
    open_file(&bound, "stripe", WITH_ALL);
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        struct hook hook;
        struct extracted extracted;
        struct error err = { "" };
        make_hook(&hook, "", bodies[i]);
        assert_int_equal(extract_request(&bound.connector, &hook.request,
                                         bound.connector.verify, NOW_MS, &arena,
                                         &extracted, &err),
                         STATUS_INVALID);
        assert_string_equal(err.text,
                            i < 3 ? "there is nothing at 'json:id'"
                                  : "there is nothing at 'json:id': the body "
                                    "is not JSON: a value expected at byte 1");
    }
    bound_fini(&bound);
    bound_texts(&bound, batch, "with: {webhook_secret: s}", "");
    struct hook hook;
    struct extracted extracted;
    struct error err = { "" };
    make_hook(&hook, "", "{\"other\":[]}");
    assert_int_equal(extract_request(&bound.connector, &hook.request,
                                     bound.connector.verify, NOW_MS, &arena,
                                     &extracted, &err),
                     STATUS_INVALID);
    assert_non_null(strstr(err.text, "events[*]"));
    arena_fini(&arena);
    bound_fini(&bound);
}

static void
credentials_are_not_kept(void **state)
{
    (void)state;
    struct bound bound;
    struct arena arena = { 0 };
    bound_texts(&bound, batch, "with: {webhook_secret: s}", "");
    bound_must(&bound);
    const struct sighting hook =
        read_hook(&bound,
                  "X-Token: s\nAuthorization: Basic eA==\nCookie: a=b\n"
                  "Traceparent: 00-1\nContent-Type: application/json\n",
                  "{\"events\":[{\"id\":1}]}", NOW_MS, &arena);
    assert_true(slice_equal_text(
        hook.headers, "Traceparent: 00-1\nContent-Type: application/json\n"));
    assert_true(slice_equal_text(hook.content_type, "application/json"));
    arena_fini(&arena);
    bound_fini(&bound);
}

/* ---- pages and rows ---- */

static void
an_error_is_never_an_empty_page(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        const char *body;
        enum status status;
        size_t rows;
    } rows[] = {
        { "petstore", "[]", STATUS_OK, 0 },
        { "petstore", "{\"orders\":[]}", STATUS_OK, 0 },
        { "petstore", "{\"orders\":[{},{}]}", STATUS_OK, 2 },
        { "petstore", " [{} , {} ,{}] ", STATUS_OK, 3 },
        { "petstore", "", STATUS_PROTOCOL, 0 },
        { "petstore", "<html>", STATUS_PROTOCOL, 0 },
        { "petstore", "{\"error\":\"down\"}", STATUS_PROTOCOL, 0 },
        { "petstore", "[{}", STATUS_PROTOCOL, 0 },
        { "slack", "{\"ok\":true,\"messages\":[{}]}", STATUS_OK, 1 },
        { "slack", "{\"ok\":false,\"messages\":[]}", STATUS_PROTOCOL, 0 },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct bound bound;
        struct arena arena = { 0 };
        struct page page = { .row_count = 0 };
        struct error err = { "" };
        const bool slack = strcmp(rows[i].file, "slack") == 0;
        open_file(&bound, rows[i].file,
                  slack ? "with: {api_key: k, channel: C}" : WITH_ALL);
        const enum status status =
            extract_page(&bound.connector, slice_of(rows[i].body),
                         (struct http_fields){ NULL, 0 }, &arena, &page, &err);
        if (status != rows[i].status || page.row_count != rows[i].rows) {
            fail_msg("%s: %s %zu", rows[i].body, err.text, page.row_count);
        }
        arena_fini(&arena);
        bound_fini(&bound);
    }
}

static void
a_type_is_a_place_where_the_row_has_one_else_a_word(void **state)
{
    (void)state;
    static const struct {
        const char *type;
        const char *says;
    } rows[] = {
        { "kind", "made" },
        { "order.kind", "inner" },
        { "order.made", "order.made" },
        { "'{kind}'", "made" },
        { "orders/made", "orders/made" },
        { "'jira:made'", "jira:made" },
        { "'{nothing}'", "unknown" },
        { "'{nothing} ?? {kind}'", "made" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct bound bound;
        struct arena arena = { 0 };
        char file[512];
        (void)snprintf(file, sizeof(file),
                       "poll: {request: {url: '{var:base}/x'}, items: '$[*]',"
                       " record: {id: id, type: %s}}\n",
                       rows[i].type);
        bound_texts(&bound, file, "with: {base: 'http://127.0.0.1:9'}", "");
        bound_must(&bound);
        const struct sighting row = read_row(
            &bound,
            "{\"id\":1,\"kind\":\"made\",\"order\":{\"kind\":\"inner\"}}",
            NOW_MS, &arena);
        if (!slice_equal_text(row.type, rows[i].says)) {
            fail_msg("%s: %.*s", rows[i].type, SLICE_ARG(row.type));
        }
        arena_fini(&arena);
        bound_fini(&bound);
    }
}

static void
a_row_without_its_key_is_refused(void **state)
{
    (void)state;
    struct bound bound;
    struct arena arena = { 0 };
    struct sighting row;
    struct error err = { "" };
    const struct slice text = slice_of("{\"id\":17}");
    const struct row_view view = {
        text, text, CHANNEL_POLL, NOW_MS, { NULL, 0 }
    };
    open_file(&bound, "petstore", WITH_ALL);
    assert_int_equal(extract_row(&bound.connector, &view, &arena, &row, &err),
                     STATUS_INVALID);
    assert_non_null(strstr(err.text, "updated_at"));
    arena_fini(&arena);
    bound_fini(&bound);
}

static void
the_delivery_log_brings_the_bytes_of_the_webhook(void **state)
{
    (void)state;
    struct bound bound;
    struct arena arena = { 0 };
    struct sighting row;
    const struct slice text =
        slice_of("{\"id\":5,\"guid\":\"g1\",\"event\":\"issues\","
                 "\"action\":\"opened\","
                 "\"delivered_at\":\"2026-09-20T10:00:00Z\"}");
    const struct slice payload = slice_of("{\"action\":\"opened\"}");
    const struct row_view view = {
        text, payload, CHANNEL_POLL, NOW_MS, { NULL, 0 }
    };
    open_file(&bound, "github",
              "with: {api_key: t, repo: a/b, hook_id: '1', webhook_secret: s}");
    assert_int_equal(extract_row(&bound.connector, &view, &arena, &row, NULL),
                     STATUS_OK);
    const struct sighting hook =
        read_hook(&bound, "X-GitHub-Delivery: g1\nX-GitHub-Event: issues\n",
                  "{\"action\":\"opened\"}", NOW_MS, &arena);
    assert_true(slice_equal(row.body, payload));
    assert_true(slice_equal_text(row.type, "issues.opened"));
    assert_true(slice_equal(hook.type, row.type));
    assert_true(meet(&row, &hook, KEY_ID));
    arena_fini(&arena);
    bound_fini(&bound);
}

static void
gitlab_rows_carry_the_id_among_their_request_headers(void **state)
{
    (void)state;
    struct bound bound;
    struct arena arena = { 0 };
    open_file(&bound, "gitlab",
              "with: {api_key: t, project: a, hook_id: '1',"
              " webhook_secret: plain-token!}");
    const struct sighting row =
        read_row(&bound,
                 "{\"id\":1,\"trigger\":\"push_hooks\",\"request_headers\":"
                 "{\"Idempotency-Key\":\"k1\"},\"request_data\":"
                 "{\"object_kind\":\"push\"}}",
                 NOW_MS, &arena);
    const struct sighting hook =
        read_hook(&bound, "Idempotency-Key: k1\nX-Gitlab-Token: t\n",
                  "{\"object_kind\":\"push\"}", NOW_MS, &arena);
    assert_true(meet(&hook, &row, KEY_ID));
    assert_true(slice_equal_text(row.body, "{\"object_kind\":\"push\"}"));
    assert_true(slice_equal(row.type, hook.type));
    arena_fini(&arena);
    bound_fini(&bound);
}

static const char logged[] =
    "verify: {type: token, from: 'header:X-Secret'}\n"
    "event: {id: 'json:id'}\n"
    "poll: {request: {url: '{var:base}/x'}, items: '$[*]', record: {id: id, "
    "type: '{header:X-Kind} ?? {kind}', time: 'header:X-At', headers: "
    "request.headers}}\n";

static void
a_log_of_webhooks_brings_their_fields(void **state)
{
    (void)state;
    struct bound bound;
    struct arena arena = { 0 };
    struct sighting row;
    const struct slice text =
        slice_of("{\"id\":1,\"kind\":\"k\",\"request\":{\"headers\":{"
                 "\"x-kind\":\"push\",\"X-At\":[\"2026-09-20T10:00:00Z\","
                 "\"b\"],\"X-None\":[],\"Cookie\":\"c\",\"x-secret\":\"s\","
                 "\"bad name\":\"x\","
                 "\"X-Bad\":\"a\\nb\",\"X-N\":7}}}");
    const struct row_view view = { text, text, CHANNEL_POLL, NOW_MS,
                                   .headers = { NULL, 0 } };
    const struct row_view detail = { text, text, CHANNEL_POLL, NOW_MS,
                                     .headers =
                                         SLICE("{\"X-Kind\":\"pull\"}") };
    bound_texts(&bound, logged, "with: {base: 'http://127.0.0.1:9'}", "");
    bound_must(&bound);
    assert_int_equal(extract_row(&bound.connector, &view, &arena, &row, NULL),
                     STATUS_OK);
    assert_true(slice_equal_text(row.type, "push"));
    assert_int_equal(row.time_ms, INT64_C(1789898400000));
    assert_true(slice_equal_text(
        row.headers, "x-kind: push\nX-At: 2026-09-20T10:00:00Z\nX-N: 7\n"));
    assert_int_equal(extract_row(&bound.connector, &detail, &arena, &row, NULL),
                     STATUS_OK);
    assert_true(slice_equal_text(row.type, "pull"));
    assert_true(slice_equal_text(row.headers, "X-Kind: pull\n"));
    arena_fini(&arena);
    bound_fini(&bound);
}

/* What is asked for by its id cannot have that id in what comes. */
static void
a_rows_id_is_in_the_row(void **state)
{
    (void)state;
    struct bound bound;
    bound_texts(&bound,
                "poll: {request: {url: '{var:base}/x'}, items: '$[*]', record: "
                "{id: 'header:X-Id'}}\n",
                "with: {base: 'http://127.0.0.1:9'}", "");
    assert_int_equal(bound.status, STATUS_CONFIG);
    bound_fini(&bound);
}

static void
a_row_may_be_stamped_by_its_receipt(void **state)
{
    (void)state;
    struct bound bound;
    struct arena arena = { 0 };
    bound_texts(&bound,
                "poll: {request: {url: '{var:base}/x'}, items: '$[*]', record: "
                "{id: id, time: now}}\n",
                "with: {base: 'http://127.0.0.1:9'}", "");
    bound_must(&bound);
    const struct sighting row = read_row(&bound, "{\"id\":1}", NOW_MS, &arena);
    assert_int_equal(row.time_ms, NOW_MS);
    arena_fini(&arena);
    bound_fini(&bound);
}

static void
a_list_that_may_be_left_out_is_empty_then(void **state)
{
    (void)state;
    static const struct {
        const char *items;
        const char *body;
        enum status status;
    } rows[] = {
        { "events[*]", "{}", STATUS_PROTOCOL },
        { "events[*]?", "{}", STATUS_OK },
        { "events[*]?", "{\"events\":[]}", STATUS_OK },
        { "events[*]?", "[]", STATUS_PROTOCOL },
        { "events[*]?", "\"down\"", STATUS_PROTOCOL },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct bound bound;
        struct arena arena = { 0 };
        struct page page;
        struct error err = { "" };
        char file[256];
        (void)snprintf(file, sizeof(file),
                       "poll: {request: {url: '{var:base}/x'}, items: '%s', "
                       "record: {id: id}}\n",
                       rows[i].items);
        bound_texts(&bound, file, "with: {base: 'http://127.0.0.1:9'}", "");
        bound_must(&bound);
        if (extract_page(&bound.connector, slice_of(rows[i].body),
                         (struct http_fields){ NULL, 0 }, &arena, &page,
                         &err) != rows[i].status) {
            fail_msg("%s of %s: %s", rows[i].items, rows[i].body, err.text);
        }
        arena_fini(&arena);
        bound_fini(&bound);
    }
}

static void
running_out_of_memory_is_told(void **state)
{
    (void)state;
    struct bound bound;
    struct hook hook;
    long n = 0;
    bool whole = false;
    open_file(&bound, "petstore", WITH_ALL);
    make_hook(&hook, "X-Webhook-Delivery: d\nA: b\n",
              "{\"event\":\"order.a\",\"timestamp\":\"2026-09-20T10:00:05Z\","
              "\"data\":{\"id\":17,\"updated_at\":\"2026-09-20T10:00:00Z\"}}");
    for (; !whole && n < 1000; n++) {
        struct arena arena = { 0 };
        struct extracted extracted;
        struct sighting row;
        struct page page;
        const struct slice text = slice_of(
            "[{\"id\":17,\"updated_at\":\"2026-09-20T10:00:00\\u005a\"}]");
        struct error err = { "" };
        (void)mem_fail_after(n, 0);
        enum status status = extract_request(&bound.connector, &hook.request,
                                             bound.connector.verify, NOW_MS,
                                             &arena, &extracted, &err);
        if (status == STATUS_OK) {
            status = extract_page(&bound.connector, text,
                                  (struct http_fields){ NULL, 0 }, &arena,
                                  &page, &err);
        }
        if (status == STATUS_OK) {
            const struct row_view view = {
                page.rows[0], page.rows[0], CHANNEL_POLL, NOW_MS, { NULL, 0 }
            };
            status = extract_row(&bound.connector, &view, &arena, &row, &err);
        }
        (void)mem_fail_after(-1, 0);
        if (status == STATUS_OK) {
            whole = true;
            assert_int_equal(extracted.at[0].key_count, 3);
        } else {
            assert_int_equal(status, STATUS_NOMEM);
        }
        arena_fini(&arena);
    }
    assert_true(whole && n > 1);
    bound_fini(&bound);
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
        cmocka_unit_test(with_key_time_both_channels_have_one_key_at_any_clock),
        cmocka_unit_test(
            without_key_time_what_the_channels_say_of_time_does_not_matter),
        cmocka_unit_test(an_event_without_its_key_time_is_kept_by_receipt),
        cmocka_unit_test(
            a_webhook_is_led_to_its_bytes_only_where_they_hold_its_id),
        cmocka_unit_test(a_row_and_a_webhook_of_one_version_meet),
        cmocka_unit_test(the_pet_store_is_read_as_its_tutorials_have_it),
        cmocka_unit_test(handlers_get_one_shape_from_both_channels),
        cmocka_unit_test(bytes_identify_only_with_a_stamp_and_an_unsigned_id),
        cmocka_unit_test(equal_bytes_about_two_topics_are_two_webhooks),
        cmocka_unit_test(what_a_signature_covers_follows_from_its_text),
        cmocka_unit_test(where_the_body_is_not_signed_its_bytes_say_nothing),
        cmocka_unit_test(a_signed_digest_of_the_body_covers_the_body),
        cmocka_unit_test(a_batch_is_split_into_its_events),
        cmocka_unit_test(a_feed_that_is_pushed_is_split_into_its_entries),
        cmocka_unit_test(a_request_without_its_id_is_refused_with_words),
        cmocka_unit_test(credentials_are_not_kept),
        cmocka_unit_test(an_error_is_never_an_empty_page),
        cmocka_unit_test(a_type_is_a_place_where_the_row_has_one_else_a_word),
        cmocka_unit_test(a_row_without_its_key_is_refused),
        cmocka_unit_test(the_delivery_log_brings_the_bytes_of_the_webhook),
        cmocka_unit_test(gitlab_rows_carry_the_id_among_their_request_headers),
        cmocka_unit_test(a_log_of_webhooks_brings_their_fields),
        cmocka_unit_test(a_rows_id_is_in_the_row),
        cmocka_unit_test(a_row_may_be_stamped_by_its_receipt),
        cmocka_unit_test(a_list_that_may_be_left_out_is_empty_then),
        cmocka_unit_test(running_out_of_memory_is_told),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
