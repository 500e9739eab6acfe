/* SPDX-License-Identifier: MIT */
/*
 * fs: files: read a whole one, write one, append and sync, hold a lock.
 *
 * New files are 0600. Messages name the path, the cause and the way out.
 */
#ifndef IO_FS_H
#define IO_FS_H

#include "base/bytes.h"
#include "base/status.h"

#include <stdbool.h>

/* Reads a regular file of at most `limit` bytes. STATUS_NOT_FOUND,
 * STATUS_DENIED, STATUS_TOO_LARGE, STATUS_IO. */
NODISCARD
enum status fs_read(const char *path, size_t limit, struct buf *into,
                    struct error *err);

/* Reads a descriptor to its end, likewise limited. */
NODISCARD
enum status fs_read_fd(int fd, size_t limit, struct buf *into,
                       struct error *err);

bool fs_exists(const char *path);
bool fs_is_directory(const char *path);

/* Names of the entries of a directory that end in `suffix`, sorted by bytes,
 * each followed by NUL, appended to `into`. A missing directory has none. */
NODISCARD
enum status fs_list(const char *path, const char *suffix, struct buf *into,
                    struct error *err);

/*
 * Makes `bytes` the whole text of `path`, new or not: after a crash it is the
 * old text or this one, never a part, and once this has returned it is this
 * one. Both the file and its name are synced.
 */
NODISCARD
enum status fs_replace(const char *path, struct slice bytes, struct error *err);

/* Takes a file away for good; none there is STATUS_OK. */
NODISCARD
enum status fs_remove(const char *path, struct error *err);

/*
 * Gives the file `from` the name `to`, in the same directory, durably: its
 * bytes first, then the name. What `to` named before is gone when it
 * `replaces`, else STATUS_EXISTS and nothing has changed.
 */
NODISCARD
enum status fs_place(const char *from, const char *to, bool replaces,
                     struct error *err);

/* Gives a file a second name beside it, which must be free, durably. */
NODISCARD
enum status fs_link(const char *path, const char *also, struct error *err);

/* Makes `path` the file of whoever `like` is of, where we may; one that is not
 * there is like nobody. */
NODISCARD
enum status fs_own_like(const char *path, const char *like, struct error *err);

/* Makes a directory that is ours alone (0700), durably; one that is there stays
 * as it is. */
NODISCARD
enum status fs_make_directory(const char *path, struct error *err);

/*
 * A file that grows by whole lines. Opening cuts an unfinished last line off;
 * fs_append_write writes all bytes or, on failure, cuts back to what was there;
 * fs_append_sync returns after fdatasync. All three count as durable steps of
 * the crash tests.
 */
struct fs_append;
NODISCARD
enum status fs_append_open(const char *path, struct fs_append **ret,
                           struct error *err);
NODISCARD
enum status fs_append_write(struct fs_append *file, struct slice bytes,
                            struct error *err);
NODISCARD
enum status fs_append_sync(struct fs_append *file, struct error *err);
void fs_append_close(struct fs_append *file);

/*
 * The instance lock: flock on `path`, which also says how the last holder
 * ended. STATUS_FENCED when another process holds it (its pid is in the words);
 * one whose holder is gone already is waited for, a second at most.
 */
struct fs_lock;
NODISCARD
enum status fs_lock_take(const char *path, bool *ret_was_clean,
                         struct fs_lock **ret, struct error *err);
/* Marks the end as clean (or not) and lets go. */
void fs_lock_release(struct fs_lock *lock, bool clean);

/*
 * Crash tests: ends the process with _exit(86) at the n-th durable step (write,
 * sync, truncate, unlink or rename of a file of ours), when the environment
 * variable LONGSTOP_CRASH_AT says n and the build is a test build; elsewhere it
 * does nothing. The SQLite VFS of the test build counts here too.
 */
void fs_durable_step(void);
/* How many steps there were so far. */
long fs_durable_steps(void);

#endif
