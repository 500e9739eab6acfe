/* SPDX-License-Identifier: MIT */
#include "app/demo_report.h"

#include <stdio.h>

#include "wire/json_tree.h"

struct pair {
    const char *name;
    int64_t value;
};

static void
add_pairs(struct json_tree *tree, struct json_node *into,
          const struct pair *pairs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        json_add_i64(tree, into, pairs[i].name, pairs[i].value);
    }
}

/* To the tenth of a second. */
static double
seconds(int64_t ms)
{
    int64_t tenths = (ms + 50) / 100;
    return (double)tenths / 10;
}

static void
add_verdict(struct json_tree *tree, struct json_node *root,
            const struct demo_outcome *outcome)
{
    const struct demo_verdict *v = &outcome->verdict;
    const struct pair pairs[] = {
        { "produced", v->produced },   { "hooked", v->hooked },
        { "recovered", v->recovered }, { "duplicates", v->duplicates },
        { "delivered", v->delivered }, { "lost", v->lost },
        { "twice", v->twice },
    };
    add_pairs(tree, root, pairs, sizeof(pairs) / sizeof(pairs[0]));
    json_add_double(tree, root, "seconds", seconds(outcome->took_ms));
    const struct pair more[] = {
        { "late", v->expected.late.least },
        { "confirmed", v->expected.confirmed.least },
        { "undecided", v->expected.undecided },
    };
    add_pairs(tree, root, more, sizeof(more) / sizeof(more[0]));
    struct json_node *lag = json_add_object(tree, root, "lag_seconds");
    int64_t mean_ms = v->produced == 0 ? 0 : v->lag_ms / v->produced;
    json_add_double(tree, lag, "mean", seconds(mean_ms));
    json_add_double(tree, lag, "longest", seconds(v->longest_ms));
}

static void
add_agent(struct json_tree *tree, struct json_node *root,
          const struct demo_figures *f)
{
    const struct pair pairs[] = {
        { "recovered", f->recovered },   { "late", f->late },
        { "confirmed", f->confirmed },   { "webhook", f->by_webhook },
        { "poll", f->by_walk },          { "duplicates", f->duplicates },
        { "lag_measured", f->measured }, { "lag_above_zero", f->delayed },
        { "bound_broken", f->broken },
    };
    struct json_node *agent = json_add_object(tree, root, "agent");
    add_pairs(tree, agent, pairs, sizeof(pairs) / sizeof(pairs[0]));
}

enum status
demo_report_json(const struct demo_outcome *outcome)
{
    struct json_tree *tree;
    struct buf text = { 0 };
    enum status status = json_tree_create(&tree);
    if (status != STATUS_OK) {
        return status;
    }
    struct json_node *root = json_tree_root(tree);
    add_verdict(tree, root, outcome);
    add_agent(tree, root, &outcome->figures);
    status = json_tree_print(tree, false, &text);
    if (status == STATUS_OK) {
        (void)printf("%s\n", text.ptr);
    }
    buf_fini(&text);
    json_tree_destroy(tree);
    return status;
}

void
demo_report_sentence(const struct demo_outcome *outcome)
{
    const struct demo_verdict *v = &outcome->verdict;
    const struct demo_expected *expected = &v->expected;
    bool agree = demo_figures_agree(&outcome->figures, expected, NULL);
    (void)printf(
        "%lld events produced, %lld arrived by webhook, %lld recovered by "
        "polling, %lld late, %lld confirmed, %lld duplicates suppressed, "
        "%lld delivered, %lld lost, %lld twice, the list showed them within "
        "%.1f s, and the agent counted %s, in %.1f s.\n",
        (long long)v->produced, (long long)v->hooked, (long long)v->recovered,
        (long long)expected->late.least, (long long)expected->confirmed.least,
        (long long)v->duplicates, (long long)v->delivered, (long long)v->lost,
        (long long)v->twice, (double)v->longest_ms / 1000,
        agree ? "the same" : "otherwise", (double)outcome->took_ms / 1000);
}

static void
complain(const char *words, size_t len)
{
    (void)fprintf(stderr, "longstop demo: %.*s\n", (int)len, words);
}

/* Says where the agent's own figures are wrong; returns whether none is. */
static bool
figures_are_good(const struct demo_outcome *outcome)
{
    struct buf words = { 0 };
    bool good = demo_figures_agree(&outcome->figures,
                                   &outcome->verdict.expected, &words);
    struct slice rest = buf_slice(&words);
    struct slice line;
    while (rest.len > 0 && slice_split(&rest, '\n', &line)) {
        complain(line.ptr, line.len);
    }
    buf_fini(&words);
    return good;
}

bool
demo_report_is_good(const struct demo_outcome *outcome)
{
    const struct demo_verdict *v = &outcome->verdict;
    const struct {
        bool wrong;
        struct slice words;
    } rules[] = {
        { v->produced < outcome->events,
          SLICE("not every event was produced") },
        { v->lost > 0, SLICE("events were lost") },
        { v->twice > 0, SLICE("events were handed over twice") },
        { v->unknown > 0, SLICE("events were handed over that never were") },
        { v->misplaced > 0,
          SLICE("events were accepted when their channel had not shown them") },
        { outcome->loss_percent > 0 && v->recovered == 0,
          SLICE("nothing was recovered") },
        { !outcome->orderly, SLICE("the agent did not end in order") },
    };
    bool good = figures_are_good(outcome);
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        if (rules[i].wrong) {
            complain(rules[i].words.ptr, rules[i].words.len);
            good = false;
        }
    }
    return good;
}
