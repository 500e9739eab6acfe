/* SPDX-License-Identifier: MIT */
#include "io/fs_look.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

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

/* Its last bytes; fewer where it has been cut meanwhile. */
static enum status
read_end(int fd, const char *path, size_t most, struct buf *into,
         struct error *err)
{
    struct stat what;
    if (fstat(fd, &what) != 0) {
        return failed(path, err);
    }
    if (!S_ISREG(what.st_mode)) {
        return error_set(err, STATUS_INVALID, "%s is no regular file", path);
    }
    size_t size = (size_t)what.st_size < most ? (size_t)what.st_size : most;
    off_t at = what.st_size - (off_t)size;
    char *room = buf_reserve(into, size);
    while (room != NULL && size > 0) {
        ssize_t got = pread(fd, into->ptr + into->len, size, at);
        if (got < 0 && errno != EINTR) {
            return failed(path, err);
        }
        if (got == 0) {
            break;
        }
        into->len += got > 0 ? (size_t)got : 0;
        size -= got > 0 ? (size_t)got : 0;
        at += got > 0 ? got : 0;
    }
    if (room != NULL) {
        into->ptr[into->len] = '\0';
    }
    return buf_status(into);
}

enum status
fs_look_end(const char *path, size_t most, struct buf *into, struct error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) {
        return failed(path, err);
    }
    enum status status = read_end(fd, path, most, into, err);
    (void)close(fd);
    return status;
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
