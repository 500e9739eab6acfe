/* SPDX-License-Identifier: MIT */
/* Keeps requests that were not accepted, at a bounded cost. */
#include "flow/refusals.h"

#include "base/instant.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/clock.h"
#include "io/loop.h"
#include "model/quota.h"

/*
 * The happy path: refusals_note copies what is kept into the batch that
 * gathers; after FLUSH_MS `flush` hands it to the store's thread, with what was
 * counted meanwhile, and gathers into the other batch.
 *
 * What can go wrong: the batch is full, or there is no memory, or the store did
 * not take it: then they are counted, as those over the quota are.
 */

#define FLUSH_MS   500
#define BATCH_MOST 256

struct batch {
    struct arena arena;
    struct store_refusal rows[BATCH_MOST];
    size_t count;
};

/* One connector's. */
struct tally {
    struct quota quota[REFUSAL_CAUSE_END];
    int64_t more[REFUSAL_CAUSE_END]; /* counted and not handed over yet */
};

struct refusals {
    struct loop *loop;
    struct store_worker *worker;
    struct refusals_settings settings;
    struct tally *tallies; /* one per connector */
    struct batch *gathering;
    struct batch *stored; /* under way, or empty */
    struct batch batches[2];
    size_t trimmed; /* connectors whose old ones have been told to go */
    bool is_open;   /* the call is under way */
    bool is_ended;
    struct store_call call;
    struct store_call last; /* the one of the end, behind `call` */
    struct loop_timer *timer;
};

static struct tally *
tally_of(struct refusals *refusals, uint32_t connector)
{
    for (size_t i = 0; i < refusals->settings.connector_count; i++) {
        if (refusals->settings.connectors[i].id == connector) {
            return &refusals->tallies[i];
        }
    }
    return NULL;
}

static void
clear(struct batch *batch)
{
    arena_fini(&batch->arena);
    batch->arena = (struct arena){ 0 };
    batch->count = 0;
}

/* ---- handing over ---- */

/* They are lost, but not their number. */
static void
count_lost(struct refusals *refusals, const struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        const struct store_refusal *row = &batch->rows[i];
        struct tally *tally = tally_of(refusals, row->connector);
        if (tally != NULL) {
            tally->more[row->cause] += row->more + !row->only_more;
        }
    }
}

static void trim_more(struct refusals *refusals);

static void
stored(struct store_call *call)
{
    struct refusals *refusals = call->arg;
    refusals->is_open = false;
    if (call->status != STATUS_OK) {
        LOG(LOG_DEBUG, "refusals could not be stored, they are only counted",
            log_text("why", error_text(&call->err, call->status)));
        count_lost(refusals, refusals->stored);
    }
    clear(refusals->stored);
    if (!refusals->is_ended) {
        trim_more(refusals);
    }
}

static void
last_stored(struct store_call *call)
{
    (void)call; /* its batch goes with the refusals */
}

static struct store_call
call_of(struct refusals *refusals, const struct batch *batch,
        void (*done)(struct store_call *call))
{
    return (struct store_call){
        .kind = STORE_CALL_UNIT,
        .done = done,
        .arg = refusals,
        .unit = { .refusals = { batch->rows, batch->count,
                                refusals->settings.keep } },
    };
}

static void
submit(struct refusals *refusals)
{
    struct batch *batch = refusals->gathering;
    refusals->gathering = refusals->stored;
    refusals->stored = batch;
    refusals->call = call_of(refusals, batch, stored);
    if (store_worker_submit(refusals->worker, &refusals->call) == STATUS_OK) {
        refusals->is_open = true;
    } else {
        clear(batch); /* the store has failed for good */
    }
}

/* What was counted goes behind what was kept. False: the batch is full. */
static bool
add_more(struct refusals *refusals, size_t index)
{
    struct tally *tally = &refusals->tallies[index];
    struct batch *batch = refusals->gathering;
    for (int cause = 1; cause < REFUSAL_CAUSE_END; cause++) {
        if (tally->more[cause] == 0) {
            continue;
        }
        if (batch->count == BATCH_MOST) {
            return false;
        }
        batch->rows[batch->count++] = (struct store_refusal){
            .connector = refusals->settings.connectors[index].id,
            .cause = (enum refusal_cause)cause,
            .more = tally->more[cause],
            .only_more = true,
        };
        tally->more[cause] = 0;
    }
    return true;
}

static bool
add_all_more(struct refusals *refusals)
{
    bool fits = true;
    for (size_t i = 0; i < refusals->settings.connector_count && fits; i++) {
        fits = add_more(refusals, i);
    }
    return fits;
}

void
refusals_end(struct refusals *refusals)
{
    if (refusals == NULL || refusals->is_ended) {
        return;
    }
    refusals->is_ended = true;
    loop_timer_disarm(refusals->timer);
    (void)add_all_more(refusals);
    if (refusals->gathering->count > 0) {
        refusals->last = call_of(refusals, refusals->gathering, last_stored);
        enum status status =
            store_worker_submit(refusals->worker, &refusals->last);
        (void)status; /* a store that failed for good takes nothing more */
    }
}

void
refusals_flush(struct refusals *refusals)
{
    if (refusals == NULL || refusals->is_ended) {
        return;
    }
    if (refusals->is_open) {
        loop_timer_arm(refusals->timer, FLUSH_MS);
        return;
    }
    if (!add_all_more(refusals)) {
        loop_timer_arm(refusals->timer, FLUSH_MS);
    }
    if (refusals->gathering->count > 0) {
        submit(refusals);
    }
}

static void
flush(void *arg)
{
    refusals_flush(arg);
}

/* ---- taking note ---- */

static enum status
copy_buf(struct batch *batch, struct buf *text, struct slice *ret)
{
    enum status status = buf_status(text);
    if (status == STATUS_OK) {
        status = arena_copy(&batch->arena, buf_slice(text), ret);
    }
    buf_clear(text);
    return status;
}

static enum status
copy_row(struct batch *batch, const struct refusal *refusal,
         struct store_refusal *row)
{
    struct buf text = { 0 };
    *row = (struct store_refusal){
        .connector = refusal->connector->id,
        .cause = refusal->cause,
        .status = refusal->status,
        .at_ms = clock_unix_ms(),
        .bytes = refusal->bytes,
    };
    refusal_why(refusal, &text);
    enum status status = copy_buf(batch, &text, &row->why);
    refusal_head(refusal, &text);
    if (status == STATUS_OK) {
        status = copy_buf(batch, &text, &row->head);
    }
    if (status == STATUS_OK) {
        status = arena_copy(&batch->arena, refusal->peer, &row->peer);
    }
    buf_fini(&text);
    return status;
}

static bool
keep(struct refusals *refusals, struct tally *tally,
     const struct refusal *refusal)
{
    struct batch *batch = refusals->gathering;
    if (batch->count == BATCH_MOST ||
        quota_take(&tally->quota[refusal->cause], loop_now_ms(refusals->loop)) >
            0 ||
        copy_row(batch, refusal, &batch->rows[batch->count]) != STATUS_OK) {
        return false;
    }
    batch->count++;
    return true;
}

bool
refusals_note(struct refusals *refusals, const struct refusal *refusal)
{
    if (refusals == NULL || refusals->settings.keep == 0 ||
        refusals->is_ended) {
        return false;
    }
    struct tally *tally =
        &refusals->tallies[refusal->connector - refusals->settings.connectors];
    bool kept = keep(refusals, tally, refusal);
    if (!kept) {
        tally->more[refusal->cause]++;
    }
    if (!loop_timer_armed(refusals->timer)) {
        loop_timer_arm(refusals->timer, FLUSH_MS);
    }
    return kept;
}

/* ---- lifecycle ---- */

/* Names connectors, a batch at a time: a name alone has what is over `keep`
 * go. */
static void
trim_more(struct refusals *refusals)
{
    struct batch *batch = refusals->gathering;
    size_t before = refusals->trimmed;
    while (refusals->trimmed < refusals->settings.connector_count &&
           batch->count < BATCH_MOST) {
        batch->rows[batch->count++] = (struct store_refusal){
            .connector = refusals->settings.connectors[refusals->trimmed++].id,
            .cause = REFUSAL_MALFORMED,
            .only_more = true,
        };
    }
    if (refusals->trimmed > before) {
        submit(refusals);
    }
}

void
refusals_start(struct refusals *refusals)
{
    refusals->trimmed = 0;
    trim_more(refusals);
}

enum status
refusals_create(struct loop *loop, struct store_worker *worker,
                const struct refusals_settings *settings, struct refusals **ret)
{
    struct refusals *refusals = mem_zero(sizeof(*refusals));
    if (refusals == NULL) {
        return STATUS_NOMEM;
    }
    refusals->loop = loop;
    refusals->worker = worker;
    refusals->settings = *settings;
    refusals->trimmed = settings->connector_count; /* until refusals_start */
    refusals->gathering = &refusals->batches[0];
    refusals->stored = &refusals->batches[1];
    refusals->tallies =
        mem_array(settings->connector_count, sizeof(*refusals->tallies));
    enum status status =
        refusals->tallies == NULL
            ? STATUS_NOMEM
            : loop_timer_create(loop, flush, refusals, &refusals->timer);
    if (status != STATUS_OK) {
        refusals_destroy(refusals);
        return status;
    }
    for (size_t i = 0; i < settings->connector_count; i++) {
        for (int cause = 0; cause < REFUSAL_CAUSE_END; cause++) {
            refusals->tallies[i].quota[cause] =
                (struct quota){ .count = REFUSALS_A_MINUTE,
                                .per_ms = INSTANT_MINUTE_MS };
        }
    }
    *ret = refusals;
    return STATUS_OK;
}

void
refusals_destroy(struct refusals *refusals)
{
    if (refusals == NULL) {
        return;
    }
    clear(&refusals->batches[0]);
    clear(&refusals->batches[1]);
    loop_timer_destroy(refusals->timer);
    mem_free(refusals->tallies);
    mem_free(refusals);
}
