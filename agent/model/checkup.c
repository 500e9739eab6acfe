/* SPDX-License-Identifier: MIT */
#include "model/checkup.h"

#include <string.h>

const char *
checkup_grade_name(enum checkup_grade grade)
{
    static const char *const names[] = { "ok", "warn", "fail" };
    return names[grade];
}

enum checkup_grade
checkup_room(int64_t free_bytes)
{
    return free_bytes < CHECKUP_ROOM_FAIL   ? CHECKUP_FAIL
           : free_bytes < CHECKUP_ROOM_WARN ? CHECKUP_WARN
                                            : CHECKUP_OK;
}

int64_t
checkup_skew_ms(int64_t date_ms, int64_t sent_ms, int64_t received_ms)
{
    const int64_t least_ms = sent_ms - (date_ms + 999);
    const int64_t most_ms = received_ms - date_ms;
    return least_ms > 0 ? least_ms : most_ms < 0 ? most_ms : 0;
}

enum checkup_grade
checkup_skew(int64_t skew_ms)
{
    const int64_t apart_ms = skew_ms < 0 ? -skew_ms : skew_ms;
    return apart_ms >= CHECKUP_SKEW_FAIL_MS   ? CHECKUP_FAIL
           : apart_ms >= CHECKUP_SKEW_WARN_MS ? CHECKUP_WARN
                                              : CHECKUP_OK;
}

enum checkup_hooks_state
checkup_hooks(const struct checkup_hooks *known)
{
    return known->came && known->is_silent ? CHECKUP_HOOKS_SILENT
           : known->came                   ? CHECKUP_HOOKS_CAME
           : known->refused                ? CHECKUP_HOOKS_REFUSED
           : known->by_list > 0            ? CHECKUP_HOOKS_MISSED
                                           : CHECKUP_HOOKS_NONE;
}

/* ---- a unit ---- */

/* Takes what stands before `byte`, which goes too. */
static struct slice
cut(struct slice *text, char byte)
{
    size_t at = slice_find(*text, byte);
    struct slice first = slice_first(*text, at);
    *text = slice_from(*text, at == SIZE_MAX ? text->len : at + 1);
    return first;
}

static struct checkup_unit
read_command(struct slice command)
{
    static const struct slice config = SLICE("--config=");
    struct checkup_unit unit = { 0 };
    while (command.len > 0 && strchr("-@:+!", command.ptr[0]) != NULL) {
        command = slice_from(command, 1);
    }
    unit.program = cut(&command, ' ');
    for (bool is_config = false; command.len > 0;) {
        struct slice word = slice_trim(cut(&command, ' '));
        if (word.len == 0) {
            continue;
        }
        if (is_config) {
            unit.config = word;
        } else if (slice_starts(word, config)) {
            unit.config = slice_from(word, config.len);
        }
        is_config =
            slice_equal_text(word, "-c") || slice_equal_text(word, "--config");
    }
    return unit;
}

struct checkup_unit
checkup_unit(struct slice text)
{
    static const struct slice key = SLICE("ExecStart=");
    struct checkup_unit unit = { 0 };
    while (text.len > 0) {
        struct slice line = slice_trim(cut(&text, '\n'));
        if (slice_starts(line, key)) {
            unit = read_command(slice_trim(slice_from(line, key.len)));
        }
    }
    return unit;
}
