/* SPDX-License-Identifier: MIT */
/*
 * senders: how often each address may come: one rate for all, a quota
 * (model/quota) for each, in a table that does not grow. Pure.
 *
 * An address counts as one IPv4 address, or as the /64 that an IPv6 customer is
 * given as a rule. Where more come than the table holds, whoever was nearest to
 * coming freely is forgotten: who comes too often stays known.
 */
#ifndef MODEL_SENDERS_H
#define MODEL_SENDERS_H

#include "base/bytes.h"
#include "base/status.h"

#include <stdint.h>

enum { SENDERS_MAX = 16384 }; /* addresses that are known at a time */

struct senders;

/* `count` in `per_ms` for each address; `seed` is drawn by chance, so that
 * nobody knows which addresses share a place. STATUS_NOMEM. */
NODISCARD
enum status senders_create(int64_t count, int64_t per_ms,
                           const uint64_t seed[2], struct senders **ret);
void senders_destroy(struct senders *senders); /* NULL is allowed */

/* Returns 0 and takes one, or how many ms to wait before asking again; always 0
 * for text that is no address, and without `senders`. Any clock in ms that does
 * not go back. */
int64_t senders_take(struct senders *senders, struct slice address,
                     int64_t now_ms);

#endif
