/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/live.h"
#include "base/mem.h"
#include "io/loop.h"

#define ALL ((1U << LIVE_TOPICS) - 1)

static struct loop *loop;
static struct live *live;
static size_t wakes;

static void
count_wake(void *arg)
{
    (void)arg;
    wakes++;
    loop_stop(loop);
}

static struct live_reader
reader_of(unsigned topics)
{
    return (struct live_reader){ .topics = topics, .wake = count_wake };
}

static int
set_up(void **state)
{
    (void)state;
    wakes = 0;
    assert_int_equal(loop_create(&loop), STATUS_OK);
    enum status status = STATUS_NOMEM;
    for (long n = 0; status != STATUS_OK; n++) {
        mem_fail_after(n, 0);
        status = live_create(loop, 1790000000000, 50, &live);
        mem_fail_after(-1, 0);
    }
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    live_destroy(live);
    loop_destroy(loop);
    return 0;
}

static void
add(const char *data)
{
    const struct live_entry entry = { .topic = LIVE_EVENTS,
                                      .connector = SLICE("shop"),
                                      .type = SLICE("order.paid"),
                                      .data = slice_of(data) };
    live_add(live, &entry);
}

/* The reader's next entries, by their data, with a '!' where some were lost. */
static const char *
seen(struct live_reader *reader)
{
    static char text[256];
    const struct live_entry *entry;
    bool lost;
    text[0] = '\0';
    do {
        entry = live_next(live, reader, &lost);
        size_t len = strlen(text);
        (void)snprintf(text + len, sizeof(text) - len, "%s%.*s",
                       lost ? "!" : "",
                       entry == NULL ? 0 : (int)entry->data.len,
                       entry == NULL ? "" : entry->data.ptr);
    } while (entry != NULL);
    return text;
}

static void
while_nobody_reads_nothing_is_kept_or_allocated(void **state)
{
    (void)state;
    assert_false(live_wants(live));
    assert_false(live_wants(NULL));
    uint64_t last = live_last(live);
    mem_fail_after(0, 0); /* an allocation would be seen as a loss */
    add("a");
    mem_fail_after(-1, 0);
    assert_int_equal(live_last(live), last);
    struct live_reader reader = reader_of(ALL);
    live_join(live, &reader, 0);
    assert_string_equal(seen(&reader), "");
    live_leave(live, &reader);
}

static void
a_reader_sees_what_comes_from_then_on_in_order(void **state)
{
    (void)state;
    struct live_reader first = reader_of(ALL);
    struct live_reader second = reader_of(ALL);
    live_join(live, &first, 0);
    add("a");
    live_join(live, &second, 0);
    add("b");
    assert_string_equal(seen(&first), "ab");
    assert_string_equal(seen(&second), "b");
    assert_string_equal(seen(&second), "");
    add("c");
    assert_string_equal(seen(&first), "c");
    live_leave(live, &first);
    live_leave(live, &second);
}

static void
a_reader_is_woken_once_for_many(void **state)
{
    (void)state;
    struct live_reader reader = reader_of(ALL);
    live_join(live, &reader, 0);
    for (int i = 0; i < 100; i++) {
        add("a");
    }
    assert_int_equal(wakes, 0); /* never from within */
    loop_run(loop);
    assert_int_equal(wakes, 1);
    live_leave(live, &reader);
}

static void
numbers_grow_over_restarts(void **state)
{
    (void)state;
    struct live *later;
    struct live_reader reader = reader_of(ALL);
    live_join(live, &reader, 0);
    for (int i = 0; i < 900; i++) {
        add("a");
    }
    assert_int_equal(live_create(loop, 1790000000001, 50, &later), STATUS_OK);
    assert_true(live_last(later) > live_last(live));
    live_destroy(later);
    live_leave(live, &reader);
}

static void
a_reader_that_comes_back_goes_on_where_it_was(void **state)
{
    (void)state;
    struct live_reader reader = reader_of(ALL);
    bool lost;
    live_join(live, &reader, 0);
    add("a");
    add("b");
    uint64_t last = live_next(live, &reader, &lost)->number;
    live_leave(live, &reader);
    assert_true(live_wants(live)); /* for a while */
    add("c");
    live_join(live, &reader, last);
    assert_string_equal(seen(&reader), "bc");
    live_leave(live, &reader);
    live_join(live, &reader, live_last(live));
    assert_string_equal(seen(&reader), "");
    live_leave(live, &reader);
}

static void
stop(void *arg)
{
    (void)arg;
    loop_stop(loop);
}

static void
who_comes_back_too_late_is_told_of_a_loss(void **state)
{
    (void)state;
    struct live_reader reader = reader_of(ALL);
    struct loop_timer *timer;
    live_join(live, &reader, 0);
    add("a");
    live_leave(live, &reader);
    assert_int_equal(loop_timer_create(loop, stop, NULL, &timer), STATUS_OK);
    for (int i = 0; i < 200 && live_wants(live); i++) {
        loop_timer_arm(timer, 25);
        loop_run(loop);
    }
    loop_timer_destroy(timer);
    assert_false(live_wants(live));
    add("b"); /* nobody will ever see it */
    live_join(live, &reader, live_last(live) - 1);
    add("c");
    assert_string_equal(seen(&reader), "!c");
    live_leave(live, &reader);
}

static void
a_number_of_another_ring_is_a_loss(void **state)
{
    (void)state;
    uint64_t ours = live_last(live);
    const uint64_t others[] = { 1, ours - 1, ours + 1, UINT64_MAX };
    for (size_t i = 0; i < 4; i++) {
        struct live_reader reader = reader_of(ALL);
        live_join(live, &reader, others[i]);
        assert_string_equal(seen(&reader), "!");
        assert_string_equal(seen(&reader), "");
        live_leave(live, &reader);
    }
}

static void
the_ring_is_bounded_by_entries_and_who_is_behind_is_told(void **state)
{
    (void)state;
    struct live_reader reader = reader_of(ALL);
    live_join(live, &reader, 0);
    for (int i = 0; i < LIVE_RING; i++) {
        add("");
    }
    assert_false(live_is_behind(live, &reader));
    add("z");
    assert_true(live_is_behind(live, &reader));
    assert_string_equal(seen(&reader), "!z");
    assert_false(live_is_behind(live, &reader));
    live_leave(live, &reader);
}

static void
the_ring_is_bounded_by_bytes(void **state)
{
    (void)state;
    size_t size = LIVE_RING_BYTES / 4;
    char *large = calloc(1, size + 1);
    struct live_reader reader = reader_of(ALL);
    assert_non_null(large);
    memset(large, 'x', size);
    live_join(live, &reader, 0);
    for (int i = 0; i < 4; i++) {
        add(large);
    }
    bool lost;
    size_t count = 0;
    while (live_next(live, &reader, &lost) != NULL) {
        count++;
    }
    assert_int_equal(count, 3);
    live_leave(live, &reader);
    free(large);
}

static void
without_memory_it_is_a_loss_and_goes_on(void **state)
{
    (void)state;
    struct live_reader reader = reader_of(ALL);
    live_join(live, &reader, 0);
    add("a");
    mem_fail_after(0, 0);
    add("b");
    mem_fail_after(-1, 0);
    add("c");
    assert_string_equal(seen(&reader), "!c");
    live_leave(live, &reader);
}

static void
a_reader_sees_what_it_asks_for(void **state)
{
    (void)state;
    static const struct {
        struct live_reader reader;
        const char *seen;
    } rows[] = {
        { { .topics = ALL }, "ewdDs" },
        { { .topics = 1U << LIVE_DELIVERIES }, "dD" },
        { { .topics = ALL, .connector = SLICE("shop") }, "eds" },
        { { .topics = ALL, .handler = SLICE("mail") }, "ewDs" },
        { { .topics = ALL, .type = SLICE("order.*") }, "ewds" },
        { { .topics = 1U << LIVE_GAPS }, "" },
    };
    static const struct live_entry entries[] = {
        { 0, LIVE_EVENTS, SLICE("shop"), SLICE(""), SLICE("order.paid"),
          SLICE("e") },
        { 0, LIVE_WALKS, SLICE("desk"), SLICE(""), SLICE(""), SLICE("w") },
        { 0, LIVE_DELIVERIES, SLICE("shop"), SLICE("log"), SLICE("order.paid"),
          SLICE("d") },
        { 0, LIVE_DELIVERIES, SLICE("desk"), SLICE("mail"), SLICE("ticket"),
          SLICE("D") },
        { 0, LIVE_STATS, SLICE(""), SLICE(""), SLICE(""), SLICE("s") },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct live_reader reader = rows[i].reader;
        reader.wake = count_wake;
        live_join(live, &reader, 0);
        assert_int_equal(live_is_read(live, LIVE_GAPS),
                         (reader.topics & (1U << LIVE_GAPS)) != 0);
        for (size_t j = 0; j < sizeof(entries) / sizeof(entries[0]); j++) {
            live_add(live, &entries[j]);
        }
        assert_string_equal(seen(&reader), rows[i].seen);
        live_leave(live, &reader);
    }
    assert_false(live_is_read(live, LIVE_EVENTS));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(while_nobody_reads_nothing_is_kept_or_allocated),
        TEST(a_reader_sees_what_comes_from_then_on_in_order),
        TEST(a_reader_is_woken_once_for_many),
        TEST(numbers_grow_over_restarts),
        TEST(a_reader_that_comes_back_goes_on_where_it_was),
        TEST(who_comes_back_too_late_is_told_of_a_loss),
        TEST(a_number_of_another_ring_is_a_loss),
        TEST(the_ring_is_bounded_by_entries_and_who_is_behind_is_told),
        TEST(the_ring_is_bounded_by_bytes),
        TEST(without_memory_it_is_a_loss_and_goes_on),
        TEST(a_reader_sees_what_it_asks_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
