/* SPDX-License-Identifier: MIT */
/*
 * suggest: what somebody may have meant who wrote a word that is not known.
 */
#ifndef BASE_SUGGEST_H
#define BASE_SUGGEST_H

#include "base/bytes.h"

#include <stddef.h>

/* Returns the candidate nearest to `word` within two edits, or NULL. */
const char *suggest_near(struct slice word, const char *const *candidates,
                         size_t count);

#endif
