/* SPDX-License-Identifier: MIT */
/*
 * receiver: an endpoint that somebody registered to be sent events as webhooks:
 * what is asked for, what is stored of it, and when it is left alone. Pure.
 */
#ifndef MODEL_RECEIVER_H
#define MODEL_RECEIVER_H

#include "base/bytes.h"
#include "base/mem.h"
#include "base/status.h"
#include "model/address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The newest first; the others sign too until their time is over. */
#define RECEIVER_SECRETS 2

#define RECEIVER_URL_BYTES       2048
#define RECEIVER_WORDS           64 /* globs, and names of connectors */
#define RECEIVER_WORD_BYTES      256
#define RECEIVER_OVERLAP_MOST_MS ((int64_t)30 * 24 * 3600 * 1000)

struct receiver_secret {
    struct slice text; /* whsec_ and base64, or any text */
    int64_t until_ms;  /* Unix ms; 0: for good */
};

struct receiver_words {
    struct slice *at;
    size_t count;
};

struct receiver {
    struct slice id; /* of its handler too */
    struct slice url;
    struct receiver_words events;     /* globs; a leading ! excludes */
    struct receiver_words connectors; /* none: all */
    struct receiver_secret secrets[RECEIVER_SECRETS];
    size_t secret_count;
    int64_t created_ms;
    int64_t failing_ms;  /* since when every attempt fails; 0: it does not */
    int64_t disabled_ms; /* 0: it is not */
    struct slice why;    /* it is disabled */
};

struct receiver_rules {
    const struct cidr *allowed; /* networks of ours that may be sent to */
    size_t allowed_count;
    bool http;                /* also without TLS */
    int64_t disable_after_ms; /* of nothing but failures; 0: never */
    int64_t timeout_ms;       /* of an attempt */
    int64_t most;             /* receivers */
    int64_t concurrency;      /* attempts at one at a time */
};

/* Appends the text that is stored; secrets that are over by `now_ms` are left
 * out. */
void receiver_encode(const struct receiver *receiver, int64_t now_ms,
                     struct buf *into);

/* Reads it back; all of it is copied into `arena`. STATUS_CORRUPT when it is
 * none. */
NODISCARD
enum status receiver_decode(struct slice text, struct arena *arena,
                            struct receiver *ret);

/* Reads what is asked for: {"url":…,"events":…,"connectors":…,"secret":…}.
 * STATUS_INVALID says what is wrong with it. */
NODISCARD
enum status receiver_read(struct slice body, struct arena *arena,
                          struct receiver *ret, struct error *err);

/*
 * Whether the URL may be registered: https, unless http is allowed too, and no
 * address of this machine or a private network. What its host resolves to is
 * looked at where the connection is made, each time. STATUS_INVALID says why
 * not.
 */
NODISCARD
enum status receiver_check_url(struct slice url,
                               const struct receiver_rules *rules,
                               struct error *err);

/* Makes a secret for good: whsec_ and base64 of 32 random bytes (Standard
 * Webhooks asks for 24 to 64). */
NODISCARD
enum status receiver_make_secret(struct arena *arena, struct slice *ret_secret);

/* Whether a text may be a secret: 16 to 256 printable bytes. */
bool receiver_is_secret(struct slice text);

/* How an attempt ended. */
enum receiver_word {
    RECEIVER_TOOK_IT,
    RECEIVER_FAILED,
    RECEIVER_GONE /* HTTP 410 */
};

/* Notes an attempt's end; true: the receiver is disabled by it, at once when it
 * is gone, else when it has done nothing but fail for long enough. */
bool receiver_note(struct receiver *receiver,
                   const struct receiver_rules *rules, enum receiver_word word,
                   int64_t now_ms);

/* It is sent to again, whatever was before. */
void receiver_enable(struct receiver *receiver);

#endif
