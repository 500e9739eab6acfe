/* SPDX-License-Identifier: MIT */
#include "harness/bound.h"

#include "base/instant.h"
#include "model/promise.h"

static const struct {
    const char *keys;
    struct promise promise;
} rows[] = {
    { "every: 60s, timeout: 20s, overlap: 3m, settle: 30s",
      { 210000, 210000, 210000, 60000, 81000, 1440, 1440 } },
    { "every: 60s, interval: {min: 2m}",
      { 120000, 120000, 120000, 120000, 151000, 720, 720 } },
    { "pace: adaptive, slowest: 15m",
      { 120000, 120000, 120000, 900000, 931000, 96, 8640 } },
    { "pace: adaptive, slowest: 15m, interval: {min: 1m}",
      { 120000, 120000, 120000, 900000, 931000, 96, 1440 } },
    { "pace: adaptive, slowest: 15m, fastest: 10m, "
      "sweeps: [{every: 1h, overlap: 1d}, {every: 1d, overlap: 7d}]",
      { 7 * INSTANT_DAY_MS, 7 * INSTANT_DAY_MS, 120000, 900000, 931000, 121,
        169 } },
    { "overlap: auto", { 120000, 3600000, 120000, 60000, 91000, 1440, 1440 } },
    { "overlap: auto, overlap_max: 2h, retention: 2h",
      { 120000, 3600000, 120000, 60000, 91000, 1440, 1440 } },
    { "overlap: auto, overlap_max: 1m",
      { 120000, 120000, 120000, 60000, 91000, 1440, 1440 } },
    { "sweeps: {every: 1d, overlap: auto}, overlap: 10m, settle: 1s",
      { 601000, 3601000, 601000, 60000, 91000, 1441, 1441 } },
    /* What the list drops between two walks no overlap brings back. */
    { "every: 30m, overlap: 2h, settle: 1m, retention: 2h",
      { 5400000, 5400000, 5400000, 1800000, 1831000, 48, 48 } },
    { "sweeps: [{every: 6h, overlap: 1d}, {every: 1d, overlap: 3d}], "
      "retention: 3d",
      { 2 * INSTANT_DAY_MS, 2 * INSTANT_DAY_MS, 120000, 60000, 91000, 1445,
        1445 } },
    { "cron: '@daily', retention: 12h",
      { 0, 0, 0, INSTANT_DAY_MS, INSTANT_DAY_MS + 31000, 1, 1 } },
    { "cron: '0 9 * * mon-fri'",
      { 120000, 120000, 120000, 3 * INSTANT_DAY_MS, 3 * INSTANT_DAY_MS + 31000,
        0, 1 } },
};

static void
what_polling_promises_and_costs(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct bound bound;
        char file[512];
        (void)snprintf(file, sizeof(file),
                       "poll: {request: {url: '{var:base}/x'}, items: '$[*]', "
                       "cursor: {kind: time, from: at}, record: {id: id}, "
                       "%s}\n",
                       rows[i].keys);
        bound_texts(&bound, file, "with: {base: 'http://127.0.0.1:9'}", "");
        bound_must(&bound);
        struct promise got = promise_of(&bound.connector);
        const struct promise *wanted = &rows[i].promise;
        if (got.shown_ms != wanted->shown_ms ||
            got.shown_most_ms != wanted->shown_most_ms ||
            got.walk_ms != wanted->walk_ms ||
            got.interval_ms != wanted->interval_ms ||
            got.stale_ms != wanted->stale_ms ||
            got.calls_least != wanted->calls_least ||
            got.calls_most != wanted->calls_most) {
            fail_msg("%s: shown %ld to %ld, by a walk %ld, interval %ld, stale "
                     "%ld, %ld to "
                     "%ld calls",
                     rows[i].keys, (long)got.shown_ms, (long)got.shown_most_ms,
                     (long)got.walk_ms, (long)got.interval_ms,
                     (long)got.stale_ms, (long)got.calls_least,
                     (long)got.calls_most);
        }
        bound_fini(&bound);
    }
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_polling_promises_and_costs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
