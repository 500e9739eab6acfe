/* SPDX-License-Identifier: MIT */
#include "app/advice.h"

#include "app/paths.h"
#include "io/fs.h"

static const struct config_node *
child(const struct config_node *node, const char *key)
{
    return node == NULL ? NULL : config_node_child(node, key);
}

/* ---- connectors ---- */

static bool
holds(struct slice text, struct slice part)
{
    while (text.len >= part.len) {
        if (slice_starts(text, part)) {
            return true;
        }
        text = slice_from(text, 1);
    }
    return false;
}

static void
check_filled(struct configuration *configuration,
             const struct config_node *entry)
{
    const struct config_node *with = child(entry, "with");
    for (const struct config_node *at = with == NULL ? NULL : with->children;
         at != NULL; at = at->next) {
        if (at->kind == CONFIG_SCALAR &&
            holds(at->text, slice_of(ADVICE_FILL_IN))) {
            config_report_add(&configuration->report, CONFIG_ERROR, at->mark,
                              "'%.*s' is still to be filled in",
                              SLICE_ARG(at->key));
        }
    }
}

/* A webhook route needs a listener to be reached, and a secret to exist. */
static void
check_route(struct configuration *configuration, const struct connector *c,
            const struct config_node *entry)
{
    const struct config_node *webhook = child(entry, "webhook");
    if (c->has_webhook && configuration->settings.listen == NULL) {
        config_report_add(
            &configuration->report, CONFIG_WARNING, c->mark,
            "connector '%.*s' has a webhook secret, but there is no 'listen' "
            "section: no webhook can arrive",
            SLICE_ARG(c->name));
    }
    if (!c->has_webhook && webhook != NULL) {
        config_report_add(
            &configuration->report, CONFIG_WARNING, webhook->key_mark,
            "connector '%.*s' has no webhook secret: there is no route, and "
            "'webhook' has no effect",
            SLICE_ARG(c->name));
    }
}

/* ---- handlers ---- */

static enum status
check_program(struct configuration *configuration,
              const struct handler_settings *handler)
{
    struct slice program = handler->exec.at[0];
    const struct config_source *source = handler->exec.marks[0].source;
    if (slice_find(program, '/') == SIZE_MAX || source == NULL) {
        return STATUS_OK; /* looked up in PATH when it is started */
    }
    struct slice path;
    enum status status =
        paths_join(source->directory, program, &configuration->arena, &path);
    if (status == STATUS_OK && !fs_exists(path.ptr)) {
        config_report_add(&configuration->report, CONFIG_WARNING,
                          handler->exec.marks[0],
                          "%.*s is not there; what is owed waits until it is",
                          SLICE_ARG(path));
    }
    return status;
}

static enum status
check_folder(struct configuration *configuration,
             const struct handler_settings *handler, struct config_mark mark)
{
    struct slice folder;
    enum status status =
        paths_directory(handler->file, &configuration->arena, &folder);
    if (status == STATUS_OK && !fs_exists(folder.ptr)) {
        config_report_add(&configuration->report, CONFIG_WARNING, mark,
                          "the folder of %.*s is not there; make it before "
                          "'run'",
                          SLICE_ARG(handler->file));
    }
    return status;
}

static enum status
check_handlers(struct configuration *configuration)
{
    const struct config_list *list = &configuration->settings.handlers;
    const struct handler_settings *all = list->at;
    enum status status = STATUS_OK;
    for (size_t i = 0; i < list->count && status == STATUS_OK; i++) {
        if (all[i].exec.count > 0) {
            status = check_program(configuration, &all[i]);
        } else if (all[i].file.len > 0) {
            status = check_folder(configuration, &all[i], list->marks[i]);
        }
    }
    return status;
}

void
advice_give(struct configuration *configuration)
{
    const struct config_node *map = configuration->settings.connectors;
    for (size_t i = 0; i < configuration->connector_count; i++) {
        const struct connector *connector = &configuration->connectors[i];
        const struct config_node *entry = child(map, connector->name.ptr);
        if (connector->name.ptr == NULL) {
            continue; /* it was refused before it had one */
        }
        check_filled(configuration, entry);
        check_route(configuration, connector, entry);
    }
    if (check_handlers(configuration) != STATUS_OK) {
        configuration->report.failed_memory = true;
    }
}
