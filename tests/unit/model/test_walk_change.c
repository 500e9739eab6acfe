/* SPDX-License-Identifier: MIT */
#include "walk_fixture.h"

#include "model/walk_change.h"

/* A state as a whole walk that ended a minute ago left it. */
static void
set_past(struct fixture *f)
{
    set_hw(f, NOW - MINUTE);
    f->poll->record.id = list_template("{item:id}", &f->arena);
    f->connector.match.mode = MATCH_EVENT;
    walk_change_note(&f->plan, &f->state);
}

static void
fit(struct fixture *f)
{
    walk_change_fit(&f->plan, &f->state, &f->now, &f->step);
}

static void
an_unchanged_connector_changes_nothing(void **state)
{
    struct fixture *f = *state;
    set_past(f);
    f->state.open = true;
    assert_null(walk_change_words(&f->plan, &f->state));
    fit(f);
    assert_true(f->state.open);
    assert_false(f->step.state_changed || f->step.has_gap);
    assert_false(walk_change_seeds(&f->plan, &f->state, NOW - HOUR));
}

static void
other_keys_seed_below_the_watermark_until_a_walk_is_whole(void **state)
{
    struct fixture *f = *state;
    set_past(f);
    f->poll->record.id = list_template("v2-{item:id}", &f->arena);
    assert_non_null(strstr(walk_change_words(&f->plan, &f->state), "keys"));
    assert_true(walk_change_seeds(&f->plan, &f->state, NOW - 61 * SECOND));
    assert_false(walk_change_seeds(&f->plan, &f->state, NOW - MINUTE));
    assert_false(walk_change_seeds(&f->plan, &f->state, 0));
    begin(f);
    page(f, "{\"rows\":[]}", WALK_WHOLE);
    assert_false(walk_change_seeds(&f->plan, &f->state, NOW - HOUR));
}

static void
whatever_makes_keys_counts_and_nothing_else(void **state)
{
    struct fixture *f = *state;
    struct connector *c = &f->connector;
    const struct template *t = list_template("x{item:v}", &f->arena);
    const struct template **const makers[] = {
        &c->event.id,        &c->event.key_time,     &c->poll.record.id,
        &c->match.poll,      &c->match.webhook,      &c->poll.record.key_time,
        &c->match.poll_time, &c->match.webhook_time,
    };
    uint64_t before = walk_change_keys(c);
    for (size_t i = 0; i < sizeof(makers) / sizeof(makers[0]); i++) {
        const struct template *kept = *makers[i];
        *makers[i] = t;
        assert_true(walk_change_keys(c) != before);
        *makers[i] = kept;
    }
    c->match.mode = MATCH_STATE;
    assert_true(walk_change_keys(c) != before);
    c->match.mode = MATCH_NONE;
    c->poll.record.type = t;
    c->poll.request.url = t;
    assert_true(walk_change_keys(c) == before);
}

static void
another_list_begins_its_open_walk_anew_and_keeps_the_watermark(void **state)
{
    struct fixture *f = *state;
    set_past(f);
    f->state.open = true;
    f->state.has_page = true;
    f->state.page = slice_of("http://old.test/next");
    f->poll->request.url = list_template("https://new.test/v2", &f->arena);
    fit(f);
    assert_false(f->state.open || f->state.has_page);
    assert_int_equal(f->state.hw_ms, NOW - MINUTE);
    assert_false(f->step.has_gap);
}

static void
whatever_makes_it_another_list_counts_and_no_secret(void **state)
{
    struct fixture *f = *state;
    struct connector *c = &f->connector;
    struct slice values[] = { SLICE("here"), SLICE("there") };
    struct connector_param shop = { .name = SLICE("shop"),
                                    .given = true,
                                    .asked = true,
                                    .values = &values[0],
                                    .count = 1 };
    struct body_node leaf = { .key = SLICE("query"),
                              .text = list_template("a", &f->arena) };
    struct body_node root = { .children = &leaf };
    c->params = &shop;
    c->param_count = 1;
    f->poll->request.body = &root;
    uint64_t before = walk_change_list(c);
    shop.values = &values[1];
    assert_true(walk_change_list(c) != before);
    shop.secret = true;
    uint64_t hidden = walk_change_list(c);
    shop.values = &values[0];
    assert_true(walk_change_list(c) == hidden);
    shop.secret = false;
    assert_true(walk_change_list(c) == before);
    leaf.text = list_template("b", &f->arena);
    assert_true(walk_change_list(c) != before);
    leaf.text = list_template("a", &f->arena);
    /* Rows that were not found before hide behind a 304. */
    f->poll->items = list_path("others", &f->arena);
    assert_true(walk_change_list(c) != before);
}

static void
from_a_time_to_an_id_reading_goes_on_at_the_watermark(void **state)
{
    struct fixture *f = *state;
    set_past(f);
    f->poll->cursor.kind = CURSOR_ID;
    f->poll->cursor.from = list_path("id", &f->arena);
    f->poll->cursor.start = list_template("t:{start}", &f->arena);
    fit(f);
    assert_false(f->step.has_gap);
    begin(f);
    assert_cursor(f, "t:2023-11-14T22:11:20.000Z"); /* less the overlap */
    assert_int_equal(f->state.hw_ms, NOW - MINUTE);
}

static void
an_id_that_no_time_leads_to_is_a_gap_and_never_from_now(void **state)
{
    struct fixture *f = *state;
    set_past(f);
    f->poll->cursor.kind = CURSOR_ID;
    f->poll->cursor.from = list_path("id", &f->arena);
    f->poll->first.url = list_template("https://api.test/newest", &f->arena);
    fit(f);
    assert_true(f->step.has_gap);
    assert_int_equal(f->step.gap.kind, GAP_CURSOR);
    assert_int_equal(f->step.gap.from_ms, NOW - 2 * MINUTE);
    assert_int_equal(f->step.gap.to_ms, NOW);
    begin(f);
    assert_false(f->state.first); /* which would skip all there is */
    assert_cursor(f, NULL);       /* the list's beginning */
    /* Said once. */
    fit(f);
    assert_false(f->step.has_gap);
}

static void
another_ids_token_is_not_sent(void **state)
{
    struct fixture *f = *state;
    f->poll->cursor.kind = CURSOR_ID;
    f->poll->cursor.from = list_path("id", &f->arena);
    f->poll->cursor.start = list_template("t:{start}", &f->arena);
    set_past(f);
    f->state.has_token = true;
    f->state.token = slice_of("17");
    f->poll->cursor.from = list_path("seq", &f->arena);
    fit(f);
    assert_false(f->state.has_token);
    assert_int_equal(f->state.hw_ms, NOW - MINUTE);
}

static void
a_state_without_hashes_is_taken_as_it_is(void **state)
{
    struct fixture *f = *state;
    set_hw(f, NOW - MINUTE);
    f->state.open = true;
    assert_null(walk_change_words(&f->plan, &f->state));
    fit(f);
    assert_true(f->state.open);
    assert_false(walk_change_seeds(&f->plan, &f->state, NOW - HOUR));
}

static void
another_start_is_told(void **state)
{
    struct fixture *f = *state;
    f->state.has_start = true;
    f->state.start_set_ms = NOW;
    f->state.start_ms = NOW - 7 * DAY - MINUTE; /* by the provider's clock */
    const struct {
        enum poll_start kind;
        int64_t start_ms;
        bool told;
    } rows[] = {
        { START_NOW, 0, false },
        { START_AGO, 7 * DAY, false },
        { START_AGO, 9 * DAY, true },
        { START_AGO, 5 * DAY, true },
        { START_AT, NOW - 7 * DAY - MINUTE, false },
        { START_AT, NOW - 7 * DAY, true },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        f->poll->start_kind = rows[i].kind;
        f->poll->start_ms = rows[i].start_ms;
        assert_int_equal(walk_change_start(&f->plan, &f->state), rows[i].told);
    }
    f->state.has_start = false;
    assert_false(walk_change_start(&f->plan, &f->state));
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(an_unchanged_connector_changes_nothing),
        TEST(other_keys_seed_below_the_watermark_until_a_walk_is_whole),
        TEST(whatever_makes_keys_counts_and_nothing_else),
        TEST(another_list_begins_its_open_walk_anew_and_keeps_the_watermark),
        TEST(whatever_makes_it_another_list_counts_and_no_secret),
        TEST(from_a_time_to_an_id_reading_goes_on_at_the_watermark),
        TEST(an_id_that_no_time_leads_to_is_a_gap_and_never_from_now),
        TEST(another_ids_token_is_not_sent),
        TEST(another_start_is_told),
        TEST(a_state_without_hashes_is_taken_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
