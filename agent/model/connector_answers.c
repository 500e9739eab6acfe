/* SPDX-License-Identifier: MIT */
/* The rules of what we answer: ack, reject, handshakes. */
#include "model/connector_draft.h"

static void
refuse(struct config_binding *binding, struct connector_draft *draft,
       const char *section, const char *key, const char *words)
{
    const char *const names[] = { section, key };
    config_report_add(binding->report, CONFIG_ERROR,
                      connector_tree_mark(draft, names, key == NULL ? 1 : 2),
                      "%s", words);
}

static bool
signs(const struct answer_spec *answer)
{
    bool signs = template_signs(answer->body);
    for (size_t i = 0; i < answer->piece_count; i++) {
        signs = signs || template_signs(answer->pieces[i].place);
    }
    for (size_t i = 0; i < answer->field_count; i++) {
        signs = signs || template_signs(answer->field_values[i]);
    }
    return signs;
}

/* Some providers want it so (a challenge that is answered with its HMAC, and
 * not signed itself), so it is no mistake. */
static void
warn_of_oracle(struct config_binding *binding, struct connector_draft *draft,
               const struct handshake *shake)
{
    static const char *const names[] = { "handshake" };
    if (!shake->verify && !shake->pending && !shake->leaving &&
        signs(&shake->respond)) {
        config_report_add(
            binding->report, CONFIG_WARNING,
            connector_tree_mark(draft, names, 1),
            "anybody can have a text of his own signed with the webhook "
            "secret, since this handshake is not verified: say 'verify: true' "
            "where the provider signs it, else see that nothing that is "
            "signed so passes for a webhook");
    }
}

static void
check_handshake(struct config_binding *binding, struct connector_draft *draft,
                const struct handshake *shake)
{
    const struct confirm_spec *confirm = &shake->confirm;
    if (shake->when.count == 0) {
        refuse(binding, draft, "handshake", NULL,
               "a 'handshake' needs 'when': else nothing is an event");
    }
    if ((confirm->url != NULL) != (confirm->allow != NULL)) {
        refuse(binding, draft, "handshake", NULL,
               "a handshake's 'request' needs 'url' and 'allow': which "
               "URLs may it have?");
    }
    if (confirm->url != NULL && !shake->verify) {
        refuse(binding, draft, "handshake", NULL,
               "a handshake with a 'request' must be verified: else "
               "anybody can have us fetch");
    }
    warn_of_oracle(binding, draft, shake);
}

void
connector_answers_check(struct config_binding *binding,
                        struct connector_draft *draft)
{
    const struct connector *c = &draft->c;
    if (c->ack.status < 200 || c->ack.status > 299) {
        refuse(binding, draft, "ack", "status", "an 'ack' is a 2xx");
    }
    if (c->reject.status < 400 || c->reject.status > 499 ||
        c->reject.status == 410) {
        refuse(binding, draft, "reject", "status",
               "a 'reject' is a 4xx, and never 410: that ends the "
               "subscription");
    }
    for (size_t i = 0; i < c->handshake_count; i++) {
        check_handshake(binding, draft, &c->handshakes[i]);
    }
}
