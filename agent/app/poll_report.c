/* SPDX-License-Identifier: MIT */
#include "app/poll_report.h"

#include <inttypes.h>

#include "app/told.h"
#include "base/instant.h"
#include "wire/json.h"

/* Lines to elements. */
static void
add_lines(struct slice lines, struct buf *into)
{
    for (bool first = true; lines.len > 0; first = false) {
        const size_t end = slice_find(lines, '\n');
        const size_t len = end == SIZE_MAX ? lines.len : end;
        buf_text(into, first ? "" : ",");
        buf_json(into, slice_first(lines, len));
        lines = slice_from(lines, end == SIZE_MAX ? len : len + 1);
    }
}

void
poll_report_asked(struct poll_report *report, const struct poll_asked *asked)
{
    struct buf *into = &report->requests;
    buf_text(into, into->len == 0 ? "{\"method\":" : ",{\"method\":");
    buf_json(into, asked->method);
    buf_text(into, ",\"url\":");
    buf_json(into, asked->url);
    buf_format(into,
               ",\"status\":%u,\"rows\":%zu,\"new\":%zu,\"known\":%zu,"
               "\"duration_ms\":%" PRId64 ",\"wait_ms\":%" PRId64 ",\"error\":",
               asked->status, asked->rows, asked->fresh, asked->known,
               asked->duration_ms, asked->wait_ms);
    if (asked->why.len > 0) {
        buf_json(into, asked->why);
    } else {
        buf_text(into, "null");
    }
    buf_text(into, ",\"missing\":[");
    add_lines(asked->missing, into);
    buf_text(into, "]}");
}

static void
time_or_null(struct buf *into, int64_t at_ms)
{
    char text[INSTANT_TEXT_BYTES];
    if (at_ms > 0) {
        buf_format(into, "\"%s\"", instant_text(at_ms, text));
    } else {
        buf_text(into, "null");
    }
}

static void
gap_or_null(struct buf *into, const struct poll_ended *ended)
{
    if (!ended->has_gap) {
        buf_text(into, "null");
        return;
    }
    buf_format(into,
               "{\"kind\":\"%s\",\"from\":", gap_kind_name(ended->gap.kind));
    time_or_null(into, ended->gap.from_ms);
    buf_text(into, ",\"to\":");
    time_or_null(into, ended->gap.to_ms);
    buf_byte(into, '}');
}

void
poll_report_json(const struct poll_report *report,
                 const struct poll_ended *ended, struct buf *into)
{
    buf_text(into, "{\"connector\":");
    buf_json(into, ended->connector->name);
    buf_format(into, ",\"outcome\":\"%s\",\"error\":",
               poll_outcome_name(ended->outcome));
    if (ended->why.len > 0) {
        buf_json(into, ended->why);
    } else {
        buf_text(into, "null");
    }
    buf_format(into,
               ",\"pages\":%" PRId64
               ",\"rows\":%zu,\"new\":%zu,\"known\":%zu,\"complete_until\":",
               ended->pages, ended->rows, ended->fresh, ended->known);
    time_or_null(into, ended->complete_until_ms);
    buf_text(into, ",\"next\":");
    time_or_null(into, ended->next_ms);
    buf_text(into, ",\"gap\":");
    gap_or_null(into, ended);
    buf_text(into, ",\"requests\":[");
    buf_append(into, buf_slice(&report->requests));
    buf_text(into, "]}\n");
    if (buf_status(&report->requests) != STATUS_OK) {
        into->failure = buf_status(&report->requests);
    }
}

static void
missing_text(struct slice request, struct arena *arena, struct buf *into)
{
    struct slice list;
    struct slice line;
    size_t at = 0;
    if (!json_member(request, slice_of("missing"), &list)) {
        return;
    }
    while (json_next_element(list, &at, &line)) {
        struct slice text;
        if (json_text(line, arena, &text) == STATUS_OK) {
            buf_text(into, "  ");
            told_plain(text, into);
            buf_byte(into, '\n');
        }
    }
}

static void
request_text(struct slice request, struct arena *arena, struct buf *into)
{
    struct slice status = told_text(request, "status", arena);
    struct slice error = told_text(request, "error", arena);
    struct slice wait = told_text(request, "wait_ms", arena);
    struct slice rows = told_text(request, "rows", arena);
    buf_format(into, "%.*s %.*s\n  ",
               SLICE_ARG(told_text(request, "method", arena)),
               SLICE_ARG(told_text(request, "url", arena)));
    if (slice_equal_text(status, "0")) {
        buf_text(into, "no answer");
    } else {
        buf_format(into,
                   "HTTP %.*s in %.*s ms, %.*s row%s: %.*s new, %.*s "
                   "known",
                   SLICE_ARG(status),
                   SLICE_ARG(told_text(request, "duration_ms", arena)),
                   SLICE_ARG(rows), slice_equal_text(rows, "1") ? "" : "s",
                   SLICE_ARG(told_text(request, "new", arena)),
                   SLICE_ARG(told_text(request, "known", arena)));
    }
    const int64_t older = told_number(request, "rows") -
                          told_number(request, "new") -
                          told_number(request, "known");
    if (older > 0 && error.len == 0) { /* see walk_below */
        buf_format(into, ", %" PRId64 " from before the start", older);
    }
    if (!slice_equal_text(wait, "0")) {
        buf_format(into, "; asked to wait %.*s ms", SLICE_ARG(wait));
    }
    if (error.len > 0) {
        buf_format(into, ": %.*s", SLICE_ARG(error));
    }
    buf_byte(into, '\n');
    missing_text(request, arena, into);
}

enum status
poll_report_text(struct slice json, struct buf *into)
{
    struct arena arena = { 0 };
    struct slice requests, request;
    enum status status = json_check(json, JSON_DEPTH_DEFAULT, NULL);
    if (status != STATUS_OK) {
        return status;
    }
    if (json_member(json, slice_of("requests"), &requests)) {
        size_t at = 0;
        while (json_next_element(requests, &at, &request)) {
            request_text(request, &arena, into);
        }
    }
    struct slice error = told_text(json, "error", &arena);
    struct slice until = told_text(json, "complete_until", &arena);
    buf_format(into, "%.*s: %.*s, %.*s new, %.*s known",
               SLICE_ARG(told_text(json, "connector", &arena)),
               SLICE_ARG(told_text(json, "outcome", &arena)),
               SLICE_ARG(told_text(json, "new", &arena)),
               SLICE_ARG(told_text(json, "known", &arena)));
    if (error.len > 0) {
        buf_format(into, ": %.*s", SLICE_ARG(error));
    }
    if (until.len > 0) {
        buf_format(into, "; complete until %.*s", SLICE_ARG(until));
    }
    buf_byte(into, '\n');
    arena_fini(&arena);
    return buf_status(into);
}

void
poll_report_fini(struct poll_report *report)
{
    buf_fini(&report->requests);
}
