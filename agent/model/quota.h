/* SPDX-License-Identifier: MIT */
/*
 * quota: rates as values: a token bucket for requests out (budget) and in
 * (rate), and what an answer's limit headers ask of us. Pure.
 */
#ifndef MODEL_QUOTA_H
#define MODEL_QUOTA_H

#include "base/status.h"
#include "model/connector.h"
#include "wire/http_field.h"

#include <stdint.h>

/* GCRA: `count` in `per_ms`, as a burst. count 0 means no limit. */
struct quota {
    int64_t count;
    int64_t per_ms;
    int64_t full_at_us; /* theoretical arrival time; start with 0 */
    int64_t burst;      /* so many at once at most; 0: `count` */
};

/* Returns 0 and takes one, or how many ms to wait before asking again. Any
 * clock in ms that does not go back. */
int64_t quota_take(struct quota *quota, int64_t now_ms);

/* How many could be taken now; INT64_MAX without a limit. */
int64_t quota_room(const struct quota *quota, int64_t now_ms);

/* How long until one can be taken; 0: now. */
int64_t quota_wait(const struct quota *quota, int64_t now_ms);

/* Takes `count` that there is room for; or gives back what was not used. */
void quota_spend(struct quota *quota, int64_t count, int64_t now_ms);
void quota_give(struct quota *quota, int64_t count);

/* What an answer asks of us. */
struct quota_advice {
    bool limited;             /* 429, 503, or a status the connector names */
    int64_t wait_ms;          /* from the answer on; 0: nothing asked */
    int64_t poll_interval_ms; /* X-Poll-Interval; 0: none */
    bool gone;                /* the list is no more */
    enum {
        RETRY_UNSAID,
        RETRY_SOON, /* the failure passes by itself */
        RETRY_LATER /* asking again soon is no use */
    } retry;
};

/* How long a feed asks to leave until it is read again, an hour at most; 0: it
 * does not say, or the connector does not ask it. `json` is what wire/feed
 * makes. */
int64_t quota_feed_interval_ms(const struct connector *connector,
                               struct slice json);

/*
 * Reads Retry-After (headers, JSON, decimals, dates), then the reset headers
 * (X-RateLimit-… and RateLimit-… where the connector names none), else the
 * floor; `remaining` 0 on a good answer waits for the reset too;
 * `used_of` slows down from 80 %; what a failed answer says of trying again,
 * and how long a good one stays right. Waits are cut to 1 h (an absurd value
 * must not stop a connector for good). `body` is JSON that was checked, or
 * empty.
 */
NODISCARD
enum status quota_advise(const struct connector *connector, unsigned status,
                         struct http_fields fields, struct slice body,
                         int64_t now_ms, struct quota_advice *ret_advice);

#endif
