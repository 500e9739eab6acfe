/* SPDX-License-Identifier: MIT */
#include "app/poll_report.h"

#include <inttypes.h>

#include "base/instant.h"
#include "wire/json.h"

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
    buf_byte(into, '}');
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

/* Returns the text of a member of our own report, "" where it is null. */
static struct slice
member(struct slice object, const char *name, struct arena *arena)
{
    struct slice value, text = SLICE("");
    if (!json_member(object, slice_of(name), &value) ||
        json_type(value) == JSON_NULL ||
        json_text(value, arena, &text) != STATUS_OK) {
        return (struct slice)SLICE("");
    }
    return text;
}

static void
request_text(struct slice request, struct arena *arena, struct buf *into)
{
    struct slice status = member(request, "status", arena);
    struct slice error = member(request, "error", arena);
    struct slice wait = member(request, "wait_ms", arena);
    struct slice rows = member(request, "rows", arena);
    buf_format(into, "%.*s %.*s\n  ",
               SLICE_ARG(member(request, "method", arena)),
               SLICE_ARG(member(request, "url", arena)));
    if (slice_equal_text(status, "0")) {
        buf_text(into, "no answer");
    } else {
        buf_format(into,
                   "HTTP %.*s in %.*s ms, %.*s row%s: %.*s new, %.*s "
                   "known",
                   SLICE_ARG(status),
                   SLICE_ARG(member(request, "duration_ms", arena)),
                   SLICE_ARG(rows), slice_equal_text(rows, "1") ? "" : "s",
                   SLICE_ARG(member(request, "new", arena)),
                   SLICE_ARG(member(request, "known", arena)));
    }
    if (!slice_equal_text(wait, "0")) {
        buf_format(into, "; asked to wait %.*s ms", SLICE_ARG(wait));
    }
    if (error.len > 0) {
        buf_format(into, ": %.*s", SLICE_ARG(error));
    }
    buf_byte(into, '\n');
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
    struct slice error = member(json, "error", &arena);
    struct slice until = member(json, "complete_until", &arena);
    buf_format(into, "%.*s: %.*s, %.*s new, %.*s known",
               SLICE_ARG(member(json, "connector", &arena)),
               SLICE_ARG(member(json, "outcome", &arena)),
               SLICE_ARG(member(json, "new", &arena)),
               SLICE_ARG(member(json, "known", &arena)));
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
