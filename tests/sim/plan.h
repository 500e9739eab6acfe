/* SPDX-License-Identifier: MIT */
/*
 * plan: what one world is like, drawn from its seed: the provider's list, how
 * late and in what order it shows things, what befalls the agent, and when.
 *
 * A plan is drawn before anything happens, so that a rule removed from the
 * agent changes nothing in the world around it.
 */
#ifndef SIM_PLAN_H
#define SIM_PLAN_H

#include "base/bytes.h"
#include "base/prng.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PLAN_SWEEPS_MAX = 2,
    PLAN_INCIDENTS_MAX = 48,
    PLAN_HANDLERS_MAX = 2,
    PLAN_OBJECTS_MAX = 64
};

enum plan_cursor { PLAN_TIME, PLAN_ID, PLAN_LOG };

enum plan_order { PLAN_ASC, PLAN_DESC, PLAN_SHUFFLED };

enum plan_pages {
    PLAN_ONE_PAGE,
    PLAN_LINK,
    PLAN_URL,
    PLAN_TOKEN,
    PLAN_LAST_ID,
    PLAN_BY_CURSOR,
    PLAN_NUMBER,
    PLAN_OFFSET
};

enum plan_unit { PLAN_S, PLAN_MS, PLAN_ISO };

struct plan_sweep {
    int64_t every_ms;
    int64_t overlap_ms;
};

enum incident_kind {
    INCIDENT_CRASH,    /* at the n-th durable step from now on */
    INCIDENT_KILL,     /* between two steps */
    INCIDENT_STOP,     /* in order */
    INCIDENT_SLEEP,    /* the machine is suspended */
    INCIDENT_CLOCK,    /* our clock is set */
    INCIDENT_PROVIDER, /* the list cannot be reached */
    INCIDENT_HOOKS,    /* no webhook is sent */
    INCIDENT_STALL,    /* the store takes its time */
    INCIDENT_FULL,     /* the store has no room */
    INCIDENT_HANDLERS, /* handlers fail */
    INCIDENT_PURGE,    /* killed; and old rows go from the list meanwhile */
    INCIDENT_FORGET,   /* every cursor that was given out is worth nothing */
    INCIDENT_BACKFILL, /* somebody asks for a past span */
    INCIDENT_CANCEL,   /* and has thought better of it */
    INCIDENT_KINDS
};

struct incident {
    enum incident_kind kind;
    int64_t at_ms;
    int64_t span_ms; /* how long; CLOCK: by how much; BACKFILL: from when */
    long step;       /* CRASH; BACKFILL: permille of the span to read */
};

/* In thousandths of requests. */
struct plan_faults {
    unsigned error;   /* 5xx */
    unsigned garbage; /* 200, and no list */
    unsigned silence; /* no answer */
    unsigned limited; /* 429 */
    unsigned refused; /* a page token or cursor is not taken */
    int64_t retry_after_ms;
};

struct plan_handler {
    bool lanes;
    int64_t concurrency;
    int64_t attempts;
    unsigned fails; /* in thousandths of attempts */
    unsigned hangs;
    unsigned overruns; /* it goes on beyond its lease */
    unsigned dies;
    int64_t takes_ms; /* at most, when it neither hangs nor fails */
};

struct plan {
    uint64_t seed;
    int64_t epoch_ms;
    int64_t length_ms; /* until the provider falls silent */
    /* The list. */
    bool state; /* shows objects, not events */
    enum plan_cursor cursor;
    enum plan_order order;
    enum plan_pages pages;
    bool keyed; /* page tokens mean a row, not a position */
    bool sends; /* the cursor filters */
    bool inclusive;
    bool restart;
    bool key_time;
    bool dated; /* answers have a Date */
    enum plan_unit stamp, format;
    size_t page_size;
    int64_t window_ms; /* so much is asked for at once, and an answer shows no
                          more than a page; 0: no upper bound */
    int64_t retention_ms; /* 0: for ever */
    bool seen;        /* no cursor is sent: what is known tells what is new */
    size_t shows;     /* so many rows at most, the latest; 0: all */
    bool until_seen;  /* a walk stops at a page that is old enough */
    bool gated;       /* a request beside it is held until there is something */
    int64_t holds_ms; /* so long at most */
    int64_t patience_ms; /* and so long we wait for its answer */
    unsigned gate_lies;  /* thousandths: it says yes for nothing, or no */
    bool backfills;      /* past spans are asked for */
    bool resyncs; /* a cursor that was forgotten is answered by all rows */
    /* The connector as configured. */
    int64_t every_ms;   /* where the pace is adaptive: at the slowest */
    int64_t fastest_ms; /* 0: the pace is fixed */
    int64_t overlap_ms;
    int64_t settle_ms;
    struct plan_sweep sweeps[PLAN_SWEEPS_MAX];
    size_t sweep_count;
    int64_t keep_ids_ms;
    int64_t grace_ms;
    int64_t start_age_ms; /* 0: `start: now` */
    bool hooked;          /* webhooks are configured */
    bool thin_hooks;      /* what a webhook names has to be fetched */
    bool thin_rows;       /* and what a row names */
    /* What happens. */
    int64_t gap_ms; /* between two facts, on average */
    unsigned burst; /* thousandths that are bursts within one second */
    size_t burst_most;
    int64_t delay_ms; /* the longest a list hides a fact */
    unsigned beyond;  /* thousandths that are hidden for longer than that */
    size_t objects;   /* of a list of objects, and lanes */
    unsigned hook_lost;
    unsigned hook_late; /* beyond grace */
    unsigned hook_twice;
    int64_t hook_delay_ms;
    int64_t latency_ms; /* of an answer, at most */
    int64_t commit_ms;  /* of a commit, at most; 0: done at once */
    int64_t gather_ms;  /* so long calls gather before a commit */
    int64_t skew_ms;    /* our clock against the truth, at the beginning */
    struct plan_faults faults;
    struct plan_handler handlers[PLAN_HANDLERS_MAX];
    size_t handler_count;
    struct incident incidents[PLAN_INCIDENTS_MAX];
    size_t incident_count;
};

void plan_draw(uint64_t seed, struct plan *plan);

/* The connector's file and its entry in the configuration, as YAML. */
void plan_connector(const struct plan *plan, struct buf *file,
                    struct buf *entry);

/* The deepest overlap, and settle: how late a fact may show and is found. */
int64_t plan_bound_ms(const struct plan *plan);

const char *plan_incident_name(enum incident_kind kind);

/* One line about the world. */
void plan_describe(const struct plan *plan, struct buf *into);

/* What happens so many times in a thousand. */
static inline bool
plan_chance(struct prng *prng, unsigned thousandths)
{
    return prng_below(prng, 1000) < thousandths;
}

/* From `low` to `high`, both included. */
static inline int64_t
plan_between(struct prng *prng, int64_t low, int64_t high)
{
    return high <= low
               ? low
               : low + (int64_t)prng_below(prng, (uint64_t)(high - low) + 1);
}

#endif
