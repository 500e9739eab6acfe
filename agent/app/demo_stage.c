/* SPDX-License-Identifier: MIT */
#include "app/demo_stage.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "app/admin_client.h"
#include "app/paths.h"
#include "io/fs.h"
#include "io/scratch.h"

#define SECRET          "a-demo-keeps-no-secrets"
#define TOKEN           "demo-token"
#define BACKLOG         512
#define PATH_ROOM       4096
#define PORT_WAIT_MS    10000
#define AGENT_END_MS    12000 /* it promises 10 s */
#define METRICS_WAIT_MS 5000
#define HEARD_LIMIT     4096
#define LOOK_EVERY_MS   20
#define LISTENERS_HOST  "127.0.0.1"

/* ---- where things are ---- */

struct programs {
    struct slice agent; /* this very program */
    struct slice provider;
    struct slice append;
};

/* Whether directory/`name` may be started; its path then in *ret. */
static bool
program_in(struct slice directory, const char *name, struct arena *arena,
           struct slice *ret)
{
    return paths_join(directory, slice_of(name), arena, ret) == STATUS_OK &&
           access(ret->ptr, X_OK) == 0;
}

static enum status
own_path(struct arena *arena, struct slice *ret, struct error *err)
{
    char self[PATH_ROOM];
    ssize_t len = readlink("/proc/self/exe", self, sizeof(self));
    if (len <= 0 || (size_t)len >= sizeof(self)) {
        return error_set(err, STATUS_NOT_FOUND, "/proc/self/exe: %s",
                         strerror(errno));
    }
    return arena_copy(arena, (struct slice){ self, (size_t)len }, ret);
}

/* Finds the cast beside this program (a build), in ../lib/longstop (an
 * installation), or beside what $LONGSTOP_PROVIDER names. */
static enum status
find_programs(struct arena *arena, struct programs *ret, struct error *err)
{
    struct slice places[3] = { 0 };
    *ret = (struct programs){ 0 };
    enum status status = own_path(arena, &ret->agent, err);
    if (status == STATUS_OK) {
        status = paths_directory(ret->agent, arena, &places[0]);
    }
    if (status == STATUS_OK) {
        status = paths_join(places[0], slice_of("../lib/longstop"), arena,
                            &places[1]);
    }
    const char *named = getenv("LONGSTOP_PROVIDER");
    if (status == STATUS_OK && named != NULL) {
        status = paths_directory(slice_of(named), arena, &places[2]);
    }
    if (status != STATUS_OK) {
        return status;
    }
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        if (places[i].len > 0 &&
            program_in(places[i], "longstop-provider", arena, &ret->provider) &&
            program_in(places[i], "longstop-append", arena, &ret->append)) {
            return STATUS_OK;
        }
    }
    return error_set(err, STATUS_NOT_FOUND,
                     "longstop-provider and longstop-append are neither in "
                     "%s nor in ../lib/longstop from there; say where with "
                     "LONGSTOP_PROVIDER=/path/longstop-provider",
                     places[0].ptr);
}

/* ---- the directory ---- */

static enum status
make_directory(struct demo_stage *stage, struct error *err)
{
    struct buf path = { 0 };
    enum status status = scratch_make("longstop-demo", &path, err);
    if (status == STATUS_OK) {
        status = arena_copy(&stage->arena, buf_slice(&path), &stage->directory);
    }
    if (status == STATUS_NOMEM && path.len > 0) {
        scratch_remove(path.ptr);
    }
    buf_fini(&path);
    if (status != STATUS_OK) {
        return status;
    }
    status = paths_join(stage->directory, slice_of("journal.jsonl"),
                        &stage->arena, &stage->journal);
    if (status == STATUS_OK) {
        status = paths_join(stage->directory, slice_of("handled.jsonl"),
                            &stage->arena, &stage->handled);
    }
    if (status == STATUS_OK) {
        status = paths_join(stage->directory, slice_of("log.txt"),
                            &stage->arena, &stage->log);
    }
    if (status != STATUS_OK) {
        return status;
    }
    stage->log_fd =
        open(stage->log.ptr, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    return stage->log_fd >= 0 ? STATUS_OK
                              : error_set(err, STATUS_IO, "%s: %s",
                                          stage->log.ptr, strerror(errno));
}

/* The agent's listener is made here and handed to it, so its port is known to
 * the provider before the agent starts, and nobody can take it in between. */
static enum status
make_listener(int *ret_fd, uint16_t *ret_port, struct error *err)
{
    struct sockaddr_in at = { .sin_family = AF_INET };
    socklen_t len = sizeof(at);
    (void)inet_pton(AF_INET, LISTENERS_HOST, &at.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&at, len) == 0 &&
        listen(fd, BACKLOG) == 0 &&
        getsockname(fd, (struct sockaddr *)&at, &len) == 0) {
        *ret_fd = fd;
        *ret_port = ntohs(at.sin_port);
        return STATUS_OK;
    }
    int cause = errno;
    if (fd >= 0) {
        (void)close(fd);
    }
    return error_set(err, STATUS_UNAVAILABLE, "no port on %s: %s",
                     LISTENERS_HOST, strerror(cause));
}

/* ---- the cast ---- */

/* The provider's faults. Lists are shown with an empty last page, so that the
 * book knows to milliseconds when the agent had taken the others. A fact of the
 * tail is listed when its hook's grace is long over, and after walks that
 * missed it by more than a Date can hide; a 429 cannot come twice into one such
 * wait.
 */
static const char *const faults[] = {
    "--double",   "10",  "--reorder",     "20",   "--late", "10",
    "--limit",    "10",  "--limit-rest",  "3000", "--lag",  "200",
    "--lag-tail", "6",   "--lag-tail-ms", "5500", "--page", "250",
    "--wait",     "200", "--trailing",    NULL,
};

#define FAULTS (sizeof(faults) / sizeof(faults[0]))

/* A number as a word. */
struct word {
    char text[24];
};

static const char *
word_of(int64_t number, struct word *into)
{
    (void)snprintf(into->text, sizeof(into->text), "%lld", (long long)number);
    return into->text;
}

static enum status
start_provider(struct demo_stage *stage, const struct programs *programs,
               uint16_t hooks_port, struct error *err)
{
    const struct demo_plan *plan = &stage->plan;
    struct word events, rate, loss, late, seed;
    char url[64];
    (void)snprintf(url, sizeof(url), "http://" LISTENERS_HOST ":%u/hooks/shop",
                   (unsigned)hooks_port);
    const char *const own[] = {
        programs->provider.ptr,
        "--port",
        "0",
        "--hook-url",
        url,
        "--secret",
        SECRET,
        "--token",
        TOKEN,
        "--journal",
        stage->journal.ptr,
        "--events",
        word_of(plan->events, &events),
        "--rate",
        word_of(plan->rate, &rate),
        "--loss",
        word_of(plan->loss_percent, &loss),
        "--late-ms",
        word_of(plan->late_ms, &late),
        "--seed",
        word_of(plan->seed, &seed),
    };
    const char *argv[sizeof(own) / sizeof(own[0]) + FAULTS];
    memcpy(argv, own, sizeof(own));
    memcpy(argv + sizeof(own) / sizeof(own[0]), faults, sizeof(faults));
    int ends[2];
    if (pipe(ends) != 0) {
        return error_set(err, STATUS_UNAVAILABLE, "pipe: %s", strerror(errno));
    }
    (void)fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    (void)fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    (void)fcntl(ends[0], F_SETFL, O_NONBLOCK);
    stage->announcements = ends[0];
    const struct demo_child_spec spec = {
        .argv = argv, .out = ends[1], .log = stage->log_fd, .listener = -1
    };
    enum status status = demo_child_start(&spec, &stage->provider, err);
    (void)close(ends[1]);
    return status;
}

/* Waits for "port N" and reads N. */
static enum status
provider_port(struct demo_stage *stage, uint64_t *ret_port, struct error *err)
{
    for (int waited = 0; waited < PORT_WAIT_MS; waited += LOOK_EVERY_MS) {
        bool whole = demo_stage_heard(stage, "\n");
        struct slice line = buf_slice(&stage->heard);
        struct slice word = SLICE("port ");
        if (whole && slice_starts(line, word)) {
            line = slice_first(line, slice_find(line, '\n'));
            return slice_to_u64(slice_from(line, word.len), ret_port);
        }
        if (!demo_child_running(&stage->provider)) {
            break;
        }
        (void)poll(NULL, 0, LOOK_EVERY_MS);
    }
    return error_set(err, STATUS_UNAVAILABLE, "the provider did not start");
}

/* A YAML double-quoted scalar is a JSON string; `$` is ours (expansion). */
static void
write_quoted(struct slice text, struct buf *into)
{
    struct buf doubled = { 0 };
    for (size_t i = 0; i < text.len; i++) {
        buf_byte(&doubled, text.ptr[i]);
        if (text.ptr[i] == '$') {
            buf_byte(&doubled, '$');
        }
    }
    buf_json(into, buf_slice(&doubled));
    buf_fini(&doubled);
}

static void
write_configuration(const struct demo_stage *stage,
                    const struct programs *programs, uint64_t port,
                    struct buf *into)
{
    buf_text(into, "# Written by longstop demo.\n"
                   "store: sqlite:longstop.db\n"
                   "listen: {address: \"fd:hooks\"}\n"
                   "admin: {address: \"unix:admin.sock\"}\n"
                   "log: {format: logfmt}\n"
                   "connectors:\n"
                   "  shop:\n"
                   "    use: petstore\n");
    buf_format(into,
               "    with: {base: \"http://" LISTENERS_HOST
               ":%llu\", webhook_secret: \"" SECRET "\", api_key: \"" TOKEN
               "\"}\n",
               (unsigned long long)port);
    buf_format(into,
               "    poll: {every: 1s, overlap: 1m, start: 1h}\n"
               "    grace: %lldms\n",
               (long long)stage->plan.grace_ms);
    buf_text(into, "handlers:\n"
                   "  fulfil:\n"
                   "    exec: [");
    write_quoted(programs->append, into);
    buf_text(into, ", ");
    write_quoted(stage->handled, into);
    buf_text(into, "]\n"
                   "    retry: {first: 200ms, cap: 2s}\n");
}

static enum status
write_file(struct slice path, struct slice text, struct error *err)
{
    FILE *file = fopen(path.ptr, "we");
    bool written =
        file != NULL && fwrite(text.ptr, 1, text.len, file) == text.len;
    if (file != NULL && fclose(file) != 0) {
        written = false;
    }
    return written
               ? STATUS_OK
               : error_set(err, STATUS_IO, "%s: %s", path.ptr, strerror(errno));
}

static enum status
start_agent(struct demo_stage *stage, const struct programs *programs,
            uint64_t port, int listener, struct error *err)
{
    struct slice path;
    struct buf text = { 0 };
    write_configuration(stage, programs, port, &text);
    enum status status = buf_status(&text);
    if (status == STATUS_OK) {
        status = paths_join(stage->directory, slice_of("longstop.yaml"),
                            &stage->arena, &path);
    }
    if (status == STATUS_OK) {
        status = write_file(path, buf_slice(&text), err);
    }
    buf_fini(&text);
    if (status != STATUS_OK) {
        return status;
    }
    const char *const argv[] = { programs->agent.ptr, "run", "-c", path.ptr,
                                 NULL };
    const struct demo_child_spec spec = {
        .argv = argv, .out = -1, .log = stage->log_fd, .listener = listener
    };
    return demo_child_start(&spec, &stage->agent, err);
}

enum status
demo_stage_set(const struct demo_plan *plan, struct demo_stage *stage,
               struct error *err)
{
    *stage = (struct demo_stage){ .plan = *plan,
                                  .announcements = -1,
                                  .log_fd = -1,
                                  .heard = { .limit = HEARD_LIMIT } };
    struct programs programs;
    enum status status = find_programs(&stage->arena, &programs, err);
    if (status == STATUS_OK) {
        status = make_directory(stage, err);
    }
    int listener = -1;
    uint16_t hooks_port = 0;
    if (status == STATUS_OK) {
        status = make_listener(&listener, &hooks_port, err);
    }
    if (status != STATUS_OK) {
        return status;
    }
    uint64_t port = 0;
    status = start_provider(stage, &programs, hooks_port, err);
    if (status == STATUS_OK) {
        status = provider_port(stage, &port, err);
    }
    if (status == STATUS_OK) {
        status = start_agent(stage, &programs, port, listener, err);
    }
    (void)close(listener);
    return status;
}

bool
demo_stage_heard(struct demo_stage *stage, const char *line)
{
    char bytes[256];
    ssize_t got = read(stage->announcements, bytes, sizeof(bytes));
    if (got > 0) {
        buf_append(&stage->heard, (struct slice){ bytes, (size_t)got });
    }
    return slice_find_slice(buf_slice(&stage->heard), slice_of(line)) !=
           SIZE_MAX;
}

enum status
demo_stage_metrics(const struct demo_stage *stage, struct buf *into,
                   struct error *err)
{
    struct buf address = { 0 };
    unsigned http_status = 0;
    buf_format(&address, "unix:%s/admin.sock", stage->directory.ptr);
    const struct admin_client to = { .address = buf_slice(&address),
                                     .timeout_ms = METRICS_WAIT_MS };
    enum status status = buf_status(&address);
    if (status == STATUS_OK) {
        status =
            admin_client_ask(&to, "GET", "/metrics", &http_status, into, err);
    }
    buf_fini(&address);
    if (status == STATUS_OK && http_status != 200) {
        return error_set(err, STATUS_PROTOCOL,
                         "the agent answers %u when asked for its metrics",
                         http_status);
    }
    return status;
}

bool
demo_stage_stop(struct demo_stage *stage)
{
    bool orderly = demo_child_stop(&stage->agent, AGENT_END_MS);
    return demo_child_stop(&stage->provider, AGENT_END_MS) && orderly;
}

void
demo_stage_strike(struct demo_stage *stage, bool keep)
{
    if (stage->announcements >= 0) {
        (void)close(stage->announcements);
    }
    if (stage->log_fd >= 0) {
        (void)close(stage->log_fd);
    }
    if (!keep && stage->directory.len > 0) {
        scratch_remove(stage->directory.ptr);
    }
    buf_fini(&stage->heard);
    arena_fini(&stage->arena);
}
