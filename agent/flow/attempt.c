/* SPDX-License-Identifier: MIT */
#include "flow/attempt.h"

#include "base/mem.h"
#include "flow/envelope.h"
#include "io/clock.h"

enum status
attempt_create(struct outlet *outlet, const struct store_claim *claim,
               struct attempt **ret)
{
    struct attempt *attempt = mem_zero(sizeof(*attempt));
    if (attempt == NULL) {
        event_unref(claim->event);
        return STATUS_NOMEM;
    }
    list_init(&attempt->link);
    attempt->outlet = outlet;
    attempt->event = claim->event;
    attempt->started_ms = clock_unix_ms();
    attempt->again = claim->again != AGAIN_NOT;
    attempt->base = claim->base;
    attempt->since_ms =
        claim->since_ms != 0 ? claim->since_ms : claim->event->recorded_ms;
    attempt->delivery.event = claim->event;
    attempt->delivery.attempt = claim->attempt;
    attempt->delivery.is_replay = claim->again == AGAIN_REPLAY;
    attempt->delivery.count = 1;
    *ret = attempt;
    return STATUS_OK;
}

void
attempt_take_whole(struct attempt *attempt, struct event *whole)
{
    event_unref(attempt->event);
    attempt->event = event_ref(whole);
    attempt->delivery.event = whole;
    attempt->outcome.has_body = true;
    attempt->outcome.body = whole->body;
    attempt->outcome.content_type = whole->content_type;
}

static enum status
render_parts(struct attempt *attempt, const struct connector *connector)
{
    struct delivery *delivery = &attempt->delivery;
    struct envelope_parts parts;
    enum status status =
        envelope_split(connector, attempt->event, delivery->is_replay,
                       &attempt->parts, &parts);
    if (status != STATUS_OK) {
        return status;
    }
    delivery->envelope = parts.data;
    delivery->content_type = parts.content_type;
    delivery->fields = parts.fields;
    return buf_status(&attempt->key);
}

enum status
attempt_render(struct attempt *attempt, const struct connector *connector,
               enum delivery_format format)
{
    struct delivery *delivery = &attempt->delivery;
    const struct event *event = attempt->event;
    handler_key(connector->name, event->id, &attempt->key);
    delivery->key = buf_slice(&attempt->key);
    if (format == FORMAT_RAW) {
        delivery->envelope = event->body;
        delivery->content_type = event->content_type;
        return buf_status(&attempt->key);
    }
    if (format == FORMAT_BINARY) {
        return render_parts(attempt, connector);
    }
    envelope_write(connector, event, delivery->is_replay, &attempt->envelope);
    delivery->envelope = buf_slice(&attempt->envelope);
    delivery->content_type = slice_of("application/cloudevents+json");
    enum status status = buf_status(&attempt->envelope);
    return status != STATUS_OK ? status : buf_status(&attempt->key);
}

void
attempt_destroy(struct attempt *attempt)
{
    if (attempt == NULL) {
        return;
    }
    fill_leave(&attempt->wait);
    event_unref(attempt->event);
    buf_fini(&attempt->envelope);
    arena_fini(&attempt->parts);
    buf_fini(&attempt->key);
    buf_fini(&attempt->words);
    mem_free(attempt);
}
