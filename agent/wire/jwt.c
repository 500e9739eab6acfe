/* SPDX-License-Identifier: MIT */
#include "wire/jwt.h"

#include "wire/encode.h"
#include "wire/json.h"

#define JWT_DEPTH 32

static const struct jwt_alg algs[] = {
    { "HS256", JWT_HMAC, DIGEST_SHA256 }, { "HS384", JWT_HMAC, DIGEST_SHA384 },
    { "HS512", JWT_HMAC, DIGEST_SHA512 }, { "RS256", JWT_RSA, DIGEST_SHA256 },
    { "RS384", JWT_RSA, DIGEST_SHA384 },  { "RS512", JWT_RSA, DIGEST_SHA512 },
    { "ES256", JWT_P256, DIGEST_SHA256 },
};

const struct jwt_alg *
jwt_alg_by_name(struct slice name)
{
    for (size_t i = 0; i < sizeof(algs) / sizeof(algs[0]); i++) {
        if (slice_equal_text(name, algs[i].name)) {
            return &algs[i];
        }
    }
    return NULL;
}

static enum status
open_part(struct slice text, struct arena *arena, struct slice *ret_bytes)
{
    struct buf bytes = { 0 };
    enum status status = decode_base64url(text, &bytes);
    if (status == STATUS_OK) {
        status = arena_copy(arena, buf_slice(&bytes), ret_bytes);
    }
    buf_fini(&bytes);
    return status;
}

/* Decodes a part that must be a JSON object. */
static enum status
open_object(struct slice text, struct arena *arena, struct slice *ret_object)
{
    enum status status = open_part(text, arena, ret_object);
    if (status == STATUS_OK) {
        status = json_check(*ret_object, JWT_DEPTH, NULL);
    }
    return status == STATUS_OK && json_type(*ret_object) != JSON_OBJECT
               ? STATUS_INVALID
               : status;
}

/* Reads a member that is a string; empty when there is none. */
static enum status
text_of(struct slice object, const char *name, struct arena *arena,
        struct slice *ret_text)
{
    struct slice value;
    *ret_text = (struct slice){ NULL, 0 };
    if (!json_member(object, slice_of(name), &value)) {
        return STATUS_OK;
    }
    return json_type(value) == JSON_STRING ? json_text(value, arena, ret_text)
                                           : STATUS_INVALID;
}

static enum status
read_header(struct jwt *token, struct arena *arena, struct error *err)
{
    struct slice ignored;
    if (json_member(token->header, slice_of("crit"), &ignored)) {
        return error_set(err, STATUS_INVALID,
                         "the token demands an extension ('crit') that is not "
                         "known here");
    }
    enum status status = text_of(token->header, "alg", arena, &token->alg);
    if (status == STATUS_OK) {
        status = text_of(token->header, "kid", arena, &token->kid);
    }
    if (status == STATUS_OK && token->alg.len == 0) {
        status = STATUS_INVALID;
    }
    return status == STATUS_INVALID
               ? error_set(err, status, "the token's header has no 'alg'")
               : status;
}

enum status
jwt_read(struct slice text, struct arena *arena, struct jwt *ret_token,
         struct error *err)
{
    struct slice parts[3];
    struct slice rest = text;
    struct jwt token = { 0 };
    size_t count = 0;
    while (count < 3 && slice_split(&rest, '.', &parts[count])) {
        count++;
    }
    if (count != 3 || rest.ptr != NULL) {
        return error_set(err, STATUS_INVALID,
                         "no token: it has not three parts");
    }
    token.signed_text = slice_first(text, parts[0].len + 1 + parts[1].len);
    enum status status = open_object(parts[0], arena, &token.header);
    if (status == STATUS_OK) {
        status = open_object(parts[1], arena, &token.payload);
    }
    if (status == STATUS_OK) {
        status = open_part(parts[2], arena, &token.signature);
    }
    if (status == STATUS_INVALID) {
        return error_set(err, status, "the token is not decodable");
    }
    if (status == STATUS_OK) {
        status = read_header(&token, arena, err);
    }
    *ret_token = token;
    return status;
}
