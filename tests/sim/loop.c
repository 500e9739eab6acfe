/* SPDX-License-Identifier: MIT */
#include "sim/loop.h"

#include "base/list.h"
#include "base/mem.h"
#include "io/loop.h"
#include "sim/vtime.h"

struct deferred {
    struct list link;
    loop_fn *fn;
    void *arg;
};

struct loop_turn {
    struct list link;
    loop_fn *fn;
    void *arg;
};

struct loop {
    struct list deferred;
    struct list turns;
};

struct loop_timer {
    struct alarm alarm;
};

enum status
loop_create(struct loop **ret_loop)
{
    struct loop *loop = mem_zero(sizeof(*loop));
    if (loop == NULL) {
        return STATUS_NOMEM;
    }
    list_init(&loop->deferred);
    list_init(&loop->turns);
    *ret_loop = loop;
    return STATUS_OK;
}

void
loop_destroy(struct loop *loop)
{
    if (loop != NULL) {
        PRE(list_empty(&loop->turns) && list_empty(&loop->deferred));
        mem_free(loop);
    }
}

void
loop_end_turn(struct loop *loop)
{
    do {
        struct list ready = LIST_INIT(ready);
        list_join(&ready, &loop->deferred);
        for (struct list *link; (link = list_take(&ready)) != NULL;) {
            struct deferred *deferred = list_entry(link, struct deferred, link);
            deferred->fn(deferred->arg);
            mem_free(deferred);
        }
        list_for_each_safe(link, &loop->turns) {
            struct loop_turn *turn = list_entry(link, struct loop_turn, link);
            turn->fn(turn->arg);
        }
    } while (!list_empty(&loop->deferred));
}

int64_t
loop_now_ms(const struct loop *loop)
{
    (void)loop;
    return vtime_steady_ms();
}

enum status
loop_defer(struct loop *loop, loop_fn *fn, void *arg)
{
    struct deferred *deferred = mem_zero(sizeof(*deferred));
    if (deferred == NULL) {
        return STATUS_NOMEM;
    }
    deferred->fn = fn;
    deferred->arg = arg;
    list_append(&loop->deferred, &deferred->link);
    return STATUS_OK;
}

enum status
loop_timer_create(struct loop *loop, loop_fn *fn, void *arg,
                  struct loop_timer **ret)
{
    (void)loop;
    struct loop_timer *timer = mem_zero(sizeof(*timer));
    if (timer == NULL) {
        return STATUS_NOMEM;
    }
    timer->alarm = (struct alarm){ .fn = fn, .arg = arg, .ours = true };
    *ret = timer;
    return STATUS_OK;
}

void
loop_timer_arm(struct loop_timer *timer, int64_t delay_ms)
{
    vtime_alarm(&timer->alarm, vtime_now_ms() + (delay_ms < 0 ? 0 : delay_ms));
}

void
loop_timer_disarm(struct loop_timer *timer)
{
    vtime_alarm_off(&timer->alarm);
}

bool
loop_timer_armed(const struct loop_timer *timer)
{
    return timer->alarm.slot != 0;
}

void
loop_timer_destroy(struct loop_timer *timer)
{
    if (timer != NULL) {
        vtime_alarm_off(&timer->alarm);
        mem_free(timer);
    }
}

enum status
loop_turn_create(struct loop *loop, loop_fn *fn, void *arg,
                 struct loop_turn **ret)
{
    struct loop_turn *turn = mem_zero(sizeof(*turn));
    if (turn == NULL) {
        return STATUS_NOMEM;
    }
    turn->fn = fn;
    turn->arg = arg;
    list_append(&loop->turns, &turn->link);
    *ret = turn;
    return STATUS_OK;
}

void
loop_turn_destroy(struct loop_turn *turn)
{
    if (turn != NULL) {
        list_remove(&turn->link);
        mem_free(turn);
    }
}
