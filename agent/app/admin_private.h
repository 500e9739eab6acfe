/* SPDX-License-Identifier: MIT */
/*
 * admin_private: what the files of the admin listener share: the request in
 * hand, ways to answer it, and answers that come later.
 *
 * admin          listening, who may ask, the way to the route
 * admin_health   whether it lives, whether it is ready, metrics
 * admin_poll     asking for a walk
 */
#ifndef APP_ADMIN_PRIVATE_H
#define APP_ADMIN_PRIVATE_H

#include "app/admin.h"
#include "app/admin_router.h"
#include "base/list.h"
#include "base/mem.h"
#include "io/http_server.h"

struct admin {
    struct loop *loop;
    struct admin_settings_of_agent settings;
    struct http_server *server;
    struct list waits;   /* all answers that come later */
    struct list walkers; /* those among them that wait for a walk */
    bool is_unix;
};

/* A request in the hands of its route. The answer may come at once, or later
 * through an admin_wait; what lies in the arena lives until the route's
 * function returns. */
struct admin_ask {
    struct admin *admin;
    struct http_exchange *exchange;
    const struct http_request *request;
    struct slice segment; /* what {} of the pattern stood for, decoded */
    struct arena *arena;
};

/* Each file's routes; a new one is listed in admin.c. */
extern const struct admin_table admin_health_table;
extern const struct admin_table admin_poll_table;

void admin_answer_text(struct http_exchange *exchange, unsigned status,
                       const char *text);

/* RFC 9457; `title` is ours and says what to do where that is not plain. */
void admin_answer_problem(struct http_exchange *exchange, unsigned status,
                          const char *title);

/* Answers 200 with what was built, 503 when memory ran out on the way; frees
 * the body. */
void admin_answer_json(struct http_exchange *exchange, struct buf *body);

/* The problem that an internal status is for whoever asks. */
void admin_answer_status(struct http_exchange *exchange, enum status status,
                         const struct error *err);

/* Returns a query parameter, decoded; false when it is not there. */
bool admin_query(const struct admin_ask *ask, const char *name,
                 struct slice *ret_value);

/* Whether a query parameter is there and says yes: "1" or "true". */
bool admin_query_flag(const struct admin_ask *ask, const char *name);

/* Returns a configured connector by name, or NULL. */
const struct connector *admin_connector(const struct admin *admin,
                                        struct slice name);

/* An exchange that is answered later; embed it in what waits. */
struct admin_wait {
    struct list link;
    struct admin *admin; /* NULL: the admin is gone, 503 was answered */
    struct http_exchange *exchange;
    /* Told when the admin goes first. NULL: whoever has the wait looks at
     * `admin` when its own call comes back. */
    void (*dropped)(struct admin_wait *wait);
};

void admin_wait_begin(struct admin_wait *wait, const struct admin_ask *ask);

/* Before the exchange is answered. Nothing when the admin is gone. */
void admin_wait_end(struct admin_wait *wait);

#endif
