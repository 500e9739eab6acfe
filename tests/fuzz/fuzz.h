/* SPDX-License-Identifier: MIT */
/*
 * fuzz: what the targets share: cutting an input, and saying what must hold.
 *
 * A target is LLVMFuzzerTestOneInput of one file; libFuzzer drives it, or
 * replay.c over files.
 */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include "base/bytes.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

/* Ends the run with the place: libFuzzer keeps the input. */
#define FUZZ_HOLDS(condition)                                                  \
    do {                                                                       \
        if (!(condition)) {                                                    \
            (void)fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__,      \
                          __LINE__, #condition);                               \
            abort();                                                           \
        }                                                                      \
    } while (0)

static inline struct slice
fuzz_input(const uint8_t *bytes, size_t count)
{
    return (struct slice){ count == 0 ? "" : (const char *)bytes, count };
}

/* Takes what stands before the first `end`, or all, off the input's front. */
static inline struct slice
fuzz_take(struct slice *input, char end)
{
    size_t at = slice_find(*input, end);
    struct slice part = slice_first(*input, at < input->len ? at : input->len);
    *input = slice_from(*input, at < input->len ? at + 1 : input->len);
    return part;
}

#endif
