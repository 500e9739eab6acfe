/* SPDX-License-Identifier: MIT */
/* agent_signals: what the system says to the agent, and its log to the system.
 */
#include "app/agent_private.h"

#include <signal.h>

#include "base/log.h"
#include "flow/dispatch.h"
#include "io/log_sink.h"
#include "io/loop.h"

/* Files are opened anew whatever the configuration says: whoever has moved them
 * away waits for it. */
static void
asked_to_reload(void *arg)
{
    struct agent *agent = arg;
    log_fold_flush();
    if (!agent->stopping) {
        dispatch_reopen(agent->dispatch);
        agent_reload(agent, NULL);
    }
}

enum status
agent_build_signals(struct agent *agent)
{
    static const struct {
        int number;
        loop_fn *fn;
    } table[] = { { SIGTERM, agent_asked_to_end },
                  { SIGINT, agent_asked_to_end },
                  { SIGHUP, asked_to_reload } };
    /* A peer that goes away, or a full quota, is an error we look at. */
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN);
    enum status status = loop_timer_create(agent->loop, agent_end_forced, agent,
                                           &agent->end_timer);
    for (size_t i = 0;
         i < sizeof(table) / sizeof(table[0]) && status == STATUS_OK; i++) {
        status = loop_signal_create(agent->loop, table[i].number, table[i].fn,
                                    agent, &agent->signals[i]);
    }
    if (status == STATUS_OK && agent->settings.mode == AGENT_RUN) {
        status = log_sink_fold(agent->loop,
                               agent->configuration->settings.log.fold_ms,
                               &agent->log);
    }
    return status;
}
