/* SPDX-License-Identifier: MIT */
#include "app/naming.h"

#include "model/walk_change.h"

enum status
naming_connectors(struct store *store, struct connector *connectors,
                  size_t count, struct error *err)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        struct connector *connector = &connectors[i];
        status = store->ops->name(store, STORE_CONNECTOR, connector->name,
                                  &connector->id, err);
        if (status == STATUS_OK) {
            status = store->ops->keyed(store, connector->id,
                                       walk_change_keys(connector),
                                       &connector->rekeyed, err);
        }
    }
    return status;
}
