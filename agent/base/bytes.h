/* SPDX-License-Identifier: MIT */
/*
 * bytes: `struct slice` borrows bytes and never owns them; `struct buf` always
 * owns its growing bytes.
 *
 * A slice need not end in NUL and may hold any byte. A buf that runs out of
 * memory or over its limit stays as it was and remembers the failure, so that
 * a run of appends is checked once, with buf_status.
 */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct slice {
    const char *ptr;
    size_t len;
};

/* A slice of a string literal, also in a static initialiser. */
#define SLICE(literal)                                                         \
    {                                                                          \
        "" literal, sizeof(literal) - 1                                        \
    }

/* Returns the bytes, never NULL: a "%.*s" of length 0 wants a pointer too. */
static inline const char *
slice_bytes(struct slice slice)
{
    return slice.ptr == NULL ? "" : slice.ptr;
}

/* The two arguments of "%.*s". */
#define SLICE_ARG(slice) (int)(slice).len, slice_bytes(slice)

/* Borrows a NUL-terminated string; NULL gives the empty slice. */
struct slice slice_of(const char *text);

/* Whether the bytes are the same. Not for secrets: see wire/encode.h. */
bool slice_equal(struct slice a, struct slice b);
bool slice_equal_text(struct slice a, const char *text);

/* ASCII letters compare without case. */
bool slice_equal_nocase(struct slice a, struct slice b);

/* Orders as memcmp does, a prefix first: <0, 0, >0. */
int slice_compare(struct slice a, struct slice b);

bool slice_starts(struct slice text, struct slice prefix);
bool slice_ends(struct slice text, struct slice suffix);

/* Returns the part from `start` on; `start` past the end gives nothing. */
struct slice slice_from(struct slice text, size_t start);

/* Returns at most `len` first bytes. */
struct slice slice_first(struct slice text, size_t len);

/* Cuts space, tab, CR and LF from both ends. */
struct slice slice_trim(struct slice text);

/*
 * Takes what stands before the first `separator` off `*rest`, separator
 * included; the last part takes everything and leaves rest->ptr NULL. False
 * when there was no part left. "a,,b" has three parts, "" has one.
 */
bool slice_split(struct slice *rest, char separator, struct slice *ret_part);

/* Returns the place of the first `byte` or of `part`, or SIZE_MAX. */
size_t slice_find(struct slice text, char byte);
size_t slice_find_slice(struct slice text, struct slice part);

/*
 * Reads decimal digits only: no sign (but a leading '-' for slice_to_i64), no
 * space, no overflow. STATUS_INVALID otherwise.
 */
NODISCARD
enum status slice_to_u64(struct slice text, uint64_t *ret_number);
NODISCARD
enum status slice_to_i64(struct slice text, int64_t *ret_number);

/* Seeded SipHash-1-3, for tables whose keys come from outside. */
uint64_t slice_hash(struct slice text, const uint64_t seed[2]);

/*
 * Owned bytes, always NUL-terminated behind `len`. Start with
 * `struct buf buf = { 0 };`.
 */
struct buf {
    char *ptr; /* NULL until something is appended */
    size_t len;
    size_t cap;
    size_t limit; /* longest allowed length; 0 means none */
    enum status failure;
};

/* The bytes so far, borrowed until the next change. */
struct slice buf_slice(const struct buf *buf);

/* STATUS_OK, or why an append was left out: STATUS_NOMEM, STATUS_TOO_LARGE. */
NODISCARD
enum status buf_status(const struct buf *buf);

void buf_append(struct buf *buf, struct slice bytes);
void buf_text(struct buf *buf, const char *text);
void buf_byte(struct buf *buf, char byte);
void buf_i64(struct buf *buf, int64_t number);
void buf_u64(struct buf *buf, uint64_t number);
void buf_format(struct buf *buf, const char *format, ...) PRINTF_LIKE(2, 3);

/* Appends `text` as a JSON string with its quotes; bad UTF-8 becomes U+FFFD. */
void buf_json(struct buf *buf, struct slice text);

/* Makes room for `count` bytes behind len; returns it, or NULL. */
NODISCARD
char *buf_reserve(struct buf *buf, size_t count);

/* Removes the first `count` bytes. */
void buf_consume(struct buf *buf, size_t count);

/* Cuts the length to `len`; never grows. */
void buf_truncate(struct buf *buf, size_t len);

/* Forgets the bytes and the failure, keeps the memory and the limit. */
void buf_clear(struct buf *buf);

/* Returns the bytes; the caller frees them. The buf is empty. May be NULL. */
char *buf_detach(struct buf *buf);

/* Frees; the buf is empty and may be used again. */
void buf_fini(struct buf *buf);

#endif
