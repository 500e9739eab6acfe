/* SPDX-License-Identifier: MIT */
#include "io/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/fs_private.h"

/* The exit code the crash tests wait for. */
enum { EXIT_CRASHED = 86 };

enum { READ_BYTES = 16384, TAIL_BYTES = 4096, LOCK_TEXT_BYTES = 64 };

/* A second at most for a lock whose holder is gone. */
enum { LOCK_PAUSE_NS = 10 * 1000 * 1000, LOCK_PAUSES = 100 };

static atomic_long durable_steps;

#ifdef LONGSTOP_CRASH_TESTS
/* Which step is the last one of this process; 0 when none is. */
static long
crash_step(void)
{
    static atomic_long known = -1;
    long at = atomic_load(&known);
    if (at < 0) {
        const char *text = getenv("LONGSTOP_CRASH_AT");
        uint64_t number = 0;
        bool given =
            text != NULL && slice_to_u64(slice_of(text), &number) == STATUS_OK;
        at = given ? (long)number : 0;
        atomic_store(&known, at);
    }
    return at;
}
#endif

void
fs_durable_step(void)
{
    long step = atomic_fetch_add(&durable_steps, 1) + 1;
#ifdef LONGSTOP_CRASH_TESTS
    if (step == crash_step()) {
        _exit(EXIT_CRASHED);
    }
#else
    (void)step;
#endif
}

long
fs_durable_steps(void)
{
    return atomic_load(&durable_steps);
}

/* What a cause means for us, and what a person can do about it. */
static const struct {
    int cause;
    enum status status;
    const char *way_out;
} causes[] = {
    { ENOENT, STATUS_NOT_FOUND, "check the path" },
    { ENOTDIR, STATUS_NOT_FOUND, "check the path" },
    { EACCES, STATUS_DENIED, "give this user the right to it" },
    { EPERM, STATUS_DENIED, "give this user the right to it" },
    { EROFS, STATUS_DENIED, "choose a place that can be written" },
    { EISDIR, STATUS_INVALID, "name a file" },
    { ELOOP, STATUS_INVALID, "check the symbolic links" },
    { ENAMETOOLONG, STATUS_INVALID, "choose a shorter path" },
    { ENOSPC, STATUS_FULL, "make room on this file system" },
    { EDQUOT, STATUS_FULL, "raise the quota or make room" },
    { EFBIG, STATUS_FULL, "raise the limit on file sizes" },
    { EMFILE, STATUS_BUSY, "raise the limit on open files" },
    { ENFILE, STATUS_BUSY, "raise the limit on open files" },
    { ENOMEM, STATUS_NOMEM, "free memory" },
};

enum status
fs_fail(struct error *err, const char *verb, const char *path, int cause)
{
    char words[128];
    if (strerror_r(cause, words, sizeof(words)) != 0) {
        (void)snprintf(words, sizeof(words), "error %d", cause);
    }
    for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]); i++) {
        if (causes[i].cause == cause) {
            return error_set(err, causes[i].status, "cannot %s %s: %s; %s",
                             verb, path, words, causes[i].way_out);
        }
    }
    return error_set(err, STATUS_IO,
                     "cannot %s %s: %s; check the disk and the kernel's log",
                     verb, path, words);
}

static enum status
refuse_irregular(struct error *err, const char *path, mode_t mode)
{
    return error_set(err, STATUS_INVALID, "%s is %s; name a regular file", path,
                     S_ISDIR(mode) ? "a directory" : "not a regular file");
}

static ssize_t
read_some(int fd, char *into, size_t size)
{
    ssize_t got;
    do {
        got = read(fd, into, size);
    } while (got < 0 && errno == EINTR);
    return got;
}

static enum status
read_to_end(int fd, const char *name, size_t limit, struct buf *into,
            struct error *err)
{
    size_t start = into->len;
    for (;;) {
        size_t taken = into->len - start;
        size_t room = limit - taken < READ_BYTES ? limit - taken : READ_BYTES;
        /* one more than allowed shows that there is more */
        char *at = buf_reserve(into, room + 1);
        if (at == NULL) {
            return error_set(err, buf_status(into), "cannot read %s: %s", name,
                             status_text(buf_status(into)));
        }
        ssize_t got = read_some(fd, at, room + 1);
        if (got < 0) {
            return fs_fail(err, "read", name, errno);
        }
        if (got == 0) {
            *at = '\0';
            return STATUS_OK;
        }
        if ((size_t)got > limit - taken) {
            *at = '\0';
            return error_set(err, STATUS_TOO_LARGE,
                             "%s is larger than %zu bytes", name, limit);
        }
        into->len += (size_t)got;
        into->ptr[into->len] = '\0';
    }
}

enum status
fs_read(const char *path, size_t limit, struct buf *into, struct error *err)
{
    /* O_NONBLOCK: a FIFO nobody writes to must not hold us here */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) {
        return fs_fail(err, "read", path, errno);
    }
    struct stat info;
    enum status status;
    if (fstat(fd, &info) != 0) {
        status = fs_fail(err, "read", path, errno);
    } else if (!S_ISREG(info.st_mode)) {
        status = refuse_irregular(err, path, info.st_mode);
    } else {
        status = read_to_end(fd, path, limit, into, err);
    }
    (void)close(fd);
    return status;
}

enum status
fs_read_fd(int fd, size_t limit, struct buf *into, struct error *err)
{
    char name[32] = "standard input";
    if (fd != STDIN_FILENO) {
        (void)snprintf(name, sizeof(name), "descriptor %d", fd);
    }
    return read_to_end(fd, name, limit, into, err);
}

bool
fs_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0;
}

bool
fs_is_directory(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static int
compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

struct names {
    char **at;
    size_t count;
    size_t cap;
    struct arena arena;
};

static enum status
names_add(struct names *names, struct slice name)
{
    if (names->count == names->cap) {
        size_t cap = names->cap == 0 ? 16 : names->cap * 2;
        char **at = mem_resize(names->at, cap, sizeof(*at));
        if (at == NULL) {
            return STATUS_NOMEM;
        }
        names->at = at;
        names->cap = cap;
    }
    char *copy = arena_text(&names->arena, name);
    if (copy == NULL) {
        return STATUS_NOMEM;
    }
    names->at[names->count++] = copy;
    return STATUS_OK;
}

static enum status
names_read(struct names *names, DIR *dir, const char *path, struct slice suffix,
           struct error *err)
{
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (entry == NULL) {
            return errno == 0 ? STATUS_OK : fs_fail(err, "list", path, errno);
        }
        struct slice name = slice_of(entry->d_name);
        /* editors keep their locks and half-written files behind a dot */
        if (name.ptr[0] == '.' || !slice_ends(name, suffix)) {
            continue;
        }
        if (names_add(names, name) != STATUS_OK) {
            return fs_fail(err, "list", path, ENOMEM);
        }
    }
}

enum status
fs_list(const char *path, const char *suffix, struct buf *into,
        struct error *err)
{
    DIR *dir = opendir(path);
    if (dir == NULL) {
        return errno == ENOENT ? STATUS_OK : fs_fail(err, "list", path, errno);
    }
    struct names names = { 0 };
    enum status status = names_read(&names, dir, path, slice_of(suffix), err);
    (void)closedir(dir);
    if (status == STATUS_OK && names.count > 0) {
        qsort(names.at, names.count, sizeof(*names.at), compare_names);
        for (size_t i = 0; i < names.count; i++) {
            buf_text(into, names.at[i]);
            buf_byte(into, '\0');
        }
        status = buf_status(into);
        if (status != STATUS_OK) {
            (void)error_set(err, status, "cannot list %s: %s", path,
                            status_text(status));
        }
    }
    mem_free(names.at);
    arena_fini(&names.arena);
    return status;
}

enum status
fs_sync_parent(const char *path, struct error *err)
{
    struct buf parent = { 0 };
    const char *slash = strrchr(path, '/');
    if (slash == NULL) {
        buf_byte(&parent, '.');
    } else {
        size_t len = slash == path ? 1 : (size_t)(slash - path);
        buf_append(&parent, (struct slice){ path, len });
    }
    enum status status = buf_status(&parent);
    if (status != STATUS_OK) {
        buf_fini(&parent);
        return fs_fail(err, "sync the directory of", path, ENOMEM);
    }
    int fd = open(parent.ptr, O_RDONLY | O_CLOEXEC | O_DIRECTORY);
    /* EINVAL: a file system that has nothing to sync here */
    if (fd < 0 || (fsync(fd) != 0 && errno != EINVAL)) {
        status = fs_fail(err, "sync the directory", parent.ptr, errno);
    } else {
        fs_durable_step();
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    buf_fini(&parent);
    return status;
}

static int
truncate_fd(int fd, off_t size)
{
    int rc;
    do {
        rc = ftruncate(fd, size);
    } while (rc != 0 && errno == EINTR);
    if (rc == 0) {
        fs_durable_step();
    }
    return rc;
}

struct fs_append {
    int fd;
    off_t cut_to; /* -1, or where a failed write still has to be cut */
    char *path;
};

/* Where the last whole line ends, read backwards. -1: see errno. */
static off_t
end_of_lines(int fd, off_t size)
{
    char block[TAIL_BYTES];
    while (size > 0) {
        size_t want = size < TAIL_BYTES ? (size_t)size : TAIL_BYTES;
        ssize_t got = pread(fd, block, want, size - (off_t)want);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got != (ssize_t)want) {
            errno = got < 0 ? errno : EIO;
            return -1;
        }
        for (size_t i = want; i > 0; i--) {
            if (block[i - 1] == '\n') {
                return size - (off_t)(want - i);
            }
        }
        size -= (off_t)want;
    }
    return 0;
}

static enum status
append_prepare(struct fs_append *file, struct error *err)
{
    struct stat info;
    if (fstat(file->fd, &info) != 0) {
        return fs_fail(err, "open", file->path, errno);
    }
    if (!S_ISREG(info.st_mode)) {
        return refuse_irregular(err, file->path, info.st_mode);
    }
    if (info.st_size == 0) {
        return fs_sync_parent(file->path, err);
    }
    off_t end = end_of_lines(file->fd, info.st_size);
    if (end < 0) {
        return fs_fail(err, "read", file->path, errno);
    }
    if (end < info.st_size && truncate_fd(file->fd, end) != 0) {
        return fs_fail(err, "cut the unfinished last line of", file->path,
                       errno);
    }
    return STATUS_OK;
}

enum status
fs_append_open(const char *path, struct fs_append **ret, struct error *err)
{
    struct fs_append *file = mem_zero(sizeof(*file));
    if (file == NULL) {
        return fs_fail(err, "open", path, ENOMEM);
    }
    size_t size = strlen(path) + 1;
    file->cut_to = -1;
    file->path = mem_alloc(size);
    if (file->path == NULL) {
        mem_free(file);
        return fs_fail(err, "open", path, ENOMEM);
    }
    memcpy(file->path, path, size);
    file->fd = open(
        path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
        0600);
    enum status status = file->fd < 0 ? fs_fail(err, "open", path, errno)
                                      : append_prepare(file, err);
    if (status != STATUS_OK) {
        fs_append_close(file);
        return status;
    }
    *ret = file;
    return STATUS_OK;
}

/* Cuts what an earlier write left; others may have cut deeper since. */
static enum status
append_recover(struct fs_append *file, struct error *err)
{
    if (file->cut_to < 0) {
        return STATUS_OK;
    }
    struct stat info;
    if (fstat(file->fd, &info) != 0 ||
        (info.st_size > file->cut_to &&
         truncate_fd(file->fd, file->cut_to) != 0)) {
        return fs_fail(err, "cut a failed write off", file->path, errno);
    }
    file->cut_to = -1;
    return STATUS_OK;
}

enum status
fs_append_write(struct fs_append *file, struct slice bytes, struct error *err)
{
    enum status status = append_recover(file, err);
    if (status != STATUS_OK) {
        return status;
    }
    /* asked each time: a rotation may have emptied the file */
    struct stat info;
    if (fstat(file->fd, &info) != 0) {
        return fs_fail(err, "write", file->path, errno);
    }
    while (bytes.len > 0) {
        ssize_t put = write(file->fd, bytes.ptr, bytes.len);
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put < 0) {
            status = fs_fail(err, "write", file->path, errno);
            file->cut_to = info.st_size;
            (void)append_recover(file, NULL);
            return status;
        }
        fs_durable_step();
        bytes = slice_from(bytes, (size_t)put);
    }
    return STATUS_OK;
}

enum status
fs_append_sync(struct fs_append *file, struct error *err)
{
    /* never twice: after a failed sync the kernel may call lost pages clean */
    if (fdatasync(file->fd) != 0) {
        return fs_fail(err, "sync", file->path, errno);
    }
    fs_durable_step();
    return STATUS_OK;
}

void
fs_append_close(struct fs_append *file)
{
    if (file == NULL) {
        return;
    }
    if (file->fd >= 0) {
        (void)close(file->fd);
    }
    mem_free(file->path);
    mem_free(file);
}

struct fs_lock {
    int fd;
};

/* Replaces the whole text; the descriptor's lock keeps others away. */
static int
lock_write(int fd, const char *how)
{
    char text[LOCK_TEXT_BYTES];
    int len =
        snprintf(text, sizeof(text), "pid %ld\n%s\n", (long)getpid(), how);
    if (pwrite(fd, text, (size_t)len, 0) != len) {
        return -1;
    }
    fs_durable_step();
    if (truncate_fd(fd, len) != 0 || fdatasync(fd) != 0) {
        return -1;
    }
    fs_durable_step();
    return 0;
}

static struct slice
lock_text(int fd, char text[LOCK_TEXT_BYTES])
{
    ssize_t got = pread(fd, text, LOCK_TEXT_BYTES, 0);
    return (struct slice){ text, got < 0 ? 0 : (size_t)got };
}

/* Whether the holder that the file names is no more. */
static bool
holder_is_gone(int fd)
{
    static const struct slice before = SLICE("pid ");
    char bytes[LOCK_TEXT_BYTES];
    struct slice text = lock_text(fd, bytes);
    struct slice line;
    int64_t pid;
    if (!slice_split(&text, '\n', &line) || !slice_starts(line, before) ||
        slice_to_i64(slice_from(line, before.len), &pid) != STATUS_OK ||
        pid < 1 || pid > INT_MAX) {
        return false;
    }
    return kill((pid_t)pid, 0) != 0 && errno == ESRCH;
}

/*
 * Takes the lock, or waits a little for one whose holder has just died: a child
 * that was being spawned when it died holds a copy of the descriptor until it
 * runs its program, and a service manager may start the next agent at once.
 */
static int
lock_or_wait(int fd)
{
    const struct timespec pause = { .tv_nsec = LOCK_PAUSE_NS };
    int result = flock(fd, LOCK_EX | LOCK_NB);
    for (int i = 0; result != 0 && errno == EWOULDBLOCK && i < LOCK_PAUSES;
         i++) {
        if (!holder_is_gone(fd)) {
            errno = EWOULDBLOCK;
            break;
        }
        (void)nanosleep(&pause, NULL);
        result = flock(fd, LOCK_EX | LOCK_NB);
    }
    return result;
}

static enum status
lock_held(int fd, const char *path, struct error *err)
{
    char bytes[LOCK_TEXT_BYTES];
    struct slice text = lock_text(fd, bytes);
    struct slice pid = slice_of("unknown");
    (void)slice_split(&text, '\n', &pid);
    return error_set(err, STATUS_FENCED,
                     "%s is held by another process (%.*s); stop that one, or "
                     "give this one a store of its own",
                     path, SLICE_ARG(pid));
}

enum status
fs_lock_take(const char *path, bool *ret_was_clean, struct fs_lock **ret,
             struct error *err)
{
    struct fs_lock *lock = mem_zero(sizeof(*lock));
    if (lock == NULL) {
        return fs_fail(err, "lock", path, ENOMEM);
    }
    enum status status = STATUS_OK;
    bool is_new = true;
    int flags = O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    lock->fd = open(path, flags | O_CREAT | O_EXCL, 0600);
    if (lock->fd < 0 && errno == EEXIST) {
        is_new = false;
        lock->fd = open(path, flags);
    }
    if (lock->fd < 0) {
        status = fs_fail(err, "lock", path, errno);
        goto fail;
    }
    if (lock_or_wait(lock->fd) != 0) {
        status = errno == EWOULDBLOCK ? lock_held(lock->fd, path, err)
                                      : fs_fail(err, "lock", path, errno);
        goto fail;
    }
    char bytes[LOCK_TEXT_BYTES];
    /* a file that is new has no earlier end to doubt */
    *ret_was_clean =
        is_new || slice_ends(lock_text(lock->fd, bytes), slice_of("\nclean\n"));
    if (lock_write(lock->fd, "running") != 0) {
        status = fs_fail(err, "write", path, errno);
        goto fail;
    }
    if (is_new) {
        status = fs_sync_parent(path, err);
        if (status != STATUS_OK) {
            goto fail;
        }
    }
    *ret = lock;
    return STATUS_OK;

fail:
    if (lock->fd >= 0) {
        (void)close(lock->fd);
    }
    mem_free(lock);
    return status;
}

void
fs_lock_release(struct fs_lock *lock, bool clean)
{
    if (lock == NULL) {
        return;
    }
    if (clean) {
        /* left at "running", the next start only looks more closely */
        (void)lock_write(lock->fd, "clean");
    }
    /* the file stays: unlinking it would let two processes hold "the" lock */
    (void)close(lock->fd);
    mem_free(lock);
}
