/* SPDX-License-Identifier: MIT */
/* Calls that fail: the same life of the store, over and over, with the n-th
 * call of a kind failing, once or from there on, for every n there is; the same
 * with allocations, SQLite's among them. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "faults/life.h"
#include "faults/tape.h"
#include "io/shortage.h"
#include "store/store_sqlite_private.h"
#include "store/store_vfs.h"

enum {
    PATH_BYTES = 160,
    TRIES = 3,
    TOLD_MOST = 10,
    MEMORY = 0, /* no call of a file: an allocation */
    /* There are thousands, and many fail alike. */
    MEMORY_STRIDE = 37
};

/* Kinds of failures, and what a store that serves must say of them. */
static const struct row {
    const char *name;
    unsigned kinds;
    int rc;
    bool always;
    bool stays; /* a store that serves is usable when it is over */
} rows[] = {
    { "a read", STORE_VFS_READ, SQLITE_IOERR_READ, false, false },
    { "a write", STORE_VFS_WRITE, SQLITE_IOERR_WRITE, false, false },
    { "all writes", STORE_VFS_WRITE, SQLITE_IOERR_WRITE, true, false },
    { "a write, half of which is there", STORE_VFS_TORN, SQLITE_IOERR_WRITE,
      false, false },
    { "a sync", STORE_VFS_SYNC, SQLITE_IOERR_FSYNC, false, false },
    { "all syncs", STORE_VFS_SYNC, SQLITE_IOERR_FSYNC, true, false },
    { "a truncate", STORE_VFS_TRUNCATE, SQLITE_IOERR_TRUNCATE, false, false },
    { "a delete", STORE_VFS_DELETE, SQLITE_IOERR_DELETE, false, false },
    { "an open", STORE_VFS_OPEN, SQLITE_CANTOPEN, false, false },
    { "a lock", STORE_VFS_LOCK, SQLITE_IOERR_LOCK, false, false },
    { "shared memory", STORE_VFS_SHARED, SQLITE_IOERR_SHMMAP, false, false },
    { "a length", STORE_VFS_SIZE, SQLITE_IOERR_FSTAT, false, false },
    { "no room", STORE_VFS_WRITE, SQLITE_FULL, false, true },
    { "no room for half of it", STORE_VFS_TORN, SQLITE_FULL, false, true },
    { "no room from there on", STORE_VFS_WRITE, SQLITE_FULL, true, true },
    { "memory of a read", STORE_VFS_READ, SQLITE_IOERR_NOMEM, false, true },
    { "memory of a write", STORE_VFS_WRITE, SQLITE_IOERR_NOMEM, false, true },
    { "an allocation", MEMORY, 0, false, true },
    { "allocations from there on", MEMORY, 0, true, true },
    { "damage", STORE_VFS_READ, SQLITE_CORRUPT, false, false },
};

static char in_memory[] = "/dev/shm/longstop-calls-XXXXXX";
static char on_disk[] = "/tmp/longstop-calls-XXXXXX";
static const char *folder;
static char path[PATH_BYTES];
static long finals; /* lives that a failure ended */

/* Allocations until one fails; negative: none does. */
static long memory_left = -1;
static bool memory_always;
static bool memory_met;

/* Nothing fails while the state is looked at, and nothing is counted. */
static void
hold(bool holds)
{
    store_vfs_hold(holds);
    if (!holds) {
        (void)mem_fail_after(memory_left, memory_always);
        return;
    }
    const long asked = mem_fail_after(-1, 0);
    if (memory_left >= 0 && asked > memory_left) {
        memory_met = true;
        memory_left = memory_always ? 0 : -1;
    } else if (memory_left >= 0) {
        memory_left -= asked;
    }
}

static void
begin_failing(const struct row *row, long n)
{
    if (row->kinds != MEMORY) {
        (void)store_vfs_fail_after(row->kinds, n, row->rc, row->always);
        return;
    }
    memory_left = n;
    memory_always = row->always;
    memory_met = false;
    hold(false);
}

/* Returns whether the n-th call, or allocation, was met. */
static bool
end_failing(const struct row *row, long n)
{
    const bool met = store_vfs_fail_after(0, -1, 0, false) > n;
    hold(true);
    store_vfs_hold(false);
    memory_left = -1;
    return row->kinds == MEMORY ? memory_met : met;
}

/* Whether nothing at all is acknowledged, by any step, from here on. */
static bool
says_no_more(struct life *life, int step)
{
    for (int i = step; i < life_steps(); i++) {
        struct life copy = *life;
        if (life_step_is_deed(i) &&
            life_step(&copy, path, i, NULL) == STATUS_OK) {
            return false;
        }
    }
    return true;
}

struct end {
    const char *wrong;
    enum status status; /* STATUS_OK: it lived to its end */
    uint64_t state;     /* behind the last acknowledged step; 0: none was */
};

static uint64_t
state_of(struct life *life)
{
    hold(true);
    const uint64_t state = life_state(life);
    hold(false);
    return state;
}

/* What is wrong with a store in which step `step` failed; NULL for nothing. */
static const char *
judge(struct life *life, const struct row *row, int step)
{
    const bool is_final = life->store->link.link.failed != STATUS_OK;
    finals += is_final ? 1 : 0;
    if (row->stays) {
        return is_final ? "a store that could go on does not" : NULL;
    }
    if (!is_final) {
        return "a store that must not go on does";
    }
    return says_no_more(life, step)
               ? NULL
               : "something is acknowledged behind a failure";
}

static void
live(struct life *life, const struct row *row, struct end *end)
{
    struct error err = { 0 };
    end->status = life_open(life, path, &err);
    for (int i = 0; end->status == STATUS_OK && i < life_steps(); i++) {
        end->state = state_of(life);
        for (int tries = 0; tries < TRIES; tries++) {
            end->status = life_step(life, path, i, &err);
            if (end->status == STATUS_OK || life->store == NULL ||
                life->store->link.link.failed != STATUS_OK) {
                break;
            }
        }
        if (end->status != STATUS_OK && life->store != NULL) {
            end->wrong = judge(life, row, i);
        }
    }
    if (end->status == STATUS_OK && life->store != NULL) {
        end->state = state_of(life);
    }
}

/* Starts when the failure is over, and looks. */
static void
look(struct life *life, struct end *end)
{
    struct error err = { 0 };
    sqlite3_stmt *stmt = NULL;
    life->held_count = 0;
    if (life_open(life, path, &err) != STATUS_OK) {
        static char words[sizeof(err.text)];
        memcpy(words, err.text, sizeof(words));
        end->wrong = words;
        return;
    }
    bool certain = end->state != 0 && life_state(life) == end->state;
    if (sqlite3_prepare_v2(life->store->link.db, "PRAGMA integrity_check", -1,
                           &stmt, NULL) != SQLITE_OK ||
        sqlite3_step(stmt) != SQLITE_ROW ||
        strcmp((const char *)sqlite3_column_text(stmt, 0), "ok") != 0) {
        end->wrong = "the file is not whole";
    } else if (!certain && end->status == STATUS_OK) {
        end->wrong = "what was acknowledged is not what is there";
    }
    (void)sqlite3_finalize(stmt);
    if (end->wrong == NULL) {
        end->wrong = life_goes_on(life, certain);
    }
}

/* Returns whether the failure was met at all. */
static bool
fail_at(const struct row *row, long n, long *failed)
{
    struct life life = { 0 };
    struct end end = { 0 };
    tape_wipe(folder);
    begin_failing(row, n);
    live(&life, row, &end);
    bool met = end_failing(row, n);
    life_close(&life);
    if (end.wrong == NULL) {
        look(&life, &end);
        life_close(&life);
    }
    if (end.wrong != NULL && ++*failed <= TOLD_MOST) {
        printf("%s, call %ld: %s\n", row->name, n, end.wrong);
    }
    return met;
}

int
main(int argc, char **argv)
{
    long every = 1;
    long only = -1;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--every") == 0) {
            every = strtol(argv[i + 1], NULL, 10);
        } else if (strcmp(argv[i], "--at") == 0) {
            only = strtol(argv[i + 1], NULL, 10);
        }
    }
    shortage_share();
    folder = mkdtemp(in_memory);
    folder = folder == NULL ? mkdtemp(on_disk) : folder;
    if (folder == NULL || every < 1 || store_vfs_install() != STATUS_OK) {
        perror(on_disk);
        return 2;
    }
    (void)snprintf(path, sizeof(path), "%s/db", folder);
    int wrong = 0;
    const int count = (int)(sizeof(rows) / sizeof(rows[0]));
    for (int i = 0; i < count; i++) {
        long failed = 0;
        long tried = 0;
        finals = 0;
        /* other places for each kind, where not all are tried */
        long n = only >= 0 ? only : i % every;
        const long stride =
            every * (rows[i].kinds == MEMORY ? MEMORY_STRIDE : 1);
        bool met = true;
        for (; met && failed < TOLD_MOST; n += stride) {
            met = fail_at(&rows[i], n, &failed);
            tried++;
            met = met && only < 0;
        }
        printf("%s: %ld lives, %ld ended by it, %ld wrong\n", rows[i].name,
               tried, finals, failed);
        (void)fflush(stdout);
        wrong += failed > 0 ? 1 : 0;
    }
    tape_wipe(folder);
    (void)rmdir(folder);
    printf("%d passed, %d failed\n", count - wrong, wrong);
    return wrong == 0 ? 0 : 1;
}
