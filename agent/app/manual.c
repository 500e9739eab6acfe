/* SPDX-License-Identifier: MIT */
/* manual: prose where there is no table, and tables wherever there is one. */
#include "app/manual.h"

#include "app/command_table.h"
#include "app/settings.h"
#include "config/config_print.h"
#include "config/roff.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A word and what is said of it. */
struct entry {
    const char *word;
    const char *text;
};

static void
append_section(const char *name, const char *text, struct buf *into)
{
    buf_format(into, ".SH %s\n", name);
    roff_text(text, into);
}

static void
append_entries(const struct entry *entries, size_t count, struct buf *into)
{
    for (size_t i = 0; i < count; i++) {
        buf_text(into, ".TP\n");
        roff_font('B', entries[i].word, into);
        buf_byte(into, '\n');
        roff_text(entries[i].text, into);
        buf_byte(into, '\n');
    }
}

static void
append_example(const char *lines, struct buf *into)
{
    buf_text(into, ".PP\n.EX\n");
    roff_text(lines, into);
    buf_text(into, ".EE\n");
}

/* ---- longstop(1) ---- */

static const struct entry exit_codes[] = {
    { "0", "Done; for 'verify', the request is genuine." },
    { "1", "It failed, and why is said on stderr." },
    { "2", "The command line is wrong." },
    { "69", "The agent is not running." },
    { "74", "The store cannot be read or written." },
    { "75", "Not now: try again later." },
    { "77", "The agent does not let this caller in." },
    { "78", "The configuration is wrong; starting again does not help." },
};

static const struct entry variables[] = {
    { "STATE_DIRECTORY", "Where the store is, unless 'store' says otherwise; "
                         "systemd sets it." },
    { "RUNTIME_DIRECTORY",
      "Where the admin socket is, unless 'admin.address' says otherwise." },
    { "CREDENTIALS_DIRECTORY",
      "Where a secret that is written as credential:NAME is read from." },
    { "LISTEN_FDS, LISTEN_FDNAMES",
      "Sockets that were opened before; an address fd:NAME takes one." },
    { "NOTIFY_SOCKET, WATCHDOG_USEC",
      "Who is told that the agent is ready, how it stands, and that it "
      "lives." },
    { "LONGSTOP_CONNECTORS", "A folder of connector files that is looked into "
                             "first." },
    { "LONGSTOP_PLUGINS", "A folder of plugins that is looked into first." },
    { "NO_COLOR", "When it is set, nothing is coloured." },
};

static const struct entry files[] = {
    { "longstop.yaml, /etc/longstop/longstop.yaml",
      "The configuration, where -c names none: see longstop.yaml(5)." },
    { LONGSTOP_DATA_DIRECTORY "/connectors",
      "The connectors that are shipped: see longstop-connectors(7)." },
    { LONGSTOP_DATA_DIRECTORY "/config.schema.json",
      "The JSON Schema of the configuration, for editors." },
};

static void
append_option(const struct option_spec *option, struct buf *into)
{
    buf_text(into, ".TP\n");
    if (option->letter != 0) {
        const char letter[] = { '-', option->letter, '\0' };
        roff_font('B', letter, into);
        buf_text(into, ", ");
    }
    buf_text(into, "\\fB\\-\\-");
    roff_text(option->name, into);
    buf_text(into, "\\fR");
    if (option->value != NULL) {
        buf_byte(into, ' ');
        roff_font('I', option->value, into);
    }
    buf_byte(into, '\n');
    roff_text(option->help, into);
    buf_byte(into, '\n');
}

static void
append_command(void *arg, const struct command_spec *spec)
{
    struct buf *into = arg;
    buf_text(into, ".SS longstop ");
    roff_text(spec->name, into);
    buf_text(into, spec->option_count > 0 ? " [OPTIONS]" : "");
    buf_text(into, spec->operands[0] != '\0' ? " " : "");
    roff_text(spec->operands, into);
    buf_byte(into, '\n');
    roff_text(spec->summary, into);
    buf_byte(into, '\n');
    for (size_t i = 0; i < spec->option_count; i++) {
        append_option(&spec->options[i], into);
    }
    if (spec->examples != NULL) {
        append_example(spec->examples, into);
    }
}

/* Members of documents, in this order; test_json holds the program to it. */
static const struct entry documents[] = {
    { "status, events, show, gaps, dead, refusals, keys, errands, receivers, "
      "pause, resume, reload",
      "what the agent's API answers: schema/openapi.yaml says each member. "
      "Lists are {items, next_cursor}." },
    { "retry, drop, replay",
      "the errand that was begun, as the API has it; or {matches}, how many "
      "there were, with --dry-run." },
    { "check", "ok, files, findings, store, admin, connectors, handlers; each "
               "finding has file, line, column, severity, message" },
    { "doctor", "ok, findings; each has check, about, grade, words, fix" },
    { "verify", "genuine, why, events" },
    { "poll", "connector, outcome, error, pages, rows, new, known, "
              "complete_until, next, gap, requests" },
    { "backfill", "a line each time: connector, state, since, from, until, at, "
                  "percent, pages, rows, new, known, rate, started, ended, "
                  "why" },
    { "redeliver", "deliveries; each has since, id, status, error" },
    { "subscribe", "connector, requests, and secret_new, restart_needed, "
                   "hooks, or error" },
    { "import", "new, known" },
    { "store", "done, store, bytes, schema, events, pending, dead, open_gaps, "
               "newest, taken; also file and kept, where there are such" },
    { "store copy", "done, tables; each has table, rows, sum" },
    { "tail", "a line for each event of /api/v1/stream: topic, and the members "
              "of its data" },
    { "init --list", "connectors; each has name, title, group, webhook, poll, "
                     "stream" },
    { "demo", "produced, hooked, recovered, duplicates, delivered, lost, "
              "twice, seconds and more" },
    { "version", "version" },
};

void
manual_commands(const char *version, struct buf *into)
{
    roff_head("longstop", 1, version, "catches what webhooks miss", into);
    buf_text(into, ".SH SYNOPSIS\n\\fBlongstop\\fR \\fICOMMAND\\fR "
                   "[\\fIOPTIONS\\fR]\n");
    append_section(
        "DESCRIPTION",
        "Takes webhooks, reads the provider's list beside them, and hands each "
        "event to\nits handlers once it is known, with one key however it "
        "came.\n'run' is the agent; most other commands ask the one that "
        "runs.\nEvery command takes -h, --help. Those with --json print one "
        "document, or a line\neach, whose members stay; more may be added.\n",
        into);
    buf_text(into, ".SH COMMANDS\n");
    command_table_show(append_command, into);
    buf_text(into, ".SH DOCUMENTS OF --json\n");
    append_entries(documents, COUNT(documents), into);
    buf_text(into, ".SH EXIT STATUS\n");
    append_entries(exit_codes, COUNT(exit_codes), into);
    buf_text(into, ".SH ENVIRONMENT\n");
    append_entries(variables, COUNT(variables), into);
    buf_text(into, ".SH FILES\n");
    append_entries(files, COUNT(files), into);
    append_section("SEE ALSO",
                   "longstop.yaml(5), longstop-connectors(7), "
                   "systemd.service(5)\n",
                   into);
}

/* ---- longstop.yaml(5) ---- */

static const struct entry values[] = {
    { "duration", "A number with a unit: 500ms, 30s, 5m, 2h, 7d; or 0." },
    { "size", "A number with a unit: 512B, 64kB, 1MiB, 2GB; or 0." },
    { "secret", "The secret itself; or, with _file at the end of the key, the "
                "path of a file that holds it; or credential:NAME, for which "
                "systemd's LoadCredential= is read." },
    { "path", "From the root, or from the folder of the file that says it." },
    { "${VAR}, ${VAR:-default}, ${VAR:?message}",
      "In any scalar: a variable of the environment; it must be set, or has a "
      "default. $$ is a dollar." },
};

void
manual_configuration(const char *version, struct buf *into)
{
    roff_head("longstop.yaml", 5, version, "configuration of longstop", into);
    append_section("DESCRIPTION",
                   "YAML; keys that are not known are mistakes. 'longstop "
                   "check' says what is wrong,\nand where; 'longstop init' "
                   "prints a file to start from.\n",
                   into);
    append_example("connectors:\n"
                   "  shop:\n"
                   "    use: stripe\n"
                   "    with: {webhook_secret: credential:shop,\n"
                   "           api_key_file: shop.key}\n"
                   "handlers:\n"
                   "  fulfil:\n"
                   "    exec: [./fulfil.sh]\n",
                   into);
    buf_text(into, ".SH VALUES\n");
    append_entries(values, COUNT(values), into);
    append_section("KEYS",
                   "NAME stands for a name of yours. The keys below a "
                   "connector are in\nlongstop-connectors(7); 'use' and "
                   "'with' choose a connector file and fill it in.\n",
                   into);
    config_print_manual(&settings_table, into);
    append_section("SEE ALSO", "longstop(1), longstop-connectors(7)\n", into);
}

/* ---- longstop-connectors(7) ---- */

void
manual_connectors(const char *version, struct buf *into)
{
    roff_head("longstop-connectors", 7, version,
              "how a provider is described to longstop", into);
    append_section(
        "DESCRIPTION",
        "A connector file says how one provider's webhooks are verified and "
        "read, and how\nits list is. There is no code for any provider: what "
        "can be said is below, and\nthe same keys in the configuration are "
        "laid over those of the file.\n",
        into);
    buf_text(into, ".SH KEYS\n");
    config_print_manual(&connector_table, into);
    buf_text(into, ".SH FILES\n");
    append_entries(&files[1], 1, into);
    append_section("SEE ALSO", "longstop(1), longstop.yaml(5)\n", into);
}
