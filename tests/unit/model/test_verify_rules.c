/* SPDX-License-Identifier: MIT */
/* Requests by each provider's rules, as tests/data/vectors/forge.py has them:
 * what is right, and everything that is a little wrong with it. */
#include "harness/vectors.h"

/* Returns whether the connector that the request names says what it should. */
static bool
is_judged_right(struct slice object, struct arena *arena)
{
    struct vector vector;
    struct bound bound;
    struct verify_result result = { .verdict = VERIFY_FORGED };
    char path[512];
    size_t len = 0;
    vectors_read(object, &vector, arena);
    (void)snprintf(path, sizeof(path), TEST_CONNECTORS_DIR "/%.*s.yaml",
                   SLICE_ARG(vector.spec));
    vectors_bind(&bound, &vector, bound_read(path, arena, &len));
    bound_must(&bound);
    vectors_verify(&bound.connector, &vector, arena, &result);
    const bool right = (result.verdict == VERIFY_GENUINE) == vector.genuine &&
                       result.verdict != VERIFY_WANTS_KEY &&
                       (vector.genuine || result.why[0] != '\0');
    if (!right) {
        print_error("%.*s: verdict %d, %s\n", SLICE_ARG(vector.id),
                    (int)result.verdict, result.why);
    }
    bound_fini(&bound);
    return right;
}

static void
every_rule_of_a_provider_is_kept_in_both_directions(void **state)
{
    (void)state;
    struct slice object;
    size_t at = 0;
    size_t total = 0;
    size_t wrong = 0;
    while (vectors_next(&at, &object)) {
        struct arena arena = { 0 };
        wrong += !is_judged_right(object, &arena);
        total++;
        arena_fini(&arena);
    }
    assert_int_equal(wrong, 0);
    assert_true(total > 1500);
}

static int
open_rules(void **state)
{
    (void)state;
    return vectors_open_file(TEST_DATA_DIR "/vectors/rules.json");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_rule_of_a_provider_is_kept_in_both_directions),
    };
    return cmocka_run_group_tests(tests, open_rules, vectors_close);
}
