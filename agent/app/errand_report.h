/* SPDX-License-Identifier: MIT */
/*
 * errand_report: how far a retry, a drop or a replay is, in words, from the
 * JSON that the agent answers.
 */
#ifndef APP_ERRAND_REPORT_H
#define APP_ERRAND_REPORT_H

#include "base/bytes.h"
#include "base/mem.h"

#include <stdbool.h>

/* Whether it is over, and how. */
bool errand_report_is_running(struct slice errand);
bool errand_report_is_done(struct slice errand);

/* One line of where it stands or how it ended, without its end of line. */
void errand_report_line(struct slice errand, struct buf *into);

/* The same as a bar for a terminal of 80 columns, always as long. */
void errand_report_bar(struct slice errand, struct buf *into);

/* "42 dead letters meet this." */
void errand_report_matches(bool events, int64_t matches, struct buf *into);

#endif
