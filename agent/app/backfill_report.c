/* SPDX-License-Identifier: MIT */
#include "app/backfill_report.h"

#include "wire/json.h"

#define BAR_CELLS   20
#define BAR_COLUMNS 78

enum status
backfill_report_read(struct slice json, struct arena *arena,
                     struct backfill_report *ret)
{
    const struct {
        const char *name;
        struct slice *place;
    } texts[] = {
        { "connector", &ret->connector },
        { "state", &ret->state },
        { "started", &ret->started },
        { "since", &ret->since },
        { "from", &ret->from },
        { "until", &ret->until },
        { "at", &ret->at },
        { "percent", &ret->percent },
        { "pages", &ret->pages },
        { "rows", &ret->rows },
        { "new", &ret->fresh },
        { "known", &ret->known },
        { "why", &ret->why },
    };
    *ret = (struct backfill_report){ 0 };
    if (json_check(json, JSON_DEPTH_DEFAULT, NULL) != STATUS_OK) {
        return STATUS_PROTOCOL;
    }
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct slice value;
        if (!json_member(json, slice_of(texts[i].name), &value)) {
            return STATUS_PROTOCOL;
        }
        enum status status = json_type(value) == JSON_NULL
                                 ? STATUS_OK
                                 : json_text(value, arena, texts[i].place);
        if (status != STATUS_OK) {
            return status;
        }
    }
    ret->is_done = slice_equal_text(ret->state, "done");
    ret->is_over = !slice_equal_text(ret->state, "running");
    return STATUS_OK;
}

void
backfill_report_line(const struct backfill_report *report, struct buf *into)
{
    buf_format(into, "%.*s: backfill %.*s", SLICE_ARG(report->connector),
               SLICE_ARG(report->state));
    if (report->why.len > 0 && !slice_equal(report->why, report->state)) {
        buf_format(into, " (%.*s)", SLICE_ARG(report->why));
    }
    if (!report->is_done) {
        buf_format(into, ", %.*s %% of", SLICE_ARG(report->percent));
    }
    buf_format(into, " %.*s to %.*s: %.*s rows, %.*s new, %.*s known",
               SLICE_ARG(report->from), SLICE_ARG(report->until),
               SLICE_ARG(report->rows), SLICE_ARG(report->fresh),
               SLICE_ARG(report->known));
    if (!slice_equal(report->from, report->since)) {
        buf_format(into, "; the provider keeps nothing from before %.*s",
                   SLICE_ARG(report->from));
    }
}

void
backfill_report_bar(const struct backfill_report *report, struct buf *into)
{
    uint64_t percent = 0;
    size_t dot = slice_find(report->percent, '.');
    struct slice whole =
        slice_first(report->percent, dot == SIZE_MAX ? 0 : dot);
    if (slice_to_u64(whole, &percent) != STATUS_OK || percent > 100) {
        percent = 0;
    }
    size_t began = into->len;
    buf_byte(into, '[');
    for (uint64_t i = 0; i < BAR_CELLS; i++) {
        buf_byte(into, i * 100 < percent * BAR_CELLS ? '#' : '-');
    }
    buf_format(into, "] %.*s %%  %.*s  %.*s new, %.*s known",
               SLICE_ARG(report->percent),
               SLICE_ARG(slice_first(report->at, 19)), SLICE_ARG(report->fresh),
               SLICE_ARG(report->known));
    while (buf_status(into) == STATUS_OK && into->len - began < BAR_COLUMNS) {
        buf_byte(into, ' ');
    }
}
