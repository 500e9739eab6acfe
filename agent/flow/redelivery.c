/* SPDX-License-Identifier: MIT */
#include "flow/redelivery.h"

#include "base/mem.h"
#include "io/http_client.h"
#include "io/loop.h"
#include "model/fetch.h"
#include "source/access.h"

/* A provider that links pages for ever is left. */
enum { PAGES_MOST = 100 };

struct redelivery {
    struct redelivery_settings settings;
    struct loop_timer *timer;
    struct access_call *call;
    struct arena arena; /* of the page, its rows and their requests */
    struct failed_page page;
    size_t at;
    size_t done;
    unsigned pages;
    struct slice url; /* of the page that is asked for */
    struct buf next;
};

static void advance(void *arg);

static void
end(struct redelivery *r, enum status status, const struct error *err)
{
    r->settings.ended(r->settings.arg, status, err);
}

static enum status
send_request(struct redelivery *r, const struct rendered_request *request,
             http_reply_fn *done, struct error *err)
{
    struct http_call_spec call = access_spec(r->settings.connector, request);
    call.is_once = request->has_body;
    const struct access_need need = { r->settings.connector, request->oauth };
    return access_start(r->settings.access, &need, &call, done, r, &r->call,
                        err);
}

/* ---- one row ---- */

static void
tell_row(struct redelivery *r, unsigned http_status, const char *why)
{
    const bool is_span = r->settings.span.until_ms > 0;
    const struct redelivery_row row = { is_span ? NULL : &r->page.rows[r->at],
                                        http_status, why };
    r->settings.row(r->settings.arg, &row);
    r->at++;
    r->done++;
}

static void
row_answered(void *arg, enum status status, const struct http_reply *reply,
             const struct error *err)
{
    struct redelivery *r = arg;
    struct error words = { 0 };
    unsigned http_status = 0;
    r->call = NULL;
    if (status == STATUS_OK) {
        http_status = reply->status;
        const struct connector *connector = r->settings.connector;
        const struct fetch_answer answer = { .status = reply->status,
                                             .fields = reply->fields,
                                             .body = reply->body };
        status = fetch_accepted(connector, &connector->recover.redeliver,
                                &answer, &words);
    } else {
        (void)error_set(&words, status, "%s", error_text(err, status));
    }
    if (http_status == 429 || http_status == 503) {
        end(r, STATUS_BUSY, &words);
        return;
    }
    tell_row(r, http_status, status == STATUS_OK ? NULL : words.text);
    if (r->settings.span.until_ms > 0) {
        end(r, STATUS_OK, NULL);
        return;
    }
    advance(r);
}

/* ---- a span ---- */

static void
ask_span(struct redelivery *r)
{
    struct rendered_request request;
    struct error err = { 0 };
    enum status status = failed_since(r->settings.connector, &r->settings.span,
                                      &r->arena, &request, &err);
    if (status == STATUS_OK && r->settings.asks) {
        status = send_request(r, &request, row_answered, &err);
        if (status == STATUS_OK) {
            return;
        }
    }
    if (status == STATUS_OK) {
        tell_row(r, 0, NULL);
    }
    end(r, status, &err);
}

/* Takes the next row; true when an answer has to be waited for. */
static bool
take_row(struct redelivery *r, enum status *ret_status, struct error *err)
{
    const struct failed_row *row = &r->page.rows[r->at];
    struct rendered_request request;
    if (r->settings.id.len > 0 && !slice_equal(row->id, r->settings.id)) {
        r->at++;
        return false;
    }
    if (!r->settings.asks) {
        tell_row(r, 0, NULL);
        return false;
    }
    *ret_status =
        failed_again(r->settings.connector, row, &r->arena, &request, err);
    if (*ret_status == STATUS_OK) {
        *ret_status = send_request(r, &request, row_answered, err);
    }
    return *ret_status == STATUS_OK;
}

/* ---- one page ---- */

static void
page_answered(void *arg, enum status status, const struct http_reply *reply,
              const struct error *err)
{
    struct redelivery *r = arg;
    struct error words = { 0 };
    r->call = NULL;
    if (status != STATUS_OK) {
        end(r, status, err);
        return;
    }
    if (reply->status < 200 || reply->status > 299) {
        status = reply->status == 429 || reply->status == 503 ? STATUS_BUSY
                 : reply->status == 401 || reply->status == 403
                     ? STATUS_DENIED
                     : STATUS_PROTOCOL;
        (void)error_set(&words, status, "the provider answered %u",
                        reply->status);
        end(r, status, &words);
        return;
    }
    r->at = 0;
    const struct failed_answer answer = { reply->fields, reply->body, r->url };
    status = failed_read(r->settings.connector, &answer, &r->arena, &r->page,
                         &words);
    buf_clear(&r->next);
    buf_append(&r->next, r->page.next);
    status = status == STATUS_OK ? buf_status(&r->next) : status;
    if (status != STATUS_OK) {
        end(r, status, &words);
        return;
    }
    advance(r);
}

static enum status
ask_page(struct redelivery *r, struct error *err)
{
    struct rendered_request request;
    struct buf next = r->next;
    arena_fini(&r->arena);
    r->page = (struct failed_page){ 0 };
    r->at = 0;
    enum status status = failed_list(r->settings.connector, buf_slice(&next),
                                     &r->arena, &request, err);
    if (status == STATUS_OK) {
        r->url = request.url;
        r->pages++;
        status = send_request(r, &request, page_answered, err);
    }
    return status;
}

/* Goes on until an answer has to be waited for, or to the end. */
static void
advance(void *arg)
{
    struct redelivery *r = arg;
    struct error err = { 0 };
    if (r->settings.span.until_ms > 0) {
        ask_span(r);
        return;
    }
    enum status status = STATUS_OK;
    const bool is_found = r->settings.id.len > 0;
    while (r->at < r->page.count && status == STATUS_OK) {
        if (r->done == r->settings.most || (is_found && r->done > 0)) {
            break;
        }
        if (take_row(r, &status, &err)) {
            return;
        }
    }
    const bool goes_on =
        r->pages == 0 ||
        (r->next.len > 0 && r->pages < PAGES_MOST &&
         r->done < r->settings.most && !(is_found && r->done > 0));
    if (status == STATUS_OK && goes_on) {
        status = ask_page(r, &err);
        if (status == STATUS_OK) {
            return;
        }
    }
    end(r, status, &err);
}

enum status
redelivery_start(const struct redelivery_settings *settings,
                 struct redelivery **ret, struct error *err)
{
    struct redelivery *r = mem_zero(sizeof(*r));
    if (r == NULL) {
        return error_set(err, STATUS_NOMEM, "out of memory");
    }
    r->settings = *settings;
    enum status status =
        loop_timer_create(settings->loop, advance, r, &r->timer);
    if (status != STATUS_OK) {
        redelivery_destroy(r);
        return error_set(err, status, "%s", status_text(status));
    }
    loop_timer_arm(r->timer, 0);
    *ret = r;
    return STATUS_OK;
}

void
redelivery_destroy(struct redelivery *r)
{
    if (r == NULL) {
        return;
    }
    access_cancel(r->call);
    loop_timer_destroy(r->timer);
    buf_fini(&r->next);
    arena_fini(&r->arena);
    mem_free(r);
}
