/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "flow/wake.h"
#include "io/clock.h"
#include "io/loop.h"

/* What agents tell each other, without a database. */
static struct {
    struct store_wake wake;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_told, is_hurried, is_closed;
    enum status answer; /* of waits and tells */
    int waits, tells;
} fake;

static struct loop *loop;
static struct wake *wake;
static struct loop_timer *tick;
static struct error err;
static int looks;
static bool is_busy;
static bool (*enough)(void);
static int64_t until_ms;

/* ---- the store's side, on the thread ---- */

static enum status
fake_wait(struct store_wake *of, int64_t timeout_ms, bool *ret_told,
          struct error *words)
{
    struct timespec end;
    (void)of;
    (void)clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += timeout_ms / 1000;
    (void)pthread_mutex_lock(&fake.lock);
    fake.waits++;
    while (!fake.is_told && !fake.is_hurried && fake.answer == STATUS_OK &&
           pthread_cond_timedwait(&fake.changed, &fake.lock, &end) == 0) {
    }
    *ret_told = fake.is_told;
    fake.is_told = false;
    enum status status = error_set(words, fake.answer, "the words");
    (void)pthread_mutex_unlock(&fake.lock);
    return status;
}

static enum status
fake_tell(struct store_wake *of, struct error *words)
{
    (void)of;
    (void)pthread_mutex_lock(&fake.lock);
    fake.tells++;
    fake.is_hurried = false;
    enum status status = error_set(words, fake.answer, "the words");
    (void)pthread_mutex_unlock(&fake.lock);
    return status == STATUS_DENIED ? STATUS_OK : status;
}

static void
fake_hurry(struct store_wake *of)
{
    (void)of;
    (void)pthread_mutex_lock(&fake.lock);
    fake.is_hurried = true;
    (void)pthread_cond_broadcast(&fake.changed);
    (void)pthread_mutex_unlock(&fake.lock);
}

static void
fake_close(struct store_wake *of)
{
    (void)of;
    fake.is_closed = true;
}

static const struct store_wake_ops ops = { fake_wait, fake_tell, fake_hurry,
                                           fake_close };

static void
be_told(void)
{
    (void)pthread_mutex_lock(&fake.lock);
    fake.is_told = true;
    (void)pthread_cond_broadcast(&fake.changed);
    (void)pthread_mutex_unlock(&fake.lock);
}

static void
be_answered(enum status status)
{
    (void)pthread_mutex_lock(&fake.lock);
    fake.answer = status;
    (void)pthread_cond_broadcast(&fake.changed);
    (void)pthread_mutex_unlock(&fake.lock);
}

static int
count_of(const int *counter)
{
    (void)pthread_mutex_lock(&fake.lock);
    int count = *counter;
    (void)pthread_mutex_unlock(&fake.lock);
    return count;
}

/* ---- the loop's side ---- */

static bool
look(void *arg)
{
    assert_ptr_equal(arg, &looks);
    looks++;
    return is_busy;
}

static void
look_around(void *arg)
{
    (void)arg;
    if (enough() || clock_monotonic_ms() >= until_ms) {
        loop_stop(loop);
    } else {
        loop_timer_arm(tick, 1);
    }
}

/* Runs the loop until it is so, for `ms` at most; returns whether it is. */
static bool
run_until(bool (*is_so)(void), int64_t ms)
{
    enough = is_so;
    until_ms = clock_monotonic_ms() + ms;
    loop_timer_arm(tick, 0);
    loop_run(loop);
    return is_so();
}

static int
set_up(void **state)
{
    const struct wake_settings settings = {
        .look = look, .arg = &looks, .seed = 7, .busy_ms = 20, .idle_ms = 60000
    };
    (void)state;
    memset(&fake, 0, sizeof(fake));
    fake.wake.ops = &ops;
    (void)pthread_mutex_init(&fake.lock, NULL);
    (void)pthread_cond_init(&fake.changed, NULL);
    looks = 0;
    is_busy = false;
    assert_int_equal(loop_create(&loop), STATUS_OK);
    assert_int_equal(loop_timer_create(loop, look_around, NULL, &tick),
                     STATUS_OK);
    assert_int_equal(wake_create(loop, &fake.wake, &settings, &wake, &err),
                     STATUS_OK);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    wake_destroy(wake);
    wake = NULL;
    assert_true(fake.is_closed);
    loop_timer_destroy(tick);
    loop_destroy(loop);
    return 0;
}

static bool
one_look(void)
{
    return looks >= 1;
}

static bool
two_looks(void)
{
    return looks >= 2;
}

static bool
five_looks(void)
{
    return looks >= 5;
}

static bool
one_tell(void)
{
    return count_of(&fake.tells) >= 1;
}

static bool
two_tells(void)
{
    return count_of(&fake.tells) >= 2;
}

static bool
it_waits(void)
{
    return count_of(&fake.waits) >= 1;
}

static bool
it_waits_again(void)
{
    return count_of(&fake.waits) >= 2;
}

static bool
never(void)
{
    return false;
}

/* ---- looking ---- */

static void
without_being_told_it_looks_now_and_then(void **state)
{
    (void)state;
    is_busy = true;
    wake_start(wake);
    assert_true(run_until(five_looks, 20000));
}

static void
it_looks_rarely_while_nothing_goes_on(void **state)
{
    (void)state;
    wake_start(wake);
    assert_true(run_until(one_look, 20000)); /* whatever the start says */
    (void)run_until(never, 200);
    assert_int_equal(looks, 1);
}

static void
who_is_told_looks_at_once(void **state)
{
    (void)state;
    wake_start(wake);
    assert_true(run_until(one_look, 20000));
    for (int i = 2; i <= 3; i++) {
        be_told();
        looks = 1;
        assert_true(run_until(two_looks, 20000));
    }
}

/* ---- telling ---- */

static void
others_are_told_while_it_waits(void **state)
{
    (void)state;
    wake_start(wake);
    assert_true(run_until(it_waits, 20000));
    wake_tell(wake);
    assert_true(run_until(one_tell, 20000));
    assert_true(run_until(it_waits_again, 20000));
    be_told(); /* and it hears again */
    looks = 0;
    assert_true(run_until(one_look, 20000));
}

static void
a_flood_of_events_is_few_tells(void **state)
{
    (void)state;
    wake_start(wake);
    assert_true(run_until(it_waits, 20000));
    wake_tell(wake);
    const int64_t from_ms = clock_monotonic_ms();
    assert_true(run_until(one_tell, 20000));
    for (int i = 0; i < 1000; i++) {
        wake_tell(wake);
    }
    assert_true(run_until(two_tells, 20000));
    assert_true(clock_monotonic_ms() - from_ms >= 90);
    (void)run_until(never, 150);
    assert_int_equal(count_of(&fake.tells), 2);
}

/* ---- what fails ---- */

static void
who_cannot_hear_still_looks_and_tells(void **state)
{
    (void)state;
    is_busy = true;
    fake.answer = STATUS_DENIED;
    wake_start(wake);
    assert_true(run_until(five_looks, 20000));
    assert_int_equal(count_of(&fake.waits), 1);
    wake_tell(wake);
    assert_true(run_until(one_tell, 20000));
    (void)run_until(never, 50);
    assert_int_equal(count_of(&fake.waits), 1);
}

static void
a_database_that_is_away_is_not_asked_in_a_circle(void **state)
{
    (void)state;
    fake.answer = STATUS_UNAVAILABLE;
    wake_start(wake);
    assert_true(run_until(it_waits, 20000));
    (void)run_until(never, 200);
    assert_int_equal(count_of(&fake.waits), 1);
    /* Once it is there again, so is the waiting. */
    be_answered(STATUS_OK);
    assert_true(run_until(it_waits_again, 20000));
}

static void
its_end_waits_for_nobody(void **state)
{
    (void)state;
    wake_start(wake);
    assert_true(run_until(it_waits, 20000));
    const int64_t from_ms = clock_monotonic_ms();
    wake_tell(wake);
    wake_destroy(wake);
    assert_true(clock_monotonic_ms() - from_ms < 10000);
    assert_true(fake.is_closed);
    wake = NULL;
    wake_destroy(NULL);
    wake_tell(NULL);
    wake_start(NULL);
}

static void
memory_that_runs_out_is_told_and_the_store_is_let_go(void **state)
{
    (void)state;
    const struct wake_settings settings = { .look = look, .arg = &looks };
    enum status status = STATUS_NOMEM;
    for (long after = 0; status != STATUS_OK; after++) {
        struct wake *other = NULL;
        fake.is_closed = false;
        (void)mem_fail_after(after, 0);
        status = wake_create(loop, &fake.wake, &settings, &other, &err);
        (void)mem_fail_after(-1, 0);
        assert_int_equal(fake.is_closed, status != STATUS_OK);
        wake_destroy(other);
    }
}

#define WAKE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        WAKE_TEST(without_being_told_it_looks_now_and_then),
        WAKE_TEST(it_looks_rarely_while_nothing_goes_on),
        WAKE_TEST(who_is_told_looks_at_once),
        WAKE_TEST(others_are_told_while_it_waits),
        WAKE_TEST(a_flood_of_events_is_few_tells),
        WAKE_TEST(who_cannot_hear_still_looks_and_tells),
        WAKE_TEST(a_database_that_is_away_is_not_asked_in_a_circle),
        WAKE_TEST(its_end_waits_for_nobody),
        WAKE_TEST(memory_that_runs_out_is_told_and_the_store_is_let_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
