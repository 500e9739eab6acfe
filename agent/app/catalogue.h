/* SPDX-License-Identifier: MIT */
/*
 * catalogue: the connector files that can be used from here, by group, each
 * with its title and the channels it has.
 */
#ifndef APP_CATALOGUE_H
#define APP_CATALOGUE_H

#include "base/bytes.h"
#include "base/status.h"

/* Appends them as text, or as one line of JSON. Files that cannot be read are
 * left out; `use` says what is wrong with them. STATUS_NOMEM, with words. */
NODISCARD
enum status catalogue_print(bool as_json, struct buf *into, struct error *err);

#endif
