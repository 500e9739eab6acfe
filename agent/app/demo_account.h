/* SPDX-License-Identifier: MIT */
/*
 * demo_account: what the agent's counters must say, worked out from what is
 * known of each fact without asking them.
 *
 * When the provider's side says that a hook was under way from one moment to
 * another, the agent has seen it at some moment in between; so has it taken a
 * page between the answer and its next request. A fact whose place on one or
 * the other side of its grace is not certain from that widens the figures it
 * may belong to, and is undecided. The demo's provider sends hooks well within
 * grace or well behind it, so that none should be.
 */
#ifndef APP_DEMO_ACCOUNT_H
#define APP_DEMO_ACCOUNT_H

#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

/* One fact, in Unix milliseconds; 0: never. */
struct demo_fact {
    /* Of the provider's journal. */
    int64_t stamp_ms;
    int64_t visible_ms;     /* listed from then on */
    int64_t hooks;          /* answered 2xx */
    int64_t attempts;       /* at sending those */
    int64_t hook_from_ms;   /* the first one was under way */
    int64_t hook_until_ms;  /* and had arrived */
    int64_t shown_ms;       /* the list showed it first */
    int64_t asked_ms;       /* and the agent asked for more */
    int64_t missed_ms;      /* the last whole walk before that; its Date */
    int64_t missed_took_ms; /* so long at most its first request lasted */
    /* Of the handler's file. */
    int64_t handed;      /* so often */
    int64_t accepted_ms; /* the envelope's recordedtime */
    bool by_walk;        /* the envelope's via; else a webhook */
};

struct demo_rule {
    int64_t grace_ms;
    int64_t patience_ms; /* behind it an event may not be counted yet */
};

/* At least, and at most. */
struct demo_range {
    int64_t least;
    int64_t most;
};

struct demo_expected {
    struct demo_range recovered;
    struct demo_range late;
    struct demo_range confirmed;
    struct demo_range by_webhook; /* events */
    struct demo_range by_walk;
    struct demo_range duplicates; /* webhooks of events that were known */
    struct demo_range measured;   /* events whose lag can be known */
    struct demo_range delayed;    /* of which it is above nothing */
    struct demo_range broken;     /* below the complete-until: none */
    int64_t undecided;            /* facts */
};

/* Adds what a fact that was handed over contributes. */
void demo_account_add(const struct demo_rule *rule,
                      const struct demo_fact *fact, struct demo_expected *into);

/* Whether the channel that the envelope names can have brought the fact at the
 * time that it names. */
bool demo_account_fits(const struct demo_fact *fact);

#endif
