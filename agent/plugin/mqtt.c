/* SPDX-License-Identifier: MIT */
/*
 * mqtt: publishes to a topic of an MQTT 5 broker with QoS 1 or 2; key, type and
 * source go along as user properties.
 *
 * Done is PUBACK (QoS 1) or PUBCOMP (QoS 2). A broker keeps nothing for a topic
 * that nobody has subscribed to, and says so in its acknowledgement (reason 16,
 * MQTT 5 §3.4.2.1): that is a failure here, unless `subscriber: optional`.
 */
#define _POSIX_C_SOURCE 200809L
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/kit.h"
#include "plugin/kit_url.h"

#define PORT        1883
#define TLS_PORT    8883
#define KEEPALIVE_S 60
#define FAILURE     0x80 /* reasons from here on are failures */
#define MANY        65535

struct session {
    struct kit_settings settings;
    struct kit_url url;
    const struct longstop_host *host;
    struct mosquitto *client; /* NULL: not connected */
    int qos;
    bool needs_subscriber;
    bool is_connected;
    bool is_refused; /* by CONNACK */
    char words[LONGSTOP_WORDS_BYTES];
    /* The batch under way. */
    struct longstop_entry *entries;
    int *ids; /* the packet of each entry; 0: none open */
    size_t count;
    size_t open;
};

/* What the library calls back, all inside of mosquitto_loop. */

static void
connected(struct mosquitto *client, void *arg, int reason, int flags,
          const mosquitto_property *properties)
{
    struct session *session = arg;
    (void)client;
    (void)flags;
    (void)properties;
    session->is_connected = reason == 0;
    session->is_refused = reason != 0;
    if (reason != 0) {
        kit_say(session->words, "mqtt: the broker refuses us: %s",
                mosquitto_reason_string(reason));
    }
}

static void
disconnected(struct mosquitto *client, void *arg, int reason,
             const mosquitto_property *properties)
{
    struct session *session = arg;
    (void)client;
    (void)properties;
    session->is_connected = false;
    if (session->words[0] == '\0') {
        kit_say(session->words, "mqtt: the connection was lost: %s",
                reason >= FAILURE ? mosquitto_reason_string(reason)
                                  : mosquitto_strerror(reason));
    }
}

static void
acknowledged(struct mosquitto *client, void *arg, int id, int reason,
             const mosquitto_property *properties)
{
    struct session *session = arg;
    size_t i = 0;
    (void)client;
    (void)properties;
    while (i < session->count && session->ids[i] != id) {
        i++;
    }
    if (i == session->count) {
        return;
    }
    struct longstop_entry *entry = &session->entries[i];
    session->ids[i] = 0;
    session->open--;
    if (reason >= FAILURE) {
        kit_say(entry->words, "mqtt: %s", mosquitto_reason_string(reason));
    } else if (reason == MQTT_RC_NO_MATCHING_SUBSCRIBERS &&
               session->needs_subscriber) {
        kit_say(entry->words, "mqtt: nobody has subscribed to '%.*s'",
                (int)entry->to.len, entry->to.at);
    } else {
        entry->outcome = LONGSTOP_DONE;
        kit_say(entry->words, "acknowledged");
    }
}

/* Connecting */

/* Gone with all it still had to send: what is sent again is ours to say. */
static void
disconnect(struct session *session)
{
    mosquitto_destroy(session->client);
    session->client = NULL;
    session->is_connected = false;
}

static int
secure(struct session *session)
{
    const char *ca = kit_text(&session->settings, "ca");
    const char *certificate = kit_text(&session->settings, "certificate");
    const char *key = kit_text(&session->settings, "certificate_key");
    if (ca == NULL && certificate == NULL &&
        strcmp(session->url.scheme, "mqtts") != 0) {
        return MOSQ_ERR_SUCCESS;
    }
    if (ca == NULL) {
        (void)mosquitto_int_option(session->client, MOSQ_OPT_TLS_USE_OS_CERTS,
                                   1);
    }
    return mosquitto_tls_set(session->client, ca, NULL, certificate, key, NULL);
}

static int
identify(struct session *session)
{
    const char *user = kit_text(&session->settings, "user");
    const char *password = kit_text(&session->settings, "password");
    user = user == NULL ? session->url.user : user;
    password = password == NULL ? session->url.password : password;
    return user[0] == '\0' ? MOSQ_ERR_SUCCESS
                           : mosquitto_username_pw_set(
                                 session->client, user,
                                 password[0] == '\0' ? NULL : password);
}

static int
dial(struct session *session)
{
    session->client =
        mosquitto_new(kit_text(&session->settings, "client_id"), true, session);
    if (session->client == NULL) {
        return MOSQ_ERR_NOMEM;
    }
    mosquitto_connect_v5_callback_set(session->client, connected);
    mosquitto_disconnect_v5_callback_set(session->client, disconnected);
    mosquitto_publish_v5_callback_set(session->client, acknowledged);
    (void)mosquitto_int_option(session->client, MOSQ_OPT_PROTOCOL_VERSION,
                               MQTT_PROTOCOL_V5);
    (void)mosquitto_int_option(session->client, MOSQ_OPT_SEND_MAXIMUM, MANY);
    (void)mosquitto_int_option(session->client, MOSQ_OPT_TCP_NODELAY, 1);
    int status = secure(session);
    if (status == MOSQ_ERR_SUCCESS) {
        status = identify(session);
    }
    const int standard =
        strcmp(session->url.scheme, "mqtts") == 0 ? TLS_PORT : PORT;
    return status != MOSQ_ERR_SUCCESS
               ? status
               : mosquitto_connect_async(
                     session->client, session->url.host,
                     session->url.port == 0 ? standard : session->url.port,
                     KEEPALIVE_S);
}

static bool
connect_to(struct session *session, const struct kit_deadline *deadline)
{
    /* Between batches nobody reads: what has happened is heard now. */
    if (session->client != NULL &&
        mosquitto_loop(session->client, 0, 1) == MOSQ_ERR_SUCCESS &&
        session->is_connected) {
        return true;
    }
    disconnect(session);
    session->words[0] = '\0';
    session->is_refused = false;
    int status = dial(session);
    while (status == MOSQ_ERR_SUCCESS && !session->is_connected &&
           !session->is_refused) {
        const int slice_ms = kit_slice(deadline);
        status = slice_ms == 0 ? MOSQ_ERR_CONN_LOST
                               : mosquitto_loop(session->client, slice_ms, 1);
    }
    if (session->is_connected) {
        return true;
    }
    if (!session->is_refused) {
        kit_say(session->words, "mqtt: cannot connect to %s: %s",
                session->url.host, mosquitto_strerror(status));
    }
    disconnect(session);
    return false;
}

/* Publishing */

/* A text that MQTT cannot hold as such (§1.5.4) is left out: the entry has its
 * key and its body, and no try again would make it better. */
static bool
is_text(struct longstop_bytes value)
{
    return value.len <= MANY &&
           mosquitto_validate_utf8(value.at, (int)value.len) ==
               MOSQ_ERR_SUCCESS;
}

static int
add_property(mosquitto_property **list, const char *name,
             struct longstop_bytes value)
{
    if (!is_text(value)) {
        return MOSQ_ERR_SUCCESS;
    }
    char *text = kit_copy(value);
    int status = MOSQ_ERR_NOMEM;
    if (text != NULL && name == NULL) {
        status =
            mosquitto_property_add_string(list, MQTT_PROP_CONTENT_TYPE, text);
    } else if (text != NULL) {
        status = mosquitto_property_add_string_pair(
            list, MQTT_PROP_USER_PROPERTY, name, text);
    }
    free(text);
    return status;
}

static int
publish_one(struct session *session, const struct longstop_entry *entry,
            int *id)
{
    mosquitto_property *list = NULL;
    char *topic = kit_copy(entry->to);
    int status = topic == NULL ? MOSQ_ERR_NOMEM : MOSQ_ERR_SUCCESS;
    const struct {
        const char *name;
        struct longstop_bytes value;
    } properties[] = { { "key", entry->key },
                       { "type", entry->type },
                       { "source", entry->source },
                       { NULL, entry->content_type },
                       { KIT_REPLAY,
                         { KIT_REPLAY_VALUE, sizeof(KIT_REPLAY_VALUE) - 1 } } };
    /* The last is for replays. */
    const size_t count =
        sizeof(properties) / sizeof(properties[0]) - (entry->is_replay ? 0 : 1);
    for (size_t i = 0; i < count && status == MOSQ_ERR_SUCCESS; i++) {
        status = add_property(&list, properties[i].name, properties[i].value);
    }
    if (status == MOSQ_ERR_SUCCESS) {
        status = strlen(topic) != entry->to.len
                     ? MOSQ_ERR_INVAL
                     : mosquitto_publish_v5(
                           session->client, id, topic, (int)entry->body.len,
                           entry->body.at, session->qos, false, list);
    }
    mosquitto_property_free_all(&list);
    free(topic);
    return status;
}

static bool
is_never(int status)
{
    return status == MOSQ_ERR_INVAL || status == MOSQ_ERR_PAYLOAD_SIZE ||
           status == MOSQ_ERR_OVERSIZE_PACKET ||
           status == MOSQ_ERR_MALFORMED_UTF8;
}

static void
publish_all(struct session *session)
{
    for (size_t i = 0; i < session->count; i++) {
        struct longstop_entry *entry = &session->entries[i];
        const int status = publish_one(session, entry, &session->ids[i]);
        if (status == MOSQ_ERR_SUCCESS) {
            session->open++;
            continue;
        }
        session->ids[i] = 0;
        entry->outcome = is_never(status) ? LONGSTOP_DEAD : LONGSTOP_LATER;
        kit_say(entry->words, "mqtt: '%.*s': %s", (int)entry->to.len,
                entry->to.at, mosquitto_strerror(status));
    }
}

static void
take_acknowledgements(struct session *session,
                      const struct kit_deadline *deadline)
{
    while (session->open > 0) {
        const int slice_ms = kit_slice(deadline);
        if (slice_ms == 0) {
            kit_say(session->words, "mqtt: no acknowledgement in time");
            return;
        }
        const int status = mosquitto_loop(session->client, slice_ms, 1);
        if (status != MOSQ_ERR_SUCCESS || !session->is_connected) {
            if (session->words[0] == '\0') {
                kit_say(session->words, "mqtt: the connection was lost: %s",
                        mosquitto_strerror(status));
            }
            return;
        }
    }
}

static enum longstop_broker
publish(void *arg, struct longstop_entry *entries, size_t count,
        int64_t timeout_ms)
{
    struct session *session = arg;
    const struct kit_deadline deadline =
        kit_deadline_in(session->host, timeout_ms);
    session->entries = entries;
    session->count = count;
    session->open = 0;
    session->ids = calloc(count, sizeof(*session->ids));
    const bool was_there =
        session->ids != NULL && connect_to(session, &deadline);
    enum longstop_broker became = was_there ? LONGSTOP_THERE : LONGSTOP_ABSENT;
    if (was_there) {
        session->words[0] = '\0';
        publish_all(session);
        take_acknowledgements(session, &deadline);
    }
    if (session->words[0] != '\0') {
        kit_say_all(entries, count, "%s", session->words);
        became = was_there ? LONGSTOP_LOST : LONGSTOP_ABSENT;
        disconnect(session);
    }
    free(session->ids);
    session->ids = NULL;
    session->entries = NULL;
    session->count = 0;
    return became;
}

/* Lifecycle */

static void
close_session(void *arg)
{
    struct session *session = arg;
    disconnect(session);
    kit_url_free(&session->url);
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
        kit_say(words, "mqtt: out of memory");
        return NULL;
    }
    session->host = host;
    session->qos = (int)kit_number(&session->settings, "qos");
    session->needs_subscriber =
        !kit_is(&session->settings, "subscriber", "optional");
    (void)mosquitto_lib_init();
    if (kit_url_parse(&session->url, kit_text(&session->settings, "url")) &&
        (strcmp(session->url.scheme, "mqtt") == 0 ||
         strcmp(session->url.scheme, "mqtts") == 0)) {
        return session;
    }
    kit_say(words, "mqtt: the URL is not mqtt://HOST[:PORT], or mqtts:");
    close_session(session);
    return NULL;
}

static const char *
describe(void)
{
    static char text[64];
    int major, minor, revision;
    (void)mosquitto_lib_version(&major, &minor, &revision);
    (void)snprintf(text, sizeof(text), "libmosquitto %d.%d.%d", major, minor,
                   revision);
    return text;
}

LONGSTOP_PLUGIN_EXPORT extern const struct longstop_plugin longstop_plugin;

const struct longstop_plugin longstop_plugin = {
    .abi = LONGSTOP_PLUGIN_ABI,
    .kind = "mqtt",
    .describe = describe,
    .open = open_session,
    .publish = publish,
    .close = close_session,
};
