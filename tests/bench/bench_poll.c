/* SPDX-License-Identifier: MIT */
/*
 * bench_poll: pages of a list through scanner, keys and ledger, one
 * transaction a page with the state of its walk, as source_poll and ingest
 * would do it.
 *
 *     bench_poll --config FILE --store sqlite:PATH --rows known|fresh
 *         [--by memory|http] [--seconds 3] [--pages 100]
 *
 * The first connector of FILE must read Stripe's lists.
 */
#include <pthread.h>
#include <stdbool.h>

#include "app/configuration.h"
#include "bench/bench.h"
#include "harness/loopback.h"
#include "io/http_client.h"
#include "io/loop.h"
#include "model/extract.h"
#include "store/store.h"

enum { ROWS = 100, PAGE_BYTES = ROWS * (BENCH_EVENT_BYTES + 1) + 128 };

struct reader {
    struct store *store;
    const struct connector *connector;
    struct arena arena;
    struct sighting sightings[ROWS];
    uint64_t rows;
    uint64_t fresh;
    /* The lists that are asked for, and which comes next. */
    char (*pages)[PAGE_BYTES];
    size_t page_bytes;
    size_t page_count;
    size_t at;
    /* By HTTP only. */
    struct loop *loop;
    struct http_client *client;
    char url[64];
    int64_t end_us;
};

static char series[16];

static void
require(enum status status, const struct error *err, const char *words)
{
    if (status != STATUS_OK) {
        bench_die(words, error_text(err, status));
    }
}

/* Renders the page whose first row is number `first`; returns its length. */
static size_t
render_page(char *into, uint64_t first)
{
    static const char head[] = "{\"object\":\"list\",\"data\":[";
    static const char tail[] = "],\"has_more\":true,\"url\":\"/v1/events\"}";
    int64_t base_s = (int64_t)time(NULL) - 86400;
    size_t len = sizeof(head) - 1;
    memcpy(into, head, len);
    for (uint64_t i = 0; i < ROWS; i++) {
        if (i > 0) {
            into[len++] = ',';
        }
        bench_event(into + len, series, first + i,
                    base_s + (int64_t)((first + i) / 100));
        len += BENCH_EVENT_BYTES;
    }
    memcpy(into + len, tail, sizeof(tail) - 1);
    return len + sizeof(tail) - 1;
}

static void
take_page(struct reader *reader, struct slice body)
{
    struct error err = { 0 };
    struct page page;
    struct http_fields none = { 0 };
    int64_t now_ms = (int64_t)time(NULL) * 1000;
    require(extract_page(reader->connector, body, none, &reader->arena, &page,
                         &err),
            &err, "extract_page");
    for (size_t i = 0; i < page.row_count; i++) {
        const struct row_view view = { .row = page.rows[i],
                                       .body = page.rows[i],
                                       .via = CHANNEL_POLL,
                                       .received_ms = now_ms };
        require(extract_row(reader->connector, &view, &reader->arena,
                            &reader->sightings[i], &err),
                &err, "extract_row");
    }
    struct store_walk walk = {
        .connector = reader->connector->id,
        .state = SLICE("{\"hw\":1790000000000,\"a\":1789999880000,"
                       "\"s\":1790000000000,\"page\":\"evt_0123456789\"}"),
    };
    struct store_unit unit = {
        .connector = reader->connector->id,
        .sightings = reader->sightings,
        .sighting_count = page.row_count,
        .walks = &walk,
        .walk_count = 1,
    };
    struct store_unit *const units[] = { &unit };
    require(reader->store->ops->apply(reader->store, units, 1, &err), &err,
            "apply");
    for (size_t i = 0; i < page.row_count; i++) {
        reader->fresh += reader->sightings[i].fresh ? 1 : 0;
    }
    reader->rows += page.row_count;
    arena_fini(&reader->arena);
}

static struct slice
next_page(struct reader *reader)
{
    struct slice page = { reader->pages[reader->at], reader->page_bytes };
    reader->at = (reader->at + 1) % reader->page_count;
    return page;
}

/* Returns rows a second; rendering is not counted. */
static double
read_from_memory(struct reader *reader, bool known, int64_t seconds)
{
    int64_t busy_us = 0;
    uint64_t first = reader->page_count * ROWS;
    int64_t end_us = bench_now_us() + seconds * 1000000;
    reader->rows = 0;
    reader->fresh = 0;
    while (bench_now_us() < end_us) {
        struct slice body = next_page(reader);
        if (!known) {
            body.len = render_page(reader->pages[0], first);
            body.ptr = reader->pages[0];
            first += ROWS;
        }
        int64_t begin_us = bench_now_us();
        take_page(reader, body);
        busy_us += bench_now_us() - begin_us;
    }
    return (double)reader->rows * 1e6 / (double)busy_us;
}

/* ---- through libcurl ---- */

static void
serve(struct loopback *server, int fd)
{
    struct reader *reader = server->arg;
    while (loopback_read(server, fd)) {
        char head[128];
        struct slice page = next_page(reader);
        int len = snprintf(head, sizeof(head),
                           "HTTP/1.1 200 OK\r\n"
                           "Content-Type: application/json\r\n"
                           "Content-Length: %zu\r\n\r\n",
                           page.len);
        if (!loopback_write(fd, head, (size_t)len) ||
            !loopback_write(fd, page.ptr, page.len)) {
            return;
        }
    }
}

static void ask(void *arg);

static void
answered(void *arg, enum status status, const struct http_reply *reply,
         const struct error *err)
{
    struct reader *reader = arg;
    require(status, err, "http");
    take_page(reader, reply->body);
    if (bench_now_us() >= reader->end_us) {
        loop_stop(reader->loop);
    } else if (loop_defer(reader->loop, ask, reader) != STATUS_OK) {
        bench_die("loop_defer", "out of memory");
    }
}

static void
ask(void *arg)
{
    struct reader *reader = arg;
    struct error err = { 0 };
    struct http_call *call;
    struct http_call_spec spec = {
        .method = SLICE("GET"),
        .url = slice_of(reader->url),
        .connect_timeout_ms = 10000,
        .timeout_ms = 30000,
        .stall_timeout_ms = 20000,
        .body_limit = PAGE_BYTES,
    };
    require(
        http_client_start(reader->client, &spec, answered, reader, &call, &err),
        &err, "http_client_start");
}

static double
read_by_http(struct reader *reader, int64_t seconds)
{
    static struct loopback server;
    struct error err = { 0 };
    struct http_client_settings settings = { .connections = 8,
                                             .connections_per_host = 1,
                                             .user_agent = "bench" };
    if (!loopback_start(&server, NULL, serve, reader)) {
        bench_die("cannot listen", "127.0.0.1");
    }
    (void)snprintf(reader->url, sizeof(reader->url),
                   "http://127.0.0.1:%u/v1/events", server.port);
    require(loop_create(&reader->loop), NULL, "loop");
    require(http_client_create(reader->loop, &settings, &reader->client, &err),
            &err, "http_client");
    int64_t begin_us = bench_now_us();
    reader->rows = 0;
    reader->fresh = 0;
    reader->end_us = begin_us + seconds * 1000000;
    require(loop_defer(reader->loop, ask, reader), NULL, "loop");
    loop_run(reader->loop);
    double took_us = (double)(bench_now_us() - begin_us);
    http_client_destroy(reader->client);
    loop_destroy(reader->loop);
    loopback_stop(&server);
    return (double)reader->rows * 1e6 / took_us;
}

int
main(int argc, char **argv)
{
    static struct reader reader;
    struct error err = { 0 };
    struct configuration configuration;
    struct store_settings settings = { .page_size = 4096 };
    int64_t seconds = bench_number(argc, argv, "--seconds", 3);
    bool known =
        strcmp(bench_text(argc, argv, "--rows", "known"), "known") == 0;
    bool by_http =
        strcmp(bench_text(argc, argv, "--by", "memory"), "http") == 0;
    (void)snprintf(series, sizeof(series), "%ld", (long)getpid());
    require(digest_init(&err), &err, "libcrypto");
    require(configuration_load(bench_text(argc, argv, "--config", NULL),
                               &configuration, &err),
            &err, "configuration");
    require(store_open(bench_text(argc, argv, "--store", "sqlite:bench.db"),
                       &settings, &reader.store, &err),
            &err, "open");
    if (configuration.connector_count == 0) {
        bench_die("configuration", "no connector");
    }
    struct connector *connector = &configuration.connectors[0];
    require(reader.store->ops->name(reader.store, STORE_CONNECTOR,
                                    connector->name, &connector->id, &err),
            &err, "name");
    reader.connector = connector;
    reader.page_count = (size_t)bench_number(argc, argv, "--pages", 100);
    reader.pages = calloc(reader.page_count, PAGE_BYTES);
    if (reader.pages == NULL || reader.page_count == 0) {
        bench_die("--pages", "out of memory");
    }
    for (size_t i = 0; i < reader.page_count; i++) {
        reader.page_bytes = render_page(reader.pages[i], i * ROWS);
        if (known) {
            take_page(&reader,
                      (struct slice){ reader.pages[i], reader.page_bytes });
        }
    }
    double rate = by_http ? read_by_http(&reader, seconds)
                          : read_from_memory(&reader, known, seconds);
    reader.store->ops->close(reader.store);
    configuration_fini(&configuration);
    (void)printf("{\"rate\":%.1f,\"rows\":%" PRIu64 ",\"fresh\":%" PRIu64 "}\n",
                 rate, reader.rows, reader.fresh);
    return 0;
}
