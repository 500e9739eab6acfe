/* SPDX-License-Identifier: MIT */
/*
 * world: one simulated world: its plan, its facts, and what is going on in it.
 *
 * There is one world at a time, and everything in it runs in one thread.
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "base/status.h"
#include "model/channel.h"
#include "sim/plan.h"

enum { FACTS_MAX = 20000 };

/* Something that happened at the provider, and what became of it with us.
 * Times are Unix ms by the provider's clock. */
struct fact {
    int64_t at_ms;    /* its stamp, before it is cut to the list's unit */
    int64_t shown_ms; /* the list shows it from then on */
    int64_t gone_ms;  /* and until then: a newer version, or purged */
    size_t object;
    uint64_t number; /* of the event it is in the store; 0: none yet */
    int64_t durable_ms;
    int64_t accepted_ms;                 /* by our clock, which may go back */
    enum channel via;                    /* brought it */
    size_t turn;                         /* of those that live walks brought */
    bool walked;                         /* a walk has shown it */
    bool listed;                         /* and a live one */
    bool hooked;                         /* a webhook has shown it */
    bool acked;                          /* a sender was told so */
    unsigned started[PLAN_HANDLERS_MAX]; /* attempts */
    unsigned attempt[PLAN_HANDLERS_MAX]; /* the last one's number */
    bool done[PLAN_HANDLERS_MAX];        /* a handler has said so */
    unsigned fetched;                    /* its object, whole */
    unsigned unfetched;                  /* asked for in vain */
    unsigned failures;                   /* of that, in this life */
    unsigned life;                       /* of the process, then */
};

struct world {
    struct plan plan;
    struct fact *facts; /* by stamp */
    size_t fact_count;
    size_t *log;        /* of a list that shows what became visible last */
    struct prng faults; /* of the list's answers */
    struct prng store;
    struct prng handlers;
    bool traced;
    bool calm;       /* nothing goes wrong any more … */
    int64_t calm_ms; /* … and nothing does since; 0: not yet */
    /* What goes on now, counted. */
    unsigned down[INCIDENT_KINDS];
    int64_t clock_by_ms; /* our clock is set so when an attempt hangs */
    bool clock_went_back;
    bool purge_wanted; /* killed and purged in the midst of a walk */
    /* When the list was first asked where it ends, and its newest row. */
    int64_t first_ms;
    size_t first_newest;
    int64_t newest_ms;  /* and when it was last asked so; 0: never */
    int64_t top_ms;     /* when a list's first page was last asked for */
    unsigned forgotten; /* so often the provider forgot all cursors */
    int64_t trouble_ms; /* since the beginning: when something last was wrong */
    /* The first thing that must not be. */
    bool failed;
    char why[512];
    /* For the summary. */
    int64_t staleness_ms; /* the longest, from visible to durable */
    size_t walks;
    size_t crashes;
    size_t gaps;
};

extern struct world world;

/* Runs the world of `seed` in `folder`; false when a promise was broken. */
bool world_run(uint64_t seed, const char *folder, bool traced);

/* Notes what must not be; the world ends there. */
void world_fail(const char *format, ...) PRINTF_LIKE(1, 2);

/* A line of the trace, with the time. */
void world_trace(const char *format, ...) PRINTF_LIKE(1, 2);
#define TRACE(...) (world.traced ? world_trace(__VA_ARGS__) : (void)0)

/* An attempt hangs; a page of a walk is stored: what was waiting for that
 * happens. */
void world_attempt_hangs(void);
void world_page_stored(void);

/* Something is wrong, now and for so long: how fresh events are says nothing
 * meanwhile. */
void world_trouble(int64_t for_ms);

#endif
