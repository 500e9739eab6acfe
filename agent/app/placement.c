/* SPDX-License-Identifier: MIT */
#include "app/placement.h"

#include <stdlib.h>

#include "app/advice.h"
#include "app/paths.h"
#include "app/unit_place.h"
#include "io/http_listen.h"
#include "store/store.h"
#include "wire/url.h"

static const struct slice sqlite = SLICE("sqlite:");
static const struct slice unix_scheme = SLICE("unix:");

/* What everything here is found with. */
struct finding {
    const struct settings *settings;
    const struct config_node *root;
    struct slice directory; /* of the file */
    struct arena *arena;
    struct config_report *report;
    struct placement *into;
};

/* Returns the mark of `name`, or of `section`.`name`, to complain at. */
static struct config_mark
place_of(const struct config_node *root, const char *section, const char *name)
{
    static const struct config_mark nowhere = { 0 };
    const struct config_node *node =
        section == NULL ? root : config_node_child(root, section);
    node = node == NULL ? NULL : config_node_child(node, name);
    node = node == NULL ? root : node;
    return node == NULL ? nowhere : node->mark;
}

/* systemd gives a list with colons where a unit has several directories
 * (systemd.exec(5), RuntimeDirectory=). */
static struct slice
directory_of(const char *variable)
{
    struct slice value = slice_of(getenv(variable));
    return slice_first(value, slice_find(value, ':'));
}

/* A directory that systemd makes for the unit; without it, for who types a
 * command about the unit's own configuration, where that is. */
static struct slice
unit_directory(const struct finding *finding, const char *variable,
               const char *usual)
{
    struct slice given = directory_of(variable);
    bool is_units =
        slice_equal_text(finding->directory, UNIT_PLACE_CONFIGURATION) &&
        directory_of("STATE_DIRECTORY").len == 0;
    return given.len == 0 && is_units && unit_place_is(slice_of(usual))
               ? slice_of(usual)
               : given;
}

/* Joins and puts `scheme` before it. */
static enum status
place(const struct finding *finding, struct slice scheme,
      struct slice directory, struct slice path, struct slice *ret_url,
      struct slice *ret_path)
{
    struct buf text = { 0 };
    enum status status = paths_join(directory, path, finding->arena, ret_path);
    if (status == STATUS_OK) {
        buf_append(&text, scheme);
        buf_append(&text, *ret_path);
        status = buf_status(&text);
    }
    if (status == STATUS_OK) {
        status = arena_copy(finding->arena, buf_slice(&text), ret_url);
    }
    buf_fini(&text);
    return status;
}

static size_t
last_of(struct slice text, char byte)
{
    size_t last = SIZE_MAX;
    for (size_t i = 0; i < text.len; i++) {
        last = text.ptr[i] == byte ? i : last;
    }
    return last;
}

/* The URL of a server, for people: "postgresql://ME:***@HOST/DATABASE". What
 * stands behind `?` may hold a password too. */
static enum status
show_server(struct slice url, struct arena *arena, struct slice *ret)
{
    struct buf text = { 0 };
    struct slice plain = slice_first(url, slice_find(url, '?'));
    size_t scheme = slice_find_slice(plain, slice_of("//"));
    size_t at = last_of(plain, '@'); /* libpq looks for the last one too */
    size_t colon = scheme == SIZE_MAX
                       ? SIZE_MAX
                       : slice_find(slice_from(plain, scheme), ':');
    if (at != SIZE_MAX && colon != SIZE_MAX && scheme + colon < at) {
        buf_append(&text, slice_first(plain, scheme + colon));
        buf_text(&text, ":***");
        buf_append(&text, slice_from(plain, at));
    } else {
        buf_append(&text, plain);
    }
    enum status status = buf_status(&text);
    if (status == STATUS_OK) {
        status = arena_copy(arena, buf_slice(&text), ret);
    }
    buf_fini(&text);
    return status;
}

static enum status
place_server(const struct finding *finding, struct slice url)
{
    struct slice state =
        unit_directory(finding, "STATE_DIRECTORY", UNIT_PLACE_STATE);
    enum status status =
        show_server(url, finding->arena, &finding->into->store_shown);
    finding->into->store_url = url;
    return status != STATUS_OK
               ? status
               : paths_join(state.len > 0 ? state : finding->directory,
                            slice_of("longstop.db"), finding->arena,
                            &finding->into->store_path);
}

static enum status
place_file(const struct finding *finding, struct slice directory,
           struct slice path)
{
    enum status status =
        place(finding, sqlite, directory, path, &finding->into->store_url,
              &finding->into->store_path);
    finding->into->store_shown = finding->into->store_url;
    return status;
}

/* Relative to the file where one is named, else in the state's directory. */
static enum status
place_store(const struct finding *finding)
{
    struct slice url = finding->settings->store;
    struct error err = { 0 };
    if (config_node_child(finding->root, "store") == NULL || url.ptr == NULL) {
        struct slice state =
            unit_directory(finding, "STATE_DIRECTORY", UNIT_PLACE_STATE);
        return place_file(finding, state.len > 0 ? state : slice_of("."),
                          slice_of("longstop.db"));
    }
    if (store_known(url.ptr, &err) != STATUS_OK) {
        struct config_mark mark = place_of(finding->root, NULL, "store");
        /* The URL of a server may hold a password. */
        config_report_hide(finding->report, mark);
        config_report_add(finding->report, CONFIG_ERROR, mark, "%s", err.text);
        return STATUS_OK;
    }
    return slice_starts(url, sqlite) ? place_file(finding, finding->directory,
                                                  slice_from(url, sqlite.len))
                                     : place_server(finding, url);
}

/* What no configuration has is kept beside the store. */
static enum status
place_secrets(const struct finding *finding)
{
    struct slice directory;
    enum status status =
        paths_directory(finding->into->store_path, finding->arena, &directory);
    return status == STATUS_OK
               ? paths_join(directory, slice_of("secrets"), finding->arena,
                            &finding->into->secrets)
               : status;
}

/* An address as http_server takes it; the path of a socket is relative to the
 * file. */
static enum status
place_address(const struct finding *finding, const char *section,
              struct slice address, struct slice *ret_address)
{
    struct error err = { 0 };
    struct slice path;
    enum status status = STATUS_OK;
    *ret_address = address;
    if (slice_starts(address, unix_scheme) && address.len > unix_scheme.len) {
        status =
            place(finding, unix_scheme, finding->directory,
                  slice_from(address, unix_scheme.len), ret_address, &path);
    }
    if (status == STATUS_OK &&
        http_listen_check(ret_address->ptr, &err) != STATUS_OK) {
        config_report_add(finding->report, CONFIG_ERROR,
                          place_of(finding->root, section, "address"), "%s",
                          err.text);
    }
    return status;
}

/* Unless named: beside the store, in the runtime's directory first. */
static enum status
place_admin(const struct finding *finding)
{
    struct slice address = finding->settings->admin.address;
    struct slice directory =
        unit_directory(finding, "RUNTIME_DIRECTORY", UNIT_PLACE_RUNTIME);
    struct slice path;
    if (address.len > 0) {
        return place_address(finding, "admin", address,
                             &finding->into->admin_address);
    }
    enum status status = STATUS_OK;
    if (directory.len == 0) {
        status = paths_directory(finding->into->store_path, finding->arena,
                                 &directory);
    }
    if (status == STATUS_OK) {
        status = place(finding, unix_scheme, directory, slice_of("admin.sock"),
                       &finding->into->admin_address, &path);
    }
    return status;
}

/* Scheme and host, and a path where a proxy adds one; /hooks/NAME follows. */
static void
place_public(const struct finding *finding)
{
    struct slice text = finding->settings->listen->public_url;
    struct error err = { 0 };
    struct url url;
    if (text.len == 0) {
        return;
    }
    enum status status = url_parse(text, &url, &err);
    if (status == STATUS_OK && url.has_query) {
        status = error_set(&err, STATUS_INVALID, "a query cannot stand here");
    }
    if (slice_find_slice(text, slice_of(ADVICE_FILL_IN)) != SIZE_MAX) {
        status = error_set(&err, STATUS_INVALID, "is still to be filled in");
    }
    if (status != STATUS_OK) {
        config_report_add(finding->report, CONFIG_ERROR,
                          place_of(finding->root, "listen", "public_url"),
                          "public_url: %s", err.text);
        return;
    }
    while (text.len > 0 && text.ptr[text.len - 1] == '/') {
        text.len--;
    }
    finding->into->public_url = text;
}

enum status
placement_find(const struct settings *settings, const struct config_node *root,
               struct slice directory, struct arena *arena,
               struct config_report *report, struct placement *ret)
{
    const struct finding finding = { settings, root,   directory,
                                     arena,    report, ret };
    const struct listen_settings *listen = settings->listen;
    *ret = (struct placement){ 0 };
    enum status status = place_store(&finding);
    if (status == STATUS_OK) {
        status = place_secrets(&finding);
    }
    if (status == STATUS_OK) {
        status = place_admin(&finding);
    }
    if (status == STATUS_OK && listen != NULL && listen->address.len > 0) {
        status = place_address(&finding, "listen", listen->address,
                               &ret->listen_address);
    }
    if (status == STATUS_OK && listen != NULL) {
        place_public(&finding);
    }
    return status;
}
