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

static const struct config_key nats_keys[] = {
    TEXT_KEY(0, "url", .required = true,
             .doc =
                 "nats://HOST:4222 or tls://HOST:4222; several with commas."),
    TO_KEY("subject", .required = true,
           .doc = "Where to publish, with {type}, {connector}, {via} and {id}; "
                  "a JetStream stream must take it."),
    TEXT_KEY(2, "user", .doc = "User, when the server asks for one."),
    SECRET_KEY(3, "password", "The user's password."),
    SECRET_KEY(4, "token", "Token, when the server asks for one."),
    PATH_KEY(5, "credentials", "A .creds file, with JWT and seed."),
    TLS_KEYS(6),
};

static const struct config_key redis_keys[] = {
    TEXT_KEY(0, "url", .required = true,
             .doc = "redis://HOST:6379/0, or unix:PATH."),
    TO_KEY("stream", .required = true,
           .doc = "The stream's key, with {type}, {connector}, {via} and "
                  "{id}."),
    TEXT_KEY(2, "user", .doc = "User, when the server asks for one."),
    SECRET_KEY(3, "password", "Its password, or the server's."),
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
};

#define TABLE(kind, words)                                                     \
    {                                                                          \
        .name = #kind, .keys = kind##_keys,                                    \
        .count = sizeof(kind##_keys) / sizeof(kind##_keys[0]),                 \
        .size = sizeof(struct broker_settings), .doc = words                   \
    }

const struct config_table broker_tables[BROKER_KINDS] = {
    [BROKER_NATS] = TABLE(nats, "Publishes to a JetStream stream of NATS."),
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

/* Writes a value as text; false when it was not given. */
static bool
write_value(const struct config_key *key, const struct broker_value *value,
            struct buf *into)
{
    switch (key->type) {
    case CONFIG_INT:
    case CONFIG_DURATION:
    case CONFIG_SIZE: buf_i64(into, value->number); return true;
    case CONFIG_CHOICE:
        buf_text(into, key->choices[value->choice]);
        return true;
    case CONFIG_TEXT:
    case CONFIG_PATH:
    case CONFIG_SECRET:
        buf_append(into, value->text);
        return value->text.len > 0;
    case CONFIG_BOOL:
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
