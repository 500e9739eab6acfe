/* SPDX-License-Identifier: MIT */
/*
 * placement: where the store, the listeners and the public side are, from the
 * configuration and the environment.
 */
#ifndef APP_PLACEMENT_H
#define APP_PLACEMENT_H

#include "app/settings.h"
#include "base/bytes.h"
#include "base/mem.h"
#include "base/status.h"
#include "config/config_yaml.h"

struct placement {
    struct slice store_url;   /* absolute or as written, "sqlite:PATH" */
    struct slice store_shown; /* the same without a password */
    struct slice store_path;  /* of an SQLite store; of another, where one would
                                 be: what is kept beside it is there */
    struct slice secrets;     /* the directory of kept secrets, see kept.h */
    struct slice admin_address;  /* as http_server takes it */
    struct slice listen_address; /* likewise; empty without `listen` */
    struct slice public_url; /* listen.public_url without a slash behind it */
};

/*
 * Finds all of it for `settings`, bound from `root`, a file in `directory`;
 * what cannot be is reported. The texts live in `arena` or in the settings.
 */
NODISCARD
enum status placement_find(const struct settings *settings,
                           const struct config_node *root,
                           struct slice directory, struct arena *arena,
                           struct config_report *report, struct placement *ret);

#endif
