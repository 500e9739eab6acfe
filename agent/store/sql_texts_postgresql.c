/* SPDX-License-Identifier: MIT */
/* The statements of a store that have words of their own in PostgreSQL, and
 * those of a store that several agents share. */
#include "store/sql_link.h"

/* One statement: what others are about to take is passed over, and who wakes up
 * behind them sees it taken. A row comes always, that of nothing claimed with a
 * NULL for its event: the last column is when the next of the others is due,
 * by the state before. ?5, ?6: a hint, nothing due before it is looked for, so
 * that a claim does not walk over rows that were claimed and are not vacuumed
 * yet; 0 now and then. ?7 lease, ?8 owner. */
#define CLAIM_DUE(which)                                                       \
    "WITH c AS MATERIALIZED (SELECT handler,event,due FROM delivery"           \
    " WHERE " which " AND handler=?1 AND due<=?2 AND (owner=0 OR due<=?4)"     \
    " AND (due,event)>=(?5,?6) ORDER BY due,event LIMIT ?3"                    \
    " FOR UPDATE SKIP LOCKED),"                                                \
    "u AS (UPDATE delivery d SET due=?7,owner=?8,attempt=attempt+1 FROM c"     \
    " WHERE d.handler=c.handler AND d.event=c.event RETURNING d.*,"            \
    "c.due AS was),"                                                           \
    "n AS MATERIALIZED (SELECT (SELECT due FROM delivery WHERE handler=?1"     \
    " AND " which " AND due>?2 ORDER BY due LIMIT 1) AS next)"                 \
    "SELECT u.attempt-1,u.lane,e.id,e.connector,e.via,e.time_ms,"              \
    "e.recorded_ms,e.ext_id,e.type,e.headers,e.content_type,e.body,"           \
    "f.needs,f.filled,f.asked_ms,u.again,u.base,u.since_ms,n.next,u.was"       \
    " FROM n LEFT JOIN u ON true LEFT JOIN event e ON e.id=u.event"            \
    " LEFT JOIN fill f ON f.event=u.event ORDER BY u.was,u.event"

/* Gives leases back. */
#define FREE_LEASE                                                             \
    "UPDATE lease SET holder=0,fence=fence+1,asked=0,poked=0,"                 \
    "freed_ms=longstop.now_ms()"

/* Those of ?2 that are so and that nobody else is about to change: what is
 * passed over is come back to with the next sign of life. */
#define LEASES_WHERE(so)                                                       \
    "WITH l AS MATERIALIZED (SELECT connector AS c FROM lease WHERE"           \
    " connector=ANY(?2) AND " so " ORDER BY connector"                         \
    " FOR UPDATE SKIP LOCKED) "

static const char *const texts[SQL_COUNT] = {
    [SQL_BEGIN] = "BEGIN ISOLATION LEVEL READ COMMITTED",
    /* Never back: another agent may have written a later one meanwhile. */
    [SQL_META_PUT] =
        "INSERT INTO meta(name,value) VALUES(?1,?2) ON CONFLICT(name)"
        " DO UPDATE SET value=greatest(meta.value,excluded.value)",
    /* An agent that asks at the same time gets the same number. */
    [SQL_NAME_ADD] = "INSERT INTO name(kind,name) VALUES(?1,?2)"
                     " ON CONFLICT(kind,name) DO UPDATE SET name=excluded.name"
                     " RETURNING id",
    [SQL_SEED_FIND] =
        "SELECT id,via FROM (SELECT id,via,type FROM event"
        " WHERE connector=?1 AND via IN (0,2) AND time_ms=?2"
        " UNION ALL SELECT id,via,type FROM event"
        " WHERE connector=?1 AND via IN (1,3) AND time_ms=?2) AS e"
        " LEFT JOIN keyed AS k ON k.connector=?1"
        " WHERE (k.last IS NULL OR id<=k.last) AND NOT EXISTS"
        " (SELECT 1 FROM rekeyed WHERE event=id AND edit=coalesce(k.edit,0))"
        " ORDER BY type<>?3,id LIMIT 1",
    [SQL_SEED_HOOK] =
        "SELECT id,via FROM event WHERE connector=?1"
        " AND via IN (0,2) AND time_ms=?2 AND type=?3 AND body=?4 AND id<="
        "(SELECT last FROM keyed WHERE connector=?1 AND edit>0) ORDER BY id",
    /* Several agents note the same edit; it counts once. What any of them has
     * stored so far is of before it. */
    [SQL_KEYED_PUT] =
        "INSERT INTO keyed(connector,keys,last,edit) VALUES(?1,?2,"
        "greatest(?3,(SELECT max(id) FROM event)),0) ON CONFLICT(connector)"
        " DO UPDATE SET keys=excluded.keys,last=excluded.last,"
        "edit=keyed.edit+1 WHERE keyed.keys<>excluded.keys",
    /* Held until the end: an outcome that waits for the webhook, and the
     * webhook, see each other. */
    [SQL_FILL_GET] =
        "SELECT needs,asked_ms FROM fill WHERE event=?1 FOR UPDATE",
    /* An array, so that the key of the table is used whatever the planner
     * thinks of the number of handlers. */
    [SQL_DELIVERY_TRIED] =
        "SELECT 1 FROM delivery WHERE handler=ANY(ARRAY(SELECT id FROM name"
        " WHERE kind=2)) AND event=?1 AND attempt>0 LIMIT 1",
    [SQL_DELIVERY_WAKE] =
        "UPDATE delivery SET due=?2 WHERE handler=ANY(ARRAY(SELECT id FROM name"
        " WHERE kind=2)) AND event=?1 AND owner=0 AND due>?2"
        " AND due<>9223372036854775807",
    [SQL_DEAD_ADD] =
        "INSERT INTO dead(handler,event,attempt,at_ms,reason,detail,lane,holds)"
        " VALUES(?1,?2,?3,?4,?5,?6,?7,?8) ON CONFLICT(handler,event) DO UPDATE"
        " SET id=DEFAULT,attempt=excluded.attempt,at_ms=excluded.at_ms,"
        "reason=excluded.reason,detail=excluded.detail,lane=excluded.lane,"
        "holds=excluded.holds",
    /* The event is held, so that no agent prunes it meanwhile. */
    [SQL_AGAIN_ADD] =
        "INSERT INTO delivery(handler,event,due,attempt,owner,lane,again,base,"
        "since_ms,errand) SELECT ?1,id,?3,?4,0,?5,?6,?4,?7,?8 FROM event"
        " WHERE id=?2 FOR KEY SHARE ON CONFLICT DO NOTHING",
    [SQL_WALK_PUT] =
        "INSERT INTO walk(connector,tier,hw_ms,state) VALUES(?1,?2,?3,?4)"
        " ON CONFLICT(connector,tier) DO UPDATE SET"
        " hw_ms=greatest(walk.hw_ms,excluded.hw_ms),state=excluded.state",
    [SQL_CLAIM_DUE] = CLAIM_DUE("again=0"),
    [SQL_CLAIM_AGAIN] = CLAIM_DUE("again<>0"),
    /* The mark alone, behind SQL_ACCOUNT_MOVE; what is late or confirmed is
     * added with SQL_ACCOUNT_ADD. */
    [SQL_ACCOUNT_PUT] =
        "INSERT INTO account(connector,since,mark,recovered,late,confirmed,met)"
        " VALUES(?1,?2,?3,?4,0,0,0) ON CONFLICT(connector) DO UPDATE SET"
        " since=excluded.since,mark=excluded.mark,recovered=excluded.recovered",
    [SQL_ACCOUNT_SCAN] =
        "SELECT id,EXISTS(SELECT 1 FROM sighting WHERE event=id AND via=0)"
        " OR EXISTS(SELECT 1 FROM sighting WHERE event=id AND via=2)"
        " FROM event WHERE connector=?1"
        " AND via=1 AND id>?2 AND id<?3 ORDER BY id LIMIT ?4",
    [SQL_UNLISTED] =
        "SELECT time_ms,id,EXISTS(SELECT 1 FROM sighting WHERE event=id"
        " AND via IN (1,3)) FROM event"
        " WHERE connector=?1 AND via IN (0,2) AND time_ms>0"
        " AND (time_ms,id)>(?2,?3) AND time_ms<?4"
        " ORDER BY time_ms,id LIMIT ?5",
    /* What goes by days there: the functions say how. */
    [SQL_PRUNE_LEDGER] = "SELECT longstop.prune_ledger(?1,?2)",
    [SQL_PRUNE_ATTEMPT] = "SELECT longstop.prune_attempts(?1,?2)",
    [SQL_PRUNE_EVENTS] = "SELECT longstop.prune_events(?1,?2)",
    [SQL_PRUNE_ORPHANS] = "SELECT longstop.prune_orphans()",
    [SQL_LEDGER_NEW] = "INSERT INTO ledger(k,event,channels)"
                       " VALUES(?1,?2,?3)",
    [SQL_DELIVERY_DROP_ALL] =
        "DELETE FROM delivery d USING unnest(?1,?2,?3)"
        " AS u(handler,event,attempt) WHERE d.handler=u.handler"
        " AND d.event=u.event AND d.attempt=u.attempt AND d.owner<>0"
        " RETURNING d.handler,d.event,d.attempt,d.lane",
    [SQL_LEDGER_GET_ALL] = "SELECT k,event,channels FROM ledger"
                           " WHERE k=ANY(?1)",
    [SQL_LOCK_LANES] = "SELECT longstop.lock_lanes(?1,?2,?3,?4)",
    [SQL_LOCK_LANE] = "SELECT pg_advisory_xact_lock(hashint8extended(?2,?1))",
    /* Waits for an outcome that is under way. */
    [SQL_LOCK_DELIVERY] = "SELECT 1 FROM delivery WHERE handler=?1 AND event=?2"
                          " FOR UPDATE",
    [SQL_LOCK_SEED] = "SELECT pg_advisory_xact_lock(hashint8extended(?1,-5))",
    [SQL_TALLY_ADD] =
        "INSERT INTO tally AS t(handler,agent,pending,dead)"
        " VALUES(?1,?2,?3,?4) ON CONFLICT(handler,agent) DO UPDATE SET"
        " pending=t.pending+excluded.pending,dead=t.dead+excluded.dead",
    [SQL_TALLY_GET] =
        "SELECT coalesce(sum(pending),0)::int8,coalesce(sum(dead),0)::int8"
        " FROM tally WHERE handler=?1",
    [SQL_ACCOUNT_SEE] = "SELECT * FROM longstop.lock_account(?1,false)",
    [SQL_ACCOUNT_MOVE] = "SELECT * FROM longstop.lock_account(?1,true)",
    [SQL_ACCOUNT_ADD] =
        "INSERT INTO account_part AS t(connector,agent,late,confirmed,met)"
        " VALUES(?1,?2,?3,?4,?5) ON CONFLICT(connector,agent) DO UPDATE SET"
        " late=t.late+excluded.late,confirmed=t.confirmed+excluded.confirmed,"
        "met=t.met+excluded.met",
    [SQL_AGENT_JOIN] = "SELECT number,epoch,highest"
                       " FROM longstop.join_agents(?1,?2,?3)",
    /* No row: it was taken for dead. */
    [SQL_AGENT_BEAT] = "UPDATE agent SET beat_ms=longstop.now_ms(),"
                       "highest=greatest(highest,?2) WHERE epoch=?1",
    [SQL_AGENT_SILENT] = "SELECT epoch FROM agent WHERE epoch>0 AND epoch<>?1"
                         " AND beat_ms<longstop.now_ms()-?2",
    [SQL_AGENT_OTHERS] = "SELECT count(*) FROM agent WHERE epoch>0"
                         " AND epoch<>?1",
    [SQL_AGENT_BURY] = "SELECT longstop.bury_agent(?1,longstop.now_ms()-?2)",
    [SQL_AGENT_TELL] = "UPDATE agent SET lowest_ms=?2,shares=?3 WHERE epoch=?1",
    [SQL_AGENTS] = "SELECT epoch,host,version,started_ms,beat_ms,shares,"
                   "lowest_ms,longstop.now_ms() FROM agent WHERE epoch>0"
                   " ORDER BY epoch",
    [SQL_LEASES_ADD] =
        "INSERT INTO lease(connector,holder,fence,freed_ms,asked,poked)"
        " SELECT u.c,0,0,longstop.now_ms(),0,0 FROM unnest(?2) AS u(c)"
        " WHERE ?1<>0 ORDER BY u.c ON CONFLICT DO NOTHING",
    [SQL_LEASES_DROP] = FREE_LEASE " WHERE holder=?1 AND connector<>ALL(?2)",
    [SQL_LEASES_LEAVE] = FREE_LEASE " WHERE holder=?1",
    [SQL_LEASES_FREE] = "SELECT connector,freed_ms FROM lease WHERE holder=0"
                        " ORDER BY connector",
    [SQL_LEASES_TAKE] =
        LEASES_WHERE("holder=0") "UPDATE lease SET holder=?1,fence=fence+1,"
                                 "asked=0,poked=0 FROM l"
                                 " WHERE lease.connector=l.c",
    [SQL_LEASES_ASKED] =
        "SELECT connector,asked,poked FROM lease WHERE holder=?1"
        " AND (asked<>0 OR poked<>0) ORDER BY connector",
    [SQL_LEASES_HEARD] = "UPDATE lease SET asked=0,poked=0 WHERE holder=?1"
                         " AND (asked<>0 OR poked<>0)",
    [SQL_LEASES_GIVE] = FREE_LEASE " WHERE holder=?1 AND connector=ANY(?2)",
    [SQL_LEASES_ASK] = LEASES_WHERE(
        "holder<>0 AND holder<>?1 AND asked<>?1") "UPDATE lease"
                                                  " SET asked=?1 FROM l WHERE "
                                                  "lease.connector=l.c",
    [SQL_LEASES_POKE] = LEASES_WHERE(
        "holder<>0 AND holder<>?1 AND poked=0") "UPDATE lease SET"
                                                " poked=1 FROM l WHERE "
                                                "lease.connector=l.c",
    [SQL_LEASES_MINE] = "SELECT connector,fence FROM lease WHERE holder=?1",
    /* No row: it is another's by now. Whoever takes it over waits for the end
     * of this transaction. */
    [SQL_LEASE_FENCE] = "SELECT 1 FROM lease WHERE connector=?1 AND fence=?2"
                        " FOR SHARE",
    [SQL_VIEW_LEASES] = "SELECT connector,holder FROM lease"
                        " WHERE connector>0 AND holder>0 ORDER BY connector"
                        " LIMIT ?1",
    [SQL_VIEW_BEGIN] = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
    [SQL_VIEW_ACCOUNTS] =
        "SELECT coalesce(a.connector,p.connector),coalesce(a.recovered,0),"
        "(coalesce(a.late,0)+coalesce(p.late,0))::int8,"
        "(coalesce(a.confirmed,0)+coalesce(p.confirmed,0))::int8,"
        "(coalesce(a.met,0)+coalesce(p.met,0))::int8 FROM account a FULL JOIN"
        " (SELECT connector,sum(late) AS late,sum(confirmed) AS confirmed,"
        "sum(met) AS met FROM account_part GROUP BY connector) AS p"
        " ON p.connector=a.connector ORDER BY 1 LIMIT ?1",
    [SQL_RECEIVER_OWED_DROP] =
        "DELETE FROM delivery WHERE handler=?1 AND event=ANY(ARRAY(SELECT event"
        " FROM delivery WHERE handler=?1 LIMIT ?2))",
    [SQL_RECEIVER_DEAD_DROP] =
        "DELETE FROM dead WHERE handler=?1 AND event=ANY(ARRAY(SELECT event"
        " FROM dead WHERE handler=?1 LIMIT ?2))",
    /* ---- of a store that is copied ---- */
    [SQL_COPY_ADD_NAME] = "INSERT INTO name(id,kind,name) OVERRIDING SYSTEM "
                          "VALUE VALUES(?1,?2,?3) ON CONFLICT DO NOTHING",
    [SQL_COPY_ADD_DEAD] =
        "INSERT INTO "
        "dead(id,handler,event,attempt,at_ms,reason,detail,lane,holds) "
        "OVERRIDING SYSTEM VALUE VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9) ON "
        "CONFLICT DO NOTHING",
    [SQL_COPY_ADD_GAP] =
        "INSERT INTO "
        "gap(id,connector,kind,from_ms,to_ms,found_ms,closed_ms,closed_by) "
        "OVERRIDING SYSTEM VALUE VALUES(?1,?2,?3,?4,?5,?6,?7,?8) ON CONFLICT "
        "DO NOTHING",
    [SQL_COPY_ADD_REFUSAL] =
        "INSERT INTO "
        "refusal(id,connector,at_ms,cause,status,bytes,more,why,peer,head) "
        "OVERRIDING SYSTEM VALUE VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10) ON "
        "CONFLICT DO NOTHING",
    [SQL_COPY_ADD_ERRAND] =
        "INSERT INTO errand(id,running,done,skipped,state) OVERRIDING SYSTEM "
        "VALUE VALUES(?1,?2,?3,?4,?5) ON CONFLICT DO NOTHING",
    [SQL_COPY_READ_ACCOUNT] =
        "SELECT a.connector,a.since,a.mark,a.recovered,"
        "(a.late+coalesce(sum(p.late),0))::int8,"
        "(a.confirmed+coalesce(sum(p.confirmed),0))::int8,"
        "(a.met+coalesce(sum(p.met),0))::int8 FROM account a LEFT JOIN"
        " account_part p ON p.connector=a.connector WHERE a.connector>?1"
        " GROUP BY a.connector ORDER BY a.connector LIMIT ?2",
    /* Numbers go on behind those that came; what is owed is counted. */
    [SQL_COPY_SETTLE] =
        "WITH t AS (INSERT INTO tally(handler,agent,pending,dead) SELECT"
        " h,0,sum(p),sum(d) FROM (SELECT handler AS h,count(*) AS p,0 AS d"
        " FROM delivery GROUP BY handler UNION ALL SELECT handler,0,count(*)"
        " FROM dead GROUP BY handler) AS x GROUP BY h ON CONFLICT"
        " (handler,agent) DO UPDATE SET pending=excluded.pending,"
        "dead=excluded.dead) SELECT "
        "setval(pg_get_serial_sequence('longstop.name','id'),"
        "greatest(1,(SELECT max(id) FROM name))),"
        "setval(pg_get_serial_sequence('longstop.dead','id'),"
        "greatest(1,(SELECT max(id) FROM dead))),"
        "setval(pg_get_serial_sequence('longstop.gap','id'),"
        "greatest(1,(SELECT max(id) FROM gap))),"
        "setval(pg_get_serial_sequence('longstop.refusal','id'),"
        "greatest(1,(SELECT max(id) FROM refusal))),"
        "setval(pg_get_serial_sequence('longstop.errand','id'),"
        "greatest(1,(SELECT max(id) FROM errand))),"
        "setval('longstop.attempt_number',"
        "greatest(1,(SELECT max(id) FROM attempt)))",
    /* ---- of a shared store alone ---- */
    /* A plan without the index may be right for a day that is empty, and is
     * ruinous when that day has begun. ?1 not 0: for this transaction only. */
    [SQL_SESSION] =
        "SELECT set_config('search_path','longstop,pg_catalog',?1<>0),"
        "set_config('enable_seqscan','off',?1<>0),"
        "set_config('idle_in_transaction_session_timeout','10s',?1<>0),"
        "set_config('default_transaction_isolation','read committed',?1<>0)",
    [SQL_SERVER] =
        "SELECT current_setting('server_version_num')::int8,"
        "convert_to(current_setting('synchronous_commit'),'UTF8'),"
        "convert_to(current_setting('fsync'),'UTF8'),"
        "pg_is_in_recovery(),"
        "floor(extract(epoch FROM clock_timestamp())*1000)::int8,"
        "to_regclass('longstop.meta') IS NOT NULL,"
        "(SELECT count(*) FROM pg_index i JOIN pg_class c ON c.oid=i.indexrelid"
        " JOIN pg_namespace n ON n.oid=c.relnamespace"
        " WHERE n.nspname='longstop' AND NOT i.indisvalid)",
    [SQL_LOCK_SCHEMA] = "SELECT pg_advisory_xact_lock(hashint8extended(0,-4))",
};

const char *
sql_text_of_postgresql(enum sql which)
{
    return texts[which] != NULL ? texts[which] : sql_text_of(which);
}
