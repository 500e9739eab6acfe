/* SPDX-License-Identifier: MIT */
/*
 * request_body: a request's JSON body from its tree of templates. Pure.
 */
#ifndef MODEL_REQUEST_BODY_H
#define MODEL_REQUEST_BODY_H

#include "base/bytes.h"
#include "base/mem.h"
#include "model/connector.h"

struct register_places;
struct template_scope;

/*
 * Appends the tree as JSON; a scalar whose place is absent is left out with its
 * name. With `places`, which may be NULL, what names `{event}` is there once
 * for each of them, `places->event` telling which, and "{events}" is an array.
 * STATUS_INVALID when it is nested too deeply.
 */
NODISCARD
enum status request_body_json(const struct body_node *root,
                              const struct template_scope *scope,
                              struct register_places *places,
                              struct arena *arena, struct buf *into,
                              struct error *err);

#endif
