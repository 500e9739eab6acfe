/* SPDX-License-Identifier: MIT */
/*
 * backfill_report: how far a backfill is, in words, from the JSON that the
 * agent answers.
 */
#ifndef APP_BACKFILL_REPORT_H
#define APP_BACKFILL_REPORT_H

#include "base/bytes.h"
#include "base/mem.h"
#include "base/status.h"

/* What decides how a command goes on. Texts live in the arena. */
struct backfill_report {
    struct slice connector;
    struct slice state; /* running, done, failed, cancelled */
    struct slice started;
    struct slice since, from, until, at;
    struct slice percent, pages, rows, fresh, known;
    struct slice why;
    bool is_over;
    bool is_done;
};

/* Reads the agent's answer; STATUS_PROTOCOL when it is none. */
NODISCARD
enum status backfill_report_read(struct slice json, struct arena *arena,
                                 struct backfill_report *ret);

/* One line of where it stands or how it ended, without its end of line. */
void backfill_report_line(const struct backfill_report *report,
                          struct buf *into);

/* The same as a bar for a terminal of 80 columns, always as long. */
void backfill_report_bar(const struct backfill_report *report,
                         struct buf *into);

#endif
