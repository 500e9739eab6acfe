/* SPDX-License-Identifier: MIT */
/*
 * bench: what the benchmark programs share: flags, a clock, percentiles and
 * events in the form of Stripe's.
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include "base/bytes.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BENCH_EVENT_BYTES = 1024 };

static inline int64_t
bench_now_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static inline _Noreturn void
bench_die(const char *words, const char *detail)
{
    (void)fprintf(stderr, "bench: %s: %s\n", words, detail);
    exit(1);
}

/* The text of `--name TEXT`, or `otherwise`. */
static inline const char *
bench_text(int argc, char **argv, const char *name, const char *otherwise)
{
    for (int i = 1; i + 1 < argc; i++) {
        if (strcmp(argv[i], name) == 0) {
            return argv[i + 1];
        }
    }
    return otherwise;
}

static inline int64_t
bench_number(int argc, char **argv, const char *name, int64_t otherwise)
{
    const char *text = bench_text(argc, argv, name, NULL);
    return text == NULL ? otherwise : strtoll(text, NULL, 10);
}

static inline int
bench_by_size(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a;
    uint32_t right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

/* Sorts `samples`; the value below which `percent` of them lie. */
static inline uint32_t
bench_percentile(uint32_t *samples, size_t count, unsigned percent)
{
    if (count == 0) {
        return 0;
    }
    qsort(samples, count, sizeof(*samples), bench_by_size);
    return samples[(count - 1) * percent / 100];
}

/*
 * Writes an event of exactly BENCH_EVENT_BYTES, without a NUL. `series` keeps
 * the ids of different runs apart.
 */
static inline void
bench_event(char into[BENCH_EVENT_BYTES], const char *series, uint64_t number,
            int64_t created_s)
{
    static const char tail[] = "\"}}}";
    char head[512];
    int len = snprintf(
        head, sizeof(head),
        "{\"id\":\"evt_%s%012" PRIu64 "\",\"object\":\"event\","
        "\"api_version\":\"2024-06-20\",\"created\":%" PRId64
        ",\"livemode\":false,\"pending_webhooks\":1,\"request\":{\"id\":null,"
        "\"idempotency_key\":null},\"type\":\"charge.succeeded\",\"data\":{"
        "\"object\":{\"id\":\"ch_%012" PRIu64 "\",\"object\":\"charge\","
        "\"amount\":1999,\"currency\":\"eur\",\"description\":\"",
        series, number, created_s, number);
    memcpy(into, head, (size_t)len);
    size_t rest = BENCH_EVENT_BYTES - (size_t)len - (sizeof(tail) - 1);
    memset(into + len, 'x', rest);
    memcpy(into + len + rest, tail, sizeof(tail) - 1);
}

#endif
