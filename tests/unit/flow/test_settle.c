/* SPDX-License-Identifier: MIT */
#include "flowing.h"

#include <stdatomic.h>

#include "base/log.h"
#include "flow/settle.h"

/*
 * A store whose apply answers what the test says, for outcomes alone. All of it
 * is the worker thread's between two completions.
 */
struct fake_store {
    struct store store;
    enum status answers[8]; /* of the next calls; then OK */
    atomic_size_t calls;
    struct store_outcome last;
    char reason[64];
    char detail[64];
    char output[64];
};

static struct fake_store fake;

static enum status
store_answers(struct store *store, struct store_unit *const *units,
              size_t count, struct error *err)
{
    (void)store;
    if (units[0]->outcome_count == 0) { /* the worker looks for room */
        units[0]->status = STATUS_OK;
        return STATUS_OK;
    }
    enum status status = fake.calls < 8 ? fake.answers[fake.calls] : STATUS_OK;
    fake.calls++;
    for (size_t i = 0; i < count; i++) {
        const struct store_outcome *outcome = &units[i]->outcomes[0];
        fake.last = *outcome;
        (void)snprintf(fake.reason, sizeof(fake.reason), "%s",
                       outcome->reason == NULL ? "" : outcome->reason);
        (void)snprintf(fake.detail, sizeof(fake.detail), "%.*s",
                       SLICE_ARG(outcome->detail));
        (void)snprintf(fake.output, sizeof(fake.output), "%.*s",
                       SLICE_ARG(outcome->output));
        units[i]->status = status;
        (void)error_set(&units[i]->err, status, "the words");
    }
    return error_set(err, status, "the words");
}

static void
store_closes(struct store *store)
{
    (void)store;
}

static const struct store_ops fake_store_ops = { .apply = store_answers,
                                                 .close = store_closes };

static const struct retry_policy policy = { .attempts = 3,
                                            .first_ms = 1000,
                                            .cap_ms = 60000 };

static struct settle *settle;
static struct settle_rules rules;
static struct telemetry_handler counts;
static size_t over;
static size_t wanted;
static int64_t over_due_ms;
static enum outcome_kind over_kind;

static void
attempt_over(void *arg, struct attempt *attempt, int64_t due_ms)
{
    (void)arg;
    over++;
    over_due_ms = due_ms;
    over_kind = attempt->outcome.kind;
    attempt_destroy(attempt);
}

static bool
all_over(void)
{
    return over >= wanted;
}

static void
open_settle(void)
{
    const struct store_worker_settings worker_settings = { .queue_events = 10,
                                                           .queue_bytes = 1000,
                                                           .group_units = 1 };
    memset(&flow, 0, sizeof(flow));
    memset(&fake, 0, sizeof(fake));
    fake.store.ops = &fake_store_ops;
    over = 0;
    wanted = 1;
    assert_int_equal(loop_create(&flow.loop), STATUS_OK);
    assert_int_equal(loop_timer_create(flow.loop, flow_late, NULL, &flow.guard),
                     STATUS_OK);
    assert_int_equal(loop_turn_create(flow.loop, flow_look, NULL, &flow.turn),
                     STATUS_OK);
    assert_int_equal(telemetry_init(&flow.telemetry, "1"), STATUS_OK);
    counts = telemetry_of_handler(&flow.telemetry, slice_of("one"));
    rules = (struct settle_rules){ &policy, slice_of("one"), &counts, NULL };
    assert_int_equal(store_worker_create(flow.loop, &fake.store,
                                         &worker_settings, &flow.worker, NULL),
                     STATUS_OK);
    assert_int_equal(
        settle_create(flow.loop, flow.worker, 7, attempt_over, NULL, &settle),
        STATUS_OK);
}

static void
close_settle(void)
{
    store_worker_destroy(flow.worker);
    settle_destroy(settle);
    telemetry_fini(&flow.telemetry);
    loop_timer_destroy(flow.guard);
    loop_turn_destroy(flow.turn);
    loop_destroy(flow.loop);
}

static struct attempt *
make_attempt(unsigned number)
{
    const struct event from = { .number = 42,
                                .recorded_ms = clock_unix_ms(),
                                .id = SLICE("evt_1") };
    struct event *event;
    struct attempt *attempt;
    assert_int_equal(event_create(&from, &event), STATUS_OK);
    const struct store_claim claim = { .event = event, .attempt = number };
    assert_int_equal(attempt_create(NULL, &claim, &attempt), STATUS_OK);
    attempt->outcome.handler = 5;
    return attempt;
}

static void
settle_one(unsigned number, enum disposition disposition, int64_t not_before_ms,
           bool release)
{
    const struct handler_result result = { .disposition = disposition,
                                           .not_before_ms = not_before_ms,
                                           .detail = SLICE("exit 1"),
                                           .output = SLICE("out"),
                                           .duration_ms = 12 };
    size_t before = over;
    settle_result(settle, make_attempt(number), &rules, &result, release);
    assert_int_equal(over, before); /* never before it returned */
}

struct decision {
    const char *name;
    unsigned attempt;
    enum disposition disposition;
    bool release;
    enum outcome_kind kind;
    bool due_again;
    const char *detail;
};

static const struct decision decisions[] = {
    { "done", 1, DISPOSITION_DONE, false, OUTCOME_DONE, false, "exit 1" },
    { "later", 1, DISPOSITION_LATER, false, OUTCOME_LATER, true, "exit 1" },
    { "never", 1, DISPOSITION_NEVER, false, OUTCOME_DEAD, false, "exit 1" },
    { "the last attempt", 3, DISPOSITION_LATER, false, OUTCOME_DEAD, false,
      "exit 1" },
    { "done at the stop", 1, DISPOSITION_DONE, true, OUTCOME_DONE, false,
      "exit 1" },
    { "later at the stop", 1, DISPOSITION_LATER, true, OUTCOME_RELEASE, false,
      "" },
    { "never at the stop", 3, DISPOSITION_NEVER, true, OUTCOME_RELEASE, false,
      "" },
};

/* The event was taken when our clock stood three years ago, a second before
 * now. */
static void
a_clock_that_jumps_ahead_makes_no_delivery_too_old(void **state)
{
    const int64_t years_ms = 3 * 365 * INSTANT_DAY_MS;
    static struct retry_policy young;
    (void)state;
    for (int knows = 0; knows < 2; knows++) {
        struct jumps jumps = { 0 };
        int64_t now_ms = clock_unix_ms();
        (void)jumps_note(&jumps, now_ms - years_ms - 1000, 5000);
        (void)jumps_note(&jumps, now_ms, 6000);
        open_settle();
        young = policy;
        young.give_up_ms = INSTANT_DAY_MS;
        rules.retry = &young;
        rules.jumps = knows ? &jumps : NULL;
        struct attempt *attempt = make_attempt(2);
        attempt->since_ms = now_ms - years_ms - 500;
        const struct handler_result failed = { .disposition =
                                                   DISPOSITION_LATER };
        settle_result(settle, attempt, &rules, &failed, false);
        flow_run(all_over);
        assert_int_equal(fake.last.kind, knows ? OUTCOME_LATER : OUTCOME_DEAD);
        close_settle();
    }
}

static void
a_result_is_done_later_dead_or_given_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(decisions) / sizeof(decisions[0]); i++) {
        const struct decision *row = &decisions[i];
        open_settle();
        settle_one(row->attempt, row->disposition, 0, row->release);
        assert_int_equal(settle_open(settle), 1);
        flow_run(all_over);
        if (fake.last.kind != row->kind ||
            (over_due_ms != 0) != row->due_again ||
            strcmp(fake.detail, row->detail) != 0) {
            fail_msg("%s: kind %d, due %lld, '%s'", row->name,
                     (int)fake.last.kind, (long long)over_due_ms, fake.detail);
        }
        assert_int_equal(fake.last.event, 42);
        assert_int_equal(fake.last.handler, 5);
        assert_int_equal(fake.last.attempt, row->attempt);
        assert_int_equal(fake.last.duration_ms, 12);
        assert_int_equal(settle_open(settle), 0);
        close_settle();
    }
}

static void
a_dead_letter_says_why(void **state)
{
    (void)state;
    open_settle();
    settle_one(3, DISPOSITION_LATER, 0, false);
    flow_run(all_over);
    assert_true(fake.reason[0] != '\0');
    assert_string_equal(fake.output, "out");
    assert_true(metric_value(counts.deliveries[DELIVERY_DEAD]) == 1);
    close_settle();
}

/* What was never tried says itself when it is due, and why it is dead. */
static void
what_came_before_the_handler_has_words_of_its_own(void **state)
{
    (void)state;
    static const char gone[] = "its object is gone";
    const int64_t later_ms = clock_unix_ms() + 60000;
    struct handler_result result = { .disposition = DISPOSITION_NEVER,
                                     .reason = gone };
    open_settle();
    settle_result(settle, make_attempt(1), &rules, &result, false);
    flow_run(all_over);
    assert_string_equal(fake.reason, gone);
    wanted = 2;
    result = (struct handler_result){ .disposition = DISPOSITION_LATER,
                                      .not_before_ms = later_ms,
                                      .reason = gone };
    settle_result(settle, make_attempt(1), &rules, &result, true);
    flow_run(all_over);
    assert_int_equal(fake.last.kind, OUTCOME_RELEASE);
    assert_int_equal(fake.last.due_ms, later_ms);
    assert_int_equal(over_due_ms, later_ms);
    close_settle();
}

static char logged[512];

static void
keep_line(void *arg, enum log_level level, struct slice line)
{
    (void)arg;
    (void)level;
    (void)snprintf(logged, sizeof(logged), "%.*s", SLICE_ARG(line));
}

static void
the_log_has_the_last_line_a_handler_printed(void **state)
{
    (void)state;
    static const struct {
        const char *output;
        const char *logged;
    } rows[] = {
        { "begin\ncannot reach the database\n\n",
          "output=\"cannot reach the database\"" },
        { "one line", "output=\"one line\"" },
        { " \n", "output=\"\"" },
        { "", "output=\"\"" },
    };
    log_set_sink(keep_line, NULL, LOG_WARN);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (unsigned number = 1; number <= 3; number += 2) {
            const struct handler_result result = {
                .disposition = DISPOSITION_LATER,
                .detail = SLICE("exit 1"),
                .output = slice_of(rows[i].output),
            };
            open_settle();
            settle_result(settle, make_attempt(number), &rules, &result, false);
            flow_run(all_over);
            if (strstr(logged, rows[i].logged) == NULL) {
                fail_msg("row %zu: %s", i, logged);
            }
            close_settle();
        }
    }
    log_set_sink(NULL, NULL, LOG_ERROR);
}

static void
what_the_other_side_asked_for_is_obeyed(void **state)
{
    (void)state;
    open_settle();
    int64_t asked_ms = clock_unix_ms() + 30000;
    settle_one(1, DISPOSITION_LATER, asked_ms, false);
    flow_run(all_over);
    assert_true(over_due_ms >= asked_ms);
    close_settle();
}

static void
an_outcome_is_tried_again_until_it_is_durable(void **state)
{
    (void)state;
    open_settle();
    fake.answers[0] = STATUS_FULL;
    fake.answers[1] = STATUS_UNKNOWN;
    settle_one(1, DISPOSITION_DONE, 0, false);
    assert_true(settle_takes(settle));
    while (fake.calls == 0) {
        flow_sleep(5);
    }
    flow_sleep(5);
    assert_int_equal(over, 0);
    /* Nothing new is started that could not be settled either. */
    assert_false(settle_takes(settle));
    flow_run(all_over);
    assert_int_equal(fake.calls, 3);
    assert_int_equal(over_kind, OUTCOME_DONE);
    assert_true(settle_takes(settle));
    close_settle();
}

static void
an_outcome_that_can_never_be_stored_is_over(void **state)
{
    (void)state;
    open_settle();
    fake.answers[0] = STATUS_TOO_LARGE;
    settle_one(1, DISPOSITION_DONE, 0, false);
    flow_run(all_over);
    assert_int_equal(fake.calls, 1);
    close_settle();
}

static void
all_is_over_when_the_store_has_failed(void **state)
{
    (void)state;
    open_settle();
    fake.answers[0] = STATUS_IO;
    wanted = 3;
    settle_one(1, DISPOSITION_DONE, 0, false);
    while (over == 0) {
        flow_sleep(5);
    }
    /* The worker takes nothing more. */
    settle_one(1, DISPOSITION_DONE, 0, false);
    settle_one(1, DISPOSITION_LATER, 0, false);
    flow_run(all_over);
    assert_int_equal(settle_open(settle), 0);
    assert_int_equal(fake.calls, 1);
    close_settle();
}

static void
what_the_closed_worker_does_not_take_is_freed(void **state)
{
    (void)state;
    open_settle();
    fake.answers[0] = STATUS_FULL;
    settle_one(1, DISPOSITION_DONE, 0, false);
    while (fake.calls == 0) {
        flow_sleep(5);
    }
    flow_sleep(5);
    close_settle();
    assert_int_equal(over, 0);
}

static void
without_memory_an_outcome_goes_without_its_words(void **state)
{
    (void)state;
    open_settle();
    struct attempt *attempt = make_attempt(1);
    const struct handler_result result = { .disposition = DISPOSITION_LATER,
                                           .detail = SLICE("exit 1") };
    mem_fail_after(0, 1);
    settle_result(settle, attempt, &rules, &result, false);
    mem_fail_after(-1, 0);
    flow_run(all_over);
    assert_int_equal(fake.last.kind, OUTCOME_LATER);
    assert_string_equal(fake.detail, "");
    close_settle();
}

static void
making_one_survives_every_failed_allocation(void **state)
{
    (void)state;
    open_settle();
    enum status status = STATUS_NOMEM;
    for (long n = 0; status != STATUS_OK; n++) {
        struct settle *made;
        mem_fail_after(n, 0);
        status =
            settle_create(flow.loop, flow.worker, 7, attempt_over, NULL, &made);
        mem_fail_after(-1, 0);
        if (status == STATUS_OK) {
            settle_destroy(made);
        }
    }
    settle_destroy(NULL);
    attempt_destroy(NULL);
    const struct event from = { .number = 1 };
    struct event *event;
    struct attempt *attempt;
    assert_int_equal(event_create(&from, &event), STATUS_OK);
    const struct store_claim claim = { .event = event, .attempt = 1 };
    mem_fail_after(0, 0);
    assert_int_equal(attempt_create(NULL, &claim, &attempt), STATUS_NOMEM);
    mem_fail_after(-1, 0);
    close_settle();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_clock_that_jumps_ahead_makes_no_delivery_too_old),
        cmocka_unit_test(a_result_is_done_later_dead_or_given_back),
        cmocka_unit_test(a_dead_letter_says_why),
        cmocka_unit_test(what_came_before_the_handler_has_words_of_its_own),
        cmocka_unit_test(the_log_has_the_last_line_a_handler_printed),
        cmocka_unit_test(what_the_other_side_asked_for_is_obeyed),
        cmocka_unit_test(an_outcome_is_tried_again_until_it_is_durable),
        cmocka_unit_test(an_outcome_that_can_never_be_stored_is_over),
        cmocka_unit_test(all_is_over_when_the_store_has_failed),
        cmocka_unit_test(what_the_closed_worker_does_not_take_is_freed),
        cmocka_unit_test(without_memory_an_outcome_goes_without_its_words),
        cmocka_unit_test(making_one_survives_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
