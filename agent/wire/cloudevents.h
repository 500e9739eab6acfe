/* SPDX-License-Identifier: MIT */
/*
 * cloudevents: writes the CloudEvents 1.0 envelope that handlers are given
 * (cloudevents/spec v1.0.2): the JSON event format, or header fields.
 */
#ifndef WIRE_CLOUDEVENTS_H
#define WIRE_CLOUDEVENTS_H

#include "base/bytes.h"
#include "base/mem.h"
#include "base/status.h"
#include "wire/http_field.h"

#include <stdint.h>

struct cloudevent {
    struct slice id;
    struct slice source; /* "longstop/shop" */
    struct slice type;
    int64_t time_ms;     /* the provider's; 0 when it has none */
    int64_t recorded_ms; /* when it was recorded here */
    struct slice via;
    struct slice traceparent;  /* empty when none came in */
    struct slice content_type; /* of `data`; empty means JSON */
    struct slice data;         /* checked JSON when `is_json`, else any bytes */
    bool is_json;
    bool is_replay; /* handed over before: the extension `replay` */
};

/*
 * Appends one line without a newline. JSON data goes in token by token as
 * received, without the white space between; other data as data_base64.
 */
void cloudevent_write(const struct cloudevent *event, struct buf *into);

enum { CLOUDEVENT_FIELDS = 9 };

/*
 * The header fields of a request in binary mode (HTTP binding §3.1.3), without
 * Content-Type; what they may not hold is percent-encoded (§3.1.3.2). Values
 * borrow from the event or live in `arena`. STATUS_NOMEM.
 */
NODISCARD
enum status cloudevent_fields(const struct cloudevent *event,
                              struct arena *arena,
                              struct http_fields *ret_fields);

/* The Content-Type of the data: JSON says so, whatever its sender called it. */
struct slice cloudevent_content_type(const struct cloudevent *event);

#endif
