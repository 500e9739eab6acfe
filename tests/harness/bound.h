/* SPDX-License-Identifier: MIT */
/*
 * bound: a connector bound from texts or files, for tests.
 */
#ifndef HARNESS_BOUND_H
#define HARNESS_BOUND_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "model/connector.h"

struct bound {
    struct arena arena;
    struct config_report report;
    struct connector connector;
    struct buf words; /* the report as text */
    enum status status;
};

static inline char *
bound_read(const char *path, struct arena *arena, size_t *ret_len)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        fail_msg("cannot open %s", path);
        return NULL;
    }
    *ret_len = 0;
    const size_t room = (size_t)1 << 20;
    char *text = arena_alloc(arena, room);
    assert_non_null(text);
    *ret_len = fread(text, 1, room - 1, file);
    text[*ret_len] = '\0';
    (void)fclose(file);
    return text;
}

static inline enum status
bound_tree(struct bound *bound, const char *name, struct slice text,
           struct config_node **ret_root)
{
    struct config_source *source =
        arena_array(&bound->arena, 1, sizeof(*source));
    *ret_root = NULL;
    if (source == NULL) {
        return STATUS_NOMEM;
    }
    *source = (struct config_source){ .name = slice_of(name),
                                      .directory = slice_of("."),
                                      .text = text };
    return config_yaml_parse(source, NULL, NULL, &bound->arena, &bound->report,
                             ret_root);
}

/* Loads NAME.yaml of the connectors, for `extends` and `verify: {use: NAME}`.
 * Files are told apart by their names. */
static inline bool
bound_load(void *arg, struct slice name, struct config_mark mark,
           struct config_report *report, struct arena *arena,
           const struct config_node **ret_root)
{
    struct bound *bound = arg;
    struct config_node *root = NULL;
    char path[512];
    size_t len = 0;
    (void)mark;
    (void)report;
    (void)snprintf(path, sizeof(path), "%s/%.*s.yaml", TEST_CONNECTORS_DIR,
                   SLICE_ARG(name));
    char *text = bound_read(path, arena, &len);
    const char *own = arena_text(arena, slice_of(path));
    if (own == NULL || bound_tree(bound, own, (struct slice){ text, len },
                                  &root) != STATUS_OK) {
        return false;
    }
    *ret_root = root;
    return true;
}

/* Binds `file` with `entry` laid over it; both are YAML, either may be NULL. */
static inline void
bound_texts(struct bound *bound, const char *file, const char *entry,
            const char *public_url)
{
    struct config_node *trees[2] = { NULL, NULL };
    const char *texts[2] = { file, entry };
    memset(bound, 0, sizeof(*bound));
    for (size_t i = 0; i < 2; i++) {
        if (texts[i] != NULL) {
            bound->status =
                bound_tree(bound, i == 0 ? "file.yaml" : "longstop.yaml",
                           slice_of(texts[i]), &trees[i]);
            if (bound->status == STATUS_NOMEM) {
                return;
            }
        }
    }
    struct config_binding binding = { .arena = &bound->arena,
                                      .report = &bound->report };
    const struct connector_env env = { .load_file = bound_load,
                                       .arg = bound,
                                       .public_url = slice_of(public_url) };
    bound->status =
        connector_bind(&binding, slice_of("shop"), (struct config_mark){ 0 },
                       trees[0], trees[1], &env, &bound->connector);
    if (bound->status == STATUS_OK) {
        bound->status = config_report_status(&bound->report);
    }
    if (bound->status == STATUS_CONFIG) {
        config_report_text(&bound->report, false, &bound->words);
    }
}

static inline void
bound_file(struct bound *bound, const char *path, const char *entry,
           const char *public_url)
{
    struct arena arena = { 0 };
    size_t len = 0;
    char *text = bound_read(path, &arena, &len);
    bound_texts(bound, text, entry, public_url);
    arena_fini(&arena);
}

static inline void
bound_fini(struct bound *bound)
{
    connector_fini(&bound->connector);
    config_report_fini(&bound->report);
    buf_fini(&bound->words);
    arena_fini(&bound->arena);
}

static inline void
bound_must(const struct bound *bound)
{
    if (bound->status != STATUS_OK) {
        fail_msg("not bound: %s\n%s", status_text(bound->status),
                 bound->words.ptr == NULL ? "" : bound->words.ptr);
    }
}

#endif
