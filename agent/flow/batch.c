/* SPDX-License-Identifier: MIT */
#include "flow/batch.h"

#include "base/mem.h"
#include "wire/digest.h"
#include "wire/encode.h"

#include <stdlib.h>

static int
by_number(const void *left, const void *right)
{
    const struct attempt *const *a = left;
    const struct attempt *const *b = right;
    return ((*a)->event->number > (*b)->event->number) -
           ((*a)->event->number < (*b)->event->number);
}

static enum status
write_envelope(struct batch *batch)
{
    buf_byte(&batch->envelope, '[');
    for (size_t i = 0; i < batch->count; i++) {
        if (i > 0) {
            buf_byte(&batch->envelope, ',');
        }
        buf_append(&batch->envelope, batch->at[i]->delivery.envelope);
    }
    buf_byte(&batch->envelope, ']');
    return buf_status(&batch->envelope);
}

/* No key of one event is like it: those have a '/'. */
static enum status
write_key(struct batch *batch)
{
    unsigned char digest[32];
    struct buf keys = { 0 };
    for (size_t i = 0; i < batch->count; i++) {
        buf_append(&keys, batch->at[i]->delivery.key);
        buf_byte(&keys, '\n');
    }
    enum status status = buf_status(&keys);
    if (status == STATUS_OK) {
        status = digest_sha256(buf_slice(&keys), digest);
    }
    buf_fini(&keys);
    if (status == STATUS_OK) {
        buf_text(&batch->key, "batch:");
        encode_hex((struct slice){ (const char *)digest, sizeof(digest) },
                   &batch->key);
        status = buf_status(&batch->key);
    }
    return status;
}

static void
fill_delivery(struct batch *batch)
{
    const struct delivery *first = &batch->at[0]->delivery;
    batch->delivery = *first;
    for (size_t i = 1; i < batch->count; i++) {
        batch->delivery.is_replay &= batch->at[i]->delivery.is_replay;
    }
    batch->delivery.is_batch = true;
    batch->delivery.count = batch->count;
    batch->delivery.envelope = buf_slice(&batch->envelope);
    batch->delivery.content_type =
        slice_of("application/cloudevents-batch+json");
    batch->delivery.key = buf_slice(&batch->key);
}

static enum status
fill(struct batch *batch, const struct list *list)
{
    batch->at = mem_array(batch->count, sizeof(struct attempt *));
    batch->outcomes = mem_array(batch->count, sizeof(*batch->outcomes));
    if (batch->at == NULL || batch->outcomes == NULL) {
        return STATUS_NOMEM;
    }
    size_t at = 0;
    list_for_each(link, list) {
        batch->at[at++] = list_entry(link, struct attempt, link);
    }
    qsort(batch->at, batch->count, sizeof(struct attempt *), by_number);
    enum status status = write_envelope(batch);
    return status == STATUS_OK ? write_key(batch) : status;
}

enum status
batch_create(struct list *list, size_t count, struct batch **ret)
{
    struct batch *batch = mem_zero(sizeof(*batch));
    if (batch == NULL) {
        return STATUS_NOMEM;
    }
    batch->count = count;
    enum status status = fill(batch, list);
    if (status != STATUS_OK) {
        batch_destroy(batch);
        return status;
    }
    for (size_t i = 0; i < count; i++) {
        list_remove(&batch->at[i]->link);
    }
    fill_delivery(batch);
    batch->at[0]->batch = batch;
    *ret = batch;
    return STATUS_OK;
}

void
batch_destroy(struct batch *batch)
{
    if (batch == NULL) {
        return;
    }
    mem_free(batch->at);
    mem_free(batch->outcomes);
    buf_fini(&batch->envelope);
    buf_fini(&batch->key);
    mem_free(batch);
}
