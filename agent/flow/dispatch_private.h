/* SPDX-License-Identifier: MIT */
/*
 * dispatch_private: what dispatch (slots, claims, attempts) and dispatch_route
 * (what comes in) share: an outlet with its slots, and all of them.
 */
#ifndef FLOW_DISPATCH_PRIVATE_H
#define FLOW_DISPATCH_PRIVATE_H

#include "flow/dispatch.h"
#include "flow/gather.h"
#include "flow/settle.h"

struct outlet {
    struct dispatch *dispatch;
    const struct outlet_settings *settings;
    struct outlet_settings own; /* of one that came later */
    bool retired;               /* it is going, or gone: its place is free */
    bool prepared;              /* retired, but it is to come */
    size_t alive;               /* attempts until their outcome is durable */
    void (*gone)(void *arg);    /* NULL: it is gone, or stays */
    void *gone_arg;
    struct telemetry_handler counts;
    struct settle_rules rules;
    struct brake *brake;
    int64_t busy;     /* slots that run, are held, or are being claimed for; of
                         batches, deliveries that are not with their handler */
    int64_t claiming; /* of those, asked of the store */
    int64_t batches;  /* with their handler: each takes one slot */
    struct gather *gather; /* NULL: each delivery goes alone */
    bool backlog;
    struct {
        bool backlog;
        int64_t busy;    /* slots of those that it has: at most half of them */
        int64_t batches; /* of those with their handler */
        unsigned past;   /* claims that went past it */
    } again;             /* what comes again */
    bool has_lanes;      /* by order_by, or still owed from when it had one */
    const struct pause *pause; /* NULL: it never is */
    struct loop_timer *timer;  /* the earliest due of what waits */
    int64_t due_ms;            /* Unix ms it is armed for, 0: not armed */
    struct store_call call;    /* the claim, one at a time */
    bool claim_open;
};

struct dispatch {
    struct loop *loop;
    struct store_worker *worker;
    struct dispatch_settings settings;
    struct settle *settle;
    struct outlet *outlets; /* room for outlet_count and those that come */
    size_t room;
    size_t retiring;
    struct dispatch_epoch first; /* that of the settings */
    struct dispatch_epoch *epoch;
    struct list epochs; /* all in which anything is alive, and that one */
    struct jumps jumps;
    struct {
        struct store_recall *recalls; /* one for each outlet */
        struct store_call call;
        bool started;
        bool recalling;
        bool wanted; /* at the start, or again: it was set back, or the store
                        had no room */
    } clock;
    size_t running; /* attempts with a handler */
    size_t closing; /* handlers that let go of what they keep */
    bool closed;    /* they were asked to */
    bool stopping;
    struct loop_timer *grace;
    int64_t grace_ms; /* still to be waited for; < 0: it is */
    void (*stopped)(void *arg);
    void *stopped_arg;
    void (*waiting)(void *arg); /* NULL: nobody shares the store */
    void *waiting_arg;
};

/* Whether the outlet has a free slot and may use it now. */
bool dispatch_may_start(const struct outlet *outlet);

/*
 * Starts an attempt in a slot that is already counted as busy; takes the
 * reference of the claim's event. Not where the lease has too little left: the
 * machine has slept while the store answered, and the next attempt could begin
 * beside this one. The delivery is claimed again when the lease is over.
 */
void dispatch_start_attempt(struct outlet *outlet,
                            const struct store_claim *claim,
                            int64_t lease_until_ms);

/* Looks at both clocks, before anything is decided by ours: where it was set
 * back, and at the start, what waits beyond any wait is made due. */
void dispatch_note_clock(struct dispatch *dispatch);

/* Makes sure the outlet wakes at `due_ms`. */
void dispatch_wake_at(struct outlet *outlet, int64_t due_ms);

/* Claims for all outlets: for what frees slots, or the way, of any of them. */
void dispatch_claim_all(struct dispatch *dispatch);

/* Frees the slot of a delivery. */
void dispatch_free_slot(struct outlet *outlet, bool again);

/* Ends an attempt and frees its slot. `release`: what is not done is given
 * back. */
void dispatch_end_attempt(struct attempt *attempt,
                          const struct handler_result *result, bool release);

/* Takes what a result says of the handler itself. */
void dispatch_note_result(struct outlet *outlet,
                          const struct handler_result *result);

/* Whether what was claimed may go to its handler. */
bool dispatch_may_go_on(const struct outlet *outlet);

/* Claims for one outlet, if it may start any. */
void dispatch_claim(struct outlet *outlet);

/* Makes an outlet of its settings, in a place that is empty. */
NODISCARD
enum status dispatch_open_outlet(struct dispatch *dispatch,
                                 struct outlet *outlet,
                                 const struct outlet_settings *settings);
void dispatch_close_outlet(struct outlet *outlet);

/* dispatch_change: what changes while others go on. */

void dispatch_epochs_init(struct dispatch *dispatch);
const struct connector *dispatch_connector(const struct dispatch_epoch *epoch,
                                           uint32_t number);

/* How long a delivery is leased, with what is fetched before it. */
int64_t dispatch_lease_ms(const struct outlet *outlet);

/* An attempt that began in it is over. */
void dispatch_epoch_end(struct dispatch_epoch *epoch);

/* The outlet itself; where it is retired, the one that has come in its place if
 * there is one. */
struct outlet *dispatch_heir(struct outlet *outlet);

/* The outlet that takes what is owed to a handler; NULL: there is none. */
struct outlet *dispatch_outlet_of(struct dispatch *dispatch, uint32_t number);

/* Slots that attempts of those before it take. */
int64_t dispatch_elder_slots(const struct outlet *outlet);

/* A slot has become free: claims for whoever may use it. */
void dispatch_slot_freed(struct outlet *outlet);

/* dispatch_guests: outlets that come and go. Tells of those that are gone. */
void dispatch_check_retired(struct dispatch *dispatch);

/* dispatch_batch: outlets whose deliveries go together. */

/* How many deliveries it may take, beside those it has. */
int64_t dispatch_batch_room(const struct outlet *outlet);

/* How many of what comes again. */
int64_t dispatch_again_room(const struct outlet *outlet);

/* Takes an attempt that is rendered. */
void dispatch_batch_add(struct outlet *outlet, struct attempt *attempt);

/* Starts the batches of an outlet that are to go, as far as slots are free. A
 * loop_fn. */
void dispatch_batch_start(void *arg);

/* Gives back, untried, what waits for others. */
void dispatch_batch_give_back(struct outlet *outlet);

/* Tells that the end is reached, once nothing is left under way. */
void dispatch_check_stopped(struct dispatch *dispatch);

#endif
