/* SPDX-License-Identifier: MIT */
#include "model/oauth.h"

#include "base/instant.h"
#include "model/answer.h"
#include "model/request_private.h"
#include "wire/digest.h"
#include "wire/encode.h"
#include "wire/json.h"
#include "wire/timefmt.h"

/* RFC 6749 §5.1 leaves out how long where it is told elsewhere; nobody is. */
#define GOOD_MS INSTANT_HOUR_MS
/* A token that is about to end is not sent any more: a request may be long on
 * its way. */
#define MARGIN_MS    INSTANT_MINUTE_MS
#define GOOD_MOST_MS (30 * INSTANT_DAY_MS)

#define PASSES_FIRST_MS  (2 * INSTANT_SECOND_MS)
#define PASSES_MOST_MS   (5 * INSTANT_MINUTE_MS)
#define REFUSED_FIRST_MS INSTANT_MINUTE_MS
#define REFUSED_MOST_MS  INSTANT_HOUR_MS

/* ---- the request ---- */

static void
add_text(struct buf *body, const char *name, struct slice value)
{
    if (body->len > 0) {
        buf_byte(body, '&');
    }
    encode_percent(slice_of(name), "", body);
    buf_byte(body, '=');
    encode_percent(value, "", body);
}

/* Adds what must be there. */
static enum status
add_needed(struct rendering *r, struct buf *body, const char *name,
           const struct template *t)
{
    struct slice value;
    enum status status = request_eval_needed(r, t, name, &value);
    if (status == STATUS_OK) {
        add_text(body, name, value);
    }
    return status;
}

static enum status
add_grant(struct rendering *r, struct slice refresh, struct buf *body)
{
    static const char *const names[] = {
        [GRANT_CLIENT_CREDENTIALS] = "client_credentials",
        [GRANT_REFRESH_TOKEN] = "refresh_token",
        [GRANT_ACCOUNT_CREDENTIALS] = "account_credentials",
    };
    const struct oauth_spec *oauth = &r->auth->oauth;
    add_text(body, "grant_type", slice_of(names[oauth->grant]));
    if (oauth->grant == GRANT_ACCOUNT_CREDENTIALS) {
        return add_needed(r, body, "account_id", oauth->account_id);
    }
    if (oauth->grant != GRANT_REFRESH_TOKEN) {
        return STATUS_OK;
    }
    if (refresh.len > 0) {
        add_text(body, "refresh_token", refresh);
        return STATUS_OK;
    }
    return add_needed(r, body, "refresh_token", oauth->refresh_token);
}

static enum status
add_extras(struct rendering *r, struct buf *body)
{
    const struct oauth_spec *oauth = &r->auth->oauth;
    enum status status = STATUS_OK;
    if (oauth->scope != NULL) {
        status = add_needed(r, body, "scope", oauth->scope);
    }
    for (size_t i = 0; i < oauth->param_count && status == STATUS_OK; i++) {
        const struct pair_spec *pair = &oauth->params[i];
        const char *name = arena_text(r->arena, pair->name);
        status = name == NULL ? STATUS_NOMEM
                              : add_needed(r, body, name, pair->value);
    }
    return status;
}

/* RFC 6749 §2.3.1: both are form-encoded before they become HTTP Basic. */
static enum status
encoded(struct rendering *r, const char *what, const struct template *t,
        struct slice *ret_text)
{
    struct slice value;
    struct buf text = { 0 };
    enum status status = request_eval_needed(r, t, what, &value);
    if (status == STATUS_OK) {
        encode_percent(value, "", &text);
        status = request_keep(r, &text, ret_text);
    }
    return status;
}

static enum status
add_client(struct rendering *r, struct buf *body,
           struct rendered_request *request)
{
    const struct oauth_spec *oauth = &r->auth->oauth;
    enum status status;
    if (oauth->client_auth == CLIENT_BASIC) {
        status = encoded(r, "client_id", oauth->client_id, &request->user);
        return status == STATUS_OK
                   ? encoded(r, "client_secret", oauth->client_secret,
                             &request->password)
                   : status;
    }
    status = add_needed(r, body, "client_id", oauth->client_id);
    return status == STATUS_OK && oauth->client_auth == CLIENT_BODY
               ? add_needed(r, body, "client_secret", oauth->client_secret)
               : status;
}

static enum status
render_body(struct rendering *r, struct slice refresh,
            struct rendered_request *request)
{
    struct buf body = { 0 };
    enum status status = add_grant(r, refresh, &body);
    if (status == STATUS_OK) {
        status = add_extras(r, &body);
    }
    if (status == STATUS_OK) {
        status = add_client(r, &body, request);
    }
    if (status != STATUS_OK) {
        buf_fini(&body);
        return status;
    }
    request->has_body = true;
    return request_keep(r, &body, &request->body);
}

enum status
oauth_request(const struct connector *connector, const struct auth_spec *auth,
              struct slice refresh, struct arena *arena,
              struct rendered_request *ret_request, struct error *err)
{
    static const struct http_field fields[] = {
        { SLICE("Accept"), SLICE("application/json") },
        { SLICE("Content-Type"), SLICE("application/x-www-form-urlencoded") },
    };
    struct rendering r = {
        .connector = connector, .auth = auth, .arena = arena, .err = err
    };
    struct rendered_request request = {
        .method = SLICE("POST"),
        .fields = { fields, sizeof(fields) / sizeof(fields[0]) },
    };
    struct buf url = { 0 };
    r.scope = (struct template_scope){ .lookup = request_look_up, .arg = &r };
    enum status status = request_url(&r, auth->oauth.token_url, &url);
    if (status != STATUS_OK) {
        buf_fini(&url);
        return error_wrap(err, status, "token");
    }
    status = request_keep(&r, &url, &request.url);
    if (status == STATUS_OK) {
        status = render_body(&r, refresh, &request);
    }
    *ret_request = request;
    return status == STATUS_OK ? status : error_wrap(err, status, "token");
}

enum status
oauth_identity(const struct rendered_request *request, struct buf *into)
{
    static const struct slice between = SLICE("\n");
    const struct slice parts[] = { request->url,      between,
                                   request->user,     between,
                                   request->password, between,
                                   request->body };
    struct digest digest;
    enum status status = digest_hash(DIGEST_SHA256, parts,
                                     sizeof(parts) / sizeof(parts[0]), &digest);
    if (status == STATUS_OK) {
        encode_hex(digest_slice(&digest), into);
        status = buf_status(into);
    }
    return status;
}

/* ---- the answer ---- */

/* What RFC 6749 §5.2 calls a failure, and what helps. */
static const struct {
    struct slice code;
    enum status status;
    const char *help;
} failures[] = {
    { SLICE("invalid_client"), STATUS_DENIED,
      "the provider does not know client_id and client_secret, or wants them "
      "elsewhere (client_auth)" },
    { SLICE("invalid_grant"), STATUS_DENIED,
      "the refresh token or the account is not accepted (any more): authorize "
      "the application again and give the new one" },
    { SLICE("unauthorized_client"), STATUS_DENIED,
      "this client may not have tokens in this way (grant)" },
    { SLICE("unsupported_grant_type"), STATUS_DENIED,
      "the provider does not know this grant" },
    { SLICE("invalid_scope"), STATUS_DENIED, "scope is refused" },
    { SLICE("invalid_request"), STATUS_DENIED,
      "the provider misses something in the request for a token" },
    { SLICE("temporarily_unavailable"), STATUS_UNAVAILABLE,
      "the provider cannot do it now" },
    { SLICE("server_error"), STATUS_UNAVAILABLE,
      "the provider cannot do it now" },
};

static enum status
text_at(const char *name, struct slice body, struct arena *arena,
        struct slice *ret_text)
{
    const struct json_path *path;
    *ret_text = (struct slice){ NULL, 0 };
    enum status status = json_path_compile(slice_of(name), arena, &path, NULL);
    return status == STATUS_OK ? answer_at(path, body, arena, ret_text)
                               : status;
}

/* The words of a refusal. A description of the provider's own may repeat what
 * was sent, so only the code is shown. */
static enum status
refused(unsigned status, struct slice body, struct arena *arena,
        struct error *err)
{
    struct slice code;
    if (status == 429 || status >= 500) {
        return error_set(err, STATUS_UNAVAILABLE, "token: HTTP %u", status);
    }
    if (text_at("error", body, arena, &code) == STATUS_NOMEM) {
        return STATUS_NOMEM;
    }
    for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
        if (slice_equal(code, failures[i].code)) {
            return error_set(err, failures[i].status,
                             "token: HTTP %u, %.*s: %s", status,
                             SLICE_ARG(code), failures[i].help);
        }
    }
    return status == 400 || status == 401 || status == 403
               ? error_set(err, STATUS_DENIED,
                           "token: HTTP %u: the credentials are refused",
                           status)
               : error_set(err, STATUS_PROTOCOL, "token: HTTP %u", status);
}

static int64_t
good_ms(struct slice expires_in)
{
    int64_t ms;
    if (expires_in.len == 0 ||
        timefmt_read(TIMEFMT_UNIX_S, expires_in, &ms) != STATUS_OK || ms <= 0) {
        ms = GOOD_MS;
    }
    ms = ms < GOOD_MOST_MS ? ms : GOOD_MOST_MS;
    return ms > 2 * MARGIN_MS ? ms - MARGIN_MS : ms / 2;
}

enum status
oauth_read(unsigned status, struct slice body, struct arena *arena,
           struct oauth_answer *ret_answer, struct error *err)
{
    struct oauth_answer answer = { 0 };
    struct slice type;
    struct slice expires;
    if (json_check(body, JSON_DEPTH_DEFAULT, NULL) != STATUS_OK) {
        body = (struct slice){ NULL, 0 };
    }
    if (status < 200 || status > 299) {
        return refused(status, body, arena, err);
    }
    if (text_at("access_token", body, arena, &answer.token) == STATUS_NOMEM ||
        text_at("token_type", body, arena, &type) == STATUS_NOMEM ||
        text_at("expires_in", body, arena, &expires) == STATUS_NOMEM ||
        text_at("refresh_token", body, arena, &answer.refresh) ==
            STATUS_NOMEM) {
        return STATUS_NOMEM;
    }
    if (answer.token.len == 0) {
        return error_set(err, STATUS_PROTOCOL,
                         "token: HTTP %u, and no access_token in the answer",
                         status);
    }
    if (type.len > 0 && !slice_equal_nocase(type, slice_of("bearer"))) {
        return error_set(err, STATUS_PROTOCOL,
                         "token: of type '%.*s', and only 'bearer' is known",
                         SLICE_ARG(type));
    }
    if (!http_field_value_valid(answer.token)) {
        return error_set(err, STATUS_PROTOCOL,
                         "token: it holds a byte that cannot be sent");
    }
    answer.good_ms = good_ms(expires);
    *ret_answer = answer;
    return STATUS_OK;
}

int64_t
oauth_wait_ms(enum status status, unsigned failures_in_a_row, int64_t asked_ms)
{
    const bool refused = status == STATUS_DENIED;
    const int64_t most_ms = refused ? REFUSED_MOST_MS : PASSES_MOST_MS;
    int64_t wait_ms = refused ? REFUSED_FIRST_MS : PASSES_FIRST_MS;
    for (unsigned i = 1; i < failures_in_a_row && wait_ms < most_ms; i++) {
        wait_ms *= 2;
    }
    wait_ms = wait_ms < most_ms ? wait_ms : most_ms;
    return wait_ms > asked_ms ? wait_ms : asked_ms;
}
