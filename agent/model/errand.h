/* SPDX-License-Identifier: MIT */
/*
 * errand: what an operator wants done with many deliveries (dead letters tried
 * again or dropped, old events replayed), which of them, how fast, and how far
 * it is. Pure.
 *
 * An errand goes over what there was when it began, the oldest first, in
 * slices. Its state is stored with each slice, so that after a crash it goes on
 * behind the last that is durable. So many of its deliveries at most are open
 * at a time: what fails again holds the rest back instead of piling up.
 */
#ifndef MODEL_ERRAND_H
#define MODEL_ERRAND_H

#include "base/bytes.h"
#include "base/mem.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Why a delivery is there, and what an errand does. */
enum again {                   /* stored: values never change */
             AGAIN_NOT = 0,    /* its event is new */
             AGAIN_RETRY = 1,  /* it was a dead letter */
             AGAIN_REPLAY = 2, /* its event is old */
             AGAIN_DROP = 3 /* never of a delivery: a dead letter that goes */
};

/* "retry", "replay", "drop"; "" for AGAIN_NOT. */
const char *errand_kind_name(enum again kind);

/* Which of the dead letters, or of the events; what is empty asks for nothing.
 * Texts are borrowed. */
struct errand_filter {
    uint64_t event;         /* this one alone */
    struct slice connector; /* names, whole */
    struct slice handler;
    struct slice type;   /* a glob */
    struct slice reason; /* part of a letter's reason or answer, any case */
    int64_t since_ms;    /* died, or was accepted, from then */
    int64_t until_ms;    /* and before then; 0: whenever */
};

/* Whether a dead letter's words are those that are asked for. */
bool errand_says(const struct errand_filter *filter, struct slice reason,
                 struct slice answer);

struct errand {
    enum again kind;
    bool is_over;
    struct errand_filter filter;
    int64_t rate; /* in rate_per_ms at most; 0: as fast as they end */
    int64_t rate_per_ms;
    uint64_t at;          /* done up to this number */
    uint64_t first, last; /* the lowest and the highest there were */
    int64_t total;        /* that met the filter when it began */
    int64_t began_ms, ended_ms;
};

/* Goes on to a letter or an event: false where that is younger than the errand,
 * which then has gone over all that it is about. */
bool errand_reach(struct errand *errand, uint64_t number);

/* How much of it has been gone over: 0…1000. */
int errand_permille(const struct errand *errand);

/* Appends the text that is stored. */
void errand_encode(const struct errand *errand, struct buf *into);

/* Reads it back; its texts are copied into `arena`. STATUS_CORRUPT when it is
 * none. */
NODISCARD
enum status errand_decode(struct slice text, struct arena *arena,
                          struct errand *ret);

/* How fast an errand goes. */
struct errand_pace {
    int64_t free_ms; /* monotonic: when the next may go */
};

/*
 * How many may go at `now_ms` (monotonic), `open` of its deliveries not being
 * over and `most` allowed to be so; in a slice of `slice` at most. Nothing is
 * open of a drop. 0: `*ret_wait_ms` says when to ask again.
 */
size_t errand_room(const struct errand *errand, const struct errand_pace *pace,
                   int64_t open, int64_t most, size_t slice, int64_t now_ms,
                   int64_t *ret_wait_ms);

/* `count` have gone. */
void errand_went(const struct errand *errand, struct errand_pace *pace,
                 size_t count, int64_t now_ms);

#endif
