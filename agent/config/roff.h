/* SPDX-License-Identifier: MIT */
/*
 * roff: the source of manual pages (groff_man(7)): text of ours, escaped so
 * that it is read as it stands.
 */
#ifndef CONFIG_ROFF_H
#define CONFIG_ROFF_H

#include "base/bytes.h"

/* Appends text of any number of lines. Backslashes, quotes and dashes stay
 * what they are, and a line that begins with a dot is no request. */
void roff_text(const char *text, struct buf *into);

/* Appends the text in a font: 'B' (as it is typed) or 'I' (to be replaced). */
void roff_font(char font, const char *text, struct buf *into);

/* Appends the head of a page, and its NAME section. `version`: "0.1.0". */
void roff_head(const char *page, int section, const char *version,
               const char *summary, struct buf *into);

#endif
