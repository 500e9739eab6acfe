/* SPDX-License-Identifier: MIT */
/*
 * http_client: the libcurl gate: a request out, one reply or one error back,
 * cancel at any time.
 *
 * No redirects, no netrc, no proxy but a configured one (the environment is not
 * asked), http and https only,
 * peer and host verified, TLS 1.2 or later. Bodies are decoded (gzip, deflate)
 * and counted after decoding. Connections are kept and used again.
 */
#ifndef IO_HTTP_CLIENT_H
#define IO_HTTP_CLIENT_H

#include "base/bytes.h"
#include "base/mem.h"
#include "base/status.h"
#include "wire/http_field.h"

#include <stdbool.h>
#include <stdint.h>

struct cidr;
struct loop;
struct http_client;
struct http_call;

enum http_version {
    HTTP_VERSION_1_1,
    HTTP_VERSION_AUTO, /* HTTP/2 where a server of https offers it (ALPN) */
    HTTP_VERSION_2     /* at once, also without TLS (RFC 9113 §3.3) */
};

/* Of the texts NULL is none. */
struct http_client_settings {
    int64_t connections;          /* in all: 64; 0: no limit */
    int64_t connections_per_host; /* 8; 0: no limit */
    const char *ca_file;          /* NULL: the system's */
    const char *user_agent;
    const char *proxy;            /* URL; for every call */
    const char *certificate_file; /* ours, PEM, with its key in key_file, or */
    const char *key_file;         /* NULL where that is in the same file */
    enum http_version version;
    bool public_only; /* no call of it makes a connection to this machine or a
                         private network, whatever its host resolves to, but to
                         what is allowed: STATUS_DENIED */
    const struct cidr *allowed;
    size_t allowed_count;
};

NODISCARD
enum status http_client_create(struct loop *loop,
                               const struct http_client_settings *s,
                               struct http_client **ret, struct error *err);
/* Cancels what is running, without callbacks. NULL is allowed. */
void http_client_destroy(struct http_client *client);

struct http_reply;

/* For an answer that does not end: its bytes are handed on as they come. */
struct http_stream {
    /* The head is here, its body empty yet. True: what follows goes to `take`,
     * and of the times only stall_timeout_ms counts from here on. False: an
     * answer as any other. */
    bool (*open)(void *arg, const struct http_reply *head);
    /* False: not now. No more comes, and the time that counts stands still,
     * until http_client_resume; then the same bytes come again. */
    bool (*take)(void *arg, struct slice bytes);
};

/* All of it is copied before http_client_start returns, but `body`, which is
 * borrowed until the callback or the cancel. */
struct http_call_spec {
    struct slice method;
    struct slice url; /* absolute, http or https */
    struct http_fields fields;
    struct slice body;
    bool has_body;
    struct slice user; /* HTTP Basic, when not empty */
    struct slice password;
    const char *unix_socket;    /* or NULL */
    int64_t connect_timeout_ms; /* 10 s */
    int64_t timeout_ms;         /* of the whole call: 30 s */
    int64_t stall_timeout_ms;   /* less than 1 byte/s for so long: 20 s */
    size_t body_limit;          /* decoded: STATUS_TOO_LARGE beyond */
    bool is_held; /* the server is expected to keep the request open: it takes
                     none of the connections of those that are answered */
    bool is_once; /* sent once at most, on a connection of its own: one that was
                     used before and turns out to be closed is tried anew,
                     though the request may have arrived */
    bool body_may_be_cut; /* instead: the answer ends at body_limit */
    bool public_only;     /* the URL came from outside: no connection is made to
                             this machine or a private network, whatever its host
                             resolves to; STATUS_DENIED */
    const char *pinned_key; /* NULL, or "sha256//" and base64 of the server's
                               public key (SubjectPublicKeyInfo): that alone
                               says who it is, no issuer, name or date */
    const struct http_stream *stream; /* or NULL; outlives the call. Its answer
                                         is not asked to be compressed: a packer
                                         holds back what a reader waits for */
};

/* What came back; borrowed for the callback. */
struct http_reply {
    unsigned status;
    struct http_fields fields;
    struct slice body;
    int64_t duration_ms;   /* from start to the last byte */
    int64_t first_byte_ms; /* from start to the first byte of the reply */
    int64_t received_ms;   /* loop's monotonic clock at the end */
};

/*
 * `status` is STATUS_OK when a whole reply came, whatever it says; else
 * STATUS_TIMEOUT, _UNAVAILABLE, _PROTOCOL, _TOO_LARGE, _DENIED (TLS) or _NOMEM
 * with words in `err`, and reply is NULL.
 */
typedef void http_reply_fn(void *arg, enum status status,
                           const struct http_reply *reply,
                           const struct error *err);

/* Starts a call. On STATUS_OK `done` comes exactly once, unless the call is
 * cancelled; the call is gone when it comes. */
NODISCARD
enum status http_client_start(struct http_client *client,
                              const struct http_call_spec *spec,
                              http_reply_fn *done, void *arg,
                              struct http_call **ret_call, struct error *err);

/* Lets bytes come again that a stream's `take` has refused. It may be called
 * from here. */
void http_client_resume(struct http_call *call);

/* Ends the call without a callback; not from a stream's callbacks. NULL is
 * allowed. */
void http_client_cancel(struct http_call *call);

#endif
