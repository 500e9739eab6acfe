/* SPDX-License-Identifier: MIT */
#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "orders.h"

struct journal {
    int fd; /* -1: nobody wants it */
};

enum status
journal_open(const char *path, struct journal **ret, struct error *err)
{
    struct journal *journal = mem_zero(sizeof(*journal));
    if (journal == NULL) {
        return STATUS_NOMEM;
    }
    journal->fd = -1;
    if (path != NULL) {
        journal->fd =
            open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (journal->fd < 0) {
            int cause = errno;
            mem_free(journal);
            return error_set(err, STATUS_IO, "%s: %s", path, strerror(cause));
        }
    }
    *ret = journal;
    return STATUS_OK;
}

void
journal_close(struct journal *journal)
{
    if (journal == NULL) {
        return;
    }
    if (journal->fd >= 0) {
        (void)close(journal->fd);
    }
    mem_free(journal);
}

void
journal_write(struct journal *journal, const struct orders *orders,
              const struct fact *fact, bool hooked)
{
    if (journal->fd < 0) {
        return;
    }
    struct buf line = { 0 };
    buf_text(&line, "{\"id\":\"");
    orders_name(orders, fact, &line);
    buf_format(&line, "\",\"type\":\"%s\",\"produced_at\":\"",
               orders_type(fact));
    orders_stamp(orders, fact->updated_ms, &line);
    buf_format(&line, "\",\"hooked\":%s}\n", hooked ? "true" : "false");
    /* one write a line: whoever reads along never sees half of one */
    if (buf_status(&line) != STATUS_OK ||
        write(journal->fd, line.ptr, line.len) != (ssize_t)line.len) {
        (void)fprintf(stderr, "longstop-provider: the journal failed: %s\n",
                      strerror(errno));
        exit(EXIT_FAILURE);
    }
    buf_fini(&line);
}
