/* SPDX-License-Identifier: MIT */
/*
 * vtime: the time of a simulated world, and what is to happen in it.
 *
 * The provider's clock is the truth. Ours differs by an offset that may be set;
 * the monotonic clock stands still while the machine sleeps. Nothing here asks
 * a real clock: time jumps to the next alarm.
 */
#ifndef SIM_VTIME_H
#define SIM_VTIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A callback at a time. Embed it; set it off before its memory goes. */
struct alarm {
    void (*fn)(void *arg);
    void *arg;
    bool ours; /* the agent's machine: waits while that sleeps */
    int64_t at_ms;
    uint64_t order;
    size_t slot; /* in the heap, from 1; 0: off */
};

/* Forgets every alarm; the world begins at `epoch_ms` (Unix). */
void vtime_begin(int64_t epoch_ms);
void vtime_end(void);

int64_t vtime_now_ms(void);    /* since the world began */
int64_t vtime_truth_ms(void);  /* Unix ms by the provider's clock */
int64_t vtime_ours_ms(void);   /* Unix ms by our clock */
int64_t vtime_steady_ms(void); /* our monotonic clock */

/* Puts our clock forward, or back. */
void vtime_set_ours(int64_t by_ms);

/* Our machine sleeps from now on for so long. */
void vtime_sleep(int64_t ms);

/* Alarms of one time fire in the order in which they were set. */
void vtime_alarm(struct alarm *alarm, int64_t at_ms); /* since the beginning */
void vtime_alarm_off(struct alarm *alarm);

/* Fires the next alarm, if it is due until `until_ms`; else goes there and
 * returns false. */
bool vtime_step(int64_t until_ms);

#endif
