/* SPDX-License-Identifier: MIT */
/*
 * masked: a text to be shown, without the secrets of a connector.
 */
#ifndef APP_MASKED_H
#define APP_MASKED_H

#include "base/bytes.h"
#include "model/connector.h"

/* Appends `text` with "***" for each secret parameter of the connector, as it
 * is or percent-encoded. */
void masked_text(const struct connector *connector, struct slice text,
                 struct buf *into);

#endif
