/* SPDX-License-Identifier: MIT */
/*
 * demo_report: what the demo prints in the end, and whether all was well.
 */
#ifndef APP_DEMO_REPORT_H
#define APP_DEMO_REPORT_H

#include "app/demo_figures.h"
#include "app/demo_verdict.h"

struct demo_outcome {
    int64_t events; /* asked for */
    int64_t loss_percent;
    int64_t took_ms;
    bool orderly; /* the agent's end */
    struct demo_verdict verdict;
    struct demo_figures figures; /* the agent's own */
};

/* Print on stdout. */
NODISCARD
enum status demo_report_json(const struct demo_outcome *outcome);
void demo_report_sentence(const struct demo_outcome *outcome);

/* Says on stderr what broke a promise; returns whether none was. */
bool demo_report_is_good(const struct demo_outcome *outcome);

#endif
