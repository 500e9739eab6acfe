/* SPDX-License-Identifier: MIT */
/*
 * handler_broker: hands deliveries to a broker through its plugin; what waits
 * goes as one batch, and each is done by the broker's acknowledgement alone.
 *
 * A thread of its own talks to the broker, so the loop is never held. A broker
 * that is not there, or goes away, costs a try at connecting and then a pause
 * that grows, with everything that waits in it; nothing is done meanwhile, and
 * so nothing is lost.
 */
#ifndef HANDLER_HANDLER_BROKER_H
#define HANDLER_HANDLER_BROKER_H

#include "handler/broker_keys.h"
#include "handler/handler.h"

struct loop;

/* Copies what it needs of the settings, but borrows the plugin and
 * `settings->to`. STATUS_CONFIG when the plugin refuses a setting. Touches no
 * network. */
NODISCARD
enum status handler_broker_create(struct loop *loop,
                                  const struct longstop_plugin *plugin,
                                  enum broker_kind kind,
                                  const struct broker_settings *settings,
                                  int64_t timeout_ms, struct handler **ret,
                                  struct error *err);

/* Whether the plugin takes the settings; for whoever only checks them. */
NODISCARD
enum status handler_broker_check(const struct longstop_plugin *plugin,
                                 enum broker_kind kind,
                                 const struct broker_settings *settings,
                                 struct error *err);

#endif
