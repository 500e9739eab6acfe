/* SPDX-License-Identifier: MIT */
/* pthread_setname_np is a GNU extension: the thread has a name in ps and top.
 */
#define _GNU_SOURCE
#include "io/offload.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "base/mem.h"
#include "io/loop.h"

struct offload {
    struct offload_spec spec;
    struct loop_bell *bell;
    pthread_t thread;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t wake;
    struct list waiting;
    struct list finished;
    bool ending;
};

static void
take_batch(struct offload *offload, struct list *batch)
{
    if (offload->spec.batch_most == 0) {
        list_join(batch, &offload->waiting);
        return;
    }
    for (size_t i = 0; i < offload->spec.batch_most; i++) {
        struct list *call = list_take(&offload->waiting);
        if (call == NULL) {
            return;
        }
        list_append(batch, call);
    }
}

static void *
run(void *arg)
{
    struct offload *offload = arg;
    struct list batch;
    list_init(&batch);
    (void)pthread_setname_np(pthread_self(), offload->spec.name);

    (void)pthread_mutex_lock(&offload->lock);
    for (;;) {
        while (list_empty(&offload->waiting) && !offload->ending) {
            (void)pthread_cond_wait(&offload->wake, &offload->lock);
        }
        if (list_empty(&offload->waiting)) {
            break;
        }
        take_batch(offload, &batch);
        (void)pthread_mutex_unlock(&offload->lock);
        offload->spec.work(offload->spec.arg, &batch);
        (void)pthread_mutex_lock(&offload->lock);
        list_join(&offload->finished, &batch);
        /* Under the lock: once the loop sees the calls it may end the thread
         * and the bell with it. */
        loop_bell_ring(offload->bell);
    }
    (void)pthread_mutex_unlock(&offload->lock);
    return NULL;
}

/* Gives back one at a time, so that whoever is called may start and revoke
 * others meanwhile. */
static void
give_back(void *arg)
{
    struct offload *offload = arg;
    struct list back;
    list_init(&back);
    (void)pthread_mutex_lock(&offload->lock);
    list_join(&back, &offload->finished);
    (void)pthread_mutex_unlock(&offload->lock);

    for (;;) {
        struct list *call = list_take(&back);
        if (call == NULL) {
            return;
        }
        offload->spec.done(offload->spec.arg, call);
    }
}

/* Signals are the loop's: the thread takes none. */
static int
start_thread(struct offload *offload)
{
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&offload->thread, NULL, run, offload);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed;
}

enum status
offload_create(struct loop *loop, const struct offload_spec *spec,
               struct offload **ret, struct error *err)
{
    struct offload *offload = mem_zero(sizeof(*offload));
    if (offload == NULL) {
        return error_set(err, STATUS_NOMEM, "thread %s: out of memory",
                         spec->name);
    }
    offload->spec = *spec;
    list_init(&offload->waiting);
    list_init(&offload->finished);
    (void)pthread_mutex_init(&offload->lock, NULL);
    (void)pthread_cond_init(&offload->wake, NULL);

    enum status status =
        loop_bell_create(loop, give_back, offload, &offload->bell);
    if (status != STATUS_OK) {
        (void)error_set(err, status, "thread %s: %s", spec->name,
                        status_text(status));
        goto free_offload;
    }
    int failed = start_thread(offload);
    if (failed != 0) {
        status = error_set(err, STATUS_NOMEM, "thread %s: %s", spec->name,
                           strerror(failed));
        goto destroy_bell;
    }
    *ret = offload;
    return STATUS_OK;

destroy_bell:
    loop_bell_destroy(offload->bell);
free_offload:
    (void)pthread_cond_destroy(&offload->wake);
    (void)pthread_mutex_destroy(&offload->lock);
    mem_free(offload);
    return status;
}

void
offload_destroy(struct offload *offload)
{
    if (offload == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&offload->lock);
    offload->ending = true;
    (void)pthread_cond_signal(&offload->wake);
    (void)pthread_mutex_unlock(&offload->lock);
    (void)pthread_join(offload->thread, NULL);
    loop_bell_destroy(offload->bell);
    (void)pthread_cond_destroy(&offload->wake);
    (void)pthread_mutex_destroy(&offload->lock);
    mem_free(offload);
}

void
offload_put(struct offload *offload, struct list *call)
{
    (void)pthread_mutex_lock(&offload->lock);
    list_append(&offload->waiting, call);
    (void)pthread_cond_signal(&offload->wake);
    (void)pthread_mutex_unlock(&offload->lock);
}

bool
offload_revoke(struct offload *offload, struct list *call)
{
    bool found = false;
    (void)pthread_mutex_lock(&offload->lock);
    list_for_each(at, &offload->waiting) {
        if (at == call) {
            found = true;
            break;
        }
    }
    if (found) {
        list_remove(call);
    }
    (void)pthread_mutex_unlock(&offload->lock);
    return found;
}
