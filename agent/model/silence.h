/* SPDX-License-Identifier: MIT */
/*
 * silence: whether webhooks have stopped: events go on, and walks alone bring
 * them. A provider switches a subscription off after some failures and tells
 * nobody. Pure: time is an argument.
 *
 * An event is missed when its grace has ended without a webhook. So many missed
 * in a row are a silence as chance does not explain at the share that webhooks
 * had before: at least `after`, and more where webhooks are made of a part of
 * the events only.
 */
#ifndef MODEL_SILENCE_H
#define MODEL_SILENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct silence_plan {
    int64_t after;    /* events missed in a row; 0: never silent */
    int64_t grace_ms; /* of the connector */
};

/* Start with silence_begin. Times are ms of one clock that does not go back. */
struct silence {
    double shown;     /* events that a webhook has shown; these two fade */
    double missed;    /* events that none has, before the last webhook */
    size_t row;       /* and since */
    int64_t begun_ms; /* when watching began */
    int64_t hook_ms;  /* of the last webhook; or when watching began */
    bool hooked;      /* there has been one */
    bool silent;
};

void silence_begin(struct silence *silence, int64_t now_ms);

/* A genuine request has come and shown `events`. Returns whether it ends a
 * silence. */
bool silence_hooked(struct silence *silence, size_t events, int64_t now_ms);

/* The grace of `events` has ended without a webhook. Returns whether a silence
 * begins with them, once for each. What was accepted while a process was young
 * says nothing: we had been away, and that is what made the webhooks fail. */
bool silence_missed(struct silence *silence, const struct silence_plan *plan,
                    size_t events, int64_t now_ms);

#endif
