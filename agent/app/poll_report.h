/* SPDX-License-Identifier: MIT */
/*
 * poll_report: what one walk did, request by request, for a person or a
 * program; the JSON is the answer of POST …/poll and of `poll --json`.
 */
#ifndef APP_POLL_REPORT_H
#define APP_POLL_REPORT_H

#include "base/bytes.h"
#include "source/source_poll.h"

/* Start zeroed. */
struct poll_report {
    struct buf requests; /* JSON objects, a comma between */
};

void poll_report_asked(struct poll_report *report,
                       const struct poll_asked *asked);

/* Appends the finished report as one JSON object and a newline. */
void poll_report_json(const struct poll_report *report,
                      const struct poll_ended *ended, struct buf *into);

/* Appends a report (as poll_report_json made it) for a person to read. */
NODISCARD
enum status poll_report_text(struct slice json, struct buf *into);

void poll_report_fini(struct poll_report *report);

#endif
