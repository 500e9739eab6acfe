/* SPDX-License-Identifier: MIT */
#include "model/route.h"

#include "model/route_where.h"
#include "wire/digest.h"
#include "wire/json.h"

/* ---- reading ---- */

/* Takes a list of words, or one. */
static void
read_words(struct config_binding *binding, const struct config_node *node,
           struct slice **ret_words, size_t *ret_count)
{
    const bool list = node->kind == CONFIG_SEQUENCE;
    size_t count = 1;
    if (list) {
        count = 0;
        for (const struct config_node *at = node->children; at; at = at->next) {
            count++;
        }
    }
    *ret_words = arena_array(binding->arena, count + 1, sizeof(struct slice));
    if (*ret_words == NULL) {
        binding->report->failed_memory = true;
        return;
    }
    const struct config_node *at = list ? node->children : node;
    for (size_t i = 0; i < count; i++, at = at->next) {
        const bool bare_not = slice_equal_text(at->text, "!");
        if (at->kind != CONFIG_SCALAR || at->text.len == 0 || bare_not) {
            config_report_add(binding->report, CONFIG_ERROR, at->mark,
                              "'%.*s' must be a word or a list of them",
                              SLICE_ARG(node->key));
            continue;
        }
        (*ret_words)[(*ret_count)++] = at->text;
    }
}

void
route_parse_from(struct config_binding *binding, const struct config_node *node,
                 void *place)
{
    struct route_spec *spec = place;
    read_words(binding, node, &spec->from, &spec->from_count);
}

void
route_parse_types(struct config_binding *binding,
                  const struct config_node *node, void *place)
{
    struct route_spec *spec = place;
    read_words(binding, node, &spec->types, &spec->type_count);
}

void
route_parse_where(struct config_binding *binding,
                  const struct config_node *node, void *place)
{
    struct route_spec *spec = place;
    route_where_parse(binding, node, &spec->where, &spec->where_count);
}

void
route_parse_order_by(struct config_binding *binding,
                     const struct config_node *node, void *place)
{
    struct route_spec *spec = place;
    struct error err = { "" };
    if (node->kind != CONFIG_SCALAR || node->text.len == 0) {
        config_report_add(binding->report, CONFIG_ERROR, node->mark,
                          "'order_by' must be a JSON Pointer such as "
                          "/data/customer");
        return;
    }
    enum status status = json_pointer_compile(node->text, binding->arena,
                                              &spec->order_path, &err);
    if (status == STATUS_NOMEM) {
        binding->report->failed_memory = true;
    } else if (status != STATUS_OK) {
        config_report_add(binding->report, CONFIG_ERROR, node->mark,
                          "'order_by': %s", error_text(&err, status));
    } else {
        spec->order_by = node->text;
    }
}

void
route_fini(struct route_spec *spec)
{
    route_where_fini(spec->where, spec->where_count);
    spec->where_count = 0;
}

/* ---- judging ---- */

bool
route_takes_from(const struct route_spec *spec, struct slice name)
{
    for (size_t i = 0; i < spec->from_count; i++) {
        if (slice_equal(spec->from[i], name)) {
            return true;
        }
    }
    return spec->from_count == 0;
}

/* Whether a glob of the handler meets what the sighting is: its type, and for
 * a row any type that it may stand for. */
static bool
glob_wants(struct slice glob, const struct route_input *input)
{
    const struct sighting *sighting = input->sighting;
    const struct record_spec *record = &input->connector->poll.record;
    if (glob_match(glob, sighting->type)) {
        return true;
    }
    if (!channel_is_walk(sighting->via) ||
        connector_is_unlisted(input->connector, glob)) {
        return false;
    }
    for (size_t i = 0; i < record->stands_for_count; i++) {
        if (glob_meet(glob, record->stands_for[i])) {
            return true;
        }
    }
    return false;
}

/*
 * An exclusion speaks of the type that is there, not of those a row may stand
 * for: "!order.test" must not keep every row away.
 */
static bool
wants_type(const struct route_spec *spec, const struct route_input *input)
{
    bool wanted = false;
    bool only_exclusions = true;
    for (size_t i = 0; i < spec->type_count; i++) {
        const struct slice glob = spec->types[i];
        if (glob.ptr[0] != '!') {
            only_exclusions = false;
            wanted |= glob_wants(glob, input);
        } else if (glob_match(slice_from(glob, 1), input->sighting->type)) {
            return false;
        }
    }
    return wanted || only_exclusions;
}

static enum status
need_envelope(struct route_input *input)
{
    return input->envelope.len > 0
               ? STATUS_OK
               : input->make_envelope(input->arg, &input->envelope);
}

/* The lane of a value: the same in every process that reads this store. */
static enum status
lane_of(const struct route_spec *spec, struct slice envelope,
        struct arena *arena, bool *ret_has_lane, int64_t *ret_lane)
{
    unsigned char digest[32];
    struct slice value;
    struct slice text;
    uint64_t lane = 0;
    if (!json_path_first(spec->order_path, envelope, &value) ||
        json_type(value) == JSON_NULL) {
        return STATUS_OK;
    }
    enum status status = json_text(value, arena, &text);
    if (status == STATUS_OK) {
        status = digest_sha256(text, digest);
    }
    if (status != STATUS_OK) {
        return status;
    }
    for (size_t i = 0; i < sizeof(lane); i++) {
        lane = lane << 8 | digest[i];
    }
    *ret_has_lane = true;
    *ret_lane = (int64_t)(lane >> 1); /* stores have signed numbers */
    return STATUS_OK;
}

enum status
route_wants(const struct route_spec *spec, struct route_input *input,
            bool *ret_wants, bool *ret_has_lane, int64_t *ret_lane)
{
    *ret_wants = false;
    *ret_has_lane = false;
    *ret_lane = 0;
    if (!route_takes_from(spec, input->connector->name) ||
        !wants_type(spec, input)) {
        return STATUS_OK;
    }
    if (spec->where_count == 0 && spec->order_path == NULL) {
        *ret_wants = true;
        return STATUS_OK;
    }
    struct arena arena = { 0 };
    enum status status = need_envelope(input);
    if (status == STATUS_OK) {
        status = route_where_holds(spec->where, spec->where_count,
                                   input->envelope, &arena, ret_wants);
    }
    if (status == STATUS_OK && *ret_wants && spec->order_path != NULL) {
        status = lane_of(spec, input->envelope, &arena, ret_has_lane, ret_lane);
    }
    arena_fini(&arena);
    return status;
}

bool
route_reads_data(const struct route_spec *spec)
{
    const struct slice pointer = slice_of("/data");
    const struct slice order = spec->order_by;
    return route_where_reads(spec->where, spec->where_count, pointer) ||
           (slice_starts(order, pointer) &&
            (order.len == pointer.len || order.ptr[pointer.len] == '/'));
}
