/* SPDX-License-Identifier: MIT */
/*
 * listing: answers `GET /v1/orders?since=`, page by page, to whoever has the
 * token.
 *
 * Ascending by (updated_at, id), `since` inclusive, the next page by a Link
 * (RFC 8288), a Date by the provider's own clock, an ETag, and now and then a
 * 429 with Retry-After.
 */
#ifndef PROVIDER_LISTING_H
#define PROVIDER_LISTING_H

#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

struct listing;
struct loop;
struct orders;
struct showing;

struct listing_settings {
    const char *address; /* "127.0.0.1:0" */
    const char *token;
    uint64_t seed;
    int64_t page_size;
    int64_t limited_percent; /* of the requests are answered 429 */
    int64_t limit_rest_ms;   /* but none so long after another */
    int64_t skew_ms;         /* added to our clock */
    bool trailing;           /* only an empty page is the last */
};

NODISCARD
enum status listing_create(struct loop *loop, const struct listing_settings *s,
                           struct orders *orders, struct showing *showing,
                           struct listing **ret, struct error *err);
void listing_destroy(struct listing *listing);

uint16_t listing_port(const struct listing *listing);

#endif
