/* SPDX-License-Identifier: MIT */
/*
 * live: what happens now, for whoever reads along: a bounded ring of entries
 * with numbers, and readers that go on where they were.
 *
 * While nobody reads, and nobody has read for LIVE_LINGER_MS, nothing is kept
 * and an entry costs one comparison. A reader that comes back within that time
 * finds what it missed; one for whom the ring has moved on is told so.
 */
#ifndef APP_LIVE_H
#define APP_LIVE_H

#include "base/bytes.h"
#include "base/list.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LIVE_LINGER_MS  60000
#define LIVE_RING       2048 /* entries kept, and */
#define LIVE_RING_BYTES ((size_t)1 << 20)

enum live_topic {
    LIVE_EVENTS,
    LIVE_DELIVERIES,
    LIVE_WALKS,
    LIVE_REFUSALS,
    LIVE_GAPS,
    LIVE_STATS,
    LIVE_TOPICS
};

const char *live_topic_name(enum live_topic topic);

struct loop;
struct live;

/* One thing that happened. "" where there is none of it. */
struct live_entry {
    uint64_t number; /* given by the ring; grows for ever, over restarts too */
    enum live_topic topic;
    struct slice connector;
    struct slice handler;
    struct slice type; /* the event's */
    struct slice data; /* a JSON object on one line */
};

/* Who reads along, and what: entries that have none of what is named here are
 * for all. Embedded in what reads. All slices are borrowed
 * for as long as it does. */
struct live_reader {
    struct list link;
    unsigned topics;                 /* bits, 1 << topic */
    struct slice connector, handler; /* "": any */
    struct slice type;               /* a glob; "": any */
    /* Something came: called later, once for many. It may leave. */
    void (*wake)(void *arg);
    void *arg;
    uint64_t next; /* live's */
};

/* `now_ms` is Unix ms: numbers begin above those of an earlier process.
 * `linger_ms`: how long the ring is kept for who may come back. */
NODISCARD
enum status live_create(struct loop *loop, int64_t now_ms, int64_t linger_ms,
                        struct live **ret);

/* No reader may be left. NULL is allowed. */
void live_destroy(struct live *live);

/* Whether anybody would see an entry. NULL is allowed. */
bool live_wants(const struct live *live);

/* Adds an entry, copied. Without memory all that the ring has is lost, which
 * its readers are told. */
void live_add(struct live *live, const struct live_entry *entry);

/* Begins to read behind `last`, the number of the last entry seen; 0: with what
 * comes from now on. */
void live_join(struct live *live, struct live_reader *reader, uint64_t last);
void live_leave(struct live *live, struct live_reader *reader);

/*
 * Returns the next entry for the reader, or NULL when it has seen all. It lives
 * until the next live_add. `*ret_lost`: entries before it, or before the next
 * one to come, are gone, whether they were for this reader or not.
 */
const struct live_entry *live_next(struct live *live,
                                   struct live_reader *reader, bool *ret_lost);

/* Whether the ring has moved on over what the reader has not seen. */
bool live_is_behind(const struct live *live, const struct live_reader *reader);

/* The number that a reader who has seen all goes on behind. */
uint64_t live_last(const struct live *live);

/* Whether anybody reads this topic now. NULL is allowed. */
bool live_is_read(const struct live *live, enum live_topic topic);

#endif
