/* SPDX-License-Identifier: MIT */
#include "app/streams.h"

#include "base/mem.h"
#include "io/loop.h"
#include "model/connector.h"

struct one {
    struct streams *streams;
    const struct connector *connector;
    struct source_stream *stream;
    bool may_start;   /* it was started, or would have been were it held */
    bool has_stopped; /* or was asked to: it is not started any more */
    bool waits;       /* until what it follows has ended */
    struct one *heir; /* of other streams: to be started once it has */
    bool is_held;     /* by this agent, which so may read it, */
    uint64_t fence;   /* and by which lease */
    bool runs;
    bool is_ending; /* what was read by a lease that is lost */
    bool is_broken; /* without memory for the next one: tried again */
};

struct streams {
    struct streams_settings settings;
    void (*ended)(void *arg); /* streams_hand_over's */
    void *ended_arg;
    size_t count;
    struct one at[];
};

/* Makes the stream of its lease. */
static enum status
make(struct one *one)
{
    const struct streams_settings *settings = &one->streams->settings;
    const struct telemetry_connector counts =
        telemetry_of_connector(settings->telemetry, one->connector);
    struct source_stream_settings stream = {
        .connector = one->connector,
        .seed = settings->seed + one->connector->id,
        .fence = one->fence,
        .connected = counts.stream_connected,
        .reconnects = counts.stream_reconnects,
        .signal = settings->signal,
        .signal_arg = settings->signal_arg,
        .refused = settings->refused,
        .refused_arg = settings->refused_arg,
    };
    for (size_t i = 0; i < STREAM_OUTCOME_COUNT; i++) {
        stream.outcomes[i] = counts.stream_events[i];
    }
    return source_stream_create(settings->loop, settings->client, &stream,
                                settings->sink, &one->stream);
}

static enum status
add(struct streams *streams, const struct connector *connector)
{
    struct one *one = &streams->at[streams->count];
    one->streams = streams;
    one->connector = connector;
    one->is_held = true;
    enum status status = make(one);
    streams->count += status == STATUS_OK;
    return status;
}

enum status
streams_create(const struct streams_settings *settings, struct streams **ret)
{
    struct streams *streams = mem_zero(
        sizeof(*streams) + settings->connector_count * sizeof(streams->at[0]));
    enum status status = streams == NULL ? STATUS_NOMEM : STATUS_OK;
    if (status == STATUS_OK) {
        streams->settings = *settings;
    }
    for (size_t i = 0; status == STATUS_OK && i < settings->connector_count;
         i++) {
        if (settings->connectors[i].has_stream) {
            status = add(streams, &settings->connectors[i]);
        }
    }
    if (status != STATUS_OK) {
        streams_destroy(streams);
        return status;
    }
    *ret = streams;
    return STATUS_OK;
}

void
streams_destroy(struct streams *streams)
{
    for (size_t i = 0; streams != NULL && i < streams->count; i++) {
        source_stream_destroy(streams->at[i].stream);
    }
    mem_free(streams);
}

static void
start_one(struct one *one)
{
    one->may_start = true;
    if (!one->has_stopped && one->is_held && !one->runs && !one->is_ending &&
        !one->is_broken) {
        one->runs = true;
        source_stream_start(one->stream);
    }
}

/* ---- leases ---- */

/* One that has ended begins anew, by the lease of now. */
static void
renew(void *arg)
{
    struct one *one = arg;
    struct source_stream *before = one->stream;
    one->is_ending = false;
    if (one->has_stopped) {
        return;
    }
    one->is_broken = make(one) != STATUS_OK;
    if (one->is_broken) {
        one->stream = before;
        return;
    }
    source_stream_destroy(before);
    if (one->may_start) {
        start_one(one);
    }
}

/* source_stream_stop's: not out of its own call. */
static void
let_go(void *arg)
{
    struct one *one = arg;
    one->runs = false;
    if (loop_defer(one->streams->settings.loop, renew, one) != STATUS_OK) {
        one->is_ending = false;
        one->is_broken = true;
    }
}

static void
hold(struct one *one, bool is_held, uint64_t fence)
{
    bool changes = one->is_held != is_held || one->fence != fence;
    one->is_held = is_held;
    one->fence = fence;
    if ((!changes && !one->is_broken) || one->has_stopped || one->is_ending) {
        return; /* one that is ending is renewed by what holds then */
    }
    if (one->runs) {
        one->is_ending = true;
        source_stream_stop(one->stream, let_go, one);
    } else {
        renew(one);
    }
}

void
streams_hold(struct streams *streams, const struct leases *leases)
{
    for (size_t i = 0; streams != NULL && i < streams->count; i++) {
        struct one *one = &streams->at[i];
        uint64_t fence;
        bool is_held = leases_held(leases, one->connector->id, &fence);
        hold(one, is_held, fence);
    }
}

void
streams_start(struct streams *streams)
{
    for (size_t i = 0; streams != NULL && i < streams->count; i++) {
        start_one(&streams->at[i]);
    }
}

size_t
streams_stop(struct streams *streams, void (*stopped)(void *arg), void *arg)
{
    if (streams == NULL) {
        return 0;
    }
    for (size_t i = 0; i < streams->count; i++) {
        streams->at[i].has_stopped = true;
        source_stream_stop(streams->at[i].stream, stopped, arg);
    }
    return streams->count;
}

static void
has_ended(void *arg)
{
    struct one *one = arg;
    if (one->heir != NULL) {
        start_one(one->heir);
    }
    one->streams->ended(one->streams->ended_arg);
}

static struct one *
heir_of(struct streams *heirs, const struct one *one)
{
    for (size_t i = 0; i < heirs->count; i++) {
        if (heirs->at[i].connector->id == one->connector->id) {
            return &heirs->at[i];
        }
    }
    return NULL;
}

size_t
streams_hand_over(struct streams *streams, struct streams *heirs,
                  void (*ended)(void *arg), void *arg)
{
    streams->ended = ended;
    streams->ended_arg = arg;
    for (size_t i = 0; i < streams->count; i++) {
        struct one *one = &streams->at[i];
        one->has_stopped = true;
        one->heir = heir_of(heirs, one);
        if (one->heir != NULL) {
            one->heir->waits = true;
        }
        source_stream_stop(one->stream, has_ended, one);
    }
    for (size_t i = 0; i < heirs->count; i++) {
        if (!heirs->at[i].waits) {
            start_one(&heirs->at[i]);
        }
    }
    return streams->count;
}

bool
streams_figures(const struct streams *streams,
                const struct connector *connector,
                struct stream_figures *ret_figures)
{
    for (size_t i = 0; streams != NULL && i < streams->count; i++) {
        if (streams->at[i].connector == connector && streams->at[i].is_held) {
            source_stream_figures(streams->at[i].stream, ret_figures);
            return true;
        }
    }
    return false;
}
