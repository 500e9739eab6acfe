/* SPDX-License-Identifier: MIT */
/* SQLite's files in memory, with locks that are as real as in the unix VFS. */
#include "sim/disk.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/status.h"

enum {
    FILES_MAX = 4, /* database, its log, its journal */
    NAME_MAX_BYTES = 512,
    SHARED_MAX = 64, /* regions of 32 KiB, of the log's index */
    SECTOR_BYTES = 4096
};

struct file {
    char name[NAME_MAX_BYTES]; /* empty: the place is free */
    unsigned char *bytes;
    size_t size;
    size_t room;
    unsigned open;
    unsigned sharers; /* connections that hold SHARED or more */
    int writer;       /* what the one holds that has more: SQLITE_LOCK_... */
    void *shared[SHARED_MAX];
    unsigned mappers;
    unsigned readers[SQLITE_SHM_NLOCK];
    bool written[SQLITE_SHM_NLOCK];
};

/* One connection's. */
struct handle {
    sqlite3_file base;
    struct file *file;
    int level; /* SQLITE_LOCK_... */
    bool maps;
    unsigned reads; /* locks of the index, by bit */
    unsigned writes;
};

static struct file files[FILES_MAX];
static sqlite3_vfs vfs;

static struct handle *
handle_of(sqlite3_file *file)
{
    return (struct handle *)(void *)file;
}

static struct file *
find(const char *name)
{
    for (size_t i = 0; i < FILES_MAX; i++) {
        if (strcmp(files[i].name, name) == 0) {
            return &files[i];
        }
    }
    return NULL;
}

/* ---- what the system sees ---- */

static bool
is_log(const struct file *file)
{
    size_t len = strlen(file->name);
    return len > 4 && strcmp(file->name + len - 4, "-wal") == 0;
}

/* A log is there, and holds something or nothing. */
static void
show_log(const struct file *file)
{
    int fd = open(file->name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    PRE(fd >= 0 && ftruncate(fd, file->size > 0) == 0);
    (void)close(fd);
}

static void
set_size(struct file *file, size_t size)
{
    bool was_empty = file->size == 0;
    file->size = size;
    if (was_empty != (size == 0) && is_log(file)) {
        show_log(file);
    }
}

/* ---- bytes ---- */

static int
disk_read(sqlite3_file *of, void *into, int count, sqlite3_int64 at)
{
    const struct file *file = handle_of(of)->file;
    size_t want = (size_t)count;
    size_t from = (size_t)at;
    size_t have = from < file->size ? file->size - from : 0;
    if (have >= want) {
        memcpy(into, file->bytes + from, want);
        return SQLITE_OK;
    }
    if (have > 0) {
        memcpy(into, file->bytes + from, have);
    }
    memset((char *)into + have, 0, want - have);
    return SQLITE_IOERR_SHORT_READ;
}

static void
make_room(struct file *file, size_t size)
{
    if (size <= file->room) {
        return;
    }
    size_t room = file->room == 0 ? (size_t)1 << 20 : file->room;
    while (room < size) {
        room *= 2;
    }
    file->bytes = realloc(file->bytes, room);
    PRE(file->bytes != NULL);
    file->room = room;
}

static int
disk_write(sqlite3_file *of, const void *bytes, int count, sqlite3_int64 at)
{
    struct file *file = handle_of(of)->file;
    size_t from = (size_t)at;
    size_t end = from + (size_t)count;
    make_room(file, end);
    if (from > file->size) {
        memset(file->bytes + file->size, 0, from - file->size);
    }
    memcpy(file->bytes + from, bytes, (size_t)count);
    if (end > file->size) {
        set_size(file, end);
    }
    return SQLITE_OK;
}

static int
disk_truncate(sqlite3_file *of, sqlite3_int64 size)
{
    struct file *file = handle_of(of)->file;
    if ((size_t)size < file->size) {
        set_size(file, (size_t)size);
    }
    return SQLITE_OK;
}

static int
disk_sync(sqlite3_file *of, int flags)
{
    (void)of;
    (void)flags;
    return SQLITE_OK;
}

static int
disk_size(sqlite3_file *of, sqlite3_int64 *ret_size)
{
    *ret_size = (sqlite3_int64)handle_of(of)->file->size;
    return SQLITE_OK;
}

/* ---- locks of the file ---- */

static int
disk_lock(sqlite3_file *of, int level)
{
    struct handle *handle = handle_of(of);
    struct file *file = handle->file;
    bool is_first = handle->level == SQLITE_LOCK_NONE;
    bool is_writer = handle->level >= SQLITE_LOCK_RESERVED;
    if (handle->level >= level) {
        return SQLITE_OK;
    }
    if (is_first ? file->writer == SQLITE_LOCK_EXCLUSIVE
                 : (file->writer != 0 && !is_writer) ||
                       (level == SQLITE_LOCK_EXCLUSIVE && file->sharers > 1)) {
        return SQLITE_BUSY;
    }
    file->sharers += is_first;
    file->writer = is_first ? file->writer : level;
    handle->level = level;
    return SQLITE_OK;
}

static int
disk_unlock(sqlite3_file *of, int level)
{
    struct handle *handle = handle_of(of);
    struct file *file = handle->file;
    if (handle->level <= level) {
        return SQLITE_OK;
    }
    if (handle->level >= SQLITE_LOCK_RESERVED) {
        file->writer = 0;
    }
    file->sharers -= level == SQLITE_LOCK_NONE;
    handle->level = level;
    return SQLITE_OK;
}

static int
disk_reserved(sqlite3_file *of, int *ret)
{
    *ret = handle_of(of)->file->writer != 0;
    return SQLITE_OK;
}

/* ---- the index of a log ---- */

static int
disk_map(sqlite3_file *of, int region, int size, int extend,
         void volatile **ret)
{
    struct handle *handle = handle_of(of);
    struct file *file = handle->file;
    PRE(region < SHARED_MAX);
    file->mappers += !handle->maps;
    handle->maps = true;
    if (file->shared[region] == NULL && extend) {
        file->shared[region] = calloc(1, (size_t)size);
        PRE(file->shared[region] != NULL);
    }
    *ret = file->shared[region];
    return SQLITE_OK;
}

static bool
may_lock(const struct handle *handle, unsigned bit, bool alone)
{
    const struct file *file = handle->file;
    bool reads = (handle->reads >> bit & 1) != 0;
    bool writes = (handle->writes >> bit & 1) != 0;
    return (!file->written[bit] || writes) &&
           (!alone || file->readers[bit] == (reads ? 1 : 0));
}

static void
set_lock(struct handle *handle, unsigned bit, int flags)
{
    struct file *file = handle->file;
    unsigned mask = 1U << bit;
    unsigned *held =
        (flags & SQLITE_SHM_SHARED) != 0 ? &handle->reads : &handle->writes;
    bool had = (*held & mask) != 0;
    bool has = (flags & SQLITE_SHM_LOCK) != 0;
    *held = has ? *held | mask : *held & ~mask;
    if (held == &handle->writes) {
        file->written[bit] = has || (file->written[bit] && !had);
    } else {
        file->readers[bit] += has && !had;
        file->readers[bit] -= had && !has;
    }
}

static int
disk_shm_lock(sqlite3_file *of, int first, int count, int flags)
{
    struct handle *handle = handle_of(of);
    bool alone = (flags & SQLITE_SHM_EXCLUSIVE) != 0;
    unsigned from = (unsigned)first;
    unsigned end = from + (unsigned)count;
    for (unsigned i = from; (flags & SQLITE_SHM_LOCK) != 0 && i < end; i++) {
        if (!may_lock(handle, i, alone)) {
            return SQLITE_BUSY;
        }
    }
    for (unsigned i = from; i < end; i++) {
        set_lock(handle, i, flags);
    }
    return SQLITE_OK;
}

static void
disk_barrier(sqlite3_file *of)
{
    (void)of;
}

/* Who finds nobody there begins a new index, as in the unix VFS. */
static int
disk_unmap(sqlite3_file *of, int drop)
{
    struct handle *handle = handle_of(of);
    struct file *file = handle->file;
    (void)drop;
    if (!handle->maps) {
        return SQLITE_OK;
    }
    handle->maps = false;
    file->mappers--;
    for (size_t i = 0; file->mappers == 0 && i < SHARED_MAX; i++) {
        free(file->shared[i]);
        file->shared[i] = NULL;
    }
    return SQLITE_OK;
}

/* ---- all else ---- */

static int
disk_close(sqlite3_file *of)
{
    (void)disk_unmap(of, 0);
    (void)disk_unlock(of, SQLITE_LOCK_NONE);
    handle_of(of)->file->open--;
    return SQLITE_OK;
}

static int
disk_control(sqlite3_file *of, int what, void *arg)
{
    (void)of;
    (void)what;
    (void)arg;
    return SQLITE_NOTFOUND;
}

static int
disk_sector(sqlite3_file *of)
{
    (void)of;
    return SECTOR_BYTES;
}

static int
disk_device(sqlite3_file *of)
{
    (void)of;
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = disk_close,
    .xRead = disk_read,
    .xWrite = disk_write,
    .xTruncate = disk_truncate,
    .xSync = disk_sync,
    .xFileSize = disk_size,
    .xLock = disk_lock,
    .xUnlock = disk_unlock,
    .xCheckReservedLock = disk_reserved,
    .xFileControl = disk_control,
    .xSectorSize = disk_sector,
    .xDeviceCharacteristics = disk_device,
    .xShmMap = disk_map,
    .xShmLock = disk_shm_lock,
    .xShmBarrier = disk_barrier,
    .xShmUnmap = disk_unmap,
};

static int
disk_open(sqlite3_vfs *of, const char *name, sqlite3_file *into, int flags,
          int *ret_flags)
{
    struct handle *handle = handle_of(into);
    (void)of;
    PRE(name != NULL);
    size_t size = strlen(name) + 1;
    struct file *file = find(name);
    if (file == NULL) {
        file = find("");
        PRE(file != NULL && size <= NAME_MAX_BYTES);
        memcpy(file->name, name, size);
        if (is_log(file)) {
            show_log(file);
        }
    }
    memset(handle, 0, sizeof(*handle));
    handle->base.pMethods = &methods;
    handle->file = file;
    file->open++;
    if (ret_flags != NULL) {
        *ret_flags = flags;
    }
    return SQLITE_OK;
}

static void
drop(struct file *file)
{
    PRE(file->open == 0);
    if (is_log(file)) {
        (void)unlink(file->name);
    }
    file->name[0] = '\0';
    file->size = 0; /* its room serves the next one */
}

static int
disk_delete(sqlite3_vfs *of, const char *name, int sync)
{
    struct file *file = find(name);
    (void)of;
    (void)sync;
    if (file == NULL) {
        return SQLITE_IOERR_DELETE_NOENT;
    }
    drop(file);
    return SQLITE_OK;
}

/* A file that holds nothing is none to SQLite: the unix VFS says so too. */
static int
disk_access(sqlite3_vfs *of, const char *name, int flags, int *ret)
{
    const struct file *file = find(name);
    (void)of;
    (void)flags;
    *ret = file != NULL && file->size > 0;
    return SQLITE_OK;
}

void
disk_install(void)
{
    PRE(sqlite3_config(SQLITE_CONFIG_SINGLETHREAD) == SQLITE_OK &&
        sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0) == SQLITE_OK);
    const sqlite3_vfs *unix_vfs = sqlite3_vfs_find(NULL);
    PRE(unix_vfs != NULL);
    vfs = *unix_vfs;
    vfs.iVersion = 2;
    vfs.zName = "sim-disk";
    vfs.pNext = NULL;
    vfs.szOsFile = (int)sizeof(struct handle);
    vfs.xOpen = disk_open;
    vfs.xDelete = disk_delete;
    vfs.xAccess = disk_access;
    PRE(sqlite3_vfs_register(&vfs, 1) == SQLITE_OK);
}

void
disk_wipe(void)
{
    for (size_t i = 0; i < FILES_MAX; i++) {
        if (files[i].name[0] != '\0') {
            drop(&files[i]);
        }
    }
}
