/* SPDX-License-Identifier: MIT */
#include "sim/file.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "sim/backfills.h"
#include "sim/books.h"
#include "sim/facts.h"
#include "sim/listed.h"
#include "sim/oracle.h"
#include "sim/world.h"
#include "store/store.h"

static sqlite3 *
open_disk(const char *folder)
{
    char path[256];
    sqlite3 *db = NULL;
    (void)snprintf(path, sizeof(path), "%s/store.db", folder);
    PRE(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK);
    return db;
}

static void
close_disk(sqlite3 *db)
{
    PRE(sqlite3_close(db) == SQLITE_OK);
}

static void
query(sqlite3 *db, const char *sql, void (*row)(sqlite3_stmt *stmt, void *arg),
      void *arg)
{
    sqlite3_stmt *stmt = NULL;
    PRE(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK);
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        row(stmt, arg);
    }
    PRE(sqlite3_finalize(stmt) == SQLITE_OK);
}

static void
read_event(sqlite3_stmt *stmt, void *arg)
{
    struct slice body = { sqlite3_column_blob(stmt, 3),
                          (size_t)sqlite3_column_bytes(stmt, 3) };
    size_t *count = arg;
    (*count)++;
    oracle_event(facts_of_body(body), (uint64_t)sqlite3_column_int64(stmt, 0),
                 (enum channel)sqlite3_column_int(stmt, 1),
                 sqlite3_column_int64(stmt, 2));
}

/* When another channel than the first showed it. */
static void
read_sighting(sqlite3_stmt *stmt, void *arg)
{
    struct fact *fact = books_fact((uint64_t)sqlite3_column_int64(stmt, 0));
    (void)arg;
    PRE(fact != NULL);
    books_again(fact, (enum channel)sqlite3_column_int(stmt, 1),
                sqlite3_column_int64(stmt, 2));
}

/* What a process that died was not told of. */
static void
read_key(sqlite3_stmt *stmt, void *arg)
{
    struct fact *fact = books_fact((uint64_t)sqlite3_column_int64(stmt, 0));
    int64_t channels = sqlite3_column_int64(stmt, 1);
    (void)arg;
    if (fact != NULL && (channels & 1 << CHANNEL_POLL) != 0) {
        listed_mark(fact);
    }
}

static void
read_account(sqlite3_stmt *stmt, void *arg)
{
    (void)arg;
    const struct books_page page = {
        .counts = sqlite3_column_type(stmt, 0) != SQLITE_NULL,
        .mark = (uint64_t)sqlite3_column_int64(stmt, 1),
        .recovered = sqlite3_column_int64(stmt, 2),
        .late = sqlite3_column_int64(stmt, 3),
        .confirmed = sqlite3_column_int64(stmt, 4),
    };
    books_reload(&page);
}

static void
read_gap(sqlite3_stmt *stmt, void *arg)
{
    (void)arg;
    struct walk_gap gap;
    memset(&gap, 0, sizeof(gap));
    gap.kind = (enum gap_kind)sqlite3_column_int(stmt, 0);
    gap.from_ms = sqlite3_column_int64(stmt, 1);
    gap.to_ms = sqlite3_column_int64(stmt, 2);
    oracle_gap(&gap, sqlite3_column_type(stmt, 3) != SQLITE_NULL);
}

static void
read_walk(sqlite3_stmt *stmt, void *arg)
{
    unsigned tier = (unsigned)sqlite3_column_int(stmt, 0);
    struct slice state = { sqlite3_column_blob(stmt, 2),
                           (size_t)sqlite3_column_bytes(stmt, 2) };
    (void)arg;
    if (tier == WALK_TIER_BACKFILL) {
        backfills_walk(state);
    } else {
        oracle_walk(tier, sqlite3_column_int64(stmt, 1), state);
    }
}

void
file_reload(const char *folder)
{
    size_t events = 0;
    sqlite3 *db = open_disk(folder);
    query(db, "SELECT id,via,recorded_ms,body FROM event ORDER BY id",
          read_event, &events);
    if (events != books_events()) {
        world_fail("lost: %zu events were durable, and %zu are on disk",
                   books_events(), events);
    }
    query(db, "SELECT event,via,at_ms FROM sighting", read_sighting, NULL);
    query(db, "SELECT event,channels FROM ledger", read_key, NULL);
    query(db, "SELECT since,mark,recovered,late,confirmed FROM account",
          read_account, NULL);
    query(db, "SELECT kind,from_ms,to_ms,closed_ms FROM gap", read_gap, NULL);
    query(db, "SELECT tier,hw_ms,state FROM walk", read_walk, NULL);
    close_disk(db);
}

static void
read_count(sqlite3_stmt *stmt, void *arg)
{
    *(int64_t *)arg = sqlite3_column_int64(stmt, 0);
}

bool
file_owes(const char *folder)
{
    int64_t count = 0;
    sqlite3 *db = open_disk(folder);
    query(db, "SELECT count(*) FROM delivery", read_count, &count);
    close_disk(db);
    return count > 0;
}

static void
read_dead(sqlite3_stmt *stmt, void *arg)
{
    struct slice body = { sqlite3_column_blob(stmt, 1),
                          (size_t)sqlite3_column_bytes(stmt, 1) };
    size_t handler = (size_t)sqlite3_column_int64(stmt, 0);
    (void)arg;
    PRE(handler < PLAN_HANDLERS_MAX);
    facts_of_body(body)->done[handler] = true;
}

void
file_dead(const char *folder)
{
    sqlite3 *db = open_disk(folder);
    query(db,
          "SELECT substr(n.name,2),e.body FROM dead d JOIN event e ON"
          " e.id=d.event JOIN name n ON n.id=d.handler AND n.kind=2",
          read_dead, NULL);
    close_disk(db);
}
