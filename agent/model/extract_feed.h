/* SPDX-License-Identifier: MIT */
/*
 * extract_feed: a body that is a feed (RSS, Atom), as the JSON that all the
 * rest of extraction knows. Pure.
 */
#ifndef MODEL_EXTRACT_FEED_H
#define MODEL_EXTRACT_FEED_H

#include "base/bytes.h"
#include "base/mem.h"
#include "base/status.h"

/* Gives the JSON of wire/feed, in the arena; statuses as feed_to_json. */
NODISCARD
enum status extract_feed(struct slice xml, struct arena *arena,
                         struct slice *ret_json, struct error *err);

#endif
