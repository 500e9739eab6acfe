/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/walk_log.h"
#include "base/mem.h"

static void
add(struct walk_log *log, enum poll_outcome outcome, size_t fresh,
    int64_t ended_ms)
{
    const struct poll_ended ended = { .outcome = outcome,
                                      .pages = 1,
                                      .rows = 3,
                                      .fresh = fresh,
                                      .known = 3 - fresh,
                                      .started_ms = ended_ms - 5,
                                      .complete_until_ms = ended_ms - 100 };
    walk_log_add(log, &ended, ended_ms);
}

static void
walks_that_brought_something_stand_alone(void **state)
{
    (void)state;
    struct walk_log log = { 0 };
    add(&log, POLL_OK, 1, 1000);
    add(&log, POLL_OK, 2, 2000);
    add(&log, POLL_FAILED, 0, 3000);
    add(&log, POLL_FAILED, 0, 4000);
    assert_int_equal(walk_log_entry(&log, 0)->ended_ms, 4000);
    assert_int_equal(walk_log_entry(&log, 1)->outcome, POLL_FAILED);
    assert_int_equal(walk_log_entry(&log, 2)->fresh, 2);
    assert_int_equal(walk_log_entry(&log, 3)->started_ms, 995);
    assert_null(walk_log_entry(&log, 4));
    walk_log_fini(&log);
}

static void
walks_that_brought_nothing_are_one_entry(void **state)
{
    (void)state;
    struct walk_log log = { 0 };
    add(&log, POLL_OK, 0, 1000);
    add(&log, POLL_OK, 0, 2000);
    add(&log, POLL_OK, 0, 3000);
    add(&log, POLL_OK, 1, 4000);
    add(&log, POLL_OK, 0, 5000);
    assert_int_equal(log.count, 3);
    const struct walk_log_entry *quiet = walk_log_entry(&log, 2);
    assert_int_equal(quiet->walks, 3);
    assert_int_equal(quiet->started_ms, 995);
    assert_int_equal(quiet->ended_ms, 3000);
    assert_int_equal(quiet->rows, 9);
    assert_int_equal(quiet->known, 9);
    assert_int_equal(quiet->pages, 3);
    assert_int_equal(quiet->complete_until_ms, 2900);
    walk_log_fini(&log);
}

static void
a_walk_that_had_to_wait_is_one_walk(void **state)
{
    (void)state;
    struct walk_log log = { 0 };
    add(&log, POLL_LIMITED, 1, 1000);
    add(&log, POLL_LIMITED, 2, 2000);
    add(&log, POLL_OK, 3, 3000);
    add(&log, POLL_OK, 1, 4000);
    assert_int_equal(log.count, 2);
    assert_int_equal(walk_log_entry(&log, 1)->outcome, POLL_OK);
    assert_int_equal(walk_log_entry(&log, 1)->fresh, 3);
    walk_log_fini(&log);
}

static void
a_walk_whose_beginning_is_not_known_began_when_it_ended(void **state)
{
    (void)state;
    struct walk_log log = { 0 };
    const struct poll_ended ended = { .outcome = POLL_OK };
    walk_log_add(&log, &ended, 7);
    assert_int_equal(walk_log_entry(&log, 0)->started_ms, 7);
    walk_log_fini(&log);
}

static void
the_oldest_make_room(void **state)
{
    (void)state;
    struct walk_log log = { 0 };
    for (int64_t i = 1; i <= WALK_LOG_MOST + 10; i++) {
        add(&log, POLL_OK, 1, i * 1000);
        assert_int_equal(walk_log_entry(&log, 0)->ended_ms, i * 1000);
    }
    assert_int_equal(log.count, WALK_LOG_MOST);
    assert_int_equal(walk_log_entry(&log, WALK_LOG_MOST - 1)->ended_ms, 11000);
    assert_null(walk_log_entry(&log, WALK_LOG_MOST));
    walk_log_fini(&log);
}

static void
without_memory_what_is_there_stays(void **state)
{
    (void)state;
    struct walk_log log = { 0 };
    (void)mem_fail_after(0, 1);
    add(&log, POLL_OK, 1, 1000);
    (void)mem_fail_after(-1, 0);
    assert_null(walk_log_entry(&log, 0));
    for (int64_t i = 1; i <= 16; i++) {
        add(&log, POLL_OK, 1, i * 1000);
    }
    (void)mem_fail_after(0, 1);
    add(&log, POLL_OK, 1, 17000);
    (void)mem_fail_after(-1, 0);
    assert_int_equal(log.count, 16);
    assert_int_equal(walk_log_entry(&log, 0)->ended_ms, 17000);
    assert_int_equal(walk_log_entry(&log, 15)->ended_ms, 2000);
    walk_log_fini(&log);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(walks_that_brought_something_stand_alone),
        cmocka_unit_test(walks_that_brought_nothing_are_one_entry),
        cmocka_unit_test(a_walk_that_had_to_wait_is_one_walk),
        cmocka_unit_test(
            a_walk_whose_beginning_is_not_known_began_when_it_ended),
        cmocka_unit_test(the_oldest_make_room),
        cmocka_unit_test(without_memory_what_is_there_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
