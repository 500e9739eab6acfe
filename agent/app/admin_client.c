/* SPDX-License-Identifier: MIT */
#include "app/admin_client.h"

#include "io/fs.h"
#include "io/loop.h"
#include "wire/digest.h"
#include "wire/encode.h"
#include "wire/public_key.h"

#define ANSWER_LIMIT      ((size_t)16 * 1024 * 1024)
#define CERTIFICATE_LIMIT ((size_t)1024 * 1024)

static const struct slice unix_scheme = SLICE("unix:");

struct question {
    struct loop *loop;
    struct buf *into;
    enum status status;
    unsigned http_status;
    struct error *err;
};

static void
answered(void *arg, enum status status, const struct http_reply *reply,
         const struct error *err)
{
    struct question *question = arg;
    question->status = status;
    if (status == STATUS_OK) {
        question->http_status = reply->status;
        buf_append(question->into, reply->body);
        question->status = buf_status(question->into);
    } else {
        (void)error_set(question->err, status, "%s", error_text(err, status));
    }
    loop_stop(question->loop);
}

static enum status
ask(struct question *question, struct http_client *client,
    const struct http_call_spec *spec, struct error *err)
{
    struct http_call *call;
    enum status status =
        http_client_start(client, spec, answered, question, &call, err);
    if (status == STATUS_OK) {
        loop_run(question->loop);
        status = question->status;
    }
    return status;
}

/*
 * The agent's certificate is at hand, in the configuration of both: its key is
 * the proof, whatever name or address the agent is asked under.
 */
static enum status
pin_key(const struct tls_settings *tls, struct buf *into)
{
    struct buf text = { 0 }, spki = { 0 };
    unsigned char digest[32];
    enum status status =
        fs_read(tls->identity.certificate.ptr, CERTIFICATE_LIMIT, &text, NULL);
    if (status == STATUS_OK) {
        status =
            public_key_read(buf_slice(&text), (struct slice){ 0 }, &spki, NULL);
    }
    if (status == STATUS_OK) {
        status = digest_sha256(buf_slice(&spki), digest);
    }
    if (status == STATUS_OK) {
        struct slice bytes = { (const char *)digest, sizeof(digest) };
        buf_text(into, "sha256//");
        encode_base64(bytes, into);
        status = buf_status(into);
    }
    buf_fini(&text);
    buf_fini(&spki);
    return status;
}

static void
write_url(const struct admin_client *to, const char *path, struct buf *into)
{
    struct slice address = to->address;
    buf_text(into, to->tls == NULL ? "http://" : "https://");
    if (slice_starts(address, unix_scheme)) {
        address = slice_of("localhost");
    } else if (slice_starts(address, slice_of("*:"))) { /* at all of its own */
        buf_text(into, "localhost");
        address = slice_from(address, 1);
    }
    buf_append(into, address);
    buf_text(into, path);
}

enum status
admin_client_spec(const struct admin_client *to, const char *method,
                  const char *path, struct admin_call *call,
                  struct http_call_spec *ret)
{
    write_url(to, path, &call->url);
    enum status status =
        to->tls == NULL ? STATUS_OK : pin_key(to->tls, &call->key);
    if (status != STATUS_OK) {
        return status;
    }
    buf_format(&call->bearer, "Bearer %.*s", SLICE_ARG(to->token));
    call->fields[0] =
        (struct http_field){ SLICE("Authorization"), buf_slice(&call->bearer) };
    *ret = (struct http_call_spec){
        .method = slice_of(method),
        .url = buf_slice(&call->url),
        .fields = { call->fields, to->token.len > 0 },
        .body = to->body,
        .has_body = method[0] == 'P',
        .unix_socket = slice_starts(to->address, unix_scheme)
                           ? to->address.ptr + unix_scheme.len
                           : NULL,
        .connect_timeout_ms = 2000,
        .timeout_ms = to->timeout_ms,
        .stall_timeout_ms = to->timeout_ms,
        .body_limit = ANSWER_LIMIT,
        .pinned_key = to->tls == NULL ? NULL : buf_slice(&call->key).ptr,
    };
    return buf_status(&call->url) != STATUS_OK ? buf_status(&call->url)
                                               : buf_status(&call->bearer);
}

void
admin_call_fini(struct admin_call *call)
{
    buf_fini(&call->url);
    buf_fini(&call->bearer);
    buf_fini(&call->key);
}

enum status
admin_client_ask(const struct admin_client *to, const char *method,
                 const char *path, unsigned *ret_http_status, struct buf *into,
                 struct error *err)
{
    const struct http_client_settings settings = { .connections = 1,
                                                   .connections_per_host = 1,
                                                   .user_agent = "longstop" };
    struct question question = { .into = into, .err = err };
    struct http_client *client = NULL;
    struct admin_call call = { 0 };
    struct http_call_spec spec;
    enum status status = admin_client_spec(to, method, path, &call, &spec);
    status = status != STATUS_OK ? status : loop_create(&question.loop);
    status = status != STATUS_OK
                 ? status
                 : http_client_create(question.loop, &settings, &client, err);
    if (status == STATUS_OK) {
        status = ask(&question, client, &spec, err);
    }
    *ret_http_status = question.http_status;
    http_client_destroy(client);
    loop_destroy(question.loop);
    admin_call_fini(&call);
    return status;
}
