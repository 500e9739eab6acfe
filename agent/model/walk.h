/* SPDX-License-Identifier: MIT */
/*
 * walk: one complete reading of a window of a provider's list: where it
 * begins, what to ask next, when it is whole, and the only place where the
 * watermark moves. Pure: the clocks are arguments.
 *
 * The rules are those of agent/README.md, "Walks": inclusive bounds, the
 * provider's clock, hw moves only behind a whole walk, an error is never an
 * empty page.
 *
 * How source/source_poll uses it, for one tier of one connector:
 *
 *     walk_decode, walk_begin --> ask --> walk_page --> store page and state
 *                                  ^         |  ASK: again, with the new state
 *                                  +---------+  WHOLE: done, hw has moved
 *                                  |            FAILED: words, hw untouched
 *                              walk_failed, when no page came
 *
 * The state is a value: walk_page works on a copy which becomes the state only
 * when the page's transaction is durable.
 */
#ifndef MODEL_WALK_H
#define MODEL_WALK_H

#include "base/bytes.h"
#include "base/mem.h"
#include "base/status.h"
#include "model/connector.h"
#include "model/extract.h"
#include "model/lag.h"
#include "wire/http_field.h"

#include <stdbool.h>
#include <stdint.h>

/* Beside the tiers of `poll:` and its sweeps: where a past span is kept, and
 * what a stream is read on from. Stored: never change. */
#define WALK_TIER_BACKFILL 1000
#define WALK_TIER_STREAM   1001

#define WALK_IDS_MAX                                                           \
    64 /* (clock, id) pairs kept for an id cursor's overlap                    \
        */

/* What stays between walks and over restarts. Texts live in an arena that the
 * caller keeps with the state. */
struct walk_mark {
    int64_t at_ms; /* provider's clock */
    struct slice id;
};

/* A past span of the list, read once beside the tiers; see walk_backfill.h. */
struct walk_backfill {
    unsigned phase;      /* enum walk_backfill_phase */
    int64_t since_ms;    /* inclusive, provider's clock, as it was asked for */
    int64_t until_ms;    /* exclusive */
    int64_t rate;        /* requests … */
    int64_t rate_per_ms; /* … in so long */
    int64_t began_ms;    /* our clock */
    int64_t ended_ms;
    int64_t at_ms; /* the stamp that reading has come to; 0: none yet */
    int64_t pages; /* stored, over all attempts */
    int64_t rows;
    int64_t fresh;
    int64_t known;
    unsigned gaps;    /* gap rows it wrote itself */
    struct slice why; /* it failed */
};

struct walk_state {
    /* Where reading begins at all. */
    bool has_start;
    bool start_ours; /* `start` is still by our clock, see walk_page */
    int64_t start_ms;
    int64_t start_set_ms; /* our clock when start was stored */
    /* The watermark. */
    int64_t hw_ms;   /* provider's clock; 0: no whole walk yet */
    int64_t seen_ms; /* where it would be had our clock been right, as far as
                        rows bear the provider's out; 0: not known */
    int64_t complete_ms; /* the latest complete-until of a whole walk, whatever
                            its overlap was then; never goes back */
    int64_t told_ms;     /* up to where gap rows tell what is missing, or where
                            the newest id was when reading began there; 0:
                            neither */
    int64_t again_ms;    /* the next walk reads from here; 0: as ever */
    int64_t largest_ms;  /* largest stamp ever read; 0: none */
    struct slice token;  /* CURSOR_TOKEN, and the newest id of CURSOR_ID */
    bool has_token;
    struct walk_mark ids[WALK_IDS_MAX]; /* CURSOR_ID, oldest first */
    size_t id_count;
    struct slice etag; /* only while the last whole walk was that one page */
    struct slice modified; /* Last-Modified, likewise */
    uint64_t etag_url;     /* hash of the URL that gave them */
    struct lag lag;        /* of what this tier's walks have listed */
    unsigned ties;         /* walks in a row that failed on one full second */
    int64_t tie_ms;
    /* What the last whole walk went by; see walk_change.h. 0: not known. */
    uint64_t keys_hash;
    uint64_t cursor_hash;
    uint64_t list_hash;
    int64_t overlap_ms;
    unsigned tiers; /* so many there were, this one the first of them */
    /* The open walk. */
    bool open;
    bool has_s;
    int64_t a_ms;        /* lower bound, inclusive */
    int64_t s_ms;        /* provider's clock when the walk began, corrected */
    int64_t date_ms;     /* the same by the Date, believed or not; 0: none */
    int64_t now_ms;      /* `{now}`, frozen for the walk (provider's clock) */
    bool now_theirs;     /* retention was judged by the provider's clock */
    int64_t began_ms;    /* our clock when the walk began */
    struct slice cursor; /* what `{cursor}` is sent as; restart moves it */
    bool has_cursor;
    int64_t cursor_ms; /* CURSOR_TIME: the time that `cursor` says */
    struct slice page; /* what `{page}` is, or the next URL */
    bool has_page;
    int64_t from_ms;  /* walk_span: what is being asked for, both ends */
    int64_t until_ms; /* 0: no span */
    int64_t span_ms;  /* how long it is; stays between walks */
    int64_t span_rows;
    int64_t listed_ms; /* CURSOR_SEEN: largest stamp of the last whole walk, or
                          hw */
    int64_t oldest_ms; /* the smallest one above it in this walk */
    bool met;       /* CURSOR_SEEN: this walk has met a row of an earlier one */
    int64_t top_ms; /* CURSOR_SEEN: the provider's clock when this walk's first
                       page came; 0: not yet */
    int64_t last_rows;       /* of the last whole walk */
    int64_t running_ms;      /* largest stamp in this walk */
    struct slice running_id; /* largest or first id in this walk */
    int64_t pages;           /* pages stored in this walk */
    int64_t rows;
    uint64_t page_hash;  /* of the last page token: the same twice fails */
    uint64_t anchor;     /* PAGE_OFFSET: the row that the next page overlaps by;
                            0: none */
    unsigned restarts;   /* of this walk, because rows had moved up */
    uint64_t place_sum;  /* of the rows of one place, read so far; see
                            walk_page_has_moved */
    uint64_t place_last; /* … of the time before, at … */
    int64_t place_ms;    /* … this cursor */
    int64_t place_top_ms; /* the smallest stamp of its first page, where that
                             was still kept; 0: not known */
    bool first;           /* the next request is `first`, or `resync` */
    bool anew;            /* the cursor was refused, and no walk whole since */
    bool after_first;     /* the last answer was that one's */
    unsigned rejections;  /* cursors or page tokens refused in a row */
    unsigned failures;    /* other failures in a row on one page */
    struct walk_backfill backfill;
};

/* One of a connector's walks; the first tier is `poll:` itself. */
struct walk_plan {
    const struct connector *connector;
    int64_t overlap_ms;
    int64_t most_ms;  /* the deepest it may become, see walk_overlap.h; 0: it
                         stays as it is */
    bool resumable;   /* false: the open walk is another process's */
    unsigned tiers;   /* that are configured, for the first of them */
    bool is_backfill; /* reads the state's span once and moves no watermark */
};

struct walk_now {
    int64_t our_ms;      /* our wall clock */
    int64_t provider_ms; /* last Date + monotonic time since; 0: not known */
};

enum gap_kind {                    /* stored: values never change */
                GAP_RETENTION = 1, /* slept past what the provider keeps */
                GAP_CURSOR = 2,    /* a rejected cursor */
                GAP_TIE = 3,  /* more rows in one second than a page shows */
                GAP_COUNT = 4 /* a list that keeps only so many rows */
};

const char *gap_kind_name(enum gap_kind kind);

struct walk_gap {
    enum gap_kind kind;
    int64_t from_ms;
    int64_t to_ms;
};

enum walk_next {
    WALK_ASK,   /* send walk_request's request with the new state */
    WALK_WHOLE, /* the walk is over; hw has moved in the new state */
    WALK_FAILED /* the walk failed; the new state is to be stored all the same
                   (a restart, a tie count), hw has not moved */
};

struct walk_step {
    enum walk_next next;
    bool has_gap; /* write this row in the same transaction */
    struct walk_gap gap;
    bool state_changed; /* worth a transaction even without rows */
    bool is_elsewhere;  /* failed on a full second, and not on the one of the
                           walk before: that is passed, and no failure of it
                           makes the next walk wait */
    struct error why;   /* for WALK_FAILED */
};

/*
 * Begins a walk, or goes on with the open one where that is allowed. The first
 * time it fixes `start`. Gives the gap row when hw is older than retention.
 */
NODISCARD
enum status walk_begin(const struct walk_plan *plan, struct walk_state *state,
                       const struct walk_now *now, struct arena *arena,
                       struct walk_step *ret_step);

/* What came back for the request. */
struct walk_answer {
    struct slice url; /* that was asked, for relative links */
    unsigned status;  /* 200…299 or 304 */
    struct http_fields fields;
    const struct page *page; /* rows; NULL with 304 */
    const bool *known;       /* one per row, see walk_wants_known; or NULL */
    int64_t duration_ms;     /* until its first byte */
    int64_t our_ms;          /* our wall clock when it came */
};

/* Whether the walk has to be told which rows of a page the ledger knows: by
 * these it sees whether a list that keeps only so many rows has dropped some.
 */
bool walk_wants_known(const struct walk_plan *plan,
                      const struct walk_state *state);

/* Takes one page into the state. Texts it keeps are copied into `arena`. */
NODISCARD
enum status walk_page(const struct walk_plan *plan, struct walk_state *state,
                      const struct walk_answer *answer, struct arena *arena,
                      struct walk_step *ret_step);

/*
 * Tells the walk that a request failed with an HTTP status (0: no answer). A
 * rejected page token makes the walk begin anew (an ascending one at its
 * running maximum); a rejected cursor is a gap and a new start. `body` is JSON
 * that was checked, or empty. hw never moves.
 */
NODISCARD
enum status walk_failed(const struct walk_plan *plan, struct walk_state *state,
                        const struct walk_now *now, unsigned status,
                        struct slice body, struct arena *arena,
                        struct walk_step *ret_step);

/*
 * Takes from another tier's state what a tier that is new begins with: the
 * lowest watermark and the earliest start there are, and the ids that reach
 * back furthest, copied into `arena`; so that adding a tier loses nothing and
 * reads nothing below `start`. STATUS_NOMEM at worst.
 */
NODISCARD
enum status walk_seed(struct walk_state *state, const struct walk_state *from,
                      struct arena *arena);

/* hw − overlap (never below start), 0 before the first whole walk. */
int64_t walk_complete_until(const struct walk_plan *plan,
                            const struct walk_state *state);

/* When walks began that have ended, by the provider's clock; 0: none has. */
struct walk_past {
    int64_t own_ms; /* the last one of the tier that listed the event */
    int64_t
        fast_ms; /* the last one of the first tier, for the others; else 0 */
    int64_t fast_overlap_ms;
    int64_t fast_from_ms; /* it has read nothing stamped before */
    int64_t start_ms;     /* what is stamped before need not have been read */
};

/*
 * How late the list shows an event that is listed for the first time: 0 if the
 * first walk that could have listed it did, else from its stamp to the begin of
 * the last walk that covered it and did not. -1 when no walk has ended yet, or
 * none had to read so far back: nothing can be said. Free of our own interval.
 */
int64_t walk_lag_ms(const struct walk_past *past, int64_t time_ms);

/* The lowest stamp that this tier's next walk or its open one can read; the
 * ledger keeps its keys above it. INT64_MAX when it reads nothing. */
int64_t walk_lowest(const struct walk_plan *plan,
                    const struct walk_state *state);

/* The state as one line of JSON, and back. Unknown members are skipped, so a
 * newer program's state opens; STATUS_CORRUPT when it is no state at all. */
void walk_encode(const struct walk_state *state, struct buf *into);
NODISCARD
enum status walk_decode(struct slice text, struct arena *arena,
                        struct walk_state *ret_state, struct error *err);

/* Whether a row is to be left out: below the walk's lower bound in a list
 * without a filter (`send: false`), below `start` in any, or shown by the
 * `first` request of an id cursor. `state` is what walk_page made of the row's
 * page: the first answer decides where `start` is. */
bool walk_below(const struct walk_plan *plan, const struct walk_state *state,
                struct slice row, struct arena *arena);

#endif
