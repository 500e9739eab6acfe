/* SPDX-License-Identifier: MIT */
#include "app/demo_verdict.h"

#include <stdlib.h>

#include "base/mem.h"
#include "wire/json.h"
#include "wire/timefmt.h"

struct tally {
    struct slice name;
    struct demo_fact fact;
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

/* Reads numbers into a struct, as a table names them. */
struct number {
    const char *name;
    size_t at;
};

static enum status
read_numbers(struct slice object, const struct number *numbers, size_t count,
             struct arena *arena, void *into)
{
    for (size_t i = 0; i < count; i++) {
        struct slice text;
        enum status status = member_text(object, numbers[i].name, arena, &text);
        if (status == STATUS_OK) {
            status = slice_to_i64(
                text, (int64_t *)(void *)((char *)into + numbers[i].at));
        }
        if (status != STATUS_OK) {
            return status;
        }
    }
    return STATUS_OK;
}

/* What a line of the journal tells of its fact. */
enum entry { ENTRY_FACT, ENTRY_HOOK, ENTRY_LISTED, ENTRY_COUNT };

static enum status
read_entry(struct slice line, struct arena *arena, struct slice *ret_name,
           enum entry *ret_entry)
{
    static const char *const names[ENTRY_COUNT] = {
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
    for (size_t i = 0; i < ENTRY_COUNT; i++) {
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
read_hook(struct slice line, struct arena *arena, struct demo_fact *into)
{
    struct hook {
        int64_t sent_ms, answered_ms, attempts;
    } hook;
    static const struct number numbers[] = {
        { "sent_ms", offsetof(struct hook, sent_ms) },
        { "answered_ms", offsetof(struct hook, answered_ms) },
        { "attempts", offsetof(struct hook, attempts) },
    };
    enum status status = read_numbers(
        line, numbers, sizeof(numbers) / sizeof(numbers[0]), arena, &hook);
    if (status != STATUS_OK) {
        return status;
    }
    bool first = into->hooks++ == 0;
    into->attempts += hook.attempts;
    if (first || hook.sent_ms < into->hook_from_ms) {
        into->hook_from_ms = hook.sent_ms;
    }
    if (first || hook.answered_ms < into->hook_until_ms) {
        into->hook_until_ms = hook.answered_ms;
    }
    return STATUS_OK;
}

static enum status
read_times(struct slice line, enum entry entry, struct arena *arena,
           struct demo_fact *into)
{
    static const struct number happened[] = {
        { "stamp_ms", offsetof(struct demo_fact, stamp_ms) },
        { "visible_ms", offsetof(struct demo_fact, visible_ms) },
    };
    static const struct number listed[] = {
        { "shown_ms", offsetof(struct demo_fact, shown_ms) },
        { "asked_ms", offsetof(struct demo_fact, asked_ms) },
        { "missed_ms", offsetof(struct demo_fact, missed_ms) },
        { "missed_took_ms", offsetof(struct demo_fact, missed_took_ms) },
    };
    if (entry == ENTRY_HOOK) {
        return read_hook(line, arena, into);
    }
    return entry == ENTRY_FACT
               ? read_numbers(line, happened,
                              sizeof(happened) / sizeof(happened[0]), arena,
                              into)
               : read_numbers(line, listed, sizeof(listed) / sizeof(listed[0]),
                              arena, into);
}

static enum status
read_journal(struct slice journal, struct tallies *tallies)
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
        status = read_times(line, entry, &tallies->arena, &tally->fact);
        if (status != STATUS_OK) {
            return status;
        }
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

/* Only the first handing over is looked at; a second is wrong anyhow. */
static enum status
read_envelope(struct slice envelope, struct arena *arena,
              struct demo_fact *into)
{
    struct slice via, recorded;
    if (into->handed++ > 0) {
        return STATUS_OK;
    }
    enum status status = member_text(envelope, "via", arena, &via);
    if (status == STATUS_OK) {
        status = member_text(envelope, "recordedtime", arena, &recorded);
    }
    if (status == STATUS_OK) {
        into->by_walk = !slice_equal_text(via, "webhook");
        status = timefmt_read(TIMEFMT_ISO8601, recorded, &into->accepted_ms);
    }
    return status;
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
            status = read_envelope(line, &tallies->arena, &tally->fact);
        } else {
            unknown++;
        }
    }
    buf_fini(&name);
    *ret_unknown = unknown;
    return status;
}

static int64_t
later_of(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static void
sum_fact(const struct demo_fact *fact, const struct demo_rule *rule,
         struct demo_verdict *into)
{
    bool hooked = fact->hooks > 0;
    bool handed = fact->handed > 0;
    int64_t lag_ms = fact->visible_ms - fact->stamp_ms;
    into->produced++;
    into->hooked += hooked;
    into->delivered += handed;
    into->lost += !handed;
    into->recovered += handed && !hooked;
    into->duplicates += hooked ? fact->hooks - 1 : 0;
    into->unlisted += fact->asked_ms == 0;
    into->lag_ms += lag_ms;
    into->longest_ms = later_of(into->longest_ms, lag_ms);
    if (handed) {
        into->twice += fact->handed - 1;
        into->misplaced += !demo_account_fits(fact);
        into->accepted_ms = later_of(into->accepted_ms, fact->accepted_ms);
        demo_account_add(rule, fact, &into->expected);
    }
}

enum status
demo_verdict_reach(struct slice journal, struct slice handled,
                   const struct demo_rule *rule, struct demo_verdict *ret,
                   struct error *err)
{
    struct tallies tallies = { 0 };
    struct demo_verdict verdict = { 0 };
    enum status status = read_facts(journal, &tallies);
    if (status == STATUS_OK) {
        status = read_journal(journal, &tallies);
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
    for (size_t i = 0; i < tallies.count; i++) {
        sum_fact(&tallies.at[i].fact, rule, &verdict);
    }
    *ret = verdict;
done:
    arena_fini(&tallies.arena);
    return status;
}
