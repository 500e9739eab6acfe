/* SPDX-License-Identifier: MIT */
/*
 * stream_site: a stream's whole surroundings in one process: a relay that
 * answers as scripted, a sink that decides when the test wants, and the loop.
 */
#ifndef TESTS_UNIT_SOURCE_STREAM_SITE_H
#define TESTS_UNIT_SOURCE_STREAM_SITE_H

#include "harness/bound.h"

#include "harness/loopback.h"
#include "io/clock.h"
#include "io/http_client.h"
#include "io/loop.h"
#include "source/source_stream_private.h"
#include "wire/digest.h"

enum { SUBMITTED_MAX = 256, BODY_ROOM = 64 };

/* What the sink was given, and holds until it is answered. */
struct submitted {
    enum arrival_kind kind;
    char body[BODY_ROOM];
    char id[BODY_ROOM]; /* the one that goes with it; "": none */
    int64_t late_ms;
    struct arrival *arrival; /* NULL: answered */
    verdict_fn *done;
    void *arg;
};

struct site {
    struct loop *loop;
    struct loop_timer *guard;
    struct loop_turn *turn;
    bool (*until)(void);
    bool hurries; /* no wait lasts */
    struct bound bound;
    /* The relay: its n-th answer, the last one for all that follow. */
    struct loopback relay;
    const char *const *script;
    atomic_int fd; /* of the connection that is held open; 0: none */
    /* The sink. */
    struct source_sink sink;
    struct submitted submitted[SUBMITTED_MAX];
    size_t submissions;
    size_t wanted;
    bool answers; /* at once, with `kind` */
    enum verdict_kind kind;
    bool signal;
    bool is_full;
    bool is_frozen;
    char stored[256]; /* the durable state */
    enum status load_status;
    size_t loads;
    bool holds_load;
    void (*loaded)(void *arg, enum status status, struct slice state,
                   const struct error *err);
    void *load_arg;
    /* The source. */
    struct http_client *client;
    struct metric_registry *registry;
    struct source_stream_settings settings;
    /* The refusals that were told of. */
    size_t refusals;
    enum refusal_cause cause;
    char refused_target[64];
    int64_t refused_bytes;
    struct source_stream *stream;
    size_t signals;
    bool stopped;
    const char *state; /* what is waited for */
};

static struct site site; /* of the one test that runs */

#define HEAD "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
#define E1   "id: 1\ndata: one\n\n"
#define E2   "id: 2\ndata: two\n\n"
#define E3   "id: 3\ndata: three\n\n"

/* ---- the loop ---- */

static inline void
late(void *arg)
{
    (void)arg;
    fail_msg("what was waited for has not come: %zu submissions, state %d, %s",
             site.submissions, (int)site.stream->state, site.stream->why.text);
}

static inline void
hurry(struct loop_timer *timer)
{
    if (loop_timer_armed(timer)) {
        loop_timer_arm(timer, 0);
    }
}

static inline void
look_around(void *arg)
{
    (void)arg;
    if (site.hurries && site.stream != NULL) {
        hurry(site.stream->looks);
        hurry(site.stream->timer);
    }
    if (site.until != NULL && site.until()) {
        site.until = NULL;
        loop_stop(site.loop);
    }
}

static inline void
await(bool (*until)(void))
{
    if (until()) {
        return;
    }
    site.until = until;
    loop_timer_arm(site.guard, 20000);
    loop_run(site.loop);
    loop_timer_disarm(site.guard);
}

static inline bool
has_submissions(void)
{
    return site.submissions >= site.wanted;
}

static inline void
await_submissions(size_t count)
{
    site.wanted = count;
    await(has_submissions);
    assert_int_equal(site.submissions, count);
}

static inline bool
is_in_state(void)
{
    struct stream_figures figures;
    source_stream_figures(site.stream, &figures);
    return strcmp(figures.state, site.state) == 0;
}

static inline void
await_state(const char *state)
{
    site.state = state;
    await(is_in_state);
}

static inline bool
is_stopped(void)
{
    return site.stopped;
}

/* The wait is over that a second would have been. */
static inline void
try_again(void)
{
    assert_true(loop_timer_armed(site.stream->looks));
    loop_timer_arm(site.stream->looks, 0);
}

/* ---- the relay ---- */

static inline void
relay_serve(struct loopback *relay, int fd)
{
    char byte;
    if (!loopback_read(relay, fd)) {
        return;
    }
    const char *const *answer = site.script;
    for (int i = atomic_load(&relay->requests); i > 1 && answer[1] != NULL;
         i--) {
        answer++;
    }
    const bool holds = strncmp(*answer, HEAD, strlen(HEAD)) == 0;
    if (holds) {
        atomic_store(&site.fd, fd);
    }
    if (loopback_say(fd, *answer) && holds) {
        (void)!read(fd, &byte, 1); /* until the other side goes, or we cut */
    }
}

/* More bytes over the connection that is open. */
static inline void
relay_says(const char *text)
{
    await_state("connected");
    assert_true(loopback_say(atomic_load(&site.fd), text));
}

static inline void
relay_cuts(void)
{
    await_state("connected");
    (void)shutdown(atomic_exchange(&site.fd, 0), SHUT_RDWR);
}

/* ---- the sink ---- */

static inline void
answer(size_t at, enum verdict_kind kind)
{
    struct submitted *kept = &site.submitted[at];
    struct arrival *arrival = kept->arrival;
    if (at >= site.submissions || arrival == NULL) {
        fail_msg("submission %zu is not there, or answered", at);
        return;
    }
    const struct verdict verdict = {
        .kind = kind,
        .fresh = kind == VERDICT_STORED && kept->kind == ARRIVAL_REQUEST,
        .known = kind == VERDICT_SEEN,
        .signal = site.signal,
        .why = SLICE("the sink's words"),
    };
    if (kept->id[0] != '\0' &&
        (kind == VERDICT_STORED || kind == VERDICT_SEEN)) {
        (void)snprintf(site.stored, sizeof(site.stored), "%.*s",
                       SLICE_ARG(arrival->walk_state));
    }
    kept->arrival = NULL;
    kept->done(kept->arg, &verdict);
    arrival_destroy(arrival);
}

static inline void
answer_all(void *arg)
{
    (void)arg;
    for (size_t i = 0; i < site.submissions; i++) {
        if (site.submitted[i].arrival != NULL) {
            answer(i, site.kind);
        }
    }
}

static inline void
sink_submit(void *self, struct arrival *arrival, verdict_fn *done, void *arg)
{
    (void)self;
    static const struct slice before = SLICE("\"id\":\"");
    assert_true(site.submissions < SUBMITTED_MAX);
    assert_int_equal(arrival->via, CHANNEL_STREAM);
    struct submitted *kept = &site.submitted[site.submissions++];
    *kept = (struct submitted){ .kind = arrival->kind,
                                .late_ms = arrival->request.late_ms,
                                .arrival = arrival,
                                .done = done,
                                .arg = arg };
    (void)snprintf(kept->body, sizeof(kept->body), "%.*s",
                   SLICE_ARG(arrival->request.body));
    if (arrival->has_walk) {
        assert_int_equal(arrival->tier, WALK_TIER_STREAM);
        const size_t at = slice_find_slice(arrival->walk_state, before);
        assert_true(at != SIZE_MAX);
        const struct slice id =
            slice_from(arrival->walk_state, at + before.len);
        (void)snprintf(kept->id, sizeof(kept->id), "%.*s",
                       SLICE_ARG(slice_first(id, slice_find(id, '"'))));
    }
    while (site.answers &&
           loop_defer(site.loop, answer_all, NULL) != STATUS_OK) {
    }
}

static inline bool
sink_has_room(void *self)
{
    (void)self;
    return !site.is_full;
}

static inline bool
sink_is_writable(void *self)
{
    (void)self;
    return !site.is_frozen;
}

static inline void
give_state(void *arg)
{
    (void)arg;
    const enum status status = site.load_status != STATUS_OK ? site.load_status
                               : site.stored[0] == '\0'      ? STATUS_NOT_FOUND
                                                             : STATUS_OK;
    site.load_status = STATUS_OK;
    site.loaded(site.load_arg, status, slice_of(site.stored), NULL);
}

static inline void
sink_load(void *self, const struct connector *connector, unsigned tier,
          void (*done)(void *arg, enum status status, struct slice state,
                       const struct error *err),
          void *arg)
{
    (void)self;
    assert_ptr_equal(connector, &site.bound.connector);
    assert_int_equal(tier, WALK_TIER_STREAM);
    site.loads++;
    site.loaded = done;
    site.load_arg = arg;
    while (!site.holds_load &&
           loop_defer(site.loop, give_state, NULL) != STATUS_OK) {
    }
}

/* ---- the source ---- */

static inline void
note_signal(void *arg, const struct connector *connector)
{
    (void)arg;
    (void)connector;
    site.signals++;
}

static inline void
says_stopped(void *arg)
{
    (void)arg;
    site.stopped = true;
}

static inline void
add_outcomes(void)
{
    static const struct metric_spec spec = { .name = "outcomes_total",
                                             .help = "Outcomes.",
                                             .kind = METRIC_COUNTER,
                                             .labels = { "outcome" } };
    struct metric_family *family;
    assert_int_equal(metric_registry_create(&site.registry), STATUS_OK);
    assert_int_equal(metric_family_add(site.registry, &spec, &family),
                     STATUS_OK);
    for (enum stream_outcome i = 0; i < STREAM_OUTCOME_COUNT; i++) {
        const struct slice name = slice_of(stream_outcome_name(i));
        assert_int_equal(
            metric_series(family, &name, &site.settings.outcomes[i]),
            STATUS_OK);
    }
}

static inline unsigned
counted(enum stream_outcome outcome)
{
    return (unsigned)metric_value(site.settings.outcomes[outcome]);
}

static inline void
site_refused(void *arg, const struct refusal *refusal)
{
    (void)arg;
    assert_int_equal(refusal->status, 0);
    assert_true(refusal->why.len > 0 || refusal->method.len > 0);
    site.refusals++;
    site.cause = refusal->cause;
    site.refused_bytes = refusal->bytes;
    (void)snprintf(site.refused_target, sizeof(site.refused_target), "%.*s",
                   SLICE_ARG(refusal->target));
}

static inline void
make_stream(void)
{
    assert_int_equal(source_stream_create(site.loop, site.client,
                                          &site.settings, &site.sink,
                                          &site.stream),
                     STATUS_OK);
    site.stopped = false;
}

/* Opens the site; `more` are further keys of the stream. */
static inline void
site_open(const char *const *script, const char *more)
{
    static const struct http_client_settings client = { .connections = 4,
                                                        .connections_per_host =
                                                            4 };
    static const char connector[] =
        "verify: {type: none}\n"
        "event: {id: 'header:Last-Event-ID', type: 'header:Event'}\n";
    char entry[512];
    struct error err = { "" };
    memset(&site, 0, sizeof(site));
    site.script = script;
    assert_int_equal(digest_init(NULL), STATUS_OK);
    assert_int_equal(loop_create(&site.loop), STATUS_OK);
    assert_int_equal(loop_timer_create(site.loop, late, NULL, &site.guard),
                     STATUS_OK);
    assert_int_equal(loop_turn_create(site.loop, look_around, NULL, &site.turn),
                     STATUS_OK);
    assert_true(loopback_start(&site.relay, NULL, relay_serve, NULL));
    (void)snprintf(entry, sizeof(entry),
                   "use: shop\nstream: {url: 'http://127.0.0.1:%u/s'%s}\n",
                   site.relay.port, more);
    bound_texts(&site.bound, connector, entry, NULL);
    bound_must(&site.bound);
    assert_int_equal(http_client_create(site.loop, &client, &site.client, &err),
                     STATUS_OK);
    site.sink = (struct source_sink){ .submit = sink_submit,
                                      .has_room = sink_has_room,
                                      .is_writable = sink_is_writable,
                                      .load = sink_load };
    site.settings = (struct source_stream_settings){
        .refused = site_refused,
        .connector = &site.bound.connector,
        .seed = 7,
        .signal = note_signal,
    };
    add_outcomes();
    make_stream();
}

static inline void
start(void)
{
    source_stream_start(site.stream);
}

static inline void
site_close(void)
{
    source_stream_destroy(site.stream);
    for (size_t i = 0; i < site.submissions; i++) {
        arrival_destroy(site.submitted[i].arrival);
    }
    http_client_destroy(site.client);
    loopback_stop(&site.relay);
    loop_turn_destroy(site.turn);
    loop_timer_destroy(site.guard);
    loop_destroy(site.loop);
    metric_registry_destroy(site.registry);
    bound_fini(&site.bound);
}

static inline void
assert_submitted(size_t at, const char *body, const char *id)
{
    assert_true(at < site.submissions);
    assert_string_equal(site.submitted[at].body, body);
    assert_string_equal(site.submitted[at].id, id);
    assert_int_equal(site.submitted[at].kind,
                     body[0] == '\0' ? ARRIVAL_PAGE : ARRIVAL_REQUEST);
}

/* The id from which it asked last. */
static inline void
assert_asked_from(const char *id)
{
    char line[BODY_ROOM];
    (void)snprintf(line, sizeof(line), "Last-Event-ID: %s\r\n", id);
    if ((id[0] != '\0') != (strstr(site.relay.last, line) != NULL) ||
        (id[0] == '\0' && strstr(site.relay.last, "Last-Event-ID") != NULL)) {
        fail_msg("asked not from '%s':\n%s", id, site.relay.last);
    }
}

#endif
