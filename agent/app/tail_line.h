/* SPDX-License-Identifier: MIT */
/*
 * tail_line: one line for people of what the stream of a running agent tells.
 */
#ifndef APP_TAIL_LINE_H
#define APP_TAIL_LINE_H

#include "base/bytes.h"

#include <stdint.h>

/*
 * Appends the line of one event of the stream: `topic` as the stream names it,
 * `data` the JSON object that came with it, checked. What came from outside is
 * made plain. Nothing for a topic that has no line.
 */
void tail_line(struct slice topic, struct slice data, int64_t now_ms,
               struct buf *into);

/* Appends it as a line of JSON: `data` with its topic as the first member. */
void tail_json(struct slice topic, struct slice data, struct buf *into);

#endif
