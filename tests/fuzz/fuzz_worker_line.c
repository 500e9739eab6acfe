/* SPDX-License-Identifier: MIT */
/* worker_line: an answer that is taken says what cJSON reads in it, and one
 * that is refused is shown in plain words; a delivery is one line that is JSON.
 */
#include <cjson/cJSON.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "wire/json.h"
#include "wire/worker_line.h"

#define DEPTH 8

static const cJSON *
member(const cJSON *answer, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(answer, name);
}

static void
compare(struct slice text, const cJSON *value)
{
    FUZZ_HOLDS(cJSON_IsString(value));
    FUZZ_HOLDS(slice_equal_text(text, value->valuestring));
}

/* Which of two members of one name counts is said nowhere. */
static bool
has_twins(const cJSON *answer)
{
    for (const cJSON *one = answer->child; one != NULL; one = one->next) {
        if (member(answer, one->string) != one) {
            return true;
        }
    }
    return false;
}

static void
check_taken(struct slice line, const struct worker_answer *answer)
{
    cJSON *read = cJSON_ParseWithLength(line.ptr, line.len);
    FUZZ_HOLDS(read != NULL);
    if (!has_twins(read)) {
        compare(answer->id, member(read, "id"));
        if (cJSON_IsString(member(read, "error"))) { /* else as it stands */
            compare(answer->error, member(read, "error"));
        }
        FUZZ_HOLDS(cJSON_IsTrue(member(read, "ok")) == (int)answer->is_ok);
        FUZZ_HOLDS(!answer->is_final || cJSON_IsFalse(member(read, "retry")));
    }
    FUZZ_HOLDS(!answer->is_final || !answer->is_ok);
    cJSON_Delete(read);
}

/* cJSON's strings end at a NUL. */
static bool
has_nul(struct slice line)
{
    static const char nul[] = "\\u0000";
    for (size_t i = 0; i + 6 <= line.len; i++) {
        if (memcmp(line.ptr + i, nul, 6) == 0) {
            return true;
        }
    }
    return false;
}

static void
read_answer(struct slice line)
{
    struct arena arena = { 0 };
    struct worker_answer answer;
    struct error err = { "" };
    enum status status = worker_line_read(line, &arena, &answer, &err);
    if (status == STATUS_OK && !has_nul(line)) {
        check_taken(line, &answer);
    } else if (status != STATUS_OK) {
        FUZZ_HOLDS(err.text[0] != '\0');
        for (const char *at = err.text; *at != '\0'; at++) {
            FUZZ_HOLDS(*at >= ' ' && *at < 0x7f);
        }
    }
    arena_fini(&arena);
}

/* What is not the envelope of an event is none: JSON on one line, not empty. */
static void
write_delivery(struct slice envelope)
{
    struct slice value;
    struct buf line = { 0 };
    if (envelope.len < 3 || envelope.ptr[0] != '{' ||
        envelope.ptr[envelope.len - 1] != '}' ||
        slice_find(envelope, '\n') < envelope.len ||
        json_check(envelope, DEPTH, NULL) != STATUS_OK ||
        !json_member(envelope, slice_of("id"), &value)) {
        return;
    }
    worker_line_write(envelope, 7, slice_of("shop/a%20b"), &line);
    FUZZ_HOLDS(buf_status(&line) == STATUS_OK);
    struct slice text = buf_slice(&line);
    FUZZ_HOLDS(slice_find(text, '\n') == text.len - 1);
    FUZZ_HOLDS(text.len <=
               envelope.len + strlen("shop/a%20b") + WORKER_LINE_MORE_BYTES);
    text = slice_first(text, text.len - 1);
    FUZZ_HOLDS(json_check(text, DEPTH, NULL) == STATUS_OK);
    FUZZ_HOLDS(json_member(text, slice_of("idempotencykey"), &value));
    FUZZ_HOLDS(json_member(text, slice_of("attempt"), &value));
    buf_fini(&line);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    struct slice input = fuzz_input(bytes, count);
    read_answer(input);
    write_delivery(input);
    return 0;
}
