/* SPDX-License-Identifier: MIT */
/*
 * sighting: one channel's view of one fact, before it is known whether the
 * fact is new: its keys, what the provider says of it, its bytes, and the
 * handlers it is owed to if it is new.
 *
 * Everything is borrowed from the arrival the sighting belongs to.
 */
#ifndef MODEL_SIGHTING_H
#define MODEL_SIGHTING_H

#include "base/bytes.h"
#include "model/channel.h"
#include "model/event.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LEDGER_KEY_BYTES 16

/* T (4 bytes, big-endian seconds) and 12 bytes of SHA-256; see identity.h. */
struct ledger_key {
    unsigned char bytes[LEDGER_KEY_BYTES];
};

enum key_role {
    KEY_ID,    /* the id of the event itself */
    KEY_STATE, /* type:object:version, the same in both channels */
    KEY_BODY   /* the signed bytes, where the id is not among them */
};

#define SIGHTING_KEYS_MAX 3

struct sighting_key {
    enum key_role role;
    struct ledger_key key;
    /* How many 8-day buckets to look back and ahead; 0 when T is the key's own
     * time (key_time). */
    uint8_t probes_back;
    uint8_t probes_ahead;
};

/* One handler the event is owed to. */
struct owed {
    uint32_t handler; /* the store's number */
    bool hot;         /* a slot is held for it: born leased, attempt 1 */
    bool has_lane;    /* order_by: never hot */
    int64_t lane;
    size_t place; /* dispatch's: where it found the handler */
};

struct sighting {
    enum channel via;
    struct sighting_key keys[SIGHTING_KEYS_MAX];
    size_t key_count;
    /* A webhook whose type a row of this connector stands for: it is known
     * when its state key was brought by a walk. */
    bool covered_by_row;
    bool beyond_horizon; /* stamped below the floor, keyed by receipt */
    struct slice id;     /* as text, what handlers see */
    struct slice type;
    int64_t time_ms; /* the provider's stamp; 0 when there is none */
    int64_t received_ms;
    int64_t imported_ms;  /* when another store recorded it; 0: it comes now */
    struct slice headers; /* kept request fields, "name: value\n" each */
    struct slice content_type;
    struct slice body;      /* the provider's bytes */
    enum event_needs needs; /* of the event, if it is new */
    bool may_fill; /* a webhook whose bytes an event of a walk may wait for */
    /* Its keys are made as those of the stored past were not: when they are
     * unknown it is an event of its stamp that is here already, a webhook one
     * of its bytes. */
    bool seed;
    const struct owed *owed;
    size_t owed_count;
    /* Written by the store before its answer: */
    bool fresh;          /* new: an event was made */
    uint64_t number;     /* of the event it is or was, 0 when that is gone */
    int64_t recorded_ms; /* fresh: when the event was recorded */
    bool seen_by_via;    /* not fresh: this channel had shown it before */
    bool filled; /* not fresh: its bytes are now those of an event that waited
                    for them, and its deliveries are due */
    bool seeded; /* not fresh: its keys were led to an event of its stamp */
    bool late;   /* the first webhook of an event already counted recovered */
    bool confirmed; /* the second of both channels, within grace of the first */
};

#endif
