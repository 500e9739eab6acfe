/* SPDX-License-Identifier: MIT */
#include "flow/duplicates.h"

#include <string.h>

#include "base/list.h"
#include "base/mem.h"
#include "store/store_view.h"

/*
 * The happy path: the types of a book lie sorted, so that the next sighting
 * finds its own without reading all; a new one is moved in between.
 */

#define TYPE_BYTES_MAX 1024

static const struct slice all_others = SLICE("*");

struct duplicates {
    struct list link; /* the shelf's */
    struct slice connector;
    struct duplicates_type *at; /* ascending */
    size_t count;
    size_t room;
    struct arena texts;
};

struct duplicates_shelf {
    struct list books;
};

struct duplicates_shelf *
duplicates_shelf_create(void)
{
    struct duplicates_shelf *shelf = mem_zero(sizeof(*shelf));
    if (shelf != NULL) {
        list_init(&shelf->books);
    }
    return shelf;
}

static void
book_destroy(struct duplicates *book)
{
    arena_fini(&book->texts);
    mem_free(book->at);
    mem_free(book);
}

void
duplicates_shelf_destroy(struct duplicates_shelf *shelf)
{
    if (shelf == NULL) {
        return;
    }
    struct list *link;
    while ((link = list_take(&shelf->books)) != NULL) {
        book_destroy(list_entry(link, struct duplicates, link));
    }
    mem_free(shelf);
}

static struct duplicates *
book_create(struct slice connector)
{
    struct duplicates *book = mem_zero(sizeof(*book));
    if (book != NULL &&
        arena_copy(&book->texts, connector, &book->connector) != STATUS_OK) {
        book_destroy(book);
        return NULL;
    }
    return book;
}

struct duplicates *
duplicates_of(struct duplicates_shelf *shelf, struct slice connector)
{
    if (shelf == NULL) {
        return NULL;
    }
    list_for_each(link, &shelf->books) {
        struct duplicates *book = list_entry(link, struct duplicates, link);
        if (slice_equal(book->connector, connector)) {
            return book;
        }
    }
    struct duplicates *book = book_create(connector);
    if (book != NULL) {
        list_append(&shelf->books, &book->link);
    }
    return book;
}

/* Where a type is, or would be. */
static size_t
place_of(const struct duplicates *book, struct slice type)
{
    size_t low = 0;
    for (size_t high = book->count; low < high;) {
        size_t middle = low + (high - low) / 2;
        if (slice_compare(book->at[middle].type, type) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

const struct duplicates_type *
duplicates_find(const struct duplicates *book, struct slice type)
{
    size_t place = book == NULL ? 0 : place_of(book, type);
    return book != NULL && place < book->count &&
                   slice_equal(book->at[place].type, type)
               ? &book->at[place]
               : NULL;
}

static bool
has_room(struct duplicates *book)
{
    if (book->count < book->room) {
        return true;
    }
    size_t room = book->room == 0 ? 8 : 2 * book->room;
    struct duplicates_type *at =
        mem_resize(book->at, room, sizeof(book->at[0]));
    if (at == NULL) {
        return false;
    }
    book->at = at;
    book->room = room;
    return true;
}

static struct slice
told_as(const struct duplicates *book, struct slice type)
{
    bool is_told =
        book->count < VIEW_KEY_TYPES - 1 || duplicates_find(book, type) != NULL;
    return is_told && type.len <= TYPE_BYTES_MAX ? type : all_others;
}

/* Returns the row of a type, making one; NULL without memory. */
static struct duplicates_type *
row_of(struct duplicates *book, struct slice type)
{
    type = told_as(book, type);
    size_t place = place_of(book, type);
    if (place < book->count && slice_equal(book->at[place].type, type)) {
        return &book->at[place];
    }
    struct duplicates_type row = { 0 };
    if (!has_room(book) ||
        arena_copy(&book->texts, type, &row.type) != STATUS_OK) {
        return NULL;
    }
    memmove(&book->at[place + 1], &book->at[place],
            (book->count - place) * sizeof(row));
    book->at[place] = row;
    book->count++;
    return &book->at[place];
}

void
duplicates_note(struct duplicates *book, struct slice type, enum channel via)
{
    struct duplicates_type *row = book == NULL ? NULL : row_of(book, type);
    if (row != NULL) {
        row->by[via]++;
    }
}

const struct duplicates_type *
duplicates_types(const struct duplicates *book, size_t *ret_count)
{
    *ret_count = book == NULL ? 0 : book->count;
    return book == NULL ? NULL : book->at;
}
