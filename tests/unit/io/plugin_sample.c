/* SPDX-License-Identifier: MIT */
/* The least a plugin can be: it takes everything and keeps nothing. */
#include "plugin/database.h"

static const char *
describe(void)
{
    return "sample";
}

static void *
open_sample(const struct longstop_setting *settings, size_t count,
            const struct longstop_host *host, char words[LONGSTOP_WORDS_BYTES])
{
    static int session;
    (void)settings;
    (void)count;
    (void)host;
    (void)words;
    return &session;
}

static enum longstop_broker
publish(void *session, struct longstop_entry *entries, size_t count,
        int64_t timeout_ms)
{
    (void)session;
    (void)timeout_ms;
    for (size_t i = 0; i < count; i++) {
        entries[i].outcome = LONGSTOP_DONE;
    }
    return LONGSTOP_THERE;
}

static void
close_sample(void *session)
{
    (void)session;
}

LONGSTOP_PLUGIN_EXPORT extern const struct longstop_plugin longstop_plugin;

const struct longstop_plugin longstop_plugin = {
    .abi = SAMPLE_ABI,
    .kind = "nats",
    .describe = describe,
    .open = open_sample,
    .publish = publish,
    .close = close_sample,
};

/* It is a database's, too, of which nothing is called. */
LONGSTOP_PLUGIN_EXPORT extern const struct longstop_database longstop_database;

const struct longstop_database longstop_database = {
    .abi = SAMPLE_ABI,
    .kind = "nats",
    .describe = describe,
};
