/* SPDX-License-Identifier: MIT */
/*
 * kit: what the plugins here do alike: settings, words, and how much time is
 * left. Built into each of them; a plugin of one's own may do without.
 */
#ifndef PLUGIN_KIT_H
#define PLUGIN_KIT_H

#include "plugin/plugin.h"

#define KIT_PRINTF(f, a) __attribute__((format(printf, f, a)))

/* What tells whoever reads that an entry is a replay: a header, a property or a
 * field of this name, which is there for replays only. */
#define KIT_REPLAY       "longstop-replay"
#define KIT_REPLAY_VALUE "1"

/* For what a slice of waiting may last, so that should_stop is heard. */
#define KIT_SLICE_MS 100

/* The settings as a session keeps them. */
struct kit_settings {
    struct longstop_setting *at;
    size_t count;
};

/* Copies them all; false for want of memory. */
bool kit_settings_copy(struct kit_settings *into,
                       const struct longstop_setting *settings, size_t count);

/* Wipes and frees; none is allowed. */
void kit_settings_free(struct kit_settings *settings);

/* Returns a value, or NULL when the key was not given. */
const char *kit_text(const struct kit_settings *settings, const char *name);

/* Returns a number, 0 when the key was not given. */
int64_t kit_number(const struct kit_settings *settings, const char *name);

/* Whether the value of the key is `value`. */
bool kit_is(const struct kit_settings *settings, const char *name,
            const char *value);

/* Writes words, cut to what fits, without control characters. */
void kit_say(char words[LONGSTOP_WORDS_BYTES], const char *format, ...)
    KIT_PRINTF(2, 3);

/* The same into every entry that is still LATER and has no words yet. */
void kit_say_all(struct longstop_entry *entries, size_t count,
                 const char *format, ...) KIT_PRINTF(3, 4);

/* A point in time until which to wait. */
struct kit_deadline {
    int64_t at_ms;
    const struct longstop_host *host;
};

struct kit_deadline kit_deadline_in(const struct longstop_host *host,
                                    int64_t timeout_ms);

/* Returns the ms of the next slice of waiting, at most KIT_SLICE_MS; 0 when
 * time is up or the host wants to stop. */
int kit_slice(const struct kit_deadline *deadline);

/* Returns what is left in ms, at least 1. */
int64_t kit_left_ms(const struct kit_deadline *deadline);

/* Returns the bytes with a NUL behind, to be freed; NULL for want of memory. */
char *kit_copy(struct longstop_bytes bytes);

#endif
