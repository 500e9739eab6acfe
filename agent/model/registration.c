/* SPDX-License-Identifier: MIT */
#include "model/registration_private.h"

#include "model/answer.h"
#include "model/next_page.h"
#include "model/scope.h"
#include "model/verify.h"
#include "wire/encode.h"
#include "wire/json.h"
#include "wire/template.h"
#include "wire/url.h"

/* Of the chance: a secret of ours, one that is only sent, and a UUID. */
enum { SECRET_BYTES = 32, UUID_AT = 64, UUID_BYTES = 16, WORDS_MAX = 200 };

/* A provider that links pages for ever is left. */
enum { PAGES_MAX = 50 };

/* ---- what the places stand for ---- */

static enum status
keep_buf(struct registration *r, struct buf *buf, struct slice *ret_text)
{
    enum status status = buf_status(buf);
    if (status == STATUS_OK) {
        status = arena_copy(r->arena, buf_slice(buf), ret_text);
    }
    buf_fini(buf);
    return status;
}

static enum status
write_secret(struct registration *r, int alphabet, size_t from,
             struct slice *ret_text)
{
    const struct slice bytes = { (const char *)r->plan->chance + from,
                                 SECRET_BYTES };
    struct buf text = { 0 };
    switch (alphabet) {
    case ALPHABET_HEX: encode_hex(bytes, &text); break;
    case ALPHABET_WHSEC:
        buf_text(&text, "whsec_");
        encode_base64(bytes, &text);
        break;
    default: encode_base64url(bytes, &text); break;
    }
    return keep_buf(r, &text, ret_text);
}

/* Version 4, made of chance alone (RFC 9562 §5.4). */
static enum status
write_uuid(struct registration *r, struct slice *ret_text)
{
    struct buf text = { 0 };
    for (size_t i = 0; i < UUID_BYTES; i++) {
        unsigned char byte = r->plan->chance[UUID_AT + i];
        byte = i == 6   ? (unsigned char)((byte & 0x0f) | 0x40)
               : i == 8 ? (unsigned char)((byte & 0x3f) | 0x80)
                        : byte;
        buf_format(&text,
                   i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x",
                   byte);
    }
    return keep_buf(r, &text, ret_text);
}

static enum status
fill_places(struct registration *r)
{
    const struct connector *connector = r->plan->connector;
    const struct connector_param *secret =
        connector_param_find(connector, slice_of(REGISTRATION_SECRET));
    enum status status = STATUS_OK;
    r->places = (struct register_places){ .hook_url = connector->public_url,
                                          .events = r->events,
                                          .event_count = r->event_count,
                                          .now_ms = r->plan->now_ms };
    if (secret != NULL && secret->count > 0) {
        r->has_secret = true;
        r->secret_is_given = !secret->kept;
        r->secret = secret->values[0];
    } else {
        status = write_secret(r, r->spec->secret.generate, 0, &r->secret);
    }
    /* what is only shown shows no secret */
    r->places.generated = r->plan->is_dry ? slice_of("***") : r->secret;
    if (status == STATUS_OK) {
        status =
            write_secret(r, ALPHABET_TEXT, SECRET_BYTES, &r->places.random);
    }
    if (r->plan->is_dry) {
        r->places.random = slice_of("***");
    }
    return status == STATUS_OK ? write_uuid(r, &r->places.uuid) : status;
}

/* ---- whether it can be done ---- */

static enum status
check_params(const struct connector *connector, struct error *err)
{
    struct buf missing = { 0 };
    for (size_t i = 0; i < connector->param_count; i++) {
        const struct connector_param *param = &connector->params[i];
        if (param->registers && param->count == 0) {
            buf_format(&missing, "%s'%.*s'", missing.len == 0 ? "" : " and ",
                       SLICE_ARG(param->name));
        }
    }
    enum status status = STATUS_OK;
    if (missing.len > 0) {
        status = error_set(
            err, STATUS_INVALID, "%.*s missing in 'with' of connector '%.*s'",
            SLICE_ARG(buf_slice(&missing)), SLICE_ARG(connector->name));
    }
    buf_fini(&missing);
    return status;
}

static bool
port_is_taken(const struct config_texts *ports, uint16_t port)
{
    uint64_t number;
    for (size_t i = 0; i < ports->count; i++) {
        if (slice_to_u64(ports->at[i], &number) == STATUS_OK &&
            number == port) {
            return true;
        }
    }
    return ports->count == 0;
}

/* Whether the provider delivers to where we are. */
static enum status
check_hook_url(const struct connector *connector, struct error *err)
{
    const struct register_spec *spec = &connector->registration;
    const struct slice text = connector->public_url;
    struct url url;
    if (text.len == 0) {
        return error_set(err, STATUS_INVALID,
                         "the provider has to be told where to send: say "
                         "'listen.public_url', or 'public_url' of connector "
                         "'%.*s'",
                         SLICE_ARG(connector->name));
    }
    enum status status = url_parse(text, &url, err);
    if (status != STATUS_OK) {
        return error_wrap(err, status, "public_url");
    }
    if (spec->https && !slice_equal_nocase(url.scheme, slice_of("https"))) {
        return error_set(err, STATUS_INVALID,
                         "the provider delivers to https alone, and "
                         "'public_url' is %.*s",
                         SLICE_ARG(text));
    }
    if (!port_is_taken(&spec->ports, url.port)) {
        return error_set(err, STATUS_INVALID,
                         "the provider delivers to few ports, and %u of "
                         "'public_url' is none of them",
                         (unsigned)url.port);
    }
    return STATUS_OK;
}

/* Takes events over, each once: one hook is made for each. */
static enum status
keep_events(struct registration *r, const struct slice *events, size_t count)
{
    struct slice *kept = arena_array(r->arena, count + 1, sizeof(*kept));
    if (kept == NULL) {
        return STATUS_NOMEM;
    }
    r->events = kept;
    r->event_count = 0;
    for (size_t i = 0; i < count; i++) {
        size_t at = 0;
        while (at < r->event_count && !slice_equal(kept[at], events[i])) {
            at++;
        }
        if (at == r->event_count) {
            kept[r->event_count++] = events[i];
        }
    }
    return STATUS_OK;
}

/* What the command line said once holds until it says otherwise. */
static enum status
take_events(struct registration *r)
{
    struct slice event;
    size_t at = 0;
    size_t count = 0;
    r->events_are_said = r->plan->events_are_said;
    if (r->plan->events_are_said || r->note.events.len == 0) {
        return keep_events(r, r->plan->events, r->plan->event_count);
    }
    while (json_next_element(r->note.events, &at, &event)) {
        count++;
    }
    struct slice *events = arena_array(r->arena, count + 1, sizeof(*events));
    enum status status = events == NULL ? STATUS_NOMEM : STATUS_OK;
    at = 0;
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        (void)json_next_element(r->note.events, &at, &event);
        status = json_text(event, r->arena, &events[i]);
    }
    r->events_are_said = true;
    return status == STATUS_OK ? keep_events(r, events, count) : status;
}

static enum status
check_events(const struct registration *r, struct error *err)
{
    const struct registration_plan *plan = r->plan;
    const struct register_spec *spec = r->spec;
    const struct request_spec *create = &spec->create.request;
    const bool needed =
        spec->per_event ||
        (!spec->all_events && (connector_request_names(create, "events") ||
                               connector_request_names(create, "event")));
    return r->event_count > 0 || !needed || plan->act != REGISTRATION_MAKE
               ? STATUS_OK
               : error_set(err, STATUS_INVALID,
                           "for which events? say --events A,B or "
                           "'register.events' of connector '%.*s'",
                           SLICE_ARG(plan->connector->name));
}

static enum status
check_plan(const struct registration_plan *plan, struct error *err)
{
    const struct register_spec *spec = &plan->connector->registration;
    if (!spec->declared) {
        return error_set(err, STATUS_INVALID,
                         "connector '%.*s' has no requests that register a "
                         "webhook: do it at the provider",
                         SLICE_ARG(plan->connector->name));
    }
    if (plan->act == REGISTRATION_RENEW && spec->renew_every_ms == 0) {
        return error_set(err, STATUS_INVALID,
                         "a hook of connector '%.*s' lasts; there is nothing "
                         "to renew",
                         SLICE_ARG(plan->connector->name));
    }
    enum status status = check_params(plan->connector, err);
    return status == STATUS_OK ? check_hook_url(plan->connector, err) : status;
}

enum status
registration_begin(const struct registration_plan *plan, struct arena *arena,
                   struct registration **ret, struct error *err)
{
    enum status status = check_plan(plan, err);
    if (status != STATUS_OK) {
        return status;
    }
    struct registration *r = arena_array(arena, 1, sizeof(*r));
    struct registration_action *first = arena_array(arena, 1, sizeof(*first));
    if (r == NULL || first == NULL) {
        return error_set(err, STATUS_NOMEM, "out of memory");
    }
    first->kind = ACTION_LIST;
    r->plan = plan;
    r->spec = &plan->connector->registration;
    r->arena = arena;
    r->actions = first;
    r->action_count = 1;
    status = registration_note_read(plan->note, arena, &r->note);
    if (status == STATUS_OK) {
        status = take_events(r);
    }
    if (status == STATUS_OK) {
        status = fill_places(r);
    }
    if (status != STATUS_OK) {
        return error_set(err, status, "%s", status_text(status));
    }
    status = check_events(r, err);
    if (status != STATUS_OK) {
        return status;
    }
    r->outcome.words = r->spec->secret.words;
    *ret = r;
    return STATUS_OK;
}

/* ---- what is next ---- */

struct ask_row {
    int kind;
    const char *purpose;
    size_t offset; /* of the request in the connector's spec */
};

#define ASK(kind_, purpose_, field_)                                           \
    {                                                                          \
        (kind_), (purpose_), offsetof(struct register_spec, field_)            \
    }

static const struct ask_row ask_rows[] = {
    ASK(ACTION_LIST, "list", list.request),
    ASK(ACTION_CREATE, "create", create.request),
    ASK(ACTION_UPDATE, "update", update.request),
    ASK(ACTION_DELETE, "delete", remove.request),
    ASK(ACTION_RENEW, "renew", renew.request),
    ASK(ACTION_ASK_SECRET, "secret", secret.request),
};

static const struct ask_row *
ask_row_of(const struct registration_action *action)
{
    for (size_t i = 0; i < sizeof(ask_rows) / sizeof(ask_rows[0]); i++) {
        if (ask_rows[i].kind == (int)action->kind) {
            return &ask_rows[i];
        }
    }
    return NULL;
}

static const struct request_spec *
request_of(const struct registration *r, const struct ask_row *row)
{
    const void *at = (const char *)r->spec + row->offset;
    const struct request_spec *request = at;
    /* a lease is renewed by asking for it once more */
    return request->url == NULL && row->kind == ACTION_RENEW
               ? &r->spec->create.request
               : request;
}

static enum status
ask(struct registration *r, const struct registration_action *action,
    const struct ask_row *row, struct registration_step *step,
    struct error *err)
{
    r->places.id = action->id.len > 0 ? action->id : r->last_id;
    if (r->spec->per_event && action->kind != ACTION_LIST &&
        (action->only.len > 0 || r->event_count > 0)) {
        r->places.events =
            action->only.len > 0 ? &action->only : &r->events[action->event];
        r->places.event_count = 1;
    }
    r->places.event = 0;
    step->what = REGISTRATION_ASK;
    step->purpose = row->purpose;
    r->is_asked = true;
    enum status status =
        request_register(r->plan->connector, request_of(r, row), &r->places,
                         r->arena, &step->request, err);
    if (status != STATUS_OK) {
        return error_wrap(err, status, "%s", row->purpose);
    }
    if (action->kind == ACTION_LIST && r->next_url.len > 0) {
        step->request.url = r->next_url;
    }
    r->asked_url = step->request.url;
    return STATUS_OK;
}

/* The new secret, and behind it the one that hooks in flight may still bear. */
static enum status
answered_text(struct registration *r, struct slice *ret_text)
{
    struct buf text = { 0 };
    buf_append(&text, r->answered);
    if (r->has_secret && !r->secret_is_given &&
        !slice_equal(r->secret, r->answered)) {
        buf_byte(&text, '\n');
        buf_append(&text, r->secret);
    }
    return keep_buf(r, &text, ret_text);
}

static enum status
note_text(const struct registration *r, enum registration_note_kind kind,
          struct registration_step *step)
{
    step->name = slice_of(REGISTRATION_NOTE);
    return registration_note_text(r, kind, &step->text);
}

/* What is done here and not at the provider. */
static enum status
do_here(struct registration *r, const struct registration_action *action,
        struct registration_step *step)
{
    step->what = REGISTRATION_KEEP;
    step->name = slice_of(REGISTRATION_SECRET);
    const int kind = (int)action->kind;
    switch (kind) {
    case ACTION_KEEP_OURS:
        r->outcome.has_new_secret = true;
        step->text = r->secret;
        return STATUS_OK;
    case ACTION_KEEP_ANSWERED:
        r->outcome.has_new_secret = true;
        r->outcome.secret_is_moot = r->secret_is_given;
        return answered_text(r, &step->text);
    case ACTION_NOTE_PENDING: return note_text(r, NOTE_PENDING, step);
    case ACTION_NOTE_DONE: return note_text(r, NOTE_DONE, step);
    case ACTION_NOTE_LEFT:
        r->made_text = (struct slice){ NULL, 0 };
        return note_text(r, NOTE_LEAVING, step);
    case ACTION_NOTE_LEAVING: return note_text(r, NOTE_LEAVING, step);
    case ACTION_KEEP_ID:
        step->name = r->spec->id_as;
        step->text = action->id.len > 0 ? action->id : r->last_id;
        return STATUS_OK;
    case ACTION_FORGET_ID: step->name = r->spec->id_as; break;
    case ACTION_FORGET_NOTE: step->name = slice_of(REGISTRATION_NOTE); break;
    default: break;
    }
    step->what = REGISTRATION_FORGET;
    return STATUS_OK;
}

/* Nothing is sent: what would be asked if there were no hook. */
static enum status
pretend(struct registration *r, struct error *err)
{
    const enum registration_action_kind kind = r->actions[r->at].kind;
    r->is_asked = false;
    r->at++;
    r->last_id = slice_of("0"); /* an id that may be a number */
    if (kind != ACTION_LIST) {
        return STATUS_OK;
    }
    r->note.hooks = (struct slice){ NULL, 0 };
    enum status status =
        registration_find_hooks(r, (struct slice){ NULL, 0 }, err);
    if (status == STATUS_OK && r->plan->act != REGISTRATION_MAKE) {
        r->hooks[r->hook_count++] =
            (struct registration_hook){ .id = SLICE("0"), .is_right = true };
    }
    return status == STATUS_OK ? registration_decide(r, err) : status;
}

enum status
registration_next(struct registration *r, struct registration_step *ret_step,
                  struct error *err)
{
    *ret_step = (struct registration_step){ .what = REGISTRATION_END };
    enum status status = STATUS_OK;
    if (r->is_asked) {
        PRE(r->plan->is_dry);
        status = pretend(r, err);
    }
    while (status == STATUS_OK && r->at < r->action_count) {
        const struct registration_action *action = &r->actions[r->at];
        const struct ask_row *row = ask_row_of(action);
        if (action->kind == ACTION_LIST && r->spec->list.request.url == NULL) {
            status = registration_find_hooks(r, (struct slice){ NULL, 0 }, err);
            status = status == STATUS_OK ? registration_decide(r, err) : status;
            continue;
        }
        if (row != NULL) {
            return ask(r, action, row, ret_step, err);
        }
        r->at++;
        if (r->plan->is_dry) {
            continue;
        }
        status = do_here(r, action, ret_step);
        return status == STATUS_OK
                   ? STATUS_OK
                   : error_set(err, status, "%s", status_text(status));
    }
    return status;
}

/* ---- answers ---- */

/* What the provider says of a failure, as far as it can be told. */
static struct slice
words_of(struct registration *r, struct slice body)
{
    static const char places[] =
        "error.message ?? errors[0].message ?? errors[0].detail ?? "
        "error_description ?? message ?? description ?? error.detail ?? "
        "detail ?? title ?? error ?? msg";
    const struct json_path *path = NULL;
    struct slice text = slice_trim(body);
    struct slice found;
    if (json_check(body, JSON_DEPTH_DEFAULT, NULL) == STATUS_OK &&
        json_path_compile(slice_of(places), r->arena, &path, NULL) ==
            STATUS_OK &&
        answer_at(path, body, r->arena, &found) == STATUS_OK) {
        text = found;
    }
    return slice_first(text, WORDS_MAX);
}

static enum status
refused(struct registration *r, const char *purpose, unsigned http_status,
        struct slice body, struct error *err)
{
    static const struct {
        unsigned http_status;
        enum status status;
        const char *hint;
    } rows[] = {
        { 401, STATUS_DENIED, "; is the credential right?" },
        { 403, STATUS_DENIED, "; may the credential register webhooks?" },
        { 429, STATUS_BUSY, "; try again later" },
        { 503, STATUS_BUSY, "; try again later" },
    };
    enum status status = STATUS_PROTOCOL;
    const char *hint = "";
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].http_status == http_status) {
            status = rows[i].status;
            hint = rows[i].hint;
        }
    }
    struct slice words = words_of(r, body);
    return error_set(err, status, "%s: the provider answered %u%s%.*s%s",
                     purpose, http_status, words.len > 0 ? ": " : "",
                     SLICE_ARG(words), hint);
}

/* Whether a good answer says that it is none. */
static enum status
check_failed(struct registration *r, const char *purpose, struct slice body,
             struct error *err)
{
    struct inbound inbound = { .body = body, .body_is_json = true };
    const struct scope scope = { .connector = r->plan->connector,
                                 .request = &inbound,
                                 .item = body };
    enum status status = STATUS_OK;
    bool failed = false;
    for (size_t i = 0; i < r->spec->fail_when.count && status == STATUS_OK;
         i++) {
        const struct conditions one = { &r->spec->fail_when.at[i], 1 };
        status = scope_conditions(&scope, &one, r->arena, &failed);
        if (status == STATUS_OK && failed) {
            struct slice words = words_of(r, body);
            return error_set(err, STATUS_PROTOCOL,
                             "%s: the provider refused: %.*s", purpose,
                             SLICE_ARG(words));
        }
    }
    return status == STATUS_OK
               ? STATUS_OK
               : error_set(err, status, "%s", status_text(status));
}

static enum status
take_text(struct registration *r, const struct json_path *path,
          const char *what, struct slice body, struct slice *ret_text,
          struct error *err)
{
    enum status status = answer_at(path, body, r->arena, ret_text);
    if (status != STATUS_OK) {
        return error_set(err, STATUS_PROTOCOL, "the answer has no %s at '%.*s'",
                         what, SLICE_ARG(json_path_source(path)));
    }
    if (slice_find(*ret_text, '\n') != SIZE_MAX) {
        return error_set(err, STATUS_PROTOCOL,
                         "the %s in the answer has several lines", what);
    }
    return STATUS_OK;
}

static enum status
take_created(struct registration *r, const struct registration_action *action,
             struct slice body, struct error *err)
{
    enum status status = STATUS_OK;
    if (r->spec->create.id != NULL) {
        status = take_text(r, r->spec->create.id, "id", body, &r->last_id, err);
    }
    if (status == STATUS_OK && r->spec->secret.by == SECRET_ANSWERED) {
        status = take_text(r, r->spec->secret.from, "secret", body,
                           &r->answered, err);
    }
    if (status == STATUS_OK) {
        r->outcome.created++;
        status = registration_note_hook(
            r, r->last_id,
            r->spec->per_event ? r->events[action->event] : slice_of(""));
        return status == STATUS_OK
                   ? STATUS_OK
                   : error_set(err, status, "%s", status_text(status));
    }
    return status;
}

/* A hook of ours may stand on any page of the list. */
static enum status
take_list(struct registration *r, const struct next_page_answer *answer,
          struct error *err)
{
    enum status status =
        answer->body.len > 0
            ? registration_find_hooks(r, answer->body, err)
            : error_set(err, STATUS_PROTOCOL, "list: the answer is not JSON");
    if (status == STATUS_OK) {
        status = next_page_find(r->spec->list.next, answer, r->arena,
                                &r->next_url, err);
    }
    /* Some name a next page behind the last one. */
    if (status != STATUS_OK || r->next_url.len == 0 || r->listed == 0) {
        return status == STATUS_OK ? registration_decide(r, err) : status;
    }
    if (++r->pages == PAGES_MAX || slice_equal(r->next_url, r->asked_url)) {
        return error_set(err, STATUS_PROTOCOL,
                         "list: it has no end after %u pages", r->pages);
    }
    r->at--; /* once more */
    return STATUS_OK;
}

static enum status
take_answer(struct registration *r, const struct registration_action *action,
            const struct next_page_answer *answer, struct error *err)
{
    const struct slice body = answer->body;
    const int kind = (int)action->kind;
    r->at++;
    switch (kind) {
    case ACTION_LIST: return take_list(r, answer, err);
    case ACTION_CREATE: return take_created(r, action, body, err);
    case ACTION_ASK_SECRET:
        return take_text(r, r->spec->secret.from, "secret", body, &r->answered,
                         err);
    case ACTION_UPDATE: r->outcome.updated++; break;
    case ACTION_DELETE: r->outcome.deleted++; break;
    case ACTION_RENEW: r->outcome.renewed++; break;
    default: break;
    }
    return STATUS_OK;
}

static unsigned
expected(const struct registration *r, int kind)
{
    switch (kind) {
    case ACTION_CREATE: return r->spec->create.expect;
    case ACTION_UPDATE: return r->spec->update.expect;
    case ACTION_DELETE: return r->spec->remove.expect;
    case ACTION_RENEW: return r->spec->renew.expect;
    default: return 0;
    }
}

enum status
registration_answer(struct registration *r,
                    const struct registration_reply *reply, struct error *err)
{
    const unsigned http_status = reply->http_status;
    const struct slice body = reply->body;
    PRE(r->is_asked && r->at < r->action_count);
    const struct registration_action *action = &r->actions[r->at];
    const struct ask_row *row = ask_row_of(action);
    PRE(row != NULL); /* nothing else is asked */
    const char *purpose = row->purpose;
    const unsigned expect = expected(r, (int)action->kind);
    const bool is_gone = action->kind == ACTION_DELETE &&
                         (http_status == 404 || http_status == 410);
    struct slice copy = { NULL, 0 };
    r->is_asked = false;
    if (!is_gone && (expect != 0 ? http_status != expect
                                 : http_status < 200 || http_status > 299)) {
        return refused(r, purpose, http_status, body, err);
    }
    enum status status = STATUS_OK;
    if (json_check(body, JSON_DEPTH_DEFAULT, NULL) == STATUS_OK) {
        status = arena_copy(r->arena, body, &copy);
        if (status != STATUS_OK) {
            return error_set(err, status, "%s", status_text(status));
        }
        status = check_failed(r, purpose, copy, err);
    }
    const struct next_page_answer answer = { reply->fields, copy,
                                             r->asked_url };
    return status == STATUS_OK ? take_answer(r, action, &answer, err) : status;
}

struct registration_outcome
registration_outcome(const struct registration *r)
{
    return r->outcome;
}
