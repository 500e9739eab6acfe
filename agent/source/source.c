/* SPDX-License-Identifier: MIT */
#include "source/source.h"

#include "wire/gzip.h"

enum status
arrival_create(const struct connector *connector, enum arrival_kind kind,
               enum channel via, int64_t received_ms,
               struct arrival **ret_arrival)
{
    struct arrival *arrival = mem_zero(sizeof(*arrival));
    if (arrival == NULL) {
        return STATUS_NOMEM;
    }
    arrival->kind = kind;
    arrival->connector = connector;
    arrival->via = via;
    arrival->received_ms = received_ms;
    *ret_arrival = arrival;
    return STATUS_OK;
}

void
arrival_destroy(struct arrival *arrival)
{
    if (arrival != NULL) {
        arena_fini(&arrival->arena);
        mem_free(arrival);
    }
}

enum status
arrival_inflate(struct arrival *arrival, size_t limit_bytes, unsigned ratio_max)
{
    struct inbound *request = &arrival->request;
    struct slice coding;
    if (!http_field_find(request->fields, "Content-Encoding", &coding) ||
        slice_equal_nocase(coding, slice_of("identity"))) {
        return STATUS_OK;
    }
    struct buf plain = { 0 };
    arrival->coded_body = request->body;
    enum status status =
        gzip_inflate(request->body, limit_bytes, ratio_max, &plain);
    if (status == STATUS_OK) {
        status = arena_copy(&arrival->arena, buf_slice(&plain), &request->body);
    }
    buf_fini(&plain);
    return status;
}
