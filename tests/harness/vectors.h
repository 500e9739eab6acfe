/* SPDX-License-Identifier: MIT */
/*
 * vectors: the signed requests of tests/data/vectors, read and verified.
 */
#ifndef HARNESS_VECTORS_H
#define HARNESS_VECTORS_H

#include "harness/bound.h"

#include "model/verify.h"
#include "wire/digest.h"
#include "wire/encode.h"
#include "wire/json.h"
#include "wire/public_key.h"

#define FIELDS_MAX 32

struct vector {
    struct slice id;
    struct slice spec;
    struct slice url;
    struct slice secret;
    struct slice secrets; /* a list, in rotation, in place of it */
    bool genuine;
    int64_t now_ms;
    struct slice certs; /* an object of URLs and PEM; empty: none */
    struct http_field fields[FIELDS_MAX];
    struct inbound request;
};

static struct arena vectors_arena;
static struct slice vectors_text;
static struct buf vectors_spki;   /* see vectors_key */
static struct slice vectors_list; /* the member `vectors` of it */

static inline struct slice
vectors_member(struct slice object, const char *name, struct arena *arena)
{
    struct slice value;
    struct slice text = { "", 0 };
    if (json_member(object, slice_of(name), &value)) {
        assert_int_equal(json_text(value, arena, &text), STATUS_OK);
    }
    return text;
}

static inline void
vectors_read_fields(struct slice object, struct vector *vector,
                    struct arena *arena)
{
    struct slice name;
    struct slice value;
    size_t at = 0;
    size_t count = 0;
    while (json_next_member(object, &at, &name, &value)) {
        assert_true(count < FIELDS_MAX);
        struct http_field *field = &vector->fields[count++];
        assert_int_equal(json_text(name, arena, &field->name), STATUS_OK);
        assert_int_equal(json_text(value, arena, &field->value), STATUS_OK);
    }
    vector->request.fields = (struct http_fields){ vector->fields, count };
}

static inline void
vectors_read_request(struct slice object, struct vector *vector,
                     struct arena *arena)
{
    struct slice headers;
    struct slice coded = vectors_member(object, "body_b64", arena);
    assert_true(json_member(object, slice_of("headers"), &headers));
    vectors_read_fields(headers, vector, arena);
    struct inbound *request = &vector->request;
    request->method = vectors_member(object, "method", arena);
    request->body = vectors_member(object, "body", arena);
    if (coded.len > 0) {
        struct buf decoded = { 0 };
        assert_int_equal(decode_base64(coded, &decoded), STATUS_OK);
        assert_int_equal(arena_copy(arena, buf_slice(&decoded), &request->body),
                         STATUS_OK);
        buf_fini(&decoded);
    }
    request->body_is_json = json_check(request->body, 64, NULL) == STATUS_OK;
    vector->url = vectors_member(object, "url", arena);
    const size_t question = slice_find(vector->url, '?');
    if (question != SIZE_MAX) {
        request->query = slice_from(vector->url, question + 1);
        vector->url = slice_first(vector->url, question);
    }
}

static inline void
vectors_read_head(struct slice object, struct vector *vector,
                  struct arena *arena)
{
    int64_t now;
    memset(vector, 0, sizeof(*vector));
    (void)json_member(object, slice_of("certs"), &vector->certs);
    (void)json_member(object, slice_of("secrets"), &vector->secrets);
    vector->id = vectors_member(object, "id", arena);
    vector->spec = vectors_member(object, "spec", arena);
    vector->secret = vectors_member(object, "secret", arena);
    vector->genuine =
        slice_equal_text(vectors_member(object, "expected", arena), "true");
    assert_int_equal(slice_to_i64(vectors_member(object, "now", arena), &now),
                     STATUS_OK);
    vector->now_ms = now * 1000;
}

static inline void
vectors_bind(struct bound *bound, const struct vector *vector, const char *spec)
{
    struct buf entry = { 0 };
    char url[512];
    buf_text(&entry, "public_url: ");
    buf_json(&entry, vector->url);
    buf_text(&entry, "\nwith: {");
    if (vector->secret.len > 0) {
        buf_text(&entry, "webhook_secret: ");
        buf_json(&entry, vector->secret);
    }
    if (vector->secrets.len > 0) {
        buf_text(&entry, "webhook_secret: ");
        buf_append(&entry, vector->secrets);
    }
    if (strstr(spec, "{var:topic_arn}") != NULL) {
        buf_text(&entry, "topic_arn: "
                         "'arn:aws:sns:us-west-2:123456789012:MyTopic'");
    }
    buf_text(&entry, "}\n");
    (void)snprintf(url, sizeof(url), "%.*s", SLICE_ARG(vector->url));
    bound_texts(bound, spec, entry.ptr, url);
    buf_fini(&entry);
}

/* Reads a certificate's key; the last one is kept, for reading it takes long.
 */
static inline struct slice
vectors_key(struct slice cert)
{
    static struct slice last;
    if (!slice_equal(last, cert)) {
        struct arena arena = { 0 };
        struct slice text;
        buf_clear(&vectors_spki);
        assert_int_equal(json_text(cert, &arena, &text), STATUS_OK);
        assert_int_equal(
            public_key_read(text, slice_of(""), &vectors_spki, NULL),
            STATUS_OK);
        arena_fini(&arena);
        last = cert;
    }
    return buf_slice(&vectors_spki);
}

/* Verifies; a key that is wanted is what the vector has at its URL. */
static inline void
vectors_verify(const struct connector *connector, const struct vector *vector,
               struct arena *arena, struct verify_result *ret_result)
{
    struct slice cert;
    assert_int_equal(verify_request(connector, &vector->request, NULL,
                                    vector->now_ms, arena, ret_result),
                     STATUS_OK);
    if (ret_result->verdict != VERIFY_WANTS_KEY || vector->certs.len == 0 ||
        !json_member(vector->certs, ret_result->want.name, &cert)) {
        return;
    }
    const struct verify_found found = { ret_result->want.name,
                                        vectors_key(cert) };
    assert_int_equal(verify_request(connector, &vector->request, &found,
                                    vector->now_ms, arena, ret_result),
                     STATUS_OK);
}

/* Opens one of the files of tests/data/vectors. */
static inline int
vectors_open_file(const char *path)
{
    size_t len = 0;
    char *text = bound_read(path, &vectors_arena, &len);
    vectors_text = (struct slice){ text, len };
    return digest_init(NULL) == STATUS_OK &&
                   json_check(vectors_text, 64, NULL) == STATUS_OK &&
                   json_member(vectors_text, slice_of("vectors"), &vectors_list)
               ? 0
               : -1;
}

static inline int
vectors_open(void **state)
{
    (void)state;
    return vectors_open_file(TEST_DATA_DIR "/vectors/vectors.json");
}

static inline int
vectors_close(void **state)
{
    (void)state;
    buf_fini(&vectors_spki);
    arena_fini(&vectors_arena);
    return 0;
}

/* Steps to the next vector of the file. */
static inline bool
vectors_next(size_t *at, struct slice *ret_object)
{
    return json_next_element(vectors_list, at, ret_object);
}

/* Reads all of a vector. */
static inline void
vectors_read(struct slice object, struct vector *vector, struct arena *arena)
{
    vectors_read_head(object, vector, arena);
    vectors_read_request(object, vector, arena);
}

#endif
