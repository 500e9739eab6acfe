/* SPDX-License-Identifier: MIT */
/*
 * store_writer: how fast the SQLite store alone takes events, fed from memory:
 * the yardstick for what stands in front of it.
 *
 *     store_writer FOLDER [BATCH [SECONDS [KEYS]]]
 *
 * Each group has BATCH units of one 1 KiB event with one born-leased delivery,
 * and the outcome of an earlier delivery; KEYS ledger rows are there before.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/prng.h"
#include "io/clock.h"
#include "model/identity.h"
#include "store/store_sqlite_private.h"

#define BATCH_MAX 512

static struct prng prng;

struct bench {
    struct store *store;
    size_t batch;
    uint64_t accepted;
    uint64_t done;
    uint32_t handler;
    uint64_t earlier[BATCH_MAX];
    struct sighting sightings[BATCH_MAX];
    struct store_outcome outcomes[BATCH_MAX];
    struct store_unit units[BATCH_MAX];
    struct store_unit *at[BATCH_MAX];
};

static struct ledger_key
fresh_key(void)
{
    struct ledger_key key = identity_floor_key(clock_unix_ms() / 1000);
    uint64_t a = prng_next(&prng);
    uint64_t b = prng_next(&prng);
    memcpy(key.bytes + 4, &a, 8);
    memcpy(key.bytes + 12, &b, 4);
    return key;
}

static void
prepare(struct bench *bench)
{
    static char body[1024];
    static struct owed owed;
    memset(body, 'x', sizeof(body));
    owed = (struct owed){ .handler = bench->handler, .hot = true };
    int64_t now = clock_unix_ms();
    for (size_t i = 0; i < bench->batch; i++) {
        bench->sightings[i] = (struct sighting){
            .via = CHANNEL_WEBHOOK,
            .key_count = 1,
            .id = SLICE("evt_1MqqbKLt4dXK03v5qaIbiNCC"),
            .type = SLICE("order.paid"),
            .time_ms = now,
            .received_ms = now,
            .headers = SLICE("content-type: application/json\n"),
            .content_type = SLICE("application/json"),
            .body = { body, sizeof(body) },
            .owed = &owed,
            .owed_count = 1,
        };
        bench->sightings[i].keys[0].key = fresh_key();
        bench->outcomes[i] = (struct store_outcome){
            .event = bench->earlier[i],
            .handler = bench->handler,
            .attempt = 1,
            .kind = OUTCOME_DONE,
        };
        bench->units[i] = (struct store_unit){
            .connector = 1,
            .sightings = &bench->sightings[i],
            .sighting_count = 1,
            .lease_until_ms = now + 60000,
            .outcomes = &bench->outcomes[i],
            .outcome_count = bench->earlier[i] == 0 ? 0 : 1,
        };
        bench->at[i] = &bench->units[i];
    }
}

static bool
run_group(struct bench *bench)
{
    struct error err = { 0 };
    prepare(bench);
    if (bench->store->ops->apply(bench->store, bench->at, bench->batch, &err) !=
        STATUS_OK) {
        (void)fprintf(stderr, "%s\n", err.text);
        return false;
    }
    for (size_t i = 0; i < bench->batch; i++) {
        bench->accepted += bench->sightings[i].fresh ? 1 : 0;
        bench->done += bench->outcomes[i].applied ? 1 : 0;
        bench->earlier[i] = bench->sightings[i].number;
    }
    return true;
}

/* Ledger rows of the 30 days before, in the order of their time. */
static bool
fill(struct bench *bench, long keys)
{
    sqlite3 *db = store_sqlite_of(bench->store)->db;
    sqlite3_stmt *stmt;
    if (sqlite3_prepare_v2(db, "INSERT OR IGNORE INTO ledger VALUES(?1,?2,1)",
                           -1, &stmt, NULL) != SQLITE_OK) {
        return false;
    }
    int64_t from = clock_unix_ms() / 1000 - 2592000;
    for (long i = 0; i < keys; i++) {
        if (i % 100000 == 0) {
            (void)sqlite3_exec(db, i == 0 ? "BEGIN" : "COMMIT; BEGIN", NULL,
                               NULL, NULL);
        }
        struct ledger_key key = fresh_key();
        struct ledger_key time =
            identity_floor_key(from + i * (int64_t)2592000 / keys);
        memcpy(key.bytes, time.bytes, 4);
        (void)sqlite3_bind_blob(stmt, 1, key.bytes, sizeof(key.bytes),
                                SQLITE_TRANSIENT);
        (void)sqlite3_bind_int64(stmt, 2, i);
        (void)sqlite3_step(stmt);
        (void)sqlite3_reset(stmt);
    }
    (void)sqlite3_finalize(stmt);
    (void)sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    (void)sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL,
                                    NULL);
    return true;
}

static double
cpu_seconds(void)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static int
measure(struct bench *bench, int64_t seconds)
{
    int64_t begin = clock_monotonic_us();
    double cpu = cpu_seconds();
    int64_t longest = 0;
    int64_t now = begin;
    while (now - begin < seconds * 1000000) {
        if (!run_group(bench)) {
            return 1;
        }
        int64_t after = clock_monotonic_us();
        longest = after - now > longest ? after - now : longest;
        now = after;
    }
    double took = (double)(now - begin) / 1e6;
    double events = (double)bench->accepted;
    (void)printf("batch=%zu events_per_second=%.0f cpu_us_per_event=%.1f "
                 "longest_ms=%.1f settled=%" PRIu64 "\n",
                 bench->batch, events / took,
                 (cpu_seconds() - cpu) * 1e6 / events, (double)longest / 1e3,
                 bench->done);
    return 0;
}

int
main(int argc, char **argv)
{
    if (argc < 2) {
        (void)fprintf(stderr,
                      "usage: store_writer FOLDER [BATCH [SECONDS [KEYS]]]\n");
        return 2;
    }
    static struct bench bench;
    char url[512];
    (void)snprintf(url, sizeof(url), "sqlite:%s/store_writer.db", argv[1]);
    long batch = argc > 2 ? strtol(argv[2], NULL, 10) : 32;
    long seconds = argc > 3 ? strtol(argv[3], NULL, 10) : 3;
    long keys = argc > 4 ? strtol(argv[4], NULL, 10) : 0;
    bench.batch = batch < 1 || batch > BATCH_MAX ? BATCH_MAX : (size_t)batch;
    prng.state = (uint64_t)clock_monotonic_us();
    struct error err = { 0 };
    enum status status = store_open(url, NULL, &bench.store, &err);
    if (status == STATUS_OK) {
        status =
            bench.store->ops->name(bench.store, STORE_HANDLER,
                                   slice_of("bench"), &bench.handler, &err);
    }
    if (status != STATUS_OK) {
        (void)fprintf(stderr, "%s\n", error_text(&err, status));
        return 1;
    }
    int code = keys > 0 && !fill(&bench, keys) ? 1 : 0;
    code = code == 0 ? measure(&bench, seconds) : code;
    bench.store->ops->close(bench.store);
    return code;
}
