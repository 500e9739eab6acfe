/* SPDX-License-Identifier: MIT */
/*
 * stream: what to make of a relay's answers and events: whether to read, when
 * to come again, from where, and which request an event is. Pure.
 */
#ifndef MODEL_STREAM_H
#define MODEL_STREAM_H

#include "base/prng.h"
#include "model/connector_stream.h"
#include "model/verify.h"

/* ---- the connection ---- */

enum stream_way {
    STREAM_READ,   /* events follow */
    STREAM_AGAIN,  /* this may pass: soon, and ever more seldom */
    STREAM_SLOWLY, /* this needs somebody: seldom, and say so */
    STREAM_OVER    /* the relay wants nobody to come again (204) */
};

/* Says what the head of an answer means; *ret_words are static, for people.
 * WHATWG HTML 9.2.3: 200 with text/event-stream alone is a stream. */
enum stream_way stream_judge(unsigned status, struct http_fields fields,
                             const char **ret_words);

/* What came before the next attempt. */
struct stream_pause {
    enum stream_way way;
    unsigned failures;      /* attempts in a row that brought nothing */
    int64_t retry_ms;       /* the relay's `retry`; -1: it has sent none */
    int64_t retry_after_ms; /* Retry-After of the last answer; 0: none */
};

/* How long to wait: never less than the relay asks for, and besides a part,
 * drawn from `prng`, of a span that doubles from 1 s to 5 min (full jitter), so
 * that not all come back at once; where STREAM_SLOWLY, 2.5 to 5 min. */
int64_t stream_wait_ms(const struct stream_pause *pause, struct prng *prng);

/* How many failures in a row there are once a connection has ended that was
 * open for `open_ms`; -1: it never was. One that lasted has begun anew. */
unsigned stream_failures(unsigned failures, int64_t open_ms);

/* ---- the place ---- */

/* Whether an id can be sent back as it is: text, without control bytes. */
bool stream_id_fits(struct slice id);

/* Writes what is stored: the id, and of which URL (without its query) it is. */
NODISCARD
enum status stream_encode(struct slice id, struct slice url,
                          struct arena *arena, struct slice *ret_text);

/* Reads it; the id is empty where it is of another URL. STATUS_CORRUPT when it
 * is no such text. */
NODISCARD
enum status stream_decode(struct slice text, struct slice url,
                          struct arena *arena, struct slice *ret_id);

/* ---- the events ---- */

/* One event as it came, its bytes in the arena of its request. */
struct stream_event {
    struct slice type; /* empty: "message" */
    struct slice id;
    struct slice data;
};

/* Whether events of this type carry a request. */
bool stream_takes(const struct stream_spec *spec, struct slice type);

/*
 * Makes the request that an event carries, as its connector says; it borrows
 * from the event and from `arena`. STATUS_INVALID names what is not there.
 */
NODISCARD
enum status stream_request(const struct connector *connector,
                           const struct stream_event *event,
                           struct arena *arena, struct inbound *ret_request,
                           struct error *err);

#endif
