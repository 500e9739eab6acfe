/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L
#include "plugin/pq.h"

#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* More hosts than this in one URL are tried by libpq in a row, without shares
 * of their own. */
#define HOSTS_MAX 16

/* Room for the names and values of a connection, and their NULL. */
#define PAIRS_MAX 16

/* Where each host of a list is to be found: NULL where the list has none. */
struct place {
    char *host;
    char *address;
    char *port;
};

const char *
pq_describe(void)
{
    static char text[64];
    (void)snprintf(text, sizeof(text), "libpq %d.%d", PQlibVersion() / 10000,
                   PQlibVersion() % 10000);
    return text;
}

bool
pq_check(const char *url, char words[LONGSTOP_WORDS_BYTES])
{
    /* Other words of libpq quote the text, and a password with it. */
    static const char harmless[] = "invalid connection option";
    char *why = NULL;
    PQconninfoOption *parsed = PQconninfoParse(url, &why);
    if (parsed != NULL) {
        PQconninfoFree(parsed);
        return true;
    }
    const bool is_told =
        why != NULL && strncmp(why, harmless, sizeof(harmless) - 1) == 0;
    kit_say(words, "postgresql: url: %s",
            is_told ? why
                    : "it is neither postgresql://USER@HOST/DATABASE nor "
                      "pairs such as host=/run/postgresql dbname=shop");
    PQfreemem(why);
    return false;
}

bool
pq_wait(PGconn *connection, short events, const struct kit_deadline *deadline)
{
    for (;;) {
        int slice_ms = kit_slice(deadline);
        struct pollfd socket = { .fd = PQsocket(connection), .events = events };
        if (slice_ms == 0 || socket.fd < 0) {
            return false;
        }
        if (poll(&socket, 1, slice_ms) > 0) {
            return true;
        }
    }
}

/* Places */

static const char *
option(const PQconninfoOption *options, const char *name)
{
    for (; options != NULL && options->keyword != NULL; options++) {
        if (strcmp(options->keyword, name) == 0) {
            return options->val;
        }
    }
    return NULL;
}

static size_t
count_of(const char *list)
{
    size_t count = list == NULL ? 0 : 1;
    for (; list != NULL && *list != '\0'; list++) {
        count += *list == ',';
    }
    return count;
}

/* The entry of a list with commas, to be freed; a list of one is for all. */
static char *
entry_of(const char *list, size_t index)
{
    if (list == NULL) {
        return NULL;
    }
    for (; index > 0 && strchr(list, ',') != NULL; index--) {
        list = strchr(list, ',') + 1;
    }
    return kit_copy((struct longstop_bytes){ list, strcspn(list, ",") });
}

/* The places that a URL names, none where it leaves them to the library. */
static size_t
find_places(const PQconninfoOption *options, struct place places[HOSTS_MAX])
{
    const char *hosts = option(options, "host");
    const char *addresses = option(options, "hostaddr");
    const char *ports = option(options, "port");
    const size_t count = count_of(addresses != NULL ? addresses : hosts);
    const size_t names = count_of(hosts);
    const size_t numbers = count_of(ports);
    /* What does not fit together is libpq's to say. */
    if (count < 2 || count > HOSTS_MAX || (names > 0 && names != count) ||
        (numbers > 1 && numbers != count)) {
        return 0;
    }
    for (size_t i = 0; i < count; i++) {
        places[i] = (struct place){ entry_of(hosts, i), entry_of(addresses, i),
                                    entry_of(ports, i) };
    }
    return count;
}

/* Connecting */

static void
ignore(void *arg, const char *words)
{
    (void)arg;
    (void)words;
}

/* Names and values as libpq takes them; what comes later wins. */
struct pairs {
    const char *names[PAIRS_MAX + 1];
    const char *values[PAIRS_MAX + 1];
    size_t count;
};

static void
add_pair(struct pairs *pairs, const char *name, const char *value)
{
    if (value != NULL && pairs->count < PAIRS_MAX) {
        pairs->names[pairs->count] = name;
        pairs->values[pairs->count++] = value;
    }
}

static struct pairs
make_pairs(const struct pq_access *access, const PQconninfoOption *options,
           const struct place *place)
{
    struct pairs pairs = { .count = 0 };
    const bool has_service =
        option(options, "service") != NULL || getenv("PGSERVICE") != NULL;
    /* A service's own would be hidden behind ours. */
    if (access->is_writer && !has_service) {
        if (getenv("PGTARGETSESSIONATTRS") == NULL) {
            add_pair(&pairs, "target_session_attrs", "read-write");
        }
        add_pair(&pairs, "keepalives_idle", "15");
        add_pair(&pairs, "keepalives_interval", "5");
        add_pair(&pairs, "keepalives_count", "3");
        add_pair(&pairs, "tcp_user_timeout", "15000");
    }
    add_pair(&pairs, "dbname", access->url);
    if (place != NULL) {
        add_pair(&pairs, "host", place->host);
        add_pair(&pairs, "hostaddr", place->address);
        add_pair(&pairs, "port", place->port);
    }
    add_pair(&pairs, "password", access->password);
    add_pair(&pairs, "client_encoding", "UTF8");
    add_pair(&pairs, "fallback_application_name", access->application);
    return pairs;
}

static bool
is_state(const char *text)
{
    return strspn(text, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 5;
}

/* Why there is no connection. A SQLSTATE is to be had from the verbose words
 * alone: `FATAL:  28P01: password … LOCATION: …`. */
static void
tell(PGconn *connection, char state[PQ_STATE_BYTES],
     char words[LONGSTOP_WORDS_BYTES])
{
    const char *why =
        connection == NULL ? "out of memory" : PQerrorMessage(connection);
    const char *location = strstr(why, "\nLOCATION:");
    const size_t len =
        location == NULL ? strlen(why) : (size_t)(location - why);
    const char *mark = strstr(why, ":  ");
    state[0] = '\0';
    if (len == 0) {
        kit_say(words, "postgresql: cannot connect: no answer in time");
    } else if (mark != NULL && is_state(mark + 3)) {
        const char *rest = mark + 3 + 5;
        memcpy(state, mark + 3, 5);
        state[5] = '\0';
        kit_say(words, "postgresql: cannot connect: %.*s%.*s",
                (int)(mark - why), why, (int)(len - (size_t)(rest - why)),
                rest);
    } else {
        kit_say(words, "postgresql: cannot connect: %.*s", (int)len, why);
    }
    if (connection != NULL && PQconnectionNeedsPassword(connection) != 0) {
        memcpy(state, "28P01", PQ_STATE_BYTES);
    } else if (strstr(why, "session is read-only") != NULL) {
        memcpy(state, "25006", PQ_STATE_BYTES);
    }
}

static PGconn *
dial(const struct pairs *pairs, const struct kit_deadline *deadline,
     char state[PQ_STATE_BYTES], char words[LONGSTOP_WORDS_BYTES])
{
    PostgresPollingStatusType next = PGRES_POLLING_WRITING;
    PGconn *connection = PQconnectStartParams(pairs->names, pairs->values, 1);
    if (connection != NULL) {
        PQsetNoticeProcessor(connection, ignore, NULL);
        (void)PQsetErrorVerbosity(connection, PQERRORS_VERBOSE);
    }
    while (PQstatus(connection) != CONNECTION_BAD && next != PGRES_POLLING_OK &&
           next != PGRES_POLLING_FAILED) {
        if (!pq_wait(connection,
                     next == PGRES_POLLING_READING ? POLLIN : POLLOUT,
                     deadline)) {
            break;
        }
        next = PQconnectPoll(connection);
    }
    /* Otherwise a server that does not read holds us within libpq, for good. */
    if (PQstatus(connection) == CONNECTION_OK &&
        PQsetnonblocking(connection, 1) == 0) {
        (void)PQsetErrorVerbosity(connection, PQERRORS_DEFAULT);
        return connection;
    }
    tell(connection, state, words);
    PQfinish(connection);
    return NULL;
}

PGconn *
pq_connect(const struct pq_access *access, const struct kit_deadline *deadline,
           char state[PQ_STATE_BYTES], char words[LONGSTOP_WORDS_BYTES])
{
    struct place places[HOSTS_MAX] = { { NULL, NULL, NULL } };
    state[0] = '\0';
    if (!pq_check(access->url, words)) {
        return NULL; /* libpq would quote it */
    }
    PQconninfoOption *options = PQconninfoParse(access->url, NULL);
    const size_t count = find_places(options, places);
    PGconn *connection = NULL;
    for (size_t i = 0; connection == NULL && i < (count == 0 ? 1 : count);
         i++) {
        const struct kit_deadline share = kit_deadline_in(
            deadline->host, count == 0
                                ? kit_left_ms(deadline)
                                : kit_left_ms(deadline) / (int64_t)(count - i));
        const struct pairs pairs =
            make_pairs(access, options, count == 0 ? NULL : &places[i]);
        connection = dial(&pairs, &share, state, words);
    }
    for (size_t i = 0; i < count; i++) {
        free(places[i].host);
        free(places[i].address);
        free(places[i].port);
    }
    PQconninfoFree(options);
    return connection;
}
