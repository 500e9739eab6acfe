/* SPDX-License-Identifier: MIT */
/*
 * source_poll_private: what source_poll.c and poll_page.c share.
 */
#ifndef SOURCE_SOURCE_POLL_PRIVATE_H
#define SOURCE_SOURCE_POLL_PRIVATE_H

#include "io/http_client.h"
#include "source/source_poll.h"

/* A page between its answer and its submission. */
struct poll_page {
    struct arrival *arrival; /* owns all of it */
    struct page page;
    struct slice url;     /* that was asked */
    struct slice *bodies; /* one per row: the row, or what follow brought */
    bool *wanted;         /* one per row: below the walk, or known: not */
    size_t at;            /* row whose detail is being asked */
    size_t details;       /* asked so far in this page */
};

struct source_poll {
    struct loop *loop;
    struct http_client *client;
    struct source_poll_settings settings;
    const struct source_sink *sink;
    struct walk_plan plan;
    struct loop_timer *timer;
    struct prng prng;
    enum {
        PHASE_NEW,
        PHASE_LOADING, /* the sink reads the state */
        PHASE_IDLE,    /* until the timer or a poke */
        PHASE_WAITING, /* for the budget, to ask again */
        PHASE_ASKING,  /* http_client */
        PHASE_LOOKING, /* the sink looks rows up, before follow */
        PHASE_DETAIL,  /* http_client, one row's detail */
        PHASE_STORING, /* the sink stores */
        PHASE_STOPPED
    } phase;
    bool loaded; /* the stored state was read */
    bool poked;
    bool looks;       /* the timer only looks at the clock again (cron) */
    int64_t fires_ms; /* monotonic: when the timer of IDLE fires */
    void (*stopped)(void *arg); /* set: stop when nothing is with the sink */
    void *stopped_arg;

    struct walk_state state; /* durable; its texts live in state_arena */
    struct arena state_arena;
    struct walk_state next; /* on its way to be */
    struct arena next_arena;
    struct walk_step step;
    struct buf state_text; /* walk_encode of `next` while it is stored */
    struct http_call *call;
    struct arena request_arena; /* of the page: url and method too */
    struct arena detail_arena;  /* of one row's detail */
    struct slice url;
    struct slice method;
    struct poll_page page;
    bool *known; /* the sink's answer is copied here, in the page's arena */

    int64_t started_ms;    /* Unix ms, when the last walk began */
    unsigned failures;     /* in a row */
    int64_t asked_min_ms;  /* X-Poll-Interval of the last answer */
    struct poll_ended run; /* the walk so far */
    unsigned status;       /* of the last answer */
    int64_t duration_ms;
};

/* Makes a page of an answer: copies the body, finds the rows. STATUS_PROTOCOL
 * when it is no page; words in err. */
NODISCARD
enum status poll_page_open(struct source_poll *poll,
                           const struct http_reply *reply, struct error *err);

/* Leaves out the rows below the walk, by what walk_page made of the page: the
 * first answer of all decides where `start` is. */
void poll_page_choose(struct source_poll *poll);

/* A page without rows, for a state or a gap alone. */
NODISCARD
enum status poll_page_empty(struct source_poll *poll);

/* Reads the keys of the rows, for the look-up before follow. */
NODISCARD
enum status poll_page_sightings(struct source_poll *poll, struct error *err);

/* Keeps the sightings of wanted rows, oldest first. */
void poll_page_order(struct source_poll *poll);

void poll_page_drop(struct source_poll *poll);

#endif
