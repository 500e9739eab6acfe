/* SPDX-License-Identifier: MIT */
/* The files of the dashboard, by name. */
#include "app/dashboard.h"

const struct dashboard_file *
dashboard_find(struct slice name)
{
    for (size_t i = 0; i < dashboard_file_count; i++) {
        if (slice_equal_text(name, dashboard_files[i].name)) {
            return &dashboard_files[i];
        }
    }
    return NULL;
}

const char *
dashboard_media_type(struct slice name)
{
    static const struct {
        const char *end, *type;
    } rows[] = {
        { ".html", "text/html; charset=utf-8" },
        { ".css", "text/css; charset=utf-8" },
        { ".js", "text/javascript; charset=utf-8" },
        { ".svg", "image/svg+xml" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (slice_ends(name, slice_of(rows[i].end))) {
            return rows[i].type;
        }
    }
    return "application/octet-stream";
}

bool
dashboard_owns(struct slice path)
{
    return slice_equal_text(path, "/") ||
           slice_starts(path, slice_of("/assets/"));
}
