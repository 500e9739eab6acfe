/* SPDX-License-Identifier: MIT */
/*
 * encode: hex, base64 and percent-encoding, and comparing secrets in constant
 * time.
 */
#ifndef WIRE_ENCODE_H
#define WIRE_ENCODE_H

#include "base/bytes.h"
#include "base/status.h"

#include <stdbool.h>

/* Append the encoded form. Hex is lower-case; base64 has padding. */
void encode_hex(struct slice bytes, struct buf *into);
void encode_base64(struct slice bytes, struct buf *into);
void encode_base64url(struct slice bytes, struct buf *into); /* no padding */

/* Append the decoded bytes, or append nothing and return STATUS_INVALID. Hex
 * of either case; base64 strict: alphabet, padding, zero spare bits. */
NODISCARD
enum status decode_hex(struct slice text, struct buf *into);
NODISCARD
enum status decode_base64(struct slice text, struct buf *into);
NODISCARD
enum status decode_base64url(struct slice text, struct buf *into);

/* Percent-encodes every byte outside A-Z a-z 0-9 - . _ ~ and `also_plain`. */
void encode_percent(struct slice bytes, const char *also_plain,
                    struct buf *into);

/* Decodes %XX, and '+' to a blank when `plus`; broken escapes stay as they
 * are, as browsers do. */
void decode_percent(struct slice text, bool plus, struct buf *into);

/* Compares in time that depends on the lengths only. */
bool encode_same_secret(struct slice a, struct slice b);

#endif
