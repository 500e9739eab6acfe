/* SPDX-License-Identifier: MIT */
/*
 * source_stream_private: what source_stream (the connection) and stream_flight
 * (its events on their way into the store) share.
 */
#ifndef SOURCE_SOURCE_STREAM_PRIVATE_H
#define SOURCE_SOURCE_STREAM_PRIVATE_H

#include "base/list.h"
#include "base/prng.h"
#include "io/http_client.h"
#include "model/quota.h"
#include "model/request.h"
#include "model/stream.h"
#include "source/source_stream.h"
#include "wire/sse.h"

enum stream_state {
    STREAM_STARTING,   /* the store is asked for the last id */
    STREAM_CONNECTING, /* the request is on its way */
    STREAM_CONNECTED,
    STREAM_WAITING, /* for the time of the next attempt */
    STREAM_ENDED,   /* the relay wants nobody to come again */
    STREAM_STOPPING
};

/* Events on their way, in the order in which they came. */
struct stream_flight {
    struct list events; /* of struct flight_event */
    size_t count;
    size_t bytes;
    uint64_t last;    /* number of the event that came last */
    uint64_t over;    /* all up to this one are over, */
    uint64_t written; /* the id of this one is on its way to the store, */
    uint64_t stored;  /* and this one's is there */
    struct buf id;    /* of the last one that is over and has one */
    bool is_writing;  /* an id alone, */
    uint64_t alone;   /* that of this one */
    bool again;       /* something has to be tried again */
};

struct source_stream {
    struct loop *loop;
    struct http_client *client;
    struct source_stream_settings settings;
    const struct source_sink *sink;
    enum stream_state state;
    struct http_call *call;
    struct loop_timer *timer; /* of the next attempt */
    struct loop_timer *looks; /* whether the sink takes more */
    struct prng prng;
    struct sse_reader reader;
    struct buf rest; /* read from the relay, not yet from the reader */
    struct stream_flight flight;
    struct stream_pause pause; /* before the next attempt */
    struct quota tells;        /* lines about refusals */
    bool is_working;           /* in stream_go_on: it looks at all that comes */
    bool is_broken;            /* no memory: the connection must end */
    bool is_loaded;
    int64_t opened_ms;    /* monotonic; -1: the call never brought a stream */
    int64_t connected_ms; /* Unix ms, as are the next two */
    int64_t byte_ms;
    int64_t next_ms;
    uint64_t reconnects;
    uint64_t refused;
    struct error why;
    const char *words; /* of stream_judge */
    void (*stopped)(void *arg);
    void *stopped_arg;
};

/* Does what can be done now: reads what came, tries again, stores the id, asks
 * for more, opens anew. Called whenever something has changed. */
void stream_go_on(struct source_stream *stream);

/* ---- stream_flight ---- */

/* Whether one more event may be taken now. */
bool stream_flight_has_room(struct source_stream *stream);

/* Takes an event, whose bytes it copies. STATUS_NOMEM: the stream has to be
 * read again from the last id. */
NODISCARD
enum status stream_flight_take(struct source_stream *stream,
                               const struct sse_event *event);

/* Submits again what was not taken. */
void stream_flight_again(struct source_stream *stream);

/* Lets go of what is over, and writes down its id where nothing else will. */
void stream_flight_settle(struct source_stream *stream);

/* The id that the next connection goes on from. */
void stream_flight_begin(struct source_stream *stream, struct slice id);

void stream_flight_fini(struct source_stream *stream);

#endif
