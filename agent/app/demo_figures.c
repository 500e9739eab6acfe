/* SPDX-License-Identifier: MIT */
#include "app/demo_figures.h"

#include <stddef.h>

/* The connector of the demo. */
#define SHOP "{connector=\"shop\""

#define LAG          "longstop_visibility_lag_seconds"
#define HAVE(member) offsetof(struct demo_figures, member)
#define MUST(member) offsetof(struct demo_expected, member)

static const struct {
    const char *series;
    size_t have;
    size_t must;
    const char *words; /* "N …" */
} table[] = {
    { "longstop_recovered_total" SHOP "}", HAVE(recovered), MUST(recovered),
      "recovered" },
    { "longstop_late_total" SHOP "}", HAVE(late), MUST(late), "late" },
    { "longstop_confirmed_total" SHOP "}", HAVE(confirmed), MUST(confirmed),
      "confirmed" },
    { "longstop_events_total" SHOP ",via=\"webhook\"}", HAVE(by_webhook),
      MUST(by_webhook), "events first brought by webhook" },
    { "longstop_events_total" SHOP ",via=\"poll\"}", HAVE(by_walk),
      MUST(by_walk), "events first brought by polling" },
    { "longstop_duplicates_total" SHOP ",via=\"webhook\"}", HAVE(duplicates),
      MUST(duplicates), "webhooks of known events" },
    { LAG "_count" SHOP "}", HAVE(measured), MUST(measured),
      "events whose visibility lag is known" },
    /* those without any are taken off below */
    { LAG "_bucket" SHOP ",le=\"0\"}", HAVE(delayed), MUST(delayed),
      "events that the list showed late" },
    { "longstop_bound_broken_total" SHOP "}", HAVE(broken), MUST(broken),
      "events first listed below the complete-until" },
};

#define ROWS (sizeof(table) / sizeof(table[0]))

static int64_t *
figure(struct demo_figures *figures, size_t row)
{
    return (int64_t *)(void *)((char *)figures + table[row].have);
}

/* "name{labels} 12" */
static enum status
read_series(struct slice metrics, const char *series, int64_t *ret)
{
    struct slice line;
    while (metrics.len > 0 && slice_split(&metrics, '\n', &line)) {
        struct slice name;
        if (slice_split(&line, ' ', &name) && slice_equal_text(name, series)) {
            return slice_to_i64(line, ret);
        }
    }
    return STATUS_NOT_FOUND;
}

enum status
demo_figures_read(struct slice metrics, struct demo_figures *ret,
                  struct error *err)
{
    for (size_t i = 0; i < ROWS; i++) {
        enum status status =
            read_series(metrics, table[i].series, figure(ret, i));
        if (status != STATUS_OK) {
            return error_set(err, status, "the agent's metrics: %s: %s",
                             table[i].series, status_text(status));
        }
    }
    ret->delayed = ret->measured - ret->delayed;
    return STATUS_OK;
}

static void
tell(struct buf *words, const char *what, int64_t have,
     const struct demo_range *must)
{
    buf_format(words, "the agent counts %lld %s, but the journal says %lld",
               (long long)have, what, (long long)must->least);
    if (must->most != must->least) {
        buf_format(words, " to %lld", (long long)must->most);
    }
    buf_byte(words, '\n');
}

bool
demo_figures_agree(const struct demo_figures *figures,
                   const struct demo_expected *expected, struct buf *words)
{
    bool agree = true;
    for (size_t i = 0; i < ROWS; i++) {
        int64_t have = *(const int64_t *)(const void *)((const char *)figures +
                                                        table[i].have);
        const struct demo_range *must =
            (const struct demo_range *)(const void *)((const char *)expected +
                                                      table[i].must);
        if (have >= must->least && have <= must->most) {
            continue;
        }
        agree = false;
        if (words != NULL) {
            tell(words, table[i].words, have, must);
        }
    }
    return agree;
}
