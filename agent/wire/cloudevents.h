/* SPDX-License-Identifier: MIT */
/*
 * cloudevents: writes the CloudEvents 1.0 JSON envelope (cloudevents/spec
 * v1.0.2, JSON event format) that handlers are given.
 */
#ifndef WIRE_CLOUDEVENTS_H
#define WIRE_CLOUDEVENTS_H

#include "base/bytes.h"
#include "base/status.h"

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

#endif
