/* SPDX-License-Identifier: MIT */
/*
 * walks: the walks of an agent: for each connector that polls one, and one more
 * for each of its sweeps and for past spans; and trials that store nothing, for
 * `poll --dry-run`.
 */
#ifndef APP_WALKS_H
#define APP_WALKS_H

#include "app/walk_log.h"
#include "flow/leases.h"
#include "flow/telemetry.h"
#include "source/source_poll.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct access;
struct walks;

struct walks_settings {
    struct loop *loop;
    struct access *access;
    const struct connector *connectors;
    size_t connector_count;
    const struct connector *only; /* NULL: all that poll */
    bool once; /* one walk of each connector's first tier, then none */
    const struct source_sink *sink;
    const struct source_sink *trial_sink; /* NULL: no trials */
    const struct telemetry *telemetry;
    struct poll_observer observer;       /* of the first tiers' walks */
    struct poll_observer trial_observer; /* of trials */
    uint64_t seed;
};

/* Borrows what the settings point to. */
NODISCARD
enum status walks_create(const struct walks_settings *settings,
                         struct walks **ret);

/* After `stopped`, or never started. NULL is allowed. */
void walks_destroy(struct walks *walks);

void walks_start(struct walks *walks);

/* Asks for a walk of `connector`, if it has any. */
void walks_poke(struct walks *walks, const struct connector *connector);

/* The same for a webhook's signal, see source_poll_signal. */
void walks_signal(struct walks *walks, const struct connector *connector);

/* Tells of a webhook request of `connector`, see source_poll_hooked. */
void walks_hooked(struct walks *walks, const struct connector *connector,
                  size_t fresh, size_t caught_up);

/* What reads the past spans of `connector`; NULL when it does not poll. */
struct source_poll *walks_backfill(const struct walks *walks,
                                   const struct connector *connector);

/* Holds the requests of all walks of `connector`, or lets them go on. */
void walks_pause(struct walks *walks, const struct connector *connector,
                 bool is_paused);

/* Walks those connectors that are held, by their fences, and lets the others
 * go; see source_poll_hold. */
void walks_hold(struct walks *walks, const struct leases *leases);

/* What all requests to the connector's host share; NULL where no walk of it
 * runs. `arg` is the walks. */
struct poll_host *walks_host(void *arg, const struct connector *connector);

/* The connector's figures: those of its first tier, overlap and lag the largest
 * of all tiers. False when it does not poll. */
bool walks_figures(const struct walks *walks, const struct connector *connector,
                   struct poll_figures *ret_figures);

/* Begins a trial of `connector`, or joins the one that runs; false when that
 * cannot be. */
bool walks_try(struct walks *walks, const struct connector *connector);

/* Ends all; returns how often `stopped` will be called, never before this has
 * returned. */
size_t walks_stop(struct walks *walks, void (*stopped)(void *arg), void *arg);

/*
 * Ends `walks`, each once what it has asked is stored, and starts those of
 * `heirs` as soon as what they follow has ended: two walks of one tier are
 * never on their way. Returns how often `ended` will be called, never before
 * this has returned.
 */
size_t walks_hand_over(struct walks *walks, struct walks *heirs,
                       void (*ended)(void *arg), void *arg);

/* Cuts what walks_hand_over waits for. */
void walks_hurry(struct walks *walks);

/* One tier as it stands, for people. */
struct walks_tier {
    int64_t overlap_ms;
    int64_t every_ms;    /* as configured; of no meaning with a cron line */
    struct slice cron;   /* empty: `every` */
    int64_t interval_ms; /* from one walk to the next as it is now; 0: cron */
    bool adaptive;       /* that moves as webhooks miss */
    bool hurried;        /* webhooks are overdue */
    /* hw − overlap, provider's clock; 0: not yet. */
    int64_t complete_until_ms;
    unsigned failures; /* in a row */
    bool has_walked; /* in this process; the rest says how the last one went */
    enum poll_outcome outcome;
    int64_t ended_ms;
    int64_t next_ms; /* when the next one is due */
    size_t rows, fresh, known;
    struct slice why; /* of a failure; borrowed until its next walk ends */
};

/* Tells of a tier of `connector`, `poll:` itself or a sweep; false when it has
 * no such tier. */
bool walks_tier(const struct walks *walks, const struct connector *connector,
                unsigned tier, struct walks_tier *ret_tier);

/* The walks of a connector's tiers, and at last those of past spans: what the
 * `index`-th of these has in its log. NULL behind the last. */
const struct walk_log *walks_log(const struct walks *walks,
                                 const struct connector *connector,
                                 size_t index, unsigned *ret_tier);

/* Up to when `connector` is complete: the latest of its tiers, never going
 * back; provider's clock, 0: not yet, or it does not poll. */
int64_t walks_complete_until(const struct walks *walks,
                             const struct connector *connector);

/* Brings the gauges of what walks have proved up to date. */
void walks_gauge(const struct walks *walks);

/* The stamps that the walks of `connector` have read and will not read again,
 * so that what they did not list there is not listed; false while that is not
 * known. */
bool walks_behind(const struct walks *walks, const struct connector *connector,
                  int64_t *ret_from_ms, int64_t *ret_until_ms);

/* All tiers of all connectors, as long as the walks. */
struct source_poll *const *walks_polls(const struct walks *walks);
size_t walks_count(const struct walks *walks);

#endif
