/* SPDX-License-Identifier: MIT */
#include "list_fixture.h"

#include "model/gate.h"

static void
an_answer_opens_the_gate_keeps_it_or_tells_nothing(void **state)
{
    static const struct {
        unsigned status;
        const char *body;
        enum gate_verdict verdict;
        int64_t wait_ms;
    } rows[] = {
        { 200, "{\"changes\":true}", GATE_GO, 0 },
        { 200, "{\"changes\":true,\"backoff\":5}", GATE_GO, 5000 },
        { 200, "{\"changes\":false,\"backoff\":2.5}", GATE_STAY, 3000 },
        { 200, "{}", GATE_STAY, 0 },
        { 200, "{\"backoff\":\"soon\"}", GATE_STAY, 0 },
        { 200, "{\"backoff\":999999}", GATE_STAY, 3600000 },
        { 200, "gone fishing", GATE_BROKEN, 0 },
        { 204, "", GATE_BROKEN, 0 },
        { 500, "{\"changes\":true}", GATE_BROKEN, 0 },
        { 302, "{\"changes\":true}", GATE_BROKEN, 0 },
    };
    (void)state;
    struct arena arena = { 0 };
    struct connector connector;
    list_connector(&connector, &arena);
    struct condition changes = { .x = list_template("{json:changes}", &arena),
                                 .test = CONDITION_EQUALS,
                                 .equals = SLICE("true") };
    connector.poll.gate.go_when = (struct conditions){ &changes, 1 };
    connector.poll.gate.backoff = list_template("{json:backoff}", &arena);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        enum gate_verdict verdict;
        int64_t wait_ms;
        assert_int_equal(gate_read(&connector, rows[i].status,
                                   (struct http_fields){ NULL, 0 },
                                   slice_of(rows[i].body), &verdict, &wait_ms),
                         STATUS_OK);
        if (verdict != rows[i].verdict ||
            wait_ms / 1000 < rows[i].wait_ms / 1000 - 1 ||
            wait_ms > rows[i].wait_ms) {
            fail_msg("%u %s: %d, %lld ms", rows[i].status, rows[i].body,
                     verdict, (long long)wait_ms);
        }
    }
    arena_fini(&arena);
}

static void
a_gate_is_asked_about_the_cursor_with_a_credential_or_without(void **state)
{
    (void)state;
    struct arena arena = { 0 };
    struct connector connector;
    struct walk_state walk = { .has_cursor = true, .cursor = SLICE("t 1") };
    struct rendered_request request;
    struct slice field;
    struct error err = { { 0 } };
    static const char *const pairs[] = { "at", "{cursor}", NULL };
    list_connector(&connector, &arena);
    struct gate_spec *gate = &connector.poll.gate;
    gate->request.method = slice_of("GET");
    gate->request.url = list_template("https://notify.test/poll", &arena);
    gate->request.query = list_pairs(pairs, &arena, &gate->request.query_count);
    connector.poll.auth =
        (struct auth_spec){ .type = AUTH_BEARER,
                            .value = list_template("k3y", &arena) };
    for (int i = 0; i < 2; i++) {
        gate->auth = i == 0 ? GATE_AUTH_SAME : GATE_AUTH_NONE;
        assert_int_equal(
            gate_request(&connector, &walk, &arena, &request, &err), STATUS_OK);
        assert_true(
            slice_equal_text(request.url, "https://notify.test/poll?at=t%201"));
        assert_int_equal(
            http_field_find(request.fields, "Authorization", &field), i == 0);
    }
    arena_fini(&arena);
}

static void
a_gate_that_calls_in_vain_is_believed_less_and_less(void **state)
{
    static const int64_t apart_s[] = { 0, 1, 2, 4, 8 };
    (void)state;
    int64_t apart_ms;
    for (unsigned vain = 0; vain < 5; vain++) {
        assert_true(gate_may_call(vain, &apart_ms));
        assert_int_equal(apart_ms, apart_s[vain] * 1000);
    }
    assert_false(gate_may_call(5, &apart_ms));
    assert_false(gate_may_call(5000, &apart_ms));
    assert_int_equal(apart_ms, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_gate_that_calls_in_vain_is_believed_less_and_less),
        cmocka_unit_test(an_answer_opens_the_gate_keeps_it_or_tells_nothing),
        cmocka_unit_test(
            a_gate_is_asked_about_the_cursor_with_a_credential_or_without),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
