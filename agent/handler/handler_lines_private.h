/* SPDX-License-Identifier: MIT */
/*
 * handler_lines_private: what handler_lines (attempts and the choice of a peer)
 * and handler_lines_peer (one peer) share.
 */
#ifndef HANDLER_HANDLER_LINES_PRIVATE_H
#define HANDLER_HANDLER_LINES_PRIVATE_H

#include "base/list.h"
#include "handler/handler_lines.h"

enum { DETAIL_BYTES = 512 };

enum peer_state { PEER_CLOSED, PEER_OPENING, PEER_OPEN, PEER_ENDING };

struct lines_peer {
    struct pool *pool;
    void *data; /* the way's */
    enum peer_state state;
    struct line_stream *stream; /* NULL: not open, or not listened to */
    struct loop_timer *timer;
    struct list given; /* attempts, oldest first */
    size_t load;
    unsigned failures;      /* in a row, without an answer between */
    int64_t not_before_ms;  /* of the next opening; loop's clock */
    bool has_answered;      /* since it was opened */
    bool is_leaving;        /* gets no more; ends when all is answered */
    bool is_dirty;          /* lines wait for the turn's end */
    char why[DETAIL_BYTES]; /* it was ended; empty: by itself */
};

struct pool {
    struct handler base;
    struct loop *loop;
    struct handler_lines_settings settings;
    struct lines_peer *peers;
    struct list all; /* attempts, oldest first */
    struct list waiting;
    size_t waiting_count;
    struct loop_timer *deadline;
    struct loop_turn *turn;
    size_t dirty;
    bool is_canceled; /* what waits is told on the next turn */
    void (*closed)(void *arg);
    void *closed_arg;
    char last[DETAIL_BYTES]; /* how the last peer ended */
};

struct attempt {
    struct list all;
    struct list link; /* waiting, or given */
    const struct delivery *delivery;
    handler_result_fn *done;
    void *arg;
    int64_t started_ms;
    bool is_late;
};

/* ---- handler_lines ---- */

/* The attempt is over: calls back and frees it. */
void lines_report(struct pool *pool, struct attempt *attempt,
                  struct handler_result *result);
void lines_report_failed(struct pool *pool, struct attempt *attempt,
                         const char *words, struct slice output);

/* Fails all that wait. */
void lines_fail_waiting(struct pool *pool, const char *words);

/* Gives what waits to peers, and opens those it takes. */
void lines_pump(struct pool *pool);

/* Says once that nothing is left, when that was asked for. */
void lines_check_closed(struct pool *pool);

/* ---- handler_lines_peer ---- */

/* The peer's timer's: ends it, or its wait. */
void lines_peer_timer(void *arg);

/* Begins to open a closed peer; a failure comes by lines_closed, later. */
void lines_open(struct lines_peer *peer);

/* Ends it on the next turn; `why` for its deliveries, unless one is known. */
void lines_end(struct lines_peer *peer, const char *why);

/* Lets an open peer answer what it has; then it goes. */
void lines_leave(struct lines_peer *peer);

/* Returns what it was given with this id, or NULL. */
struct attempt *lines_find_given(const struct lines_peer *peer,
                                 struct slice id);

/* False: no memory for the line now; it waits on. */
bool lines_give(struct lines_peer *peer, struct attempt *attempt);

#endif
