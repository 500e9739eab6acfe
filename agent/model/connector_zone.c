/* SPDX-License-Identifier: MIT */
/* `poll.cursor.tz`: whose clocks a list goes by. */
#include "base/instant.h"
#include "model/connector_draft.h"
#include "wire/zone.h"

static void
refuse(struct config_binding *binding, struct connector_draft *draft,
       const char *words)
{
    static const char *const names[] = { "poll", "cursor", "tz" };
    config_report_add(binding->report, CONFIG_ERROR,
                      connector_tree_mark(draft, names, 3), "%s", words);
}

static enum status
look_up(void *arg, const struct template_ref *ref, struct arena *arena,
        struct slice *ret_value)
{
    const struct connector_param *param = connector_param_find(arg, ref->name);
    (void)arena;
    if (param == NULL || !param->given || param->count == 0) {
        return STATUS_NOT_FOUND;
    }
    *ret_value = param->values[0];
    return STATUS_OK;
}

/* A zone by its name, where there is a file of it, else by its rule. */
static enum status
find_zone(const struct connector_env *env, struct slice text,
          struct arena *arena, const struct zone **ret_zone, struct error *err)
{
    struct slice bytes;
    enum status status = STATUS_NOT_FOUND;
    if (env->read_zone != NULL) {
        status = env->read_zone(env->arg, text, arena, &bytes, err);
    }
    if (status == STATUS_OK) {
        return zone_read(bytes, arena, ret_zone, err);
    }
    return status == STATUS_NOT_FOUND ? zone_rule(text, arena, ret_zone)
                                      : status;
}

/* Only what is written without a zone is read by somebody's clocks, and as they
 * are set back no upper bound could be sure. */
static void
check(struct config_binding *binding, struct connector_draft *draft)
{
    const struct poll_spec *poll = &draft->c.poll;
    const enum timefmt format = poll->cursor.format;
    if (poll->cursor.kind != CURSOR_TIME ||
        (format != TIMEFMT_MINUTE && format != TIMEFMT_DATE &&
         format != TIMEFMT_ISO8601_NAIVE)) {
        refuse(binding, draft,
               "'tz' is for a time cursor whose format has no zone: minute, "
               "date or iso8601_naive");
    }
    if (connector_request_names(&poll->request, "now") ||
        connector_request_names(&poll->request, "until")) {
        refuse(binding, draft,
               "'tz' does not go with {now} or {until}: an hour that comes "
               "twice has no end");
    }
}

enum status
connector_zone_bind(struct config_binding *binding,
                    struct connector_draft *draft,
                    const struct connector_env *env)
{
    struct cursor_spec *cursor = &draft->c.poll.cursor;
    const struct template_scope scope = { .lookup = look_up, .arg = &draft->c };
    struct slice text;
    struct error err = { "" };
    if (cursor->tz == NULL) {
        return STATUS_OK;
    }
    check(binding, draft);
    enum status status =
        template_eval(cursor->tz, &scope, binding->arena, &text, NULL);
    if (status == STATUS_NOT_FOUND) {
        return STATUS_OK; /* a parameter is missing, and that was said */
    }
    if (status == STATUS_OK) {
        status = find_zone(env, text, binding->arena, &cursor->zone, &err);
    }
    if (status == STATUS_NOMEM) {
        return status;
    }
    if (status != STATUS_OK) {
        static const char *const names[] = { "poll", "cursor", "tz" };
        cursor->zone = NULL;
        config_report_add(binding->report, CONFIG_ERROR,
                          connector_tree_mark(draft, names, 3),
                          "'%.*s' is no time zone: give a name such as "
                          "Europe/Berlin (from the package tzdata), or a rule "
                          "such as CET-1CEST,M3.5.0,M10.5.0/3",
                          SLICE_ARG(text));
    }
    return STATUS_OK;
}
