/* SPDX-License-Identifier: MIT */
/* What of a stored event handlers get as its data. */
#include "model/extract.h"

#include "wire/cloudevents_read.h"
#include "wire/json.h"

/* The part of a JSON body that the connector selects. */
static struct slice
select_data(const struct connector *connector, const struct event *event,
            bool is_row)
{
    const struct json_path *path =
        is_row ? connector->poll.record.data : connector->event.data;
    struct slice body = event->body;
    struct slice data;
    if (event->filled == FILLED_BY_FETCH) {
        path = NULL; /* `fetch.body` has chosen already */
    }
    /* The whole row was kept for a request that is not configured any more. */
    if (is_row && event->needs != NEEDS_NOTHING &&
        connector->poll.record.body != NULL) {
        (void)json_path_first(connector->poll.record.body, body, &body);
    }
    return path != NULL && json_path_first(path, body, &data)
               ? data
               : slice_trim(body);
}

enum status
extract_data(const struct connector *connector, const struct event *event,
             struct arena *arena, struct extracted_data *ret_data)
{
    const bool is_row =
        channel_is_walk(event->via) && event->filled != FILLED_BY_HOOK;
    *ret_data =
        (struct extracted_data){ event->body, event->content_type, false };
    if (json_check(event->body, JSON_DEPTH_DEFAULT, NULL) != STATUS_OK) {
        return STATUS_OK;
    }
    /* What was stored under another format is no CloudEvent. */
    if (connector->event.format == EVENT_FORMAT_CLOUDEVENTS && !is_row &&
        event->filled != FILLED_BY_FETCH &&
        cloudevents_check(event->body, NULL) == STATUS_OK) {
        struct cloudevents_data data;
        enum status status = cloudevents_data_of(event->body, arena, &data);
        *ret_data = (struct extracted_data){ data.bytes, data.content_type,
                                             data.is_json };
        return status;
    }
    ret_data->bytes = select_data(connector, event, is_row);
    ret_data->is_json = true;
    return STATUS_OK;
}
