/* SPDX-License-Identifier: MIT */
/*
 * placement: where the store, the listeners and the public side are, from the
 * configuration and the environment.
 */
#ifndef APP_PLACEMENT_H
#define APP_PLACEMENT_H

#include "app/configuration.h"

/*
 * Fills store_url, store_path, admin_address, listen_address and public_url of
 * `configuration` from its settings, whose tree is `root`; what cannot be is
 * reported. Only STATUS_NOMEM is returned as an error.
 */
NODISCARD
enum status placement_find(struct configuration *configuration,
                           const struct config_node *root);

#endif
