/* SPDX-License-Identifier: MIT */
/*
 * provider: answers requests for the list, as the plan says, well or badly.
 */
#ifndef SIM_PROVIDER_H
#define SIM_PROVIDER_H

#include "base/bytes.h"

#include <stdbool.h>
#include <stdint.h>

struct provider_answer {
    bool silent;     /* no answer comes */
    int64_t held_ms; /* before it comes */
    unsigned status; /* HTTP */
    struct buf body;
    struct buf date; /* empty: no such field */
    struct buf link;
    struct buf retry_after;
};

/* Looks at the list as it is now. */
void provider_ask(struct slice url, struct provider_answer *ret_answer);
void provider_answer_fini(struct provider_answer *answer);

/* Takes rows that are older than some age, and durable with us, off the list.
 */
void provider_purge(void);

#endif
