/* SPDX-License-Identifier: MIT */
/*
 * redis: appends to a Redis stream (XADD), one pipeline a batch; the key is a
 * field of each entry.
 *
 * At least once: an answer that is lost is asked for again. With `dedup`, the
 * key is remembered beside the stream for that long, in the same script as the
 * XADD, so that such a repetition adds nothing. What an answer is worth when
 * the server itself dies is the server's configuration (appendfsync).
 */
#define _POSIX_C_SOURCE 200809L
#include <hiredis/hiredis.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/kit.h"
#include "plugin/kit_url.h"

#define PORT            6379
#define CONNECT_MOST_MS 5000
#define WORDS_MOST      24

struct session {
    struct kit_settings settings;
    struct kit_url url;
    const struct longstop_host *host;
    redisContext *context;
    char maxlen[24];   /* "" for none */
    char dedup_ms[24]; /* "" for none */
};

/* KEYS: the stream, and what remembers the key. ARGV: for how long, then all
 * that follows the stream in XADD. A script that fails half way keeps what it
 * had done, so the key is remembered last: the other way round, an XADD that is
 * refused once would never be made again. */
static const char script[] =
    "if redis.call('EXISTS', KEYS[2]) == 1 then return 'known' end "
    "local id = redis.call('XADD', KEYS[1], unpack(ARGV, 2)) "
    "redis.call('SET', KEYS[2], id, 'PX', ARGV[1]) "
    "return id";

/* Connecting */

static void
disconnect(struct session *session)
{
    if (session->context != NULL) {
        redisFree(session->context);
        session->context = NULL;
    }
}

/* The next answer, waited for in slices; NULL when time is up or the
 * connection is gone, which is to be told apart by context->err. */
static redisReply *
next_reply(struct session *session, const struct kit_deadline *deadline)
{
    redisContext *context = session->context;
    for (;;) {
        void *reply = NULL;
        if (redisGetReplyFromReader(context, &reply) != REDIS_OK) {
            return NULL;
        }
        if (reply != NULL) {
            return reply;
        }
        int slice_ms = kit_slice(deadline);
        struct pollfd socket = { .fd = context->fd, .events = POLLIN };
        if (slice_ms == 0) {
            return NULL;
        }
        if (poll(&socket, 1, slice_ms) > 0 &&
            redisBufferRead(context) != REDIS_OK) {
            return NULL;
        }
    }
}

static bool
flush(struct session *session)
{
    int done = 0;
    while (done == 0) {
        if (redisBufferWrite(session->context, &done) != REDIS_OK) {
            return false;
        }
    }
    return true;
}

/* One command whose answer only has to be no error. */
static bool
command(struct session *session, const struct kit_deadline *deadline, int argc,
        const char **argv, char words[LONGSTOP_WORDS_BYTES])
{
    redisReply *reply = NULL;
    if (redisAppendCommandArgv(session->context, argc, argv, NULL) ==
            REDIS_OK &&
        flush(session)) {
        reply = next_reply(session, deadline);
    }
    bool is_good = reply != NULL && reply->type != REDIS_REPLY_ERROR;
    if (!is_good) {
        kit_say(words, "redis: %s: %s", argv[0],
                reply != NULL                ? reply->str
                : session->context->err != 0 ? session->context->errstr
                                             : "no answer in time");
    }
    freeReplyObject(reply);
    return is_good;
}

static bool
identify(struct session *session, const struct kit_deadline *deadline,
         char words[LONGSTOP_WORDS_BYTES])
{
    const char *password = kit_text(&session->settings, "password");
    const char *user = kit_text(&session->settings, "user");
    const char *select[] = { "SELECT", session->url.rest };
    const char *auth[3] = { "AUTH" };
    int argc = 1;
    password = password == NULL ? session->url.password : password;
    user = user == NULL ? session->url.user : user;
    if (user[0] != '\0') {
        auth[argc++] = user;
    }
    auth[argc++] = password;
    if (password[0] != '\0' && !command(session, deadline, argc, auth, words)) {
        return false;
    }
    return session->url.host[0] == '\0' || session->url.rest[0] == '\0' ||
           command(session, deadline, 2, select, words);
}

static bool
connect_to(struct session *session, const struct kit_deadline *deadline,
           char words[LONGSTOP_WORDS_BYTES])
{
    const struct kit_url *url = &session->url;
    int64_t left_ms = kit_left_ms(deadline);
    left_ms = left_ms > CONNECT_MOST_MS ? CONNECT_MOST_MS : left_ms;
    const struct timeval limit = { .tv_sec = left_ms / 1000,
                                   .tv_usec = left_ms % 1000 * 1000 };
    session->context =
        url->host[0] == '\0'
            ? redisConnectUnixWithTimeout(url->rest, limit)
            : redisConnectWithTimeout(url->host,
                                      url->port == 0 ? PORT : url->port, limit);
    if (session->context == NULL || session->context->err != 0) {
        kit_say(words, "redis: cannot connect to %s: %s",
                url->host[0] == '\0' ? url->rest : url->host,
                session->context == NULL ? "out of memory"
                                         : session->context->errstr);
        disconnect(session);
        return false;
    }
    /* A server that does not read holds a write for no longer. */
    (void)redisSetTimeout(session->context, limit);
    if (url->host[0] != '\0') {
        (void)redisEnableKeepAlive(session->context);
    }
    if (!identify(session, deadline, words)) {
        disconnect(session);
        return false;
    }
    return true;
}

/* Publishing */

/* The words of one command. */
struct line {
    const char *at[WORDS_MOST];
    size_t len[WORDS_MOST];
    int count;
};

static void
add(struct line *line, const char *at, size_t len)
{
    line->at[line->count] = at;
    line->len[line->count++] = len;
}

static void
add_text(struct line *line, const char *text)
{
    add(line, text, strlen(text));
}

static void
add_field(struct line *line, const char *name, struct longstop_bytes value)
{
    add_text(line, name);
    add(line, value.at, value.len);
}

/* Both keys carry the same hash tag, so that they live in one slot of a
 * cluster. */
static char *
memory_of(const struct longstop_entry *entry)
{
    static const char before[] = "longstop:{";
    char *name =
        malloc(sizeof(before) + entry->to.len + 2 + entry->key.len + 1);
    if (name != NULL) {
        (void)snprintf(name,
                       sizeof(before) + entry->to.len + 2 + entry->key.len + 1,
                       "%s%.*s}:%.*s", before, (int)entry->to.len, entry->to.at,
                       (int)entry->key.len, entry->key.at);
    }
    return name;
}

static bool
append_entry(struct session *session, const struct longstop_entry *entry)
{
    struct line line = { .count = 0 };
    char *memory = NULL;
    if (session->dedup_ms[0] != '\0' && !entry->is_replay) {
        memory = memory_of(entry);
        if (memory == NULL) {
            return false;
        }
        add_text(&line, "EVAL");
        add_text(&line, script);
        add_text(&line, "2");
        add(&line, entry->to.at, entry->to.len);
        add_text(&line, memory);
        add_text(&line, session->dedup_ms);
    } else {
        add_text(&line, "XADD");
        add(&line, entry->to.at, entry->to.len);
    }
    if (session->maxlen[0] != '\0') {
        add_text(&line, "MAXLEN");
        add_text(&line, "~");
        add_text(&line, session->maxlen);
    }
    add_text(&line, "*");
    add_field(&line, "key", entry->key);
    add_field(&line, "type", entry->type);
    add_field(&line, "source", entry->source);
    add_field(&line, "content_type", entry->content_type);
    add_field(&line, "body", entry->body);
    if (entry->is_replay) {
        add_text(&line, KIT_REPLAY);
        add_text(&line, KIT_REPLAY_VALUE);
    }
    int status =
        redisAppendCommandArgv(session->context, line.count, line.at, line.len);
    free(memory);
    return status == REDIS_OK;
}

static void
judge(struct longstop_entry *entry, const redisReply *reply)
{
    if (reply->type == REDIS_REPLY_STRING) {
        entry->outcome = LONGSTOP_DONE;
        kit_say(entry->words, "%s", reply->str);
    } else if (reply->type == REDIS_REPLY_ERROR) {
        kit_say(entry->words, "redis: %s", reply->str);
    } else {
        kit_say(entry->words, "redis: an answer of an unknown kind");
    }
}

static bool
take_replies(struct session *session, struct longstop_entry *entries,
             size_t count, const struct kit_deadline *deadline)
{
    for (size_t i = 0; i < count; i++) {
        redisReply *reply = next_reply(session, deadline);
        if (reply == NULL) {
            return false;
        }
        judge(&entries[i], reply);
        freeReplyObject(reply);
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
    char words[LONGSTOP_WORDS_BYTES] = "";
    if (session->context == NULL && !connect_to(session, &deadline, words)) {
        kit_say_all(entries, count, "%s", words);
        return LONGSTOP_ABSENT;
    }
    bool is_good = true;
    for (size_t i = 0; i < count && is_good; i++) {
        is_good = append_entry(session, &entries[i]);
    }
    if (is_good && flush(session) &&
        take_replies(session, entries, count, &deadline)) {
        return LONGSTOP_THERE;
    }
    bool is_lost = session->context->err != 0;
    kit_say_all(entries, count,
                is_lost ? "redis: the connection was lost before the answer: %s"
                        : "redis: no answer in time%s",
                is_lost ? session->context->errstr : "");
    disconnect(session); /* answers still under way would be taken for others */
    return is_lost ? LONGSTOP_LOST : LONGSTOP_THERE;
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

static void
number_text(char into[24], int64_t number)
{
    if (number > 0) {
        (void)snprintf(into, 24, "%lld", (long long)number);
    }
}

static void *
open_session(const struct longstop_setting *settings, size_t count,
             const struct longstop_host *host, char words[LONGSTOP_WORDS_BYTES])
{
    struct session *session = calloc(1, sizeof(*session));
    if (session == NULL ||
        !kit_settings_copy(&session->settings, settings, count)) {
        free(session);
        kit_say(words, "redis: out of memory");
        return NULL;
    }
    session->host = host;
    if (!kit_url_parse(&session->url, kit_text(&session->settings, "url"))) {
        kit_say(words, "redis: the URL cannot be read");
    } else if (strcmp(session->url.scheme, "redis") != 0 &&
               strcmp(session->url.scheme, "unix") != 0) {
        kit_say(words,
                "redis: '%s' is not spoken; use redis:// or unix:, and a "
                "TLS tunnel in between where there has to be one",
                session->url.scheme);
    } else {
        number_text(session->maxlen, kit_number(&session->settings, "maxlen"));
        number_text(session->dedup_ms, kit_number(&session->settings, "dedup"));
        return session;
    }
    close_session(session);
    return NULL;
}

static const char *
describe(void)
{
    static char text[64];
    (void)snprintf(text, sizeof(text), "hiredis %d.%d.%d", HIREDIS_MAJOR,
                   HIREDIS_MINOR, HIREDIS_PATCH);
    return text;
}

LONGSTOP_PLUGIN_EXPORT extern const struct longstop_plugin longstop_plugin;

const struct longstop_plugin longstop_plugin = {
    .abi = LONGSTOP_PLUGIN_ABI,
    .kind = "redis",
    .describe = describe,
    .open = open_session,
    .publish = publish,
    .close = close_session,
};
