/* SPDX-License-Identifier: MIT */
/*
 * walk_fixture: one tier of a list, its state, and the answers it is fed.
 */
#ifndef TESTS_UNIT_MODEL_WALK_FIXTURE_H
#define TESTS_UNIT_MODEL_WALK_FIXTURE_H

#include "list_fixture.h"

#include <stdio.h>
#include <string.h>

#include "base/instant.h"
#include "model/walk.h"

/* 2023-11-14 22:13:20 GMT */
#define NOW    INT64_C(1700000000000)
#define DATE   "Tue, 14 Nov 2023 22:13:20 GMT"
#define SECOND INSTANT_SECOND_MS
#define MINUTE INSTANT_MINUTE_MS
#define HOUR   INSTANT_HOUR_MS
#define DAY    INSTANT_DAY_MS

struct fixture {
    struct arena arena;
    struct connector connector;
    struct poll_spec *poll;
    struct walk_plan plan;
    struct walk_state state;
    struct walk_now now;
    struct walk_step step;
    const char *date;
    const char *link;
    const char *etag;
    const char *modified;
    const char *url;
    const bool *known;
};

static inline int
set_up(void **state)
{
    static struct fixture f;
    memset(&f, 0, sizeof f);
    list_connector(&f.connector, &f.arena);
    f.poll = &f.connector.poll;
    f.plan = (struct walk_plan){ .connector = &f.connector,
                                 .overlap_ms = MINUTE,
                                 .resumable = true };
    f.now = (struct walk_now){ NOW, NOW };
    f.date = DATE;
    f.url = "https://api.test/v1/events?since=1";
    *state = &f;
    return 0;
}

static inline int
tear_down(void **state)
{
    struct fixture *f = *state;
    arena_fini(&f->arena);
    return 0;
}

/* As if a walk had ended at `hw_ms`. */
static inline void
set_hw(struct fixture *f, int64_t hw_ms)
{
    f->state.has_start = true;
    f->state.start_ms = hw_ms > 365 * DAY ? NOW - 365 * DAY : 0;
    f->state.hw_ms = hw_ms;
}

static inline void
begin(struct fixture *f)
{
    assert_int_equal(
        walk_begin(&f->plan, &f->state, &f->now, &f->arena, &f->step),
        STATUS_OK);
    assert_int_equal(f->step.next, WALK_ASK);
}

static inline enum status
take(struct fixture *f, unsigned status, const char *body)
{
    struct slice text = slice_of(body);
    struct slice rows[128];
    struct slice list;
    struct page page = { .body = text, .rows = rows };
    struct http_field fields[4];
    size_t count = 0;
    const char *const named[] = {
        "Date", f->date, "Link",          f->link,
        "ETag", f->etag, "Last-Modified", f->modified
    };
    for (size_t i = 0; i < 8; i += 2) {
        if (named[i + 1] != NULL) {
            fields[count++] = (struct http_field){ slice_of(named[i]),
                                                   slice_of(named[i + 1]) };
        }
    }
    if (body != NULL) {
        assert_int_equal(json_check(text, 16, NULL), STATUS_OK);
        assert_true(json_member(text, slice_of("rows"), &list));
        for (size_t at = 0;
             json_next_element(list, &at, &rows[page.row_count]);) {
            page.row_count++;
        }
    }
    struct walk_answer answer = { .url = slice_of(f->url),
                                  .status = status,
                                  .fields = { fields, count },
                                  .page = body == NULL ? NULL : &page,
                                  .known = f->known,
                                  .duration_ms = 500,
                                  .our_ms = f->now.our_ms + 500 };
    return walk_page(&f->plan, &f->state, &answer, &f->arena, &f->step);
}

static inline void
page(struct fixture *f, const char *body, enum walk_next next)
{
    assert_int_equal(take(f, 200, body), STATUS_OK);
    if (f->step.next != next) {
        fail_msg("next is %d after %s: %s", f->step.next, body,
                 f->step.why.text);
    }
}

static inline void
failed(struct fixture *f, unsigned status, enum walk_next next)
{
    assert_int_equal(walk_failed(&f->plan, &f->state, &f->now, status,
                                 slice_of("{\"e\":1}"), &f->arena, &f->step),
                     STATUS_OK);
    assert_int_equal(f->step.next, next);
}

static inline void
assert_cursor(const struct fixture *f, const char *want)
{
    assert_int_equal(f->state.has_cursor, want != NULL);
    if (want != NULL && !slice_equal_text(f->state.cursor, want)) {
        fail_msg("cursor '%.*s', not '%s'", SLICE_ARG(f->state.cursor), want);
    }
}

static inline void
assert_page(const struct fixture *f, const char *want)
{
    assert_int_equal(f->state.has_page, want != NULL);
    if (want != NULL && !slice_equal_text(f->state.page, want)) {
        fail_msg("page '%.*s', not '%s'", SLICE_ARG(f->state.page), want);
    }
}

static inline void
assert_gap(const struct fixture *f, enum gap_kind kind, int64_t from_ms,
           int64_t to_ms)
{
    assert_true(f->step.has_gap);
    assert_int_equal(f->step.gap.kind, kind);
    assert_int_equal(f->step.gap.from_ms, from_ms);
    assert_int_equal(f->step.gap.to_ms, to_ms);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
