/* SPDX-License-Identifier: MIT */
/*
 * intake: what a request is: a handshake, a forgery, or genuine with these
 * events. Pure calls in a row: check, verify, extract.
 */
#ifndef FLOW_INTAKE_H
#define FLOW_INTAKE_H

#include "source/source.h"

/* What has to be fetched before a request can be answered. Lives as long as the
 * arrival. */
struct intake_want {
    enum { WANT_NOTHING, WANT_KEY, WANT_CONFIRMATION } kind;
    struct verify_want key; /* WANT_KEY: judge again with it */
    struct slice url;       /* WANT_CONFIRMATION: what is to be answered by 2xx
                               before the verdict is given */
};

/*
 * Judges a request and, when it is genuine, fills in the arrival's sightings.
 * The verdict is VERDICT_STORED when there is something to store (or nothing:
 * sighting_count 0, and `signal`), with `answer` and `body` already rendered;
 * else it is final. Words live in the arrival's arena. `floor_ms` is the
 * ledger's: what is stamped below it is keyed by its receipt. `found` is the
 * key that an earlier call wanted, or NULL; while one is wanted the verdict is
 * VERDICT_BUSY.
 */
NODISCARD
enum status intake_judge(struct arrival *arrival,
                         const struct verify_found *found, int64_t now_ms,
                         int64_t floor_ms, struct verdict *ret_verdict,
                         struct intake_want *ret_want);

#endif
