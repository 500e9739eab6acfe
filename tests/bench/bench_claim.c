/* SPDX-License-Identifier: MIT */
/*
 * bench_claim: what a claim costs beside so many deliveries that wait, and
 * beside a lane with so many behind a head that fails.
 *
 *     bench_claim --store sqlite:PATH [--pending 1000] [--lane 0]
 *         [--rounds 500] [--limit 32]
 *
 * Each round claims `--limit` deliveries and ends them, as many come anew, so
 * that the number stays. The store is made anew; it must not be there.
 */
#include <stdbool.h>

#include "bench/bench.h"
#include "io/clock.h"
#include "model/identity.h"
#include "store/store.h"

enum { GROUP = 512, ROUNDS_MAX = 100000 };

/* Keys begin with the second of their event: the ledger grows at its end, as it
 * does behind a provider. */
#define FIRST_S      1790000000
#define EVENTS_A_SEC 1000

/* Later than any clock this runs under. */
#define FAR_MS ((int64_t)4000000000000)

struct feed {
    struct store *store;
    uint32_t connector;
    uint32_t handler;
    uint64_t next;
    struct sighting sightings[GROUP];
    struct owed owed[GROUP];
    char bodies[GROUP][BENCH_EVENT_BYTES];
    char ids[GROUP][32];
};

static void
require(enum status status, const struct error *err, const char *words)
{
    if (status != STATUS_OK) {
        bench_die(words, error_text(err, status));
    }
}

static void
fill(struct feed *feed, size_t at, bool in_lane)
{
    struct sighting *sighting = &feed->sightings[at];
    uint64_t number = feed->next++;
    int64_t at_s = FIRST_S + (int64_t)(number / EVENTS_A_SEC);
    bench_event(feed->bodies[at], "c", number, at_s);
    int len =
        snprintf(feed->ids[at], sizeof(feed->ids[at]), "e%012" PRIu64, number);
    feed->owed[at] = (struct owed){ .handler = feed->handler,
                                    .has_lane = in_lane,
                                    .lane = 7 };
    *sighting = (struct sighting){
        .via = CHANNEL_WEBHOOK,
        .key_count = 1,
        .id = { feed->ids[at], (size_t)len },
        .type = SLICE("charge.succeeded"),
        .content_type = SLICE("application/json"),
        .body = { feed->bodies[at], BENCH_EVENT_BYTES },
        .owed = &feed->owed[at],
        .owed_count = 1,
    };
    sighting->keys[0].role = KEY_ID;
    sighting->keys[0].key = identity_floor_key(at_s);
    memcpy(sighting->keys[0].key.bytes + LEDGER_KEY_BYTES - sizeof(number),
           &number, sizeof(number));
}

static void
apply(struct feed *feed, struct store_unit *unit)
{
    struct store_unit *const units[] = { unit };
    struct error err = { 0 };
    unit->connector = feed->connector;
    require(feed->store->ops->apply(feed->store, units, 1, &err), &err,
            "apply");
    require(unit->status, &unit->err, "apply");
}

static void
owe(struct feed *feed, int64_t count, bool in_lane)
{
    while (count > 0) {
        size_t some = count < GROUP ? (size_t)count : GROUP;
        for (size_t i = 0; i < some; i++) {
            fill(feed, i, in_lane);
        }
        struct store_unit unit = { .sightings = feed->sightings,
                                   .sighting_count = some };
        apply(feed, &unit);
        count -= (int64_t)some;
    }
}

static struct store_claims
claim(struct feed *feed, size_t limit)
{
    struct store_claims claims = { 0 };
    struct error err = { 0 };
    require(feed->store->ops->claim(feed->store, feed->handler, clock_unix_ms(),
                                    FAR_MS, limit, &claims, &err),
            &err, "claim");
    return claims;
}

static void
settle(struct feed *feed, struct store_claims *claims, enum outcome_kind kind)
{
    static struct store_outcome outcomes[GROUP];
    for (size_t i = 0; i < claims->count; i++) {
        outcomes[i] = (struct store_outcome){
            .event = claims->at[i].event->number,
            .handler = feed->handler,
            .attempt = claims->at[i].attempt,
            .kind = kind,
            .due_ms = FAR_MS,
        };
        event_unref(claims->at[i].event);
    }
    struct store_unit unit = { .outcomes = outcomes,
                               .outcome_count = claims->count };
    apply(feed, &unit);
    mem_free(claims->at);
}

static void
measure(struct feed *feed, size_t limit, size_t rounds)
{
    static uint32_t claim_us[ROUNDS_MAX];
    clock_t cpu = 0;
    int64_t began_us = bench_now_us();
    for (size_t i = 0; i < rounds; i++) {
        int64_t from_us = bench_now_us();
        clock_t from = clock();
        struct store_claims claims = claim(feed, limit);
        cpu += clock() - from;
        claim_us[i] = (uint32_t)(bench_now_us() - from_us);
        if (claims.count != limit) {
            bench_die("claim", "fewer were due than there should be");
        }
        settle(feed, &claims, OUTCOME_DONE);
        owe(feed, (int64_t)limit, false);
    }
    int64_t took_us = bench_now_us() - began_us;
    printf("{\"claim_p50_us\":%" PRIu32 ",\"claim_p99_us\":%" PRIu32
           ",\"claim_cpu_us\":%.1f,\"deliveries_per_s\":%.0f}\n",
           bench_percentile(claim_us, rounds, 50),
           bench_percentile(claim_us, rounds, 99),
           (double)cpu * 1e6 / CLOCKS_PER_SEC / (double)rounds,
           (double)(rounds * limit) * 1e6 / (double)took_us);
}

int
main(int argc, char **argv)
{
    static struct feed feed;
    const struct store_settings settings = { .page_size = 4096 };
    const char *url = bench_text(argc, argv, "--store", "");
    int64_t pending = bench_number(argc, argv, "--pending", 1000);
    int64_t lane = bench_number(argc, argv, "--lane", 0);
    int64_t limit = bench_number(argc, argv, "--limit", 32);
    int64_t rounds = bench_number(argc, argv, "--rounds", 500);
    struct error err = { 0 };
    if (limit < 1 || limit > GROUP || rounds < 1 || rounds > ROUNDS_MAX) {
        bench_die("--limit, --rounds", "out of range");
    }
    require(store_open(url, &settings, &feed.store, &err), &err, "open");
    const struct store_ops *ops = feed.store->ops;
    require(ops->name(feed.store, STORE_CONNECTOR, slice_of("bench"),
                      &feed.connector, &err),
            &err, "name");
    require(ops->name(feed.store, STORE_HANDLER, slice_of("bench"),
                      &feed.handler, &err),
            &err, "name");
    owe(&feed, lane, true);
    if (lane > 0) {
        struct store_claims head = claim(&feed, 1);
        settle(&feed, &head, OUTCOME_LATER);
    }
    owe(&feed, pending, false);
    measure(&feed, (size_t)limit, (size_t)rounds);
    ops->close(feed.store);
    return 0;
}
