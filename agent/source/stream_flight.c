/* SPDX-License-Identifier: MIT */
/*
 * stream_flight: the events of a stream on their way into the store, in order,
 * and the id that follows behind them.
 *
 * The id of an event is stored with it where nothing before it is on its way.
 * Else it waits until all before it are over; the next event carries it then,
 * or it is stored alone once nothing is left. It never goes back.
 */
#include "source/source_stream_private.h"

#include "base/instant.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/clock.h"
#include "io/loop.h"

#define EVENTS_MOST  64
#define BYTES_BESIDE ((size_t)1024 * 1024)
#define GZIP_RATIO   100
#define TRIES_MOST   60
#define AGAIN_MS     INSTANT_SECOND_MS

struct flight_event {
    struct list link;
    struct source_stream *stream;
    struct stream_event event; /* in the arena */
    struct arena arena;
    uint64_t number;
    uint64_t carries; /* the number whose id goes with it; 0: none */
    size_t bytes;
    unsigned tries; /* that were not for want of room */
    bool has_id;
    bool is_out;                   /* with the sink */
    const struct arrival *arrival; /* the sink's, while it is out */
    bool is_over;                  /* durable, or nothing to store */
};

static const struct {
    enum stream_outcome outcome;
    bool is_refused;
} outcomes[] = {
    [VERDICT_STORED] = { STREAM_ACCEPTED, false },
    [VERDICT_SEEN] = { STREAM_DUPLICATE, false },
    [VERDICT_ANSWER] = { STREAM_ACCEPTED, false },
    [VERDICT_FORGED] = { STREAM_BAD_SIGNATURE, true },
    [VERDICT_STALE] = { STREAM_STALE, true },
    [VERDICT_INVALID] = { STREAM_MALFORMED, true },
};

const char *
stream_outcome_name(enum stream_outcome outcome)
{
    static const char *const names[STREAM_OUTCOME_COUNT] = {
        [STREAM_ACCEPTED] = "accepted",
        [STREAM_DUPLICATE] = "duplicate",
        [STREAM_BAD_SIGNATURE] = "bad_signature",
        [STREAM_STALE] = "stale",
        [STREAM_MALFORMED] = "malformed",
        [STREAM_TOO_LARGE] = "too_large",
        [STREAM_GIVEN_UP] = "given_up",
    };
    return names[outcome];
}

static void
count(const struct source_stream *stream, enum stream_outcome outcome)
{
    metric_add(stream->settings.outcomes[outcome], 1);
}

static void
tell(const struct source_stream *stream, enum stream_outcome outcome,
     const struct arrival *arrival, struct slice why)
{
    /* One that was given up might have been genuine. */
    static const enum refusal_cause causes[STREAM_OUTCOME_COUNT] = {
        [STREAM_BAD_SIGNATURE] = REFUSAL_BAD_SIGNATURE,
        [STREAM_STALE] = REFUSAL_STALE,
        [STREAM_MALFORMED] = REFUSAL_MALFORMED,
        [STREAM_TOO_LARGE] = REFUSAL_TOO_LARGE,
    };
    struct refusal refusal = { .connector = stream->settings.connector,
                               .cause = causes[outcome],
                               .why = why };
    if (refusal.cause == 0 || stream->settings.refused == NULL) {
        return;
    }
    if (arrival != NULL) {
        refusal.method = arrival->request.method;
        refusal.target = arrival->request.path_query;
        refusal.fields = arrival->request.fields;
        refusal.bytes = (int64_t)arrival->request.body.len;
    }
    stream->settings.refused(stream->settings.refused_arg, &refusal);
}

/* A relay may hand on what anybody sends to it: all are counted, and some are
 * told. `arrival`: as far as it was made; may be NULL. */
static void
refuse(struct source_stream *stream, enum stream_outcome outcome,
       struct slice id, const struct arrival *arrival, struct slice why)
{
    count(stream, outcome);
    tell(stream, outcome, arrival, why);
    stream->refused++;
    if (quota_take(&stream->tells, loop_now_ms(stream->loop)) == 0) {
        LOG(LOG_WARN, "event of a stream refused",
            log_slice("connector", stream->settings.connector->name),
            log_text("outcome", stream_outcome_name(outcome)),
            log_slice("why", why), log_slice("id", slice_first(id, 200)));
    }
}

/* ---- the id ---- */

static enum status
encode_id(struct source_stream *stream, struct slice id, struct arena *arena,
          struct slice *ret_text)
{
    struct rendered_request request;
    struct error err;
    enum status status =
        request_stream(stream->settings.connector, (struct slice){ NULL, 0 },
                       arena, &request, &err);
    return status == STATUS_OK ? stream_encode(id, request.url, arena, ret_text)
                               : status;
}

/* Decides which id goes with an event, and puts it into its arrival. */
static enum status
carry_id(struct flight_event *event, struct arrival *arrival)
{
    struct source_stream *stream = event->stream;
    struct stream_flight *flight = &stream->flight;
    const bool is_first = flight->events.next == &event->link;
    struct slice id = buf_slice(&flight->id);
    uint64_t number = flight->over;
    event->carries = 0;
    if (is_first && event->has_id) {
        id = event->event.id;
        number = event->number;
    }
    if (number <= flight->written) {
        return STATUS_OK;
    }
    enum status status =
        encode_id(stream, id, &arrival->arena, &arrival->walk_state);
    if (status == STATUS_OK) {
        arrival->has_walk = true;
        arrival->fence = stream->settings.fence;
        arrival->tier = WALK_TIER_STREAM;
        event->carries = number;
        flight->written = number;
    }
    return status;
}

/* What has become of the id with this number. Where one with a higher number is
 * on its way, that one decides. */
static void
id_stored(struct stream_flight *flight, uint64_t number, bool is_stored)
{
    if (is_stored && number > flight->stored) {
        flight->stored = number;
    } else if (!is_stored && flight->written == number) {
        flight->written = flight->stored;
    }
}

static void
id_written(void *arg, const struct verdict *verdict)
{
    struct source_stream *stream = arg;
    struct stream_flight *flight = &stream->flight;
    flight->is_writing = false;
    id_stored(flight, flight->alone, verdict->kind == VERDICT_STORED);
    flight->again = flight->again || verdict->kind != VERDICT_STORED;
    stream_go_on(stream);
}

/* Stores the id alone. */
static enum status
write_id(struct source_stream *stream)
{
    struct stream_flight *flight = &stream->flight;
    struct arrival *arrival;
    enum status status =
        arrival_create(stream->settings.connector, ARRIVAL_PAGE, CHANNEL_STREAM,
                       clock_unix_ms(), &arrival);
    if (status != STATUS_OK) {
        return status;
    }
    status = encode_id(stream, buf_slice(&flight->id), &arrival->arena,
                       &arrival->walk_state);
    if (status != STATUS_OK) {
        arrival_destroy(arrival);
        return status;
    }
    arrival->has_walk = true;
    arrival->fence = stream->settings.fence;
    arrival->tier = WALK_TIER_STREAM;
    flight->is_writing = true;
    flight->alone = flight->over;
    flight->written = flight->over;
    stream->sink->submit(stream->sink->self, arrival, id_written, stream);
    return STATUS_OK;
}

/* ---- events ---- */

/* What is wanting passes, if it is room. What else may be wanting (a key that
 * cannot be had) must not hold up all that comes behind it for ever. */
static void
try_later(struct flight_event *event, const struct verdict *verdict)
{
    struct source_stream *stream = event->stream;
    const struct source_sink *sink = stream->sink;
    event->tries += sink->is_writable(sink->self) && sink->has_room(sink->self);
    if (event->tries < TRIES_MOST) {
        stream->flight.again = true;
        return;
    }
    event->is_over = true;
    refuse(stream, STREAM_GIVEN_UP, event->event.id, NULL, verdict->why);
}

static void
event_over(void *arg, const struct verdict *verdict)
{
    struct flight_event *event = arg;
    struct source_stream *stream = event->stream;
    struct stream_flight *flight = &stream->flight;
    event->is_out = false;
    event->is_over = verdict->kind != VERDICT_BUSY &&
                     verdict->kind != VERDICT_FENCED &&
                     verdict->kind != VERDICT_FAILED;
    if (event->carries != 0) {
        /* what was not stored carried nothing */
        id_stored(flight, event->carries,
                  event->is_over && verdict->fresh + verdict->known > 0);
    }
    if (!event->is_over) {
        try_later(event, verdict);
    } else if (outcomes[verdict->kind].is_refused) {
        refuse(stream, outcomes[verdict->kind].outcome, event->event.id,
               event->arrival, verdict->why);
    } else {
        count(stream, outcomes[verdict->kind].outcome);
    }
    if (verdict->signal && stream->settings.signal != NULL) {
        stream->settings.signal(stream->settings.signal_arg,
                                stream->settings.connector);
    }
    stream_go_on(stream);
}

/* A relay that hands on the bytes as they came hands on their coding too; one
 * that has undone it may still name it. */
static enum status
undo_coding(const struct source_stream *stream, struct arrival *arrival)
{
    const struct slice gzip = SLICE("\x1f\x8b");
    if (!slice_starts(arrival->request.body, gzip)) {
        return STATUS_OK;
    }
    return arrival_inflate(
        arrival, (size_t)stream->settings.connector->stream->max_event,
        GZIP_RATIO);
}

static enum status
fill_arrival(struct flight_event *event, struct arrival *arrival,
             struct error *err)
{
    const struct source_stream *stream = event->stream;
    enum status status =
        stream_request(stream->settings.connector, &event->event,
                       &arrival->arena, &arrival->request, err);
    if (status == STATUS_OK) {
        status = undo_coding(stream, arrival);
    }
    return status == STATUS_OK ? carry_id(event, arrival) : status;
}

static void
submit(struct flight_event *event)
{
    struct source_stream *stream = event->stream;
    struct arrival *arrival = NULL;
    struct error err = { "" };
    enum status status =
        arrival_create(stream->settings.connector, ARRIVAL_REQUEST,
                       CHANNEL_STREAM, clock_unix_ms(), &arrival);
    if (status == STATUS_OK) {
        status = fill_arrival(event, arrival, &err);
    }
    if (status == STATUS_OK) {
        event->is_out = true;
        event->arrival = arrival;
        stream->sink->submit(stream->sink->self, arrival, event_over, event);
        return;
    }
    if (status == STATUS_INVALID || status == STATUS_TOO_LARGE) {
        event->is_over = true;
        refuse(stream,
               status == STATUS_INVALID ? STREAM_MALFORMED : STREAM_TOO_LARGE,
               event->event.id, arrival, slice_of(error_text(&err, status)));
    } else {
        stream->flight.again = true;
    }
    arrival_destroy(arrival);
}

static void
free_event(struct flight_event *event)
{
    arena_fini(&event->arena);
    mem_free(event);
}

static enum status
make_event(struct source_stream *stream, const struct sse_event *from,
           struct flight_event **ret)
{
    struct flight_event *event = mem_zero(sizeof(*event));
    if (event == NULL) {
        return STATUS_NOMEM;
    }
    event->stream = stream;
    event->bytes = from->data.len;
    event->has_id = from->has_id && stream_id_fits(from->id);
    enum status status =
        arena_copy(&event->arena, from->type, &event->event.type);
    if (status == STATUS_OK) {
        status = arena_copy(&event->arena, from->id, &event->event.id);
    }
    if (status == STATUS_OK) {
        status = arena_copy(&event->arena, from->data, &event->event.data);
    }
    if (status != STATUS_OK) {
        free_event(event);
        return status;
    }
    *ret = event;
    return STATUS_OK;
}

bool
stream_flight_has_room(struct source_stream *stream)
{
    const struct stream_flight *flight = &stream->flight;
    const size_t most =
        (size_t)stream->settings.connector->stream->max_event + BYTES_BESIDE;
    if (flight->again || flight->count >= EVENTS_MOST ||
        flight->bytes >= most) {
        return false; /* a verdict, or the next try, makes room */
    }
    const struct source_sink *sink = stream->sink;
    if (sink->has_room(sink->self) && sink->is_writable(sink->self)) {
        return true;
    }
    if (!loop_timer_armed(stream->looks)) {
        loop_timer_arm(stream->looks, AGAIN_MS);
    }
    return false;
}

enum status
stream_flight_take(struct source_stream *stream, const struct sse_event *event)
{
    struct stream_flight *flight = &stream->flight;
    struct flight_event *taken;
    enum status status = make_event(stream, event, &taken);
    if (status != STATUS_OK) {
        return status;
    }
    taken->number = ++flight->last;
    list_append(&flight->events, &taken->link);
    flight->count++;
    flight->bytes += taken->bytes;
    if (event->too_large) {
        taken->is_over = true;
        refuse(stream, STREAM_TOO_LARGE, event->id, NULL,
               slice_of("its data are larger than 'max_event'"));
    } else if (event->has_data &&
               stream_takes(stream->settings.connector->stream, event->type)) {
        submit(taken);
    } else {
        taken->is_over = true; /* nothing but its id counts */
    }
    return STATUS_OK;
}

void
stream_flight_again(struct source_stream *stream)
{
    struct stream_flight *flight = &stream->flight;
    flight->again = false;
    list_for_each(link, &flight->events) {
        struct flight_event *event =
            list_entry(link, struct flight_event, link);
        if (!event->is_out && !event->is_over && !flight->again) {
            submit(event);
        }
    }
}

static void
let_go(struct stream_flight *flight, struct flight_event *event)
{
    list_remove(&event->link);
    flight->count--;
    flight->bytes -= event->bytes;
    free_event(event);
}

void
stream_flight_settle(struct source_stream *stream)
{
    struct stream_flight *flight = &stream->flight;
    while (!list_empty(&flight->events)) {
        struct flight_event *first =
            list_entry(flight->events.next, struct flight_event, link);
        if (!first->is_over) {
            break;
        }
        if (first->has_id) {
            buf_clear(&flight->id);
            buf_append(&flight->id, first->event.id);
            if (buf_status(&flight->id) != STATUS_OK) {
                flight->again = true;
                break;
            }
            flight->over = first->number;
        }
        let_go(flight, first);
    }
    if (list_empty(&flight->events) && !flight->is_writing &&
        flight->over > flight->stored && !flight->again &&
        write_id(stream) != STATUS_OK) {
        flight->again = true;
    }
    if (flight->again && !loop_timer_armed(stream->looks)) {
        loop_timer_arm(stream->looks, AGAIN_MS);
    }
}

void
stream_flight_begin(struct source_stream *stream, struct slice id)
{
    buf_clear(&stream->flight.id);
    buf_append(&stream->flight.id, id);
}

void
stream_flight_fini(struct source_stream *stream)
{
    struct stream_flight *flight = &stream->flight;
    while (!list_empty(&flight->events)) {
        let_go(flight,
               list_entry(flight->events.next, struct flight_event, link));
    }
    buf_fini(&flight->id);
}
