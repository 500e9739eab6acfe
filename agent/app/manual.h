/* SPDX-License-Identifier: MIT */
/*
 * manual: the pages of the manual, from the tables of commands and keys: what
 * is parsed is what is printed.
 */
#ifndef APP_MANUAL_H
#define APP_MANUAL_H

#include "base/bytes.h"

/* Appends longstop(1): commands, options, exit codes, environment, files. */
void manual_commands(const char *version, struct buf *into);

/* Appends longstop.yaml(5): how the configuration is written, and its keys. */
void manual_configuration(const char *version, struct buf *into);

/* Appends longstop-connectors(7): the vocabulary of connector files. */
void manual_connectors(const char *version, struct buf *into);

#endif
