/* SPDX-License-Identifier: MIT */
#include "store/store_sql_private.h"

#include "model/connector.h"

static enum status
out_of_memory(struct error *err)
{
    return error_set(err, STATUS_NOMEM, "store: out of memory");
}

static int64_t
below(uint64_t before)
{
    return before == 0 || before > INT64_MAX ? INT64_MAX : (int64_t)before;
}

static size_t
at_most(size_t asked)
{
    return asked < VIEW_ROWS_MOST ? asked : VIEW_ROWS_MOST;
}

/* ---- events ---- */

/* Columns of SQL_VIEW_EVENTS, which the others begin with. */
static enum status
take_event(const struct sql_use *use, struct arena *arena,
           struct view_event *event)
{
    event->number = (uint64_t)sql_number(use, 0);
    event->via = (enum channel)sql_number(use, 3);
    event->time_ms = sql_number(use, 4);
    event->recorded_ms = sql_number(use, 5);
    event->body_bytes = (size_t)sql_number(use, 8);
    enum status status = store_sql_view_text(use, 2, arena, &event->connector);
    if (status == STATUS_OK) {
        status = store_sql_view_text(use, 6, arena, &event->id);
    }
    if (status == STATUS_OK) {
        status = store_sql_view_text(use, 7, arena, &event->type);
    }
    return status;
}

/* What SQL_VIEW_EVENT and SQL_VIEW_EVENTS_UP have behind them. */
static enum status
take_bytes(const struct sql_use *use, struct arena *arena,
           struct view_event *event)
{
    enum status status =
        store_sql_view_text(use, 9, arena, &event->content_type);
    if (status == STATUS_OK) {
        status = store_sql_view_text(use, 10, arena, &event->headers);
    }
    return status == STATUS_OK
               ? store_sql_view_text(use, 11, arena, &event->body)
               : status;
}

/* Adds what became of an event. */
static enum status
add_fate(struct sql_view *view, struct view_event *event, struct error *err)
{
    struct sql_use use = view_use(view, SQL_VIEW_FATE);
    bool row;
    sql_event(&use, event->number);
    sql_i64(&use, channel_is_walk(event->via));
    enum status status = sql_row(&use, &row, err);
    if (status == STATUS_OK && row) {
        event->other_ms = sql_number(&use, 0);
        event->owed = sql_number(&use, 1);
        event->dead = sql_number(&use, 2);
    }
    sql_stop(&use);
    return status;
}

static bool
is_wanted(const struct sql_use *use, const struct view_events *events)
{
    return (events->connector == 0 ||
            sql_number(use, 1) == events->connector) &&
           (events->via < 0 || (int)sql_number(use, 3) == events->via) &&
           (events->id.len == 0 ||
            slice_equal(sql_bytes(use, 6), events->id)) &&
           (events->type.len == 0 ||
            glob_match(events->type, sql_bytes(use, 7)));
}

/* The smallest number that an event accepted at `ms` can have. */
static uint64_t
first_number(int64_t ms)
{
    return ms <= 0 ? 0
           : ms > (INT64_MAX >> EVENT_MS_SHIFT)
               ? INT64_MAX
               : (uint64_t)ms << EVENT_MS_SHIFT;
}

/* Takes the row that the statement stands at. */
static enum status
take_wanted(const struct sql_use *use, struct view_events *events,
            size_t *bytes, struct arena *arena)
{
    uint64_t number = (uint64_t)sql_number(use, 0);
    events->highest = number > events->highest ? number : events->highest;
    events->lowest = events->lowest == 0 || number < events->lowest
                         ? number
                         : events->lowest;
    if (events->counts_only) {
        events->count++;
        return STATUS_OK;
    }
    struct view_event *event = &events->at[events->count++];
    enum status status = take_event(use, arena, event);
    if (status == STATUS_OK && events->with_body) {
        status = take_bytes(use, arena, event);
        *bytes += event->body.len + event->headers.len;
    }
    return status;
}

static enum status
scan_events(struct sql_use *use, struct view_events *events, size_t limit,
            struct arena *arena, struct error *err)
{
    size_t looked_at = 0;
    size_t bytes = 0;
    bool row;
    enum status status = sql_row(use, &row, err);
    while (status == STATUS_OK && row) {
        looked_at++;
        events->next = (uint64_t)sql_number(use, 0);
        if (is_wanted(use, events)) {
            status = take_wanted(use, events, &bytes, arena);
        }
        if ((events->count == limit && !events->counts_only) ||
            looked_at == events->look || bytes >= VIEW_BODY_BYTES) {
            events->more = true;
            break;
        }
        if (status == STATUS_OK) {
            status = sql_row(use, &row, err);
        }
    }
    sql_stop(use);
    return status;
}

/* Reads the page, with `events->at` in place. */
static enum status
read_events(struct sql_view *view, struct view_events *events, size_t limit,
            struct arena *arena, struct error *err)
{
    bool up = events->oldest_first;
    uint64_t since = first_number(events->since_ms);
    int64_t end = events->until_ms > 0 ? (int64_t)first_number(events->until_ms)
                                       : INT64_MAX;
    int64_t before = below(events->before);
    struct sql_use use =
        view_use(view, up ? SQL_VIEW_EVENTS_UP : SQL_VIEW_EVENTS);
    if (up) {
        /* Above the number, which is a row that was looked at. */
        sql_event(&use, events->before >= since ? events->before
                        : since == 0            ? 0
                                                : since - 1);
        sql_i64(&use, end);
    } else {
        sql_i64(&use, before < end ? before : end);
        sql_event(&use, since);
    }
    sql_i64(&use, (int64_t)events->look);
    return scan_events(&use, events, limit, arena, err);
}

/* The page, and what became of each event by the same state of the store. */
static enum status
read_fates(struct sql_view *view, struct view_events *events, size_t limit,
           struct arena *arena, struct error *err)
{
    enum status status = store_sql_view_begin(view, err);
    if (status == STATUS_OK) {
        status = read_events(view, events, limit, arena, err);
    }
    for (size_t i = 0; status == STATUS_OK && i < events->count; i++) {
        status = add_fate(view, &events->at[i], err);
    }
    return store_sql_view_end(view, status, err);
}

enum status
store_sql_view_events(struct store_view *base, struct view_events *events,
                      struct arena *arena, struct error *err)
{
    size_t limit = at_most(events->limit);
    events->count = 0;
    events->lowest = 0;
    events->highest = 0;
    events->more = false;
    events->at = arena_array(arena, events->counts_only ? 1 : limit,
                             sizeof(*events->at));
    if (events->at == NULL) {
        return out_of_memory(err);
    }
    struct sql_view *view = sql_view_of(base);
    return events->with_fate && !events->counts_only
               ? read_fates(view, events, limit, arena, err)
               : read_events(view, events, limit, arena, err);
}

/* ---- one event ---- */

static enum status
read_event(struct sql_view *view, struct view_detail *detail,
           struct arena *arena, struct error *err)
{
    struct sql_use use = view_use(view, SQL_VIEW_EVENT);
    struct view_event *event = &detail->event;
    sql_event(&use, detail->number);
    sql_i64(&use, detail->with_body);
    bool row;
    enum status status = sql_row(&use, &row, err);
    if (status == STATUS_OK && !row) {
        return error_set(err, STATUS_NOT_FOUND, "there is no such event");
    }
    if (status == STATUS_OK) {
        status = take_event(&use, arena, event);
    }
    if (status == STATUS_OK) {
        status = take_bytes(&use, arena, event);
    }
    sql_stop(&use);
    return status;
}

/* What belongs to an event, one row after the other. */
typedef enum status take_row_fn(const struct sql_use *use,
                                struct view_detail *detail,
                                struct arena *arena);

static enum status
take_fill(const struct sql_use *use, struct view_detail *detail,
          struct arena *arena)
{
    (void)arena;
    detail->fill = (struct view_fill){
        .any = true,
        .needs = (enum event_needs)sql_number(use, 0),
        .filled = (enum event_filled)sql_number(use, 1),
        .asked_ms = sql_number(use, 2),
        .filled_ms = sql_number(use, 3),
    };
    return STATUS_OK;
}

static enum status
take_sighting(const struct sql_use *use, struct view_detail *detail,
              struct arena *arena)
{
    (void)arena;
    detail->sightings[detail->sighting_count++] = (struct view_sighting){
        .via = (enum channel)sql_number(use, 0),
        .at_ms = sql_number(use, 1),
    };
    return STATUS_OK;
}

static enum status
take_delivery(const struct sql_use *use, struct view_detail *detail,
              struct arena *arena)
{
    struct view_delivery *at = &detail->deliveries[detail->delivery_count++];
    int64_t due = sql_number(use, 2);
    at->attempt = (unsigned)sql_number(use, 1);
    at->parked = due == DUE_PARKED;
    at->at_ms = at->parked ? 0 : due;
    at->state = sql_number(use, 3) != 0 ? VIEW_RUNNING : VIEW_WAITING;
    at->again = (enum again)sql_number(use, 4);
    return store_sql_view_text(use, 0, arena, &at->handler);
}

static enum status
take_dead(const struct sql_use *use, struct view_detail *detail,
          struct arena *arena)
{
    struct view_delivery *at = &detail->deliveries[detail->delivery_count++];
    at->state = VIEW_DEAD;
    at->attempt = (unsigned)sql_number(use, 1);
    at->at_ms = sql_number(use, 2);
    enum status status = store_sql_view_text(use, 0, arena, &at->handler);
    if (status == STATUS_OK) {
        status = store_sql_view_text(use, 3, arena, &at->reason);
    }
    return status == STATUS_OK ? store_sql_view_text(use, 4, arena, &at->answer)
                               : status;
}

static enum status
take_attempt(const struct sql_use *use, struct view_detail *detail,
             struct arena *arena)
{
    struct view_attempt *at = &detail->attempts[detail->attempt_count++];
    at->attempt = (unsigned)sql_number(use, 1);
    at->started_ms = sql_number(use, 2);
    at->duration_ms = sql_number(use, 3);
    at->outcome = (enum view_outcome)sql_number(use, 4);
    at->due_ms = sql_number(use, 7);
    enum status status = store_sql_view_text(use, 0, arena, &at->handler);
    if (status == STATUS_OK) {
        status = store_sql_view_text(use, 5, arena, &at->detail);
    }
    return status == STATUS_OK ? store_sql_view_text(use, 6, arena, &at->output)
                               : status;
}

static enum status
read_rows(struct sql_view *view, enum sql which, take_row_fn *take,
          struct view_detail *detail, struct arena *arena, struct error *err)
{
    struct sql_use use = view_use(view, which);
    sql_event(&use, detail->number);
    sql_i64(&use, VIEW_ROWS_MOST / 2); /* deliveries and dead share a table */
    bool row;
    enum status status = sql_row(&use, &row, err);
    while (status == STATUS_OK && row) {
        status = take(&use, detail, arena);
        if (status == STATUS_OK) {
            status = sql_row(&use, &row, err);
        }
    }
    sql_stop(&use);
    return status;
}

static enum status
read_detail(struct sql_view *view, struct view_detail *detail,
            struct arena *arena, struct error *err)
{
    static const struct {
        enum sql which;
        take_row_fn *take;
    } parts[] = {
        { SQL_VIEW_FILL, take_fill },
        { SQL_VIEW_SIGHTINGS, take_sighting },
        { SQL_VIEW_DELIVERIES, take_delivery },
        { SQL_VIEW_DEAD, take_dead },
        { SQL_VIEW_ATTEMPTS, take_attempt },
    };
    enum status status = read_event(view, detail, arena, err);
    for (size_t i = 0;
         status == STATUS_OK && i < sizeof(parts) / sizeof(parts[0]); i++) {
        status =
            read_rows(view, parts[i].which, parts[i].take, detail, arena, err);
    }
    return status;
}

enum status
store_sql_view_detail(struct store_view *base, struct view_detail *detail,
                      struct arena *arena, struct error *err)
{
    struct sql_view *view = sql_view_of(base);
    detail->fill = (struct view_fill){ 0 };
    detail->sighting_count = 0;
    detail->delivery_count = 0;
    detail->attempt_count = 0;
    detail->sightings =
        arena_array(arena, VIEW_ROWS_MOST, sizeof(*detail->sightings));
    detail->deliveries =
        arena_array(arena, VIEW_ROWS_MOST, sizeof(*detail->deliveries));
    detail->attempts =
        arena_array(arena, VIEW_ROWS_MOST, sizeof(*detail->attempts));
    if (detail->sightings == NULL || detail->deliveries == NULL ||
        detail->attempts == NULL) {
        return out_of_memory(err);
    }
    enum status status = store_sql_view_begin(view, err);
    if (status == STATUS_OK) {
        status = read_detail(view, detail, arena, err);
    }
    return store_sql_view_end(view, status, err);
}

/* ---- keys ---- */

/* Returns the row of a type, making one; NULL without memory. */
static struct view_key *
key_of(struct view_keys *keys, struct slice type, struct arena *arena)
{
    for (size_t i = 0; i < keys->count; i++) {
        if (slice_equal(keys->at[i].type, type)) {
            return &keys->at[i];
        }
    }
    if (keys->count == VIEW_KEY_TYPES) {
        return &keys->at[VIEW_KEY_TYPES - 1];
    }
    struct view_key *key = &keys->at[keys->count];
    if (keys->count == VIEW_KEY_TYPES - 1) {
        type = slice_of("*");
    }
    if (arena_copy(arena, type, &key->type) != STATUS_OK) {
        return NULL;
    }
    keys->count++;
    return key;
}

/* An event that a walk brought, and when a webhook showed it; 0: never. One
 * that was asked for meets its row, and shows nothing of itself. Nobody has
 * waited for the webhook of what a backfill brought. */
static void
count_walked(const struct view_keys *keys, struct view_key *key,
             const struct sql_use *use, int64_t accepted_ms)
{
    enum channel via = (enum channel)sql_number(use, 2);
    int64_t hooked_ms = sql_number(use, 5);
    bool asked = sql_number(use, 7) != 0;
    key->walk++;
    if (hooked_ms != 0 && hooked_ms - accepted_ms <= keys->grace_ms) {
        key->met++;
        key->confirmed++;
        return;
    }
    key->met += hooked_ms != 0 || asked;
    if (via != CHANNEL_BACKFILL) {
        key->late += hooked_ms != 0;
        key->recovered += keys->now_ms - accepted_ms > keys->grace_ms;
    }
}

static void
count_hooked(const struct view_keys *keys, struct view_key *key,
             int64_t accepted_ms, int64_t listed_ms, int64_t time_ms)
{
    if (listed_ms != 0) {
        key->met++;
        key->confirmed += listed_ms - accepted_ms <= keys->grace_ms;
    } else if (time_ms > 0 && time_ms >= keys->behind_from_ms &&
               time_ms < keys->behind_until_ms) {
        key->webhook_only++;
    }
}

static enum status
count_event(const struct sql_use *use, struct view_keys *keys,
            struct arena *arena, struct error *err)
{
    if (sql_number(use, 1) != keys->connector) {
        return STATUS_OK;
    }
    struct view_key *key = key_of(keys, sql_bytes(use, 4), arena);
    if (key == NULL) {
        return out_of_memory(err);
    }
    enum channel via = (enum channel)sql_number(use, 2);
    int64_t accepted_ms = sql_number(use, 0) >> EVENT_MS_SHIFT;
    if (channel_is_walk(via)) {
        count_walked(keys, key, use, accepted_ms);
    } else {
        *(via == CHANNEL_STREAM ? &key->stream : &key->webhook) += 1;
        count_hooked(keys, key, accepted_ms, sql_number(use, 6),
                     sql_number(use, 3));
    }
    return STATUS_OK;
}

enum status
store_sql_view_keys(struct store_view *base, struct view_keys *keys,
                    struct arena *arena, struct error *err)
{
    if (keys->at == NULL) {
        keys->count = 0;
        keys->at = arena_array(arena, VIEW_KEY_TYPES, sizeof(*keys->at));
    }
    if (keys->at == NULL) {
        return out_of_memory(err);
    }
    struct sql_use use = view_use(sql_view_of(base), SQL_VIEW_KEYS);
    sql_i64(&use, below(keys->before));
    sql_i64(&use, (int64_t)keys->look);
    size_t looked_at = 0;
    bool row;
    enum status status = sql_row(&use, &row, err);
    while (status == STATUS_OK && row) {
        looked_at++;
        keys->next = (uint64_t)sql_number(&use, 0);
        status = count_event(&use, keys, arena, err);
        if (status == STATUS_OK) {
            status = sql_row(&use, &row, err);
        }
    }
    sql_stop(&use);
    keys->more = looked_at == keys->look;
    return status;
}
