/* SPDX-License-Identifier: MIT */
#include "app/settings.h"

#include "base/instant.h"
#include "base/suggest.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- handlers ---- */

/* enum on_dead */
static const char *const on_dead_words[] = { "free", "block", NULL };

/* How many entries may be under way to a broker, unless it is said. */
#define AT_ONCE_CONCURRENCY 256

static const char *const formats[] = { "cloudevents", "raw",
                                       "cloudevents-binary", NULL };

static void
parse_rate(struct config_binding *binding, const struct config_node *node,
           void *place)
{
    struct brake_rules *brake =
        (void *)((char *)place - offsetof(struct brake_rules, rate));
    if (node->kind != CONFIG_SCALAR ||
        instant_parse_rate(node->text, &brake->rate, &brake->rate_per_ms) !=
            STATUS_OK) {
        config_report_add(binding->report, CONFIG_ERROR, node->mark,
                          "rate: expected attempts and a time, such as 100/s "
                          "or 30/1m");
    }
}

/* The four keys that say what a handler is owed are read by the route. */
#define ROUTE_KEY(key, parser, of, words)                                      \
    {                                                                          \
        .name = key, .type = CONFIG_CUSTOM,                                    \
        .offset = offsetof(struct handler_settings, route), .parse = parser,   \
        .schema = of, .doc = words                                             \
    }

#define TEXTS_SCHEMA                                                           \
    "{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"array\",\"items\":{"        \
    "\"type\":\"string\"}}]}"

#define BROKER_KEY(key, of, words)                                             \
    {                                                                          \
        .name = key, .type = CONFIG_TABLE_PTR,                                 \
        .offset = offsetof(struct handler_settings, broker),                   \
        .table = &broker_tables[of], .doc = words                              \
    }

static const struct config_key handler_keys[] = {
    ROUTE_KEY("from", route_parse_from, TEXTS_SCHEMA,
              "Connectors whose events it gets; default: all."),
    ROUTE_KEY("types", route_parse_types, TEXTS_SCHEMA,
              "Globs of event types; a leading ! excludes."),
    ROUTE_KEY("where", route_parse_where, "{\"type\":\"array\"}",
              "Conditions on the envelope, by JSON Pointer; all must hold."),
    ROUTE_KEY("order_by", route_parse_order_by, "{\"type\":\"string\"}",
              "JSON Pointer: events with the same value come in order, one at "
              "a time; those without it, in none."),
    { .name = "on_dead",
      .type = CONFIG_CHOICE,
      .offset = offsetof(struct handler_settings, on_dead),
      .choices = on_dead_words,
      .fallback = "free",
      .doc = "With order_by: a dead letter frees its lane, or blocks it until "
             "it is retried or dropped." },
    { .name = "exec",
      .type = CONFIG_TEXTS,
      .offset = offsetof(struct handler_settings, exec),
      .doc = "Program and arguments; the envelope is on its stdin." },
    { .name = "env",
      .type = CONFIG_NODE,
      .offset = offsetof(struct handler_settings, env),
      .schema = "{\"type\":\"object\",\"additionalProperties\":{\"type\":"
                "[\"string\",\"number\",\"boolean\"]}}",
      .doc = "What an exec handler's environment has besides its own." },
    { .name = "user",
      .type = CONFIG_TEXT,
      .offset = offsetof(struct handler_settings, user),
      .doc = "The account that the program of exec runs as, with its groups; "
             "the agent needs root, or CAP_SETUID and CAP_SETGID." },
    { .name = "worker",
      .type = CONFIG_BOOL,
      .offset = offsetof(struct handler_settings, is_worker),
      .fallback = "false",
      .doc = "The program of exec stays: it reads one envelope a line and "
             "answers each with a line, {\"id\":\"...\",\"ok\":true}." },
    { .name = "unix",
      .type = CONFIG_PATH,
      .offset = offsetof(struct handler_settings, unix_path),
      .doc = "A stream socket whose server is given one envelope a line and "
             "answers as a worker does." },
    { .name = "ahead",
      .type = CONFIG_INT,
      .offset = offsetof(struct handler_settings, ahead),
      .fallback = "1",
      .min = "1",
      .max = "256",
      .doc = "Envelopes a worker or a connection is given before it has "
             "answered the first." },
    { .name = "http",
      .type = CONFIG_TABLE_PTR,
      .offset = offsetof(struct handler_settings, http),
      .table = &handler_http_table,
      .doc = "Posts the envelope to a URL." },
    { .name = "file",
      .type = CONFIG_PATH,
      .offset = offsetof(struct handler_settings, file),
      .doc = "Appends the envelope as a line." },
    BROKER_KEY("amqp", BROKER_AMQP, "Publishes to RabbitMQ."),
    BROKER_KEY("kafka", BROKER_KAFKA, "Produces to a topic of Kafka."),
    BROKER_KEY("mqtt", BROKER_MQTT, "Publishes to an MQTT 5 broker."),
    BROKER_KEY("nats", BROKER_NATS, "Publishes to NATS JetStream."),
    BROKER_KEY("postgresql", BROKER_POSTGRESQL,
               "Inserts into a table of PostgreSQL."),
    BROKER_KEY("redis", BROKER_REDIS, "Appends to a stream of Redis."),
    { .name = "format",
      .type = CONFIG_CHOICE,
      .offset = offsetof(struct handler_settings, format),
      .choices = formats,
      .fallback = "cloudevents",
      .doc =
          "The CloudEvents envelope, the provider's bytes, or, for http, the "
          "data with the envelope in header fields." },
    { .name = "timeout",
      .type = CONFIG_DURATION,
      .offset = offsetof(struct handler_settings, timeout_ms),
      .fallback = "30s",
      .min = "100ms",
      .max = "1d",
      .doc = "Longest time of one attempt." },
    { .name = "concurrency",
      .type = CONFIG_INT,
      .offset = offsetof(struct handler_settings, concurrency),
      .fallback = "4",
      .min = "1",
      .max = "1024",
      .doc = "Attempts at a time; of a broker's or a file's handler 256 unless "
             "given, since what waits goes as one batch or one write." },
    { .name = "rate",
      .type = CONFIG_CUSTOM,
      .offset = offsetof(struct handler_settings, brake.rate),
      .parse = parse_rate,
      .schema = "{\"type\":\"string\"}",
      .doc = "Attempts in a time, such as 100/s, evenly: after a rest a tenth "
             "of a second's worth may start at once; default: no limit." },
    { .name = "breaker",
      .type = CONFIG_TABLE,
      .offset = offsetof(struct handler_settings, brake.breaker),
      .table = &breaker_table,
      .doc = "When the handler is left alone because it fails." },
    { .name = "batch",
      .type = CONFIG_TABLE_PTR,
      .offset = offsetof(struct handler_settings, batch),
      .table = &gather_table,
      .doc = "Several events in one attempt; for exec and http." },
    { .name = "retry",
      .type = CONFIG_TABLE,
      .offset = offsetof(struct handler_settings, retry),
      .table = &retry_table,
      .doc = "When a failed attempt is made again." },
};

static const struct config_node *
child(const struct config_node *node, const char *key)
{
    return node == NULL ? NULL : config_node_child(node, key);
}

/* Reports what is wrong with one key of a handler. */
static void
refuse(struct config_binding *binding, const struct config_node *node,
       const char *key, const char *words)
{
    const struct config_node *at = child(node, key);
    if (at != NULL) {
        config_report_add(binding->report, CONFIG_ERROR, at->key_mark, "%s",
                          words);
    }
}

/* Keys and formats that only some kinds have. */
static void
check_kind(struct config_binding *binding, const struct config_node *node,
           const struct handler_settings *handler)
{
    bool is_worker = handler->kind == HANDLER_EXEC && handler->is_worker;
    bool is_unix = handler->kind == HANDLER_UNIX;
    if (handler->is_worker && !is_worker) {
        refuse(binding, node, "worker", "worker is for exec handlers");
    }
    if (handler->kind != HANDLER_EXEC) {
        refuse(binding, node, "user", "user is for exec handlers");
    }
    if (!is_worker && !is_unix) {
        refuse(binding, node, "ahead",
               "ahead is for workers (exec with worker: true) and unix "
               "handlers");
    }
    if (handler->format == FORMAT_BINARY && handler->kind != HANDLER_HTTP) {
        refuse(binding, node, "format",
               "cloudevents-binary has the envelope in header fields: it is "
               "for http handlers");
    }
    if (handler->format == FORMAT_RAW &&
        (is_worker || is_unix || handler->kind == HANDLER_FILE)) {
        refuse(binding, node, "format",
               "workers, unix handlers and files are given one CloudEvents "
               "object a line: 'raw' bytes may have lines of their own");
    }
}

static void
check_env(struct config_binding *binding, const struct config_node *env,
          const struct config_node *exec)
{
    if (env == NULL) {
        return;
    }
    if (exec == NULL) {
        config_report_add(binding->report, CONFIG_ERROR, env->key_mark,
                          "env is for exec handlers");
    }
    for (const struct config_node *at = env->children; at != NULL;
         at = at->next) {
        if (at->kind != CONFIG_SCALAR) {
            config_report_add(binding->report, CONFIG_ERROR, at->mark,
                              "'%.*s' needs a plain value", SLICE_ARG(at->key));
        }
    }
}

const char *
handler_kind_name(enum handler_kind kind)
{
    static const char *const names[] = { "exec", "http", "file", "unix" };
    return kind < HANDLER_BROKERS ? names[kind]
                                  : broker_tables[kind - HANDLER_BROKERS].name;
}

/* Brokers and files take all that is under way at once, with one wait for the
 * acknowledgement or the disk; with four, each wait would be for four. */
static void
check_concurrency(const struct config_node *node,
                  struct handler_settings *handler)
{
    if ((handler->broker != NULL || handler->kind == HANDLER_FILE) &&
        child(node, "concurrency") == NULL) {
        handler->concurrency = AT_ONCE_CONCURRENCY;
    }
}

static const bool takes_batches[HANDLER_KINDS] = {
    [HANDLER_EXEC] = true,
    [HANDLER_HTTP] = true,
};

static void
check_batch(struct config_binding *binding, const struct config_node *batch,
            const struct handler_settings *handler)
{
    const char *words = NULL;
    if (batch == NULL) {
        return;
    }
    if (!takes_batches[handler->kind] || handler->is_worker) {
        words = "batch is for exec and http handlers: all others, and workers, "
                "take their events as they come";
    } else if (handler->format != FORMAT_CLOUDEVENTS) {
        words = "a batch is a JSON array of envelopes: it needs format: "
                "cloudevents";
    } else if (handler->retry.attempts < 2) {
        words = "the last attempt at an event is made alone: with "
                "retry.attempts: 1 there is no batch";
    }
    if (words != NULL) {
        config_report_add(binding->report, CONFIG_ERROR, batch->key_mark, "%s",
                          words);
    }
}

/* Exactly one of the kinds, and its keys only. */
static void
check_handler(struct config_binding *binding, const struct config_node *node,
              void *bound)
{
    struct handler_settings *handler = bound;
    size_t given = 0;
    for (size_t i = 0; i < HANDLER_KINDS; i++) {
        if (child(node, handler_kind_name((enum handler_kind)i)) != NULL) {
            given++;
            handler->kind = (enum handler_kind)i;
        }
    }
    if (given != 1 && node != NULL) {
        config_report_add(binding->report, CONFIG_ERROR, node->key_mark,
                          "handler '%.*s' needs exactly one of exec, http, "
                          "unix, file, amqp, kafka, mqtt, nats, postgresql "
                          "and redis",
                          SLICE_ARG(node->key));
    }
    const struct config_node *exec = child(node, "exec");
    if (exec != NULL && handler->exec.count == 0) {
        config_report_add(binding->report, CONFIG_ERROR, exec->mark,
                          "exec needs a program: [./fulfil.sh, --fast]");
    }
    check_kind(binding, node, handler);
    check_env(binding, child(node, "env"), exec);
    check_batch(binding, child(node, "batch"), handler);
    if (handler->on_dead == ON_DEAD_BLOCK && handler->route.order_by.len == 0) {
        const struct config_node *on_dead = child(node, "on_dead");
        config_report_add(binding->report, CONFIG_ERROR,
                          on_dead != NULL ? on_dead->mark : node->mark,
                          "on_dead: block needs order_by: without it there are "
                          "no lanes to block");
    }
    check_concurrency(node, handler);
}

static const struct config_table handler_table = {
    .name = "handler",
    .keys = handler_keys,
    .count = COUNT(handler_keys),
    .size = sizeof(struct handler_settings),
    .doc = "Where deliveries go: exactly one of exec, http, unix, file, "
           "amqp, kafka, mqtt, nats, postgresql and redis.",
    .check = check_handler,
};

/* ---- keep, limits, log ---- */

/* "forever", or a duration. */
static void
parse_forever(struct config_binding *binding, const struct config_node *node,
              void *place)
{
    int64_t *ms = place;
    if (node->kind == CONFIG_SCALAR &&
        slice_equal_text(node->text, "forever")) {
        *ms = 0;
    } else {
        (void)config_bind_duration(binding, node, ms);
    }
}

static const struct config_key keep_keys[] = {
    { .name = "events",
      .type = CONFIG_DURATION,
      .offset = offsetof(struct keep_settings, events_ms),
      .fallback = "7d",
      .min = "1m",
      .max = "3650d",
      .doc = "How long delivered events stay for replay; at least 5m more "
             "than any grace." },
    { .name = "attempts",
      .type = CONFIG_DURATION,
      .offset = offsetof(struct keep_settings, attempts_ms),
      .fallback = "7d",
      .min = "1m",
      .max = "3650d",
      .doc = "How long the log of attempts stays." },
    { .name = "attempts_each",
      .type = CONFIG_INT,
      .offset = offsetof(struct keep_settings, attempts_each),
      .fallback = "100",
      .min = "1",
      .max = "1000",
      .doc = "Log entries of one delivery: the last that many attempts." },
    { .name = "dead",
      .type = CONFIG_CUSTOM,
      .offset = offsetof(struct keep_settings, dead_ms),
      .parse = parse_forever,
      .schema = "{\"type\":\"string\"}",
      .doc = "How long dead letters stay; default: forever." },
    { .name = "refusals",
      .type = CONFIG_INT,
      .offset = offsetof(struct keep_settings, refusals),
      .fallback = "1000",
      .min = "0",
      .max = "100000",
      .doc = "How many requests that were not accepted stay of each connector, "
             "without their bodies; 0: none." },
};

static const struct config_table keep_table = {
    .name = "keep",
    .keys = keep_keys,
    .count = COUNT(keep_keys),
    .size = sizeof(struct keep_settings),
    .doc = "How long things stay in the store.",
};

static const struct config_key limit_keys[] = {
    { .name = "queue_events",
      .type = CONFIG_INT,
      .offset = offsetof(struct limit_settings, queue_events),
      .fallback = "8192",
      .min = "16",
      .max = "1000000",
      .doc = "Events that may wait for the store; over it: 503." },
    { .name = "queue_bytes",
      .type = CONFIG_SIZE,
      .offset = offsetof(struct limit_settings, queue_bytes),
      .fallback = "64MiB",
      .min = "1MiB",
      .max = "16GiB",
      .doc = "Bytes that may wait for the store; over it: 503." },
    { .name = "group",
      .type = CONFIG_INT,
      .offset = offsetof(struct limit_settings, group_units),
      .fallback = "512",
      .min = "1",
      .max = "10000",
      .doc = "Requests, pages and outcomes that share a transaction at most." },
    { .name = "keys",
      .type = CONFIG_INT,
      .offset = offsetof(struct limit_settings, keys),
      .fallback = "256",
      .min = "1",
      .max = "100000",
      .doc = "Public keys kept, with those that could not be fetched." },
    { .name = "key_age",
      .type = CONFIG_DURATION,
      .offset = offsetof(struct limit_settings, key_age_ms),
      .fallback = "1d",
      .min = "1m",
      .max = "30d",
      .doc = "How long a fetched key is kept before it is asked for again." },
    { .name = "key_failure",
      .type = CONFIG_DURATION,
      .offset = offsetof(struct limit_settings, key_failure_ms),
      .fallback = "30s",
      .min = "1s",
      .max = "1h",
      .doc = "How long nobody asks again for a key that could not be fetched: "
             "503 meanwhile." },
    { .name = "key_waiting",
      .type = CONFIG_INT,
      .offset = offsetof(struct limit_settings, key_waiting),
      .fallback = "256",
      .min = "1",
      .max = "100000",
      .doc =
          "Webhooks that may wait for a key or a confirmation; over it: 503." },
    { .name = "key_fetches",
      .type = CONFIG_INT,
      .offset = offsetof(struct limit_settings, key_fetches),
      .fallback = "60",
      .min = "1",
      .max = "100000",
      .doc = "Keys and confirmations fetched for one connector in a minute at "
             "most, a quarter of them for what was turned away and comes "
             "again; a key that was in use does not count." },
    { .name = "key_timeout",
      .type = CONFIG_DURATION,
      .offset = offsetof(struct limit_settings, key_timeout_ms),
      .fallback = "5s",
      .min = "100ms",
      .max = "1m",
      .doc = "For fetching one of them." },
    { .name = "key_bytes",
      .type = CONFIG_SIZE,
      .offset = offsetof(struct limit_settings, key_bytes),
      .fallback = "64KiB",
      .min = "1KiB",
      .max = "1MiB",
      .doc = "Longest answer to that." },
    { .name = "errand_open",
      .type = CONFIG_INT,
      .offset = offsetof(struct limit_settings, errand_open),
      .fallback = "1000",
      .min = "1",
      .max = "100000",
      .doc = "Deliveries of one retry or replay that are not over; it goes on "
             "as they end." },
};

static const struct config_table limit_table = {
    .name = "limits",
    .keys = limit_keys,
    .count = COUNT(limit_keys),
    .size = sizeof(struct limit_settings),
    .doc = "What may wait in memory.",
};

static const char *const log_formats[] = { "auto", "text", "logfmt", "json",
                                           NULL };
static const char *const log_levels[] = { "error", "warn", "info", "debug",
                                          NULL };

static const struct config_key log_keys[] = {
    { .name = "format",
      .type = CONFIG_CHOICE,
      .offset = offsetof(struct log_settings, format),
      .choices = log_formats,
      .fallback = "auto",
      .doc = "How lines look; auto: text on a terminal, logfmt elsewhere." },
    { .name = "level",
      .type = CONFIG_CHOICE,
      .offset = offsetof(struct log_settings, level),
      .choices = log_levels,
      .fallback = "info",
      .doc = "The least important lines that are written." },
    { .name = "fold",
      .type = CONFIG_DURATION,
      .offset = offsetof(struct log_settings, fold_ms),
      .fallback = "60s",
      .min = "0s",
      .max = "1d",
      .doc = "A line that comes again within this time is counted, and said "
             "once with how often; 0s: every line is written." },
};

static const struct config_table log_table = {
    .name = "log",
    .keys = log_keys,
    .count = COUNT(log_keys),
    .size = sizeof(struct log_settings),
    .doc = "The program's own log, on stderr.",
};

/* ---- the root ---- */

/* enum confinement */
static const char *const confinements[] = { "auto", "off", "require", NULL };

static const struct config_key root_keys[] = {
    { .name = "store",
      .type = CONFIG_TEXT,
      .offset = offsetof(struct settings, store),
      .doc = "sqlite:PATH, or postgresql://USER@HOST/DATABASE, which several "
             "agents share; default: longstop.db in $STATE_DIRECTORY, else "
             "here." },
    { .name = "listen",
      .type = CONFIG_TABLE_PTR,
      .offset = offsetof(struct settings, listen),
      .table = &listen_table,
      .doc = "The listener for webhooks; leave it out to be outbound only." },
    { .name = "admin",
      .type = CONFIG_TABLE,
      .offset = offsetof(struct settings, admin),
      .table = &admin_table,
      .doc = "The local endpoint for health, metrics and commands." },
    { .name = "connectors",
      .type = CONFIG_NODE,
      .offset = offsetof(struct settings, connectors),
      .table = &connector_table,
      .required = true,
      .doc = "Provider accounts, by name; the webhook path is "
             "/hooks/NAME." },
    { .name = "handlers",
      .type = CONFIG_NAMED,
      .offset = offsetof(struct settings, handlers),
      .table = &handler_table,
      .doc = "Where deliveries go, by name." },
    { .name = "keep",
      .type = CONFIG_TABLE,
      .offset = offsetof(struct settings, keep),
      .table = &keep_table,
      .doc = "How long things stay in the store." },
    { .name = "agents",
      .type = CONFIG_TABLE,
      .offset = offsetof(struct settings, agents),
      .table = &agents_table,
      .doc = "Where several agents share the store." },
    { .name = "limits",
      .type = CONFIG_TABLE,
      .offset = offsetof(struct settings, limits),
      .table = &limit_table,
      .doc = "What may wait in memory." },
    { .name = "outbound",
      .type = CONFIG_TABLE,
      .offset = offsetof(struct settings, outbound),
      .table = &outbound_table,
      .doc = "Receivers that register themselves to be sent events as "
             "webhooks." },
    { .name = "log",
      .type = CONFIG_TABLE,
      .offset = offsetof(struct settings, log),
      .table = &log_table,
      .doc = "The program's own log." },
    { .name = "sandbox",
      .type = CONFIG_CHOICE,
      .offset = offsetof(struct settings, sandbox),
      .choices = confinements,
      .fallback = "auto",
      .doc = "Whether 'run' gives up what it has no use for: writing but to "
             "its own directories, system calls of intruders. auto: as far "
             "as the kernel can; require: all of it, or no start." },
};

/* The connector that was probably meant, or NULL. */
static const char *
nearest(const struct config_node *connectors, struct slice name)
{
    for (const struct config_node *at = connectors->children; at != NULL;
         at = at->next) {
        if (suggest_near(name, &at->key.ptr, 1) != NULL) {
            return at->key.ptr;
        }
    }
    return NULL;
}

/* Where a handler says `name`. */
static struct config_mark
mark_of(const struct config_node *from, struct slice name)
{
    for (const struct config_node *at = from->children; at != NULL;
         at = at->next) {
        if (slice_equal(at->text, name)) {
            return at->mark;
        }
    }
    return from->mark;
}

/* A handler that listens to a connector nobody configured gets nothing. */
static void
check_from(struct config_binding *binding, const struct config_node *root,
           const struct settings *settings)
{
    const struct handler_settings *all = settings->handlers.at;
    for (size_t i = 0; i < settings->handlers.count; i++) {
        struct slice handler = settings->handlers.names[i];
        const struct config_node *from =
            child(child(child(root, "handlers"), handler.ptr), "from");
        for (size_t j = 0; from != NULL && j < all[i].route.from_count; j++) {
            struct slice name = all[i].route.from[j];
            if (child(settings->connectors, name.ptr) != NULL) {
                continue;
            }
            const char *meant = nearest(settings->connectors, name);
            config_report_add(
                binding->report, CONFIG_ERROR, mark_of(from, name),
                "handler '%.*s' takes from '%.*s', which is no "
                "connector%s%s%s",
                SLICE_ARG(handler), SLICE_ARG(name),
                meant == NULL ? "" : "; did you mean '",
                meant == NULL ? "" : meant, meant == NULL ? "" : "'?");
        }
    }
}

static void
check_root(struct config_binding *binding, const struct config_node *node,
           void *bound)
{
    const struct settings *settings = bound;
    if (settings->connectors != NULL &&
        settings->connectors->kind == CONFIG_MAPPING) {
        check_from(binding, node, settings);
    }
}

const struct config_table settings_table = {
    .name = "the configuration",
    .keys = root_keys,
    .count = COUNT(root_keys),
    .size = sizeof(struct settings),
    .doc = "Longstop's configuration.",
    .check = check_root,
};
