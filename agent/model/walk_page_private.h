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

/* Takes what the page's rows say of the walk: stamps, ids, how many. */
NODISCARD
enum status walk_page_rows(struct taking *t);

/*
 * Notes the page's rows of the place that the cursor names: a minute, a day, an
 * hour that comes twice. Where that fills more than a page, and pages are
 * counted from the top, a row that changes leaves it, all behind it move up,
 * and the one that comes to stand between two pages is on neither.
 */
NODISCARD
enum status walk_page_note_place(struct taking *t);

/* Whether the place has to be read once more before the walk leaves it: its
 * pages did not show the same rows twice in a row, and no later walk reads it.
 */
bool walk_page_has_moved(struct taking *t);

/* Whether retention has come past the top of the place since its first page:
 * what a page counted from there shows now may lie behind rows that none has
 * shown. */
bool walk_page_has_dropped(const struct taking *t);

/* Returns how far the watermark stays behind the clock. */
int64_t walk_page_settle_ms(const struct connector *connector);

/* Takes the cursor that the body names: an opaque one is committed with the
 * page that brought it. */
NODISCARD
enum status walk_page_token(struct taking *t);

/* The walk has read its list to the end. The only place where hw moves (but for
 * a gap row that says why). */
NODISCARD
enum status walk_page_whole(struct taking *t);

/* Forgets what the list was called when it was one page: it is asked for again
 * without a condition. */
void walk_page_forget(struct walk_state *state);

/* Takes the answer to `first`, or to `resync`: it says where the cursor is. */
NODISCARD
enum status walk_page_first(struct taking *t);

/* Returns the provider's clock when the answer came, not too early. */
int64_t walk_page_answered_ms(const struct walk_answer *answer);

#endif
