/* SPDX-License-Identifier: MIT */
/* agent_receivers: the receivers that the store has, made real. */
#include "app/agent_private.h"

#include "flow/receivers.h"

/* They are the same for all configurations that can be read again. */
static enum status
copy_rules(struct agent *agent)
{
    const struct receiver_rules *rules =
        &agent->configuration->settings.outbound.rules;
    struct cidr *allowed =
        arena_array(&agent->arena, rules->allowed_count + 1, sizeof(*allowed));
    if (allowed == NULL) {
        return STATUS_NOMEM;
    }
    for (size_t i = 0; i < rules->allowed_count; i++) {
        allowed[i] = rules->allowed[i];
    }
    agent->rules = *rules;
    agent->rules.allowed = allowed;
    return STATUS_OK;
}

enum status
agent_build_receivers(struct agent *agent, struct store *store,
                      struct error *err)
{
    const struct receivers_settings settings = {
        .rules = &agent->rules,
        .user_agent = agent->user_agent,
        .telemetry = &agent->telemetry,
    };
    enum status status = copy_rules(agent);
    if (status != STATUS_OK) {
        return status;
    }
    status = receivers_create(agent->loop, &settings, &agent->receivers);
    return status == STATUS_OK ? receivers_load(agent->receivers, store, err)
                               : status;
}
