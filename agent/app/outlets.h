/* SPDX-License-Identifier: MIT */
/*
 * outlets: the handlers of a configuration, made real: what dispatch needs of
 * each.
 */
#ifndef APP_OUTLETS_H
#define APP_OUTLETS_H

#include "app/configuration.h"
#include "flow/dispatch.h"

struct http_client;
struct loop;
struct process_spawner;

struct outlets {
    struct outlet_settings *at;
    size_t count;
    struct arena arena;
};

/*
 * Makes them all, numbered by the store. With `runnable` false the handlers
 * themselves are left out (NULL): for commands that only let things be owed.
 */
NODISCARD
enum status outlets_create(struct loop *loop, struct http_client *client,
                           struct process_spawner *spawner,
                           const struct configuration *configuration,
                           struct store *store, bool runnable,
                           struct outlets *ret, struct error *err);

/* No attempt may be running. */
void outlets_fini(struct outlets *outlets);

#endif
