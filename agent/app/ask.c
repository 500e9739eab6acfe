/* SPDX-License-Identifier: MIT */
#include "app/ask.h"

#include <stdio.h>

#include "app/admin_client.h"
#include "app/load.h"
#include "app/told.h"
#include "wire/encode.h"
#include "wire/json.h"
#include "wire/url.h"

#define TIMEOUT_MS (5 * INSTANT_MINUTE_MS)
#define PAGE_MOST  ((size_t)1000)
#define PAGES_MOST 10000

static const struct slice no_body = SLICE("");

static enum exit_code
say(const struct ask *ask, enum exit_code code, const char *words)
{
    (void)fprintf(stderr, "longstop %s: %s\n", ask->command, words);
    return code;
}

enum exit_code
ask_no_agent(const struct ask *ask)
{
    if (ask->does_alone) {
        return EXIT_UNAVAILABLE;
    }
    (void)fprintf(stderr,
                  "longstop %s: no agent answers on %.*s (admin.address in "
                  "%.*s): start one with 'longstop run'\n",
                  ask->command,
                  SLICE_ARG(ask->configuration->places.admin_address),
                  SLICE_ARG(ask->configuration->path));
    return EXIT_UNAVAILABLE;
}

/* The title of a problem says it in words. */
enum exit_code
ask_refused(const struct ask *ask, unsigned http_status, struct slice body)
{
    static const struct {
        unsigned http_status;
        enum exit_code code;
    } rows[] = {
        { 400, EXIT_USAGE },  { 401, EXIT_DENIED }, { 403, EXIT_DENIED },
        { 404, EXIT_FAILED }, { 500, EXIT_STORE },  { 503, EXIT_LATER },
    };
    enum exit_code code =
        http_status == 422 && ask->reloads ? EXIT_CONFIG : EXIT_FAILED;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        code = rows[i].http_status == http_status ? rows[i].code : code;
    }
    struct arena arena = { 0 };
    struct buf words = { 0 };
    if (http_status == 401) {
        buf_text(&words, "the agent asks for another token: admin.token in the "
                         "configuration it was started with");
    } else if (json_check(body, JSON_DEPTH_DEFAULT, NULL) == STATUS_OK &&
               json_type(body) == JSON_OBJECT) {
        told_plain(told_text(body, "title", &arena), &words);
    }
    if (words.len == 0) {
        buf_format(&words, "the agent answered HTTP %u", http_status);
    }
    (void)say(ask, code, buf_slice(&words).ptr);
    buf_fini(&words);
    arena_fini(&arena);
    return code;
}

enum exit_code
ask_agent(const struct ask *ask, const char *method, const char *path,
          struct slice body, struct buf *into)
{
    const struct admin_client to = {
        .address = ask->configuration->places.admin_address,
        .token = ask->configuration->admin_token,
        .tls = ask->configuration->settings.admin.tls,
        .timeout_ms = ask->timeout_ms > 0 ? ask->timeout_ms : TIMEOUT_MS,
        .body = body,
    };
    struct error err = { 0 };
    unsigned http_status = 0;
    enum status status =
        admin_client_ask(&to, method, path, &http_status, into, &err);
    if (status == STATUS_UNAVAILABLE) {
        return ask_no_agent(ask);
    }
    if (status != STATUS_OK) {
        return say(ask, load_exit_code(status), error_text(&err, status));
    }
    if (http_status < 200 || http_status > 299) {
        return ask_refused(ask, http_status, buf_slice(into));
    }
    if (json_check(buf_slice(into), JSON_DEPTH_DEFAULT + 4, &err) !=
            STATUS_OK ||
        json_type(buf_slice(into)) != JSON_OBJECT) {
        return say(ask, EXIT_FAILED, "the agent's answer is no JSON");
    }
    return EXIT_OK;
}

/* ---- pages ---- */

/* All pages, as one grows. */
struct pages {
    struct buf items;
    size_t count;
    size_t limit;
    struct buf cursor; /* of the next page; empty: there is none */
};

static void
take_page(struct pages *pages, struct slice body)
{
    struct slice items = told_array(body, "items");
    struct slice item;
    struct arena arena = { 0 };
    size_t at = 0;
    while (json_next_element(items, &at, &item)) {
        buf_text(&pages->items, pages->count == 0 ? "" : ",");
        json_compact(item, &pages->items);
        pages->count++;
    }
    buf_clear(&pages->cursor);
    buf_append(&pages->cursor, told_text(body, "next_cursor", &arena));
    arena_fini(&arena);
}

static enum exit_code
ask_page(const struct ask *ask, const char *path, struct pages *pages)
{
    struct buf url = { 0 };
    struct buf body = { 0 };
    char limit[24];
    size_t want = pages->limit - pages->count;
    (void)snprintf(limit, sizeof(limit), "%zu",
                   want < PAGE_MOST ? want : PAGE_MOST);
    buf_text(&url, path);
    url_add_query(&url, slice_of("limit"), slice_of(limit));
    if (pages->cursor.len > 0) {
        url_add_query(&url, slice_of("cursor"), buf_slice(&pages->cursor));
    }
    enum exit_code code =
        buf_status(&url) != STATUS_OK
            ? say(ask, EXIT_FAILED, status_text(buf_status(&url)))
            : ask_agent(ask, "GET", url.ptr, no_body, &body);
    if (code == EXIT_OK) {
        take_page(pages, buf_slice(&body));
    }
    buf_fini(&url);
    buf_fini(&body);
    return code;
}

enum exit_code
ask_pages(const struct ask *ask, const char *path, size_t limit,
          struct buf *into)
{
    struct pages pages = { .limit = limit };
    enum exit_code code = EXIT_OK;
    for (int i = 0; i < PAGES_MOST && code == EXIT_OK; i++) {
        code = ask_page(ask, path, &pages);
        if (pages.count >= limit || pages.cursor.len == 0) {
            break;
        }
    }
    buf_text(into, "{\"items\":[");
    buf_append(into, buf_slice(&pages.items));
    buf_text(into, "],\"next_cursor\":");
    if (pages.cursor.len > 0) {
        buf_json(into, buf_slice(&pages.cursor));
    } else {
        buf_text(into, "null");
    }
    buf_text(into, "}\n");
    if (code == EXIT_OK && (buf_status(&pages.items) != STATUS_OK ||
                            buf_status(into) != STATUS_OK)) {
        code = say(ask, EXIT_FAILED, status_text(STATUS_NOMEM));
    }
    buf_fini(&pages.items);
    buf_fini(&pages.cursor);
    return code;
}

enum exit_code
ask_print(const struct ask *ask, enum exit_code code, struct buf *body,
          const struct ask_form *form)
{
    struct buf text = { 0 };
    struct slice bytes = buf_slice(body);
    if (code == EXIT_OK && !form->json) {
        form->text(bytes, form->arg, &text);
        bytes = buf_slice(&text);
    }
    if (code == EXIT_OK && buf_status(&text) != STATUS_OK) {
        code = say(ask, EXIT_FAILED, status_text(buf_status(&text)));
    }
    if (code == EXIT_OK &&
        fwrite(slice_bytes(bytes), 1, bytes.len, stdout) != bytes.len) {
        code = EXIT_FAILED;
    }
    buf_fini(&text);
    buf_fini(body);
    return code;
}

enum exit_code
ask_list(const struct ask *ask, const char *path, const struct filters *filters,
         const struct ask_most *most, const struct ask_form *form)
{
    struct buf url = { 0 };
    struct buf body = { 0 };
    uint64_t limit = most->otherwise;
    if (most->given != NULL &&
        (slice_to_u64(slice_of(most->given), &limit) != STATUS_OK ||
         limit == 0 || limit > ASK_LIST_MOST)) {
        (void)fprintf(stderr,
                      "longstop %s: --limit: a number from 1 to %d is wanted\n",
                      ask->command, ASK_LIST_MOST);
        return EXIT_USAGE;
    }
    buf_text(&url, path);
    filters_query(filters, &url);
    enum exit_code code =
        buf_status(&url) != STATUS_OK
            ? say(ask, EXIT_FAILED, status_text(buf_status(&url)))
            : ask_pages(ask, url.ptr, (size_t)limit, &body);
    buf_fini(&url);
    return ask_print(ask, code, &body, form);
}

enum exit_code
ask_show(const struct ask *ask, struct buf *path, const struct ask_form *form)
{
    struct buf body = { 0 };
    enum exit_code code =
        buf_status(path) != STATUS_OK
            ? say(ask, EXIT_FAILED, status_text(buf_status(path)))
            : ask_agent(ask, "GET", path->ptr, no_body, &body);
    buf_fini(path);
    return ask_print(ask, code, &body, form);
}
