/* SPDX-License-Identifier: MIT */
/*
 * admin_answer: ways to answer an exchange, what answers are made of, and what
 * is read of a question.
 */
#include "app/admin_private.h"

#include <inttypes.h>
#include <stdio.h>

#include "wire/timefmt.h"
#include "wire/url.h"

void
admin_answer_text(struct http_exchange *exchange, unsigned status,
                  const char *text)
{
    struct http_answer answer = { .status = status,
                                  .content_type =
                                      slice_of("text/plain; charset=utf-8"),
                                  .body = slice_of(text) };
    http_exchange_answer(exchange, &answer);
}

void
admin_answer_fields(struct http_exchange *exchange, unsigned status,
                    const char *title, struct http_fields fields)
{
    struct buf body = { 0 };
    buf_format(&body, "{\"status\":%u,\"title\":", status);
    buf_json(&body, slice_of(title));
    buf_text(&body, "}\n");
    struct http_answer answer = { .status = status,
                                  .content_type =
                                      slice_of("application/problem+json"),
                                  .body = buf_slice(&body),
                                  .fields = fields };
    http_exchange_answer(exchange, &answer);
    buf_fini(&body);
}

void
admin_answer_problem(struct http_exchange *exchange, unsigned status,
                     const char *title)
{
    admin_answer_fields(exchange, status, title,
                        (struct http_fields){ NULL, 0 });
}

void
admin_answer_json(struct http_exchange *exchange, struct buf *body)
{
    if (buf_status(body) != STATUS_OK) {
        admin_answer_status(exchange, buf_status(body), NULL);
    } else {
        struct http_answer answer = { .status = 200,
                                      .content_type =
                                          slice_of("application/json"),
                                      .body = buf_slice(body) };
        http_exchange_answer(exchange, &answer);
    }
    buf_fini(body);
}

void
admin_answer_status(struct http_exchange *exchange, enum status status,
                    const struct error *err)
{
    static const struct {
        enum status status;
        unsigned http;
    } rows[] = {
        { STATUS_INVALID, 400 }, { STATUS_NOT_FOUND, 404 },
        { STATUS_EXISTS, 409 },  { STATUS_IO, 500 },
        { STATUS_CORRUPT, 500 },
    };
    unsigned http = 503;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        http = rows[i].status == status ? rows[i].http : http;
    }
    admin_answer_problem(exchange, http, error_text(err, status));
}

/* ---- what routes ask ---- */

bool
admin_query(const struct admin_ask *ask, const char *name,
            struct slice *ret_value)
{
    return url_query_value(ask->request->query, slice_of(name), ask->arena,
                           ret_value) == STATUS_OK;
}

bool
admin_query_flag(const struct admin_ask *ask, const char *name)
{
    struct slice value;
    return admin_query(ask, name, &value) &&
           (slice_equal_text(value, "1") || slice_equal_text(value, "true"));
}

static bool
refuse(const struct admin_ask *ask, const char *name, const char *wanted)
{
    struct error words;
    (void)error_set(&words, STATUS_INVALID, "%s: %s is wanted here", name,
                    wanted);
    admin_answer_problem(ask->exchange, 400, words.text);
    return false;
}

bool
admin_query_time(const struct admin_ask *ask, const char *name, int64_t *ret_ms)
{
    struct slice text;
    return !admin_query(ask, name, &text) ||
           timefmt_read(TIMEFMT_AUTO, text, ret_ms) == STATUS_OK ||
           refuse(ask, name, "a time as 2026-11-21T23:22:01Z");
}

bool
admin_query_id(const struct admin_ask *ask, const char *name, uint64_t *ret_id)
{
    struct slice text;
    uint64_t id;
    if (!admin_query(ask, name, &text)) {
        return true;
    }
    if (slice_to_u64(text, &id) != STATUS_OK || id == 0 || id > INT64_MAX) {
        return refuse(ask, name, "a number from another answer");
    }
    *ret_id = id;
    return true;
}

bool
admin_query_limit(const struct admin_ask *ask, size_t *ret_limit)
{
    struct slice text;
    uint64_t limit = ADMIN_PAGE;
    if (admin_query(ask, "limit", &text) &&
        (slice_to_u64(text, &limit) != STATUS_OK || limit == 0 ||
         limit > VIEW_ROWS_MOST)) {
        return refuse(ask, "limit", "a number from 1 to 1000");
    }
    *ret_limit = (size_t)limit;
    return true;
}

bool
admin_query_connector(const struct admin_ask *ask, uint32_t *ret_number)
{
    struct slice name;
    if (!admin_query(ask, "connector", &name)) {
        return true;
    }
    const struct connector *connector = admin_connector(ask->admin, name);
    if (connector == NULL) {
        return refuse(ask, "connector", "the name of a configured connector");
    }
    *ret_number = connector->id;
    return true;
}

/* ---- trees ---- */

void
admin_answer_tree(struct http_exchange *exchange, struct json_tree *tree)
{
    struct buf body = { .failure = tree == NULL ? STATUS_NOMEM : STATUS_OK };
    if (tree != NULL && json_tree_print(tree, false, &body) != STATUS_OK) {
        body.failure = STATUS_NOMEM;
    }
    buf_byte(&body, '\n');
    json_tree_destroy(tree);
    admin_answer_json(exchange, &body);
}

void
admin_add_id(struct json_tree *tree, struct json_node *into, const char *name,
             uint64_t id)
{
    char text[24];
    (void)snprintf(text, sizeof(text), "%" PRIu64, id);
    json_add_text(tree, into, name, slice_of(text));
}

void
admin_add_words(struct json_tree *tree, struct json_node *into,
                const char *name, struct slice words)
{
    if (words.len == 0) {
        json_add_null(tree, into, name);
    } else {
        json_add_text(tree, into, name, words);
    }
}
