/* SPDX-License-Identifier: MIT */
/*
 * doctor_events: whether webhooks come in, and what could not be read.
 */
#include "app/doctor.h"

#include "app/told.h"
#include "base/instant.h"
#include "io/clock.h"
#include "model/connector_stream.h"
#include "wire/json.h"

/* So many of the newest events and refusals are looked at. */
#define LOOK_MOST  100000
#define LOOK_SLICE ((size_t)VIEW_ROWS_MOST)

/* What the store knows of one connector's webhooks. */
struct known {
    struct checkup_hooks hooks;
    int64_t came_ms;      /* the newest genuine one; 0: none */
    struct slice refused; /* why the newest was not accepted */
    struct slice peer;    /* who sent that */
};

/* All of them, by their place in the configuration. */
struct ledger {
    struct doctor *doctor;
    struct known *at;
};

static struct known *
find_known(const struct ledger *ledger, struct slice name)
{
    const struct configuration *c = &ledger->doctor->configuration;
    const struct connector *found = configuration_connector(c, name);
    return found == NULL ? NULL : &ledger->at[found - c->connectors];
}

static void
take_event(const struct ledger *ledger, const struct view_event *event)
{
    struct known *known = find_known(ledger, event->connector);
    if (known == NULL) {
        return;
    }
    if (event->via == CHANNEL_WEBHOOK) {
        known->hooks.came = true;
        known->came_ms = known->came_ms > event->recorded_ms
                             ? known->came_ms
                             : event->recorded_ms;
    } else if (event->via == CHANNEL_POLL) {
        known->hooks.by_list++;
    }
}

/* The newest come first. */
static enum status
read_events(const struct ledger *ledger, struct error *err)
{
    struct store_view *view = ledger->doctor->view;
    struct view_events events = { .via = -1,
                                  .limit = LOOK_SLICE,
                                  .look = LOOK_SLICE };
    enum status status = STATUS_OK;
    events.more = true;
    for (size_t looked = 0;
         status == STATUS_OK && events.more && looked < LOOK_MOST;
         looked += LOOK_SLICE) {
        struct arena arena = { 0 };
        status = view->ops->events(view, &events, &arena, err);
        for (size_t i = 0; status == STATUS_OK && i < events.count; i++) {
            take_event(ledger, &events.at[i]);
        }
        events.before = events.next;
        arena_fini(&arena);
    }
    return status;
}

static enum status
read_refusals(const struct ledger *ledger, struct error *err)
{
    struct doctor *doctor = ledger->doctor;
    struct view_refusals refusals = { .limit = LOOK_SLICE, .look = LOOK_SLICE };
    enum status status = doctor->view->ops->refusals(doctor->view, &refusals,
                                                     &doctor->arena, err);
    for (size_t i = 0; status == STATUS_OK && i < refusals.count; i++) {
        struct known *known = find_known(ledger, refusals.at[i].connector);
        if (known != NULL && !known->hooks.refused) {
            known->hooks.refused = true;
            known->refused = refusals.at[i].why;
            known->peer = refusals.at[i].peer;
        }
    }
    return status;
}

/* What only the running agent knows: webhooks that brought no event of their
 * own, since the list was first, and silence. */
static void
read_agent(const struct ledger *ledger)
{
    struct slice connectors =
        told_array(buf_slice(&ledger->doctor->status), "connectors");
    struct slice connector;
    for (size_t at = 0; json_next_element(connectors, &at, &connector);) {
        struct known *known = find_known(
            ledger, told_text(connector, "name", &ledger->doctor->arena));
        if (known != NULL) {
            struct slice again = told_object(connector, "duplicates");
            struct slice events = told_object(connector, "events");
            known->hooks.is_silent = told_true(connector, "webhook_silent");
            known->hooks.came = known->hooks.came ||
                                told_number(again, "webhook") > 0 ||
                                told_number(events, "webhook") > 0;
        }
    }
}

/* ---- what is made of it ---- */

static void
say_came(struct doctor *doctor, const struct connector *connector,
         const struct known *known)
{
    struct buf when = { 0 };
    told_when(known->came_ms, clock_unix_ms(), &when);
    doctor_say(doctor, CHECKUP_OK, connector->name, NULL,
               known->came_ms == 0
                   ? "webhooks come in"
                   : "webhooks come in; the last new event by one at %.*s",
               SLICE_ARG(buf_slice(&when)));
    buf_fini(&when);
}

static void
say_hooks(struct doctor *doctor, const struct connector *connector,
          const struct known *known)
{
    static const char *const reach =
        "let the provider reach 'listen.public_url', and have it send there: "
        "'longstop subscribe' or its settings; its list of attempts says what "
        "it was answered";
    const struct slice name = connector->name;
    switch (checkup_hooks(&known->hooks)) {
    case CHECKUP_HOOKS_CAME: say_came(doctor, connector, known); return;
    case CHECKUP_HOOKS_SILENT:
        doctor_say(doctor, CHECKUP_WARN, name, reach,
                   "webhooks came, and do not any more: only the list shows "
                   "what happens");
        return;
    case CHECKUP_HOOKS_REFUSED:
        doctor_say(doctor, CHECKUP_FAIL, name,
                   "'longstop refusals' shows them; compare the secret with "
                   "the provider's",
                   "requests come, and none was accepted yet; the last, from "
                   "%.*s: %.*s",
                   SLICE_ARG(known->peer), SLICE_ARG(known->refused));
        return;
    case CHECKUP_HOOKS_MISSED:
        doctor_say(doctor, CHECKUP_WARN, name, reach,
                   "no webhook ever came, while the list brought %lld events",
                   (long long)known->hooks.by_list);
        return;
    case CHECKUP_HOOKS_NONE:
        doctor_say(doctor, CHECKUP_WARN, name, reach,
                   "no webhook has come yet");
        return;
    }
}

void
doctor_hooks(struct doctor *doctor)
{
    const struct configuration *configuration = &doctor->configuration;
    const bool is_listening = configuration->settings.listen != NULL;
    struct ledger ledger = { doctor, arena_array(&doctor->arena,
                                                 configuration->connector_count,
                                                 sizeof(*ledger.at)) };
    struct error err = { 0 };
    if (ledger.at == NULL) {
        doctor->failed_memory = true;
        return;
    }
    if (doctor->view == NULL) {
        return; /* which was said */
    }
    enum status status = read_events(&ledger, &err);
    if (status == STATUS_OK) {
        status = read_refusals(&ledger, &err);
    }
    if (status != STATUS_OK) {
        doctor_say(doctor, CHECKUP_FAIL, configuration->places.store_path, NULL,
                   "%s", error_text(&err, status));
        return;
    }
    read_agent(&ledger);
    for (size_t i = 0; i < configuration->connector_count; i++) {
        if (connector_has_route(&configuration->connectors[i], is_listening)) {
            say_hooks(doctor, &configuration->connectors[i], &ledger.at[i]);
        }
    }
}

void
doctor_gaps(struct doctor *doctor)
{
    static const struct slice all = SLICE("");
    struct view_gaps gaps = { .open_only = true, .limit = VIEW_ROWS_MOST };
    struct error err = { 0 };
    if (doctor->view == NULL) {
        return;
    }
    enum status status =
        doctor->view->ops->gaps(doctor->view, &gaps, &doctor->arena, &err);
    if (status != STATUS_OK) {
        doctor_say(doctor, CHECKUP_FAIL, all, NULL, "%s",
                   error_text(&err, status));
    } else if (gaps.count == 0) {
        doctor_say(doctor, CHECKUP_OK, all, NULL, "no gap is open");
    } else {
        doctor_say(doctor, CHECKUP_FAIL, gaps.at[0].connector,
                   "'longstop gaps' lists them; a backfill of the span, or "
                   "'longstop gaps close ID', closes one",
                   "%zu%s gap%s open, the newest of this connector", gaps.count,
                   gaps.more ? " and more" : "",
                   gaps.count == 1 ? " is" : "s are");
    }
}
