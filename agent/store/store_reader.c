/* SPDX-License-Identifier: MIT */
#include "store/store_reader.h"

#include "io/offload.h"

struct store_reader {
    struct store_view *view;
    struct offload *offload;
    struct list under_way; /* calls, by `held` */
};

/* On the thread. */
static void
answer(struct store_view *view, struct view_call *call)
{
    const struct store_view_ops *ops = view->ops;
    struct arena *arena = &call->arena;
    struct error *err = &call->err;
    enum status status = STATUS_INVALID;
    switch (call->kind) {
    case VIEW_GAPS: status = ops->gaps(view, &call->gaps, arena, err); break;
    case VIEW_EVENTS:
        status = ops->events(view, &call->events, arena, err);
        break;
    case VIEW_DETAIL:
        status = ops->detail(view, &call->detail, arena, err);
        break;
    case VIEW_KEYS: status = ops->keys(view, &call->keys, arena, err); break;
    case VIEW_TOTALS:
        status = ops->totals(view, &call->totals, arena, err);
        break;
    case VIEW_REFUSALS:
        status = ops->refusals(view, &call->refusals, arena, err);
        break;
    case VIEW_LETTERS: status = ops->dead(view, &call->dead, arena, err); break;
    case VIEW_LETTER_REASONS:
        status = ops->reasons(view, &call->reasons, arena, err);
        break;
    case VIEW_ERRANDS:
        status = ops->errands(view, &call->errands, arena, err);
        break;
    case VIEW_KIND_COUNT: break;
    }
    call->status = status;
}

static void
work(void *arg, struct list *batch)
{
    struct store_reader *reader = arg;
    list_for_each(at, batch) {
        answer(reader->view, list_entry(at, struct view_call, link));
    }
}

/* On the loop. */
static void
came_back(void *arg, struct list *link)
{
    (void)arg;
    struct view_call *call = list_entry(link, struct view_call, link);
    list_remove(&call->held);
    call->done(call);
}

enum status
store_reader_create(struct loop *loop, struct store_view *view,
                    struct store_reader **ret, struct error *err)
{
    struct store_reader *reader = mem_zero(sizeof(*reader));
    if (reader == NULL) {
        view->ops->close(view);
        return error_set(err, STATUS_NOMEM, "store: out of memory");
    }
    reader->view = view;
    list_init(&reader->under_way);
    const struct offload_spec spec = { .name = "reader",
                                       .batch_most = 1,
                                       .work = work,
                                       .done = came_back,
                                       .arg = reader };
    enum status status = offload_create(loop, &spec, &reader->offload, err);
    if (status != STATUS_OK) {
        view->ops->close(view);
        mem_free(reader);
        return status;
    }
    *ret = reader;
    return STATUS_OK;
}

void
store_reader_submit(struct store_reader *reader, struct view_call *call)
{
    call->status = STATUS_OK;
    call->err.text[0] = '\0';
    list_append(&reader->under_way, &call->held);
    offload_put(reader->offload, &call->link);
}

void
store_reader_destroy(struct store_reader *reader)
{
    if (reader == NULL) {
        return;
    }
    list_for_each(at, &reader->under_way) {
        struct view_call *call = list_entry(at, struct view_call, held);
        (void)offload_revoke(reader->offload, &call->link);
    }
    offload_destroy(reader->offload);
    for (struct list *at; (at = list_take(&reader->under_way)) != NULL;) {
        struct view_call *call = list_entry(at, struct view_call, held);
        call->status = STATUS_CANCELED;
        call->done(call);
    }
    reader->view->ops->close(reader->view);
    mem_free(reader);
}
