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

/* Where systemd puts those of the unit while it runs, for root to read. */
#define UNIT_CREDENTIALS "/run/credentials/longstop.service"

static enum status
no_credentials(struct slice name, int why, struct error *err)
{
    if (why == EACCES) {
        return error_set(err, STATUS_DENIED,
                         "credential:%.*s: $CREDENTIALS_DIRECTORY is not set, "
                         "and only root may read " UNIT_CREDENTIALS
                         ": say it with sudo",
                         SLICE_ARG(name));
    }
    return error_set(err, STATUS_NOT_FOUND,
                     "credential:%.*s: $CREDENTIALS_DIRECTORY is not set, and "
                     "longstop.service does not run; start the agent by "
                     "systemd with LoadCredential=%.*s:/path, or use a file",
                     SLICE_ARG(name), SLICE_ARG(name));
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
    if (folder == NULL || folder[0] == '\0') {
        folder = UNIT_CREDENTIALS;
        if (access(folder, X_OK) != 0) {
            return no_credentials(name, errno, err);
        }
    }
    buf_text(path, folder);
    buf_byte(path, '/');
    buf_append(path, name);
    return buf_status(path);
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
