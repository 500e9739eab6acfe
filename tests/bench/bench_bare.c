/* SPDX-License-Identifier: MIT */
/*
 * bench_bare: what handlers are measured against: the same bytes to the same
 * programs without a handler. --kind spawn: posix_spawn, pipes and waitpid;
 * --kind curl: libcurl's multi interface and nothing else.
 */
#define _GNU_SOURCE
#include <curl/curl.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/bench.h"

enum { AT_ONCE_MOST = 1024 };

static char envelope[BENCH_EVENT_BYTES];
static int64_t end_us;

/* ---- spawn ---- */

struct child {
    pid_t pid;
    int out;
};

static void
spawn(const char *program, struct child *child)
{
    int in[2];
    int out[2];
    posix_spawn_file_actions_t actions;
    char *const argv[] = { (char *)(uintptr_t)program, NULL };
    char *const env[] = { NULL };
    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0 ||
        posix_spawn_file_actions_init(&actions) != 0 ||
        posix_spawn_file_actions_adddup2(&actions, in[0], 0) != 0 ||
        posix_spawn_file_actions_adddup2(&actions, out[1], 1) != 0 ||
        posix_spawn_file_actions_adddup2(&actions, out[1], 2) != 0 ||
        write(in[1], envelope, sizeof(envelope)) != sizeof(envelope) ||
        posix_spawn(&child->pid, program, &actions, NULL, argv, env) != 0) {
        bench_die("spawn", program);
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)close(in[0]);
    (void)close(in[1]);
    (void)close(out[1]);
    child->out = out[0];
}

static uint64_t
run_children(const char *program, size_t at_once)
{
    static struct child children[AT_ONCE_MOST];
    static struct pollfd polled[AT_ONCE_MOST];
    uint64_t done = 0;
    for (size_t i = 0; i < at_once; i++) {
        spawn(program, &children[i]);
    }
    while (bench_now_us() < end_us) {
        for (size_t i = 0; i < at_once; i++) {
            polled[i] =
                (struct pollfd){ .fd = children[i].out, .events = POLLIN };
        }
        (void)poll(polled, at_once, 1000);
        for (size_t i = 0; i < at_once; i++) {
            char bytes[4096];
            if (polled[i].revents == 0 ||
                read(children[i].out, bytes, sizeof(bytes)) > 0) {
                continue;
            }
            (void)close(children[i].out);
            (void)waitpid(children[i].pid, NULL, 0);
            done++;
            spawn(program, &children[i]);
        }
    }
    for (size_t i = 0; i < at_once; i++) {
        (void)waitpid(children[i].pid, NULL, 0);
    }
    return done;
}

/* ---- curl ---- */

static size_t
ignore(char *bytes, size_t size, size_t count, void *arg)
{
    (void)bytes;
    (void)arg;
    return size * count;
}

static CURL *
call(const char *url, struct curl_slist *fields)
{
    CURL *easy = curl_easy_init();
    if (easy == NULL || curl_easy_setopt(easy, CURLOPT_URL, url) != 0 ||
        curl_easy_setopt(easy, CURLOPT_POST, 1L) != 0 ||
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)sizeof(envelope)) !=
            0 ||
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, envelope) != 0 ||
        curl_easy_setopt(easy, CURLOPT_HTTPHEADER, fields) != 0 ||
        curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, ignore) != 0) {
        bench_die("curl", url);
    }
    return easy;
}

static uint64_t
run_calls(const char *url, size_t at_once)
{
    static const char *const lines[] = {
        "Expect:", "Content-Type: application/cloudevents+json",
        "Idempotency-Key: shop/evt_1", "webhook-id: shop/evt_1",
        "webhook-timestamp: 1790000000"
    };
    struct curl_slist *fields = NULL;
    CURLM *multi = curl_multi_init();
    uint64_t done = 0;
    int running = 0;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        fields = curl_slist_append(fields, lines[i]);
    }
    for (size_t i = 0; i < at_once; i++) {
        (void)curl_multi_add_handle(multi, call(url, fields));
    }
    while (bench_now_us() < end_us) {
        CURLMsg *message;
        int left;
        (void)curl_multi_perform(multi, &running);
        while ((message = curl_multi_info_read(multi, &left)) != NULL) {
            CURL *easy = message->easy_handle;
            if (message->data.result != CURLE_OK) {
                bench_die("curl", curl_easy_strerror(message->data.result));
            }
            done++;
            (void)curl_multi_remove_handle(multi, easy);
            (void)curl_multi_add_handle(multi, easy);
        }
        (void)curl_multi_poll(multi, NULL, 0, 100, NULL);
    }
    return done; /* the process ends: nothing is given back */
}

int
main(int argc, char **argv)
{
    const char *kind = bench_text(argc, argv, "--kind", "spawn");
    size_t at_once = (size_t)bench_number(argc, argv, "--at-once", 4);
    int64_t seconds = bench_number(argc, argv, "--seconds", 3);
    memset(envelope, 'x', sizeof(envelope));
    if (at_once > AT_ONCE_MOST) {
        bench_die("--at-once", "at most 1024");
    }
    end_us = bench_now_us() + seconds * 1000000;
    uint64_t done =
        strcmp(kind, "spawn") == 0
            ? run_children(bench_text(argc, argv, "--program", "/bin/true"),
                           at_once)
            : run_calls(bench_text(argc, argv, "--url", "http://127.0.0.1/"),
                        at_once);
    (void)printf("{\"rate\":%.1f}\n", (double)done / (double)seconds);
    return 0;
}
