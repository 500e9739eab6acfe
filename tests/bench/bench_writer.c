/* SPDX-License-Identifier: MIT */
/*
 * bench_writer: the store alone, fed from memory: groups of units of one
 * sighting each, as webhooks bring them.
 *
 *     bench_writer --store sqlite:PATH [--seconds 3] [--batch 32] [--owed 0|1]
 *         [--page-size 4096]
 *
 * With --owed 1 each event has one delivery, born leased, and each group ends
 * the deliveries of the one before. --seconds 0 only makes the store.
 */
#include <stdbool.h>
#include <unistd.h>

#include "bench/bench.h"
#include "model/identity.h"
#include "store/store.h"

enum { BATCH_MAX = 1024, EVENTS_PER_STAMP = 20000 };

/* What the agent keeps of the head that bench_load sends. */
#define KEPT_FIELDS                                                            \
    "Host: 127.0.0.1\nUser-Agent: Stripe/1.0\nAccept: */*\n"                   \
    "Content-Type: application/json; charset=utf-8\n"                          \
    "Stripe-Signature: t=1790000000,v1=0123456789abcdef0123456789abcdef"       \
    "0123456789abcdef0123456789abcdef\n"

struct feed {
    struct store *store;
    uint32_t connector;
    struct owed owed;
    size_t batch;
    bool is_owed;
    char series[16];
    int64_t base_s;
    uint64_t next;
    uint64_t ended[BATCH_MAX]; /* events of the group before */
    bool has_ended;
    struct sighting sightings[BATCH_MAX];
    struct store_outcome outcomes[BATCH_MAX];
    struct store_unit units[BATCH_MAX];
    struct store_unit *group[BATCH_MAX];
    char bodies[BATCH_MAX][BENCH_EVENT_BYTES];
    char ids[BATCH_MAX][64];
};

static void
require(enum status status, const struct error *err, const char *words)
{
    if (status != STATUS_OK) {
        bench_die(words, error_text(err, status));
    }
}

static void
fill_sighting(struct feed *feed, size_t at, const struct connector *connector)
{
    struct sighting *sighting = &feed->sightings[at];
    uint64_t number = feed->next++;
    int64_t created_s = feed->base_s + (int64_t)(number / EVENTS_PER_STAMP);
    bench_event(feed->bodies[at], feed->series, number, created_s);
    int len = snprintf(feed->ids[at], sizeof(feed->ids[at]),
                       "evt_%s%012" PRIu64, feed->series, number);
    *sighting = (struct sighting){
        .via = CHANNEL_WEBHOOK,
        .id = { feed->ids[at], (size_t)len },
        .type = SLICE("charge.succeeded"),
        .time_ms = created_s * 1000,
        .received_ms = created_s * 1000,
        .headers = SLICE(KEPT_FIELDS),
        .content_type = SLICE("application/json; charset=utf-8"),
        .body = { feed->bodies[at], BENCH_EVENT_BYTES },
        .owed = &feed->owed,
        .owed_count = feed->is_owed ? 1 : 0,
    };
    if (identity_add(connector, sighting, KEY_ID, sighting->id,
                     sighting->time_ms) != STATUS_OK) {
        bench_die("identity_add", "no key");
    }
}

static void
fill_group(struct feed *feed, const struct connector *connector)
{
    for (size_t i = 0; i < feed->batch; i++) {
        fill_sighting(feed, i, connector);
        feed->outcomes[i] = (struct store_outcome){
            .event = feed->ended[i],
            .handler = feed->owed.handler,
            .attempt = 1,
            .kind = OUTCOME_DONE,
        };
        feed->units[i] = (struct store_unit){
            .connector = feed->connector,
            .sightings = &feed->sightings[i],
            .sighting_count = 1,
            .lease_until_ms = INT64_C(4000000000000),
            .outcomes = &feed->outcomes[i],
            .outcome_count = feed->is_owed && feed->has_ended ? 1 : 0,
        };
        feed->group[i] = &feed->units[i];
    }
}

static void
apply_group(struct feed *feed)
{
    struct error err = { 0 };
    require(
        feed->store->ops->apply(feed->store, feed->group, feed->batch, &err),
        &err, "apply");
    for (size_t i = 0; i < feed->batch; i++) {
        if (!feed->sightings[i].fresh) {
            bench_die("apply", "an event was known before");
        }
        feed->ended[i] = feed->sightings[i].number;
    }
    feed->has_ended = true;
}

int
main(int argc, char **argv)
{
    static struct feed feed;
    struct error err = { 0 };
    struct store_settings settings = {
        .lease_slack_ms = 30000,
        .page_size = bench_number(argc, argv, "--page-size", 4096),
    };
    struct connector connector = { .name = SLICE("pay") };
    int64_t seconds = bench_number(argc, argv, "--seconds", 3);
    feed.batch = (size_t)bench_number(argc, argv, "--batch", 32);
    feed.is_owed = bench_number(argc, argv, "--owed", 1) != 0;
    feed.base_s = (int64_t)time(NULL);
    feed.owed = (struct owed){ .hot = true };
    (void)snprintf(feed.series, sizeof(feed.series), "%ld", (long)getpid());
    if (feed.batch < 1 || feed.batch > BATCH_MAX) {
        bench_die("--batch", "1 to 1024");
    }
    require(digest_init(&err), &err, "libcrypto");
    require(store_open(bench_text(argc, argv, "--store", "sqlite:bench.db"),
                       &settings, &feed.store, &err),
            &err, "open");
    const struct store_ops *ops = feed.store->ops;
    require(ops->name(feed.store, STORE_CONNECTOR, connector.name,
                      &feed.connector, &err),
            &err, "name");
    require(ops->name(feed.store, STORE_HANDLER, slice_of("log"),
                      &feed.owed.handler, &err),
            &err, "name");
    connector.id = feed.connector;
    uint64_t events = 0;
    int64_t busy_us = 0;
    int64_t end_us = bench_now_us() + seconds * 1000000;
    while (bench_now_us() < end_us) {
        fill_group(&feed, &connector);
        int64_t begin_us = bench_now_us();
        apply_group(&feed);
        busy_us += bench_now_us() - begin_us;
        events += feed.batch;
    }
    ops->close(feed.store);
    (void)printf("{\"rate\":%.1f,\"events\":%" PRIu64 "}\n",
                 busy_us == 0 ? 0.0 : (double)events * 1e6 / (double)busy_us,
                 events);
    return 0;
}
