/* SPDX-License-Identifier: MIT */
#include "app/doctor.h"

#include <stdarg.h>
#include <stdio.h>

#include "app/told.h"
#include "wire/json_tree.h"

void
doctor_say(struct doctor *doctor, enum checkup_grade grade, struct slice about,
           const char *fix, const char *format, ...)
{
    struct doctor_finding *finding =
        arena_array(&doctor->arena, 1, sizeof(*finding));
    char words[1024];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(words, sizeof(words), format, args);
    va_end(args);
    if (finding == NULL) {
        doctor->failed_memory = true;
        return;
    }
    *finding =
        (struct doctor_finding){ .check = doctor->check, .grade = grade };
    if (arena_copy(&doctor->arena, about, &finding->about) != STATUS_OK ||
        arena_copy(&doctor->arena, slice_of(words), &finding->words) !=
            STATUS_OK ||
        arena_copy(&doctor->arena, slice_of(fix), &finding->fix) != STATUS_OK) {
        doctor->failed_memory = true;
    }
    *doctor->last = finding;
    doctor->last = &finding->next;
    doctor->counts[grade]++;
}

/* ---- the configuration ---- */

static const struct slice nothing = SLICE("");

/* The first mistake stands for all; `check` shows them with their lines. */
static void
say_refused(struct doctor *doctor, enum config_severity severity,
            enum checkup_grade grade)
{
    const struct config_report *report = &doctor->configuration.report;
    const struct config_finding *finding = report->first;
    size_t count = severity == CONFIG_ERROR ? report->errors : report->warnings;
    while (finding != NULL && finding->severity != severity) {
        finding = finding->next;
    }
    if (finding == NULL) {
        return;
    }
    const struct config_mark *mark = &finding->mark;
    doctor_say(doctor, grade,
               mark->source == NULL ? nothing : mark->source->name,
               "'longstop check' shows each with its line",
               "%zu %s%s; the first, in line %u: %.*s", count,
               severity == CONFIG_ERROR ? "error" : "warning",
               count == 1 ? "" : "s", mark->line, SLICE_ARG(finding->message));
}

static void
look_at_configuration(struct doctor *doctor, const char *path)
{
    const struct configuration *configuration = &doctor->configuration;
    struct error err = { 0 };
    enum status status = configuration_load(path, &doctor->configuration, &err);
    doctor->check = "configuration";
    doctor->is_configured = status == STATUS_OK;
    doctor->failed_memory = status == STATUS_NOMEM;
    if (status == STATUS_NOT_FOUND) {
        doctor_say(doctor, CHECKUP_FAIL, nothing,
                   "name one with -c, or begin with 'longstop init'", "%s",
                   error_text(&err, status));
    } else if (status != STATUS_OK) {
        say_refused(doctor, CONFIG_ERROR, CHECKUP_FAIL);
    } else {
        doctor_say(doctor, CHECKUP_OK, configuration->path, NULL,
                   "%zu file%s, %zu connector%s, %zu handler%s",
                   configuration->file_count,
                   configuration->file_count == 1 ? "" : "s",
                   configuration->connector_count,
                   configuration->connector_count == 1 ? "" : "s",
                   configuration->settings.handlers.count,
                   configuration->settings.handlers.count == 1 ? "" : "s");
        say_refused(doctor, CONFIG_WARNING, CHECKUP_WARN);
    }
}

/* ---- all of it ---- */

static const struct {
    const char *name;
    void (*look)(struct doctor *doctor);
} checks[] = {
    { "modes", doctor_modes },        { "room", doctor_room },
    { "agent", doctor_agent },        { "store", doctor_store },
    { "hooks", doctor_hooks },        { "gaps", doctor_gaps },
    { "provider", doctor_providers }, { "unit", doctor_unit },
};

enum status
doctor_look(const char *path, bool offline, struct doctor *ret)
{
    *ret = (struct doctor){ .has_offline = offline };
    ret->last = &ret->first;
    look_at_configuration(ret, path);
    for (size_t i = 0;
         ret->is_configured && i < sizeof(checks) / sizeof(checks[0]); i++) {
        ret->check = checks[i].name;
        checks[i].look(ret);
    }
    return ret->failed_memory ? STATUS_NOMEM : STATUS_OK;
}

void
doctor_fini(struct doctor *doctor)
{
    if (doctor->view != NULL) {
        doctor->view->ops->close(doctor->view);
    }
    buf_fini(&doctor->status);
    arena_fini(&doctor->arena);
    configuration_fini(&doctor->configuration);
}

/* ---- what was found ---- */

void
doctor_text(const struct doctor *doctor, struct buf *into)
{
    for (const struct doctor_finding *at = doctor->first; at != NULL;
         at = at->next) {
        buf_format(into, "%-4s  %-13s ", checkup_grade_name(at->grade),
                   at->check);
        told_plain(at->about, into);
        buf_text(into, at->about.len > 0 ? ": " : "");
        told_plain(at->words, into);
        buf_byte(into, '\n');
        if (at->fix.len > 0) {
            buf_text(into, "      fix: ");
            told_plain(at->fix, into);
            buf_byte(into, '\n');
        }
    }
    buf_format(into, "%zu ok, %zu to look at, %zu failed\n",
               doctor->counts[CHECKUP_OK], doctor->counts[CHECKUP_WARN],
               doctor->counts[CHECKUP_FAIL]);
}

static void
add_or_null(struct json_tree *tree, struct json_node *node, const char *name,
            struct slice text)
{
    if (text.len == 0) {
        json_add_null(tree, node, name);
    } else {
        json_add_text(tree, node, name, text);
    }
}

enum status
doctor_json(const struct doctor *doctor, struct buf *into)
{
    struct json_tree *tree;
    enum status status = json_tree_create(&tree);
    if (status != STATUS_OK) {
        return status;
    }
    struct json_node *root = json_tree_root(tree);
    json_add_bool(tree, root, "ok", doctor->counts[CHECKUP_FAIL] == 0);
    struct json_node *list = json_add_array(tree, root, "findings");
    for (const struct doctor_finding *at = doctor->first; at != NULL;
         at = at->next) {
        struct json_node *node = json_add_object(tree, list, NULL);
        json_add_text(tree, node, "check", slice_of(at->check));
        add_or_null(tree, node, "about", at->about);
        json_add_text(tree, node, "grade",
                      slice_of(checkup_grade_name(at->grade)));
        json_add_text(tree, node, "words", at->words);
        add_or_null(tree, node, "fix", at->fix);
    }
    status = json_tree_print(tree, true, into);
    buf_byte(into, '\n');
    json_tree_destroy(tree);
    return status;
}
