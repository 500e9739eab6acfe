/* SPDX-License-Identifier: MIT */
#include "flow/leases.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "io/clock.h"
#include "io/loop.h"

/*
 * The happy path: the timer copies what there is into a call; the store says
 * what is held; each difference is told, and the trust timer is armed anew.
 *
 * What can go wrong: no answer, or a late one. Nothing changes until the trust
 * is over; then all is let go, and asked about as often as before. Connectors
 * come and go while a call is on its way: its answer is joined to what there is
 * by their numbers.
 */

#define MARGIN_MOST_MS                                                         \
    3000            /* of trust: other clocks, and what is on its way          \
                     */
#define SOON_MS 200 /* between two signs of life at least */

struct leases {
    struct loop *loop;
    struct store_worker *worker;
    struct leases_settings settings;
    struct loop_timer *timer; /* the next sign of life */
    struct loop_timer *trust; /* the last answer's end */
    /* What there is, by connector; what of it is held. */
    struct store_lease *at;
    size_t count;
    bool stopping;
    bool is_trusted;
    bool is_failing;        /* told already */
    int64_t asked_ms;       /* monotonic; of the call or the last answer */
    struct store_call call; /* its leases are `asked` */
    struct store_lease *asked;
    bool under_way;
    bool again;               /* behind the one that is under way */
    struct store_beat answer; /* its agents are ours */
};

static int
compare(const void *a, const void *b)
{
    uint32_t one = ((const struct store_lease *)a)->connector;
    uint32_t other = ((const struct store_lease *)b)->connector;
    return one < other ? -1 : one > other;
}

static struct store_lease *
find(struct store_lease *at, size_t count, uint32_t connector)
{
    const struct store_lease key = { .connector = connector };
    return count == 0 ? NULL : bsearch(&key, at, count, sizeof(*at), compare);
}

static void
beat_soon(struct leases *leases, int64_t wait_ms)
{
    leases->again = leases->under_way;
    if (!leases->under_way) {
        loop_timer_arm(leases->timer, wait_ms);
    }
}

/* ---- what is held ---- */

/* Returns whether that changes anything. */
static bool
hold(struct store_lease *lease, bool is_held, uint64_t fence)
{
    fence = is_held ? fence : 0;
    bool changes = lease->is_held != is_held || lease->fence != fence;
    lease->is_held = is_held;
    lease->fence = fence;
    return changes;
}

static void
tell_change(const struct leases *leases, bool changes)
{
    if (changes) {
        leases->settings.changed(leases->settings.arg);
    }
}

static void
let_all_go(struct leases *leases)
{
    bool changes = false;
    leases->is_trusted = false;
    loop_timer_disarm(leases->trust);
    for (size_t i = 0; i < leases->count; i++) {
        changes = hold(&leases->at[i], false, 0) || changes;
    }
    tell_change(leases, changes);
}

/* loop_timer's: no answer for so long that others may have taken over. */
static void
trust_ended(void *arg)
{
    struct leases *leases = arg;
    LOG(LOG_WARN,
        "the store has not answered for too long: what this agent does alone, "
        "others may do",
        log_figure("silent_ms", clock_monotonic_ms() - leases->asked_ms));
    let_all_go(leases);
}

static int64_t
trusted_ms(const struct leases *leases)
{
    int64_t ttl_ms = leases->settings.ttl_ms;
    int64_t margin_ms = ttl_ms / 5;
    return ttl_ms - (margin_ms < MARGIN_MOST_MS ? margin_ms : MARGIN_MOST_MS);
}

/* ---- answers ---- */

static void
tell(const struct leases *leases, const struct store_beat *beat)
{
    if (beat->is_anew) {
        LOG(LOG_WARN, "this agent was taken for dead, and begins anew",
            log_figure("ttl_ms", leases->settings.ttl_ms));
    }
    if (beat->buried > 0) {
        LOG(LOG_WARN, "an agent is gone: what it had is taken over",
            log_i64("agents", (int64_t)beat->buried),
            log_i64("deliveries", beat->freed));
    }
    if (beat->taken > 0 || beat->given > 0) {
        LOG(LOG_INFO, "connectors change hands",
            log_i64("taken", (int64_t)beat->taken),
            log_i64("given", (int64_t)beat->given),
            log_i64("agents", (int64_t)beat->agent_count));
    }
}

/* Joins an answer to what there is by now. */
static void
take_leases(struct leases *leases, const struct store_beat *beat)
{
    bool changes = false;
    for (size_t i = 0; i < beat->count; i++) {
        const struct store_lease *given = &beat->leases[i];
        struct store_lease *lease =
            find(leases->at, leases->count, given->connector);
        bool is_held = given->is_held && !leases->stopping;
        if (lease != NULL) {
            changes = hold(lease, is_held, given->fence) || changes;
        }
    }
    tell_change(leases, changes);
}

static void
tell_pokes(const struct leases *leases, const struct store_beat *beat)
{
    for (size_t i = 0; i < beat->count; i++) {
        const struct store_lease *given = &beat->leases[i];
        uint64_t fence;
        if (given->is_held && given->is_poked &&
            leases_held(leases, given->connector, &fence)) {
            leases->settings.poked(leases->settings.arg, given->connector);
        }
    }
}

static void
take_answer(struct leases *leases, const struct store_beat *beat)
{
    int64_t left_ms =
        leases->asked_ms + trusted_ms(leases) - clock_monotonic_ms();
    mem_free(leases->answer.agents);
    leases->answer = *beat;
    tell(leases, beat);
    metric_set(leases->settings.agents, (double)beat->agent_count);
    if (left_ms <= 0) {
        let_all_go(leases); /* it says what was */
        return;
    }
    leases->is_trusted = true;
    loop_timer_arm(leases->trust, left_ms);
    take_leases(leases, beat);
    tell_pokes(leases, beat);
    leases->settings.answered(leases->settings.arg, &leases->answer);
}

/* Who was to be told of something is told with the next one. */
static void
poke_again(struct leases *leases, const struct store_beat *beat)
{
    for (size_t i = 0; i < beat->count; i++) {
        struct store_lease *lease =
            beat->leases[i].is_poked
                ? find(leases->at, leases->count, beat->leases[i].connector)
                : NULL;
        if (lease != NULL) {
            lease->is_poked = true;
        }
    }
}

static void
answered(struct store_call *call)
{
    struct leases *leases = call->arg;
    leases->under_way = false;
    if (call->status == STATUS_OK) {
        leases->is_failing = false;
        take_answer(leases, &call->beat);
    } else {
        mem_free(call->beat.agents);
        poke_again(leases, &call->beat);
        if (!leases->is_failing) {
            LOG(LOG_WARN, "the store did not take a sign of life",
                log_text("why", error_text(&call->err, call->status)));
        }
        leases->is_failing = true;
    }
    mem_free(leases->asked);
    leases->asked = NULL;
    leases->answer.leases = NULL;
    bool soon = leases->again && call->status == STATUS_OK;
    leases->again = false;
    loop_timer_arm(leases->timer, soon ? SOON_MS : leases->settings.every_ms);
}

/* ---- signs of life ---- */

static enum status
copy_leases(struct leases *leases)
{
    leases->asked = mem_array(leases->count + 1, sizeof(*leases->asked));
    if (leases->asked == NULL) {
        return STATUS_NOMEM;
    }
    memcpy(leases->asked, leases->at, leases->count * sizeof(*leases->at));
    for (size_t i = 0; i < leases->count; i++) {
        leases->at[i].is_poked = false;
    }
    return STATUS_OK;
}

/* loop_timer's. */
static void
beat(void *arg)
{
    struct leases *leases = arg;
    const struct leases_settings *settings = &leases->settings;
    if (copy_leases(leases) != STATUS_OK) {
        loop_timer_arm(leases->timer, settings->every_ms);
        return;
    }
    leases->call = (struct store_call){
        .kind = STORE_CALL_BEAT,
        .done = answered,
        .arg = leases,
        .beat = { .every_ms = settings->every_ms,
                  .ttl_ms = settings->ttl_ms,
                  .is_last = leases->stopping,
                  .leases = leases->asked,
                  .count = leases->count,
                  .lowest_ms = settings->lowest(settings->arg) },
    };
    leases->asked_ms = clock_monotonic_ms();
    leases->under_way =
        store_worker_submit(leases->worker, &leases->call) == STATUS_OK;
    if (!leases->under_way) { /* the store has failed for good */
        mem_free(leases->asked);
        leases->asked = NULL;
    }
}

/* ---- lifecycle ---- */

enum status
leases_create(struct loop *loop, struct store_worker *worker,
              const struct leases_settings *settings, struct leases **ret)
{
    struct leases *leases = mem_zero(sizeof(*leases));
    if (leases == NULL) {
        return STATUS_NOMEM;
    }
    leases->loop = loop;
    leases->worker = worker;
    leases->settings = *settings;
    enum status status = loop_timer_create(loop, beat, leases, &leases->timer);
    if (status == STATUS_OK) {
        status = loop_timer_create(loop, trust_ended, leases, &leases->trust);
    }
    if (status != STATUS_OK) {
        leases_destroy(leases);
        return status;
    }
    *ret = leases;
    return STATUS_OK;
}

/* Sorts, and drops what is there twice. */
static size_t
sort_leases(struct store_lease *at, size_t count)
{
    size_t kept = 0;
    qsort(at, count, sizeof(*at), compare);
    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || at[i].connector != at[kept - 1].connector) {
            at[kept++] = at[i];
        }
    }
    return kept;
}

enum status
leases_name(struct leases *leases, const uint32_t *connectors, size_t count)
{
    struct store_lease *at = mem_array(count + 1, sizeof(*at));
    if (at == NULL) {
        return STATUS_NOMEM;
    }
    at[0] = (struct store_lease){ .connector = LEASE_OF_ALL };
    for (size_t i = 0; i < count; i++) {
        at[i + 1] = (struct store_lease){ .connector = connectors[i] };
    }
    count = sort_leases(at, count + 1);
    for (size_t i = 0; i < leases->count; i++) {
        const struct store_lease *before = &leases->at[i];
        struct store_lease *now = find(at, count, before->connector);
        if (now != NULL) {
            *now = *before;
        }
    }
    mem_free(leases->at);
    leases->at = at;
    leases->count = count;
    if (leases->under_way || loop_timer_armed(leases->timer)) {
        beat_soon(leases, 0);
    }
    return STATUS_OK;
}

void
leases_start(struct leases *leases)
{
    beat(leases);
}

void
leases_stop(struct leases *leases)
{
    if (leases == NULL || leases->stopping) {
        return;
    }
    leases->stopping = true;
    let_all_go(leases);
    beat_soon(leases, 0);
}

void
leases_destroy(struct leases *leases)
{
    if (leases == NULL) {
        return;
    }
    loop_timer_destroy(leases->timer);
    loop_timer_destroy(leases->trust);
    mem_free(leases->answer.agents);
    mem_free(leases->asked);
    mem_free(leases->at);
    mem_free(leases);
}

bool
leases_held(const struct leases *leases, uint32_t connector,
            uint64_t *ret_fence)
{
    *ret_fence = 0;
    if (leases == NULL) {
        return true;
    }
    const struct store_lease *lease =
        find(leases->at, leases->count, connector);
    if (lease != NULL && lease->is_held) {
        *ret_fence = lease->fence;
    }
    return lease != NULL && lease->is_held;
}

void
leases_poke(struct leases *leases, uint32_t connector)
{
    struct store_lease *lease =
        leases == NULL ? NULL : find(leases->at, leases->count, connector);
    if (lease != NULL && !lease->is_held && !lease->is_poked) {
        lease->is_poked = true;
        beat_soon(leases, SOON_MS);
    }
}

const struct store_beat *
leases_answer(const struct leases *leases)
{
    return leases != NULL && leases->is_trusted ? &leases->answer : NULL;
}
