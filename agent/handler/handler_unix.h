/* SPDX-License-Identifier: MIT */
/*
 * handler_unix: `unix`: deliveries as lines to a server on a unix stream
 * socket, which answers each with a line (wire/worker_line, handler_lines).
 *
 * Connections are kept, as many as are needed, at most concurrency / ahead; one
 * that is lost is made again.
 */
#ifndef HANDLER_HANDLER_UNIX_H
#define HANDLER_HANDLER_UNIX_H

#include "handler/handler.h"

struct loop;

/* STATUS_CONFIG for a path that is too long for a socket (107 bytes). */
NODISCARD
enum status handler_unix_create(struct loop *loop, struct slice path,
                                int64_t timeout_ms, size_t connections,
                                size_t ahead, struct handler **ret,
                                struct error *err);

#endif
