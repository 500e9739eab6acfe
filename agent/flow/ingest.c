/* SPDX-License-Identifier: MIT */
#include "flow/ingest.h"

#include "base/instant.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rule.h"
#include "flow/intake.h"
#include "io/clock.h"
#include "io/loop.h"

/*
 * The happy path: intake judges the arrival, with a key that links fetches
 * where it needs one, dispatch routes its sightings, one unit goes to the
 * store's thread; when it is durable, dispatch starts what is new and the
 * source gets its verdict.
 *
 * What can go wrong: a final verdict without the store (given in this turn's
 * end, never before submit has returned); no memory or a full queue (BUSY: the
 * sender comes again); a failed transaction (FAILED: nothing was stored, or
 * nobody knows, and the same keys will tell).
 */

struct entry {
    struct ingest *ingest;
    struct arrival *arrival;
    verdict_fn *done;
    void *arg;
    struct verdict verdict;
    struct link_wait wait;
    struct slice key_name;
    size_t caught_up; /* first shown by this request, brought by a walk */
    struct store_call call;
    struct store_walk walk;
    struct store_gap gap;
    struct store_gap_close close;
};

struct ingest {
    struct loop *loop;
    struct store_worker *worker;
    struct ingest_settings settings;
    struct telemetry_connector *counts; /* one per connector */
    struct source_sink sink;
    int64_t floor_ms;
    size_t open;
};

static struct telemetry_connector *
counts_of(const struct ingest *ingest, const struct connector *connector)
{
    return &ingest->counts[connector - ingest->settings.connectors];
}

static void
give_verdict(void *arg)
{
    struct entry *entry = arg;
    entry->done(entry->arg, &entry->verdict);
    entry->ingest->open--;
    arrival_destroy(entry->arrival);
    mem_free(entry);
}

/* Gives the verdict at the end of this turn; at once where even that fails for
 * want of memory, which both sources can stand. */
static void
give_later(struct entry *entry)
{
    if (loop_defer(entry->ingest->loop, give_verdict, entry) != STATUS_OK) {
        give_verdict(entry);
    }
}

static void
give_kind(struct entry *entry, enum verdict_kind kind)
{
    entry->verdict.kind = kind;
    give_later(entry);
}

/* How late the list shows events is measured on every one it shows first. */
static void
measure_lag(struct entry *entry, const struct sighting *sighting)
{
    if (!channel_is_walk(sighting->via) || sighting->seen_by_via ||
        sighting->time_ms <= 0) {
        return;
    }
    int64_t lag_ms = walk_lag_ms(&entry->arrival->past, sighting->time_ms);
    lag_note(&entry->verdict.lag, lag_ms);
    if (lag_ms >= 0) {
        metric_observe(
            counts_of(entry->ingest, entry->arrival->connector)->visibility_lag,
            (double)lag_ms / 1000);
    }
}

/* Lowers `oldest_ms` (0: none yet) to a stamp; 0 is no stamp. */
static void
note_oldest(int64_t *oldest_ms, int64_t time_ms)
{
    if (time_ms > 0 && (*oldest_ms == 0 || time_ms < *oldest_ms)) {
        *oldest_ms = time_ms;
    }
}

static void
count_sighting(struct entry *entry, const struct sighting *sighting)
{
    struct telemetry_connector *counts =
        counts_of(entry->ingest, entry->arrival->connector);
    enum channel via = sighting->via;
    metric_add(sighting->fresh ? counts->events[via] : counts->duplicates[via],
               1);
    if (!sighting->fresh) {
        duplicates_note(counts->by_type, sighting->type, via);
    }
    if (sighting->beyond_horizon) {
        metric_add(counts->beyond_horizon, 1);
    }
    if (sighting->late) {
        metric_add(counts->late, 1);
    }
    if (sighting->confirmed) {
        metric_add(counts->confirmed, 1);
    }
    measure_lag(entry, sighting);
    /* First shown by the list below what was believed complete. */
    if (channel_is_walk(via) && !sighting->seen_by_via &&
        sighting->time_ms > 0 &&
        sighting->time_ms < entry->arrival->complete_until_ms) {
        metric_add(counts->bound_broken, 1);
        note_oldest(&entry->verdict.broken_ms, sighting->time_ms);
        LOG(LOG_WARN,
            "first listed below the complete-until: the overlap is too small",
            log_slice("connector", entry->arrival->connector->name),
            log_slice("event", sighting->id));
    }
    if (!sighting->fresh) {
        entry->verdict.known++;
        entry->verdict.seeded += sighting->seeded;
        entry->caught_up += !channel_is_walk(via) && !sighting->seen_by_via;
        return;
    }
    entry->verdict.fresh++;
    note_oldest(&entry->verdict.oldest_ms, sighting->time_ms);
}

static void
count_gap(struct entry *entry)
{
    const struct arrival *arrival = entry->arrival;
    if (!arrival->has_gap) {
        return;
    }
    char from[INSTANT_TEXT_BYTES], to[INSTANT_TEXT_BYTES];
    metric_add(counts_of(entry->ingest, arrival->connector)->gaps, 1);
    LOG(LOG_ERROR, "gap: a span cannot be read any more",
        log_slice("connector", arrival->connector->name),
        log_text("kind", gap_kind_name(arrival->gap.kind)),
        log_text("from", instant_text(arrival->gap.from_ms, from)),
        log_text("to", instant_text(arrival->gap.to_ms, to)));
}

static void
tell_hooked(const struct entry *entry)
{
    const struct ingest_settings *settings = &entry->ingest->settings;
    if (entry->arrival->kind == ARRIVAL_REQUEST && settings->hooked != NULL) {
        settings->hooked(settings->hooked_arg, entry->arrival->connector,
                         entry->verdict.fresh, entry->caught_up);
    }
}

/* The unit is durable, or is not. */
static void
unit_over(struct store_call *call)
{
    struct entry *entry = call->arg;
    struct arrival *arrival = entry->arrival;
    struct dispatch *dispatch = entry->ingest->settings.dispatch;
    if (call->status != STATUS_OK && RULE(RULE_ACK_DURABLE)) {
        dispatch_dropped(dispatch, arrival->sightings, arrival->sighting_count);
        entry->verdict.kind =
            call->status == STATUS_FENCED ? VERDICT_FENCED : VERDICT_FAILED;
        entry->verdict.why = slice_of(error_text(&call->err, call->status));
        give_verdict(entry);
        return;
    }
    for (size_t i = 0; i < arrival->sighting_count; i++) {
        count_sighting(entry, &arrival->sightings[i]);
    }
    count_gap(entry);
    tell_hooked(entry);
    if (entry->ingest->settings.watch.stored != NULL) {
        entry->ingest->settings.watch.stored(entry->ingest->settings.watch.arg,
                                             arrival);
    }
    if (arrival->has_read && entry->close.closed > 0) {
        LOG(LOG_INFO, "gaps closed: a backfill has read them",
            log_slice("connector", arrival->connector->name),
            log_i64("gaps", (int64_t)entry->close.closed));
    }
    if (entry->verdict.kind == VERDICT_STORED && entry->verdict.fresh == 0 &&
        entry->verdict.known > 0) {
        entry->verdict.kind = VERDICT_SEEN;
    }
    dispatch_stored(dispatch, arrival->connector, arrival->sightings,
                    arrival->sighting_count, entry->call.unit.lease_until_ms);
    give_verdict(entry);
}

/* The dry run's answer: what is known already, in place of a transaction. */
static void
looked_up(struct store_call *call)
{
    struct entry *entry = call->arg;
    for (size_t i = 0; i < call->known.count; i++) {
        entry->verdict.known += call->known.known[i];
        entry->verdict.fresh += !call->known.known[i];
    }
    entry->verdict.kind =
        call->status == STATUS_OK ? VERDICT_STORED : VERDICT_FAILED;
    give_verdict(entry);
}

static enum status
submit_look_up(struct entry *entry)
{
    struct arrival *arrival = entry->arrival;
    bool *known =
        arena_array(&arrival->arena, arrival->sighting_count, sizeof(*known));
    if (known == NULL) {
        return STATUS_NOMEM;
    }
    entry->call = (struct store_call){
        .kind = STORE_CALL_KNOWN,
        .done = looked_up,
        .arg = entry,
        .known = { arrival->sightings, arrival->sighting_count, known },
    };
    return store_worker_submit(entry->ingest->worker, &entry->call);
}

/* All that the arrival brought is one unit. */
static void
fill_call(struct entry *entry, int64_t lease_until_ms)
{
    const struct arrival *arrival = entry->arrival;
    entry->walk = (struct store_walk){ .connector = arrival->connector->id,
                                       .tier = arrival->tier,
                                       .state = arrival->walk_state,
                                       .hw_ms = arrival->hw_ms,
                                       .fence = arrival->fence };
    entry->gap = (struct store_gap){ .connector = arrival->connector->id,
                                     .gap = arrival->gap };
    entry->close =
        (struct store_gap_close){ .connector = arrival->connector->id,
                                  .from_ms = arrival->read_from_ms,
                                  .to_ms = arrival->read_to_ms,
                                  .by = GAP_BY_BACKFILL };
    entry->call = (struct store_call){
        .kind = STORE_CALL_UNIT,
        .done = unit_over,
        .arg = entry,
        .unit = { .connector = arrival->connector->id,
                  .sightings = arrival->sightings,
                  .sighting_count = arrival->sighting_count,
                  .grace_ms = arrival->connector->grace_ms,
                  .lease_until_ms = lease_until_ms,
                  .walks = &entry->walk,
                  .walk_count = arrival->has_walk,
                  .gaps = &entry->gap,
                  .gap_count = arrival->has_gap,
                  .closes = &entry->close,
                  .close_count = arrival->has_read },
    };
}

static enum status
submit_unit(struct entry *entry)
{
    struct arrival *arrival = entry->arrival;
    int64_t lease_until_ms = 0;
    enum status status =
        dispatch_route(entry->ingest->settings.dispatch, arrival->connector,
                       arrival->sightings, arrival->sighting_count,
                       &arrival->arena, &lease_until_ms);
    if (status != STATUS_OK) {
        return status;
    }
    fill_call(entry, lease_until_ms);
    status = store_worker_submit(entry->ingest->worker, &entry->call);
    if (status != STATUS_OK) {
        dispatch_dropped(entry->ingest->settings.dispatch, arrival->sightings,
                         arrival->sighting_count);
    }
    return status;
}

static void
store_entry(struct entry *entry)
{
    enum status status = entry->ingest->settings.dry_run ? submit_look_up(entry)
                                                         : submit_unit(entry);
    if (status != STATUS_OK) {
        entry->verdict.why = slice_of(status_text(status));
        give_kind(entry, status_disposition(status) == DISPOSITION_FATAL
                             ? VERDICT_FAILED
                             : VERDICT_BUSY);
    }
}

/* ---- a webhook request ---- */

/* It may come again: what it needs could not be had. */
static void
give_busy(struct entry *entry, const char *words)
{
    struct verdict *verdict = &entry->verdict;
    if (arena_copy(&entry->arrival->arena, slice_of(words), &verdict->why) !=
        STATUS_OK) {
        verdict->why = slice_of(status_text(STATUS_NOMEM));
    }
    entry->arrival->sighting_count = 0;
    give_kind(entry, VERDICT_BUSY);
}

/* Gives the verdict that was held back, or that it could not be. */
static void
confirmed(void *arg, enum status status, struct slice key,
          const struct error *err)
{
    struct entry *entry = arg;
    (void)key;
    if (status == STATUS_OK) {
        give_later(entry);
    } else {
        give_busy(entry, error_text(err, status));
    }
}

static void
confirm(struct entry *entry, struct slice url)
{
    struct links *links = entry->ingest->settings.links;
    struct error err = { "" };
    enum status status = STATUS_UNAVAILABLE;
    if (links != NULL) {
        entry->wait.done = confirmed;
        entry->wait.arg = entry;
        status = links_confirm(links, entry->arrival->connector, url,
                               &entry->wait, &err);
    }
    if (status != STATUS_OK) {
        give_busy(entry, error_text(&err, status));
    }
}

static enum status
judge(struct entry *entry, const struct verify_found *found,
      struct intake_want *want)
{
    return intake_judge(entry->arrival, found, entry->arrival->received_ms,
                        entry->ingest->floor_ms, &entry->verdict, want);
}

/* Goes on with what was judged, with its key where it needs one. */
static void
go_on(struct entry *entry, enum status status, const struct intake_want *want)
{
    if (status != STATUS_OK || want->kind == WANT_KEY) {
        give_busy(entry, status_text(status != STATUS_OK ? status
                                                         : STATUS_UNAVAILABLE));
    } else if (want->kind == WANT_CONFIRMATION) {
        confirm(entry, want->url);
    } else if (entry->verdict.kind != VERDICT_STORED ||
               entry->arrival->sighting_count == 0) {
        give_later(entry);
    } else {
        store_entry(entry);
    }
}

static void
judge_with(struct entry *entry, struct slice key)
{
    const struct verify_found found = { entry->key_name, key };
    struct intake_want want;
    const enum status status = judge(entry, &found, &want);
    go_on(entry, status, &want);
}

static void
key_came(void *arg, enum status status, struct slice key,
         const struct error *err)
{
    struct entry *entry = arg;
    if (status == STATUS_OK) {
        judge_with(entry, key);
    } else {
        give_busy(entry, error_text(err, status));
    }
}

/* Takes the key that is kept, or waits for it. */
static void
get_key(struct entry *entry, const struct verify_want *want)
{
    struct links *links = entry->ingest->settings.links;
    struct slice key = { NULL, 0 };
    struct error err = { "" };
    enum status status = STATUS_UNAVAILABLE;
    entry->key_name = want->name;
    if (links != NULL) {
        status = links_find(links, want->name, &key, &err);
    }
    if (status == STATUS_OK) {
        judge_with(entry, key);
        return;
    }
    if (status == STATUS_NOT_FOUND) {
        entry->wait.done = key_came;
        entry->wait.arg = entry;
        status = links_bring(links, entry->arrival->connector, want,
                             &entry->wait, &err);
    }
    if (status != STATUS_OK) {
        give_busy(entry, error_text(&err, status));
    }
}

static void
take_request(struct entry *entry)
{
    struct intake_want want;
    const enum status status = judge(entry, NULL, &want);
    if (status == STATUS_OK && want.kind == WANT_KEY) {
        get_key(entry, &want.key);
    } else {
        go_on(entry, status, &want);
    }
}

/* source_sink's `submit`. */
static void
submit(void *self, struct arrival *arrival, verdict_fn *done, void *arg)
{
    struct ingest *ingest = self;
    struct entry *entry = mem_zero(sizeof(*entry));
    if (entry == NULL) {
        struct verdict busy = { .kind = VERDICT_BUSY };
        done(arg, &busy);
        arrival_destroy(arrival);
        return;
    }
    *entry = (struct entry){
        .ingest = ingest, .arrival = arrival, .done = done, .arg = arg
    };
    ingest->open++;
    entry->verdict.kind = VERDICT_STORED;
    if (arrival->kind == ARRIVAL_REQUEST) {
        take_request(entry);
        return;
    }
    store_entry(entry);
}

static bool
has_room(void *self)
{
    const struct ingest *ingest = self;
    return store_worker_has_room(ingest->worker);
}

static bool
is_writable(void *self)
{
    const struct ingest *ingest = self;
    struct store_worker_figures figures;
    store_worker_figures(ingest->worker, &figures);
    return figures.health == STATUS_OK;
}

static int64_t
ledger_floor_ms(void *self)
{
    const struct ingest *ingest = self;
    return ingest->floor_ms;
}

/* ---- questions of a source to the store ---- */

struct load {
    struct store_call call;
    void (*done)(void *arg, enum status status, struct slice state,
                 const struct error *err);
    void *arg;
};

static void
loaded(struct store_call *call)
{
    struct load *load = call->arg;
    load->done(load->arg, call->status, buf_slice(&call->walk.text),
               &call->err);
    buf_fini(&call->walk.text);
    mem_free(load);
}

static void
load_walk(void *self, const struct connector *connector, unsigned tier,
          void (*done)(void *arg, enum status status, struct slice state,
                       const struct error *err),
          void *arg)
{
    struct ingest *ingest = self;
    struct load *load = mem_zero(sizeof(*load));
    enum status status = STATUS_NOMEM;
    if (load != NULL) {
        load->done = done;
        load->arg = arg;
        load->call = (struct store_call){
            .kind = STORE_CALL_WALK,
            .done = loaded,
            .arg = load,
            .walk = { .connector = connector->id, .tier = tier },
        };
        status = store_worker_submit(ingest->worker, &load->call);
    }
    if (status != STATUS_OK) {
        mem_free(load);
        done(arg, status, (struct slice){ NULL, 0 }, NULL);
    }
}

struct question {
    struct store_call call;
    void (*done)(void *arg, enum status status, const bool *known);
    void *arg;
    bool known[];
};

static void
answered(struct store_call *call)
{
    struct question *question = call->arg;
    question->done(question->arg, call->status, question->known);
    mem_free(question);
}

static void
ask_known(void *self, const struct sighting *sightings, size_t count,
          void (*done)(void *arg, enum status status, const bool *known),
          void *arg)
{
    struct ingest *ingest = self;
    struct question *question =
        mem_zero(sizeof(*question) + count * sizeof(bool));
    enum status status = STATUS_NOMEM;
    if (question != NULL) {
        question->done = done;
        question->arg = arg;
        question->call = (struct store_call){
            .kind = STORE_CALL_KNOWN,
            .done = answered,
            .arg = question,
            .known = { sightings, count, question->known },
        };
        status = store_worker_submit(ingest->worker, &question->call);
    }
    if (status != STATUS_OK) {
        mem_free(question);
        done(arg, status, NULL);
    }
}

/* ---- lifecycle ---- */

enum status
ingest_create(struct loop *loop, struct store_worker *worker,
              const struct ingest_settings *settings, struct ingest **ret)
{
    struct ingest *ingest = mem_zero(sizeof(*ingest));
    if (ingest == NULL) {
        return STATUS_NOMEM;
    }
    ingest->counts =
        mem_array(settings->connector_count, sizeof(*ingest->counts));
    if (ingest->counts == NULL) {
        mem_free(ingest);
        return STATUS_NOMEM;
    }
    for (size_t i = 0; i < settings->connector_count; i++) {
        ingest->counts[i] = telemetry_of_connector(settings->telemetry,
                                                   &settings->connectors[i]);
    }
    ingest->loop = loop;
    ingest->worker = worker;
    ingest->settings = *settings;
    ingest->sink = (struct source_sink){ .self = ingest,
                                         .is_rehearsal = settings->dry_run,
                                         .submit = submit,
                                         .has_room = has_room,
                                         .is_writable = is_writable,
                                         .floor_ms = ledger_floor_ms,
                                         .load = load_walk,
                                         .known = ask_known };
    *ret = ingest;
    return STATUS_OK;
}

void
ingest_destroy(struct ingest *ingest)
{
    if (ingest != NULL) {
        mem_free(ingest->counts);
        mem_free(ingest);
    }
}

const struct source_sink *
ingest_sink(const struct ingest *ingest)
{
    return &ingest->sink;
}

void
ingest_set_floor(struct ingest *ingest, int64_t floor_ms)
{
    if (ingest != NULL && floor_ms > ingest->floor_ms) {
        ingest->floor_ms = floor_ms;
    }
}

size_t
ingest_open(const struct ingest *ingest)
{
    return ingest->open;
}
