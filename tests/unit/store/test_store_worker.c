/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/loop.h"
#include "store/store_worker.h"

/*
 * A store that notes what it is asked. While `gated` is set each apply says on
 * one pipe that it has begun and reads one byte from the other first, so that a
 * test can hold a commit for as long as it wants. All of it is the worker
 * thread's between two completions.
 */
struct fake {
    struct store store;
    struct buf said;
    int gate[2];
    int begun[2];
    bool gated;
    enum status answer;      /* of the next calls */
    enum status unit_answer; /* of the first unit of a group */
    bool *closed;
};

static struct fake *
fake_of(struct store *store)
{
    return (struct fake *)(void *)store;
}

static enum status
fake_apply(struct store *store, struct store_unit *const *units, size_t count,
           struct error *err)
{
    struct fake *fake = fake_of(store);
    char byte;
    if (fake->gated) {
        assert_int_equal(write(fake->begun[1], "x", 1), 1);
        assert_int_equal(read(fake->gate[0], &byte, 1), 1);
    }
    buf_format(&fake->said, "a%zu ", count);
    for (size_t i = 0; i < count; i++) {
        units[i]->status = fake->answer;
        (void)error_set(&units[i]->err, fake->answer, "the words");
    }
    if (fake->answer == STATUS_OK) {
        units[0]->status = fake->unit_answer;
    }
    return error_set(err, fake->answer, "the words");
}

static enum status
fake_claim(struct store *store, uint32_t handler, int64_t now_ms,
           int64_t lease_until_ms, size_t limit,
           struct store_claims *ret_claims, struct error *err)
{
    struct fake *fake = fake_of(store);
    buf_format(&fake->said, "c%u,%d,%d,%zu ", handler, (int)now_ms,
               (int)lease_until_ms, limit);
    ret_claims->next_due_ms = 77;
    return error_set(err, fake->answer, "the words");
}

static enum status
fake_known(struct store *store, const struct sighting *sightings, size_t count,
           bool *ret_known, struct error *err)
{
    (void)sightings;
    (void)err;
    buf_format(&fake_of(store)->said, "k%zu ", count);
    ret_known[0] = true;
    return STATUS_OK;
}

static enum status
fake_walk(struct store *store, uint32_t connector, unsigned tier,
          struct buf *into, struct error *err)
{
    (void)err;
    buf_format(&fake_of(store)->said, "w%u,%u ", connector, tier);
    buf_text(into, "state");
    return buf_status(into);
}

static enum status
fake_figures(struct store *store, struct store_figure *figures, size_t count,
             struct error *err)
{
    (void)err;
    buf_format(&fake_of(store)->said, "f%zu ", count);
    figures[0].pending = 5;
    return STATUS_OK;
}

static enum status
fake_prune(struct store *store, struct store_prune *prune, struct error *err)
{
    (void)err;
    buf_format(&fake_of(store)->said, "p%zu ", prune->limit);
    prune->removed = 3;
    return STATUS_OK;
}

static enum status
fake_again(struct store *store, struct store_again *again, struct error *err)
{
    (void)err;
    buf_format(&fake_of(store)->said, "g%zu ", again->count);
    return STATUS_OK;
}

static void
fake_close(struct store *store)
{
    *fake_of(store)->closed = true;
}

static const struct store_ops fake_ops = {
    .apply = fake_apply,
    .claim = fake_claim,
    .known = fake_known,
    .walk = fake_walk,
    .figures = fake_figures,
    .prune = fake_prune,
    .again = fake_again,
    .close = fake_close,
};

struct fixture {
    struct loop *loop;
    struct fake fake;
    bool closed;
    struct store_worker *worker;
    struct store_call calls[16];
    struct sighting sightings[16];
    size_t done;
    size_t expected;
    struct buf order; /* of completions, as indices in hex */
    int failures;
    int waits; /* it cannot be written: 1, it can again: 100 */
    enum status failed_with;
    size_t commits;
    size_t expected_commits; /* 0: the loop runs on */
    size_t committed_units;
    enum status submitted_late;
    bool submit_late;
};

static void
on_done(struct store_call *call)
{
    struct fixture *fixture = call->arg;
    buf_format(&fixture->order, "%x", (unsigned)(call - fixture->calls));
    fixture->done++;
    if (fixture->submit_late) {
        fixture->submitted_late =
            store_worker_submit(fixture->worker, &fixture->calls[15]);
    }
    if (fixture->done == fixture->expected) {
        loop_stop(fixture->loop);
    }
}

static void
on_failure(void *arg, enum status status, const char *words)
{
    struct fixture *fixture = arg;
    fixture->failures++;
    fixture->failed_with = status;
    assert_string_equal(words, "the words");
}

static void
on_wait(void *arg, bool waits, const char *words)
{
    struct fixture *fixture = arg;
    fixture->waits += waits ? 1 : 100;
    assert_string_equal(words, waits ? "the words" : "");
}

static void
on_commit(void *arg, double seconds, size_t units)
{
    struct fixture *fixture = arg;
    fixture->commits++;
    if (fixture->commits == fixture->expected_commits) {
        loop_stop(fixture->loop);
    }
    fixture->committed_units += units;
    assert_true(seconds >= 0 && seconds < 60);
}

static int
set_up(void **state)
{
    struct fixture *fixture = mem_zero(sizeof(*fixture));
    *state = fixture;
    assert_int_equal(loop_create(&fixture->loop), STATUS_OK);
    fixture->fake.store.ops = &fake_ops;
    fixture->fake.closed = &fixture->closed;
    assert_int_equal(pipe(fixture->fake.gate), 0);
    assert_int_equal(pipe(fixture->fake.begun), 0);
    const struct store_worker_settings settings = { .queue_events = 4,
                                                    .queue_bytes = 100,
                                                    .group_units = 6 };
    struct error err = { 0 };
    assert_int_equal(store_worker_create(fixture->loop, &fixture->fake.store,
                                         &settings, &fixture->worker, &err),
                     STATUS_OK);
    store_worker_on_commit(fixture->worker, on_commit, fixture);
    store_worker_on_failure(fixture->worker, on_failure, fixture);
    store_worker_on_wait(fixture->worker, on_wait, fixture);
    return 0;
}

static int
tear_down(void **state)
{
    struct fixture *fixture = *state;
    store_worker_destroy(fixture->worker);
    assert_true(fixture->closed);
    loop_destroy(fixture->loop);
    (void)close(fixture->fake.gate[0]);
    (void)close(fixture->fake.gate[1]);
    (void)close(fixture->fake.begun[0]);
    (void)close(fixture->fake.begun[1]);
    buf_fini(&fixture->fake.said);
    buf_fini(&fixture->order);
    mem_free(fixture);
    return 0;
}

static struct store_call *
call_at(struct fixture *fixture, size_t i, enum store_call_kind kind)
{
    struct store_call *call = &fixture->calls[i];
    *call =
        (struct store_call){ .kind = kind, .done = on_done, .arg = fixture };
    return call;
}

/* Submits a unit of outcomes alone. */
static void
submit_unit(struct fixture *fixture, size_t i)
{
    assert_int_equal(store_worker_submit(fixture->worker,
                                         call_at(fixture, i, STORE_CALL_UNIT)),
                     STATUS_OK);
}

/* Submits a unit with one sighting of `len` bytes. */
static enum status
submit_sighting(struct fixture *fixture, size_t i, size_t len)
{
    static const char bytes[256];
    struct store_call *call = call_at(fixture, i, STORE_CALL_UNIT);
    fixture->sightings[i].body = (struct slice){ bytes, len };
    call->unit.sightings = &fixture->sightings[i];
    call->unit.sighting_count = 1;
    return store_worker_submit(fixture->worker, call);
}

static void
run_until(struct fixture *fixture, size_t done)
{
    fixture->expected = done;
    if (fixture->done < done) {
        loop_run(fixture->loop);
    }
    assert_int_equal(fixture->done, done);
}

static void
run_until_commits(struct fixture *fixture, size_t commits)
{
    fixture->expected_commits = commits;
    if (fixture->commits < commits) {
        loop_run(fixture->loop);
    }
    assert_int_equal(fixture->commits, commits);
}

static void
open_gate(struct fixture *fixture, size_t times)
{
    for (size_t i = 0; i < times; i++) {
        assert_int_equal(write(fixture->fake.gate[1], "x", 1), 1);
    }
}

/* Runs the loop once around, so that what was submitted is handed over. */
static void
stop(void *arg)
{
    loop_stop(arg);
}

static void
turn(struct fixture *fixture)
{
    struct loop_timer *timer;
    assert_int_equal(
        loop_timer_create(fixture->loop, stop, fixture->loop, &timer),
        STATUS_OK);
    loop_timer_arm(timer, 1);
    loop_run(fixture->loop);
    loop_timer_destroy(timer);
}

static void
calls_of_one_turn_are_one_group_and_come_back_in_order(void **state)
{
    struct fixture *fixture = *state;
    for (size_t i = 0; i < 5; i++) {
        submit_unit(fixture, i);
    }
    run_until(fixture, 5);
    assert_string_equal(fixture->fake.said.ptr, "a5 ");
    assert_string_equal(fixture->order.ptr, "01234");
    assert_int_equal(fixture->commits, 1);
    assert_int_equal(fixture->committed_units, 5);
}

static void
what_queues_while_a_commit_runs_is_the_next_group(void **state)
{
    struct fixture *fixture = *state;
    fixture->fake.gated = true;
    submit_unit(fixture, 0);
    turn(fixture);
    char byte;
    assert_int_equal(read(fixture->fake.begun[0], &byte, 1), 1);
    for (size_t i = 1; i < 4; i++) {
        submit_unit(fixture, i);
        turn(fixture);
    }
    assert_int_equal(fixture->done, 0);
    open_gate(fixture, 2);
    run_until(fixture, 4);
    assert_string_equal(fixture->fake.said.ptr, "a1 a3 ");
    assert_string_equal(fixture->order.ptr, "0123");
}

static void
a_group_has_no_more_units_than_asked(void **state)
{
    struct fixture *fixture = *state;
    for (size_t i = 0; i < 14; i++) {
        submit_unit(fixture, i);
    }
    run_until(fixture, 14);
    assert_string_equal(fixture->fake.said.ptr, "a6 a6 a2 ");
    assert_string_equal(fixture->order.ptr, "0123456789abcd");
}

static void
other_calls_stand_between_groups(void **state)
{
    struct fixture *fixture = *state;
    submit_unit(fixture, 0);
    submit_unit(fixture, 1);
    struct store_call *call = call_at(fixture, 2, STORE_CALL_CLAIM);
    call->claim.handler = 7;
    call->claim.now_ms = 8;
    call->claim.lease_until_ms = 9;
    call->claim.limit = 10;
    assert_int_equal(store_worker_submit(fixture->worker, call), STATUS_OK);
    submit_unit(fixture, 3);
    run_until(fixture, 4);
    assert_string_equal(fixture->fake.said.ptr, "a2 c7,8,9,10 a1 ");
    assert_string_equal(fixture->order.ptr, "0123");
    assert_int_equal(call->claim.claims.next_due_ms, 77);
}

/* Holds the first commit and waits for it to have begun. */
static void
hold_unit(struct fixture *fixture, size_t i)
{
    char byte;
    fixture->fake.gated = true;
    submit_unit(fixture, i);
    turn(fixture);
    assert_int_equal(read(fixture->fake.begun[0], &byte, 1), 1);
}

static void
submit_claim(struct fixture *fixture, size_t i, bool again)
{
    struct store_call *call = call_at(fixture, i, STORE_CALL_CLAIM);
    call->claim.handler = (uint32_t)i;
    call->claim.claims.again = again;
    assert_int_equal(store_worker_submit(fixture->worker, call), STATUS_OK);
}

static void
what_nobody_waits_for_lets_what_came_in_go_first(void **state)
{
    struct fixture *fixture = *state;
    hold_unit(fixture, 0);
    submit_claim(fixture, 1, true);
    assert_int_equal(submit_sighting(fixture, 2, 1), STATUS_OK);
    submit_claim(fixture, 3, false);
    struct store_call *again = call_at(fixture, 4, STORE_CALL_AGAIN);
    assert_int_equal(store_worker_submit(fixture->worker, again), STATUS_OK);
    struct store_call *prune = call_at(fixture, 5, STORE_CALL_PRUNE);
    assert_int_equal(store_worker_submit(fixture->worker, prune), STATUS_OK);
    submit_unit(fixture, 6);
    assert_int_equal(submit_sighting(fixture, 7, 1), STATUS_OK);
    turn(fixture);
    open_gate(fixture, 3);
    run_until(fixture, 8);
    assert_string_equal(fixture->fake.said.ptr,
                        "a1 a1 c1,0,0,0 c3,0,0,0 a2 g0 p0 ");
    assert_string_equal(fixture->order.ptr, "02136745");
}

static void
it_does_so_once_so_that_it_comes_at_all(void **state)
{
    struct fixture *fixture = *state;
    char byte;
    hold_unit(fixture, 0);
    submit_claim(fixture, 1, true);
    assert_int_equal(submit_sighting(fixture, 2, 1), STATUS_OK);
    turn(fixture);
    open_gate(fixture, 1);
    assert_int_equal(read(fixture->fake.begun[0], &byte, 1), 1);
    assert_int_equal(submit_sighting(fixture, 3, 1), STATUS_OK);
    turn(fixture);
    open_gate(fixture, 2);
    run_until(fixture, 4);
    assert_string_equal(fixture->order.ptr, "0213");
}

static void
an_outcome_does_not_go_first(void **state)
{
    struct fixture *fixture = *state;
    hold_unit(fixture, 0);
    submit_claim(fixture, 1, true);
    submit_unit(fixture, 2);
    turn(fixture);
    open_gate(fixture, 2);
    run_until(fixture, 3);
    assert_string_equal(fixture->order.ptr, "012");
}

static void
one_that_somebody_waits_for_keeps_its_place(void **state)
{
    struct fixture *fixture = *state;
    hold_unit(fixture, 0);
    struct store_call *again = call_at(fixture, 1, STORE_CALL_AGAIN);
    again->again.first = true;
    assert_int_equal(store_worker_submit(fixture->worker, again), STATUS_OK);
    assert_int_equal(submit_sighting(fixture, 2, 1), STATUS_OK);
    turn(fixture);
    open_gate(fixture, 2);
    run_until(fixture, 3);
    assert_string_equal(fixture->fake.said.ptr, "a1 g0 a1 ");
}

static void
every_kind_of_call_reaches_the_store_and_comes_back(void **state)
{
    struct fixture *fixture = *state;
    bool known = false;
    struct store_figure figure = { 0 };
    struct store_call *call = call_at(fixture, 0, STORE_CALL_KNOWN);
    call->known.sightings = fixture->sightings;
    call->known.count = 1;
    call->known.known = &known;
    assert_int_equal(store_worker_submit(fixture->worker, call), STATUS_OK);
    struct store_call *walk = call_at(fixture, 1, STORE_CALL_WALK);
    walk->walk.connector = 3;
    walk->walk.tier = 1;
    assert_int_equal(store_worker_submit(fixture->worker, walk), STATUS_OK);
    call = call_at(fixture, 2, STORE_CALL_FIGURES);
    call->figures.at = &figure;
    call->figures.count = 1;
    assert_int_equal(store_worker_submit(fixture->worker, call), STATUS_OK);
    call = call_at(fixture, 3, STORE_CALL_PRUNE);
    call->prune.limit = 9;
    assert_int_equal(store_worker_submit(fixture->worker, call), STATUS_OK);
    run_until(fixture, 4);
    assert_string_equal(fixture->fake.said.ptr, "k1 w3,1 f1 p9 ");
    assert_true(known);
    assert_string_equal(walk->walk.text.ptr, "state");
    assert_int_equal(figure.pending, 5);
    assert_int_equal(call->prune.removed, 3);
    buf_fini(&walk->walk.text);
}

static void
a_full_queue_takes_outcomes_but_no_sightings(void **state)
{
    struct fixture *fixture = *state;
    for (size_t i = 0; i < 4; i++) {
        assert_true(store_worker_has_room(fixture->worker));
        assert_int_equal(submit_sighting(fixture, i, 10), STATUS_OK);
    }
    assert_false(store_worker_has_room(fixture->worker));
    assert_int_equal(submit_sighting(fixture, 4, 1), STATUS_BUSY);
    submit_unit(fixture, 5);
    struct store_worker_figures figures;
    store_worker_figures(fixture->worker, &figures);
    assert_int_equal(figures.queued_events, 4);
    assert_int_equal(figures.queued_bytes, 40);
    run_until(fixture, 5);
    assert_true(store_worker_has_room(fixture->worker));
    store_worker_figures(fixture->worker, &figures);
    assert_int_equal(figures.queued_events, 0);
    assert_int_equal(figures.queued_bytes, 0);
    assert_int_equal(figures.commits, 1);
    assert_int_equal(figures.units, 5);
}

static void
bytes_fill_the_queue_too_but_one_body_always_fits(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(submit_sighting(fixture, 0, 200), STATUS_OK);
    assert_int_equal(submit_sighting(fixture, 1, 1), STATUS_BUSY);
    run_until(fixture, 1);
    assert_int_equal(submit_sighting(fixture, 1, 1), STATUS_OK);
    run_until(fixture, 2);
}

static void
no_room_on_the_disk_passes_when_a_probe_finds_some(void **state)
{
    struct fixture *fixture = *state;
    struct store_worker_figures figures;
    fixture->fake.answer = STATUS_FULL;
    submit_unit(fixture, 0);
    submit_unit(fixture, 2);
    run_until(fixture, 2);
    assert_int_equal(fixture->waits, 1); /* told once */
    assert_int_equal(fixture->calls[0].status, STATUS_FULL);
    assert_string_equal(fixture->calls[0].err.text, "the words");
    store_worker_figures(fixture->worker, &figures);
    assert_int_equal(figures.health, STATUS_FULL);
    assert_int_equal(figures.commits, 0);
    assert_int_equal(fixture->commits, 0);
    fixture->fake.answer = STATUS_OK;
    submit_unit(fixture, 1); /* may be all known: it proves nothing */
    run_until(fixture, 3);
    store_worker_figures(fixture->worker, &figures);
    assert_int_equal(figures.health, STATUS_FULL);
    run_until_commits(fixture, 2);
    store_worker_figures(fixture->worker, &figures);
    assert_int_equal(figures.health, STATUS_OK);
    assert_int_equal(fixture->waits, 101);
    assert_int_equal(fixture->failures, 0);
}

static void
a_database_that_is_away_is_waited_for(void **state)
{
    static const enum status away[] = { STATUS_UNAVAILABLE, STATUS_UNKNOWN };
    struct fixture *fixture = *state;
    struct store_worker_figures figures;
    for (size_t i = 0; i < 2; i++) {
        fixture->fake.answer = away[i];
        submit_unit(fixture, i);
        run_until(fixture, i + 1);
        assert_int_equal(fixture->calls[i].status, away[i]);
        store_worker_figures(fixture->worker, &figures);
        assert_int_equal(figures.health, away[i]);
        assert_false(store_worker_has_room(fixture->worker));
    }
    assert_int_equal(fixture->waits, 1);
    fixture->fake.answer = STATUS_OK;
    run_until_commits(fixture, 1);
    store_worker_figures(fixture->worker, &figures);
    assert_int_equal(figures.health, STATUS_OK);
    assert_true(store_worker_has_room(fixture->worker));
    assert_int_equal(fixture->waits, 101);
    assert_int_equal(fixture->failures, 0);
}

static void
a_unit_that_fails_alone_says_so(void **state)
{
    struct fixture *fixture = *state;
    fixture->fake.unit_answer = STATUS_TOO_LARGE;
    submit_unit(fixture, 0);
    submit_unit(fixture, 1);
    run_until(fixture, 2);
    assert_int_equal(fixture->calls[0].status, STATUS_TOO_LARGE);
    assert_int_equal(fixture->calls[1].status, STATUS_OK);
    assert_int_equal(fixture->commits, 1);
}

static void
a_failure_for_good_is_told_once_and_nothing_more_is_taken(void **state)
{
    struct fixture *fixture = *state;
    static const enum status finals[] = { STATUS_IO, STATUS_CORRUPT };
    fixture->fake.answer = finals[0];
    submit_unit(fixture, 0);
    struct store_call *claim = call_at(fixture, 1, STORE_CALL_CLAIM);
    assert_int_equal(store_worker_submit(fixture->worker, claim), STATUS_OK);
    submit_unit(fixture, 2);
    run_until(fixture, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(fixture->calls[i].status, STATUS_IO);
    }
    assert_int_equal(fixture->failures, 1);
    assert_int_equal(fixture->failed_with, STATUS_IO);
    fixture->fake.answer = STATUS_OK;
    assert_int_equal(store_worker_submit(fixture->worker,
                                         call_at(fixture, 3, STORE_CALL_UNIT)),
                     STATUS_IO);
    struct store_worker_figures figures;
    store_worker_figures(fixture->worker, &figures);
    assert_int_equal(figures.health, STATUS_IO);
}

static void
destroying_finishes_what_is_queued_and_takes_nothing_new(void **state)
{
    struct fixture *fixture = *state;
    submit_unit(fixture, 0);
    submit_unit(fixture, 1);
    fixture->submit_late = true;
    (void)call_at(fixture, 15, STORE_CALL_UNIT);
    store_worker_destroy(fixture->worker);
    fixture->worker = NULL;
    assert_int_equal(fixture->done, 2);
    assert_int_equal(fixture->calls[0].status, STATUS_OK);
    assert_string_equal(fixture->order.ptr, "01");
    assert_true(fixture->closed);
    assert_int_equal(fixture->submitted_late, STATUS_CANCELED);
}

static void
calls_submitted_from_a_callback_are_taken(void **state)
{
    struct fixture *fixture = *state;
    fixture->submit_late = true;
    (void)call_at(fixture, 15, STORE_CALL_UNIT);
    submit_unit(fixture, 0);
    run_until(fixture, 1);
    fixture->submit_late = false;
    run_until(fixture, 2);
    assert_int_equal(fixture->submitted_late, STATUS_OK);
    assert_string_equal(fixture->order.ptr, "0f");
}

static void
creating_survives_every_failing_allocation(void **state)
{
    (void)state;
    struct loop *loop;
    assert_int_equal(loop_create(&loop), STATUS_OK);
    bool closed = false;
    struct fake fake = { .store = { &fake_ops }, .closed = &closed };
    const struct store_worker_settings settings = { 1, 1, 1 };
    enum status status = STATUS_NOMEM;
    for (long n = 0; status != STATUS_OK && n < 100; n++) {
        struct store_worker *worker = NULL;
        (void)mem_fail_after(n, 0);
        status =
            store_worker_create(loop, &fake.store, &settings, &worker, NULL);
        (void)mem_fail_after(-1, 0);
        assert_true(status == STATUS_OK || status == STATUS_NOMEM);
        /* Only a worker that came to be has taken the store. */
        assert_false(closed);
        store_worker_destroy(worker);
    }
    assert_int_equal(status, STATUS_OK);
    assert_true(closed);
    loop_destroy(loop);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(calls_of_one_turn_are_one_group_and_come_back_in_order),
        ROW(what_queues_while_a_commit_runs_is_the_next_group),
        ROW(a_group_has_no_more_units_than_asked),
        ROW(other_calls_stand_between_groups),
        ROW(what_nobody_waits_for_lets_what_came_in_go_first),
        ROW(it_does_so_once_so_that_it_comes_at_all),
        ROW(an_outcome_does_not_go_first),
        ROW(one_that_somebody_waits_for_keeps_its_place),
        ROW(every_kind_of_call_reaches_the_store_and_comes_back),
        ROW(a_full_queue_takes_outcomes_but_no_sightings),
        ROW(bytes_fill_the_queue_too_but_one_body_always_fits),
        ROW(no_room_on_the_disk_passes_when_a_probe_finds_some),
        ROW(a_database_that_is_away_is_waited_for),
        ROW(a_unit_that_fails_alone_says_so),
        ROW(a_failure_for_good_is_told_once_and_nothing_more_is_taken),
        ROW(destroying_finishes_what_is_queued_and_takes_nothing_new),
        ROW(calls_submitted_from_a_callback_are_taken),
        cmocka_unit_test(creating_survives_every_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
