/* SPDX-License-Identifier: MIT */
/*
 * poll_look: asks the sink which rows of a page are known: for the walk, which
 * tells by them whether its list has dropped rows, and before details are
 * asked.
 */
#include <string.h>

#include "source/source_poll_private.h"

static void
rows_looked_up(void *arg, enum status status, const bool *known)
{
    struct source_poll *poll = arg;
    if (poll->stopped != NULL && !poll->finishing) {
        poll_page_drop(poll);
        source_poll_tell_stopped(poll);
        return;
    }
    if (poll_hold_lost(poll, false) || poll_backfill_cancelled(poll)) {
        return;
    }
    if (status != STATUS_OK) {
        source_poll_fail(poll, status, NULL);
        return;
    }
    memcpy(poll->known, known,
           poll->page.page.row_count * sizeof(*poll->known));
    poll->looked(poll);
}

void
poll_look(struct source_poll *poll, void (*then)(struct source_poll *poll))
{
    struct poll_page *page = &poll->page;
    struct error err = { 0 };
    poll->known = arena_array(&page->arrival->arena, page->page.row_count,
                              sizeof(*poll->known));
    poll->looked = then;
    enum status status =
        poll->known == NULL ? STATUS_NOMEM : poll_page_sightings(poll, &err);
    if (status != STATUS_OK) {
        source_poll_fail(poll, status, &err);
        return;
    }
    poll->phase = PHASE_LOOKING;
    poll->sink->known(poll->sink->self, page->arrival->sightings,
                      page->page.row_count, rows_looked_up, poll);
}
