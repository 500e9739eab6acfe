/* SPDX-License-Identifier: MIT */
/*
 * log: levelled lines of a sentence and key=value fields; has no sink of its
 * own.
 *
 *     LOG(LOG_WARN, "poll failed", log_text("connector", name),
 *         log_i64("status", 503));
 *
 * Values are escaped for the format, so nothing from outside can forge a line.
 * A line that comes again within a while is counted, and said once with how
 * often (log_set_fold).
 * Call from any thread; the sink is set once, before the others start, and
 * must be safe to call from all of them.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/bytes.h"

#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_LOGFMT, LOG_FORMAT_JSON };

struct log_field {
    const char *key;
    struct slice text; /* used when `is_number` is false */
    int64_t number;
    bool is_number;
    bool is_figure;
};

static inline struct log_field
log_slice(const char *key, struct slice text)
{
    return (struct log_field){ .key = key, .text = text };
}

static inline struct log_field
log_text(const char *key, const char *text)
{
    return (struct log_field){ .key = key, .text = slice_of(text) };
}

static inline struct log_field
log_i64(const char *key, int64_t number)
{
    return (
        struct log_field){ .key = key, .number = number, .is_number = true };
}

/* A number that was measured or counted: two lines that differ in nothing else
 * say the same. */
static inline struct log_field
log_figure(const char *key, int64_t number)
{
    return (struct log_field){
        .key = key, .number = number, .is_number = true, .is_figure = true
    };
}

/* Takes one finished line, without its newline; borrows it for the call. */
typedef void log_sink_fn(void *arg, enum log_level level, struct slice line);

/* Sets where lines go and from which level on. NULL drops them. */
void log_set_sink(log_sink_fn *to, void *arg, enum log_level most);

/* Whether a line of this level would go anywhere. */
bool log_enabled(enum log_level level);

/* Hands one line to the sink. `sentence` is ours, and stays; the fields are
 * anybody's. */
void log_write(enum log_level level, const char *sentence,
               const struct log_field *fields, size_t count);

/*
 * Renders a line. `at_ms` is Unix time, or -1 where the reader stamps lines
 * itself (the journal).
 */
void log_render(struct buf *into, enum log_format format, enum log_level level,
                int64_t at_ms, const char *sentence,
                const struct log_field *fields, size_t count);

/* How log_write renders what it hands on: the format and the clock. */
typedef int64_t log_clock_fn(void);
void log_set_format(enum log_format format, log_clock_fn *clock);

/*
 * The same line within `window_ms` of its first time is counted, and said once:
 * "poll failed (repeated 37 times in 60s)". 0, as it is at the start: never.
 * That is for warnings and errors only, see log_fold.h.
 * `clock` goes on evenly.
 */
void log_set_fold(int64_t window_ms, log_clock_fn *clock);

/* Says what was counted of lines whose time is over; is to be called now and
 * then. */
void log_fold_due(void);

/* Says what was counted of all lines: before the end, and where a person wants
 * something, so that no answer passes for a repeat. */
void log_fold_flush(void);

#define LOG(level, sentence, ...)                                              \
    do {                                                                       \
        if (log_enabled(level)) {                                              \
            const struct log_field log_fields_[] = { __VA_ARGS__ };            \
            log_write(level, sentence, log_fields_,                            \
                      sizeof(log_fields_) / sizeof(log_fields_[0]));           \
        }                                                                      \
    } while (0)

#endif
