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
    const struct orders *orders;
    struct buf line;
};

enum status
journal_open(const char *path, const struct orders *orders,
             struct journal **ret, struct error *err)
{
    struct journal *journal = mem_zero(sizeof(*journal));
    if (journal == NULL) {
        return STATUS_NOMEM;
    }
    journal->fd = -1;
    journal->orders = orders;
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
    buf_fini(&journal->line);
    mem_free(journal);
}

static void
begin(struct journal *journal, const struct fact *fact, const char *what,
      bool hooked)
{
    struct buf *line = &journal->line;
    buf_clear(line);
    buf_text(line, "{\"id\":\"");
    orders_name(journal->orders, fact, line);
    buf_format(line, "\",\"type\":\"%s\",\"produced_at\":\"",
               orders_type(fact));
    orders_stamp(journal->orders, fact->updated_ms, line);
    buf_format(line, "\",\"what\":\"%s\",\"hooked\":%s", what,
               hooked ? "true" : "false");
}

static void
add(struct journal *journal, const char *name, int64_t value)
{
    buf_format(&journal->line, ",\"%s\":%lld", name, (long long)value);
}

static void
end(struct journal *journal)
{
    struct buf *line = &journal->line;
    buf_text(line, "}\n");
    /* one write a line: whoever reads along never sees half of one */
    if (buf_status(line) != STATUS_OK ||
        (journal->fd >= 0 &&
         write(journal->fd, line->ptr, line->len) != (ssize_t)line->len)) {
        (void)fprintf(stderr, "longstop-provider: the journal failed: %s\n",
                      strerror(errno));
        exit(EXIT_FAILURE);
    }
}

void
journal_fact(struct journal *journal, const struct fact *fact)
{
    begin(journal, fact, "fact", false);
    add(journal, "stamp_ms", fact->updated_ms);
    add(journal, "visible_ms", fact->listed_ms);
    end(journal);
}

void
journal_hooked(struct journal *journal, const struct fact *fact,
               const struct journal_hook *hook)
{
    begin(journal, fact, "hook", true);
    add(journal, "attempts", hook->attempts);
    add(journal, "sent_ms", hook->sent_ms);
    add(journal, "answered_ms", hook->answered_ms);
    end(journal);
}

void
journal_listed(struct journal *journal, const struct fact *fact,
               const struct journal_shown *shown)
{
    begin(journal, fact, "listed", false);
    add(journal, "shown_ms", shown->shown_ms);
    add(journal, "asked_ms", shown->asked_ms);
    add(journal, "missed_ms", shown->missed_ms);
    add(journal, "missed_took_ms", shown->missed_took_ms);
    end(journal);
}
