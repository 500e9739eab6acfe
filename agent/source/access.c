/* SPDX-License-Identifier: MIT */
#include "source/access.h"

#include <string.h>

#include "base/instant.h"
#include "base/list.h"
#include "base/log.h"
#include "io/clock.h"
#include "io/kept.h"
#include "io/loop.h"
#include "model/oauth.h"

/*
 * The happy path: a call finds a token that is good, and goes out with it. Else
 * it waits in the token's list; the first to wait has the token asked for; what
 * comes wakes them all.
 *
 * What can go wrong: no token comes (all who wait are told why, and for a while
 * whoever comes is told so at once); the provider refuses a token that we hold
 * good (the call waits for another one, once; what comes then is its answer).
 */

#define CONNECT_TIMEOUT_MS (10 * INSTANT_SECOND_MS)
#define TOKEN_TIMEOUT_MS   (30 * INSTANT_SECOND_MS)
#define TOKEN_BODY_BYTES   ((size_t)64 * 1024)
#define IDENTITY_BYTES     64
/* Of the identity, in the name of the file with the refresh token. */
#define NAME_BYTES 32

/* What is asked once, for all whose requests for it are the same. */
struct token {
    struct list link; /* in access.tokens */
    struct access *access;
    const struct connector *connector; /* of the first who asked */
    const struct auth_spec *auth;
    char identity[IDENTITY_BYTES];
    bool looked;        /* for a refresh token that is kept */
    struct buf refresh; /* that the provider gave last; empty: as configured */
    struct buf text;    /* the access token; empty: none */
    int64_t until_ms;   /* monotonic: good so long */
    unsigned turn;      /* counts tokens, so that an old one is known */
    unsigned failures;  /* in a row */
    int64_t not_before_ms;
    enum status status; /* of the last failure */
    struct error why;
    struct arena arena; /* of the request */
    struct http_call *call;
    struct list waiting; /* of struct access_call */
};

struct access_call {
    struct list link; /* in access.calls, or in its token's list */
    struct access *access;
    struct token *token; /* NULL: needs none */
    unsigned turn;       /* the token that went with it */
    bool again;          /* it was refused once */
    struct http_call_spec spec;
    struct arena arena; /* copies, while it may have to be sent again */
    struct http_call *call;
    http_reply_fn *done;
    void *arg;
};

struct access {
    struct loop *loop;
    struct http_client *client;
    const char *secrets;
    struct list tokens;
    struct list calls;
};

static const struct slice keeper = SLICE("oauth2");

static void begin_again(struct access_call *call);

/* ---- calls ---- */

static void
drop_call(struct access_call *call)
{
    list_remove(&call->link);
    http_client_cancel(call->call);
    arena_fini(&call->arena);
    mem_free(call);
}

static void
end_call(struct access_call *call, enum status status,
         const struct http_reply *reply, const struct error *err)
{
    http_reply_fn *done = call->done;
    void *arg = call->arg;
    drop_call(call);
    done(arg, status, reply, err);
}

static void
answer_came(void *arg, enum status status, const struct http_reply *reply,
            const struct error *err)
{
    struct access_call *call = arg;
    struct token *token = call->token;
    call->call = NULL;
    if (status != STATUS_OK || reply->status != 401 || token == NULL ||
        call->again) {
        end_call(call, status, reply, err);
        return;
    }
    call->again = true;
    if (call->turn == token->turn) {
        buf_clear(&token->text);
    }
    begin_again(call);
}

/* Adds the token to the fields, which were copied with room for it. */
static enum status
add_token(struct access_call *call)
{
    const struct slice text = buf_slice(&call->token->text);
    struct http_field *fields =
        arena_array(&call->arena, call->spec.fields.count + 1, sizeof(*fields));
    struct buf value = { 0 };
    struct slice kept;
    if (fields == NULL) {
        return STATUS_NOMEM;
    }
    buf_text(&value, "Bearer ");
    buf_append(&value, text);
    enum status status = buf_status(&value);
    if (status == STATUS_OK) {
        status = arena_copy(&call->arena, buf_slice(&value), &kept);
    }
    buf_fini(&value);
    if (status != STATUS_OK) {
        return status;
    }
    size_t count = 0;
    for (size_t i = 0; i < call->spec.fields.count; i++) {
        const struct http_field *field = &call->spec.fields.at[i];
        if (!slice_equal_nocase(field->name, slice_of("Authorization"))) {
            fields[count++] = *field;
        }
    }
    fields[count++] = (struct http_field){ SLICE("Authorization"), kept };
    call->spec.fields = (struct http_fields){ fields, count };
    call->turn = call->token->turn;
    return STATUS_OK;
}

static enum status
send_call(struct access_call *call, struct error *err)
{
    enum status status = call->token == NULL ? STATUS_OK : add_token(call);
    if (status != STATUS_OK) {
        return error_set(err, status, "out of memory");
    }
    return http_client_start(call->access->client, &call->spec, answer_came,
                             call, &call->call, err);
}

/* The caller's texts may be gone when the token comes; the body it keeps, as
 * for http_client_start. */
static enum status
copy_spec(struct access_call *call, const struct http_call_spec *spec)
{
    const size_t count = spec->fields.count;
    struct http_field *fields =
        arena_array(&call->arena, count + 1, sizeof(*fields));
    enum status status = fields == NULL ? STATUS_NOMEM : STATUS_OK;
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        status =
            arena_copy(&call->arena, spec->fields.at[i].name, &fields[i].name);
        if (status == STATUS_OK) {
            status = arena_copy(&call->arena, spec->fields.at[i].value,
                                &fields[i].value);
        }
    }
    if (status == STATUS_OK) {
        status = arena_copy(&call->arena, spec->url, &call->spec.url);
    }
    if (status == STATUS_OK) {
        status = arena_copy(&call->arena, spec->method, &call->spec.method);
    }
    call->spec.fields = (struct http_fields){ fields, count };
    return status;
}

/* ---- tokens ---- */

static void
wake_all(struct token *token, enum status status, const struct error *why)
{
    /* Who begins anew while they are told does not wait here: there is a token,
     * or it is known that there is none. */
    for (struct list *link; (link = list_take(&token->waiting)) != NULL;) {
        struct access_call *call = list_entry(link, struct access_call, link);
        struct error err = { 0 };
        list_append(&call->access->calls, link);
        enum status sent = status;
        if (sent == STATUS_OK) {
            sent = send_call(call, &err);
        } else {
            err = *why;
        }
        if (sent != STATUS_OK) {
            end_call(call, sent, NULL, &err);
        }
    }
}

static void
fail(struct token *token, enum status status, int64_t asked_ms,
     const struct error *err)
{
    token->failures++;
    token->status = status;
    (void)error_set(&token->why, status, "%s", error_text(err, status));
    token->not_before_ms =
        instant_add(loop_now_ms(token->access->loop),
                    oauth_wait_ms(status, token->failures, asked_ms));
    struct error why = token->why;
    wake_all(token, status, &why);
}

static struct slice
kept_name(const struct token *token)
{
    return (struct slice){ token->identity, NAME_BYTES };
}

/* A refresh token that was used may be worth nothing: the one that came is on
 * disk before anything else happens. Where it cannot be kept, it is used as
 * long as we run, and somebody has to know. */
static enum status
keep_refresh(struct token *token, struct slice refresh)
{
    struct error err = { 0 };
    if (refresh.len == 0 || slice_equal(refresh, buf_slice(&token->refresh))) {
        return STATUS_OK;
    }
    buf_clear(&token->refresh);
    buf_append(&token->refresh, refresh);
    if (buf_status(&token->refresh) != STATUS_OK) {
        return STATUS_NOMEM;
    }
    if (token->access->secrets != NULL &&
        kept_write(token->access->secrets, keeper, kept_name(token), refresh,
                   &err) != STATUS_OK) {
        LOG(LOG_ERROR,
            "the provider gave another refresh token, and it cannot be kept: "
            "after a restart the configured one is used",
            log_slice("connector", token->connector->name),
            log_text("error", err.text));
    }
    return STATUS_OK;
}

static enum status
take_token(struct token *token, const struct http_reply *reply,
           struct error *err)
{
    struct oauth_answer answer;
    struct arena arena = { 0 };
    enum status status =
        oauth_read(reply->status, reply->body, &arena, &answer, err);
    if (status == STATUS_OK) {
        status = keep_refresh(token, answer.refresh);
    }
    if (status == STATUS_OK) {
        buf_clear(&token->text);
        buf_append(&token->text, answer.token);
        status = buf_status(&token->text);
        token->until_ms =
            instant_add(loop_now_ms(token->access->loop), answer.good_ms);
    }
    arena_fini(&arena);
    return status;
}

static void
token_came(void *arg, enum status status, const struct http_reply *reply,
           const struct error *err)
{
    struct token *token = arg;
    struct error why = { 0 };
    struct slice after;
    int64_t asked_ms = 0;
    token->call = NULL;
    if (status != STATUS_OK) {
        (void)error_set(&why, status, "token: %s", error_text(err, status));
        fail(token, status, 0, &why);
        return;
    }
    status = take_token(token, reply, &why);
    if (status == STATUS_OK) {
        token->turn++;
        token->failures = 0;
        wake_all(token, STATUS_OK, NULL);
        return;
    }
    if (!http_field_find(reply->fields, "Retry-After", &after) ||
        http_field_retry_after(after, clock_unix_ms(), INSTANT_HOUR_MS,
                               &asked_ms) != STATUS_OK) {
        asked_ms = 0;
    }
    fail(token, status, asked_ms, &why);
}

/* Reads, once, what was kept of an earlier process. */
static enum status
look_for_refresh(struct token *token, struct error *err)
{
    enum status status = STATUS_OK;
    if (!token->looked && token->access->secrets != NULL &&
        token->auth->oauth.grant == GRANT_REFRESH_TOKEN) {
        status = kept_read(token->access->secrets, keeper, kept_name(token),
                           &token->refresh, err);
        status = status == STATUS_NOT_FOUND ? STATUS_OK : status;
    }
    token->looked = status == STATUS_OK;
    return status;
}

static enum status
ask(struct token *token, struct error *err)
{
    struct rendered_request request;
    enum status status = look_for_refresh(token, err);
    if (status == STATUS_OK) {
        arena_fini(&token->arena);
        status = oauth_request(token->connector, token->auth,
                               buf_slice(&token->refresh), &token->arena,
                               &request, err);
    }
    if (status != STATUS_OK) {
        return status;
    }
    const struct http_call_spec spec = {
        .method = request.method,
        .url = request.url,
        .fields = request.fields,
        .body = request.body,
        .has_body = true,
        .user = request.user,
        .password = request.password,
        .connect_timeout_ms = CONNECT_TIMEOUT_MS,
        .timeout_ms = TOKEN_TIMEOUT_MS,
        .stall_timeout_ms = TOKEN_TIMEOUT_MS,
        .body_limit = TOKEN_BODY_BYTES,
    };
    return http_client_start(token->access->client, &spec, token_came, token,
                             &token->call, err);
}

static bool
is_good(const struct token *token)
{
    return token->text.len > 0 &&
           loop_now_ms(token->access->loop) < token->until_ms;
}

/* Whether the provider is being left alone. */
static bool
is_barred(const struct token *token)
{
    return token->failures > 0 && token->call == NULL &&
           loop_now_ms(token->access->loop) < token->not_before_ms;
}

/* Sends it, or has it wait for its token. */
static enum status
begin_call(struct access_call *call, struct error *err)
{
    struct token *token = call->token;
    if (token == NULL || is_good(token)) {
        return send_call(call, err);
    }
    if (is_barred(token)) {
        *err = token->why;
        return token->status;
    }
    list_remove(&call->link);
    list_append(&token->waiting, &call->link);
    return token->call == NULL ? ask(token, err) : STATUS_OK;
}

static void
begin_again(struct access_call *call)
{
    struct error err = { 0 };
    enum status status = begin_call(call, &err);
    if (status != STATUS_OK) {
        end_call(call, status, NULL, &err);
    }
}

static void
forget(struct buf *secret)
{
    if (secret->len > 0) {
        mem_wipe(secret->ptr, secret->len);
    }
    buf_fini(secret);
}

static void
drop_token(struct token *token)
{
    list_remove(&token->link);
    http_client_cancel(token->call);
    arena_fini(&token->arena);
    forget(&token->text);
    forget(&token->refresh);
    mem_free(token);
}

/* Returns the token that this request's credential is for. */
static enum status
find_token(struct access *access, const struct access_need *need,
           struct token **ret, struct error *err)
{
    struct arena arena = { 0 };
    struct buf identity = { 0 };
    struct rendered_request request;
    struct token *token = NULL;
    enum status status =
        oauth_request(need->connector, need->oauth, (struct slice){ NULL, 0 },
                      &arena, &request, err);
    if (status == STATUS_OK) {
        status = oauth_identity(&request, &identity);
    }
    for (struct list *at = access->tokens.next; at != &access->tokens;
         at = at->next) {
        struct token *one = list_entry(at, struct token, link);
        const struct slice its = { one->identity, IDENTITY_BYTES };
        if (status == STATUS_OK && slice_equal(its, buf_slice(&identity))) {
            token = one;
        }
    }
    if (status == STATUS_OK && token == NULL) {
        token = mem_zero(sizeof(*token));
        status = token == NULL ? STATUS_NOMEM : STATUS_OK;
        if (token != NULL) {
            token->access = access;
            token->connector = need->connector;
            token->auth = need->oauth;
            memcpy(token->identity, identity.ptr, IDENTITY_BYTES);
            list_init(&token->waiting);
            list_append(&access->tokens, &token->link);
        }
    }
    buf_fini(&identity);
    arena_fini(&arena);
    *ret = token;
    return status;
}

struct http_call_spec
access_spec(const struct connector *connector,
            const struct rendered_request *request)
{
    const struct poll_spec *poll = &connector->poll;
    return (struct http_call_spec){
        .method = request->method,
        .url = request->url,
        .fields = request->fields,
        .body = request->body,
        .has_body = request->has_body,
        .user = request->user,
        .password = request->password,
        .connect_timeout_ms = CONNECT_TIMEOUT_MS,
        .timeout_ms = poll->timeout_ms,
        .stall_timeout_ms = poll->timeout_ms,
        .body_limit = (size_t)poll->max_body,
    };
}

enum status
access_start(struct access *access, const struct access_need *need,
             const struct http_call_spec *spec, http_reply_fn *done, void *arg,
             struct access_call **ret_call, struct error *err)
{
    struct access_call *call = mem_zero(sizeof(*call));
    if (call == NULL) {
        return error_set(err, STATUS_NOMEM, "out of memory");
    }
    call->access = access;
    call->spec = *spec;
    call->done = done;
    call->arg = arg;
    list_append(&access->calls, &call->link);
    enum status status = STATUS_OK;
    if (need->oauth != NULL) {
        status = find_token(access, need, &call->token, err);
        if (status == STATUS_OK) {
            status = copy_spec(call, spec);
        }
    }
    if (status == STATUS_OK) {
        status = begin_call(call, err);
    }
    if (status != STATUS_OK) {
        drop_call(call);
        return status;
    }
    *ret_call = call;
    return STATUS_OK;
}

void
access_cancel(struct access_call *call)
{
    if (call != NULL) {
        drop_call(call);
    }
}

/* ---- lifecycle ---- */

enum status
access_create(struct loop *loop, struct http_client *client,
              const char *secrets, struct access **ret)
{
    struct access *access = mem_zero(sizeof(*access));
    if (access == NULL) {
        return STATUS_NOMEM;
    }
    access->loop = loop;
    access->client = client;
    access->secrets = secrets;
    list_init(&access->tokens);
    list_init(&access->calls);
    *ret = access;
    return STATUS_OK;
}

void
access_destroy(struct access *access)
{
    if (access == NULL) {
        return;
    }
    for (struct list *link; (link = list_take(&access->calls)) != NULL;) {
        drop_call(list_entry(link, struct access_call, link));
    }
    for (struct list *link; (link = list_take(&access->tokens)) != NULL;) {
        struct token *token = list_entry(link, struct token, link);
        while ((link = list_take(&token->waiting)) != NULL) {
            drop_call(list_entry(link, struct access_call, link));
        }
        drop_token(token);
    }
    mem_free(access);
}
