/* SPDX-License-Identifier: MIT */
#include "io/zoneinfo.h"

#include <stdio.h>

#include "io/fs.h"

#define DIRECTORY      "/usr/share/zoneinfo"
#define FILE_BYTES_MAX ((size_t)256 * 1024)
#define NAME_BYTES_MAX 64

/* Whether it stays in the directory. */
static bool
is_name(struct slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        const char byte = name.ptr[i];
        const bool letter =
            (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z');
        if (!letter && !(byte >= '0' && byte <= '9') &&
            slice_find(slice_of("_+-/"), byte) == SIZE_MAX) {
            return false;
        }
    }
    return name.len > 0 && name.len <= NAME_BYTES_MAX && name.ptr[0] != '/';
}

enum status
zoneinfo_read(struct slice name, struct buf *into, struct error *err)
{
    char path[sizeof(DIRECTORY) + NAME_BYTES_MAX + 2];
    if (!is_name(name)) {
        return STATUS_NOT_FOUND;
    }
    (void)snprintf(path, sizeof(path), DIRECTORY "/%.*s", SLICE_ARG(name));
    return fs_read(path, FILE_BYTES_MAX, into, err);
}
