/* SPDX-License-Identifier: MIT */
#include "handler/handler_program.h"

#include <stdio.h>

#include "io/account.h"
#include "io/process.h"

static const char standard_path[] =
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

enum status
handler_program_check(const struct handler_exec_settings *settings,
                      struct error *err)
{
    if (settings->argc == 0 || settings->argv[0].len == 0) {
        return error_set(err, STATUS_CONFIG,
                         "handler %.*s: exec names no program",
                         SLICE_ARG(settings->name));
    }
    return settings->account == NULL || account_may_become(settings->account)
               ? STATUS_OK
               : error_set(err, STATUS_CONFIG,
                           "handler %.*s: its `user` is another than ours, "
                           "which takes root, or CAP_SETUID and CAP_SETGID "
                           "(systemd: AmbientCapabilities= and "
                           "CapabilityBoundingSet=)",
                           SLICE_ARG(settings->name));
}

char *
handler_program_variable(struct arena *arena, const char *name,
                         struct slice value)
{
    struct buf text = { 0 };
    buf_text(&text, name);
    buf_byte(&text, '=');
    for (size_t i = 0; i < value.len; i++) {
        unsigned char byte = (unsigned char)value.ptr[i];
        if (byte < ' ' || byte == 0x7f) {
            buf_format(&text, "%%%02X", byte);
        } else {
            buf_byte(&text, value.ptr[i]);
        }
    }
    char *copy = buf_status(&text) == STATUS_OK
                     ? arena_text(arena, buf_slice(&text))
                     : NULL;
    buf_fini(&text);
    return copy;
}

/* Returns copies of `texts` behind `first`, if that is not NULL. */
static const char **
copy_texts(struct arena *arena, const char *first, const struct slice *texts,
           size_t count)
{
    size_t start_at = first != NULL ? 1 : 0;
    const char **copy = arena_array(arena, start_at + count + 1, sizeof(*copy));
    if (copy == NULL) {
        return NULL;
    }
    copy[0] = first;
    for (size_t i = 0; i < count; i++) {
        copy[start_at + i] = arena_text(arena, texts[i]);
        if (copy[start_at + i] == NULL) {
            return NULL;
        }
    }
    return copy;
}

/* A PATH of the configuration replaces ours: two of them would leave it to the
 * program which one counts. */
static bool
has_path(const struct handler_exec_settings *settings)
{
    static const struct slice prefix = SLICE("PATH=");
    for (size_t i = 0; i < settings->env_count; i++) {
        if (slice_starts(settings->env[i], prefix)) {
            return true;
        }
    }
    return false;
}

bool
handler_program_copy(struct arena *arena,
                     const struct handler_exec_settings *settings,
                     struct handler_program *ret)
{
    const char *path = has_path(settings) ? NULL : standard_path;
    ret->argv = copy_texts(arena, NULL, settings->argv, settings->argc);
    ret->env = copy_texts(arena, path, settings->env, settings->env_count);
    ret->env_count = settings->env_count + (path != NULL ? 1 : 0);
    ret->account = settings->account;
    return ret->argv != NULL && ret->env != NULL;
}

struct slice
handler_program_end(const struct process_end *end, char *into, size_t size)
{
    int len;
    if (end->status != STATUS_OK) {
        len = snprintf(into, size, "%s", end->reason);
    } else if (end->signal != 0) {
        len = snprintf(into, size, "killed by signal %d", end->signal);
    } else {
        len = snprintf(into, size, "exit %d", end->exit_code);
    }
    return slice_first(slice_of(into), len < 0 ? 0 : (size_t)len);
}
