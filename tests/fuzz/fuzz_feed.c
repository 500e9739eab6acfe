/* SPDX-License-Identifier: MIT */
/* Feeds: what is read is JSON with an id for each entry, and the same text
 * gives the same JSON. */
#include "base/mem.h"
#include "fuzz/fuzz.h"
#include "wire/digest.h"
#include "wire/feed.h"
#include "wire/json.h"

static void
look(struct slice json)
{
    struct slice items;
    struct slice item;
    struct slice id;
    FUZZ_HOLDS(json_check(json, 8, NULL) == STATUS_OK);
    FUZZ_HOLDS(json_member(json, slice_of("items"), &items));
    for (size_t at = 0; json_next_element(items, &at, &item);) {
        FUZZ_HOLDS(json_member(item, slice_of("id"), &id));
        FUZZ_HOLDS(json_type(id) == JSON_STRING && id.len > 2);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    struct slice text = fuzz_input(bytes, count);
    struct buf json = { 0 };
    struct buf again = { 0 };
    struct error err = { "" };
    static bool ready;
    if (!ready) {
        FUZZ_HOLDS(digest_init(NULL) == STATUS_OK);
        ready = true;
    }
    enum status status = feed_to_json(text, &json, &err);
    FUZZ_HOLDS(status == STATUS_OK || (err.text[0] != '\0' && json.len == 0));
    FUZZ_HOLDS(feed_to_json(text, &again, NULL) == status);
    FUZZ_HOLDS(slice_equal(buf_slice(&json), buf_slice(&again)));
    if (status == STATUS_OK) {
        look(buf_slice(&json));
    }
    buf_fini(&json);
    buf_fini(&again);
    return 0;
}
