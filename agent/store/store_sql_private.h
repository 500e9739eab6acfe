/* SPDX-License-Identifier: MIT */
/*
 * store_sql_private: what the files of a store in SQL share, whatever database
 * its link leads to.
 *
 * store_sql           the small operations; transactions
 * sql_link            statements, bound, run and read; their texts
 * store_sql_apply     units
 * store_sql_ledger    keys looked up, entered and marked
 * store_sql_ahead     what the ledger says of a group's keys, asked at once
 * store_sql_ends      the deliveries that a group's outcomes end, at once
 * store_sql_attempt   the log of attempts
 * store_sql_again     dead letters, what comes again, and errands
 * store_sql_fill      what events still lack, and who brings it
 * store_sql_seed      keys made anew, led to the events that they are
 * store_sql_claim     claims
 * store_sql_lane      deliveries of one value of order_by
 * store_sql_tally     how much each handler is owed
 * store_sql_account   what one channel brought and the other showed
 * store_sql_pause     what is paused
 * store_sql_receiver  receivers that registered themselves
 * store_sql_prune     what is over its time
 * store_sql_refusal   requests that were not accepted, kept and looked at
 * store_sql_view      looking beside the writer: gaps, totals
 * store_sql_view_dead    dead letters, and errands
 * store_sql_view_events  events, one of them, and whether their ids meet
 */
#ifndef STORE_STORE_SQL_PRIVATE_H
#define STORE_STORE_SQL_PRIVATE_H

#include "model/event_number.h"
#include "model/identity.h"
#include "store/sql_link.h"
#include "store/store.h"
#include "store/store_view.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bit 4 of ledger.channels; the four below are enum channel. */
#define LEDGER_BY_WALK 0x10U

/* Log entries of one delivery, where nothing else is said. */
#define ATTEMPTS_EACH 100

/* `due` of a delivery that waits for an earlier one of its lane: no claim ever
 * walks over it. The end of the earlier one sets it due. */
#define DUE_PARKED INT64_MAX

/* What the ledger says of a key, as far as is known. */
struct key_ahead {
    struct ledger_key key;
    bool found;
    uint64_t event;
    unsigned channels; /* as they are stored */
};

/* A store; the first member of every driver's own. */
struct store_sql {
    struct store store;
    struct sql_link *link;
    int64_t epoch;
    unsigned agent; /* among those that share the store; 0: it is alone */
    bool has_lanes; /* of a shared store: some delivery seen here had one */
    int64_t floor_ms;
    uint64_t last_event;
    struct tally *tallies;
    size_t tally_count;
    struct account *accounts;
    size_t account_count;
    uint64_t prune_from; /* where the last slice over events ended */
    int64_t attempts_each;
    struct key_ahead *ahead;    /* by key; NULL: never asked */
    size_t ahead_count;         /* 0: each is asked for by itself */
    struct store_sql_end *ends; /* of the group; by handler, event, attempt */
    size_t end_count;
};

static inline struct store_sql *
store_sql_of(struct store *store)
{
    return (struct store_sql *)(void *)store;
}

/*
 * Whether other agents write at the same time. What is different then:
 * - a key that another agent entered first, and a bit that it set first, undo
 *   the group: it is done again, and finds what is there now;
 * - numbers of events hold that of the agent;
 * - lanes are locked before they are looked at, in one order;
 * - what this agent adds to tallies and accounts is written as a difference,
 *   and read as a sum; the mark of an account is read and moved behind a lock;
 * - a claim is one statement;
 * - what is over its time goes by days.
 */
static inline bool
store_sql_is_shared(const struct store_sql *store)
{
    return store->link->driver->is_shared;
}

static inline struct sql_use
sql_use(struct store_sql *store, enum sql which)
{
    return sql_use_of(store->link, which);
}

/* ---- store_sql ---- */

/* The operations of a store; `close` is the driver's. */
extern const struct store_ops store_sql_ops;

/* Reads into memory what is kept there, behind the driver's own opening. */
NODISCARD
enum status store_sql_load(struct store_sql *store, struct error *err);

/* Frees what the store keeps in memory, but not itself. */
void store_sql_fini(struct store_sql *store);

/* STATUS_OK, or the failure that made the store final. */
NODISCARD
enum status store_sql_usable(const struct store_sql *store, struct error *err);

/* Starts a write transaction. */
NODISCARD
enum status store_sql_begin(struct store_sql *store, struct error *err);
/* After a failure nothing of the transaction is left. */
NODISCARD
enum status store_sql_commit(struct store_sql *store, struct error *err);
void store_sql_rollback(struct store_sql *store);
/* Commits when `status` is OK, else rolls back and returns it. */
NODISCARD
enum status store_sql_end(struct store_sql *store, enum status status,
                          struct error *err);

/* Below what nothing is due, as far as the last claim of a shared store knows:
 * what it walks over otherwise are rows that are gone and, while somebody holds
 * an old snapshot, not away. Only for a while: who commits late may be below.
 */
struct claim_hint {
    int64_t due_ms;
    int64_t event;
    int64_t until_ms; /* monotonic; 0: there is none */
};

/* How much one handler is owed: counted once at open, then kept, because
 * counting a long queue at each scrape would hold up the writer. */
struct tally {
    uint32_t handler;
    bool dead_hold; /* its dead letters hold their lanes */
    int64_t pending;
    int64_t dead;
    /* By the open transaction. */
    int64_t pending_change;
    int64_t dead_change;
    struct claim_hint hints[2]; /* what does not come again, and what does */
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
    bool is_read; /* of a shared store: by the open transaction */
};

/* store_sql: rows of meta that hold a number. */
NODISCARD
enum status store_sql_meta_get(struct store_sql *store, const char *name,
                               int64_t *ret_value, struct error *err);
NODISCARD
enum status store_sql_meta_put(struct store_sql *store, const char *name,
                               int64_t value, struct error *err);

/* store_sql_tally */
NODISCARD
enum status store_sql_tally_load(struct store_sql *store, struct error *err);
/* Returns the tally of a handler, making one at its first use; valid until the
 * next call. STATUS_NOMEM. */
NODISCARD
enum status store_sql_tally_of(struct store_sql *store, uint32_t handler,
                               struct tally **ret, struct error *err);
/* The same, without making one: NULL. */
struct tally *store_sql_tally_find(struct store_sql *store, uint32_t handler);
/* Forgets a handler that has gone, of which nothing is left. */
void store_sql_tally_forget(struct store_sql *store, uint32_t handler);
/* Writes what the transaction changed, where others count too. */
NODISCARD
enum status store_sql_tally_write(struct store_sql *store, struct error *err);
/* Takes over what the transaction changed, or forgets it. */
void store_sql_tally_settle(struct store_sql *store, bool committed);
enum status store_sql_tally_figures(struct store *base,
                                    struct store_figure *figures, size_t count,
                                    struct error *err);

/* store_sql_lane: deliveries of one value of order_by. */

struct lane {
    bool is_set;   /* false: in no order */
    bool was_held; /* by the dead letter that it is read of */
    int64_t number;
};

/* Reads a column that holds a lane, or NULL. */
struct lane store_sql_lane_read(const struct sql_use *use, int column);

/* Keeps other agents out of a lane until the transaction ends, behind whatever
 * they have done to it. */
NODISCARD
enum status store_sql_lane_lock(struct store_sql *store, uint32_t handler,
                                const struct lane *lane, struct error *err);

/* The same for all lanes that units join or end a delivery of, in one order, so
 * that agents do not wait for each other in a circle. */
NODISCARD
enum status store_sql_lane_lock_all(struct store_sql *store,
                                    struct store_unit *const *units,
                                    size_t count, struct error *err);

/* When a delivery that is about to be added is due: now, or parked while
 * another of its lane is alive or a dead letter holds the lane. */
NODISCARD
enum status store_sql_lane_join(struct store_sql *store, uint32_t handler,
                                const struct lane *lane, int64_t now_ms,
                                int64_t *ret_due_ms, struct error *err);

/* The head of the lane has ended: makes the next one due. */
NODISCARD
enum status store_sql_lane_next(struct store_sql *store, uint32_t handler,
                                const struct lane *lane, int64_t now_ms,
                                struct error *err);

/* Removes a dead letter that comes back as a delivery: `lane` is for
 * store_sql_lane_join; the attempt was its last. */
NODISCARD
enum status store_sql_lane_take_dead(struct store_sql *store, uint32_t handler,
                                     uint64_t event, bool *ret_found,
                                     struct lane *ret, int64_t *ret_attempt,
                                     struct error *err);

/* Removes a dead letter for good; a lane that it held goes on. */
NODISCARD
enum status store_sql_lane_drop_dead(struct store_sql *store, uint32_t handler,
                                     uint64_t event, int64_t now_ms,
                                     struct error *err);

enum status store_sql_lanes(struct store *base, uint32_t handler,
                            bool dead_hold, struct error *err);

/* store_sql_account */
NODISCARD
enum status store_sql_account_load(struct store_sql *store, struct error *err);

/* A channel shows an event that another one brought, for the first time. */
struct second_sighting {
    const struct store_unit *unit;
    unsigned before; /* bits of ledger.channels, as they were */
    bool asked;      /* the provider was asked to show it */
    int64_t now_ms;
};
/* Keeps when that was, and says whether it is late or confirms. */
NODISCARD
enum status store_sql_account_see(struct store_sql *store,
                                  struct sighting *sighting,
                                  const struct second_sighting *second,
                                  struct error *err);

/* Writes what the transaction changed, before it is committed. */
NODISCARD
enum status store_sql_account_write(struct store_sql *store, struct error *err);
/* Takes over what the transaction changed, or forgets it. */
void store_sql_account_settle(struct store_sql *store, bool committed);
enum status store_sql_account(struct store *base, struct store_account *of,
                              struct error *err);
enum status store_sql_account_unlisted(struct store *base,
                                       struct store_unlisted *of,
                                       struct error *err);

/* store_sql_ahead: what the ledger says of a group's keys, asked at once. Only
 * of a shared store; what is not known here is asked for by itself. */
NODISCARD
enum status store_sql_ahead_ask(struct store_sql *store,
                                struct store_unit *const *units, size_t count,
                                struct error *err);
/* A key was added, or marked, or is asked for: NULL where it is not known
 * whether it is there. */
void store_sql_ahead_put(struct store_sql *store, const void *key,
                         uint64_t event, unsigned channels);
void store_sql_ahead_mark(struct store_sql *store, const void *key,
                          unsigned channel);
const struct key_ahead *store_sql_ahead_get(const struct store_sql *store,
                                            const void *key);
/* Nothing is known any more. */
void store_sql_ahead_forget(struct store_sql *store);

/* store_sql_ledger */

/* Looks a key up where it may lie: in its own bucket, then back, then ahead.
 * Tells where it was found. */
NODISCARD
enum status store_sql_ledger_look(struct store_sql *store,
                                  const struct sighting_key *key,
                                  struct ledger_key *ret_at,
                                  struct key_seen *seen, struct error *err);

/* Enters a key, or sets the bit of a channel that shows it for the first time.
 * STATUS_BUSY when another agent was first: the group is to be done again. */
NODISCARD
enum status store_sql_ledger_add(struct store_sql *store,
                                 const struct ledger_key *key, uint64_t number,
                                 enum channel via, struct error *err);
NODISCARD
enum status store_sql_ledger_mark(struct store_sql *store,
                                  const struct ledger_key *key,
                                  enum channel via, struct error *err);

/* store_sql_ends: deliveries that the outcomes of a group end, of a shared
 * store. */
struct store_sql_end {
    uint32_t handler;
    uint64_t event;
    unsigned attempt;
    bool is_ours; /* it has ended by this; who takes that clears it */
    struct lane lane;
};

/* Ends those of the units that have not failed, behind the locks of lanes. */
NODISCARD
enum status store_sql_ends_ask(struct store_sql *store,
                               struct store_unit *const *units, size_t count,
                               struct error *err);
/* NULL: it was not asked, and is to be ended by itself. */
struct store_sql_end *store_sql_ends_get(struct store_sql *store,
                                         const struct store_outcome *outcome);
void store_sql_ends_forget(struct store_sql *store);

/* store_sql_fill */

/* Notes what a new event needs. */
NODISCARD
enum status store_sql_fill_add(struct store_sql *store, uint64_t event,
                               enum event_needs needs, struct error *err);
/* Gives a webhook's bytes to the event that waits for them, if it does: then
 * `sighting->filled`. Says whether the provider may have been asked for them.
 */
NODISCARD
enum status store_sql_fill_by_hook(struct store_sql *store,
                                   struct sighting *sighting, int64_t now_ms,
                                   bool *ret_asked, struct error *err);
/* Keeps what an outcome that was applied has learned of its event. */
NODISCARD
enum status store_sql_fill_by_outcome(struct store_sql *store,
                                      const struct store_outcome *outcome,
                                      int64_t now_ms, struct error *err);
/* Whether what the outcome waits for has come meanwhile. */
NODISCARD
enum status store_sql_fill_has_come(struct store_sql *store,
                                    const struct store_outcome *outcome,
                                    bool *ret_come, struct error *err);

/* store_sql_attempt */

/* Logs an attempt that was made, and of its delivery keeps the last only. */
NODISCARD
enum status store_sql_attempt_log(struct store_sql *store,
                                  const struct store_outcome *outcome,
                                  struct error *err);

/* Returns the highest attempt that is logged of a delivery; 0: none is. */
NODISCARD
enum status store_sql_attempt_last(struct store_sql *store, uint64_t event,
                                   uint32_t handler, int64_t *ret_attempt,
                                   struct error *err);

/* store_sql_again */

/* Adds the dead letter that an outcome makes. */
NODISCARD
enum status store_sql_again_bury(struct store_sql *store,
                                 const struct store_outcome *outcome,
                                 const struct lane *lane, bool holds,
                                 int64_t now_ms, struct error *err);

enum status store_sql_again(struct store *base, struct store_again *again,
                            struct error *err);
enum status store_sql_again_errand(struct store *base,
                                   struct store_errand *errand,
                                   struct error *err);
/* store_sql_claim */
NODISCARD
enum status store_sql_recall(struct store_sql *store,
                             struct store_recall *recall, struct error *err);

/* store_sql_pause */
NODISCARD
enum status store_sql_pause_put(struct store_sql *store,
                                const struct store_pause *pause,
                                struct error *err);
enum status store_sql_paused(struct store *base, enum store_name_kind kind,
                             uint32_t number, int64_t *ret_since_ms,
                             struct buf *into_reason, struct error *err);

/* store_sql_receiver: receivers that registered themselves. */
enum status store_sql_receiver(struct store *base,
                               struct store_receiver *receiver,
                               struct error *err);
enum status store_sql_receiver_next(struct store *base,
                                    struct store_receiver_row *row,
                                    struct error *err);

/* The operations that have files of their own. */
enum status store_sql_apply(struct store *base, struct store_unit *const *units,
                            size_t count, struct error *err);
enum status store_sql_apply_known(struct store *base,
                                  const struct sighting *sightings,
                                  size_t count, bool *ret_known,
                                  struct error *err);
enum status store_sql_claim(struct store *base, uint32_t handler,
                            int64_t now_ms, int64_t lease_until_ms,
                            size_t limit, struct store_claims *ret_claims,
                            struct error *err);
enum status store_sql_prune(struct store *base, struct store_prune *prune,
                            struct error *err);

/* ---- store_sql_view ---- */

struct sql_view {
    struct store_view view;
    struct sql_link *link;
};

static inline struct sql_view *
sql_view_of(struct store_view *view)
{
    return (struct sql_view *)(void *)view;
}

static inline struct sql_use
view_use(struct sql_view *view, enum sql which)
{
    return sql_use_of(view->link, which);
}

/* The operations of a view; `check` and `close` are the driver's. */
extern const struct store_view_ops store_sql_view_ops;

/* Copies a text column, or a blob, into the arena. */
NODISCARD
enum status store_sql_view_text(const struct sql_use *use, int column,
                                struct arena *arena, struct slice *ret);

/* Several statements that see one state of the store; `end` returns `status`,
 * or its own failure. */
NODISCARD
enum status store_sql_view_begin(struct sql_view *view, struct error *err);
NODISCARD
enum status store_sql_view_end(struct sql_view *view, enum status status,
                               struct error *err);

/* store_sql_view_events */
enum status store_sql_view_events(struct store_view *base,
                                  struct view_events *events,
                                  struct arena *arena, struct error *err);
enum status store_sql_view_detail(struct store_view *base,
                                  struct view_detail *detail,
                                  struct arena *arena, struct error *err);
enum status store_sql_view_keys(struct store_view *base, struct view_keys *keys,
                                struct arena *arena, struct error *err);

/* ---- store_sql_refusal ---- */

NODISCARD
enum status store_sql_refusal_put(struct store_sql *store,
                                  const struct store_refusals *refusals,
                                  struct error *err);
enum status store_sql_refusal_view(struct store_view *base,
                                   struct view_refusals *refusals,
                                   struct arena *arena, struct error *err);

/* store_sql_view_dead */
enum status store_sql_view_dead(struct store_view *base, struct view_dead *dead,
                                struct arena *arena, struct error *err);
enum status store_sql_view_reasons(struct store_view *base,
                                   struct view_reasons *reasons,
                                   struct arena *arena, struct error *err);
enum status store_sql_view_errands(struct store_view *base,
                                   struct view_errands *errands,
                                   struct arena *arena, struct error *err);

/* ---- store_sql_apply ---- */

/* STATUS_FENCED where a lease is not held by this fence any
 * more; 0 asks about none. Else it is not taken over before the transaction has
 * ended. */
NODISCARD
enum status store_sql_fence(struct store_sql *store, uint32_t connector,
                            uint64_t fence, struct error *err);

/* ---- store_sql_seed ---- */

struct seed {
    uint64_t number; /* of the event; 0: none */
    bool by_walk;    /* a walk brought it */
};

/* Notes that an event has a key by the words of today: no other row is it. */
NODISCARD
enum status store_sql_seed_note(struct store_sql *store, uint32_t connector,
                                uint64_t event, struct error *err);

NODISCARD
enum status store_sql_keyed(struct store *base, uint32_t connector,
                            uint64_t keys, bool *ret_edited, struct error *err);

/* Finds the stored event that a sighting with unknown keys is, of those from
 * before the edit: a row by its stamp, one of its type first and one that no
 * row is yet; a webhook by stamp, type and bytes. */
NODISCARD
enum status store_sql_seed_find(struct store_sql *store,
                                const struct store_unit *unit,
                                const struct sighting *sighting,
                                struct seed *ret_seed, struct error *err);

/* Leads the row's keys to it. */
NODISCARD
enum status store_sql_seed_keys(struct store_sql *store,
                                const struct store_unit *unit,
                                struct sighting *sighting,
                                const struct seed *seed, int64_t now_ms,
                                struct error *err);

#endif
