/* SPDX-License-Identifier: MIT */
#include "handler/broker_keys.h"

#include <stdio.h>

#include "config/config_bind.h"

/* What may stand in the braces of a subject, topic and the like. */
static const char *const to_kinds[] = { "type", "connector", "via", "id",
                                        NULL };

static void
parse_to(struct config_binding *binding, const struct config_node *node,
         void *place)
{
    struct slice text = { NULL, 0 };
    struct error err = { 0 };
    if (!config_bind_text(binding, node, &text)) {
        return;
    }
    enum status status = template_compile(text, TEMPLATE_BARE_LITERAL, to_kinds,
                                          binding->arena, place, &err);
    if (status == STATUS_NOMEM) {
        binding->report->failed_memory = true;
    } else if (status != STATUS_OK) {
        config_report_add(binding->report, CONFIG_ERROR, node->mark, "%.*s: %s",
                          SLICE_ARG(node->key), err.text);
    }
}

#define VALUE(at, member) offsetof(struct broker_settings, values[at].member)

#define TEXT_KEY(at, key, ...)                                                 \
    {                                                                          \
        .name = key, .type = CONFIG_TEXT, .offset = VALUE(at, text),           \
        __VA_ARGS__                                                            \
    }
#define PATH_KEY(at, key, words)                                               \
    {                                                                          \
        .name = key, .type = CONFIG_PATH, .offset = VALUE(at, text),           \
        .doc = words                                                           \
    }
#define SECRET_KEY(at, key, words)                                             \
    {                                                                          \
        .name = key, .type = CONFIG_SECRET, .offset = VALUE(at, secret),       \
        .doc = words                                                           \
    }
#define TO_KEY(key, ...)                                                       \
    {                                                                          \
        .name = key, .type = CONFIG_CUSTOM, .parse = parse_to,                 \
        .offset = offsetof(struct broker_settings, to),                        \
        .schema = "{\"type\":\"string\"}", __VA_ARGS__                         \
    }
#define TLS_KEYS(at)                                                           \
    PATH_KEY(at, "ca",                                                         \
             "Certificates that its server's must go back to; given, "         \
             "TLS is spoken."),                                                \
        PATH_KEY((at) + 1, "certificate", "Our certificate, for TLS."),        \
        PATH_KEY((at) + 2, "certificate_key", "The key of our certificate.")

#define USER_KEYS(at)                                                          \
    TEXT_KEY(at, "user", .doc = "User, when the server asks for one."),        \
        SECRET_KEY((at) + 1, "password", "The user's password.")

#define BATCH_KEYS()                                                           \
    { .name = "batch_max",                                                     \
      .type = CONFIG_INT,                                                      \
      .offset = offsetof(struct broker_settings, batch_max),                   \
      .fallback = "256",                                                       \
      .min = "1",                                                              \
      .max = "4096",                                                           \
      .doc = "Entries handed to the broker at once, at most." },               \
    {                                                                          \
        .name = "batch_bytes", .type = CONFIG_SIZE,                            \
        .offset = offsetof(struct broker_settings, batch_bytes),               \
        .fallback = "4MiB", .min = "1KiB", .max = "1GiB",                      \
        .doc = "Bytes of their bodies, at most; a longer one goes alone."      \
    }

static const struct config_key amqp_keys[] = {
    TEXT_KEY(0, "url", .required = true,
             .doc = "amqp://HOST:5672/VHOST, or amqps:."),
    TEXT_KEY(1, "exchange",
             .doc = "The exchange; default: the one that takes a queue's name "
                    "as routing key."),
    TO_KEY("routing_key", .required = true,
           .doc = "With {type}, {connector}, {via} and {id}; a queue must take "
                  "it."),
    USER_KEYS(3),
    TLS_KEYS(5),
    BATCH_KEYS(),
};

static const char *const mechanisms[] = { "PLAIN", "SCRAM-SHA-256",
                                          "SCRAM-SHA-512", NULL };
static const char *const codecs[] = { "none", "gzip", "snappy",
                                      "lz4",  "zstd", NULL };

static const struct config_key kafka_keys[] = {
    TEXT_KEY(0, "brokers", .required = true,
             .doc = "HOST:9092 to begin with; several with commas."),
    TO_KEY("topic", .required = true,
           .doc = "The topic, with {type}, {connector}, {via} and {id}."),
    USER_KEYS(2),
    { .name = "mechanism",
      .type = CONFIG_CHOICE,
      .offset = VALUE(4, choice),
      .choices = mechanisms,
      .fallback = "PLAIN",
      .doc = "How the user is known (SASL)." },
    { .name = "tls",
      .type = CONFIG_BOOL,
      .offset = VALUE(5, flag),
      .fallback = "false",
      .doc = "Speak TLS; with `ca` or `certificate` it is spoken anyway." },
    TLS_KEYS(6),
    { .name = "compression",
      .type = CONFIG_CHOICE,
      .offset = VALUE(9, choice),
      .choices = codecs,
      .fallback = "none",
      .doc = "Of batches on their way." },
    { .name = "max_size",
      .type = CONFIG_SIZE,
      .offset = VALUE(10, number),
      .fallback = "1MB",
      .min = "1kB",
      .max = "1GB",
      .doc = "Largest record; the brokers have a limit of their own "
             "(message.max.bytes)." },
    BATCH_KEYS(),
};

static const char *const subscribers[] = { "required", "optional", NULL };

static const struct config_key mqtt_keys[] = {
    TEXT_KEY(0, "url", .required = true,
             .doc = "mqtt://HOST:1883, or mqtts://HOST:8883."),
    TO_KEY("topic", .required = true,
           .doc = "The topic, with {type}, {connector}, {via} and {id}."),
    { .name = "qos",
      .type = CONFIG_INT,
      .offset = VALUE(2, number),
      .fallback = "1",
      .min = "1",
      .max = "2",
      .doc = "1: at least once; 2: once to the broker while it holds the "
             "connection." },
    { .name = "subscriber",
      .type = CONFIG_CHOICE,
      .offset = VALUE(3, choice),
      .choices = subscribers,
      .fallback = "required",
      .doc = "Whether it counts as delivered where nobody has subscribed." },
    TEXT_KEY(4, "client_id", .doc = "Client id; default: a random one."),
    USER_KEYS(5),
    TLS_KEYS(7),
    BATCH_KEYS(),
};

static const struct config_key postgresql_keys[] = {
    TEXT_KEY(0, "url", .required = true,
             .doc = "postgresql://USER@HOST/DATABASE, or key=value pairs of "
                    "libpq; TLS by its sslmode and sslrootcert."),
    TO_KEY("table", .required = true,
           .doc = "[SCHEMA.]TABLE with the columns key (unique), type, source "
                  "and body; with {type}, {connector}, {via} and {id}."),
    SECRET_KEY(2, "password", "The user's password."),
    BATCH_KEYS(),
};

static const struct config_key nats_keys[] = {
    TEXT_KEY(0, "url", .required = true,
             .doc =
                 "nats://HOST:4222 or tls://HOST:4222; several with commas."),
    TO_KEY("subject", .required = true,
           .doc = "Where to publish, with {type}, {connector}, {via} and {id}; "
                  "a JetStream stream must take it."),
    USER_KEYS(2),
    SECRET_KEY(4, "token", "Token, when the server asks for one."),
    PATH_KEY(5, "credentials", "A .creds file, with JWT and seed."),
    TLS_KEYS(6),
    BATCH_KEYS(),
};

static const struct config_key redis_keys[] = {
    TEXT_KEY(0, "url", .required = true,
             .doc = "redis://HOST:6379/0, or unix:PATH."),
    TO_KEY("stream", .required = true,
           .doc = "The stream's key, with {type}, {connector}, {via} and "
                  "{id}."),
    USER_KEYS(2),
    { .name = "maxlen",
      .type = CONFIG_INT,
      .offset = VALUE(4, number),
      .fallback = "0",
      .min = "0",
      .max = "1000000000000",
      .doc = "About how many entries the stream keeps; 0: all." },
    { .name = "dedup",
      .type = CONFIG_DURATION,
      .offset = VALUE(5, number),
      .fallback = "0",
      .min = "0",
      .max = "365d",
      .doc = "For how long the server remembers each key, so that what is "
             "repeated is added once; 0: not at all." },
    BATCH_KEYS(),
};

#define TABLE(kind, words)                                                     \
    {                                                                          \
        .name = #kind, .keys = kind##_keys,                                    \
        .count = sizeof(kind##_keys) / sizeof(kind##_keys[0]),                 \
        .size = sizeof(struct broker_settings), .doc = words                   \
    }

const struct config_table broker_tables[BROKER_KINDS] = {
    [BROKER_AMQP] = TABLE(amqp, "Publishes to an exchange of RabbitMQ."),
    [BROKER_KAFKA] = TABLE(kafka, "Produces to a topic of Kafka."),
    [BROKER_MQTT] = TABLE(mqtt, "Publishes to a topic of an MQTT 5 broker."),
    [BROKER_NATS] = TABLE(nats, "Publishes to a JetStream stream of NATS."),
    [BROKER_POSTGRESQL] =
        TABLE(postgresql, "Inserts into a table of PostgreSQL."),
    [BROKER_REDIS] = TABLE(redis, "Appends to a stream of Redis."),
};

const struct config_secret *
broker_secret(enum broker_kind kind, const struct broker_settings *settings,
              size_t index)
{
    const struct config_secret *secret = &settings->values[index].secret;
    return index < broker_tables[kind].count &&
                   broker_tables[kind].keys[index].type == CONFIG_SECRET &&
                   secret->from != SECRET_NONE
               ? secret
               : NULL;
}

/* Whether a key's value is the plugin's, one of `values`. */
static bool
is_plugins(const struct config_key *key)
{
    return key->offset >= offsetof(struct broker_settings, values);
}

/* Writes a value as text; false when it was not given. */
static bool
write_value(const struct config_key *key, const struct broker_value *value,
            struct buf *into)
{
    switch (key->type) {
    case CONFIG_INT:
    case CONFIG_DURATION:
    case CONFIG_SIZE: buf_i64(into, value->number); return true;
    case CONFIG_BOOL:
        buf_text(into, value->flag ? "true" : "false");
        return true;
    case CONFIG_CHOICE:
        buf_text(into, key->choices[value->choice]);
        return true;
    case CONFIG_TEXT:
    case CONFIG_PATH:
    case CONFIG_SECRET:
        buf_append(into, value->text);
        return value->text.len > 0;
    case CONFIG_TEXTS:
    case CONFIG_SECRETS:
    case CONFIG_TABLE:
    case CONFIG_TABLE_PTR:
    case CONFIG_TABLES:
    case CONFIG_NAMED:
    case CONFIG_NODE:
    case CONFIG_CUSTOM:
    default: return false;
    }
}

enum status
broker_settings_list(enum broker_kind kind,
                     const struct broker_settings *settings,
                     struct arena *arena, struct longstop_setting **ret,
                     size_t *ret_count)
{
    const struct config_table *table = &broker_tables[kind];
    struct longstop_setting *list =
        arena_array(arena, table->count + 1, sizeof(*list));
    size_t count = 0;
    if (list == NULL) {
        return STATUS_NOMEM;
    }
    for (size_t i = 0; i < table->count; i++) {
        struct buf text = { 0 };
        struct slice copy = { NULL, 0 };
        bool is_given =
            is_plugins(&table->keys[i]) &&
            write_value(&table->keys[i], &settings->values[i], &text);
        enum status status = buf_status(&text);
        if (status == STATUS_OK && is_given) {
            status = arena_copy(arena, buf_slice(&text), &copy);
            list[count++] =
                (struct longstop_setting){ table->keys[i].name, copy.ptr };
        }
        mem_wipe(text.ptr, text.len);
        buf_fini(&text);
        if (status != STATUS_OK) {
            return status;
        }
    }
    *ret = list;
    *ret_count = count;
    return STATUS_OK;
}
