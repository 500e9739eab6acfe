/* SPDX-License-Identifier: MIT */
/*
 * store_reader: one thread in front of a view of the store: questions go to it
 * whole and come back whole on the loop.
 *
 * Each question is one slice. What needs several is asked again by whoever
 * asked, so that a long one never stands before the short ones of others.
 */
#ifndef STORE_STORE_READER_H
#define STORE_STORE_READER_H

#include "base/list.h"
#include "store/store_view.h"

struct loop;
struct store_reader;

enum view_kind {
    VIEW_GAPS,
    VIEW_EVENTS,
    VIEW_DETAIL,
    VIEW_KEYS,
    VIEW_TOTALS,
    VIEW_LETTERS,
    VIEW_LETTER_REASONS,
    VIEW_ERRANDS,
    VIEW_REFUSALS,
    VIEW_KIND_COUNT
};

/* What is asked of the thread; embed it in what the caller keeps. */
struct view_call {
    struct list link; /* the reader's while the call is under way */
    struct list held; /* likewise */
    enum view_kind kind;
    void (*done)(struct view_call *call); /* on the loop, exactly once */
    void *arg;
    enum status status; /* set before done */
    struct error err;
    struct arena arena; /* of the answer; the caller's to free */
    union {
        struct view_gaps gaps;
        struct view_events events;
        struct view_detail detail;
        struct view_keys keys;
        struct view_totals totals;
        struct view_dead dead;
        struct view_reasons reasons;
        struct view_errands errands;
        struct view_refusals refusals;
    };
};

/* Takes the view, which is closed at the end. */
NODISCARD
enum status store_reader_create(struct loop *loop, struct store_view *view,
                                struct store_reader **ret, struct error *err);

/* Hands a call over; `done` comes once, later. */
void store_reader_submit(struct store_reader *reader, struct view_call *call);

/* Ends after the slice that is being read and closes the view; calls that have
 * not come back are done with STATUS_CANCELED. Blocks until then. NULL is
 * allowed. */
void store_reader_destroy(struct store_reader *reader);

#endif
