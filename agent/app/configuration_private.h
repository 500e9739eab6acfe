/* SPDX-License-Identifier: MIT */
/*
 * configuration_private: what configuration (files and keys) asks of
 * configuration_secrets (what they point to).
 */
#ifndef APP_CONFIGURATION_PRIVATE_H
#define APP_CONFIGURATION_PRIVATE_H

#include "app/configuration.h"

/* connector_env's `read_secret` and `read_kept`; `arg` is the configuration. */
bool configuration_read_secret(void *arg, const struct config_secret *secret,
                               struct config_report *report,
                               struct arena *arena, struct slice *ret_text);
bool configuration_read_kept(void *arg, struct slice connector,
                             struct slice name, struct config_report *report,
                             struct arena *arena, struct slice *ret_text);

/* Reads admin.token. */
NODISCARD
enum status configuration_read_token(struct configuration *configuration);

/* Reads the secrets that http handlers sign with, and those of brokers, and
 * notes what each handler is made of. */
NODISCARD
enum status configuration_read_handlers(struct configuration *configuration);

#endif
