/* SPDX-License-Identifier: MIT */
/*
 * rule: names for the rules that keep events from being lost or doubled, so
 * that each is marked in the code where it acts.
 *
 * In the program RULE(...) is a constant true and costs nothing. The simulator
 * (tests/sim) is built with LONGSTOP_SIM and can remove one rule at a time; it
 * has to notice, or it would be blind to that mistake.
 */
#ifndef BASE_RULE_H
#define BASE_RULE_H

#include <stdbool.h>

/* The name, as --without takes it, and what goes wrong without the rule. */
#define RULES(X)                                                               \
    X(INCLUSIVE, "inclusive",                                                  \
      "a list that leaves its bound out is asked from one step before it")     \
    X(OVERLAP, "overlap",                                                      \
      "a walk reads again what lies up to `overlap` behind the watermark")     \
    X(ID_OVERLAP, "id-overlap",                                                \
      "an id cursor sends the id that was the newest one `overlap` ago")       \
    X(SETTLE, "settle", "the watermark stays `settle` behind the clock")       \
    X(CLOCK_FIRST, "clock-first",                                              \
      "a walk is measured by the clock of its first answer, not its last")     \
    X(THEIR_CLOCK, "their-clock",                                              \
      "the watermark is the provider's time, never ours")                      \
    X(WHOLE_WALK, "whole-walk",                                                \
      "the watermark moves behind the last page only")                         \
    X(RESTART, "restart",                                                      \
      "an ascending list paged by position is asked anew from what was read")  \
    X(NO_RESUME, "no-resume",                                                  \
      "numbered pages do not go on where another process stopped")             \
    X(NO_PAGE, "no-page", "an answer that is no list is not an empty one")     \
    X(GAP, "gap", "what the provider kept no longer becomes a gap row")        \
    X(ONE_COMMIT, "one-commit",                                                \
      "a page and the walk's state become durable together")                   \
    X(STORED_FIRST, "stored-first",                                            \
      "a walk goes on only behind a page that is durable")                     \
    X(ACK_DURABLE, "ack-durable",                                              \
      "a sender is told of success only behind a commit that succeeded")       \
    X(UNIQUE, "unique", "what the ledger knows is no new event")               \
    X(PROBES, "probes",                                                        \
      "a key without a time of its own is looked for in older buckets too")    \
    X(PRUNE_FLOOR, "prune-floor",                                              \
      "no key is removed that a walk can still bring back")                    \
    X(FENCE, "fence",                                                          \
      "an outcome counts for the attempt that is running, for no other")       \
    X(LANE, "lane", "of one lane only the earliest delivery may be tried")

#define RULE_NAME(rule, name, doc) RULE_##rule,
enum rule { RULES(RULE_NAME) RULE_COUNT };
#undef RULE_NAME

#ifdef LONGSTOP_SIM
extern enum rule rule_removed; /* RULE_COUNT: none; the simulator's */
#    define RULE(rule) (rule_removed != (rule))
#else
#    define RULE(rule) ((void)(rule), true)
#endif

#endif
