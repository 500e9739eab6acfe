/* SPDX-License-Identifier: MIT */
/* http_field, url and gzip: what providers write into fields and URLs. The
 * first byte chooses, the rest is the value. */
#include "base/mem.h"
#include "fuzz/fuzz.h"
#include "wire/encode.h"
#include "wire/gzip.h"
#include "wire/http_field.h"
#include "wire/url.h"

#define NOW_MS INT64_C(1700000000000)
#define CAP_MS INT64_C(3600000)

static void
retry_after(struct slice value)
{
    int64_t wait_ms = -1;
    if (http_field_retry_after(value, NOW_MS, CAP_MS, &wait_ms) == STATUS_OK) {
        FUZZ_HOLDS(wait_ms >= 0 && wait_ms <= CAP_MS);
    }
}

static void
link_next(struct slice value)
{
    struct slice target;
    if (http_field_link(value, "next", &target)) {
        FUZZ_HOLDS(target.ptr >= value.ptr);
        FUZZ_HOLDS(target.ptr + target.len <= value.ptr + value.len);
        FUZZ_HOLDS(slice_find(target, '>') >= target.len);
    }
    (void)http_field_is_json(value);
    (void)http_field_media_type(value);
}

static void
resolve(struct slice value)
{
    static const struct slice base = SLICE("https://api.example.com/v1/a?b=c");
    struct slice reference = value;
    struct url url;
    struct url again;
    struct buf whole = { 0 };
    if (url_parse(value, &url, NULL) == STATUS_OK) {
        FUZZ_HOLDS(url_same_origin(&url, &url));
        FUZZ_HOLDS(url.host.len > 0);
    }
    if (url_resolve(base, reference, &whole, NULL) == STATUS_OK) {
        FUZZ_HOLDS(url_parse(buf_slice(&whole), &again, NULL) == STATUS_OK);
    }
    buf_fini(&whole);
}

static void
query(struct slice value)
{
    struct arena arena = { 0 };
    struct slice name = fuzz_take(&value, '\n');
    struct slice found;
    if (url_query_value(value, name, &arena, &found) == STATUS_OK) {
        FUZZ_HOLDS(found.len <= value.len);
    }
    arena_fini(&arena);
    struct buf url = { 0 };
    buf_text(&url, "https://x.example/");
    url_add_query(&url, name, value);
    struct url parsed;
    FUZZ_HOLDS(url_parse(buf_slice(&url), &parsed, NULL) == STATUS_OK);
    struct arena decoded = { 0 };
    if (name.len > 0) {
        FUZZ_HOLDS(url_query_value(parsed.query, name, &decoded, &found) ==
                   STATUS_OK);
        FUZZ_HOLDS(slice_equal(found, value));
    }
    arena_fini(&decoded);
    buf_fini(&url);
}

static void
inflate(struct slice value)
{
    struct buf out = { 0 };
    if (gzip_inflate(value, (size_t)64 * 1024, 100, &out) == STATUS_OK) {
        FUZZ_HOLDS(buf_slice(&out).len <= (size_t)64 * 1024);
    }
    buf_fini(&out);
}

static void
codings(struct slice value)
{
    static enum status (*const decode[])(struct slice, struct buf *) = {
        decode_hex, decode_base64, decode_base64url
    };
    for (size_t i = 0; i < sizeof(decode) / sizeof(decode[0]); i++) {
        struct buf out = { 0 };
        if (decode[i](value, &out) == STATUS_OK) {
            FUZZ_HOLDS(buf_slice(&out).len <= value.len);
        }
        buf_fini(&out);
    }
    struct buf text = { 0 };
    struct buf back = { 0 };
    encode_base64(value, &text);
    FUZZ_HOLDS(decode_base64(buf_slice(&text), &back) == STATUS_OK);
    FUZZ_HOLDS(slice_equal(buf_slice(&back), value));
    buf_clear(&text);
    buf_clear(&back);
    encode_percent(value, "", &text);
    decode_percent(buf_slice(&text), true, &back);
    FUZZ_HOLDS(slice_equal(buf_slice(&back), value));
    buf_fini(&text);
    buf_fini(&back);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    static void (*const tries[])(struct slice) = { retry_after, link_next,
                                                   resolve,     query,
                                                   inflate,     codings };
    if (count > 0) {
        tries[bytes[0] % (sizeof(tries) / sizeof(tries[0]))](
            fuzz_input(bytes + 1, count - 1));
    }
    return 0;
}
