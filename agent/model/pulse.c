/* SPDX-License-Identifier: MIT */
/* pulse: a ring of seconds, and two histograms that follow each other. */
#include "model/pulse.h"

#include <string.h>

#include "base/instant.h"

#define SPAN_MS (5 * INSTANT_MINUTE_MS)

/* Below PULSE_STEPS each number has a place of its own; above, a power of two
 * and the four bits behind its first. */
static size_t
place_of(int64_t ms)
{
    uint64_t rest = ms < 0 ? 0 : (uint64_t)ms;
    size_t power = 0;
    while (rest >= 2 * (uint64_t)PULSE_STEPS) {
        rest /= 2;
        power++;
    }
    size_t place = power * PULSE_STEPS + (size_t)rest;
    return place < PULSE_SIZES ? place : PULSE_SIZES - 1;
}

/* The longest that stands at a place. */
static int64_t
longest_of(size_t place)
{
    if (place < PULSE_STEPS) {
        return (int64_t)place;
    }
    size_t power = place / PULSE_STEPS - 1;
    int64_t first = (int64_t)(place - power * PULSE_STEPS);
    return ((first + 1) << power) - 1;
}

static void
move_on(struct pulse *pulse, int64_t now_ms)
{
    int64_t second = now_ms / INSTANT_SECOND_MS;
    int64_t span = now_ms / SPAN_MS;
    if (second - pulse->second >= PULSE_SECONDS) {
        memset(pulse->ended, 0, sizeof(pulse->ended));
    } else {
        for (int64_t at = pulse->second + 1; at <= second; at++) {
            pulse->ended[at % PULSE_SECONDS] = 0;
        }
    }
    pulse->second = second > pulse->second ? second : pulse->second;
    if (span > pulse->span) {
        if (span == pulse->span + 1) {
            memcpy(pulse->took[1], pulse->took[0], sizeof(pulse->took[1]));
        } else {
            memset(pulse->took[1], 0, sizeof(pulse->took[1]));
        }
        memset(pulse->took[0], 0, sizeof(pulse->took[0]));
        pulse->span = span;
    }
}

void
pulse_add(struct pulse *pulse, int64_t duration_ms, int64_t now_ms)
{
    move_on(pulse, now_ms);
    pulse->ended[pulse->second % PULSE_SECONDS]++;
    pulse->took[0][place_of(duration_ms)]++;
}

static int64_t
all_of(const struct pulse *pulse, size_t place)
{
    return (int64_t)pulse->took[0][place] + (int64_t)pulse->took[1][place];
}

/* How long those took that `percent` of `count` are no longer than. */
static int64_t
share(const struct pulse *pulse, int64_t count, int64_t percent)
{
    int64_t left = (count * percent + 99) / 100;
    size_t place = 0;
    for (; place < PULSE_SIZES - 1; place++) {
        left -= all_of(pulse, place);
        if (left <= 0) {
            break;
        }
    }
    return longest_of(place);
}

struct pulse_figures
pulse_figures(struct pulse *pulse, int64_t now_ms)
{
    struct pulse_figures figures = { .p50_ms = -1, .p99_ms = -1 };
    int64_t count = 0;
    move_on(pulse, now_ms);
    for (size_t i = 0; i < PULSE_SECONDS; i++) {
        figures.per_minute += pulse->ended[i];
    }
    for (size_t i = 0; i < PULSE_SIZES; i++) {
        count += all_of(pulse, i);
    }
    if (count > 0) {
        figures.p50_ms = share(pulse, count, 50);
        figures.p99_ms = share(pulse, count, 99);
    }
    return figures;
}
