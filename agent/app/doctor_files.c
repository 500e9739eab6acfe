/* SPDX-License-Identifier: MIT */
/*
 * doctor_files: who may read and write our files, what room there is, whether
 * the store is whole.
 */
#include "app/doctor.h"

#include <stdio.h>

#include "app/paths.h"
#include "io/fs_look.h"

/* So long the store is looked over at most. */
#define CHECK_MS (10 * INSTANT_SECOND_MS)

/* What may not be said of a file. */
struct rule {
    unsigned mode; /* none of these bits */
    enum checkup_grade grade;
    const char *words;
    const char *fix; /* takes the path */
};

static const struct rule writable = {
    0022, CHECKUP_FAIL, "others can change it, and with it what is run",
    "chmod go-w"
};
static const struct rule holds_secrets = {
    0077, CHECKUP_WARN, "others can read it, and secrets stand in it",
    "put them into files of their own ('..._file'), or chmod 600"
};
static const struct rule holds_events = { 0007, CHECKUP_WARN,
                                          "anybody can read the events in it",
                                          "chmod o-rwx" };
static const struct rule is_ours_alone = {
    0077, CHECKUP_FAIL, "others can look into the secrets that are kept there",
    "chmod 700"
};

/* Whether the file keeps the rule; says so where it does not. */
static bool
keeps(struct doctor *doctor, struct slice path, const struct rule *rule)
{
    struct fs_facts facts;
    char fix[512];
    if (fs_look(path.ptr, &facts, NULL) != STATUS_OK ||
        (facts.mode & rule->mode) == 0) {
        return true;
    }
    (void)snprintf(fix, sizeof(fix), "%s %.*s", rule->fix, SLICE_ARG(path));
    doctor_say(doctor, rule->grade, path, fix, "mode %04o: %s", facts.mode,
               rule->words);
    return false;
}

static bool
has_secret(const struct config_report *report,
           const struct config_source *source)
{
    for (const struct config_hidden *at = report->hidden; at != NULL;
         at = at->next) {
        if (at->mark.source == source) {
            return true;
        }
    }
    return false;
}

/* So many files are looked at. */
#define SOURCES_MAX 256

struct sources {
    const struct config_source *seen[SOURCES_MAX];
    size_t count;
    bool good;
};

static void
look_at_source(struct doctor *doctor, const struct config_source *source,
               struct sources *sources)
{
    size_t at = 0;
    while (at < sources->count && sources->seen[at] != source) {
        at++;
    }
    if (source == NULL || at < sources->count || at == SOURCES_MAX) {
        return;
    }
    sources->seen[sources->count++] = source;
    bool is_closed = keeps(doctor, source->name, &writable);
    if (has_secret(&doctor->configuration.report, source)) {
        is_closed = keeps(doctor, source->name, &holds_secrets) && is_closed;
    }
    sources->good = sources->good && is_closed;
}

/* Files of conf.d bring keys of their own, or connectors and handlers. */
static void
look_at_sources(struct doctor *doctor, const struct config_node *root,
                struct sources *sources)
{
    for (const struct config_node *at = root->children; at != NULL;
         at = at->next) {
        look_at_source(doctor, at->key_mark.source, sources);
        for (const struct config_node *in = at->children; in != NULL;
             in = in->next) {
            look_at_source(doctor, in->mark.source, sources);
        }
    }
}

/* Else a server has it, whose files are none of ours. */
static bool
is_file(const struct placement *places)
{
    return slice_starts(places->store_url, slice_of("sqlite:"));
}

void
doctor_modes(struct doctor *doctor)
{
    const struct configuration *configuration = &doctor->configuration;
    struct sources sources = { .good = true };
    look_at_sources(doctor, configuration->root, &sources);
    bool good = !is_file(&configuration->places) ||
                keeps(doctor, configuration->places.store_path, &holds_events);
    good = keeps(doctor, configuration->places.secrets, &is_ours_alone) && good;
    if (good && sources.good) {
        doctor_say(doctor, CHECKUP_OK, (struct slice)SLICE(""), NULL,
                   "configuration, store and kept secrets are closed to "
                   "others");
    }
}

void
doctor_room(struct doctor *doctor)
{
    struct slice directory = SLICE("");
    struct error err = { 0 };
    int64_t bytes = 0;
    if (!is_file(&doctor->configuration.places)) {
        return;
    }
    enum status status = paths_directory(
        doctor->configuration.places.store_path, &doctor->arena, &directory);
    if (status != STATUS_OK) {
        doctor->failed_memory = true;
        return;
    }
    status = fs_room(directory.ptr, &bytes, &err);
    if (status != STATUS_OK) {
        doctor_say(doctor, CHECKUP_FAIL, directory,
                   "make the store's directory, for the user longstop runs as",
                   "%s", error_text(&err, status));
        return;
    }
    enum checkup_grade grade = checkup_room(bytes);
    doctor_say(doctor, grade, directory,
               grade == CHECKUP_OK
                   ? NULL
                   : "make room, or keep events for less time ('keep.events')",
               "%lld MiB are free for the store", (long long)(bytes >> 20));
}

static struct slice
name_of_store(const struct placement *places)
{
    return is_file(places) ? places->store_path : places->store_shown;
}

static void
say_unopened(struct doctor *doctor, enum status status, const struct error *err)
{
    const struct placement *places = &doctor->configuration.places;
    const struct slice path = name_of_store(places);
    struct fs_facts facts;
    const bool file = is_file(places);
    if (file ? fs_look(path.ptr, &facts, NULL) == STATUS_NOT_FOUND
             : status == STATUS_NOT_FOUND) {
        doctor_say(doctor, CHECKUP_WARN, path,
                   "start the agent, which makes it: 'longstop run'",
                   "there is no store yet");
        return;
    }
    doctor_say(doctor, CHECKUP_FAIL, path,
               file ? "run 'longstop doctor' as root or as the user longstop "
                      "runs as; a store of an older version is renewed when "
                      "the agent starts"
                    : "look whether the server runs, and lets this user in",
               "it cannot be read: %s", error_text(err, status));
}

void
doctor_store(struct doctor *doctor)
{
    const struct slice path = name_of_store(&doctor->configuration.places);
    struct view_check check = { .most_ms = CHECK_MS };
    struct error err = { 0 };
    enum status status = store_view_open(
        doctor->configuration.places.store_url.ptr, &doctor->view, &err);
    if (status != STATUS_OK) {
        say_unopened(doctor, status, &err);
        return;
    }
    status = doctor->view->ops->check(doctor->view, &check, &err);
    if (status != STATUS_OK) {
        doctor_say(doctor, CHECKUP_FAIL, path,
                   is_file(&doctor->configuration.places)
                       ? "stop the agent, keep a copy of the file and its "
                         "-wal, and bring back the last good one; lists fill "
                         "what it lacks"
                       : "see to the server: an agent that starts asks it the "
                         "same",
                   "%s", error_text(&err, status));
    } else if (!check.is_whole) {
        doctor_say(doctor, CHECKUP_OK, path, NULL,
                   "nothing is wrong with what could be looked at in 10s");
    } else {
        doctor_say(doctor, CHECKUP_OK, path, NULL, "it is whole");
    }
}
