/* SPDX-License-Identifier: MIT */
/*
 * admin_private: what the files of the admin listener share: the request in
 * hand, ways to answer it, and answers that come later.
 *
 * admin          listening, who may ask, the way to the route
 * admin_health   whether it lives, whether it is ready, metrics
 * admin_poll     asking for a walk
 * admin_reload   reading the configuration again
 * admin_pause    pausing handlers and connectors
 * admin_backfill asking for a past span of a list
 * admin_answer   ways to answer, and what answers are made of
 * admin_look     questions to the store's reader
 * admin_status   how it all stands, and each connector
 * admin_keys     whether ids of the two channels meet
 * admin_gaps     what could not be read, and that it was looked at
 * admin_dead     dead letters, and why they are
 * admin_errands  what is to be done with many deliveries
 * admin_moving   events for another store, and out of one
 * admin_events   events, and one with all that is known of it
 * admin_refusals requests that were not accepted
 * admin_receivers receivers that register to be sent events as webhooks
 * admin_stream   what happens, as it happens
 * admin_walks    the last walks of a connector
 * admin_dashboard the page and its parts
 */
#ifndef APP_ADMIN_PRIVATE_H
#define APP_ADMIN_PRIVATE_H

#include "app/admin.h"
#include "app/admin_router.h"
#include "base/list.h"
#include "base/mem.h"
#include "io/http_server.h"
#include "wire/json_tree.h"

struct admin {
    struct loop *loop;
    struct admin_settings_of_agent settings;
    struct http_server *server;
    struct list waits;   /* all answers that come later */
    struct list walkers; /* those among them that wait for a walk */
    struct admin_streams {
        struct list open;
        size_t count;
        struct loop_timer *stats; /* armed while somebody reads those */
    } streams;
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
extern const struct admin_table admin_reload_table;
extern const struct admin_table admin_status_table;
extern const struct admin_table admin_keys_table;
extern const struct admin_table admin_gaps_table;
extern const struct admin_table admin_events_table;
extern const struct admin_table admin_backfill_table;
extern const struct admin_table admin_dead_table;
extern const struct admin_table admin_errands_table;
extern const struct admin_table admin_moving_table;

/* The longest body of what is imported at once. */
#define ADMIN_IMPORT_BYTES ((size_t)16 << 20)
extern const struct admin_table admin_refusals_table;
extern const struct admin_table admin_stream_table;
extern const struct admin_table admin_pause_table;
extern const struct admin_table admin_receivers_table;
extern const struct admin_table admin_walks_table;
extern const struct admin_table admin_dashboard_table;

/* ---- admin_poll ---- */

/* Has all that wait for a walk wait for one of the walks there are now. */
void admin_poll_change(struct admin *admin);

/* ---- admin_stream ---- */

NODISCARD
enum status admin_stream_init(struct admin *admin);

/* The server is gone, and all streams with it. */
void admin_stream_fini(struct admin *admin);

/* ---- admin_answer ---- */

void admin_answer_text(struct http_exchange *exchange, unsigned status,
                       const char *text);

/* RFC 9457; `title` is ours and says what to do where that is not plain. */
void admin_answer_problem(struct http_exchange *exchange, unsigned status,
                          const char *title);

/* Answers 200 with what was built, 503 when memory ran out on the way; frees
 * the body. */
void admin_answer_json(struct http_exchange *exchange, struct buf *body);

/* Answers 200 with a tree and destroys it; a NULL tree is one that there was no
 * memory for. */
void admin_answer_tree(struct http_exchange *exchange, struct json_tree *tree);

/* Add a number of the store: as text, since JSON readers take 64 bits for a
 * double. */
void admin_add_id(struct json_tree *tree, struct json_node *into,
                  const char *name, uint64_t id);

/* Add text, or null where it is empty. */
void admin_add_words(struct json_tree *tree, struct json_node *into,
                     const char *name, struct slice words);

/* The problem that an internal status is for whoever asks. */
void admin_answer_status(struct http_exchange *exchange, enum status status,
                         const struct error *err);

void admin_answer_fields(struct http_exchange *exchange, unsigned status,
                         const char *title, struct http_fields fields);

struct pause;

/* Add whether it is paused, since when and why. NULL: it is not. */
void admin_add_pause(struct json_tree *tree, struct json_node *into,
                     const struct pause *pause);

/* ---- what routes ask ---- */

/* Returns a query parameter, decoded; false when it is not there. */
bool admin_query(const struct admin_ask *ask, const char *name,
                 struct slice *ret_value);

/* Whether a query parameter is there and says yes: "1" or "true". */
bool admin_query_flag(const struct admin_ask *ask, const char *name);

/* Read a parameter where it is there, else leave `*ret` alone. False when it is
 * there and is none, which has been answered. */
bool admin_query_time(const struct admin_ask *ask, const char *name,
                      int64_t *ret_ms);
bool admin_query_id(const struct admin_ask *ask, const char *name,
                    uint64_t *ret_id);
bool admin_query_limit(const struct admin_ask *ask, size_t *ret_limit);
bool admin_query_connector(const struct admin_ask *ask, uint32_t *ret_number);

/* Returns a configured connector by name, or NULL. */
const struct connector *admin_connector(const struct admin *admin,
                                        struct slice name);

/* Whether there is a handler, or a receiver, of this name. */
bool admin_has_handler(const struct admin *admin, struct slice name);

/* An exchange that is answered later; embed it in what waits. */
struct admin_wait {
    struct list link;
    struct admin *admin; /* NULL: the admin is gone, 503 was answered */
    struct http_exchange *exchange;
    struct generation *generation; /* that may be pointed into */
    /* Told when the admin goes first. NULL: whoever has the wait looks at
     * `admin` when its own call comes back. */
    void (*dropped)(struct admin_wait *wait);
};

void admin_wait_begin(struct admin_wait *wait, const struct admin_ask *ask);

/* Before the exchange is answered. Nothing when the admin is gone. */
void admin_wait_end(struct admin_wait *wait);

/* ---- admin_look: a question to the reader that an exchange waits for ---- */

#define ADMIN_PAGE   50   /* items in an answer where no limit is asked for */
#define ADMIN_SLICE  2000 /* rows looked at in one slice */
#define ADMIN_SLICES 50   /* for one page: then it ends early */

struct admin_look {
    struct admin_wait wait;
    struct view_call call;
    struct json_tree *tree; /* the answer so far */
    struct json_node *items;
    size_t count;                      /* of items */
    size_t limit;                      /* of items */
    size_t slices;                     /* looked at */
    const struct connector *connector; /* where the question is about one */
    bool with_body;
    /* An answer came; false: it asked again. */
    bool (*came)(struct admin_look *look);
};

/* Returns a look whose tree has an object for its root; NULL without memory,
 * which has been answered. */
struct admin_look *admin_look_create(struct admin_ask *ask, enum view_kind kind,
                                     bool (*came)(struct admin_look *look));

/* Makes the exchange wait; the question is put later, with admin_look_again. */
void admin_look_prepare(struct admin_look *look, const struct admin_ask *ask);

/* Puts the question; at its end the tree is the answer. */
void admin_look_begin(struct admin_look *look, const struct admin_ask *ask);

/* Puts it again, changed, from `came`, which then returns false. */
void admin_look_again(struct admin_look *look);

/* Frees a look that was not begun, and what it holds. */
void admin_look_destroy(struct admin_look *look);

/* Copies a text into what lives as long as the question. */
NODISCARD
enum status admin_look_keep(struct admin_look *look, struct slice text,
                            struct slice *ret_copy);

/* Adds next_cursor: a number to go on behind, or null. */
void admin_look_cursor(struct admin_look *look, bool more, uint64_t next);

#endif
