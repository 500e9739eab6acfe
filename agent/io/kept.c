/* SPDX-License-Identifier: MIT */
#include "io/kept.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/fs.h"

/* The last '.' of a file's name parts connector and name, so a name has none;
 * a connector may. */
static bool
is_plain(struct slice text, bool may_have_dots)
{
    return text.len > 0 && text.ptr[0] != '.' &&
           slice_find(text, '/') == SIZE_MAX &&
           slice_find(text, '\0') == SIZE_MAX &&
           (may_have_dots || slice_find(text, '.') == SIZE_MAX);
}

enum status
kept_path(const char *directory, struct slice connector, struct slice name,
          struct buf *into, struct error *err)
{
    if (!is_plain(connector, true) || !is_plain(name, false)) {
        return error_set(err, STATUS_INVALID,
                         "a secret cannot be kept under '%.*s.%.*s'",
                         SLICE_ARG(slice_first(connector, 64)),
                         SLICE_ARG(slice_first(name, 64)));
    }
    buf_text(into, directory);
    buf_byte(into, '/');
    buf_append(into, connector);
    buf_byte(into, '.');
    buf_append(into, name);
    enum status status = buf_status(into);
    return status == STATUS_OK
               ? STATUS_OK
               : error_set(err, status, "%s", status_text(status));
}

/* Whether only we can reach what is there. */
static enum status
refuse_loose(const char *path, const char *mode, struct error *err)
{
    struct stat info;
    if (path == NULL || lstat(path, &info) != 0) {
        return STATUS_OK; /* the reader says why */
    }
    if ((info.st_mode & 0077) != 0 && !S_ISLNK(info.st_mode)) {
        return error_set(err, STATUS_DENIED,
                         "others can reach %s, so what is kept there is not "
                         "taken for a secret; chmod %s keeps it yours, and a "
                         "new secret is wiser",
                         path, mode);
    }
    if (info.st_uid != geteuid() && geteuid() != 0) {
        return error_set(err, STATUS_DENIED,
                         "%s belongs to another user; give it to the one who "
                         "runs longstop",
                         path);
    }
    if (S_ISLNK(info.st_mode)) {
        return error_set(err, STATUS_DENIED,
                         "%s is a symbolic link; keep the secret itself there",
                         path);
    }
    return STATUS_OK;
}

enum status
kept_read(const char *directory, struct slice connector, struct slice name,
          struct buf *into, struct error *err)
{
    struct buf path = { 0 };
    size_t start = into->len;
    enum status status = kept_path(directory, connector, name, &path, err);
    if (status == STATUS_OK && !fs_exists(path.ptr)) {
        status =
            error_set(err, STATUS_NOT_FOUND, "nothing is kept at %s", path.ptr);
    }
    if (status == STATUS_OK) {
        status = refuse_loose(directory, "700", err);
    }
    if (status == STATUS_OK) {
        status = refuse_loose(path.ptr, "600", err);
    }
    if (status == STATUS_OK) {
        status = fs_read(path.ptr, KEPT_BYTES_MAX, into, err);
    }
    if (status == STATUS_OK && into->len == start) {
        status = error_set(err, STATUS_INVALID,
                           "%s is empty; remove it, or write the secret there",
                           path.ptr);
    }
    buf_fini(&path);
    return status;
}

/* What root has written belongs to whom the store's directory belongs: the
 * agent, which may not be root, has to read it. */
static enum status
give_to_agent(const char *directory, const char *path, struct error *err)
{
    struct buf above = { 0 };
    struct stat info;
    buf_text(&above, directory);
    buf_text(&above, "/..");
    enum status status = buf_status(&above);
    if (status == STATUS_OK && path != NULL && geteuid() == 0 &&
        stat(above.ptr, &info) == 0 && info.st_uid != 0 &&
        (lchown(directory, info.st_uid, info.st_gid) != 0 ||
         lchown(path, info.st_uid, info.st_gid) != 0)) {
        status =
            error_set(err, STATUS_DENIED,
                      "%s cannot be given to the user of %s", path, above.ptr);
    }
    buf_fini(&above);
    return status;
}

enum status
kept_write(const char *directory, struct slice connector, struct slice name,
           struct slice text, struct error *err)
{
    if (text.len == 0 || text.len > KEPT_BYTES_MAX) {
        return error_set(err, text.len == 0 ? STATUS_INVALID : STATUS_TOO_LARGE,
                         "a secret of %zu bytes is not kept; it has 1 to %zu",
                         text.len, KEPT_BYTES_MAX);
    }
    struct buf path = { 0 };
    enum status status = kept_path(directory, connector, name, &path, err);
    if (status == STATUS_OK) {
        status = fs_make_directory(directory, err);
    }
    if (status == STATUS_OK) {
        status = refuse_loose(directory, "700", err);
    }
    if (status == STATUS_OK) {
        status = fs_replace(path.ptr, text, err);
    }
    if (status == STATUS_OK) {
        status = give_to_agent(directory, path.ptr, err);
    }
    buf_fini(&path);
    return status;
}

enum status
kept_remove(const char *directory, struct slice connector, struct slice name,
            struct error *err)
{
    struct buf path = { 0 };
    enum status status = kept_path(directory, connector, name, &path, err);
    if (status == STATUS_OK) {
        status = fs_remove(path.ptr, err);
    }
    buf_fini(&path);
    return status;
}

enum status
kept_lock(const char *directory, struct slice connector, struct fs_lock **ret,
          struct error *err)
{
    struct buf path = { 0 };
    bool was_clean;
    enum status status =
        kept_path(directory, connector, slice_of("lock"), &path, err);
    if (status == STATUS_OK) {
        status = fs_make_directory(directory, err);
    }
    if (status == STATUS_OK) {
        status = fs_lock_take(path.ptr, &was_clean, ret, err);
    }
    if (status == STATUS_OK) {
        status = give_to_agent(directory, path.ptr, err);
        if (status != STATUS_OK) {
            fs_lock_release(*ret, true);
        }
    }
    buf_fini(&path);
    return status;
}
