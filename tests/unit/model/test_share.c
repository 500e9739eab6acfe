/* SPDX-License-Identifier: MIT */
#include "harness/bound.h"

#include <stdlib.h>

#include "model/share.h"

enum { AGENTS = 64, CONNECTORS = 100000 };

/* Epochs are numbers of starts, mostly close to each other. */
static void
number_agents(uint64_t *epochs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        epochs[i] = 17 + i;
    }
}

static void
connectors_spread_evenly_over_many_agents(void **state)
{
    (void)state;
    static size_t has[AGENTS + 17];
    uint64_t epochs[AGENTS];
    const size_t even = CONNECTORS / AGENTS;
    number_agents(epochs, AGENTS);
    for (uint32_t i = 0; i < CONNECTORS; i++) {
        has[share_first(epochs, AGENTS, i)]++;
    }
    for (size_t i = 0; i < AGENTS; i++) {
        assert_in_range(has[epochs[i]], even - even * 15 / 100,
                        even + even * 15 / 100);
    }
}

static void
when_an_agent_leaves_only_its_connectors_move(void **state)
{
    (void)state;
    uint64_t epochs[AGENTS];
    uint64_t left[AGENTS - 1];
    size_t moved = 0;
    number_agents(epochs, AGENTS);
    for (size_t i = 0; i + 1 < AGENTS; i++) {
        left[i] = epochs[i < 20 ? i : i + 1];
    }
    for (uint32_t i = 0; i < CONNECTORS; i++) {
        uint64_t before = share_first(epochs, AGENTS, i);
        uint64_t after = share_first(left, AGENTS - 1, i);
        if (before != epochs[20]) {
            assert_int_equal(after, before);
        }
        moved += before != after;
    }
    assert_in_range(moved, CONNECTORS / AGENTS * 85 / 100,
                    CONNECTORS / AGENTS * 115 / 100);
}

static void
when_an_agent_joins_it_takes_its_part_and_no_other_one_moves(void **state)
{
    (void)state;
    uint64_t epochs[AGENTS];
    size_t moved = 0;
    number_agents(epochs, AGENTS);
    for (uint32_t i = 0; i < CONNECTORS; i++) {
        uint64_t before = share_first(epochs, AGENTS - 1, i);
        uint64_t after = share_first(epochs, AGENTS, i);
        if (after != before) {
            assert_int_equal(after, epochs[AGENTS - 1]);
            moved++;
        }
    }
    assert_in_range(moved, CONNECTORS / AGENTS * 85 / 100,
                    CONNECTORS / AGENTS * 115 / 100);
}

/* ---- what one agent does ---- */

/* The agents by their weight for connector 7, the heaviest first. */
static uint64_t by_weight[3];

static int
compare(const void *a, const void *b)
{
    uint64_t one = share_weight(*(const uint64_t *)a, 7);
    uint64_t other = share_weight(*(const uint64_t *)b, 7);
    return one < other ? 1 : -1;
}

static void
sort_agents(void)
{
    number_agents(by_weight, 3);
    qsort(by_weight, 3, sizeof(by_weight[0]), compare);
}

enum { NOBODY, FIRST, SECOND, THIRD };

static uint64_t
agent(int rank)
{
    return rank == NOBODY ? 0 : by_weight[rank - 1];
}

static void
what_an_agent_does_follows_from_who_lives_and_who_has_it(void **state)
{
    (void)state;
    static const struct {
        int self;
        bool settled;
        int living[3];
        int holder, asked;
        int64_t free_for_ms;
        enum share_act act;
    } rows[] = {
        /* Free: whoever it should go to takes it, at once. */
        { FIRST,
          false,
          { FIRST, SECOND, THIRD },
          NOBODY,
          NOBODY,
          0,
          SHARE_TAKE },
        { SECOND,
          true,
          { FIRST, SECOND, THIRD },
          NOBODY,
          NOBODY,
          0,
          SHARE_LEAVE },
        { SECOND, true, { SECOND, THIRD }, NOBODY, NOBODY, 0, SHARE_TAKE },
        /* Whom it should go to may not know of it. */
        { SECOND, true, { FIRST, SECOND }, NOBODY, NOBODY, 14999, SHARE_LEAVE },
        { SECOND, true, { FIRST, SECOND }, NOBODY, NOBODY, 15000, SHARE_TAKE },
        /* Held by another: asked for, once, by whom it should go to. */
        { FIRST, true, { FIRST, SECOND }, SECOND, NOBODY, 0, SHARE_ASK },
        { FIRST, true, { FIRST, SECOND }, SECOND, FIRST, 0, SHARE_LEAVE },
        { FIRST, true, { FIRST, SECOND, THIRD }, THIRD, SECOND, 0, SHARE_ASK },
        { FIRST, false, { FIRST, SECOND }, SECOND, NOBODY, 0, SHARE_LEAVE },
        { SECOND,
          true,
          { FIRST, SECOND, THIRD },
          THIRD,
          NOBODY,
          0,
          SHARE_LEAVE },
        /* Ours: given to who has asked, lives and weighs more. */
        { SECOND, true, { FIRST, SECOND }, SECOND, FIRST, 0, SHARE_GIVE },
        { SECOND, true, { FIRST, SECOND }, SECOND, NOBODY, 0, SHARE_LEAVE },
        { SECOND, true, { SECOND, THIRD }, SECOND, FIRST, 0, SHARE_LEAVE },
        { SECOND, true, { SECOND, THIRD }, SECOND, THIRD, 0, SHARE_LEAVE },
        { FIRST, true, { FIRST, SECOND }, FIRST, SECOND, 0, SHARE_LEAVE },
    };
    sort_agents();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint64_t living[3];
        size_t count = 0;
        for (; count < 3 && rows[i].living[count] != NOBODY; count++) {
            living[count] = agent(rows[i].living[count]);
        }
        const struct share_view view = { .self = agent(rows[i].self),
                                         .living = living,
                                         .count = count,
                                         .is_settled = rows[i].settled,
                                         .now_ms = 1000000,
                                         .orphan_ms = 15000 };
        const struct share_row row = {
            .connector = 7,
            .holder = agent(rows[i].holder),
            .freed_ms = 1000000 - rows[i].free_for_ms,
            .asked = agent(rows[i].asked),
        };
        if (share_decide(&view, &row) != rows[i].act) {
            fail_msg("row %zu: %d", i, (int)share_decide(&view, &row));
        }
    }
}

/* Two that do not see each other, and a table: it goes to the heavier one, and
 * comes to rest there. */
static void
views_that_differ_never_make_two_hold_it_nor_move_it_for_ever(void **state)
{
    (void)state;
    sort_agents();
    struct share_row row = { .connector = 7 };
    size_t moves = 0;
    for (size_t round = 0; round < 40; round++) {
        uint64_t self = by_weight[round % 2];
        uint64_t living[2] = { self, by_weight[(round + 1) % 2] };
        /* At first each of them thinks that it is alone. */
        const struct share_view view = { .self = self,
                                         .living = living,
                                         .count = round < 8 ? 1 : 2,
                                         .is_settled = true,
                                         .now_ms = (int64_t)round * 5000,
                                         .orphan_ms = 15000 };
        enum share_act act = share_decide(&view, &row);
        if (act == SHARE_TAKE) {
            assert_int_equal(row.holder, 0); /* the table's: one holds it */
            row.holder = self;
            row.asked = 0;
            moves++;
        } else if (act == SHARE_GIVE) {
            row.holder = 0;
            row.freed_ms = view.now_ms;
            row.asked = 0;
        } else if (act == SHARE_ASK) {
            row.asked = self;
        }
    }
    assert_int_equal(row.holder, by_weight[0]);
    assert_in_range(moves, 1, 2);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(connectors_spread_evenly_over_many_agents),
        cmocka_unit_test(when_an_agent_leaves_only_its_connectors_move),
        cmocka_unit_test(
            when_an_agent_joins_it_takes_its_part_and_no_other_one_moves),
        cmocka_unit_test(
            what_an_agent_does_follows_from_who_lives_and_who_has_it),
        cmocka_unit_test(
            views_that_differ_never_make_two_hold_it_nor_move_it_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
