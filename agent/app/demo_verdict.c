/* SPDX-License-Identifier: MIT */
#include "app/demo_verdict.h"

#include <stdlib.h>

#include "base/mem.h"
#include "wire/json.h"

/* One fact, and how often each side has seen it. */
struct tally {
    struct slice name;
    int64_t hooks;
    int64_t handed;
};

struct tallies {
    struct arena arena;
    struct tally *at;
    size_t count;
};

static bool
next_line(struct slice *rest, struct slice *ret_line)
{
    size_t end = slice_find(*rest, '\n');
    if (end == SIZE_MAX) {
        return false;
    }
    *ret_line = slice_first(*rest, end);
    *rest = slice_from(*rest, end + 1);
    return true;
}

static size_t
count_lines(struct slice text)
{
    size_t count = 0;
    struct slice line;
    while (next_line(&text, &line)) {
        count++;
    }
    return count;
}

static int
by_name(const void *a, const void *b)
{
    const struct tally *x = a;
    const struct tally *y = b;
    return slice_compare(x->name, y->name);
}

/* Returns the text of the member, STATUS_INVALID where there is none. */
static enum status
member_text(struct slice object, const char *name, struct arena *arena,
            struct slice *ret)
{
    struct slice value;
    if (json_type(object) != JSON_OBJECT ||
        !json_member(object, slice_of(name), &value)) {
        return STATUS_INVALID;
    }
    return json_text(value, arena, ret);
}

/* What a line of the journal tells of its fact. */
enum entry { ENTRY_FACT, ENTRY_HOOK, ENTRY_LISTED };

static enum status
read_entry(struct slice line, struct arena *arena, struct slice *ret_name,
           enum entry *ret_entry)
{
    static const char *const names[] = {
        [ENTRY_FACT] = "fact", [ENTRY_HOOK] = "hook", [ENTRY_LISTED] = "listed"
    };
    if (json_check(line, JSON_DEPTH_DEFAULT, NULL) != STATUS_OK) {
        return STATUS_INVALID;
    }
    struct slice what;
    enum status status = member_text(line, "id", arena, ret_name);
    if (status == STATUS_OK) {
        status = member_text(line, "what", arena, &what);
    }
    if (status != STATUS_OK) {
        return status;
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (slice_equal_text(what, names[i])) {
            *ret_entry = (enum entry)i;
            return STATUS_OK;
        }
    }
    return STATUS_INVALID;
}

static struct tally *
find(const struct tallies *tallies, struct slice name)
{
    struct tally key = { .name = name };
    return tallies->count == 0 ? NULL
                               : bsearch(&key, tallies->at, tallies->count,
                                         sizeof(key), by_name);
}

/* The journal's facts, sorted by name. */
static enum status
read_facts(struct slice journal, struct tallies *tallies)
{
    tallies->at = arena_array(&tallies->arena, count_lines(journal) + 1,
                              sizeof(*tallies->at));
    if (tallies->at == NULL) {
        return STATUS_NOMEM;
    }
    struct slice line;
    while (next_line(&journal, &line)) {
        struct slice name;
        enum entry entry;
        enum status status = read_entry(line, &tallies->arena, &name, &entry);
        if (status != STATUS_OK) {
            return status;
        }
        if (entry == ENTRY_FACT) {
            tallies->at[tallies->count++].name = name;
        }
    }
    qsort(tallies->at, tallies->count, sizeof(*tallies->at), by_name);
    return STATUS_OK;
}

static enum status
count_hooks(struct slice journal, struct tallies *tallies)
{
    struct slice line;
    while (next_line(&journal, &line)) {
        struct slice name;
        enum entry entry;
        enum status status = read_entry(line, &tallies->arena, &name, &entry);
        if (status != STATUS_OK) {
            return status;
        }
        struct tally *tally = find(tallies, name);
        if (tally == NULL) {
            return STATUS_INVALID;
        }
        tally->hooks += entry == ENTRY_HOOK;
    }
    return STATUS_OK;
}

/* Appends the name of the fact an envelope tells of. */
static enum status
write_name(struct slice envelope, struct arena *arena, struct buf *into)
{
    struct slice content, id, updated_at;
    if (json_check(envelope, JSON_DEPTH_DEFAULT, NULL) != STATUS_OK ||
        json_type(envelope) != JSON_OBJECT ||
        !json_member(envelope, slice_of("data"), &content)) {
        return STATUS_INVALID;
    }
    enum status status = member_text(content, "id", arena, &id);
    if (status == STATUS_OK) {
        status = member_text(content, "updated_at", arena, &updated_at);
    }
    if (status != STATUS_OK) {
        return status;
    }
    buf_text(into, "order:");
    buf_append(into, id);
    buf_byte(into, ':');
    buf_append(into, updated_at);
    return buf_status(into);
}

static enum status
count_handed(struct slice handled, struct tallies *tallies,
             int64_t *ret_unknown)
{
    struct buf name = { 0 };
    struct slice line;
    int64_t unknown = 0;
    enum status status = STATUS_OK;
    while (status == STATUS_OK && next_line(&handled, &line)) {
        buf_clear(&name);
        status = write_name(line, &tallies->arena, &name);
        if (status != STATUS_OK) {
            break;
        }
        struct tally *tally = find(tallies, buf_slice(&name));
        if (tally != NULL) {
            tally->handed++;
        } else {
            unknown++;
        }
    }
    buf_fini(&name);
    *ret_unknown = unknown;
    return status;
}

static void
sum_up(const struct tallies *tallies, struct demo_verdict *into)
{
    into->produced = (int64_t)tallies->count;
    for (size_t i = 0; i < tallies->count; i++) {
        const struct tally *tally = &tallies->at[i];
        bool hooked = tally->hooks > 0;
        bool handed = tally->handed > 0;
        into->hooked += hooked;
        into->delivered += handed;
        into->lost += !handed;
        into->recovered += handed && !hooked;
        into->duplicates += hooked ? tally->hooks - 1 : 0;
        into->twice += handed ? tally->handed - 1 : 0;
    }
}

enum status
demo_verdict_reach(struct slice journal, struct slice handled,
                   struct demo_verdict *ret, struct error *err)
{
    struct tallies tallies = { 0 };
    struct demo_verdict verdict = { 0 };
    enum status status = read_facts(journal, &tallies);
    if (status == STATUS_OK) {
        status = count_hooks(journal, &tallies);
    }
    if (status != STATUS_OK) {
        error_set(err, status, "the provider's journal: %s",
                  status_text(status));
        goto done;
    }
    status = count_handed(handled, &tallies, &verdict.unknown);
    if (status != STATUS_OK) {
        error_set(err, status, "the handler's file: %s", status_text(status));
        goto done;
    }
    sum_up(&tallies, &verdict);
    *ret = verdict;
done:
    arena_fini(&tallies.arena);
    return status;
}
