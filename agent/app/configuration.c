/* SPDX-License-Identifier: MIT */
#include "app/configuration_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/advice.h"
#include "app/doors.h"
#include "app/paths.h"
#include "base/suggest.h"
#include "config/config_yaml.h"
#include "io/clock.h"
#include "io/fs.h"
#include "io/zoneinfo.h"
#include "model/connector_extend.h"

#define FILE_LIMIT ((size_t)256 * 1024)

static const char *const default_paths[] = { "./longstop.yaml",
                                             "/etc/longstop/longstop.yaml" };

static const char *
environment(void *arg, const char *name)
{
    (void)arg;
    return getenv(name);
}

static struct config_mark
no_mark(void)
{
    return (struct config_mark){ 0 };
}

/* ---- files ---- */

/* Reads and parses one file; *ret_root is NULL when nothing could be read. */
static enum status
parse_file(struct configuration *configuration, struct slice path,
           struct config_node **ret_root)
{
    struct arena *arena = &configuration->arena;
    struct config_source *source = arena_array(arena, 1, sizeof(*source));
    struct buf text = { 0 };
    struct error err = { 0 };
    *ret_root = NULL;
    if (source == NULL) {
        return STATUS_NOMEM;
    }
    enum status status = fs_read(path.ptr, FILE_LIMIT, &text, &err);
    if (status != STATUS_OK) {
        config_report_add(&configuration->report, CONFIG_ERROR, no_mark(), "%s",
                          error_text(&err, status));
        buf_fini(&text);
        return STATUS_OK;
    }
    source->name = path;
    status = paths_directory(path, arena, &source->directory);
    if (status == STATUS_OK) {
        status = arena_copy(arena, buf_slice(&text), &source->text);
    }
    buf_fini(&text);
    if (status != STATUS_OK) {
        return status;
    }
    configuration->file_count++;
    if (configuration->gathers) {
        fingerprint_text(source->text, &configuration->gathered);
    }
    return config_yaml_parse(source, environment, NULL, arena,
                             &configuration->report, ret_root);
}

static void
report_twice(struct configuration *configuration,
             const struct config_node *again, const struct config_node *first,
             const char *what)
{
    config_report_add(&configuration->report, CONFIG_ERROR, again->key_mark,
                      "%s '%.*s' is configured twice", what,
                      SLICE_ARG(again->key));
    config_report_add(&configuration->report, CONFIG_NOTE, first->key_mark,
                      "the first time is here");
}

static void
append_child(struct config_node *mapping, struct config_node *child)
{
    struct config_node **last = &mapping->children;
    while (*last != NULL) {
        last = &(*last)->next;
    }
    *last = child;
    child->next = NULL;
}

/* Adds the entries of `from` to `into`; what both have is a mistake. */
static void
join_entries(struct configuration *configuration, struct config_node *into,
             struct config_node *from, const char *what)
{
    struct config_node *next;
    for (struct config_node *child = from->children; child != NULL;
         child = next) {
        next = child->next;
        struct config_node *there = config_node_child(into, child->key.ptr);
        bool is_map = slice_equal_text(child->key, "connectors") ||
                      slice_equal_text(child->key, "handlers");
        if (there == NULL) {
            append_child(into, child);
        } else if (what[0] == 'k' && is_map && there->kind == CONFIG_MAPPING &&
                   child->kind == CONFIG_MAPPING) {
            struct config_node *after;
            for (struct config_node *entry = child->children; entry != NULL;
                 entry = after) {
                after = entry->next;
                struct config_node *first =
                    config_node_child(there, entry->key.ptr);
                if (first == NULL) {
                    append_child(there, entry);
                } else {
                    report_twice(configuration, entry, first, "entry");
                }
            }
        } else {
            report_twice(configuration, child, there, what);
        }
    }
}

/* Lays conf.d/ beside the main file. */
static enum status
parse_conf_d(struct configuration *configuration, struct config_node *root)
{
    struct buf names = { 0 };
    struct error err = { 0 };
    struct slice directory;
    enum status status =
        paths_join(configuration->directory, slice_of("conf.d"),
                   &configuration->arena, &directory);
    if (status == STATUS_OK) {
        status = fs_list(directory.ptr, ".yaml", &names, &err);
        if (status != STATUS_OK && status != STATUS_NOMEM) {
            config_report_add(&configuration->report, CONFIG_ERROR, no_mark(),
                              "%s", error_text(&err, status));
            status = STATUS_OK;
        }
    }
    struct slice rest = buf_slice(&names);
    while (status == STATUS_OK && rest.len > 0) {
        struct slice name = slice_of(rest.ptr);
        struct slice path = { NULL, 0 };
        struct config_node *more = NULL;
        rest = slice_from(rest, name.len + 1);
        status = paths_join(directory, name, &configuration->arena, &path);
        if (status == STATUS_OK) {
            status = parse_file(configuration, path, &more);
        }
        if (status == STATUS_OK && more != NULL) {
            join_entries(configuration, root, more, "key");
        }
    }
    buf_fini(&names);
    return status;
}

/* ---- connectors ---- */

static bool
is_path(struct slice use)
{
    return slice_find(use, '/') != SIZE_MAX ||
           slice_ends(use, slice_of(".yaml"));
}

#define PLACES_MAX 4

/* Where connector files are looked for, in this order. */
static enum status
list_places(struct slice directory, struct arena *arena,
            struct slice places[PLACES_MAX])
{
    places[0] = slice_of(getenv("LONGSTOP_CONNECTORS"));
    places[2] = slice_of(LONGSTOP_DATA_DIRECTORY "/connectors");
#ifdef LONGSTOP_SOURCE_CONNECTORS
    places[3] = slice_of(LONGSTOP_SOURCE_CONNECTORS);
#else
    places[3] = (struct slice){ NULL, 0 };
#endif
    return paths_join(directory, slice_of("connectors"), arena, &places[1]);
}

enum status
configuration_find_connector(struct slice use, struct slice directory,
                             struct arena *arena, struct slice *ret_path,
                             struct error *err)
{
    struct slice places[PLACES_MAX];
    size_t count = PLACES_MAX;
    struct buf name = { 0 };
    buf_append(&name, use);
    if (!is_path(use)) {
        buf_text(&name, ".yaml");
    }
    enum status status = list_places(directory, arena, places);
    if (is_path(use)) {
        places[0] = directory;
        count = 1;
    }
    bool found = false;
    for (size_t i = 0; i < count && status == STATUS_OK && !found; i++) {
        if (places[i].len > 0) {
            status = paths_join(places[i], buf_slice(&name), arena, ret_path);
            found = status == STATUS_OK && fs_exists(ret_path->ptr);
        }
    }
    if (status == STATUS_OK && !found) {
        status = error_set(
            err, STATUS_NOT_FOUND,
            is_path(use)
                ? "connector file '%.*s' is not there"
                : "connector '%.*s' is not known; it is looked "
                  "for in $LONGSTOP_CONNECTORS, in connectors/ "
                  "beside the configuration, and in " LONGSTOP_DATA_DIRECTORY
                  "/connectors",
            SLICE_ARG(use));
    }
    buf_fini(&name);
    return status;
}

static int
compare_texts(const void *a, const void *b)
{
    return slice_compare(*(const struct slice *)a, *(const struct slice *)b);
}

enum status
configuration_list_connectors(struct slice directory, struct arena *arena,
                              struct config_texts *ret)
{
    static const struct slice ending = SLICE(".yaml");
    struct slice places[PLACES_MAX];
    struct buf names = { 0 };
    size_t count = 0;
    enum status status = list_places(directory, arena, places);
    for (size_t i = 0; i < PLACES_MAX && status == STATUS_OK; i++) {
        if (places[i].len > 0) {
            status = fs_list(places[i].ptr, ending.ptr, &names, NULL);
        }
    }
    for (size_t i = 0; i < names.len; i++) {
        count += names.ptr[i] == '\0';
    }
    *ret = (struct config_texts){ .at = arena_array(arena, count + 1,
                                                    sizeof(*ret->at)) };
    status = status == STATUS_OK && ret->at == NULL ? STATUS_NOMEM : status;
    struct slice rest = buf_slice(&names);
    while (status == STATUS_OK && rest.len > 0) {
        struct slice name = slice_of(rest.ptr);
        rest = slice_from(rest, name.len + 1);
        status = arena_copy(arena, slice_first(name, name.len - ending.len),
                            &ret->at[ret->count++]);
    }
    buf_fini(&names);
    if (status != STATUS_OK) {
        return status;
    }
    qsort(ret->at, ret->count, sizeof(*ret->at), compare_texts);
    size_t kept = 0;
    for (size_t i = 0; i < ret->count; i++) {
        if (kept == 0 || !slice_equal(ret->at[i], ret->at[kept - 1])) {
            ret->at[kept++] = ret->at[i];
        }
    }
    ret->count = kept;
    return STATUS_OK;
}

/* Says where a connector was looked for, and what was probably meant. */
static void
report_not_found(struct configuration *configuration, struct slice use,
                 struct slice directory, struct config_mark mark,
                 const char *words)
{
    struct config_texts known = { 0 };
    const char *near = NULL;
    if (configuration_list_connectors(directory, &configuration->arena,
                                      &known) == STATUS_OK) {
        for (size_t i = 0; i < known.count && near == NULL; i++) {
            near = suggest_near(use, &known.at[i].ptr, 1);
        }
    }
    config_report_add(&configuration->report, CONFIG_ERROR, mark, "%s%s%s%s",
                      words, near == NULL ? "" : "; did you mean '",
                      near == NULL ? "" : near, near == NULL ? "" : "'?");
}

/* The tree of one connector file, as it stands there. A path is relative to the
 * file that names it. */
static enum status
load_connector_file(struct configuration *configuration, struct slice use,
                    struct config_mark mark,
                    const struct config_node **ret_file)
{
    struct slice directory = mark.source == NULL || !is_path(use)
                                 ? configuration->directory
                                 : mark.source->directory;
    struct slice path = { NULL, 0 };
    struct error err = { 0 };
    struct config_node *root = NULL;
    enum status status = configuration_find_connector(
        use, directory, &configuration->arena, &path, &err);
    if (status == STATUS_NOT_FOUND) {
        report_not_found(configuration, use, directory, mark, err.text);
        return STATUS_OK;
    }
    if (status == STATUS_OK) {
        status = parse_file(configuration, path, &root);
    }
    *ret_file = root;
    return status;
}

/* The file that `extends` or `verify: {use: NAME}` names. */
static bool
load_other_file(void *arg, struct slice name, struct config_mark mark,
                struct config_report *report, struct arena *arena,
                const struct config_node **ret_root)
{
    struct configuration *configuration = arg;
    (void)arena; /* ours already, and so is the report */
    *ret_root = NULL;
    if (load_connector_file(configuration, name, mark, ret_root) != STATUS_OK) {
        report->failed_memory = true;
    }
    return *ret_root != NULL;
}

enum status
configuration_read_connector(struct configuration *configuration,
                             struct slice use,
                             const struct config_node **ret_file,
                             struct error *err)
{
    const struct connector_env env = { .load_file = load_other_file,
                                       .arg = configuration };
    struct slice path = { NULL, 0 };
    struct config_node *root = NULL;
    *ret_file = NULL;
    configuration->directory = slice_of(".");
    enum status status = configuration_find_connector(
        use, configuration->directory, &configuration->arena, &path, err);
    if (status != STATUS_OK) {
        return status;
    }
    status = parse_file(configuration, path, &root);
    if (status == STATUS_OK) {
        status = connector_extend(root, &env, &configuration->report,
                                  &configuration->arena, ret_file);
    }
    if (status == STATUS_OK) {
        status = config_report_status(&configuration->report);
    }
    return status == STATUS_OK
               ? STATUS_OK
               : error_set(err, status, "%.*s cannot be read", SLICE_ARG(path));
}

static enum status
read_zone(void *arg, struct slice name, struct arena *arena,
          struct slice *ret_bytes, struct error *err)
{
    struct buf bytes = { 0 };
    (void)arg;
    enum status status = zoneinfo_read(name, &bytes, err);
    if (status == STATUS_OK) {
        status = arena_copy(arena, buf_slice(&bytes), ret_bytes);
    }
    buf_fini(&bytes);
    return status;
}

static enum status
bind_connector(struct configuration *configuration,
               struct config_binding *binding, const struct config_node *entry,
               struct connector *connector)
{
    struct config_node *use = config_node_child(entry, "use");
    const struct config_node *file = NULL;
    struct connector_env env = {
        .read_secret = configuration_read_secret,
        .read_zone = read_zone,
        .load_file = load_other_file,
        .read_kept = configuration_read_kept,
        .registers = configuration->registers,
        .arg = configuration,
        .public_url = configuration->places.public_url,
    };
    fingerprint_node(entry, &configuration->gathered);
    fingerprint_text(env.public_url, &configuration->gathered);
    configuration->gathers = true;
    if (use != NULL && use->kind == CONFIG_SCALAR) {
        enum status status =
            load_connector_file(configuration, use->text, use->mark, &file);
        if (status != STATUS_OK || file == NULL) {
            return status;
        }
    }
    return connector_bind(binding, entry->key, entry->key_mark, file, entry,
                          &env, connector);
}

/* Binds one, and notes what it is made of. */
static enum status
add_connector(struct configuration *configuration,
              struct config_binding *binding, const struct config_node *entry)
{
    size_t index = configuration->connector_count++;
    struct connector *connector = &configuration->connectors[index];
    if (configuration->asks) {
        connector->name = entry->key;
        return STATUS_OK;
    }
    enum status status =
        bind_connector(configuration, binding, entry, connector);
    configuration->gathers = false;
    enum status taken =
        fingerprint_take(&configuration->gathered, entry->key,
                         &configuration->connector_prints[index]);
    return status != STATUS_OK ? status : taken;
}

static enum status
bind_connectors(struct configuration *configuration,
                struct config_binding *binding)
{
    const struct config_node *map = configuration->settings.connectors;
    size_t count = 0;
    if (map == NULL) {
        return STATUS_OK; /* the key is required, which was said */
    }
    if (map->kind != CONFIG_MAPPING || map->children == NULL) {
        config_report_add(&configuration->report, CONFIG_ERROR, map->mark,
                          "no connector is configured; 'longstop init' prints "
                          "one to start from");
        return STATUS_OK;
    }
    for (const struct config_node *at = map->children; at != NULL;
         at = at->next) {
        count++;
    }
    configuration->connectors = arena_array(&configuration->arena, count,
                                            sizeof(*configuration->connectors));
    configuration->connector_prints = arena_array(
        &configuration->arena, count, sizeof(*configuration->connector_prints));
    if (configuration->connectors == NULL ||
        configuration->connector_prints == NULL) {
        return STATUS_NOMEM;
    }
    enum status status = STATUS_OK;
    for (const struct config_node *at = map->children;
         at != NULL && status == STATUS_OK; at = at->next) {
        /* a name is a part of a path, too */
        if (!config_bind_name(binding, at) ||
            (!configuration->asks &&
             !advice_is_filled(&configuration->report, at))) {
            continue;
        }
        status = add_connector(configuration, binding, at);
    }
    return status;
}

/* ---- rules over the whole ---- */

static enum status
bind_all(struct configuration *configuration, const struct config_node *root)
{
    struct config_binding binding = { .arena = &configuration->arena,
                                      .report = &configuration->report,
                                      .user = configuration };
    struct config_binding connectors = binding;
    connectors.arena = &configuration->bound;
    enum status status =
        config_bind(&binding, &settings_table, root, &configuration->settings);
    if (status == STATUS_OK) {
        status = placement_find(&configuration->settings, root,
                                configuration->directory, &configuration->arena,
                                &configuration->report, &configuration->places);
    }
    if (status == STATUS_OK) {
        status = bind_connectors(configuration, &connectors);
    }
    if (status == STATUS_OK) {
        status = configuration_read_token(configuration);
    }
    if (status == STATUS_OK && !configuration->asks) {
        status = configuration_read_handlers(configuration);
        if (status == STATUS_OK &&
            config_report_status(&configuration->report) == STATUS_OK) {
            doors_check(&configuration->settings, root, clock_unix_ms(),
                        &configuration->report);
        }
        advice_give(&configuration->settings, configuration->connectors,
                    configuration->connector_count, &configuration->arena,
                    &configuration->report);
    }
    return status;
}

static enum status
choose_path(const char *path, struct configuration *configuration,
            struct error *err)
{
    for (size_t i = 0;
         path == NULL && i < sizeof(default_paths) / sizeof(default_paths[0]);
         i++) {
        path = fs_exists(default_paths[i]) ? default_paths[i] : NULL;
    }
    if (path == NULL) {
        return error_set(err, STATUS_NOT_FOUND,
                         "no configuration: neither %s nor %s is there; name "
                         "one with -c, or begin with 'longstop init'",
                         default_paths[0], default_paths[1]);
    }
    return arena_copy(&configuration->arena, slice_of(path),
                      &configuration->path);
}

static enum status
load(const char *path, struct configuration *ret, struct error *err)
{
    struct config_node *root = NULL;
    enum status status = choose_path(path, ret, err);
    if (status != STATUS_OK) {
        return status;
    }
    status = paths_directory(ret->path, &ret->arena, &ret->directory);
    if (status == STATUS_OK) {
        status = parse_file(ret, ret->path, &root);
    }
    if (status == STATUS_OK && root != NULL) {
        status = parse_conf_d(ret, root);
    }
    ret->root = root;
    if (status == STATUS_OK && root != NULL) {
        status = bind_all(ret, root);
    }
    if (status != STATUS_OK) {
        return error_set(err, status, "%s", status_text(status));
    }
    status = config_report_status(&ret->report);
    return status == STATUS_OK
               ? STATUS_OK
               : error_set(err, status, "the configuration was refused");
}

enum status
configuration_load(const char *path, struct configuration *ret,
                   struct error *err)
{
    *ret = (struct configuration){ 0 };
    return load(path, ret, err);
}

enum status
configuration_load_to_register(const char *path, struct configuration *ret,
                               struct error *err)
{
    *ret = (struct configuration){ .registers = true };
    return load(path, ret, err);
}

enum status
configuration_load_to_ask(const char *path, struct configuration *ret,
                          struct error *err)
{
    *ret = (struct configuration){ .asks = true };
    return load(path, ret, err);
}

void
configuration_forget_connectors(struct configuration *configuration)
{
    for (size_t i = 0; i < configuration->connector_count; i++) {
        connector_fini(&configuration->connectors[i]);
    }
    configuration->connector_count = 0;
    arena_fini(&configuration->bound);
}

void
configuration_fini(struct configuration *configuration)
{
    configuration_forget_connectors(configuration);
    config_report_fini(&configuration->report);
    arena_fini(&configuration->arena);
    *configuration = (struct configuration){ 0 };
}

struct connector *
configuration_connector(const struct configuration *c, struct slice name)
{
    for (size_t i = 0; i < c->connector_count; i++) {
        if (slice_equal(c->connectors[i].name, name)) {
            return &c->connectors[i];
        }
    }
    return NULL;
}
