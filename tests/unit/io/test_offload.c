/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <semaphore.h>

#include "base/mem.h"
#include "io/loop.h"
#include "io/offload.h"

enum { CALLS = 100 };

struct call {
    struct list link;
    size_t number;
    size_t batch; /* the how-manieth batch it was in, from 1 */
    size_t batch_size;
};

static struct {
    struct loop *loop;
    sem_t begun; /* posted when the first batch is with the thread */
    sem_t go;    /* the first batch waits for it */
    size_t batches;
    size_t back[CALLS];
    size_t count;
    size_t wanted;
} seen;

static void
work(void *arg, struct list *batch)
{
    (void)arg;
    seen.batches++;
    if (seen.batches == 1) {
        (void)sem_post(&seen.begun);
        (void)sem_wait(&seen.go);
    }
    size_t size = 0;
    list_for_each(link, batch) {
        size++;
    }
    list_for_each(link, batch) {
        struct call *call = list_entry(link, struct call, link);
        call->batch = seen.batches;
        call->batch_size = size;
    }
}

static void
done(void *arg, struct list *link)
{
    (void)arg;
    seen.back[seen.count++] = list_entry(link, struct call, link)->number;
    if (seen.count == seen.wanted) {
        loop_stop(seen.loop);
    }
}

static struct offload *
open_thread(size_t batch_most)
{
    seen.batches = 0;
    seen.count = 0;
    (void)sem_init(&seen.begun, 0, 0);
    (void)sem_init(&seen.go, 0, 0);
    assert_int_equal(loop_create(&seen.loop), STATUS_OK);
    const struct offload_spec spec = {
        .name = "test", .batch_most = batch_most, .work = work, .done = done
    };
    struct offload *offload = NULL;
    assert_int_equal(offload_create(seen.loop, &spec, &offload, NULL),
                     STATUS_OK);
    return offload;
}

static void
close_thread(struct offload *offload)
{
    offload_destroy(offload);
    loop_destroy(seen.loop);
    (void)sem_destroy(&seen.begun);
    (void)sem_destroy(&seen.go);
}

/* Puts one call, and the others while the thread is busy with it. */
static void
put_all(struct offload *offload, struct call *calls)
{
    for (size_t i = 0; i < CALLS; i++) {
        calls[i] = (struct call){ .number = i };
        offload_put(offload, &calls[i].link);
        if (i == 0) {
            (void)sem_wait(&seen.begun);
        }
    }
}

static void
calls_come_back_once_and_in_order(void **state)
{
    (void)state;
    static struct call calls[CALLS];
    struct offload *offload = open_thread(1);
    put_all(offload, calls);
    (void)sem_post(&seen.go);
    seen.wanted = CALLS;
    loop_run(seen.loop);
    for (size_t i = 0; i < CALLS; i++) {
        assert_int_equal(seen.back[i], i);
        assert_int_equal(calls[i].batch, i + 1);
        assert_int_equal(calls[i].batch_size, 1);
    }
    close_thread(offload);
}

static void
what_waits_is_done_together(void **state)
{
    (void)state;
    static struct call calls[CALLS];
    struct offload *offload = open_thread(0);
    put_all(offload, calls);
    (void)sem_post(&seen.go);
    seen.wanted = CALLS;
    loop_run(seen.loop);
    assert_int_equal(calls[0].batch_size, 1);
    for (size_t i = 1; i < CALLS; i++) {
        assert_int_equal(seen.back[i], i);
        assert_int_equal(calls[i].batch, 2);
        assert_int_equal(calls[i].batch_size, CALLS - 1);
    }
    close_thread(offload);
}

static void
only_what_waits_can_be_revoked(void **state)
{
    (void)state;
    static struct call calls[CALLS];
    struct offload *offload = open_thread(1);
    put_all(offload, calls);
    assert_false(offload_revoke(offload, &calls[0].link));
    for (size_t i = 1; i < CALLS; i += 2) {
        assert_true(offload_revoke(offload, &calls[i].link));
        assert_false(offload_revoke(offload, &calls[i].link));
    }
    (void)sem_post(&seen.go);
    seen.wanted = CALLS / 2;
    loop_run(seen.loop);
    for (size_t i = 0; i < CALLS / 2; i++) {
        assert_int_equal(seen.back[i], 2 * i);
    }
    close_thread(offload);
}

static void
memory_that_runs_out_is_told(void **state)
{
    (void)state;
    assert_int_equal(loop_create(&seen.loop), STATUS_OK);
    const struct offload_spec spec = { .name = "test",
                                       .work = work,
                                       .done = done };
    enum status status = STATUS_NOMEM;
    struct offload *offload = NULL;
    for (long n = 0; status == STATUS_NOMEM; n++) {
        (void)mem_fail_after(n, 0);
        status = offload_create(seen.loop, &spec, &offload, NULL);
        (void)mem_fail_after(-1, 0);
        assert_true(status == STATUS_OK || n < 10);
    }
    assert_int_equal(status, STATUS_OK);
    offload_destroy(offload);
    offload_destroy(NULL);
    loop_destroy(seen.loop);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_come_back_once_and_in_order),
        cmocka_unit_test(what_waits_is_done_together),
        cmocka_unit_test(only_what_waits_can_be_revoked),
        cmocka_unit_test(memory_that_runs_out_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
