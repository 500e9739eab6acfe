/* SPDX-License-Identifier: MIT */
/*
 * transfer: an event as one line of JSON, whole, so that it can be kept and
 * taken into another store. Pure.
 *
 * Bytes that are no text (no UTF-8, or with a NUL) stand in base64 under the
 * name with `_base64` behind it. The keys of the ledger are not in it: whoever
 * takes it in makes them as its connector makes them there.
 */
#ifndef MODEL_TRANSFER_H
#define MODEL_TRANSFER_H

#include "model/connector.h"
#include "model/sighting.h"

/* All that is known of the event itself; borrowed. */
struct transfer {
    struct slice connector; /* its name */
    enum channel via;
    int64_t time_ms; /* 0: none */
    int64_t recorded_ms;
    struct slice id;
    struct slice type;
    struct slice content_type;
    struct slice headers;
    struct slice body;
};

/* Appends the line, without its end. */
void transfer_write(const struct transfer *line, struct buf *into);

/* Reads it; bytes are borrowed from `text` or made in `arena`. STATUS_INVALID
 * says what is wrong. */
NODISCARD
enum status transfer_read(struct slice text, struct arena *arena,
                          struct transfer *ret, struct error *err);

/*
 * Makes a sighting of it with the keys that its connector makes of these bytes:
 * as of a row where a walk brought it, of a request where a webhook did. Where
 * they show no such event any more it is known by its id alone. Received when
 * it was recorded.
 */
NODISCARD
enum status transfer_sight(const struct connector *connector,
                           const struct transfer *line, struct arena *arena,
                           struct sighting *ret, struct error *err);

#endif
