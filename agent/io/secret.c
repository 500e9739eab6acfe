/* SPDX-License-Identifier: MIT */
#include "io/secret.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/fs.h"

/* Room for a chain of certificates and its key. */
#define SECRET_BYTES_MAX ((size_t)64 * 1024)

static void
cut_newline(struct buf *buf, size_t start)
{
    if (buf->len > start && buf->ptr[buf->len - 1] == '\n') {
        buf_truncate(buf, buf->len - 1);
        if (buf->len > start && buf->ptr[buf->len - 1] == '\r') {
            buf_truncate(buf, buf->len - 1);
        }
    }
}

/* For root, in a shell: what systemd has given the running unit, and where it
 * takes that from (systemd.exec(5), credential stores). */
static const char *const shell_folders[] = {
    "/run/credentials/longstop.service",
    "/etc/credstore",
};

static enum status
no_credential(struct slice name, bool is_denied, struct error *err)
{
    if (is_denied) {
        return error_set(err, STATUS_DENIED,
                         "credential:%.*s: $CREDENTIALS_DIRECTORY is not set, "
                         "and only root may read what longstop.service has: "
                         "say it with sudo",
                         SLICE_ARG(name));
    }
    return error_set(err, STATUS_NOT_FOUND,
                     "credential:%.*s: $CREDENTIALS_DIRECTORY is not set, and "
                     "neither %s nor %s has it: put it into the latter, say "
                     "LoadCredential=%.*s:%s/%.*s in the unit (systemctl edit "
                     "longstop), or use a file",
                     SLICE_ARG(name), shell_folders[0], shell_folders[1],
                     SLICE_ARG(name), shell_folders[1], SLICE_ARG(name));
}

static enum status
join(const char *folder, struct slice name, struct buf *path)
{
    buf_clear(path);
    buf_text(path, folder);
    buf_byte(path, '/');
    buf_append(path, name);
    return buf_status(path);
}

static enum status
path_in_shell(struct slice name, struct buf *path, struct error *err)
{
    bool is_denied = false;
    for (size_t i = 0; i < sizeof(shell_folders) / sizeof(shell_folders[0]);
         i++) {
        enum status status = join(shell_folders[i], name, path);
        if (status != STATUS_OK || access(path->ptr, R_OK) == 0) {
            return status;
        }
        is_denied |= errno == EACCES;
    }
    return no_credential(name, is_denied, err);
}

/* systemd.exec(5): a credential is a file of this name, never a path. */
static enum status
credential_path(struct slice name, struct buf *path, struct error *err)
{
    if (name.len == 0 || name.ptr[0] == '.' ||
        slice_find(name, '/') < name.len) {
        return error_set(err, STATUS_INVALID,
                         "credential:%.*s: the name of a credential has no '/' "
                         "and does not begin with '.'",
                         SLICE_ARG(name));
    }
    const char *folder = getenv("CREDENTIALS_DIRECTORY");
    return folder == NULL || folder[0] == '\0' ? path_in_shell(name, path, err)
                                               : join(folder, name, path);
}

static enum status
read_path(const struct config_secret *secret, struct buf *into, bool *ret_loose,
          struct error *err)
{
    struct buf path = { 0 };
    enum status status;
    if (secret->from == SECRET_CREDENTIAL) {
        status = credential_path(secret->text, &path, err);
    } else {
        buf_append(&path, secret->text);
        status = buf_status(&path);
    }
    const char *name = buf_slice(&path).ptr; /* never NULL */
    if (status == STATUS_OK) {
        status = fs_read(name, SECRET_BYTES_MAX, into, err);
    }
    struct stat info;
    /* systemd alone decides who may read a credential */
    if (status == STATUS_OK && secret->from == SECRET_FILE &&
        stat(name, &info) == 0) {
        *ret_loose = (info.st_mode & 0077) != 0;
    }
    buf_fini(&path);
    return status;
}

enum status
secret_read(const struct config_secret *secret, struct buf *into,
            bool *ret_loose, struct error *err)
{
    size_t start = into->len;
    enum status status = STATUS_OK;
    *ret_loose = false;
    switch (secret->from) {
    case SECRET_NONE:
        return error_set(err, STATUS_INVALID, "no secret is given");
    case SECRET_INLINE:
        buf_append(into, secret->text);
        status = buf_status(into);
        break;
    case SECRET_FILE:
    case SECRET_CREDENTIAL:
        status = read_path(secret, into, ret_loose, err);
        cut_newline(into, start);
        break;
    }
    if (status == STATUS_OK &&
        slice_trim(slice_from(buf_slice(into), start)).len == 0) {
        status =
            error_set(err, STATUS_INVALID,
                      "the secret%s%.*s is empty; anybody could sign with "
                      "it, so it is refused",
                      secret->from == SECRET_INLINE ? "" : " in ",
                      secret->from == SECRET_INLINE ? 0 : (int)secret->text.len,
                      secret->text.len == 0 ? "" : secret->text.ptr);
    }
    if (status != STATUS_OK && into->len > start) {
        mem_wipe(into->ptr + start, into->len - start);
        buf_truncate(into, start);
    }
    return status;
}
