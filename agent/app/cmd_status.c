/* SPDX-License-Identifier: MIT */
/*
 * cmd_status: how the running agent stands: what each connector brought, up to
 * when it is complete, what handlers are owed, and open gaps.
 */
#include <stdio.h>

#include "app/ask.h"
#include "app/commands.h"
#include "app/load.h"
#include "app/options.h"
#include "app/table.h"
#include "app/told.h"
#include "wire/json.h"

/* What a connector's lines are written from. */
struct lines {
    struct slice connector;
    struct arena *arena;
    int64_t now_ms;
    struct buf *into;
};

static void
title_text(const struct lines *lines)
{
    struct slice use = told_text(lines->connector, "use", lines->arena);
    struct slice channels = told_array(lines->connector, "channels");
    struct slice channel;
    size_t at = 0;
    buf_byte(lines->into, '\n');
    told_plain(told_text(lines->connector, "name", lines->arena), lines->into);
    if (use.len > 0) {
        buf_text(lines->into, " (");
        told_plain(use, lines->into);
        buf_byte(lines->into, ')');
    }
    for (const char *before = ": "; json_next_element(channels, &at, &channel);
         before = " and ") {
        struct slice name;
        if (json_text(channel, lines->arena, &name) == STATUS_OK) {
            buf_format(lines->into, "%s%.*s", before, SLICE_ARG(name));
        }
    }
    buf_byte(lines->into, '\n');
}

/* Where agents share the store. */
static void
walker_text(const struct lines *lines)
{
    struct slice agent;
    if (!json_member(lines->connector, slice_of("agent"), &agent)) {
        return;
    }
    if (slice_equal_text(agent, "null")) {
        buf_text(lines->into, "  no agent walks it now\n");
    } else {
        buf_format(lines->into, "  walked by agent %.*s\n", SLICE_ARG(agent));
    }
}

static bool
has_channel(const struct lines *lines, const char *wanted)
{
    struct slice channels = told_array(lines->connector, "channels");
    struct slice channel;
    struct slice name;
    bool has = false;
    for (size_t at = 0; !has && json_next_element(channels, &at, &channel);) {
        has = json_text(channel, lines->arena, &name) == STATUS_OK &&
              slice_equal_text(name, wanted);
    }
    return has;
}

static void
last_walk_text(const struct lines *lines, struct slice tier)
{
    struct slice walk = told_object(tier, "last_walk");
    struct slice error = told_text(walk, "error", lines->arena);
    int64_t failures = told_number(tier, "failures");
    int64_t ended_ms = told_time(walk, "ended");
    if (ended_ms == 0) {
        buf_text(lines->into, "    no walk has ended yet\n");
        return;
    }
    buf_text(lines->into, "    last walk ");
    told_when(ended_ms, lines->now_ms, lines->into);
    buf_format(lines->into, ": %.*s, %lld new, %lld known",
               SLICE_ARG(told_text(walk, "outcome", lines->arena)),
               (long long)told_number(walk, "new"),
               (long long)told_number(walk, "known"));
    if (failures > 0) {
        buf_format(lines->into, ", %lld failed in a row", (long long)failures);
    }
    buf_text(lines->into, "; next ");
    told_when(told_time(tier, "next_walk"), lines->now_ms, lines->into);
    if (error.len > 0) {
        buf_text(lines->into, "\n      ");
        told_plain(error, lines->into);
    }
    buf_byte(lines->into, '\n');
}

/* "every 1m", or "every 4.399s now (adaptive)" where that moves. */
static void
pace_text(const struct lines *lines, struct slice tier)
{
    char span[INSTANT_TEXT_BYTES];
    struct slice cron = told_text(tier, "cron", lines->arena);
    if (cron.len > 0) {
        buf_format(lines->into, "  cron %.*s: ", SLICE_ARG(cron));
        return;
    }
    buf_format(lines->into, "  every %s",
               instant_span_text(told_number(tier, "interval_ms"), span));
    if (told_true(tier, "hurried")) {
        buf_text(lines->into, " now (adaptive: a webhook is overdue): ");
    } else if (told_true(tier, "adaptive")) {
        buf_text(lines->into, " now (adaptive): ");
    } else {
        buf_text(lines->into, ": ");
    }
}

/* "12:03:10 if the list shows events within 2m" */
static void
tier_text(const struct lines *lines, struct slice tier)
{
    char span[INSTANT_TEXT_BYTES];
    int64_t until_ms = told_time(tier, "complete_until");
    pace_text(lines, tier);
    if (until_ms == 0) {
        buf_text(lines->into, "not complete yet");
    } else {
        buf_text(lines->into, "complete until ");
        told_when(until_ms, lines->now_ms, lines->into);
        buf_format(lines->into, " if the list shows events within %s",
                   instant_span_text(told_number(tier, "overlap_ms"), span));
    }
    buf_byte(lines->into, '\n');
    last_walk_text(lines, tier);
}

static void
stream_text(const struct lines *lines)
{
    const struct slice stream = told_object(lines->connector, "stream");
    const struct slice error = told_text(stream, "error", lines->arena);
    struct slice state;
    if (!json_member(lines->connector, slice_of("stream"), &state)) {
        return;
    }
    state = told_text(stream, "state", lines->arena);
    buf_format(lines->into, "  stream: %.*s", SLICE_ARG(state));
    if (told_time(stream, "connected") > 0) {
        buf_text(lines->into, " since ");
        told_when(told_time(stream, "connected"), lines->now_ms, lines->into);
        buf_text(lines->into, ", last byte ");
        told_when(told_time(stream, "last_byte"), lines->now_ms, lines->into);
    }
    if (told_time(stream, "next") > 0) {
        buf_text(lines->into, ", again at ");
        told_when(told_time(stream, "next"), lines->now_ms, lines->into);
    }
    buf_format(lines->into, "; %lld times asked again, %lld refused%s%.*s\n",
               (long long)told_number(stream, "reconnects"),
               (long long)told_number(stream, "refused"),
               error.len > 0 ? ": " : "", SLICE_ARG(error));
}

static void
tiers_text(const struct lines *lines)
{
    struct slice tiers = told_array(lines->connector, "tiers");
    struct slice tier;
    size_t at = 0;
    int64_t until_ms = told_time(lines->connector, "complete_until");
    int64_t gaps = told_number(lines->connector, "open_gaps");
    if (until_ms > 0) {
        buf_text(lines->into, "  complete until ");
        told_when(until_ms, lines->now_ms, lines->into);
        buf_text(lines->into, gaps > 0 ? ", but for what gaps lack\n" : "\n");
    }
    while (json_next_element(tiers, &at, &tier)) {
        tier_text(lines, tier);
    }
    if (at == 0) {
        buf_format(lines->into, "  no list is polled: %s\n",
                   told_loss(has_channel(lines, "webhook"),
                             has_channel(lines, "stream")));
    }
}

static void
by_channel_text(const struct lines *lines, const char *name)
{
    struct slice counts = told_object(lines->connector, name);
    struct slice channel, count;
    size_t at = 0;
    buf_format(lines->into, "  %s:", name);
    for (const char *before = " ";
         json_next_member(counts, &at, &channel, &count); before = ", ") {
        struct slice plain;
        if (json_text(channel, lines->arena, &plain) == STATUS_OK) {
            buf_format(lines->into, "%s%.*s by %.*s", before, SLICE_ARG(count),
                       SLICE_ARG(plain));
        }
    }
    buf_text(lines->into, ", since the start\n");
}

/* What two channels tell of each other. */
static void
recovered_text(const struct lines *lines)
{
    char span[INSTANT_TEXT_BYTES];
    struct slice connector = lines->connector;
    buf_format(lines->into,
               "  %lld recovered, %lld late, %lld confirmed, ever; recovered "
               "is what only the list has shown for %s\n",
               (long long)told_number(connector, "recovered"),
               (long long)told_number(connector, "late"),
               (long long)told_number(connector, "confirmed"),
               instant_span_text(told_number(connector, "grace_ms"), span));
    if (told_true(connector, "webhook_silent")) {
        buf_text(lines->into, "  webhooks have stopped, and walks go on "
                              "bringing events: is the provider's "
                              "subscription still on?\n");
    }
}

static void
counts_text(const struct lines *lines)
{
    struct slice connector = lines->connector;
    int64_t only = told_number(connector, "webhook_only");
    int64_t gaps = told_number(connector, "open_gaps");
    struct slice silent; /* told where there are both channels */
    by_channel_text(lines, "events");
    by_channel_text(lines, "duplicates");
    if (json_member(connector, slice_of("webhook_silent"), &silent)) {
        recovered_text(lines);
    }
    if (only > 0) {
        buf_format(lines->into,
                   "  %lld by webhook only: genuine, and in no list; 'longstop "
                   "keys' says of which types\n",
                   (long long)only);
    }
    if (gaps > 0) {
        buf_format(
            lines->into,
            "  %lld open gap%s: 'longstop gaps' says from when to when\n",
            (long long)gaps, gaps == 1 ? "" : "s");
    }
}

/* What keeps deliveries from it, if anything does. */
static const char *
state_of(struct slice handler, struct arena *arena)
{
    struct slice breaker = told_text(handler, "breaker", arena);
    return told_true(handler, "paused")             ? "paused"
           : slice_equal_text(breaker, "open")      ? "breaker open"
           : slice_equal_text(breaker, "half-open") ? "breaker half-open"
                                                    : "ok";
}

static void
when_cell(struct table *table, struct slice handler, const char *name,
          int64_t now_ms)
{
    struct buf when = { 0 };
    told_when(told_time(handler, name), now_ms, &when);
    table_cell(table, buf_slice(&when));
    buf_fini(&when);
}

static void
duration_cell(struct table *table, struct slice handler, const char *name)
{
    char span[INSTANT_TEXT_BYTES];
    struct slice value;
    bool has = json_member(handler, slice_of(name), &value) &&
               !slice_equal_text(value, "null");
    table_cell(table, slice_of(has ? instant_span_text(
                                         told_number(handler, name), span)
                                   : "-"));
}

static void
rate_cell(struct table *table, struct slice handler)
{
    char text[INSTANT_TEXT_BYTES];
    (void)snprintf(text, sizeof(text), "%lld/m",
                   (long long)told_number(handler, "per_minute"));
    table_cell(table, slice_of(text));
}

static void
handlers_text(struct slice handlers, const char *head, struct arena *arena,
              int64_t now_ms, struct buf *into)
{
    const char *const heads[] = { head,   "OWED",  "OLDEST", "NEXT",
                                  "RUNS", "RATE",  "P50",    "P99",
                                  "DEAD", "STATE", NULL };
    struct slice handler;
    struct table table = { 0 };
    size_t at = 0;
    table_heads(&table, heads);
    while (json_next_element(handlers, &at, &handler)) {
        table_cell(&table, told_text(handler, "name", arena));
        table_number(&table, told_number(handler, "pending"));
        when_cell(&table, handler, "oldest", now_ms);
        when_cell(&table, handler, "next_try", now_ms);
        table_number(&table, told_number(handler, "running"));
        rate_cell(&table, handler);
        duration_cell(&table, handler, "p50_ms");
        duration_cell(&table, handler, "p99_ms");
        table_number(&table, told_number(handler, "dead"));
        table_cell(&table, slice_of(state_of(handler, arena)));
    }
    buf_byte(into, '\n');
    table_print(&table, "", into);
    table_fini(&table);
}

/* A line for each of those that are paused. */
static void
paused_text(struct slice body, const char *name, const struct lines *lines)
{
    struct slice items = told_array(body, name);
    struct slice item;
    for (size_t at = 0; json_next_element(items, &at, &item);) {
        if (!told_true(item, "paused")) {
            continue;
        }
        told_plain(told_text(item, "name", lines->arena), lines->into);
        buf_text(lines->into, " is paused since ");
        told_when(told_time(item, "paused_since"), lines->now_ms, lines->into);
        buf_text(lines->into, ": ");
        told_plain(told_text(item, "paused_why", lines->arena), lines->into);
        buf_text(lines->into, "; 'longstop resume' lets it go on\n");
    }
}

/* How many connectors an agent walks. */
static int64_t
walks_of(struct slice body, int64_t agent)
{
    struct slice connectors = told_array(body, "connectors");
    struct slice connector;
    int64_t count = 0;
    for (size_t at = 0; json_next_element(connectors, &at, &connector);) {
        count += told_number(connector, "agent") == agent;
    }
    return count;
}

/* Those that share the store, where there is more than this process. */
static void
agents_text(struct slice body, const struct lines *lines)
{
    static const char *const heads[] = { "AGENT", "HOST",  "VERSION", "SINCE",
                                         "BEAT",  "WALKS", NULL };
    struct slice agents;
    struct slice agent;
    struct table table = { 0 };
    size_t at = 0;
    if (!json_member(body, slice_of("agents"), &agents)) {
        return;
    }
    table_heads(&table, heads);
    while (json_next_element(agents, &at, &agent)) {
        int64_t number = told_number(agent, "agent");
        struct buf name = { 0 };
        buf_format(&name, "%lld%s", (long long)number,
                   told_true(agent, "self") ? " (this one)" : "");
        table_cell(&table, buf_slice(&name));
        buf_fini(&name);
        table_cell(&table, told_text(agent, "host", lines->arena));
        table_cell(&table, told_text(agent, "version", lines->arena));
        when_cell(&table, agent, "started", lines->now_ms);
        when_cell(&table, agent, "last_beat", lines->now_ms);
        table_number(&table, walks_of(body, number));
    }
    buf_byte(lines->into, '\n');
    table_print(&table, "", lines->into);
    table_fini(&table);
    if (at == 0) {
        buf_text(lines->into, "the store has not answered this agent's last "
                              "signs of life: it walks nothing\n");
    }
}

static void
status_text_of(struct slice body, const void *arg, struct buf *into)
{
    (void)arg;
    char span[INSTANT_TEXT_BYTES];
    struct arena arena = { 0 };
    struct slice connectors = told_array(body, "connectors");
    struct slice connector;
    size_t at = 0;
    size_t first = 0;
    int64_t now_ms = told_time(body, "now");
    int64_t up_ms = (now_ms - told_time(body, "started")) / INSTANT_SECOND_MS *
                    INSTANT_SECOND_MS;
    buf_format(into, "longstop %.*s, up %s; store: %.*s; times are UTC\n",
               SLICE_ARG(told_text(body, "version", &arena)),
               instant_span_text(up_ms, span),
               SLICE_ARG(told_text(body, "store", &arena)));
    buf_format(into, "sandbox: %.*s\n",
               SLICE_ARG(told_text(body, "sandbox", &arena)));
    agents_text(body, &(struct lines){ body, &arena, now_ms, into });
    while (json_next_element(connectors, &at, &connector)) {
        const struct lines lines = { connector, &arena, now_ms, into };
        title_text(&lines);
        walker_text(&lines);
        stream_text(&lines);
        tiers_text(&lines);
        counts_text(&lines);
    }
    handlers_text(told_array(body, "handlers"), "HANDLER", &arena, now_ms,
                  into);
    if (json_next_element(told_array(body, "receivers"), &first, &connector)) {
        handlers_text(told_array(body, "receivers"), "RECEIVER", &arena, now_ms,
                      into);
    }
    const struct lines lines = { body, &arena, now_ms, into };
    paused_text(body, "connectors", &lines);
    paused_text(body, "handlers", &lines);
    arena_fini(&arena);
}

static bool
has_paused(struct slice body, const char *name)
{
    struct slice items = told_array(body, name);
    struct slice item;
    bool has = false;
    for (size_t at = 0; !has && json_next_element(items, &at, &item);) {
        has = told_true(item, "paused");
    }
    return has;
}

static enum exit_code
show_status(const struct ask *ask, bool json)
{
    const struct ask_form form = { json, status_text_of, NULL };
    struct buf body = { 0 };
    enum exit_code code =
        ask_agent(ask, "GET", "/api/v1/status", (struct slice)SLICE(""), &body);
    bool is_wrong =
        code == EXIT_OK && (told_number(buf_slice(&body), "open_gaps") > 0 ||
                            has_paused(buf_slice(&body), "handlers") ||
                            has_paused(buf_slice(&body), "connectors"));
    code = ask_print(ask, code, &body, &form);
    return code == EXIT_OK && is_wrong ? EXIT_FAILED : code;
}

enum exit_code
cmd_status(int argc, char **argv)
{
    const char *path = NULL;
    bool json = false;
    const struct option_spec options[] = {
        { "config", 'c', "FILE", "the configuration", &path, NULL },
        { "json", 0, NULL, "as JSON", NULL, &json },
    };
    const struct command_spec spec = {
        .name = "status",
        .operands = "",
        .summary = "Shows how the running agent stands: what each connector "
                   "brought, up to when it\nis complete, what handlers are "
                   "owed. Exit 1 while a gap is open or something is paused.",
        .examples = "  longstop status\n"
                    "  longstop status --json | jq .open_gaps\n",
        .options = options,
        .option_count = sizeof(options) / sizeof(options[0]),
    };
    char **operands;
    enum options_verdict verdict = options_parse(&spec, argc, argv, &operands);
    if (verdict != OPTIONS_OK) {
        return verdict == OPTIONS_HELP ? EXIT_OK : EXIT_USAGE;
    }
    struct configuration configuration;
    enum exit_code code = load_configuration_to_ask(path, &configuration);
    if (code == EXIT_OK) {
        const struct ask ask = { .configuration = &configuration,
                                 .command = spec.name };
        code = show_status(&ask, json);
        configuration_fini(&configuration);
    }
    return code;
}
