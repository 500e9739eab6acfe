/* SPDX-License-Identifier: MIT */
/* json: whatever the scanner takes can be walked to its end, reads the same
 * when its white space is gone, and is what cJSON reads. */
#include <cjson/cJSON.h>
#include <string.h>

#include "base/mem.h"
#include "fuzz/fuzz.h"
#include "wire/json.h"

#define DEPTH 64

/* cJSON ends a string at a NUL, so such texts are not compared. */
static bool
has_nul(struct slice text)
{
    static const char escaped[] = "\\u0000";
    return slice_find(text, '\0') < text.len ||
           slice_find_slice(text, slice_of(escaped)) < text.len;
}

static void same(struct slice value, const cJSON *other, struct arena *arena);

static void
same_array(struct slice value, const cJSON *other, struct arena *arena)
{
    FUZZ_HOLDS(cJSON_IsArray(other));
    size_t at = 0;
    struct slice element;
    const cJSON *child = other->child;
    while (json_next_element(value, &at, &element)) {
        FUZZ_HOLDS(child != NULL);
        same(element, child, arena);
        child = child->next;
    }
    FUZZ_HOLDS(child == NULL);
}

static void
same_object(struct slice value, const cJSON *other, struct arena *arena)
{
    FUZZ_HOLDS(cJSON_IsObject(other));
    size_t at = 0;
    struct slice name;
    struct slice element;
    const cJSON *child = other->child;
    while (json_next_member(value, &at, &name, &element)) {
        struct slice text;
        FUZZ_HOLDS(child != NULL);
        FUZZ_HOLDS(json_text(name, arena, &text) == STATUS_OK);
        FUZZ_HOLDS(slice_equal_text(text, child->string));
        FUZZ_HOLDS(json_means(name, text));
        /* the first of a name counts, by whatever way it is asked for */
        struct slice found;
        FUZZ_HOLDS(json_member(value, text, &found));
        FUZZ_HOLDS(found.ptr <= element.ptr);
        same(element, child, arena);
        child = child->next;
    }
    FUZZ_HOLDS(child == NULL);
}

static void
same(struct slice value, const cJSON *other, struct arena *arena)
{
    struct slice text;
    switch (json_type(value)) {
    case JSON_ARRAY: same_array(value, other, arena); return;
    case JSON_OBJECT: same_object(value, other, arena); return;
    case JSON_STRING:
        FUZZ_HOLDS(cJSON_IsString(other));
        FUZZ_HOLDS(json_text(value, arena, &text) == STATUS_OK);
        FUZZ_HOLDS(slice_equal_text(text, other->valuestring));
        return;
    case JSON_NUMBER: FUZZ_HOLDS(cJSON_IsNumber(other)); return;
    case JSON_TRUE: FUZZ_HOLDS(cJSON_IsTrue(other)); return;
    case JSON_FALSE: FUZZ_HOLDS(cJSON_IsFalse(other)); return;
    case JSON_NULL: FUZZ_HOLDS(cJSON_IsNull(other)); return;
    }
}

static void
compare(struct slice text)
{
    struct arena arena = { 0 };
    cJSON *other = cJSON_ParseWithLength(text.ptr, text.len);
    FUZZ_HOLDS(other != NULL);
    same(text, other, &arena);
    cJSON_Delete(other);
    arena_fini(&arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    struct slice text = fuzz_input(bytes, count);
    struct error err = { 0 };
    if (json_check(text, DEPTH, &err) != STATUS_OK) {
        FUZZ_HOLDS(strlen(err.text) > 0);
        return 0;
    }
    struct buf compact = { 0 };
    struct buf twice = { 0 };
    json_compact(text, &compact);
    FUZZ_HOLDS(json_check(buf_slice(&compact), DEPTH, NULL) == STATUS_OK);
    json_compact(buf_slice(&compact), &twice);
    FUZZ_HOLDS(slice_equal(buf_slice(&compact), buf_slice(&twice)));
    if (!has_nul(text)) {
        compare(text);
    }
    buf_fini(&compact);
    buf_fini(&twice);
    return 0;
}
