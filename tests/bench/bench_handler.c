/* SPDX-License-Identifier: MIT */
/*
 * bench_handler: deliveries of 1 KiB through one handler, `--at-once` of them
 * at a time, without a store: --kind exec | worker | http.
 */
#include <signal.h>

#include "bench/bench.h"
#include "handler/handler_exec.h"
#include "handler/handler_http.h"
#include "handler/handler_worker.h"
#include "io/loop.h"
#include "io/process.h"
#include "wire/digest.h"

enum { AT_ONCE_MOST = 1024, TIMEOUT_MS = 30000 };

struct slot {
    struct event event;
    struct delivery delivery;
    char id[32];
    char envelope[BENCH_EVENT_BYTES + 1];
};

static struct {
    struct loop *loop;
    struct process_spawner *spawner;
    struct handler *handler;
    int64_t end_us;
    uint64_t done;
    uint64_t serial;
    size_t running;
    struct slot slots[AT_ONCE_MOST];
} bench;

static void
stop(void *arg)
{
    (void)arg;
    loop_stop(bench.loop);
}

static void start(struct slot *slot);

static void
reported(void *arg, const struct handler_result *result)
{
    if (result->disposition != DISPOSITION_DONE) {
        bench_die("a delivery failed", result->detail.ptr);
    }
    bench.running--;
    if (bench_now_us() < bench.end_us) {
        bench.done++;
        start(arg);
    } else if (bench.running == 0 &&
               (bench.handler->ops->close == NULL ||
                !bench.handler->ops->close(bench.handler, stop, NULL))) {
        loop_stop(bench.loop);
    }
}

static void
start(struct slot *slot)
{
    struct error err = { "" };
    int len =
        snprintf(slot->id, sizeof(slot->id), "evt_%012" PRIu64, bench.serial++);
    slot->event.id = (struct slice){ slot->id, (size_t)len };
    memcpy(slot->envelope + 7, slot->id, (size_t)len);
    if (bench.handler->ops->start(bench.handler, &slot->delivery, reported,
                                  slot, &err) != STATUS_OK) {
        bench_die("start", err.text);
    }
    bench.running++;
}

static void
fill(struct slot *slot)
{
    memset(slot->envelope, 'x', BENCH_EVENT_BYTES);
    memcpy(slot->envelope, "{\"id\":\"evt_000000000000\",\"data\":\"", 32);
    memcpy(slot->envelope + BENCH_EVENT_BYTES - 2, "\"}", 2);
    slot->event.type = slice_of("order.paid");
    slot->delivery = (struct delivery){
        .event = &slot->event,
        .attempt = 1,
        .count = 1,
        .connector = SLICE("shop"),
        .envelope = { slot->envelope, BENCH_EVENT_BYTES },
        .content_type = SLICE("application/cloudevents+json"),
        .key = SLICE("shop/evt_1"),
    };
}

static enum status
create(int argc, char **argv, int64_t at_once, struct error *err)
{
    const char *kind = bench_text(argc, argv, "--kind", "worker");
    size_t ahead = (size_t)bench_number(argc, argv, "--ahead", 1);
    struct slice words[] = {
        slice_of(bench_text(argc, argv, "--program", "/bin/true")),
        slice_of("lines"),
    };
    struct handler_exec_settings exec = { .name = SLICE("bench"),
                                          .argv = words,
                                          .argc = 1,
                                          .timeout_ms = TIMEOUT_MS,
                                          .kill_after_ms = 5000,
                                          .output_limit = 4096 };
    if (strcmp(kind, "exec") == 0) {
        return handler_exec_create(bench.spawner, &exec, &bench.handler, err);
    }
    if (strcmp(kind, "worker") == 0) {
        exec.argc = 2;
        return handler_worker_create(bench.loop, bench.spawner, &exec,
                                     ((size_t)at_once + ahead - 1) / ahead,
                                     ahead, &bench.handler, err);
    }
    const struct handler_http_settings http = {
        .url = slice_of(bench_text(argc, argv, "--url", "http://127.0.0.1/")),
    };
    const struct handler_http_limits limits = { .timeout_ms = TIMEOUT_MS,
                                                .connections = at_once,
                                                .user_agent = "bench" };
    return handler_http_create(bench.loop, &http, slice_of(""), &limits,
                               &bench.handler, err);
}

int
main(int argc, char **argv)
{
    struct error err = { "" };
    int64_t at_once = bench_number(argc, argv, "--at-once", 4);
    int64_t seconds = bench_number(argc, argv, "--seconds", 3);
    (void)signal(SIGPIPE, SIG_IGN);
    if (at_once > AT_ONCE_MOST || digest_init(&err) != STATUS_OK ||
        loop_create(&bench.loop) != STATUS_OK ||
        process_spawner_create(bench.loop, &bench.spawner, &err) != STATUS_OK ||
        create(argc, argv, at_once, &err) != STATUS_OK) {
        bench_die("start", err.text);
    }
    bench.end_us = bench_now_us() + seconds * 1000000;
    for (int64_t i = 0; i < at_once; i++) {
        fill(&bench.slots[i]);
        start(&bench.slots[i]);
    }
    loop_run(bench.loop);
    bench.handler->ops->destroy(bench.handler);
    process_spawner_destroy(bench.spawner);
    loop_destroy(bench.loop);
    (void)printf("{\"rate\":%.1f}\n", (double)bench.done / (double)seconds);
    return 0;
}
