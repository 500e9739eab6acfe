/* SPDX-License-Identifier: MIT */
/* The section `stream`: its values, its tree, and the rules that span its
 * keys. */
#include "model/connector_stream.h"

#include "model/connector_draft.h"
#include "wire/url.h"

/* ---- values ---- */

static void
read_for_stream(struct config_binding *binding, const struct config_node *node,
                void *place, config_parse_fn *parse)
{
    struct connector_draft *draft = binding->user;
    draft->for_stream = true;
    parse(binding, node, place);
    draft->for_stream = false;
}

void
connector_stream_text(struct config_binding *binding,
                      const struct config_node *node, void *place)
{
    read_for_stream(binding, node, place, connector_parse_request_text);
}

void
connector_stream_query(struct config_binding *binding,
                       const struct config_node *node, void *place)
{
    read_for_stream(binding, node, place, connector_poll_query);
}

void
connector_stream_headers(struct config_binding *binding,
                         const struct config_node *node, void *place)
{
    read_for_stream(binding, node, place, connector_poll_headers);
}

/* ---- the tree ---- */

enum status
connector_stream_tree(struct config_binding *binding,
                      const struct connector_env *env, struct config_node *root)
{
    struct config_node *merged = NULL;
    const struct config_node *own = config_node_child(root, "stream");
    const struct config_node *use =
        own == NULL ? NULL : config_node_child(own, "use");
    if (use == NULL) {
        return STATUS_OK;
    }
    const struct config_node *other = NULL;
    enum status status =
        connector_tree_used(binding, env, use, "stream", &other);
    if (status != STATUS_OK) {
        return status;
    }
    const struct config_node *under = config_node_child(other, "stream");
    const struct config_node *again = config_node_child(under, "use");
    if (again != NULL) {
        config_report_add(binding->report, CONFIG_ERROR, again->key_mark,
                          "the 'stream' of a file that is used cannot use "
                          "another");
        return STATUS_NOT_FOUND;
    }
    status = config_node_merge(under, own, binding->arena, &merged);
    return status == STATUS_OK
               ? connector_tree_put(root, merged, binding->arena)
               : status;
}

/* ---- rules ---- */

static void
refuse(struct config_binding *binding, const struct connector_draft *draft,
       const char *section, const char *key, const char *words)
{
    const char *const names[] = { section, key };
    config_report_add(binding->report, CONFIG_ERROR,
                      connector_tree_mark(draft, names, key == NULL ? 1 : 2),
                      "%s", words);
}

bool
connector_stream_is_unsigned(const struct connector *c)
{
    for (size_t i = 0; i < c->verify_count; i++) {
        if (c->verify[i].type == VERIFY_NONE) {
            return true;
        }
    }
    return false;
}

bool
connector_has_route(const struct connector *c, bool is_listening)
{
    return c->has_webhook && (is_listening || !c->has_stream);
}

static void
check_auth(struct config_binding *binding, const struct connector_draft *draft)
{
    const struct auth_spec *auth =
        draft->c.stream == NULL ? NULL : &draft->c.stream->auth;
    if (auth == NULL || auth->type == AUTH_NONE) {
        return;
    }
    const bool is_named = auth->type == AUTH_HEADER || auth->type == AUTH_QUERY;
    if (auth->type == AUTH_BASIC ? auth->user == NULL : auth->value == NULL) {
        refuse(binding, draft, "stream", "auth",
               "a relay's credential is not the provider's: 'auth' needs "
               "'value' (for basic 'user'), such as \"{secret:relay_token}\"");
    }
    if (is_named && auth->name.len == 0) {
        refuse(binding, draft, "stream", "auth", "'auth' needs 'name'");
    }
}

static bool
is_loopback(struct slice host)
{
    static const char *const names[] = { "localhost", "127.0.0.1", "[::1]" };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (slice_equal_nocase(host, slice_of(names[i]))) {
            return true;
        }
    }
    return false;
}

/* template_lookup_fn: parameters are all that a stream's URL may name. */
static enum status
look_up(void *arg, const struct template_ref *ref, struct arena *arena,
        struct slice *ret_value)
{
    const struct connector_param *param = connector_param_find(arg, ref->name);
    (void)arena;
    if (param == NULL || param->count == 0) {
        return STATUS_NOT_FOUND;
    }
    *ret_value = param->values[0];
    return STATUS_OK;
}

/* Where nothing signs what comes, the way it comes has to vouch for it. */
static void
check_url(struct config_binding *binding, struct connector_draft *draft,
          bool is_unsigned)
{
    const struct connector *c = &draft->c;
    const struct template_scope scope = { .lookup = look_up, .arg = &draft->c };
    struct slice text;
    struct url url;
    struct error err = { "" };
    enum status status = template_eval(c->stream->request.url, &scope,
                                       binding->arena, &text, NULL);
    if (status == STATUS_OK) {
        status = url_parse(text, &url, &err);
    }
    if (status == STATUS_NOMEM) {
        draft->nomem = true;
        return;
    }
    if (status != STATUS_OK) {
        if (status != STATUS_NOT_FOUND) { /* what is missing is told */
            refuse(binding, draft, "stream", "url", error_text(&err, status));
        }
        return;
    }
    if (is_unsigned && !is_loopback(url.host) &&
        (!slice_equal_nocase(url.scheme, slice_of("https")) ||
         c->stream->auth.type == AUTH_NONE)) {
        refuse(binding, draft, "stream", "url",
               "nothing signs what comes (verify: {type: none}): the stream "
               "must be at https and need 'auth', or be on this machine");
    }
}

void
connector_stream_check(struct config_binding *binding,
                       struct connector_draft *draft)
{
    const struct connector *c = &draft->c;
    const bool is_unsigned = connector_stream_is_unsigned(c);
    const bool has_url = c->stream != NULL && c->stream->request.url != NULL;
    if (c->stream != NULL && !has_url) {
        refuse(binding, draft, "stream", NULL, "'stream' needs 'url'");
    }
    if (is_unsigned && !has_url) {
        refuse(binding, draft, "verify", NULL,
               "'type: none' is for streams only: whoever finds the route of "
               "a webhook could send anything");
    }
    if (is_unsigned && c->verify_count > 1) {
        refuse(binding, draft, "verify", NULL,
               "'type: none' stands alone: beside it nothing else counts");
    }
    if (!has_url || !c->has_stream) {
        return;
    }
    const size_t errors = binding->report->errors;
    check_auth(binding, draft);
    if (binding->report->errors == errors) {
        check_url(binding, draft, is_unsigned);
    }
}
