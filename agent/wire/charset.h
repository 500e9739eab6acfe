/* SPDX-License-Identifier: MIT */
/*
 * charset: the encoding that an XML text says it has (XML 1.0, appendix F), and
 * its text as UTF-8.
 */
#ifndef WIRE_CHARSET_H
#define WIRE_CHARSET_H

#include "base/bytes.h"
#include "base/status.h"

/*
 * Appends `xml` as UTF-8, without its byte order mark. Known are UTF-8, UTF-16,
 * US-ASCII, ISO-8859-1 and windows-1252; the latter two are read alike, as
 * browsers do. STATUS_INVALID names another encoding, or says that the bytes
 * are not in the one that was said.
 */
NODISCARD
enum status charset_to_utf8(struct slice xml, struct buf *into,
                            struct error *err);

#endif
