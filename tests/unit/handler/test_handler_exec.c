/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>

#include "handler/handler_exec.h"
#include "io/process.h"
#include "unit/handler/handling.h"

static struct process_spawner *spawner;

static void
open_spawner(void)
{
    handling_open();
    assert_int_equal(process_spawner_create(handling.loop, &spawner, NULL),
                     STATUS_OK);
}

static void
close_spawner(void)
{
    process_spawner_destroy(spawner);
    handling_close();
}

static struct handler_exec_settings
settings_of(const struct slice *argv, size_t argc)
{
    return (struct handler_exec_settings){
        .name = SLICE("fulfil"),
        .argv = argv,
        .argc = argc,
        .timeout_ms = 15000,
        .kill_after_ms = 5000,
        .output_limit = 4096,
    };
}

static struct handler *
create(const struct handler_exec_settings *settings)
{
    struct handler *handler = NULL;
    assert_int_equal(handler_exec_create(spawner, settings, &handler, NULL),
                     STATUS_OK);
    return handler;
}

static void
run_shell(const char *script)
{
    const struct slice argv[] = { SLICE("sh"), SLICE("-c"), slice_of(script) };
    const struct handler_exec_settings settings = settings_of(argv, 3);
    struct handler *handler = create(&settings);
    handling_run(handler);
    handler->ops->destroy(handler);
}

static void
exit_codes_become_outcomes(void **state)
{
    (void)state;
    static const struct {
        const char *script;
        enum disposition disposition;
        const char *detail;
    } rows[] = {
        { "exit 0", DISPOSITION_DONE, "exit 0" },
        { "exit 65", DISPOSITION_NEVER, "exit 65" },
        { "exit 1", DISPOSITION_LATER, "exit 1" },
        { "exit 75", DISPOSITION_LATER, "exit 75" },
        { "exit 64", DISPOSITION_LATER, "exit 64" },
        { "exit 255", DISPOSITION_LATER, "exit 255" },
        { "kill -9 $$", DISPOSITION_LATER, "killed by signal 9" },
        { "kill -15 $$", DISPOSITION_LATER, "killed by signal 15" },
    };
    open_spawner();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        run_shell(rows[i].script);
        assert_int_equal(handling.disposition, rows[i].disposition);
        assert_string_equal(handling.detail, rows[i].detail);
        assert_false(handling.pause);
    }
    close_spawner();
}

static void
the_envelope_is_on_stdin_and_output_is_kept(void **state)
{
    (void)state;
    open_spawner();
    run_shell("cat; echo words >&2; exit 3");
    assert_string_equal(handling.output, "{\"id\":\"evt_1\"}words\n");
    close_spawner();
}

static void
the_environment_says_what_is_delivered(void **state)
{
    (void)state;
    static const char text[] =
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
        "A=b c\n"
        "LONGSTOP_EVENT_ID=evt_1\n"
        "LONGSTOP_EVENT_TYPE=order.paid\n"
        "LONGSTOP_CONNECTOR=shop\n"
        "LONGSTOP_VIA=poll\n"
        "LONGSTOP_ATTEMPT=3\n"
        "LONGSTOP_HANDLER=fulfil\n"
        "LONGSTOP_IDEMPOTENCY_KEY=shop/evt_1\n";
    open_spawner();
    const struct slice argv[] = { SLICE("env") };
    const struct slice env[] = { SLICE("A=b c") };
    struct handler_exec_settings settings = settings_of(argv, 1);
    settings.env = env;
    settings.env_count = 1;
    struct handler *handler = create(&settings);
    handling_run(handler);
    assert_string_equal(handling.output, text);
    handler->ops->destroy(handler);
    close_spawner();
}

/* Tracing's libraries look for it there; no variable where no trace came in. */
static void
the_trace_that_came_in_is_in_the_environment(void **state)
{
    (void)state;
    open_spawner();
    const struct slice argv[] = { SLICE("sh"), SLICE("-c"),
                                  SLICE("echo ${TRACEPARENT-none}") };
    const struct handler_exec_settings settings = settings_of(argv, 3);
    struct handler *handler = create(&settings);
    handling_run(handler);
    assert_string_equal(handling.output, "none\n");
    handling.event.headers =
        slice_of("traceparent: "
                 "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\n");
    handling_run(handler);
    assert_string_equal(
        handling.output,
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\n");
    handling.delivery.is_batch = true;
    handling_run(handler);
    assert_string_equal(handling.output, "none\n");
    handler->ops->destroy(handler);
    close_spawner();
}

static void
a_path_of_the_configuration_replaces_ours(void **state)
{
    (void)state;
    open_spawner();
    const struct slice argv[] = { SLICE("env") };
    const struct slice env[] = { SLICE("PATH=/bin:/usr/bin") };
    struct handler_exec_settings settings = settings_of(argv, 1);
    settings.env = env;
    settings.env_count = 1;
    struct handler *handler = create(&settings);
    handling_run(handler);
    assert_memory_equal(handling.output, "PATH=/bin:/usr/bin\nLONG", 23);
    assert_null(strstr(handling.output, "sbin"));
    handler->ops->destroy(handler);
    close_spawner();
}

static void
an_id_cannot_forge_a_variable(void **state)
{
    (void)state;
    open_spawner();
    handling.event.id = (struct slice)SLICE("a\nLD_PRELOAD=x\0%y");
    run_shell("env");
    assert_non_null(
        strstr(handling.output, "LONGSTOP_EVENT_ID=a%0ALD_PRELOAD=x%00%y\n"));
    close_spawner();
}

static void
a_late_program_is_ended_and_tried_later(void **state)
{
    (void)state;
    open_spawner();
    const struct slice argv[] = { SLICE("sleep"), SLICE("60") };
    struct handler_exec_settings settings = settings_of(argv, 2);
    settings.timeout_ms = 100;
    struct handler *handler = create(&settings);
    handling_run(handler);
    assert_int_equal(handling.disposition, DISPOSITION_LATER);
    assert_string_equal(handling.detail, "timed out after 100ms");
    handler->ops->destroy(handler);
    close_spawner();
}

static void
a_program_that_is_not_there_is_a_failed_attempt(void **state)
{
    (void)state;
    open_spawner();
    const struct slice argv[] = { SLICE("/no/such/program") };
    const struct handler_exec_settings settings = settings_of(argv, 1);
    struct handler *handler = create(&settings);
    handling_run(handler);
    assert_int_equal(handling.disposition, DISPOSITION_LATER);
    assert_non_null(strstr(handling.detail, "/no/such/program: No such file"));
    handler->ops->destroy(handler);
    close_spawner();
}

static void
canceled_attempts_all_report(void **state)
{
    (void)state;
    open_spawner();
    const struct slice argv[] = { SLICE("sleep"), SLICE("60") };
    const struct handler_exec_settings settings = settings_of(argv, 2);
    struct handler *handler = create(&settings);
    handling.wanted = 5;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(handling_start(handler, NULL), STATUS_OK);
    }
    handler->ops->cancel(handler);
    assert_int_equal(handling.calls, 0);
    loop_run(handling.loop);
    assert_int_equal(handling.calls, 5);
    assert_int_equal(handling.disposition, DISPOSITION_LATER);
    assert_string_equal(handling.detail, "stopped with the agent");
    handler->ops->destroy(handler);
    close_spawner();
}

static void
no_program_is_refused(void **state)
{
    (void)state;
    open_spawner();
    const struct slice argv[] = { SLICE("") };
    struct handler *handler = NULL;
    struct handler_exec_settings settings = settings_of(argv, 1);
    assert_int_equal(handler_exec_create(spawner, &settings, &handler, NULL),
                     STATUS_CONFIG);
    settings.argc = 0;
    assert_int_equal(handler_exec_create(spawner, &settings, &handler, NULL),
                     STATUS_CONFIG);
    close_spawner();
}

static void
memory_that_runs_out_is_told(void **state)
{
    (void)state;
    open_spawner();
    const struct slice argv[] = { SLICE("cat"), SLICE("-") };
    const struct slice env[] = { SLICE("A=b") };
    struct handler_exec_settings settings = settings_of(argv, 2);
    settings.env = env;
    settings.env_count = 1;
    bool worked = false;
    for (long n = 0; n < 200 && !worked; n++) {
        struct handler *handler = NULL;
        handling.calls = 0;
        (void)mem_fail_after(n, 0);
        enum status status =
            handler_exec_create(spawner, &settings, &handler, NULL);
        if (status == STATUS_OK) {
            status = handling_start(handler, NULL);
        }
        if (status == STATUS_OK) {
            loop_run(handling.loop);
        }
        (void)mem_fail_after(-1, 0);
        if (handler != NULL) {
            handler->ops->destroy(handler);
        }
        assert_true(status == STATUS_OK || status == STATUS_NOMEM);
        worked = status == STATUS_OK &&
                 handling.disposition == DISPOSITION_DONE &&
                 handling.output_len > 0;
    }
    assert_true(worked);
    close_spawner();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exit_codes_become_outcomes),
        cmocka_unit_test(the_envelope_is_on_stdin_and_output_is_kept),
        cmocka_unit_test(the_environment_says_what_is_delivered),
        cmocka_unit_test(the_trace_that_came_in_is_in_the_environment),
        cmocka_unit_test(a_path_of_the_configuration_replaces_ours),
        cmocka_unit_test(an_id_cannot_forge_a_variable),
        cmocka_unit_test(a_late_program_is_ended_and_tried_later),
        cmocka_unit_test(a_program_that_is_not_there_is_a_failed_attempt),
        cmocka_unit_test(canceled_attempts_all_report),
        cmocka_unit_test(no_program_is_refused),
        cmocka_unit_test(memory_that_runs_out_is_told),
    };
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
