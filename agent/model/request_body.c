/* SPDX-License-Identifier: MIT */
#include "model/request_body.h"

#include "model/request.h"
#include "wire/json.h"
#include "wire/template.h"

#define DEPTH_MAX 32

/* One open mapping or sequence. */
struct level {
    const struct body_node *next; /* child to come */
    bool mapping;
    bool begun;   /* a child was written: a comma is needed */
    size_t round; /* of a child that repeats */
};

struct writer {
    struct level levels[DEPTH_MAX];
    size_t depth;
    struct register_places *places; /* or NULL */
    struct buf *into;
};

/* Which of the events `{event}` is. */
static struct slice
event_of(const struct writer *writer)
{
    const struct register_places *places = writer->places;
    return places->event < places->event_count ? places->events[places->event]
                                               : (struct slice){ NULL, 0 };
}

static void
write_name(struct writer *writer, const struct body_node *node)
{
    if (writer->depth == 0) {
        return;
    }
    struct level *level = &writer->levels[writer->depth - 1];
    if (level->begun) {
        buf_byte(writer->into, ',');
    }
    level->begun = true;
    if (level->mapping) {
        bool is_event = writer->places != NULL && node->repeats &&
                        slice_equal_text(node->key, "{event}");
        buf_json(writer->into, is_event ? event_of(writer) : node->key);
        buf_byte(writer->into, ':');
    }
}

static void
write_events(struct writer *writer, const struct body_node *node)
{
    const struct register_places *places = writer->places;
    if (places->event_count == 0) {
        return;
    }
    write_name(writer, node);
    for (size_t i = 0; i < places->event_count; i++) {
        buf_byte(writer->into, i == 0 ? '[' : ',');
        buf_json(writer->into, places->events[i]);
    }
    buf_byte(writer->into, ']');
}

static enum status
write_scalar(struct writer *writer, const struct body_node *node,
             const struct template_scope *scope, struct arena *arena)
{
    struct slice text;
    if (writer->places != NULL && node->is_events) {
        write_events(writer, node);
        return STATUS_OK;
    }
    enum status status = template_eval(node->text, scope, arena, &text, NULL);
    if (status == STATUS_NOT_FOUND) {
        return STATUS_OK;
    }
    if (status != STATUS_OK) {
        return status;
    }
    if (node->number && json_check(text, 1, NULL) != STATUS_OK) {
        return STATUS_INVALID;
    }
    write_name(writer, node);
    if (node->bare || node->number) {
        buf_append(writer->into, text);
    } else {
        buf_json(writer->into, text);
    }
    return STATUS_OK;
}

static bool
open_level(struct writer *writer, const struct body_node *node)
{
    if (writer->depth == DEPTH_MAX) {
        return false;
    }
    write_name(writer, node);
    bool mapping = node->kind == CONFIG_MAPPING;
    buf_byte(writer->into, mapping ? '{' : '[');
    writer->levels[writer->depth++] =
        (struct level){ .next = node->children, .mapping = mapping };
    return true;
}

/* Whether the level's next child is to be written, once or once more. */
static bool
is_again(struct writer *writer, struct level *level)
{
    const bool repeats = writer->places != NULL && level->next->repeats;
    const size_t rounds = repeats ? writer->places->event_count : 1;
    if (level->round == rounds) {
        level->round = 0;
        return false;
    }
    if (repeats) {
        writer->places->event = level->round;
    }
    level->round++;
    return true;
}

/* Returns the next child of the innermost level, closing those that are at
 * their end; NULL when all are closed. */
static const struct body_node *
next_child(struct writer *writer)
{
    while (writer->depth > 0) {
        struct level *level = &writer->levels[writer->depth - 1];
        const struct body_node *child = level->next;
        if (child != NULL && is_again(writer, level)) {
            return child;
        }
        if (child != NULL) {
            level->next = child->next;
            continue;
        }
        buf_byte(writer->into, level->mapping ? '}' : ']');
        writer->depth--;
    }
    return NULL;
}

enum status
request_body_json(const struct body_node *root,
                  const struct template_scope *scope,
                  struct register_places *places, struct arena *arena,
                  struct buf *into, struct error *err)
{
    struct writer writer = { .places = places, .into = into };
    for (const struct body_node *node = root; node != NULL;
         node = next_child(&writer)) {
        if (node->kind != CONFIG_SCALAR) {
            if (!open_level(&writer, node)) {
                return error_set(err, STATUS_INVALID,
                                 "the body is nested too deeply");
            }
            continue;
        }
        enum status status = write_scalar(&writer, node, scope, arena);
        if (status != STATUS_OK) {
            return error_set(err, status, "body member '%.*s': %s",
                             SLICE_ARG(node->key), status_text(status));
        }
    }
    return buf_status(into);
}
