/* SPDX-License-Identifier: MIT */
/*
 * filters: which dead letters, events or refusals a command is about, from its
 * options to a query or a body of the agent's API.
 */
#ifndef APP_FILTERS_H
#define APP_FILTERS_H

#include "base/bytes.h"

#include <stdbool.h>

/* As on the command line; NULL asks for nothing. */
struct filters {
    const char *connector;
    const char *handler;
    const char *type;
    const char *via;
    const char *reason;
    const char *cause; /* of a refusal */
    const char *since; /* a time, or an age such as 2h */
    const char *until;
};

/* Whether any is given. */
bool filters_any(const struct filters *filters);

/* Appends them to the query of a path; ages become times. */
void filters_query(const struct filters *filters, struct buf *path);

/* Appends them as members of a JSON object, each behind a comma. */
void filters_members(const struct filters *filters, struct buf *into);

#endif
