/* SPDX-License-Identifier: MIT */
/*
 * subscription: carries a registration out: sends its requests, keeps beside
 * the store what has to be kept, in the order that model/registration says.
 */
#ifndef FLOW_SUBSCRIPTION_H
#define FLOW_SUBSCRIPTION_H

#include "base/bytes.h"
#include "base/status.h"
#include "model/registration.h"

#include <stdbool.h>

struct access;
struct loop;
struct subscription;

/* One request, answered or, in a dry run, only shown (http_status 0). */
struct subscription_asked {
    const char *purpose;
    const struct rendered_request *request;
    unsigned http_status;
};

struct subscription_settings {
    struct loop *loop;
    struct access *access;
    const struct connector *connector;
    const char *secrets; /* the directory of io/kept */
    enum registration_act act;
    const struct slice *events;
    size_t event_count;
    bool events_are_said; /* see registration_plan */
    bool is_dry;
    /* Called for each request; may be NULL. What it is given is borrowed. */
    void (*asked)(void *arg, const struct subscription_asked *what);
    /* Called once, at the end, never before subscription_start has returned;
     * the subscription may be destroyed there. */
    void (*ended)(void *arg, enum status status,
                  const struct registration_outcome *outcome,
                  const struct error *err);
    void *arg;
};

/*
 * Begins. Borrows what the settings point to. A failure to begin is returned,
 * with words, and `ended` is not called; STATUS_FENCED when another process is
 * at it for this connector.
 */
NODISCARD
enum status subscription_start(const struct subscription_settings *settings,
                               struct subscription **ret, struct error *err);

/* Ends it without a call; what was asked may have been done. NULL is allowed.
 */
void subscription_destroy(struct subscription *subscription);

#endif
