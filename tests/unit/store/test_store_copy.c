/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/store_copy.h"
#include "store/store_sqlite_private.h"

static char folder[] = "/tmp/longstop-copy-XXXXXX";
static char from_url[64];
static char into_url[64];

/* Slices after which the copy is to stop; below 0: it goes on. */
static int slices_left;

static void
wipe(void)
{
    char command[128];
    (void)snprintf(command, sizeof(command), "rm -rf %s/*", folder);
    assert_int_equal(system(command), 0);
    slices_left = -1;
}

static struct store *
open_one(const char *url, bool is_copy)
{
    const struct store_settings settings = { .is_copy = is_copy };
    struct error err = { 0 };
    struct store *store = NULL;
    if (store_open(url, &settings, &store, &err) != STATUS_OK) {
        fail_msg("%s", err.text);
    }
    return store;
}

static void
execute(const char *url, const char *sql)
{
    struct store *store = open_one(url, true);
    struct error err = { 0 };
    if (sqlite_link_exec(&store_sqlite_of(store)->link, sql, &err) !=
        STATUS_OK) {
        fail_msg("%s", err.text);
    }
    store->ops->close(store);
}

static int64_t
number(const char *url, const char *sql)
{
    struct store *store = open_one(url, true);
    sqlite3_stmt *stmt;
    assert_int_equal(sqlite3_prepare_v2(store_sqlite_of(store)->link.db, sql,
                                        -1, &stmt, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    int64_t value = sqlite3_column_int64(stmt, 0);
    (void)sqlite3_finalize(stmt);
    store->ops->close(store);
    return value;
}

/* Rows in every table, NULL and not, with bytes that are no text; of events
 * more than one slice. */
static void
make_store(void)
{
    execute(
        from_url,
        "INSERT INTO name(id,kind,name) VALUES(1,1,'shop'),(9,2,'fulfil');"
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE"
        " i<150) INSERT INTO event SELECT "
        "i<<20,1,i%4,i*1000,i*1000+5,'evt_'||i,"
        "'order.paid',x'00ff0a','application/json',"
        "CAST('{\"n\":'||i||'}' AS BLOB) FROM n;"
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE"
        " i<150) INSERT INTO ledger SELECT CAST(printf('%08d',i)||"
        "x'00ff00ff00ff00ff' AS BLOB),i<<20,1 FROM n;"
        "INSERT INTO sighting VALUES(1<<20,0,7),(1<<20,1,8);"
        "INSERT INTO fill VALUES(2<<20,1,0,0,0);"
        "INSERT INTO keyed VALUES(1,-5,99,1);"
        "INSERT INTO rekeyed VALUES(3<<20,1);"
        "INSERT INTO account VALUES(1,NULL,0,1,2,3,4),(2,7,8,1,2,3,4);"
        "INSERT INTO delivery(handler,event,due,attempt,owner,lane) VALUES"
        "(9,1<<20,5,0,0,NULL),(9,2<<20,9223372036854775807,0,0,-3);"
        "INSERT INTO dead(handler,event,attempt,at_ms,reason,detail,lane,holds)"
        " VALUES(9,3<<20,4,5,'gave up','http 500',NULL,0),"
        "(9,4<<20,4,5,'gave up','',8,1);"
        "INSERT INTO attempt(event,handler,attempt,started_ms,duration_ms,kind,"
        "detail,output) VALUES(3<<20,9,1,5,6,1,'exit 1',x'00'),"
        "(3<<20,9,2,5,6,2,'exit 1',x'');"
        "INSERT INTO walk VALUES(1,0,77,'{\"a\":1}'),(1,1,78,'{}');"
        "INSERT INTO gap(connector,kind,from_ms,to_ms,found_ms,closed_ms,"
        "closed_by) VALUES(1,1,5,6,7,NULL,NULL),(1,1,8,9,10,11,2);"
        "INSERT INTO refusal(connector,at_ms,cause,status,bytes,more,why,peer,"
        "head) VALUES(1,5,1,401,10,0,'forged','192.0.2.1','POST /');"
        "INSERT INTO errand(running,done,skipped,state) VALUES(1,2,3,'{}');"
        "INSERT INTO pause VALUES(2,9,5,'by me');"
        "INSERT INTO receiver VALUES(9,0,'{}');"
        "INSERT INTO meta VALUES('dedup_floor',1234)");
}

static bool
should_stop(void *arg)
{
    (void)arg;
    return slices_left >= 0 && slices_left-- == 0;
}

static enum status
copy(struct store_copy *ret, struct error *err)
{
    struct store *from = open_one(from_url, true);
    struct store *into = open_one(into_url, true);
    *ret = (struct store_copy){ .should_stop = should_stop };
    enum status status = store_copy(from, into, ret, err);
    into->ops->close(into);
    from->ops->close(from);
    return status;
}

static void
all_of_a_store_is_in_the_other_one(void **state)
{
    (void)state;
    struct store_copy told;
    struct error err = { 0 };
    wipe();
    make_store();
    assert_int_equal(copy(&told, &err), STATUS_OK);
    for (size_t i = 0; i < STORE_COPY_TABLES; i++) {
        char sql[96];
        (void)snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s",
                       told.tables[i].name);
        assert_true(told.tables[i].rows > 0);
        assert_int_equal(number(into_url, sql), told.tables[i].rows);
        assert_int_equal(number(from_url, sql), told.tables[i].rows);
    }
    assert_int_equal(number(into_url, "SELECT max(id) FROM event"),
                     150LL << 20);
    struct store *store = open_one(into_url, false);
    uint32_t handler = 0;
    assert_int_equal(store->ops->ledger_floor_ms(store), 1234);
    assert_int_equal(store->ops->name(store, STORE_HANDLER, slice_of("fulfil"),
                                      &handler, &err),
                     STATUS_OK);
    assert_int_equal(handler, 9);
    assert_int_equal(
        store->ops->name(store, STORE_HANDLER, slice_of("new"), &handler, &err),
        STATUS_OK);
    assert_int_equal(handler, 10);
    store->ops->close(store);
}

static void
every_table_of_a_store_is_copied(void **state)
{
    (void)state;
    wipe();
    assert_int_equal(
        number(from_url, "SELECT count(*) FROM sqlite_schema WHERE type='table'"
                         " AND name NOT LIKE 'sqlite%' AND name<>'meta'"),
        STORE_COPY_TABLES);
}

static void
a_copy_that_was_stopped_goes_on_and_is_no_store_until_it_is_whole(void **state)
{
    (void)state;
    struct store_copy told;
    struct error err = { 0 };
    struct store *store = NULL;
    wipe();
    make_store();
    for (int slices = 1; slices < 17; slices += 3) {
        slices_left = slices;
        assert_int_equal(copy(&told, &err), STATUS_CANCELED);
        assert_int_equal(store_open(into_url, NULL, &store, &err),
                         STATUS_CONFIG);
        assert_non_null(strstr(err.text, "store copy"));
    }
    assert_true(number(into_url, "SELECT count(*) FROM event") > 0);
    slices_left = -1;
    assert_int_equal(copy(&told, &err), STATUS_OK);
    store = open_one(into_url, false);
    store->ops->close(store);
}

static void
a_store_that_holds_something_else_is_not_copied_into(void **state)
{
    (void)state;
    struct store_copy told;
    struct error err = { 0 };
    wipe();
    make_store();
    execute(into_url, "INSERT INTO pause VALUES(2,9,5,'by me')");
    assert_int_equal(copy(&told, &err), STATUS_EXISTS);
    assert_non_null(strstr(err.text, "pause"));
    assert_int_equal(number(into_url, "SELECT count(*) FROM event"), 0);
}

static void
a_row_that_is_not_the_same_is_found(void **state)
{
    static const char *const changes[] = {
        "UPDATE event SET body=x'00' WHERE id=1<<20",
        "UPDATE ledger SET channels=3 WHERE event=2<<20",
        "DELETE FROM ledger WHERE event=2<<20",
        "UPDATE name SET kind=2 WHERE id=1",
    };
    static const char *const named[] = { "event", "ledger", "ledger", "name" };
    struct store_copy told;
    struct error err = { 0 };
    (void)state;
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        wipe();
        make_store();
        slices_left = 4; /* in the middle of the events */
        assert_int_equal(copy(&told, &err), STATUS_CANCELED);
        execute(into_url, changes[i]);
        slices_left = -1;
        assert_int_equal(copy(&told, &err), STATUS_CORRUPT);
        assert_int_equal(strncmp(err.text, named[i], strlen(named[i])), 0);
        assert_int_equal(
            store_open(into_url, NULL, &(struct store *){ NULL }, &err),
            STATUS_CONFIG);
    }
}

static void
what_was_leased_is_due_in_the_copy(void **state)
{
    (void)state;
    struct store_copy told;
    struct error err = { 0 };
    wipe();
    make_store();
    execute(from_url, "UPDATE delivery SET owner=3,due=99999 WHERE due=5");
    assert_int_equal(copy(&told, &err), STATUS_OK);
    assert_int_equal(number(into_url,
                            "SELECT count(*) FROM delivery WHERE due=0 AND"
                            " owner=0 AND event=1<<20"),
                     1);
}

int
main(void)
{
#define ROW(name) cmocka_unit_test(name)
    const struct CMUnitTest tests[] = {
        ROW(all_of_a_store_is_in_the_other_one),
        ROW(every_table_of_a_store_is_copied),
        ROW(a_copy_that_was_stopped_goes_on_and_is_no_store_until_it_is_whole),
        ROW(a_store_that_holds_something_else_is_not_copied_into),
        ROW(a_row_that_is_not_the_same_is_found),
        ROW(what_was_leased_is_due_in_the_copy),
    };
#undef ROW
    if (mkdtemp(folder) == NULL) {
        perror(folder);
        return 1;
    }
    (void)snprintf(from_url, sizeof(from_url), "sqlite:%s/from", folder);
    (void)snprintf(into_url, sizeof(into_url), "sqlite:%s/into", folder);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    wipe();
    (void)rmdir(folder);
    return failed;
}
