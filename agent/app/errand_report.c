/* SPDX-License-Identifier: MIT */
#include "app/errand_report.h"

#include "app/told.h"
#include "wire/json.h"

#define BAR_CELLS   20
#define BAR_COLUMNS 78

static bool
is_in(struct slice errand, const char *state)
{
    struct slice value;
    return json_member(errand, slice_of("state"), &value) &&
           json_means(value, slice_of(state));
}

bool
errand_report_is_running(struct slice errand)
{
    return is_in(errand, "running");
}

bool
errand_report_is_done(struct slice errand)
{
    return is_in(errand, "done");
}

static int64_t
percent_of(struct slice errand)
{
    int64_t percent = told_number(errand, "percent");
    return percent < 0 ? 0 : percent > 100 ? 100 : percent;
}

/* "retried", for a number of them. */
static void
add_figures(struct slice errand, struct buf *into)
{
    static const struct {
        const char *kind, *done;
    } words[] = { { "retry", "owed again" },
                  { "replay", "owed once more" },
                  { "drop", "dropped" } };
    struct slice kind;
    const char *done = "done";
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (json_member(errand, slice_of("kind"), &kind) &&
            json_means(kind, slice_of(words[i].kind))) {
            done = words[i].done;
        }
    }
    buf_format(into, "%lld %s, %lld skipped",
               (long long)told_number(errand, "done"), done,
               (long long)told_number(errand, "skipped"));
}

void
errand_report_line(struct slice errand, struct buf *into)
{
    struct arena arena = { 0 };
    buf_text(into, "errand ");
    told_plain(told_text(errand, "errand", &arena), into);
    buf_byte(into, ' ');
    told_plain(told_text(errand, "kind", &arena), into);
    buf_byte(into, ' ');
    told_plain(told_text(errand, "state", &arena), into);
    if (!errand_report_is_done(errand)) {
        buf_format(into, ", %lld %%", (long long)percent_of(errand));
    }
    buf_text(into, ": ");
    add_figures(errand, into);
    if (told_number(errand, "open") > 0) {
        buf_format(into, ", %lld not over yet",
                   (long long)told_number(errand, "open"));
    }
    arena_fini(&arena);
}

void
errand_report_bar(struct slice errand, struct buf *into)
{
    int64_t percent = percent_of(errand);
    size_t began = into->len;
    buf_byte(into, '[');
    for (int64_t i = 0; i < BAR_CELLS; i++) {
        buf_byte(into, i * 100 < percent * BAR_CELLS ? '#' : '-');
    }
    buf_format(into, "] %3lld %%  ", (long long)percent);
    add_figures(errand, into);
    while (buf_status(into) == STATUS_OK && into->len - began < BAR_COLUMNS) {
        buf_byte(into, ' ');
    }
}

void
errand_report_matches(bool events, int64_t matches, struct buf *into)
{
    const char *what = events ? "event" : "dead letter";
    if (matches == 0) {
        buf_format(into, "no %s meets this", what);
    } else {
        buf_format(into, "%lld %s%s", (long long)matches, what,
                   matches == 1 ? " meets this" : "s meet this");
    }
}
