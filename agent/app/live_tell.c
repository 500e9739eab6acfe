/* SPDX-License-Identifier: MIT */
/* What happens in the agent, as the entries of live. */
#include "app/live_tell.h"

#include "base/instant.h"
#include "flow/attempt.h"
#include "io/clock.h"
#include "source/source.h"

/* ---- members of an object ---- */

static void
add_name(struct buf *into, const char *name)
{
    buf_text(into, into->len == 0 ? "{\"" : ",\"");
    buf_text(into, name);
    buf_text(into, "\":");
}

static void
add_text(struct buf *into, const char *name, struct slice text)
{
    add_name(into, name);
    buf_json(into, text);
}

/* Text, or null where it is empty. */
static void
add_words(struct buf *into, const char *name, struct slice text)
{
    add_name(into, name);
    if (text.len == 0) {
        buf_text(into, "null");
    } else {
        buf_json(into, text);
    }
}

static void
add_bool(struct buf *into, const char *name, bool value)
{
    add_name(into, name);
    buf_text(into, value ? "true" : "false");
}

static void
add_number(struct buf *into, const char *name, int64_t number)
{
    add_name(into, name);
    buf_i64(into, number);
}

/* A number of the store: as text, as everywhere. */
static void
add_id(struct buf *into, const char *name, uint64_t id)
{
    add_name(into, name);
    buf_byte(into, '"');
    buf_u64(into, id);
    buf_byte(into, '"');
}

/* A time, or null where there is none. */
static void
add_time(struct buf *into, const char *name, int64_t at_ms)
{
    char text[INSTANT_TEXT_BYTES];
    add_words(into, name,
              at_ms == 0 ? (struct slice)SLICE("")
                         : slice_of(instant_text(at_ms, text)));
}

/* Ends the object, hands the entry over and frees the text. */
static void
give(struct live *live, struct live_entry *entry, struct buf *data)
{
    buf_byte(data, '}');
    if (buf_status(data) == STATUS_OK) {
        entry->data = buf_slice(data);
        live_add(live, entry);
    }
    buf_fini(data);
}

/* ---- events and gaps ---- */

static void
tell_event(struct live *live, const struct arrival *arrival,
           const struct sighting *sighting)
{
    struct buf data = { 0 };
    struct live_entry entry = { .topic = LIVE_EVENTS,
                                .connector = arrival->connector->name,
                                .type = sighting->type };
    add_id(&data, "number", sighting->number);
    add_text(&data, "connector", entry.connector);
    add_text(&data, "id", sighting->id);
    add_text(&data, "type", sighting->type);
    add_text(&data, "via", slice_of(channel_name(sighting->via)));
    add_time(&data, "time", sighting->time_ms);
    add_time(&data, "received", arrival->received_ms);
    add_number(&data, "body_bytes", (int64_t)sighting->body.len);
    give(live, &entry, &data);
}

static void
tell_gap(struct live *live, const struct arrival *arrival)
{
    const struct walk_gap *gap = &arrival->gap;
    struct buf data = { 0 };
    struct live_entry entry = { .topic = LIVE_GAPS,
                                .connector = arrival->connector->name };
    add_text(&data, "connector", entry.connector);
    add_text(&data, "kind", slice_of(gap_kind_name(gap->kind)));
    add_time(&data, "from", gap->from_ms);
    add_time(&data, "to", gap->to_ms);
    add_time(&data, "found", arrival->received_ms);
    give(live, &entry, &data);
}

/* watch's `stored`. */
static void
tell_stored(void *arg, const struct arrival *arrival)
{
    struct live *live = arg;
    if (!live_wants(live)) {
        return;
    }
    for (size_t i = 0; i < arrival->sighting_count; i++) {
        if (arrival->sightings[i].fresh) {
            tell_event(live, arrival, &arrival->sightings[i]);
        }
    }
    if (arrival->has_gap) {
        tell_gap(live, arrival);
    }
}

/* ---- deliveries ---- */

/* watch's `settled`. */
static void
tell_settled(void *arg, struct slice handler, const struct attempt *attempt,
             int64_t due_ms)
{
    static const char *const outcomes[] = { [OUTCOME_DONE] = "done",
                                            [OUTCOME_LATER] = "retry",
                                            [OUTCOME_DEAD] = "dead",
                                            [OUTCOME_RELEASE] = "released" };
    struct live *live = arg;
    if (!live_wants(live)) {
        return;
    }
    const struct store_outcome *outcome = &attempt->outcome;
    const char *reason = outcome->reason == NULL ? "" : outcome->reason;
    struct buf data = { 0 };
    struct live_entry entry = { .topic = LIVE_DELIVERIES,
                                .connector = attempt->delivery.connector,
                                .handler = handler,
                                .type = attempt->event->type };
    add_text(&data, "handler", handler);
    add_text(&data, "connector", entry.connector);
    add_id(&data, "event", attempt->event->number);
    add_text(&data, "id", attempt->event->id);
    add_text(&data, "type", attempt->event->type);
    add_number(&data, "attempt", attempt->delivery.attempt);
    add_bool(&data, "replay", attempt->delivery.is_replay);
    add_text(&data, "outcome", slice_of(outcomes[outcome->kind]));
    add_time(&data, "started", attempt->started_ms);
    add_number(&data, "duration_ms", outcome->duration_ms);
    add_time(&data, "due", due_ms);
    add_words(&data, "detail", outcome->detail);
    add_words(&data, "reason",
              slice_of(outcome->kind == OUTCOME_DEAD ? reason : ""));
    give(live, &entry, &data);
}

struct watch
live_watch(struct live *live)
{
    return (struct watch){ live, tell_stored, tell_settled };
}

/* ---- walks, refusals, stats ---- */

void
live_tell_walk(struct live *live, const struct poll_ended *ended)
{
    if (!live_wants(live)) {
        return;
    }
    struct buf data = { 0 };
    struct live_entry entry = { .topic = LIVE_WALKS,
                                .connector = ended->connector->name };
    add_text(&data, "connector", entry.connector);
    add_number(&data, "tier", ended->tier);
    add_time(&data, "ended", clock_unix_ms());
    add_text(&data, "outcome", slice_of(poll_outcome_name(ended->outcome)));
    add_words(&data, "error", ended->why);
    add_number(&data, "pages", ended->pages);
    add_number(&data, "rows", (int64_t)ended->rows);
    add_number(&data, "new", (int64_t)ended->fresh);
    add_number(&data, "known", (int64_t)ended->known);
    add_time(&data, "complete_until", ended->complete_until_ms);
    add_time(&data, "next", ended->next_ms);
    give(live, &entry, &data);
}

void
live_tell_refusal(struct live *live, const struct refusal *refusal)
{
    if (!live_wants(live)) {
        return;
    }
    struct buf data = { 0 };
    struct buf why = { 0 };
    struct live_entry entry = { .topic = LIVE_REFUSALS,
                                .connector = refusal->connector->name };
    refusal_why(refusal, &why);
    add_text(&data, "connector", entry.connector);
    add_time(&data, "at", clock_unix_ms());
    add_text(&data, "cause", slice_of(refusal_cause_name(refusal->cause)));
    add_text(&data, "why", buf_slice(&why));
    add_number(&data, "status", refusal->status);
    add_words(&data, "peer", refusal->peer);
    add_number(&data, "body_bytes", refusal->bytes);
    buf_fini(&why);
    give(live, &entry, &data);
}

/* A duration, or null where none was measured. */
static void
add_duration(struct buf *into, const char *name, int64_t ms)
{
    add_name(into, name);
    if (ms < 0) {
        buf_text(into, "null");
    } else {
        buf_i64(into, ms);
    }
}

static void
add_handler(struct buf *into, const struct live_figures *figures,
            const struct outlet_settings *outlet)
{
    struct buf item = { 0 };
    struct brake_figures brake = { .pulse = { 0, -1, -1 } };
    (void)dispatch_figures(figures->dispatch, outlet->number, &brake);
    add_text(&item, "name", outlet->name);
    add_number(&item, "running", (int64_t)brake.running);
    add_number(&item, "per_minute", brake.pulse.per_minute);
    add_duration(&item, "p50_ms", brake.pulse.p50_ms);
    add_duration(&item, "p99_ms", brake.pulse.p99_ms);
    add_text(&item, "breaker", slice_of(breaker_state_name(brake.state)));
    buf_byte(&item, '}');
    buf_append(into, buf_slice(&item));
    if (buf_status(&item) != STATUS_OK) {
        into->failure = buf_status(&item);
    }
    buf_fini(&item);
}

static void
add_handlers(struct buf *into, const struct live_figures *figures)
{
    add_name(into, "handlers");
    buf_byte(into, '[');
    for (size_t i = 0; i < figures->outlet_count && i < LIVE_STATS_HANDLERS;
         i++) {
        buf_text(into, i == 0 ? "" : ",");
        add_handler(into, figures, &figures->outlets[i]);
    }
    buf_byte(into, ']');
}

void
live_tell_stats(struct live *live, const struct live_figures *figures)
{
    if (!live_wants(live)) {
        return;
    }
    const struct store_worker_figures *store = &figures->store;
    struct buf data = { 0 };
    struct live_entry entry = { .topic = LIVE_STATS };
    add_time(&data, "at", clock_unix_ms());
    add_text(&data, "store", slice_of(status_text(store->health)));
    add_number(&data, "queued_events", store->queued_events);
    add_number(&data, "queued_bytes", store->queued_bytes);
    add_number(&data, "commits", (int64_t)store->commits);
    add_number(&data, "running_attempts", (int64_t)figures->running);
    add_handlers(&data, figures);
    give(live, &entry, &data);
}
