/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "store/store_pg_post.h"

static const char text[] = "INSERT INTO attempt(a,b,c) VALUES($1,$2,$3)";

static struct pg_post post;

static int
tear_down(void **state)
{
    (void)state;
    pg_post_fini(&post);
    return 0;
}

/* A number, a text, and nothing or a number. */
static bool
gather(int64_t number, const char *words, bool has_third)
{
    char copy[32] = "";
    (void)strncpy(copy, words, sizeof(copy) - 1);
    const struct longstop_value values[] = {
        { .type = LONGSTOP_NUMBER, .number = number },
        { .type = LONGSTOP_BYTES, .bytes = { copy, strlen(copy) } },
        { .type = has_third ? LONGSTOP_NUMBER : LONGSTOP_NOTHING,
          .number = -number },
    };
    const bool is_taken =
        pg_post_gather(&post, SQL_ATTEMPT_ADD, text, values, 3);
    memset(copy, 'x', sizeof(copy)); /* it has its own */
    return is_taken;
}

static void
rows_become_lists(void **state)
{
    struct pg_post_batch batch;
    (void)state;
    assert_false(pg_post_must_go(&post, SQL_COMMIT));
    for (int64_t i = 0; i < 100; i++) {
        assert_true(gather(i, i % 2 == 0 ? "even" : "", i >= 50));
    }
    assert_true(pg_post_must_go(&post, SQL_COMMIT));
    assert_false(pg_post_must_go(&post, SQL_LEDGER_GET));
    assert_true(pg_post_take(&post, &batch));
    assert_string_equal(batch.statement.text,
                        "INSERT INTO attempt(a,b,c) SELECT * FROM "
                        "unnest($1,$2,$3) ORDER BY 1");
    assert_true(batch.statement.id >= SQL_COUNT);
    assert_int_equal(batch.count, 3);
    for (size_t i = 0; i < 100; i++) {
        assert_int_equal(batch.values[0].count, 100);
        assert_int_equal(batch.values[0].numbers[i], i);
        assert_false(batch.values[0].nulls[i]);
        assert_non_null(batch.values[1].list[i].at);
        assert_int_equal(batch.values[1].list[i].len, i % 2 == 0 ? 4 : 0);
        assert_int_equal(batch.values[2].type, LONGSTOP_NUMBER);
        assert_int_equal(batch.values[2].nulls[i], i < 50);
    }
    assert_memory_equal(batch.values[1].list[98].at, "even", 4);
    assert_false(pg_post_take(&post, &batch));
    pg_post_forget(&post);
    assert_false(pg_post_must_go(&post, SQL_COMMIT));
    /* The next ones have the room, and none of the rows. */
    assert_true(gather(7, "more", true));
    assert_true(pg_post_take(&post, &batch));
    assert_int_equal(batch.values[0].count, 1);
    assert_int_equal(batch.values[0].numbers[0], 7);
    pg_post_forget(&post);
}

static void
a_column_that_is_nothing_but_null_is_one_of_numbers(void **state)
{
    struct pg_post_batch batch;
    (void)state;
    assert_true(gather(1, "a", false));
    assert_true(pg_post_take(&post, &batch));
    assert_int_equal(batch.values[2].type, LONGSTOP_NUMBER);
    assert_true(batch.values[2].nulls[0]);
    pg_post_forget(&post);
}

static void
what_cannot_be_gathered_goes_by_itself(void **state)
{
    static const int64_t numbers[] = { 1 };
    const struct longstop_value one = { .type = LONGSTOP_NUMBER };
    const struct longstop_value list = {
        .type = LONGSTOP_NUMBER, .is_list = true, .count = 1, .numbers = numbers
    };
    const struct longstop_value bytes = { .type = LONGSTOP_BYTES,
                                          .bytes = { "a", 1 } };
    (void)state;
    assert_false(pg_post_gather(&post, SQL_META_PUT, text, &one, 1));
    assert_false(pg_post_gather(&post, SQL_EVENT_ADD,
                                "INSERT INTO x VALUES($1) ON CONFLICT DO "
                                "NOTHING",
                                &one, 1));
    assert_false(
        pg_post_gather(&post, SQL_EVENT_ADD, "DELETE FROM x", &one, 1));
    assert_false(pg_post_gather(&post, SQL_ATTEMPT_ADD, text, &list, 1));
    assert_true(pg_post_gather(&post, SQL_ATTEMPT_ADD, text, &one, 1));
    assert_false(pg_post_gather(&post, SQL_ATTEMPT_ADD, text, &bytes, 1));
    const struct longstop_value two[] = { one, one };
    assert_false(pg_post_gather(&post, SQL_ATTEMPT_ADD, text, two, 2));
    assert_int_equal(post.waiting, 1);
}

static void
many_rows_go_whatever_comes(void **state)
{
    (void)state;
    for (int64_t i = 0; i < 512; i++) {
        assert_false(pg_post_must_go(&post, SQL_LEDGER_GET));
        assert_true(gather(i, "a", true));
    }
    assert_true(pg_post_must_go(&post, SQL_LEDGER_GET));
}

static void
without_memory_a_row_goes_by_itself(void **state)
{
    bool is_taken = false;
    (void)state;
    for (long after = 0; !is_taken; after++) {
        (void)mem_fail_after(after, 0);
        is_taken = gather(after, "words", true);
        (void)mem_fail_after(-1, 0);
        assert_int_equal(post.waiting, is_taken);
    }
}

#define POST_TEST(name) cmocka_unit_test_teardown(name, tear_down)

static void
who_looks_at_the_ledger_finds_the_keys_that_wait(void **state)
{
    (void)state;
    const struct longstop_value values[] = {
        { .type = LONGSTOP_BYTES, .bytes = { "0123456789abcdef", 16 } },
        { .type = LONGSTOP_NUMBER, .number = 7 },
        { .type = LONGSTOP_NUMBER, .number = 1 },
    };
    const char *words = sql_text_of_postgresql(SQL_LEDGER_NEW);
    assert_true(pg_post_gather(&post, SQL_LEDGER_NEW, words, values, 3));
    assert_true(pg_post_must_go(&post, SQL_LEDGER_GET));
    assert_true(pg_post_must_go(&post, SQL_LEDGER_GET_ALL));
    assert_true(pg_post_must_go(&post, SQL_LEDGER_ADD));
    assert_true(pg_post_must_go(&post, SQL_LEDGER_MARK));
    assert_false(pg_post_must_go(&post, SQL_DELIVERY_DROP));
    pg_post_forget(&post);
    assert_false(pg_post_must_go(&post, SQL_LEDGER_GET));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        POST_TEST(rows_become_lists),
        POST_TEST(who_looks_at_the_ledger_finds_the_keys_that_wait),
        POST_TEST(a_column_that_is_nothing_but_null_is_one_of_numbers),
        POST_TEST(what_cannot_be_gathered_goes_by_itself),
        POST_TEST(many_rows_go_whatever_comes),
        POST_TEST(without_memory_a_row_goes_by_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
