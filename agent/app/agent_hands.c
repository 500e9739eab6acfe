/* SPDX-License-Identifier: MIT */
/*
 * agent_hands: what the agent reaches the machine with: the spawner of
 * programs, and the sandbox that all else is in.
 */
#include "app/agent_private.h"

#include "io/process.h"

/* The spawner's thread is out of the sandbox only where it has programs to
 * start, since they would be in it as well. All other threads come later. */
enum status
agent_build_hands(struct agent *agent, struct error *err)
{
    const struct configuration *configuration = agent->configuration;
    const bool programs = confine_runs_programs(configuration);
    enum status status = STATUS_OK;
    if (!programs) {
        status = confine_enter(configuration, &agent->confined, err);
    }
    if (status == STATUS_OK) {
        status = process_spawner_create(agent->loop, &agent->spawner, err);
    }
    if (status == STATUS_OK && programs) {
        status = confine_enter(configuration, &agent->confined, err);
    }
    return status;
}
