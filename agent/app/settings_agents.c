/* SPDX-License-Identifier: MIT */
/* settings_agents: what agents that share a store have to agree about. */
#include "app/settings.h"

static const struct config_key agents_keys[] = {
    { .name = "beat",
      .type = CONFIG_DURATION,
      .offset = offsetof(struct agents_settings, beat_ms),
      .fallback = "5s",
      .min = "100ms",
      .max = "1m",
      .doc = "How often an agent tells the others that it lives." },
    { .name = "ttl",
      .type = CONFIG_DURATION,
      .offset = offsetof(struct agents_settings, ttl_ms),
      .fallback = "15s",
      .min = "300ms",
      .max = "10m",
      .doc = "After so long without it the others take over what it walks and "
             "what was owed by it; the same for all, and 3 times `beat` at "
             "least." },
};

static void
check_agents(struct config_binding *binding, const struct config_node *node,
             void *bound)
{
    const struct agents_settings *agents = bound;
    if (node != NULL && agents->ttl_ms < 3 * agents->beat_ms) {
        config_report_add(binding->report, CONFIG_ERROR, node->mark,
                          "agents: ttl is to be 3 times beat at least: one "
                          "that is late is not dead");
    }
}

const struct config_table agents_table = {
    .name = "agents",
    .keys = agents_keys,
    .count = sizeof(agents_keys) / sizeof(agents_keys[0]),
    .size = sizeof(struct agents_settings),
    .doc = "Where several agents share a store.",
    .check = check_agents,
};
