/* SPDX-License-Identifier: MIT */
#include "flow/fill.h"

#include "base/instant.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/clock.h"
#include "io/loop.h"
#include "model/fetch.h"
#include "model/request.h"
#include "source/access.h"
#include "wire/json.h"

/*
 * The happy path: the first delivery of an event starts the request, others
 * join it; the answer becomes a whole event, which all of them are given.
 *
 * What can go wrong: the provider wants to be left alone (nothing is asked, the
 * deliveries go back until then); the answer is none (each delivery has failed
 * and tries again by its own plan, and the first to do so asks anew); the agent
 * ends (all are given back).
 */

/* A wait that the provider imposes is at least so long: it is spent in the
 * store, where it costs a transaction. */
#define AWAY_LEAST_MS INSTANT_SECOND_MS

static const char never_sent[] =
    "the provider was asked to send it again, and it has not come";
static const char is_gone[] = "its object is gone from the provider";

struct fill {
    struct list link; /* in fills.open, while others may join */
    struct fills *fills;
    const struct connector *connector;
    const struct fetch_spec *spec;
    struct event *event; /* as it came; our reference */
    struct arena arena;  /* of the request */
    struct access_call *call;
    struct list waiting;
    struct list told;
    bool telling;
    bool over; /* `result` is there */
    struct fill_result result;
    struct error why;
};

struct fills {
    struct loop *loop;
    struct access *access;
    const struct connector *connectors;
    fills_host_fn *host; /* NULL: no walks */
    void *host_arg;
    struct poll_host *hosts; /* for connectors without walks */
    struct list open;
};

/* ---- the end of one ---- */

static void
drop(struct fill *fill)
{
    if (fill->telling || !list_empty(&fill->waiting) ||
        !list_empty(&fill->told)) {
        return;
    }
    list_remove(&fill->link);
    access_cancel(fill->call);
    event_unref(fill->result.event);
    event_unref(fill->event);
    arena_fini(&fill->arena);
    mem_free(fill);
}

void
fill_leave(struct fill_wait *wait)
{
    struct fill *fill = wait->fill;
    if (fill == NULL) {
        return;
    }
    wait->fill = NULL;
    list_remove(&wait->link);
    drop(fill);
}

/* Tells all that wait. Only what is whole is kept for those that come later; a
 * failure is theirs alone. */
static void
tell(struct fill *fill)
{
    fill->over = true;
    fill->telling = true;
    if (fill->result.disposition != DISPOSITION_DONE && !fill->result.waits) {
        list_remove(&fill->link);
        list_init(&fill->link);
    }
    for (struct list *link; (link = list_take(&fill->waiting)) != NULL;) {
        struct fill_wait *wait = list_entry(link, struct fill_wait, link);
        list_append(&fill->told, link);
        wait->done(wait->arg, &fill->result);
    }
    fill->telling = false;
    drop(fill);
}

/* The words of what failed are those of the attempt. */
static void
fail(struct fill *fill, enum disposition disposition, enum status status,
     const struct error *err)
{
    bool asks_again = fill->event->needs == NEEDS_HOOK;
    (void)error_set(&fill->why, status, "%s: %s",
                    asks_again ? "redeliver" : "fetch",
                    error_text(err, status));
    fill->result.disposition = disposition;
    fill->result.detail = slice_of(fill->why.text);
    if (disposition == DISPOSITION_NEVER) {
        fill->result.reason = is_gone;
    } else if (asks_again && fill->event->asked_ms != 0) {
        fill->result.reason = never_sent;
    }
    tell(fill);
}

/* ---- the answer ---- */

static struct poll_host *
host_of(struct fills *fills, const struct connector *connector)
{
    struct poll_host *host = NULL;
    if (fills->host != NULL) {
        host = fills->host(fills->host_arg, connector);
    }
    return host != NULL ? host : &fills->hosts[connector - fills->connectors];
}

/* Keeps what the answer says of limits; true when it says only that. */
static bool
is_limited(struct fill *fill, const struct http_reply *reply)
{
    struct quota_advice advice = { 0 };
    struct slice body = { NULL, 0 };
    if (reply->status >= 400 &&
        json_check(reply->body, JSON_DEPTH_DEFAULT, NULL) == STATUS_OK) {
        body = reply->body;
    }
    if (quota_advise(fill->connector, reply->status, reply->fields, body,
                     clock_unix_ms(), &advice) != STATUS_OK) {
        return false;
    }
    poll_host_learn(host_of(fill->fills, fill->connector), &advice,
                    loop_now_ms(fill->fills->loop));
    if (advice.limited) {
        fill->result.not_before_ms = clock_unix_ms() + advice.wait_ms;
    }
    return advice.limited;
}

static struct fetch_answer
answer_of(const struct http_reply *reply)
{
    return (struct fetch_answer){ reply->status, reply->fields, reply->body };
}

/* Makes the whole event of the thin one and what was fetched. */
static enum status
make_whole(struct fill *fill, const struct http_reply *reply, struct error *err)
{
    struct event whole = *fill->event;
    const struct fetch_answer answer = answer_of(reply);
    enum status status =
        fetch_read(fill->connector, fill->spec, &answer, &whole.body, err);
    if (status != STATUS_OK) {
        return status;
    }
    whole.needs = NEEDS_NOTHING;
    whole.filled = FILLED_BY_FETCH;
    whole.content_type = slice_of("application/json");
    status = event_create(&whole, &fill->result.event);
    if (status == STATUS_OK) {
        fill->result.disposition = DISPOSITION_DONE;
    }
    return status;
}

/* The provider will send it: until then, or until its grace is over, there is
 * nothing to do. To ask for it the first time is no attempt, for nothing has
 * failed yet; so that even a handler that gets one attempt waits for it. */
static enum status
note_asked(struct fill *fill, const struct http_reply *reply, struct error *err)
{
    const struct fetch_answer answer = answer_of(reply);
    enum status status =
        fetch_accepted(fill->connector, fill->spec, &answer, err);
    if (status == STATUS_OK) {
        fill->result.disposition = DISPOSITION_LATER;
        fill->result.waits = true;
        fill->result.untried = fill->event->asked_ms == 0;
        fill->result.asked_ms = clock_unix_ms();
        fill->result.not_before_ms =
            fill->result.asked_ms + fill->connector->grace_ms;
        fill->result.reason = never_sent;
        fill->result.detail =
            slice_of("redeliver: it has not come, and was asked for again");
        LOG(LOG_INFO, "the provider was asked to send a webhook again",
            log_slice("connector", fill->connector->name),
            log_slice("event", fill->event->id));
    }
    return status;
}

static void
answer_came(void *arg, enum status status, const struct http_reply *reply,
            const struct error *err)
{
    struct fill *fill = arg;
    struct error words = { 0 };
    fill->call = NULL;
    if (status != STATUS_OK) {
        fail(fill, DISPOSITION_LATER, status, err);
        return;
    }
    fill->result.duration_ms = reply->duration_ms;
    if (is_limited(fill, reply)) {
        (void)error_set(&words, STATUS_BUSY, "HTTP %u, asked to wait",
                        reply->status);
        fail(fill, DISPOSITION_LATER, STATUS_BUSY, &words);
        return;
    }
    status = fill->event->needs == NEEDS_HOOK ? note_asked(fill, reply, &words)
                                              : make_whole(fill, reply, &words);
    if (status == STATUS_OK) {
        tell(fill);
        return;
    }
    bool is_over = status == STATUS_NOT_FOUND && fill->spec->gone == GONE_DEAD;
    fail(fill, is_over ? DISPOSITION_NEVER : DISPOSITION_LATER, status, &words);
}

/* ---- the request ---- */

static enum status
start(struct fill *fill, struct error *err)
{
    struct rendered_request request;
    enum status status = request_for_event(
        fill->connector, fill->spec, fill->event, &fill->arena, &request, err);
    if (status != STATUS_OK) {
        return status;
    }
    const struct http_call_spec call = access_spec(fill->connector, &request);
    const struct access_need need = { fill->connector, request.oauth };
    return access_start(fill->fills->access, &need, &call, answer_came, fill,
                        &fill->call, err);
}

/* Whether there is something to wait for before the provider is asked: its
 * host, or the webhook that was asked for already. */
static bool
must_wait(struct fill *fill)
{
    struct fill_result *result = &fill->result;
    int64_t now_ms = clock_unix_ms();
    int64_t again_ms =
        instant_add(fill->event->asked_ms, fill->connector->grace_ms);
    result->disposition = DISPOSITION_LATER;
    if (fill->event->needs == NEEDS_HOOK && fill->event->asked_ms != 0 &&
        now_ms < again_ms) {
        result->waits = true;
        result->untried = true;
        result->not_before_ms = again_ms;
        return true;
    }
    int64_t wait_ms = poll_host_take(host_of(fill->fills, fill->connector),
                                     loop_now_ms(fill->fills->loop));
    if (wait_ms > 0) {
        wait_ms = wait_ms < AWAY_LEAST_MS ? AWAY_LEAST_MS : wait_ms;
        result->untried = true;
        result->not_before_ms = now_ms + wait_ms;
    }
    return wait_ms > 0;
}

static struct fill *
find(struct fills *fills, uint64_t number)
{
    for (struct list *at = fills->open.next; at != &fills->open;
         at = at->next) {
        struct fill *fill = list_entry(at, struct fill, link);
        if (fill->event->number == number) {
            return fill;
        }
    }
    return NULL;
}

static void
begin(struct fill *fill)
{
    struct error err = { 0 };
    if (must_wait(fill)) {
        tell(fill);
        return;
    }
    enum status status = start(fill, &err);
    if (status != STATUS_OK) {
        fail(fill, DISPOSITION_LATER, status, &err);
    }
}

void
fills_bring(struct fills *fills, const struct connector *connector,
            struct event *event, struct fill_wait *wait)
{
    struct fill *fill = find(fills, event->number);
    bool is_new = fill == NULL;
    if (is_new) {
        fill = mem_zero(sizeof(*fill));
        if (fill == NULL) {
            const struct fill_result none = {
                .disposition = DISPOSITION_LATER,
                .detail = slice_of("fetch: out of memory"),
            };
            wait->done(wait->arg, &none);
            return;
        }
        fill->fills = fills;
        fill->connector = connector;
        fill->spec = fetch_spec_of(connector, event);
        fill->event = event_ref(event);
        list_init(&fill->waiting);
        list_init(&fill->told);
        list_append(&fills->open, &fill->link);
    }
    wait->fill = fill;
    list_append(fill->over ? &fill->told : &fill->waiting, &wait->link);
    if (fill->over) {
        wait->done(wait->arg, &fill->result);
    } else if (is_new) {
        begin(fill);
    }
}

static void
cancelled(void *arg)
{
    struct fill *fill = arg;
    fill->result.disposition = DISPOSITION_LATER;
    fill->result.untried = true;
    tell(fill);
}

/* Told in a turn of their own: whoever cancels may be past taking results. */
void
fills_cancel(struct fills *fills)
{
    for (struct list *at = fills->open.next; at != &fills->open;
         at = at->next) {
        struct fill *fill = list_entry(at, struct fill, link);
        if (fill->call != NULL) {
            access_cancel(fill->call);
            fill->call = NULL;
            if (loop_defer(fills->loop, cancelled, fill) != STATUS_OK) {
                return; /* the lease ends with the process */
            }
        }
    }
}

/* ---- lifecycle ---- */

enum status
fills_create(struct loop *loop, struct access *access,
             const struct connector *connectors, size_t count,
             struct fills **ret)
{
    struct fills *fills = mem_zero(sizeof(*fills));
    if (fills == NULL) {
        return STATUS_NOMEM;
    }
    fills->hosts = mem_array(count, sizeof(*fills->hosts));
    if (fills->hosts == NULL) {
        mem_free(fills);
        return STATUS_NOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        const struct limit_spec *limit = &connectors[i].poll.limit;
        poll_host_init(&fills->hosts[i],
                       (struct quota){ .count = limit->budget,
                                       .per_ms = limit->budget_per_ms });
    }
    fills->loop = loop;
    fills->access = access;
    fills->connectors = connectors;
    list_init(&fills->open);
    *ret = fills;
    return STATUS_OK;
}

void
fills_share(struct fills *fills, fills_host_fn *host, void *arg)
{
    fills->host = host;
    fills->host_arg = arg;
}

void
fills_destroy(struct fills *fills)
{
    if (fills == NULL) {
        return;
    }
    /* Cut off: whoever waited is never told. */
    for (struct list *link; (link = list_take(&fills->open)) != NULL;) {
        struct fill *fill = list_entry(link, struct fill, link);
        list_join(&fill->told, &fill->waiting);
        fill->telling = true;
        while (!list_empty(&fill->told)) {
            fill_leave(list_entry(fill->told.next, struct fill_wait, link));
        }
        fill->telling = false;
        drop(fill);
    }
    mem_free(fills->hosts);
    mem_free(fills);
}
