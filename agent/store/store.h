/* SPDX-License-Identifier: MIT */
/*
 * store: what survives a crash: the contract every store keeps.
 *
 * A store is used by one thread at a time and may block; store_worker is what
 * stands between it and the loop. Every operation is one transaction: after
 * STATUS_OK its effect survives a crash, after anything else it had none —
 * but STATUS_UNKNOWN, after which it may or may not have one and the same call
 * may safely be made again.
 *
 * STATUS_FULL (no room) leaves the store usable: try again later. STATUS_IO and
 * STATUS_CORRUPT are final: nothing may be acknowledged any more, every later
 * call returns the same; whether the call that met the failure had its effect
 * is for the next start to see. All times are Unix ms by our clock unless said.
 *
 * tests/conformance/ holds every implementation to these words.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/bytes.h"
#include "base/mem.h"
#include "base/status.h"
#include "model/errand.h"
#include "model/event.h"
#include "model/refusal.h"
#include "model/sighting.h"
#include "model/walk.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;

/* What is given to names of the configuration: small numbers that stay. */
enum store_name_kind { STORE_CONNECTOR = 1, STORE_HANDLER = 2 };

struct store_settings {
    int64_t lease_slack_ms; /* added to a handler's timeout for its lease */
    int64_t page_size;      /* of a new SQLite file: 4096 */
    int64_t attempts_each;  /* log entries of one delivery: the last; 0: 100 */
    const char *version;    /* of this program, for who shares the store */
    bool
        is_copy; /* it is opened to be copied, or copied into: see store_copy */
};

/* Whether store_open knows what `url` names, without looking at it:
 * STATUS_CONFIG says why not. */
NODISCARD
enum status store_known(const char *url, struct error *err);

/*
 * Opens the store at `url` ("sqlite:PATH"; a file that is not there is made),
 * takes its instance lock, migrates it, and frees the leases of a process that
 * died. Blocks. STATUS_FENCED when another process holds it; STATUS_CORRUPT
 * with the way out in words when the file is damaged: it is never overwritten.
 */
NODISCARD
enum status store_open(const char *url, const struct store_settings *settings,
                       struct store **ret, struct error *err);

/* One outcome of one attempt. */
enum outcome_kind {
    OUTCOME_DONE,   /* the delivery is over */
    OUTCOME_LATER,  /* due again at due_ms */
    OUTCOME_DEAD,   /* moves to the dead letters */
    OUTCOME_RELEASE /* given back untried: due at due_ms, or at once when that
                       has passed; attempt not counted */
};

struct store_outcome {
    uint64_t event;
    uint32_t handler;
    unsigned attempt; /* fencing: an outcome of another attempt changes nothing
                       */
    enum outcome_kind kind;
    int64_t due_ms; /* LATER, RELEASE; set to now by the store where the attempt
                       waits for a webhook that has come meanwhile */
    const char *reason; /* DEAD: static or living as long as the unit */
    /* The attempt's log entry; written for all but RELEASE. */
    int64_t started_ms;
    int64_t duration_ms;
    struct slice detail; /* "exit 1", "http 503", "timed out after 30s" */
    struct slice output; /* last 4 KiB */
    /* What was learned of the event before its handler began. */
    bool has_body; /* fetched: becomes the event's if it still needs one */
    struct slice body;
    struct slice content_type;
    bool waits;       /* for the event's webhook */
    int64_t asked_ms; /* when the provider was asked for it; 0: it was not */
    /* Set by the store: false when the attempt was overtaken; then nothing of
     * the above was kept. */
    bool applied;
};

/* Where one tier of one connector stands. */
struct store_walk {
    uint32_t connector;
    unsigned tier;
    struct slice state; /* walk_encode's text */
    int64_t hw_ms;      /* for people and floors; never goes back */
    uint64_t fence;     /* of the lease it is written by; 0: by none, and none
                           is asked about */
};

struct store_gap {
    uint32_t connector;
    struct walk_gap gap;
};

enum gap_closer {                      /* stored: values never change */
                  GAP_BY_OPERATOR = 1, /* looked at, and accepted as lost */
                  GAP_BY_BACKFILL = 2  /* read after all */
};

/* Ends open gaps: one by its number, or all that lie wholly within a span. */
struct store_gap_close {
    uint32_t connector;     /* 0: of any, only with an id */
    uint64_t id;            /* 0: those within from_ms..to_ms, both included */
    int64_t from_ms, to_ms; /* provider's clock */
    enum gap_closer by;
    size_t closed; /* set by the store: how many were open and are not now */
};

/* A request that was not accepted, as it is kept; or, `only_more`, that the
 * last one of its connector and cause had so many more like it behind it. */
struct store_refusal {
    uint32_t connector;
    enum refusal_cause cause;
    int64_t more; /* only_more: adds to what stands there */
    bool only_more;
    unsigned status;
    int64_t at_ms;
    int64_t bytes;
    struct slice why;
    struct slice peer;
    struct slice head;
};

/* Applied in order; then the newest `keep` of each connector that is named stay
 * and its others go. */
struct store_refusals {
    const struct store_refusal *at;
    size_t count;
    size_t keep;
};

/* Whether a connector or a handler is paused. */
struct store_pause {
    enum store_name_kind kind;
    uint32_t number;
    bool is_paused;
    int64_t since_ms; /* and why: kept of the first pause until it is resumed */
    struct slice reason;
};

/* Of receivers that registered themselves: handlers that live in the store. */
enum store_receiver_act {
    STORE_RECEIVER_ADD,    /* a new one gets a number, by its name */
    STORE_RECEIVER_PUT,    /* its state changes */
    STORE_RECEIVER_REMOVE, /* it is to go; its number stays taken */
    STORE_RECEIVER_FORGET  /* so does what is owed to it, a slice at a call,
                              and at last its name; its number is given to
                              nobody else */
};

struct store_receiver {
    enum store_receiver_act act;
    uint32_t number;    /* set by ADD */
    struct slice name;  /* ADD: of the handler that it is */
    struct slice state; /* ADD, PUT: receiver_encode's text */
    size_t limit;       /* FORGET: rows in this call at most */
    bool more;          /* set by the store: there were more; once there are
                           not, nothing is left of it */
};

/* One receiver as it is stored. */
struct store_receiver_row {
    uint32_t after; /* the first one above this number is asked for */
    /* The answer. */
    uint32_t number;  /* 0: there is none */
    bool is_removed;  /* it is to be forgotten */
    struct buf state; /* the receiver's to free */
};

/* What waits for a handler beyond `latest_ms`, which no wait can reach, is due
 * at `now_ms`: the clock was set back. */
struct store_recall {
    uint32_t handler;
    int64_t now_ms;
    int64_t latest_ms;
    size_t count; /* set by the store: how many */
};

/*
 * What belongs together: all of it becomes durable, or none. Everything is
 * borrowed until the call (or the worker's callback) returns.
 */
struct store_unit {
    uint32_t connector; /* of the sightings */
    struct sighting *sightings;
    size_t sighting_count;
    int64_t grace_ms;       /* of the connector, for what is confirmed */
    int64_t lease_until_ms; /* of deliveries that are born leased */
    struct store_outcome *outcomes;
    size_t outcome_count;
    const struct store_walk *walks;
    size_t walk_count;
    const struct store_gap *gaps;
    size_t gap_count;
    struct store_gap_close *closes; /* applied behind the gaps */
    size_t close_count;
    struct store_refusals refusals;
    const struct store_pause *pauses;
    size_t pause_count;
    struct store_recall *recalls;
    size_t recall_count;
    /* Set by the store. */
    enum status status;
    struct error err;
};

/* A delivery handed out for an attempt. */
struct store_claim {
    struct event *event; /* the receiver's reference */
    unsigned attempt;    /* of this attempt, from 1 */
    bool has_lane;
    int64_t lane;
    enum again again;
    unsigned base;    /* attempts of its life before, which count for nothing */
    int64_t since_ms; /* when it came again; 0: it did not */
};

struct store_claims {
    bool again;        /* asks for what comes again; else for what does not */
    int64_t leases_ms; /* what the clock says that leases are written by, where
                          that is another one than `now_ms` is of; 0: it is not
                        */
    /* The answer. */
    struct store_claim *at; /* mem_alloc'ed, the receiver frees it */
    size_t count;
    int64_t next_due_ms; /* when fewer than asked were due: the earliest due of
                            the others, a lease's end included; 0: none */
};

/* One delivery that is to come again, or one dead letter that is to go. */
struct store_again_one {
    uint64_t event;
    uint32_t handler;
    bool has_lane; /* REPLAY; a dead letter knows its own */
    int64_t lane;
};

/* What an operator wants to come again, a slice of it. */
struct store_again {
    enum again kind;
    const struct store_again_one *at;
    size_t count;
    bool first; /* of what comes again, before what is there */
    /* The errand that the slice is of. None: 0, without a state. It begins: 0,
     * with a state; its number is set. */
    uint64_t errand;
    uint64_t fence; /* of the lease of connector 0, as store_walk's; 0: none */
    struct slice state; /* errand_encode's text behind this slice; empty: as it
                           is */
    bool is_over;
    /* Set by the store. */
    size_t done;
    size_t skipped;   /* not there, or owed already; added to what stands here
                         of others that were passed over */
    int64_t open;     /* deliveries of the errand that are not over */
    int64_t all_done; /* of the errand, with these */
    int64_t all_skipped;
};

/* An errand that goes on. */
struct store_errand {
    uint64_t after; /* the first one above this number is asked for */
    /* The answer. */
    uint64_t number; /* 0: there is none */
    int64_t done, skipped;
    struct buf state; /* the receiver's to free */
};

struct store_figure {
    uint32_t handler;
    int64_t pending;     /* deliveries alive */
    int64_t oldest_ms;   /* when the oldest of them was recorded; 0: none */
    int64_t next_due_ms; /* earliest due of those that wait; 0: none */
    int64_t dead;
};

/* Which events of walks no webhook has shown when their grace had passed. */
struct store_account {
    uint32_t connector;
    bool counts; /* false: it has no webhook route, so nothing counts */
    int64_t grace_ms;
    int64_t now_ms;
    size_t limit; /* events looked at in this call at most */
    /* Set by the store. */
    bool more;       /* the limit was reached */
    int64_t counted; /* recovered, by this call */
    /* Since the store was made. */
    int64_t recovered;
    int64_t late;
    int64_t confirmed;
    int64_t met; /* shown by a webhook and by a walk, however far apart */
};

/* A slice of what webhooks brought: stamped from `from_ms`, before `until_ms`,
 * by the provider's clock. */
struct store_unlisted {
    uint32_t connector;
    int64_t from_ms; /* >= 0 */
    uint64_t after;  /* of those stamped from_ms only events above it; 0: all */
    int64_t until_ms;
    size_t limit; /* events looked at in this call at most */
    /* Set by the store: of those looked at, never listed by a walk. */
    size_t count;
    bool more; /* the limit was reached: from_ms and after say where to go on */
};

struct store_prune {
    int64_t ledger_floor_ms;  /* keys whose T is before it go; one below an
                                 earlier floor only spares them */
    int64_t events_before_ms; /* events recorded before it, without a delivery
                                 or dead letter, go */
    int64_t attempts_before_ms;
    int64_t dead_before_ms; /* 0: kept for ever */
    size_t limit;           /* rows of each kind at most, one short slice */
    size_t removed;         /* set by the store */
};

/* What only one of the agents that share a store does: a connector's walks, its
 * stream, what is asked of its provider; of connector 0, errands. */
struct store_lease {
    uint32_t connector;
    /* The last answer, as it was given, and the next one. */
    bool is_held;   /* by this agent, until a later answer */
    uint64_t fence; /* while it is: for what is written by it */
    /* Told to the store: there is something for its holder, who is another one;
     * then, by the store: another one has told that, since the last answer. */
    bool is_poked;
};

/* An agent that lives, for people. */
struct store_agent {
    uint64_t epoch; /* the number of its start; greater than all before */
    bool is_self;
    char host[64]; /* cut where it is longer */
    char version[32];
    int64_t started_ms; /* by the store's clock, as `now_ms` */
    int64_t beat_ms;    /* its last sign of life */
    bool shares;        /* it takes leases: it is no command, and not ending */
};

/* One sign of life, and what comes of it. */
struct store_beat {
    int64_t every_ms;           /* from one to the next */
    int64_t ttl_ms;             /* who has given none for so long is dead */
    bool is_last;               /* all leases are given back */
    struct store_lease *leases; /* ascending, one of each connector */
    size_t count;
    int64_t lowest_ms; /* the lowest stamp that walks by leases that are held
                          can still read: see source_poll_lowest */
    /* Set by the store. */
    size_t taken, given;
    size_t buried; /* agents that were dead */
    int64_t freed; /* deliveries of theirs */
    bool is_anew;  /* this agent was taken for dead, and has begun anew: what
                      it held is held by other fences, or by others */
    int64_t everybodys_lowest_ms; /* of all agents; INT64_MIN while some lease
                                     is on its way from one to another */
    int64_t floor_ms;             /* the ledger's, whoever moved it */
    int64_t now_ms;               /* the store's clock */
    struct store_agent *agents;   /* ascending; mem_alloc'ed, the receiver
                                     frees it */
    size_t agent_count;
};

struct store_ops {
    /* Returns the number of a name, giving it one at its first use. */
    enum status (*name)(struct store *store, enum store_name_kind kind,
                        struct slice name, uint32_t *ret_number,
                        struct error *err);

    /*
     * Says, at each start, whether dead letters of a handler hold their lanes
     * from here on. Where they do not, the lanes that are held go on.
     */
    enum status (*lanes)(struct store *store, uint32_t handler, bool dead_hold,
                         struct error *err);

    /*
     * Notes what makes a connector's keys from here on (walk_change_keys), once
     * at each start. When that was something else, all that is stored so far
     * has keys by other words: `*ret_edited`, for as long as any of it is.
     */
    enum status (*keyed)(struct store *store, uint32_t connector, uint64_t keys,
                         bool *ret_edited, struct error *err);

    /*
     * Applies units in order, in one transaction. A unit that fails by itself
     * (too large, fenced) is rolled back alone and says so in its status; only
     * a failure of the commit fails them all, and is also returned.
     *
     * A key by receipt is looked for as far back as its probes say, and on to
     * the ledger's floor: what retention has kept is found.
     *
     * What a stream brought is a webhook, in all that follows.
     *
     * For each sighting: identity_judge over what the ledger says decides
     * whether it is new. New: it gets a number greater than all before, its
     * event row, one delivery per `owed` and its keys in the ledger. Known: its
     * channel is marked, once, and when that was is kept with the event. One
     * that is imported was recorded when it says.
     * A sighting to be seeded that is not known, when an event of its connector
     * and stamp is stored since before the keys were edited: its keys enter the
     * ledger for that event, one of its type first; no event is made. No event
     * is taken that another row was led to since, or is by its own keys. A
     * webhook is led so to one that a webhook brought with its type and bytes.
     * `late`: the first webhook of an event of a live walk that `account` has
     * passed as recovered. `confirmed`: the first webhook of an event of a walk
     * that it has not passed yet, and the first row of an event that a webhook
     * brought no longer than the unit's grace ago. `filled`: the first webhook
     * of an event that needs it (NEEDS_HOOK): its bytes, content type and
     * headers become the event's, what it needs itself is what the event
     * needs, and what is owed of it is due. One that the
     * provider was asked for, as is believed once an attempt was made, confirms
     * nothing and is not late. A unit whose sightings are all known still
     * applies its walks. A gap that is there already is not written twice; one
     * that was closed is open again. Sightings of one group
     * see each other, in order. A unit with nothing in it asks whether the
     * store can be written at all: it writes and commits one small row.
     */
    enum status (*apply)(struct store *store, struct store_unit *const *units,
                         size_t count, struct error *err);

    /*
     * Gives out at most `limit` deliveries of `handler` due at `now_ms`, oldest
     * due first, leased until `lease_until_ms`; attempt goes up by one. What is
     * leased is due when its lease is over by the clock of leases: a wall clock
     * that is set ahead ends none. Events
     * say what they need, until an outcome or a webhook brought it. What
     * comes again, and what does not, are asked for apart.
     *
     * Of the deliveries of a handler with the same lane one at a time is given
     * out: until it has ended, also while it waits for its next attempt, no
     * other is. Then comes the earliest event of those left. One that became a
     * dead letter while dead letters hold their lanes (`lanes`) keeps its lane
     * closed until it has gone. What waits for its lane costs a claim nothing.
     */
    enum status (*claim)(struct store *store, uint32_t handler, int64_t now_ms,
                         int64_t lease_until_ms, size_t limit,
                         struct store_claims *ret_claims, struct error *err);

    /*
     * RETRY: each dead letter becomes a delivery that is due, with the attempts
     * of its life before as its base, in its lane. REPLAY: each event that is
     * stored is owed to the handler once more; a dead letter of it goes. DROP:
     * each dead letter goes. What is not there, or is owed already, is skipped.
     * The ledger does not change. All of it, and the state of the errand, is
     * one transaction. A slice of an errand that is over, or was never begun,
     * is STATUS_NOT_FOUND and changes nothing.
     */
    enum status (*again)(struct store *store, struct store_again *again,
                         struct error *err);

    /* Reads the next errand that goes on. */
    enum status (*errand)(struct store *store, struct store_errand *errand,
                          struct error *err);

    /* Whether the ledger has any of a sighting's keys (for follow). */
    enum status (*known)(struct store *store, const struct sighting *sightings,
                         size_t count, bool *ret_known, struct error *err);

    /* Returns the state text of a tier, in `into`; STATUS_NOT_FOUND at first.
     */
    enum status (*walk)(struct store *store, uint32_t connector, unsigned tier,
                        struct buf *into, struct error *err);

    /* Returns since when a name is paused, and why, in `into_reason`;
     * STATUS_NOT_FOUND while it is not. */
    enum status (*paused)(struct store *store, enum store_name_kind kind,
                          uint32_t number, int64_t *ret_since_ms,
                          struct buf *into_reason, struct error *err);

    /* Adds or changes a receiver, or lets it go. One that is not there, or was
     * removed, is STATUS_NOT_FOUND for PUT and REMOVE. */
    enum status (*receiver)(struct store *store,
                            struct store_receiver *receiver, struct error *err);

    /* Reads the next receiver. */
    enum status (*receiver_next)(struct store *store,
                                 struct store_receiver_row *row,
                                 struct error *err);

    /* Reads the figures of `count` handlers whose numbers are filled in. */
    enum status (*figures)(struct store *store, struct store_figure *figures,
                           size_t count, struct error *err);

    /*
     * Counts, in order of acceptance, the events of live walks whose grace has
     * ended and that no webhook has shown; a backfill's events are never
     * recovered. A mark moves over them in the same
     * transaction, so that none counts twice and none is left out, whenever the
     * process ends. Counting begins with what comes in after the first call
     * that `counts`; a call that does not ends it, and what comes in until the
     * next one that does is never counted. Totals stay for ever.
     */
    enum status (*account)(struct store *store, struct store_account *account,
                           struct error *err);

    /* Counts the events that a webhook brought and no walk has listed, in order
     * of their stamps; those without a stamp never count. */
    enum status (*unlisted)(struct store *store,
                            struct store_unlisted *unlisted, struct error *err);

    /* Removes what is over its time, a slice at a call. */
    enum status (*prune)(struct store *store, struct store_prune *prune,
                         struct error *err);

    /*
     * Of a store that several agents share; NULL where one process has it
     * alone. Tells that this agent lives, and buries those that have not told
     * it for `ttl_ms` by the store's clock, and no other: their deliveries are
     * due at once, their leases free.
     *
     * Takes what is free and should be this agent's, gives back what another
     * one has asked for that should have it, asks for what others hold of this
     * agent's: see share_decide. A connector that is named for the first time
     * is free. One that is not named any more is given back.
     *
     * A lease is held as long as its holder lives; no beat writes it anew. With
     * each change of holder its fence grows, also when it is given back. A unit
     * with a walk, or a slice of an errand, by a fence that is not its lease's
     * any more is STATUS_FENCED: nothing of it is stored. Who takes a lease
     * waits for units that are being applied by it.
     */
    enum status (*beat)(struct store *store, struct store_beat *beat,
                        struct error *err);

    /* The floor below which keys may be gone already; it never goes back. */
    int64_t (*ledger_floor_ms)(const struct store *store);

    /* Checkpoints, marks the end as clean, lets the lock go. NULL is allowed.
     */
    void (*close)(struct store *store);
};

/* The first member of every implementation. */
struct store {
    const struct store_ops *ops;
};

#endif
