/* SPDX-License-Identifier: MIT */
/*
 * outlets: the handlers of a configuration, made real: what dispatch needs of
 * each.
 */
#ifndef APP_OUTLETS_H
#define APP_OUTLETS_H

#include "app/configuration.h"
#include "app/naming.h"
#include "flow/dispatch.h"

struct loop;
struct process_spawner;

struct outlets {
    struct outlet_settings *at;
    size_t count;
    struct arena arena;
};

/* What handlers are made of; all borrowed as long as they live. */
struct outlets_parts {
    struct loop *loop;
    const char *user_agent; /* of requests over HTTP */
    struct process_spawner *spawner;
};

/*
 * Makes them all, with the numbers that were read, but those that are `kept`,
 * one flag each: their places stay zeroed. NULL: none is. Without `parts` the
 * handlers themselves are left out (NULL): for commands that only let things be
 * owed.
 */
NODISCARD
enum status outlets_create(const struct outlets_parts *parts,
                           const struct naming *naming, const bool *kept,
                           struct outlets *ret, struct error *err);

/* The longest that may come before a handler: what some events lack is fetched
 * first. */
int64_t outlets_fetch_ms(const struct configuration *configuration);

/* No attempt may be running. */
void outlets_fini(struct outlets *outlets);

#endif
