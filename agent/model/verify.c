/* SPDX-License-Identifier: MIT */
#include "model/verify.h"

#include <stdio.h>

#include "model/verify_private.h"
#include "wire/encode.h"
#include "wire/json.h"

static const struct slice nothing = { NULL, 0 };

enum status
verify_refuse(struct trial *trial, struct slice what, const char *words)
{
    trial->result->verdict = VERIFY_FORGED;
    (void)snprintf(trial->result->why, sizeof(trial->result->why), "%.*s%s",
                   SLICE_ARG(slice_first(what, 100)), words);
    return STATUS_DENIED;
}

/* Says that an element of the signature is not there. */
static enum status
refuse_element(struct trial *trial, struct slice name)
{
    const struct slice place = template_source(trial->rule->from);
    trial->result->verdict = VERIFY_FORGED;
    (void)snprintf(trial->result->why, sizeof(trial->result->why),
                   "%.*s has no element called '%.*s'",
                   SLICE_ARG(slice_first(place, 80)),
                   SLICE_ARG(slice_first(name, 40)));
    return STATUS_DENIED;
}

/* Returns the first place of the text that is absent and has to be there;
 * NULL where several could be meant: one of alternatives, or an optional one.
 */
static const struct template_ref *
find_absent(struct trial *trial, const struct template *t)
{
    const struct slice source = template_source(t);
    const struct template_ref *ref = NULL;
    struct slice value;
    enum status status = STATUS_OK;
    if (template_ref_at(t, 1, 0) != NULL ||
        slice_find(source, '?') != SIZE_MAX ||
        slice_find_slice(source, slice_of("[[")) != SIZE_MAX) {
        return NULL;
    }
    for (size_t i = 0;
         status == STATUS_OK && (ref = template_ref_at(t, 0, i)) != NULL; i++) {
        status = scope_find(&trial->scope, ref, trial->arena, &value);
    }
    return status == STATUS_NOT_FOUND ? ref : NULL;
}

/* Of a text of several places names the element of the signature, or the
 * field, that is absent, else all of the text. */
static enum status
refuse_absent(struct trial *trial, const struct template *t)
{
    const struct template_ref *ref = find_absent(trial, t);
    if (ref != NULL && trial->rule->kv != 0 &&
        slice_equal_text(ref->kind, "sig")) {
        return refuse_element(trial, ref->name);
    }
    if (ref != NULL && slice_equal_text(ref->kind, "header")) {
        trial->result->verdict = VERIFY_FORGED;
        (void)snprintf(trial->result->why, sizeof(trial->result->why),
                       "header:%.*s is missing",
                       SLICE_ARG(slice_first(ref->name, 100)));
        return STATUS_DENIED;
    }
    return verify_refuse(trial, template_source(t), " is missing");
}

enum status
verify_eval(struct trial *trial, const struct template *t,
            struct slice *ret_text)
{
    enum status status =
        scope_eval(&trial->scope, t, trial->arena, ret_text, NULL);
    return status == STATUS_NOT_FOUND || status == STATUS_INVALID
               ? refuse_absent(trial, t)
               : status;
}

static enum status
check_headers(struct trial *trial)
{
    const struct verify_rule *rule = trial->rule;
    for (size_t i = 0; i < rule->require_count; i++) {
        struct slice value;
        if (!http_field_find_slice(trial->scope.request->fields,
                                   rule->require_headers[i], &value)) {
            return verify_refuse(trial, rule->require_headers[i],
                                 " is missing");
        }
    }
    return STATUS_OK;
}

/* Takes the elements of the signature that count. Other names are ignored, so
 * nobody can ask for a weaker scheme. */
static void
take_candidates(struct trial *trial)
{
    const struct verify_rule *rule = trial->rule;
    struct slice rest = trial->scope.signature;
    struct slice part = rest;
    trial->candidate_count = 0;
    while (rest.ptr != NULL && trial->candidate_count < CANDIDATES_MAX) {
        if (rule->split == 0) {
            rest.ptr = NULL;
        } else if (!slice_split(&rest, rule->split, &part)) {
            break;
        }
        if (rule->trim) {
            part = slice_trim(part);
        }
        if (rule->kv != 0) {
            const size_t at = slice_find(part, rule->kv);
            if (at == SIZE_MAX ||
                !slice_equal(slice_first(part, at), rule->name)) {
                continue;
            }
            part = slice_from(part, at + 1);
        }
        if (part.len > 0) {
            trial->candidates[trial->candidate_count++] = part;
        }
    }
}

/* Compares a digest with every candidate, in constant time and without
 * stopping at the first that is right. */
static enum status
compare_digest(struct trial *trial, const struct digest *digest, bool *matched)
{
    const struct verify_rule *rule = trial->rule;
    struct buf ours = { 0 };
    struct buf theirs = { 0 };
    if (rule->compare_bytes) {
        buf_append(&ours, digest_slice(digest));
    } else if (rule->signature_encoding == ENCODING_BASE64) {
        encode_base64(digest_slice(digest), &ours);
    } else {
        encode_hex(digest_slice(digest), &ours);
    }
    enum status status = buf_status(&ours);
    for (size_t i = 0; status == STATUS_OK && i < trial->candidate_count; i++) {
        struct slice candidate = trial->candidates[i];
        if (rule->compare_bytes) {
            buf_clear(&theirs);
            status = rule->signature_encoding == ENCODING_BASE64
                         ? decode_base64(candidate, &theirs)
                         : decode_hex(candidate, &theirs);
            if (status == STATUS_INVALID) {
                status = STATUS_OK;
                continue;
            }
            candidate = buf_slice(&theirs);
        }
        *matched |= encode_same_secret(buf_slice(&ours), candidate);
    }
    buf_fini(&ours);
    buf_fini(&theirs);
    return status;
}

static enum status
decode_signature(const struct verify_rule *rule, struct slice text,
                 struct buf *into)
{
    return rule->signature_encoding == ENCODING_HEX ? decode_hex(text, into)
                                                    : decode_base64(text, into);
}

/* Asks the public key about every candidate. */
static enum status
compare_public(struct trial *trial, struct slice key, const struct slice *parts,
               size_t count, bool *matched)
{
    const struct verify_rule *rule = trial->rule;
    struct buf bytes = { 0 };
    enum status status = STATUS_OK;
    for (size_t i = 0; i < trial->candidate_count; i++) {
        buf_clear(&bytes);
        status = decode_signature(rule, trial->candidates[i], &bytes);
        if (status == STATUS_OK) {
            status = rule->type == VERIFY_ED25519
                         ? digest_verify_ed25519(key, buf_slice(&bytes), parts,
                                                 count)
                         : digest_verify_spki(rule->alg, key, buf_slice(&bytes),
                                              parts, count);
            *matched |= status == STATUS_OK;
        }
        if (status == STATUS_NOMEM) {
            break;
        }
        status = STATUS_OK;
    }
    buf_fini(&bytes);
    return status;
}

static enum status
try_key(struct trial *trial, const struct verify_key *key,
        const struct template *text, bool *matched)
{
    struct slice parts[TEMPLATE_PARTS_MAX];
    size_t count = 0;
    trial->scope.secret = key->text;
    enum status status =
        scope_parts(&trial->scope, text, trial->arena, parts, &count);
    if (status == STATUS_NOT_FOUND || status == STATUS_INVALID) {
        return refuse_absent(trial, text);
    }
    if (status != STATUS_OK) {
        return status;
    }
    struct digest digest;
    switch (trial->rule->type) {
    case VERIFY_HMAC:
        status = digest_key_sign(key->hmac, parts, count, &digest);
        break;
    case VERIFY_HASH:
        status = digest_hash(trial->rule->alg, parts, count, &digest);
        break;
    case VERIFY_ED25519:
    case VERIFY_ECDSA:
    case VERIFY_RSA:
        return compare_public(
            trial, trial->rule->cert_url != NULL ? trial->spki : key->bytes,
            parts, count, matched);
    case VERIFY_TOKEN:
    case VERIFY_BASIC:
    case VERIFY_JWT:
    case VERIFY_NONE: return STATUS_INVALID;
    }
    return status == STATUS_OK ? compare_digest(trial, &digest, matched)
                               : status;
}

/* Says what is wrong with a signature that nothing matches. */
static enum status
refuse_signature(struct trial *trial)
{
    const struct verify_rule *rule = trial->rule;
    const struct slice place = template_source(rule->from);
    struct buf bytes = { 0 };
    bool is_readable = false;
    for (size_t i = 0; i < trial->candidate_count; i++) {
        buf_clear(&bytes);
        enum status status =
            decode_signature(rule, trial->candidates[i], &bytes);
        is_readable |= status == STATUS_OK;
        if (status == STATUS_NOMEM) {
            buf_fini(&bytes);
            return status;
        }
    }
    buf_fini(&bytes);
    if (is_readable) {
        return verify_refuse(trial, place,
                             " matches no secret: wrong secret or altered "
                             "body");
    }
    return verify_refuse(trial, place,
                         rule->signature_encoding == ENCODING_HEX
                             ? " is no hex"
                             : " is no base64");
}

static enum status
refuse_empty(struct trial *trial)
{
    const struct verify_rule *rule = trial->rule;
    if (rule->kv == 0) {
        return verify_refuse(trial, template_source(rule->from), " is empty");
    }
    return refuse_element(trial, rule->name);
}

static enum status
check_signature(struct trial *trial)
{
    const struct verify_rule *rule = trial->rule;
    bool matched = false;
    take_candidates(trial);
    if (trial->candidate_count == 0) {
        return refuse_empty(trial);
    }
    if (rule->cert_url != NULL && trial->spki.len == 0) {
        enum status status = verify_key_certificate(trial);
        if (status != STATUS_OK) {
            return status;
        }
    }
    for (size_t t = 0; t < rule->signed_count; t++) {
        for (size_t k = 0; k < rule->key_count; k++) {
            enum status status =
                try_key(trial, &rule->keys[k], rule->signed_texts[t], &matched);
            if (status != STATUS_OK) {
                return status;
            }
        }
    }
    return matched ? STATUS_OK : refuse_signature(trial);
}

/* Takes "user:password" out of an Authorization header (RFC 7617 §2). */
static enum status
basic_credentials(struct trial *trial, struct slice *credentials)
{
    static const char scheme[] = "Basic ";
    const size_t len = sizeof(scheme) - 1;
    const struct slice text = trial->scope.signature;
    const struct slice place = template_source(trial->rule->from);
    if (!slice_equal_nocase(slice_first(text, len),
                            (struct slice){ scheme, len })) {
        return verify_refuse(trial, place, " holds no Basic credentials");
    }
    struct buf decoded = { 0 };
    enum status status =
        decode_base64(slice_trim(slice_from(text, len)), &decoded);
    if (status == STATUS_OK) {
        status = arena_copy(trial->arena, buf_slice(&decoded), credentials);
    }
    buf_fini(&decoded);
    return status == STATUS_INVALID
               ? verify_refuse(trial, place, " holds broken Basic credentials")
               : status;
}

static enum status
check_shared(struct trial *trial)
{
    bool matched = false;
    struct slice given = trial->scope.signature;
    if (trial->rule->type == VERIFY_BASIC) {
        enum status status = basic_credentials(trial, &given);
        if (status != STATUS_OK) {
            return status;
        }
    }
    for (size_t k = 0; k < trial->rule->key_count; k++) {
        matched |= encode_same_secret(trial->rule->keys[k].bytes, given);
    }
    return matched ? STATUS_OK
                   : verify_refuse(trial, template_source(trial->rule->from),
                                   " matches no secret");
}

enum status
verify_asserts(struct trial *trial)
{
    const struct verify_rule *rule = trial->rule;
    for (size_t i = 0; i < rule->assert_count; i++) {
        struct slice left;
        struct slice right;
        enum status status = verify_eval(trial, rule->asserts[i][0], &left);
        if (status == STATUS_OK) {
            status = verify_eval(trial, rule->asserts[i][1], &right);
        }
        if (status != STATUS_OK) {
            return status;
        }
        if (!encode_same_secret(left, right)) {
            return verify_refuse(trial, template_source(rule->asserts[i][0]),
                                 " is not what was signed");
        }
    }
    return STATUS_OK;
}

/* Digits only: a lenient reader takes "161…abc", which nobody signed so. */
static enum status
read_stamp(enum timefmt unit, struct slice text, int64_t *ret_ms)
{
    uint64_t digits;
    if ((unit == TIMEFMT_UNIX_S || unit == TIMEFMT_UNIX_MS) &&
        slice_to_u64(text, &digits) != STATUS_OK) {
        return STATUS_INVALID;
    }
    return timefmt_read(unit, text, ret_ms);
}

enum status
verify_refuse_age(struct trial *trial, int64_t age_ms, int64_t allowed_ms)
{
    const int64_t s = (age_ms < 0 ? -age_ms : age_ms) / 1000;
    trial->result->verdict = VERIFY_STALE;
    (void)snprintf(trial->result->why, sizeof(trial->result->why),
                   "the signature is right, but %lld s %s (allowed: %lld s)",
                   (long long)s, age_ms < 0 ? "in the future" : "too old",
                   (long long)(allowed_ms / 1000));
    return STATUS_DENIED;
}

/* Both ways: a stamp in the future would stay fresh for as long as its sender
 * likes. */
static enum status
check_age(struct trial *trial)
{
    const struct verify_rule *rule = trial->rule;
    if (rule->timestamp == NULL) {
        return STATUS_OK;
    }
    struct slice text;
    int64_t at_ms;
    enum status status = verify_eval(trial, rule->timestamp, &text);
    if (status != STATUS_OK) {
        return status;
    }
    if (read_stamp(rule->timestamp_unit, text, &at_ms) != STATUS_OK) {
        return verify_refuse(trial, template_source(rule->timestamp),
                             " is not a time");
    }
    /* Whole seconds on both sides where the stamp has no more. */
    int64_t now_ms = trial->scope.now_ms;
    if (rule->timestamp_unit == TIMEFMT_UNIX_S) {
        now_ms -= now_ms % 1000;
    }
    if (at_ms > now_ms + rule->tolerance_ms ||
        at_ms < now_ms - rule->tolerance_ms - trial->scope.request->late_ms) {
        return verify_refuse_age(trial, now_ms - at_ms, rule->tolerance_ms);
    }
    return STATUS_OK;
}

/* Judges the request, or the element in scope.item. STATUS_DENIED once the
 * result says why not. */
static enum status
judge(struct trial *trial)
{
    const struct verify_rule *rule = trial->rule;
    enum status status =
        verify_eval(trial, rule->from, &trial->scope.signature);
    if (status == STATUS_OK && rule->type == VERIFY_JWT) {
        return verify_token(trial);
    }
    if (status == STATUS_OK) {
        status = rule->type == VERIFY_TOKEN || rule->type == VERIFY_BASIC
                     ? check_shared(trial)
                     : check_signature(trial);
    }
    if (status != STATUS_OK) {
        return status;
    }
    status = verify_members(trial);
    if (status == STATUS_OK) {
        status = verify_asserts(trial);
    }
    return status == STATUS_OK ? check_age(trial) : status;
}

/* All elements of a batch must pass, and there must be one. */
static enum status
judge_each(struct trial *trial)
{
    const struct inbound *request = trial->scope.request;
    struct slice *elements = NULL;
    size_t count = 0;
    enum status status = STATUS_NOT_FOUND;
    if (request->body_is_json) {
        status = scope_rows(trial->rule->each, request->body, trial->arena,
                            &elements, &count);
    }
    if (status == STATUS_NOMEM) {
        return status;
    }
    if (count == 0) {
        return verify_refuse(trial, json_path_source(trial->rule->each),
                             " names nothing");
    }
    for (size_t i = 0; i < count; i++) {
        trial->scope.item = elements[i];
        status = judge(trial);
        if (status != STATUS_OK) {
            return status;
        }
    }
    return STATUS_OK;
}

static enum status
select_rule(const struct connector *connector, const struct scope *scope,
            struct arena *arena, const struct verify_rule **ret_rule)
{
    for (size_t i = 0; i < connector->verify_count; i++) {
        bool hold = false;
        enum status status =
            scope_conditions(scope, &connector->verify[i].when, arena, &hold);
        if (status != STATUS_OK) {
            return status;
        }
        if (hold) {
            *ret_rule = &connector->verify[i];
            return STATUS_OK;
        }
    }
    return STATUS_OK;
}

enum status
verify_request(const struct connector *connector, const struct inbound *request,
               const struct verify_found *found, int64_t now_ms,
               struct arena *arena, struct verify_result *ret_result)
{
    *ret_result = (struct verify_result){ .verdict = VERIFY_FORGED };
    struct trial trial = { .scope = { .connector = connector,
                                      .request = request,
                                      .now_ms = now_ms },
                           .arena = arena,
                           .result = ret_result,
                           .found = found };
    enum status status =
        select_rule(connector, &trial.scope, arena, &trial.rule);
    if (status != STATUS_OK) {
        return status;
    }
    const struct verify_rule *rule = trial.rule;
    ret_result->rule = rule;
    if (rule != NULL && rule->type == VERIFY_NONE && request->is_streamed) {
        ret_result->verdict = VERIFY_GENUINE;
        return STATUS_OK;
    }
    if (rule == NULL || rule->key_count == 0) {
        (void)verify_refuse(&trial, nothing,
                            rule == NULL
                                ? "no way of verifying applies"
                                : "no secret is for this kind of request");
        return STATUS_OK;
    }
    trial.scope.split = rule->split;
    trial.scope.kv = rule->kv;
    trial.scope.trim = rule->trim;
    status = check_headers(&trial);
    if (status == STATUS_OK) {
        status = rule->each != NULL ? judge_each(&trial) : judge(&trial);
    }
    if (status == STATUS_OK) {
        ret_result->verdict = VERIFY_GENUINE;
    }
    return status == STATUS_DENIED ? STATUS_OK : status;
}

/* The first secret: what {secret} and the filter hmac mean in an answer. */
static struct slice
first_secret(const struct connector *connector)
{
    const struct connector_param *param =
        connector_param_find(connector, slice_of("webhook_secret"));
    return param == NULL || param->count == 0 ? nothing : param->values[0];
}

const struct handshake *
verify_handshake(const struct connector *connector,
                 const struct inbound *request, struct arena *arena)
{
    const struct scope scope = { .connector = connector, .request = request };
    for (size_t i = 0; i < connector->handshake_count; i++) {
        bool hold = false;
        enum status status = scope_conditions(
            &scope, &connector->handshakes[i].when, arena, &hold);
        if (status == STATUS_OK && hold) {
            return &connector->handshakes[i];
        }
    }
    return NULL;
}

enum status
verify_confirm(const struct connector *connector,
               const struct handshake *handshake, const struct inbound *request,
               struct arena *arena, struct slice *ret_url, struct error *err)
{
    const struct confirm_spec *confirm = &handshake->confirm;
    const struct scope scope = { .connector = connector, .request = request };
    bool allowed = false;
    *ret_url = nothing;
    if (confirm->url == NULL) {
        return STATUS_OK;
    }
    enum status status = scope_eval(&scope, confirm->url, arena, ret_url, NULL);
    if (status == STATUS_OK) {
        status = verify_url_allowed(confirm->allow, *ret_url, arena, &allowed);
    }
    if (status == STATUS_OK && !allowed) {
        return error_set(err, STATUS_DENIED,
                         "%.*s names a URL that may not be fetched",
                         SLICE_ARG(template_source(confirm->url)));
    }
    return status == STATUS_NOT_FOUND
               ? error_set(err, status, "%.*s is missing",
                           SLICE_ARG(template_source(confirm->url)))
               : status;
}

/* What a request says goes into our JSON as a string, whatever is in it. */
static enum status
json_answer(const struct scope *scope, const struct answer_spec *spec,
            struct arena *arena, struct slice *ret_body)
{
    struct buf text = { 0 };
    enum status status = STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < spec->piece_count; i++) {
        const struct answer_piece *piece = &spec->pieces[i];
        buf_append(&text, piece->literal);
        struct slice value;
        if (piece->place != NULL) {
            status = scope_eval(scope, piece->place, arena, &value, NULL);
            if (status == STATUS_OK) {
                buf_json(&text, value);
            }
        }
    }
    if (status == STATUS_OK) {
        status = buf_status(&text);
    }
    if (status == STATUS_OK) {
        status = arena_copy(arena, buf_slice(&text), ret_body);
    }
    buf_fini(&text);
    return status;
}

enum status
verify_answer(const struct connector *connector, const struct answer_spec *spec,
              const struct inbound *request, struct arena *arena,
              struct slice *ret_body)
{
    const struct scope scope = { .connector = connector,
                                 .request = request,
                                 .secret = first_secret(connector) };
    if (spec->piece_count > 0) {
        return json_answer(&scope, spec, arena, ret_body);
    }
    if (spec->body == NULL) {
        *ret_body = nothing;
        return STATUS_OK;
    }
    return scope_eval(&scope, spec->body, arena, ret_body, NULL);
}

enum status
verify_answer_fields(const struct connector *connector,
                     const struct answer_spec *spec,
                     const struct inbound *request, struct arena *arena,
                     struct http_fields *ret_fields)
{
    const struct scope scope = { .connector = connector,
                                 .request = request,
                                 .secret = first_secret(connector) };
    size_t count = 0;
    *ret_fields = (struct http_fields){ NULL, 0 };
    struct http_field *fields =
        arena_array(arena, spec->field_count + 1, sizeof(*fields));
    if (fields == NULL) {
        return STATUS_NOMEM;
    }
    for (size_t i = 0; i < spec->field_count; i++) {
        struct http_field *field = &fields[count];
        field->name = spec->fields[i].name;
        enum status status = scope_eval(&scope, spec->field_values[i], arena,
                                        &field->value, NULL);
        if (status == STATUS_NOMEM) {
            return status;
        }
        count += status == STATUS_OK && http_field_value_valid(field->value);
    }
    *ret_fields = (struct http_fields){ fields, count };
    return STATUS_OK;
}

bool
verify_greets(const struct connector *connector, struct slice method)
{
    for (size_t i = 0; i < connector->handshake_count; i++) {
        const struct conditions *when = &connector->handshakes[i].when;
        for (size_t j = 0; j < when->count; j++) {
            const struct condition *one = &when->at[j];
            const struct template_ref *ref = template_ref_at(one->x, 0, 0);
            if (one->test == CONDITION_EQUALS && ref != NULL &&
                slice_equal_text(ref->kind, "method") &&
                slice_equal(one->equals, method)) {
                return true;
            }
        }
    }
    return false;
}
