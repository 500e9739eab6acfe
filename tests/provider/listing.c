/* SPDX-License-Identifier: MIT */
#include "listing.h"

#include <stdio.h>

#include "base/instant.h"
#include "base/mem.h"
#include "base/prng.h"
#include "io/clock.h"
#include "io/http_server.h"
#include "orders.h"
#include "showing.h"
#include "wire/digest.h"
#include "wire/encode.h"
#include "wire/timefmt.h"
#include "wire/url.h"

struct listing {
    struct http_server *server;
    struct listing_settings settings;
    struct orders *orders;
    struct showing *showing;
    struct prng prng;
    int64_t limited_ms; /* the last 429; 0: none yet */
};

/* An answer being put together; the fields point into the bufs. */
struct page {
    struct buf body;
    struct buf date;
    struct buf link;
    struct buf etag;
    struct http_field fields[4];
    size_t field_count;
};

static void
add_field(struct page *page, const char *name, struct slice value)
{
    page->fields[page->field_count++] =
        (struct http_field){ slice_of(name), value };
}

static void
page_fini(struct page *page)
{
    buf_fini(&page->body);
    buf_fini(&page->date);
    buf_fini(&page->link);
    buf_fini(&page->etag);
}

static void
answer(struct http_exchange *exchange, struct page *page, unsigned status)
{
    struct http_answer answer = {
        .status = status,
        .content_type = SLICE("application/json"),
        .body = buf_slice(&page->body),
        .fields = { page->fields, page->field_count },
    };
    http_exchange_answer(exchange, &answer);
}

static void
refuse(struct http_exchange *exchange, struct page *page, unsigned status,
       const char *why)
{
    buf_clear(&page->body);
    buf_format(&page->body, "{\"error\":\"%s\"}", why);
    answer(exchange, page, status);
}

/* Where a page begins, and how it was asked for. */
struct place {
    int64_t since_ms;
    int64_t after_ms; /* the page begins behind this fact; -1: at since_ms */
    uint64_t after_order;
};

static enum status
read_place(const struct http_request *request, struct arena *arena,
           struct place *ret)
{
    *ret = (struct place){ .after_ms = -1 };
    struct slice value;
    enum status status =
        url_query_value(request->query, slice_of("since"), arena, &value);
    if (status == STATUS_OK) {
        status = timefmt_read(TIMEFMT_AUTO, value, &ret->since_ms);
    }
    if (status != STATUS_OK && status != STATUS_NOT_FOUND) {
        return status;
    }
    status = url_query_value(request->query, slice_of("after"), arena, &value);
    if (status != STATUS_OK) {
        return status == STATUS_NOT_FOUND ? STATUS_OK : status;
    }
    struct slice stamp;
    if (!slice_split(&value, '-', &stamp) || value.ptr == NULL) {
        return STATUS_INVALID;
    }
    status = slice_to_i64(stamp, &ret->after_ms);
    if (status == STATUS_OK) {
        status = slice_to_u64(value, &ret->after_order);
    }
    return status;
}

static void
write_link(const struct listing *listing, const struct http_request *request,
           const struct place *place, const struct fact *last,
           struct page *page)
{
    struct slice host = SLICE("localhost");
    PRE(last != NULL); /* a full page has rows */
    (void)http_field_find(request->fields, "Host", &host);
    buf_format(&page->link, "<http://%.*s/v1/orders?since=", SLICE_ARG(host));
    orders_stamp(listing->orders, place->since_ms, &page->link);
    buf_format(&page->link, "&after=%lld-%llu>; rel=\"next\"",
               (long long)last->updated_ms, (unsigned long long)last->order);
    add_field(page, "Link", buf_slice(&page->link));
}

/* Returns whether another page follows. */
static bool
write_rows(const struct listing *listing, const struct http_request *request,
           const struct place *place, int64_t now_ms, struct page *page)
{
    struct orders *orders = listing->orders;
    size_t at = place->after_ms < 0 ? orders_find(orders, place->since_ms, 0)
                                    : orders_find(orders, place->after_ms,
                                                  place->after_order + 1);
    const struct fact *last = NULL;
    int64_t rows = 0;
    bool more = false;
    buf_text(&page->body, "{\"orders\":[");
    for (; at < orders_count(orders); at++) {
        const struct fact *fact = orders_at(orders, at);
        if (fact->listed_ms > now_ms) {
            continue;
        }
        if (rows == listing->settings.page_size) {
            more = true;
            break;
        }
        if (rows++ > 0) {
            buf_byte(&page->body, ',');
        }
        orders_row(orders, fact, &page->body);
        last = fact;
        if (orders_show(orders, at)) {
            showing_fact(listing->showing, fact);
        }
    }
    buf_text(&page->body, "]}");
    more = more || (listing->settings.trailing && rows > 0);
    if (more) {
        write_link(listing, request, place, last, page);
    }
    return more;
}

/* Returns whether the asker has this very page already. */
static bool
write_etag(const struct http_request *request, struct page *page)
{
    unsigned char digest[32];
    if (digest_sha256(buf_slice(&page->body), digest) != STATUS_OK) {
        return false;
    }
    buf_byte(&page->etag, '"');
    encode_hex((struct slice){ (const char *)digest, 8 }, &page->etag);
    buf_byte(&page->etag, '"');
    add_field(page, "ETag", buf_slice(&page->etag));
    struct slice known;
    return http_field_find(request->fields, "If-None-Match", &known) &&
           slice_equal(known, buf_slice(&page->etag));
}

static bool
is_allowed(const struct listing *listing, const struct http_request *request)
{
    struct slice given;
    struct slice scheme = SLICE("Bearer ");
    return http_field_find(request->fields, "Authorization", &given) &&
           slice_starts(given, scheme) &&
           encode_same_secret(slice_from(given, scheme.len),
                              slice_of(listing->settings.token));
}

static void
write_date(int64_t now_ms, struct page *page)
{
    struct buf *into = &page->date;
    timefmt_write(TIMEFMT_RFC2822, now_ms, into);
    /* the same form but for the zone's name (RFC 9110 §5.6.7) */
    if (into->len > 5) {
        buf_truncate(into, into->len - 5);
        buf_text(into, "GMT");
    }
    add_field(page, "Date", buf_slice(into));
}

/* By chance, and by how long ago the last time was: whoever has waited as long
 * as he was told need not be told so again. */
static bool
is_limited(struct listing *listing, int64_t now_ms)
{
    const struct listing_settings *s = &listing->settings;
    bool unlucky =
        (int64_t)prng_below(&listing->prng, 100) < s->limited_percent;
    if (!unlucky || (listing->limited_ms != 0 &&
                     now_ms - listing->limited_ms < s->limit_rest_ms)) {
        return false;
    }
    listing->limited_ms = now_ms;
    return true;
}

/* Answers with the rows of the place that is asked for. */
static void
show_orders(struct listing *listing, struct http_exchange *exchange,
            int64_t now_ms, struct page *page)
{
    const struct http_request *request = http_exchange_request(exchange);
    struct arena arena = { 0 };
    struct place place;
    enum status status = read_place(request, &arena, &place);
    arena_fini(&arena);
    if (status != STATUS_OK) {
        refuse(exchange, page, 400, "since is no time");
        return;
    }
    bool more = write_rows(listing, request, &place,
                           now_ms + listing->settings.skew_ms, page);
    const struct showing_page shown = { .first = place.after_ms < 0,
                                        .last = !more };
    showing_answered(listing->showing, &shown, now_ms);
    bool known = write_etag(request, page);
    if (buf_status(&page->body) != STATUS_OK) {
        refuse(exchange, page, 503, "out of memory");
        return;
    }
    answer(exchange, page, known ? 304 : 200);
}

static void
list_orders(struct listing *listing, struct http_exchange *exchange,
            struct page *page)
{
    static const struct showing_page no_page = { 0 };
    const struct http_request *request = http_exchange_request(exchange);
    int64_t now_ms = clock_unix_ms();
    write_date(now_ms + listing->settings.skew_ms, page);
    showing_asked(listing->showing, now_ms);
    if (!is_allowed(listing, request)) {
        refuse(exchange, page, 401, "the token is not ours");
    } else if (is_limited(listing, now_ms)) {
        showing_answered(listing->showing, &no_page, now_ms);
        add_field(page, "Retry-After", slice_of("1"));
        refuse(exchange, page, 429, "slow down");
    } else {
        show_orders(listing, exchange, now_ms, page);
    }
}

static unsigned
on_head(void *arg, const struct http_request *request, struct slice peer,
        size_t *body_limit, struct http_answer *refusal)
{
    (void)arg;
    (void)peer;
    (void)refusal;
    *body_limit = 0;
    if (!slice_equal_text(request->path, "/v1/orders")) {
        return 404;
    }
    return slice_equal_text(request->method, "GET") ? 0 : 405;
}

static void
on_request(void *arg, struct http_exchange *exchange)
{
    struct page page = { 0 };
    list_orders(arg, exchange, &page);
    page_fini(&page);
}

enum status
listing_create(struct loop *loop, const struct listing_settings *s,
               struct orders *orders, struct showing *showing,
               struct listing **ret, struct error *err)
{
    struct listing *listing = mem_zero(sizeof(*listing));
    if (listing == NULL) {
        return STATUS_NOMEM;
    }
    listing->settings = *s;
    listing->orders = orders;
    listing->showing = showing;
    listing->prng.state = s->seed;
    const struct http_server_limits limits = {
        .request = { .head_bytes = 16384, .field_count = 100 },
        .connections = 1000,
        .connections_per_address = 1000,
        .head_timeout_ms = 10 * INSTANT_SECOND_MS,
        .body_timeout_ms = 10 * INSTANT_SECOND_MS,
        .idle_timeout_ms = 75 * INSTANT_SECOND_MS,
        .write_timeout_ms = 30 * INSTANT_SECOND_MS,
    };
    const struct http_server_handler handler = {
        .arg = listing,
        .head = on_head,
        .request = on_request,
    };
    enum status status = http_server_create(loop, s->address, 0600, &limits,
                                            &handler, &listing->server, err);
    if (status != STATUS_OK) {
        mem_free(listing);
        return status;
    }
    *ret = listing;
    return STATUS_OK;
}

void
listing_destroy(struct listing *listing)
{
    if (listing == NULL) {
        return;
    }
    http_server_destroy(listing->server);
    mem_free(listing);
}

uint16_t
listing_port(const struct listing *listing)
{
    return http_server_port(listing->server);
}
