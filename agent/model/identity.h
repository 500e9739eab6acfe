/* SPDX-License-Identifier: MIT */
/*
 * identity: the keys that make two sightings the same event, and the judgement
 * over what the ledger says of them. Pure.
 *
 * A key is T (4 bytes, big-endian seconds) and 12 bytes of SHA-256 over the
 * connector's name, the role and the id. T belongs to the key, not to the
 * sighting: it is the event's own time only where the connector names a field
 * that is the same in every channel and on every retry (key_time); everywhere
 * else it is the start of the 8-day bucket of receipt, and a look-up probes the
 * buckets back over keep_ids and one ahead. keep_ids never enters a key.
 */
#ifndef MODEL_IDENTITY_H
#define MODEL_IDENTITY_H

#include "model/connector.h"
#include "model/sighting.h"

#define IDENTITY_BUCKET_S   ((int64_t)8 * 24 * 3600)
#define IDENTITY_TIME_BYTES 4
#define IDENTITY_PROBES_MAX 60 /* buckets back, whatever keep_ids says */

/* Makes a key whose T is `time_s`. */
NODISCARD
enum status identity_key(const struct connector *connector, enum key_role role,
                         struct slice id, int64_t time_s,
                         struct ledger_key *ret_key);

/* Adds the key of `id` to the sighting: with `key_time_ms` >= 0 by that time,
 * else by the bucket of receipt with the probes keep_ids asks for. */
NODISCARD
enum status identity_add(const struct connector *connector,
                         struct sighting *sighting, enum key_role role,
                         struct slice id, int64_t key_time_ms);

/* The same key `buckets` later (or earlier, negative). */
struct ledger_key identity_shift(const struct ledger_key *key, int buckets);

/* The smallest key of second `time_s`: what expiry deletes below. */
struct ledger_key identity_floor_key(int64_t time_s);

/* What the ledger knows of one key. */
struct key_seen {
    bool found;
    uint64_t event;
    unsigned channels;    /* bit per enum channel that has shown it */
    bool brought_by_walk; /* a walk showed it first */
};

struct identity_verdict {
    bool known;
    uint64_t event;   /* the event it is, when known */
    bool seen_by_via; /* known, and this channel had shown a key before */
    unsigned insert;  /* bit per key: enters the ledger for this event */
    unsigned mark;    /* bit per key: gets this channel's bit */
};

/*
 * Judges a sighting by what the ledger says of each of its keys. A row of a
 * walk is known when its key is known. A webhook is known when its id or its
 * signed bytes are known, or when its state key was brought by a walk whose row
 * stands for its type. When the bytes are known, an id that came with them does
 * not enter.
 */
struct identity_verdict identity_judge(const struct sighting *sighting,
                                       const struct key_seen *seen);

/*
 * Keys a webhook anew that is stamped below the ledger's floor: by its bucket
 * of receipt, marked beyond_horizon (a duplicate is better than a loss).
 */
NODISCARD
enum status identity_below_floor(const struct connector *connector,
                                 int64_t floor_ms, struct sighting *sighting);

#endif
