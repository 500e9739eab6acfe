/* SPDX-License-Identifier: MIT */
/*
 * pause_suite: what store.h says of pauses, one test per sentence, for any
 * store.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "conformance/deeds.h"
#include "conformance/store_suite.h"

static const struct store_suite_host *host;

static void
open_store(void)
{
    struct error err = { 0 };
    assert_ok(host->open(&store, &err));
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

static void
put(enum store_name_kind kind, bool is_paused, int64_t since_ms,
    const char *reason)
{
    const struct store_pause pause = { .kind = kind,
                                       .number = 3,
                                       .is_paused = is_paused,
                                       .since_ms = since_ms,
                                       .reason = slice_of(reason) };
    struct store_unit unit = { .pauses = &pause, .pause_count = 1 };
    struct store_unit *const units[] = { &unit };
    struct error err = { 0 };
    assert_ok(store->ops->apply(store, units, 1, &err));
    assert_ok(unit.status);
}

/* Since 0: it is not paused. */
static void
assert_paused(enum store_name_kind kind, int64_t since_ms, const char *reason)
{
    struct buf words = { 0 };
    struct error err = { 0 };
    int64_t since = 0;
    enum status status =
        store->ops->paused(store, kind, 3, &since, &words, &err);
    assert_int_equal(status, since_ms == 0 ? STATUS_NOT_FOUND : STATUS_OK);
    assert_int_equal(since, since_ms);
    assert_true(slice_equal_text(buf_slice(&words), reason));
    buf_fini(&words);
}

static void
what_is_paused_stays_so_over_a_restart(void **state)
{
    (void)state;
    assert_paused(STORE_HANDLER, 0, "");
    put(STORE_HANDLER, true, 1000, "it said 410");
    assert_paused(STORE_HANDLER, 1000, "it said 410");
    assert_paused(STORE_CONNECTOR, 0, "");
    reopen();
    assert_paused(STORE_HANDLER, 1000, "it said 410");
}

static void
the_first_pause_is_kept_until_it_is_resumed(void **state)
{
    (void)state;
    put(STORE_CONNECTOR, true, 1000, "first");
    put(STORE_CONNECTOR, true, 2000, "second");
    assert_paused(STORE_CONNECTOR, 1000, "first");
    put(STORE_CONNECTOR, false, 0, "");
    put(STORE_CONNECTOR, false, 0, "");
    assert_paused(STORE_CONNECTOR, 0, "");
    put(STORE_CONNECTOR, true, 3000, "third");
    assert_paused(STORE_CONNECTOR, 3000, "third");
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, deeds_close)

int
pause_suite_run(const struct store_suite_host *of)
{
    host = of;
    const struct CMUnitTest tests[] = {
        ROW(what_is_paused_stays_so_over_a_restart),
        ROW(the_first_pause_is_kept_until_it_is_resumed),
    };
    return cmocka_run_group_tests_name("pauses", tests, NULL, NULL);
}
