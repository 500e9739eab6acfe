/* SPDX-License-Identifier: MIT */
#include "model/pattern.h"

#include <regex.h>
#include <stdint.h>

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

/* What a range of a set may run within. */
static int
class_of(char c)
{
    return c >= 'a' && c <= 'z'   ? 'a'
           : c >= 'A' && c <= 'Z' ? 'A'
           : c >= '0' && c <= '9' ? '0'
                                  : 0;
}

/* Steps over a set, from behind its '['; tells whether it has nothing in it but
 * letters, digits and '-', none of which ends a host. */
static bool
skip_set(struct slice text, size_t *at)
{
    const size_t from = *at;
    bool is_narrow = true;
    size_t i = from;
    /* A ']' that comes first, or behind ^, belongs to the set. */
    for (; i < text.len && (text.ptr[i] != ']' || i == from); i++) {
        const char c = text.ptr[i];
        const bool is_range =
            c == '-' && i > from && i + 1 < text.len && text.ptr[i + 1] != ']';
        is_narrow &= c == '-' ? !is_range || class_of(text.ptr[i - 1]) ==
                                                 class_of(text.ptr[i + 1])
                              : class_of(c) != 0;
    }
    *at = i + 1;
    return is_narrow && i > from;
}

/* Whether one byte of a pattern, or the set or escape that begins with it, can
 * stand in a host without letting in what nobody wrote. Steps over it. */
static bool
skip_in_host(struct slice text, size_t *at)
{
    const char c = text.ptr[(*at)++];
    if (c == '[') {
        return skip_set(text, at);
    }
    if (c == '\\') {
        const int escaped = *at < text.len ? text.ptr[*at] : 0;
        (*at)++;
        return escaped == '.' || escaped == '-';
    }
    return c != '.';
}

/* Returns where the host ends, with its '/', or SIZE_MAX. */
static size_t
host_end(struct slice text, size_t at)
{
    unsigned depth = 0;
    while (at < text.len) {
        const char c = text.ptr[at];
        depth += c == '(';
        depth -= c == ')' && depth > 0;
        if (c == '/') {
            const int next = at + 1 < text.len ? text.ptr[at + 1] : 0;
            return depth > 0 || next == '?' || next == '*' || next == '{'
                       ? SIZE_MAX
                       : at;
        }
        if ((c == '|' && depth == 0) || !skip_in_host(text, &at)) {
            return SIZE_MAX;
        }
    }
    return SIZE_MAX;
}

/* Whether a '|' behind `at` stands outside all brackets. */
static bool
is_forked(struct slice text, size_t at)
{
    unsigned depth = 0;
    while (at < text.len) {
        const char c = text.ptr[at++];
        if (c == '[') {
            at += at < text.len && text.ptr[at] == '^';
            (void)skip_set(text, &at);
        } else if (c == '\\') {
            at++;
        } else if (c == '|' && depth == 0) {
            return true;
        }
        depth += c == '(';
        depth -= c == ')' && depth > 0;
    }
    return false;
}

enum status
pattern_compile_url(struct slice text, struct arena *arena,
                    struct pattern **ret_pattern, struct error *err)
{
    static const struct slice start = SLICE("^https://");
    if (!slice_starts(text, start)) {
        return error_set(err, STATUS_INVALID,
                         "must begin with '^https://' and the host");
    }
    const size_t end = host_end(text, start.len);
    if (end == SIZE_MAX) {
        return error_set(err, STATUS_INVALID,
                         "must write the host out, to the '/' behind it: '\\.' "
                         "for a dot, sets of letters, digits and '-' only");
    }
    if (is_forked(text, end)) {
        return error_set(err, STATUS_INVALID,
                         "has a '|' outside brackets: what stands behind it "
                         "would have no beginning");
    }
    return pattern_compile(text, arena, ret_pattern, err);
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
