/* SPDX-License-Identifier: MIT */
/*
 * nats: publishes to a JetStream stream of NATS; the key is Nats-Msg-Id, by
 * which the stream knows what it has already.
 *
 * An acknowledgement is asked for as the server itself defines it: each entry
 * has a reply subject of its own below one inbox, and the stream answers there
 * with its name and the sequence, or with an error. Nobody listening to the
 * subject is an answer too (status 503). So all entries of a batch are under
 * way at once, and each is done by its own answer alone. Answers come on a
 * thread of the library's: what it shares with publish is behind `lock`.
 */
#define _POSIX_C_SOURCE 200809L
#include <nats/nats.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "plugin/kit.h"

#define INBOX_BYTES     64
#define REPLY_BYTES     (INBOX_BYTES + 48)
#define CONNECT_MOST_MS 3000 /* it is not heard meanwhile that we end */
/* An answer that is being taken while we disconnect is waited for so long. */
#define LAST_ANSWER_SLICES 50

struct session {
    struct kit_settings settings;
    const struct longstop_host *host;
    natsConnection *connection;
    natsSubscription *answers;
    char inbox[INBOX_BYTES];
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t answered;
    unsigned long long batch; /* answers to an earlier one are passed over */
    struct longstop_entry *entries; /* NULL while none is published */
    size_t count;
    size_t open;       /* entries without an answer */
    bool is_listening; /* an answer may be under way in the library's thread */
};

/* Connecting */

/* With the lock held: waits for an answer, or so long. */
static void
nap(struct session *session, int ms)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += (long)ms * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    (void)pthread_cond_timedwait(&session->answered, &session->lock, &until);
}

/* The library may be in take_answer still when a subscription is destroyed
 * (nats.h, natsSubscription_SetOnCompleteCB). */
static void
disconnect(struct session *session)
{
    natsSubscription_Destroy(session->answers);
    natsConnection_Destroy(session->connection);
    session->answers = NULL;
    session->connection = NULL;
    (void)pthread_mutex_lock(&session->lock);
    for (int i = 0; session->is_listening && i < LAST_ANSWER_SLICES; i++) {
        nap(session, KIT_SLICE_MS);
    }
    (void)pthread_mutex_unlock(&session->lock);
}

static void
answers_are_over(void *arg)
{
    struct session *session = arg;
    (void)pthread_mutex_lock(&session->lock);
    session->is_listening = false;
    (void)pthread_cond_signal(&session->answered);
    (void)pthread_mutex_unlock(&session->lock);
}

static natsStatus
secure(natsOptions *options, const struct kit_settings *settings)
{
    const char *ca = kit_text(settings, "ca");
    const char *certificate = kit_text(settings, "certificate");
    const char *url = kit_text(settings, "url");
    natsStatus status = NATS_OK;
    if (ca == NULL && certificate == NULL && strncmp(url, "tls:", 4) != 0) {
        return NATS_OK;
    }
    status = natsOptions_SetSecure(options, true);
    if (status == NATS_OK && ca != NULL) {
        status = natsOptions_LoadCATrustedCertificates(options, ca);
    }
    if (status == NATS_OK && certificate != NULL) {
        status = natsOptions_LoadCertificatesChain(
            options, certificate, kit_text(settings, "certificate_key"));
    }
    return status;
}

static natsStatus
identify(natsOptions *options, const struct kit_settings *settings)
{
    const char *token = kit_text(settings, "token");
    const char *user = kit_text(settings, "user");
    const char *credentials = kit_text(settings, "credentials");
    natsStatus status = NATS_OK;
    if (token != NULL) {
        status = natsOptions_SetToken(options, token);
    }
    if (status == NATS_OK && user != NULL) {
        status = natsOptions_SetUserInfo(options, user,
                                         kit_text(settings, "password"));
    }
    if (status == NATS_OK && credentials != NULL) {
        status =
            natsOptions_SetUserCredentialsFromFiles(options, credentials, NULL);
    }
    return status;
}

static natsStatus
dial(struct session *session, int64_t timeout_ms)
{
    natsOptions *options = NULL;
    natsStatus status = natsOptions_Create(&options);
    if (status == NATS_OK) {
        status =
            natsOptions_SetURL(options, kit_text(&session->settings, "url"));
    }
    if (status == NATS_OK) {
        status = natsOptions_SetTimeout(options, timeout_ms);
    }
    if (status == NATS_OK) {
        status = natsOptions_SetName(options, "longstop");
    }
    if (status == NATS_OK) {
        /* A lost connection is an answer: who waits is told at once. */
        status = natsOptions_SetAllowReconnect(options, false);
    }
    if (status == NATS_OK) {
        status = secure(options, &session->settings);
    }
    if (status == NATS_OK) {
        status = identify(options, &session->settings);
    }
    if (status == NATS_OK) {
        status = natsConnection_Connect(&session->connection, options);
    }
    natsOptions_Destroy(options);
    return status;
}

/* Answers */

/* The entry an answer is about, or NULL: it is about an earlier batch. */
static struct longstop_entry *
asked_by(const struct session *session, natsMsg *answer)
{
    const char *subject = natsMsg_GetSubject(answer);
    const size_t skip = strlen(session->inbox) + 1;
    char *end = NULL;
    if (strlen(subject) <= skip ||
        strtoull(subject + skip, &end, 10) != session->batch || *end != '-') {
        return NULL;
    }
    unsigned long long index = strtoull(end + 1, &end, 10);
    return index < session->count && *end == '\0' && session->entries != NULL
               ? &session->entries[index]
               : NULL;
}

/* The text of "description" in an error; the whole answer without one. */
static void
say_refused(struct longstop_entry *entry, const char *text)
{
    static const char name[] = "\"description\":\"";
    const char *at = strstr(text, name);
    const char *end = at == NULL ? NULL : strchr(at + sizeof(name) - 1, '"');
    if (end != NULL) {
        at += sizeof(name) - 1;
        kit_say(entry->words, "nats: the stream refused it: %.*s",
                (int)(end - at), at);
    } else {
        kit_say(entry->words, "nats: the stream refused it: %s", text);
    }
}

/* The server's word about one entry (its publish acknowledgement). */
static void
judge(struct longstop_entry *entry, natsMsg *answer)
{
    char text[1024];
    const char *status = NULL;
    (void)snprintf(text, sizeof(text), "%.*s", natsMsg_GetDataLength(answer),
                   natsMsg_GetData(answer) == NULL ? ""
                                                   : natsMsg_GetData(answer));
    if (natsMsg_GetDataLength(answer) == 0 &&
        natsMsgHeader_Get(answer, "Status", &status) == NATS_OK) {
        kit_say(entry->words,
                strcmp(status, "503") == 0
                    ? "nats: no stream takes '%.*s'; make one for it"
                    : "nats: no acknowledgement for '%.*s'",
                (int)entry->to.len, entry->to.at);
    } else if (strstr(text, "\"error\"") != NULL) {
        say_refused(entry, text);
    } else if (strstr(text, "\"stream\"") != NULL &&
               strstr(text, "\"seq\"") != NULL) {
        entry->outcome = LONGSTOP_DONE;
        kit_say(entry->words, "%s", text);
    } else {
        kit_say(entry->words,
                "nats: what answers on '%.*s' is no stream: %.60s",
                (int)entry->to.len, entry->to.at, text);
    }
}

static void
take_answer(natsConnection *connection, natsSubscription *subscription,
            natsMsg *answer, void *arg)
{
    struct session *session = arg;
    (void)connection;
    (void)subscription;
    (void)pthread_mutex_lock(&session->lock);
    struct longstop_entry *entry = asked_by(session, answer);
    if (entry != NULL && entry->words[0] == '\0') {
        judge(entry, answer);
        session->open--;
        (void)pthread_cond_signal(&session->answered);
    }
    (void)pthread_mutex_unlock(&session->lock);
    natsMsg_Destroy(answer);
}

static natsStatus
listen_for_answers(struct session *session)
{
    char all[INBOX_BYTES + 2];
    natsInbox *inbox = NULL;
    natsStatus status = natsInbox_Create(&inbox);
    if (status != NATS_OK) {
        return status;
    }
    (void)snprintf(session->inbox, sizeof(session->inbox), "%s", inbox);
    natsInbox_Destroy(inbox);
    (void)snprintf(all, sizeof(all), "%s.*", session->inbox);
    status = natsConnection_Subscribe(&session->answers, session->connection,
                                      all, take_answer, session);
    if (status != NATS_OK) {
        return status;
    }
    (void)pthread_mutex_lock(&session->lock);
    session->is_listening = true;
    (void)pthread_mutex_unlock(&session->lock);
    status = natsSubscription_SetOnCompleteCB(session->answers,
                                              answers_are_over, session);
    if (status != NATS_OK) {
        answers_are_over(session); /* nothing was asked, so none can come */
    }
    return status;
}

/* Whether there is a connection; says why not. */
static bool
connect_to(struct session *session, struct longstop_entry *entries,
           size_t count, const struct kit_deadline *deadline)
{
    if (session->connection != NULL &&
        !natsConnection_IsClosed(session->connection)) {
        return true;
    }
    disconnect(session);
    int64_t left_ms = kit_left_ms(deadline);
    natsStatus status =
        dial(session, left_ms > CONNECT_MOST_MS ? CONNECT_MOST_MS : left_ms);
    if (status == NATS_OK) {
        status = listen_for_answers(session);
    }
    if (status != NATS_OK) {
        const char *why = nats_GetLastError(NULL);
        disconnect(session);
        kit_say_all(entries, count, "nats: cannot connect: %s",
                    why != NULL && why[0] != '\0' ? why
                                                  : natsStatus_GetText(status));
        return false;
    }
    return true;
}

/* Publishing */

/* Whether the server could take a subject: tokens between dots, none empty, no
 * wildcard, no white space. */
static bool
is_subject(struct longstop_bytes subject)
{
    char before = '.';
    for (size_t i = 0; i < subject.len; i++) {
        const char byte = subject.at[i];
        if ((unsigned char)byte <= ' ' || byte == '*' || byte == '>' ||
            (byte == '.' && before == '.')) {
            return false;
        }
        before = byte;
    }
    return before != '.';
}

static natsStatus
add_headers(natsMsg *envelope, const struct longstop_entry *entry)
{
    /* The id of a replay would have it passed over as a repetition. */
    const struct longstop_bytes replay = { KIT_REPLAY_VALUE,
                                           sizeof(KIT_REPLAY_VALUE) - 1 };
    const struct {
        const char *name;
        struct longstop_bytes value;
    } headers[] = { { entry->is_replay ? KIT_REPLAY : "Nats-Msg-Id",
                      entry->is_replay ? replay : entry->key },
                    { "Content-Type", entry->content_type } };
    natsStatus status = NATS_OK;
    for (size_t i = 0;
         status == NATS_OK && i < sizeof(headers) / sizeof(headers[0]); i++) {
        char *value = kit_copy(headers[i].value);
        status = value == NULL ? NATS_NO_MEMORY
                 : headers[i].value.len == 0
                     ? NATS_OK
                     : natsMsgHeader_Set(envelope, headers[i].name, value);
        free(value);
    }
    return status;
}

static natsStatus
send_one(struct session *session, size_t index,
         const struct longstop_entry *entry)
{
    char reply[REPLY_BYTES];
    natsMsg *envelope = NULL;
    char *subject = kit_copy(entry->to);
    if (subject == NULL) {
        return NATS_NO_MEMORY;
    }
    (void)snprintf(reply, sizeof(reply), "%s.%llu-%zu", session->inbox,
                   session->batch, index);
    natsStatus status = natsMsg_Create(&envelope, subject, reply,
                                       entry->body.at, (int)entry->body.len);
    if (status == NATS_OK) {
        status = add_headers(envelope, entry);
    }
    if (status == NATS_OK) {
        status = natsConnection_PublishMsg(session->connection, envelope);
    }
    natsMsg_Destroy(envelope);
    free(subject);
    return status;
}

/* What became of an entry that could not be sent. */
static void
settle_unsent(struct session *session, struct longstop_entry *entry,
              natsStatus status)
{
    (void)pthread_mutex_lock(&session->lock);
    if (entry->words[0] != '\0') { /* answered all the same */
        (void)pthread_mutex_unlock(&session->lock);
        return;
    }
    entry->outcome = LONGSTOP_DEAD;
    if (status == NATS_INVALID_SUBJECT) {
        kit_say(entry->words,
                "nats: '%.*s' is no subject to publish to; fill it with "
                "{type|urlencode} or the like",
                (int)entry->to.len, entry->to.at);
    } else if (status == NATS_MAX_PAYLOAD) {
        kit_say(entry->words, "nats: larger than the server's max_payload");
    } else {
        entry->outcome = LONGSTOP_LATER;
        kit_say(entry->words, "nats: %s", natsStatus_GetText(status));
    }
    session->open--;
    (void)pthread_mutex_unlock(&session->lock);
}

/* No lock while the library writes: it may be delivering an answer. */
static void
send_entry(struct session *session, size_t index, struct longstop_entry *entry)
{
    natsStatus status = is_subject(entry->to) ? send_one(session, index, entry)
                                              : NATS_INVALID_SUBJECT;
    if (status != NATS_OK) {
        settle_unsent(session, entry, status);
    }
}

/* Waits until all are answered; what ended the wait otherwise. From here on
 * answers to this batch come too late. */
static natsStatus
wait_for_answers(struct session *session, const struct kit_deadline *deadline)
{
    natsStatus status = NATS_OK;
    (void)pthread_mutex_lock(&session->lock);
    while (session->open > 0 && status == NATS_OK) {
        int slice_ms = kit_slice(deadline);
        if (slice_ms == 0) {
            status = NATS_TIMEOUT;
        } else if (natsConnection_IsClosed(session->connection)) {
            status = NATS_CONNECTION_CLOSED;
        } else {
            nap(session, slice_ms);
        }
    }
    session->entries = NULL;
    (void)pthread_mutex_unlock(&session->lock);
    return status;
}

static void
begin_batch(struct session *session, struct longstop_entry *entries,
            size_t count)
{
    (void)pthread_mutex_lock(&session->lock);
    session->batch++;
    session->entries = entries;
    session->count = count;
    session->open = count;
    (void)pthread_mutex_unlock(&session->lock);
}

static enum longstop_broker
publish(void *arg, struct longstop_entry *entries, size_t count,
        int64_t timeout_ms)
{
    struct session *session = arg;
    const struct kit_deadline deadline =
        kit_deadline_in(session->host, timeout_ms);
    if (!connect_to(session, entries, count, &deadline)) {
        return LONGSTOP_ABSENT;
    }
    begin_batch(session, entries, count);
    for (size_t i = 0; i < count; i++) {
        send_entry(session, i, &entries[i]);
    }
    natsStatus status = wait_for_answers(session, &deadline);
    if (status == NATS_OK) {
        return LONGSTOP_THERE;
    }
    kit_say_all(entries, count,
                status == NATS_TIMEOUT
                    ? "nats: no acknowledgement in time"
                    : "nats: the connection was lost before the "
                      "acknowledgement");
    disconnect(session);
    return status == NATS_TIMEOUT ? LONGSTOP_THERE : LONGSTOP_LOST;
}

/* Lifecycle */

static void
close_session(void *arg)
{
    struct session *session = arg;
    disconnect(session);
    if (session->is_listening) {
        return; /* better lost than used after it is gone */
    }
    (void)pthread_cond_destroy(&session->answered);
    (void)pthread_mutex_destroy(&session->lock);
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
        kit_say(words, "nats: out of memory");
        return NULL;
    }
    session->host = host;
    (void)pthread_mutex_init(&session->lock, NULL);
    (void)pthread_cond_init(&session->answered, NULL);
    natsStatus status = nats_Open(-1);
    if (status != NATS_OK) {
        kit_say(words, "nats: %s", natsStatus_GetText(status));
        close_session(session);
        return NULL;
    }
    return session;
}

static const char *
describe(void)
{
    static char text[64];
    (void)snprintf(text, sizeof(text), "libnats %s", nats_GetVersion());
    return text;
}

LONGSTOP_PLUGIN_EXPORT extern const struct longstop_plugin longstop_plugin;

const struct longstop_plugin longstop_plugin = {
    .abi = LONGSTOP_PLUGIN_ABI,
    .kind = "nats",
    .describe = describe,
    .open = open_session,
    .publish = publish,
    .close = close_session,
};
