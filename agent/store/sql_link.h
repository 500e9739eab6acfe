/* SPDX-License-Identifier: MIT */
/*
 * sql_link: a connection to a database, whichever it is: statements by their
 * numbers, bound, run and read.
 *
 * A database is a driver. The statements are those of one table; a driver may
 * have words of its own for some of them.
 */
#ifndef STORE_SQL_LINK_H
#define STORE_SQL_LINK_H

#include "base/bytes.h"
#include "base/status.h"
#include "store/sql_copied.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sql {
    SQL_BEGIN,
    SQL_COMMIT,
    SQL_ROLLBACK,
    SQL_META_GET,
    SQL_META_PUT,
    SQL_NAME_GET,
    SQL_NAME_ADD,
    SQL_LEDGER_GET,
    SQL_LEDGER_ADD,
    SQL_LEDGER_MARK,
    SQL_EVENT_ADD,
    SQL_SIGHTING_ADD,
    SQL_FILL_ADD,
    SQL_FILL_GET,
    SQL_FILL_TAKE,
    SQL_FILL_ASKED,
    SQL_FILL_BODY,
    SQL_DELIVERY_TRIED,
    SQL_DELIVERY_WAKE,
    SQL_DELIVERY_ADD,
    SQL_DELIVERY_DROP,
    SQL_DELIVERY_LATER,
    SQL_DELIVERY_RELEASE,
    SQL_LANE_BUSY,
    SQL_LANE_NEXT,
    SQL_LANE_HELD,
    SQL_LANE_FREE,
    SQL_DEAD_DROP,
    SQL_DEAD_ADD,
    SQL_ATTEMPT_ADD,
    SQL_ATTEMPT_BOUND,
    SQL_ATTEMPT_LAST,
    SQL_AGAIN_ADD,
    SQL_ERRAND_ADD,
    SQL_ERRAND_PUT,
    SQL_ERRAND_GET,
    SQL_ERRAND_NEXT,
    SQL_ERRAND_TIDY,
    SQL_ERRAND_OPEN,
    SQL_WALK_GET,
    SQL_WALK_PUT,
    SQL_GAP_ADD,
    SQL_GAP_CLOSE,
    SQL_CLAIM_DUE,
    SQL_CLAIM_AGAIN,
    SQL_CLAIM_NEXT,
    SQL_CLAIM_NEXT_AGAIN,
    SQL_CLAIM_TAKE,
    SQL_FIGURE_OLDEST,
    SQL_FIGURE_NEXT,
    SQL_ACCOUNT_PUT,
    SQL_EVENT_VIA,
    SQL_SEED_FIND,
    SQL_SEED_HOOK,
    SQL_KEYED_GET,
    SQL_KEYED_PUT,
    SQL_REKEYED_PUT,
    SQL_ACCOUNT_SCAN,
    SQL_UNLISTED,
    SQL_PRUNE_LEDGER,
    SQL_PRUNE_ATTEMPT,
    SQL_PRUNE_DEAD_NEXT,
    SQL_PRUNE_EVENT_SCAN,
    SQL_PRUNE_EVENT_DROP,
    SQL_PRUNE_SIGHTING_DROP,
    SQL_PRUNE_FILL_DROP,
    SQL_PRUNE_REKEYED,
    SQL_OWED,
    SQL_REFUSAL_ADD,
    SQL_REFUSAL_MORE,
    SQL_REFUSAL_TRIM,
    SQL_RECALL,
    SQL_PAUSE_PUT,
    SQL_PAUSE_DROP,
    SQL_PAUSE_GET,
    SQL_RECEIVER_ADD,
    SQL_RECEIVER_PUT,
    SQL_RECEIVER_REMOVE,
    SQL_RECEIVER_DROP,
    SQL_RECEIVER_NEXT,
    SQL_RECEIVER_OWED_DROP,
    SQL_RECEIVER_DEAD_DROP,
    SQL_RECEIVER_NAME_DROP,
    SQL_TALLY_LOAD,
    SQL_ACCOUNT_LOAD,
    /* Of a view, which has no others. */
    SQL_VIEW_FIRST,
    SQL_VIEW_BEGIN = SQL_VIEW_FIRST,
    SQL_VIEW_COMMIT,
    SQL_VIEW_GAPS,
    SQL_VIEW_ACCOUNTS,
    SQL_VIEW_OPEN_GAPS,
    SQL_VIEW_EVENTS,
    SQL_VIEW_EVENTS_UP,
    SQL_VIEW_LETTERS,
    SQL_VIEW_LETTERS_UP,
    SQL_VIEW_LETTERS_OF,
    SQL_VIEW_ERRANDS,
    SQL_VIEW_EVENT,
    SQL_VIEW_FATE,
    SQL_VIEW_FILL,
    SQL_VIEW_SIGHTINGS,
    SQL_VIEW_DELIVERIES,
    SQL_VIEW_DEAD,
    SQL_VIEW_ATTEMPTS,
    SQL_VIEW_KEYS,
    SQL_VIEW_REFUSALS,
    SQL_VIEW_REFUSALS_OF,
    /* Of a store that several agents share. */
    SQL_SHARED_FIRST,
    SQL_SESSION = SQL_SHARED_FIRST,
    SQL_SERVER,
    SQL_LOCK_SCHEMA,
    SQL_AGENT_JOIN,
    SQL_AGENT_BEAT,
    SQL_AGENT_SILENT,
    SQL_AGENT_OTHERS,
    SQL_AGENT_BURY,
    SQL_AGENT_TELL,
    SQL_AGENTS,
    SQL_LEASES_ADD,
    SQL_LEASES_DROP,
    SQL_LEASES_LEAVE,
    SQL_LEASES_FREE,
    SQL_LEASES_TAKE,
    SQL_LEASES_ASKED,
    SQL_LEASES_HEARD,
    SQL_LEASES_GIVE,
    SQL_LEASES_ASK,
    SQL_LEASES_POKE,
    SQL_LEASES_MINE,
    SQL_LEASE_FENCE,
    SQL_VIEW_LEASES,
    SQL_LEDGER_GET_ALL,
    SQL_LEDGER_NEW,
    SQL_DELIVERY_DROP_ALL,
    SQL_LOCK_LANE,
    SQL_LOCK_LANES,
    SQL_LOCK_SEED,
    SQL_LOCK_DELIVERY,
    SQL_TALLY_ADD,
    SQL_TALLY_GET,
    SQL_ACCOUNT_SEE,
    SQL_ACCOUNT_MOVE,
    SQL_ACCOUNT_ADD,
    SQL_PRUNE_EVENTS,
    SQL_PRUNE_ORPHANS,
    SQL_COPY_SETTLE,
/* Of a store that is copied: each table is read and written. */
#define X(name, ...)                                                           \
    SQL_COPY_READ_##name, SQL_COPY_LAST_##name, SQL_COPY_ADD_##name,
    SQL_COPIED(X)
#undef X
        SQL_COUNT,
    SQL_COPY_FIRST = SQL_COPY_READ_NAME
};

/* The text of a statement, its parameters ?1, ?2 and so on: numbers, bytes and
 * NULL. NULL for those that only a shared store has. */
const char *sql_text_of(enum sql which);

/* The same in PostgreSQL's words, but for its $1, $2: every number is a bigint
 * and every text is bytes. */
const char *sql_text_of_postgresql(enum sql which);

struct sql_driver;

/* A connection to a database; the first member of every driver's own. */
struct sql_link {
    const struct sql_driver *driver;
    /* The failure that made it final, and its words. */
    enum status failed;
    struct error failed_words;
    bool serving; /* open is through: errors mean other things before */
};

/* STATUS_OK, or the failure that made the link final. */
NODISCARD
enum status sql_link_usable(const struct sql_link *link, struct error *err);

/* One use of a statement: bind in order, then run or walk the rows. The first
 * failure of a bind is kept for the end. */
struct sql_use {
    struct sql_link *link;
    enum sql which;
    int bound;
    int rc;          /* the driver's */
    int64_t changed; /* rows, once it has run */
    void *rows;      /* the driver's */
};

struct sql_driver {
    /* Other processes write at the same time: what was read holds for as long
     * as it is locked, and there are the statements of a shared store. */
    bool is_shared;
    /* Bind the parameter `use->bound`, counted from 1. Bytes are borrowed until
     * the statement has run. */
    void (*bind_number)(struct sql_use *use, int64_t number);
    void (*bind_bytes)(struct sql_use *use, struct slice bytes, bool is_text);
    void (*bind_null)(struct sql_use *use);
    /* A list as one parameter; of a shared store only. */
    void (*bind_numbers)(struct sql_use *use, const int64_t *numbers,
                         size_t count);
    void (*bind_list)(struct sql_use *use, const struct slice *bytes,
                      size_t count);
    /* Runs a statement that gives no rows that anybody looks at. */
    enum status (*run)(struct sql_use *use, struct error *err);
    /* Steps to the next row; after the last one, or a failure, the statement is
     * free again. Whoever stops earlier calls `stop`. */
    enum status (*row)(struct sql_use *use, bool *ret_row, struct error *err);
    void (*stop)(struct sql_use *use);
    /* Columns of the row, counted from 0; bytes are borrowed until the next
     * step. NULL is 0, and no bytes. */
    int64_t (*number)(const struct sql_use *use, int column);
    struct slice (*bytes)(const struct sql_use *use, int column);
    bool (*is_null)(const struct sql_use *use, int column);
    /* A transaction. After a failed commit nothing of it is left, unless it is
     * STATUS_UNKNOWN. */
    enum status (*begin)(struct sql_link *link, bool writes, struct error *err);
    enum status (*commit)(struct sql_link *link, struct error *err);
    void (*rollback)(struct sql_link *link);
    /* Whether one is open. */
    bool (*is_open)(const struct sql_link *link);
};

static inline struct sql_use
sql_use_of(struct sql_link *link, enum sql which)
{
    return (struct sql_use){ .link = link, .which = which };
}

static inline void
sql_i64(struct sql_use *use, int64_t number)
{
    use->bound++;
    use->link->driver->bind_number(use, number);
}

/* Numbers of events stay below 2^63: ms << 20 lasts 270,000 years. */
static inline void
sql_event(struct sql_use *use, uint64_t event)
{
    sql_i64(use, (int64_t)event);
}

static inline void
sql_null(struct sql_use *use)
{
    use->bound++;
    use->link->driver->bind_null(use);
}

/* The bytes are borrowed until the statement has run; none is not NULL. */
static inline void
sql_blob(struct sql_use *use, const void *bytes, size_t len)
{
    use->bound++;
    use->link->driver->bind_bytes(
        use, (struct slice){ len == 0 ? "" : bytes, len }, false);
}

static inline void
sql_text(struct sql_use *use, struct slice text)
{
    use->bound++;
    use->link->driver->bind_bytes(
        use, text.len == 0 ? (struct slice){ "", 0 } : text, true);
}

/* Lists are borrowed until the statement has run. */
static inline void
sql_numbers(struct sql_use *use, const int64_t *numbers, size_t count)
{
    use->bound++;
    use->link->driver->bind_numbers(use, numbers, count);
}

static inline void
sql_list(struct sql_use *use, const struct slice *bytes, size_t count)
{
    use->bound++;
    use->link->driver->bind_list(use, bytes, count);
}

NODISCARD
static inline enum status
sql_run(struct sql_use *use, struct error *err)
{
    return use->link->driver->run(use, err);
}

NODISCARD
static inline enum status
sql_row(struct sql_use *use, bool *ret_row, struct error *err)
{
    return use->link->driver->row(use, ret_row, err);
}

static inline void
sql_stop(struct sql_use *use)
{
    use->link->driver->stop(use);
}

static inline int64_t
sql_number(const struct sql_use *use, int column)
{
    return use->link->driver->number(use, column);
}

/* The bytes of a column, borrowed until the next step. */
static inline struct slice
sql_bytes(const struct sql_use *use, int column)
{
    return use->link->driver->bytes(use, column);
}

static inline bool
sql_is_null(const struct sql_use *use, int column)
{
    return use->link->driver->is_null(use, column);
}

/* Runs an insert that returns the number it gave. */
NODISCARD
enum status sql_run_numbered(struct sql_use *use, int64_t *ret_number,
                             struct error *err);

#endif
