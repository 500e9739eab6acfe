/* SPDX-License-Identifier: MIT */
/*
 * store_sqlite_private: what the files of the SQLite store share.
 *
 * store_sqlite        open, recovery, close, the small operations
 * store_sqlite_sql    statements, transactions, checkpoints, what errors mean
 * store_sqlite_apply  units
 * store_sqlite_attempt  the log of attempts
 * store_sqlite_again  dead letters, what comes again, and errands
 * store_sqlite_fill   what events still lack, and who brings it
 * store_sqlite_claim  claims
 * store_sqlite_tally  how much each handler is owed
 * store_sqlite_account  what one channel brought and the other showed
 * store_sqlite_pause  what is paused
 * store_sqlite_prune  what is over its time
 * store_sqlite_backup  copies taken beside the writer, and put in its place
 * store_sqlite_refusal  requests that were not accepted, kept and looked at
 * store_sqlite_view   looking beside the writer: its connection, gaps, totals
 * store_sqlite_view_dead  dead letters, and errands
 * store_sqlite_view_events  events, one of them, and whether their ids meet
 */
#ifndef STORE_STORE_SQLITE_PRIVATE_H
#define STORE_STORE_SQLITE_PRIVATE_H

#include "store/store.h"
#include "store/store_view.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bit 4 of ledger.channels; the four below are enum channel. */
#define LEDGER_BY_WALK 0x10U

/* The number of an event is the time of its acceptance, shifted by this, and
 * where that would not grow, one more than the last. */
#define EVENT_MS_SHIFT 20

/* Frames in the log that ask for a checkpoint: 4 MiB. More saves little and
 * lets the longest pause grow. */
#define CHECKPOINT_PAGES 1000

/* Log entries of one delivery, where nothing else is said. */
#define ATTEMPTS_EACH 100

/* `due` of a delivery that waits for an earlier one of its lane: no claim ever
 * walks over it. The end of the earlier one sets it due. */
#define DUE_PARKED INT64_MAX

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
    SQL_LANE_OF,
    SQL_LANE_BUSY,
    SQL_LANE_NEXT,
    SQL_LANE_OF_DEAD,
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
    SQL_COUNT
};

/* How much one handler is owed: counted once at open, then kept, because
 * counting a long queue at each scrape would hold up the writer. */
struct tally {
    uint32_t handler;
    bool has_lanes; /* some delivery of it ever had one */
    bool dead_hold; /* its dead letters hold their lanes */
    int64_t pending;
    int64_t dead;
    /* By the open transaction. */
    int64_t pending_change;
    int64_t dead_change;
};

/* A row of `account`: read at open, then kept, so that no sighting asks. */
struct account {
    uint32_t connector;
    bool counts;
    uint64_t since;
    uint64_t mark; /* >= since */
    int64_t recovered;
    int64_t late;
    int64_t confirmed;
    int64_t met;
    /* By the open transaction. */
    int64_t late_change;
    int64_t confirmed_change;
    int64_t met_change;
};

struct store_sqlite {
    struct store store;
    sqlite3 *db;
    char *path;
    struct fs_lock *lock;
    sqlite3_stmt *statements[SQL_COUNT];
    /* The failure that made this store final, and its words. */
    enum status failed;
    struct error failed_words;
    bool serving; /* open is through: errors mean other things before */
    int64_t epoch;
    int64_t floor_ms;
    uint64_t last_event;
    int wal_pages; /* in the log after the last commit */
    int wal_base;  /* of those, there at the last checkpoint */
    bool in_checkpoint;
    struct tally *tallies;
    size_t tally_count;
    struct account *accounts;
    size_t account_count;
    uint64_t prune_from; /* where the last slice over events ended */
    int64_t attempts_each;
};

static inline struct store_sqlite *
store_sqlite_of(struct store *store)
{
    return (struct store_sqlite *)(void *)store;
}

/* store_sqlite_sql: a statement being bound and run. */

NODISCARD
enum status store_sqlite_sql_prepare(struct store_sqlite *store,
                                     struct error *err);
void store_sqlite_sql_finalize(struct store_sqlite *store);

/* Says what a result code means, and makes the store final where it must. */
enum status store_sqlite_sql_fail(struct store_sqlite *store, int rc,
                                  struct error *err);

/* STATUS_OK, or the failure that made the store final. */
NODISCARD
enum status store_sqlite_sql_usable(const struct store_sqlite *store,
                                    struct error *err);

/* Runs statements that are used once. */
NODISCARD
enum status store_sqlite_sql_exec(struct store_sqlite *store, const char *sql,
                                  struct error *err);

/* Starts a write transaction, after a checkpoint when one is due. */
NODISCARD
enum status store_sqlite_sql_begin(struct store_sqlite *store,
                                   struct error *err);
/* After a failure nothing of the transaction is left. */
NODISCARD
enum status store_sqlite_sql_commit(struct store_sqlite *store,
                                    struct error *err);
void store_sqlite_sql_rollback(struct store_sqlite *store);
/* Commits when `status` is OK, else rolls back and returns it. */
NODISCARD
enum status store_sqlite_sql_end(struct store_sqlite *store, enum status status,
                                 struct error *err);

/* SQLITE_CHECKPOINT_PASSIVE or _TRUNCATE, its result looked at. */
NODISCARD
enum status store_sqlite_sql_checkpoint(struct store_sqlite *store, int mode,
                                        struct error *err);

/* One use of a prepared statement: bind in order, then run or walk the rows.
 * The first failure of a bind is kept for the end. */
struct sql_use {
    struct store_sqlite *store;
    sqlite3_stmt *stmt;
    int bound;
    int rc;
};

static inline struct sql_use
sql_use(struct store_sqlite *store, enum sql which)
{
    return (struct sql_use){ store, store->statements[which], 0, SQLITE_OK };
}

static inline void
sql_keep(struct sql_use *use, int rc)
{
    if (rc != SQLITE_OK && use->rc == SQLITE_OK) {
        use->rc = rc;
    }
}

static inline void
sql_i64(struct sql_use *use, int64_t number)
{
    sql_keep(use, sqlite3_bind_int64(use->stmt, ++use->bound, number));
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
    sql_keep(use, sqlite3_bind_null(use->stmt, ++use->bound));
}

/* The bytes are borrowed until the statement has run; none is not NULL. */
static inline void
sql_blob(struct sql_use *use, const void *bytes, size_t len)
{
    sql_keep(use,
             sqlite3_bind_blob64(use->stmt, ++use->bound, len == 0 ? "" : bytes,
                                 len, SQLITE_STATIC));
}

static inline void
sql_text(struct sql_use *use, struct slice text)
{
    sql_keep(use, sqlite3_bind_text64(use->stmt, ++use->bound,
                                      text.len == 0 ? "" : text.ptr, text.len,
                                      SQLITE_STATIC, SQLITE_UTF8));
}

/* Runs a statement that gives no rows. */
NODISCARD
enum status store_sqlite_sql_run(struct sql_use *use, struct error *err);

/* Steps to the next row; after the last one, or a failure, the statement is
 * reset. Whoever stops earlier calls sql_stop. */
NODISCARD
enum status store_sqlite_sql_row(struct sql_use *use, bool *ret_row,
                                 struct error *err);

static inline void
sql_stop(struct sql_use *use)
{
    (void)sqlite3_reset(use->stmt);
}

/* The bytes of a column, borrowed until the next step. */
static inline struct slice
sql_bytes(const struct sql_use *use, int column)
{
    const void *bytes = sqlite3_column_blob(use->stmt, column);
    int len = sqlite3_column_bytes(use->stmt, column);
    return (struct slice){ bytes, len > 0 ? (size_t)len : 0 };
}

/* store_sqlite: rows of meta that hold a number. */
NODISCARD
enum status store_sqlite_meta_get(struct store_sqlite *store, const char *name,
                                  int64_t *ret_value, struct error *err);
NODISCARD
enum status store_sqlite_meta_put(struct store_sqlite *store, const char *name,
                                  int64_t value, struct error *err);

/* store_sqlite_tally */
NODISCARD
enum status store_sqlite_tally_load(struct store_sqlite *store,
                                    struct error *err);
/* Returns the tally of a handler, making one at its first use; valid until the
 * next call. STATUS_NOMEM. */
NODISCARD
enum status store_sqlite_tally_of(struct store_sqlite *store, uint32_t handler,
                                  struct tally **ret, struct error *err);
/* The same, without making one: NULL. */
struct tally *store_sqlite_tally_find(struct store_sqlite *store,
                                      uint32_t handler);
/* Forgets a handler that has gone, of which nothing is left. */
void store_sqlite_tally_forget(struct store_sqlite *store, uint32_t handler);
/* Takes over what the transaction changed, or forgets it. */
void store_sqlite_tally_settle(struct store_sqlite *store, bool committed);
enum status store_sqlite_tally_figures(struct store *base,
                                       struct store_figure *figures,
                                       size_t count, struct error *err);

/* store_sqlite_lane: deliveries of one value of order_by. */

struct lane {
    bool is_set;   /* false: in no order */
    bool was_held; /* by the dead letter that it is read of */
    int64_t number;
};

/* Reads the lane of a delivery. */
NODISCARD
enum status store_sqlite_lane_of(struct store_sqlite *store, uint32_t handler,
                                 uint64_t event, struct lane *ret,
                                 struct error *err);

/* When a delivery that is about to be added is due: now, or parked while
 * another of its lane is alive or a dead letter holds the lane. */
NODISCARD
enum status store_sqlite_lane_join(struct store_sqlite *store, uint32_t handler,
                                   const struct lane *lane, int64_t now_ms,
                                   int64_t *ret_due_ms, struct error *err);

/* The head of the lane has ended: makes the next one due. */
NODISCARD
enum status store_sqlite_lane_next(struct store_sqlite *store, uint32_t handler,
                                   const struct lane *lane, int64_t now_ms,
                                   struct error *err);

/* Removes a dead letter that comes back as a delivery: `lane` is for
 * store_sqlite_lane_join; the attempt was its last. */
NODISCARD
enum status store_sqlite_lane_take_dead(struct store_sqlite *store,
                                        uint32_t handler, uint64_t event,
                                        bool *ret_found, struct lane *ret,
                                        int64_t *ret_attempt,
                                        struct error *err);

/* Removes a dead letter for good; a lane that it held goes on. */
NODISCARD
enum status store_sqlite_lane_drop_dead(struct store_sqlite *store,
                                        uint32_t handler, uint64_t event,
                                        int64_t now_ms, struct error *err);

enum status store_sqlite_lanes(struct store *base, uint32_t handler,
                               bool dead_hold, struct error *err);

/* store_sqlite_account */
NODISCARD
enum status store_sqlite_account_load(struct store_sqlite *store,
                                      struct error *err);

/* A channel shows an event that another one brought, for the first time. */
struct second_sighting {
    const struct store_unit *unit;
    unsigned before; /* bits of ledger.channels, as they were */
    bool asked;      /* the provider was asked to show it */
    int64_t now_ms;
};
/* Keeps when that was, and says whether it is late or confirms. */
NODISCARD
enum status store_sqlite_account_see(struct store_sqlite *store,
                                     struct sighting *sighting,
                                     const struct second_sighting *second,
                                     struct error *err);

/* Writes what the transaction changed, before it is committed. */
NODISCARD
enum status store_sqlite_account_write(struct store_sqlite *store,
                                       struct error *err);
/* Takes over what the transaction changed, or forgets it. */
void store_sqlite_account_settle(struct store_sqlite *store, bool committed);
enum status store_sqlite_account(struct store *base, struct store_account *of,
                                 struct error *err);
enum status store_sqlite_account_unlisted(struct store *base,
                                          struct store_unlisted *of,
                                          struct error *err);

/* store_sqlite_fill */

/* Notes what a new event needs. */
NODISCARD
enum status store_sqlite_fill_add(struct store_sqlite *store, uint64_t event,
                                  enum event_needs needs, struct error *err);
/* Gives a webhook's bytes to the event that waits for them, if it does: then
 * `sighting->filled`. Says whether the provider may have been asked for them.
 */
NODISCARD
enum status store_sqlite_fill_by_hook(struct store_sqlite *store,
                                      struct sighting *sighting, int64_t now_ms,
                                      bool *ret_asked, struct error *err);
/* Keeps what an outcome that was applied has learned of its event. */
NODISCARD
enum status store_sqlite_fill_by_outcome(struct store_sqlite *store,
                                         const struct store_outcome *outcome,
                                         int64_t now_ms, struct error *err);
/* Whether what the outcome waits for has come meanwhile. */
NODISCARD
enum status store_sqlite_fill_has_come(struct store_sqlite *store,
                                       const struct store_outcome *outcome,
                                       bool *ret_come, struct error *err);

/* store_sqlite_attempt */

/* Logs an attempt that was made, and of its delivery keeps the last only. */
NODISCARD
enum status store_sqlite_attempt_log(struct store_sqlite *store,
                                     const struct store_outcome *outcome,
                                     struct error *err);

/* Returns the highest attempt that is logged of a delivery; 0: none is. */
NODISCARD
enum status store_sqlite_attempt_last(struct store_sqlite *store,
                                      uint64_t event, uint32_t handler,
                                      int64_t *ret_attempt, struct error *err);

/* store_sqlite_again */

/* Adds the dead letter that an outcome makes. */
NODISCARD
enum status store_sqlite_again_bury(struct store_sqlite *store,
                                    const struct store_outcome *outcome,
                                    const struct lane *lane, bool holds,
                                    int64_t now_ms, struct error *err);

enum status store_sqlite_again(struct store *base, struct store_again *again,
                               struct error *err);
enum status store_sqlite_again_errand(struct store *base,
                                      struct store_errand *errand,
                                      struct error *err);
/* store_sqlite_claim */
NODISCARD
enum status store_sqlite_recall(struct store_sqlite *store,
                                struct store_recall *recall, struct error *err);

/* store_sqlite_pause */
NODISCARD
enum status store_sqlite_pause_put(struct store_sqlite *store,
                                   const struct store_pause *pause,
                                   struct error *err);
enum status store_sqlite_paused(struct store *base, enum store_name_kind kind,
                                uint32_t number, int64_t *ret_since_ms,
                                struct buf *into_reason, struct error *err);

/* store_sqlite_receiver: receivers that registered themselves. */
enum status store_sqlite_receiver(struct store *base,
                                  struct store_receiver *receiver,
                                  struct error *err);
enum status store_sqlite_receiver_next(struct store *base,
                                       struct store_receiver_row *row,
                                       struct error *err);

/* The operations that have files of their own. */
enum status store_sqlite_apply(struct store *base,
                               struct store_unit *const *units, size_t count,
                               struct error *err);
enum status store_sqlite_apply_known(struct store *base,
                                     const struct sighting *sightings,
                                     size_t count, bool *ret_known,
                                     struct error *err);
enum status store_sqlite_claim(struct store *base, uint32_t handler,
                               int64_t now_ms, int64_t lease_until_ms,
                               size_t limit, struct store_claims *ret_claims,
                               struct error *err);
enum status store_sqlite_prune(struct store *base, struct store_prune *prune,
                               struct error *err);

/* store_sqlite_view: a connection of its own that only reads. */

enum view_sql {
    VIEW_SQL_BEGIN,
    VIEW_SQL_COMMIT,
    VIEW_SQL_GAPS,
    VIEW_SQL_ACCOUNTS,
    VIEW_SQL_OPEN_GAPS,
    VIEW_SQL_EVENTS,
    VIEW_SQL_EVENTS_UP,
    VIEW_SQL_LETTERS,
    VIEW_SQL_LETTERS_UP,
    VIEW_SQL_LETTERS_OF,
    VIEW_SQL_ERRANDS,
    VIEW_SQL_EVENT,
    VIEW_SQL_FATE,
    VIEW_SQL_FILL,
    VIEW_SQL_SIGHTINGS,
    VIEW_SQL_DELIVERIES,
    VIEW_SQL_DEAD,
    VIEW_SQL_ATTEMPTS,
    VIEW_SQL_KEYS,
    VIEW_SQL_REFUSALS,
    VIEW_SQL_REFUSALS_OF,
    VIEW_SQL_COUNT
};

struct sqlite_view {
    struct store_view view;
    struct store_sqlite link; /* only its connection and its path */
    sqlite3_stmt *statements[VIEW_SQL_COUNT];
};

static inline struct sqlite_view *
sqlite_view_of(struct store_view *view)
{
    return (struct sqlite_view *)(void *)view;
}

static inline struct sql_use
view_use(struct sqlite_view *view, enum view_sql which)
{
    return (struct sql_use){ &view->link, view->statements[which], 0,
                             SQLITE_OK };
}

/* Copies a text column, or a blob, into the arena. */
NODISCARD
enum status store_sqlite_view_text(const struct sql_use *use, int column,
                                   struct arena *arena, struct slice *ret);

/* Several statements that see one state of the store; `end` returns `status`,
 * or its own failure. */
NODISCARD
enum status store_sqlite_view_begin(struct sqlite_view *view,
                                    struct error *err);
NODISCARD
enum status store_sqlite_view_end(struct sqlite_view *view, enum status status,
                                  struct error *err);

/* store_sqlite_check */
NODISCARD
enum status store_sqlite_view_check(struct store_view *view,
                                    struct view_check *check,
                                    struct error *err);

/* store_sqlite_view_events */
enum status store_sqlite_view_events(struct store_view *base,
                                     struct view_events *events,
                                     struct arena *arena, struct error *err);
enum status store_sqlite_view_detail(struct store_view *base,
                                     struct view_detail *detail,
                                     struct arena *arena, struct error *err);
enum status store_sqlite_view_keys(struct store_view *base,
                                   struct view_keys *keys, struct arena *arena,
                                   struct error *err);

/* ---- store_sqlite_refusal ---- */

NODISCARD
enum status store_sqlite_refusal_put(struct store_sqlite *store,
                                     const struct store_refusals *refusals,
                                     struct error *err);
enum status store_sqlite_refusal_view(struct store_view *base,
                                      struct view_refusals *refusals,
                                      struct arena *arena, struct error *err);

/* store_sqlite_view_dead */
enum status store_sqlite_view_dead(struct store_view *base,
                                   struct view_dead *dead, struct arena *arena,
                                   struct error *err);
enum status store_sqlite_view_reasons(struct store_view *base,
                                      struct view_reasons *reasons,
                                      struct arena *arena, struct error *err);
enum status store_sqlite_view_errands(struct store_view *base,
                                      struct view_errands *errands,
                                      struct arena *arena, struct error *err);

/* ---- store_sqlite_seed ---- */

struct seed {
    uint64_t number; /* of the event; 0: none */
    bool by_walk;    /* a walk brought it */
};

/* Notes that an event has a key by the words of today: no other row is it. */
NODISCARD
enum status store_sqlite_seed_note(struct store_sqlite *store,
                                   uint32_t connector, uint64_t event,
                                   struct error *err);

NODISCARD
enum status store_sqlite_keyed(struct store *base, uint32_t connector,
                               uint64_t keys, bool *ret_edited,
                               struct error *err);

/* Finds the stored event that a sighting with unknown keys is, of those from
 * before the edit: a row by its stamp, one of its type first and one that no
 * row is yet; a webhook by stamp, type and bytes. */
NODISCARD
enum status store_sqlite_seed_find(struct store_sqlite *store,
                                   const struct store_unit *unit,
                                   const struct sighting *sighting,
                                   struct seed *ret_seed, struct error *err);

/* Leads the row's keys to it. */
NODISCARD
enum status store_sqlite_seed_keys(struct store_sqlite *store,
                                   const struct store_unit *unit,
                                   struct sighting *sighting,
                                   const struct seed *seed, int64_t now_ms,
                                   struct error *err);

#endif
