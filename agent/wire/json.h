/* SPDX-License-Identifier: MIT */
/*
 * json: strict JSON scanner that keeps raw text: checks a whole text once, then
 * finds values by path as slices of the bytes received.
 *
 * Nothing is copied or built. Numbers keep their source text, so a 64-bit id
 * never passes through a double. Accepts RFC 8259 only: UTF-8, every \u a whole
 * character, nothing behind the value. A member name that comes twice is
 * accepted (§4 leaves it open); the first one counts, everywhere.
 *
 * Paths: `a.b[0].c`, `['odd.key']`, `[*]` (every element), `[k=v]` (elements
 * whose member k is the text v), an optional leading `$` (alone: the whole
 * text), and alternatives `a ?? b` of which the first that finds something
 * counts. Any byte but a blank and . [ ] { } ( ) ' " ? * = , | may stand in a
 * name without quotes.
 */
#ifndef WIRE_JSON_H
#define WIRE_JSON_H

#include "base/bytes.h"
#include "base/mem.h"
#include "base/status.h"

#include <stddef.h>

enum json_type {
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
};

#define JSON_DEPTH_DEFAULT 64

/*
 * Checks that `text` is one JSON value and nothing else, at most `depth`
 * levels deep (`[]` is one; never more than 1024). STATUS_INVALID names the
 * byte, counted from 1. Every function below may only be
 * given text that passed (or a value inside it).
 */
NODISCARD
enum status json_check(struct slice text, unsigned depth, struct error *err);

/* Returns the type of the first value in `value` (white space may lead). */
enum json_type json_type(struct slice value);

/* Walks an array: start with *at = 0; false at the end. O(element). */
bool json_next_element(struct slice array, size_t *at, struct slice *ret_value);

/* Walks an object: the name comes with its quotes, see json_text. */
bool json_next_member(struct slice object, size_t *at, struct slice *ret_name,
                      struct slice *ret_value);

/* Returns the value of the first member called `name` (decoded), if any. */
bool json_member(struct slice object, struct slice name,
                 struct slice *ret_value);

/*
 * Returns what a value means as text: a string decoded, anything else as it
 * stands. Borrows from `value` where no escape had to be decoded, else copies
 * into `arena`.
 */
NODISCARD
enum status json_text(struct slice value, struct arena *arena,
                      struct slice *ret_text);

/* Whether a value means `text`, as json_text would have it; copies nothing. */
bool json_means(struct slice value, struct slice text);

/* Appends `value` without the white space between its tokens. */
void json_compact(struct slice value, struct buf *into);

struct json_path; /* compiled; lives in its arena */

/* Compiles a path; STATUS_INVALID says what is wrong and at which column. */
NODISCARD
enum status json_path_compile(struct slice text, struct arena *arena,
                              const struct json_path **ret_path,
                              struct error *err);

/* Compiles an RFC 6901 pointer ("" is the whole text, else it begins '/'). */
NODISCARD
enum status json_pointer_compile(struct slice text, struct arena *arena,
                                 const struct json_path **ret_path,
                                 struct error *err);

/*
 * Returns the first value the path finds. A JSON null counts as found, but an
 * alternative behind it that finds anything else goes first.
 */
bool json_path_first(const struct json_path *path, struct slice text,
                     struct slice *ret_value);

/* Called for each value found; returns false to end the walk. */
typedef bool json_visit_fn(void *arg, struct slice value);

/*
 * Visits every value of the first alternative that finds any; returns whether
 * the alternative's place exists at all (an empty array under `[*]` does).
 */
bool json_path_each(const struct json_path *path, struct slice text,
                    json_visit_fn *visit, void *arg);

/* Whether an element of an array on the way leads nowhere, so that visiting
 * each passes over it: `a[*].b` in {"a":[{"b":1},{}]}. */
bool json_path_misses(const struct json_path *path, struct slice text);

/* Whether an object on the way has two members of the name that the path
 * takes, up to the first `[*]` or `[k=v]`: the first counts here, and the last
 * one for other readers. */
bool json_path_is_doubled(const struct json_path *path, struct slice text);

/* Returns the text the path was compiled from, for messages. */
struct slice json_path_source(const struct json_path *path);

#endif
