/* SPDX-License-Identifier: MIT */
/* verify: without the secret nothing is genuine, whatever the request says. The
 * input: fields, one a line, an empty line, the body; a first line with a blank
 * is method and target. */
#include <string.h>

#include "base/mem.h"
#include "config/config_report.h"
#include "config/config_yaml.h"
#include "fuzz/fuzz.h"
#include "model/connector.h"
#include "model/verify.h"
#include "wire/digest.h"
#include "wire/json.h"

#define FIELDS_MAX 24

/* Each kind of scheme there is; the secrets are in nobody's seeds. */
static const char *const specs[] = {
    ("verify: {type: hmac, alg: sha256, signed: '{sig:t}.{body}',"
     " timestamp: {from: 'sig:t', unit: s, tolerance: 300s},"
     " signature: {from: 'header:S', split: ',', kv: '=', name: v1,"
     " encoding: hex}}\nevent: {id: 'json:id', type: 'json:type'}\n"),
    ("verify: {type: hmac, alg: sha1, signed: ['{url|noport}{form|sorted}',"
     " '{url|withport}{form|sorted}'], signature: {from: 'header:S',"
     " encoding: base64}}\nevent: {id: 'form:id', type: 'form:type'}\n"),
    ("verify: {type: hmac, alg: sha256, each: 'a[*].b', signature: {from:"
     " 'item:s', encoding: base64}, signed: '{item:x?}:{item:y.z?}'}\n"
     "event: {split: 'a[*].b', id: '{item:x}', type: 'item:y'}\n"),
    ("verify: {type: hash, alg: sha256, signed: '{secret}{method}{url}{body}',"
     " signature: {from: 'header:S', encoding: hex, compare: bytes}}\n"
     "event: {id: sha256(body)}\n"),
    ("verify: [{when: [{x: 'json:v', equals: 1}], type: token, from:"
     " 'header:T'}, {type: basic}]\nevent: {id: 'header:I ?? json:id'}\n"),
};

#define SPECS (sizeof(specs) / sizeof(specs[0]))

struct judge {
    struct arena arena;
    struct connector connector;
};

static bool
read_secret(void *arg, const struct config_secret *secret,
            struct config_report *report, struct arena *arena,
            struct slice *ret_text)
{
    (void)arg;
    (void)secret;
    (void)report;
    (void)arena;
    *ret_text = slice_of("user:yCq0Xn4PXvS6hZJ2sVbL8wJdK1t9");
    return true;
}

static const struct config_node *
tree_of(const char *text, struct arena *arena, struct config_report *report)
{
    struct config_source *source = arena_alloc(arena, sizeof(*source));
    struct config_node *root = NULL;
    FUZZ_HOLDS(source != NULL);
    *source = (struct config_source){ .name = SLICE("spec.yaml"),
                                      .directory = SLICE("."),
                                      .text = slice_of(text) };
    FUZZ_HOLDS(config_yaml_parse(source, NULL, NULL, arena, report, &root) ==
               STATUS_OK);
    return root;
}

static void
prepare(struct judge judges[SPECS])
{
    FUZZ_HOLDS(digest_init(NULL) == STATUS_OK);
    for (size_t i = 0; i < SPECS; i++) {
        struct judge *judge = &judges[i];
        struct config_report report = { 0 };
        struct config_binding binding = { .arena = &judge->arena,
                                          .report = &report };
        const struct connector_env env = {
            .read_secret = read_secret,
            .public_url = SLICE("https://hooks.example.com:8443"),
        };
        const struct config_node *file =
            tree_of(specs[i], &judge->arena, &report);
        const struct config_node *entry =
            tree_of("with: {webhook_secret_file: s}", &judge->arena, &report);
        FUZZ_HOLDS(connector_bind(&binding, slice_of("fuzz"), file->mark, file,
                                  entry, &env, &judge->connector) == STATUS_OK);
        FUZZ_HOLDS(report.errors == 0);
        config_report_fini(&report);
    }
}

/* Cuts the input into a request. */
static void
read_request(struct slice input, struct http_field fields[FIELDS_MAX],
             struct inbound *request)
{
    size_t count = 0;
    *request = (struct inbound){ .method = SLICE("POST"),
                                 .path_query = SLICE("/hooks/fuzz") };
    while (input.len > 0) {
        struct slice line = fuzz_take(&input, '\n');
        struct slice name = fuzz_take(&line, ':');
        if (name.len == 0) {
            break;
        }
        if (slice_starts(name, slice_of("?"))) {
            request->query = slice_from(name, 1);
        } else if (count < FIELDS_MAX) {
            fields[count++] = (struct http_field){ name, slice_trim(line) };
        }
    }
    request->fields = (struct http_fields){ fields, count };
    request->body = input;
    request->body_is_json = json_check(input, 64, NULL) == STATUS_OK;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    static struct judge judges[SPECS];
    static bool ready;
    if (!ready) {
        prepare(judges);
        ready = true;
    }
    struct http_field fields[FIELDS_MAX];
    struct inbound request;
    read_request(fuzz_input(bytes, count), fields, &request);
    for (size_t i = 0; i < SPECS; i++) {
        struct arena arena = { 0 };
        struct verify_result result = { .verdict = VERIFY_FORGED };
        FUZZ_HOLDS(verify_request(&judges[i].connector, &request, NULL,
                                  INT64_C(1700000000000), &arena,
                                  &result) == STATUS_OK);
        FUZZ_HOLDS(result.verdict != VERIFY_GENUINE);
        FUZZ_HOLDS(result.verdict == VERIFY_WANTS_KEY ||
                   strlen(result.why) > 0);
        arena_fini(&arena);
    }
    return 0;
}
