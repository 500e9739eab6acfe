/* SPDX-License-Identifier: MIT */
/*
 * walk_backfill: a past span of a provider's list, read once beside the tiers:
 * what can be asked for, where it begins, what it leaves out, how it ends.
 * Pure.
 *
 * A span is a walk with bounds of its own in a state of its own: it starts at
 * `since`, has no watermark and moves none. Its state is stored with each page
 * like any walk's, so that after a crash it goes on by itself.
 */
#ifndef MODEL_WALK_BACKFILL_H
#define MODEL_WALK_BACKFILL_H

#include "model/walk.h"

enum walk_backfill_phase { /* stored: values never change */
                           BACKFILL_NONE = 0,
                           BACKFILL_RUNNING = 1,
                           BACKFILL_DONE = 2,
                           BACKFILL_FAILED = 3,
                           BACKFILL_CANCELLED = 4,
                           BACKFILL_PHASE_COUNT = 5
};

const char *walk_backfill_phase_name(unsigned phase);

/* What is asked for; times as they are written in the configuration. */
struct walk_backfill_wish {
    struct slice since; /* a time, or an age such as 90d */
    struct slice until; /* likewise; empty: now */
    struct slice rate;  /* "2/1s"; empty: the connector's */
    bool again;         /* also where the ledger may have forgotten its keys */
};

/*
 * Makes a span of a wish. STATUS_INVALID, in words, when it is none or the
 * connector's list cannot be asked from a time; STATUS_DENIED when it begins
 * below `floor_ms`, the ledger's floor, and `again` was not said.
 */
NODISCARD
enum status walk_backfill_read(const struct connector *connector,
                               const struct walk_backfill_wish *wish,
                               const struct walk_now *now, int64_t floor_ms,
                               struct walk_backfill *ret_span,
                               struct error *err);

/* Opens the walk of a span in place of whatever `state` was. */
NODISCARD
enum status walk_backfill_begin(const struct walk_plan *plan,
                                const struct walk_backfill *span,
                                const struct walk_now *now, struct arena *arena,
                                struct walk_state *ret_state,
                                struct walk_step *ret_step);

/* Ends it in the state; `why` is copied into `arena`. */
NODISCARD
enum status walk_backfill_end(struct walk_state *state,
                              enum walk_backfill_phase phase, int64_t our_ms,
                              struct slice why, struct arena *arena);

/*
 * Whether a row that walk_below has let through lies in the span: by its cursor
 * where that is a time, else by `time_ms`, the stamp of its event. A row
 * without a stamp (0) does.
 */
bool walk_backfill_holds(const struct walk_plan *plan,
                         const struct walk_state *state, struct slice row,
                         int64_t time_ms, struct arena *arena);

/*
 * Returns how soon a span's next page looks again whether the live walks of its
 * account are over, for which it has waited so long by now; 0: it goes. Walks
 * that take longer than they are apart are never over, so that it waits a
 * minute at most.
 */
int64_t walk_backfill_yield_ms(bool walks, int64_t waited_ms);

/*
 * Whether the walk that has ended in this state has read all of a span, and
 * which: every gap wholly inside is one no more.
 */
bool walk_backfill_whole(const struct walk_state *state, int64_t *ret_from_ms,
                         int64_t *ret_to_ms);

/* How much of the span has been read: 0…1000. */
int walk_backfill_permille(const struct connector *connector,
                           const struct walk_state *state);

#endif
