/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/instant.h"
#include "model/silence.h"

#define GRACE (5 * INSTANT_MINUTE_MS)
#define DAY   INSTANT_DAY_MS

static const struct silence_plan plan = { .after = 5, .grace_ms = GRACE };

/* Watched for a day, in which `shown` events had webhooks and `missed` had
 * none. */
static struct silence
watched(size_t shown, size_t missed)
{
    struct silence silence;
    silence_begin(&silence, 0);
    for (size_t i = 0; i < missed; i++) {
        assert_false(silence_missed(&silence, &plan, 1, DAY));
        assert_false(silence_hooked(&silence, 0, DAY));
    }
    assert_false(silence_hooked(&silence, shown, DAY));
    return silence;
}

static void
so_many_missed_in_a_row_as_chance_does_not_explain_are_a_silence(void **state)
{
    (void)state;
    static const struct {
        size_t shown, missed, row;
    } rows[] = {
        { 1000, 0, 6 },  /* webhooks for all of them */
        { 900, 100, 6 }, /* one in ten is lost on its way */
        { 100, 100, 10 },
        { 10, 90, 49 }, /* they are made of a tenth of the events */
        { 0, 0, 10 },   /* none has ever come */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct silence silence = watched(rows[i].shown, rows[i].missed);
        size_t row = 1;
        while (!silence_missed(&silence, &plan, 1, 2 * DAY) && row < 1000) {
            row++;
        }
        if (row != rows[i].row) {
            fail_msg("row %zu: silent after %zu", i, row);
        }
    }
}

static void
a_silence_is_told_once_and_a_webhook_ends_it(void **state)
{
    (void)state;
    struct silence silence = watched(100, 0);
    assert_true(silence_missed(&silence, &plan, 20, 2 * DAY));
    assert_false(silence_missed(&silence, &plan, 20, 2 * DAY));
    assert_true(silence.silent);
    assert_true(silence_hooked(&silence, 1, 2 * DAY));
    assert_false(silence_hooked(&silence, 1, 2 * DAY));
    /* It left the share as it was: the next one is seen as soon. */
    assert_true(silence_missed(&silence, &plan, 6, 3 * DAY));
}

static void
what_piled_up_while_we_were_away_is_no_silence(void **state)
{
    (void)state;
    struct silence silence;
    silence_begin(&silence, DAY);
    assert_false(silence_missed(&silence, &plan, 500, DAY + 2 * GRACE - 1));
    assert_true(silence_missed(&silence, &plan, 500, DAY + 2 * GRACE));
}

static void
a_webhook_within_grace_shows_that_they_still_come(void **state)
{
    (void)state;
    struct silence silence = watched(100, 0);
    assert_false(silence_missed(&silence, &plan, 500, DAY + GRACE - 1));
    assert_false(silence.silent);
}

static void
nothing_is_silent_where_nobody_wants_to_know(void **state)
{
    (void)state;
    struct silence silence = watched(100, 0);
    const struct silence_plan never = { .after = 0, .grace_ms = GRACE };
    const struct silence_plan many = { .after = 50, .grace_ms = GRACE };
    assert_false(silence_missed(&silence, &never, 49, 2 * DAY));
    assert_false(silence_missed(&silence, &many, 0, 2 * DAY));
    assert_true(silence_missed(&silence, &many, 1, 2 * DAY));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            so_many_missed_in_a_row_as_chance_does_not_explain_are_a_silence),
        cmocka_unit_test(a_silence_is_told_once_and_a_webhook_ends_it),
        cmocka_unit_test(what_piled_up_while_we_were_away_is_no_silence),
        cmocka_unit_test(a_webhook_within_grace_shows_that_they_still_come),
        cmocka_unit_test(nothing_is_silent_where_nobody_wants_to_know),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
