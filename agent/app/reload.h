/* SPDX-License-Identifier: MIT */
/*
 * reload: reading the configuration again while an agent runs, as others ask
 * for it: all of it is taken up, or nothing.
 */
#ifndef APP_RELOAD_H
#define APP_RELOAD_H

#include "app/difference.h"
#include "base/list.h"
#include "base/status.h"
#include "config/config_report.h"

#include <stdint.h>

/* What came of it; borrowed for the call. */
struct reload_outcome {
    enum status status; /* STATUS_CONFIG: it was refused, see the report; any
                           other failure is not the configuration's */
    const struct error *err;
    const struct config_report *report;  /* NULL: nothing was read */
    const struct difference *difference; /* STATUS_OK */
    int64_t loaded_ms;                   /* of what runs now; Unix ms */
};

/* Somebody who waits for it. Whoever does not any more takes `link` out. */
struct reload_wait {
    struct list link;
    void (*done)(struct reload_wait *wait,
                 const struct reload_outcome *outcome);
};

/* Asks for it; `wait` is told of the next run that begins. */
typedef void reload_fn(void *arg, struct reload_wait *wait);

#endif
