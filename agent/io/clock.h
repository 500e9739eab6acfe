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

#endif
