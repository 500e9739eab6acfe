/* SPDX-License-Identifier: MIT */
/* json paths and pointers: what they find lies in the text and is a value. The
 * input: path, line feed, JSON. */
#include <string.h>

#include "base/mem.h"
#include "fuzz/fuzz.h"
#include "wire/json.h"

struct found {
    struct slice text;
    struct slice first;
    size_t count;
};

static bool
visit(void *arg, struct slice value)
{
    struct found *found = arg;
    FUZZ_HOLDS(value.ptr >= found->text.ptr);
    FUZZ_HOLDS(value.ptr + value.len <= found->text.ptr + found->text.len);
    FUZZ_HOLDS(json_check(value, 1024, NULL) == STATUS_OK);
    if (found->count == 0) {
        found->first = value;
    }
    found->count++;
    return found->count < 10000;
}

static void
look(const struct json_path *path, struct slice text)
{
    struct found found = { .text = text };
    struct slice first;
    bool exists = json_path_each(path, text, visit, &found);
    bool any = json_path_first(path, text, &first);
    FUZZ_HOLDS(found.count == 0 || exists);
    FUZZ_HOLDS(any == (found.count > 0));
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    struct slice text = fuzz_input(bytes, count);
    struct slice source = fuzz_take(&text, '\n');
    struct arena arena = { 0 };
    const struct json_path *path;
    if (json_check(text, 64, NULL) != STATUS_OK) {
        return 0;
    }
    if (json_path_compile(source, &arena, &path, NULL) == STATUS_OK) {
        FUZZ_HOLDS(slice_equal(json_path_source(path), source));
        look(path, text);
    }
    if (json_pointer_compile(source, &arena, &path, NULL) == STATUS_OK) {
        look(path, text);
    }
    arena_fini(&arena);
    return 0;
}
