/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/mem.h"
#include "model/senders.h"

static const uint64_t seed[2] = { 7, 9 };

static struct senders *
open_rates(int64_t count, int64_t per_ms)
{
    struct senders *senders = NULL;
    assert_int_equal(senders_create(count, per_ms, seed, &senders), STATUS_OK);
    return senders;
}

static int64_t
take(struct senders *senders, const char *address, int64_t now_ms)
{
    return senders_take(senders, slice_of(address), now_ms);
}

static void
each_address_has_a_rate_of_its_own(void **state)
{
    (void)state;
    struct senders *senders = open_rates(2, 1000);
    static const struct {
        const char *address;
        int64_t now_ms;
        int64_t wait_ms;
    } rows[] = {
        { "192.0.2.1", 1000, 0 },
        { "192.0.2.1", 1000, 0 },
        { "192.0.2.1", 1000, 500 },
        { "192.0.2.2", 1000, 0 },
        { "192.0.2.1", 1499, 1 },
        { "192.0.2.1", 1500, 0 },
        { "192.0.2.1", 1500, 500 },
        { "::ffff:192.0.2.1", 1500, 500 }, /* the same, in another form */
        { "2001:db8:1:2::1", 1500, 0 },
        { "2001:db8:1:2:ffff::2", 1500, 0 },
        { "2001:db8:1:2::3", 1500, 500 }, /* one customer's */
        { "2001:db8:1:3::1", 1500, 0 },
        { "192.0.2.1", 9000, 0 },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int64_t wait = take(senders, rows[i].address, rows[i].now_ms);
        if (wait != rows[i].wait_ms) {
            fail_msg("row %zu: %lld", i, (long long)wait);
        }
    }
    senders_destroy(senders);
}

static void
what_is_no_address_is_not_counted(void **state)
{
    (void)state;
    static const char *const texts[] = { "unix", "", "192.0.2.0/24", "x" };
    struct senders *senders = open_rates(1, 1000);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_int_equal(take(senders, texts[i], 1), 0);
        assert_int_equal(take(senders, texts[i], 1), 0);
    }
    senders_destroy(senders);
    assert_int_equal(take(NULL, "192.0.2.1", 1), 0);
    senders_destroy(NULL);
}

/* A flood of addresses that each come once cannot wash out the one that comes
 * too often: it owes more time than any of them. */
static void
who_comes_too_often_stays_known_among_many_others(void **state)
{
    (void)state;
    struct senders *senders = open_rates(10, 10000);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(take(senders, "192.0.2.1", 1), 0);
    }
    for (unsigned i = 0; i < 200000; i++) {
        char text[32];
        (void)snprintf(text, sizeof(text), "10.%u.%u.%u", i >> 16,
                       (i >> 8) & 255, i & 255);
        assert_int_equal(take(senders, text, 1), 0);
    }
    assert_true(take(senders, "192.0.2.1", 1) > 0);
    senders_destroy(senders);
}

static void
memory_that_runs_out_is_said(void **state)
{
    (void)state;
    struct senders *senders = NULL;
    (void)mem_fail_after(0, 0);
    assert_int_equal(senders_create(1, 1, seed, &senders), STATUS_NOMEM);
    (void)mem_fail_after(-1, 0);
    assert_null(senders);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_address_has_a_rate_of_its_own),
        cmocka_unit_test(what_is_no_address_is_not_counted),
        cmocka_unit_test(who_comes_too_often_stays_known_among_many_others),
        cmocka_unit_test(memory_that_runs_out_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
