/* SPDX-License-Identifier: MIT */
/*
 * settings: the root of the configuration: its key tables, and the rules that
 * span keys.
 */
#ifndef APP_SETTINGS_H
#define APP_SETTINGS_H

#include "config/config_bind.h"
#include "config/config_key.h"
#include "flow/dispatch.h"
#include "handler/handler_broker.h"
#include "handler/handler_exec.h"
#include "handler/handler_http.h"
#include "io/http_server.h"
#include "io/tls.h"
#include "model/connector.h"
#include "model/receiver.h"
#include "model/retry.h"
#include "model/route.h"

#include <stdbool.h>
#include <stdint.h>

struct listen_settings {
    struct slice address;
    struct slice public_url;
    int64_t max_body;
    struct config_texts trusted_proxies;
    struct cidr *trusted; /* read from the texts */
    size_t trusted_count;
    struct http_server_limits limits;
    struct tls_settings *tls; /* NULL: plain */
    int64_t address_rate;     /* 0: none */
    int64_t address_rate_per_ms;
    int64_t gzip_ratio;
    int64_t head_bytes;
    int64_t field_count;
};

struct admin_settings {
    struct slice address; /* empty: beside the store */
    struct config_secret token;
    struct tls_settings *tls; /* NULL: plain */
    int64_t streams;
};

struct keep_settings {
    int64_t events_ms;
    int64_t attempts_ms;
    int64_t attempts_each; /* log entries of one delivery */
    int64_t dead_ms;       /* 0: for ever */
    int64_t refusals;      /* of each connector */
};

/* Of a store that several agents share. */
struct agents_settings {
    int64_t beat_ms; /* between two signs of life */
    int64_t ttl_ms;  /* without one: dead */
};

struct limit_settings {
    int64_t queue_events;
    int64_t queue_bytes;
    int64_t group_units;
    int64_t keys; /* see struct links_settings */
    int64_t key_age_ms;
    int64_t key_failure_ms;
    int64_t key_waiting;
    int64_t key_fetches;
    int64_t key_timeout_ms;
    int64_t key_bytes;
    int64_t errand_open;
};

/* The brokers come last, in the order of enum broker_kind. */
enum handler_kind {
    HANDLER_EXEC,
    HANDLER_HTTP,
    HANDLER_FILE,
    HANDLER_UNIX,
    HANDLER_BROKERS,
    HANDLER_KINDS = HANDLER_BROKERS + BROKER_KINDS
};

/* Returns the key a kind has in a handler. */
const char *handler_kind_name(enum handler_kind kind);

enum on_dead { ON_DEAD_FREE, ON_DEAD_BLOCK };

struct handler_settings {
    struct route_spec route;
    struct retry_policy retry;
    int on_dead; /* enum on_dead */
    int format;  /* enum delivery_format */
    struct brake_rules brake;
    int64_t timeout_ms;
    int64_t concurrency;
    int64_t ahead;               /* of lines: what a peer is given at a time */
    struct gather_policy *batch; /* NULL: each delivery goes alone */
    struct config_texts exec;
    bool is_worker;
    const struct config_node *env;
    struct slice user;                  /* empty: ours */
    struct handler_http_settings *http; /* NULL: not an http handler */
    struct slice http_secret;           /* as it was read; empty for none */
    struct slice file;
    struct slice unix_path;
    struct broker_settings *broker; /* NULL: not a broker's handler */
    enum handler_kind kind;         /* of the one that is given */
};

struct outbound_settings {
    struct config_texts allow;
    struct receiver_rules rules; /* with what `allow` says */
};

/* What the agent does about a sandbox of its own, see confine.h. */
enum confinement { CONFINE_AUTO, CONFINE_OFF, CONFINE_REQUIRE };

struct log_settings {
    int format; /* 0: as stderr is; else 1 + enum log_format */
    int level;
    int64_t fold_ms;
};

struct settings {
    struct slice store;
    struct listen_settings *listen; /* NULL: outbound only */
    struct admin_settings admin;
    const struct config_node *connectors;
    struct config_list handlers; /* of struct handler_settings */
    struct keep_settings keep;
    struct agents_settings agents;
    struct limit_settings limits;
    struct outbound_settings outbound;
    struct log_settings log;
    int sandbox; /* enum confinement */
};

extern const struct config_table settings_table;

/* Parts of it with a file of their own. */
extern const struct config_table listen_table;
extern const struct config_table admin_table;
extern const struct config_table outbound_table;
extern const struct config_table agents_table;

#endif
