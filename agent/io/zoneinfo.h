/* SPDX-License-Identifier: MIT */
/*
 * zoneinfo: reads the file of a time zone where the system keeps them (the
 * package tzdata).
 */
#ifndef IO_ZONEINFO_H
#define IO_ZONEINFO_H

#include "base/bytes.h"
#include "base/status.h"

/* Appends the bytes of the zone called `name`, such as "Europe/Berlin".
 * STATUS_NOT_FOUND where there is none or it cannot be a name; else as
 * fs_read. */
NODISCARD
enum status zoneinfo_read(struct slice name, struct buf *into,
                          struct error *err);

#endif
