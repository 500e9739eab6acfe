/* SPDX-License-Identifier: MIT */
#include "model/extract_fields.h"

#include <string.h>

#include "wire/template.h"

/* Credentials of senders, and what speaks of the connection only. */
static bool
is_kept(const struct verify_rule *rule, struct slice name)
{
    static const struct slice dropped[] = {
        SLICE("authorization"),  SLICE("proxy-authorization"),
        SLICE("cookie"),         SLICE("connection"),
        SLICE("content-length"), SLICE("transfer-encoding"),
    };
    for (size_t i = 0; i < sizeof(dropped) / sizeof(dropped[0]); i++) {
        if (slice_equal_nocase(name, dropped[i])) {
            return false;
        }
    }
    if (rule == NULL || rule->type != VERIFY_TOKEN) {
        return true;
    }
    const struct template_ref *ref;
    for (size_t i = 0; (ref = template_ref_at(rule->from, SIZE_MAX, i)) != NULL;
         i++) {
        if (slice_equal_nocase(name, ref->name)) {
            return false;
        }
    }
    return true;
}

static char *
put(char *at, struct slice bytes)
{
    if (bytes.len > 0) {
        memcpy(at, bytes.ptr, bytes.len);
    }
    return at + bytes.len;
}

enum status
extract_keep_fields(struct http_fields from, const struct verify_rule *rule,
                    struct arena *arena, struct slice *ret_headers)
{
    static const struct slice colon = SLICE(": ");
    static const struct slice newline = SLICE("\n");
    /* Room for all of them, also those that are dropped. */
    size_t room = 0;
    for (size_t i = 0; i < from.count; i++) {
        const struct http_field *field = &from.at[i];
        room += field->name.len + colon.len + field->value.len + newline.len;
    }
    char *text = arena_alloc(arena, room);
    if (text == NULL) {
        return STATUS_NOMEM;
    }
    char *at = text;
    for (size_t i = 0; i < from.count; i++) {
        const struct http_field *field = &from.at[i];
        if (is_kept(rule, field->name)) {
            at = put(at, field->name);
            at = put(at, colon);
            at = put(at, field->value);
            at = put(at, newline);
        }
    }
    *ret_headers = (struct slice){ text, (size_t)(at - text) };
    return STATUS_OK;
}
