/* SPDX-License-Identifier: MIT */
/*
 * ask: what commands do that talk to the running agent: the question, its
 * answer as checked JSON, and otherwise words on stderr and an exit code.
 */
#ifndef APP_ASK_H
#define APP_ASK_H

#include "app/configuration.h"
#include "app/exit_code.h"
#include "app/filters.h"

/* Whom to ask, for whom. */
struct ask {
    const struct configuration *configuration;
    const char *command; /* its name, for words */
    int64_t timeout_ms;  /* 0: five minutes */
    bool does_alone;     /* no words where no agent runs: it needs none */
    bool reloads;        /* 422 is a mistake in the configuration */
};

/* Says on stderr that no agent runs, or what an answer other than 2xx means,
 * and returns how the process ends. */
enum exit_code ask_no_agent(const struct ask *ask);
enum exit_code ask_refused(const struct ask *ask, unsigned http_status,
                           struct slice body);

/*
 * Asks `method path` of the agent, with `body`, JSON or empty, where the method
 * has one. EXIT_OK: its answer, checked JSON, is in `into`. Otherwise what was
 * wrong is on stderr: EXIT_UNAVAILABLE when no agent runs, EXIT_USAGE for a
 * question that it calls wrong, EXIT_FAILED for what is not there, EXIT_DENIED,
 * EXIT_STORE or EXIT_LATER for what they say.
 */
enum exit_code ask_agent(const struct ask *ask, const char *method,
                         const char *path, struct slice body, struct buf *into);

/*
 * Asks for at most `limit` items of a paged `path`, page after page, and makes
 * one page of them all: {"items":[…],"next_cursor":…}.
 */
enum exit_code ask_pages(const struct ask *ask, const char *path, size_t limit,
                         struct buf *into);

/* Says an answer for people. */
typedef void ask_text_fn(struct slice body, const void *arg, struct buf *into);

/* How an answer is printed. */
struct ask_form {
    bool json; /* as it came; else: */
    ask_text_fn *text;
    const void *arg;
};

/* Prints what came, unless `code` says that nothing did; returns how the
 * process ends. Frees `body`. */
enum exit_code ask_print(const struct ask *ask, enum exit_code code,
                         struct buf *body, const struct ask_form *form);

/* How many of a list are asked for: as on the command line, NULL for so many as
 * there are by default. */
struct ask_most {
    const char *given;
    size_t otherwise;
};

/* The most that can be asked for. */
#define ASK_LIST_MOST 1000000

/* Asks for a paged list, page after page, and prints it. EXIT_USAGE where
 * `most` is no number. */
enum exit_code ask_list(const struct ask *ask, const char *path,
                        const struct filters *filters,
                        const struct ask_most *most,
                        const struct ask_form *form);

/* GETs `path`, which it frees, and prints the answer. */
enum exit_code ask_show(const struct ask *ask, struct buf *path,
                        const struct ask_form *form);

#endif
