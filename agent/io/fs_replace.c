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

static enum status
sync_whole(const char *path, struct error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return fs_fail(err, "sync", path, errno);
    }
    enum status status =
        fsync(fd) == 0 ? STATUS_OK : fs_fail(err, "sync", path, errno);
    fs_durable_step();
    (void)close(fd);
    return status;
}

static enum status
add_name(const char *path, const char *also, struct error *err)
{
    if (link(path, also) == 0) {
        fs_durable_step();
        return STATUS_OK;
    }
    return errno == EEXIST
               ? error_set(err, STATUS_EXISTS,
                           "%s is there already: name another file", also)
               : fs_fail(err, "make", also, errno);
}

enum status
fs_link(const char *path, const char *also, struct error *err)
{
    enum status status = add_name(path, also, err);
    return status == STATUS_OK ? fs_sync_parent(also, err) : status;
}

enum status
fs_place(const char *from, const char *to, bool replaces, struct error *err)
{
    enum status status = sync_whole(from, err);
    if (status == STATUS_OK && !replaces) {
        status = add_name(from, to, err);
        if (status == STATUS_OK) {
            (void)unlink(from);
        }
    } else if (status == STATUS_OK) {
        status = rename(from, to) == 0 ? STATUS_OK
                                       : fs_fail(err, "replace", to, errno);
        fs_durable_step();
    }
    if (status == STATUS_OK) {
        status = fs_sync_parent(to, err);
        if (status != STATUS_OK && !replaces) {
            (void)unlink(to);
        }
    }
    return status;
}

enum status
fs_own_like(const char *path, const char *like, struct error *err)
{
    struct stat ours;
    struct stat theirs;
    if (stat(like, &theirs) != 0 || stat(path, &ours) != 0 ||
        (ours.st_uid == theirs.st_uid && ours.st_gid == theirs.st_gid)) {
        return STATUS_OK;
    }
    return lchown(path, theirs.st_uid, theirs.st_gid) == 0
               ? STATUS_OK
               : fs_fail(err, "hand over", path, errno);
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
