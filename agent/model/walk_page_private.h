/* SPDX-License-Identifier: MIT */
/*
 * walk_page_private: what the files of walk_page share: one page on its way
 * into the state.
 */
#ifndef MODEL_WALK_PAGE_PRIVATE_H
#define MODEL_WALK_PAGE_PRIVATE_H

#include "model/walk.h"

/* One page on its way into the state. */
struct taking {
    const struct walk_plan *plan;
    const struct connector *connector;
    const struct cursor_spec *cursor;
    struct walk_state *state;
    const struct walk_answer *answer;
    struct arena *arena; /* of the state */
    struct arena *scratch;
    struct walk_step *step;
    struct slice sent;   /* `{cursor}` of the request, where it was sent */
    int64_t oldest_ms;   /* on this page; INT64_MAX when no row has a stamp */
    size_t below;        /* rows below the lower bound */
    struct slice picked; /* the id this page leads to */
    bool is_long;        /* a cursor that no request can carry */
};

/* Takes the answer to `first`, or to `resync`: it says where the cursor is. */
NODISCARD
enum status walk_page_first(struct taking *t);

/* Returns the provider's clock when the answer came, not too early. */
int64_t walk_page_answered_ms(const struct walk_answer *answer);

#endif
