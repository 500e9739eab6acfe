/* SPDX-License-Identifier: MIT */
#include "store/store_sql_private.h"

#include "io/clock.h"

/* Columns of SQL_CLAIM_DUE. */
enum {
    COLUMN_ATTEMPT,
    COLUMN_LANE,
    COLUMN_EVENT,
    COLUMN_CONNECTOR,
    COLUMN_VIA,
    COLUMN_TIME,
    COLUMN_RECORDED,
    COLUMN_ID,
    COLUMN_TYPE,
    COLUMN_HEADERS,
    COLUMN_CONTENT_TYPE,
    COLUMN_BODY,
    COLUMN_NEEDS, /* NULL, as the two behind it: 0 */
    COLUMN_FILLED,
    COLUMN_ASKED,
    COLUMN_AGAIN,
    COLUMN_BASE,
    COLUMN_SINCE,
    /* Of a shared store: when the next of the others is due, and when this one
     * was. */
    COLUMN_NEXT,
    COLUMN_WAS
};

/* How long a hint is believed. */
#define HINT_MS 2000

static enum status
read_claim(const struct sql_use *use, struct store_claim *claim)
{
    const struct event from = {
        .number = (uint64_t)sql_number(use, COLUMN_EVENT),
        .connector = (uint32_t)sql_number(use, COLUMN_CONNECTOR),
        .via = (enum channel)sql_number(use, COLUMN_VIA),
        .time_ms = sql_number(use, COLUMN_TIME),
        .recorded_ms = sql_number(use, COLUMN_RECORDED),
        .needs = (enum event_needs)sql_number(use, COLUMN_NEEDS),
        .filled = (enum event_filled)sql_number(use, COLUMN_FILLED),
        .asked_ms = sql_number(use, COLUMN_ASKED),
        .id = sql_bytes(use, COLUMN_ID),
        .type = sql_bytes(use, COLUMN_TYPE),
        .headers = sql_bytes(use, COLUMN_HEADERS),
        .content_type = sql_bytes(use, COLUMN_CONTENT_TYPE),
        .body = sql_bytes(use, COLUMN_BODY),
    };
    *claim = (struct store_claim){
        .attempt = (unsigned)sql_number(use, COLUMN_ATTEMPT) + 1,
        .has_lane = !sql_is_null(use, COLUMN_LANE),
        .lane = sql_number(use, COLUMN_LANE),
        .again = (enum again)sql_number(use, COLUMN_AGAIN),
        .base = (unsigned)sql_number(use, COLUMN_BASE),
        .since_ms = sql_number(use, COLUMN_SINCE),
    };
    return event_create(&from, &claim->event);
}

static void
drop_claims(struct store_claims *claims)
{
    for (size_t i = 0; i < claims->count; i++) {
        event_unref(claims->at[i].event);
    }
    mem_free(claims->at);
    *claims = (struct store_claims){ 0 };
}

/* Adds the row that the statement stands at. */
static enum status
add_claim(struct store_sql *store, const struct sql_use *use,
          struct store_claims *claims)
{
    struct store_claim *more =
        mem_resize(claims->at, claims->count + 1, sizeof(*claims->at));
    if (more == NULL) {
        return STATUS_NOMEM;
    }
    claims->at = more;
    enum status status = read_claim(use, &more[claims->count]);
    if (status == STATUS_OK) {
        store->has_lanes = store->has_lanes || more[claims->count].has_lane;
        claims->count++;
    }
    return status;
}

static enum status
read_due(struct store_sql *store, uint32_t handler, int64_t now_ms,
         size_t limit, struct store_claims *claims, struct error *err)
{
    struct sql_use use =
        sql_use(store, claims->again ? SQL_CLAIM_AGAIN : SQL_CLAIM_DUE);
    sql_i64(&use, handler);
    sql_i64(&use, now_ms);
    sql_i64(&use, (int64_t)limit);
    sql_i64(&use, claims->leases_ms);
    bool row;
    enum status status = sql_row(&use, &row, err);
    while (status == STATUS_OK && row) {
        status = add_claim(store, &use, claims);
        if (status != STATUS_OK) {
            sql_stop(&use);
            return error_set(err, status, "store: claim: %s",
                             status_text(status));
        }
        status = sql_row(&use, &row, err);
    }
    return status;
}

/* What is asked for. */
struct wish {
    uint32_t handler;
    int64_t now_ms, lease_until_ms;
    size_t limit;
};

static void
note_hint(struct claim_hint *hint, const struct sql_use *use, bool is_first)
{
    if (is_first && !sql_is_null(use, COLUMN_EVENT)) {
        hint->due_ms = sql_number(use, COLUMN_WAS);
        hint->event = sql_number(use, COLUMN_EVENT);
    }
}

/* Due and taken in one statement, which always gives a row: that of nothing has
 * no event. What is due below the hint is left. */
static enum status
take_from(struct store_sql *store, const struct wish *wish,
          struct claim_hint *hint, struct store_claims *claims,
          struct error *err)
{
    struct sql_use use =
        sql_use(store, claims->again ? SQL_CLAIM_AGAIN : SQL_CLAIM_DUE);
    sql_i64(&use, wish->handler);
    sql_i64(&use, wish->now_ms);
    sql_i64(&use, (int64_t)(wish->limit - claims->count));
    sql_i64(&use, claims->leases_ms);
    sql_i64(&use, hint->until_ms == 0 ? INT64_MIN : hint->due_ms);
    sql_i64(&use, hint->until_ms == 0 ? 0 : hint->event);
    sql_i64(&use, wish->lease_until_ms);
    sql_i64(&use, store->epoch);
    bool row;
    bool is_first = true;
    int64_t next = 0;
    enum status status = sql_row(&use, &row, err);
    while (status == STATUS_OK && row) {
        next = sql_number(&use, COLUMN_NEXT);
        note_hint(hint, &use, is_first);
        is_first = false;
        status = sql_is_null(&use, COLUMN_EVENT)
                     ? STATUS_OK
                     : add_claim(store, &use, claims);
        if (status != STATUS_OK) {
            sql_stop(&use);
            return error_set(err, status, "store: claim: %s",
                             status_text(status));
        }
        status = sql_row(&use, &row, err);
    }
    claims->next_due_ms =
        claims->count < wish->limit && next != DUE_PARKED ? next : 0;
    return status;
}

/* By the hint; where that does not give enough, all is looked at. */
static enum status
take_due(struct store_sql *store, const struct wish *wish,
         struct store_claims *claims, struct error *err)
{
    struct tally *tally;
    enum status status = store_sql_tally_of(store, wish->handler, &tally, err);
    if (status != STATUS_OK) {
        return status;
    }
    struct claim_hint *hint = &tally->hints[claims->again];
    const int64_t mono_ms = clock_monotonic_ms();
    if (mono_ms >= hint->until_ms) {
        hint->until_ms = 0;
    }
    const bool was_hinted = hint->until_ms != 0;
    status = take_from(store, wish, hint, claims, err);
    if (status == STATUS_OK && was_hinted && claims->count < wish->limit) {
        hint->until_ms = 0;
        status = take_from(store, wish, hint, claims, err);
    }
    if (status != STATUS_OK || claims->count < wish->limit) {
        hint->until_ms = 0;
    } else if (hint->until_ms == 0) {
        hint->until_ms = mono_ms + HINT_MS;
    }
    return status;
}

/* When the next of those that are not due now will be: a wait or the end of a
 * lease. Read before any is taken, whose own lease would come in between. */
static enum status
read_next_due(struct store_sql *store, uint32_t handler, int64_t now_ms,
              struct store_claims *claims, struct error *err)
{
    struct sql_use use =
        sql_use(store, claims->again ? SQL_CLAIM_NEXT_AGAIN : SQL_CLAIM_NEXT);
    sql_i64(&use, handler);
    sql_i64(&use, now_ms);
    bool row;
    enum status status = sql_row(&use, &row, err);
    if (status == STATUS_OK && row) {
        int64_t due = sql_number(&use, 0);
        claims->next_due_ms = due == DUE_PARKED ? 0 : due;
        sql_stop(&use);
    }
    return status;
}

static enum status
take_all(struct store_sql *store, uint32_t handler, int64_t lease_until_ms,
         const struct store_claims *claims, struct error *err)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < claims->count; i++) {
        struct sql_use use = sql_use(store, SQL_CLAIM_TAKE);
        sql_i64(&use, handler);
        sql_event(&use, claims->at[i].event->number);
        sql_i64(&use, lease_until_ms);
        sql_i64(&use, store->epoch);
        status = sql_run(&use, err);
    }
    return status;
}

/* Nobody else writes, so what is read before the transaction still holds in it,
 * and a claim that finds nothing writes nothing. */
static enum status
claim_alone(struct store_sql *store, uint32_t handler, int64_t now_ms,
            int64_t lease_until_ms, size_t limit, struct store_claims *claims,
            struct error *err)
{
    enum status status = read_due(store, handler, now_ms, limit, claims, err);
    if (status == STATUS_OK && claims->count < limit) {
        status = read_next_due(store, handler, now_ms, claims, err);
    }
    if (status == STATUS_OK && claims->count > 0) {
        status = store_sql_begin(store, err);
        if (status == STATUS_OK) {
            status = take_all(store, handler, lease_until_ms, claims, err);
            status = store_sql_end(store, status, err);
        }
    }
    return status;
}

enum status
store_sql_claim(struct store *base, uint32_t handler, int64_t now_ms,
                int64_t lease_until_ms, size_t limit,
                struct store_claims *ret_claims, struct error *err)
{
    struct store_sql *store = store_sql_of(base);
    enum status status = store_sql_usable(store, err);
    if (status != STATUS_OK) {
        return status;
    }
    struct store_claims claims = { .again = ret_claims->again,
                                   .leases_ms = ret_claims->leases_ms != 0
                                                    ? ret_claims->leases_ms
                                                    : now_ms };
    const struct wish wish = { handler, now_ms, lease_until_ms, limit };
    status = store_sql_is_shared(store)
                 ? take_due(store, &wish, &claims, err)
                 : claim_alone(store, handler, now_ms, lease_until_ms, limit,
                               &claims, err);
    if (status != STATUS_OK) {
        drop_claims(&claims);
        return status;
    }
    *ret_claims = claims;
    return STATUS_OK;
}

enum status
store_sql_recall(struct store_sql *store, struct store_recall *recall,
                 struct error *err)
{
    struct sql_use use = sql_use(store, SQL_RECALL);
    sql_i64(&use, recall->handler);
    sql_i64(&use, recall->now_ms);
    sql_i64(&use, recall->latest_ms);
    enum status status = sql_run(&use, err);
    recall->count = status == STATUS_OK ? (size_t)use.changed : 0;
    return status;
}
