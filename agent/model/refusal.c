/* SPDX-License-Identifier: MIT */
/* What is kept of a request that was not accepted. */
#include "model/refusal.h"

#include "model/conceal.h"
#include "wire/template.h"

static const char *const names[REFUSAL_CAUSE_END] = {
    [0] = "unknown",
    [REFUSAL_BAD_SIGNATURE] = "bad_signature",
    [REFUSAL_STALE] = "stale",
    [REFUSAL_REFUSED] = "refused",
    [REFUSAL_TOO_LARGE] = "too_large",
    [REFUSAL_RATE_LIMITED] = "rate_limited",
    [REFUSAL_MALFORMED] = "malformed",
};

static const struct slice hidden = SLICE("***");
static const struct slice cut = SLICE("\xe2\x80\xa6"); /* U+2026 */

const char *
refusal_cause_name(enum refusal_cause cause)
{
    unsigned at = (unsigned)cause;
    return names[at < REFUSAL_CAUSE_END ? at : 0];
}

bool
refusal_cause_find(struct slice name, enum refusal_cause *ret)
{
    for (int i = 1; i < REFUSAL_CAUSE_END; i++) {
        if (slice_equal_text(name, names[i])) {
            *ret = (enum refusal_cause)i;
            return true;
        }
    }
    return false;
}

/* ---- what is hidden ---- */

static bool
contains_nocase(struct slice text, struct slice part)
{
    for (size_t i = 0; i + part.len <= text.len; i++) {
        if (slice_equal_nocase(slice_first(slice_from(text, i), part.len),
                               part)) {
            return true;
        }
    }
    return false;
}

/* Whatever the connector makes of it: a sender that is set up for something
 * else sends the credentials of that. */
static bool
sounds_secret(struct slice name)
{
    static const struct slice parts[] = {
        SLICE("auth"),     SLICE("token"),      SLICE("secret"),
        SLICE("passw"),    SLICE("api-key"),    SLICE("apikey"),
        SLICE("api_key"),  SLICE("access-key"), SLICE("access_key"),
        SLICE("cookie"),   SLICE("credential"), SLICE("session"),
        SLICE("assertion")
    };
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (contains_nocase(name, parts[i])) {
            return true;
        }
    }
    return false;
}

/* Whether a rule of the connector takes what proves the sender, as it is, from
 * this field: who reads it can send it again. */
static bool
is_proof(const struct connector *connector, struct slice name)
{
    for (size_t i = 0; i < connector->verify_count; i++) {
        const struct verify_rule *rule = &connector->verify[i];
        bool tells = rule->type == VERIFY_TOKEN || rule->type == VERIFY_BASIC ||
                     rule->type == VERIFY_JWT;
        const struct template_ref *ref = NULL;
        for (size_t j = 0;
             tells && rule->from != NULL &&
             (ref = template_ref_at(rule->from, SIZE_MAX, j)) != NULL;
             j++) {
            if (slice_equal_nocase(ref->name, name)) {
                return true;
            }
        }
    }
    return false;
}

/* ---- what is written ---- */

/* Secrets go first: a cut through one would leave its beginning. */
static void
put_text(const struct connector *connector, struct slice text, size_t most,
         struct buf *into)
{
    size_t begin = into->len;
    conceal(connector, text, into);
    if (into->len - begin <= most) {
        return;
    }
    while (most > 0 &&
           ((unsigned char)into->ptr[begin + most] & 0xC0) == 0x80) {
        most--;
    }
    buf_truncate(into, begin + most);
    buf_append(into, cut);
}

/* The query's names alone: some senders prove themselves there. */
static void
put_query(const struct connector *connector, struct slice query,
          struct buf *into)
{
    struct slice part;
    struct slice rest = slice_first(query, REFUSAL_VALUE_BYTES);
    const char *sign = "?";
    while (slice_split(&rest, '&', &part)) {
        size_t equals = slice_find(part, '=');
        buf_text(into, sign);
        if (equals == SIZE_MAX) {
            buf_append(into, part.len == 0 ? part : hidden);
        } else {
            conceal(connector, slice_first(part, equals), into);
            buf_byte(into, '=');
            buf_append(into, hidden);
        }
        sign = "&";
    }
}

static void
put_line(const struct refusal *refusal, struct buf *into)
{
    size_t mark = slice_find(refusal->target, '?');
    struct slice path = slice_first(
        refusal->target, mark == SIZE_MAX ? refusal->target.len : mark);
    put_text(refusal->connector, refusal->method, REFUSAL_VALUE_BYTES, into);
    buf_byte(into, ' ');
    put_text(refusal->connector, path, REFUSAL_VALUE_BYTES, into);
    if (mark != SIZE_MAX) {
        put_query(refusal->connector, slice_from(refusal->target, mark + 1),
                  into);
    }
    buf_byte(into, '\n');
}

static void
put_field(const struct connector *connector, const struct http_field *field,
          struct buf *into)
{
    put_text(connector, field->name, REFUSAL_VALUE_BYTES, into);
    buf_text(into, ": ");
    if (sounds_secret(field->name) || is_proof(connector, field->name)) {
        buf_append(into, hidden);
    } else {
        put_text(connector, field->value, REFUSAL_VALUE_BYTES, into);
    }
    buf_byte(into, '\n');
}

void
refusal_head(const struct refusal *refusal, struct buf *into)
{
    if (refusal->method.len == 0) {
        return;
    }
    size_t begin = into->len;
    put_line(refusal, into);
    for (size_t i = 0; i < refusal->fields.count; i++) {
        size_t before = into->len;
        put_field(refusal->connector, &refusal->fields.at[i], into);
        if (into->len - begin > REFUSAL_HEAD_BYTES - cut.len - 1) {
            buf_truncate(into, before);
            buf_append(into, cut);
            buf_byte(into, '\n');
            return;
        }
    }
}

void
refusal_why(const struct refusal *refusal, struct buf *into)
{
    size_t begin = into->len;
    put_text(refusal->connector, refusal->why, REFUSAL_WHY_BYTES, into);
    for (size_t i = begin; i < into->len; i++) {
        if ((unsigned char)into->ptr[i] < ' ') {
            into->ptr[i] = ' ';
        }
    }
}
