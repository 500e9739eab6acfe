/* SPDX-License-Identifier: MIT */
/*
 * webhook_pending: handshakes that are answered only while a registration is
 * under way: a provider that brings its secret so (Asana's X-Hook-Secret), or
 * asks whether we meant it (WebSub §5.3, verification of intent).
 *
 * Under way is what `subscribe` has noted beside the store, for as long as
 * `register.pending` says. A secret is taken once: where one is kept, no other
 * is, and the same one is answered again.
 */
#ifndef SOURCE_WEBHOOK_PENDING_H
#define SOURCE_WEBHOOK_PENDING_H

#include "base/mem.h"
#include "base/status.h"
#include "model/connector.h"
#include "model/verify.h"

#include <stdbool.h>
#include <stdint.h>

enum webhook_pending_verdict {
    PENDING_OTHER,   /* it is no such handshake */
    PENDING_ANSWER,  /* as `respond` says */
    PENDING_REFUSED, /* nobody asked for it: as if there were no route */
    PENDING_FAILED   /* the secret could not be kept: later */
};

/* Whether a registration of `connector` is under way. Reads a small file. */
bool webhook_pending_is_open(const char *secrets,
                             const struct connector *connector, int64_t now_ms);

/* Judges a request, and keeps the secret that it brings. */
enum webhook_pending_verdict
webhook_pending_judge(const char *secrets, const struct connector *connector,
                      const struct inbound *request, int64_t now_ms,
                      struct arena *arena, const struct handshake **ret_shake);

#endif
