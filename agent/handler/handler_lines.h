/* SPDX-License-Identifier: MIT */
/*
 * handler_lines: the handlers that are talked to by lines: a delivery goes to
 * a peer as one line, and its answer is another (wire/worker_line). What a peer
 * is, a child or a connection, its way says.
 *
 * A peer is opened when it is needed and kept. It is given `ahead` lines before
 * it has answered the first, never two at once with the same id, and may answer
 * in any order. A peer that ends, is late, or answers what is no answer to what
 * it was given is ended, its deliveries are tried later, and another takes its
 * place: at once if it had answered anything, else after a wait that doubles
 * each time, up to 10 s.
 */
#ifndef HANDLER_HANDLER_LINES_H
#define HANDLER_HANDLER_LINES_H

#include "handler/handler.h"

struct loop;
struct lines_peer;

/* How peers are come by. Everything here is called on the loop. */
struct lines_way {
    const char *noun; /* "the worker" */
    int64_t grace_ms; /* between the end of its lines and `end` */

    /* Begins; lines_opened follows, also from here, or lines_closed, later.
     * `*data` is the way's own, per peer. */
    enum status (*open)(void *arg, struct lines_peer *peer, void **data,
                        struct error *err);

    /* Ends it now; lines_closed follows, also from here. */
    void (*end)(void *arg, struct lines_peer *peer, void *data);

    /* What it said besides its answers, or NULL. */
    struct slice (*output)(void *data);
    void (*forget)(void *data);

    void (*destroy)(void *arg);
};

struct handler_lines_settings {
    const struct lines_way *way; /* static */
    void *arg;
    int64_t timeout_ms;
    size_t peers; /* at most */
    size_t ahead;
};

/* The way's `arg` is destroyed with the handler, and not on failure. */
NODISCARD
enum status handler_lines_create(struct loop *loop,
                                 const struct handler_lines_settings *settings,
                                 struct handler **ret);

/* For ways: the peer can be talked to. Takes the descriptors, which do not
 * block. */
void lines_opened(struct lines_peer *peer, int in_fd, int out_fd);

/* For ways: the peer is gone. `words`: how it ended, "exit 1". `output` is
 * borrowed. Never within handler_ops.start. */
void lines_closed(struct lines_peer *peer, const char *words,
                  struct slice output);

#endif
