/* SPDX-License-Identifier: MIT */
/*
 * gap_suite: what store.h says of gaps, one test per sentence, for any store.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "conformance/deeds.h"
#include "conformance/store_suite.h"

static const struct store_suite_host *host;
static uint32_t shop;

static void
open_store(void)
{
    struct error err = { 0 };
    assert_ok(host->open(&store, &err));
    assert_ok(store->ops->name(store, STORE_CONNECTOR, slice_of("shop"), &shop,
                               &err));
}

static void
reopen(void)
{
    store->ops->close(store);
    store = NULL;
    open_store();
}

static int
set_up(void **state)
{
    (void)state;
    host->wipe();
    open_store();
    return 0;
}

static struct store_gap
gap_of(uint32_t connector, enum gap_kind kind, int64_t from_ms, int64_t to_ms)
{
    return (struct store_gap){ connector, { kind, from_ms, to_ms } };
}

static void
add_gaps(const struct store_gap *gaps, size_t count)
{
    struct store_unit unit = { .gaps = gaps, .gap_count = count };
    assert_ok(apply_unit(&unit));
}

static size_t
close_gaps(uint32_t connector, uint64_t id, int64_t from_ms, int64_t to_ms)
{
    struct store_gap_close close = { .connector = connector,
                                     .id = id,
                                     .from_ms = from_ms,
                                     .to_ms = to_ms,
                                     .by = GAP_BY_OPERATOR,
                                     .closed = 99 };
    struct store_unit unit = { .closes = &close, .close_count = 1 };
    assert_ok(apply_unit(&unit));
    return close.closed;
}

static void
gaps_that_lie_wholly_within_a_span_are_closed(void **state)
{
    (void)state;
    const struct store_gap gaps[] = { gap_of(shop, GAP_RETENTION, 100, 200),
                                      gap_of(shop, GAP_TIE, 150, 150),
                                      gap_of(shop, GAP_CURSOR, 200, 301),
                                      gap_of(shop, GAP_COUNT, 99, 120),
                                      gap_of(shop + 1, GAP_TIE, 150, 150) };
    add_gaps(gaps, 5);
    assert_int_equal(close_gaps(shop, 0, 101, 300), 1);
    assert_int_equal(close_gaps(shop, 0, 100, 300), 1);
    assert_int_equal(close_gaps(shop, 0, 100, 300), 0);
    assert_int_equal(close_gaps(0, 0, 0, 1000), 0);
    reopen();
    assert_int_equal(close_gaps(shop, 0, 0, 1000), 2);
    assert_int_equal(close_gaps(shop + 1, 0, 0, 1000), 1);
}

static void
a_gap_is_closed_by_its_number_alone(void **state)
{
    (void)state;
    const struct store_gap gap = gap_of(shop, GAP_TIE, 150, 150);
    add_gaps(&gap, 1);
    assert_int_equal(close_gaps(shop + 1, 1, 0, 0), 0);
    assert_int_equal(close_gaps(0, 2, 0, 1000), 0);
    assert_int_equal(close_gaps(0, 1, 0, 0), 1);
    assert_int_equal(close_gaps(shop, 1, 0, 0), 0);
}

static void
a_gap_that_is_found_again_is_one_and_open(void **state)
{
    (void)state;
    const struct store_gap gap = gap_of(shop, GAP_TIE, 150, 150);
    add_gaps(&gap, 1);
    add_gaps(&gap, 1);
    assert_int_equal(close_gaps(shop, 0, 150, 150), 1);
    add_gaps(&gap, 1);
    assert_int_equal(close_gaps(shop, 0, 150, 150), 1);
}

static void
a_unit_closes_the_gap_it_brings(void **state)
{
    (void)state;
    const struct store_gap gap = gap_of(shop, GAP_TIE, 150, 150);
    struct store_gap_close close = {
        .connector = shop, .from_ms = 0, .to_ms = 150, .by = GAP_BY_BACKFILL
    };
    struct store_unit unit = {
        .gaps = &gap, .gap_count = 1, .closes = &close, .close_count = 1
    };
    assert_ok(apply_unit(&unit));
    assert_int_equal(close.closed, 1);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, deeds_close)

int
gap_suite_run(const struct store_suite_host *of)
{
    host = of;
    const struct CMUnitTest tests[] = {
        ROW(gaps_that_lie_wholly_within_a_span_are_closed),
        ROW(a_gap_is_closed_by_its_number_alone),
        ROW(a_gap_that_is_found_again_is_one_and_open),
        ROW(a_unit_closes_the_gap_it_brings),
    };
    return cmocka_run_group_tests_name("gaps", tests, NULL, NULL);
}
