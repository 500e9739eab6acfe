/* SPDX-License-Identifier: MIT */
/*
 * store_suite: what store.h says, one test per sentence, for any store.
 */
#ifndef CONFORMANCE_STORE_SUITE_H
#define CONFORMANCE_STORE_SUITE_H

#include "store/store.h"

/* The store under test. */
struct store_suite_host {
    /* Makes the place empty; nothing is open then. */
    void (*wipe)(void);
    enum status (*open)(struct store **ret, struct error *err);
    /* Lowers what one row may hold. */
    void (*limit_row)(struct store *store, int bytes);
};

/* Return the number of tests that failed. */
int store_suite_run(const struct store_suite_host *host);
int gap_suite_run(const struct store_suite_host *host);

#endif
