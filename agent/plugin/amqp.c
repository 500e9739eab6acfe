/* SPDX-License-Identifier: MIT */
/*
 * amqp: publishes to an exchange of RabbitMQ (AMQP 0-9-1) with publisher
 * confirms, persistent and mandatory; the key is the id of each entry there,
 * and a header.
 *
 * Done is the broker's confirm, which comes when every queue that takes the
 * entry has it on disk. What no queue takes comes back (basic.return) before
 * its confirm, and that is a failure here.
 */
#define _DEFAULT_SOURCE /* TCP_USER_TIMEOUT */
#include <amqp.h>
#include <amqp_ssl_socket.h>
#include <amqp_tcp_socket.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "plugin/kit.h"

#define CHANNEL         1
#define FRAME_BYTES     131072
#define CONNECT_MOST_MS 3000 /* it is not heard meanwhile that we end */
#define SHORT_MOST      255  /* of a shortstr: names, ids */
#define STALL_MS        20000
#define KEY_HEADER      "idempotency-key"
#define PERSISTENT      2

struct session {
    struct kit_settings settings;
    char *url; /* the parts below point into it */
    struct amqp_connection_info where;
    const struct longstop_host *host;
    amqp_connection_state_t connection; /* NULL: none */
    uint64_t published;                 /* on this channel; the last tag */
};

/* A batch under way. */
struct batch {
    struct longstop_entry *entries;
    size_t count;
    uint64_t *tags; /* of each entry; 0: not published */
    size_t open;    /* entries without a confirm */
    bool is_lost;
    char words[LONGSTOP_WORDS_BYTES]; /* why the connection is no good */
};

/* Connecting */

static void
disconnect(struct session *session)
{
    if (session->connection != NULL) {
        /* No orderly close: it would wait for an answer. */
        (void)amqp_destroy_connection(session->connection);
        session->connection = NULL;
    }
}

static struct timeval
span_of(int64_t ms)
{
    return (struct timeval){ .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };
}

/* Why the server closes a channel or the whole connection. */
static void
say_close(const char *what, const amqp_method_t *method,
          char words[LONGSTOP_WORDS_BYTES])
{
    amqp_bytes_t text = { 0, NULL };
    if (method->id == AMQP_CONNECTION_CLOSE_METHOD) {
        text = ((const amqp_connection_close_t *)method->decoded)->reply_text;
    } else if (method->id == AMQP_CHANNEL_CLOSE_METHOD) {
        text = ((const amqp_channel_close_t *)method->decoded)->reply_text;
    }
    kit_say(words, "amqp: %s: %.*s", what, (int)text.len,
            text.len == 0 ? "" : (const char *)text.bytes);
}

static void
say_reply(const char *what, amqp_rpc_reply_t reply,
          char words[LONGSTOP_WORDS_BYTES])
{
    if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION) {
        kit_say(words, "amqp: %s: %s", what,
                amqp_error_string2(reply.library_error));
    } else {
        say_close(what, &reply.reply, words);
    }
}

static bool
is_good(struct session *session, const char *what,
        char words[LONGSTOP_WORDS_BYTES])
{
    const amqp_rpc_reply_t reply = amqp_get_rpc_reply(session->connection);
    if (reply.reply_type == AMQP_RESPONSE_NORMAL) {
        return true;
    }
    say_reply(what, reply, words);
    return false;
}

/* A socket for the connection, with TLS where that is asked for. NULL with
 * words. */
static amqp_socket_t *
make_socket(struct session *session, char words[LONGSTOP_WORDS_BYTES])
{
    const char *ca = kit_text(&session->settings, "ca");
    const char *certificate = kit_text(&session->settings, "certificate");
    int status = AMQP_STATUS_OK;
    if (session->where.ssl == 0 && ca == NULL && certificate == NULL) {
        return amqp_tcp_socket_new(session->connection);
    }
    amqp_socket_t *socket = amqp_ssl_socket_new(session->connection);
    if (socket != NULL && ca != NULL) {
        status = amqp_ssl_socket_set_cacert(socket, ca);
    }
    if (socket != NULL && status == AMQP_STATUS_OK && certificate != NULL) {
        status = amqp_ssl_socket_set_key(
            socket, certificate,
            kit_text(&session->settings, "certificate_key"));
    }
    if (status != AMQP_STATUS_OK) {
        kit_say(words, "amqp: certificates: %s", amqp_error_string2(status));
        return NULL; /* the socket is the connection's */
    }
    return socket;
}

static bool
dial(struct session *session, int64_t timeout_ms,
     char words[LONGSTOP_WORDS_BYTES])
{
    struct timeval limit = span_of(timeout_ms);
    const unsigned stall_ms = STALL_MS;
    session->connection = amqp_new_connection();
    amqp_socket_t *socket =
        session->connection == NULL ? NULL : make_socket(session, words);
    if (socket == NULL) {
        if (words[0] == '\0') {
            kit_say(words, "amqp: out of memory");
        }
        return false;
    }
    (void)amqp_set_handshake_timeout(session->connection, &limit);
    (void)amqp_set_rpc_timeout(session->connection, &limit);
    const int status = amqp_socket_open_noblock(socket, session->where.host,
                                                session->where.port, &limit);
    if (status != AMQP_STATUS_OK) {
        kit_say(words, "amqp: cannot connect to %s: %s", session->where.host,
                amqp_error_string2(status));
        return false;
    }
    /* A server that does not read ends the connection, in time. */
    (void)setsockopt(amqp_get_sockfd(session->connection), IPPROTO_TCP,
                     TCP_USER_TIMEOUT, &stall_ms, sizeof(stall_ms));
    return true;
}

static bool
open_channel(struct session *session, char words[LONGSTOP_WORDS_BYTES])
{
    const char *user = kit_text(&session->settings, "user");
    const char *password = kit_text(&session->settings, "password");
    const amqp_rpc_reply_t reply = amqp_login(
        session->connection, session->where.vhost, 0, FRAME_BYTES, 0,
        AMQP_SASL_METHOD_PLAIN, user != NULL ? user : session->where.user,
        password != NULL ? password : session->where.password);
    if (reply.reply_type != AMQP_RESPONSE_NORMAL) {
        say_reply("login", reply, words);
        return false;
    }
    (void)amqp_channel_open(session->connection, CHANNEL);
    if (!is_good(session, "channel", words)) {
        return false;
    }
    (void)amqp_confirm_select(session->connection, CHANNEL);
    session->published = 0;
    return is_good(session, "confirms", words);
}

/* Whether the idle connection has something to read: nothing is owed to us, so
 * that is its end. */
static bool
is_stale(struct session *session)
{
    struct pollfd socket = { .fd = amqp_get_sockfd(session->connection),
                             .events = POLLIN };
    return poll(&socket, 1, 0) != 0;
}

static bool
connect_to(struct session *session, const struct kit_deadline *deadline,
           char words[LONGSTOP_WORDS_BYTES])
{
    const int64_t left_ms = kit_left_ms(deadline);
    if (session->connection != NULL && !is_stale(session)) {
        return true;
    }
    disconnect(session);
    if (dial(session, left_ms > CONNECT_MOST_MS ? CONNECT_MOST_MS : left_ms,
             words) &&
        open_channel(session, words)) {
        return true;
    }
    disconnect(session);
    return false;
}

/* Publishing */

static amqp_bytes_t
bytes_of(struct longstop_bytes bytes)
{
    union {
        const char *theirs;
        void *at;
    } cast = { bytes.at };
    return (amqp_bytes_t){ bytes.len, cast.at };
}

static amqp_bytes_t
text_of(const char *text)
{
    return amqp_cstring_bytes(text == NULL ? "" : text);
}

static int
publish_one(struct session *session, const struct longstop_entry *entry)
{
    amqp_table_entry_t headers[] = {
        { .key = text_of(KEY_HEADER),
          .value = { .kind = AMQP_FIELD_KIND_UTF8,
                     .value = { .bytes = bytes_of(entry->key) } } },
        { .key = text_of(KIT_REPLAY),
          .value = { .kind = AMQP_FIELD_KIND_UTF8,
                     .value = { .bytes = text_of(KIT_REPLAY_VALUE) } } },
    };
    amqp_basic_properties_t properties = {
        ._flags = AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_HEADERS_FLAG |
                  AMQP_BASIC_APP_ID_FLAG,
        .delivery_mode = PERSISTENT,
        .headers = { .num_entries = entry->is_replay ? 2 : 1,
                     .entries = headers },
        .app_id = text_of("longstop"),
    };
    if (entry->key.len <= SHORT_MOST) {
        properties._flags |= AMQP_BASIC_MESSAGE_ID_FLAG;
        properties.message_id = bytes_of(entry->key);
    }
    if (entry->type.len <= SHORT_MOST) {
        properties._flags |= AMQP_BASIC_TYPE_FLAG;
        properties.type = bytes_of(entry->type);
    }
    if (entry->content_type.len <= SHORT_MOST) {
        properties._flags |= AMQP_BASIC_CONTENT_TYPE_FLAG;
        properties.content_type = bytes_of(entry->content_type);
    }
    return amqp_basic_publish(session->connection, CHANNEL,
                              text_of(kit_text(&session->settings, "exchange")),
                              bytes_of(entry->to), 1, 0, &properties,
                              bytes_of(entry->body));
}

static void
publish_all(struct session *session, struct batch *batch)
{
    for (size_t i = 0; i < batch->count && !batch->is_lost; i++) {
        struct longstop_entry *entry = &batch->entries[i];
        if (entry->to.len > SHORT_MOST) {
            entry->outcome = LONGSTOP_DEAD;
            kit_say(entry->words, "amqp: a routing key has at most 255 bytes");
            continue;
        }
        const int status = publish_one(session, entry);
        if (status != AMQP_STATUS_OK) {
            batch->is_lost = true;
            kit_say(batch->words, "amqp: %s", amqp_error_string2(status));
            return;
        }
        batch->tags[i] = ++session->published;
        batch->open++;
    }
}

/* A confirm, of one entry or of all up to it. */
static void
confirm(struct batch *batch, uint64_t tag, bool is_multiple, bool is_taken)
{
    for (size_t i = 0; i < batch->count; i++) {
        const bool is_meant =
            batch->tags[i] != 0 &&
            (is_multiple ? batch->tags[i] <= tag : batch->tags[i] == tag);
        if (!is_meant) {
            continue;
        }
        batch->tags[i] = 0;
        batch->open--;
        if (batch->entries[i].words[0] != '\0') {
            continue; /* it came back */
        }
        batch->entries[i].outcome = is_taken ? LONGSTOP_DONE : LONGSTOP_LATER;
        kit_say(batch->entries[i].words, is_taken ? "confirmed"
                                                  : "amqp: the broker could "
                                                    "not take it (nack)");
    }
}

static bool
is_key(amqp_bytes_t bytes, struct longstop_bytes key)
{
    return bytes.len == key.len && memcmp(bytes.bytes, key.at, key.len) == 0;
}

/* What comes back is known by its header; its confirm is still to come. */
static void
take_back(struct session *session, struct batch *batch,
          const amqp_basic_return_t *returned)
{
    amqp_message_t back;
    char words[LONGSTOP_WORDS_BYTES];
    kit_say(words, "amqp: no queue takes '%.*s' from exchange '%.*s' (%.*s)",
            (int)returned->routing_key.len,
            (const char *)returned->routing_key.bytes,
            (int)returned->exchange.len, (const char *)returned->exchange.bytes,
            (int)returned->reply_text.len,
            (const char *)returned->reply_text.bytes);
    const amqp_rpc_reply_t reply =
        amqp_read_message(session->connection, CHANNEL, &back, 0);
    if (reply.reply_type != AMQP_RESPONSE_NORMAL) {
        batch->is_lost = true;
        say_reply("return", reply, batch->words);
        return;
    }
    const amqp_table_t *headers = &back.properties.headers;
    for (size_t i = 0; i < batch->count && headers->num_entries > 0; i++) {
        if (is_key(headers->entries[0].value.value.bytes,
                   batch->entries[i].key) &&
            batch->entries[i].words[0] == '\0') {
            memcpy(batch->entries[i].words, words, sizeof(words));
        }
    }
    amqp_destroy_message(&back);
}

static void
take_method(struct session *session, struct batch *batch,
            const amqp_method_t *method)
{
    if (method->id == AMQP_BASIC_ACK_METHOD) {
        const amqp_basic_ack_t *ack = method->decoded;
        confirm(batch, ack->delivery_tag, ack->multiple != 0, true);
    } else if (method->id == AMQP_BASIC_NACK_METHOD) {
        const amqp_basic_nack_t *nack = method->decoded;
        confirm(batch, nack->delivery_tag, nack->multiple != 0, false);
    } else if (method->id == AMQP_BASIC_RETURN_METHOD) {
        take_back(session, batch, method->decoded);
    } else if (method->id == AMQP_CHANNEL_CLOSE_METHOD ||
               method->id == AMQP_CONNECTION_CLOSE_METHOD) {
        batch->is_lost = true;
        say_close("refused", method, batch->words);
    }
}

/* Takes confirms until all are there; false when time is up. */
static bool
take_confirms(struct session *session, struct batch *batch,
              const struct kit_deadline *deadline)
{
    while (batch->open > 0 && !batch->is_lost) {
        amqp_frame_t frame;
        const int slice_ms = kit_slice(deadline);
        struct timeval slice = span_of(slice_ms);
        if (slice_ms == 0) {
            return false;
        }
        amqp_maybe_release_buffers(session->connection);
        const int status =
            amqp_simple_wait_frame_noblock(session->connection, &frame, &slice);
        if (status == AMQP_STATUS_OK) {
            if (frame.frame_type == AMQP_FRAME_METHOD) {
                take_method(session, batch, &frame.payload.method);
            }
        } else if (status != AMQP_STATUS_TIMEOUT) {
            batch->is_lost = true;
            kit_say(batch->words, "amqp: lost before the confirm: %s",
                    amqp_error_string2(status));
        }
    }
    return true;
}

static enum longstop_broker
publish(void *arg, struct longstop_entry *entries, size_t count,
        int64_t timeout_ms)
{
    struct session *session = arg;
    const struct kit_deadline deadline =
        kit_deadline_in(session->host, timeout_ms);
    struct batch batch = { .entries = entries,
                           .count = count,
                           .tags = calloc(count, sizeof(*batch.tags)),
                           .words = "amqp: out of memory" };
    if (batch.tags == NULL) {
        kit_say_all(entries, count, "%s", batch.words);
        return LONGSTOP_THERE;
    }
    batch.words[0] = '\0';
    const bool was_there = connect_to(session, &deadline, batch.words);
    if (was_there) {
        publish_all(session, &batch);
        if (!take_confirms(session, &batch, &deadline)) {
            kit_say(batch.words, "amqp: no confirm in time");
        }
    }
    free(batch.tags);
    if (batch.words[0] != '\0') {
        kit_say_all(entries, count, "%s", batch.words);
        disconnect(session);
    }
    if (!was_there) {
        return LONGSTOP_ABSENT;
    }
    return batch.words[0] == '\0' ? LONGSTOP_THERE : LONGSTOP_LOST;
}

/* Lifecycle */

static void
close_session(void *arg)
{
    struct session *session = arg;
    disconnect(session);
    free(session->url);
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
        kit_say(words, "amqp: out of memory");
        return NULL;
    }
    session->host = host;
    session->url = strdup(kit_text(&session->settings, "url"));
    if (session->url == NULL ||
        amqp_parse_url(session->url, &session->where) != AMQP_STATUS_OK) {
        kit_say(words, "amqp: the URL is not amqp://[USER:PASSWORD@]HOST[:PORT]"
                       "/VHOST, or amqps:");
        close_session(session);
        return NULL;
    }
    return session;
}

static const char *
describe(void)
{
    static char text[64];
    (void)snprintf(text, sizeof(text), "rabbitmq-c %s", amqp_version());
    return text;
}

LONGSTOP_PLUGIN_EXPORT extern const struct longstop_plugin longstop_plugin;

const struct longstop_plugin longstop_plugin = {
    .abi = LONGSTOP_PLUGIN_ABI,
    .kind = "amqp",
    .describe = describe,
    .open = open_session,
    .publish = publish,
    .close = close_session,
};
