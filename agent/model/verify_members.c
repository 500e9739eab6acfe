/* SPDX-License-Identifier: MIT */
/* Bodies whose members are signed, and not their bytes. */
#include "model/verify_private.h"
#include "wire/json.h"

/* Looks for a place of the text that the body names twice. Where the body is
 * in the text too, nobody can have put a member in. */
static enum status
check_text(struct trial *trial, const struct template *t)
{
    if (template_names(t, "body")) {
        return STATUS_OK;
    }
    const struct inbound *request = trial->scope.request;
    const struct template_ref *ref;
    for (size_t i = 0; (ref = template_ref_at(t, SIZE_MAX, i)) != NULL; i++) {
        const bool is_item = slice_equal_text(ref->kind, "item");
        const bool is_json = slice_equal_text(ref->kind, "json");
        const struct slice text = is_item ? trial->scope.item : request->body;
        if (ref->path != NULL && (is_item || is_json) &&
            request->body_is_json && text.len > 0 &&
            json_path_is_doubled(ref->path, text)) {
            return verify_refuse(trial, json_path_source(ref->path),
                                 " is there twice, and signed once");
        }
    }
    return STATUS_OK;
}

enum status
verify_members(struct trial *trial)
{
    const struct verify_rule *rule = trial->rule;
    enum status status = STATUS_OK;
    for (size_t i = 0; i < rule->signed_count && status == STATUS_OK; i++) {
        status = check_text(trial, rule->signed_texts[i]);
    }
    return status;
}
