/* SPDX-License-Identifier: MIT */
/* Time zones, as files and as rules: no bound lies ahead of what was asked for,
 * and it is unmoved when asked for again. */
#include "base/instant.h"
#include "base/mem.h"
#include "fuzz/fuzz.h"
#include "wire/zone.h"

static void
look(const struct zone *zone)
{
    static const int64_t instants_ms[] = { INT64_C(-62135596800000),
                                           -1,
                                           0,
                                           INT64_C(1700000000000),
                                           INT64_C(1792890000000),
                                           INT64_C(253402300799999) };
    for (size_t i = 0; i < sizeof(instants_ms) / sizeof(instants_ms[0]); i++) {
        const int64_t at_ms = instants_ms[i];
        const int64_t sure_ms = zone_sure_ms(zone, at_ms, INSTANT_MINUTE_MS);
        FUZZ_HOLDS(sure_ms <= at_ms && at_ms - sure_ms <= 7 * INSTANT_HOUR_MS);
        FUZZ_HOLDS(zone_offset_ms(zone, at_ms) % INSTANT_SECOND_MS == 0);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    struct slice text = fuzz_input(bytes, count);
    struct arena arena = { 0 };
    const struct zone *zone;
    if (zone_read(text, &arena, &zone, NULL) == STATUS_OK ||
        zone_rule(text, &arena, &zone) == STATUS_OK) {
        look(zone);
    }
    arena_fini(&arena);
    return 0;
}
