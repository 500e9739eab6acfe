/* SPDX-License-Identifier: MIT */
/*
 * template_tree: what a compiled template is made of; private to template*.c.
 */
#ifndef WIRE_TEMPLATE_TREE_H
#define WIRE_TEMPLATE_TREE_H

#include "wire/template.h"

struct template_filter;

/* One filter behind a place, with what its argument means. */
struct template_step {
    const struct template_filter *filter;
    int option;       /* which digest or time format */
    struct slice set; /* bytes of escape and unescape, names of other_key */
};

/* A run of text or a place. */
struct template_piece {
    bool is_place;
    bool optional;     /* empty when absent */
    unsigned group;    /* number of its [[group]], 0 outside of any */
    struct slice text; /* of a run */
    struct template_ref ref;
    const struct template_step *steps;
    size_t step_count;
};

/* One alternative. */
struct template_choice {
    const struct template_piece *pieces;
    size_t count;
};

struct template
{
    struct slice source;
    const struct template_choice *choices;
    size_t choice_count;
};

#endif
