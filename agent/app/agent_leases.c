/* SPDX-License-Identifier: MIT */
/*
 * agent_leases: what this agent does for all that share its store, between the
 * store, which says what is held, and whoever does it.
 */
#include "app/agent_private.h"

#include "app/streams.h"
#include "app/walks.h"
#include "base/mem.h"
#include "flow/dispatch.h"
#include "flow/errands.h"
#include "flow/leases.h"
#include "flow/retention.h"

/* leases_settings' `lowest`. */
static int64_t
lowest(void *arg)
{
    const struct agent *agent = arg;
    const struct walks *walks = agent->generation->walks;
    return retention_lowest(walks_polls(walks), walks_count(walks));
}

void
agent_hold(const struct agent *agent)
{
    uint64_t fence;
    if (agent->leases == NULL) {
        return;
    }
    walks_hold(agent->generation->walks, agent->leases);
    streams_hold(agent->generation->streams, agent->leases);
    bool is_held = leases_held(agent->leases, LEASE_OF_ALL, &fence);
    errands_hold(agent->errands, is_held, fence);
}

/* leases_settings' `changed`. */
static void
changed(void *arg)
{
    const struct agent *agent = arg;
    if (!agent->stopping) {
        agent_hold(agent);
    }
}

/* leases_settings' `poked`. */
static void
poked(void *arg, uint32_t number)
{
    const struct agent *agent = arg;
    const struct configuration *configuration = agent->configuration;
    if (number == LEASE_OF_ALL && !agent->stopping) {
        errands_look(agent->errands);
    }
    for (size_t i = 0; i < configuration->connector_count; i++) {
        const struct connector *connector = &configuration->connectors[i];
        if (connector->id == number && !agent->stopping) {
            walks_signal(agent->generation->walks, connector);
        }
    }
}

/* leases_settings' `answered`. */
static void
answered(void *arg, const struct store_beat *beat)
{
    struct agent *agent = arg;
    if (agent->stopping) {
        return;
    }
    ingest_set_floor(agent->generation->ingest, beat->floor_ms);
    ingest_set_floor(agent->generation->rehearsal, beat->floor_ms);
    if (beat->freed > 0) {
        dispatch_again(agent->dispatch);
    }
    if (agent->is_unnamed) {
        agent_name_leases(agent);
    }
    streams_hold(agent->generation->streams, agent->leases);
}

void
agent_name_leases(struct agent *agent)
{
    const struct configuration *configuration = agent->configuration;
    const size_t count = configuration->connector_count;
    if (agent->leases == NULL) {
        return;
    }
    uint32_t *numbers = mem_array(count + 1, sizeof(*numbers));
    enum status status = numbers == NULL ? STATUS_NOMEM : STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < count; i++) {
        numbers[i] = configuration->connectors[i].id;
    }
    if (status == STATUS_OK) {
        status = leases_name(agent->leases, numbers, count);
    }
    mem_free(numbers);
    agent->is_unnamed = status != STATUS_OK; /* tried again, see `answered` */
}

enum status
agent_build_leases(struct agent *agent)
{
    const struct agents_settings *agents =
        &agent->configuration->settings.agents;
    const struct leases_settings settings = {
        .every_ms = agents->beat_ms,
        .ttl_ms = agents->ttl_ms,
        .lowest = lowest,
        .changed = changed,
        .poked = poked,
        .answered = answered,
        .arg = agent,
        .agents = telemetry_agents(&agent->telemetry),
    };
    if (!agent->is_shared || agent->settings.mode != AGENT_RUN) {
        return STATUS_OK;
    }
    return leases_create(agent->loop, agent->worker, &settings, &agent->leases);
}

void
agent_start_leases(struct agent *agent)
{
    if (agent->leases != NULL) {
        agent_name_leases(agent);
        agent_hold(agent);
        leases_start(agent->leases);
    }
}
