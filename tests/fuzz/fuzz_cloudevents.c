/* SPDX-License-Identifier: MIT */
/* cloudevents_read: an event of a binary request passes the check that one in
 * JSON does, or is refused with words. The input: fields, one a line, an empty
 * line, the body. */
#include <string.h>

#include "base/mem.h"
#include "fuzz/fuzz.h"
#include "wire/cloudevents_read.h"
#include "wire/json.h"

#define FIELDS_MAX 24

/* Looks at what passed, and at what its data are. */
static void
look(struct slice object)
{
    struct error err = { 0 };
    struct arena arena = { 0 };
    struct cloudevents_data data;
    if (cloudevents_check(object, &err) == STATUS_OK) {
        FUZZ_HOLDS(cloudevents_data_of(object, &arena, &data) == STATUS_OK);
        FUZZ_HOLDS(!data.is_json ||
                   json_check(data.bytes, 1024, NULL) == STATUS_OK);
    } else {
        FUZZ_HOLDS(strlen(err.text) > 0);
    }
    arena_fini(&arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    struct slice input = fuzz_input(bytes, count);
    struct http_field fields[FIELDS_MAX];
    size_t field_count = 0;
    if (json_check(input, JSON_DEPTH_DEFAULT, NULL) == STATUS_OK) {
        look(input);
    }
    while (input.len > 0 && field_count < FIELDS_MAX) {
        struct slice line = fuzz_take(&input, '\n');
        struct slice name = fuzz_take(&line, ':');
        if (name.len == 0) {
            break;
        }
        if (http_field_name_valid(name) && http_field_value_valid(line)) {
            fields[field_count++] =
                (struct http_field){ name, slice_trim(line) };
        }
    }
    struct buf json = { 0 };
    struct error err = { 0 };
    if (cloudevents_from_fields((struct http_fields){ fields, field_count },
                                input, &json, &err) == STATUS_OK) {
        FUZZ_HOLDS(json_check(buf_slice(&json), JSON_DEPTH_DEFAULT + 1, NULL) ==
                   STATUS_OK);
        look(buf_slice(&json));
    } else {
        FUZZ_HOLDS(strlen(err.text) > 0);
    }
    buf_fini(&json);
    return 0;
}
