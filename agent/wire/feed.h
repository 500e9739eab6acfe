/* SPDX-License-Identifier: MIT */
/*
 * feed: the expat gate: a feed (RSS 0.9x, 1.0, 2.0, Atom 0.3 and 1.0) as JSON,
 * so that all that is said of JSON lists holds for feeds.
 *
 *     {"feed": {"id", "title", "link", "self", "hub", "updated", "ttl",
 *               "updatePeriod", "updateFrequency"},
 *      "items": [{"id", "guid", "link", "title", "updated", "published",
 *                 "summary", "content", "author", "categories": [],
 *                 "xml"}]}
 *
 * What a feed does not say is not there, but "id" and "updated": "id" is the
 * entry's guid, else its id (of Atom, or rdf:about), else its link, else
 * "sha256:" and the digest of its bytes; "updated" is "published" where an
 * entry says only that. Times stay as they are written. Links are absolute
 * where xml:base or the feed's own link allows it. "xml" has the entry's bytes,
 * as UTF-8. Of two elements that say the same the first counts.
 *
 * No external entity is read, and a DOCTYPE may declare nothing: RSS 0.91 has
 * one that does not.
 */
#ifndef WIRE_FEED_H
#define WIRE_FEED_H

#include "base/bytes.h"
#include "base/status.h"

#define FEED_DEPTH_MAX 64
#define FEED_ITEMS_MAX ((size_t)20000)

/* Appends the feed as JSON. STATUS_INVALID says what is wrong, with line and
 * column where it is not XML; STATUS_TOO_LARGE beyond the limits above. After a
 * failure `into` is as long as before. */
NODISCARD
enum status feed_to_json(struct slice xml, struct buf *into, struct error *err);

#endif
