/* SPDX-License-Identifier: MIT */
/*
 * checkup: what `doctor` makes of what it measured: room, clocks, webhooks that
 * came or did not, a systemd unit. Pure.
 */
#ifndef MODEL_CHECKUP_H
#define MODEL_CHECKUP_H

#include "base/bytes.h"

#include <stdbool.h>
#include <stdint.h>

enum checkup_grade { CHECKUP_OK, CHECKUP_WARN, CHECKUP_FAIL };

/* Returns "ok", "warn" or "fail". */
const char *checkup_grade_name(enum checkup_grade grade);

/* Whether so much room is enough for a store: what is below CHECKUP_ROOM_FAIL
 * is gone with the next backfill. */
#define CHECKUP_ROOM_WARN (INT64_C(1) << 29)
#define CHECKUP_ROOM_FAIL (INT64_C(1) << 26)
enum checkup_grade checkup_room(int64_t free_bytes);

/*
 * Returns by how much our clock is ahead of a server's, in ms, negative when it
 * is behind, as far as that is certain: the server wrote `date_ms`, cut to the
 * second (RFC 9110 §5.6.7), between `sent_ms` and `received_ms` of our clock.
 */
int64_t checkup_skew_ms(int64_t date_ms, int64_t sent_ms, int64_t received_ms);

/* Whether that harms: from CHECKUP_SKEW_FAIL_MS on, either way, signatures with
 * a time in them are refused by the strictest providers. */
#define CHECKUP_SKEW_WARN_MS INT64_C(5000)
#define CHECKUP_SKEW_FAIL_MS INT64_C(60000)
enum checkup_grade checkup_skew(int64_t skew_ms);

/* What is known of the webhooks of one connector. */
struct checkup_hooks {
    bool came;       /* a genuine one did, once */
    bool refused;    /* one that was not accepted did */
    bool is_silent;  /* the agent says that none come any more */
    int64_t by_list; /* events that only the list has brought */
};

enum checkup_hooks_state {
    CHECKUP_HOOKS_CAME,
    CHECKUP_HOOKS_SILENT,  /* they came, and do not any more */
    CHECKUP_HOOKS_REFUSED, /* requests come, and none is genuine */
    CHECKUP_HOOKS_MISSED,  /* none came for what the list shows */
    CHECKUP_HOOKS_NONE     /* none came, and nothing else either */
};

enum checkup_hooks_state checkup_hooks(const struct checkup_hooks *known);

/* Finds what a unit file starts (systemd.service(5), ExecStart=): the last one
 * that it says, its prefixes "-", "@", ":", "+" and "!" cut, and the file that
 * follows -c or --config; each empty where there is none. */
struct checkup_unit {
    struct slice program;
    struct slice config;
};
struct checkup_unit checkup_unit(struct slice text);

#endif
