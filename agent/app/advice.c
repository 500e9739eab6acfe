/* SPDX-License-Identifier: MIT */
#include "app/advice.h"

#include <sys/stat.h>

#include "app/paths.h"
#include "app/unit_place.h"
#include "io/account.h"
#include "io/fs.h"
#include "model/fetch.h"
#include "wire/url.h"

/* What is looked at, and where it is said. */
struct advice {
    const struct settings *settings;
    struct arena *arena;
    struct config_report *report;
};

static const struct config_node *
child(const struct config_node *node, const char *key)
{
    return node == NULL ? NULL : config_node_child(node, key);
}

/* ---- connectors ---- */

static bool
holds(struct slice text, struct slice part)
{
    while (text.len >= part.len) {
        if (slice_starts(text, part)) {
            return true;
        }
        text = slice_from(text, 1);
    }
    return false;
}

bool
advice_is_filled(struct config_report *report, const struct config_node *entry)
{
    bool filled = true;
    const struct config_node *with = child(entry, "with");
    for (const struct config_node *at = with == NULL ? NULL : with->children;
         at != NULL; at = at->next) {
        if (at->kind == CONFIG_SCALAR &&
            holds(at->text, slice_of(ADVICE_FILL_IN))) {
            config_report_add(report, CONFIG_ERROR, at->mark,
                              "'%.*s' is still to be filled in",
                              SLICE_ARG(at->key));
            filled = false;
        }
    }
    return filled;
}

/* Signatures are computed over it, so that a slip of the pen refuses all. */
static void
check_public(const struct advice *advice, const struct config_node *entry)
{
    const struct config_node *node = child(entry, "public_url");
    struct error err = { 0 };
    struct url url;
    if (node != NULL && node->kind == CONFIG_SCALAR && !node->unset &&
        url_parse(node->text, &url, &err) != STATUS_OK) {
        config_report_add(advice->report, CONFIG_ERROR, node->mark,
                          "public_url: %s", err.text);
    }
}

/* A webhook route needs a listener to be reached, and a secret to exist. */
static void
check_route(const struct advice *advice, const struct connector *c,
            const struct config_node *entry)
{
    const struct config_node *webhook = child(entry, "webhook");
    if (c->has_webhook && !c->has_stream && advice->settings->listen == NULL) {
        config_report_add(
            advice->report, CONFIG_WARNING, c->mark,
            "connector '%.*s' has a webhook secret, but there is no 'listen' "
            "section: no webhook can arrive; add 'listen: {address: "
            "127.0.0.1:8080}', or leave the secret out",
            SLICE_ARG(c->name));
    }
    if (!c->has_webhook && webhook != NULL) {
        config_report_add(
            advice->report, CONFIG_WARNING, webhook->key_mark,
            "connector '%.*s' has no webhook secret: there is no route, and "
            "'webhook' has no effect",
            SLICE_ARG(c->name));
    }
}

/* ---- handlers ---- */

static bool
is_executable(const char *path)
{
    struct stat about;
    return stat(path, &about) == 0 && S_ISREG(about.st_mode) &&
           (about.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)) != 0;
}

static enum status
check_program(const struct advice *advice,
              const struct handler_settings *handler)
{
    struct slice program = handler->exec.at[0];
    const struct config_source *source = handler->exec.marks[0].source;
    if (slice_find(program, '/') == SIZE_MAX || source == NULL) {
        return STATUS_OK; /* looked up in PATH when it is started */
    }
    struct slice path;
    enum status status =
        paths_join(source->directory, program, advice->arena, &path);
    if (status == STATUS_OK && !fs_exists(path.ptr)) {
        config_report_add(advice->report, CONFIG_WARNING,
                          handler->exec.marks[0],
                          "%.*s is not there; what is owed waits until it is",
                          SLICE_ARG(path));
    } else if (status == STATUS_OK && !is_executable(path.ptr)) {
        config_report_add(
            advice->report, CONFIG_WARNING, handler->exec.marks[0],
            "%.*s cannot be run by anybody; chmod +x lets it", SLICE_ARG(path));
    }
    return status;
}

static enum status
check_folder(const struct advice *advice,
             const struct handler_settings *handler, struct config_mark mark)
{
    struct slice folder;
    enum status status = paths_directory(handler->file, advice->arena, &folder);
    if (status == STATUS_OK && !unit_place_is(folder)) {
        config_report_add(advice->report, CONFIG_WARNING, mark,
                          "the folder of %.*s is not there; make it before "
                          "'run'",
                          SLICE_ARG(handler->file));
    }
    return status;
}

static struct slice
last_part(struct slice path)
{
    size_t begin = path.len;
    while (begin > 0 && path.ptr[begin - 1] != '/') {
        begin--;
    }
    return slice_from(path, begin);
}

static bool
is_same_inode(const char *a, const char *b)
{
    struct stat about[2];
    return stat(a, &about[0]) == 0 && stat(b, &about[1]) == 0 &&
           (S_ISREG(about[0].st_mode) || S_ISDIR(about[0].st_mode)) &&
           about[0].st_dev == about[1].st_dev &&
           about[0].st_ino == about[1].st_ino;
}

/* Whether both paths name one file, whatever way they are written: by a link,
 * or, while it is not there yet, by its folder. */
static enum status
is_same_file(struct arena *arena, struct slice a, struct slice b,
             bool *ret_same)
{
    struct slice folders[2];
    if (a.len == 0 || b.len == 0) {
        *ret_same = false;
        return STATUS_OK;
    }
    *ret_same = slice_equal(a, b) || is_same_inode(a.ptr, b.ptr);
    if (*ret_same || !slice_equal(last_part(a), last_part(b))) {
        return STATUS_OK;
    }
    enum status status = paths_directory(a, arena, &folders[0]);
    if (status == STATUS_OK) {
        status = paths_directory(b, arena, &folders[1]);
    }
    if (status == STATUS_OK) {
        *ret_same = is_same_inode(folders[0].ptr, folders[1].ptr);
    }
    return status;
}

/* Two handlers on one file would interleave their lines and cut each other. */
static enum status
check_alone(const struct advice *advice, size_t index)
{
    const struct config_list *list = &advice->settings->handlers;
    const struct handler_settings *all = list->at;
    enum status status = STATUS_OK;
    for (size_t i = 0; i < index && status == STATUS_OK; i++) {
        bool same = false;
        if (all[i].file.len > 0) {
            status = is_same_file(advice->arena, all[i].file, all[index].file,
                                  &same);
        }
        if (same) {
            config_report_add(advice->report, CONFIG_ERROR, list->marks[index],
                              "handlers '%.*s' and '%.*s' write the same file",
                              SLICE_ARG(list->names[i]),
                              SLICE_ARG(list->names[index]));
        }
    }
    return status;
}

/* An empty configuration is best begun from a whole one. */
static bool
has_connectors(const struct advice *advice)
{
    const struct config_node *connectors = advice->settings->connectors;
    if (connectors != NULL && connectors->children != NULL) {
        return true;
    }
    config_report_add(advice->report, CONFIG_WARNING, (struct config_mark){ 0 },
                      "there is no connector: 'longstop init stripe' prints a "
                      "configuration to begin with, 'longstop init' names the "
                      "others");
    return false;
}

static void
check_account(const struct advice *advice, struct slice user,
              struct config_mark mark)
{
    struct account account;
    struct error err = { "" };
    if (user.len > 0 &&
        account_find(user, advice->arena, &account, &err) != STATUS_OK) {
        config_report_add(advice->report, CONFIG_ERROR, mark, "user: %s",
                          err.text);
    }
}

static enum status
check_handlers(const struct advice *advice)
{
    const struct config_list *list = &advice->settings->handlers;
    const struct handler_settings *all = list->at;
    enum status status = STATUS_OK;
    if (list->count == 0) {
        config_report_add(advice->report, CONFIG_WARNING,
                          (struct config_mark){ 0 },
                          "there is no handler: events are stored, and go "
                          "nowhere; add one, such as 'handlers: {log: {file: "
                          "events.jsonl}}'");
    }
    for (size_t i = 0; i < list->count && status == STATUS_OK; i++) {
        if (all[i].exec.count > 0) {
            status = check_program(advice, &all[i]);
            check_account(advice, all[i].user, list->marks[i]);
        } else if (all[i].file.len > 0) {
            status = check_folder(advice, &all[i], list->marks[i]);
            status = status == STATUS_OK ? check_alone(advice, i) : status;
        }
    }
    return status;
}

/* Tells every handler of the connector that has pointers into the data; the
 * names of handler and connector fill the words. */
static void
warn_of_data(const struct advice *advice, const struct connector *c,
             const char *words)
{
    const struct config_list *list = &advice->settings->handlers;
    const struct handler_settings *all = list->at;
    for (size_t i = 0; i < list->count; i++) {
        if (route_reads_data(&all[i].route) &&
            route_takes_from(&all[i].route, c->name)) {
            config_report_add(advice->report, CONFIG_WARNING, list->marks[i],
                              "handler '%.*s': 'where' and 'order_by' see the "
                              "/data of '%.*s' %s",
                              SLICE_ARG(list->names[i]), SLICE_ARG(c->name),
                              words);
        }
    }
}

/* Conditions decide what is owed when an event comes: what it lacks then they
 * do not see, and a pointer fits one of two shapes only. */
static void
check_conditions(const struct advice *advice, const struct connector *c)
{
    if (fetch_timeout_ms(c) > 0) {
        warn_of_data(advice, c,
                     "as it comes, before the rest is fetched or sent again");
    }
    if (c->data == DATA_DIFFERS && c->has_webhook && c->has_poll) {
        warn_of_data(advice, c,
                     "in one shape from a webhook and in another from the "
                     "list");
    }
}

void
advice_give(const struct settings *settings, const struct connector *connectors,
            size_t count, struct arena *arena, struct config_report *report)
{
    const struct advice advice = { settings, arena, report };
    for (size_t i = 0; i < count; i++) {
        if (connectors[i].name.ptr == NULL) {
            continue; /* it was refused before it had one */
        }
        const struct config_node *entry =
            child(settings->connectors, connectors[i].name.ptr);
        check_public(&advice, entry);
        check_route(&advice, &connectors[i], entry);
        check_conditions(&advice, &connectors[i]);
    }
    if (has_connectors(&advice) && check_handlers(&advice) != STATUS_OK) {
        report->failed_memory = true;
    }
}
