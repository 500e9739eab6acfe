/* SPDX-License-Identifier: MIT */
/* The ring of what happens now, and its readers. */
#include "app/live.h"

#include <string.h>

#include "base/mem.h"
#include "io/loop.h"
#include "model/connector.h"

/*
 * Entries stand at number % LIVE_RING. `first` is the number of the oldest one
 * that is kept, `next` that of the one to come: equal when there is none.
 *
 * Readers are woken WAKE_MS after the first of a burst, so that ten thousand
 * events a second cost a hundred turns; or when a quarter of the ring is new,
 * so that no burst outruns a reader that is quick enough.
 */
#define WAKE_MS       10
#define SEQUENCE_A_MS 1000 /* numbers that one ms of uptime leaves room for */

struct kept {
    struct live_entry entry;
    size_t bytes;
    char text[];
};

struct live {
    struct loop *loop;
    struct list readers;
    struct loop_timer *wake_timer;
    struct loop_timer *linger_timer;
    int64_t linger_ms;
    bool is_kept; /* entries are taken */
    uint64_t first;
    uint64_t next;
    uint64_t woken; /* `next` when the readers were last woken */
    size_t bytes;
    struct kept *ring[LIVE_RING];
};

const char *
live_topic_name(enum live_topic topic)
{
    static const char *const names[LIVE_TOPICS] = {
        [LIVE_EVENTS] = "events", [LIVE_DELIVERIES] = "deliveries",
        [LIVE_WALKS] = "walks",   [LIVE_REFUSALS] = "refusals",
        [LIVE_GAPS] = "gaps",     [LIVE_STATS] = "stats",
    };
    return names[topic];
}

/* ---- the ring ---- */

static struct kept **
place(struct live *live, uint64_t number)
{
    return &live->ring[number % LIVE_RING];
}

static void
drop_first(struct live *live)
{
    struct kept **at = place(live, live->first);
    live->bytes -= (*at)->bytes;
    mem_free(*at);
    *at = NULL;
    live->first++;
}

/* Forgets all, and leaves a hole that every reader meets. */
static void
lose_all(struct live *live)
{
    while (live->first < live->next) {
        drop_first(live);
    }
    live->next++;
    live->first = live->next;
}

static struct slice
put(char **at, struct slice text)
{
    struct slice copy = { *at, text.len };
    if (text.len > 0) {
        memcpy(*at, text.ptr, text.len);
    }
    *at += text.len;
    return copy;
}

static struct kept *
copy_entry(const struct live_entry *entry)
{
    size_t bytes = sizeof(struct kept) + entry->connector.len +
                   entry->handler.len + entry->type.len + entry->data.len;
    struct kept *kept = mem_alloc(bytes);
    if (kept != NULL) {
        char *at = kept->text;
        kept->bytes = bytes;
        kept->entry = (struct live_entry){
            .topic = entry->topic,
            .connector = put(&at, entry->connector),
            .handler = put(&at, entry->handler),
            .type = put(&at, entry->type),
            .data = put(&at, entry->data),
        };
    }
    return kept;
}

static void
wake_soon(struct live *live)
{
    bool is_much = live->next - live->woken >= LIVE_RING / 4;
    if (is_much) {
        live->woken = live->next;
        loop_timer_arm(live->wake_timer, 0);
    } else if (!loop_timer_armed(live->wake_timer)) {
        loop_timer_arm(live->wake_timer, WAKE_MS);
    }
}

void
live_add(struct live *live, const struct live_entry *entry)
{
    if (!live_wants(live)) {
        return;
    }
    struct kept *kept = copy_entry(entry);
    if (kept == NULL) {
        lose_all(live);
    } else {
        while (live->first < live->next &&
               (live->next - live->first == LIVE_RING ||
                live->bytes + kept->bytes > LIVE_RING_BYTES)) {
            drop_first(live);
        }
        kept->entry.number = live->next;
        *place(live, live->next) = kept;
        live->bytes += kept->bytes;
        live->next++;
    }
    wake_soon(live);
}

/* ---- readers ---- */

static void
wake_all(void *arg)
{
    struct live *live = arg;
    live->woken = live->next;
    list_for_each_safe(at, &live->readers) {
        struct live_reader *reader = list_entry(at, struct live_reader, link);
        reader->wake(reader->arg);
    }
}

/* Nobody has come back: what comes from here on is missed by all. */
static void
forget(void *arg)
{
    struct live *live = arg;
    live->is_kept = false;
    lose_all(live);
}

bool
live_wants(const struct live *live)
{
    return live != NULL && live->is_kept;
}

bool
live_is_read(const struct live *live, enum live_topic topic)
{
    if (live != NULL) {
        list_for_each(at, &live->readers) {
            const struct live_reader *reader =
                list_entry(at, struct live_reader, link);
            if ((reader->topics & (1U << topic)) != 0) {
                return true;
            }
        }
    }
    return false;
}

void
live_join(struct live *live, struct live_reader *reader, uint64_t last)
{
    loop_timer_disarm(live->linger_timer);
    live->is_kept = true;
    /* One that was never given is of another ring: what it stands for is
     * gone. */
    reader->next = last == 0            ? live->next
                   : last >= live->next ? live->first - 1
                                        : last + 1;
    list_append(&live->readers, &reader->link);
}

void
live_leave(struct live *live, struct live_reader *reader)
{
    list_remove(&reader->link);
    if (list_empty(&live->readers)) {
        loop_timer_arm(live->linger_timer, live->linger_ms);
    }
}

/* What an entry does not have is no reason to keep it back. */
static bool
is_same(struct slice wanted, struct slice got)
{
    return wanted.len == 0 || got.len == 0 || slice_equal(wanted, got);
}

static bool
is_for(const struct live_entry *entry, const struct live_reader *reader)
{
    return (reader->topics & (1U << entry->topic)) != 0 &&
           is_same(reader->connector, entry->connector) &&
           is_same(reader->handler, entry->handler) &&
           (reader->type.len == 0 || entry->type.len == 0 ||
            glob_match(reader->type, entry->type));
}

bool
live_is_behind(const struct live *live, const struct live_reader *reader)
{
    return reader->next < live->first;
}

const struct live_entry *
live_next(struct live *live, struct live_reader *reader, bool *ret_lost)
{
    *ret_lost = live_is_behind(live, reader);
    if (*ret_lost) {
        reader->next = live->first;
    }
    while (reader->next < live->next) {
        const struct live_entry *entry = &(*place(live, reader->next))->entry;
        reader->next++;
        if (is_for(entry, reader)) {
            return entry;
        }
    }
    return NULL;
}

uint64_t
live_last(const struct live *live)
{
    return live->next - 1;
}

/* ---- lifecycle ---- */

enum status
live_create(struct loop *loop, int64_t now_ms, int64_t linger_ms,
            struct live **ret)
{
    struct live *live = mem_zero(sizeof(*live));
    if (live == NULL) {
        return STATUS_NOMEM;
    }
    live->loop = loop;
    live->linger_ms = linger_ms;
    live->first = (uint64_t)(now_ms > 0 ? now_ms : 1) * SEQUENCE_A_MS;
    live->next = live->first;
    live->woken = live->first;
    list_init(&live->readers);
    enum status status =
        loop_timer_create(loop, wake_all, live, &live->wake_timer);
    if (status == STATUS_OK) {
        status = loop_timer_create(loop, forget, live, &live->linger_timer);
    }
    if (status != STATUS_OK) {
        live_destroy(live);
        return status;
    }
    *ret = live;
    return STATUS_OK;
}

void
live_destroy(struct live *live)
{
    if (live == NULL) {
        return;
    }
    while (live->first < live->next) {
        drop_first(live);
    }
    loop_timer_destroy(live->wake_timer);
    loop_timer_destroy(live->linger_timer);
    mem_free(live);
}
