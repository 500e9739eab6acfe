/* SPDX-License-Identifier: MIT */
/* The agent's end: in order, by force, and what it leaves to its destruction.
 */
#include "app/agent_private.h"
#include "base/instant.h"
#include "base/log.h"
#include "flow/dispatch.h"
#include "flow/errands.h"
#include "flow/leases.h"
#include "flow/receivers.h"
#include "io/http_server.h"
#include "io/loop.h"
#include "io/notify.h"
#include "io/process.h"

/*
 * An orderly end: the listener takes nothing new and answers what it has, walks
 * end after the page that is being stored, attempts may finish for GRACE_MS and
 * are then asked to end. When all of them have said so, or END_MS have passed,
 * the loop stops and the store is closed.
 */

#define GRACE_MS        (3 * INSTANT_SECOND_MS)
#define END_MS          (9500 * (int64_t)1)
#define SERVER_GRACE_MS (3 * INSTANT_SECOND_MS)
#define LAST_GRACE_MS   (INSTANT_SECOND_MS / 4) /* of children, where no more */

static void
part_stopped(void *arg)
{
    struct agent *agent = arg;
    agent->ending--;
    if (agent->ending == 0) {
        loop_stop(agent->loop);
    }
}

void
agent_end_forced(void *arg)
{
    struct agent *agent = arg;
    LOG(LOG_WARN, "the end took too long: what runs is given back",
        log_i64("parts", (int64_t)agent->ending));
    loop_stop(agent->loop);
}

void
agent_begin_end(struct agent *agent)
{
    if (agent->stopping) {
        return;
    }
    agent->stopping = true;
    notify_send("STOPPING=1");
    /* One for ourselves, so that no part that stops at once ends it all. */
    agent->ending = 1 + 1 + (agent->server != NULL);
    loop_timer_arm(agent->end_timer, END_MS);
    errands_stop(agent->errands);
    if (agent->server != NULL) {
        http_server_stop(agent->server, SERVER_GRACE_MS, part_stopped, agent);
    }
    agent->ending += agent_reload_stop(agent, part_stopped);
    agent->ending += generation_stop(agent->generation, part_stopped, agent);
    leases_stop(agent->leases);
    dispatch_stop(agent->dispatch, GRACE_MS, part_stopped, agent);
    part_stopped(agent);
}

void
agent_asked_to_end(void *arg)
{
    struct agent *agent = arg;
    if (agent->stopping) {
        loop_stop(agent->loop); /* asked twice: at once */
        return;
    }
    LOG(LOG_INFO, "stopping", log_text("why", "signal"));
    agent_begin_end(agent);
}

static void
ignore_stopped(void *arg)
{
    (void)arg;
}

void
agent_halt(struct agent *agent)
{
    agent->stopping = true;
    errands_stop(agent->errands);
    list_for_each(at, &agent->generations) {
        generation_halt(list_entry(at, struct generation, link));
    }
    if (agent->dispatch != NULL) {
        dispatch_stop(agent->dispatch, 0, ignore_stopped, NULL);
    }
}

bool
agent_still_runs(struct agent *agent)
{
    if (agent->dispatch == NULL || (dispatch_running(agent->dispatch) == 0 &&
                                    agent_reload_closing(agent) == 0 &&
                                    receivers_testing(agent->receivers) == 0)) {
        return false;
    }
    dispatch_cancel(agent->dispatch);
    process_spawner_kill(agent->spawner, LAST_GRACE_MS);
    LOG(LOG_WARN, "handlers are still running, their deliveries are owed",
        log_i64("attempts", (int64_t)dispatch_running(agent->dispatch)));
    return true;
}
