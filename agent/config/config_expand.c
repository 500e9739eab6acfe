/* SPDX-License-Identifier: MIT */
#include "config/config_expand.h"

#include "base/utf8.h"

/* A name is short enough to be copied where getenv() wants its NUL. */
#define NAME_BYTES 256

/* "${NAME:-word}" taken apart. */
struct reference {
    char name[NAME_BYTES];
    char operator; /* '-', '?', or 0 for none */
    struct slice word;
    size_t len; /* of the whole, from '$' to '}' */
};

static bool
is_name_byte(char byte, bool first)
{
    return (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
           byte == '_' || (!first && byte >= '0' && byte <= '9');
}

/* Reads the reference that `text` begins with, "${" included. */
static bool
read_reference(struct slice text, struct reference *reference)
{
    size_t end = slice_find(text, '}');
    if (end == SIZE_MAX) {
        return false;
    }
    struct slice inside = slice_from(slice_first(text, end), 2);
    size_t len = 0;
    while (len < inside.len && is_name_byte(inside.ptr[len], len == 0)) {
        len++;
    }
    if (len == 0 || len >= NAME_BYTES) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        reference->name[i] = inside.ptr[i];
    }
    reference->name[len] = '\0';
    reference->len = end + 1;
    reference->operator= 0;
    struct slice rest = slice_from(inside, len);
    if (rest.len == 0) {
        return true;
    }
    if (rest.len < 2 || rest.ptr[0] != ':' ||
        (rest.ptr[1] != '-' && rest.ptr[1] != '?')) {
        return false;
    }
    reference->operator= rest.ptr[1];
    reference->word = slice_from(rest, 2);
    return true;
}

/* Finds the value of a reference; reports why there is none. */
static bool
look_up(const struct config_expansion *expansion, struct config_mark mark,
        const struct reference *reference, struct slice *ret_value)
{
    const char *text = expansion->env(expansion->env_arg, reference->name);
    struct slice value = slice_of(text);
    if (reference->operator!= 0 && value.len == 0) {
        if (reference->operator== '-') {
            *ret_value = reference->word;
            return true;
        }
        config_report_add(expansion->report, CONFIG_ERROR, mark,
                          "environment variable '%s': %.*s", reference->name,
                          SLICE_ARG(reference->word.len > 0
                                        ? reference->word
                                        : slice_of("it is not set or empty")));
        return false;
    }
    if (text == NULL) {
        config_report_add(expansion->report, CONFIG_ERROR, mark,
                          "environment variable '%s' is not set; a default is "
                          "written ${%s:-default}",
                          reference->name, reference->name);
        return false;
    }
    /* A newline would let a variable say more than one value. */
    if (slice_find(value, '\n') != SIZE_MAX ||
        slice_find(value, '\r') != SIZE_MAX) {
        config_report_add(expansion->report, CONFIG_ERROR, mark,
                          "environment variable '%s' holds a line break",
                          reference->name);
        return false;
    }
    if (!utf8_valid(value)) {
        config_report_add(expansion->report, CONFIG_ERROR, mark,
                          "environment variable '%s' is not UTF-8",
                          reference->name);
        return false;
    }
    *ret_value = value;
    return true;
}

/* Appends the whole expansion of `text`; false when it held a mistake. */
static bool
append_expanded(const struct config_expansion *expansion,
                struct config_mark mark, struct slice text, struct buf *into,
                bool *ret_replaced)
{
    bool good = true;
    while (text.len > 0) {
        size_t plain = slice_find(text, '$');
        buf_append(into, slice_first(text, plain));
        text = slice_from(text, plain);
        if (text.len == 0) {
            break;
        }
        if (!slice_starts(text, slice_of("${"))) {
            buf_byte(into, '$');
            text = slice_from(text, slice_starts(text, slice_of("$$")) ? 2 : 1);
            continue;
        }
        struct reference reference;
        struct slice value;
        if (!read_reference(text, &reference)) {
            config_report_add(expansion->report, CONFIG_ERROR, mark,
                              "'${' needs a name and a '}', as in ${NAME} or "
                              "${NAME:-default}; write $${ for the characters");
            return false;
        }
        *ret_replaced = true;
        if (look_up(expansion, mark, &reference, &value)) {
            buf_append(into, value);
        } else {
            good = false;
        }
        text = slice_from(text, reference.len);
    }
    return good;
}

enum status
config_expand(const struct config_expansion *expansion, struct config_mark mark,
              struct slice *text, bool *ret_replaced)
{
    *ret_replaced = false;
    if (slice_find(*text, '$') == SIZE_MAX) {
        return STATUS_OK;
    }
    struct buf expanded = { 0 };
    struct slice copy = { "", 0 };
    enum status status = STATUS_OK;
    if (append_expanded(expansion, mark, *text, &expanded, ret_replaced)) {
        status = buf_status(&expanded);
        if (status == STATUS_OK) {
            status = arena_copy(expansion->arena, buf_slice(&expanded), &copy);
        }
    }
    if (status == STATUS_OK) {
        *text = copy;
    }
    /* It may have been a secret. */
    mem_wipe(expanded.ptr, expanded.len);
    buf_fini(&expanded);
    return status;
}
