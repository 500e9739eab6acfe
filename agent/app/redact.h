/* SPDX-License-Identifier: MIT */
/*
 * redact: a configuration, and texts about it, as they may be given to others.
 *
 * Of the configuration only what is known to be harmless is shown: figures,
 * and the texts of keys that name no secret. All texts are searched for every
 * secret that is known besides.
 */
#ifndef APP_REDACT_H
#define APP_REDACT_H

#include "app/configuration.h"

/* Appends the configuration as YAML, with "***" for what is not shown, and
 * without its comments. */
void redact_configuration(const struct configuration *configuration,
                          struct buf *into);

/* Appends `text` with "***" for each secret of the configuration that stands in
 * it: of connectors and handlers, what programs have in their environment, and
 * the token of the admin endpoint. STATUS_NOMEM: what was appended must not be
 * shown. */
NODISCARD
enum status redact_text(const struct configuration *configuration,
                        struct slice text, struct buf *into);

#endif
