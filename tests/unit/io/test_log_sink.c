/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/log_sink.h"

/* Writes one warning while stderr is a pipe and returns what came out. */
static const char *
line_of(const char *format, bool as_journal, enum log_level most)
{
    static char text[512];
    int ends[2];
    struct stat info;
    char stream[64];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(fstat(ends[1], &info), 0);
    (void)snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)info.st_dev,
                   (uintmax_t)info.st_ino + (as_journal ? 0 : 1));
    assert_int_equal(setenv("JOURNAL_STREAM", stream, 1), 0);
    int real = dup(STDERR_FILENO);
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
    log_sink_open(format, most);
    LOG(LOG_WARN, "poll failed", log_text("why", "a\nb"));
    log_set_sink(NULL, NULL, LOG_ERROR);
    assert_true(dup2(real, STDERR_FILENO) >= 0);
    (void)close(real);
    (void)close(ends[1]);
    ssize_t got = read(ends[0], text, sizeof(text) - 1);
    assert_true(got >= 0);
    text[got] = '\0';
    (void)close(ends[0]);
    return text;
}

static void
the_journal_gets_a_priority_and_no_time(void **state)
{
    (void)state;
    assert_string_equal(line_of(NULL, true, LOG_INFO),
                        "<4>level=warn msg=\"poll failed\" why=\"a\\nb\"\n");
    assert_string_equal(line_of("text", true, LOG_INFO),
                        "<4>warn  poll failed why=\"a\\nb\"\n");
}

static void
elsewhere_a_line_has_its_time_and_no_priority(void **state)
{
    (void)state;
    const char *line = line_of(NULL, false, LOG_INFO);
    assert_int_equal(strncmp(line, "ts=20", 5), 0);
    assert_non_null(
        strstr(line, "Z level=warn msg=\"poll failed\" why=\"a\\nb\"\n"));
    line = line_of("json", false, LOG_INFO);
    assert_int_equal(strncmp(line, "{\"ts\":\"20", 9), 0);
    assert_non_null(
        strstr(line, "\"msg\":\"poll failed\",\"why\":\"a\\nb\"}\n"));
}

static void
a_line_below_the_level_goes_nowhere(void **state)
{
    (void)state;
    assert_string_equal(line_of(NULL, true, LOG_ERROR), "");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_journal_gets_a_priority_and_no_time),
        cmocka_unit_test(elsewhere_a_line_has_its_time_and_no_priority),
        cmocka_unit_test(a_line_below_the_level_goes_nowhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
