/* SPDX-License-Identifier: MIT */
#include "store/store_pg_leases.h"

#include <stdlib.h>
#include <string.h>

#include "base/prng.h"
#include "model/share.h"

/*
 * The happy path: the agent's own row is written, which keeps it from being
 * buried meanwhile; who lives is read; what is free is looked at and taken;
 * what was asked for is given; at last all that is held is read, so that
 * nothing has to be remembered.
 *
 * What can go wrong: this agent was buried between its sign of life and this:
 * its row is not there, and the next sign of life begins anew. Two agents that
 * take at once pass over what the other one is about to take.
 */

/* Ours in others' hands is asked for when who lives has changed, and once in so
 * many signs of life, should a wish have been overtaken by another. */
#define ASK_AGAIN 12

/* One sign of life. */
struct round {
    struct store_sql *store;
    struct store_beat *beat;
    struct share_view view;
    uint64_t *living;
    int64_t *numbers; /* of connectors, for a statement */
    size_t count;
    bool is_moving; /* something is free that somebody will take */
};

static enum status
no_memory(struct error *err)
{
    return error_set(err, STATUS_NOMEM, "store: out of memory");
}

static struct sql_use
use_of(const struct round *round, enum sql which)
{
    return sql_use(round->store, which);
}

static int
compare(const void *a, const void *b)
{
    uint32_t one = ((const struct store_lease *)a)->connector;
    uint32_t other = ((const struct store_lease *)b)->connector;
    return one < other ? -1 : one > other;
}

static struct store_lease *
find(const struct store_beat *beat, int64_t connector)
{
    const struct store_lease key = { .connector = (uint32_t)connector };
    return beat->count == 0
               ? NULL
               : bsearch(&key, beat->leases, beat->count, sizeof(key), compare);
}

/* ---- who lives ---- */

static void
take_text(struct slice from, char *into, size_t size)
{
    size_t len = from.len < size - 1 ? from.len : size - 1;
    memcpy(into, from.ptr, len);
    into[len] = '\0';
}

/* epoch, host, version, started, beat, shares, lowest, now */
static enum status
take_agent(struct round *round, const struct sql_use *use, size_t *room,
           struct error *err)
{
    struct store_beat *beat = round->beat;
    if (beat->agent_count == *room) {
        size_t more = *room == 0 ? 8 : *room * 2;
        struct store_agent *agents =
            mem_resize(beat->agents, more, sizeof(*agents));
        if (agents == NULL) {
            return no_memory(err);
        }
        beat->agents = agents;
        *room = more;
    }
    struct store_agent *agent = &beat->agents[beat->agent_count++];
    *agent = (struct store_agent){
        .epoch = (uint64_t)sql_number(use, 0),
        .is_self = sql_number(use, 0) == round->store->epoch,
        .started_ms = sql_number(use, 3),
        .beat_ms = sql_number(use, 4),
        .shares = sql_number(use, 5) != 0,
    };
    take_text(sql_bytes(use, 1), agent->host, sizeof(agent->host));
    take_text(sql_bytes(use, 2), agent->version, sizeof(agent->version));
    int64_t lowest_ms = sql_number(use, 6);
    if (lowest_ms < beat->everybodys_lowest_ms) {
        beat->everybodys_lowest_ms = lowest_ms;
    }
    beat->now_ms = sql_number(use, 7);
    return STATUS_OK;
}

static enum status
read_agents(struct round *round, struct error *err)
{
    struct sql_use use = use_of(round, SQL_AGENTS);
    size_t room = 0;
    bool row;
    enum status status = sql_row(&use, &row, err);
    round->beat->everybodys_lowest_ms = INT64_MAX;
    while (status == STATUS_OK && row) {
        status = take_agent(round, &use, &room, err);
        if (status != STATUS_OK) {
            sql_stop(&use);
        } else {
            status = sql_row(&use, &row, err);
        }
    }
    return status;
}

/* Nobody waits for who takes nothing. */
static enum status
look_around(struct round *round, struct error *err)
{
    const struct store_beat *beat = round->beat;
    round->living = mem_array(beat->agent_count + 1, sizeof(*round->living));
    if (round->living == NULL) {
        return no_memory(err);
    }
    round->view = (struct share_view){ .self = (uint64_t)round->store->epoch,
                                       .living = round->living,
                                       .now_ms = beat->now_ms,
                                       .orphan_ms = beat->ttl_ms };
    for (size_t i = 0; i < beat->agent_count; i++) {
        const struct store_agent *agent = &beat->agents[i];
        if (agent->shares) {
            round->living[round->view.count++] = agent->epoch;
        }
        if (agent->is_self) {
            round->view.is_settled =
                beat->now_ms - agent->started_ms >= 2 * beat->every_ms;
        }
    }
    return STATUS_OK;
}

/* This agent's own row; it stays locked until the end. */
static enum status
tell(struct round *round, int64_t lowest_ms, struct error *err)
{
    struct sql_use use = use_of(round, SQL_AGENT_TELL);
    sql_i64(&use, round->store->epoch);
    sql_i64(&use, lowest_ms);
    sql_i64(&use, !round->beat->is_last);
    enum status status = sql_run(&use, err);
    return status == STATUS_OK && use.changed == 0
               ? error_set(err, STATUS_BUSY,
                           "store: this agent was taken for dead; it begins "
                           "anew")
               : status;
}

/* ---- statements about many ---- */

/* Runs one that has this agent's epoch and the numbers. */
static enum status
run_numbers(struct round *round, enum sql which, size_t *ret_changed,
            struct error *err)
{
    if (round->count == 0) {
        return STATUS_OK;
    }
    struct sql_use use = use_of(round, which);
    sql_i64(&use, round->store->epoch);
    sql_numbers(&use, round->numbers, round->count);
    enum status status = sql_run(&use, err);
    round->count = 0;
    if (status == STATUS_OK && ret_changed != NULL) {
        *ret_changed += (size_t)use.changed;
    }
    return status;
}

static void
add(struct round *round, int64_t connector)
{
    round->numbers[round->count++] = connector;
}

static void
add_all(struct round *round)
{
    for (size_t i = 0; i < round->beat->count; i++) {
        add(round, round->beat->leases[i].connector);
    }
}

/* ---- connectors come and go ---- */

static uint64_t
hash(uint64_t before, uint64_t number)
{
    struct prng both = { before ^ number };
    return prng_next(&both);
}

static uint64_t
hash_named(const struct store_beat *beat)
{
    uint64_t value = 1;
    for (size_t i = 0; i < beat->count; i++) {
        value = hash(value, beat->leases[i].connector);
    }
    return value;
}

static uint64_t
hash_view(const struct round *round, uint64_t named)
{
    uint64_t value = hash(named, round->view.is_settled);
    for (size_t i = 0; i < round->view.count; i++) {
        value = hash(value, round->living[i]);
    }
    return value;
}

static enum status
name_all(struct round *round, struct error *err)
{
    add_all(round);
    enum status status = run_numbers(round, SQL_LEASES_ADD, NULL, err);
    if (status == STATUS_OK) {
        add_all(round);
        status = run_numbers(round, SQL_LEASES_DROP, &round->beat->given, err);
    }
    return status;
}

/* ---- taking ---- */

static void
look_at_free(struct round *round, const struct sql_use *use)
{
    const struct share_row row = { .connector = (uint32_t)sql_number(use, 0),
                                   .freed_ms = sql_number(use, 1) };
    const int64_t free_ms = round->view.now_ms - row.freed_ms;
    /* What nobody has taken for so long nobody knows any more. */
    round->is_moving = round->is_moving || free_ms < 2 * round->beat->ttl_ms;
    if (!round->beat->is_last && find(round->beat, row.connector) != NULL &&
        share_decide(&round->view, &row) == SHARE_TAKE) {
        add(round, row.connector);
    }
}

static enum status
take_free(struct round *round, struct error *err)
{
    struct sql_use use = use_of(round, SQL_LEASES_FREE);
    bool row;
    enum status status = sql_row(&use, &row, err);
    while (status == STATUS_OK && row) {
        look_at_free(round, &use);
        status = sql_row(&use, &row, err);
    }
    return status == STATUS_OK
               ? run_numbers(round, SQL_LEASES_TAKE, &round->beat->taken, err)
               : status;
}

/* ---- giving and asking ---- */

/* connector, asked, poked */
static void
look_at_asked(struct round *round, const struct sql_use *use)
{
    const struct share_row row = { .connector = (uint32_t)sql_number(use, 0),
                                   .holder = round->view.self,
                                   .asked = (uint64_t)sql_number(use, 1) };
    struct store_lease *lease = find(round->beat, row.connector);
    if (lease != NULL) {
        lease->is_poked = sql_number(use, 2) != 0;
    }
    if (share_decide(&round->view, &row) == SHARE_GIVE) {
        add(round, row.connector);
    }
}

static enum status
give_asked(struct round *round, struct error *err)
{
    bool row;
    struct sql_use use = use_of(round, SQL_LEASES_ASKED);
    sql_i64(&use, round->store->epoch);
    enum status status = sql_row(&use, &row, err);
    const bool any = row;
    while (status == STATUS_OK && row) {
        look_at_asked(round, &use);
        status = sql_row(&use, &row, err);
    }
    if (status == STATUS_OK) {
        status = run_numbers(round, SQL_LEASES_GIVE, &round->beat->given, err);
    }
    if (status == STATUS_OK && any) { /* it was heard */
        use = use_of(round, SQL_LEASES_HEARD);
        sql_i64(&use, round->store->epoch);
        status = sql_run(&use, err);
    }
    return status;
}

/* Asks others for what this agent should have; which they hold the statement
 * finds out. */
static enum status
ask(struct round *round, struct error *err)
{
    const struct store_beat *beat = round->beat;
    for (size_t i = 0; i < beat->count; i++) {
        const uint32_t connector = beat->leases[i].connector;
        if (!beat->leases[i].is_held &&
            share_first(round->living, round->view.count, connector) ==
                round->view.self) {
            add(round, connector);
        }
    }
    return run_numbers(round, SQL_LEASES_ASK, NULL, err);
}

static enum status
poke(struct round *round, struct error *err)
{
    struct store_beat *beat = round->beat;
    for (size_t i = 0; i < beat->count; i++) {
        if (beat->leases[i].is_poked) {
            add(round, beat->leases[i].connector);
        }
        beat->leases[i].is_poked = false;
    }
    return run_numbers(round, SQL_LEASES_POKE, NULL, err);
}

/* ---- the round ---- */

static enum status
read_mine(struct round *round, struct error *err)
{
    struct sql_use use = use_of(round, SQL_LEASES_MINE);
    struct store_beat *beat = round->beat;
    bool row;
    for (size_t i = 0; i < beat->count; i++) {
        beat->leases[i].is_held = false;
        beat->leases[i].fence = 0;
    }
    sql_i64(&use, round->store->epoch);
    enum status status = sql_row(&use, &row, err);
    while (status == STATUS_OK && row) {
        struct store_lease *lease = find(beat, sql_number(&use, 0));
        if (lease != NULL) {
            lease->is_held = true;
            lease->fence = (uint64_t)sql_number(&use, 1);
        }
        status = sql_row(&use, &row, err);
    }
    return status;
}

static enum status
move(struct round *round, struct pg_leases *kept, struct error *err)
{
    const uint64_t named = hash_named(round->beat);
    const uint64_t view = hash_view(round, named);
    const bool asks = round->view.is_settled && !round->beat->is_last &&
                      (kept->view != view || kept->asked_ago >= ASK_AGAIN);
    enum status status = STATUS_OK;
    if (kept->named != named || kept->epoch != round->store->epoch) {
        status = name_all(round, err);
    }
    if (status == STATUS_OK) {
        status = poke(round, err);
    }
    if (status == STATUS_OK) {
        status = give_asked(round, err);
    }
    if (status == STATUS_OK) {
        status = take_free(round, err);
    }
    if (status == STATUS_OK) {
        status = read_mine(round, err);
    }
    if (status == STATUS_OK && asks) {
        status = ask(round, err);
    }
    kept->asked_ago = asks ? 0 : kept->asked_ago + 1;
    kept->view = view;
    kept->named = named;
    return status;
}

/* Free is what nobody reads: what could still be read of it is not known. */
static enum status
settle(struct round *round, struct error *err)
{
    struct store_beat *beat = round->beat;
    if (round->is_moving || beat->taken > 0) {
        beat->everybodys_lowest_ms = INT64_MIN;
    }
    return beat->taken > 0 ? tell(round, INT64_MIN, err) : STATUS_OK;
}

static enum status
leave(struct round *round, struct error *err)
{
    struct sql_use use = use_of(round, SQL_LEASES_LEAVE);
    sql_i64(&use, round->store->epoch);
    enum status status = sql_run(&use, err);
    if (status == STATUS_OK) {
        round->beat->given += (size_t)use.changed;
        status = read_mine(round, err);
    }
    return status;
}

static enum status
run_round(struct round *round, struct pg_leases *kept, struct error *err)
{
    enum status status = tell(round, round->beat->lowest_ms, err);
    if (status == STATUS_OK) {
        status = read_agents(round, err);
    }
    if (status == STATUS_OK) {
        status = look_around(round, err);
    }
    if (status == STATUS_OK && round->beat->is_last) {
        return leave(round, err);
    }
    if (status == STATUS_OK) {
        status = move(round, kept, err);
    }
    return status == STATUS_OK ? settle(round, err) : status;
}

enum status
store_pg_leases(struct store_sql *store, struct pg_leases *kept,
                struct store_beat *beat, struct error *err)
{
    struct round round = { .store = store, .beat = beat };
    struct pg_leases before = *kept;
    round.numbers = mem_array(beat->count + 1, sizeof(*round.numbers));
    if (round.numbers == NULL) {
        return no_memory(err);
    }
    enum status status = store_sql_begin(store, err);
    if (status == STATUS_OK) {
        status = store_sql_end(store, run_round(&round, kept, err), err);
    }
    if (status == STATUS_OK) {
        beat->is_anew = before.epoch != 0 && before.epoch != store->epoch;
        beat->floor_ms = store->floor_ms;
        kept->epoch = store->epoch;
    } else {
        *kept = before;
    }
    mem_free(round.numbers);
    mem_free(round.living);
    return status;
}
