/* SPDX-License-Identifier: MIT */
#include "conformance/deeds.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct store *store;

int
deeds_close(void **state)
{
    (void)state;
    store->ops->close(store);
    store = NULL;
    return 0;
}

enum status
apply_unit(struct store_unit *unit)
{
    struct store_unit *const units[] = { unit };
    struct error err = { 0 };
    assert_ok(store->ops->apply(store, units, 1, &err));
    return unit->status;
}

struct store_claims
claim(uint32_t handler, int64_t now_ms, int64_t lease_until_ms, size_t limit)
{
    struct store_claims claims = { 0 };
    struct error err = { 0 };
    assert_ok(store->ops->claim(store, handler, now_ms, lease_until_ms, limit,
                                &claims, &err));
    return claims;
}

void
drop(struct store_claims *claims)
{
    for (size_t i = 0; i < claims->count; i++) {
        event_unref(claims->at[i].event);
    }
    mem_free(claims->at);
}

size_t
count_due(uint32_t handler, int64_t now_ms)
{
    struct store_claims claims = claim(handler, now_ms, FAR_MS * 2, 1000);
    size_t count = claims.count;
    drop(&claims);
    return count;
}

uint64_t
claim_one(uint32_t handler, int64_t now_ms, unsigned attempt)
{
    struct store_claims claims = claim(handler, now_ms, FAR_MS * 2, 10);
    assert_int_equal(claims.count, 1);
    assert_int_equal(claims.at[0].attempt, attempt);
    uint64_t number = claims.at[0].event->number;
    drop(&claims);
    return number;
}
