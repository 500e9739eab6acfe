/* SPDX-License-Identifier: MIT */
/*
 * json_outline: what a JSON value is, in a few words, for whoever looks for
 * something in it that is not there.
 */
#ifndef WIRE_JSON_OUTLINE_H
#define WIRE_JSON_OUTLINE_H

#include "base/bytes.h"

/* So many names of an object are told, and so many bytes of each. */
#define JSON_OUTLINE_NAMES 12
#define JSON_OUTLINE_BYTES 40

/* Appends "an object with id, type and 3 more", "an empty array", "a number".
 * `value` is checked JSON; names stand as they are written there, escapes and
 * all, and no value is told. */
void json_outline(struct slice value, struct buf *into);

#endif
