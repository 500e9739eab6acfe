/* SPDX-License-Identifier: MIT */
/*
 * envelope: an event as its handlers see it: the CloudEvents line, or the
 * provider's bytes.
 */
#ifndef FLOW_ENVELOPE_H
#define FLOW_ENVELOPE_H

#include "base/bytes.h"
#include "base/mem.h"
#include "model/connector.h"
#include "model/event.h"
#include "model/sighting.h"
#include "wire/http_field.h"

/*
 * Appends the CloudEvents line of an event of `connector`. `data` is the part
 * the connector selects for the channel that brought the event; bytes that are
 * not JSON go as data_base64. `is_replay`: it says that the event is an old
 * one.
 */
void envelope_write(const struct connector *connector,
                    const struct event *event, bool is_replay,
                    struct buf *into);

/* An event in binary mode: its attributes as header fields, and its data. */
struct envelope_parts {
    struct http_fields fields;
    struct slice data;
    struct slice content_type;
};

/* Fills in the parts, borrowed from the event or living in `arena`.
 * STATUS_NOMEM. */
NODISCARD
enum status envelope_split(const struct connector *connector,
                           const struct event *event, bool is_replay,
                           struct arena *arena, struct envelope_parts *ret);

/* The event a sighting would become, borrowed; for conditions that look into
 * the envelope before anything is stored. */
struct event envelope_preview(const struct connector *connector,
                              const struct sighting *sighting);

#endif
