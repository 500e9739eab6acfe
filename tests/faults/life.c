/* SPDX-License-Identifier: MIT */
/* The script of a life, and what must be true of it. */
#include "faults/life.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "store/store_sqlite.h"
#include "store/store_sqlite_private.h"

#define FAR_MS INT64_C(4000000000000)

enum {
    BODY_BYTES = 9000,
    KEY_SECONDS = 1000, /* stamps of keys begin here */
    OLD = 0,            /* the fact that was imported, and is pruned */
    OWED_MOST = 100,
    ROUNDS_MOST = 50
};

enum deed {
    NAME_CONNECTOR,
    NAME_HANDLER,
    KEYED,
    LANES,
    ACCOUNT,
    IMPORT,
    HOOKS, /* so many webhooks that come together, a unit each */
    PAGE,
    CLAIM,
    DONE,
    LATER,
    DEAD,
    RETRY,
    GAP,
    CLOSE,
    REFUSE,
    PAUSE,
    RESUME,
    RECEIVER_ADD,
    RECEIVER_REMOVE,
    RECEIVER_FORGET,
    PRUNE,
    CHECKPOINT, /* comes before the next step */
    REOPEN
};

static const struct {
    enum deed deed;
    const char *name;
    int at;    /* the first fact, or the handler */
    int count; /* of facts or attempts */
} script[] = {
    { NAME_CONNECTOR, "a connector gets its number", 0, 0 },
    { NAME_HANDLER, "a handler gets its number", 0, 0 },
    { NAME_HANDLER, "another one", 1, 0 },
    { KEYED, "what makes the keys", 0, 0 },
    { LANES, "dead letters hold their lanes", 1, 0 },
    { ACCOUNT, "counting begins", 0, 0 },
    { IMPORT, "an old event is imported", OLD, 1 },
    { HOOKS, "a webhook", 1, 1 },
    { HOOKS, "three webhooks at once", 2, 3 },
    { CLAIM, "a claim", 0, 10 },
    { PAGE, "the first page", 5, 4 },
    { DONE, "two are done", 0, 2 },
    { CHECKPOINT, "a checkpoint", 0, 0 },
    { HOOKS, "a webhook behind the checkpoint", 9, 1 },
    { PAGE, "a page of what is known, and of more", 7, 6 },
    { LATER, "one is tried later", 0, 1 },
    { CLAIM, "a claim in lanes", 1, 3 },
    { DONE, "one in a lane is done", 1, 1 },
    { PAGE, "the last page, and the watermark", 12, 3 },
    { GAP, "a gap", 0, 0 },
    { DEAD, "one is dead", 0, 1 },
    { REFUSE, "a refusal", 0, 0 },
    { PAUSE, "a pause", 0, 0 },
    { REOPEN, "an orderly end, and a start", 0, 0 },
    { CLAIM, "a claim of what was leased", 0, 4 },
    { DONE, "three are done", 0, 3 },
    { RETRY, "a dead letter is tried again", 0, 0 },
    { RECEIVER_ADD, "a receiver", 0, 0 },
    { CHECKPOINT, "another checkpoint", 0, 0 },
    { HOOKS, "six webhooks at once", 15, 6 },
    { CLOSE, "the gap is closed", 0, 0 },
    { RESUME, "the pause is over", 0, 0 },
    { ACCOUNT, "what was recovered is counted", 0, 0 },
    { PRUNE, "what is old goes", 0, 0 },
    { RECEIVER_REMOVE, "the receiver is removed", 0, 0 },
    { RECEIVER_FORGET, "and forgotten", 0, 0 },
    { CLAIM, "a claim of many", 0, 20 },
    { DONE, "many are done", 0, 12 },
    { CHECKPOINT, "a last checkpoint", 0, 0 },
    { PAGE, "a page of another walk", 18, 6 },
    { HOOKS, "webhooks of what was listed", 22, 4 },
    { HOOKS, "the last webhook", 27, 1 },
    { REOPEN, "the last end", 0, 0 },
};

int
life_steps(void)
{
    return (int)(sizeof(script) / sizeof(script[0]));
}

const char *
life_step_name(int step)
{
    return script[step].name;
}

bool
life_step_is_deed(int step)
{
    return script[step].deed != CHECKPOINT && script[step].deed != REOPEN;
}

/* ---- facts ---- */

static unsigned char body[BODY_BYTES];

static struct ledger_key
key_of(int fact)
{
    struct ledger_key key = { { 0 } };
    const unsigned seconds =
        fact == OLD ? 1U : (unsigned)KEY_SECONDS + (unsigned)fact;
    key.bytes[2] = (unsigned char)(seconds >> 8);
    key.bytes[3] = (unsigned char)seconds;
    key.bytes[15] = (unsigned char)(fact + 1);
    return key;
}

/* Every third one fills pages of its own. */
static struct sighting
sighting_of(int fact, enum channel via)
{
    for (size_t i = 0; i < sizeof(body); i++) {
        body[i] = (unsigned char)(i * 7);
    }
    struct sighting sighting = {
        .via = via,
        .key_count = 1,
        .id = SLICE("evt"),
        .type = SLICE("order.created"),
        .time_ms = 1000 * (int64_t)(KEY_SECONDS + fact),
        .received_ms = 1000 * (int64_t)(KEY_SECONDS + fact),
        .body = { (char *)body + fact, fact % 3 == 0 ? BODY_BYTES - 100 : 90 }
    };
    sighting.keys[0].key = key_of(fact);
    return sighting;
}

/* To the first handler, every second one as it comes; to the second one in one
 * of two lanes. */
static void
owe(const struct life *life, int fact, struct owed owed[LIFE_HANDLERS])
{
    owed[0] =
        (struct owed){ .handler = life->handlers[0], .hot = fact % 2 == 0 };
    owed[1] = (struct owed){ .handler = life->handlers[1],
                             .has_lane = true,
                             .lane = fact % 2 };
}

static void
hold(struct life *life, int fact, int handler, unsigned attempt)
{
    if (life->held_count < LIFE_HELD) {
        life->held[life->held_count++] =
            (struct life_held){ fact, handler, attempt };
    }
}

static void
note_event(struct life *life, int fact, const struct sighting *sighting)
{
    life->numbers[fact] = sighting->number;
    if (!sighting->fresh || fact == OLD) {
        return;
    }
    for (int i = 0; i < LIFE_HANDLERS; i++) {
        life->owed[fact][i] = true;
    }
    if (sighting->owed[0].hot) {
        hold(life, fact, 0, 1);
    }
}

/* ---- deeds ---- */

static const struct store_ops *
ops_of(const struct life *life)
{
    return life->store->sql.store.ops;
}

static enum status
apply(struct life *life, struct store_unit *unit, struct error *err)
{
    struct store_unit *const units[] = { unit };
    return ops_of(life)->apply(&life->store->sql.store, units, 1, err);
}

static enum status
bring(struct life *life, int first, int count, enum channel via,
      struct error *err)
{
    struct sighting sightings[LIFE_FACTS];
    struct owed owed[LIFE_FACTS][LIFE_HANDLERS];
    struct store_unit units[LIFE_FACTS];
    struct store_unit *group[LIFE_FACTS];
    char text[32];
    const bool is_page = via == CHANNEL_POLL;
    (void)snprintf(text, sizeof(text), "{\"page\":%d}", life->pages + 1);
    const struct store_walk walk = { .connector = life->connector,
                                     .state = slice_of(text),
                                     .hw_ms = life->pages + 1 };
    for (int i = 0; i < count; i++) {
        sightings[i] = sighting_of(first + i, via);
        owe(life, first + i, owed[i]);
        if (first + i == OLD) {
            sightings[i].imported_ms = 1000;
        } else {
            sightings[i].owed = owed[i];
            sightings[i].owed_count = LIFE_HANDLERS;
        }
        units[i] = (struct store_unit){ .connector = life->connector,
                                        .sightings = &sightings[i],
                                        .sighting_count = 1,
                                        .lease_until_ms = FAR_MS };
        group[i] = &units[i];
    }
    if (is_page) {
        units[0].sighting_count = (size_t)count;
        units[0].walks = &walk;
        units[0].walk_count = 1;
    }
    enum status status = ops_of(life)->apply(&life->store->sql.store, group,
                                             is_page ? 1 : (size_t)count, err);
    for (int i = 0; status == STATUS_OK && i < count; i++) {
        note_event(life, first + i, &sightings[i]);
    }
    life->pages += status == STATUS_OK && is_page ? 1 : 0;
    return status;
}

static int
fact_of(const struct life *life, uint64_t number)
{
    for (int i = 0; i < LIFE_FACTS; i++) {
        if (life->numbers[i] == number) {
            return i;
        }
    }
    return -1;
}

/* Claims, and says how many; their facts are added to `held`. */
static enum status
claim(struct life *life, int handler, size_t limit, bool again,
      size_t *ret_count, struct error *err)
{
    struct store_claims claims = { .again = again };
    enum status status =
        ops_of(life)->claim(&life->store->sql.store, life->handlers[handler],
                            FAR_MS / 2, FAR_MS, limit, &claims, err);
    *ret_count = 0;
    if (status != STATUS_OK) {
        return status;
    }
    for (size_t i = 0; i < claims.count; i++) {
        hold(life, fact_of(life, claims.at[i].event->number), handler,
             claims.at[i].attempt);
        event_unref(claims.at[i].event);
    }
    *ret_count = claims.count;
    mem_free(claims.at);
    return STATUS_OK;
}

/* Ends so many attempts of a handler, the first that are held. */
static enum status
end_attempts(struct life *life, int handler, int count, enum outcome_kind kind,
             struct error *err)
{
    struct store_outcome outcomes[LIFE_HELD];
    struct life after = *life;
    int ended = 0;
    after.held_count = 0;
    for (size_t i = 0; i < life->held_count; i++) {
        const struct life_held *held = &life->held[i];
        if (held->handler != handler || ended >= count) {
            after.held[after.held_count++] = *held;
            continue;
        }
        outcomes[ended++] = (struct store_outcome){
            .event = life->numbers[held->fact],
            .handler = life->handlers[handler],
            .attempt = held->attempt,
            .kind = kind,
            .due_ms = 5000,
            .reason = "exit 65",
            .detail = SLICE("exit 65"),
            .output = SLICE("no such customer\n"),
        };
        after.owed[held->fact][handler] = kind == OUTCOME_LATER;
        after.dead[held->fact][handler] = kind == OUTCOME_DEAD;
    }
    struct store_unit unit = { .outcomes = outcomes,
                               .outcome_count = (size_t)ended };
    enum status status = apply(life, &unit, err);
    if (status == STATUS_OK) {
        *life = after;
    }
    return status;
}

static enum status
retry(struct life *life, struct error *err)
{
    struct store_again_one ones[LIFE_FACTS];
    struct life after = *life;
    size_t count = 0;
    for (int i = 0; i < LIFE_FACTS; i++) {
        if (life->dead[i][0]) {
            ones[count++] =
                (struct store_again_one){ .event = life->numbers[i],
                                          .handler = life->handlers[0] };
            after.dead[i][0] = false;
            after.owed[i][0] = true;
        }
    }
    struct store_again again = {
        .kind = AGAIN_RETRY, .at = ones, .count = count, .state = SLICE("{}")
    };
    enum status status =
        ops_of(life)->again(&life->store->sql.store, &again, err);
    if (status == STATUS_OK) {
        *life = after;
    }
    return status;
}

static const struct walk_gap the_gap = { .kind = GAP_RETENTION,
                                         .from_ms = 10,
                                         .to_ms = 20 };

/* What goes in a unit of its own, without sightings or outcomes. */
static enum status
note(struct life *life, enum deed deed, struct error *err)
{
    const struct store_gap gap = { life->connector, the_gap };
    struct store_gap_close close = { .connector = life->connector,
                                     .from_ms = 0,
                                     .to_ms = 30,
                                     .by = GAP_BY_OPERATOR };
    const struct store_refusal refusal = { .connector = life->connector,
                                           .cause = REFUSAL_BAD_SIGNATURE,
                                           .status = 401,
                                           .at_ms = 5,
                                           .why = SLICE("wrong secret"),
                                           .head = SLICE("POST / HTTP/1.1") };
    const struct store_pause pause = { .kind = STORE_HANDLER,
                                       .number = life->handlers[0],
                                       .is_paused = deed == PAUSE,
                                       .since_ms = 7,
                                       .reason = SLICE("a deploy") };
    struct store_unit unit = { .connector = life->connector };
    unit.gaps = &gap;
    unit.gap_count = deed == GAP;
    unit.closes = &close;
    unit.close_count = deed == CLOSE;
    unit.refusals = (struct store_refusals){ &refusal, deed == REFUSE, 10 };
    unit.pauses = &pause;
    unit.pause_count = deed == PAUSE || deed == RESUME;
    return apply(life, &unit, err);
}

static enum status
receive(struct life *life, enum store_receiver_act act, struct error *err)
{
    struct store_receiver receiver = { .act = act,
                                       .number = life->receiver,
                                       .name = SLICE("sub-1"),
                                       .state = SLICE("{\"url\":\"x\"}"),
                                       .limit = 10 };
    enum status status =
        ops_of(life)->receiver(&life->store->sql.store, &receiver, err);
    if (status == STATUS_OK && act == STORE_RECEIVER_ADD) {
        life->receiver = receiver.number;
    }
    return status;
}

static enum status
account(struct life *life, struct error *err)
{
    struct store_account what = { .connector = life->connector,
                                  .counts = true,
                                  .now_ms = FAR_MS,
                                  .limit = OWED_MOST };
    return ops_of(life)->account(&life->store->sql.store, &what, err);
}

static enum status
prune(struct life *life, struct error *err)
{
    struct store_prune what = { .ledger_floor_ms = 500 * 1000,
                                .events_before_ms = 2000,
                                .limit = OWED_MOST };
    return ops_of(life)->prune(&life->store->sql.store, &what, err);
}

static enum status
reopen(struct life *life, const char *path, struct error *err)
{
    life_close(life);
    life->held_count = 0;
    return life_open(life, path, err);
}

enum status
life_step(struct life *life, const char *path, int step, struct error *err)
{
    const int at = script[step].at;
    const int count = script[step].count;
    struct store *store = &life->store->sql.store;
    const struct store_ops *ops = ops_of(life);
    bool edited;
    size_t claimed;
    switch (script[step].deed) {
    case NAME_CONNECTOR:
        return ops->name(store, STORE_CONNECTOR, slice_of("shop"),
                         &life->connector, err);
    case NAME_HANDLER:
        return ops->name(store, STORE_HANDLER, slice_of(at == 0 ? "a" : "b"),
                         &life->handlers[at], err);
    case KEYED: return ops->keyed(store, life->connector, 42, &edited, err);
    case LANES: return ops->lanes(store, life->handlers[at], true, err);
    case ACCOUNT: return account(life, err);
    case IMPORT:
    case HOOKS: return bring(life, at, count, CHANNEL_WEBHOOK, err);
    case PAGE: return bring(life, at, count, CHANNEL_POLL, err);
    case CLAIM: return claim(life, at, (size_t)count, false, &claimed, err);
    case DONE: return end_attempts(life, at, count, OUTCOME_DONE, err);
    case LATER: return end_attempts(life, at, count, OUTCOME_LATER, err);
    case DEAD: return end_attempts(life, at, count, OUTCOME_DEAD, err);
    case RETRY: return retry(life, err);
    case RECEIVER_ADD: return receive(life, STORE_RECEIVER_ADD, err);
    case RECEIVER_REMOVE: return receive(life, STORE_RECEIVER_REMOVE, err);
    case RECEIVER_FORGET: return receive(life, STORE_RECEIVER_FORGET, err);
    case PRUNE: return prune(life, err);
    case CHECKPOINT:
        life->store->link.wal_base = -CHECKPOINT_PAGES;
        return STATUS_OK;
    case REOPEN: return reopen(life, path, err);
    case GAP:
    case CLOSE:
    case REFUSE:
    case PAUSE:
    case RESUME: break;
    }
    return note(life, script[step].deed, err);
}

enum status
life_open(struct life *life, const char *path, struct error *err)
{
    struct store *store = NULL;
    enum status status = store_sqlite_open(path, NULL, &store, err);
    life->store = store == NULL ? NULL : store_sqlite_of(store);
    return status;
}

void
life_close(struct life *life)
{
    if (life->store != NULL) {
        ops_of(life)->close(&life->store->sql.store);
        life->store = NULL;
    }
}

/* ---- what is there ---- */

#define FNV_START UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME UINT64_C(0x100000001b3)

static uint64_t
digest(uint64_t hash, const void *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        hash = (hash ^ ((const unsigned char *)bytes)[i]) * FNV_PRIME;
    }
    return hash;
}

/* Adds all that a query gives; 0 when it fails. */
static uint64_t
digest_rows(sqlite3 *db, const char *sql, uint64_t hash)
{
    sqlite3_stmt *rows;
    if (sqlite3_prepare_v2(db, sql, -1, &rows, NULL) != SQLITE_OK) {
        return 0;
    }
    int rc;
    while ((rc = sqlite3_step(rows)) == SQLITE_ROW) {
        for (int i = 0; i < sqlite3_column_count(rows); i++) {
            const int type = sqlite3_column_type(rows, i);
            const void *bytes = sqlite3_column_blob(rows, i);
            const int len = sqlite3_column_bytes(rows, i);
            hash = digest(hash, &type, sizeof(type));
            hash = digest(hash, &len, sizeof(len));
            hash = digest(hash, bytes, bytes == NULL ? 0 : (size_t)len);
        }
    }
    (void)sqlite3_finalize(rows);
    return rc == SQLITE_DONE ? hash : 0;
}

uint64_t
life_state(struct life *life)
{
    sqlite3 *db = life->store->link.db;
    uint64_t hash = digest_rows(db,
                                "SELECT handler,event,attempt,lane,"
                                "CASE owner WHEN 0 THEN due ELSE 0 END "
                                "FROM delivery ORDER BY 1,2",
                                FNV_START);
    hash = digest_rows(
        db, "SELECT * FROM meta WHERE name NOT IN ('epoch','probed')", hash);
    sqlite3_stmt *tables;
    if (sqlite3_prepare_v2(db,
                           "SELECT name FROM sqlite_schema WHERE type='table'"
                           " AND name NOT IN ('meta','delivery') ORDER BY 1",
                           -1, &tables, NULL) != SQLITE_OK) {
        return 0;
    }
    while (sqlite3_step(tables) == SQLITE_ROW) {
        char sql[128];
        (void)snprintf(sql, sizeof(sql), "SELECT * FROM \"%s\"",
                       (const char *)sqlite3_column_text(tables, 0));
        hash = digest_rows(db, sql, digest(hash, sql, strlen(sql)));
    }
    (void)sqlite3_finalize(tables);
    return hash;
}

static int64_t
number(struct life *life, const char *sql)
{
    sqlite3_stmt *stmt;
    int64_t value = -1;
    if (sqlite3_prepare_v2(life->store->link.db, sql, -1, &stmt, NULL) ==
            SQLITE_OK &&
        sqlite3_step(stmt) == SQLITE_ROW) {
        value = sqlite3_column_int64(stmt, 0);
    }
    (void)sqlite3_finalize(stmt);
    return value;
}

/* ---- how it goes on ---- */

static const char *
send_again(struct life *life)
{
    static char words[128];
    struct error err = { 0 };
    for (int i = 1; i < LIFE_FACTS; i++) {
        const uint64_t before = life->numbers[i];
        struct sighting sighting = sighting_of(i, CHANNEL_WEBHOOK);
        bool known;
        if (ops_of(life)->known(&life->store->sql.store, &sighting, 1, &known,
                                &err) != STATUS_OK ||
            (before != 0 && !known) ||
            bring(life, i, 1, CHANNEL_WEBHOOK, &err) != STATUS_OK) {
            (void)snprintf(words, sizeof(words), "event %d is lost: %.90s", i,
                           err.text);
            return words;
        }
        if (before != 0 && life->numbers[i] != before) {
            return "an event is there twice";
        }
    }
    life->held_count = 0; /* born leased; claimed below, at the next start */
    return number(life, "SELECT count(*) FROM ledger WHERE "
                        "length(k)=16 AND substr(k,1,4)>x'00000200'") ==
                   LIFE_FACTS - 1
               ? NULL
               : "the ledger does not hold each event once";
}

/* Hands over all that a handler is owed, and ticks it off. */
static const char *
hand_over(struct life *life, int handler, bool certain)
{
    struct error err = { 0 };
    for (int round = 0; round < ROUNDS_MOST; round++) {
        size_t fresh;
        size_t again;
        if (claim(life, handler, OWED_MOST, false, &fresh, &err) != STATUS_OK ||
            claim(life, handler, OWED_MOST, true, &again, &err) != STATUS_OK) {
            return "a claim fails";
        }
        if (fresh + again == 0) {
            return NULL;
        }
        for (size_t i = 0; i < life->held_count; i++) {
            const int fact = life->held[i].fact;
            if (fact < 0 || (certain && !life->owed[fact][handler])) {
                return "what is done, or dead, is handed over again";
            }
        }
        if (end_attempts(life, handler, LIFE_HELD, OUTCOME_DONE, &err) !=
            STATUS_OK) {
            return "an outcome fails";
        }
    }
    return "deliveries come without end";
}

const char *
life_goes_on(struct life *life, bool certain)
{
    const char *path = life->store->link.path;
    char copy[256];
    struct error err = { 0 };
    (void)snprintf(copy, sizeof(copy), "%s", path);
    for (int i = 0; i < 3; i++) { /* where the names were not given yet */
        if (life_step(life, copy, i, &err) != STATUS_OK) {
            return "a name gets no number";
        }
    }
    const char *wrong = send_again(life);
    if (wrong == NULL && reopen(life, copy, &err) != STATUS_OK) {
        wrong = "it does not start again";
    }
    for (int i = 0; wrong == NULL && i < LIFE_HANDLERS; i++) {
        wrong = hand_over(life, i, certain);
    }
    for (int i = 1; certain && wrong == NULL && i < LIFE_FACTS; i++) {
        if (life->owed[i][0] || life->owed[i][1]) {
            wrong = "what is owed is never handed over";
        }
    }
    return wrong;
}
