/* SPDX-License-Identifier: MIT */
/*
 * showing: watches one reader of the list: when it was shown each fact first,
 * and which of its walks had missed that fact before.
 *
 * A walk is a first page and all that follow it. What a page has shown is
 * written into the journal when the next request comes, for only then is it
 * certain that the reader has taken it.
 */
#ifndef PROVIDER_SHOWING_H
#define PROVIDER_SHOWING_H

#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

struct fact;
struct hooks;
struct journal;
struct showing;

NODISCARD
enum status showing_create(struct journal *journal, struct hooks *hooks,
                           int64_t skew_ms, struct showing **ret);
void showing_destroy(struct showing *showing);

/* A request has come. */
void showing_asked(struct showing *showing, int64_t now_ms);

/* Whether one has ever come. */
bool showing_was_asked(const struct showing *showing);

/* Its answer shows this fact for the first time. Hooks that waited for that
 * begin to count their time. */
void showing_fact(struct showing *showing, const struct fact *fact);

/* What is answered: a page that begins a walk, ends one, or neither (a refusal
 * too); `now_ms` as it was when the page was put together. */
struct showing_page {
    bool first;
    bool last;
};

void showing_answered(struct showing *showing, const struct showing_page *page,
                      int64_t now_ms);

#endif
