/* SPDX-License-Identifier: MIT */
#include "model/turned_away.h"

#include "base/mem.h"

/* At a thousand strangers in a second one in two names lives for 45 s. */
#define PLACES ((size_t)1 << 16)

/* The place of a name and its mark there, which is never 0. */
static size_t
place_of(const struct turned_away *names, struct slice name, uint32_t *ret_mark)
{
    const uint64_t hash = slice_hash(name, names->seed);
    *ret_mark = (uint32_t)(hash >> 32) | 1U;
    return (size_t)(hash % PLACES);
}

void
turned_away_note(struct turned_away *names, struct slice name)
{
    uint32_t mark;
    const size_t place = place_of(names, name, &mark);
    if (names->marks == NULL) {
        names->marks = mem_array(PLACES, sizeof(*names->marks));
    }
    if (names->marks != NULL) {
        names->marks[place] = mark;
    }
}

bool
turned_away_knows(const struct turned_away *names, struct slice name)
{
    uint32_t mark;
    const size_t place = place_of(names, name, &mark);
    return names->marks != NULL && names->marks[place] == mark;
}

void
turned_away_fini(struct turned_away *names)
{
    mem_free(names->marks);
    names->marks = NULL;
}
