/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/loop.h"
#include "model/identity.h"
#include "store/store_reader.h"
#include "store/store_sqlite_private.h"
#include "store/store_worker.h"

#define EVENTS 300

#define assert_ok(status) assert_int_equal((status), STATUS_OK)

static char folder[] = "/tmp/longstop-reader-XXXXXX";
static char url[64];

static int
wipe(void **state)
{
    (void)state;
    static const char *const names[] = { "db", "db-wal", "db-shm", "db.lock" };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char path[64];
        (void)snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        (void)unlink(path);
    }
    return 0;
}

static struct store *
open_store(void)
{
    struct store *store = NULL;
    struct error err = { 0 };
    assert_ok(store_open(url, NULL, &store, &err));
    return store;
}

static struct store_view *
open_view(void)
{
    struct store_view *view = NULL;
    struct error err = { 0 };
    assert_ok(store_view_open(url, &view, &err));
    return view;
}

static struct sighting
sighting_of(uint32_t n)
{
    struct sighting sighting = { .via = CHANNEL_WEBHOOK,
                                 .key_count = 1,
                                 .id = SLICE("evt"),
                                 .type = SLICE("order.paid"),
                                 .body = SLICE("{}") };
    sighting.keys[0].key = identity_floor_key(1000);
    memcpy(sighting.keys[0].key.bytes + 4, &n, sizeof(n));
    return sighting;
}

static void
add_events(struct store *store, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct sighting sighting = sighting_of(i);
        struct store_unit unit = { .connector = 1,
                                   .sightings = &sighting,
                                   .sighting_count = 1 };
        struct store_unit *const units[] = { &unit };
        struct error err = { 0 };
        assert_ok(store->ops->apply(store, units, 1, &err));
    }
}

/* ---- on the loop ---- */

/* Writes event after event, and asks for all of them, until all are there. */
struct race {
    struct loop *loop;
    struct store_worker *worker;
    struct store_reader *reader;
    struct store_call write;
    struct sighting sighting;
    struct view_call question;
    uint32_t written;
    size_t seen;
    unsigned asked;
};

static void
write_next(struct race *race)
{
    race->sighting = sighting_of(race->written);
    race->write.kind = STORE_CALL_UNIT;
    race->write.unit = (struct store_unit){ .connector = 1,
                                            .sightings = &race->sighting,
                                            .sighting_count = 1 };
    assert_ok(store_worker_submit(race->worker, &race->write));
}

static void
written(struct store_call *call)
{
    struct race *race = call->arg;
    assert_ok(call->status);
    race->written++;
    if (race->written < EVENTS) {
        write_next(race);
    }
}

static void
ask(struct race *race)
{
    race->question.kind = VIEW_EVENTS;
    race->question.events = (struct view_events){ .via = -1,
                                                  .limit = VIEW_ROWS_MOST,
                                                  .look = VIEW_ROWS_MOST };
    race->asked++;
    store_reader_submit(race->reader, &race->question);
}

static void
answered(struct view_call *call)
{
    struct race *race = call->arg;
    assert_ok(call->status);
    /* Each answer is one state of the store, and none is older than the last.
     */
    assert_true(call->events.count >= race->seen);
    race->seen = call->events.count;
    arena_fini(&call->arena);
    if (race->seen == EVENTS) {
        loop_stop(race->loop);
        return;
    }
    ask(race);
}

static void
it_reads_while_the_writer_writes(void **state)
{
    (void)state;
    struct race race = { 0 };
    const struct store_worker_settings settings = { .queue_events = 100,
                                                    .queue_bytes = 1 << 20,
                                                    .group_units = 100 };
    struct error err = { 0 };
    assert_ok(loop_create(&race.loop));
    assert_ok(store_worker_create(race.loop, open_store(), &settings,
                                  &race.worker, &err));
    assert_ok(store_reader_create(race.loop, open_view(), &race.reader, &err));
    race.write.done = written;
    race.write.arg = &race;
    race.question.done = answered;
    race.question.arg = &race;
    write_next(&race);
    ask(&race);
    loop_run(race.loop);
    assert_true(race.asked > 1);
    store_reader_destroy(race.reader);
    store_worker_destroy(race.worker);
    loop_destroy(race.loop);
}

/* ---- the end ---- */

struct ending {
    struct view_call calls[8];
    int answered;
    int canceled;
};

static void
ended(struct view_call *call)
{
    struct ending *ending = call->arg;
    arena_fini(&call->arena);
    ending->answered += call->status == STATUS_OK;
    ending->canceled += call->status == STATUS_CANCELED;
}

static void
what_is_under_way_at_the_end_is_canceled(void **state)
{
    (void)state;
    struct store *store = open_store();
    struct loop *loop;
    struct store_reader *reader;
    struct ending ending = { 0 };
    struct error err = { 0 };
    add_events(store, 10);
    assert_ok(loop_create(&loop));
    assert_ok(store_reader_create(loop, open_view(), &reader, &err));
    for (size_t i = 0; i < 8; i++) {
        ending.calls[i].kind = (enum view_kind)(i % VIEW_KIND_COUNT);
        ending.calls[i].done = ended;
        ending.calls[i].arg = &ending;
        store_reader_submit(reader, &ending.calls[i]);
    }
    store_reader_destroy(reader);
    assert_int_equal(ending.answered + ending.canceled, 8);
    assert_int_equal(ending.canceled, 8);
    store_reader_destroy(NULL);
    store->ops->close(store);
    loop_destroy(loop);
}

/* ---- the view of a SQLite file ---- */

static void
a_question_leaves_the_log_free_to_begin_anew(void **state)
{
    (void)state;
    struct store *store = open_store();
    struct store_view *view = open_view();
    struct arena arena = { 0 };
    struct error err = { 0 };
    add_events(store, 20);
    /* Each kind; one that ends before its last row too. */
    struct view_gaps gaps = { .limit = 1 };
    struct view_events events = { .via = -1, .limit = 3, .look = 5 };
    struct view_keys keys = { .connector = 1, .look = 5 };
    struct view_totals totals = { 0 };
    assert_ok(view->ops->gaps(view, &gaps, &arena, &err));
    assert_ok(view->ops->events(view, &events, &arena, &err));
    assert_ok(view->ops->keys(view, &keys, &arena, &err));
    assert_ok(view->ops->totals(view, &totals, &arena, &err));
    struct view_detail detail = { .number = events.at[0].number };
    assert_ok(view->ops->detail(view, &detail, &arena, &err));
    detail.number = 7;
    assert_int_equal(view->ops->detail(view, &detail, &arena, &err),
                     STATUS_NOT_FOUND);
    assert_ok(sqlite_link_checkpoint(&store_sqlite_of(store)->link,
                                     SQLITE_CHECKPOINT_TRUNCATE, &err));
    arena_fini(&arena);
    view->ops->close(view);
    store->ops->close(store);
}

static void
a_view_can_write_nothing(void **state)
{
    (void)state;
    struct store *store = open_store();
    struct store_view *view = open_view();
    sqlite3 *db = sqlite_view_of(view)->link.db;
    assert_int_equal(sqlite3_exec(db, "DELETE FROM event", NULL, NULL, NULL) &
                         0xff,
                     SQLITE_READONLY);
    assert_int_equal(sqlite3_db_readonly(db, "main"), 1);
    view->ops->close(view);
    store->ops->close(store);
}

/* Overwrites the file's pages behind the first one. */
static void
damage(void)
{
    char path[64];
    char noise[4096];
    (void)snprintf(path, sizeof(path), "%s/db", folder);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    memset(noise, 0xa5, sizeof(noise));
    off_t end = lseek(fd, 0, SEEK_END);
    for (off_t at = 4096; at < end; at += 4096) {
        assert_int_equal(pwrite(fd, noise, sizeof(noise), at), 4096);
    }
    (void)close(fd);
}

static void
a_damaged_file_is_said_in_words(void **state)
{
    (void)state;
    struct store *store = open_store();
    add_events(store, 100);
    store->ops->close(store);
    damage();
    struct store_view *view = NULL;
    struct view_events events = { .via = -1, .limit = 9, .look = 9 };
    struct arena arena = { 0 };
    struct error err = { 0 };
    enum status status = store_view_open(url, &view, &err);
    if (status == STATUS_OK) {
        status = view->ops->events(view, &events, &arena, &err);
        view->ops->close(view);
    }
    assert_int_equal(status, STATUS_CORRUPT);
    assert_non_null(strstr(err.text, "damaged"));
    arena_fini(&arena);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, wipe, wipe)

int
main(void)
{
    if (mkdtemp(folder) == NULL) {
        perror(folder);
        return 1;
    }
    (void)snprintf(url, sizeof(url), "sqlite:%s/db", folder);
    const struct CMUnitTest tests[] = {
        ROW(it_reads_while_the_writer_writes),
        ROW(what_is_under_way_at_the_end_is_canceled),
        ROW(a_question_leaves_the_log_free_to_begin_anew),
        ROW(a_view_can_write_nothing),
        ROW(a_damaged_file_is_said_in_words),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    (void)rmdir(folder);
    return failed;
}
