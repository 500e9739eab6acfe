/* SPDX-License-Identifier: MIT */
#include "handler/handler_broker.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/instant.h"
#include "base/list.h"
#include "base/mem.h"
#include "io/clock.h"
#include "io/loop.h"
#include "io/offload.h"

/*
 * The happy path: start puts a line into the thread's queue; the thread takes
 * what waits, has the plugin publish it in batches, and gives it back with what
 * the broker said of each.
 *
 * A batch in whose midst the broker went away says nothing of which line is at
 * fault, if any is: a body that is too large for the broker costs the
 * connection, and all behind it. So what it has not taken is asked for again at
 * once, in half as many, down to one line; then in twice as many each time.
 *
 * Of `timeout` one half is for waiting behind an earlier batch and the other
 * for the broker, so that no line stays longer than its handler may: one that
 * has waited longer is given back unasked.
 *
 * What can go wrong: there is no broker. Then the next batch waits a little
 * longer before it asks again, up to PAUSE_MOST_MS, and what waits for it joins
 * that batch. Cancel ends every wait.
 */

#define PAUSE_FIRST_MS 100
#define PAUSE_MOST_MS  5000
#define NAP_MS         50

struct broker {
    struct handler base;
    struct loop *loop;
    struct offload *thread;
    const struct longstop_plugin *plugin;
    const struct template *to;
    struct longstop_host host;
    void *session;
    size_t batch_max;
    size_t batch_bytes;
    int64_t timeout_ms;
    size_t running;
    unsigned long long started; /* lines so far; a line's number */
    atomic_ullong stopped;      /* lines up to this one are to end soon */
    /* Of the thread. */
    struct longstop_entry *entries; /* batch_max, as `asked` */
    struct line **asked;            /* whose they are */
    size_t most;                    /* lines of the next batch */
    unsigned long long first;       /* line of the batch at hand */
    int64_t pause_ms;               /* before the broker is asked again */
    int64_t failed_ms;              /* when it was not there, monotonic */
};

struct line {
    struct list call;
    struct broker *broker;
    unsigned long long number;
    struct arena arena; /* of what `to` was filled with */
    struct slice to, key, type, source, content_type, body;
    bool is_replay;
    handler_result_fn *done;
    void *arg;
    int64_t started_ms; /* monotonic */
    /* Of the thread, until it is given back. */
    enum longstop_outcome outcome;
    char words[LONGSTOP_WORDS_BYTES];
};

/* On the thread */

static bool
should_stop(void *arg)
{
    struct broker *broker = arg;
    return broker->first <= atomic_load(&broker->stopped);
}

static struct longstop_bytes
bytes_of(struct slice slice)
{
    return (struct longstop_bytes){ slice.len == 0 ? "" : slice.ptr,
                                    slice.len };
}

/* After a failure: waits for the pause to pass, not beyond a quarter of what a
 * line may take. */
static void
wait_out(struct broker *broker)
{
    int64_t most_ms = broker->timeout_ms / 4;
    int64_t pause_ms = broker->pause_ms < most_ms ? broker->pause_ms : most_ms;
    while (broker->pause_ms > 0 && !should_stop(broker) &&
           clock_monotonic_ms() - broker->failed_ms < pause_ms) {
        (void)poll(NULL, 0, NAP_MS);
    }
}

static void
remember(struct broker *broker, bool was_there)
{
    if (was_there) {
        broker->pause_ms = 0;
        return;
    }
    broker->failed_ms = clock_monotonic_ms();
    broker->pause_ms =
        broker->pause_ms == 0 ? PAUSE_FIRST_MS : broker->pause_ms * 2;
    if (broker->pause_ms > PAUSE_MOST_MS) {
        broker->pause_ms = PAUSE_MOST_MS;
    }
}

/* Whether the line is still to be asked for. What was said of it before is told
 * rather than that there is no time left. */
static bool
may_ask(const struct broker *broker, struct line *line)
{
    const char *words = NULL;
    if (line->number <= atomic_load(&broker->stopped)) {
        words = "stopped";
    } else if (clock_monotonic_ms() - line->started_ms >
               broker->timeout_ms / 2) {
        words = "not asked in time: the broker is slow";
    }
    if (words != NULL && line->words[0] == '\0') {
        (void)snprintf(line->words, sizeof(line->words), "%s: %s",
                       broker->plugin->kind, words);
    }
    return words == NULL && line->outcome == LONGSTOP_LATER;
}

/* Makes entries of the lines from `*at` on, as many as go at once; moves `*at`
 * behind them. Lines that are not asked get their words. */
static size_t
gather(struct broker *broker, const struct list *batch, struct list **at)
{
    size_t count = 0;
    size_t bytes = 0;
    for (; *at != batch && count < broker->most; *at = (*at)->next) {
        struct line *line = list_entry(*at, struct line, call);
        if (!may_ask(broker, line)) {
            continue;
        }
        if (count > 0 && bytes + line->body.len > broker->batch_bytes) {
            break;
        }
        bytes += line->body.len;
        broker->asked[count] = line;
        broker->entries[count++] = (struct longstop_entry){
            .key = bytes_of(line->key),
            .to = bytes_of(line->to),
            .type = bytes_of(line->type),
            .source = bytes_of(line->source),
            .content_type = bytes_of(line->content_type),
            .body = bytes_of(line->body),
            .is_replay = line->is_replay,
        };
    }
    return count;
}

/* Gives each line what was said of it. */
static void
spread(const struct broker *broker, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct longstop_entry *entry = &broker->entries[i];
        struct line *line = broker->asked[i];
        /* A plugin may be anybody's. */
        line->outcome = (unsigned)entry->outcome > LONGSTOP_DEAD
                            ? LONGSTOP_LATER
                            : entry->outcome;
        memcpy(line->words, entry->words, sizeof(line->words));
        line->words[sizeof(line->words) - 1] = '\0';
    }
}

static void
resize(struct broker *broker, size_t count, enum longstop_broker became)
{
    size_t twice = broker->most * 2;
    if (became == LONGSTOP_LOST) {
        broker->most = count > 1 ? count / 2 : 1;
    } else if (became == LONGSTOP_THERE) {
        broker->most = twice < broker->batch_max ? twice : broker->batch_max;
    }
}

static void
publish_batch(void *arg, struct list *batch)
{
    struct broker *broker = arg;
    struct list *at = batch->next;
    while (at != batch) {
        struct list *from = at;
        broker->first = list_entry(at, struct line, call)->number;
        wait_out(broker);
        size_t count = gather(broker, batch, &at);
        if (count == 0) {
            continue;
        }
        enum longstop_broker became = broker->plugin->publish(
            broker->session, broker->entries, count, broker->timeout_ms / 2);
        remember(broker, became != LONGSTOP_ABSENT);
        spread(broker, count);
        resize(broker, count, became);
        at = became == LONGSTOP_LOST && count > 1 ? from : at;
    }
}

/* On the loop */

static void
free_line(struct line *line)
{
    arena_fini(&line->arena);
    mem_free(line);
}

static const struct {
    enum disposition disposition;
    const char *words; /* where the plugin has none */
} outcomes[] = {
    [LONGSTOP_LATER] = { DISPOSITION_LATER, "not acknowledged" },
    [LONGSTOP_DONE] = { DISPOSITION_DONE, "acknowledged" },
    [LONGSTOP_DEAD] = { DISPOSITION_NEVER, "refused for good" },
};

static void
published(void *arg, struct list *call)
{
    struct broker *broker = arg;
    struct line *line = list_entry(call, struct line, call);
    const enum longstop_outcome outcome = line->outcome;
    const struct handler_result result = {
        .disposition = outcomes[outcome].disposition,
        .detail = slice_of(line->words[0] == '\0' ? outcomes[outcome].words
                                                  : line->words),
        .duration_ms = clock_monotonic_ms() - line->started_ms,
    };
    broker->running--;
    line->done(line->arg, &result);
    free_line(line);
}

/* The places of `to`. */
static enum status
look_up(void *arg, const struct template_ref *ref, struct arena *arena,
        struct slice *ret_value)
{
    const struct delivery *delivery = arg;
    const struct {
        const char *kind;
        struct slice value;
    } places[] = {
        { "type", delivery->event->type },
        { "connector", delivery->connector },
        { "via", slice_of(channel_name(delivery->event->via)) },
        { "id", delivery->event->id },
    };
    (void)arena;
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        if (slice_equal_text(ref->kind, places[i].kind)) {
            *ret_value = places[i].value;
            return places[i].value.len > 0 ? STATUS_OK : STATUS_NOT_FOUND;
        }
    }
    return STATUS_NOT_FOUND;
}

static enum status
fill_to(const struct broker *broker, const struct delivery *delivery,
        struct line *line, struct error *err)
{
    /* The lookup reads what it is given; the scope wants it without const. */
    struct delivery copy = *delivery;
    const struct template_scope scope = { .lookup = look_up, .arg = &copy };
    enum status status =
        template_eval(broker->to, &scope, &line->arena, &line->to, NULL);
    if (status == STATUS_NOT_FOUND) {
        return error_set(err, STATUS_INVALID,
                         "%s: '%.*s' cannot be filled: the event lacks what it "
                         "names",
                         broker->plugin->kind,
                         SLICE_ARG(template_source(broker->to)));
    }
    return status == STATUS_OK
               ? STATUS_OK
               : error_set(err, status, "%s: %s", broker->plugin->kind,
                           status_text(status));
}

static enum status
start(struct handler *handler, const struct delivery *delivery,
      handler_result_fn *done, void *arg, struct error *err)
{
    struct broker *broker = (struct broker *)(void *)handler;
    struct line *line = mem_zero(sizeof(*line));
    if (line == NULL) {
        return error_set(err, STATUS_NOMEM, "%s: out of memory",
                         broker->plugin->kind);
    }
    enum status status = fill_to(broker, delivery, line, err);
    if (status != STATUS_OK) {
        free_line(line);
        return status;
    }
    line->key = delivery->key;
    line->type = delivery->event->type;
    line->source = delivery->connector;
    line->content_type = delivery->content_type;
    line->body = delivery->envelope;
    line->is_replay = delivery->is_replay;
    line->done = done;
    line->arg = arg;
    line->started_ms = clock_monotonic_ms();
    line->number = ++broker->started;
    broker->running++;
    offload_put(broker->thread, &line->call);
    return STATUS_OK;
}

static void
cancel(struct handler *handler)
{
    struct broker *broker = (struct broker *)(void *)handler;
    atomic_store(&broker->stopped, broker->started);
}

static void
free_broker(struct broker *broker)
{
    offload_destroy(broker->thread);
    if (broker->session != NULL) {
        broker->plugin->close(broker->session);
    }
    mem_free(broker->entries);
    mem_free(broker->asked);
    mem_free(broker);
}

static void
destroy(struct handler *handler)
{
    struct broker *broker = (struct broker *)(void *)handler;
    PRE(broker->running == 0);
    free_broker(broker);
}

static const struct handler_ops ops = {
    .start = start,
    .cancel = cancel,
    .destroy = destroy,
};

static enum status
open_session(const struct longstop_plugin *plugin, enum broker_kind kind,
             const struct broker_settings *settings,
             const struct longstop_host *host, void **ret, struct error *err)
{
    char words[LONGSTOP_WORDS_BYTES] = "";
    struct arena arena = { 0 };
    struct longstop_setting *list = NULL;
    size_t count = 0;
    enum status status =
        broker_settings_list(kind, settings, &arena, &list, &count);
    if (status == STATUS_OK) {
        *ret = plugin->open(list, count, host, words);
        words[sizeof(words) - 1] = '\0';
    }
    for (size_t i = 0; i < count; i++) {
        union {
            const char *text;
            char *ours;
        } value = { list[i].value };
        mem_wipe(value.ours, strlen(value.text)); /* it may be a secret */
    }
    arena_fini(&arena);
    if (status != STATUS_OK) {
        return error_set(err, status, "%s: %s", plugin->kind,
                         status_text(status));
    }
    return *ret != NULL
               ? STATUS_OK
               : error_set(err, STATUS_CONFIG, "%s",
                           words[0] == '\0' ? "refused by the plugin" : words);
}

static bool
never_stop(void *arg)
{
    (void)arg;
    return false;
}

enum status
handler_broker_check(const struct longstop_plugin *plugin,
                     enum broker_kind kind,
                     const struct broker_settings *settings, struct error *err)
{
    const struct longstop_host host = { NULL, never_stop };
    void *session = NULL;
    enum status status =
        open_session(plugin, kind, settings, &host, &session, err);
    if (status == STATUS_OK) {
        plugin->close(session);
    }
    return status;
}

enum status
handler_broker_create(struct loop *loop, const struct longstop_plugin *plugin,
                      enum broker_kind kind,
                      const struct broker_settings *settings,
                      int64_t timeout_ms, struct handler **ret,
                      struct error *err)
{
    const size_t most = (size_t)settings->batch_max;
    struct broker *broker = mem_zero(sizeof(*broker));
    if (broker != NULL) {
        broker->entries = mem_array(most, sizeof(*broker->entries));
        broker->asked = mem_array(most, sizeof(struct line *));
    }
    if (broker == NULL || broker->entries == NULL || broker->asked == NULL) {
        if (broker != NULL) {
            free_broker(broker);
        }
        return error_set(err, STATUS_NOMEM, "%s: out of memory", plugin->kind);
    }
    broker->batch_max = broker->most = most;
    broker->batch_bytes = (size_t)settings->batch_bytes;
    broker->base.ops = &ops;
    broker->loop = loop;
    broker->plugin = plugin;
    broker->to = settings->to;
    broker->timeout_ms = timeout_ms;
    broker->host = (struct longstop_host){ broker, should_stop };
    const struct offload_spec spec = {
        .name = plugin->kind,
        .batch_most = most,
        .work = publish_batch,
        .done = published,
        .arg = broker,
    };
    enum status status = open_session(plugin, kind, settings, &broker->host,
                                      &broker->session, err);
    if (status == STATUS_OK) {
        status = offload_create(loop, &spec, &broker->thread, err);
    }
    if (status != STATUS_OK) {
        free_broker(broker);
        return status;
    }
    *ret = &broker->base;
    return STATUS_OK;
}
