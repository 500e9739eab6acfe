/* SPDX-License-Identifier: MIT */
#include "model/pattern.h"

#include <regex.h>

struct pattern {
    regex_t regex;
};

enum status
pattern_compile(struct slice text, struct arena *arena,
                struct pattern **ret_pattern, struct error *err)
{
    struct pattern *pattern = arena_array(arena, 1, sizeof(*pattern));
    const char *copy = arena_text(arena, text);
    if (pattern == NULL || copy == NULL) {
        return STATUS_NOMEM;
    }
    const int failure =
        regcomp(&pattern->regex, copy, REG_EXTENDED | REG_NOSUB);
    if (failure != 0) {
        char words[120];
        (void)regerror(failure, &pattern->regex, words, sizeof(words));
        return failure == REG_ESPACE
                   ? STATUS_NOMEM
                   : error_set(err, STATUS_INVALID, "%s", words);
    }
    *ret_pattern = pattern;
    return STATUS_OK;
}

enum status
pattern_compile_whole(struct slice text, struct arena *arena,
                      struct pattern **ret_pattern, struct error *err)
{
    struct pattern *alone = NULL;
    struct buf whole = { 0 };
    if (!slice_starts(text, slice_of("^")) ||
        !slice_ends(text, slice_of("$"))) {
        return error_set(err, STATUS_INVALID,
                         "must begin with '^' and end with '$': else more is "
                         "found than what is written");
    }
    /* By itself first: what is wrong in it must not be right in brackets. */
    enum status status = pattern_compile(text, arena, &alone, err);
    if (status != STATUS_OK) {
        return status;
    }
    pattern_free(alone);
    buf_text(&whole, "^(");
    buf_append(&whole, text);
    buf_text(&whole, ")$");
    status = buf_status(&whole);
    if (status == STATUS_OK) {
        status = pattern_compile(buf_slice(&whole), arena, ret_pattern, err);
    }
    buf_fini(&whole);
    return status;
}

enum status
pattern_find(const struct pattern *pattern, struct slice text,
             struct arena *arena, bool *ret_found)
{
    const char *copy = arena_text(arena, text);
    if (copy == NULL) {
        return STATUS_NOMEM;
    }
    *ret_found = regexec(&pattern->regex, copy, 0, NULL, 0) == 0;
    return STATUS_OK;
}

void
pattern_free(struct pattern *pattern)
{
    if (pattern != NULL) {
        regfree(&pattern->regex);
    }
}
