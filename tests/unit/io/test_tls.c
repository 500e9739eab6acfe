/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "io/tls.h"

#define DATA(name) TEST_DATA_DIR "/tls/" name
#define IDENTITY(pem, pem_key)                                                 \
    {                                                                          \
        .certificate = SLICE(DATA(pem)), .key = {                              \
            .from = SECRET_FILE,                                               \
            .text = SLICE(DATA(pem_key))                                       \
        }                                                                      \
    }

enum { ROUNDS_MAX = 20 };

static struct tls_identity second = IDENTITY("second.pem", "second.key");
static const struct tls_settings both = {
    .identity = IDENTITY("first.pem", "first.key"),
    .more = { .at = &second, .count = 1 },
};

/* libssl as a client, between two memories of its own. */
struct client {
    SSL_CTX *ctx;
    SSL *ssl;
    BIO *in;
    BIO *out;
};

static void
client_open(struct client *client, const char *name)
{
    client->ctx = SSL_CTX_new(TLS_client_method());
    assert_non_null(client->ctx);
    client->ssl = SSL_new(client->ctx);
    client->in = BIO_new(BIO_s_mem());
    client->out = BIO_new(BIO_s_mem());
    SSL_set_bio(client->ssl, client->in, client->out);
    SSL_set_connect_state(client->ssl);
    if (name != NULL) {
        char copy[64]; /* the macro takes the const away */
        (void)snprintf(copy, sizeof(copy), "%s", name);
        assert_int_equal(SSL_set_tlsext_host_name(client->ssl, copy), 1);
    }
}

static void
client_close(struct client *client)
{
    SSL_free(client->ssl);
    SSL_CTX_free(client->ctx);
}

/* Hands the session what the client has for it, `step` bytes at a time. */
static enum tls_progress
give(struct client *client, struct tls_session *session, int step,
     struct buf *into)
{
    char sealed[20000], plain[20000];
    enum tls_progress progress = TLS_WANTS;
    int got;
    assert_true(step <= (int)sizeof(sealed));
    while ((got = BIO_read(client->out, sealed, step)) > 0) {
        struct slice bytes = { sealed, (size_t)got };
        size_t part;
        assert_int_equal(tls_session_feed(session, bytes), STATUS_OK);
        while ((progress = tls_session_read(session, plain, sizeof(plain),
                                            &part)) == TLS_BYTES) {
            buf_append(into, (struct slice){ plain, part });
        }
    }
    return progress;
}

static void
take(struct client *client, struct tls_session *session)
{
    struct slice sealed = tls_session_output(session);
    if (sealed.len > 0) {
        assert_int_equal(BIO_write(client->in, sealed.ptr, (int)sealed.len),
                         sealed.len);
    }
    tls_session_sent(session);
    assert_int_equal(tls_session_output(session).len, 0);
}

static void
shake_hands(struct client *client, struct tls_session *session, int step)
{
    struct buf none = { 0 };
    for (int i = 0; i < ROUNDS_MAX && SSL_do_handshake(client->ssl) != 1; i++) {
        assert_int_equal(give(client, session, step, &none), TLS_WANTS);
        take(client, session);
    }
    assert_int_equal(SSL_is_init_finished(client->ssl), 1);
    assert_int_equal(give(client, session, step, &none), TLS_WANTS);
    take(client, session);
    assert_int_equal(none.len, 0);
}

static void
assert_shown(const struct client *client, const char *common_name)
{
    char name[64] = "";
    X509 *shown = SSL_get1_peer_certificate(client->ssl);
    (void)X509_NAME_get_text_by_NID(X509_get_subject_name(shown),
                                    NID_commonName, name, sizeof(name));
    X509_free(shown);
    assert_string_equal(name, common_name);
}

static struct tls_server *
open_server(void)
{
    struct tls_server *server = NULL;
    struct error err = { 0 };
    if (tls_server_create(&both, &server, &err) != STATUS_OK) {
        fail_msg("%s", err.text);
    }
    return server;
}

static void
a_session_opens_and_seals_however_its_bytes_are_cut(void **state)
{
    (void)state;
    static const int steps[] = { 1, 5, 333, 20000 };
    struct tls_server *server = open_server();
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        struct client client;
        struct tls_session *session;
        struct buf got = { 0 };
        char seen[16] = "";
        client_open(&client, "first.example");
        assert_int_equal(tls_session_create(server, &session), STATUS_OK);
        assert_int_equal(tls_session_write(session, slice_of("early")),
                         STATUS_CANCELED);
        shake_hands(&client, session, steps[i]);
        assert_shown(&client, "first");
        assert_int_equal(SSL_write(client.ssl, "ask ", 4), 4);
        assert_int_equal(SSL_write(client.ssl, "twice", 5), 5);
        assert_int_equal(give(&client, session, steps[i], &got), TLS_WANTS);
        assert_true(slice_equal_text(buf_slice(&got), "ask twice"));
        assert_int_equal(tls_session_write(session, slice_of("answer")),
                         STATUS_OK);
        tls_session_end(session);
        assert_int_equal(tls_session_write(session, slice_of("late")),
                         STATUS_CANCELED);
        take(&client, session);
        assert_int_equal(SSL_read(client.ssl, seen, sizeof(seen)), 6);
        assert_memory_equal(seen, "answer", 6);
        assert_int_equal(SSL_read(client.ssl, seen, sizeof(seen)), 0);
        assert_int_equal(SSL_get_error(client.ssl, 0), SSL_ERROR_ZERO_RETURN);
        (void)SSL_shutdown(client.ssl);
        assert_int_equal(give(&client, session, steps[i], &got), TLS_ENDED);
        tls_session_destroy(session);
        client_close(&client);
        buf_fini(&got);
    }
    tls_server_destroy(server);
}

static void
certificates_are_read_again_in_the_midst_of_a_handshake(void **state)
{
    (void)state;
    struct tls_server *server = open_server();
    struct tls_session *session;
    struct client client;
    struct buf none = { 0 };
    client_open(&client, "a.second.example");
    assert_int_equal(tls_session_create(server, &session), STATUS_OK);
    (void)SSL_do_handshake(client.ssl);
    char sealed[64];
    int got = BIO_read(client.out, sealed, sizeof(sealed)); /* a half hello */
    assert_int_equal(tls_session_feed(session, (struct slice){ sealed, 64 }),
                     STATUS_OK);
    assert_int_equal(got, 64);
    assert_int_equal(tls_server_reload(server, NULL), STATUS_OK);
    assert_int_equal(give(&client, session, 20000, &none), TLS_WANTS);
    take(&client, session);
    shake_hands(&client, session, 20000);
    assert_shown(&client, "second");
    /* a session outlives the certificates that it was shown */
    assert_int_equal(tls_server_reload(server, NULL), STATUS_OK);
    tls_server_destroy(server);
    assert_int_equal(tls_session_write(session, slice_of("still")), STATUS_OK);
    tls_session_destroy(session);
    client_close(&client);
}

static void
a_record_that_was_changed_ends_the_session(void **state)
{
    (void)state;
    struct tls_server *server = open_server();
    struct tls_session *session;
    struct client client;
    char sealed[256], plain[256];
    size_t got;
    client_open(&client, NULL);
    assert_int_equal(tls_session_create(server, &session), STATUS_OK);
    shake_hands(&client, session, 20000);
    assert_int_equal(SSL_write(client.ssl, "ask", 3), 3);
    int len = BIO_read(client.out, sealed, sizeof(sealed));
    assert_true(len > 5);
    sealed[len - 1] ^= 1;
    assert_int_equal(
        tls_session_feed(session, (struct slice){ sealed, (size_t)len }),
        STATUS_OK);
    assert_int_equal(tls_session_read(session, plain, sizeof(plain), &got),
                     TLS_FAILED);
    assert_true(strlen(tls_session_reason(session)) > 0);
    assert_false(tls_session_met_http(session));
    assert_true(tls_session_output(session).len > 0); /* an alert */
    assert_int_equal(tls_session_read(session, plain, sizeof(plain), &got),
                     TLS_FAILED);
    assert_int_equal(tls_session_write(session, slice_of("x")),
                     STATUS_CANCELED);
    tls_session_end(session);
    tls_session_destroy(session);
    client_close(&client);
    tls_server_destroy(server);
}

static void
plain_http_is_known_by_its_first_bytes(void **state)
{
    (void)state;
    struct tls_server *server = open_server();
    struct tls_session *session;
    char plain[64];
    size_t got;
    assert_int_equal(tls_session_create(server, &session), STATUS_OK);
    assert_int_equal(
        tls_session_feed(session, slice_of("POST /hooks/shop HTTP/1.1\r\n")),
        STATUS_OK);
    assert_int_equal(tls_session_read(session, plain, sizeof(plain), &got),
                     TLS_FAILED);
    assert_true(tls_session_met_http(session));
    tls_session_destroy(session);
    tls_server_destroy(server);
}

static void
a_reload_that_fails_changes_nothing(void **state)
{
    (void)state;
    struct tls_server *server = open_server();
    struct tls_session *session;
    struct client client;
    struct error err = { 0 };
    second.key.text = slice_of(DATA("first.key"));
    assert_int_equal(tls_server_reload(server, &err), STATUS_INVALID);
    assert_non_null(strstr(err.text, "first.key: is not the key of the "
                                     "certificate in "));
    second.key.text = slice_of(DATA("second.key"));
    client_open(&client, "b.second.example");
    assert_int_equal(tls_session_create(server, &session), STATUS_OK);
    shake_hands(&client, session, 20000);
    assert_shown(&client, "second");
    tls_session_destroy(session);
    client_close(&client);
    tls_server_destroy(server);
}

static void
a_certificate_says_how_long_it_is_good(void **state)
{
    (void)state;
    const int64_t years_ms = (int64_t)36500 * 86400 * 1000;
    struct tls_server *server = open_server();
    struct tls_term term;
    for (size_t i = 0; i < 2; i++) {
        assert_true(tls_server_term(server, i, &term));
        assert_int_equal(term.to_ms - term.from_ms, years_ms);
        assert_true(term.from_ms > (int64_t)1600000000 * 1000);
    }
    assert_true(slice_equal_text(term.certificate, DATA("second.pem")));
    assert_false(tls_server_term(server, 2, &term));
    tls_server_destroy(server);
}

static void
memory_that_runs_out_is_said(void **state)
{
    (void)state;
    for (long n = 0; n < 100; n++) {
        struct tls_server *server = NULL;
        struct tls_session *session = NULL;
        (void)mem_fail_after(n, 0);
        enum status status = tls_server_create(&both, &server, NULL);
        if (status == STATUS_OK) {
            status = tls_session_create(server, &session);
        }
        (void)mem_fail_after(-1, 0);
        tls_session_destroy(session);
        tls_server_destroy(server);
        if (status == STATUS_OK) {
            assert_true(n > 2);
            return;
        }
        assert_int_equal(status, STATUS_NOMEM);
    }
    fail_msg("never good");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_opens_and_seals_however_its_bytes_are_cut),
        cmocka_unit_test(
            certificates_are_read_again_in_the_midst_of_a_handshake),
        cmocka_unit_test(a_record_that_was_changed_ends_the_session),
        cmocka_unit_test(plain_http_is_known_by_its_first_bytes),
        cmocka_unit_test(a_reload_that_fails_changes_nothing),
        cmocka_unit_test(a_certificate_says_how_long_it_is_good),
        cmocka_unit_test(memory_that_runs_out_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
