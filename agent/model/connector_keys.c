/* SPDX-License-Identifier: MIT */
/* The vocabulary: every key of a connector, in its file and its entry. */
#include "model/connector_keys_private.h"

static const char *const orders[] = { "none", "asc", "desc", NULL };
static const char *const cursor_kinds[] = { "time", "id",   "token",
                                            "seen", "none", NULL };
static const char *const page_kinds[] = { "none",   "link",    "url",
                                          "token",  "last_id", "cursor",
                                          "number", "offset",  NULL };
static const char *const auth_types[] = { "none",  "bearer", "basic", "header",
                                          "query", "oauth2", NULL };
static const char *const fetch_auth_types[] = { "none",   "bearer", "basic",
                                                "header", "query",  NULL };
static const char *const grants[] = { "client_credentials", "refresh_token",
                                      "account_credentials", NULL };
static const char *const client_auths[] = { "basic", "body", "none", NULL };
static const char *const gone_ways[] = { "later", "dead", NULL };
static const char *const recover_modes[] = { "self", "fetch", "redeliver",
                                             "none", NULL };
static const char *const data_shapes[] = { "same", "differs", NULL };
static const char *const match_modes[] = { "none", "event", "state", NULL };
const char *const connector_groups[] = {
    "generic", "payments", "commerce", "code",  "messaging", "mail",   "crm",
    "support", "work",     "data",     "cloud", "feeds",     "relays", NULL
};
static const char *const paces[] = { "fixed", "adaptive", NULL };

static const struct config_key fetch_auth_keys[] = {
    KEY(auth_spec, "type", CONFIG_CHOICE, type, .choices = fetch_auth_types,
        .fallback = "none", .doc = "How the request proves who we are."),
    KEY(auth_spec, "name", CONFIG_TEXT, name,
        .doc = "The field or the query parameter."),
    CUSTOM(auth_spec, "value", value, connector_fetch_text, STRING,
           "Its value; default: `{secret:api_key}`."),
    CUSTOM(auth_spec, "user", user, connector_fetch_text, STRING,
           "For basic; default: `{secret:api_key}`."),
    CUSTOM(auth_spec, "password", password, connector_fetch_text, STRING,
           "For basic; default: empty."),
};
TABLE(fetch_auth_table, "auth", fetch_auth_keys, auth_spec,
      "How the request proves who we are.");

static const struct config_key fetch_keys[] = {
    KEY(fetch_spec, "method", CONFIG_TEXT, request.method, .fallback = "GET",
        .doc = "The HTTP method."),
    CUSTOM(fetch_spec, "url", request.url, connector_fetch_text, STRING,
           "The URL: what comes from the event is percent-encoded in it. A "
           "place alone (`json:self`) is a URL on `base`."),
    CUSTOM(fetch_spec, "query", request.query, connector_fetch_query, PAIRS,
           "Query parameters; one with an absent place is left out."),
    CUSTOM(fetch_spec, "headers", request.headers, connector_fetch_headers,
           PAIRS, "Request fields."),
    CUSTOM(fetch_spec, "json", request.body, connector_fetch_json, TREE,
           "A JSON body; a member with an absent place is left out."),
    CUSTOM(fetch_spec, "form", request.form, connector_fetch_form, PAIRS,
           "A form body."),
    KEY(fetch_spec, "auth", CONFIG_TABLE_PTR, auth, .table = &fetch_auth_table,
        .doc = "How the request proves who we are; default: as the list's."),
    CUSTOM(fetch_spec, "body", body, connector_parse_path, STRING,
           "The part of the answer that is the event's body; default: all."),
    CUSTOM(fetch_spec, "expect", expect, connector_verify_status,
           "{\"type\":\"integer\"}",
           "The status that means yes; default: any 2xx."),
    KEY(fetch_spec, "gone", CONFIG_CHOICE, gone, .choices = gone_ways,
        .fallback = "later",
        .doc = "After 404 or 410: `later` tries again, for lists and objects "
               "of one API need not agree at once; `dead` gives up."),
};

const struct config_table connector_fetch_table = {
    .name = "fetch",
    .keys = fetch_keys,
    .count = sizeof(fetch_keys) / sizeof(fetch_keys[0]),
    .size = sizeof(struct fetch_spec),
    .doc = "A request for one event.",
};

static const struct config_key request_keys[] = {
    KEY(request_spec, "method", CONFIG_TEXT, method, .fallback = "GET",
        .doc = "The HTTP method."),
    CUSTOM(request_spec, "url", url, connector_parse_request_text, STRING,
           "The URL, without its query."),
    CUSTOM(request_spec, "query", query, connector_poll_query, PAIRS,
           "Query parameters; one with an absent place is left out."),
    CUSTOM(request_spec, "first_url", first_url, connector_parse_request_text,
           STRING, "The URL while there is no cursor; the same as first.url."),
    CUSTOM(request_spec, "first_query", first_query, connector_poll_first_query,
           PAIRS,
           "The query while there is no cursor; the same as first.query."),
    CUSTOM(request_spec, "headers", headers, connector_poll_headers, PAIRS,
           "Request fields."),
    CUSTOM(request_spec, "json", body, connector_poll_json_body, TREE,
           "A JSON body; a member with an absent place is left out."),
    CUSTOM(request_spec, "form", form, connector_poll_form, PAIRS,
           "A form body."),
    CUSTOM(request_spec, "graphql", body, connector_poll_graphql, TREE,
           "A GraphQL `query` and its `variables`."),
};
TABLE(request_table, "request", request_keys, request_spec,
      "One page of the list.");

static const struct config_key first_keys[] = {
    KEY(poll_spec, "method", CONFIG_TEXT, first.method,
        .doc = "The HTTP method."),
    CUSTOM(poll_spec, "url", first.url, connector_parse_request_text, STRING,
           "The URL; default: that of the list."),
    CUSTOM(poll_spec, "query", first.query, connector_poll_query, PAIRS,
           "Query parameters."),
    CUSTOM(poll_spec, "headers", first.headers, connector_poll_headers, PAIRS,
           "Request fields."),
    CUSTOM(poll_spec, "json", first.body, connector_poll_json_body, TREE,
           "A JSON body."),
    CUSTOM(poll_spec, "form", first.form, connector_poll_form, PAIRS,
           "A form body."),
    CUSTOM(poll_spec, "cursor", first_cursor, connector_poll_first_cursor,
           STRING, "Where the answer has the first cursor."),
    KEY(poll_spec, "else", CONFIG_TEXT, first_else,
        .doc = "The cursor when the answer has none."),
};
TABLE(first_table, "first", first_keys, poll_spec,
      "The request that finds the first cursor.");

static const struct config_key resync_keys[] = {
    KEY(poll_spec, "method", CONFIG_TEXT, resync.method,
        .doc = "The HTTP method."),
    CUSTOM(poll_spec, "url", resync.url, connector_parse_request_text, STRING,
           "The URL; default: that of the list."),
    CUSTOM(poll_spec, "query", resync.query, connector_poll_query, PAIRS,
           "Query parameters."),
    CUSTOM(poll_spec, "headers", resync.headers, connector_poll_headers, PAIRS,
           "Request fields."),
    CUSTOM(poll_spec, "json", resync.body, connector_poll_json_body, TREE,
           "A JSON body."),
    CUSTOM(poll_spec, "form", resync.form, connector_poll_form, PAIRS,
           "A form body."),
    CUSTOM(poll_spec, "cursor", resync_cursor, connector_poll_resync_cursor,
           STRING, "Where the answer has the new cursor."),
};
TABLE(resync_table, "resync", resync_keys, poll_spec,
      "The request that a walk begins with once the cursor was refused.");

static const struct config_key auth_keys[] = {
    KEY(auth_spec, "type", CONFIG_CHOICE, type, .choices = auth_types,
        .fallback = "none", .doc = "How requests prove who we are."),
    KEY(auth_spec, "name", CONFIG_TEXT, name,
        .doc = "The field or the query parameter."),
    CUSTOM(auth_spec, "value", value, connector_parse_request_text, STRING,
           "Its value; default: `{secret:api_key}`."),
    CUSTOM(auth_spec, "user", user, connector_parse_request_text, STRING,
           "For basic; default: `{secret:api_key}`."),
    CUSTOM(auth_spec, "password", password, connector_parse_request_text,
           STRING, "For basic; default: empty."),
    KEY(auth_spec, "grant", CONFIG_CHOICE, oauth.grant, .choices = grants,
        .fallback = "client_credentials",
        .doc = "oauth2: what a token is given for."),
    CUSTOM(auth_spec, "token_url", oauth.token_url,
           connector_parse_request_text, STRING,
           "oauth2: where tokens are asked for."),
    CUSTOM(auth_spec, "client_id", oauth.client_id,
           connector_parse_request_text, STRING,
           "oauth2; default: `{var:client_id}`."),
    CUSTOM(auth_spec, "client_secret", oauth.client_secret,
           connector_parse_request_text, STRING,
           "oauth2; default: `{secret:client_secret}`."),
    KEY(auth_spec, "client_auth", CONFIG_CHOICE, oauth.client_auth,
        .choices = client_auths, .fallback = "basic",
        .doc = "oauth2: id and secret go as HTTP Basic or in the body; none: "
               "the id alone, in the body."),
    CUSTOM(auth_spec, "scope", oauth.scope, connector_parse_request_text,
           STRING, "oauth2: what the token shall be good for."),
    CUSTOM(auth_spec, "refresh_token", oauth.refresh_token,
           connector_parse_request_text, STRING,
           "oauth2, grant refresh_token; default: `{secret:refresh_token}`. "
           "Once the provider has given another, that one is kept and used."),
    CUSTOM(auth_spec, "account_id", oauth.account_id,
           connector_parse_request_text, STRING,
           "oauth2, grant account_credentials; default: `{var:account_id}`."),
    CUSTOM(auth_spec, "params", oauth.params, connector_auth_params, PAIRS,
           "oauth2: further parameters of the request for a token."),
};
TABLE(auth_table, "auth", auth_keys, auth_spec,
      "How requests prove who we are.");

static const struct config_key cursor_keys[] = {
    KEY(cursor_spec, "kind", CONFIG_CHOICE, kind, .choices = cursor_kinds,
        .fallback = "none", .doc = "What the list is read on from."),
    CUSTOM(cursor_spec, "from", from, connector_poll_cursor_from, STRING,
           "The path in a row (in the answer for token), or first(), last(), "
           "max(), max()+1 of it."),
    CUSTOM(cursor_spec, "parse", parse, connector_parse_timefmt, STRING,
           "How rows write it; default: told from the value."),
    CUSTOM(cursor_spec, "format", format, connector_parse_timefmt, STRING,
           "How it is sent; default: iso8601."),
    KEY(cursor_spec, "inclusive", CONFIG_BOOL, inclusive, .fallback = "false",
        .doc = "The list shows rows equal to the cursor."),
    KEY(cursor_spec, "granularity", CONFIG_DURATION, granularity_ms,
        .doc = "How coarse the list's filter is; default: what the format "
               "can say."),
    KEY(cursor_spec, "overlap", CONFIG_DURATION, overlap_ms,
        .doc = "How far behind the watermark each walk reads again."),
    KEY(cursor_spec, "settle", CONFIG_DURATION, settle_ms,
        .doc = "How long recent pages are provisional."),
    KEY(cursor_spec, "window", CONFIG_DURATION, window_ms,
        .doc = "How much time one request asks for, from {cursor} to {until}; "
               "default: all of it."),
    KEY(cursor_spec, "full", CONFIG_INT, full, .min = "1",
        .doc = "So many rows, and an answer may have left some out: the window "
               "is halved."),
    KEY(cursor_spec, "acks", CONFIG_BOOL, acks, .fallback = "false",
        .doc = "Sending the cursor makes the provider forget what lies before: "
               "there is no overlap, and a walk that stores nothing ends with "
               "its first page."),
    KEY(cursor_spec, "keep", CONFIG_INT, keep, .min = "1",
        .doc = "For seen: how many ids have to be known at least. The ledger "
               "keeps every id that the list can show, so this asks nothing "
               "more of it."),
    KEY(cursor_spec, "send", CONFIG_BOOL, send, .fallback = "true",
        .doc = "false: the list has no filter, we stop by ourselves."),
    CUSTOM(cursor_spec, "tz", tz, connector_parse_request_text, STRING,
           "Whose clocks the list goes by: a zone such as Europe/Berlin, or a "
           "rule such as CET-1CEST,M3.5.0,M10.5.0/3; default: UTC."),
    CUSTOM(cursor_spec, "compare", numeric, connector_poll_numeric, STRING,
           "`numeric`: as numbers of any length, with or without a fraction."),
    KEY(cursor_spec, "numeric", CONFIG_BOOL, numeric,
        .doc = "The same as `compare: numeric`."),
    CUSTOM(cursor_spec, "start", start, connector_parse_request_text, STRING,
           "The cursor before anything was seen."),
    CUSTOM(cursor_spec, "expired", expired, connector_cursor_expired, WHEN,
           "Answers that mean that the cursor is worth nothing any more: "
           "`status`, a condition, or both."),
};
TABLE(cursor_table, "cursor", cursor_keys, cursor_spec,
      "What the list is read on from.");

static const struct config_key page_keys[] = {
    KEY(page_spec, "kind", CONFIG_CHOICE, kind, .choices = page_kinds,
        .fallback = "none", .doc = "How the next page is asked for."),
    CUSTOM(page_spec, "from", from, connector_poll_page_from, STRING,
           "Where the answer names the next page, or last() of a row's path."),
    KEY(page_spec, "base", CONFIG_TEXT, base,
        .doc = "What relative URLs resolve against."),
    CUSTOM(page_spec, "more", more, connector_parse_path, STRING,
           "False, 0, null or absent here: the last page."),
    CUSTOM(page_spec, "done", done, connector_parse_path, STRING,
           "True here: the last page."),
    CUSTOM(page_spec, "stop", stop_empty, connector_poll_stop, STRING,
           "`empty`: an empty page is the last one."),
    KEY(page_spec, "size", CONFIG_INT, size, .fallback = "0", .min = "0",
        .doc = "Fewer rows: the last page."),
    KEY(page_spec, "start", CONFIG_INT, start,
        .doc = "The first page's number; default: 1 for number, 0 for "
               "offset."),
    CUSTOM(page_spec, "total", total, connector_parse_answer_source, STRING,
           "How many pages there are."),
    KEY(page_spec, "restart", CONFIG_BOOL, restart, .fallback = "false",
        .doc = "Ask again from the first page when the cursor has moved."),
    KEY(page_spec, "until_cursor", CONFIG_BOOL, until_cursor,
        .fallback = "false", .doc = "Stop once a page lies below the cursor."),
};
TABLE(page_table, "pages", page_keys, page_spec,
      "How a long answer is read page by page.");

static const struct config_key limit_keys[] = {
    CUSTOM(limit_spec, "budget", budget, connector_poll_budget, STRING,
           "Requests in a time, \"25/1s\"."),
    CUSTOM(limit_spec, "remaining", remaining, connector_parse_answer_source,
           STRING, "How many requests are left."),
    CUSTOM(limit_spec, "reset", reset, connector_poll_reset, TREE,
           "When there are more: `from` and `unit` (epoch_s, epoch_ms, "
           "delta_s)."),
    CUSTOM(limit_spec, "used_of", used_of, connector_parse_answer_source,
           STRING, "Used and allowed, \"32/40\"."),
    CUSTOM(limit_spec, "retry_after", retry_after,
           connector_parse_answer_sources, STRINGS,
           "How long to wait; the first that is there counts."),
    CUSTOM(limit_spec, "statuses", statuses, connector_poll_statuses, STATUSES,
           "What means too many, besides 429 and 503."),
    KEY(limit_spec, "floor", CONFIG_DURATION, floor_ms, .fallback = "0s",
        .doc = "The least wait after too many."),
    CUSTOM(limit_spec, "retry_header", retry_header,
           connector_poll_retry_header, TIMES,
           "A field of a failed answer: true, ask again soon; false, not "
           "before the next walk is due."),
    CUSTOM(limit_spec, "gone", gone, connector_poll_gone, STATUSES,
           "What means that the list is no more: polling stops."),
};
TABLE(limit_table, "limit", limit_keys, limit_spec,
      "How often the provider may be asked.");

static const struct config_key record_keys[] = {
    CUSTOM(record_spec, "id", id, connector_parse_row, STRING,
           "What identifies a row."),
    CUSTOM(record_spec, "type", type, connector_parse_row_type, STRING,
           "Its type: a place, or a text."),
    CUSTOM(record_spec, "time", time, connector_parse_record_time, TIMES,
           "Its time, by the provider's clock."),
    CUSTOM(record_spec, "key_time", key_time, connector_parse_record_key_time,
           TIMES, "The same time as event.key_time."),
    CUSTOM(record_spec, "body", body, connector_parse_path, STRING,
           "The part of a row that is the event's body."),
    CUSTOM(record_spec, "data", data, connector_parse_path, STRING,
           "The part of it that handlers get as data."),
    CUSTOM(record_spec, "headers", headers, connector_parse_path, STRING,
           "Where a row has the fields of its webhook, as an object."),
    KEY(record_spec, "fetch", CONFIG_TABLE, fetch,
        .table = &connector_fetch_table,
        .doc = "The request for the object of a row, for `recover: fetch`; "
               "default: that of `event`."),
    CUSTOM(record_spec, "stands_for", stands_for, connector_parse_texts,
           STRINGS, "Globs of the webhook types a row may be."),
    CUSTOM(record_spec, "unlisted", unlisted, connector_parse_texts, STRINGS,
           "Globs of the webhook types that no row is, such as deletions."),
};
TABLE(record_table, "record", record_keys, record_spec,
      "What a row of the list says about its event.");

static const struct config_key follow_keys[] = {
    CUSTOM(follow_spec, "url", url, connector_poll_follow_url, STRING,
           "The URL of a row's details; `{request.url}` is the list's, a bare "
           "word a path in the row."),
    CUSTOM(follow_spec, "body", body, connector_parse_path, STRING,
           "The part of the answer that is the event's body."),
    CUSTOM(follow_spec, "headers", headers, connector_parse_path, STRING,
           "Where the answer has the fields of the webhook, as an object."),
};
TABLE(follow_table, "follow", follow_keys, follow_spec,
      "A request for each row that is not known yet.");

static const char *const indirect_auths[] = { "none", "same", NULL };

static const struct config_key indirect_keys[] = {
    CUSTOM(indirect_spec, "url", url, connector_parse_answer_source, STRING,
           "Where the answer says where the file is; absent: there are no "
           "rows."),
    CUSTOM(indirect_spec, "allow", allow, connector_poll_allow, STRING,
           "Hosts besides the list's own that may have it: a regular "
           "expression from `^` to `$`."),
    KEY(indirect_spec, "auth", CONFIG_CHOICE, auth, .choices = indirect_auths,
        .fallback = "none",
        .doc = "`same`: asked for with the list's credential and fields, where "
               "it is at the list's own origin."),
};
TABLE(indirect_table, "indirect", indirect_keys, indirect_spec,
      "An answer that says where a file with its rows is.");

static const struct config_key interval_keys[] = {
    KEY(poll_spec, "min", CONFIG_DURATION, interval_min_ms, .fallback = "0s",
        .doc = "The provider's shortest interval."),
    KEY(poll_spec, "header", CONFIG_TEXT, interval_header,
        .doc = "A field that tells it."),
    CUSTOM(poll_spec, "from", interval_from, connector_poll_interval_from,
           STRINGS,
           "Fields, directives such as Cache-Control.max-age, feed:ttl or "
           "feed:sy:updatePeriod, that tell it; the longest counts."),
};
TABLE(interval_table, "interval", interval_keys, poll_spec,
      "How often the provider wants to be asked at most.");

static const struct config_key sweep_keys[] = {
    KEY(sweep_spec, "every", CONFIG_DURATION, every_ms, .required = true,
        .min = "1s", .max = "30d", .doc = "How often it walks."),
    CUSTOM(
        sweep_spec, "overlap", overlap_ms, connector_poll_sweep_overlap,
        OVERLAP,
        "How far behind its own watermark it reads again (1s to 365d); auto: "
        "as poll.overlap, from where that ends."),
};
TABLE(sweep_table, "sweep", sweep_keys, sweep_spec,
      "A slower walk with a deeper overlap and a watermark of its own.");

static const struct config_key poll_keys[] = {
    KEY(poll_spec, "every", CONFIG_DURATION, every_ms, .fallback = "60s",
        .min = "1s", .max = "30d", .reloadable = true,
        .doc = "How often the list is read."),
    CUSTOM(poll_spec, "cron", cron, connector_poll_cron, STRING,
           "When the list is read, as crontab(5) has it, UTC."),
    KEY(poll_spec, "pace", CONFIG_CHOICE, pace, .choices = paces,
        .fallback = "fixed",
        .doc = "fixed: every `every`. adaptive: between `fastest` and "
               "`slowest`, the oftener the more webhooks miss."),
    KEY(poll_spec, "fastest", CONFIG_DURATION, fastest_ms, .min = "1s",
        .max = "30d",
        .doc = "adaptive: the shortest interval; default: 10s, or `slowest` "
               "where that is less."),
    KEY(poll_spec, "slowest", CONFIG_DURATION, slowest_ms, .min = "1s",
        .max = "30d",
        .doc = "adaptive: the longest interval; default: `every`."),
    KEY(poll_spec, "cost", CONFIG_INT, cost_s, .fallback = "20", .min = "1",
        .max = "1000000",
        .doc = "adaptive: how many seconds one event may be late for one walk "
               "less."),
    CUSTOM(poll_spec, "overlap", overlap_ms, connector_poll_overlap, OVERLAP,
           "How far behind the watermark each walk reads again; default: the "
           "connector's, else 2m, for an id cursor 5m. auto: twice the largest "
           "lag of the list, from the default to `overlap_max`."),
    KEY(poll_spec, "overlap_max", CONFIG_DURATION, overlap_max_ms,
        .fallback = "1h", .min = "1s", .max = "365d",
        .doc = "The deepest that `overlap: auto` becomes; half the retention "
               "where that is less."),
    KEY(poll_spec, "sweeps", CONFIG_TABLES, sweeps, .table = &sweep_table,
        .doc = "Slower walks that look further back."),
    KEY(poll_spec, "settle", CONFIG_DURATION, settle_ms,
        .doc = "How long recent pages are provisional."),
    KEY(poll_spec, "retention", CONFIG_DURATION, retention_ms, .fallback = "0s",
        .doc = "How far back the list reaches; 0s: not "
               "known."),
    CUSTOM(poll_spec, "start", start_kind, connector_poll_start, STRING,
           "Where the very first walk begins: now, a time, or an age."),
    GROUP("interval", interval_table,
          "How often the provider wants to be asked at most."),
    KEY(poll_spec, "setup", CONFIG_TABLES, setup, .table = &request_table,
        .doc = "Requests that have the provider keep its list, before that is "
               "read for the first time."),
    KEY(poll_spec, "request", CONFIG_TABLE, request, .table = &request_table,
        .doc = "One page of the list."),
    GROUP("first", first_table, "The request that finds the first cursor."),
    GROUP("resync", resync_table,
          "The request that a walk begins with once the cursor was refused; "
          "its rows are events."),
    KEY(poll_spec, "auth", CONFIG_TABLE, auth, .table = &auth_table,
        .doc = "How requests prove who we are."),
    CUSTOM(poll_spec, "fail_when", fail_when, connector_parse_fail_when, WHEN,
           "What makes a good answer an error."),
    CUSTOM(poll_spec, "items", items, connector_poll_items, STRING,
           "The rows of an answer; with `?` behind it an answer without that "
           "place has no rows. feed: the entries of RSS or Atom."),
    KEY(poll_spec, "order", CONFIG_CHOICE, order, .choices = orders,
        .fallback = "none", .doc = "How the list runs over its pages."),
    KEY(poll_spec, "reverse", CONFIG_BOOL, reverse, .fallback = "false",
        .doc = "Inside a page rows run the other way."),
    KEY(poll_spec, "cursor", CONFIG_TABLE, cursor, .table = &cursor_table,
        .doc = "What the list is read on from."),
    KEY(poll_spec, "pages", CONFIG_TABLE, pages, .table = &page_table,
        .doc = "How a long answer is read page by page."),
    CUSTOM(poll_spec, "conditional", conditional, connector_poll_conditional,
           STRINGS,
           "`etag`, `last_modified` or both: ask for nothing when nothing has "
           "changed."),
    KEY(poll_spec, "limit", CONFIG_TABLE, limit, .table = &limit_table,
        .doc = "How often the provider may be asked."),
    KEY(poll_spec, "record", CONFIG_TABLE, record, .table = &record_table,
        .doc = "What a row says about its event."),
    KEY(poll_spec, "follow", CONFIG_TABLE, follow, .table = &follow_table,
        .doc = "A request for each row that is not known yet."),
    KEY(poll_spec, "indirect", CONFIG_TABLE, indirect, .table = &indirect_table,
        .doc = "The answer only names a file: its rows are the page."),
    KEY(poll_spec, "gate", CONFIG_TABLE, gate, .table = &connector_gate_table,
        .doc = "A request that is held until there is something to read; then "
               "the list is."),
    KEY(poll_spec, "wait", CONFIG_DURATION, wait_ms, .max = "10m",
        .doc = "How long the list holds a request that it has nothing for; the "
               "next walk begins at once."),
    KEY(poll_spec, "exclusive_with_webhook", CONFIG_BOOL, exclusive,
        .fallback = "false",
        .doc = "The provider shows its list only while it sends no webhooks."),
    KEY(poll_spec, "timeout", CONFIG_DURATION, timeout_ms, .fallback = "30s",
        .min = "1s", .max = "10m", .reloadable = true,
        .doc = "The longest time one request may take."),
    KEY(poll_spec, "max_body", CONFIG_SIZE, max_body, .fallback = "16MiB",
        .min = "1KiB", .max = "256MiB", .reloadable = true,
        .doc = "The largest answer, decoded."),
    KEY(poll_spec, "max_pages", CONFIG_INT, max_pages, .fallback = "100000",
        .min = "0", .reloadable = true,
        .doc = "The most pages of one walk; 0: no limit."),
    CUSTOM(poll_spec, "backfill_rate", backfill_rate,
           connector_poll_backfill_rate, STRING,
           "Requests of a backfill in a time; default: \"2/1s\"."),
};
TABLE(poll_table, "poll", poll_keys, poll_spec, "How the list is read.");

static const struct config_key match_keys[] = {
    KEY(match_spec, "mode", CONFIG_CHOICE, mode, .choices = match_modes,
        .fallback = "none",
        .doc = "event: rows and webhooks have the same ids. state: rows are "
               "objects with a version."),
    CUSTOM(match_spec, "same_id", mode, connector_parse_same_id,
           "{\"type\":\"boolean\"}", "Says of `event` what it means anyway."),
    CUSTOM(match_spec, "webhook", webhook, connector_parse_hook_source, STRING,
           "state: object and version, from the request."),
    CUSTOM(match_spec, "poll", poll, connector_parse_row, STRING,
           "state: the same, from the row."),
    CUSTOM(match_spec, "webhook_time", webhook_time,
           connector_parse_hook_source, STRING,
           "The version as a time, where it is one, from the request."),
    CUSTOM(match_spec, "poll_time", poll_time, connector_parse_row, STRING,
           "The same, from the row."),
    CUSTOM(match_spec, "time_unit", time_unit, connector_parse_timefmt, STRING,
           "How both write it; default: told from the value."),
    KEY(match_spec, "grace", CONFIG_DURATION, grace_ms, .fallback = "5m",
        .doc = "How long a webhook may be behind its row."),
};
TABLE(match_table, "match", match_keys, match_spec,
      "How rows and webhooks are known to be one event.");

static const struct config_key recover_keys[] = {
    KEY(recover_spec, "mode", CONFIG_CHOICE, mode, .choices = recover_modes,
        .fallback = "self",
        .doc = "`self`: the row is delivered; `fetch`: its object, fetched "
               "first; `redeliver`: its webhook, which the provider is asked "
               "to send again; `none`: as self, there is nothing to ask."),
    KEY(recover_spec, "redeliver", CONFIG_TABLE, redeliver,
        .table = &connector_fetch_table, .schema = NONE,
        .doc = "The request that has the webhook of a row sent again."),
    KEY(recover_spec, "list_failed", CONFIG_TABLE, list_failed,
        .table = &connector_failed_table, .schema = NONE,
        .doc = "Where the provider lists what it could not deliver, for "
               "`longstop redeliver`."),
};
TABLE(recover_table, "recover", recover_keys, recover_spec,
      "How an event comes whole that only the list has shown.");

static const struct config_key webhook_keys[] = {
    CUSTOM(webhook_spec, "allow_from", allow_from, connector_poll_cidrs,
           STRINGS, "Networks that may send; default: all."),
    CUSTOM(webhook_spec, "rate", rate, connector_poll_rate, STRING,
           "The most requests in a time, \"100/s\"."),
    KEY(webhook_spec, "max_body", CONFIG_SIZE, max_body, .fallback = "0B",
        .reloadable = true,
        .doc = "The largest body; default: the "
               "listener's."),
    KEY(webhook_spec, "silent_after", CONFIG_INT, silent_after, .fallback = "5",
        .min = "0",
        .doc = "So many events in a row that walks alone bring mean that "
               "webhooks have stopped; 0: never."),
};
TABLE(webhook_table, "webhook", webhook_keys, webhook_spec,
      "Who may send webhooks, and how many.");

static const struct config_key param_keys[] = {
    KEY(draft_param, "default", CONFIG_TEXT, fallback,
        .doc = "Its value where none is given."),
    KEY(draft_param, "secret", CONFIG_BOOL, secret, .fallback = "false",
        .doc = "Never shown, and may come from a file."),
    KEY(draft_param, "doc", CONFIG_TEXT, doc, .doc = "What it is."),
};
TABLE(param_table, "parameter", param_keys, draft_param,
      "A parameter of the connector.");

static const struct config_key connector_keys[] = {
    KEY(connector_draft, "use", CONFIG_TEXT, c.use,
        .doc = "The connector's name, or the path of its file."),
    KEY(connector_draft, "with", CONFIG_NODE, with, .schema = TREE,
        .doc = "Its parameters."),
    KEY(connector_draft, "title", CONFIG_TEXT, c.title,
        .doc = "What the provider calls itself."),
    KEY(connector_draft, "docs", CONFIG_TEXTS, docs,
        .doc = "The pages of the provider that its file was written from."),
    KEY(connector_draft, "extends", CONFIG_TEXT, extends,
        .doc = "In a connector's file: the connector, or the path of the file, "
               "that it is laid over key by key; `null` takes a key away."),
    KEY(connector_draft, "group", CONFIG_CHOICE, group,
        .choices = connector_groups, .fallback = "generic",
        .doc = "What kind of provider it is, for `init --list`."),
    KEY(connector_draft, "unconfirmed", CONFIG_TEXTS, c.unconfirmed,
        .doc = "What its file takes for granted and the provider's pages do "
               "not say; `check` prints it."),
    KEY(connector_draft, "params", CONFIG_NAMED, params, .table = &param_table,
        .doc = "The parameters a user may give."),
    KEY(connector_draft, "public_url", CONFIG_TEXT, c.public_url,
        .doc = "How the provider addresses us; default: listen.public_url "
               "and the webhook path."),
    KEY(connector_draft, "verify", CONFIG_TABLES, verify,
        .table = &connector_verify_table, .schema = USE,
        .doc = "How requests are proven genuine; `use: NAME` takes another "
               "connector's."),
    KEY(connector_draft, "handshake", CONFIG_TABLES, handshakes,
        .table = &connector_handshake_table,
        .doc = "Requests that prove who we are."),
    KEY(connector_draft, "ack", CONFIG_TABLE, c.ack,
        .table = &connector_answer_table,
        .doc = "The answer to an accepted request."),
    KEY(connector_draft, "reject", CONFIG_TABLE, c.reject,
        .table = &connector_answer_table,
        .doc = "The answer to a refused one."),
    KEY(connector_draft, "data", CONFIG_CHOICE, c.data, .choices = data_shapes,
        .fallback = "same",
        .doc = "`differs`: webhooks and the list cannot show an event in one "
               "shape, whatever 'event.data' and 'record.data' select; `check` "
               "warns where a handler looks into it."),
    KEY(connector_draft, "event", CONFIG_TABLE, c.event,
        .table = &connector_event_table,
        .doc = "What a request says about its events."),
    KEY(connector_draft, "poll", CONFIG_TABLE, c.poll, .table = &poll_table,
        .schema = NONE, .doc = "How the list is read; `none`: there is none."),
    KEY(connector_draft, "stream", CONFIG_TABLE_PTR, c.stream,
        .table = &connector_stream_table,
        .doc = "A relay that hands on what was sent to it."),
    KEY(connector_draft, "match", CONFIG_TABLE, c.match, .table = &match_table,
        .schema = NONE,
        .doc = "How rows and webhooks are known to be one event."),
    KEY(connector_draft, "recover", CONFIG_TABLE, c.recover,
        .table = &recover_table, .schema = RECOVER_WORD,
        .doc = "How an event comes whole that only the list has shown: one "
               "word, or its requests besides."),
    KEY(connector_draft, "register", CONFIG_TABLE, c.registration,
        .table = &connector_register_table, .schema = NONE,
        .doc = "How the provider is told to send webhooks, for `longstop "
               "subscribe`; `none`: it has no way."),
    KEY(connector_draft, "webhook", CONFIG_TABLE, c.webhook,
        .table = &webhook_table, .doc = "Who may send webhooks."),
    KEY(connector_draft, "grace", CONFIG_DURATION, c.grace_ms,
        .reloadable = true,
        .doc = "How long a webhook may be behind its row; default: "
               "match.grace."),
    KEY(connector_draft, "keep_ids", CONFIG_DURATION, c.keep_ids_ms,
        .fallback = "35d", .min = "1d", .max = "480d",
        .doc = "How long ids are remembered."),
};

const struct config_table connector_table = {
    .name = "connector",
    .keys = connector_keys,
    .count = sizeof(connector_keys) / sizeof(connector_keys[0]),
    .size = sizeof(struct connector_draft),
    .doc = "One provider account.",
    .layered = true,
};
