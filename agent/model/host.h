/* SPDX-License-Identifier: MIT */
/*
 * host: which connectors ask the same provider as the same account, so that to
 * the provider they are one: one budget, one request to keep away. Pure.
 *
 * The same is: the origin of the list's URL (scheme, host, port), and the
 * secrets that requests name.
 */
#ifndef MODEL_HOST_H
#define MODEL_HOST_H

#include "base/mem.h"
#include "base/status.h"
#include "model/connector.h"
#include "model/quota.h"

/* Writes for each of `count` connectors the index of the first one that shares
 * its host, its own when that is none. Those that do not poll share nothing.
 * STATUS_NOMEM only. */
NODISCARD
enum status host_group(const struct connector *connectors, size_t count,
                       size_t *ret_groups);

/* Appends the origin that the connector's list is asked at:
 * "https://api.example.com:8443". STATUS_NOT_FOUND where it has no list, or
 * that cannot be told without a walk. */
NODISCARD
enum status host_origin(const struct connector *connector, struct buf *into);

/* Returns the budget that all of `group` keep: the lowest rate any of them has;
 * count 0 where none has one. */
struct quota host_budget(const struct connector *connectors, size_t count,
                         const size_t *groups, size_t group);

#endif
