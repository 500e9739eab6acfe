/* SPDX-License-Identifier: MIT */
/*
 * facts: what happens at the provider over a world's length.
 */
#ifndef SIM_FACTS_H
#define SIM_FACTS_H

#include "base/bytes.h"
#include "sim/world.h"

/* Makes the world's facts, from some hours before it begins. */
void facts_make(void);
void facts_free(void);

/* The stamp as the list and webhooks write it. */
int64_t facts_stamp_ms(const struct fact *fact);
void facts_write_stamp(const struct fact *fact, struct buf *into);

/* The fact that a body of ours tells of, by its "n". */
struct fact *facts_of_body(struct slice body);

size_t facts_number(const struct fact *fact);

/* The number of the first fact stamped at `at_ms` or later. */
size_t facts_from(int64_t at_ms);

/* Whether a list of the latest rows has as many behind it that can be seen at
 * that time (Unix ms). */
bool facts_is_pushed_out(const struct fact *fact, int64_t now_ms);

#endif
