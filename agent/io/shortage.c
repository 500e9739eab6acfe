/* SPDX-License-Identifier: MIT */
#include "io/shortage.h"

#ifdef LONGSTOP_CRASH_TESTS

#    include <stdint.h>
#    include <stdio.h>
#    include <stdlib.h>

#    include "base/bytes.h"
#    include "base/mem.h"

static bool on;

static void
say_count(void)
{
    (void)fprintf(stderr, "allocations: %ld\n", mem_fail_after(-1, 0));
}

void
shortage_share(void)
{
    on = true;
}

void
shortage_begin(void)
{
    const char *text = getenv("LONGSTOP_MEMORY_FAIL");
    struct slice rest = slice_of(text == NULL ? "" : text);
    struct slice number;
    uint64_t after;
    if (text == NULL || !slice_split(&rest, ':', &number) ||
        slice_to_u64(number, &after) != STATUS_OK || atexit(say_count) != 0) {
        return;
    }
    shortage_share();
    (void)mem_fail_after((long)after, rest.len > 0);
}

bool
shortage_is_on(void)
{
    return on;
}

#else

void
shortage_share(void)
{
}

void
shortage_begin(void)
{
}

bool
shortage_is_on(void)
{
    return false;
}

#endif
