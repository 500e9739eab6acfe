/* SPDX-License-Identifier: MIT */
/*
 * receiver_suite: what store.h says of receivers that registered themselves,
 * one test per sentence, for any store.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "conformance/deeds.h"
#include "conformance/store_suite.h"
#include "model/identity.h"

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

static enum status
act(enum store_receiver_act kind, uint32_t number, const char *text,
    bool *ret_more)
{
    struct store_receiver receiver = {
        .act = kind, .number = number, .state = slice_of(text), .limit = 2
    };
    struct error err = { 0 };
    enum status status = store->ops->receiver(store, &receiver, &err);
    if (ret_more != NULL) {
        *ret_more = receiver.more;
    }
    return status;
}

static uint32_t
add(const char *name, const char *text)
{
    struct store_receiver receiver = { .act = STORE_RECEIVER_ADD,
                                       .name = slice_of(name),
                                       .state = slice_of(text) };
    struct error err = { 0 };
    assert_ok(store->ops->receiver(store, &receiver, &err));
    assert_int_not_equal(receiver.number, 0);
    return receiver.number;
}

/* All that are there: "one, -, " for one and one that is removed. */
static void
assert_all(const char *wanted)
{
    struct store_receiver_row row = { 0 };
    struct error err = { 0 };
    char all[256] = "";
    do {
        assert_ok(store->ops->receiver_next(store, &row, &err));
        size_t len = strlen(all);
        if (row.number != 0) {
            (void)snprintf(all + len, sizeof(all) - len, "%.*s%s, ",
                           (int)row.state.len, row.state.ptr,
                           row.is_removed ? "-" : "");
        }
        row.after = row.number;
    } while (row.number != 0);
    buf_fini(&row.state);
    assert_string_equal(all, wanted);
}

static void
receivers_stay_over_a_restart_with_their_numbers(void **state)
{
    (void)state;
    uint32_t number;
    struct error err = { 0 };
    assert_all("");
    uint32_t one = add("rcv_1", "one");
    uint32_t two = add("rcv_2", "two");
    assert_int_not_equal(one, two);
    assert_all("one, two, ");
    reopen();
    assert_all("one, two, ");
    assert_ok(store->ops->name(store, STORE_HANDLER, slice_of("rcv_2"), &number,
                               &err));
    assert_int_equal(number, two);
}

static void
a_name_is_given_to_one_only(void **state)
{
    (void)state;
    struct store_receiver again = { .act = STORE_RECEIVER_ADD,
                                    .name = SLICE("rcv_1"),
                                    .state = SLICE("two") };
    struct error err = { 0 };
    (void)add("rcv_1", "one");
    assert_int_not_equal(store->ops->receiver(store, &again, &err), STATUS_OK);
    assert_all("one, ");
}

static void
a_state_is_changed_in_its_place(void **state)
{
    (void)state;
    uint32_t one = add("rcv_1", "one");
    (void)add("rcv_2", "two");
    assert_ok(act(STORE_RECEIVER_PUT, one, "changed", NULL));
    assert_int_equal(act(STORE_RECEIVER_PUT, one + 7, "x", NULL),
                     STATUS_NOT_FOUND);
    assert_int_equal(act(STORE_RECEIVER_REMOVE, one + 7, "", NULL),
                     STATUS_NOT_FOUND);
    reopen();
    assert_all("changed, two, ");
}

/* Five events that are owed to it, and to another. */
static void
owe(uint32_t number, uint32_t other)
{
    for (int i = 0; i < 5; i++) {
        const struct owed owed[] = { { .handler = number },
                                     { .handler = other } };
        char id[8];
        (void)snprintf(id, sizeof(id), "e%d", i);
        struct sighting sighting = { .via = CHANNEL_WEBHOOK,
                                     .key_count = 1,
                                     .id = slice_of(id),
                                     .type = SLICE("a"),
                                     .body = SLICE("{}"),
                                     .owed = owed,
                                     .owed_count = 2 };
        sighting.keys[0].key = identity_floor_key(1790000000);
        memcpy(sighting.keys[0].key.bytes + 4, id, strlen(id));
        struct store_unit unit = { .connector = 1,
                                   .sightings = &sighting,
                                   .sighting_count = 1 };
        struct store_unit *const units[] = { &unit };
        struct error err = { 0 };
        assert_ok(store->ops->apply(store, units, 1, &err));
    }
}

static void
assert_owed(uint32_t number, int64_t pending, int64_t dead)
{
    struct store_figure figure = { .handler = number };
    struct error err = { 0 };
    assert_ok(store->ops->figures(store, &figure, 1, &err));
    assert_int_equal(figure.pending, pending);
    assert_int_equal(figure.dead, dead);
}

/* Claims one and buries it. */
static void
bury_one(uint32_t number)
{
    struct store_claims claims = { 0 };
    struct error err = { 0 };
    int64_t now_ms = INT64_C(4000000000000);
    assert_ok(store->ops->claim(store, number, now_ms, now_ms + 1000, 1,
                                &claims, &err));
    assert_int_equal(claims.count, 1);
    struct store_outcome outcome = { .event = claims.at[0].event->number,
                                     .handler = number,
                                     .attempt = claims.at[0].attempt,
                                     .kind = OUTCOME_DEAD,
                                     .reason = "exit 65" };
    struct store_unit unit = { .outcomes = &outcome, .outcome_count = 1 };
    struct store_unit *const units[] = { &unit };
    event_unref(claims.at[0].event);
    mem_free(claims.at);
    assert_ok(store->ops->apply(store, units, 1, &err));
    assert_true(outcome.applied);
}

static void
one_that_is_removed_is_forgotten_a_slice_at_a_call(void **state)
{
    (void)state;
    bool more = true;
    size_t calls = 0;
    uint32_t one = add("rcv_1", "one");
    uint32_t two = add("rcv_2", "two");
    owe(one, two);
    bury_one(one);
    assert_owed(one, 4, 1);
    assert_ok(act(STORE_RECEIVER_REMOVE, one, "", NULL));
    assert_all("-, two, ");
    assert_int_equal(act(STORE_RECEIVER_PUT, one, "x", NULL), STATUS_NOT_FOUND);
    assert_ok(act(STORE_RECEIVER_FORGET, one, "", &more));
    assert_true(more);
    reopen(); /* in the midst of it: it is known that it goes */
    assert_all("-, two, ");
    while (more && calls < 10) {
        assert_ok(act(STORE_RECEIVER_FORGET, one, "", &more));
        calls++;
    }
    assert_true(calls >= 2 && calls < 10);
    assert_all("two, ");
    assert_owed(one, 0, 0);
    assert_owed(two, 5, 0);
    reopen();
    assert_owed(one, 0, 0);
    assert_owed(two, 5, 0);
}

static void
removed(uint32_t number)
{
    bool more = true;
    assert_ok(act(STORE_RECEIVER_REMOVE, number, "", NULL));
    for (int calls = 0; more && calls < 10; calls++) {
        assert_ok(act(STORE_RECEIVER_FORGET, number, "", &more));
    }
    assert_false(more);
}

/* Whatever is left of its attempts is taken for nobody else's. */
static void
a_forgotten_ones_number_is_given_to_nobody_else_and_its_name_is_free(
    void **state)
{
    (void)state;
    uint32_t last = 0;
    for (int i = 0; i < 3; i++) {
        uint32_t number = add("rcv_1", "one");
        assert_true(number > last);
        last = number;
        removed(number);
        reopen();
    }
    struct error err = { 0 };
    uint32_t other;
    assert_ok(store->ops->name(store, STORE_HANDLER, slice_of("rcv_1"), &other,
                               &err));
    assert_true(other > last);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, deeds_close)

int
receiver_suite_run(const struct store_suite_host *of)
{
    host = of;
    const struct CMUnitTest tests[] = {
        ROW(receivers_stay_over_a_restart_with_their_numbers),
        ROW(a_name_is_given_to_one_only),
        ROW(a_state_is_changed_in_its_place),
        ROW(one_that_is_removed_is_forgotten_a_slice_at_a_call),
        ROW(a_forgotten_ones_number_is_given_to_nobody_else_and_its_name_is_free),
    };
    return cmocka_run_group_tests_name("receivers", tests, NULL, NULL);
}
