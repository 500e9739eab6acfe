/* SPDX-License-Identifier: MIT */
#include "base/log.h"

#include <inttypes.h>
#include <string.h>

#include "base/instant.h"

static log_sink_fn *sink;
static void *sink_arg;
static enum log_level sink_most;
static enum log_format sink_format = LOG_FORMAT_LOGFMT;
static log_clock_fn *sink_clock;

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

static void
render_json(struct buf *into, enum log_level level, const char *stamp,
            const char *sentence, const struct log_field *fields, size_t count)
{
    buf_byte(into, '{');
    if (stamp != NULL) {
        buf_format(into, "\"ts\":\"%s\",", stamp);
    }
    buf_format(into, "\"level\":\"%s\",\"msg\":", level_names[level]);
    buf_json(into, slice_of(sentence));
    for (size_t i = 0; i < count; i++) {
        buf_byte(into, ',');
        buf_json(into, slice_of(fields[i].key));
        buf_byte(into, ':');
        render_value(into, &fields[i], true);
    }
    buf_byte(into, '}');
}

static void
render_plain(struct buf *into, enum log_format format, enum log_level level,
             const char *stamp, const char *sentence)
{
    if (format == LOG_FORMAT_TEXT) {
        if (stamp != NULL) {
            /* a person at a terminal reads the time of day */
            buf_format(into, "%.12s ", stamp + sizeof("2026-01-01T") - 1);
        }
        buf_format(into, "%-5s %s", level_names[level], sentence);
        return;
    }
    if (stamp != NULL) {
        buf_format(into, "ts=%s ", stamp);
    }
    buf_format(into, "level=%s msg=", level_names[level]);
    buf_json(into, slice_of(sentence));
}

void
log_render(struct buf *into, enum log_format format, enum log_level level,
           int64_t at_ms, const char *sentence, const struct log_field *fields,
           size_t count)
{
    char text[INSTANT_TEXT_BYTES];
    const char *stamp = at_ms < 0 ? NULL : instant_text(at_ms, text);
    if (format == LOG_FORMAT_JSON) {
        render_json(into, level, stamp, sentence, fields, count);
        return;
    }
    render_plain(into, format, level, stamp, sentence);
    for (size_t i = 0; i < count; i++) {
        buf_format(into, " %s=", fields[i].key);
        render_value(into, &fields[i], false);
    }
}

void
log_write(enum log_level level, const char *sentence,
          const struct log_field *fields, size_t count)
{
    if (!log_enabled(level)) {
        return;
    }
    struct buf line = { 0 };
    log_render(&line, sink_format, level,
               sink_clock == NULL ? -1 : sink_clock(), sentence, fields, count);
    if (buf_status(&line) == STATUS_OK) {
        sink(sink_arg, level, buf_slice(&line));
    } else {
        sink(sink_arg, level, slice_of(sentence));
    }
    buf_fini(&line);
}
