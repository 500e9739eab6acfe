/* SPDX-License-Identifier: MIT */
#include "store/store.h"

#include "store/store_backup.h"
#include "store/store_copy.h"
#include "store/store_pg.h"
#include "store/store_pg_wake.h"
#include "store/store_sqlite.h"
#include "store/store_view.h"

static const struct {
    struct slice scheme;
    bool is_file; /* what stands behind the scheme is its path */
    /* A file's path, or the whole URL. */
    enum status (*open)(const char *rest, const struct store_settings *settings,
                        struct store **ret, struct error *err);
    enum status (*view)(const char *rest, struct store_view **ret,
                        struct error *err);
    /* NULL: nobody else has it. Of the whole URL. */
    enum status (*wake)(const char *url, struct store_wake **ret,
                        struct error *err);
} kinds[] = {
    { SLICE("sqlite:"), true, store_sqlite_open, store_sqlite_view_open, NULL },
    { SLICE("postgresql:"), false, store_pg_open, store_pg_view_open,
      store_pg_wake_open },
    { SLICE("postgres:"), false, store_pg_open, store_pg_view_open,
      store_pg_wake_open },
};

/* Returns the row of `url`'s scheme; the number of rows when there is none. */
static size_t
find_kind(struct slice url)
{
    size_t i = 0;
    while (i < sizeof(kinds) / sizeof(kinds[0]) &&
           !slice_starts(url, kinds[i].scheme)) {
        i++;
    }
    return i;
}

enum status
store_known(const char *url, struct error *err)
{
    struct slice text = slice_of(url);
    size_t kind = find_kind(text);
    if (kind == sizeof(kinds) / sizeof(kinds[0])) {
        /* What follows the colon may hold a password. */
        size_t colon = slice_find(text, ':');
        return error_set(err, STATUS_CONFIG,
                         "store: \"%.*s\" is no kind of store: write "
                         "sqlite:PATH or postgresql://USER@HOST/DATABASE",
                         SLICE_ARG(slice_first(text, colon)));
    }
    if (text.len == kinds[kind].scheme.len) {
        return error_set(err, STATUS_CONFIG,
                         "store: the path is missing: write sqlite:PATH or "
                         "postgresql://USER@HOST/DATABASE");
    }
    return STATUS_OK;
}

/* What is opened: a path, or the URL. */
static const char *
place_of(const char *url, size_t kind)
{
    return kinds[kind].is_file ? url + kinds[kind].scheme.len : url;
}

enum status
store_open(const char *url, const struct store_settings *settings,
           struct store **ret, struct error *err)
{
    enum status status = store_known(url, err);
    if (status != STATUS_OK) {
        return status;
    }
    size_t kind = find_kind(slice_of(url));
    struct store *store;
    status = kinds[kind].open(place_of(url, kind), settings, &store, err);
    if (status == STATUS_OK && (settings == NULL || !settings->is_copy)) {
        status = store_copy_is_whole(store, err);
        if (status != STATUS_OK) {
            store->ops->close(store);
        }
    }
    if (status == STATUS_OK) {
        *ret = store;
    }
    return status;
}

/* Of SQLite alone: who has a server has its tools. Returns what stands behind
 * the scheme. */
static enum status
path_of(const char *url, const char **ret, struct error *err)
{
    enum status status = store_known(url, err);
    if (status != STATUS_OK) {
        return status;
    }
    const size_t kind = find_kind(slice_of(url));
    *ret = place_of(url, kind);
    return kinds[kind].is_file
               ? STATUS_OK
               : error_set(err, STATUS_CONFIG,
                           "store: a store in PostgreSQL is backed up with "
                           "its own tools: pg_dump --schema=longstop");
}

enum status
store_backup_take(const char *url, const char *file, struct store_backup *ret,
                  struct error *err)
{
    const char *path = NULL;
    enum status status = path_of(url, &path, err);
    return status == STATUS_OK ? store_sqlite_backup_take(path, file, ret, err)
                               : status;
}

enum status
store_backup_check(const char *url, const char *file, struct store_backup *ret,
                   struct error *err)
{
    const char *path = file;
    enum status status = file != NULL ? STATUS_OK : path_of(url, &path, err);
    return status == STATUS_OK ? store_sqlite_backup_check(path, ret, err)
                               : status;
}

enum status
store_backup_restore(const char *url, const char *file,
                     char kept[STORE_BACKUP_KEPT_BYTES],
                     struct store_backup *ret, struct error *err)
{
    const char *path = NULL;
    enum status status = path_of(url, &path, err);
    return status == STATUS_OK
               ? store_sqlite_backup_restore(path, file, kept, ret, err)
               : status;
}

enum status
store_view_open(const char *url, struct store_view **ret, struct error *err)
{
    enum status status = store_known(url, err);
    if (status != STATUS_OK) {
        return status;
    }
    size_t kind = find_kind(slice_of(url));
    return kinds[kind].view(place_of(url, kind), ret, err);
}

enum status
store_wake_open(const char *url, struct store_wake **ret, struct error *err)
{
    size_t kind = find_kind(slice_of(url));
    if (kind == sizeof(kinds) / sizeof(kinds[0]) || kinds[kind].wake == NULL) {
        return error_set(err, STATUS_NOT_FOUND,
                         "store: one agent alone has it");
    }
    return kinds[kind].wake(url, ret, err);
}
