/* SPDX-License-Identifier: MIT */
/*
 * unit_place: where longstop.service has things, for who types a command about
 * its configuration: systemd tells only the unit itself.
 */
#ifndef APP_UNIT_PLACE_H
#define APP_UNIT_PLACE_H

#include "base/bytes.h"

#include <stdbool.h>

#define UNIT_PLACE_CONFIGURATION "/etc/longstop"
#define UNIT_PLACE_STATE         "/var/lib/longstop"
#define UNIT_PLACE_RUNTIME       "/run/longstop"

/* Whether `folder` is there, or is the unit's and will be when it starts. */
bool unit_place_is(struct slice folder);

#endif
