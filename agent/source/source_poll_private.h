/* SPDX-License-Identifier: MIT */
/*
 * source_poll_private: what source_poll.c and the files poll_*.c share: the
 * state of one walk, and the steps between them.
 */
#ifndef SOURCE_SOURCE_POLL_PRIVATE_H
#define SOURCE_SOURCE_POLL_PRIVATE_H

#include "model/request.h"
#include "source/access.h"
#include "source/source_poll.h"

/* A page between its answer and its submission. */
struct poll_page {
    struct arrival *arrival; /* owns all of it */
    struct page page;
    struct slice url;      /* that was asked */
    struct slice *bodies;  /* one per row: the row, or what follow brought */
    struct slice *headers; /* one per row: its webhook's, from follow */
    bool *wanted;          /* one per row: below the walk, or known: not */
    bool file_is_own;      /* its rows' file is at the list's origin */
    bool file_is_foreign;  /* see struct indirect_file */
    size_t at;             /* row whose detail is being asked */
    size_t details;        /* asked so far in this page */
    struct walk_answer answer; /* what walk_page will be told */
};

struct source_poll {
    struct loop *loop;
    struct access *access;
    struct source_poll_settings settings;
    const struct source_sink *sink;
    struct walk_plan plan;
    struct loop_timer *timer;
    struct prng prng;
    struct list turn; /* in its host's `waiting` */
    enum {
        PHASE_NEW,
        PHASE_LOADING, /* the sink reads the state */
        PHASE_IDLE,    /* until the timer or a poke */
        PHASE_WAITING, /* for the budget, to ask again */
        PHASE_SETUP,   /* http_client, before all walks; or for the budget */
        PHASE_GATE,    /* http_client, before a walk; or for the budget */
        PHASE_ASKING,  /* http_client */
        PHASE_FILE,    /* http_client, the rows' file; or for the budget */
        PHASE_LOOKING, /* the sink looks rows up, for the walk or follow */
        PHASE_DETAIL,  /* http_client, one row's detail */
        PHASE_STORING, /* the sink stores */
        PHASE_STOPPED
    } phase;
    bool loaded;           /* the stored state was read */
    unsigned asked_tier;   /* whose state is being read: its own, or, for a tier
                              that is new, one it is seeded from */
    bool asked_others;     /* its own state was asked for before */
    unsigned stored_tiers; /* when the first one walked last; 0: not known */
    struct walk_state seed; /* the lowest of the others, while loading */
    struct arena seed_arena;
    struct walk_step fitted; /* what an edit leaves to be stored */
    bool paused;
    bool has_started;
    bool is_held;   /* by this agent, which so may walk */
    bool is_lost;   /* what is with the sink is of a lease that is lost */
    uint64_t fence; /* of the lease; 0: there are none */
    bool poked;
    bool at_once;         /* by a person, whom no webhook's gap holds up */
    size_t set_up;        /* so many requests of the setup were answered */
    bool gate_open;       /* the next walk comes without asking the gate */
    uint64_t called;      /* the gate wants this walk: hash of the token then */
    unsigned vain;        /* walks in a row that it called for, and were none */
    bool looks;           /* the timer only looks at the clock again (cron) */
    int64_t fires_ms;     /* monotonic: when the timer of IDLE fires */
    bool counted;         /* in the host's `walking` */
    bool cancelled;       /* a span: ends as soon as nothing is with the sink */
    bool ending;          /* a span: its end is being stored */
    struct quota spacing; /* of a span's requests */
    int64_t yielded_ms;   /* a span: its next page has waited for live walks */
    void (*stopped)(void *arg); /* set: stop when nothing is with the sink */
    void *stopped_arg;
    bool finishing; /* it stops, but first what was asked is stored */
    bool rests;     /* it stopped while it waited for its next walk */
    bool follows;   /* the first walk is due when another poll had it due */

    struct walk_state state; /* durable; its texts live in state_arena */
    struct arena state_arena;
    struct walk_state next; /* on its way to be */
    struct arena next_arena;
    struct walk_step step;
    struct buf state_text; /* walk_encode of `next` while it is stored */
    struct access_call *call;
    struct arena request_arena; /* of the page: url and method too */
    struct arena detail_arena;  /* of one row's detail */
    struct slice url;
    struct slice method;
    struct poll_page page;
    void (*looked)(struct source_poll *poll); /* once that is known */
    bool *known; /* the sink's answer is copied here, in the page's arena */

    int64_t started_ms;       /* Unix ms, when the last walk began */
    int64_t began_ms;         /* the same, by the loop's clock */
    unsigned failures;        /* in a row */
    int64_t feed_min_ms;      /* what the last whole feed asked for */
    int64_t asked_min_ms;     /* X-Poll-Interval of the last answer */
    bool patient;             /* the last failure passes not before the interval
                               */
    struct pace pace;         /* where settings.pace is given */
    bool walked;              /* this process has ended a whole walk */
    struct pace_walk brought; /* by the walk so far */
    bool unsaved; /* the state has learnt what its last page did not know */
    struct poll_ended run; /* the walk so far */
    unsigned status;       /* of the last answer */
    int64_t duration_ms;
};

/* Reads the stored state, then calls source_poll_loaded. */
void poll_load(struct source_poll *poll);

/* The state is known: begins. */
void source_poll_loaded(struct source_poll *poll);

/* Reads the state, if it is this agent that walks. */
void poll_hold_load(struct source_poll *poll);

/* An answer of the sink has come: whether it is of a lease that is lost, or
 * says so itself. Then all is dropped, and begun anew where that may be. */
bool poll_hold_lost(struct source_poll *poll, bool is_fenced);

/* Whether it waits for its next walk. */
bool poll_follow_rests(const struct source_poll *poll);

/* Stopped, and nothing is under way: says so, never before this returns. */
void source_poll_stopped(struct source_poll *poll);

/* Makes a page of an answer: copies the body, finds the rows. STATUS_PROTOCOL
 * when it is no page; words in err. */
NODISCARD
enum status poll_page_open(struct source_poll *poll,
                           const struct http_reply *reply, struct error *err);

/* Gives an open page the rows of the file that it names. */
NODISCARD
enum status poll_page_fill(struct source_poll *poll,
                           const struct http_reply *reply, struct error *err);

/* Leaves out the rows below the walk, by what walk_page made of the page: the
 * first answer of all decides where `start` is. */
void poll_page_choose(struct source_poll *poll);

/* Notes what the walk will be told of the answer, in the page's arena. */
NODISCARD
enum status poll_page_note(struct source_poll *poll,
                           const struct http_reply *reply);

/* A page without rows, for a state or a gap alone. */
NODISCARD
enum status poll_page_empty(struct source_poll *poll);

/* Reads the keys of the rows, for the look-up before follow. */
NODISCARD
enum status poll_page_sightings(struct source_poll *poll, struct error *err);

/* Keeps the sightings of wanted rows, oldest first. */
void poll_page_order(struct source_poll *poll);

void poll_page_drop(struct source_poll *poll);

/* Sends the next request of the setup instead of walking, where a list that was
 * never read has one; false: walk. */
bool poll_setup_holds(struct source_poll *poll);
void poll_setup_ask(struct source_poll *poll);

/* Asks the gate instead of walking, where the list has one that has not spoken
 * for this walk; false: walk. */
bool poll_gate_holds(struct source_poll *poll);
void poll_gate_ask(struct source_poll *poll);

/* A walk is whole: whether the gate has called for it in vain. */
void poll_gate_walked(struct source_poll *poll);

/* Whether a walk that is whole is followed by a question to the gate, and how
 * far from it the next walk has to be. */
bool poll_gate_follows(const struct source_poll *poll, int64_t *ret_apart_ms);

/* Ends the gate's request: a walk is wanted. */
void poll_gate_leave(struct source_poll *poll);

/* Returns when the next walk is due (Unix ms). */
int64_t poll_due_ms(struct source_poll *poll);

/* Whether it would be due without a gate. */
bool poll_due_by_the_clock(struct source_poll *poll);

/* A walk begins now. */
void poll_due_begun(struct source_poll *poll);

/* Counts among the host's walks that are on their way, or no more. */
void source_poll_count_walking(struct source_poll *poll, bool walks);

/* Idle until the next walk is due, or for so long. */
void source_poll_wait(struct source_poll *poll);
void source_poll_wait_ms(struct source_poll *poll, int64_t wait_ms);

/* Sends the request that follows from the next state. */
void poll_ask(struct source_poll *poll);

/* Whether the provider and the budget allow a request now; else the timer fires
 * once it is this walk's turn. First asked, first served. */
bool poll_ask_may(struct source_poll *poll);

/* Gives up its place among those who wait for the host. */
void poll_ask_leave(struct source_poll *poll);

/* Whether what comes could be stored; else the timer is armed to look again. */
bool poll_ask_may_store(struct source_poll *poll);

/* Starts a rendered request. */
NODISCARD
enum status poll_ask_start(struct source_poll *poll,
                           const struct rendered_request *request,
                           http_reply_fn *done, struct error *err);

/* Learns what every answer tells: the provider's clock. */
void poll_ask_note(struct source_poll *poll, const struct http_reply *reply);

/* Notes how long an answer asks to wait; true when it is nothing but that.
 * The rest of what it asks is left in *ret_advice. */
bool poll_ask_limits(struct source_poll *poll, const struct http_reply *reply,
                     struct quota_advice *ret_advice);

/* Goes on with the page, whose rows are there. */
void poll_ask_rows(struct source_poll *poll);

/* Asks for the file that the page names, then goes on with its rows. */
void poll_indirect_ask(struct source_poll *poll);

/* Lets the walk decide about the page, and stores what follows. */
void poll_ask_decide(struct source_poll *poll);

/* Looks up which of the wanted rows of the page are known, into poll->known;
 * then goes on. */
void poll_look(struct source_poll *poll,
               void (*then)(struct source_poll *poll));

/* Looks up which rows of the page are known, then asks for the others. */
void poll_detail_begin(struct source_poll *poll);

/* Asks for the detail of the next row that is new, or submits the page. */
void poll_detail_next(struct source_poll *poll);

/* How long a span's next request has to wait; 0 takes the turn. */
int64_t poll_backfill_wait_ms(struct source_poll *poll);

/* Whether there is something to read, or at least to load. */
bool poll_backfill_goes_on(struct source_poll *poll);

/* Ends a span that was cancelled; false when it was not. */
bool poll_backfill_cancelled(struct source_poll *poll);

/* Ends a span that fails `for_good`, or too often; false while it may be tried
 * again. */
bool poll_backfill_gives_up(struct source_poll *poll, bool for_good,
                            const struct error *why);

/* Counts what a stored page brought. */
void poll_backfill_count(struct source_poll *poll,
                         const struct verdict *verdict);

/* Hands the page over, with the state that it leads to. */
void source_poll_submit(struct source_poll *poll);

/* The same, its rows read first. */
void source_poll_submit_rows(struct source_poll *poll);

/* Stores the next state without rows. */
void source_poll_submit_state(struct source_poll *poll);

/* Ends this run of the walk as failed; `err` may live in poll->step. */
void source_poll_fail(struct source_poll *poll, enum status status,
                      const struct error *err);

/* Pauses the walk until the provider allows the next request. */
void source_poll_end_limited(struct source_poll *poll);

/* Ends polling: the provider says that the list is no more. The state stays; a
 * walk that is asked for tries once more. */
void source_poll_end_gone(struct source_poll *poll, unsigned status);

/* Tells the observer of one request. */
void source_poll_tell_asked(const struct source_poll *poll,
                            const struct poll_asked *more);

/* The provider's clock now, by its last answer; 0 when it has not spoken. */
int64_t source_poll_provider_ms(const struct source_poll *poll);

/* ---- lag ---- */

/* Takes into the state how late the list showed what a page brought. */
void poll_lag_stored(struct source_poll *poll, const struct verdict *verdict);

/* Sets the overlap of the next walk, where it follows the lag. */
void poll_lag_follow(struct source_poll *poll);

/* Returns how late the list may be for what it shows to be found. */
int64_t poll_lag_covered_ms(const struct source_poll *poll);

/* ---- pace ---- */

/* Notes what a stored page has brought. */
void poll_pace_stored(struct source_poll *poll, const struct verdict *verdict);

/* Decides how long after its begin the whole walk is followed by the next. */
void poll_pace_walked(struct source_poll *poll);

/* Tells that the end is reached. */
void source_poll_tell_stopped(struct source_poll *poll);

#endif
