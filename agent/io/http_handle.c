/* SPDX-License-Identifier: MIT */
/* http_handle: handles of curl, which are kept from call to call, and what is
 * the same in each. */
#include "io/http_client_private.h"

/* Which calls leave nothing in their handle that the next one of the kind does
 * not set itself. */
static enum http_dress
dress_of(const struct http_client *client, const struct http_call_spec *spec)
{
    const bool plain = spec->stream == NULL && spec->has_body &&
                       slice_equal_text(spec->method, "POST") &&
                       spec->user.len == 0 && spec->pinned_key == NULL &&
                       !spec->is_once && !spec->public_only &&
                       client->settings.version != HTTP_VERSION_2;
    if (!plain) {
        return HTTP_DRESS_NONE;
    }
    return slice_equal_nocase(slice_first(spec->url, 6), slice_of("https:"))
               ? HTTP_DRESS_TLS
               : HTTP_DRESS_PLAIN;
}

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
    { CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC },
    { CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2 },
    { CURLOPT_SSL_VERIFYPEER, 1 },
    { CURLOPT_SSL_VERIFYHOST, 2 },
    { CURLOPT_TCP_KEEPALIVE, 1 },
    /* A path may be signed: it goes out as it was written. */
    { CURLOPT_PATH_AS_IS, 1 },
    /* Else a cancel waits for the resolver's thread, and the loop with it. */
    { CURLOPT_QUICK_EXIT, 1 },
    { CURLOPT_SUPPRESS_CONNECT_HEADERS, 1 },
};

static bool
set_optional(CURL *easy, CURLoption option, const char *text)
{
    return text == NULL || curl_easy_setopt(easy, option, text) == 0;
}

/* What is the same for every call of a client. An empty proxy is none, and NULL
 * would be that of the environment. */
static bool
set_client(CURL *easy, const struct http_client_settings *settings)
{
    const char *proxy = settings->proxy == NULL ? "" : settings->proxy;
    return curl_easy_setopt(easy, CURLOPT_PROXY, proxy) == 0 &&
           curl_easy_setopt(easy, CURLOPT_NOPROXY, "") == 0 &&
           set_optional(easy, CURLOPT_USERAGENT, settings->user_agent) &&
           set_optional(easy, CURLOPT_CAINFO, settings->ca_file) &&
           set_optional(easy, CURLOPT_SSLKEY, settings->key_file) &&
           set_optional(easy, CURLOPT_SSLCERT, settings->certificate_file);
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
           (call->stream != NULL ||
            curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip, deflate") ==
                0) &&
           curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, http_call_take_body) ==
               0 &&
           curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION,
                            http_call_take_head) == 0 &&
           set_client(easy, &client->settings);
}

bool
http_handle_take(struct http_call *call, const struct http_call_spec *spec)
{
    struct http_client *client = call->client;
    call->dress = dress_of(client, spec);
    if (client->spare_count == 0) {
        call->easy = curl_easy_init();
        return call->easy != NULL && set_fixed(call);
    }
    call->easy = client->spare[--client->spare_count].easy;
    call->is_dressed = call->dress != HTTP_DRESS_NONE &&
                       client->spare[client->spare_count].dress == call->dress;
    if (call->is_dressed) {
        return true;
    }
    curl_easy_reset(call->easy);
    return set_fixed(call);
}

void
http_handle_give(struct http_call *call)
{
    struct http_client *client = call->client;
    if (call->easy == NULL || client->spare_count == HTTP_CLIENT_SPARE) {
        curl_easy_cleanup(call->easy);
        return;
    }
    if (call->dress == HTTP_DRESS_NONE) {
        curl_easy_reset(call->easy); /* it may hold secrets of this one */
    }
    client->spare[client->spare_count].dress = call->dress;
    client->spare[client->spare_count++].easy = call->easy;
}
