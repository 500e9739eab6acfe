/* SPDX-License-Identifier: MIT */
/* log_fold: which lines are said, and what of the others. */
#include "base/log_fold.h"

void
log_fold_entry_fini(struct log_fold_entry *entry)
{
    buf_fini(&entry->same);
    buf_fini(&entry->tail);
    *entry = (struct log_fold_entry){ 0 };
}

static bool
is_over(const struct log_fold *fold, const struct log_fold_entry *entry,
        int64_t now_ms)
{
    return now_ms - entry->first_ms >= fold->window_ms;
}

/* Frees the place. What was counted there is the caller's. */
static void
take_out(struct log_fold_entry *entry, struct log_fold_entry *ret_over)
{
    if (entry->repeats > 0) {
        *ret_over = *entry;
        *entry = (struct log_fold_entry){ 0 };
    } else {
        log_fold_entry_fini(entry);
    }
}

static bool
is_same(const struct log_fold_entry *entry, const struct log_fold_line *line)
{
    return entry->sentence == line->sentence && entry->level == line->level &&
           slice_equal(buf_slice(&entry->same), line->same);
}

/* The place of `line`, or where it is put: a free one, or the oldest. */
static struct log_fold_entry *
place_of(struct log_fold *fold, const struct log_fold_line *line)
{
    struct log_fold_entry *best = &fold->entries[0];
    for (size_t i = 0; i < LOG_FOLD_LINES; i++) {
        struct log_fold_entry *entry = &fold->entries[i];
        if (entry->sentence != NULL && is_same(entry, line)) {
            return entry;
        }
        if (best->sentence != NULL &&
            (entry->sentence == NULL || entry->first_ms < best->first_ms)) {
            best = entry;
        }
    }
    return best;
}

bool
log_fold_take(struct log_fold *fold, int64_t now_ms,
              const struct log_fold_line *line, struct log_fold_entry *ret_over)
{
    *ret_over = (struct log_fold_entry){ 0 };
    if (fold->window_ms == 0 || line->same.len > LOG_FOLD_BYTES ||
        line->tail.len > LOG_FOLD_BYTES) {
        return true;
    }
    struct log_fold_entry *entry = place_of(fold, line);
    if (entry->sentence != NULL && is_same(entry, line) &&
        !is_over(fold, entry, now_ms)) {
        entry->last_ms = now_ms;
        entry->repeats++;
        return false;
    }
    take_out(entry, ret_over);
    entry->level = line->level;
    entry->sentence = line->sentence;
    entry->first_ms = now_ms;
    buf_append(&entry->same, line->same);
    buf_append(&entry->tail, line->tail);
    if (buf_status(&entry->same) != STATUS_OK ||
        buf_status(&entry->tail) != STATUS_OK) {
        log_fold_entry_fini(entry);
    }
    return true;
}

/* Whether it is about the same, and not only about what begins alike. */
static bool
is_about(const struct log_fold_entry *entry, struct slice subject)
{
    struct slice same = buf_slice(&entry->same);
    return slice_starts(same, subject) &&
           (same.len == subject.len || same.ptr[subject.len] == ' ' ||
            same.ptr[subject.len] == ',');
}

bool
log_fold_end(struct log_fold *fold, const struct log_fold_line *line,
             struct log_fold_entry *ret_over)
{
    *ret_over = (struct log_fold_entry){ 0 };
    for (size_t i = 0; i < LOG_FOLD_LINES && ret_over->sentence == NULL; i++) {
        struct log_fold_entry *entry = &fold->entries[i];
        if (entry->sentence != NULL && is_about(entry, line->subject)) {
            take_out(entry, ret_over);
        }
    }
    return ret_over->sentence != NULL;
}

bool
log_fold_over(struct log_fold *fold, int64_t now_ms,
              struct log_fold_entry *ret_over)
{
    *ret_over = (struct log_fold_entry){ 0 };
    for (size_t i = 0; i < LOG_FOLD_LINES && ret_over->sentence == NULL; i++) {
        struct log_fold_entry *entry = &fold->entries[i];
        if (entry->sentence != NULL && is_over(fold, entry, now_ms)) {
            take_out(entry, ret_over);
        }
    }
    return ret_over->sentence != NULL;
}
