/* SPDX-License-Identifier: MIT */
/*
 * doors: what the listeners show to who comes by TLS: the certificates of
 * `listen.tls` and `admin.tls`, read at the start and at each reload.
 */
#ifndef APP_DOORS_H
#define APP_DOORS_H

#include "app/settings.h"
#include "base/status.h"
#include "config/config_report.h"
#include "config/config_yaml.h"
#include "flow/telemetry.h"
#include "io/tls.h"

#include <stdint.h>

struct doors {
    struct tls_server *listen; /* NULL: plain */
    struct tls_server *admin;  /* likewise */
};

/* Reads all files once and reports, at their sections in `root`, what cannot be
 * used (an error) and what is out of date or soon will be (a warning). */
void doors_check(const struct settings *settings,
                 const struct config_node *root, int64_t now_ms,
                 struct config_report *report);

/* Reads the files for use, into zeroed doors; borrows the settings. To be ended
 * by doors_close, after a failure too. */
NODISCARD
enum status doors_open(const struct settings *settings, struct doors *doors,
                       struct error *err);

/* Has `doors`, which listeners know, show what `others` have read, and logs it;
 * these are closed. Both have the same ones. */
void doors_take(const struct doors *doors, struct doors *others,
                int64_t now_ms);

/* Has the metrics say until when the certificates are good. */
void doors_show(const struct doors *doors, const struct telemetry *telemetry);

void doors_close(struct doors *doors);

#endif
