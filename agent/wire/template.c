/* SPDX-License-Identifier: MIT */
#include "wire/template.h"

#include <stdint.h>
#include <string.h>

#include "wire/template_filter.h"
#include "wire/template_tree.h"

/* Finds the text of a place: NOT_FOUND when it is absent and has to be there,
 * the empty text when it may be missing. */
static enum status
fill_place(const struct template_piece *piece,
           const struct template_scope *scope, struct arena *arena,
           struct slice *ret_text)
{
    struct slice text = { "", 0 };
    enum status status = scope->lookup(scope->arg, &piece->ref, arena, &text);
    for (size_t i = 0; status == STATUS_OK && i < piece->step_count; i++) {
        struct slice next = { "", 0 };
        status = template_filter_apply(&piece->steps[i], scope->key, text,
                                       arena, &next);
        text = next;
    }
    if (status == STATUS_NOT_FOUND && piece->optional) {
        *ret_text = (struct slice){ "", 0 };
        return STATUS_OK;
    }
    if (status == STATUS_OK) {
        *ret_text = text;
    }
    return status;
}

/* Fills one alternative. An absent place takes its whole group with it. */
static enum status
fill_choice(const struct template_choice *choice,
            const struct template_scope *scope, struct arena *arena,
            struct slice parts[TEMPLATE_PARTS_MAX], size_t *ret_count)
{
    size_t count = 0;
    size_t group_start = 0; /* parts there were when the group began */
    unsigned group = 0;
    unsigned dropped = 0; /* the group that is left out */
    for (size_t i = 0; i < choice->count; i++) {
        const struct template_piece *piece = &choice->pieces[i];
        if (piece->group != group) {
            group = piece->group;
            group_start = count;
        }
        if (group != 0 && group == dropped) {
            continue;
        }
        struct slice text = piece->text;
        if (piece->is_place) {
            enum status status = fill_place(piece, scope, arena, &text);
            if (status == STATUS_NOT_FOUND && group != 0) {
                dropped = group;
                count = group_start;
                continue;
            }
            if (status != STATUS_OK) {
                return status;
            }
        }
        if (text.len > 0) {
            parts[count++] = text;
        }
    }
    *ret_count = count;
    return STATUS_OK;
}

/* Fills the first alternative that has everything it needs and says something;
 * a field that is sent empty stands for nothing while another may speak. */
static enum status
fill(const struct template *t, const struct template_scope *scope,
     struct arena *arena, struct slice parts[TEMPLATE_PARTS_MAX],
     size_t *ret_count, size_t *ret_choice)
{
    bool has_empty = false;
    size_t empty = 0;
    for (size_t i = 0; i < t->choice_count; i++) {
        enum status status =
            fill_choice(&t->choices[i], scope, arena, parts, ret_count);
        bool speaks = status == STATUS_OK && *ret_count > 0;
        if (speaks || (status != STATUS_OK && status != STATUS_NOT_FOUND)) {
            *ret_choice = i;
            return status;
        }
        if (status == STATUS_OK && !has_empty) {
            has_empty = true;
            empty = i;
        }
    }
    *ret_choice = empty;
    *ret_count = 0;
    return has_empty ? STATUS_OK : STATUS_NOT_FOUND;
}

enum status
template_parts(const struct template *t, const struct template_scope *scope,
               struct arena *arena, struct slice parts[TEMPLATE_PARTS_MAX],
               size_t *ret_count)
{
    size_t choice;
    return fill(t, scope, arena, parts, ret_count, &choice);
}

/* Puts parts together; one alone is handed on as it is. */
static enum status
join(const struct slice *parts, size_t count, struct arena *arena,
     struct slice *ret_text)
{
    if (count <= 1) {
        *ret_text = count == 1 ? parts[0] : (struct slice){ "", 0 };
        return STATUS_OK;
    }
    size_t len = 0;
    for (size_t i = 0; i < count; i++) {
        if (__builtin_add_overflow(len, parts[i].len, &len)) {
            return STATUS_TOO_LARGE;
        }
    }
    char *text = arena_alloc(arena, len);
    if (text == NULL) {
        return STATUS_NOMEM;
    }
    char *at = text;
    for (size_t i = 0; i < count; i++) {
        memcpy(at, parts[i].ptr, parts[i].len);
        at += parts[i].len;
    }
    *ret_text = (struct slice){ text, len };
    return STATUS_OK;
}

enum status
template_eval(const struct template *t, const struct template_scope *scope,
              struct arena *arena, struct slice *ret_text, size_t *ret_choice)
{
    struct slice parts[TEMPLATE_PARTS_MAX];
    size_t count = 0;
    size_t choice = 0;
    enum status status = fill(t, scope, arena, parts, &count, &choice);
    if (status == STATUS_OK) {
        status = join(parts, count, arena, ret_text);
    }
    if (status == STATUS_OK && ret_choice != NULL) {
        *ret_choice = choice;
    }
    return status;
}

const struct template_ref *
template_ref_at(const struct template *t, size_t choice, size_t index)
{
    for (size_t i = 0; i < t->choice_count; i++) {
        if (choice != SIZE_MAX && choice != i) {
            continue;
        }
        for (size_t j = 0; j < t->choices[i].count; j++) {
            if (t->choices[i].pieces[j].is_place && index-- == 0) {
                return &t->choices[i].pieces[j].ref;
            }
        }
    }
    return NULL;
}

bool
template_names(const struct template *t, const char *kind)
{
    const struct template_ref *ref;
    for (size_t i = 0;
         t != NULL && (ref = template_ref_at(t, SIZE_MAX, i)) != NULL; i++) {
        if (slice_equal_text(ref->kind, kind)) {
            return true;
        }
    }
    return false;
}

static bool
piece_signs(const struct template_piece *piece)
{
    bool signs = false;
    for (size_t i = 0; i < piece->step_count; i++) {
        signs = signs || template_filter_is_keyed(piece->steps[i].filter);
    }
    return signs;
}

bool
template_signs(const struct template *t)
{
    bool signs = false;
    for (size_t c = 0; t != NULL && c < t->choice_count; c++) {
        for (size_t i = 0; i < t->choices[c].count; i++) {
            signs = signs || piece_signs(&t->choices[c].pieces[i]);
        }
    }
    return signs;
}

bool
template_is_literal(const struct template *t, struct slice *ret_text)
{
    const struct template_choice *only = &t->choices[0];
    if (t->choice_count != 1 || only->count > 1 ||
        (only->count == 1 && only->pieces[0].is_place)) {
        return false;
    }
    if (ret_text != NULL) {
        *ret_text =
            only->count == 1 ? only->pieces[0].text : (struct slice){ "", 0 };
    }
    return true;
}

struct slice
template_source(const struct template *t)
{
    return t->source;
}
