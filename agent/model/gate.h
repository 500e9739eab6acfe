/* SPDX-License-Identifier: MIT */
/*
 * gate: what the answer of a list's gate says: that there is something to read,
 * that there is not, or nothing that can be believed. Pure.
 */
#ifndef MODEL_GATE_H
#define MODEL_GATE_H

#include "model/request.h"

enum gate_verdict {
    GATE_GO,    /* read the list */
    GATE_STAY,  /* ask again, `wait_ms` from now */
    GATE_BROKEN /* it tells nothing: the list is read by the clock */
};

/* Reads the answer. The wait is 0 where none is named, and cut to 1 h.
 * STATUS_NOMEM at worst. */
NODISCARD
enum status gate_read(const struct connector *connector, unsigned status,
                      struct http_fields fields, struct slice body,
                      enum gate_verdict *ret_verdict, int64_t *ret_wait_ms);

/*
 * Whether a gate may call for a walk when the last `vain` walks that it called
 * for in a row have brought nothing; *ret_apart_ms is how far from the last
 * one. A gate that is asked about a place that rows stand behind, as with an
 * overlap, calls again at once, and so does one that is broken.
 */
bool gate_may_call(unsigned vain, int64_t *ret_apart_ms);

/* Renders the request of the gate; `{cursor}` is the state's. */
NODISCARD
enum status gate_request(const struct connector *connector,
                         const struct walk_state *state, struct arena *arena,
                         struct rendered_request *ret_request,
                         struct error *err);

#endif
