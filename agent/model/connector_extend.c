/* SPDX-License-Identifier: MIT */
#include "model/connector_extend.h"

struct chain {
    const struct config_node *files[CONNECTOR_EXTEND_MAX]; /* each over the
                                                              next */
    size_t count;
};

static bool
same_file(const struct config_node *a, const struct config_node *b)
{
    return a->mark.source != NULL && b->mark.source != NULL &&
           slice_equal(a->mark.source->name, b->mark.source->name);
}

/* Loads what `extends` names; whoever loads it says what went wrong. */
static const struct config_node *
load(const struct config_node *extends, const struct connector_env *env,
     struct config_report *report, struct arena *arena)
{
    const struct config_node *other = NULL;
    const size_t errors = report->errors;
    if (extends->kind != CONFIG_SCALAR || extends->text.len == 0) {
        config_report_add(report, CONFIG_ERROR, extends->key_mark,
                          "'extends' is the name of a connector, or the path "
                          "of its file");
        return NULL;
    }
    const bool loaded = env->load_file != NULL &&
                        env->load_file(env->arg, extends->text, extends->mark,
                                       report, arena, &other);
    if (loaded && other != NULL && other->kind == CONFIG_MAPPING) {
        return other;
    }
    if (report->errors == errors) {
        config_report_add(report, CONFIG_ERROR, extends->mark,
                          "'%.*s' cannot be extended",
                          SLICE_ARG(extends->text));
    }
    return NULL;
}

static enum status
refuse_circle(const struct chain *chain, const struct config_node *other,
              const struct config_node *extends, struct config_report *report)
{
    for (size_t i = 0; i < chain->count; i++) {
        if (same_file(chain->files[i], other)) {
            config_report_add(report, CONFIG_ERROR, extends->mark,
                              i + 1 == chain->count
                                  ? "this file extends itself: give it "
                                    "another name than '%.*s'"
                                  : "'%.*s' extends this file in turn",
                              SLICE_ARG(extends->text));
            return STATUS_CONFIG;
        }
    }
    if (chain->count == CONNECTOR_EXTEND_MAX) {
        config_report_add(report, CONFIG_ERROR, extends->mark,
                          "too many files extend one another, at most %d may",
                          CONNECTOR_EXTEND_MAX);
        return STATUS_CONFIG;
    }
    return STATUS_OK;
}

static enum status
follow(struct chain *chain, const struct connector_env *env,
       struct config_report *report, struct arena *arena)
{
    for (;;) {
        const struct config_node *extends =
            config_node_child(chain->files[chain->count - 1], "extends");
        if (extends == NULL) {
            return STATUS_OK;
        }
        const struct config_node *other = load(extends, env, report, arena);
        if (other == NULL) {
            return STATUS_CONFIG;
        }
        enum status status = refuse_circle(chain, other, extends, report);
        if (status != STATUS_OK) {
            return status;
        }
        chain->files[chain->count++] = other;
    }
}

/* The merged tree is our own: its mapping may be changed. */
static void
drop_extends(struct config_node *merged)
{
    struct config_node **at = &merged->children;
    while (*at != NULL && !slice_equal_text((*at)->key, "extends")) {
        at = &(*at)->next;
    }
    if (*at != NULL) {
        *at = (*at)->next;
    }
}

enum status
connector_extend(const struct config_node *file,
                 const struct connector_env *env, struct config_report *report,
                 struct arena *arena, const struct config_node **ret_file)
{
    struct chain chain = { .files = { file }, .count = 1 };
    *ret_file = file;
    if (file == NULL || config_node_child(file, "extends") == NULL) {
        return STATUS_OK;
    }
    enum status status = follow(&chain, env, report, arena);
    const struct config_node *under = chain.files[chain.count - 1];
    for (size_t i = chain.count - 1; i > 0 && status == STATUS_OK; i--) {
        struct config_node *merged = NULL;
        status = config_node_merge(under, chain.files[i - 1], arena, &merged);
        if (status == STATUS_OK) {
            drop_extends(merged);
            under = merged;
        }
    }
    *ret_file = status == STATUS_OK ? under : NULL;
    return status;
}
