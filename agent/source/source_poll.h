/* SPDX-License-Identifier: MIT */
/*
 * source_poll: walks of a connector's list: due, ask, page, stored, next;
 * executes what model/walk decides and decides nothing itself.
 *
 * One source_poll is one tier of one connector. What its answers bring becomes
 * durable page by page, each in one transaction with the walk's state.
 */
#ifndef SOURCE_SOURCE_POLL_H
#define SOURCE_SOURCE_POLL_H

#include "base/list.h"
#include "base/prng.h"
#include "model/cadence.h"
#include "model/pace.h"
#include "model/quota.h"
#include "source/source.h"

struct access;
struct loop;
struct source_poll;
struct walk_backfill_wish;

/* What all requests to one host with the same credentials share, of however
 * many connectors: to the provider they are one. */
struct poll_host {
    struct quota budget;
    int64_t not_before_ms; /* monotonic: asked by an answer to keep away */
    unsigned limited;      /* answers in a row that only asked to wait */
    struct list waiting;   /* walks, the one that asked first is the next */
    unsigned walking;      /* walks on their way: a backfill waits for them */
};

void poll_host_init(struct poll_host *host, struct quota budget);

/* Returns 0 and takes a request from the budget, or how long to wait before
 * asking again. Monotonic ms. */
int64_t poll_host_take(struct poll_host *host, int64_t now_ms);

/* Keeps how long an answer asks to be left alone; where it does not say, a wait
 * that doubles is put into the advice. */
void poll_host_learn(struct poll_host *host, struct quota_advice *advice,
                     int64_t now_ms);

/* What all walks of one connector share. */
struct poll_account {
    struct poll_host *host; /* borrowed */
    int64_t date_ms;      /* the provider's clock in the last answer, 0: none */
    int64_t date_at_ms;   /* monotonic time of that answer */
    int64_t date_ours_ms; /* and Unix ms, by our clock */
    int64_t complete_until_ms; /* the latest of all tiers; never goes back */
    int64_t fast_walk_ms;      /* when the first tier's last whole walk began */
    int64_t fast_overlap_ms;
    int64_t fast_from_ms; /* the first stamp that it has read */
};

/* One request of a walk, answered or failed. Borrowed for the callback. */
struct poll_asked {
    const struct connector *connector;
    unsigned tier;
    struct slice method;
    struct slice url; /* without secrets */
    unsigned status;  /* 0: no answer */
    size_t rows;
    size_t fresh;
    size_t known;
    int64_t duration_ms;
    int64_t wait_ms;      /* the answer asked to keep away so long */
    struct slice why;     /* of a failure */
    struct slice missing; /* lines: see page_look.h; only of a walk by hand */
};

enum poll_outcome {
    POLL_OK,      /* the walk is whole */
    POLL_FAILED,  /* it ended early; the watermark stays where it was */
    POLL_LIMITED, /* the provider asked to wait; the walk goes on afterwards */
    POLL_GONE,    /* the list is no more: no walk comes by itself any more */
    POLL_YIELDED, /* another agent walks the connector by now */
    POLL_OUTCOME_COUNT
};

const char *poll_outcome_name(enum poll_outcome outcome);

struct poll_ended {
    const struct connector *connector;
    unsigned tier;
    enum poll_outcome outcome;
    struct slice why;
    int64_t pages;
    size_t rows;
    size_t fresh;
    size_t known;
    size_t seeded;             /* of the known: see walk_change.h */
    unsigned failures;         /* in a row, this one included */
    int64_t next_ms;           /* Unix ms when the next walk is due; 0: none */
    int64_t complete_until_ms; /* provider's clock, 0: not yet */
    int64_t started_ms;        /* Unix ms; where it had to wait, at first */
    bool has_gap;              /* a gap row was written in this walk */
    struct walk_gap gap;
};

/* Who wants to know; both may be NULL. */
struct poll_observer {
    void *arg;
    void (*asked)(void *arg, const struct poll_asked *asked);
    void (*ended)(void *arg, const struct poll_ended *ended);
};

struct source_poll_settings {
    const struct connector *connector;
    unsigned tier;
    unsigned tiers; /* that the connector has */
    int64_t overlap_ms;
    int64_t overlap_most_ms; /* the deepest it may become; 0: it stays */
    struct cadence cadence;
    /* Where the interval follows what is seen; slowest_ms 0: it is the
     * cadence's. */
    struct pace_plan pace;
    struct poll_account *account; /* of the connector; borrowed */
    struct poll_observer observer;
    uint64_t seed;    /* of the jitter */
    bool once;        /* walk when poked only (the command `poll`) */
    bool is_backfill; /* reads past spans when asked (the command `backfill`) */
};

/* Borrows loop, access, sink and what the settings point to. */
NODISCARD
enum status source_poll_create(struct loop *loop, struct access *access,
                               const struct source_poll_settings *settings,
                               const struct source_sink *sink,
                               struct source_poll **ret);

/* Reads the stored state and begins: the first walk comes at once. */
void source_poll_start(struct source_poll *poll);

/* Holds every request from here on, also in the middle of a walk, or lets them
 * go on. What is asked for meanwhile is walked then. */
void source_poll_pause(struct source_poll *poll, bool is_paused);

/*
 * Whether this agent is the one that walks, and by which lease; what it writes
 * is written by its fence. It is, by none (0), until this is called. Not held:
 * no request from here on, and what was asked for is dropped; what is with the
 * sink the store decides about. Held again, or by another fence: what another
 * agent may have moved is read anew, and a walk comes at once.
 */
void source_poll_hold(struct source_poll *poll, bool is_held, uint64_t fence);

/* Asks for a walk as soon as the provider allows; asked twice before it begins
 * it is one walk, asked during a walk there is one more behind it. */
void source_poll_poke(struct source_poll *poll);

/* The same for a webhook that only says that something has changed: between the
 * beginnings of such walks there is a second, or the provider's shortest
 * interval, however many webhooks come. */
void source_poll_signal(struct source_poll *poll);

/* Tells that a webhook request has brought `fresh` new events, and shown
 * `caught_up` ones that a walk had brought before it. */
void source_poll_hooked(struct source_poll *poll, size_t fresh,
                        size_t caught_up);

/*
 * Reads a past span below the live walks: only while none of them is on its
 * way, and no faster than the span says. Goes on by itself in the next process.
 * STATUS_BUSY while one is running, STATUS_UNAVAILABLE while the stored state
 * is not known; else what walk_backfill_read says of the wish.
 */
NODISCARD
enum status source_poll_backfill_begin(struct source_poll *poll,
                                       const struct walk_backfill_wish *wish,
                                       struct error *err);

/* Ends it where it is; false when none is running. */
bool source_poll_backfill_cancel(struct source_poll *poll);

/* The span that is read, or the last one; borrowed until the loop turns; NULL
 * while the stored state is not known. What the last page of a process brought
 * may be missing in its counts after a restart. */
const struct walk_state *source_poll_backfill(const struct source_poll *poll);

/* The clocks that a walk would begin by now. */
struct walk_now source_poll_now(const struct source_poll *poll);

/* Ends: no new request; `stopped` comes when nothing is with the sink. */
void source_poll_stop(struct source_poll *poll, void (*stopped)(void *arg),
                      void *arg);

/* The same, but what is asked of the provider is waited for and stored, unless
 * the list holds such requests. */
void source_poll_finish(struct source_poll *poll, void (*stopped)(void *arg),
                        void *arg);

/* Cuts what source_poll_finish waits for. */
void source_poll_hurry(struct source_poll *poll);

/*
 * To be started in the place of `before`, which has stopped, of the same
 * connector and tier: the next walk is due as if `before` went on, and as far
 * as the provider has asked to be left alone.
 */
void source_poll_follow(struct source_poll *poll,
                        const struct source_poll *before);

/* Only after `stopped`, or before start. NULL is allowed. */
void source_poll_destroy(struct source_poll *poll);

/* hw − overlap, 0 before the first whole walk; provider's clock. */
int64_t source_poll_complete_until(const struct source_poll *poll);

/* The lowest stamp it can still read; INT64_MIN while that is not known, so
 * that nothing is pruned, INT64_MAX when it reads nothing, or another agent
 * does. */
int64_t source_poll_lowest(const struct source_poll *poll);

/* Where its reading began at all, by the provider's clock; INT64_MAX while that
 * is not known, or another agent reads. */
int64_t source_poll_first(const struct source_poll *poll);

/* How the walks are going, as numbers. */
struct poll_figures {
    int64_t interval_ms; /* from one walk to the next as it is now; 0: cron */
    bool hurried;        /* webhooks are overdue: walks come at the fastest */
    int64_t overlap_ms;  /* how far back walks read again */
    int64_t covered_ms;  /* so late the list may be: overlap and settle; 0
                            where nothing is read twice */
    int64_t lag_max_ms;  /* how late the list shows events, see lag.h */
    int64_t lag_p99_ms;
};

struct poll_figures source_poll_figures(const struct source_poll *poll);

/* Whether the provider's last walk failed, and since how many walks. */
unsigned source_poll_failures(const struct source_poll *poll);

#endif
