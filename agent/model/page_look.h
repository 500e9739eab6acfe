/* SPDX-License-Identifier: MIT */
/*
 * page_look: what a connector looks for in a page and does not find there. None
 * of it fails a walk, so somebody has to be told: a person who tries a
 * connector out.
 */
#ifndef MODEL_PAGE_LOOK_H
#define MODEL_PAGE_LOOK_H

#include "model/extract.h"

/*
 * Appends one line for each of record.type, .time, .body and .data and
 * cursor.from that finds nothing in some row: which, where, in how many, and
 * what stands there instead; and one for pages.from of a page with rows whose
 * answer has no such member, be it null. STATUS_NOMEM only.
 */
NODISCARD
enum status page_look(const struct connector *connector,
                      const struct page *page, struct buf *into);

#endif
