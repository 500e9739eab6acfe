/* SPDX-License-Identifier: MIT */
/*
 * hooks: sends a signed webhook for each fact, with the faults of a bad
 * network: some never leave, some leave twice, some overtake others, some come
 * long after the list has shown their fact.
 *
 * A hook that is not answered 2xx is tried again a few times, then given up,
 * as providers do.
 */
#ifndef PROVIDER_HOOKS_H
#define PROVIDER_HOOKS_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fact;
struct hooks;
struct journal;
struct loop;
struct orders;

struct hooks_settings {
    const char *url; /* NULL: no hooks at all */
    const char *secret;
    uint64_t seed;
    int64_t lost_percent;      /* never sent */
    int64_t doubled_percent;   /* sent twice, half of them under a new id */
    int64_t reordered_percent; /* held back for up to reorder_ms */
    int64_t reorder_ms;
    int64_t late_percent; /* of the first late_among facts: held back until */
    int64_t late_ms;      /* so long after the list has shown the fact */
    size_t late_among;
    bool flat; /* {"id","event","data":{…},"timestamp"} instead of
                  {"event","timestamp","data":{"order":{…}}} */
};

NODISCARD
enum status hooks_create(struct loop *loop, const struct hooks_settings *s,
                         const struct orders *orders, struct journal *journal,
                         struct hooks **ret, struct error *err);
void hooks_destroy(struct hooks *hooks);

/* Sends the hooks of a fact, or loses them, as chance will have it. */
NODISCARD
enum status hooks_send(struct hooks *hooks, const struct fact *fact);

/* The list has shown this fact for the first time. */
void hooks_listed(struct hooks *hooks, const struct fact *fact);

/* How many are neither answered nor given up. */
size_t hooks_outstanding(const struct hooks *hooks);

#endif
