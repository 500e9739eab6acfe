/* SPDX-License-Identifier: MIT */
/*
 * extract: a genuine request, or a page of a list, to sightings, by the
 * templates its connector names. Pure.
 */
#ifndef MODEL_EXTRACT_H
#define MODEL_EXTRACT_H

#include "model/connector.h"
#include "model/event.h"
#include "model/sighting.h"
#include "model/verify.h"

struct extracted {
    struct sighting *at; /* in the arena */
    size_t count;
};

/*
 * Reads the events of a webhook request. `rule` is the one that proved it
 * genuine: it decides whether the id was signed. STATUS_INVALID when the id is
 * absent or the body is not what the connector says (words in err).
 */
NODISCARD
enum status extract_request(const struct connector *connector,
                            const struct inbound *request,
                            const struct verify_rule *rule, int64_t now_ms,
                            struct arena *arena, struct extracted *ret,
                            struct error *err);

/* A page of a list, checked once. */
struct page {
    struct slice body;
    struct slice *rows; /* raw slices, in the order received */
    size_t row_count;
    bool ends; /* the answer named no file (poll.indirect): nothing follows */
};

/* Checks the JSON and finds the rows, but those that are in a file
 * (poll.indirect); STATUS_PROTOCOL when it is not JSON, the
 * items are not there, or a `fail_when` holds: an error is never an empty
 * page. */
NODISCARD
enum status extract_page(const struct connector *connector, struct slice body,
                         struct http_fields fields, struct arena *arena,
                         struct page *ret_page, struct error *err);

/* Finds the rows of the file that a page named; likewise. */
NODISCARD
enum status extract_file(const struct connector *connector, struct slice file,
                         struct arena *arena, struct page *page,
                         struct error *err);

/* A row as a channel saw it. */
struct row_view {
    struct slice row;
    struct slice body; /* the row, or what a follow request brought for it */
    enum channel via;
    int64_t received_ms;
    struct slice headers; /* the webhook's fields as a JSON object, likewise;
                             empty: those that `record.headers` finds */
};

/* Reads one row. STATUS_INVALID names what is absent. */
NODISCARD
enum status extract_row(const struct connector *connector,
                        const struct row_view *view, struct arena *arena,
                        struct sighting *ret_sighting, struct error *err);

/* What handlers get as `data` of an event, borrowed from it or made in an
 * arena. */
struct extracted_data {
    struct slice bytes;
    struct slice content_type; /* of bytes that are not JSON */
    bool is_json;
};

/*
 * Finds what handlers get as `data`: the part of the body that the connector
 * selects for the channel the bytes are from, or all of it; what was fetched
 * goes whole, of a CloudEvent its data. Returns STATUS_NOMEM only.
 */
NODISCARD
enum status extract_data(const struct connector *connector,
                         const struct event *event, struct arena *arena,
                         struct extracted_data *ret_data);

#endif
