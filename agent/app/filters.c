/* SPDX-License-Identifier: MIT */
#include "app/filters.h"

#include "base/instant.h"
#include "io/clock.h"
#include "wire/url.h"

#define FILTERS 8

struct member {
    const char *name, *value;
    bool is_time;
};

static void
list(const struct filters *filters, struct member into[FILTERS])
{
    const struct member members[FILTERS] = {
        { "connector", filters->connector, false },
        { "handler", filters->handler, false },
        { "type", filters->type, false },
        { "via", filters->via, false },
        { "reason", filters->reason, false },
        { "cause", filters->cause, false },
        { "since", filters->since, true },
        { "until", filters->until, true },
    };
    for (size_t i = 0; i < FILTERS; i++) {
        into[i] = members[i];
    }
}

/* A time as it stands, or an age made one. */
static struct slice
value_of(const struct member *member, char text[INSTANT_TEXT_BYTES])
{
    int64_t age_ms;
    if (member->is_time &&
        instant_parse_span(slice_of(member->value), &age_ms) == STATUS_OK) {
        return slice_of(
            instant_text(instant_add(clock_unix_ms(), -age_ms), text));
    }
    return slice_of(member->value);
}

bool
filters_any(const struct filters *filters)
{
    struct member members[FILTERS];
    bool any = false;
    list(filters, members);
    for (size_t i = 0; i < FILTERS; i++) {
        any = any || members[i].value != NULL;
    }
    return any;
}

void
filters_query(const struct filters *filters, struct buf *path)
{
    struct member members[FILTERS];
    list(filters, members);
    for (size_t i = 0; i < FILTERS; i++) {
        char text[INSTANT_TEXT_BYTES];
        if (members[i].value != NULL) {
            url_add_query(path, slice_of(members[i].name),
                          value_of(&members[i], text));
        }
    }
}

void
filters_members(const struct filters *filters, struct buf *into)
{
    struct member members[FILTERS];
    list(filters, members);
    for (size_t i = 0; i < FILTERS; i++) {
        char text[INSTANT_TEXT_BYTES];
        if (members[i].value != NULL) {
            buf_format(into, ",\"%s\":", members[i].name);
            buf_json(into, value_of(&members[i], text));
        }
    }
}
