/* SPDX-License-Identifier: MIT */
#include "showing.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/instant.h"
#include "base/mem.h"
#include "hooks.h"
#include "journal.h"
#include "orders.h"

/* One whole walk, by the provider's clock. */
struct walk {
    int64_t date_ms; /* as its first answer's Date says: whole seconds */
    int64_t took_ms; /* its first request lasted no longer */
};

struct showing {
    struct journal *journal;
    struct hooks *hooks;
    int64_t skew_ms;
    bool was_asked;
    struct fact *pending; /* shown by the last answer */
    size_t count;
    size_t room;
    int64_t shown_ms;
    int64_t answered_ms; /* the last answer, whatever it was */
    struct walk open;
    struct walk whole;  /* the last */
    struct walk missed; /* the last when `pending` was shown */
};

enum status
showing_create(struct journal *journal, struct hooks *hooks, int64_t skew_ms,
               struct showing **ret)
{
    struct showing *showing = mem_zero(sizeof(*showing));
    if (showing == NULL) {
        return STATUS_NOMEM;
    }
    showing->journal = journal;
    showing->hooks = hooks;
    showing->skew_ms = skew_ms;
    *ret = showing;
    return STATUS_OK;
}

void
showing_destroy(struct showing *showing)
{
    if (showing != NULL) {
        mem_free(showing->pending);
        mem_free(showing);
    }
}

void
showing_asked(struct showing *showing, int64_t now_ms)
{
    const struct journal_shown line = {
        .shown_ms = showing->shown_ms,
        .asked_ms = now_ms,
        .missed_ms = showing->missed.date_ms,
        .missed_took_ms = showing->missed.took_ms,
    };
    for (size_t i = 0; i < showing->count; i++) {
        journal_listed(showing->journal, &showing->pending[i], &line);
    }
    showing->count = 0;
    showing->was_asked = true;
}

bool
showing_was_asked(const struct showing *showing)
{
    return showing->was_asked;
}

void
showing_fact(struct showing *showing, const struct fact *fact)
{
    if (showing->count == showing->room) {
        size_t room = showing->room == 0 ? 256 : showing->room * 2;
        struct fact *pending =
            mem_resize(showing->pending, room, sizeof(*pending));
        if (pending == NULL) {
            (void)fprintf(stderr, "longstop-provider: out of memory\n");
            exit(EXIT_FAILURE);
        }
        showing->pending = pending;
        showing->room = room;
    }
    showing->pending[showing->count++] = *fact;
    hooks_listed(showing->hooks, fact);
}

void
showing_answered(struct showing *showing, const struct showing_page *page,
                 int64_t now_ms)
{
    int64_t theirs_ms = now_ms + showing->skew_ms;
    showing->missed = showing->whole;
    if (page->first) {
        /* whoever reads a page at a time had our last answer before it asked */
        showing->open = (struct walk){
            .date_ms = theirs_ms - theirs_ms % INSTANT_SECOND_MS,
            .took_ms = now_ms - showing->answered_ms,
        };
    }
    if (page->last) {
        showing->whole = showing->open;
    }
    showing->shown_ms = now_ms;
    showing->answered_ms = now_ms;
}
