/* SPDX-License-Identifier: MIT */
#include "model/walk_change.h"

#include "base/instant.h"
#include "model/walk_cursor.h"
#include "model/walk_expired.h"
#include "wire/json.h"
#include "wire/template.h"

/* As deep as YAML may be nested. */
#define BODY_DEPTH_MAX 32

/* Folds one text in; a text that is not there is told from an empty one. */
static uint64_t
fold(uint64_t hash, struct slice text)
{
    uint64_t more = text.ptr == NULL ? 7 : walk_cursor_hash(text);
    return (hash ^ more) * UINT64_C(0x100000001b3);
}

static uint64_t
fold_template(uint64_t hash, const struct template *t)
{
    const struct slice none = { NULL, 0 };
    return fold(hash, t == NULL ? none : template_source(t));
}

static uint64_t
fold_path(uint64_t hash, const struct json_path *path)
{
    const struct slice none = { NULL, 0 };
    return fold(hash, path == NULL ? none : json_path_source(path));
}

static uint64_t
fold_number(uint64_t hash, int64_t number)
{
    return (hash ^ (uint64_t)(number + 1)) * UINT64_C(0x100000001b3);
}

/* 0 says "not known". */
static uint64_t
seal(uint64_t hash)
{
    return hash == 0 ? 1 : hash;
}

uint64_t
walk_change_keys(const struct connector *connector)
{
    const struct match_spec *match = &connector->match;
    const struct template *const templates[] = {
        connector->event.id,
        connector->event.key_time,
        connector->poll.record.id,
        connector->poll.record.key_time,
        match->webhook,
        match->poll,
        match->webhook_time,
        match->poll_time,
    };
    uint64_t hash = fold_number(1, (int64_t)match->mode);
    for (size_t i = 0; i < sizeof(templates) / sizeof(templates[0]); i++) {
        hash = fold_template(hash, templates[i]);
    }
    return seal(hash);
}

uint64_t
walk_change_cursor(const struct connector *connector)
{
    const struct cursor_spec *cursor = &connector->poll.cursor;
    uint64_t hash = fold_number(1, (int64_t)cursor->kind);
    hash = fold_path(hash, cursor->from);
    return seal(fold_number(hash, (int64_t)cursor->pick));
}

static uint64_t
fold_pairs(uint64_t hash, const struct pair_spec *pairs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        hash = fold_template(fold(hash, pairs[i].name), pairs[i].value);
    }
    return fold_number(hash, (int64_t)count);
}

/* A body tree, its nodes in the order of the text. */
static uint64_t
fold_body(uint64_t hash, const struct body_node *root)
{
    const struct body_node *open[BODY_DEPTH_MAX];
    size_t depth = 0;
    const struct body_node *node = root;
    while (node != NULL) {
        hash = fold_template(fold(hash, node->key), node->text);
        hash = fold_number(hash, (int64_t)depth);
        if (node->children != NULL && depth < BODY_DEPTH_MAX) {
            open[depth++] = node;
            node = node->children;
            continue;
        }
        while (depth > 0 && node->next == NULL) {
            node = open[--depth];
        }
        node = depth == 0 ? NULL : node->next;
    }
    return hash;
}

/* What the configuration puts into requests, but for secrets: these change and
 * the list stays. */
static uint64_t
fold_params(uint64_t hash, const struct connector *connector)
{
    for (size_t i = 0; i < connector->param_count; i++) {
        const struct connector_param *param = &connector->params[i];
        bool counts = param->asked || slice_equal_text(param->name, "base");
        if (counts && !param->secret && param->given && param->count > 0) {
            hash = fold(fold(hash, param->name), param->values[0]);
        }
    }
    return hash;
}

uint64_t
walk_change_list(const struct connector *connector)
{
    const struct request_spec *request = &connector->poll.request;
    const struct page_spec *pages = &connector->poll.pages;
    uint64_t hash = fold(1, request->method);
    hash = fold_template(hash, request->url);
    hash = fold_pairs(hash, request->query, request->query_count);
    hash = fold_pairs(hash, request->form, request->form_count);
    hash = fold_body(hash, request->body);
    hash = fold_path(hash, connector->poll.items);
    hash = fold_number(hash, (int64_t)pages->kind);
    hash = fold_template(hash, pages->from);
    hash = fold_path(hash, pages->last);
    hash = fold_number(hash, (int64_t)connector->poll.order);
    return seal(fold_params(hash, connector));
}

static bool
differs(uint64_t stored, uint64_t now)
{
    return stored != 0 && stored != now;
}

bool
walk_change_seeds(const struct walk_plan *plan, const struct walk_state *state,
                  int64_t time_ms)
{
    return !plan->is_backfill && time_ms > 0 && time_ms < state->hw_ms &&
           differs(state->keys_hash, walk_change_keys(plan->connector));
}

const char *
walk_change_words(const struct walk_plan *plan, const struct walk_state *state)
{
    if (differs(state->keys_hash, walk_change_keys(plan->connector))) {
        return "what makes keys: until the next whole walk, rows below the "
               "watermark are taken for the events of their stamp";
    }
    if (differs(state->cursor_hash, walk_change_cursor(plan->connector))) {
        return "the cursor: the old one is dropped, reading goes on from the "
               "watermark's time";
    }
    if (differs(state->list_hash, walk_change_list(plan->connector))) {
        return "how the list is asked: an open walk begins anew";
    }
    return NULL;
}

bool
walk_change_start(const struct walk_plan *plan, const struct walk_state *state)
{
    const struct poll_spec *spec = &plan->connector->poll;
    if (!state->has_start || spec->start_kind == START_NOW) {
        return false;
    }
    if (spec->start_kind == START_AT) {
        return state->start_ms != spec->start_ms;
    }
    int64_t off_ms = state->start_set_ms - spec->start_ms - state->start_ms;
    return off_ms > INSTANT_DAY_MS || off_ms < -INSTANT_DAY_MS;
}

static void
drop_walk(struct walk_state *state)
{
    state->open = false;
    state->has_page = false;
    state->page = (struct slice){ NULL, 0 };
    state->etag = (struct slice){ NULL, 0 };
    state->modified = (struct slice){ NULL, 0 };
    state->etag_url = 0;
}

/* Whether a walk that has seen nothing begins at a time. */
static bool
begins_by_time(const struct poll_spec *spec)
{
    return spec->cursor.kind == CURSOR_TIME ||
           spec->cursor.kind == CURSOR_NONE || walk_cursor_at_start(spec);
}

void
walk_change_fit(const struct walk_plan *plan, struct walk_state *state,
                const struct walk_now *now, struct walk_step *ret_step)
{
    const struct connector *connector = plan->connector;
    *ret_step = (struct walk_step){ .next = WALK_ASK };
    if (differs(state->list_hash, walk_change_list(connector))) {
        drop_walk(state);
    }
    if (!differs(state->cursor_hash, walk_change_cursor(connector))) {
        return;
    }
    drop_walk(state);
    state->token = (struct slice){ NULL, 0 };
    state->has_token = false;
    state->id_count = 0;
    if (!plan->is_backfill && state->hw_ms > 0 &&
        !begins_by_time(&connector->poll)) {
        walk_expired_forget(plan, state, now, ret_step);
    }
    /* Said once: the new cursor is what counts from here on. */
    state->cursor_hash = walk_change_cursor(connector);
    ret_step->state_changed = true;
}

void
walk_change_note(const struct walk_plan *plan, struct walk_state *state)
{
    state->keys_hash = walk_change_keys(plan->connector);
    state->cursor_hash = walk_change_cursor(plan->connector);
    state->list_hash = walk_change_list(plan->connector);
    state->overlap_ms = plan->overlap_ms;
    state->tiers = plan->tiers;
}
