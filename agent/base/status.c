/* SPDX-License-Identifier: MIT */
#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct status_row {
    enum disposition disposition;
    const char *words;
};

static const struct status_row table[] = {
#define X(name, disposition, words)                                            \
    [STATUS_##name] = { DISPOSITION_##disposition, words },
    STATUS_TABLE(X)
#undef X
};

static const struct status_row *
row_of(enum status status)
{
    PRE((size_t)status < sizeof(table) / sizeof(table[0]));
    return &table[status];
}

const char *
status_text(enum status status)
{
    return row_of(status)->words;
}

enum disposition
status_disposition(enum status status)
{
    return row_of(status)->disposition;
}

enum status
error_set(struct error *err, enum status status, const char *format, ...)
{
    if (err != NULL) {
        va_list args;
        va_start(args, format);
        (void)vsnprintf(err->text, sizeof(err->text), format, args);
        va_end(args);
    }
    return status;
}

enum status
error_wrap(struct error *err, enum status status, const char *format, ...)
{
    if (err == NULL) {
        return status;
    }
    char old[sizeof(err->text)];
    (void)snprintf(old, sizeof(old), "%s", error_text(err, status));
    va_list args;
    va_start(args, format);
    (void)vsnprintf(err->text, sizeof(err->text), format, args);
    va_end(args);
    size_t used = strlen(err->text);
    (void)snprintf(err->text + used, sizeof(err->text) - used, ": %s", old);
    return status;
}

const char *
error_text(const struct error *err, enum status status)
{
    return err != NULL && err->text[0] != '\0' ? err->text
                                               : status_text(status);
}

_Noreturn void
status_pre_failed(const char *condition, const char *file, int line)
{
    (void)fprintf(stderr,
                  "longstop: internal error: %s does not hold at %s:%d; please "
                  "report this\n",
                  condition, file, line);
    abort();
}
