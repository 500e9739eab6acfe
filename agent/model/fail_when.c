/* SPDX-License-Identifier: MIT */
#include "model/fail_when.h"

#include "model/scope.h"

enum status
fail_when_says(const struct connector *connector, struct slice body,
               struct http_fields fields, struct arena *arena,
               struct error *err)
{
    const struct conditions *when = &connector->poll.fail_when;
    const struct inbound answer = { .fields = fields,
                                    .body = body,
                                    .body_is_json = true };
    const struct scope scope = { .connector = connector,
                                 .request = &answer,
                                 .item = body };
    for (size_t i = 0; i < when->count; i++) {
        const struct conditions one = { &when->at[i], 1 };
        bool failed = false;
        enum status status = scope_conditions(&scope, &one, arena, &failed);
        if (status != STATUS_OK) {
            return error_set(err, status, "%s", status_text(status));
        }
        if (failed) {
            const struct slice x = template_source(when->at[i].x);
            return error_set(err, STATUS_PROTOCOL,
                             "the answer says that it failed: '%.*s'",
                             SLICE_ARG(x));
        }
    }
    return STATUS_OK;
}
