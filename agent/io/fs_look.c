/* SPDX-License-Identifier: MIT */
#include "io/fs_look.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

static enum status
failed(const char *path, struct error *err)
{
    enum status status = errno == ENOENT || errno == ENOTDIR ? STATUS_NOT_FOUND
                         : errno == EACCES                   ? STATUS_DENIED
                                                             : STATUS_IO;
    return error_set(err, status, "%s: %s", path, strerror(errno));
}

enum status
fs_look(const char *path, struct fs_facts *ret, struct error *err)
{
    struct stat what;
    if (stat(path, &what) != 0) {
        return failed(path, err);
    }
    *ret = (struct fs_facts){
        .mode = what.st_mode & 07777,
        .bytes = what.st_size,
        .changed_ms = (int64_t)what.st_mtim.tv_sec * 1000 +
                      what.st_mtim.tv_nsec / 1000000,
    };
    return STATUS_OK;
}

enum status
fs_room(const char *path, int64_t *ret_bytes, struct error *err)
{
    struct statvfs what;
    if (statvfs(path, &what) != 0) {
        return failed(path, err);
    }
    *ret_bytes = (int64_t)what.f_bavail * (int64_t)what.f_frsize;
    return STATUS_OK;
}
