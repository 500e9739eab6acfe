/* SPDX-License-Identifier: MIT */
/* A plan as its connector's YAML, and in a line for people. */
#include "sim/plan.h"

#include <inttypes.h>

#include "base/instant.h"

#define S INSTANT_SECOND_MS
#define D INSTANT_DAY_MS

static const char *const units[] = {
    [PLAN_S] = "s", [PLAN_MS] = "ms", [PLAN_ISO] = "iso8601"
};

static const char *const page_texts[] = {
    [PLAN_ONE_PAGE] = "{kind: none",
    [PLAN_LINK] = "{kind: link",
    [PLAN_URL] = "{kind: url, from: next",
    [PLAN_TOKEN] = "{kind: token, from: next, more: more",
    [PLAN_LAST_ID] = "{kind: last_id, from: n, more: more",
    [PLAN_BY_CURSOR] = "{kind: cursor, more: more",
    [PLAN_NUMBER] = "{kind: number, start: 1, more: more",
    [PLAN_OFFSET] = "{kind: offset, more: more",
};

/* Ids and logs begin where the list ends when it is first asked. */
static void
write_text_cursor(const struct plan *plan, struct buf *file)
{
    bool is_id = plan->cursor == PLAN_ID;
    buf_format(file,
               "  order: asc\n"
               "  first: {url: '{var:base}/list', query: {newest: yes},"
               " cursor: '%s', else: '%s'}\n"
               "  cursor: {kind: %s, from: %s, settle: %" PRId64 "ms%s}\n%s"
               "  pages: %s}\n",
               is_id ? "item:n" : "json:log", is_id ? "" : "0",
               is_id ? "id" : "token", is_id ? "max(n)" : "log",
               plan->settle_ms,
               is_id ? ", compare: numeric"
                     : ", expired: [{status: 409, x: 'json:error',"
                       " equals: forgotten}]",
               plan->resyncs ? "  resync: {url: '{var:base}/list', query:"
                               " {all: yes}, cursor: 'json:log'}\n"
                             : "",
               page_texts[plan->pages]);
}

static void
write_seen(const struct plan *plan, struct buf *file)
{
    buf_format(file,
               "  order: desc\n"
               "  cursor: {kind: seen, from: id, settle: %" PRId64 "ms}\n"
               "  pages: %s%s}\n",
               plan->settle_ms, page_texts[plan->pages],
               plan->until_seen ? ", until_cursor: true" : "");
}

static void
write_cursor(const struct plan *plan, struct buf *file)
{
    if (plan->seen) {
        write_seen(plan, file);
        return;
    }
    if (plan->cursor != PLAN_TIME) {
        write_text_cursor(plan, file);
        return;
    }
    static const char *const orders[] = { "asc", "desc", "none" };
    buf_format(file,
               "  order: %s\n"
               "  cursor: {kind: time, from: at, parse: %s, format: %s,"
               " inclusive: %s, send: %s, settle: %" PRId64 "ms",
               orders[plan->order], units[plan->stamp], units[plan->format],
               plan->inclusive ? "true" : "false",
               plan->sends ? "true" : "false", plan->settle_ms);
    if (plan->window_ms > 0) {
        buf_format(file, ", window: %" PRId64 "ms, full: %zu", plan->window_ms,
                   plan->page_size);
    }
    buf_format(file, "}\n  pages: %s%s%s}\n", page_texts[plan->pages],
               plan->restart ? ", restart: true" : "",
               plan->sends ? "" : ", until_cursor: true");
}

/* One event's object; `body` leaves out what is no object at all. */
#define FETCH ", fetch: {url: '{var:base}/one/{n}', body: whole}"

static void
write_identity(const struct plan *plan, struct buf *file)
{
    const char *unit = units[plan->stamp];
    if (plan->state) {
        buf_format(file,
                   "  record: {id: 'object:{id}:{at}', type: '{type}',"
                   " time: {from: at, unit: %s}, stands_for: ['order.*']%s}\n"
                   "match:\n"
                   "  mode: state\n"
                   "  webhook: 'object:{json:object}:{json:at|time}'\n"
                   "  poll: 'object:{id}:{at|time}'\n",
                   unit, plan->thin_rows ? FETCH : "");
        return;
    }
    buf_format(file,
               "  record: {id: '{id}', type: '{type}',"
               " time: {from: at, unit: %s}",
               unit);
    if (plan->key_time) {
        buf_format(file, ", key_time: {from: at, unit: %s}", unit);
    }
    buf_format(file, "%s}\nmatch: {mode: event}\n",
               plan->thin_rows ? FETCH : "");
}

void
plan_connector(const struct plan *plan, struct buf *file, struct buf *entry)
{
    const char *unit = units[plan->stamp];
    buf_format(file,
               "params:\n"
               "  base: {}\n"
               "  api_key: {secret: true}\n"
               "  webhook_secret: {secret: true}\n"
               "verify: {type: hmac, alg: sha256,"
               " signature: {from: 'header:X-Sign', encoding: hex},"
               " signed: '{body}'}\n"
               "event: {id: 'json:id', type: 'json:type',"
               " time: {from: 'json:at', unit: %s}",
               unit);
    if (plan->key_time) {
        buf_format(file, ", key_time: {from: 'json:at', unit: %s}", unit);
    }
    buf_format(file, "%s}\n%s", plan->thin_hooks ? ", mode: thin" FETCH : "",
               plan->thin_rows ? "recover: fetch\n" : "");
    buf_text(file, "poll:\n"
                   "  request: {url: '{var:base}/list',"
                   " query: {since: '{cursor}', page: '{page}'");
    buf_text(file, plan->window_ms > 0 ? ", until: '{until}'}}\n" : "}}\n");
    buf_text(file, "  auth: {type: bearer}\n"
                   "  items: '$.rows[*]'\n"
                   "  limit: {retry_after: ['header:Retry-After']}\n");
    if (plan->gated) {
        buf_format(file,
                   "  gate: {url: '{var:base}/gate',"
                   " query: {since: '{cursor}'},"
                   " go_when: {x: 'json:go', equals: 'true'},"
                   " backoff: 'json:backoff', client_timeout: %" PRId64 "ms}\n",
                   plan->patience_ms);
    }
    if (plan->retention_ms > 0) {
        buf_format(file, "  retention: %" PRId64 "s\n", plan->retention_ms / S);
    }
    write_cursor(plan, file);
    write_identity(plan, file);
    buf_format(entry,
               "use: shop\n"
               "with: {base: 'http://127.0.0.1:9', api_key: k%s}\n"
               "poll:\n"
               "  every: %" PRId64 "s\n"
               "  overlap: %" PRId64 "ms\n",
               plan->hooked ? ", webhook_secret: s3cret" : "",
               plan->every_ms / S, plan->overlap_ms);
    if (plan->fastest_ms > 0) {
        buf_format(entry,
                   "  pace: adaptive\n"
                   "  fastest: %" PRId64 "ms\n"
                   "  slowest: %" PRId64 "ms\n",
                   plan->fastest_ms, plan->every_ms);
    }
    if (plan->start_age_ms > 0) {
        buf_format(entry, "  start: %" PRId64 "s\n", plan->start_age_ms / S);
    }
    for (size_t i = 0; i < plan->sweep_count; i++) {
        buf_format(entry,
                   "%s    - {every: %" PRId64 "s, overlap: %" PRId64 "ms}\n",
                   i == 0 ? "  sweeps:\n" : "", plan->sweeps[i].every_ms / S,
                   plan->sweeps[i].overlap_ms);
    }
    buf_format(entry, "grace: %" PRId64 "s\nkeep_ids: %" PRId64 "s\n",
               plan->grace_ms / S, plan->keep_ids_ms / S);
}

void
plan_describe(const struct plan *plan, struct buf *into)
{
    static const char *const orders[] = { "ascending", "newest first",
                                          "in no order" };
    const char *filter = plan->seen    ? ", by what is known"
                         : plan->sends ? ""
                                       : ", no filter";
    buf_format(
        into,
        "%s %s, %s pages of %zu (%s), stamps in %s, asked in %s%s%s%s,"
        " hidden up to %" PRId64 " s; every %" PRId64 " s%s, overlap %" PRId64
        " s, settle %" PRId64 " s, %zu sweeps%s%s%s; %.1f days",
        plan->state ? "objects" : "events", orders[plan->order],
        page_texts[plan->pages] + 1, plan->page_size,
        plan->keyed ? "by row" : "by position", units[plan->stamp],
        units[plan->format], plan->inclusive ? "" : ", exclusive", filter,
        plan->dated ? "" : ", no Date", plan->delay_ms / S, plan->every_ms / S,
        plan->fastest_ms > 0 ? " at the slowest" : "", plan->overlap_ms / S,
        plan->settle_ms / S, plan->sweep_count,
        plan->thin_hooks || plan->thin_rows ? ", fetched" : "",
        plan->backfills ? ", backfilled" : "", plan->gated ? ", gated" : "",
        (double)plan->length_ms / (double)D);
}
