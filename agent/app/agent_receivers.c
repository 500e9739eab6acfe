/* SPDX-License-Identifier: MIT */
/* agent_receivers: the receivers that the store has, made real. */
#include "app/agent_private.h"

#include "flow/receivers.h"

enum status
agent_build_receivers(struct agent *agent, struct store *store,
                      struct error *err)
{
    const struct configuration *configuration = agent->configuration;
    const struct receivers_settings settings = {
        .rules = &configuration->settings.outbound.rules,
        .user_agent = agent->user_agent,
        .telemetry = &agent->telemetry,
    };
    enum status status =
        receivers_create(agent->loop, &settings, &agent->receivers);
    return status == STATUS_OK ? receivers_load(agent->receivers, store, err)
                               : status;
}
