/* SPDX-License-Identifier: MIT */
/*
 * template: texts with places to fill: "{sig:t}.{body}", "order:{id}",
 * "json:id ?? header:X-Id"; compiled once, evaluated for each request or row.
 *
 *   TEMPLATE  literal {SOURCE} {SOURCE?} {SOURCE|filter:arg|...} [[group]]
 *   SOURCE    body url method secret form now cursor page until start …
 *             header:X  query:x  json:PATH  item:PATH  sig:t  var:x  form:x
 *   FILTERS   crc32 sha1 sha256 sha384 sha512 hex base64 unbase64 lower
 *             hmac:ALG escape:%27 unescape:%3A%2F noport withport sorted number
 *             time
 *             unix_s unix_ms iso8601 iso8601_s iso8601_naive date minute
 *             rfc2822 urlencode object other_key:NAMES
 *
 * "{x?}" is empty when x is absent; "[[…]]" is left out when anything in it is
 * absent; any other absent place makes the whole template absent, which is a
 * third outcome beside a text and an error (PROVIDERS: absent is a refusal, not
 * an empty string). `a ?? b` takes the first alternative that is not absent,
 * and not empty while there is one that is neither; alternatives may be
 * templates with braces or bare sources. `{{` and `}}` stand for braces.
 */
#ifndef WIRE_TEMPLATE_H
#define WIRE_TEMPLATE_H

#include "base/bytes.h"
#include "base/mem.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

struct json_path;

/* What a bare word outside braces means. */
enum template_bare {
    TEMPLATE_BARE_SOURCE,  /* "json:id", "body": a source */
    TEMPLATE_BARE_LITERAL, /* "order.created": itself, unless it is a source
                              with a known prefix */
    TEMPLATE_BARE_PATH     /* "data.id": a path in the row (item:) */
};

/* One place to fill, as the lookup sees it. */
struct template_ref {
    struct slice kind; /* "header", "json", "item", "var", "body", "cursor" */
    struct slice name; /* behind the colon: "X-Id"; the path's text for json
                          and item */
    const struct json_path *path; /* for json and item, else NULL */
};

/*
 * Finds the value of a place: STATUS_OK, STATUS_NOT_FOUND when it is absent, or
 * an error. The value is borrowed for as long as `arena` lives, or copied
 * there.
 */
typedef enum status template_lookup_fn(void *arg,
                                       const struct template_ref *ref,
                                       struct arena *arena,
                                       struct slice *ret_value);

/* What values come from. `key` is for the filter hmac and may be empty. */
struct template_scope {
    template_lookup_fn *lookup;
    void *arg;
    struct slice key;
};

struct template; /* compiled; lives in its arena */

/*
 * Compiles `text`. `kinds` names the sources allowed here, NULL-terminated
 * ("header", "json", …), so that a template that could never be filled is
 * refused at load. In braces a word without a known kind is a path in the row
 * when `bare` is TEMPLATE_BARE_PATH, else an error. STATUS_INVALID says what
 * and at which column of the text.
 */
NODISCARD
enum status template_compile(struct slice text, enum template_bare bare,
                             const char *const *kinds, struct arena *arena,
                             const struct template **ret_template,
                             struct error *err);

/*
 * Evaluates. The text is borrowed from the lookup where the template is a
 * single place without a filter, else made in `arena`. STATUS_NOT_FOUND when
 * absent. `ret_choice`, unless NULL, tells which alternative was taken.
 */
NODISCARD
enum status template_eval(const struct template *t,
                          const struct template_scope *scope,
                          struct arena *arena, struct slice *ret_text,
                          size_t *ret_choice);

#define TEMPLATE_PARTS_MAX 32

/* Evaluates to parts, so that a large body is signed without being copied. A
 * template of more than TEMPLATE_PARTS_MAX places is refused by compile. */
NODISCARD
enum status template_parts(const struct template *t,
                           const struct template_scope *scope,
                           struct arena *arena,
                           struct slice parts[TEMPLATE_PARTS_MAX],
                           size_t *ret_count);

/* Visits the places of one alternative, or of all when `choice` is SIZE_MAX;
 * `index` counts from 0; NULL behind the last. */
const struct template_ref *template_ref_at(const struct template *t,
                                           size_t choice, size_t index);

/* Whether any alternative names a place of this kind; a NULL template names
 * none. */
bool template_names(const struct template *t, const char *kind);

/* Whether it signs: a filter in it is keyed by the secret. NULL does not. */
bool template_signs(const struct template *t);

/* Whether the template is plain text without a place; then what it says. */
bool template_is_literal(const struct template *t, struct slice *ret_text);

/* Returns the text it was compiled from. */
struct slice template_source(const struct template *t);

#endif
