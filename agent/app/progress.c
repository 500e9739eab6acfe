/* SPDX-License-Identifier: MIT */
#include "app/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/clock.h"

#define EACH_MS 100
#define CELLS   20
#define COLUMNS 78

void
progress_begin(struct progress *progress)
{
    const char *terminal = getenv("TERM");
    *progress = (struct progress){
        .is_shown = isatty(STDERR_FILENO) != 0 &&
                    (terminal == NULL || strcmp(terminal, "dumb") != 0),
    };
}

void
progress_line(uint64_t done, uint64_t total, int64_t count, const char *noun,
              struct buf *into)
{
    size_t began = into->len;
    if (total > 0) {
        uint64_t of = done < total ? done : total;
        uint64_t percent =
            (uint64_t)((double)of * 100 / (double)total); /* no overflow */
        buf_byte(into, '[');
        for (uint64_t i = 0; i < CELLS; i++) {
            buf_byte(into, i * 100 < percent * CELLS ? '#' : '-');
        }
        buf_format(into, "] %3" PRIu64 " %%  ", percent);
    }
    buf_format(into, "%" PRId64 " %s", count, noun);
    while (buf_status(into) == STATUS_OK && into->len - began < COLUMNS) {
        buf_byte(into, ' ');
    }
}

void
progress_tell(struct progress *progress, uint64_t done, uint64_t total,
              int64_t count, const char *noun)
{
    int64_t now_ms = clock_monotonic_ms();
    struct buf line = { 0 };
    if (!progress->is_shown || now_ms < progress->next_ms) {
        return;
    }
    progress->next_ms = now_ms + EACH_MS;
    progress->has_line = true;
    buf_byte(&line, '\r');
    progress_line(done, total, count, noun, &line);
    (void)fputs(buf_slice(&line).ptr, stderr);
    (void)fflush(stderr);
    buf_fini(&line);
}

void
progress_end(struct progress *progress)
{
    if (progress->has_line) {
        (void)fprintf(stderr, "\r%*s\r", COLUMNS, "");
        (void)fflush(stderr);
    }
    *progress = (struct progress){ 0 };
}
