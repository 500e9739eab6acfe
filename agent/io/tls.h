/* SPDX-License-Identifier: MIT */
/*
 * tls: the libssl gate: the certificates of a listener, chosen by the name that
 * is asked for, and TLS sessions over memory: bytes in, bytes out, no socket.
 *
 * TLS 1.2 with forward secrecy and AEAD only, and TLS 1.3 (RFC 9325); no
 * renegotiation, no compression, no early data; of what ALPN offers, http/1.1
 * (RFC 7301). Sessions are resumed by tickets, so that none takes memory here.
 */
#ifndef IO_TLS_H
#define IO_TLS_H

#include "base/bytes.h"
#include "base/status.h"
#include "config/config_key.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A certificate and its key, where they are written down. */
struct tls_identity {
    struct slice certificate; /* path: PEM, its own first, then the ones that
                                 lead to a root */
    struct config_secret key; /* PEM, without a passphrase */
};

struct tls_settings {
    struct tls_identity identity; /* for who asks for no name we have */
    struct config_list more;      /* of struct tls_identity */
    struct slice client_ca;       /* path: PEM of those whose certificates a
                                     client must show; empty: none asked for */
};

struct tls_server;

/*
 * Reads all files; borrows the settings. STATUS_INVALID, or what reading a file
 * ended with, in words that name the file and the cause.
 */
NODISCARD
enum status tls_server_create(const struct tls_settings *settings,
                              struct tls_server **ret, struct error *err);

/* Reads them all again: for sessions to come, while those there are go on with
 * what they began with. After a failure all stays as it was. */
NODISCARD
enum status tls_server_reload(struct tls_server *server, struct error *err);

/* Has `server` show what `other`, which is destroyed, has read: for sessions to
 * come, likewise. */
void tls_server_take(struct tls_server *server, struct tls_server *other);

/* Sessions may outlive it, but not in the midst of their handshakes. NULL is
 * allowed. */
void tls_server_destroy(struct tls_server *server);

/* From when to when a certificate is good, in Unix ms, and how its key is. */
struct tls_term {
    struct slice certificate; /* its path, borrowed from the settings */
    int64_t from_ms;
    int64_t to_ms;
    bool key_is_loose; /* others can read the file of its key */
};

/* Fills *ret for the certificate at `index`; false when there are no more. */
bool tls_server_term(const struct tls_server *server, size_t index,
                     struct tls_term *ret);

/* ---- one connection ---- */

struct tls_session;

NODISCARD
enum status tls_session_create(struct tls_server *server,
                               struct tls_session **ret);
void tls_session_destroy(struct tls_session *session); /* NULL is allowed */

/* Takes bytes that came from the peer, however they were cut. STATUS_NOMEM. */
NODISCARD
enum status tls_session_feed(struct tls_session *session, struct slice sealed);

enum tls_progress {
    TLS_BYTES, /* some are in `into` */
    TLS_WANTS, /* more has to come from the peer */
    TLS_ENDED, /* the peer said that nothing follows */
    TLS_FAILED /* see tls_session_reason; what goes out says so to the peer */
};

/* Goes on with the handshake, or opens what was fed. Ask again until it is not
 * TLS_BYTES, and look each time whether something is to go out. */
enum tls_progress tls_session_read(struct tls_session *session, char *into,
                                   size_t room, size_t *ret_got);

/* Whether the peer spoke plain HTTP to us; known after TLS_FAILED. */
bool tls_session_met_http(const struct tls_session *session);

/* Why it failed, in libssl's words; they live for ever. */
const char *tls_session_reason(const struct tls_session *session);

/* Seals bytes. STATUS_CANCELED: the handshake is not over, or it has failed. */
NODISCARD
enum status tls_session_write(struct tls_session *session, struct slice plain);

/* Says that nothing follows (close_notify); at most once, and only after a
 * handshake. */
void tls_session_end(struct tls_session *session);

/* What is to go to the peer, until tls_session_sent or the next call. */
struct slice tls_session_output(struct tls_session *session);
void tls_session_sent(struct tls_session *session);

#endif
