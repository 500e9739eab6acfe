/* SPDX-License-Identifier: MIT */
/* jwt and public_key: what is read of a token lies in it, or is what it says in
 * base64url; a key that was read is read again as the same. */
#include <string.h>

#include "base/mem.h"
#include "fuzz/fuzz.h"
#include "wire/digest.h"
#include "wire/encode.h"
#include "wire/json.h"
#include "wire/jwt.h"
#include "wire/public_key.h"

enum { DEPTH = 64, HALF_MOST = 66 };

static void
read_token(struct slice text)
{
    struct arena arena = { 0 };
    struct error err = { 0 };
    struct jwt token;
    if (jwt_read(text, &arena, &token, &err) != STATUS_OK) {
        FUZZ_HOLDS(strlen(err.text) > 0);
        arena_fini(&arena);
        return;
    }
    FUZZ_HOLDS(slice_starts(text, token.signed_text));
    FUZZ_HOLDS(token.signed_text.len < text.len &&
               text.ptr[token.signed_text.len] == '.');
    FUZZ_HOLDS(json_check(token.header, DEPTH, NULL) == STATUS_OK);
    FUZZ_HOLDS(json_check(token.payload, DEPTH, NULL) == STATUS_OK);
    FUZZ_HOLDS(json_type(token.header) == JSON_OBJECT);
    FUZZ_HOLDS(json_type(token.payload) == JSON_OBJECT);
    struct slice found;
    FUZZ_HOLDS(json_member(token.header, slice_of("alg"), &found));
    FUZZ_HOLDS(json_means(found, token.alg));
    FUZZ_HOLDS(!json_member(token.header, slice_of("crit"), &found));
    const struct jwt_alg *alg = jwt_alg_by_name(token.alg);
    FUZZ_HOLDS(alg == NULL || slice_equal_text(token.alg, alg->name));
    arena_fini(&arena);
}

/* The DER of a key as a provider would write it. */
static void
write_pem(struct slice der, struct buf *pem)
{
    buf_text(pem, "-----BEGIN PUBLIC KEY-----\n");
    encode_base64(der, pem);
    buf_text(pem, "\n-----END PUBLIC KEY-----\n");
}

static void
read_key(struct slice text, struct slice kid)
{
    struct error err = { 0 };
    struct buf der = { 0 };
    const enum status status = public_key_read(text, kid, &der, &err);
    if (status == STATUS_OK) {
        struct buf pem = { 0 };
        struct buf again = { 0 };
        write_pem(buf_slice(&der), &pem);
        FUZZ_HOLDS(public_key_is_told(buf_slice(&pem)));
        FUZZ_HOLDS(public_key_read(buf_slice(&pem), slice_of(""), &again,
                                   NULL) == STATUS_OK);
        FUZZ_HOLDS(slice_equal(buf_slice(&again), buf_slice(&der)));
        buf_fini(&again);
        buf_fini(&pem);
    } else {
        FUZZ_HOLDS(strlen(err.text) > 0);
        FUZZ_HOLDS(buf_slice(&der).len == 0);
    }
    buf_fini(&der);
}

static void
join(struct slice raw)
{
    struct buf der = { 0 };
    const size_t half = raw.len / 2;
    const bool fits = half > 0 && half <= HALF_MOST && raw.len % 2 == 0;
    const enum status status = public_key_join_ecdsa(raw, half, &der);
    FUZZ_HOLDS(!fits || status == STATUS_OK);
    FUZZ_HOLDS(raw.len % 2 == 0 || status != STATUS_OK);
    buf_fini(&der);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    struct slice input = fuzz_input(bytes, count);
    static bool ready;
    if (!ready) {
        ready = digest_init(NULL) == STATUS_OK;
        FUZZ_HOLDS(ready);
    }
    struct slice rest = input;
    const struct slice kid = fuzz_take(&rest, '\0');
    read_token(input);
    read_key(input, slice_of(""));
    read_key(rest, kid);
    if (count <= 2 * HALF_MOST) {
        join(input);
    }
    return 0;
}
