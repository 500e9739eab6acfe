/* SPDX-License-Identifier: MIT */
/*
 * journal: the provider's own book, JSON lines, against which a run is judged.
 *
 * One line when a fact has happened, one for every hook of it that was
 * answered 2xx:
 *
 *     {"id":"order:17:2026-…","type":"order.created",
 *      "produced_at":"2026-…","hooked":false}
 *     {"id":"order:17:2026-…","type":"order.created",
 *      "produced_at":"2026-…","hooked":true}
 */
#ifndef PROVIDER_JOURNAL_H
#define PROVIDER_JOURNAL_H

#include "base/status.h"

#include <stdbool.h>

struct fact;
struct journal;
struct orders;

/* `path` may be NULL: then nothing is written. */
NODISCARD
enum status journal_open(const char *path, struct journal **ret,
                         struct error *err);
void journal_close(struct journal *journal);

/* Writes one line; a failure ends the program, for a book with a hole in it
 * would make the verdict a lie. */
void journal_write(struct journal *journal, const struct orders *orders,
                   const struct fact *fact, bool hooked);

#endif
