/* SPDX-License-Identifier: MIT */
#include "sim/vtime.h"

#include <stdlib.h>

#include "base/status.h"
#include "io/clock.h"

static struct {
    int64_t epoch_ms;
    int64_t now_ms;
    int64_t offset_ms; /* ours against the truth */
    int64_t slept_ms;
    uint64_t orders;
    struct alarm **heap; /* from 1 */
    size_t count;
    size_t room;
} vtime;

void
vtime_begin(int64_t epoch_ms)
{
    vtime.epoch_ms = epoch_ms;
    vtime.now_ms = 0;
    vtime.offset_ms = 0;
    vtime.slept_ms = 0;
    vtime.orders = 0;
    vtime.count = 0;
}

void
vtime_end(void)
{
    free(vtime.heap);
    vtime.heap = NULL;
    vtime.room = 0;
    vtime.count = 0;
}

int64_t
vtime_now_ms(void)
{
    return vtime.now_ms;
}

int64_t
vtime_truth_ms(void)
{
    return vtime.epoch_ms + vtime.now_ms;
}

int64_t
vtime_ours_ms(void)
{
    return vtime.epoch_ms + vtime.now_ms + vtime.offset_ms;
}

int64_t
vtime_steady_ms(void)
{
    return vtime.now_ms - vtime.slept_ms;
}

void
vtime_set_ours(int64_t by_ms)
{
    vtime.offset_ms += by_ms;
}

static bool
is_before(const struct alarm *a, const struct alarm *b)
{
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->order < b->order;
}

static void
put(size_t slot, struct alarm *alarm)
{
    vtime.heap[slot] = alarm;
    alarm->slot = slot;
}

static void
rise(size_t slot)
{
    struct alarm *alarm = vtime.heap[slot];
    while (slot > 1 && is_before(alarm, vtime.heap[slot / 2])) {
        put(slot, vtime.heap[slot / 2]);
        slot /= 2;
    }
    put(slot, alarm);
}

static void
sink(size_t slot)
{
    struct alarm *alarm = vtime.heap[slot];
    for (size_t child = 2 * slot; child <= vtime.count; child = 2 * slot) {
        if (child < vtime.count &&
            is_before(vtime.heap[child + 1], vtime.heap[child])) {
            child++;
        }
        if (!is_before(vtime.heap[child], alarm)) {
            break;
        }
        put(slot, vtime.heap[child]);
        slot = child;
    }
    put(slot, alarm);
}

void
vtime_alarm(struct alarm *alarm, int64_t at_ms)
{
    vtime_alarm_off(alarm);
    if (vtime.count + 2 > vtime.room) {
        vtime.room = vtime.room == 0 ? 256 : 2 * vtime.room;
        vtime.heap = realloc(vtime.heap, vtime.room * sizeof(struct alarm *));
        PRE(vtime.heap != NULL);
    }
    alarm->at_ms = at_ms < vtime.now_ms ? vtime.now_ms : at_ms;
    alarm->order = vtime.orders++;
    vtime.count++;
    put(vtime.count, alarm);
    rise(vtime.count);
}

void
vtime_alarm_off(struct alarm *alarm)
{
    size_t slot = alarm->slot;
    if (slot == 0) {
        return;
    }
    struct alarm *last = vtime.heap[vtime.count--];
    alarm->slot = 0;
    if (last != alarm) {
        put(slot, last);
        rise(slot);
        sink(last->slot);
    }
}

/* What was to happen on our machine happens so much later. */
void
vtime_sleep(int64_t ms)
{
    vtime.slept_ms += ms;
    for (size_t i = 1; i <= vtime.count; i++) {
        vtime.heap[i]->at_ms += vtime.heap[i]->ours ? ms : 0;
    }
    for (size_t i = vtime.count / 2; i > 0; i--) {
        sink(i);
    }
}

bool
vtime_step(int64_t until_ms)
{
    if (vtime.count == 0 || vtime.heap[1]->at_ms > until_ms) {
        vtime.now_ms = until_ms > vtime.now_ms ? until_ms : vtime.now_ms;
        return false;
    }
    struct alarm *alarm = vtime.heap[1];
    vtime.now_ms = alarm->at_ms;
    vtime_alarm_off(alarm);
    alarm->fn(alarm->arg);
    return true;
}

/* ---- io/clock.h ---- */

int64_t
clock_unix_ms(void)
{
    return vtime_ours_ms();
}

int64_t
clock_monotonic_ms(void)
{
    return vtime_steady_ms();
}

int64_t
clock_monotonic_us(void)
{
    return vtime_steady_ms() * 1000;
}

int64_t
clock_steady_ms(void)
{
    return vtime.epoch_ms + vtime_steady_ms();
}
