/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/status.h"

static void
every_status_has_words_and_a_disposition(void **state)
{
    static const struct {
        enum status status;
        const char *words;
        enum disposition disposition;
    } rows[] = {
        { STATUS_OK, "ok", DISPOSITION_DONE },
        { STATUS_NOMEM, "out of memory", DISPOSITION_LATER },
        { STATUS_INVALID, "not valid", DISPOSITION_NEVER },
        { STATUS_FULL, "no room left", DISPOSITION_LATER },
        { STATUS_UNKNOWN, "outcome unknown", DISPOSITION_LATER },
        { STATUS_STALE, "overtaken by a later attempt", DISPOSITION_NEVER },
        { STATUS_IO, "input or output error", DISPOSITION_FATAL },
        { STATUS_CORRUPT, "damaged", DISPOSITION_FATAL },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_string_equal(status_text(rows[i].status), rows[i].words);
        assert_int_equal(status_disposition(rows[i].status),
                         rows[i].disposition);
    }
    for (int i = STATUS_OK; i <= STATUS_CORRUPT; i++) {
        assert_true(status_text((enum status)i)[0] != '\0');
    }
}

static void
only_ok_is_done(void **state)
{
    (void)state;
    for (int i = STATUS_OK; i <= STATUS_CORRUPT; i++) {
        assert_int_equal(status_disposition((enum status)i) == DISPOSITION_DONE,
                         i == STATUS_OK);
    }
}

static void
words_are_put_in_front_at_each_level(void **state)
{
    struct error err = { "" };
    (void)state;
    assert_int_equal(error_set(&err, STATUS_TIMEOUT, "connect to %s", "shop"),
                     STATUS_TIMEOUT);
    assert_int_equal(error_wrap(&err, STATUS_BUSY, "page %d", 3), STATUS_BUSY);
    (void)error_wrap(&err, STATUS_BUSY, "poll");
    assert_string_equal(err.text, "poll: page 3: connect to shop");
}

static void
an_error_without_words_has_those_of_its_status(void **state)
{
    struct error err = { "" };
    (void)state;
    assert_string_equal(error_text(&err, STATUS_FULL), "no room left");
    assert_string_equal(error_text(NULL, STATUS_FULL), "no room left");
    (void)error_wrap(&err, STATUS_FULL, "store");
    assert_string_equal(error_text(&err, STATUS_FULL), "store: no room left");
}

static void
nobody_has_to_ask_for_the_words(void **state)
{
    (void)state;
    assert_int_equal(error_set(NULL, STATUS_IO, "disk"), STATUS_IO);
    assert_int_equal(error_wrap(NULL, STATUS_IO, "disk"), STATUS_IO);
}

static void
words_that_are_too_long_are_cut(void **state)
{
    struct error err = { "" };
    char words[sizeof(err.text) * 2];
    (void)state;
    memset(words, 'x', sizeof(words) - 1);
    words[sizeof(words) - 1] = '\0';
    (void)error_set(&err, STATUS_INVALID, "%s", words);
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
    (void)error_wrap(&err, STATUS_INVALID, "front");
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
    assert_memory_equal(err.text, "front: xxx", 10);
    (void)error_wrap(&err, STATUS_INVALID, "%s", words);
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
}

/* What a broken precondition says, and how its process ends. */
static int
break_precondition(char *said, size_t size)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const struct rlimit none = { 0, 0 };
        (void)setrlimit(RLIMIT_CORE, &none);
        (void)signal(SIGABRT, SIG_DFL);
        (void)dup2(ends[1], STDERR_FILENO);
        (void)status_text((enum status)(STATUS_CORRUPT + 1));
        _exit(0);
    }
    (void)close(ends[1]);
    ssize_t got = read(ends[0], said, size - 1);
    said[got < 0 ? 0 : got] = '\0';
    (void)close(ends[0]);
    int ended = 0;
    assert_int_equal(waitpid(child, &ended, 0), child);
    return ended;
}

static void
a_broken_precondition_ends_the_process_with_its_place(void **state)
{
    char said[512];
    (void)state;
    int ended = break_precondition(said, sizeof(said));
    assert_true(WIFSIGNALED(ended));
    assert_int_equal(WTERMSIG(ended), SIGABRT);
    assert_non_null(strstr(said, "longstop: internal error: "));
    assert_non_null(strstr(said, "base/status.c:"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_status_has_words_and_a_disposition),
        cmocka_unit_test(only_ok_is_done),
        cmocka_unit_test(words_are_put_in_front_at_each_level),
        cmocka_unit_test(an_error_without_words_has_those_of_its_status),
        cmocka_unit_test(nobody_has_to_ask_for_the_words),
        cmocka_unit_test(words_that_are_too_long_are_cut),
        cmocka_unit_test(a_broken_precondition_ends_the_process_with_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
