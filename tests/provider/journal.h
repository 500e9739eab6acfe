/* SPDX-License-Identifier: MIT */
/*
 * journal: the provider's own book, JSON lines, against which a run is judged.
 *
 * One line when a fact has happened, one when the list has shown it, one for
 * every hook of it that was answered 2xx; each begins with what it is about:
 *
 *     {"id":"order:17:2026-…","type":"order.created",
 *      "produced_at":"2026-…","what":"fact","hooked":false,…}
 *
 * and goes on with times, in Unix milliseconds. Those of the `stamp`, of being
 * `visible` and of walks are by the provider's clock, which may be off; all
 * others by the true one.
 */
#ifndef PROVIDER_JOURNAL_H
#define PROVIDER_JOURNAL_H

#include "base/status.h"

#include <stdint.h>

struct fact;
struct journal;
struct orders;

/* `path` may be NULL: then nothing is written. `orders` is borrowed. */
NODISCARD
enum status journal_open(const char *path, const struct orders *orders,
                         struct journal **ret, struct error *err);
void journal_close(struct journal *journal);

/* A hook that was answered 2xx. */
struct journal_hook {
    unsigned attempts;   /* with the one that was answered */
    int64_t sent_ms;     /* the first of them */
    int64_t answered_ms; /* the last */
};

/* A fact that the list has shown for the first time. */
struct journal_shown {
    int64_t shown_ms;       /* when the answer was given */
    int64_t asked_ms;       /* when the next request came: by then whoever reads
                               a list a page at a time has taken this one */
    int64_t missed_ms;      /* Date of the first answer of the last whole walk
                               that was over by then; 0: none was */
    int64_t missed_took_ms; /* its first request lasted no longer */
};

/*
 * Each writes one line; a failure ends the program, for a book with a hole in
 * it would make the verdict a lie.
 */
void journal_fact(struct journal *journal, const struct fact *fact);
void journal_hooked(struct journal *journal, const struct fact *fact,
                    const struct journal_hook *hook);
void journal_listed(struct journal *journal, const struct fact *fact,
                    const struct journal_shown *shown);

#endif
