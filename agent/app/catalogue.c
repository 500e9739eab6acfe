/* SPDX-License-Identifier: MIT */
#include "app/catalogue.h"

#include "app/configuration.h"
#include "app/table.h"
#include "wire/json.h"

/* What a file says of itself; the texts live in the catalogue's arena. */
struct entry {
    struct slice name;
    struct slice title;
    size_t group; /* of connector_groups */
    bool has_webhook;
    bool has_poll;
    bool has_stream; /* over which its webhooks come */
};

struct catalogue {
    struct arena arena;
    struct entry *entries;
    size_t count;
};

static struct slice
text_of(const struct config_node *file, const char *key)
{
    const struct config_node *node = config_node_child(file, key);
    return node == NULL ? (struct slice){ NULL, 0 } : node->text;
}

static bool
is_told(const struct config_node *file, const char *key)
{
    const struct config_node *node = config_node_child(file, key);
    return node != NULL && node->kind != CONFIG_SCALAR;
}

static bool
has_list(const struct config_node *file)
{
    const struct config_node *poll = config_node_child(file, "poll");
    return poll != NULL && config_node_child(poll, "request") != NULL;
}

static size_t
group_of(struct slice word)
{
    for (size_t i = 0; connector_groups[i] != NULL; i++) {
        if (slice_equal_text(word, connector_groups[i])) {
            return i;
        }
    }
    return 0;
}

static enum status
add_entry(struct catalogue *catalogue, struct slice name)
{
    struct configuration reading = { 0 };
    const struct config_node *file = NULL;
    struct entry *entry = &catalogue->entries[catalogue->count];
    enum status status =
        configuration_read_connector(&reading, name, &file, NULL);
    if (status == STATUS_OK) {
        const bool has_stream = is_told(file, "stream");
        *entry = (struct entry){
            .name = name,
            .group = group_of(text_of(file, "group")),
            .has_webhook = is_told(file, "verify") && !has_stream,
            .has_poll = has_list(file),
            .has_stream = has_stream,
        };
        catalogue->count++;
        status = arena_copy(&catalogue->arena, text_of(file, "title"),
                            &entry->title);
    }
    configuration_fini(&reading);
    return status == STATUS_NOMEM ? STATUS_NOMEM : STATUS_OK;
}

static enum status
read_all(struct catalogue *catalogue)
{
    struct config_texts names = { 0 };
    enum status status =
        configuration_list_connectors(slice_of("."), &catalogue->arena, &names);
    if (status != STATUS_OK) {
        return status;
    }
    catalogue->entries = arena_array(&catalogue->arena, names.count + 1,
                                     sizeof(*catalogue->entries));
    status = catalogue->entries == NULL ? STATUS_NOMEM : STATUS_OK;
    for (size_t i = 0; i < names.count && status == STATUS_OK; i++) {
        status = add_entry(catalogue, names.at[i]);
    }
    return status;
}

static const char *
channels_of(const struct entry *entry)
{
    return entry->has_webhook && entry->has_poll ? "webhook and poll"
           : entry->has_webhook                  ? "webhook"
           : entry->has_poll                     ? "poll"
           : entry->has_stream                   ? "stream"
                                                 : "";
}

static void
print_text(const struct catalogue *catalogue, struct buf *into)
{
    static const char *const heads[] = { "GROUP", "NAME", "PROVIDER",
                                         "CHANNELS", NULL };
    struct table table = { 0 };
    table_heads(&table, heads);
    for (size_t group = 0; connector_groups[group] != NULL; group++) {
        for (size_t i = 0; i < catalogue->count; i++) {
            const struct entry *entry = &catalogue->entries[i];
            if (entry->group == group) {
                table_cell(&table, slice_of(connector_groups[group]));
                table_cell(&table, entry->name);
                table_cell(&table, entry->title);
                table_cell(&table, slice_of(channels_of(entry)));
            }
        }
    }
    table_print(&table, "", into);
    table_fini(&table);
}

static void
print_json(const struct catalogue *catalogue, struct buf *into)
{
    buf_text(into, "{\"connectors\":[");
    for (size_t i = 0; i < catalogue->count; i++) {
        const struct entry *entry = &catalogue->entries[i];
        buf_text(into, i == 0 ? "{\"name\":" : ",{\"name\":");
        buf_json(into, entry->name);
        buf_text(into, ",\"title\":");
        buf_json(into, entry->title);
        buf_format(into,
                   ",\"group\":\"%s\",\"webhook\":%s,\"poll\":%s,"
                   "\"stream\":%s}",
                   connector_groups[entry->group],
                   entry->has_webhook ? "true" : "false",
                   entry->has_poll ? "true" : "false",
                   entry->has_stream ? "true" : "false");
    }
    buf_text(into, "]}\n");
}

enum status
catalogue_print(bool as_json, struct buf *into, struct error *err)
{
    struct catalogue catalogue = { 0 };
    enum status status = read_all(&catalogue);
    if (status == STATUS_OK) {
        if (as_json) {
            print_json(&catalogue, into);
        } else {
            print_text(&catalogue, into);
        }
        status = buf_status(into);
    }
    arena_fini(&catalogue.arena);
    return status == STATUS_OK ? STATUS_OK
                               : error_set(err, status, "out of memory");
}
