/* SPDX-License-Identifier: MIT */
/*
 * cmd_doctor: looks over a whole installation, and says what to do about what
 * is wrong.
 */
#include <stdio.h>

#include "app/bundle.h"
#include "app/commands.h"
#include "app/doctor.h"
#include "app/options.h"

/* Prints what was found. */
static enum exit_code
print(const struct doctor *doctor, bool json)
{
    struct buf text = { 0 };
    enum status status = STATUS_OK;
    if (json) {
        status = doctor_json(doctor, &text);
    } else {
        doctor_text(doctor, &text);
    }
    status = status == STATUS_OK ? buf_status(&text) : status;
    if (status != STATUS_OK) {
        (void)fprintf(stderr, "longstop doctor: %s\n", status_text(status));
    }
    bool good = status == STATUS_OK &&
                fwrite(text.ptr, 1, text.len, stdout) == text.len &&
                doctor->counts[CHECKUP_FAIL] == 0;
    buf_fini(&text);
    return good ? EXIT_OK : EXIT_FAILED;
}

/* What the command line asks for; of the texts NULL is none. */
struct wish {
    const char *path;
    const char *bundle;
    const char *log;
    bool offline;
    bool json;
};

static enum exit_code
bundle(const struct doctor *doctor, const struct wish *wish,
       enum exit_code code)
{
    struct error err = { 0 };
    if (wish->bundle == NULL) {
        return code;
    }
    enum status status = bundle_write(doctor, wish->bundle, wish->log, &err);
    if (status != STATUS_OK) {
        (void)fprintf(stderr, "longstop doctor: --bundle: %s\n",
                      error_text(&err, status));
        return EXIT_FAILED;
    }
    (void)fprintf(stderr,
                  "longstop doctor: %s is written; look into it before you "
                  "give it away\n",
                  wish->bundle);
    return code;
}

static enum exit_code
look(const struct wish *wish)
{
    struct doctor doctor;
    enum status status = doctor_look(wish->path, wish->offline, &doctor);
    enum exit_code code = EXIT_FAILED;
    if (status == STATUS_OK) {
        code = bundle(&doctor, wish, print(&doctor, wish->json));
    } else {
        (void)fprintf(stderr, "longstop doctor: %s\n", status_text(status));
    }
    doctor_fini(&doctor);
    return code;
}

enum exit_code
cmd_doctor(int argc, char **argv)
{
    struct wish wish = { 0 };
    const struct option_spec options[] = {
        { "config", 'c', "FILE", "the configuration", &wish.path, NULL },
        { "offline", 0, NULL, "ask no provider", NULL, &wish.offline },
        { "bundle", 0, "FILE", "write what helpers want to see, .tar.gz",
          &wish.bundle, NULL },
        { "log", 0, "FILE", "put its last lines into the bundle", &wish.log,
          NULL },
        { "json", 0, NULL, "as JSON", NULL, &wish.json },
    };
    const struct command_spec spec = {
        .name = "doctor",
        .operands = "",
        .summary = "Looks at configuration, file modes, store, room, agent, "
                   "webhooks, gaps,\nproviders (name, certificate, clock) and "
                   "systemd unit, and says what to do about\nwhat is wrong. "
                   "It changes nothing. Exit 1 when something fails.",
        .examples = "  longstop doctor\n"
                    "  longstop doctor --json | jq '.findings[] | "
                    "select(.grade != \"ok\")'\n"
                    "  longstop doctor --bundle longstop.tar.gz\n",
        .options = options,
        .option_count = sizeof(options) / sizeof(options[0]),
    };
    char **operands;
    enum options_verdict verdict = options_parse(&spec, argc, argv, &operands);
    if (verdict != OPTIONS_OK) {
        return verdict == OPTIONS_HELP ? EXIT_OK : EXIT_USAGE;
    }
    return look(&wish);
}
