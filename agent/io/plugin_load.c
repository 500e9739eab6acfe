/* SPDX-License-Identifier: MIT */
#include "io/plugin_load.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "io/fs.h"

/* What each is built with, for whoever lacks it. */
static const struct {
    const char *kind;
    const char *package;
} packages[] = {
    { "amqp", "librabbitmq-dev" },  { "kafka", "librdkafka-dev" },
    { "mqtt", "libmosquitto-dev" }, { "nats", "libnats-dev" },
    { "postgresql", "libpq-dev" },  { "redis", "libhiredis-dev" },
};

/* How a plugin of one sort is known. */
struct sort {
    const char *suffix; /* of its file, behind the kind */
    const char *symbol;
    uint32_t abi;
};

static const struct sort broker = { ".so", LONGSTOP_PLUGIN_SYMBOL,
                                    LONGSTOP_PLUGIN_ABI };
static const struct sort database = { "-store.so", LONGSTOP_DATABASE_SYMBOL,
                                      LONGSTOP_DATABASE_ABI };

/* What every sort begins with. */
struct head {
    uint32_t abi;
    const char *kind;
};

static const char *
package_of(const char *kind)
{
    for (size_t i = 0; i < sizeof(packages) / sizeof(packages[0]); i++) {
        if (strcmp(packages[i].kind, kind) == 0) {
            return packages[i].package;
        }
    }
    return "its library";
}

/* The first of the places that has the file; STATUS_NOT_FOUND. */
static enum status
find(const struct sort *sort, const char *kind, struct buf *path)
{
    const char *const places[] = {
        getenv("LONGSTOP_PLUGINS"),
        LONGSTOP_PLUGIN_DIRECTORY,
#ifdef LONGSTOP_BUILD_PLUGINS
        LONGSTOP_BUILD_PLUGINS,
#endif
    };
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        if (places[i] == NULL || places[i][0] == '\0') {
            continue;
        }
        buf_clear(path);
        buf_format(path, "%s/%s%s", places[i], kind, sort->suffix);
        if (buf_status(path) != STATUS_OK) {
            return STATUS_NOMEM;
        }
        if (fs_exists(path->ptr)) {
            return STATUS_OK;
        }
    }
    return STATUS_NOT_FOUND;
}

/* What the linker says, without the path of the plugin in front. */
static const char *
linker_words(void)
{
    const char *words = dlerror();
    return words == NULL ? "the linker gives no reason" : words;
}

static enum status
load(const struct sort *sort, const char *kind, const char *path,
     const void **ret, struct error *err)
{
    void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (object == NULL) {
        return error_set(err, STATUS_UNAVAILABLE,
                         "%s cannot be loaded: %s; install the library that "
                         "is missing (%s depends on it)",
                         path, linker_words(), package_of(kind));
    }
    const void *plugin = dlsym(object, sort->symbol);
    struct head head;
    if (plugin == NULL) {
        return error_set(err, STATUS_INVALID,
                         "%s is no plugin of longstop: it exports no '%s'",
                         path, sort->symbol);
    }
    memcpy(&head, plugin, sizeof(head));
    if (head.abi != sort->abi) {
        return error_set(err, STATUS_INVALID,
                         "%s is made for plugin ABI %u, this program has %u; "
                         "install the plugin that came with it",
                         path, (unsigned)head.abi, (unsigned)sort->abi);
    }
    if (strcmp(head.kind, kind) != 0) {
        return error_set(err, STATUS_INVALID, "%s is the plugin of '%s'", path,
                         head.kind);
    }
    *ret = plugin;
    return STATUS_OK;
}

static enum status
find_and_load(const struct sort *sort, const char *kind, const void **ret,
              struct error *err)
{
    struct buf path = { 0 };
    enum status status = find(sort, kind, &path);
    if (status == STATUS_OK) {
        status = load(sort, kind, path.ptr, ret, err);
    } else if (status == STATUS_NOT_FOUND) {
        (void)error_set(err, status,
                        "the plugin %s%s is not there; it is looked for in "
                        "$LONGSTOP_PLUGINS and in " LONGSTOP_PLUGIN_DIRECTORY
                        ", and is built where %s is installed",
                        kind, sort->suffix, package_of(kind));
    } else {
        (void)error_set(err, status, "%s", status_text(status));
    }
    buf_fini(&path);
    return status;
}

enum status
plugin_load(const char *kind, const struct longstop_plugin **ret,
            struct error *err)
{
    const void *plugin = NULL;
    enum status status = find_and_load(&broker, kind, &plugin, err);
    if (status == STATUS_OK) {
        *ret = plugin;
    }
    return status;
}

enum status
plugin_load_database(const char *kind, const struct longstop_database **ret,
                     struct error *err)
{
    const void *plugin = NULL;
    enum status status = find_and_load(&database, kind, &plugin, err);
    if (status == STATUS_OK) {
        *ret = plugin;
    }
    return status;
}
