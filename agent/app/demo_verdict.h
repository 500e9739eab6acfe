/* SPDX-License-Identifier: MIT */
/*
 * demo_verdict: compares the provider's own journal with what the handler
 * wrote, and says whether the agent kept its word.
 *
 * Pure: two texts in, figures out. The agent's own counters are not asked; what
 * they have to be is said, so that they can be held against it. A fact is
 * `order:<id>:<updated_at>`, which the journal says outright and the handler's
 * envelopes say in `data.id` and `data.updated_at`, whichever channel brought
 * them. tests/provider/README.md describes the journal.
 */
#ifndef APP_DEMO_VERDICT_H
#define APP_DEMO_VERDICT_H

#include "app/demo_account.h"
#include "base/bytes.h"
#include "base/status.h"

#include <stdint.h>

struct demo_verdict {
    int64_t produced;    /* facts that happened */
    int64_t hooked;      /* of which a hook was acknowledged */
    int64_t recovered;   /* handed over though no hook was acknowledged */
    int64_t duplicates;  /* acknowledged hooks beyond a fact's first */
    int64_t delivered;   /* facts handed over */
    int64_t lost;        /* facts not handed over */
    int64_t twice;       /* handings over beyond a fact's first */
    int64_t unknown;     /* envelopes of facts that never happened */
    int64_t misplaced;   /* accepted when their channel had not shown them */
    int64_t unlisted;    /* the list has not shown them, or not for long */
    int64_t accepted_ms; /* the last of those handed over; 0: none */
    int64_t lag_ms;      /* until the list could show them, all together */
    int64_t longest_ms;  /* of which one took so long */
    struct demo_expected expected; /* of the agent's counters */
};

/*
 * `journal` and `handled` are JSON lines; what stands behind the last newline
 * is not looked at. STATUS_INVALID when a line is not what it should be.
 */
NODISCARD
enum status demo_verdict_reach(struct slice journal, struct slice handled,
                               const struct demo_rule *rule,
                               struct demo_verdict *ret, struct error *err);

#endif
