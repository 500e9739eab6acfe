/* SPDX-License-Identifier: MIT */
/*
 * status: status codes, what each means for trying again, and the error words
 * that travel upward.
 *
 * Every function that can fail returns an enum status. Retry code reads the
 * disposition, never the code, so a new status needs no new branch.
 */
#ifndef BASE_STATUS_H
#define BASE_STATUS_H

#include <stdbool.h>
#include <stddef.h>

#define NODISCARD         __attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))

/* What a failure asks of whoever has to decide what comes next. */
enum disposition {
    DISPOSITION_DONE,  /* nothing more to do */
    DISPOSITION_LATER, /* the same thing may work later */
    DISPOSITION_NEVER, /* it will not work however often it is tried */
    DISPOSITION_FATAL  /* the process cannot keep its promises any more */
};

/* name, disposition, words */
#define STATUS_TABLE(X)                                                        \
    X(OK, DONE, "ok")                                                          \
    X(NOMEM, LATER, "out of memory")                                           \
    X(INVALID, NEVER, "not valid")                                             \
    X(TOO_LARGE, NEVER, "too large")                                           \
    X(NOT_FOUND, NEVER, "not there")                                           \
    X(EXISTS, NEVER, "there already")                                          \
    X(DENIED, NEVER, "not allowed")                                            \
    X(BUSY, LATER, "busy")                                                     \
    X(TIMEOUT, LATER, "timed out")                                             \
    X(UNAVAILABLE, LATER, "not reachable")                                     \
    X(PROTOCOL, LATER, "the other side broke the protocol")                    \
    X(FULL, LATER, "no room left")                                             \
    X(UNKNOWN, LATER, "outcome unknown")                                       \
    X(STALE, NEVER, "overtaken by a later attempt")                            \
    X(FENCED, NEVER, "held by another")                                        \
    X(CANCELED, NEVER, "stopped")                                              \
    X(CONFIG, NEVER, "configuration refused")                                  \
    X(IO, FATAL, "input or output error")                                      \
    X(CORRUPT, FATAL, "damaged")

enum status {
#define X(name, disposition, words) STATUS_##name,
    STATUS_TABLE(X)
#undef X
};

/* Returns the words for `status`; never NULL. */
const char *status_text(enum status status);

/* Returns what `status` means for trying again. */
enum disposition status_disposition(enum status status);

/*
 * Words about a failure, without allocation. Each level may put its own in
 * front: "poll shop: page 3: connect: timed out". Wherever a pointer to one is
 * taken, NULL means that the caller does not care. Longer text is cut.
 */
struct error {
    char text[512];
};

/* Sets the text and returns `status`, so a failure is one return statement. */
enum status error_set(struct error *err, enum status status, const char *format,
                      ...) PRINTF_LIKE(3, 4);

/* Puts "words: " before the text there is and returns `status`. */
enum status error_wrap(struct error *err, enum status status,
                       const char *format, ...) PRINTF_LIKE(3, 4);

/* Returns the text, or the words of `status` where there is none. */
const char *error_text(const struct error *err, enum status status);

/*
 * Preconditions: for mistakes of the program only, on in every build. Nothing
 * that comes from outside the process may reach one.
 */
#define PRE(condition)                                                         \
    ((condition) ? (void)0 : status_pre_failed(#condition, __FILE__, __LINE__))

_Noreturn void status_pre_failed(const char *condition, const char *file,
                                 int line);

#endif
