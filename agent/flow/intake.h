/* SPDX-License-Identifier: MIT */
/*
 * intake: what a request is: a handshake, a forgery, or genuine with these
 * events. Pure calls in a row: check, verify, extract.
 */
#ifndef FLOW_INTAKE_H
#define FLOW_INTAKE_H

#include "source/source.h"

/*
 * Judges a request and, when it is genuine, fills in the arrival's sightings.
 * The verdict is VERDICT_STORED when there is something to store (or nothing:
 * sighting_count 0, and `signal`), with `answer` and `body` already rendered;
 * else it is final. Words live in the arrival's arena. `floor_ms` is the
 * ledger's: what is stamped below it is keyed by its receipt.
 */
NODISCARD
enum status intake_judge(struct arrival *arrival, int64_t now_ms,
                         int64_t floor_ms, struct verdict *ret_verdict);

#endif
