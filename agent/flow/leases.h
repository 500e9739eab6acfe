/* SPDX-License-Identifier: MIT */
/*
 * leases: what this agent does for all that share the store, and nobody else
 * does meanwhile: each connector's walks, stream and hooks, by a lease.
 *
 * Signs of life go to the store; its answers say what is held, and by which
 * fence. An answer is trusted until `ttl_ms`, less a margin, have passed since
 * it was asked for, by this machine's monotonic clock; then all is let go until
 * the next one. So who holds a lease and does not know that it has lost it does
 * nothing, and what it did before is fenced off by the store.
 */
#ifndef FLOW_LEASES_H
#define FLOW_LEASES_H

#include "base/metric.h"
#include "store/store_worker.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct leases;

/* Of what one agent does for all, and no connector is about. */
#define LEASE_OF_ALL 0U

struct leases_settings {
    int64_t every_ms; /* between two signs of life: 5 s */
    int64_t ttl_ms;   /* without one: dead. 15 s */
    /* The lowest stamp that walks by leases can still read; INT64_MIN: not
     * known, INT64_MAX: none. */
    int64_t (*lowest)(void *arg);
    /* What is held, or by which fence, has changed: see leases_held. */
    void (*changed)(void *arg);
    /* Another agent has something for what is held here: a walk. */
    void (*poked)(void *arg, uint32_t connector);
    /* An answer came, and all that it changes is told. */
    void (*answered)(void *arg, const struct store_beat *beat);
    void *arg;
    struct metric *agents; /* that live; may be NULL */
};

/* Borrows loop and worker; the worker's store has `beat`. */
NODISCARD
enum status leases_create(struct loop *loop, struct store_worker *worker,
                          const struct leases_settings *settings,
                          struct leases **ret);

/* Names the connectors that there are from the next sign of life on, in any
 * order. What is not among them any more is let go; what came is asked for
 * soon. STATUS_NOMEM changes nothing. */
NODISCARD
enum status leases_name(struct leases *leases, const uint32_t *connectors,
                        size_t count);

/* Gives the first sign of life. */
void leases_start(struct leases *leases);

/* Lets all go, and gives it back: others take over at once. Signs of life go on
 * for as long as deliveries may run. NULL is allowed. */
void leases_stop(struct leases *leases);

/* Only when the worker is gone. NULL is allowed. */
void leases_destroy(struct leases *leases);

/* Whether the connector's lease is held, and its fence. Where there are no
 * leases (NULL) all is held, by fence 0, which none is asked about. */
bool leases_held(const struct leases *leases, uint32_t connector,
                 uint64_t *ret_fence);

/* There is something for who holds the connector's lease: if that is another
 * one, it is told with the next sign of life, which comes at once. */
void leases_poke(struct leases *leases, uint32_t connector);

/* The last answer, while it is trusted; NULL: there is none. Its `leases` are
 * not for reading. Borrowed until the loop's next turn. */
const struct store_beat *leases_answer(const struct leases *leases);

#endif
