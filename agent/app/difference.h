/* SPDX-License-Identifier: MIT */
/*
 * difference: what one configuration has that another has not, by names; and
 * what of it only a start can take up. Never a value: it may be a secret.
 */
#ifndef APP_DIFFERENCE_H
#define APP_DIFFERENCE_H

#include "app/configuration.h"
#include "app/fingerprint.h"
#include "base/bytes.h"

#include <stdbool.h>

struct json_node;
struct json_tree;

struct difference_names {
    struct slice *at;
    size_t count;
};

struct difference_part {
    struct difference_names added, removed, changed;
};

struct difference {
    struct difference_part connectors;
    struct difference_part handlers;
    struct difference_names sections; /* other keys of the root that changed */
};

/* Compares two lists, neither of which has a name twice. Pure; what it finds
 * lies in `arena` and borrows the names. */
NODISCARD
enum status difference_of(const struct fingerprint *before, size_t before_count,
                          const struct fingerprint *after, size_t after_count,
                          struct arena *arena, struct difference_part *ret);

/* The same of two whole configurations. */
NODISCARD
enum status difference_find(const struct configuration *before,
                            const struct configuration *after,
                            struct arena *arena, struct difference *ret);

/* Whether handler `index` of `after` is there in `before` just so. */
bool difference_same_handler(const struct configuration *before,
                             const struct configuration *after, size_t index,
                             size_t *ret_index);

/* Reports, as mistakes at their places in `after`, what cannot change while an
 * agent runs. */
void difference_check(const struct configuration *before,
                      const struct configuration *after,
                      struct config_report *report);

bool difference_is_none(const struct difference *difference);

/* Appends it on one line for people: "connector shop added; handler fulfil
 * changed". */
void difference_words(const struct difference *difference, struct buf *into);

/* Adds it to an object. */
void difference_json(const struct difference *difference,
                     struct json_tree *tree, struct json_node *into);

#endif
