/* SPDX-License-Identifier: MIT */
#include "flow/intake.h"

#include "model/extract.h"
#include "model/identity.h"
#include "model/verify.h"
#include "wire/json.h"

/* Text bodies are looked at too: SNS sends JSON as text/plain. */
static bool
may_be_json(struct slice body)
{
    struct slice text = slice_trim(body);
    return text.len > 0 && (text.ptr[0] == '{' || text.ptr[0] == '[');
}

static enum status
keep_why(struct arrival *arrival, const char *why, struct verdict *verdict)
{
    return arena_copy(&arrival->arena, slice_of(why), &verdict->why);
}

static enum status
give_answer(struct arrival *arrival, const struct answer_spec *spec,
            struct verdict *verdict)
{
    verdict->answer = spec;
    enum status status =
        verify_answer(arrival->connector, spec, &arrival->request,
                      &arrival->arena, &verdict->body);
    if (status == STATUS_NOT_FOUND) {
        verdict->kind = VERDICT_INVALID;
        return keep_why(arrival, "a place of the answer is not in the request",
                        verdict);
    }
    return status == STATUS_OK
               ? verify_answer_fields(arrival->connector, spec,
                                      &arrival->request, &arrival->arena,
                                      &verdict->fields)
               : status;
}

/* OPTIONS brings no event: what no handshake is for is only told that somebody
 * is here. */
static enum status
greet(struct arrival *arrival, struct verdict *verdict)
{
    static const struct answer_spec plain = { .status = 204 };
    return give_answer(arrival, &plain, verdict);
}

static enum status
refuse(struct arrival *arrival, const struct verify_result *result,
       struct verdict *verdict)
{
    verdict->kind =
        result->verdict == VERIFY_STALE ? VERDICT_STALE : VERDICT_FORGED;
    return keep_why(arrival, result->why, verdict);
}

/* A key below the ledger's floor may be gone already: the webhook is keyed by
 * its receipt, for a duplicate is better than a loss. */
static enum status
lift_over_floor(struct arrival *arrival, int64_t floor_ms)
{
    for (size_t i = 0; i < arrival->sighting_count; i++) {
        enum status status = identity_below_floor(arrival->connector, floor_ms,
                                                  &arrival->sightings[i]);
        if (status != STATUS_OK) {
            return status;
        }
    }
    return STATUS_OK;
}

static enum status
take_events(struct arrival *arrival, const struct verify_rule *rule,
            int64_t now_ms, int64_t floor_ms, struct verdict *verdict)
{
    struct extracted events;
    struct error err = { 0 };
    enum status status =
        extract_request(arrival->connector, &arrival->request, rule, now_ms,
                        &arrival->arena, &events, &err);
    if (status == STATUS_INVALID) {
        verdict->kind = VERDICT_INVALID;
        return keep_why(arrival, err.text, verdict);
    }
    if (status != STATUS_OK) {
        return status;
    }
    arrival->sightings = events.at;
    arrival->sighting_count = events.count;
    return lift_over_floor(arrival, floor_ms);
}

/*
 * Some senders sign what they compress, others what they send: both are the
 * provider's bytes and both need its secret, so either may prove the request.
 */
static enum status
verify(struct arrival *arrival, const struct verify_found *found,
       int64_t now_ms, struct verify_result *result)
{
    enum status status = verify_request(arrival->connector, &arrival->request,
                                        found, now_ms, &arrival->arena, result);
    if (status != STATUS_OK || result->verdict != VERIFY_FORGED ||
        arrival->coded_body.len == 0) {
        return status;
    }
    struct inbound coded = arrival->request;
    coded.body = arrival->coded_body;
    coded.body_is_json = false;
    return verify_request(arrival->connector, &coded, found, now_ms,
                          &arrival->arena, result);
}

/* Says which URL a genuine handshake asks us to fetch, if any. */
static enum status
want_confirmation(struct arrival *arrival, const struct handshake *handshake,
                  struct verdict *verdict, struct intake_want *want)
{
    struct error err = { "" };
    enum status status =
        verify_confirm(arrival->connector, handshake, &arrival->request,
                       &arrival->arena, &want->url, &err);
    if (status == STATUS_DENIED || status == STATUS_NOT_FOUND) {
        verdict->kind = VERDICT_INVALID;
        return keep_why(arrival, err.text, verdict);
    }
    if (status == STATUS_OK && want->url.len > 0) {
        want->kind = WANT_CONFIRMATION;
    }
    return status;
}

enum status
intake_judge(struct arrival *arrival, const struct verify_found *found,
             int64_t now_ms, int64_t floor_ms, struct verdict *ret_verdict,
             struct intake_want *ret_want)
{
    const struct connector *connector = arrival->connector;
    struct inbound *request = &arrival->request;
    struct verify_result result;
    *ret_verdict = (struct verdict){ .kind = VERDICT_ANSWER };
    *ret_want = (struct intake_want){ .kind = WANT_NOTHING };
    request->body_is_json =
        may_be_json(request->body) &&
        json_check(request->body, JSON_DEPTH_DEFAULT, NULL) == STATUS_OK;
    const struct handshake *handshake =
        verify_handshake(connector, request, &arrival->arena);
    if (handshake != NULL && !handshake->verify) {
        return give_answer(arrival, &handshake->respond, ret_verdict);
    }
    if (handshake == NULL && slice_equal_text(request->method, "OPTIONS")) {
        return greet(arrival, ret_verdict);
    }
    enum status status = verify(arrival, found, now_ms, &result);
    if (status != STATUS_OK) {
        return status;
    }
    if (result.verdict == VERIFY_WANTS_KEY) {
        ret_verdict->kind = VERDICT_BUSY;
        ret_want->kind = WANT_KEY;
        ret_want->key = result.want;
        return STATUS_OK;
    }
    if (result.verdict != VERIFY_GENUINE) {
        return refuse(arrival, &result, ret_verdict);
    }
    if (handshake != NULL) {
        status = want_confirmation(arrival, handshake, ret_verdict, ret_want);
        return status != STATUS_OK || ret_verdict->kind != VERDICT_ANSWER
                   ? status
                   : give_answer(arrival, &handshake->respond, ret_verdict);
    }
    ret_verdict->kind = VERDICT_STORED;
    ret_verdict->signal = connector->event.mode == EVENT_SIGNAL;
    status = give_answer(arrival, &connector->ack, ret_verdict);
    if (status != STATUS_OK || ret_verdict->kind != VERDICT_STORED ||
        ret_verdict->signal) {
        return status;
    }
    return take_events(arrival, result.rule, now_ms, floor_ms, ret_verdict);
}
