/* SPDX-License-Identifier: MIT */
/*
 * log_fold: lines that come again and again: the first is said at once, the
 * others are counted, and said once when their time is over.
 *
 * Only what is wrong comes in floods: warnings and errors are counted. A line
 * of information is always said, and ends what is counted of its subject, its
 * first field: after "resumed", "paused" is news again. Lines for debugging are
 * all said.
 *
 * Two lines are the same when level, sentence and all fields are that tell
 * lines apart (see log_figure). The table is bounded: where it is full, the
 * oldest line makes room, and what was counted of it is said then. Not safe to
 * call from two threads at a time; log.c sees to that.
 */
#ifndef BASE_LOG_FOLD_H
#define BASE_LOG_FOLD_H

#include "base/bytes.h"
#include "base/log.h"

#include <stdint.h>

#define LOG_FOLD_LINES 64
#define LOG_FOLD_BYTES 2048 /* of a line; a longer one is never counted */

/* A line as far as it is known before it is written. */
struct log_fold_line {
    enum log_level level;
    const char *sentence; /* stays */
    struct slice subject; /* the first field, rendered */
    struct slice same;    /* the fields that tell lines apart, rendered */
    struct slice tail;    /* all fields, rendered */
};

struct log_fold_entry {
    enum log_level level;
    const char *sentence; /* NULL: free */
    struct buf same;
    struct buf tail;
    int64_t first_ms;
    int64_t last_ms;
    int64_t repeats; /* that were not said */
};

/* Starts zeroed: counts nothing. */
struct log_fold {
    int64_t window_ms; /* 0: every line is said */
    struct log_fold_entry entries[LOG_FOLD_LINES];
};

/*
 * Whether `line` is to be said now. *ret_over, which the caller ends with
 * log_fold_entry_fini, is what must be said before it: repeats of it, or of the
 * line that made room for it; none when its `repeats` is 0. Without memory the
 * line is said.
 */
bool log_fold_take(struct log_fold *fold, int64_t now_ms,
                   const struct log_fold_line *line,
                   struct log_fold_entry *ret_over);

/* Takes one line out that `line` of information puts an end to, and that came
 * again; false when there is none. The caller ends *ret_over. */
bool log_fold_end(struct log_fold *fold, const struct log_fold_line *line,
                  struct log_fold_entry *ret_over);

/* Takes one line out whose time is over at `now_ms` and that came again; false
 * when there is none. The caller ends *ret_over. */
bool log_fold_over(struct log_fold *fold, int64_t now_ms,
                   struct log_fold_entry *ret_over);

void log_fold_entry_fini(struct log_fold_entry *entry);

#endif
