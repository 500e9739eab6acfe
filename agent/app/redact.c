/* SPDX-License-Identifier: MIT */
#include "app/redact.h"

#include "base/instant.h"
#include "model/conceal.h"

static const char mask[] = "***";

/* ---- the configuration ---- */

/* Texts of these keys say nothing that others may not know, wherever they
 * stand; figures are shown anywhere else, too. */
static const char *const shown[] = {
    "address", "channels", "cron",  "extends",  "file", "format",     "level",
    "mode",    "on_dead",  "order", "order_by", "pace", "public_url", "start",
    "store",   "types",    "unix",  "use",      "via",
};

/* Nothing below these is shown by its look: values are anybody's. */
static const char *const closed[] = { "auth", "body",    "env",
                                      "form", "headers", "query" };

struct walk {
    const struct configuration *configuration;
    const struct connector *connector; /* whose entry this is, or NULL */
    struct buf *into;
};

/* What is known of a value by where it stands. */
struct place {
    struct slice key;
    unsigned depth;
    bool is_closed; /* nothing is shown */
    bool is_params; /* of a connector: its file says what is a secret */
};

static bool
is_one_of(struct slice name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (slice_equal_text(name, names[i])) {
            return true;
        }
    }
    return false;
}

/* By type: where the loader found a secret, it remembered the place. */
static bool
is_hidden(const struct walk *walk, const struct config_node *node)
{
    for (const struct config_hidden *at = walk->configuration->report.hidden;
         at != NULL; at = at->next) {
        if (at->mark.source == node->mark.source &&
            at->mark.line == node->mark.line &&
            at->mark.column == node->mark.column) {
            return true;
        }
    }
    return false;
}

/* true, 30, 30s, 1MiB, 25/1s */
static bool
is_figure(struct slice text)
{
    int64_t number, per_ms;
    return slice_equal_text(text, "true") || slice_equal_text(text, "false") ||
           slice_to_i64(text, &number) == STATUS_OK ||
           instant_parse_span(text, &number) == STATUS_OK ||
           instant_parse_size(text, &number) == STATUS_OK ||
           instant_parse_rate(text, &number, &per_ms) == STATUS_OK;
}

static bool
shows_param(const struct walk *walk, struct slice key)
{
    const struct connector_param *param =
        walk->connector == NULL ? NULL
                                : connector_param_find(walk->connector, key);
    return param != NULL && !param->secret;
}

static bool
shows(const struct walk *walk, const struct place *place,
      const struct config_node *node)
{
    if (place->is_closed || is_hidden(walk, node) ||
        config_report_sounds_secret(place->key)) {
        return false;
    }
    return place->is_params ? shows_param(walk, place->key)
                            : is_figure(node->text) ||
                                  is_one_of(place->key, shown,
                                            sizeof(shown) / sizeof(shown[0]));
}

/* Of a URL no more than its origin: users, paths and queries hold secrets. */
static void
write_text(const struct walk *walk, struct slice text)
{
    static const struct slice mark = SLICE("://");
    struct buf safe = { 0 };
    size_t at = slice_find_slice(text, mark);
    if (at == SIZE_MAX) {
        buf_json(walk->into, text);
        return;
    }
    struct slice rest = slice_from(text, at + mark.len);
    size_t end = 0;
    while (end < rest.len && rest.ptr[end] != '/' && rest.ptr[end] != '?' &&
           rest.ptr[end] != '#') {
        end++;
    }
    struct slice host = slice_first(rest, end);
    for (size_t user = slice_find(host, '@'); user != SIZE_MAX;
         user = slice_find(host, '@')) {
        host = slice_from(host, user + 1);
    }
    buf_append(&safe, slice_first(text, at + mark.len));
    buf_append(&safe, host);
    buf_text(&safe, end < rest.len ? "/***" : "");
    buf_json(walk->into, buf_slice(&safe));
    buf_fini(&safe);
}

static void
write_scalar(const struct walk *walk, const struct place *place,
             const struct config_node *node)
{
    if (node->is_null) {
        buf_text(walk->into, "null\n");
        return;
    }
    if (shows(walk, place, node)) {
        write_text(walk, node->text);
    } else {
        buf_json(walk->into, slice_of(mask));
    }
    buf_byte(walk->into, '\n');
}

static void
write_indent(const struct walk *walk, unsigned depth)
{
    for (unsigned i = 0; i < depth; i++) {
        buf_text(walk->into, "  ");
    }
}

/* Deeper than a configuration can be (config_yaml.h). */
#define LEVELS_MAX 40

/* A mapping or a list whose children are being written. */
struct level {
    const struct config_node *next;
    struct place place;
    const struct connector *connector;
    bool is_list;
};

/* Where a child of the level stands. A list's elements are what its key says.
 */
static struct place
place_of(const struct level *level, const struct config_node *node)
{
    struct place in = level->place;
    in.depth++;
    if (!level->is_list) {
        in.key = node->key;
        in.is_params = in.is_params ||
                       (in.depth == 3 && slice_equal_text(node->key, "with"));
        in.is_closed =
            in.is_closed ||
            is_one_of(node->key, closed, sizeof(closed) / sizeof(closed[0]));
    }
    return in;
}

static void
write_label(const struct walk *walk, const struct level *level,
            const struct config_node *node)
{
    write_indent(walk, level->place.depth);
    if (level->is_list) {
        buf_text(walk->into, "- ");
    } else {
        buf_json(walk->into, node->key);
        buf_text(walk->into, ": ");
    }
}

/* Writes a child, or all of it that comes before its own children; returns
 * whether it has some. */
static bool
write_node(const struct walk *walk, const struct place *place,
           const struct config_node *node)
{
    if (node->kind == CONFIG_SCALAR) {
        write_scalar(walk, place, node);
    } else if (node->children == NULL) {
        buf_text(walk->into, node->kind == CONFIG_MAPPING ? "{}\n" : "[]\n");
    } else {
        buf_byte(walk->into, '\n');
    }
    return node->children != NULL;
}

static void
write_tree(const struct configuration *configuration, struct buf *into)
{
    struct level levels[LEVELS_MAX] = { { .next =
                                              configuration->root->children } };
    for (size_t depth = 1; depth > 0;) {
        struct level *level = &levels[depth - 1];
        const struct config_node *node = level->next;
        if (node == NULL) {
            depth--;
            continue;
        }
        level->next = node->next;
        const struct place place = place_of(level, node);
        const struct connector *connector =
            place.depth == 2 ? configuration_connector(configuration, node->key)
                             : level->connector;
        const struct walk walk = { configuration, connector, into };
        write_label(&walk, level, node);
        if (write_node(&walk, &place, node) && depth < LEVELS_MAX) {
            levels[depth++] = (struct level){ node->children, place, connector,
                                              node->kind == CONFIG_SEQUENCE };
        }
    }
}

void
redact_configuration(const struct configuration *configuration,
                     struct buf *into)
{
    if (configuration->root != NULL) {
        write_tree(configuration, into);
    }
}

/* ---- texts ---- */

/* Secrets that are no connector's, as parameters of none. */
struct others {
    struct connector as;
    struct arena arena;
    size_t room;
};

static void
add_other(struct others *others, struct slice secret)
{
    struct slice *value = arena_array(&others->arena, 1, sizeof(*value));
    if (value == NULL || others->as.param_count == others->room) {
        others->room = 0; /* told by collect */
        return;
    }
    *value = secret;
    others->as.params[others->as.param_count++] =
        (struct connector_param){ .secret = true, .values = value, .count = 1 };
}

/* What a program has in its environment, or a server is sent. */
static const struct config_node *
values_of(const struct handler_settings *handler)
{
    const struct config_node *map =
        handler->http != NULL ? handler->http->headers : handler->env;
    return map == NULL ? NULL : map->children;
}

static size_t
count_values(const struct handler_settings *handler)
{
    size_t count = 0;
    for (const struct config_node *at = values_of(handler); at != NULL;
         at = at->next) {
        count++;
    }
    return count;
}

static void
add_handler(struct others *others, const struct handler_settings *handler)
{
    add_other(others, handler->http_secret);
    for (const struct config_node *at = values_of(handler); at != NULL;
         at = at->next) {
        add_other(others, at->text);
    }
    for (size_t i = 0; handler->broker != NULL && i < BROKER_VALUES_MAX; i++) {
        const enum broker_kind kind =
            (enum broker_kind)(handler->kind - HANDLER_BROKERS);
        if (broker_secret(kind, handler->broker, i) != NULL) {
            add_other(others, handler->broker->values[i].text);
        }
    }
}

static enum status
collect(const struct configuration *configuration, struct others *others)
{
    const struct config_list *handlers = &configuration->settings.handlers;
    const struct handler_settings *all = handlers->at;
    size_t room = 1;
    for (size_t i = 0; i < handlers->count; i++) {
        room += 1 + BROKER_VALUES_MAX + count_values(&all[i]);
    }
    others->room = room;
    others->as.params =
        arena_array(&others->arena, room, sizeof(*others->as.params));
    if (others->as.params == NULL) {
        return STATUS_NOMEM;
    }
    add_other(others, configuration->admin_token);
    for (size_t i = 0; i < handlers->count; i++) {
        add_handler(others, &all[i]);
    }
    return others->room == room ? STATUS_OK : STATUS_NOMEM;
}

enum status
redact_text(const struct configuration *configuration, struct slice text,
            struct buf *into)
{
    struct others others = { 0 };
    struct buf now = { 0 };
    enum status status = collect(configuration, &others);
    if (status == STATUS_OK) {
        conceal(&others.as, text, &now);
        status = buf_status(&now);
    }
    for (size_t i = 0;
         i < configuration->connector_count && status == STATUS_OK; i++) {
        struct buf next = { 0 };
        conceal(&configuration->connectors[i], buf_slice(&now), &next);
        status = buf_status(&next);
        buf_fini(&now);
        now = next;
    }
    if (status == STATUS_OK) {
        buf_append(into, buf_slice(&now));
        status = buf_status(into);
    }
    buf_fini(&now);
    arena_fini(&others.arena);
    return status;
}
