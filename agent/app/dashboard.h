/* SPDX-License-Identifier: MIT */
/*
 * dashboard: the page of the admin listener and its parts, as the build has
 * packed them (agent/dashboard, cmake/embed_dashboard.cmake).
 *
 * A page needs no token, for it shows nothing by itself: what it shows it asks
 * the API for.
 */
#ifndef APP_DASHBOARD_H
#define APP_DASHBOARD_H

#include "base/bytes.h"

#include <stdbool.h>
#include <stddef.h>

struct dashboard_file {
    const char *name;
    const unsigned char *packed; /* gzip */
    size_t packed_bytes;
};

/* Generated. The files, of which `index.html` names the others below
 * `/assets/`, the build and their name; the build is a hash of all of them. */
extern const struct dashboard_file dashboard_files[];
extern const size_t dashboard_file_count;
extern const char dashboard_build[];

/* Returns a file by its name, or NULL. */
const struct dashboard_file *dashboard_find(struct slice name);

/* Returns the media type of a file's name. */
const char *dashboard_media_type(struct slice name);

/* Whether a path is one of the dashboard's. */
bool dashboard_owns(struct slice path);

#endif
