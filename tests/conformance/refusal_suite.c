/* SPDX-License-Identifier: MIT */
/*
 * refusal_suite: what store.h and store_view.h say of requests that were not
 * accepted, one test per sentence, for any store.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "conformance/deeds.h"
#include "conformance/store_suite.h"

static const struct store_suite_host *host;
static struct store_view *view;
static struct arena arena;
static uint32_t shop, desk;

static void
open_store(void)
{
    struct error err = { 0 };
    assert_ok(host->open(&store, &err));
    assert_ok(store->ops->name(store, STORE_CONNECTOR, slice_of("shop"), &shop,
                               &err));
    assert_ok(store->ops->name(store, STORE_CONNECTOR, slice_of("desk"), &desk,
                               &err));
    assert_ok(host->view(&view, &err));
}

static int
set_up(void **state)
{
    (void)state;
    host->wipe();
    open_store();
    return 0;
}

static void
close_store(void)
{
    view->ops->close(view);
    store->ops->close(store);
    view = NULL;
    store = NULL;
}

static int
tear_down(void **state)
{
    (void)state;
    arena_fini(&arena);
    close_store();
    return 0;
}

static struct store_refusal
refusal(uint32_t connector, enum refusal_cause cause, int64_t at_ms)
{
    return (struct store_refusal){ .connector = connector,
                                   .cause = cause,
                                   .status = 401,
                                   .at_ms = at_ms,
                                   .bytes = 17,
                                   .why = SLICE("no signature fits"),
                                   .peer = SLICE("192.0.2.7"),
                                   .head = SLICE("POST /hooks/shop\n") };
}

static struct store_refusal
only_more(uint32_t connector, enum refusal_cause cause, int64_t more)
{
    return (struct store_refusal){
        .connector = connector, .cause = cause, .more = more, .only_more = true
    };
}

static void
put(const struct store_refusal *rows, size_t count, size_t keep)
{
    struct store_unit unit = { .refusals = { rows, count, keep } };
    struct store_unit *const units[] = { &unit };
    struct error err = { 0 };
    assert_ok(store->ops->apply(store, units, 1, &err));
    assert_ok(unit.status);
}

static struct view_refusals
look(struct view_refusals asked)
{
    struct error err = { 0 };
    asked.limit = asked.limit == 0 ? 100 : asked.limit;
    asked.look = asked.look == 0 ? 1000 : asked.look;
    assert_ok(view->ops->refusals(view, &asked, &arena, &err));
    return asked;
}

static void
a_refusal_is_kept_as_it_was_given(void **state)
{
    (void)state;
    const struct store_refusal one = refusal(shop, REFUSAL_STALE, 5000);
    put(&one, 1, 10);
    struct view_refusals seen = look((struct view_refusals){ 0 });
    assert_int_equal(seen.count, 1);
    assert_false(seen.more);
    assert_true(slice_equal_text(seen.at[0].connector, "shop"));
    assert_int_equal(seen.at[0].cause, REFUSAL_STALE);
    assert_int_equal(seen.at[0].status, 401);
    assert_int_equal(seen.at[0].at_ms, 5000);
    assert_int_equal(seen.at[0].bytes, 17);
    assert_int_equal(seen.at[0].more, 0);
    assert_true(slice_equal(seen.at[0].why, one.why));
    assert_true(slice_equal(seen.at[0].peer, one.peer));
    assert_true(slice_equal(seen.at[0].head, one.head));
}

static void
refusals_survive_a_restart(void **state)
{
    (void)state;
    const struct store_refusal one = refusal(shop, REFUSAL_STALE, 5000);
    put(&one, 1, 10);
    close_store();
    open_store();
    assert_int_equal(look((struct view_refusals){ 0 }).count, 1);
}

static void
the_newest_of_each_connector_stay_and_its_others_go(void **state)
{
    (void)state;
    struct store_refusal rows[8];
    const struct store_refusal other = refusal(desk, REFUSAL_STALE, 1);
    put(&other, 1, 3);
    for (int i = 0; i < 8; i++) {
        rows[i] = refusal(shop, REFUSAL_STALE, i);
    }
    put(rows, 5, 3);
    put(rows + 5, 3, 3);
    struct view_refusals seen = look((struct view_refusals){ 0 });
    assert_int_equal(seen.count, 4);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(seen.at[i].at_ms, 7 - i);
    }
    assert_true(slice_equal_text(seen.at[3].connector, "desk"));
    /* A connector that is named keeps no more than is said now. */
    const struct store_refusal named = only_more(shop, REFUSAL_STALE, 0);
    put(&named, 1, 0);
    seen = look((struct view_refusals){ 0 });
    assert_int_equal(seen.count, 1);
    assert_true(slice_equal_text(seen.at[0].connector, "desk"));
}

static void
what_was_only_counted_adds_to_the_last_of_its_cause(void **state)
{
    (void)state;
    const struct store_refusal rows[] = {
        refusal(shop, REFUSAL_STALE, 1),
        refusal(shop, REFUSAL_STALE, 2),
        refusal(shop, REFUSAL_BAD_SIGNATURE, 3),
        refusal(desk, REFUSAL_STALE, 4),
        only_more(shop, REFUSAL_STALE, 7),
    };
    const struct store_refusal later = only_more(shop, REFUSAL_STALE, 5);
    const struct store_refusal none = only_more(shop, REFUSAL_TOO_LARGE, 5);
    put(rows, 5, 10);
    put(&later, 1, 10);
    put(&none, 1, 10);
    struct view_refusals seen = look((struct view_refusals){ 0 });
    static const int64_t more[] = { 0, 0, 12, 0 };
    assert_int_equal(seen.count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(seen.at[i].more, more[i]);
    }
}

static void
refusals_are_found_by_what_they_must_have(void **state)
{
    (void)state;
    const struct store_refusal rows[] = {
        refusal(shop, REFUSAL_STALE, 10),
        refusal(desk, REFUSAL_STALE, 20),
        refusal(shop, REFUSAL_TOO_LARGE, 30),
        refusal(shop, REFUSAL_STALE, 40),
    };
    put(rows, 4, 10);
    const struct {
        struct view_refusals asked;
        size_t count;
        int64_t newest_ms;
    } table[] = {
        { { .connector = desk }, 1, 20 },
        { { .connector = shop }, 3, 40 },
        { { .cause = REFUSAL_TOO_LARGE }, 1, 30 },
        { { .cause = REFUSAL_STALE, .connector = shop }, 2, 40 },
        { { .since_ms = 30 }, 2, 40 },
        { { .until_ms = 30 }, 2, 20 },
        { { .since_ms = 20, .until_ms = 40 }, 2, 30 },
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct view_refusals seen = look(table[i].asked);
        assert_int_equal(seen.count, table[i].count);
        assert_int_equal(seen.at[0].at_ms, table[i].newest_ms);
    }
    struct view_refusals all = look((struct view_refusals){ 0 });
    struct view_refusals one =
        look((struct view_refusals){ .id = all.at[2].id });
    assert_int_equal(one.count, 1);
    assert_int_equal(one.at[0].at_ms, 20);
    assert_int_equal(look((struct view_refusals){ .id = 4711 }).count, 0);
}

static void
refusals_come_a_page_at_a_time(void **state)
{
    (void)state;
    struct store_refusal rows[5];
    for (int i = 0; i < 5; i++) {
        rows[i] = refusal(shop, REFUSAL_STALE, i);
    }
    put(rows, 5, 10);
    struct view_refusals page = look((struct view_refusals){ .limit = 2 });
    assert_int_equal(page.count, 2);
    assert_true(page.more);
    page = look((struct view_refusals){ .limit = 2, .before = page.next });
    assert_int_equal(page.at[0].at_ms, 2);
    page = look((struct view_refusals){ .limit = 2, .before = page.next });
    assert_int_equal(page.count, 1);
    assert_false(page.more);
    /* No more rows are looked at than is said, found or not. */
    page = look((struct view_refusals){ .until_ms = 1, .look = 3 });
    assert_int_equal(page.count, 0);
    assert_true(page.more);
    page = look((struct view_refusals){ .until_ms = 1, .before = page.next });
    assert_int_equal(page.count, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
refusal_suite_run(const struct store_suite_host *of)
{
    const struct CMUnitTest tests[] = {
        TEST(a_refusal_is_kept_as_it_was_given),
        TEST(refusals_survive_a_restart),
        TEST(the_newest_of_each_connector_stay_and_its_others_go),
        TEST(what_was_only_counted_adds_to_the_last_of_its_cause),
        TEST(refusals_are_found_by_what_they_must_have),
        TEST(refusals_come_a_page_at_a_time),
    };
    host = of;
    return cmocka_run_group_tests_name("refusals", tests, NULL, NULL);
}
