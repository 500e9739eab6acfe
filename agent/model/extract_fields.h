/* SPDX-License-Identifier: MIT */
/*
 * extract_fields: which fields of a request are kept with its events: all but
 * the credentials of its sender and what speaks of the connection.
 */
#ifndef MODEL_EXTRACT_FIELDS_H
#define MODEL_EXTRACT_FIELDS_H

#include "model/connector.h"

/* Writes "name: value\n" for each field that is kept into the arena. `rule`
 * proved the request (NULL: nothing did); the field of its token goes. */
NODISCARD
enum status extract_keep_fields(struct http_fields fields,
                                const struct verify_rule *rule,
                                struct arena *arena, struct slice *ret_headers);

#endif
