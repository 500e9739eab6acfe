/* SPDX-License-Identifier: MIT */
/*
 * http_client_private: what http_client (all calls and the loop), http_call
 * (one call) and http_handle (what of it is kept) share; the one place that
 * includes curl.
 */
#ifndef IO_HTTP_CLIENT_PRIVATE_H
#define IO_HTTP_CLIENT_PRIVATE_H

#include "base/list.h"
#include "io/http_client.h"

#include <curl/curl.h>

enum { HTTP_CALL_HOST_BYTES = 128, HTTP_CLIENT_SPARE = 16 };

/* What a handle is set up for beyond what every call sets itself. */
enum http_dress {
    HTTP_DRESS_NONE,  /* anything: only for itself */
    HTTP_DRESS_PLAIN, /* a POST with a body over HTTP/1.1, and nothing else */
    HTTP_DRESS_TLS    /* likewise, over TLS */
};

struct http_client {
    struct loop *loop;
    struct http_client_settings settings;
    CURLM *multi; /* made at the first call: an idle agent stays small */
    struct http_client *held; /* runs the calls that are held; made likewise */
    struct loop_timer *timer;
    struct list running;
    struct arena texts; /* of the settings */
    /* Of calls that are over, for those that come: making one anew costs more
     * than all we do with it, and setting it up costs half as much. */
    struct {
        CURL *easy;
        enum http_dress dress; /* for a call of this kind it is set up */
    } spare[HTTP_CLIENT_SPARE];
    size_t spare_count;
};

struct http_call {
    struct list link; /* in running, or in the list of those that have ended */
    struct http_client *client;
    CURL *easy;
    enum http_dress dress;
    bool is_dressed;          /* the handle was set up for it already */
    struct curl_slist *lines; /* with their texts behind them, one block */
    size_t line_bytes;
    struct loop_timer *deadline;
    http_reply_fn *done;
    void *arg;
    const struct http_stream *stream;
    bool is_open;   /* what comes goes to the stream */
    bool is_paused; /* it would not take it now */
    struct buf body;
    size_t body_limit;
    size_t head_bytes;
    int64_t timeout_ms;
    int64_t stall_ms;
    int64_t ends_ms;       /* when the whole call is late */
    int64_t moved_ms;      /* when a byte last went or came */
    curl_off_t sent_bytes; /* at that time */
    enum status failure;   /* why we ended it ourselves */
    bool is_stalled;
    bool may_be_cut;
    bool is_cut;
    bool was_private; /* an address was left out, see open_public */
    CURLcode code;
    char host[HTTP_CALL_HOST_BYTES]; /* for messages: a whole URL may hold a
                                        secret */
    char words[CURL_ERROR_SIZE];
};

/* Refuses what could not go out as it is, or would begin a line of its own. */
NODISCARD
enum status http_call_check(const struct http_call_spec *spec,
                            struct error *err);

/* Makes a call that is in no list and not with curl yet; NULL: no memory. */
NODISCARD
struct http_call *http_call_create(struct http_client *client,
                                   const struct http_call_spec *spec,
                                   http_reply_fn *done, void *arg);
void http_call_destroy(struct http_call *call);

/* curl's callbacks. */
size_t http_call_take_body(char *bytes, size_t size, size_t count, void *arg);
size_t http_call_take_head(char *bytes, size_t size, size_t count, void *arg);

/* http_handle: gives the call a handle with all that is the same for every
 * call; one that is dressed for its kind has a plain POST's options too. False:
 * no memory. */
NODISCARD
bool http_handle_take(struct http_call *call,
                      const struct http_call_spec *spec);

/* Keeps the call's handle for another, or frees it; what it has of this one is
 * not looked at before it is set anew. */
void http_handle_give(struct http_call *call);

/* Whether bytes have stood still for too long since the request began to go
 * out; waiting for a connection and connecting have limits of their own. */
bool http_call_stalls(struct http_call *call, int64_t now_ms);

/* Calls back and destroys; the call is in no list any more. */
void http_call_deliver(struct http_call *call);

#endif
