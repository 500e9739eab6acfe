/* SPDX-License-Identifier: MIT */
#include "app/difference.h"

#include <string.h>

#include "base/mem.h"
#include "wire/json_tree.h"

/* ---- lists ---- */

static const struct fingerprint *
find(const struct fingerprint *list, size_t count, struct slice name)
{
    for (size_t i = 0; i < count; i++) {
        if (slice_equal(list[i].name, name)) {
            return &list[i];
        }
    }
    return NULL;
}

static bool
is_same(const struct fingerprint *a, const struct fingerprint *b)
{
    return memcmp(a->sum, b->sum, sizeof(a->sum)) == 0;
}

static enum status
make_room(struct difference_names *names, size_t count, struct arena *arena)
{
    *names = (struct difference_names){ .at = arena_array(arena, count + 1,
                                                          sizeof(*names->at)) };
    return names->at == NULL ? STATUS_NOMEM : STATUS_OK;
}

static void
add(struct difference_names *names, struct slice name)
{
    names->at[names->count++] = name;
}

enum status
difference_of(const struct fingerprint *before, size_t before_count,
              const struct fingerprint *after, size_t after_count,
              struct arena *arena, struct difference_part *ret)
{
    enum status status = make_room(&ret->added, after_count, arena);
    if (status == STATUS_OK) {
        status = make_room(&ret->changed, after_count, arena);
    }
    if (status == STATUS_OK) {
        status = make_room(&ret->removed, before_count, arena);
    }
    for (size_t i = 0; status == STATUS_OK && i < after_count; i++) {
        const struct fingerprint *was =
            find(before, before_count, after[i].name);
        if (was == NULL) {
            add(&ret->added, after[i].name);
        } else if (!is_same(was, &after[i])) {
            add(&ret->changed, after[i].name);
        }
    }
    for (size_t i = 0; status == STATUS_OK && i < before_count; i++) {
        if (find(after, after_count, before[i].name) == NULL) {
            add(&ret->removed, before[i].name);
        }
    }
    return status;
}

bool
difference_same_handler(const struct configuration *before,
                        const struct configuration *after, size_t index,
                        size_t *ret_index)
{
    const struct fingerprint *now = &after->handler_prints[index];
    const struct fingerprint *was = find(
        before->handler_prints, before->settings.handlers.count, now->name);
    if (was == NULL || !is_same(was, now)) {
        return false;
    }
    *ret_index = (size_t)(was - before->handler_prints);
    return true;
}

/* ---- whole configurations ---- */

static size_t
count_sections(const struct configuration *configuration)
{
    size_t count = 0;
    for (const struct config_node *at = configuration->root->children;
         at != NULL; at = at->next) {
        count++;
    }
    return count;
}

/* The sections of the root but those that are told part by part. */
static enum status
list_sections(const struct configuration *configuration, struct arena *arena,
              struct fingerprint **ret, size_t *ret_count)
{
    struct fingerprint *list =
        arena_array(arena, count_sections(configuration) + 1, sizeof(*list));
    enum status status = list == NULL ? STATUS_NOMEM : STATUS_OK;
    *ret_count = 0;
    for (const struct config_node *at = configuration->root->children;
         at != NULL && status == STATUS_OK; at = at->next) {
        struct buf gathered = { 0 };
        if (slice_equal_text(at->key, "connectors") ||
            slice_equal_text(at->key, "handlers")) {
            continue;
        }
        fingerprint_node(at, &gathered);
        if (slice_equal_text(at->key, "admin")) {
            fingerprint_text(configuration->admin_token, &gathered);
        }
        status = fingerprint_take(&gathered, at->key, &list[(*ret_count)++]);
    }
    *ret = list;
    return status;
}

static enum status
find_sections(const struct configuration *before,
              const struct configuration *after, struct arena *arena,
              struct difference_names *ret)
{
    struct fingerprint *was, *now;
    size_t was_count, now_count;
    struct difference_part part;
    enum status status = list_sections(before, arena, &was, &was_count);
    if (status == STATUS_OK) {
        status = list_sections(after, arena, &now, &now_count);
    }
    if (status == STATUS_OK) {
        status = make_room(ret, was_count + now_count, arena);
    }
    if (status == STATUS_OK) {
        status = difference_of(was, was_count, now, now_count, arena, &part);
    }
    if (status != STATUS_OK) {
        return status;
    }
    const struct difference_names *all[] = { &part.added, &part.changed,
                                             &part.removed };
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        for (size_t j = 0; j < all[i]->count; j++) {
            add(ret, all[i]->at[j]);
        }
    }
    return STATUS_OK;
}

enum status
difference_find(const struct configuration *before,
                const struct configuration *after, struct arena *arena,
                struct difference *ret)
{
    enum status status =
        difference_of(before->connector_prints, before->connector_count,
                      after->connector_prints, after->connector_count, arena,
                      &ret->connectors);
    if (status == STATUS_OK) {
        status = difference_of(
            before->handler_prints, before->settings.handlers.count,
            after->handler_prints, after->settings.handlers.count, arena,
            &ret->handlers);
    }
    return status == STATUS_OK
               ? find_sections(before, after, arena, &ret->sections)
               : status;
}

bool
difference_is_none(const struct difference *difference)
{
    const struct difference_part *parts[] = { &difference->connectors,
                                              &difference->handlers };
    size_t count = difference->sections.count;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        count += parts[i]->added.count + parts[i]->removed.count +
                 parts[i]->changed.count;
    }
    return count == 0;
}

/* ---- what only a start takes up ---- */

static bool
has_tls(const struct configuration *configuration, bool of_admin)
{
    const struct settings *settings = &configuration->settings;
    return of_admin ? settings->admin.tls != NULL
                    : settings->listen != NULL && settings->listen->tls != NULL;
}

static bool
rules_differ(const struct receiver_rules *a, const struct receiver_rules *b)
{
    return a->allowed_count != b->allowed_count || a->http != b->http ||
           (a->allowed_count > 0 &&
            memcmp(a->allowed, b->allowed,
                   a->allowed_count * sizeof(*a->allowed)) != 0) ||
           a->disable_after_ms != b->disable_after_ms ||
           a->timeout_ms != b->timeout_ms || a->most != b->most ||
           a->concurrency != b->concurrency;
}

struct fixed {
    const char *section;
    const char *key; /* NULL: all of it */
    bool differs;
};

static void
refuse(const struct fixed *fixed, const struct configuration *after,
       struct config_report *report)
{
    const struct config_node *section =
        config_node_child(after->root, fixed->section);
    const struct config_node *key =
        fixed->key == NULL || section == NULL
            ? NULL
            : config_node_child(section, fixed->key);
    const struct config_mark nowhere = { 0 };
    config_report_add(
        report, CONFIG_ERROR,
        key != NULL       ? key->key_mark
        : section != NULL ? section->key_mark
                          : nowhere,
        "'%s%s%s' cannot change while the agent runs: restart it for that, or "
        "put back what was there",
        fixed->section, fixed->key == NULL ? "" : ".",
        fixed->key == NULL ? "" : fixed->key);
}

void
difference_check(const struct configuration *before,
                 const struct configuration *after,
                 struct config_report *report)
{
    const struct placement *was = &before->places, *now = &after->places;
    const struct settings *a = &before->settings, *b = &after->settings;
    const struct fixed all[] = {
        { "store", NULL, !slice_equal(was->store_url, now->store_url) },
        { "listen", "address",
          !slice_equal(was->listen_address, now->listen_address) },
        { "listen", "tls", has_tls(before, false) != has_tls(after, false) },
        { "admin", "address",
          !slice_equal(was->admin_address, now->admin_address) },
        { "admin", "tls", has_tls(before, true) != has_tls(after, true) },
        { "keep", "attempts_each",
          a->keep.attempts_each != b->keep.attempts_each },
        { "limits", "queue_events",
          a->limits.queue_events != b->limits.queue_events },
        { "limits", "queue_bytes",
          a->limits.queue_bytes != b->limits.queue_bytes },
        { "limits", "group_units",
          a->limits.group_units != b->limits.group_units },
        { "agents", NULL,
          a->agents.beat_ms != b->agents.beat_ms ||
              a->agents.ttl_ms != b->agents.ttl_ms },
        { "sandbox", NULL, a->sandbox != b->sandbox },
        { "outbound", NULL,
          rules_differ(&a->outbound.rules, &b->outbound.rules) },
    };
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if (all[i].differs) {
            refuse(&all[i], after, report);
        }
    }
}

/* ---- telling ---- */

static void
say(const struct difference_names *names, const char *what, const char *how,
    struct buf *into)
{
    for (size_t i = 0; i < names->count; i++) {
        buf_format(into, "%s%s %.*s %s", into->len == 0 ? "" : "; ", what,
                   SLICE_ARG(names->at[i]), how);
    }
}

static void
say_part(const struct difference_part *part, const char *what, struct buf *into)
{
    say(&part->added, what, "added", into);
    say(&part->changed, what, "changed", into);
    say(&part->removed, what, "removed", into);
}

void
difference_words(const struct difference *difference, struct buf *into)
{
    say_part(&difference->connectors, "connector", into);
    say_part(&difference->handlers, "handler", into);
    say(&difference->sections, "section", "changed", into);
}

static void
add_names(struct json_tree *tree, struct json_node *into, const char *name,
          const struct difference_names *names)
{
    struct json_node *array = json_add_array(tree, into, name);
    for (size_t i = 0; i < names->count; i++) {
        json_add_text(tree, array, NULL, names->at[i]);
    }
}

static void
add_part(struct json_tree *tree, struct json_node *into, const char *name,
         const struct difference_part *part)
{
    struct json_node *node = json_add_object(tree, into, name);
    add_names(tree, node, "added", &part->added);
    add_names(tree, node, "removed", &part->removed);
    add_names(tree, node, "changed", &part->changed);
}

void
difference_json(const struct difference *difference, struct json_tree *tree,
                struct json_node *into)
{
    add_part(tree, into, "connectors", &difference->connectors);
    add_part(tree, into, "handlers", &difference->handlers);
    add_names(tree, into, "sections", &difference->sections);
}
