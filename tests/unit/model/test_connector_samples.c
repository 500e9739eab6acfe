/* SPDX-License-Identifier: MIT */
/* What the connectors we ship read of a webhook and of a row: data/samples. */
#include "harness/bound.h"

#include "model/extract.h"
#include "model/identity.h"
#include "wire/digest.h"
#include "wire/json.h"

#define NOW_MS     INT64_C(1767225700000)
#define FIELDS_MAX 8

struct sample {
    const struct config_node *node;
    struct bound bound;
    struct arena arena;
    struct slice name;
};

static struct slice
text_at(const struct sample *sample, const char *key)
{
    const struct config_node *node = config_node_child(sample->node, key);
    return node == NULL ? (struct slice){ NULL, 0 } : node->text;
}

static bool
says(const struct sample *sample, const char *key)
{
    return slice_equal_text(text_at(sample, key), "true");
}

/* Writes `with` as YAML again: parameters are plain. */
static void
write_entry(const struct sample *sample, struct buf *into)
{
    const struct config_node *with = config_node_child(sample->node, "with");
    buf_text(into, "with: {");
    for (const struct config_node *at = with->children; at; at = at->next) {
        buf_append(into, at->key);
        buf_text(into, ": ");
        buf_json(into, at->text);
        buf_text(into, at->next == NULL ? "}\n" : ", ");
    }
}

static struct sighting
read_hook(struct sample *sample)
{
    struct http_field fields[FIELDS_MAX];
    struct extracted extracted;
    struct error err = { "" };
    size_t count = 0;
    const struct slice body = text_at(sample, "body");
    const struct config_node *list = config_node_child(sample->node, "fields");
    for (const struct config_node *at = list == NULL ? NULL : list->children;
         at != NULL; at = at->next) {
        const size_t colon = slice_find(at->text, ':');
        assert_true(count < FIELDS_MAX);
        fields[count].name = slice_first(at->text, colon);
        fields[count++].value = slice_trim(slice_from(at->text, colon + 1));
    }
    const struct inbound request = {
        .method = SLICE("POST"),
        .fields = { fields, count },
        .body = body,
        .body_is_json = json_check(body, 64, NULL) == STATUS_OK,
    };
    const struct connector *c = &sample->bound.connector;
    if (extract_request(c, &request, c->verify, NOW_MS, &sample->arena,
                        &extracted, &err) != STATUS_OK ||
        extracted.count != 1) {
        fail_msg("%.*s: webhook: %s", SLICE_ARG(sample->name), err.text);
    }
    return extracted.at[0];
}

static struct sighting
read_row(struct sample *sample)
{
    struct sighting sighting;
    struct error err = { "" };
    const struct slice row = text_at(sample, "row");
    const struct row_view view = {
        row, row, CHANNEL_POLL, NOW_MS, { NULL, 0 }
    };
    assert_int_equal(json_check(row, 64, NULL), STATUS_OK);
    if (extract_row(&sample->bound.connector, &view, &sample->arena, &sighting,
                    &err) != STATUS_OK) {
        fail_msg("%.*s: row: %s", SLICE_ARG(sample->name), err.text);
    }
    return sighting;
}

/* Whether what one left in the ledger is found by the other. */
static bool
meet(const struct sighting *row, const struct sighting *hook)
{
    for (size_t r = 0; r < row->key_count; r++) {
        for (size_t h = 0; h < hook->key_count; h++) {
            const struct sighting_key *probe = &hook->keys[h];
            for (int i = -(int)probe->probes_back;
                 i <= (int)probe->probes_ahead; i++) {
                const struct ledger_key at = identity_shift(&probe->key, i);
                if (memcmp(at.bytes, row->keys[r].key.bytes,
                           LEDGER_KEY_BYTES) == 0) {
                    return true;
                }
            }
        }
    }
    return false;
}

/* `key` is a pair: the id, where "*" is any, and the type. */
static void
must_be(const struct sample *sample, const char *key,
        const struct sighting *sighting)
{
    const struct config_node *pair = config_node_child(sample->node, key);
    assert_non_null(pair);
    const struct config_node *id = pair->children;
    const struct config_node *type = id->next;
    if ((!slice_equal_text(id->text, "*") &&
         !slice_equal(id->text, sighting->id)) ||
        !slice_equal(type->text, sighting->type)) {
        fail_msg("%.*s: %s is '%.*s' of '%.*s'", SLICE_ARG(sample->name), key,
                 SLICE_ARG(sighting->id), SLICE_ARG(sighting->type));
    }
    /* Only those that have no time in their samples may have none. */
    if (sighting->time_ms == 0 && !slice_equal_text(sample->name, "basic") &&
        !slice_equal_text(sample->name, "plaid") &&
        !slice_equal_text(sample->name, "discord_interactions") &&
        !slice_equal_text(sample->name, "twilio") &&
        !slice_equal_text(sample->name, "petstore") &&
        !slice_equal_text(sample->name, "shopify_events")) {
        fail_msg("%.*s: %s has no time", SLICE_ARG(sample->name), key);
    }
}

static void
try_sample(const struct config_node *node)
{
    struct sample sample = { .node = node, .name = node->key };
    struct sighting hook = { .key_count = 0 };
    struct sighting row = { .key_count = 0 };
    struct buf entry = { 0 };
    char path[512];
    (void)snprintf(path, sizeof(path), "%s/%.*s.yaml", TEST_CONNECTORS_DIR,
                   SLICE_ARG(sample.name));
    write_entry(&sample, &entry);
    bound_file(&sample.bound, path, entry.ptr, "https://hooks.example.com");
    bound_must(&sample.bound);
    const bool has_hook = text_at(&sample, "body").len > 0;
    const bool has_row = text_at(&sample, "row").len > 0;
    assert_true(has_hook || has_row);
    if (has_hook) {
        hook = read_hook(&sample);
        must_be(&sample, "hook", &hook);
    }
    if (has_row) {
        row = read_row(&sample);
        must_be(&sample, "fact", &row);
    }
    if (meet(&row, &hook) != says(&sample, "meets") ||
        hook.covered_by_row != says(&sample, "covers")) {
        fail_msg("%.*s: meets %d, covers %d", SLICE_ARG(sample.name),
                 meet(&row, &hook), hook.covered_by_row);
    }
    buf_fini(&entry);
    arena_fini(&sample.arena);
    bound_fini(&sample.bound);
}

static void
a_webhook_and_its_row_are_read_as_one_fact(void **state)
{
    (void)state;
    struct bound bound;
    struct config_node *root = NULL;
    size_t len = 0;
    size_t count = 0;
    memset(&bound, 0, sizeof(bound));
    char *text = bound_read(TEST_DATA_DIR "/samples.yaml", &bound.arena, &len);
    assert_int_equal(
        bound_tree(&bound, "samples.yaml", (struct slice){ text, len }, &root),
        STATUS_OK);
    assert_int_equal(config_report_status(&bound.report), STATUS_OK);
    for (const struct config_node *at = root->children; at; at = at->next) {
        try_sample(at);
        count++;
    }
    bound_fini(&bound);
    assert_true(count >= 40);
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
        cmocka_unit_test(a_webhook_and_its_row_are_read_as_one_fact),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
