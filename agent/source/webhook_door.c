/* SPDX-License-Identifier: MIT */
/* Addresses that may come, and how often. */
#include "source/webhook_door.h"

#include "model/senders.h"
#include "wire/digest.h"

enum status
webhook_door_limit(struct webhook_door *door, int64_t count, int64_t per_ms)
{
    uint64_t seed[2];
    if (count == 0) {
        return STATUS_OK;
    }
    enum status status = digest_random(seed, sizeof(seed));
    return status == STATUS_OK
               ? senders_create(count, per_ms, seed, &door->senders)
               : status;
}

void
webhook_door_close(struct webhook_door *door)
{
    senders_destroy(door->senders);
    door->senders = NULL;
}

struct slice
webhook_door_sender(const struct webhook_door *door,
                    const struct http_request *request, struct slice peer)
{
    return address_of_sender(peer, request->fields, door->trusted,
                             door->trusted_count);
}

bool
webhook_door_admits(const struct connector *connector, struct slice sender)
{
    const struct webhook_spec *spec = &connector->webhook;
    return spec->allow_count == 0 ||
           address_allowed(spec->allow_from, spec->allow_count, sender);
}

int64_t
webhook_door_take(struct webhook_door *door, struct quota *rate,
                  struct slice sender, int64_t now_ms)
{
    int64_t wait_ms = senders_take(door->senders, sender, now_ms);
    return wait_ms > 0 ? wait_ms : quota_take(rate, now_ms);
}
