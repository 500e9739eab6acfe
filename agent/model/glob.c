/* SPDX-License-Identifier: MIT */
/* The globs of event types: '*' is any run of bytes, nothing else is special.
 */
#include "model/connector.h"

bool
glob_match(struct slice glob, struct slice text)
{
    size_t g = 0;
    size_t t = 0;
    size_t star = SIZE_MAX; /* the last '*' and where its run ends so far */
    size_t run = 0;
    while (t < text.len) {
        if (g < glob.len && glob.ptr[g] == '*') {
            star = g++;
            run = t;
        } else if (g < glob.len && glob.ptr[g] == text.ptr[t]) {
            g++;
            t++;
        } else if (star != SIZE_MAX) {
            g = star + 1;
            t = ++run;
        } else {
            return false;
        }
    }
    while (g < glob.len && glob.ptr[g] == '*') {
        g++;
    }
    return g == glob.len;
}

/* The part of a glob before its first '*', and behind its last one. */
static struct slice
fixed_head(struct slice glob)
{
    const size_t star = slice_find(glob, '*');
    return star == SIZE_MAX ? glob : slice_first(glob, star);
}

static struct slice
fixed_tail(struct slice glob)
{
    size_t start = glob.len;
    while (start > 0 && glob.ptr[start - 1] != '*') {
        start--;
    }
    return slice_from(glob, start);
}

bool
glob_meet(struct slice a, struct slice b)
{
    if (slice_find(a, '*') == SIZE_MAX) {
        return glob_match(b, a);
    }
    if (slice_find(b, '*') == SIZE_MAX) {
        return glob_match(a, b);
    }
    /* Both have a '*': whatever stands between can be had from either, so only
     * the fixed ends can disagree. */
    const struct slice head_a = fixed_head(a);
    const struct slice head_b = fixed_head(b);
    const struct slice tail_a = fixed_tail(a);
    const struct slice tail_b = fixed_tail(b);
    return (slice_starts(head_a, head_b) || slice_starts(head_b, head_a)) &&
           (slice_ends(tail_a, tail_b) || slice_ends(tail_b, tail_a));
}
