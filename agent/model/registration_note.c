/* SPDX-License-Identifier: MIT */
/* What is kept of a registration: that one was begun, which hooks it made, and
 * when they were renewed. */
#include "base/instant.h"
#include "model/registration_private.h"
#include "wire/json.h"

enum status
registration_note_text(const struct registration *r,
                       enum registration_note_kind kind, struct slice *ret_text)
{
    struct buf text = { 0 };
    buf_text(&text, "{\"url\":");
    buf_json(&text, r->places.hook_url);
    buf_format(&text, ",\"pending\":%s,%s\"at_ms\":%lld,\"hooks\":[",
               kind == NOTE_DONE ? "false" : "true",
               kind == NOTE_LEAVING ? "\"leaving\":true," : "",
               (long long)r->plan->now_ms);
    buf_append(&text, r->made_text);
    buf_text(&text, "]");
    for (size_t i = 0; r->events_are_said && i < r->event_count; i++) {
        buf_text(&text, i == 0 ? ",\"events\":[" : ",");
        buf_json(&text, r->events[i]);
    }
    buf_text(&text, r->events_are_said && r->event_count > 0 ? "]}\n" : "}\n");
    enum status status = buf_status(&text);
    if (status == STATUS_OK) {
        status = arena_copy(r->arena, buf_slice(&text), ret_text);
    }
    buf_fini(&text);
    return status;
}

enum status
registration_note_hook(struct registration *r, struct slice id,
                       struct slice event)
{
    struct buf text = { 0 };
    buf_append(&text, r->made_text);
    buf_text(&text, r->made_text.len > 0 ? ",{\"id\":" : "{\"id\":");
    buf_json(&text, id);
    if (r->spec->per_event && event.len > 0) {
        buf_text(&text, ",\"event\":");
        buf_json(&text, event);
    }
    buf_text(&text, "}");
    enum status status = buf_status(&text);
    if (status == STATUS_OK) {
        status = arena_copy(r->arena, buf_slice(&text), &r->made_text);
    }
    buf_fini(&text);
    return status;
}

static bool
member_is(struct slice object, const char *name, enum json_type type,
          struct slice *ret_value)
{
    return json_member(object, slice_of(name), ret_value) &&
           json_type(*ret_value) == type;
}

enum status
registration_note_read(struct slice text, struct arena *arena,
                       struct registration_note *ret)
{
    struct slice value;
    *ret = (struct registration_note){ 0 };
    if (text.len == 0 ||
        json_check(text, JSON_DEPTH_DEFAULT, NULL) != STATUS_OK ||
        json_type(text) != JSON_OBJECT ||
        !member_is(text, "at_ms", JSON_NUMBER, &value) ||
        slice_to_i64(slice_trim(value), &ret->at_ms) != STATUS_OK) {
        return STATUS_OK;
    }
    ret->is_there = true;
    ret->is_pending = member_is(text, "pending", JSON_TRUE, &value);
    ret->is_leaving = member_is(text, "leaving", JSON_TRUE, &value);
    if (member_is(text, "hooks", JSON_ARRAY, &value)) {
        ret->hooks = value;
    }
    if (member_is(text, "events", JSON_ARRAY, &value)) {
        ret->events = value;
    }
    return member_is(text, "url", JSON_STRING, &value)
               ? json_text(value, arena, &ret->url)
               : STATUS_OK;
}

int64_t
registration_renew_at_ms(const struct connector *connector,
                         const struct registration_note *note)
{
    const int64_t every_ms = connector->registration.renew_every_ms;
    if (every_ms == 0 || !note->is_there || note->is_pending) {
        return INT64_MAX;
    }
    return instant_add(note->at_ms, every_ms);
}
