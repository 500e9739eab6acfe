/* SPDX-License-Identifier: MIT */
/*
 * source_webhook: requests on /hooks/<connector> to arrivals, and verdicts to
 * HTTP answers.
 *
 * Plug source_webhook_handler into an http_server. What can be refused by the
 * head alone (path, method, address, rate, room, size) is refused before a byte
 * of the body is read. Never 410, never a redirect, no reason in a 401: a
 * provider acts on the first two, an attacker learns from the third.
 */
#ifndef SOURCE_SOURCE_WEBHOOK_H
#define SOURCE_SOURCE_WEBHOOK_H

#include "base/metric.h"
#include "io/http_server.h"
#include "model/refusal.h"
#include "source/source.h"

struct loop;
struct source_webhook;

struct source_webhook_settings {
    const struct connector *connectors;
    size_t connector_count;
    const struct cidr *trusted_proxies; /* whose X-Forwarded-For is believed */
    size_t trusted_count;
    int64_t address_rate;           /* requests of one sender in … */
    int64_t address_rate_per_ms;    /* … this time; 0: as many as it likes */
    size_t max_body;                /* of a connector that says nothing else */
    unsigned gzip_ratio;            /* most output bytes per input byte: 100 */
    int64_t retry_after_s;          /* sent with 503: 5 */
    struct metric_family *requests; /* labels connector, outcome; or NULL */
    const char *secrets; /* the directory of io/kept; NULL: nothing is
                            registered */
    /* A webhook asked for an early walk. May be NULL. */
    void (*signal)(void *arg, const struct connector *connector);
    void *signal_arg;
    /* Told of each request that is refused for what it is, just before it is
     * answered; `refusal` is borrowed for the call. What may be sent again
     * (503) and what no route is for (404, 405) is none. May be NULL. */
    void (*refused)(void *arg, const struct refusal *refusal);
    void *refused_arg;
};

/* Borrows the settings' arrays and the sink for as long as it lives. */
NODISCARD
enum status source_webhook_create(
    struct loop *loop, const struct source_webhook_settings *settings,
    const struct source_sink *sink, struct source_webhook **ret);

/* Every exchange must be answered or its server destroyed. NULL is allowed. */
void source_webhook_destroy(struct source_webhook *webhook);

struct http_server_handler
source_webhook_handler(struct source_webhook *webhook);

/* How many requests are with the sink now. */
size_t source_webhook_open(const struct source_webhook *webhook);

#endif
