/* SPDX-License-Identifier: MIT */
/* Values of `register`, what follows from them, and the rules that span them.
 */
#include <string.h>

#include "model/connector_draft.h"

static struct connector_draft *
draft_of(const struct config_binding *binding)
{
    return binding->user;
}

/* ---- values ---- */

void
connector_register_text(struct config_binding *binding,
                        const struct config_node *node, void *place)
{
    static const char *const kinds[] = { "var",  "secret",    "hook_url",
                                         "now",  "events",    "event",
                                         "id",   "generated", "random",
                                         "uuid", NULL };
    struct slice text;
    if (!connector_parse_scalar(binding, node, &text)) {
        return;
    }
    const struct template *t = connector_parse_template(
        binding, text, node, TEMPLATE_BARE_LITERAL, kinds, SIDE_REGISTER);
    memcpy(place, &t, sizeof(t));
}

/* The keys of a request are read as the list's, but for their places. */
static void
read_for_register(struct config_binding *binding,
                  const struct config_node *node, void *place,
                  config_parse_fn *parse)
{
    struct connector_draft *draft = draft_of(binding);
    draft->for_register = true;
    parse(binding, node, place);
    draft->for_register = false;
}

void
connector_register_query(struct config_binding *binding,
                         const struct config_node *node, void *place)
{
    read_for_register(binding, node, place, connector_poll_query);
}

void
connector_register_headers(struct config_binding *binding,
                           const struct config_node *node, void *place)
{
    read_for_register(binding, node, place, connector_poll_headers);
}

void
connector_register_form(struct config_binding *binding,
                        const struct config_node *node, void *place)
{
    read_for_register(binding, node, place, connector_poll_form);
}

void
connector_register_json(struct config_binding *binding,
                        const struct config_node *node, void *place)
{
    read_for_register(binding, node, place, connector_poll_json_body);
}

void
connector_register_graphql(struct config_binding *binding,
                           const struct config_node *node, void *place)
{
    read_for_register(binding, node, place, connector_poll_graphql);
}

void
connector_register_mark(struct body_node *node)
{
    if (node->text == NULL) {
        return;
    }
    node->is_events = !node->bare &&
                      slice_equal_text(template_source(node->text), "{events}");
    if (!template_names(node->text, "event")) {
        return;
    }
    /* a member under the key {event} is repeated as a whole already */
    struct body_node *at = node;
    while (at->parent != NULL && at->parent->kind != CONFIG_SEQUENCE &&
           !at->repeats) {
        at = at->parent;
    }
    at->repeats |= at->parent != NULL;
}

/* PATH: TEXT, for each hook of a list. */
static struct register_test *
parse_tests(struct config_binding *binding, const struct config_node *node,
            size_t *ret_count)
{
    *ret_count = 0;
    if (node->kind != CONFIG_MAPPING) {
        connector_parse_refuse(binding, node, "must be a mapping of paths");
        return NULL;
    }
    size_t count = 0;
    for (const struct config_node *at = node->children; at; at = at->next) {
        count++;
    }
    struct register_test *tests =
        arena_array(binding->arena, count + 1, sizeof(*tests));
    if (tests == NULL) {
        draft_of(binding)->nomem = true;
        return NULL;
    }
    for (const struct config_node *at = node->children; at; at = at->next) {
        struct register_test *test = &tests[*ret_count];
        test->path = connector_parse_json_path(binding, at->key, at);
        connector_register_text(binding, at, &test->value);
        *ret_count += test->path != NULL && test->value != NULL;
    }
    return tests;
}

void
connector_register_find(struct config_binding *binding,
                        const struct config_node *node, void *place)
{
    struct register_list *list =
        (void *)((char *)place - offsetof(struct register_list, find));
    list->find = parse_tests(binding, node, &list->find_count);
}

void
connector_register_want(struct config_binding *binding,
                        const struct config_node *node, void *place)
{
    struct register_list *list =
        (void *)((char *)place - offsetof(struct register_list, want));
    list->want = parse_tests(binding, node, &list->want_count);
}

/* ---- the tree ---- */

/* Returns the place of the child called `name`, or of the NULL at the end. */
static struct config_node **
place_of(struct config_node *mapping, const char *name)
{
    struct config_node **at = &mapping->children;
    while (*at != NULL && !slice_equal_text((*at)->key, name)) {
        at = &(*at)->next;
    }
    return at;
}

/* Copies the children of `mapping`, so that one of them can be replaced. */
static enum status
own_children(struct config_node *mapping, struct arena *arena)
{
    struct config_node **last = &mapping->children;
    for (const struct config_node *at = mapping->children; at != NULL;
         at = at->next) {
        struct config_node *copy = arena_array(arena, 1, sizeof(*copy));
        if (copy == NULL) {
            return STATUS_NOMEM;
        }
        *copy = *at;
        *last = copy;
        last = &copy->next;
    }
    return STATUS_OK;
}

/* `$.secret` is a path in the answer; anything else that is no mapping is words
 * for people. */
enum status
connector_register_tree(struct arena *arena, struct config_node *root)
{
    struct config_node **at = place_of(root, "register");
    if (*at == NULL || (*at)->kind != CONFIG_MAPPING) {
        return STATUS_OK;
    }
    struct config_node *section = arena_array(arena, 1, sizeof(*section));
    struct config_node *mapping = arena_array(arena, 1, sizeof(*mapping));
    if (section == NULL || mapping == NULL) {
        return STATUS_NOMEM;
    }
    *section = **at;
    enum status status = own_children(section, arena);
    struct config_node *said = *place_of(section, "secret");
    if (status != STATUS_OK || said == NULL || said->kind != CONFIG_SCALAR ||
        said->is_null) {
        return status;
    }
    *mapping = *said;
    mapping->key = slice_starts(said->text, slice_of("$")) ? slice_of("from")
                                                           : slice_of("words");
    mapping->next = NULL;
    said->kind = CONFIG_MAPPING;
    said->children = mapping;
    *at = section;
    return STATUS_OK;
}

/* ---- what follows ---- */

static bool
is_given(const struct request_spec *request)
{
    return request->url != NULL;
}

static bool
says(const struct connector_draft *draft, const char *section, const char *key)
{
    const char *const names[] = { "register", section, key };
    return connector_tree_node(draft, names, key == NULL ? 2 : 3) != NULL;
}

static void
refuse(struct config_binding *binding, struct connector_draft *draft,
       const char *key, const char *words)
{
    const char *const names[] = { "register", key };
    config_report_add(binding->report, CONFIG_ERROR,
                      connector_tree_mark(draft, names, 2), "%s", words);
}

static void
finish_secret(const struct connector_draft *draft, struct register_spec *spec)
{
    struct register_secret *secret = &spec->secret;
    const bool is_made = says(draft, "secret", "generate");
    if (!is_made && is_given(&secret->request)) {
        secret->by = SECRET_ASKED;
    } else if (!is_made && secret->from != NULL) {
        secret->by = SECRET_ANSWERED;
    } else if (is_made ||
               connector_request_names(&spec->create.request, "generated")) {
        secret->by = SECRET_OURS;
    }
}

/* Whose parameters are needed besides. */
struct sharing {
    struct config_binding *binding;
    struct config_node node;
};

static void
share_template(void *arg, const struct template *t)
{
    struct sharing *sharing = arg;
    connector_parse_note_uses(sharing->binding, t, &sharing->node,
                              SIDE_REGISTER);
}

/* Whatever proves us to the list proves us here, where nothing else is said;
 * so its parameters are needed for this. */
static void
finish_auth(struct config_binding *binding, struct connector_draft *draft)
{
    struct register_spec *spec = &draft->c.registration;
    struct config_node node = { .kind = CONFIG_SCALAR,
                                .text = SLICE("{secret:api_key}"),
                                .key = SLICE("auth"),
                                .mark = draft->c.mark };
    struct auth_spec *auth = spec->auth;
    if (auth == NULL) {
        struct sharing sharing = { binding, node };
        connector_auth_each(&draft->c.poll.auth, share_template, &sharing);
    }
    if (auth == NULL || auth->type == AUTH_NONE) {
        return;
    }
    if (auth->type == AUTH_BASIC && auth->user == NULL) {
        connector_register_text(binding, &node, &auth->user);
    } else if (auth->type != AUTH_BASIC && auth->value == NULL) {
        connector_register_text(binding, &node, &auth->value);
    }
    if ((auth->type == AUTH_HEADER || auth->type == AUTH_QUERY) &&
        !http_field_name_valid(auth->name)) {
        refuse(binding, draft, "auth", "'auth' needs a 'name'");
    }
}

static void
check_list(struct config_binding *binding, struct connector_draft *draft)
{
    const struct register_spec *spec = &draft->c.registration;
    if (!is_given(&spec->list.request)) {
        return;
    }
    if (spec->list.find_count == 0) {
        refuse(binding, draft, "list",
               "'list' needs 'find', which tells our hook from others: {url: "
               "\"{hook_url}\"}");
    }
    if (spec->list.id == NULL &&
        (connector_request_names(&spec->update.request, "id") ||
         connector_request_names(&spec->remove.request, "id"))) {
        refuse(binding, draft, "list",
               "'list' needs 'id', which other requests name");
    }
}

static void
check(struct config_binding *binding, struct connector_draft *draft)
{
    const struct register_spec *spec = &draft->c.registration;
    const bool wants_create =
        is_given(&spec->list.request) || is_given(&spec->update.request) ||
        is_given(&spec->remove.request) || spec->renew_every_ms > 0;
    if (wants_create && !is_given(&spec->create.request)) {
        refuse(binding, draft, "create",
               "'register' needs 'create', the request that makes a hook");
    }
    if (spec->secret.by == SECRET_ASKED && spec->secret.from == NULL) {
        refuse(binding, draft, "secret",
               "'secret' needs 'from', where the answer has it");
    }
    if (is_given(&spec->create.request) && spec->secret.by == SECRET_OURS &&
        !connector_request_names(&spec->create.request, "generated")) {
        refuse(binding, draft, "secret",
               "a secret of ours has to be sent: name {generated} in "
               "'create'");
    }
    check_list(binding, draft);
}

void
connector_register_finish(struct config_binding *binding,
                          struct connector_draft *draft)
{
    struct register_spec *spec = &draft->c.registration;
    spec->declared = is_given(&spec->create.request);
    spec->all_events = spec->events.count == 0 && says(draft, "events", NULL);
    if (spec->declared) {
        finish_auth(binding, draft);
        finish_secret(draft, spec);
    }
    check(binding, draft);
}
