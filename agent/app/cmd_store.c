/* SPDX-License-Identifier: MIT */
/*
 * cmd_store: the store as a file: a backup of it beside the running agent,
 * looking it over, and putting a backup in its place.
 */
#include <stdio.h>
#include <string.h>

#include "app/commands.h"
#include "app/load.h"
#include "app/options.h"
#include "app/store_moving.h"
#include "app/told.h"
#include "io/clock.h"
#include "store/store_backup.h"
#include "wire/json_tree.h"

enum deed { BACKUP, CHECK, RESTORE, DEED_COUNT };

static const char *const deeds[DEED_COUNT] = {
    [BACKUP] = "backup", [CHECK] = "check", [RESTORE] = "restore"
};

struct outcome {
    enum deed deed;
    const char *url;
    const char *file; /* NULL: the store itself */
    char kept[STORE_BACKUP_KEPT_BYTES];
    struct store_backup what;
};

static enum status
act(struct outcome *outcome, struct error *err)
{
    switch (outcome->deed) {
    case BACKUP:
        return store_backup_take(outcome->url, outcome->file, &outcome->what,
                                 err);
    case RESTORE:
        return store_backup_restore(outcome->url, outcome->file, outcome->kept,
                                    &outcome->what, err);
    case CHECK:
    case DEED_COUNT: break;
    }
    return store_backup_check(outcome->url, outcome->file, &outcome->what, err);
}

static enum status
print_json(const struct outcome *outcome, struct buf *into)
{
    const struct store_backup *what = &outcome->what;
    struct json_tree *tree;
    enum status status = json_tree_create(&tree);
    if (status != STATUS_OK) {
        return status;
    }
    struct json_node *root = json_tree_root(tree);
    json_add_text(tree, root, "done", slice_of(deeds[outcome->deed]));
    json_add_text(tree, root, "store", slice_of(outcome->url));
    if (outcome->file != NULL) {
        json_add_text(tree, root, "file", slice_of(outcome->file));
    }
    if (outcome->kept[0] != '\0') {
        json_add_text(tree, root, "kept", slice_of(outcome->kept));
    }
    json_add_i64(tree, root, "bytes", what->bytes);
    json_add_i64(tree, root, "schema", what->version);
    json_add_i64(tree, root, "events", what->events);
    json_add_i64(tree, root, "pending", what->owed);
    json_add_i64(tree, root, "dead", what->dead);
    json_add_i64(tree, root, "open_gaps", what->gaps);
    json_add_time(tree, root, "newest", what->newest_ms);
    json_add_time(tree, root, "taken", what->taken_ms);
    status = json_tree_print(tree, false, into);
    buf_byte(into, '\n');
    json_tree_destroy(tree);
    return status;
}

static void
print_text(const struct outcome *outcome, struct buf *into)
{
    static const char *const said[DEED_COUNT] = {
        [BACKUP] = "is a whole copy of the store",
        [CHECK] = "is whole",
        [RESTORE] = "is the store now"
    };
    const struct store_backup *what = &outcome->what;
    const int64_t now_ms = clock_unix_ms();
    told_plain(slice_of(outcome->file != NULL ? outcome->file : outcome->url),
               into);
    buf_format(into,
               " %s: every page checked, %lld bytes\n"
               "events %lld, the newest ",
               said[outcome->deed], (long long)what->bytes,
               (long long)what->events);
    told_when(what->newest_ms, now_ms, into);
    buf_format(
        into, "; deliveries owed %lld; dead letters %lld; open gaps %lld",
        (long long)what->owed, (long long)what->dead, (long long)what->gaps);
    if (what->taken_ms != 0) {
        buf_text(into, "; taken ");
        told_when(what->taken_ms, now_ms, into);
    }
    buf_byte(into, '\n');
}

/* What a store that went back in time does not know any more. */
static void
print_behind(const struct outcome *outcome, struct buf *into)
{
    if (outcome->kept[0] != '\0') {
        buf_text(into, "the store of before is kept: ");
        told_plain(slice_of(outcome->kept), into);
        buf_byte(into, '\n');
    }
    buf_text(into,
             "What came in since the backup was taken is not in its ledger:\n"
             "  the next walks read on from the watermark of then and bring "
             "what the lists show;\n"
             "  webhooks without a list come back when their provider sends "
             "them again ('longstop redeliver');\n"
             "  what was done since is handed over again, with the same "
             "idempotency keys.\n");
}

static enum exit_code
fail(enum status status, const struct error *err)
{
    (void)fprintf(stderr, "longstop store: %s\n", error_text(err, status));
    return load_exit_code(status);
}

static enum exit_code
run(struct outcome *outcome, bool json)
{
    struct error err = { 0 };
    struct buf text = { 0 };
    enum status status = act(outcome, &err);
    if (status != STATUS_OK) {
        return fail(status, &err);
    }
    if (json) {
        status = print_json(outcome, &text);
    } else {
        print_text(outcome, &text);
        if (outcome->deed == RESTORE) {
            print_behind(outcome, &text);
        }
        status = buf_status(&text);
    }
    if (status == STATUS_OK) {
        (void)fwrite(text.ptr, 1, text.len, stdout);
    }
    buf_fini(&text);
    return status == STATUS_OK ? EXIT_OK : fail(status, &err);
}

/* Reads the operands; false, with words, when they are none. */
static bool
read_deed(char **operands, struct outcome *outcome)
{
    int deed = 0;
    while (deed < DEED_COUNT && strcmp(operands[0], deeds[deed]) != 0) {
        deed++;
    }
    outcome->deed = (enum deed)deed;
    outcome->file = operands[1];
    if (deed == DEED_COUNT) {
        (void)fprintf(stderr,
                      "longstop store: \"%s\" is not one of backup, check, "
                      "restore, or copy FROM INTO\n",
                      operands[0]);
        return false;
    }
    if (outcome->file != NULL && operands[2] != NULL) {
        (void)fprintf(stderr, "longstop store: %s one file\n", deeds[deed]);
        return false;
    }
    if (deed != CHECK && outcome->file == NULL) {
        (void)fprintf(stderr, "longstop store: %s which file?\n", deeds[deed]);
        return false;
    }
    return true;
}

enum exit_code
cmd_store(int argc, char **argv)
{
    const char *path = NULL;
    bool json = false;
    const struct option_spec options[] = {
        { "config", 'c', "FILE", "the configuration", &path, NULL },
        { "json", 0, NULL, "as JSON", NULL, &json },
    };
    const struct command_spec spec = {
        .name = "store",
        .operands = "backup|check|restore|copy [FILE|FROM INTO]",
        .operand_count = 1,
        .operand_more = 2,
        .summary =
            "backup FILE: a copy of the store, taken while the agent runs and "
            "commits; FILE\nappears whole and checked, or not at all. check: "
            "every page of the store, or of\na backup. restore FILE: puts a "
            "backup in the store's place while no agent runs;\nwhat was there "
            "is kept beside it. copy FROM INTO: all of one store (a URL as "
            "after 'store:')\ninto an empty one, of whichever kind, while no "
            "agent runs on either; when it was\nstopped the same command goes "
            "on. Both are read again and compared.",
        .examples = "  longstop store backup longstop-monday.db\n"
                    "  longstop store check longstop-monday.db\n"
                    "  longstop store restore longstop-monday.db\n"
                    "  longstop store copy sqlite:longstop.db "
                    "postgresql://longstop@db/longstop\n",
        .options = options,
        .option_count = sizeof(options) / sizeof(options[0]),
    };
    char **operands;
    enum options_verdict verdict = options_parse(&spec, argc, argv, &operands);
    if (verdict != OPTIONS_OK) {
        return verdict == OPTIONS_HELP ? EXIT_OK : EXIT_USAGE;
    }
    if (strcmp(operands[0], "copy") == 0 && operands[1] != NULL &&
        operands[2] != NULL) {
        return store_moving(operands[1], operands[2], json);
    }
    struct outcome outcome = { 0 };
    if (!read_deed(operands, &outcome)) {
        return EXIT_USAGE;
    }
    struct configuration configuration;
    enum exit_code code = load_configuration_to_ask(path, &configuration);
    if (code == EXIT_OK) {
        outcome.url = configuration.places.store_url.ptr;
        code = run(&outcome, json);
        configuration_fini(&configuration);
    }
    return code;
}
