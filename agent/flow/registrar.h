/* SPDX-License-Identifier: MIT */
/*
 * registrar: looks after the hooks that `subscribe` has registered, as long as
 * the agent runs: renews those that end by themselves, and tells when one is
 * gone, was switched off or is for other events.
 *
 * It asks only where a note is kept that `subscribe` made one, and changes
 * nothing at the provider but by renewing.
 */
#ifndef FLOW_REGISTRAR_H
#define FLOW_REGISTRAR_H

#include "base/status.h"
#include "flow/telemetry.h"
#include "model/connector.h"

struct access;
struct loop;
struct registrar;

struct registrar_settings {
    struct loop *loop;
    struct access *access;
    const struct connector *connectors;
    size_t connector_count;
    const char *secrets; /* the directory of io/kept */
    const struct telemetry *telemetry;
};

/* Borrows what the settings point to, and begins to look soon. */
NODISCARD
enum status registrar_create(const struct registrar_settings *settings,
                             struct registrar **ret);

/* Begins nothing more; what runs may end. NULL is allowed here and below. */
void registrar_stop(struct registrar *registrar);
bool registrar_is_busy(const struct registrar *registrar);

/* Cuts off what runs; a renewal may have been done. NULL is allowed. */
void registrar_destroy(struct registrar *registrar);

#endif
