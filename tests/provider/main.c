/* SPDX-License-Identifier: MIT */
/*
 * longstop-provider: the pet store of the tutorials as a process, with the
 * faults of the world to order.
 *
 * Prints `port N` when it listens and `done` when every fact has happened and
 * every hook was answered or given up; then serves its list until SIGTERM.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "hooks.h"
#include "io/clock.h"
#include "io/loop.h"
#include "journal.h"
#include "listing.h"
#include "orders.h"
#include "showing.h"
#include "wire/digest.h"

#define TICK_MS 10

struct options {
    int64_t port, events, rate, seed, page, skew_s, reorder_ms, wait_ms;
    int64_t lost, doubled, reordered, late, late_ms, limited, limit_rest_ms;
    int64_t lag_ms, tail, tail_ms;
    const char *hook_url, *secret, *token, *journal;
    bool burst, flat, trailing;
};

enum option_kind { NUMBER, TEXT, FLAG };

static const struct {
    const char *name;
    enum option_kind kind;
    size_t at;
    const char *words;
} table[] = {
#define O(member) offsetof(struct options, member)
    { "--port", NUMBER, O(port), "N       listen here; 0: any" },
    { "--hook-url", TEXT, O(hook_url), "URL     where webhooks go" },
    { "--secret", TEXT, O(secret), "TEXT    signs them" },
    { "--token", TEXT, O(token), "TEXT    the list's bearer token" },
    { "--journal", TEXT, O(journal), "FILE    facts and answered hooks" },
    { "--events", NUMBER, O(events), "N       so many facts happen" },
    { "--rate", NUMBER, O(rate), "N       facts a second; 0: all at once" },
    { "--wait", NUMBER, O(wait_ms), "MS      after the list is asked for" },
    { "--seed", NUMBER, O(seed), "N       of chance" },
    { "--page", NUMBER, O(page), "N       rows a page" },
    { "--loss", NUMBER, O(lost), "P       % of the hooks never leave" },
    { "--double", NUMBER, O(doubled), "P       % leave twice" },
    { "--reorder", NUMBER, O(reordered), "P       % are held back" },
    { "--reorder-ms", NUMBER, O(reorder_ms), "MS      at most so long" },
    { "--late", NUMBER, O(late), "P       % come long after the list" },
    { "--late-ms", NUMBER, O(late_ms), "MS      so long" },
    { "--limit", NUMBER, O(limited), "P       % of the lists: 429" },
    { "--limit-rest", NUMBER, O(limit_rest_ms), "MS      but none so soon" },
    { "--lag", NUMBER, O(lag_ms), "MS      until a fact is listed" },
    { "--lag-tail", NUMBER, O(tail), "P       % are listed later still" },
    { "--lag-tail-ms", NUMBER, O(tail_ms), "MS      so long after" },
    { "--clock-skew", NUMBER, O(skew_s), "S       our clock is off by this" },
    { "--burst", FLAG, O(burst), "        stamps are whole seconds" },
    { "--flat", FLAG, O(flat), "        the other form of body" },
    { "--trailing", FLAG, O(trailing),
      "        only an empty page ends a list" },
#undef O
};

#define OPTIONS (sizeof(table) / sizeof(table[0]))

static void
usage(void)
{
    (void)fprintf(stderr, "usage: longstop-provider [options]\n");
    for (size_t i = 0; i < OPTIONS; i++) {
        (void)fprintf(stderr, "  %-13s %s\n", table[i].name, table[i].words);
    }
}

/* Returns how many words were used; 0 if they are no option. */
static int
read_option(const char *name, const char *value, struct options *into)
{
    for (size_t i = 0; i < OPTIONS; i++) {
        if (strcmp(name, table[i].name) != 0) {
            continue;
        }
        char *place = (char *)into + table[i].at;
        if (table[i].kind == FLAG) {
            *(bool *)(void *)place = true;
            return 1;
        }
        if (value == NULL) {
            return 0;
        }
        if (table[i].kind == TEXT) {
            *(const char **)(void *)place = value;
            return 2;
        }
        enum status status =
            slice_to_i64(slice_of(value), (int64_t *)(void *)place);
        return status == STATUS_OK ? 2 : 0;
    }
    return 0;
}

static bool
read_options(int argc, char **argv, struct options *into)
{
    int used = 1;
    for (int i = 1; i < argc; i += used) {
        used = read_option(argv[i], i + 1 < argc ? argv[i + 1] : NULL, into);
        if (used == 0) {
            (void)fprintf(stderr, "longstop-provider: %s?\n", argv[i]);
            return false;
        }
    }
    if (into->page < 1 || into->events < 0 || into->rate < 0 ||
        into->tail < 0 || into->tail > 100 || into->secret[0] == '\0' ||
        into->token[0] == '\0') {
        (void)fprintf(stderr, "longstop-provider: out of range\n");
        return false;
    }
    return true;
}

struct provider {
    struct options options;
    struct loop *loop;
    struct loop_signal *term, *interrupt;
    struct loop_timer *tick;
    struct journal *journal;
    struct orders *orders;
    struct hooks *hooks;
    struct showing *showing;
    struct listing *listing;
    int64_t began_ms;
    int64_t happened;
};

static void
on_signal(void *arg)
{
    struct provider *provider = arg;
    loop_stop(provider->loop);
}

static enum status
let_happen(struct provider *provider)
{
    struct fact fact;
    int64_t now_ms = clock_unix_ms() + provider->options.skew_s * 1000;
    enum status status = orders_happen(provider->orders, now_ms, &fact);
    if (status != STATUS_OK) {
        return status;
    }
    provider->happened++;
    journal_fact(provider->journal, &fact);
    return hooks_send(provider->hooks, &fact);
}

/* Whether the first fact is still to wait for somebody who reads the list. */
static bool
is_waiting(struct provider *provider)
{
    const struct options *o = &provider->options;
    int64_t now_ms = clock_monotonic_ms();
    if (o->wait_ms > 0 && !showing_was_asked(provider->showing)) {
        provider->began_ms = now_ms + o->wait_ms;
    }
    return now_ms < provider->began_ms;
}

static void
on_tick(void *arg)
{
    struct provider *provider = arg;
    const struct options *o = &provider->options;
    if (is_waiting(provider)) {
        loop_timer_arm(provider->tick, TICK_MS);
        return;
    }
    int64_t elapsed_ms = clock_monotonic_ms() - provider->began_ms;
    int64_t due = o->rate == 0 ? o->events : elapsed_ms * o->rate / 1000;
    while (provider->happened < o->events && provider->happened < due) {
        if (let_happen(provider) != STATUS_OK) {
            (void)fprintf(stderr, "longstop-provider: out of memory\n");
            exit(EXIT_FAILURE);
        }
    }
    if (provider->happened < o->events ||
        hooks_outstanding(provider->hooks) > 0) {
        loop_timer_arm(provider->tick, TICK_MS);
        return;
    }
    (void)puts("done");
}

static enum status
start(struct provider *provider, struct error *err)
{
    const struct options *o = &provider->options;
    uint64_t seed = (uint64_t)o->seed;
    char address[32];
    (void)snprintf(address, sizeof(address), "127.0.0.1:%lld",
                   (long long)o->port);
    /* What is late befalls the first of them: the end is not put off by it. */
    size_t first = ((size_t)o->events + 3) / 4;
    const struct orders_settings orders = {
        .seed = seed,
        .lag_ms = o->lag_ms,
        .tail_percent = o->tail,
        .tail_ms = o->tail_ms,
        .tail_among = first,
        .whole_seconds = o->burst,
    };
    const struct hooks_settings hooks = {
        .url = o->hook_url,
        .secret = o->secret,
        .seed = seed + 1,
        .lost_percent = o->lost,
        .doubled_percent = o->doubled,
        .reordered_percent = o->reordered,
        .reorder_ms = o->reorder_ms,
        .late_percent = o->late,
        .late_ms = o->late_ms,
        .late_among = first,
        .flat = o->flat,
    };
    const struct listing_settings listing = {
        .address = address,
        .token = o->token,
        .seed = seed + 2,
        .page_size = o->page,
        .limited_percent = o->limited,
        .limit_rest_ms = o->limit_rest_ms,
        .skew_ms = o->skew_s * 1000,
        .trailing = o->trailing,
    };
    enum status status = orders_create(&orders, &provider->orders);
    if (status == STATUS_OK) {
        status =
            journal_open(o->journal, provider->orders, &provider->journal, err);
    }
    if (status == STATUS_OK) {
        status = hooks_create(provider->loop, &hooks, provider->orders,
                              provider->journal, &provider->hooks, err);
    }
    if (status == STATUS_OK) {
        status = showing_create(provider->journal, provider->hooks,
                                listing.skew_ms, &provider->showing);
    }
    if (status == STATUS_OK) {
        status = listing_create(provider->loop, &listing, provider->orders,
                                provider->showing, &provider->listing, err);
    }
    return status;
}

static enum status
serve(struct provider *provider)
{
    enum status status = loop_signal_create(provider->loop, SIGTERM, on_signal,
                                            provider, &provider->term);
    if (status == STATUS_OK) {
        status = loop_signal_create(provider->loop, SIGINT, on_signal, provider,
                                    &provider->interrupt);
    }
    if (status == STATUS_OK) {
        status = loop_timer_create(provider->loop, on_tick, provider,
                                   &provider->tick);
    }
    if (status != STATUS_OK) {
        return status;
    }
    (void)printf("port %u\n", (unsigned)listing_port(provider->listing));
    provider->began_ms = clock_monotonic_ms();
    loop_timer_arm(provider->tick, 0);
    loop_run(provider->loop);
    return STATUS_OK;
}

static void
stop(struct provider *provider)
{
    listing_destroy(provider->listing);
    showing_destroy(provider->showing);
    hooks_destroy(provider->hooks);
    journal_close(provider->journal);
    orders_destroy(provider->orders);
    loop_timer_destroy(provider->tick);
    loop_signal_destroy(provider->interrupt);
    loop_signal_destroy(provider->term);
    loop_destroy(provider->loop);
}

int
main(int argc, char **argv)
{
    struct provider provider = {
        .options = { .events = 100,
                     .rate = 50,
                     .seed = 1,
                     .page = 100,
                     .reorder_ms = 500,
                     .late_ms = 10000,
                     .tail_ms = 5000,
                     .secret = "pet-store-secret",
                     .token = "pet-store-token" },
    };
    struct error err = { { 0 } };
    if (!read_options(argc, argv, &provider.options)) {
        usage();
        return 2;
    }
    /* a line at a time even into a pipe: whoever started us waits for it */
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    (void)signal(SIGPIPE, SIG_IGN);
    enum status status = digest_init(&err);
    if (status == STATUS_OK) {
        status = loop_create(&provider.loop);
    }
    if (status == STATUS_OK) {
        status = start(&provider, &err);
    }
    if (status == STATUS_OK) {
        status = serve(&provider);
    }
    if (status != STATUS_OK) {
        (void)fprintf(stderr, "longstop-provider: %s\n",
                      error_text(&err, status));
    }
    stop(&provider);
    return status == STATUS_OK ? 0 : 1;
}
