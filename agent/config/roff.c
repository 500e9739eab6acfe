/* SPDX-License-Identifier: MIT */
/* roff: what groff and mandoc would take for markup, written otherwise. */
#include "config/roff.h"

#include <ctype.h>
#include <string.h>

/* groff_char(7): the plain forms are typeset as other characters. */
static const char *const escapes[128] = {
    ['\\'] = "\\(rs", ['-'] = "\\-",   ['\''] = "\\(aq",
    ['^'] = "\\(ha",  ['`'] = "\\(ga", ['~'] = "\\(ti",
};

void
roff_text(const char *text, struct buf *into)
{
    bool begins = into->len == 0 || into->ptr[into->len - 1] == '\n';
    for (; *text != '\0'; text++) {
        const unsigned char byte = (unsigned char)*text;
        if (begins && byte == '.') {
            buf_text(into, "\\&");
        }
        if (byte < 128 && escapes[byte] != NULL) {
            buf_text(into, escapes[byte]);
        } else {
            buf_byte(into, *text);
        }
        begins = byte == '\n';
    }
}

void
roff_font(char font, const char *text, struct buf *into)
{
    buf_format(into, "\\f%c", font);
    roff_text(text, into);
    buf_text(into, "\\fR");
}

void
roff_head(const char *page, int section, const char *version,
          const char *summary, struct buf *into)
{
    buf_text(into, ".\\\" Printed by the program from its own tables.\n.TH ");
    for (const char *at = page; *at != '\0'; at++) {
        const char upper[] = { (char)toupper((unsigned char)*at), '\0' };
        roff_text(upper, into);
    }
    buf_format(into, " %d \"\" \"Longstop %s\"\n.SH NAME\n", section, version);
    roff_text(page, into);
    buf_text(into, " \\- ");
    roff_text(summary, into);
    buf_byte(into, '\n');
}
