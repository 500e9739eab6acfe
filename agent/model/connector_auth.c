/* SPDX-License-Identifier: MIT */
/* `poll.auth`: its values, what follows from them, and its rules. */
#include "model/connector_draft.h"

void
connector_auth_params(struct config_binding *binding,
                      const struct config_node *node, void *place)
{
    struct oauth_spec *oauth =
        (void *)((char *)place - offsetof(struct oauth_spec, params));
    oauth->params = connector_parse_pairs(binding, node, &oauth->param_count);
}

void
connector_auth_each(const struct auth_spec *auth,
                    void (*note)(void *arg, const struct template *t),
                    void *arg)
{
    const struct oauth_spec *oauth = &auth->oauth;
    const struct template *const all[] = {
        auth->value,      auth->user,           auth->password,
        oauth->token_url, oauth->client_id,     oauth->client_secret,
        oauth->scope,     oauth->refresh_token, oauth->account_id,
    };
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if (all[i] != NULL) {
            note(arg, all[i]);
        }
    }
    for (size_t i = 0; i < oauth->param_count; i++) {
        note(arg, oauth->params[i].value);
    }
}

/* Where the file says nothing, the usual parameter. */
static void
assume(struct config_binding *binding, const char *text,
       const struct template **place)
{
    const struct connector_draft *draft = binding->user;
    const struct config_node node = { .kind = CONFIG_SCALAR,
                                      .text = slice_of(text),
                                      .key = SLICE("auth"),
                                      .mark = draft->c.mark };
    if (*place == NULL) {
        *place = connector_parse_template(
            binding, node.text, &node, TEMPLATE_BARE_LITERAL,
            connector_request_kinds, SIDE_REQUEST);
    }
}

static void
finish_oauth(struct config_binding *binding, struct oauth_spec *oauth)
{
    assume(binding, "{var:client_id}", &oauth->client_id);
    if (oauth->client_auth != CLIENT_PUBLIC) {
        assume(binding, "{secret:client_secret}", &oauth->client_secret);
    }
    if (oauth->grant == GRANT_REFRESH_TOKEN) {
        assume(binding, "{secret:refresh_token}", &oauth->refresh_token);
    } else if (oauth->grant == GRANT_ACCOUNT_CREDENTIALS) {
        assume(binding, "{var:account_id}", &oauth->account_id);
    }
}

void
connector_auth_finish(struct config_binding *binding,
                      struct connector_draft *draft)
{
    static const char key[] = "{secret:api_key}";
    struct auth_spec *auth = &draft->c.poll.auth;
    switch (auth->type) {
    case AUTH_NONE: break;
    case AUTH_BEARER:
    case AUTH_HEADER:
    case AUTH_QUERY: assume(binding, key, &auth->value); break;
    case AUTH_BASIC: assume(binding, key, &auth->user); break;
    case AUTH_OAUTH2: finish_oauth(binding, &auth->oauth); break;
    }
}

static void
refuse(struct config_binding *binding, struct connector_draft *draft,
       const char *words)
{
    const char *const names[] = { "poll", "auth" };
    config_report_add(binding->report, CONFIG_ERROR,
                      connector_tree_mark(draft, names, 2), "%s", words);
}

void
connector_auth_check(struct config_binding *binding,
                     struct connector_draft *draft)
{
    const struct auth_spec *auth = &draft->c.poll.auth;
    const bool named = auth->type == AUTH_HEADER || auth->type == AUTH_QUERY;
    if (named && auth->name.len == 0) {
        refuse(binding, draft, "'auth' needs a 'name'");
    } else if (auth->type == AUTH_HEADER &&
               !http_field_name_valid(auth->name)) {
        refuse(binding, draft, "'name' is no name of a field");
    }
    if (auth->type == AUTH_OAUTH2 && auth->oauth.token_url == NULL) {
        refuse(binding, draft,
               "'auth' needs a 'token_url': where are tokens asked for?");
    } else if (auth->type != AUTH_OAUTH2 && auth->oauth.token_url != NULL) {
        refuse(binding, draft, "'token_url' belongs to 'type: oauth2'");
    }
}
