/* SPDX-License-Identifier: MIT */
#include "io/log_sink.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/instant.h"
#include "base/mem.h"
#include "io/clock.h"
#include "io/loop.h"

/* How late it may be said that a line came again. */
#define LATE_MS (5 * INSTANT_SECOND_MS)

struct log_attendant {
    struct loop_timer *timer;
};

/* sd-daemon(3): the journal reads the priority from the line's beginning. */
static const char priorities[][4] = {
    [LOG_ERROR] = "<3>",
    [LOG_WARN] = "<4>",
    [LOG_INFO] = "<6>",
    [LOG_DEBUG] = "<7>",
};

static bool to_journal;

/* systemd.exec(5), $JOURNAL_STREAM: set and equal to what stderr is, else
 * somebody put another stderr between the journal and us. */
static bool
stderr_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat info;
    if (stream == NULL || fstat(STDERR_FILENO, &info) != 0) {
        return false;
    }
    char ours[48];
    (void)snprintf(ours, sizeof(ours), "%ju:%ju", (uintmax_t)info.st_dev,
                   (uintmax_t)info.st_ino);
    return strcmp(stream, ours) == 0;
}

/* One system call a line, so that lines of several threads do not mix. */
static void
write_line(void *arg, enum log_level level, struct slice line)
{
    (void)arg;
    /* writev reads only; its type cannot say so */
    union {
        const char *in;
        void *out;
    } prefix = { .in = priorities[level] }, text = { .in = line.ptr };
    static char newline[] = "\n";
    struct iovec parts[] = {
        { .iov_base = prefix.out, .iov_len = to_journal ? 3 : 0 },
        { .iov_base = text.out, .iov_len = line.len },
        { .iov_base = newline, .iov_len = 1 },
    };
    ssize_t put = writev(STDERR_FILENO, parts, 3);
    (void)put; /* there is nowhere to report it */
}

void
log_sink_open(const char *format, enum log_level most)
{
    static const struct {
        const char *name;
        enum log_format format;
    } formats[] = {
        { "text", LOG_FORMAT_TEXT },
        { "logfmt", LOG_FORMAT_LOGFMT },
        { "json", LOG_FORMAT_JSON },
    };
    enum log_format chosen =
        isatty(STDERR_FILENO) ? LOG_FORMAT_TEXT : LOG_FORMAT_LOGFMT;
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        if (format != NULL && strcmp(format, formats[i].name) == 0) {
            chosen = formats[i].format;
        }
    }
    to_journal = stderr_is_journal();
    /* the journal stamps lines itself */
    log_set_format(chosen, to_journal ? NULL : clock_unix_ms);
    log_set_sink(write_line, NULL, most);
}

static void
look(void *arg)
{
    struct log_attendant *attendant = arg;
    log_fold_due();
    loop_timer_arm(attendant->timer, LATE_MS);
}

void
log_sink_fold_for(int64_t window_ms)
{
    log_set_fold(window_ms, clock_monotonic_ms);
}

enum status
log_sink_fold(struct loop *loop, int64_t window_ms, struct log_attendant **ret)
{
    struct log_attendant *attendant = mem_zero(sizeof(*attendant));
    *ret = NULL;
    if (attendant == NULL) {
        return STATUS_NOMEM;
    }
    enum status status =
        loop_timer_create(loop, look, attendant, &attendant->timer);
    if (status != STATUS_OK) {
        mem_free(attendant);
        return status;
    }
    log_sink_fold_for(window_ms);
    loop_timer_arm(attendant->timer, LATE_MS);
    *ret = attendant;
    return STATUS_OK;
}

void
log_sink_unfold(struct log_attendant *attendant)
{
    if (attendant != NULL) {
        log_set_fold(0, NULL);
        loop_timer_destroy(attendant->timer);
        mem_free(attendant);
    }
}
