/* SPDX-License-Identifier: MIT */
#include "app/demo_account.h"

#include "base/instant.h"

enum answer { NO, YES, PERHAPS };

/* Whether what happened between two moments happened by `limit_ms`. */
static enum answer
is_by(int64_t from_ms, int64_t until_ms, int64_t limit_ms)
{
    if (until_ms <= limit_ms) {
        return YES;
    }
    return from_ms > limit_ms ? NO : PERHAPS;
}

static void
count(struct demo_range *range, enum answer answer)
{
    range->least += answer == YES;
    range->most += answer != NO;
}

/* The page was taken before the agent asked for the next one; where it has not
 * asked, nobody knows when. */
static int64_t
taken_ms(const struct demo_fact *fact)
{
    return fact->asked_ms != 0 ? fact->asked_ms : INT64_MAX;
}

/* A walk brought it: a webhook confirms it in time, is late, or never comes. */
static enum answer
count_walked(const struct demo_rule *rule, const struct demo_fact *fact,
             struct demo_expected *into)
{
    int64_t over_ms = instant_add(fact->accepted_ms, rule->grace_ms);
    enum answer in_time = NO;
    enum answer late = NO;
    if (fact->hooks > 0) {
        in_time = is_by(fact->hook_from_ms, fact->hook_until_ms, over_ms);
        /* Graces are looked at now and then: between its end and that look a
         * webhook may still confirm. */
        if (in_time == NO &&
            fact->hook_from_ms <= instant_add(over_ms, rule->patience_ms)) {
            in_time = PERHAPS;
        }
        late = in_time == PERHAPS ? PERHAPS : (enum answer)(in_time == NO);
    }
    count(&into->confirmed, in_time);
    count(&into->late, late);
    count(&into->recovered, fact->hooks > 0 ? late : YES);
    return in_time;
}

/* A webhook brought it: a walk confirms it in time, or not. */
static enum answer
count_hooked(const struct demo_rule *rule, const struct demo_fact *fact,
             struct demo_expected *into)
{
    enum answer in_time = NO;
    if (fact->shown_ms != 0) {
        in_time = is_by(fact->shown_ms, taken_ms(fact),
                        instant_add(fact->accepted_ms, rule->grace_ms));
    }
    count(&into->confirmed, in_time);
    return in_time;
}

/* The agent takes the begin of a walk to be its first answer's Date, which is
 * cut to a second, less a second, less the time its request lasted. What that
 * leaves above the stamp of an event it missed is the event's lag. */
static enum answer
is_delayed(const struct demo_fact *fact)
{
    int64_t lag_ms = fact->missed_ms - INSTANT_SECOND_MS - fact->stamp_ms;
    if (lag_ms <= 0) {
        return NO;
    }
    return lag_ms > fact->missed_took_ms ? YES : PERHAPS;
}

void
demo_account_add(const struct demo_rule *rule, const struct demo_fact *fact,
                 struct demo_expected *into)
{
    enum answer in_time = fact->by_walk ? count_walked(rule, fact, into)
                                        : count_hooked(rule, fact, into);
    enum answer delayed = NO;
    /* Before the first whole walk nothing can be said. */
    if (fact->shown_ms != 0 && fact->missed_ms != 0) {
        delayed = is_delayed(fact);
        count(&into->measured, YES);
        count(&into->delayed, delayed);
    }
    count(fact->by_walk ? &into->by_walk : &into->by_webhook, YES);
    /* Of an attempt without an answer nobody knows whether it arrived. */
    int64_t first = fact->by_walk ? 0 : 1;
    into->duplicates.least += fact->hooks - first;
    into->duplicates.most += fact->attempts - first;
    into->undecided += in_time == PERHAPS || delayed == PERHAPS;
}

bool
demo_account_fits(const struct demo_fact *fact)
{
    if (fact->by_walk) {
        return fact->shown_ms != 0 && fact->accepted_ms >= fact->shown_ms;
    }
    return fact->hooks > 0 && fact->accepted_ms >= fact->hook_from_ms &&
           fact->accepted_ms <= fact->hook_until_ms;
}
