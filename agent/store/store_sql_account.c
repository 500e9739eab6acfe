/* SPDX-License-Identifier: MIT */
#include "model/standing.h"
#include "store/store_sql_private.h"

/*
 * An event that a walk brought is, in the end, either confirmed by a webhook
 * that came before the mark passed it, or recovered; a webhook that comes later
 * is late, and leaves it recovered. What a backfill brought is neither: it was
 * asked for, from a time whose webhooks nobody waited for. All of this is
 * decided by numbers and bits that are in memory or in the hand: a second
 * sighting costs one row, and the totals one row for each transaction that
 * changed them.
 */

/* How far clocks of agents that share a store may be apart, and for how long an
 * event may have its number before others see it. */
#define SKEW_MS    5000
#define SETTLED_MS 30000

#define BITS_WALK (1U << CHANNEL_POLL | 1U << CHANNEL_BACKFILL | LEDGER_BY_WALK)

static enum status
account_of(struct store_sql *store, uint32_t connector, struct account **ret,
           struct error *err)
{
    for (size_t i = 0; i < store->account_count; i++) {
        if (store->accounts[i].connector == connector) {
            *ret = &store->accounts[i];
            return STATUS_OK;
        }
    }
    struct account *more =
        mem_resize(store->accounts, store->account_count + 1, sizeof(*more));
    if (more == NULL) {
        (void)error_set(err, STATUS_NOMEM, "store: out of memory");
        return STATUS_NOMEM;
    }
    store->accounts = more;
    *ret = &more[store->account_count++];
    **ret = (struct account){ .connector = connector };
    return STATUS_OK;
}

/* since, mark, recovered, late, confirmed, met, from a column on */
static void
take_columns(struct account *account, const struct sql_use *use, int from)
{
    account->counts = !sql_is_null(use, from);
    account->since = (uint64_t)sql_number(use, from);
    account->mark = (uint64_t)sql_number(use, from + 1);
    account->recovered = sql_number(use, from + 2);
    account->late = sql_number(use, from + 3);
    account->confirmed = sql_number(use, from + 4);
    account->met = sql_number(use, from + 5);
}

/* connector, and the columns behind it */
static enum status
take_row(struct store_sql *store, const struct sql_use *use, struct error *err)
{
    struct account *account;
    enum status status =
        account_of(store, (uint32_t)sql_number(use, 0), &account, err);
    if (status != STATUS_OK) {
        return status;
    }
    take_columns(account, use, 1);
    return STATUS_OK;
}

enum status
store_sql_account_load(struct store_sql *store, struct error *err)
{
    if (store_sql_is_shared(store)) {
        return STATUS_OK; /* read behind its lock, in each transaction */
    }
    struct sql_use use = sql_use(store, SQL_ACCOUNT_LOAD);
    bool row;
    enum status status = sql_row(&use, &row, err);
    while (status == STATUS_OK && row) {
        status = take_row(store, &use, err);
        if (status != STATUS_OK) {
            sql_stop(&use);
            return status;
        }
        status = sql_row(&use, &row, err);
    }
    return status;
}

/* Reads an account that other agents change, behind its lock: SQL_ACCOUNT_SEE
 * or SQL_ACCOUNT_MOVE. */
static enum status
read_locked(struct store_sql *store, struct account *account, enum sql which,
            struct error *err)
{
    struct sql_use use = sql_use(store, which);
    sql_i64(&use, account->connector);
    bool row;
    enum status status = sql_row(&use, &row, err);
    if (status == STATUS_OK && row) {
        take_columns(account, &use, 0);
        sql_stop(&use);
    }
    account->is_read = status == STATUS_OK;
    return status;
}

static enum status
put(struct store_sql *store, const struct account *account, struct error *err)
{
    struct sql_use use = sql_use(store, SQL_ACCOUNT_PUT);
    sql_i64(&use, account->connector);
    if (account->counts) {
        sql_event(&use, account->since);
    } else {
        sql_null(&use);
    }
    sql_event(&use, account->mark);
    sql_i64(&use, account->recovered);
    if (!store_sql_is_shared(store)) {
        sql_i64(&use, account->late + account->late_change);
        sql_i64(&use, account->confirmed + account->confirmed_change);
        sql_i64(&use, account->met + account->met_change);
    }
    return sql_run(&use, err);
}

/* Adds the changes to what this agent has added so far. */
static enum status
add(struct store_sql *store, const struct account *account, struct error *err)
{
    struct sql_use use = sql_use(store, SQL_ACCOUNT_ADD);
    sql_i64(&use, account->connector);
    sql_i64(&use, store->agent);
    sql_i64(&use, account->late_change);
    sql_i64(&use, account->confirmed_change);
    sql_i64(&use, account->met_change);
    return sql_run(&use, err);
}

enum status
store_sql_account_write(struct store_sql *store, struct error *err)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < store->account_count; i++) {
        const struct account *account = &store->accounts[i];
        if (account->met_change != 0) { /* late and confirmed are among them */
            status = store_sql_is_shared(store) ? add(store, account, err)
                                                : put(store, account, err);
        }
    }
    return status;
}

void
store_sql_account_settle(struct store_sql *store, bool committed)
{
    for (size_t i = 0; i < store->account_count; i++) {
        struct account *account = &store->accounts[i];
        if (committed) {
            account->late += account->late_change;
            account->confirmed += account->confirmed_change;
            account->met += account->met_change;
        }
        account->late_change = 0;
        account->confirmed_change = 0;
        account->met_change = 0;
        account->is_read = false;
    }
}

/* Which of the two kinds of walks brought an event, where both have shown it:
 * the ledger does not tell. What is gone was no backfill's to answer for. */
static enum status
was_backfilled(struct store_sql *store, const struct sighting *sighting,
               unsigned before, bool *ret_was, struct error *err)
{
    *ret_was = (before & 1U << CHANNEL_BACKFILL) != 0;
    if (!*ret_was || (before & 1U << CHANNEL_POLL) == 0) {
        return STATUS_OK;
    }
    struct sql_use use = sql_use(store, SQL_EVENT_VIA);
    sql_event(&use, sighting->number);
    bool row;
    enum status status = sql_row(&use, &row, err);
    *ret_was = false;
    if (status == STATUS_OK && row) {
        *ret_was = (int)sql_number(&use, 0) == CHANNEL_BACKFILL;
        sql_stop(&use);
    }
    return status;
}

/* The mark passes over what live walks brought; nobody has waited for the
 * webhook of what a backfill did. */
static enum standing_count
count_of(const struct account *account, uint64_t number, bool backfilled)
{
    if (!account->counts || backfilled) {
        return COUNT_NONE;
    }
    if (number > account->mark) {
        return COUNT_WAITS;
    }
    return number > account->since ? COUNT_RECOVERED : COUNT_BEFORE;
}

/* Whether it is the first webhook of what a walk has shown, or the other way
 * round. */
static bool
meets(const struct sighting *sighting, unsigned before)
{
    if (channel_is_hook(sighting->via)) {
        return (before & BITS_WALK) != 0 && (before & CHANNEL_HOOKS) == 0;
    }
    return (before & BITS_WALK) == 0 && (before & CHANNEL_HOOKS) != 0;
}

enum status
store_sql_account_see(struct store_sql *store, struct sighting *sighting,
                      const struct second_sighting *second, struct error *err)
{
    struct account *account;
    enum status status =
        account_of(store, second->unit->connector, &account, err);
    if (status != STATUS_OK) {
        return status;
    }
    if (store_sql_is_shared(store) && !account->is_read) {
        status = read_locked(store, account, SQL_ACCOUNT_SEE, err);
        if (status != STATUS_OK) {
            return status;
        }
    }
    bool backfilled = false;
    account->met_change += meets(sighting, second->before);
    if (second->asked) {
        /* Unasked no webhook would have shown it: it stays what only the walk
         * brought. */
        return STATUS_OK;
    }
    if (channel_is_hook(sighting->via)) {
        status =
            was_backfilled(store, sighting, second->before, &backfilled, err);
        if (status != STATUS_OK) {
            return status;
        }
    }
    const struct standing_view view = {
        .via = sighting->via,
        .by_walk = (second->before & LEDGER_BY_WALK) != 0 &&
                   (second->before & CHANNEL_HOOKS) == 0,
        .is_first_row =
            channel_is_walk(sighting->via) && meets(sighting, second->before),
        .accepted_ms = (int64_t)(sighting->number >> EVENT_MS_SHIFT),
        .now_ms = second->now_ms,
        .grace_ms = second->unit->grace_ms,
        .count = count_of(account, sighting->number, backfilled),
    };
    const enum standing standing = standing_judge(&view);
    sighting->late = standing == STANDING_LATE;
    sighting->confirmed = standing == STANDING_CONFIRMED;
    account->late_change += sighting->late;
    account->confirmed_change += sighting->confirmed;
    struct sql_use use = sql_use(store, SQL_SIGHTING_ADD);
    sql_event(&use, sighting->number);
    sql_i64(&use, sighting->via);
    sql_i64(&use, second->now_ms);
    return sql_run(&use, err);
}

/* Looks at what follows the mark; moves it, in `next`, over what it saw. */
static enum status
scan(struct store_sql *store, struct store_account *of, bool others,
     struct account *next, struct error *err)
{
    /* The number says when an event was accepted, or later where the clock had
     * gone back: then its grace ends later too, and the order stays. */
    int64_t over_ms = standing_over_ms(of->now_ms, of->grace_ms);
    if (others && over_ms > of->now_ms - SETTLED_MS) {
        over_ms = of->now_ms - SETTLED_MS;
    }
    if (over_ms <= 0) {
        return STATUS_OK;
    }
    struct sql_use use = sql_use(store, SQL_ACCOUNT_SCAN);
    sql_i64(&use, of->connector);
    sql_event(&use, next->mark);
    sql_event(&use, ((uint64_t)over_ms + 1) << EVENT_MS_SHIFT);
    sql_i64(&use, (int64_t)of->limit);
    size_t looked_at = 0;
    bool row;
    enum status status = sql_row(&use, &row, err);
    while (status == STATUS_OK && row) {
        looked_at++;
        next->mark = (uint64_t)sql_number(&use, 0);
        next->recovered += (int)sql_number(&use, 1) == 0;
        status = sql_row(&use, &row, err);
    }
    of->more = looked_at == of->limit;
    return status;
}

/* What is to be written: counting begins or ends, or the mark moves. */
static enum status
decide(struct store_sql *store, struct store_account *of, bool others,
       const struct account *account, struct account *next, struct error *err)
{
    *next = *account;
    next->counts = of->counts;
    if (!of->counts) {
        return STATUS_OK;
    }
    if (!account->counts) {
        next->since = store->last_event;
        const uint64_t theirs = (uint64_t)(of->now_ms + SKEW_MS)
                                << EVENT_MS_SHIFT;
        if (others && next->since < theirs) {
            next->since = theirs;
        }
        next->mark = next->since;
        return STATUS_OK;
    }
    return scan(store, of, others, next, err);
}

static enum status
write_alone(struct store_sql *store, const struct account *next,
            struct error *err)
{
    enum status status = store_sql_begin(store, err);
    if (status != STATUS_OK) {
        return status;
    }
    return store_sql_end(store, put(store, next, err), err);
}

/* Whether other agents give numbers to events. */
static enum status
has_others(struct store_sql *store, bool *ret_others, struct error *err)
{
    struct sql_use use = sql_use(store, SQL_AGENT_OTHERS);
    sql_i64(&use, store->epoch);
    int64_t count;
    enum status status = sql_run_numbered(&use, &count, err);
    *ret_others = status == STATUS_OK && count > 0;
    return status;
}

/* Reads, decides and writes behind the account's lock. */
static enum status
move_locked(struct store_sql *store, struct store_account *of,
            struct account *account, struct account *next, struct error *err)
{
    bool others;
    enum status status = store_sql_begin(store, err);
    if (status != STATUS_OK) {
        return status;
    }
    status = read_locked(store, account, SQL_ACCOUNT_MOVE, err);
    if (status == STATUS_OK) {
        status = has_others(store, &others, err);
    }
    if (status == STATUS_OK) {
        status = decide(store, of, others, account, next, err);
    }
    if (status == STATUS_OK &&
        (next->counts != account->counts || next->mark != account->mark)) {
        status = put(store, next, err);
    }
    return store_sql_end(store, status, err);
}

static enum status
move_alone(struct store_sql *store, struct store_account *of,
           const struct account *account, struct account *next,
           struct error *err)
{
    enum status status = decide(store, of, false, account, next, err);
    /* Nothing passed, nothing written: an idle connector costs no sync. */
    return status == STATUS_OK && (next->counts != account->counts ||
                                   next->mark != account->mark)
               ? write_alone(store, next, err)
               : status;
}

enum status
store_sql_account(struct store *base, struct store_account *of,
                  struct error *err)
{
    struct store_sql *store = store_sql_of(base);
    struct account *account = NULL;
    struct account next = { .connector = of->connector };
    of->more = false;
    enum status status = store_sql_usable(store, err);
    if (status == STATUS_OK) {
        status = account_of(store, of->connector, &account, err);
    }
    if (status == STATUS_OK) {
        status = store_sql_is_shared(store)
                     ? move_locked(store, of, account, &next, err)
                     : move_alone(store, of, account, &next, err);
    }
    if (status != STATUS_OK) {
        return status;
    }
    of->counted = next.recovered - account->recovered;
    *account = next;
    of->recovered = next.recovered;
    of->late = next.late;
    of->confirmed = next.confirmed;
    of->met = next.met;
    return STATUS_OK;
}

enum status
store_sql_account_unlisted(struct store *base, struct store_unlisted *of,
                           struct error *err)
{
    struct store_sql *store = store_sql_of(base);
    of->count = 0;
    of->more = false;
    enum status status = store_sql_usable(store, err);
    if (status != STATUS_OK) {
        return status;
    }
    struct sql_use use = sql_use(store, SQL_UNLISTED);
    sql_i64(&use, of->connector);
    sql_i64(&use, of->from_ms);
    sql_event(&use, of->after);
    sql_i64(&use, of->until_ms);
    sql_i64(&use, (int64_t)of->limit);
    size_t looked_at = 0;
    bool row;
    status = sql_row(&use, &row, err);
    while (status == STATUS_OK && row) {
        looked_at++;
        of->from_ms = sql_number(&use, 0);
        of->after = (uint64_t)sql_number(&use, 1);
        of->count += (int)sql_number(&use, 2) == 0;
        status = sql_row(&use, &row, err);
    }
    of->more = looked_at == of->limit;
    return status;
}
