/* SPDX-License-Identifier: MIT */
/*
 * hooks: the provider's webhooks: signed, lost, late, doubled, out of order;
 * sent again when nobody took them, but not for ever.
 */
#ifndef SIM_HOOKS_H
#define SIM_HOOKS_H

#include <stdbool.h>

/* Plans a webhook, or two, or none for each fact. */
void hooks_make(void);
void hooks_free(void);

/* Whether any is still to be sent or answered. */
bool hooks_open(void);

#endif
