/* SPDX-License-Identifier: MIT */
/*
 * poll_page: one answer of a list on its way to become an arrival.
 */
#include "source/source_poll_private.h"

#include "base/rule.h"
#include "io/clock.h"
#include "model/walk_backfill.h"
#include "model/walk_change.h"
#include "model/walk_expired.h"

static enum channel
via_of(const struct source_poll *poll)
{
    return poll->settings.is_backfill ? CHANNEL_BACKFILL : CHANNEL_POLL;
}

enum status
poll_page_empty(struct source_poll *poll)
{
    poll_page_drop(poll);
    return arrival_create(poll->settings.connector, ARRIVAL_PAGE, via_of(poll),
                          clock_unix_ms(), &poll->page.arrival);
}

/* What is noted of each row. */
static enum status
take_rows(struct poll_page *page)
{
    struct arena *arena = &page->arrival->arena;
    page->bodies =
        arena_array(arena, page->page.row_count, sizeof(*page->bodies));
    page->wanted =
        arena_array(arena, page->page.row_count, sizeof(*page->wanted));
    page->headers =
        arena_array(arena, page->page.row_count, sizeof(*page->headers));
    if (page->bodies == NULL || page->headers == NULL || page->wanted == NULL) {
        return STATUS_NOMEM;
    }
    for (size_t i = 0; i < page->page.row_count; i++) {
        page->bodies[i] = page->page.rows[i];
    }
    return STATUS_OK;
}

enum status
poll_page_fill(struct source_poll *poll, const struct http_reply *reply,
               struct error *err)
{
    struct poll_page *page = &poll->page;
    struct arena *arena = &page->arrival->arena;
    struct slice file;
    if (arena_copy(arena, reply->body, &file) != STATUS_OK) {
        return STATUS_NOMEM;
    }
    enum status status =
        extract_file(poll->settings.connector, file, arena, &page->page, err);
    return status == STATUS_OK ? take_rows(page) : status;
}

static enum status
find_rows(struct source_poll *poll, const struct http_reply *reply,
          struct error *err)
{
    struct poll_page *page = &poll->page;
    struct arena *arena = &page->arrival->arena;
    const struct connector *connector = poll->settings.connector;
    struct slice body;
    if (arena_copy(arena, reply->body, &body) != STATUS_OK ||
        arena_copy(arena, poll->url, &page->url) != STATUS_OK) {
        return STATUS_NOMEM;
    }
    enum status status =
        extract_page(connector, body, reply->fields, arena, &page->page, err);
    return status == STATUS_OK ? take_rows(page) : status;
}

void
poll_page_choose(struct source_poll *poll)
{
    struct poll_page *page = &poll->page;
    for (size_t i = 0; i < page->page.row_count; i++) {
        page->wanted[i] =
            !walk_below(&poll->plan, &poll->next, page->page.rows[i],
                        &page->arrival->arena);
    }
}

enum status
poll_page_open(struct source_poll *poll, const struct http_reply *reply,
               struct error *err)
{
    enum status status = poll_page_empty(poll);
    if (status != STATUS_OK) {
        return status;
    }
    status = find_rows(poll, reply, err);
    if (!RULE(RULE_NO_PAGE)) {
        status = STATUS_OK; /* and the page has no rows */
    }
    if (status != STATUS_OK) {
        poll_page_drop(poll);
    }
    return status;
}

static enum status
copy_fields(struct http_fields from, struct arena *arena,
            struct http_fields *ret_fields)
{
    struct http_field *fields =
        arena_array(arena, from.count + 1, sizeof(*fields));
    enum status status = fields == NULL ? STATUS_NOMEM : STATUS_OK;
    for (size_t i = 0; i < from.count && status == STATUS_OK; i++) {
        status = arena_copy(arena, from.at[i].name, &fields[i].name);
        if (status == STATUS_OK) {
            status = arena_copy(arena, from.at[i].value, &fields[i].value);
        }
    }
    *ret_fields = (struct http_fields){ fields, from.count };
    return status;
}

enum status
poll_page_note(struct source_poll *poll, const struct http_reply *reply)
{
    struct poll_page *page = &poll->page;
    page->answer = (struct walk_answer){
        .url = poll->url,
        .status = reply->status,
        .page = reply->status == 304 ? NULL : &page->page,
        .duration_ms = reply->first_byte_ms,
        .our_ms = clock_unix_ms(),
    };
    return copy_fields(reply->fields, &page->arrival->arena,
                       &page->answer.fields);
}

enum status
poll_page_sightings(struct source_poll *poll, struct error *err)
{
    struct poll_page *page = &poll->page;
    struct arrival *arrival = page->arrival;
    size_t count = page->page.row_count;
    arrival->sightings =
        arena_array(&arrival->arena, count, sizeof(*arrival->sightings));
    if (arrival->sightings == NULL) {
        return STATUS_NOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        if (!page->wanted[i]) {
            continue;
        }
        const struct row_view view = { .row = page->page.rows[i],
                                       .body = page->bodies[i],
                                       .headers = page->headers[i],
                                       .via = via_of(poll),
                                       .received_ms = arrival->received_ms };
        enum status status =
            extract_row(poll->settings.connector, &view, &arrival->arena,
                        &arrival->sightings[i], err);
        if (status != STATUS_OK) {
            return error_wrap(err, status, "row %zu", i + 1);
        }
        /* By the state before this page: its last one ends the change. */
        arrival->sightings[i].seed = walk_change_seeds(
            &poll->plan, &poll->state, arrival->sightings[i].time_ms);
        page->wanted[i] =
            poll->settings.is_backfill
                ? walk_backfill_holds(&poll->plan, &poll->next, view.row,
                                      arrival->sightings[i].time_ms,
                                      &arrival->arena)
                : !walk_expired_leaves_out(&poll->plan, &poll->state,
                                           arrival->sightings[i].time_ms);
    }
    arrival->sighting_count = count;
    return STATUS_OK;
}

/* A page is accepted oldest first, whatever way the list runs. */
static bool
runs_backwards(const struct poll_spec *spec)
{
    return (spec->order == ORDER_DESC) != spec->reverse;
}

void
poll_page_order(struct source_poll *poll)
{
    struct poll_page *page = &poll->page;
    struct sighting *all = page->arrival->sightings;
    size_t kept = 0;
    for (size_t i = 0; i < page->arrival->sighting_count; i++) {
        if (page->wanted[i]) {
            all[kept++] = all[i];
        }
    }
    page->arrival->sighting_count = kept;
    if (!runs_backwards(&poll->settings.connector->poll)) {
        return;
    }
    for (size_t i = 0; i + i + 1 < kept; i++) {
        struct sighting swap = all[i];
        all[i] = all[kept - 1 - i];
        all[kept - 1 - i] = swap;
    }
}

void
poll_page_drop(struct source_poll *poll)
{
    arrival_destroy(poll->page.arrival);
    poll->page = (struct poll_page){ 0 };
}
