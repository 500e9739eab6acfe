/* SPDX-License-Identifier: MIT */
/*
 * demo_figures: what the agent says of its connector, read from its metrics,
 * and where that is not what it must be.
 */
#ifndef APP_DEMO_FIGURES_H
#define APP_DEMO_FIGURES_H

#include "app/demo_account.h"
#include "base/bytes.h"

/* The members are those of struct demo_expected. */
struct demo_figures {
    int64_t recovered;
    int64_t late;
    int64_t confirmed;
    int64_t by_webhook;
    int64_t by_walk;
    int64_t duplicates;
    int64_t measured;
    int64_t delayed;
    int64_t broken;
};

/* Reads the text of `/metrics`. STATUS_NOT_FOUND when it lacks one of them. */
NODISCARD
enum status demo_figures_read(struct slice metrics, struct demo_figures *ret,
                              struct error *err);

/* Whether all is as expected; else appends a line to `words`, which may be
 * NULL, for each figure that is not. */
bool demo_figures_agree(const struct demo_figures *figures,
                        const struct demo_expected *expected,
                        struct buf *words);

#endif
