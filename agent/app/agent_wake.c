/* SPDX-License-Identifier: MIT */
/* agent_wake: what agents that share a store tell each other, between the store
 * and dispatch. */
#include "app/agent_private.h"

#include "flow/dispatch.h"
#include "flow/wake.h"

static bool
look(void *arg)
{
    const struct agent *agent = arg;
    dispatch_look(agent->dispatch);
    return dispatch_running(agent->dispatch) > 0;
}

static void
waiting(void *arg)
{
    const struct agent *agent = arg;
    wake_tell(agent->wake);
}

enum status
agent_build_wake(struct agent *agent, uint64_t seed, struct error *err)
{
    struct store_wake *store;
    enum status status = store_wake_open(
        agent->configuration->places.store_url.ptr, &store, err);
    if (status != STATUS_OK) {
        return status == STATUS_NOT_FOUND ? STATUS_OK : status;
    }
    const struct wake_settings settings = { .look = look,
                                            .arg = agent,
                                            .seed = seed };
    status = wake_create(agent->loop, store, &settings, &agent->wake, err);
    if (status == STATUS_OK) {
        dispatch_on_waiting(agent->dispatch, waiting, agent);
    }
    return status;
}
