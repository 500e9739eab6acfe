/* SPDX-License-Identifier: MIT */
/*
 * kafka: produces to a topic of Kafka, idempotently and with acks from all
 * in-sync replicas; the key is the record's, so one key's records share a
 * partition.
 *
 * The producer lives as long as the session and connects by itself. Each entry
 * is done by its own delivery report. No report comes after publish has
 * returned: what has none by then is purged, and reported as such.
 *
 * A topic is looked up before the first entry for it is produced. The library
 * would wait for one that is not there, or not for us, until time is up, and
 * all other entries with it, without a word about the reason.
 */
#define _POSIX_C_SOURCE 200809L
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/kit.h"

#define TOPIC_MOST 249
#define REASON     512
#define TOPICS     64
#define LOOK_MS    2000
#define SLACK_MS   10000

struct session {
    struct kit_settings settings;
    const struct longstop_host *host;
    rd_kafka_t *producer; /* NULL: to be made */
    size_t open;          /* entries without a report */
    char *topics[TOPICS]; /* that were there when looked up; NULL behind */
    /* What the library said last about the brokers, for who waits in vain. */
    char trouble[LONGSTOP_WORDS_BYTES];
};

/* The producer */

/* What is wrong with an entry may be so with its topic by now. */
static void
forget_topics(struct session *session)
{
    for (size_t i = 0; i < TOPICS; i++) {
        free(session->topics[i]);
        session->topics[i] = NULL;
    }
}

/* What became of one entry, by the brokers or by a purge. */
static void
report(rd_kafka_t *producer, const rd_kafka_message_t *record, void *arg)
{
    struct session *session = arg;
    struct longstop_entry *entry = record->_private;
    (void)producer;
    session->open--;
    if (record->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        entry->outcome = LONGSTOP_DONE;
        kit_say(entry->words, "partition %d offset %lld",
                (int)record->partition, (long long)record->offset);
        return;
    }
    if (record->err == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE ||
        record->err == RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE) {
        entry->outcome = LONGSTOP_DEAD;
    }
    const bool is_waiting = record->err == RD_KAFKA_RESP_ERR__MSG_TIMED_OUT ||
                            record->err == RD_KAFKA_RESP_ERR__PURGE_QUEUE ||
                            record->err == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT;
    forget_topics(session);
    kit_say(entry->words, "kafka: %s%s%s",
            is_waiting ? "no acknowledgement in time"
                       : rd_kafka_err2str(record->err),
            is_waiting && session->trouble[0] != '\0' ? ": " : "",
            is_waiting ? session->trouble : "");
}

static void
note_trouble(rd_kafka_t *producer, int err, const char *reason, void *arg)
{
    struct session *session = arg;
    (void)producer;
    kit_say(session->trouble, "%s",
            reason != NULL ? reason
                           : rd_kafka_err2str((rd_kafka_resp_err_t)err));
}

/* Its own log would go to stderr; what matters comes by note_trouble. */
static void
ignore(const rd_kafka_t *producer, int level, const char *facility,
       const char *text)
{
    (void)producer;
    (void)level;
    (void)facility;
    (void)text;
}

/* Our keys, as the library calls them. */
static const struct {
    const char *ours;
    const char *theirs;
} renamed[] = {
    { "brokers", "bootstrap.servers" },
    { "user", "sasl.username" },
    { "password", "sasl.password" },
    { "ca", "ssl.ca.location" },
    { "certificate", "ssl.certificate.location" },
    { "certificate_key", "ssl.key.location" },
    { "compression", "compression.codec" },
    { "max_size", "message.max.bytes" },
};

static bool
set(rd_kafka_conf_t *conf, const char *name, const char *value,
    char words[LONGSTOP_WORDS_BYTES])
{
    char reason[REASON];
    if (value == NULL ||
        rd_kafka_conf_set(conf, name, value, reason, sizeof(reason)) ==
            RD_KAFKA_CONF_OK) {
        return true;
    }
    kit_say(words, "kafka: %s", reason);
    return false;
}

static bool
secure(rd_kafka_conf_t *conf, const struct kit_settings *settings,
       char words[LONGSTOP_WORDS_BYTES])
{
    const bool has_user = kit_text(settings, "user") != NULL;
    const bool has_tls = kit_is(settings, "tls", "true") ||
                         kit_text(settings, "ca") != NULL ||
                         kit_text(settings, "certificate") != NULL;
    return set(conf, "security.protocol",
               has_user  ? has_tls ? "sasl_ssl" : "sasl_plaintext"
               : has_tls ? "ssl"
                         : "plaintext",
               words) &&
           (!has_user || set(conf, "sasl.mechanism",
                             kit_text(settings, "mechanism"), words));
}

/* NULL with words when the library does not like a setting. */
static rd_kafka_conf_t *
configure(const struct kit_settings *settings, int64_t timeout_ms,
          char words[LONGSTOP_WORDS_BYTES])
{
    char timeout[24];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    /* publish ends every wait; this one only has to be longer. */
    (void)snprintf(timeout, sizeof(timeout), "%lld",
                   (long long)timeout_ms + SLACK_MS);
    bool is_good = set(conf, "enable.idempotence", "true", words) &&
                   set(conf, "client.id", "longstop", words) &&
                   set(conf, "linger.ms", "2", words) &&
                   set(conf, "reconnect.backoff.max.ms", "1000", words) &&
                   set(conf, "message.timeout.ms", timeout, words) &&
                   secure(conf, settings, words);
    for (size_t i = 0; i < sizeof(renamed) / sizeof(renamed[0]) && is_good;
         i++) {
        is_good = set(conf, renamed[i].theirs,
                      kit_text(settings, renamed[i].ours), words);
    }
    if (!is_good) {
        rd_kafka_conf_destroy(conf);
        return NULL;
    }
    rd_kafka_conf_set_dr_msg_cb(conf, report);
    rd_kafka_conf_set_error_cb(conf, note_trouble);
    rd_kafka_conf_set_log_cb(conf, ignore);
    return conf;
}

static void
give_up_producer(struct session *session)
{
    if (session->producer != NULL) {
        rd_kafka_destroy(session->producer);
        session->producer = NULL;
    }
}

static bool
make_producer(struct session *session, int64_t timeout_ms,
              char words[LONGSTOP_WORDS_BYTES])
{
    char reason[REASON];
    if (session->producer != NULL) {
        return true;
    }
    rd_kafka_conf_t *conf = configure(&session->settings, timeout_ms, words);
    if (conf == NULL) {
        return false;
    }
    rd_kafka_conf_set_opaque(conf, session);
    session->producer =
        rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof(reason));
    if (session->producer == NULL) {
        rd_kafka_conf_destroy(conf);
        kit_say(words, "kafka: %s", reason);
    }
    return session->producer != NULL;
}

/* Publishing */

static bool
is_topic(struct longstop_bytes topic)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    for (size_t i = 0; i < topic.len; i++) {
        if (topic.at[i] == '\0' || strchr(letters, topic.at[i]) == NULL) {
            return false;
        }
    }
    return topic.len > 0 && topic.len <= TOPIC_MOST;
}

static bool
is_known(const struct session *session, const char *topic)
{
    size_t i = 0;
    while (i < TOPICS && session->topics[i] != NULL &&
           strcmp(session->topics[i], topic) != 0) {
        i++;
    }
    return i < TOPICS && session->topics[i] != NULL;
}

static void
know(struct session *session, const char *topic)
{
    size_t i = 0;
    while (i < TOPICS && session->topics[i] != NULL) {
        i++;
    }
    if (i == TOPICS) {
        forget_topics(session);
        i = 0;
    }
    session->topics[i] = strdup(topic); /* without memory: looked up again */
}

/* Asks the brokers for a topic; an error of it, or of asking. */
static rd_kafka_resp_err_t
look_up(struct session *session, const char *topic, int64_t timeout_ms)
{
    const struct rd_kafka_metadata *found = NULL;
    rd_kafka_topic_t *handle =
        rd_kafka_topic_new(session->producer, topic, NULL);
    if (handle == NULL) {
        return rd_kafka_last_error();
    }
    rd_kafka_resp_err_t code =
        rd_kafka_metadata(session->producer, 0, handle, &found,
                          timeout_ms > LOOK_MS ? LOOK_MS : (int)timeout_ms);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        code = found->topic_cnt == 1 ? found->topics[0].err
                                     : RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC;
        rd_kafka_metadata_destroy(found);
    }
    rd_kafka_topic_destroy(handle);
    return code;
}

static bool
is_absence(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR__TRANSPORT ||
           code == RD_KAFKA_RESP_ERR__TIMED_OUT ||
           code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN;
}

/* The library copies all of it. */
static rd_kafka_resp_err_t
produce(struct session *session, const char *topic,
        struct longstop_entry *entry)
{
    union {
        const char *theirs;
        void *at;
    } key = { entry->key.at }, body = { entry->body.at };
    const rd_kafka_vu_t parts[] = {
        { .vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = topic },
        { .vtype = RD_KAFKA_VTYPE_KEY, .u.mem = { key.at, entry->key.len } },
        { .vtype = RD_KAFKA_VTYPE_VALUE,
          .u.mem = { body.at, entry->body.len } },
        { .vtype = RD_KAFKA_VTYPE_HEADER,
          .u.header = { "content-type", entry->content_type.at,
                        (ssize_t)entry->content_type.len } },
        { .vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY },
        { .vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = entry },
        { .vtype = RD_KAFKA_VTYPE_HEADER, /* the last: for replays */
          .u.header = { KIT_REPLAY, KIT_REPLAY_VALUE,
                        sizeof(KIT_REPLAY_VALUE) - 1 } },
    };
    const size_t count = sizeof(parts) / sizeof(parts[0]);
    rd_kafka_error_t *error = rd_kafka_produceva(
        session->producer, parts, entry->is_replay ? count : count - 1);
    const rd_kafka_resp_err_t code = rd_kafka_error_code(error);
    rd_kafka_error_destroy(error);
    return code;
}

/* Looks its topic up where that is due, and produces it. */
static rd_kafka_resp_err_t
hand_over(struct session *session, struct longstop_entry *entry,
          const struct kit_deadline *deadline)
{
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    char *topic = kit_copy(entry->to);
    if (topic == NULL) {
        return RD_KAFKA_RESP_ERR__FAIL;
    }
    if (!is_known(session, topic)) {
        code = look_up(session, topic, kit_left_ms(deadline));
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
            know(session, topic);
        }
    }
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        code = produce(session, topic, entry);
    }
    free(topic);
    return code;
}

/* Returns false when there is no broker to be asked. */
static bool
produce_all(struct session *session, struct longstop_entry *entries,
            size_t count, const struct kit_deadline *deadline)
{
    for (size_t i = 0; i < count; i++) {
        struct longstop_entry *entry = &entries[i];
        if (!is_topic(entry->to)) {
            entry->outcome = LONGSTOP_DEAD;
            kit_say(entry->words,
                    "kafka: '%.*s' is no name of a topic (letters, digits, "
                    ". _ -)",
                    (int)entry->to.len, entry->to.at);
            continue;
        }
        const rd_kafka_resp_err_t code = hand_over(session, entry, deadline);
        if (is_absence(code)) {
            return false;
        }
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
            session->open++;
            continue;
        }
        entry->outcome = code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE
                             ? LONGSTOP_DEAD
                             : LONGSTOP_LATER;
        kit_say(entry->words, "kafka: '%.*s': %s", (int)entry->to.len,
                entry->to.at, rd_kafka_err2str(code));
    }
    return true;
}

/* Waits for all reports; what is late is purged, and reported by that. */
static void
take_reports(struct session *session, const struct kit_deadline *deadline)
{
    int slice_ms = kit_slice(deadline);
    while (session->open > 0 && slice_ms > 0) {
        (void)rd_kafka_poll(session->producer, slice_ms);
        slice_ms = kit_slice(deadline);
    }
    if (session->open > 0) {
        (void)rd_kafka_purge(session->producer, RD_KAFKA_PURGE_F_QUEUE |
                                                    RD_KAFKA_PURGE_F_INFLIGHT);
    }
    while (session->open > 0) {
        (void)rd_kafka_poll(session->producer, KIT_SLICE_MS);
    }
}

/* Brokers judge records by the batch that they came in: of several that were
 * too large together, each is asked for alone. */
static void
part(struct session *session, struct longstop_entry *entries, size_t count,
     const struct kit_deadline *deadline)
{
    for (size_t i = 0; count > 1 && i < count; i++) {
        if (entries[i].outcome == LONGSTOP_DEAD) {
            entries[i].outcome = LONGSTOP_LATER;
            (void)produce_all(session, &entries[i], 1, deadline);
            take_reports(session, deadline);
        }
    }
}

static bool
has_answered(const struct longstop_entry *entries, size_t count)
{
    static const char late[] = "kafka: no acknowledgement in time";
    for (size_t i = 0; i < count; i++) {
        if (strncmp(entries[i].words, late, sizeof(late) - 1) != 0) {
            return true;
        }
    }
    return false;
}

static enum longstop_broker
publish(void *arg, struct longstop_entry *entries, size_t count,
        int64_t timeout_ms)
{
    struct session *session = arg;
    char words[LONGSTOP_WORDS_BYTES] = "";
    const struct kit_deadline deadline =
        kit_deadline_in(session->host, timeout_ms);
    session->trouble[0] = '\0';
    if (!make_producer(session, timeout_ms, words)) {
        kit_say_all(entries, count, "%s", words);
        return LONGSTOP_ABSENT;
    }
    bool is_there = produce_all(session, entries, count, &deadline);
    take_reports(session, &deadline);
    if (is_there) {
        part(session, entries, count, &deadline);
    }
    if (!is_there) {
        (void)rd_kafka_poll(session->producer, 0); /* for what the trouble is */
        kit_say_all(entries, count, "kafka: no broker answers: %s",
                    session->trouble);
    }
    is_there = is_there && has_answered(entries, count);
    if (!is_there || rd_kafka_fatal_error(session->producer, NULL, 0) !=
                         RD_KAFKA_RESP_ERR_NO_ERROR) {
        /* A new one asks for the brokers anew, with a sequence of its own. */
        give_up_producer(session);
    }
    return is_there ? LONGSTOP_THERE : LONGSTOP_ABSENT;
}

/* Lifecycle */

static void
close_session(void *arg)
{
    struct session *session = arg;
    give_up_producer(session);
    forget_topics(session);
    kit_settings_free(&session->settings);
    free(session);
}

static void *
open_session(const struct longstop_setting *settings, size_t count,
             const struct longstop_host *host, char words[LONGSTOP_WORDS_BYTES])
{
    struct session *session = calloc(1, sizeof(*session));
    if (session == NULL ||
        !kit_settings_copy(&session->settings, settings, count)) {
        free(session);
        kit_say(words, "kafka: out of memory");
        return NULL;
    }
    session->host = host;
    rd_kafka_conf_t *conf = configure(&session->settings, 10000, words);
    if (conf == NULL) {
        close_session(session);
        return NULL;
    }
    rd_kafka_conf_destroy(conf);
    return session;
}

static const char *
describe(void)
{
    static char text[64];
    (void)snprintf(text, sizeof(text), "librdkafka %s", rd_kafka_version_str());
    return text;
}

LONGSTOP_PLUGIN_EXPORT extern const struct longstop_plugin longstop_plugin;

const struct longstop_plugin longstop_plugin = {
    .abi = LONGSTOP_PLUGIN_ABI,
    .kind = "kafka",
    .describe = describe,
    .open = open_session,
    .publish = publish,
    .close = close_session,
};
