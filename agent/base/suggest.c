/* SPDX-License-Identifier: MIT */
#include "base/suggest.h"

#include <string.h>

/* Longer words are no keys of ours, so there is nothing to suggest for them. */
#define WORD_MAX  64
#define EDITS_MAX 2

static size_t
least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/*
 * Counts the edits between two words: insert, delete, replace, or swap two
 * neighbours (Damerau's four, in the restricted form: no place is edited
 * twice). Three rows of the matrix are enough for that.
 */
static size_t
edits(struct slice a, struct slice b)
{
    size_t rows[3][WORD_MAX + 1];
    for (size_t j = 0; j <= b.len; j++) {
        rows[0][j] = j;
    }
    for (size_t i = 1; i <= a.len; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i + 2) % 3];
        const size_t *second = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t differ = a.ptr[i - 1] != b.ptr[j - 1];
            row[j] =
                least(least(above[j], row[j - 1]) + 1, above[j - 1] + differ);
            if (i > 1 && j > 1 && a.ptr[i - 1] == b.ptr[j - 2] &&
                a.ptr[i - 2] == b.ptr[j - 1]) {
                row[j] = least(row[j], second[j - 2] + 1);
            }
        }
    }
    return rows[a.len % 3][b.len];
}

const char *
suggest_near(struct slice word, const char *const *candidates, size_t count)
{
    const char *nearest = NULL;
    size_t fewest = EDITS_MAX + 1;
    if (word.len == 0 || word.len > WORD_MAX) {
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        struct slice candidate = slice_of(candidates[i]);
        if (candidate.len == 0 || candidate.len > WORD_MAX) {
            continue;
        }
        /* TIMEOUT is one slip of the shift key, not seven. */
        size_t distance = slice_equal_nocase(word, candidate)
                              ? !slice_equal(word, candidate)
                              : edits(word, candidate);
        /* Of "at" nothing is left in "go": that is no misspelling. */
        if (distance < fewest && distance < least(word.len, candidate.len)) {
            fewest = distance;
            nearest = candidates[i];
        }
    }
    return nearest;
}
