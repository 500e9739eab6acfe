/* SPDX-License-Identifier: MIT */
#include "flow/registrar.h"

#include "base/instant.h"
#include "base/log.h"
#include "base/mem.h"
#include "flow/subscription.h"
#include "io/clock.h"
#include "io/kept.h"
#include "io/loop.h"
#include "model/registration.h"

/* The first look comes once the agent has settled; a renewal that failed is
 * tried again well before the hook ends. */
#define FIRST_MS   INSTANT_SECOND_MS
#define RETRY_MS   (10 * INSTANT_MINUTE_MS)
#define LONGEST_MS INSTANT_DAY_MS

enum standing { STANDING_UNKNOWN, STANDING_RIGHT, STANDING_WRONG };

/* One connector that can be registered. */
struct watched {
    struct registrar *registrar;
    const struct connector *connector;
    struct loop_timer *timer;
    struct subscription *subscription; /* that runs */
    bool renews;
    enum standing standing;
    struct metric *ok; /* made when it is first known */
};

struct registrar {
    struct registrar_settings settings;
    struct watched *watched;
    size_t count;
    bool stopped;
};

static int64_t
shorter_of(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* ---- what was seen ---- */

static const char way_out[] = "run 'longstop subscribe' to set it right";

/* Tells of a change only: a hook that stays wrong is a gauge. */
static void
note_standing(struct watched *watched, enum standing standing, struct slice why)
{
    const bool is_right = standing == STANDING_RIGHT;
    if (watched->ok == NULL) {
        watched->ok = telemetry_subscription(
            watched->registrar->settings.telemetry, watched->connector);
    }
    metric_set(watched->ok, is_right);
    if (standing == watched->standing) {
        return;
    }
    if (!is_right) {
        LOG(LOG_WARN, "the provider's hook is not as it should be",
            log_slice("connector", watched->connector->name),
            log_slice("why", why), log_text("way_out", way_out));
    } else if (watched->standing == STANDING_WRONG) {
        LOG(LOG_INFO, "the provider's hook is as it should be again",
            log_slice("connector", watched->connector->name));
    }
    watched->standing = standing;
}

static void
note_outcome(struct watched *watched,
             const struct registration_outcome *outcome)
{
    if (watched->renews) {
        LOG(LOG_INFO, "the provider's hook was renewed",
            log_slice("connector", watched->connector->name));
        return;
    }
    if (!outcome->is_known) {
        return;
    }
    if (outcome->hook_count == 0) {
        note_standing(watched, STANDING_WRONG,
                      slice_of("there is none that leads here"));
        return;
    }
    for (size_t i = 0; i < outcome->hook_count; i++) {
        if (!outcome->hooks[i].is_right) {
            note_standing(watched, STANDING_WRONG, outcome->hooks[i].differs);
            return;
        }
    }
    note_standing(watched, STANDING_RIGHT, slice_of(""));
}

/* ---- when ---- */

static bool
may_look(const struct watched *watched)
{
    const struct register_spec *spec = &watched->connector->registration;
    return spec->list.request.url != NULL && spec->check_every_ms > 0;
}

static void
arm(struct watched *watched, int64_t wait_ms)
{
    if (watched->registrar->stopped) {
        return;
    }
    wait_ms = shorter_of(wait_ms, LONGEST_MS);
    loop_timer_arm(watched->timer,
                   wait_ms < INSTANT_SECOND_MS ? INSTANT_SECOND_MS : wait_ms);
}

static void
arm_next(struct watched *watched, int64_t renew_at_ms)
{
    const struct register_spec *spec = &watched->connector->registration;
    int64_t wait_ms = may_look(watched) ? spec->check_every_ms : LONGEST_MS;
    if (renew_at_ms != INT64_MAX) {
        wait_ms = shorter_of(wait_ms, renew_at_ms - clock_unix_ms());
    }
    arm(watched, wait_ms);
}

static struct registration_note
read_note(const struct watched *watched, struct arena *arena)
{
    struct registration_note note = { 0 };
    struct buf text = { 0 };
    struct error err = { 0 };
    enum status status = kept_read(watched->registrar->settings.secrets,
                                   watched->connector->name,
                                   slice_of(REGISTRATION_NOTE), &text, &err);
    if (status == STATUS_OK) {
        status = registration_note_read(buf_slice(&text), arena, &note);
    }
    if (status != STATUS_OK && status != STATUS_NOT_FOUND) {
        LOG(LOG_WARN, "what is kept of a registration cannot be read",
            log_slice("connector", watched->connector->name),
            log_text("why", error_text(&err, status)));
    }
    note.url = (struct slice){ NULL, 0 }; /* they end with the text */
    note.hooks = note.url;
    note.events = note.url;
    buf_fini(&text);
    return note;
}

/* ---- the work ---- */

static void
ended(void *arg, enum status status, const struct registration_outcome *outcome,
      const struct error *err)
{
    struct watched *watched = arg;
    struct arena arena = { 0 };
    if (status == STATUS_OK) {
        note_outcome(watched, outcome);
    } else {
        LOG(LOG_WARN,
            watched->renews ? "the provider's hook could not be renewed"
                            : "the provider's hook could not be looked at",
            log_slice("connector", watched->connector->name),
            log_text("why", error_text(err, status)));
    }
    subscription_destroy(watched->subscription);
    watched->subscription = NULL;
    if (status != STATUS_OK && watched->renews) {
        arm(watched, RETRY_MS);
        return;
    }
    struct registration_note note = read_note(watched, &arena);
    arm_next(watched, registration_renew_at_ms(watched->connector, &note));
    arena_fini(&arena);
}

static void
begin(struct watched *watched, enum registration_act act)
{
    const struct registrar_settings *own = &watched->registrar->settings;
    const struct register_spec *spec = &watched->connector->registration;
    const struct subscription_settings settings = {
        .loop = own->loop,
        .access = own->access,
        .connector = watched->connector,
        .secrets = own->secrets,
        .act = act,
        .events = spec->events.at,
        .event_count = spec->events.count,
        .ended = ended,
        .arg = watched,
    };
    struct error err = { 0 };
    watched->renews = act == REGISTRATION_RENEW;
    enum status status =
        subscription_start(&settings, &watched->subscription, &err);
    if (status != STATUS_OK) {
        LOG(LOG_WARN, "the provider's hook could not be looked after",
            log_slice("connector", watched->connector->name),
            log_text("why", error_text(&err, status)));
        arm(watched, RETRY_MS);
    }
}

static void
look(void *arg)
{
    struct watched *watched = arg;
    struct arena arena = { 0 };
    struct registration_note note = read_note(watched, &arena);
    arena_fini(&arena);
    int64_t renew_at_ms = registration_renew_at_ms(watched->connector, &note);
    if (!note.is_there || note.is_pending) {
        arm_next(watched, INT64_MAX);
    } else if (renew_at_ms <= clock_unix_ms()) {
        begin(watched, REGISTRATION_RENEW);
    } else if (may_look(watched)) {
        begin(watched, REGISTRATION_LOOK);
    } else {
        arm_next(watched, renew_at_ms);
    }
}

/* ---- lifecycle ---- */

static enum status
watch(struct registrar *registrar, const struct connector *connector)
{
    const struct register_spec *spec = &connector->registration;
    struct watched *watched = &registrar->watched[registrar->count];
    if (!spec->declared) {
        return STATUS_OK;
    }
    watched->registrar = registrar;
    watched->connector = connector;
    if (!may_look(watched) && spec->renew_every_ms == 0) {
        return STATUS_OK;
    }
    enum status status = loop_timer_create(registrar->settings.loop, look,
                                           watched, &watched->timer);
    if (status == STATUS_OK) {
        registrar->count++;
        loop_timer_arm(watched->timer, FIRST_MS);
    }
    return status;
}

enum status
registrar_create(const struct registrar_settings *settings,
                 struct registrar **ret)
{
    struct registrar *registrar = mem_zero(sizeof(*registrar));
    if (registrar == NULL) {
        return STATUS_NOMEM;
    }
    registrar->settings = *settings;
    registrar->watched =
        mem_array(settings->connector_count + 1, sizeof(*registrar->watched));
    enum status status = registrar->watched == NULL ? STATUS_NOMEM : STATUS_OK;
    for (size_t i = 0; i < settings->connector_count && status == STATUS_OK;
         i++) {
        status = watch(registrar, &settings->connectors[i]);
    }
    if (status != STATUS_OK) {
        registrar_destroy(registrar);
        return status;
    }
    *ret = registrar;
    return STATUS_OK;
}

void
registrar_stop(struct registrar *registrar)
{
    for (size_t i = 0; registrar != NULL && i < registrar->count; i++) {
        loop_timer_disarm(registrar->watched[i].timer);
    }
    if (registrar != NULL) {
        registrar->stopped = true;
    }
}

bool
registrar_is_busy(const struct registrar *registrar)
{
    bool is_busy = false;
    for (size_t i = 0; registrar != NULL && i < registrar->count; i++) {
        is_busy = is_busy || registrar->watched[i].subscription != NULL;
    }
    return is_busy;
}

void
registrar_destroy(struct registrar *registrar)
{
    if (registrar == NULL) {
        return;
    }
    for (size_t i = 0; registrar->watched != NULL && i < registrar->count;
         i++) {
        subscription_destroy(registrar->watched[i].subscription);
        loop_timer_destroy(registrar->watched[i].timer);
    }
    mem_free(registrar->watched);
    mem_free(registrar);
}
