/* SPDX-License-Identifier: MIT */
/*
 * clock: what the machine says about time; the only reader of clocks.
 */
#ifndef IO_CLOCK_H
#define IO_CLOCK_H

#include <stdint.h>

int64_t clock_unix_ms(void);      /* wall clock; may jump */
int64_t clock_monotonic_ms(void); /* never goes back */
int64_t clock_monotonic_us(void);

/* What clock_unix_ms said when this process first asked for it here, and the
 * time since: never jumps. For ends of leases, which no setting of the clock
 * may bring nearer. Of the loop's thread. */
int64_t clock_steady_ms(void);

#endif
