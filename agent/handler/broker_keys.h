/* SPDX-License-Identifier: MIT */
/*
 * broker_keys: the keys that a handler has for each kind of broker, and their
 * values as its plugin is given them.
 */
#ifndef HANDLER_BROKER_KEYS_H
#define HANDLER_BROKER_KEYS_H

#include "base/mem.h"
#include "config/config_key.h"
#include "plugin/plugin.h"
#include "wire/template.h"

enum broker_kind {
    BROKER_AMQP,
    BROKER_KAFKA,
    BROKER_MQTT,
    BROKER_NATS,
    BROKER_POSTGRESQL,
    BROKER_REDIS,
    BROKER_KINDS
};

#define BROKER_VALUES_MAX 14

/* One value; which member, the type of its key says. */
struct broker_value {
    struct slice text; /* of a secret: as it was read */
    int64_t number;
    int choice;
    bool flag;
    struct config_secret secret;
};

/* The section of one broker, bound by broker_tables[kind]. */
struct broker_settings {
    const struct template *to; /* where an entry goes: subject, topic, … */
    /* Of what is handed to the plugin at once; not among its settings. */
    int64_t batch_max;
    int64_t batch_bytes; /* of bodies; a longer one goes alone */
    struct broker_value values[BROKER_VALUES_MAX]; /* in order of the keys */
};

/* Each kind's table, and by its name the key in a handler. */
extern const struct config_table broker_tables[BROKER_KINDS];

/* Returns the secret of a value, or NULL where the key is none or not given. */
const struct config_secret *
broker_secret(enum broker_kind kind, const struct broker_settings *settings,
              size_t index);

/* Lists what was given and what has a default, as a plugin wants it; in
 * `arena`. STATUS_NOMEM. */
NODISCARD
enum status broker_settings_list(enum broker_kind kind,
                                 const struct broker_settings *settings,
                                 struct arena *arena,
                                 struct longstop_setting **ret,
                                 size_t *ret_count);

#endif
