/* SPDX-License-Identifier: MIT */
/*
 * list_fixture: connectors built by hand, for the tests of what reads lists.
 */
#ifndef TESTS_UNIT_MODEL_LIST_FIXTURE_H
#define TESTS_UNIT_MODEL_LIST_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/connector.h"
#include "wire/json.h"
#include "wire/template.h"

static inline const struct template *
list_template(const char *text, struct arena *arena)
{
    static const char *const kinds[] = { "var",   "secret",      "cursor",
                                         "page",  "now",         "until",
                                         "start", "json",        "header",
                                         "item",  "request.url", NULL };
    const struct template *t = NULL;
    struct error err = { { 0 } };
    if (template_compile(slice_of(text), TEMPLATE_BARE_LITERAL, kinds, arena,
                         &t, &err) != STATUS_OK) {
        fail_msg("%s: %s", text, err.text);
    }
    return t;
}

static inline const struct json_path *
list_path(const char *text, struct arena *arena)
{
    const struct json_path *path = NULL;
    struct error err = { { 0 } };
    if (json_path_compile(slice_of(text), arena, &path, &err) != STATUS_OK) {
        fail_msg("%s: %s", text, err.text);
    }
    return path;
}

/* `pairs` is name, template, name, template …, NULL. */
static inline struct pair_spec *
list_pairs(const char *const *pairs, struct arena *arena, size_t *ret_count)
{
    size_t count = 0;
    while (pairs[2 * count] != NULL) {
        count++;
    }
    struct pair_spec *all = arena_array(arena, count, sizeof *all);
    assert_non_null(all);
    for (size_t i = 0; i < count; i++) {
        all[i].name = slice_of(pairs[2 * i]);
        all[i].value = list_template(pairs[2 * i + 1], arena);
    }
    *ret_count = count;
    return all;
}

/* A list of events ascending by `at`, asked with an inclusive time. */
static inline void
list_connector(struct connector *connector, struct arena *arena)
{
    *connector = (struct connector){ .name = SLICE("shop"), .has_poll = true };
    struct poll_spec *poll = &connector->poll;
    poll->declared = true;
    poll->request.method = slice_of("GET");
    poll->request.url = list_template("https://api.test/v1/events", arena);
    poll->order = ORDER_ASC;
    poll->cursor.kind = CURSOR_TIME;
    poll->cursor.from = list_path("at", arena);
    poll->cursor.parse = TIMEFMT_AUTO;
    poll->cursor.format = TIMEFMT_UNIX_S;
    poll->cursor.inclusive = true;
    poll->cursor.send = true;
    poll->items = list_path("rows", arena);
}

#endif
