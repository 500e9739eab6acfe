/* SPDX-License-Identifier: MIT */
/*
 * bundle: what somebody who helps wants to see, as one .tar.gz that may be
 * given to others: what doctor found, the configuration without its secrets,
 * versions, status, metrics and the last lines of a log.
 */
#ifndef APP_BUNDLE_H
#define APP_BUNDLE_H

#include "app/doctor.h"

/* Writes it to `path`; `log_path` may be NULL. */
NODISCARD
enum status bundle_write(const struct doctor *doctor, const char *path,
                         const char *log_path, struct error *err);

#endif
