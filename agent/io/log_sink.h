/* SPDX-License-Identifier: MIT */
/*
 * log_sink: where log lines go: stderr, with the journal's priority prefix when
 * stderr is the journal.
 */
#ifndef IO_LOG_SINK_H
#define IO_LOG_SINK_H

#include "base/log.h"

/* Sets the sink of base/log to stderr: text on a terminal, logfmt elsewhere,
 * unless `format` (NULL, "text", "logfmt", "json") says. */
void log_sink_open(const char *format, enum log_level most);

#endif
