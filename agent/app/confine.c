/* SPDX-License-Identifier: MIT */
/* POSIX with XSI: realpath. */
#define _XOPEN_SOURCE 700
#include "app/confine.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "app/paths.h"
#include "base/log.h"
#include "io/sandbox.h"

static const struct slice unix_scheme = SLICE("unix:");

/* The directories that are written to, in an arena of their own. */
struct places {
    struct arena arena;
    struct slice *at;
    size_t count;
    enum status status;
};

static void
add_directory(struct places *places, struct slice directory)
{
    struct slice *at = &places->at[places->count];
    if (places->status == STATUS_OK && directory.len > 0) {
        places->status = arena_copy(&places->arena, directory, at);
        places->count += places->status == STATUS_OK ? 1 : 0;
    }
}

/* Where a file is, and where it is in truth if it is a link. */
static void
add_file(struct places *places, struct slice path)
{
    char real[PATH_MAX];
    struct slice directory;
    if (path.len == 0 || places->status != STATUS_OK) {
        return;
    }
    places->status = paths_directory(path, &places->arena, &directory);
    if (places->status != STATUS_OK) {
        return;
    }
    add_directory(places, directory);
    if (realpath(path.ptr, real) != NULL) {
        places->status =
            paths_directory(slice_of(real), &places->arena, &directory);
        add_directory(places,
                      places->status == STATUS_OK ? directory : slice_of(""));
    }
}

static void
add_address(struct places *places, struct slice address)
{
    if (slice_starts(address, unix_scheme)) {
        add_file(places, slice_from(address, unix_scheme.len));
    }
}

static enum status
find_places(const struct configuration *configuration, struct places *places)
{
    enum { OWN = 7 }; /* each file may be two directories */
    const struct config_list *list = &configuration->settings.handlers;
    const struct handler_settings *handlers = list->at;
    places->at =
        arena_array(&places->arena, OWN + 2 * list->count, sizeof(*places->at));
    if (places->at == NULL) {
        return STATUS_NOMEM;
    }
    add_file(places, configuration->places.store_path);
    add_directory(places, configuration->places.secrets);
    add_address(places, configuration->places.admin_address);
    add_address(places, configuration->places.listen_address);
    for (size_t i = 0; i < list->count; i++) {
        add_file(places, handlers[i].file);
    }
    return places->status;
}

bool
confine_runs_programs(const struct configuration *configuration)
{
    const struct config_list *list = &configuration->settings.handlers;
    const struct handler_settings *handlers = list->at;
    for (size_t i = 0; i < list->count; i++) {
        if (handlers[i].kind == HANDLER_EXEC) {
            return true;
        }
    }
    return false;
}

/* Both are words of ours, of less than half of that. */
static void
describe(const struct sandbox *sandbox, bool runs_programs,
         char text[CONFINE_TEXT_BYTES])
{
    struct buf words = { 0 };
    sandbox_text(sandbox, &words);
    (void)snprintf(text, CONFINE_TEXT_BYTES, "%.*s%s",
                   SLICE_ARG(buf_slice(&words)),
                   runs_programs ? "; programs of handlers are not in it" : "");
    buf_fini(&words);
}

static enum status
judge(const struct sandbox *sandbox, enum confinement wanted, const char *text,
      struct error *err)
{
    if (sandbox_is_whole(sandbox)) {
        LOG(LOG_INFO, "the agent is in a sandbox", log_text("has", text));
        return STATUS_OK;
    }
    if (wanted == CONFINE_REQUIRE) {
        return error_set(err, STATUS_CONFIG,
                         "sandbox: require, but not all of it can be had: %s; "
                         "'sandbox: auto' takes what there is",
                         sandbox->why.text);
    }
    /* A kernel without it is no fault that whoever starts us could mend. */
    LOG(sandbox->fails ? LOG_WARN : LOG_INFO,
        "not all of the sandbox can be had", log_text("has", text),
        log_text("lacks", sandbox->why.text));
    return STATUS_OK;
}

enum status
confine_enter(const struct configuration *configuration, struct confined *ret,
              struct error *err)
{
    const enum confinement wanted =
        (enum confinement)configuration->settings.sandbox;
    struct places places = { 0 };
    struct sandbox sandbox;
    const bool programs = confine_runs_programs(configuration);
    (void)snprintf(ret->text, sizeof(ret->text), "off");
    ret->runs_programs = true;
    if (wanted == CONFINE_OFF) {
        return STATUS_OK;
    }
    enum status status = find_places(configuration, &places);
    ret->arena = places.arena;
    ret->at = places.at;
    ret->count = places.count;
    if (status == STATUS_OK) {
        sandbox_enter(places.at, places.count, &sandbox);
        ret->holds = sandbox.landlock_abi > 0;
        ret->runs_programs =
            programs || !(sandbox.has_filter || sandbox.landlock_abi > 0);
        describe(&sandbox, programs, ret->text);
        status = judge(&sandbox, wanted, ret->text, err);
    }
    return status;
}

/* ---- while it runs ---- */

/* Whether `path`, a directory, is another or lies below it. */
static bool
lies_in(const char *path, struct slice directory)
{
    char real[PATH_MAX];
    struct slice inner = slice_of(path);
    struct slice outer =
        slice_of(realpath(directory.ptr, real) == NULL ? "" : real);
    return outer.len > 0 && slice_starts(inner, outer) &&
           (inner.len == outer.len || outer.ptr[outer.len - 1] == '/' ||
            inner.ptr[outer.len] == '/');
}

/* A link may lead elsewhere, to a file that is there. */
static bool
may_write(const struct confined *confined, struct slice path)
{
    char real[PATH_MAX];
    struct arena arena = { 0 };
    struct slice directory;
    bool may = realpath(path.ptr, real) != NULL;
    if (!may && paths_directory(path, &arena, &directory) == STATUS_OK) {
        may = realpath(directory.ptr, real) != NULL;
    }
    arena_fini(&arena);
    bool found = false;
    for (size_t i = 0; may && i < confined->count; i++) {
        found = found || lies_in(real, confined->at[i]);
    }
    return found;
}

void
confine_check(const struct confined *confined,
              const struct configuration *configuration,
              struct config_report *report)
{
    const struct config_list *list = &configuration->settings.handlers;
    const struct handler_settings *handlers = list->at;
    for (size_t i = 0; i < list->count; i++) {
        const char *lacks =
            handlers[i].kind == HANDLER_EXEC && !confined->runs_programs
                ? "can start no program"
            : confined->holds && handlers[i].kind == HANDLER_FILE &&
                    !may_write(confined, handlers[i].file)
                ? "cannot write where its file is"
                : NULL;
        if (lacks != NULL) {
            config_report_add(report, CONFIG_ERROR, list->marks[i],
                              "handler '%.*s': the sandbox of the agent that "
                              "runs %s: restart it for that",
                              SLICE_ARG(list->names[i]), lacks);
        }
    }
}
