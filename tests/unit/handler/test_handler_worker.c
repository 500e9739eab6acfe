/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>

#include "handler/handler_worker.h"
#include "io/process.h"
#include "unit/handler/handling.h"

#define LOOP_BEGIN "while read -r line; do "
#define LOOP_END   "; done"
#define OK         "echo '{\"id\":\"evt_1\",\"ok\":true}'"

static struct process_spawner *spawner;
static struct handler_exec_settings settings;
static struct slice argv[3];
static struct slice env[1];

static void
open_spawner(const char *script)
{
    (void)signal(SIGPIPE, SIG_IGN);
    handling_open();
    assert_int_equal(process_spawner_create(handling.loop, &spawner, NULL),
                     STATUS_OK);
    argv[0] = slice_of("sh");
    argv[1] = slice_of("-c");
    argv[2] = slice_of(script);
    env[0] = slice_of("A=b");
    settings = (struct handler_exec_settings){
        .name = SLICE("fulfil"),
        .argv = argv,
        .argc = 3,
        .env = env,
        .env_count = 1,
        .timeout_ms = 15000,
        .kill_after_ms = 100,
        .output_limit = 4096,
    };
}

static struct handler *
create(size_t children, size_t ahead)
{
    struct handler *handler = NULL;
    assert_int_equal(handler_worker_create(handling.loop, spawner, &settings,
                                           children, ahead, &handler, NULL),
                     STATUS_OK);
    return handler;
}

static void
closed(void *arg)
{
    bool *is_closed = arg;
    *is_closed = true;
    loop_stop(handling.loop);
}

static void
close_all(struct handler *handler)
{
    bool is_closed = false;
    if (handler->ops->close(handler, closed, &is_closed)) {
        assert_false(is_closed);
        loop_run(handling.loop);
        assert_true(is_closed);
    }
    handler->ops->destroy(handler);
    process_spawner_destroy(spawner); /* no child is left */
    handling_close();
}

static void
run_once(const char *script)
{
    open_spawner(script);
    struct handler *handler = create(1, 1);
    handling_run(handler);
    close_all(handler);
}

static void
answers_become_outcomes(void **state)
{
    (void)state;
    static const struct {
        const char *rest;
        enum disposition disposition;
        const char *detail;
    } rows[] = {
        { "true", DISPOSITION_DONE, "ok" },
        { "false", DISPOSITION_LATER, "answered that it failed" },
        { "false,\"error\":\"no stock\"", DISPOSITION_LATER, "no stock" },
        { "false,\"retry\":false,\"error\":\"bad\"", DISPOSITION_NEVER, "bad" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char script[256];
        (void)snprintf(script, sizeof(script),
                       LOOP_BEGIN
                       "echo '{\"id\":\"evt_1\",\"ok\":%s}'" LOOP_END,
                       rows[i].rest);
        run_once(script);
        assert_int_equal(handling.disposition, rows[i].disposition);
        assert_string_equal(handling.detail, rows[i].detail);
    }
}

static void
one_child_answers_delivery_after_delivery(void **state)
{
    (void)state;
    char before[1024];
    open_spawner("n=0; " LOOP_BEGIN "n=$((n + 1)); echo \"{\\\"id\\\":"
                 "\\\"evt_1\\\",\\\"ok\\\":false,\\\"error\\\":\\\"$$ "
                 "$n\\\"}\"" LOOP_END);
    struct handler *handler = create(1, 1);
    handling_run(handler);
    long child = strtol(handling.detail, NULL, 10);
    for (int i = 2; i < 6; i++) {
        handling_run(handler);
        (void)snprintf(before, sizeof(before), "%ld %d", child, i);
        assert_string_equal(handling.detail, before);
    }
    close_all(handler);
}

static void
a_worker_sees_attempt_key_and_its_environment(void **state)
{
    (void)state;
    run_once(LOOP_BEGIN "echo \"$line\" >&2; env | sort >&2; "
                        "echo '{\"id\":\"evt_1\",\"ok\":false}'" LOOP_END);
    assert_non_null(strstr(handling.output,
                           "{\"id\":\"evt_1\",\"attempt\":3,"
                           "\"idempotencykey\":\"shop/evt_1\"}\nA=b\n"
                           "LONGSTOP_HANDLER=fulfil\n"));
}

/* Each gets one delivery, which is tried later, for this reason. */
static void
whatever_a_worker_does_its_deliveries_are_tried_later(void **state)
{
    (void)state;
    static const struct {
        const char *script;
        const char *detail;
    } rows[] = {
        { "read -r line; exit 3", "ended before it answered: exit 3" },
        { "exit 0", "ended before it answered: exit 0" },
        { "read -r line; kill -9 $$", "killed by signal 9" },
        { "read -r line; echo hello; sleep 60", "no JSON object: hello" },
        { "read -r line; echo '{\"id\":\"evt_2\",\"ok\":true}'; sleep 60",
          "an answer came for 'evt_2', which was not asked" },
        { "read -r line; echo '{\"id\":\"evt_1\"}'; sleep 60", "no \"ok\"" },
        { "read -r line; head -c 200000 /dev/zero | tr '\\0' x; sleep 60",
          "longer than 64 KiB" },
        { "read -r line; cat /dev/zero", "longer than 64 KiB" },
        { "read -r line; exec >&-; sleep 60", "closed its stdout" },
        { "trap '' TERM; read -r line; exec >&-; while :; do sleep 60; done",
          "closed its stdout" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        run_once(rows[i].script);
        assert_int_equal(handling.disposition, DISPOSITION_LATER);
        if (strstr(handling.detail, rows[i].detail) == NULL) {
            fail_msg("row %zu: %s", i, handling.detail);
        }
    }
}

static void
a_worker_that_hangs_is_ended_and_another_takes_its_place(void **state)
{
    (void)state;
    char script[512];
    open_spawner("");
    (void)snprintf(script, sizeof(script),
                   "mkdir %s/was || { rmdir %s/was; " LOOP_BEGIN OK LOOP_END
                   "; exit; }; read -r line; echo late >&2; sleep 60",
                   handling.folder, handling.folder);
    argv[2] = slice_of(script);
    settings.timeout_ms = 500;
    struct handler *handler = create(1, 1);
    handling_run(handler);
    assert_int_equal(handling.disposition, DISPOSITION_LATER);
    assert_string_equal(handling.detail, "timed out after 500ms");
    assert_non_null(strstr(handling.output, "late\n"));
    assert_in_range(handling.duration_ms, 500, 10000);
    handling_run(handler);
    assert_int_equal(handling.disposition, DISPOSITION_DONE);
    close_all(handler);
}

static void
what_a_worker_never_reads_holds_nothing(void **state)
{
    (void)state;
    size_t len = 1 << 20;
    char *large = mem_alloc(len);
    assert_non_null(large);
    memset(large, 'x', len);
    large[0] = '{';
    large[len - 1] = '}';
    open_spawner("sleep 60");
    settings.timeout_ms = 300;
    handling.delivery.envelope = (struct slice){ large, len };
    struct handler *handler = create(1, 1);
    handling_run(handler);
    assert_string_equal(handling.detail, "timed out after 300ms");
    close_all(handler);
    mem_free(large);
}

static void
its_last_words_are_kept_with_the_attempt(void **state)
{
    (void)state;
    run_once("read -r line; head -c 20000 /dev/zero | tr '\\0' x >&2; "
             "echo sorry >&2; exit 1");
    assert_int_equal(handling.output_len, 4096);
    assert_string_equal(handling.output + 4096 - 6, "sorry\n");
}

static void
one_that_answers_and_ends_has_answered(void **state)
{
    (void)state;
    run_once("read -r line; " OK "; exit 1");
    assert_int_equal(handling.disposition, DISPOSITION_DONE);
}

static void
one_that_cannot_be_started_says_why(void **state)
{
    (void)state;
    open_spawner("");
    argv[0] = slice_of("/no/such/program");
    struct handler *handler = create(2, 1);
    handling_run(handler);
    assert_int_equal(handling.disposition, DISPOSITION_LATER);
    assert_non_null(strstr(handling.detail, "cannot run /no/such/program: No "
                                            "such file"));
    close_all(handler);
}

static void
what_waits_for_a_worker_times_out_with_what_is_known(void **state)
{
    (void)state;
    open_spawner("exit 7");
    settings.timeout_ms = 2000;
    struct handler *handler = create(1, 1);
    for (int i = 0; i < 9; i++) {
        handling_run(handler); /* each waits twice as long as the last */
        if (strstr(handling.detail, "waiting for the worker") != NULL) {
            break;
        }
        assert_non_null(strstr(handling.detail, "exit 7"));
    }
    assert_non_null(strstr(handling.detail, "timed out after 2s"));
    assert_non_null(strstr(handling.detail, "exit 7"));
    close_all(handler);
}

static void
as_many_children_run_as_are_needed(void **state)
{
    (void)state;
    char script[512];
    open_spawner("");
    /* Each answers when three have come. */
    (void)snprintf(
        script, sizeof(script),
        "read -r line; mkdir %s/$$; until set -- %s/*; [ $# -ge 3 ]; "
        "do sleep 0.01; done; sleep 0.2; " OK "; rmdir %s/$$; cat",
        handling.folder, handling.folder, handling.folder);
    argv[2] = slice_of(script);
    struct handler *handler = create(4, 1);
    handling.wanted = 3;
    assert_int_equal(handling_start(handler, NULL), STATUS_OK);
    assert_int_equal(handling_start(handler, NULL), STATUS_OK);
    handling_run(handler);
    assert_int_equal(handling.disposition, DISPOSITION_DONE);
    close_all(handler);
}

static void
a_new_child_takes_over_when_files_are_reopened(void **state)
{
    (void)state;
    open_spawner(LOOP_BEGIN "echo \"{\\\"id\\\":\\\"evt_1\\\",\\\"ok\\\":false,"
                            "\\\"error\\\":\\\"$$\\\"}\"" LOOP_END);
    struct handler *handler = create(1, 1);
    handling_run(handler);
    long first = strtol(handling.detail, NULL, 10);
    handler->ops->reopen(handler);
    handling_run(handler);
    long second = strtol(handling.detail, NULL, 10);
    assert_true(first > 0 && second > 0 && first != second);
    close_all(handler);
}

static void
a_worker_that_ignores_its_end_is_killed(void **state)
{
    (void)state;
    open_spawner("trap '' TERM; read -r line; " OK "; while :; do sleep 60; "
                 "done");
    struct handler *handler = create(1, 1);
    handling_run(handler);
    assert_int_equal(handling.disposition, DISPOSITION_DONE);
    close_all(handler);
}

static void
a_canceled_attempt_is_given_back(void **state)
{
    (void)state;
    open_spawner("read -r line; sleep 60");
    struct handler *handler = create(1, 1);
    handling.wanted = 2; /* one is with the child, one waits */
    assert_int_equal(handling_start(handler, NULL), STATUS_OK);
    assert_int_equal(handling_start(handler, NULL), STATUS_OK);
    handler->ops->cancel(handler);
    assert_int_equal(handling.calls, 0);
    loop_run(handling.loop);
    assert_int_equal(handling.calls, 2);
    assert_string_equal(handling.detail, "stopped with the agent");
    close_all(handler);
}

static void
bytes_that_are_not_one_line_are_refused(void **state)
{
    (void)state;
    open_spawner("cat");
    struct handler *handler = create(1, 1);
    struct error err = { "" };
    handling.delivery.envelope = slice_of("{\n}");
    assert_int_equal(handling_start(handler, &err), STATUS_INVALID);
    assert_non_null(strstr(err.text, "format: cloudevents"));
    handling.delivery.envelope = slice_of("");
    assert_int_equal(handling_start(handler, &err), STATUS_INVALID);
    close_all(handler);
}

static void
memory_that_runs_out_fails_the_attempt_at_most(void **state)
{
    (void)state;
    for (long after = 0; after < 40; after++) {
        open_spawner(LOOP_BEGIN OK LOOP_END);
        settings.timeout_ms = 2000;
        struct handler *handler = NULL;
        (void)mem_fail_after(after, 0);
        enum status status = handler_worker_create(
            handling.loop, spawner, &settings, 1, 1, &handler, NULL);
        if (status == STATUS_OK && handling_start(handler, NULL) == STATUS_OK) {
            loop_run(handling.loop);
        }
        (void)mem_fail_after(-1, 0);
        assert_true(status == STATUS_OK || status == STATUS_NOMEM);
        if (status == STATUS_OK) {
            close_all(handler);
        } else {
            process_spawner_destroy(spawner);
            handling_close();
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_become_outcomes),
        cmocka_unit_test(one_child_answers_delivery_after_delivery),
        cmocka_unit_test(a_worker_sees_attempt_key_and_its_environment),
        cmocka_unit_test(whatever_a_worker_does_its_deliveries_are_tried_later),
        cmocka_unit_test(
            a_worker_that_hangs_is_ended_and_another_takes_its_place),
        cmocka_unit_test(what_a_worker_never_reads_holds_nothing),
        cmocka_unit_test(its_last_words_are_kept_with_the_attempt),
        cmocka_unit_test(one_that_answers_and_ends_has_answered),
        cmocka_unit_test(one_that_cannot_be_started_says_why),
        cmocka_unit_test(what_waits_for_a_worker_times_out_with_what_is_known),
        cmocka_unit_test(as_many_children_run_as_are_needed),
        cmocka_unit_test(a_new_child_takes_over_when_files_are_reopened),
        cmocka_unit_test(a_worker_that_ignores_its_end_is_killed),
        cmocka_unit_test(a_canceled_attempt_is_given_back),
        cmocka_unit_test(bytes_that_are_not_one_line_are_refused),
        cmocka_unit_test(memory_that_runs_out_fails_the_attempt_at_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
