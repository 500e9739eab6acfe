/* SPDX-License-Identifier: MIT */
/*
 * naming: what a store knows of the names of a configuration: their numbers,
 * and whether they are paused. Blocks: before the store is its worker's, or on
 * its thread.
 */
#ifndef APP_NAMING_H
#define APP_NAMING_H

#include "app/configuration.h"
#include "store/store.h"

/* The connectors of a configuration, then its handlers. */
struct naming {
    struct configuration *configuration;
    struct store_pause *stored; /* with their reasons */
    struct buf *reasons;
    size_t count;
};

/* Makes room for all of them; borrows the configuration. */
NODISCARD
enum status naming_create(struct configuration *configuration,
                          struct naming *ret);
void naming_fini(struct naming *naming); /* zeroed is allowed */

/* Numbers all of them, and reads which are paused. A name that is new is known
 * from here on, which changes nothing else. */
NODISCARD
enum status naming_read(struct store *store, struct naming *naming,
                        struct error *err);

/* Notes what is so from here on: what makes each connector's keys, and whether
 * dead letters of a handler hold their lanes. */
NODISCARD
enum status naming_settle(struct store *store, struct naming *naming,
                          struct error *err);

/* The number of handler `index`, and the name of what `stored[index]` is of. */
uint32_t naming_handler(const struct naming *naming, size_t index);
struct slice naming_name(const struct naming *naming, size_t index);

#endif
