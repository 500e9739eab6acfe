/* SPDX-License-Identifier: MIT */
/*
 * naming: introduces the connectors of a configuration to the store.
 */
#ifndef APP_NAMING_H
#define APP_NAMING_H

#include "model/connector.h"
#include "store/store.h"

/* Gives each connector its number, and notes what makes its keys: `rekeyed`
 * says that they were made by other words before. What store.h's `name` and
 * `keyed` return. */
NODISCARD
enum status naming_connectors(struct store *store, struct connector *connectors,
                              size_t count, struct error *err);

#endif
