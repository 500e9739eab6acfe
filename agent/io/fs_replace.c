/* SPDX-License-Identifier: MIT */
/* Whole files: put in place of what was there, and taken away. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/fs.h"
#include "io/fs_private.h"

static enum status
write_all(int fd, const char *path, struct slice bytes, struct error *err)
{
    while (bytes.len > 0) {
        ssize_t put = write(fd, bytes.ptr, bytes.len);
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put < 0) {
            return fs_fail(err, "write", path, errno);
        }
        fs_durable_step();
        bytes = slice_from(bytes, (size_t)put);
    }
    if (fsync(fd) != 0) {
        return fs_fail(err, "sync", path, errno);
    }
    fs_durable_step();
    return STATUS_OK;
}

/* Writes the text beside its place, where a crash does no harm. */
static enum status
write_beside(const char *beside, struct slice bytes, struct error *err)
{
    /* what an earlier crash left may have been made by another hand */
    if (unlink(beside) != 0 && errno != ENOENT) {
        return fs_fail(err, "replace", beside, errno);
    }
    int fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
                  0600);
    if (fd < 0) {
        return fs_fail(err, "write", beside, errno);
    }
    enum status status = write_all(fd, beside, bytes, err);
    if (close(fd) != 0 && status == STATUS_OK) {
        status = fs_fail(err, "write", beside, errno);
    }
    if (status != STATUS_OK) {
        (void)unlink(beside);
    }
    return status;
}

enum status
fs_replace(const char *path, struct slice bytes, struct error *err)
{
    struct buf beside = { 0 };
    buf_text(&beside, path);
    buf_text(&beside, ".new");
    enum status status = buf_status(&beside);
    if (status != STATUS_OK) {
        buf_fini(&beside);
        return fs_fail(err, "write", path, ENOMEM);
    }
    status = write_beside(beside.ptr, bytes, err);
    if (status == STATUS_OK && rename(beside.ptr, path) != 0) {
        status = fs_fail(err, "replace", path, errno);
        (void)unlink(beside.ptr);
    }
    if (status == STATUS_OK) {
        fs_durable_step();
        status = fs_sync_parent(path, err);
    }
    buf_fini(&beside);
    return status;
}

enum status
fs_remove(const char *path, struct error *err)
{
    if (unlink(path) != 0) {
        return errno == ENOENT || errno == ENOTDIR
                   ? STATUS_OK
                   : fs_fail(err, "remove", path, errno);
    }
    fs_durable_step();
    return fs_sync_parent(path, err);
}

enum status
fs_make_directory(const char *path, struct error *err)
{
    if (mkdir(path, 0700) == 0) {
        return fs_sync_parent(path, err);
    }
    return errno == EEXIST ? STATUS_OK
                           : fs_fail(err, "make the directory", path, errno);
}
