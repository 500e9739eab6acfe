/* SPDX-License-Identifier: MIT */
/*
 * store_moving: `store copy`: all of one store into another, while no agent
 * runs on either.
 */
#ifndef APP_STORE_MOVING_H
#define APP_STORE_MOVING_H

#include "app/exit_code.h"

#include <stdbool.h>

/* Copies the store at the URL `from` into the one at `into`, and tells. */
enum exit_code store_moving(const char *from, const char *into, bool json);

#endif
