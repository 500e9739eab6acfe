/* SPDX-License-Identifier: MIT */
#include "store/store_pg_server.h"

#include <inttypes.h>
#include <stdio.h>

#include "io/clock.h"
#include "store/store_migrate.h"

#define VERSION_LEAST 150000

/* Making all tables, or many days, takes longer than a call may. */
#define MAKE_MS 120000

/* Days of the ledger that are made behind today: a first walk reads them. */
#define DAYS "SELECT longstop.make_days(31,2)"

static void
take(const struct sql_use *use, struct pg_server *into)
{
    into->version = sql_number(use, 0);
    into->is_durable = !slice_equal_text(sql_bytes(use, 1), "off") &&
                       slice_equal_text(sql_bytes(use, 2), "on");
    into->is_standby = sql_number(use, 3) != 0;
    into->now_ms = sql_number(use, 4);
    into->has_tables = sql_number(use, 5) != 0;
    into->broken_indexes = sql_number(use, 6);
}

enum status
pg_server_ask(struct pg_link *link, struct pg_server *ret, struct error *err)
{
    /* The first call may connect, which takes its time. */
    enum status status = pg_link_connect(link, err);
    const int64_t before_ms = clock_unix_ms();
    bool row = false;
    *ret = (struct pg_server){ 0 };
    struct sql_use use = sql_use_of(&link->link, SQL_SERVER);
    if (status == STATUS_OK) {
        status = sql_row(&use, &row, err);
    }
    if (status == STATUS_OK && row) {
        const int64_t after_ms = clock_unix_ms();
        take(&use, ret);
        ret->within_ms = (after_ms - before_ms) / 2;
        ret->around_ms = before_ms + ret->within_ms;
        sql_stop(&use);
    }
    return status;
}

enum status
pg_server_judge(const struct pg_server *server, struct error *err)
{
    const int64_t ahead_ms = server->around_ms - server->now_ms;
    const int64_t apart_ms = ahead_ms < 0 ? -ahead_ms : ahead_ms;
    if (server->version < VERSION_LEAST) {
        return error_set(err, STATUS_CONFIG,
                         "store: the server is PostgreSQL %" PRId64
                         ": 15 or later is needed",
                         server->version / 10000);
    }
    if (server->is_standby) {
        return error_set(err, STATUS_UNAVAILABLE,
                         "store: the server is a standby: name all servers in "
                         "the URL, and the one that takes writes is used");
    }
    if (!server->is_durable) {
        return error_set(err, STATUS_CONFIG,
                         "store: the server forgets what it has confirmed when "
                         "it crashes: set fsync and synchronous_commit to on, "
                         "for this user at least");
    }
    if (apart_ms - server->within_ms > PG_SKEW_MS) {
        return error_set(err, STATUS_CONFIG,
                         "store: the clocks here and of the server are %" PRId64
                         " s apart, and may be %d: let both follow a time "
                         "server",
                         apart_ms / 1000, PG_SKEW_MS / 1000);
    }
    if (server->broken_indexes > 0) {
        return error_set(err, STATUS_CONFIG,
                         "store: %" PRId64
                         " indexes of the schema longstop are "
                         "not valid: REINDEX SCHEMA longstop",
                         server->broken_indexes);
    }
    return STATUS_OK;
}

/* ---- tables ---- */

static enum status
exec(void *arg, const char *sql, struct error *err)
{
    return pg_link_execute(arg, sql, MAKE_MS, err);
}

static enum status
set_version(void *arg, int version, struct error *err)
{
    char text[160];
    (void)snprintf(text, sizeof(text),
                   "INSERT INTO longstop.meta(name,value) VALUES('schema',%d)"
                   " ON CONFLICT(name) DO UPDATE SET value=excluded.value",
                   version);
    return exec(arg, text, err);
}

static enum status
version_of(struct pg_link *link, int64_t *ret, struct error *err)
{
    struct sql_use use = sql_use_of(&link->link, SQL_META_GET);
    sql_text(&use, slice_of("schema"));
    return sql_run_numbered(&use, ret, err);
}

enum status
pg_server_make_days(struct pg_link *link, struct error *err)
{
    return exec(link, DAYS, err);
}

/* Behind the lock: another agent may have made them just now. */
static enum status
migrate_locked(struct pg_link *link, struct error *err)
{
    struct pg_server server;
    int64_t version = 0;
    int64_t locked;
    struct sql_use use = sql_use_of(&link->link, SQL_LOCK_SCHEMA);
    enum status status = sql_run_numbered(&use, &locked, err);
    if (status == STATUS_OK) {
        status = pg_server_ask(link, &server, err);
    }
    if (status == STATUS_OK && server.has_tables) {
        status = version_of(link, &version, err);
    }
    const struct store_migrate_target target = { link, exec, set_version,
                                                 true };
    return status == STATUS_OK
               ? store_migrate_run(&target, (int)version,
                                   store_migrate_postgresql,
                                   store_migrate_postgresql_count, err)
               : status;
}

enum status
pg_server_migrate(struct pg_link *link, struct error *err)
{
    const struct sql_driver *driver = link->link.driver;
    enum status status = driver->begin(&link->link, true, err);
    if (status == STATUS_OK) {
        status = migrate_locked(link, err);
        if (status == STATUS_OK) {
            status = driver->commit(&link->link, err);
        } else {
            driver->rollback(&link->link);
        }
    }
    return status == STATUS_OK ? pg_server_make_days(link, err) : status;
}
