/* SPDX-License-Identifier: MIT */
/*
 * fingerprint: what a part of a configuration was made of, as a digest: two
 * that are the same need no change.
 */
#ifndef APP_FINGERPRINT_H
#define APP_FINGERPRINT_H

#include "base/bytes.h"
#include "base/status.h"
#include "config/config_yaml.h"

/* Of one connector, handler or section. */
struct fingerprint {
    struct slice name; /* borrowed */
    unsigned char sum[32];
};

/* Appends what a tree says, without where it stands. NULL is allowed. */
void fingerprint_node(const struct config_node *node, struct buf *into);

/* Appends a text so that it cannot run into what comes behind it. */
void fingerprint_text(struct slice text, struct buf *into);

/* Makes the digest of what was gathered, and wipes it: secrets are among it. */
NODISCARD
enum status fingerprint_take(struct buf *gathered, struct slice name,
                             struct fingerprint *ret);

#endif
