/* SPDX-License-Identifier: MIT */
#include "flow/links.h"

#include "base/instant.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/http_client.h"
#include "io/loop.h"
#include "model/fetch.h"
#include "model/quota.h"
#include "model/request.h"
#include "model/turned_away.h"
#include "wire/digest.h"
#include "wire/public_key.h"

/*
 * The happy path: the first request that wants a key starts the fetch, others
 * join it; what comes is read, kept, and all of them are told.
 *
 * What can go wrong: the fetch fails or brings no key (all are told, and for a
 * while whoever asks again is told the same without a fetch); too many wait, or
 * too much is asked for (STATUS_BUSY at once); the agent ends (all are told).
 */

/* A key, or that there is none for now. */
struct kept {
    struct list link; /* in links.kept, the one used last at the end */
    struct slice name;
    struct slice key; /* empty: it failed */
    bool was_good;    /* it was fetched once: asking again is nobody's trick */
    struct error why;
    int64_t until_ms;
    struct arena arena; /* holds the texts */
};

struct link_call {
    struct list link; /* in links.running */
    struct links *links;
    const struct connector *connector;
    bool is_key;
    const struct fetch_spec *jwk; /* of a key; NULL: a certificate */
    struct slice name;            /* of a key; else the URL */
    struct slice kid;
    struct http_call *call;
    struct list waiting;
    struct arena arena; /* holds the texts and the request */
};

enum { AGAIN_PART = 4 }; /* of `per_minute`: one in so many */

/* How often a connector may ask. Strangers can make names up as fast as they
 * like: a part is kept for names that come again, as those of real keys do. */
struct rate {
    struct quota any;
    struct quota again;
};

struct links {
    struct loop *loop;
    struct http_client *client;
    struct links_settings settings;
    struct rate *rates; /* one per connector */
    struct turned_away turned_away;
    struct list kept;
    int64_t kept_count;
    struct list running;
    int64_t waiting;
    bool stopped;
};

/* ---- what is kept ---- */

static void
forget(struct links *links, struct kept *kept)
{
    list_remove(&kept->link);
    links->kept_count--;
    arena_fini(&kept->arena);
    mem_free(kept);
}

/* Finds what is kept of a name. A key whose time is over stays known as one
 * that there was. */
static struct kept *
find_kept(struct links *links, struct slice name)
{
    const int64_t now_ms = loop_now_ms(links->loop);
    list_for_each_safe(at, &links->kept) {
        struct kept *kept = list_entry(at, struct kept, link);
        if (kept->until_ms <= now_ms && !kept->was_good) {
            forget(links, kept);
        } else if (slice_equal(kept->name, name)) {
            return kept;
        }
    }
    return NULL;
}

/* Makes room: what failed goes first, for anybody can make something fail, and
 * that must not drive out keys that are in use. */
static void
make_room(struct links *links)
{
    struct kept *oldest = NULL;
    struct kept *failed = NULL;
    if (links->kept_count < links->settings.keys) {
        return;
    }
    list_for_each(at, &links->kept) {
        struct kept *kept = list_entry(at, struct kept, link);
        oldest = oldest == NULL ? kept : oldest;
        failed = failed == NULL && !kept->was_good ? kept : failed;
    }
    failed = failed != NULL ? failed : oldest;
    if (failed != NULL) {
        forget(links, failed);
    }
}

/* Keeps what came of a call; where memory is short, nothing is kept. */
static void
keep(struct links *links, struct slice name, struct slice key,
     const struct error *why)
{
    struct kept *kept = mem_zero(sizeof(*kept));
    if (kept == NULL) {
        return;
    }
    if (arena_copy(&kept->arena, name, &kept->name) != STATUS_OK ||
        arena_copy(&kept->arena, key, &kept->key) != STATUS_OK) {
        arena_fini(&kept->arena);
        mem_free(kept);
        return;
    }
    struct kept *before = find_kept(links, name);
    kept->was_good = key.len > 0 || (before != NULL && before->was_good);
    if (before != NULL) {
        forget(links, before);
    }
    kept->why = *why;
    kept->until_ms = instant_add(loop_now_ms(links->loop),
                                 key.len > 0 ? links->settings.key_age_ms
                                             : links->settings.failure_ms);
    make_room(links);
    list_append(&links->kept, &kept->link);
    links->kept_count++;
}

enum status
links_find(struct links *links, struct slice name, struct slice *ret_key,
           struct error *err)
{
    struct kept *kept = find_kept(links, name);
    if (kept == NULL || kept->until_ms <= loop_now_ms(links->loop)) {
        return STATUS_NOT_FOUND;
    }
    list_remove(&kept->link);
    list_append(&links->kept, &kept->link);
    if (kept->key.len == 0) {
        return error_set(err, STATUS_UNAVAILABLE, "%s", kept->why.text);
    }
    *ret_key = kept->key;
    return STATUS_OK;
}

/* ---- the end of a call ---- */

static void
tell(struct link_call *call, enum status status, struct slice key,
     const struct error *err)
{
    for (struct list *at; (at = list_take(&call->waiting)) != NULL;) {
        struct link_wait *wait = list_entry(at, struct link_wait, link);
        call->links->waiting--;
        wait->done(wait->arg, status, key, err);
    }
    http_client_cancel(call->call);
    arena_fini(&call->arena);
    mem_free(call);
}

static enum status
read_key(const struct link_call *call, const struct http_reply *reply,
         struct buf *key, struct error *err)
{
    struct slice text = reply->body;
    if (call->jwk != NULL) {
        const struct fetch_answer answer = { reply->status, reply->fields,
                                             reply->body };
        enum status status =
            fetch_read(call->connector, call->jwk, &answer, &text, err);
        return status == STATUS_OK ? public_key_read(text, call->kid, key, err)
                                   : status;
    }
    return reply->status == 200
               ? public_key_read(text, call->kid, key, err)
               : error_set(err, STATUS_PROTOCOL, "HTTP %u", reply->status);
}

static void
take_key(struct link_call *call, enum status status,
         const struct http_reply *reply, const struct error *err)
{
    struct buf key = { 0 };
    struct error why = { "" };
    struct links *links = call->links;
    if (status == STATUS_OK) {
        status = read_key(call, reply, &key, &why);
    } else if (err != NULL) {
        why = *err;
    }
    if (status == STATUS_OK) {
        keep(links, call->name, buf_slice(&key), &why);
    } else {
        (void)error_wrap(&why, status, "key");
        LOG(LOG_WARN, "a key could not be fetched: its webhooks get 503",
            log_slice("connector", call->connector->name),
            log_slice("key", call->name), log_text("why", why.text));
        if (status != STATUS_NOMEM) {
            keep(links, call->name, slice_of(""), &why);
        }
        status = STATUS_UNAVAILABLE;
    }
    tell(call, status, buf_slice(&key), &why);
    buf_fini(&key);
}

static void
take_confirmation(struct link_call *call, enum status status,
                  const struct http_reply *reply, const struct error *err)
{
    struct error why = { "" };
    if (status != STATUS_OK) {
        why = *err;
    } else if (reply->status < 200 || reply->status > 299) {
        status = error_set(&why, STATUS_PROTOCOL, "HTTP %u", reply->status);
    }
    if (status == STATUS_OK) {
        LOG(LOG_INFO, "a subscription is confirmed",
            log_slice("connector", call->connector->name));
    } else {
        LOG(LOG_WARN, "a subscription could not be confirmed: it gets 503",
            log_slice("connector", call->connector->name),
            log_text("why", why.text));
    }
    tell(call, status, slice_of(""), &why);
}

static void
answer_came(void *arg, enum status status, const struct http_reply *reply,
            const struct error *err)
{
    struct link_call *call = arg;
    call->call = NULL;
    list_remove(&call->link);
    if (call->is_key) {
        take_key(call, status, reply, err);
    } else {
        take_confirmation(call, status, reply, err);
    }
}

/* ---- the beginning of one ---- */

static enum status
send_request(struct link_call *call, const struct rendered_request *request,
             bool is_foreign, struct error *err)
{
    const struct links_settings *settings = &call->links->settings;
    const struct http_call_spec spec = {
        .method = request->method,
        .url = request->url,
        .fields = request->fields,
        .body = request->body,
        .has_body = request->has_body,
        .user = request->user,
        .password = request->password,
        .connect_timeout_ms = settings->timeout_ms,
        .timeout_ms = settings->timeout_ms,
        .stall_timeout_ms = settings->timeout_ms,
        .body_limit = (size_t)settings->max_bytes,
        .public_only = is_foreign,
    };
    return http_client_start(call->links->client, &spec, answer_came, call,
                             &call->call, err);
}

/* Whether another request may wait, and be fetched for. */
static enum status
admit(struct links *links, struct error *err)
{
    if (links->stopped) {
        return error_set(err, STATUS_CANCELED, "the agent ends");
    }
    return links->waiting >= links->settings.waiting
               ? error_set(err, STATUS_BUSY,
                           "too many requests wait for a key (limits."
                           "key_waiting)")
               : STATUS_OK;
}

static enum status
admit_fetch(struct links *links, const struct connector *connector,
            struct slice name, struct error *err)
{
    struct rate *rate = &links->rates[connector - links->settings.connectors];
    const int64_t now_ms = loop_now_ms(links->loop);
    if (rate->again.count > 0 && turned_away_knows(&links->turned_away, name) &&
        quota_take(&rate->again, now_ms) == 0) {
        return STATUS_OK;
    }
    if (quota_take(&rate->any, now_ms) == 0) {
        return STATUS_OK;
    }
    turned_away_note(&links->turned_away, name);
    return error_set(err, STATUS_BUSY,
                     "too many keys were asked for (limits.key_fetches)");
}

static struct link_call *
make_call(struct links *links, const struct connector *connector,
          struct slice name, struct slice kid)
{
    struct link_call *call = mem_zero(sizeof(*call));
    if (call == NULL) {
        return NULL;
    }
    *call = (struct link_call){ .links = links, .connector = connector };
    list_init(&call->link);
    list_init(&call->waiting);
    if (arena_copy(&call->arena, name, &call->name) != STATUS_OK ||
        arena_copy(&call->arena, kid, &call->kid) != STATUS_OK) {
        arena_fini(&call->arena);
        mem_free(call);
        return NULL;
    }
    return call;
}

static void
join(struct link_call *call, struct link_wait *wait)
{
    list_append(&call->waiting, &wait->link);
    call->links->waiting++;
}

static struct link_call *
find_running(struct links *links, struct slice name)
{
    list_for_each(at, &links->running) {
        struct link_call *call = list_entry(at, struct link_call, link);
        if (call->is_key && slice_equal(call->name, name)) {
            return call;
        }
    }
    return NULL;
}

/* Sends what was rendered, or takes the call away again. */
static enum status
begin(struct link_call *call, enum status rendered,
      const struct rendered_request *request, bool is_foreign,
      struct link_wait *wait, struct error *err)
{
    enum status status = rendered;
    if (status == STATUS_OK) {
        status = send_request(call, request, is_foreign, err);
    }
    if (status != STATUS_OK) {
        arena_fini(&call->arena);
        mem_free(call);
        return status;
    }
    list_append(&call->links->running, &call->link);
    join(call, wait);
    return STATUS_OK;
}

enum status
links_bring(struct links *links, const struct connector *connector,
            const struct verify_want *want, struct link_wait *wait,
            struct error *err)
{
    struct rendered_request request;
    bool is_foreign = false;
    enum status status = admit(links, err);
    struct link_call *call = find_running(links, want->name);
    if (status == STATUS_OK && call != NULL) {
        join(call, wait);
        return STATUS_OK;
    }
    /* Whoever asks for keys that there are none of may use up what is allowed,
     * but not keep back one that was in use. */
    const struct kept *known = find_kept(links, want->name);
    if (status == STATUS_OK && (known == NULL || !known->was_good)) {
        status = admit_fetch(links, connector, want->name, err);
    }
    if (status != STATUS_OK) {
        return status;
    }
    call = make_call(links, connector, want->name, want->kid);
    if (call == NULL) {
        return error_set(err, STATUS_NOMEM, "out of memory");
    }
    call->is_key = true;
    call->jwk = want->jwk;
    status = want->jwk != NULL
                 ? request_for_key(connector, want->jwk, want->header,
                                   &call->arena, &request, err)
                 : request_for_link(connector, want->name, &call->arena,
                                    &request, &is_foreign, err);
    return begin(call, status, &request, is_foreign, wait, err);
}

enum status
links_confirm(struct links *links, const struct connector *connector,
              struct slice url, struct link_wait *wait, struct error *err)
{
    struct rendered_request request;
    bool is_foreign = false;
    enum status status = admit(links, err);
    if (status == STATUS_OK) {
        status = admit_fetch(links, connector, url, err);
    }
    if (status != STATUS_OK) {
        return status;
    }
    struct link_call *call =
        make_call(links, connector, url, (struct slice){ NULL, 0 });
    if (call == NULL) {
        return error_set(err, STATUS_NOMEM, "out of memory");
    }
    status = request_for_link(connector, url, &call->arena, &request,
                              &is_foreign, err);
    return begin(call, status, &request, is_foreign, wait, err);
}

/* ---- lifecycle ---- */

enum status
links_create(struct loop *loop, struct http_client *client,
             const struct links_settings *settings, struct links **ret)
{
    struct links *links = mem_zero(sizeof(*links));
    if (links == NULL) {
        return STATUS_NOMEM;
    }
    links->rates =
        mem_array(settings->connector_count + 1, sizeof(*links->rates));
    if (links->rates == NULL) {
        mem_free(links);
        return STATUS_NOMEM;
    }
    for (size_t i = 0; i < settings->connector_count; i++) {
        const int64_t again = settings->per_minute / AGAIN_PART;
        links->rates[i] = (struct rate){
            .any = { .count = settings->per_minute - again,
                     .per_ms = INSTANT_MINUTE_MS },
            .again = { .count = again, .per_ms = INSTANT_MINUTE_MS },
        };
    }
    links->loop = loop;
    links->client = client;
    links->settings = *settings;
    /* Without chance it works as well, until somebody finds two names that
     * share a place. */
    if (digest_random(links->turned_away.seed,
                      sizeof(links->turned_away.seed)) != STATUS_OK) {
        links->turned_away.seed[0] = (uintptr_t)links;
    }
    list_init(&links->kept);
    list_init(&links->running);
    *ret = links;
    return STATUS_OK;
}

void
links_stop(struct links *links)
{
    struct error why = { "" };
    if (links == NULL) {
        return;
    }
    (void)error_set(&why, STATUS_CANCELED, "the agent ends");
    links->stopped = true;
    for (struct list *at; (at = list_take(&links->running)) != NULL;) {
        tell(list_entry(at, struct link_call, link), STATUS_CANCELED,
             slice_of(""), &why);
    }
}

void
links_destroy(struct links *links)
{
    if (links == NULL) {
        return;
    }
    links_stop(links);
    list_for_each_safe(at, &links->kept) {
        forget(links, list_entry(at, struct kept, link));
    }
    turned_away_fini(&links->turned_away);
    mem_free(links->rates);
    mem_free(links);
}
