/* SPDX-License-Identifier: MIT */
#include "harness/bound.h"

#include "model/host.h"

#define HOST_MAX 4

static const char shop[] =
    "params: {base: {}, shop: {}, api_key: {secret: true},\n"
    "         other: {secret: true}}\n"
    "poll:\n"
    "  request: {url: '{var:base}/v1/{var:shop}',\n"
    "            query: {since: '{cursor}'}}\n"
    "  auth: {type: bearer}\n"
    "  items: '$.rows[*]'\n"
    "  cursor: {kind: time, from: at}\n"
    "  record: {id: '{id}'}\n";

/* The same provider by another name for its secret. */
static const char books[] =
    "params: {base: {}, token: {secret: true}}\n"
    "poll:\n"
    "  request: {url: '{var:base}/books'}\n"
    "  auth: {type: header, name: X-Key, value: '{secret:token}'}\n"
    "  items: '$.rows[*]'\n"
    "  record: {id: '{id}'}\n";

#define AT(host, key)  "with: {base: '" host "', shop: a, api_key: " key "}\n"
#define BUDGET(budget) "poll: {limit: {budget: " budget "}}\n"

struct account {
    const char *file;
    const char *entry;
};

static const struct {
    struct account accounts[HOST_MAX];
    size_t groups[HOST_MAX];
    int64_t counts[HOST_MAX]; /* of the budgets */
} rows[] = {
    /* the same in every respect, and written differently */
    { { { shop, AT("https://api.example.com", "k1") },
        { shop, AT("https://API.example.com:443", "k1") } },
      { 0, 0 },
      { 0 } },
    /* another key, port, scheme */
    { { { shop, AT("https://api.example.com", "k1") },
        { shop, AT("https://api.example.com", "k2") },
        { shop, AT("https://api.example.com:444", "k1") },
        { shop, AT("http://api.example.com", "k1") } },
      { 0, 1, 2, 3 },
      { 0 } },
    /* the lowest rate, not the smallest number */
    { { { shop, AT("https://a.example", "k1") BUDGET("25/1s") },
        { shop, AT("https://b.example", "k1") BUDGET("7/1s") },
        { shop, AT("https://a.example", "k1") BUDGET("60/1m") },
        { shop, AT("https://a.example", "k1") } },
      { 0, 1, 0, 0 },
      { 60, 7, 60, 60 } },
    /* connectors of two kinds */
    { { { shop, AT("https://a.example", "k1") BUDGET("5/1s") },
        { books, "with: {base: 'https://a.example', token: k1}\n" },
        { books, "with: {base: 'https://a.example', token: k2}\n" } },
      { 0, 0, 2 },
      { 5, 5, 0 } },
    /* a secret that no request names is no credential */
    { { { shop, AT("https://a.example", "k1, other: x") },
        { shop, AT("https://a.example", "k1, other: y") } },
      { 0, 0 },
      { 0 } },
};

static void
one_account_at_one_origin_is_one_host(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        static struct bound bounds[HOST_MAX];
        struct connector connectors[HOST_MAX];
        size_t groups[HOST_MAX];
        size_t count = 0;
        while (count < HOST_MAX && rows[i].accounts[count].file != NULL) {
            bound_texts(&bounds[count], rows[i].accounts[count].file,
                        rows[i].accounts[count].entry, "");
            bound_must(&bounds[count]);
            connectors[count] = bounds[count].connector;
            count++;
        }
        assert_int_equal(host_group(connectors, count, groups), STATUS_OK);
        for (size_t at = 0; at < count; at++) {
            struct quota budget =
                host_budget(connectors, count, groups, groups[at]);
            if (groups[at] != rows[i].groups[at] ||
                budget.count != rows[i].counts[at]) {
                fail_msg("row %zu, connector %zu: host %zu, budget %ld", i, at,
                         groups[at], (long)budget.count);
            }
            bound_fini(&bounds[at]);
        }
    }
}

static void
what_does_not_poll_shares_nothing(void **state)
{
    (void)state;
    struct connector connectors[2] = { 0 };
    size_t groups[2];
    assert_int_equal(host_group(connectors, 2, groups), STATUS_OK);
    assert_int_equal(groups[1], 1);
    assert_int_equal(host_budget(connectors, 2, groups, 1).count, 0);
    assert_int_equal(host_group(NULL, 0, groups), STATUS_OK);
}

static void
grouping_survives_every_failed_allocation(void **state)
{
    (void)state;
    struct bound bound;
    size_t group;
    enum status status = STATUS_NOMEM;
    bound_texts(&bound, shop, AT("https://a.example", "k1"), "");
    bound_must(&bound);
    for (long n = 0; status != STATUS_OK; n++) {
        assert_true(n < 1000);
        mem_fail_after(n, 0);
        status = host_group(&bound.connector, 1, &group);
        mem_fail_after(-1, 0);
        assert_true(status == STATUS_OK || status == STATUS_NOMEM);
    }
    bound_fini(&bound);
}

static void
an_origin_is_told_without_what_follows_it(void **state)
{
    static const struct {
        const char *entry, *origin;
    } cases[] = {
        { AT("https://api.example.com", "k1"), "https://api.example.com" },
        { AT("http://[::1]:8080", "k1"), "http://[::1]:8080" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct bound bound;
        struct buf origin = { 0 };
        bound_texts(&bound, shop, cases[i].entry, "");
        bound_must(&bound);
        assert_int_equal(host_origin(&bound.connector, &origin), STATUS_OK);
        assert_string_equal(origin.ptr, cases[i].origin);
        buf_fini(&origin);
        bound_fini(&bound);
    }
    struct connector none = { 0 };
    struct buf origin = { 0 };
    assert_int_equal(host_origin(&none, &origin), STATUS_NOT_FOUND);
    assert_int_equal(origin.len, 0);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_account_at_one_origin_is_one_host),
        cmocka_unit_test(what_does_not_poll_shares_nothing),
        cmocka_unit_test(an_origin_is_told_without_what_follows_it),
        cmocka_unit_test(grouping_survives_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
