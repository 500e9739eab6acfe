/* SPDX-License-Identifier: MIT */
/*
 * webhook_door: who may send webhooks, by address and rate, which its head
 * alone says.
 */
#ifndef SOURCE_WEBHOOK_DOOR_H
#define SOURCE_WEBHOOK_DOOR_H

#include "base/bytes.h"
#include "base/status.h"
#include "model/address.h"
#include "model/connector.h"
#include "model/quota.h"
#include "wire/http_request.h"

#include <stdbool.h>
#include <stdint.h>

/* What all connectors share. */
struct webhook_door {
    const struct cidr *trusted; /* proxies; borrowed */
    size_t trusted_count;
    struct senders *senders; /* NULL: each may come as it likes */
};

/* Lets each sender come `count` times in `per_ms`; 0: as it likes.
 * STATUS_NOMEM, or no chance could be drawn. */
NODISCARD
enum status webhook_door_limit(struct webhook_door *door, int64_t count,
                               int64_t per_ms);
void webhook_door_close(struct webhook_door *door);

/* Who really sent a request; borrowed from `peer` or the request. */
struct slice webhook_door_sender(const struct webhook_door *door,
                                 const struct http_request *request,
                                 struct slice peer);

/* Whether the connector's allow_from has the sender. */
bool webhook_door_admits(const struct connector *connector,
                         struct slice sender);

/* Takes one of what the sender may, and of the connector's `rate`. Returns 0,
 * or how many ms to wait: who comes too often takes nothing of the latter. */
int64_t webhook_door_take(struct webhook_door *door, struct quota *rate,
                          struct slice sender, int64_t now_ms);

#endif
