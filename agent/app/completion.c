/* SPDX-License-Identifier: MIT */
/* completion: one writer a shell; each is shown the commands one by one. */
#include "app/completion.h"

#include <ctype.h>
#include <string.h>

#include "app/command_table.h"

#define HEADER "# Printed by longstop from its own tables of commands.\n"

/* Whether the name of a value or of operands says that it is a file's. */
static bool
is_file(const char *name)
{
    return name != NULL &&
           (strstr(name, "FILE") != NULL || strstr(name, "REQUEST") != NULL);
}

/* Appends the words of "bash|zsh|fish", a blank behind each; nothing for an
 * operand that is a name of the user's, which is written in capitals. */
static void
append_choices(const struct command_spec *spec, struct buf *into)
{
    struct slice rest = slice_of(spec->operands);
    struct slice word;
    if (slice_find(rest, '|') == rest.len) {
        return;
    }
    while (slice_split(&rest, '|', &word)) {
        if (word.len > 0 && islower((unsigned char)word.ptr[0])) {
            buf_append(into, word);
            buf_byte(into, ' ');
        }
    }
}

/* Appends it for single quotes, which end with `quote` for a quote inside. A
 * backslash stands before each of `special`. */
static void
append_quoted(const char *text, const char *quote, const char *special,
              struct buf *into)
{
    buf_byte(into, '\'');
    for (; *text != '\0'; text++) {
        if (*text == '\'') {
            buf_text(into, quote);
            continue;
        }
        if (strchr(special, *text) != NULL) {
            buf_byte(into, '\\');
        }
        buf_byte(into, *text);
    }
    buf_byte(into, '\'');
}

/* ---- bash ---- */

/* Appends the options whose values are files (or else not), or all. */
static void
append_names(const struct command_spec *spec, bool all, bool file,
             struct buf *into)
{
    for (size_t i = 0; i < spec->option_count; i++) {
        const struct option_spec *option = &spec->options[i];
        if (!all && (option->value == NULL || is_file(option->value) != file)) {
            continue;
        }
        buf_format(into, "--%s ", option->name);
        if (!all && option->letter != 0) {
            buf_format(into, "-%c ", option->letter);
        }
    }
}

static void
bash_command(void *arg, const struct command_spec *spec)
{
    struct buf *into = arg;
    buf_format(into, "    %s)\n        options='", spec->name);
    append_names(spec, true, false, into);
    buf_text(into, "--help'\n        files='");
    append_names(spec, false, true, into);
    buf_text(into, "'\n        values='");
    append_names(spec, false, false, into);
    buf_text(into, "'\n        operands='");
    append_choices(spec, into);
    buf_format(into, "'\n        takes_file=%s\n        ;;\n",
               is_file(spec->operands) ? "yes" : "");
}

static void
write_bash(struct buf *into)
{
    buf_text(into, HEADER "# shellcheck shell=bash\n"
                          "_longstop()\n"
                          "{\n"
                          "    local cur=${COMP_WORDS[COMP_CWORD]}\n"
                          "    local prev=${COMP_WORDS[COMP_CWORD - 1]}\n"
                          "    local options files values operands "
                          "takes_file\n"
                          "    COMPREPLY=()\n"
                          "    # --name=value is three words to bash\n"
                          "    if [[ $cur == '=' ]]; then\n"
                          "        cur=\n"
                          "    elif [[ $prev == '=' ]]; then\n"
                          "        prev=${COMP_WORDS[COMP_CWORD - 2]}\n"
                          "    fi\n"
                          "    if ((COMP_CWORD == 1)); then\n"
                          "        options='");
    for (size_t i = 0; i < command_count; i++) {
        buf_format(into, "%s ", command_table[i].name);
    }
    buf_text(into, "help --help --version'\n"
                   "        mapfile -t COMPREPLY < <(compgen -W \"$options\" "
                   "-- \"$cur\")\n"
                   "        return\n"
                   "    fi\n"
                   "    case ${COMP_WORDS[1]} in\n");
    command_table_show(bash_command, into);
    buf_text(into, "    *) return ;;\n"
                   "    esac\n"
                   "    if [[ \" $files\" == *\" $prev \"* ]] ||\n"
                   "        [[ -n $takes_file && $cur != -* && "
                   "\" $values\" != *\" $prev \"* ]]; then\n"
                   "        compopt -o filenames 2>/dev/null\n"
                   "        mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
                   "    elif [[ \" $values\" != *\" $prev \"* ]]; then\n"
                   "        [[ $cur == -* ]] || options=$operands\n"
                   "        mapfile -t COMPREPLY < <(compgen -W \"$options\" "
                   "-- \"$cur\")\n"
                   "    fi\n"
                   "}\n"
                   "complete -F _longstop longstop\n");
}

/* ---- zsh ---- */

static void
zsh_option(const struct option_spec *option, struct buf *into)
{
    const bool wants = option->value != NULL;
    buf_text(into, " \\\n            ");
    if (option->letter != 0) {
        buf_format(into, "'(-%c --%s)'{-%c%s,--%s%s}", option->letter,
                   option->name, option->letter, wants ? "+" : "", option->name,
                   wants ? "=" : "");
    } else {
        buf_format(into, "--%s%s", option->name, wants ? "=" : "");
    }
    buf_byte(into, '\'');
    buf_byte(into, '[');
    for (const char *at = option->help; *at != '\0'; at++) {
        if (strchr("[]:\\", *at) != NULL) {
            buf_byte(into, '\\');
        }
        buf_text(into, *at == '\'' ? "'\\'" : "");
        buf_byte(into, *at);
    }
    buf_byte(into, ']');
    if (wants) {
        buf_format(into, ":%s:%s", option->value,
                   is_file(option->value) ? "_files" : " ");
    }
    buf_byte(into, '\'');
}

static void
zsh_command(void *arg, const struct command_spec *spec)
{
    struct buf *into = arg;
    buf_format(into, "    %s)\n        _arguments -s -S", spec->name);
    for (size_t i = 0; i < spec->option_count; i++) {
        zsh_option(&spec->options[i], into);
    }
    buf_text(into, " \\\n            '(-h --help)'{-h,--help}'[this text]'");
    const size_t before = into->len;
    buf_text(into, " \\\n            '1:word:(");
    const size_t words = into->len;
    append_choices(spec, into);
    if (into->len > words) {
        buf_text(into, ")'");
    } else {
        buf_truncate(into, before);
        buf_text(into, is_file(spec->operands)
                           ? " \\\n            '*:file:_files'"
                           : "");
    }
    buf_text(into, "\n        ;;\n");
}

static void
write_zsh(struct buf *into)
{
    buf_text(into, "#compdef longstop\n" HEADER "_longstop() {\n"
                   "    local -a commands\n"
                   "    commands=(\n");
    for (size_t i = 0; i < command_count; i++) {
        buf_format(into, "        %s:", command_table[i].name);
        append_quoted(command_table[i].summary, "'\\''", "", into);
        buf_byte(into, '\n');
    }
    buf_text(into, "    )\n"
                   "    if ((CURRENT == 2)); then\n"
                   "        _describe command commands\n"
                   "        return\n"
                   "    fi\n"
                   "    local command=$words[2]\n"
                   "    shift words\n"
                   "    ((CURRENT--))\n"
                   "    case $command in\n");
    command_table_show(zsh_command, into);
    buf_text(into, "    esac\n}\n_longstop \"$@\"\n");
}

/* ---- fish ---- */

static void
fish_option(const struct command_spec *spec, const struct option_spec *option,
            struct buf *into)
{
    buf_format(into,
               "complete -c longstop -n '__fish_seen_subcommand_from %s' -l %s",
               spec->name, option->name);
    if (option->letter != 0) {
        buf_format(into, " -s %c", option->letter);
    }
    if (option->value != NULL) {
        buf_text(into, is_file(option->value) ? " -r -F" : " -x");
    }
    buf_text(into, " -d ");
    append_quoted(option->help, "\\'", "\\", into);
    buf_byte(into, '\n');
}

static void
fish_command(void *arg, const struct command_spec *spec)
{
    struct buf *into = arg;
    for (size_t i = 0; i < spec->option_count; i++) {
        fish_option(spec, &spec->options[i], into);
    }
    struct buf words = { 0 };
    append_choices(spec, &words);
    if (buf_status(&words) != STATUS_OK) {
        into->failure = STATUS_NOMEM;
    } else if (words.len > 0) {
        buf_format(into,
                   "complete -c longstop -n '__fish_seen_subcommand_from %s' "
                   "-a '%.*s'\n",
                   spec->name, (int)words.len - 1, words.ptr);
    } else if (is_file(spec->operands)) {
        buf_format(into,
                   "complete -c longstop -n '__fish_seen_subcommand_from %s' "
                   "-F\n",
                   spec->name);
    }
    buf_fini(&words);
}

static void
write_fish(struct buf *into)
{
    buf_text(into, HEADER "complete -c longstop -f\n");
    for (size_t i = 0; i < command_count; i++) {
        buf_format(into,
                   "complete -c longstop -n __fish_use_subcommand -a %s "
                   "-d ",
                   command_table[i].name);
        append_quoted(command_table[i].summary, "\\'", "\\", into);
        buf_byte(into, '\n');
    }
    command_table_show(fish_command, into);
}

bool
completion_write(const char *shell, struct buf *into)
{
    static const struct {
        const char *shell;
        void (*write)(struct buf *into);
    } writers[] = { { "bash", write_bash },
                    { "zsh", write_zsh },
                    { "fish", write_fish } };
    for (size_t i = 0; i < sizeof(writers) / sizeof(writers[0]); i++) {
        if (strcmp(writers[i].shell, shell) == 0) {
            writers[i].write(into);
            return true;
        }
    }
    return false;
}
