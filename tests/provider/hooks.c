/* SPDX-License-Identifier: MIT */
#include "hooks.h"

#include <stdio.h>

#include "base/list.h"
#include "base/mem.h"
#include "base/prng.h"
#include "io/clock.h"
#include "io/http_client.h"
#include "io/loop.h"
#include "journal.h"
#include "orders.h"
#include "wire/digest.h"
#include "wire/encode.h"

#define ATTEMPTS         6
#define FIRST_RETRY_MS   200
#define CONNECTIONS      32
#define ANSWER_LIMIT     4096
#define ANSWER_WAIT_MS   5000
#define DELIVERY_ID_ROOM 48

struct hooks {
    struct loop *loop;
    struct http_client *client;
    struct hooks_settings settings;
    const struct orders *orders;
    struct journal *journal;
    struct prng prng;
    struct list all;
    size_t count;
    size_t facts; /* seen so far */
    uint64_t last_delivery;
};

/* One webhook on its way. */
struct hook {
    struct list link;
    struct hooks *hooks;
    struct fact fact;
    struct loop_timer *timer;
    struct http_call *call;
    struct buf body;
    struct buf signature;
    char delivery[DELIVERY_ID_ROOM];
    char sent_at[24];
    unsigned attempts;
    int64_t sent_ms; /* the first of them */
    bool waits;      /* until the list has shown the fact */
};

static void hook_try(void *arg);

enum status
hooks_create(struct loop *loop, const struct hooks_settings *s,
             const struct orders *orders, struct journal *journal,
             struct hooks **ret, struct error *err)
{
    struct hooks *hooks = mem_zero(sizeof(*hooks));
    if (hooks == NULL) {
        return STATUS_NOMEM;
    }
    hooks->loop = loop;
    hooks->settings = *s;
    hooks->orders = orders;
    hooks->journal = journal;
    hooks->prng.state = s->seed;
    list_init(&hooks->all);
    const struct http_client_settings client = {
        .connections = CONNECTIONS,
        .connections_per_host = CONNECTIONS,
        .user_agent = "PetStore-Hooks/1",
    };
    enum status status = http_client_create(loop, &client, &hooks->client, err);
    if (status != STATUS_OK) {
        mem_free(hooks);
        return status;
    }
    *ret = hooks;
    return STATUS_OK;
}

static void
hook_destroy(struct hook *hook)
{
    http_client_cancel(hook->call);
    list_remove(&hook->link);
    hook->hooks->count--;
    loop_timer_destroy(hook->timer);
    buf_fini(&hook->body);
    buf_fini(&hook->signature);
    mem_free(hook);
}

void
hooks_destroy(struct hooks *hooks)
{
    if (hooks == NULL) {
        return;
    }
    list_for_each_safe(at, &hooks->all) {
        hook_destroy(list_entry(at, struct hook, link));
    }
    http_client_destroy(hooks->client);
    mem_free(hooks);
}

/* The two forms the tutorials show. Nothing in the body tells one sending from
 * another: a doubled hook is the same bytes. */
static void
write_body(struct hook *hook)
{
    const struct orders *orders = hook->hooks->orders;
    struct buf *body = &hook->body;
    const char *type = orders_type(&hook->fact);
    if (hook->hooks->settings.flat) {
        buf_format(body, "{\"id\":\"evt_%llu_%llu\",\"event\":\"%s\",\"data\":",
                   (unsigned long long)hook->fact.order,
                   (unsigned long long)hook->fact.version, type);
        orders_row(orders, &hook->fact, body);
        buf_text(body, ",\"timestamp\":\"");
        orders_stamp(orders, hook->fact.updated_ms, body);
        buf_text(body, "\"}");
    } else {
        buf_format(body, "{\"event\":\"%s\",\"timestamp\":\"", type);
        orders_stamp(orders, hook->fact.updated_ms, body);
        buf_text(body, "\",\"data\":{\"order\":");
        orders_row(orders, &hook->fact, body);
        buf_text(body, "}}");
    }
}

static enum status
sign(struct hook *hook)
{
    struct digest digest;
    struct slice body = buf_slice(&hook->body);
    enum status status =
        digest_hmac(DIGEST_SHA256, slice_of(hook->hooks->settings.secret),
                    &body, 1, &digest);
    if (status != STATUS_OK) {
        return status;
    }
    encode_hex(digest_slice(&digest), &hook->signature);
    return buf_status(&hook->signature);
}

static void
hook_again(struct hook *hook)
{
    if (hook->attempts >= ATTEMPTS) {
        hook_destroy(hook);
        return;
    }
    loop_timer_arm(hook->timer,
                   (int64_t)FIRST_RETRY_MS << (hook->attempts - 1));
}

static void
hook_answered(void *arg, enum status status, const struct http_reply *reply,
              const struct error *err)
{
    struct hook *hook = arg;
    hook->call = NULL;
    (void)err;
    if (status == STATUS_OK && reply->status >= 200 && reply->status < 300) {
        const struct journal_hook line = { .attempts = hook->attempts,
                                           .sent_ms = hook->sent_ms,
                                           .answered_ms = clock_unix_ms() };
        journal_hooked(hook->hooks->journal, &hook->fact, &line);
        hook_destroy(hook);
        return;
    }
    hook_again(hook);
}

static void
hook_try(void *arg)
{
    struct hook *hook = arg;
    if (hook->attempts++ == 0) {
        hook->sent_ms = clock_unix_ms();
    }
    const struct http_field fields[] = {
        { SLICE("Content-Type"), SLICE("application/json") },
        { SLICE("X-Webhook-Signature"), buf_slice(&hook->signature) },
        { SLICE("X-Webhook-Event"), slice_of(orders_type(&hook->fact)) },
        { SLICE("X-Webhook-Delivery"), slice_of(hook->delivery) },
        { SLICE("X-Webhook-Timestamp"), slice_of(hook->sent_at) },
    };
    const struct http_call_spec spec = {
        .method = SLICE("POST"),
        .url = slice_of(hook->hooks->settings.url),
        .fields = { fields, sizeof(fields) / sizeof(fields[0]) },
        .body = buf_slice(&hook->body),
        .has_body = true,
        .connect_timeout_ms = ANSWER_WAIT_MS,
        .timeout_ms = ANSWER_WAIT_MS,
        .stall_timeout_ms = ANSWER_WAIT_MS,
        .body_limit = ANSWER_LIMIT,
        .body_may_be_cut = true,
    };
    struct error err = { { 0 } };
    if (http_client_start(hook->hooks->client, &spec, hook_answered, hook,
                          &hook->call, &err) != STATUS_OK) {
        (void)fprintf(stderr, "longstop-provider: hook: %s\n", err.text);
        hook_again(hook);
    }
}

#define WAIT_FOR_LIST (-1)

static enum status
hook_start(struct hooks *hooks, const struct fact *fact, uint64_t delivery,
           int64_t wait_ms)
{
    struct hook *hook = mem_zero(sizeof(*hook));
    if (hook == NULL) {
        return STATUS_NOMEM;
    }
    hook->hooks = hooks;
    hook->fact = *fact;
    list_append(&hooks->all, &hook->link);
    hooks->count++;
    (void)snprintf(hook->delivery, sizeof(hook->delivery), "dlv_%llx_%llu",
                   (unsigned long long)hooks->settings.seed,
                   (unsigned long long)delivery);
    (void)snprintf(hook->sent_at, sizeof(hook->sent_at), "%lld",
                   (long long)(fact->updated_ms / 1000));
    write_body(hook);
    enum status status = sign(hook);
    if (status == STATUS_OK) {
        status = loop_timer_create(hooks->loop, hook_try, hook, &hook->timer);
    }
    if (status != STATUS_OK) {
        hook_destroy(hook);
        return status;
    }
    hook->waits = wait_ms == WAIT_FOR_LIST;
    if (!hook->waits) {
        loop_timer_arm(hook->timer, wait_ms);
    }
    return STATUS_OK;
}

static bool
chance(struct hooks *hooks, int64_t percent)
{
    return (int64_t)prng_below(&hooks->prng, 100) < percent;
}

/* A hook may wait for a list that shows its fact late, or come late itself;
 * both on one fact would only make a run long. Draws only where it is asked
 * for, so that without it a seed still means what it always meant. */
static bool
is_late(struct hooks *hooks, const struct fact *fact)
{
    const struct hooks_settings *s = &hooks->settings;
    return hooks->facts++ < s->late_among && s->late_percent > 0 &&
           chance(hooks, s->late_percent) && !fact->tail;
}

enum status
hooks_send(struct hooks *hooks, const struct fact *fact)
{
    const struct hooks_settings *s = &hooks->settings;
    if (s->url == NULL) {
        return STATUS_OK;
    }
    /* always the same number of draws, so that one fault more or less does
     * not shuffle all the others of a seed */
    bool lost = chance(hooks, s->lost_percent);
    bool doubled = chance(hooks, s->doubled_percent);
    bool renamed = chance(hooks, 50);
    bool held = chance(hooks, s->reordered_percent);
    int64_t span_ms = s->reorder_ms > 0 ? s->reorder_ms : 1;
    int64_t held_ms = (int64_t)prng_below(&hooks->prng, (uint64_t)span_ms);
    bool late = is_late(hooks, fact);
    if (lost) {
        return STATUS_OK;
    }
    uint64_t delivery = ++hooks->last_delivery;
    int64_t wait_ms = held ? held_ms : 0;
    enum status status =
        hook_start(hooks, fact, delivery, late ? WAIT_FOR_LIST : wait_ms);
    if (status == STATUS_OK && doubled) {
        uint64_t again = renamed ? ++hooks->last_delivery : delivery;
        status = hook_start(hooks, fact, again, late ? WAIT_FOR_LIST : held_ms);
    }
    return status;
}

void
hooks_listed(struct hooks *hooks, const struct fact *fact)
{
    list_for_each_safe(at, &hooks->all) {
        struct hook *hook = list_entry(at, struct hook, link);
        if (hook->waits && hook->fact.order == fact->order &&
            hook->fact.version == fact->version) {
            hook->waits = false;
            loop_timer_arm(hook->timer, hooks->settings.late_ms);
        }
    }
}

size_t
hooks_outstanding(const struct hooks *hooks)
{
    return hooks->count;
}
