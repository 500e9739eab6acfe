/* SPDX-License-Identifier: MIT */
/*
 * list: intrusive doubly-linked list.
 *
 * A link lives inside the element; the list owns nothing. An element may be in
 * as many lists as it has links. list_remove is safe on a link that is in no
 * list, if it was set up by list_init or left by list_remove.
 */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next;
    struct list *prev;
};

#define LIST_INIT(name)                                                        \
    {                                                                          \
        &(name), &(name)                                                       \
    }

/* The element that holds `link` as its `member`. */
#define list_entry(link, type, member)                                         \
    ((type *)(void *)((char *)(link)-offsetof(type, member)))

/* The safe form allows the current element to be removed. */
#define list_for_each(at, head)                                                \
    for (struct list *at = (head)->next; at != (head); at = at->next)

#define list_for_each_safe(at, head)                                           \
    for (struct list *at = (head)->next, *at##_next = at->next; at != (head);  \
         at = at##_next, at##_next = at->next)

static inline void
list_init(struct list *link)
{
    link->next = link;
    link->prev = link;
}

static inline bool
list_empty(const struct list *head)
{
    return head->next == head;
}

static inline void
list_append(struct list *head, struct list *link)
{
    link->prev = head->prev;
    link->next = head;
    head->prev->next = link;
    head->prev = link;
}

static inline void
list_remove(struct list *link)
{
    link->prev->next = link->next;
    link->next->prev = link->prev;
    list_init(link);
}

/* Removes and returns the first link, or NULL. */
static inline struct list *
list_take(struct list *head)
{
    struct list *link = head->next;
    if (link == head) {
        return NULL;
    }
    list_remove(link);
    return link;
}

/* Moves all of `from` behind the last of `head`. */
static inline void
list_join(struct list *head, struct list *from)
{
    if (list_empty(from)) {
        return;
    }
    from->next->prev = head->prev;
    head->prev->next = from->next;
    from->prev->next = head;
    head->prev = from->prev;
    list_init(from);
}

#endif
