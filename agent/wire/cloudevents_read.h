/* SPDX-License-Identifier: MIT */
/*
 * cloudevents_read: reads CloudEvents 1.0 as they come over HTTP, in binary,
 * structured and batched mode (cloudevents/spec v1.0.2: HTTP protocol binding
 * §3, JSON event format §2-4), into one form: the JSON event format.
 */
#ifndef WIRE_CLOUDEVENTS_READ_H
#define WIRE_CLOUDEVENTS_READ_H

#include "base/bytes.h"
#include "base/mem.h"
#include "base/status.h"
#include "wire/http_field.h"

enum cloudevents_mode {
    CLOUDEVENTS_BINARY,     /* attributes in fields, data in the body */
    CLOUDEVENTS_STRUCTURED, /* one event as JSON */
    CLOUDEVENTS_BATCH,      /* an array of such */
    CLOUDEVENTS_UNKNOWN     /* another event format, such as Avro */
};

/* Tells the mode by the content type (HTTP binding §3). */
enum cloudevents_mode cloudevents_mode_of(struct slice content_type);

/*
 * Checks an event in the JSON format (`object` passed json_check): required
 * attributes, version 1.0, no attribute twice, texts without control
 * characters, data once at most. STATUS_INVALID names the attribute.
 */
NODISCARD
enum status cloudevents_check(struct slice object, struct error *err);

/*
 * Appends the event of a request in binary mode in the JSON format. A field's
 * value is unquoted, percent-decoded once and must be UTF-8 then (HTTP binding
 * §3.1.3.2). JSON data goes in as it stands, other data as data_base64.
 * STATUS_INVALID names the field; check what was made with cloudevents_check.
 */
NODISCARD
enum status cloudevents_from_fields(struct http_fields fields,
                                    struct slice body, struct buf *into,
                                    struct error *err);

/* The data of an event, borrowed from it or made in an arena. */
struct cloudevents_data {
    struct slice bytes;
    struct slice content_type; /* empty: none */
    bool is_json;
};

/*
 * Finds the data of a checked event; an event without any has the JSON null.
 * The same bytes come of every mode: a text under a type that is not JSON is
 * those bytes, and base64 is undone. Returns STATUS_NOMEM only.
 */
NODISCARD
enum status cloudevents_data_of(struct slice object, struct arena *arena,
                                struct cloudevents_data *ret_data);

#endif
