/* SPDX-License-Identifier: MIT */
/*
 * conceal: takes a connector's secrets out of a text that people read: some
 * APIs want the token in the URL.
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

#endif
