/* SPDX-License-Identifier: MIT */
/* The connectors whose provider does not sign the id it sends: who replays a
 * body under another id brings nothing new, and equal bodies that nothing makes
 * unique stay two facts. */
#include "harness/bound.h"

#include "model/extract.h"
#include "wire/digest.h"
#include "wire/json.h"

#define NOW_MS INT64_C(1790000000000)

struct provider {
    const char *file;
    const char *field; /* that has the id */
    const char *kind;  /* a further field */
    const char *body;  /* with its stamp */
    const char *same;  /* other bytes that the same signature proves, or NULL */
    const char *plain; /* without a stamp */
};

#define AT "\"2026-11-20T10:00:00Z\""

static const struct provider providers[] = {
    { "github", "X-GitHub-Delivery", "X-GitHub-Event",
      "{\"issue\":{\"updated_at\":" AT "}}", NULL, "{\"zen\":\"z\"}" },
    { "github", "X-GitHub-Delivery", "X-GitHub-Event",
      "payload=%7B%22updated_at%22%3A%22x%22%7D", NULL, "payload=%7B%7D" },
    { "shopify", "X-Shopify-Event-Id", "X-Shopify-Topic",
      "{\"id\":1,\"updated_at\":" AT "}", NULL, "{\"id\":1}" },
    { "woocommerce", "X-WC-Webhook-Delivery-ID", "X-WC-Webhook-Topic",
      "{\"id\":1,\"date_modified_gmt\":\"2026-11-20T10:00:00\"}", NULL,
      "{\"id\":1}" },
    { "linear", "Linear-Delivery", "Linear-Event",
      "{\"webhookTimestamp\":1790000000000}", NULL, "{\"type\":\"Issue\"}" },
    { "gitea", "X-Gitea-Delivery", "X-Gitea-Event",
      "{\"issue\":{\"updated_at\":" AT "}}", NULL, "{\"ref\":\"r\"}" },
    { "bitbucket", "X-Request-UUID", "X-Event-Key",
      "{\"pullrequest\":{\"updated_on\":" AT "}}", NULL, "{\"push\":{}}" },
    { "jira", "X-Atlassian-Webhook-Identifier", "X-Kind",
      "{\"timestamp\":1790000000000}", NULL, "{\"webhookEvent\":\"e\"}" },
    { "razorpay", "x-razorpay-event-id", "X-Kind",
      "{\"created_at\":1790000000}", NULL, "{\"event\":\"e\"}" },
    { "twilio", "I-Twilio-Idempotency-Token", "X-Kind",
      "MessageSid=SM1&MessageStatus=sent&To=%2B41",
      "To=%2b41&MessageStatus=sent&MessageSid=SM1", "AccountSid=AC1" },
};

/* Returns the key of the bytes, or NULL where they say nothing. */
static const struct sighting_key *
body_key(const struct bound *bound, const struct provider *provider,
         const char *id, const char *body, struct arena *arena)
{
    const struct http_field fields[] = {
        { slice_of(provider->field), slice_of(id) },
        { slice_of(provider->kind), slice_of("kind") },
    };
    const struct inbound request = {
        .method = SLICE("POST"),
        .fields = { fields, 2 },
        .body = slice_of(body),
        .body_is_json =
            json_check(slice_of(body), JSON_DEPTH_DEFAULT, NULL) == STATUS_OK,
    };
    const struct connector *c = &bound->connector;
    struct extracted events;
    struct error err = { "" };
    if (extract_request(c, &request, &c->verify[c->verify_count - 1], NOW_MS,
                        arena, &events, &err) != STATUS_OK) {
        fail_msg("%s: %s", provider->file, err.text);
    }
    assert_int_equal(events.count, 1);
    assert_true(slice_equal_text(events.at[0].id, id));
    for (size_t i = 0; i < events.at[0].key_count; i++) {
        if (events.at[0].keys[i].role == KEY_BODY) {
            return &events.at[0].keys[i];
        }
    }
    return NULL;
}

static void
a_replay_under_another_id_is_the_same_request(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(providers) / sizeof(providers[0]); i++) {
        const struct provider *one = &providers[i];
        struct bound bound;
        struct arena arena = { 0 };
        char path[512];
        (void)snprintf(path, sizeof(path), "%s/%s.yaml", TEST_CONNECTORS_DIR,
                       one->file);
        bound_file(&bound, path, "with: {webhook_secret: s}",
                   "https://hooks.example.com");
        bound_must(&bound);
        const struct sighting_key *first =
            body_key(&bound, one, "d1", one->body, &arena);
        const struct sighting_key *again =
            body_key(&bound, one, "d2", one->body, &arena);
        if (first == NULL || again == NULL ||
            memcmp(&first->key, &again->key, sizeof(first->key)) != 0) {
            fail_msg("%s: a replay is another request", one->file);
        }
        if (one->same != NULL) {
            again = body_key(&bound, one, "d3", one->same, &arena);
            assert_non_null(again);
            assert_memory_equal(&first->key, &again->key, sizeof(first->key));
        }
        assert_null(body_key(&bound, one, "d4", one->plain, &arena));
        arena_fini(&arena);
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
        cmocka_unit_test(a_replay_under_another_id_is_the_same_request),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
