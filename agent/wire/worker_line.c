/* SPDX-License-Identifier: MIT */
#include "wire/worker_line.h"

#include "wire/json.h"

enum { DEPTH = 8, SHOWN_BYTES = 80 };

void
worker_line_write(struct slice envelope, unsigned attempt, struct slice key,
                  struct buf *into)
{
    buf_append(into, slice_first(envelope, envelope.len - 1));
    buf_text(into, ",\"attempt\":");
    buf_u64(into, attempt);
    buf_text(into, ",\"idempotencykey\":\"");
    buf_append(into, key);
    buf_text(into, "\"}\n");
}

static bool
is_bool(struct slice value)
{
    enum json_type type = json_type(value);
    return type == JSON_TRUE || type == JSON_FALSE;
}

/* An answer is often what a program prints by mistake: its first bytes tell
 * which. */
static enum status
refuse(struct slice line, const char *words, struct error *err)
{
    char shown[SHOWN_BYTES + 1];
    struct slice first = slice_first(line, SHOWN_BYTES);
    for (size_t i = 0; i < first.len; i++) {
        char byte = first.ptr[i];
        bool is_plain = byte >= ' ' && byte < 0x7f;
        shown[i] = (char)(is_plain ? byte : '?');
    }
    shown[first.len] = '\0';
    return error_set(err, STATUS_INVALID, "%s: %s%s", words, shown,
                     first.len < line.len ? "..." : "");
}

enum status
worker_line_read(struct slice line, struct arena *arena,
                 struct worker_answer *ret, struct error *err)
{
    struct slice id;
    struct slice ok;
    struct slice retry;
    struct slice error;
    *ret = (struct worker_answer){ 0 };
    if (json_check(line, DEPTH, NULL) != STATUS_OK ||
        json_type(line) != JSON_OBJECT) {
        return refuse(line, "the answer is no JSON object", err);
    }
    if (!json_member(line, slice_of("id"), &id) ||
        json_type(id) != JSON_STRING) {
        return refuse(line, "the answer has no \"id\" that is a string", err);
    }
    if (!json_member(line, slice_of("ok"), &ok) || !is_bool(ok)) {
        return refuse(line, "the answer has no \"ok\" that is true or false",
                      err);
    }
    bool has_retry = json_member(line, slice_of("retry"), &retry);
    if (has_retry && !is_bool(retry)) {
        return refuse(line, "the answer's \"retry\" is not true or false", err);
    }
    ret->is_ok = json_type(ok) == JSON_TRUE;
    ret->is_final = !ret->is_ok && has_retry && json_type(retry) == JSON_FALSE;
    enum status status = json_text(id, arena, &ret->id);
    if (status == STATUS_OK && json_member(line, slice_of("error"), &error)) {
        status = json_text(error, arena, &ret->error);
    }
    return status == STATUS_OK
               ? STATUS_OK
               : error_set(err, status, "the answer: %s", status_text(status));
}
