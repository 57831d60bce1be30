/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/macro.h"

/* A doubly linked list whose links live in its members. A List is its own sentinel: an
 * initialised list that is empty points at itself. */
typedef struct List List;
struct List {
        List *next, *previous;
};

static inline void list_init(List *list) {
        list->next = list->previous = list;
}

static inline bool list_is_empty(const List *list) {
        return list->next == list;
}

static inline void list_append(List *list, List *link) {
        link->next = list;
        link->previous = list->previous;
        list->previous->next = link;
        list->previous = link;
}

/* Take link out of its list; harmless on a link that is in none, once initialised. */
static inline void list_remove(List *link) {
        link->previous->next = link->next;
        link->next->previous = link->previous;
        list_init(link);
}

/* for (List *l = list.next; l != &list; l = l->next), with the member's type; the member
 * may be removed from within the loop. */
#define LIST_FOREACH(list, type, member, link)                                   \
        for (type *member = container_of((list)->next, type, link),              \
                  *_next_##member = container_of(member->link.next, type, link); \
             &member->link != (list); member = _next_##member,                   \
                  _next_##member = container_of(member->link.next, type, link))

#define LIST_FIRST(list, type, link) \
        (list_is_empty(list) ? NULL : container_of((list)->next, type, link))
