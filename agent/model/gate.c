/* SPDX-License-Identifier: MIT */
#include "model/gate.h"

#include "base/instant.h"
#include "model/answer.h"
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

/* So many calls in vain, and walks come by the clock until one of them brings
 * something. */
#define VAIN_MAX 5

bool
gate_may_call(unsigned vain, int64_t *ret_apart_ms)
{
    *ret_apart_ms =
        vain == 0 || vain >= VAIN_MAX ? 0 : INSTANT_SECOND_MS << (vain - 1);
    return vain < VAIN_MAX;
}

enum status
gate_request(const struct connector *connector, const struct walk_state *state,
             struct arena *arena, struct rendered_request *ret_request,
             struct error *err)
{
    static const struct auth_spec no_auth = { .type = AUTH_NONE };
    const struct gate_spec *gate = &connector->poll.gate;
    const struct auth_spec *auth =
        gate->auth == GATE_AUTH_NONE ? &no_auth : &connector->poll.auth;
    return request_beside(connector, &gate->request, auth, state, arena,
                          ret_request, err);
}
