/* SPDX-License-Identifier: MIT */
#include "flowing.h"

#include <stdatomic.h>

#include "flow/accounting.h"

#define LONG_MS (10 * INSTANT_MINUTE_MS)

static struct accounting *accounting;
static int64_t behind_from_ms;
static int64_t behind_until_ms; /* 0: not known */
static size_t behind_calls;
static struct telemetry_connector counts;
static int64_t expected;

static bool
behind(void *arg, const struct connector *connector, int64_t *ret_from_ms,
       int64_t *ret_until_ms)
{
    (void)arg;
    behind_calls++;
    assert_ptr_equal(connector, &flow.bound.connector);
    *ret_from_ms = behind_from_ms;
    *ret_until_ms = behind_until_ms;
    return behind_until_ms > 0;
}

static void
start_accounting(void)
{
    const struct accounting_settings settings = {
        .connectors = &flow.bound.connector,
        .connector_count = 1,
        .telemetry = &flow.telemetry,
        .behind = behind,
        .period_ms = 5,
    };
    enum status status = STATUS_NOMEM;
    for (long n = 0; status != STATUS_OK; n++) {
        mem_fail_after(n, 0);
        status =
            accounting_create(flow.loop, flow.worker, &settings, &accounting);
        mem_fail_after(-1, 0);
    }
    counts = telemetry_of_connector(&flow.telemetry, &flow.bound.connector);
    accounting_start(accounting);
}

/* Answers come in order: behind one of ours none is under way. */
static void
stop_accounting(void)
{
    accounting_stop(accounting);
    (void)flow_ask_store(0);
    accounting_destroy(accounting);
}

static void
open_shop(int64_t grace_ms)
{
    flow_prepare(1);
    flow.bound.connector.grace_ms = grace_ms;
    flow_open_store();
    start_accounting();
}

static void
close_shop(void)
{
    stop_accounting();
    flow_close();
}

static void
restart(void)
{
    stop_accounting();
    flow_close_store();
    flow_open_store();
    start_accounting();
}

static void
bring(enum channel via, const char *ids)
{
    flow_submit(flow_page(ids, via, NULL));
    flow_run(flow_all_judged);
}

static bool
is_recovered(void)
{
    return (int64_t)metric_value(counts.recovered) >= expected;
}

static void
await_recovered(int64_t count)
{
    expected = count;
    flow_run(is_recovered);
}

static void
expect_counts(int64_t recovered, int64_t late, int64_t confirmed)
{
    assert_int_equal((int64_t)metric_value(counts.recovered), recovered);
    assert_int_equal((int64_t)metric_value(counts.late), late);
    assert_int_equal((int64_t)metric_value(counts.confirmed), confirmed);
}

struct period {
    int64_t grace_ms;
    int64_t period_ms;
};

static const struct period periods[] = {
    { 0, 1000 },       { 2000, 1000 },    { 10000, 1000 },      { 10010, 1001 },
    { 300000, 30000 }, { 300010, 30000 }, { INT64_MAX, 30000 },
};

static void
the_period_follows_the_grace(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(periods) / sizeof(periods[0]); i++) {
        assert_int_equal(accounting_period(periods[i].grace_ms),
                         periods[i].period_ms);
    }
}

static void
what_no_webhook_shows_counts_when_its_grace_is_over(void **state)
{
    (void)state;
    open_shop(LONG_MS);
    bring(CHANNEL_POLL, "a b c");
    bring(CHANNEL_WEBHOOK, "d");
    bring(CHANNEL_WEBHOOK, "b");
    bring(CHANNEL_POLL, "d");
    flow_sleep(30);
    expect_counts(0, 0, 2);
    flow.bound.connector.grace_ms = 0;
    await_recovered(2);
    flow_sleep(30);
    expect_counts(2, 0, 2);
    close_shop();
}

static void
a_webhook_of_a_recovered_event_is_late_once(void **state)
{
    (void)state;
    open_shop(0);
    bring(CHANNEL_POLL, "a b");
    await_recovered(2);
    bring(CHANNEL_WEBHOOK, "b");
    bring(CHANNEL_WEBHOOK, "b");
    flow_sleep(30);
    expect_counts(2, 1, 0);
    close_shop();
}

static void
a_restart_neither_loses_nor_doubles_a_count(void **state)
{
    (void)state;
    open_shop(LONG_MS);
    bring(CHANNEL_POLL, "a b c");
    bring(CHANNEL_WEBHOOK, "a");
    restart();
    expect_counts(0, 0, 0); /* before the store's first answer */
    flow.bound.connector.grace_ms = 0;
    await_recovered(2);
    expect_counts(2, 0, 1);
    bring(CHANNEL_WEBHOOK, "b");
    restart();
    bring(CHANNEL_POLL, "d");
    await_recovered(3);
    flow_sleep(30);
    expect_counts(3, 1, 1);
    close_shop();
}

static bool
is_silent(void)
{
    return metric_value(counts.webhook_silent) > 0;
}

static void
webhooks_that_stop_are_told_until_one_comes_again(void **state)
{
    (void)state;
    open_shop(0);
    bring(CHANNEL_WEBHOOK, "a");
    accounting_hooked(accounting, &flow.bound.connector, 1);
    bring(CHANNEL_POLL, "b c d e f g");
    await_recovered(6);
    assert_false(is_silent());
    bring(CHANNEL_POLL, "h i j k l m");
    flow_run(is_silent);
    accounting_hooked(accounting, &flow.bound.connector, 0);
    assert_false(is_silent());
    /* A signal shows no event, however many it stands for. */
    flow.bound.connector.event.mode = EVENT_SIGNAL;
    bring(CHANNEL_POLL, "n o p q r s t u v w x y");
    await_recovered(24);
    assert_false(is_silent());
    close_shop();
}

static void
a_connector_without_a_webhook_route_recovers_nothing(void **state)
{
    (void)state;
    flow_prepare(1);
    flow.bound.connector.has_webhook = false;
    flow.bound.connector.grace_ms = 0;
    flow_open_store();
    start_accounting();
    assert_null(counts.recovered);
    bring(CHANNEL_POLL, "a b");
    flow_sleep(30);
    /* Nor does it once it has one: nobody could have sent these. */
    flow.bound.connector.has_webhook = true;
    restart();
    bring(CHANNEL_POLL, "c");
    await_recovered(1);
    bring(CHANNEL_WEBHOOK, "a");
    flow_sleep(30);
    expect_counts(1, 0, 0);
    close_shop();
}

static void
bring_stamped(enum channel via, const char *id, int64_t time_ms)
{
    struct arrival *arrival = flow_page(id, via, NULL);
    arrival->sightings[0].time_ms = time_ms;
    flow_submit(arrival);
    flow_run(flow_all_judged);
}

static void
await_webhook_only(int64_t count)
{
    for (int i = 0;
         i < 5000 && (int64_t)metric_value(counts.webhook_only) != count; i++) {
        flow_sleep(1);
    }
    assert_int_equal((int64_t)metric_value(counts.webhook_only), count);
}

static void
what_walks_have_passed_and_not_listed_is_webhook_only(void **state)
{
    (void)state;
    open_shop(LONG_MS);
    bring_stamped(CHANNEL_WEBHOOK, "a", 1000);
    bring_stamped(CHANNEL_WEBHOOK, "b", 2000);
    bring_stamped(CHANNEL_WEBHOOK, "c", 3000);
    bring_stamped(CHANNEL_WEBHOOK, "d", 4000);
    flow_sleep(40);
    assert_int_equal((int64_t)metric_value(counts.webhook_only), 0);
    behind_from_ms = 2000;
    behind_until_ms = 4000;
    await_webhook_only(2);
    bring_stamped(CHANNEL_POLL, "b", 2000);
    await_webhook_only(1);
    behind_until_ms = 0;
    close_shop();
}

/* Each is a look at all that webhooks have brought. */
static void
what_is_webhook_only_is_looked_for_every_few_periods(void **state)
{
    (void)state;
    open_shop(LONG_MS);
    behind_until_ms = 4000;
    behind_calls = 0;
    int64_t begin_ms = clock_monotonic_ms();
    flow_sleep(200);
    int64_t took_ms = clock_monotonic_ms() - begin_ms;
    assert_true(behind_calls > 0);
    assert_true((int64_t)behind_calls <= took_ms / 20 + 1); /* 5 ms each */
    behind_until_ms = 0;
    close_shop();
}

static void
nothing_is_counted_after_the_stop(void **state)
{
    (void)state;
    open_shop(0);
    accounting_stop(accounting);
    bring(CHANNEL_POLL, "a");
    flow_sleep(30);
    expect_counts(0, 0, 0);
    close_shop();
    accounting_destroy(NULL);
}

/* ---- a store that answers as it is told ---- */

struct answer {
    enum status status;
    struct store_account account;
};

static struct {
    struct store store;
    struct answer answers[4]; /* the last one for ever */
    atomic_size_t calls;
    int64_t own_late; /* this process has counted, before the first answer */
} fake;

static enum status
answer_account(struct store *store, struct store_account *account,
               struct error *err)
{
    (void)store;
    size_t at = fake.calls < 3 ? fake.calls : 3;
    const struct answer *answer = &fake.answers[at];
    account->more = answer->account.more;
    account->recovered = answer->account.recovered;
    account->late = answer->account.late;
    fake.calls++;
    return error_set(err, answer->status, "the words");
}

static void
answer_close(struct store *store)
{
    (void)store;
}

static const struct store_ops fake_store_ops = { .account = answer_account,
                                                 .close = answer_close };

/* Runs until the store was asked `calls` times, and a little longer. */
static void
run_with(const struct answer *answers, int64_t period_ms, size_t calls)
{
    static const struct connector shop = { .name = SLICE("shop"),
                                           .has_webhook = true,
                                           .has_poll = true };
    const struct store_worker_settings worker = { .group_units = 1 };
    const struct accounting_settings settings = { .connectors = &shop,
                                                  .connector_count = 1,
                                                  .telemetry = &flow.telemetry,
                                                  .period_ms = period_ms };
    memset(&flow, 0, sizeof(flow));
    fake.store.ops = &fake_store_ops;
    fake.calls = 0;
    memcpy(fake.answers, answers, sizeof(fake.answers));
    assert_int_equal(loop_create(&flow.loop), STATUS_OK);
    assert_int_equal(store_worker_create(flow.loop, &fake.store, &worker,
                                         &flow.worker, NULL),
                     STATUS_OK);
    assert_int_equal(telemetry_init(&flow.telemetry, "1"), STATUS_OK);
    counts = telemetry_of_connector(&flow.telemetry, &shop);
    metric_add(counts.late, (double)fake.own_late);
    assert_int_equal(
        accounting_create(flow.loop, flow.worker, &settings, &accounting),
        STATUS_OK);
    accounting_start(accounting);
    for (int i = 0; i < 2000 && fake.calls < calls; i++) {
        flow_sleep(1);
    }
    flow_sleep(60);
    accounting_stop(accounting);
}

static void
end_run(void)
{
    store_worker_destroy(flow.worker);
    accounting_destroy(accounting);
    telemetry_fini(&flow.telemetry);
    loop_destroy(flow.loop);
}

static void
a_full_slice_is_followed_by_another_soon(void **state)
{
    (void)state;
    const struct answer answers[4] = {
        { .account = { .more = true, .recovered = 1000, .late = 3 } },
        { .account = { .more = true, .recovered = 2000, .late = 3 } },
        { .account = { .recovered = 2001, .late = 3 } },
    };
    run_with(answers, LONG_MS, 3);
    assert_int_equal(fake.calls, 3);
    assert_int_equal((int64_t)metric_value(counts.recovered), 2001);
    assert_int_equal((int64_t)metric_value(counts.late), 3);
    end_run();
}

static void
a_count_that_failed_is_made_up_for(void **state)
{
    (void)state;
    const struct answer answers[4] = {
        { .status = STATUS_FULL },
        { .account = { .recovered = 5, .late = 3 } },
        { .status = STATUS_FULL },
        { .account = { .recovered = 7, .late = 3 } },
    };
    for (fake.own_late = 0; fake.own_late < 3; fake.own_late++) {
        run_with(answers, 5, 4);
        assert_int_equal((int64_t)metric_value(counts.recovered), 7);
        assert_int_equal((int64_t)metric_value(counts.late), 3);
        end_run();
    }
    fake.own_late = 0;
}

static void
nothing_is_asked_of_a_store_that_has_failed(void **state)
{
    (void)state;
    const struct answer answers[4] = { { .status = STATUS_IO } };
    run_with(answers, 5, 1);
    assert_int_equal(fake.calls, 1);
    end_run();
}

static void
ids_that_never_meet_are_told_from_few(void **state)
{
    (void)state;
    static const struct {
        int64_t webhook, walk, met;
        enum meeting meeting;
    } rows[] = {
        { 0, 0, 0, MEETING_ONE },     { 500, 0, 0, MEETING_ONE },
        { 0, 500, 0, MEETING_ONE },   { 1, 1, 0, MEETING_FEW },
        { 19, 500, 0, MEETING_FEW },  { 500, 19, 0, MEETING_FEW },
        { 20, 20, 0, MEETING_NEVER }, { 20, 20, 1, MEETING_YES },
        { 500, 0, 500, MEETING_YES },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(
            accounting_meeting(rows[i].webhook, rows[i].walk, rows[i].met),
            rows[i].meeting);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_period_follows_the_grace),
        cmocka_unit_test(what_no_webhook_shows_counts_when_its_grace_is_over),
        cmocka_unit_test(a_webhook_of_a_recovered_event_is_late_once),
        cmocka_unit_test(a_restart_neither_loses_nor_doubles_a_count),
        cmocka_unit_test(webhooks_that_stop_are_told_until_one_comes_again),
        cmocka_unit_test(a_connector_without_a_webhook_route_recovers_nothing),
        cmocka_unit_test(what_walks_have_passed_and_not_listed_is_webhook_only),
        cmocka_unit_test(what_is_webhook_only_is_looked_for_every_few_periods),
        cmocka_unit_test(nothing_is_counted_after_the_stop),
        cmocka_unit_test(a_full_slice_is_followed_by_another_soon),
        cmocka_unit_test(a_count_that_failed_is_made_up_for),
        cmocka_unit_test(nothing_is_asked_of_a_store_that_has_failed),
        cmocka_unit_test(ids_that_never_meet_are_told_from_few),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
