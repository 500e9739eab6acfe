/* SPDX-License-Identifier: MIT */
/*
 * admin_stream: what happens, as it happens, as server-sent events (WHATWG HTML
 * §9.2).
 */
#include "app/admin_private.h"

#include "app/live_tell.h"
#include "base/log.h"
#include "io/loop.h"

/*
 * The happy path: answer_stream begins an answer that goes on and joins live;
 * woken, `pump` makes a piece of what is new and sends it.
 *
 * What can go wrong: the reader takes nothing more. The piece in hand and
 * BUFFER_BYTES wait for it, then the ring of live does, and when that has moved
 * on over what it has not seen the stream is cut. It comes back with the number
 * it saw last, and is told what it lost.
 */

#define BUFFER_BYTES ((size_t)256 * 1024)
#define PIECE_BYTES  ((size_t)32 * 1024)
#define BEAT_MS      15000 /* a comment, so that nobody between thinks it dead */
#define RETRY_MS     2000
#define STATS_MS     2000

struct stream {
    struct list link;
    struct admin *admin;
    struct http_outflow *flow;
    struct live_reader reader;
    struct loop_timer *beat;
    struct arena arena; /* what the reader's filters borrow */
    struct buf piece;   /* to be sent next */
    bool is_full;       /* until `drained` */
};

static void
destroy(struct stream *stream)
{
    if (stream->flow != NULL) {
        live_leave(stream->admin->settings.live, &stream->reader);
        list_remove(&stream->link);
        stream->admin->streams.count--;
    }
    loop_timer_destroy(stream->beat);
    arena_fini(&stream->arena);
    buf_fini(&stream->piece);
    mem_free(stream);
}

/* ---- sending ---- */

/* One event; data that are JSON on one line need no more than that. */
static void
add_block(struct buf *into, const char *type, uint64_t number,
          struct slice data)
{
    buf_text(into, "id: ");
    buf_u64(into, number);
    buf_text(into, "\nevent: ");
    buf_text(into, type);
    buf_text(into, "\ndata: ");
    buf_append(into, data);
    buf_text(into, "\n\n");
}

static void
fill_piece(struct stream *stream)
{
    struct live *live = stream->admin->settings.live;
    while (stream->piece.len < PIECE_BYTES) {
        bool lost;
        const struct live_entry *entry =
            live_next(live, &stream->reader, &lost);
        if (lost) {
            add_block(&stream->piece, "lost",
                      entry == NULL ? live_last(live) : entry->number - 1,
                      slice_of("{}"));
        }
        if (entry == NULL) {
            return;
        }
        add_block(&stream->piece, live_topic_name(entry->topic), entry->number,
                  entry->data);
    }
}

static void
cut(struct stream *stream)
{
    http_outflow_cut(stream->flow);
    destroy(stream);
}

/* Sends the piece in hand. False: it was not taken, or the stream is gone. */
static bool
send_piece(struct stream *stream)
{
    if (buf_status(&stream->piece) != STATUS_OK) {
        cut(stream); /* what it lacks it asks for when it comes back */
        return false;
    }
    enum status status =
        http_outflow_send(stream->flow, buf_slice(&stream->piece));
    if (status == STATUS_CANCELED) {
        destroy(stream);
        return false;
    }
    stream->is_full = status == STATUS_FULL;
    if (!stream->is_full) {
        buf_clear(&stream->piece);
    }
    return !stream->is_full;
}

/* Sends what there is for it, as far as it takes it. */
static void
pump(struct stream *stream)
{
    for (;;) {
        if (stream->piece.len == 0) {
            fill_piece(stream);
        }
        if (stream->piece.len == 0 || !send_piece(stream)) {
            return;
        }
    }
}

/* live_reader's `wake`. */
static void
wake(void *arg)
{
    struct stream *stream = arg;
    if (!stream->is_full) {
        pump(stream);
    } else if (live_is_behind(stream->admin->settings.live, &stream->reader)) {
        LOG(LOG_INFO, "a reader of the stream is cut off",
            log_text("why", "it takes less than happens"));
        cut(stream);
    }
}

static void
drained(void *arg)
{
    struct stream *stream = arg;
    stream->is_full = false;
    pump(stream);
}

static void
ended(void *arg)
{
    destroy(arg);
}

/* The number moves on even where nothing is for this reader, so that none of
 * what it does not want is called lost when it comes back. */
static void
beat(void *arg)
{
    struct stream *stream = arg;
    loop_timer_arm(stream->beat, BEAT_MS);
    if (!stream->is_full) {
        buf_text(&stream->piece, "id: ");
        buf_u64(&stream->piece, stream->reader.next - 1);
        buf_text(&stream->piece, "\n: still here\n\n");
        pump(stream);
    }
}

/* ---- stats ---- */

static void
tell_stats(void *arg)
{
    struct admin *admin = arg;
    const struct admin_settings_of_agent *settings = &admin->settings;
    struct live_figures figures = { .running =
                                        dispatch_running(settings->dispatch),
                                    .dispatch = settings->dispatch,
                                    .outlets = settings->outlets,
                                    .outlet_count = settings->outlet_count };
    if (!live_is_read(settings->live, LIVE_STATS)) {
        return; /* armed again by the next who reads them */
    }
    store_worker_figures(settings->worker, &figures.store);
    live_tell_stats(settings->live, &figures);
    loop_timer_arm(admin->streams.stats, STATS_MS);
}

/* ---- beginning ---- */

static bool
read_topics(const struct admin_ask *ask, unsigned *ret_topics)
{
    struct slice rest;
    struct slice name;
    if (!admin_query(ask, "topics", &rest)) {
        *ret_topics = (1U << LIVE_TOPICS) - 1;
        return true;
    }
    while (slice_split(&rest, ',', &name)) {
        int topic = 0;
        while (
            topic < LIVE_TOPICS &&
            !slice_equal_text(name, live_topic_name((enum live_topic)topic))) {
            topic++;
        }
        if (topic == LIVE_TOPICS) {
            admin_answer_problem(ask->exchange, 400,
                                 "topics: some of events, deliveries, walks, "
                                 "refusals, gaps and stats are wanted here, "
                                 "with commas between them");
            return false;
        }
        *ret_topics |= 1U << topic;
    }
    return true;
}

/* A misspelt name would show nothing, for ever. False: that was answered. */
static bool
check_names(const struct admin_ask *ask)
{
    struct slice name;
    if (admin_query(ask, "handler", &name) &&
        !admin_has_handler(ask->admin, name)) {
        admin_answer_problem(ask->exchange, 400,
                             "handler: the name of a configured handler is "
                             "wanted here");
        return false;
    }
    uint32_t number;
    return admin_query_connector(ask, &number);
}

static enum status
keep_filter(const struct admin_ask *ask, struct stream *stream,
            const char *name, struct slice *ret)
{
    struct slice value;
    return admin_query(ask, name, &value)
               ? arena_copy(&stream->arena, value, ret)
               : STATUS_OK;
}

/* The last number seen: browsers send it as a field when they come back. */
static uint64_t
last_seen(const struct admin_ask *ask)
{
    struct slice text;
    uint64_t last = 0;
    if ((http_field_find(ask->request->fields, "Last-Event-ID", &text) ||
         admin_query(ask, "last_event_id", &text)) &&
        slice_to_u64(slice_trim(text), &last) != STATUS_OK) {
        last = UINT64_MAX; /* not one of ours: whatever it saw, it lost some */
    }
    return last;
}

static enum status
create(const struct admin_ask *ask, unsigned topics, struct stream **ret)
{
    struct stream *stream = mem_zero(sizeof(*stream));
    if (stream == NULL) {
        return STATUS_NOMEM;
    }
    stream->admin = ask->admin;
    stream->reader.topics = topics;
    stream->reader.wake = wake;
    stream->reader.arg = stream;
    enum status status =
        keep_filter(ask, stream, "connector", &stream->reader.connector);
    if (status == STATUS_OK) {
        status = keep_filter(ask, stream, "handler", &stream->reader.handler);
    }
    if (status == STATUS_OK) {
        status = keep_filter(ask, stream, "type", &stream->reader.type);
    }
    if (status == STATUS_OK) {
        status =
            loop_timer_create(ask->admin->loop, beat, stream, &stream->beat);
    }
    if (status != STATUS_OK) {
        destroy(stream);
        return status;
    }
    *ret = stream;
    return STATUS_OK;
}

/* The answer has begun. */
static void
begin(struct stream *stream, uint64_t last)
{
    struct admin *admin = stream->admin;
    list_append(&admin->streams.open, &stream->link);
    admin->streams.count++;
    live_join(admin->settings.live, &stream->reader, last);
    loop_timer_arm(stream->beat, BEAT_MS);
    if ((stream->reader.topics & (1U << LIVE_STATS)) != 0 &&
        !loop_timer_armed(admin->streams.stats)) {
        loop_timer_arm(admin->streams.stats, 0);
    }
    /* At once, with a number to come back with. */
    buf_format(&stream->piece, "retry: %d\nid: ", RETRY_MS);
    buf_u64(&stream->piece, last == 0 ? live_last(admin->settings.live) : last);
    buf_text(&stream->piece, "\n\n");
    pump(stream);
}

static void
answer_stream(struct admin_ask *ask)
{
    static const struct http_field fresh = { SLICE("Cache-Control"),
                                             SLICE("no-store") };
    struct admin *admin = ask->admin;
    struct stream *stream;
    unsigned topics = 0;
    if (!read_topics(ask, &topics) || !check_names(ask)) {
        return;
    }
    if (admin->streams.count >= admin->settings.live_streams) {
        admin_answer_problem(ask->exchange, 503,
                             "as many read along as admin.streams allows");
        return;
    }
    uint64_t last = last_seen(ask);
    enum status status = create(ask, topics, &stream);
    if (status != STATUS_OK) {
        admin_answer_status(ask->exchange, status, NULL);
        return;
    }
    const struct http_outflow_spec spec = {
        .head = { .status = 200,
                  .content_type = SLICE("text/event-stream"),
                  .fields = { &fresh, 1 } },
        .buffer_bytes = BUFFER_BYTES,
        .arg = stream,
        .drained = drained,
        .ended = ended,
    };
    status = http_exchange_flow(ask->exchange, &spec, &stream->flow);
    if (status == STATUS_OK) {
        begin(stream, last);
        return;
    }
    destroy(stream);
    if (status == STATUS_NOMEM) {
        admin_answer_status(ask->exchange, status, NULL);
    }
}

enum status
admin_stream_init(struct admin *admin)
{
    list_init(&admin->streams.open);
    return loop_timer_create(admin->loop, tell_stats, admin,
                             &admin->streams.stats);
}

void
admin_stream_fini(struct admin *admin)
{
    loop_timer_destroy(admin->streams.stats);
}

static const struct admin_route routes[] = {
    { "GET", "/api/v1/stream", answer_stream },
};

const struct admin_table admin_stream_table = { routes, sizeof(routes) /
                                                            sizeof(routes[0]) };
