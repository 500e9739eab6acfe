/* SPDX-License-Identifier: MIT */
/*
 * cmd_tail: shows events and deliveries as they happen, until it is told to
 * end.
 */
#include <signal.h>
#include <stdio.h>

#include "app/admin_client.h"
#include "app/ask.h"
#include "app/commands.h"
#include "app/load.h"
#include "app/options.h"
#include "app/tail_line.h"
#include "io/clock.h"
#include "io/http_client.h"
#include "io/loop.h"
#include "wire/json.h"
#include "wire/sse.h"
#include "wire/url.h"

#define EVENT_BYTES ((size_t)1 << 20)
#define RETRY_MS    2000  /* until the agent says otherwise */
#define STALL_MS    60000 /* four of its heartbeats */

/*
 * The happy path: `connect` asks for the stream, `take` reads its events and
 * prints a line of each; a signal ends it.
 *
 * What can go wrong: there is no agent at first (69); it goes away later, or
 * cuts us off for taking too little: then it is asked again, behind the last
 * number that was seen, until it answers. What was lost meanwhile is said.
 */
struct tail {
    const struct ask *ask;
    struct buf path;
    bool json;
    struct loop *loop;
    struct http_client *client;
    struct http_stream stream;
    struct loop_signal *signals[2];
    struct loop_timer *retry;
    struct sse_reader reader;
    struct buf last; /* the number that was seen last */
    bool was_open;
    bool is_waiting; /* said that the agent is gone */
    enum exit_code code;
};

static void
end(struct tail *tail, enum exit_code code)
{
    tail->code = code;
    loop_stop(tail->loop);
}

static void
asked_to_end(void *arg)
{
    end(arg, EXIT_OK);
}

/* ---- what comes ---- */

static void
show(struct tail *tail, const struct sse_event *event)
{
    struct buf line = { 0 };
    if (slice_equal_text(event->type, "lost")) {
        (void)fprintf(stderr, "longstop tail: something in between was missed; "
                              "'longstop events' lists what is kept\n");
        return;
    }
    if (json_check(event->data, JSON_DEPTH_DEFAULT, NULL) != STATUS_OK ||
        json_type(event->data) != JSON_OBJECT) {
        return;
    }
    if (tail->json) {
        tail_json(event->type, event->data, &line);
    } else {
        tail_line(event->type, event->data, clock_unix_ms(), &line);
    }
    if (buf_status(&line) != STATUS_OK ||
        fwrite(slice_bytes(buf_slice(&line)), 1, line.len, stdout) !=
            line.len) {
        end(tail, EXIT_FAILED);
    }
    buf_fini(&line);
}

/* http_stream's `take`. */
static bool
take(void *arg, struct slice bytes)
{
    struct tail *tail = arg;
    struct sse_event event;
    enum status status;
    while ((status = sse_read(&tail->reader, &bytes, &event)) == STATUS_OK) {
        if (event.has_id) {
            buf_clear(&tail->last);
            buf_append(&tail->last, event.id);
        }
        if (event.has_data && !event.too_large) {
            show(tail, &event);
        }
    }
    if (status != STATUS_NOT_FOUND || fflush(stdout) != 0) {
        end(tail, EXIT_FAILED);
    }
    return true;
}

/* http_stream's `open`. */
static bool
open(void *arg, const struct http_reply *head)
{
    struct tail *tail = arg;
    if (head->status != 200) {
        return false;
    }
    if (tail->is_waiting) {
        (void)fprintf(stderr, "longstop tail: it answers again\n");
    }
    tail->was_open = true;
    tail->is_waiting = false;
    sse_end(&tail->reader);
    sse_begin(&tail->reader, EVENT_BYTES);
    return true;
}

/* ---- asking ---- */

static void
come_again(struct tail *tail)
{
    if (!tail->is_waiting) {
        (void)fprintf(stderr,
                      "longstop tail: the agent is gone; waiting for it\n");
        tail->is_waiting = true;
    }
    loop_timer_arm(tail->retry, tail->reader.retry_ms > 0
                                    ? tail->reader.retry_ms
                                    : RETRY_MS);
}

/* No stream came, or it broke off without an answer. */
static void
failed(struct tail *tail, enum status status, const struct error *err)
{
    if (tail->was_open) {
        come_again(tail);
    } else if (status == STATUS_UNAVAILABLE) {
        end(tail, ask_no_agent(tail->ask));
    } else {
        (void)fprintf(stderr, "longstop tail: %s\n", error_text(err, status));
        end(tail, load_exit_code(status));
    }
}

static void
over(void *arg, enum status status, const struct http_reply *reply,
     const struct error *err)
{
    struct tail *tail = arg;
    if (status != STATUS_OK) {
        failed(tail, status, err);
        return;
    }
    bool is_busy = reply->status == 503;
    if (reply->status != 200 && !(is_busy && tail->was_open)) {
        end(tail, ask_refused(tail->ask, reply->status, reply->body));
    } else {
        failed(tail, status, err);
    }
}

static void
connect(void *arg)
{
    struct tail *tail = arg;
    const struct admin_client to = {
        .address = tail->ask->configuration->places.admin_address,
        .token = tail->ask->configuration->admin_token,
        .tls = tail->ask->configuration->settings.admin.tls,
        .timeout_ms = STALL_MS,
    };
    struct admin_call texts = { 0 };
    struct http_call_spec spec;
    struct http_call *call;
    struct error err = { 0 };
    enum status status =
        admin_client_spec(&to, "GET", tail->path.ptr, &texts, &spec);
    if (status == STATUS_OK) {
        spec.stream = &tail->stream;
        spec.is_held = true;
        if (tail->last.len > 0) {
            texts.fields[spec.fields.count++] =
                (struct http_field){ SLICE("Last-Event-ID"),
                                     buf_slice(&tail->last) };
        }
        status =
            http_client_start(tail->client, &spec, over, tail, &call, &err);
    }
    admin_call_fini(&texts);
    if (status != STATUS_OK) {
        failed(tail, status, &err);
    }
}

/* ---- lifecycle ---- */

static enum status
prepare(struct tail *tail)
{
    const struct http_client_settings settings = { .connections = 1,
                                                   .connections_per_host = 1,
                                                   .user_agent = "longstop" };
    struct error err = { 0 };
    enum status status = loop_create(&tail->loop);
    status = status != STATUS_OK ? status
                                 : http_client_create(tail->loop, &settings,
                                                      &tail->client, &err);
    status = status != STATUS_OK
                 ? status
                 : loop_timer_create(tail->loop, connect, tail, &tail->retry);
    status = status != STATUS_OK
                 ? status
                 : loop_signal_create(tail->loop, SIGINT, asked_to_end, tail,
                                      &tail->signals[0]);
    status = status != STATUS_OK
                 ? status
                 : loop_signal_create(tail->loop, SIGTERM, asked_to_end, tail,
                                      &tail->signals[1]);
    return status != STATUS_OK ? status : buf_status(&tail->path);
}

static enum exit_code
run(struct tail *tail)
{
    enum status status = prepare(tail);
    tail->stream = (struct http_stream){ open, take };
    if (status == STATUS_OK) {
        loop_timer_arm(tail->retry, 0);
        loop_run(tail->loop);
    } else {
        (void)fprintf(stderr, "longstop tail: %s\n", status_text(status));
        tail->code = load_exit_code(status);
    }
    http_client_destroy(tail->client);
    loop_timer_destroy(tail->retry);
    loop_signal_destroy(tail->signals[0]);
    loop_signal_destroy(tail->signals[1]);
    loop_destroy(tail->loop);
    sse_end(&tail->reader);
    buf_fini(&tail->last);
    buf_fini(&tail->path);
    return tail->code;
}

static void
write_path(const struct filters *filters, struct buf *path)
{
    buf_text(path, "/api/v1/stream");
    /* an event goes to no handler yet */
    url_add_query(path, slice_of("topics"),
                  slice_of(filters->handler == NULL ? "events,deliveries"
                                                    : "deliveries"));
    filters_query(filters, path);
}

enum exit_code
cmd_tail(int argc, char **argv)
{
    const char *path = NULL;
    struct filters filters = { 0 };
    struct tail tail = { 0 };
    const struct option_spec options[] = {
        { "config", 'c', "FILE", "the configuration", &path, NULL },
        { "connector", 0, "NAME", "only of this one", &filters.connector,
          NULL },
        { "handler", 0, "NAME", "only deliveries to it", &filters.handler,
          NULL },
        { "type", 't', "GLOB", "only such types, as 'order.*'", &filters.type,
          NULL },
        { "json", 0, NULL, "a JSON object a line", NULL, &tail.json },
    };
    const struct command_spec spec = {
        .name = "tail",
        .operands = "",
        .summary = "Shows events as they come in and deliveries as they end, "
                   "until it is interrupted.\nWhen the agent is started anew "
                   "it goes on.",
        .examples = "  longstop tail --connector shop\n"
                    "  longstop tail --handler fulfil --json | jq .outcome\n",
        .options = options,
        .option_count = sizeof(options) / sizeof(options[0]),
    };
    char **operands;
    enum options_verdict verdict = options_parse(&spec, argc, argv, &operands);
    if (verdict != OPTIONS_OK) {
        return verdict == OPTIONS_HELP ? EXIT_OK : EXIT_USAGE;
    }
    struct configuration configuration;
    enum exit_code code = load_configuration_to_ask(path, &configuration);
    if (code == EXIT_OK) {
        const struct ask ask = { .configuration = &configuration,
                                 .command = spec.name };
        tail.ask = &ask;
        write_path(&filters, &tail.path);
        code = run(&tail);
        configuration_fini(&configuration);
    }
    return code;
}
