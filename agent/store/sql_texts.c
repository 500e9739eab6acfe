/* SPDX-License-Identifier: MIT */
/* The statements of a store, in words that SQLite understands, and PostgreSQL
 * but for those in sql_texts_postgresql.c. */
#include "store/sql_link.h"

/* In the simulator a negative attempt stands for any. */
#ifdef LONGSTOP_SIM
#    define FENCE " AND (attempt=?3 OR ?3<0)"
#else
#    define FENCE " AND attempt=?3"
#endif

/* Each of the two by the index that has its rows and no others. */
#define CLAIM_DUE(which)                                                       \
    "SELECT d.attempt,d.lane,e.id,e.connector,e.via,e.time_ms,"                \
    "e.recorded_ms,e.ext_id,e.type,e.headers,e.content_type,e.body,"           \
    "f.needs,f.filled,f.asked_ms,d.again,d.base,d.since_ms"                    \
    " FROM delivery d JOIN event e ON e.id=d.event"                            \
    " LEFT JOIN fill f ON f.event=e.id WHERE " which                           \
    " AND d.handler=?1 AND d.due<=?2 AND (d.owner=0 OR d.due<=?4)"             \
    " ORDER BY d.due,d.event LIMIT ?3"

/* Names are those of `name`; a number whose name is gone stays a number. */
#define CONNECTOR_NAME(of)                                                     \
    "coalesce((SELECT name FROM name WHERE id=" of "),CAST(CAST(" of           \
    " AS TEXT) AS BLOB))"

#define REFUSALS                                                               \
    "SELECT id," CONNECTOR_NAME("connector") ",at_ms,cause,status,bytes,more," \
                                             "why,peer,head FROM refusal "     \
                                             "WHERE "
#define NEWEST " ORDER BY id DESC LIMIT ?3"

#define LETTERS                                                                \
    "SELECT d.id,d.event,d.handler,d.attempt,d.at_ms," CONNECTOR_NAME(         \
        "d.handler") "," CONNECTOR_NAME("e.connector") ",e.type,e.ext_id,"     \
                                                       "d.reason,d.detail "    \
                                                       "FROM dead d JOIN "     \
                                                       "event e ON "           \
                                                       "e.id=d.event"

static const char *const texts[SQL_COUNT] = {
    /* Never deferred: a read that turns into a write fails at once with
     * SQLITE_BUSY, whatever the timeout. */
    [SQL_BEGIN] = "BEGIN IMMEDIATE",
    [SQL_COMMIT] = "COMMIT",
    [SQL_ROLLBACK] = "ROLLBACK",
    [SQL_META_GET] = "SELECT value FROM meta WHERE name=?1",
    [SQL_META_PUT] = "INSERT INTO meta(name,value) VALUES(?1,?2)"
                     " ON CONFLICT(name) DO UPDATE SET value=excluded.value",
    [SQL_NAME_GET] = "SELECT id FROM name WHERE kind=?1 AND name=?2",
    [SQL_NAME_ADD] = "INSERT INTO name(kind,name) VALUES(?1,?2)"
                     " RETURNING id",
    [SQL_LEDGER_GET] = "SELECT event,channels FROM ledger WHERE k=?1",
    [SQL_LEDGER_ADD] = "INSERT INTO ledger(k,event,channels) VALUES(?1,?2,?3)"
                       " ON CONFLICT DO NOTHING",
    [SQL_LEDGER_MARK] = "UPDATE ledger SET channels=channels|?2 WHERE k=?1"
                        " AND channels&?2=0 RETURNING event",
    [SQL_EVENT_ADD] =
        "INSERT INTO event(id,connector,via,time_ms,recorded_ms,ext_id,type,"
        "headers,content_type,body) VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10)",
    [SQL_EVENT_VIA] = "SELECT via FROM event WHERE id=?1",
    /* Each half by the index that has its events. */
    [SQL_SEED_FIND] =
        "SELECT id,via FROM (SELECT id,via,type FROM event INDEXED BY"
        " event_hooked WHERE connector=?1 AND via IN (0,2) AND time_ms=?2"
        " UNION ALL SELECT id,via,type FROM event INDEXED BY event_listed"
        " WHERE connector=?1 AND via IN (1,3) AND time_ms=?2) AS e"
        " LEFT JOIN keyed AS k ON k.connector=?1"
        " WHERE (k.last IS NULL OR id<=k.last) AND NOT EXISTS"
        " (SELECT 1 FROM rekeyed WHERE event=id AND edit=ifnull(k.edit,0))"
        " ORDER BY type<>?3,id LIMIT 1",
    [SQL_SEED_HOOK] =
        "SELECT id,via FROM event INDEXED BY event_hooked WHERE connector=?1"
        " AND via IN (0,2) AND time_ms=?2 AND type=?3 AND body=?4 AND id<="
        "(SELECT last FROM keyed WHERE connector=?1 AND edit>0) ORDER BY id",
    [SQL_KEYED_GET] =
        "SELECT keys,edit>0 AND EXISTS(SELECT 1 FROM event WHERE id<=last)"
        " FROM keyed WHERE connector=?1",
    [SQL_KEYED_PUT] =
        "INSERT INTO keyed(connector,keys,last,edit) VALUES(?1,?2,?3,0)"
        " ON CONFLICT(connector) DO UPDATE SET keys=?2,last=?3,edit=edit+1",
    [SQL_REKEYED_PUT] =
        "INSERT INTO rekeyed(event,edit) VALUES(?2,coalesce((SELECT edit FROM"
        " keyed WHERE connector=?1),0)) ON CONFLICT(event) DO UPDATE SET"
        " edit=excluded.edit",
    /* Only while the event is there, with which its row goes. */
    [SQL_SIGHTING_ADD] = "INSERT INTO sighting(event,via,at_ms) SELECT ?1,?2,?3"
                         " WHERE EXISTS(SELECT 1 FROM event WHERE id=?1)"
                         " ON CONFLICT DO NOTHING",
    [SQL_FILL_ADD] = "INSERT INTO fill(event,needs,filled,asked_ms,filled_ms)"
                     " VALUES(?1,?2,0,0,0)",
    [SQL_FILL_GET] = "SELECT needs,asked_ms FROM fill WHERE event=?1",
    /* Once: whoever comes second finds nothing that is needed. */
    [SQL_FILL_TAKE] = "UPDATE fill SET needs=?5,filled=?3,filled_ms=?4"
                      " WHERE event=?1 AND needs=?2",
    /* Also where the webhook was faster than this: it is told to people. */
    [SQL_FILL_ASKED] = "UPDATE fill SET asked_ms=?2 WHERE event=?1",
    [SQL_FILL_BODY] = "UPDATE event SET content_type=?2,body=?3,"
                      "headers=coalesce(?4,headers) WHERE id=?1",
    /* Of each handler there is: rows begin with it. */
    [SQL_DELIVERY_TRIED] =
        "SELECT 1 FROM delivery WHERE handler IN (SELECT id FROM name"
        " WHERE kind=2) AND event=?1 AND attempt>0 LIMIT 1",
    [SQL_DELIVERY_WAKE] =
        "UPDATE delivery SET due=?2 WHERE handler IN (SELECT id FROM name"
        " WHERE kind=2) AND event=?1 AND owner=0 AND due>?2"
        " AND due<>9223372036854775807",
    [SQL_DELIVERY_ADD] =
        "INSERT INTO delivery(handler,event,due,attempt,owner,lane)"
        " VALUES(?1,?2,?3,?4,?5,?6)",
    /* An outcome counts for the attempt that is running, for no other. */
    [SQL_DELIVERY_DROP] = "DELETE FROM delivery WHERE handler=?1 AND event=?2"
                          " AND owner<>0" FENCE " RETURNING lane",
    [SQL_DELIVERY_LATER] = "UPDATE delivery SET due=?4,owner=0 WHERE handler=?1"
                           " AND event=?2 AND owner<>0" FENCE,
    [SQL_DELIVERY_RELEASE] =
        "UPDATE delivery SET due=?4,owner=0,attempt=attempt-1 WHERE handler=?1"
        " AND event=?2 AND owner<>0" FENCE,
    [SQL_LANE_BUSY] =
        "SELECT 1 WHERE EXISTS(SELECT 1 FROM delivery WHERE handler=?1"
        " AND lane=?2) OR EXISTS(SELECT 1 FROM dead WHERE handler=?1"
        " AND lane=?2 AND holds=1)",
    [SQL_LANE_NEXT] =
        "UPDATE delivery SET due=?3 WHERE handler=?1 AND event=(SELECT event"
        " FROM delivery WHERE handler=?1 AND lane=?2 ORDER BY event LIMIT 1)"
        " AND due=9223372036854775807",
    [SQL_LANE_HELD] = "SELECT lane FROM dead WHERE handler=?1 AND holds=1"
                      " LIMIT 1",
    [SQL_LANE_FREE] = "UPDATE dead SET holds=0 WHERE handler=?1 AND lane=?2"
                      " AND holds=1",
    [SQL_DEAD_DROP] = "DELETE FROM dead WHERE handler=?1 AND event=?2"
                      " RETURNING lane,holds,attempt",
    /* A new number: it died last, whatever became of it before. */
    [SQL_DEAD_ADD] =
        "INSERT OR REPLACE INTO dead(handler,event,attempt,at_ms,reason,detail,"
        "lane,holds) VALUES(?1,?2,?3,?4,?5,?6,?7,?8)",
    [SQL_ATTEMPT_ADD] =
        "INSERT INTO attempt(event,handler,attempt,started_ms,duration_ms,kind,"
        "detail,output,due_ms) VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9)",
    [SQL_ATTEMPT_BOUND] =
        "DELETE FROM attempt WHERE event=?1 AND handler=?2 AND id<="
        "(SELECT id FROM attempt WHERE event=?1 AND handler=?2"
        " ORDER BY id DESC LIMIT 1 OFFSET ?3)",
    [SQL_ATTEMPT_LAST] = "SELECT attempt FROM attempt WHERE event=?1"
                         " AND handler=?2 ORDER BY id DESC LIMIT 1",
    [SQL_AGAIN_ADD] =
        "INSERT INTO delivery(handler,event,due,attempt,owner,lane,again,base,"
        "since_ms,errand) SELECT ?1,?2,?3,?4,0,?5,?6,?4,?7,?8"
        " WHERE EXISTS(SELECT 1 FROM event WHERE id=?2)"
        " ON CONFLICT DO NOTHING",
    [SQL_ERRAND_ADD] = "INSERT INTO errand(running,done,skipped,state)"
                       " VALUES(?1,0,0,?2) RETURNING id",
    [SQL_ERRAND_PUT] = "UPDATE errand SET running=?2,done=done+?3,"
                       "skipped=skipped+?4,state=CASE ?5 WHEN '' THEN state"
                       " ELSE ?5 END WHERE id=?1 AND running=1",
    [SQL_ERRAND_GET] = "SELECT done,skipped FROM errand WHERE id=?1",
    [SQL_ERRAND_NEXT] = "SELECT id,done,skipped,state FROM errand WHERE id>?1"
                        " AND running=1 ORDER BY id LIMIT 1",
    [SQL_ERRAND_TIDY] = "DELETE FROM errand WHERE running=0 AND id<=?1",
    [SQL_ERRAND_OPEN] = "SELECT count(*) FROM (SELECT 1 FROM delivery"
                        " WHERE errand=?1 AND errand<>0 LIMIT ?2) AS d",
    [SQL_WALK_GET] = "SELECT state FROM walk WHERE connector=?1 AND tier=?2",
    [SQL_WALK_PUT] =
        "INSERT INTO walk(connector,tier,hw_ms,state) VALUES(?1,?2,?3,?4)"
        " ON CONFLICT(connector,tier) DO UPDATE SET"
        " hw_ms=max(hw_ms,excluded.hw_ms),state=excluded.state",
    /* A repeated call must not count the same gap twice. */
    [SQL_GAP_ADD] = "INSERT INTO gap(connector,kind,from_ms,to_ms,found_ms)"
                    " VALUES(?1,?2,?3,?4,?5)"
                    " ON CONFLICT(connector,kind,from_ms,to_ms) DO UPDATE SET"
                    " found_ms=excluded.found_ms,closed_ms=NULL,closed_by=NULL"
                    " WHERE gap.closed_ms IS NOT NULL",
    [SQL_GAP_CLOSE] =
        "UPDATE gap SET closed_ms=?5,closed_by=?6 WHERE closed_ms IS NULL"
        " AND CASE WHEN ?2=0 THEN connector=?1 AND from_ms>=?3 AND to_ms<=?4"
        " ELSE id=?2 AND (connector=?1 OR ?1=0) END",
    [SQL_CLAIM_DUE] = CLAIM_DUE("d.again=0"),
    [SQL_CLAIM_AGAIN] = CLAIM_DUE("d.again<>0"),
    [SQL_CLAIM_NEXT] = "SELECT due FROM delivery WHERE handler=?1 AND due>?2"
                       " AND again=0 ORDER BY due LIMIT 1",
    [SQL_CLAIM_NEXT_AGAIN] =
        "SELECT due FROM delivery WHERE handler=?1 AND due>?2"
        " AND again<>0 ORDER BY due LIMIT 1",
    [SQL_CLAIM_TAKE] = "UPDATE delivery SET due=?3,owner=?4,attempt=attempt+1"
                       " WHERE handler=?1 AND event=?2",
    [SQL_FIGURE_OLDEST] =
        "SELECT recorded_ms FROM event WHERE id=(SELECT event FROM delivery"
        " WHERE handler=?1 ORDER BY event LIMIT 1)",
    [SQL_FIGURE_NEXT] =
        "SELECT due FROM (SELECT due FROM delivery WHERE handler=?1 AND owner=0"
        " AND again=0 ORDER BY due LIMIT 1) AS a UNION ALL SELECT due FROM"
        " (SELECT due FROM delivery WHERE handler=?1 AND owner=0 AND again<>0"
        " ORDER BY due LIMIT 1) AS b ORDER BY due LIMIT 1",
    [SQL_ACCOUNT_PUT] =
        "INSERT INTO account(connector,since,mark,recovered,late,confirmed,met)"
        " VALUES(?1,?2,?3,?4,?5,?6,?7) ON CONFLICT(connector) DO UPDATE SET"
        " since=excluded.since,mark=excluded.mark,recovered=excluded.recovered,"
        "late=excluded.late,confirmed=excluded.confirmed,met=excluded.met",
    /* The index is named so that a plan which reads bodies cannot be made. */
    [SQL_ACCOUNT_SCAN] =
        "SELECT id,EXISTS(SELECT 1 FROM sighting WHERE event=id AND via=0)"
        " OR EXISTS(SELECT 1 FROM sighting WHERE event=id AND via=2)"
        " FROM event INDEXED BY event_polled WHERE connector=?1"
        " AND via=1 AND id>?2 AND id<?3 ORDER BY id LIMIT ?4",
    [SQL_UNLISTED] =
        "SELECT time_ms,id,EXISTS(SELECT 1 FROM sighting WHERE event=id"
        " AND via IN (1,3)) FROM event INDEXED BY event_hooked"
        " WHERE connector=?1 AND via IN (0,2) AND time_ms>0"
        " AND (time_ms,id)>(?2,?3) AND time_ms<?4"
        " ORDER BY time_ms,id LIMIT ?5",
    [SQL_PRUNE_LEDGER] = "DELETE FROM ledger WHERE k IN"
                         " (SELECT k FROM ledger WHERE k<?1 ORDER BY k"
                         " LIMIT ?2)",
    /* The inner LIMIT bounds what is looked at, not only what goes. */
    [SQL_PRUNE_ATTEMPT] =
        "DELETE FROM attempt WHERE id IN (SELECT id FROM (SELECT id,started_ms"
        " FROM attempt ORDER BY id LIMIT ?2) WHERE started_ms<?1)",
    [SQL_PRUNE_DEAD_NEXT] = "SELECT handler,event FROM dead WHERE at_ms<?1"
                            " ORDER BY at_ms LIMIT 1",
    [SQL_PRUNE_EVENT_SCAN] = "SELECT id,recorded_ms FROM event WHERE id>?1"
                             " ORDER BY id LIMIT ?2",
    [SQL_PRUNE_EVENT_DROP] = "DELETE FROM event WHERE id=?1",
    [SQL_PRUNE_SIGHTING_DROP] = "DELETE FROM sighting WHERE event=?1",
    [SQL_PRUNE_FILL_DROP] = "DELETE FROM fill WHERE event=?1",
    [SQL_PRUNE_REKEYED] = "DELETE FROM rekeyed WHERE event<"
                          "(SELECT min(id) FROM event)",
    /* Each half by its index; what is parked waits for no time. */
    [SQL_RECALL] = "UPDATE delivery SET due=?2 WHERE handler=?1 AND owner=0"
                   " AND event IN (SELECT event FROM delivery WHERE handler=?1"
                   " AND again=0 AND due>?3 AND due<9223372036854775807"
                   " UNION ALL SELECT event FROM delivery WHERE handler=?1"
                   " AND again<>0 AND due>?3 AND due<9223372036854775807)",
    [SQL_PAUSE_PUT] = "INSERT INTO pause(kind,id,since_ms,reason)"
                      " VALUES(?1,?2,?3,?4) ON CONFLICT DO NOTHING",
    [SQL_PAUSE_DROP] = "DELETE FROM pause WHERE kind=?1 AND id=?2",
    [SQL_PAUSE_GET] = "SELECT since_ms,reason FROM pause WHERE kind=?1"
                      " AND id=?2",
    [SQL_RECEIVER_ADD] = "INSERT INTO receiver(handler,removed,state)"
                         " VALUES(?1,0,?2)",
    [SQL_RECEIVER_PUT] = "UPDATE receiver SET state=?2 WHERE handler=?1"
                         " AND removed=0",
    /* What it knew is of no use any more, and its secrets least of all. */
    [SQL_RECEIVER_REMOVE] = "UPDATE receiver SET removed=1,state=''"
                            " WHERE handler=?1 AND removed=0",
    [SQL_RECEIVER_DROP] = "DELETE FROM receiver WHERE handler=?1"
                          " AND removed=1",
    [SQL_RECEIVER_NEXT] = "SELECT handler,removed,state FROM receiver"
                          " WHERE handler>?1 ORDER BY handler LIMIT 1",
    [SQL_RECEIVER_OWED_DROP] =
        "DELETE FROM delivery WHERE handler=?1 AND event IN (SELECT event"
        " FROM delivery WHERE handler=?1 LIMIT ?2)",
    [SQL_RECEIVER_DEAD_DROP] =
        "DELETE FROM dead WHERE handler=?1 AND event IN (SELECT event"
        " FROM dead WHERE handler=?1 LIMIT ?2)",
    [SQL_RECEIVER_NAME_DROP] = "DELETE FROM name WHERE id=?1 AND kind=2",
    [SQL_OWED] = "SELECT 1 WHERE EXISTS(SELECT 1 FROM delivery"
                 " WHERE handler=?1 AND event=?2) OR EXISTS(SELECT 1 FROM dead"
                 " WHERE handler=?1 AND event=?2)",
    [SQL_REFUSAL_ADD] =
        "INSERT INTO refusal(connector,at_ms,cause,status,bytes,more,why,peer,"
        "head) VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9)",
    [SQL_REFUSAL_MORE] =
        "UPDATE refusal SET more=more+?3 WHERE id=(SELECT id FROM refusal"
        " WHERE connector=?1 AND cause=?2 ORDER BY id DESC LIMIT 1)",
    [SQL_REFUSAL_TRIM] =
        "DELETE FROM refusal WHERE connector=?1 AND id<=(SELECT id FROM refusal"
        " WHERE connector=?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
    [SQL_TALLY_LOAD] =
        "SELECT handler,count(*),0 FROM delivery GROUP BY handler"
        " UNION ALL"
        " SELECT handler,0,count(*) FROM dead GROUP BY handler",
    [SQL_ACCOUNT_LOAD] = "SELECT connector,since,mark,recovered,late,"
                         "confirmed,met FROM account",

    /* ---- of a view ---- */
    [SQL_VIEW_BEGIN] = "BEGIN",
    [SQL_VIEW_COMMIT] = "COMMIT",
    [SQL_VIEW_GAPS] = "SELECT id," CONNECTOR_NAME(
        "connector") ",kind,from_ms,to_ms,found_ms,"
                     "closed_ms,closed_by FROM gap WHERE id<?1 AND "
                     "(connector=?2 OR ?2=0)"
                     " AND (closed_ms IS NULL OR ?3=0) ORDER BY id DESC LIMIT "
                     "?4",
    [SQL_VIEW_ACCOUNTS] = "SELECT connector,recovered,late,confirmed,met"
                          " FROM account ORDER BY connector LIMIT ?1",
    [SQL_VIEW_OPEN_GAPS] = "SELECT connector,count(*) FROM gap"
                           " WHERE closed_ms IS NULL GROUP BY connector"
                           " ORDER BY connector LIMIT ?1",
    /* length() reads no body. */
    [SQL_VIEW_EVENTS] = "SELECT id,connector," CONNECTOR_NAME(
        "connector") ",via,time_ms,"
                     "recorded_ms,ext_id,type,length(body) FROM event"
                     " WHERE id<?1 AND id>=?2 ORDER BY id DESC LIMIT ?3",
    [SQL_VIEW_EVENTS_UP] = "SELECT id,connector," CONNECTOR_NAME(
        "connector") ",via,time_ms,"
                     "recorded_ms,ext_id,type,length(body),content_type,"
                     "headers,body FROM event"
                     " WHERE id>?1 AND id<?2 ORDER BY id LIMIT ?3",
    [SQL_VIEW_LETTERS] = LETTERS " WHERE d.id<?1 ORDER BY d.id DESC LIMIT ?2",
    [SQL_VIEW_LETTERS_UP] = LETTERS " WHERE d.id>?1 ORDER BY d.id LIMIT ?2",
    [SQL_VIEW_LETTERS_OF] =
        LETTERS " JOIN name n ON n.kind=2 AND d.handler=n.id AND d.event=?3"
                " WHERE d.id>?1 ORDER BY d.id LIMIT ?2",
    [SQL_VIEW_ERRANDS] =
        "SELECT id,running,done,skipped,state,(SELECT count(*) FROM (SELECT 1"
        " FROM delivery d WHERE d.errand=e.id AND d.errand<>0 LIMIT ?3) AS x)"
        " FROM errand e WHERE id<?1 ORDER BY id DESC LIMIT ?2",
    [SQL_VIEW_EVENT] = "SELECT id,connector," CONNECTOR_NAME(
        "connector") ",via,time_ms,"
                     "recorded_ms,ext_id,type,length(body),content_type,"
                     "headers,"
                     "CASE WHEN ?2<>0 THEN body ELSE '' END FROM event WHERE "
                     "id=?1",
    [SQL_VIEW_FATE] =
        "SELECT (SELECT min(at_ms) FROM sighting WHERE event=?1 AND"
        " (via IN (1,3))<>(?2<>0)),"
        "(SELECT count(*) FROM name n JOIN delivery d ON d.handler=n.id"
        " AND d.event=?1 WHERE n.kind=2),"
        "(SELECT count(*) FROM name n JOIN dead d ON d.handler=n.id"
        " AND d.event=?1 WHERE n.kind=2)",
    [SQL_VIEW_FILL] = "SELECT needs,filled,asked_ms,filled_ms FROM fill"
                      " WHERE event=?1 LIMIT ?2",
    [SQL_VIEW_SIGHTINGS] = "SELECT via,at_ms FROM sighting WHERE event=?1"
                           " ORDER BY at_ms,via LIMIT ?2",
    [SQL_VIEW_DELIVERIES] = "SELECT n.name,d.attempt,d.due,d.owner,d.again"
                            " FROM name n"
                            " JOIN delivery d ON d.handler=n.id AND d.event=?1"
                            " WHERE n.kind=2 ORDER BY n.name LIMIT ?2",
    [SQL_VIEW_DEAD] = "SELECT n.name,d.attempt,d.at_ms,d.reason,d.detail"
                      " FROM name n"
                      " JOIN dead d ON d.handler=n.id AND d.event=?1"
                      " WHERE n.kind=2 ORDER BY n.name LIMIT ?2",
    [SQL_VIEW_ATTEMPTS] = "SELECT " CONNECTOR_NAME(
        "handler") ",attempt,started_ms,duration_ms,"
                   "kind,detail,output,due_ms FROM (SELECT * FROM attempt"
                   " WHERE event=?1 ORDER BY id DESC LIMIT ?2) AS a"
                   " ORDER BY id",
    [SQL_VIEW_KEYS] =
        "SELECT id,connector,via,time_ms,type,"
        "(SELECT min(at_ms) FROM sighting WHERE event=id AND via IN (0,2)),"
        "(SELECT min(at_ms) FROM sighting WHERE event=id AND via IN (1,3)),"
        "EXISTS(SELECT 1 FROM fill WHERE event=id AND filled<>0"
        " AND (filled=2 OR asked_ms<>0))"
        " FROM event WHERE id<?1 ORDER BY id DESC LIMIT ?2",
    [SQL_VIEW_REFUSALS] = REFUSALS "id<?1 AND (connector=?2 OR ?2=0)" NEWEST,
    [SQL_VIEW_REFUSALS_OF] = REFUSALS "connector=?2 AND id<?1" NEWEST,

/* ---- of a store that is copied ---- */

#define X(name, table, columns, reads, types, parameters, keys, key, back,     \
          last, rows, most)                                                    \
    [SQL_COPY_READ_##name] = "SELECT " reads " FROM " table " WHERE (" key     \
                             ")>(" last ") ORDER BY " key " LIMIT " most,      \
    [SQL_COPY_LAST_##name] =                                                   \
        "SELECT " key " FROM " table " ORDER BY " back " LIMIT 1",             \
    [SQL_COPY_ADD_##name] = "INSERT INTO " table "(" columns                   \
                            ") VALUES(" parameters ") ON CONFLICT DO NOTHING",
    SQL_COPIED(X)
#undef X
};

const char *
sql_text_of(enum sql which)
{
    return texts[which];
}
