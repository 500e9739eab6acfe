/* SPDX-License-Identifier: MIT */
/* The last walks of a tier, in a ring. */
#include "app/walk_log.h"

#include "base/mem.h"

#define FIRST_ROOM 16

static struct walk_log_entry *
place(const struct walk_log *log, size_t number)
{
    return &log->at[(log->first + number) % log->room];
}

/* Makes the ring twice as long while it has not got all its room. */
static void
grow(struct walk_log *log)
{
    size_t room = log->room == 0 ? FIRST_ROOM : log->room * 2;
    struct walk_log_entry *at = mem_array(room, sizeof(*at));
    if (at == NULL) {
        return;
    }
    for (size_t i = 0; i < log->count; i++) {
        at[i] = *place(log, i);
    }
    mem_free(log->at);
    log->at = at;
    log->room = room;
    log->first = 0;
}

static bool
is_quiet(const struct walk_log_entry *entry)
{
    return entry->outcome == POLL_OK && entry->fresh == 0;
}

/* Adds a quiet walk to the quiet ones before it. */
static void
join(struct walk_log_entry *last, const struct walk_log_entry *entry)
{
    last->ended_ms = entry->ended_ms;
    last->walks++;
    last->pages += entry->pages;
    last->rows += entry->rows;
    last->known += entry->known;
    last->complete_until_ms = entry->complete_until_ms;
}

static void
append(struct walk_log *log, const struct walk_log_entry *entry)
{
    if (log->count == log->room && log->room < WALK_LOG_MOST) {
        grow(log);
    }
    if (log->room == 0) {
        return;
    }
    if (log->count == log->room) {
        log->first = (log->first + 1) % log->room;
        log->count--;
    }
    *place(log, log->count++) = *entry;
}

void
walk_log_add(struct walk_log *log, const struct poll_ended *ended,
             int64_t now_ms)
{
    struct walk_log_entry entry = {
        .started_ms = ended->started_ms > 0 ? ended->started_ms : now_ms,
        .ended_ms = now_ms,
        .walks = 1,
        .outcome = ended->outcome,
        .pages = ended->pages,
        .rows = ended->rows,
        .fresh = ended->fresh,
        .known = ended->known,
        .complete_until_ms = ended->complete_until_ms,
    };
    struct walk_log_entry *last =
        log->count == 0 ? NULL : place(log, log->count - 1);
    if (last != NULL && last->outcome == POLL_LIMITED) {
        *last = entry; /* it counts on from where it waited */
    } else if (last != NULL && is_quiet(last) && is_quiet(&entry)) {
        join(last, &entry);
    } else {
        append(log, &entry);
    }
}

const struct walk_log_entry *
walk_log_entry(const struct walk_log *log, size_t index)
{
    return index < log->count ? place(log, log->count - 1 - index) : NULL;
}

void
walk_log_fini(struct walk_log *log)
{
    mem_free(log->at);
    *log = (struct walk_log){ 0 };
}
