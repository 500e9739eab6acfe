/* SPDX-License-Identifier: MIT */
/* agent_pauses: what is paused, between the store, dispatch and the walks. */
#include "app/agent_private.h"

#include "app/walks.h"
#include "flow/dispatch.h"
#include "flow/pauses.h"

void
agent_pause_changed(void *arg, const struct pause *pause)
{
    const struct agent *agent = arg;
    const struct configuration *configuration = agent->configuration;
    if (pause->kind == STORE_HANDLER) {
        dispatch_pause_changed(agent->dispatch, pause->number);
        return;
    }
    for (size_t i = 0; i < configuration->connector_count; i++) {
        const struct connector *connector = &configuration->connectors[i];
        if (connector->id == pause->number) {
            walks_pause(agent->generation->walks, connector, pause->is_paused);
        }
    }
}

enum status
agent_put_pauses(struct agent *agent, const struct naming *naming)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < naming->count; i++) {
        status = pauses_put(agent->pauses, &naming->stored[i],
                            naming_name(naming, i));
    }
    return status;
}

void
agent_pause_walks(const struct agent *agent)
{
    const struct configuration *configuration = agent->configuration;
    for (size_t i = 0; i < configuration->connector_count; i++) {
        const struct connector *connector = &configuration->connectors[i];
        const struct pause *pause =
            pauses_find(agent->pauses, STORE_CONNECTOR, connector->id);
        walks_pause(agent->generation->walks, connector, pause->is_paused);
    }
}
