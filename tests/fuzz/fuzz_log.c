/* SPDX-License-Identifier: MIT */
/* log: whatever a field holds, a line is one line of text without a control
 * character; as JSON it is an object whose members are those that were given.
 */
#include "base/log.h"
#include "base/utf8.h"
#include "fuzz/fuzz.h"
#include "wire/json.h"

enum { DEPTH = 2 };

static void
holds_no_control(struct slice line)
{
    for (size_t i = 0; i < line.len; i++) {
        const unsigned char byte = (unsigned char)line.ptr[i];
        FUZZ_HOLDS(byte >= 0x20 && byte != 0x7f);
    }
    FUZZ_HOLDS(utf8_valid(line));
}

static void
is_an_object(struct slice line, struct slice value)
{
    struct slice found;
    FUZZ_HOLDS(json_check(line, DEPTH, NULL) == STATUS_OK);
    FUZZ_HOLDS(json_type(line) == JSON_OBJECT);
    FUZZ_HOLDS(json_member(line, slice_of("n"), &found));
    FUZZ_HOLDS(slice_equal_text(found, "7"));
    FUZZ_HOLDS(json_member(line, slice_of("from"), &found));
    FUZZ_HOLDS(!utf8_valid(value) || json_means(found, value));
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    const struct slice input = fuzz_input(bytes, count);
    const struct log_field fields[] = { log_slice("from", input),
                                        log_i64("n", 7) };
    for (int format = LOG_FORMAT_TEXT; format <= LOG_FORMAT_JSON; format++) {
        struct buf line = { 0 };
        log_render(&line, (enum log_format)format, LOG_WARN, 0, "refused",
                   fields, sizeof(fields) / sizeof(fields[0]));
        FUZZ_HOLDS(buf_status(&line) == STATUS_OK);
        holds_no_control(buf_slice(&line));
        if (format == LOG_FORMAT_JSON) {
            is_an_object(buf_slice(&line), input);
        }
        buf_fini(&line);
    }
    return 0;
}
