/* SPDX-License-Identifier: MIT */
/*
 * conceal: takes secrets out of a text that people read: some APIs want the
 * token in the URL, and some servers say what they were sent.
 */
#ifndef MODEL_CONCEAL_H
#define MODEL_CONCEAL_H

#include "model/connector.h"

/* Secrets shorter than this are left: they would hide half of any text. */
#define CONCEAL_BYTES_MIN 4

/* Appends `text` with `***` for each secret in it, as it is or
 * percent-encoded. */
void conceal(const struct connector *connector, struct slice text,
             struct buf *into);

/* The same for secrets that are no connector's. */
void conceal_each(const struct slice *secrets, size_t count, struct slice text,
                  struct buf *into);

#endif
