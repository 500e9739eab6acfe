/* SPDX-License-Identifier: MIT */
#include "store/store_sql_private.h"

/*
 * An event that came without its bytes has a row in `fill` until it goes. Who
 * brings them first takes the need away in the same transaction; whoever comes
 * second changes nothing.
 */

enum status
store_sql_fill_add(struct store_sql *store, uint64_t event,
                   enum event_needs needs, struct error *err)
{
    struct sql_use use = sql_use(store, SQL_FILL_ADD);
    sql_event(&use, event);
    sql_i64(&use, needs);
    return sql_run(&use, err);
}

/* What takes a need away, and what is needed then: a webhook that was sent
 * again may be a thin one. */
struct filling {
    enum event_needs needs;
    enum event_filled filled;
    enum event_needs next;
};

/* Takes the need of an event away; false where it has none of that kind. */
static enum status
take_need(struct store_sql *store, uint64_t event,
          const struct filling *filling, int64_t now_ms, bool *ret_taken,
          struct error *err)
{
    struct sql_use use = sql_use(store, SQL_FILL_TAKE);
    sql_event(&use, event);
    sql_i64(&use, filling->needs);
    sql_i64(&use, filling->filled);
    sql_i64(&use, now_ms);
    sql_i64(&use, filling->next);
    enum status status = sql_run(&use, err);
    *ret_taken = status == STATUS_OK && use.changed == 1;
    return status;
}

/* Replaces the bytes of an event; its headers where `headers` is not NULL. */
static enum status
replace_body(struct store_sql *store, uint64_t event, struct slice content_type,
             struct slice body, const struct slice *headers, struct error *err)
{
    struct sql_use use = sql_use(store, SQL_FILL_BODY);
    sql_event(&use, event);
    sql_text(&use, content_type);
    sql_blob(&use, body.ptr, body.len);
    if (headers != NULL) {
        sql_blob(&use, headers->ptr, headers->len);
    } else {
        sql_null(&use);
    }
    return sql_run(&use, err);
}

/* What is owed of an event is due, but what waits for its lane. */
static enum status
wake_deliveries(struct store_sql *store, uint64_t event, int64_t now_ms,
                struct error *err)
{
    struct sql_use use = sql_use(store, SQL_DELIVERY_WAKE);
    sql_event(&use, event);
    sql_i64(&use, now_ms);
    return sql_run(&use, err);
}

/* Reads what an event needs; nothing where it never did. */
static enum status
read_need(struct store_sql *store, uint64_t event, int *ret_needs,
          int64_t *ret_asked_ms, struct error *err)
{
    struct sql_use use = sql_use(store, SQL_FILL_GET);
    sql_event(&use, event);
    bool row;
    enum status status = sql_row(&use, &row, err);
    *ret_needs = NEEDS_NOTHING;
    *ret_asked_ms = 0;
    if (status == STATUS_OK && row) {
        *ret_needs = (int)sql_number(&use, 0);
        *ret_asked_ms = sql_number(&use, 1);
        sql_stop(&use);
    }
    return status;
}

/* Whether an attempt was made that may have asked for the webhook: it may come
 * before the outcome that says so is on its way. */
static enum status
was_tried(struct store_sql *store, uint64_t event, bool *ret_tried,
          struct error *err)
{
    struct sql_use use = sql_use(store, SQL_DELIVERY_TRIED);
    sql_event(&use, event);
    enum status status = sql_row(&use, ret_tried, err);
    if (status == STATUS_OK && *ret_tried) {
        sql_stop(&use);
    }
    return status;
}

enum status
store_sql_fill_by_hook(struct store_sql *store, struct sighting *sighting,
                       int64_t now_ms, bool *ret_asked, struct error *err)
{
    int needs;
    int64_t asked_ms;
    *ret_asked = false;
    if (!sighting->may_fill || !channel_is_hook(sighting->via)) {
        return STATUS_OK;
    }
    enum status status =
        read_need(store, sighting->number, &needs, &asked_ms, err);
    if (status != STATUS_OK || needs != NEEDS_HOOK) {
        return status;
    }
    status = was_tried(store, sighting->number, ret_asked, err);
    *ret_asked = *ret_asked || asked_ms != 0;
    if (status == STATUS_OK) {
        const struct filling filling = { NEEDS_HOOK, FILLED_BY_HOOK,
                                         sighting->needs };
        status = take_need(store, sighting->number, &filling, now_ms,
                           &sighting->filled, err);
    }
    if (status != STATUS_OK || !sighting->filled) {
        return status;
    }
    status = replace_body(store, sighting->number, sighting->content_type,
                          sighting->body, &sighting->headers, err);
    return status == STATUS_OK
               ? wake_deliveries(store, sighting->number, now_ms, err)
               : status;
}

enum status
store_sql_fill_by_outcome(struct store_sql *store,
                          const struct store_outcome *outcome, int64_t now_ms,
                          struct error *err)
{
    bool taken = false;
    enum status status = STATUS_OK;
    if (outcome->asked_ms != 0) {
        struct sql_use use = sql_use(store, SQL_FILL_ASKED);
        sql_event(&use, outcome->event);
        sql_i64(&use, outcome->asked_ms);
        status = sql_run(&use, err);
    }
    if (status == STATUS_OK && outcome->has_body) {
        static const struct filling filling = { NEEDS_FETCH, FILLED_BY_FETCH,
                                                NEEDS_NOTHING };
        status =
            take_need(store, outcome->event, &filling, now_ms, &taken, err);
    }
    return status == STATUS_OK && taken
               ? replace_body(store, outcome->event, outcome->content_type,
                              outcome->body, NULL, err)
               : status;
}

enum status
store_sql_fill_has_come(struct store_sql *store,
                        const struct store_outcome *outcome, bool *ret_come,
                        struct error *err)
{
    int needs;
    int64_t asked_ms;
    *ret_come = false;
    if (!outcome->waits) {
        return STATUS_OK;
    }
    enum status status =
        read_need(store, outcome->event, &needs, &asked_ms, err);
    *ret_come = status == STATUS_OK && needs != NEEDS_HOOK;
    return status;
}
