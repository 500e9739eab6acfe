/* SPDX-License-Identifier: MIT */
#include "sim/fetches.h"

#include "sim/attempts.h"
#include "sim/facts.h"
#include "sim/process.h"

/* What was asked in vain was an attempt each, and what came whole is kept. */
void
fetches_asked(struct fact *fact, bool whole)
{
    unsigned spare = process_life() + attempts_lease_moves();
    unsigned most = 0;
    for (size_t i = 0; i < world.plan.handler_count; i++) {
        most += (unsigned)world.plan.handlers[i].attempts + spare;
    }
    fact->fetched += whole;
    fact->unfetched += !whole;
    fact->failures = fact->life == process_life() ? fact->failures : 0;
    fact->failures += !whole;
    fact->life = process_life();
    if (fact->number == 0) {
        world_fail("fact %zu is fetched and not durable", facts_number(fact));
    } else if (fact->fetched > 1 + spare) {
        world_fail("fact %zu was fetched %u times", facts_number(fact),
                   fact->fetched);
    } else if (fact->unfetched > most) {
        world_fail("fact %zu was asked for %u times in vain, by all handlers' "
                   "%u attempts",
                   facts_number(fact), fact->unfetched, most);
    }
}

/* An answer in vain of this process was an attempt before this one, where no
 * other handler can have made it. */
static bool
is_uncounted(const struct fact *fact, unsigned attempt)
{
    return world.plan.handler_count == 1 && fact->life == process_life() &&
           attempt <= fact->failures;
}

void
fetches_handed(const struct fact *fact, const struct delivery *delivery)
{
    static const struct slice mark = SLICE("\"fetched\"");
    const struct event *event = delivery->event;
    bool is_whole = slice_find_slice(event->body, mark) != SIZE_MAX;
    bool needs = channel_is_hook(event->via) ? world.plan.thin_hooks
                                             : world.plan.thin_rows;
    if (is_whole != needs) {
        world_fail("fact %zu is handed over %s", facts_number(fact),
                   needs ? "without its object" : "with what nobody fetches");
    } else if (is_uncounted(fact, delivery->attempt)) {
        world_fail("fact %zu: attempt %u follows %u fetches that failed",
                   facts_number(fact), delivery->attempt, fact->failures);
    }
}
