/* SPDX-License-Identifier: MIT */
#include "io/scratch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/fs.h"

enum status
scratch_make(const char *name, struct buf *ret_path, struct error *err)
{
    const char *base = getenv("TMPDIR");
    buf_clear(ret_path);
    buf_format(ret_path, "%s/%s-XXXXXX",
               base != NULL && base[0] == '/' ? base : "/tmp", name);
    enum status status = buf_status(ret_path);
    if (status != STATUS_OK) {
        return error_set(err, status, "out of memory");
    }
    if (mkdtemp(ret_path->ptr) == NULL) {
        status = error_set(err, STATUS_IO,
                           "%s: %s; set TMPDIR to a directory that can be "
                           "written",
                           ret_path->ptr, strerror(errno));
        buf_fini(ret_path);
    }
    return status;
}

void
scratch_remove(const char *path)
{
    struct buf names = { 0 };
    struct buf file = { 0 };
    struct slice name;
    if (fs_list(path, "", &names, NULL) == STATUS_OK) {
        struct slice rest = buf_slice(&names);
        while (rest.len > 0 && slice_split(&rest, '\0', &name)) {
            buf_clear(&file);
            buf_format(&file, "%s/%.*s", path, SLICE_ARG(name));
            if (buf_status(&file) == STATUS_OK) {
                (void)unlink(file.ptr);
            }
        }
    }
    buf_fini(&file);
    buf_fini(&names);
    (void)rmdir(path);
}
