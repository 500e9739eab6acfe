/* SPDX-License-Identifier: MIT */
#include "source/source_stream.h"

#include "base/instant.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/clock.h"
#include "io/loop.h"
#include "source/source_stream_private.h"

/*
 *   STARTING ──the store's id──► CONNECTING ──200──► CONNECTED
 *                                    ▲   │ no stream      │ the end, or silence
 *                                    │   ▼                ▼
 *                                  WAITING ◄──────────────┘
 *   ENDED: 204.  STOPPING: from everywhere, when asked.
 *
 * The happy path: the store says from where to go on; the request brings a
 * head, then bytes; the reader makes events of them, which fly into the store
 * (stream_flight). What the store cannot take stays in `rest`, and with the
 * relay: its bytes are refused until there is room.
 *
 * What can go wrong: the connection ends, or falls silent, or never is: it is
 * opened again from the last durable id, after what is still on its way has
 * come to its end.
 */

#define CONNECT_MS     (10 * INSTANT_SECOND_MS)
#define HEAD_MS        (30 * INSTANT_SECOND_MS)
#define LOAD_AGAIN_MS  INSTANT_SECOND_MS
#define RETRY_AFTER_MS (INSTANT_HOUR_MS)
#define BODY_BYTES     ((size_t)4096)
#define REFUSALS_TOLD  10

static bool open_came(void *arg, const struct http_reply *head);
static bool bytes_came(void *arg, struct slice bytes);
static void load(struct source_stream *stream);

static const struct http_stream callbacks = { open_came, bytes_came };

/* ---- bytes ---- */

/* Lets events fly while there is room; returns what was not read. */
static struct slice
read_events(struct source_stream *stream, struct slice bytes)
{
    struct sse_event event;
    while (bytes.len > 0 && !stream->is_broken &&
           stream_flight_has_room(stream)) {
        enum status status = sse_read(&stream->reader, &bytes, &event);
        if (status == STATUS_OK) {
            status = stream_flight_take(stream, &event);
        }
        if (status != STATUS_OK && status != STATUS_NOT_FOUND) {
            stream->is_broken = true;
        }
    }
    if (stream->reader.retry_ms >= 0) {
        stream->pause.retry_ms = stream->reader.retry_ms;
    }
    return bytes;
}

/* http_stream's `take`. What has no room waits in `rest`, one piece at most. */
static bool
bytes_came(void *arg, struct slice bytes)
{
    struct source_stream *stream = arg;
    if (stream->rest.len > 0) {
        return false;
    }
    const bool was_working = stream->is_working;
    stream->byte_ms = clock_unix_ms();
    stream->is_working = true;
    buf_append(&stream->rest, read_events(stream, bytes));
    stream->is_broken =
        stream->is_broken || buf_status(&stream->rest) != STATUS_OK;
    stream->is_working = was_working;
    /* what follows may end the call, which is not for now */
    loop_timer_arm(stream->looks, 0);
    return true;
}

static void
read_rest(struct source_stream *stream)
{
    const size_t before = stream->rest.len;
    const struct slice left = read_events(stream, buf_slice(&stream->rest));
    buf_consume(&stream->rest, before - left.len);
    if (stream->rest.len == 0 && stream->call != NULL &&
        stream->state == STREAM_CONNECTED && stream_flight_has_room(stream)) {
        http_client_resume(stream->call);
    }
}

/* ---- the connection ---- */

/* Ends what was, and decides when the next attempt comes. */
static void
wait_for_next(struct source_stream *stream)
{
    const int64_t now_ms = loop_now_ms(stream->loop);
    char span[INSTANT_TEXT_BYTES];
    const int64_t open_ms =
        stream->opened_ms < 0 ? -1 : now_ms - stream->opened_ms;
    stream->pause.failures = stream_failures(stream->pause.failures, open_ms);
    stream->opened_ms = -1;
    stream->connected_ms = 0;
    metric_set(stream->settings.connected, 0);
    if (stream->pause.way == STREAM_OVER) {
        stream->state = STREAM_ENDED;
        LOG(LOG_WARN, "stream over",
            log_slice("connector", stream->settings.connector->name),
            log_text("why", stream->why.text));
        return;
    }
    const int64_t wait_ms = stream_wait_ms(&stream->pause, &stream->prng);
    stream->state = STREAM_WAITING;
    stream->next_ms = clock_unix_ms() + wait_ms;
    loop_timer_arm(stream->timer, wait_ms);
    LOG(stream->pause.failures > 1 || stream->pause.way == STREAM_SLOWLY
            ? LOG_WARN
            : LOG_INFO,
        "stream not connected",
        log_slice("connector", stream->settings.connector->name),
        log_text("why", stream->why.text),
        log_text("again_in", instant_span_text(wait_ms, span)));
}

/* http_stream's `open`. */
static bool
open_came(void *arg, const struct http_reply *head)
{
    struct source_stream *stream = arg;
    struct slice value;
    stream->pause.way =
        stream_judge(head->status, head->fields, &stream->words);
    stream->pause.retry_after_ms = 0;
    if (http_field_find(head->fields, "Retry-After", &value) &&
        http_field_retry_after(value, clock_unix_ms(), RETRY_AFTER_MS,
                               &stream->pause.retry_after_ms) != STATUS_OK) {
        stream->pause.retry_after_ms = 0;
    }
    if (stream->pause.way != STREAM_READ) {
        return false;
    }
    stream->state = STREAM_CONNECTED;
    stream->opened_ms = loop_now_ms(stream->loop);
    stream->connected_ms = stream->byte_ms = clock_unix_ms();
    stream->why.text[0] = '\0';
    sse_begin(&stream->reader,
              (size_t)stream->settings.connector->stream->max_event);
    metric_set(stream->settings.connected, 1);
    LOG(LOG_INFO, "stream connected",
        log_slice("connector", stream->settings.connector->name),
        log_slice("after", slice_first(buf_slice(&stream->flight.id), 200)));
    return true;
}

/* http_reply_fn. */
static void
call_over(void *arg, enum status status, const struct http_reply *reply,
          const struct error *err)
{
    struct source_stream *stream = arg;
    stream->call = NULL;
    if (status != STATUS_OK) {
        stream->why = *err;
        stream->pause.way = STREAM_AGAIN;
    } else if (stream->opened_ms >= 0) {
        (void)error_set(&stream->why, status, "the relay closed the stream");
        stream->pause.way = STREAM_AGAIN;
    } else {
        (void)error_set(&stream->why, status, "HTTP %u: %s", reply->status,
                        stream->words);
    }
    wait_for_next(stream);
}

static void
connect_failed(struct source_stream *stream, enum status status,
               const struct error *err)
{
    stream->pause.way = status == STATUS_NOMEM ? STREAM_AGAIN : STREAM_SLOWLY;
    (void)error_set(&stream->why, status, "%s", error_text(err, status));
    wait_for_next(stream);
}

static void
open_call(struct source_stream *stream)
{
    const struct connector *connector = stream->settings.connector;
    struct arena arena = { 0 };
    struct rendered_request request;
    struct error err = { "" };
    stream->state = STREAM_CONNECTING;
    stream->next_ms = 0;
    stream->is_broken = false;
    enum status status = request_stream(
        connector, buf_slice(&stream->flight.id), &arena, &request, &err);
    if (status == STATUS_OK) {
        const struct http_call_spec spec = {
            .method = request.method,
            .url = request.url,
            .fields = request.fields,
            .user = request.user,
            .password = request.password,
            .connect_timeout_ms = CONNECT_MS,
            .timeout_ms = HEAD_MS,
            .stall_timeout_ms = connector->stream->liveness_ms,
            .body_limit = BODY_BYTES,
            .body_may_be_cut = true,
            .is_held = true,
            .stream = &callbacks,
        };
        status = http_client_start(stream->client, &spec, call_over, stream,
                                   &stream->call, &err);
    }
    arena_fini(&arena);
    if (status != STATUS_OK) {
        connect_failed(stream, status, &err);
    }
}

/* The relay is not asked again while what it sent is on its way: the id to go
 * on from is not known before. */
static void
connect_when_clear(struct source_stream *stream)
{
    if (stream->state == STREAM_WAITING && stream->rest.len == 0 &&
        stream->flight.count == 0 && !loop_timer_armed(stream->timer)) {
        stream->reconnects++;
        metric_add(stream->settings.reconnects, 1);
        open_call(stream);
    }
}

static void
drop_call(struct source_stream *stream)
{
    struct http_call *call = stream->call;
    stream->call = NULL;
    http_client_cancel(call);
}

/* Without memory for what came: it is asked for once more. */
static void
mend(struct source_stream *stream)
{
    stream->is_broken = false;
    buf_fini(&stream->rest);
    if (stream->call != NULL) {
        drop_call(stream);
        stream->pause.way = STREAM_AGAIN;
        (void)error_set(&stream->why, STATUS_NOMEM, "out of memory");
        wait_for_next(stream);
    }
}

static void
end_stop(struct source_stream *stream)
{
    void (*stopped)(void *arg) = stream->stopped;
    if (stream->flight.count == 0 && !stream->flight.is_writing &&
        stopped != NULL) {
        stream->stopped = NULL;
        stopped(stream->stopped_arg);
    }
}

void
stream_go_on(struct source_stream *stream)
{
    if (stream->is_working) {
        return;
    }
    stream->is_working = true;
    stream_flight_settle(stream);
    if (stream->state == STREAM_STOPPING) {
        stream->is_working = false;
        end_stop(stream);
        return;
    }
    read_rest(stream);
    if (stream->is_broken) {
        mend(stream);
    }
    stream_flight_settle(stream);
    stream->is_working = false;
    connect_when_clear(stream);
}

/* ---- timers ---- */

static void
look(void *arg)
{
    struct source_stream *stream = arg;
    if (stream->flight.again && stream->state != STREAM_STOPPING) {
        stream->is_working = true;
        stream_flight_again(stream);
        stream->is_working = false;
    }
    stream_go_on(stream);
}

static void
timer_fired(void *arg)
{
    struct source_stream *stream = arg;
    if (stream->state == STREAM_STARTING && !stream->is_loaded) {
        load(stream);
        return;
    }
    stream_go_on(stream);
}

/* ---- life ---- */

/* The id that the store has, where it is of this stream. */
static void
take_place(struct source_stream *stream, struct slice text)
{
    struct arena arena = { 0 };
    struct rendered_request request;
    struct error err = { "" };
    struct slice id = { NULL, 0 };
    enum status status =
        request_stream(stream->settings.connector, id, &arena, &request, &err);
    if (status == STATUS_OK) {
        status = stream_decode(text, request.url, &arena, &id);
    }
    if (status == STATUS_OK) {
        stream_flight_begin(stream, id);
    } else {
        LOG(LOG_WARN, "stream: the stored id cannot be used",
            log_slice("connector", stream->settings.connector->name),
            log_text("why", error_text(&err, status)));
    }
    arena_fini(&arena);
}

static void
loaded(void *arg, enum status status, struct slice state,
       const struct error *err)
{
    struct source_stream *stream = arg;
    if (stream->state == STREAM_STOPPING) {
        return;
    }
    if (status != STATUS_OK && status != STATUS_NOT_FOUND) {
        (void)error_set(&stream->why, status, "%s", error_text(err, status));
        loop_timer_arm(stream->timer, LOAD_AGAIN_MS);
        return;
    }
    stream->is_loaded = true;
    if (status == STATUS_OK) {
        take_place(stream, state);
    }
    open_call(stream);
}

static void
load(struct source_stream *stream)
{
    stream->sink->load(stream->sink->self, stream->settings.connector,
                       WALK_TIER_STREAM, loaded, stream);
}

enum status
source_stream_create(struct loop *loop, struct http_client *client,
                     const struct source_stream_settings *settings,
                     const struct source_sink *sink, struct source_stream **ret)
{
    struct source_stream *stream = mem_zero(sizeof(*stream));
    if (stream == NULL) {
        return STATUS_NOMEM;
    }
    stream->loop = loop;
    stream->client = client;
    stream->settings = *settings;
    stream->sink = sink;
    stream->prng = (struct prng){ settings->seed };
    stream->pause.retry_ms = -1;
    stream->opened_ms = -1;
    stream->words = "";
    stream->tells =
        (struct quota){ .count = REFUSALS_TOLD, .per_ms = INSTANT_SECOND_MS };
    list_init(&stream->flight.events);
    enum status status =
        loop_timer_create(loop, timer_fired, stream, &stream->timer);
    if (status == STATUS_OK) {
        status = loop_timer_create(loop, look, stream, &stream->looks);
    }
    if (status != STATUS_OK) {
        source_stream_destroy(stream);
        return status;
    }
    *ret = stream;
    return STATUS_OK;
}

void
source_stream_destroy(struct source_stream *stream)
{
    if (stream == NULL) {
        return;
    }
    drop_call(stream);
    loop_timer_destroy(stream->timer);
    loop_timer_destroy(stream->looks);
    stream_flight_fini(stream);
    sse_end(&stream->reader);
    buf_fini(&stream->rest);
    mem_free(stream);
}

void
source_stream_start(struct source_stream *stream)
{
    load(stream);
}

void
source_stream_stop(struct source_stream *stream, void (*stopped)(void *arg),
                   void *arg)
{
    stream->state = STREAM_STOPPING;
    stream->stopped = stopped;
    stream->stopped_arg = arg;
    stream->connected_ms = 0;
    metric_set(stream->settings.connected, 0);
    drop_call(stream);
    loop_timer_disarm(stream->timer);
    loop_timer_arm(stream->looks, 0); /* says so, if nothing is on its way */
}

void
source_stream_figures(const struct source_stream *stream,
                      struct stream_figures *ret_figures)
{
    static const char *const states[] = {
        [STREAM_STARTING] = "starting",   [STREAM_CONNECTING] = "connecting",
        [STREAM_CONNECTED] = "connected", [STREAM_WAITING] = "waiting",
        [STREAM_ENDED] = "over",          [STREAM_STOPPING] = "over",
    };
    *ret_figures = (struct stream_figures){
        .state = states[stream->state],
        .connected_ms = stream->connected_ms,
        .byte_ms = stream->byte_ms,
        .next_ms = stream->state == STREAM_WAITING ? stream->next_ms : 0,
        .reconnects = stream->reconnects,
        .refused = stream->refused,
        .id = buf_slice(&stream->flight.id),
        .why = slice_of(stream->why.text),
    };
}
