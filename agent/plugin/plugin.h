/* SPDX-License-Identifier: MIT */
/*
 * plugin: what a broker's plugin and the program promise each other; plain C,
 * and all that crosses between them.
 *
 * A plugin is a shared object that exports one symbol, `longstop_plugin`, a
 * constant `struct longstop_plugin`. It needs no symbol of the program, and the
 * program needs none of the broker's library: that library is loaded with the
 * plugin. Everything blocks: each session has a thread of the program's to
 * itself, and none of its functions is called by two threads at a time.
 */
#ifndef PLUGIN_PLUGIN_H
#define PLUGIN_PLUGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Grows when anything below changes; a plugin of another number is refused. */
#define LONGSTOP_PLUGIN_ABI 1u

/* The name of the exported symbol. */
#define LONGSTOP_PLUGIN_SYMBOL "longstop_plugin"

/* For its declaration, where a plugin hides its other symbols. */
#define LONGSTOP_PLUGIN_EXPORT __attribute__((visibility("default")))

/* Room for words about a failure, with their NUL. */
#define LONGSTOP_WORDS_BYTES 256

/* Bytes of somebody else's; `at` is never NULL, and no NUL stands behind. */
struct longstop_bytes {
    const char *at;
    size_t len;
};

/* One key of the configuration, as text: durations in ms, sizes in bytes,
 * secrets as they were read. Keys that were not given and have no default are
 * left out. */
struct longstop_setting {
    const char *name;
    const char *value;
};

enum longstop_outcome {
    LONGSTOP_LATER = 0, /* not acknowledged; the same may work later */
    LONGSTOP_DONE = 1,  /* the broker said that it has it */
    LONGSTOP_DEAD = 2   /* it never will: too large, not what it can hold */
};

/* What became of a batch as a whole. */
enum longstop_broker {
    LONGSTOP_ABSENT = 0, /* there was no broker to talk to */
    LONGSTOP_THERE = 1,  /* each entry has its outcome */
    LONGSTOP_LOST = 2    /* it went away in the midst of it */
};

/* One event on its way to the broker. */
struct longstop_entry {
    struct longstop_bytes key;  /* idempotency key: the same at each try */
    struct longstop_bytes to;   /* subject, stream, topic, routing key, table */
    struct longstop_bytes type; /* of the event; may be empty */
    struct longstop_bytes source; /* the connector's name */
    struct longstop_bytes content_type;
    struct longstop_bytes body;
    /* Asked for again by a person, who wants it there again: a broker that
     * knows its key is not to pass it over, and who reads is to be told. */
    bool is_replay;
    /* Filled in by the plugin; LONGSTOP_LATER and "" to begin with. */
    enum longstop_outcome outcome;
    char words[LONGSTOP_WORDS_BYTES]; /* why not, or more about done */
};

/* What the program offers a session; lives longer than it. */
struct longstop_host {
    void *arg;
    /* Whether the session should give up waiting: the program ends. Cheap;
     * to be asked at least every 200 ms of waiting. */
    bool (*should_stop)(void *arg);
};

struct longstop_plugin {
    uint32_t abi;     /* LONGSTOP_PLUGIN_ABI */
    const char *kind; /* the key in a handler: "nats" */

    /* The library behind it with its version, for people. */
    const char *(*describe)(void);

    /*
     * Makes a session. Looks at the settings, which it copies, and touches no
     * network: a broker may come later than the program. NULL with `words`
     * when a setting cannot be.
     */
    void *(*open)(const struct longstop_setting *settings, size_t count,
                  const struct longstop_host *host,
                  char words[LONGSTOP_WORDS_BYTES]);

    /*
     * Connects if it is not connected, hands all entries over, waits until the
     * broker has said of each what became of it or `timeout_ms` have passed,
     * and fills the outcomes in. DONE is the broker's word alone. Nothing of an
     * entry may be used after the return.
     *
     * ABSENT: the program waits a little before it asks again. LOST: it asks
     * again at once for half of what is LATER, and so on, for it may be one
     * entry that the broker cannot bear. The session stays usable and connects
     * anew by itself.
     */
    enum longstop_broker (*publish)(void *session,
                                    struct longstop_entry *entries,
                                    size_t count, int64_t timeout_ms);

    /* Ends the session; waits for nothing. */
    void (*close)(void *session);
};

#endif
