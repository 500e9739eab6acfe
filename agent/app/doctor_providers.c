/* SPDX-License-Identifier: MIT */
/*
 * doctor_providers: whether each provider is found, can be connected to and
 * proves who it is, and how far its clock and ours are apart. One HEAD request
 * to each, to no path of its list and without any credential.
 */
#include "app/doctor.h"

#include "io/clock.h"
#include "io/http_client.h"
#include "io/loop.h"
#include "model/host.h"
#include "wire/timefmt.h"

#define ASK_MS       (10 * INSTANT_SECOND_MS)
#define ANSWER_BYTES ((size_t)65536)

struct round;

/* One origin, which any number of connectors ask. */
struct probe {
    struct round *round;
    struct slice origin;
    int64_t sent_ms;
};

struct round {
    struct doctor *doctor;
    struct loop *loop;
    struct http_client *client;
    struct probe *probes;
    size_t count;
    size_t running;
};

static void
say_clock(struct doctor *doctor, const struct probe *probe,
          const struct http_reply *reply)
{
    char span[INSTANT_TEXT_BYTES];
    struct slice date;
    int64_t date_ms;
    if (!http_field_find(reply->fields, "Date", &date) ||
        timefmt_read_http(date, &date_ms) != STATUS_OK) {
        doctor_say(doctor, CHECKUP_OK, probe->origin, NULL,
                   "it answers; it does not say its time");
        return;
    }
    int64_t skew_ms = checkup_skew_ms(date_ms, probe->sent_ms, clock_unix_ms());
    enum checkup_grade grade = checkup_skew(skew_ms);
    if (grade == CHECKUP_OK) {
        doctor_say(doctor, grade, probe->origin, NULL,
                   "it answers, and the clocks agree");
        return;
    }
    doctor_say(doctor, grade, probe->origin,
               "have the clock set: 'timedatectl set-ntp true', or chrony",
               "our clock is %s %s its own",
               instant_span_text(skew_ms < 0 ? -skew_ms : skew_ms, span),
               skew_ms < 0 ? "behind" : "ahead of");
}

/* What to do about an answer that did not come. */
static const char *
fix_of(enum status status)
{
    static const struct {
        enum status status;
        const char *fix;
    } rows[] = {
        { STATUS_DENIED,
          "install ca-certificates, or have the clock set: its certificate is "
          "not believed" },
        { STATUS_UNAVAILABLE,
          "look at the name in its URL, /etc/resolv.conf, and the firewall "
          "for what goes out" },
        { STATUS_TIMEOUT, "look at the firewall for what goes out, and at "
                          "routes: IPv6 without a way out is one" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].status == status) {
            return rows[i].fix;
        }
    }
    return "look whether the URL is the provider's";
}

static void
answered(void *arg, enum status status, const struct http_reply *reply,
         const struct error *err)
{
    struct probe *probe = arg;
    struct round *round = probe->round;
    if (status == STATUS_OK) {
        say_clock(round->doctor, probe, reply);
    } else {
        doctor_say(round->doctor, CHECKUP_FAIL, probe->origin, fix_of(status),
                   "%s", error_text(err, status));
    }
    round->running--;
    if (round->running == 0) {
        loop_stop(round->loop);
    }
}

static void
start(struct round *round, struct probe *probe)
{
    const struct http_call_spec spec = {
        .method = SLICE("HEAD"),
        .url = probe->origin,
        .connect_timeout_ms = ASK_MS,
        .timeout_ms = ASK_MS,
        .stall_timeout_ms = ASK_MS,
        .body_limit = ANSWER_BYTES,
    };
    struct http_call *call;
    struct error err = { 0 };
    probe->round = round;
    probe->sent_ms = clock_unix_ms();
    enum status status =
        http_client_start(round->client, &spec, answered, probe, &call, &err);
    if (status == STATUS_OK) {
        round->running++;
    } else {
        doctor_say(round->doctor, CHECKUP_FAIL, probe->origin, fix_of(status),
                   "%s", error_text(&err, status));
    }
}

/* Adds where the connector's list is, unless it is there already. */
static void
add_origin(struct round *round, const struct connector *connector)
{
    struct buf origin = { 0 };
    enum status status = host_origin(connector, &origin);
    size_t at = 0;
    while (status == STATUS_OK && at < round->count &&
           !slice_equal(round->probes[at].origin, buf_slice(&origin))) {
        at++;
    }
    if (status == STATUS_OK && at == round->count) {
        status = arena_copy(&round->doctor->arena, buf_slice(&origin),
                            &round->probes[at].origin);
        round->count += status == STATUS_OK;
    }
    if (status == STATUS_NOMEM) {
        round->doctor->failed_memory = true;
    }
    buf_fini(&origin);
}

static enum status
ask_all(struct round *round, struct error *err)
{
    const struct http_client_settings settings = { .connections = 16,
                                                   .connections_per_host = 1,
                                                   .user_agent = "longstop" };
    enum status status = loop_create(&round->loop);
    if (status == STATUS_OK) {
        status =
            http_client_create(round->loop, &settings, &round->client, err);
    }
    if (status == STATUS_OK) {
        for (size_t i = 0; i < round->count; i++) {
            start(round, &round->probes[i]);
        }
        if (round->running > 0) {
            loop_run(round->loop);
        }
    }
    http_client_destroy(round->client);
    loop_destroy(round->loop);
    return status;
}

void
doctor_providers(struct doctor *doctor)
{
    const struct configuration *configuration = &doctor->configuration;
    struct round round = {
        .doctor = doctor,
        .probes = arena_array(&doctor->arena, configuration->connector_count,
                              sizeof(*round.probes)),
    };
    struct error err = { 0 };
    if (doctor->has_offline) {
        return;
    }
    if (round.probes == NULL) {
        doctor->failed_memory = true;
        return;
    }
    for (size_t i = 0; i < configuration->connector_count; i++) {
        add_origin(&round, &configuration->connectors[i]);
    }
    enum status status = round.count == 0 ? STATUS_OK : ask_all(&round, &err);
    if (status != STATUS_OK) {
        doctor_say(doctor, CHECKUP_FAIL, (struct slice)SLICE(""), NULL, "%s",
                   error_text(&err, status));
    }
}
