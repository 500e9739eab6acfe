/* SPDX-License-Identifier: MIT */
/*
 * tls_private: what the two files of tls share, and libssl for both: the
 * certificates (tls), and the sessions (tls_session).
 */
#ifndef IO_TLS_PRIVATE_H
#define IO_TLS_PRIVATE_H

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "io/tls.h"

struct tls_certificate {
    SSL_CTX *ctx;
    bool key_is_loose;
};

struct tls_server {
    const struct tls_settings *settings;
    struct tls_certificate *at; /* as set: `identity`, then `more` */
    size_t count;
};

/* Words for what libssl last complained of; they live for ever. */
const char *tls_words(void);

#endif
