/* SPDX-License-Identifier: MIT */
/*
 * links: fetches what a webhook request leads to before it can be answered: the
 * public key it was signed with, and the URL that confirms a subscription.
 *
 * Such a URL was written by whoever sent the request. It has passed the
 * connector's pattern when it comes here; it is asked for once however many
 * requests wait for it, without redirects, with little time and room, and
 * never at an address of this machine or a private network. Where the
 * configuration gives `link_base`, paths are asked for there instead, without
 * that guard: whoever writes the configuration may say what he likes.
 *
 * Keys are kept by their URL, or by the connector and the name that the token
 * gave. What failed is remembered for a while, so that a flood of requests
 * costs one fetch. A key that was in use is fetched again however many others
 * were asked for, and of what may be asked for a part is kept for names that
 * were turned away and come again.
 */
#ifndef FLOW_LINKS_H
#define FLOW_LINKS_H

#include "base/list.h"
#include "base/status.h"
#include "model/connector.h"
#include "model/verify.h"

struct http_client;
struct link_call;
struct links;
struct loop;

struct links_settings {
    const struct connector *connectors;
    size_t connector_count;
    int64_t keys;       /* kept at most, with what failed: 256 */
    int64_t key_age_ms; /* asked for again after that: 1d */
    int64_t failure_ms; /* how long a failure is remembered: 30s */
    int64_t waiting;    /* requests that wait at most: 256 */
    int64_t per_minute; /* fetches of one connector for what is new: 60 */
    int64_t timeout_ms; /* of a fetch: 5s */
    int64_t max_bytes;  /* of what is fetched: 64KiB */
};

/* A request that waits; zeroed by its owner at first. */
struct link_wait {
    struct list link;
    /* Called once, never before links_… has returned. `key` is borrowed for the
     * call, and empty for a confirmation. The words of a failure are short and
     * for the operator. */
    void (*done)(void *arg, enum status status, struct slice key,
                 const struct error *err);
    void *arg;
};

/* Borrows loop and client. */
NODISCARD
enum status links_create(struct loop *loop, struct http_client *client,
                         const struct links_settings *settings,
                         struct links **ret);

/* Nobody may wait. NULL is allowed. */
void links_destroy(struct links *links);

/* Returns a key that is kept, as SubjectPublicKeyInfo. STATUS_NOT_FOUND when it
 * has to be brought; a failure that is remembered is STATUS_UNAVAILABLE, with
 * its words. */
NODISCARD
enum status links_find(struct links *links, struct slice name,
                       struct slice *ret_key, struct error *err);

/* Brings a key. On STATUS_OK `wait` is told; else STATUS_BUSY (too many wait,
 * or were asked for in the last minute) or why the request cannot be sent. */
NODISCARD
enum status links_bring(struct links *links, const struct connector *connector,
                        const struct verify_want *want, struct link_wait *wait,
                        struct error *err);

/* Asks for a URL; any 2xx is STATUS_OK. Otherwise as links_bring. */
NODISCARD
enum status links_confirm(struct links *links,
                          const struct connector *connector, struct slice url,
                          struct link_wait *wait, struct error *err);

/* Ends what runs: all that wait are told STATUS_CANCELED before this returns,
 * and nothing is begun any more. NULL is allowed. */
void links_stop(struct links *links);

#endif
