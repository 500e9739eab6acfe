/* SPDX-License-Identifier: MIT */
/* Parameters: which there are, what `with` gives, and which channels they
 * allow. */
#include <string.h>

#include "model/connector_draft.h"
#include "model/connector_stream.h"
#include "wire/url.h"

struct given {
    struct config_secret secret;
    struct config_secrets secrets;
    struct slice text;
};

struct params {
    struct config_binding *binding;
    struct connector_draft *draft;
    const struct connector_env *env;
    const struct draft_param **declared; /* beside draft->c.params */
    size_t cap;
};

static const char *
text_of(struct params *params, struct slice name)
{
    const char *text = arena_text(params->binding->arena, name);
    if (text == NULL) {
        params->draft->nomem = true;
        return "";
    }
    return text;
}

static void
add_param(struct params *params, struct slice name, bool secret,
          const struct draft_param *declared)
{
    struct connector *c = &params->draft->c;
    for (size_t i = 0; i < c->param_count; i++) {
        if (slice_equal(c->params[i].name, name)) {
            c->params[i].secret |= secret;
            return;
        }
    }
    PRE(c->param_count < params->cap);
    params->declared[c->param_count] = declared;
    c->params[c->param_count++] = (struct connector_param){ .name = name,
                                                            .secret = secret,
                                                            .mark = c->mark };
}

static bool
used_by(const struct connector_draft *draft, struct slice name,
        enum draft_side side)
{
    for (const struct draft_use *use = draft->uses; use; use = use->next) {
        if (use->side == side && slice_equal(use->name, name)) {
            return true;
        }
    }
    return false;
}

/* Whether webhooks can only be verified with a secret of ours: an alternative
 * has no other key, or something signed or answered names it. */
static bool
needs_secret(const struct connector_draft *draft)
{
    bool needs = used_by(draft, slice_of("webhook_secret"), SIDE_WEBHOOK);
    for (size_t i = 0; i < draft->c.verify_count; i++) {
        needs |= !connector_key_is_fetched(&draft->c.verify[i]);
    }
    return needs && draft->c.verify_count > 0;
}

/* Whether URLs that come in requests are fetched. */
static bool
follows_links(const struct connector *c)
{
    bool follows = false;
    for (size_t i = 0; i < c->verify_count; i++) {
        follows |= c->verify[i].cert_url != NULL;
    }
    for (size_t i = 0; i < c->handshake_count; i++) {
        follows |= c->handshakes[i].confirm.url != NULL;
    }
    return follows;
}

static bool
asks_for_keys(const struct connector *c)
{
    bool asks = false;
    for (size_t i = 0; i < c->verify_count; i++) {
        asks |= c->verify[i].jwk != NULL;
    }
    return asks;
}

/* Declared ones, those that templates name, and the fixed three where they can
 * mean something. */
static enum status
list_params(struct params *params)
{
    struct connector_draft *draft = params->draft;
    const struct draft_param *declared = draft->params.at;
    size_t uses = 0;
    for (const struct draft_use *use = draft->uses; use; use = use->next) {
        uses++;
    }
    params->cap = draft->params.count + uses + 3;
    params->declared = arena_array(params->binding->arena, params->cap,
                                   sizeof(struct draft_param *));
    draft->c.params = arena_array(params->binding->arena, params->cap,
                                  sizeof(*draft->c.params));
    if (params->declared == NULL || draft->c.params == NULL) {
        return STATUS_NOMEM;
    }
    for (size_t i = 0; i < draft->params.count; i++) {
        add_param(params, draft->params.names[i], declared[i].secret,
                  &declared[i]);
    }
    for (const struct draft_use *use = draft->uses; use; use = use->next) {
        add_param(params, use->name, use->secret, NULL);
    }
    if (draft->c.poll.declared || draft->c.registration.declared ||
        draft->c.event.fetch.request.url != NULL) {
        add_param(params, slice_of("base"), false, NULL);
    }
    if (needs_secret(draft) || asks_for_keys(&draft->c)) {
        add_param(params, slice_of("webhook_secret"), true, NULL);
    }
    if (follows_links(&draft->c)) {
        add_param(params, slice_of("link_base"), false, NULL);
    }
    return STATUS_OK;
}

static bool
is_called(const struct connector_param *param, const char *name)
{
    return slice_equal_text(param->name, name);
}

/* Binds `with` by a table made of the parameters, so that mistakes read as
 * everywhere. */
static enum status
read_with(struct params *params, struct given *given)
{
    struct connector_draft *draft = params->draft;
    const size_t count = draft->c.param_count;
    struct config_key *keys =
        arena_array(params->binding->arena, count + 1, sizeof(*keys));
    struct config_table *table =
        arena_array(params->binding->arena, 1, sizeof(*table));
    if (keys == NULL || table == NULL) {
        return STATUS_NOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        const struct connector_param *param = &draft->c.params[i];
        const size_t base = i * sizeof(struct given);
        keys[i].name = text_of(params, param->name);
        if (is_called(param, "webhook_secret")) {
            keys[i].type = CONFIG_SECRETS;
            keys[i].offset = base + offsetof(struct given, secrets);
        } else if (param->secret) {
            keys[i].type = CONFIG_SECRET;
            keys[i].offset = base + offsetof(struct given, secret);
        } else {
            keys[i].type = CONFIG_TEXT;
            keys[i].offset = base + offsetof(struct given, text);
        }
    }
    *table = (struct config_table){ .name = "the parameters",
                                    .keys = keys,
                                    .count = count,
                                    .size = count * sizeof(struct given) };
    return config_bind(params->binding, table, draft->with, given);
}

/* Adds one value; an empty one is refused, a secret most of all. */
static void
add_value(struct params *params, struct connector_param *param,
          struct slice text, struct config_mark mark)
{
    if (text.len == 0) {
        config_report_add(params->binding->report, CONFIG_ERROR, mark,
                          "'%.*s' is empty", SLICE_ARG(param->name));
        return;
    }
    param->values[param->count] = text;
    param->marks[param->count++] = mark;
    param->given = true;
}

/* Where the API is: scheme, host and port. A path belongs to the connector. */
static void
add_base(struct params *params, struct connector_param *param,
         struct slice text, struct config_mark mark)
{
    struct url url;
    struct error err = { "" };
    if (text.len > 0 && text.ptr[text.len - 1] == '/') {
        text.len--;
    }
    if (text.len > 0 && url_parse(text, &url, &err) != STATUS_OK) {
        config_report_add(params->binding->report, CONFIG_ERROR, mark,
                          "'%.*s': %s", SLICE_ARG(param->name),
                          error_text(&err, STATUS_INVALID));
        return;
    }
    if (text.len > 0 && (url.path.len > 0 || url.has_query)) {
        config_report_add(params->binding->report, CONFIG_ERROR, mark,
                          "'%.*s' is scheme, host and port; paths belong to "
                          "the connector",
                          SLICE_ARG(param->name));
        return;
    }
    add_value(params, param, text, mark);
}

static void
add_secret(struct params *params, struct connector_param *param,
           const struct config_secret *secret)
{
    struct slice text = secret->text;
    if (secret->from == SECRET_NONE) {
        return;
    }
    if (secret->from != SECRET_INLINE) {
        const struct connector_env *env = params->env;
        if (env->read_secret == NULL ||
            !env->read_secret(env->arg, secret, params->binding->report,
                              params->binding->arena, &text)) {
            return;
        }
    }
    add_value(params, param, text, secret->mark);
}

/* What `subscribe` has kept beside the store: one secret a line, as after a
 * rotation. What the configuration gives goes before it. */
static enum status
add_kept(struct params *params, struct connector_param *param)
{
    const struct connector_env *env = params->env;
    const struct connector *c = &params->draft->c;
    struct arena *arena = params->binding->arena;
    struct slice text;
    struct slice line;
    size_t lines = 1;
    if (env->read_kept == NULL ||
        !env->read_kept(env->arg, c->name, param->name, params->binding->report,
                        arena, &text)) {
        return STATUS_OK;
    }
    for (size_t i = 0; i < text.len; i++) {
        lines += text.ptr[i] == '\n';
    }
    param->values = arena_array(arena, lines, sizeof(*param->values));
    param->marks = arena_array(arena, lines, sizeof(*param->marks));
    if (param->values == NULL || param->marks == NULL) {
        return STATUS_NOMEM;
    }
    while (slice_split(&text, '\n', &line)) {
        line = slice_trim(line);
        if (line.len > 0) {
            add_value(params, param, line, c->mark);
            param->kept = true;
        }
    }
    return STATUS_OK;
}

/* What `with` says of a parameter, by its name or as its file. */
static const struct config_node *
written(struct params *params, const struct connector_param *param)
{
    const struct config_node *at = params->draft->with;
    for (at = at == NULL ? NULL : at->children; at != NULL; at = at->next) {
        if (slice_equal(at->key, param->name) ||
            (param->secret && slice_starts(at->key, param->name) &&
             slice_equal_text(slice_from(at->key, param->name.len), "_file"))) {
            return at;
        }
    }
    return NULL;
}

static enum status
take_values(struct params *params, const struct given *given)
{
    struct connector_draft *draft = params->draft;
    struct arena *arena = params->binding->arena;
    for (size_t i = 0; i < draft->c.param_count; i++) {
        struct connector_param *param = &draft->c.params[i];
        const size_t count = given[i].secrets.count + 1;
        param->values = arena_array(arena, count, sizeof(*param->values));
        param->marks = arena_array(arena, count, sizeof(*param->marks));
        if (param->values == NULL || param->marks == NULL) {
            return STATUS_NOMEM;
        }
        const struct config_node *node = written(params, param);
        if (node != NULL) {
            param->mark = node->key_mark;
            param->given = true; /* if wrongly: that is told once */
        }
        for (size_t s = 0; s < given[i].secrets.count; s++) {
            add_secret(params, param, &given[i].secrets.at[s]);
        }
        add_secret(params, param, &given[i].secret);
        const bool may_be_kept =
            is_called(param, "webhook_secret") ||
            slice_equal(param->name, draft->c.registration.id_as);
        if (node == NULL && may_be_kept &&
            add_kept(params, param) != STATUS_OK) {
            return STATUS_NOMEM;
        }
        if (node == NULL || param->secret || node->unset) {
            continue;
        }
        if (is_called(param, "base") || is_called(param, "link_base")) {
            add_base(params, param, given[i].text, node->mark);
        } else {
            add_value(params, param, given[i].text, node->mark);
        }
    }
    return STATUS_OK;
}

static bool
has_default(const struct params *params, size_t i)
{
    return params->declared[i] != NULL && params->declared[i]->fallback.len > 0;
}

/* What `with` does not give has its default, which counts for no channel. */
static void
take_defaults(struct params *params)
{
    struct connector *c = &params->draft->c;
    for (size_t i = 0; i < c->param_count; i++) {
        struct connector_param *param = &c->params[i];
        if (!param->given && has_default(params, i)) {
            param->values[0] = params->declared[i]->fallback;
            param->marks[0] = c->mark;
            param->count = 1;
            param->given = true;
        }
    }
}

static struct config_mark
with_mark(const struct connector_draft *draft)
{
    static const char *const names[] = { "with" };
    return connector_tree_mark(draft, names, 1);
}

/* Names each parameter that the channel needs and nobody gave. */
static void
report_missing(struct params *params, enum draft_side side, const char *channel)
{
    const struct connector *c = &params->draft->c;
    for (size_t i = 0; i < c->param_count; i++) {
        const struct connector_param *param = &c->params[i];
        if (!param->given && !has_default(params, i) &&
            used_by(params->draft, param->name, side)) {
            const bool is_id = slice_equal(param->name, c->registration.id_as);
            config_report_add(
                params->binding->report, CONFIG_ERROR, with_mark(params->draft),
                "connector '%.*s' cannot %s: '%.*s' is missing "
                "in 'with'%s",
                SLICE_ARG(c->name), channel, SLICE_ARG(param->name),
                is_id ? "; 'longstop subscribe' finds it out" : "");
        }
    }
}

/* Whether any parameter that only requests for events need is given. */
static bool
gives_for_events(const struct params *params)
{
    const struct connector *c = &params->draft->c;
    bool gives = false;
    for (size_t i = 0; i < c->param_count; i++) {
        gives |= c->params[i].given &&
                 used_by(params->draft, c->params[i].name, SIDE_EVENT);
    }
    return gives;
}

/* A webhook can be verified and stored without what the request for its object
 * needs; what was stored waits until that is there. */
static void
report_unfetched(struct params *params)
{
    const struct connector *c = &params->draft->c;
    if (c->has_poll || asks_for_keys(c) || gives_for_events(params)) {
        report_missing(params, SIDE_EVENT, "fetch");
        return;
    }
    for (size_t i = 0; i < c->param_count; i++) {
        const struct connector_param *param = &c->params[i];
        if (!param->given && !has_default(params, i) &&
            used_by(params->draft, param->name, SIDE_EVENT)) {
            config_report_add(params->binding->report, CONFIG_WARNING,
                              with_mark(params->draft),
                              "connector '%.*s' cannot fetch: '%.*s' is "
                              "missing in 'with', and every delivery fails "
                              "until it is there",
                              SLICE_ARG(c->name), SLICE_ARG(param->name));
        }
    }
}

static bool
poll_section_given(const struct connector_draft *draft)
{
    const struct config_node *poll =
        draft->entry == NULL ? NULL : config_node_child(draft->entry, "poll");
    return poll != NULL && poll->kind == CONFIG_MAPPING;
}

static void
decide_poll(struct params *params)
{
    struct connector_draft *draft = params->draft;
    struct connector *c = &draft->c;
    size_t needed = 0; /* that count: no default, and not `base` */
    size_t found = 0;
    bool base_given = false;
    if (!c->poll.declared) {
        if (poll_section_given(draft)) {
            static const char *const names[] = { "poll" };
            config_report_add(params->binding->report, CONFIG_ERROR,
                              connector_tree_mark(draft, names, 1),
                              "there is no list to poll: 'poll' has no "
                              "'request'");
        }
        return;
    }
    for (size_t i = 0; i < c->param_count; i++) {
        struct connector_param *param = &c->params[i];
        param->asked = used_by(draft, param->name, SIDE_REQUEST);
        if (!param->asked) {
            continue;
        }
        if (has_default(params, i) || is_called(param, "base")) {
            base_given |= param->given;
            continue;
        }
        needed++;
        found += param->given;
    }
    const bool wanted =
        poll_section_given(draft) || (needed > 0 ? found > 0 : base_given);
    if (!wanted) {
        return;
    }
    if (params->env->registers) {
        return; /* what registering brings may be what polling lacks */
    }
    c->has_poll = true;
    report_missing(params, SIDE_REQUEST, "poll");
    report_missing(params, SIDE_ROW, "poll");
}

/* Whether the parameter lets webhooks be verified: those of the key's request
 * do it too. */
static bool
is_for_webhook(const struct params *params, size_t i)
{
    const struct connector_draft *draft = params->draft;
    const struct connector_param *param = &draft->c.params[i];
    return !has_default(params, i) && !is_called(param, "base") &&
           (used_by(draft, param->name, SIDE_WEBHOOK) ||
            (asks_for_keys(&draft->c) &&
             used_by(draft, param->name, SIDE_EVENT)));
}

/* Where keys are fetched there may be no secret: then it is any of the
 * parameters that says that webhooks are wanted, or nothing need be said. */
static bool
wants_webhook(const struct params *params)
{
    const struct connector *c = &params->draft->c;
    size_t needed = 0;
    size_t found = 0;
    if (needs_secret(params->draft)) {
        const struct connector_param *secret =
            connector_param_find(c, slice_of("webhook_secret"));
        return secret != NULL && secret->given;
    }
    for (size_t i = 0; i < c->param_count; i++) {
        if (is_for_webhook(params, i)) {
            needed++;
            found += c->params[i].given;
        }
    }
    return c->verify_count > 0 && (needed == 0 || found > 0);
}

/* Which parameters have to be there before a hook can be registered. */
static void
mark_registers(struct params *params)
{
    struct connector *c = &params->draft->c;
    for (size_t i = 0; i < c->param_count; i++) {
        c->params[i].registers =
            used_by(params->draft, c->params[i].name, SIDE_REGISTER);
    }
}

/* A key that is given need not be asked for. */
static void
prefer_given(struct connector *c)
{
    const struct connector_param *secret =
        connector_param_find(c, slice_of("webhook_secret"));
    for (size_t i = 0; i < c->verify_count; i++) {
        if (secret != NULL && secret->given &&
            c->verify[i].type == VERIFY_JWT) {
            c->verify[i].jwk = NULL;
        }
    }
}

static void
decide_webhook(struct params *params)
{
    prefer_given(&params->draft->c);
    if (wants_webhook(params) &&
        !connector_stream_is_unsigned(&params->draft->c)) {
        params->draft->c.has_webhook = true;
        report_missing(params, SIDE_WEBHOOK, "verify");
    }
}

/* What comes over a relay is believed for its signature, as if it had come in
 * by itself. */
static void
decide_stream(struct params *params)
{
    static const char *const names[] = { "stream" };
    struct connector_draft *draft = params->draft;
    struct connector *c = &draft->c;
    size_t needed = 0;
    size_t found = 0;
    if (c->stream == NULL || c->stream->request.url == NULL) {
        return;
    }
    for (size_t i = 0; i < c->param_count; i++) {
        if (used_by(draft, c->params[i].name, SIDE_STREAM) &&
            !has_default(params, i)) {
            needed++;
            found += c->params[i].given;
        }
    }
    if (needed > 0 && found == 0 &&
        (draft->entry == NULL ||
         config_node_child(draft->entry, "stream") == NULL)) {
        return;
    }
    c->has_stream = true;
    report_missing(params, SIDE_STREAM, "stream");
    if (!c->has_webhook && !connector_stream_is_unsigned(c)) {
        config_report_add(
            params->binding->report, CONFIG_ERROR,
            connector_tree_mark(draft, names, 1),
            "connector '%.*s' cannot stream: %s", SLICE_ARG(c->name),
            c->verify_count == 0 ? "it has no 'verify', and nothing else tells "
                                   "who sent what comes"
                                 : "'webhook_secret' is missing in 'with', and "
                                   "nothing else tells who sent what comes");
    }
}

/* Whether requests for single events will be sent, or for keys. */
static bool
asks_for_events(const struct connector *c)
{
    return (connector_has_hooks(c) &&
            (asks_for_keys(c) || c->event.mode == EVENT_THIN)) ||
           (c->has_poll && (c->recover.mode == RECOVER_FETCH ||
                            c->recover.mode == RECOVER_REDELIVER));
}

/* Names what a channel still lacks: "'api_key' and 'base'". */
static void
name_lacking(const struct params *params, bool to_poll, struct buf *into)
{
    const struct connector *c = &params->draft->c;
    for (size_t i = 0; i < c->param_count; i++) {
        const struct connector_param *param = &c->params[i];
        const bool lacks =
            !param->given &&
            (to_poll
                 ? !has_default(params, i) &&
                       used_by(params->draft, param->name, SIDE_REQUEST)
                 : is_for_webhook(params, i) && !needs_secret(params->draft));
        if (lacks) {
            buf_format(into, "%s'%.*s'", into->len == 0 ? "" : " and ",
                       SLICE_ARG(param->name));
        }
    }
    if (into->len == 0) {
        buf_text(into, to_poll ? "a 'poll' section" : "'webhook_secret'");
    }
}

static void
report_no_channel(struct params *params)
{
    const struct connector *c = &params->draft->c;
    const bool listens = c->verify_count > 0;
    struct buf hook = { 0 };
    struct buf poll = { 0 };
    if (c->has_poll || connector_has_hooks(c) || params->env->registers ||
        (c->registration.declared && connector_awaits_handshake(c))) {
        return;
    }
    if (listens) {
        name_lacking(params, false, &hook);
    }
    if (c->poll.declared) {
        name_lacking(params, true, &poll);
    }
    config_report_add(
        params->binding->report, CONFIG_ERROR, with_mark(params->draft),
        "connector '%.*s' can neither listen nor poll: "
        "%s%.*s%s%s%s%.*s%s",
        SLICE_ARG(c->name),
        listens || c->poll.declared ? "give "
                                    : "it has no 'verify' and no 'poll'",
        SLICE_ARG(buf_slice(&hook)), listens ? " to listen" : "",
        listens && c->registration.declared
            ? " or have it made by 'longstop subscribe'"
            : "",
        listens && c->poll.declared ? ", or " : "", SLICE_ARG(buf_slice(&poll)),
        c->poll.declared ? " to poll" : "");
    buf_fini(&hook);
    buf_fini(&poll);
}

enum status
connector_params_bind(struct config_binding *binding,
                      struct connector_draft *draft,
                      const struct connector_env *env)
{
    struct params params = { .binding = binding, .draft = draft, .env = env };
    const size_t errors = binding->report->errors;
    enum status status = list_params(&params);
    if (status != STATUS_OK) {
        return status;
    }
    struct given *given =
        arena_array(binding->arena, draft->c.param_count + 1, sizeof(*given));
    if (given == NULL) {
        return STATUS_NOMEM;
    }
    status = read_with(&params, given);
    if (status == STATUS_OK) {
        status = take_values(&params, given);
    }
    if (status != STATUS_OK) {
        return status;
    }
    /* `base` is told from the others before the defaults come in: that it has
     * one says nothing about what the user wants. */
    decide_poll(&params);
    decide_webhook(&params);
    decide_stream(&params);
    mark_registers(&params);
    if (asks_for_events(&draft->c)) {
        report_unfetched(&params);
    }
    take_defaults(&params);
    if (binding->report->errors == errors) {
        report_no_channel(&params);
    }
    return STATUS_OK;
}
