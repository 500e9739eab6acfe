/* SPDX-License-Identifier: MIT */
#include "app/naming.h"

#include "base/mem.h"
#include "model/walk_change.h"

static enum status
note_keys(struct store *store, struct connector *connectors, size_t count,
          struct error *err)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        struct connector *connector = &connectors[i];
        status =
            store->ops->keyed(store, connector->id, walk_change_keys(connector),
                              &connector->rekeyed, err);
    }
    return status;
}

enum status
naming_create(struct configuration *configuration, struct naming *ret)
{
    size_t count =
        configuration->connector_count + configuration->settings.handlers.count;
    *ret = (struct naming){
        .configuration = configuration,
        .stored = mem_array(count + 1, sizeof(*ret->stored)),
        .reasons = mem_array(count + 1, sizeof(*ret->reasons)),
    };
    if (ret->stored == NULL || ret->reasons == NULL) {
        naming_fini(ret);
        return STATUS_NOMEM;
    }
    ret->count = count;
    return STATUS_OK;
}

void
naming_fini(struct naming *naming)
{
    for (size_t i = 0; i < naming->count; i++) {
        buf_fini(&naming->reasons[i]);
    }
    mem_free(naming->stored);
    mem_free(naming->reasons);
    *naming = (struct naming){ 0 };
}

struct slice
naming_name(const struct naming *naming, size_t index)
{
    const struct configuration *configuration = naming->configuration;
    size_t connectors = configuration->connector_count;
    return index < connectors
               ? configuration->connectors[index].name
               : configuration->settings.handlers.names[index - connectors];
}

uint32_t
naming_handler(const struct naming *naming, size_t index)
{
    return naming->stored[naming->configuration->connector_count + index]
        .number;
}

static enum status
read_one(struct store *store, struct naming *naming, size_t index,
         struct error *err)
{
    struct store_pause *stored = &naming->stored[index];
    struct buf *reason = &naming->reasons[index];
    stored->kind = index < naming->configuration->connector_count
                       ? STORE_CONNECTOR
                       : STORE_HANDLER;
    enum status status = store->ops->name(
        store, stored->kind, naming_name(naming, index), &stored->number, err);
    if (status != STATUS_OK) {
        return status;
    }
    status = store->ops->paused(store, stored->kind, stored->number,
                                &stored->since_ms, reason, err);
    stored->is_paused = status == STATUS_OK;
    stored->reason = buf_slice(reason);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

enum status
naming_read(struct store *store, struct naming *naming, struct error *err)
{
    struct configuration *configuration = naming->configuration;
    enum status status = STATUS_OK;
    for (size_t i = 0; i < naming->count && status == STATUS_OK; i++) {
        status = read_one(store, naming, i, err);
        if (i < configuration->connector_count) {
            configuration->connectors[i].id = naming->stored[i].number;
        }
    }
    return status;
}

enum status
naming_settle(struct store *store, struct naming *naming, struct error *err)
{
    const struct configuration *configuration = naming->configuration;
    const struct config_list *list = &configuration->settings.handlers;
    const struct handler_settings *all = list->at;
    enum status status = note_keys(store, configuration->connectors,
                                   configuration->connector_count, err);
    for (size_t i = 0; i < list->count && status == STATUS_OK; i++) {
        status = store->ops->lanes(store, naming_handler(naming, i),
                                   all[i].on_dead == ON_DEAD_BLOCK, err);
        if (status != STATUS_OK) {
            (void)error_wrap(err, status, "handler '%.*s'",
                             SLICE_ARG(list->names[i]));
        }
    }
    return status;
}
