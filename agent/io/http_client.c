/* SPDX-License-Identifier: MIT */
#include "io/http_client.h"

#include <curl/curl.h>
#include <string.h>

#include "base/instant.h"
#include "base/list.h"
#include "io/loop.h"

/*
 * The happy path: http_client_start gives a handle to curl's multi interface,
 * which tells through watch_socket and set_timer what it waits for; the loop
 * calls it back when that happens (curl_multi_socket_action); collect() takes
 * what has ended and calls back.
 *
 * What can go wrong: curl reports it, or the deadline of the call fires first
 * (curl does not count the time a call waits for a connection), or the write
 * callback finds a limit passed and says so in `failure` before curl does.
 */

enum { HEAD_LIMIT_BYTES = 256 * 1024, HOST_BYTES = 128 };

struct http_client {
    struct loop *loop;
    struct http_client_settings settings;
    CURLM *multi; /* made at the first call: an idle agent stays small */
    struct loop_timer *timer;
    struct list running;
    char *ca_file;
    char *user_agent;
};

struct http_call {
    struct list link; /* in running, or in the list of those that have ended */
    struct http_client *client;
    CURL *easy;
    struct curl_slist *lines;
    struct loop_timer *deadline;
    http_reply_fn *done;
    void *arg;
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
    CURLcode code;
    char host[HOST_BYTES]; /* for messages: a whole URL may hold a secret */
    char words[CURL_ERROR_SIZE];
};

/* A socket curl waits for. */
struct watch {
    struct http_client *client;
    struct loop_io *io;
    curl_socket_t fd;
};

/* What a result of curl means here; others are STATUS_PROTOCOL. */
static const struct {
    CURLcode code;
    enum status status;
} meanings[] = {
    { CURLE_OUT_OF_MEMORY, STATUS_NOMEM },
    { CURLE_OPERATION_TIMEDOUT, STATUS_TIMEOUT },
    { CURLE_COULDNT_RESOLVE_HOST, STATUS_UNAVAILABLE },
    { CURLE_COULDNT_RESOLVE_PROXY, STATUS_UNAVAILABLE },
    { CURLE_COULDNT_CONNECT, STATUS_UNAVAILABLE },
    { CURLE_INTERFACE_FAILED, STATUS_UNAVAILABLE },
    { CURLE_GOT_NOTHING, STATUS_UNAVAILABLE },
    { CURLE_SEND_ERROR, STATUS_UNAVAILABLE },
    { CURLE_RECV_ERROR, STATUS_UNAVAILABLE },
    { CURLE_SSL_CONNECT_ERROR, STATUS_UNAVAILABLE },
    { CURLE_PEER_FAILED_VERIFICATION, STATUS_DENIED },
    { CURLE_SSL_CACERT_BADFILE, STATUS_DENIED },
    { CURLE_SSL_ISSUER_ERROR, STATUS_DENIED },
    { CURLE_SSL_INVALIDCERTSTATUS, STATUS_DENIED },
    { CURLE_SSL_CERTPROBLEM, STATUS_DENIED },
    { CURLE_SSL_CIPHER, STATUS_DENIED },
    { CURLE_LOGIN_DENIED, STATUS_DENIED },
    { CURLE_URL_MALFORMAT, STATUS_INVALID },
};

static enum status
meaning_of(CURLcode code)
{
    for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++) {
        if (meanings[i].code == code) {
            return meanings[i].status;
        }
    }
    return STATUS_PROTOCOL;
}

/* One call */

static void
free_call(struct http_call *call)
{
    curl_easy_cleanup(call->easy);
    curl_slist_free_all(call->lines);
    loop_timer_destroy(call->deadline);
    buf_fini(&call->body);
    mem_free(call);
}

/* Takes decoded bytes. Whatever a Content-Length promised, these count: curl's
 * own limit looks at the bytes before they are decoded. */
static size_t
/* NOLINTNEXTLINE(readability-non-const-parameter): the type is curl's */
take_body(char *bytes, size_t size, size_t count, void *arg)
{
    struct http_call *call = arg;
    size_t len = size * count;
    call->moved_ms = loop_now_ms(call->client->loop);
    size_t room = call->body_limit - call->body.len;
    if (len > room && !call->may_be_cut) {
        call->failure = STATUS_TOO_LARGE;
        return CURL_WRITEFUNC_ERROR;
    }
    call->is_cut = call->is_cut || len > room;
    buf_append(&call->body, (struct slice){ bytes, call->is_cut ? room : len });
    if (buf_status(&call->body) != STATUS_OK) {
        call->failure = buf_status(&call->body);
        return CURL_WRITEFUNC_ERROR;
    }
    return call->is_cut ? CURL_WRITEFUNC_ERROR : len;
}

/* Only counts: curl keeps the fields, but sets no limit to all of them. */
static size_t
/* NOLINTNEXTLINE(readability-non-const-parameter): the type is curl's */
take_head(char *bytes, size_t size, size_t count, void *arg)
{
    struct http_call *call = arg;
    (void)bytes;
    call->moved_ms = loop_now_ms(call->client->loop);
    call->head_bytes += size * count;
    if (call->head_bytes > HEAD_LIMIT_BYTES) {
        call->failure = STATUS_PROTOCOL;
        return CURL_WRITEFUNC_ERROR;
    }
    return size * count;
}

/* Returns the fields, borrowing from the handle; the caller frees them. */
static struct http_field *
gather_fields(CURL *easy, size_t *ret_count)
{
    struct curl_header *header = NULL;
    size_t count = 0;
    while ((header = curl_easy_nextheader(easy, CURLH_HEADER, -1, header)) !=
           NULL) {
        count++;
    }
    struct http_field *at = mem_array(count, sizeof(*at));
    if (at == NULL) {
        return NULL;
    }
    size_t i = 0;
    while (i < count && (header = curl_easy_nextheader(easy, CURLH_HEADER, -1,
                                                       header)) != NULL) {
        at[i].name = slice_of(header->name);
        at[i].value = slice_trim(slice_of(header->value));
        i++;
    }
    *ret_count = i;
    return at;
}

/* Microseconds to milliseconds, never less than what went by: a walk counts
 * back from the end of its first answer. */
static int64_t
info_ms(CURL *easy, CURLINFO what)
{
    curl_off_t us = 0;
    (void)curl_easy_getinfo(easy, what, &us);
    return (us + 999) / 1000;
}

static void
deliver_failure(struct http_call *call, enum status status)
{
    struct error err = { "" };
    if (status == STATUS_TOO_LARGE) {
        (void)error_set(&err, status, "%s: the answer is longer than %zu bytes",
                        call->host, call->body_limit);
    } else if (call->failure == STATUS_PROTOCOL) {
        (void)error_set(&err, status,
                        "%s: the head of the answer is longer than %d bytes",
                        call->host, HEAD_LIMIT_BYTES);
    } else if (call->failure == STATUS_TIMEOUT) {
        int64_t span_ms = call->is_stalled ? call->stall_ms : call->timeout_ms;
        char span[INSTANT_TEXT_BYTES];
        (void)error_set(&err, status, "%s: %s %s", call->host,
                        call->is_stalled ? "no byte came for"
                                         : "no whole answer within",
                        instant_span_text(span_ms, span));
    } else if (call->failure == STATUS_OK) {
        (void)error_set(&err, status, "%s: %s", call->host,
                        call->words[0] != '\0'
                            ? call->words
                            : curl_easy_strerror(call->code));
    } else {
        (void)error_set(&err, status, "%s: %s", call->host,
                        status_text(status));
    }
    call->done(call->arg, status, NULL, &err);
}

/* Calls back and frees; the call is in no list any more. */
static void
deliver(struct http_call *call)
{
    enum status status = call->failure;
    if (status == STATUS_OK && call->code != CURLE_OK && !call->is_cut) {
        status = meaning_of(call->code);
    }
    struct http_field *fields = NULL;
    size_t count = 0;
    if (status == STATUS_OK) {
        fields = gather_fields(call->easy, &count);
        call->failure = status = fields != NULL ? STATUS_OK : STATUS_NOMEM;
    }
    if (status != STATUS_OK) {
        deliver_failure(call, status);
        free_call(call);
        return;
    }
    struct http_reply reply = { .fields = { fields, count } };
    long code = 0;
    (void)curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &code);
    reply.status = (unsigned)code;
    reply.body = buf_slice(&call->body);
    reply.duration_ms = info_ms(call->easy, CURLINFO_TOTAL_TIME_T);
    reply.first_byte_ms = info_ms(call->easy, CURLINFO_STARTTRANSFER_TIME_T);
    reply.received_ms = loop_now_ms(call->client->loop);
    call->done(call->arg, STATUS_OK, &reply, NULL);
    mem_free(fields);
    free_call(call);
}

/* Between curl and the loop */

/*
 * Takes what curl has finished and calls back. All of it leaves the multi
 * handle before the first callback, which may start and cancel others.
 */
static void
collect(struct http_client *client)
{
    struct list ended;
    list_init(&ended);
    int left = 0;
    CURLMsg *message = NULL;
    while ((message = curl_multi_info_read(client->multi, &left)) != NULL) {
        if (message->msg != CURLMSG_DONE) {
            continue;
        }
        CURLcode code = message->data.result;
        struct http_call *call = NULL;
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &call);
        (void)curl_multi_remove_handle(client->multi, message->easy_handle);
        call->code = code;
        list_remove(&call->link);
        list_append(&ended, &call->link);
        loop_timer_disarm(call->deadline);
    }
    struct list *link = NULL;
    while ((link = list_take(&ended)) != NULL) {
        deliver(list_entry(link, struct http_call, link));
    }
}

static void
socket_ready(void *arg, int ready)
{
    struct watch *watch = arg;
    struct http_client *client = watch->client;
    int bits = ((ready & LOOP_READ) != 0 ? CURL_CSELECT_IN : 0) |
               ((ready & LOOP_WRITE) != 0 ? CURL_CSELECT_OUT : 0);
    int running = 0;
    /* `watch` may be gone behind this call. */
    (void)curl_multi_socket_action(client->multi, watch->fd, bits, &running);
    collect(client);
}

static void
timer_fired(void *arg)
{
    struct http_client *client = arg;
    int running = 0;
    (void)curl_multi_socket_action(client->multi, CURL_SOCKET_TIMEOUT, 0,
                                   &running);
    collect(client);
}

static int
set_timer(CURLM *multi, long timeout_ms, void *arg)
{
    struct http_client *client = arg;
    (void)multi;
    if (timeout_ms < 0) {
        loop_timer_disarm(client->timer);
    } else {
        loop_timer_arm(client->timer, timeout_ms);
    }
    return 0;
}

static struct watch *
watch_create(struct http_client *client, curl_socket_t fd)
{
    struct watch *watch = mem_zero(sizeof(*watch));
    if (watch == NULL) {
        return NULL;
    }
    watch->client = client;
    watch->fd = fd;
    if (loop_io_create(client->loop, fd, socket_ready, watch, &watch->io) !=
        STATUS_OK) {
        mem_free(watch);
        return NULL;
    }
    return watch;
}

static int
watch_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
    struct http_client *client = arg;
    struct watch *watch = known;
    if (what == CURL_POLL_REMOVE) {
        if (watch != NULL) {
            loop_io_destroy(watch->io);
            mem_free(watch);
        }
        return 0;
    }
    if (watch == NULL) {
        watch = watch_create(client, fd);
        if (watch == NULL) {
            /* An error returned from here would end every call of the multi
             * handle; so only this one ends, by its deadline, at once. */
            struct http_call *call = NULL;
            (void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, &call);
            if (call != NULL) {
                call->failure = STATUS_NOMEM;
                loop_timer_arm(call->deadline, 0);
            }
            return 0;
        }
        (void)curl_multi_assign(client->multi, fd, watch);
    }
    loop_io_want(watch->io, ((what & CURL_POLL_IN) != 0 ? LOOP_READ : 0) |
                                ((what & CURL_POLL_OUT) != 0 ? LOOP_WRITE : 0));
    return 0;
}

static void
detach(struct http_call *call)
{
    (void)curl_multi_remove_handle(call->client->multi, call->easy);
    list_remove(&call->link);
}

/* Whether bytes have stood still for too long since the request began to go
 * out; waiting for a connection and connecting have limits of their own. */
static bool
is_stalled(struct http_call *call, int64_t now_ms)
{
    curl_off_t sent = 0;
    curl_off_t began = 0;
    (void)curl_easy_getinfo(call->easy, CURLINFO_SIZE_UPLOAD_T, &sent);
    (void)curl_easy_getinfo(call->easy, CURLINFO_PRETRANSFER_TIME_T, &began);
    if (began == 0 || sent != call->sent_bytes) {
        call->sent_bytes = sent;
        call->moved_ms = now_ms;
    }
    return now_ms - call->moved_ms >= call->stall_ms;
}

static void
arm_deadline(struct http_call *call, int64_t now_ms)
{
    int64_t stall_ms = call->moved_ms + call->stall_ms - now_ms;
    int64_t left_ms = call->ends_ms - now_ms;
    loop_timer_arm(call->deadline, left_ms < stall_ms ? left_ms : stall_ms);
}

static void
deadline_passed(void *arg)
{
    struct http_call *call = arg;
    int64_t now_ms = loop_now_ms(call->client->loop);
    if (call->failure == STATUS_OK && now_ms < call->ends_ms) {
        call->is_stalled = is_stalled(call, now_ms);
        if (!call->is_stalled) {
            arm_deadline(call, now_ms);
            return;
        }
    }
    if (call->failure == STATUS_OK) {
        call->failure = STATUS_TIMEOUT;
    }
    detach(call);
    deliver(call);
}

/* The client */

static enum status
open_multi(struct http_client *client, struct error *err)
{
    if (client->multi != NULL) {
        return STATUS_OK;
    }
    enum status status = STATUS_NOMEM;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return error_set(err, status, "libcurl could not be set up");
    }
    CURLM *multi = curl_multi_init();
    if (multi == NULL) {
        goto cleanup_curl;
    }
    long all = (long)client->settings.connections;
    long each = (long)client->settings.connections_per_host;
    if (curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, watch_socket) ||
        curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, client) ||
        curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, set_timer) ||
        curl_multi_setopt(multi, CURLMOPT_TIMERDATA, client) ||
        curl_multi_setopt(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, all) ||
        curl_multi_setopt(multi, CURLMOPT_MAX_HOST_CONNECTIONS, each) ||
        curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, all)) {
        goto cleanup_multi;
    }
    client->multi = multi;
    return STATUS_OK;

cleanup_multi:
    (void)curl_multi_cleanup(multi);
cleanup_curl:
    curl_global_cleanup();
    return error_set(err, status, "libcurl could not be set up");
}

enum status
http_client_create(struct loop *loop, const struct http_client_settings *s,
                   struct http_client **ret, struct error *err)
{
    struct http_client *client = mem_zero(sizeof(*client));
    if (client == NULL) {
        return error_set(err, STATUS_NOMEM, "http client: out of memory");
    }
    client->loop = loop;
    client->settings = *s;
    client->settings.ca_file = NULL;
    client->settings.user_agent = NULL;
    list_init(&client->running);

    enum status status =
        loop_timer_create(loop, timer_fired, client, &client->timer);
    struct buf text = { 0 };
    if (status == STATUS_OK && s->ca_file != NULL) {
        buf_text(&text, s->ca_file);
        status = buf_status(&text);
        client->ca_file = buf_detach(&text);
    }
    if (status == STATUS_OK && s->user_agent != NULL) {
        buf_text(&text, s->user_agent);
        status = buf_status(&text);
        client->user_agent = buf_detach(&text);
    }
    if (status != STATUS_OK) {
        http_client_destroy(client);
        return error_set(err, status, "http client: %s", status_text(status));
    }
    *ret = client;
    return STATUS_OK;
}

void
http_client_destroy(struct http_client *client)
{
    if (client == NULL) {
        return;
    }
    list_for_each_safe(link, &client->running) {
        http_client_cancel(list_entry(link, struct http_call, link));
    }
    if (client->multi != NULL) {
        (void)curl_multi_cleanup(client->multi);
        curl_global_cleanup();
    }
    loop_timer_destroy(client->timer);
    mem_free(client->ca_file);
    mem_free(client->user_agent);
    mem_free(client);
}

/* From a spec to a handle */

/* Options that are the same for every call; libcurl-security(3) is why. */
static const struct {
    CURLoption option;
    long value;
} fixed_options[] = {
    { CURLOPT_NOSIGNAL, 1 },
    { CURLOPT_NOPROGRESS, 1 },
    /* Fields of ours, keys among them, would go to wherever it points. */
    { CURLOPT_FOLLOWLOCATION, 0 },
    { CURLOPT_NETRC, CURL_NETRC_IGNORED },
    { CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1 },
    { CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC },
    { CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2 },
    { CURLOPT_SSL_VERIFYPEER, 1 },
    { CURLOPT_SSL_VERIFYHOST, 2 },
    { CURLOPT_TCP_KEEPALIVE, 1 },
    /* A path may be signed: it goes out as it was written. */
    { CURLOPT_PATH_AS_IS, 1 },
    /* Else a cancel waits for the resolver's thread, and the loop with it. */
    { CURLOPT_QUICK_EXIT, 1 },
};

/* curl takes strings that end in NUL and copies them. */
static bool
set_text(CURL *easy, CURLoption option, struct slice text)
{
    struct buf copy = { 0 };
    buf_append(&copy, text);
    buf_text(&copy, "");
    bool set = buf_status(&copy) == STATUS_OK &&
               curl_easy_setopt(easy, option,
                                copy.ptr == NULL ? "" : copy.ptr) == CURLE_OK;
    if (copy.ptr != NULL) {
        mem_wipe(copy.ptr, copy.len);
    }
    buf_fini(&copy);
    return set;
}

static bool
set_fixed(struct http_call *call)
{
    CURL *easy = call->easy;
    const struct http_client *client = call->client;
    size_t count = sizeof(fixed_options) / sizeof(fixed_options[0]);
    for (size_t i = 0; i < count; i++) {
        if (curl_easy_setopt(easy, fixed_options[i].option,
                             fixed_options[i].value) != CURLE_OK) {
            return false;
        }
    }
    return curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == 0 &&
           curl_easy_setopt(easy, CURLOPT_PROXY, "") == 0 &&
           curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip, deflate") ==
               0 &&
           curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body) == 0 &&
           curl_easy_setopt(easy, CURLOPT_WRITEDATA, call) == 0 &&
           curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_head) == 0 &&
           curl_easy_setopt(easy, CURLOPT_HEADERDATA, call) == 0 &&
           curl_easy_setopt(easy, CURLOPT_PRIVATE, call) == 0 &&
           curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->words) == 0 &&
           (client->user_agent == NULL ||
            curl_easy_setopt(easy, CURLOPT_USERAGENT, client->user_agent) ==
                0) &&
           (client->ca_file == NULL ||
            curl_easy_setopt(easy, CURLOPT_CAINFO, client->ca_file) == 0);
}

static bool
set_times(struct http_call *call, const struct http_call_spec *spec)
{
    int64_t connect_ms =
        spec->connect_timeout_ms > 0 ? spec->connect_timeout_ms : 10000;
    call->stall_ms =
        spec->stall_timeout_ms > 0 ? spec->stall_timeout_ms : 20000;
    call->timeout_ms = spec->timeout_ms > 0 ? spec->timeout_ms : 30000;
    call->moved_ms = loop_now_ms(call->client->loop);
    call->ends_ms = instant_add(call->moved_ms, call->timeout_ms);
    return curl_easy_setopt(call->easy, CURLOPT_CONNECTTIMEOUT_MS,
                            (long)connect_ms) == 0;
}

static bool
add_line(struct http_call *call, const char *line)
{
    struct curl_slist *longer = curl_slist_append(call->lines, line);
    if (longer == NULL) {
        return false;
    }
    call->lines = longer;
    return true;
}

static bool
add_field(struct http_call *call, const struct http_field *field)
{
    struct buf line = { 0 };
    buf_append(&line, field->name);
    if (field->value.len == 0) {
        buf_text(&line, ";"); /* curl's way to write an empty value */
    } else {
        buf_text(&line, ": ");
        buf_append(&line, field->value);
    }
    bool added = buf_status(&line) == STATUS_OK && add_line(call, line.ptr);
    if (line.ptr != NULL) {
        mem_wipe(line.ptr, line.len);
    }
    buf_fini(&line);
    return added;
}

static bool
set_fields(struct http_call *call, const struct http_call_spec *spec)
{
    struct slice ignored;
    for (size_t i = 0; i < spec->fields.count; i++) {
        if (!add_field(call, &spec->fields.at[i])) {
            return false;
        }
    }
    /* What curl would add by itself: a round trip before larger bodies, and a
     * content type nobody chose. */
    return add_line(call, "Expect:") &&
           (http_field_find(spec->fields, "content-type", &ignored) ||
            add_line(call, "Content-Type:")) &&
           curl_easy_setopt(call->easy, CURLOPT_HTTPHEADER, call->lines) == 0;
}

static bool
set_method(struct http_call *call, const struct http_call_spec *spec)
{
    CURL *easy = call->easy;
    if (slice_equal_text(spec->method, "HEAD")) {
        return curl_easy_setopt(easy, CURLOPT_NOBODY, 1L) == 0;
    }
    bool has_body = spec->has_body || slice_equal_text(spec->method, "POST") ||
                    slice_equal_text(spec->method, "PUT") ||
                    slice_equal_text(spec->method, "PATCH");
    if (has_body) {
        struct slice body = spec->has_body ? spec->body : slice_of("");
        if (curl_easy_setopt(easy, CURLOPT_POST, 1L) != 0 ||
            curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                             (curl_off_t)body.len) != 0 ||
            curl_easy_setopt(easy, CURLOPT_POSTFIELDS,
                             body.len == 0 ? "" : body.ptr) != 0) {
            return false;
        }
    }
    return set_text(easy, CURLOPT_CUSTOMREQUEST, spec->method);
}

static bool
set_target(struct http_call *call, const struct http_call_spec *spec)
{
    CURL *easy = call->easy;
    if (!set_text(easy, CURLOPT_URL, spec->url)) {
        return false;
    }
    if (spec->user.len > 0 &&
        (!set_text(easy, CURLOPT_USERNAME, spec->user) ||
         !set_text(easy, CURLOPT_PASSWORD, spec->password))) {
        return false;
    }
    return spec->unix_socket == NULL ||
           curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH,
                            spec->unix_socket) == 0;
}

static bool
has_control(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.ptr[i];
        if (byte <= ' ' || byte == 0x7f) {
            return true;
        }
    }
    return false;
}

/* Where the authority of an absolute URL begins; 0 when it is not http(s). */
static size_t
authority_at(struct slice url)
{
    static const struct slice schemes[] = { SLICE("http://"),
                                            SLICE("https://") };
    for (size_t i = 0; i < 2; i++) {
        if (slice_equal_nocase(slice_first(url, schemes[i].len), schemes[i])) {
            return schemes[i].len;
        }
    }
    return 0;
}

/* Parts of a request are made from what a provider sent: nothing in them may
 * begin a line of its own. */
static enum status
check_spec(const struct http_call_spec *spec, struct error *err)
{
    if (authority_at(spec->url) == 0 || has_control(spec->url)) {
        return error_set(err, STATUS_INVALID,
                         "the URL is not http:// or https://, or has blanks or "
                         "control characters in it");
    }
    if (!http_field_name_valid(spec->method)) {
        return error_set(err, STATUS_INVALID, "the method is not a token");
    }
    if (memchr(spec->user.len > 0 ? spec->user.ptr : "", '\0',
               spec->user.len) != NULL ||
        memchr(spec->password.len > 0 ? spec->password.ptr : "", '\0',
               spec->password.len) != NULL) {
        return error_set(err, STATUS_INVALID,
                         "the user or password has a NUL byte in it");
    }
    for (size_t i = 0; i < spec->fields.count; i++) {
        const struct http_field *field = &spec->fields.at[i];
        if (!http_field_name_valid(field->name) ||
            !http_field_value_valid(field->value)) {
            return error_set(err, STATUS_INVALID,
                             "the field '%.*s' has a control character in it, "
                             "or is no field",
                             SLICE_ARG(slice_first(field->name, 64)));
        }
    }
    return STATUS_OK;
}

/* Keeps host and port, without the user that may stand before them. */
static void
note_host(struct http_call *call, struct slice url)
{
    struct slice host = slice_from(url, authority_at(url));
    size_t end = 0;
    while (end < host.len && strchr("/?#", host.ptr[end]) == NULL) {
        end++;
    }
    host = slice_first(host, end);
    size_t at = slice_find(host, '@');
    if (at != SIZE_MAX) {
        host = slice_from(host, at + 1);
    }
    host = slice_first(host, sizeof(call->host) - 1);
    memcpy(call->host, host.len == 0 ? "" : host.ptr, host.len);
}

enum status
http_client_start(struct http_client *client, const struct http_call_spec *spec,
                  http_reply_fn *done, void *arg, struct http_call **ret_call,
                  struct error *err)
{
    enum status status = check_spec(spec, err);
    if (status == STATUS_OK) {
        status = open_multi(client, err);
    }
    if (status != STATUS_OK) {
        return status;
    }
    struct http_call *call = mem_zero(sizeof(*call));
    if (call == NULL) {
        return error_set(err, STATUS_NOMEM, "http call: out of memory");
    }
    call->client = client;
    call->done = done;
    call->arg = arg;
    call->body_limit = spec->body_limit;
    call->may_be_cut = spec->body_may_be_cut;
    list_init(&call->link);
    note_host(call, spec->url);
    call->easy = curl_easy_init();
    if (call->easy == NULL || !set_fixed(call) || !set_times(call, spec) ||
        !set_fields(call, spec) || !set_method(call, spec) ||
        !set_target(call, spec) ||
        loop_timer_create(client->loop, deadline_passed, call,
                          &call->deadline) != STATUS_OK ||
        curl_multi_add_handle(client->multi, call->easy) != CURLM_OK) {
        free_call(call);
        return error_set(err, STATUS_NOMEM, "http call: out of memory");
    }
    arm_deadline(call, call->moved_ms);
    list_append(&client->running, &call->link);
    *ret_call = call;
    return STATUS_OK;
}

void
http_client_cancel(struct http_call *call)
{
    if (call == NULL) {
        return;
    }
    if (call->easy != NULL) {
        (void)curl_multi_remove_handle(call->client->multi, call->easy);
    }
    list_remove(&call->link);
    free_call(call);
}
