/* SPDX-License-Identifier: MIT */
/* receivers_test: events that only ask whether a receiver takes them. */
#include "flow/receivers_private.h"

#include "base/mem.h"
#include "io/clock.h"
#include "wire/cloudevents.h"
#include "wire/digest.h"
#include "wire/encode.h"

#define TYPE     "longstop.test"
#define ID_BYTES 8

/* One test event, from its start until its end. */
struct test {
    struct receivers_place *place;
    struct event event;
    struct delivery delivery;
    struct buf id;
    struct buf key;
    struct buf envelope;
};

static void
destroy_test(struct test *test)
{
    buf_fini(&test->id);
    buf_fini(&test->key);
    buf_fini(&test->envelope);
    mem_free(test);
}

static void
ended(void *arg, const struct handler_result *result)
{
    struct test *test = arg;
    struct receivers_place *place = test->place;
    place->testing--;
    destroy_test(test);
    receivers_tested(place, result);
}

static enum status
render(struct test *test)
{
    unsigned char bytes[ID_BYTES];
    enum status status = digest_random(bytes, sizeof(bytes));
    if (status != STATUS_OK) {
        return status;
    }
    buf_text(&test->id, "test_");
    encode_hex((struct slice){ (const char *)bytes, sizeof(bytes) }, &test->id);
    buf_text(&test->key, "longstop/");
    buf_append(&test->key, buf_slice(&test->id));
    int64_t now_ms = clock_unix_ms();
    const struct cloudevent event = {
        .id = buf_slice(&test->id),
        .source = SLICE("longstop"),
        .type = SLICE(TYPE),
        .time_ms = now_ms,
        .recorded_ms = now_ms,
        .via = SLICE("test"),
        .data = SLICE("{\"test\":true}"),
        .is_json = true,
    };
    if (buf_status(&test->id) == STATUS_OK) {
        cloudevent_write(&event, &test->envelope);
    }
    status = buf_status(&test->id);
    status = status == STATUS_OK ? buf_status(&test->key) : status;
    return status == STATUS_OK ? buf_status(&test->envelope) : status;
}

enum status
receivers_send_test(struct receivers_place *place)
{
    struct test *test = mem_zero(sizeof(*test));
    if (test == NULL) {
        return STATUS_NOMEM;
    }
    struct error err = { 0 };
    test->place = place;
    enum status status = render(test);
    if (status == STATUS_OK) {
        test->event =
            (struct event){ .id = buf_slice(&test->id), .type = SLICE(TYPE) };
        test->delivery = (struct delivery){
            .event = &test->event,
            .attempt = 1,
            .connector = SLICE("longstop"),
            .envelope = buf_slice(&test->envelope),
            .content_type = SLICE("application/cloudevents+json"),
            .key = buf_slice(&test->key),
            .count = 1,
        };
        status = place->handler->ops->start(place->handler, &test->delivery,
                                            ended, test, &err);
    }
    if (status != STATUS_OK) {
        destroy_test(test);
        return status;
    }
    place->testing++;
    return STATUS_OK;
}
