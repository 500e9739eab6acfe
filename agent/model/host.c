/* SPDX-License-Identifier: MIT */
#include "model/host.h"

#include "model/request.h"
#include "wire/url.h"

/* What a connector's requests go to. */
struct target {
    struct url url;
    bool known;
};

/* Renders the list's request to see where it goes. One that cannot be rendered
 * without a walk goes where nobody else does, for all that is known here. */
static enum status
find_target(const struct connector *connector, struct arena *arena,
            struct target *ret_target)
{
    struct walk_state state = { .has_cursor = true, .cursor = SLICE("0") };
    struct rendered_request request;
    struct error err = { 0 };
    *ret_target = (struct target){ 0 };
    if (!connector->has_poll) {
        return STATUS_OK;
    }
    enum status status =
        request_render(connector, &state, arena, &request, &err);
    ret_target->known =
        status == STATUS_OK &&
        url_parse(request.url, &ret_target->url, &err) == STATUS_OK;
    return status == STATUS_NOMEM ? status : STATUS_OK;
}

static bool
is_credential(const struct connector_param *param)
{
    return param->asked && param->secret && param->count > 0;
}

/* Whether each secret that requests of `a` name is one of `b` too. */
static bool
are_known_to(const struct connector *a, const struct connector *b)
{
    for (size_t i = 0; i < a->param_count; i++) {
        bool found = !is_credential(&a->params[i]);
        for (size_t j = 0; j < b->param_count && !found; j++) {
            found = is_credential(&b->params[j]) &&
                    slice_equal(a->params[i].values[0], b->params[j].values[0]);
        }
        if (!found) {
            return false;
        }
    }
    return true;
}

static bool
share_host(const struct connector *a, const struct target *to_a,
           const struct connector *b, const struct target *to_b)
{
    return to_a->known && to_b->known &&
           url_same_origin(&to_a->url, &to_b->url) && are_known_to(a, b) &&
           are_known_to(b, a);
}

enum status
host_group(const struct connector *connectors, size_t count, size_t *ret_groups)
{
    struct arena arena = { 0 };
    struct target *targets = arena_array(&arena, count + 1, sizeof(*targets));
    enum status status = targets == NULL ? STATUS_NOMEM : STATUS_OK;
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        status = find_target(&connectors[i], &arena, &targets[i]);
        size_t first = 0;
        while (first < i && !share_host(&connectors[first], &targets[first],
                                        &connectors[i], &targets[i])) {
            first++;
        }
        ret_groups[i] = first;
    }
    arena_fini(&arena);
    return status;
}

enum status
host_origin(const struct connector *connector, struct buf *into)
{
    struct arena arena = { 0 };
    struct target target;
    enum status status = find_target(connector, &arena, &target);
    if (status == STATUS_OK && !target.known) {
        status = STATUS_NOT_FOUND;
    }
    if (status == STATUS_OK) {
        buf_format(into, "%.*s://%.*s", SLICE_ARG(target.url.scheme),
                   SLICE_ARG(target.url.host));
        if (target.url.has_port) {
            buf_format(into, ":%u", (unsigned)target.url.port);
        }
        status = buf_status(into);
    }
    arena_fini(&arena);
    return status;
}

/* Whether `a` allows fewer requests than `b` in the same time. */
static bool
is_lower(const struct limit_spec *a, const struct quota *b)
{
    return b->count == 0 || (double)a->budget * (double)b->per_ms <
                                (double)b->count * (double)a->budget_per_ms;
}

struct quota
host_budget(const struct connector *connectors, size_t count,
            const size_t *groups, size_t group)
{
    struct quota budget = { 0 };
    for (size_t i = 0; i < count; i++) {
        const struct limit_spec *limit = &connectors[i].poll.limit;
        if (groups[i] == group && connectors[i].has_poll && limit->budget > 0 &&
            is_lower(limit, &budget)) {
            budget.count = limit->budget;
            budget.per_ms = limit->budget_per_ms;
        }
    }
    return budget;
}
