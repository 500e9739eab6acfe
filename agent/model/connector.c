/* SPDX-License-Identifier: MIT */
#include "model/connector.h"

#include <string.h>

#include "base/instant.h"
#include "model/connector_draft.h"
#include "model/pattern.h"

/* What no file says and every walk needs. */
#define OVERLAP_MS    (2 * INSTANT_MINUTE_MS)
#define OVERLAP_ID_MS (5 * INSTANT_MINUTE_MS)
#define TOLERANCE_MS  (5 * INSTANT_MINUTE_MS)
#define FASTEST_MS    (10 * INSTANT_SECOND_MS)

static int64_t
deeper_of(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Where credentials of HTTP Basic stand, when the file does not say. */
static const struct template *
usual_place(struct config_binding *binding)
{
    const struct connector_draft *draft = binding->user;
    struct config_node node = { .kind = CONFIG_SCALAR,
                                .text = SLICE("header:Authorization"),
                                .key = SLICE("default"),
                                .mark = draft->c.mark };
    return connector_parse_template(binding, node.text, &node,
                                    TEMPLATE_BARE_SOURCE, connector_hook_kinds,
                                    SIDE_WEBHOOK);
}

static void
finish_verify(struct config_binding *binding, struct connector *c)
{
    for (size_t i = 0; i < c->verify_count; i++) {
        struct verify_rule *rule = &c->verify[i];
        if (rule->type == VERIFY_BASIC && rule->from == NULL) {
            rule->from = usual_place(binding);
        }
        connector_fetch_finish_key(binding, rule);
        if (rule->timestamp != NULL && rule->tolerance_ms == 0) {
            rule->tolerance_ms = TOLERANCE_MS;
        }
        if (rule->timestamp != NULL && rule->timestamp_unit == TIMEFMT_AUTO) {
            rule->timestamp_unit = TIMEFMT_UNIX_S;
        }
    }
    if (c->ack.status == 0) {
        c->ack.status = 202;
    }
    if (c->reject.status == 0) {
        c->reject.status = 401;
    }
    for (size_t i = 0; i < c->handshake_count; i++) {
        if (c->handshakes[i].respond.status == 0) {
            c->handshakes[i].respond.status = 200;
        }
    }
}

/* What the format of a cursor can tell apart. */
static int64_t
granularity_of(enum timefmt format)
{
    switch (format) {
    case TIMEFMT_UNIX_MS:
    case TIMEFMT_ISO8601: return 1;
    case TIMEFMT_DATE: return INSTANT_DAY_MS;
    case TIMEFMT_MINUTE: return INSTANT_MINUTE_MS;
    case TIMEFMT_AUTO:
    case TIMEFMT_UNIX_S:
    case TIMEFMT_ISO8601_S:
    case TIMEFMT_ISO8601_NAIVE:
    case TIMEFMT_RFC2822: break;
    }
    return INSTANT_SECOND_MS;
}

/* The deepest an overlap may become: so far that what retention cuts off is
 * still far away. */
static int64_t
most_of(const struct poll_spec *poll, int64_t least_ms)
{
    int64_t most_ms = poll->overlap_max_ms;
    if (poll->retention_ms > 0 && most_ms > poll->retention_ms / 2) {
        most_ms = poll->retention_ms / 2;
    }
    return most_ms > least_ms ? most_ms : least_ms;
}

/* Gives an overlap that is `auto` its bounds. */
static void
finish_overlaps(struct poll_spec *poll, bool follows)
{
    struct sweep_spec *sweeps = poll->sweeps.at;
    poll->overlap_most_ms = follows ? most_of(poll, poll->overlap_ms) : 0;
    for (size_t i = 0; i < poll->sweeps.count; i++) {
        if (sweeps[i].overlap_ms == OVERLAP_AUTO) {
            sweeps[i].overlap_ms =
                deeper_of(poll->overlap_ms, poll->overlap_most_ms);
            sweeps[i].overlap_most_ms = most_of(poll, sweeps[i].overlap_ms);
        }
    }
}

static void
finish_cursor(struct connector_draft *draft)
{
    static const char *const own[] = { "poll", "overlap" };
    static const char *const file[] = { "poll", "cursor", "overlap" };
    struct poll_spec *poll = &draft->c.poll;
    struct cursor_spec *cursor = &poll->cursor;
    if (cursor->format == TIMEFMT_AUTO) {
        cursor->format = TIMEFMT_ISO8601;
    }
    if (cursor->granularity_ms == 0) {
        cursor->granularity_ms = granularity_of(cursor->format);
    }
    const bool follows = poll->overlap_ms == OVERLAP_AUTO;
    if (connector_tree_node(draft, own, 2) == NULL || follows) {
        if (connector_tree_node(draft, file, 3) != NULL) {
            poll->overlap_ms = cursor->overlap_ms;
        } else {
            poll->overlap_ms = cursor->acks                ? 0
                               : cursor->kind == CURSOR_ID ? OVERLAP_ID_MS
                                                           : OVERLAP_MS;
        }
    }
    cursor->overlap_ms = poll->overlap_ms;
    if (poll->backfill_rate == 0) {
        /* Slow enough that the live walks are hardly ever in want. */
        poll->backfill_rate = 2;
        poll->backfill_rate_per_ms = INSTANT_SECOND_MS;
    }
    finish_overlaps(poll, follows);
    if (poll->settle_ms == 0) {
        poll->settle_ms = cursor->settle_ms;
    }
    cursor->settle_ms = poll->settle_ms;
}

static void
finish_pace(struct poll_spec *poll)
{
    if (poll->slowest_ms == 0) {
        poll->slowest_ms = poll->every_ms;
    }
    if (poll->fastest_ms == 0) {
        poll->fastest_ms =
            poll->slowest_ms < FASTEST_MS ? poll->slowest_ms : FASTEST_MS;
    }
}

static void
finish_pages(struct config_binding *binding, struct connector_draft *draft)
{
    static const char *const start[] = { "poll", "pages", "start" };
    static const char *const from[] = { "poll", "pages", "from" };
    struct page_spec *pages = &draft->c.poll.pages;
    if (pages->kind == PAGE_NUMBER &&
        connector_tree_node(draft, start, 3) == NULL) {
        pages->start = 1;
    }
    const struct config_node *node = connector_tree_node(draft, from, 3);
    if (pages->kind == PAGE_LAST_ID && pages->last == NULL && node != NULL) {
        pages->last = connector_parse_json_path(binding, node->text, node);
    }
}

/* What a request around the list's own leaves out is as it is there. */
static void
finish_request(struct request_spec *request, const struct request_spec *list)
{
    if (request->url == NULL) {
        request->url = list->url;
    }
    if (request->method.len == 0) {
        request->method = list->method;
    }
    if (request->headers == NULL) {
        request->headers = list->headers;
        request->header_count = list->header_count;
    }
}

static void
finish_first(struct connector_draft *draft)
{
    static const char *const resync[] = { "poll", "resync" };
    struct poll_spec *poll = &draft->c.poll;
    const struct request_spec *list = &poll->request;
    bool in_list = list->first_url != NULL || list->first_query != NULL;
    if (in_list && poll->first.url == NULL) {
        poll->first.url = list->first_url;
        poll->first.query = list->first_query;
        poll->first.query_count = list->first_query_count;
    }
    if (poll->first_cursor != NULL || in_list) {
        finish_request(&poll->first, &poll->request);
    }
    if (connector_tree_node(draft, resync, 2) != NULL) {
        finish_request(&poll->resync, &poll->request);
    }
}

/* Fills in what follows from what was written. */
static void
finish(struct config_binding *binding, struct connector_draft *draft)
{
    static const char *const grace[] = { "grace" };
    struct connector *c = &draft->c;
    c->verify = draft->verify.at;
    c->verify_count = draft->verify.count;
    c->handshakes = draft->handshakes.at;
    c->handshake_count = draft->handshakes.count;
    c->poll.declared = c->poll.request.url != NULL;
    c->poll.follow.on = c->poll.follow.url != NULL;
    if (connector_tree_node(draft, grace, 1) == NULL) {
        c->grace_ms = c->match.grace_ms;
    }
    finish_verify(binding, c);
    connector_auth_finish(binding, draft);
    finish_cursor(draft);
    finish_pace(&draft->c.poll);
    finish_pages(binding, draft);
    finish_first(draft);
    connector_fetch_finish(binding, draft);
    connector_register_finish(binding, draft);
}

/* How senders address this connector unless it says so itself. */
static enum status
finish_url(struct config_binding *binding, struct connector *c,
           const struct connector_env *env)
{
    if (c->public_url.len > 0 || env->public_url.len == 0) {
        return STATUS_OK;
    }
    struct buf url = { 0 };
    struct slice base = env->public_url;
    while (base.len > 0 && base.ptr[base.len - 1] == '/') {
        base.len--;
    }
    buf_append(&url, base);
    buf_text(&url, "/hooks/");
    buf_append(&url, c->name);
    enum status status = buf_status(&url);
    if (status == STATUS_OK) {
        status = arena_copy(binding->arena, buf_slice(&url), &c->public_url);
    }
    buf_fini(&url);
    return status;
}

/* Prepares the keys; a secret that no alternative can use is a mistake. */
static enum status
prepare_keys(struct config_binding *binding, struct connector *c)
{
    static const struct connector_param none = { .count = 0 };
    const struct connector_param *secret =
        connector_param_find(c, slice_of("webhook_secret"));
    secret = secret == NULL ? &none : secret;
    if (!c->has_webhook) {
        return STATUS_OK;
    }
    bool *fits = arena_array(binding->arena, secret->count + 1, sizeof(*fits));
    bool *used = arena_array(binding->arena, secret->count + 1, sizeof(*used));
    if (fits == NULL || used == NULL) {
        return STATUS_NOMEM;
    }
    for (size_t i = 0; i < c->verify_count; i++) {
        enum status status = connector_keyring_prepare(
            &c->verify[i], secret->values, secret->count, binding->arena, fits);
        if (status != STATUS_OK) {
            return status;
        }
        for (size_t s = 0; s < secret->count; s++) {
            used[s] |= fits[s];
        }
    }
    for (size_t s = 0; s < secret->count; s++) {
        if (!used[s]) {
            config_report_add(binding->report, CONFIG_ERROR, secret->marks[s],
                              "'webhook_secret' is no key for this connector: "
                              "it must be %s",
                              connector_keyring_wanted(&c->verify[0]));
        }
    }
    return STATUS_OK;
}

static enum status
bind_draft(struct config_binding *binding, struct connector_draft *draft,
           const struct connector_env *env)
{
    struct config_node *root = NULL;
    enum status status = connector_tree_prepare(binding, draft, env, &root);
    if (status != STATUS_OK) {
        return status;
    }
    draft->root = root;
    status = config_bind(binding, &connector_table, root, draft);
    if (status != STATUS_OK || draft->nomem) {
        return STATUS_NOMEM;
    }
    finish(binding, draft);
    status = finish_url(binding, &draft->c, env);
    if (status == STATUS_OK) {
        status = connector_params_bind(binding, draft, env);
    }
    if (status == STATUS_OK) {
        status = connector_zone_bind(binding, draft, env);
    }
    if (status != STATUS_OK) {
        return status;
    }
    connector_rules_check(binding, draft);
    status = prepare_keys(binding, &draft->c);
    return draft->nomem ? STATUS_NOMEM : status;
}

enum status
connector_bind(struct config_binding *binding, struct slice name,
               struct config_mark mark, const struct config_node *file,
               const struct config_node *entry, const struct connector_env *env,
               struct connector *ret_connector)
{
    struct connector_draft draft = { .file = file, .entry = entry };
    struct config_binding inner = *binding;
    inner.user = &draft;
    draft.c.name = name;
    draft.c.mark = mark;
    enum status status = bind_draft(&inner, &draft, env);
    /* Compiled patterns stand in the lists from the first mistake on. */
    draft.c.verify = draft.verify.at;
    draft.c.verify_count = draft.verify.count;
    draft.c.handshakes = draft.handshakes.at;
    draft.c.handshake_count = draft.handshakes.count;
    *ret_connector = draft.c;
    if (status != STATUS_OK) {
        connector_fini(ret_connector);
    }
    return status == STATUS_CONFIG ? STATUS_OK : status;
}

bool
connector_has_hooks(const struct connector *connector)
{
    return connector->has_webhook || connector->has_stream;
}

int64_t
connector_overlap_ms(const struct connector *connector)
{
    const struct sweep_spec *sweeps = connector->poll.sweeps.at;
    int64_t deepest_ms = connector->poll.overlap_ms;
    for (size_t i = 0; i < connector->poll.sweeps.count; i++) {
        deepest_ms = deeper_of(deepest_ms, sweeps[i].overlap_ms);
    }
    return deepest_ms;
}

int64_t
connector_overlap_most_ms(const struct connector *connector)
{
    const struct sweep_spec *sweeps = connector->poll.sweeps.at;
    int64_t deepest_ms = deeper_of(connector_overlap_ms(connector),
                                   connector->poll.overlap_most_ms);
    for (size_t i = 0; i < connector->poll.sweeps.count; i++) {
        deepest_ms = deeper_of(deepest_ms, sweeps[i].overlap_most_ms);
    }
    return deepest_ms;
}

bool
connector_is_unlisted(const struct connector *connector, struct slice type)
{
    const struct record_spec *record = &connector->poll.record;
    for (size_t i = 0; i < record->unlisted_count; i++) {
        if (glob_match(record->unlisted[i], type)) {
            return true;
        }
    }
    return false;
}

const struct connector_param *
connector_param_find(const struct connector *connector, struct slice name)
{
    for (size_t i = 0; i < connector->param_count; i++) {
        if (slice_equal(connector->params[i].name, name)) {
            return &connector->params[i];
        }
    }
    return NULL;
}

bool
connector_awaits_handshake(const struct connector *connector)
{
    bool awaits = false;
    for (size_t i = 0; i < connector->handshake_count; i++) {
        const struct handshake *shake = &connector->handshakes[i];
        awaits |=
            shake->pending || shake->leaving || shake->store_secret != NULL;
    }
    return awaits;
}

bool
connector_is_asked_to_leave(const struct connector *connector)
{
    bool is_asked = false;
    for (size_t i = 0; i < connector->handshake_count; i++) {
        is_asked |= connector->handshakes[i].leaving;
    }
    return is_asked;
}

static void
forget_all(struct conditions *conditions)
{
    for (size_t i = 0; i < conditions->count; i++) {
        connector_parse_forget(&conditions->at[i]);
    }
}

void
connector_fini(struct connector *connector)
{
    for (size_t i = 0; i < connector->verify_count; i++) {
        forget_all(&connector->verify[i].when);
        pattern_free(connector->verify[i].cert_allow);
        connector_keyring_release(&connector->verify[i]);
    }
    for (size_t i = 0; i < connector->handshake_count; i++) {
        forget_all(&connector->handshakes[i].when);
        pattern_free(connector->handshakes[i].confirm.allow);
    }
    forget_all(&connector->poll.fail_when);
    forget_all(&connector->poll.gate.go_when);
    forget_all(&connector->registration.fail_when);
    pattern_free(connector->poll.indirect.allow);
    for (size_t i = 0; i < connector->poll.cursor.expired_count; i++) {
        forget_all(&connector->poll.cursor.expired[i].when);
    }
    for (size_t i = 0; i < connector->param_count; i++) {
        struct connector_param *param = &connector->params[i];
        for (size_t v = 0; param->secret && v < param->count; v++) {
            param->values[v] = (struct slice){ NULL, 0 };
        }
    }
    connector->verify_count = 0;
    connector->handshake_count = 0;
    connector->poll.fail_when.count = 0;
    connector->poll.cursor.expired_count = 0;
    connector->poll.gate.go_when.count = 0;
    connector->registration.fail_when.count = 0;
    connector->poll.indirect.allow = NULL;
    connector->param_count = 0;
}
