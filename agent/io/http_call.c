/* SPDX-License-Identifier: MIT */
/*
 * http_call: one call: from a spec to a handle of curl, and from what came to
 * a reply or an error.
 */
#include "io/http_client_private.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "base/instant.h"
#include "io/loop.h"
#include "model/address.h"

enum { HEAD_LIMIT_BYTES = 256 * 1024 };

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
    { CURLE_SSL_PINNEDPUBKEYNOTMATCH, STATUS_DENIED },
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

static void
free_lines(struct http_call *call)
{
    if (call->lines != NULL) {
        mem_wipe(call->lines, call->line_bytes); /* keys are among them */
    }
    mem_free(call->lines);
}

void
http_call_destroy(struct http_call *call)
{
    if (call == NULL) {
        return;
    }
    http_handle_give(call);
    free_lines(call);
    loop_timer_destroy(call->deadline);
    buf_fini(&call->body);
    mem_free(call);
}

/* Takes decoded bytes. Whatever a Content-Length promised, these count: curl's
 * own limit looks at the bytes before they are decoded. */
size_t
/* NOLINTNEXTLINE(readability-non-const-parameter): the type is curl's */
http_call_take_body(char *bytes, size_t size, size_t count, void *arg)
{
    struct http_call *call = arg;
    size_t len = size * count;
    call->moved_ms = loop_now_ms(call->client->loop);
    if (call->is_open) {
        call->is_paused =
            !call->stream->take(call->arg, (struct slice){ bytes, len });
        return call->is_paused ? CURL_WRITEFUNC_PAUSE : len;
    }
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

/* Fills in what is known of an answer; the caller frees `*ret_fields`. */
static enum status
gather_reply(struct http_call *call, struct http_reply *reply,
             struct http_field **ret_fields)
{
    size_t count = 0;
    struct http_field *fields = gather_fields(call->easy, &count);
    if (fields == NULL) {
        return STATUS_NOMEM;
    }
    *ret_fields = fields;
    long code = 0;
    (void)curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &code);
    *reply = (struct http_reply){
        .status = (unsigned)code,
        .fields = { fields, count },
        .body = buf_slice(&call->body),
        .duration_ms = info_ms(call->easy, CURLINFO_TOTAL_TIME_T),
        .first_byte_ms = info_ms(call->easy, CURLINFO_STARTTRANSFER_TIME_T),
        .received_ms = loop_now_ms(call->client->loop),
    };
    return STATUS_OK;
}

/* A head has ended; one of 1xx is followed by another. */
static enum status
open_stream(struct http_call *call)
{
    struct http_reply head;
    struct http_field *fields;
    enum status status = gather_reply(call, &head, &fields);
    if (status != STATUS_OK) {
        return status;
    }
    if (head.status >= 200) {
        call->is_open = call->stream->open(call->arg, &head);
        call->ends_ms = call->is_open ? INT64_MAX : call->ends_ms;
    }
    mem_free(fields);
    return STATUS_OK;
}

/* Counts: curl keeps the fields, but sets no limit to all of them. */
size_t
/* NOLINTNEXTLINE(readability-non-const-parameter): the type is curl's */
http_call_take_head(char *bytes, size_t size, size_t count, void *arg)
{
    struct http_call *call = arg;
    call->moved_ms = loop_now_ms(call->client->loop);
    call->head_bytes += size * count;
    if (call->head_bytes > HEAD_LIMIT_BYTES) {
        call->failure = STATUS_PROTOCOL;
        return CURL_WRITEFUNC_ERROR;
    }
    const struct slice line = { bytes, size * count };
    if (call->stream != NULL && !call->is_open && slice_trim(line).len == 0) {
        call->failure = open_stream(call);
        if (call->failure != STATUS_OK) {
            return CURL_WRITEFUNC_ERROR;
        }
    }
    return size * count;
}

static void
deliver_failure(struct http_call *call, enum status status)
{
    struct error err = { "" };
    if (call->was_private && status == STATUS_DENIED) {
        (void)error_set(&err, status,
                        "%s: leads to an address of this machine or of a "
                        "private network",
                        call->host);
    } else if (status == STATUS_TOO_LARGE) {
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

void
http_call_deliver(struct http_call *call)
{
    enum status status = call->failure;
    if (status == STATUS_OK && call->code != CURLE_OK && !call->is_cut) {
        status = call->was_private && call->code == CURLE_COULDNT_CONNECT
                     ? STATUS_DENIED
                     : meaning_of(call->code);
    }
    struct http_reply reply;
    struct http_field *fields = NULL;
    if (status == STATUS_OK) {
        call->failure = status = gather_reply(call, &reply, &fields);
    }
    if (status != STATUS_OK) {
        deliver_failure(call, status);
    } else {
        call->done(call->arg, STATUS_OK, &reply, NULL);
    }
    mem_free(fields);
    http_call_destroy(call);
}

bool
http_call_stalls(struct http_call *call, int64_t now_ms)
{
    curl_off_t sent = 0;
    curl_off_t began = 0;
    (void)curl_easy_getinfo(call->easy, CURLINFO_SIZE_UPLOAD_T, &sent);
    (void)curl_easy_getinfo(call->easy, CURLINFO_PRETRANSFER_TIME_T, &began);
    if (began == 0 || sent != call->sent_bytes || call->is_paused) {
        call->sent_bytes = sent;
        call->moved_ms = now_ms;
    }
    return now_ms - call->moved_ms >= call->stall_ms;
}

/* From a spec to a handle */

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

/* Where curl finds this call. */
static bool
set_self(struct http_call *call)
{
    CURL *easy = call->easy;
    return curl_easy_setopt(easy, CURLOPT_WRITEDATA, call) == 0 &&
           curl_easy_setopt(easy, CURLOPT_HEADERDATA, call) == 0 &&
           curl_easy_setopt(easy, CURLOPT_PRIVATE, call) == 0 &&
           curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->words) == 0;
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

/* A field as curl wants it; an empty value has a way of its own. */
static size_t
field_bytes(const struct http_field *field)
{
    return field->name.len + 2 + field->value.len + 1;
}

static char *
put(char *at, struct slice bytes)
{
    memcpy(at, bytes.len == 0 ? "" : bytes.ptr, bytes.len);
    return at + bytes.len;
}

static char *
put_field(char *at, const struct http_field *field)
{
    at = put(at, field->name);
    at = put(at, slice_of(field->value.len == 0 ? ";" : ": "));
    at = put(at, field->value);
    *at = '\0';
    return at + 1;
}

/* All lines in one block: a list of curl's own takes two for each. */
static bool
set_fields(struct http_call *call, const struct http_call_spec *spec)
{
    /* What curl would add by itself: a round trip before larger bodies, and a
     * content type nobody chose. */
    static const struct slice ours[] = { SLICE("Expect:"),
                                         SLICE("Content-Type:") };
    struct slice ignored;
    const size_t own =
        http_field_find(spec->fields, "content-type", &ignored) ? 1 : 2;
    const size_t count = spec->fields.count + own;
    size_t bytes = count * sizeof(struct curl_slist);
    for (size_t i = 0; i < spec->fields.count; i++) {
        bytes += field_bytes(&spec->fields.at[i]);
    }
    for (size_t i = 0; i < own; i++) {
        bytes += ours[i].len + 1;
    }
    struct curl_slist *lines = mem_alloc(bytes);
    if (lines == NULL) {
        return false;
    }
    char *at = (char *)&lines[count];
    for (size_t i = 0; i < count; i++) {
        lines[i].data = at;
        lines[i].next = i + 1 < count ? &lines[i + 1] : NULL;
        if (i < spec->fields.count) {
            at = put_field(at, &spec->fields.at[i]);
        } else {
            at = put(at, ours[i - spec->fields.count]);
            *at++ = '\0';
        }
    }
    call->lines = lines;
    call->line_bytes = bytes;
    return curl_easy_setopt(call->easy, CURLOPT_HTTPHEADER, lines) == 0;
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
        if ((!call->is_dressed &&
             curl_easy_setopt(easy, CURLOPT_POST, 1L) != 0) ||
            curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                             (curl_off_t)body.len) != 0 ||
            curl_easy_setopt(easy, CURLOPT_POSTFIELDS,
                             body.len == 0 ? "" : body.ptr) != 0) {
            return false;
        }
    }
    return call->is_dressed ||
           set_text(easy, CURLOPT_CUSTOMREQUEST, spec->method);
}

/* The 16 bytes of an address, IPv4 as ::ffff:a.b.c.d; false for others. */
static bool
bytes_of(const struct curl_sockaddr *address, unsigned char into[16])
{
    static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };
    if (address->family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, &address->addr, sizeof(v4));
        memcpy(into, mapped, sizeof(mapped));
        memcpy(into + 12, &v4.sin_addr, 4);
        return true;
    }
    if (address->family == AF_INET6) {
        struct sockaddr_in6 v6;
        /* curl keeps room for it behind what its type says. */
        memcpy(&v6, (const void *)&address->addr, sizeof(v6));
        memcpy(into, &v6.sin6_addr, 16);
        return true;
    }
    return false;
}

/* Opens sockets to addresses of the Internet, and to what is allowed, only.
 * What a name resolves to is known here for good: a second look-up could be
 * told something else. */
static curl_socket_t
open_public(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct http_call *call = arg;
    unsigned char bytes[16];
    (void)purpose;
    const struct http_client_settings *settings = &call->client->settings;
    if (!bytes_of(address, bytes) ||
        (!address_is_public(bytes) &&
         !address_lies_in(settings->allowed, settings->allowed_count, bytes))) {
        call->was_private = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC,
                  address->protocol);
}

/* A connection that is open already may have been asked for by somebody who may
 * go anywhere: it is not used, unless all of the client's are guarded. */
static bool
set_guard(struct http_call *call, const struct http_call_spec *spec)
{
    bool all = call->client->settings.public_only;
    return (!spec->public_only && !all) ||
           (curl_easy_setopt(call->easy, CURLOPT_OPENSOCKETFUNCTION,
                             open_public) == 0 &&
            curl_easy_setopt(call->easy, CURLOPT_OPENSOCKETDATA, call) == 0 &&
            (all ||
             curl_easy_setopt(call->easy, CURLOPT_FRESH_CONNECT, 1L) == 0));
}

/* libcurl looks at a pinned key whatever else it is told to leave aside. */
static bool
set_pin(CURL *easy, const char *pinned_key)
{
    return pinned_key == NULL ||
           (curl_easy_setopt(easy, CURLOPT_PINNEDPUBLICKEY, pinned_key) == 0 &&
            curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L) == 0 &&
            curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L) == 0);
}

/*
 * Over TLS the server offers HTTP/2 or does not, and who comes second waits to
 * hear it, to share the connection. Without TLS nothing is offered: 2 is spoken
 * only where it is asked for, and over a connection of its own where libcurl is
 * older than 8.0.0, which could not do so twice over one.
 */
static bool
set_version(CURL *easy, enum http_version version, struct slice url)
{
    bool is_tls = slice_equal_nocase(slice_first(url, 6), slice_of("https:"));
    if (version == HTTP_VERSION_1_1 || (version != HTTP_VERSION_2 && !is_tls)) {
        return curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
                                (long)CURL_HTTP_VERSION_1_1) == 0;
    }
    if (is_tls) {
        return curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
                                (long)CURL_HTTP_VERSION_2TLS) == 0 &&
               curl_easy_setopt(easy, CURLOPT_PIPEWAIT, 1L) == 0;
    }
    long alone = curl_version_info(CURLVERSION_NOW)->version_num < 0x080000;
    return curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
                            (long)CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE) == 0 &&
           curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, alone) == 0 &&
           curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, alone) == 0;
}

static bool
set_target(struct http_call *call, const struct http_call_spec *spec)
{
    CURL *easy = call->easy;
    if (!set_text(easy, CURLOPT_URL, spec->url) ||
        (!call->is_dressed &&
         !set_version(easy, call->client->settings.version, spec->url))) {
        return false;
    }
    if (spec->user.len > 0 &&
        (!set_text(easy, CURLOPT_USERNAME, spec->user) ||
         !set_text(easy, CURLOPT_PASSWORD, spec->password))) {
        return false;
    }
    return curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH,
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
enum status
http_call_check(const struct http_call_spec *spec, struct error *err)
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

struct http_call *
http_call_create(struct http_client *client, const struct http_call_spec *spec,
                 http_reply_fn *done, void *arg)
{
    struct http_call *call = mem_zero(sizeof(*call));
    if (call == NULL) {
        return NULL;
    }
    call->client = client;
    call->done = done;
    call->arg = arg;
    call->body_limit = spec->body_limit;
    call->may_be_cut = spec->body_may_be_cut;
    call->stream = spec->stream;
    list_init(&call->link);
    note_host(call, spec->url);
    if (!http_handle_take(call, spec) || !set_self(call) ||
        !set_times(call, spec) || !set_fields(call, spec) ||
        !set_method(call, spec) || !set_target(call, spec) ||
        !set_guard(call, spec) || !set_pin(call->easy, spec->pinned_key) ||
        (spec->is_once &&
         curl_easy_setopt(call->easy, CURLOPT_FRESH_CONNECT, 1L) != 0)) {
        call->dress = HTTP_DRESS_NONE; /* who knows what it has */
        http_call_destroy(call);
        return NULL;
    }
    return call;
}
