/* SPDX-License-Identifier: MIT */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/suggest.h"
#include "wire/json.h"
#include "wire/template.h"
#include "wire/template_filter.h"
#include "wire/template_tree.h"

/* What is known while one template is compiled. */
struct compiler {
    struct slice text; /* all of it, a copy in the arena */
    enum template_bare bare;
    const char *const *kinds;
    struct arena *arena;
    struct error *err;
    struct template_piece pieces[TEMPLATE_PARTS_MAX]; /* of one alternative */
    size_t count;
    struct buf run;       /* text since the last place */
    unsigned group;       /* that is open, 0 for none */
    unsigned group_count; /* of this alternative */
    bool group_has_place;
};

/* Says what is wrong and at which column (1-based) of the whole text. */
static enum status
refuse(struct compiler *c, const char *at, const char *words,
       struct slice culprit)
{
    return error_set(c->err, STATUS_INVALID, "column %zu: %s \"%.*s\"",
                     (size_t)(at - c->text.ptr) + 1, words, SLICE_ARG(culprit));
}

/* Sources that mean nothing without a name. */
static bool
kind_wants_name(struct slice kind)
{
    static const char *const kinds[] = { "header", "query", "sig", "var" };
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (slice_equal_text(kind, kinds[i])) {
            return true;
        }
    }
    return false;
}

/* Whoever names no source at all may not know which there are. */
static enum status
refuse_unnamed(struct compiler *c, struct slice text)
{
    char known[256] = "";
    size_t len = 0;
    for (const char *const *at = c->kinds; *at != NULL; at++) {
        const struct slice kind = slice_of(*at);
        const bool named = kind_wants_name(kind) ||
                           slice_equal_text(kind, "json") ||
                           slice_equal_text(kind, "item");
        const int more = snprintf(known + len, sizeof(known) - len, "%s%s%s",
                                  len == 0 ? "" : ", ", *at, named ? ":" : "");
        if (more < 0 || (size_t)more >= sizeof(known) - len) {
            break;
        }
        len += (size_t)more;
    }
    return error_set(c->err, STATUS_INVALID,
                     "column %zu: unknown source \"%.*s\"; there are %s",
                     (size_t)(text.ptr - c->text.ptr) + 1,
                     SLICE_ARG(slice_first(text, 100)), known);
}

/* For a word that may be a known one misspelt. */
static enum status
refuse_unknown(struct compiler *c, struct slice text, struct slice word)
{
    size_t count = 0;
    while (c->kinds[count] != NULL) {
        count++;
    }
    const char *near = suggest_near(word, c->kinds, count);
    return near == NULL
               ? refuse_unnamed(c, text)
               : error_set(c->err, STATUS_INVALID,
                           "column %zu: unknown source \"%.*s\"; did you mean "
                           "\"%s\"?",
                           (size_t)(text.ptr - c->text.ptr) + 1,
                           SLICE_ARG(text), near);
}

static bool
kind_known(const struct compiler *c, struct slice kind)
{
    for (const char *const *at = c->kinds; *at != NULL; at++) {
        if (slice_equal_text(kind, *at)) {
            return true;
        }
    }
    return false;
}

/* Returns the word at the front: letters, digits, '_', '-', '.'. */
static struct slice
leading_word(struct slice text)
{
    size_t len = 0;
    while (len < text.len) {
        char byte = text.ptr[len];
        bool letter = (byte >= 'a' && byte <= 'z') ||
                      (byte >= 'A' && byte <= 'Z') ||
                      (byte >= '0' && byte <= '9');
        if (!letter && byte != '_' && byte != '-' && byte != '.') {
            break;
        }
        len++;
    }
    return slice_first(text, len);
}

static enum status
read_path(struct compiler *c, struct slice text, struct template_ref *ref)
{
    const char *at = text.ptr;
    ref->name = text;
    enum status status = json_path_compile(text, c->arena, &ref->path, c->err);
    if (status != STATUS_OK) {
        return error_wrap(c->err, status, "column %zu",
                          (size_t)(at - c->text.ptr) + 1);
    }
    return STATUS_OK;
}

/* Reads "header:X-Id", "body", "json:a.b", or a path in the row. */
static enum status
read_source(struct compiler *c, struct slice text, struct template_ref *ret_ref)
{
    struct slice word = leading_word(text);
    struct slice behind = slice_from(text, word.len);
    bool named = word.len > 0 && behind.len > 0 && behind.ptr[0] == ':';
    bool known = kind_known(c, word);
    *ret_ref = (struct template_ref){ .kind = word, .name = { "", 0 } };
    if (text.len == 0) {
        return refuse(c, text.ptr, "nothing where a source belongs in",
                      c->text);
    }
    if (named && !known) {
        return refuse_unknown(c, word, word);
    }
    if (named) {
        ret_ref->name = slice_from(behind, 1);
        if (ret_ref->name.len == 0) {
            return refuse(c, text.ptr, "a name is missing behind", text);
        }
        if (slice_equal_text(word, "json") || slice_equal_text(word, "item")) {
            return read_path(c, ret_ref->name, ret_ref);
        }
        return STATUS_OK;
    }
    if (known && behind.len == 0 && !kind_wants_name(word)) {
        return STATUS_OK;
    }
    if (c->bare == TEMPLATE_BARE_PATH) {
        ret_ref->kind = slice_of("item");
        return read_path(c, text, ret_ref);
    }
    if (known && behind.len == 0) {
        return refuse(c, text.ptr, "a name is missing behind", text);
    }
    return refuse_unknown(c, text, word);
}

/*
 * Whether `text` has the form name(argument); then its parts. Only names that
 * mean something count, so that literals may have parentheses.
 */
static bool
read_call(const struct compiler *c, struct slice text, struct slice *ret_name,
          struct slice *ret_argument)
{
    struct slice name = leading_word(text);
    struct slice rest = slice_from(text, name.len);
    bool is_digest;
    if (rest.len < 3 || rest.ptr[0] != '(' || rest.ptr[rest.len - 1] != ')') {
        return false;
    }
    *ret_name = name;
    *ret_argument = (struct slice){ rest.ptr + 1, rest.len - 2 };
    return template_filter_named(name, &is_digest) || kind_known(c, name);
}

/* Returns the length of the text before the first `stop` outside brackets;
 * inside them a quoted name may hold anything. */
static size_t
length_before(struct slice text, char stop)
{
    bool bracket = false;
    bool quoted = false;
    for (size_t i = 0; i < text.len; i++) {
        char byte = text.ptr[i];
        if (bracket && byte == '\'') {
            quoted = !quoted;
        } else if (!quoted && byte == '[') {
            bracket = true;
        } else if (!quoted && byte == ']') {
            bracket = false;
        } else if (!bracket && byte == stop) {
            return i;
        }
    }
    return SIZE_MAX;
}

struct steps {
    struct template_step at[TEMPLATE_STEPS_MAX];
    size_t count;
};

static enum status
add_step(struct compiler *c, struct slice text, struct steps *steps)
{
    if (steps->count == TEMPLATE_STEPS_MAX) {
        return refuse(c, text.ptr, "too many filters from", text);
    }
    enum status status = template_filter_compile(
        text, c->arena, &steps->at[steps->count], c->err);
    if (status == STATUS_INVALID) {
        return error_wrap(c->err, status, "column %zu",
                          (size_t)(text.ptr - c->text.ptr) + 1);
    }
    steps->count++;
    return status;
}

/* Reads SOURCE, SOURCE? or digest(SOURCE), and the filters of the call. */
static enum status
read_place_source(struct compiler *c, struct slice source,
                  struct template_piece *piece, struct steps *steps)
{
    struct slice name;
    struct slice argument;
    if (read_call(c, source, &name, &argument)) {
        bool is_digest = false;
        if (!template_filter_named(name, &is_digest)) {
            piece->ref =
                (struct template_ref){ .kind = name, .name = argument };
            return STATUS_OK;
        }
        enum status status = add_step(c, name, steps);
        if (status == STATUS_OK && is_digest) {
            status = add_step(c, slice_of("hex"), steps);
        }
        if (status != STATUS_OK) {
            return status;
        }
        source = argument;
    }
    if (source.len > 1 && source.ptr[source.len - 1] == '?') {
        piece->optional = true;
        source.len--;
    }
    return read_source(c, source, &piece->ref);
}

static enum status
add_piece(struct compiler *c, const struct template_piece *piece,
          struct slice where)
{
    if (c->count == TEMPLATE_PARTS_MAX) {
        return refuse(c, where.ptr, "too many places from", where);
    }
    c->pieces[c->count] = *piece;
    c->pieces[c->count].group = c->group;
    c->count++;
    return STATUS_OK;
}

/* Reads what stands between braces, or a bare source. */
static enum status
add_place(struct compiler *c, struct slice text)
{
    struct template_piece piece = { .is_place = true };
    struct steps steps = { .count = 0 };
    size_t bar = length_before(text, '|');
    enum status status =
        read_place_source(c, slice_first(text, bar), &piece, &steps);
    struct slice rest = slice_from(text, bar == SIZE_MAX ? text.len : bar + 1);
    struct slice filter;
    bool more = bar != SIZE_MAX;
    while (status == STATUS_OK && more) {
        more = slice_split(&rest, '|', &filter);
        if (more) {
            status = add_step(c, filter, &steps);
        }
    }
    if (status != STATUS_OK) {
        return status;
    }
    if (steps.count > 0) {
        struct template_step *copy =
            arena_array(c->arena, steps.count, sizeof(*copy));
        if (copy == NULL) {
            return STATUS_NOMEM;
        }
        memcpy(copy, steps.at, steps.count * sizeof(*copy));
        piece.steps = copy;
        piece.step_count = steps.count;
    }
    c->group_has_place = true;
    return add_piece(c, &piece, text);
}

/* Ends the run of text, if there is one. */
static enum status
flush_run(struct compiler *c, struct slice where)
{
    enum status status = buf_status(&c->run);
    if (status != STATUS_OK || c->run.len == 0) {
        return status;
    }
    struct template_piece piece = { .is_place = false };
    status = arena_copy(c->arena, buf_slice(&c->run), &piece.text);
    buf_clear(&c->run);
    return status == STATUS_OK ? add_piece(c, &piece, where) : status;
}

/* Reads a place at the front of `*rest`. */
static enum status
take_place(struct compiler *c, struct slice *rest)
{
    struct slice inside = slice_from(*rest, 1);
    size_t len = length_before(inside, '}');
    if (len == SIZE_MAX) {
        return refuse(c, rest->ptr, "no closing brace for", *rest);
    }
    enum status status = flush_run(c, *rest);
    if (status == STATUS_OK) {
        status = add_place(c, slice_first(inside, len));
    }
    *rest = slice_from(inside, len + 1);
    return status;
}

/* Opens a group at "[[", closes it at "]]". */
static enum status
take_group_mark(struct compiler *c, struct slice *rest)
{
    bool opens = rest->ptr[0] == '[';
    if (opens && c->group != 0) {
        return refuse(c, rest->ptr, "a group inside a group at", *rest);
    }
    enum status status = flush_run(c, *rest);
    if (status == STATUS_OK && !opens && !c->group_has_place) {
        return refuse(c, rest->ptr, "nothing to fill in the group before",
                      *rest);
    }
    c->group = opens ? ++c->group_count : 0;
    c->group_has_place = false;
    *rest = slice_from(*rest, 2);
    return status;
}

/* Reads an alternative with braces or groups. */
static enum status
read_braced(struct compiler *c, struct slice text)
{
    enum status status = STATUS_OK;
    struct slice rest = text;
    while (status == STATUS_OK && rest.len > 0) {
        if (slice_starts(rest, slice_of("{{")) ||
            slice_starts(rest, slice_of("}}"))) {
            buf_byte(&c->run, rest.ptr[0]);
            rest = slice_from(rest, 2);
        } else if (rest.ptr[0] == '{') {
            status = take_place(c, &rest);
        } else if (rest.ptr[0] == '}') {
            status = refuse(c, rest.ptr, "no opening brace for", rest);
        } else if (slice_starts(rest, slice_of("[[")) ||
                   (c->group != 0 && slice_starts(rest, slice_of("]]")))) {
            status = take_group_mark(c, &rest);
        } else {
            buf_byte(&c->run, rest.ptr[0]);
            rest = slice_from(rest, 1);
        }
    }
    if (status == STATUS_OK && c->group != 0) {
        status = refuse(c, rest.ptr, "no closing ]] in", text);
    }
    return status == STATUS_OK ? flush_run(c, text) : status;
}

/* Whether a bare text is a source even where literals are meant. */
static bool
is_marked_source(const struct compiler *c, struct slice text)
{
    struct slice word = leading_word(text);
    struct slice name;
    struct slice argument;
    return (kind_known(c, word) && word.len < text.len &&
            text.ptr[word.len] == ':') ||
           read_call(c, text, &name, &argument);
}

static enum status
read_choice(struct compiler *c, struct slice text,
            struct template_choice *ret_choice)
{
    c->count = 0;
    c->group_count = 0;
    enum status status;
    if (slice_find(text, '{') != SIZE_MAX ||
        slice_find(text, '}') != SIZE_MAX ||
        slice_find_slice(text, slice_of("[[")) != SIZE_MAX) {
        status = read_braced(c, text);
    } else if (c->bare == TEMPLATE_BARE_LITERAL && !is_marked_source(c, text)) {
        buf_append(&c->run, text);
        status = flush_run(c, text);
    } else {
        status = add_place(c, text);
    }
    if (status != STATUS_OK) {
        return status;
    }
    struct template_piece *pieces =
        arena_array(c->arena, c->count, sizeof(*pieces));
    if (pieces == NULL) {
        return STATUS_NOMEM;
    }
    if (c->count > 0) {
        memcpy(pieces, c->pieces, c->count * sizeof(*pieces));
    }
    *ret_choice =
        (struct template_choice){ .pieces = pieces, .count = c->count };
    return STATUS_OK;
}

/* Returns where the next " ?? " outside of braces begins, or SIZE_MAX. */
static size_t
find_separator(struct slice text)
{
    size_t depth = 0;
    for (size_t i = 0; i < text.len; i++) {
        struct slice here = slice_from(text, i);
        if (depth == 0 && (slice_starts(here, slice_of("{{")) ||
                           slice_starts(here, slice_of("}}")))) {
            i++;
        } else if (here.ptr[0] == '{') {
            depth = 1;
        } else if (here.ptr[0] == '}') {
            depth = 0;
        } else if (depth == 0 && slice_starts(here, slice_of(" ?? "))) {
            return i;
        }
    }
    return SIZE_MAX;
}

static enum status
read_choices(struct compiler *c, struct template *t)
{
    size_t count = 1;
    struct slice rest = c->text;
    for (size_t at; (at = find_separator(rest)) != SIZE_MAX; count++) {
        rest = slice_from(rest, at + 4);
    }
    struct template_choice *choices =
        arena_array(c->arena, count, sizeof(*choices));
    if (choices == NULL) {
        return STATUS_NOMEM;
    }
    rest = c->text;
    for (size_t i = 0; i < count; i++) {
        size_t at = find_separator(rest);
        struct slice text = slice_first(rest, at);
        /* A single text keeps its blanks, they may be signed. */
        enum status status =
            read_choice(c, count > 1 ? slice_trim(text) : text, &choices[i]);
        if (status != STATUS_OK) {
            return status;
        }
        rest = slice_from(rest, at == SIZE_MAX ? rest.len : at + 4);
    }
    t->choices = choices;
    t->choice_count = count;
    return STATUS_OK;
}

enum status
template_compile(struct slice text, enum template_bare bare,
                 const char *const *kinds, struct arena *arena,
                 const struct template **ret_template, struct error *err)
{
    struct compiler compiler = {
        .bare = bare, .kinds = kinds, .arena = arena, .err = err
    };
    struct template *made = arena_array(arena, 1, sizeof(*made));
    enum status status = made == NULL ? STATUS_NOMEM : STATUS_OK;
    if (status == STATUS_OK) {
        status = arena_copy(arena, text, &compiler.text);
    }
    if (status == STATUS_OK) {
        made->source = compiler.text;
        status = read_choices(&compiler, made);
    }
    buf_fini(&compiler.run);
    if (status == STATUS_OK) {
        *ret_template = made;
    }
    return status;
}
