/* SPDX-License-Identifier: MIT */
/*
 * handling: what the tests of all handlers share: a loop with a guard, one
 * delivery, and the result of the last attempt.
 */
#ifndef UNIT_HANDLER_HANDLING_H
#define UNIT_HANDLER_HANDLING_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "handler/handler.h"
#include "io/loop.h"

struct handling {
    struct loop *loop;
    struct loop_timer *guard;
    struct event event;
    struct delivery delivery;
    char folder[64];
    /* Of the attempts so far. */
    int calls;
    int later;  /* of them, those to be tried again */
    int wanted; /* the loop stops at so many */
    enum disposition disposition;
    int64_t not_before_ms;
    bool pause;
    char detail[1024];
    char output[8192];
    size_t output_len;
    int64_t duration_ms;
};

static struct handling handling;

static inline void
handling_late(void *arg)
{
    (void)arg;
    fail_msg("no result within 20 s");
}

static inline void
handling_open(void)
{
    memset(&handling, 0, sizeof(handling));
    handling.wanted = 1;
    assert_int_equal(loop_create(&handling.loop), STATUS_OK);
    assert_int_equal(
        loop_timer_create(handling.loop, handling_late, NULL, &handling.guard),
        STATUS_OK);
    loop_timer_arm(handling.guard, 20000);
    (void)snprintf(handling.folder, sizeof(handling.folder),
                   "/tmp/longstop-handler-XXXXXX");
    assert_non_null(mkdtemp(handling.folder));
    handling.event = (struct event){
        .number = 7,
        .via = CHANNEL_POLL,
        .id = SLICE("evt_1"),
        .type = SLICE("order.paid"),
    };
    handling.delivery = (struct delivery){
        .event = &handling.event,
        .attempt = 3,
        .connector = SLICE("shop"),
        .envelope = SLICE("{\"id\":\"evt_1\"}"),
        .content_type = SLICE("application/cloudevents+json"),
        .key = SLICE("shop/evt_1"),
    };
}

static inline void
handling_close(void)
{
    loop_timer_destroy(handling.guard);
    loop_destroy(handling.loop);
    (void)rmdir(handling.folder);
}

static inline void
handling_keep(void *arg, const struct handler_result *result)
{
    (void)arg;
    handling.calls++;
    handling.later += result->disposition == DISPOSITION_LATER;
    handling.disposition = result->disposition;
    handling.not_before_ms = result->not_before_ms;
    handling.pause = result->pause;
    handling.duration_ms = result->duration_ms;
    (void)snprintf(handling.detail, sizeof(handling.detail), "%.*s",
                   SLICE_ARG(result->detail));
    assert_true(result->output.len < sizeof(handling.output));
    memcpy(handling.output, result->output.len == 0 ? "" : result->output.ptr,
           result->output.len);
    handling.output[result->output.len] = '\0';
    handling.output_len = result->output.len;
    if (handling.calls >= handling.wanted) {
        loop_stop(handling.loop);
    }
}

/* Starts one attempt; its result never comes before this returns. */
static inline enum status
handling_start(struct handler *handler, struct error *err)
{
    int before = handling.calls;
    enum status status = handler->ops->start(handler, &handling.delivery,
                                             handling_keep, NULL, err);
    assert_int_equal(handling.calls, before);
    return status;
}

static inline void
handling_run(struct handler *handler)
{
    handling.calls = 0;
    struct error err = { "" };
    enum status status = handling_start(handler, &err);
    assert_string_equal(err.text, "");
    assert_int_equal(status, STATUS_OK);
    loop_run(handling.loop);
}

#endif
