/* SPDX-License-Identifier: MIT */
#include "flow/subscription.h"

#include "base/mem.h"
#include "io/clock.h"
#include "io/fs.h"
#include "io/http_client.h"
#include "io/kept.h"
#include "io/loop.h"
#include "source/access.h"
#include "wire/digest.h"

struct subscription {
    struct subscription_settings settings;
    struct registration_plan plan;
    struct registration *registration;
    struct registration_step step;
    struct loop_timer *timer;
    struct access_call *call;
    struct fs_lock *lock; /* NULL: nothing is changed */
    struct arena arena;
    struct buf note;
};

static void advance(void *arg);

static void
end(struct subscription *s, enum status status, const struct error *err)
{
    const struct registration_outcome outcome =
        registration_outcome(s->registration);
    s->settings.ended(s->settings.arg, status, &outcome, err);
}

static void
answered(void *arg, enum status status, const struct http_reply *reply,
         const struct error *err)
{
    struct subscription *s = arg;
    struct error words = { 0 };
    s->call = NULL;
    if (status != STATUS_OK) {
        (void)error_set(&words, status, "%s: %s", s->step.purpose,
                        error_text(err, status));
        end(s, status, &words);
        return;
    }
    const struct subscription_asked what = { s->step.purpose, &s->step.request,
                                             reply->status };
    if (s->settings.asked != NULL) {
        s->settings.asked(s->settings.arg, &what);
    }
    const struct registration_reply got = { reply->status, reply->fields,
                                            reply->body };
    status = registration_answer(s->registration, &got, &words);
    if (status != STATUS_OK) {
        end(s, status, &words);
        return;
    }
    advance(s);
}

static enum status
send_request(struct subscription *s, struct error *err)
{
    const struct rendered_request *request = &s->step.request;
    struct http_call_spec call = access_spec(s->settings.connector, request);
    call.is_once = true; /* a second hook would send everything twice */
    const struct access_need need = { s->settings.connector, request->oauth };
    return access_start(s->settings.access, &need, &call, answered, s, &s->call,
                        err);
}

/* Does one step; true when the next may follow at once. */
static bool
do_step(struct subscription *s, enum status *ret_status, struct error *err)
{
    const struct subscription_asked what = { s->step.purpose, &s->step.request,
                                             0 };
    const struct slice name = s->settings.connector->name;
    switch (s->step.what) {
    case REGISTRATION_ASK:
        if (!s->settings.is_dry) {
            *ret_status = send_request(s, err);
            return false;
        }
        if (s->settings.asked != NULL) {
            s->settings.asked(s->settings.arg, &what);
        }
        return true;
    case REGISTRATION_KEEP:
        *ret_status = kept_write(s->settings.secrets, name, s->step.name,
                                 s->step.text, err);
        return *ret_status == STATUS_OK;
    case REGISTRATION_FORGET:
        *ret_status = kept_remove(s->settings.secrets, name, s->step.name, err);
        return *ret_status == STATUS_OK;
    case REGISTRATION_END: break;
    }
    return false;
}

/* Goes on until an answer has to be waited for, or to the end. */
static void
advance(void *arg)
{
    struct subscription *s = arg;
    struct error err = { 0 };
    enum status status = STATUS_OK;
    bool goes_on = true;
    while (goes_on && status == STATUS_OK) {
        status = registration_next(s->registration, &s->step, &err);
        goes_on = status == STATUS_OK && do_step(s, &status, &err);
    }
    if (status != STATUS_OK || s->step.what == REGISTRATION_END) {
        end(s, status, &err);
    }
}

static enum status
read_note(struct subscription *s, struct error *err)
{
    enum status status =
        kept_read(s->settings.secrets, s->settings.connector->name,
                  slice_of(REGISTRATION_NOTE), &s->note, err);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status
begin(struct subscription *s, struct error *err)
{
    const struct subscription_settings *settings = &s->settings;
    enum status status = STATUS_OK;
    if (!settings->is_dry && settings->act != REGISTRATION_LOOK) {
        status = kept_lock(settings->secrets, settings->connector->name,
                           &s->lock, err);
    }
    if (status == STATUS_OK) {
        status = read_note(s, err);
    }
    if (status == STATUS_OK) {
        s->plan = (struct registration_plan){
            .connector = settings->connector,
            .act = settings->act,
            .events = settings->events,
            .event_count = settings->event_count,
            .events_are_said = settings->events_are_said,
            .is_dry = settings->is_dry,
            .note = buf_slice(&s->note),
            .now_ms = clock_unix_ms(),
        };
        status = digest_random(s->plan.chance, sizeof(s->plan.chance));
    }
    if (status == STATUS_OK) {
        status = registration_begin(&s->plan, &s->arena, &s->registration, err);
    }
    if (status == STATUS_OK) {
        status = loop_timer_create(settings->loop, advance, s, &s->timer);
    }
    return status;
}

enum status
subscription_start(const struct subscription_settings *settings,
                   struct subscription **ret, struct error *err)
{
    struct subscription *s = mem_zero(sizeof(*s));
    if (s == NULL) {
        return error_set(err, STATUS_NOMEM, "out of memory");
    }
    s->settings = *settings;
    enum status status = begin(s, err);
    if (status != STATUS_OK) {
        subscription_destroy(s);
        return status;
    }
    loop_timer_arm(s->timer, 0);
    *ret = s;
    return STATUS_OK;
}

void
subscription_destroy(struct subscription *s)
{
    if (s == NULL) {
        return;
    }
    access_cancel(s->call);
    loop_timer_destroy(s->timer);
    fs_lock_release(s->lock, true);
    buf_fini(&s->note);
    arena_fini(&s->arena);
    mem_wipe(s->plan.chance, sizeof(s->plan.chance));
    mem_free(s);
}
