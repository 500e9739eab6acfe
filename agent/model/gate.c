/* SPDX-License-Identifier: MIT */
#include "model/gate.h"

#include "base/instant.h"
#include "model/answer.h"
#include "model/request_private.h"
#include "model/scope.h"
#include "wire/json.h"

enum status
gate_read(const struct connector *connector, unsigned status,
          struct http_fields fields, struct slice body,
          enum gate_verdict *ret_verdict, int64_t *ret_wait_ms)
{
    const struct gate_spec *gate = &connector->poll.gate;
    const struct inbound answer = { .fields = fields,
                                    .body = body,
                                    .body_is_json = true };
    const struct scope scope = { .connector = connector,
                                 .request = &answer,
                                 .item = body };
    const struct answer_view view = { .fields = fields, .body = body };
    struct arena scratch = { 0 };
    struct slice text;
    bool goes = false;
    *ret_verdict = GATE_BROKEN;
    *ret_wait_ms = 0;
    if (status < 200 || status > 299 ||
        json_check(body, JSON_DEPTH_DEFAULT, NULL) != STATUS_OK) {
        return STATUS_OK;
    }
    enum status result =
        scope_conditions(&scope, &gate->go_when, &scratch, &goes);
    if (result == STATUS_OK) {
        *ret_verdict = goes ? GATE_GO : GATE_STAY;
        result = answer_text(gate->backoff, &view, &scratch, &text);
    }
    if (result == STATUS_OK &&
        http_field_retry_after(text, 0, INSTANT_HOUR_MS, ret_wait_ms) !=
            STATUS_OK) {
        *ret_wait_ms = 0;
    }
    arena_fini(&scratch);
    return result == STATUS_NOMEM ? result : STATUS_OK;
}

enum status
gate_request(const struct connector *connector, const struct walk_state *state,
             struct arena *arena, struct rendered_request *ret_request,
             struct error *err)
{
    static const struct auth_spec no_auth = { .type = AUTH_NONE };
    const struct gate_spec *gate = &connector->poll.gate;
    struct rendering r = { .connector = connector,
                           .auth = gate->auth == GATE_AUTH_NONE
                                       ? &no_auth
                                       : &connector->poll.auth,
                           .state = state,
                           .arena = arena,
                           .err = err };
    struct rendered_request request = { .method = gate->request.method };
    struct buf url = { 0 };
    r.scope = (struct template_scope){ .lookup = request_look_up, .arg = &r };
    enum status status = request_url(&r, gate->request.url, &url);
    if (status == STATUS_OK) {
        status = request_add_query(&r, &gate->request, &url);
    }
    if (status == STATUS_OK) {
        status = request_add_auth_query(&r, &url);
    }
    if (status != STATUS_OK) {
        buf_fini(&url);
        return status;
    }
    status = request_fill(&r, &gate->request, &url, &request);
    request.fields = (struct http_fields){ r.fields, r.field_count };
    *ret_request = request;
    return status;
}
