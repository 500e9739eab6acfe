/* SPDX-License-Identifier: MIT */
/*
 * doctor_agent: whether the agent runs, as what is installed and configured
 * now, and what its systemd unit starts.
 */
#include "app/doctor.h"

#include <stdlib.h>
#include <string.h>

#include "app/admin_client.h"
#include "app/paths.h"
#include "app/told.h"
#include "io/fs.h"
#include "io/fs_look.h"
#include "wire/json.h"

#define ASK_MS     (5 * INSTANT_SECOND_MS)
#define UNIT_BYTES ((size_t)65536)

static const struct slice no_body = SLICE("");

/* ---- the agent ---- */

static void
say_no_agent(struct doctor *doctor, enum status status, unsigned http_status,
             const struct error *err)
{
    const struct slice address = doctor->configuration.places.admin_address;
    if (status == STATUS_UNAVAILABLE) {
        doctor_say(doctor, CHECKUP_WARN, address,
                   "start it: 'systemctl start longstop' or 'longstop run'",
                   "no agent answers");
    } else if (status == STATUS_OK) {
        doctor_say(doctor, CHECKUP_FAIL, address,
                   http_status == 401
                       ? "say the admin.token that it was started with"
                       : "look at its log",
                   "the agent answered HTTP %u", http_status);
    } else {
        doctor_say(doctor, CHECKUP_FAIL, address, "look at its log", "%s",
                   error_text(err, status));
    }
}

/* Files that were changed after it had read them. */
static bool
is_stale(struct doctor *doctor, int64_t loaded_ms)
{
    const struct config_node *root = doctor->configuration.root;
    for (const struct config_node *at = root->children; at != NULL;
         at = at->next) {
        struct fs_facts facts;
        const struct config_source *source = at->key_mark.source;
        if (source != NULL &&
            fs_look(source->name.ptr, &facts, NULL) == STATUS_OK &&
            facts.changed_ms > loaded_ms) {
            doctor_say(doctor, CHECKUP_WARN, source->name, "'longstop reload'",
                       "it was changed after the agent had read it");
            return true;
        }
    }
    return false;
}

static void
look_at_agent(struct doctor *doctor)
{
    const struct slice address = doctor->configuration.places.admin_address;
    const struct slice status = buf_slice(&doctor->status);
    struct slice version = told_text(status, "version", &doctor->arena);
    struct slice store = told_text(status, "store", &doctor->arena);
    if (!slice_equal_text(store, "ok")) {
        doctor_say(doctor, CHECKUP_FAIL, address,
                   "look at its log, and at the room it has", "its store: %.*s",
                   SLICE_ARG(store));
    }
    if (!slice_equal_text(version, LONGSTOP_VERSION)) {
        doctor_say(doctor, CHECKUP_WARN, address,
                   "'systemctl restart longstop'",
                   "version %.*s runs, and " LONGSTOP_VERSION " is installed",
                   SLICE_ARG(version));
    } else if (!is_stale(doctor, told_time(status, "loaded"))) {
        doctor_say(doctor, CHECKUP_OK, address, NULL, "version %.*s runs",
                   SLICE_ARG(version));
    }
}

void
doctor_agent(struct doctor *doctor)
{
    const struct admin_client to = {
        .address = doctor->configuration.places.admin_address,
        .token = doctor->configuration.admin_token,
        .tls = doctor->configuration.settings.admin.tls,
        .timeout_ms = ASK_MS,
        .body = no_body,
    };
    struct error err = { 0 };
    unsigned http_status = 0;
    enum status status = admin_client_ask(&to, "GET", "/api/v1/status",
                                          &http_status, &doctor->status, &err);
    if (status == STATUS_OK && http_status == 200 &&
        json_check(buf_slice(&doctor->status), JSON_DEPTH_DEFAULT + 4, &err) ==
            STATUS_OK) {
        look_at_agent(doctor);
        return;
    }
    buf_clear(&doctor->status);
    say_no_agent(doctor, status, http_status, &err);
}

/* ---- its unit ---- */

/* systemd.unit(5): the first that has it wins. */
#define UNIT_PATH                                                              \
    "/etc/systemd/system:/run/systemd/system:/usr/local/lib/systemd/system:"   \
    "/usr/lib/systemd/system:/lib/systemd/system"
#define UNIT_NAME "longstop.service"

/* Reads the unit that wins, and the one that it hides. */
struct units {
    struct slice paths[2];
    struct buf texts[2];
    size_t count;
};

static enum status
find_units(struct doctor *doctor, struct units *units)
{
    const char *given = getenv("SYSTEMD_UNIT_PATH");
    struct slice rest = slice_of(given == NULL ? UNIT_PATH : given);
    struct slice directory;
    enum status status = STATUS_OK;
    while (status == STATUS_OK && units->count < 2 &&
           slice_split(&rest, ':', &directory)) {
        struct slice *path = &units->paths[units->count];
        status =
            paths_join(directory, slice_of(UNIT_NAME), &doctor->arena, path);
        if (status == STATUS_OK &&
            fs_read(path->ptr, UNIT_BYTES, &units->texts[units->count], NULL) ==
                STATUS_OK) {
            units->count++;
        }
    }
    return status;
}

static void
say_unit(struct doctor *doctor, const struct units *units)
{
    static const char *const edit =
        "'systemctl edit --full longstop', then 'systemctl restart longstop'";
    const struct slice path = units->paths[0];
    const struct checkup_unit unit = checkup_unit(buf_slice(&units->texts[0]));
    struct buf program = { 0 };
    buf_append(&program, unit.program);
    if (unit.program.len == 0 || program.ptr == NULL) {
        doctor_say(doctor, CHECKUP_FAIL, path, edit, "it starts nothing");
    } else if (!fs_exists(program.ptr)) {
        doctor_say(doctor, CHECKUP_FAIL, path, edit,
                   "it starts %.*s, which is not there",
                   SLICE_ARG(unit.program));
    } else if (unit.config.len > 0 &&
               !slice_equal(unit.config, doctor->configuration.path)) {
        doctor_say(doctor, CHECKUP_WARN, path, edit,
                   "it reads %.*s, and this is about %.*s",
                   SLICE_ARG(unit.config),
                   SLICE_ARG(doctor->configuration.path));
    } else if (units->count > 1 && !slice_equal(buf_slice(&units->texts[0]),
                                                buf_slice(&units->texts[1]))) {
        doctor_say(doctor, CHECKUP_WARN, path,
                   "keep what is your own in a drop-in ('systemctl edit "
                   "longstop'), and take the copy away",
                   "it hides %.*s, and is not the same: what an upgrade "
                   "changes there does not come to act",
                   SLICE_ARG(units->paths[1]));
    } else {
        doctor_say(doctor, CHECKUP_OK, path, NULL, "it starts %.*s",
                   SLICE_ARG(unit.program));
    }
    buf_fini(&program);
}

void
doctor_unit(struct doctor *doctor)
{
    struct units units = { 0 };
    enum status status = find_units(doctor, &units);
    if (status != STATUS_OK) {
        doctor->failed_memory = true;
    } else if (units.count == 0) {
        doctor_say(doctor, CHECKUP_OK, no_body, NULL,
                   "there is no systemd unit " UNIT_NAME);
    } else {
        say_unit(doctor, &units);
    }
    buf_fini(&units.texts[0]);
    buf_fini(&units.texts[1]);
}
