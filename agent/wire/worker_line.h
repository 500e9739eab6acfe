/* SPDX-License-Identifier: MIT */
/*
 * worker_line: the lines between the agent and a worker, or a server on a unix
 * socket: a delivery as one line of JSON, its answer as another.
 *
 * A delivery is its CloudEvents line with two more attributes, `attempt` (from
 * 1) and `idempotencykey`. An answer is {"id":"…","ok":true}, or "ok":false,
 * then with "retry":false where trying again will not help and "error" for the
 * log; `id` is that of the line it answers, and other members are passed over.
 */
#ifndef WIRE_WORKER_LINE_H
#define WIRE_WORKER_LINE_H

#include "base/bytes.h"
#include "base/mem.h"
#include "base/status.h"

#include <stdbool.h>

/* The longest that is added to an envelope and its key. */
enum { WORKER_LINE_MORE_BYTES = 64 };

struct worker_answer {
    struct slice id;
    bool is_ok;
    bool is_final;      /* not ok, and not to be tried again */
    struct slice error; /* empty: no words */
};

/* Appends a delivery with its newline. `envelope` is a JSON object on one
 * line; `key` is percent-encoded, so that nothing of it is escaped. */
void worker_line_write(struct slice envelope, unsigned attempt,
                       struct slice key, struct buf *into);

/* Reads an answer; its texts borrow from `line` or live in `arena`.
 * STATUS_INVALID says what is wrong with it, STATUS_NOMEM. */
NODISCARD
enum status worker_line_read(struct slice line, struct arena *arena,
                             struct worker_answer *ret, struct error *err);

#endif
