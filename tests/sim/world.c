/* SPDX-License-Identifier: MIT */
#include "sim/world.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/instant.h"
#include "sim/attempts.h"
#include "sim/books.h"
#include "sim/disk.h"
#include "sim/facts.h"
#include "sim/file.h"
#include "sim/handlers.h"
#include "sim/hooks.h"
#include "sim/oracle.h"
#include "sim/process.h"
#include "sim/provider.h"
#include "sim/vtime.h"
#include "store/store_vfs.h"

#define S INSTANT_SECOND_MS
#define M INSTANT_MINUTE_MS
#define H INSTANT_HOUR_MS

/* How long a world may take to come to rest, and so many walks of the tier that
 * comes most seldom: a second that is full takes three before it is a gap, and
 * those that fail in a row come as it does. */
#define REST_MS    (60 * H)
#define REST_WALKS 30

/* So many alarms go off in no world that does not spin. */
#define STEPS_MOST 3000000

#define STEPS                                                                  \
    (STORE_VFS_WRITE | STORE_VFS_SYNC | STORE_VFS_TRUNCATE | STORE_VFS_DELETE)

struct world world;

/* Something that goes on and ends at a time. */
struct spell {
    enum incident_kind kind;
    int64_t until_ms;
};

static struct {
    const char *folder;
    struct spell spells[PLAN_INCIDENTS_MAX];
    size_t spell_count;
    uint64_t steps;
    bool crash_armed;
    int64_t crash_span_ms;
    int64_t up_at_ms; /* the process starts again; INT64_MAX: it is up */
} now;

void
world_fail(const char *format, ...)
{
    va_list args;
    if (world.failed) {
        return;
    }
    world.failed = true;
    va_start(args, format);
    (void)vsnprintf(world.why, sizeof(world.why), format, args);
    va_end(args);
    TRACE("FAILED %s", world.why);
}

void
world_trace(const char *format, ...)
{
    va_list args;
    int64_t ms = vtime_now_ms();
    (void)printf("%3" PRId64 "d %02" PRId64 ":%02" PRId64 ":%02" PRId64
                 ".%03" PRId64 "  ",
                 ms / INSTANT_DAY_MS, ms / H % 24, ms / M % 60, ms / S % 60,
                 ms % 1000);
    va_start(args, format);
    (void)vprintf(format, args);
    va_end(args);
    (void)putchar('\n');
}

void
world_trouble(int64_t for_ms)
{
    int64_t until_ms = vtime_now_ms() + for_ms;
    if (until_ms > world.trouble_ms) {
        world.trouble_ms = until_ms;
    }
}

/* ---- the disk ---- */

static void
disk_is_well(void)
{
    (void)store_vfs_fail_after(STEPS, -1, SQLITE_OK, false);
    now.crash_armed = false;
}

static void
disk_is_full(void)
{
    (void)store_vfs_fail_after(STORE_VFS_WRITE, 0, SQLITE_FULL, true);
}

static void
disk_is_gone(long after)
{
    (void)store_vfs_fail_after(STEPS, after, SQLITE_IOERR_WRITE, true);
}

static void
remove_files(void)
{
    static const char *const names[] = { "store.db", "store.db.lock" };
    disk_wipe();
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char path[256];
        (void)snprintf(path, sizeof(path), "%s/%s", now.folder, names[i]);
        (void)unlink(path);
    }
}

/* ---- incidents ---- */

static void
begin_spell(enum incident_kind kind, int64_t span_ms)
{
    if (now.spell_count == PLAN_INCIDENTS_MAX) {
        return;
    }
    world.down[kind]++;
    now.spells[now.spell_count++] =
        (struct spell){ kind, vtime_now_ms() + span_ms };
}

static void
end_spell(size_t index)
{
    enum incident_kind kind = now.spells[index].kind;
    world.down[kind]--;
    now.spells[index] = now.spells[--now.spell_count];
    if (kind == INCIDENT_FULL && world.down[kind] == 0) {
        disk_is_well();
    }
    if (kind == INCIDENT_STALL) {
        attempts_leases_moved(); /* they have waited for the store */
    }
    world_trouble(0);
    TRACE("over: %s", plan_incident_name(kind));
}

static void
process_over(int64_t span_ms)
{
    disk_is_well();
    if (world.down[INCIDENT_FULL] > 0) {
        disk_is_full();
    }
    now.up_at_ms = vtime_now_ms() + span_ms;
    world_trouble(0);
}

static void
kill_process(int64_t span_ms)
{
    /* Nothing more reaches the disk, not even while it is closed. */
    disk_is_gone(0);
    process_abandon();
    process_over(span_ms);
    world.crashes++;
}

static void
fall_asleep(int64_t span_ms)
{
    begin_spell(INCIDENT_SLEEP, span_ms);
    if (world.trouble_ms > vtime_now_ms()) {
        world.trouble_ms += span_ms; /* what was waited for waits longer */
    }
    vtime_sleep(span_ms);
    attempts_leases_moved();
}

static void
set_clock(int64_t by_ms)
{
    TRACE("our clock is set by %" PRId64 " s", by_ms / S);
    vtime_set_ours(by_ms);
    world.clock_went_back = world.clock_went_back || by_ms < 0;
    attempts_leases_moved();
}

void
world_attempt_hangs(void)
{
    if (world.clock_by_ms != 0) {
        set_clock(world.clock_by_ms);
        world.clock_by_ms = 0;
    }
}

void
world_page_stored(void)
{
    if (world.purge_wanted && oracle_is_midway()) {
        TRACE("old rows go from the list");
        world.purge_wanted = false;
        disk_is_gone(0);
        provider_purge();
        process_dies();
    }
}

/* What happens to a process needs one that is up and awake. */
static bool
may_happen(enum incident_kind kind)
{
    bool awake = process_is_up() && world.down[INCIDENT_SLEEP] == 0;
    switch (kind) {
    case INCIDENT_CRASH:
    case INCIDENT_FULL:
        return awake && world.down[INCIDENT_FULL] == 0 && !now.crash_armed;
    case INCIDENT_KILL:
    case INCIDENT_STOP:
    case INCIDENT_SLEEP:
    case INCIDENT_STALL:
    case INCIDENT_BACKFILL:
    case INCIDENT_CANCEL:
    case INCIDENT_PURGE: return awake;
    case INCIDENT_CLOCK: return awake && process_has_walked();
    case INCIDENT_PROVIDER:
    case INCIDENT_HOOKS:
    case INCIDENT_HANDLERS:
    case INCIDENT_FORGET:
    case INCIDENT_KINDS: break;
    }
    return true;
}

static void
happen(const struct incident *incident)
{
    if (!may_happen(incident->kind)) {
        return;
    }
    TRACE("incident: %s, %" PRId64 " s", plan_incident_name(incident->kind),
          incident->span_ms / S);
    world_trouble(0);
    switch (incident->kind) {
    case INCIDENT_CRASH:
        disk_is_gone(incident->step);
        now.crash_armed = true;
        now.crash_span_ms = incident->span_ms;
        break;
    case INCIDENT_KILL: kill_process(incident->span_ms); break;
    case INCIDENT_PURGE:
        world.purge_wanted = true;
        now.crash_span_ms = incident->span_ms;
        break;
    case INCIDENT_STOP:
        process_stop();
        process_over(incident->span_ms);
        break;
    case INCIDENT_SLEEP: fall_asleep(incident->span_ms); break;
    case INCIDENT_CLOCK:
        if (incident->span_ms > 2 * H) {
            world.clock_by_ms = incident->span_ms;
        } else {
            set_clock(incident->span_ms);
        }
        break;
    case INCIDENT_FULL:
        disk_is_full();
        begin_spell(incident->kind, incident->span_ms);
        break;
    case INCIDENT_PROVIDER:
    case INCIDENT_HOOKS:
    case INCIDENT_STALL:
    case INCIDENT_HANDLERS:
        begin_spell(incident->kind, incident->span_ms);
        break;
    case INCIDENT_FORGET: world.forgotten++; break;
    case INCIDENT_BACKFILL:
        process_backfill(incident->span_ms,
                         incident->span_ms / 1000 * (1000 - incident->step));
        break;
    case INCIDENT_CANCEL: process_backfill_cancel(); break;
    case INCIDENT_KINDS: break;
    }
}

/* ---- time goes on ---- */

static void
start_process(void)
{
    now.up_at_ms = INT64_MAX;
    if (!process_start(now.folder)) {
        TRACE("the agent could not start");
        process_over(30 * S);
        return;
    }
    world_trouble(0);
    TRACE("the agent is up");
}

/* When something of ours is due, that is no alarm. */
static int64_t
next_turn_ms(void)
{
    int64_t at_ms = now.up_at_ms;
    for (size_t i = 0; i < now.spell_count; i++) {
        at_ms = now.spells[i].until_ms < at_ms ? now.spells[i].until_ms : at_ms;
    }
    return at_ms;
}

static void
take_turn(void)
{
    for (size_t i = now.spell_count; i-- > 0;) {
        if (now.spells[i].until_ms <= vtime_now_ms()) {
            end_spell(i);
        }
    }
    if (now.up_at_ms <= vtime_now_ms()) {
        start_process();
    }
}

/* Lets the world go on until then, or until a promise is broken. */
static void
run_until(int64_t until_ms)
{
    while (!world.failed && vtime_now_ms() < until_ms) {
        int64_t turn_ms = next_turn_ms();
        int64_t step_ms = turn_ms < until_ms ? turn_ms : until_ms;
        bool more = true;
        while (more && !world.failed && !process_is_dying()) {
            more = vtime_step(step_ms);
            process_end_turn();
            if (++now.steps > STEPS_MOST) {
                world_fail("the world does not get on");
            }
            if (now.spell_count > 0 && world.down[INCIDENT_STALL] +
                                               world.down[INCIDENT_FULL] +
                                               world.down[INCIDENT_PROVIDER] >
                                           0) {
                world_trouble(0);
            }
        }
        if (process_is_dying()) {
            TRACE("the agent dies");
            world.crashes++;
            process_abandon();
            process_over(now.crash_span_ms);
        } else if (!world.failed) {
            take_turn();
        }
    }
}

static void
live(void)
{
    const struct plan *plan = &world.plan;
    for (size_t i = 0; i < plan->incident_count && !world.failed; i++) {
        run_until(plan->incidents[i].at_ms);
        if (!world.failed) {
            happen(&plan->incidents[i]);
        }
    }
    run_until(plan->length_ms);
}

/* ---- and comes to rest ---- */

static bool
has_walked(const size_t *walks)
{
    for (unsigned tier = 0; tier <= world.plan.sweep_count; tier++) {
        if (oracle_walks(tier) < walks[tier]) {
            return false;
        }
    }
    return true;
}

static bool
is_at_rest(const size_t *walks)
{
    /* A count that is not told yet is in no metric. */
    return has_walked(walks) && !hooks_open() && process_is_up() &&
           !process_asks() && !process_backfills() && !books_open() &&
           !file_owes(now.folder);
}

static void
calm_down(void)
{
    world.calm = true;
    world.clock_by_ms = 0;
    world.purge_wanted = false;
    while (now.spell_count > 0) {
        int64_t until_ms = now.spells[0].until_ms;
        if (now.spells[0].kind == INCIDENT_SLEEP && until_ms > vtime_now_ms()) {
            run_until(until_ms); /* nobody wakes it */
        } else {
            end_spell(0);
        }
        if (world.failed) {
            return;
        }
    }
    if (now.crash_armed) {
        disk_is_well();
    }
    if (now.up_at_ms != INT64_MAX) {
        run_until(now.up_at_ms);
    }
    world.calm_ms = vtime_now_ms();
}

static int64_t
seldom_ms(void)
{
    const struct plan *plan = &world.plan;
    int64_t ms = plan->every_ms;
    for (size_t i = 0; i < plan->sweep_count; i++) {
        ms = plan->sweeps[i].every_ms > ms ? plan->sweeps[i].every_ms : ms;
    }
    return ms;
}

static void
rest(void)
{
    size_t walks[1 + PLAN_SWEEPS_MAX];
    calm_down();
    /* Facts that are still hidden are shown first. */
    run_until(vtime_now_ms() + plan_bound_ms(&world.plan) + 1 * M);
    for (unsigned tier = 0; tier <= PLAN_SWEEPS_MAX; tier++) {
        walks[tier] = oracle_walks(tier) + 2;
    }
    int64_t end_ms = vtime_now_ms() + REST_MS + REST_WALKS * seldom_ms();
    process_poke();
    while (!world.failed && !is_at_rest(walks)) {
        run_until(vtime_now_ms() + 5 * M);
        if (!has_walked(walks)) {
            process_poke();
        }
        if (vtime_now_ms() >= end_ms) {
            world_fail("the world does not come to rest:%s%s%s%s%s",
                       process_backfills() ? " a backfill goes on," : "",
                       has_walked(walks) ? "" : " walks fail,",
                       hooks_open() ? " webhooks are open," : "",
                       books_open() ? " events are not counted," : "",
                       file_owes(now.folder) ? " deliveries are owed" : "");
        }
    }
    if (!world.failed) {
        oracle_end(now.folder);
    }
}

static void
open_world(uint64_t seed, const char *folder, bool traced)
{
    memset(&world, 0, sizeof(world));
    memset(&now, 0, sizeof(now));
    now.folder = folder;
    now.up_at_ms = 0;
    world.traced = traced;
    plan_draw(seed, &world.plan);
    world.faults.state = seed ^ UINT64_C(0xfa175);
    world.store.state = seed ^ UINT64_C(0x5702e);
    world.handlers.state = seed ^ UINT64_C(0x4a4d1e);
    vtime_begin(world.plan.epoch_ms);
    vtime_set_ours(world.plan.skew_ms);
    remove_files();
    disk_is_well();
    facts_make();
    oracle_begin();
    books_begin();
    handlers_begin();
    hooks_make();
    process_bind();
}

bool
world_run(uint64_t seed, const char *folder, bool traced)
{
    open_world(seed, folder, traced);
    if (traced) {
        struct buf words = { 0 };
        struct buf file = { 0 };
        plan_describe(&world.plan, &words);
        plan_connector(&world.plan, &file, &file);
        (void)printf("seed %" PRIu64 ": %s\n%s\n", seed, words.ptr, file.ptr);
        buf_fini(&words);
        buf_fini(&file);
    }
    start_process();
    live();
    if (!world.failed) {
        rest();
    }
    disk_is_gone(0);
    if (process_is_up()) {
        process_abandon();
    }
    disk_is_well();
    hooks_free();
    facts_free();
    process_unbind();
    remove_files();
    return !world.failed;
}
