/* SPDX-License-Identifier: MIT */
/*
 * store_suite: what store.h and store_view.h say, one test per sentence, for
 * any store.
 */
#ifndef CONFORMANCE_STORE_SUITE_H
#define CONFORMANCE_STORE_SUITE_H

#include "store/store.h"
#include "store/store_view.h"

/* The store under test. */
struct store_suite_host {
    /* Makes the place empty; nothing is open then. */
    void (*wipe)(void);
    enum status (*open)(struct store **ret, struct error *err);
    /* Opens a view of it. */
    enum status (*view)(struct store_view **ret, struct error *err);
    /* Lowers what one row may hold. */
    void (*limit_row)(struct store *store, int bytes);
    /* Several may have it open, and its place is there before it is made. */
    bool is_shared;
};

/* Return the number of tests that failed. */
int store_suite_run(const struct store_suite_host *host);
int lease_suite_run(const struct store_suite_host *host); /* is_shared */
int share_suite_run(const struct store_suite_host *host);
int lane_suite_run(const struct store_suite_host *host);
int gap_suite_run(const struct store_suite_host *host);
int pause_suite_run(const struct store_suite_host *host);
int receiver_suite_run(const struct store_suite_host *host);
int fill_suite_run(const struct store_suite_host *host);
int seed_suite_run(const struct store_suite_host *host);
int relay_suite_run(const struct store_suite_host *host);
int refusal_suite_run(const struct store_suite_host *host);
int again_suite_run(const struct store_suite_host *host);
int view_suite_run(const struct store_suite_host *host);

#endif
