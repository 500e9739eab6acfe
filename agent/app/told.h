/* SPDX-License-Identifier: MIT */
/*
 * told: reads the JSON that the running agent answers, and says its times as
 * people do.
 *
 * Objects are values of a text that passed json_check.
 */
#ifndef APP_TOLD_H
#define APP_TOLD_H

#include "base/bytes.h"
#include "base/instant.h"
#include "base/mem.h"

#include <stdbool.h>

/* Returns a member as text, "" where it is null or not there. */
struct slice told_text(struct slice object, const char *name,
                       struct arena *arena);

/* Returns a member as a whole number, 0 where it is none. */
int64_t told_number(struct slice object, const char *name);

bool told_true(struct slice object, const char *name);

/* Returns a member that is an array or an object; the empty one where it is
 * null or not there. */
struct slice told_array(struct slice object, const char *name);
struct slice told_object(struct slice object, const char *name);

/* Returns a time, Unix ms; 0 where it is null or not there. */
int64_t told_time(struct slice object, const char *name);

/* Appends a time in UTC as short as it stays plain on the day of `now_ms`:
 * "12:03:10", "yesterday 11:00:00", "2026-11-21 23:22:01"; "-" for 0. */
void told_when(int64_t at_ms, int64_t now_ms, struct buf *into);

/* Appends text from outside so that it can do nothing to a terminal: control
 * characters become '?', and so do bytes that are no UTF-8. */
void told_plain(struct slice text, struct buf *into);

/* Says what is lost where no list is polled, by what brings the events. */
const char *told_loss(bool by_webhook, bool by_stream);

#endif
