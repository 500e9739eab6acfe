/* SPDX-License-Identifier: MIT */
/* Certificates and keys from their files to libssl's contexts, one each. */
#include "io/tls_private.h"

#include <openssl/x509v3.h>

#include "base/instant.h"
#include "base/mem.h"
#include "io/fs.h"
#include "io/secret.h"

#define CERTIFICATES_BYTES_MAX ((size_t)1024 * 1024)

/* RFC 9325 §4.2: what TLS 1.2 may still be spoken with. */
static const char ciphers_of_tls12[] = "ECDHE+AESGCM:ECDHE+CHACHA20";

const char *
tls_words(void)
{
    const char *words = ERR_reason_error_string(ERR_peek_last_error());
    return words == NULL ? "no reason is given" : words;
}

static enum status
fail(struct error *err, struct slice path, const char *what)
{
    return error_set(err, STATUS_INVALID, "%.*s: %s", SLICE_ARG(path), what);
}

static enum status
fail_why(struct error *err, struct slice path, const char *what)
{
    return error_set(err, STATUS_INVALID, "%.*s: %s: %s", SLICE_ARG(path), what,
                     tls_words());
}

/* ---- reading ---- */

/* Reads the next certificate of a file into *ret; NULL at its end. */
static enum status
next_certificate(BIO *bio, struct slice path, X509 **ret, struct error *err)
{
    ERR_clear_error();
    *ret = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    unsigned long why = ERR_peek_last_error();
    if (*ret != NULL || (ERR_GET_LIB(why) == ERR_LIB_PEM &&
                         ERR_GET_REASON(why) == PEM_R_NO_START_LINE)) {
        ERR_clear_error();
        return STATUS_OK;
    }
    return fail_why(err, path, "a certificate in it cannot be read");
}

/* Takes the certificate in any case. */
typedef enum status take_fn(SSL_CTX *ctx, size_t index, X509 *certificate,
                            struct slice path, struct error *err);

static enum status
take_all(SSL_CTX *ctx, BIO *bio, struct slice path, take_fn *take,
         struct error *err)
{
    enum status status = STATUS_OK;
    size_t count = 0;
    for (X509 *next = NULL; status == STATUS_OK;) {
        status = next_certificate(bio, path, &next, err);
        if (next == NULL) {
            break;
        }
        status = take(ctx, count++, next, path, err);
    }
    return status == STATUS_OK && count == 0
               ? fail(err, path,
                      "holds no certificate in PEM (-----BEGIN CERTIFICATE"
                      "-----)")
               : status;
}

static enum status
read_certificates(SSL_CTX *ctx, struct slice path, take_fn *take,
                  struct error *err)
{
    struct buf text = { 0 };
    enum status status = fs_read(path.ptr, CERTIFICATES_BYTES_MAX, &text, err);
    BIO *bio = status == STATUS_OK
                   ? BIO_new_mem_buf(buf_slice(&text).ptr, (int)text.len)
                   : NULL;
    if (status == STATUS_OK) {
        status =
            bio == NULL ? STATUS_NOMEM : take_all(ctx, bio, path, take, err);
    }
    BIO_free(bio);
    buf_fini(&text);
    return status;
}

/* A listener's own, then those that lead to a root (RFC 8446 §4.4.2). */
static enum status
take_own(SSL_CTX *ctx, size_t index, X509 *certificate, struct slice path,
         struct error *err)
{
    bool is_good = index == 0 ? SSL_CTX_use_certificate(ctx, certificate) == 1
                              : SSL_CTX_add1_chain_cert(ctx, certificate) == 1;
    X509_free(certificate);
    return is_good ? STATUS_OK
                   : fail_why(err, path, "a certificate in it cannot be used");
}

static enum status
take_client_ca(SSL_CTX *ctx, size_t index, X509 *certificate, struct slice path,
               struct error *err)
{
    (void)index;
    bool is_good =
        X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), certificate) == 1 &&
        SSL_CTX_add_client_CA(ctx, certificate) == 1;
    X509_free(certificate);
    return is_good ? STATUS_OK
                   : fail_why(err, path, "a certificate in it cannot be used");
}

/* Nobody is there to type a passphrase. */
static int
/* NOLINTNEXTLINE(readability-non-const-parameter): the type is libssl's */
no_passphrase(char *into, int size, int writes, void *arg)
{
    (void)into;
    (void)size;
    (void)writes;
    (void)arg;
    return -1;
}

static enum status
use_key(SSL_CTX *ctx, EVP_PKEY *key, struct slice path,
        const struct tls_identity *identity, struct error *err)
{
    if (key == NULL) {
        return fail(err, path,
                    "holds no private key in PEM that is without a "
                    "passphrase; 'openssl pkey -in OLD -out NEW' takes one "
                    "away");
    }
    if (SSL_CTX_use_PrivateKey(ctx, key) == 1) {
        return STATUS_OK;
    }
    return error_set(err, STATUS_INVALID,
                     "%.*s: is not the key of the certificate in %.*s: %s",
                     SLICE_ARG(path), SLICE_ARG(identity->certificate),
                     tls_words());
}

static enum status
read_key(SSL_CTX *ctx, const struct tls_identity *identity, bool *ret_loose,
         struct error *err)
{
    struct slice path = identity->key.from == SECRET_INLINE
                            ? slice_of("key")
                            : identity->key.text;
    struct buf text = { 0 };
    enum status status = secret_read(&identity->key, &text, ret_loose, err);
    BIO *bio = status == STATUS_OK
                   ? BIO_new_mem_buf(buf_slice(&text).ptr, (int)text.len)
                   : NULL;
    if (status == STATUS_OK) {
        ERR_clear_error();
        EVP_PKEY *key =
            bio == NULL
                ? NULL
                : PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
        status = use_key(ctx, key, path, identity, err);
        EVP_PKEY_free(key);
    }
    BIO_free(bio);
    mem_wipe(text.ptr, text.len);
    buf_fini(&text);
    return status;
}

/* ---- contexts ---- */

static int
choose_protocol(SSL *ssl, const unsigned char **ret, unsigned char *ret_len,
                const unsigned char *offered, unsigned int offered_len,
                void *arg)
{
    static const unsigned char ours[] = "\x08http/1.1";
    unsigned char *chosen;
    (void)ssl;
    (void)arg;
    if (SSL_select_next_proto(&chosen, ret_len, ours, sizeof(ours) - 1, offered,
                              offered_len) != OPENSSL_NPN_NEGOTIATED) {
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    *ret = chosen;
    return SSL_TLSEXT_ERR_OK;
}

/* Shows the first certificate that is for the name (RFC 6066 §3). Who asks for
 * a name that none is for sees the first of all, and judges for itself. */
static int
/* NOLINTNEXTLINE(readability-non-const-parameter): the type is libssl's */
choose_certificate(SSL *ssl, int *alert, void *arg)
{
    const struct tls_server *server = arg;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    (void)alert;
    for (size_t i = 0; name != NULL && i < server->count; i++) {
        X509 *leaf = SSL_CTX_get0_certificate(server->at[i].ctx);
        if (X509_check_host(leaf, name, 0, 0, NULL) == 1) {
            return SSL_set_SSL_CTX(ssl, server->at[i].ctx) == NULL
                       ? SSL_TLSEXT_ERR_ALERT_FATAL
                       : SSL_TLSEXT_ERR_OK;
        }
    }
    return SSL_TLSEXT_ERR_NOACK;
}

static bool
set_up(SSL_CTX *ctx, struct tls_server *server)
{
    static const unsigned char name[] = "longstop";
    (void)SSL_CTX_set_options(ctx,
                              SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    (void)SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    (void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, NULL);
    (void)SSL_CTX_set_tlsext_servername_callback(ctx, choose_certificate);
    (void)SSL_CTX_set_tlsext_servername_arg(ctx, server);
    return SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_cipher_list(ctx, ciphers_of_tls12) == 1 &&
           SSL_CTX_set_num_tickets(ctx, 1) == 1 &&
           SSL_CTX_set_session_id_context(ctx, name, sizeof(name) - 1) == 1;
}

static enum status
load(struct tls_server *server, const struct tls_identity *identity,
     struct tls_certificate *ret, struct error *err)
{
    struct slice client_ca = server->settings->client_ca;
    ERR_clear_error();
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    enum status status = STATUS_OK;
    if (ctx == NULL || !set_up(ctx, server)) {
        status = error_set(err, STATUS_UNAVAILABLE, "libssl does not start: %s",
                           tls_words());
    }
    if (status == STATUS_OK) {
        status = read_certificates(ctx, identity->certificate, take_own, err);
    }
    if (status == STATUS_OK) {
        status = read_key(ctx, identity, &ret->key_is_loose, err);
    }
    if (status == STATUS_OK && client_ca.len > 0) {
        status = read_certificates(ctx, client_ca, take_client_ca, err);
        SSL_CTX_set_verify(
            ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    }
    if (status != STATUS_OK) {
        SSL_CTX_free(ctx);
        return status;
    }
    ret->ctx = ctx;
    return STATUS_OK;
}

static void
release(struct tls_certificate *at, size_t count)
{
    for (size_t i = 0; at != NULL && i < count; i++) {
        SSL_CTX_free(at[i].ctx);
    }
    mem_free(at);
}

enum status
tls_server_reload(struct tls_server *server, struct error *err)
{
    const struct tls_settings *settings = server->settings;
    const struct tls_identity *more = settings->more.at;
    size_t count = 1 + settings->more.count;
    struct tls_certificate *at = mem_zero(count * sizeof(*at));
    if (at == NULL) {
        return error_set(err, STATUS_NOMEM, "%s", status_text(STATUS_NOMEM));
    }
    enum status status = load(server, &settings->identity, &at[0], err);
    for (size_t i = 1; i < count && status == STATUS_OK; i++) {
        status = load(server, &more[i - 1], &at[i], err);
    }
    if (status != STATUS_OK) {
        release(at, count);
        return status;
    }
    /* a session holds on to the context that it began with */
    release(server->at, server->count);
    server->at = at;
    server->count = count;
    return STATUS_OK;
}

enum status
tls_server_create(const struct tls_settings *settings, struct tls_server **ret,
                  struct error *err)
{
    struct tls_server *server = mem_zero(sizeof(*server));
    if (server == NULL) {
        return error_set(err, STATUS_NOMEM, "%s", status_text(STATUS_NOMEM));
    }
    server->settings = settings;
    enum status status = tls_server_reload(server, err);
    if (status != STATUS_OK) {
        mem_free(server);
        return status;
    }
    *ret = server;
    return STATUS_OK;
}

void
tls_server_take(struct tls_server *server, struct tls_server *other)
{
    const struct tls_server before = *server;
    *server = *other;
    *other = before;
    for (size_t i = 0; i < server->count; i++) {
        (void)SSL_CTX_set_tlsext_servername_arg(server->at[i].ctx, server);
    }
    tls_server_destroy(other);
}

void
tls_server_destroy(struct tls_server *server)
{
    if (server != NULL) {
        release(server->at, server->count);
        mem_free(server);
    }
}

/* ---- dates ---- */

static int64_t
unix_ms(const ASN1_TIME *time)
{
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    int days = 0, seconds = 0;
    bool good =
        epoch != NULL && ASN1_TIME_diff(&days, &seconds, epoch, time) == 1;
    ASN1_TIME_free(epoch);
    return good ? ((int64_t)days * 86400 + seconds) * INSTANT_SECOND_MS : 0;
}

bool
tls_server_term(const struct tls_server *server, size_t index,
                struct tls_term *ret)
{
    const struct tls_settings *settings = server->settings;
    const struct tls_identity *more = settings->more.at;
    if (index >= server->count) {
        return false;
    }
    const X509 *leaf = SSL_CTX_get0_certificate(server->at[index].ctx);
    *ret = (struct tls_term){
        .certificate = index == 0 ? settings->identity.certificate
                                  : more[index - 1].certificate,
        .from_ms = unix_ms(X509_get0_notBefore(leaf)),
        .to_ms = unix_ms(X509_get0_notAfter(leaf)),
        .key_is_loose = server->at[index].key_is_loose,
    };
    return true;
}
