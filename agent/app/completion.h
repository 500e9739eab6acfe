/* SPDX-License-Identifier: MIT */
/*
 * completion: what completes words in a shell, from the tables of commands.
 *
 * Commands, options, file names where a FILE is wanted, and operands that are
 * a choice of words.
 */
#ifndef APP_COMPLETION_H
#define APP_COMPLETION_H

#include "base/bytes.h"

#include <stdbool.h>

/* Appends the script for `shell`: bash, zsh or fish. False: another one, and
 * nothing is written. */
bool completion_write(const char *shell, struct buf *into);

#endif
