/* SPDX-License-Identifier: MIT */
/*
 * extract_parts: which events a request holds (itself, or the elements of its
 * batch), and what of each is kept as its body. Pure.
 */
#ifndef MODEL_EXTRACT_PARTS_H
#define MODEL_EXTRACT_PARTS_H

#include "model/connector.h"
#include "model/verify.h"

/* One event of a request. All borrowed, from the request or the arena. */
struct part {
    struct slice element;      /* the bytes it came in */
    struct slice body;         /* what is kept: all of them, or `event.body` */
    struct slice item;         /* what `item:` looks into: checked JSON of the
                                  body; empty where that is none */
    struct slice content_type; /* of the body */
};

/*
 * Finds the events of a request. STATUS_INVALID with words where there are
 * none at `event.split`, more than `event.max_batch`, or nothing at
 * `event.body`.
 */
NODISCARD
enum status extract_parts(const struct connector *connector,
                          const struct inbound *request, int64_t now_ms,
                          struct arena *arena, struct part **ret_parts,
                          size_t *ret_count, struct error *err);

#endif
