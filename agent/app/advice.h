/* SPDX-License-Identifier: MIT */
/*
 * advice: what a whole configuration still lacks, beyond what each key says:
 * places left to fill in, routes nobody can reach, programs that are not there.
 */
#ifndef APP_ADVICE_H
#define APP_ADVICE_H

#include "app/settings.h"
#include "base/mem.h"
#include "config/config_report.h"
#include "config/config_yaml.h"
#include "model/connector.h"

#include <stdbool.h>
#include <stddef.h>

/* What `init` prints where only a person knows the value. */
#define ADVICE_FILL_IN "FILL_IN"

/* Whether nothing of a connector's entry is left to fill in; what is, is an
 * error. To be asked first: all that could be said besides is an echo. */
bool advice_is_filled(struct config_report *report,
                      const struct config_node *entry);

/* Adds errors for what cannot be, warnings for what will not work. */
void advice_give(const struct settings *settings,
                 const struct connector *connectors, size_t count,
                 struct arena *arena, struct config_report *report);

#endif
