/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/clock.h"
#include "io/fs.h"
#include "store/store_migrate.h"
#include "store/store_sqlite.h"
#include "store/store_sqlite_private.h"

#define FAR_MS ((int64_t)4000000000000)

static char folder[] = "/tmp/longstop-sqlite-XXXXXX";

static const char *
path_of(const char *name)
{
    static char path[128];
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

static int
wipe(void **state)
{
    (void)state;
    static const char *const names[] = { "db", "db-wal", "db-shm", "db.lock" };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        (void)unlink(path_of(names[i]));
    }
    return 0;
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

static struct store_sqlite *
open_store(void)
{
    struct store_sqlite *store = NULL;
    struct error err = { 0 };
    enum status status = try_open(&store, &err);
    if (status != STATUS_OK) {
        fail_msg("open: %s", error_text(&err, status));
    }
    return store;
}

static void
close_store(struct store_sqlite *store)
{
    store->sql.store.ops->close(&store->sql.store);
}

/* Opening must fail with `status` and words that hold `words`. */
static void
assert_refused(enum status status, const char *words)
{
    struct store_sqlite *store = NULL;
    struct error err = { 0 };
    assert_int_equal(try_open(&store, &err), status);
    if (strstr(err.text, words) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", err.text, words);
    }
}

/* Runs SQL on the file as another program would. */
static void
run_sql(const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path_of("db"), &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static int64_t
number(struct store_sqlite *store, const char *sql)
{
    sqlite3_stmt *stmt;
    assert_int_equal(sqlite3_prepare_v2(store->link.db, sql, -1, &stmt, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    int64_t value = sqlite3_column_int64(stmt, 0);
    (void)sqlite3_finalize(stmt);
    return value;
}

static struct sighting
sighting_of(uint32_t n, struct slice body)
{
    struct sighting sighting = { .via = CHANNEL_WEBHOOK,
                                 .key_count = 1,
                                 .id = SLICE("e"),
                                 .type = SLICE("t"),
                                 .body = body };
    memcpy(sighting.keys[0].key.bytes + 12, &n, sizeof(n));
    return sighting;
}

static enum status
apply(struct store_sqlite *store, struct store_unit *unit)
{
    struct store_unit *const units[] = { unit };
    struct error err = { 0 };
    enum status status =
        store->sql.store.ops->apply(&store->sql.store, units, 1, &err);
    return status == STATUS_OK ? unit->status : status;
}

static enum status
apply_one(struct store_sqlite *store, struct sighting *sighting)
{
    struct store_unit unit = { .connector = 1,
                               .sightings = sighting,
                               .sighting_count = 1,
                               .lease_until_ms = FAR_MS };
    return apply(store, &unit);
}

static void
its_files_are_the_owners_alone(void **state)
{
    (void)state;
    struct store_sqlite *store = open_store();
    struct sighting sighting = sighting_of(1, slice_of("x"));
    assert_int_equal(apply_one(store, &sighting), STATUS_OK);
    static const char *const names[] = { "db", "db-wal", "db-shm", "db.lock" };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct stat what;
        assert_int_equal(stat(path_of(names[i]), &what), 0);
        assert_int_equal(what.st_mode & 0777, 0600);
    }
    close_store(store);
}

static void
the_settings_took(void **state)
{
    (void)state;
    static const struct {
        const char *sql;
        int64_t value;
    } rows[] = {
        { "PRAGMA synchronous", 2 },
        { "PRAGMA secure_delete", 0 },
        { "PRAGMA cache_size", -8192 },
        { "PRAGMA temp_store", 2 },
        { "PRAGMA trusted_schema", 0 },
        { "PRAGMA wal_autocheckpoint", 0 },
        { "PRAGMA auto_vacuum", 0 },
        { "PRAGMA page_size", 4096 },
        { "PRAGMA busy_timeout", 5000 },
        { "PRAGMA journal_size_limit", 67108864 },
    };
    struct store_sqlite *store = open_store();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(number(store, rows[i].sql), rows[i].value);
    }
    close_store(store);
}

static void
a_page_size_is_that_of_a_new_file(void **state)
{
    (void)state;
    const struct store_settings settings = { .page_size = 8192 };
    struct store *store = NULL;
    struct error err = { 0 };
    assert_int_equal(store_sqlite_open(path_of("db"), &settings, &store, &err),
                     STATUS_OK);
    assert_int_equal(number(store_sqlite_of(store), "PRAGMA page_size"), 8192);
    store->ops->close(store);
    struct store_sqlite *again = open_store();
    assert_int_equal(number(again, "PRAGMA page_size"), 8192);
    close_store(again);
}

static void
urls_that_name_no_store_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        const char *words;
    } rows[] = {
        { "", "sqlite:PATH" },
        { "longstop.db", "sqlite:PATH" },
        { "mysql://u:secret@h/d", "\"mysql\"" },
        { "postgresql://u@127.0.0.1:1/d", "postgresql" },
        { "sqlite:", "path" },
        { "sqlite:/there/is/no/such/folder/db", "/there/is/no/such/folder/db" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct store *store = NULL;
        struct error err = { 0 };
        assert_int_not_equal(store_open(rows[i].url, NULL, &store, &err),
                             STATUS_OK);
        assert_null(store);
        assert_non_null(strstr(err.text, rows[i].words));
        assert_null(strstr(err.text, "secret"));
    }
}

static void
network_file_systems_have_names(void **state)
{
    (void)state;
    assert_string_equal(store_sqlite_network(NFS_SUPER_MAGIC), "NFS");
    assert_string_equal(store_sqlite_network(CIFS_SUPER_MAGIC), "CIFS");
    /* As a machine with a signed f_type gives it. */
    assert_string_equal(
        store_sqlite_network((unsigned long)(int)CIFS_SUPER_MAGIC), "CIFS");
    assert_null(store_sqlite_network(EXT4_SUPER_MAGIC));
    assert_null(store_sqlite_network(TMPFS_MAGIC));
}

static void
a_file_that_is_no_database_is_left_as_it_is(void **state)
{
    (void)state;
    FILE *file = fopen(path_of("db"), "w");
    assert_non_null(file);
    for (int i = 0; i < 1000; i++) {
        (void)fputs("these are somebody's notes\n", file);
    }
    assert_int_equal(fclose(file), 0);
    assert_refused(STATUS_CORRUPT, ".recover");
    assert_refused(STATUS_CORRUPT, path_of("db"));
    struct buf text = { 0 };
    assert_int_equal(fs_read(path_of("db"), 1 << 20, &text, NULL), STATUS_OK);
    assert_int_equal(text.len, 27000);
    assert_int_equal(memcmp(text.ptr, "these are", 9), 0);
    buf_fini(&text);
}

static void
a_damaged_file_is_found_after_an_end_that_was_not_clean(void **state)
{
    (void)state;
    struct store_sqlite *store = open_store();
    static char body[2000];
    memset(body, 'x', sizeof(body));
    for (uint32_t i = 0; i < 50; i++) {
        struct sighting sighting =
            sighting_of(i, (struct slice){ body, sizeof(body) });
        assert_int_equal(apply_one(store, &sighting), STATUS_OK);
    }
    close_store(store);
    /* Pages in the middle become nonsense, the last end an accident. */
    FILE *file = fopen(path_of("db"), "r+");
    assert_non_null(file);
    static char nonsense[4096];
    memset(nonsense, 0xa5, sizeof(nonsense));
    struct stat what;
    assert_int_equal(stat(path_of("db"), &what), 0);
    long pages = (long)(what.st_size / 4096);
    for (long i = pages / 2; i < pages; i++) {
        assert_int_equal(fseek(file, i * 4096, SEEK_SET), 0);
        assert_int_equal(fwrite(nonsense, sizeof(nonsense), 1, file), 1);
    }
    assert_int_equal(fclose(file), 0);
    file = fopen(path_of("db.lock"), "w");
    assert_non_null(file);
    (void)fputs("1\nrunning\n", file);
    assert_int_equal(fclose(file), 0);
    struct buf before = { 0 };
    struct buf after = { 0 };
    assert_int_equal(fs_read(path_of("db"), 1 << 24, &before, NULL), STATUS_OK);
    assert_refused(STATUS_CORRUPT, "damaged");
    /* And again: a look at it does not make it clean. */
    assert_refused(STATUS_CORRUPT, "restore a backup");
    assert_int_equal(fs_read(path_of("db"), 1 << 24, &after, NULL), STATUS_OK);
    assert_true(slice_equal(buf_slice(&before), buf_slice(&after)));
    buf_fini(&before);
    buf_fini(&after);
}

static void
another_programs_database_is_left_as_it_is(void **state)
{
    (void)state;
    run_sql("CREATE TABLE cats(name TEXT)");
    assert_refused(STATUS_CONFIG, "another program");
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path_of("db"), &db), SQLITE_OK);
    sqlite3_stmt *stmt;
    assert_int_equal(
        sqlite3_prepare_v2(db, "PRAGMA journal_mode", -1, &stmt, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    assert_string_equal((const char *)sqlite3_column_text(stmt, 0), "delete");
    (void)sqlite3_finalize(stmt);
    (void)sqlite3_close(db);
}

/* A file as the program of each earlier number left it. */
static void
a_store_of_every_earlier_number_is_brought_up(void **state)
{
    (void)state;
    for (size_t have = 1; have < store_migrate_sqlite_count; have++) {
        (void)wipe(NULL);
        for (size_t i = 0; i < have; i++) {
            run_sql(store_migrate_sqlite[i].sql);
        }
        char text[48];
        (void)snprintf(text, sizeof(text), "PRAGMA user_version=%zu", have);
        run_sql(text);
        run_sql("INSERT INTO gap(connector,kind,from_ms,to_ms,found_ms)"
                " VALUES(1,1,5,6,7)");
        run_sql(have < 4
                    ? "INSERT INTO dead(handler,event,attempt,at_ms,reason)"
                      " VALUES(1,9,16,8,'all'),(1,7,16,7,'all')"
                    : "INSERT INTO dead(handler,event,attempt,at_ms,reason,"
                      "detail) VALUES(1,7,16,7,'all',''),"
                      "(1,9,16,8,'all','exit 2')");
        run_sql(
            "INSERT INTO name(id,kind,name) VALUES(1,2,'log'),(2,2,'rcv_a'),"
            "(3,2,'rcv_0123456789abcdef01234567')");
        run_sql(
            "INSERT INTO attempt(event,handler,attempt,started_ms,"
            "duration_ms,kind,detail,output)"
            " VALUES(9,1,15,1,1,1,'exit 1',x''),(9,1,16,1,1,2,'exit 2',x'')");
        struct store_sqlite *store = open_store();
        assert_int_equal(number(store, "PRAGMA user_version"),
                         store_migrate_sqlite_count);
        assert_int_equal(
            number(store, "SELECT count(*) FROM gap WHERE closed_by IS NULL"),
            1);
        assert_int_equal(number(store, "SELECT count(*) FROM dead WHERE"
                                       " (id,event,detail) IN (VALUES(1,7,''),"
                                       "(2,9,'exit 2')) AND lane IS NULL"),
                         2);
        /* The name of a receiver that went; its number stays taken. */
        assert_int_equal(number(store, "SELECT max(id) FROM name"), 2);
        uint32_t next;
        struct error err = { 0 };
        assert_int_equal(
            store->sql.store.ops->name(&store->sql.store, STORE_HANDLER,
                                       slice_of("new"), &next, &err),
            STATUS_OK);
        assert_int_equal(next, 4);
        close_store(store);
    }
}

/* However many come and go. */
static void
a_receiver_that_is_forgotten_leaves_nothing(void **state)
{
    (void)state;
    struct store_sqlite *store = open_store();
    const struct store_ops *ops = store->sql.store.ops;
    struct error err = { 0 };
    for (int i = 0; i < 20; i++) {
        struct store_receiver receiver = { .act = STORE_RECEIVER_ADD,
                                           .name = SLICE("rcv_1"),
                                           .state = SLICE("{}"),
                                           .limit = 10 };
        assert_int_equal(ops->receiver(&store->sql.store, &receiver, &err),
                         STATUS_OK);
        struct owed owed = { .handler = receiver.number };
        struct sighting sighting = sighting_of((uint32_t)i, slice_of("{}"));
        sighting.owed = &owed;
        sighting.owed_count = 1;
        assert_int_equal(apply_one(store, &sighting), STATUS_OK);
        receiver.act = STORE_RECEIVER_REMOVE;
        assert_int_equal(ops->receiver(&store->sql.store, &receiver, &err),
                         STATUS_OK);
        receiver.act = STORE_RECEIVER_FORGET;
        do {
            assert_int_equal(ops->receiver(&store->sql.store, &receiver, &err),
                             STATUS_OK);
        } while (receiver.more);
        struct store_figure figure = { .handler = receiver.number };
        assert_int_equal(ops->figures(&store->sql.store, &figure, 1, &err),
                         STATUS_OK);
        assert_int_equal(figure.pending, 0);
    }
    assert_int_equal(store->sql.tally_count, 0);
    assert_int_equal(number(store, "SELECT count(*) FROM name"), 0);
    assert_int_equal(number(store, "SELECT count(*) FROM delivery"), 0);
    close_store(store);
}

static void
a_store_newer_than_the_program_is_refused(void **state)
{
    (void)state;
    close_store(open_store());
    run_sql("PRAGMA user_version=9999");
    assert_refused(STATUS_CONFIG, "newer longstop");
}

static void
what_an_event_needed_goes_with_it(void **state)
{
    (void)state;
    struct store_sqlite *store = open_store();
    struct sighting sighting = sighting_of(1, slice_of("x"));
    sighting.needs = NEEDS_FETCH;
    assert_int_equal(apply_one(store, &sighting), STATUS_OK);
    assert_int_equal(number(store, "SELECT count(*) FROM fill"), 1);
    struct store_prune prune = { .events_before_ms = INT64_MAX, .limit = 10 };
    assert_int_equal(
        store->sql.store.ops->prune(&store->sql.store, &prune, NULL),
        STATUS_OK);
    assert_int_equal(number(store, "SELECT count(*) FROM fill"), 0);
    close_store(store);
}

static void
numbers_grow_though_the_clock_went_back(void **state)
{
    (void)state;
    close_store(open_store());
    /* An event of the year 2096, as a clock that was ahead left it. */
    run_sql("INSERT INTO event VALUES(4194304000000000000,1,0,0,0,'','',x'',"
            "'',x'')");
    struct store_sqlite *store = open_store();
    struct sighting sighting = sighting_of(1, slice_of("x"));
    assert_int_equal(apply_one(store, &sighting), STATUS_OK);
    assert_int_equal(sighting.number, 4194304000000000001);
    struct store_prune prune = { .events_before_ms = FAR_MS, .limit = 10 };
    assert_int_equal(
        store->sql.store.ops->prune(&store->sql.store, &prune, NULL),
        STATUS_OK);
    assert_int_equal(prune.removed, 2);
    close_store(store);
    /* Not even the highest number, gone with its row, is given again. */
    store = open_store();
    sighting = sighting_of(2, slice_of("x"));
    assert_int_equal(apply_one(store, &sighting), STATUS_OK);
    assert_int_equal(sighting.number, 4194304000000000002);
    close_store(store);
}

static void
the_watermark_never_goes_back(void **state)
{
    (void)state;
    struct store_sqlite *store = open_store();
    static const int64_t hw[] = { 100, 300, 200 };
    for (size_t i = 0; i < 3; i++) {
        const struct store_walk walk = { .connector = 1,
                                         .state = SLICE("s"),
                                         .hw_ms = hw[i] };
        struct store_unit unit = { .walks = &walk, .walk_count = 1 };
        assert_int_equal(apply(store, &unit), STATUS_OK);
    }
    assert_int_equal(number(store, "SELECT hw_ms FROM walk"), 300);
    close_store(store);
}

static void
a_gap_told_twice_is_one_gap(void **state)
{
    (void)state;
    struct store_sqlite *store = open_store();
    const struct store_gap gaps[] = {
        { .connector = 1, .gap = { GAP_RETENTION, 10, 20 } },
        { .connector = 1, .gap = { GAP_RETENTION, 10, 20 } },
        { .connector = 1, .gap = { GAP_TIE, 10, 20 } },
    };
    struct store_unit unit = { .gaps = gaps, .gap_count = 3 };
    assert_int_equal(apply(store, &unit), STATUS_OK);
    assert_int_equal(number(store, "SELECT count(*) FROM gap"), 2);
    close_store(store);
}

static struct sighting
seen_via(struct store_sqlite *store, enum channel via)
{
    struct sighting sighting = sighting_of(1, slice_of("{}"));
    sighting.via = via;
    assert_int_equal(apply_one(store, &sighting), STATUS_OK);
    return sighting;
}

static void
when_another_channel_first_showed_an_event_goes_with_it(void **state)
{
    (void)state;
    static const char count[] = "SELECT count(*) FROM sighting";
    static const enum channel vias[] = { CHANNEL_WEBHOOK, CHANNEL_POLL,
                                         CHANNEL_POLL, CHANNEL_WEBHOOK,
                                         CHANNEL_BACKFILL };
    struct store_sqlite *store = open_store();
    int64_t before_ms = clock_unix_ms();
    for (size_t i = 0; i < sizeof(vias) / sizeof(vias[0]); i++) {
        (void)seen_via(store, vias[i]);
    }
    assert_int_equal(number(store, count), 2);
    assert_true(number(store, "SELECT at_ms FROM sighting WHERE via=1") >=
                before_ms);
    struct store_prune prune = { .events_before_ms = INT64_MAX, .limit = 10 };
    assert_int_equal(
        store->sql.store.ops->prune(&store->sql.store, &prune, NULL),
        STATUS_OK);
    assert_int_equal(prune.removed, 1);
    assert_int_equal(number(store, count), 0);
    /* What is gone has nothing to keep a time with. */
    (void)seen_via(store, CHANNEL_STREAM);
    assert_int_equal(number(store, count), 0);
    close_store(store);
}

static void
without_memory_nothing_is_counted_or_kept(void **state)
{
    (void)state;
    struct store_sqlite *store = open_store();
    struct sighting hook = sighting_of(1, slice_of("{}"));
    assert_int_equal(apply_one(store, &hook), STATUS_OK);
    struct sighting row = hook;
    row.via = CHANNEL_POLL;
    mem_fail_after(0, 0);
    enum status status = apply_one(store, &row);
    mem_fail_after(-1, 0);
    assert_int_equal(status, STATUS_NOMEM);
    struct store_account account = { .connector = 2, .counts = true };
    mem_fail_after(0, 0);
    status = store->sql.store.ops->account(&store->sql.store, &account, NULL);
    mem_fail_after(-1, 0);
    assert_int_equal(status, STATUS_NOMEM);
    assert_int_equal(apply_one(store, &row), STATUS_OK);
    assert_false(row.seen_by_via);
    assert_int_equal(number(store, "SELECT count(*) FROM sighting"), 1);
    close_store(store);
}

static void
what_is_applied_again_beside_a_failed_unit_counts_once(void **state)
{
    (void)state;
    static char large[8192];
    memset(large, 'x', sizeof(large));
    struct store_sqlite *store = open_store();
    (void)sqlite3_limit(store->link.db, SQLITE_LIMIT_LENGTH, 4096);
    struct sighting row = seen_via(store, CHANNEL_WEBHOOK);
    row.via = CHANNEL_POLL;
    struct sighting hook =
        sighting_of(2, (struct slice){ large, sizeof(large) });
    struct store_unit a = { .connector = 1,
                            .sightings = &row,
                            .sighting_count = 1,
                            .grace_ms = 60000 };
    struct store_unit b = { .connector = 1,
                            .sightings = &hook,
                            .sighting_count = 1 };
    struct store_unit *const units[] = { &a, &b };
    assert_int_equal(
        store->sql.store.ops->apply(&store->sql.store, units, 2, NULL),
        STATUS_OK);
    assert_int_equal(b.status, STATUS_TOO_LARGE);
    assert_true(row.confirmed);
    assert_int_equal(number(store, "SELECT confirmed FROM account"), 1);
    close_store(store);
}

static void
counting_reads_no_bodies(void **state)
{
    (void)state;
    struct store_sqlite *store = open_store();
    const char *sql = sqlite3_sql(store->link.statements[SQL_ACCOUNT_SCAN]);
    char explain[512];
    (void)snprintf(explain, sizeof(explain), "EXPLAIN %s", sql);
    sqlite3_stmt *stmt;
    assert_int_equal(
        sqlite3_prepare_v2(store->link.db, explain, -1, &stmt, NULL),
        SQLITE_OK);
    size_t steps = 0;
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        /* All it asks is in the keys of the index. */
        assert_string_not_equal(sqlite3_column_text(stmt, 1), "Column");
        steps++;
    }
    assert_true(steps > 0);
    assert_int_equal(sqlite3_finalize(stmt), SQLITE_OK);
    close_store(store);
}

static void
attempts_that_were_made_are_logged(void **state)
{
    (void)state;
    struct store_sqlite *store = open_store();
    const struct owed owed = { .handler = 1, .hot = true };
    static const enum outcome_kind kinds[] = { OUTCOME_DONE, OUTCOME_LATER,
                                               OUTCOME_DEAD, OUTCOME_RELEASE };
    for (uint32_t i = 0; i < 4; i++) {
        struct sighting sighting = sighting_of(i, slice_of("x"));
        sighting.owed = &owed;
        sighting.owed_count = 1;
        assert_int_equal(apply_one(store, &sighting), STATUS_OK);
        struct store_outcome outcome = { .event = sighting.number,
                                         .handler = 1,
                                         .attempt = 1,
                                         .kind = kinds[i],
                                         .started_ms = 7,
                                         .duration_ms = 8,
                                         .reason = "exit 65",
                                         .detail = SLICE("exit"),
                                         .output = SLICE("oh") };
        struct store_unit unit = { .outcomes = &outcome, .outcome_count = 1 };
        assert_int_equal(apply(store, &unit), STATUS_OK);
        assert_true(outcome.applied);
    }
    assert_int_equal(number(store, "SELECT count(*) FROM attempt"), 3);
    assert_int_equal(number(store, "SELECT count(*) FROM attempt WHERE"
                                   " attempt=1 AND started_ms=7 AND"
                                   " duration_ms=8 AND detail='exit' AND"
                                   " output=x'6f68'"),
                     3);
    assert_int_equal(
        number(store, "SELECT count(*) FROM dead WHERE reason='exit 65'"), 1);
    close_store(store);
}

static void
the_log_stays_small(void **state)
{
    (void)state;
    struct store_sqlite *store = open_store();
    static char body[4000];
    for (uint32_t i = 0; i < 200; i++) {
        struct sighting page[20];
        for (uint32_t j = 0; j < 20; j++) {
            page[j] =
                sighting_of(i * 20 + j, (struct slice){ body, sizeof(body) });
        }
        struct store_unit unit = { .connector = 1,
                                   .sightings = page,
                                   .sighting_count = 20 };
        assert_int_equal(apply(store, &unit), STATUS_OK);
    }
    struct stat what;
    assert_int_equal(stat(path_of("db-wal"), &what), 0);
    assert_true(what.st_size < (off_t)2 * CHECKPOINT_PAGES * 4096);
    assert_int_equal(stat(path_of("db"), &what), 0);
    assert_true(what.st_size > (off_t)12000000);
    close_store(store);
    assert_int_not_equal(stat(path_of("db-wal"), &what), 0);
}

static void
a_reader_delays_checkpoints_and_nothing_else(void **state)
{
    (void)state;
    struct store_sqlite *store = open_store();
    struct sighting sighting = sighting_of(0, slice_of("x"));
    assert_int_equal(apply_one(store, &sighting), STATUS_OK);
    sqlite3 *reader;
    assert_int_equal(
        sqlite3_open_v2(path_of("db"), &reader, SQLITE_OPEN_READONLY, NULL),
        SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(reader, "BEGIN; SELECT * FROM event", NULL, NULL, NULL),
        SQLITE_OK);
    for (uint32_t i = 1; i < 10; i++) {
        /* A checkpoint before each. */
        store->link.wal_base = -CHECKPOINT_PAGES;
        sighting = sighting_of(i, slice_of("x"));
        assert_int_equal(apply_one(store, &sighting), STATUS_OK);
        assert_true(store->link.wal_base > 0);
    }
    /* The log could not begin anew under the reader; now it can. */
    int pages = store->link.wal_pages;
    assert_int_equal(sqlite3_close(reader), SQLITE_OK);
    for (uint32_t i = 10; i < 12; i++) {
        store->link.wal_base = -CHECKPOINT_PAGES;
        sighting = sighting_of(i, slice_of("x"));
        assert_int_equal(apply_one(store, &sighting), STATUS_OK);
    }
    assert_true(store->link.wal_pages < pages);
    close_store(store);
}

static void
a_process_that_died_left_everything_it_acknowledged(void **state)
{
    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct store_sqlite *store = NULL;
        const struct owed owed = { .handler = 1, .hot = true };
        struct sighting sighting = sighting_of(1, slice_of("x"));
        sighting.owed = &owed;
        sighting.owed_count = 1;
        bool done = try_open(&store, NULL) == STATUS_OK &&
                    apply_one(store, &sighting) == STATUS_OK;
        _exit(done ? 0 : 1);
    }
    int ended;
    assert_int_equal(waitpid(child, &ended, 0), child);
    assert_int_equal(ended, 0);
    struct store_sqlite *store = open_store();
    /* It was recovered before it was served: the log is copied. */
    struct store_claims claims = { 0 };
    assert_int_equal(store->sql.store.ops->claim(&store->sql.store, 1, 1, 2, 10,
                                                 &claims, NULL),
                     STATUS_OK);
    assert_int_equal(claims.count, 1);
    assert_int_equal(claims.at[0].attempt, 2);
    event_unref(claims.at[0].event);
    mem_free(claims.at);
    assert_int_equal(store->sql.epoch, 2);
    close_store(store);
}

static void
running_out_of_memory_leaves_the_store_usable(void **state)
{
    (void)state;
    struct store_sqlite *store = open_store();
    bool done = false;
    uint32_t rounds = 0;
    for (; !done && rounds < 200; rounds++) {
        const struct owed owed = { .handler = 100 + rounds };
        struct sighting sighting = sighting_of(rounds, slice_of("x"));
        sighting.owed = &owed;
        sighting.owed_count = 1;
        (void)mem_fail_after(rounds, 0);
        enum status applied = apply_one(store, &sighting);
        struct store_claims claims = { 0 };
        enum status claimed = applied != STATUS_OK
                                  ? applied
                                  : store->sql.store.ops->claim(
                                        &store->sql.store, owed.handler, FAR_MS,
                                        FAR_MS, 10, &claims, NULL);
        (void)mem_fail_after(-1, 0);
        done = claimed == STATUS_OK;
        assert_true(done || claimed == STATUS_NOMEM);
        assert_int_equal(claims.count, done ? 1 : 0);
        for (size_t i = 0; i < claims.count; i++) {
            event_unref(claims.at[i].event);
        }
        mem_free(claims.at);
        /* What failed left nothing behind, and works now. */
        assert_int_equal(apply_one(store, &sighting), STATUS_OK);
        assert_int_equal(sighting.fresh, applied != STATUS_OK);
    }
    assert_true(done);
    assert_true(rounds > 2);
    close_store(store);
}

static void
opening_survives_every_failing_allocation(void **state)
{
    (void)state;
    enum status status = STATUS_NOMEM;
    for (long n = 0; status != STATUS_OK && n < 200; n++) {
        struct store_sqlite *store = NULL;
        (void)mem_fail_after(n, 0);
        status = try_open(&store, NULL);
        (void)mem_fail_after(-1, 0);
        assert_true(status == STATUS_OK || status == STATUS_NOMEM);
        if (status == STATUS_OK) {
            close_store(store);
        }
    }
    assert_int_equal(status, STATUS_OK);
}

/* Adds `count` deliveries to handler 1, behind those that are there. */
static void
owe_many(struct store_sqlite *store, const char *columns, int count)
{
    char sql[512];
    struct error err = { 0 };
    (void)snprintf(
        sql, sizeof(sql),
        "WITH RECURSIVE n(i) AS (SELECT 1+(SELECT ifnull(max(id),0) FROM event)"
        " UNION ALL SELECT i+1 FROM n LIMIT %d) INSERT INTO event SELECT i,1,0,"
        "0,0,'e','t',x'','',x'' FROM n",
        count);
    assert_int_equal(sqlite_link_exec(&store->link, sql, &err), STATUS_OK);
    (void)snprintf(sql, sizeof(sql),
                   "INSERT OR IGNORE INTO delivery(handler,event,due,attempt,"
                   "owner,lane) SELECT 1,id,%s FROM event",
                   columns);
    assert_int_equal(sqlite_link_exec(&store->link, sql, &err), STATUS_OK);
}

/* What a claim of ten costs, in steps of SQLite's machine. */
static int
steps_of_claim(struct store_sqlite *store, int64_t now_ms, size_t expected)
{
    static const enum sql statements[] = { SQL_CLAIM_DUE, SQL_CLAIM_NEXT,
                                           SQL_CLAIM_TAKE };
    struct store_claims claims = { 0 };
    struct error err = { 0 };
    int steps = 0;
    assert_int_equal(store->sql.store.ops->claim(&store->sql.store, 1, now_ms,
                                                 now_ms + 1000, 10, &claims,
                                                 &err),
                     STATUS_OK);
    assert_int_equal(claims.count, expected);
    for (size_t i = 0; i < claims.count; i++) {
        event_unref(claims.at[i].event);
    }
    mem_free(claims.at);
    for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++) {
        steps += sqlite3_stmt_status(store->link.statements[statements[i]],
                                     SQLITE_STMTSTATUS_VM_STEP, 1);
    }
    return steps;
}

static void
a_claim_costs_the_same_however_much_is_pending(void **state)
{
    (void)state;
    struct store_sqlite *store = open_store();
    owe_many(store, "5,0,0,NULL", 1000);
    int few = steps_of_claim(store, 5, 10);
    owe_many(store, "5,0,0,NULL", 50000);
    assert_int_equal(steps_of_claim(store, 5, 10), few);
    close_store(store);
}

/* The head of a lane waits for its next attempt: all behind it is parked. */
static int
steps_of_lane(int behind, int *ret_end_steps)
{
    struct store_sqlite *store = open_store();
    owe_many(store, "9,0,0,7", 1);
    owe_many(store, "9223372036854775807,0,0,7", behind);
    close_store(store);
    store = open_store(); /* which counts them */
    int steps = steps_of_claim(store, 5, 0) + steps_of_claim(store, 9, 1);
    struct store_outcome outcome = {
        .event = 1, .handler = 1, .attempt = 1, .kind = OUTCOME_DONE
    };
    struct store_unit unit = { .outcomes = &outcome, .outcome_count = 1 };
    assert_int_equal(apply(store, &unit), STATUS_OK);
    *ret_end_steps = sqlite3_stmt_status(store->link.statements[SQL_LANE_NEXT],
                                         SQLITE_STMTSTATUS_VM_STEP, 1);
    steps += steps_of_claim(store, clock_unix_ms(), 1);
    close_store(store);
    (void)wipe(NULL);
    return steps;
}

static void
a_claim_costs_the_same_however_long_a_lane_is(void **state)
{
    (void)state;
    int end_of_few, end_of_many;
    int few = steps_of_lane(10, &end_of_few);
    int many = steps_of_lane(50000, &end_of_many);
    assert_int_equal(many, few);
    assert_int_equal(end_of_many, end_of_few);
    assert_true(end_of_few > 0);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, wipe, wipe)

int
main(void)
{
    if (mkdtemp(folder) == NULL) {
        perror(folder);
        return 1;
    }
    const struct CMUnitTest tests[] = {
        ROW(its_files_are_the_owners_alone),
        ROW(the_settings_took),
        ROW(a_page_size_is_that_of_a_new_file),
        ROW(urls_that_name_no_store_are_refused),
        ROW(network_file_systems_have_names),
        ROW(a_file_that_is_no_database_is_left_as_it_is),
        ROW(a_damaged_file_is_found_after_an_end_that_was_not_clean),
        ROW(another_programs_database_is_left_as_it_is),
        ROW(a_store_of_every_earlier_number_is_brought_up),
        ROW(a_receiver_that_is_forgotten_leaves_nothing),
        ROW(a_store_newer_than_the_program_is_refused),
        ROW(what_an_event_needed_goes_with_it),
        ROW(numbers_grow_though_the_clock_went_back),
        ROW(the_watermark_never_goes_back),
        ROW(a_gap_told_twice_is_one_gap),
        ROW(when_another_channel_first_showed_an_event_goes_with_it),
        ROW(without_memory_nothing_is_counted_or_kept),
        ROW(what_is_applied_again_beside_a_failed_unit_counts_once),
        ROW(counting_reads_no_bodies),
        ROW(attempts_that_were_made_are_logged),
        ROW(a_claim_costs_the_same_however_much_is_pending),
        ROW(a_claim_costs_the_same_however_long_a_lane_is),
        ROW(the_log_stays_small),
        ROW(a_reader_delays_checkpoints_and_nothing_else),
        ROW(a_process_that_died_left_everything_it_acknowledged),
        ROW(running_out_of_memory_leaves_the_store_usable),
        ROW(opening_survives_every_failing_allocation),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    (void)rmdir(folder);
    return failed;
}
