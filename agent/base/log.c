/* SPDX-License-Identifier: MIT */
#include "base/log.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>

#include "base/instant.h"
#include "base/log_fold.h"

static log_sink_fn *sink;
static void *sink_arg;
static enum log_level sink_most;
static enum log_format sink_format = LOG_FORMAT_LOGFMT;
static log_clock_fn *sink_clock;

/* Lines of several threads meet here, each for no longer than it takes to look
 * one up: nothing waits for the sink. */
static atomic_flag fold_busy = ATOMIC_FLAG_INIT;
static struct log_fold fold;
static log_clock_fn *fold_clock;

void
log_set_sink(log_sink_fn *to, void *arg, enum log_level most)
{
    sink = to;
    sink_arg = arg;
    sink_most = most;
}

void
log_set_format(enum log_format format, log_clock_fn *clock)
{
    sink_format = format;
    sink_clock = clock;
}

bool
log_enabled(enum log_level level)
{
    return sink != NULL && level <= sink_most;
}

static const char *const level_names[] = { "error", "warn", "info", "debug" };

static bool
is_plain(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c >= 0x7f) {
            return false;
        }
    }
    return text.len > 0;
}

static void
render_value(struct buf *into, const struct log_field *field, bool quote)
{
    if (field->is_number) {
        buf_i64(into, field->number);
    } else if (!quote && is_plain(field->text)) {
        buf_append(into, field->text);
    } else {
        buf_json(into, field->text);
    }
}

/* All up to the sentence. */
static void
render_head(struct buf *into, enum log_format format, enum log_level level,
            int64_t at_ms, struct slice sentence)
{
    char text[INSTANT_TEXT_BYTES];
    const char *stamp = at_ms < 0 ? NULL : instant_text(at_ms, text);
    if (format == LOG_FORMAT_TEXT) {
        if (stamp != NULL) {
            /* a person at a terminal reads the time of day */
            buf_format(into, "%.12s ", stamp + sizeof("2026-01-01T") - 1);
        }
        buf_format(into, "%-5s ", level_names[level]);
        buf_append(into, sentence);
        return;
    }
    bool json = format == LOG_FORMAT_JSON;
    buf_text(into, json ? "{" : "");
    if (stamp != NULL) {
        buf_format(into, json ? "\"ts\":\"%s\"," : "ts=%s ", stamp);
    }
    buf_format(into, json ? "\"level\":\"%s\",\"msg\":" : "level=%s msg=",
               level_names[level]);
    buf_json(into, sentence);
}

static void
render_field(struct buf *into, enum log_format format,
             const struct log_field *field)
{
    if (format == LOG_FORMAT_JSON) {
        buf_byte(into, ',');
        buf_json(into, slice_of(field->key));
        buf_byte(into, ':');
        render_value(into, field, true);
    } else {
        buf_format(into, " %s=", field->key);
        render_value(into, field, false);
    }
}

static void
render_fields(struct buf *into, enum log_format format,
              const struct log_field *fields, size_t count, bool figures)
{
    for (size_t i = 0; i < count; i++) {
        if (figures || !fields[i].is_figure) {
            render_field(into, format, &fields[i]);
        }
    }
}

static void
render_end(struct buf *into, enum log_format format)
{
    buf_text(into, format == LOG_FORMAT_JSON ? "}" : "");
}

void
log_render(struct buf *into, enum log_format format, enum log_level level,
           int64_t at_ms, const char *sentence, const struct log_field *fields,
           size_t count)
{
    render_head(into, format, level, at_ms, slice_of(sentence));
    render_fields(into, format, fields, count, true);
    render_end(into, format);
}

static int64_t
stamp_ms(void)
{
    return sink_clock == NULL ? -1 : sink_clock();
}

/* Hands it on, or the sentence alone where memory ran out. */
static void
put_line(enum log_level level, const char *sentence, struct buf *line)
{
    if (sink != NULL) {
        sink(sink_arg, level,
             buf_status(line) == STATUS_OK ? buf_slice(line)
                                           : slice_of(sentence));
    }
    buf_fini(line);
}

/* ---- lines that come again ---- */

static void
fold_lock(void)
{
    while (
        atomic_flag_test_and_set_explicit(&fold_busy, memory_order_acquire)) {
    }
}

static void
fold_unlock(void)
{
    atomic_flag_clear_explicit(&fold_busy, memory_order_release);
}

/* Says how often a line came again, and frees that. */
static void
put_repeats(struct log_fold_entry *over)
{
    struct buf line = { 0 }, sentence = { 0 };
    const struct log_field repeated = log_i64("repeated", over->repeats);
    int64_t seconds = (over->last_ms - over->first_ms + 999) / 1000;
    if (over->repeats == 0) {
        return;
    }
    buf_format(&sentence, "%s (repeated %" PRId64 " time%s in %" PRId64 "s)",
               over->sentence, over->repeats, over->repeats == 1 ? "" : "s",
               seconds > 0 ? seconds : 1);
    render_head(&line, sink_format, over->level, stamp_ms(),
                buf_slice(&sentence));
    if (sink_format != LOG_FORMAT_TEXT) {
        render_field(&line, sink_format, &repeated);
    }
    buf_append(&line, buf_slice(&over->tail));
    render_end(&line, sink_format);
    put_line(over->level, over->sentence, &line);
    buf_fini(&sentence);
    log_fold_entry_fini(over);
}

/* Of lines whose time is over at `now_ms`, or that `line` puts an end to. */
static void
put_over(int64_t now_ms, const struct log_fold_line *line)
{
    for (bool more = true; more;) {
        struct log_fold_entry over;
        fold_lock();
        more = line != NULL ? log_fold_end(&fold, line, &over)
                            : log_fold_over(&fold, now_ms, &over);
        fold_unlock();
        put_repeats(&over);
    }
}

void
log_set_fold(int64_t window_ms, log_clock_fn *clock)
{
    log_fold_flush();
    fold.window_ms = window_ms;
    fold_clock = clock;
}

void
log_fold_due(void)
{
    if (fold_clock != NULL) {
        put_over(fold_clock(), NULL);
    }
}

void
log_fold_flush(void)
{
    put_over(INT64_MAX, NULL);
}

static bool
take_line(const struct log_fold_line *line)
{
    struct log_fold_entry over = { 0 };
    int64_t now_ms = fold_clock();
    if (line->level >= LOG_INFO) {
        put_over(now_ms, line);
        return true;
    }
    fold_lock();
    bool now = log_fold_take(&fold, now_ms, line, &over);
    fold_unlock();
    put_repeats(&over);
    return now;
}

/* Whether the line is to be said; what must be said before it is. */
static bool
is_news(enum log_level level, const char *sentence,
        const struct log_field *fields, size_t count)
{
    struct buf subject = { 0 }, same = { 0 }, tail = { 0 };
    bool now = true;
    if (fold_clock == NULL || level == LOG_DEBUG) {
        return true;
    }
    render_fields(&subject, sink_format, fields, count > 0, true);
    render_fields(&same, sink_format, fields, count, false);
    render_fields(&tail, sink_format, fields, count, true);
    if (buf_status(&subject) == STATUS_OK && buf_status(&same) == STATUS_OK &&
        buf_status(&tail) == STATUS_OK) {
        const struct log_fold_line line = { level, sentence,
                                            buf_slice(&subject),
                                            buf_slice(&same),
                                            buf_slice(&tail) };
        now = take_line(&line);
    }
    buf_fini(&subject);
    buf_fini(&same);
    buf_fini(&tail);
    return now;
}

void
log_write(enum log_level level, const char *sentence,
          const struct log_field *fields, size_t count)
{
    struct buf line = { 0 };
    if (!log_enabled(level) || !is_news(level, sentence, fields, count)) {
        return;
    }
    log_render(&line, sink_format, level, stamp_ms(), sentence, fields, count);
    put_line(level, sentence, &line);
}
