/* SPDX-License-Identifier: MIT */
#include "handler/handler_file.h"

#include <string.h>

#include "base/list.h"
#include "base/mem.h"
#include "io/fs.h"
#include "io/loop.h"
#include "io/offload.h"

/*
 * The happy path: start puts a line into the thread's queue; the thread takes
 * all that wait, writes them at once, syncs once, and gives them back.
 *
 * What can go wrong: a write fails (no room) and is cut back, or a sync fails,
 * after which nobody knows what the kernel still holds. Both times every line
 * of the batch is told so, and the file is opened anew for the next one, which
 * cuts whatever unfinished line is left.
 */

struct file {
    struct handler base;
    struct loop *loop;
    struct offload *thread;
    char *path;
    struct list reopens; /* calls for that, while they are with the thread */
    size_t running;
    /* Of the thread. */
    struct fs_append *open; /* NULL: to be opened before the next write */
    struct buf lines;
};

/* Without a `done` it is no line: the file is to be opened anew. Each time it
 * is asked for has a call of its own, so that what comes behind it is written
 * to the new file, however far the thread is. */
struct line {
    struct list call;
    struct list link; /* in `reopens` */
    struct slice text;
    handler_result_fn *done;
    void *arg;
    int64_t started_ms;
    enum status status; /* of the thread, until it is given back */
    struct error err;
};

/* Above it the memory of a batch is given back: bodies may be large once. */
#define KEEP_BYTES ((size_t)256 * 1024)

/* On the thread */

static void
close_file(struct file *file)
{
    fs_append_close(file->open);
    file->open = NULL;
}

/* Puts the lines of the batch together; closes where that was asked. */
static void
gather(struct file *file, struct list *batch)
{
    buf_clear(&file->lines);
    list_for_each(call, batch) {
        struct line *line = list_entry(call, struct line, call);
        if (line->done == NULL) {
            close_file(file);
            continue;
        }
        buf_append(&file->lines, line->text);
        buf_byte(&file->lines, '\n');
    }
}

static enum status
write_lines(struct file *file, struct error *err)
{
    enum status status = buf_status(&file->lines);
    if (status != STATUS_OK) {
        return error_set(err, status, "%s: %s", file->path,
                         status_text(status));
    }
    if (file->open == NULL) {
        status = fs_append_open(file->path, &file->open, err);
    }
    if (status == STATUS_OK && file->lines.len > 0) {
        status = fs_append_write(file->open, buf_slice(&file->lines), err);
        if (status == STATUS_OK) {
            status = fs_append_sync(file->open, err);
        }
        if (status != STATUS_OK) {
            close_file(file);
        }
    }
    return status;
}

static void
write_batch(void *arg, struct list *batch)
{
    struct file *file = arg;
    struct error err = { "" };
    gather(file, batch);
    enum status status = write_lines(file, &err);
    list_for_each(call, batch) {
        struct line *line = list_entry(call, struct line, call);
        line->status = status;
        line->err = err;
    }
    if (file->lines.cap > KEEP_BYTES) {
        buf_fini(&file->lines);
    }
}

/* On the loop */

static void
written(void *arg, struct list *call)
{
    struct file *file = arg;
    struct line *line = list_entry(call, struct line, call);
    if (line->done == NULL) {
        list_remove(&line->link);
        mem_free(line);
        return;
    }
    bool is_done = line->status == STATUS_OK;
    /* Whatever was wrong with the file, a later attempt may find it right. */
    const struct handler_result result = {
        .disposition = is_done ? DISPOSITION_DONE : DISPOSITION_LATER,
        .detail = slice_of(is_done ? "written"
                                   : error_text(&line->err, line->status)),
        .duration_ms = loop_now_ms(file->loop) - line->started_ms,
    };
    file->running--;
    line->done(line->arg, &result);
    mem_free(line);
}

static enum status
start(struct handler *handler, const struct delivery *delivery,
      handler_result_fn *done, void *arg, struct error *err)
{
    struct file *file = (struct file *)(void *)handler;
    if (slice_find(delivery->envelope, '\n') != SIZE_MAX) {
        return error_set(err, STATUS_INVALID,
                         "%s: these bytes are more than one line; use format: "
                         "cloudevents",
                         file->path);
    }
    struct line *line = mem_zero(sizeof(*line));
    if (line == NULL) {
        return error_set(err, STATUS_NOMEM, "%s: out of memory", file->path);
    }
    line->text = delivery->envelope;
    line->done = done;
    line->arg = arg;
    line->started_ms = loop_now_ms(file->loop);
    file->running++;
    offload_put(file->thread, &line->call);
    return STATUS_OK;
}

/* A write is never cut short: each ends soon by itself. */
static void
cancel(struct handler *handler)
{
    (void)handler;
}

static void
reopen(struct handler *handler)
{
    struct file *file = (struct file *)(void *)handler;
    struct line *line = mem_zero(sizeof(*line));
    if (line != NULL) { /* else the next SIGHUP does it */
        list_append(&file->reopens, &line->link);
        offload_put(file->thread, &line->call);
    }
}

static void
free_file(struct file *file)
{
    offload_destroy(file->thread);
    struct list *link = NULL;
    while ((link = list_take(&file->reopens)) != NULL) {
        mem_free(list_entry(link, struct line, link));
    }
    fs_append_close(file->open);
    buf_fini(&file->lines);
    mem_free(file->path);
    mem_free(file);
}

static void
destroy(struct handler *handler)
{
    struct file *file = (struct file *)(void *)handler;
    PRE(file->running == 0);
    free_file(file);
}

static const struct handler_ops ops = {
    .start = start,
    .cancel = cancel,
    .reopen = reopen,
    .destroy = destroy,
};

enum status
handler_file_create(struct loop *loop, const char *path, struct handler **ret,
                    struct error *err)
{
    struct file *file = mem_zero(sizeof(*file));
    struct buf copy = { 0 };
    buf_text(&copy, path);
    if (file == NULL || buf_status(&copy) != STATUS_OK) {
        mem_free(file);
        buf_fini(&copy);
        return error_set(err, STATUS_NOMEM, "%s: out of memory", path);
    }
    file->base.ops = &ops;
    file->loop = loop;
    file->path = buf_detach(&copy);
    list_init(&file->reopens);
    const struct offload_spec spec = {
        .name = "file",
        .work = write_batch,
        .done = written,
        .arg = file,
    };
    enum status status = fs_append_open(path, &file->open, err);
    if (status == STATUS_OK) {
        status = offload_create(loop, &spec, &file->thread, err);
    }
    if (status != STATUS_OK) {
        free_file(file);
        return status;
    }
    *ret = &file->base;
    return STATUS_OK;
}
