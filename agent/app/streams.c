/* SPDX-License-Identifier: MIT */
#include "app/streams.h"

#include "base/mem.h"
#include "model/connector.h"

struct one {
    struct streams *streams;
    const struct connector *connector;
    struct source_stream *stream;
    bool has_stopped; /* or was asked to: it is not started any more */
    bool waits;       /* until what it follows has ended */
    struct one *heir; /* of other streams: to be started once it has */
};

struct streams {
    void (*ended)(void *arg); /* streams_hand_over's */
    void *ended_arg;
    size_t count;
    struct one at[];
};

static enum status
add(struct streams *streams, const struct streams_settings *settings,
    const struct connector *connector)
{
    const struct telemetry_connector counts =
        telemetry_of_connector(settings->telemetry, connector);
    struct source_stream_settings stream = {
        .connector = connector,
        .seed = settings->seed + connector->id,
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
    struct one *one = &streams->at[streams->count];
    one->streams = streams;
    one->connector = connector;
    enum status status =
        source_stream_create(settings->loop, settings->client, &stream,
                             settings->sink, &one->stream);
    streams->count += status == STATUS_OK;
    return status;
}

enum status
streams_create(const struct streams_settings *settings, struct streams **ret)
{
    struct streams *streams = mem_zero(
        sizeof(*streams) + settings->connector_count * sizeof(streams->at[0]));
    enum status status = streams == NULL ? STATUS_NOMEM : STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < settings->connector_count;
         i++) {
        if (settings->connectors[i].has_stream) {
            status = add(streams, settings, &settings->connectors[i]);
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
    if (!one->has_stopped) {
        source_stream_start(one->stream);
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
        if (streams->at[i].connector == connector) {
            source_stream_figures(streams->at[i].stream, ret_figures);
            return true;
        }
    }
    return false;
}
