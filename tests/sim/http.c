/* SPDX-License-Identifier: MIT */
/* io/http_client.h in virtual time: the provider looks at its list half way,
 * and the answer comes as late again. */
#include "base/list.h"
#include "io/http_client.h"
#include "sim/provider.h"
#include "sim/vtime.h"
#include "sim/world.h"

struct http_client {
    struct list calls;
};

struct http_call {
    struct list link;
    struct alarm alarm;
    struct buf url;
    int64_t began_ms; /* steady */
    int64_t timeout_ms;
    struct provider_answer answer;
    http_reply_fn *done;
    void *arg;
};

enum status
http_client_create(struct loop *loop, const struct http_client_settings *s,
                   struct http_client **ret, struct error *err)
{
    (void)loop;
    (void)s;
    (void)err;
    struct http_client *client = mem_zero(sizeof(*client));
    if (client == NULL) {
        return STATUS_NOMEM;
    }
    list_init(&client->calls);
    *ret = client;
    return STATUS_OK;
}

void
http_client_cancel(struct http_call *call)
{
    if (call != NULL) {
        vtime_alarm_off(&call->alarm);
        list_remove(&call->link);
        buf_fini(&call->url);
        provider_answer_fini(&call->answer);
        mem_free(call);
    }
}

/* For answers without an end, of which this world has none. */
void
http_client_resume(struct http_call *call)
{
    (void)call;
}

void
http_client_destroy(struct http_client *client)
{
    if (client == NULL) {
        return;
    }
    list_for_each_safe(link, &client->calls) {
        http_client_cancel(list_entry(link, struct http_call, link));
    }
    mem_free(client);
}

static void
add_field(struct http_field *fields, size_t *count, const char *name,
          const struct buf *value)
{
    if (value->len > 0) {
        fields[(*count)++] =
            (struct http_field){ slice_of(name), buf_slice(value) };
    }
}

static void
deliver(void *arg)
{
    struct http_call *call = arg;
    struct provider_answer *answer = &call->answer;
    struct http_field fields[4];
    size_t count = 0;
    int64_t took_ms = vtime_steady_ms() - call->began_ms;
    add_field(fields, &count, "Date", &answer->date);
    add_field(fields, &count, "Link", &answer->link);
    add_field(fields, &count, "Retry-After", &answer->retry_after);
    const struct http_reply reply = {
        .status = answer->status,
        .fields = { fields, count },
        .body = buf_slice(&answer->body),
        .duration_ms = took_ms,
        .first_byte_ms = took_ms,
        .received_ms = vtime_steady_ms(),
    };
    struct error err;
    enum status status = STATUS_OK;
    if (answer->silent) {
        status = error_set(&err, STATUS_TIMEOUT, "no answer in time");
    }
    /* The call is gone when its callback comes. */
    vtime_alarm_off(&call->alarm);
    list_remove(&call->link);
    list_init(&call->link);
    call->done(call->arg, status, answer->silent ? NULL : &reply, &err);
    http_client_cancel(call);
}

static void
serve(void *arg)
{
    struct http_call *call = arg;
    provider_ask(buf_slice(&call->url), &call->answer);
    int64_t took_ms = vtime_steady_ms() - call->began_ms;
    int64_t wait_ms =
        call->answer.silent
            ? call->timeout_ms
            : plan_between(&world.faults, 1, world.plan.latency_ms / 2 + 1);
    if (call->answer.held_ms > 0) {
        wait_ms += call->answer.held_ms;
        call->answer.silent = took_ms + wait_ms > call->timeout_ms;
        wait_ms = call->answer.silent ? call->timeout_ms - took_ms : wait_ms;
    }
    call->alarm.fn = deliver;
    vtime_alarm(&call->alarm, vtime_now_ms() + wait_ms);
}

enum status
http_client_start(struct http_client *client, const struct http_call_spec *spec,
                  http_reply_fn *done, void *arg, struct http_call **ret_call,
                  struct error *err)
{
    struct http_call *call = mem_zero(sizeof(*call));
    if (call == NULL) {
        return error_set(err, STATUS_NOMEM, "out of memory");
    }
    buf_append(&call->url, spec->url);
    call->began_ms = vtime_steady_ms();
    call->timeout_ms = spec->timeout_ms;
    call->done = done;
    call->arg = arg;
    call->alarm = (struct alarm){ .fn = serve, .arg = call, .ours = true };
    list_append(&client->calls, &call->link);
    vtime_alarm(&call->alarm,
                vtime_now_ms() + plan_between(&world.faults, 1,
                                              world.plan.latency_ms / 2 + 1));
    *ret_call = call;
    return STATUS_OK;
}
