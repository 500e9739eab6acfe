/* SPDX-License-Identifier: MIT */
/* The tree a connector is bound from: its file, the entry laid over it, and
 * what `verify: {use: NAME}` brings from another file. */
#include <string.h>

#include "model/connector_draft.h"
#include "model/connector_extend.h"

#define USES_MAX 4

static bool
is_none(const struct config_node *node)
{
    return node->kind == CONFIG_SCALAR && slice_equal_text(node->text, "none");
}

/* Copies the children of `from` that are not `none`, so that the tree they came
 * from stays as it is. */
static enum status
copy_root(const struct config_node *from, struct arena *arena,
          struct config_node **ret_root)
{
    struct config_node *root = arena_array(arena, 1, sizeof(*root));
    if (root == NULL) {
        return STATUS_NOMEM;
    }
    *root = *from;
    root->children = NULL;
    struct config_node **last = &root->children;
    for (const struct config_node *at = from->children; at; at = at->next) {
        if (is_none(at) && (slice_equal_text(at->key, "poll") ||
                            slice_equal_text(at->key, "register") ||
                            slice_equal_text(at->key, "match"))) {
            continue;
        }
        struct config_node *copy = arena_array(arena, 1, sizeof(*copy));
        if (copy == NULL) {
            return STATUS_NOMEM;
        }
        *copy = *at;
        copy->next = NULL;
        *last = copy;
        last = &copy->next;
    }
    *ret_root = root;
    return STATUS_OK;
}

enum status
connector_tree_put(struct config_node *root, const struct config_node *node,
                   struct arena *arena)
{
    struct config_node *copy = arena_array(arena, 1, sizeof(*copy));
    if (copy == NULL) {
        return STATUS_NOMEM;
    }
    *copy = *node;
    struct config_node **at = &root->children;
    while (*at != NULL && !slice_equal((*at)->key, node->key)) {
        at = &(*at)->next;
    }
    copy->next = *at == NULL ? NULL : (*at)->next;
    *at = copy;
    return STATUS_OK;
}

/* Loads the file that `use` names; whoever loads it says what went wrong. */
static const struct config_node *
load_used(struct config_binding *binding, const struct connector_env *env,
          const struct config_node *use)
{
    const struct config_node *other = NULL;
    const size_t errors = binding->report->errors;
    const bool loaded =
        use->kind == CONFIG_SCALAR && env->load_file != NULL &&
        env->load_file(env->arg, use->text, use->mark, binding->report,
                       binding->arena, &other) &&
        other != NULL;
    if (!loaded && binding->report->errors == errors) {
        config_report_add(binding->report, CONFIG_ERROR, use->mark,
                          "'%.*s' cannot be used", SLICE_ARG(use->text));
    }
    return loaded ? other : NULL;
}

enum status
connector_tree_used(struct config_binding *binding,
                    const struct connector_env *env,
                    const struct config_node *use, const char *section,
                    const struct config_node **ret_other)
{
    const struct config_node *other = load_used(binding, env, use);
    enum status status = other == NULL
                             ? STATUS_NOT_FOUND
                             : connector_extend(other, env, binding->report,
                                                binding->arena, ret_other);
    if (status == STATUS_OK && config_node_child(*ret_other, section) == NULL) {
        config_report_add(binding->report, CONFIG_ERROR, use->mark,
                          "'%.*s' has no %s", SLICE_ARG(use->text), section);
        status = STATUS_NOT_FOUND;
    }
    return status;
}

/* Takes verify, handshake, ack and reject from the file that `use` names; the
 * last three only where they are not given here. */
static enum status
take_verify(struct config_binding *binding, const struct connector_env *env,
            struct config_node *root, const struct config_node *use)
{
    static const char *const taken[] = { "verify", "handshake", "ack",
                                         "reject" };
    const struct config_node *other = NULL;
    enum status status =
        connector_tree_used(binding, env, use, "verify", &other);
    for (size_t i = 0; status == STATUS_OK && i < 4; i++) {
        const struct config_node *given = config_node_child(other, taken[i]);
        const bool own = i > 0 && config_node_child(root, taken[i]) != NULL;
        if (given != NULL && !own) {
            status = connector_tree_put(root, given, binding->arena);
        }
    }
    return status;
}

static enum status
resolve_verify(struct config_binding *binding, const struct connector_env *env,
               struct config_node *root)
{
    for (unsigned uses = 0;; uses++) {
        const struct config_node *verify = config_node_child(root, "verify");
        const struct config_node *use =
            verify == NULL || verify->kind != CONFIG_MAPPING
                ? NULL
                : config_node_child(verify, "use");
        if (use == NULL) {
            return STATUS_OK;
        }
        if (verify->children->next != NULL || uses == USES_MAX) {
            config_report_add(binding->report, CONFIG_ERROR, use->key_mark,
                              uses == USES_MAX
                                  ? "too many files name one another"
                                  : "'use' stands alone: its file says the "
                                    "rest");
            return STATUS_NOT_FOUND;
        }
        enum status status = take_verify(binding, env, root, use);
        if (status != STATUS_OK) {
            return status;
        }
    }
}

/* Parameters and the name of the file belong to whoever uses it; what a file
 * extends, to the file. */
static void
refuse_misplaced(struct config_binding *binding, const struct config_node *file,
                 const struct config_node *entry)
{
    static const char *const names[] = { "use", "with" };
    const struct config_node *extends =
        entry == NULL ? NULL : config_node_child(entry, "extends");
    if (extends != NULL) {
        config_report_add(binding->report, CONFIG_ERROR, extends->key_mark,
                          "'extends' belongs into a connector's file; an entry "
                          "says 'use', and what it changes");
    }
    for (size_t i = 0; file != NULL && i < 2; i++) {
        const struct config_node *node = config_node_child(file, names[i]);
        if (node != NULL) {
            config_report_add(binding->report, CONFIG_ERROR, node->key_mark,
                              "'%s' belongs into the configuration, not into "
                              "a connector's file",
                              names[i]);
        }
    }
}

enum status
connector_tree_prepare(struct config_binding *binding,
                       struct connector_draft *draft,
                       const struct connector_env *env,
                       struct config_node **ret_root)
{
    struct config_node *merged = NULL;
    struct config_node *root = NULL;
    *ret_root = NULL;
    enum status status = connector_extend(draft->file, env, binding->report,
                                          binding->arena, &draft->file);
    if (status != STATUS_OK) {
        return status;
    }
    refuse_misplaced(binding, draft->file, draft->entry);
    status =
        config_node_merge(draft->file, draft->entry, binding->arena, &merged);
    if (status != STATUS_OK || merged == NULL ||
        merged->kind != CONFIG_MAPPING) {
        return status;
    }
    status = copy_root(merged, binding->arena, &root);
    if (status != STATUS_OK) {
        return status;
    }
    /* An entry's `use` replaces the file's verify, it is not merged into it. */
    const struct config_node *over =
        draft->entry == NULL ? NULL : config_node_child(draft->entry, "verify");
    if (over != NULL && over->kind == CONFIG_MAPPING &&
        config_node_child(over, "use") != NULL) {
        status = connector_tree_put(root, over, binding->arena);
    }
    if (status == STATUS_OK) {
        status = connector_fetch_tree(draft, binding->arena, root);
    }
    if (status == STATUS_OK) {
        status = connector_register_tree(binding->arena, root);
    }
    if (status == STATUS_OK) {
        status = resolve_verify(binding, env, root);
    }
    if (status == STATUS_OK) {
        status = connector_stream_tree(binding, env, root);
    }
    if (status == STATUS_NOMEM) {
        return status;
    }
    *ret_root = root;
    return STATUS_OK;
}

const struct config_node *
connector_tree_node(const struct connector_draft *draft,
                    const char *const *names, size_t count)
{
    const struct config_node *node = draft->root;
    for (size_t i = 0; i < count && node != NULL; i++) {
        node = config_node_child(node, names[i]);
    }
    return node;
}

struct config_mark
connector_tree_mark(const struct connector_draft *draft,
                    const char *const *names, size_t count)
{
    struct config_mark mark = draft->c.mark;
    const struct config_node *node = draft->root;
    for (size_t i = 0; i < count && node != NULL; i++) {
        node = config_node_child(node, names[i]);
        if (node != NULL) {
            mark = node->key_mark;
        }
    }
    return mark;
}
