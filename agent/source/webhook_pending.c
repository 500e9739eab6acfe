/* SPDX-License-Identifier: MIT */
#include "source/webhook_pending.h"

#include "base/log.h"
#include "io/kept.h"
#include "model/registration.h"
#include "model/scope.h"
#include "wire/encode.h"

/* A secret is one line; what a stranger sends may be anything. */
enum { SECRET_MAX = 512 };

enum phase { PHASE_NONE, PHASE_MAKING, PHASE_LEAVING };

/* What `subscribe` has begun and the provider may still ask about. Reads a
 * small file. */
static enum phase
phase_of(const char *secrets, const struct connector *connector, int64_t now_ms)
{
    struct registration_note note = { 0 };
    struct arena arena = { 0 };
    struct buf text = { 0 };
    if (secrets == NULL) {
        return PHASE_NONE;
    }
    enum status status = kept_read(secrets, connector->name,
                                   slice_of(REGISTRATION_NOTE), &text, NULL);
    if (status == STATUS_OK) {
        status = registration_note_read(buf_slice(&text), &arena, &note);
    }
    const int64_t age_ms = now_ms - note.at_ms;
    const bool is_on = status == STATUS_OK && note.is_there &&
                       slice_equal(note.url, connector->public_url) &&
                       age_ms >= 0 &&
                       age_ms < connector->registration.pending_ms;
    buf_fini(&text);
    arena_fini(&arena);
    return !is_on ? PHASE_NONE : note.is_leaving ? PHASE_LEAVING : PHASE_MAKING;
}

bool
webhook_pending_is_open(const char *secrets, const struct connector *connector,
                        int64_t now_ms)
{
    return phase_of(secrets, connector, now_ms) != PHASE_NONE;
}

/* Whether all pairs are equal; an absent place equals nothing. */
static bool
asserts_hold(const struct scope *scope, const struct handshake *shake,
             struct arena *arena)
{
    for (size_t i = 0; i < shake->assert_count; i++) {
        struct slice left;
        struct slice right;
        if (scope_eval(scope, shake->asserts[i][0], arena, &left, NULL) !=
                STATUS_OK ||
            scope_eval(scope, shake->asserts[i][1], arena, &right, NULL) !=
                STATUS_OK ||
            !encode_same_secret(left, right)) {
            return false;
        }
    }
    return true;
}

static bool
is_secret(struct slice text)
{
    if (text.len == 0 || text.len > SECRET_MAX) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] <= ' ' || text.ptr[i] > '~') {
            return false;
        }
    }
    return true;
}

enum kept_secret { KEPT_NONE, KEPT_SAME, KEPT_OTHER };

/* Which secret there is already: the newest of those that are kept, or one of
 * the configuration. */
static enum kept_secret
look_for_secret(const char *secrets, const struct connector *connector,
                struct slice brought)
{
    struct buf text = { 0 };
    enum kept_secret found = KEPT_OTHER;
    enum status status = kept_read(secrets, connector->name,
                                   slice_of(REGISTRATION_SECRET), &text, NULL);
    if (status == STATUS_NOT_FOUND && !connector->has_webhook) {
        found = KEPT_NONE;
    } else if (status == STATUS_OK) {
        struct slice newest = buf_slice(&text);
        newest = slice_trim(slice_first(newest, slice_find(newest, '\n')));
        found = encode_same_secret(newest, brought) ? KEPT_SAME : KEPT_OTHER;
    }
    mem_wipe(text.ptr, text.len);
    buf_fini(&text);
    return found;
}

static enum webhook_pending_verdict
keep_secret(const char *secrets, const struct scope *scope,
            const struct handshake *shake, struct arena *arena)
{
    const struct connector *connector = scope->connector;
    struct slice text;
    struct error err = { 0 };
    if (scope_eval(scope, shake->store_secret, arena, &text, NULL) !=
            STATUS_OK ||
        !is_secret(text)) {
        return PENDING_REFUSED;
    }
    const enum kept_secret found = look_for_secret(secrets, connector, text);
    if (found != KEPT_NONE) {
        /* who has not heard our answer says it once more */
        return found == KEPT_SAME ? PENDING_ANSWER : PENDING_REFUSED;
    }
    enum status status = kept_write(secrets, connector->name,
                                    slice_of(REGISTRATION_SECRET), text, &err);
    if (status != STATUS_OK) {
        LOG(LOG_ERROR, "the provider's secret could not be kept",
            log_slice("connector", connector->name),
            log_text("why", error_text(&err, status)));
        return PENDING_FAILED;
    }
    LOG(LOG_INFO, "the provider's secret is kept: restart the agent to use it",
        log_slice("connector", connector->name));
    return PENDING_ANSWER;
}

enum webhook_pending_verdict
webhook_pending_judge(const char *secrets, const struct connector *connector,
                      const struct inbound *request, int64_t now_ms,
                      struct arena *arena, const struct handshake **ret_shake)
{
    const struct scope scope = { .connector = connector, .request = request };
    const struct handshake *shake = verify_handshake(connector, request, arena);
    if (shake == NULL ||
        !(shake->pending || shake->leaving || shake->store_secret != NULL)) {
        return PENDING_OTHER;
    }
    *ret_shake = shake;
    const enum phase phase = shake->leaving ? PHASE_LEAVING : PHASE_MAKING;
    if (phase_of(secrets, connector, now_ms) != phase ||
        !asserts_hold(&scope, shake, arena)) {
        return PENDING_REFUSED;
    }
    return shake->store_secret == NULL
               ? PENDING_ANSWER
               : keep_secret(secrets, &scope, shake, arena);
}
