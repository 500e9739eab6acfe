/* SPDX-License-Identifier: MIT */
/* Requests for one event, and the word `recover`: their values, what follows
 * from them, and the rules that span them. */
#include <string.h>

#include "model/connector_draft.h"

/* ---- values ---- */

/* A place in braces may be a path in the row or the body: `{id}`. A text
 * without any is itself, unless it is a source with a known prefix. */
void
connector_fetch_text(struct config_binding *binding,
                     const struct config_node *node, void *place)
{
    static const char *const kinds[] = { "item",    "json",        "header",
                                         "form",    "var",         "secret",
                                         "now",     "request.url", "gap.start",
                                         "gap.end", NULL };
    struct slice text;
    if (!connector_parse_scalar(binding, node, &text)) {
        return;
    }
    const enum template_bare bare = slice_find(text, '{') == SIZE_MAX
                                        ? TEMPLATE_BARE_LITERAL
                                        : TEMPLATE_BARE_PATH;
    const struct template *t =
        connector_parse_template(binding, text, node, bare, kinds, SIDE_EVENT);
    memcpy(place, &t, sizeof(t));
}

/* The keys of a request are read as the list's, but for their places. */
static void
read_for_event(struct config_binding *binding, const struct config_node *node,
               void *place, config_parse_fn *parse)
{
    struct connector_draft *draft = binding->user;
    draft->for_event = true;
    parse(binding, node, place);
    draft->for_event = false;
}

void
connector_fetch_query(struct config_binding *binding,
                      const struct config_node *node, void *place)
{
    read_for_event(binding, node, place, connector_poll_query);
}

void
connector_fetch_headers(struct config_binding *binding,
                        const struct config_node *node, void *place)
{
    read_for_event(binding, node, place, connector_poll_headers);
}

void
connector_fetch_form(struct config_binding *binding,
                     const struct config_node *node, void *place)
{
    read_for_event(binding, node, place, connector_poll_form);
}

void
connector_fetch_json(struct config_binding *binding,
                     const struct config_node *node, void *place)
{
    read_for_event(binding, node, place, connector_poll_json_body);
}

/* ---- the tree ---- */

static enum status
append(struct config_node ***last, const struct config_node *from,
       struct arena *arena)
{
    struct config_node *copy = arena_array(arena, 1, sizeof(*copy));
    if (copy == NULL) {
        return STATUS_NOMEM;
    }
    *copy = *from;
    copy->next = NULL;
    **last = copy;
    *last = &copy->next;
    return STATUS_OK;
}

/* The requests that go with a word: those of the mapping beneath it, but for
 * the ones that say `none`. */
static enum status
append_requests(struct config_node ***last, const struct config_node *mapping,
                bool has_word, struct arena *arena)
{
    enum status status = STATUS_OK;
    const struct config_node *at = mapping->children;
    for (; at != NULL && status == STATUS_OK; at = at->next) {
        const bool is_none = at->kind == CONFIG_SCALAR &&
                             slice_equal_text(at->text, "none") &&
                             !slice_equal_text(at->key, "mode");
        if (!is_none && !(has_word && slice_equal_text(at->key, "mode"))) {
            status = append(last, at, arena);
        }
    }
    return status;
}

enum status
connector_fetch_tree(const struct connector_draft *draft, struct arena *arena,
                     struct config_node *root)
{
    struct config_node **at = &root->children;
    while (*at != NULL && !slice_equal_text((*at)->key, "recover")) {
        at = &(*at)->next;
    }
    const struct config_node *said = *at;
    if (said == NULL || said->kind == CONFIG_SEQUENCE || said->is_null) {
        return STATUS_OK;
    }
    const bool is_word = said->kind == CONFIG_SCALAR;
    const struct config_node *mapping = said;
    if (is_word) {
        mapping = draft->file == NULL
                      ? NULL
                      : config_node_child(draft->file, "recover");
    }
    struct config_node *made = arena_array(arena, 1, sizeof(*made));
    if (made == NULL) {
        return STATUS_NOMEM;
    }
    *made = *said;
    made->kind = CONFIG_MAPPING;
    made->children = NULL;
    struct config_node **last = &made->children;
    enum status status = STATUS_OK;
    if (is_word) {
        struct config_node word = *said;
        word.key = slice_of("mode");
        status = append(&last, &word, arena);
    }
    if (status == STATUS_OK && mapping != NULL &&
        mapping->kind == CONFIG_MAPPING) {
        status = append_requests(&last, mapping, is_word, arena);
    }
    *at = made;
    return status;
}

/* ---- what follows ---- */

static bool
is_given(const struct fetch_spec *spec)
{
    return spec->request.url != NULL;
}

struct sharing {
    struct config_binding *binding;
    struct config_node nowhere;
};

static void
share_template(void *arg, const struct template *t)
{
    struct sharing *sharing = arg;
    connector_parse_note_uses(sharing->binding, t, &sharing->nowhere,
                              SIDE_EVENT);
}

/* Whatever proves us to the list proves us here too, so its parameters are
 * needed for this. */
static void
share_auth(struct config_binding *binding, struct connector_draft *draft)
{
    struct sharing sharing = {
        binding, { .mark = draft->c.mark, .key = SLICE("auth") }
    };
    connector_auth_each(&draft->c.poll.auth, share_template, &sharing);
}

static void
finish_one(struct config_binding *binding, struct connector_draft *draft,
           struct fetch_spec *spec)
{
    struct slice literal;
    if (!is_given(spec)) {
        return;
    }
    const struct template *url = spec->request.url;
    spec->is_link = !template_is_literal(url, &literal) &&
                    slice_find(template_source(url), '{') == SIZE_MAX;
    if (spec->auth == NULL) {
        share_auth(binding, draft);
        return;
    }
    static const char key[] = "{secret:api_key}";
    struct config_node node = { .kind = CONFIG_SCALAR,
                                .text = slice_of(key),
                                .key = SLICE("auth"),
                                .mark = draft->c.mark };
    struct auth_spec *auth = spec->auth;
    if (auth->type == AUTH_BASIC && auth->user == NULL) {
        connector_fetch_text(binding, &node, &auth->user);
    } else if (auth->type != AUTH_BASIC && auth->type != AUTH_NONE &&
               auth->value == NULL) {
        connector_fetch_text(binding, &node, &auth->value);
    }
}

void
connector_fetch_finish(struct config_binding *binding,
                       struct connector_draft *draft)
{
    struct connector *c = &draft->c;
    finish_one(binding, draft, &c->event.fetch);
    finish_one(binding, draft, &c->poll.record.fetch);
    finish_one(binding, draft, &c->recover.redeliver);
    static const char *const failed[] = { "recover", "list_failed" };
    c->recover.list_failed.declared =
        connector_tree_node(draft, failed, 2) != NULL;
    /* What brings the whole event makes a row's details needless. */
    if (c->recover.mode == RECOVER_FETCH ||
        c->recover.mode == RECOVER_REDELIVER) {
        c->poll.follow.on = false;
    }
}

void
connector_fetch_finish_key(struct config_binding *binding,
                           struct verify_rule *rule)
{
    struct fetch_spec *jwk = rule->jwk;
    if (jwk == NULL || jwk->request.url == NULL) {
        return;
    }
    if (jwk->auth == NULL) {
        /* Keys are shown to everybody, as a rule: the list's credential stays
         * with the list. */
        jwk->auth = arena_array(binding->arena, 1, sizeof(*jwk->auth));
        if (jwk->auth == NULL) {
            ((struct connector_draft *)binding->user)->nomem = true;
            return;
        }
        jwk->auth->type = AUTH_NONE;
    }
    finish_one(binding, binding->user, jwk);
    jwk->is_link = false; /* a token never says where its key is */
}

/* ---- rules ---- */

static void
refuse(struct config_binding *binding, struct connector_draft *draft,
       const char *section, const char *key, const char *words)
{
    const char *const names[] = { section, key };
    config_report_add(binding->report, CONFIG_ERROR,
                      connector_tree_mark(draft, names, 2), "%s", words);
}

/* A URL out of an event is resolved against `base`, and may not leave it. */
static void
check_one(struct config_binding *binding, struct connector_draft *draft,
          const struct fetch_spec *spec, const char *section, const char *key)
{
    const struct connector_param *base =
        connector_param_find(&draft->c, slice_of("base"));
    if (spec->is_link && (base == NULL || base->count == 0)) {
        refuse(binding, draft, section, key,
               "a URL that comes with the event needs the parameter 'base', "
               "which it may not leave");
    }
    const struct auth_spec *auth = spec->auth;
    const bool named =
        auth != NULL && (auth->type == AUTH_HEADER || auth->type == AUTH_QUERY);
    if (named && !http_field_name_valid(auth->name)) {
        refuse(binding, draft, section, key, "'auth' needs a 'name'");
    }
}

static void
check_recover(struct config_binding *binding, struct connector_draft *draft)
{
    const struct connector *c = &draft->c;
    if (!c->has_poll) {
        return;
    }
    if (c->recover.mode == RECOVER_FETCH && !is_given(&c->event.fetch) &&
        !is_given(&c->poll.record.fetch)) {
        refuse(binding, draft, "recover", "mode",
               "'fetch' needs a request: 'record.fetch' in 'poll', or "
               "'fetch' in 'event'");
    }
    if (c->recover.mode != RECOVER_REDELIVER) {
        return;
    }
    if (!is_given(&c->recover.redeliver)) {
        refuse(binding, draft, "recover", "mode",
               "'redeliver' needs a request: {mode: redeliver, redeliver: "
               "{method: POST, url: …}}");
    }
    if (!connector_has_hooks(c)) {
        refuse(binding, draft, "recover", "mode",
               "what is sent again needs a way in: give 'webhook_secret', or "
               "use 'fetch' or 'self'");
    }
}

void
connector_fetch_check(struct config_binding *binding,
                      struct connector_draft *draft)
{
    const struct connector *c = &draft->c;
    check_one(binding, draft, &c->event.fetch, "event", "fetch");
    check_one(binding, draft, &c->poll.record.fetch, "poll", "record");
    check_one(binding, draft, &c->recover.redeliver, "recover", "redeliver");
    if (c->event.mode == EVENT_THIN && connector_has_hooks(c) &&
        !is_given(&c->event.fetch)) {
        refuse(binding, draft, "event", "mode",
               "'thin' needs 'fetch', the request for the object");
    }
    if (c->recover.redeliver.body != NULL) {
        refuse(binding, draft, "recover", "redeliver",
               "'redeliver' takes no 'body': the webhook brings it");
    }
    check_recover(binding, draft);
}
