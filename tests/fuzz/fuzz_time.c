/* SPDX-License-Identifier: MIT */
/* timefmt and cron: a time that was read is written and read again as the same;
 * a plan's next time lies ahead. */
#include <string.h>

#include "base/mem.h"
#include "fuzz/fuzz.h"
#include "model/cadence.h"
#include "wire/timefmt.h"

#define NOW_MS INT64_C(1700000000000)
#define FAR_MS (INT64_C(9) * 366 * 86400 * 1000)

static void
round_trip(enum timefmt format, struct slice text)
{
    int64_t at_ms;
    int64_t again_ms;
    struct buf written = { 0 };
    if (timefmt_read(format, text, &at_ms) != STATUS_OK) {
        return;
    }
    timefmt_write(TIMEFMT_ISO8601, at_ms, &written);
    FUZZ_HOLDS(timefmt_read(TIMEFMT_ISO8601, buf_slice(&written), &again_ms) ==
               STATUS_OK);
    FUZZ_HOLDS(again_ms == at_ms);
    if (format != TIMEFMT_AUTO) {
        buf_clear(&written);
        timefmt_write(format, at_ms, &written);
        FUZZ_HOLDS(timefmt_read(format, buf_slice(&written), &again_ms) ==
                   STATUS_OK);
        FUZZ_HOLDS(again_ms <= at_ms); /* cut, never rounded up */
    }
    buf_fini(&written);
}

static void
plan_ahead(struct slice text)
{
    struct arena arena = { 0 };
    struct error err = { 0 };
    const struct cron_plan *plan;
    if (cron_compile(text, &arena, &plan, &err) != STATUS_OK) {
        FUZZ_HOLDS(strlen(err.text) > 0);
        arena_fini(&arena);
        return;
    }
    int64_t at_ms = NOW_MS;
    for (int i = 0; i < 4; i++) {
        int64_t next_ms = cron_next(plan, at_ms);
        FUZZ_HOLDS(next_ms > at_ms && next_ms % 60000 == 0);
        FUZZ_HOLDS(next_ms - at_ms <= FAR_MS);
        at_ms = next_ms;
    }
    FUZZ_HOLDS(cron_shortest_ms(plan) <= cron_longest_ms(plan));
    arena_fini(&arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    struct slice text = fuzz_input(bytes, count);
    int64_t at_ms;
    for (int format = TIMEFMT_AUTO; format <= TIMEFMT_RFC2822; format++) {
        round_trip((enum timefmt)format, text);
    }
    if (timefmt_read_http(text, &at_ms) == STATUS_OK) {
        round_trip(TIMEFMT_AUTO, text);
    }
    plan_ahead(text);
    return 0;
}
