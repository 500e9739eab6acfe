/* SPDX-License-Identifier: MIT */
/*
 * cmd_doctor: looks over a whole installation, and says what to do about what
 * is wrong.
 */
#include <stdio.h>

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

static enum exit_code
look(const char *path, bool offline, bool json)
{
    struct doctor doctor;
    enum status status = doctor_look(path, offline, &doctor);
    enum exit_code code = EXIT_FAILED;
    if (status == STATUS_OK) {
        code = print(&doctor, json);
    } else {
        (void)fprintf(stderr, "longstop doctor: %s\n", status_text(status));
    }
    doctor_fini(&doctor);
    return code;
}

enum exit_code
cmd_doctor(int argc, char **argv)
{
    const char *path = NULL;
    bool offline = false, json = false;
    const struct option_spec options[] = {
        { "config", 'c', "FILE", "the configuration", &path, NULL },
        { "offline", 0, NULL, "ask no provider", NULL, &offline },
        { "json", 0, NULL, "as JSON", NULL, &json },
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
                    "select(.grade != \"ok\")'\n",
        .options = options,
        .option_count = sizeof(options) / sizeof(options[0]),
    };
    char **operands;
    enum options_verdict verdict = options_parse(&spec, argc, argv, &operands);
    if (verdict != OPTIONS_OK) {
        return verdict == OPTIONS_HELP ? EXIT_OK : EXIT_USAGE;
    }
    return look(path, offline, json);
}
