/* SPDX-License-Identifier: MIT */
/*
 * The suites of every store, by PostgreSQL: against the real server that
 * with_postgresql.py keeps.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conformance/days_suite.h"
#include "conformance/store_suite.h"
#include "io/plugin_load.h"
#include "store/store_pg.h"

static const struct longstop_database *database;
static void *session;
static const char *url;

static bool
never(void *arg)
{
    (void)arg;
    return false;
}

static void
execute(const char *text)
{
    struct longstop_failure failure = { .at = 0 };
    if (database->execute(session, text, 60000, &failure) != LONGSTOP_OK) {
        fail_msg("%s", failure.words);
    }
}

/* Makes it empty; its tables stay, which are the same for each test. */
static void
wipe(void)
{
    execute("DO $$ DECLARE t text; BEGIN"
            " IF to_regclass('longstop.meta') IS NULL THEN RETURN; END IF;"
            " DROP TRIGGER IF EXISTS small ON longstop.event;"
            " FOR t IN SELECT c.relname FROM pg_class c WHERE c.relnamespace="
            "'longstop'::regnamespace AND c.relkind IN ('r','p')"
            " AND NOT c.relispartition LOOP"
            " EXECUTE format('DELETE FROM longstop.%I%s',t,CASE t WHEN 'meta'"
            " THEN ' WHERE name<>''schema''' ELSE '' END);"
            " END LOOP;"
            " FOREACH t IN ARRAY ARRAY['name','gap','dead','refusal','errand']"
            " LOOP PERFORM setval(pg_get_serial_sequence('longstop.'||t,'id'),"
            "1,false); END LOOP; END $$");
}

static int
empty(void **state)
{
    (void)state;
    wipe();
    return 0;
}

static enum status
open_one(struct store **ret, struct error *err)
{
    return store_pg_open(url, NULL, ret, err);
}

static enum status
view_one(struct store_view **ret, struct error *err)
{
    return store_pg_view_open(url, ret, err);
}

/* The server takes a gigabyte: it is told to refuse less. */
static void
limit_row(struct store *store, int bytes)
{
    (void)store;
    char text[512];
    (void)snprintf(text, sizeof(text),
                   "CREATE OR REPLACE FUNCTION longstop.small() RETURNS trigger"
                   " LANGUAGE plpgsql AS $$ BEGIN IF length(NEW.body)>%d THEN"
                   " RAISE 'too large' USING ERRCODE='54000'; END IF;"
                   " RETURN NEW; END $$;"
                   "CREATE TRIGGER small BEFORE INSERT ON longstop.event"
                   " FOR EACH ROW EXECUTE FUNCTION longstop.small()",
                   bytes);
    execute(text);
}

int
main(void)
{
    static const struct longstop_host host = { NULL, never };
    url = getenv("LONGSTOP_TEST_PG");
    if (url == NULL) {
        printf("LONGSTOP_TEST_PG is not set\n");
        return 77;
    }
    struct error err = { 0 };
    struct longstop_failure failure = { .at = 0 };
    const struct longstop_access access = { .url = url,
                                            .connect_timeout_ms = 10000,
                                            .call_timeout_ms = 60000 };
    if (plugin_load_database("postgresql", &database, &err) != STATUS_OK ||
        database->open(&access, &host, &session, &failure) != LONGSTOP_OK) {
        printf("%s%s\n", err.text, failure.words);
        return 1;
    }
    const struct store_suite_host suites = { .wipe = wipe,
                                             .open = open_one,
                                             .view = view_one,
                                             .limit_row = limit_row,
                                             .is_shared = true };
    int failed = store_suite_run(&suites) + gap_suite_run(&suites) +
                 fill_suite_run(&suites) + seed_suite_run(&suites) +
                 view_suite_run(&suites) + relay_suite_run(&suites) +
                 lane_suite_run(&suites) + refusal_suite_run(&suites) +
                 again_suite_run(&suites) + pause_suite_run(&suites) +
                 receiver_suite_run(&suites) + lease_suite_run(&suites) +
                 share_suite_run(&suites) + days_suite_run(execute, empty);
    database->close(session);
    return failed;
}
