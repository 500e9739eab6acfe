/* SPDX-License-Identifier: MIT */
#include "wire/digest.h"

#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <string.h>

#include "base/mem.h"

#define ALG_COUNT 4

static const struct alg {
    const char *name;    /* ours */
    const char *openssl; /* the library's */
} algs[ALG_COUNT] = {
    [DIGEST_SHA1] = { "sha1", "SHA1" },
    [DIGEST_SHA256] = { "sha256", "SHA256" },
    [DIGEST_SHA384] = { "sha384", "SHA384" },
    [DIGEST_SHA512] = { "sha512", "SHA512" },
};

/*
 * Fetched once and kept for the life of the process: a fetch by name costs more
 * than hashing 1 KiB, and OpenSSL 3.0 does not survive every failing allocation
 * inside its first one.
 */
static EVP_MD *methods[ALG_COUNT];
static EVP_MAC *hmac_method;

struct digest_key {
    EVP_MAC_CTX *mac; /* keyed; each signature starts it anew */
};

/* What the last failure of the library means, and forgets it. */
static enum status
library_status(enum status otherwise)
{
    unsigned long code = ERR_peek_last_error();
    ERR_clear_error();
    return ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE ? STATUS_NOMEM
                                                        : otherwise;
}

/* The base point of P-256 as a public key (FIPS 186-4 D.1.2.3, RFC 5480). */
static const unsigned char p256_generator[] = {
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02,
    0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03,
    0x42, 0x00, 0x04, 0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8,
    0xbc, 0xe6, 0xe5, 0x63, 0xa4, 0x40, 0xf2, 0x77, 0x03, 0x7d, 0x81, 0x2d,
    0xeb, 0x33, 0xa0, 0xf4, 0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2, 0x96, 0x4f,
    0xe3, 0x42, 0xe2, 0xfe, 0x1a, 0x7f, 0x9b, 0x8e, 0xe7, 0xeb, 0x4a, 0x7c,
    0x0f, 0x9e, 0x16, 0x2b, 0xce, 0x33, 0x57, 0x6b, 0x31, 0x5e, 0xce, 0xcb,
    0xb6, 0x40, 0x68, 0x37, 0xbf, 0x51, 0xf5
};

/* Walks once through every path the program will use, see digest.h. */
static enum status
warm_up(void)
{
    static const unsigned char text[32] = "longstop";
    const struct slice part = { (const char *)text, sizeof(text) };
    struct digest digest;
    for (enum digest_alg alg = DIGEST_SHA1; alg <= DIGEST_SHA512; alg++) {
        enum status status = digest_hmac(alg, part, &part, 1, &digest);
        if (status != STATUS_OK) {
            return status;
        }
    }
    unsigned char bytes[16];
    enum status status = digest_random(bytes, sizeof(bytes));
    if (status != STATUS_OK) {
        return status;
    }
    /* Neither can be genuine; what counts is that the decoders and the
     * signature methods have been loaded. */
    const struct slice spki = { (const char *)p256_generator,
                                sizeof(p256_generator) };
    status = digest_verify_ed25519(part, part, &part, 1);
    if (status == STATUS_DENIED) {
        status = digest_verify_spki(DIGEST_SHA256, spki, part, &part, 1);
    }
    return status == STATUS_DENIED ? STATUS_OK : STATUS_UNAVAILABLE;
}

enum status
digest_init(struct error *err)
{
    for (size_t i = 0; i < ALG_COUNT; i++) {
        if (methods[i] == NULL) {
            methods[i] = EVP_MD_fetch(NULL, algs[i].openssl, NULL);
        }
        if (methods[i] == NULL) {
            return error_set(err, library_status(STATUS_UNAVAILABLE),
                             "libcrypto offers no %s", algs[i].openssl);
        }
    }
    if (hmac_method == NULL) {
        hmac_method = EVP_MAC_fetch(NULL, "HMAC", NULL);
    }
    if (hmac_method == NULL) {
        return error_set(err, library_status(STATUS_UNAVAILABLE),
                         "libcrypto offers no HMAC");
    }
    enum status status = warm_up();
    if (status != STATUS_OK) {
        return error_set(err, status, "libcrypto does not start");
    }
    return STATUS_OK;
}

enum status
digest_by_name(struct slice name, enum digest_alg *ret_alg)
{
    for (size_t i = 0; i < ALG_COUNT; i++) {
        if (slice_equal_text(name, algs[i].name)) {
            *ret_alg = (enum digest_alg)i;
            return STATUS_OK;
        }
    }
    return STATUS_NOT_FOUND;
}

struct slice
digest_slice(const struct digest *digest)
{
    return (struct slice){ (const char *)digest->bytes, digest->len };
}

enum status
digest_hash(enum digest_alg alg, const struct slice *parts, size_t count,
            struct digest *ret_digest)
{
    PRE(methods[alg] != NULL);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (ctx == NULL) {
        return library_status(STATUS_NOMEM);
    }
    enum status status = STATUS_NOMEM;
    if (EVP_DigestInit_ex2(ctx, methods[alg], NULL) != 1) {
        goto free_ctx;
    }
    for (size_t i = 0; i < count; i++) {
        if (parts[i].len > 0 &&
            EVP_DigestUpdate(ctx, parts[i].ptr, parts[i].len) != 1) {
            goto free_ctx;
        }
    }
    unsigned len = 0;
    struct digest digest;
    if (EVP_DigestFinal_ex(ctx, digest.bytes, &len) != 1) {
        goto free_ctx;
    }
    digest.len = len;
    *ret_digest = digest;
    status = STATUS_OK;

free_ctx:
    EVP_MD_CTX_free(ctx);
    return status == STATUS_OK ? status : library_status(status);
}

/* Gives a fresh context its key; returns NULL on failure. */
static EVP_MAC_CTX *
keyed_mac(enum digest_alg alg, struct slice key)
{
    PRE(hmac_method != NULL);
    EVP_MAC_CTX *mac = EVP_MAC_CTX_new(hmac_method);
    if (mac == NULL) {
        return NULL;
    }
    /* The library's parameter takes a char *, but only reads it. */
    char name[16];
    (void)strncpy(name, algs[alg].openssl, sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    const OSSL_PARAM params[] = { OSSL_PARAM_construct_utf8_string(
                                      OSSL_MAC_PARAM_DIGEST, name, 0),
                                  OSSL_PARAM_construct_end() };
    if (EVP_MAC_init(mac, (const unsigned char *)key.ptr, key.len, params) !=
        1) {
        EVP_MAC_CTX_free(mac);
        return NULL;
    }
    return mac;
}

/* Runs the parts through a context that was just initialised. */
static enum status
finish_mac(EVP_MAC_CTX *mac, const struct slice *parts, size_t count,
           struct digest *ret_digest)
{
    for (size_t i = 0; i < count; i++) {
        if (parts[i].len > 0 &&
            EVP_MAC_update(mac, (const unsigned char *)parts[i].ptr,
                           parts[i].len) != 1) {
            return library_status(STATUS_NOMEM);
        }
    }
    struct digest digest;
    if (EVP_MAC_final(mac, digest.bytes, &digest.len, sizeof(digest.bytes)) !=
        1) {
        return library_status(STATUS_NOMEM);
    }
    *ret_digest = digest;
    return STATUS_OK;
}

enum status
digest_hmac(enum digest_alg alg, struct slice key, const struct slice *parts,
            size_t count, struct digest *ret_digest)
{
    if (key.len == 0) {
        return STATUS_INVALID;
    }
    EVP_MAC_CTX *mac = keyed_mac(alg, key);
    if (mac == NULL) {
        return library_status(STATUS_NOMEM);
    }
    enum status status = finish_mac(mac, parts, count, ret_digest);
    EVP_MAC_CTX_free(mac);
    return status;
}

enum status
digest_key_create(enum digest_alg alg, struct slice key,
                  struct digest_key **ret_key)
{
    if (key.len == 0) {
        return STATUS_INVALID;
    }
    struct digest_key *made = mem_zero(sizeof(*made));
    if (made == NULL) {
        return STATUS_NOMEM;
    }
    made->mac = keyed_mac(alg, key);
    if (made->mac == NULL) {
        mem_free(made);
        return library_status(STATUS_NOMEM);
    }
    *ret_key = made;
    return STATUS_OK;
}

enum status
digest_key_sign(struct digest_key *key, const struct slice *parts, size_t count,
                struct digest *ret_digest)
{
    /* Without a key the library starts again with the one it holds. */
    if (EVP_MAC_init(key->mac, NULL, 0, NULL) != 1) {
        return library_status(STATUS_NOMEM);
    }
    return finish_mac(key->mac, parts, count, ret_digest);
}

void
digest_key_destroy(struct digest_key *key)
{
    if (key == NULL) {
        return;
    }
    EVP_MAC_CTX_free(key->mac);
    mem_free(key);
}

enum status
digest_sha256(struct slice bytes, unsigned char ret_digest[32])
{
    struct digest digest;
    enum status status = digest_hash(DIGEST_SHA256, &bytes, 1, &digest);
    if (status == STATUS_OK) {
        memcpy(ret_digest, digest.bytes, 32);
    }
    return status;
}

/* Maps the answer of a verification: 1 genuine, anything else not; a failing
 * allocation must not read as a forgery, which is never tried again. */
static enum status
verdict(int answer)
{
    if (answer == 1) {
        return STATUS_OK;
    }
    return library_status(STATUS_DENIED);
}

enum status
digest_verify_ed25519(struct slice key, struct slice signature,
                      const struct slice *parts, size_t count)
{
    if (key.len != 32) {
        return STATUS_INVALID;
    }
    EVP_PKEY *pkey = EVP_PKEY_new_raw_public_key(
        EVP_PKEY_ED25519, NULL, (const unsigned char *)key.ptr, key.len);
    if (pkey == NULL) {
        return library_status(STATUS_INVALID);
    }
    /* Ed25519 hashes twice, so the library wants the whole text at once. */
    struct buf joined = { 0 };
    struct slice text = { "", 0 };
    enum status status = STATUS_OK;
    if (count == 1) {
        text = parts[0];
    } else if (count > 1) {
        for (size_t i = 0; i < count; i++) {
            buf_append(&joined, parts[i]);
        }
        status = buf_status(&joined);
        text = buf_slice(&joined);
    }
    if (status != STATUS_OK) {
        goto free_pkey;
    }
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (ctx == NULL || EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, pkey) != 1) {
        status = library_status(STATUS_NOMEM);
        goto free_ctx;
    }
    status = verdict(EVP_DigestVerify(
        ctx, (const unsigned char *)signature.ptr, signature.len,
        (const unsigned char *)(text.len == 0 ? "" : text.ptr), text.len));

free_ctx:
    EVP_MD_CTX_free(ctx);
free_pkey:
    buf_fini(&joined);
    EVP_PKEY_free(pkey);
    return status;
}

/* Reads a SubjectPublicKeyInfo: RSA or EC, nothing behind it. */
static enum status
read_spki(struct slice spki, EVP_PKEY **ret_pkey)
{
    if (spki.len == 0 || spki.len > LONG_MAX) {
        return STATUS_INVALID;
    }
    const unsigned char *at = (const unsigned char *)spki.ptr;
    const unsigned char *end = at + spki.len;
    EVP_PKEY *pkey = d2i_PUBKEY(NULL, &at, (long)spki.len);
    if (pkey == NULL) {
        return library_status(STATUS_INVALID);
    }
    int type = EVP_PKEY_get_base_id(pkey);
    if (at != end || (type != EVP_PKEY_RSA && type != EVP_PKEY_EC)) {
        EVP_PKEY_free(pkey);
        return STATUS_INVALID;
    }
    *ret_pkey = pkey;
    return STATUS_OK;
}

enum status
digest_verify_spki(enum digest_alg alg, struct slice spki,
                   struct slice signature, const struct slice *parts,
                   size_t count)
{
    EVP_PKEY *pkey = NULL;
    enum status status = read_spki(spki, &pkey);
    if (status != STATUS_OK) {
        return status;
    }
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (ctx == NULL || EVP_DigestVerifyInit_ex(ctx, NULL, algs[alg].openssl,
                                               NULL, NULL, pkey, NULL) != 1) {
        /* A hash that the key may not be used with cannot be genuine. */
        status = library_status(ctx == NULL ? STATUS_NOMEM : STATUS_DENIED);
        goto free_ctx;
    }
    for (size_t i = 0; i < count; i++) {
        if (parts[i].len > 0 &&
            EVP_DigestVerifyUpdate(ctx, parts[i].ptr, parts[i].len) != 1) {
            status = library_status(STATUS_NOMEM);
            goto free_ctx;
        }
    }
    status = verdict(EVP_DigestVerifyFinal(
        ctx, (const unsigned char *)signature.ptr, signature.len));

free_ctx:
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(pkey);
    return status;
}

enum status
digest_key_kind_of(struct slice spki, enum digest_key_kind *ret_kind)
{
    EVP_PKEY *pkey = NULL;
    enum status status = read_spki(spki, &pkey);
    if (status != STATUS_OK) {
        return status;
    }
    if (EVP_PKEY_get_base_id(pkey) == EVP_PKEY_RSA) {
        *ret_kind = DIGEST_KEY_RSA;
    } else {
        char group[32] = "";
        size_t len = 0;
        (void)EVP_PKEY_get_group_name(pkey, group, sizeof(group), &len);
        *ret_kind = strcmp(group, SN_X9_62_prime256v1) == 0 ? DIGEST_KEY_P256
                                                            : DIGEST_KEY_EC;
    }
    ERR_clear_error();
    EVP_PKEY_free(pkey);
    return STATUS_OK;
}

enum status
digest_certificate_key(struct slice der, struct buf *into, struct error *err)
{
    unsigned char *spki = NULL;
    enum digest_key_kind kind;
    int len = -1;
    const unsigned char *at = (const unsigned char *)der.ptr;
    X509 *certificate = der.len == 0 || der.len > LONG_MAX
                            ? NULL
                            : d2i_X509(NULL, &at, (long)der.len);
    if (certificate != NULL) {
        len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &spki);
    }
    enum status status = STATUS_OK;
    if (len <= 0) {
        status = library_status(STATUS_INVALID);
    } else {
        const struct slice key = { (const char *)spki, (size_t)len };
        status = digest_key_kind_of(key, &kind);
        buf_append(into, status == STATUS_OK ? key : slice_of(""));
    }
    OPENSSL_free(spki);
    X509_free(certificate);
    if (status == STATUS_INVALID) {
        return error_set(err, status,
                         len <= 0 ? "no X.509 certificate"
                                  : "a certificate of neither RSA nor EC");
    }
    return status == STATUS_OK ? buf_status(into) : status;
}

enum status
digest_random(void *bytes, size_t count)
{
    unsigned char *at = bytes;
    while (count > 0) {
        int step = count > INT_MAX ? INT_MAX : (int)count;
        if (RAND_bytes(at, step) != 1) {
            return library_status(STATUS_UNAVAILABLE);
        }
        at += step;
        count -= (size_t)step;
    }
    return STATUS_OK;
}

uint32_t
digest_crc32(struct slice bytes)
{
    /* Four bits at a time over the reflected polynomial 0xedb88320; zlib's
     * own belongs to another gate, and only PayPal's signature asks for it. */
    static const uint32_t table[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
        0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
        0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c
    };
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < bytes.len; i++) {
        crc ^= (unsigned char)bytes.ptr[i];
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return ~crc;
}
