/* SPDX-License-Identifier: MIT */
/*
 * bench_exec: children through io/process, some at a time, and how late a 1 ms
 * timer of the same loop is meanwhile.
 *
 *     bench_exec --program PATH [--at-once 4] [--seconds 3]
 *
 * --at-once 0 starts none: what the timer does alone.
 */
#include <stdbool.h>

#include "bench/bench.h"
#include "io/loop.h"
#include "io/process.h"

enum { SAMPLES = 100000 };

struct bench {
    struct loop *loop;
    struct process_spawner *spawner;
    struct loop_timer *timer;
    const char *argv[2];
    int64_t end_us;
    int64_t armed_us;
    size_t running;
    uint64_t ended;
    uint32_t late_us[SAMPLES];
    size_t late_count;
};

static bool
is_over(const struct bench *bench)
{
    return bench_now_us() >= bench->end_us;
}

static void start(struct bench *bench);

static void
ended(void *arg, const struct process_end *end)
{
    struct bench *bench = arg;
    if (end->status != STATUS_OK || end->exit_code != 0) {
        bench_die("the program failed",
                  end->reason == NULL ? bench->argv[0] : end->reason);
    }
    bench->running--;
    if (!is_over(bench)) {
        bench->ended++;
        start(bench);
    }
}

static void
start(struct bench *bench)
{
    static const char *const env[] = { NULL };
    struct process *process;
    struct process_spec spec = {
        .argv = bench->argv,
        .env = env,
        .input = SLICE("{\"specversion\":\"1.0\"}"),
        .timeout_ms = 30000,
        .kill_after_ms = 5000,
        .output_limit = 4096,
    };
    if (process_start(bench->spawner, &spec, ended, bench, &process) !=
        STATUS_OK) {
        bench_die("process_start", bench->argv[0]);
    }
    bench->running++;
}

static void
tick(void *arg)
{
    struct bench *bench = arg;
    int64_t late = bench_now_us() - bench->armed_us - 1000;
    if (bench->late_count < SAMPLES) {
        bench->late_us[bench->late_count++] = (uint32_t)(late > 0 ? late : 0);
    }
    if (is_over(bench) && bench->running == 0) {
        loop_stop(bench->loop);
        return;
    }
    bench->armed_us = bench_now_us();
    loop_timer_arm(bench->timer, 1);
}

int
main(int argc, char **argv)
{
    static struct bench bench;
    struct error err = { 0 };
    int64_t at_once = bench_number(argc, argv, "--at-once", 4);
    int64_t seconds = bench_number(argc, argv, "--seconds", 3);
    bench.argv[0] = bench_text(argc, argv, "--program", "/bin/true");
    if (loop_create(&bench.loop) != STATUS_OK ||
        process_spawner_create(bench.loop, &bench.spawner, &err) != STATUS_OK ||
        loop_timer_create(bench.loop, tick, &bench, &bench.timer) !=
            STATUS_OK) {
        bench_die("start", error_text(&err, STATUS_NOMEM));
    }
    bench.end_us = bench_now_us() + seconds * 1000000;
    for (int64_t i = 0; i < at_once; i++) {
        start(&bench);
    }
    bench.armed_us = bench_now_us();
    loop_timer_arm(bench.timer, 1);
    loop_run(bench.loop);
    uint32_t p50 = bench_percentile(bench.late_us, bench.late_count, 50);
    uint32_t p99 = bench_percentile(bench.late_us, bench.late_count, 99);
    loop_timer_destroy(bench.timer);
    process_spawner_destroy(bench.spawner);
    loop_destroy(bench.loop);
    (void)printf("{\"rate\":%.1f,\"late_p50_us\":%u,\"late_p99_us\":%u}\n",
                 (double)bench.ended / (double)seconds, p50, p99);
    return 0;
}
