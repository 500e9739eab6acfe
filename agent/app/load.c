/* SPDX-License-Identifier: MIT */
#include "app/load.h"
#include "base/suggest.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void
load_print_findings(const struct config_report *report)
{
    struct buf text = { 0 };
    bool color = isatty(STDERR_FILENO) && getenv("NO_COLOR") == NULL;
    config_report_text(report, color, &text);
    (void)fwrite(buf_slice(&text).ptr, 1, text.len, stderr);
    buf_fini(&text);
}

/* Prints what was found and says how the process ends, or goes on. */
static enum exit_code
loaded(struct configuration *ret, enum status status, const struct error *err)
{
    if (ret->report.first != NULL) {
        load_print_findings(&ret->report);
    }
    if (status == STATUS_OK) {
        return EXIT_OK;
    }
    if (ret->report.errors == 0) {
        (void)fprintf(stderr, "longstop: %s\n", error_text(err, status));
    }
    configuration_fini(ret);
    return status == STATUS_NOMEM ? EXIT_FAILED : EXIT_CONFIG;
}

enum exit_code
load_configuration(const char *path, struct configuration *ret)
{
    struct error err = { 0 };
    enum status status = configuration_load(path, ret, &err);
    return loaded(ret, status, &err);
}

enum exit_code
load_configuration_to_register(const char *path, struct configuration *ret)
{
    struct error err = { 0 };
    enum status status = configuration_load_to_register(path, ret, &err);
    return loaded(ret, status, &err);
}

enum exit_code
load_configuration_to_ask(const char *path, struct configuration *ret)
{
    struct error err = { 0 };
    enum status status = configuration_load_to_ask(path, ret, &err);
    return loaded(ret, status, &err);
}

enum exit_code
load_exit_code(enum status status)
{
    static const struct {
        enum status status;
        enum exit_code code;
    } rows[] = {
        { STATUS_CONFIG, EXIT_CONFIG },
        { STATUS_IO, EXIT_STORE },
        { STATUS_CORRUPT, EXIT_STORE },
        { STATUS_FULL, EXIT_STORE },
        { STATUS_FENCED, EXIT_LATER },
        { STATUS_DENIED, EXIT_DENIED },
        { STATUS_UNAVAILABLE, EXIT_UNAVAILABLE },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].status == status) {
            return rows[i].code;
        }
    }
    return status == STATUS_OK ? EXIT_OK : EXIT_FAILED;
}

struct connector *
load_connector(const struct configuration *configuration, const char *command,
               const char *name)
{
    struct connector *found =
        configuration_connector(configuration, slice_of(name));
    if (found != NULL) {
        return found;
    }
    (void)fprintf(stderr, "longstop %s: there is no connector '%s' in %.*s\n",
                  command, name, SLICE_ARG(configuration->path));
    for (size_t i = 0; i < configuration->connector_count; i++) {
        const char *one = configuration->connectors[i].name.ptr;
        if (suggest_near(slice_of(name), &one, 1) != NULL) {
            (void)fprintf(stderr, "did you mean '%s'?\n", one);
        }
    }
    return NULL;
}
