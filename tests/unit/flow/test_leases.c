/* SPDX-License-Identifier: MIT */
#include "harness/bound.h"

#include "base/metric.h"
#include "flow/leases.h"
#include "io/clock.h"
#include "io/loop.h"
#include "shared_store.h"

enum { EVERY_MS = 20, TTL_MS = 60000, CONNECTORS = 16, GUARD_MS = 60000 };

/* One agent: its store, and what it was told. */
struct agent {
    struct shared_store store;
    struct store_worker *worker;
    struct leases *leases;
    bool is_held[SHARED_CONNECTORS];
    uint64_t fence[SHARED_CONNECTORS];
    size_t changes;
    size_t pokes;
    size_t answers;
    int64_t freed;
    int64_t lowest_ms;
    int64_t everybodys_ms;
    size_t living;
};

static struct {
    struct loop *loop;
    struct loop_timer *guard;
    struct loop_turn *turn;
    bool (*until)(void);
    struct agent agents[3];
} at;

#define A (&at.agents[0])
#define B (&at.agents[1])

static void
late(void *arg)
{
    (void)arg;
    fail_msg("what was waited for has not come");
}

static void
look(void *arg)
{
    (void)arg;
    if (at.until != NULL && at.until()) {
        at.until = NULL;
        loop_stop(at.loop);
    }
}

static void
run(bool (*until)(void))
{
    at.until = until;
    loop_timer_arm(at.guard, GUARD_MS);
    loop_run(at.loop);
    loop_timer_disarm(at.guard);
}

/* ---- what is told ---- */

static int64_t
lowest(void *arg)
{
    const struct agent *agent = arg;
    return agent->lowest_ms;
}

static void
changed(void *arg)
{
    struct agent *agent = arg;
    for (uint32_t i = 0; i < SHARED_CONNECTORS; i++) {
        agent->is_held[i] = leases_held(agent->leases, i, &agent->fence[i]);
        assert_true(agent->is_held[i] == (agent->fence[i] != 0));
    }
    agent->changes++;
}

static void
poked(void *arg, uint32_t connector)
{
    struct agent *agent = arg;
    assert_true(agent->is_held[connector]);
    agent->pokes++;
}

static void
answered(void *arg, const struct store_beat *beat)
{
    struct agent *agent = arg;
    agent->answers++;
    agent->freed += beat->freed;
    agent->everybodys_ms = beat->everybodys_lowest_ms;
    agent->living = beat->agent_count;
}

static size_t
holds(const struct agent *agent)
{
    size_t count = 0;
    for (size_t i = 0; i < SHARED_CONNECTORS; i++) {
        count += agent->is_held[i];
    }
    return count;
}

/* ---- opening ---- */

static void
open_all(void)
{
    memset(&at, 0, sizeof(at));
    shared_reset();
    assert_int_equal(loop_create(&at.loop), STATUS_OK);
    assert_int_equal(loop_timer_create(at.loop, late, NULL, &at.guard),
                     STATUS_OK);
    assert_int_equal(loop_turn_create(at.loop, look, NULL, &at.turn),
                     STATUS_OK);
}

static void
name(struct agent *agent, uint32_t count)
{
    uint32_t connectors[SHARED_CONNECTORS];
    for (uint32_t i = 0; i < count; i++) {
        connectors[i] = count - i; /* in any order */
    }
    assert_int_equal(leases_name(agent->leases, connectors, count), STATUS_OK);
}

static void
start_agent(struct agent *agent, int64_t ttl_ms)
{
    const struct store_worker_settings worker = { .queue_events = 10,
                                                  .queue_bytes = 1000,
                                                  .group_units = 4 };
    const struct leases_settings settings = { .every_ms = EVERY_MS,
                                              .ttl_ms = ttl_ms,
                                              .lowest = lowest,
                                              .changed = changed,
                                              .poked = poked,
                                              .answered = answered,
                                              .arg = agent };
    struct error err = { "" };
    *agent = (struct agent){ .lowest_ms = INT64_MAX };
    shared_open(&agent->store);
    assert_int_equal(store_worker_create(at.loop, &agent->store.store, &worker,
                                         &agent->worker, &err),
                     STATUS_OK);
    assert_int_equal(
        leases_create(at.loop, agent->worker, &settings, &agent->leases),
        STATUS_OK);
    name(agent, CONNECTORS);
    leases_start(agent->leases);
}

static void
kill_agent(struct agent *agent)
{
    store_worker_destroy(agent->worker);
    leases_destroy(agent->leases);
    agent->worker = NULL;
    agent->leases = NULL;
}

static void
close_all(void)
{
    for (size_t i = 0; i < 3; i++) {
        kill_agent(&at.agents[i]);
    }
    loop_turn_destroy(at.turn);
    loop_timer_destroy(at.guard);
    loop_destroy(at.loop);
}

static bool
a_holds_all(void)
{
    return holds(A) == CONNECTORS + 1;
}

static bool
b_holds_all(void)
{
    return holds(B) == CONNECTORS + 1;
}

static bool
b_holds_some(void)
{
    shared_pass(EVERY_MS); /* so that it settles */
    return holds(B) > 0 && holds(A) + holds(B) == CONNECTORS + 1;
}

static bool
a_holds_none(void)
{
    return holds(A) == 0;
}

static bool
a_is_poked(void)
{
    return A->pokes > 0;
}

static bool
both_answered(void)
{
    return A->answers > 1 && B->answers > 1;
}

static bool
a_has_answers(void)
{
    return A->answers > 2;
}

static bool
b_has_answers(void)
{
    return B->answers > 2;
}

/* Of those that the other one does not know; time passes until then. */
static bool
holds_the_others(const struct agent *agent)
{
    size_t count = 0;
    for (size_t i = 5; i <= CONNECTORS; i++) {
        count += agent->is_held[i];
    }
    shared_pass(TTL_MS / 100);
    return count == CONNECTORS - 4;
}

static bool
b_holds_the_others(void)
{
    return holds_the_others(B);
}

static bool
a_holds_the_others(void)
{
    return holds_the_others(A);
}

static bool
both_know_500(void)
{
    return A->everybodys_ms == 500 && B->everybodys_ms == 500;
}

/* ---- a page of a walk ---- */

static struct {
    struct store_call call;
    struct store_walk walk;
    bool is_over;
    enum status status;
} page;

static void
page_over(struct store_call *call)
{
    page.is_over = true;
    page.status = call->status;
}

static bool
page_is_over(void)
{
    return page.is_over;
}

static void
store_by(struct agent *agent, uint64_t fence, const char *words)
{
    memset(&page, 0, sizeof(page));
    page.walk = (struct store_walk){ .connector = 1,
                                     .state = slice_of(words),
                                     .fence = fence };
    page.call = (struct store_call){
        .kind = STORE_CALL_UNIT,
        .done = page_over,
        .unit = { .connector = 1, .walks = &page.walk, .walk_count = 1 },
    };
    assert_int_equal(store_worker_submit(agent->worker, &page.call), STATUS_OK);
    run(page_is_over);
}

/* ---- the tests ---- */

static void
one_agent_holds_all_with_its_first_sign_of_life(void **state)
{
    (void)state;
    uint64_t fence;
    open_all();
    start_agent(A, TTL_MS);
    assert_false(leases_held(A->leases, 1, &fence));
    run(a_holds_all);
    assert_int_equal(A->answers, 1);
    assert_true(leases_held(A->leases, 1, &fence));
    assert_int_equal(fence, 1);
    assert_true(leases_held(A->leases, LEASE_OF_ALL, &fence));
    assert_false(leases_held(A->leases, 99, &fence));
    assert_int_equal(leases_answer(A->leases)->agent_count, 1);
    close_all();
}

static void
without_leases_all_is_held(void **state)
{
    (void)state;
    uint64_t fence = 7;
    assert_true(leases_held(NULL, 1, &fence));
    assert_int_equal(fence, 0);
    assert_null(leases_answer(NULL));
    leases_poke(NULL, 1);
    leases_stop(NULL);
    leases_destroy(NULL);
}

static void
a_second_agent_asks_for_its_part_and_both_come_to_rest(void **state)
{
    (void)state;
    open_all();
    start_agent(A, TTL_MS);
    run(a_holds_all);
    start_agent(B, TTL_MS);
    run(b_holds_some);
    for (size_t i = 0; i <= CONNECTORS; i++) {
        assert_false(A->is_held[i] && B->is_held[i]);
    }
    size_t changes = A->changes + B->changes;
    A->answers = B->answers = 0;
    run(both_answered);
    assert_int_equal(A->changes + B->changes, changes);
    assert_int_equal(A->living, 2);
    close_all();
}

static void
nobody_is_taken_for_dead_before_the_stores_clock_says_so(void **state)
{
    (void)state;
    open_all();
    start_agent(A, TTL_MS);
    run(a_holds_all);
    start_agent(B, TTL_MS);
    kill_agent(A);
    run(b_has_answers);
    assert_int_equal(holds(B), 0);
    shared_pass(TTL_MS);
    B->answers = 0;
    run(b_has_answers);
    assert_int_equal(holds(B), 0);
    shared_pass(1);
    run(b_holds_all);
    assert_int_equal(B->freed, 3);
    assert_int_equal(B->fence[1], 3); /* taken, freed, taken */
    close_all();
}

/* What it walks by its old lease is stored by nobody; what it is given again is
 * another lease. */
static void
a_holder_that_slept_changes_nothing_when_it_wakes(void **state)
{
    (void)state;
    open_all();
    start_agent(A, TTL_MS);
    run(a_holds_all);
    uint64_t fence = A->fence[1];
    store_by(A, fence, "by A");
    assert_int_equal(page.status, STATUS_OK);
    start_agent(B, TTL_MS);
    run(b_has_answers);
    shared_cut(&A->store, true);
    shared_pass(TTL_MS + 1);
    run(b_holds_all);
    store_by(B, B->fence[1], "by B");
    assert_int_equal(page.status, STATUS_OK);
    assert_true(holds(A) > 0); /* it does not know yet */
    store_by(A, fence, "late, by A");
    assert_int_equal(page.status, STATUS_FENCED);
    assert_string_equal(shared.walk, "by B");
    shared_cut(&A->store, false);
    A->answers = 0;
    run(a_has_answers);
    for (size_t i = 0; i <= CONNECTORS; i++) {
        assert_false(A->is_held[i] && B->is_held[i]);
    }
    store_by(A, fence, "later, by A");
    assert_int_equal(page.status, STATUS_FENCED);
    assert_string_equal(shared.walk, "by B");
    close_all();
}

static void
an_agent_that_hears_nothing_lets_all_go_until_it_does(void **state)
{
    (void)state;
    open_all();
    start_agent(A, 1000);
    run(a_holds_all);
    uint64_t fence = A->fence[1];
    shared_cut(&A->store, true);
    int64_t cut_ms = clock_monotonic_ms();
    run(a_holds_none);
    /* Nothing was heard since at most one sign of life before the cut. */
    assert_true(clock_monotonic_ms() - cut_ms >= 800 - 10 * EVERY_MS);
    assert_null(leases_answer(A->leases));
    shared_cut(&A->store, false);
    run(a_holds_all);
    assert_int_equal(A->fence[1], fence); /* nobody else was there */
    close_all();
}

static void
who_ends_gives_all_back_and_the_other_takes_it_at_once(void **state)
{
    (void)state;
    open_all();
    start_agent(A, TTL_MS);
    run(a_holds_all);
    start_agent(B, TTL_MS);
    run(b_has_answers);
    assert_int_equal(holds(B), 0);
    leases_stop(A->leases);
    assert_int_equal(holds(A), 0);
    run(b_holds_all); /* the store's clock stands still */
    A->answers = 0;
    run(a_has_answers); /* its deliveries may still run: it lives */
    assert_int_equal(holds(A), 0);
    close_all();
}

static void
connectors_that_come_are_taken_and_those_that_go_are_given_back(void **state)
{
    (void)state;
    open_all();
    start_agent(A, TTL_MS);
    run(a_holds_all);
    name(A, 4);
    changed(A);
    assert_int_equal(holds(A), 5);
    assert_int_equal(A->fence[4], 1); /* what stays is not touched */
    start_agent(B, TTL_MS);
    run(b_has_answers);
    /* A does not know of them: after a while B takes those that it should not
     * have too. */
    run(b_holds_the_others);
    name(B, 4);
    name(A, CONNECTORS);
    run(a_holds_the_others);
    close_all();
}

static void
a_hook_that_came_to_another_agent_is_told_to_the_holder(void **state)
{
    (void)state;
    open_all();
    start_agent(A, TTL_MS);
    run(a_holds_all);
    start_agent(B, TTL_MS);
    run(b_has_answers);
    leases_poke(A->leases, 1); /* it holds it: nobody is told */
    leases_poke(B->leases, 99);
    leases_poke(B->leases, 1);
    leases_poke(B->leases, 1);
    run(a_is_poked);
    A->answers = 0;
    run(a_has_answers);
    assert_int_equal(A->pokes, 1);
    close_all();
}

static void
the_lowest_stamp_is_that_of_all_agents(void **state)
{
    (void)state;
    open_all();
    start_agent(A, TTL_MS);
    start_agent(B, TTL_MS);
    A->lowest_ms = 500;
    B->lowest_ms = 700;
    run(both_know_500);
    close_all();
}

static void
without_memory_nothing_is_made_or_changed(void **state)
{
    (void)state;
    struct leases *leases;
    uint32_t connector = 1;
    const struct leases_settings settings = { .every_ms = EVERY_MS };
    open_all();
    for (long i = 0; i < 3; i++) {
        mem_fail_after(i, 0);
        assert_int_equal(leases_create(at.loop, NULL, &settings, &leases),
                         STATUS_NOMEM);
        mem_fail_after(-1, 0);
    }
    assert_int_equal(leases_create(at.loop, NULL, &settings, &leases),
                     STATUS_OK);
    mem_fail_after(0, 0);
    assert_int_equal(leases_name(leases, &connector, 1), STATUS_NOMEM);
    mem_fail_after(-1, 0);
    leases_destroy(leases);
    close_all();
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_agent_holds_all_with_its_first_sign_of_life),
        cmocka_unit_test(without_leases_all_is_held),
        cmocka_unit_test(
            a_second_agent_asks_for_its_part_and_both_come_to_rest),
        cmocka_unit_test(
            nobody_is_taken_for_dead_before_the_stores_clock_says_so),
        cmocka_unit_test(a_holder_that_slept_changes_nothing_when_it_wakes),
        cmocka_unit_test(an_agent_that_hears_nothing_lets_all_go_until_it_does),
        cmocka_unit_test(
            who_ends_gives_all_back_and_the_other_takes_it_at_once),
        cmocka_unit_test(
            connectors_that_come_are_taken_and_those_that_go_are_given_back),
        cmocka_unit_test(
            a_hook_that_came_to_another_agent_is_told_to_the_holder),
        cmocka_unit_test(the_lowest_stamp_is_that_of_all_agents),
        cmocka_unit_test(without_memory_nothing_is_made_or_changed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
