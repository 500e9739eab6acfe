/* SPDX-License-Identifier: MIT */
/*
 * notify: systemd's readiness protocol (sd_notify(3)) and inherited sockets
 * (sd_listen_fds(3)), without linking libsystemd.
 */
#ifndef IO_NOTIFY_H
#define IO_NOTIFY_H

#include "base/status.h"

#include <stdint.h>

/* Sends "READY=1", "STOPPING=1", "STATUS=…"; nothing without $NOTIFY_SOCKET. */
void notify_send(const char *state);

/* Says that a reload has begun, with the time that systemd wants to see. */
void notify_reloading(void);

/* Returns half of $WATCHDOG_USEC in ms when it is for us, else 0. */
int64_t notify_watchdog_ms(void);

/* Returns the inherited descriptor called `name`, or -1. */
int notify_listen_fd(const char *name);

#endif
