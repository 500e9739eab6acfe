/* SPDX-License-Identifier: MIT */
/*
 * http_listen: listening sockets: from an address in words to a descriptor that
 * connections can be accepted from.
 */
#ifndef IO_HTTP_LISTEN_H
#define IO_HTTP_LISTEN_H

#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct http_listener {
    int fd;
    bool is_unix;
    uint16_t port; /* 0 for a unix socket */
    char *path;    /* of a unix socket we made, to be removed; else NULL */
    dev_t device;  /* what we made, so that nothing else is removed */
    ino_t inode;
};

/*
 * Listens on "127.0.0.1:8080", "[::1]:8080", "localhost:8080", "*:8080" (IPv4
 * and IPv6), "unix:/path" or "fd:NAME". STATUS_INVALID for an address that
 * cannot be, STATUS_EXISTS when it is in use, STATUS_DENIED, STATUS_NOT_FOUND
 * for an unknown NAME or folder.
 */
NODISCARD
enum status http_listen_open(const char *address, unsigned unix_mode,
                             struct http_listener *ret, struct error *err);

/* Whether the words of `address` can be one, without asking the machine:
 * STATUS_INVALID says why not. */
NODISCARD
enum status http_listen_check(const char *address, struct error *err);

/* Closes, and removes the unix socket that was made. */
void http_listen_close(struct http_listener *listener);

#endif
