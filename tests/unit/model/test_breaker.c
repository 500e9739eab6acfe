/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "model/breaker.h"

static const struct breaker_policy usual = { .failures = 3,
                                             .open_ms = 1000,
                                             .cap_ms = 4000 };

/* What happens, a letter each: B begins, G ended well, F failed at a new
 * event, A failed at the event that failed last, N said nothing; a digit lets
 * so many thousand ms go by. The probe's end follows its begin at once; x is
 * the failure of an attempt from before. */
struct story {
    struct breaker breaker;
    struct prng prng;
    int64_t now_ms;
    uint64_t event;
    bool is_probe;
};

static void
end(struct story *story, uint64_t event, enum breaker_word word, bool is_probe)
{
    (void)breaker_end(&story->breaker, &usual, is_probe, event, word,
                      story->now_ms, &story->prng);
}

static void
step(struct story *story, char what)
{
    switch (what) {
    case 'B':
        story->is_probe = breaker_begin(&story->breaker, story->now_ms);
        break;
    case 'G': end(story, ++story->event, BREAKER_WELL, story->is_probe); break;
    case 'F':
        end(story, ++story->event, BREAKER_UNWELL, story->is_probe);
        break;
    case 'A': end(story, story->event, BREAKER_UNWELL, story->is_probe); break;
    case 'N':
        end(story, ++story->event, BREAKER_NOTHING, story->is_probe);
        break;
    case 'x': end(story, ++story->event, BREAKER_UNWELL, false); break;
    case 'y': end(story, ++story->event, BREAKER_WELL, false); break;
    default: story->now_ms += (what - '0') * INT64_C(1000); break;
    }
    if (what == 'G' || what == 'F' || what == 'A' || what == 'N') {
        story->is_probe = false;
    }
}

static void
it_opens_closes_and_lets_one_through(void **state)
{
    static const struct {
        const char *what;
        enum breaker_state state;
        int64_t room;
    } rows[] = {
        { "", BREAKER_CLOSED, INT64_MAX },
        { "FF", BREAKER_CLOSED, INT64_MAX },
        { "FFF", BREAKER_OPEN, 0 },
        /* a success between them, or a word that says nothing */
        { "FFGFF", BREAKER_CLOSED, INT64_MAX },
        { "FFNF", BREAKER_OPEN, 0 },
        /* one event that fails again and again says nothing of its handler */
        { "FAAAAAAA", BREAKER_CLOSED, INT64_MAX },
        { "FAAFAF", BREAKER_OPEN, 0 },
        { "FFGAFF", BREAKER_OPEN, 0 },
        /* half-open: one, and no second one beside it */
        { "FFF1", BREAKER_HALF_OPEN, 1 },
        { "FFF1B", BREAKER_HALF_OPEN, 0 },
        { "FFF1BG", BREAKER_CLOSED, INT64_MAX },
        { "FFF1BF", BREAKER_OPEN, 0 },
        /* a probe that was not asked leaves the way to the next one */
        { "FFF1BN", BREAKER_HALF_OPEN, 1 },
        /* twice as long: open for more than 1 s, then for at most 2 s */
        { "FFF1BF1B", BREAKER_OPEN, 0 },
        { "FFF1BF2", BREAKER_HALF_OPEN, 1 },
        /* the cap: 4 s, however often */
        { "FFF1BF2BF4BF4BF4BF4", BREAKER_HALF_OPEN, 1 },
        /* closed again it begins anew */
        { "FFF1BGFF", BREAKER_CLOSED, INT64_MAX },
        { "FFF1BF2BGFFF1", BREAKER_HALF_OPEN, 1 },
        /* what began before it opened is not asked, good or bad */
        { "FFFxxx1", BREAKER_HALF_OPEN, 1 },
        { "FFFy", BREAKER_OPEN, 0 },
        { "FFF1Bx", BREAKER_HALF_OPEN, 0 },
        { "FFF1By", BREAKER_HALF_OPEN, 0 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (uint64_t seed = 0; seed < 20; seed++) {
            /* A second attempt's wait must be above a second: draws of 1 to
             * 2 s are, but for the lowest. */
            struct story story = { .prng = { seed }, .now_ms = 5000 };
            for (const char *at = rows[i].what; *at != '\0'; at++) {
                step(&story, *at);
            }
            enum breaker_state is = breaker_state(&story.breaker, story.now_ms);
            int64_t room = breaker_room(&story.breaker, story.now_ms);
            if (is != rows[i].state || room != rows[i].room) {
                fail_msg("%s: %s", rows[i].what, breaker_state_name(is));
            }
        }
    }
}

static void
no_failures_never_open_it(void **state)
{
    static const struct breaker_policy off = { .open_ms = 1, .cap_ms = 1 };
    struct breaker breaker = { 0 };
    struct prng prng = { 1 };
    (void)state;
    for (uint64_t event = 1; event < 1000; event++) {
        assert_false(breaker_end(&breaker, &off, false, event, BREAKER_UNWELL,
                                 1, &prng));
    }
    assert_int_equal(breaker_room(&breaker, 1), INT64_MAX);
}

static void
it_says_each_change_once(void **state)
{
    struct breaker breaker = { 0 };
    struct prng prng = { 1 };
    size_t changes = 0;
    (void)state;
    for (uint64_t event = 1; event <= 10; event++) {
        changes += breaker_end(&breaker, &usual, false, event, BREAKER_UNWELL,
                               1, &prng);
    }
    assert_int_equal(changes, 1);
    assert_true(breaker_begin(&breaker, 5000));
    assert_false(breaker_begin(&breaker, 5000));
    assert_true(
        breaker_end(&breaker, &usual, true, 99, BREAKER_WELL, 5000, &prng));
    assert_false(
        breaker_end(&breaker, &usual, false, 99, BREAKER_WELL, 5000, &prng));
}

static void
the_time_it_is_open_is_drawn_from_its_upper_half(void **state)
{
    int64_t least = INT64_MAX;
    int64_t most = 0;
    (void)state;
    for (uint64_t seed = 0; seed < 500; seed++) {
        struct story story = { .prng = { seed } };
        for (int i = 0; i < 3; i++) {
            step(&story, 'F');
        }
        int64_t wait = story.breaker.until_ms;
        least = wait < least ? wait : least;
        most = wait > most ? wait : most;
    }
    assert_in_range(least, 500, 550);
    assert_in_range(most, 950, 1000);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_opens_closes_and_lets_one_through),
        cmocka_unit_test(no_failures_never_open_it),
        cmocka_unit_test(it_says_each_change_once),
        cmocka_unit_test(the_time_it_is_open_is_drawn_from_its_upper_half),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
