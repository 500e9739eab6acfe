/* SPDX-License-Identifier: MIT */
#include <stdint.h>
#include <string.h>

#include "wire/json.h"

enum step_kind {
    STEP_MEMBER, /* .name or ['name'] */
    STEP_INDEX,  /* [0] */
    STEP_TOKEN,  /* of a pointer: a member of an object, else an index */
    STEP_EVERY,  /* [*] */
    STEP_WHERE   /* [name=text] */
};

struct step {
    enum step_kind kind;
    size_t index;      /* SIZE_MAX where a pointer's token is no index */
    struct slice name; /* decoded */
    struct slice text; /* of STEP_WHERE */
};

struct alternative {
    const struct step *steps;
    size_t count;
    size_t many; /* how many steps may lead to more than one place */
};

struct json_path {
    struct slice source;
    const struct alternative *alternatives;
    size_t count;
};

/* `[*]` and `[k=v]` in one alternative: each needs a place in the walk. */
#define MANY_MAX 8

/* Compiling. */

struct compiler {
    struct slice text;
    size_t at;
    struct step *steps; /* room for all steps of the text */
    size_t step_count;
    struct error *err;
};

static enum status
refuse(const struct compiler *c, const char *why)
{
    return error_set(c->err, STATUS_INVALID, "column %zu: %s", c->at + 1, why);
}

/* The byte `ahead` of the present one; NUL behind the end. */
static char
peek(const struct compiler *c, size_t ahead)
{
    if (ahead >= c->text.len - c->at) {
        return '\0';
    }
    return c->text.ptr[c->at + ahead];
}

static bool
take(struct compiler *c, char byte)
{
    if (c->at == c->text.len || peek(c, 0) != byte) {
        return false;
    }
    c->at++;
    return true;
}

static void
skip_blanks(struct compiler *c)
{
    while (take(c, ' ') || take(c, '\t')) {
    }
}

static bool
is_name_byte(char byte)
{
    return (unsigned char)byte > ' ' && byte != 0x7f &&
           strchr(".[]{}()'\"?*=,|", byte) == NULL;
}

static struct slice
take_name(struct compiler *c)
{
    size_t from = c->at;
    while (is_name_byte(peek(c, 0))) {
        c->at++;
    }
    return (struct slice){ c->text.ptr + from, c->at - from };
}

/* Takes what stands before the next `end`, and that byte too. */
static bool
take_until(struct compiler *c, char end, struct slice *ret_text)
{
    struct slice rest = slice_from(c->text, c->at);
    size_t len = slice_find(rest, end);
    if (len == SIZE_MAX) {
        return false;
    }
    *ret_text = slice_first(rest, len);
    c->at += len + 1;
    return true;
}

static enum status
compile_where(struct compiler *c, struct step *step)
{
    char quote = peek(c, 0);
    step->kind = STEP_WHERE;
    if (quote != '\'' && quote != '"') {
        return take_until(c, ']', &step->text) ? STATUS_OK
                                               : refuse(c, "']' expected");
    }
    c->at++;
    if (!take_until(c, quote, &step->text)) {
        return refuse(c, "quote without an end");
    }
    return take(c, ']') ? STATUS_OK : refuse(c, "']' expected");
}

static enum status
compile_named(struct compiler *c, struct step *step)
{
    step->name = take_name(c);
    if (step->name.len == 0) {
        return refuse(c, "expected *, an index, 'name' or name=text");
    }
    if (take(c, '=')) {
        return compile_where(c, step);
    }
    uint64_t index;
    if (slice_to_u64(step->name, &index) != STATUS_OK || index >= SIZE_MAX) {
        return refuse(c, "a name in brackets needs quotes");
    }
    step->kind = STEP_INDEX;
    step->index = (size_t)index;
    return take(c, ']') ? STATUS_OK : refuse(c, "']' expected");
}

/* Behind '['. */
static enum status
compile_bracket(struct compiler *c, struct step *step)
{
    char quote = peek(c, 0);
    if (take(c, '*')) {
        step->kind = STEP_EVERY;
        return take(c, ']') ? STATUS_OK : refuse(c, "']' expected");
    }
    if (!take(c, '\'') && !take(c, '"')) {
        return compile_named(c, step);
    }
    step->kind = STEP_MEMBER;
    if (!take_until(c, quote, &step->name)) {
        return refuse(c, "quote without an end");
    }
    return take(c, ']') ? STATUS_OK : refuse(c, "']' expected");
}

static enum status
compile_name(struct compiler *c, struct step *step)
{
    step->kind = STEP_MEMBER;
    step->name = take_name(c);
    return step->name.len > 0 ? STATUS_OK : refuse(c, "a name expected");
}

static bool
at_next_alternative(const struct compiler *c)
{
    return peek(c, 0) == '?' && peek(c, 1) == '?';
}

static bool
at_end_of_alternative(const struct compiler *c)
{
    return c->at == c->text.len || peek(c, 0) == ' ' || peek(c, 0) == '\t' ||
           at_next_alternative(c);
}

static enum status
compile_steps(struct compiler *c, struct alternative *alternative)
{
    size_t from = c->step_count;
    bool first = true;
    alternative->steps = c->steps + from;
    /* "$ref" is a name; "$", "$.a" and "$[0]" begin at the whole text. */
    if (peek(c, 0) == '$' && !is_name_byte(peek(c, 1))) {
        c->at++;
        first = false;
    }
    while (first || !at_end_of_alternative(c)) {
        struct step *step = &c->steps[c->step_count];
        enum status status;
        if (take(c, '[')) {
            status = compile_bracket(c, step);
        } else if (first || take(c, '.')) {
            status = compile_name(c, step);
        } else {
            status = refuse(c, "expected '.', '[' or '\?\?'");
        }
        if (status != STATUS_OK) {
            return status;
        }
        first = false;
        c->step_count++;
        alternative->many +=
            step->kind == STEP_EVERY || step->kind == STEP_WHERE;
    }
    alternative->count = c->step_count - from;
    return alternative->many <= MANY_MAX
               ? STATUS_OK
               : refuse(c, "more than 8 times [*] or [name=text]");
}

static size_t
count_byte(struct slice text, char byte)
{
    size_t count = 0;
    for (size_t i = 0; i < text.len; i++) {
        count += text.ptr[i] == byte;
    }
    return count;
}

static enum status
compile_alternatives(struct compiler *c, struct alternative *alternatives,
                     size_t *ret_count)
{
    size_t count = 0;
    for (;;) {
        skip_blanks(c);
        enum status status = compile_steps(c, &alternatives[count]);
        if (status != STATUS_OK) {
            return status;
        }
        count++;
        skip_blanks(c);
        if (c->at == c->text.len) {
            *ret_count = count;
            return STATUS_OK;
        }
        if (!at_next_alternative(c)) {
            return refuse(c, "expected '.', '[' or '\?\?'");
        }
        c->at += 2;
    }
}

enum status
json_path_compile(struct slice text, struct arena *arena,
                  const struct json_path **ret_path, struct error *err)
{
    struct compiler c = { .err = err };
    /* Upper bounds: quoted text may hold these bytes too. */
    size_t alternative_max = count_byte(text, '?') / 2 + 1;
    size_t step_max =
        count_byte(text, '.') + count_byte(text, '[') + alternative_max;
    struct json_path *path = arena_alloc(arena, sizeof(*path));
    struct alternative *alternatives =
        arena_array(arena, alternative_max, sizeof(*alternatives));
    c.steps = arena_array(arena, step_max, sizeof(*c.steps));
    if (path == NULL || alternatives == NULL || c.steps == NULL ||
        arena_copy(arena, text, &c.text) != STATUS_OK) {
        return STATUS_NOMEM;
    }
    *path = (struct json_path){ c.text, alternatives, 0 };
    enum status status = compile_alternatives(&c, alternatives, &path->count);
    if (status == STATUS_OK) {
        *ret_path = path;
    }
    return status;
}

/* RFC 6901 §4: ~1 stands for '/', ~0 for '~', and nothing else may follow a
 * '~'. Decodes in place. */
static bool
unescape_token(char *token, size_t *len)
{
    size_t to = 0;
    for (size_t from = 0; from < *len; from++, to++) {
        token[to] = token[from];
        if (token[from] == '~') {
            from++;
            if (from == *len || (token[from] != '0' && token[from] != '1')) {
                return false;
            }
            token[to] = token[from] == '0' ? '~' : '/';
        }
    }
    *len = to;
    return true;
}

/* RFC 6901 §4: an index has no leading zero. "-", the place behind the last
 * element, never holds a value. */
static size_t
token_index(struct slice token)
{
    uint64_t index;
    if ((token.len > 1 && token.ptr[0] == '0') ||
        slice_to_u64(token, &index) != STATUS_OK || index >= SIZE_MAX) {
        return SIZE_MAX;
    }
    return (size_t)index;
}

/* `text` is a copy that may be written to. */
static enum status
compile_tokens(char *text, size_t len, struct step *steps, struct error *err)
{
    size_t at = 0;
    for (size_t i = 0; at < len; i++) {
        size_t from = at + 1;
        size_t behind =
            slice_find((struct slice){ text + from, len - from }, '/');
        behind = behind == SIZE_MAX ? len : from + behind;
        size_t token_len = behind - from;
        if (!unescape_token(text + from, &token_len)) {
            return error_set(err, STATUS_INVALID,
                             "column %zu: '~' is written ~0, '/' is written ~1",
                             from + 1);
        }
        steps[i].kind = STEP_TOKEN;
        steps[i].name = (struct slice){ text + from, token_len };
        steps[i].index = token_index(steps[i].name);
        at = behind;
    }
    return STATUS_OK;
}

enum status
json_pointer_compile(struct slice text, struct arena *arena,
                     const struct json_path **ret_path, struct error *err)
{
    size_t count = count_byte(text, '/');
    struct slice source;
    struct json_path *path = arena_alloc(arena, sizeof(*path));
    struct alternative *whole = arena_array(arena, 1, sizeof(*whole));
    struct step *steps = arena_array(arena, count, sizeof(*steps));
    char *copy = arena_text(arena, text);
    if (path == NULL || whole == NULL || steps == NULL || copy == NULL ||
        arena_copy(arena, text, &source) != STATUS_OK) {
        return STATUS_NOMEM;
    }
    if (text.len > 0 && text.ptr[0] != '/') {
        return error_set(err, STATUS_INVALID,
                         "column 1: a pointer is empty or begins with '/'");
    }
    enum status status = compile_tokens(copy, text.len, steps, err);
    if (status == STATUS_OK) {
        *whole = (struct alternative){ steps, count, 0 };
        *path = (struct json_path){ source, whole, 1 };
        *ret_path = path;
    }
    return status;
}

struct slice
json_path_source(const struct json_path *path)
{
    return path->source;
}

/* Finding. */

/* One `[*]` or `[k=v]` that is being walked. */
struct level {
    struct slice array;
    size_t at;
    size_t step;
};

struct walk {
    const struct alternative *alternative;
    struct level levels[MANY_MAX];
    size_t depth;
    bool exists; /* the first array that may lead to many places is there */
    bool misses; /* an element of an array leads nowhere */
};

static bool
nth_element(struct slice array, size_t index, struct slice *ret_value)
{
    size_t at = 0;
    while (json_next_element(array, &at, ret_value)) {
        if (index-- == 0) {
            return true;
        }
    }
    return false;
}

/* Goes down a step that leads to one place at most. */
static bool
descend(const struct step *step, struct slice *value)
{
    struct slice within = *value;
    bool object = json_type(within) == JSON_OBJECT;
    if (step->kind == STEP_MEMBER || (step->kind == STEP_TOKEN && object)) {
        return object && json_member(within, step->name, value);
    }
    return step->index != SIZE_MAX && nth_element(within, step->index, value);
}

/* Follows the steps from number `step` on. False where they lead nowhere, and
 * also at a step of many places, which is then the innermost level. */
static bool
follow(struct walk *walk, size_t step, struct slice *value)
{
    const struct alternative *alternative = walk->alternative;
    for (; step < alternative->count; step++) {
        const struct step *now = &alternative->steps[step];
        if (now->kind == STEP_EVERY || now->kind == STEP_WHERE) {
            const bool is_array = json_type(*value) == JSON_ARRAY;
            walk->misses |= !is_array && walk->depth > 0;
            if (is_array) {
                walk->levels[walk->depth++] = (struct level){ *value, 0, step };
                walk->exists = true;
            }
            return false;
        }
        if (!descend(now, value)) {
            walk->misses |= walk->depth > 0;
            return false;
        }
    }
    walk->exists = true;
    return true;
}

static bool
is_wanted(const struct step *step, struct slice element)
{
    struct slice member;
    return step->kind == STEP_EVERY ||
           (json_type(element) == JSON_OBJECT &&
            json_member(element, step->name, &member) &&
            json_means(member, step->text));
}

/* Takes the next element of the innermost level that still has one. */
static bool
next_start(struct walk *walk, struct slice *ret_value, size_t *ret_step)
{
    while (walk->depth > 0) {
        struct level *level = &walk->levels[walk->depth - 1];
        const struct step *step = &walk->alternative->steps[level->step];
        while (json_next_element(level->array, &level->at, ret_value)) {
            if (is_wanted(step, *ret_value)) {
                *ret_step = level->step + 1;
                return true;
            }
        }
        walk->depth--;
    }
    return false;
}

/* Returns whether `visit` was called. */
static bool
walk_all(struct walk *walk, struct slice text, json_visit_fn *visit, void *arg)
{
    bool found = false;
    size_t step = 0;
    struct slice value = slice_trim(text);
    do {
        if (follow(walk, step, &value)) {
            found = true;
            if (!visit(arg, value)) {
                return true;
            }
        }
    } while (next_start(walk, &value, &step));
    return found;
}

static bool
visit_first(void *arg, struct slice value)
{
    *(struct slice *)arg = value;
    return false;
}

bool
json_path_first(const struct json_path *path, struct slice text,
                struct slice *ret_value)
{
    bool found = false;
    for (size_t i = 0; i < path->count; i++) {
        struct walk walk;
        struct slice value;
        walk.alternative = &path->alternatives[i];
        walk.depth = 0;
        walk.exists = false;
        walk.misses = false;
        if (!walk_all(&walk, text, visit_first, &value)) {
            continue;
        }
        bool null = json_type(value) == JSON_NULL;
        if (!found || !null) {
            *ret_value = value;
        }
        found = true;
        if (!null) {
            break;
        }
    }
    return found;
}

/* Goes one step down; says whether there are two ways. */
static bool
go_down(const struct step *step, struct slice *at, bool *ret_goes)
{
    struct slice name;
    struct slice value;
    struct slice first = { NULL, 0 };
    size_t next = 0;
    size_t count = 0;
    if (step->kind == STEP_MEMBER && json_type(*at) == JSON_OBJECT) {
        while (json_next_member(*at, &next, &name, &value)) {
            if (json_means(name, step->name)) {
                first = count == 0 ? value : first;
                count++;
            }
        }
    } else if (step->kind == STEP_INDEX && json_type(*at) == JSON_ARRAY) {
        for (size_t i = 0; count == 0 && json_next_element(*at, &next, &value);
             i++) {
            count = i == step->index;
            first = value;
        }
    }
    *at = first;
    *ret_goes = count == 1;
    return count > 1;
}

bool
json_path_is_doubled(const struct json_path *path, struct slice text)
{
    for (size_t i = 0; i < path->count; i++) {
        const struct alternative *alternative = &path->alternatives[i];
        struct slice at = text;
        bool goes = true;
        for (size_t j = 0; goes && j < alternative->count; j++) {
            if (go_down(&alternative->steps[j], &at, &goes)) {
                return true;
            }
        }
    }
    return false;
}

/* Keeps a null back that has to make way for a later alternative. */
struct visitor {
    json_visit_fn *visit;
    void *arg;
    bool single;      /* of the present alternative: it has one place */
    bool is_deferred; /* what it found was a null */
    bool has_null;
    struct slice null;
};

static bool
visit_each(void *arg, struct slice value)
{
    struct visitor *visitor = arg;
    if (visitor->single && json_type(value) == JSON_NULL) {
        visitor->null = value;
        visitor->has_null = true;
        visitor->is_deferred = true;
        return false;
    }
    return visitor->visit(visitor->arg, value);
}

bool
json_path_each(const struct json_path *path, struct slice text,
               json_visit_fn *visit, void *arg)
{
    struct visitor visitor = { .visit = visit, .arg = arg };
    bool exists = false;
    for (size_t i = 0; i < path->count; i++) {
        struct walk walk;
        walk.alternative = &path->alternatives[i];
        walk.depth = 0;
        walk.exists = false;
        walk.misses = false;
        visitor.single = path->alternatives[i].many == 0;
        visitor.is_deferred = false;
        if (walk_all(&walk, text, visit_each, &visitor) &&
            !visitor.is_deferred) {
            return true;
        }
        exists = exists || walk.exists;
    }
    if (visitor.has_null) {
        (void)visit(arg, visitor.null);
    }
    return exists;
}

static bool
visit_none(void *arg, struct slice value)
{
    (void)arg;
    (void)value;
    return true;
}

bool
json_path_misses(const struct json_path *path, struct slice text)
{
    for (size_t i = 0; i < path->count; i++) {
        struct walk walk = { .alternative = &path->alternatives[i] };
        if (walk_all(&walk, text, visit_none, NULL) || walk.exists) {
            return walk.misses;
        }
    }
    return false;
}
