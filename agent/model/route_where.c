/* SPDX-License-Identifier: MIT */
#include "model/route_where.h"

#include <string.h>

#include "base/suggest.h"
#include "model/pattern.h"
#include "wire/json.h"

enum where_kind {
    WHERE_EQUALS,
    WHERE_NOT,
    WHERE_IN,
    WHERE_PREFIX,
    WHERE_REGEX,
    WHERE_EXISTS,
    WHERE_GT,
    WHERE_GTE,
    WHERE_LT,
    WHERE_LTE
};

static const char *const kinds[] = { "equals", "not",    "in", "prefix",
                                     "regex",  "exists", "gt", "gte",
                                     "lt",     "lte",    NULL };

struct where_test {
    enum where_kind kind;
    struct slice *values; /* IN has several, the others one */
    size_t count;
    bool exists;
    struct pattern *regex;
};

/* ---- comparing numbers by their text: no double stands between ---- */

#define DIGITS_MAX 64

struct decimal {
    bool negative;
    char digits[DIGITS_MAX]; /* without zeros at either end, nor the point */
    size_t count;
    int64_t point; /* how many digits stand before the point */
};

/* Takes one digit; false when there are more than anybody compares. */
static bool
take_digit(struct decimal *into, char digit, bool behind_point)
{
    if (into->count == 0 && digit == '0') {
        into->point -= behind_point ? 1 : 0;
        return true;
    }
    if (into->count == DIGITS_MAX) {
        return false;
    }
    into->digits[into->count++] = digit;
    into->point += behind_point ? 0 : 1;
    return true;
}

/* Takes what stands behind the digits: nothing, or an exponent. */
static bool
take_exponent(struct decimal *into, struct slice rest)
{
    int64_t exponent;
    if (rest.len == 0) {
        return true;
    }
    if (rest.ptr[0] != 'e' && rest.ptr[0] != 'E') {
        return false;
    }
    rest = slice_from(rest, 1);
    if (rest.len > 0 && rest.ptr[0] == '+') {
        rest = slice_from(rest, 1);
    }
    if (rest.len > 6 || slice_to_i64(rest, &exponent) != STATUS_OK) {
        return false;
    }
    into->point += exponent;
    return true;
}

/* Reads "-12.5e3"; false when it is no number. */
static bool
read_decimal(struct slice text, struct decimal *into)
{
    bool behind_point = false;
    size_t i = 0;
    *into = (struct decimal){ .negative = text.len > 0 && text.ptr[0] == '-' };
    text = slice_from(text, into->negative ? 1 : 0);
    for (; i < text.len; i++) {
        const char c = text.ptr[i];
        if (c == '.' && !behind_point && i > 0) {
            behind_point = true;
        } else if (c < '0' || c > '9') {
            break;
        } else if (!take_digit(into, c, behind_point)) {
            return false;
        }
    }
    if (i == 0 || !take_exponent(into, slice_from(text, i))) {
        return false;
    }
    while (into->count > 0 && into->digits[into->count - 1] == '0') {
        into->count--;
    }
    into->negative = into->negative && into->count > 0;
    return true;
}

static int
compare_decimals(const struct decimal *a, const struct decimal *b)
{
    const int sign = a->negative ? -1 : 1;
    if (a->negative != b->negative) {
        return sign;
    }
    if (a->count == 0 || b->count == 0) {
        return sign * ((a->count > 0) - (b->count > 0));
    }
    if (a->point != b->point) {
        return a->point < b->point ? -sign : sign;
    }
    const int order = slice_compare((struct slice){ a->digits, a->count },
                                    (struct slice){ b->digits, b->count });
    return sign * ((order > 0) - (order < 0));
}

static bool
compare_numbers(struct slice a, struct slice b, int *ret_order)
{
    struct decimal x;
    struct decimal y;
    if (!read_decimal(a, &x) || !read_decimal(b, &y)) {
        return false;
    }
    *ret_order = compare_decimals(&x, &y);
    return true;
}

/* ---- reading ---- */

static bool
out_of_memory(struct config_binding *binding)
{
    binding->report->failed_memory = true;
    return false;
}

static size_t
count_children(const struct config_node *node)
{
    size_t count = 0;
    for (const struct config_node *at = node->children; at; at = at->next) {
        count++;
    }
    return count;
}

static bool
read_values(struct config_binding *binding, const struct config_node *node,
            struct where_test *test)
{
    const bool list = node->kind == CONFIG_SEQUENCE;
    const size_t count = list ? count_children(node) : 1;
    test->values =
        arena_array(binding->arena, count + 1, sizeof(*test->values));
    if (test->values == NULL) {
        return out_of_memory(binding);
    }
    const struct config_node *at = list ? node->children : node;
    for (size_t i = 0; i < count; i++, at = at->next) {
        if (at->kind != CONFIG_SCALAR || (list && test->kind != WHERE_IN)) {
            config_report_add(binding->report, CONFIG_ERROR, at->mark,
                              "'%.*s' must be %s", SLICE_ARG(node->key),
                              test->kind == WHERE_IN ? "a list of values"
                                                     : "one value");
            return false;
        }
        test->values[test->count++] = at->is_null ? slice_of("null") : at->text;
    }
    return true;
}

static bool
read_regex(struct config_binding *binding, const struct config_node *node,
           struct where_test *test)
{
    struct error err = { "" };
    enum status status =
        pattern_compile(node->text, binding->arena, &test->regex, &err);
    if (status == STATUS_NOMEM) {
        return out_of_memory(binding);
    }
    if (status != STATUS_OK) {
        config_report_add(binding->report, CONFIG_ERROR, node->mark,
                          "'regex': %s", error_text(&err, status));
    }
    return status == STATUS_OK;
}

/* What a test wants its value to be. */
static bool
check_value(struct config_binding *binding, const struct config_node *node,
            struct where_test *test)
{
    int order;
    if (test->kind >= WHERE_GT &&
        !compare_numbers(test->values[0], test->values[0], &order)) {
        config_report_add(binding->report, CONFIG_ERROR, node->mark,
                          "'%.*s' must be a number", SLICE_ARG(node->key));
        return false;
    }
    if (test->kind == WHERE_EXISTS) {
        test->exists = slice_equal_text(test->values[0], "true");
        if (!test->exists && !slice_equal_text(test->values[0], "false")) {
            config_report_add(binding->report, CONFIG_ERROR, node->mark,
                              "'exists' must be true or false");
            return false;
        }
    }
    return test->kind != WHERE_REGEX || read_regex(binding, node, test);
}

static void
read_test(struct config_binding *binding, const struct config_node *node,
          struct where_rule *rule)
{
    struct where_test *test = &rule->tests[rule->test_count];
    size_t kind = 0;
    while (kinds[kind] != NULL && !slice_equal_text(node->key, kinds[kind])) {
        kind++;
    }
    if (kinds[kind] == NULL) {
        const char *nearest =
            suggest_near(node->key, kinds, sizeof(kinds) / sizeof(*kinds) - 1);
        config_report_add(binding->report, CONFIG_ERROR, node->key_mark,
                          "unknown test '%.*s'%s%s%s", SLICE_ARG(node->key),
                          nearest == NULL ? "" : "; did you mean '",
                          nearest == NULL ? "" : nearest,
                          nearest == NULL ? "" : "'?");
        return;
    }
    test->kind = (enum where_kind)kind;
    if (read_values(binding, node, test) && check_value(binding, node, test)) {
        rule->test_count++;
    }
}

/* {at: POINTER, TEST: VALUE, …} */
static void
read_rule(struct config_binding *binding, const struct config_node *node,
          struct where_rule *rule)
{
    const struct config_node *at = config_node_child(node, "at");
    struct error err = { "" };
    rule->tests = arena_array(binding->arena, count_children(node) + 1,
                              sizeof(*rule->tests));
    if (rule->tests == NULL) {
        (void)out_of_memory(binding);
        return;
    }
    if (at == NULL || at->kind != CONFIG_SCALAR) {
        config_report_add(binding->report, CONFIG_ERROR, node->mark,
                          "a condition needs 'at', a JSON Pointer such as "
                          "/data/total, or is 'any' or 'none' of several");
        return;
    }
    enum status status =
        json_pointer_compile(at->text, binding->arena, &rule->path, &err);
    if (status == STATUS_NOMEM) {
        (void)out_of_memory(binding);
        return;
    }
    if (status != STATUS_OK) {
        config_report_add(binding->report, CONFIG_ERROR, at->mark, "'at': %s",
                          error_text(&err, status));
        return;
    }
    for (const struct config_node *key = node->children; key; key = key->next) {
        if (key != at) {
            read_test(binding, key, rule);
        }
    }
    if (at->next == NULL && node->children == at) {
        config_report_add(binding->report, CONFIG_ERROR, node->mark,
                          "a condition needs a test: equals, not, in, prefix, "
                          "regex, exists, gt, gte, lt or lte");
    }
}

static struct where_rule *
read_list(struct config_binding *binding, const struct config_node *node,
          size_t *ret_count)
{
    const bool list = node->kind == CONFIG_SEQUENCE;
    const size_t count = list ? count_children(node) : 1;
    struct where_rule *rules =
        arena_array(binding->arena, count + 1, sizeof(*rules));
    *ret_count = 0;
    if (rules == NULL) {
        (void)out_of_memory(binding);
        return NULL;
    }
    *ret_count = count;
    return rules;
}

/* {any: [RULE, …]} or {none: [RULE, …]}, one level deep. */
static void
read_group(struct config_binding *binding, const struct config_node *group,
           struct where_rule *rule)
{
    rule->none = slice_equal_text(group->key, "none");
    rule->rules = read_list(binding, group, &rule->rule_count);
    const struct config_node *at =
        group->kind == CONFIG_SEQUENCE ? group->children : group;
    for (size_t i = 0; i < rule->rule_count; i++, at = at->next) {
        read_rule(binding, at, &rule->rules[i]);
    }
}

void
route_where_parse(struct config_binding *binding,
                  const struct config_node *node, struct where_rule **ret_rules,
                  size_t *ret_count)
{
    struct where_rule *rules = read_list(binding, node, ret_count);
    const struct config_node *at =
        node->kind == CONFIG_SEQUENCE ? node->children : node;
    for (size_t i = 0; i < *ret_count; i++, at = at->next) {
        const struct config_node *only = at->children;
        const bool group = at->kind == CONFIG_MAPPING && only != NULL &&
                           only->next == NULL &&
                           (slice_equal_text(only->key, "any") ||
                            slice_equal_text(only->key, "none"));
        if (group) {
            read_group(binding, only, &rules[i]);
        } else {
            read_rule(binding, at, &rules[i]);
        }
    }
    *ret_rules = rules;
}

static void
forget_tests(struct where_rule *rule)
{
    for (size_t i = 0; i < rule->test_count; i++) {
        pattern_free(rule->tests[i].regex);
        rule->tests[i].regex = NULL;
    }
}

void
route_where_fini(struct where_rule *rules, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        forget_tests(&rules[i]);
        for (size_t r = 0; r < rules[i].rule_count; r++) {
            forget_tests(&rules[i].rules[r]);
        }
    }
}

/* ---- judging ---- */

static bool
is_one_of(const struct where_test *test, struct slice text)
{
    for (size_t i = 0; i < test->count; i++) {
        int order;
        if (slice_equal(test->values[i], text) ||
            (compare_numbers(test->values[i], text, &order) && order == 0)) {
            return true;
        }
    }
    return false;
}

static bool
compares(const struct where_test *test, struct slice text)
{
    int order;
    if (!compare_numbers(text, test->values[0], &order)) {
        return false;
    }
    return test->kind == WHERE_GT    ? order > 0
           : test->kind == WHERE_GTE ? order >= 0
           : test->kind == WHERE_LT  ? order < 0
                                     : order <= 0;
}

static enum status
test_holds(const struct where_test *test, bool found, struct slice text,
           struct arena *arena, bool *ret_holds)
{
    switch (test->kind) {
    case WHERE_EXISTS: *ret_holds = found == test->exists; break;
    case WHERE_NOT: *ret_holds = !found || !is_one_of(test, text); break;
    case WHERE_EQUALS:
    case WHERE_IN: *ret_holds = found && is_one_of(test, text); break;
    case WHERE_PREFIX:
        *ret_holds = found && slice_starts(text, test->values[0]);
        break;
    case WHERE_REGEX:
        *ret_holds = false;
        return found ? pattern_find(test->regex, text, arena, ret_holds)
                     : STATUS_OK;
    case WHERE_GT:
    case WHERE_GTE:
    case WHERE_LT:
    case WHERE_LTE: *ret_holds = found && compares(test, text); break;
    }
    return STATUS_OK;
}

static enum status
rule_holds(const struct where_rule *rule, struct slice envelope,
           struct arena *arena, bool *ret_holds)
{
    struct slice value;
    struct slice text = { "", 0 };
    const bool found =
        rule->path != NULL && json_path_first(rule->path, envelope, &value);
    enum status status = found ? json_text(value, arena, &text) : STATUS_OK;
    *ret_holds = rule->path != NULL;
    for (size_t i = 0;
         status == STATUS_OK && *ret_holds && i < rule->test_count; i++) {
        status = test_holds(&rule->tests[i], found, text, arena, ret_holds);
    }
    return status;
}

static enum status
group_holds(const struct where_rule *group, struct slice envelope,
            struct arena *arena, bool *ret_holds)
{
    bool any = false;
    for (size_t i = 0; !any && i < group->rule_count; i++) {
        enum status status =
            rule_holds(&group->rules[i], envelope, arena, &any);
        if (status != STATUS_OK) {
            return status;
        }
    }
    *ret_holds = any != group->none;
    return STATUS_OK;
}

enum status
route_where_holds(const struct where_rule *rules, size_t count,
                  struct slice envelope, struct arena *arena, bool *ret_holds)
{
    *ret_holds = true;
    for (size_t i = 0; *ret_holds && i < count; i++) {
        enum status status =
            rules[i].rules != NULL
                ? group_holds(&rules[i], envelope, arena, ret_holds)
                : rule_holds(&rules[i], envelope, arena, ret_holds);
        if (status != STATUS_OK) {
            return status;
        }
    }
    return STATUS_OK;
}

static bool
path_below(const struct json_path *path, struct slice pointer)
{
    if (path == NULL) {
        return false;
    }
    const struct slice source = json_path_source(path);
    return slice_starts(source, pointer) &&
           (source.len == pointer.len || source.ptr[pointer.len] == '/');
}

bool
route_where_reads(const struct where_rule *rules, size_t count,
                  struct slice pointer)
{
    for (size_t i = 0; i < count; i++) {
        if (path_below(rules[i].path, pointer)) {
            return true;
        }
        for (size_t r = 0; r < rules[i].rule_count; r++) {
            if (path_below(rules[i].rules[r].path, pointer)) {
                return true;
            }
        }
    }
    return false;
}
