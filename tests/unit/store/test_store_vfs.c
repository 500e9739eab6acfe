/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/store_sqlite.h"
#include "store/store_sqlite_private.h"
#include "store/store_vfs.h"

/*
 * The same short life of a store, over and over, with the n-th step on disk
 * failing or being the last one of the process, for every n there is. Round i
 * brings event i, ends the delivery of event i − 2 and moves the walk to i, all
 * in one unit; so what is on disk must be explained by the set of rounds that
 * were applied, and every acknowledged round must be in it.
 */

#define ROUNDS 8
#define FAR_MS ((int64_t)4000000000000)

/* In memory where that can be had: a process that ends loses nothing of what it
 * has written, so that a disk's syncs show nothing here and cost minutes. */
static char in_memory[] = "/dev/shm/longstop-vfs-XXXXXX";
static char on_disk[] = "/tmp/longstop-vfs-XXXXXX";
static const char *folder;

static const char *
path_of(const char *name)
{
    static char path[128];
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

static void
wipe(void)
{
    static const char *const names[] = { "db", "db-wal", "db-shm", "db.lock" };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        (void)unlink(path_of(names[i]));
    }
}

static enum status
try_open(struct store_sqlite **ret, struct error *err)
{
    struct store *store = NULL;
    enum status status = store_sqlite_open(path_of("db"), NULL, &store, err);
    if (status == STATUS_OK) {
        *ret = store_sqlite_of(store);
    }
    return status;
}

static void
close_store(struct store_sqlite *store)
{
    store->sql.store.ops->close(&store->sql.store);
}

/* What a life knows of itself. */
struct life {
    uint64_t numbers[ROUNDS];
    int acks; /* a descriptor that gets one byte for each round, or -1 */
    bool acked[ROUNDS];
};

static struct sighting
sighting_of(int round)
{
    static char body[6000];
    struct sighting sighting = { .via = CHANNEL_WEBHOOK,
                                 .key_count = 1,
                                 .id = SLICE("e"),
                                 .type = SLICE("t"),
                                 .body = { body, sizeof(body) } };
    sighting.keys[0].key.bytes[15] = (unsigned char)(round + 1);
    return sighting;
}

static enum status
run_round(struct store_sqlite *store, struct life *life, int round)
{
    const struct owed owed = { .handler = 1, .hot = true };
    char state[2] = { (char)('0' + round), '\0' };
    struct sighting sighting = sighting_of(round);
    sighting.owed = &owed;
    sighting.owed_count = 1;
    const struct store_walk walk = { .connector = 1,
                                     .state = slice_of(state),
                                     .hw_ms = round };
    struct store_outcome outcome = { .handler = 1,
                                     .attempt = 1,
                                     .kind = OUTCOME_DONE };
    struct store_unit unit = { .connector = 1,
                               .sightings = &sighting,
                               .sighting_count = 1,
                               .lease_until_ms = FAR_MS,
                               .walks = &walk,
                               .walk_count = 1 };
    if (round >= 2) {
        outcome.event = life->numbers[round - 2];
        unit.outcomes = &outcome;
        unit.outcome_count = 1;
    }
    struct store_unit *const units[] = { &unit };
    struct error err = { 0 };
    enum status status =
        store->sql.store.ops->apply(&store->sql.store, units, 1, &err);
    if (status == STATUS_OK) {
        life->numbers[round] = sighting.number;
        life->acked[round] = true;
        if (life->acks >= 0) {
            char byte = (char)round;
            (void)!write(life->acks, &byte, 1);
        }
    }
    return status;
}

/* Lives until the first final failure; a full disk is tried again. */
static enum status
live(struct store_sqlite *store, struct life *life)
{
    enum status status = STATUS_OK;
    for (int round = 0; round < ROUNDS; round++) {
        if (round % 3 == 2) {
            store->link.wal_base =
                -CHECKPOINT_PAGES; /* a checkpoint comes first */
        }
        for (int tries = 0; tries < 3; tries++) {
            status = run_round(store, life, round);
            if (status != STATUS_FULL) {
                break;
            }
        }
        if (status != STATUS_OK) {
            break;
        }
    }
    return status;
}

static int64_t
number(struct store_sqlite *store, const char *sql)
{
    sqlite3_stmt *stmt;
    int64_t value = -1;
    if (sqlite3_prepare_v2(store->link.db, sql, -1, &stmt, NULL) == SQLITE_OK &&
        sqlite3_step(stmt) == SQLITE_ROW) {
        value = sqlite3_column_int64(stmt, 0);
    }
    (void)sqlite3_finalize(stmt);
    return value;
}

/* 0 when what is on disk is explained, else the line that does not hold. */
#define HOLDS(condition)                                                       \
    do {                                                                       \
        if (!(condition)) {                                                    \
            return __LINE__;                                                   \
        }                                                                      \
    } while (0)

static int
examine(const struct life *life)
{
    struct store_sqlite *store = NULL;
    struct error err = { 0 };
    HOLDS(try_open(&store, &err) == STATUS_OK);
    bool applied[ROUNDS + 2] = { false };
    int count = 0;
    int last = -1;
    for (int i = 0; i < ROUNDS; i++) {
        struct sighting sighting = sighting_of(i);
        HOLDS(store->sql.store.ops->known(&store->sql.store, &sighting, 1,
                                          &applied[i], &err) == STATUS_OK);
        HOLDS(applied[i] || !life->acked[i]);
        count += applied[i] ? 1 : 0;
        last = applied[i] ? i : last;
    }
    HOLDS(last + 1 == count); /* no round without those before it */
    int owed = 0;
    for (int i = 0; i < ROUNDS; i++) {
        owed += applied[i] && !applied[i + 2] ? 1 : 0;
    }
    HOLDS(number(store, "SELECT count(*) FROM event") == count);
    HOLDS(number(store, "SELECT count(*) FROM ledger") == count);
    HOLDS(number(store, "SELECT count(*) FROM delivery") == owed);
    /* No lease outlives the process it was given to. */
    HOLDS(number(store, "SELECT count(*) FROM delivery WHERE due<>0") <= 0);
    HOLDS(number(store, "SELECT coalesce(max(state),-1) FROM walk") == last);
    sqlite3_stmt *stmt;
    HOLDS(sqlite3_prepare_v2(store->link.db, "PRAGMA integrity_check", -1,
                             &stmt, NULL) == SQLITE_OK);
    HOLDS(sqlite3_step(stmt) == SQLITE_ROW);
    HOLDS(strcmp((const char *)sqlite3_column_text(stmt, 0), "ok") == 0);
    (void)sqlite3_finalize(stmt);
    close_store(store);
    return 0;
}

/* Lives in a child that ends at its n-th durable step. */
static int
live_until(long n, struct life *life)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        char text[32];
        (void)snprintf(text, sizeof(text), "%ld", n);
        (void)setenv("LONGSTOP_CRASH_AT", text, 1);
        struct store_sqlite *store = NULL;
        life->acks = fds[1];
        int code = 1;
        if (try_open(&store, NULL) == STATUS_OK) {
            code = live(store, life) == STATUS_OK ? 0 : 2;
            close_store(store);
        }
        _exit(code);
    }
    (void)close(fds[1]);
    char round;
    while (read(fds[0], &round, 1) == 1) {
        life->acked[(unsigned char)round % ROUNDS] = true;
    }
    (void)close(fds[0]);
    int ended;
    assert_int_equal(waitpid(child, &ended, 0), child);
    assert_true(WIFEXITED(ended));
    return WEXITSTATUS(ended);
}

/* Examines in a child, so that this process takes no durable step itself; and
 * twice: looking changes nothing, so that the second look sees the same. */
static void
examine_apart(const struct life *life, long n)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int line = examine(life);
        line = line == 0 ? examine(life) : line;
        (void)!write(fds[1], &line, sizeof(line));
        _exit(0);
    }
    (void)close(fds[1]);
    int line = -1;
    (void)!read(fds[0], &line, sizeof(line));
    (void)close(fds[0]);
    int ended;
    assert_int_equal(waitpid(child, &ended, 0), child);
    if (line != 0) {
        fail_msg("after step %ld line %d does not hold", n, line);
    }
}

static void
an_end_at_any_durable_step_loses_nothing_acknowledged(void **state)
{
    (void)state;
    int code = 86;
    long n = 0;
    while (code == 86) {
        n++;
        assert_true(n < 5000);
        wipe();
        struct life life = { .acks = -1 };
        code = live_until(n, &life);
        examine_apart(&life, n);
    }
    assert_int_equal(code, 0);
    print_message("%ld durable steps\n", n - 1);
    assert_true(n > 60);
}

static void
a_step_that_fails_ends_the_store_or_leaves_it_usable(void **state)
{
    (void)state;
    static const struct {
        unsigned kinds;
        int rc;
        enum status serving; /* what a round may say */
    } rows[] = {
        { STORE_VFS_WRITE, SQLITE_IOERR_WRITE, STATUS_IO },
        { STORE_VFS_SYNC, SQLITE_IOERR_FSYNC, STATUS_IO },
        { STORE_VFS_TRUNCATE, SQLITE_IOERR_TRUNCATE, STATUS_IO },
        { STORE_VFS_WRITE, SQLITE_CORRUPT, STATUS_CORRUPT },
        { STORE_VFS_WRITE, SQLITE_FULL, STATUS_OK },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bool met = true;
        long finals = 0;
        for (long n = 0; met; n++) {
            assert_true(n < 5000);
            wipe();
            struct store_sqlite *store = NULL;
            struct life life = { .acks = -1 };
            enum status status = STATUS_OK;
            (void)store_vfs_fail_after(rows[i].kinds, n, rows[i].rc, false);
            if (try_open(&store, NULL) == STATUS_OK) {
                status = live(store, &life);
                if (status != STATUS_OK) {
                    /* Final: the fault is over, and still nothing works. */
                    finals++;
                    assert_int_equal(status, rows[i].serving);
                    assert_int_equal(run_round(store, &life, 0), status);
                    assert_int_equal(store->sql.store.ops->figures(
                                         &store->sql.store, NULL, 0, NULL),
                                     status);
                }
                close_store(store);
            }
            met = store_vfs_fail_after(0, -1, 0, false) > n;
            int line = examine(&life);
            if (line != 0) {
                fail_msg("row %zu step %ld: line %d does not hold", i, n, line);
            }
        }
        assert_int_equal(finals > 0, rows[i].serving != STATUS_OK);
    }
}

static void
what_is_short_for_long_refuses_until_there_is_some(void **state)
{
    (void)state;
    static const struct {
        int rc;
        enum status says;
    } rows[] = {
        { SQLITE_FULL, STATUS_FULL },
        { SQLITE_IOERR_NOMEM, STATUS_NOMEM },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        wipe();
        struct store_sqlite *store = NULL;
        assert_int_equal(try_open(&store, NULL), STATUS_OK);
        struct life life = { .acks = -1 };
        (void)store_vfs_fail_after(STORE_VFS_WRITE, 0, rows[i].rc, true);
        for (int round = 0; round < 5; round++) {
            assert_int_equal(run_round(store, &life, 0), rows[i].says);
        }
        (void)store_vfs_fail_after(0, -1, 0, false);
        assert_int_equal(live(store, &life), STATUS_OK);
        close_store(store);
        assert_int_equal(examine(&life), 0);
    }
}

static void
a_limit_on_file_size_is_a_full_disk_too(void **state)
{
    (void)state;
    wipe();
    struct store_sqlite *store = NULL;
    struct life life = { .acks = -1 };
    assert_int_equal(try_open(&store, NULL), STATUS_OK);
    void (*old)(int) = signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    struct rlimit low = { .rlim_cur = 100000, .rlim_max = limit.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
    enum status status = live(store, &life);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    (void)signal(SIGXFSZ, old);
    assert_int_equal(status, STATUS_FULL);
    assert_int_equal(store->link.link.failed, STATUS_OK);
    assert_int_equal(live(store, &life), STATUS_OK);
    close_store(store);
    assert_int_equal(examine(&life), 0);
}

int
main(void)
{
    folder = mkdtemp(in_memory);
    if (folder == NULL) {
        folder = mkdtemp(on_disk);
    }
    if (folder == NULL || store_vfs_install() != STATUS_OK) {
        perror(on_disk);
        return 1;
    }
    const struct CMUnitTest tests[] = {
        /* first: where to end is read at a process's first durable step */
        cmocka_unit_test(an_end_at_any_durable_step_loses_nothing_acknowledged),
        cmocka_unit_test(a_step_that_fails_ends_the_store_or_leaves_it_usable),
        cmocka_unit_test(what_is_short_for_long_refuses_until_there_is_some),
        cmocka_unit_test(a_limit_on_file_size_is_a_full_disk_too),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    wipe();
    (void)rmdir(folder);
    return failed;
}
