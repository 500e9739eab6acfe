/* SPDX-License-Identifier: MIT */
/*
 * request_file: a captured request, as people keep them, to an arrival.
 */
#ifndef APP_REQUEST_FILE_H
#define APP_REQUEST_FILE_H

#include "source/source.h"

/*
 * Reads one raw HTTP/1.1 request into the arrival. Kinder than the listener,
 * since an editor was at it: lines may end in LF alone, Host may be missing,
 * and without a length the body is all that follows. STATUS_INVALID says what
 * is wrong.
 */
NODISCARD
enum status request_file_parse(struct slice raw, struct arrival *arrival,
                               struct error *err);

#endif
