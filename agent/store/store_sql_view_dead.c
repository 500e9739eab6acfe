/* SPDX-License-Identifier: MIT */
/* store_sql_view_dead: dead letters, why they are, and errands. */
#include "store/store_sql_private.h"

#include "model/connector.h"

/* Columns of SQL_VIEW_LETTERS. */
enum {
    LETTER_ID,
    LETTER_EVENT,
    LETTER_NUMBER,
    LETTER_ATTEMPT,
    LETTER_AT,
    LETTER_HANDLER,
    LETTER_CONNECTOR,
    LETTER_TYPE,
    LETTER_EVENT_ID,
    LETTER_REASON,
    LETTER_ANSWER
};

static enum status
out_of_memory(struct error *err)
{
    return error_set(err, STATUS_NOMEM, "store: out of memory");
}

static bool
names(struct slice wanted, const struct sql_use *use, int column)
{
    return wanted.len == 0 || slice_equal(wanted, sql_bytes(use, column));
}

static bool
is_wanted(const struct sql_use *use, const struct errand_filter *filter)
{
    int64_t at_ms = sql_number(use, LETTER_AT);
    uint64_t event = (uint64_t)sql_number(use, LETTER_EVENT);
    return (filter->event == 0 || filter->event == event) &&
           at_ms >= filter->since_ms &&
           (filter->until_ms == 0 || at_ms < filter->until_ms) &&
           names(filter->connector, use, LETTER_CONNECTOR) &&
           names(filter->handler, use, LETTER_HANDLER) &&
           (filter->type.len == 0 ||
            glob_match(filter->type, sql_bytes(use, LETTER_TYPE))) &&
           errand_says(filter, sql_bytes(use, LETTER_REASON),
                       sql_bytes(use, LETTER_ANSWER));
}

static enum status
take_letter(const struct sql_use *use, struct view_dead *dead,
            struct arena *arena)
{
    uint64_t id = (uint64_t)sql_number(use, LETTER_ID);
    dead->highest = id > dead->highest ? id : dead->highest;
    dead->lowest = dead->lowest == 0 || id < dead->lowest ? id : dead->lowest;
    if (dead->counts_only) {
        dead->count++;
        return STATUS_OK;
    }
    struct view_dead_row *row = &dead->at[dead->count++];
    const struct {
        int column;
        struct slice *place;
    } texts[] = {
        { LETTER_HANDLER, &row->handler },     { LETTER_TYPE, &row->type },
        { LETTER_CONNECTOR, &row->connector }, { LETTER_REASON, &row->reason },
        { LETTER_EVENT_ID, &row->event_id },   { LETTER_ANSWER, &row->answer },
    };
    row->id = id;
    row->event = (uint64_t)sql_number(use, LETTER_EVENT);
    row->number = (uint32_t)sql_number(use, LETTER_NUMBER);
    row->attempt = (unsigned)sql_number(use, LETTER_ATTEMPT);
    row->at_ms = sql_number(use, LETTER_AT);
    enum status status = STATUS_OK;
    for (size_t i = 0;
         status == STATUS_OK && i < sizeof(texts) / sizeof(texts[0]); i++) {
        status =
            store_sql_view_text(use, texts[i].column, arena, texts[i].place);
    }
    return status;
}

/* The letters from an id on, upwards or downwards; those of one event by
 * themselves. */
static struct sql_use
begin(struct store_view *base, const struct errand_filter *filter, bool up,
      uint64_t from, size_t look)
{
    bool one = filter->event != 0;
    enum sql which = one  ? SQL_VIEW_LETTERS_OF
                     : up ? SQL_VIEW_LETTERS_UP
                          : SQL_VIEW_LETTERS;
    struct sql_use use = view_use(sql_view_of(base), which);
    bool all = (one && !up) || from > INT64_MAX;
    sql_i64(&use, all ? 0 : !up && from == 0 ? INT64_MAX : (int64_t)from);
    sql_i64(&use, (int64_t)look);
    if (one) {
        sql_event(&use, filter->event);
    }
    return use;
}

enum status
store_sql_view_dead(struct store_view *base, struct view_dead *dead,
                    struct arena *arena, struct error *err)
{
    size_t limit = dead->limit < VIEW_ROWS_MOST ? dead->limit : VIEW_ROWS_MOST;
    dead->count = 0;
    dead->lowest = 0;
    dead->highest = 0;
    dead->more = false;
    dead->at =
        arena_array(arena, dead->counts_only ? 1 : limit, sizeof(*dead->at));
    if (dead->at == NULL) {
        return out_of_memory(err);
    }
    struct sql_use use =
        begin(base, &dead->filter, dead->oldest_first, dead->from, dead->look);
    size_t looked_at = 0;
    bool row;
    enum status status = sql_row(&use, &row, err);
    while (status == STATUS_OK && row) {
        looked_at++;
        dead->next = (uint64_t)sql_number(&use, LETTER_ID);
        if (is_wanted(&use, &dead->filter)) {
            status = take_letter(&use, dead, arena);
        }
        if ((dead->count == limit && !dead->counts_only) ||
            looked_at == dead->look) {
            dead->more = true;
            break;
        }
        if (status == STATUS_OK) {
            status = sql_row(&use, &row, err);
        }
    }
    sql_stop(&use);
    return status;
}

/* ---- reasons ---- */

static bool
is_same(const struct view_reason *reason, const struct sql_use *use)
{
    return slice_equal(reason->handler, sql_bytes(use, LETTER_HANDLER)) &&
           slice_equal(reason->reason, sql_bytes(use, LETTER_REASON)) &&
           slice_equal(reason->answer, sql_bytes(use, LETTER_ANSWER));
}

static enum status
name_reason(struct view_reason *reason, const struct sql_use *use, bool last,
            struct arena *arena)
{
    if (last) {
        reason->handler = slice_of("*");
        reason->reason = slice_of("*");
        reason->answer = slice_of("*");
        return STATUS_OK;
    }
    enum status status =
        store_sql_view_text(use, LETTER_HANDLER, arena, &reason->handler);
    if (status == STATUS_OK) {
        status =
            store_sql_view_text(use, LETTER_REASON, arena, &reason->reason);
    }
    return status == STATUS_OK
               ? store_sql_view_text(use, LETTER_ANSWER, arena, &reason->answer)
               : status;
}

static enum status
count_letter(const struct sql_use *use, struct view_reasons *reasons,
             struct arena *arena)
{
    size_t i = 0;
    while (i < reasons->count && i < VIEW_REASONS - 1 &&
           !is_same(&reasons->at[i], use)) {
        i++;
    }
    struct view_reason *reason = &reasons->at[i];
    int64_t at_ms = sql_number(use, LETTER_AT);
    if (i == reasons->count) {
        *reason = (struct view_reason){ .last_ms = at_ms };
        enum status status =
            name_reason(reason, use, i == VIEW_REASONS - 1, arena);
        if (status != STATUS_OK) {
            return status;
        }
        reasons->count++;
    }
    reason->count++;
    reason->first_ms = at_ms;
    return STATUS_OK;
}

enum status
store_sql_view_reasons(struct store_view *base, struct view_reasons *reasons,
                       struct arena *arena, struct error *err)
{
    if (reasons->at == NULL) {
        reasons->count = 0;
        reasons->at = arena_array(arena, VIEW_REASONS, sizeof(*reasons->at));
    }
    if (reasons->at == NULL) {
        return out_of_memory(err);
    }
    struct sql_use use =
        begin(base, &reasons->filter, false, reasons->from, reasons->look);
    size_t looked_at = 0;
    bool row;
    enum status status = sql_row(&use, &row, err);
    while (status == STATUS_OK && row) {
        looked_at++;
        reasons->next = (uint64_t)sql_number(&use, LETTER_ID);
        if (is_wanted(&use, &reasons->filter)) {
            status = count_letter(&use, reasons, arena);
        }
        if (status == STATUS_OK) {
            status = sql_row(&use, &row, err);
        }
    }
    sql_stop(&use);
    reasons->more = looked_at == reasons->look;
    return status;
}

/* ---- errands ---- */

static enum status
take_errand(const struct sql_use *use, struct arena *arena,
            struct view_errand *errand)
{
    errand->number = (uint64_t)sql_number(use, 0);
    errand->is_running = sql_number(use, 1) != 0;
    errand->done = sql_number(use, 2);
    errand->skipped = sql_number(use, 3);
    errand->open = sql_number(use, 5);
    return store_sql_view_text(use, 4, arena, &errand->state);
}

enum status
store_sql_view_errands(struct store_view *base, struct view_errands *errands,
                       struct arena *arena, struct error *err)
{
    size_t limit =
        errands->limit < VIEW_ROWS_MOST ? errands->limit : VIEW_ROWS_MOST;
    errands->count = 0;
    errands->more = false;
    errands->at = arena_array(arena, limit, sizeof(*errands->at));
    if (errands->at == NULL) {
        return out_of_memory(err);
    }
    struct sql_use use = view_use(sql_view_of(base), SQL_VIEW_ERRANDS);
    sql_i64(&use, errands->before == 0 ? INT64_MAX : (int64_t)errands->before);
    sql_i64(&use, (int64_t)limit + 1);
    sql_i64(&use, VIEW_ERRAND_OPEN);
    bool row;
    enum status status = sql_row(&use, &row, err);
    while (status == STATUS_OK && row) {
        if (errands->count == limit) {
            errands->more = true;
            break;
        }
        status = take_errand(&use, arena, &errands->at[errands->count++]);
        if (status == STATUS_OK) {
            status = sql_row(&use, &row, err);
        }
    }
    sql_stop(&use);
    return status;
}
