/* SPDX-License-Identifier: MIT */
/*
 * failed: what a provider lists as not delivered, and the request that has it
 * sent again. Pure.
 */
#ifndef MODEL_FAILED_H
#define MODEL_FAILED_H

#include "base/bytes.h"
#include "base/mem.h"
#include "base/status.h"
#include "model/connector.h"
#include "model/request.h"
#include "wire/http_field.h"

#include <stddef.h>

/* A delivery that failed. */
struct failed_row {
    struct slice id;  /* by `list_failed.id`, else as the list's rows */
    struct slice row; /* JSON */
};

/* Whether the connector can list what failed, and have it sent again. */
bool failed_is_listed(const struct connector *connector);
bool failed_is_sent_again(const struct connector *connector);

/* Whether the request that sends again is for a span of time, so that all of
 * one can be asked for at once. */
bool failed_is_asked_by_time(const struct connector *connector);

/* An answer of the list. */
struct failed_answer {
    struct http_fields fields;
    struct slice body;
    struct slice url; /* that was asked */
};

struct failed_page {
    struct failed_row *rows;
    size_t count;
    struct slice next; /* link to the next page, or its token; empty: none */
};

/*
 * Renders the request for the first page, or for the one that `next` names:
 * a link of the answer before, which may not leave the list's origin, or the
 * token of a list that has pages by token (poll.pages). Without
 * a URL of its own it is the list's, with the query of both.
 */
NODISCARD
enum status failed_list(const struct connector *connector, struct slice next,
                        struct arena *arena,
                        struct rendered_request *ret_request,
                        struct error *err);

/* Reads the rows of an answer that meet `where`, copied into `arena`.
 * STATUS_PROTOCOL when it is no list. */
NODISCARD
enum status failed_read(const struct connector *connector,
                        const struct failed_answer *answer, struct arena *arena,
                        struct failed_page *ret_page, struct error *err);

/* Renders the request that has all of a span sent again. */
NODISCARD
enum status failed_since(const struct connector *connector,
                         const struct request_span *span, struct arena *arena,
                         struct rendered_request *ret_request,
                         struct error *err);

/* Renders the request that has the row's webhook sent again. */
NODISCARD
enum status failed_again(const struct connector *connector,
                         const struct failed_row *row, struct arena *arena,
                         struct rendered_request *ret_request,
                         struct error *err);

#endif
