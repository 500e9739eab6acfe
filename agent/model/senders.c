/* SPDX-License-Identifier: MIT */
/* A quota for each address, a few places where each may stand. */
#include "model/senders.h"

#include <string.h>

#include "base/mem.h"
#include "model/address.h"
#include "model/quota.h"

enum { WAYS = 4, SETS = SENDERS_MAX / WAYS, NETWORK_BYTES = 8 };

struct known {
    unsigned char address[16];
    int64_t full_at_us; /* of its quota; 0: nobody stands here */
};

struct senders {
    int64_t count;
    int64_t per_ms;
    uint64_t seed[2];
    struct known at[SETS][WAYS];
};

enum status
senders_create(int64_t count, int64_t per_ms, const uint64_t seed[2],
               struct senders **ret)
{
    struct senders *senders = mem_zero(sizeof(*senders));
    if (senders == NULL) {
        return STATUS_NOMEM;
    }
    senders->count = count;
    senders->per_ms = per_ms;
    memcpy(senders->seed, seed, sizeof(senders->seed));
    *ret = senders;
    return STATUS_OK;
}

void
senders_destroy(struct senders *senders)
{
    mem_free(senders);
}

static bool
read_address(struct slice text, unsigned char ret_address[16])
{
    static const unsigned char v4_mapped[12] = { [10] = 0xff, [11] = 0xff };
    struct cidr cidr;
    if (slice_find(text, '/') != SIZE_MAX ||
        address_parse_cidr(text, &cidr) != STATUS_OK) {
        return false;
    }
    memcpy(ret_address, cidr.address, 16);
    if (memcmp(cidr.address, v4_mapped, sizeof(v4_mapped)) != 0) {
        memset(ret_address + NETWORK_BYTES, 0, 16 - NETWORK_BYTES);
    }
    return true;
}

/* The address's place, or the one it may take: whose quota fills up first. */
static struct known *
place_of(struct senders *senders, const unsigned char address[16])
{
    struct slice bytes = { (const char *)address, 16 };
    struct known *set = senders->at[slice_hash(bytes, senders->seed) % SETS];
    struct known *place = &set[0];
    for (size_t i = 0; i < WAYS; i++) {
        if (memcmp(set[i].address, address, 16) == 0) {
            return &set[i];
        }
        if (set[i].full_at_us < place->full_at_us) {
            place = &set[i];
        }
    }
    *place = (struct known){ 0 };
    memcpy(place->address, address, 16);
    return place;
}

int64_t
senders_take(struct senders *senders, struct slice address, int64_t now_ms)
{
    unsigned char bytes[16];
    if (senders == NULL || !read_address(address, bytes)) {
        return 0;
    }
    struct known *known = place_of(senders, bytes);
    struct quota quota = { .count = senders->count,
                           .per_ms = senders->per_ms,
                           .full_at_us = known->full_at_us };
    int64_t wait_ms = quota_take(&quota, now_ms);
    known->full_at_us = quota.full_at_us;
    return wait_ms;
}
