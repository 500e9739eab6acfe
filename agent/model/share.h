/* SPDX-License-Identifier: MIT */
/*
 * share: which of several agents does what only one of them may do: a
 * connector's walks, say. Pure.
 *
 * Each agent weighs each connector by a hash of the two (rendezvous hashing:
 * Thaler and Ravishankar, 1998); the heaviest of those that live is the one
 * that should have it. So all who know the same agents agree without a word,
 * and when one comes or goes only what is its own moves.
 *
 * Who has it is what a table says that all share, and no two views of who lives
 * can change that. What is held moves only to an agent that has asked for it
 * and weighs more, so that it comes to rest; nobody waits for who is dead.
 */
#ifndef MODEL_SHARE_H
#define MODEL_SHARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The agents that live, as one of them sees them: by their epochs, numbers that
 * each start of an agent gets and none gets again. */
struct share_view {
    uint64_t self;
    const uint64_t *living; /* epochs, `self` among them */
    size_t count;
    bool is_settled;   /* it lives long enough to ask others for theirs */
    int64_t now_ms;    /* the table's clock */
    int64_t orphan_ms; /* what is free for so long is anybody's: whom it should
                          go to may not know of it */
};

/* What the table says of one connector. */
struct share_row {
    uint32_t connector;
    uint64_t holder;  /* 0: it is free */
    int64_t freed_ms; /* since when */
    uint64_t asked;   /* by whom it was asked for; 0: nobody */
};

enum share_act {
    SHARE_LEAVE, /* as it is */
    SHARE_TAKE,  /* free, and ours */
    SHARE_GIVE,  /* back: another one has asked that weighs more */
    SHARE_ASK    /* its holder for it */
};

/* How much `epoch` weighs for `connector`. */
uint64_t share_weight(uint64_t epoch, uint32_t connector);

/* Who of the living should have it; 0 where there are none. */
uint64_t share_first(const uint64_t *living, size_t count, uint32_t connector);

/* What `view->self` does about a connector that it knows. */
enum share_act share_decide(const struct share_view *view,
                            const struct share_row *row);

#endif
