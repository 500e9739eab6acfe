/* SPDX-License-Identifier: MIT */
/*
 * log_sink: where log lines go: stderr, with the journal's priority prefix when
 * stderr is the journal.
 */
#ifndef IO_LOG_SINK_H
#define IO_LOG_SINK_H

#include "base/log.h"
#include "base/status.h"

#include <stdint.h>

struct log_attendant;
struct loop;

/* Sets the sink of base/log to stderr: text on a terminal, logfmt elsewhere,
 * unless `format` (NULL, "text", "logfmt", "json") says. */
void log_sink_open(const char *format, enum log_level most);

/* Counts a line that comes again within `window_ms`, see log_set_fold, and says
 * it when the time is over, from `loop`, which must outlive the attendant. */
NODISCARD
enum status log_sink_fold(struct loop *loop, int64_t window_ms,
                          struct log_attendant **ret);

/* Says what was counted until now, and counts over another time from now on. */
void log_sink_fold_for(int64_t window_ms);

/* Says what was counted until now, and every line from now on. NULL is allowed.
 */
void log_sink_unfold(struct log_attendant *attendant);

#endif
