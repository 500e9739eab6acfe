/* SPDX-License-Identifier: MIT */
/* template: compiles or says where not; evaluated as a whole or in parts it
 * gives the same text. The input: template, line feed, the JSON that its places
 * look into. */
#include <string.h>

#include "base/mem.h"
#include "fuzz/fuzz.h"
#include "wire/digest.h"
#include "wire/json.h"
#include "wire/template.h"

static const char *const kinds[] = { "body",  "url",    "method", "secret",
                                     "form",  "header", "query",  "json",
                                     "item",  "sig",    "var",    "now",
                                     "start", NULL };

static enum status
lookup(void *arg, const struct template_ref *ref, struct arena *arena,
       struct slice *ret_value)
{
    const struct slice *text = arg;
    struct slice value;
    if (ref->path != NULL) {
        return json_path_first(ref->path, *text, &value) &&
                       json_type(value) != JSON_NULL
                   ? json_text(value, arena, ret_value)
                   : STATUS_NOT_FOUND;
    }
    if (slice_equal_text(ref->kind, "now")) {
        *ret_value = slice_of("1700000000123");
        return STATUS_OK;
    }
    *ret_value = slice_equal_text(ref->kind, "body") ? *text : ref->name;
    return ret_value->len % 7 == 3 ? STATUS_NOT_FOUND : STATUS_OK;
}

static void
evaluate(const struct template *t, struct slice text)
{
    struct arena arena = { 0 };
    struct template_scope scope = { lookup, &text, SLICE("key") };
    struct slice whole;
    struct slice parts[TEMPLATE_PARTS_MAX];
    size_t count = 0;
    enum status status = template_eval(t, &scope, &arena, &whole, NULL);
    FUZZ_HOLDS(template_parts(t, &scope, &arena, parts, &count) == status);
    if (status == STATUS_OK) {
        struct buf joined = { 0 };
        FUZZ_HOLDS(count <= TEMPLATE_PARTS_MAX);
        for (size_t i = 0; i < count; i++) {
            buf_append(&joined, parts[i]);
        }
        FUZZ_HOLDS(slice_equal(buf_slice(&joined), whole));
        buf_fini(&joined);
    }
    arena_fini(&arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    static bool ready;
    struct slice text = fuzz_input(bytes, count);
    struct slice source = fuzz_take(&text, '\n');
    if (!ready) {
        ready = digest_init(NULL) == STATUS_OK;
        FUZZ_HOLDS(ready);
    }
    if (json_check(text, 64, NULL) != STATUS_OK) {
        text = (struct slice)SLICE("{\"id\":9007199254740993}");
    }
    for (int bare = TEMPLATE_BARE_SOURCE; bare <= TEMPLATE_BARE_PATH; bare++) {
        struct arena arena = { 0 };
        struct error err = { 0 };
        const struct template *t;
        if (template_compile(source, (enum template_bare)bare, kinds, &arena,
                             &t, &err) == STATUS_OK) {
            FUZZ_HOLDS(slice_equal(template_source(t), source));
            evaluate(t, text);
        } else {
            FUZZ_HOLDS(strlen(err.text) > 0);
        }
        arena_fini(&arena);
    }
    return 0;
}
