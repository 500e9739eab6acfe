/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "app/heartbeat.h"
#include "base/mem.h"
#include "io/loop.h"

static void
the_line_names_what_is_wrong_and_nothing_else(void **state)
{
    (void)state;
    static const struct {
        struct heartbeat_figures figures;
        const char *words;
    } rows[] = {
        { { .connectors = 1, .handlers = 1, .waiting = 1 },
          "1 connector; 1 handler; 1 delivery waiting" },
        { { .connectors = 3, .handlers = 0 },
          "3 connectors; 0 handlers; 0 deliveries waiting" },
        { { .connectors = 3,
            .failing = 1,
            .failing_name = SLICE("shop"),
            .handlers = 2,
            .resting = 2,
            .resting_name = SLICE("mail"),
            .waiting = 12,
            .dead = 1 },
          "3 connectors, 1 failing (shop); 2 handlers, 2 left alone (mail, "
          "...); 12 deliveries waiting, 1 dead letter" },
        { { .connectors = 1, .store = STATUS_FULL, .dead = 2 },
          "1 connector; 0 handlers; 0 deliveries waiting, 2 dead letters; "
          "store: " },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf into = { 0 };
        struct buf wanted = { 0 };
        heartbeat_words(&rows[i].figures, &into);
        buf_text(&wanted, rows[i].words);
        if (rows[i].figures.store != STATUS_OK) {
            buf_text(&wanted, status_text(rows[i].figures.store));
        }
        assert_string_equal(into.ptr, wanted.ptr);
        buf_fini(&into);
        buf_fini(&wanted);
    }
}

static void
nothing_beats_where_nobody_listens(void **state)
{
    (void)state;
    const struct heartbeat_settings settings = { 0 };
    struct heartbeat *heartbeat;
    assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
    assert_int_equal(heartbeat_create(&settings, &heartbeat), STATUS_OK);
    assert_null(heartbeat);
    heartbeat_start(heartbeat);
    heartbeat_destroy(heartbeat);
}

static void
running_out_of_memory_leaves_nothing(void **state)
{
    (void)state;
    struct heartbeat_settings settings = { 0 };
    struct heartbeat *heartbeat;
    enum status status = STATUS_NOMEM;
    assert_int_equal(setenv("NOTIFY_SOCKET", "@longstop-nobody", 1), 0);
    assert_int_equal(loop_create(&settings.loop), STATUS_OK);
    for (long n = 0; n < 100 && status != STATUS_OK; n++) {
        (void)mem_fail_after(n, 0);
        status = heartbeat_create(&settings, &heartbeat);
        (void)mem_fail_after(-1, 0);
        assert_true(status == STATUS_OK || status == STATUS_NOMEM);
        assert_true(n > 0 || status == STATUS_NOMEM);
    }
    assert_int_equal(status, STATUS_OK);
    heartbeat_destroy(heartbeat);
    loop_destroy(settings.loop);
    assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_line_names_what_is_wrong_and_nothing_else),
        cmocka_unit_test(nothing_beats_where_nobody_listens),
        cmocka_unit_test(running_out_of_memory_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
