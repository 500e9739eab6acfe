/* SPDX-License-Identifier: MIT */
/*
 * admin_dashboard: the page at `/`, and what it is made of below `/assets/`.
 *
 * The page is asked for anew each time (304 while it is the same); its parts
 * have the build's hash in their path and are kept for good.
 */
#include "app/admin_private.h"

#include <stdio.h>

#include "app/dashboard.h"
#include "wire/gzip.h"

/* Nothing from elsewhere, nothing inline, in nobody's frame (CSP level 3). */
#define POLICY                                                                 \
    "default-src 'none'; script-src 'self'; style-src 'self'; "                \
    "connect-src 'self'; img-src 'self' data:; base-uri 'none'; "              \
    "form-action 'none'; frame-ancestors 'none'"

#define UNPACKED_MOST ((size_t)1 << 20)
#define RATIO_MOST    1000

/* Whether the page or part that the browser has is still the one. */
static bool
is_known(const struct http_request *request, struct slice tag)
{
    struct slice known;
    return http_field_find(request->fields, "If-None-Match", &known) &&
           slice_find_slice(known, tag) != SIZE_MAX;
}

/* The bytes as whoever asks can read them: into `plain` where that is not as
 * they are packed. */
static struct slice
bytes_for(const struct http_request *request, const struct dashboard_file *file,
          struct buf *plain)
{
    struct slice packed = { (const char *)file->packed, file->packed_bytes };
    struct slice accept;
    if (http_field_find(request->fields, "Accept-Encoding", &accept) &&
        http_field_accepts(accept, "gzip") > 0) {
        return packed;
    }
    enum status status = gzip_inflate(packed, UNPACKED_MOST, RATIO_MOST, plain);
    plain->failure = status == STATUS_OK ? plain->failure : status;
    return buf_slice(plain);
}

static void
answer_file(struct admin_ask *ask, const struct dashboard_file *file,
            const char *keep)
{
    char tag[80];
    struct buf plain = { 0 };
    struct slice bytes = bytes_for(ask->request, file, &plain);
    bool is_packed = bytes.ptr == (const char *)file->packed;
    (void)snprintf(tag, sizeof(tag), "\"%s%s\"", dashboard_build,
                   is_packed ? "" : "-plain");
    const struct http_field fields[] = {
        { SLICE("ETag"), slice_of(tag) },
        { SLICE("Cache-Control"), slice_of(keep) },
        { SLICE("Vary"), SLICE("Accept-Encoding") },
        { SLICE("Content-Security-Policy"), SLICE(POLICY) },
        { SLICE("Referrer-Policy"), SLICE("no-referrer") },
        { SLICE("Cross-Origin-Opener-Policy"), SLICE("same-origin") },
        { SLICE("Cross-Origin-Resource-Policy"), SLICE("same-origin") },
        { SLICE("Content-Encoding"), SLICE("gzip") }, /* the last: or not */
    };
    size_t count = sizeof(fields) / sizeof(fields[0]) - !is_packed;
    struct http_answer answer = {
        .status = 200,
        .content_type = slice_of(dashboard_media_type(slice_of(file->name))),
        .body = bytes,
        .fields = { fields, count },
    };
    if (buf_status(&plain) != STATUS_OK) {
        admin_answer_status(ask->exchange, buf_status(&plain), NULL);
    } else {
        if (is_known(ask->request, slice_of(tag))) {
            answer.status = 304;
            answer.body = (struct slice){ NULL, 0 };
        }
        http_exchange_answer(ask->exchange, &answer);
    }
    buf_fini(&plain);
}

static void
answer_page(struct admin_ask *ask)
{
    const struct dashboard_file *page = dashboard_find(slice_of("index.html"));
    PRE(page != NULL);
    answer_file(ask, page, "no-cache");
}

/* Of another build there is nothing: its page is asked for anew anyway. */
static void
answer_asset(struct admin_ask *ask)
{
    struct slice name = ask->segment;
    struct slice build;
    const struct dashboard_file *file = NULL;
    if (slice_split(&name, '/', &build) &&
        slice_equal_text(build, dashboard_build)) {
        file = dashboard_find(name);
    }
    if (file == NULL) {
        admin_answer_problem(ask->exchange, 404,
                             "there is no such part of the dashboard: load "
                             "the page anew");
        return;
    }
    answer_file(ask, file, "public, max-age=31536000, immutable");
}

static const struct admin_route routes[] = {
    { "GET", "/", answer_page },
    { "GET", "/assets/{+}", answer_asset },
};

const struct admin_table admin_dashboard_table = {
    routes, sizeof(routes) / sizeof(routes[0])
};
