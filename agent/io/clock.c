/* SPDX-License-Identifier: MIT */
#include "io/clock.h"

#include <stdbool.h>
#include <time.h>

static int64_t
read_us(clockid_t clock)
{
    struct timespec now = { 0 };
    (void)clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t
clock_unix_ms(void)
{
    return read_us(CLOCK_REALTIME) / 1000;
}

int64_t
clock_monotonic_ms(void)
{
    return read_us(CLOCK_MONOTONIC) / 1000;
}

int64_t
clock_monotonic_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

int64_t
clock_steady_ms(void)
{
    static int64_t ahead_ms;
    static bool is_known;
    if (!is_known) {
        ahead_ms = clock_unix_ms() - clock_monotonic_ms();
        is_known = true;
    }
    return clock_monotonic_ms() + ahead_ms;
}
