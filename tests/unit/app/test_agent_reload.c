/* SPDX-License-Identifier: MIT */
/* An agent in this process that reads its configuration again while memory
 * fails it: whatever fails, the one before goes on. */
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

#include "app/agent_private.h"
#include "io/loop.h"
#include "wire/digest.h"

#define FIRST                                                                  \
    "store: sqlite:store.db\nsandbox: off\n"                                   \
    "admin: {address: 'unix:admin.sock'}\n"                                    \
    "listen: {address: 'unix:hooks.sock'}\n"
#define SHOP "shop: {use: petstore, with: {webhook_secret: s}}"
#define ONE  FIRST "connectors: {" SHOP "}\nhandlers: {log: {file: a.jsonl}}\n"
#define TWO                                                                    \
    FIRST "connectors: {" SHOP ", more: {use: petstore, with: "                \
          "{webhook_secret: t}, grace: 5m}}\n"                                 \
          "handlers: {log: {file: a.jsonl}, new: {file: b.jsonl},\n"           \
          "  run: {exec: [/bin/true]}}\n"

enum { STEPS_MOST = 20000, GUARD_MS = 60000 };

static char folder[] = "/tmp/longstop-reload-XXXXXX";

static struct {
    struct configuration configuration;
    struct agent *agent;
    struct loop_timer *next;
    struct loop_timer *guard;
    struct reload_wait wait;
    long step;
    size_t refused;
    bool done;
} run;

static void
write_file(const char *text)
{
    FILE *file = fopen("a.yaml", "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod("a.yaml", 0600), 0);
}

static int
enter(void **state)
{
    (void)state;
    (void)unsetenv("STATE_DIRECTORY");
    (void)unsetenv("RUNTIME_DIRECTORY");
    return digest_init(NULL) != STATUS_OK || mkdtemp(folder) == NULL ||
           chdir(folder) != 0 ||
           setenv("LONGSTOP_CONNECTORS", TEST_CONNECTORS_DIR, 1) != 0;
}

static int
leave(void **state)
{
    (void)state;
    static const char *const files[] = { "a.yaml",        "a.jsonl",
                                         "b.jsonl",       "store.db",
                                         "store.db-wal",  "store.db-shm",
                                         "store.db.lock", "store.db-lock",
                                         "admin.sock",    "hooks.sock" };
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        (void)unlink(files[i]);
    }
    (void)rmdir("store.db.secrets");
    (void)rmdir("secrets");
    return chdir("/") != 0 || rmdir(folder) != 0;
}

static void
late(void *arg)
{
    (void)arg;
    fail_msg("no answer came at step %ld", run.step);
}

static void
expect(size_t connectors, size_t handlers)
{
    assert_int_equal(run.agent->configuration->connector_count, connectors);
    assert_int_equal(run.agent->generation->listed.count, handlers);
}

/* reload_wait's `done`. */
static void
answered(struct reload_wait *wait, const struct reload_outcome *outcome)
{
    (void)wait;
    mem_fail_after(-1, 0);
    if (outcome->status == STATUS_OK) {
        run.done = true;
        expect(2, 3);
    } else {
        run.refused++;
        assert_true(outcome->difference == NULL);
        expect(1, 1);
    }
    loop_timer_arm(run.next, 0);
}

static void
take_step(void *arg)
{
    (void)arg;
    if (run.done || run.step >= STEPS_MOST) {
        agent_begin_end(run.agent);
        return;
    }
    run.step++;
    run.wait.done = answered;
    agent_reload(run.agent, &run.wait);
    mem_fail_after(run.step, 1);
}

static void
open_agent(void)
{
    const struct agent_settings settings = {
        .mode = AGENT_RUN,
        .configuration = &run.configuration,
        .version = "1",
    };
    struct error err = { "" };
    memset(&run, 0, sizeof(run));
    write_file(ONE);
    assert_int_equal(configuration_load("a.yaml", &run.configuration, &err),
                     STATUS_OK);
    if (agent_create(&settings, &run.agent, &err) != STATUS_OK) {
        fail_msg("%s", err.text);
    }
    assert_int_equal(loop_timer_create(run.agent->loop, late, NULL, &run.guard),
                     STATUS_OK);
    loop_timer_arm(run.guard, GUARD_MS);
}

static void
close_agent(void)
{
    loop_timer_destroy(run.next);
    loop_timer_destroy(run.guard);
    agent_destroy(run.agent);
    configuration_fini(&run.configuration);
}

static void
out_of_memory_anywhere_leaves_the_one_that_runs(void **state)
{
    (void)state;
    open_agent();
    assert_int_equal(
        loop_timer_create(run.agent->loop, take_step, NULL, &run.next),
        STATUS_OK);
    loop_timer_arm(run.next, 0);
    write_file(TWO);
    assert_int_equal(agent_run(run.agent), EXIT_OK);
    assert_true(run.done);
    print_message("%ld allocations, %zu refusals\n", run.step, run.refused);
    assert_true(run.refused > 10);
    close_agent();
}

/* Back and forth, and an end in the midst of it. */
static void
turn(void *arg)
{
    (void)arg;
    run.step++;
    write_file(run.step % 2 == 0 ? ONE : TWO);
    agent_reload(run.agent, NULL);
    if (run.step == 40) {
        agent_begin_end(run.agent);
    } else {
        loop_timer_arm(run.next, 20);
    }
}

static void
what_is_needed_no_more_goes(void **state)
{
    (void)state;
    open_agent();
    assert_int_equal(loop_timer_create(run.agent->loop, turn, NULL, &run.next),
                     STATUS_OK);
    loop_timer_arm(run.next, 0);
    assert_int_equal(agent_run(run.agent), EXIT_OK);
    size_t generations = 0;
    list_for_each(at, &run.agent->generations) {
        generations++;
    }
    assert_in_range(generations, 1, 3);
    close_agent();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(out_of_memory_anywhere_leaves_the_one_that_runs),
        cmocka_unit_test(what_is_needed_no_more_goes),
    };
    return cmocka_run_group_tests(tests, enter, leave);
}
