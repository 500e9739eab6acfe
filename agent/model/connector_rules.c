/* SPDX-License-Identifier: MIT */
/* Rules that span several keys of a connector. */
#include <string.h>

#include "base/instant.h"
#include "model/connector_draft.h"
#include "wire/json.h"
#include "wire/jwt.h"

struct rules {
    struct config_binding *binding;
    struct connector_draft *draft;
};

static void
refuse(struct rules *rules, const char *section, const char *key,
       const char *words)
{
    const char *const names[] = { section, key };
    config_report_add(
        rules->binding->report, CONFIG_ERROR,
        connector_tree_mark(rules->draft, names, key == NULL ? 1 : 2), "%s",
        words);
}

/* ---- verify ---- */

/* What keys are fetched for, and from where. */
static void
check_fetched_key(struct rules *rules, const struct verify_rule *rule,
                  struct config_mark mark)
{
    struct config_report *report = rules->binding->report;
    if ((rule->cert_url != NULL) != (rule->cert_allow != NULL)) {
        config_report_add(report, CONFIG_ERROR, mark,
                          "'cert_url' and 'allow' go together: anybody can "
                          "name a certificate, so which URLs may it have?");
    }
    if (rule->cert_url != NULL && rule->type != VERIFY_RSA &&
        rule->type != VERIFY_ECDSA) {
        config_report_add(report, CONFIG_ERROR, mark,
                          "'cert_url' is for 'type: rsa' or 'ecdsa'");
    }
    if (rule->jwk != NULL &&
        (rule->type != VERIFY_JWT || rule->jwk->request.url == NULL)) {
        config_report_add(report, CONFIG_ERROR, mark,
                          "'jwk' is for 'type: jwt', and needs a 'url'");
    }
}

/* A key that may be used both ways would let its public half sign. */
static bool
mixes_families(const struct verify_rule *rule)
{
    bool is_mixed = false;
    for (size_t i = 1; i < rule->jwt_alg_count; i++) {
        is_mixed |= (rule->jwt_algs[i]->family == JWT_HMAC) !=
                    (rule->jwt_algs[0]->family == JWT_HMAC);
    }
    return is_mixed;
}

static void
check_token_rule(struct rules *rules, const struct verify_rule *rule,
                 struct config_mark mark)
{
    struct config_report *report = rules->binding->report;
    if (rule->type != VERIFY_JWT) {
        if (rule->jwt_alg_count > 0 || rule->claim_count > 0 ||
            rule->max_age_ms > 0) {
            config_report_add(report, CONFIG_ERROR, mark,
                              "'claims', 'max_age' and a list of algorithms "
                              "are for 'type: jwt'");
        }
        return;
    }
    if (rule->jwt_alg_count == 0) {
        config_report_add(report, CONFIG_ERROR, mark,
                          "'alg' is missing: which algorithms are believed, "
                          "such as [ES256]?");
    } else if (mixes_families(rule) ||
               (rule->jwk != NULL && rule->jwt_algs[0]->family == JWT_HMAC)) {
        config_report_add(report, CONFIG_ERROR, mark,
                          "HS256, HS384 and HS512 take a shared secret, the "
                          "others a public key: not both, and no shared "
                          "secret is fetched");
    }
    if (rule->signed_count > 0 || rule->split || rule->kv ||
        rule->timestamp != NULL) {
        config_report_add(report, CONFIG_ERROR, mark,
                          "a signed token has its own text and time: 'signed', "
                          "'split', 'kv' and 'timestamp' do not belong here");
    }
}

/* Whether the alternative that stands at `mark` has the key, be its value good
 * or not: what was told to be wrong is not missing besides. */
static bool
rule_has(const struct rules *rules, struct config_mark mark,
         const char *section, const char *key)
{
    const char *const names[] = { "verify" };
    const struct config_node *node =
        connector_tree_node(rules->draft, names, 1);
    if (node != NULL && node->kind == CONFIG_SEQUENCE) {
        node = node->children;
        while (node != NULL && (node->mark.line != mark.line ||
                                node->mark.column != mark.column)) {
            node = node->next;
        }
    }
    if (node != NULL && section != NULL) {
        node = config_node_child(node, section);
    }
    return node != NULL && config_node_child(node, key) != NULL;
}

static void
check_verify_rule(struct rules *rules, const struct verify_rule *rule,
                  struct config_mark mark)
{
    struct config_report *report = rules->binding->report;
    const bool shared =
        rule->type == VERIFY_TOKEN || rule->type == VERIFY_BASIC;
    if (rule->type == VERIFY_NONE) {
        return;
    }
    check_fetched_key(rules, rule, mark);
    check_token_rule(rules, rule, mark);
    if (rule->from == NULL && !rule_has(rules, mark, NULL, "from") &&
        !rule_has(rules, mark, "signature", "from")) {
        config_report_add(
            report, CONFIG_ERROR, mark, "'%s' is missing",
            shared || rule->type == VERIFY_JWT ? "from" : "signature.from");
    }
    if (shared && (rule->signed_count > 0 || rule->split || rule->kv)) {
        config_report_add(report, CONFIG_ERROR, mark,
                          "a token signs nothing: 'signed', 'split' and 'kv' "
                          "do not belong here");
    }
    if (!shared && rule->type != VERIFY_JWT && rule->signed_count == 0 &&
        !rule_has(rules, mark, NULL, "signed")) {
        config_report_add(report, CONFIG_ERROR, mark, "'signed' is missing");
    }
    if ((rule->kv != 0) != (rule->name.len > 0)) {
        config_report_add(report, CONFIG_ERROR, mark,
                          "'kv' and 'name' go together: which named element "
                          "counts?");
    }
    if (rule->timestamp == NULL && rule->tolerance_ms != 0) {
        config_report_add(report, CONFIG_ERROR, mark,
                          "'timestamp' needs 'from'");
    }
}

/* `sig:` is an element beside the signature: without `kv` there is none. */
static void
check_elements(struct rules *rules, const struct verify_rule *rule,
               struct config_mark mark)
{
    bool names_element = template_names(rule->timestamp, "sig");
    for (size_t i = 0; i < rule->signed_count; i++) {
        names_element |= template_names(rule->signed_texts[i], "sig");
    }
    if (names_element && rule->kv == 0) {
        config_report_add(rules->binding->report, CONFIG_ERROR, mark,
                          "'sig:' needs 'split', 'kv' and 'name' in "
                          "'signature'");
    }
}

/* Whether something of ours stands in the template. */
static bool
names_us(const struct template *t)
{
    return template_names(t, "var") || template_names(t, "secret");
}

/* A provider's certificate proves that it sends, but for which of its customers
 * follows from what is signed or asserted. */
static bool
is_for_anybody(const struct verify_rule *rule)
{
    bool is_ours = rule->cert_url == NULL;
    for (size_t i = 0; i < rule->signed_count; i++) {
        is_ours |= names_us(rule->signed_texts[i]);
    }
    for (size_t i = 0; i < rule->assert_count; i++) {
        is_ours |=
            names_us(rule->asserts[i][0]) || names_us(rule->asserts[i][1]);
    }
    return !is_ours;
}

static void
check_verify(struct rules *rules)
{
    const struct connector *c = &rules->draft->c;
    bool needs_url = false;
    for (size_t i = 0; i < c->verify_count; i++) {
        check_verify_rule(rules, &c->verify[i], rules->draft->verify.marks[i]);
        check_elements(rules, &c->verify[i], rules->draft->verify.marks[i]);
        if (is_for_anybody(&c->verify[i])) {
            config_report_add(rules->binding->report, CONFIG_WARNING,
                              rules->draft->verify.marks[i],
                              "every customer of the provider passes: 'assert' "
                              "that something in the request is a parameter of "
                              "yours");
        }
        for (size_t s = 0; s < c->verify[i].signed_count; s++) {
            needs_url |= template_names(c->verify[i].signed_texts[s], "url");
        }
    }
    if (needs_url && connector_has_hooks(c) && c->public_url.len == 0) {
        refuse(rules, "verify", NULL,
               "the signature covers the URL: give 'public_url' here or in "
               "'listen'");
    }
}

/* ---- event ---- */

/* Whether an alternative of the stamp names a place inside the body. */
static bool
names_body(const struct template *stamp, size_t choice)
{
    static const char *const outside[] = { "header", "query", "url",   "now",
                                           "sig",    "var",   "secret" };
    const struct template_ref *ref;
    for (size_t i = 0; (ref = template_ref_at(stamp, choice, i)) != NULL; i++) {
        bool is_outside = false;
        for (size_t j = 0; j < sizeof(outside) / sizeof(outside[0]); j++) {
            is_outside |= slice_equal_text(ref->kind, outside[j]);
        }
        if (!is_outside) {
            return true;
        }
    }
    return false;
}

/* The stamp makes equal bodies one: it has to be in them. A place outside may
 * stand beside it, to tell facts apart that have the same bytes. */
static void
check_stamp(struct rules *rules)
{
    const struct template *stamp = rules->draft->c.event.stamp;
    if (stamp == NULL) {
        return;
    }
    bool inside = !template_names(stamp, "now");
    for (size_t i = 0; template_ref_at(stamp, i, 0) != NULL; i++) {
        inside = inside && names_body(stamp, i);
    }
    if (!inside) {
        refuse(rules, "event", "stamp",
               "'stamp' must be inside the body: only signed bytes "
               "identify a webhook");
    }
}

static void
check_replay_key(struct rules *rules)
{
    const struct connector *c = &rules->draft->c;
    const struct template *key = c->event.replay_key;
    if (key == NULL) {
        return;
    }
    if (c->event.stamp != NULL) {
        refuse(rules, "event", "replay_key",
               "give 'replay_key' or 'stamp', not both: each says what makes a "
               "request one");
    }
    if (c->event.split != NULL && !template_names(key, "item")) {
        refuse(rules, "event", "replay_key",
               "with 'split' a 'replay_key' is a place of the element (item:), "
               "else the first event of a request hides the others");
    }
}

static struct slice
path_from_root(const struct json_path *path)
{
    const struct slice text = json_path_source(path);
    return slice_starts(text, slice_of("$.")) ? slice_from(text, 2) : text;
}

/* What was verified one by one has to be what is taken one by one. */
static void
check_each(struct rules *rules)
{
    const struct connector *c = &rules->draft->c;
    for (size_t i = 0; i < c->verify_count; i++) {
        const struct json_path *each = c->verify[i].each;
        if (each != NULL && c->event.id != NULL &&
            (c->event.split == NULL ||
             !slice_equal(path_from_root(each),
                          path_from_root(c->event.split)))) {
            refuse(rules, "event", "split",
                   "'verify.each' and 'event.split' must be the same array: "
                   "else events are taken that nothing has proven");
        }
    }
}

/* CloudEvents say themselves where their events and their data are. */
static void
check_format(struct rules *rules)
{
    const struct event_spec *event = &rules->draft->c.event;
    if (event->format == EVENT_FORMAT_CLOUDEVENTS &&
        (event->split != NULL || event->body != NULL || event->data != NULL)) {
        refuse(rules, "event", "format",
               "with 'format: cloudevents' there is no 'split', 'body' or "
               "'data': the format says where they are");
    }
}

static void
check_event(struct rules *rules)
{
    const struct connector *c = &rules->draft->c;
    const char *const id[] = { "event", "id" };
    if (connector_has_hooks(c) && c->event.id == NULL &&
        c->event.mode != EVENT_SIGNAL &&
        connector_tree_node(rules->draft, id, 2) == NULL) {
        refuse(rules, "event", NULL, "'event' needs an 'id'");
    }
    check_stamp(rules);
    check_format(rules);
    check_replay_key(rules);
    check_each(rules);
}

/* ---- match ---- */

static bool
same_place(const struct template_ref *a, const struct template_ref *b)
{
    return slice_equal(a->kind, b->kind) && slice_equal(a->name, b->name);
}

/*
 * A state key says which object in which version, so each alternative of its
 * template must name two different places at least. Which of them is the
 * version nobody can tell from here; one place alone is surely an object whose
 * changes would all be one event.
 */
static bool
has_version(const struct template *t)
{
    for (size_t choice = 0;; choice++) {
        const struct template_ref *first = template_ref_at(t, choice, 0);
        bool differ = false;
        if (first == NULL) {
            return choice > 0;
        }
        for (size_t i = 1; !differ; i++) {
            const struct template_ref *ref = template_ref_at(t, choice, i);
            if (ref == NULL) {
                return false;
            }
            differ = !same_place(first, ref);
        }
    }
}

static void
check_state_key(struct rules *rules, const struct template *t, const char *key)
{
    if (t == NULL) {
        refuse(rules, "match", key,
               "'mode: state' needs both 'webhook' and 'poll'");
    } else if (!has_version(t)) {
        refuse(rules, "match", key,
               "a state key needs the object and its version, two places in "
               "each alternative: else all changes of an object are one event");
    }
}

static void
check_state(struct rules *rules)
{
    const struct connector *c = &rules->draft->c;
    check_state_key(rules, c->match.webhook, "webhook");
    check_state_key(rules, c->match.poll, "poll");
    if ((c->match.webhook_time == NULL) != (c->match.poll_time == NULL)) {
        refuse(rules, "match", NULL,
               "'webhook_time' and 'poll_time' go together: a key has one time "
               "in all channels");
    }
    if (c->poll.record.key_time != NULL) {
        refuse(rules, "poll", "record",
               "with 'mode: state' a row's time is 'match.poll_time', not "
               "'key_time'");
    }
}

static void
check_match(struct rules *rules)
{
    const struct connector *c = &rules->draft->c;
    const bool both = c->poll.declared && c->event.id != NULL;
    if (c->match.mode == MATCH_STATE) {
        check_state(rules);
        return;
    }
    if (c->match.webhook != NULL || c->match.poll != NULL ||
        c->match.webhook_time != NULL || c->match.poll_time != NULL) {
        refuse(rules, "match", NULL, "these keys belong to 'mode: state'");
    }
    if (c->match.mode == MATCH_EVENT && both &&
        (c->event.key_time == NULL) != (c->poll.record.key_time == NULL)) {
        refuse(rules, c->event.key_time == NULL ? "poll" : "event",
               c->event.key_time == NULL ? "record" : "key_time",
               "'key_time' in one channel only: the same event would have two "
               "keys");
    }
}

/* ---- poll ---- */

static void
check_cursor(struct rules *rules)
{
    const struct poll_spec *poll = &rules->draft->c.poll;
    const bool needs_from =
        poll->cursor.kind != CURSOR_NONE && poll->cursor.kind != CURSOR_SEEN;
    if (poll->cursor.keep > 0 && poll->cursor.kind != CURSOR_SEEN) {
        refuse(rules, "poll", "cursor", "'keep' belongs to 'kind: seen'");
    }
    if (poll->pages.until_cursor && poll->cursor.kind == CURSOR_SEEN &&
        poll->record.time == NULL) {
        refuse(rules, "poll", "pages",
               "'until_cursor' needs 'record.time': how old is a row?");
    }
    if (needs_from && poll->cursor.from == NULL) {
        refuse(rules, "poll", "cursor", "'cursor' needs 'from'");
    }
    if (poll->pages.kind == PAGE_URL && poll->pages.from == NULL) {
        refuse(rules, "poll", "pages", "'kind: url' needs 'from'");
    }
    if ((poll->pages.kind == PAGE_TOKEN || poll->pages.kind == PAGE_LAST_ID) &&
        poll->pages.from == NULL && poll->pages.last == NULL) {
        refuse(rules, "poll", "pages", "'pages' needs 'from'");
    }
    if (poll->pages.until_cursor && poll->order != ORDER_DESC) {
        refuse(rules, "poll", "pages",
               "'until_cursor' is for lists with 'order: desc'");
    }
}

/* A list that is asked for part by part needs to be told both ends of a part,
 * and when an answer is full. */
static void
check_span(struct rules *rules)
{
    const struct poll_spec *poll = &rules->draft->c.poll;
    const struct cursor_spec *cursor = &poll->cursor;
    if ((cursor->window_ms > 0) != (cursor->full > 0)) {
        refuse(rules, "poll", "cursor",
               "'window' and 'full' go together: how much is asked for, and "
               "when an answer is full?");
    }
    if (cursor->window_ms == 0) {
        return;
    }
    if (cursor->kind != CURSOR_TIME || !cursor->send) {
        refuse(rules, "poll", "cursor",
               "'window' is for a time cursor that is sent");
    }
    if (!connector_request_names(&poll->request, "cursor") ||
        !connector_request_names(&poll->request, "until")) {
        refuse(rules, "poll", "request",
               "with 'window' the request asks from {cursor} to {until}");
    }
    if (poll->pages.restart || poll->pages.kind == PAGE_CURSOR ||
        (poll->pages.kind == PAGE_NONE && poll->pages.size > 0)) {
        refuse(rules, "poll", "pages",
               "a list with 'window' goes on by its windows, not by 'restart', "
               "'kind: cursor' or 'size'");
    }
}

/* What a provider forgets as it is asked, and what it shows to nobody else. */
static void
check_queue(struct rules *rules)
{
    const struct connector *c = &rules->draft->c;
    const struct poll_spec *poll = &c->poll;
    if (poll->cursor.acks && (poll->overlap_ms > 0 || poll->sweeps.count > 0)) {
        refuse(rules, "poll", "cursor",
               "with 'acks' nothing can be read twice: neither 'overlap' nor "
               "'sweeps'");
    }
    if (poll->gate.request.url != NULL && poll->gate.go_when.count == 0) {
        refuse(rules, "poll", "gate",
               "'gate' needs 'go_when': what does its answer say when there is "
               "something to read?");
    }
    const struct request_spec *setup = poll->setup.at;
    for (size_t i = 0; i < poll->setup.count; i++) {
        if (setup[i].url == NULL) {
            refuse(rules, "poll", "setup",
                   "each request of 'setup' needs a "
                   "'url'");
        }
    }
    const char *const indirect[] = { "poll", "indirect" };
    if (poll->indirect.url == NULL &&
        connector_tree_node(rules->draft, indirect, 2) != NULL) {
        refuse(rules, "poll", "indirect",
               "'indirect' needs 'url': where does the answer name its file?");
    }
    if (poll->exclusive && c->has_webhook && c->has_poll) {
        refuse(rules, "poll", "exclusive_with_webhook",
               "this provider shows no list while it sends webhooks: leave out "
               "'webhook_secret' to poll, or say 'poll: none' to listen");
    }
}

static void
check_poll(struct rules *rules)
{
    const struct connector *c = &rules->draft->c;
    const struct poll_spec *poll = &c->poll;
    if (!poll->declared) {
        return;
    }
    if (poll->items == NULL) {
        refuse(rules, "poll", NULL, "'poll' needs 'items'");
    }
    if (poll->record.id == NULL && c->match.mode != MATCH_STATE) {
        refuse(rules, "poll", "record", "'record' needs an 'id'");
    }
    check_cursor(rules);
    check_span(rules);
    check_queue(rules);
    connector_auth_check(rules->binding, rules->draft);
    const struct config_node *entry_poll =
        rules->draft->entry == NULL
            ? NULL
            : config_node_child(rules->draft->entry, "poll");
    if (entry_poll != NULL && config_node_child(entry_poll, "every") != NULL &&
        config_node_child(entry_poll, "cron") != NULL) {
        refuse(rules, "poll", "cron", "give 'every' or 'cron', not both");
    }
    if (poll->cron.len == 0 && poll->every_ms < poll->interval_min_ms) {
        const char *const names[] = { "poll", "every" };
        char least[INSTANT_TEXT_BYTES];
        config_report_add(rules->binding->report, CONFIG_WARNING,
                          connector_tree_mark(rules->draft, names, 2),
                          "the provider wants to be asked every %s at most",
                          instant_span_text(poll->interval_min_ms, least));
    }
}

static void
check_pace(struct rules *rules)
{
    static const char *const keys[] = { "fastest", "slowest", "cost" };
    const struct poll_spec *poll = &rules->draft->c.poll;
    const bool adaptive = poll->pace == PACE_ADAPTIVE;
    if (adaptive && poll->cron.len > 0) {
        refuse(rules, "poll", "pace",
               "give 'cron' or 'pace: adaptive', not both");
    } else if (adaptive && poll->fastest_ms > poll->slowest_ms) {
        refuse(rules, "poll", "fastest",
               "'fastest' is longer than 'slowest'; without 'slowest' that is "
               "'every'");
    }
    for (size_t i = 0; !adaptive && i < sizeof(keys) / sizeof(keys[0]); i++) {
        const char *const names[] = { "poll", keys[i] };
        if (connector_tree_node(rules->draft, names, 2) != NULL) {
            config_report_add(rules->binding->report, CONFIG_WARNING,
                              connector_tree_mark(rules->draft, names, 2),
                              "'%s' has no effect without 'pace: adaptive'",
                              keys[i]);
        }
    }
}

static bool
is_read_twice(const struct poll_spec *poll)
{
    return poll->cursor.kind == CURSOR_TIME || poll->cursor.kind == CURSOR_ID;
}

static void
check_overlap(struct rules *rules)
{
    const struct poll_spec *poll = &rules->draft->c.poll;
    if (poll->overlap_most_ms > 0 && !is_read_twice(poll)) {
        refuse(rules, "poll", "overlap",
               "'auto' is for lists that are read from a time or an id: this "
               "cursor has no overlap");
    }
}

/* A sweep that looks no further back than the walk it backs finds nothing. */
static void
check_sweeps(struct rules *rules)
{
    const struct poll_spec *poll = &rules->draft->c.poll;
    const struct sweep_spec *sweeps = poll->sweeps.at;
    const int64_t first_ms = poll->overlap_most_ms > poll->overlap_ms
                                 ? poll->overlap_most_ms
                                 : poll->overlap_ms;
    if (poll->sweeps.count > 0 && !is_read_twice(poll)) {
        refuse(rules, "poll", "sweeps",
               "this list is read by a cursor that has no overlap: a sweep "
               "would read nothing twice");
    }
    for (size_t i = 0; i < poll->sweeps.count; i++) {
        if (sweeps[i].overlap_ms == 0) {
            config_report_add(rules->binding->report, CONFIG_ERROR,
                              poll->sweeps.marks[i],
                              "a sweep needs an 'overlap'");
        } else if (sweeps[i].overlap_ms <= first_ms &&
                   sweeps[i].overlap_most_ms <= first_ms) {
            config_report_add(
                rules->binding->report, CONFIG_ERROR, poll->sweeps.marks[i],
                "a sweep's overlap must be deeper than "
                "poll.overlap%s",
                poll->overlap_most_ms > 0 ? " may become (overlap_max)" : "");
        }
    }
}

static void
check_keep_ids(struct rules *rules)
{
    const struct connector *c = &rules->draft->c;
    char keep[INSTANT_TEXT_BYTES];
    char needed[INSTANT_TEXT_BYTES];
    const int64_t overlap_ms = connector_overlap_most_ms(c);
    const bool by_retention = c->poll.retention_ms >= overlap_ms;
    const int64_t least = by_retention ? c->poll.retention_ms : overlap_ms;
    if (c->has_poll && c->keep_ids_ms < least) {
        const char *const names[] = { "keep_ids" };
        config_report_add(rules->binding->report, CONFIG_ERROR,
                          connector_tree_mark(rules->draft, names, 1),
                          "'keep_ids' (%s) is shorter than the %s (%s): walks "
                          "would bring forgotten events again",
                          instant_span_text(c->keep_ids_ms, keep),
                          by_retention ? "provider's retention" : "overlap",
                          instant_span_text(least, needed));
    }
}

void
connector_rules_check(struct config_binding *binding,
                      struct connector_draft *draft)
{
    struct rules rules = { binding, draft };
    check_verify(&rules);
    check_event(&rules);
    check_match(&rules);
    check_poll(&rules);
    check_pace(&rules);
    check_overlap(&rules);
    check_sweeps(&rules);
    check_keep_ids(&rules);
    connector_answers_check(binding, draft);
    connector_fetch_check(binding, draft);
    connector_stream_check(binding, draft);
}
