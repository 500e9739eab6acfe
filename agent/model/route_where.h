/* SPDX-License-Identifier: MIT */
/*
 * route_where: one condition on the envelope of an event.
 */
#ifndef MODEL_ROUTE_WHERE_H
#define MODEL_ROUTE_WHERE_H

#include "base/mem.h"
#include "config/config_bind.h"
#include "model/route.h"

struct where_test;

/* `at` and its tests, or a group of rules of which any or none must hold. */
struct where_rule {
    const struct json_path *path; /* NULL: a group */
    struct where_test *tests;     /* all must hold */
    size_t test_count;
    bool none; /* a group: none of them; else any */
    struct where_rule *rules;
    size_t rule_count;
};

/* Reads a list of rules; mistakes are reported. */
void route_where_parse(struct config_binding *binding,
                       const struct config_node *node,
                       struct where_rule **ret_rules, size_t *ret_count);

/* Frees the compiled patterns. */
void route_where_fini(struct where_rule *rules, size_t count);

/* Whether all rules hold for the envelope. */
NODISCARD
enum status route_where_holds(const struct where_rule *rules, size_t count,
                              struct slice envelope, struct arena *arena,
                              bool *ret_holds);

/* Whether any rule looks below `pointer`'s member. */
bool route_where_reads(const struct where_rule *rules, size_t count,
                       struct slice pointer);

#endif
