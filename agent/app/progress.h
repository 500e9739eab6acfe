/* SPDX-License-Identifier: MIT */
/*
 * progress: how far a command is, on a terminal: one line on stderr that is
 * written over.
 */
#ifndef APP_PROGRESS_H
#define APP_PROGRESS_H

#include "base/bytes.h"

#include <stdbool.h>
#include <stdint.h>

/* Starts zeroed: shows nothing. */
struct progress {
    bool is_shown;
    bool has_line; /* one stands there */
    int64_t next_ms;
};

/* Shows from now on, where stderr is a terminal that can write over a line. */
void progress_begin(struct progress *progress);

/* Tells that `done` of `total` are done, 0: nobody knows of how many; `count`
 * and `noun` ("events") say it in numbers. Not oftener than a person sees. */
void progress_tell(struct progress *progress, uint64_t done, uint64_t total,
                   int64_t count, const char *noun);

/* Takes the line away. */
void progress_end(struct progress *progress);

/* The line itself, as long each time. */
void progress_line(uint64_t done, uint64_t total, int64_t count,
                   const char *noun, struct buf *into);

#endif
