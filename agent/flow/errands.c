/* SPDX-License-Identifier: MIT */
#include "flow/errands.h"

#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/clock.h"
#include "io/loop.h"
#include "model/errand.h"

/*
 * The happy path: `look` finds an errand in the store, the timer gives it a
 * turn, `read_slice` asks the reader for the next letters or events, `came`
 * turns them into wishes, `stored` takes over how far it is and wakes dispatch.
 * One slice is under way at a time, so one set of calls is enough.
 *
 * What can go wrong: the store has no room (asked again after a while; nothing
 * was done); it was cancelled meanwhile (the slice had no effect and the errand
 * is forgotten here); a crash (the slice is done again or was done whole).
 */

#define SLICE_ROWS 100
#define SLICE_LOOK 2000
#define RETRY_MS   1000
#define FULL_MS    100 /* until it is asked again how many are open */

/* One errand that goes on. */
struct run {
    struct list link;
    uint64_t number;
    struct arena arena; /* of its filter's texts */
    struct errand errand;
    struct errand_pace pace;
    int64_t open;
    int64_t next_ms; /* monotonic */
};

struct errands {
    struct loop *loop;
    struct store_worker *worker;
    struct errands_settings settings;
    struct loop_timer *timer;
    struct list runs; /* the next one first */
    bool is_held;     /* by this agent, which so may do them, */
    uint64_t fence;   /* and by which lease */
    bool find_lost;   /* what is looked for is of a lease that is lost, */
    bool slice_lost;  /* and the slice under way too */
    bool looking;
    bool look_again;
    uint64_t known; /* the highest number that was seen */
    struct store_call find;
    /* The slice under way. */
    bool busy;
    bool stopped;
    struct run *run;
    struct view_call view;
    struct store_call call;
    struct store_again_one *wishes;
    size_t wish_count;
    size_t outlets; /* that it is for: those there were when it was asked for */
    size_t passed;  /* over: no such handler any more */
    struct buf state;
    struct errand after; /* this slice */
};

static void take_turn(void *arg);

static void
arm(struct errands *errands)
{
    int64_t now_ms = clock_monotonic_ms();
    int64_t wait_ms =
        errands->look_again && !errands->looking ? RETRY_MS : INT64_MAX;
    list_for_each(at, &errands->runs) {
        int64_t ms = list_entry(at, struct run, link)->next_ms - now_ms;
        wait_ms = ms < wait_ms ? ms : wait_ms;
    }
    if (wait_ms != INT64_MAX && !errands->busy && !errands->stopped &&
        errands->is_held) {
        loop_timer_arm(errands->timer, wait_ms < 0 ? 0 : wait_ms);
    }
}

static void
forget(struct run *run)
{
    list_remove(&run->link);
    arena_fini(&run->arena);
    mem_free(run);
}

/* The slice is over; the errand's next one waits so long. */
static void
end_slice(struct errands *errands, int64_t wait_ms)
{
    struct run *run = errands->run;
    errands->busy = false;
    errands->run = NULL;
    arena_fini(&errands->view.arena);
    if (run != NULL && errands->slice_lost) {
        forget(run);
    } else if (run != NULL) {
        run->next_ms = clock_monotonic_ms() + wait_ms;
        list_remove(&run->link);
        list_append(&errands->runs, &run->link);
    }
    errands->slice_lost = false;
    arm(errands);
}

static void
fail_slice(struct errands *errands, const struct error *err, enum status status)
{
    LOG(LOG_WARN, "an errand waits: a slice of it could not be done",
        log_i64("errand", (int64_t)errands->run->number),
        log_text("why", error_text(err, status)));
    end_slice(errands, RETRY_MS);
}

/* ---- a slice is stored ---- */

static void
tell_end(const struct run *run, const struct store_again *again)
{
    LOG(LOG_INFO, "errand done", log_i64("errand", (int64_t)run->number),
        log_text("kind", errand_kind_name(run->errand.kind)),
        log_i64("done", again->all_done),
        log_i64("skipped", again->all_skipped));
}

static void
stored(struct store_call *call)
{
    struct errands *errands = call->arg;
    struct run *run = errands->run;
    const struct store_again *again = &call->again;
    if (call->status == STATUS_NOT_FOUND) {
        LOG(LOG_INFO, "errand cancelled",
            log_i64("errand", (int64_t)run->number));
        errands->run = NULL;
        forget(run);
        end_slice(errands, 0);
        return;
    }
    if (call->status == STATUS_FENCED) {
        end_slice(errands, RETRY_MS); /* another agent's by now */
        return;
    }
    if (call->status != STATUS_OK) {
        fail_slice(errands, &call->err, call->status);
        return;
    }
    run->open = again->open;
    const bool is_full = run->open >= errands->settings.open_most;
    if (again->state.len > 0) {
        run->errand.at = errands->after.at;
        run->errand.is_over = errands->after.is_over;
        errand_went(&run->errand, &run->pace, again->count,
                    clock_monotonic_ms());
    }
    if (again->done > 0) {
        dispatch_again(errands->settings.dispatch);
    }
    if (run->errand.is_over) {
        tell_end(run, again);
        errands->run = NULL;
        forget(run);
    }
    end_slice(errands, is_full ? FULL_MS : 0);
}

static void
submit(struct errands *errands)
{
    enum status status = store_worker_submit(errands->worker, &errands->call);
    if (status != STATUS_OK) {
        errands->stopped = true; /* the store has failed for good */
        end_slice(errands, RETRY_MS);
    }
}

static void
store_slice(struct errands *errands)
{
    const struct run *run = errands->run;
    errands->after.ended_ms = errands->after.is_over ? clock_unix_ms() : 0;
    buf_clear(&errands->state);
    errand_encode(&errands->after, &errands->state);
    if (buf_status(&errands->state) != STATUS_OK) {
        struct error err = { "" };
        fail_slice(errands, &err, STATUS_NOMEM);
        return;
    }
    errands->call = (struct store_call){
        .kind = STORE_CALL_AGAIN,
        .done = stored,
        .arg = errands,
        .again = { .kind = run->errand.kind,
                   .at = errands->wishes,
                   .count = errands->wish_count,
                   .first = run->errand.filter.event != 0,
                   .errand = run->number,
                   .fence = errands->fence,
                   .state = buf_slice(&errands->state),
                   .is_over = errands->after.is_over,
                   .skipped = errands->passed },
    };
    submit(errands);
}

/* ---- what a slice is made of ---- */

static const struct outlet_settings *
outlet_of(const struct errands *errands, uint32_t number)
{
    const struct outlet_settings *outlet = NULL;
    for (size_t i = 0;
         (outlet = dispatch_outlet(errands->settings.dispatch, i)) != NULL &&
         outlet->number != number;
         i++) {
    }
    return outlet;
}

static void
wish_for_letters(struct errands *errands, const struct view_dead *dead)
{
    for (size_t i = 0; i < dead->count; i++) {
        const struct view_dead_row *row = &dead->at[i];
        if (!errand_reach(&errands->after, row->id)) {
            break;
        }
        if (errands->after.kind == AGAIN_RETRY &&
            outlet_of(errands, row->number) == NULL) {
            errands->passed++; /* nobody would claim it */
            continue;
        }
        errands->wishes[errands->wish_count++] =
            (struct store_again_one){ .event = row->event,
                                      .handler = row->number };
    }
}

static const struct connector *
connector_of(const struct errands *errands, struct slice name)
{
    for (size_t i = 0; i < errands->settings.connector_count; i++) {
        if (slice_equal(errands->settings.connectors[i].name, name)) {
            return &errands->settings.connectors[i];
        }
    }
    return NULL;
}

/* One event and one handler, both named: whatever its route says. */
static bool
is_named(const struct errand *errand)
{
    return errand->filter.event != 0 && errand->filter.handler.len > 0;
}

static void
wish_for_owed(struct errands *errands, uint64_t event, const struct owed *owed,
              size_t count)
{
    const struct errand *errand = &errands->after;
    bool named = is_named(errand);
    const struct outlet_settings *outlet;
    for (size_t i = 0;
         i < errands->outlets &&
         (outlet = dispatch_outlet(errands->settings.dispatch, i)) != NULL;
         i++) {
        struct store_again_one wish = { .event = event,
                                        .handler = outlet->number };
        bool wanted = named && outlet->number != 0;
        for (size_t j = 0; j < count; j++) {
            if (owed[j].handler == outlet->number) {
                wanted = true;
                wish.has_lane = owed[j].has_lane;
                wish.lane = owed[j].lane;
            }
        }
        if (wanted && (errand->filter.handler.len == 0 ||
                       slice_equal(outlet->name, errand->filter.handler))) {
            errands->wishes[errands->wish_count++] = wish;
        }
    }
}

/* Which handlers an event goes to, as if it were new. */
static enum status
wish_for_event(struct errands *errands, const struct view_event *event)
{
    struct sighting sighting = { .via = event->via,
                                 .id = event->id,
                                 .type = event->type,
                                 .time_ms = event->time_ms,
                                 .recorded_ms = event->recorded_ms,
                                 .headers = event->headers,
                                 .content_type = event->content_type,
                                 .body = event->body };
    const struct connector *connector = connector_of(errands, event->connector);
    if (connector == NULL) {
        errands->passed++;
        return STATUS_OK;
    }
    size_t before = errands->wish_count;
    enum status status = dispatch_owed(errands->settings.dispatch, connector,
                                       &sighting, &errands->view.arena);
    if (status != STATUS_OK) {
        return status;
    }
    wish_for_owed(errands, event->number, sighting.owed, sighting.owed_count);
    errands->passed += errands->wish_count == before;
    return STATUS_OK;
}

static enum status
wish_for_events(struct errands *errands, const struct view_events *events)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < events->count; i++) {
        const struct view_event *event = &events->at[i];
        uint64_t wanted = errands->after.filter.event;
        if (!errand_reach(&errands->after, event->number)) {
            break;
        }
        if (wanted == 0 || wanted == event->number) {
            status = wish_for_event(errands, event);
        }
    }
    return status;
}

/* Where a slice that has read all it could ends. */
static void
came(struct view_call *call)
{
    struct errands *errands = call->arg;
    struct errand *after = &errands->after;
    enum status status = call->status;
    bool events = call->kind == VIEW_EVENTS;
    if (errands->stopped || errands->slice_lost) {
        end_slice(errands, RETRY_MS);
        return;
    }
    bool more = events ? call->events.more : call->dead.more;
    if (status == STATUS_OK && events) {
        status = wish_for_events(errands, &call->events);
    } else if (status == STATUS_OK) {
        wish_for_letters(errands, &call->dead);
    }
    if (status != STATUS_OK) {
        fail_slice(errands, &call->err, status);
        return;
    }
    if (more) {
        after->at = events ? call->events.next : call->dead.next;
    }
    after->is_over = !more || after->at >= after->last;
    store_slice(errands);
}

/* Rows above `last` are younger than the errand. */
static void
ask_events(struct errands *errands, const struct errand *errand, size_t limit)
{
    const struct errand_filter *filter = &errand->filter;
    struct view_events *events = &errands->view.events;
    const struct connector *connector =
        connector_of(errands, filter->connector);
    errands->view.kind = VIEW_EVENTS;
    *events = (struct view_events){
        .connector = filter->connector.len == 0 ? 0
                     : connector == NULL        ? UINT32_MAX /* none any more */
                                                : connector->id,
        .type = filter->type,
        .via = -1,
        .since_ms = filter->since_ms,
        .until_ms = filter->until_ms,
        .oldest_first = true,
        .with_body = true,
        .before = filter->event != 0 ? filter->event - 1 : errand->at,
        .limit = filter->event != 0 ? 1 : limit,
        .look = filter->event != 0 ? 1 : SLICE_LOOK,
    };
}

static size_t
count_outlets(const struct errands *errands)
{
    size_t count = 0;
    while (dispatch_outlet(errands->settings.dispatch, count) != NULL) {
        count++;
    }
    return count;
}

static void
read_slice(struct errands *errands, size_t room)
{
    const struct errand *errand = &errands->run->errand;
    errands->after = *errand;
    errands->wish_count = 0;
    errands->passed = 0;
    errands->view = (struct view_call){ .kind = VIEW_LETTERS,
                                        .done = came,
                                        .arg = errands };
    if (errand->kind == AGAIN_REPLAY) {
        size_t each = count_outlets(errands);
        size_t limit = each == 0 ? room : room / each;
        errands->outlets = each; /* one that comes now finds no room */
        ask_events(errands, errand, limit == 0 ? 1 : limit);
    } else {
        errands->view.dead = (struct view_dead){ .filter = errand->filter,
                                                 .oldest_first = true,
                                                 .from = errand->at,
                                                 .limit = room,
                                                 .look = SLICE_LOOK };
    }
    store_reader_submit(errands->settings.reader, &errands->view);
}

/* Nothing may go now: asks only how many are open. */
static void
ask_open(struct errands *errands)
{
    errands->call = (struct store_call){
        .kind = STORE_CALL_AGAIN,
        .done = stored,
        .arg = errands,
        .again = { .errand = errands->run->number, .fence = errands->fence },
    };
    submit(errands);
}

static void
take_turn(void *arg)
{
    struct errands *errands = arg;
    int64_t now_ms = clock_monotonic_ms();
    if (errands->busy || errands->stopped || !errands->is_held) {
        return;
    }
    if (errands->look_again && !errands->looking) {
        errands->look_again = false;
        errands_look(errands);
    }
    list_for_each(at, &errands->runs) {
        struct run *run = list_entry(at, struct run, link);
        int64_t wait_ms;
        if (run->next_ms > now_ms) {
            continue;
        }
        size_t room = errand_room(&run->errand, &run->pace, run->open,
                                  errands->settings.open_most, SLICE_ROWS,
                                  now_ms, &wait_ms);
        if (room > 0 || run->open >= errands->settings.open_most) {
            errands->busy = true;
            errands->run = run;
            if (room > 0) {
                read_slice(errands, room);
            } else {
                ask_open(errands);
            }
            return;
        }
        run->next_ms = now_ms + wait_ms;
    }
    arm(errands);
}

/* ---- which there are ---- */

static enum status
add_run(struct errands *errands, const struct store_errand *found)
{
    struct run *run = mem_zero(sizeof(*run));
    if (run == NULL) {
        return STATUS_NOMEM;
    }
    run->number = found->number;
    enum status status =
        errand_decode(buf_slice(&found->state), &run->arena, &run->errand);
    list_append(&errands->runs, &run->link);
    if (status != STATUS_OK) {
        forget(run);
    }
    return status;
}

static void
found(struct store_call *call)
{
    struct errands *errands = call->arg;
    const struct store_errand *errand = &call->errand;
    enum status status = call->status;
    bool any = status == STATUS_OK && errand->number != 0;
    errands->looking = false;
    if (errands->find_lost) {
        errands->find_lost = false;
        buf_fini(&call->errand.state);
        errands_look(errands);
        return;
    }
    if (any) {
        status = add_run(errands, errand);
        any = status != STATUS_NOMEM;
    }
    if (any) {
        errands->known = errand->number;
    }
    buf_fini(&call->errand.state);
    if (status != STATUS_OK) {
        LOG(LOG_WARN, "an errand cannot go on",
            log_i64("errand", (int64_t)errand->number),
            log_text("why", error_text(&call->err, status)));
    }
    if (errands->stopped) {
        return;
    }
    if (!any && status != STATUS_OK) {
        errands->look_again = true; /* after a while */
    } else if (any || errands->look_again) {
        errands->look_again = false;
        errands_look(errands);
    }
    arm(errands);
}

void
errands_look(struct errands *errands)
{
    if (!errands->is_held) {
        return; /* errands_hold looks */
    }
    if (errands->looking || errands->stopped) {
        errands->look_again = true;
        return;
    }
    errands->find = (struct store_call){
        .kind = STORE_CALL_ERRAND,
        .done = found,
        .arg = errands,
        .errand = { .after = errands->known },
    };
    errands->looking =
        store_worker_submit(errands->worker, &errands->find) == STATUS_OK;
}

/* ---- lifecycle ---- */

enum status
errands_create(struct loop *loop, struct store_worker *worker,
               const struct errands_settings *settings, struct errands **ret)
{
    enum status status = STATUS_NOMEM;
    struct errands *errands = mem_zero(sizeof(*errands));
    if (errands == NULL) {
        return status;
    }
    errands->loop = loop;
    errands->worker = worker;
    errands->settings = *settings;
    errands->is_held = true;
    list_init(&errands->runs);
    errands->wishes =
        mem_array(SLICE_ROWS + dispatch_outlets_most(settings->dispatch),
                  sizeof(*errands->wishes));
    if (errands->wishes == NULL) {
        goto free_errands;
    }
    status = loop_timer_create(loop, take_turn, errands, &errands->timer);
    if (status != STATUS_OK) {
        goto free_wishes;
    }
    *ret = errands;
    return STATUS_OK;

free_wishes:
    mem_free(errands->wishes);
free_errands:
    mem_free(errands);
    return status;
}

void
errands_change(struct errands *errands, const struct errands_settings *settings)
{
    errands->settings = *settings;
}

/* What is under way ends by itself, and is forgotten then. */
static void
forget_all(struct errands *errands)
{
    list_for_each_safe(at, &errands->runs) {
        struct run *run = list_entry(at, struct run, link);
        if (run != errands->run) {
            forget(run);
        }
    }
    errands->slice_lost = errands->busy;
    errands->find_lost = errands->looking;
    errands->look_again = false;
    errands->known = 0;
    loop_timer_disarm(errands->timer);
}

void
errands_hold(struct errands *errands, bool is_held, uint64_t fence)
{
    if (errands == NULL || errands->stopped ||
        (errands->is_held == is_held && errands->fence == fence)) {
        return;
    }
    errands->is_held = is_held;
    errands->fence = fence;
    forget_all(errands);
    if (!errands->looking) {
        errands_look(errands);
    }
}

void
errands_stop(struct errands *errands)
{
    if (errands != NULL) {
        errands->stopped = true;
        loop_timer_disarm(errands->timer);
    }
}

void
errands_destroy(struct errands *errands)
{
    if (errands == NULL) {
        return;
    }
    for (struct list *at; (at = list_take(&errands->runs)) != NULL;) {
        struct run *run = list_entry(at, struct run, link);
        list_init(&run->link);
        forget(run);
    }
    loop_timer_destroy(errands->timer);
    arena_fini(&errands->view.arena);
    buf_fini(&errands->state);
    mem_free(errands->wishes);
    mem_free(errands);
}
