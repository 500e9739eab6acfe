/* SPDX-License-Identifier: MIT */
#include "source/source_poll.h"

#include <string.h>

#include "base/instant.h"
#include "base/rule.h"
#include "io/clock.h"
#include "io/loop.h"
#include "model/conceal.h"
#include "model/page_look.h"
#include "model/request.h"
#include "model/walk_backfill.h"
#include "source/source_poll_private.h"
#include "wire/json.h"

/*
 *                due, poke         answer             rows known
 *   LOADING ──► IDLE ───► ASKING ────────► LOOKING ──────────► DETAIL ─┐
 *                ▲  ▲      │ ▲ ▲              (follow only)       │    │ each
 *                │  │      │ │ └ budget ─ WAITING ◄───────────────┘    │ row
 *                │  failed ┘ │                                         │
 *                │           └─ stored, more ── STORING ◄──────────────┘
 *                └───────────── whole, failed ─────┘
 *
 * The happy path of a walk: walk_begin says what to ask, request_render renders
 * it, access asks, poll_page makes rows of the answer, walk_page takes
 * them into the next state, and the sink stores rows and state in one
 * transaction. Only then does the next state become the state.
 *
 * What can go wrong: no answer, a limit, an answer that is no page (walk_failed
 * or nothing touches the state; the walk is taken up again after a wait); the
 * store is busy (the same page is asked again); a crash (the durable state says
 * where to go on).
 */

#define CRON_LOOK_MS INSTANT_MINUTE_MS

/* Our two clocks part by more when one was set, or when the machine was
 * suspended, which the monotonic one does not count: how long ago the provider
 * last spoke is not known then, and its next answer has to say. */
#define APART_MS INSTANT_MINUTE_MS

const char *
poll_outcome_name(enum poll_outcome outcome)
{
    static const char *const names[] = { "ok", "failed", "limited", "gone",
                                         "yielded" };
    return names[outcome];
}

int64_t
source_poll_provider_ms(const struct source_poll *poll)
{
    const struct poll_account *account = poll->settings.account;
    int64_t gone_ms = loop_now_ms(poll->loop) - account->date_at_ms;
    int64_t apart_ms = clock_unix_ms() - account->date_ours_ms - gone_ms;
    if (account->date_ms == 0 || apart_ms > APART_MS || apart_ms < -APART_MS) {
        return 0;
    }
    return account->date_ms + gone_ms;
}

/* Arms the timer for a walk at `due_ms` (Unix ms). */
static void
wait_for(struct source_poll *poll, int64_t due_ms)
{
    int64_t delay_ms = due_ms - clock_unix_ms();
    delay_ms = delay_ms < 0 ? 0 : delay_ms;
    /* The wall clock may be set while a cron line waits: look again. A wait
     * after a failure is drawn once and not by the wall clock. */
    poll->looks = poll->settings.cadence.cron != NULL && poll->failures == 0 &&
                  delay_ms > CRON_LOOK_MS;
    if (poll->looks) {
        delay_ms = CRON_LOOK_MS;
    }
    poll->fires_ms = loop_now_ms(poll->loop) + delay_ms;
    loop_timer_arm(poll->timer, delay_ms);
}

/* Arms the timer for the next walk; returns when that is. */
static int64_t
schedule(struct source_poll *poll)
{
    poll->phase = PHASE_IDLE;
    if (poll->settings.is_backfill && !poll_backfill_goes_on(poll)) {
        return 0;
    }
    int64_t due_ms = poll_due_ms(poll);
    if (!poll->settings.once || poll->poked ||
        poll->run.outcome == POLL_LIMITED) {
        wait_for(poll, due_ms);
    }
    return due_ms;
}

/* A span waits for the walks that are on their way; were it to wait for those
 * that the provider holds, it would wait for ever. */
void
source_poll_count_walking(struct source_poll *poll, bool walks)
{
    bool counts = !poll->settings.is_backfill &&
                  poll->settings.connector->poll.wait_ms == 0;
    if (counts && poll->counted != walks) {
        poll->counted = walks;
        poll->settings.account->host->walking += walks ? 1U : -1U;
    }
}

void
source_poll_wait(struct source_poll *poll)
{
    (void)schedule(poll);
}

void
source_poll_wait_ms(struct source_poll *poll, int64_t wait_ms)
{
    poll->phase = PHASE_IDLE;
    wait_for(poll, clock_unix_ms() + wait_ms);
}

/* Ends this run of the walk and waits for the next. */
static void
end_run(struct source_poll *poll, enum poll_outcome outcome, struct slice why)
{
    source_poll_count_walking(poll, false);
    poll->failures = outcome == POLL_FAILED ? poll->failures + 1
                     : outcome == POLL_OK   ? 0
                                            : poll->failures;
    poll->run.connector = poll->settings.connector;
    poll->run.tier = poll->settings.tier;
    poll->run.outcome = outcome;
    poll->run.why = why;
    poll->run.failures = poll->failures;
    if (outcome == POLL_OK) {
        poll_gate_walked(poll);
        poll_pace_walked(poll);
    }
    poll->run.complete_until_ms = poll->settings.account->complete_until_ms;
    poll->run.next_ms = outcome == POLL_GONE ? 0 : schedule(poll);
    struct poll_ended ended = poll->run;
    if (outcome != POLL_LIMITED) {
        poll->run = (struct poll_ended){ 0 };
    }
    arena_fini(&poll->request_arena);
    arena_fini(&poll->detail_arena);
    if (poll->stopped != NULL) {
        poll->rests = outcome != POLL_GONE;
        source_poll_stopped(poll);
    }
    if (poll->settings.observer.ended != NULL) {
        poll->settings.observer.ended(poll->settings.observer.arg, &ended);
    }
}

/* `err` may live in poll->step. */
void
source_poll_fail(struct source_poll *poll, enum status status,
                 const struct error *err)
{
    struct error words;
    (void)error_set(&words, status, "%s", error_text(err, status));
    poll_page_drop(poll);
    if (poll->settings.is_backfill &&
        poll_backfill_gives_up(poll, false, &words)) {
        return;
    }
    end_run(poll, POLL_FAILED, slice_of(words.text));
}

void
source_poll_tell_asked(const struct source_poll *poll,
                       const struct poll_asked *more)
{
    if (poll->settings.observer.asked == NULL) {
        return;
    }
    struct poll_asked asked = *more;
    struct buf url = { 0 };
    conceal(poll->settings.connector, poll->url, &url);
    asked.connector = poll->settings.connector;
    asked.tier = poll->settings.tier;
    asked.method = poll->method;
    asked.url = buf_slice(&url);
    asked.duration_ms = poll->duration_ms;
    poll->settings.observer.asked(poll->settings.observer.arg, &asked);
    buf_fini(&url);
}

/* Pauses the walk until the provider allows the next request. */
void
source_poll_end_limited(struct source_poll *poll)
{
    poll_page_drop(poll);
    poll->started_ms = 0; /* go on as soon as that is allowed */
    end_run(poll, POLL_LIMITED, slice_of("the provider asked to wait"));
}

void
source_poll_end_gone(struct source_poll *poll, unsigned status)
{
    struct error words;
    (void)error_set(&words, STATUS_NOT_FOUND,
                    "HTTP %u: the list is no more; it is not polled until a "
                    "walk is asked for or the agent starts again",
                    status);
    source_poll_tell_asked(
        poll,
        &(struct poll_asked){ .status = status, .why = slice_of(words.text) });
    poll_page_drop(poll);
    poll->phase = PHASE_IDLE;
    if (poll->settings.is_backfill &&
        poll_backfill_gives_up(poll, true, &words)) {
        return;
    }
    end_run(poll, POLL_GONE, slice_of(words.text));
}

/* ---- storing ---- */

/* When the tier's last whole walk began, by the provider's clock. */
static int64_t
last_walk_ms(const struct source_poll *poll)
{
    return poll->state.hw_ms == 0
               ? 0
               : poll->state.hw_ms + poll->settings.connector->poll.settle_ms;
}

/* A list that is read from its beginning, since its cursor was refused, shows
 * what no walk before should have: that tells nothing. */
static struct walk_past
past_of(const struct source_poll *poll)
{
    const struct poll_account *account = poll->settings.account;
    struct walk_past past = { 0 };
    if (poll->state.anew) {
        return past;
    }
    past.own_ms = last_walk_ms(poll);
    past.start_ms = poll->state.start_ms;
    if (poll->settings.tier > 0) {
        past.fast_ms = account->fast_walk_ms;
        past.fast_overlap_ms = account->fast_overlap_ms;
        past.fast_from_ms = account->fast_from_ms;
    }
    return past;
}

/* What one tier proves holds for the connector: the latest of them counts. What
 * was proved with a shorter overlap than today's, perhaps before a restart, was
 * told to people and stays told. */
static void
note_complete(struct source_poll *poll)
{
    struct poll_account *account = poll->settings.account;
    int64_t until_ms = walk_complete_until(&poll->plan, &poll->state);
    until_ms =
        poll->state.complete_ms > until_ms ? poll->state.complete_ms : until_ms;
    if (until_ms > account->complete_until_ms) {
        account->complete_until_ms = until_ms;
    }
    if (poll->settings.tier == 0) {
        account->fast_walk_ms = last_walk_ms(poll);
        account->fast_overlap_ms = poll->plan.overlap_ms;
        account->fast_from_ms = poll->state.told_ms > poll->state.start_ms
                                    ? poll->state.told_ms
                                    : poll->state.start_ms;
    }
}

/* Makes the text that was stored the state of this process too. */
static enum status
adopt_state(struct source_poll *poll, struct error *err)
{
    struct arena arena = { 0 };
    struct walk_state state;
    enum status status =
        walk_decode(buf_slice(&poll->state_text), &arena, &state, err);
    if (status != STATUS_OK) {
        arena_fini(&arena);
        return status;
    }
    arena_fini(&poll->state_arena);
    poll->state = state;
    poll->state_arena = arena;
    poll->next = poll->state;
    arena_fini(&poll->next_arena);
    /* Not before: until a page of ours is durable, the open walk is that of
     * the process before, however often we have begun. */
    poll->plan.resumable = true;
    note_complete(poll);
    return STATUS_OK;
}

/* Whoever walks by hand may be trying the connector out. */
static void
tell_page(const struct source_poll *poll, const struct verdict *verdict)
{
    struct buf missing = { 0 };
    const struct page *page = &poll->page.page;
    if (poll->settings.once &&
        page_look(poll->settings.connector, page, &missing) != STATUS_OK) {
        buf_clear(&missing);
    }
    source_poll_tell_asked(
        poll, &(struct poll_asked){ .status = poll->status,
                                    .rows = page->row_count,
                                    .fresh = verdict->fresh,
                                    .known = verdict->known,
                                    .missing = buf_slice(&missing) });
    buf_fini(&missing);
}

static void
count_stored(struct source_poll *poll, const struct verdict *verdict)
{
    poll->run.fresh += verdict->fresh;
    poll->run.known += verdict->known;
    poll->run.seeded += verdict->seeded;
    poll_pace_stored(poll, verdict);
    if (poll->step.is_elsewhere) {
        poll->failures = 0; /* whatever failed before is behind */
    }
    if (poll->step.has_gap) {
        poll->run.has_gap = true;
        poll->run.gap = poll->step.gap;
    }
    if (poll->status != 0) {
        poll->run.pages++;
        tell_page(poll, verdict);
    }
}

/* Whether the next request would make the provider forget what was not stored.
 */
static bool
would_acknowledge(const struct source_poll *poll)
{
    return poll->sink->is_rehearsal && poll->run.pages > 0 &&
           poll->settings.connector->poll.cursor.acks;
}

/* What an edited connector left is durable; its gap may have had to wait for
 * another. */
static void
drop_fitted(struct source_poll *poll)
{
    const struct walk_gap *gap = &poll->fitted.gap;
    bool waits = poll->fitted.has_gap &&
                 (!poll->step.has_gap || poll->step.gap.kind != gap->kind ||
                  poll->step.gap.from_ms != gap->from_ms);
    if (!waits) {
        poll->fitted = (struct walk_step){ 0 };
    }
}

/* The sink's verdict on a page. */
static void
stored(void *arg, const struct verdict *verdict)
{
    struct source_poll *poll = arg;
    struct error err = { 0 };
    enum status status = STATUS_OK;
    if (poll_hold_lost(poll, verdict->kind == VERDICT_FENCED)) {
        return;
    }
    bool durable =
        verdict->kind == VERDICT_STORED || verdict->kind == VERDICT_SEEN;
    if (durable || !RULE(RULE_STORED_FIRST)) {
        count_stored(poll, verdict);
        drop_fitted(poll);
        status = adopt_state(poll, &err);
    }
    if (durable && poll->settings.is_backfill) {
        poll->phase = PHASE_IDLE; /* with the store all is well */
        poll_backfill_count(poll, verdict);
    } else if (durable && status == STATUS_OK) {
        poll_lag_stored(poll, verdict);
    }
    buf_fini(&poll->state_text);
    poll->page = (struct poll_page){ 0 };
    poll->ending = false;
    if (poll->stopped != NULL && !poll->finishing) {
        source_poll_tell_stopped(poll);
    } else if (durable && poll_backfill_cancelled(poll)) {
        return;
    } else if (!durable) {
        /* The page was not taken: ask for it again, soon. A span's end that
         * was not taken waits as long. */
        (void)error_set(&err, STATUS_BUSY,
                        "the store did not take the page: "
                        "%.*s",
                        SLICE_ARG(verdict->why));
        source_poll_fail(poll, STATUS_BUSY, &err);
    } else if (status != STATUS_OK) {
        source_poll_fail(poll, status, &err);
    } else if (poll->step.next == WALK_ASK && !would_acknowledge(poll)) {
        poll_ask(poll);
    } else if (poll->step.next == WALK_WHOLE && poll->unsaved) {
        poll->step.has_gap = false; /* written with the page */
        source_poll_submit_state(poll);
    } else if (poll->step.next != WALK_FAILED) {
        end_run(poll, POLL_OK, (struct slice){ NULL, 0 });
    } else {
        source_poll_fail(poll, STATUS_PROTOCOL, &poll->step.why);
    }
}

/* Hands the page over, with the state that it leads to. */
void
source_poll_submit(struct source_poll *poll)
{
    struct arrival *arrival = poll->page.arrival;
    poll->unsaved = false;
    walk_encode(&poll->next, &poll->state_text);
    enum status status = buf_status(&poll->state_text);
    if (status == STATUS_OK) {
        status = arena_copy(&arrival->arena, buf_slice(&poll->state_text),
                            &arrival->walk_state);
    }
    if (status != STATUS_OK) {
        buf_fini(&poll->state_text);
        source_poll_fail(poll, status, NULL);
        return;
    }
    arrival->has_walk = true;
    arrival->tier = poll->settings.tier;
    arrival->fence = poll->fence;
    arrival->hw_ms = poll->next.hw_ms;
    /* A span, and a list that is read from its beginning since its cursor was
     * refused, show what lies far below: nothing is broken by it. */
    arrival->complete_until_ms =
        poll->settings.is_backfill || poll->state.anew
            ? 0
            : poll->settings.account->complete_until_ms;
    arrival->past = past_of(poll);
    arrival->has_gap = poll->step.has_gap;
    arrival->gap = poll->step.gap;
    arrival->has_read = poll->settings.is_backfill &&
                        walk_backfill_whole(&poll->next, &arrival->read_from_ms,
                                            &arrival->read_to_ms);
    poll->page.arrival = NULL;
    poll->phase = PHASE_STORING;
    poll->sink->submit(poll->sink->self, arrival, stored, poll);
}

/* Stores the next state without rows. */
void
source_poll_submit_state(struct source_poll *poll)
{
    enum status status = poll_page_empty(poll);
    if (status != STATUS_OK) {
        source_poll_fail(poll, status, NULL);
        return;
    }
    poll->status = 0;
    source_poll_submit(poll);
}

/* Hands over what the page has become. */
void
source_poll_submit_rows(struct source_poll *poll)
{
    struct error err = { 0 };
    enum status status = poll_page_sightings(poll, &err);
    if (status != STATUS_OK) {
        source_poll_tell_asked(
            poll,
            &(struct poll_asked){ .status = poll->status,
                                  .rows = poll->page.page.row_count,
                                  .why = slice_of(error_text(&err, status)) });
        source_poll_fail(poll, status, &err);
        return;
    }
    poll_page_order(poll);
    source_poll_submit(poll);
}

struct walk_now
source_poll_now(const struct source_poll *poll)
{
    return (struct walk_now){ .our_ms = clock_unix_ms(),
                              .provider_ms = source_poll_provider_ms(poll) };
}

/* What an edited connector leaves unread becomes durable with the first state
 * that goes by it. */
static void
take_fitted(struct source_poll *poll)
{
    if (poll->fitted.has_gap && !poll->step.has_gap) {
        poll->step.has_gap = true;
        poll->step.gap = poll->fitted.gap;
    }
    poll->step.state_changed |= poll->fitted.state_changed;
}

/* Begins a walk, or goes on with the one that is open. */
static void
begin(struct source_poll *poll)
{
    struct walk_now now = source_poll_now(poll);
    poll->phase = PHASE_IDLE;
    if (poll->paused || !poll->is_held || !poll_ask_may_store(poll) ||
        poll_backfill_cancelled(poll)) {
        return;
    }
    if (poll_setup_holds(poll) || poll_gate_holds(poll)) {
        return;
    }
    source_poll_count_walking(poll, true);
    poll->gate_open = false;
    poll->poked = false;
    poll->at_once = false;
    poll->patient = false;
    poll_due_begun(poll);
    if (poll->run.started_ms == 0) {
        poll->run.started_ms = now.our_ms;
    }
    poll_lag_follow(poll);
    poll->next = poll->state;
    arena_fini(&poll->next_arena);
    poll->step = (struct walk_step){ 0 };
    enum status status = walk_begin(&poll->plan, &poll->next, &now,
                                    &poll->next_arena, &poll->step);
    if (status != STATUS_OK) {
        source_poll_fail(poll, status, &poll->step.why);
        return;
    }
    take_fitted(poll);
    if (poll->step.state_changed || poll->step.has_gap) {
        source_poll_submit_state(poll);
    } else {
        poll_ask(poll);
    }
}

/* The one timer: the next walk is due, or the budget allows a request. */
static void
timer_fired(void *arg)
{
    struct source_poll *poll = arg;
    if (poll->phase == PHASE_STOPPED) {
        source_poll_tell_stopped(poll);
    } else if (!poll->is_held) {
        return; /* source_poll_hold wakes it */
    } else if (poll->phase == PHASE_WAITING) {
        poll_ask(poll);
    } else if (poll->phase == PHASE_SETUP) {
        poll_setup_ask(poll);
    } else if (poll->phase == PHASE_GATE) {
        poll_gate_ask(poll);
    } else if (poll->phase == PHASE_FILE) {
        poll_indirect_ask(poll);
    } else if (poll->phase == PHASE_DETAIL) {
        poll_detail_next(poll);
    } else if (poll->phase == PHASE_IDLE && !poll->loaded) {
        poll_load(poll);
    } else if (poll->phase == PHASE_IDLE && poll->looks && !poll->poked) {
        (void)schedule(poll);
    } else if (poll->phase == PHASE_IDLE) {
        begin(poll);
    }
}

/* ---- lifecycle ---- */

void
source_poll_loaded(struct source_poll *poll)
{
    poll->loaded = true;
    poll_lag_follow(poll);
    note_complete(poll);
    poll->phase = PHASE_IDLE;
    if (poll->follows) {
        source_poll_wait(poll);
    } else if (!poll->settings.is_backfill || poll_backfill_goes_on(poll)) {
        begin(poll);
    }
}

enum status
source_poll_create(struct loop *loop, struct access *access,
                   const struct source_poll_settings *settings,
                   const struct source_sink *sink, struct source_poll **ret)
{
    struct source_poll *poll = mem_zero(sizeof(*poll));
    if (poll == NULL) {
        return STATUS_NOMEM;
    }
    poll->loop = loop;
    poll->access = access;
    poll->settings = *settings;
    poll->sink = sink;
    poll->is_held = true;
    poll->prng.state = settings->seed;
    list_init(&poll->turn);
    pace_begin(&poll->pace, &settings->pace, loop_now_ms(loop));
    poll->plan = (struct walk_plan){ .connector = settings->connector,
                                     .overlap_ms = settings->overlap_ms,
                                     .tiers = settings->tiers,
                                     .most_ms = settings->overlap_most_ms,
                                     .is_backfill = settings->is_backfill };
    enum status status =
        loop_timer_create(loop, timer_fired, poll, &poll->timer);
    if (status != STATUS_OK) {
        mem_free(poll);
        return status;
    }
    *ret = poll;
    return STATUS_OK;
}

void
source_poll_start(struct source_poll *poll)
{
    poll->has_started = true;
    poll_hold_load(poll);
}

static void
poke(struct source_poll *poll, bool at_once)
{
    poll->poked = true;
    poll->at_once = poll->at_once || at_once;
    poll_gate_leave(poll);
    if (poll->phase != PHASE_IDLE || !poll->is_held) {
        return;
    }
    int64_t due_ms = poll_due_ms(poll);
    int64_t fires_ms = loop_now_ms(poll->loop) + due_ms - clock_unix_ms();
    if (!loop_timer_armed(poll->timer) || fires_ms < poll->fires_ms) {
        wait_for(poll, due_ms);
    }
}

void
source_poll_poke(struct source_poll *poll)
{
    poke(poll, true);
}

void
source_poll_signal(struct source_poll *poll)
{
    poke(poll, false);
}

void
source_poll_stop(struct source_poll *poll, void (*stopped)(void *arg),
                 void *arg)
{
    poll->rests = poll_follow_rests(poll);
    poll->stopped = stopped;
    poll->stopped_arg = arg;
    poll->finishing = false;
    source_poll_count_walking(poll, false);
    loop_timer_disarm(poll->timer);
    poll_ask_leave(poll);
    access_cancel(poll->call);
    poll->call = NULL;
    if (poll->phase != PHASE_LOADING && poll->phase != PHASE_LOOKING &&
        poll->phase != PHASE_STORING) {
        source_poll_stopped(poll);
    }
}

void
source_poll_destroy(struct source_poll *poll)
{
    if (poll == NULL) {
        return;
    }
    poll_ask_leave(poll);
    access_cancel(poll->call);
    poll_page_drop(poll);
    loop_timer_destroy(poll->timer);
    buf_fini(&poll->state_text);
    arena_fini(&poll->request_arena);
    arena_fini(&poll->detail_arena);
    arena_fini(&poll->next_arena);
    arena_fini(&poll->state_arena);
    arena_fini(&poll->seed_arena);
    mem_free(poll);
}

int64_t
source_poll_complete_until(const struct source_poll *poll)
{
    return walk_complete_until(&poll->plan, &poll->state);
}

unsigned
source_poll_failures(const struct source_poll *poll)
{
    return poll->failures;
}
