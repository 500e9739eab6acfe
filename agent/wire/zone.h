/* SPDX-License-Identifier: MIT */
/*
 * zone: time zones: what the clocks of a place show at an instant. From the
 * bytes of a zoneinfo file (TZif, RFC 8536), or from a rule as POSIX writes it
 * (TZ: "CET-1CEST,M3.5.0,M10.5.0/3"). Opens no file.
 */
#ifndef WIRE_ZONE_H
#define WIRE_ZONE_H

#include "base/bytes.h"
#include "base/mem.h"
#include "base/status.h"

#include <stdint.h>

struct zone; /* lives in its arena */

/* Reads a zoneinfo file; `bytes` are borrowed. STATUS_INVALID with words. */
NODISCARD
enum status zone_read(struct slice bytes, struct arena *arena,
                      const struct zone **ret_zone, struct error *err);

/* Reads a rule; STATUS_INVALID when it is none. Only the Mm.w.d form of
 * transitions is known. */
NODISCARD
enum status zone_rule(struct slice text, struct arena *arena,
                      const struct zone **ret_zone);

/* Returns how far the clocks there are ahead of UTC. */
int64_t zone_offset_ms(const struct zone *zone, int64_t at_ms);

/*
 * Returns the latest instant at or before `at_ms`, in steps of `unit_ms`, whose
 * wall time there comes but once: what a bound has to be that is given to
 * somebody who reads such clocks. As clocks are set back an hour comes twice,
 * and its first half would be lost if it were read as the second.
 */
int64_t zone_sure_ms(const struct zone *zone, int64_t at_ms, int64_t unit_ms);

#endif
