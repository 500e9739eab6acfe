/* SPDX-License-Identifier: MIT */
/*
 * utf8: which bytes are UTF-8 (RFC 3629): no overlong forms, no surrogates,
 * nothing above U+10FFFF.
 */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include "base/bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Returns how many bytes the first character has, 0 if it is not valid. */
size_t utf8_length(struct slice text);

/* Whether all of `text` is UTF-8. */
bool utf8_valid(struct slice text);

/* Writes `point` (a valid scalar value) to `into`; returns the length, 1-4. */
size_t utf8_encode(uint32_t point, char into[4]);

#endif
