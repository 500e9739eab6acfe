/* SPDX-License-Identifier: MIT */
/* Where the key of a request stands, when it is no secret of ours. */
#include "model/pattern.h"
#include "model/verify_private.h"
#include "wire/url.h"

/* A pattern is held against what anybody may send: it must come to an end. */
#define URL_BYTES_MAX 2048
#define KID_BYTES_MAX 256

static const struct slice nothing = { NULL, 0 };

/* Takes what was found under the name, or asks for it. */
static enum status
take_found(struct trial *trial, const struct verify_want *want)
{
    const struct verify_found *found = trial->found;
    if (found != NULL && slice_equal(found->name, want->name)) {
        trial->spki = found->spki;
        return STATUS_OK;
    }
    trial->result->verdict = VERIFY_WANTS_KEY;
    trial->result->want = *want;
    return STATUS_DENIED;
}

enum status
verify_url_allowed(const struct pattern *allow, struct slice text,
                   struct arena *arena, bool *ret_allowed)
{
    struct url url;
    *ret_allowed = false;
    if (text.len > URL_BYTES_MAX || url_parse(text, &url, NULL) != STATUS_OK) {
        return STATUS_OK;
    }
    return pattern_find(allow, text, arena, ret_allowed);
}

enum status
verify_key_certificate(struct trial *trial)
{
    struct slice url;
    bool allowed = false;
    enum status status = verify_eval(trial, trial->rule->cert_url, &url);
    if (status == STATUS_OK) {
        status = verify_url_allowed(trial->rule->cert_allow, url, trial->arena,
                                    &allowed);
    }
    if (status != STATUS_OK) {
        return status;
    }
    if (!allowed) {
        return verify_refuse(trial, template_source(trial->rule->cert_url),
                             " names a certificate where none is allowed to "
                             "be");
    }
    const struct verify_want want = { .name = url };
    return take_found(trial, &want);
}

/* The key's name is the connector's, for two may ask different places. */
static enum status
name_key(const struct trial *trial, struct slice kid, struct slice *ret_name)
{
    struct buf name = { 0 };
    buf_append(&name, trial->scope.connector->name);
    buf_byte(&name, ' ');
    buf_append(&name, kid);
    enum status status = buf_status(&name);
    if (status == STATUS_OK) {
        status = arena_copy(trial->arena, buf_slice(&name), ret_name);
    }
    buf_fini(&name);
    return status;
}

enum status
verify_key_named(struct trial *trial, struct slice header, struct slice kid)
{
    struct verify_want want = { .jwk = trial->rule->jwk,
                                .header = header,
                                .kid = kid };
    if (kid.len == 0 || kid.len > KID_BYTES_MAX) {
        return verify_refuse(trial, nothing, "the token names no key ('kid')");
    }
    enum status status = name_key(trial, kid, &want.name);
    return status == STATUS_OK ? take_found(trial, &want) : status;
}
