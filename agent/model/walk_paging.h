/* SPDX-License-Identifier: MIT */
/*
 * walk_paging: what follows a page: its list's end, another page, the same
 * request with an advanced cursor, or a mistake of the provider. Pure.
 */
#ifndef MODEL_WALK_PAGING_H
#define MODEL_WALK_PAGING_H

#include "model/walk.h"

/* The longest page, link or cursor that is taken from an answer: it goes into a
 * request, which no server reads when it is longer, and into the walk's state,
 * which is written with each page. */
#define WALK_TEXT_BYTES_MAX ((size_t)64 * 1024)

enum walk_paging_kind {
    WALK_PAGING_END,
    WALK_PAGING_PAGE,    /* `text` is the next `{page}` or URL */
    WALK_PAGING_ADVANCE, /* the cursor has to move */
    WALK_PAGING_BROKEN
};

struct walk_paging {
    enum walk_paging_kind kind;
    struct slice text; /* in the arena */
    bool certain;      /* ADVANCE: the answer itself says there is more */
    uint64_t anchor;   /* PAGE: the last row, which it shows again; 0: none */
};

/* Decides. STATUS_NOMEM, or STATUS_OK with the decision; why it is broken is
 * said in `err`. */
NODISCARD
enum status walk_paging_next(const struct connector *connector,
                             const struct walk_state *state,
                             const struct walk_answer *answer,
                             struct arena *arena, struct walk_paging *ret_next,
                             struct error *err);

/* What tells a row from its neighbours, whatever else of it changes: a hash of
 * its id, or of the row where it has none. */
NODISCARD
enum status walk_paging_row_hash(const struct connector *connector,
                                 struct slice row, struct arena *arena,
                                 uint64_t *ret_hash);

/*
 * Whether the page shows the row again that it overlaps the last one by.
 * Offsets count from the top: where a row above was deleted all below have
 * moved up, and the one that came to stand between two pages is on neither.
 */
NODISCARD
enum status walk_paging_holds(const struct connector *connector,
                              const struct walk_state *state,
                              const struct page *page, struct arena *arena,
                              bool *ret_holds);

/* Back to the first page. The list is read anew: what it showed before it moved
 * says nothing of how far back it reaches now. */
void walk_paging_first(struct walk_state *state);

/* Moves the offset in the state back by a page; false when it is the first. */
NODISCARD
enum status walk_paging_back(const struct connector *connector,
                             struct walk_state *state, struct arena *arena,
                             bool *ret_more);

#endif
