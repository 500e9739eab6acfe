/* SPDX-License-Identifier: MIT */
/* One connection's TLS, between two memories that stand for its socket. */
#include "io/tls_private.h"

#include <limits.h>

#include "base/mem.h"

struct tls_session {
    SSL *ssl;
    BIO *in;  /* from the peer; `ssl` owns both */
    BIO *out; /* to the peer */
    const char *reason;
    bool met_http;
    bool is_broken; /* libssl forbids all but freeing it */
    bool is_ended;
};

enum status
tls_session_create(struct tls_server *server, struct tls_session **ret)
{
    struct tls_session *session = mem_zero(sizeof(*session));
    SSL *ssl = SSL_new(server->at[0].ctx);
    BIO *in = BIO_new(BIO_s_mem());
    BIO *out = BIO_new(BIO_s_mem());
    if (session == NULL || ssl == NULL || in == NULL || out == NULL) {
        mem_free(session);
        SSL_free(ssl);
        BIO_free(in);
        BIO_free(out);
        return STATUS_NOMEM;
    }
    SSL_set_bio(ssl, in, out);
    SSL_set_accept_state(ssl);
    *session =
        (struct tls_session){ .ssl = ssl, .in = in, .out = out, .reason = "" };
    *ret = session;
    return STATUS_OK;
}

void
tls_session_destroy(struct tls_session *session)
{
    if (session != NULL) {
        SSL_free(session->ssl);
        mem_free(session);
    }
}

enum status
tls_session_feed(struct tls_session *session, struct slice sealed)
{
    PRE(sealed.len <= INT_MAX);
    return BIO_write(session->in, sealed.ptr, (int)sealed.len) ==
                   (int)sealed.len
               ? STATUS_OK
               : STATUS_NOMEM;
}

static enum tls_progress
note_failure(struct tls_session *session)
{
    unsigned long why = ERR_peek_last_error();
    session->reason = tls_words();
    session->met_http = ERR_GET_LIB(why) == ERR_LIB_SSL &&
                        ERR_GET_REASON(why) == SSL_R_HTTP_REQUEST;
    session->is_broken = true;
    return TLS_FAILED;
}

enum tls_progress
tls_session_read(struct tls_session *session, char *into, size_t room,
                 size_t *ret_got)
{
    *ret_got = 0;
    if (session->is_broken) {
        return TLS_FAILED;
    }
    ERR_clear_error();
    if (SSL_read_ex(session->ssl, into, room, ret_got) == 1) {
        return TLS_BYTES;
    }
    switch (SSL_get_error(session->ssl, 0)) {
    case SSL_ERROR_WANT_READ: return TLS_WANTS;
    case SSL_ERROR_ZERO_RETURN: return TLS_ENDED;
    default: return note_failure(session);
    }
}

bool
tls_session_met_http(const struct tls_session *session)
{
    return session->met_http;
}

const char *
tls_session_reason(const struct tls_session *session)
{
    return session->reason;
}

enum status
tls_session_write(struct tls_session *session, struct slice plain)
{
    size_t put = 0;
    if (plain.len == 0) {
        return STATUS_OK;
    }
    if (session->is_broken || session->is_ended ||
        !SSL_is_init_finished(session->ssl)) {
        return STATUS_CANCELED;
    }
    ERR_clear_error();
    if (SSL_write_ex(session->ssl, plain.ptr, plain.len, &put) == 1) {
        return STATUS_OK;
    }
    (void)note_failure(session);
    return STATUS_CANCELED;
}

void
tls_session_end(struct tls_session *session)
{
    if (!session->is_broken && !session->is_ended &&
        SSL_is_init_finished(session->ssl)) {
        ERR_clear_error();
        (void)SSL_shutdown(session->ssl);
        session->is_ended = true;
    }
}

struct slice
tls_session_output(struct tls_session *session)
{
    char *bytes = NULL;
    long len = BIO_get_mem_data(session->out, &bytes);
    return len > 0 ? (struct slice){ bytes, (size_t)len } : (struct slice){ 0 };
}

void
tls_session_sent(struct tls_session *session)
{
    (void)BIO_reset(session->out);
}
