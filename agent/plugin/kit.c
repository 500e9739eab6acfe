/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L
#include "plugin/kit.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int64_t
now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool
kit_settings_copy(struct kit_settings *into,
                  const struct longstop_setting *settings, size_t count)
{
    *into = (struct kit_settings){ calloc(count + 1, sizeof(*into->at)), 0 };
    if (into->at == NULL) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        struct longstop_setting *copy = &into->at[into->count++];
        copy->name = strdup(settings[i].name);
        copy->value = strdup(settings[i].value);
        if (copy->name == NULL || copy->value == NULL) {
            kit_settings_free(into);
            return false;
        }
    }
    return true;
}

void
kit_settings_free(struct kit_settings *settings)
{
    for (size_t i = 0; i < settings->count; i++) {
        union {
            const char *text;
            char *ours;
        } name = { settings->at[i].name }, value = { settings->at[i].value };
        volatile char *wiped = value.ours;
        while (wiped != NULL && *wiped != '\0') {
            *wiped++ = '\0'; /* it may be a secret */
        }
        free(name.ours);
        free(value.ours);
    }
    free(settings->at);
    *settings = (struct kit_settings){ 0 };
}

const char *
kit_text(const struct kit_settings *settings, const char *name)
{
    for (size_t i = 0; i < settings->count; i++) {
        if (strcmp(settings->at[i].name, name) == 0) {
            return settings->at[i].value;
        }
    }
    return NULL;
}

int64_t
kit_number(const struct kit_settings *settings, const char *name)
{
    const char *text = kit_text(settings, name);
    return text == NULL ? 0 : strtoll(text, NULL, 10);
}

bool
kit_is(const struct kit_settings *settings, const char *name, const char *value)
{
    const char *text = kit_text(settings, name);
    return text != NULL && strcmp(text, value) == 0;
}

/* Words come from anywhere: they are to be one line. */
static void
make_line(char words[LONGSTOP_WORDS_BYTES])
{
    size_t len = strlen(words);
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)words[i] < ' ' || words[i] == 127) {
            words[i] = ' ';
        }
    }
    while (len > 0 && words[len - 1] == ' ') {
        words[--len] = '\0';
    }
}

void
kit_say(char words[LONGSTOP_WORDS_BYTES], const char *format, ...)
{
    va_list values;
    va_start(values, format);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): it is started */
    (void)vsnprintf(words, LONGSTOP_WORDS_BYTES, format, values);
    va_end(values);
    make_line(words);
}

void
kit_say_all(struct longstop_entry *entries, size_t count, const char *format,
            ...)
{
    char words[LONGSTOP_WORDS_BYTES];
    va_list values;
    va_start(values, format);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): it is started */
    (void)vsnprintf(words, sizeof(words), format, values);
    va_end(values);
    make_line(words);
    for (size_t i = 0; i < count; i++) {
        if (entries[i].outcome == LONGSTOP_LATER &&
            entries[i].words[0] == '\0') {
            memcpy(entries[i].words, words, sizeof(words));
        }
    }
}

struct kit_deadline
kit_deadline_in(const struct longstop_host *host, int64_t timeout_ms)
{
    return (struct kit_deadline){ now_ms() + timeout_ms, host };
}

int
kit_slice(const struct kit_deadline *deadline)
{
    int64_t left = deadline->at_ms - now_ms();
    if (left <= 0 || deadline->host->should_stop(deadline->host->arg)) {
        return 0;
    }
    return left < KIT_SLICE_MS ? (int)left : KIT_SLICE_MS;
}

int64_t
kit_left_ms(const struct kit_deadline *deadline)
{
    int64_t left = deadline->at_ms - now_ms();
    return left < 1 ? 1 : left;
}

char *
kit_copy(struct longstop_bytes bytes)
{
    char *copy = malloc(bytes.len + 1);
    if (copy != NULL) {
        memcpy(copy, bytes.at, bytes.len);
        copy[bytes.len] = '\0';
    }
    return copy;
}
