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
