/* SPDX-License-Identifier: MIT */
/*
 * store_view: looking at a store beside its writer: the contract of what is
 * read for people.
 *
 * A view never writes, never checkpoints and takes no lock that the writer
 * waits for. It is used by one thread at a time and may block; store_reader is
 * what stands between it and the loop. Each call is one short slice: it sees
 * one state of the store, reads no more rows than it is told, and leaves
 * nothing open behind, so that the writer's log can begin anew. What does not
 * fit is asked for with the next call, which may see a later state.
 *
 * Rows and texts of an answer lie in the arena that is given. STATUS_IO and
 * STATUS_CORRUPT say in words what is wrong with the file; other calls may
 * still succeed. All times are Unix ms by our clock unless said.
 *
 * tests/conformance/ holds every implementation to these words.
 */
#ifndef STORE_STORE_VIEW_H
#define STORE_STORE_VIEW_H

#include "base/bytes.h"
#include "base/mem.h"
#include "base/status.h"
#include "model/channel.h"
#include "model/event.h"
#include "model/refusal.h"
#include "model/walk.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Rows in one answer at most, whatever is asked. */
#define VIEW_ROWS_MOST 1000

struct store_view;

/* Opens a view of the store at `url`, which its writer has opened before.
 * STATUS_NOT_FOUND when nothing is there; it is not made. */
NODISCARD
enum status store_view_open(const char *url, struct store_view **ret,
                            struct error *err);

/* ---- gaps, the newest first ---- */

struct view_gap {
    uint64_t id;
    struct slice connector; /* its name */
    struct walk_gap gap;    /* provider's clock */
    int64_t found_ms;
    int64_t closed_ms; /* 0: it is open */
    int closed_by;     /* enum gap_closer */
};

struct view_gaps {
    uint32_t connector; /* 0: of all */
    bool open_only;
    uint64_t before; /* only numbers below it; 0: all */
    size_t limit;
    /* The answer. */
    struct view_gap *at;
    size_t count;
    bool more; /* `before` the last one's number there are others */
};

/* ---- dead letters, the newest first ---- */

struct view_dead_row {
    uint64_t id;     /* grows with death */
    uint64_t event;  /* its number */
    uint32_t number; /* the handler's */
    unsigned attempt;
    int64_t at_ms;
    struct slice handler;
    struct slice connector;
    struct slice type;
    struct slice event_id;
    struct slice reason;
    struct slice answer; /* to its last attempt */
};

struct view_dead {
    struct errand_filter filter;
    bool oldest_first;
    bool counts_only; /* no rows: only how many, and the highest id */
    uint64_t from;    /* only ids below it; 0: all. Oldest first: above it */
    size_t limit;
    size_t look; /* rows looked at in this call at most */
    /* The answer. */
    struct view_dead_row *at;
    size_t count;
    uint64_t lowest, highest; /* ids among these; 0: none */
    bool more;                /* not all were looked at: */
    uint64_t next;            /* go on from this id */
};

/* Dead letters of one handler with the same words. */
struct view_reason {
    struct slice handler;
    struct slice reason;
    struct slice answer;
    int64_t count;
    int64_t first_ms, last_ms; /* the oldest and the newest of them */
};

struct view_reasons {
    struct errand_filter filter;
    uint64_t from; /* only ids below it; 0: all */
    size_t look;
    /* The answer, added to what stands there from the call before. */
    struct view_reason *at; /* in order of appearance, the newest first */
    size_t count;
    bool more;
    uint64_t next;
};

/* Words told apart; what comes after them counts as the last, "*". */
#define VIEW_REASONS 100

/* ---- errands, the newest first ---- */

struct view_errand {
    uint64_t number;
    bool is_running;
    int64_t done, skipped;
    int64_t open;       /* of its deliveries, up to VIEW_ERRAND_OPEN */
    struct slice state; /* errand_decode reads it */
};

#define VIEW_ERRAND_OPEN 10000

struct view_errands {
    uint64_t before; /* only numbers below it; 0: all */
    size_t limit;
    /* The answer. */
    struct view_errand *at;
    size_t count;
    bool more; /* `before` the last one's number there are others */
};

/* ---- events, the newest first ---- */

struct view_event {
    uint64_t number;
    struct slice connector;
    enum channel via;
    int64_t time_ms; /* the provider's stamp; 0: none */
    int64_t recorded_ms;
    struct slice id;
    struct slice type;
    size_t body_bytes;
    /* Where it is asked for: when a channel of the other sort, webhooks or
     * walks, showed it first (0: none has), and what became of it. */
    int64_t other_ms;
    int64_t owed, dead; /* deliveries */
    /* Of view_detail, the body where it is asked for. */
    struct slice content_type;
    struct slice headers;
    struct slice body;
};

struct view_events {
    /* What they must have; "", 0 and -1 ask for nothing. */
    uint32_t connector;
    struct slice type; /* a glob */
    struct slice id;   /* the provider's, whole */
    int via;
    int64_t since_ms, until_ms; /* accepted from, and before */
    bool oldest_first;
    bool with_body;   /* and headers and content type; ends the page behind
                         VIEW_BODY_BYTES of them */
    bool with_fate;   /* other_ms, owed and dead */
    bool counts_only; /* no rows: only how many, and the highest number */
    uint64_t before; /* only numbers below it; 0: all. Oldest first: above it */
    size_t limit;
    size_t look; /* rows looked at in this call at most */
    /* The answer. */
    struct view_event *at;
    size_t count;
    uint64_t lowest, highest; /* numbers among these; 0: none */
    bool more;                /* not all were looked at: */
    uint64_t next;            /* go on from this number */
};

#define VIEW_BODY_BYTES ((size_t)4 << 20)

/* ---- one event, with all that is known of it ---- */

struct view_sighting {
    enum channel via;
    int64_t at_ms;
};

enum view_delivery_state { VIEW_WAITING, VIEW_RUNNING, VIEW_DEAD };

/* What is owed, or was given up; a delivery that is done leaves none. */
struct view_delivery {
    struct slice handler;
    enum view_delivery_state state;
    unsigned attempt; /* that runs, or was the last */
    int64_t at_ms;    /* due; while it runs the end of its lease; given up */
    bool parked;      /* waits for an earlier one of its lane, whenever */
    enum again again;
    struct slice reason;
    struct slice answer; /* DEAD: to the last attempt, "exit 1" */
};

enum view_outcome { VIEW_DONE, VIEW_RETRY, VIEW_GIVEN_UP };

struct view_attempt {
    struct slice handler;
    unsigned attempt;
    int64_t started_ms;
    int64_t duration_ms;
    enum view_outcome outcome;
    int64_t due_ms; /* RETRY: when it was to be tried again */
    struct slice detail;
    struct slice output;
};

/* Of an event that came in two steps. */
struct view_fill {
    bool any; /* else the event came whole */
    enum event_needs needs;
    enum event_filled filled;
    int64_t asked_ms;  /* its webhook was asked for; 0: never */
    int64_t filled_ms; /* 0: not yet */
};

struct view_detail {
    uint64_t number;
    bool with_body;
    /* The answer; STATUS_NOT_FOUND when there is no such event. */
    struct view_event event;
    struct view_fill fill;
    struct view_sighting *sightings; /* of other channels than its first */
    size_t sighting_count;
    struct view_delivery *deliveries;
    size_t delivery_count;
    struct view_attempt *attempts; /* oldest first */
    size_t attempt_count;
};

/* ---- whether ids of the two channels meet ---- */

/* Of the events that are kept. "First" is the channel that brought it. */
struct view_key {
    struct slice type;
    int64_t webhook;   /* first by webhook */
    int64_t walk;      /* first by a walk */
    int64_t stream;    /* first by stream */
    int64_t met;       /* shown by a webhook and by a walk, in any order */
    int64_t confirmed; /* of those, within grace of each other */
    int64_t recovered; /* first by a live walk, its grace over, none within */
    int64_t late;      /* of those, shown by a webhook after it */
    int64_t webhook_only;
};

struct view_keys {
    uint32_t connector;
    int64_t grace_ms;
    int64_t now_ms;
    /* Stamps that walks have read and will not read again, by the provider's
     * clock: what a webhook brought there and none listed is webhook_only. */
    int64_t behind_from_ms, behind_until_ms;
    uint64_t before; /* only numbers below it; 0: all */
    size_t look;     /* rows looked at in this call at most */
    /* The answer, added to what stands there from the call before. */
    struct view_key *at; /* by type, in order of appearance */
    size_t count;
    bool more;     /* not all were looked at: */
    uint64_t next; /* go on before this number */
};

/* Types told apart; what comes after them counts as the last one, whose type is
 * "*". */
#define VIEW_KEY_TYPES 200

/* ---- totals ---- */

struct view_total {
    uint32_t connector;
    int64_t open_gaps;
    /* Since the store was made; of connectors with both channels. */
    int64_t recovered;
    int64_t late;
    int64_t confirmed;
    int64_t met;     /* times an event was shown by the other channel too */
    uint64_t holder; /* the agent that walks it, of those that share the store:
                        its epoch; 0: none, or nobody shares it */
};

struct view_totals {
    struct view_total *at;
    size_t count;
};

/* ---- requests that were not accepted, the newest first ---- */

struct view_refusal {
    uint64_t id;
    struct slice connector; /* its name */
    int64_t at_ms;
    enum refusal_cause cause;
    unsigned status; /* that was answered */
    int64_t bytes;   /* of its body */
    int64_t more;    /* that came next, were like it and are not kept */
    struct slice why;
    struct slice peer;
    struct slice head; /* lines; empty: none could be read */
};

struct view_refusals {
    /* What they must have; 0 asks for nothing. */
    uint32_t connector;
    enum refusal_cause cause;
    int64_t since_ms, until_ms; /* refused from, and before */
    uint64_t id;                /* this one alone */
    uint64_t before;            /* only numbers below it */
    size_t limit;
    size_t look; /* rows looked at in this call at most */
    /* The answer. */
    struct view_refusal *at;
    size_t count;
    bool more;     /* not all were looked at: */
    uint64_t next; /* go on before this number */
};

/* ---- whether the file is whole ---- */

struct view_check {
    int64_t most_ms; /* look for so long at most */
    /* The answer. */
    bool is_whole; /* all of it was looked at in that time */
};

struct store_view_ops {
    enum status (*gaps)(struct store_view *view, struct view_gaps *gaps,
                        struct arena *arena, struct error *err);
    enum status (*events)(struct store_view *view, struct view_events *events,
                          struct arena *arena, struct error *err);
    enum status (*detail)(struct store_view *view, struct view_detail *detail,
                          struct arena *arena, struct error *err);
    enum status (*keys)(struct store_view *view, struct view_keys *keys,
                        struct arena *arena, struct error *err);
    enum status (*dead)(struct store_view *view, struct view_dead *dead,
                        struct arena *arena, struct error *err);
    enum status (*reasons)(struct store_view *view,
                           struct view_reasons *reasons, struct arena *arena,
                           struct error *err);
    enum status (*errands)(struct store_view *view,
                           struct view_errands *errands, struct arena *arena,
                           struct error *err);
    enum status (*totals)(struct store_view *view, struct view_totals *totals,
                          struct arena *arena, struct error *err);
    enum status (*refusals)(struct store_view *view,
                            struct view_refusals *refusals, struct arena *arena,
                            struct error *err);
    /* STATUS_CORRUPT says what is wrong. Not for the loop's reader: the
     * writer's log cannot begin anew while it lasts. */
    enum status (*check)(struct store_view *view, struct view_check *check,
                         struct error *err);
    /* NULL is allowed. Before the writer's end, so that its log can be left
     * empty. */
    void (*close)(struct store_view *view);
};

/* The first member of every implementation. */
struct store_view {
    const struct store_view_ops *ops;
};

#endif
