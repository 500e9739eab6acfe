/* SPDX-License-Identifier: MIT */
#include "config/config_bind.h"

#include <string.h>

#include "base/suggest.h"
#include "config/config_value.h"

/*
 * Tables nest, functions here do not: what is open stands on a stack of
 * frames. A frame is one mapping being bound, or one list whose elements are
 * bound one after the other; eight tables deep with a list at every step.
 */
#define FRAMES_MAX 16

#define NAME_BYTES 64

struct frame {
    const struct config_table *table;
    const struct config_node *node;  /* the mapping or list */
    const struct config_node *child; /* the next of its children */
    char *into;                      /* the struct, or the next element */
    struct slice name;               /* what a named mapping is called */
    bool is_list;
    bool given;    /* false: absent, nothing in it can be missing */
    bool mistaken; /* in a key of its own */
    size_t key;    /* the next one to look for among the absent */
};

struct binder {
    struct config_binding *binding;
    struct config_report *report;
    struct frame frames[FRAMES_MAX];
    size_t depth;
};

static void
push(struct binder *binder, const struct frame *frame)
{
    if (binder->depth == FRAMES_MAX) {
        config_report_add(binder->report, CONFIG_ERROR, frame->node->mark,
                          "nested too deeply");
        return;
    }
    binder->frames[binder->depth++] = *frame;
}

/* Stands for a mapping that is empty or not there; it has the place of whom it
 * would belong to, and the name it was given, so that checks can say both. */
static struct config_node *
stand_in(struct binder *binder, const struct config_node *node,
         struct config_mark mark)
{
    struct config_node *empty =
        arena_array(binder->binding->arena, 1, sizeof(*empty));
    if (empty == NULL) {
        binder->report->failed_memory = true;
        return NULL;
    }
    empty->kind = CONFIG_MAPPING;
    empty->mark = mark;
    empty->text = slice_of("");
    if (node != NULL) {
        empty->key = node->key;
        empty->key_mark = node->key_mark;
    }
    return empty;
}

/* Opens one table on `node`; NULL for one that is not there at all. */
static void
push_table(struct binder *binder, const struct config_table *table,
           const struct config_node *node, struct config_mark mark, void *into)
{
    struct frame frame = {
        .table = table, .node = node, .into = into, .given = node != NULL
    };
    if (node != NULL && node->kind != CONFIG_MAPPING && !node->is_null) {
        config_report_add(binder->report, CONFIG_ERROR, node->mark,
                          "%s%.*s%s must be a mapping, not %s",
                          node->key.len > 0 ? "'" : "this",
                          SLICE_ARG(node->key), node->key.len > 0 ? "'" : "",
                          config_value_kind(node));
        frame.given = false;
        frame.mistaken = true;
    }
    if (node == NULL || node->kind != CONFIG_MAPPING) {
        frame.node = stand_in(binder, node, mark);
        if (frame.node == NULL) {
            return;
        }
    }
    frame.child = frame.node->children;
    push(binder, &frame);
}

/* Makes room for a list's elements and opens it. */
static void
push_list(struct binder *binder, const struct config_key *key,
          const struct config_node *node, struct config_list *list)
{
    struct arena *arena = binder->binding->arena;
    bool alone = key->type == CONFIG_TABLES && node->kind == CONFIG_MAPPING;
    size_t count = alone;
    if (!alone) {
        for (const struct config_node *child = node->children; child != NULL;
             child = child->next) {
            count++;
        }
    }
    list->at = arena_array(arena, count, key->table->size);
    list->names = arena_array(arena, count, sizeof(*list->names));
    list->marks = arena_array(arena, count, sizeof(*list->marks));
    if (list->at == NULL || list->names == NULL || list->marks == NULL) {
        binder->report->failed_memory = true;
        return;
    }
    list->count = count;
    if (alone) {
        list->marks[0] = config_value_place(node);
        push_table(binder, key->table, node, list->marks[0], list->at);
        return;
    }
    const struct config_node *child = node->children;
    for (size_t i = 0; i < count; i++, child = child->next) {
        list->names[i] = child->key;
        list->marks[i] = config_value_place(child);
    }
    struct frame frame = { .table = key->table,
                           .node = node,
                           .child = node->children,
                           .into = list->at,
                           .is_list = true };
    push(binder, &frame);
}

/* A name goes into paths, metrics and keys, so it is plain ASCII. */
static bool
is_name(struct slice text)
{
    static const char firsts[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz0123456789";
    if (text.len == 0 || text.len > NAME_BYTES) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        char byte = text.ptr[i];
        bool plain = byte != '\0' && strchr(firsts, byte) != NULL;
        bool joint = byte == '_' || byte == '.' || byte == '-';
        if (!plain && !(i > 0 && joint)) {
            return false;
        }
    }
    return true;
}

bool
config_bind_name(struct config_binding *binding, const struct config_node *node)
{
    if (is_name(node->key)) {
        return true;
    }
    config_report_add(binding->report, CONFIG_ERROR, node->key_mark,
                      "'%.*s' cannot be a name; use up to 64 letters, digits, "
                      "'_', '.' and '-', a letter or digit first",
                      SLICE_ARG(slice_first(node->key, 80)));
    return false;
}

/* Opens the next element of a list, or closes it. */
static void
step_list(struct binder *binder)
{
    struct frame *frame = &binder->frames[binder->depth - 1];
    const struct config_node *child = frame->child;
    if (child == NULL) {
        binder->depth--;
        return;
    }
    frame->child = child->next;
    void *into = frame->into;
    frame->into += frame->table->size;
    if (frame->node->kind == CONFIG_MAPPING) {
        (void)config_bind_name(binder->binding, child);
    }
    if (frame->node->kind == CONFIG_SEQUENCE && child->is_null) {
        config_report_add(binder->report, CONFIG_ERROR, child->mark,
                          "this entry has no value");
        return;
    }
    size_t depth = binder->depth;
    push_table(binder, frame->table, child, config_value_place(child), into);
    if (binder->depth > depth) {
        binder->frames[depth].name = child->key;
    }
}

static bool
is_secret(const struct config_key *key)
{
    return key->type == CONFIG_SECRET || key->type == CONFIG_SECRETS;
}

/* Whether `name` is this key, or with *ret_file the `_file` twin of it. */
static bool
is_called(const struct config_key *key, struct slice name, bool *ret_file)
{
    static const struct slice suffix = SLICE("_file");
    *ret_file = false;
    if (slice_equal_text(name, key->name)) {
        return true;
    }
    if (!is_secret(key) || !slice_ends(name, suffix)) {
        return false;
    }
    *ret_file = true;
    return slice_equal_text(slice_first(name, name.len - suffix.len),
                            key->name);
}

static const struct config_key *
find_key(const struct config_table *table, struct slice name, bool *ret_file)
{
    for (size_t i = 0; i < table->count; i++) {
        if (is_called(&table->keys[i], name, ret_file)) {
            return &table->keys[i];
        }
    }
    return NULL;
}

/* Returns the first child that is this key or its twin. */
static const struct config_node *
find_given(const struct frame *frame, const struct config_key *key)
{
    const struct config_node *child = frame->node->children;
    bool from_file;
    while (child != NULL && !is_called(key, child->key, &from_file)) {
        child = child->next;
    }
    return child;
}

/* Returns the name of a table that `word` was probably meant to be. */
static const char *
nearest_key(struct binder *binder, const struct config_table *table,
            struct slice word)
{
    struct arena *arena = binder->binding->arena;
    size_t count = 0;
    const char **names = arena_array(arena, table->count * 2, sizeof(*names));
    for (size_t i = 0; names != NULL && i < table->count; i++) {
        const struct config_key *key = &table->keys[i];
        names[count++] = key->name;
        if (is_secret(key)) {
            size_t len = strlen(key->name);
            char *twin = arena_alloc(arena, len + sizeof("_file"));
            if (twin == NULL) {
                break;
            }
            memcpy(twin, key->name, len);
            memcpy(twin + len, "_file", sizeof("_file"));
            names[count++] = twin;
        }
    }
    return names == NULL ? NULL : suggest_near(word, names, count);
}

static bool
has_secrets(const struct config_table *table)
{
    bool any = false;
    for (size_t i = 0; i < table->count; i++) {
        any = any || is_secret(&table->keys[i]);
    }
    return any;
}

static void
report_unknown(struct binder *binder, const struct frame *frame,
               const struct config_node *child)
{
    /* What is not kept needs no suggestion, which costs memory. */
    const char *nearest = binder->report->errors > 100
                              ? NULL
                              : nearest_key(binder, frame->table, child->key);
    const char *table = frame->table->name;
    struct slice name = frame->name;
    /* Beside secrets, what has a wrong name may be one. */
    if (has_secrets(frame->table) && child->kind == CONFIG_SCALAR) {
        config_report_hide(binder->report, child->mark);
    }
    config_report_add(
        binder->report, CONFIG_ERROR, child->key_mark,
        "unknown key '%.*s'%s%s%s%.*s%s%s%s%s",
        SLICE_ARG(slice_first(child->key, 80)), table == NULL ? "" : " in ",
        table == NULL ? "" : table, name.len > 0 ? " '" : "", SLICE_ARG(name),
        name.len > 0 ? "'" : "", nearest == NULL ? "" : "; did you mean '",
        nearest == NULL ? "" : nearest, nearest == NULL ? "" : "'?");
}

static void
bind_named(struct binder *binder, const struct config_key *key,
           const struct config_node *node, void *place)
{
    if (node->kind == CONFIG_MAPPING || node->is_null) {
        push_list(binder, key, node, place);
        return;
    }
    config_report_add(binder->report, CONFIG_ERROR, node->mark,
                      "'%s' must be a mapping of names, not %s", key->name,
                      config_value_kind(node));
}

static void
bind_tables(struct binder *binder, const struct config_key *key,
            const struct config_node *node, void *place)
{
    if (node->kind != CONFIG_SCALAR) {
        push_list(binder, key, node, place);
        return;
    }
    config_report_add(binder->report, CONFIG_ERROR,
                      node->is_null ? config_value_place(node) : node->mark,
                      "'%s' must be a mapping or a list of them, not %s",
                      key->name, config_value_kind(node));
}

static void
bind_table_ptr(struct binder *binder, const struct config_key *key,
               const struct config_node *node, void *place)
{
    void *into = arena_array(binder->binding->arena, 1, key->table->size);
    if (into == NULL) {
        binder->report->failed_memory = true;
        return;
    }
    memcpy(place, &into, sizeof(into));
    push_table(binder, key->table, node, config_value_place(node), into);
}

/* Reads the default as if the file said it. Its place is the mapping's, whose
 * directory is also what a path is relative to. */
static void
apply_fallback(struct binder *binder, const struct frame *frame,
               const struct config_key *key, void *place)
{
    if (key->fallback == NULL) {
        return;
    }
    struct config_node *node = stand_in(binder, NULL, frame->node->mark);
    if (node == NULL) {
        return;
    }
    node->kind = CONFIG_SCALAR;
    node->key = slice_of(key->name);
    node->text = slice_of(key->fallback);
    if (key->type == CONFIG_CUSTOM) {
        key->parse(binder->binding, node, place);
    } else if (config_value_known(key->type)) {
        (void)config_value_read(binder->binding, key, false, node, place);
    }
}

static void
bind_key(struct binder *binder, struct frame *frame,
         const struct config_key *key, bool from_file,
         const struct config_node *node)
{
    void *place = frame->into + key->offset;
    if (node->unset) {
        apply_fallback(binder, frame, key, place);
        return;
    }
    switch (key->type) {
    case CONFIG_TABLE:
        push_table(binder, key->table, node, config_value_place(node), place);
        break;
    case CONFIG_TABLE_PTR: bind_table_ptr(binder, key, node, place); break;
    case CONFIG_TABLES: bind_tables(binder, key, node, place); break;
    case CONFIG_NAMED: bind_named(binder, key, node, place); break;
    case CONFIG_NODE: *(const struct config_node **)place = node; break;
    case CONFIG_CUSTOM: key->parse(binder->binding, node, place); break;
    case CONFIG_BOOL:
    case CONFIG_INT:
    case CONFIG_DURATION:
    case CONFIG_SIZE:
    case CONFIG_TEXT:
    case CONFIG_PATH:
    case CONFIG_CHOICE:
    case CONFIG_TEXTS:
    case CONFIG_SECRET:
    case CONFIG_SECRETS:
        if (!config_value_read(binder->binding, key, from_file, node, place)) {
            apply_fallback(binder, frame, key, place);
        }
        break;
    }
}

static void
step_child(struct binder *binder, struct frame *frame)
{
    const struct config_node *child = frame->child;
    size_t before = binder->report->errors;
    bool from_file;
    const struct config_key *key =
        find_key(frame->table, child->key, &from_file);
    frame->child = child->next;
    if (key == NULL) {
        report_unknown(binder, frame, child);
    } else if (find_given(frame, key) != child) {
        config_report_add(binder->report, CONFIG_ERROR, child->key_mark,
                          "'%s' and '%s_file' are both given; keep one",
                          key->name, key->name);
    } else {
        bind_key(binder, frame, key, from_file, child);
    }
    frame->mistaken =
        frame->mistaken || child->unset || binder->report->errors != before;
}

static void
step_absent(struct binder *binder, struct frame *frame)
{
    const struct config_key *key = &frame->table->keys[frame->key++];
    if (find_given(frame, key) != NULL) {
        return;
    }
    struct config_mark mark = config_value_place(frame->node);
    if (key->required && frame->given) {
        const char *table = frame->table->name;
        bool named = frame->name.len > 0;
        config_report_add(binder->report, CONFIG_ERROR, mark,
                          "key '%s' is missing%s%s%s%.*s%s", key->name,
                          table == NULL ? "" : " in ",
                          table == NULL ? "" : table, named ? " '" : "",
                          SLICE_ARG(frame->name), named ? "'" : "");
        frame->mistaken = true;
        return;
    }
    void *place = frame->into + key->offset;
    if (key->type == CONFIG_TABLE) {
        push_table(binder, key->table, NULL, mark, place);
    } else {
        apply_fallback(binder, frame, key, place);
    }
}

/* Moves the innermost mapping on: its children in the order of the file, then
 * the keys that are absent, then the rules that span keys. */
static void
step_table(struct binder *binder)
{
    struct frame *frame = &binder->frames[binder->depth - 1];
    if (frame->child != NULL) {
        step_child(binder, frame);
        return;
    }
    if (frame->key < frame->table->count) {
        step_absent(binder, frame);
        return;
    }
    /* A rule over keys of which one is wrong would only find echoes. */
    if (frame->table->check != NULL && !frame->mistaken) {
        frame->table->check(binder->binding, frame->node, frame->into);
    }
    binder->depth--;
}

enum status
config_bind(struct config_binding *binding, const struct config_table *table,
            const struct config_node *node, void *into)
{
    struct binder binder = { .binding = binding, .report = binding->report };
    struct config_mark nowhere = { 0 };
    push_table(&binder, table, node,
               node == NULL ? nowhere : config_value_place(node), into);
    while (binder.depth > 0 && !binding->report->failed_memory) {
        if (binder.frames[binder.depth - 1].is_list) {
            step_list(&binder);
        } else {
            step_table(&binder);
        }
    }
    return binding->report->failed_memory ? STATUS_NOMEM : STATUS_OK;
}

bool
config_bind_duration(struct config_binding *binding,
                     const struct config_node *node, int64_t *ret_ms)
{
    return config_value_duration(binding, node, ret_ms);
}

bool
config_bind_text(struct config_binding *binding, const struct config_node *node,
                 struct slice *ret_text)
{
    return config_value_text(binding, node, ret_text);
}
