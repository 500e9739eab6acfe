/* SPDX-License-Identifier: MIT */
#include "config/config_report.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "config/config_yaml.h"

#define FINDINGS_MAX  100
#define MESSAGE_BYTES 512

/* A longer line is shown as a window around the place. */
#define LINE_CHARS   120
#define WINDOW_LEFT  60
#define MARGIN_WIDTH 7 /* of "  123 |" */

static const struct slice byte_order_mark = SLICE("\xef\xbb\xbf");

static const char *const severity_text[] = { "error", "warning", "note" };
static const char *const severity_color[] = { "\033[1;31m", "\033[1;35m",
                                              "\033[1;36m" };
#define COLOR_PLACE "\033[1m"
#define COLOR_CARET "\033[1;32m"
#define COLOR_OFF   "\033[0m"

void
config_report_fini(struct config_report *report)
{
    arena_fini(&report->arena);
    *report = (struct config_report){ 0 };
}

/* Returns the length of the first character if a terminal may be given it,
 * else 0: a file must not be able to move the cursor of whoever reads about
 * it. The C1 controls are U+0080 to U+009F. */
static size_t
printable_length(struct slice text)
{
    size_t len = utf8_length(text);
    const unsigned char first = (unsigned char)text.ptr[0];
    if (len == 1) {
        return first >= 0x20 && first != 0x7f;
    }
    if (len == 2 && first == 0xc2 && (unsigned char)text.ptr[1] < 0xa0) {
        return 0;
    }
    return len;
}

/* Replaces in place what is not printable; returns the new length. */
static size_t
make_printable(char *text, size_t len)
{
    size_t used = 0;
    for (size_t at = 0; at < len;) {
        size_t step = printable_length((struct slice){ text + at, len - at });
        if (step == 0) {
            text[used++] = '?';
            at++;
            continue;
        }
        memmove(text + used, text + at, step);
        used += step;
        at += step;
    }
    return used;
}

/* Cuts a half character that the size of the buffer left at the end. */
static size_t
whole_characters(const char *text, size_t len)
{
    size_t at = len;
    while (at > 0 && ((unsigned char)text[at - 1] & 0xc0) == 0x80) {
        at--;
    }
    if (at == 0 || (unsigned char)text[at - 1] < 0x80) {
        return len;
    }
    struct slice last = { text + at - 1, len - (at - 1) };
    return utf8_length(last) == 0 ? at - 1 : len;
}

void
config_report_add(struct config_report *report, enum config_severity severity,
                  struct config_mark mark, const char *format, ...)
{
    char text[MESSAGE_BYTES];
    va_list args;
    va_start(args, format);
    int wrote = vsnprintf(text, sizeof(text), format, args);
    va_end(args);

    report->errors += severity == CONFIG_ERROR;
    report->warnings += severity == CONFIG_WARNING;
    if (report->errors + report->warnings > FINDINGS_MAX) {
        return;
    }
    size_t len = wrote < 0 ? 0 : (size_t)wrote;
    if (len >= sizeof(text)) {
        len = whole_characters(text, sizeof(text) - 1);
    }
    len = make_printable(text, len);

    struct config_finding *finding =
        arena_array(&report->arena, 1, sizeof(*finding));
    if (finding == NULL ||
        arena_copy(&report->arena, (struct slice){ text, len },
                   &finding->message) != STATUS_OK) {
        report->failed_memory = true;
        return;
    }
    finding->severity = severity;
    finding->mark = mark;
    if (report->last == NULL) {
        report->last = &report->first;
    }
    *report->last = finding;
    report->last = &finding->next;
}

void
config_report_hide(struct config_report *report, struct config_mark mark)
{
    struct config_hidden *hidden =
        arena_array(&report->arena, 1, sizeof(*hidden));
    if (hidden == NULL) {
        report->failed_memory = true;
        return;
    }
    *hidden = (struct config_hidden){ mark, report->hidden };
    report->hidden = hidden;
}

enum status
config_report_status(const struct config_report *report)
{
    if (report->failed_memory) {
        return STATUS_NOMEM;
    }
    return report->errors > 0 ? STATUS_CONFIG : STATUS_OK;
}

/* Returns the length of the line break `text` begins with, or 0. The parser
 * counts lines as YAML 1.1 does (5.4), so LS, PS and NEL end one too. */
static size_t
break_length(struct slice text)
{
    static const struct slice breaks[] = {
        SLICE("\r\n"),     SLICE("\n"),           SLICE("\r"),
        SLICE("\xc2\x85"), SLICE("\xe2\x80\xa8"), SLICE("\xe2\x80\xa9"),
    };
    for (size_t i = 0; i < sizeof(breaks) / sizeof(breaks[0]); i++) {
        if (slice_starts(text, breaks[i])) {
            return breaks[i].len;
        }
    }
    return 0;
}

static size_t
line_length(struct slice text)
{
    size_t len = 0;
    while (len < text.len && break_length(slice_from(text, len)) == 0) {
        len++;
    }
    return len;
}

/* Returns line number `line`, empty where there is none. */
static struct slice
find_line(struct slice text, unsigned line)
{
    if (slice_starts(text, byte_order_mark)) {
        text = slice_from(text, byte_order_mark.len);
    }
    for (unsigned at = 1; at < line; at++) {
        text = slice_from(text, line_length(text));
        text = slice_from(text, break_length(text));
    }
    return slice_first(text, line_length(text));
}

/* Takes one character off `*rest`; what is not UTF-8 goes byte by byte. */
static struct slice
take_character(struct slice *rest)
{
    size_t len = utf8_length(*rest);
    struct slice character = slice_first(*rest, len == 0 ? 1 : len);
    *rest = slice_from(*rest, character.len);
    return character;
}

static size_t
count_characters(struct slice text)
{
    size_t count = 0;
    while (text.len > 0) {
        (void)take_character(&text);
        count++;
    }
    return count;
}

/* ---- secrets in a line ---- */

#define SPANS_MAX 16

/* Columns of a line that are not shown, 1-based, `end` excluded. */
struct cover {
    struct {
        size_t begin;
        size_t end;
    } spans[SPANS_MAX];
    size_t count;
};

static void
cover_add(struct cover *cover, size_t begin, size_t end)
{
    if (cover->count == SPANS_MAX) {
        /* more than we can keep: nothing that follows is shown */
        cover->spans[SPANS_MAX - 1].begin = 1;
        cover->spans[SPANS_MAX - 1].end = SIZE_MAX;
        return;
    }
    cover->spans[cover->count].begin = begin;
    cover->spans[cover->count++].end = end;
}

static bool
cover_has(const struct cover *cover, size_t column)
{
    for (size_t i = 0; i < cover->count; i++) {
        if (column >= cover->spans[i].begin && column < cover->spans[i].end) {
            return true;
        }
    }
    return false;
}

static bool
is_name_byte(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || byte == '_' || byte == '-';
}

bool
config_report_sounds_secret(struct slice name)
{
    static const char *const ends[] = { "secret",     "secrets",    "token",
                                        "password",   "passwd",     "api_key",
                                        "apikey",     "secret_key", "api-key",
                                        "private_key" };
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        struct slice end = slice_of(ends[i]);
        if (name.len >= end.len &&
            slice_equal_nocase(slice_from(name, name.len - end.len), end)) {
            return true;
        }
    }
    return false;
}

/* Returns how long the value at the beginning of `text` is: to its quote, to
 * its bracket, inside {} to what ends a plain scalar there, else to the end. */
static size_t
value_length(struct slice text, bool in_flow)
{
    if (text.len == 0) {
        return 0;
    }
    char first = text.ptr[0];
    const char *ends = first == '"'              ? "\""
                       : first == '\''           ? "'"
                       : first == '['            ? "]"
                       : first == '{' || in_flow ? "}"
                                                 : "";
    bool is_plain = in_flow && strchr("\"'[{", first) == NULL;
    for (size_t at = 1; at < text.len; at++) {
        char byte = text.ptr[at];
        if (byte == '\\' && first == '"') {
            at++;
        } else if (strchr(ends, byte) != NULL || (is_plain && byte == ',')) {
            return at + !is_plain;
        }
    }
    return text.len;
}

/* Whether the colon at `at` ends a key: YAML wants a blank behind that of a
 * plain one (7.3.3), so that a template's {secret:NAME} is none. */
static bool
ends_key(struct slice line, size_t at)
{
    bool quoted = at > 0 && line.ptr[at - 1] == '"';
    return quoted || at + 1 == line.len || line.ptr[at + 1] == ' ';
}

/* Returns the word that the colon at `at` ends. */
static struct slice
word_before(struct slice line, size_t at)
{
    size_t end = at;
    while (end > 0 && line.ptr[end - 1] == '"') {
        end--;
    }
    size_t begin = end;
    while (begin > 0 && is_name_byte(line.ptr[begin - 1])) {
        begin--;
    }
    return slice_from(slice_first(line, end), begin);
}

/* Covers the values of this line whose keys sound secret. */
static void
cover_by_name(struct slice line, struct cover *cover)
{
    bool in_flow = false;
    for (size_t at = 0; at < line.len; at++) {
        in_flow = in_flow || line.ptr[at] == '{';
        if (line.ptr[at] != ':' || !ends_key(line, at) ||
            !config_report_sounds_secret(word_before(line, at))) {
            continue;
        }
        size_t from = at + 1;
        while (from < line.len && line.ptr[from] == ' ') {
            from++;
        }
        struct slice rest = slice_from(line, from);
        struct slice value = slice_first(rest, value_length(rest, in_flow));
        size_t column = count_characters(slice_first(line, from)) + 1;
        cover_add(cover, column, column + count_characters(value));
        at = from + value.len - 1;
    }
}

static void
cover_line(const struct config_report *report, const struct config_mark *mark,
           struct slice line, struct cover *cover)
{
    for (const struct config_hidden *at = report->hidden; at != NULL;
         at = at->next) {
        if (at->mark.source == mark->source && at->mark.line == mark->line) {
            cover_add(cover, at->mark.column, at->mark.column + at->mark.width);
        }
    }
    cover_by_name(line, cover);
}

/* ---- a finding as text ---- */

/* Appends the line, a tab as one blank so that the caret stands under its
 * character; returns how many of its characters were left out before it. */
static size_t
append_line(struct buf *into, struct slice line, unsigned column,
            const struct cover *cover)
{
    size_t chars = count_characters(line);
    size_t skip = 0;
    if (chars > LINE_CHARS && column > WINDOW_LEFT) {
        skip = column - WINDOW_LEFT;
    }
    for (size_t at = 0; line.len > 0 && at < skip + LINE_CHARS; at++) {
        struct slice character = take_character(&line);
        if (at < skip) {
            continue;
        }
        if (cover_has(cover, at + 1)) {
            buf_byte(into, '*');
        } else if (slice_equal_text(character, "\t")) {
            buf_byte(into, ' ');
        } else if (printable_length(character) == 0) {
            buf_byte(into, '?');
        } else {
            buf_append(into, character);
        }
    }
    return skip;
}

static void
append_repeated(struct buf *into, char byte, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        buf_byte(into, byte);
    }
}

static void
append_excerpt(const struct config_report *report,
               const struct config_mark *mark, bool color, struct buf *into)
{
    struct cover cover = { .count = 0 };
    struct slice line = find_line(mark->source->text, mark->line);
    size_t chars = count_characters(line);
    if (slice_trim(line).len == 0 || mark->column == 0) {
        return;
    }
    cover_line(report, mark, line, &cover);
    buf_format(into, "%*u | ", MARGIN_WIDTH - 2, mark->line);
    size_t skip = append_line(into, line, mark->column, &cover);
    buf_byte(into, '\n');
    append_repeated(into, ' ', MARGIN_WIDTH - 1);
    buf_text(into, "| ");
    size_t before = mark->column - 1 - skip;
    append_repeated(into, ' ', before < LINE_CHARS ? before : LINE_CHARS);
    buf_text(into, color ? COLOR_CARET : "");
    buf_byte(into, '^');
    /* The tail ends with the line, or with the window of it. */
    size_t end = chars < skip + LINE_CHARS ? chars : skip + LINE_CHARS;
    for (size_t at = 1; at < mark->width && mark->column + at <= end; at++) {
        buf_byte(into, '~');
    }
    buf_text(into, color ? COLOR_OFF : "");
    buf_byte(into, '\n');
}

static void
append_finding(const struct config_report *report,
               const struct config_finding *finding, bool color,
               struct buf *into)
{
    const struct config_mark *mark = &finding->mark;
    if (mark->source != NULL) {
        buf_format(into, "%s%.*s:%u:%u:%s ", color ? COLOR_PLACE : "",
                   SLICE_ARG(mark->source->name), mark->line, mark->column,
                   color ? COLOR_OFF : "");
    }
    buf_format(into, "%s%s:%s ", color ? severity_color[finding->severity] : "",
               severity_text[finding->severity], color ? COLOR_OFF : "");
    buf_append(into, finding->message);
    buf_byte(into, '\n');
    if (mark->source != NULL) {
        append_excerpt(report, mark, color, into);
    }
}

void
config_report_text(const struct config_report *report, bool color,
                   struct buf *into)
{
    for (const struct config_finding *finding = report->first; finding != NULL;
         finding = finding->next) {
        append_finding(report, finding, color, into);
    }
    if (report->errors + report->warnings > FINDINGS_MAX) {
        buf_format(into, "and %zu more\n",
                   report->errors + report->warnings - FINDINGS_MAX);
    }
    buf_format(into, "%zu error%s, %zu warning%s\n", report->errors,
               report->errors == 1 ? "" : "s", report->warnings,
               report->warnings == 1 ? "" : "s");
}

void
config_report_json(const struct config_report *report, struct buf *into)
{
    buf_byte(into, '[');
    for (const struct config_finding *finding = report->first; finding != NULL;
         finding = finding->next) {
        const struct config_mark *mark = &finding->mark;
        buf_text(into, finding == report->first ? "{\"file\":" : ",{\"file\":");
        if (mark->source == NULL) {
            buf_text(into, "null,\"line\":null,\"column\":null");
        } else {
            buf_json(into, mark->source->name);
            buf_format(into, ",\"line\":%u,\"column\":%u", mark->line,
                       mark->column);
        }
        buf_format(into, ",\"severity\":\"%s\",\"message\":",
                   severity_text[finding->severity]);
        buf_json(into, finding->message);
        buf_byte(into, '}');
    }
    buf_byte(into, ']');
}
