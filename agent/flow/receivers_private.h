/* SPDX-License-Identifier: MIT */
/*
 * receivers_private: what receivers (their way to the store and to dispatch),
 * receivers_change (what is asked for) and receivers_test (test events) share.
 */
#ifndef FLOW_RECEIVERS_PRIVATE_H
#define FLOW_RECEIVERS_PRIVATE_H

#include "base/list.h"
#include "flow/pauses.h"
#include "flow/receivers.h"

struct receivers {
    struct loop *loop;
    struct receivers_settings settings;
    struct store_worker *worker;
    struct dispatch *dispatch;
    struct list places;
    size_t count; /* of those that are not removed */
    struct metric *disabled;
};

struct receivers_place {
    struct list link;
    struct receivers *receivers;
    struct arena arena;   /* of what the receiver says */
    struct arena secrets; /* of its secrets, which change */
    struct receiver receiver;
    uint32_t number;    /* the store's; 0: not stored yet */
    struct pause pause; /* while it is disabled */
    struct handler *handler;
    bool is_removed;
    size_t testing;            /* test events that are under way */
    int64_t stored_failing_ms; /* what the store knows */
    int64_t saving_failing_ms;
    bool is_enabling;       /* the change that is under way does */
    bool is_dirty;          /* an attempt told what the store must know */
    struct buf state;       /* on its way there */
    struct store_call call; /* one at a time */
    bool is_open;
    receivers_done_fn *done; /* NULL: nobody waits */
    void *done_arg;
};

/* NULL: there is none of this id. */
struct receivers_place *receivers_place_of(const struct receivers *receivers,
                                           struct slice id);

/* Makes a place of what its state says; it is not in the list yet. */
NODISCARD
enum status receivers_make_place(struct receivers *receivers,
                                 struct slice state,
                                 struct receivers_place **ret,
                                 struct error *err);
void receivers_destroy_place(struct receivers_place *place);

/* Copies secrets into an arena that is their own: it goes with them. */
NODISCARD
enum status receivers_take_secrets(struct receivers_place *place,
                                   const struct receiver *from);

/* Its handler signs with the secrets of `receiver` from here on. */
NODISCARD
enum status receivers_sign_with(struct receivers_place *place,
                                const struct receiver *receiver,
                                struct error *err);

void receivers_count_disabled(const struct receivers *receivers);

/* Gives it to dispatch. STATUS_BUSY: there is no room. */
NODISCARD
enum status receivers_give(struct receivers_place *place);

/* Has the store drop what a removed one is owed, then frees its place. */
void receivers_forget(struct receivers_place *place);

/* Fills the call in and hands it over; NULL: without a state. */
NODISCARD
enum status receivers_submit(struct receivers_place *place,
                             enum store_receiver_act act,
                             const struct receiver *state,
                             void (*done)(struct store_call *call));

/* Stores what attempts told, as soon as no other call is under way. */
void receivers_save(struct receivers_place *place);

/* Sends a test event; STATUS_OK: receivers_tested will come. */
NODISCARD
enum status receivers_send_test(struct receivers_place *place);
void receivers_tested(struct receivers_place *place,
                      const struct handler_result *result);

#endif
