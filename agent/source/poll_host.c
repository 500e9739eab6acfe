/* SPDX-License-Identifier: MIT */
/*
 * poll_host: what all requests to one host share: its budget, and how long an
 * answer asked to be left alone.
 */
#include "base/instant.h"
#include "source/source_poll.h"

/* "Too many" that does not say for how long: 1 s, 2 s, 4 s … 64 s. */
#define LIMITED_LEAST_MS  INSTANT_SECOND_MS
#define LIMITED_DOUBLINGS 6

void
poll_host_init(struct poll_host *host, struct quota budget)
{
    *host = (struct poll_host){ .budget = budget };
    list_init(&host->waiting);
}

int64_t
poll_host_take(struct poll_host *host, int64_t now_ms)
{
    int64_t wait_ms = host->not_before_ms - now_ms;
    return wait_ms > 0 ? wait_ms : quota_take(&host->budget, now_ms);
}

void
poll_host_learn(struct poll_host *host, struct quota_advice *advice,
                int64_t now_ms)
{
    if (advice->limited && advice->wait_ms < LIMITED_LEAST_MS) {
        unsigned doublings = host->limited < LIMITED_DOUBLINGS
                                 ? host->limited
                                 : LIMITED_DOUBLINGS;
        advice->wait_ms = LIMITED_LEAST_MS << doublings;
    }
    host->limited = advice->limited ? host->limited + 1 : 0;
    /* Another answer may have asked for more meanwhile. */
    if (advice->wait_ms > 0 && now_ms + advice->wait_ms > host->not_before_ms) {
        host->not_before_ms = now_ms + advice->wait_ms;
    }
}
