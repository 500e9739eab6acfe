/* SPDX-License-Identifier: MIT */
/*
 * sql_copied: the tables that make a store, as they are copied from one
 * database into another: their columns, and in which order they are read.
 */
#ifndef STORE_SQL_COPIED_H
#define STORE_SQL_COPIED_H

/*
 * name, table, columns, what is read for them, their types, their parameters;
 * how many of them, from the first on, are the key by whose order it is read,
 * that key, the same backwards, and what its last row had; how many rows in one
 * go, and how that is bound.
 *
 * Types: n number, N number or NULL, b bytes, t text. What was leased is due:
 * whoever had leased it is gone.
 */
#define SQL_COPIED(X)                                                          \
    X(NAME, "name", "id,kind,name", "id,kind,name", "nnt", "?1,?2,?3", 1,      \
      "id", "id DESC", "?1", 1000, "?2")                                       \
    X(LEDGER, "ledger", "k,event,channels", "k,event,channels", "bnn",         \
      "?1,?2,?3", 1, "k", "k DESC", "?1", 1000, "?2")                          \
    X(EVENT, "event",                                                          \
      "id,connector,via,time_ms,recorded_ms,ext_id,type,headers,content_type," \
      "body",                                                                  \
      "id,connector,via,time_ms,recorded_ms,ext_id,type,headers,content_type," \
      "body",                                                                  \
      "nnnnnttbtb", "?1,?2,?3,?4,?5,?6,?7,?8,?9,?10", 1, "id", "id DESC",      \
      "?1", 64, "?2")                                                          \
    X(SIGHTING, "sighting", "event,via,at_ms", "event,via,at_ms", "nnn",       \
      "?1,?2,?3", 2, "event,via", "event DESC,via DESC", "?1,?2", 1000, "?3")  \
    X(FILL, "fill", "event,needs,filled,asked_ms,filled_ms",                   \
      "event,needs,filled,asked_ms,filled_ms", "nnnnn", "?1,?2,?3,?4,?5", 1,   \
      "event", "event DESC", "?1", 1000, "?2")                                 \
    X(KEYED, "keyed", "connector,keys,last,edit", "connector,keys,last,edit",  \
      "nnnn", "?1,?2,?3,?4", 1, "connector", "connector DESC", "?1", 1000,     \
      "?2")                                                                    \
    X(REKEYED, "rekeyed", "event,edit", "event,edit", "nn", "?1,?2", 1,        \
      "event", "event DESC", "?1", 1000, "?2")                                 \
    X(ACCOUNT, "account", "connector,since,mark,recovered,late,confirmed,met", \
      "connector,since,mark,recovered,late,confirmed,met", "nNnnnnn",          \
      "?1,?2,?3,?4,?5,?6,?7", 1, "connector", "connector DESC", "?1", 1000,    \
      "?2")                                                                    \
    X(DELIVERY, "delivery",                                                    \
      "handler,event,due,attempt,owner,lane,again,base,since_ms,errand",       \
      "handler,event,CASE WHEN owner=0 THEN due ELSE 0 "                       \
      "END,attempt,0,lane,again,base,since_ms,errand",                         \
      "nnnnnNnnnn", "?1,?2,?3,?4,?5,?6,?7,?8,?9,?10", 2, "handler,event",      \
      "handler DESC,event DESC", "?1,?2", 1000, "?3")                          \
    X(DEAD, "dead", "id,handler,event,attempt,at_ms,reason,detail,lane,holds", \
      "id,handler,event,attempt,at_ms,reason,detail,lane,holds", "nnnnnttNn",  \
      "?1,?2,?3,?4,?5,?6,?7,?8,?9", 1, "id", "id DESC", "?1", 1000, "?2")      \
    X(ATTEMPT, "attempt",                                                      \
      "event,handler,id,attempt,started_ms,duration_ms,kind,detail,output,"    \
      "due_ms",                                                                \
      "event,handler,id,attempt,started_ms,duration_ms,kind,detail,output,"    \
      "due_ms",                                                                \
      "nnnnnnntbn", "?1,?2,?3,?4,?5,?6,?7,?8,?9,?10", 3, "event,handler,id",   \
      "event DESC,handler DESC,id DESC", "?1,?2,?3", 200, "?4")                \
    X(WALK, "walk", "connector,tier,hw_ms,state",                              \
      "connector,tier,hw_ms,state", "nnnt", "?1,?2,?3,?4", 2,                  \
      "connector,tier", "connector DESC,tier DESC", "?1,?2", 100, "?3")        \
    X(GAP, "gap",                                                              \
      "id,connector,kind,from_ms,to_ms,found_ms,closed_ms,closed_by",          \
      "id,connector,kind,from_ms,to_ms,found_ms,closed_ms,closed_by",          \
      "nnnnnnNN", "?1,?2,?3,?4,?5,?6,?7,?8", 1, "id", "id DESC", "?1", 1000,   \
      "?2")                                                                    \
    X(REFUSAL, "refusal",                                                      \
      "id,connector,at_ms,cause,status,bytes,more,why,peer,head",              \
      "id,connector,at_ms,cause,status,bytes,more,why,peer,head",              \
      "nnnnnnnttt", "?1,?2,?3,?4,?5,?6,?7,?8,?9,?10", 1, "id", "id DESC",      \
      "?1", 200, "?2")                                                         \
    X(ERRAND, "errand", "id,running,done,skipped,state",                       \
      "id,running,done,skipped,state", "nnnnt", "?1,?2,?3,?4,?5", 1, "id",     \
      "id DESC", "?1", 1000, "?2")                                             \
    X(PAUSE, "pause", "kind,id,since_ms,reason", "kind,id,since_ms,reason",    \
      "nnnt", "?1,?2,?3,?4", 2, "kind,id", "kind DESC,id DESC", "?1,?2", 1000, \
      "?3")                                                                    \
    X(RECEIVER, "receiver", "handler,removed,state", "handler,removed,state",  \
      "nnt", "?1,?2,?3", 1, "handler", "handler DESC", "?1", 1000, "?2")

#endif
