/* SPDX-License-Identifier: MIT */
#include "config/config_yaml.h"

/* Both trees come from the parser, which nests no deeper than this. */
#define DEPTH_MAX 64

static struct config_node *
find_child(const struct config_node *mapping, struct slice key)
{
    if (mapping == NULL || mapping->kind != CONFIG_MAPPING) {
        return NULL;
    }
    struct config_node *child = mapping->children;
    while (child != NULL && !slice_equal(child->key, key)) {
        child = child->next;
    }
    return child;
}

struct config_node *
config_node_child(const struct config_node *mapping, const char *key)
{
    return find_child(mapping, slice_of(key));
}

/* Two mappings that are being laid over each other. */
struct layer {
    const struct config_node *over;
    const struct config_node *under_child; /* next one to take */
    const struct config_node *over_child;
    const struct config_node *under;
    struct config_node **end; /* where the next merged child goes */
};

struct merging {
    struct arena *arena;
    struct layer layers[DEPTH_MAX];
    size_t depth;
};

static void
push_layer(struct merging *merging, const struct config_node *under,
           const struct config_node *over, struct config_node *merged)
{
    PRE(merging->depth < DEPTH_MAX);
    merged->children = NULL;
    merging->layers[merging->depth++] =
        (struct layer){ .over = over,
                        .under_child = under->children,
                        .over_child = over->children,
                        .under = under,
                        .end = &merged->children };
}

/* Appends a copy of `node`; its children stay shared with the original. */
static struct config_node *
append_copy(struct merging *merging, struct layer *layer,
            const struct config_node *node)
{
    struct config_node *copy = arena_alloc(merging->arena, sizeof(*copy));
    if (copy != NULL) {
        *copy = *node;
        copy->next = NULL;
        *layer->end = copy;
        layer->end = &copy->next;
    }
    return copy;
}

/* An explicit `null` takes away what lies below it; a value that was left empty
 * is a mistake, and stays for the binding to refuse. */
static bool
removes(const struct config_node *node)
{
    return node != NULL && node->is_null && node->text.len > 0;
}

/* Moves on by one child: first those of `under`, each with what lies over it,
 * then those that only `over` has. */
static enum status
merge_step(struct merging *merging)
{
    struct layer *layer = &merging->layers[merging->depth - 1];
    if (layer->under_child != NULL) {
        const struct config_node *below = layer->under_child;
        const struct config_node *above = find_child(layer->over, below->key);
        layer->under_child = below->next;
        if (removes(above)) {
            return STATUS_OK;
        }
        struct config_node *copy =
            append_copy(merging, layer, above == NULL ? below : above);
        if (copy == NULL) {
            return STATUS_NOMEM;
        }
        if (above != NULL && above->kind == CONFIG_MAPPING &&
            below->kind == CONFIG_MAPPING) {
            push_layer(merging, below, above, copy);
        }
        return STATUS_OK;
    }
    if (layer->over_child != NULL) {
        const struct config_node *above = layer->over_child;
        layer->over_child = above->next;
        if (find_child(layer->under, above->key) == NULL &&
            append_copy(merging, layer, above) == NULL) {
            return STATUS_NOMEM;
        }
        return STATUS_OK;
    }
    merging->depth--;
    return STATUS_OK;
}

enum status
config_node_merge(const struct config_node *under,
                  const struct config_node *over, struct arena *arena,
                  struct config_node **ret_node)
{
    const struct config_node *top = over != NULL ? over : under;
    struct merging merging = { .arena = arena };
    if (top == NULL) {
        *ret_node = NULL;
        return STATUS_OK;
    }
    struct config_node *merged = arena_alloc(arena, sizeof(*merged));
    if (merged == NULL) {
        return STATUS_NOMEM;
    }
    *merged = *top;
    merged->next = NULL;
    if (under != NULL && over != NULL && under->kind == CONFIG_MAPPING &&
        over->kind == CONFIG_MAPPING) {
        push_layer(&merging, under, over, merged);
    }
    while (merging.depth > 0) {
        enum status status = merge_step(&merging);
        if (status != STATUS_OK) {
            return status;
        }
    }
    *ret_node = merged;
    return STATUS_OK;
}
