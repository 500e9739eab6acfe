/* SPDX-License-Identifier: MIT */
#include "sim/books.h"

#include <inttypes.h>
#include <string.h>

#include "flow/telemetry.h"
#include "model/sighting.h"
#include "sim/facts.h"
#include "sim/process.h"
#include "store/store.h"

static struct {
    struct fact *events[FACTS_MAX]; /* by number */
    size_t event_count;
    /* What live walks brought, in that order: those before `since` do not
     * count, those before `mark` have been counted. */
    struct fact *live[FACTS_MAX];
    size_t live_count;
    bool counts;
    size_t since;
    size_t mark;
    int64_t accepted_ms; /* of the latest event; never goes back */
    int64_t recovered;
    int64_t late;
    int64_t confirmed;
    /* Of this process. */
    uint64_t fresh[CHANNEL_COUNT];
    uint64_t again[CHANNEL_COUNT];
} books;

void
books_begin(void)
{
    memset(&books, 0, sizeof(books));
}

void
books_life(void)
{
    memset(books.fresh, 0, sizeof(books.fresh));
    memset(books.again, 0, sizeof(books.again));
}

static void
note_channel(struct fact *fact, enum channel via)
{
    fact->walked = fact->walked || channel_is_walk(via);
    fact->hooked = fact->hooked || via == CHANNEL_WEBHOOK;
}

void
books_fresh(struct fact *fact, enum channel via, int64_t at_ms)
{
    if (at_ms > books.accepted_ms) {
        books.accepted_ms = at_ms;
    }
    fact->via = via;
    fact->accepted_ms = books.accepted_ms;
    books.events[books.event_count++] = fact;
    if (via == CHANNEL_POLL) {
        fact->turn = books.live_count;
        books.live[books.live_count++] = fact;
    }
    note_channel(fact, via);
}

static bool
is_in_time(const struct fact *fact, int64_t at_ms)
{
    return at_ms - fact->accepted_ms <= world.plan.grace_ms;
}

/* The first webhook of what a walk brought. */
static void
hook_comes(const struct fact *fact, int64_t at_ms)
{
    if (!books.counts || fact->via != CHANNEL_POLL) {
        books.confirmed += is_in_time(fact, at_ms);
    } else if (fact->turn >= books.mark) {
        books.confirmed++;
    } else if (fact->turn >= books.since) {
        TRACE("fact %zu is late", facts_number(fact));
        books.late++;
    }
}

void
books_again(struct fact *fact, enum channel via, int64_t at_ms)
{
    if (via == CHANNEL_WEBHOOK && !fact->hooked) {
        hook_comes(fact, at_ms);
    } else if (channel_is_walk(via) && !fact->walked) {
        books.confirmed += is_in_time(fact, at_ms);
    }
    note_channel(fact, via);
}

void
books_told(const struct sighting *sighting)
{
    (sighting->fresh ? books.fresh : books.again)[sighting->via]++;
}

static void
pass_next(void)
{
    const struct fact *fact = books.live[books.mark++];
    if (!fact->hooked) {
        TRACE("fact %zu is recovered", facts_number(fact));
        books.recovered++;
    }
}

static void
compare(const char *who, const struct books_page *page)
{
    const struct {
        const char *name;
        int64_t theirs;
        int64_t ours;
    } rows[] = {
        { "recovered", page->recovered, books.recovered },
        { "late", page->late, books.late },
        { "confirmed", page->confirmed, books.confirmed },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].theirs != rows[i].ours) {
            world_fail("accounting: %s says %" PRId64
                       " %s, and there are %" PRId64,
                       who, rows[i].theirs, rows[i].name, rows[i].ours);
        }
    }
}

void
books_account(const struct store_account *account)
{
    const struct books_page page = { .recovered = account->recovered,
                                     .late = account->late,
                                     .confirmed = account->confirmed };
    if (account->counts && !books.counts) {
        books.counts = true;
        books.since = books.live_count;
        books.mark = books.live_count;
    }
    for (size_t i = 0;
         books.counts && i < account->limit && books.mark < books.live_count &&
         books.live[books.mark]->accepted_ms <=
             account->now_ms - account->grace_ms;
         i++) {
        pass_next();
    }
    compare("the store", &page);
}

/* The last count may have become durable and nobody was told. */
void
books_reload(const struct books_page *page)
{
    if (page->counts && !books.counts) {
        books.counts = true;
        books.since = books.live_count;
        books.mark = books.live_count;
    }
    while (books.mark < books.live_count &&
           books.live[books.mark]->number <= page->mark) {
        pass_next();
    }
    compare("the disk", page);
}

struct fact *
books_fact(uint64_t number)
{
    size_t low = 0;
    for (size_t high = books.event_count; low < high;) {
        size_t middle = low + (high - low) / 2;
        if (books.events[middle]->number < number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < books.event_count && books.events[low]->number == number
               ? books.events[low]
               : NULL;
}

size_t
books_events(void)
{
    return books.event_count;
}

/* What was accepted before our clock went back waits for it to come again. */
bool
books_open(void)
{
    return books.counts && books.mark < books.live_count &&
           !world.clock_went_back;
}

/* Of all types. */
static double
told_again(const struct telemetry_connector *counts, enum channel via)
{
    size_t count;
    const struct duplicates_type *types =
        duplicates_types(counts->by_type, &count);
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += (double)types[i].by[via];
    }
    return sum;
}

static void
compare_channel(const struct telemetry_connector *counts, enum channel via)
{
    double fresh = metric_value(counts->events[via]);
    double again = metric_value(counts->duplicates[via]);
    if (fresh != (double)books.fresh[via] ||
        again != (double)books.again[via] || again != told_again(counts, via)) {
        world_fail("accounting: the metrics say that %s brought %.0f and %.0f "
                   "again, and it was %" PRIu64 " and %" PRIu64,
                   channel_name(via), fresh, again, books.fresh[via],
                   books.again[via]);
    }
}

void
books_end(void)
{
    const struct telemetry_connector counts = process_counts();
    compare_channel(&counts, CHANNEL_POLL);
    compare_channel(&counts, CHANNEL_BACKFILL);
    if (!world.plan.hooked) {
        return;
    }
    const struct books_page page = {
        .recovered = (int64_t)metric_value(counts.recovered),
        .late = (int64_t)metric_value(counts.late),
        .confirmed = (int64_t)metric_value(counts.confirmed),
    };
    compare_channel(&counts, CHANNEL_WEBHOOK);
    compare("the metric", &page);
}
