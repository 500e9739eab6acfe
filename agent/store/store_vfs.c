/* SPDX-License-Identifier: MIT */
#include "store/store_vfs.h"

#ifdef LONGSTOP_CRASH_TESTS

#    include <sqlite3.h>
#    include <stdatomic.h>
#    include <stdlib.h>
#    include <string.h>

#    include "base/bytes.h"
#    include "base/mem.h"
#    include "io/fs.h"
#    include "io/shortage.h"

/* The file of the VFS below lies behind ours, in the room SQLite gives. */
struct shim_file {
    sqlite3_file base;
};

static sqlite3_vfs *below;
static sqlite3_vfs shim;

static atomic_uint fail_kinds;
static atomic_long fail_left = -1;
static atomic_int fail_rc;
static atomic_bool fail_always;
static atomic_bool held;
static atomic_long steps;

/* LONGSTOP_STORE_FAULT's words. */
static const struct {
    const char *name;
    unsigned kinds;
    int rc;
} faults[] = {
    { "write", STORE_VFS_WRITE, SQLITE_IOERR_WRITE },
    { "torn", STORE_VFS_TORN, SQLITE_IOERR_WRITE },
    { "sync", STORE_VFS_SYNC, SQLITE_IOERR_FSYNC },
    { "truncate", STORE_VFS_TRUNCATE, SQLITE_IOERR_TRUNCATE },
    { "delete", STORE_VFS_DELETE, SQLITE_IOERR_DELETE },
    { "read", STORE_VFS_READ, SQLITE_IOERR_READ },
    { "lock", STORE_VFS_LOCK, SQLITE_IOERR_LOCK },
    { "full", STORE_VFS_WRITE, SQLITE_FULL },
};

static sqlite3_file *
real(sqlite3_file *file)
{
    return (sqlite3_file *)(void *)((struct shim_file *)(void *)file + 1);
}

/* SQLITE_OK, or what this step has to fail with. */
static int
verdict_on(unsigned kind)
{
    if (atomic_load(&held) || (atomic_load(&fail_kinds) & kind) == 0) {
        return SQLITE_OK;
    }
    (void)atomic_fetch_add(&steps, 1);
    long left = atomic_load(&fail_left);
    if (left < 0) {
        return SQLITE_OK;
    }
    if (left > 0) {
        atomic_store(&fail_left, left - 1);
        return SQLITE_OK;
    }
    if (!atomic_load(&fail_always)) {
        atomic_store(&fail_left, -1);
    }
    return atomic_load(&fail_rc);
}

long
store_vfs_fail_after(unsigned kinds, long after, int rc, bool always)
{
    atomic_store(&fail_kinds, kinds);
    atomic_store(&fail_rc, rc);
    atomic_store(&fail_always, always);
    atomic_store(&fail_left, after);
    return atomic_exchange(&steps, 0);
}

void
store_vfs_hold(bool holds)
{
    atomic_store(&held, holds);
}

static int
shim_close(sqlite3_file *file)
{
    return real(file)->pMethods->xClose(real(file));
}

static int
shim_read(sqlite3_file *file, void *into, int count, sqlite3_int64 at)
{
    int rc = verdict_on(STORE_VFS_READ);
    return rc == SQLITE_OK
               ? real(file)->pMethods->xRead(real(file), into, count, at)
               : rc;
}

static int
shim_write(sqlite3_file *file, const void *bytes, int count, sqlite3_int64 at)
{
    int rc = verdict_on(STORE_VFS_TORN);
    if (rc != SQLITE_OK) {
        (void)real(file)->pMethods->xWrite(real(file), bytes, count / 2, at);
        return rc;
    }
    rc = verdict_on(STORE_VFS_WRITE);
    if (rc == SQLITE_OK) {
        rc = real(file)->pMethods->xWrite(real(file), bytes, count, at);
        fs_durable_step();
    }
    return rc;
}

static int
shim_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    int rc = verdict_on(STORE_VFS_TRUNCATE);
    if (rc == SQLITE_OK) {
        rc = real(file)->pMethods->xTruncate(real(file), size);
        fs_durable_step();
    }
    return rc;
}

static int
shim_sync(sqlite3_file *file, int flags)
{
    int rc = verdict_on(STORE_VFS_SYNC);
    if (rc == SQLITE_OK) {
        rc = real(file)->pMethods->xSync(real(file), flags);
        fs_durable_step();
    }
    return rc;
}

static int
shim_size(sqlite3_file *file, sqlite3_int64 *ret_size)
{
    int rc = verdict_on(STORE_VFS_SIZE);
    return rc == SQLITE_OK
               ? real(file)->pMethods->xFileSize(real(file), ret_size)
               : rc;
}

static int
shim_lock(sqlite3_file *file, int how)
{
    int rc = verdict_on(STORE_VFS_LOCK);
    return rc == SQLITE_OK ? real(file)->pMethods->xLock(real(file), how) : rc;
}

static int
shim_unlock(sqlite3_file *file, int how)
{
    return real(file)->pMethods->xUnlock(real(file), how);
}

static int
shim_reserved(sqlite3_file *file, int *ret)
{
    return real(file)->pMethods->xCheckReservedLock(real(file), ret);
}

static int
shim_control(sqlite3_file *file, int what, void *arg)
{
    return real(file)->pMethods->xFileControl(real(file), what, arg);
}

static int
shim_sector(sqlite3_file *file)
{
    return real(file)->pMethods->xSectorSize(real(file));
}

static int
shim_device(sqlite3_file *file)
{
    return real(file)->pMethods->xDeviceCharacteristics(real(file));
}

static int
shim_shm_map(sqlite3_file *file, int page, int size, int extend,
             void volatile **ret)
{
    int rc = verdict_on(STORE_VFS_SHARED);
    return rc == SQLITE_OK ? real(file)->pMethods->xShmMap(real(file), page,
                                                           size, extend, ret)
                           : rc;
}

static int
shim_shm_lock(sqlite3_file *file, int offset, int count, int flags)
{
    int rc = (flags & SQLITE_SHM_UNLOCK) != 0 ? SQLITE_OK
                                              : verdict_on(STORE_VFS_LOCK);
    return rc == SQLITE_OK ? real(file)->pMethods->xShmLock(real(file), offset,
                                                            count, flags)
                           : rc;
}

static void
shim_shm_barrier(sqlite3_file *file)
{
    real(file)->pMethods->xShmBarrier(real(file));
}

static int
shim_shm_unmap(sqlite3_file *file, int drop)
{
    return real(file)->pMethods->xShmUnmap(real(file), drop);
}

/* Version 2: no mapped reads, which are switched off anyway. */
static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = shim_close,
    .xRead = shim_read,
    .xWrite = shim_write,
    .xTruncate = shim_truncate,
    .xSync = shim_sync,
    .xFileSize = shim_size,
    .xLock = shim_lock,
    .xUnlock = shim_unlock,
    .xCheckReservedLock = shim_reserved,
    .xFileControl = shim_control,
    .xSectorSize = shim_sector,
    .xDeviceCharacteristics = shim_device,
    .xShmMap = shim_shm_map,
    .xShmLock = shim_shm_lock,
    .xShmBarrier = shim_shm_barrier,
    .xShmUnmap = shim_shm_unmap,
};

static int
shim_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
          int *ret_flags)
{
    (void)vfs;
    int rc = verdict_on(STORE_VFS_OPEN);
    if (rc != SQLITE_OK) {
        file->pMethods = NULL;
        return rc;
    }
    rc = below->xOpen(below, name, real(file), flags, ret_flags);
    file->pMethods = real(file)->pMethods == NULL ? NULL : &methods;
    return rc;
}

static int
shim_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
    (void)vfs;
    int rc = verdict_on(STORE_VFS_DELETE);
    if (rc == SQLITE_OK) {
        rc = below->xDelete(below, name, sync);
        fs_durable_step();
    }
    return rc;
}

/* Takes "KIND:AFTER" or "KIND:AFTER:always". */
static void
read_fault(const char *text)
{
    struct slice rest = slice_of(text);
    struct slice kind = rest;
    struct slice after = rest;
    uint64_t number = 0;
    if (!slice_split(&rest, ':', &kind) || !slice_split(&rest, ':', &after) ||
        slice_to_u64(after, &number) != STATUS_OK) {
        return;
    }
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        if (slice_equal_text(kind, faults[i].name)) {
            (void)store_vfs_fail_after(faults[i].kinds, (long)number,
                                       faults[i].rc, rest.len > 0);
        }
    }
}

/* SQLite asks how large a block is: that stands before it. */
#    define HEAD_BYTES 16

static void *
memory_alloc(int size)
{
    char *block = mem_alloc((size_t)size + HEAD_BYTES);
    if (block == NULL) {
        return NULL;
    }
    memcpy(block, &size, sizeof(size));
    return block + HEAD_BYTES;
}

static void
memory_free(void *block)
{
    mem_free((char *)block - HEAD_BYTES);
}

static void *
memory_resize(void *block, int size)
{
    char *resized =
        mem_resize((char *)block - HEAD_BYTES, 1, (size_t)size + HEAD_BYTES);
    if (resized == NULL) {
        return NULL;
    }
    memcpy(resized, &size, sizeof(size));
    return resized + HEAD_BYTES;
}

static int
memory_size(void *block)
{
    int size;
    memcpy(&size, (char *)block - HEAD_BYTES, sizeof(size));
    return size;
}

static int
memory_round(int size)
{
    return (size + 7) / 8 * 8;
}

static int
memory_begin(void *arg)
{
    (void)arg;
    return SQLITE_OK;
}

static void
memory_end(void *arg)
{
    (void)arg;
}

static const sqlite3_mem_methods memory = { memory_alloc,  memory_free,
                                            memory_resize, memory_size,
                                            memory_round,  memory_begin,
                                            memory_end,    NULL };

enum status
store_vfs_install(void)
{
    if (shortage_is_on()) {
        /* Refused, and no harm, once SQLite has started. */
        (void)sqlite3_config(SQLITE_CONFIG_MALLOC, &memory);
    }
    if (below != NULL) {
        return STATUS_OK;
    }
    below = sqlite3_vfs_find(NULL);
    if (below == NULL) {
        return STATUS_UNAVAILABLE;
    }
    /* All else goes straight down: the functions of the unix VFS do not look
     * at the VFS they are called with, but for its name. */
    shim = *below;
    shim.iVersion = 2;
    shim.zName = "longstop-crash";
    shim.pNext = NULL;
    shim.szOsFile = (int)sizeof(struct shim_file) + below->szOsFile;
    shim.xOpen = shim_open;
    shim.xDelete = shim_delete;
    const char *fault = getenv("LONGSTOP_STORE_FAULT");
    if (fault != NULL) {
        read_fault(fault);
    }
    return sqlite3_vfs_register(&shim, 1) == SQLITE_OK ? STATUS_OK
                                                       : STATUS_NOMEM;
}

#endif
