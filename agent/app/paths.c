/* SPDX-License-Identifier: MIT */
#include "app/paths.h"

enum status
paths_join(struct slice directory, struct slice name, struct arena *arena,
           struct slice *ret_path)
{
    struct buf path = { 0 };
    bool plain = directory.len == 0 || slice_equal_text(directory, ".") ||
                 (name.len > 0 && name.ptr[0] == '/');
    if (!plain) {
        buf_append(&path, directory);
        buf_byte(&path, '/');
    }
    buf_append(&path, name);
    enum status status = buf_status(&path);
    if (status == STATUS_OK) {
        status = arena_copy(arena, buf_slice(&path), ret_path);
    }
    buf_fini(&path);
    return status;
}

enum status
paths_directory(struct slice path, struct arena *arena,
                struct slice *ret_directory)
{
    size_t len = path.len;
    while (len > 0 && path.ptr[len - 1] != '/') {
        len--;
    }
    struct slice directory = slice_first(path, len > 1 ? len - 1 : len);
    return arena_copy(arena, len == 0 ? slice_of(".") : directory,
                      ret_directory);
}
