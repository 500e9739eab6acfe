/* SPDX-License-Identifier: MIT */
/*
 * channel: the ways an event can come in.
 */
#ifndef MODEL_CHANNEL_H
#define MODEL_CHANNEL_H

#include <stdbool.h>

enum channel { /* stored in the ledger: values never change */
               CHANNEL_WEBHOOK = 0,
               CHANNEL_POLL = 1,
               CHANNEL_STREAM = 2,
               CHANNEL_BACKFILL = 3,
               CHANNEL_COUNT = 4
};

static inline const char *
channel_name(enum channel channel)
{
    static const char *const names[] = { "webhook", "poll", "stream",
                                         "backfill" };
    return names[channel];
}

/* The channels that bring what the provider sends of itself, as bits. */
#define CHANNEL_HOOKS (1U << CHANNEL_WEBHOOK | 1U << CHANNEL_STREAM)

/* Whether the channel brings what the provider sends of itself: to us, or to a
 * relay that hands it on. */
static inline bool
channel_is_hook(enum channel channel)
{
    return channel == CHANNEL_WEBHOOK || channel == CHANNEL_STREAM;
}

/* Whether the channel reads the provider's list. */
static inline bool
channel_is_walk(enum channel channel)
{
    return channel == CHANNEL_POLL || channel == CHANNEL_BACKFILL;
}

#endif
