/* SPDX-License-Identifier: MIT */
/* The recorder, and the disk that a power loss leaves. */
#include "faults/tape.h"

#include <dirent.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/prng.h"

enum {
    NAME_BYTES = 64,
    PATH_BYTES = 256,
    NAMES_MAX = 16,
    SECTOR = 512,
    TORN_ONE_IN = 16,
    GROWTH = 256
};

enum kind { MADE, WROTE, CUT, SYNCED, GONE, FOLDER_SYNCED };

struct change {
    enum kind kind;
    int name;
    long long at;
    size_t len;
    unsigned char *bytes;
};

/* What a name led to, once: bytes that are safe, and changes that are not. */
struct inode {
    unsigned char *bytes;
    size_t size;
    size_t *pending; /* indexes of changes */
    size_t count;
};

static char names[NAMES_MAX][NAME_BYTES];
static int name_count;
static struct change *changes;
static size_t change_count;
static size_t change_room;
static char root[PATH_BYTES];
static bool there[NAMES_MAX]; /* by what was noted */
static bool records;
static bool lies;

/* Where the replay stands. */
static size_t replayed;
static struct inode *safe[NAMES_MAX];    /* what the folder shows for certain */
static struct inode *current[NAMES_MAX]; /* what a running program sees */

static void
must(bool condition, const char *words)
{
    if (!condition) {
        perror(words);
        abort();
    }
}

static void *
grown(void *old, size_t bytes)
{
    void *block = realloc(old, bytes == 0 ? 1 : bytes);
    must(block != NULL, "tape: memory");
    return block;
}

/* The number of a path's name, or -1 when it lies elsewhere. */
static int
number_of(const char *path)
{
    size_t len = strlen(root);
    if (path == NULL || strncmp(path, root, len) != 0 || path[len] != '/') {
        return -1;
    }
    const char *name = path + len + 1;
    for (int i = 0; i < name_count; i++) {
        if (strcmp(names[i], name) == 0) {
            return i;
        }
    }
    must(name_count < NAMES_MAX && strlen(name) < NAME_BYTES, "tape: names");
    (void)snprintf(names[name_count], NAME_BYTES, "%s", name);
    return name_count++;
}

static void
note(enum kind kind, int name, long long at, const void *bytes, size_t len)
{
    if (!records || name < 0) {
        return;
    }
    if (change_count == change_room) {
        change_room += GROWTH;
        changes = grown(changes, change_room * sizeof(*changes));
    }
    struct change *change = &changes[change_count++];
    *change = (struct change){ kind, name, at, len, NULL };
    if (bytes != NULL) {
        change->bytes = grown(NULL, len);
        memcpy(change->bytes, bytes, len);
    }
}

size_t
tape_length(void)
{
    return change_count;
}

void
tape_syncs_are_lies(bool they_lie)
{
    lies = they_lie;
}

/* ---- the recorder ---- */

/* The file of the VFS below lies behind ours, in the room SQLite gives. */
struct file {
    sqlite3_file base;
    int name;
    bool is_new_log; /* its first sync is one of its folder as well */
};

static sqlite3_vfs *below;
static sqlite3_vfs recorder;

static struct file *
ours(sqlite3_file *file)
{
    return (struct file *)(void *)file;
}

static sqlite3_file *
real(sqlite3_file *file)
{
    return (sqlite3_file *)(void *)(ours(file) + 1);
}

#define BELOW(file) (real(file)->pMethods)

static int
on_close(sqlite3_file *file)
{
    return BELOW(file)->xClose(real(file));
}

static int
on_read(sqlite3_file *file, void *into, int count, sqlite3_int64 at)
{
    return BELOW(file)->xRead(real(file), into, count, at);
}

static int
on_write(sqlite3_file *file, const void *bytes, int count, sqlite3_int64 at)
{
    note(WROTE, ours(file)->name, at, bytes, (size_t)count);
    return BELOW(file)->xWrite(real(file), bytes, count, at);
}

static int
on_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    note(CUT, ours(file)->name, size, NULL, 0);
    return BELOW(file)->xTruncate(real(file), size);
}

static int
on_sync(sqlite3_file *file, int flags)
{
    (void)flags; /* the files are in memory, as a rule, and the tape is real */
    if (!lies) {
        note(SYNCED, ours(file)->name, 0, NULL, 0);
    }
    if (ours(file)->is_new_log) {
        note(FOLDER_SYNCED, ours(file)->name, 0, NULL, 0);
        ours(file)->is_new_log = false;
    }
    return SQLITE_OK;
}

static int
on_size(sqlite3_file *file, sqlite3_int64 *ret)
{
    return BELOW(file)->xFileSize(real(file), ret);
}

static int
on_lock(sqlite3_file *file, int how)
{
    return BELOW(file)->xLock(real(file), how);
}

static int
on_unlock(sqlite3_file *file, int how)
{
    return BELOW(file)->xUnlock(real(file), how);
}

static int
on_reserved(sqlite3_file *file, int *ret)
{
    return BELOW(file)->xCheckReservedLock(real(file), ret);
}

static int
on_control(sqlite3_file *file, int what, void *arg)
{
    return BELOW(file)->xFileControl(real(file), what, arg);
}

static int
on_sector(sqlite3_file *file)
{
    return BELOW(file)->xSectorSize(real(file));
}

static int
on_device(sqlite3_file *file)
{
    return BELOW(file)->xDeviceCharacteristics(real(file));
}

static int
on_shm_map(sqlite3_file *file, int page, int size, int extend,
           void volatile **ret)
{
    return BELOW(file)->xShmMap(real(file), page, size, extend, ret);
}

static int
on_shm_lock(sqlite3_file *file, int offset, int count, int flags)
{
    return BELOW(file)->xShmLock(real(file), offset, count, flags);
}

static void
on_shm_barrier(sqlite3_file *file)
{
    BELOW(file)->xShmBarrier(real(file));
}

static int
on_shm_unmap(sqlite3_file *file, int drop)
{
    return BELOW(file)->xShmUnmap(real(file), drop);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = on_close,
    .xRead = on_read,
    .xWrite = on_write,
    .xTruncate = on_truncate,
    .xSync = on_sync,
    .xFileSize = on_size,
    .xLock = on_lock,
    .xUnlock = on_unlock,
    .xCheckReservedLock = on_reserved,
    .xFileControl = on_control,
    .xSectorSize = on_sector,
    .xDeviceCharacteristics = on_device,
    .xShmMap = on_shm_map,
    .xShmLock = on_shm_lock,
    .xShmBarrier = on_shm_barrier,
    .xShmUnmap = on_shm_unmap,
};

static int
on_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags,
        int *ret_flags)
{
    (void)vfs;
    ours(file)->name = number_of(path);
    struct stat info;
    const bool is_new = path != NULL && stat(path, &info) != 0;
    int rc = below->xOpen(below, path, real(file), flags, ret_flags);
    file->pMethods = real(file)->pMethods == NULL ? NULL : &methods;
    const int name = ours(file)->name;
    if (rc == SQLITE_OK && name >= 0 && !there[name]) {
        note(MADE, name, 0, NULL, 0); /* the store makes its file by itself */
        there[name] = true;
    }
    /* As the unix VFS does: the main database's name is not synced. */
    ours(file)->is_new_log =
        is_new && (flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL)) != 0;
    return rc;
}

static int
on_delete(sqlite3_vfs *vfs, const char *path, int sync)
{
    (void)vfs;
    int rc = below->xDelete(below, path, 0);
    const int name = number_of(path);
    if (rc == SQLITE_OK && name >= 0) {
        note(GONE, name, 0, NULL, 0);
        there[name] = false;
        if (sync != 0) {
            note(FOLDER_SYNCED, name, 0, NULL, 0);
        }
    }
    return rc;
}

bool
tape_install(void)
{
    below = sqlite3_vfs_find(NULL);
    if (below == NULL) {
        return false;
    }
    recorder = *below;
    recorder.iVersion = 2;
    recorder.zName = "longstop-tape";
    recorder.pNext = NULL;
    recorder.szOsFile = (int)sizeof(struct file) + below->szOsFile;
    recorder.xOpen = on_open;
    recorder.xDelete = on_delete;
    return sqlite3_vfs_register(&recorder, 1) == SQLITE_OK;
}

/* ---- the disk ---- */

static void
inode_free(struct inode *inode)
{
    if (inode != NULL) {
        free(inode->bytes);
        free(inode->pending);
        free(inode);
    }
}

static void
forget_disk(void)
{
    for (int i = 0; i < NAMES_MAX; i++) {
        if (safe[i] != current[i]) {
            inode_free(safe[i]);
        }
        inode_free(current[i]);
        safe[i] = current[i] = NULL;
    }
    replayed = 0;
}

static struct inode *
inode_new(void)
{
    struct inode *inode = grown(NULL, sizeof(*inode));
    *inode = (struct inode){ 0 };
    return inode;
}

static void
resize(unsigned char **bytes, size_t *size, size_t wanted)
{
    if (wanted > *size) {
        *bytes = grown(*bytes, wanted);
        memset(*bytes + *size, 0, wanted - *size);
    }
    *size = wanted;
}

static void
apply(const struct change *change, unsigned char **bytes, size_t *size)
{
    if (change->kind == CUT) {
        resize(bytes, size, (size_t)change->at);
        return;
    }
    size_t end = (size_t)change->at + change->len;
    if (end > *size) {
        resize(bytes, size, end);
    }
    memcpy(*bytes + change->at, change->bytes, change->len);
}

static void
settle(struct inode *inode)
{
    for (size_t i = 0; i < inode->count; i++) {
        apply(&changes[inode->pending[i]], &inode->bytes, &inode->size);
    }
    inode->count = 0;
}

/* A sync of one file's folder is one of all names in it. */
static void
settle_names(void)
{
    for (int i = 0; i < name_count; i++) {
        if (safe[i] != current[i]) {
            inode_free(safe[i]);
            safe[i] = current[i];
        }
    }
}

static void
advance(size_t index)
{
    const struct change *change = &changes[index];
    struct inode **now = &current[change->name];
    switch (change->kind) {
    case MADE:
        if (*now != safe[change->name]) {
            inode_free(*now);
        }
        *now = inode_new();
        break;
    case GONE:
        if (*now != safe[change->name]) {
            inode_free(*now);
        }
        *now = NULL;
        break;
    case SYNCED:
        if (*now != NULL) {
            settle(*now);
        }
        break;
    case FOLDER_SYNCED: settle_names(); break;
    case WROTE:
    case CUT:
        must(*now != NULL, "tape: a change of nothing");
        (*now)->pending =
            grown((*now)->pending, ((*now)->count + 1) * sizeof(size_t));
        (*now)->pending[(*now)->count++] = index;
        break;
    }
}

/* Sector for sector the new bytes or the old ones; of one in a few, only the
 * first part is new. */
static void
apply_some(const struct change *change, struct prng *prng,
           unsigned char **bytes, size_t *size)
{
    if (change->kind == CUT) {
        if (prng_below(prng, 2) == 0) {
            apply(change, bytes, size);
        }
        return;
    }
    size_t end = (size_t)change->at + change->len;
    size_t from = (size_t)change->at;
    while (from < end) {
        size_t until = (from / SECTOR + 1) * SECTOR;
        until = until < end ? until : end;
        size_t len = until - from;
        uint64_t chance = prng_below(prng, 2 * TORN_ONE_IN);
        if (chance == 0) {
            len = prng_below(prng, len);
        }
        if (chance < TORN_ONE_IN && len > 0) {
            struct change part = { WROTE, change->name, (long long)from, len,
                                   change->bytes +
                                       (from - (size_t)change->at) };
            apply(&part, bytes, size);
        }
        from = until;
    }
}

static void
put(const char *folder, int name, const struct inode *inode,
    enum tape_loss loss, struct prng *prng)
{
    unsigned char *bytes = NULL;
    size_t size = 0;
    resize(&bytes, &size, inode->size);
    if (size > 0) {
        memcpy(bytes, inode->bytes, size);
    }
    for (size_t i = 0; i < inode->count && loss != TAPE_NONE_KEPT; i++) {
        const struct change *change = &changes[inode->pending[i]];
        if (loss == TAPE_ALL_KEPT) {
            apply(change, &bytes, &size);
        } else {
            apply_some(change, prng, &bytes, &size);
        }
    }
    char path[PATH_BYTES + NAME_BYTES];
    (void)snprintf(path, sizeof(path), "%s/%s", folder, names[name]);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    must(fd >= 0, path);
    must(write(fd, bytes, size) == (ssize_t)size, path);
    (void)close(fd);
    free(bytes);
}

bool
tape_replay(const char *folder, size_t length, enum tape_loss loss,
            uint64_t seed)
{
    if (length > change_count || length < replayed) {
        return false; /* begin with the shortest */
    }
    while (replayed < length) {
        advance(replayed++);
    }
    struct prng prng = { seed ^ length };
    tape_wipe(folder);
    for (int i = 0; i < name_count; i++) {
        const struct inode *shown =
            loss == TAPE_NONE_KEPT ? safe[i] : current[i];
        if (loss == TAPE_SOME_KEPT && prng_below(&prng, 2) == 0) {
            shown = safe[i];
        }
        if (shown != NULL) {
            put(folder, i, shown, loss, &prng);
        }
    }
    return true;
}

/* ---- the folder ---- */

/* Runs over the files of a folder: reads each onto the disk, or drops it. */
static void
each_file(const char *folder, bool drop)
{
    DIR *open_folder = opendir(folder);
    must(open_folder != NULL, folder);
    struct dirent *entry;
    while ((entry = readdir(open_folder)) != NULL) {
        char path[PATH_BYTES + NAME_BYTES];
        (void)snprintf(path, sizeof(path), "%s/%.63s", folder, entry->d_name);
        struct stat info;
        if (entry->d_name[0] == '.' || stat(path, &info) != 0) {
            continue;
        }
        if (drop) {
            (void)unlink(path);
            continue;
        }
        struct inode *inode = inode_new();
        resize(&inode->bytes, &inode->size, (size_t)info.st_size);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        must(fd >= 0 &&
                 read(fd, inode->bytes, inode->size) == (ssize_t)inode->size,
             path);
        (void)close(fd);
        int name = number_of(path);
        safe[name] = current[name] = inode;
        there[name] = true;
    }
    (void)closedir(open_folder);
}

void
tape_wipe(const char *folder)
{
    each_file(folder, true);
}

void
tape_begin(const char *folder)
{
    forget_disk();
    for (size_t i = 0; i < change_count; i++) {
        free(changes[i].bytes);
    }
    change_count = 0;
    name_count = 0;
    memset(there, 0, sizeof(there));
    (void)snprintf(root, sizeof(root), "%s", folder);
    each_file(folder, false);
    records = true;
}

void
tape_end(void)
{
    records = false;
}
