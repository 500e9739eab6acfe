/* SPDX-License-Identifier: MIT */
/*
 * shortage: test builds only: memory that runs out in the whole process, at the
 * place that the environment names.
 *
 * LONGSTOP_MEMORY_FAIL=N lets the N-th allocation fail, N:always every later
 * one too. What counts are ours and, because they are told to use ours, those
 * of cJSON, libev, SQLite and libcurl; libcrypto, libyaml and the C library
 * have their own.
 */
#ifndef IO_SHORTAGE_H
#define IO_SHORTAGE_H

#include <stdbool.h>

/* Reads the environment; at the end of the process stderr says how many
 * allocations were asked for since. Does nothing in other builds. */
void shortage_begin(void);

/* Has libraries use our allocations that start from now on, without the
 * environment: for tests that call mem_fail_after themselves. */
void shortage_share(void);

/* Whether libraries are to use our allocations. */
bool shortage_is_on(void);

#endif
