/* SPDX-License-Identifier: MIT */
/* Which handlers a sighting is owed to, and what becomes of it then. */
#include "base/mem.h"
#include "base/rule.h"
#include "flow/dispatch_private.h"
#include "flow/envelope.h"
#include "io/clock.h"

struct preview {
    const struct connector *connector;
    const struct sighting *sighting;
    struct arena *arena;
};

static enum status
make_envelope(void *arg, struct slice *ret_envelope)
{
    struct preview *preview = arg;
    struct buf text = { 0 };
    struct event event =
        envelope_preview(preview->connector, preview->sighting);
    envelope_write(preview->connector, &event, false, &text);
    enum status status = buf_status(&text);
    if (status == STATUS_OK) {
        status = arena_copy(preview->arena, buf_slice(&text), ret_envelope);
    }
    buf_fini(&text);
    return status;
}

static enum status
list_owed(struct dispatch *dispatch, const struct connector *connector,
          struct sighting *sighting, struct owed *owed, struct arena *arena)
{
    struct preview preview = { connector, sighting, arena };
    struct route_input input = { .connector = connector,
                                 .sighting = sighting,
                                 .make_envelope = make_envelope,
                                 .arg = &preview };
    sighting->owed = owed;
    for (size_t i = 0; i < dispatch->settings.outlet_count; i++) {
        const struct outlet_settings *outlet = dispatch->outlets[i].settings;
        struct owed *next = &owed[sighting->owed_count];
        bool wants = false;
        if (dispatch->outlets[i].retired ||
            (outlet->pause != NULL && outlet->pause->is_paused)) {
            continue;
        }
        *next = (struct owed){ .handler = outlet->number, .place = i };
        enum status status = route_wants(&outlet->route, &input, &wants,
                                         &next->has_lane, &next->lane);
        if (status != STATUS_OK) {
            return status;
        }
        next->has_lane = next->has_lane && RULE(RULE_LANE);
        sighting->owed_count += wants;
    }
    return STATUS_OK;
}

/* Returns what the sighting is owed to; NULL, and it is owed to none, when that
 * cannot be told. */
static struct owed *
owed_of(struct dispatch *dispatch, const struct connector *connector,
        struct sighting *sighting, struct arena *arena, enum status *ret_status)
{
    struct owed *owed =
        arena_array(arena, dispatch->settings.outlet_count, sizeof(*owed));
    sighting->owed_count = 0;
    *ret_status = owed == NULL
                      ? STATUS_NOMEM
                      : list_owed(dispatch, connector, sighting, owed, arena);
    if (*ret_status != STATUS_OK) {
        sighting->owed_count = 0;
        return NULL;
    }
    return owed;
}

enum status
dispatch_owed(struct dispatch *dispatch, const struct connector *connector,
              struct sighting *sighting, struct arena *arena)
{
    enum status status;
    (void)owed_of(dispatch, connector, sighting, arena, &status);
    return status;
}

/* The outlet that routing wrote into `owed`: it is there, unless it went while
 * the transaction was under way, and then it held nothing. */
static struct outlet *
outlet_of(struct dispatch *dispatch, const struct owed *owed)
{
    struct outlet *outlet = &dispatch->outlets[owed->place];
    return outlet->settings->number == owed->handler ? outlet : NULL;
}

/* Holds slots for what can be started at once. */
static void
hold(struct dispatch *dispatch, struct owed *owed, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct outlet *outlet = outlet_of(dispatch, &owed[i]);
        PRE(outlet != NULL);
        owed[i].hot = !owed[i].has_lane && !outlet->backlog &&
                      dispatch_may_start(outlet) &&
                      brake_takes_hot(outlet->brake);
        if (owed[i].hot) {
            brake_take(outlet->brake, 1);
            outlet->busy++;
        }
    }
}

enum status
dispatch_route(struct dispatch *dispatch, const struct connector *connector,
               struct sighting *sightings, size_t count, struct arena *arena,
               int64_t *ret_lease_until_ms)
{
    int64_t longest_ms = 0;
    for (size_t i = 0; i < dispatch->settings.outlet_count; i++) {
        int64_t lease_ms = dispatch_lease_ms(&dispatch->outlets[i]);
        longest_ms = lease_ms > longest_ms ? lease_ms : longest_ms;
    }
    for (size_t i = 0; i < count; i++) {
        enum status status;
        struct owed *owed =
            owed_of(dispatch, connector, &sightings[i], arena, &status);
        if (owed == NULL) {
            dispatch_dropped(dispatch, sightings, i);
            return status;
        }
        hold(dispatch, owed, sightings[i].owed_count);
    }
    *ret_lease_until_ms = clock_steady_ms() + longest_ms;
    return STATUS_OK;
}

/* Frees the slots that are held for a sighting. */
static void
free_held(struct dispatch *dispatch, const struct sighting *sighting)
{
    for (size_t i = 0; i < sighting->owed_count; i++) {
        if (sighting->owed[i].hot) {
            struct outlet *outlet = outlet_of(dispatch, &sighting->owed[i]);
            PRE(outlet != NULL); /* what holds a slot keeps it */
            outlet->busy--;
            brake_give(outlet->brake, 1);
        }
    }
}

/* Starts one hot delivery from memory. */
static void
start_hot(struct outlet *outlet, const struct connector *connector,
          const struct sighting *sighting, int64_t lease_until_ms)
{
    struct event from = envelope_preview(connector, sighting);
    struct event *event;
    from.number = sighting->number;
    if (event_create(&from, &event) != STATUS_OK) {
        outlet->busy--; /* the lease ends by itself */
        dispatch_wake_at(outlet, clock_unix_ms() + dispatch_lease_ms(outlet));
        return;
    }
    const struct store_claim claim = { .event = event, .attempt = 1 };
    dispatch_start_attempt(outlet, &claim, lease_until_ms);
}

/* A new event is owed to a handler: starts it, or leaves it to a claim. */
static void
owe(struct dispatch *dispatch, const struct connector *connector,
    const struct sighting *sighting, const struct owed *owed,
    int64_t lease_until_ms)
{
    struct outlet *outlet = outlet_of(dispatch, owed);
    if (outlet == NULL || (outlet->retired && !owed->hot)) {
        outlet = dispatch_outlet_of(dispatch, owed->handler);
    }
    if (outlet == NULL) {
        return;
    }
    metric_add(outlet->counts.pending, 1);
    if (owed->hot) {
        start_hot(outlet, connector, sighting, lease_until_ms);
        return;
    }
    outlet->backlog = true;
    if (dispatch->waiting != NULL && !dispatch_may_start(outlet)) {
        dispatch->waiting(dispatch->waiting_arg);
    }
}

void
dispatch_stored(struct dispatch *dispatch, const struct connector *connector,
                const struct sighting *sightings, size_t count,
                int64_t lease_until_ms)
{
    for (size_t i = 0; i < count; i++) {
        const struct sighting *sighting = &sightings[i];
        if (!sighting->fresh) {
            free_held(dispatch, sighting);
            if (sighting->filled) {
                dispatch_start(dispatch); /* what waited for it is due */
            }
            continue;
        }
        for (size_t j = 0; j < sighting->owed_count; j++) {
            owe(dispatch, connector, sighting, &sighting->owed[j],
                lease_until_ms);
        }
    }
    dispatch_claim_all(dispatch);
    dispatch_check_stopped(dispatch);
}

void
dispatch_dropped(struct dispatch *dispatch, const struct sighting *sightings,
                 size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free_held(dispatch, &sightings[i]);
    }
    dispatch_claim_all(dispatch);
    dispatch_check_retired(dispatch);
}
